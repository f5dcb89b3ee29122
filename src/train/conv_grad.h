/* conv_grad.h - the convolutions of CLIP's ResNet and their gradients.
 *
 * Activations are [count, height, width, channels]; weights lie as in the file, [out, in, kernel,
 * kernel]. Kernel 1 without padding, or 3 with padding 1; stride 1 or 2 (kernel 3). Reference:
 * torch.nn.functional.conv2d without bias.
 */
#ifndef AKIN_TRAIN_CONV_GRAD_H
#define AKIN_TRAIN_CONV_GRAD_H

#include "train/work.h"

typedef struct akin_filters {
    const float *w; /* [out, in, kernel, kernel] */
    size_t in, out, kernel, stride;
} akin_filters;

/* Height or width of the result. */
static inline size_t akin_filters_size(const akin_filters *bank, size_t size)
{
    return bank->stride == 1 ? size : (size - 1) / 2 + 1;
}

/* x [count, height, width, in]; y [count, size(height), size(width), out]. */
akin_status akin_filters_forward(const akin_work *work, const akin_filters *bank, const float *x,
                                size_t count, size_t height, size_t width, float *y,
                                akin_error *err);

/* dy as y. dx as x is written (NULL: not wanted), dw as w is added to (NULL: not wanted). */
akin_status akin_filters_backward(const akin_work *work, const akin_filters *bank,
                                 const float *x, size_t count, size_t height, size_t width,
                                 const float *dy, float *dx, float *dw, akin_error *err);

#endif
