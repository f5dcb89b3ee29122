/* clip_load.c - a CLIP checkpoint into its two towers: names, shapes and layouts of both forms.
 *
 * Refuses a tensor that is missing, misshapen or not part of the model. Reference of the open_clip
 * form: open_clip 3.3.0 factory.py load_checkpoint.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "models/bind.h"
#include "models/clip.h"
#include "models/clip_names.h"
#include "models/resample.h"

/* ---- Names ---------------------------------------------------------------------------------- */

/* Tensors that a file may hold and no model needs: counters, masks and positions 0, 1, 2, ... that
 * older releases saved. */
static bool is_ignorable(const char *name)
{
    static const char *const known[] = { "text_model.embeddings.position_ids",
                                         "vision_model.embeddings.position_ids" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static bool is_ignorable_open_clip(const char *name)
{
    static const char *const known[] = { "attn_mask", "text.attn_mask",
                                         "text.transformer.embeddings.position_ids" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return akin_resnet_ignores(name);
}

static bool is_ignorable_bare(const char *name)
{
    for (const char *const *extra = akin_clip_bare_extras; *extra != NULL; extra++)
        if (strcmp(name, *extra) == 0)
            return true;
    return is_ignorable_open_clip(name);
}

akin_ignorable akin_clip_ignorable(const akin_clip_config *config)
{
    return config->bare                          ? is_ignorable_bare
           : config->form == AKIN_FORM_OPEN_CLIP ? is_ignorable_open_clip
                                                 : is_ignorable;
}

/* ---- Binding -------------------------------------------------------------------------------- */

/* A position table in another size than the model's: it is loaded as it is, then resampled. */
typedef struct stretch {
    float *from; /* in the slots' scratch; NULL: the table has the right size */
    size_t rows;
    akin_dtype dtype; /* of the file's table */
} stretch;

typedef struct binder {
    akin_slots slots;
    const akin_checkpoint *checkpoint;
    const akin_clip_config *config;
    const akin_kernels *kernels;
    bool round_bf16;
    bool load; /* the tower at hand gets its targets */
    akin_clip_names names;
    char prefix[96]; /* of the names at hand */
    stretch text, vision;
    akin_error *err;
} binder;

static float *floats(size_t count)
{
    return akin_large_alloc(count * sizeof(float));
}

/* Adds a plain tensor and allocates its target when the tower is wanted. */
static void bind_values(binder *b, float **target, int dims, const int64_t *shape, const char *name)
{
    size_t count = 1;
    for (int i = 0; i < dims; i++)
        count *= (size_t)shape[i]; /* the config's ranges keep this below 2^40 */
    akin_slot *slot = akin_slots_add(&b->slots, dims, shape, "%s%s", b->prefix, name);
    if (!b->load)
        return;
    *target = floats(count);
    if (*target == NULL)
        b->slots.status = AKIN_E_NOMEM;
    slot->values = *target;
}

static void bind_norm(binder *b, akin_norm *norm, size_t n, float eps, const char *name)
{
    const int64_t shape[] = { (int64_t)n };
    norm->eps = eps;
    akin_slot *slot = akin_slots_add(&b->slots, 1, shape, "%s%s.weight", b->prefix, name);
    if (b->load)
        slot->values = norm->weight = floats(n);
    slot = akin_slots_add(&b->slots, 1, shape, "%s%s.bias", b->prefix, name);
    if (b->load)
        slot->values = norm->bias = floats(n);
    if (b->load && (norm->weight == NULL || norm->bias == NULL))
        b->slots.status = AKIN_E_NOMEM;
}

/* Adds a weight [rows, in] and its bias [rows] (NULL: none) as rows [first, first + rows) of
 * linear, initialised. scale: NULL, or what each row is multiplied by. */
static void bind_rows(binder *b, akin_linear *linear, size_t in, size_t first, size_t rows,
                      const float *scale, const char *weight, const char *bias)
{
    const int64_t shape[] = { (int64_t)rows, (int64_t)in };
    akin_slot *slot = akin_slots_add(&b->slots, 2, shape, "%s%s", b->prefix, weight);
    if (b->load) {
        slot->linear = linear;
        slot->first = first;
        slot->scale = scale;
    }
    if (bias == NULL)
        return;
    slot = akin_slots_add(&b->slots, 1, shape, "%s%s", b->prefix, bias);
    if (b->load) {
        slot->values = linear->bias + first;
        slot->scale = scale;
    }
}

/* The same of a name that stands for both. */
static void bind_linear(binder *b, akin_linear *linear, size_t in, size_t first, size_t rows,
                        const float *scale, bool bias, const char *name)
{
    char weight_name[64], bias_name[64];
    snprintf(weight_name, sizeof weight_name, "%s.weight", name);
    snprintf(bias_name, sizeof bias_name, "%s.bias", name);
    bind_rows(b, linear, in, first, rows, scale, weight_name, bias ? bias_name : NULL);
}

/* A projection [dimensions, d]; open_clip's is stored the other way round, for x @ P, and without
 * ".weight", but for the one with a bias. */
static akin_status bind_projection(binder *b, akin_linear *linear, size_t d, bool bias,
                                   const char *name)
{
    const size_t out = b->config->dimensions;
    akin_status status = AKIN_OK;
    if (b->load)
        AKIN_TRY(akin_linear_init(linear, b->kernels, false, d, out, bias, b->err));
    if (b->config->form == AKIN_FORM_HF)
        b->prefix[0] = '\0';
    if (b->config->form == AKIN_FORM_HF || bias) {
        bind_linear(b, linear, d, 0, out, NULL, bias, name);
        goto out;
    }
    akin_slot *slot = akin_slots_add(&b->slots, 2, (const int64_t[]){ (int64_t)d, (int64_t)out },
                                     "%s%s", b->prefix, name);
    slot->transposed = true;
    if (b->load)
        slot->linear = linear;
out:
    return status;
}

/* A layer's factors, [d], which go into the rows of the linear layer before them: the residual
 * stream is untouched, and inference has no extra step. *scale is NULL where there is none. */
static void bind_scale(binder *b, const akin_tower_config *config, const char *name, float **scale)
{
    *scale = NULL;
    if (!config->layer_scale)
        return;
    akin_slot *slot = akin_slots_add(&b->slots, 1, (const int64_t[]){ (int64_t)config->width },
                                     "%s%s", b->prefix, name);
    if (!b->load)
        return;
    *scale = akin_arena_take(&b->slots.scratch, config->width, sizeof **scale);
    if (*scale == NULL)
        b->slots.status = AKIN_E_NOMEM;
    slot->values = *scale;
}

static akin_status bind_encoder(binder *b, akin_encoder *encoder, const akin_tower_config *config,
                                bool causal, const char *tower)
{
    const size_t d = config->width, hidden = config->hidden;
    const akin_clip_names *n = &b->names;
    *encoder = (akin_encoder){ .d = d, .heads = config->heads, .hidden = hidden,
                               .activation = config->activation, .causal = causal };
    encoder->layers = calloc(akin_max(config->layers, 1), sizeof *encoder->layers);
    if (encoder->layers == NULL)
        return akin_fail_nomem(b->err, "layers", 0);
    encoder->layer_count = config->layers;
    akin_status status = AKIN_OK;
    for (size_t l = 0; l < config->layers; l++) {
        akin_encoder_layer *layer = &encoder->layers[l];
        float *scale1, *scale2;
        snprintf(b->prefix, sizeof b->prefix, "%s%s%zu.", tower, n->layers, l);
        if (b->load) {
            AKIN_TRY(akin_linear_init(&layer->qkv, b->kernels, b->round_bf16, d, 3 * d, true,
                                      b->err));
            AKIN_TRY(akin_linear_init(&layer->out, b->kernels, b->round_bf16, d, d, true, b->err));
            AKIN_TRY(akin_linear_init(&layer->fc1, b->kernels, b->round_bf16, d, hidden, true,
                                      b->err));
            AKIN_TRY(akin_linear_init(&layer->fc2, b->kernels, b->round_bf16, hidden, d, true,
                                      b->err));
        }
        bind_scale(b, config, n->scale1, &scale1);
        bind_scale(b, config, n->scale2, &scale2);
        bind_norm(b, &layer->norm1, d, config->eps, n->norm1);
        if (n->query != NULL) {
            bind_linear(b, &layer->qkv, d, 0, d, NULL, true, n->query);
            bind_linear(b, &layer->qkv, d, d, d, NULL, true, n->key);
            bind_linear(b, &layer->qkv, d, 2 * d, d, NULL, true, n->value);
        } else {
            bind_rows(b, &layer->qkv, d, 0, 3 * d, NULL, n->qkv_weight, n->qkv_bias);
        }
        bind_linear(b, &layer->out, d, 0, d, scale1, true, n->out);
        bind_norm(b, &layer->norm2, d, config->eps, n->norm2);
        bind_linear(b, &layer->fc1, d, 0, hidden, NULL, true, n->fc1);
        bind_linear(b, &layer->fc2, hidden, 0, d, scale2, true, n->fc2);
    }
out:
    return status;
}

/* Positions that are made at load take no room in the file: a config could ask for 4096 x 4096, and
 * attention over them for a petabyte. 128 x 128 is a picture of 2,048 pixels in patches of 16. */
enum { RESAMPLED_POSITIONS = 1 << 14 };

static size_t square_root(size_t n)
{
    size_t root = (size_t)sqrt((double)n);
    while (root * root > n)
        root--;
    while ((root + 1) * (root + 1) <= n)
        root++;
    return root;
}

/* A position table of `rows` rows of d, the first `extra` of which stand apart. open_clip resamples
 * one of another size; `square`: what it stretches must be a square grid. */
static akin_status bind_positions(binder *b, float **target, size_t rows, size_t d, size_t extra,
                                  bool square, stretch *stretched, const char *name)
{
    char full[sizeof b->prefix + 64];
    snprintf(full, sizeof full, "%s%s", b->prefix, name);
    const akin_tensor *tensor = akin_checkpoint_find(b->checkpoint, full);
    size_t found = rows;
    stretched->from = NULL;
    if (b->config->form == AKIN_FORM_OPEN_CLIP && tensor != NULL && tensor->dims == 2 &&
        tensor->shape[1] == (int64_t)d && tensor->shape[0] > (int64_t)extra) {
        const size_t side = square_root((size_t)tensor->shape[0] - extra);
        if (!square || side * side == (size_t)tensor->shape[0] - extra)
            found = (size_t)tensor->shape[0];
    }
    if (found == rows) {
        bind_values(b, target, 2, (const int64_t[]){ (int64_t)rows, (int64_t)d }, name);
        return AKIN_OK;
    }
    if (rows > RESAMPLED_POSITIONS)
        return akin_fail(b->err, AKIN_E_LIMIT, tensor->file,
                         "tensor '%s' has %zu positions, the config asks for %zu; at most %d are "
                         "made of others",
                         full, found, rows, RESAMPLED_POSITIONS);
    akin_slot *slot = akin_slots_add(&b->slots, 2,
                                     (const int64_t[]){ (int64_t)found, (int64_t)d }, "%s", full);
    if (!b->load)
        return AKIN_OK;
    *target = floats(rows * d);
    stretched->from = akin_arena_take(&b->slots.scratch, found * d, sizeof *stretched->from);
    if (*target == NULL || stretched->from == NULL)
        b->slots.status = AKIN_E_NOMEM;
    stretched->rows = found;
    stretched->dtype = tensor->dtype;
    slot->values = stretched->from;
    return AKIN_OK;
}

static akin_status bind_text(binder *b, akin_text_tower *tower)
{
    const akin_clip_config *c = b->config;
    const akin_clip_names *n = &b->names;
    const size_t d = c->text.width;
    akin_status status;
    snprintf(b->prefix, sizeof b->prefix, "%s", n->text);
    bind_values(b, &tower->tokens, 2, (const int64_t[]){ (int64_t)c->vocabulary, (int64_t)d },
                n->tokens);
    AKIN_TRY(bind_positions(b, &tower->positions, c->text_tokens, d, 0, false, &b->text,
                            n->text_positions));
    AKIN_TRY(bind_encoder(b, &tower->encoder, &c->text, !c->bidirectional, n->text));
    snprintf(b->prefix, sizeof b->prefix, "%s", n->text);
    bind_norm(b, &tower->final, d, c->text.eps, n->final);
    if (!c->no_projection)
        AKIN_TRY(bind_projection(b, &tower->projection, d, c->projection_bias,
                                 n->text_projection));
out:
    return status;
}

static akin_status bind_vision(binder *b, akin_vision_tower *tower)
{
    const akin_clip_config *c = b->config;
    const akin_clip_names *n = &b->names;
    const size_t d = c->vision.width, taps = 3 * c->patch * c->patch;
    akin_status status;
    if (c->resnet)
        return akin_resnet_bind(&b->slots, b->load, &tower->resnet, &c->tower, b->kernels,
                                b->round_bf16, n->vision, b->err);
    snprintf(b->prefix, sizeof b->prefix, "%s", n->vision);
    bind_values(b, &tower->class_embedding, 1, (const int64_t[]){ (int64_t)d },
                n->class_embedding);
    if (b->load)
        AKIN_TRY(akin_linear_init(&tower->patch, b->kernels, b->round_bf16, taps, d, false,
                                  b->err));
    akin_slot *slot = akin_slots_add(
        &b->slots, 4, (const int64_t[]){ (int64_t)d, 3, (int64_t)c->patch, (int64_t)c->patch },
        "%s%s", b->prefix, n->patch);
    if (b->load)
        slot->linear = &tower->patch;
    AKIN_TRY(bind_positions(b, &tower->positions, 1 + c->grid_height * c->grid_width, d, 1, true,
                            &b->vision, n->positions));
    if (!c->no_pre_norm)
        bind_norm(b, &tower->pre, d, c->vision.eps, n->pre);
    AKIN_TRY(bind_encoder(b, &tower->encoder, &c->vision, false, n->vision));
    snprintf(b->prefix, sizeof b->prefix, "%s", n->vision);
    bind_norm(b, &tower->post, d, c->vision.eps, n->post);
    AKIN_TRY(bind_projection(b, &tower->projection, d, false, n->vision_projection));
out:
    return status;
}

/* logit_scale or logit_bias: one number, of no dimension or (nonscalar_logit_scale) one; open_clip
 * reads either as the other. */
static void bind_number(binder *b, const char *name, float *target)
{
    const akin_tensor *tensor = akin_checkpoint_find(b->checkpoint, name);
    const bool row = b->config->form == AKIN_FORM_OPEN_CLIP && tensor != NULL && tensor->dims == 1;
    akin_slots_add(&b->slots, row ? 1 : 0, (const int64_t[]){ 1 }, "%s", name)->values = target;
}

/* convert_to_custom_text_state_dict; the other way round the reference refuses it. */
bool akin_clip_lacks_prefix(const akin_clip_config *config, const akin_checkpoint *checkpoint)
{
    return config->custom_text &&
           akin_checkpoint_find(checkpoint, "positional_embedding") != NULL &&
           akin_checkpoint_find(checkpoint, "text_projection") != NULL;
}

/* ---- Opening and closing -------------------------------------------------------------------- */

static void clear_norm(akin_norm *norm)
{
    free(norm->weight);
    free(norm->bias);
}

static void clear_encoder(akin_encoder *encoder)
{
    for (size_t l = 0; l < encoder->layer_count; l++) {
        akin_encoder_layer *layer = &encoder->layers[l];
        clear_norm(&layer->norm1);
        clear_norm(&layer->norm2);
        akin_linear_clear(&layer->qkv);
        akin_linear_clear(&layer->out);
        akin_linear_clear(&layer->fc1);
        akin_linear_clear(&layer->fc2);
    }
    free(encoder->layers);
    *encoder = (akin_encoder){ 0 };
}

/* What is left to do once the tensors are read. */
static akin_status finish(binder *b, akin_clip *clip, akin_pool *pool)
{
    const akin_clip_config *c = b->config;
    if (b->text.from != NULL)
        akin_resample_rows(b->text.from, b->text.rows, clip->text.positions, c->text_tokens,
                           c->text.width, b->text.dtype);
    if (b->vision.from != NULL) {
        const size_t d = c->vision.width;
        memcpy(clip->vision.positions, b->vision.from, d * sizeof(float));
        akin_status status = akin_resample_grid(
            b->vision.from + d, square_root(b->vision.rows - 1), clip->vision.positions + d,
            c->grid_height, c->grid_width, d, b->err);
        if (status != AKIN_OK)
            return status;
    }
    return clip->vision.resnet == NULL
               ? AKIN_OK
               : akin_resnet_finish(clip->vision.resnet, b->kernels, pool, b->err);
}

akin_status akin_clip_open(akin_clip **out, const char *folder, const akin_clip_config *config,
                           const akin_kernels *kernels, bool round_bf16, bool text, bool vision,
                           akin_pool *pool, akin_error *err)
{
    *out = NULL;
    akin_clip *clip = calloc(1, sizeof *clip);
    if (clip == NULL)
        return akin_fail_nomem(err, "model", sizeof *clip);
    clip->config = *config;
    clip->kernels = kernels;
    clip->has_text = text;
    clip->has_vision = vision;
    const bool open_clip = config->form == AKIN_FORM_OPEN_CLIP;
    binder b = { .config = config, .kernels = kernels, .round_bf16 = round_bf16, .err = err,
                 .names = open_clip ? akin_clip_names_open_clip : akin_clip_names_hf };
    akin_checkpoint *checkpoint = NULL;
    akin_status status = AKIN_OK;
    /* First everything is checked with nothing allocated, so that a config that promises more than
     * its weights file holds costs nothing; then the table is built again with targets. */
    AKIN_TRY(akin_checkpoint_open_as(&checkpoint, folder, config->form, err));
    b.checkpoint = checkpoint;
    if (open_clip) {
        b.slots.config = config->bare ? "the rest of the file" : "open_clip_config.json";
        b.names.text = config->custom_text && !akin_clip_lacks_prefix(config, checkpoint)
                           ? "text."
                           : "";
    }
    for (int pass = 0; pass < 2; pass++) {
        akin_slots_clear(&b.slots);
        clear_encoder(&clip->text.encoder);
        clear_encoder(&clip->vision.encoder);
        bind_number(&b, "logit_scale", &clip->logit_scale);
        /* A model with a bias takes a file without one, and 0. */
        if (config->logit_bias && akin_checkpoint_find(checkpoint, "logit_bias") != NULL)
            bind_number(&b, "logit_bias", &clip->logit_bias);
        b.load = pass == 1 && text;
        AKIN_TRY(bind_text(&b, &clip->text));
        b.load = pass == 1 && vision;
        AKIN_TRY(bind_vision(&b, &clip->vision));
        if (pass == 0)
            AKIN_TRY(
                akin_bind_check(&b.slots, checkpoint, akin_clip_ignorable(config), err));
    }
    AKIN_TRY(akin_bind_load(&b.slots, checkpoint, pool, kernels, !text && !vision, err));
    AKIN_TRY(finish(&b, clip, pool));
    for (size_t i = 0; i < b.slots.count; i++)
        clip->parameters +=
            akin_tensor_count(akin_checkpoint_find(checkpoint, b.slots.items[i].name));
    clip->weights = strdup(akin_checkpoint_path(checkpoint));
    if (clip->weights == NULL)
        status = akin_fail_nomem(err, "path", 0);
out:
    akin_slots_clear(&b.slots);
    akin_checkpoint_close(checkpoint);
    if (status == AKIN_OK)
        *out = clip;
    else
        akin_clip_close(clip);
    return status;
}

void akin_clip_close(akin_clip *clip)
{
    if (clip == NULL)
        return;
    free(clip->text.tokens);
    free(clip->text.positions);
    clear_encoder(&clip->text.encoder);
    clear_norm(&clip->text.final);
    akin_linear_clear(&clip->text.projection);
    akin_linear_clear(&clip->vision.patch);
    free(clip->vision.class_embedding);
    free(clip->vision.positions);
    clear_norm(&clip->vision.pre);
    clear_encoder(&clip->vision.encoder);
    clear_norm(&clip->vision.post);
    akin_linear_clear(&clip->vision.projection);
    akin_resnet_free(clip->vision.resnet);
    free(clip->weights);
    free(clip);
}
