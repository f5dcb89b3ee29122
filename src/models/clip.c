/* clip.c - CLIP's two towers. */
#include "models/clip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "models/bind.h"

/* Rows that pass through the layers together. Enough that a pass over the weights (350 MB for
 * ViT-B/32) is shared by many products; few enough that the widest activations (4 d floats a row)
 * stay in the last-level cache. Batches are cut into groups of this many rows; a row's bits do not
 * depend on its group. */
enum { GROUP_ROWS = 512 };

/* ---- Binding -------------------------------------------------------------------------------- */

static float *floats(size_t count)
{
    return akin_large_alloc(count * sizeof(float));
}

/* Adds a plain tensor and allocates its target when the tower is wanted. */
static void bind_values(akin_slots *slots, bool load, float **target, int dims,
                        const int64_t *shape, const char *prefix, const char *name)
{
    size_t count = 1;
    for (int i = 0; i < dims; i++)
        count *= (size_t)shape[i]; /* the config's ranges keep this below 2^40 */
    akin_slot *slot = akin_slots_add(slots, dims, shape, "%s%s", prefix, name);
    if (!load)
        return;
    *target = floats(count);
    if (*target == NULL)
        slots->status = AKIN_E_NOMEM;
    slot->values = *target;
}

static void bind_norm(akin_slots *slots, bool load, akin_norm *norm, size_t n, float eps,
                      const char *prefix, const char *name)
{
    const int64_t shape[] = { (int64_t)n };
    norm->eps = eps;
    akin_slot *slot = akin_slots_add(slots, 1, shape, "%s%s.weight", prefix, name);
    if (load)
        slot->values = norm->weight = floats(n);
    slot = akin_slots_add(slots, 1, shape, "%s%s.bias", prefix, name);
    if (load)
        slot->values = norm->bias = floats(n);
    if (load && (norm->weight == NULL || norm->bias == NULL))
        slots->status = AKIN_E_NOMEM;
}

/* Adds weight (and bias) of `rows` outputs as rows [first, first + rows) of linear, initialised. */
static void bind_rows(akin_slots *slots, bool load, akin_linear *linear, size_t in, size_t first,
                      size_t rows, bool bias, const char *prefix, const char *name)
{
    const int64_t shape[] = { (int64_t)rows, (int64_t)in };
    akin_slot *slot = akin_slots_add(slots, 2, shape, "%s%s.weight", prefix, name);
    if (load) {
        slot->linear = linear;
        slot->first = first;
    }
    if (!bias)
        return;
    slot = akin_slots_add(slots, 1, shape, "%s%s.bias", prefix, name);
    if (load)
        slot->values = linear->bias + first;
}

static akin_status bind_encoder(akin_slots *slots, bool load, akin_encoder *encoder,
                                const akin_tower_config *config, bool causal,
                                const akin_kernels *kernels, bool round_bf16, const char *tower,
                                akin_error *err)
{
    const size_t d = config->width;
    *encoder = (akin_encoder){ .d = d, .heads = config->heads, .hidden = config->hidden,
                               .activation = config->activation, .causal = causal };
    encoder->layers = calloc(akin_max(config->layers, 1), sizeof *encoder->layers);
    if (encoder->layers == NULL)
        return akin_fail_nomem(err, "layers", 0);
    encoder->layer_count = config->layers;
    akin_status status = AKIN_OK;
    for (size_t l = 0; l < config->layers; l++) {
        akin_encoder_layer *layer = &encoder->layers[l];
        char prefix[80];
        snprintf(prefix, sizeof prefix, "%s.encoder.layers.%zu.", tower, l);
        if (load) {
            AKIN_TRY(akin_linear_init(&layer->qkv, kernels, round_bf16, d, 3 * d, true, err));
            AKIN_TRY(akin_linear_init(&layer->out, kernels, round_bf16, d, d, true, err));
            AKIN_TRY(
                akin_linear_init(&layer->fc1, kernels, round_bf16, d, config->hidden, true, err));
            AKIN_TRY(
                akin_linear_init(&layer->fc2, kernels, round_bf16, config->hidden, d, true, err));
        }
        bind_norm(slots, load, &layer->norm1, d, config->eps, prefix, "layer_norm1");
        bind_rows(slots, load, &layer->qkv, d, 0, d, true, prefix, "self_attn.q_proj");
        bind_rows(slots, load, &layer->qkv, d, d, d, true, prefix, "self_attn.k_proj");
        bind_rows(slots, load, &layer->qkv, d, 2 * d, d, true, prefix, "self_attn.v_proj");
        bind_rows(slots, load, &layer->out, d, 0, d, true, prefix, "self_attn.out_proj");
        bind_norm(slots, load, &layer->norm2, d, config->eps, prefix, "layer_norm2");
        bind_rows(slots, load, &layer->fc1, d, 0, config->hidden, true, prefix, "mlp.fc1");
        bind_rows(slots, load, &layer->fc2, config->hidden, 0, d, true, prefix, "mlp.fc2");
    }
out:
    return status;
}

static akin_status bind_text(akin_slots *slots, bool load, akin_text_tower *tower,
                             const akin_clip_config *c, const akin_kernels *kernels,
                             bool round_bf16, akin_error *err)
{
    const size_t d = c->text.width;
    akin_status status = AKIN_OK;
    bind_values(slots, load, &tower->tokens, 2,
                (const int64_t[]){ (int64_t)c->vocabulary, (int64_t)d }, "text_model.embeddings.",
                "token_embedding.weight");
    bind_values(slots, load, &tower->positions, 2,
                (const int64_t[]){ (int64_t)c->text_tokens, (int64_t)d }, "text_model.embeddings.",
                "position_embedding.weight");
    AKIN_TRY(bind_encoder(slots, load, &tower->encoder, &c->text, true, kernels, round_bf16,
                          "text_model", err));
    bind_norm(slots, load, &tower->final, d, c->text.eps, "text_model.", "final_layer_norm");
    if (load)
        AKIN_TRY(
            akin_linear_init(&tower->projection, kernels, false, d, c->dimensions, false, err));
    bind_rows(slots, load, &tower->projection, d, 0, c->dimensions, false, "", "text_projection");
out:
    return status;
}

static akin_status bind_vision(akin_slots *slots, bool load, akin_vision_tower *tower,
                               const akin_clip_config *c, const akin_kernels *kernels,
                               bool round_bf16, akin_error *err)
{
    const size_t d = c->vision.width, taps = 3 * c->patch * c->patch;
    akin_status status = AKIN_OK;
    bind_values(slots, load, &tower->class_embedding, 1, (const int64_t[]){ (int64_t)d },
                "vision_model.embeddings.", "class_embedding");
    if (load)
        AKIN_TRY(akin_linear_init(&tower->patch, kernels, round_bf16, taps, d, false, err));
    akin_slot *slot = akin_slots_add(
        slots, 4, (const int64_t[]){ (int64_t)d, 3, (int64_t)c->patch, (int64_t)c->patch }, "%s",
        "vision_model.embeddings.patch_embedding.weight");
    if (load)
        slot->linear = &tower->patch;
    bind_values(slots, load, &tower->positions, 2,
                (const int64_t[]){ (int64_t)(1 + c->grid * c->grid), (int64_t)d },
                "vision_model.embeddings.", "position_embedding.weight");
    bind_norm(slots, load, &tower->pre, d, c->vision.eps, "vision_model.", "pre_layrnorm");
    AKIN_TRY(bind_encoder(slots, load, &tower->encoder, &c->vision, false, kernels, round_bf16,
                          "vision_model", err));
    bind_norm(slots, load, &tower->post, d, c->vision.eps, "vision_model.", "post_layernorm");
    if (load)
        AKIN_TRY(
            akin_linear_init(&tower->projection, kernels, false, d, c->dimensions, false, err));
    bind_rows(slots, load, &tower->projection, d, 0, c->dimensions, false, "", "visual_projection");
out:
    return status;
}

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

/* Buffers that older releases of transformers saved: 0, 1, 2, ... */
static bool is_position_ids(const char *name)
{
    return strcmp(name, "text_model.embeddings.position_ids") == 0 ||
           strcmp(name, "vision_model.embeddings.position_ids") == 0;
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
    akin_slots slots = { 0 };
    akin_checkpoint *checkpoint = NULL;
    akin_status status = AKIN_OK;
    /* First everything is checked with nothing allocated, so that a config that promises more than
     * its weights file holds costs nothing; then the table is built again with targets. */
    AKIN_TRY(akin_checkpoint_open(&checkpoint, folder, err));
    for (int pass = 0; pass < 2; pass++) {
        const bool load = pass == 1;
        akin_slots_clear(&slots);
        clear_encoder(&clip->text.encoder);
        clear_encoder(&clip->vision.encoder);
        akin_slots_add(&slots, 0, (const int64_t[]){ 0 }, "logit_scale")->values =
            &clip->logit_scale;
        AKIN_TRY(bind_text(&slots, load && text, &clip->text, config, kernels, round_bf16, err));
        AKIN_TRY(
            bind_vision(&slots, load && vision, &clip->vision, config, kernels, round_bf16, err));
        if (!load)
            AKIN_TRY(akin_bind_check(&slots, checkpoint, is_position_ids, err));
    }
    AKIN_TRY(akin_bind_load(&slots, checkpoint, pool, kernels, !text && !vision, err));
    for (size_t i = 0; i < slots.count; i++)
        clip->parameters +=
            akin_tensor_count(akin_checkpoint_find(checkpoint, slots.items[i].name));
    clip->weights = strdup(akin_checkpoint_path(checkpoint));
    if (clip->weights == NULL)
        status = akin_fail_nomem(err, "path", 0);
out:
    akin_slots_clear(&slots);
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
    free(clip->weights);
    free(clip);
}

/* ---- Pictures ------------------------------------------------------------------------------- */

struct patches {
    const float *pixels; /* [count, 3, image, image] */
    size_t image, patch, grid;
    float *out; /* [count, grid * grid, 3 * patch * patch] */
};

/* One row of patches of one picture: a convolution with stride = kernel is a product with the patch
 * laid out as the kernel is, channel by channel. */
static void patch_row_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct patches *t = context;
    const size_t p = t->patch, taps = 3 * p * p;
    const float *picture = t->pixels + i / t->grid * 3 * t->image * t->image;
    const size_t gy = i % t->grid;
    float *out = t->out + i * t->grid * taps;
    for (size_t gx = 0; gx < t->grid; gx++)
        for (size_t c = 0; c < 3; c++)
            for (size_t y = 0; y < p; y++, out += p)
                memcpy(out, picture + (c * t->image + gy * p + y) * t->image + gx * p,
                       p * sizeof *out);
}

static akin_status encode_image_group(const akin_clip *clip, const akin_nn *nn, const float *pixels,
                                      size_t count, float *out, akin_error *err)
{
    const akin_clip_config *c = &clip->config;
    const akin_vision_tower *tower = &clip->vision;
    const size_t d = c->vision.width, patches = c->grid * c->grid, tokens = patches + 1;
    const size_t taps = 3 * c->patch * c->patch;
    akin_status status = AKIN_OK;
    akin_arena_mark mark = akin_arena_now(nn->arena);
    float *x = akin_arena_take(nn->arena, count * tokens * d, sizeof *x);
    float *pooled = akin_arena_take(nn->arena, count * d, sizeof *pooled);
    size_t *starts = akin_arena_take(nn->arena, count + 1, sizeof *starts);
    size_t *first = akin_arena_take(nn->arena, count, sizeof *first);
    akin_arena_mark inner = akin_arena_now(nn->arena);
    float *columns = akin_arena_take(nn->arena, count * patches * taps, sizeof *columns);
    float *embedded = akin_arena_take(nn->arena, count * patches * d, sizeof *embedded);
    if (x == NULL || pooled == NULL || starts == NULL || first == NULL || columns == NULL ||
        embedded == NULL) {
        status = akin_fail_nomem(err, "activations", count * tokens * d * sizeof *x);
        goto out;
    }
    struct patches t = { pixels, c->image, c->patch, c->grid, columns };
    akin_pool_run(nn->pool, count * c->grid, patch_row_task, &t);
    AKIN_TRY(akin_linear_run(nn, &tower->patch, columns, taps, count * patches, NULL, AKIN_ACT_NONE,
                             NULL, 0, embedded, d, err));
    for (size_t i = 0; i < count; i++) {
        float *row = x + i * tokens * d;
        for (size_t j = 0; j < d; j++)
            row[j] = tower->class_embedding[j] + tower->positions[j];
        for (size_t j = 0; j < patches * d; j++)
            row[d + j] = embedded[i * patches * d + j] + tower->positions[d + j];
        starts[i] = i * tokens;
        first[i] = 0;
    }
    starts[count] = count * tokens;
    akin_arena_release(nn->arena, inner);

    akin_norm_run(nn, &tower->pre, x, d, count * tokens, d, x, d);
    AKIN_TRY(akin_encoder_run(nn, &tower->encoder, x, starts, first, count, pooled, err));
    AKIN_TRY(akin_linear_run(nn, &tower->projection, pooled, d, count, &tower->post, AKIN_ACT_NONE,
                             NULL, 0, out, c->dimensions, err));
out:
    akin_arena_release(nn->arena, mark);
    return status;
}

akin_status akin_clip_encode_images(const akin_clip *clip, const akin_nn *nn, const float *pixels,
                                    size_t count, float *out, akin_error *err)
{
    const akin_clip_config *c = &clip->config;
    const size_t group = akin_max(1, GROUP_ROWS / (c->grid * c->grid + 1));
    for (size_t i = 0; i < count; i += group) {
        akin_status status =
            encode_image_group(clip, nn, pixels + i * 3 * c->image * c->image,
                               akin_min(group, count - i), out + i * c->dimensions, err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

/* Where a text is read off. transformers: with eos_token_id 2 (older files, the value was wrong)
 * the first occurrence of the largest id, else the first eos, else position 0. */
static size_t pooling_position(const int32_t *ids, size_t count, int32_t eos)
{
    size_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (eos != 2 && ids[i] == eos)
            return i;
        if (ids[i] > ids[largest])
            largest = i;
    }
    return eos == 2 ? largest : 0;
}

static akin_status encode_text_group(const akin_clip *clip, const akin_nn *nn, const int32_t *ids,
                                     const size_t *starts, size_t count, float *out,
                                     akin_error *err)
{
    const akin_clip_config *c = &clip->config;
    const akin_text_tower *tower = &clip->text;
    const size_t d = c->text.width, rows = starts[count] - starts[0];
    akin_status status = AKIN_OK;
    akin_arena_mark mark = akin_arena_now(nn->arena);
    float *x = akin_arena_take(nn->arena, rows * d, sizeof *x);
    float *pooled = akin_arena_take(nn->arena, count * d, sizeof *pooled);
    size_t *own_starts = akin_arena_take(nn->arena, count + 1, sizeof *own_starts);
    size_t *positions = akin_arena_take(nn->arena, count, sizeof *positions);
    if (x == NULL || pooled == NULL || own_starts == NULL || positions == NULL) {
        status = akin_fail_nomem(err, "activations", rows * d * sizeof *x);
        goto out;
    }
    for (size_t s = 0; s < count; s++) {
        const size_t length = starts[s + 1] - starts[s];
        own_starts[s] = starts[s] - starts[0];
        positions[s] = pooling_position(ids + starts[s], length, c->eos);
        for (size_t i = 0; i < length; i++) {
            const float *token = tower->tokens + (size_t)ids[starts[s] + i] * d;
            float *row = x + (own_starts[s] + i) * d;
            for (size_t j = 0; j < d; j++)
                row[j] = token[j] + tower->positions[i * d + j];
        }
    }
    own_starts[count] = rows;
    AKIN_TRY(akin_encoder_run(nn, &tower->encoder, x, own_starts, positions, count, pooled, err));
    AKIN_TRY(akin_linear_run(nn, &tower->projection, pooled, d, count, &tower->final, AKIN_ACT_NONE,
                             NULL, 0, out, c->dimensions, err));
out:
    akin_arena_release(nn->arena, mark);
    return status;
}

akin_status akin_clip_encode_texts(const akin_clip *clip, const akin_nn *nn, const int32_t *ids,
                                   const size_t *starts, size_t count, float *out, akin_error *err)
{
    const akin_clip_config *c = &clip->config;
    for (size_t s = 0; s < count; s++) {
        if (starts[s + 1] - starts[s] > c->text_tokens || starts[s + 1] == starts[s])
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "a text of %zu tokens; the model takes 1 to %zu",
                             starts[s + 1] - starts[s], c->text_tokens);
        for (size_t i = starts[s]; i < starts[s + 1]; i++)
            if (ids[i] < 0 || (size_t)ids[i] >= c->vocabulary)
                return akin_fail(
                    err, AKIN_E_TOKENIZER, NULL,
                    "token id %d lies past the model's vocabulary of %zu: tokenizer and "
                    "weights do not belong together",
                    ids[i], c->vocabulary);
    }
    for (size_t s = 0; s < count;) {
        size_t end = s + 1;
        while (end < count && starts[end + 1] - starts[s] <= GROUP_ROWS)
            end++;
        akin_status status =
            encode_text_group(clip, nn, ids, starts + s, end - s, out + s * c->dimensions, err);
        if (status != AKIN_OK)
            return status;
        s = end;
    }
    return AKIN_OK;
}
