/* panels.c - panels.h. */
#include <string.h>

#include "base/arith.h"
#include "train/panels.h"

enum {
    ADDED = 256,                            /* sums at a time */
    TERMS = 16,                             /* gathered at a time: a cache line of weights */
    WIDEST = AKIN_TILE_VECTORS * 16         /* columns of a panel */
};

size_t akin_panel_count(size_t n, size_t lanes)
{
    return akin_max(akin_ceil_div(n, lanes) / 2, n > 0);
}

int akin_panel_vectors(size_t n, size_t lanes, size_t panel)
{
    const size_t left = akin_ceil_div(n, lanes) - 2 * panel;
    return (int)(left <= AKIN_TILE_VECTORS ? left : 2);
}

static akin_status no_memory(akin_error *err)
{
    return akin_fail_nomem(err, "product of training", 0);
}

akin_status akin_work_scratch(const akin_work *work, size_t cells, float **out, akin_error *err)
{
    size_t total;
    *out = NULL;
    if (!akin_mul(akin_round_up(cells, 16), akin_work_threads(work), &total))
        return no_memory(err);
    *out = akin_arena_take(work->arena, total, sizeof **out);
    return *out != NULL ? AKIN_OK : no_memory(err);
}

struct packing {
    const akin_right *right;
    const akin_product_set *set;
    size_t lanes, k;
    float *cells;
};

static void pack_panel(void *context, size_t panel, int worker)
{
    const struct packing *p = context;
    const akin_right *w = p->right;
    const size_t depth = p->set->depth, first = 2 * panel * p->lanes;
    const size_t width = (size_t)akin_panel_vectors(w->n, p->lanes, panel) * p->lanes;
    const size_t cols = akin_min(width, w->n - first);
    float terms[TERMS][WIDEST];
    float *to = p->cells + first * w->runs * p->k;
    (void)worker;
    memset(terms, 0, sizeof terms);
    for (size_t i = 0; i < w->runs * w->taps; i++) {
        const float *tap = w->w + (ptrdiff_t)(i / w->taps) * w->run +
                           (ptrdiff_t)(i % w->taps) * w->tap + (ptrdiff_t)first * w->column;
        for (size_t c = 0; c < w->channels; c += TERMS) {
            const size_t count = akin_min(TERMS, w->channels - c);
            const float *from = tap + (ptrdiff_t)c * w->channel;
            if (w->column == 1)
                for (size_t t = 0; t < count; t++)
                    memcpy(terms[t], from + (ptrdiff_t)t * w->channel, cols * sizeof *from);
            else
                for (size_t j = 0; j < cols; j++)
                    for (size_t t = 0; t < count; t++)
                        terms[t][j] = from[(ptrdiff_t)t * w->channel + (ptrdiff_t)j * w->column];
            const size_t whole = count / depth;
            const float *next = depth == 2 ? terms[1] : NULL;
            p->set->across(terms[0], next, depth * WIDEST, whole, width, to, width);
            to += whole * width;
            if (count % depth != 0) {
                p->set->across(terms[count - 1], NULL, 0, 1, width, to, width);
                to += width;
            }
        }
    }
}

akin_status akin_panels_pack(const akin_work *work, const akin_right *right, akin_panels *out,
                             akin_error *err)
{
    const akin_product_kernels *kernels = work->kernels->products;
    const akin_product_set *set = akin_product_set_of(work);
    const size_t k = right->taps * akin_ceil_div(right->channels, set->depth);
    const size_t cols = akin_round_up(right->n, kernels->lanes);
    size_t total;
    float *cells = NULL, *bias = NULL;
    if (akin_mul(right->runs * k, cols, &total))
        cells = akin_arena_take(work->arena, total, sizeof *cells);
    if (cells != NULL && right->bias != NULL) {
        bias = akin_arena_take(work->arena, cols, sizeof *bias);
        if (bias != NULL) {
            memset(bias, 0, cols * sizeof *bias);
            memcpy(bias, right->bias, right->n * sizeof *bias);
        }
    }
    if (cells == NULL || (right->bias != NULL && bias == NULL))
        return no_memory(err);
    struct packing packing = { right, set, kernels->lanes, k, cells };
    akin_pool_run(work->pool, akin_panel_count(right->n, kernels->lanes), pack_panel, &packing);
    *out = (akin_panels){ kernels, set, cells, bias, right->runs, k, right->n };
    return AKIN_OK;
}

void akin_panels_multiply(const akin_panels *panels, const float **left, size_t count, size_t step,
                          float *c, size_t ldc, bool add)
{
    const size_t lanes = panels->kernels->lanes;
    if (count == 0)
        return;
    for (size_t i = 0; i < AKIN_TILE_ROWS; i++)
        left[count + i] = left[count - 1];
    for (size_t panel = 0; panel < akin_panel_count(panels->n, lanes); panel++) {
        const int vectors = akin_panel_vectors(panels->n, lanes, panel);
        const size_t first = 2 * panel * lanes;
        const size_t rows = (size_t)panels->kernels->tile_rows[vectors];
        akin_product_rows tile = {
            .runs = panels->runs, .step = step, .k = panels->k,
            .right = panels->cells + first * panels->runs * panels->k,
            .vectors = vectors,
            .bias = panels->bias != NULL ? panels->bias + first : NULL,
            .ldc = ldc,
            .cols = akin_min((size_t)vectors * lanes, panels->n - first),
            .add = add,
        };
        for (size_t i = 0; i < count; i += rows) {
            tile.left = left + i;
            tile.count = (int)akin_min(rows, count - i);
            tile.c = c + i * ldc + first;
            panels->set->rows(&tile);
        }
    }
}

struct adding {
    const float *parts;
    size_t count, stride, cols;
    float *c;
    size_t row, column;
};

static void add_row(void *context, size_t i, int worker)
{
    const struct adding *a = context;
    const float *from = a->parts + i * a->cols;
    float *to = a->c + i * a->row;
    (void)worker;
    for (size_t first = 0; first < a->cols; first += ADDED) {
        const size_t n = akin_min(ADDED, a->cols - first);
        float sum[ADDED];
        memcpy(sum, from + first, n * sizeof *sum);
        for (size_t p = 1; p < a->count; p++)
            for (size_t j = 0; j < n; j++)
                sum[j] += from[p * a->stride + first + j];
        for (size_t j = 0; j < n; j++)
            to[(first + j) * a->column] += sum[j];
    }
}

void akin_parts_add(const akin_work *work, const float *parts, size_t count, size_t stride,
                    size_t rows, size_t cols, float *c, size_t row, size_t column)
{
    struct adding adding = { parts, count, stride, cols, c, row, column };
    akin_pool_run(work->pool, rows, add_row, &adding);
}
