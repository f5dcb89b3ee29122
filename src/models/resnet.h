/* resnet.h - CLIP's ModifiedResNet: convolutions, folded BatchNorm, attention pooling.
 *
 * Reference: open_clip 3.3.0 modified_resnet.py (Radford et al. 2021, section 2.4).
 */
#ifndef AKIN_MODELS_RESNET_H
#define AKIN_MODELS_RESNET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "models/bind.h"
#include "nn/nn.h"

typedef struct akin_resnet_config {
    size_t blocks[4];  /* bottleneck blocks of each stage: 3, 4, 6, 3 for RN50 */
    size_t width;      /* channels behind the stem; the features have 32 times as many */
    size_t heads;      /* of the attention pooling */
    size_t image;      /* pixels a side; the grid of features is image / 32 */
    size_t dimensions; /* of an embedding */
} akin_resnet_config;

/* Immutable once loaded: share freely. */
typedef struct akin_resnet akin_resnet;

/* Adds the tower's tensors, named prefix + "conv1.weight" and so on, to slots; with `load` makes
 * *tower with their targets (akin_resnet_free), else *tower stays NULL. A tensor
 * *.num_batches_tracked is not one of them: akin_resnet_ignores. */
akin_status akin_resnet_bind(akin_slots *slots, bool load, akin_resnet **tower,
                             const akin_resnet_config *config, const akin_kernels *kernels,
                             bool round_bf16, const char *prefix, akin_error *err);
bool akin_resnet_ignores(const char *name);

/* After akin_bind_load: folds each BatchNorm into its convolution and packs. A variance that is
 * negative, or a folded weight that is not finite, is AKIN_E_NONFINITE naming the tensor. */
akin_status akin_resnet_finish(akin_resnet *tower, const akin_kernels *kernels, akin_pool *pool,
                               akin_error *err);
void akin_resnet_free(akin_resnet *tower); /* takes NULL */

/* Raw projections: pixels [count, 3, image, image]; out [count, dimensions]. */
akin_status akin_resnet_encode(const akin_resnet *tower, const akin_nn *nn, const float *pixels,
                               size_t count, float *out, akin_error *err);

#endif
