/* batchnorm_kernels.h - BatchNorm, ReLU and pooling of training, forward and backward, over rows of
 * channels.
 *
 * Pure functions on plain float32 arrays, as in kernels.h. Activations are [rows, n], what has one
 * value a channel is [n]. Sums are of float32: callers keep `rows` small (a hundred) and add up in
 * double. Reference: PyTorch 2.13 batch_norm, relu, avg_pool2d and their autograd.
 */
#ifndef AKIN_CPU_BATCHNORM_KERNELS_H
#define AKIN_CPU_BATCHNORM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

/* y = max(0, scale * x + shift + second). The second term is nothing (x2 NULL), x2 itself (scale2
 * NULL) or scale2 * x2 + shift2. */
typedef struct akin_batchnorm_join {
    const float *scale, *shift, *scale2, *shift2; /* [n] */
} akin_batchnorm_join;

/* What becomes of the gradient g behind the ReLU: dx = k * g + p * (x - mean) + q, and dx2
 * likewise; with k2 NULL, dx2 = g. */
typedef struct akin_batchnorm_slope {
    const float *k, *p, *q, *mean, *k2, *p2, *q2, *mean2; /* [n] */
} akin_batchnorm_slope;

typedef struct akin_batchnorm_kernels {
    /* sum = sum of (x - near), square = sum of (x - near)^2 over the rows: `near` keeps the
     * variance of channels that are far from zero. */
    void (*moments)(const float *x, size_t rows, size_t n, const float *near, float *sum,
                    float *square);

    /* y [rows, n], which may be x or x2. */
    void (*join)(const akin_batchnorm_join *join, const float *x, const float *x2, size_t rows,
                 size_t n, float *y);

    /* g is dy where the ReLU let through: where y > 0, or, y NULL, where the joined x was
     * (join->scale * x + join->shift > 0); else 0. sum = sum of g, product = sum of
     * g * (x - slope->mean), product2 = sum of g * (x2 - slope->mean2) unless x2 is NULL. */
    void (*back_sums)(const akin_batchnorm_join *join, const akin_batchnorm_slope *slope,
                      const float *dy, const float *y, const float *x, const float *x2, size_t rows,
                      size_t n, float *sum, float *product, float *product2);

    /* dx and, unless dx2 is NULL, dx2, of that g; either may be dy. x2 is read with k2 alone. */
    void (*back)(const akin_batchnorm_join *join, const akin_batchnorm_slope *slope,
                 const float *dy, const float *y, const float *x, const float *x2, size_t rows,
                 size_t n, float *dx, float *dx2);

    /* The average pool backward along one line: out[2 i] and out[2 i + 1] = half[i] / 4 + add, for
     * i < rows; half [rows, n], out [2 * rows, n]; add as out, or NULL; may be out. */
    void (*spread)(const float *half, const float *add, size_t rows, size_t n, float *out);

    /* out = a + b over n; out may be either. */
    void (*add)(const float *a, const float *b, size_t n, float *out);
} akin_batchnorm_kernels;

extern const akin_batchnorm_kernels akin_batchnorm_kernels_scalar;

#endif
