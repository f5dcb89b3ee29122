/* clip.c - CLIP's two towers, computed. clip_load.c opens and closes them. */
#include "models/clip.h"

#include <string.h>

#include "base/arith.h"

/* Rows that pass through the layers together. Enough that a pass over the weights (350 MB for
 * ViT-B/32) is shared by many products; few enough that the widest activations (4 d floats a row)
 * stay in the last-level cache. Batches are cut into groups of this many rows; a row's bits do not
 * depend on its group. */
enum { GROUP_ROWS = 512 };

/* ---- Pictures ------------------------------------------------------------------------------- */

struct patches {
    const float *pixels; /* [count, 3, height, width] */
    size_t height, width, patch, rows, columns;
    float *out; /* [count, rows * columns, 3 * patch * patch] */
};

/* One row of patches of one picture: a convolution with stride = kernel is a product with the patch
 * laid out as the kernel is, channel by channel. */
static void patch_row_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct patches *t = context;
    const size_t p = t->patch, taps = 3 * p * p;
    const float *picture = t->pixels + i / t->rows * 3 * t->height * t->width;
    const size_t gy = i % t->rows;
    float *out = t->out + i * t->columns * taps;
    for (size_t gx = 0; gx < t->columns; gx++)
        for (size_t c = 0; c < 3; c++)
            for (size_t y = 0; y < p; y++, out += p)
                memcpy(out, picture + (c * t->height + gy * p + y) * t->width + gx * p,
                       p * sizeof *out);
}

/* The mean of each picture's patches: x [count, tokens, d] without its class positions; out
 * [count, d]. In double, where the order of a sum of 256 terms does not show. */
static void mean_patches(const float *x, size_t count, size_t tokens, size_t d, float *out)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < d; j++) {
            double sum = 0.0;
            for (size_t t = 1; t < tokens; t++)
                sum += x[(i * tokens + t) * d + j];
            out[i * d + j] = (float)(sum / (double)(tokens - 1));
        }
}

static akin_status encode_image_group(const akin_clip *clip, const akin_nn *nn, const float *pixels,
                                      size_t count, float *out, akin_error *err)
{
    const akin_clip_config *c = &clip->config;
    const akin_vision_tower *tower = &clip->vision;
    const size_t d = c->vision.width, patches = c->grid_height * c->grid_width;
    const size_t tokens = patches + 1;
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
    struct patches t = { pixels, c->image_height, c->image_width, c->patch, c->grid_height,
                         c->grid_width, columns };
    akin_pool_run(nn->pool, count * c->grid_height, patch_row_task, &t);
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

    if (!c->no_pre_norm)
        akin_norm_run(nn, &tower->pre, x, d, count * tokens, d, x, d);
    const akin_norm *post = &tower->post;
    AKIN_TRY(akin_encoder_run(nn, &tower->encoder, x, starts, c->average ? NULL : first, count,
                              pooled, err));
    if (c->average) {
        if (!c->norm_last) {
            akin_norm_run(nn, post, x, d, count * tokens, d, x, d);
            post = NULL;
        }
        mean_patches(x, count, tokens, d, pooled);
    }
    AKIN_TRY(akin_linear_run(nn, &tower->projection, pooled, d, count, post, AKIN_ACT_NONE, NULL, 0,
                             out, c->dimensions, err));
out:
    akin_arena_release(nn->arena, mark);
    return status;
}

akin_status akin_clip_encode_images(const akin_clip *clip, const akin_nn *nn, const float *pixels,
                                    size_t count, float *out, akin_error *err)
{
    const akin_clip_config *c = &clip->config;
    const size_t group = akin_max(1, GROUP_ROWS / (c->grid_height * c->grid_width + 1));
    if (c->resnet)
        return akin_resnet_encode(clip->vision.resnet, nn, pixels, count, out, err);
    for (size_t i = 0; i < count; i += group) {
        akin_status status =
            encode_image_group(clip, nn, pixels + i * 3 * c->image_height * c->image_width,
                               akin_min(group, count - i), out + i * c->dimensions, err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

size_t akin_clip_pooling_position(const akin_clip_config *config, const int32_t *ids, size_t count)
{
    size_t at = 0;
    switch (config->pooling) {
    case AKIN_POOL_ARGMAX:
        for (size_t i = 1; i < count; i++)
            if (ids[i] > ids[at])
                at = i;
        break;
    case AKIN_POOL_EOS:
        while (at < count && ids[at] != config->eos)
            at++;
        at = at < count ? at : 0; /* the reference takes argmax of zeros */
        break;
    case AKIN_POOL_FIRST: break;
    case AKIN_POOL_LAST: at = count - 1; break;
    }
    return at;
}

size_t akin_clip_pad(const akin_clip_config *config, int32_t *ids, size_t count, int32_t pad,
                     bool left)
{
    if (config->form == AKIN_FORM_HF || count >= config->text_tokens)
        return count;
    size_t length = config->text_tokens;
    /* A causal tower does not see what stands behind the pooled position: then one pad is enough,
     * and only where it becomes that position itself. 77 positions for a text of 7 would be eleven
     * times the work. */
    if (!left && !config->bidirectional && config->pooling != AKIN_POOL_LAST) {
        const size_t at = akin_clip_pooling_position(config, ids, count);
        const bool largest = config->pooling == AKIN_POOL_ARGMAX && pad > ids[at];
        const bool first_eos = config->pooling == AKIN_POOL_EOS && pad == config->eos &&
                               pad != ids[at];
        length = count + (largest || first_eos ? 1 : 0);
    }
    if (left)
        memmove(ids + length - count, ids, count * sizeof *ids);
    for (size_t i = 0; i < length - count; i++)
        ids[left ? i : count + i] = pad;
    return length;
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
        positions[s] = akin_clip_pooling_position(c, ids + starts[s], length);
        for (size_t i = 0; i < length; i++) {
            const float *token = tower->tokens + (size_t)ids[starts[s] + i] * d;
            float *row = x + (own_starts[s] + i) * d;
            for (size_t j = 0; j < d; j++)
                row[j] = token[j] + tower->positions[i * d + j];
        }
    }
    own_starts[count] = rows;
    AKIN_TRY(akin_encoder_run(nn, &tower->encoder, x, own_starts, positions, count, pooled, err));
    if (c->no_projection)
        akin_norm_run(nn, &tower->final, pooled, d, count, d, out, c->dimensions);
    else
        AKIN_TRY(akin_linear_run(nn, &tower->projection, pooled, d, count, &tower->final,
                                 AKIN_ACT_NONE, NULL, 0, out, c->dimensions, err));
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
