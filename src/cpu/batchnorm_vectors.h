/* batchnorm_vectors.h - batchnorm_kernels.h over abstract vectors; included by vector_kernels.h.
 *
 * Rows are the outer loop of what only maps, so that memory is read in one stream; sums take
 * NORM_COLS vectors of channels at a time, whose sums stay in registers over all rows. */
#include "cpu/batchnorm_kernels.h"

enum { NORM_COLS = 4 };

INLINE void store_rest_vf(float *p, vf v, int rest)
{
    if (rest == LANES)
        vf_store(p, v);
    else
        vf_store_n(p, v, rest);
}

/* ---- Sums: `cols` vectors of channels, the last of `rest` lanes ------------------------------ */

INLINE void moments_vf(const int cols, const int rest, const float *x, size_t rows, size_t n,
                       const float *near, float *sum, float *square)
{
    vf s[NORM_COLS], q[NORM_COLS], m[NORM_COLS];
    UNROLL
    for (int j = 0; j < cols; j++) {
        s[j] = q[j] = vf_set1(0.0f);
        m[j] = load_rest_vf(near + j * LANES, j == cols - 1 ? rest : LANES);
    }
    for (size_t i = 0; i < rows; i++, x += n) {
        UNROLL
        for (int j = 0; j < cols; j++) {
            const vf d = vf_sub(load_rest_vf(x + j * LANES, j == cols - 1 ? rest : LANES), m[j]);
            s[j] = vf_add(s[j], d);
            q[j] = vf_fma(d, d, q[j]);
        }
    }
    UNROLL
    for (int j = 0; j < cols; j++) {
        store_rest_vf(sum + j * LANES, s[j], j == cols - 1 ? rest : LANES);
        store_rest_vf(square + j * LANES, q[j], j == cols - 1 ? rest : LANES);
    }
}

static void KERNEL(batchnorm_moments)(const float *x, size_t rows, size_t n, const float *near,
                                      float *sum, float *square)
{
    size_t c = 0;
    for (; c + NORM_COLS * LANES <= n; c += NORM_COLS * LANES)
        moments_vf(NORM_COLS, LANES, x + c, rows, n, near + c, sum + c, square + c);
    for (; c + LANES <= n; c += LANES)
        moments_vf(1, LANES, x + c, rows, n, near + c, sum + c, square + c);
    if (c < n)
        moments_vf(1, (int)(n - c), x + c, rows, n, near + c, sum + c, square + c);
}

/* dy where `seen` > 0, else 0. */
INLINE vf mask_vf(vf seen, vf dy)
{
    return vf_select_lt(vf_set1(0.0f), seen, dy, vf_set1(0.0f));
}

/* Pointers at the first channel of the block. */
typedef struct KERNEL(norm_rows) {
    const float *dy, *y, *x, *x2, *scale, *shift, *mean, *mean2;
} KERNEL(norm_rows);

INLINE void back_sums_vf(const int cols, const int rest, const bool kept, const bool two,
                         const KERNEL(norm_rows) *p, size_t rows, size_t n, float *sum,
                         float *product, float *product2)
{
    vf s[NORM_COLS], a[NORM_COLS], b[NORM_COLS];
    UNROLL
    for (int j = 0; j < cols; j++)
        s[j] = a[j] = b[j] = vf_set1(0.0f);
    for (size_t i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < cols; j++) {
            const int lanes = j == cols - 1 ? rest : LANES;
            const size_t c = (size_t)(j * LANES), at = i * n + c;
            const vf x = load_rest_vf(p->x + at, lanes);
            const vf seen = kept ? load_rest_vf(p->y + at, lanes)
                                 : vf_fma(load_rest_vf(p->scale + c, lanes), x,
                                          load_rest_vf(p->shift + c, lanes));
            const vf g = mask_vf(seen, load_rest_vf(p->dy + at, lanes));
            s[j] = vf_add(s[j], g);
            a[j] = vf_fma(g, vf_sub(x, load_rest_vf(p->mean + c, lanes)), a[j]);
            if (two)
                b[j] = vf_fma(g,
                              vf_sub(load_rest_vf(p->x2 + at, lanes),
                                     load_rest_vf(p->mean2 + c, lanes)),
                              b[j]);
        }
    }
    UNROLL
    for (int j = 0; j < cols; j++) {
        const int lanes = j == cols - 1 ? rest : LANES;
        store_rest_vf(sum + j * LANES, s[j], lanes);
        store_rest_vf(product + j * LANES, a[j], lanes);
        if (two)
            store_rest_vf(product2 + j * LANES, b[j], lanes);
    }
}

INLINE void back_sums_all(const bool kept, const bool two, const KERNEL(norm_rows) *from,
                          size_t rows, size_t n, float *sum, float *product, float *product2)
{
    for (size_t c = 0; c < n;) {
        KERNEL(norm_rows) p = { from->dy + c, NULL, from->x + c, NULL, NULL, NULL, from->mean + c,
                                NULL };
        float *second = two ? product2 + c : NULL;
        if (kept) {
            p.y = from->y + c;
        } else {
            p.scale = from->scale + c;
            p.shift = from->shift + c;
        }
        if (two) {
            p.x2 = from->x2 + c;
            p.mean2 = from->mean2 + c;
        }
        if (c + NORM_COLS * LANES <= n) {
            back_sums_vf(NORM_COLS, LANES, kept, two, &p, rows, n, sum + c, product + c, second);
            c += NORM_COLS * LANES;
        } else if (c + LANES <= n) {
            back_sums_vf(1, LANES, kept, two, &p, rows, n, sum + c, product + c, second);
            c += LANES;
        } else {
            back_sums_vf(1, (int)(n - c), kept, two, &p, rows, n, sum + c, product + c, second);
            c = n;
        }
    }
}

static void KERNEL(batchnorm_back_sums)(const akin_batchnorm_join *j, const akin_batchnorm_slope *s,
                                        const float *dy, const float *y, const float *x,
                                        const float *x2, size_t rows, size_t n, float *sum,
                                        float *product, float *product2)
{
    const KERNEL(norm_rows) p = { dy, y, x, x2, j->scale, j->shift, s->mean, s->mean2 };
    if (y == NULL && x2 == NULL)
        back_sums_all(false, false, &p, rows, n, sum, product, product2);
    else if (y == NULL)
        back_sums_all(false, true, &p, rows, n, sum, product, product2);
    else if (x2 == NULL)
        back_sums_all(true, false, &p, rows, n, sum, product, product2);
    else
        back_sums_all(true, true, &p, rows, n, sum, product, product2);
}

/* ---- Maps ------------------------------------------------------------------------------------ */

/* One vector of a row; terms: 1, 2 (x2 itself) or 3 (x2 normalised too). */
INLINE void join_vf(const int terms, const akin_batchnorm_join *j, const float *x, const float *x2,
                    size_t c, int lanes, float *y)
{
    vf v = vf_fma(load_rest_vf(j->scale + c, lanes), load_rest_vf(x + c, lanes),
                  load_rest_vf(j->shift + c, lanes));
    if (terms == 2)
        v = vf_add(v, load_rest_vf(x2 + c, lanes));
    if (terms == 3)
        v = vf_add(v, vf_fma(load_rest_vf(j->scale2 + c, lanes), load_rest_vf(x2 + c, lanes),
                             load_rest_vf(j->shift2 + c, lanes)));
    store_rest_vf(y + c, vf_max(vf_set1(0.0f), v), lanes);
}

INLINE void join_rows(const int terms, const akin_batchnorm_join *j, const float *x,
                      const float *x2, size_t rows, size_t n, float *y)
{
    for (size_t i = 0; i < rows; i++) {
        const float *second = terms > 1 ? x2 + i * n : NULL;
        size_t c = 0;
        for (; c + LANES <= n; c += LANES)
            join_vf(terms, j, x + i * n, second, c, LANES, y + i * n);
        if (c < n)
            join_vf(terms, j, x + i * n, second, c, (int)(n - c), y + i * n);
    }
}

static void KERNEL(batchnorm_join)(const akin_batchnorm_join *join, const float *x, const float *x2,
                                   size_t rows, size_t n, float *y)
{
    const akin_batchnorm_join j = *join; /* a copy: y cannot be it */
    if (x2 == NULL)
        join_rows(1, &j, x, x2, rows, n, y);
    else if (j.scale2 == NULL)
        join_rows(2, &j, x, x2, rows, n, y);
    else
        join_rows(3, &j, x, x2, rows, n, y);
}

INLINE vf slope_vf(const float *k, const float *p, const float *q, const float *mean, vf g, vf x,
                   size_t c, int lanes)
{
    const vf d = vf_sub(x, load_rest_vf(mean + c, lanes));
    const vf rest = vf_fma(load_rest_vf(p + c, lanes), d, load_rest_vf(q + c, lanes));
    return vf_fma(load_rest_vf(k + c, lanes), g, rest);
}

/* outs: 1 (dx), 2 (and g itself) or 3 (both through a norm). */
INLINE void back_vf(const bool kept, const int outs, const akin_batchnorm_join *j,
                    const akin_batchnorm_slope *s, const float *dy, const float *y, const float *x,
                    const float *x2, size_t at, size_t c, int lanes, float *dx, float *dx2)
{
    const vf xs = load_rest_vf(x + at, lanes);
    const vf seen = kept ? load_rest_vf(y + at, lanes)
                         : vf_fma(load_rest_vf(j->scale + c, lanes), xs,
                                  load_rest_vf(j->shift + c, lanes));
    const vf g = mask_vf(seen, load_rest_vf(dy + at, lanes));
    store_rest_vf(dx + at, slope_vf(s->k, s->p, s->q, s->mean, g, xs, c, lanes), lanes);
    if (outs == 2)
        store_rest_vf(dx2 + at, g, lanes);
    if (outs == 3)
        store_rest_vf(dx2 + at,
                      slope_vf(s->k2, s->p2, s->q2, s->mean2, g, load_rest_vf(x2 + at, lanes), c,
                               lanes),
                      lanes);
}

INLINE void back_rows(const bool kept, const int outs, const akin_batchnorm_join *j,
                      const akin_batchnorm_slope *s, const float *dy, const float *y,
                      const float *x, const float *x2, size_t rows, size_t n, float *dx, float *dx2)
{
    for (size_t i = 0; i < rows; i++) {
        size_t c = 0;
        for (; c + LANES <= n; c += LANES)
            back_vf(kept, outs, j, s, dy, y, x, x2, i * n + c, c, LANES, dx, dx2);
        if (c < n)
            back_vf(kept, outs, j, s, dy, y, x, x2, i * n + c, c, (int)(n - c), dx, dx2);
    }
}

static void KERNEL(batchnorm_back)(const akin_batchnorm_join *join,
                                   const akin_batchnorm_slope *slope, const float *dy,
                                   const float *y, const float *x, const float *x2, size_t rows,
                                   size_t n, float *dx, float *dx2)
{
    const akin_batchnorm_join j = *join;
    const akin_batchnorm_slope s = *slope;
    const int outs = dx2 == NULL ? 1 : s.k2 == NULL ? 2 : 3;
#define CASE(a, b)                                                              \
    else if ((y != NULL) == (a) && outs == (b))                                 \
        back_rows(a, b, &j, &s, dy, y, x, x2, rows, n, dx, dx2)
    if (rows == 0)
        return;
    CASE(false, 1);
    CASE(false, 2);
    CASE(false, 3);
    CASE(true, 1);
    CASE(true, 2);
    CASE(true, 3);
#undef CASE
}

static void KERNEL(batchnorm_spread)(const float *half, const float *add, size_t rows, size_t n,
                                     float *out)
{
    const vf quarter = vf_set1(0.25f);
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c += LANES) {
            const int lanes = n - c < LANES ? (int)(n - c) : LANES;
            const vf v = load_rest_vf(half + i * n + c, lanes);
            for (size_t at = 2 * i * n + c; at < 2 * (i + 1) * n; at += n)
                store_rest_vf(out + at,
                              add == NULL ? vf_mul(v, quarter)
                                          : vf_fma(v, quarter, load_rest_vf(add + at, lanes)),
                              lanes);
        }
}

static void KERNEL(batchnorm_add)(const float *a, const float *b, size_t n, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        const int lanes = n - i < LANES ? (int)(n - i) : LANES;
        store_rest_vf(out + i, vf_add(load_rest_vf(a + i, lanes), load_rest_vf(b + i, lanes)),
                      lanes);
    }
}

static const akin_batchnorm_kernels KERNEL(akin_batchnorm_table) = {
    .moments = KERNEL(batchnorm_moments),
    .join = KERNEL(batchnorm_join),
    .back_sums = KERNEL(batchnorm_back_sums),
    .back = KERNEL(batchnorm_back),
    .spread = KERNEL(batchnorm_spread),
    .add = KERNEL(batchnorm_add),
};
