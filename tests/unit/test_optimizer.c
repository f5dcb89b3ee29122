/* test_optimizer.c - AdamW, clipping and the schedule against PyTorch's (tests/golden/train/
 * optimizer), on every instruction set; what is left alone; the same bits whatever the threads. */
#include "unit.h"

#include <math.h>

#include "golden.h"
#include "train/optimizer.h"
#include "train_values.h"

#define GOLDEN "tests/golden/train/optimizer/expected.txt"

enum { MATRIX, VECTOR, FROZEN, STATE, PRIVATE };

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s", akin_status_name(status), err->message);
}

static akin_parameters make(void)
{
    akin_parameters list = { 0 };
    akin_error err;
    akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 2, (const int64_t[]){ 7, 9 }, "matrix");
    akin_parameters_add(&list, AKIN_PARAMETER_VECTOR, 1, (const int64_t[]){ 5 }, "vector");
    akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 2, (const int64_t[]){ 3, 1 }, "frozen");
    akin_parameters_add(&list, AKIN_PARAMETER_STATE, 1, (const int64_t[]){ 4 }, "state");
    akin_parameters_add(&list, AKIN_PARAMETER_PRIVATE, 2, (const int64_t[]){ 2, 2 }, "private");
    list.items[FROZEN].frozen = true;
    ok(akin_parameters_make(&list, &err), &err);
    for (size_t p = MATRIX; p <= FROZEN; p++)
        for (size_t i = 0; i < list.items[p].count; i++)
            akin_value(&list, p)[i] = train_value(1 + (uint32_t)p, i);
    for (size_t i = 0; i < 4; i++)
        akin_value(&list, STATE)[i] = akin_value(&list, PRIVATE)[i] = 0.5f;
    return list;
}

/* PyTorch's own float32 is off by 3e-7 here. */
static void check(const akin_parameters *list, size_t p, const char *text, int step)
{
    double want[64];
    const size_t count = golden_numbers(text, want, 64);
    assert_int_equal(count, list->items[p].count);
    for (size_t i = 0; i < count; i++)
        if (!(fabs(akin_value(list, p)[i] - want[i]) <= 2e-6))
            fail_msg("step %d, %s[%zu]: %.9g, PyTorch's %.9g", step, list->items[p].name, i,
                     akin_value(list, p)[i], want[i]);
}

static akin_parameters run(const akin_kernels *kernels, akin_pool *pool)
{
    const akin_schedule schedule = { .rate = 0.02, .final_rate = 0.01, .warmup = 5, .steps = 24 };
    const akin_adamw adamw = { .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-6, .decay = 0.2 };
    const akin_work work = { .kernels = kernels, .pool = pool };
    akin_parameters list = make();
    golden g = golden_open(GOLDEN);
    const char *text;
    int step = 0;
    while (golden_next(&g)) {
        if ((text = golden_value(&g, "matrix")) != NULL)
            check(&list, MATRIX, text, step);
        else if ((text = golden_value(&g, "vector")) != NULL)
            check(&list, VECTOR, text, step);
        if ((text = golden_value(&g, "step")) == NULL)
            continue;
        double want[3];
        assert_int_equal(golden_numbers(text, want, 3), 3);
        assert_int_equal(want[0], ++step);
        for (size_t p = MATRIX; p <= VECTOR; p++)
            for (size_t i = 0; i < list.items[p].count; i++)
                akin_gradient(&list, p)[i] = train_value(99 + 100 * (uint32_t)p + (uint32_t)step,
                                                         i) *
                                             (step % 3 == 1 ? 3.0f : 0.1f);
        const double rate = akin_schedule_rate(&schedule, (uint64_t)step - 1);
        const double norm = akin_gradients_norm(&work, &list);
        assert_true(fabs(rate - want[1]) <= 1e-11 && fabs(norm - want[2]) <= 1e-6 * want[2]);
        akin_adamw_step(&work, &adamw, &list, rate, fmin(1.0, 1.0 / (norm + 1e-6)),
                        (uint64_t)step);
        for (size_t i = 0; i < list.floats; i++)
            assert_true(list.gradients[i] == 0.0f);
    }
    assert_int_equal(step, 24);
    golden_close(&g);
    assert_null(akin_gradient(&list, FROZEN));
    assert_null(akin_gradient(&list, STATE));
    for (size_t i = 0; i < 3; i++)
        assert_true(akin_value(&list, FROZEN)[i] == train_value(1 + FROZEN, i));
    for (size_t i = 0; i < 4; i++) {
        assert_true(akin_value(&list, STATE)[i] == 0.5f);
        assert_true(akin_value(&list, PRIVATE)[i] < 0.5f); /* decayed, without a gradient */
    }
    return list;
}

static void test_golden(void **state)
{
    akin_pool *pool;
    akin_error err;
    (void)state;
    ok(akin_pool_new(&pool, 3, &err), &err);
    for (size_t isa = 0; isa < akin_isa_count(); isa++) {
        const akin_isa_entry entry = akin_isa_at(isa);
        if (entry.kernels == NULL || entry.lacks != NULL)
            continue;
        akin_parameters alone = run(entry.kernels, NULL), threads = run(entry.kernels, pool);
        assert_memory_equal(alone.values, threads.values, alone.floats * sizeof(float));
        akin_parameters_clear(&alone);
        akin_parameters_clear(&threads);
    }
    akin_pool_free(pool);
}

/* Parameters that lie in several parts: the norm is that of one loop. */
static void test_norm(void **state)
{
    const akin_work work = { .kernels = &akin_kernels_scalar };
    akin_parameters list = { 0 };
    akin_error err;
    double sum = 0.0;
    (void)state;
    for (int64_t n = 1; n < 60; n++)
        akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 2, (const int64_t[]){ n, 37 }, "w%d",
                            (int)n);
    ok(akin_parameters_make(&list, &err), &err);
    list.items[30].frozen = true;
    for (size_t p = 0; p < list.count; p++)
        for (size_t i = 0; i < list.items[p].count; i++) {
            const float g = train_value((uint32_t)p, i);
            list.gradients[list.items[p].at + i] = g;
            sum += p == 30 ? 0.0 : (double)g * g;
        }
    assert_true(fabs(akin_gradients_norm(&work, &list) - sqrt(sum)) <= 1e-6 * sqrt(sum));
    akin_parameters_clear(&list);
}

static void test_schedule(void **state)
{
    const akin_schedule flat = { .rate = 1.0, .final_rate = 0.25, .warmup = 0, .steps = 10 };
    const akin_schedule brief = { .rate = 1.0, .final_rate = 0.5, .warmup = 8, .steps = 4 };
    (void)state;
    assert_true(akin_schedule_rate(&flat, 0) == 1.0);
    assert_true(fabs(akin_schedule_rate(&flat, 5) - 0.625) < 1e-15);
    assert_true(akin_schedule_rate(&flat, 10) == 0.25 && akin_schedule_rate(&flat, 99) == 0.25);
    assert_true(akin_schedule_rate(&brief, 3) == 0.5); /* still warming up */
    assert_true(akin_schedule_rate(&brief, 8) == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
