/* vector_kernels.h - the kernels over abstract vectors; included once by each instruction set's
 * file.
 *
 * The including file defines
 *     ISA               suffix of its functions and (quoted) its table's name
 *     LANES             floats in a vector
 *     TILE_ROWS         rows of a matrix-product tile; 2 * TILE_ROWS + 3 vectors fit its registers
 *     vf                the vector type
 *     vf_set1(s), vf_load(p), vf_store(p, v)          unaligned
 *     vf_stream(p, v)                                 aligned, past the caches; ordered by the next
 *                                                     locked instruction, such as a pool's
 *     vf_load_n(p, n), vf_store_n(p, v, n)            the first n lanes, 0 < n <= LANES; others
 *                                                     load as 0
 *     vf_load_half(p), vf_load_half_n(p, n)           from IEEE half precision, likewise
 *     vf_add, vf_sub, vf_mul, vf_div, vf_max, vf_min, vf_sqrt(a)
 *     vf_fma(a, b, c)   a * b + c, one rounding
 *     vf_abs(a), vf_copysign(magnitude, sign)
 *     vf_round(a)       to the nearest integer, ties to even
 *     vf_pow2(n)        2^n for an integral n in [-126, 127]
 *     vf_select_lt(a, b, x, y)                        a < b ? x : y
 *     vf_sum(a), vf_max_of(a)                         across lanes, in an order fixed by the set
 *     vf_transpose(rows)                              vf rows[LANES], in place
 *
 * Coefficients: tools/oracle/polynomials.py, which also measures the errors quoted here.
 */
#include <math.h>

#include "cpu/isa_names.h"

#define TILE_COLS (2 * LANES)

/* exp(x) for x <= 88: 2^n * exp(r), |r| <= ln2 / 2; largest relative error 0.74 ulp. Below -87.3
 * the result is 1.2e-38 rather than a denormal: no caller can tell it from 0. */
INLINE vf exp_vf(vf x)
{
    x = vf_max(x, vf_set1(-87.33654f));
    vf n = vf_round(vf_mul(x, vf_set1(1.44269504f)));
    vf r = vf_fma(n, vf_set1(-0.693359375f), x); /* ln2 in two parts, the first exact in 10 bits */
    r = vf_fma(n, vf_set1(2.12194440e-4f), r);
    vf p = vf_set1(0.00139450746f);
    p = vf_fma(p, r, vf_set1(0.00836323288f));
    p = vf_fma(p, r, vf_set1(0.041666271f));
    p = vf_fma(p, r, vf_set1(0.166665767f));
    p = vf_fma(p, r, vf_set1(0.500000009f));
    p = vf_add(vf_fma(p, vf_mul(r, r), r), vf_set1(1.0f));
    return vf_mul(p, vf_pow2(n));
}

/* 1 / (1 + exp(-x)). */
INLINE vf sigmoid_vf(vf x)
{
    vf e = exp_vf(vf_min(vf_sub(vf_set1(0.0f), x), vf_set1(87.0f)));
    return vf_div(vf_set1(1.0f), vf_add(vf_set1(1.0f), e));
}

/* erf(x): x + x p(x^2) for |x| < 1, else 1 - exp(-q(|x|)); largest absolute error 1 ulp of 1. */
INLINE vf erf_vf(vf x)
{
    vf t = vf_min(vf_abs(x), vf_set1(4.0f)); /* erf(4) is 1 in float32 */
    vf s = vf_mul(t, t);
    vf p = vf_set1(7.87587506e-05f);
    p = vf_fma(p, s, vf_set1(-0.000801686429f));
    p = vf_fma(p, s, vf_set1(0.00518908742f));
    p = vf_fma(p, s, vf_set1(-0.026854212f));
    p = vf_fma(p, s, vf_set1(0.112835947f));
    p = vf_fma(p, s, vf_set1(-0.376126267f));
    p = vf_fma(p, s, vf_set1(0.128379166f));
    vf small = vf_fma(p, t, t);
    vf q = vf_set1(-1.63715141e-06f);
    q = vf_fma(q, t, vf_set1(4.60580427e-05f));
    q = vf_fma(q, t, vf_set1(-0.000596805626f));
    q = vf_fma(q, t, vf_set1(0.00475959629f));
    q = vf_fma(q, t, vf_set1(-0.026421136f));
    q = vf_fma(q, t, vf_set1(0.110080083f));
    q = vf_fma(q, t, vf_set1(0.631826052f));
    q = vf_fma(q, t, vf_set1(1.13023343f));
    q = vf_fma(q, t, vf_set1(-0.00032013805f));
    vf large = vf_sub(vf_set1(1.0f), exp_vf(vf_sub(vf_set1(0.0f), q)));
    return vf_copysign(vf_select_lt(t, vf_set1(1.0f), small, large), x);
}

INLINE vf activate_vf(akin_activation activation, vf x)
{
    switch (activation) {
    case AKIN_ACT_NONE: return x;
    case AKIN_ACT_QUICK_GELU: return vf_mul(x, sigmoid_vf(vf_mul(x, vf_set1(1.702f))));
    case AKIN_ACT_GELU: {
        vf half = vf_mul(x, vf_set1(0.5f));
        return vf_fma(half, erf_vf(vf_mul(x, vf_set1(0.70710678118654752f))), half);
    }
    case AKIN_ACT_GELU_TANH: {
        /* 0.5 (1 + tanh(u)) = sigmoid(2u) */
        vf u = vf_mul(x, vf_fma(vf_mul(x, x), vf_set1(0.044715f), vf_set1(1.0f)));
        return vf_mul(x, sigmoid_vf(vf_mul(u, vf_set1(2.0f * 0.79788456080286536f))));
    }
    case AKIN_ACT_SILU: return vf_mul(x, sigmoid_vf(x));
    case AKIN_ACT_RELU: return vf_max(vf_set1(0.0f), x); /* in this order a NaN stays */
    }
    return x;
}

/* `rows` is a constant at each call, so that the loops unroll and the sums stay in registers. All
 * three must: with the first or last one rolled clang keeps the sums in memory, at 2/5 of the
 * speed. */
INLINE void tile_rows_f32(const int rows, const float *left, const float *right, size_t k, float *c,
                          size_t ldc, bool accumulate)
{
    vf sum[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < rows; i++) {
        sum[i][0] = accumulate ? vf_load(c + (size_t)i * ldc) : vf_set1(0.0f);
        sum[i][1] = accumulate ? vf_load(c + (size_t)i * ldc + LANES) : vf_set1(0.0f);
    }
    for (size_t p = 0; p < k; p++) {
        vf r0 = vf_load(right), r1 = vf_load(right + LANES);
        UNROLL
        for (int i = 0; i < rows; i++) {
            vf l = vf_set1(left[i]);
            sum[i][0] = vf_fma(l, r0, sum[i][0]);
            sum[i][1] = vf_fma(l, r1, sum[i][1]);
        }
        left += TILE_ROWS;
        right += TILE_COLS;
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        vf_store(c + (size_t)i * ldc, sum[i][0]);
        vf_store(c + (size_t)i * ldc + LANES, sum[i][1]);
    }
}

static void KERNEL(matmul_tile_f32)(const float *left, const float *right, size_t k, float *c,
                                    size_t ldc, int rows, bool accumulate)
{
#define CASE(n)                                                            \
    case n:                                                                \
        tile_rows_f32(n, left, right, k, c, ldc, accumulate);              \
        break
    switch (rows) {
    CASE(1); CASE(2); CASE(3); CASE(4); CASE(5); CASE(6);
#if TILE_ROWS > 6
    CASE(7); CASE(8); CASE(9); CASE(10); CASE(11); CASE(12); CASE(13); CASE(14);
#endif
    }
#undef CASE
}

/* LANES values of p at a time are transposed in registers. A row of the panel is narrower than a
 * vector: each store also writes the beginning of the next row, which comes after it; the last one
 * is cut. */
static void KERNEL(pack_rows_f32)(const float *const *rows, int count, size_t k, float *out)
{
    for (size_t p = 0; p < k; p += LANES) {
        const int depth = k - p < LANES ? (int)(k - p) : LANES;
        vf x[LANES];
        UNROLL
        for (int i = 0; i < LANES; i++) {
            if (i >= TILE_ROWS || i >= count)
                x[i] = vf_set1(0.0f);
            else
                x[i] = depth == LANES ? vf_load(rows[i] + p) : vf_load_n(rows[i] + p, depth);
        }
        vf_transpose(x);
        if (p + LANES < k) {
            UNROLL
            for (int i = 0; i < LANES; i++)
                vf_store(out + (size_t)i * TILE_ROWS, x[i]);
        } else {
            UNROLL
            for (int i = 0; i < LANES; i++)
                if (i < depth)
                    vf_store_n(out + (size_t)i * TILE_ROWS, x[i], TILE_ROWS);
        }
        out += LANES * TILE_ROWS;
    }
}

INLINE vf finish_vf(vf x, vf residual, akin_activation activation, bool residual_first)
{
    return residual_first ? activate_vf(activation, vf_add(x, residual))
                          : vf_add(activate_vf(activation, x), residual);
}

INLINE void finish_row_f32(const float *c, const float *bias, akin_activation activation,
                           const float *residual, bool residual_first, float *out, size_t cols)
{
    size_t j = 0;
    for (; j + LANES <= cols; j += LANES) {
        vf x = vf_load(c + j);
        if (bias != NULL)
            x = vf_add(x, vf_load(bias + j));
        x = residual == NULL
                ? activate_vf(activation, x)
                : finish_vf(x, vf_load(residual + j), activation, residual_first);
        vf_store(out + j, x);
    }
    if (j < cols) {
        int n = (int)(cols - j);
        vf x = vf_load_n(c + j, n);
        if (bias != NULL)
            x = vf_add(x, vf_load_n(bias + j, n));
        x = residual == NULL
                ? activate_vf(activation, x)
                : finish_vf(x, vf_load_n(residual + j, n), activation, residual_first);
        vf_store_n(out + j, x, n);
    }
}

static void KERNEL(finish_f32)(const float *c, size_t ldc, const akin_epilogue *e, float *out,
                               size_t ldo, int rows, size_t cols)
{
    for (size_t i = 0; i < (size_t)rows; i++) {
        const float *residual = e->residual != NULL ? e->residual + i * e->ldr : NULL;
        /* One copy of the loop an activation: the test is made once a row, not once a vector. */
        switch (e->activation) {
#define CASE(a)                                                                                  \
    case a:                                                                                      \
        finish_row_f32(c + i * ldc, e->bias, a, residual, e->residual_first, out + i * ldo,      \
                       cols);                                                                    \
        break
        CASE(AKIN_ACT_NONE);
        CASE(AKIN_ACT_QUICK_GELU);
        CASE(AKIN_ACT_GELU);
        CASE(AKIN_ACT_GELU_TANH);
        CASE(AKIN_ACT_SILU);
        CASE(AKIN_ACT_RELU);
#undef CASE
        }
    }
}

/* t[0..3] of one column, or row, of B^T d. */
INLINE void winograd_b_vf(vf d0, vf d1, vf d2, vf d3, vf t[4])
{
    t[0] = vf_sub(d0, d2);
    t[1] = vf_add(d1, d2);
    t[2] = vf_sub(d2, d1);
    t[3] = vf_sub(d1, d3);
}

static void KERNEL(winograd_before_f32)(const float *const d[16], size_t n, float *out, size_t ldo)
{
    for (size_t c = 0; c < n; c += LANES) {
        const int rest = n - c < LANES ? (int)(n - c) : LANES;
        vf t[4][4]; /* [x][i]: column x of d through B^T */
        UNROLL
        for (int x = 0; x < 4; x++) {
            if (rest == LANES)
                winograd_b_vf(vf_load(d[x] + c), vf_load(d[4 + x] + c), vf_load(d[8 + x] + c),
                              vf_load(d[12 + x] + c), t[x]);
            else
                winograd_b_vf(vf_load_n(d[x] + c, rest), vf_load_n(d[4 + x] + c, rest),
                              vf_load_n(d[8 + x] + c, rest), vf_load_n(d[12 + x] + c, rest), t[x]);
        }
        UNROLL
        for (int i = 0; i < 4; i++) {
            vf u[4];
            float *to = out + (size_t)(4 * i) * ldo + c;
            winograd_b_vf(t[0][i], t[1][i], t[2][i], t[3][i], u);
            UNROLL
            for (int j = 0; j < 4; j++) {
                if (rest == LANES)
                    vf_store(to + (size_t)j * ldo, u[j]);
                else
                    vf_store_n(to + (size_t)j * ldo, u[j], rest);
            }
        }
    }
}

INLINE vf load_rest_vf(const float *p, int rest)
{
    return rest == LANES ? vf_load(p) : vf_load_n(p, rest);
}

static void KERNEL(winograd_after_f32)(const float *m, size_t ldm, const float *bias, float floor,
                                       size_t n, float *const y[4])
{
    const vf lowest = vf_set1(floor);
    for (size_t c = 0; c < n; c += LANES) {
        const int rest = n - c < LANES ? (int)(n - c) : LANES;
        const vf b = load_rest_vf(bias + c, rest);
        vf t[2][4]; /* A^T m */
        UNROLL
        for (int x = 0; x < 4; x++) {
            const float *from = m + (size_t)x * ldm + c;
            const vf m0 = load_rest_vf(from, rest), m1 = load_rest_vf(from + 4 * ldm, rest);
            const vf m2 = load_rest_vf(from + 8 * ldm, rest);
            const vf m3 = load_rest_vf(from + 12 * ldm, rest);
            t[0][x] = vf_add(vf_add(m0, m1), m2);
            t[1][x] = vf_sub(vf_sub(m1, m2), m3);
        }
        UNROLL
        for (int i = 0; i < 2; i++) {
            vf y0 = vf_add(vf_add(t[i][0], t[i][1]), t[i][2]);
            vf y1 = vf_sub(vf_sub(t[i][1], t[i][2]), t[i][3]);
            y0 = vf_max(lowest, vf_add(y0, b));
            y1 = vf_max(lowest, vf_add(y1, b));
            if (rest == LANES) {
                vf_store(y[2 * i] + c, y0);
                vf_store(y[2 * i + 1] + c, y1);
            } else {
                vf_store_n(y[2 * i] + c, y0, rest);
                vf_store_n(y[2 * i + 1] + c, y1, rest);
            }
        }
    }
}

static void KERNEL(mean4_f32)(const float *a, const float *b, const float *c, const float *d,
                              float *y, size_t n)
{
    const vf quarter = vf_set1(0.25f);
    for (size_t i = 0; i < n; i += LANES) {
        const int rest = n - i < LANES ? (int)(n - i) : LANES;
        vf x = vf_add(load_rest_vf(a + i, rest), load_rest_vf(b + i, rest));
        x = vf_add(x, load_rest_vf(c + i, rest));
        x = vf_mul(vf_add(x, load_rest_vf(d + i, rest)), quarter);
        if (rest == LANES)
            vf_store(y + i, x);
        else
            vf_store_n(y + i, x, rest);
    }
}

static void KERNEL(add_scaled_f32)(float s, const float *x, float *y, size_t n)
{
    const vf scale = vf_set1(s);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        vf_store(y + i, vf_fma(scale, vf_load(x + i), vf_load(y + i)));
    if (i < n) {
        const int rest = (int)(n - i);
        vf_store_n(y + i, vf_fma(scale, vf_load_n(x + i, rest), vf_load_n(y + i, rest)), rest);
    }
}

static void KERNEL(layernorm_f32)(const float *x, const float *weight, const float *bias, float eps,
                                  float *y, size_t n)
{
    const size_t whole = n - n % LANES;
    const int rest = (int)(n - whole);
    vf sum = vf_set1(0.0f);
    for (size_t i = 0; i < whole; i += LANES)
        sum = vf_add(sum, vf_load(x + i));
    if (rest != 0)
        sum = vf_add(sum, vf_load_n(x + whole, rest));
    const float mean = vf_sum(sum) / (float)n;
    const vf mean_v = vf_set1(mean);

    vf squares = vf_set1(0.0f);
    for (size_t i = 0; i < whole; i += LANES) {
        vf d = vf_sub(vf_load(x + i), mean_v);
        squares = vf_fma(d, d, squares);
    }
    float square_sum = vf_sum(squares);
    for (size_t i = whole; i < n; i++) /* the lanes of vf_load_n past n would count mean^2 */
        square_sum += (x[i] - mean) * (x[i] - mean);

    const vf scale = vf_set1(1.0f / sqrtf(square_sum / (float)n + eps));
    for (size_t i = 0; i < whole; i += LANES) {
        vf d = vf_mul(vf_sub(vf_load(x + i), mean_v), scale);
        vf_store(y + i, vf_fma(d, vf_load(weight + i), vf_load(bias + i)));
    }
    if (rest != 0) {
        vf d = vf_mul(vf_sub(vf_load_n(x + whole, rest), mean_v), scale);
        vf_store_n(y + whole,
                   vf_fma(d, vf_load_n(weight + whole, rest), vf_load_n(bias + whole, rest)), rest);
    }
}

static void KERNEL(softmax_f32)(float *x, float scale, size_t n)
{
    const size_t whole = n - n % LANES;
    const int rest = (int)(n - whole);
    vf top = vf_set1(-INFINITY);
    for (size_t i = 0; i < whole; i += LANES)
        top = vf_max(top, vf_load(x + i));
    float largest = vf_max_of(top);
    for (size_t i = whole; i < n; i++)
        largest = x[i] > largest ? x[i] : largest;

    const vf largest_v = vf_set1(largest), scale_v = vf_set1(scale);
    vf sum = vf_set1(0.0f);
    for (size_t i = 0; i < whole; i += LANES) {
        vf e = exp_vf(vf_mul(vf_sub(vf_load(x + i), largest_v), scale_v));
        vf_store(x + i, e);
        sum = vf_add(sum, e);
    }
    float total = vf_sum(sum);
    if (rest != 0) {
        vf_store_n(x + whole,
                   exp_vf(vf_mul(vf_sub(vf_load_n(x + whole, rest), largest_v), scale_v)), rest);
        for (size_t i = whole; i < n; i++)
            total += x[i];
    }
    const vf inverse = vf_set1(1.0f / total);
    for (size_t i = 0; i < whole; i += LANES)
        vf_store(x + i, vf_mul(vf_load(x + i), inverse));
    if (rest != 0)
        vf_store_n(x + whole, vf_mul(vf_load_n(x + whole, rest), inverse), rest);
}

static float KERNEL(dot_f32)(const float *a, const float *b, size_t n)
{
    vf sum = vf_set1(0.0f);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        sum = vf_fma(vf_load(a + i), vf_load(b + i), sum);
    if (i < n)
        sum = vf_fma(vf_load_n(a + i, (int)(n - i)), vf_load_n(b + i, (int)(n - i)), sum);
    return vf_sum(sum);
}

/* LANES elements of a row from i on; `half` is a constant at each call. */
INLINE vf row_vf(const bool half, const void *row, size_t i)
{
    return half ? vf_load_half((const uint16_t *)row + i) : vf_load((const float *)row + i);
}

/* A row at a time, so that memory is read in one stream: 25 GB/s on one core of Zen 4. Two, four or
 * eight rows side by side, which share the loads of the query, reach 11, 13 and 16; prefetching 1
 * to 8 KiB ahead changes nothing or costs up to a quarter. */
INLINE void dot_rows_vf(const bool half, const void *rows, size_t count, size_t n,
                        const float *query, float *out)
{
    const size_t bytes = n * (half ? sizeof(uint16_t) : sizeof(float));
    const char *row = rows;
    for (size_t r = 0; r < count; r++, row += bytes) {
        vf sum[4];
        size_t i = 0;
        UNROLL
        for (int s = 0; s < 4; s++)
            sum[s] = vf_set1(0.0f);
        for (; i + 4 * LANES <= n; i += 4 * LANES) {
            UNROLL
            for (int s = 0; s < 4; s++) {
                const size_t at = i + (size_t)s * LANES;
                sum[s] = vf_fma(row_vf(half, row, at), vf_load(query + at), sum[s]);
            }
        }
        for (; i + LANES <= n; i += LANES)
            sum[0] = vf_fma(row_vf(half, row, i), vf_load(query + i), sum[0]);
        if (i < n) {
            const int rest = (int)(n - i);
            const vf x = half ? vf_load_half_n((const uint16_t *)(const void *)row + i, rest)
                              : vf_load_n((const float *)(const void *)row + i, rest);
            sum[1] = vf_fma(x, vf_load_n(query + i, rest), sum[1]);
        }
        out[r] = vf_sum(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
    }
}

static void KERNEL(dot_rows_f32)(const float *rows, size_t count, size_t n, const float *query,
                                 float *out)
{
    dot_rows_vf(false, rows, count, n, query, out);
}

static void KERNEL(dot_rows_f16)(const uint16_t *rows, size_t count, size_t n, const float *query,
                                 float *out)
{
    dot_rows_vf(true, rows, count, n, query, out);
}

#include "cpu/batchnorm_vectors.h"
#include "cpu/gradient_vectors.h"
#include "cpu/product_vectors.h"

#define KERNEL_TABLE(isa_name, pairs, product_table)                                \
    {                                                                               \
        .name = isa_name, .bf16_products = pairs,                                   \
        .tile_rows = TILE_ROWS,                                                     \
        .tile_cols = TILE_COLS,                                                     \
        .matmul_tile_f32 = KERNEL(matmul_tile_f32),                                 \
        .pack_rows_f32 = KERNEL(pack_rows_f32),                                     \
        .finish_f32 = KERNEL(finish_f32),                                           \
        .layernorm_f32 = KERNEL(layernorm_f32),                                     \
        .softmax_f32 = KERNEL(softmax_f32),                                         \
        .winograd_before_f32 = KERNEL(winograd_before_f32),                         \
        .winograd_after_f32 = KERNEL(winograd_after_f32),                           \
        .mean4_f32 = KERNEL(mean4_f32),                                             \
        .add_scaled_f32 = KERNEL(add_scaled_f32),                                   \
        .dot_f32 = KERNEL(dot_f32),                                                 \
        .dot_rows_f32 = KERNEL(dot_rows_f32),                                       \
        .dot_rows_f16 = KERNEL(dot_rows_f16),                                       \
        .products = product_table,                                                  \
        .gradients = &KERNEL(akin_gradient_table),                                  \
        .batchnorm = &KERNEL(akin_batchnorm_table)                                  \
    }

const akin_kernels JOIN(akin_kernels, ISA) =
    KERNEL_TABLE(TEXT(ISA), false, &KERNEL(akin_product_table));
