/* open_clip_config.c - open_clip_config.json of a CLIP checkpoint in open_clip form.
 *
 * Reference: open_clip 3.3.0 model.py (CLIPVisionCfg, CLIPTextCfg, CLIP, CustomTextCLIP) and
 * factory.py. Every field those know is in a table here, with what akin makes of it: towers of timm
 * and transformers, CoCa, attentional pooling and the custom blocks are refused by field name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "models/clip_config.h"

enum { CONFIG_BYTES = 1 << 20 };

#define CONFIG_NAME "open_clip_config.json"

/* ---- Every field, and what becomes of it ----------------------------------------------------- */

typedef enum use {
    READ,
    IGNORED, /* does not change what a trained model computes */
    OFF      /* must be false, null, "" or `value`: anything else akin does not compute */
} use;

typedef struct rule {
    const char *name;
    use use;
    bool null; /* may be null, as if absent: every flag may, since Python takes None for false */
    const char *value;
} rule;

static const rule top_fields[] = {
    { "embed_dim", READ, false, NULL },
    { "vision_cfg", READ, false, NULL },
    { "text_cfg", READ, false, NULL },
    { "quick_gelu", READ, true, NULL },
    { "custom_text", READ, true, NULL },
    { "init_logit_scale", IGNORED, false, NULL }, /* the value is the tensor's */
    { "init_logit_bias", READ, true, NULL },
    { "nonscalar_logit_scale", IGNORED, true, NULL }, /* both shapes are read */
    { "output_dict", IGNORED, true, NULL },
    { "multimodal_cfg", OFF, true, NULL },
};

static const rule vision_fields[] = {
    { "layers", READ, false, NULL },
    { "width", READ, false, NULL },
    { "head_width", READ, false, NULL },
    { "mlp_ratio", READ, false, NULL },
    { "patch_size", READ, true, NULL }, /* null in the published ResNet configs */
    { "image_size", READ, false, NULL },
    { "ls_init_value", READ, true, NULL },
    { "patch_dropout", IGNORED, false, NULL }, /* when training alone */
    { "attentional_pool", OFF, true, NULL },
    { "attn_pooler_queries", IGNORED, false, NULL },
    { "attn_pooler_heads", IGNORED, false, NULL },
    { "no_ln_pre", READ, true, NULL },
    { "pos_embed_type", READ, false, NULL },
    { "final_ln_after_pool", READ, true, NULL },
    { "pool_type", READ, false, NULL },
    { "output_tokens", OFF, true, NULL },
    { "act_kwargs", READ, true, NULL },
    { "norm_kwargs", READ, true, NULL },
    { "block_type", OFF, true, "default" },
    { "qk_norm", OFF, true, NULL },
    { "scaled_cosine_attn", OFF, true, NULL },
    { "scale_heads", OFF, true, NULL },
    { "scale_attn_inner", OFF, true, NULL },
    { "scale_attn", OFF, true, NULL },
    { "scale_fc", OFF, true, NULL },
    { "timm_model_name", OFF, true, NULL },
    { "timm_model_pretrained", IGNORED, true, NULL },
    { "timm_pool", IGNORED, true, NULL },
    { "timm_proj", IGNORED, true, NULL },
    { "timm_proj_bias", IGNORED, true, NULL },
    { "timm_drop", IGNORED, true, NULL },
    { "timm_drop_path", IGNORED, true, NULL },
};

static const rule text_fields[] = {
    { "context_length", READ, false, NULL },
    { "vocab_size", READ, false, NULL },
    { "hf_tokenizer_name", READ, true, NULL },
    { "tokenizer_mode", OFF, true, NULL },
    { "tokenizer_kwargs", READ, true, NULL },
    { "width", READ, false, NULL },
    { "heads", READ, false, NULL },
    { "layers", READ, false, NULL },
    { "mlp_ratio", READ, false, NULL },
    { "ls_init_value", READ, true, NULL },
    { "embed_cls", OFF, true, NULL },
    { "pad_id", IGNORED, true, NULL }, /* masks padding beside embed_cls alone */
    { "eos_id", READ, false, NULL },
    { "no_causal_mask", READ, true, NULL },
    { "final_ln_after_pool", IGNORED, true, NULL }, /* not handed on to the tower */
    { "pool_type", READ, false, NULL },
    { "proj_bias", READ, true, NULL },
    { "proj_type", READ, false, NULL },
    { "output_tokens", OFF, true, NULL },
    { "act_kwargs", READ, true, NULL },
    { "norm_kwargs", READ, true, NULL },
    { "block_type", OFF, true, "default" },
    { "qk_norm", OFF, true, NULL },
    { "scaled_cosine_attn", OFF, true, NULL },
    { "scale_heads", OFF, true, NULL },
    { "scale_attn_inner", OFF, true, NULL },
    { "scale_attn", OFF, true, NULL },
    { "scale_fc", OFF, true, NULL },
    { "hf_model_name", OFF, true, NULL },
    { "hf_model_pretrained", IGNORED, true, NULL },
    { "hf_proj_type", IGNORED, true, NULL },
    { "hf_pooler_type", IGNORED, true, NULL },
};

/* Arguments of nn.GELU, LayerNorm, HFTokenizer and SimpleTokenizer. */
static const rule act_fields[] = { { "approximate", READ, false, NULL } };
static const rule norm_fields[] = { { "eps", READ, false, NULL } };
static const rule hf_tokenizer_fields[] = { { "clean", READ, false, NULL },
                                             { "strip_sep_token", READ, false, NULL },
                                             { "language", OFF, true, NULL } };
static const rule simple_tokenizer_fields[] = { { "clean", READ, false, NULL },
                                                 { "additional_special_tokens", OFF, true, NULL },
                                                 { "reduction_mask", OFF, true, NULL } };

#define FIELDS(table) table, sizeof(table) / sizeof *(table)

static bool is_off(const akin_json *value, const char *allowed)
{
    if (akin_json_is_string(value))
        return akin_json_string(value)[0] == '\0' ||
               (allowed != NULL && strcmp(akin_json_string(value), allowed) == 0);
    return akin_json_is_null(value) || akin_json_is_false(value) ||
           (akin_json_is_array(value) && akin_json_count(value) == 0);
}

/* Each key of `object` against its table. */
static akin_status check_fields(const akin_json *object, const char *path, const char *where,
                                const rule *table, size_t count, akin_error *err)
{
    const char *dot = where != NULL ? "." : "";
    if (where == NULL)
        where = "";
    for (size_t i = 0; i < akin_json_members(object); i++) {
        const char *name = akin_json_key(object, i);
        const akin_json *value = akin_json_member(object, i);
        const rule *f = NULL;
        for (size_t j = 0; j < count && f == NULL; j++)
            if (strcmp(table[j].name, name) == 0)
                f = &table[j];
        if (f == NULL)
            return akin_fail(err, AKIN_E_CONFIG, path,
                             "field '%s%s%s' is none that open_clip 3.3.0 knows; it refuses such a "
                             "file, and so does akin",
                             where, dot, name);
        if (akin_json_is_null(value) && !f->null)
            return akin_fail(
                err, AKIN_E_CONFIG, path,
                "field '%s%s%s' is null; give it a value, or leave it out for the default", where,
                dot, name);
        if (f->use == OFF && !is_off(value, f->value))
            return akin_fail(err, AKIN_E_UNSUPPORTED, path,
                             "field '%s%s%s' asks for what akin does not compute; it must be "
                             "absent%s%s",
                             where, dot, name, f->value != NULL ? " or " : "",
                             f->value != NULL ? f->value : "");
    }
    return AKIN_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static akin_status read_size(const akin_json *object, const char *path, const char *where,
                             const char *field, int64_t min, int64_t max, size_t *io,
                             akin_error *err)
{
    int64_t n = (int64_t)*io;
    akin_status status = akin_json_int_field(object, path, where, field, min, max, &n, err);
    *io = (size_t)n;
    return status;
}

static akin_status unknown_value(const char *path, const char *where, const char *field,
                                 const char *value, const char *known, akin_error *err)
{
    return akin_fail(err, AKIN_E_UNSUPPORTED, path, "field '%s.%s' is '%s'; akin knows %s", where,
                     field, value, known);
}

/* int(width * mlp_ratio), and what act_kwargs and norm_kwargs change. `where` is a literal. */
static akin_status read_layer(const akin_json *object, const char *path, const char *where,
                              bool quick_gelu, akin_tower_config *tower, akin_error *err)
{
    char name[32];
    const akin_json *kwargs = NULL;
    const char *approximate = "none";
    double ratio = 4.0, eps = 1e-5, scale = 0.0;
    akin_status status;
    AKIN_TRY(akin_json_number_field(object, path, where, "mlp_ratio", &ratio, err));
    const double hidden = (double)tower->width * ratio;
    if (!(hidden >= 1.0 && hidden < (1 << 18) + 1)) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field '%s.mlp_ratio' is %g, which makes a hidden layer of %.0f; it "
                           "must have 1 to %d units",
                           where, ratio, hidden, 1 << 18);
        goto out;
    }
    tower->hidden = (size_t)hidden;
    AKIN_TRY(akin_json_number_field(object, path, where, "ls_init_value", &scale, err));
    tower->layer_scale = akin_json_is_number(akin_json_get(object, "ls_init_value"));

    tower->activation = quick_gelu ? AKIN_ACT_QUICK_GELU : AKIN_ACT_GELU;
    AKIN_TRY(akin_json_object_field(object, path, where, "act_kwargs", &kwargs, err));
    if (kwargs != NULL) {
        snprintf(name, sizeof name, "%s.act_kwargs", where);
        AKIN_TRY(check_fields(kwargs, path, name, FIELDS(act_fields), err));
        AKIN_TRY(akin_json_text_field(kwargs, path, name, "approximate", &approximate, err));
        if (quick_gelu && akin_json_members(kwargs) != 0) {
            status = akin_fail(err, AKIN_E_CONFIG, path,
                               "field '%s' is for nn.GELU, but quick_gelu is true", name);
            goto out;
        }
        if (strcmp(approximate, "tanh") == 0) {
            tower->activation = AKIN_ACT_GELU_TANH;
        } else if (strcmp(approximate, "none") != 0) {
            status = unknown_value(path, name, "approximate", approximate, "none and tanh", err);
            goto out;
        }
    }
    kwargs = NULL;
    AKIN_TRY(akin_json_object_field(object, path, where, "norm_kwargs", &kwargs, err));
    if (kwargs != NULL) {
        snprintf(name, sizeof name, "%s.norm_kwargs", where);
        AKIN_TRY(check_fields(kwargs, path, name, FIELDS(norm_fields), err));
        AKIN_TRY(akin_json_number_field(kwargs, path, name, "eps", &eps, err));
        if (!(eps >= 0.0 && eps <= 1.0)) {
            status = akin_fail(err, AKIN_E_CONFIG, path,
                               "field '%s.eps' must lie between 0 and 1", name);
            goto out;
        }
    }
    tower->eps = (float)eps;
out:
    return status;
}

/* image_size: an integer, or [height, width]. */
static akin_status read_image_size(const akin_json *object, const char *path, akin_clip_config *out,
                                   akin_error *err)
{
    const akin_json *value = akin_json_get(object, "image_size");
    size_t side = 224, sides[2];
    if (!akin_json_is_array(value)) {
        akin_status status =
            read_size(object, path, "vision_cfg", "image_size", 1, 4096, &side, err);
        out->image_height = out->image_width = side;
        return status;
    }
    for (size_t i = 0; i < 2; i++) {
        const akin_json *item = akin_json_at(value, i);
        const int64_t n = akin_json_integer(item); /* 0 for what is no integer */
        if (akin_json_count(value) != 2 || n < 1 || n > 4096)
            return akin_fail(err, AKIN_E_CONFIG, path,
                             "field 'vision_cfg.image_size' must be an integer or [height, width], "
                             "each from 1 to 4096");
        sides[i] = (size_t)n;
    }
    out->image_height = sides[0];
    out->image_width = sides[1];
    return AKIN_OK;
}

static akin_status read_vit(const akin_json *object, const char *path, bool quick_gelu,
                            akin_clip_config *out, akin_error *err)
{
    akin_tower_config *tower = &out->vision;
    size_t head_width = 64;
    const char *pool = "tok", *positions = "learnable";
    akin_status status;
    *tower = (akin_tower_config){ .width = 768, .layers = 12 };
    AKIN_TRY(read_size(object, path, "vision_cfg", "width", 1, 1 << 16, &tower->width, err));
    AKIN_TRY(read_size(object, path, "vision_cfg", "layers", 0, 1000, &tower->layers, err));
    AKIN_TRY(read_size(object, path, "vision_cfg", "head_width", 1, 1 << 16, &head_width, err));
    tower->heads = tower->width / head_width;
    if (tower->heads == 0 || tower->width % tower->heads != 0) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'vision_cfg.head_width' is %zu, which cuts a width of %zu into "
                           "%zu heads of unequal size",
                           head_width, tower->width, tower->heads);
        goto out;
    }
    AKIN_TRY(read_layer(object, path, "vision_cfg", quick_gelu, tower, err));
    out->patch = 16;
    const size_t least = out->image_height < out->image_width ? out->image_height
                                                              : out->image_width;
    if (akin_json_is_null(akin_json_get(object, "patch_size"))) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'vision_cfg.patch_size' is null, which is for ResNets alone");
        goto out;
    }
    AKIN_TRY(read_size(object, path, "vision_cfg", "patch_size", 1, (int64_t)least, &out->patch,
                       err));
    out->grid_height = out->image_height / out->patch;
    out->grid_width = out->image_width / out->patch;
    AKIN_TRY(akin_json_bool_field(object, path, "vision_cfg", "no_ln_pre", &out->no_pre_norm, err));
    AKIN_TRY(akin_json_bool_field(object, path, "vision_cfg", "final_ln_after_pool",
                                  &out->norm_last, err));
    AKIN_TRY(akin_json_text_field(object, path, "vision_cfg", "pool_type", &pool, err));
    out->average = strcmp(pool, "avg") == 0;
    if (!out->average && strcmp(pool, "tok") != 0) {
        status = unknown_value(path, "vision_cfg", "pool_type", pool, "tok and avg", err);
        goto out;
    }
    /* Either way the table is a tensor of the file. */
    AKIN_TRY(akin_json_text_field(object, path, "vision_cfg", "pos_embed_type", &positions, err));
    if (strcmp(positions, "learnable") != 0 && strcmp(positions, "sin_cos_2d") != 0)
        status = unknown_value(path, "vision_cfg", "pos_embed_type", positions,
                               "learnable and sin_cos_2d", err);
out:
    return status;
}

static akin_status read_resnet(const akin_json *object, const char *path, const akin_json *layers,
                               akin_clip_config *out, akin_error *err)
{
    akin_resnet_config *tower = &out->tower;
    size_t head_width = 64;
    akin_status status;
    out->resnet = true;
    *tower = (akin_resnet_config){ .width = 768, .image = out->image_height,
                                   .dimensions = out->dimensions };
    for (size_t i = 0; i < 4; i++) {
        const int64_t n = akin_json_integer(akin_json_at(layers, i));
        if (akin_json_count(layers) != 4 || n < 1 || n > 1000) {
            status = akin_fail(err, AKIN_E_CONFIG, path,
                               "field 'vision_cfg.layers' must be an integer (a vision "
                               "transformer) or four, each from 1 to 1000 (a ResNet)");
            goto out;
        }
        tower->blocks[i] = (size_t)n;
    }
    AKIN_TRY(read_size(object, path, "vision_cfg", "width", 2, 1 << 12, &tower->width, err));
    AKIN_TRY(read_size(object, path, "vision_cfg", "head_width", 1, 1 << 16, &head_width, err));
    tower->heads = tower->width * 32 / head_width;
    if (tower->heads == 0 || tower->width * 32 % tower->heads != 0) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'vision_cfg.head_width' is %zu, which cuts %zu features into "
                           "%zu heads of unequal size",
                           head_width, tower->width * 32, tower->heads);
        goto out;
    }
    if (akin_json_is_array(akin_json_get(object, "image_size"))) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'vision_cfg.image_size' of a ResNet must be an integer");
        goto out;
    }
    /* One convolution of stride 2 (rounding up) and four pools (rounding down) against the grid of
     * its position table: the reference fails at the first picture when they differ. */
    if (tower->image < 32 || (tower->image + 1) / 2 / 16 != tower->image / 32)
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'vision_cfg.image_size' is %zu; a ResNet takes multiples of 32 "
                           "(and what does not add a row of features)",
                           tower->image);
out:
    return status;
}

static akin_status read_tokenizer(const akin_json *object, const char *path, akin_clip_config *out,
                                  akin_error *err)
{
    static const char where[] = "text_cfg.tokenizer_kwargs";
    static const struct {
        const char *name;
        akin_clean clean;
    } cleans[] = { { "lower", AKIN_CLEAN_LOWER },
                   { "whitespace", AKIN_CLEAN_WHITESPACE },
                   { "canonicalize", AKIN_CLEAN_CANONICALIZE } };
    const char *name = "", *clean;
    const akin_json *kwargs = NULL;
    akin_status status;
    AKIN_TRY(akin_json_text_field(object, path, "text_cfg", "hf_tokenizer_name", &name, err));
    AKIN_TRY(akin_json_object_field(object, path, "text_cfg", "tokenizer_kwargs", &kwargs, err));
    out->hf_tokenizer = name[0] != '\0';
    clean = out->hf_tokenizer ? "whitespace" : "lower";
    if (kwargs != NULL && out->hf_tokenizer)
        AKIN_TRY(check_fields(kwargs, path, where, FIELDS(hf_tokenizer_fields), err));
    else if (kwargs != NULL)
        AKIN_TRY(check_fields(kwargs, path, where, FIELDS(simple_tokenizer_fields), err));
    AKIN_TRY(akin_json_text_field(kwargs, path, where, "clean", &clean, err));
    AKIN_TRY(akin_json_bool_field(kwargs, path, where, "strip_sep_token", &out->strip_sep, err));
    for (size_t i = 0; i < sizeof cleans / sizeof *cleans; i++)
        if (strcmp(clean, cleans[i].name) == 0) {
            out->clean = cleans[i].clean;
            goto out;
        }
    status = unknown_value(path, where, "clean", clean, "lower, whitespace and canonicalize", err);
out:
    return status;
}

static akin_status read_text(const akin_json *object, const char *path, bool quick_gelu,
                             akin_clip_config *out, akin_error *err)
{
    static const struct {
        const char *name;
        akin_pooling pooling;
    } pools[] = { { "argmax", AKIN_POOL_ARGMAX }, { "eos", AKIN_POOL_EOS },
                  { "first", AKIN_POOL_FIRST }, { "last", AKIN_POOL_LAST } };
    enum { POOLS = sizeof pools / sizeof *pools };
    akin_tower_config *tower = &out->text;
    const char *pool = "argmax", *projection = "linear";
    int64_t eos = 2;
    akin_status status;
    *tower = (akin_tower_config){ .width = 512, .layers = 12, .heads = 8 };
    AKIN_TRY(read_size(object, path, "text_cfg", "width", 1, 1 << 16, &tower->width, err));
    AKIN_TRY(read_size(object, path, "text_cfg", "layers", 1, 1000, &tower->layers, err));
    AKIN_TRY(read_size(object, path, "text_cfg", "heads", 1, 1 << 12, &tower->heads, err));
    if (tower->width % tower->heads != 0) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'text_cfg.width' is %zu, not a multiple of heads %zu",
                           tower->width, tower->heads);
        goto out;
    }
    AKIN_TRY(read_layer(object, path, "text_cfg", quick_gelu, tower, err));
    AKIN_TRY(read_size(object, path, "text_cfg", "context_length", 2, 1 << 16, &out->text_tokens,
                       err));
    AKIN_TRY(read_size(object, path, "text_cfg", "vocab_size", 1, 1 << 24, &out->vocabulary, err));
    AKIN_TRY(
        akin_json_int_field(object, path, "text_cfg", "eos_id", INT32_MIN, INT32_MAX, &eos, err));
    out->eos = (int32_t)eos;
    AKIN_TRY(
        akin_json_bool_field(object, path, "text_cfg", "no_causal_mask", &out->bidirectional, err));
    AKIN_TRY(
        akin_json_bool_field(object, path, "text_cfg", "proj_bias", &out->projection_bias, err));
    AKIN_TRY(akin_json_text_field(object, path, "text_cfg", "pool_type", &pool, err));
    size_t i = 0;
    while (i < POOLS && strcmp(pool, pools[i].name) != 0)
        i++;
    if (i == POOLS) {
        status = unknown_value(path, "text_cfg", "pool_type", pool, "argmax, eos, first and last",
                               err);
        goto out;
    }
    out->pooling = pools[i].pooling;
    AKIN_TRY(akin_json_text_field(object, path, "text_cfg", "proj_type", &projection, err));
    out->no_projection = strcmp(projection, "none") == 0;
    if (!out->no_projection && strcmp(projection, "linear") != 0) {
        status = unknown_value(path, "text_cfg", "proj_type", projection, "linear and none", err);
        goto out;
    }
    if (out->no_projection && tower->width != out->dimensions) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'text_cfg.proj_type' is none, but texts are %zu wide and "
                           "embed_dim is %zu",
                           tower->width, out->dimensions);
        goto out;
    }
    status = read_tokenizer(object, path, out, err);
out:
    return status;
}

static akin_status need(const akin_json *object, const char *path, const char *field,
                        akin_error *err)
{
    if (akin_json_get(object, field) != NULL)
        return AKIN_OK;
    return akin_fail(err, AKIN_E_CONFIG, path, "field '%s' is missing", field);
}

akin_status akin_open_clip_config_read(akin_clip_config *out, const char *folder, akin_error *err)
{
    *out = (akin_clip_config){ .form = AKIN_FORM_OPEN_CLIP, .vocabulary = 49408,
                               .text_tokens = 77 };
    char *path = akin_path_join(folder, CONFIG_NAME);
    if (path == NULL)
        return akin_fail_nomem(err, "path", 0);
    akin_json *root;
    const akin_json *model = NULL, *vision = NULL, *text = NULL;
    bool quick_gelu = false;
    double bias = 0.0;
    akin_status status = akin_json_read(path, CONFIG_BYTES, &root, err);
    if (status != AKIN_OK) {
        free(path);
        return status;
    }
    AKIN_TRY(need(root, path, "model_cfg", err));
    AKIN_TRY(akin_json_object_field(root, path, NULL, "model_cfg", &model, err));
    AKIN_TRY(check_fields(model, path, NULL, FIELDS(top_fields), err));
    AKIN_TRY(need(model, path, "embed_dim", err));
    AKIN_TRY(need(model, path, "vision_cfg", err));
    AKIN_TRY(need(model, path, "text_cfg", err));
    AKIN_TRY(akin_json_object_field(model, path, NULL, "vision_cfg", &vision, err));
    AKIN_TRY(akin_json_object_field(model, path, NULL, "text_cfg", &text, err));
    AKIN_TRY(check_fields(vision, path, "vision_cfg", FIELDS(vision_fields), err));
    AKIN_TRY(check_fields(text, path, "text_cfg", FIELDS(text_fields), err));

    AKIN_TRY(read_size(model, path, NULL, "embed_dim", 1, 1 << 16, &out->dimensions, err));
    AKIN_TRY(akin_json_bool_field(model, path, NULL, "quick_gelu", &quick_gelu, err));
    AKIN_TRY(akin_json_bool_field(model, path, NULL, "custom_text", &out->custom_text, err));
    AKIN_TRY(akin_json_number_field(model, path, NULL, "init_logit_bias", &bias, err));
    out->logit_bias = akin_json_is_number(akin_json_get(model, "init_logit_bias"));

    AKIN_TRY(read_image_size(vision, path, out, err));
    const akin_json *layers = akin_json_get(vision, "layers");
    if (akin_json_is_array(layers))
        AKIN_TRY(read_resnet(vision, path, layers, out, err));
    else
        AKIN_TRY(read_vit(vision, path, quick_gelu, out, err));
    AKIN_TRY(read_text(text, path, quick_gelu, out, err));
out:
    akin_json_free(root);
    free(path);
    return status;
}
