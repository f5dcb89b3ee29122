/* encoder_grad.c - the pre-norm encoder forward, with what backward reads, and backward.
 *
 * Kept of a layer: what came in, q k v, what attention gave, the stream between attention and MLP,
 * and the MLP before its activation: 10 d floats a row where hidden is 4 d. Norms and activations
 * are computed again, which costs a hundredth of the products and would be 6 d more. */
#include "train/encoder_grad.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "dataset/random.h"
#include "models/clip_names.h"
#include "train/matrix.h"

enum { TASK_ROWS = 16, TASK_COLUMNS = 32 };

/* ---- Parameters ----------------------------------------------------------------------------- */

void akin_bind_norm_net(akin_parameters *list, size_t d, const char *prefix, const char *name,
                        size_t *w, size_t *b)
{
    const int64_t shape[] = { (int64_t)d };
    *w = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, shape, "%s%s.weight", prefix, name);
    *b = akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, shape, "%s%s.bias", prefix, name);
}

static size_t add_weight(akin_parameters *list, size_t out, size_t in, const char *prefix,
                         const char *name, const char *ending)
{
    const int64_t shape[] = { (int64_t)out, (int64_t)in };
    return akin_parameters_add(list, AKIN_PARAMETER_MATRIX, 2, shape, "%s%s%s", prefix, name,
                               ending);
}

static size_t add_vector(akin_parameters *list, size_t n, const char *prefix, const char *name,
                         const char *ending)
{
    const int64_t shape[] = { (int64_t)n };
    return akin_parameters_add(list, AKIN_PARAMETER_VECTOR, 1, shape, "%s%s%s", prefix, name,
                               ending);
}

static void bind_layer(akin_parameters *list, akin_layer_net *layer, const akin_tower_config *c,
                       const akin_clip_names *n, const char *prefix)
{
    const size_t d = c->width;
    akin_bind_norm_net(list, d, prefix, n->norm1, &layer->norm1_w, &layer->norm1_b);
    if (n->query != NULL) {
        layer->qkv_w = add_weight(list, d, d, prefix, n->query, ".weight");
        add_weight(list, d, d, prefix, n->key, ".weight");
        add_weight(list, d, d, prefix, n->value, ".weight");
        layer->qkv_b = add_vector(list, d, prefix, n->query, ".bias");
        add_vector(list, d, prefix, n->key, ".bias");
        add_vector(list, d, prefix, n->value, ".bias");
    } else {
        layer->qkv_w = add_weight(list, 3 * d, d, prefix, n->qkv_weight, "");
        layer->qkv_b = add_vector(list, 3 * d, prefix, n->qkv_bias, "");
    }
    layer->out_w = add_weight(list, d, d, prefix, n->out, ".weight");
    layer->out_b = add_vector(list, d, prefix, n->out, ".bias");
    layer->scale1 = layer->scale2 = SIZE_MAX;
    if (c->layer_scale)
        layer->scale1 = add_vector(list, d, prefix, n->scale1, "");
    akin_bind_norm_net(list, d, prefix, n->norm2, &layer->norm2_w, &layer->norm2_b);
    layer->fc1_w = add_weight(list, c->hidden, d, prefix, n->fc1, ".weight");
    layer->fc1_b = add_vector(list, c->hidden, prefix, n->fc1, ".bias");
    layer->fc2_w = add_weight(list, d, c->hidden, prefix, n->fc2, ".weight");
    layer->fc2_b = add_vector(list, d, prefix, n->fc2, ".bias");
    if (c->layer_scale)
        layer->scale2 = add_vector(list, d, prefix, n->scale2, "");
}

akin_status akin_encoder_net_bind(akin_parameters *list, akin_encoder_net *net,
                                  const akin_tower_config *config, bool causal, akin_form form,
                                  const char *tower, akin_error *err)
{
    const akin_clip_names *n =
        form == AKIN_FORM_HF ? &akin_clip_names_hf : &akin_clip_names_open_clip;
    net->config = *config;
    net->causal = causal;
    net->layers = calloc(akin_max(config->layers, 1), sizeof *net->layers);
    if (net->layers == NULL)
        return akin_fail_nomem(err, "layers", 0);
    for (size_t l = 0; l < config->layers; l++) {
        char prefix[96];
        snprintf(prefix, sizeof prefix, "%s%s%zu.", tower, n->layers, l);
        bind_layer(list, &net->layers[l], config, n, prefix);
    }
    return AKIN_OK;
}

void akin_encoder_net_clear(akin_encoder_net *net)
{
    free(net->layers);
    net->layers = NULL;
}

/* ---- Fresh values --------------------------------------------------------------------------- */

void akin_draw_normal(akin_parameters *list, size_t number, uint64_t seed, double deviation)
{
    float *values = akin_value(list, number);
    for (size_t i = 0; i < list->items[number].count; i++) {
        akin_random r = akin_random_of(seed, number, i);
        values[i] = (float)(deviation * akin_random_normal(&r));
    }
}

void akin_draw_uniform(akin_parameters *list, size_t number, uint64_t seed, double bound)
{
    float *values = akin_value(list, number);
    for (size_t i = 0; i < list->items[number].count; i++) {
        akin_random r = akin_random_of(seed, number, i);
        values[i] = akin_random_range(&r, -bound, bound);
    }
}

void akin_draw_constant(akin_parameters *list, size_t number, float value)
{
    float *values = akin_value(list, number);
    for (size_t i = 0; i < list->items[number].count; i++)
        values[i] = value;
}

/* TextTransformer.init_parameters; VisionTransformer.init_parameters does nothing, which leaves
 * nn.MultiheadAttention's (xavier_uniform) and nn.Linear's own. Biases of attention are zero, those
 * of the MLP nn.Linear's, in both. The factors of layers are LayerScale's default. */
void akin_encoder_net_draw(akin_parameters *list, const akin_encoder_net *net, uint64_t seed,
                           bool text)
{
    const akin_tower_config *c = &net->config;
    const double d = (double)c->width, hidden = (double)c->hidden;
    const double projection = 1.0 / sqrt(2.0 * d * (double)c->layers);
    for (size_t l = 0; l < c->layers; l++) {
        const akin_layer_net *layer = &net->layers[l];
        const bool split = list->items[layer->qkv_w].shape[0] == (int64_t)c->width;
        for (size_t i = 0; i < (split ? 3 : 1); i++) {
            if (text)
                akin_draw_normal(list, layer->qkv_w + i, seed, 1.0 / sqrt(d));
            else
                akin_draw_uniform(list, layer->qkv_w + i, seed, sqrt(6.0 / (4.0 * d)));
            akin_draw_constant(list, layer->qkv_b + i, 0.0f);
        }
        if (text) {
            akin_draw_normal(list, layer->out_w, seed, projection);
            akin_draw_normal(list, layer->fc1_w, seed, 1.0 / sqrt(2.0 * d));
            akin_draw_normal(list, layer->fc2_w, seed, projection);
        } else {
            akin_draw_uniform(list, layer->out_w, seed, 1.0 / sqrt(d));
            akin_draw_uniform(list, layer->fc1_w, seed, 1.0 / sqrt(d));
            akin_draw_uniform(list, layer->fc2_w, seed, 1.0 / sqrt(hidden));
        }
        akin_draw_constant(list, layer->out_b, 0.0f);
        akin_draw_uniform(list, layer->fc1_b, seed, 1.0 / sqrt(d));
        akin_draw_uniform(list, layer->fc2_b, seed, 1.0 / sqrt(hidden));
        akin_draw_constant(list, layer->norm1_w, 1.0f);
        akin_draw_constant(list, layer->norm1_b, 0.0f);
        akin_draw_constant(list, layer->norm2_w, 1.0f);
        akin_draw_constant(list, layer->norm2_b, 0.0f);
        if (c->layer_scale) {
            akin_draw_constant(list, layer->scale1, 1e-5f);
            akin_draw_constant(list, layer->scale2, 1e-5f);
        }
    }
}

/* ---- Rows ----------------------------------------------------------------------------------- */

/* middle = base + factor * branch; y = norm(middle): whichever of them there are. */
struct rows_job {
    const akin_work *work;
    size_t rows, d;
    const float *base, *branch, *factor;
    float *sum;
    const float *w, *b;
    float eps;
    float *y;
    akin_row_norm *norms;
};

static void rows_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct rows_job *t = context;
    const akin_kernels *kernels = t->work->kernels;
    const size_t d = t->d, end = akin_min((i + 1) * TASK_ROWS, t->rows);
    for (size_t r = i * TASK_ROWS; r < end; r++) {
        const float *row = t->base + r * d;
        if (t->branch != NULL) {
            const float *branch = t->branch + r * d;
            float *sum = t->sum + r * d;
            if (sum != row)
                memcpy(sum, row, d * sizeof *sum);
            if (t->factor == NULL)
                kernels->add_scaled_f32(1.0f, branch, sum, d);
            for (size_t j = 0; t->factor != NULL && j < d; j++)
                sum[j] += t->factor[j] * branch[j];
            row = sum;
        }
        akin_row_norm norm = { 0 };
        if (t->w != NULL)
            kernels->gradients->norm_f32(row, t->w, t->b, t->eps, t->y + r * d, d, &norm);
        if (t->norms != NULL)
            t->norms[r] = norm;
    }
}

static void run_rows(struct rows_job *job)
{
    akin_pool_run(job->work->pool, akin_ceil_div(job->rows, TASK_ROWS), rows_task, job);
}

void akin_rows_norm(const akin_work *work, const akin_norm_net *norm, const float *x, size_t rows,
                    float *y, akin_row_norm *norms)
{
    struct rows_job job = { .work = work, .rows = rows, .d = norm->d, .base = x,
                            .w = akin_value(norm->list, norm->w),
                            .b = akin_value(norm->list, norm->b), .eps = norm->eps, .y = y,
                            .norms = norms };
    run_rows(&job);
}

/* Sums over rows: parts, each [2, d], added up in order. */
struct sums_job {
    const akin_work *work;
    size_t rows, d;
    const float *x, *w, *dy, *factor;
    const akin_row_norm *norms;
    bool add;
    float *dx;
    float *sums; /* [AKIN_PARTS, 2, d], or NULL */
};

static size_t part_begin(size_t rows, size_t part)
{
    return rows / AKIN_PARTS * part + rows % AKIN_PARTS * part / AKIN_PARTS;
}

static void norm_back_task(void *context, size_t part, int worker)
{
    (void)worker;
    const struct sums_job *t = context;
    const size_t d = t->d, end = part_begin(t->rows, part + 1);
    float *sums = t->sums != NULL ? t->sums + part * 2 * d : NULL;
    if (sums != NULL)
        memset(sums, 0, 2 * d * sizeof *sums);
    for (size_t r = part_begin(t->rows, part); r < end; r++)
        t->work->kernels->gradients->norm_back_f32(t->x + r * d, t->w, &t->norms[r], t->dy + r * d,
                                                   d, t->add, t->dx + r * d, sums,
                                                   sums != NULL ? sums + d : NULL);
}

/* Adds up the parts, the first or second row of each, into `out`, or nothing when it is NULL. */
static void add_parts(const struct sums_job *job, size_t which, float *out)
{
    for (size_t p = 0; out != NULL && p < AKIN_PARTS; p++)
        job->work->kernels->add_scaled_f32(1.0f, job->sums + (2 * p + which) * job->d, out,
                                           job->d);
}

akin_status akin_rows_norm_back(const akin_work *work, const akin_norm_net *norm, const float *x,
                                const akin_row_norm *norms, const float *dy, size_t rows, bool add,
                                float *dx, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    float *dw = akin_gradient(norm->list, norm->w), *db = akin_gradient(norm->list, norm->b);
    struct sums_job job = { .work = work, .rows = rows, .d = norm->d, .x = x,
                            .w = akin_value(norm->list, norm->w), .dy = dy, .norms = norms,
                            .add = add, .dx = dx };
    if (dw != NULL || db != NULL) {
        job.sums = akin_arena_take(work->arena, 2 * AKIN_PARTS, norm->d * sizeof *job.sums);
        if (job.sums == NULL)
            return akin_fail_nomem(err, "gradients", norm->d * sizeof *job.sums);
    }
    akin_pool_run(work->pool, AKIN_PARTS, norm_back_task, &job);
    add_parts(&job, 0, dw);
    add_parts(&job, 1, db);
    akin_arena_release(work->arena, mark);
    return AKIN_OK;
}

static void factor_back_task(void *context, size_t part, int worker)
{
    (void)worker;
    const struct sums_job *t = context;
    const size_t d = t->d, end = part_begin(t->rows, part + 1);
    float *sums = t->sums + part * 2 * d;
    memset(sums, 0, 2 * d * sizeof *sums);
    for (size_t r = part_begin(t->rows, part); r < end; r++)
        for (size_t j = 0; j < d; j++) {
            sums[j] += t->dy[r * d + j] * t->x[r * d + j];
            t->dx[r * d + j] = t->dy[r * d + j] * t->factor[j];
        }
}

/* Of sum = base + factor * branch: dbranch, and the factor's gradient is added to. */
static akin_status factor_back(const akin_work *work, const akin_parameters *list, size_t number,
                               const float *branch, const float *dsum, size_t rows, size_t d,
                               float *dbranch, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    struct sums_job job = { .work = work, .rows = rows, .d = d, .x = branch, .dy = dsum,
                            .factor = akin_value(list, number), .dx = dbranch };
    job.sums = akin_arena_take(work->arena, 2 * AKIN_PARTS, d * sizeof *job.sums);
    if (job.sums == NULL)
        return akin_fail_nomem(err, "gradients", d * sizeof *job.sums);
    akin_pool_run(work->pool, AKIN_PARTS, factor_back_task, &job);
    add_parts(&job, 0, akin_gradient(list, number));
    akin_arena_release(work->arena, mark);
    return AKIN_OK;
}

struct scatter_job {
    const akin_work *work;
    const float *x;
    size_t rows, d;
    const uint32_t *index;
    float *table;
};

/* All rows of some columns: an element is one chain in the order of the rows, and no two tasks
 * write to one. */
static void scatter_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct scatter_job *t = context;
    const size_t at = i * TASK_COLUMNS, n = akin_min(TASK_COLUMNS, t->d - at);
    for (size_t r = 0; r < t->rows; r++)
        t->work->kernels->add_scaled_f32(1.0f, t->x + r * t->d + at,
                                         t->table + t->index[r] * t->d + at, n);
}

void akin_rows_scatter(const akin_work *work, const float *x, size_t rows, size_t d,
                       const uint32_t *index, float *table)
{
    struct scatter_job job = { work, x, rows, d, index, table };
    akin_pool_run(work->pool, akin_ceil_div(d, TASK_COLUMNS), scatter_task, &job);
}

/* The activation's two directions, TASK_ROWS rows at a time. */
struct activation_job {
    const akin_work *work;
    akin_activation activation;
    const float *x;
    float *out; /* y, or dy becoming dx */
    size_t rows, n;
};

static void activate_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct activation_job *t = context;
    const akin_epilogue epilogue = { .activation = t->activation };
    const size_t at = i * TASK_ROWS, count = akin_min(TASK_ROWS, t->rows - at);
    t->work->kernels->finish_f32(t->x + at * t->n, t->n, &epilogue, t->out + at * t->n, t->n, 1,
                                 count * t->n);
}

static void activate_back_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct activation_job *t = context;
    const size_t at = i * TASK_ROWS, count = akin_min(TASK_ROWS, t->rows - at);
    t->work->kernels->gradients->activate_back_f32(t->activation, t->x + at * t->n,
                                                   t->out + at * t->n, count * t->n);
}

static void activate(const akin_work *work, akin_activation activation, const float *x, float *out,
                     size_t rows, size_t n, akin_task task)
{
    struct activation_job job = { work, activation, x, out, rows, n };
    akin_pool_run(work->pool, akin_ceil_div(rows, TASK_ROWS), task, &job);
}

/* ---- One layer's view ----------------------------------------------------------------------- */

struct view {
    const akin_encoder_tape *tape;
    const akin_layer_net *net;
    const akin_layer_tape *kept;
    size_t d, hidden, rows, live;
    bool pooled; /* the last layer, of which some rows are wanted */
    akin_norm_net norm1, norm2;
};

static struct view view_of(const akin_encoder_tape *tape, size_t l)
{
    const akin_tower_config *c = &tape->net->config;
    struct view v = { .tape = tape, .net = &tape->net->layers[l], .kept = &tape->layers[l],
                      .d = c->width, .hidden = c->hidden, .rows = tape->rows };
    v.pooled = tape->pooled != NULL && l + 1 == c->layers;
    v.live = v.pooled ? tape->count : tape->rows;
    v.norm1 = (akin_norm_net){ tape->list, v.net->norm1_w, v.net->norm1_b, c->eps, c->width };
    v.norm2 = (akin_norm_net){ tape->list, v.net->norm2_w, v.net->norm2_b, c->eps, c->width };
    return v;
}

/* Rows [first, first + out) of a weight [.., in]. */
static akin_weight rows_of(const akin_parameters *list, size_t w, size_t b, size_t in, size_t first,
                           size_t out)
{
    return (akin_weight){ .w = akin_value(list, w) + first * in,
                          .b = akin_value(list, b) + first, .in = in, .out = out };
}

static float *offset(float *p, size_t n)
{
    return p != NULL ? p + n : NULL;
}

static akin_status back(const akin_work *work, const akin_parameters *list, size_t w, size_t b,
                        size_t in, size_t first, size_t out, const float *x, size_t rows,
                        const float *dy, size_t lddy, float *dx, akin_error *err)
{
    const akin_weight weight = rows_of(list, w, b, in, first, out);
    return akin_matrix_backward(work, &weight, x, in, rows, dy, lddy, dx, in, false,
                                offset(akin_gradient(list, w), first * in),
                                offset(akin_gradient(list, b), first), err);
}

/* Attention's operands where qkv lies as in akin_layer_tape. */
static akin_attention attention_of(const struct view *v, float *qkv,
                                   const akin_attention_span *spans)
{
    float *kv = v->pooled ? qkv + v->live * v->d : qkv + v->d;
    const size_t ld = v->pooled ? 2 * v->d : 3 * v->d;
    return (akin_attention){ .q = qkv, .k = kv, .v = kv + v->d, .ldq = v->pooled ? v->d : ld,
                             .ldkv = ld, .d = v->d, .heads = v->tape->net->config.heads,
                             .count = v->tape->count, .spans = spans,
                             .causal = v->tape->net->causal };
}

static void fill_spans(const struct view *v, akin_attention_span *spans)
{
    const akin_encoder_tape *t = v->tape;
    for (size_t s = 0; s < t->count; s++) {
        const size_t start = t->starts[s], length = t->starts[s + 1] - start;
        spans[s] = v->pooled ? (akin_attention_span){ start, length, s, 1, t->pooled[s] - start }
                             : (akin_attention_span){ start, length, start, length, 0 };
    }
}

static void gather(const struct view *v, const float *x, float *out)
{
    for (size_t s = 0; s < v->tape->count; s++)
        memcpy(out + s * v->d, x + v->tape->pooled[s] * v->d, v->d * sizeof *out);
}

/* ---- Forward -------------------------------------------------------------------------------- */

/* Memory comes in one piece: an arena's blocks of changing sizes would be freed and taken anew with
 * every batch. take: moves *at behind `count` floats, which *out gets, when there is memory. */
static void take(float *memory, size_t *at, size_t count, float **out)
{
    if (memory != NULL)
        *out = memory + *at;
    *at += akin_round_up(count, 16);
}

static void take_layer(const struct view *v, akin_layer_tape *t, bool factors, float *memory,
                       size_t *at)
{
    const size_t d = v->d;
    take(memory, at, v->pooled ? v->live * d + v->rows * 2 * d : v->rows * 3 * d, &t->qkv);
    take(memory, at, v->live * d, &t->attended);
    if (factors) {
        take(memory, at, v->live * d, &t->branch1);
        take(memory, at, v->live * d, &t->branch2);
    }
    take(memory, at, v->live * d, &t->middle);
    take(memory, at, v->live * v->hidden, &t->wide);
}

/* Lays out the layers: from tape->first on each has its own, those below share what fits any (and
 * two streams, of which one is read while the other is written). Returns the floats. */
static size_t lay_out(akin_encoder_tape *tape, float *x, float *memory)
{
    const akin_tower_config *c = &tape->net->config;
    akin_layer_tape shared = { 0 };
    float *streams[2] = { NULL, NULL };
    size_t at = 0;
    if (tape->first > 0 && c->layers > 0) {
        struct view v = view_of(tape, 0);
        v.pooled = false; /* at least as large */
        v.live = v.rows;
        take_layer(&v, &shared, c->layer_scale, memory, &at);
        take(memory, &at, tape->rows * c->width, &streams[0]);
        take(memory, &at, tape->rows * c->width, &streams[1]);
    }
    for (size_t l = 0; l < c->layers; l++) {
        const struct view v = view_of(tape, l);
        akin_layer_tape *t = &tape->layers[l];
        const bool own = l >= tape->first;
        if (own)
            take_layer(&v, t, c->layer_scale, memory, &at);
        else
            *t = shared;
        if (l == 0)
            t->x = x;
        else if (own)
            take(memory, &at, tape->rows * c->width, &t->x);
        else
            t->x = streams[l % 2];
    }
    return at;
}

static bool layer_learns(const akin_parameters *list, const akin_layer_net *n, bool factors)
{
    const size_t all[] = { n->norm1_w, n->norm1_b, n->norm2_w, n->norm2_b, n->qkv_w, n->qkv_b,
                           n->out_w,   n->out_b,   n->fc1_w,   n->fc1_b,   n->fc2_w, n->fc2_b };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (akin_learns(list, all[i]))
            return true;
    return factors && (akin_learns(list, n->scale1) || akin_learns(list, n->scale2));
}

static akin_status forward_layer(const struct view *v, const akin_work *work, float *y,
                                 float *branch, float *active, akin_attention_span *spans,
                                 akin_error *err)
{
    const akin_parameters *list = v->tape->list;
    const akin_layer_net *n = v->net;
    const akin_layer_tape *t = v->kept;
    const akin_tower_config *c = &v->tape->net->config;
    const size_t d = v->d, hidden = v->hidden;
    const akin_weight out = rows_of(list, n->out_w, n->out_b, d, 0, d);
    const akin_weight fc1 = rows_of(list, n->fc1_w, n->fc1_b, d, 0, hidden);
    const akin_weight fc2 = rows_of(list, n->fc2_w, n->fc2_b, hidden, 0, d);
    akin_status status;
    if (v->pooled) {
        const akin_weight q = rows_of(list, n->qkv_w, n->qkv_b, d, 0, d);
        const akin_weight kv = rows_of(list, n->qkv_w, n->qkv_b, d, d, 2 * d);
        gather(v, y, branch);
        AKIN_TRY(akin_matrix_forward(work, &q, branch, d, v->live, t->qkv, d, err));
        AKIN_TRY(akin_matrix_forward(work, &kv, y, d, v->rows, t->qkv + v->live * d, 2 * d, err));
    } else {
        const akin_weight qkv = rows_of(list, n->qkv_w, n->qkv_b, d, 0, 3 * d);
        AKIN_TRY(akin_matrix_forward(work, &qkv, y, d, v->rows, t->qkv, 3 * d, err));
    }
    fill_spans(v, spans);
    const akin_attention attention = attention_of(v, t->qkv, spans);
    AKIN_TRY(akin_attention_forward(work, &attention, t->attended, err));

    float *branch1 = c->layer_scale ? t->branch1 : branch;
    float *branch2 = c->layer_scale ? t->branch2 : branch;
    AKIN_TRY(akin_matrix_forward(work, &out, t->attended, d, v->live, branch1, d, err));
    struct rows_job join = { .work = work, .rows = v->live, .d = d, .base = t->x,
                             .branch = branch1, .sum = t->middle,
                             .factor = c->layer_scale ? akin_value(list, n->scale1) : NULL,
                             .w = akin_value(list, n->norm2_w), .b = akin_value(list, n->norm2_b),
                             .eps = c->eps, .y = y };
    if (v->pooled) {
        gather(v, t->x, t->middle);
        join.base = t->middle;
    }
    run_rows(&join);
    AKIN_TRY(akin_matrix_forward(work, &fc1, y, d, v->live, t->wide, hidden, err));
    activate(work, c->activation, t->wide, active, v->live, hidden, activate_task);
    AKIN_TRY(akin_matrix_forward(work, &fc2, active, hidden, v->live, branch2, d, err));
out:
    return status;
}

akin_status akin_encoder_forward(akin_encoder_tape *tape, const akin_work *work, float *x,
                                 bool keep, bool below, float *out, akin_error *err)
{
    const akin_tower_config *c = &tape->net->config;
    const size_t d = c->width, rows = tape->rows, layers = c->layers;
    akin_status status = AKIN_OK;
    tape->first = 0;
    while (!(keep && below) && tape->first < layers &&
           !(keep && layer_learns(tape->list, &tape->net->layers[tape->first], c->layer_scale)))
        tape->first++;

    akin_arena_mark mark = akin_arena_now(work->arena);
    tape->layers = akin_arena_take(work->arena, layers, sizeof *tape->layers);
    if (tape->layers == NULL)
        return akin_fail_nomem(err, "layers", 0);
    memset(tape->layers, 0, layers * sizeof *tape->layers);
    const size_t floats = lay_out(tape, x, NULL);
    float *memory = akin_arena_take(work->arena, floats, sizeof *memory);
    if (memory == NULL)
        return akin_fail_nomem(err, "activations", floats * sizeof *memory);
    lay_out(tape, x, memory);
    if (keep)
        mark = akin_arena_now(work->arena);

    float *scratch = akin_arena_take(work->arena, rows, (2 * d + c->hidden) * sizeof *scratch);
    akin_attention_span *spans = akin_arena_take(work->arena, tape->count, sizeof *spans);
    if (scratch == NULL || spans == NULL) {
        status = akin_fail_nomem(err, "activations", rows * d * sizeof *scratch);
        goto out;
    }
    float *y = scratch, *branch = y + rows * d, *active = branch + rows * d;
    for (size_t l = 0; l < layers; l++) {
        const struct view v = view_of(tape, l);
        const bool last = l + 1 == layers;
        if (l == 0)
            akin_rows_norm(work, &v.norm1, x, rows, y, NULL);
        AKIN_TRY(forward_layer(&v, work, y, branch, active, spans, err));
        struct rows_job join = { .work = work, .rows = v.live, .d = d, .base = v.kept->middle,
                                 .branch = c->layer_scale ? v.kept->branch2 : branch,
                                 .factor = c->layer_scale ? akin_value(tape->list, v.net->scale2)
                                                          : NULL,
                                 .sum = last ? out : tape->layers[l + 1].x };
        if (!last) {
            const akin_layer_net *next = &tape->net->layers[l + 1];
            join.w = akin_value(tape->list, next->norm1_w);
            join.b = akin_value(tape->list, next->norm1_b);
            join.eps = c->eps;
            join.y = y;
        }
        run_rows(&join);
    }
    if (layers == 0 && tape->pooled == NULL)
        memcpy(out, x, rows * d * sizeof *out);
    for (size_t s = 0; layers == 0 && tape->pooled != NULL && s < tape->count; s++)
        memcpy(out + s * d, x + tape->pooled[s] * d, d * sizeof *out);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

/* ---- Backward ------------------------------------------------------------------------------- */

struct scratch {
    float *stream, *pooled_stream; /* [rows, d], [count, d] */
    float *y, *dy, *dbranch;       /* [rows, d] */
    float *active, *dwide;         /* [rows, hidden]; dwide also holds dqkv, [rows, 3 d] */
    float *yq, *dyq;               /* [count, d] */
    akin_row_norm *norms;
    akin_attention_span *spans;
};

static akin_status take_scratch(const akin_encoder_tape *tape, const akin_work *work,
                                struct scratch *s, akin_error *err)
{
    const size_t d = tape->net->config.width, hidden = tape->net->config.hidden;
    const size_t rows = tape->rows, count = tape->count;
    float *memory = NULL;
    *s = (struct scratch){ 0 };
    s->norms = akin_arena_take(work->arena, rows, sizeof *s->norms);
    s->spans = akin_arena_take(work->arena, count, sizeof *s->spans);
    for (int pass = 0; pass < 2; pass++) {
        size_t at = 0;
        take(memory, &at, rows * d, &s->stream);
        take(memory, &at, rows * d, &s->y);
        take(memory, &at, rows * d, &s->dy);
        take(memory, &at, rows * d, &s->dbranch);
        take(memory, &at, rows * hidden, &s->active);
        take(memory, &at, rows * akin_max(hidden, 3 * d), &s->dwide);
        take(memory, &at, count * d, &s->pooled_stream);
        take(memory, &at, count * d, &s->yq);
        take(memory, &at, count * d, &s->dyq);
        if (pass == 0)
            memory = akin_arena_take(work->arena, at, sizeof *memory);
        if (memory == NULL || s->norms == NULL || s->spans == NULL)
            return akin_fail_nomem(err, "gradients", at * sizeof *memory);
    }
    return AKIN_OK;
}

/* stream [live, d]: of the layer's output, becomes that of `middle`. */
static akin_status mlp_back(const struct view *v, const akin_work *work, const struct scratch *s,
                            float *stream, akin_error *err)
{
    const akin_parameters *list = v->tape->list;
    const akin_layer_net *n = v->net;
    const akin_layer_tape *t = v->kept;
    const akin_tower_config *c = &v->tape->net->config;
    const float *dbranch = stream;
    akin_status status = AKIN_OK;
    if (c->layer_scale) {
        AKIN_TRY(factor_back(work, list, n->scale2, t->branch2, stream, v->live, v->d, s->dbranch,
                             err));
        dbranch = s->dbranch;
    }
    if (akin_learns(list, n->fc2_w))
        activate(work, c->activation, t->wide, s->active, v->live, v->hidden, activate_task);
    AKIN_TRY(back(work, list, n->fc2_w, n->fc2_b, v->hidden, 0, v->d, s->active, v->live, dbranch,
                  v->d, s->dwide, err));
    activate(work, c->activation, t->wide, s->dwide, v->live, v->hidden, activate_back_task);
    akin_rows_norm(work, &v->norm2, t->middle, v->live, s->y, s->norms);
    AKIN_TRY(back(work, list, n->fc1_w, n->fc1_b, v->d, 0, v->hidden, s->y, v->live, s->dwide,
                  v->hidden, s->dy, err));
    AKIN_TRY(akin_rows_norm_back(work, &v->norm2, t->middle, s->norms, s->dy, v->live, true, stream,
                                 err));
out:
    return status;
}

/* stream [live, d]: of `middle`; s->stream [rows, d] becomes that of the layer's input. */
static akin_status attention_back(const struct view *v, const akin_work *work,
                                  const struct scratch *s, float *stream, akin_error *err)
{
    const akin_parameters *list = v->tape->list;
    const akin_layer_net *n = v->net;
    const akin_layer_tape *t = v->kept;
    const size_t d = v->d;
    const float *dbranch = stream;
    akin_status status = AKIN_OK;
    if (v->tape->net->config.layer_scale) {
        AKIN_TRY(factor_back(work, list, n->scale1, t->branch1, stream, v->live, d, s->dbranch,
                             err));
        dbranch = s->dbranch;
    }
    AKIN_TRY(back(work, list, n->out_w, n->out_b, d, 0, d, t->attended, v->live, dbranch, d, s->dy,
                  err));
    fill_spans(v, s->spans);
    const akin_attention attention = attention_of(v, t->qkv, s->spans);
    float *dq = s->dwide, *dk = dq + (attention.k - attention.q), *dv = dk + d;
    AKIN_TRY(akin_attention_backward(work, &attention, s->dy, dq, dk, dv, err));
    akin_rows_norm(work, &v->norm1, t->x, v->rows, s->y, s->norms);
    if (!v->pooled) {
        AKIN_TRY(back(work, list, n->qkv_w, n->qkv_b, d, 0, 3 * d, s->y, v->rows, dq, 3 * d, s->dy,
                      err));
    } else {
        AKIN_TRY(back(work, list, n->qkv_w, n->qkv_b, d, d, 2 * d, s->y, v->rows, dk, 2 * d, s->dy,
                      err));
        gather(v, s->y, s->yq);
        AKIN_TRY(back(work, list, n->qkv_w, n->qkv_b, d, 0, d, s->yq, v->live, dq, d, s->dyq, err));
        memset(s->stream, 0, v->rows * d * sizeof *s->stream);
        for (size_t i = 0; i < v->live; i++) {
            const size_t row = v->tape->pooled[i] * d;
            work->kernels->add_scaled_f32(1.0f, s->dyq + i * d, s->dy + row, d);
            memcpy(s->stream + row, stream + i * d, d * sizeof *stream);
        }
    }
    AKIN_TRY(akin_rows_norm_back(work, &v->norm1, t->x, s->norms, s->dy, v->rows, true, s->stream,
                                 err));
out:
    return status;
}

akin_status akin_encoder_backward(const akin_encoder_tape *tape, const akin_work *work,
                                  const float *dout, float *dx, akin_error *err)
{
    const size_t d = tape->net->config.width, layers = tape->net->config.layers;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    struct scratch s;
    AKIN_TRY(take_scratch(tape, work, &s, err));
    if (tape->pooled != NULL)
        memcpy(s.pooled_stream, dout, tape->count * d * sizeof *dout);
    else
        memcpy(s.stream, dout, tape->rows * d * sizeof *dout);
    for (size_t l = layers; l-- > tape->first;) {
        const struct view v = view_of(tape, l);
        float *stream = v.pooled ? s.pooled_stream : s.stream;
        AKIN_TRY(mlp_back(&v, work, &s, stream, err));
        AKIN_TRY(attention_back(&v, work, &s, stream, err));
    }
    if (dx == NULL)
        goto out;
    if (layers == 0 && tape->pooled != NULL) {
        memset(s.stream, 0, tape->rows * d * sizeof *s.stream);
        for (size_t i = 0; i < tape->count; i++)
            memcpy(s.stream + tape->pooled[i] * d, dout + i * d, d * sizeof *dout);
    }
    memcpy(dx, s.stream, tape->rows * d * sizeof *dx);
out:
    akin_arena_release(work->arena, mark);
    return status;
}
