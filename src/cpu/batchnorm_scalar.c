/* batchnorm_scalar.c - batchnorm_kernels.h as it reads: the oracle of the others. */
#include "cpu/batchnorm_kernels.h"

static void moments_scalar(const float *x, size_t rows, size_t n, const float *near, float *sum,
                           float *square)
{
    for (size_t c = 0; c < n; c++)
        sum[c] = square[c] = 0.0f;
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c++) {
            const float d = x[i * n + c] - near[c];
            sum[c] += d;
            square[c] += d * d;
        }
}

static void join_scalar(const akin_batchnorm_join *j, const float *x, const float *x2, size_t rows,
                        size_t n, float *y)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c++) {
            const size_t at = i * n + c;
            float v = j->scale[c] * x[at] + j->shift[c];
            if (x2 != NULL)
                v += j->scale2 != NULL ? j->scale2[c] * x2[at] + j->shift2[c] : x2[at];
            y[at] = v < 0.0f ? 0.0f : v;
        }
}

static float masked(const akin_batchnorm_join *j, float dy, const float *y, const float *x,
                    size_t at, size_t c)
{
    return (y != NULL ? y[at] : j->scale[c] * x[at] + j->shift[c]) > 0.0f ? dy : 0.0f;
}

static void back_sums_scalar(const akin_batchnorm_join *j, const akin_batchnorm_slope *s,
                             const float *dy, const float *y, const float *x, const float *x2,
                             size_t rows, size_t n, float *sum, float *product, float *product2)
{
    for (size_t c = 0; c < n; c++) {
        sum[c] = product[c] = 0.0f;
        if (x2 != NULL)
            product2[c] = 0.0f;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c++) {
            const size_t at = i * n + c;
            const float g = masked(j, dy[at], y, x, at, c);
            sum[c] += g;
            product[c] += g * (x[at] - s->mean[c]);
            if (x2 != NULL)
                product2[c] += g * (x2[at] - s->mean2[c]);
        }
}

static void back_scalar(const akin_batchnorm_join *j, const akin_batchnorm_slope *s,
                        const float *dy, const float *y, const float *x, const float *x2,
                        size_t rows, size_t n, float *dx, float *dx2)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < n; c++) {
            const size_t at = i * n + c;
            const float g = masked(j, dy[at], y, x, at, c);
            dx[at] = s->k[c] * g + (s->p[c] * (x[at] - s->mean[c]) + s->q[c]);
            if (dx2 != NULL)
                dx2[at] = s->k2 == NULL
                              ? g
                              : s->k2[c] * g + (s->p2[c] * (x2[at] - s->mean2[c]) + s->q2[c]);
        }
}

static void spread_scalar(const float *half, const float *add, size_t rows, size_t n, float *out)
{
    for (size_t i = 0; i < 2 * rows; i++)
        for (size_t c = 0; c < n; c++)
            out[i * n + c] = 0.25f * half[i / 2 * n + c] + (add != NULL ? add[i * n + c] : 0.0f);
}

static void add_scalar(const float *a, const float *b, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

const akin_batchnorm_kernels akin_batchnorm_kernels_scalar = {
    .moments = moments_scalar,
    .join = join_scalar,
    .back_sums = back_sums_scalar,
    .back = back_scalar,
    .spread = spread_scalar,
    .add = add_scalar,
};
