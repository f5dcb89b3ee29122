/* kernels.h - one table of numeric functions per instruction set, chosen once at start.
 *
 * Pure functions on plain float32 arrays: no allocation, no errors, no state. Pointers need no
 * alignment beyond a float's; arrays of one call do not overlap unless the contract says "may be".
 * Dimensions may be 0. A row's result depends on that row alone, not on how many rows a call has
 * nor on its place among them: batches and threads never change a bit.
 *
 * A new instruction set is one file: it defines a dozen vector operations and includes
 * vector_kernels.h. kernels_scalar.c is the readable oracle.
 */
#ifndef AKIN_CPU_KERNELS_H
#define AKIN_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Activations. All but the exact GELU and ReLU are x * sigmoid(u(x)). */
typedef enum akin_activation {
    AKIN_ACT_NONE,
    AKIN_ACT_QUICK_GELU, /* x * sigmoid(1.702 x), OpenAI CLIP */
    AKIN_ACT_GELU,       /* 0.5 x (1 + erf(x / sqrt 2)) */
    AKIN_ACT_GELU_TANH,  /* 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    AKIN_ACT_SILU,       /* x * sigmoid(x) */
    AKIN_ACT_RELU        /* max(0, x); NaN stays */
} akin_activation;

/* What happens to a finished tile of a matrix product, in this order. */
typedef struct akin_epilogue {
    const float *bias;      /* [n], or NULL */
    akin_activation activation;
    const float *residual;  /* [m, n] with row stride ldr, or NULL; added last */
    size_t ldr;
    bool residual_first;    /* the residual is added before the activation: ResNet's blocks */
} akin_epilogue;

typedef struct akin_kernels {
    const char *name; /* as AKIN_CPU spells it */

    /* The matrix product works on tiles of tile_rows x tile_cols of its result. Operands are packed
     * in panels: left [k, tile_rows], right [k, tile_cols], both zero-padded at the edges. */
    int tile_rows;
    int tile_cols;

    /* left:  panel of the left operand, [k, tile_rows]
     * right: panel of the right operand, [k, tile_cols]
     * c:     [rows, ldc >= tile_cols], 1 <= rows <= tile_rows; all tile_cols columns are written
     * c = left^T . right, or c += when `accumulate`; each element is one chain over k in order, so
     * that a product cut into several calls over k has the bits of one. */
    void (*matmul_tile_f32)(const float *left, const float *right, size_t k, float *c, size_t ldc,
                            int rows, bool accumulate);

    /* out[p, i] = rows[i][p] for i < count, 0 for count <= i < tile_rows; p < k,
     * 1 <= count <= tile_rows: a panel of the left operand from rows that may lie anywhere. */
    void (*pack_rows_f32)(const float *const *rows, int count, size_t k, float *out);

    /* out[i, j] = activation(c[i, j] + bias[j]) + residual[i, j] (or, with residual_first, the sum
     * of all three activated); c [rows, cols] with stride ldc, out with stride ldo. out may be c,
     * and may be residual. */
    void (*finish_f32)(const float *c, size_t ldc, const akin_epilogue *epilogue, float *out,
                       size_t ldo, int rows, size_t cols);

    /* y[i] = (x[i] - mean) / sqrt(var + eps) * weight + bias over a row of n, population variance.
     * y may be x. Source: Ba et al. 2016; torch.nn.LayerNorm. */
    void (*layernorm_f32)(const float *x, const float *weight, const float *bias, float eps,
                          float *y, size_t n);

    /* x = softmax(scale * x) over a row of n, in place, largest element subtracted first. */
    void (*softmax_f32)(float *x, float scale, size_t n);

    /* The two ends of the convolution F(2 x 2, 3 x 3) over n channels at a time. Source: Lavin and
     * Gray 2015, section 4.1.
     * before: d[4 y + x] is the position (y, x) of a 4 x 4 window, [n];
     *         out[f, c] = (B^T d B)[f] with f < 16 at stride ldo.
     * after:  m [16, n] with stride ldm; y[2 i + j] takes the position (i, j) of the result, [n]:
     *         max(floor, (A^T m A) + bias). */
    void (*winograd_before_f32)(const float *const d[16], size_t n, float *out, size_t ldo);
    void (*winograd_after_f32)(const float *m, size_t ldm, const float *bias, float floor, size_t n,
                               float *const y[4]);

    /* y = (a + b + c + d) / 4 over n, summed from the left. */
    void (*mean4_f32)(const float *a, const float *b, const float *c, const float *d, float *y,
                      size_t n);

    /* y += s * x over n. */
    void (*add_scaled_f32)(float s, const float *x, float *y, size_t n);

    /* Sum of a[i] * b[i] over n. */
    float (*dot_f32)(const float *a, const float *b, size_t n);

    /* out[i] = sum of rows[i, j] * query[j] over j, i < count; rows [count, n] side by side, of f32
     * or of IEEE half precision (aligned to 2 bytes), widened exactly. query [n]. Search: nothing
     * but this reads vectors. */
    void (*dot_rows_f32)(const float *rows, size_t count, size_t n, const float *query, float *out);
    void (*dot_rows_f16)(const uint16_t *rows, size_t count, size_t n, const float *query,
                         float *out);

    /* What training needs beside it: each table has a header. */
    const struct akin_product_kernels *products;
    const struct akin_gradient_kernels *gradients;
    const struct akin_batchnorm_kernels *batchnorm;
} akin_kernels;

/* One instruction set: its table, and what this processor lacks to run it (NULL: it runs). */
typedef struct akin_isa_entry {
    const char *name;
    const akin_kernels *kernels; /* NULL: not built for this architecture */
    const char *lacks;
} akin_isa_entry;

/* All of them, slowest first. Strings are static. */
size_t akin_isa_count(void);
akin_isa_entry akin_isa_at(size_t i);

/* The table called `name` (as AKIN_CPU spells it), or the best that runs here when name is NULL or
 * "". AKIN_E_ARGUMENT with the list when there is none of that name, or this processor lacks it. */
akin_status akin_kernels_choose(const char *name, const akin_kernels **out, akin_error *err);

extern const akin_kernels akin_kernels_scalar;
#if defined(__x86_64__)
extern const akin_kernels akin_kernels_avx2;
extern const akin_kernels akin_kernels_avx512;
extern const akin_kernels akin_kernels_avx512bf16;
#endif

#endif
