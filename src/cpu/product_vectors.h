/* product_vectors.h - product_kernels.h over abstract vectors; included by vector_kernels.h.
 *
 * A file for an instruction set that multiplies pairs of bf16 includes this alone, and also defines
 *     PAIRS
 *     vf_pairs(a, b, c)          c + a[2 i + 1] b[2 i + 1] + a[2 i] b[2 i], a and b cells
 *     vf_along(p, n)             LANES cells of up to 2 LANES floats; the first n, others 0
 *     vf_across(x, next)         LANES cells
 */
#include "cpu/bf16.h"
#include "cpu/product_kernels.h"

#if LANES == 16 /* registers: sums + right + 1 left */
enum { ROWS_1 = 12, ROWS_2 = 12, ROWS_3 = 9, OUTER_1 = 16, OUTER_2 = 14, OUTER_3 = 9 };
#else
enum { ROWS_1 = 12, ROWS_2 = 6, ROWS_3 = 4, OUTER_1 = 12, OUTER_2 = 6, OUTER_3 = 4 };
#endif

#ifdef PAIRS
#define CELL_FMA vf_pairs
#else
#define CELL_FMA vf_fma
#endif

/* `count` and `vectors` are constants at each call, so that the sums stay in registers. A tile of
 * fewer rows computes its last one several times: it is the end of a long block. */
INLINE void product_rows(const int count, const int vectors, const akin_product_rows *t)
{
    vf sum[AKIN_TILE_ROWS][AKIN_TILE_VECTORS];
    const float *left[AKIN_TILE_ROWS];
    const float *right = t->right;
    const size_t k = t->k;
    UNROLL
    for (int i = 0; i < count; i++) {
        left[i] = t->left[i];
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = t->bias != NULL ? vf_load(t->bias + v * LANES) : vf_set1(0.0f);
    }
    for (size_t r = 0; r < t->runs; r++) {
        for (size_t p = 0; p < k; p++) {
            vf x[AKIN_TILE_VECTORS];
            UNROLL
            for (int v = 0; v < vectors; v++)
                x[v] = vf_load(right + v * LANES);
            UNROLL
            for (int i = 0; i < count; i++) {
                const vf l = vf_set1(left[i][p]);
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sum[i][v] = CELL_FMA(l, x[v], sum[i][v]);
            }
            right += vectors * LANES;
        }
        UNROLL
        for (int i = 0; i < count; i++)
            left[i] += t->step;
    }
    const int rest = (int)t->cols - (vectors - 1) * LANES;
    UNROLL
    for (int i = 0; i < count; i++) {
        if (i < t->count) {
            float *to = t->c + (size_t)i * t->ldc;
            UNROLL
            for (int v = 0; v < vectors; v++) {
                if (t->stream) {
                    vf_stream(to, sum[i][v]);
                } else if (v + 1 < vectors) {
                    vf_store(to, t->add ? vf_add(vf_load(to), sum[i][v]) : sum[i][v]);
                } else {
                    const vf old = t->add ? vf_load_n(to, rest) : vf_set1(0.0f);
                    vf_store_n(to, t->add ? vf_add(old, sum[i][v]) : sum[i][v], rest);
                }
                to += LANES;
            }
        }
    }
}

static void KERNEL(product_rows)(const akin_product_rows *t)
{
    switch (t->vectors) {
    case 1: product_rows(ROWS_1, 1, t); break;
    case 2: product_rows(ROWS_2, 2, t); break;
    default: product_rows(ROWS_3, 3, t); break;
    }
}

INLINE void product_outer(const bool whole, const int count, const int vectors,
                          const akin_product_outer *t)
{
    vf sum[AKIN_TILE_ROWS][AKIN_TILE_VECTORS];
    const int rest = (int)t->cols - (vectors - 1) * LANES;
    const size_t k = t->k, lda = t->lda, ldb = t->ldb;
    UNROLL
    for (int i = 0; i < count; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = vf_set1(0.0f);
    }
    for (size_t r = 0, run = 0, set = 0; r < t->sets * t->runs; r++) {
        const float *left = t->left + set * t->left_set + run * t->left_step;
        const float *right = t->right + set * t->right_set + run * t->right_step;
        if (++run == t->runs) {
            run = 0;
            set++;
        }
        for (size_t p = 0; p < k; p++) {
            vf x[AKIN_TILE_VECTORS];
            UNROLL
            for (int v = 0; v < vectors; v++)
                x[v] = whole || v + 1 < vectors ? vf_load(right + v * LANES)
                                                : vf_load_n(right + v * LANES, rest);
            UNROLL
            for (int i = 0; i < count; i++) {
                const vf l = vf_set1(left[i]);
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sum[i][v] = CELL_FMA(l, x[v], sum[i][v]);
            }
            left += lda;
            right += ldb;
        }
    }
    UNROLL
    for (int i = 0; i < count; i++) {
        float *to = t->c + (size_t)i * t->ldc;
        UNROLL
        for (int v = 0; v < vectors; v++) {
            if (v + 1 < vectors)
                vf_store(to, vf_add(vf_load(to), sum[i][v]));
            else
                vf_store_n(to, vf_add(vf_load_n(to, rest), sum[i][v]), rest);
            to += LANES;
        }
    }
}

INLINE void product_outer_any(const bool whole, const akin_product_outer *t)
{
#define CASE(n, vectors) case n: product_outer(whole, n, vectors, t); break
    switch (t->vectors) {
    case 1:
        switch (t->count) {
        CASE(1, 1); CASE(2, 1); CASE(3, 1); CASE(4, 1); CASE(5, 1); CASE(6, 1); CASE(7, 1);
        CASE(8, 1); CASE(9, 1); CASE(10, 1); CASE(11, 1); CASE(12, 1);
#if LANES == 16
        CASE(13, 1); CASE(14, 1); CASE(15, 1); CASE(16, 1);
#endif
        }
        break;
    case 2:
        switch (t->count) {
        CASE(1, 2); CASE(2, 2); CASE(3, 2); CASE(4, 2); CASE(5, 2); CASE(6, 2);
#if LANES == 16
        CASE(7, 2); CASE(8, 2); CASE(9, 2); CASE(10, 2); CASE(11, 2); CASE(12, 2); CASE(13, 2);
        CASE(14, 2);
#endif
        }
        break;
    default:
        switch (t->count) {
        CASE(1, 3); CASE(2, 3); CASE(3, 3); CASE(4, 3);
#if LANES == 16
        CASE(5, 3); CASE(6, 3); CASE(7, 3); CASE(8, 3); CASE(9, 3);
#endif
        }
    }
#undef CASE
}

static void KERNEL(product_outer)(const akin_product_outer *tile)
{
    /* A masked load costs AVX2 a fifth of its speed, AVX-512 nothing. */
    if (LANES == 8 && tile->cols == (size_t)tile->vectors * LANES)
        product_outer_any(true, tile);
    else
        product_outer_any(false, tile);
}

#ifndef PAIRS
static void KERNEL(copy_along)(const float *x, size_t ldx, size_t count, size_t n, float *cells,
                               size_t ldc)
{
    for (size_t i = 0; i < count; i++, x += ldx, cells += ldc) {
        size_t j = 0;
        for (; j + LANES <= n; j += LANES)
            vf_store(cells + j, vf_load(x + j));
        if (j < n)
            vf_store_n(cells + j, vf_load_n(x + j, (int)(n - j)), (int)(n - j));
    }
}

static void KERNEL(copy_across)(const float *x, const float *next, size_t ldx, size_t count,
                                size_t n, float *cells, size_t ldc)
{
    (void)next;
    KERNEL(copy_along)(x, ldx, count, n, cells, ldc);
}

static void KERNEL(round_along)(const float *x, size_t ldx, size_t count, size_t n, float *cells,
                                size_t ldc)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < n; j++)
            cells[i * ldc + j] = akin_round_bf16(x[i * ldx + j]);
}

static void KERNEL(round_across)(const float *x, const float *next, size_t ldx, size_t count,
                                 size_t n, float *cells, size_t ldc)
{
    (void)next;
    KERNEL(round_along)(x, ldx, count, n, cells, ldc);
}

static const akin_product_set KERNEL(akin_product_f32) = {
    1, KERNEL(product_rows), KERNEL(product_outer), KERNEL(copy_along), KERNEL(copy_across)
};
static const akin_product_set KERNEL(akin_product_rounded) = {
    1, KERNEL(product_rows), KERNEL(product_outer), KERNEL(round_along), KERNEL(round_across)
};

#define PRODUCT_TABLE(bf16_set)                                                  \
    {                                                                            \
        .lanes = LANES, .tile_rows = { 0, ROWS_1, ROWS_2, ROWS_3 },              \
        .tile_outer = { 0, OUTER_1, OUTER_2, OUTER_3 },                          \
        .f32 = &KERNEL(akin_product_f32), .bf16 = bf16_set                       \
    }
static const akin_product_kernels KERNEL(akin_product_table) =
    PRODUCT_TABLE(&KERNEL(akin_product_rounded));
#else
static void KERNEL(pairs_along)(const float *x, size_t ldx, size_t count, size_t n, float *cells,
                                size_t ldc)
{
    for (size_t i = 0; i < count; i++, x += ldx, cells += ldc) {
        size_t j = 0;
        for (; j + 2 * LANES <= n; j += 2 * LANES)
            vf_store(cells + j / 2, vf_along(x + j, 2 * LANES));
        if (j < n)
            vf_store_n(cells + j / 2, vf_along(x + j, (int)(n - j)), (int)(n - j + 1) / 2);
    }
}

static void KERNEL(pairs_across)(const float *x, const float *next, size_t ldx, size_t count,
                                 size_t n, float *cells, size_t ldc)
{
    const vf none = vf_set1(0.0f);
    for (size_t i = 0; i < count; i++, cells += ldc) {
        const float *a = x + i * ldx, *b = next != NULL ? next + i * ldx : NULL;
        size_t j = 0;
        for (; j + LANES <= n; j += LANES)
            vf_store(cells + j, vf_across(vf_load(a + j), b != NULL ? vf_load(b + j) : none));
        if (j < n) {
            const int rest = (int)(n - j);
            vf_store_n(cells + j, vf_across(vf_load_n(a + j, rest),
                                            b != NULL ? vf_load_n(b + j, rest) : none), rest);
        }
    }
}

const akin_product_set JOIN(akin_product_pairs, ISA) = {
    2, KERNEL(product_rows), KERNEL(product_outer), KERNEL(pairs_along), KERNEL(pairs_across)
};
#endif
