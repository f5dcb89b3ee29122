/* clip_config.c - config.json of a CLIP checkpoint in Hugging Face form. */
#include "models/clip_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { CONFIG_BYTES = 1 << 20 };

static const struct {
    const char *name;
    akin_activation activation;
} activations[] = {
    { "quick_gelu", AKIN_ACT_QUICK_GELU },
    { "gelu", AKIN_ACT_GELU },
    { "gelu_pytorch_tanh", AKIN_ACT_GELU_TANH },
    { "gelu_new", AKIN_ACT_GELU_TANH },
    { "silu", AKIN_ACT_SILU },
    { "swish", AKIN_ACT_SILU },
};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

const char *akin_activation_name(akin_activation activation)
{
    for (size_t i = 0; i < ACTIVATIONS; i++)
        if (activations[i].activation == activation)
            return activations[i].name;
    return "none";
}

/* The reference refuses null where it wants a value; only a whole tower may be null. */
static akin_status refuse_null(const akin_json *object, const char *path, const char *where,
                               const char *field, akin_error *err)
{
    if (!akin_json_is_null(akin_json_get(object, field)))
        return AKIN_OK;
    return akin_fail(err, AKIN_E_CONFIG, path,
                     "field '%s%s%s' is null; give it a value, or leave it out for the default",
                     where != NULL ? where : "", where != NULL ? "." : "", field);
}

static akin_status read_int(const akin_json *object, const char *path, const char *where,
                            const char *field, int64_t min, int64_t max, int64_t *io,
                            akin_error *err)
{
    akin_status status = refuse_null(object, path, where, field, err);
    return status != AKIN_OK ? status
                             : akin_json_int_field(object, path, where, field, min, max, io, err);
}

static akin_status read_size(const akin_json *object, const char *path, const char *where,
                             const char *field, int64_t min, int64_t max, size_t *io,
                             akin_error *err)
{
    int64_t n = (int64_t)*io;
    akin_status status = read_int(object, path, where, field, min, max, &n, err);
    *io = (size_t)n;
    return status;
}

/* The object that decides about a tower; NULL when neither is there. */
static akin_status tower_object(const akin_json *root, const char *path, const char *plain,
                                const char *dict, const akin_json **out, const char **where,
                                akin_error *err)
{
    *out = NULL;
    *where = dict;
    akin_status status = akin_json_object_field(root, path, NULL, dict, out, err);
    if (status != AKIN_OK || *out != NULL)
        return status;
    *where = plain;
    return akin_json_object_field(root, path, NULL, plain, out, err);
}

/* The ranges are those of published models with an order of magnitude to spare: what they admit can
 * be multiplied without overflow, and the weights file decides the rest. */
static akin_status read_tower(const akin_json *object, const char *path, const char *where,
                              akin_tower_config *tower, akin_error *err)
{
    akin_status status;
    AKIN_TRY(read_size(object, path, where, "hidden_size", 1, 1 << 16, &tower->width, err));
    AKIN_TRY(read_size(object, path, where, "intermediate_size", 1, 1 << 18, &tower->hidden, err));
    AKIN_TRY(read_size(object, path, where, "num_hidden_layers", 0, 1000, &tower->layers, err));
    AKIN_TRY(read_size(object, path, where, "num_attention_heads", 1, 1 << 12, &tower->heads, err));
    if (tower->width % tower->heads != 0) {
        status =
            akin_fail(err, AKIN_E_CONFIG, path,
                      "field '%s.hidden_size' is %zu, not a multiple of num_attention_heads %zu",
                      where, tower->width, tower->heads);
        goto out;
    }
    double eps = 1e-5;
    AKIN_TRY(refuse_null(object, path, where, "layer_norm_eps", err));
    AKIN_TRY(akin_json_number_field(object, path, where, "layer_norm_eps", &eps, err));
    if (!(eps >= 0.0 && eps <= 1.0)) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field '%s.layer_norm_eps' must lie between 0 and 1", where);
        goto out;
    }
    tower->eps = (float)eps;
    const char *name = "quick_gelu";
    AKIN_TRY(refuse_null(object, path, where, "hidden_act", err));
    AKIN_TRY(akin_json_text_field(object, path, where, "hidden_act", &name, err));
    for (size_t i = 0; i < ACTIVATIONS; i++)
        if (strcmp(name, activations[i].name) == 0) {
            tower->activation = activations[i].activation;
            goto out;
        }
    status =
        akin_fail(err, AKIN_E_UNSUPPORTED, path,
                  "field '%s.hidden_act' is '%s'; akin knows quick_gelu, gelu, gelu_pytorch_tanh, "
                  "gelu_new, silu and swish",
                  where, name);
out:
    return status;
}

akin_status akin_clip_config_read(akin_clip_config *out, const char *folder, akin_error *err)
{
    *out = (akin_clip_config){
        .text = { .width = 512, .hidden = 2048, .layers = 12, .heads = 8 },
        .vision = { .width = 768, .hidden = 3072, .layers = 12, .heads = 12 },
        .dimensions = 512, .vocabulary = 49408, .text_tokens = 77, .image = 224, .patch = 32,
    };
    char *path = akin_path_join(folder, "config.json");
    if (path == NULL)
        return akin_fail_nomem(err, "path", 0);
    akin_json *root;
    const akin_json *tower;
    const char *where, *type = NULL;
    int64_t eos = 49407, channels = 3;
    akin_status status = akin_json_read(path, CONFIG_BYTES, &root, err);
    if (status != AKIN_OK) {
        free(path);
        return status;
    }
    AKIN_TRY(akin_json_text_field(root, path, NULL, "model_type", &type, err));
    if (type != NULL &&
        (strcmp(type, "clip_text_model") == 0 || strcmp(type, "clip_vision_model") == 0)) {
        status =
            akin_fail(err, AKIN_E_UNSUPPORTED, path,
                      "field 'model_type' is '%s', one tower alone; akin reads the whole model, as "
                      "CLIPModel saves it",
                      type);
        goto out;
    }
    if (type == NULL || strcmp(type, "clip") != 0) {
        status = akin_fail(
            err, AKIN_E_UNSUPPORTED, path, "field 'model_type' is %s%s%s; akin reads 'clip'",
            type == NULL ? "" : "'", type == NULL ? "absent" : type, type == NULL ? "" : "'");
        goto out;
    }
    AKIN_TRY(read_size(root, path, NULL, "projection_dim", 1, 1 << 16, &out->dimensions, err));

    AKIN_TRY(tower_object(root, path, "text_config", "text_config_dict", &tower, &where, err));
    AKIN_TRY(read_tower(tower, path, where, &out->text, err));
    AKIN_TRY(read_size(tower, path, where, "vocab_size", 1, 1 << 24, &out->vocabulary, err));
    AKIN_TRY(read_size(tower, path, where, "max_position_embeddings", 2, 1 << 16, &out->text_tokens,
                       err));
    AKIN_TRY(read_int(tower, path, where, "eos_token_id", 0, 1 << 24, &eos, err));
    out->eos = (int32_t)eos;

    AKIN_TRY(tower_object(root, path, "vision_config", "vision_config_dict", &tower, &where, err));
    AKIN_TRY(read_tower(tower, path, where, &out->vision, err));
    AKIN_TRY(read_int(tower, path, where, "num_channels", 3, 3, &channels, err));
    AKIN_TRY(read_size(tower, path, where, "image_size", 1, 4096, &out->image, err));
    AKIN_TRY(read_size(tower, path, where, "patch_size", 1, (int64_t)out->image, &out->patch, err));
    out->grid = out->image / out->patch;
out:
    akin_json_free(root);
    free(path);
    return status;
}
