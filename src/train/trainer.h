/* trainer.h - one training, from the first step to the last: batches, losses, steps, measurements,
 * checkpoints.
 *
 * A step is a function of the seed, its number and the parameters, so that a training that was
 * killed and resumed gives the losses of one that was not, to the last bit. Writes into the folder
 * `output`: the model (its weights replaced whole whenever the held-out measure is the best so far,
 * without one at each checkpoint), metrics.jsonl, and training/state.safetensors.
 */
#ifndef AKIN_TRAIN_TRAINER_H
#define AKIN_TRAIN_TRAINER_H

#include "dataset/augment.h"
#include "image/preprocess.h"
#include "models/clip_config.h"
#include "text/tokenizer.h"
#include "train/loss.h"
#include "train/optimizer.h"

enum { AKIN_MOST_STAGES = 8 };

typedef enum akin_train_scope {
    AKIN_TRAIN_FRESH,      /* all of it, from fresh values */
    AKIN_TRAIN_WHOLE,      /* all of it, from the source's weights */
    AKIN_TRAIN_PROJECTIONS /* the projections, temperature and bias, from the source's weights */
} akin_train_scope;

/* What a training is. Everything is borrowed. */
typedef struct akin_train_plan {
    const char *source;                /* the model's folder: configuration, tokenizer, weights */
    const akin_clip_config *config;    /* read from it, as are the next three */
    const akin_tokenizer *tokenizer;
    const akin_preprocess *preprocess;
    int32_t text_tokens;
    akin_train_scope scope;
    const char *output;                /* folder to write */
    const char *manifest;
    const char *held_out;              /* another manifest, to measure on; NULL: */
    double hold_out;                   /* share of the manifest's concepts to hold out; 0: none, and
                                          nothing is measured */

    uint64_t steps;          /* 0: as many as `epochs` make */
    double epochs;           /* passes over the pictures */
    size_t batch;
    size_t chunk;            /* pairs that pass through the towers together; 0: the batch */
    akin_schedule schedule;  /* its steps are filled in; a warmup of UINT64_MAX: a twentieth of
                                them, at most 2000 */
    akin_adamw adamw;
    double clip;             /* largest norm of the gradient; 0: no limit */
    akin_objective objective;
    bool fixed_scale;        /* the temperature stays as it is */
    double scale;            /* its first value, as what multiplies a cosine; 0: the source's */
    /* The concept loss has weight 1 at the first step, falls linearly to `concept_floor` when
     * `concept_until` of the steps are done, and stays there; the pair loss has what is missing to
     * 1 + concept_floor. concepts false: the pair loss alone, with weight 1. */
    bool concepts;
    double concept_floor, concept_until;
    double concept_scale, smoothing;
    double keep;             /* share of the patches that a picture keeps (ViT alone); 1: all */
    double stages[AKIN_MOST_STAGES]; /* stage i is used from this share of the steps on;
                                        stages[0] is 0 */
    size_t stage_count;      /* 0: all from the start */
    bool by_concept;         /* batches hold at most one picture a concept */
    akin_augment augment;
    uint64_t seed;
    bool f16;                /* weights are written so */

    uint64_t every;          /* steps between measurements on held_out; 0: 20 times in all */
    unsigned patience;       /* measurements without a better one before it stops; 0: never */
    double save_seconds;     /* between checkpoints */
    bool resume;             /* go on from training/state.safetensors, which must be there */

    const akin_kernels *kernels;
    bool bf16;
    int threads, loaders;
    size_t cache_bytes;
    akin_picture_options limits;
} akin_train_plan;

/* What a step was like, told after each. */
typedef struct akin_train_step {
    uint64_t step, steps;        /* done, of */
    double loss, pair_loss, concept_loss, correct;
    double scale, rate, norm;    /* what multiplied cosines; of the gradient, before clipping */
    double pairs_per_second;     /* over the last steps */
    double seconds, seconds_left;
    double waited;               /* share of the time spent waiting for pictures */
    bool measured;
    double text_to_picture[3], picture_to_text[3]; /* recall at 1, 5, 10 on held_out */
} akin_train_step;

typedef struct akin_train_listener {
    void *context;
    void (*step)(void *context, const akin_train_step *step);
    void (*skipped)(void *context, const akin_error *why); /* a picture; from another thread */
    void (*warn)(void *context, const char *message); /* the loss sits still, captions repeat, ... */
    bool (*stop)(void *context); /* asked between steps; true: write a checkpoint and return */
} akin_train_listener;

typedef struct akin_train_result {
    uint64_t steps;      /* done, those before a resumption included */
    double seconds;
    double best;         /* mean of both recalls at 1 on held_out; NaN: not measured */
    uint64_t best_step;
    bool early;          /* stopped by `patience` */
    size_t parameters, trained; /* of the model; that learn */
} akin_train_result;

/* AKIN_E_STOPPED when stop() said so: the checkpoint is written. AKIN_E_NONFINITE names step and
 * picture, and leaves the last checkpoint as it was. */
akin_status akin_train_run(const akin_train_plan *plan, const akin_train_listener *listener,
                           akin_train_result *result, akin_error *err);

#endif
