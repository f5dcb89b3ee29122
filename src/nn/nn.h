/* nn.h - what every block of a forward pass runs on. */
#ifndef AKIN_NN_NN_H
#define AKIN_NN_NN_H

#include "base/arena.h"
#include "base/thread.h"
#include "cpu/kernels.h"

/* Borrowed by each call; one forward pass at a time. */
typedef struct akin_nn {
    const akin_kernels *kernels;
    akin_pool *pool;   /* NULL: this thread alone */
    akin_arena *arena; /* scratch; what a block takes it gives back */
} akin_nn;

/* LayerNorm's parameters, [n] each; owned by the model. */
typedef struct akin_norm {
    float *weight;
    float *bias;
    float eps;
} akin_norm;

#endif
