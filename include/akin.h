/* akin.h - text and pictures in one vector space: the whole public interface of libakin.
 *
 *     akin_model *model;                      immutable after open: share it between threads freely
 *     akin_session *session;                  scratch memory and threads: one thread at a time
 *     akin_error err;
 *     float vectors[2 * 512];                 2 rows of the model's `dimensions`
 *     const char *texts[] = { "a photo of a cat", "a red car" };
 *
 *     akin_model_open(&model, "clip-vit-base-patch32", NULL, &err);
 *     akin_session_new(&session, model, NULL, &err);
 *     akin_embed_texts(session, texts, NULL, 2, 0, vectors, 2 * 512, &err);
 *
 * Every call that can fail returns an akin_status and fills in the caller's akin_error (which may
 * be NULL). The library never prints, never exits, installs no signal handler and never calls
 * setlocale. Options structs begin with their size: initialise with AKIN_..._OPTIONS_INIT, so that
 * a program compiled against an older header keeps its meaning. Every close and free takes
 * NULL. */
#ifndef AKIN_H
#define AKIN_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "akin_error.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(AKIN_BUILDING)
#define AKIN_API __attribute__((visibility("default")))
#else
#define AKIN_API
#endif

/* "0.1.0". Static. */
AKIN_API const char *akin_version(void);

/* The instruction set that kernels are taken from: the best this processor runs, or the one that
 * the environment variable AKIN_CPU names. Unknown or not supported here: AKIN_E_ARGUMENT with the
 * list. *name is static. */
AKIN_API akin_status akin_isa(const char **name, akin_error *err);

/* ---- Model ---------------------------------------------------------------------------------- */

typedef struct akin_model akin_model;

typedef enum akin_precision {
    AKIN_PRECISION_AUTO = 0, /* bf16 where akin has a kernel for the processor's own bf16 products,
                                f32 elsewhere */
    AKIN_PRECISION_F32 = 1,  /* raw outputs within 1e-4 relative of the PyTorch reference */
    AKIN_PRECISION_BF16 = 2  /* bf16 products, f32 sums: cosine to the reference at least 0.9999 */
} akin_precision;

/* What of a model to load. A query needs no picture tower, `akin tokenize` needs no weights. */
enum {
    AKIN_PART_TOKENIZER = 1,
    AKIN_PART_PREPROCESS = 2,
    AKIN_PART_TEXT = 4 | AKIN_PART_TOKENIZER,
    AKIN_PART_IMAGE = 8 | AKIN_PART_PREPROCESS,
    AKIN_PART_ALL = AKIN_PART_TEXT | AKIN_PART_IMAGE,
    AKIN_PART_WEIGHTS = 16 /* read through and checked, but not kept: to describe a model */
};

typedef struct akin_model_options {
    size_t size;
    akin_precision precision;
    unsigned parts;   /* AKIN_PART_... or'ed; 0: all */
    const char *form; /* "hf" or "open_clip"; NULL: found out */
    int threads;      /* to load with; 0: as many processors as this process may use */
    const char *activation; /* "quick_gelu" or "gelu": of a weights file alone, which does not say;
                               NULL for a folder */
} akin_model_options;
#define AKIN_MODEL_OPTIONS_INIT \
    { sizeof(akin_model_options), AKIN_PRECISION_AUTO, 0, NULL, 0, NULL }

/* Opens the model that `name` names:
 *
 *     a folder        config.json and its weights (the Hugging Face form), or open_clip_config.json
 *                     and its weights. Of a folder with both the former is read, unless
 *                     options->form says otherwise. A folder of sentence-transformers leads to its
 *                     0_CLIPModel, one of the hub's cache to the snapshot in it.
 *     "mini"          the model that comes with akin, in its own places
 *     a file          weights alone, with OpenAI's or open_clip's names for the tensors: its shapes
 *                     say the rest, but for options->activation, without which it is
 *                     AKIN_E_ARGUMENT
 *     a name          "ViT-B/32", "ViT-B-32/laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-...",
 *                     "hf-hub:organisation/name": found in the hub's cache, never fetched
 *                     (docs/formats.md lists the forms)
 *
 * Of the weights every tensor's name and shape is checked, whatever the parts; values are read for
 * the parts asked for. options may be NULL. */
AKIN_API akin_status akin_model_open(akin_model **out, const char *name,
                                     const akin_model_options *options, akin_error *err);
AKIN_API void akin_model_close(akin_model *model);

/* Strings are borrowed: they last as long as the model. */
typedef struct akin_model_info {
    size_t size;
    const char *family;     /* "clip" */
    const char *form;       /* "hf" or "open_clip" */
    const char *weights;    /* path of the weights file or shard index; "" when none was opened */
    const char *isa;        /* "avx2" */
    const char *precision;  /* "f32", "bf16" */
    const char *activation; /* "quick_gelu", "gelu", ... */
    const char *pooling;    /* of texts: "first-eos", "argmax", "first" or "last" */
    int64_t parameters;     /* of the whole checkpoint; 0 when none was opened */
    int dimensions;         /* of an embedding */
    int image_height, image_width;
    int patch;              /* 0 for a ResNet */
    int text_tokens;        /* longest text, start and end tokens included */
    int vocabulary;
    int vision_width, vision_layers, vision_heads, vision_hidden;
    int text_width, text_layers, text_heads, text_hidden;
    double logit_scale;     /* exp() of the stored parameter: what multiplies a cosine; 0 when no
                               tower is loaded */
    const char *vision;     /* "vit" or "resnet" */
    const char *tokenizer;  /* "clip": the folder's files as transformers' CLIPTokenizer reads
                               them; "simple": open_clip's own; "tokenizer.json": the folder's,
                               behind open_clip's cleaning */
    double logit_bias;      /* what is added to a scaled cosine; 0 in most models */
    const char *path;       /* the folder, or the weights file alone, that the name led to */
} akin_model_info;
/* Every field, so that C++ compilers have nothing to warn of. */
#define AKIN_MODEL_INFO_INIT \
    { sizeof(akin_model_info), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, \
      0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, NULL }

/* Fills in the fields that fit in info->size. */
AKIN_API akin_status akin_model_describe(const akin_model *model, akin_model_info *info,
                                         akin_error *err);

/* ---- Session -------------------------------------------------------------------------------- */

typedef struct akin_session akin_session;

typedef struct akin_session_options {
    size_t size;
    int threads;            /* 0: as many processors as this process may use */
    size_t max_file_bytes;  /* largest picture file read; 0: 256 MiB */
    size_t max_memory_bytes; /* most memory one picture may need; 0: 2 GiB */
    /* Called on the calling thread with a line about something that was done but that a person
     * should know: a text was cut, a picture is damaged. NULL: not told. */
    void (*warn)(void *context, const char *message);
    void *warn_context;
    bool lenient; /* take a JPEG that was cut when at least half of its rows are there (a
                     progressive one: in its first scan); what is missing is made up, as grey or as
                     what is near */
} akin_session_options;
#define AKIN_SESSION_OPTIONS_INIT { sizeof(akin_session_options), 0, 0, 0, NULL, NULL, false }

/* The model must outlive the session. */
AKIN_API akin_status akin_session_new(akin_session **out, const akin_model *model,
                                      const akin_session_options *options, akin_error *err);
AKIN_API void akin_session_free(akin_session *session);

/* ---- Embedding ------------------------------------------------------------------------------ */

/* Embeddings are rows of out, float32 [count, dimensions], L2-normalised unless AKIN_RAW.
 * `capacity` is in floats. A row does not depend on its neighbours, on their number or on the
 * thread count. */
enum { AKIN_RAW = 1 };

/* texts[i] is sizes[i] bytes of UTF-8; sizes NULL: NUL-terminated. A text longer than the model
 * takes is cut as the reference cuts it, and told through the session's warn. */
AKIN_API akin_status akin_embed_texts(akin_session *session, const char *const *texts,
                                      const size_t *sizes, size_t count, unsigned flags, float *out,
                                      size_t capacity, akin_error *err);

/* A picture: a file's path, or its bytes (then path is only for messages and may be NULL). */
typedef struct akin_picture_input {
    const char *path;
    const void *bytes;
    size_t size;
} akin_picture_input;

/* errors: NULL, and the first picture that fails fails the call; or [count], and each picture fails
 * or succeeds by itself (errors[i].code; the row of a failed one is zero) while the call reports
 * only what concerns them all. The message of one that succeeds is empty, unless the session is
 * lenient and the picture damaged: "JPEG ends at row 300 of 400: the rest is made up". Without
 * errors, that goes to the session's warn, behind the picture's path. */
AKIN_API akin_status akin_embed_pictures(akin_session *session, const akin_picture_input *pictures,
                                         size_t count, unsigned flags, float *out, size_t capacity,
                                         akin_error *errors, akin_error *err);

/* Pixels as akin_preprocess_picture makes them, [count, 3, image_height, image_width]. */
AKIN_API akin_status akin_embed_pixels(akin_session *session, const float *pixels, size_t count,
                                       unsigned flags, float *out, size_t capacity,
                                       akin_error *err);

/* ---- What the model really sees ------------------------------------------------------------- */

/* Token ids of a text, start and end included, cut to the model's length (then *cut, may be NULL,
 * is true), never padded. `capacity` of ids is at least the model's text_tokens, however short the
 * text. */
AKIN_API akin_status akin_tokenize(const akin_model *model, const char *text, size_t size,
                                   int32_t *ids, size_t capacity, size_t *count, bool *cut,
                                   akin_error *err);

/* The tensor of a picture, float32 [3, *height, *width]: what preprocessor_config.json makes,
 * whether or not the model takes that size. AKIN_E_CAPACITY has set *height and *width to what is
 * needed. That a picture is damaged (lenient) goes to the session's warn. */
AKIN_API akin_status akin_preprocess_picture(akin_session *session,
                                             const akin_picture_input *picture, float *out,
                                             size_t capacity, int *height, int *width,
                                             akin_error *err);

/* ---- Zero-shot classification --------------------------------------------------------------- */

/* A named set of templates with one "{}" each: "openai-80" (the ImageNet ensemble), "openai-7" (its
 * published subset), "simple" ("a photo of a {}"). Static. AKIN_E_ARGUMENT lists the names. */
AKIN_API akin_status akin_templates(const char *name, const char *const **templates, size_t *count,
                                    akin_error *err);

/* One unit vector a label, out [label_count, dimensions]: each template is filled in, embedded and
 * normalised; the mean over templates is normalised again. A template without exactly one "{}" is
 * AKIN_E_ARGUMENT. */
AKIN_API akin_status akin_embed_labels(akin_session *session, const char *const *labels,
                                       size_t label_count, const char *const *templates,
                                       size_t template_count, float *out, size_t capacity,
                                       akin_error *err);

/* Probabilities of labels for a unit picture vector: softmax(logit_scale * cosine); of a model with
 * a logit bias (trained with the sigmoid loss, as SigLIP) sigmoid(logit_scale * cosine +
 * logit_bias), each label by itself, so that they do not add up to 1. out [label_count]. labels:
 * [label_count, dimensions], as akin_embed_labels makes them. */
AKIN_API akin_status akin_classify(const akin_model *model, const float *picture,
                                   const float *labels, size_t label_count, float *out,
                                   size_t capacity, akin_error *err);

/* ---- Training ------------------------------------------------------------------------------- */

typedef enum akin_loss {
    AKIN_LOSS_INFONCE = 0, /* CLIP's: of a batch, each picture's own text among all, and back */
    AKIN_LOSS_SIGMOID = 1  /* SigLIP's: each pair by itself, right or wrong; open_clip form */
} akin_loss;

struct akin_train_progress;

/* What akin_train does: docs/training.md says what each is for. 0, NULL and NaN: the default. */
typedef struct akin_train_options {
    size_t size;
    const char *manifest;  /* pictures and their texts: a file, or a folder with captions */
    const char *held_out;  /* another, to measure recall on; NULL: */
    double hold_out;       /* measure on this share of the manifest's concepts, not trained on; 0:
                              nothing is measured */
    const char *output;    /* folder for the model, metrics.jsonl and training/ */
    const char *config;    /* from scratch: a folder with open_clip_config.json, tokenizer.json */
    const char *from;      /* or a model to begin with */
    const char *form;      /* of `from`: as in akin_model_options */
    bool projections;      /* train the projections alone */
    uint64_t steps;        /* or: */
    double epochs;         /* passes over the pictures; one of the two */
    size_t batch;          /* 128 */
    size_t chunk;          /* pairs that pass through the towers together: less memory, the same
                              loss; 0: the batch */
    double rate;           /* 1e-3 from scratch, 1e-5 from a model */
    uint64_t warmup;       /* steps; UINT64_MAX: a twentieth of all, at most 2000 */
    double decay, beta1, beta2, clip; /* 0.1, 0.9, 0.98, 1 */
    akin_loss loss;
    bool fixed_temperature;
    double temperature;    /* the first one: 0.07 is 1/0.07 times a cosine */
    bool concepts;         /* warm start by concept: a learned prototype for each, shared by both
                              towers, whose loss fades into the pairs' */
    double concept_floor;  /* the weight it keeps: 0.2 */
    double patches;        /* share of the patches that a picture keeps: 1 */
    const double *stages;  /* [i]: from which share of the steps on rows of stage i are used */
    size_t stage_count;    /* 0: all from the start */
    bool any_batch;        /* batches may hold several pictures of a concept */
    double augment;        /* 0 (none) to 1; NaN: 1 from scratch, 0.3 from a model */
    uint64_t seed;
    uint64_t every;        /* steps between measurements; 0: 20 times a training */
    unsigned patience;     /* stop after so many without a better one; 0: never */
    double save_seconds;   /* between checkpoints: 600 */
    bool resume;           /* go on with what was interrupted in `output` */
    bool f16;              /* write weights in half precision */
    akin_precision precision; /* of products; sums and weights are always f32. AUTO: bf16 where the
                                 processor multiplies it, else f32 */
    int threads;           /* 0: as many as processors */
    int loaders;           /* threads that read and change pictures; 0: as many as threads */
    size_t cache_bytes;    /* for decoded pictures: 4 GiB */
    size_t max_file_bytes, max_memory_bytes; /* as in akin_session_options */
    void *context;
    void (*progress)(void *context, const struct akin_train_progress *progress);
    void (*skipped)(void *context, const akin_error *why); /* a picture; from another thread */
    void (*warn)(void *context, const char *message);
    bool (*stop)(void *context); /* between steps; true: write a checkpoint, return
                                    AKIN_E_STOPPED */
} akin_train_options;
#define AKIN_TRAIN_OPTIONS_INIT \
    { sizeof(akin_train_options), NULL, NULL, 0, NULL, NULL, NULL, NULL, false, 0, 0, 0, 0, 0, \
      UINT64_MAX, (double)NAN, (double)NAN, (double)NAN, (double)NAN, AKIN_LOSS_INFONCE, false, 0, \
      false, (double)NAN, 0, NULL, 0, false, (double)NAN, 0, 0, 0, 0, false, false, \
      AKIN_PRECISION_AUTO, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL }

/* After each step. */
typedef struct akin_train_progress {
    uint64_t step, steps;   /* done, of */
    double loss, pair_loss, concept_loss;
    double correct;         /* share of the batch's pictures whose own text scores highest */
    double temperature, rate, gradient_norm;
    double pairs_per_second, seconds, seconds_left;
    double waited;          /* share of the time spent waiting for pictures */
    bool measured;
    double text_to_picture[3], picture_to_text[3]; /* recall at 1, 5, 10 on `held_out` */
} akin_train_progress;

typedef struct akin_train_report {
    size_t size;
    uint64_t steps;         /* done in all, those before a resumption included */
    double seconds;
    double best;            /* mean of both recalls at 1; NaN: not measured */
    uint64_t best_step;
    bool early;             /* stopped by `patience` */
    int64_t parameters, trained;
    const char *precision;  /* "f32" or "bf16"; static */
} akin_train_report;
#define AKIN_TRAIN_REPORT_INIT \
    { sizeof(akin_train_report), 0, 0, 0, 0, false, 0, 0, NULL }

/* Trains a CLIP. The model in `output` is the best on held_out, or without one that of the last
 * checkpoint, in the form of what it began with: every akin_model_open reads it, and so does the
 * form's reference. *report may be NULL. */
AKIN_API akin_status akin_train(const akin_train_options *options, akin_train_report *report,
                                akin_error *err);

/* Steps of training over made-up pairs, to measure what they cost: both towers forward and
 * backward, InfoNCE, AdamW. One thread at a time. */
typedef struct akin_train_trial akin_train_trial;

typedef struct akin_train_trial_options {
    size_t size;
    size_t batch, chunk; /* as in akin_train_options */
    size_t tokens;       /* of each text, start and end included; 0: 16 */
    akin_precision precision;
    int threads;         /* 0: as many processors as this process may use */
} akin_train_trial_options;
#define AKIN_TRAIN_TRIAL_OPTIONS_INIT \
    { sizeof(akin_train_trial_options), 128, 0, 0, AKIN_PRECISION_AUTO, 0 }

/* Of the model only the configuration counts: values are drawn. It must outlive the trial. */
AKIN_API akin_status akin_train_trial_new(akin_train_trial **out, const akin_model *model,
                                          const akin_train_trial_options *options,
                                          akin_error *err);
AKIN_API void akin_train_trial_free(akin_train_trial *trial);

/* One step; *loss may be NULL. */
AKIN_API akin_status akin_train_trial_run(akin_train_trial *trial, double *loss, akin_error *err);

/* "f32" or "bf16": of its products. Static. */
AKIN_API const char *akin_train_trial_precision(const akin_train_trial *trial);

/* ---- Collections ---------------------------------------------------------------------------- */

/* A folder of pictures, indexed: items (paths), their vectors and what is known of them, durable on
 * disk (docs/formats.md). Any number of readers and one writer, in any processes. One thread at a
 * time. */
typedef struct akin_collection akin_collection;

/* Where collections are: `db`, else the environment's AKIN_DB, else a .akin/ in the working folder
 * or a parent of it, else akin/ in XDG_DATA_HOME or ~/.local/share. The first of those that exists,
 * into out; with `make`, when none does, the one to make, which is the last (here: .akin/ in the
 * working folder, whatever else there is). AKIN_E_NOT_FOUND lists the places tried. */
AKIN_API akin_status akin_collections_find(const char *db, bool make, bool here, char *out,
                                           size_t capacity, akin_error *err);

typedef enum akin_stored {
    AKIN_STORED_F16 = 1, /* half the bytes; adds 2e-5 to a score */
    AKIN_STORED_F32 = 2
} akin_stored;

typedef struct akin_collection_options {
    size_t size;
    bool write;              /* takes the writer's lock: AKIN_E_BUSY names who holds it */
    double wait;             /* seconds to wait for it */
    const akin_model *model; /* with write: made with this model when it is not there; NULL:
                                AKIN_E_NOT_FOUND */
    akin_stored stored;      /* of a collection that is made; 0: f16 */
} akin_collection_options;
#define AKIN_COLLECTION_OPTIONS_INIT \
    { sizeof(akin_collection_options), false, 0, NULL, (akin_stored)0 }

/* db: a folder that akin_collections_find found; name: "images". options NULL: to read. */
AKIN_API akin_status akin_collection_open(akin_collection **out, const char *db, const char *name,
                                          const akin_collection_options *options, akin_error *err);
AKIN_API void akin_collection_close(akin_collection *collection);

/* Strings are borrowed until the next call with this collection. */
typedef struct akin_collection_info {
    size_t size;
    const char *path;         /* its folder */
    const char *model_name, *model_path, *model_identity;
    const char *model_form;   /* "hf", "open_clip"; of a weights file alone "open_clip:" and its
                                 activation */
    int dimensions;
    akin_stored stored;
    int format;
    const char *created;      /* "2026-11-23T21:04:05Z" */
    const char *base;         /* paths below it are stored relative to it; "" when none are */
    size_t items, missing, hidden, skipped; /* items: those that are searched */
    size_t vectors, dead;     /* dead: vectors no item has */
    size_t segments;
    uint64_t vector_bytes, database_bytes, reclaimable_bytes;
    const char *building;     /* model that akin_reindex is making vectors of, or NULL */
    size_t built;
    const char *advice;       /* about where it lies (a network file system), or NULL */
    bool photographs;         /* a picture says which camera took it */
} akin_collection_info;
#define AKIN_COLLECTION_INFO_INIT \
    { sizeof(akin_collection_info), NULL, NULL, NULL, NULL, NULL, 0, (akin_stored)0, 0, NULL, \
      NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, false }
AKIN_API akin_status akin_collection_describe(akin_collection *collection,
                                              akin_collection_info *info, akin_error *err);
/* The same at once, whatever the size, without what must be counted: the path, the model, the
 * advice and whether there are photographs; the rest is 0. */
AKIN_API akin_status akin_collection_glance(akin_collection *collection,
                                            akin_collection_info *info, akin_error *err);

/* Files that could not be indexed, why and when (seconds since 1970). */
AKIN_API akin_status akin_collection_skipped(akin_collection *collection,
                                             void (*each)(void *context, const akin_error *why,
                                                          int64_t time),
                                             void *context, akin_error *err);

/* Hexadecimal SHA-256 of what decides a model's vectors: its weights, configuration, tokenizer and
 * preprocessing; not where it lies, not the precision. Reading the weights is remembered by device,
 * inode, size, mtime and ctime in AKIN_HOME (XDG_CACHE_HOME/akin, ~/.cache/akin). */
AKIN_API akin_status akin_model_identity(const akin_model *model, char out[65], akin_error *err);

/* ---- Indexing ------------------------------------------------------------------------------- */

typedef struct akin_index_progress {
    size_t done, total; /* files; done begins at those that need nothing */
    size_t indexed;     /* in this run */
    double seconds;     /* since the first of them was begun */
} akin_index_progress;

typedef struct akin_index_options {
    size_t size;
    int workers;              /* each decodes and embeds on its own core; 0: one a processor */
    size_t max_file_bytes, max_memory_bytes; /* as in akin_session_options */
    bool lenient;
    const char *const *exclude; /* globs, as in .akinignore */
    size_t exclude_count;
    bool include_hidden;      /* names that begin with a dot too */
    bool prune;               /* items whose files are gone are marked missing, however many */
    bool dry_run;             /* nothing is written */
    double frame_seconds;     /* between frames of a video; 0: videos are left alone */
    void *context;
    void (*progress)(void *context, const akin_index_progress *progress);
    void (*skipped)(void *context, const akin_error *why); /* a file that could not be indexed */
    void (*note)(void *context, const akin_error *what);   /* one that was, and what is odd in it */
    bool (*stop)(void *context); /* asked from any thread; true: finish what was begun and commit */
} akin_index_options;
#define AKIN_INDEX_OPTIONS_INIT \
    { sizeof(akin_index_options), 0, 0, 0, false, NULL, 0, false, false, \
      false, 10, NULL, NULL, NULL, NULL, NULL }

typedef struct akin_index_report {
    size_t size;
    size_t indexed;        /* vectors computed in this run */
    size_t unchanged, moved;
    size_t returned;       /* were missing or hidden, and are back */
    size_t missing;        /* newly marked so */
    size_t hidden;         /* newly left out by a rule */
    size_t skipped;        /* told through options->skipped */
    size_t skipped_before; /* in the skip list, unchanged: not told again */
    size_t duplicates;     /* paths more whose content was known */
    size_t kept;           /* items that stay although their files are gone: see akin_index */
    size_t new_files, changed_files; /* of a dry run: what it would read */
    double seconds;
} akin_index_report;
#define AKIN_INDEX_REPORT_INIT \
    { sizeof(akin_index_report), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Makes the collection say what is at `paths` (folders, with everything below them, and files).
 * Unchanged files are not read again. An item whose file is gone is marked missing, its vector is
 * kept - unless the folder is missing, empty, unreadable or on another device, or more than half of
 * its items (and more than 20) would go: then nothing goes, everything else is done, and the call
 * fails with the reason (options->prune: they go). AKIN_E_STOPPED when stop() said so. The model
 * must be the collection's (AKIN_E_ARGUMENT otherwise), with AKIN_PART_PREPROCESS at least: its
 * picture tower is then loaded when there is a first picture to embed. A dry run needs no model,
 * and a collection only if there is one: both may be NULL. *report, which may be NULL, is right in
 * all cases. */
AKIN_API akin_status akin_index(akin_collection *collection, const akin_model *model,
                                const char *const *paths, size_t count,
                                const akin_index_options *options, akin_index_report *report,
                                akin_error *err);

/* Follows folders for ever: akin_index once, then again whenever something changes there, each pass
 * with the writer's lock taken anew (a collection that is open for writing elsewhere in this
 * program would hold it). `mode` is told once how it follows them, `passed` about every pass,
 * failed ones included. Returns when options->stop says so, with AKIN_OK. */
AKIN_API akin_status akin_watch(const char *db, const char *name,
                                const akin_collection_options *collection_options,
                                const akin_model *model, const char *const *paths, size_t count,
                                const akin_index_options *options,
                                void (*mode)(void *context, const char *text),
                                void (*passed)(void *context, const akin_index_report *report,
                                               const akin_error *err),
                                akin_error *err);

/* Vectors of another model for the whole collection, beside the old ones, which answer meanwhile;
 * then the swap. Stopped or killed it goes on where it was. Nothing is swapped while a drive seems
 * to be away, as in akin_index. stored 0: as the old ones. */
AKIN_API akin_status akin_reindex(akin_collection *collection, const akin_model *model,
                                  akin_stored stored, const akin_index_options *options,
                                  akin_index_report *report, akin_error *err);

/* ---- Searching ------------------------------------------------------------------------------ */

typedef struct akin_query {
    size_t size;
    const char *text;         /* NULL: none */
    const char *not_text;     /* away from this */
    akin_picture_input image; /* path or bytes; both NULL: none */
    double weight;            /* of the image when there is a text too: 0 to 1 */
    size_t k, offset;
    bool with_self;           /* keep the query picture, when its path is an item */
    const char *after, *before, *where; /* filters: docs/search.md; NULL: none */
    const char *const *folders; /* below one of them; relative ones from the working folder */
    size_t folder_count;
    const char *const *exts;
    size_t ext_count;
    double min_score, min_z, relative; /* NaN: not asked */
} akin_query;
#define AKIN_QUERY_INIT \
    { sizeof(akin_query), NULL, NULL, { NULL, NULL, 0 }, 0.5, 10, 0, false, NULL, NULL, NULL, \
      NULL, 0, NULL, 0, (double)NAN, (double)NAN, (double)NAN }

typedef struct akin_hit {
    int64_t id;
    const char *path;      /* absolute, bytes */
    size_t path_size;
    float score;           /* cosine */
    double z;              /* (score - mean) / deviation over the collection; NaN: undefined */
    const char *metadata;  /* a JSON object */
    int64_t part;          /* of a video: the frame's time in milliseconds; else -1 */
} akin_hit;

typedef enum akin_match {
    AKIN_MATCH_UNKNOWN = 0, /* fewer than 100 items: no verdict */
    AKIN_MATCH_CLEAR = 1,
    AKIN_MATCH_UNCLEAR = 2  /* the best z is what chance alone reaches among so many */
} akin_match;

typedef struct akin_hits {
    size_t size;
    akin_hit *hits;
    size_t count;
    size_t items;           /* live items of the collection */
    double mean, deviation; /* of their scores for this query */
    double best_z, threshold;
    akin_match match;
} akin_hits;

/* The k best, best first, equal scores by ascending id; fewer is an answer. session: over the
 * collection's model (AKIN_E_ARGUMENT otherwise), with the parts that the query needs; NULL when
 * akin_query_parts says that none is needed. akin_hits_free(*out). */
AKIN_API akin_status akin_search(akin_collection *collection, akin_session *session,
                                 const akin_query *query, akin_hits **out, akin_error *err);
AKIN_API void akin_hits_free(akin_hits *hits);

/* AKIN_PART_... that the query needs of the model: 0 when it is a picture of the collection alone,
 * whose stored vector answers. */
AKIN_API akin_status akin_query_parts(akin_collection *collection, const akin_query *query,
                                      unsigned *parts, akin_error *err);

/* Hits as one HTML page with thumbnails inside, whole or not at all. */
AKIN_API akin_status akin_hits_write_html(const akin_hits *hits, const char *title,
                                          const akin_session_options *limits, const char *path,
                                          akin_error *err);

/* Vectors of length 1 that were made up, in memory, and an exact search over them with all that
 * akin_search does for its scores: to measure what that costs. One thread at a time. */
typedef struct akin_search_trial akin_search_trial;

typedef struct akin_search_trial_options {
    size_t size;
    size_t rows;
    int dimensions;
    akin_stored stored; /* 0: f16 */
    int threads;        /* 0: as many processors as this process may use */
} akin_search_trial_options;
#define AKIN_SEARCH_TRIAL_OPTIONS_INIT \
    { sizeof(akin_search_trial_options), 1000000, 512, (akin_stored)0, 0 }

AKIN_API akin_status akin_search_trial_new(akin_search_trial **out,
                                           const akin_search_trial_options *options,
                                           akin_error *err);
AKIN_API void akin_search_trial_free(akin_search_trial *trial);

/* Scores of all rows for a query that no run had before, their statistics, and the k best, of which
 * *found (may be NULL) tells how many there are. */
AKIN_API akin_status akin_search_trial_run(akin_search_trial *trial, size_t k, size_t *found,
                                           akin_error *err);

/* ---- Looking after a collection -------------------------------------------------------------- */

/* Checks everything there is and tells each fault. repair needs a collection opened for writing.
 * *faults were found, *repaired of them are no more. */
AKIN_API akin_status akin_collection_verify(akin_collection *collection, bool repair,
                                            void (*tell)(void *context, const char *path,
                                                         const char *message, bool repaired),
                                            void *context, size_t *faults, size_t *repaired,
                                            akin_error *err);
/* Gives the space of replaced vectors back; missing: items marked missing or hidden are dropped
 * first. */
AKIN_API akin_status akin_collection_compact(akin_collection *collection, bool missing,
                                             uint64_t *reclaimed, akin_error *err);
/* A second collection with the same content, in the folder db/name, which must not be there. */
AKIN_API akin_status akin_collection_copy(akin_collection *collection, const char *db,
                                          const char *name, akin_error *err);
/* vectors.npy, items.jsonl and collection.json in a new folder; and back, into a collection that is
 * made when it is not there. */
AKIN_API akin_status akin_collection_export(akin_collection *collection, const char *folder,
                                            akin_error *err);
AKIN_API akin_status akin_collection_import(const char *db, const char *name, const char *folder,
                                            size_t *added, akin_error *err);

/* ---- Evaluation ------------------------------------------------------------------------------ */

typedef struct akin_eval_options {
    size_t size;
    const char *language;         /* only its texts; NULL: all */
    const char *const *templates; /* around labels, "{}" each; none: the texts as they are */
    size_t template_count;
    bool no_zero_shot;
    size_t batch;                 /* pictures embedded together; 0: 64 */
    void *context;
    void (*progress)(void *context, size_t done, size_t total); /* texts and pictures */
    void (*skipped)(void *context, const akin_error *why);      /* a picture that was left out */
    bool (*stop)(void *context); /* asked between batches; true: AKIN_E_STOPPED */
} akin_eval_options;
#define AKIN_EVAL_OPTIONS_INIT \
    { sizeof(akin_eval_options), NULL, NULL, 0, false, 0, NULL, NULL, NULL, NULL }

/* Shares from 0 to 1: a query counts when one of its concept is among the first 1, 5, 10. Of equal
 * scores, the mean over their orders. */
typedef struct akin_eval_recall {
    size_t queries;
    double at1, at5, at10;
    double median_rank; /* from 1 */
} akin_eval_recall;

typedef struct akin_eval_row {
    const char *language; /* as in the manifest, "" unknown; NULL: all of them */
    size_t texts, labels;
    akin_eval_recall text_to_picture, picture_to_text;
    size_t classified;    /* pictures whose concept has a label in it */
    double top1, top5;    /* shares of them, among the language's labels */
    double chance;        /* of top1 */
} akin_eval_row;

/* Equal scores are against a class and a picture. */
typedef struct akin_eval_concept {
    const char *concept;      /* as in the manifest; "" for a row that is its own */
    const char *label;        /* its first text in the table's language */
    size_t pictures;
    size_t top1, top5;        /* right ones of them */
    const char *taken_for[3]; /* labels of those it was taken for most often; NULL: no more */
    size_t taken[3];
} akin_eval_concept;

typedef struct akin_eval_found {
    const char *path;
    const char *label, *best; /* its own, and the one that scores highest */
    double rank;              /* of its own, from 1 */
    float own, top;           /* their cosines */
} akin_eval_found;

typedef struct akin_evaluation {
    size_t size;
    size_t pictures, skipped, texts, concepts; /* skipped: of the pictures */
    const akin_eval_row *rows; /* all languages first, then each of those that have texts */
    size_t row_count;
    const char *table_language; /* of what follows: the one asked for, or that with most labels;
                                   NULL when nothing was classified */
    const akin_eval_concept *classes; /* in the manifest's order, those with pictures */
    size_t class_count;
    const akin_eval_found *found; /* pictures, likewise */
    size_t found_count;
} akin_evaluation;

/* How well a model's vectors of a manifest's pictures and texts find each other: retrieval in both
 * directions and zero-shot classification, by language and by class (docs/eval.md defines each
 * number and the manifest's form). A label's vector is the mean over the texts of its concept and
 * language that have the largest weight. Pictures that cannot be read are told and left out. The
 * session's model has both towers. akin_evaluation_free(*out), whose strings are borrowed from it.
 */
AKIN_API akin_status akin_evaluate(akin_session *session, const char *manifest,
                                   const akin_eval_options *options, akin_evaluation **out,
                                   akin_error *err);
AKIN_API void akin_evaluation_free(akin_evaluation *evaluation);

/* It as one HTML page with thumbnails inside, whole or not at all. */
AKIN_API akin_status akin_evaluation_write_html(const akin_evaluation *evaluation,
                                                const char *title,
                                                const akin_session_options *limits,
                                                const char *path, akin_error *err);

/* A training's metrics (JSON lines, as akin train writes them) as one SVG picture: loss,
 * temperature, rate and recall over steps. Whole or not at all. */
AKIN_API akin_status akin_train_plot(const char *metrics, const char *path, akin_error *err);

#ifdef __cplusplus
}
#endif
#endif
