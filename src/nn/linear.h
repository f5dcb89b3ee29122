/* linear.h - y = activation(norm(x) W^T + b) + residual, as torch.nn.Linear with what surrounds
 * it. */
#ifndef AKIN_NN_LINEAR_H
#define AKIN_NN_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/nn.h"

/* Immutable once its rows are set: share freely. */
typedef struct akin_linear {
    size_t in;
    size_t out;
    bool round_bf16; /* both operands are rounded to bf16 (nearest, ties to even) and multiplied in
                        f32: what bf16 instructions compute, on processors without */
    float *panels; /* packed weights; owned */
    float *bias;   /* [out], or NULL; owned */
} akin_linear;

/* Allocates for W [out, in] and, when has_bias, b [out]; sets neither. */
akin_status akin_linear_init(akin_linear *linear, const akin_kernels *kernels, bool round_bf16,
                             size_t in, size_t out, bool has_bias, akin_error *err);
void akin_linear_clear(akin_linear *linear);

/* Packs rows [first, first + count) of W from weight [count, in]. Several matrices that read the
 * same input (query, key, value) become one product this way. Distinct rows from several threads
 * are safe. */
void akin_linear_set(akin_linear *linear, const akin_kernels *kernels, const float *weight,
                     size_t first, size_t count);

/* x [rows, in], stride ldx; y [rows, out], stride ldy, may not be x.
 * norm: NULL, or the LayerNorm that each row of x passes through first.
 * residual: NULL, or [rows, out] with stride ldr, added last; may be y. */
akin_status akin_linear_run(const akin_nn *nn, const akin_linear *linear, const float *x,
                            size_t ldx, size_t rows, const akin_norm *norm,
                            akin_activation activation, const float *residual, size_t ldr, float *y,
                            size_t ldy, akin_error *err);

#endif
