/* gradient_kernels.h - backward passes of what transformers compute row by row, and the
 * optimiser's step. Pure functions on plain float32 arrays, as in kernels.h. */
#ifndef AKIN_CPU_GRADIENT_KERNELS_H
#define AKIN_CPU_GRADIENT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "cpu/kernels.h"

typedef struct akin_row_norm {
    float mean, scale; /* scale: 1 / sqrt(variance + eps) */
} akin_row_norm;

typedef struct akin_gradient_kernels {
    /* layernorm_f32, which also tells what it divided by. y may be x. */
    void (*norm_f32)(const float *x, const float *weight, const float *bias, float eps, float *y,
                     size_t n, akin_row_norm *norm);

    /* The gradients of that row: dx = or, with `add`, += that of x; dweight and dbias [n] are added
     * to, or both NULL. dx may be dy without `add`. Source: torch.nn.LayerNorm's derivative. */
    void (*norm_back_f32)(const float *x, const float *weight, const akin_row_norm *norm,
                          const float *dy, size_t n, bool add, float *dx, float *dweight,
                          float *dbias);

    /* y = softmax(scale * x) over a row of n; dy becomes the gradient of x. */
    void (*softmax_back_f32)(const float *y, float scale, float *dy, size_t n);

    /* dy [n] becomes the gradient of x, y = activation(x). */
    void (*activate_back_f32)(akin_activation activation, const float *x, float *dy, size_t n);

    /* c [m, n] = or, with `add`, += the sum over p < k of a[i * a_row + p * a_step] * b[p, j]; b
     * [k, n] and c with strides ldb, ldc. For the small products of attention. */
    void (*product_f32)(const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                        size_t m, size_t n, size_t k, bool add, float *c, size_t ldc);

    /* out [n, m] = the transpose of x [m, n]; strides ldx, ldo. */
    void (*transpose_f32)(const float *x, size_t ldx, size_t m, size_t n, float *out, size_t ldo);

    /* One step of AdamW over n values, as torch.optim.AdamW orders it; then the gradient is 0.
     * rate_decay: 1 - rate * decay, multiplies the value; scale multiplies the gradient; step:
     * rate / (1 - beta1^t); root: 1 / sqrt(1 - beta2^t). The betas are double because 1 - 0.999f is
     * not 0.001f by 1.3e-5 of it. */
    void (*adamw_f32)(float *value, float *gradient, float *m, float *v, size_t n, float rate_decay,
                      float scale, double beta1, double beta2, float step, float root, float eps);

    /* Sum of squares, of float32 in short chains, those in double. */
    double (*sum_squares_f32)(const float *x, size_t n);
} akin_gradient_kernels;

extern const akin_gradient_kernels akin_gradient_kernels_scalar;

#endif
