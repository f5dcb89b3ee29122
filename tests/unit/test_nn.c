/* test_nn.c - products, attention and encoders of every instruction set against plain C in double;
 * and that neither threads nor neighbours change a bit. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "nn/linear.h"
#include "nn/matmul.h"
#include "nn/transformer.h"

static uint32_t seed;
static uint32_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

static float uniform(void)
{
    return (float)(next() >> 8) / (float)(1 << 23) - 1.0f;
}

static float *floats(size_t count, float scale)
{
    float *p = malloc((count + 1) * sizeof *p);
    for (size_t i = 0; i < count; i++)
        p[i] = uniform() * scale;
    return p;
}

static akin_arena arena;

static akin_nn single(const akin_kernels *k)
{
    return (akin_nn){ k, NULL, &arena };
}

/* y = x W^T + b + residual at strides wider than the rows, checked in double. */
static void check_linear(const akin_nn *nn, size_t m, size_t n, size_t k)
{
    akin_error err;
    akin_linear linear;
    const size_t ldx = k + 1, ldy = n + 3;
    float *x = floats(m * ldx, 1.0f), *w = floats(n * k, 1.0f), *residual = floats(m * n, 1.0f);
    float *y = floats(m * ldy, 0.0f);
    for (size_t i = 0; i < m * ldy; i++)
        y[i] = -777.0f;
    assert_int_equal(akin_linear_init(&linear, nn->kernels, false, k, n, true, &err), AKIN_OK);
    /* Rows set in two parts, as query, key and value are. */
    akin_linear_set(&linear, nn->kernels, w, 0, n / 3);
    akin_linear_set(&linear, nn->kernels, w + n / 3 * k, n / 3, n - n / 3);
    for (size_t j = 0; j < n; j++)
        linear.bias[j] = uniform();
    assert_int_equal(
        akin_linear_run(nn, &linear, x, ldx, m, NULL, AKIN_ACT_NONE, residual, n, y, ldy, &err),
        AKIN_OK);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double want = (double)linear.bias[j] + residual[i * n + j],
                   magnitude = fabs(want) + 2.0;
            for (size_t p = 0; p < k; p++) {
                const double term = (double)x[i * ldx + p] * w[j * k + p];
                want += term;
                magnitude += fabs(term);
            }
            if (!(fabs(y[i * ldy + j] - want) <= FLT_EPSILON * (double)(k + 4) * magnitude))
                fail_msg("%s m %zu n %zu k %zu [%zu, %zu]: %.9g, expected %.9g", nn->kernels->name,
                         m, n, k, i, j, y[i * ldy + j], want);
        }
        for (size_t j = n; j < ldy; j++)
            assert_true(y[i * ldy + j] == -777.0f);
    }
    akin_linear_clear(&linear);
    free(x);
    free(w);
    free(residual);
    free(y);
}

static void each_set(void (*check)(const akin_nn *))
{
    for (size_t i = 0; i < akin_isa_count(); i++) {
        akin_isa_entry entry = akin_isa_at(i);
        if (entry.lacks != NULL)
            continue;
        seed = 2463534242u;
        akin_nn nn = single(entry.kernels);
        check(&nn);
    }
}

static void linear_sizes(const akin_nn *nn)
{
    static const size_t others[] = { 1, 7, 33 };
    for (size_t d = 0; d <= 300; d++)
        for (size_t a = 0; a < 3; a++)
            for (size_t b = 0; b < 3; b++) {
                check_linear(nn, d, others[a], others[b]);
                check_linear(nn, others[a], d, others[b]);
                check_linear(nn, others[a], others[b], d);
            }
}

static void linear_random(const akin_nn *nn)
{
    for (int i = 0; i < 2000; i++) {
        /* Mostly small, now and then past a block of rows, columns or depth. */
        const size_t m = next() % 40, n = next() % 70, k = next() % 60;
        const uint32_t kind = next() % 20;
        check_linear(nn, kind == 0 ? m + 230 : m, kind == 1 ? n + 600 : n, kind == 2 ? k + 800 : k);
    }
}

static void test_linear_sizes(void **state) { (void)state; each_set(linear_sizes); }
static void test_linear_random(void **state) { (void)state; each_set(linear_random); }

/* ---- Attention ------------------------------------------------------------------------------ */

static void attention_reference(const float *qkv, size_t d, size_t heads, const akin_span *span,
                                bool causal, double *out /* [query_count, d] */)
{
    const size_t width = d / heads, ld = 3 * d;
    double *p = malloc((span->length + 1) * sizeof *p);
    for (size_t h = 0; h < heads; h++)
        for (size_t r = 0; r < span->query_count; r++) {
            const size_t at = span->query_first + r, visible = causal ? at + 1 : span->length;
            double top = -INFINITY, sum = 0.0;
            for (size_t s = 0; s < visible; s++) {
                p[s] = 0.0;
                for (size_t j = 0; j < width; j++)
                    p[s] += (double)qkv[(span->start + at) * ld + h * width + j] *
                            qkv[(span->start + s) * ld + d + h * width + j];
                p[s] /= sqrt((double)width);
                top = fmax(top, p[s]);
            }
            for (size_t s = 0; s < visible; s++)
                sum += p[s] = exp(p[s] - top);
            for (size_t j = 0; j < width; j++) {
                double v = 0.0;
                for (size_t s = 0; s < visible; s++)
                    v += p[s] / sum * qkv[(span->start + s) * ld + 2 * d + h * width + j];
                out[r * d + h * width + j] = v;
            }
        }
    free(p);
}

/* Two sequences, of length `length` and about half of it; the second is asked at one position
 * only. */
static void check_attention(const akin_nn *nn, size_t length, size_t width, size_t heads,
                            bool causal)
{
    const size_t d = heads * width, a = length, b = a / 2 + 1;
    const akin_span spans[] = { { 0, a, 0, a, 0 }, { a, b, b - 1, 1, a } };
    float *qkv = floats((a + b) * 3 * d, 1.5f), *out = floats((a + 1) * d, 0.0f);
    double *want = malloc((a + 1) * d * sizeof *want);
    akin_error err;
    assert_int_equal(akin_attention_run(nn, qkv, d, heads, spans, 2, causal, out, &err), AKIN_OK);
    attention_reference(qkv, d, heads, &spans[0], causal, want);
    attention_reference(qkv, d, heads, &spans[1], causal, want + a * d);
    for (size_t i = 0; i < (a + 1) * d; i++)
        if (!(fabs(out[i] - want[i]) < 1e-5))
            fail_msg("%s length %zu width %zu [%zu]: %.9g, expected %.9g", nn->kernels->name, a,
                     width, i, out[i], want[i]);
    free(qkv);
    free(out);
    free(want);
}

static void attention_sizes(const akin_nn *nn)
{
    static const size_t lengths[] = { 1, 17, 50 };
    static const size_t widths[] = { 1, 12, 33 };
    for (size_t n = 1; n <= 300; n++)
        for (size_t i = 0; i < 3; i++) {
            if (n <= 150 || n % 10 == 7) /* the reference's time grows with the square */
                check_attention(nn, n, widths[i], 1 + n % 2, n % 3 != 0);
            check_attention(nn, lengths[i], n, 1, n % 2 != 0);
        }
    check_attention(nn, 77, 64, 8,
                    true); /* as published: text and picture towers, heads of H, g, bigG */
    check_attention(nn, 257, 80, 2, false);
    check_attention(nn, 257, 88, 2, false);
    check_attention(nn, 577, 104, 1, false);
}

static void test_attention(void **state) { (void)state; each_set(attention_sizes); }

/* ---- The same bits --------------------------------------------------------------------------- */

static akin_norm make_norm(size_t n)
{
    return (akin_norm){ floats(n, 1.0f), floats(n, 1.0f), 1e-5f };
}

static void make_linear(akin_linear *linear, const akin_kernels *k, size_t in, size_t out)
{
    akin_error err;
    float *w = floats(in * out, 0.2f);
    assert_int_equal(akin_linear_init(linear, k, false, in, out, true, &err), AKIN_OK);
    akin_linear_set(linear, k, w, 0, out);
    for (size_t i = 0; i < out; i++)
        linear->bias[i] = uniform();
    free(w);
}

static void encoder_bits(const akin_nn *one)
{
    enum { D = 36, HEADS = 3, HIDDEN = 50, LAYERS = 2, SEQUENCES = 40 };
    akin_encoder_layer layers[LAYERS];
    for (int l = 0; l < LAYERS; l++) {
        layers[l].norm1 = make_norm(D);
        layers[l].norm2 = make_norm(D);
        make_linear(&layers[l].qkv, one->kernels, D, 3 * D);
        make_linear(&layers[l].out, one->kernels, D, D);
        make_linear(&layers[l].fc1, one->kernels, D, HIDDEN);
        make_linear(&layers[l].fc2, one->kernels, HIDDEN, D);
    }
    const akin_encoder encoder = { D, HEADS, HIDDEN, AKIN_ACT_GELU, true, LAYERS, layers };
    size_t starts[SEQUENCES + 1] = { 0 }, pooled[SEQUENCES];
    for (size_t s = 0; s < SEQUENCES; s++) {
        const size_t length = 1 + next() % 30;
        starts[s + 1] = starts[s] + length;
        pooled[s] = next() % length;
    }
    float *x = floats(starts[SEQUENCES] * D, 1.0f),
          *copy = malloc(starts[SEQUENCES] * D * sizeof *x);
    float all[SEQUENCES * D], other[SEQUENCES * D];
    akin_error err;
    memcpy(copy, x, starts[SEQUENCES] * D * sizeof *x);
    assert_int_equal(akin_encoder_run(one, &encoder, copy, starts, pooled, SEQUENCES, all, &err),
                     AKIN_OK);
    for (int threads = 2; threads <= 3; threads++) {
        akin_nn many = *one;
        assert_int_equal(akin_pool_new(&many.pool, threads, &err), AKIN_OK);
        memcpy(copy, x, starts[SEQUENCES] * D * sizeof *x);
        assert_int_equal(
            akin_encoder_run(&many, &encoder, copy, starts, pooled, SEQUENCES, other, &err),
            AKIN_OK);
        assert_memory_equal(all, other, sizeof all);
        akin_pool_free(many.pool);
    }
    for (size_t s = 0; s < SEQUENCES; s++) { /* each alone */
        const size_t own[] = { 0, starts[s + 1] - starts[s] };
        memcpy(copy, x + starts[s] * D, own[1] * D * sizeof *x);
        assert_int_equal(akin_encoder_run(one, &encoder, copy, own, &pooled[s], 1, other, &err),
                         AKIN_OK);
        assert_memory_equal(all + s * D, other, D * sizeof *other);
    }
    for (int l = 0; l < LAYERS; l++) {
        free(layers[l].norm1.weight);
        free(layers[l].norm1.bias);
        free(layers[l].norm2.weight);
        free(layers[l].norm2.bias);
        akin_linear_clear(&layers[l].qkv);
        akin_linear_clear(&layers[l].out);
        akin_linear_clear(&layers[l].fc1);
        akin_linear_clear(&layers[l].fc2);
    }
    free(x);
    free(copy);
}

static void test_encoder_bits(void **state) { (void)state; each_set(encoder_bits); }

static void test_bf16_rounding(void **state)
{
    (void)state;
    const struct {
        uint32_t in, out;
    } cases[] = {
        { 0x3f800000, 0x3f800000 }, { 0x3f808000, 0x3f800000 }, /* tie to even, down */
        { 0x3f818000, 0x3f820000 },                             /* tie to even, up */
        { 0x3f808001, 0x3f810000 }, { 0x3f807fff, 0x3f800000 },
        { 0x80000001, 0x80000000 }, { 0x7f7fffff, 0x7f800000 }, /* past the largest: infinity */
        { 0x7f800000, 0x7f800000 }, { 0xff800000, 0xff800000 },
        { 0x7f800001, 0x7f800001 }, /* NaN stays */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float x;
        uint32_t out;
        memcpy(&x, &cases[i].in, sizeof x);
        akin_round_bf16(&x, 1);
        memcpy(&out, &x, sizeof out);
        assert_int_equal(out, cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_sizes), cmocka_unit_test(test_linear_random),
        cmocka_unit_test(test_attention),    cmocka_unit_test(test_encoder_bits),
        cmocka_unit_test(test_bf16_rounding),
    };
    akin_arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    akin_arena_clear(&arena);
    return failed;
}
