/* sampler.h - which pairs a step trains on.
 *
 * A batch is a function of (seed, step): nothing is kept between steps. Pictures are drawn by
 * weight among those whose stage has been reached; of each concept at most one a batch, so that two
 * pictures of one thing are never each other's negatives (with fewer concepts than places the
 * remaining places are drawn freely, and akin_batch.concepts lets the loss mask them). The text is
 * drawn by weight among those of the concept whose stage has been reached. */
#ifndef AKIN_DATASET_SAMPLER_H
#define AKIN_DATASET_SAMPLER_H

#include "dataset/manifest.h"
#include "dataset/random.h"

typedef struct akin_sampler akin_sampler; /* immutable: share freely */

typedef struct akin_pair {
    uint32_t picture, text; /* in the manifest */
} akin_pair;

/* Borrows the manifest. A picture whose concept has no text is left out; AKIN_E_FORMAT when none
 * is left. by_concept: as above; else pictures are drawn without regard to concepts. */
akin_status akin_sampler_new(akin_sampler **out, const akin_manifest *manifest, uint64_t seed,
                             bool by_concept, akin_error *err);
void akin_sampler_free(akin_sampler *sampler); /* takes NULL */

/* stage: the highest one in use. out [count]. */
void akin_sampler_batch(const akin_sampler *sampler, uint64_t step, unsigned stage, akin_pair *out,
                        size_t count);

/* Pictures that can be drawn at that stage. */
size_t akin_sampler_pictures(const akin_sampler *sampler, unsigned stage);

#endif
