/* winograd.c - F(2 x 2, 3 x 3): windows of 4 x 4 positions, two apart, are transformed; for each of
 * the 16 transformed positions the windows are one product with that position's weights; the 16
 * sums of a window transform back into 2 x 2 results. */
#include "nn/winograd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "nn/matmul.h"

enum {
    TAPS = AKIN_WINOGRAD_TAPS,
    /* Windows of a task. Its transformed windows and its sums, 16 * 56 * (in + columns) floats,
     * pass through L2 a sixteenth at a time. */
    BLOCK_WINDOWS = 56,
    BLOCK_COLS = 256,
    FEWEST_COLS = 64, /* below this transforming the windows again costs more than a wait */
    STEP = 64,        /* channels transformed at a time */
    MOST_ROWS = 16    /* of a panel */
};

akin_status akin_winograd_init(akin_conv *conv, const akin_kernels *kernels, akin_error *err)
{
    /* One matrix of 16 * round_up(out) rows has the size of 16 matrices behind one another. */
    const size_t padded = akin_round_up(conv->out, (size_t)kernels->tile_cols);
    size_t rows;
    if (!akin_mul(padded, TAPS, &rows))
        return akin_fail_nomem(err, "weights", 0);
    return akin_linear_init(&conv->weights, kernels, false, conv->in, rows, true, err);
}

/* G g G^T, in double: rounded once. */
static void transform_weight(const float g[9], float out[TAPS])
{
    double t[4][3];
    for (int x = 0; x < 3; x++) {
        const double a = g[x], b = g[3 + x], c = g[6 + x];
        t[0][x] = a;
        t[1][x] = (a + b + c) / 2;
        t[2][x] = (a - b + c) / 2;
        t[3][x] = c;
    }
    for (int y = 0; y < 4; y++) {
        const double a = t[y][0], b = t[y][1], c = t[y][2];
        out[4 * y] = (float)a;
        out[4 * y + 1] = (float)((a + b + c) / 2);
        out[4 * y + 2] = (float)((a - b + c) / 2);
        out[4 * y + 3] = (float)c;
    }
}

akin_status akin_winograd_set(akin_conv *conv, const akin_kernels *kernels, const float *weight,
                              akin_error *err)
{
    const size_t in = conv->in, matrix = akin_right_floats(kernels, conv->out, in);
    float *rows = malloc(akin_max(in, 1) * TAPS * sizeof *rows); /* [TAPS, in] of one channel */
    if (rows == NULL)
        return akin_fail_nomem(err, "weights", in * TAPS * sizeof *rows);
    for (size_t f = 0; f < TAPS; f++)
        akin_pad_right(kernels, conv->out, in, conv->weights.panels + f * matrix);
    for (size_t n = 0; n < conv->out; n++) {
        for (size_t c = 0; c < in; c++) {
            float u[TAPS];
            transform_weight(weight + (n * in + c) * 9, u);
            for (size_t f = 0; f < TAPS; f++)
                rows[f * in + c] = u[f];
        }
        for (size_t f = 0; f < TAPS; f++)
            akin_pack_right(kernels, false, rows + f * in, in, 1, n, 1, in,
                            conv->weights.panels + f * matrix);
    }
    free(rows);
    return AKIN_OK;
}

struct winograd_run {
    const akin_nn *nn;
    const akin_conv *conv;
    const float *x;
    size_t height, width;
    size_t down, across; /* windows of a picture */
    size_t windows;      /* of all */
    bool relu;
    size_t row_panels, col_panels; /* of the products */
    size_t block_rows, block_cols; /* of a task, in panels */
    size_t row_blocks;
    float *scratch; /* [threads, stage + left + sums + one row of sums] */
    size_t stage_floats, left_floats, sum_floats, scratch_floats;
    float *y;
};

/* Picture, row and column of windows `first` and on. */
struct place {
    size_t picture, y, x;
};

static struct place find_window(const struct winograd_run *t, size_t i)
{
    const size_t each = t->down * t->across;
    return (struct place){ i / each, i % each / t->across, i % t->across };
}

static void next_window(const struct winograd_run *t, struct place *at)
{
    if (++at->x < t->across)
        return;
    at->x = 0;
    if (++at->y < t->down)
        return;
    at->y = 0;
    at->picture++;
}

/* The 16 positions of a window; NULL outside the picture. */
static void window_rows(const struct winograd_run *t, const struct place *at,
                        const float *rows[TAPS])
{
    const float *picture = t->x + at->picture * t->height * t->width * t->conv->in;
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 4; j++) {
            /* As unsigned a negative coordinate is past the end too. */
            const size_t y = 2 * at->y + i - 1, x = 2 * at->x + j - 1;
            rows[4 * i + j] = y < t->height && x < t->width
                                  ? picture + (y * t->width + x) * t->conv->in
                                  : NULL;
        }
}

/* Transforms and packs one panel of windows. left: row panel `row` of the first of TAPS left
 * operands, the next at tap_stride. */
static void pack_panel(const struct winograd_run *t, struct place at, size_t count, float *stage,
                       float *left, size_t tap_stride)
{
    static const float zeros[STEP];
    const akin_kernels *kernels = t->nn->kernels;
    const size_t tile = (size_t)kernels->tile_rows, in = t->conv->in;
    const float *windows[MOST_ROWS][TAPS];
    for (size_t i = 0; i < count; i++, next_window(t, &at))
        window_rows(t, &at, windows[i]);
    for (size_t c = 0; c < in; c += STEP) {
        const size_t step = akin_min(STEP, in - c);
        for (size_t i = 0; i < count; i++) {
            const float *d[TAPS];
            for (size_t f = 0; f < TAPS; f++)
                d[f] = windows[i][f] != NULL ? windows[i][f] + c : zeros;
            kernels->winograd_before_f32(d, step, stage + i * STEP, tile * STEP);
        }
        for (size_t f = 0; f < TAPS; f++) {
            const float *rows[MOST_ROWS];
            for (size_t i = 0; i < count; i++)
                rows[i] = stage + (f * tile + i) * STEP;
            kernels->pack_rows_f32(rows, (int)count, step, left + f * tap_stride + c * tile);
        }
    }
}

/* The results of windows [first, first + count), channels [col, col + cols), from their sums. */
static void finish_windows(const struct winograd_run *t, size_t first, size_t count,
                           const float *sums, size_t ld, size_t tap_stride, size_t col, size_t cols,
                           float *unused)
{
    const size_t n = t->conv->out;
    struct place at = find_window(t, first);
    for (size_t i = 0; i < count; i++, next_window(t, &at)) {
        float *y[4];
        for (size_t j = 0; j < 4; j++) {
            const size_t oy = 2 * at.y + j / 2, ox = 2 * at.x + j % 2;
            y[j] = oy < t->height && ox < t->width
                       ? t->y + ((at.picture * t->height + oy) * t->width + ox) * n + col
                       : unused;
        }
        t->nn->kernels->winograd_after_f32(sums + i * ld, tap_stride, t->conv->weights.bias + col,
                                           t->relu ? 0.0f : -INFINITY, cols, y);
    }
}

static void block_task(void *context, size_t i, int worker)
{
    const struct winograd_run *t = context;
    const akin_kernels *kernels = t->nn->kernels;
    const size_t tile_rows = (size_t)kernels->tile_rows, tile_cols = (size_t)kernels->tile_cols;
    const size_t k = t->conv->in, n = t->conv->out;
    const size_t row0 = i % t->row_blocks * t->block_rows, col0 = i / t->row_blocks * t->block_cols;
    const size_t row1 = akin_min(row0 + t->block_rows, t->row_panels);
    const size_t col1 = akin_min(col0 + t->block_cols, t->col_panels);
    const size_t first = row0 * tile_rows, count = akin_min(row1 * tile_rows, t->windows) - first;
    const size_t ld = (col1 - col0) * tile_cols, left_taps = t->left_floats / TAPS;
    const size_t sum_taps = t->sum_floats / TAPS, matrix = akin_right_floats(kernels, n, k);
    float *stage = t->scratch + (size_t)worker * t->scratch_floats;
    float *left = stage + t->stage_floats, *sums = left + t->left_floats;
    float *unused = sums + t->sum_floats;

    struct place at = find_window(t, first);
    for (size_t row = 0; row < count; row += tile_rows) {
        const size_t rows = akin_min(tile_rows, count - row);
        pack_panel(t, at, rows, stage, left + row * k, left_taps);
        for (size_t j = 0; j < rows; j++)
            next_window(t, &at);
    }
    for (size_t f = 0; f < TAPS; f++)
        for (size_t p = 0; p < k; p += AKIN_DEPTH)
            akin_matmul_slab(kernels, left + f * left_taps + p * tile_rows, tile_rows * k,
                             t->conv->weights.panels + f * matrix + (col0 * k + p) * tile_cols,
                             tile_cols * k, t->windows, n, akin_min(AKIN_DEPTH, k - p), row0, row1,
                             col0, col1, p != 0, NULL, sums + f * sum_taps, NULL, 0);
    finish_windows(t, first, count, sums, ld, sum_taps, col0 * tile_cols,
                   akin_min(ld, n - col0 * tile_cols), unused);
}

akin_status akin_winograd_run(const akin_nn *nn, const akin_conv *conv, const float *x,
                              size_t count, size_t height, size_t width, bool relu, float *y,
                              akin_error *err)
{
    const akin_kernels *kernels = nn->kernels;
    const size_t threads = (size_t)akin_pool_threads(nn->pool);
    const size_t tile_rows = (size_t)kernels->tile_rows, tile_cols = (size_t)kernels->tile_cols;
    struct winograd_run t = { .nn = nn, .conv = conv, .x = x, .height = height, .width = width,
                              .relu = relu, .y = y };
    t.down = akin_ceil_div(height, 2);
    t.across = akin_ceil_div(width, 2);
    t.windows = count * t.down * t.across;
    t.row_panels = akin_ceil_div(t.windows, tile_rows);
    t.col_panels = akin_ceil_div(conv->out, tile_cols);
    t.row_blocks = akin_ceil_div(t.windows, BLOCK_WINDOWS);
    t.block_rows = akin_ceil_div(t.row_panels, t.row_blocks);
    t.row_blocks = akin_ceil_div(t.row_panels, t.block_rows);
    const size_t widest = t.col_panels * t.row_blocks / (4 * threads);
    t.block_cols = akin_min(BLOCK_COLS / tile_cols, akin_max(widest, FEWEST_COLS / tile_cols));
    t.stage_floats = TAPS * tile_rows * STEP;
    t.left_floats = TAPS * t.block_rows * tile_rows * conv->in;
    t.sum_floats = TAPS * akin_block_floats(kernels, t.block_rows, t.block_cols);
    t.scratch_floats = t.stage_floats + t.left_floats + t.sum_floats + t.block_cols * tile_cols;

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
