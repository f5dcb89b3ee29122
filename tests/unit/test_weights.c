/* test_weights.c - checkpoints that torch and safetensors wrote (tests/golden/weights), read whole:
 * names, dtypes, shapes, every byte and every float32 value; and the conversion on its own. */
#include "unit.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "weights/checkpoint.h"
#include "weights/tensors.h"

#define GOLDEN "tests/golden/weights/"

static akin_error err;

static void assert_ok(akin_status status)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err.path, err.message);
}

static akin_checkpoint *opened(const char *path)
{
    akin_checkpoint *c;
    assert_ok(akin_checkpoint_open(&c, path, &err));
    return c;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Element i, counted in row-major order, by walking the strides the slow way. */
static const unsigned char *element(const akin_tensor *t, size_t i)
{
    size_t offset = 0;
    for (int d = t->dims - 1; d >= 0; d--) {
        offset += i % (size_t)t->shape[d] * (size_t)t->stride[d];
        i /= (size_t)t->shape[d];
    }
    return (const unsigned char *)t->data + offset * akin_dtype_size(t->dtype);
}

static void compare_tensor(const akin_tensor *t, const akin_json *expected)
{
    assert_string_equal(akin_dtype_name(t->dtype),
                        akin_json_string(akin_json_get(expected, "dtype")));
    const akin_json *shape = akin_json_get(expected, "shape");
    assert_int_equal(t->dims, akin_json_count(shape));
    for (int i = 0; i < t->dims; i++)
        assert_int_equal(t->shape[i], akin_json_integer(akin_json_at(shape, (size_t)i)));

    size_t count = akin_tensor_count(t), item = akin_dtype_size(t->dtype);
    const char *hex = akin_json_string(akin_json_get(expected, "bytes"));
    assert_int_equal(strlen(hex), 2 * count * item);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *bytes = element(t, i);
        for (size_t j = 0; j < item; j++) {
            unsigned byte = 0;
            assert_int_equal(sscanf(hex + 2 * (i * item + j), "%2x", &byte), 1);
            assert_int_equal(bytes[j], byte);
        }
    }

    const akin_json *f32 = akin_json_get(expected, "f32");
    float *out = malloc((count + 1) * sizeof *out);
    out[count] = 42;
    if (f32 == NULL) {
        assert_int_equal(akin_tensor_to_f32(t, out, count, &err), AKIN_E_TENSOR_DTYPE);
        assert_non_null(strstr(err.message, t->name));
    } else {
        assert_ok(akin_tensor_to_f32(t, out, count, &err));
        assert_int_equal(akin_json_count(f32), count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(bits_of(out[i]), akin_json_integer(akin_json_at(f32, i)));
    }
    assert_true(out[count] == 42); /* nothing is written past the end */
    free(out);
}

static void compare(const char *path, const akin_json *expected)
{
    akin_checkpoint *c = opened(path);
    assert_int_equal(akin_checkpoint_count(c), akin_json_members(expected));
    for (size_t i = 0; i < akin_checkpoint_count(c); i++) {
        const akin_tensor *t = akin_checkpoint_at(c, i);
        if (i > 0)
            assert_true(strcmp(akin_checkpoint_at(c, i - 1)->name, t->name) < 0);
        assert_ptr_equal(akin_checkpoint_find(c, t->name), t);
        assert_non_null(akin_json_get(expected, t->name));
        compare_tensor(t, akin_json_get(expected, t->name));
    }
    assert_null(akin_checkpoint_find(c, "absent"));
    akin_checkpoint_close(c);
}

static void reference_files_read_exactly(void **state)
{
    (void)state;
    akin_json *expected;
    assert_ok(akin_json_read(GOLDEN "expected.json", 1 << 20, &expected, &err));
    const char *key;
    const akin_json *value;
    assert_int_equal(akin_json_members(expected), 12);
    for (size_t member = 0; member < akin_json_members(expected); member++) {
        key = akin_json_key(expected, member);
        value = akin_json_member(expected, member);
        char path[200];
        snprintf(path, sizeof path, GOLDEN "%s", key);
        compare(path, value);
    }
    akin_json_free(expected);
}

static void tied_weights_share_their_bytes(void **state)
{
    (void)state;
    const char *files[] = { GOLDEN "module.bin", GOLDEN "parameters.pt", GOLDEN "training.pt" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        akin_checkpoint *c = opened(files[i]);
        const akin_tensor *a = akin_checkpoint_find(c, "embed.weight");
        const akin_tensor *b = akin_checkpoint_find(c, "head.weight");
        assert_non_null(a);
        assert_non_null(b);
        assert_ptr_equal(a->data, b->data);
        akin_checkpoint_close(c);
    }
}

static void index_and_folder_give_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *index, *first;
    } kinds[] = {
        { GOLDEN "shards-safetensors", GOLDEN "shards-safetensors/model.safetensors.index.json",
          GOLDEN "shards-safetensors/model-00001-of-00002.safetensors" },
        { GOLDEN "shards-torch/", GOLDEN "shards-torch/pytorch_model.bin.index.json",
          GOLDEN "shards-torch/pytorch_model-00001-of-00002.bin" },
    };
    for (size_t i = 0; i < 2; i++) {
        akin_checkpoint *folder = opened(kinds[i].folder), *index = opened(kinds[i].index);
        assert_string_equal(akin_checkpoint_path(folder), kinds[i].index);
        assert_string_equal(akin_checkpoint_path(index), kinds[i].index);
        assert_int_equal(akin_checkpoint_count(folder), 4);
        assert_int_equal(akin_checkpoint_count(index), 4);
        assert_string_equal(akin_checkpoint_find(index, "a")->file, kinds[i].first);
        akin_checkpoint_close(folder);
        akin_checkpoint_close(index);
    }
}

static void copy(const char *from, const char *to)
{
    akin_buffer bytes;
    akin_writer w;
    assert_ok(akin_file_read(from, "test file", 1 << 20, &bytes, &err));
    assert_ok(akin_writer_open(&w, to, &err));
    assert_ok(akin_writer_add(&w, bytes.data, bytes.size, &err));
    assert_ok(akin_writer_commit(&w, &err));
    akin_buffer_clear(&bytes);
}

static void folder_prefers_as_transformers_does(void **state)
{
    (void)state;
    char dir[] = "/tmp/akin-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *safe = akin_path_join(dir, "model.safetensors"),
         *torch = akin_path_join(dir, "pytorch_model.bin");
    akin_checkpoint *c;
    assert_int_equal(akin_checkpoint_open(&c, dir, &err), AKIN_E_NOT_FOUND);
    assert_null(c);
    assert_non_null(strstr(err.message,
                           "model.safetensors, model.safetensors.index.json, pytorch_model.bin "
                           "and pytorch_model.bin.index.json"));
    copy(GOLDEN "small.pt", torch);
    c = opened(dir);
    assert_string_equal(akin_checkpoint_path(c), torch);
    assert_int_equal(akin_checkpoint_count(c), 2);
    akin_checkpoint_close(c);
    copy(GOLDEN "small.safetensors", safe);
    c = opened(dir);
    assert_string_equal(akin_checkpoint_path(c), safe);
    assert_string_equal(akin_checkpoint_at(c, 0)->file, safe);
    akin_checkpoint_close(c);
    /* What a file is, its bytes say. */
    copy(GOLDEN "small.pt", safe);
    c = opened(safe);
    assert_int_equal(akin_checkpoint_count(c), 2);
    akin_checkpoint_close(c);
    unlink(safe);
    unlink(torch);
    assert_int_equal(rmdir(dir), 0);
    free(safe);
    free(torch);
    akin_checkpoint_close(NULL);
}

/* The value of a half by its definition (IEEE 754), in double arithmetic. */
static double half_value(unsigned bits)
{
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    double value = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static void every_half_converts(void **state)
{
    (void)state;
    unsigned char bytes[3];
    akin_tensor half = { .name = "h", .file = "f", .dtype = AKIN_F16, .data = bytes + 1 };
    akin_tensor brain = { .name = "b", .file = "f", .dtype = AKIN_BF16, .data = bytes + 1 };
    for (unsigned bits = 0; bits < 65536; bits++) {
        bytes[1] = (unsigned char)bits;
        bytes[2] = (unsigned char)(bits >> 8);
        float out = 0;
        if ((bits >> 10 & 31) == 31) {
            assert_int_equal(akin_tensor_to_f32(&half, &out, 1, &err), AKIN_E_NONFINITE);
        } else {
            assert_ok(akin_tensor_to_f32(&half, &out, 1, &err));
            assert_true((double)out == half_value(bits));
            assert_int_equal(signbit(out) != 0, bits >> 15);
        }
        if ((bits >> 7 & 255) == 255) {
            assert_int_equal(akin_tensor_to_f32(&brain, &out, 1, &err), AKIN_E_NONFINITE);
        } else {
            assert_ok(akin_tensor_to_f32(&brain, &out, 1, &err));
            assert_int_equal(bits_of(out), bits << 16);
        }
    }
}

/* An integer of 0 to 127: exact in all four dtypes. */
static void store(unsigned char *to, akin_dtype dtype, unsigned value)
{
    double f64 = value;
    float f32 = (float)value;
    uint16_t bf16 = (uint16_t)(bits_of(f32) >> 16);
    /* Bias 15 instead of 127, 10 bits of fraction instead of 23. */
    uint16_t f16 = value == 0 ? 0 : (uint16_t)((bits_of(f32) >> 13) - (112u << 10));
    if (dtype == AKIN_F64)
        memcpy(to, &f64, 8);
    else if (dtype == AKIN_F32)
        memcpy(to, &f32, 4);
    else
        memcpy(to, dtype == AKIN_F16 ? &f16 : &bf16, 2);
}

/* Shapes with long and short rows, broken strides and stride 0, at an odd address, in a buffer of
 * exactly the bytes the view may touch (the address sanitizer sees one more). */
static void any_stride_converts(void **state)
{
    (void)state;
    static const struct {
        int dims;
        int64_t shape[4], stride[4];
    } views[] = {
        { 1, { 5000 }, { 1 } },
        { 1, { 2500 }, { 3 } },
        { 2, { 3, 2500 }, { 1, 3 } },
        { 2, { 2500, 3 }, { 1, 2500 } },
        { 2, { 7, 1100 }, { 1200, 1 } },
        { 3, { 2, 1, 2000 }, { 2000, 77, 1 } },
        { 3, { 4, 5, 6 }, { 30, 1, 5 } },
        { 4, { 3, 4, 5, 6 }, { 120, 30, 6, 1 } },
        { 4, { 3, 4, 5, 6 }, { 0, 30, 0, 1 } },
        { 4, { 2, 3, 2, 3 }, { 1, 2, 6, 12 } },
        { 4, { 1, 1, 1, 1 }, { 9, 9, 9, 9 } },
        { 2, { 3, 3 }, { 0, 0 } },
    };
    static const akin_dtype dtypes[] = { AKIN_F32, AKIN_F16, AKIN_BF16, AKIN_F64 };
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        for (size_t d = 0; d < 4; d++) {
            akin_tensor t = { .name = "t", .file = "f", .dtype = dtypes[d], .dims = views[v].dims };
            size_t item = akin_dtype_size(t.dtype), elements = 1;
            for (int i = 0; i < t.dims; i++) {
                t.shape[i] = views[v].shape[i];
                t.stride[i] = views[v].stride[i];
                elements += (size_t)((t.shape[i] - 1) * t.stride[i]);
            }
            unsigned char *bytes = malloc(1 + elements * item);
            t.data = bytes + 1;
            for (size_t i = 0; i < elements; i++)
                store(bytes + 1 + i * item, t.dtype, (unsigned)(i % 113));
            size_t count = akin_tensor_count(&t);
            float *out = malloc(count * sizeof *out);
            assert_ok(akin_tensor_to_f32(&t, out, count, &err));
            for (size_t i = 0; i < count; i++) {
                size_t index = (size_t)(element(&t, i) - (bytes + 1)) / item;
                assert_true(out[i] == (float)(index % 113));
            }
            assert_int_equal(akin_tensor_to_f32(&t, out, count + 1, &err), AKIN_E_ARGUMENT);
            free(out);
            free(bytes);
        }
    }
}

static void nonfinite_is_named(void **state)
{
    (void)state;
    static float source[3 * 2500], out[3 * 2500];
    akin_tensor t = { .name = "layer.weight", .file = "file", .dtype = AKIN_F32, .dims = 2,
                      .shape = { 3, 2500 }, .stride = { 2500, 1 }, .data = source };
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < 3; i++) {
        source[2500 + 1999] = bad[i];
        source[2500 + 2000] = NAN; /* the first one is named */
        assert_int_equal(akin_tensor_to_f32(&t, out, 7500, &err), AKIN_E_NONFINITE);
        assert_string_equal(err.message,
                            "tensor 'layer.weight' is NaN or infinite at [1, 1999]: the "
                            "checkpoint is damaged");
        assert_string_equal(err.path, "file");
    }
    /* The same bytes seen as [2500, 3], transposed. */
    akin_tensor turned = t;
    turned.shape[0] = 2500, turned.shape[1] = 3;
    turned.stride[0] = 1, turned.stride[1] = 2500;
    assert_int_equal(akin_tensor_to_f32(&turned, out, 7500, &err), AKIN_E_NONFINITE);
    assert_non_null(strstr(err.message, "at [1999, 1]"));
    source[2500 + 1999] = source[2500 + 2000] = FLT_MAX;
    assert_ok(akin_tensor_to_f32(&t, out, 7500, &err));

    double wide[2] = { 1, 3.5e38 };
    akin_tensor f64 = { .name = "w", .file = "f", .dtype = AKIN_F64, .dims = 1, .shape = { 2 },
                        .stride = { 1 }, .data = wide };
    assert_int_equal(akin_tensor_to_f32(&f64, out, 2, &err), AKIN_E_NONFINITE);
    assert_non_null(strstr(err.message, "past the range of float32 at [1]"));
    wide[1] = NAN;
    assert_int_equal(akin_tensor_to_f32(&f64, out, 2, &err), AKIN_E_NONFINITE);
    assert_non_null(strstr(err.message, "NaN or infinite at [1]"));
    f64.dims = 0;
    assert_ok(akin_tensor_to_f32(&f64, out, 1, &err));
    assert_true(out[0] == 1);
}

static void shapes_as_text(void **state)
{
    (void)state;
    char text[300];
    const int64_t shape[] = { 768, 3, 32, 32 };
    assert_string_equal(akin_shape_text(shape, 4, text, sizeof text), "[768, 3, 32, 32]");
    assert_string_equal(akin_shape_text(shape, 0, text, sizeof text), "[]");
    assert_string_equal(akin_shape_text(shape, 4, text, 17), "[768, 3, 32, 32]");
    assert_string_equal(akin_shape_text(shape, 4, text, 10), "[768, ...");
    const int64_t large[] = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,
                              INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX };
    assert_int_equal(strlen(akin_shape_text(large, 8, text, sizeof text)), 8 * 19 + 7 * 2 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_files_read_exactly),
        cmocka_unit_test(tied_weights_share_their_bytes),
        cmocka_unit_test(index_and_folder_give_the_same),
        cmocka_unit_test(folder_prefers_as_transformers_does),
        cmocka_unit_test(every_half_converts),
        cmocka_unit_test(any_stride_converts),
        cmocka_unit_test(nonfinite_is_named),
        cmocka_unit_test(shapes_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
