/* clip_infer.c - the configuration of a CLIP whose weights file is all there is.
 *
 * Reference: open_clip 3.3.0 model.py build_model_from_openai_state_dict, which loads OpenAI's
 * original files: sizes from the shapes of tensors, heads of 64, MLPs four times as wide, eps 1e-5.
 * What tensors do not show is never guessed: the activation must be said, and towers whose heads
 * are known not to be 64 wide are refused. (The reference takes QuickGELU and 64 for all, and the
 * vectors of another model are wrong without a word.)
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "models/clip_config.h"

enum {
    HEAD_WIDTH = 64,
    MLP_RATIO = 4,
    /* ViT-L's width, the largest whose heads are 64 wide in the models that open_clip knows: ViT-H
     * has 1280 and 80, g 1408 and 88, bigG 1664 and 104, e 1792 and 112. */
    WIDEST_VIT = 1024
};

typedef struct reader {
    const akin_checkpoint *checkpoint;
    const char *path;
    const char *text; /* prefix of the text tower's names */
    akin_error *err;
} reader;

static akin_status missing(const reader *r, const char *name)
{
    return akin_fail(r->err, AKIN_E_TENSOR_MISSING, r->path,
                     "tensor '%s' is missing: akin knows the models in a weights file alone by the "
                     "names of OpenAI's and open_clip's CLIP",
                     name);
}

/* shape[axis] of a tensor of `dims` dimensions, which must lie in [1, max]: the ranges of the
 * fields that would say it. */
static akin_status size_of(const reader *r, const char *prefix, const char *base, int dims,
                           int axis, int64_t max, size_t *out)
{
    char name[96], shape[200];
    snprintf(name, sizeof name, "%s%s", prefix, base);
    const akin_tensor *tensor = akin_checkpoint_find(r->checkpoint, name);
    if (tensor == NULL)
        return missing(r, name);
    akin_shape_text(tensor->shape, tensor->dims, shape, sizeof shape);
    if (tensor->dims != dims)
        return akin_fail(r->err, AKIN_E_TENSOR_SHAPE, tensor->file,
                         "tensor '%s' has shape %s; expected %d dimensions", name, shape, dims);
    if (tensor->shape[axis] < 1 || tensor->shape[axis] > max)
        return akin_fail(r->err, AKIN_E_LIMIT, tensor->file,
                         "tensor '%s' has shape %s; dimension %d must lie between 1 and %" PRId64,
                         name, shape, axis, max);
    *out = (size_t)tensor->shape[axis];
    return AKIN_OK;
}

/* How many numbers stand behind `prefix` in tensors' names. A gap in them is found as a missing
 * tensor when the model is bound. */
static akin_status count_blocks(const reader *r, const char *prefix, size_t *out)
{
    const size_t size = strlen(prefix);
    const char *last = NULL;
    size_t last_size = 0, count = 0;
    for (size_t i = 0; i < akin_checkpoint_count(r->checkpoint); i++) {
        const char *name = akin_checkpoint_at(r->checkpoint, i)->name;
        if (strncmp(name, prefix, size) != 0)
            continue;
        name += size;
        /* '.' sorts before digits: equal numbers are neighbours. */
        const size_t n = strcspn(name, ".");
        count += last == NULL || n != last_size || memcmp(name, last, n) != 0;
        last = name;
        last_size = n;
    }
    if (count > 1000)
        return akin_fail(r->err, AKIN_E_LIMIT, r->path,
                         "%zu layers '%s...'; the limit is 1000", count, prefix);
    if (count == 0)
        return akin_fail(r->err, AKIN_E_TENSOR_MISSING, r->path, "tensors '%s0...' are missing",
                         prefix);
    *out = count;
    return AKIN_OK;
}

/* A position table of 1 + side * side rows. */
static akin_status grid_of(const reader *r, const char *name, size_t *side)
{
    enum { MAX_SIDE = 4096 };
    size_t rows;
    akin_status status =
        size_of(r, "", name, 2, 0, (int64_t)MAX_SIDE * MAX_SIDE + 1, &rows);
    if (status != AKIN_OK)
        return status;
    for (*side = 1; *side * *side + 1 < rows; ++*side)
        ;
    if (rows < 2 || *side * *side + 1 != rows)
        return akin_fail(r->err, AKIN_E_TENSOR_SHAPE, r->path,
                         "tensor '%s' has %zu rows; a square grid and one more is expected", name,
                         rows);
    return AKIN_OK;
}

static akin_status check_heads(const reader *r, const char *prefix, const char *base, size_t width,
                               size_t widest)
{
    if (width % HEAD_WIDTH == 0 && width <= widest)
        return AKIN_OK;
    return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path,
                     "tensor '%s%s': a tower of width %zu does not have OpenAI's heads of %d, and "
                     "the file does not say which; name a folder with open_clip_config.json",
                     prefix, base, width, HEAD_WIDTH);
}

static akin_status infer_vit(const reader *r, akin_clip_config *out)
{
    akin_tower_config *tower = &out->vision;
    size_t side;
    akin_status status;
    AKIN_TRY(size_of(r, "", "visual.conv1.weight", 4, 0, 1 << 16, &tower->width));
    AKIN_TRY(size_of(r, "", "visual.conv1.weight", 4, 3, 4096, &out->patch));
    AKIN_TRY(check_heads(r, "", "visual.conv1.weight", tower->width, WIDEST_VIT));
    AKIN_TRY(count_blocks(r, "visual.transformer.resblocks.", &tower->layers));
    AKIN_TRY(grid_of(r, "visual.positional_embedding", &side));
    if (side * out->patch > 4096) {
        status = akin_fail(r->err, AKIN_E_LIMIT, r->path,
                           "tensor 'visual.positional_embedding': pictures of %zu pixels a side; "
                           "the limit is 4096",
                           side * out->patch);
        goto out;
    }
    tower->heads = tower->width / HEAD_WIDTH;
    tower->hidden = tower->width * MLP_RATIO;
    out->image_height = out->image_width = side * out->patch;
    out->grid_height = out->grid_width = side;
out:
    return status;
}

static akin_status infer_resnet(const reader *r, akin_clip_config *out)
{
    static const char first[] = "visual.layer1.0.conv1.weight";
    akin_resnet_config *tower = &out->tower;
    size_t side;
    akin_status status;
    out->resnet = true;
    for (int i = 0; i < 4; i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "visual.layer%d.", i + 1);
        AKIN_TRY(count_blocks(r, prefix, &tower->blocks[i]));
    }
    AKIN_TRY(size_of(r, "", first, 4, 0, 1 << 12, &tower->width));
    AKIN_TRY(check_heads(r, "", first, tower->width * 32, SIZE_MAX));
    AKIN_TRY(grid_of(r, "visual.attnpool.positional_embedding", &side));
    if (side * 32 > 4096) {
        status = akin_fail(r->err, AKIN_E_LIMIT, r->path,
                           "tensor 'visual.attnpool.positional_embedding': pictures of %zu pixels "
                           "a side; the limit is 4096",
                           side * 32);
        goto out;
    }
    tower->heads = tower->width * 32 / HEAD_WIDTH;
    tower->image = out->image_height = out->image_width = side * 32;
    tower->dimensions = out->dimensions;
out:
    return status;
}

static akin_status infer_text(const reader *r, akin_clip_config *out)
{
    akin_tower_config *tower = &out->text;
    char blocks[64];
    akin_status status;
    AKIN_TRY(size_of(r, r->text, "text_projection", 2, 1, 1 << 16, &out->dimensions));
    AKIN_TRY(size_of(r, r->text, "positional_embedding", 2, 0, 1 << 16, &out->text_tokens));
    AKIN_TRY(size_of(r, r->text, "token_embedding.weight", 2, 0, 1 << 24, &out->vocabulary));
    AKIN_TRY(size_of(r, r->text, "ln_final.weight", 1, 0, 1 << 16, &tower->width));
    AKIN_TRY(check_heads(r, r->text, "ln_final.weight", tower->width, SIZE_MAX));
    if (out->text_tokens < 2) {
        status = akin_fail(r->err, AKIN_E_TENSOR_SHAPE, r->path,
                           "tensor '%spositional_embedding' has 1 row: no text fits between a "
                           "start and an end token",
                           r->text);
        goto out;
    }
    snprintf(blocks, sizeof blocks, "%stransformer.resblocks.", r->text);
    AKIN_TRY(count_blocks(r, blocks, &tower->layers));
    tower->heads = tower->width / HEAD_WIDTH;
    tower->hidden = tower->width * MLP_RATIO;
out:
    return status;
}

/* OpenAI's archives say three of their sizes again, as integers. The reference drops them; one that
 * disagrees is the mark of a file put together by hand. */
static akin_status check_extras(const reader *r, const akin_clip_config *config)
{
    const size_t sizes[] = { config->image_height, config->text_tokens, config->vocabulary };
    for (size_t i = 0; akin_clip_bare_extras[i] != NULL; i++) {
        const akin_tensor *tensor =
            akin_checkpoint_find(r->checkpoint, akin_clip_bare_extras[i]);
        int64_t value;
        if (tensor == NULL)
            continue;
        if (tensor->dtype != AKIN_I64 || akin_tensor_count(tensor) != 1)
            return akin_fail(r->err, AKIN_E_TENSOR_DTYPE, tensor->file,
                             "tensor '%s' must be one I64 number", tensor->name);
        memcpy(&value, tensor->data, sizeof value);
        if (value < 0 || (uint64_t)value != sizes[i])
            return akin_fail(r->err, AKIN_E_CORRUPT, tensor->file,
                             "tensor '%s' is %" PRId64 "; the other tensors say %zu", tensor->name,
                             value, sizes[i]);
    }
    return AKIN_OK;
}

const char *const akin_clip_bare_extras[] = { "input_resolution", "context_length", "vocab_size",
                                              NULL };

/* What the file is, by its names. */
static akin_status check_names(const reader *r, bool *resnet)
{
    for (size_t i = 0; i < akin_checkpoint_count(r->checkpoint); i++) {
        const char *name = akin_checkpoint_at(r->checkpoint, i)->name;
        if (strncmp(name, "text_model.", 11) == 0 || strncmp(name, "vision_model.", 13) == 0)
            return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path,
                             "tensor '%s': a weights file in Hugging Face form does not say what "
                             "its model is; name a folder that holds it together with config.json "
                             "and the tokenizer's files",
                             name);
        if (strncmp(name, "visual.trunk.", 13) == 0)
            return akin_fail(r->err, AKIN_E_UNSUPPORTED, r->path,
                             "tensor '%s': a picture tower of timm, which akin does not compute",
                             name);
    }
    *resnet = akin_checkpoint_find(r->checkpoint, "visual.proj") == NULL &&
              akin_checkpoint_find(r->checkpoint, "visual.attnpool.positional_embedding") != NULL;
    return AKIN_OK;
}

static akin_status read_activation(const reader *r, const char *name, akin_activation *out)
{
    if (name == NULL)
        return akin_fail(r->err, AKIN_E_ARGUMENT, r->path,
                         "weights alone do not say which GELU they were trained with: give "
                         "--activation quick_gelu (OpenAI's own, and what was trained like them) "
                         "or --activation gelu (most of open_clip's), or name a folder that holds "
                         "open_clip_config.json too");
    if (strcmp(name, "quick_gelu") == 0)
        *out = AKIN_ACT_QUICK_GELU;
    else if (strcmp(name, "gelu") == 0)
        *out = AKIN_ACT_GELU;
    else
        return akin_fail(r->err, AKIN_E_ARGUMENT, NULL,
                         "activation is '%s'; it must be quick_gelu or gelu", name);
    return AKIN_OK;
}

akin_status akin_clip_config_infer(akin_clip_config *out, const char *path, const char *activation,
                                   akin_error *err)
{
    *out = (akin_clip_config){ .form = AKIN_FORM_OPEN_CLIP, .bare = true,
                               .pooling = AKIN_POOL_ARGMAX, .clean = AKIN_CLEAN_LOWER };
    akin_checkpoint *checkpoint = NULL;
    akin_activation act = AKIN_ACT_GELU;
    bool resnet = false;
    akin_status status = akin_checkpoint_open_as(&checkpoint, path, AKIN_FORM_OPEN_CLIP, err);
    if (status != AKIN_OK)
        return status;
    reader r = { checkpoint, akin_checkpoint_path(checkpoint), "", err };
    /* What the file is comes first: no flag helps with one that is no CLIP. */
    AKIN_TRY(check_names(&r, &resnet));
    out->custom_text = akin_checkpoint_find(checkpoint, "positional_embedding") == NULL &&
                       akin_checkpoint_find(checkpoint, "text.positional_embedding") != NULL;
    if (out->custom_text)
        r.text = "text.";
    AKIN_TRY(infer_text(&r, out));
    if (resnet)
        AKIN_TRY(infer_resnet(&r, out));
    else
        AKIN_TRY(infer_vit(&r, out));
    AKIN_TRY(check_extras(&r, out));
    AKIN_TRY(read_activation(&r, activation, &act));
    out->text.activation = act;
    out->text.eps = 1e-5f;
    if (!resnet) {
        out->vision.activation = act;
        out->vision.eps = 1e-5f;
    }
out:
    akin_checkpoint_close(checkpoint);
    return status;
}
