/* matrix.c - matrix.h over product_kernels.h. Forward and the gradient of the input cut the rows
 * into blocks, which share nothing; the gradient of the weights cuts rows into parts and the result
 * into blocks, both by the shape alone. */
#include <string.h>

#include "base/arith.h"
#include "train/matrix.h"
#include "train/panels.h"

enum {
    CHUNK = 256,         /* rows of a sum kept in registers: its error, and what lies in L1 */
    PART_ROWS = 1024,    /* at least, or writing and adding parts shows */
    SIDE = 48,           /* of a block of the result, at least, for the same reason */
    LEFT_CELLS = 1 << 15 /* of a block of rows: with its panel, half of a level 2 cache */
};

struct rows_job {
    const akin_panels *panels;
    const float *x;
    size_t ldx, rows, in, per_task, per_block;
    bool copy;
    float *c;
    size_t ldc;
    bool add;
    float *scratch; /* [threads, per_block, ldcells] */
    size_t ldcells;
};

static void multiply_rows(void *context, size_t task, int worker)
{
    const struct rows_job *j = context;
    const size_t end = akin_min(j->rows, (task + 1) * j->per_task);
    float *scratch = j->scratch + (size_t)worker * j->per_block * j->ldcells;
    const float *left[AKIN_BLOCK_ROWS + AKIN_TILE_ROWS];
    for (size_t first = task * j->per_task; first < end; first += j->per_block) {
        const size_t count = akin_min(j->per_block, end - first);
        const float *x = j->x + first * j->ldx;
        if (j->copy)
            j->panels->set->along(x, j->ldx, count, j->in, scratch, j->ldcells);
        for (size_t i = 0; i < count; i++)
            left[i] = j->copy ? scratch + i * j->ldcells : x + i * j->ldx;
        akin_panels_multiply(j->panels, left, count, 0, j->c + first * j->ldc, j->ldc, j->add);
    }
}

/* c [rows, right->n] = or += x [rows, channels] times right. */
static akin_status multiply(const akin_work *work, const akin_right *right, const float *x,
                            size_t ldx, size_t rows, float *c, size_t ldc, bool add,
                            akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    akin_panels panels;
    const size_t in = right->channels;
    struct rows_job job = { .panels = &panels, .x = x, .ldx = ldx, .rows = rows, .in = in, .c = c,
                            .ldc = ldc, .add = add };
    if (rows == 0 || right->n == 0)
        return AKIN_OK;
    AKIN_TRY(akin_panels_pack(work, right, &panels, err));
    /* A dozen long rows side by side is more than the processor fetches ahead (and rows a multiple
     * of 4 KiB apart fall into one set of a cache): copied, one after another, they come faster. */
    job.copy = work->bf16 || in >= 64;
    job.ldcells = akin_round_up(panels.k, 16) + 16;
    job.per_block = LEFT_CELLS / akin_max(panels.k, 1);
    job.per_block = akin_min(AKIN_BLOCK_ROWS, akin_max(36, job.per_block / 36 * 36));
    job.per_task = akin_max(akin_ceil_div(1 << 22, akin_max(in * right->n, 1)), job.per_block);
    job.per_task = akin_min(job.per_task, akin_max(rows / AKIN_PARTS, 1));
    job.per_task = akin_round_up(job.per_task, 36);
    if (job.copy)
        AKIN_TRY(akin_work_scratch(work, job.per_block * job.ldcells, &job.scratch, err));
    akin_pool_run(work->pool, akin_ceil_div(rows, job.per_task), multiply_rows, &job);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

struct outer_job {
    const akin_product_kernels *kernels;
    const akin_product_set *set;
    const akin_kernels *all;
    const float *a, *b;
    size_t lda, m, ldb, n, rows;
    size_t parts, m_blocks, n_blocks, panels;
    bool copy_a, copy_b;
    float *sums;           /* [parts, m, n]; of one part: the result itself, added to */
    size_t ldc;
    float *a_sum, *b_sum;  /* [parts, m] and [parts, n], or NULL */
    float *scratch;        /* [threads, per_worker]: the left block, then a panel, of a chunk */
    size_t per_worker, ld_left, left_cells, ld_right;
};

static size_t share(size_t total, size_t parts, size_t i)
{
    return total / parts * i + total % parts * i / parts;
}

/* Cells of `count` rows, from x on, n columns. */
static void pack_across(const akin_product_set *set, const float *x, size_t ldx, size_t count,
                        size_t n, float *cells, size_t ldc)
{
    const size_t whole = count / set->depth;
    set->across(x, x + ldx, set->depth * ldx, whole, n, cells, ldc);
    if (whole * set->depth < count)
        set->across(x + (count - 1) * ldx, NULL, 0, 1, n, cells + whole * ldc, ldc);
}

static void outer_task(void *context, size_t task, int worker)
{
    const struct outer_job *j = context;
    const size_t block = task / j->n_blocks % j->m_blocks, n_block = task % j->n_blocks;
    const size_t part = task / j->n_blocks / j->m_blocks, lanes = j->kernels->lanes;
    const size_t first = share(j->m, j->m_blocks, block);
    const size_t m = share(j->m, j->m_blocks, block + 1) - first;
    const size_t first_panel = share(j->panels, j->n_blocks, n_block);
    const size_t end_panel = share(j->panels, j->n_blocks, n_block + 1);
    const size_t from = 2 * first_panel * lanes;
    const size_t n = (end_panel == j->panels ? j->n : 2 * end_panel * lanes) - from;
    const size_t end = share(j->rows, j->parts, part + 1);
    float *c = j->sums + (part * j->m + first) * j->ldc;
    float *a_sum = j->a_sum != NULL && n_block == 0 ? j->a_sum + part * j->m + first : NULL;
    float *b_sum = j->b_sum != NULL && block == 0 ? j->b_sum + part * j->n + from : NULL;
    float *left_copy = j->scratch + (size_t)worker * j->per_worker;
    float *right_copy = left_copy + j->left_cells;
    for (size_t i = 0; j->parts > 1 && i < m; i++)
        memset(c + i * j->ldc + from, 0, n * sizeof *c);
    if (a_sum != NULL)
        memset(a_sum, 0, m * sizeof *a_sum);
    if (b_sum != NULL)
        memset(b_sum, 0, n * sizeof *b_sum);
    for (size_t p = share(j->rows, j->parts, part); p < end; p += CHUNK) {
        const size_t count = akin_min(CHUNK, end - p);
        const float *a = j->a + p * j->lda + first, *b = j->b + p * j->ldb;
        akin_product_outer tile = { .runs = 1, .k = akin_ceil_div(count, j->set->depth),
                                    .ldc = j->ldc };
        for (size_t i = 0; a_sum != NULL && i < count; i++)
            j->all->add_scaled_f32(1.0f, a + i * j->lda, a_sum, m);
        for (size_t i = 0; b_sum != NULL && i < count; i++)
            j->all->add_scaled_f32(1.0f, b + i * j->ldb + from, b_sum, n);
        tile.lda = j->copy_a ? j->ld_left : j->lda;
        if (j->copy_a)
            pack_across(j->set, a, j->lda, count, m, left_copy, tile.lda);
        for (size_t panel = first_panel; panel < end_panel; panel++) {
            const size_t column = 2 * panel * lanes;
            tile.vectors = akin_panel_vectors(j->n, lanes, panel);
            tile.cols = akin_min((size_t)tile.vectors * lanes, j->n - column);
            tile.right = j->copy_b ? right_copy : b + column;
            tile.ldb = j->copy_b ? j->ld_right : j->ldb;
            if (j->copy_b)
                pack_across(j->set, b + column, j->ldb, count, tile.cols, right_copy, tile.ldb);
            const size_t tiles = akin_ceil_div(m, (size_t)j->kernels->tile_outer[tile.vectors]);
            for (size_t t = 0; t < tiles; t++) {
                const size_t i = share(m, tiles, t);
                tile.count = (int)(share(m, tiles, t + 1) - i);
                tile.left = (j->copy_a ? left_copy : a) + i;
                tile.c = c + i * j->ldc + column;
                j->set->outer(&tile);
            }
        }
    }
}

/* The longer side in two, until there are enough tasks or both are short. */
static void cut_result(struct outer_job *j)
{
    j->m_blocks = j->n_blocks = 1;
    while (j->parts * j->m_blocks * j->n_blocks < AKIN_PARTS) {
        const size_t m = j->m / j->m_blocks, n = j->n / j->n_blocks;
        const bool m_fits = m >= 2 * SIDE, n_fits = n >= 2 * SIDE;
        if (!m_fits && !n_fits)
            break;
        if (m_fits && (m >= n || !n_fits))
            j->m_blocks *= 2;
        else
            j->n_blocks *= 2;
    }
    j->n_blocks = akin_min(j->n_blocks, j->panels);
}

static akin_status take(const akin_work *work, size_t count, size_t n, float **out, akin_error *err)
{
    size_t total;
    *out = akin_mul(count, n, &total) ? akin_arena_take(work->arena, total, sizeof **out) : NULL;
    return *out != NULL ? AKIN_OK : akin_fail_nomem(err, "gradient of a weight", 0);
}

/* c [m, n] += a^T b; a_sum [m] and b_sum [n], unless NULL, += the sums of their columns. */
static akin_status outer(const akin_work *work, const float *a, size_t lda, size_t m,
                         const float *b, size_t ldb, size_t n, size_t rows, float *c, size_t ldc,
                         float *a_sum, float *b_sum, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_status status = AKIN_OK;
    struct outer_job job = { .kernels = work->kernels->products, .set = akin_product_set_of(work),
                             .all = work->kernels, .a = a, .b = b, .lda = lda, .m = m, .ldb = ldb,
                             .n = n, .rows = rows };
    if (rows == 0 || m == 0 || n == 0)
        return AKIN_OK;
    job.parts = akin_min(AKIN_PARTS, akin_max(rows / PART_ROWS, 1));
    job.panels = akin_panel_count(n, job.kernels->lanes);
    cut_result(&job);
    job.copy_a = work->bf16 || lda >= 256;
    job.copy_b = work->bf16 || ldb >= 256;
    job.ld_left = akin_round_up(akin_ceil_div(m, job.m_blocks), 16);
    job.ld_left += job.ld_left % 32 == 0 ? 16 : 0;
    job.ld_right = AKIN_TILE_VECTORS * job.kernels->lanes;
    job.left_cells = job.copy_a ? CHUNK * job.ld_left : 0;
    job.per_worker = akin_round_up(job.left_cells + CHUNK * job.ld_right, 16);
    AKIN_TRY(akin_work_scratch(work, job.per_worker, &job.scratch, err));
    job.sums = c;
    job.ldc = job.parts > 1 ? n : ldc;
    if (job.parts > 1)
        AKIN_TRY(take(work, job.parts * m, n, &job.sums, err));
    if (a_sum != NULL)
        AKIN_TRY(take(work, job.parts, m, &job.a_sum, err));
    if (b_sum != NULL)
        AKIN_TRY(take(work, job.parts, n, &job.b_sum, err));
    akin_pool_run(work->pool, job.parts * job.m_blocks * job.n_blocks, outer_task, &job);
    if (job.parts > 1)
        akin_parts_add(work, job.sums, job.parts, m * n, m, n, c, ldc, 1);
    if (a_sum != NULL)
        akin_parts_add(work, job.a_sum, job.parts, m, 1, m, a_sum, m, 1);
    if (b_sum != NULL)
        akin_parts_add(work, job.b_sum, job.parts, n, 1, n, b_sum, n, 1);
out:
    akin_arena_release(work->arena, mark);
    return status;
}

akin_status akin_matrix_forward(const akin_work *work, const akin_weight *weight, const float *x,
                                size_t ldx, size_t rows, float *y, size_t ldy, akin_error *err)
{
    const bool t = weight->transposed;
    const akin_right right = {
        .w = weight->w, .runs = 1, .taps = 1, .channels = weight->in, .n = weight->out,
        .channel = t ? (ptrdiff_t)weight->out : 1, .column = t ? 1 : (ptrdiff_t)weight->in,
        .bias = weight->b,
    };
    return multiply(work, &right, x, ldx, rows, y, ldy, false, err);
}

akin_status akin_matrix_backward(const akin_work *work, const akin_weight *weight, const float *x,
                                 size_t ldx, size_t rows, const float *dy, size_t lddy, float *dx,
                                 size_t lddx, bool add_dx, float *dw, float *db, akin_error *err)
{
    const size_t in = weight->in, out = weight->out;
    const bool t = weight->transposed;
    akin_status status = AKIN_OK;
    if (dx != NULL) {
        const akin_right right = {
            .w = weight->w, .runs = 1, .taps = 1, .channels = out, .n = in,
            .channel = t ? 1 : (ptrdiff_t)in, .column = t ? (ptrdiff_t)out : 1,
        };
        status = multiply(work, &right, dy, lddy, rows, dx, lddx, add_dx, err);
        if (status != AKIN_OK)
            return status;
    }
    if (dw != NULL && in > 0)
        return t ? outer(work, x, ldx, in, dy, lddy, out, rows, dw, out, NULL, db, err)
                 : outer(work, dy, lddy, out, x, ldx, in, rows, dw, in, db, NULL, err);
    for (size_t r = 0; db != NULL && r < rows; r++)
        work->kernels->add_scaled_f32(1.0f, dy + r * lddy, db, out);
    return AKIN_OK;
}

akin_status akin_matrix_product(const akin_work *work, const float *a, size_t lda, size_t m,
                                size_t k, const float *b, size_t ldb, bool transposed, size_t n,
                                float *c, size_t ldc, bool add, akin_error *err)
{
    const akin_right right = {
        .w = b, .runs = 1, .taps = 1, .channels = k, .n = n,
        .channel = transposed ? (ptrdiff_t)ldb : 1, .column = transposed ? 1 : (ptrdiff_t)ldb,
    };
    return multiply(work, &right, a, lda, m, c, ldc, add, err);
}

akin_status akin_matrix_outer(const akin_work *work, const float *a, size_t lda, size_t m,
                              const float *b, size_t ldb, size_t n, size_t rows, float *c,
                              size_t ldc, akin_error *err)
{
    return outer(work, a, lda, m, b, ldb, n, rows, c, ldc, NULL, NULL, err);
}
