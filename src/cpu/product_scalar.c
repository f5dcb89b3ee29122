/* product_scalar.c - product_kernels.h as it reads: the oracle of the others. */
#include "cpu/product_kernels.h"

const akin_product_kernels akin_product_kernels_scalar = {
    .rows = 0,
};
