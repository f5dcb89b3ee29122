/* test_kernels.c - every table of kernels against plain C in double, which is written here again.
 *
 * Lengths 0..300, unaligned pointers, and guard values behind every output. Sets that this
 * processor lacks are reported, not passed over: the lines "isa: ..." are what `make check` repeats
 * at its end.
 */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "cpu/kernels.h"

enum { LONGEST = 300, GUARD = 3 };
static const float guard = -12345.0f;

/* xorshift32: the same numbers everywhere. */
static uint32_t seed;
static float uniform(void) /* in [-1, 1) */
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
}

/* `count` floats at an address that is not a multiple of 8, guarded behind. Freed by
 * free_floats. */
static float *floats(size_t count, float scale)
{
    float *p = (float *)malloc((count + GUARD + 1) * sizeof *p) + 1;
    for (size_t i = 0; i < count; i++)
        p[i] = uniform() * scale;
    for (size_t i = 0; i < GUARD; i++)
        p[count + i] = guard;
    return p;
}

static void free_floats(float *p, size_t count)
{
    for (size_t i = 0; i < GUARD; i++)
        assert_true(p[count + i] == guard);
    free(p - 1);
}

static void assert_close(double got, double want, double bound, const char *what, const char *isa,
                         size_t n, size_t i)
{
    if (!(fabs(got - want) <= bound))
        fail_msg("%s %s n %zu [%zu]: %.9g, expected %.9g +- %.3g", isa, what, n, i, got, want,
                 bound);
}

/* ---- One kernel, one size ------------------------------------------------------------------- */

static void check_dot(const akin_kernels *k, size_t n)
{
    float *a = floats(n, 2.0f), *b = floats(n, 2.0f);
    double want = 0.0, magnitude = 0.0;
    for (size_t i = 0; i < n; i++) {
        want += (double)a[i] * b[i];
        magnitude += fabs((double)a[i] * b[i]);
    }
    /* Summing n terms of float32 errs by less than n units of the sum of magnitudes. */
    assert_close(k->dot_f32(a, b, n), want, FLT_EPSILON * (double)(n + 1) * magnitude, "dot",
                 k->name, n, 0);
    free_floats(a, n);
    free_floats(b, n);
}

/* A half of any magnitude but the largest, every third subnormal, some of them zero. */
static uint16_t random_half(size_t i)
{
    uniform();
    const uint16_t half = (uint16_t)(seed & 0x83ffu);
    return i % 3 == 0 ? half : (uint16_t)(half | (1 + (seed >> 16) % 16) << 10);
}

/* Rows against double, and each row by itself: the same bits as among its neighbours. The rows end
 * where their memory ends. */
static void check_dot_rows(const akin_kernels *k, size_t n, size_t count, bool half)
{
    const size_t each = half ? sizeof(uint16_t) : sizeof(float), size = (count * n + 1) * each;
    char *memory = malloc(size), *rows = memory + each;
    float *query = floats(n, 2.0f), *out = floats(count, 0.0f), *wide = floats(count * n, 2.0f);
    for (size_t i = 0; i < count * n; i++) {
        if (half) {
            const uint16_t h = random_half(i);
            wide[i] = akin_half_to_float(h);
            memcpy(rows + i * each, &h, each);
        } else {
            memcpy(rows + i * each, wide + i, each);
        }
    }
    if (half)
        k->dot_rows_f16((const uint16_t *)(const void *)rows, count, n, query, out);
    else
        k->dot_rows_f32((const float *)(const void *)rows, count, n, query, out);
    for (size_t r = 0; r < count; r++) {
        const char *row = rows + r * n * each;
        double want = 0.0, magnitude = 0.0;
        float alone = guard;
        for (size_t i = 0; i < n; i++) {
            want += (double)wide[r * n + i] * query[i];
            magnitude += fabs((double)wide[r * n + i] * query[i]);
        }
        assert_close(out[r], want, FLT_EPSILON * (double)(n + 1) * magnitude + FLT_TRUE_MIN,
                     half ? "dot_rows f16" : "dot_rows f32", k->name, n, r);
        if (half)
            k->dot_rows_f16((const uint16_t *)(const void *)row, 1, n, query, &alone);
        else
            k->dot_rows_f32((const float *)(const void *)row, 1, n, query, &alone);
        assert_memory_equal(&alone, out + r, sizeof alone);
    }
    free(memory);
    free_floats(query, n);
    free_floats(out, count);
    free_floats(wide, count * n);
}

static void check_layernorm(const akin_kernels *k, size_t n, float offset)
{
    float *x = floats(n, 3.0f), *w = floats(n, 2.0f), *b = floats(n, 1.0f), *y = floats(n, 0.0f);
    double mean = 0.0, var = 0.0;
    for (size_t i = 0; i < n; i++) {
        x[i] += offset;
        mean += x[i];
    }
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    var /= (double)n;
    const double rstd = 1.0 / sqrt(var + 1e-5);
    k->layernorm_f32(x, w, b, 1e-5f, y, n);
    for (size_t i = 0; i < n; i++) {
        double want = (x[i] - mean) * rstd * w[i] + b[i];
        /* The mean is wrong by up to n/LANES roundings of |x|, which rstd enlarges. */
        double bound =
            FLT_EPSILON * (16.0 + (double)n / 4.0) * (fabs(offset) + 3.0) * rstd * 2.0 + 1e-6;
        assert_close(y[i], want, bound, "layernorm", k->name, n, i);
    }
    float *again = floats(n, 0.0f);
    memcpy(again, x, n * sizeof *x);
    k->layernorm_f32(again, w, b, 1e-5f, again, n);
    assert_memory_equal(again, y, n * sizeof *y); /* in place: the same bits */
    free_floats(again, n);
    free_floats(x, n);
    free_floats(w, n);
    free_floats(b, n);
    free_floats(y, n);
}

static void check_softmax(const akin_kernels *k, size_t n, float spread)
{
    float *x = floats(n, spread);
    double *want = malloc((n + 1) * sizeof *want), top = -INFINITY, sum = 0.0;
    const float scale = 0.125f;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, (double)x[i] * scale);
    for (size_t i = 0; i < n; i++)
        sum += want[i] = exp((double)x[i] * scale - top);
    k->softmax_f32(x, scale, n);
    for (size_t i = 0; i < n; i++)
        /* exp of a difference of magnitude 2 * spread * scale, rounded to float32 first */
        assert_close(x[i], want[i] / sum,
                     FLT_EPSILON * (8.0 + 2.0 * spread * scale + (double)n / 8.0) * want[i] / sum +
                         1e-37,
                     "softmax", k->name, n, i);
    free(want);
    free_floats(x, n);
}

static double activation(akin_activation a, double x)
{
    switch (a) {
    case AKIN_ACT_NONE: return x;
    case AKIN_ACT_QUICK_GELU: return x / (1.0 + exp(-1.702 * x));
    case AKIN_ACT_GELU: return 0.5 * x * erfc(-x / sqrt(2.0));
    case AKIN_ACT_GELU_TANH:
        return 0.5 * x *
               (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case AKIN_ACT_SILU: return x / (1.0 + exp(-x));
    case AKIN_ACT_RELU: return fmax(0.0, x);
    }
    return NAN;
}

static void check_finish(const akin_kernels *k, size_t rows, size_t n, akin_activation a, bool bias,
                         bool residual, bool first)
{
    const size_t ldc = n + 2, ldo = n + 1, ldr = n + 5;
    float *c = floats(rows * ldc, 8.0f), *b = floats(n, 2.0f), *r = floats(rows * ldr, 1.0f);
    float *out = floats(rows * ldo, 0.0f);
    for (size_t i = 0; i < rows * ldo; i++)
        out[i] = guard;
    const akin_epilogue e = { bias ? b : NULL, a, residual ? r : NULL, ldr, first };
    k->finish_f32(c, ldc, &e, out, ldo, (int)rows, n);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++) {
            const float added = residual ? r[i * ldr + j] : 0.0f;
            const float x = c[i * ldc + j] + (bias ? b[j] : 0.0f) + (first ? added : 0.0f);
            const double want = activation(a, x) + (first ? 0.0f : added);
            assert_close(out[i * ldo + j], want, FLT_EPSILON * 6.0 * fmax(1.0, fabs(x)), "finish",
                         k->name, n, j);
        }
        assert_true(out[i * ldo + n] == guard); /* nothing past the last column */
    }
    free_floats(c, rows * ldc);
    free_floats(b, n);
    free_floats(r, rows * ldr);
    free_floats(out, rows * ldo);
}

static void check_tile(const akin_kernels *k, size_t depth, int rows, bool accumulate)
{
    const size_t tr = (size_t)k->tile_rows, tc = (size_t)k->tile_cols, ldc = tc + 3;
    float *left = floats(depth * tr, 1.0f), *right = floats(depth * tc, 1.0f);
    float *c = floats(tr * ldc, 1.0f), *before = malloc(tr * ldc * sizeof *before);
    memcpy(before, c, tr * ldc * sizeof *c);
    k->matmul_tile_f32(left, right, depth, c, ldc, rows, accumulate);
    for (size_t i = 0; i < tr; i++)
        for (size_t j = 0; j < ldc; j++) {
            if (i >= (size_t)rows || j >= tc) {
                assert_true(c[i * ldc + j] == before[i * ldc + j]);
                continue;
            }
            double want = accumulate ? before[i * ldc + j] : 0.0, magnitude = fabs(want);
            for (size_t p = 0; p < depth; p++) {
                double term = (double)left[p * tr + i] * right[p * tc + j];
                want += term;
                magnitude += fabs(term);
            }
            assert_close(c[i * ldc + j], want, FLT_EPSILON * (double)(depth + 2) * magnitude,
                         "tile", k->name, depth, i * tc + j);
        }
    free(before);
    free_floats(left, depth * tr);
    free_floats(right, depth * tc);
    free_floats(c, tr * ldc);
}

static void check_pack(const akin_kernels *k, size_t n, int count)
{
    const size_t tile = (size_t)k->tile_rows;
    float *x = floats(tile * (n + 1), 1.0f), *out = floats(n * tile, 0.0f);
    const float *rows[64] = { NULL };
    for (size_t i = 0; i < tile; i++)
        rows[i] = x + (tile - 1 - i) * (n + 1);
    k->pack_rows_f32(rows, count, n, out);
    for (size_t p = 0; p < n; p++)
        for (size_t i = 0; i < tile; i++)
            assert_true(out[p * tile + i] == (i < (size_t)count ? rows[i][p] : 0.0f));
    free_floats(x, tile * (n + 1));
    free_floats(out, n * tile);
}

/* Both ends with one weight of all ones between them (G g G^T of a kernel that is 1 in the middle
 * and 0 elsewhere gives back the middle of the window). */
static void check_winograd(const akin_kernels *k, size_t n)
{
    static const float g[4] = { 0.0f, 0.5f, -0.5f, 0.0f }; /* G (0 1 0)^T */
    float *d = floats(16 * n, 1.0f), *m = floats(16 * (n + 1), 1.0f), *bias = floats(n, 1.0f);
    float *y[4] = { floats(n, 0.0f), floats(n, 0.0f), floats(n, 0.0f), floats(n, 0.0f) };
    const float *rows[16];
    for (size_t i = 0; i < 16; i++)
        rows[i] = d + i * n;
    k->winograd_before_f32(rows, n, m, n + 1);
    for (size_t f = 0; f < 16; f++)
        for (size_t c = 0; c < n; c++)
            m[f * (n + 1) + c] *= g[f / 4] * g[f % 4];
    for (int relu = 0; relu < 2; relu++) {
        k->winograd_after_f32(m, n + 1, bias, relu ? 0.0f : -INFINITY, n, y);
        for (size_t i = 0; i < 4; i++)
            for (size_t c = 0; c < n; c++) {
                const double x = (double)d[(4 * (1 + i / 2) + 1 + i % 2) * n + c] + bias[c];
                assert_close(y[i][c], relu ? fmax(0.0, x) : x, 16 * FLT_EPSILON, "winograd",
                             k->name, n, c);
            }
    }
    for (size_t i = 0; i < 4; i++)
        free_floats(y[i], n);
    free_floats(d, 16 * n);
    free_floats(m, 16 * (n + 1));
    free_floats(bias, n);
}

static void check_mean4(const akin_kernels *k, size_t n)
{
    float *x = floats(4 * n, 1.0f), *y = floats(n, 1.0f), *z = floats(n, 1.0f);
    k->mean4_f32(x, x + n, x + 2 * n, x + 3 * n, y, n);
    memcpy(z, y, n * sizeof *z);
    k->add_scaled_f32(-1.5f, x, z, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(y[i] == (x[i] + x[n + i] + x[2 * n + i] + x[3 * n + i]) * 0.25f);
        assert_close(z[i], y[i] - 1.5 * x[i], 4 * FLT_EPSILON, "add_scaled", k->name, n, i);
    }
    free_floats(x, 4 * n);
    free_floats(y, n);
    free_floats(z, n);
}

/* ---- All kernels, all sizes, each instruction set ------------------------------------------- */

static void each_set(void (*check)(const akin_kernels *))
{
    for (size_t i = 0; i < akin_isa_count(); i++) {
        akin_isa_entry entry = akin_isa_at(i);
        seed = 2463534242u;
        if (entry.lacks == NULL)
            check(entry.kernels);
    }
}

static void dot_set(const akin_kernels *k)
{
    for (size_t n = 0; n <= LONGEST; n++)
        check_dot(k, n);
}

static void dot_rows_set(const akin_kernels *k)
{
    for (size_t n = 0; n <= LONGEST; n++)
        for (size_t count = 0; count <= 9; count++) {
            check_dot_rows(k, n, count, false);
            check_dot_rows(k, n, count, true);
        }
    for (size_t n = 512; n <= 1280; n += 128)
        check_dot_rows(k, n, 5, n % 256 != 0);
    /* Every half there is, in every lane: exact, for a product with one 1. */
    float query[37] = { 0 }, out;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const size_t at = bits % 37;
        uint16_t row[37] = { 0 };
        const float want = akin_half_to_float((uint16_t)bits);
        row[at] = (uint16_t)bits;
        query[at] = 1.0f;
        k->dot_rows_f16(row, 1, 37, query, &out);
        query[at] = 0.0f;
        if (isnan(want) ? !isnan(out) : out != want)
            fail_msg("%s half %04x at %zu: %.9g, expected %.9g", k->name, bits, at, out, want);
    }
}

static void layernorm_set(const akin_kernels *k)
{
    for (size_t n = 1; n <= LONGEST; n++) {
        check_layernorm(k, n, 0.0f);
        check_layernorm(k, n, 10.0f);
    }
    k->layernorm_f32(NULL, NULL, NULL, 1e-5f, NULL, 0);
}

static void softmax_set(const akin_kernels *k)
{
    for (size_t n = 1; n <= LONGEST; n++) {
        check_softmax(k, n, 1.0f);
        check_softmax(k, n, 100.0f);
        check_softmax(k, n, 1000.0f); /* most terms vanish */
    }
    k->softmax_f32(NULL, 1.0f, 0);
}

static void finish_set(const akin_kernels *k)
{
    for (size_t n = 0; n <= LONGEST; n++)
        for (int a = AKIN_ACT_NONE; a <= AKIN_ACT_RELU; a++)
            for (size_t rows = 1; rows <= 3; rows++)
                check_finish(k, rows, n, (akin_activation)a, n % 2 != 0, n % 3 != 0, n % 5 == 0);
    for (size_t rows = 0; rows <= LONGEST; rows++)
        for (size_t n = 1; n <= 35; n += 17)
            check_finish(k, rows, n, AKIN_ACT_QUICK_GELU, true, true, false);
}

static void tile_set(const akin_kernels *k)
{
    for (size_t depth = 0; depth <= LONGEST; depth++)
        for (int rows = 1; rows <= k->tile_rows; rows++)
            check_tile(k, depth, rows, (depth + (size_t)rows) % 2 != 0);
}

static void convolution_set(const akin_kernels *k)
{
    for (size_t n = 0; n <= LONGEST; n++) {
        for (int count = 1; count <= k->tile_rows; count++)
            check_pack(k, n, count);
        check_winograd(k, n);
        check_mean4(k, n);
    }
}

/* Activations where their formulas change branch or run out of range. */
static void extremes_set(const akin_kernels *k)
{
    const float points[] = { 0.0f,  -0.0f,  1e-30f,  -1e-30f,  1.41421354f, -1.41421354f,
                             5.6f,  -5.6f,  20.0f,   -20.0f,   87.0f,       -87.0f,
                             89.0f, -89.0f, 1000.0f, -1000.0f, 3e38f,       -3e38f };
    enum { POINTS = sizeof points / sizeof *points };
    for (int a = AKIN_ACT_QUICK_GELU; a <= AKIN_ACT_RELU; a++) {
        const akin_epilogue e = { .activation = (akin_activation)a };
        float out[POINTS];
        k->finish_f32(points, POINTS, &e, out, POINTS, 1, POINTS);
        for (size_t i = 0; i < POINTS; i++)
            assert_close(out[i], activation((akin_activation)a, points[i]),
                         FLT_EPSILON * 6.0 * fmax(1e-30, fabs(points[i])), "extreme", k->name,
                         (size_t)a, i);
    }
}

static void test_dot(void **state) { (void)state; each_set(dot_set); }
static void test_dot_rows(void **state) { (void)state; each_set(dot_rows_set); }
static void test_layernorm(void **state) { (void)state; each_set(layernorm_set); }
static void test_softmax(void **state) { (void)state; each_set(softmax_set); }
static void test_finish(void **state) { (void)state; each_set(finish_set); }
static void test_tile(void **state) { (void)state; each_set(tile_set); }
static void test_convolution(void **state) { (void)state; each_set(convolution_set); }
static void test_extremes(void **state) { (void)state; each_set(extremes_set); }

static void test_choice(void **state)
{
    (void)state;
    const akin_kernels *k;
    akin_error err;
    assert_int_equal(akin_kernels_choose(NULL, &k, &err), AKIN_OK);
    assert_int_equal(akin_kernels_choose("", &k, &err), AKIN_OK);
    assert_int_equal(akin_kernels_choose("scalar", &k, &err), AKIN_OK);
    assert_ptr_equal(k, &akin_kernels_scalar);
    assert_int_equal(akin_kernels_choose("mmx", &k, &err), AKIN_E_ARGUMENT);
    assert_non_null(
        strstr(err.message, "AKIN_CPU=mmx: unknown instruction set; this processor runs: scalar"));
    for (size_t i = 0; i < akin_isa_count(); i++)
        if (akin_isa_at(i).lacks != NULL) {
            assert_int_equal(akin_kernels_choose(akin_isa_at(i).name, &k, &err), AKIN_E_ARGUMENT);
            assert_non_null(strstr(err.message, "lacks"));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dot),     cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_softmax), cmocka_unit_test(test_finish),
        cmocka_unit_test(test_tile),    cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_choice),  cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_dot_rows),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < akin_isa_count(); i++) {
        akin_isa_entry entry = akin_isa_at(i);
        if (entry.lacks == NULL)
            printf("isa: %-8s %s\n", entry.name, failed == 0 ? "tested" : "tested, with failures");
        else
            printf("isa: %-8s skipped: this processor lacks %s\n", entry.name, entry.lacks);
    }
    return failed;
}
