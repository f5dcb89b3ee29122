/* gradient_vectors.h - gradient_kernels.h over abstract vectors; included by vector_kernels.h. */
#include "cpu/gradient_kernels.h"

INLINE void store_lanes_vf(float *p, vf v, int rest)
{
    if (rest == LANES)
        vf_store(p, v);
    else
        vf_store_n(p, v, rest);
}

INLINE int lanes_left(size_t i, size_t n)
{
    return n - i < LANES ? (int)(n - i) : LANES;
}

static void KERNEL(norm_f32)(const float *x, const float *weight, const float *bias, float eps,
                             float *y, size_t n, akin_row_norm *norm)
{
    vf sum = vf_set1(0.0f);
    for (size_t i = 0; i < n; i += LANES)
        sum = vf_add(sum, load_rest_vf(x + i, lanes_left(i, n)));
    const float mean = vf_sum(sum) / (float)n;
    const vf mean_v = vf_set1(mean);

    const size_t whole = n - n % LANES;
    vf squares = vf_set1(0.0f);
    for (size_t i = 0; i < whole; i += LANES) {
        const vf d = vf_sub(vf_load(x + i), mean_v);
        squares = vf_fma(d, d, squares);
    }
    float square_sum = vf_sum(squares);
    for (size_t i = whole; i < n; i++) /* the lanes of vf_load_n past n would count mean^2 */
        square_sum += (x[i] - mean) * (x[i] - mean);

    const float scale = 1.0f / sqrtf(square_sum / (float)n + eps);
    const vf scale_v = vf_set1(scale);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        const vf d = vf_mul(vf_sub(load_rest_vf(x + i, rest), mean_v), scale_v);
        store_lanes_vf(y + i,
                      vf_fma(d, load_rest_vf(weight + i, rest), load_rest_vf(bias + i, rest)),
                      rest);
    }
    *norm = (akin_row_norm){ mean, scale };
}

/* Lanes past n load as 0 of dy: they add nothing to any sum. */
static void KERNEL(norm_back_f32)(const float *x, const float *weight, const akin_row_norm *norm,
                                  const float *dy, size_t n, bool add, float *dx, float *dweight,
                                  float *dbias)
{
    const vf mean = vf_set1(norm->mean), scale = vf_set1(norm->scale);
    vf sum = vf_set1(0.0f), along = vf_set1(0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        const vf unit = vf_mul(vf_sub(load_rest_vf(x + i, rest), mean), scale);
        const vf g = load_rest_vf(dy + i, rest), h = vf_mul(g, load_rest_vf(weight + i, rest));
        sum = vf_add(sum, h);
        along = vf_fma(h, unit, along);
        if (dweight != NULL) {
            store_lanes_vf(dweight + i, vf_fma(g, unit, load_rest_vf(dweight + i, rest)), rest);
            store_lanes_vf(dbias + i, vf_add(g, load_rest_vf(dbias + i, rest)), rest);
        }
    }
    const vf sum_v = vf_set1(vf_sum(sum) / (float)n), along_v = vf_set1(vf_sum(along) / (float)n);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        const vf unit = vf_mul(vf_sub(load_rest_vf(x + i, rest), mean), scale);
        const vf h = vf_mul(load_rest_vf(dy + i, rest), load_rest_vf(weight + i, rest));
        const vf d = vf_mul(vf_sub(vf_sub(h, sum_v), vf_mul(unit, along_v)), scale);
        store_lanes_vf(dx + i, add ? vf_add(load_rest_vf(dx + i, rest), d) : d, rest);
    }
}

static void KERNEL(softmax_back_f32)(const float *y, float scale, float *dy, size_t n)
{
    vf sum = vf_set1(0.0f);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        sum = vf_fma(load_rest_vf(y + i, rest), load_rest_vf(dy + i, rest), sum);
    }
    const vf sum_v = vf_set1(vf_sum(sum)), scale_v = vf_set1(scale);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        const vf d = vf_mul(load_rest_vf(y + i, rest), vf_sub(load_rest_vf(dy + i, rest), sum_v));
        store_lanes_vf(dy + i, vf_mul(d, scale_v), rest);
    }
}

/* (x sigmoid(u))' = s + x s (1 - s) u', s = sigmoid(u). */
INLINE vf sigmoid_slope_vf(vf x, vf s, vf slope)
{
    const vf one = vf_set1(1.0f);
    return vf_mul(s, vf_fma(vf_mul(x, vf_sub(one, s)), slope, one));
}

INLINE vf derivative_vf(akin_activation activation, vf x)
{
    const vf one = vf_set1(1.0f);
    switch (activation) {
    case AKIN_ACT_NONE: return one;
    case AKIN_ACT_QUICK_GELU: {
        const vf slope = vf_set1(1.702f);
        return sigmoid_slope_vf(x, sigmoid_vf(vf_mul(x, slope)), slope);
    }
    case AKIN_ACT_GELU: {
        const vf density = vf_mul(exp_vf(vf_mul(vf_mul(x, x), vf_set1(-0.5f))),
                                  vf_set1(0.39894228040143268f));
        const vf half = vf_set1(0.5f);
        const vf below = vf_fma(half, erf_vf(vf_mul(x, vf_set1(0.70710678118654752f))), half);
        return vf_fma(x, density, below);
    }
    case AKIN_ACT_GELU_TANH: {
        const vf k = vf_set1(2.0f * 0.79788456080286536f), square = vf_mul(x, x);
        const vf u = vf_mul(vf_mul(x, vf_fma(square, vf_set1(0.044715f), one)), k);
        const vf slope = vf_mul(k, vf_fma(square, vf_set1(3.0f * 0.044715f), one));
        return sigmoid_slope_vf(x, sigmoid_vf(u), slope);
    }
    case AKIN_ACT_SILU: return sigmoid_slope_vf(x, sigmoid_vf(x), one);
    case AKIN_ACT_RELU: return vf_select_lt(vf_set1(0.0f), x, one, vf_set1(0.0f));
    }
    return one;
}

INLINE void activate_back_vf(akin_activation activation, const float *x, float *dy, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        const vf d = derivative_vf(activation, load_rest_vf(x + i, rest));
        store_lanes_vf(dy + i, vf_mul(load_rest_vf(dy + i, rest), d), rest);
    }
}

static void KERNEL(activate_back_f32)(akin_activation activation, const float *x, float *dy,
                                      size_t n)
{
    switch (activation) {
    case AKIN_ACT_NONE: break;
    case AKIN_ACT_QUICK_GELU: activate_back_vf(AKIN_ACT_QUICK_GELU, x, dy, n); break;
    case AKIN_ACT_GELU: activate_back_vf(AKIN_ACT_GELU, x, dy, n); break;
    case AKIN_ACT_GELU_TANH: activate_back_vf(AKIN_ACT_GELU_TANH, x, dy, n); break;
    case AKIN_ACT_SILU: activate_back_vf(AKIN_ACT_SILU, x, dy, n); break;
    case AKIN_ACT_RELU: activate_back_vf(AKIN_ACT_RELU, x, dy, n); break;
    }
}

/* `rows` and `vectors` are constants at each call. rest: lanes of the last vector. */
INLINE void small_tile_vf(const int rows, const int vectors, const bool whole, int rest,
                          const float *a, size_t a_row, size_t a_step, const float *b, size_t ldb,
                          size_t k, bool add, float *c, size_t ldc)
{
    vf sum[6][2];
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = vf_set1(0.0f);
    }
    for (size_t p = 0; p < k; p++, a += a_step, b += ldb) {
        vf right[2];
        UNROLL
        for (int v = 0; v < vectors; v++)
            right[v] = whole ? vf_load(b + v * LANES) : vf_load_n(b + v * LANES, rest);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const vf left = vf_set1(a[(size_t)i * a_row]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] = vf_fma(left, right[v], sum[i][v]);
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            float *to = c + (size_t)i * ldc + v * LANES;
            const int lanes = whole ? LANES : rest;
            store_lanes_vf(to, add ? vf_add(load_rest_vf(to, lanes), sum[i][v]) : sum[i][v], lanes);
        }
    }
}

INLINE void small_rows_vf(const int rows, const float *a, size_t a_row, size_t a_step,
                          const float *b, size_t ldb, size_t n, size_t k, bool add, float *c,
                          size_t ldc)
{
    size_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES)
        small_tile_vf(rows, 2, true, LANES, a, a_row, a_step, b + j, ldb, k, add, c + j, ldc);
    if (j + LANES <= n) {
        small_tile_vf(rows, 1, true, LANES, a, a_row, a_step, b + j, ldb, k, add, c + j, ldc);
        j += LANES;
    }
    if (j < n)
        small_tile_vf(rows, 1, false, (int)(n - j), a, a_row, a_step, b + j, ldb, k, add, c + j,
                      ldc);
}

static void KERNEL(product_f32)(const float *a, size_t a_row, size_t a_step, const float *b,
                                size_t ldb, size_t m, size_t n, size_t k, bool add, float *c,
                                size_t ldc)
{
    size_t i = 0;
    for (; i + 6 <= m; i += 6)
        small_rows_vf(6, a + i * a_row, a_row, a_step, b, ldb, n, k, add, c + i * ldc, ldc);
    for (; i + 2 <= m; i += 2)
        small_rows_vf(2, a + i * a_row, a_row, a_step, b, ldb, n, k, add, c + i * ldc, ldc);
    if (i < m)
        small_rows_vf(1, a + i * a_row, a_row, a_step, b, ldb, n, k, add, c + i * ldc, ldc);
}

static void KERNEL(transpose_f32)(const float *x, size_t ldx, size_t m, size_t n, float *out,
                                  size_t ldo)
{
    for (size_t i = 0; i < m; i += LANES) {
        const int rows = lanes_left(i, m);
        for (size_t j = 0; j < n; j += LANES) {
            const int cols = lanes_left(j, n);
            vf block[LANES];
            UNROLL
            for (int r = 0; r < LANES; r++)
                block[r] = r < rows ? load_rest_vf(x + (i + (size_t)r) * ldx + j, cols)
                                    : vf_set1(0.0f);
            vf_transpose(block);
            UNROLL
            for (int r = 0; r < LANES; r++)
                if (r < cols)
                    store_lanes_vf(out + (j + (size_t)r) * ldo + i, block[r], rows);
        }
    }
}

static void KERNEL(adamw_f32)(float *value, float *gradient, float *m, float *v, size_t n,
                              float rate_decay, float scale, double beta1, double beta2, float step,
                              float root, float eps)
{
    const vf rest1 = vf_set1((float)(1.0 - beta1)), keep2 = vf_set1((float)beta2);
    const vf rest2 = vf_set1((float)(1.0 - beta2)), keep = vf_set1(rate_decay);
    const vf scale_v = vf_set1(scale), step_v = vf_set1(-step), root_v = vf_set1(root);
    const vf eps_v = vf_set1(eps);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = lanes_left(i, n);
        const vf g = vf_mul(load_rest_vf(gradient + i, rest), scale_v);
        const vf m0 = load_rest_vf(m + i, rest);
        const vf m1 = vf_add(m0, vf_mul(rest1, vf_sub(g, m0)));
        const vf v1 = vf_add(vf_mul(load_rest_vf(v + i, rest), keep2), vf_mul(rest2, vf_mul(g, g)));
        const vf change = vf_div(m1, vf_add(vf_mul(vf_sqrt(v1), root_v), eps_v));
        const vf w = vf_mul(load_rest_vf(value + i, rest), keep);
        store_lanes_vf(m + i, m1, rest);
        store_lanes_vf(v + i, v1, rest);
        store_lanes_vf(value + i, vf_add(w, vf_mul(step_v, change)), rest);
        store_lanes_vf(gradient + i, vf_set1(0.0f), rest);
    }
}

static double KERNEL(sum_squares_f32)(const float *x, size_t n)
{
    enum { CHAIN = 16 * LANES };
    double total = 0.0;
    for (size_t first = 0; first < n; first += CHAIN) {
        const size_t end = n - first < CHAIN ? n : first + CHAIN;
        vf sum[2] = { vf_set1(0.0f), vf_set1(0.0f) };
        size_t i = first;
        for (; i + 2 * LANES <= end; i += 2 * LANES) {
            const vf a = vf_load(x + i), b = vf_load(x + i + LANES);
            sum[0] = vf_fma(a, a, sum[0]);
            sum[1] = vf_fma(b, b, sum[1]);
        }
        for (; i < end; i += LANES) {
            const vf a = load_rest_vf(x + i, lanes_left(i, end));
            sum[0] = vf_fma(a, a, sum[0]);
        }
        total += (double)vf_sum(vf_add(sum[0], sum[1]));
    }
    return total;
}

static const akin_gradient_kernels KERNEL(akin_gradient_table) = {
    .norm_f32 = KERNEL(norm_f32),
    .norm_back_f32 = KERNEL(norm_back_f32),
    .softmax_back_f32 = KERNEL(softmax_back_f32),
    .activate_back_f32 = KERNEL(activate_back_f32),
    .product_f32 = KERNEL(product_f32),
    .transpose_f32 = KERNEL(transpose_f32),
    .adamw_f32 = KERNEL(adamw_f32),
    .sum_squares_f32 = KERNEL(sum_squares_f32),
};
