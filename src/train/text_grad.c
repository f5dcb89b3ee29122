/* text_grad.c - CLIP's text tower, forward and backward, over texts without padding.
 *
 * Computes what models/clip.c does. Reference: transformers 5.23.0 CLIPTextModel, open_clip 3.3.0
 * TextTransformer; PyTorch's autograd for gradients. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "models/clip.h"
#include "models/clip_names.h"
#include "train/encoder_grad.h"
#include "train/matrix.h"
#include "train/towers.h"

struct akin_text_tape {
    akin_encoder_tape encoder;
    float *state; /* [count, width]: the pooled states before the final norm */
};

/* ---- Parameters ----------------------------------------------------------------------------- */

akin_status akin_text_bind(akin_net *net, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const bool hf = c->form == AKIN_FORM_HF;
    const akin_clip_names *n = hf ? &akin_clip_names_hf : &akin_clip_names_open_clip;
    const char *prefix = !hf && c->custom_text ? "text." : n->text;
    const int64_t d = (int64_t)c->text.width, out = (int64_t)c->dimensions;
    akin_parameters *list = &net->parameters;
    akin_text_net *text = &net->text;
    text->tokens = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2,
                                       (const int64_t[]){ (int64_t)c->vocabulary, d }, "%s%s",
                                       prefix, n->tokens);
    text->positions = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2,
                                          (const int64_t[]){ (int64_t)c->text_tokens, d }, "%s%s",
                                          prefix, n->text_positions);
    akin_status status = akin_encoder_net_bind(list, &text->encoder, &c->text, !c->bidirectional,
                                               c->form, prefix, err);
    if (status != AKIN_OK)
        return status;
    akin_bind_norm_net(list, c->text.width, prefix, n->final, &text->final_w, &text->final_b);
    text->projection_w = text->projection_b = SIZE_MAX;
    if (c->no_projection)
        return AKIN_OK;
    const char *before = hf ? "" : prefix, *ending = hf || c->projection_bias ? ".weight" : "";
    const int64_t turned[] = { d, out }, straight[] = { out, d };
    text->projection_w = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2,
                                             *ending == '\0' ? turned : straight, "%s%s%s", before,
                                             n->text_projection, ending);
    if (c->projection_bias)
        text->projection_b = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, &out, "%s%s.bias",
                                                 before, n->text_projection);
    return AKIN_OK;
}

void akin_text_clear(akin_net *net)
{
    akin_encoder_net_clear(&net->text.encoder);
}

/* TextTransformer.init_parameters, CLIP.init_parameters. */
void akin_text_draw(akin_net *net, uint64_t seed)
{
    akin_parameters *list = &net->parameters;
    const akin_text_net *text = &net->text;
    akin_draw_normal(list, text->tokens, seed, 0.02);
    akin_draw_normal(list, text->positions, seed, 0.01);
    akin_encoder_net_draw(list, &text->encoder, seed, true);
    akin_draw_constant(list, text->final_w, 1.0f);
    akin_draw_constant(list, text->final_b, 0.0f);
    if (net->config.no_projection)
        return;
    akin_draw_normal(list, text->projection_w, seed, 1.0 / sqrt((double)net->config.text.width));
    if (net->config.projection_bias)
        akin_draw_constant(list, text->projection_b, 0.0f);
}

static akin_weight projection_of(const akin_net *net)
{
    const akin_clip_config *c = &net->config;
    const akin_parameters *list = &net->parameters;
    return (akin_weight){ .w = akin_value(list, net->text.projection_w),
                          .transposed = c->form == AKIN_FORM_OPEN_CLIP && !c->projection_bias,
                          .b = c->projection_bias ? akin_value(list, net->text.projection_b) : NULL,
                          .in = c->text.width, .out = c->dimensions };
}

static akin_norm_net final_of(const akin_net *net)
{
    return (akin_norm_net){ &net->parameters, net->text.final_w, net->text.final_b,
                            net->config.text.eps, net->config.text.width };
}

static bool embeddings_learn(const akin_net *net)
{
    return akin_learns(&net->parameters, net->text.tokens) ||
           akin_learns(&net->parameters, net->text.positions);
}

/* ---- Forward -------------------------------------------------------------------------------- */

static akin_status check(const akin_clip_config *c, const akin_text_input *input, akin_error *err)
{
    for (size_t s = 0; s < input->count; s++) {
        const size_t start = input->starts[s], end = input->starts[s + 1];
        if (end <= start || end - start > c->text_tokens)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "a text of %zu tokens; the model takes 1 to %zu",
                             end <= start ? 0 : end - start, c->text_tokens);
        for (size_t i = start; i < end; i++)
            if (input->ids[i] < 0 || (size_t)input->ids[i] >= c->vocabulary)
                return akin_fail(err, AKIN_E_TOKENIZER, NULL,
                                 "token id %d lies past the model's vocabulary of %zu: tokenizer "
                                 "and weights do not belong together",
                                 input->ids[i], c->vocabulary);
    }
    return AKIN_OK;
}

struct embed_job {
    const akin_net *net;
    const akin_text_input *input;
    float *x;
};

static void embed_task(void *context, size_t s, int worker)
{
    (void)worker;
    const struct embed_job *t = context;
    const size_t d = t->net->config.text.width, start = t->input->starts[s];
    const float *tokens = akin_value(&t->net->parameters, t->net->text.tokens);
    const float *positions = akin_value(&t->net->parameters, t->net->text.positions);
    float *row = t->x + (start - t->input->starts[0]) * d;
    for (size_t i = start; i < t->input->starts[s + 1]; i++, row += d) {
        const float *token = tokens + (size_t)t->input->ids[i] * d;
        for (size_t j = 0; j < d; j++)
            row[j] = token[j] + positions[(i - start) * d + j];
    }
}

akin_status akin_text_forward(akin_net *net, const akin_work *work, const akin_text_input *input,
                              akin_text_tape **out_tape, float *out, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const size_t d = c->text.width, count = input->count;
    akin_status status;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    if (out_tape != NULL)
        *out_tape = NULL;
    if (count == 0)
        return AKIN_OK;
    AKIN_TRY(check(c, input, err));
    const size_t rows = input->starts[count] - input->starts[0];
    akin_text_tape *tape = akin_arena_take(work->arena, 1, sizeof *tape);
    size_t *starts = akin_arena_take(work->arena, count + 1, sizeof *starts);
    size_t *pooled = akin_arena_take(work->arena, count, sizeof *pooled);
    float *x = akin_arena_take(work->arena, rows + count, d * sizeof *x);
    if (tape == NULL || starts == NULL || pooled == NULL || x == NULL) {
        status = akin_fail_nomem(err, "activations", rows * d * sizeof *x);
        goto out;
    }
    for (size_t s = 0; s < count; s++) {
        const size_t start = input->starts[s];
        starts[s] = start - input->starts[0];
        pooled[s] = starts[s] + akin_clip_pooling_position(c, input->ids + start,
                                                           input->starts[s + 1] - start);
    }
    starts[count] = rows;
    *tape = (akin_text_tape){ .encoder = { .list = &net->parameters, .net = &net->text.encoder,
                                           .rows = rows, .count = count, .starts = starts,
                                           .pooled = pooled },
                              .state = x + rows * d };
    struct embed_job embed = { net, input, x };
    akin_pool_run(work->pool, count, embed_task, &embed);
    AKIN_TRY(akin_encoder_forward(&tape->encoder, work, x, out_tape != NULL, embeddings_learn(net),
                                  tape->state, err));

    const akin_norm_net final = final_of(net);
    const akin_arena_mark inner = akin_arena_now(work->arena);
    if (c->no_projection) {
        akin_rows_norm(work, &final, tape->state, count, out, NULL);
    } else {
        const akin_weight projection = projection_of(net);
        float *y = akin_arena_take(work->arena, count, d * sizeof *y);
        if (y == NULL) {
            status = akin_fail_nomem(err, "activations", count * d * sizeof *y);
            goto out;
        }
        akin_rows_norm(work, &final, tape->state, count, y, NULL);
        AKIN_TRY(akin_matrix_forward(work, &projection, y, d, count, out, c->dimensions, err));
    }
    akin_arena_release(work->arena, inner);
    if (out_tape != NULL)
        *out_tape = tape;
out:
    if (status != AKIN_OK || out_tape == NULL)
        akin_arena_release(work->arena, mark);
    return status;
}

/* ---- Backward ------------------------------------------------------------------------------- */

/* dx [rows, width] into the tables. */
static akin_status embeddings_back(akin_net *net, const akin_work *work,
                                   const akin_text_input *input, const float *dx, akin_error *err)
{
    const size_t base = input->starts[0], rows = input->starts[input->count] - base;
    const size_t d = net->config.text.width;
    float *tokens = akin_gradient(&net->parameters, net->text.tokens);
    float *positions = akin_gradient(&net->parameters, net->text.positions);
    uint32_t *index = akin_arena_take(work->arena, rows, sizeof *index);
    if (index == NULL)
        return akin_fail_nomem(err, "gradients", rows * sizeof *index);
    for (size_t r = 0; r < rows; r++)
        index[r] = (uint32_t)input->ids[base + r];
    if (tokens != NULL)
        akin_rows_scatter(work, dx, rows, d, index, tokens);
    for (size_t s = 0; s < input->count; s++)
        for (size_t i = input->starts[s]; i < input->starts[s + 1]; i++)
            index[i - base] = (uint32_t)(i - input->starts[s]);
    if (positions != NULL)
        akin_rows_scatter(work, dx, rows, d, index, positions);
    return AKIN_OK;
}

akin_status akin_text_backward(akin_net *net, const akin_work *work, const akin_text_input *input,
                               const akin_text_tape *tape, const float *dout, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const size_t d = c->text.width, count = input->count;
    const akin_parameters *list = &net->parameters;
    akin_status status = AKIN_OK;
    if (tape == NULL)
        return AKIN_OK;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    const akin_norm_net final = final_of(net);
    const bool below = embeddings_learn(net), encoder = akin_encoder_learns(&tape->encoder, below);
    const bool state = encoder || akin_learns(list, final.w) || akin_learns(list, final.b);
    const size_t rows = tape->encoder.rows;
    float *y = akin_arena_take(work->arena, count, d * sizeof *y);
    float *dy = akin_arena_take(work->arena, count, d * sizeof *dy);
    akin_row_norm *norms = akin_arena_take(work->arena, count, sizeof *norms);
    float *dx = below ? akin_arena_take(work->arena, rows, d * sizeof *dx) : NULL;
    if (y == NULL || dy == NULL || norms == NULL || (below && dx == NULL)) {
        status = akin_fail_nomem(err, "gradients", rows * d * sizeof *dx);
        goto out;
    }
    akin_rows_norm(work, &final, tape->state, count, y, norms);
    if (c->no_projection) {
        memcpy(dy, dout, count * d * sizeof *dy);
    } else {
        const akin_weight projection = projection_of(net);
        AKIN_TRY(akin_matrix_backward(
            work, &projection, y, d, count, dout, c->dimensions, state ? dy : NULL, d, false,
            akin_gradient(list, net->text.projection_w),
            c->projection_bias ? akin_gradient(list, net->text.projection_b) : NULL, err));
    }
    if (!state)
        goto out;
    AKIN_TRY(akin_rows_norm_back(work, &final, tape->state, norms, dy, count, false, dy, err));
    if (encoder)
        AKIN_TRY(akin_encoder_backward(&tape->encoder, work, dy, dx, err));
    if (below)
        AKIN_TRY(embeddings_back(net, work, input, dx, err));
out:
    akin_arena_release(work->arena, mark);
    return status;
}
