/* handles.h - what the opaque types of akin.h are made of. */
#ifndef AKIN_API_HANDLES_H
#define AKIN_API_HANDLES_H

#include "akin.h"
#include "base/arena.h"
#include "base/thread.h"
#include "image/preprocess.h"
#include "models/clip.h"
#include "store/store.h"
#include "text/tokenizer.h"

struct akin_model {
    char *name;     /* as it was asked for; owned */
    char *path;     /* the folder or weights file that the name led to; owned */
    unsigned parts; /* AKIN_PART_... that were loaded */
    const akin_kernels *kernels;
    akin_precision precision; /* never AUTO */
    akin_clip_config config;
    akin_clip *clip;            /* NULL without a tower */
    akin_tokenizer *tokenizer;  /* NULL without AKIN_PART_TOKENIZER */
    akin_preprocess preprocess;
    int32_t text_tokens; /* longest text: of the model, or the tokenizer's own limit if lower */
};

struct akin_session {
    const akin_model *model;
    akin_pool *pool;
    akin_arena arena;
    akin_picture_options limits;
    void (*warn)(void *context, const char *message);
    void *warn_context;
};

struct akin_collection {
    akin_store *store;
};

/* What a session may spend on a picture, from its options. */
akin_picture_options akin_session_limits(const akin_session_options *options);

/* Whether the model takes what preprocessing makes of the picture; AKIN_E_CONFIG otherwise. */
akin_status akin_model_takes(const akin_model *model, const akin_picture *picture, const char *path,
                             akin_error *err);

/* Whether training multiplies in bf16 when this is asked for. */
static inline bool akin_trains_in_bf16(akin_precision asked, const akin_kernels *kernels)
{
    return asked == AKIN_PRECISION_BF16 ||
           (asked == AKIN_PRECISION_AUTO && kernels->bf16_products);
}

/* Whether the collection holds this model's vectors; AKIN_E_ARGUMENT says how to change it. */
akin_status akin_collection_takes(const akin_collection *collection, const akin_model *model,
                                  akin_error *err);

/* A model as the store keeps it. path is allocated, the rest borrowed from the model and identity.
 */
akin_status akin_model_stored(const akin_model *model, akin_stored stored, char identity[65],
                              akin_store_model *out, char **path, akin_error *err);

/* The form to read a folder in. asked: "hf" or "open_clip" (another: AKIN_E_ARGUMENT), or NULL:
 * found out. A folder may hold both (the repositories of LAION do): then it is the Hugging Face
 * form if config.json says clip and that form's weights are there. */
akin_status akin_form_of(akin_form *out, const char *folder, const char *asked, akin_error *err);

/* The caller's options (NULL: none) over the defaults in *own: as many bytes as the caller's header
 * knew of. A larger struct comes from a newer header; its extra fields would be ignored silently,
 * so it is AKIN_E_ARGUMENT. */
akin_status akin_take_options(void *own, size_t own_size, const void *given, const char *type,
                              akin_error *err);

#endif
