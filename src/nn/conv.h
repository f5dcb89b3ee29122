/* conv.h - y = activation(conv(x) + b + residual), as torch.nn.Conv2d with what surrounds it.
 *
 * Activations are [count, height, width, channels]: a 1 x 1 convolution is then a product of rows,
 * and what follows a product works on whole vectors of channels.
 */
#ifndef AKIN_NN_CONV_H
#define AKIN_NN_CONV_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/linear.h"

/* Kernel 1 (no padding), or 3 with padding 1; stride 1 or 2. Immutable once set: share freely. */
typedef struct akin_conv {
    size_t in, out; /* channels */
    size_t kernel, stride;
    bool winograd;      /* `weights` holds the 16 transformed taps instead of the 9 */
    akin_linear weights; /* [out, taps * in], tap by tap, each tap's channels together; its bias */
} akin_conv;

/* Allocates; sets neither weights nor bias (weights.bias). A 3 x 3 convolution of stride 1 becomes
 * a Winograd one, F(2 x 2, 3 x 3), unless round_bf16: rounding is defined on the operands
 * themselves. */
akin_status akin_conv_init(akin_conv *conv, const akin_kernels *kernels, bool round_bf16, size_t in,
                           size_t out, size_t kernel, size_t stride, akin_error *err);
void akin_conv_clear(akin_conv *conv);

/* Packs weight [out, in, kernel, kernel]. */
akin_status akin_conv_set(akin_conv *conv, const akin_kernels *kernels, const float *weight,
                          akin_error *err);

/* Height or width of the result. */
size_t akin_conv_size(const akin_conv *conv, size_t size);

/* x [count, height, width, in]; y [count, akin_conv_size(height), akin_conv_size(width), out].
 * activation: AKIN_ACT_NONE or AKIN_ACT_RELU. residual: NULL, or of y's shape, added before the
 * activation (not with a Winograd convolution); may be y. */
akin_status akin_conv_run(const akin_nn *nn, const akin_conv *conv, const float *x, size_t count,
                          size_t height, size_t width, akin_activation activation,
                          const float *residual, float *y, akin_error *err);

/* The mean of each 2 x 2 window, as torch.nn.AvgPool2d(2): x [count, height, width, channels];
 * y [count, height / 2, width / 2, channels]. */
void akin_pool2_run(const akin_nn *nn, const float *x, size_t count, size_t height, size_t width,
                    size_t channels, float *y);

#endif
