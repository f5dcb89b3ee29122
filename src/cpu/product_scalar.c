/* product_scalar.c - product_kernels.h as it reads: the oracle of the others. bf16 is emulated by
 * floats that hold one. */
#include "cpu/bf16.h"
#include "cpu/product_kernels.h"

enum { LANES = 4 };

static void rows(const akin_product_rows *t)
{
    for (int i = 0; i < t->count; i++)
        for (size_t j = 0; j < t->cols; j++) {
            float sum = t->bias != NULL ? t->bias[j] : 0.0f;
            for (size_t r = 0; r < t->runs; r++)
                for (size_t p = 0; p < t->k; p++)
                    sum += t->left[i][r * t->step + p] *
                           t->right[(r * t->k + p) * (size_t)t->vectors * LANES + j];
            float *to = t->c + (size_t)i * t->ldc + j;
            *to = t->add ? *to + sum : sum;
        }
}

static void outer(const akin_product_outer *t)
{
    for (size_t i = 0; i < (size_t)t->count; i++)
        for (size_t j = 0; j < t->cols; j++) {
            float sum = 0.0f;
            for (size_t r = 0; r < t->sets * t->runs; r++) {
                const size_t set = r / t->runs, run = r % t->runs;
                const float *left = t->left + set * t->left_set + run * t->left_step + i;
                const float *right = t->right + set * t->right_set + run * t->right_step + j;
                for (size_t p = 0; p < t->k; p++)
                    sum += left[p * t->lda] * right[p * t->ldb];
            }
            t->c[i * t->ldc + j] += sum;
        }
}

static void copy_along(const float *x, size_t ldx, size_t count, size_t n, float *cells,
                       size_t ldc)
{
    for (size_t i = 0; i < count; i++)
        memcpy(cells + i * ldc, x + i * ldx, n * sizeof *x);
}

static void copy_across(const float *x, const float *next, size_t ldx, size_t count, size_t n,
                        float *cells, size_t ldc)
{
    (void)next;
    copy_along(x, ldx, count, n, cells, ldc);
}

static void round_along(const float *x, size_t ldx, size_t count, size_t n, float *cells,
                        size_t ldc)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < n; j++)
            cells[i * ldc + j] = akin_round_bf16(x[i * ldx + j]);
}

static void round_across(const float *x, const float *next, size_t ldx, size_t count, size_t n,
                         float *cells, size_t ldc)
{
    (void)next;
    round_along(x, ldx, count, n, cells, ldc);
}

static const akin_product_set f32 = { 1, rows, outer, copy_along, copy_across };
static const akin_product_set bf16 = { 1, rows, outer, round_along, round_across };

const akin_product_kernels akin_product_kernels_scalar = {
    .lanes = LANES,
    .tile_rows = { 0, 4, 4, 4 },
    .tile_outer = { 0, 4, 4, 4 },
    .f32 = &f32,
    .bf16 = &bf16,
};
