/* kernels_scalar.c - the kernels in plain C: the oracle for the others, and what runs on a
 * processor that has none of their instructions. The compiler may use the architecture's baseline
 * vectors. */
#include <math.h>

#include "cpu/kernels.h"

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
            x = activate(e->activation, x);
            if (e->residual != NULL)
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

static float dot_f32_scalar(const float *a, const float *b, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

const akin_kernels akin_kernels_scalar = {
    .name = "scalar",
    .tile_rows = ROWS,
    .tile_cols = COLS,
    .matmul_tile_f32 = matmul_tile_f32_scalar,
    .finish_f32 = finish_f32_scalar,
    .layernorm_f32 = layernorm_f32_scalar,
    .softmax_f32 = softmax_f32_scalar,
    .dot_f32 = dot_f32_scalar,
};
