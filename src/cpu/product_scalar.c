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
            for (size_t r = 0; r < t->runs; r++)
                for (size_t p = 0; p < t->k; p++)
                    sum += t->left[r * t->left_step + p * t->lda + i] *
                           t->right[r * t->right_step + p * t->ldb + j];
            t->c[i * t->ldc + j] += sum;
        }
}

static void copy_along(const float *x, size_t n, float *cells)
{
    memcpy(cells, x, n * sizeof *x);
}

static void copy_across(const float *x, const float *next, size_t n, float *cells)
{
    (void)next;
    memcpy(cells, x, n * sizeof *x);
}

static void round_along(const float *x, size_t n, float *cells)
{
    for (size_t i = 0; i < n; i++)
        cells[i] = akin_round_bf16(x[i]);
}

static void round_across(const float *x, const float *next, size_t n, float *cells)
{
    (void)next;
    round_along(x, n, cells);
}

const akin_product_kernels akin_product_kernels_scalar = {
    .lanes = LANES,
    .tile_rows = { 0, 4, 4, 4 },
    .tile_outer = { 0, 4, 4, 4 },
    .f32 = { 1, rows, outer, copy_along, copy_across },
    .bf16 = { 1, rows, outer, round_along, round_across },
};
