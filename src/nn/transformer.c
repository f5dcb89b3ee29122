/* transformer.c - multi-head attention and the pre-norm encoder. */
#include "nn/transformer.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "nn/matmul.h"

struct norm_rows {
    const akin_nn *nn;
    const akin_norm *norm;
    const float *x;
    size_t ldx, rows, n;
    float *y;
    size_t ldy;
};

enum { NORM_ROWS = 16 }; /* a task: some 10 us, well above the cost of handing it out */

static void norm_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct norm_rows *t = context;
    const size_t end = akin_min((i + 1) * NORM_ROWS, t->rows);
    for (size_t r = i * NORM_ROWS; r < end; r++)
        t->nn->kernels->layernorm_f32(t->x + r * t->ldx, t->norm->weight, t->norm->bias,
                                      t->norm->eps, t->y + r * t->ldy, t->n);
}

void akin_norm_run(const akin_nn *nn, const akin_norm *norm, const float *x, size_t ldx,
                   size_t rows, size_t n, float *y, size_t ldy)
{
    struct norm_rows t = { nn, norm, x, ldx, rows, n, y, ldy };
    akin_pool_run(nn->pool, akin_ceil_div(rows, NORM_ROWS), norm_task, &t);
}

struct attention {
    const akin_nn *nn;
    const float *qkv;
    size_t d, heads;
    const akin_span *spans;
    bool causal;
    float *out;
    size_t left_floats, right_floats, score_floats, block_floats;
    float *scratch; /* [threads, left + right + scores + block] */
};

/* One product of packed operands on this thread: out [m, n] = left [m, k] . right. */
static void product(const akin_kernels *kernels, const float *left, const float *right, size_t m,
                    size_t n, size_t k, float *block, float *out, size_t ldo)
{
    static const akin_epilogue plain = { 0 };
    const size_t row_panels = akin_ceil_div(m, (size_t)kernels->tile_rows);
    const size_t col_panels = akin_ceil_div(n, (size_t)kernels->tile_cols);
    /* A row panel at a time: the block scratch is then a few KiB whatever the sequence's length. */
    for (size_t row = 0; row < row_panels; row++)
        akin_matmul_block(kernels, left, right, m, n, k, row, row + 1, 0, col_panels, &plain, block,
                          out, ldo);
}

static void pack_rows(const akin_kernels *kernels, const float *x, size_t ldx, size_t m, size_t k,
                      float *left)
{
    const size_t tile = (size_t)kernels->tile_rows;
    for (size_t panel = 0; panel * tile < m; panel++)
        akin_pack_left(kernels, false, x, ldx, m, k, panel, left + panel * tile * k);
}

static void head_task(void *context, size_t i, int worker)
{
    const struct attention *t = context;
    const akin_nn *nn = t->nn;
    const akin_kernels *kernels = nn->kernels;
    const akin_span *span = &t->spans[i / t->heads];
    const size_t width = t->d / t->heads, ld = 3 * t->d, length = span->length,
                 m = span->query_count;
    const float *q = t->qkv + (span->start + span->query_first) * ld + i % t->heads * width;
    const float *k = t->qkv + span->start * ld + t->d + i % t->heads * width;
    const float *v = k + t->d;

    float *left = t->scratch + (size_t)worker * (t->left_floats + t->right_floats +
                                                 t->score_floats + t->block_floats);
    float *right = left + t->left_floats, *scores = right + t->right_floats;
    float *block = scores + t->score_floats;

    pack_rows(kernels, q, ld, m, width, left);
    akin_pad_right(kernels, length, width, right);
    akin_pack_right(kernels, false, k, ld, 1, 0, length, width, right);
    product(kernels, left, right, m, length, width, block, scores, length);

    const float scale = 1.0f / sqrtf((float)width);
    for (size_t r = 0; r < m; r++) {
        const size_t visible = t->causal ? span->query_first + r + 1 : length;
        kernels->softmax_f32(scores + r * length, scale, visible);
        memset(scores + r * length + visible, 0, (length - visible) * sizeof(float));
    }
    pack_rows(kernels, scores, length, m, length, left);
    akin_pad_right(kernels, width, length, right);
    akin_pack_right(kernels, false, v, 1, ld, 0, width, length, right);
    product(kernels, left, right, m, width, length, block,
            t->out + span->out_row * t->d + i % t->heads * width, t->d);
}

akin_status akin_attention_run(const akin_nn *nn, const float *qkv, size_t d, size_t heads,
                               const akin_span *spans, size_t count, bool causal, float *out,
                               akin_error *err)
{
    const akin_kernels *kernels = nn->kernels;
    const size_t width = d / heads;
    size_t longest = 0, most = 0;
    for (size_t s = 0; s < count; s++) {
        longest = akin_max(longest, spans[s].length);
        most = akin_max(most, spans[s].query_count);
    }
    struct attention t = { .nn = nn, .qkv = qkv, .d = d, .heads = heads, .spans = spans,
                           .causal = causal, .out = out };
    t.left_floats = akin_left_floats(kernels, most, akin_max(width, longest));
    t.right_floats = akin_max(akin_right_floats(kernels, longest, width),
                              akin_right_floats(kernels, width, longest));
    t.score_floats = most * longest;
    t.block_floats =
        akin_right_floats(kernels, akin_max(longest, width), (size_t)kernels->tile_rows);

    akin_arena_mark mark = akin_arena_now(nn->arena);
    const size_t each = t.left_floats + t.right_floats + t.score_floats + t.block_floats;
    t.scratch =
        akin_arena_take(nn->arena, (size_t)akin_pool_threads(nn->pool), each * sizeof(float));
    akin_status status = AKIN_OK;
    if (t.scratch == NULL)
        status = akin_fail_nomem(err, "attention", each * sizeof(float));
    else
        akin_pool_run(nn->pool, count * heads, head_task, &t);
    akin_arena_release(nn->arena, mark);
    return status;
}

akin_status akin_encoder_run(const akin_nn *nn, const akin_encoder *e, float *x,
                             const size_t *starts, const size_t *pooled, size_t count, float *out,
                             akin_error *err)
{
    const size_t d = e->d, rows = starts[count];
    akin_status status = AKIN_OK;
    akin_arena_mark mark = akin_arena_now(nn->arena);
    /* qkv and the hidden layer of the MLP are never alive together. */
    float *wide = akin_arena_take(nn->arena, rows, akin_max(3 * d, e->hidden) * sizeof(float));
    float *attended = akin_arena_take(nn->arena, rows, d * sizeof(float));
    akin_span *spans = akin_arena_take(nn->arena, count, sizeof *spans);
    if (wide == NULL || attended == NULL || spans == NULL) {
        status = akin_fail_nomem(err, "activations", rows * d * sizeof(float));
        goto out;
    }
    for (size_t s = 0; s < count; s++)
        spans[s] = (akin_span){ starts[s], starts[s + 1] - starts[s], 0, starts[s + 1] - starts[s],
                                starts[s] };

    float *stream = x;   /* the residual stream: all rows, or in the last layer the pooled ones */
    size_t live = rows;
    for (size_t l = 0; l < e->layer_count; l++) {
        const akin_encoder_layer *layer = &e->layers[l];
        AKIN_TRY(akin_linear_run(nn, &layer->qkv, x, d, rows, &layer->norm1, AKIN_ACT_NONE, NULL, 0,
                                 wide, 3 * d, err));
        if (l + 1 == e->layer_count && pooled != NULL) {
            for (size_t s = 0; s < count; s++) {
                spans[s].query_first = pooled[s];
                spans[s].query_count = 1;
                spans[s].out_row = s;
                memcpy(out + s * d, x + (starts[s] + pooled[s]) * d, d * sizeof(float));
            }
            stream = out;
            live = count;
        }
        AKIN_TRY(akin_attention_run(nn, wide, d, e->heads, spans, count, e->causal, attended, err));
        AKIN_TRY(akin_linear_run(nn, &layer->out, attended, d, live, NULL, AKIN_ACT_NONE, stream, d,
                                 stream, d, err));
        AKIN_TRY(akin_linear_run(nn, &layer->fc1, stream, d, live, &layer->norm2, e->activation,
                                 NULL, 0, wide, e->hidden, err));
        AKIN_TRY(akin_linear_run(nn, &layer->fc2, wide, e->hidden, live, NULL, AKIN_ACT_NONE,
                                 stream, d, stream, d, err));
    }
    if (e->layer_count == 0 && pooled != NULL)
        for (size_t s = 0; s < count; s++)
            memcpy(out + s * d, x + (starts[s] + pooled[s]) * d, d * sizeof(float));
out:
    akin_arena_release(nn->arena, mark);
    return status;
}
