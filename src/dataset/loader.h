/* loader.h - batches made ready ahead of the trainer, in threads of their own: read, decode,
 * augment, tokenize.
 *
 * Decoded pictures, shrunk to what augmentation can use, are kept in memory up to a budget: a
 * folder of small artwork is decoded once, what does not fit each time it is drawn. A picture that
 * cannot be read is told once and another one of the batch's stream takes its place (the batch
 * stays a function of seed and step as long as the files do not change). Pictures of kind photo
 * stand behind a quarter of the artwork and icons.
 */
#ifndef AKIN_DATASET_LOADER_H
#define AKIN_DATASET_LOADER_H

#include "dataset/augment.h"
#include "dataset/sampler.h"
#include "image/preprocess.h"
#include "text/tokenizer.h"

typedef struct akin_loader akin_loader; /* one thread at a time */

/* Everything borrowed, and must outlive the loader. */
typedef struct akin_loader_options {
    const akin_manifest *manifest;
    const akin_sampler *sampler;
    size_t batch;
    int height, width;             /* of the model's pictures */
    const akin_preprocess *preprocess; /* with augment.strength 0: exactly what inference sees;
                                          else its mean and std */
    akin_augment augment;
    uint64_t seed;
    const akin_tokenizer *tokenizer;
    int32_t text_tokens;           /* the longest text, cut as the tokenizer does */
    int threads;                   /* >= 1 */
    size_t cache_bytes;            /* of decoded pictures */
    akin_picture_options limits;
    /* Called from a loader thread, one at a time: a picture that could not be read. */
    void (*skipped)(void *context, const char *path, const akin_error *error);
    void *context;
    unsigned (*stage)(void *context, uint64_t step); /* the highest stage in use at that step; a
                                                        pure function; NULL: all */
} akin_loader_options;

/* A batch; borrowed until the next call of akin_loader_next. */
typedef struct akin_batch {
    uint64_t step;
    size_t count;
    const float *pixels;      /* [count, 3, height, width] */
    const int32_t *ids;       /* the texts' tokens one behind the other */
    const size_t *starts;     /* [count + 1] */
    const uint32_t *concepts; /* [count] */
    const akin_pair *pairs;   /* [count]: as drawn, after replacements */
    size_t cut;               /* texts longer than the model takes */
    double waited;            /* seconds the caller waited for it */
} akin_batch;

/* Begins to load at `step`. */
akin_status akin_loader_start(akin_loader **out, const akin_loader_options *options, uint64_t step,
                              akin_error *err);

/* The next step's batch. Fails when no picture of a whole batch could be read, or memory runs
 * out. */
akin_status akin_loader_next(akin_loader *loader, akin_batch *out, akin_error *err);
void akin_loader_stop(akin_loader *loader); /* waits for its threads; takes NULL */

#endif
