/* vit_grad.c - CLIP's vision transformer, forward and backward, of all patches or of those kept.
 *
 * Computes what models/clip.c does. Reference: transformers 5.23.0 CLIPVisionModel, open_clip 3.3.0
 * VisionTransformer with PatchDropout; PyTorch's autograd for gradients. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "models/clip_names.h"
#include "train/encoder_grad.h"
#include "train/matrix.h"
#include "train/towers.h"

/* An akin_image_tape. */
struct vit_tape {
    akin_encoder_tape encoder;
    size_t tokens;   /* of a picture: its patches and the class position */
    float *embedded; /* [rows, width] before the first norm */
    float *state;    /* what the encoder gave: [count, width], or with `average` [rows, width] */
    float *mean;     /* [count, width], with `average` */
};

/* ---- Parameters ----------------------------------------------------------------------------- */

akin_status akin_vit_bind(akin_net *net, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const bool hf = c->form == AKIN_FORM_HF;
    const akin_clip_names *n = hf ? &akin_clip_names_hf : &akin_clip_names_open_clip;
    const int64_t d = (int64_t)c->vision.width, out = (int64_t)c->dimensions;
    const int64_t patch = (int64_t)c->patch;
    const int64_t positions = 1 + (int64_t)(c->grid_height * c->grid_width);
    akin_parameters *list = &net->parameters;
    akin_vit_net *vit = &net->vit;
    vit->class_embedding = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, &d, "%s%s",
                                               n->vision, n->class_embedding);
    vit->patch = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 4,
                                     (const int64_t[]){ d, 3, patch, patch }, "%s%s", n->vision,
                                     n->patch);
    vit->positions = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2,
                                         (const int64_t[]){ positions, d }, "%s%s", n->vision,
                                         n->positions);
    vit->pre_w = vit->pre_b = SIZE_MAX;
    if (!c->no_pre_norm)
        akin_bind_norm_net(list, c->vision.width, n->vision, n->pre, &vit->pre_w, &vit->pre_b);
    akin_status status = akin_encoder_net_bind(list, &vit->encoder, &c->vision, false, c->form,
                                               n->vision, err);
    if (status != AKIN_OK)
        return status;
    akin_bind_norm_net(list, c->vision.width, n->vision, n->post, &vit->post_w, &vit->post_b);
    const int64_t turned[] = { d, out }, straight[] = { out, d };
    vit->projection = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2, hf ? straight : turned,
                                          "%s%s%s", hf ? "" : n->vision, n->vision_projection,
                                          hf ? ".weight" : "");
    return AKIN_OK;
}

void akin_vit_clear(akin_net *net)
{
    akin_encoder_net_clear(&net->vit.encoder);
}

/* VisionTransformer.__init__ and nn.Conv2d. */
void akin_vit_draw(akin_net *net, uint64_t seed)
{
    akin_parameters *list = &net->parameters;
    const akin_vit_net *vit = &net->vit;
    const double scale = 1.0 / sqrt((double)net->config.vision.width);
    const double patch = (double)net->config.patch;
    akin_draw_normal(list, vit->class_embedding, seed, scale);
    akin_draw_uniform(list, vit->patch, seed, 1.0 / sqrt(3.0 * patch * patch));
    akin_draw_normal(list, vit->positions, seed, scale);
    if (!net->config.no_pre_norm) {
        akin_draw_constant(list, vit->pre_w, 1.0f);
        akin_draw_constant(list, vit->pre_b, 0.0f);
    }
    akin_encoder_net_draw(list, &vit->encoder, seed, false);
    akin_draw_constant(list, vit->post_w, 1.0f);
    akin_draw_constant(list, vit->post_b, 0.0f);
    akin_draw_normal(list, vit->projection, seed, scale);
}

static akin_weight patch_of(const akin_net *net)
{
    const size_t p = net->config.patch;
    return (akin_weight){ .w = akin_value(&net->parameters, net->vit.patch), .in = 3 * p * p,
                          .out = net->config.vision.width };
}

static akin_weight projection_of(const akin_net *net)
{
    return (akin_weight){ .w = akin_value(&net->parameters, net->vit.projection),
                          .transposed = net->config.form == AKIN_FORM_OPEN_CLIP,
                          .in = net->config.vision.width, .out = net->config.dimensions };
}

static akin_norm_net norm_of(const akin_net *net, size_t w, size_t b)
{
    return (akin_norm_net){ &net->parameters, w, b, net->config.vision.eps,
                            net->config.vision.width };
}

static bool pre_learns(const akin_net *net)
{
    const akin_parameters *list = &net->parameters;
    return !net->config.no_pre_norm &&
           (akin_learns(list, net->vit.pre_w) || akin_learns(list, net->vit.pre_b));
}

static bool embeddings_learn(const akin_net *net)
{
    const akin_parameters *list = &net->parameters;
    return akin_learns(list, net->vit.class_embedding) || akin_learns(list, net->vit.patch) ||
           akin_learns(list, net->vit.positions);
}

/* ---- Forward -------------------------------------------------------------------------------- */

struct patch_job {
    const akin_net *net;
    const akin_image_input *input;
    size_t tokens;
    float *columns;        /* [count, tokens - 1, 3 * patch * patch] */
    const float *embedded; /* [count, tokens - 1, width] */
    float *x;              /* [count, tokens, width] */
};

/* The number of patch i of those that picture s shows. */
static size_t patch_at(const akin_image_input *input, size_t s, size_t i)
{
    return input->keep != NULL ? input->keep[s * input->kept + i] : i;
}

/* The shown patches of a picture, each laid out as the kernel is. */
static void columns_task(void *context, size_t s, int worker)
{
    (void)worker;
    const struct patch_job *t = context;
    const akin_clip_config *c = &t->net->config;
    const size_t p = c->patch, taps = 3 * p * p, plane = c->image_height * c->image_width;
    float *out = t->columns + s * (t->tokens - 1) * taps;
    for (size_t i = 0; i + 1 < t->tokens; i++) {
        const size_t at = patch_at(t->input, s, i);
        const float *from = t->input->pixels + s * 3 * plane +
                            at / c->grid_width * p * c->image_width + at % c->grid_width * p;
        for (size_t channel = 0; channel < 3; channel++)
            for (size_t y = 0; y < p; y++, out += p)
                memcpy(out, from + channel * plane + y * c->image_width, p * sizeof *out);
    }
}

static void place_task(void *context, size_t s, int worker)
{
    (void)worker;
    const struct patch_job *t = context;
    const size_t d = t->net->config.vision.width;
    const float *class = akin_value(&t->net->parameters, t->net->vit.class_embedding);
    const float *positions = akin_value(&t->net->parameters, t->net->vit.positions);
    float *row = t->x + s * t->tokens * d;
    for (size_t j = 0; j < d; j++)
        row[j] = class[j] + positions[j];
    const float *patch = t->embedded + s * (t->tokens - 1) * d;
    for (size_t i = 0; i + 1 < t->tokens; i++, patch += d) {
        const float *position = positions + (1 + patch_at(t->input, s, i)) * d;
        row += d;
        for (size_t j = 0; j < d; j++)
            row[j] = patch[j] + position[j];
    }
}

static akin_status embed(const akin_net *net, const akin_work *work, const akin_image_input *input,
                         size_t tokens, float *x, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    const akin_weight patch = patch_of(net);
    const size_t rows = input->count * (tokens - 1);
    akin_status status = AKIN_OK;
    float *columns = akin_arena_take(work->arena, rows, patch.in * sizeof *columns);
    float *embedded = akin_arena_take(work->arena, rows, patch.out * sizeof *embedded);
    if (columns == NULL || embedded == NULL) {
        status = akin_fail_nomem(err, "patches", rows * patch.in * sizeof *columns);
        goto out;
    }
    struct patch_job job = { net, input, tokens, columns, embedded, x };
    akin_pool_run(work->pool, input->count, columns_task, &job);
    AKIN_TRY(akin_matrix_forward(work, &patch, columns, patch.in, rows, embedded, patch.out, err));
    akin_pool_run(work->pool, input->count, place_task, &job);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

struct mean_job {
    size_t tokens, d;
    const float *from;
    float *to;
};

/* In double, as models/clip.c. */
static void mean_task(void *context, size_t s, int worker)
{
    (void)worker;
    const struct mean_job *t = context;
    for (size_t j = 0; j < t->d; j++) {
        double sum = 0.0;
        for (size_t i = 1; i < t->tokens; i++)
            sum += t->from[(s * t->tokens + i) * t->d + j];
        t->to[s * t->d + j] = (float)(sum / (double)(t->tokens - 1));
    }
}

static void mean_back_task(void *context, size_t s, int worker)
{
    (void)worker;
    const struct mean_job *t = context;
    float *to = t->to + s * t->tokens * t->d;
    memset(to, 0, t->d * sizeof *to);
    for (size_t j = 0; j < t->d; j++)
        to[t->d + j] = t->from[s * t->d + j] / (float)(t->tokens - 1);
    for (size_t i = 2; i < t->tokens; i++)
        memcpy(to + i * t->d, to + t->d, t->d * sizeof *to);
}

/* From tape->state to `out`. */
static akin_status head(const akin_net *net, const akin_work *work, struct vit_tape *tape,
                        float *out, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const size_t d = c->vision.width, count = tape->encoder.count, rows = tape->encoder.rows;
    const akin_norm_net post = norm_of(net, net->vit.post_w, net->vit.post_b);
    const akin_weight projection = projection_of(net);
    const akin_arena_mark mark = akin_arena_now(work->arena);
    const bool all = c->average && !c->norm_last; /* rows are normalised */
    akin_status status = AKIN_OK;
    float *y = akin_arena_take(work->arena, all ? rows : count, d * sizeof *y);
    if (y == NULL) {
        status = akin_fail_nomem(err, "activations", count * d * sizeof *y);
        goto out;
    }
    const float *pooled = y;
    struct mean_job mean = { tape->tokens, d, all ? y : tape->state, tape->mean };
    if (all)
        akin_rows_norm(work, &post, tape->state, rows, y, NULL);
    if (c->average)
        akin_pool_run(work->pool, count, mean_task, &mean);
    if (all)
        pooled = tape->mean;
    else
        akin_rows_norm(work, &post, c->average ? tape->mean : tape->state, count, y, NULL);
    AKIN_TRY(akin_matrix_forward(work, &projection, pooled, d, count, out, c->dimensions, err));
out:
    akin_arena_release(work->arena, mark);
    return status;
}

static akin_status check(const akin_clip_config *c, const akin_image_input *input, akin_error *err)
{
    const size_t patches = c->grid_height * c->grid_width;
    if (input->keep == NULL)
        return AKIN_OK;
    if (input->kept == 0 || input->kept > patches)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%zu patches of a picture kept, of %zu",
                         input->kept, patches);
    for (size_t i = 0; i < input->count * input->kept; i++)
        if (input->keep[i] >= patches)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL, "patch %u kept, of %zu",
                             (unsigned)input->keep[i], patches);
    return AKIN_OK;
}

akin_status akin_vit_forward(akin_net *net, const akin_work *work, const akin_image_input *input,
                             akin_image_tape **out_tape, float *out, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const size_t d = c->vision.width, count = input->count;
    const size_t tokens = 1 + (input->keep != NULL ? input->kept : c->grid_height * c->grid_width);
    const size_t rows = count * tokens;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status;
    if (out_tape != NULL)
        *out_tape = NULL;
    if (count == 0)
        return AKIN_OK;
    AKIN_TRY(check(c, input, err));
    const size_t streams = c->no_pre_norm ? 1 : 2;
    struct vit_tape *tape = akin_arena_take(work->arena, 1, sizeof *tape);
    size_t *starts = akin_arena_take(work->arena, count + 1, sizeof *starts);
    float *memory = akin_arena_take(work->arena, rows * (streams + 1) + count, d * sizeof *memory);
    if (tape == NULL || starts == NULL || memory == NULL) {
        status = akin_fail_nomem(err, "activations", rows * d * sizeof *memory);
        goto out;
    }
    for (size_t s = 0; s <= count; s++)
        starts[s] = s * tokens;
    *tape = (struct vit_tape){ .encoder = { .list = &net->parameters, .net = &net->vit.encoder,
                                            .rows = rows, .count = count, .starts = starts,
                                            .pooled = c->average ? NULL : starts },
                               .tokens = tokens, .embedded = memory,
                               .state = memory + rows * streams * d,
                               .mean = memory + rows * (streams + 1) * d };
    AKIN_TRY(embed(net, work, input, tokens, tape->embedded, err));
    float *x = tape->embedded;
    if (!c->no_pre_norm) {
        const akin_norm_net pre = norm_of(net, net->vit.pre_w, net->vit.pre_b);
        x += rows * d;
        akin_rows_norm(work, &pre, tape->embedded, rows, x, NULL);
    }
    AKIN_TRY(akin_encoder_forward(&tape->encoder, work, x, out_tape != NULL,
                                  embeddings_learn(net) || pre_learns(net), tape->state, err));
    AKIN_TRY(head(net, work, tape, out, err));
    if (out_tape != NULL)
        *out_tape = (akin_image_tape *)tape;
out:
    if (status != AKIN_OK || out_tape == NULL)
        akin_arena_release(work->arena, mark);
    return status;
}

/* ---- Backward ------------------------------------------------------------------------------- */

/* dout into the projection, the post norm and, when dstate is not NULL, the state's gradient. */
static akin_status head_back(const akin_net *net, const akin_work *work,
                             const struct vit_tape *tape, const float *dout, float *dstate,
                             akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const akin_parameters *list = &net->parameters;
    const size_t d = c->vision.width, count = tape->encoder.count, rows = tape->encoder.rows;
    const akin_norm_net post = norm_of(net, net->vit.post_w, net->vit.post_b);
    const akin_weight projection = projection_of(net);
    const akin_arena_mark mark = akin_arena_now(work->arena);
    const bool all = c->average && !c->norm_last;
    const size_t live = c->average ? rows : count;
    akin_status status = AKIN_OK;
    float *y = akin_arena_take(work->arena, live, d * sizeof *y);
    float *dy = akin_arena_take(work->arena, count, d * sizeof *dy);
    akin_row_norm *norms = akin_arena_take(work->arena, live, sizeof *norms);
    if (y == NULL || dy == NULL || norms == NULL) {
        status = akin_fail_nomem(err, "gradients", live * d * sizeof *y);
        goto out;
    }
    const float *normed = c->average && !all ? tape->mean : tape->state;
    akin_rows_norm(work, &post, normed, all ? rows : count, y, norms);
    AKIN_TRY(akin_matrix_backward(work, &projection, all ? tape->mean : y, d, count, dout,
                                  c->dimensions, dstate != NULL ? dy : NULL, d, false,
                                  akin_gradient(list, net->vit.projection), NULL, err));
    if (dstate == NULL)
        goto out;
    struct mean_job spread = { tape->tokens, d, dy, all ? y : dstate };
    if (all) {
        akin_pool_run(work->pool, count, mean_back_task, &spread);
        AKIN_TRY(akin_rows_norm_back(work, &post, normed, norms, y, rows, false, dstate, err));
        goto out;
    }
    AKIN_TRY(akin_rows_norm_back(work, &post, normed, norms, dy, count, false, dy, err));
    if (c->average)
        akin_pool_run(work->pool, count, mean_back_task, &spread);
    else
        memcpy(dstate, dy, count * d * sizeof *dy);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

/* dx [rows, width] into the patches' weight, the class embedding and the positions. */
static akin_status embed_back(akin_net *net, const akin_work *work, const akin_image_input *input,
                              size_t tokens, const float *dx, akin_error *err)
{
    const akin_parameters *list = &net->parameters;
    const akin_weight patch = patch_of(net);
    const size_t d = patch.out, count = input->count, shown = tokens - 1;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    float *dpatch = akin_gradient(list, net->vit.patch);
    float *dclass = akin_gradient(list, net->vit.class_embedding);
    float *dpositions = akin_gradient(list, net->vit.positions);
    akin_status status = AKIN_OK;
    uint32_t *index = akin_arena_take(work->arena, count * tokens, sizeof *index);
    float *columns = akin_arena_take(work->arena, count * shown, patch.in * sizeof *columns);
    float *dy = akin_arena_take(work->arena, count * shown, d * sizeof *dy);
    if (index == NULL || columns == NULL || dy == NULL) {
        status = akin_fail_nomem(err, "patches", count * shown * patch.in * sizeof *columns);
        goto out;
    }
    for (size_t s = 0; s < count; s++) {
        index[s * tokens] = 0;
        for (size_t i = 0; i < shown; i++)
            index[s * tokens + 1 + i] = (uint32_t)(1 + patch_at(input, s, i));
        if (dclass != NULL)
            work->kernels->add_scaled_f32(1.0f, dx + s * tokens * d, dclass, d);
        memcpy(dy + s * shown * d, dx + (s * tokens + 1) * d, shown * d * sizeof *dy);
    }
    if (dpositions != NULL)
        akin_rows_scatter(work, dx, count * tokens, d, index, dpositions);
    if (dpatch != NULL) {
        struct patch_job job = { .net = net, .input = input, .tokens = tokens,
                                 .columns = columns };
        akin_pool_run(work->pool, count, columns_task, &job);
        AKIN_TRY(akin_matrix_backward(work, &patch, columns, patch.in, count * shown, dy, d, NULL,
                                      0, false, dpatch, NULL, err));
    }
out:
    akin_arena_release(work->arena, mark);
    return status;
}

akin_status akin_vit_backward(akin_net *net, const akin_work *work, const akin_image_input *input,
                              const akin_image_tape *image_tape, const float *dout,
                              akin_error *err)
{
    const struct vit_tape *tape = (const struct vit_tape *)image_tape;
    const akin_clip_config *c = &net->config;
    const akin_parameters *list = &net->parameters;
    if (tape == NULL)
        return AKIN_OK;
    const size_t d = c->vision.width, rows = tape->encoder.rows;
    const size_t live = c->average ? rows : tape->encoder.count;
    const bool embedded = embeddings_learn(net), pre = pre_learns(net), below = embedded || pre;
    const bool encoder = akin_encoder_learns(&tape->encoder, below);
    const bool state = encoder || akin_learns(list, net->vit.post_w) ||
                       akin_learns(list, net->vit.post_b);
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    float *dstate = NULL, *dx = NULL;
    if (state && (dstate = akin_arena_take(work->arena, live, d * sizeof *dstate)) == NULL)
        status = akin_fail_nomem(err, "gradients", live * d * sizeof *dstate);
    else if (below && (dx = akin_arena_take(work->arena, rows, d * sizeof *dx)) == NULL)
        status = akin_fail_nomem(err, "gradients", rows * d * sizeof *dx);
    if (status != AKIN_OK)
        goto out;
    AKIN_TRY(head_back(net, work, tape, dout, dstate, err));
    if (encoder)
        AKIN_TRY(akin_encoder_backward(&tape->encoder, work, dstate, dx, err));
    if (!below)
        goto out;
    if (!c->no_pre_norm) {
        const akin_norm_net norm = norm_of(net, net->vit.pre_w, net->vit.pre_b);
        const akin_arena_mark inner = akin_arena_now(work->arena);
        float *y = akin_arena_take(work->arena, rows, d * sizeof *y);
        akin_row_norm *norms = akin_arena_take(work->arena, rows, sizeof *norms);
        if (y == NULL || norms == NULL) {
            status = akin_fail_nomem(err, "gradients", rows * d * sizeof *y);
            goto out;
        }
        akin_rows_norm(work, &norm, tape->embedded, rows, y, norms);
        AKIN_TRY(akin_rows_norm_back(work, &norm, tape->embedded, norms, dx, rows, false, dx, err));
        akin_arena_release(work->arena, inner);
    }
    if (embedded)
        AKIN_TRY(embed_back(net, work, input, tape->tokens, dx, err));
out:
    akin_arena_release(work->arena, mark);
    return status;
}
