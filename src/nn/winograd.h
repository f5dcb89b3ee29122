/* winograd.h - the 3 x 3 convolution of stride 1 by F(2 x 2, 3 x 3): four results of a channel from
 * 16 products instead of 36. conv.h is the door. Source: Lavin and Gray 2015. */
#ifndef AKIN_NN_WINOGRAD_H
#define AKIN_NN_WINOGRAD_H

#include "nn/conv.h"

enum { AKIN_WINOGRAD_TAPS = 16 };

/* weights.panels: 16 packed matrices [out, in], one behind the other. */
akin_status akin_winograd_init(akin_conv *conv, const akin_kernels *kernels, akin_error *err);
akin_status akin_winograd_set(akin_conv *conv, const akin_kernels *kernels, const float *weight,
                              akin_error *err);
akin_status akin_winograd_run(const akin_nn *nn, const akin_conv *conv, const float *x,
                              size_t count, size_t height, size_t width, bool relu, float *y,
                              akin_error *err);

#endif
