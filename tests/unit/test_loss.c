/* test_loss.c - losses and their gradients against PyTorch's (tests/golden/train/loss), on every
 * instruction set; the same bits whatever the threads; what is not finite, and what is refused. */
#include "unit.h"

#include <math.h>

#include "golden.h"
#include "train/loss.h"
#include "train_values.h"

#define GOLDEN "tests/golden/train/loss/expected.txt"

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

static float *make(uint32_t seed, size_t count)
{
    float *x = malloc((count + 1) * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = train_value(seed, i);
    return x;
}

static const char *const scalars[] = { "loss", "pair", "concept", "correct", "d_logit_scale",
                                       "d_logit_bias" };
static const char *const arrays[] = { "d_images", "d_texts", "d_prototypes" };

typedef struct sample {
    char name[64];
    akin_loss_input in;
    double tiny, tolerance, scalars[6];
    double *wanted[3], products[3][2]; /* one or the other */
    size_t counts[3];
    uint32_t *concepts, *labels;
} sample;

static uint32_t *whole_numbers(const char *text, size_t count)
{
    double *numbers = calloc(count + 1, sizeof *numbers);
    uint32_t *out = calloc(count + 1, sizeof *out);
    assert_int_equal(golden_numbers(text, numbers, count), count);
    for (size_t i = 0; i < count; i++)
        out[i] = numbers[i] < 0 ? UINT32_MAX : (uint32_t)numbers[i];
    free(numbers);
    return out;
}

static void read_line(sample *s, const golden *g)
{
    akin_loss_input *in = &s->in;
    const char *v;
    char key[64];
    for (size_t i = 0; i < 6; i++)
        if ((v = golden_value(g, scalars[i])) != NULL)
            s->scalars[i] = atof(v);
    for (size_t i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "%s_product", arrays[i]);
        if ((v = golden_value(g, key)) != NULL) {
            assert_int_equal(golden_numbers(v, s->products[i], 2), 2);
        } else if ((v = golden_value(g, arrays[i])) != NULL) {
            s->counts[i] = golden_numbers(v, NULL, 0);
            s->wanted[i] = calloc(s->counts[i], sizeof(double));
            golden_numbers(v, s->wanted[i], s->counts[i]);
        }
    }
    if ((v = golden_value(g, "objective")) != NULL)
        in->objective = v[0] == 's' ? AKIN_OBJECTIVE_SIGMOID : AKIN_OBJECTIVE_INFONCE;
    else if ((v = golden_value(g, "count")) != NULL)
        in->count = (size_t)atoi(v);
    else if ((v = golden_value(g, "dimensions")) != NULL)
        in->dimensions = (size_t)atoi(v);
    else if ((v = golden_value(g, "prototypes")) != NULL)
        in->prototype_count = (size_t)atoi(v);
    else if ((v = golden_value(g, "tiny")) != NULL)
        s->tiny = atof(v);
    else if ((v = golden_value(g, "tolerance")) != NULL)
        s->tolerance = atof(v);
    else if ((v = golden_value(g, "logit_scale")) != NULL)
        in->logit_scale = (float)atof(v);
    else if ((v = golden_value(g, "logit_bias")) != NULL)
        in->logit_bias = (float)atof(v);
    else if ((v = golden_value(g, "pair_weight")) != NULL)
        in->pair_weight = (float)atof(v);
    else if ((v = golden_value(g, "concept_weight")) != NULL)
        in->concept_weight = (float)atof(v);
    else if ((v = golden_value(g, "concept_scale")) != NULL)
        in->concept_scale = (float)atof(v);
    else if ((v = golden_value(g, "smoothing")) != NULL)
        in->smoothing = (float)atof(v);
    else if ((v = golden_value(g, "concepts")) != NULL)
        in->concepts = s->concepts = whole_numbers(v, in->count);
    else if ((v = golden_value(g, "labels")) != NULL)
        in->labels = s->labels = whole_numbers(v, in->count);
}

/* The next case; its vectors are made. False behind the last. */
static bool next(golden *g, sample *s)
{
    *s = (sample){ .in = { .pair_weight = 1.0f }, .tiny = -1.0 };
    while (golden_next(g)) {
        const char *name = golden_value(g, "case");
        if (name != NULL)
            snprintf(s->name, sizeof s->name, "%s", name);
        if (strcmp(g->line, "end") != 0) {
            read_line(s, g);
            continue;
        }
        akin_loss_input *in = &s->in;
        const size_t all = in->count * in->dimensions, d = in->dimensions;
        float *images = make(1, all), *texts = make(2, all);
        for (size_t i = 0; i < all; i++)
            texts[i] += images[i];
        for (size_t j = 0; j < d && s->tiny >= 0.0; j++)
            images[(size_t)s->tiny * d + j] *= 0x1p-45f;
        in->images = images;
        in->texts = texts;
        in->prototypes = make(3, in->prototype_count * d);
        if (in->labels == NULL && in->prototype_count > 0) { /* too many to be listed */
            s->labels = calloc(in->count, sizeof *s->labels);
            for (size_t i = 0; i < in->count; i++)
                s->labels[i] = i % 5 != 0 ? (uint32_t)(i * 7919 % in->prototype_count)
                                          : UINT32_MAX;
            in->labels = s->labels;
        }
        return true;
    }
    return false;
}

static void clear(sample *s)
{
    free((void *)(uintptr_t)s->in.images);
    free((void *)(uintptr_t)s->in.texts);
    free((void *)(uintptr_t)s->in.prototypes);
    free(s->concepts);
    free(s->labels);
    for (size_t i = 0; i < 3; i++)
        free(s->wanted[i]);
}

typedef struct result {
    akin_loss_output out;
    float *gradients[3];
    size_t counts[3];
} result;

static result run(const akin_loss_input *in, const akin_kernels *kernels, akin_pool *pool)
{
    const size_t all = in->count * in->dimensions;
    akin_arena arena;
    akin_error err;
    result r = { .counts = { all, all, in->prototype_count * in->dimensions } };
    for (size_t i = 0; i < 3; i++)
        r.gradients[i] = calloc(r.counts[i] + 1, sizeof(float));
    r.out.d_images = r.gradients[0];
    r.out.d_texts = r.gradients[1];
    r.out.d_prototypes = r.gradients[2];
    akin_arena_init(&arena);
    const akin_work work = { .kernels = kernels, .pool = pool, .arena = &arena };
    const akin_arena_mark mark = akin_arena_now(&arena);
    ok(akin_loss_run(&work, in, &r.out, &err), &err);
    assert_ptr_equal(akin_arena_now(&arena).block, mark.block);
    akin_arena_clear(&arena);
    return r;
}

static void clear_result(result *r)
{
    for (size_t i = 0; i < 3; i++)
        free(r->gradients[i]);
}

static void check_sample(const sample *s, const result *r)
{
    const akin_loss_output *o = &r->out;
    const double got[] = { o->loss,    o->pair_loss,     o->concept_loss,
                           o->correct, o->d_logit_scale, o->d_logit_bias };
    assert_true(o->first_bad == SIZE_MAX);
    for (size_t i = 0; i < 6; i++)
        if (!(fabs(got[i] - s->scalars[i]) <= 1e-9 + s->tolerance * fabs(s->scalars[i])))
            fail_msg("%s: %s is %.9g, PyTorch's %.9g", s->name, scalars[i], got[i], s->scalars[i]);
    for (size_t i = 0; i < 3; i++) {
        double largest = 0.0, worst = 0.0, product = 0.0, square = 0.0;
        for (size_t j = 0; j < s->counts[i]; j++)
            largest = fmax(largest, fabs(s->wanted[i][j]));
        if (s->wanted[i] != NULL)
            assert_int_equal(s->counts[i], r->counts[i]);
        for (size_t j = 0; j < r->counts[i]; j++) {
            const double g = r->gradients[i][j];
            worst = fmax(worst, s->wanted[i] != NULL ? fabs(g - s->wanted[i][j]) : 0.0);
            product += g * train_value(10 + (uint32_t)i, j);
            square += g * g;
        }
        if (!(worst <= 1e-9 + s->tolerance * largest))
            fail_msg("%s: %s is off by %.3g of %.3g", s->name, arrays[i], worst, largest);
        const double *p = s->products[i];
        if (p[1] != 0.0 && !(fabs(product - p[0]) <= s->tolerance * p[1] &&
                             fabs(sqrt(square) - p[1]) <= s->tolerance * p[1]))
            fail_msg("%s: %s: product %.9g for %.9g, norm %.9g for %.9g", s->name, arrays[i],
                     product, p[0], sqrt(square), p[1]);
    }
}

static void test_golden(void **state)
{
    golden g = golden_open(GOLDEN);
    akin_pool *pool;
    akin_error err;
    sample s;
    size_t cases = 0;
    (void)state;
    ok(akin_pool_new(&pool, 3, &err), &err);
    for (; next(&g, &s); cases++) {
        for (size_t isa = 0; isa < akin_isa_count(); isa++) {
            const akin_isa_entry entry = akin_isa_at(isa);
            if (entry.kernels == NULL || entry.lacks != NULL)
                continue;
            result alone = run(&s.in, entry.kernels, NULL);
            check_sample(&s, &alone);
            result threads = run(&s.in, entry.kernels, pool);
            assert_memory_equal(&alone.out.loss, &threads.out.loss, sizeof alone.out.loss);
            for (size_t i = 0; i < 3; i++)
                assert_memory_equal(alone.gradients[i], threads.gradients[i],
                                    alone.counts[i] * sizeof(float));
            clear_result(&alone);
            clear_result(&threads);
        }
        clear(&s);
    }
    assert_int_equal(cases, 12);
    golden_close(&g);
    akin_pool_free(pool);
}

enum { N = 6, D = 4, K = 3 };

/* The first pair that is not finite is named, and no prototype is touched. */
static void test_first_bad(void **state)
{
    float *images = make(1, N * D), *texts = make(2, N * D), *prototypes = make(3, K * D);
    const uint32_t labels[N] = { 0, 1, 2, 0, 1, 2 };
    akin_loss_input in = { .count = N, .dimensions = D, .images = images, .texts = texts,
                           .pair_weight = 1.0f, .concept_weight = 1.0f, .prototypes = prototypes,
                           .prototype_count = K, .labels = labels, .concept_scale = 20.0f };
    (void)state;
    images[4 * D + 1] = NAN;
    texts[3 * D] = INFINITY;
    result r = run(&in, &akin_kernels_scalar, NULL);
    assert_int_equal(r.out.first_bad, 3);
    assert_true(isnan(r.out.loss));
    clear_result(&r);
    images[4 * D + 1] = texts[3 * D] = 0.5f;
    in.logit_scale = NAN;
    r = run(&in, &akin_kernels_scalar, NULL);
    assert_int_equal(r.out.first_bad, 0);
    for (size_t i = 0; i < K * D; i++)
        assert_true(r.gradients[2][i] == 0.0f);
    clear_result(&r);
    in.logit_scale = 1.0f;
    r = run(&in, &akin_kernels_scalar, NULL);
    assert_true(r.out.first_bad == SIZE_MAX && isfinite(r.out.loss));
    clear_result(&r);
    free(images);
    free(texts);
    free(prototypes);
}

static void test_refused(void **state)
{
    float images[D] = { 1 }, texts[D] = { 1 }, prototypes[K * D] = { 1 }, d[2][D];
    const uint32_t label = K;
    akin_loss_input in = { .count = 1, .dimensions = D, .images = images, .texts = texts,
                           .concept_weight = 1.0f, .prototypes = prototypes,
                           .prototype_count = K, .labels = &label };
    akin_loss_output out = { .d_images = d[0], .d_texts = d[1] };
    akin_arena arena;
    akin_error err;
    const akin_work work = { .kernels = &akin_kernels_scalar, .arena = &arena };
    (void)state;
    akin_arena_init(&arena);
    assert_int_equal(akin_loss_run(&work, &in, &out, &err), AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "prototype 3 of 3"));
    in.count = 0;
    assert_int_equal(akin_loss_run(&work, &in, &out, &err), AKIN_E_ARGUMENT);
    akin_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_first_bad),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
