/* gradient_vectors.h - gradient_kernels.h over abstract vectors; included by vector_kernels.h. */
#include "cpu/gradient_kernels.h"

static const akin_gradient_kernels KERNEL(akin_gradient_table) = {
    .rows = 0,
};
