/* test_state.c - the state of a training comes back to the bit; another model's, other options and
 * a broken file are told apart, and change nothing. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "folder.h"
#include "train/state.h"
#include "train_values.h"

static char folder[PATH_MAX], path[PATH_MAX + 16];

static int set_up(void **state)
{
    (void)state;
    if (folder_make(folder, sizeof folder, "state") != 0)
        return -1;
    snprintf(path, sizeof path, "%s/state", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

static akin_parameters make(int64_t width, const char *last, uint32_t seed)
{
    akin_parameters list = { 0 };
    akin_error err;
    akin_parameters_add(&list, AKIN_PARAMETER_MATRIX, 2, (const int64_t[]){ 3, width }, "w");
    akin_parameters_add(&list, AKIN_PARAMETER_VECTOR, 0, NULL, "scale");
    akin_parameters_add(&list, AKIN_PARAMETER_STATE, 1, (const int64_t[]){ 4 }, "mean");
    akin_parameters_add(&list, AKIN_PARAMETER_PRIVATE, 2, (const int64_t[]){ 2, 3 }, "%s", last);
    ok(akin_parameters_make(&list, &err), &err);
    for (size_t i = 0; seed != 0 && i < list.floats; i++) {
        list.values[i] = train_value(seed, i);
        list.moments1[i] = train_value(seed + 1, i) * 1e-30f;
        list.moments2[i] = train_value(seed + 2, i) * 0x1p-140f; /* subnormal */
    }
    for (size_t i = list.items[2].at; i < list.items[3].at; i++)
        list.moments1[i] = list.moments2[i] = 0.0f; /* never written */
    return list;
}

static akin_state some_state(void)
{
    akin_state state = { .step = UINT64_MAX, .seed = 42, .seconds = 0.1, .best = NAN,
                         .best_step = 7 };
    snprintf(state.options, sizeof state.options, "%064d", 17);
    return state;
}

static void test_round_trip(void **state)
{
    akin_parameters written = make(5, "prototypes", 1), read = make(5, "prototypes", 0);
    const akin_state before = some_state();
    akin_state after = { 0 };
    akin_error err;
    (void)state;
    strcpy(after.options, before.options);
    assert_int_equal(akin_state_read(path, &after, &read, &err), AKIN_E_NOT_FOUND);
    ok(akin_state_write(path, &before, &written, &err), &err);
    ok(akin_state_read(path, &after, &read, &err), &err);
    assert_memory_equal(read.values, written.values, read.floats * sizeof(float));
    assert_memory_equal(read.moments1, written.moments1, read.floats * sizeof(float));
    assert_memory_equal(read.moments2, written.moments2, read.floats * sizeof(float));
    assert_true(after.step == before.step && after.seed == 42 && after.best_step == 7);
    assert_true(after.seconds == 0.1 && isnan(after.best));
    assert_string_equal(after.options, before.options);
    akin_parameters_clear(&written);
    akin_parameters_clear(&read);
}

/* Reads the file into another list: refused, and nothing has changed. */
static void check_refused(akin_parameters list, const char *options, akin_status wanted,
                          const char *message)
{
    akin_state after = { .step = 3 };
    akin_error err;
    snprintf(after.options, sizeof after.options, "%s", options);
    assert_int_equal(akin_state_read(path, &after, &list, &err), wanted);
    if (strstr(err.message, message) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, message);
    assert_int_equal(after.step, 3);
    for (size_t i = 0; i < list.floats; i++)
        assert_true(list.values[i] == 0.0f && list.moments1[i] == 0.0f);
    akin_parameters_clear(&list);
}

static void test_refused(void **state)
{
    akin_parameters written = make(5, "prototypes", 1);
    const akin_state before = some_state();
    const char *options = before.options;
    akin_error err;
    (void)state;
    ok(akin_state_write(path, &before, &written, &err), &err);
    check_refused(make(5, "prototypes", 0), "other", AKIN_E_ARGUMENT, "other options");
    check_refused(make(6, "prototypes", 0), options, AKIN_E_TENSOR_SHAPE,
                  "'values.w' has shape [3, 5], the model [3, 6]");
    check_refused(make(5, "renamed", 0), options, AKIN_E_TENSOR_MISSING, "'values.renamed'");
    akin_parameters fewer = { 0 };
    akin_parameters_add(&fewer, AKIN_PARAMETER_VECTOR, 0, NULL, "scale");
    ok(akin_parameters_make(&fewer, &err), &err);
    check_refused(fewer, options, AKIN_E_TENSOR_EXTRA, "10 tensors, the model has 3");
    akin_parameters_clear(&written);
}

/* The file cut at any byte, or with a byte of its header changed, is refused or read; never a
 * crash. */
static void test_broken(void **state)
{
    akin_parameters list = make(5, "prototypes", 1);
    akin_state before = some_state();
    akin_buffer file;
    akin_error err;
    (void)state;
    ok(akin_state_write(path, &before, &list, &err), &err);
    ok(akin_file_read(path, "state", 1 << 20, &file, &err), &err);
    size_t refused = 0;
    for (size_t i = 0; i < file.size; i += 1 + i / 64) {
        FILE *f = fopen(path, "wb");
        assert_int_equal(fwrite(file.data, 1, i, f), i);
        fclose(f);
        assert_int_not_equal(akin_state_read(path, &before, &list, &err), AKIN_OK);
        f = fopen(path, "wb");
        file.data[i] ^= 0x15;
        assert_int_equal(fwrite(file.data, 1, file.size, f), file.size);
        fclose(f);
        file.data[i] ^= 0x15;
        akin_state after = some_state();
        refused += akin_state_read(path, &after, &list, &err) != AKIN_OK;
    }
    assert_true(refused > 50);
    akin_buffer_clear(&file);
    akin_parameters_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
