/* resnet.c - CLIP's ModifiedResNet.
 *
 * Reference: open_clip 3.3.0 modified_resnet.py. BatchNorm in its inference form is folded into the
 * convolution before it; of the attention pooling only the query of the mean is computed, and its
 * keys and values never (pool_task). Refused: pictures whose grid of features is not image / 32 a
 * side, which the reference cannot run either.
 */
#include "models/resnet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "nn/conv.h"
#include "nn/matmul.h"

enum {
    STAGES = 4,
    EXPANSION = 4,       /* a block's output over its planes */
    FEATURES = 32,       /* channels of the features over the width */
    /* Positions of the features that pass through the tower together: 10 pictures of RN50, whose
     * activations take 130 MB; with 4 a picture takes 2 % longer, with 1 7 %. */
    GROUP_POSITIONS = 512,
    MOST_BLOCKS = 1024, /* of a stage */
    MOST_WIDTH = 4096,
    MOST_IMAGE = 16384
};

/* A convolution and its BatchNorm, as they are in the file until akin_resnet_finish. */
typedef struct unit {
    akin_conv conv;
    char conv_name[48], norm_name[48]; /* without prefix and ".weight" */
    float *weight;                     /* [out, in, kernel, kernel] */
    float *gamma, *beta, *mean, *variance; /* [out] */
} unit;

typedef struct bottleneck {
    unit conv1, conv2, conv3, shortcut;
    bool has_shortcut;
    size_t stride;
} bottleneck;

struct akin_resnet {
    akin_resnet_config config;
    char prefix[64];
    bool round_bf16;
    unit stem[3];
    bottleneck *blocks;
    size_t block_count;
    size_t d, grid;     /* channels and side of the features */
    float *positions;   /* [1 + grid * grid, d] */
    akin_linear query;  /* d to d */
    /* Of each head: key [d / heads, d] as a product from a head's query to a vector over the
     * features, value [d, d / heads]. */
    akin_linear *keys, *values;
    float *key_weight, *key_bias, *value_weight; /* [d, d], [d]; until akin_resnet_finish */
    float *value_bias;                           /* [d] */
    akin_linear projection;           /* d to dimensions */
};

/* ---- Binding -------------------------------------------------------------------------------- */

static float *bind_values(akin_slots *slots, bool load, int dims, const int64_t *shape,
                          const char *prefix, const char *name, const char *suffix)
{
    akin_slot *slot = akin_slots_add(slots, dims, shape, "%s%s%s", prefix, name, suffix);
    if (!load)
        return NULL;
    size_t count = 1;
    for (int i = 0; i < dims; i++)
        count *= (size_t)shape[i]; /* the config's ranges keep this below 2^40 */
    slot->values = akin_large_alloc(akin_max(count, 1) * sizeof(float));
    if (slot->values == NULL)
        slots->status = AKIN_E_NOMEM;
    return slot->values;
}

/* at: "layer1.0." or ""; conv and norm: the names below it. */
static akin_status bind_unit(akin_slots *slots, bool load, unit *u, const akin_kernels *kernels,
                             bool round_bf16, const char *prefix, const char *at, const char *conv,
                             const char *norm, size_t in, size_t out, size_t kernel, size_t stride,
                             akin_error *err)
{
    const int64_t shape[] = { (int64_t)out, (int64_t)in, (int64_t)kernel, (int64_t)kernel };
    snprintf(u->conv_name, sizeof u->conv_name, "%s%s", at, conv);
    snprintf(u->norm_name, sizeof u->norm_name, "%s%s", at, norm);
    if (load) {
        akin_status status =
            akin_conv_init(&u->conv, kernels, round_bf16, in, out, kernel, stride, err);
        if (status != AKIN_OK)
            return status;
    }
    u->weight = bind_values(slots, load, 4, shape, prefix, u->conv_name, ".weight");
    u->gamma = bind_values(slots, load, 1, shape, prefix, u->norm_name, ".weight");
    u->beta = bind_values(slots, load, 1, shape, prefix, u->norm_name, ".bias");
    u->mean = bind_values(slots, load, 1, shape, prefix, u->norm_name, ".running_mean");
    u->variance = bind_values(slots, load, 1, shape, prefix, u->norm_name, ".running_var");
    return AKIN_OK;
}

static akin_status bind_block(akin_slots *slots, bool load, bottleneck *b,
                              const akin_kernels *kernels, bool round_bf16, const char *prefix,
                              size_t stage, size_t index, size_t in, size_t planes,
                              akin_error *err)
{
    const size_t out = planes * EXPANSION;
    char at[32];
    akin_status status = AKIN_OK;
    snprintf(at, sizeof at, "layer%zu.%zu.", stage + 1, index);
    b->stride = index == 0 && stage > 0 ? 2 : 1;
    b->has_shortcut = b->stride > 1 || in != out;
    AKIN_TRY(bind_unit(slots, load, &b->conv1, kernels, round_bf16, prefix, at, "conv1", "bn1", in,
                       planes, 1, 1, err));
    AKIN_TRY(bind_unit(slots, load, &b->conv2, kernels, round_bf16, prefix, at, "conv2", "bn2",
                       planes, planes, 3, 1, err));
    AKIN_TRY(bind_unit(slots, load, &b->conv3, kernels, round_bf16, prefix, at, "conv3", "bn3",
                       planes, out, 1, 1, err));
    if (b->has_shortcut)
        AKIN_TRY(bind_unit(slots, load, &b->shortcut, kernels, round_bf16, prefix, at,
                           "downsample.0", "downsample.1", in, out, 1, 1, err));
out:
    return status;
}

static akin_status bind_pooling(akin_slots *slots, bool load, akin_resnet *t,
                                const akin_kernels *kernels, bool round_bf16, const char *prefix,
                                akin_error *err)
{
    const size_t d = t->d, heads = t->config.heads, dimensions = t->config.dimensions;
    const int64_t table[] = { (int64_t)(1 + t->grid * t->grid), (int64_t)d };
    const int64_t square[] = { (int64_t)d, (int64_t)d };
    const int64_t out[] = { (int64_t)dimensions, (int64_t)d };
    akin_status status = AKIN_OK;
    if (load) {
        AKIN_TRY(akin_linear_init(&t->query, kernels, round_bf16, d, d, true, err));
        AKIN_TRY(akin_linear_init(&t->projection, kernels, false, d, dimensions, true, err));
        t->keys = calloc(heads, sizeof *t->keys);
        t->values = calloc(heads, sizeof *t->values);
        if (t->keys == NULL || t->values == NULL)
            return akin_fail_nomem(err, "heads", heads * sizeof *t->keys);
        for (size_t h = 0; h < heads; h++) {
            AKIN_TRY(akin_linear_init(&t->keys[h], kernels, round_bf16, d / heads, d, false, err));
            AKIN_TRY(
                akin_linear_init(&t->values[h], kernels, round_bf16, d, d / heads, false, err));
        }
    }
    t->positions = bind_values(slots, load, 2, table, prefix, "attnpool.", "positional_embedding");
    t->key_weight = bind_values(slots, load, 2, square, prefix, "attnpool.k_proj", ".weight");
    t->key_bias = bind_values(slots, load, 1, square, prefix, "attnpool.k_proj", ".bias");
    t->value_weight = bind_values(slots, load, 2, square, prefix, "attnpool.v_proj", ".weight");
    t->value_bias = bind_values(slots, load, 1, square, prefix, "attnpool.v_proj", ".bias");
    akin_slots_add(slots, 2, square, "%sattnpool.q_proj.weight", prefix)->linear =
        load ? &t->query : NULL;
    akin_slots_add(slots, 1, square, "%sattnpool.q_proj.bias", prefix)->values = t->query.bias;
    akin_slots_add(slots, 2, out, "%sattnpool.c_proj.weight", prefix)->linear =
        load ? &t->projection : NULL;
    akin_slots_add(slots, 1, out, "%sattnpool.c_proj.bias", prefix)->values = t->projection.bias;
out:
    return status;
}

/* Side of the features: conv1 rounds up, each of the four average pools down. */
static size_t feature_side(size_t image)
{
    return (image + 1) / 2 / 2 / 2 / 2 / 2;
}

static akin_status check_config(const akin_resnet_config *c, akin_error *err)
{
    for (size_t s = 0; s < STAGES; s++)
        if (c->blocks[s] == 0 || c->blocks[s] > MOST_BLOCKS)
            return akin_fail(err, AKIN_E_CONFIG, NULL, "layers[%zu] of a ResNet is %zu, not 1..%d",
                             s, c->blocks[s], MOST_BLOCKS);
    if (c->width < 2 || c->width > MOST_WIDTH)
        return akin_fail(err, AKIN_E_CONFIG, NULL, "width of a ResNet is %zu, not 2..%d", c->width,
                         MOST_WIDTH);
    if (c->image < 32 || c->image > MOST_IMAGE)
        return akin_fail(err, AKIN_E_CONFIG, NULL, "image_size of a ResNet is %zu, not 32..%d",
                         c->image, MOST_IMAGE);
    if (c->heads == 0 || c->width * FEATURES % c->heads != 0)
        return akin_fail(err, AKIN_E_CONFIG, NULL,
                         "%zu heads do not divide the %zu channels of the features (width * 32)",
                         c->heads, c->width * FEATURES);
    if (feature_side(c->image) != c->image / 32)
        return akin_fail(err, AKIN_E_CONFIG, NULL,
                         "pictures of %zu pixels a side have %zu x %zu features and positions for "
                         "%zu x %zu; take a multiple of 32",
                         c->image, feature_side(c->image), feature_side(c->image), c->image / 32,
                         c->image / 32);
    return AKIN_OK;
}

akin_status akin_resnet_bind(akin_slots *slots, bool load, akin_resnet **tower,
                             const akin_resnet_config *config, const akin_kernels *kernels,
                             bool round_bf16, const char *prefix, akin_error *err)
{
    *tower = NULL;
    akin_status status = check_config(config, err);
    if (status != AKIN_OK)
        return status;
    const size_t width = config->width, half = width / 2;
    akin_resnet *t = calloc(1, sizeof *t);
    if (t == NULL)
        return akin_fail_nomem(err, "model", sizeof *t);
    t->config = *config;
    t->round_bf16 = round_bf16;
    t->d = width * FEATURES;
    t->grid = config->image / 32;
    snprintf(t->prefix, sizeof t->prefix, "%s", prefix);
    for (size_t s = 0; s < STAGES; s++)
        t->block_count += config->blocks[s];
    t->blocks = calloc(t->block_count, sizeof *t->blocks);
    if (t->blocks == NULL) {
        status = akin_fail_nomem(err, "layers", t->block_count * sizeof *t->blocks);
        goto out;
    }
    AKIN_TRY(bind_unit(slots, load, &t->stem[0], kernels, round_bf16, prefix, "", "conv1", "bn1", 3,
                       half, 3, 2, err));
    AKIN_TRY(bind_unit(slots, load, &t->stem[1], kernels, round_bf16, prefix, "", "conv2", "bn2",
                       half, half, 3, 1, err));
    AKIN_TRY(bind_unit(slots, load, &t->stem[2], kernels, round_bf16, prefix, "", "conv3", "bn3",
                       half, width, 3, 1, err));
    bottleneck *b = t->blocks;
    size_t in = width, planes = width;
    for (size_t s = 0; s < STAGES; s++, planes *= 2)
        for (size_t i = 0; i < config->blocks[s]; i++, in = planes * EXPANSION)
            AKIN_TRY(bind_block(slots, load, b++, kernels, round_bf16, prefix, s, i, in, planes,
                                err));
    AKIN_TRY(bind_pooling(slots, load, t, kernels, round_bf16, prefix, err));
out:
    if (status == AKIN_OK && load)
        *tower = t;
    else
        akin_resnet_free(t);
    return status;
}

bool akin_resnet_ignores(const char *name)
{
    static const char suffix[] = ".num_batches_tracked";
    const size_t n = strlen(name), m = sizeof suffix - 1;
    return n >= m && strcmp(name + n - m, suffix) == 0;
}

static void drop(float **values)
{
    free(*values);
    *values = NULL;
}

static void drop_unit(unit *u)
{
    drop(&u->weight);
    drop(&u->gamma);
    drop(&u->beta);
    drop(&u->mean);
    drop(&u->variance);
}

static void clear_unit(unit *u)
{
    drop_unit(u);
    akin_conv_clear(&u->conv);
}

void akin_resnet_free(akin_resnet *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < 3; i++)
        clear_unit(&t->stem[i]);
    for (size_t i = 0; t->blocks != NULL && i < t->block_count; i++) {
        clear_unit(&t->blocks[i].conv1);
        clear_unit(&t->blocks[i].conv2);
        clear_unit(&t->blocks[i].conv3);
        clear_unit(&t->blocks[i].shortcut);
    }
    free(t->blocks);
    free(t->positions);
    akin_linear_clear(&t->query);
    for (size_t h = 0; h < t->config.heads; h++) {
        if (t->keys != NULL)
            akin_linear_clear(&t->keys[h]);
        if (t->values != NULL)
            akin_linear_clear(&t->values[h]);
    }
    free(t->keys);
    free(t->values);
    free(t->key_weight);
    free(t->key_bias);
    free(t->value_weight);
    free(t->value_bias);
    akin_linear_clear(&t->projection);
    free(t);
}

/* ---- Folding -------------------------------------------------------------------------------- */

/* y = (conv(x) - mean) / sqrt(variance + eps) * gamma + beta: scaled weights and a bias. In double,
 * rounded once. */
static akin_status fold(const akin_resnet *t, unit *u, const akin_kernels *kernels, akin_error *err)
{
    const double eps = 1e-5; /* of torch.nn.BatchNorm2d: no configuration has it */
    const size_t each = u->conv.in * u->conv.kernel * u->conv.kernel;
    for (size_t n = 0; n < u->conv.out; n++) {
        if (u->variance[n] < 0.0f)
            return akin_fail(err, AKIN_E_NONFINITE, NULL,
                             "tensor '%s%s.running_var' is negative at [%zu]: %g; the file is "
                             "damaged",
                             t->prefix, u->norm_name, n, u->variance[n]);
        const double scale = u->gamma[n] / sqrt((double)u->variance[n] + eps);
        bool finite = true;
        float *row = u->weight + n * each;
        for (size_t i = 0; i < each; i++) {
            row[i] = (float)(row[i] * scale);
            finite = finite && isfinite(row[i]);
        }
        const float bias = (float)(u->beta[n] - u->mean[n] * scale);
        if (!finite || !isfinite(bias))
            return akin_fail(err, AKIN_E_NONFINITE, NULL,
                             "tensor '%s%s.weight' with the BatchNorm '%s%s' folded in is not "
                             "finite at [%zu]",
                             t->prefix, u->conv_name, t->prefix, u->norm_name, n);
        u->conv.weights.bias[n] = bias;
    }
    akin_status status = akin_conv_set(&u->conv, kernels, u->weight, err);
    drop_unit(u);
    return status;
}

static unit *unit_at(akin_resnet *t, size_t i)
{
    if (i < 3)
        return &t->stem[i];
    bottleneck *b = &t->blocks[(i - 3) / 4];
    unit *const all[] = { &b->conv1, &b->conv2, &b->conv3, b->has_shortcut ? &b->shortcut : NULL };
    return all[(i - 3) % 4];
}

struct finish {
    akin_resnet *tower;
    const akin_kernels *kernels;
    size_t units;
    akin_status *statuses; /* [units] */
};

static void finish_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct finish *f = context;
    akin_resnet *t = f->tower;
    if (i < f->units) {
        unit *u = unit_at(t, i);
        if (u != NULL)
            f->statuses[i] = fold(t, u, f->kernels, NULL);
        return;
    }
    const size_t h = i - f->units, d = t->d, width = d / t->config.heads;
    /* Both are rows [h * width, (h + 1) * width) of a [d, d]; keys take them as columns. */
    akin_pack_right(f->kernels, t->round_bf16, t->key_weight + h * width * d, 1, d, 0, d, width,
                    t->keys[h].panels);
    akin_linear_set(&t->values[h], f->kernels, t->value_weight + h * width * d, 0, width);
}

akin_status akin_resnet_finish(akin_resnet *tower, const akin_kernels *kernels, akin_pool *pool,
                               akin_error *err)
{
    struct finish f = { tower, kernels, 3 + 4 * tower->block_count, NULL };
    f.statuses = calloc(f.units, sizeof *f.statuses);
    if (f.statuses == NULL)
        return akin_fail_nomem(err, "layers", f.units * sizeof *f.statuses);
    akin_pool_run(pool, f.units + tower->config.heads, finish_task, &f);
    drop(&tower->key_weight);
    drop(&tower->key_bias); /* the same for every position: the softmax would not see it */
    drop(&tower->value_weight);
    /* The first that failed is done again for its message: what it refuses is still there. Not so
     * where memory ran out, behind the folding. */
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < f.units && status == AKIN_OK; i++)
        if (f.statuses[i] == AKIN_E_NOMEM)
            status = akin_fail_nomem(err, "layers", 0);
        else if (f.statuses[i] != AKIN_OK)
            status = fold(tower, unit_at(tower, i), kernels, err);
    free(f.statuses);
    return status;
}

/* ---- Pictures ------------------------------------------------------------------------------- */

/* Floats of one picture's largest activation: the stem's last, or a block's. */
static size_t largest_activation(const akin_resnet *t)
{
    size_t side = (t->config.image + 1) / 2, largest = side * side * t->config.width;
    side /= 2;
    for (size_t s = 0, planes = t->config.width; s < STAGES; s++, planes *= 2) {
        /* The first block's conv1 and conv2 still have the side of the stage before. */
        largest = akin_max(largest, side * side * planes);
        if (s > 0)
            side /= 2;
        largest = akin_max(largest, side * side * planes * EXPANSION);
    }
    return largest;
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
    const size_t n = t->image, plane = n * n;
    const float *from = t->pixels + i / n * 3 * plane + i % n * n;
    float *out = t->out + i * n * 3;
    for (size_t x = 0; x < n; x++)
        for (size_t c = 0; c < 3; c++)
            out[3 * x + c] = from[c * plane + x];
}

/* x [count, side, side, in], which becomes the block's output; t1..t3: as large as any
 * activation. */
static akin_status run_block(const akin_nn *nn, const bottleneck *b, float **x, float **t1,
                             float **t2, float **t3, size_t count, size_t *side, akin_error *err)
{
    akin_status status = AKIN_OK;
    const float *identity = *x;
    const size_t before = *side;
    AKIN_TRY(akin_conv_run(nn, &b->conv1.conv, *x, count, before, before, AKIN_ACT_RELU, NULL, *t1,
                           err));
    AKIN_TRY(akin_conv_run(nn, &b->conv2.conv, *t1, count, before, before, AKIN_ACT_RELU, NULL,
                           *t2, err));
    float *h = *t2, *shortcut = *t1;
    if (b->stride == 2) {
        akin_pool2_run(nn, *t2, count, before, before, b->conv2.conv.out, *t1);
        akin_pool2_run(nn, *x, count, before, before, b->conv1.conv.in, *t2);
        *side = before / 2;
        identity = *t2;
        h = *t1;
        shortcut = *x; /* pooled: no longer wanted */
    }
    if (b->has_shortcut) {
        AKIN_TRY(akin_conv_run(nn, &b->shortcut.conv, identity, count, *side, *side, AKIN_ACT_NONE,
                               NULL, shortcut, err));
        identity = shortcut;
    }
    AKIN_TRY(akin_conv_run(nn, &b->conv3.conv, h, count, *side, *side, AKIN_ACT_RELU, identity, *t3,
                           err));
    float *old = *x;
    *x = *t3;
    *t3 = old;
out:
    return status;
}

struct pooling {
    const akin_resnet *tower;
    const akin_kernels *kernels;
    size_t count, tokens;
    const float *x;     /* [count, tokens, d] */
    const float *query; /* [count, d] */
    float *scratch;     /* [threads, scratch_floats] */
    size_t left_floats, row_floats, score_floats, block_floats, scratch_floats;
    float *out; /* [count, d] */
};

static void multiply(const struct pooling *t, const akin_linear *linear, const float *x, size_t ldx,
                     const float *bias, float *left, float *block, float *y, size_t ldy)
{
    const akin_kernels *kernels = t->kernels;
    const size_t tile = (size_t)kernels->tile_rows, rows = akin_ceil_div(t->count, tile);
    const akin_epilogue epilogue = { .bias = bias };
    for (size_t row = 0; row < rows; row++) {
        akin_pack_left(kernels, linear->round_bf16, x, ldx, t->count, linear->in, row,
                       left + row * tile * linear->in);
        akin_matmul_block(kernels, left, linear->panels, t->count, linear->out, linear->in, row,
                          row + 1, 0, akin_ceil_div(linear->out, (size_t)kernels->tile_cols),
                          &epilogue, block, y, ldy);
    }
}

/* One head over all pictures. With one query a picture, q . (K x_j) = (q K) . x_j, and the sum of
 * a_j (V x_j + b) is V (sum of a_j x_j) + b as the a_j add up to one: two products of one row
 * replace two of a row a position, 7 % of the tower of RN50 as written. */
static void pool_task(void *context, size_t h, int worker)
{
    const struct pooling *t = context;
    const akin_kernels *kernels = t->kernels;
    const size_t d = t->tower->d, width = d / t->tower->config.heads;
    float *left = t->scratch + (size_t)worker * t->scratch_floats;
    float *rows = left + t->left_floats, *scores = rows + t->row_floats;
    float *block = scores + t->score_floats;
    multiply(t, &t->tower->keys[h], t->query + h * width, d, NULL, left, block, rows, d);
    for (size_t i = 0; i < t->count; i++) {
        const float *x = t->x + i * t->tokens * d;
        float *row = rows + i * d;
        for (size_t j = 0; j < t->tokens; j++)
            scores[j] = kernels->dot_f32(row, x + j * d, d);
        kernels->softmax_f32(scores, 1.0f / sqrtf((float)width), t->tokens);
        memset(row, 0, d * sizeof *row);
        for (size_t j = 0; j < t->tokens; j++)
            kernels->add_scaled_f32(scores[j], x + j * d, row, d);
    }
    multiply(t, &t->tower->values[h], rows, d, t->tower->value_bias + h * width, left, block,
             t->out + h * width, d);
}

/* x [count, grid * grid, d]; out [count, dimensions]. */
static akin_status run_pooling(const akin_resnet *tower, const akin_nn *nn, const float *x,
                               size_t count, float *out, akin_error *err)
{
    const akin_kernels *kernels = nn->kernels;
    const size_t d = tower->d, positions = tower->grid * tower->grid;
    const size_t threads = (size_t)akin_pool_threads(nn->pool);
    struct pooling t = { .tower = tower, .kernels = kernels, .count = count,
                         .tokens = 1 + positions };
    t.left_floats = akin_left_floats(kernels, count, d);
    t.row_floats = count * d;
    t.score_floats = t.tokens;
    t.block_floats = akin_right_floats(kernels, d, (size_t)kernels->tile_rows);
    t.scratch_floats = t.left_floats + t.row_floats + t.score_floats + t.block_floats;
    akin_status status = AKIN_OK;
    akin_arena_mark mark = akin_arena_now(nn->arena);
    float *tokens = akin_arena_take(nn->arena, count * t.tokens, d * sizeof *tokens);
    float *query = akin_arena_take(nn->arena, count, d * sizeof *query);
    float *pooled = akin_arena_take(nn->arena, count, d * sizeof *pooled);
    t.scratch = akin_arena_take(nn->arena, threads, t.scratch_floats * sizeof(float));
    if (tokens == NULL || query == NULL || pooled == NULL || t.scratch == NULL) {
        status = akin_fail_nomem(err, "activations", count * t.tokens * d * sizeof *tokens);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        const float *from = x + i * positions * d;
        float *mean = tokens + i * t.tokens * d;
        memset(mean, 0, d * sizeof *mean);
        for (size_t p = 0; p < positions; p++)
            for (size_t j = 0; j < d; j++)
                mean[j] += from[p * d + j];
        for (size_t j = 0; j < d; j++)
            mean[j] = mean[j] / (float)positions + tower->positions[j];
        for (size_t j = 0; j < positions * d; j++)
            mean[d + j] = from[j] + tower->positions[d + j];
    }
    t.x = tokens;
    t.query = query;
    t.out = pooled;
    AKIN_TRY(akin_linear_run(nn, &tower->query, tokens, t.tokens * d, count, NULL, AKIN_ACT_NONE,
                             NULL, 0, query, d, err));
    akin_pool_run(nn->pool, tower->config.heads, pool_task, &t);
    AKIN_TRY(akin_linear_run(nn, &tower->projection, pooled, d, count, NULL, AKIN_ACT_NONE, NULL, 0,
                             out, tower->config.dimensions, err));
out:
    akin_arena_release(nn->arena, mark);
    return status;
}

static akin_status encode_group(const akin_resnet *tower, const akin_nn *nn, const float *pixels,
                                size_t count, float *out, akin_error *err)
{
    const size_t image = tower->config.image, each = largest_activation(tower);
    size_t side = (image + 1) / 2;
    akin_status status = AKIN_OK;
    akin_arena_mark mark = akin_arena_now(nn->arena);
    float *buffers[4];
    bool complete = true;
    for (size_t i = 0; i < 4; i++) {
        buffers[i] = akin_arena_take(nn->arena, count, akin_max(each, 3 * image * image) *
                                                           sizeof(float));
        complete = complete && buffers[i] != NULL;
    }
    if (!complete) {
        status = akin_fail_nomem(err, "activations", count * each * sizeof(float));
        goto out;
    }
    float *x = buffers[0], *t1 = buffers[1], *t2 = buffers[2], *t3 = buffers[3];
    struct unfold u = { pixels, image, x };
    akin_pool_run(nn->pool, count * image, unfold_task, &u);
    AKIN_TRY(akin_conv_run(nn, &tower->stem[0].conv, x, count, image, image, AKIN_ACT_RELU, NULL,
                           t1, err));
    AKIN_TRY(
        akin_conv_run(nn, &tower->stem[1].conv, t1, count, side, side, AKIN_ACT_RELU, NULL, t2,
                      err));
    AKIN_TRY(
        akin_conv_run(nn, &tower->stem[2].conv, t2, count, side, side, AKIN_ACT_RELU, NULL, t1,
                      err));
    akin_pool2_run(nn, t1, count, side, side, tower->config.width, x);
    side /= 2;
    for (size_t i = 0; i < tower->block_count; i++)
        AKIN_TRY(run_block(nn, &tower->blocks[i], &x, &t1, &t2, &t3, count, &side, err));
    AKIN_TRY(run_pooling(tower, nn, x, count, out, err));
out:
    akin_arena_release(nn->arena, mark);
    return status;
}

akin_status akin_resnet_encode(const akin_resnet *tower, const akin_nn *nn, const float *pixels,
                               size_t count, float *out, akin_error *err)
{
    const akin_resnet_config *c = &tower->config;
    const size_t group = akin_max(1, GROUP_POSITIONS / (tower->grid * tower->grid));
    for (size_t i = 0; i < count; i += group) {
        akin_status status =
            encode_group(tower, nn, pixels + i * 3 * c->image * c->image,
                         akin_min(group, count - i), out + i * c->dimensions, err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}
