/* matrix.c - the products of training, as they read. */
#include "train/matrix.h"

static void multiply(const float *a, size_t lda, size_t m, size_t k, const float *b, size_t sk,
                     size_t sn, size_t n, const float *bias, float *c, size_t ldc, bool add)
{
    for (size_t i = 0; i < m; i++) {
        float *to = c + i * ldc;
        for (size_t j = 0; j < n; j++)
            to[j] = (add ? to[j] : 0.0f) + (bias != NULL ? bias[j] : 0.0f);
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < n; j++)
                to[j] += a[i * lda + p] * b[p * sk + j * sn];
    }
}

akin_status akin_matrix_forward(const akin_work *work, const akin_weight *weight, const float *x,
                                size_t ldx, size_t rows, float *y, size_t ldy, akin_error *err)
{
    const akin_weight *w = weight;
    (void)work;
    (void)err;
    multiply(x, ldx, rows, w->in, w->w, w->transposed ? w->out : 1, w->transposed ? 1 : w->in,
             w->out, w->b, y, ldy, false);
    return AKIN_OK;
}

akin_status akin_matrix_backward(const akin_work *work, const akin_weight *weight, const float *x,
                                 size_t ldx, size_t rows, const float *dy, size_t lddy, float *dx,
                                 size_t lddx, bool add_dx, float *dw, float *db, akin_error *err)
{
    const akin_weight *w = weight;
    if (dx != NULL)
        multiply(dy, lddy, rows, w->out, w->w, w->transposed ? 1 : w->in,
                 w->transposed ? w->out : 1, w->in, NULL, dx, lddx, add_dx);
    for (size_t r = 0; db != NULL && r < rows; r++)
        for (size_t j = 0; j < w->out; j++)
            db[j] += dy[r * lddy + j];
    if (dw == NULL)
        return AKIN_OK;
    return w->transposed
               ? akin_matrix_outer(work, x, ldx, w->in, dy, lddy, w->out, rows, dw, w->out, err)
               : akin_matrix_outer(work, dy, lddy, w->out, x, ldx, w->in, rows, dw, w->in, err);
}

akin_status akin_matrix_product(const akin_work *work, const float *a, size_t lda, size_t m,
                                size_t k, const float *b, size_t ldb, bool transposed, size_t n,
                                float *c, size_t ldc, bool add, akin_error *err)
{
    (void)work;
    (void)err;
    multiply(a, lda, m, k, b, transposed ? ldb : 1, transposed ? 1 : ldb, n, NULL, c, ldc, add);
    return AKIN_OK;
}

akin_status akin_matrix_outer(const akin_work *work, const float *a, size_t lda, size_t m,
                              const float *b, size_t ldb, size_t n, size_t rows, float *c,
                              size_t ldc, akin_error *err)
{
    (void)work;
    (void)err;
    for (size_t p = 0; p < rows; p++)
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                c[i * ldc + j] += a[p * lda + i] * b[p * ldb + j];
    return AKIN_OK;
}
