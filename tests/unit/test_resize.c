/* test_resize.c - image/resize.c against Pillow's Image.resize (tests/golden/resize). */
#include "unit.h"

#include "base/json.h"
#include "image/resize.h"
#include "picture_golden.h"

static akin_json *golden(void)
{
    akin_json *all;
    akin_error err;
    if (akin_json_read("tests/golden/resize/resize.json", 1 << 20, &all, &err) != AKIN_OK)
        fail_msg("%s: %s", err.path, err.message);
    return all;
}

static int field(const akin_json *row, size_t i)
{
    return (int)akin_json_integer(akin_json_at(row, i));
}

static void the_published_row(void **state)
{
    (void)state;
    akin_json *all = golden();
    uint8_t line[10], out[16];
    for (int i = 0; i < 10; i++)
        line[i] = (uint8_t)(25 * i);
    size_t i;
    const akin_json *row;
    for (i = 0; i < akin_json_count(akin_json_get(all, "line")); i++) {
        row = akin_json_at(akin_json_get(all, "line"), i);
        int width = field(row, 0);
        akin_error err;
        assert_int_equal(akin_resize(line, 10, 1, 1, width, 1, (akin_filter)field(row, 1),
                                     (akin_window){ 0, 0, width, 1 }, out, 1 << 20, &err),
                         AKIN_OK);
        for (int k = 0; k < width; k++)
            assert_int_equal(out[k],
                             akin_json_integer(akin_json_at(akin_json_at(row, 2), (size_t)k)));
    }
    assert_int_equal(i, 9);
    akin_json_free(all);
    /* And by hand, so that the file cannot drift unseen. */
    static const uint8_t four[] = { 20, 80, 145, 205 };
    assert_int_equal(akin_resize(line, 10, 1, 1, 4, 1, AKIN_BICUBIC, (akin_window){ 0, 0, 4, 1 },
                                 out, 1 << 20, NULL),
                     AKIN_OK);
    assert_memory_equal(out, four, 4);
}

static uint8_t *noise(int seed, size_t size)
{
    uint8_t *in = malloc(size);
    for (size_t i = 0; i < size; i++) {
        in[i] = golden_byte((uint64_t)seed, i);
        if (seed % 4 == 0)
            in[i] = in[i] > 127 ? 255 : 0;
    }
    return in;
}

/* Whole targets against the hash, then a window of each against the whole. */
static void every_size_and_window(void **state)
{
    (void)state;
    akin_json *all = golden();
    size_t i;
    const akin_json *row;
    for (i = 0; i < akin_json_count(akin_json_get(all, "random")); i++) {
        row = akin_json_at(akin_json_get(all, "random"), i);
        int seed = field(row, 0), w = field(row, 1), h = field(row, 2), channels = field(row, 3);
        int to_w = field(row, 4), to_h = field(row, 5);
        akin_filter filter = (akin_filter)field(row, 6);
        size_t size = (size_t)to_w * (size_t)to_h * (size_t)channels;
        uint8_t *in = noise(seed, (size_t)w * (size_t)h * (size_t)channels), *out = malloc(size);
        uint8_t *part = malloc(size);
        akin_error err;
        char hash[17];
        assert_int_equal(akin_resize(in, w, h, channels, to_w, to_h, filter,
                                     (akin_window){ 0, 0, to_w, to_h }, out, 1 << 28, &err),
                         AKIN_OK);
        if (strcmp(golden_hash(out, size, hash), akin_json_string(akin_json_at(row, 7))) != 0)
            fail_msg("seed %d: %d x %d x %d to %d x %d with filter %d", seed, w, h, channels, to_w,
                     to_h, (int)filter);
        akin_window win = { to_w / 3, to_h / 4, to_w - to_w / 3 - to_w / 5,
                            to_h - to_h / 4 - to_h / 5 };
        assert_int_equal(
            akin_resize(in, w, h, channels, to_w, to_h, filter, win, part, 1 << 28, &err), AKIN_OK);
        size_t run = (size_t)win.width * (size_t)channels;
        for (int y = 0; y < win.height; y++)
            assert_memory_equal(
                part + (size_t)y * run,
                out + ((size_t)(win.y + y) * (size_t)to_w + (size_t)win.x) * (size_t)channels, run);
        free(in);
        free(out);
        free(part);
    }
    assert_int_equal(i, 324);
    akin_json_free(all);
}

/* 1 x 3000 to 224 x 672,000: only the window costs. */
static void a_window_of_a_huge_target(void **state)
{
    (void)state;
    uint8_t *in = noise(5, 3000 * 3), *out = malloc(224 * 224 * 3);
    akin_error err;
    akin_window win = { 0, 335888, 224, 224 };
    assert_int_equal(
        akin_resize(in, 1, 3000, 3, 224, 672000, AKIN_BICUBIC, win, out, 256 << 10, &err), AKIN_OK);
    /* A column of one colour stays one, whatever the row. */
    for (int y = 0; y < 224; y++)
        for (int x = 1; x < 224; x++)
            assert_memory_equal(out + (y * 224 + x) * 3, out + y * 224 * 3, 3);
    free(in);
    free(out);
}

static void refuses(void **state)
{
    (void)state;
    uint8_t in[300], out[300];
    memset(in, 0, sizeof in);
    akin_error err;
    akin_window all = { 0, 0, 5, 5 };
    assert_int_equal(akin_resize(in, 10, 10, 3, 5, 5, AKIN_BICUBIC, all, out, 1 << 16, &err),
                     AKIN_OK);
    assert_int_equal(akin_resize(in, 10, 10, 3, 5, 5, AKIN_BICUBIC, all, out, 100, &err),
                     AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "100 bytes: raise it with --max-memory"));
    assert_int_equal(akin_resize(in, 10, 10, 2, 5, 5, AKIN_BICUBIC, all, out, 1 << 16, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_resize(in, 10, 10, 3, 5, 5, (akin_filter)6, all, out, 1 << 16, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_resize(in, 0, 10, 3, 5, 5, AKIN_BOX, all, out, 1 << 16, &err),
                     AKIN_E_ARGUMENT);
    all.x = 1;
    assert_int_equal(akin_resize(in, 10, 10, 3, 5, 5, AKIN_BOX, all, out, 1 << 16, &err),
                     AKIN_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_row),
        cmocka_unit_test(every_size_and_window),
        cmocka_unit_test(a_window_of_a_huge_target),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
