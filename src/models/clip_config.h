/* clip_config.h - what a CLIP checkpoint's configuration says, in either form.
 *
 * Reference: transformers 5.23.0 CLIPConfig for config.json. Absent keys take the class defaults; a
 * `text_config_dict` or `vision_config_dict` (in the published large-patch14 files) overrides its
 * twin whole, its own defaults included. open_clip 3.3.0 model.py (CLIPTextCfg, CLIPVisionCfg) for
 * open_clip_config.json, build_model_from_openai_state_dict for weights without a config.
 */
#ifndef AKIN_MODELS_CLIP_CONFIG_H
#define AKIN_MODELS_CLIP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cpu/kernels.h"
#include "models/resnet.h"
#include "text/clean.h"
#include "weights/checkpoint.h"

typedef struct akin_tower_config {
    size_t width;  /* hidden_size: of the residual stream */
    size_t hidden; /* intermediate_size: of the MLP */
    size_t layers;
    size_t heads;
    akin_activation activation;
    float eps;
    bool layer_scale; /* each layer's two branches have a factor a channel */
} akin_tower_config;

/* The position of a text that becomes its vector. */
typedef enum akin_pooling {
    AKIN_POOL_ARGMAX, /* the first one of the largest id */
    AKIN_POOL_EOS,    /* the first one that holds `eos`, 0 when none does */
    AKIN_POOL_FIRST,
    AKIN_POOL_LAST    /* of the padded text */
} akin_pooling;

typedef struct akin_clip_config {
    akin_form form;
    akin_tower_config text, vision; /* vision is zero with `resnet` */
    size_t dimensions;              /* projection_dim, embed_dim */
    bool logit_bias;                /* the model has one */

    size_t vocabulary;
    size_t text_tokens; /* max_position_embeddings, context_length */
    akin_pooling pooling;
    int32_t eos;
    bool bidirectional;    /* no_causal_mask: every position sees all, padding too */
    bool custom_text;      /* names of the text tower begin with "text." */
    bool no_projection;    /* the text vector is the pooled state; dimensions = text.width */
    bool projection_bias;  /* of the text projection, which then is stored as [out, in] */

    size_t image_height, image_width; /* pixels */
    size_t patch;                     /* 0 with `resnet` */
    size_t grid_height, grid_width;   /* patches, rounded down: the rest is not seen */
    bool no_pre_norm;
    bool average;  /* pool_type avg: the mean of the patches, not the class position */
    bool norm_last; /* final_ln_after_pool: post norm behind that mean, not before it */
    bool resnet;
    akin_resnet_config tower; /* with `resnet` */

    /* open_clip form: how text becomes ids */
    bool hf_tokenizer; /* hf_tokenizer_name: tokenizer.json of the folder, else the simple one */
    akin_clean clean;
    bool strip_sep;

    bool bare; /* no config file: akin_clip_config_infer read it off the weights */
} akin_clip_config;

/* Reads folder/config.json. Another model_type is AKIN_E_UNSUPPORTED by name; a field of the wrong
 * type or out of range is AKIN_E_CONFIG. */
akin_status akin_clip_config_read(akin_clip_config *out, const char *folder, akin_error *err);

/* Reads "model_cfg" of folder/open_clip_config.json. As in the reference an unknown field is an
 * error (AKIN_E_CONFIG), and so is a missing one of embed_dim, vision_cfg and text_cfg; a field
 * that asks for what akin does not compute is AKIN_E_UNSUPPORTED by name. */
akin_status akin_open_clip_config_read(akin_clip_config *out, const char *folder, akin_error *err);

/* What the tensors of a weights file in OpenAI's or open_clip's names, which is all there is of the
 * model, show of its configuration. activation: "quick_gelu" or "gelu", which they do not show;
 * NULL or another: AKIN_E_ARGUMENT. A tensor that is missing, or has a shape that no such model
 * has, is an error naming it; names of Hugging Face's and timm's models, and towers whose heads are
 * not 64 wide, are AKIN_E_UNSUPPORTED. */
akin_status akin_clip_config_infer(akin_clip_config *out, const char *path, const char *activation,
                                   akin_error *err);

/* Integers of OpenAI's archives that are not tensors of the model; NULL behind the last. */
extern const char *const akin_clip_bare_extras[];

/* "quick_gelu", as the config spells it. */
const char *akin_activation_name(akin_activation activation);

/* "argmax", "first-eos", "first", "last". */
const char *akin_pooling_name(akin_pooling pooling);

#endif
