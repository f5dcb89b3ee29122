/* resnet_grad.h - parameters of CLIP's ModifiedResNet (resnet_grad.c).
 *
 * Checkpoints of the reference also hold, of each norm, an integer (I64, no dimensions)
 * "*.num_batches_tracked", which nothing reads where the momentum is given, as it is. It is no
 * parameter here; who writes a checkpoint adds one behind each akin_resnet_tracked. */
#ifndef AKIN_TRAIN_RESNET_GRAD_H
#define AKIN_TRAIN_RESNET_GRAD_H

#include "train/towers.h"

/* Numbers of parameters: a convolution and its BatchNorm. */
typedef struct akin_resnet_unit {
    size_t weight, gamma, beta, mean, variance;
    size_t in, out, kernel, stride;
    size_t side; /* of what the convolution takes */
} akin_resnet_unit;

typedef struct akin_resnet_block {
    akin_resnet_unit conv1, conv2, conv3, shortcut;
    bool has_shortcut, pooled; /* pooled: behind conv2, and before the shortcut */
} akin_resnet_block;

typedef struct akin_resnet_net {
    akin_resnet_unit stem[3];
    akin_resnet_block *blocks;
    size_t block_count;
    size_t d, grid, heads; /* of the attention pool */
    size_t positions, query_w, query_b, key_w, key_b, value_w, value_b, out_w, out_b;
} akin_resnet_net;

/* Whether the parameter is the variance of a norm; then name[120] becomes that of its
 * num_batches_tracked. */
bool akin_resnet_tracked(const akin_parameter *parameter, char name[120]);

#endif
