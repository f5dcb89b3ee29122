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

/* Probabilities of labels for a unit picture vector: softmax(logit_scale * cosine), out
 * [label_count]. labels: [label_count, dimensions], as akin_embed_labels makes them. */
AKIN_API akin_status akin_classify(const akin_model *model, const float *picture,
                                   const float *labels, size_t label_count, float *out,
                                   size_t capacity, akin_error *err);

#ifdef __cplusplus
}
#endif
#endif
