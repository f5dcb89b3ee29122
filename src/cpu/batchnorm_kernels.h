/* batchnorm_kernels.h - BatchNorm, ReLU and pooling of training, forward and backward, over
 * rows of channels. */
#ifndef AKIN_CPU_BATCHNORM_KERNELS_H
#define AKIN_CPU_BATCHNORM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct akin_batchnorm_kernels {
    int rows; /* unused */
} akin_batchnorm_kernels;

extern const akin_batchnorm_kernels akin_batchnorm_kernels_scalar;

#endif
