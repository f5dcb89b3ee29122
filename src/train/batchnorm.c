/* batchnorm.c - BatchNorm, ReLU, sums and average pools in as few passes over memory as there can
 * be: a channel's statistics are known only when all of it has been seen, so two each way. */
#include "train/batchnorm.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "cpu/batchnorm_kernels.h"

/* Rows whose sums are kept in float32 before they are added up in double. */
enum { ROWS = 96 };

static const double eps = 1e-5, momentum = 0.1; /* of torch.nn.BatchNorm2d: not configurable */

static size_t part_begin(size_t part, size_t count)
{
    return part * count / AKIN_PARTS;
}

static size_t threads_of(const akin_work *work)
{
    return work->pool != NULL ? (size_t)akin_pool_threads(work->pool) : 1;
}

/* ---- Statistics ------------------------------------------------------------------------------ */

struct measure {
    const akin_kernels *kernels;
    const float *x, *near;
    size_t count, rows, n; /* rows of a picture */
    double *sums;          /* [AKIN_PARTS, 2, n] */
    float *scratch;        /* [threads, 2, n] */
};

static void measure_task(void *context, size_t part, int worker)
{
    const struct measure *t = context;
    const size_t n = t->n, end = part_begin(part + 1, t->count) * t->rows;
    float *sum = t->scratch + (size_t)worker * 2 * n, *square = sum + n;
    double *sums = t->sums + part * 2 * n;
    memset(sums, 0, 2 * n * sizeof *sums);
    for (size_t row = part_begin(part, t->count) * t->rows; row < end; row += ROWS) {
        t->kernels->batchnorm->moments(t->x + row * n, akin_min(ROWS, end - row), n, t->near, sum,
                                       square);
        for (size_t c = 0; c < 2 * n; c++)
            sums[c] += sum[c];
    }
}

static void set_channel(akin_batchnorm *norm, size_t c, double mean, double variance)
{
    const double inverse = 1.0 / sqrt(variance + eps);
    norm->mean[c] = (float)mean;
    norm->inverse[c] = (float)inverse;
    norm->scale[c] = (float)(norm->gamma[c] * inverse);
    norm->shift[c] = (float)(norm->beta[c] - mean * norm->gamma[c] * inverse);
}

akin_status akin_batchnorm_measure(const akin_work *work, akin_batchnorm *norm, const float *x,
                                   akin_maps maps, bool update, akin_error *err)
{
    const size_t n = norm->channels, rows = maps.side * maps.side;
    const double total = (double)maps.count * (double)rows;
    norm->mean = akin_arena_take(work->arena, 4 * n, sizeof(float));
    if (norm->mean == NULL)
        return akin_fail_nomem(err, "statistics", 4 * n * sizeof(float));
    norm->inverse = norm->mean + n;
    norm->scale = norm->inverse + n;
    norm->shift = norm->scale + n;
    if (norm->fixed) {
        for (size_t c = 0; c < n; c++)
            set_channel(norm, c, norm->running_mean[c], norm->running_var[c]);
        return AKIN_OK;
    }
    if (maps.count == 0)
        return AKIN_OK;
    if (maps.count * rows == 1)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "BatchNorm cannot learn from one picture of one position; take a batch of "
                         "two pictures or more");
    const akin_arena_mark mark = akin_arena_now(work->arena);
    struct measure t = { work->kernels, x, x, maps.count, rows, n, NULL, NULL };
    t.sums = akin_arena_take(work->arena, AKIN_PARTS * 2 * n, sizeof *t.sums);
    t.scratch = akin_arena_take(work->arena, threads_of(work) * 2 * n, sizeof *t.scratch);
    if (t.sums == NULL || t.scratch == NULL) {
        akin_arena_release(work->arena, mark);
        return akin_fail_nomem(err, "statistics", AKIN_PARTS * 2 * n * sizeof *t.sums);
    }
    akin_pool_run(work->pool, AKIN_PARTS, measure_task, &t);
    for (size_t c = 0; c < n; c++) {
        double sum = 0.0, square = 0.0;
        for (size_t part = 0; part < AKIN_PARTS; part++) {
            sum += t.sums[part * 2 * n + c];
            square += t.sums[(part * 2 + 1) * n + c];
        }
        const double from_near = sum / total;
        const double mean = t.near[c] + from_near;
        const double variance = fmax(square / total - from_near * from_near, 0.0);
        set_channel(norm, c, mean, variance);
        if (isnan(square))
            norm->scale[c] = NAN; /* fmax took the 0 */
        if (update) {
            const double unbiased = variance * total / (total - 1.0);
            norm->running_mean[c] =
                (float)((1.0 - momentum) * norm->running_mean[c] + momentum * mean);
            norm->running_var[c] =
                (float)((1.0 - momentum) * norm->running_var[c] + momentum * unbiased);
        }
    }
    akin_arena_release(work->arena, mark);
    return AKIN_OK;
}

/* ---- Forward --------------------------------------------------------------------------------- */

/* Lines of a picture that make about ROWS rows; even, so that they hold whole windows of a pool. */
static size_t lines_of(size_t side)
{
    return akin_max(2, ROWS / side / 2 * 2);
}

struct forward {
    const akin_kernels *kernels;
    akin_batchnorm_join join;
    const akin_joint *joint;
    float *y, *pooled;
    size_t lines;
    float *scratch; /* [threads, lines, side, n]; without y */
};

static akin_batchnorm_join join_of(const akin_joint *joint)
{
    akin_batchnorm_join join = { joint->norm->scale, joint->norm->shift, NULL, NULL };
    if (joint->norm2 != NULL) {
        join.scale2 = joint->norm2->scale;
        join.shift2 = joint->norm2->shift;
    }
    return join;
}

/* y [lines, side, n]; out [lines / 2, side / 2, n]. */
static void pool_lines(const akin_kernels *kernels, const float *y, size_t lines, size_t side,
                       size_t n, float *out)
{
    for (size_t line = 0; line < lines / 2; line++)
        for (size_t i = 0; i < side / 2; i++, out += n) {
            const float *a = y + (2 * line * side + 2 * i) * n, *b = a + side * n;
            kernels->mean4_f32(a, a + n, b, b + n, out, n);
        }
}

static void forward_task(void *context, size_t part, int worker)
{
    const struct forward *t = context;
    const akin_joint *j = t->joint;
    const size_t side = j->maps.side, n = j->norm->channels, half = side / 2;
    float *scratch = t->scratch != NULL ? t->scratch + (size_t)worker * t->lines * side * n : NULL;
    for (size_t i = part_begin(part, j->maps.count); i < part_begin(part + 1, j->maps.count); i++)
        for (size_t line = 0; line < side; line += t->lines) {
            const size_t lines = akin_min(t->lines, side - line);
            const size_t at = (i * side + line) * side * n;
            float *y = t->y != NULL ? t->y + at : scratch;
            t->kernels->batchnorm->join(&t->join, j->x + at, j->x2 != NULL ? j->x2 + at : NULL,
                                        lines * side, n, y);
            if (t->pooled != NULL)
                pool_lines(t->kernels, y, lines, side, n,
                           t->pooled + (i * half + line / 2) * half * n);
        }
}

akin_status akin_joint_forward(const akin_work *work, const akin_joint *joint, float *y,
                               float *pooled, akin_error *err)
{
    const akin_arena_mark mark = akin_arena_now(work->arena);
    struct forward t = { work->kernels, join_of(joint), joint, y, pooled, 0, NULL };
    t.lines = lines_of(joint->maps.side);
    const size_t each = t.lines * joint->maps.side * joint->norm->channels;
    if (y == NULL) {
        t.scratch = akin_arena_take(work->arena, threads_of(work) * each, sizeof *t.scratch);
        if (t.scratch == NULL)
            return akin_fail_nomem(err, "activations", each * sizeof *t.scratch);
    }
    akin_pool_run(work->pool, AKIN_PARTS, forward_task, &t);
    akin_arena_release(work->arena, mark);
    return AKIN_OK;
}

/* ---- Backward -------------------------------------------------------------------------------- */

struct backward {
    const akin_kernels *kernels;
    akin_batchnorm_join join;
    akin_batchnorm_slope slope;
    const akin_joint *joint;
    const akin_upstream *upstream;
    const float *y;
    float *dx, *dx2;
    size_t lines;
    double *sums;   /* [AKIN_PARTS, 3, n] */
    float *scratch; /* [threads, lines * side * n + 3 n] */
    size_t scratch_floats;
};

/* out [lines, side, n] = what the pooled gradient `half` gives the lines from `line` on of picture
 * i, + add; an odd line or column at the end was not pooled. add may be NULL, or out. */
static void spread_lines(const struct backward *t, const float *half, const float *add, size_t i,
                         size_t line, size_t lines, float *out)
{
    const size_t side = t->joint->maps.side, n = t->joint->norm->channels, h = side / 2;
    for (size_t l = 0; l < lines; l++) {
        const size_t at = l * side * n, pooled = (line + l) / 2 < h ? h : 0;
        t->kernels->batchnorm->spread(half + (i * h + akin_min((line + l) / 2, h)) * h * n,
                                      add != NULL ? add + at : NULL, pooled, n, out + at);
        const size_t done = at + 2 * pooled * n, rest = (side - 2 * pooled) * n * sizeof *out;
        if (add == NULL)
            memset(out + done, 0, rest);
        else if (add != out)
            memcpy(out + done, add + done, rest);
    }
}

/* The gradient of y in those lines: where it lies, or in `scratch`. */
static const float *upstream_lines(const struct backward *t, size_t i, size_t line, size_t lines,
                                   float *scratch)
{
    const akin_upstream *u = t->upstream;
    const size_t side = t->joint->maps.side, n = t->joint->norm->channels;
    const size_t at = (i * side + line) * side * n;
    const float *a = u->a_half ? scratch : u->a + at;
    if (u->a_half)
        spread_lines(t, u->a, NULL, i, line, lines, scratch);
    if (u->b == NULL)
        return a;
    if (u->b_half)
        spread_lines(t, u->b, a, i, line, lines, scratch);
    else
        t->kernels->batchnorm->add(a, u->b + at, lines * side * n, scratch);
    return scratch;
}

static void sums_task(void *context, size_t part, int worker)
{
    const struct backward *t = context;
    const akin_joint *j = t->joint;
    const size_t side = j->maps.side, n = j->norm->channels;
    const size_t width = (j->norm2 != NULL ? 3 : 2) * n;
    float *scratch = t->scratch + (size_t)worker * t->scratch_floats;
    float *sum = scratch + t->lines * side * n;
    double *sums = t->sums + part * 3 * n;
    memset(sums, 0, 3 * n * sizeof *sums);
    for (size_t i = part_begin(part, j->maps.count); i < part_begin(part + 1, j->maps.count); i++)
        for (size_t line = 0; line < side; line += t->lines) {
            const size_t lines = akin_min(t->lines, side - line);
            const size_t at = (i * side + line) * side * n;
            const float *dy = upstream_lines(t, i, line, lines, scratch);
            t->kernels->batchnorm->back_sums(&t->join, &t->slope, dy,
                                             t->y != NULL ? t->y + at : NULL, j->x + at,
                                             j->norm2 != NULL ? j->x2 + at : NULL, lines * side, n,
                                             sum, sum + n, sum + 2 * n);
            for (size_t c = 0; c < width; c++)
                sums[c] += sum[c];
        }
}

static void back_task(void *context, size_t part, int worker)
{
    const struct backward *t = context;
    const akin_joint *j = t->joint;
    const size_t side = j->maps.side, n = j->norm->channels;
    float *scratch = t->scratch + (size_t)worker * t->scratch_floats;
    for (size_t i = part_begin(part, j->maps.count); i < part_begin(part + 1, j->maps.count); i++)
        for (size_t line = 0; line < side; line += t->lines) {
            const size_t lines = akin_min(t->lines, side - line);
            const size_t at = (i * side + line) * side * n;
            const float *dy = upstream_lines(t, i, line, lines, scratch);
            t->kernels->batchnorm->back(&t->join, &t->slope, dy, t->y != NULL ? t->y + at : NULL,
                                        j->x + at, j->norm2 != NULL ? j->x2 + at : NULL,
                                        lines * side, n, t->dx + at,
                                        t->dx2 != NULL ? t->dx2 + at : NULL);
        }
}

/* dx = gamma / sigma * (g - mean of g - x_hat * mean of (g * x_hat)). sum, product: of g and of
 * g * (x - mean). */
static void set_slope(const akin_batchnorm *norm, size_t c, double sum, double product,
                      double total, float *k, float *p, float *q, float *dgamma, float *dbeta)
{
    const double inverse = norm->inverse[c], scale = norm->scale[c];
    k[c] = norm->scale[c];
    p[c] = norm->fixed ? 0.0f : (float)(-scale * inverse * inverse * product / total);
    q[c] = norm->fixed ? 0.0f : (float)(-scale * sum / total);
    if (dgamma != NULL)
        dgamma[c] += (float)(inverse * product);
    if (dbeta != NULL)
        dbeta[c] += (float)sum;
}

akin_status akin_joint_backward(const akin_work *work, const akin_joint *joint,
                                const akin_upstream *upstream, const float *y, float *dx,
                                float *dx2, float *dgamma, float *dbeta, float *dgamma2,
                                float *dbeta2, akin_error *err)
{
    const size_t n = joint->norm->channels, side = joint->maps.side;
    const double total = (double)joint->maps.count * (double)side * (double)side;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    assert(joint->x2 == NULL || (y != NULL && dx2 != NULL));
    struct backward t = { .kernels = work->kernels, .join = join_of(joint), .joint = joint,
                          .upstream = upstream, .y = y, .dx = dx, .dx2 = dx2 };
    t.lines = lines_of(side);
    t.scratch_floats = akin_round_up(t.lines * side * n + 3 * n, 16);
    t.scratch = akin_arena_take(work->arena, threads_of(work) * t.scratch_floats,
                                sizeof *t.scratch);
    t.sums = akin_arena_take(work->arena, AKIN_PARTS * 3 * n, sizeof *t.sums);
    float *slopes = akin_arena_take(work->arena, 6 * n, sizeof *slopes);
    if (t.scratch == NULL || t.sums == NULL || slopes == NULL) {
        akin_arena_release(work->arena, mark);
        return akin_fail_nomem(err, "gradients", t.scratch_floats * sizeof *t.scratch);
    }
    t.slope = (akin_batchnorm_slope){ slopes, slopes + n, slopes + 2 * n, joint->norm->mean,
                                      NULL, NULL, NULL, NULL };
    if (joint->norm2 != NULL) {
        t.slope.k2 = slopes + 3 * n;
        t.slope.p2 = slopes + 4 * n;
        t.slope.q2 = slopes + 5 * n;
        t.slope.mean2 = joint->norm2->mean;
    }
    const bool wanted = dgamma != NULL || dbeta != NULL || dgamma2 != NULL || dbeta2 != NULL;
    const bool moving = !joint->norm->fixed || (joint->norm2 != NULL && !joint->norm2->fixed);
    if (wanted || moving)
        akin_pool_run(work->pool, AKIN_PARTS, sums_task, &t);
    else
        memset(t.sums, 0, AKIN_PARTS * 3 * n * sizeof *t.sums);
    for (size_t c = 0; c < n; c++) {
        double sum = 0.0, product = 0.0, product2 = 0.0;
        for (size_t part = 0; part < AKIN_PARTS; part++) {
            const double *sums = t.sums + part * 3 * n;
            sum += sums[c];
            product += sums[n + c];
            product2 += sums[2 * n + c];
        }
        set_slope(joint->norm, c, sum, product, total, slopes, slopes + n, slopes + 2 * n, dgamma,
                  dbeta);
        if (joint->norm2 != NULL)
            set_slope(joint->norm2, c, sum, product2, total, slopes + 3 * n, slopes + 4 * n,
                      slopes + 5 * n, dgamma2, dbeta2);
    }
    akin_pool_run(work->pool, AKIN_PARTS, back_task, &t);
    akin_arena_release(work->arena, mark);
    return AKIN_OK;
}
