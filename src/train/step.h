/* step.h - the gradients of one step: both towers forward, the loss, both towers backward.
 *
 * A batch that does not fit memory is cut into chunks (GradCache, Gao et al. 2021): every vector is
 * computed first and nothing kept, the loss sees them all, then each chunk runs forward again and
 * backward. Transformers give the gradients of the whole batch; BatchNorm's statistics are those of
 * each chunk, and its running ones move once a chunk, as in PyTorch when it is given the chunks.
 */
#ifndef AKIN_TRAIN_STEP_H
#define AKIN_TRAIN_STEP_H

#include "train/loss.h"
#include "train/net.h"

typedef struct akin_step_input {
    size_t count;  /* pairs of the batch */
    size_t chunk;  /* pairs that pass together; 0, or count and more: all at once */

    const float *pixels; /* [count, 3, image_height, image_width] */
    const uint32_t *keep; /* [count, kept], as akin_image_input has it; NULL: every patch */
    size_t kept;
    const int32_t *ids; /* as akin_text_input has them */
    const size_t *starts; /* [count + 1] */

    akin_objective objective;
    float pair_weight;
    const uint32_t *concepts; /* [count], or NULL: as akin_loss_input has them */

    float concept_weight;     /* 0: no prototypes are looked at */
    size_t prototypes;        /* number of their parameter, [n, dimensions] */
    const uint32_t *labels;   /* [count], or NULL */
    float concept_scale, smoothing;
} akin_step_input;

/* Adds to the gradients of net->parameters, those of the prototypes, logit_scale and logit_bias
 * included. `out` is what the loss gives, d_images, d_texts and d_prototypes NULL. With first_bad
 * set nothing goes backward and the gradients are as they were. What is taken from the arena is
 * given back. */
akin_status akin_step_gradients(akin_net *net, const akin_work *work, const akin_step_input *in,
                                akin_loss_output *out, akin_error *err);

#endif
