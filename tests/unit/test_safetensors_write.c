/* test_safetensors_write.c - the bytes that the reference writer makes (tests/golden/train/
 * safetensors), read back; what is refused leaves the old file as it was. */
#include "unit.h"

#include <math.h>
#include <sys/resource.h>
#include <signal.h>

#include "base/file.h"
#include "folder.h"
#include "golden.h"
#include "train_values.h"
#include "weights/safetensors_write.h"

#define REFERENCE "tests/golden/train/safetensors/reference.safetensors"

static char folder[PATH_MAX], path[PATH_MAX + 16];

static int set_up(void **state)
{
    (void)state;
    if (folder_make(folder, sizeof folder, "safetensors") != 0)
        return -1;
    snprintf(path, sizeof path, "%s/x", folder);
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

static void test_reference(void **state)
{
    static const float first[] = { 0.0f, -0.0f, 65504.0f, 65519.0f, 1e-8f, 6e-8f, -6.1e-5f, 2049 };
    static const int64_t counter = 0, numbers[] = { 1, -2, 3, INT64_C(1) << 40 };
    float scalar = train_value(1, 0), matrix[12], halves[5000];
    akin_buffer got, want;
    akin_error err;
    (void)state;
    for (size_t i = 0; i < 12; i++)
        matrix[i] = train_value(2, i);
    for (size_t i = 0; i < 5000; i++)
        halves[i] = i < 8 ? first[i] : train_value(3, i);
    const akin_tensor_out tensors[] = {
        { "counter", AKIN_I64, 0, { 0 }, &counter },
        { "numbers", AKIN_I64, 2, { 2, 2 }, numbers },
        { "a.scalar", AKIN_F32, 0, { 0 }, &scalar },
        { "b.matrix", AKIN_F32, 2, { 3, 4 }, matrix },
        { "c.empty", AKIN_F32, 2, { 0, 7 }, matrix },
        { "half \"quoted\"", AKIN_F16, 2, { 50, 100 }, halves },
    };
    ok(akin_safetensors_write(path, tensors, 6, NULL, &err), &err);
    ok(akin_file_read(path, "file", 1 << 20, &got, &err), &err);
    ok(akin_file_read(REFERENCE, "file", 1 << 20, &want, &err), &err);
    assert_int_equal(got.size, want.size);
    assert_memory_equal(got.data, want.data, got.size);
    akin_buffer_clear(&got);
    akin_buffer_clear(&want);

    akin_checkpoint *checkpoint;
    float read[12];
    ok(akin_checkpoint_open(&checkpoint, path, &err), &err);
    assert_int_equal(akin_checkpoint_count(checkpoint), 6);
    const akin_tensor *tensor = akin_checkpoint_find(checkpoint, "b.matrix");
    ok(akin_tensor_to_f32(tensor, read, 12, &err), &err);
    assert_memory_equal(read, matrix, sizeof matrix);
    akin_checkpoint_close(checkpoint);
}

/* Keys and values are escaped, and the file is one that is read. */
static void test_metadata(void **state)
{
    const char *const metadata[] = { "step", "12", "a\"b\\", "\n\x01", NULL };
    const float x = 1.5f;
    const akin_tensor_out tensor = { "x", AKIN_F32, 0, { 0 }, &x };
    akin_checkpoint *checkpoint;
    akin_buffer got;
    akin_error err;
    (void)state;
    ok(akin_safetensors_write(path, &tensor, 1, metadata, &err), &err);
    ok(akin_file_read(path, "file", 1 << 20, &got, &err), &err);
    assert_int_equal(got.size % 8, 4); /* a float behind what is padded */
    assert_non_null(strstr(got.data + 8, "{\"__metadata__\":{\"format\":\"pt\",\"step\":\"12\","
                                         "\"a\\\"b\\\\\":\"\\u000a\\u0001\"},\"x\":"));
    akin_buffer_clear(&got);
    ok(akin_checkpoint_open(&checkpoint, path, &err), &err);
    akin_checkpoint_close(checkpoint);
}

/* Writes x to the file, tries a tensor that is refused, and looks whether x is still there. */
static void check_refused(const akin_tensor_out *tensors, size_t count, akin_status wanted,
                          const char *message)
{
    const float x = 1.5f;
    const akin_tensor_out good = { "x", AKIN_F32, 0, { 0 }, &x };
    akin_buffer before, after;
    akin_error err;
    ok(akin_safetensors_write(path, &good, 1, NULL, &err), &err);
    ok(akin_file_read(path, "file", 1 << 20, &before, &err), &err);
    assert_int_equal(akin_safetensors_write(path, tensors, count, NULL, &err), wanted);
    if (strstr(err.message, message) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, message);
    ok(akin_file_read(path, "file", 1 << 20, &after, &err), &err);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, after.size);
    akin_buffer_clear(&before);
    akin_buffer_clear(&after);
}

static void test_refused(void **state)
{
    static float x[5000];
    (void)state;
    akin_tensor_out t[] = { { "x.w", AKIN_F32, 1, { 5000 }, x }, { "y", AKIN_F32, 0, { 0 }, x } };
    x[4999] = NAN;
    check_refused(t, 2, AKIN_E_NONFINITE, "'x.w': element 4999 is");
    x[4999] = -INFINITY;
    check_refused(t, 2, AKIN_E_NONFINITE, "'x.w': element 4999 is -inf");
    x[4999] = 65520.0f;
    t[0].dtype = AKIN_F16;
    check_refused(t, 2, AKIN_E_NONFINITE, "element 4999 is 65520, which half precision");
    x[4999] = 0.0f;
    t[1].name = "x.w";
    check_refused(t, 2, AKIN_E_ARGUMENT, "two tensors are called 'x.w'");
    t[1].name = "";
    check_refused(t, 2, AKIN_E_ARGUMENT, "may be");
    t[1].name = "__metadata__";
    check_refused(t, 2, AKIN_E_ARGUMENT, "__metadata__");
    t[1] = (akin_tensor_out){ "y", AKIN_BF16, 0, { 0 }, x };
    check_refused(t, 2, AKIN_E_ARGUMENT, "'y' has a type or shape");
    t[1] = (akin_tensor_out){ "y", AKIN_F32, 1, { -1 }, x };
    check_refused(t, 2, AKIN_E_ARGUMENT, "'y' has a type or shape");
    t[1] = (akin_tensor_out){ "y", AKIN_F32, 3, { INT64_MAX, 3, 2 }, x };
    check_refused(t, 2, AKIN_E_ARGUMENT, "'y' has a type or shape");
}

/* A disk that is full: files may not grow past 4 KB. */
static void test_full(void **state)
{
    static float x[5000];
    struct rlimit old, small;
    const akin_tensor_out t = { "x", AKIN_F32, 1, { 5000 }, x };
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    check_refused(&t, 1, AKIN_E_IO, "");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, handler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metadata, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
