/* conv.c - convolutions as products whose left operand is packed straight from the activation: no
 * matrix of unfolded windows is ever in memory. */
#include "nn/conv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "nn/matmul.h"
#include "nn/winograd.h"

/* A task is BLOCK_ROWS positions by BLOCK_COLS channels of the result; it packs its own left
 * operand, AKIN_DEPTH at a time. Wider than in linear.c: packing is repeated for each block of
 * columns, and sums are finished in rows as long as the block is wide. */
enum { BLOCK_ROWS = 112, BLOCK_COLS = 512, MOST_ROWS = 128 };

akin_status akin_conv_init(akin_conv *conv, const akin_kernels *kernels, bool round_bf16, size_t in,
                           size_t out, size_t kernel, size_t stride, akin_error *err)
{
    assert((kernel == 1 || kernel == 3) && (stride == 1 || stride == 2));
    *conv = (akin_conv){ .in = in, .out = out, .kernel = kernel, .stride = stride };
    conv->winograd = kernel == 3 && stride == 1 && !round_bf16;
    if (conv->winograd)
        return akin_winograd_init(conv, kernels, err);
    return akin_linear_init(&conv->weights, kernels, round_bf16, kernel * kernel * in, out, true,
                            err);
}

void akin_conv_clear(akin_conv *conv)
{
    akin_linear_clear(&conv->weights);
    *conv = (akin_conv){ 0 };
}

akin_status akin_conv_set(akin_conv *conv, const akin_kernels *kernels, const float *weight,
                          akin_error *err)
{
    if (conv->winograd)
        return akin_winograd_set(conv, kernels, weight, err);
    const size_t taps = conv->kernel * conv->kernel, in = conv->in;
    if (taps == 1) {
        akin_linear_set(&conv->weights, kernels, weight, 0, conv->out);
        return AKIN_OK;
    }
    float *row = malloc(akin_max(taps * in, 1) * sizeof *row);
    if (row == NULL)
        return akin_fail_nomem(err, "weights", taps * in * sizeof *row);
    for (size_t n = 0; n < conv->out; n++) {
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t c = 0; c < in; c++)
                row[tap * in + c] = weight[(n * in + c) * taps + tap];
        akin_linear_set(&conv->weights, kernels, row, n, 1);
    }
    free(row);
    return AKIN_OK;
}

size_t akin_conv_size(const akin_conv *conv, size_t size)
{
    return conv->stride == 1 ? size : (size - 1) / 2 + 1; /* both kernels: padding is kernel / 2 */
}

struct conv_run {
    const akin_nn *nn;
    const akin_conv *conv;
    const float *x;
    size_t height, width; /* of x */
    size_t out_height, out_width;
    size_t rows;
    akin_epilogue epilogue;
    size_t row_panels, col_panels; /* of the product */
    size_t block_rows, block_cols; /* of a task, in panels */
    size_t row_blocks;
    float *scratch; /* [threads, left_floats + block floats] */
    size_t left_floats, scratch_floats;
    float *y;
};

/* Where the window of one row of the product begins: its top left may lie outside. */
struct window {
    const float *picture; /* [height, width, in] */
    ptrdiff_t y, x;
};

static void find_windows(const struct conv_run *t, size_t row, size_t count, struct window *out)
{
    const ptrdiff_t stride = (ptrdiff_t)t->conv->stride, pad = (ptrdiff_t)t->conv->kernel / 2;
    const size_t each = t->out_height * t->out_width, picture_floats =
        t->height * t->width * t->conv->in;
    size_t n = row / each, y = row % each / t->out_width, x = row % t->out_width;
    for (size_t i = 0; i < count; i++) {
        out[i] = (struct window){ t->x + n * picture_floats, (ptrdiff_t)y * stride - pad,
                                  (ptrdiff_t)x * stride - pad };
        if (++x < t->out_width)
            continue;
        x = 0;
        if (++y < t->out_height)
            continue;
        y = 0;
        n++;
    }
}

/* Packs [p, p + depth) of k for one panel of `count` windows; out [depth, tile_rows]. */
static void pack_windows(const struct conv_run *t, const struct window *windows, size_t count,
                         size_t p, size_t depth, float *out)
{
    static const float zeros[AKIN_DEPTH]; /* the padding */
    const akin_kernels *kernels = t->nn->kernels;
    const size_t in = t->conv->in, kernel = t->conv->kernel, end = p + depth;
    const size_t tile = (size_t)kernels->tile_rows;
    float *const begin = out;
    while (p < end) { /* up to the end of a tap */
        const size_t tap = p / in, c = p % in, run = akin_min(in - c, end - p);
        const ptrdiff_t dy = (ptrdiff_t)(tap / kernel), dx = (ptrdiff_t)(tap % kernel);
        const float *rows[MOST_ROWS];
        for (size_t i = 0; i < count; i++) {
            /* As unsigned a negative coordinate is past the end too. */
            const size_t y = (size_t)(windows[i].y + dy), x = (size_t)(windows[i].x + dx);
            rows[i] = y < t->height && x < t->width
                          ? windows[i].picture + (y * t->width + x) * in + c
                          : zeros;
        }
        kernels->pack_rows_f32(rows, (int)count, run, out);
        out += run * tile;
        p += run;
    }
    if (t->conv->weights.round_bf16)
        akin_round_bf16(begin, depth * tile);
}

static void block_task(void *context, size_t i, int worker)
{
    const struct conv_run *t = context;
    const akin_kernels *kernels = t->nn->kernels;
    const akin_linear *weights = &t->conv->weights;
    const size_t tile_rows = (size_t)kernels->tile_rows, tile_cols = (size_t)kernels->tile_cols;
    const size_t k = weights->in, n = t->conv->out;
    const size_t row0 = i % t->row_blocks * t->block_rows, col0 = i / t->row_blocks * t->block_cols;
    const size_t row1 = akin_min(row0 + t->block_rows, t->row_panels);
    const size_t col1 = akin_min(col0 + t->block_cols, t->col_panels);
    float *left = t->scratch + (size_t)worker * t->scratch_floats;
    float *sums = left + t->left_floats;
    struct window windows[MOST_ROWS];
    const size_t rows = akin_min(row1 * tile_rows, t->rows) - row0 * tile_rows;
    find_windows(t, row0 * tile_rows, rows, windows);
    for (size_t p = 0; p < k; p += AKIN_DEPTH) {
        const size_t depth = akin_min(AKIN_DEPTH, k - p);
        for (size_t row = 0; row < rows; row += tile_rows)
            pack_windows(t, windows + row, akin_min(tile_rows, rows - row), p, depth,
                         left + row * depth);
        akin_matmul_slab(kernels, left, tile_rows * depth,
                         weights->panels + (col0 * k + p) * tile_cols, tile_cols * k, t->rows,
                         n, depth, row0, row1, col0, col1, p != 0, NULL, sums, NULL, 0);
    }
    const size_t ld = (col1 - col0) * tile_cols, col = col0 * tile_cols;
    for (size_t row = 0; row < rows; row += tile_rows) {
        const size_t at = (row0 * tile_rows + row) * n + col;
        akin_epilogue e = t->epilogue;
        e.bias += col;
        if (e.residual != NULL)
            e.residual += at;
        kernels->finish_f32(sums + row * ld, ld, &e, t->y + at, n,
                            (int)akin_min(tile_rows, rows - row), akin_min(ld, n - col));
    }
}

akin_status akin_conv_run(const akin_nn *nn, const akin_conv *conv, const float *x, size_t count,
                          size_t height, size_t width, akin_activation activation,
                          const float *residual, float *y, akin_error *err)
{
    const akin_kernels *kernels = nn->kernels;
    const size_t threads = (size_t)akin_pool_threads(nn->pool);
    assert(activation == AKIN_ACT_NONE || activation == AKIN_ACT_RELU);
    if (count == 0 || height == 0 || width == 0 || conv->out == 0)
        return AKIN_OK;
    if (conv->winograd) {
        assert(residual == NULL);
        return akin_winograd_run(nn, conv, x, count, height, width, activation == AKIN_ACT_RELU, y,
                                 err);
    }
    struct conv_run t = { .nn = nn, .conv = conv, .x = x, .height = height, .width = width,
                          .y = y };
    t.out_height = akin_conv_size(conv, height);
    t.out_width = akin_conv_size(conv, width);
    t.rows = count * t.out_height * t.out_width;
    t.epilogue = (akin_epilogue){ conv->weights.bias, activation, residual, conv->out, true };
    t.row_panels = akin_ceil_div(t.rows, (size_t)kernels->tile_rows);
    t.col_panels = akin_ceil_div(conv->out, (size_t)kernels->tile_cols);
    t.row_blocks = akin_ceil_div(t.rows, BLOCK_ROWS);
    t.block_rows = akin_ceil_div(t.row_panels, t.row_blocks);
    t.row_blocks = akin_ceil_div(t.row_panels, t.block_rows);
    const size_t widest = t.col_panels * t.row_blocks / (4 * threads);
    t.block_cols = akin_min(BLOCK_COLS / (size_t)kernels->tile_cols, akin_max(widest, 1));
    t.left_floats = t.block_rows * (size_t)kernels->tile_rows * AKIN_DEPTH;
    t.scratch_floats = t.left_floats + akin_block_floats(kernels, t.block_rows, t.block_cols);

    akin_arena_mark mark = akin_arena_now(nn->arena);
    akin_status status = AKIN_OK;
    t.scratch = akin_arena_take(nn->arena, threads, t.scratch_floats * sizeof(float));
    if (t.scratch == NULL)
        status = akin_fail_nomem(err, "activations", threads * t.scratch_floats * sizeof(float));
    else
        akin_pool_run(nn->pool, t.row_blocks * akin_ceil_div(t.col_panels, t.block_cols),
                      block_task, &t);
    akin_arena_release(nn->arena, mark);
    return status;
}

struct pool_run {
    const akin_kernels *kernels;
    const float *x;
    size_t height, width, channels;
    float *y;
};

/* One row of the result. */
static void pool_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct pool_run *t = context;
    const size_t n = t->channels, out_width = t->width / 2, out_height = t->height / 2;
    const float *top = t->x + (i / out_height * t->height + i % out_height * 2) * t->width * n;
    const float *bottom = top + t->width * n;
    float *y = t->y + i * out_width * n;
    for (size_t x = 0; x < out_width; x++, top += 2 * n, bottom += 2 * n, y += n)
        t->kernels->mean4_f32(top, top + n, bottom, bottom + n, y, n);
}

void akin_pool2_run(const akin_nn *nn, const float *x, size_t count, size_t height, size_t width,
                    size_t channels, float *y)
{
    struct pool_run t = { nn->kernels, x, height, width, channels, y };
    akin_pool_run(nn->pool, count * (height / 2), pool_task, &t);
}
