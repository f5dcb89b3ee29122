/* product_vectors.h - product_kernels.h over abstract vectors; included by vector_kernels.h.
 *
 * An instruction set that multiplies pairs of bf16 also defines
 *     PAIRS
 *     vf_pairs(a, b, c)          c + a[2 i + 1] b[2 i + 1] + a[2 i] b[2 i], a and b cells
 *     vf_along(p, n)             LANES cells of up to 2 LANES floats; the first n, others 0
 *     vf_across(x, next)         LANES cells
 */
#include <string.h>

#include "cpu/bf16.h"
#include "cpu/product_kernels.h"

#if LANES == 16 /* registers: sums + right + 1 left */
enum { ROWS_1 = 12, ROWS_2 = 12, ROWS_3 = 9, OUTER_1 = 16, OUTER_2 = 14, OUTER_3 = 9 };
#else
enum { ROWS_1 = 12, ROWS_2 = 6, ROWS_3 = 4, OUTER_1 = 12, OUTER_2 = 6, OUTER_3 = 4 };
#endif

#ifdef PAIRS
#define CELL_FMA(pairs, l, r, sum) ((pairs) ? vf_pairs(l, r, sum) : vf_fma(l, r, sum))
#else
#define CELL_FMA(pairs, l, r, sum) ((void)(pairs), vf_fma(l, r, sum))
#endif

/* `count` and `vectors` are constants at each call, so that the sums stay in registers. A tile of
 * fewer rows computes its last one several times: it is the end of a long block. */
INLINE void product_rows(const bool pairs, const int count, const int vectors,
                         const akin_product_rows *t)
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
                    sum[i][v] = CELL_FMA(pairs, l, x[v], sum[i][v]);
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
                if (v + 1 < vectors) {
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

INLINE void product_rows_any(const bool pairs, const akin_product_rows *t)
{
    switch (t->vectors) {
    case 1: product_rows(pairs, ROWS_1, 1, t); break;
    case 2: product_rows(pairs, ROWS_2, 2, t); break;
    default: product_rows(pairs, ROWS_3, 3, t); break;
    }
}

INLINE void product_outer(const bool pairs, const int count, const int vectors,
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
    for (size_t r = 0; r < t->runs; r++) {
        const float *left = t->left + r * t->left_step, *right = t->right + r * t->right_step;
        for (size_t p = 0; p < k; p++) {
            vf x[AKIN_TILE_VECTORS];
            UNROLL
            for (int v = 0; v < vectors; v++)
                x[v] = v + 1 < vectors ? vf_load(right + v * LANES)
                                       : vf_load_n(right + v * LANES, rest);
            UNROLL
            for (int i = 0; i < count; i++) {
                const vf l = vf_set1(left[i]);
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sum[i][v] = CELL_FMA(pairs, l, x[v], sum[i][v]);
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

INLINE void product_outer_any(const bool pairs, const akin_product_outer *t)
{
#define CASE(n, vectors) case n: product_outer(pairs, n, vectors, t); break
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

static void KERNEL(product_rows_f32)(const akin_product_rows *tile)
{
    product_rows_any(false, tile);
}

static void KERNEL(product_outer_f32)(const akin_product_outer *tile)
{
    product_outer_any(false, tile);
}

static void KERNEL(copy_along)(const float *x, size_t n, float *cells)
{
    memcpy(cells, x, n * sizeof *x);
}

static void KERNEL(copy_across)(const float *x, const float *next, size_t n, float *cells)
{
    (void)next;
    memcpy(cells, x, n * sizeof *x);
}

#ifdef PAIRS
static void KERNEL(product_rows_bf16)(const akin_product_rows *tile)
{
    product_rows_any(true, tile);
}

static void KERNEL(product_outer_bf16)(const akin_product_outer *tile)
{
    product_outer_any(true, tile);
}

static void KERNEL(pairs_along)(const float *x, size_t n, float *cells)
{
    for (; n >= 2 * LANES; n -= 2 * LANES, x += 2 * LANES, cells += LANES)
        vf_store(cells, vf_along(x, 2 * LANES));
    if (n > 0)
        vf_store_n(cells, vf_along(x, (int)n), ((int)n + 1) / 2);
}

static void KERNEL(pairs_across)(const float *x, const float *next, size_t n, float *cells)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(cells + i, vf_across(vf_load(x + i),
                                      next != NULL ? vf_load(next + i) : vf_set1(0.0f)));
    if (i < n) {
        const int rest = (int)(n - i);
        const vf b = next != NULL ? vf_load_n(next + i, rest) : vf_set1(0.0f);
        vf_store_n(cells + i, vf_across(vf_load_n(x + i, rest), b), rest);
    }
}
#else
static void KERNEL(round_along)(const float *x, size_t n, float *cells)
{
    for (size_t i = 0; i < n; i++)
        cells[i] = akin_round_bf16(x[i]);
}

static void KERNEL(round_across)(const float *x, const float *next, size_t n, float *cells)
{
    (void)next;
    KERNEL(round_along)(x, n, cells);
}
#endif

static const akin_product_kernels KERNEL(akin_product_table) = {
    .lanes = LANES,
    .tile_rows = { 0, ROWS_1, ROWS_2, ROWS_3 },
    .tile_outer = { 0, OUTER_1, OUTER_2, OUTER_3 },
    .f32 = { 1, KERNEL(product_rows_f32), KERNEL(product_outer_f32), KERNEL(copy_along),
             KERNEL(copy_across) },
#ifdef PAIRS
    .bf16 = { 2, KERNEL(product_rows_bf16), KERNEL(product_outer_bf16), KERNEL(pairs_along),
              KERNEL(pairs_across) },
#else
    .bf16 = { 1, KERNEL(product_rows_f32), KERNEL(product_outer_f32), KERNEL(round_along),
              KERNEL(round_across) },
#endif
};
