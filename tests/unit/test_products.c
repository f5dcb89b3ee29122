/* test_products.c - the products of training: every instruction set against plain loops in double,
 * the same bits for every number of threads, PyTorch's convolutions. */
#include "unit.h"

#include <math.h>

#include "golden.h"

#include "cpu/bf16.h"
#include "cpu/product_kernels.h"
#include "train/conv_grad.h"
#include "train/matrix.h"

static akin_arena arena;

static float *floats(size_t n)
{
    float *x = calloc(n > 0 ? n : 1, sizeof *x);
    assert_non_null(x);
    return x;
}

/* Numbers in (-1, 1), the same every time. */
static float *noise(size_t n, uint32_t seed)
{
    float *x = floats(n);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)seed * 0x1p-31f;
    }
    return x;
}

static double rounded(const akin_work *work, float x)
{
    return work->bf16 ? akin_round_bf16(x) : x;
}

/* Every instruction set that runs here, in both precisions, with one thread and with three. */
static void each_work(void (*test)(const akin_work *))
{
    for (size_t i = 0; i < akin_isa_count(); i++) {
        const akin_isa_entry isa = akin_isa_at(i);
        for (int j = 0; j < 4 && isa.lacks == NULL; j++) {
            akin_error err = { 0 };
            akin_pool *pool = NULL;
            if (j & 2)
                assert_int_equal(akin_pool_new(&pool, 3, &err), AKIN_OK);
            const akin_work work = { isa.kernels, pool, &arena, j & 1 };
            test(&work);
            akin_pool_free(pool);
        }
    }
}

/* Sums of n products of numbers below 1. */
static void near(double expected, float got, size_t n)
{
    const double limit = 3e-6 * (2 + sqrt((double)n));
    if (!(fabs(expected - got) <= limit))
        fail_msg("expected %.9g, got %.9g (limit %g)", expected, (double)got, limit);
}

static void try_matrix(const akin_work *work, size_t rows, size_t in, size_t out, bool transposed,
                       bool bias, bool add)
{
    akin_error err = { 0 };
    const size_t ldx = in + 3, ldy = out + 1;
    float *w = noise(in * out, 1), *b = noise(out, 2), *x = noise(rows * ldx, 3);
    float *dy = noise(rows * ldy, 4), *y = noise(rows * ldy, 5), *dx = noise(rows * ldx, 6);
    float *dw = noise(in * out, 7), *db = noise(out, 8), *dx0 = noise(rows * ldx, 6);
    float *dw0 = noise(in * out, 7), *db0 = noise(out, 8), *y0 = noise(rows * ldy, 5);
    const akin_weight weight = { w, transposed, bias ? b : NULL, in, out };
#define W(i, j) (transposed ? (i) * out + (j) : (j) * in + (i))
    assert_int_equal(akin_matrix_forward(work, &weight, x, ldx, rows, y, ldy, &err), AKIN_OK);
    assert_int_equal(akin_matrix_backward(work, &weight, x, ldx, rows, dy, ldy, dx, ldx, add, dw,
                                          bias ? db : NULL, &err), AKIN_OK);
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < out; j++) {
            double sum = bias ? b[j] : 0;
            for (size_t i = 0; i < in; i++)
                sum += rounded(work, x[r * ldx + i]) * rounded(work, w[W(i, j)]);
            near(sum, y[r * ldy + j], in);
        }
        assert_true(y[r * ldy + out] == y0[r * ldy + out]);
        for (size_t i = 0; i < in; i++) {
            double sum = add ? dx0[r * ldx + i] : 0;
            for (size_t j = 0; j < out; j++)
                sum += rounded(work, dy[r * ldy + j]) * rounded(work, w[W(i, j)]);
            near(sum, dx[r * ldx + i], out);
        }
        assert_true(dx[r * ldx + in] == dx0[r * ldx + in]);
    }
    for (size_t j = 0; j < out; j++) {
        double sum_b = db0[j];
        for (size_t r = 0; r < rows; r++)
            sum_b += dy[r * ldy + j];
        near(bias ? sum_b : db0[j], db[j], rows);
        for (size_t i = 0; i < in; i++) {
            double sum = dw0[W(i, j)];
            for (size_t r = 0; r < rows; r++)
                sum += rounded(work, x[r * ldx + i]) * rounded(work, dy[r * ldy + j]);
            near(sum, dw[W(i, j)], rows);
        }
    }
#undef W
    float *all[] = { w, b, x, dy, y, dx, dw, db, dx0, dw0, db0, y0 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void matrices(const akin_work *work)
{
    static const size_t sizes[] = { 1, 2, 3, 15, 16, 17, 31, 33, 48, 49, 67 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (size_t i = 0; i < SIZES; i++)
        for (size_t j = 0; j < SIZES; j++)
            try_matrix(work, sizes[(i + 2 * j) % SIZES], sizes[i], sizes[j], (i + j) % 2,
                       j % 3 != 0, i % 2);
    try_matrix(work, 0, 5, 7, false, true, false);
    try_matrix(work, 5, 7, 0, false, true, false);
    try_matrix(work, 5, 0, 7, false, true, false);
    try_matrix(work, 145, 509, 70, true, true, true);  /* a stride that is copied */
    try_matrix(work, 300, 40, 511, false, true, false);
    try_matrix(work, 4100, 5, 37, false, true, false); /* parts */
    try_matrix(work, 2300, 80, 9, true, true, false);  /* and blocks */
}

static void matrices_are_sums(void **state)
{
    (void)state;
    each_work(matrices);
}

static void plain(const akin_work *work)
{
    enum { M = 20, K = 37, N = 41, LD = 64 };
    akin_error err = { 0 };
    float *a = noise(M * LD, 1), *b = noise(LD * LD, 2), *c = noise(M * LD, 3);
    float *c0 = noise(M * LD, 3), *d = noise(M * LD, 4), *d0 = noise(M * LD, 4);
    float *e = noise(LD * LD, 5), *e0 = noise(LD * LD, 5);
    assert_int_equal(akin_matrix_product(work, a, LD, M, K, b, LD, false, N, c, LD, true, &err),
                     AKIN_OK);
    assert_int_equal(akin_matrix_product(work, a, LD, M, K, b, LD, true, N, d, LD, false, &err),
                     AKIN_OK);
    assert_int_equal(akin_matrix_outer(work, a, LD, K, d0, LD, N, M, e, LD, &err), AKIN_OK);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < LD; j++) {
            double sum_c = 0, sum_d = 0;
            for (size_t p = 0; p < K; p++) {
                sum_c += rounded(work, a[i * LD + p]) * rounded(work, b[j * LD + p]);
                sum_d += rounded(work, a[i * LD + p]) * rounded(work, b[p * LD + j]);
            }
            near(c0[i * LD + j] + (j < N ? sum_c : 0), c[i * LD + j], K);
            near(j < N ? sum_d : d0[i * LD + j], d[i * LD + j], K);
        }
    for (size_t i = 0; i < LD; i++)
        for (size_t j = 0; j < LD; j++) {
            double sum = e0[i * LD + j];
            for (size_t p = 0; p < M && i < K && j < N; p++)
                sum += rounded(work, a[p * LD + i]) * rounded(work, d0[p * LD + j]);
            near(sum, e[i * LD + j], M);
        }
    float *all[] = { a, b, c, c0, d, d0, e, e0 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* A result large enough to be written past the caches has the bits of a small one. */
static void streamed(const akin_work *work)
{
    enum { IN = 3, OUT = 48, ROWS = (1 << 21) / OUT + 50, PART = 1000 };
    akin_error err = { 0 };
    const akin_arena_mark mark = akin_arena_now(&arena);
    float *y = akin_arena_take(&arena, (size_t)ROWS * OUT, sizeof *y);
    float *part = akin_arena_take(&arena, (size_t)PART * OUT, sizeof *y);
    float *w = noise(IN * OUT, 1), *x = noise(ROWS * IN, 2);
    const akin_weight weight = { w, false, NULL, IN, OUT };
    assert_non_null(y);
    assert_non_null(part);
    assert_int_equal(akin_matrix_forward(work, &weight, x, IN, ROWS, y, OUT, &err), AKIN_OK);
    for (size_t i = 0; i < ROWS; i += PART) {
        const size_t n = ROWS - i < PART ? ROWS - i : PART;
        assert_int_equal(akin_matrix_forward(work, &weight, x + i * IN, IN, n, part, OUT, &err),
                         AKIN_OK);
        assert_memory_equal(y + i * OUT, part, n * OUT * sizeof *y);
    }
    free(w);
    free(x);
    akin_arena_release(&arena, mark);
}

static void streams_change_no_bit(void **state)
{
    (void)state;
    each_work(streamed);
}

static void plain_products_are_sums(void **state)
{
    (void)state;
    each_work(plain);
}

static void try_filters(const akin_work *work, size_t count, size_t height, size_t width, size_t in,
                        size_t out, size_t kernel, size_t stride)
{
    akin_error err = { 0 };
    const akin_filters bank_shape = { NULL, in, out, kernel, stride };
    const size_t oh = akin_filters_size(&bank_shape, height), k = kernel, pad = kernel / 2;
    const size_t ow = akin_filters_size(&bank_shape, width);
    const size_t weights = in * out * k * k, inputs = count * height * width * in;
    const size_t results = count * oh * ow * out;
    float *w = noise(weights, 1), *x = noise(inputs, 2), *dy = noise(results, 3);
    float *y = noise(results, 4), *dx = noise(inputs, 5), *dw = noise(weights, 6);
    float *dw0 = noise(weights, 6);
    double *ey = calloc(results, sizeof *ey), *edx = calloc(inputs, sizeof *edx);
    double *edw = calloc(weights, sizeof *edw);
    const akin_filters bank = { w, in, out, kernel, stride };
    for (size_t n = 0; n < count * oh * ow; n++)
        for (size_t t = 0; t < k * k; t++) {
            const size_t py = n / ow % oh * stride + t / k, px = n % ow * stride + t % k;
            if (py < pad || py - pad >= height || px < pad || px - pad >= width)
                continue;
            const size_t at = ((n / (oh * ow) * height + py - pad) * width + px - pad) * in;
            for (size_t o = 0; o < out; o++)
                for (size_t i = 0; i < in; i++) {
                    const size_t v = (o * in + i) * k * k + t;
                    const double rx = rounded(work, x[at + i]), rw = rounded(work, w[v]);
                    const double rdy = rounded(work, dy[n * out + o]);
                    ey[n * out + o] += rx * rw;
                    edx[at + i] += rdy * rw;
                    edw[v] += rdy * rx;
                }
        }
    assert_int_equal(akin_filters_forward(work, &bank, x, count, height, width, y, &err), AKIN_OK);
    assert_int_equal(akin_filters_backward(work, &bank, x, count, height, width, dy, dx, dw, &err),
                     AKIN_OK);
    for (size_t i = 0; i < results; i++)
        near(ey[i], y[i], in * k * k);
    for (size_t i = 0; i < inputs; i++)
        near(edx[i], dx[i], out * k * k);
    for (size_t i = 0; i < weights; i++)
        near(edw[i] + dw0[i], dw[i], results / out);
    float *all[] = { w, x, dy, y, dx, dw, dw0 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(ey);
    free(edx);
    free(edw);
}

static void filters(const akin_work *work)
{
    static const size_t channels[] = { 1, 3, 8, 12, 16, 24, 31, 33, 50 };
    enum { CHANNELS = sizeof channels / sizeof *channels };
    for (size_t i = 0; i < CHANNELS; i++)
        for (size_t stride = 1; stride <= 2; stride++) {
            const size_t out = channels[(i * 2 + stride) % CHANNELS];
            try_filters(work, 1 + i % 3, 3 + i, 11 - i, channels[i], out, 3, stride);
        }
    try_filters(work, 3, 5, 7, 20, 34, 1, 1);
    try_filters(work, 2, 1, 1, 4, 5, 3, 1);
    try_filters(work, 2, 1, 2, 4, 5, 3, 2);
    try_filters(work, 2, 40, 48, 16, 3, 3, 1);  /* strips */
    try_filters(work, 5, 31, 37, 3, 17, 3, 2);  /* parts */
    try_filters(work, 67, 6, 6, 9, 70, 3, 1);   /* and blocks */
}

static void filters_are_sums(void **state)
{
    (void)state;
    each_work(filters);
}

static void same(const golden *g, const char *name, const float *got, size_t n)
{
    double *expected = calloc(n, sizeof *expected);
    assert_non_null(golden_value(g, name));
    assert_int_equal(golden_numbers(golden_value(g, name), expected, n), n);
    for (size_t i = 0; i < n; i++)
        if (!(fabs(expected[i] - got[i]) <= 2e-6 * (1 + fabs(expected[i]))))
            fail_msg("%s[%zu]: %.9g, not %.9g", name, i, (double)got[i], expected[i]);
    free(expected);
}

/* tools/oracle/conv_grad.py */
static void torch(const akin_work *work)
{
    golden g = golden_open("tests/golden/train/conv/expected.txt");
    size_t cases = 0;
    for (; !work->bf16 && golden_next(&g); cases++) {
        akin_error err = { 0 };
        double c[7] = { 0 };
        assert_non_null(golden_value(&g, "case"));
        assert_int_equal(golden_numbers(golden_value(&g, "case"), c, 7), 7);
        const size_t count = (size_t)c[2], height = (size_t)c[3], width = (size_t)c[4];
        akin_filters bank = { NULL, (size_t)c[5], (size_t)c[6], (size_t)c[0], (size_t)c[1] };
        const size_t weights = bank.in * bank.out * bank.kernel * bank.kernel;
        const size_t inputs = count * height * width * bank.in;
        const size_t results = count * akin_filters_size(&bank, height) *
                               akin_filters_size(&bank, width) * bank.out;
        float *w = noise(weights, 1), *x = noise(inputs, 2), *dy = noise(results, 3);
        float *y = floats(results), *dx = floats(inputs), *dw = floats(weights);
        bank.w = w;
        assert_int_equal(akin_filters_forward(work, &bank, x, count, height, width, y, &err),
                         AKIN_OK);
        assert_int_equal(akin_filters_backward(work, &bank, x, count, height, width, dy, dx, dw,
                                               &err), AKIN_OK);
        assert_true(golden_next(&g));
        same(&g, "y", y, results);
        assert_true(golden_next(&g));
        same(&g, "dx", dx, inputs);
        assert_true(golden_next(&g));
        same(&g, "dw", dw, weights);
        float *all[] = { w, x, dy, y, dx, dw };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            free(all[i]);
    }
    assert_true(work->bf16 || cases > 0);
    golden_close(&g);
}

static void filters_are_those_of_torch(void **state)
{
    (void)state;
    each_work(torch);
}

/* Rounding to bf16: ties to even, infinities, NaN; the same in every set. */
static void bf16_is_rounded(void **state)
{
    (void)state;
    static const uint32_t cases[][2] = {
        { 0x3f800000, 0x3f800000 }, { 0x3f807fff, 0x3f800000 }, { 0x3f808000, 0x3f800000 },
        { 0x3f808001, 0x3f810000 }, { 0x3f818000, 0x3f820000 }, { 0x3f817fff, 0x3f810000 },
        { 0xbf818000, 0xbf820000 }, { 0x7f7fffff, 0x7f800000 }, { 0x7f800000, 0x7f800000 },
        { 0xff800000, 0xff800000 }, { 0x7fc00001, 0x7fc00000 }, { 0x7f800001, 0x7fc00000 },
        { 0, 0 }, { 0x80000000, 0x80000000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x, one = 1.0f, zero = 0.0f;
        uint32_t bits;
        memcpy(&x, &cases[i][0], sizeof x);
        const float r = akin_round_bf16(x);
        memcpy(&bits, &r, sizeof bits);
        assert_int_equal(bits, cases[i][1]);
        for (size_t j = 0; j < akin_isa_count(); j++) {
            const akin_isa_entry isa = akin_isa_at(j);
            akin_error err = { 0 };
            if (isa.lacks != NULL)
                continue;
            const akin_work work = { isa.kernels, NULL, &arena, true };
            float y[2];
            assert_int_equal(akin_matrix_product(&work, &x, 1, 1, 1, &one, 1, false, 1, y, 1, false,
                                                 &err), AKIN_OK);
            assert_true(isnan(x) ? isnan(y[0]) : y[0] == r);
            assert_int_equal(akin_matrix_outer(&work, &x, 1, 1, &one, 1, 1, 1, &zero, 1, &err),
                             AKIN_OK);
            assert_true(isnan(x) ? isnan(zero) : zero == r);
            zero = 0.0f;
        }
    }
}

/* Results of one thread and of others are the same bits. */
static void threads(const akin_work *work)
{
    enum { ROWS = 2500, IN = 100, OUT = 130, COUNT = 9, SIDE = 16, C = 20, D = 40 };
    enum { WEIGHTS = IN * OUT, FILTERS = C * D * 9, X = COUNT * SIDE * SIDE * C };
    enum { Y = COUNT * SIDE * SIDE * D };
    float *w = noise(WEIGHTS, 1), *x = noise(ROWS * IN, 2), *dy = noise(ROWS * OUT, 3);
    float *f = noise(FILTERS, 4), *p = noise(X, 5), *dq = noise(Y, 6);
    const size_t sizes[] = { ROWS * OUT, ROWS * IN, WEIGHTS, OUT, Y, X, FILTERS };
    enum { RESULTS = sizeof sizes / sizeof *sizes };
    static const int counts[] = { 1, 2, 3, 5 };
    float *got[4][RESULTS];
    for (int i = 0; i < 4; i++) {
        akin_error err = { 0 };
        akin_pool *pool = NULL;
        assert_int_equal(akin_pool_new(&pool, counts[i], &err), AKIN_OK);
        akin_work other = *work;
        other.pool = pool;
        const akin_weight weight = { w, false, NULL, IN, OUT };
        const akin_filters bank = { f, C, D, 3, 1 };
        float **g = got[i];
        for (int j = 0; j < RESULTS; j++)
            g[j] = floats(sizes[j]);
        assert_int_equal(akin_matrix_forward(&other, &weight, x, IN, ROWS, g[0], OUT, &err),
                         AKIN_OK);
        assert_int_equal(akin_matrix_backward(&other, &weight, x, IN, ROWS, dy, OUT, g[1], IN,
                                              false, g[2], g[3], &err), AKIN_OK);
        assert_int_equal(akin_filters_forward(&other, &bank, p, COUNT, SIDE, SIDE, g[4], &err),
                         AKIN_OK);
        assert_int_equal(akin_filters_backward(&other, &bank, p, COUNT, SIDE, SIDE, dq, g[5], g[6],
                                               &err), AKIN_OK);
        akin_pool_free(pool);
        for (int j = 0; i > 0 && j < RESULTS; j++)
            assert_memory_equal(g[j], got[0][j], sizes[j] * sizeof(float));
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < RESULTS; j++)
            free(got[i][j]);
    float *all[] = { w, x, dy, f, p, dq };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    each_work(threads);
}

static int start(void **state)
{
    (void)state;
    akin_arena_init(&arena);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    akin_arena_clear(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_are_sums),
        cmocka_unit_test(plain_products_are_sums),
        cmocka_unit_test(filters_are_sums),
        cmocka_unit_test(filters_are_those_of_torch),
        cmocka_unit_test(bf16_is_rounded),
        cmocka_unit_test(streams_change_no_bit),
        cmocka_unit_test(threads_change_no_bit),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
