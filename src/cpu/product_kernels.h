/* product_kernels.h - the products of training: operands lie where they are, nothing but weights
 * is packed. An activation is read three times a step (forward, gradient of input and of weights)
 * and packing it each time costs more than it saves with a few dozen channels. */
#ifndef AKIN_CPU_PRODUCT_KERNELS_H
#define AKIN_CPU_PRODUCT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct akin_product_kernels {
    int rows; /* of a tile */
} akin_product_kernels;

extern const akin_product_kernels akin_product_kernels_scalar;

#endif
