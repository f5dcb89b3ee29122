/* gradient_scalar.c - gradient_kernels.h as it reads: the oracle of the others. */
#include "cpu/gradient_kernels.h"

#include <math.h>
#include <string.h>

static void norm_f32(const float *x, const float *weight, const float *bias, float eps, float *y,
                     size_t n, akin_row_norm *norm)
{
    float sum = 0.0f, squares = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    const float mean = sum / (float)n;
    for (size_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    *norm = (akin_row_norm){ mean, 1.0f / sqrtf(squares / (float)n + eps) };
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - mean) * norm->scale * weight[i] + bias[i];
}

static void norm_back_f32(const float *x, const float *weight, const akin_row_norm *norm,
                          const float *dy, size_t n, bool add, float *dx, float *dweight,
                          float *dbias)
{
    float sum = 0.0f, along = 0.0f;
    for (size_t i = 0; i < n; i++) {
        const float unit = (x[i] - norm->mean) * norm->scale;
        sum += dy[i] * weight[i];
        along += dy[i] * weight[i] * unit;
        if (dweight != NULL) {
            dweight[i] += dy[i] * unit;
            dbias[i] += dy[i];
        }
    }
    sum /= (float)n;
    along /= (float)n;
    for (size_t i = 0; i < n; i++) {
        const float unit = (x[i] - norm->mean) * norm->scale;
        const float d = (dy[i] * weight[i] - sum - unit * along) * norm->scale;
        dx[i] = add ? dx[i] + d : d;
    }
}

static void softmax_back_f32(const float *y, float scale, float *dy, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += y[i] * dy[i];
    for (size_t i = 0; i < n; i++)
        dy[i] = y[i] * (dy[i] - sum) * scale;
}

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static float derivative(akin_activation activation, float x)
{
    switch (activation) {
    case AKIN_ACT_NONE: return 1.0f;
    case AKIN_ACT_QUICK_GELU: {
        const float s = sigmoid(1.702f * x);
        return s * (1.0f + 1.702f * x * (1.0f - s));
    }
    case AKIN_ACT_GELU:
        return 0.5f * (1.0f + erff(x * 0.70710678118654752f)) +
               x * 0.39894228040143268f * expf(-0.5f * x * x);
    case AKIN_ACT_GELU_TANH: {
        const float k = 2.0f * 0.79788456080286536f;
        const float s = sigmoid(k * (x + 0.044715f * x * x * x));
        return s * (1.0f + x * (1.0f - s) * k * (1.0f + 3.0f * 0.044715f * x * x));
    }
    case AKIN_ACT_SILU: {
        const float s = sigmoid(x);
        return s * (1.0f + x * (1.0f - s));
    }
    case AKIN_ACT_RELU: return x > 0.0f ? 1.0f : 0.0f;
    }
    return 1.0f;
}

static void activate_back_f32(akin_activation activation, const float *x, float *dy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dy[i] *= derivative(activation, x[i]);
}

static void product_f32(const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                        size_t m, size_t n, size_t k, bool add, float *c, size_t ldc)
{
    for (size_t i = 0; i < m; i++) {
        float *to = c + i * ldc;
        if (!add)
            memset(to, 0, n * sizeof *to);
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < n; j++)
                to[j] += a[i * a_row + p * a_step] * b[p * ldb + j];
    }
}

static void transpose_f32(const float *x, size_t ldx, size_t m, size_t n, float *out, size_t ldo)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < m; i++)
            out[j * ldo + i] = x[i * ldx + j];
}

static void adamw_f32(float *value, float *gradient, float *m, float *v, size_t n, float rate_decay,
                      float scale, double beta1, double beta2, float step, float root, float eps)
{
    const float rest1 = (float)(1.0 - beta1), keep2 = (float)beta2, rest2 = (float)(1.0 - beta2);
    for (size_t i = 0; i < n; i++) {
        const float g = gradient[i] * scale;
        m[i] += rest1 * (g - m[i]);
        v[i] = v[i] * keep2 + rest2 * (g * g);
        value[i] = value[i] * rate_decay - step * (m[i] / (sqrtf(v[i]) * root + eps));
    }
    memset(gradient, 0, n * sizeof *gradient);
}

static double sum_squares_f32(const float *x, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

const akin_gradient_kernels akin_gradient_kernels_scalar = {
    .norm_f32 = norm_f32,
    .norm_back_f32 = norm_back_f32,
    .softmax_back_f32 = softmax_back_f32,
    .activate_back_f32 = activate_back_f32,
    .product_f32 = product_f32,
    .transpose_f32 = transpose_f32,
    .adamw_f32 = adamw_f32,
    .sum_squares_f32 = sum_squares_f32,
};
