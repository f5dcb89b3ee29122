/* kernels_scalar.c - the kernels in plain C: the oracle for the others, and what runs on a
 * processor that has none of their instructions. The compiler may use the architecture's baseline
 * vectors. */
#include <math.h>

#include "base/half.h"
#include "cpu/batchnorm_kernels.h"
#include "cpu/gradient_kernels.h"
#include "cpu/kernels.h"
#include "cpu/product_kernels.h"

enum { ROWS = 4, COLS = 8 }; /* the 32 sums are 8 of the 16 vector registers of baseline x86-64 */

static void matmul_tile_f32_scalar(const float *left, const float *right, size_t k, float *c,
                                   size_t ldc, int rows, bool accumulate)
{
    float sum[ROWS][COLS] = { { 0 } };
    if (accumulate)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < COLS; j++)
                sum[i][j] = c[(size_t)i * ldc + (size_t)j];
    for (size_t p = 0; p < k; p++)
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLS; j++)
                sum[i][j] += left[p * ROWS + (size_t)i] * right[p * COLS + (size_t)j];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < COLS; j++)
            c[(size_t)i * ldc + (size_t)j] = sum[i][j];
}

static void pack_rows_f32_scalar(const float *const *rows, int count, size_t k, float *out)
{
    for (int i = 0; i < ROWS; i++)
        for (size_t p = 0; p < k; p++)
            out[p * ROWS + (size_t)i] = i < count ? rows[i][p] : 0.0f;
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static float activate(akin_activation activation, float x)
{
    switch (activation) {
    case AKIN_ACT_NONE: return x;
    case AKIN_ACT_QUICK_GELU: return x * sigmoid(1.702f * x);
    case AKIN_ACT_GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case AKIN_ACT_GELU_TANH:
        return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case AKIN_ACT_SILU: return x * sigmoid(x);
    case AKIN_ACT_RELU: return x < 0.0f ? 0.0f : x;
    }
    return x;
}

static void finish_f32_scalar(const float *c, size_t ldc, const akin_epilogue *e, float *out,
                              size_t ldo, int rows, size_t cols)
{
    for (size_t i = 0; i < (size_t)rows; i++)
        for (size_t j = 0; j < cols; j++) {
            float x = c[i * ldc + j];
            if (e->bias != NULL)
                x += e->bias[j];
            if (e->residual != NULL && e->residual_first)
                x += e->residual[i * e->ldr + j];
            x = activate(e->activation, x);
            if (e->residual != NULL && !e->residual_first)
                x += e->residual[i * e->ldr + j];
            out[i * ldo + j] = x;
        }
}

static void layernorm_f32_scalar(const float *x, const float *weight, const float *bias, float eps,
                                 float *y, size_t n)
{
    float sum = 0.0f, squares = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    float mean = sum / (float)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / sqrtf(squares / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * scale * weight[i] + bias[i];
}

static void softmax_f32_scalar(float *x, float scale, size_t n)
{
    float largest = -INFINITY, sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf((x[i] - largest) * scale);
        sum += x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] /= sum;
}

/* B^T v of four values at stride `step`. */
static void winograd_b(const float *v, size_t step, float *out, size_t out_step)
{
    out[0] = v[0] - v[2 * step];
    out[out_step] = v[step] + v[2 * step];
    out[2 * out_step] = v[2 * step] - v[step];
    out[3 * out_step] = v[step] - v[3 * step];
}

static void winograd_before_f32_scalar(const float *const d[16], size_t n, float *out, size_t ldo)
{
    for (size_t c = 0; c < n; c++) {
        float v[16], t[16], u[16];
        for (size_t i = 0; i < 16; i++)
            v[i] = d[i][c];
        for (size_t x = 0; x < 4; x++)
            winograd_b(v + x, 4, t + x, 4);
        for (size_t y = 0; y < 4; y++)
            winograd_b(t + 4 * y, 1, u + 4 * y, 1);
        for (size_t f = 0; f < 16; f++)
            out[f * ldo + c] = u[f];
    }
}

static void winograd_after_f32_scalar(const float *m, size_t ldm, const float *bias, float floor,
                                      size_t n, float *const y[4])
{
    for (size_t c = 0; c < n; c++) {
        float t[2][4];
        for (size_t x = 0; x < 4; x++) {
            const float *from = m + x * ldm + c;
            t[0][x] = from[0] + from[4 * ldm] + from[8 * ldm];
            t[1][x] = from[4 * ldm] - from[8 * ldm] - from[12 * ldm];
        }
        for (size_t i = 0; i < 2; i++) {
            const float y0 = t[i][0] + t[i][1] + t[i][2] + bias[c];
            const float y1 = t[i][1] - t[i][2] - t[i][3] + bias[c];
            y[2 * i][c] = y0 < floor ? floor : y0;
            y[2 * i + 1][c] = y1 < floor ? floor : y1;
        }
    }
}

static void mean4_f32_scalar(const float *a, const float *b, const float *c, const float *d,
                             float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (a[i] + b[i] + c[i] + d[i]) * 0.25f;
}

static void add_scaled_f32_scalar(float s, const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += s * x[i];
}

static float dot_f32_scalar(const float *a, const float *b, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void dot_rows_f32_scalar(const float *rows, size_t count, size_t n, const float *query,
                                float *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = dot_f32_scalar(rows + i * n, query, n);
}

static void dot_rows_f16_scalar(const uint16_t *rows, size_t count, size_t n, const float *query,
                                float *out)
{
    for (size_t i = 0; i < count; i++) {
        float sum = 0.0f;
        for (size_t j = 0; j < n; j++)
            sum += akin_half_to_float(rows[i * n + j]) * query[j];
        out[i] = sum;
    }
}

const akin_kernels akin_kernels_scalar = {
    .name = "scalar",
    .tile_rows = ROWS,
    .tile_cols = COLS,
    .matmul_tile_f32 = matmul_tile_f32_scalar,
    .pack_rows_f32 = pack_rows_f32_scalar,
    .finish_f32 = finish_f32_scalar,
    .layernorm_f32 = layernorm_f32_scalar,
    .softmax_f32 = softmax_f32_scalar,
    .winograd_before_f32 = winograd_before_f32_scalar,
    .winograd_after_f32 = winograd_after_f32_scalar,
    .mean4_f32 = mean4_f32_scalar,
    .add_scaled_f32 = add_scaled_f32_scalar,
    .dot_f32 = dot_f32_scalar,
    .dot_rows_f32 = dot_rows_f32_scalar,
    .dot_rows_f16 = dot_rows_f16_scalar,
    .products = &akin_product_kernels_scalar,
    .gradients = &akin_gradient_kernels_scalar,
    .batchnorm = &akin_batchnorm_kernels_scalar,
};
