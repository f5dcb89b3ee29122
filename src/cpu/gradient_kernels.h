/* gradient_kernels.h - backward passes of what transformers compute row by row, and the
 * optimiser's step. Pure functions on plain float32 arrays, as in kernels.h. */
#ifndef AKIN_CPU_GRADIENT_KERNELS_H
#define AKIN_CPU_GRADIENT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct akin_gradient_kernels {
    int rows; /* unused */
} akin_gradient_kernels;

extern const akin_gradient_kernels akin_gradient_kernels_scalar;

#endif
