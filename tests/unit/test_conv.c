/* test_conv.c - convolutions of every instruction set against plain loops in double, at odd shapes;
 * and that neither threads nor neighbours change a bit. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/conv.h"

static uint32_t seed;
static uint32_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static float *floats(size_t count)
{
    float *p = malloc((count + 1) * sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = (float)(next() >> 8) / (float)(1 << 23) - 1.0f;
    return p;
}

static akin_arena arena;

/* torch.nn.Conv2d: padding kernel / 2. One value of the result, and the sum of its terms'
 * magnitudes. */
static double reference(const akin_conv *c, const float *x, size_t height, size_t width,
                        const float *weight, size_t y, size_t x0, size_t n, double *magnitude)
{
    double sum = 0.0;
    *magnitude = 1.0;
    for (size_t i = 0; i < c->kernel; i++)
        for (size_t j = 0; j < c->kernel; j++) {
            const size_t at_y = y * c->stride + i - c->kernel / 2;
            const size_t at_x = x0 * c->stride + j - c->kernel / 2;
            if (at_y >= height || at_x >= width)
                continue;
            for (size_t k = 0; k < c->in; k++) {
                const double term = (double)x[(at_y * width + at_x) * c->in + k] *
                                    weight[((n * c->in + k) * c->kernel + i) * c->kernel + j];
                sum += term;
                *magnitude += fabs(term);
            }
        }
    return sum;
}

static void check(const akin_kernels *kernels, size_t kernel, size_t stride, size_t in, size_t out,
                  size_t count, size_t height, size_t width, bool relu, bool with_residual)
{
    akin_error err;
    akin_conv conv;
    akin_nn nn = { kernels, NULL, &arena };
    assert_int_equal(akin_conv_init(&conv, kernels, false, in, out, kernel, stride, &err), AKIN_OK);
    const size_t oh = akin_conv_size(&conv, height), ow = akin_conv_size(&conv, width);
    assert_int_equal(oh, (height + 2 * (kernel / 2) - kernel) / stride + 1);
    const size_t each = oh * ow * out, total = count * each;
    float *x = floats(count * height * width * in), *weight = floats(out * in * kernel * kernel);
    float *residual = floats(total), *y = floats(total + 3), *again = floats(total);
    for (size_t i = total; i < total + 3; i++)
        y[i] = -777.0f;
    assert_int_equal(akin_conv_set(&conv, kernels, weight, &err), AKIN_OK);
    for (size_t n = 0; n < out; n++)
        conv.weights.bias[n] = (float)n / (float)out - 0.5f;
    const akin_activation act = relu ? AKIN_ACT_RELU : AKIN_ACT_NONE;
    const float *added = with_residual && !conv.winograd ? residual : NULL;
    assert_int_equal(akin_conv_run(&nn, &conv, x, count, height, width, act, added, y, &err),
                     AKIN_OK);
    for (size_t i = 0; i < total; i++) {
        const size_t picture = i / each, n = i % out;
        double magnitude;
        double want = reference(&conv, x + picture * height * width * in, height, width, weight,
                                i % each / out / ow, i / out % ow, n, &magnitude);
        want += conv.weights.bias[n] + (added != NULL ? added[i] : 0.0f);
        if (relu)
            want = fmax(0.0, want);
        /* Winograd's sums pass through values a few times as large. */
        const double bound = FLT_EPSILON * (double)(in * kernel * kernel + 16) * magnitude;
        if (!(fabs(y[i] - want) <= bound))
            fail_msg("%s %zu x %zu stride %zu, %zu to %zu, %zu of %zu x %zu [%zu]: %.9g, "
                     "expected %.9g",
                     kernels->name, kernel, kernel, stride, in, out, count, height, width, i, y[i],
                     want);
    }
    for (size_t i = total; i < total + 3; i++)
        assert_true(y[i] == -777.0f);
    /* The last picture alone, and all on two threads. */
    assert_int_equal(akin_conv_run(&nn, &conv, x + (count - 1) * height * width * in, 1, height,
                                   width, act, added != NULL ? added + total - each : NULL, again,
                                   &err),
                     AKIN_OK);
    assert_memory_equal(again, y + total - each, each * sizeof *y);
    if (next() % 8 == 0) {
        assert_int_equal(akin_pool_new(&nn.pool, 2, &err), AKIN_OK);
        assert_int_equal(
            akin_conv_run(&nn, &conv, x, count, height, width, act, added, again, &err), AKIN_OK);
        assert_memory_equal(again, y, total * sizeof *y);
        akin_pool_free(nn.pool);
    }
    akin_conv_clear(&conv);
    free(x);
    free(weight);
    free(residual);
    free(y);
    free(again);
}

static void each_set(void (*run)(const akin_kernels *))
{
    for (size_t i = 0; i < akin_isa_count(); i++) {
        seed = 2463534242u;
        if (akin_isa_at(i).lacks == NULL)
            run(akin_isa_at(i).kernels);
    }
}

static void shapes(const akin_kernels *k)
{
    static const size_t sides[][2] = { { 1, 1 }, { 2, 3 }, { 3, 2 }, { 1, 9 }, { 8, 7 } };
    static const size_t channels[] = { 1, 3, 16, 17, 40 };
    for (size_t s = 0; s < 5; s++)
        for (size_t a = 0; a < 5; a++)
            for (size_t b = 0; b < 5; b++)
                for (int kind = 0; kind < 4; kind++)
                    check(k, kind < 2 ? 1 : 3, kind % 2 + 1, channels[a], channels[b], 1 + s % 3,
                          sides[s][0], sides[s][1], (a + b) % 2 == 0, b % 2 == 0);
}

/* Past one block of rows, of columns, of depth, of channels transformed together. */
static void large(const akin_kernels *k)
{
    check(k, 1, 1, 450, 20, 2, 5, 5, true, true);
    check(k, 1, 1, 9, 600, 1, 3, 5, true, true);
    check(k, 3, 2, 130, 9, 1, 9, 8, false, true);
    check(k, 3, 2, 3, 16, 2, 61, 33, true, false);
    check(k, 3, 1, 400, 9, 1, 5, 4, true, false);
    check(k, 3, 1, 70, 300, 1, 4, 6, false, false);
    check(k, 3, 1, 5, 7, 3, 31, 18, true, false);
}

static void test_shapes(void **state) { (void)state; each_set(shapes); }
static void test_large(void **state) { (void)state; each_set(large); }

static void test_pool2(void **state)
{
    (void)state;
    for (size_t set = 0; set < akin_isa_count(); set++) {
        const akin_nn nn = { akin_isa_at(set).kernels, NULL, &arena };
        for (size_t h = 2; h < 6 && akin_isa_at(set).lacks == NULL; h++)
            for (size_t n = 1; n < 40; n += 6) {
                const size_t w = 7 - h, oh = h / 2, ow = w / 2;
                float *x = floats(2 * h * w * n), *y = floats(2 * oh * ow * n);
                akin_pool2_run(&nn, x, 2, h, w, n, y);
                for (size_t i = 0; i < 2 * oh * ow * n; i++) {
                    const size_t c = i % n, ox = i / n % ow, oy = i / n / ow % oh;
                    const float *at = x + ((i / (oh * ow * n) * h + 2 * oy) * w + 2 * ox) * n + c;
                    assert_true(y[i] == (at[0] + at[n] + at[w * n] + at[(w + 1) * n]) * 0.25f);
                }
                free(x);
                free(y);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_pool2),
    };
    akin_arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    akin_arena_clear(&arena);
    return failed;
}
