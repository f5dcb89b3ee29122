/* clip_config.h - config.json of a CLIP checkpoint in Hugging Face form.
 *
 * Reference: transformers 5.23.0 CLIPConfig. Absent keys take the class defaults; a
 * `text_config_dict` or `vision_config_dict` (in the published large-patch14 files) overrides its
 * twin whole, its own defaults included.
 */
#ifndef AKIN_MODELS_CLIP_CONFIG_H
#define AKIN_MODELS_CLIP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cpu/kernels.h"

typedef struct akin_tower_config {
    size_t width;  /* hidden_size: of the residual stream */
    size_t hidden; /* intermediate_size: of the MLP */
    size_t layers;
    size_t heads;
    akin_activation activation;
    float eps;
} akin_tower_config;

typedef struct akin_clip_config {
    akin_tower_config text, vision;
    size_t dimensions; /* projection_dim */

    size_t vocabulary;
    size_t text_tokens; /* max_position_embeddings */
    int32_t eos;        /* eos_token_id; 2 selects the argmax rule of older files */

    size_t image; /* pixels a side */
    size_t patch;
    size_t grid;  /* patches a side, image / patch rounded down: the rest is not seen */
} akin_clip_config;

/* Reads folder/config.json. Another model_type is AKIN_E_UNSUPPORTED by name; a field of the wrong
 * type or out of range is AKIN_E_CONFIG. */
akin_status akin_clip_config_read(akin_clip_config *out, const char *folder, akin_error *err);

/* "quick_gelu", as the config spells it. */
const char *akin_activation_name(akin_activation activation);

#endif
