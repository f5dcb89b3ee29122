/* test_parameters.c - the list of parameters and its blocks. */
#include "unit.h"

#include <string.h>

#include "train/parameters.h"

static void test_layout(void **state)
{
    akin_parameters list = { 0 };
    akin_error err;
    (void)state;
    const size_t scale = akin_parameters_add(&list, AKIN_PARAMETER_VECTOR, 0, NULL, "scale");
    const size_t q = akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 2, (const int64_t[]){ 3, 5 },
                                         "layer.%d.%s", 7, "q");
    const size_t k = akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 2, (const int64_t[]){ 3, 5 },
                                         "k");
    const size_t mean = akin_parameters_add(&list, AKIN_PARAMETER_STATE, 1,
                                            (const int64_t[]){ 4 }, "mean");
    assert_int_equal(list.status, AKIN_OK);
    assert_null(list.values);
    assert_int_equal(akin_parameters_make(&list, &err), AKIN_OK);
    assert_int_equal(list.floats, 1 + 15 + 15 + 4);
    assert_int_equal(list.items[scale].count, 1);
    assert_ptr_equal(akin_value(&list, q) + 15, akin_value(&list, k));
    assert_ptr_equal(akin_gradient(&list, q) + 15, akin_gradient(&list, k));
    assert_null(akin_gradient(&list, mean));
    list.items[q].frozen = true;
    assert_null(akin_gradient(&list, q));
    assert_int_equal(akin_parameters_find(&list, "layer.7.q"), q);
    assert_true(akin_parameters_find(&list, "layer.7") == SIZE_MAX);
    for (size_t i = 0; i < list.floats; i++)
        assert_true(list.values[i] == 0.0f && list.gradients[i] == 0.0f &&
                    list.moments1[i] == 0.0f && list.moments2[i] == 0.0f);
    akin_parameters_add(&list, AKIN_PARAMETER_VECTOR, 0, NULL, "late");
    assert_int_equal(list.status, AKIN_E_LIMIT);
    akin_parameters_clear(&list);
    assert_int_equal(list.count, 0);
}

static void check_refused(const int64_t shape[4], const char *name)
{
    akin_parameters list = { 0 };
    akin_error err;
    akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 4, shape, "%s", name);
    assert_int_equal(list.status, AKIN_E_LIMIT);
    akin_parameters_add(&list, AKIN_PARAMETER_VECTOR, 0, NULL, "good"); /* changes nothing */
    assert_int_equal(akin_parameters_make(&list, &err), AKIN_E_LIMIT);
    assert_null(list.values);
    akin_parameters_clear(&list);
}

static void test_refused(void **state)
{
    char name[200];
    (void)state;
    memset(name, 'x', sizeof name);
    name[120] = '\0';
    check_refused((const int64_t[]){ 1, 1, 1, 1 }, name);
    check_refused((const int64_t[]){ INT64_MAX, 4, 1, 1 }, "large");
    check_refused((const int64_t[]){ 1, 1, -1, 1 }, "negative");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
