/* zeroshot.h - prompt templates, and label vectors from them.
 *
 * Reference: open_clip 3.3.0 zero_shot_metadata.py (OpenAI's ImageNet templates) and
 * zero_shot_classifier.py: each filled-in template is embedded and normalised, the mean over the
 * templates is normalised again.
 */
#ifndef AKIN_MODELS_ZEROSHOT_H
#define AKIN_MODELS_ZEROSHOT_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* The set called `name`: "openai-80", "openai-7" or "simple". Static. */
akin_status akin_template_set(const char *name, const char *const **templates, size_t *count,
                              akin_error *err);

/* Appends `template` with its one "{}" replaced by label. */
akin_status akin_template_fill(const char *template, const char *label, akin_buffer *out,
                               akin_error *err);

/* x / |x| over n, in place. AKIN_E_NONFINITE when the length is 0 or not finite. */
akin_status akin_normalize(float *x, size_t n, akin_error *err);

/* Mean of `count` unit vectors [count, n], normalised, into out [n]. */
akin_status akin_mean_direction(const float *vectors, size_t count, size_t n, float *out,
                                akin_error *err);

/* out[i] = softmax over i of scale * (picture . labels[i]); labels [count, n]. */
void akin_label_probabilities(const float *picture, const float *labels, size_t count, size_t n,
                              double scale, float *out);

/* out[i] = 1 / (1 + exp(-(scale * (picture . labels[i]) + bias))): of a model trained with the
 * sigmoid loss (SigLIP), each label by itself. Reference: open_clip 3.3.0 CLIP.get_logits, whose
 * logits are what SigLipLoss takes the sigmoid of. */
void akin_label_sigmoids(const float *picture, const float *labels, size_t count, size_t n,
                         double scale, double bias, float *out);

#endif
