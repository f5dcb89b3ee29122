/* product_vectors.h - product_kernels.h over abstract vectors; included by vector_kernels.h. */
#include "cpu/product_kernels.h"

static const akin_product_kernels KERNEL(akin_product_table) = {
    .rows = 0,
};
