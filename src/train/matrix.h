/* matrix.h - y = x W^T + b and its gradients. Reference: torch.nn.functional.linear. */
#ifndef AKIN_TRAIN_MATRIX_H
#define AKIN_TRAIN_MATRIX_H

#include "train/work.h"

/* A weight as it lies in its parameter. */
typedef struct akin_weight {
    const float *w;  /* [out, in], or [in, out] when transposed */
    bool transposed;
    const float *b;  /* [out], or NULL */
    size_t in, out;
} akin_weight;

/* x [rows, in], stride ldx; y [rows, out], stride ldy. */
akin_status akin_matrix_forward(const akin_work *work, const akin_weight *weight, const float *x,
                                size_t ldx, size_t rows, float *y, size_t ldy, akin_error *err);

/* dy [rows, out], stride lddy. dx [rows, in], stride lddx, is written (or added to, with add_dx);
 * dw, as w lies, and db [out] are added to. Each of the three may be NULL: not wanted. */
akin_status akin_matrix_backward(const akin_work *work, const akin_weight *weight, const float *x,
                                 size_t ldx, size_t rows, const float *dy, size_t lddy, float *dx,
                                 size_t lddx, bool add_dx, float *dw, float *db, akin_error *err);

/* The plain products, for attention over embeddings and losses: c [m, n] = a [m, k] b^T with
 * b [n, k]; or, with `transposed`, b [k, n]. c is added to with `add`. */
akin_status akin_matrix_product(const akin_work *work, const float *a, size_t lda, size_t m,
                                size_t k, const float *b, size_t ldb, bool transposed, size_t n,
                                float *c, size_t ldc, bool add, akin_error *err);

/* c [m, n] += a^T b: a [rows, m], b [rows, n]. */
akin_status akin_matrix_outer(const akin_work *work, const float *a, size_t lda, size_t m,
                              const float *b, size_t ldb, size_t n, size_t rows, float *c,
                              size_t ldc, akin_error *err);

#endif
