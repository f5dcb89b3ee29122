/* linear.c - the fully connected layer over packed weights. */
#include "nn/linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "nn/matmul.h"

/* A task is a block of the result small enough that its sums and its left panels stay in L2
 * (512 KiB on Zen 3): 112 rows x 256 columns of sums are 112 KiB, 112 x 384 of left 168 KiB. */
enum { BLOCK_ROWS = 112, BLOCK_COLS = 256 };

akin_status akin_linear_init(akin_linear *linear, const akin_kernels *kernels, bool round_bf16,
                             size_t in, size_t out, bool has_bias, akin_error *err)
{
    size_t floats, bytes;
    *linear = (akin_linear){ .in = in, .out = out, .round_bf16 = round_bf16 };
    if (!akin_mul(akin_round_up(out, (size_t)kernels->tile_cols), in, &floats) ||
        !akin_mul(floats, sizeof(float), &bytes))
        return akin_fail_nomem(err, "weights", 0);
    linear->panels = akin_large_alloc(bytes);
    if (linear->panels == NULL)
        return akin_fail_nomem(err, "weights", bytes);
    akin_pad_right(kernels, out, in, linear->panels);
    if (has_bias) {
        linear->bias = calloc(akin_max(out, 1), sizeof(float));
        if (linear->bias == NULL) {
            akin_linear_clear(linear);
            return akin_fail_nomem(err, "weights", out * sizeof(float));
        }
    }
    return AKIN_OK;
}

void akin_linear_clear(akin_linear *linear)
{
    free(linear->panels);
    free(linear->bias);
    *linear = (akin_linear){ 0 };
}

void akin_linear_set(akin_linear *linear, const akin_kernels *kernels, const float *weight,
                     size_t first, size_t count)
{
    akin_pack_right(kernels, linear->round_bf16, weight, linear->in, 1, first, count, linear->in,
                    linear->panels);
}

struct product {
    const akin_nn *nn;
    const akin_linear *linear;
    const float *x;
    size_t ldx, rows;
    const akin_norm *norm;
    akin_epilogue epilogue;
    float *left;
    float *normed;  /* [threads, tile_rows, in], when there is a norm */
    float *scratch; /* [threads, scratch_floats] */
    size_t scratch_floats;
    size_t row_panels, col_panels;   /* of the product */
    size_t block_rows, block_cols;   /* of a task, in panels */
    size_t row_blocks;
    float *y;
    size_t ldy;
};

static void pack_task(void *context, size_t panel, int worker)
{
    const struct product *t = context;
    const akin_kernels *kernels = t->nn->kernels;
    const size_t tile = (size_t)kernels->tile_rows, in = t->linear->in;
    float *out = t->left + panel * tile * in;
    if (t->norm == NULL) {
        akin_pack_left(kernels, t->linear->round_bf16, t->x, t->ldx, t->rows, in, panel, out);
        return;
    }
    /* Normalised on the way into the panel: one pass over x instead of a written and re-read
     * copy. */
    float *normed = t->normed + (size_t)worker * tile * in;
    const size_t rows = akin_min(tile, t->rows - panel * tile);
    for (size_t i = 0; i < rows; i++)
        kernels->layernorm_f32(t->x + (panel * tile + i) * t->ldx, t->norm->weight, t->norm->bias,
                               t->norm->eps, normed + i * in, in);
    akin_pack_left(kernels, t->linear->round_bf16, normed, in, rows, in, 0, out);
}

static void block_task(void *context, size_t i, int worker)
{
    const struct product *t = context;
    const size_t row0 = i % t->row_blocks * t->block_rows, col0 = i / t->row_blocks * t->block_cols;
    akin_matmul_block(t->nn->kernels, t->left, t->linear->panels, t->rows, t->linear->out,
                      t->linear->in, row0, akin_min(row0 + t->block_rows, t->row_panels), col0,
                      akin_min(col0 + t->block_cols, t->col_panels), &t->epilogue,
                      t->scratch + (size_t)worker * t->scratch_floats, t->y, t->ldy);
}

akin_status akin_linear_run(const akin_nn *nn, const akin_linear *linear, const float *x,
                            size_t ldx, size_t rows, const akin_norm *norm,
                            akin_activation activation, const float *residual, size_t ldr, float *y,
                            size_t ldy, akin_error *err)
{
    const akin_kernels *kernels = nn->kernels;
    const size_t threads = (size_t)akin_pool_threads(nn->pool);
    struct product t = { .nn = nn, .linear = linear, .x = x, .ldx = ldx, .rows = rows, .norm = norm,
                         .y = y, .ldy = ldy };
    if (rows == 0 || linear->out == 0)
        return AKIN_OK;
    t.epilogue = (akin_epilogue){ .bias = linear->bias, .activation = activation,
                                  .residual = residual, .ldr = ldr };
    t.row_panels = akin_ceil_div(rows, (size_t)kernels->tile_rows);
    t.col_panels = akin_ceil_div(linear->out, (size_t)kernels->tile_cols);
    /* Row blocks of equal height; then column blocks, narrower than they could be where that gives
     * every thread at least four tasks, so that none waits long for the last. */
    t.row_blocks = akin_ceil_div(rows, BLOCK_ROWS);
    t.block_rows = akin_ceil_div(t.row_panels, t.row_blocks);
    t.row_blocks = akin_ceil_div(t.row_panels, t.block_rows);
    size_t widest = t.col_panels * t.row_blocks / (4 * threads);
    t.block_cols = akin_min(BLOCK_COLS / (size_t)kernels->tile_cols, akin_max(widest, 1));
    t.scratch_floats = akin_block_floats(kernels, t.block_rows, t.block_cols);

    akin_arena_mark mark = akin_arena_now(nn->arena);
    t.left = akin_arena_take(nn->arena, akin_left_floats(kernels, rows, linear->in), sizeof(float));
    t.scratch = akin_arena_take(nn->arena, threads * t.scratch_floats, sizeof(float));
    t.normed = norm == NULL
                   ? t.scratch
                   : akin_arena_take(nn->arena, threads * (size_t)kernels->tile_rows * linear->in,
                                     sizeof(float));
    akin_status status = AKIN_OK;
    if (t.left == NULL || t.scratch == NULL || t.normed == NULL) {
        status = akin_fail_nomem(err, "activations", rows * linear->in * sizeof(float));
    } else {
        akin_pool_run(nn->pool, t.row_panels, pack_task, &t);
        akin_pool_run(nn->pool, t.row_blocks * akin_ceil_div(t.col_panels, t.block_cols),
                      block_task, &t);
    }
    akin_arena_release(nn->arena, mark);
    return status;
}
