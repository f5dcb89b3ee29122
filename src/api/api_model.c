/* api_model.c - akin.h: version, instruction set, models, tokens. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/file.h"
#include "hub/model_name.h"

enum { SIMPLE_VOCABULARY = 49408 }; /* start and end tokens included */

const char *akin_version(void)
{
    return AKIN_VERSION;
}

static akin_status choose_kernels(const akin_kernels **out, akin_error *err)
{
    return akin_kernels_choose(getenv("AKIN_CPU"), out, err);
}

akin_status akin_isa(const char **name, akin_error *err)
{
    const akin_kernels *kernels;
    akin_status status = choose_kernels(&kernels, err);
    if (status == AKIN_OK)
        *name = kernels->name;
    return status;
}

akin_status akin_take_options(void *own, size_t own_size, const void *given, const char *type,
                              akin_error *err)
{
    if (given == NULL)
        return AKIN_OK;
    size_t size;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > own_size)
        return akin_fail(
            err, AKIN_E_ARGUMENT, NULL,
            "%s.size is %zu; this library knows sizes up to %zu: initialise the struct, and "
            "use a library at least as new as the header",
            type, size, own_size);
    memcpy(own, given, size);
    return AKIN_OK;
}

/* A folder, judged before its files are opened: the error a user meets first should say what a
 * model is. */
static akin_status check_folder(const char *folder, akin_error *err)
{
    static const char *const configs[] = { "config.json", "open_clip_config.json" };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char *path = akin_path_join(folder, configs[i]);
        if (path == NULL)
            return akin_fail_nomem(err, "path", 0);
        const bool there = akin_path_is_file(path);
        free(path);
        if (there)
            return AKIN_OK;
    }
    return akin_fail(err, AKIN_E_NOT_FOUND, folder,
                     "no config.json in this folder, and no open_clip_config.json; a model is a "
                     "folder with config.json, model.safetensors (or pytorch_model.bin), tokenizer "
                     "files and preprocessor_config.json, or with open_clip_config.json and "
                     "open_clip_model.safetensors; of weights alone, name the file");
}

/* model->config of the folder or file model->path. */
static akin_status read_config(akin_model *model, const akin_model_options *options,
                               akin_error *err)
{
    akin_form form;
    akin_status status;
    AKIN_TRY(akin_form_of(&form, model->path, options->form, err));
    if (!akin_path_is_dir(model->path)) {
        if (options->form != NULL && form != AKIN_FORM_OPEN_CLIP)
            return akin_fail(err, AKIN_E_ARGUMENT, model->path,
                             "form hf is for folders: a weights file alone is read in open_clip "
                             "form");
        return akin_clip_config_infer(&model->config, model->path, options->activation, err);
    }
    if (options->activation != NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, model->path,
                         "an activation is given for a weights file alone; the config in this "
                         "folder says which it is");
    AKIN_TRY(check_folder(model->path, err));
    status = form == AKIN_FORM_OPEN_CLIP
                 ? akin_open_clip_config_read(&model->config, model->path, err)
                 : akin_clip_config_read(&model->config, model->path, err);
out:
    return status;
}

/* The parts beside the towers, each as the form's own reference makes it. */
static akin_status open_tokenizer(akin_model *model, const char *path, akin_error *err)
{
    const akin_clip_config *c = &model->config;
    /* The ids of another vocabulary would find rows in this table all the same. */
    if (c->bare && c->vocabulary != SIMPLE_VOCABULARY)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "tensor '%stoken_embedding.weight' has %zu rows: not the vocabulary of "
                         "CLIP's own tokenizer (%d), and a weights file alone does not say which "
                         "other; name a folder with open_clip_config.json and tokenizer.json",
                         c->custom_text ? "text." : "", c->vocabulary, SIMPLE_VOCABULARY);
    if (c->form == AKIN_FORM_OPEN_CLIP)
        return c->hf_tokenizer ? akin_tokenizer_open_json(&model->tokenizer, path, c->clean,
                                                          c->strip_sep, err)
                               : akin_tokenizer_open_simple(&model->tokenizer, c->clean, err);
    akin_status status = akin_tokenizer_open(&model->tokenizer, path, err);
    if (status != AKIN_OK)
        return status;
    /* open_clip passes context_length and never looks at this one. */
    const int32_t own = akin_tokenizer_max_length(model->tokenizer);
    if (own >= 2 && own < model->text_tokens)
        model->text_tokens = own;
    return AKIN_OK;
}

static akin_status open_preprocess(akin_model *model, const char *path, akin_error *err)
{
    const akin_clip_config *c = &model->config;
    if (c->form == AKIN_FORM_OPEN_CLIP)
        return akin_preprocess_open_clip(&model->preprocess, c->bare ? NULL : path,
                                         (int)c->image_height, (int)c->image_width, err);
    return akin_preprocess_open(&model->preprocess, path, err);
}

akin_status akin_model_open(akin_model **out, const char *name, const akin_model_options *given,
                            akin_error *err)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_pool *pool = NULL;
    *out = NULL;
    akin_status status =
        akin_take_options(&options, sizeof options, given, "akin_model_options", err);
    if (status != AKIN_OK)
        return status;
    akin_model *model = calloc(1, sizeof *model);
    if (model == NULL)
        return akin_fail_nomem(err, "model", sizeof *model);
    model->parts = options.parts != 0 ? options.parts : AKIN_PART_ALL;
    /* AUTO is f32 as long as no table multiplies bf16 with the processor's own instructions. */
    model->precision =
        options.precision == AKIN_PRECISION_AUTO ? AKIN_PRECISION_F32 : options.precision;
    if (model->precision != AKIN_PRECISION_F32 && model->precision != AKIN_PRECISION_BF16) {
        status = akin_fail(err, AKIN_E_ARGUMENT, NULL, "precision %d is unknown",
                           (int)options.precision);
        goto out;
    }
    if ((model->parts & ~(unsigned)(AKIN_PART_ALL | AKIN_PART_WEIGHTS)) != 0) {
        status = akin_fail(err, AKIN_E_ARGUMENT, NULL, "parts %#x are unknown", model->parts);
        goto out;
    }
    AKIN_TRY(choose_kernels(&model->kernels, err));
    AKIN_TRY(akin_model_find(&model->path, name, err));
    model->name = strdup(name);
    if (model->name == NULL) {
        status = akin_fail_nomem(err, "name of a model", strlen(name));
        goto out;
    }
    AKIN_TRY(read_config(model, &options, err));
    const char *path = model->path;
    model->text_tokens = (int32_t)model->config.text_tokens;

    if ((model->parts & AKIN_PART_TOKENIZER) != 0)
        AKIN_TRY(open_tokenizer(model, path, err));
    if ((model->parts & AKIN_PART_PREPROCESS) != 0)
        AKIN_TRY(open_preprocess(model, path, err));

    const bool text = (model->parts & AKIN_PART_TEXT) == AKIN_PART_TEXT;
    const bool image = (model->parts & AKIN_PART_IMAGE) == AKIN_PART_IMAGE;
    if (text || image || (model->parts & AKIN_PART_WEIGHTS) != 0) {
        AKIN_TRY(
            akin_pool_new(&pool, options.threads != 0 ? options.threads : akin_cpu_count(), err));
        AKIN_TRY(akin_clip_open(&model->clip, path, &model->config, model->kernels,
                                model->precision == AKIN_PRECISION_BF16, text, image, pool, err));
    }
out:
    akin_pool_free(pool);
    if (status == AKIN_OK)
        *out = model;
    else
        akin_model_close(model);
    return status;
}

void akin_model_close(akin_model *model)
{
    if (model == NULL)
        return;
    akin_clip_close(model->clip);
    akin_tokenizer_close(model->tokenizer);
    free(model->name);
    free(model->path);
    free(model);
}

akin_status akin_model_describe(const akin_model *model, akin_model_info *out, akin_error *err)
{
    const akin_clip_config *c = &model->config;
    const bool open_clip = c->form == AKIN_FORM_OPEN_CLIP;
    akin_model_info info = {
        .size = sizeof info,
        .family = "clip",
        .form = open_clip ? "open_clip" : "hf",
        .weights = model->clip != NULL ? model->clip->weights : "",
        .isa = model->kernels->name,
        .precision = model->precision == AKIN_PRECISION_BF16 ? "bf16" : "f32",
        /* a ResNet's own activations are no choice */
        .activation = akin_activation_name(c->resnet ? c->text.activation : c->vision.activation),
        .pooling = akin_pooling_name(c->pooling),
        .parameters = model->clip != NULL ? (int64_t)model->clip->parameters : 0,
        .dimensions = (int)c->dimensions,
        .image_height = (int)c->image_height, .image_width = (int)c->image_width,
        .patch = (int)c->patch,
        .text_tokens = model->text_tokens, .vocabulary = (int)c->vocabulary,
        .vision_width = (int)c->vision.width, .vision_layers = (int)c->vision.layers,
        .vision_heads = (int)c->vision.heads, .vision_hidden = (int)c->vision.hidden,
        .text_width = (int)c->text.width, .text_layers = (int)c->text.layers,
        .text_heads = (int)c->text.heads, .text_hidden = (int)c->text.hidden,
        .logit_scale = model->clip != NULL ? exp(model->clip->logit_scale) : 0.0,
        .vision = c->resnet ? "resnet" : "vit",
        .tokenizer = !open_clip ? "clip" : c->hf_tokenizer ? "tokenizer.json" : "simple",
        .logit_bias = model->clip != NULL ? model->clip->logit_bias : 0.0,
        .path = model->path,
    };
    if (c->resnet) {
        info.vision_width = (int)c->tower.width;
        info.vision_heads = (int)c->tower.heads;
        for (size_t i = 0; i < 4; i++)
            info.vision_layers += (int)c->tower.blocks[i];
    }
    size_t size = out->size;
    if (size < sizeof size)
        return akin_fail(
            err, AKIN_E_ARGUMENT, NULL,
            "akin_model_info.size is %zu: initialise the struct with AKIN_MODEL_INFO_INIT", size);
    memcpy(out, &info, akin_min(size, sizeof info));
    out->size = size;
    return AKIN_OK;
}

akin_status akin_tokenize(const akin_model *model, const char *text, size_t size, int32_t *ids,
                          size_t capacity, size_t *count, bool *cut, akin_error *err)
{
    if (model->tokenizer == NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "the model was opened without AKIN_PART_TOKENIZER");
    if (capacity < (size_t)model->text_tokens)
        return akin_fail(err, AKIN_E_CAPACITY, NULL, "room for %zu ids; a text may have %d",
                         capacity, (int)model->text_tokens);
    int32_t written = 0;
    akin_status status = akin_tokenizer_encode(model->tokenizer, text, size, model->text_tokens,
                                               ids, &written, cut, err);
    *count = (size_t)written;
    return status;
}
