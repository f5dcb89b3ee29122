/* loss.h - what pulls pairs together and pushes the batch apart, with gradients.
 *
 * Symmetric InfoNCE (Radford et al. 2021), SigLIP's sigmoid loss (Zhai et al. 2023), and concept
 * labels: the cross-entropy of each tower's vectors against one learned prototype a concept, shared
 * by both towers, which starts learning many times sooner. Values are what PyTorch computes for
 * F.normalize, the cross-entropies (mean reduction, label smoothing) and -logsigmoid sums / n.
 */
#ifndef AKIN_TRAIN_LOSS_H
#define AKIN_TRAIN_LOSS_H

#include "train/work.h"

typedef enum akin_objective { AKIN_OBJECTIVE_INFONCE, AKIN_OBJECTIVE_SIGMOID } akin_objective;

typedef struct akin_loss_input {
    akin_objective objective;
    size_t count, dimensions;
    const float *images, *texts; /* [count, dimensions], raw: normalised here */
    const uint32_t *concepts;    /* [count], or NULL: pairs of one concept are not each other's
                                    negatives (their logits are left out) */
    float pair_weight;           /* of InfoNCE or the sigmoid loss */
    float logit_scale;           /* the parameter: exp() of it multiplies cosines */
    float logit_bias;            /* of the sigmoid loss */

    float concept_weight;        /* of the concept loss; 0: none */
    const float *prototypes;     /* [prototype_count, dimensions], raw */
    size_t prototype_count;
    const uint32_t *labels;      /* [count]: prototype of each pair; UINT32_MAX: it has none */
    float concept_scale;         /* multiplies cosines to prototypes: 20 */
    float smoothing;             /* label smoothing: 0.05 */
} akin_loss_input;

typedef struct akin_loss_output {
    double loss;                    /* weighted sum */
    double pair_loss, concept_loss; /* unweighted */
    double correct;                 /* share of pictures whose own text scores highest */
    float *d_images, *d_texts;      /* [count, dimensions], written */
    float *d_prototypes;            /* [prototype_count, dimensions], added to; NULL: not wanted */
    double d_logit_scale, d_logit_bias;
    size_t first_bad;               /* the first pair whose vector or term is not finite; SIZE_MAX:
                                       none */
} akin_loss_output;

/* The concept loss is the mean of both towers' cross-entropies, each over the pairs that have a
 * prototype. d_... are gradients of `loss`. */
akin_status akin_loss_run(const akin_work *work, const akin_loss_input *input,
                          akin_loss_output *output, akin_error *err);

#endif
