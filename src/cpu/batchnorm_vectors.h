/* batchnorm_vectors.h - batchnorm_kernels.h over abstract vectors; included by vector_kernels.h. */
#include "cpu/batchnorm_kernels.h"

static const akin_batchnorm_kernels KERNEL(akin_batchnorm_table) = {
    .rows = 0,
};
