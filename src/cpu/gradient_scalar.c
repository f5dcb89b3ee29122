/* gradient_scalar.c - gradient_kernels.h as it reads: the oracle of the others. */
#include "cpu/gradient_kernels.h"

const akin_gradient_kernels akin_gradient_kernels_scalar = {
    .rows = 0,
};
