/* resnet_grad.c - CLIP's ModifiedResNet, forward and backward.
 *
 * Reference: open_clip 3.3.0 modified_resnet.py, torch 2.13 autograd. Kept for the backward pass:
 * what goes into each convolution and what comes out of it, which BatchNorm needs; no mask, no
 * normalised copy. Refused: what models/resnet.c refuses, and a batch of a single position.
 */
#include "train/resnet_grad.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "cpu/batchnorm_kernels.h"
#include "models/bind.h"
#include "train/batchnorm.h"
#include "train/conv_grad.h"
#include "train/matrix.h"

enum { STAGES = 4, EXPANSION = 4, FEATURES = 32 };

#define PREFIX "visual."

/* ---- Parameters ------------------------------------------------------------------------------ */

static akin_resnet_unit bind_unit(akin_parameters *list, const char *at, const char *conv,
                                  const char *norm, size_t in, size_t out, size_t kernel,
                                  size_t stride, size_t side)
{
    akin_resnet_unit u = { .in = in, .out = out, .kernel = kernel, .stride = stride,
                           .side = side };
    const int64_t shape[] = { (int64_t)out, (int64_t)in, (int64_t)kernel, (int64_t)kernel };
    u.weight = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 4, shape, PREFIX "%s%s.weight", at,
                                   conv);
    u.gamma = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, shape, PREFIX "%s%s.weight", at,
                                  norm);
    u.beta = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, shape, PREFIX "%s%s.bias", at,
                                 norm);
    u.mean = akin_parameters_add(list, AKIN_PARAMETER_STATE, 1, shape, PREFIX "%s%s.running_mean",
                                 at, norm);
    u.variance = akin_parameters_add(list, AKIN_PARAMETER_STATE, 1, shape,
                                     PREFIX "%s%s.running_var", at, norm);
    return u;
}

/* pooled: the side halves behind conv2. */
static akin_resnet_block bind_block(akin_parameters *list, size_t stage, size_t index, size_t in,
                                    size_t planes, size_t side)
{
    const size_t out = planes * EXPANSION;
    char at[48];
    snprintf(at, sizeof at, "layer%zu.%zu.", stage + 1, index);
    akin_resnet_block b = { .pooled = index == 0 && stage > 0 };
    const size_t after = b.pooled ? side / 2 : side;
    b.has_shortcut = b.pooled || in != out;
    b.conv1 = bind_unit(list, at, "conv1", "bn1", in, planes, 1, 1, side);
    b.conv2 = bind_unit(list, at, "conv2", "bn2", planes, planes, 3, 1, side);
    b.conv3 = bind_unit(list, at, "conv3", "bn3", planes, out, 1, 1, after);
    if (b.has_shortcut)
        b.shortcut = bind_unit(list, at, "downsample.0", "downsample.1", in, out, 1, 1, after);
    return b;
}

static void bind_linear(akin_parameters *list, const char *name, size_t in, size_t out, size_t *w,
                        size_t *b)
{
    const int64_t shape[] = { (int64_t)out, (int64_t)in };
    *w = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2, shape, PREFIX "attnpool.%s.weight",
                             name);
    *b = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, shape, PREFIX "attnpool.%s.bias",
                             name);
}

akin_status akin_resnet_net_bind(akin_net *net, akin_error *err)
{
    const akin_resnet_config *c = &net->config.tower;
    akin_parameters *list = &net->parameters;
    akin_slots slots = { 0 };
    akin_resnet *none;
    /* For its checks. */
    akin_status status =
        akin_resnet_bind(&slots, false, &none, c, &akin_kernels_scalar, false, PREFIX, err);
    akin_slots_clear(&slots);
    if (status != AKIN_OK)
        return status;
    akin_resnet_net *t = calloc(1, sizeof *t);
    net->resnet = t;
    for (size_t s = 0; t != NULL && s < STAGES; s++)
        t->block_count += c->blocks[s];
    if (t == NULL || (t->blocks = calloc(t->block_count, sizeof *t->blocks)) == NULL)
        return akin_fail_nomem(err, "layers", sizeof *t);
    const size_t width = c->width, half = width / 2;
    t->d = width * FEATURES;
    t->grid = c->image / 32;
    t->heads = c->heads;
    size_t side = (c->image + 1) / 2;
    t->stem[0] = bind_unit(list, "", "conv1", "bn1", 3, half, 3, 2, c->image);
    t->stem[1] = bind_unit(list, "", "conv2", "bn2", half, half, 3, 1, side);
    t->stem[2] = bind_unit(list, "", "conv3", "bn3", half, width, 3, 1, side);
    side /= 2;
    akin_resnet_block *b = t->blocks;
    size_t in = width, planes = width;
    for (size_t s = 0; s < STAGES; s++, planes *= 2)
        for (size_t i = 0; i < c->blocks[s]; i++, in = planes * EXPANSION, b++) {
            *b = bind_block(list, s, i, in, planes, side);
            side = b->conv3.side;
        }
    const int64_t table[] = { (int64_t)(1 + t->grid * t->grid), (int64_t)t->d };
    t->positions = akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2, table,
                                       PREFIX "attnpool.positional_embedding");
    bind_linear(list, "k_proj", t->d, t->d, &t->key_w, &t->key_b);
    bind_linear(list, "q_proj", t->d, t->d, &t->query_w, &t->query_b);
    bind_linear(list, "v_proj", t->d, t->d, &t->value_w, &t->value_b);
    bind_linear(list, "c_proj", t->d, c->dimensions, &t->out_w, &t->out_b);
    return AKIN_OK;
}

void akin_resnet_net_clear(akin_net *net)
{
    if (net->resnet != NULL)
        free(net->resnet->blocks);
    free(net->resnet);
    net->resnet = NULL;
}

bool akin_resnet_tracked(const akin_parameter *parameter, char name[120])
{
    static const char from[] = ".running_var", to[] = ".num_batches_tracked";
    const size_t n = strlen(parameter->name), m = sizeof from - 1;
    if (parameter->kind != AKIN_PARAMETER_STATE || n < m ||
        strcmp(parameter->name + n - m, from) != 0 || n - m + sizeof to > 120)
        return false;
    memcpy(name, parameter->name, n - m);
    memcpy(name + n - m, to, sizeof to);
    return true;
}

/* ---- Fresh values ---------------------------------------------------------------------------- */

static void draw_uniform(akin_parameters *list, size_t number, uint64_t seed, double bound)
{
    float *values = akin_value(list, number);
    for (size_t i = 0; i < list->items[number].count; i++) {
        akin_random r = akin_random_of(seed, number, i);
        values[i] = akin_random_range(&r, -bound, bound);
    }
}

static void draw_normal(akin_parameters *list, size_t number, uint64_t seed, double deviation)
{
    float *values = akin_value(list, number);
    for (size_t i = 0; i < list->items[number].count; i++) {
        akin_random r = akin_random_of(seed, number, i);
        values[i] = (float)(deviation * akin_random_normal(&r));
    }
}

static void fill(akin_parameters *list, size_t number, float value)
{
    float *values = akin_value(list, number);
    for (size_t i = 0; i < list->items[number].count; i++)
        values[i] = value;
}

/* torch.nn.Conv2d draws kaiming_uniform(a = sqrt 5), whose bound is 1 / sqrt(fan in). */
static void draw_unit(akin_parameters *list, const akin_resnet_unit *u, uint64_t seed, float gamma)
{
    draw_uniform(list, u->weight, seed, 1.0 / sqrt((double)(u->in * u->kernel * u->kernel)));
    fill(list, u->gamma, gamma);
    fill(list, u->beta, 0.0f);
    fill(list, u->mean, 0.0f);
    fill(list, u->variance, 1.0f);
}

void akin_resnet_net_draw(akin_net *net, uint64_t seed)
{
    const akin_resnet_net *t = net->resnet;
    akin_parameters *list = &net->parameters;
    const double deviation = 1.0 / sqrt((double)t->d);
    for (size_t i = 0; i < 3; i++)
        draw_unit(list, &t->stem[i], seed, 1.0f);
    for (size_t i = 0; i < t->block_count; i++) {
        const akin_resnet_block *b = &t->blocks[i];
        draw_unit(list, &b->conv1, seed, 1.0f);
        draw_unit(list, &b->conv2, seed, 1.0f);
        draw_unit(list, &b->conv3, seed, 0.0f);
        if (b->has_shortcut)
            draw_unit(list, &b->shortcut, seed, 1.0f);
    }
    const size_t weights[] = { t->positions, t->key_w, t->query_w, t->value_w, t->out_w };
    const size_t biases[] = { t->key_b, t->query_b, t->value_b, t->out_b };
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        draw_normal(list, weights[i], seed, deviation);
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++)
        draw_uniform(list, biases[i], seed, deviation);
}

/* ---- One pass -------------------------------------------------------------------------------- */

typedef struct unit_tape {
    const float *x; /* what the convolution took */
    float *c;       /* what it gave */
    akin_batchnorm norm;
} unit_tape;

typedef struct block_tape {
    unit_tape conv1, conv2, conv3, shortcut;
    float *y; /* the block's output */
} block_tape;

typedef struct attention_tape {
    float *tokens;  /* [count, n, d]: the mean, then the features, with their positions */
    float *query;   /* [count, d] */
    float *keyed;   /* [count, heads, d]: each head's query through its keys */
    float *weights; /* [count, heads, n], softmaxed */
    float *mixed;   /* [count, heads, d]: the tokens by those weights */
    float *pooled;  /* [count, d] */
} attention_tape;

struct akin_image_tape {
    unit_tape stem[3];
    block_tape *blocks;
    attention_tape attention;
};

/* What every function of a pass is given. */
typedef struct pass {
    akin_net *net;
    const akin_resnet_net *tower;
    const akin_work *work;
    const akin_image_input *input;
    akin_error *err;
} pass;

static akin_status take(const pass *p, float **out, size_t floats)
{
    *out = akin_arena_take(p->work->arena, floats, sizeof **out);
    return *out != NULL ? AKIN_OK : akin_fail_nomem(p->err, "activations", floats * sizeof **out);
}

static akin_maps maps_of(const pass *p, size_t side)
{
    return (akin_maps){ p->input->count, side };
}

static size_t floats_of(const pass *p, size_t side, size_t channels)
{
    return p->input->count * side * side * channels;
}

static akin_filters filters_of(const pass *p, const akin_resnet_unit *u)
{
    return (akin_filters){ akin_value(&p->net->parameters, u->weight), u->in, u->out, u->kernel,
                           u->stride };
}

static size_t side_after(const akin_resnet_unit *u)
{
    return u->stride == 1 ? u->side : (u->side - 1) / 2 + 1;
}

/* A locked norm computes with its running statistics, as open_clip's freeze_batch_norm_2d. */
static bool is_fixed(const pass *p, const akin_resnet_unit *u)
{
    const akin_parameter *items = p->net->parameters.items;
    return p->input->evaluate || (items[u->gamma].frozen && items[u->beta].frozen);
}

static akin_status unit_forward(const pass *p, const akin_resnet_unit *u, unit_tape *t,
                                const float *x)
{
    const akin_parameters *list = &p->net->parameters;
    const akin_filters bank = filters_of(p, u);
    const akin_maps out = maps_of(p, side_after(u));
    akin_status status = AKIN_OK;
    t->x = x;
    t->norm = (akin_batchnorm){ .channels = u->out, .gamma = akin_value(list, u->gamma),
                                .beta = akin_value(list, u->beta),
                                .running_mean = akin_value(list, u->mean),
                                .running_var = akin_value(list, u->variance),
                                .fixed = is_fixed(p, u) };
    AKIN_TRY(take(p, &t->c, floats_of(p, out.side, u->out)));
    AKIN_TRY(akin_filters_forward(p->work, &bank, x, p->input->count, u->side, u->side, t->c,
                                  p->err));
    AKIN_TRY(akin_batchnorm_measure(p->work, &t->norm, t->c, out, p->input->update, p->err));
out:
    return status;
}

/* The ReLU behind one unit. */
static akin_joint single(const pass *p, const akin_resnet_unit *u, const unit_tape *t)
{
    return (akin_joint){ maps_of(p, side_after(u)), &t->norm, t->c, NULL, NULL };
}

/* The one at a block's end. */
static akin_joint ending(const pass *p, const akin_resnet_block *b, const block_tape *t)
{
    akin_joint joint = single(p, &b->conv3, &t->conv3);
    joint.norm2 = b->has_shortcut ? &t->shortcut.norm : NULL;
    joint.x2 = b->has_shortcut ? t->shortcut.c : t->conv1.x;
    return joint;
}

/* x, and xp, that pooled (where the block pools); `pooled` takes the output pooled, or is NULL. */
static akin_status block_forward(const pass *p, const akin_resnet_block *b, block_tape *t,
                                 const float *x, const float *xp, float *pooled)
{
    akin_status status = AKIN_OK;
    float *y1, *y2;
    AKIN_TRY(unit_forward(p, &b->conv1, &t->conv1, x));
    AKIN_TRY(take(p, &y1, floats_of(p, b->conv1.side, b->conv1.out)));
    akin_joint joint = single(p, &b->conv1, &t->conv1);
    AKIN_TRY(akin_joint_forward(p->work, &joint, y1, NULL, p->err));
    AKIN_TRY(unit_forward(p, &b->conv2, &t->conv2, y1));
    AKIN_TRY(take(p, &y2, floats_of(p, b->conv3.side, b->conv2.out)));
    joint = single(p, &b->conv2, &t->conv2);
    AKIN_TRY(akin_joint_forward(p->work, &joint, b->pooled ? NULL : y2, b->pooled ? y2 : NULL,
                                p->err));
    AKIN_TRY(unit_forward(p, &b->conv3, &t->conv3, y2));
    if (b->has_shortcut)
        AKIN_TRY(unit_forward(p, &b->shortcut, &t->shortcut, b->pooled ? xp : x));
    AKIN_TRY(take(p, &t->y, floats_of(p, b->conv3.side, b->conv3.out)));
    joint = ending(p, b, t);
    AKIN_TRY(akin_joint_forward(p->work, &joint, t->y, pooled, p->err));
out:
    return status;
}

struct unfold {
    const float *pixels; /* [count, 3, image, image] */
    size_t image;
    float *out; /* [count, image, image, 3] */
};

static void unfold_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct unfold *t = context;
    const size_t plane = t->image * t->image;
    const float *from = t->pixels + i * 3 * plane;
    float *out = t->out + i * 3 * plane;
    for (size_t x = 0; x < plane; x++)
        for (size_t c = 0; c < 3; c++)
            out[3 * x + c] = from[c * plane + x];
}

/* *x, *xp: the features going into the first block; xp as block_forward. */
static akin_status stem_forward(const pass *p, struct akin_image_tape *tape, float **x)
{
    const akin_resnet_unit *stem = p->tower->stem;
    const size_t image = stem[0].side, side = stem[2].side;
    akin_status status = AKIN_OK;
    struct unfold u = { p->input->pixels, image, NULL };
    AKIN_TRY(take(p, &u.out, floats_of(p, image, 3)));
    akin_pool_run(p->work->pool, p->input->count, unfold_task, &u);
    *x = u.out;
    for (size_t i = 0; i < 3; i++) {
        const bool last = i == 2;
        AKIN_TRY(unit_forward(p, &stem[i], &tape->stem[i], *x));
        AKIN_TRY(take(p, x, floats_of(p, last ? side / 2 : side, stem[i].out)));
        const akin_joint joint = single(p, &stem[i], &tape->stem[i]);
        AKIN_TRY(akin_joint_forward(p->work, &joint, last ? NULL : *x, last ? *x : NULL, p->err));
    }
out:
    return status;
}

/* ---- Attention pool -------------------------------------------------------------------------- */

/* Of the heads only the query of the mean is computed, and keys and values never: q . (K x) is
 * (q K) . x, and the sum of a_j (V x_j + b) is V (sum of a_j x_j) + b. Backward likewise. A key's
 * bias adds the same to each score of a head: its gradient is 0. */
struct attention {
    const akin_kernels *kernels;
    const attention_tape *tape;
    const float *x;         /* [count, n - 1, d] */
    const float *positions; /* [n, d] */
    size_t count, n, d, heads;
    float scale;
    /* backward */
    const float *dmixed; /* [count, heads, d] */
    float *dkeyed;       /* [count, heads, d] */
    float *dtokens;      /* [count, n, d] */
    float *scratch;      /* [threads, n] */
    float *dx;           /* [count, n - 1, d] */
    float *dpositions;   /* [n, d] */
};

static void tokens_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct attention *t = context;
    const size_t d = t->d, n = t->n;
    const float *x = t->x + i * (n - 1) * d;
    float *mean = t->tape->tokens + i * n * d;
    memset(mean, 0, d * sizeof *mean);
    for (size_t p = 0; p + 1 < n; p++) {
        t->kernels->batchnorm->add(mean, x + p * d, d, mean);
        t->kernels->batchnorm->add(x + p * d, t->positions + (p + 1) * d, d, mean + (p + 1) * d);
    }
    for (size_t j = 0; j < d; j++)
        mean[j] = mean[j] / (float)(n - 1) + t->positions[j];
}

static void mix_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct attention *t = context;
    const size_t d = t->d, n = t->n;
    const float *tokens = t->tape->tokens + i * n * d;
    for (size_t h = i * t->heads; h < (i + 1) * t->heads; h++) {
        float *weights = t->tape->weights + h * n, *mixed = t->tape->mixed + h * d;
        for (size_t j = 0; j < n; j++)
            weights[j] = t->kernels->dot_f32(t->tape->keyed + h * d, tokens + j * d, d);
        t->kernels->softmax_f32(weights, t->scale, n);
        memset(mixed, 0, d * sizeof *mixed);
        for (size_t j = 0; j < n; j++)
            t->kernels->add_scaled_f32(weights[j], tokens + j * d, mixed, d);
    }
}

static struct attention attention_of(const pass *p, const attention_tape *tape)
{
    const akin_resnet_net *t = p->tower;
    return (struct attention){ .kernels = p->work->kernels, .tape = tape,
                               .positions = akin_value(&p->net->parameters, t->positions),
                               .count = p->input->count, .n = 1 + t->grid * t->grid, .d = t->d,
                               .heads = t->heads,
                               .scale = 1.0f / sqrtf((float)(t->d / t->heads)) };
}

static akin_weight weight_of(const pass *p, size_t w, size_t b, size_t out)
{
    const akin_parameters *list = &p->net->parameters;
    return (akin_weight){ akin_value(list, w), false, akin_value(list, b), p->tower->d, out };
}

static akin_status attention_forward(const pass *p, attention_tape *tape, const float *x,
                                     float *out)
{
    const akin_resnet_net *t = p->tower;
    const akin_parameters *list = &p->net->parameters;
    const akin_work *work = p->work;
    const size_t count = p->input->count, d = t->d, heads = t->heads, width = d / heads;
    const size_t n = 1 + t->grid * t->grid, dimensions = p->net->config.tower.dimensions;
    const float *keys = akin_value(list, t->key_w), *values = akin_value(list, t->value_w);
    const float *bias = akin_value(list, t->value_b);
    const akin_weight query = weight_of(p, t->query_w, t->query_b, d);
    const akin_weight projection = weight_of(p, t->out_w, t->out_b, dimensions);
    akin_status status = AKIN_OK;
    AKIN_TRY(take(p, &tape->tokens, count * n * d));
    AKIN_TRY(take(p, &tape->query, count * d));
    AKIN_TRY(take(p, &tape->keyed, count * heads * d));
    AKIN_TRY(take(p, &tape->weights, count * heads * n));
    AKIN_TRY(take(p, &tape->mixed, count * heads * d));
    AKIN_TRY(take(p, &tape->pooled, count * d));
    struct attention a = attention_of(p, tape);
    a.x = x;
    akin_pool_run(work->pool, count, tokens_task, &a);
    AKIN_TRY(akin_matrix_forward(work, &query, tape->tokens, n * d, count, tape->query, d, p->err));
    for (size_t h = 0; h < heads; h++)
        AKIN_TRY(akin_matrix_product(work, tape->query + h * width, d, count, width,
                                     keys + h * width * d, d, true, d, tape->keyed + h * d,
                                     heads * d, false, p->err));
    akin_pool_run(work->pool, count, mix_task, &a);
    for (size_t i = 0; i < count; i++)
        memcpy(tape->pooled + i * d, bias, d * sizeof *bias);
    for (size_t h = 0; h < heads; h++)
        AKIN_TRY(akin_matrix_product(work, tape->mixed + h * d, heads * d, count, d,
                                     values + h * width * d, d, false, width,
                                     tape->pooled + h * width, d, true, p->err));
    AKIN_TRY(akin_matrix_forward(work, &projection, tape->pooled, d, count, out, dimensions,
                                 p->err));
out:
    return status;
}

static void unmix_task(void *context, size_t i, int worker)
{
    const struct attention *t = context;
    const akin_kernels *k = t->kernels;
    const size_t d = t->d, n = t->n;
    const float *tokens = t->tape->tokens + i * n * d;
    float *dtokens = t->dtokens + i * n * d, *slope = t->scratch + (size_t)worker * n;
    memset(dtokens, 0, n * d * sizeof *dtokens);
    for (size_t h = i * t->heads; h < (i + 1) * t->heads; h++) {
        const float *weights = t->tape->weights + h * n, *dmixed = t->dmixed + h * d;
        float *dkeyed = t->dkeyed + h * d, along = 0.0f;
        for (size_t j = 0; j < n; j++) {
            slope[j] = k->dot_f32(dmixed, tokens + j * d, d);
            along += weights[j] * slope[j];
        }
        memset(dkeyed, 0, d * sizeof *dkeyed);
        for (size_t j = 0; j < n; j++) {
            const float score = weights[j] * (slope[j] - along) * t->scale;
            k->add_scaled_f32(weights[j], dmixed, dtokens + j * d, d);
            k->add_scaled_f32(score, t->tape->keyed + h * d, dtokens + j * d, d);
            k->add_scaled_f32(score, tokens + j * d, dkeyed, d);
        }
    }
}

static void untoken_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct attention *t = context;
    const size_t d = t->d, n = t->n;
    const float *dmean = t->dtokens + i * n * d;
    for (size_t p = 0; p + 1 < n; p++) {
        float *dx = t->dx + (i * (n - 1) + p) * d;
        memcpy(dx, dmean + (p + 1) * d, d * sizeof *dx);
        t->kernels->add_scaled_f32(1.0f / (float)(n - 1), dmean, dx, d);
    }
}

/* One position's embedding over all pictures, in their order. */
static void positions_task(void *context, size_t j, int worker)
{
    (void)worker;
    const struct attention *t = context;
    float *to = t->dpositions + j * t->d;
    for (size_t i = 0; i < t->count; i++)
        t->kernels->batchnorm->add(to, t->dtokens + (i * t->n + j) * t->d, t->d, to);
}

static bool learns(const pass *p, size_t number)
{
    return !p->net->parameters.items[number].frozen;
}

static bool attention_learns(const pass *p)
{
    const akin_resnet_net *t = p->tower;
    return learns(p, t->positions) || learns(p, t->query_w) || learns(p, t->query_b) ||
           learns(p, t->key_w) || learns(p, t->value_w) || learns(p, t->value_b);
}

/* dx [count, grid, grid, d], or NULL: not wanted. */
static akin_status attention_backward(const pass *p, const attention_tape *tape, const float *dout,
                                      float *dx)
{
    const akin_resnet_net *t = p->tower;
    const akin_parameters *list = &p->net->parameters;
    const akin_work *work = p->work;
    const size_t count = p->input->count, d = t->d, heads = t->heads, width = d / heads;
    const size_t n = 1 + t->grid * t->grid, dimensions = p->net->config.tower.dimensions;
    const float *keys = akin_value(list, t->key_w), *values = akin_value(list, t->value_w);
    float *dkeys = akin_gradient(list, t->key_w), *dvalues = akin_gradient(list, t->value_w);
    float *dbias = akin_gradient(list, t->value_b);
    const akin_weight query = weight_of(p, t->query_w, t->query_b, d);
    const akin_weight projection = weight_of(p, t->out_w, t->out_b, dimensions);
    const bool deeper = dx != NULL || attention_learns(p);
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    struct attention a = attention_of(p, tape);
    float *dpooled, *dquery, *dmixed;
    AKIN_TRY(take(p, &dpooled, count * d));
    AKIN_TRY(akin_matrix_backward(work, &projection, tape->pooled, d, count, dout, dimensions,
                                  deeper ? dpooled : NULL, d, false,
                                  akin_gradient(list, t->out_w), akin_gradient(list, t->out_b),
                                  p->err));
    if (!deeper)
        goto out;
    AKIN_TRY(take(p, &dquery, count * d));
    AKIN_TRY(take(p, &dmixed, count * heads * d));
    AKIN_TRY(take(p, &a.dkeyed, count * heads * d));
    AKIN_TRY(take(p, &a.dtokens, count * n * d));
    AKIN_TRY(take(p, &a.scratch,
                  n * (work->pool != NULL ? (size_t)akin_pool_threads(work->pool) : 1)));
    for (size_t i = 0; dbias != NULL && i < count; i++)
        work->kernels->batchnorm->add(dbias, dpooled + i * d, d, dbias);
    for (size_t h = 0; h < heads; h++) {
        const size_t row = h * width;
        AKIN_TRY(akin_matrix_product(work, dpooled + row, d, count, width, values + row * d, d,
                                     true, d, dmixed + h * d, heads * d, false, p->err));
        if (dvalues != NULL)
            AKIN_TRY(akin_matrix_outer(work, dpooled + row, d, width, tape->mixed + h * d,
                                       heads * d, d, count, dvalues + row * d, d, p->err));
    }
    a.dmixed = dmixed;
    akin_pool_run(work->pool, count, unmix_task, &a);
    for (size_t h = 0; h < heads; h++) {
        const size_t row = h * width;
        AKIN_TRY(akin_matrix_product(work, a.dkeyed + h * d, heads * d, count, d, keys + row * d, d,
                                     false, width, dquery + row, d, false, p->err));
        if (dkeys != NULL)
            AKIN_TRY(akin_matrix_outer(work, tape->query + row, d, width, a.dkeyed + h * d,
                                       heads * d, d, count, dkeys + row * d, d, p->err));
    }
    AKIN_TRY(akin_matrix_backward(work, &query, tape->tokens, n * d, count, dquery, d, a.dtokens,
                                  n * d, true, akin_gradient(list, t->query_w),
                                  akin_gradient(list, t->query_b), p->err));
    a.dpositions = akin_gradient(list, t->positions);
    if (a.dpositions != NULL)
        akin_pool_run(work->pool, n, positions_task, &a);
    a.dx = dx;
    if (dx != NULL)
        akin_pool_run(work->pool, count, untoken_task, &a);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

/* ---- The tower ------------------------------------------------------------------------------- */

akin_status akin_resnet_net_forward(akin_net *net, const akin_work *work,
                                    const akin_image_input *input, akin_image_tape **tape,
                                    float *out, akin_error *err)
{
    const pass p = { net, net->resnet, work, input, err };
    const size_t blocks = p.tower->block_count;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    float *x, *xp = NULL;
    akin_image_tape *t = akin_arena_take(work->arena, 1, sizeof *t);
    if (t == NULL || (t->blocks = akin_arena_take(work->arena, blocks, sizeof *t->blocks)) == NULL)
        status = akin_fail_nomem(err, "activations", blocks * sizeof *t->blocks);
    if (status != AKIN_OK)
        goto out;
    AKIN_TRY(stem_forward(&p, t, &x));
    for (size_t i = 0; i < blocks; i++) {
        const akin_resnet_block *b = &p.tower->blocks[i];
        float *pooled = NULL;
        if (i + 1 < blocks && b[1].pooled)
            AKIN_TRY(take(&p, &pooled, floats_of(&p, b->conv3.side / 2, b->conv3.out)));
        AKIN_TRY(block_forward(&p, b, &t->blocks[i], x, xp, pooled));
        x = t->blocks[i].y;
        xp = pooled;
    }
    AKIN_TRY(attention_forward(&p, &t->attention, x, out));
out:
    if (tape != NULL)
        *tape = status == AKIN_OK ? t : NULL;
    if (tape == NULL || status != AKIN_OK)
        akin_arena_release(work->arena, mark);
    return status;
}

static bool unit_learns(const pass *p, const akin_resnet_unit *u)
{
    return learns(p, u->weight) || learns(p, u->gamma) || learns(p, u->beta);
}

static bool block_learns(const pass *p, const akin_resnet_block *b)
{
    return unit_learns(p, &b->conv1) || unit_learns(p, &b->conv2) || unit_learns(p, &b->conv3) ||
           (b->has_shortcut && unit_learns(p, &b->shortcut));
}

/* dc: of what the convolution gave. dx NULL: not wanted. */
static akin_status unit_backward(const pass *p, const akin_resnet_unit *u, const unit_tape *t,
                                 const float *dc, float *dx)
{
    const akin_filters bank = filters_of(p, u);
    float *dw = akin_gradient(&p->net->parameters, u->weight);
    if (dx == NULL && dw == NULL)
        return AKIN_OK;
    return akin_filters_backward(p->work, &bank, t->x, p->input->count, u->side, u->side, dc, dx,
                                 dw, p->err);
}

static akin_status joint_backward(const pass *p, const akin_joint *joint,
                                  const akin_upstream *upstream, const float *y, float *dx,
                                  float *dx2, const akin_resnet_unit *u,
                                  const akin_resnet_unit *u2)
{
    const akin_parameters *list = &p->net->parameters;
    return akin_joint_backward(p->work, joint, upstream, y, dx, dx2,
                               akin_gradient(list, u->gamma), akin_gradient(list, u->beta),
                               u2 != NULL ? akin_gradient(list, u2->gamma) : NULL,
                               u2 != NULL ? akin_gradient(list, u2->beta) : NULL, p->err);
}

/* The gradient of a block's output in three buffers that take turns, each as large as any: it is
 * full + extra (NULL: full alone; half: extra is of the pooled output). */
typedef struct turning {
    float *full, *extra, *free[2];
    bool half;
} turning;

static akin_status block_backward(const pass *p, const akin_resnet_block *b, const block_tape *t,
                                  turning *g, bool deeper)
{
    akin_status status = AKIN_OK;
    const akin_upstream top = { g->full, g->extra, false, g->half };
    float *a = g->free[0], *skip = g->full;
    float *other = g->extra != NULL ? g->extra : g->free[1];
    akin_joint joint = ending(p, b, t);
    AKIN_TRY(joint_backward(p, &joint, &top, t->y, a, skip, &b->conv3,
                            b->has_shortcut ? &b->shortcut : NULL));
    AKIN_TRY(unit_backward(p, &b->conv3, &t->conv3, a, other));
    const akin_upstream middle = { other, NULL, b->pooled, false };
    joint = single(p, &b->conv2, &t->conv2);
    AKIN_TRY(joint_backward(p, &joint, &middle, NULL, a, NULL, &b->conv2, NULL));
    AKIN_TRY(unit_backward(p, &b->conv2, &t->conv2, a, other));
    const akin_upstream bottom = { other, NULL, false, false };
    joint = single(p, &b->conv1, &t->conv1);
    AKIN_TRY(joint_backward(p, &joint, &bottom, NULL, other, NULL, &b->conv1, NULL));
    AKIN_TRY(unit_backward(p, &b->conv1, &t->conv1, other, deeper ? a : NULL));
    if (b->has_shortcut)
        AKIN_TRY(unit_backward(p, &b->shortcut, &t->shortcut, skip, deeper ? other : NULL));
    *g = (turning){ .full = a, .half = b->pooled };
    g->extra = b->has_shortcut ? other : skip;
    g->free[0] = g->free[1] = b->has_shortcut ? skip : other;
out:
    return status;
}

static akin_status stem_backward(const pass *p, const akin_image_tape *tape, turning *g)
{
    const akin_resnet_unit *stem = p->tower->stem;
    akin_status status = AKIN_OK;
    akin_upstream upstream = { g->full, g->extra, true, true };
    float *dy = g->free[0], *dx = g->full;
    for (size_t i = 3; i-- > 0;) {
        const akin_joint joint = single(p, &stem[i], &tape->stem[i]);
        AKIN_TRY(joint_backward(p, &joint, &upstream, NULL, dy, NULL, &stem[i], NULL));
        AKIN_TRY(unit_backward(p, &stem[i], &tape->stem[i], dy, i > 0 ? dx : NULL));
        upstream = (akin_upstream){ dx, NULL, false, false };
    }
out:
    return status;
}

/* Floats of the largest activation that has a gradient. */
static size_t largest(const pass *p)
{
    const akin_resnet_unit *stem = p->tower->stem;
    size_t most = floats_of(p, stem[2].side, akin_max(stem[2].in, stem[2].out));
    for (size_t i = 0; i < p->tower->block_count; i++) {
        const akin_resnet_block *b = &p->tower->blocks[i];
        const size_t wide = akin_max(b->conv1.in, b->conv1.out);
        most = akin_max(most, floats_of(p, b->conv1.side, wide));
        most = akin_max(most, floats_of(p, b->conv3.side, b->conv3.out));
    }
    return most;
}

akin_status akin_resnet_net_backward(akin_net *net, const akin_work *work,
                                     const akin_image_input *input, const akin_image_tape *tape,
                                     const float *dout, akin_error *err)
{
    const pass p = { net, net->resnet, work, input, err };
    const akin_resnet_net *t = p.tower;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    const bool stem = unit_learns(&p, &t->stem[0]) || unit_learns(&p, &t->stem[1]) ||
                      unit_learns(&p, &t->stem[2]);
    size_t first = 0; /* the first block that has to be gone through */
    while (!stem && first < t->block_count && !block_learns(&p, &t->blocks[first]))
        first++;
    turning g = { 0 };
    if (input->count == 0)
        return AKIN_OK;
    if (first < t->block_count) {
        AKIN_TRY(take(&p, &g.full, largest(&p)));
        AKIN_TRY(take(&p, &g.free[0], largest(&p)));
        AKIN_TRY(take(&p, &g.free[1], largest(&p)));
    }
    AKIN_TRY(attention_backward(&p, &tape->attention, dout, g.full));
    for (size_t i = t->block_count; i-- > first;)
        AKIN_TRY(block_backward(&p, &t->blocks[i], &tape->blocks[i], &g, stem || i > first));
    if (stem)
        AKIN_TRY(stem_backward(&p, tape, &g));
out:
    akin_arena_release(work->arena, mark);
    return status;
}
