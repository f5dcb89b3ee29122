/* conv_grad.c - conv_grad.h over product_kernels.h.
 *
 * A kernel of 1 is a matrix product. With a kernel of 3, what three taps side by side read is one
 * run of channels, so that a convolution is three runs over a copy of some rows of the picture with
 * a border of zeros; the gradient of the input is the same with the weights turned around.
 */
#include <string.h>

#include "base/arith.h"
#include "train/conv_grad.h"
#include "train/matrix.h"
#include "train/panels.h"

enum {
    STRIP_CELLS = 1 << 15,      /* of the copied rows: with a panel, half of a level 2 cache */
    SUM_CELLS = 1 << 13,        /* the same for the gradient of weights: a level 1 cache */
    PART_POSITIONS = 2048       /* at least, or writing and adding parts shows */
};

/* A picture seen with a border of one position, and, where `spread` is 2, with every other row and
 * column zero: what the gradient of a stride of 2 is. */
struct view {
    size_t height, width; /* of what is there */
    size_t channels, spread;
    size_t row;           /* cells of a copied row: (virtual width + 2) * cells of a position */
    size_t position;      /* cells of a position */
    size_t columns;       /* of a copied row */
};

static struct view view_of(size_t height, size_t width, size_t channels, size_t spread,
                           size_t virtual_width, size_t depth)
{
    struct view v = { height, width, channels, spread, 0, akin_ceil_div(channels, depth),
                      virtual_width + 2 };
    v.row = v.columns * v.position;
    return v;
}

/* Virtual rows [first, first + count) - 1 of a picture (and, across, of the next) as cells. */
static void copy_rows(const struct view *v, const akin_product_set *set, bool across,
                      const float *x, const float *next, size_t first, size_t count, float *out)
{
    const size_t n = v->channels;
    for (size_t i = 0; i < count; i++, out += v->row) {
        const size_t y = first + i - 1; /* wraps at the border above */
        if (y % v->spread != 0 || y / v->spread >= v->height) {
            memset(out, 0, v->row * sizeof *out);
            continue;
        }
        const size_t from = y / v->spread * v->width * n;
        const size_t end = 1 + (v->width - 1) * v->spread + 1; /* behind the last position */
        memset(out, 0, v->position * sizeof *out);
        memset(out + end * v->position, 0, (v->columns - end) * v->position * sizeof *out);
        if (across) {
            set->across(x + from, next != NULL ? next + from : NULL, 0, 1, v->width * n,
                        out + v->position, 0);
        } else if (v->spread == 1 && n % set->depth == 0) {
            set->along(x + from, 0, 1, v->width * n, out + v->position, 0);
        } else {
            set->along(x + from, n, v->width, n, out + v->position, v->spread * v->position);
            for (size_t c = 1; v->spread > 1 && c < v->width; c++)
                memset(out + c * v->spread * v->position, 0, v->position * sizeof *out);
        }
    }
}

struct rows_job {
    const akin_panels *panels;
    struct view view;
    const float *x;
    float *y;
    size_t height, width, out, stride; /* of y */
    size_t strips, strip;              /* strips of a picture, rows of one */
    float *scratch;
    size_t per_worker;
};

static void convolve_strip(void *context, size_t task, int worker)
{
    const struct rows_job *j = context;
    const struct view *v = &j->view;
    const size_t picture = task / j->strips, first = task % j->strips * j->strip;
    const size_t rows = akin_min(j->strip, j->height - akin_min(first, j->height));
    float *copy = j->scratch + (size_t)worker * j->per_worker;
    float *y = j->y + (picture * j->height + first) * j->width * j->out;
    const float *left[AKIN_BLOCK_ROWS + AKIN_TILE_ROWS];
    if (rows == 0)
        return;
    copy_rows(v, j->panels->set, false, j->x + picture * v->height * v->width * v->channels, NULL,
              first * j->stride, (rows - 1) * j->stride + 3, copy);
    for (size_t p = 0, column = 0; p < rows * j->width; p += AKIN_BLOCK_ROWS) {
        const size_t count = akin_min(AKIN_BLOCK_ROWS, rows * j->width - p);
        for (size_t i = 0; i < count; i++) {
            left[i] = copy + column * j->stride * v->position;
            if (++column == j->width) {
                column = 0;
                copy += j->stride * v->row;
            }
        }
        akin_panels_multiply(j->panels, left, count, v->row, y + p * j->out, j->out, false);
    }
}

/* y [count, height, width, n] = the convolution of a view of x with right. */
static akin_status convolve(const akin_work *work, const akin_right *right, struct view view,
                            const float *x, size_t count, size_t stride, float *y, size_t height,
                            size_t width, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    akin_panels panels;
    struct rows_job job = { .panels = &panels, .view = view, .x = x, .y = y, .height = height,
                            .width = width, .out = right->n, .stride = stride };
    AKIN_TRY(akin_panels_pack(work, right, &panels, err));
    size_t most = STRIP_CELLS / view.row;
    most = most < 3 + stride ? 1 : (most - 3) / stride + 1;
    job.strips = akin_ceil_div(height, most);
    job.strip = akin_ceil_div(height, job.strips);
    job.per_worker = akin_round_up(((job.strip - 1) * stride + 3) * view.row, 16);
    AKIN_TRY(akin_work_scratch(work, job.per_worker, &job.scratch, err));
    akin_pool_run(work->pool, count * job.strips, convolve_strip, &job);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

struct sum_job {
    const akin_product_kernels *kernels;
    const akin_product_set *set;
    struct view view;
    const float *x, *dy;
    size_t count, height, width, out, stride; /* of dy */
    size_t strip;                             /* rows of dy in a sum */
    size_t parts, blocks, panels;
    float *sums;                              /* [parts, 3 ky, 3 kx * channels, out] */
    float *scratch;
    size_t per_worker, copy_cells;
};

static size_t share(size_t total, size_t parts, size_t i)
{
    return total / parts * i + total % parts * i / parts;
}

/* One strip of one picture (or two side by side in cells), for the columns of some panels. */
static void sum_strip(const struct sum_job *j, const float *copy, const float *dy,
                      const float *next, size_t rows, size_t first_panel, size_t end_panel,
                      float *packed, float *c)
{
    const size_t lanes = j->kernels->lanes, m = 3 * j->view.channels;
    const size_t positions = rows * j->width;
    for (size_t panel = first_panel; panel < end_panel; panel++) {
        const size_t column = 2 * panel * lanes;
        akin_product_outer tile = {
            .lda = j->stride * j->view.position, .ldb = j->out,
            .runs = rows, .left_step = j->stride * j->view.row, .right_step = j->width * j->out,
            .k = j->width, .ldc = j->out, .right = dy + column,
        };
        tile.vectors = akin_panel_vectors(j->out, lanes, panel);
        tile.cols = akin_min((size_t)tile.vectors * lanes, j->out - column);
        if (packed != NULL) {
            tile.right = packed;
            tile.ldb = (size_t)tile.vectors * lanes;
            tile.right_step = j->width * tile.ldb;
            j->set->across(dy + column, next != NULL ? next + column : NULL, j->out, positions,
                           tile.cols, packed, tile.ldb);
        }
        const size_t tiles = akin_ceil_div(m, (size_t)j->kernels->tile_outer[tile.vectors]);
        for (size_t ky = 0; ky < 3; ky++)
            for (size_t t = 0; t < tiles; t++) {
                const size_t i = share(m, tiles, t);
                tile.count = (int)(share(m, tiles, t + 1) - i);
                tile.left = copy + ky * j->view.row + i;
                tile.c = c + (ky * m + i) * j->out + column;
                j->set->outer(&tile);
            }
    }
}

static void sum_task(void *context, size_t task, int worker)
{
    const struct sum_job *j = context;
    const struct view *v = &j->view;
    const size_t part = task / j->blocks, block = task % j->blocks, depth = j->set->depth;
    const size_t groups = akin_ceil_div(j->count, depth);
    const size_t input = v->height * v->width * v->channels;
    const size_t result = j->height * j->width * j->out;
    const size_t first = share(j->panels, j->blocks, block);
    const size_t end = share(j->panels, j->blocks, block + 1);
    const size_t lanes = j->kernels->lanes;
    const size_t column = 2 * first * lanes;
    const size_t behind = end == j->panels ? j->out : 2 * end * lanes;
    float *copy = j->scratch + (size_t)worker * j->per_worker;
    float *packed = j->copy_cells < j->per_worker ? copy + j->copy_cells : NULL;
    float *c = j->sums + part * 9 * v->channels * j->out;
    for (size_t i = 0; i < 9 * v->channels; i++)
        memset(c + i * j->out + column, 0, (behind - column) * sizeof *c);
    for (size_t g = share(groups, j->parts, part); g < share(groups, j->parts, part + 1); g++) {
        const size_t picture = g * depth;
        const bool pair = depth == 2 && picture + 1 < j->count;
        const float *x = j->x + picture * input, *dy = j->dy + picture * result;
        for (size_t y = 0; y < j->height; y += j->strip) {
            const size_t rows = akin_min(j->strip, j->height - y);
            const float *from = dy + y * j->width * j->out;
            copy_rows(v, j->set, true, x, pair ? x + input : NULL, y * j->stride,
                      (rows - 1) * j->stride + 3, copy);
            sum_strip(j, copy, from, pair ? from + result : NULL, rows, first, end, packed, c);
        }
    }
}

/* dw += what x and dy of stride `stride` say, kernel 3. */
static akin_status sum_weights(const akin_work *work, const akin_filters *bank, const float *x,
                               size_t count, size_t height, size_t width, const float *dy,
                               float *dw, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    const size_t in = bank->in, out = bank->out;
    struct sum_job job = { .kernels = work->kernels->products, .set = akin_product_set_of(work),
                           .x = x, .dy = dy, .count = count, .out = out, .stride = bank->stride,
                           .height = akin_filters_size(bank, height),
                           .width = akin_filters_size(bank, width) };
    size_t total;
    job.view = view_of(height, width, in, 1, width, 1);
    job.panels = akin_panel_count(out, job.kernels->lanes);
    size_t most = SUM_CELLS / job.view.row;
    most = most < 3 + job.stride ? 1 : (most - 3) / job.stride + 1;
    job.strip = akin_ceil_div(job.height, akin_ceil_div(job.height, most));
    const size_t groups = akin_ceil_div(count, job.set->depth);
    job.parts = akin_max(count * job.height * job.width / PART_POSITIONS, 1);
    job.parts = akin_min(akin_min(job.parts, AKIN_PARTS), groups);
    job.blocks = akin_max(akin_min(AKIN_PARTS / job.parts, job.panels), 1);
    job.copy_cells = ((job.strip - 1) * job.stride + 3) * job.view.row;
    job.copy_cells = akin_round_up(job.copy_cells, 16);
    job.per_worker = job.copy_cells;
    if (work->bf16)
        job.per_worker += job.strip * job.width * AKIN_TILE_VECTORS * job.kernels->lanes;
    job.per_worker = akin_round_up(job.per_worker, 16);
    AKIN_TRY(akin_work_scratch(work, job.per_worker, &job.scratch, err));
    if (akin_mul(job.parts * 9 * in, out, &total))
        job.sums = akin_arena_take(work->arena, total, sizeof *job.sums);
    if (job.sums == NULL) {
        status = akin_fail_nomem(err, "gradient of a convolution", 0);
        goto out;
    }
    akin_pool_run(work->pool, job.parts * job.blocks, sum_task, &job);
    /* [ky, kx, in] rows of sums, out columns: a tap at a time. */
    for (size_t tap = 0; tap < 9; tap++)
        akin_parts_add(work, job.sums + tap * in * out, job.parts, 9 * in * out, in, out, dw + tap,
                       9, 9 * in);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

static akin_status check(const akin_filters *bank, akin_error *err)
{
    const bool stride = bank->stride == 1 || (bank->stride == 2 && bank->kernel == 3);
    if ((bank->kernel == 1 || bank->kernel == 3) && stride)
        return AKIN_OK;
    return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                     "a convolution of kernel %zu and stride %zu cannot be trained", bank->kernel,
                     bank->stride);
}

akin_status akin_filters_forward(const akin_work *work, const akin_filters *bank, const float *x,
                                size_t count, size_t height, size_t width, float *y,
                                akin_error *err)
{
    const size_t in = bank->in, out = bank->out;
    const akin_status status = check(bank, err);
    if (status != AKIN_OK)
        return status;
    if (count == 0 || height == 0 || width == 0 || out == 0)
        return AKIN_OK;
    if (bank->kernel == 1) {
        const akin_weight weight = { .w = bank->w, .in = in, .out = out };
        return akin_matrix_forward(work, &weight, x, in, count * height * width, y, out, err);
    }
    const akin_right right = { .w = bank->w, .runs = 3, .taps = 3, .channels = in, .n = out,
                               .run = 3, .tap = 1, .channel = 9, .column = 9 * (ptrdiff_t)in };
    const struct view view = view_of(height, width, in, 1, width, akin_product_set_of(work)->depth);
    return convolve(work, &right, view, x, count, bank->stride, y, akin_filters_size(bank, height),
                    akin_filters_size(bank, width), err);
}

akin_status akin_filters_backward(const akin_work *work, const akin_filters *bank,
                                 const float *x, size_t count, size_t height, size_t width,
                                 const float *dy, float *dx, float *dw, akin_error *err)
{
    const size_t in = bank->in, out = bank->out;
    akin_status status = check(bank, err);
    if (status != AKIN_OK)
        return status;
    if (count == 0 || height == 0 || width == 0 || in == 0)
        return AKIN_OK;
    if (bank->kernel == 1) {
        const akin_weight weight = { .w = bank->w, .in = in, .out = out };
        return akin_matrix_backward(work, &weight, x, in, count * height * width, dy, out, dx, in,
                                    false, dw, NULL, err);
    }
    if (dx != NULL) {
        const akin_right right = { .w = bank->w + 8, .runs = 3, .taps = 3, .channels = out, .n = in,
                                   .run = -3, .tap = -1, .channel = 9 * (ptrdiff_t)in,
                                   .column = 9 };
        const struct view view = view_of(akin_filters_size(bank, height),
                                         akin_filters_size(bank, width), out, bank->stride, width,
                                         akin_product_set_of(work)->depth);
        status = convolve(work, &right, view, dy, count, 1, dx, height, width, err);
    }
    if (dw != NULL && status == AKIN_OK)
        status = sum_weights(work, bank, x, count, height, width, dy, dw, err);
    return status;
}
