/* test_json.c - our JSON reader against jansson: what is accepted, and every value of it. */
#include "unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"

/* Both trees are the same, order of members included. */
static bool same(const akin_json *ours, json_t *theirs)
{
    switch (json_typeof(theirs)) {
    case JSON_NULL: return akin_json_is_null(ours);
    case JSON_TRUE: return akin_json_is_true(ours) && !akin_json_is_false(ours);
    case JSON_FALSE: return akin_json_is_false(ours) && akin_json_is_bool(ours);
    case JSON_INTEGER:
        return akin_json_is_integer(ours) && akin_json_integer(ours) == json_integer_value(theirs);
    case JSON_REAL: {
        const double a = akin_json_double(ours), b = json_real_value(theirs);
        return !akin_json_is_integer(ours) && memcmp(&a, &b, sizeof a) == 0;
    }
    case JSON_STRING:
        return akin_json_string_size(ours) == json_string_length(theirs) &&
               akin_json_is_string(ours) &&
               strcmp(akin_json_string(ours), json_string_value(theirs)) == 0;
    case JSON_ARRAY:
        if (!akin_json_is_array(ours) || akin_json_count(ours) != json_array_size(theirs))
            return false;
        for (size_t i = 0; i < json_array_size(theirs); i++)
            if (!same(akin_json_at(ours, i), json_array_get(theirs, i)))
                return false;
        return true;
    default:
        break;
    }
    size_t i = 0;
    const char *key;
    json_t *value;
    if (!akin_json_is_object(ours) || akin_json_members(ours) != json_object_size(theirs))
        return false;
    json_object_foreach(theirs, key, value) {
        if (akin_json_get(ours, key) != akin_json_member(ours, i) ||
            strcmp(akin_json_key(ours, i), key) != 0 || !same(akin_json_member(ours, i), value))
            return false;
        i++;
    }
    return akin_json_get(ours, "\x7f not a key") == NULL;
}

/* Numbers past 64 bits are reals here, and errors there; two keys of which one is cut by a NUL escape
 * cannot be in either. */
static bool known_difference(const json_error_t *why)
{
    return strstr(why->text, "too big integer") != NULL ||
           strstr(why->text, "too big negative integer") != NULL ||
           strstr(why->text, "maximum parsing depth") != NULL;
}

static void compare(const char *text, size_t size)
{
    json_error_t why;
    akin_error err;
    akin_json *ours;
    json_t *theirs = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    akin_status status = akin_json_parse(text, size, "f", &ours, &err);
    if (theirs != NULL && status != AKIN_OK)
        fail_msg("refused (%s): %.*s", err.message, (int)size, text);
    if (theirs == NULL && status == AKIN_OK && !known_difference(&why))
        fail_msg("accepted, though %s: %.*s", why.text, (int)size, text);
    if (theirs != NULL && !same(ours, theirs))
        fail_msg("read otherwise: %.*s", (int)size, text);
    json_decref(theirs);
    akin_json_free(ours);
}

static void values(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null", "true", "false", "0", "-0", "-0.0", "1", "-1", "01", "-", "+1", "1.", ".5", "1.5",
        "1e5", "1E+5", "1e-5", "1e", "1e+", "1.5e300", "1e400", "-1e400", "1e-400", "4.9e-324",
        "9223372036854775807", "-9223372036854775807", "-9223372036854775808",
        "9223372036854775808", "0.1", "0.48145466", "0.26862954", "0.00392156862745098",
        "0.30000000000000004", "123456789012345678901234567890.5", "9007199254740993.0",
        "2.2250738585072011e-308", "1000000000000000000000000000000", "1e22", "1e23", "8.5e22",
        "\"\"", "\"a\"", "\"\\n\\t\\\\\\/\\\"\\b\\f\\r\"", "\"\\u00e9\"", "\"\\ud83d\\ude42\"",
        "\"\\ud83d\"", "\"\\ude42\"", "\"\\ud83d\\u0041\"", "\"\\u0000\"", "\"\\x\"", "\"\\u12g4\"",
        "\"\n\"", "\"\t\"", "\"\x7f\"", "\"\xc3\xa9\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"", "\"a",
        "[]", "[ ]", "[1]", "[1,]", "[,1]", "[1 2]", "[1,2", "]", "[1]]", "[[],[[]],{}]", "{}",
        "{\"a\":1}", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":}", "{\"a\":1 \"b\":2}",
        "{\"a\":1,\"a\":2}", "{\"a\":{\"a\":{\"a\":[{\"a\":null}]}}}", "{\"\":0}", "{\"a\":1}}",
        "nul", "nulll", "True", "NaN", "Infinity", " \t\r\n 1 \t\r\n ", "1 1", "\xef\xbb\xbf{}",
        "", " ", "/**/1", "'a'", "[1}", "{\"a\":1]", "[\"a\":1]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        compare(texts[i], strlen(texts[i]));
    compare("[1]\0", 4);
    compare("\"a\0b\"", 5);
}

static void large_objects_are_searched_and_checked(void **state)
{
    (void)state;
    enum { KEYS = 3000 };
    akin_buffer text;
    akin_buffer_init(&text, "test", 1 << 20);
    for (int twice = 0; twice < 2; twice++) {
        text.size = 0;
        akin_buffer_add(&text, "{", 1, NULL);
        for (int i = 0; i < KEYS + twice; i++) {
            char member[40];
            snprintf(member, sizeof member, "%s\"k%d\":[%d,{\"k\":%d}]", i != 0 ? "," : "",
                     i * 7919 % KEYS, i, i);
            akin_buffer_add(&text, member, strlen(member), NULL);
        }
        akin_buffer_add(&text, "}", 1, NULL);
        compare(text.data, text.size);
    }
    akin_json *json;
    akin_error err;
    assert_int_equal(akin_json_parse(text.data, text.size, "f", &json, &err), AKIN_E_FORMAT);
    assert_string_equal(err.message, "not valid JSON: duplicate object key 'k0'");
    akin_buffer_clear(&text);
}

static void places_are_named(void **state)
{
    (void)state;
    akin_json *json;
    akin_error err;
    const char text[] = "{\n  \"a\": 1,\n  \"b\" 2}";
    assert_int_equal(akin_json_parse(text, strlen(text), "f", &json, &err), AKIN_E_FORMAT);
    assert_string_equal(err.message, "not valid JSON: ':' is expected at line 3 column 7");
    assert_null(json);
    assert_int_equal(akin_json_kind_of(NULL), AKIN_JSON_NULL);
    assert_false(akin_json_is_null(NULL));
    assert_null(akin_json_get(NULL, "a"));
    assert_null(akin_json_string(NULL));
}

/* A million brackets, and a nesting at the limit and past it. */
static void depth_is_limited(void **state)
{
    (void)state;
    enum { DEEP = 1000000 };
    akin_json *json;
    akin_error err;
    char *text = malloc(DEEP);
    memset(text, '[', DEEP);
    assert_int_equal(akin_json_parse(text, DEEP, "f", &json, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "depth of 1,000"));
    memset(text + 1000, ']', 1000);
    assert_int_equal(akin_json_parse(text, 2000, "f", &json, &err), AKIN_OK);
    akin_json_free(json);
    free(text);
}

/* Bytes of real files changed, removed and doubled. */
static void mutations(void **state)
{
    (void)state;
    static const char *const files[] = { "tests/golden/clip/tiny-a/config.json",
                                         "tests/golden/clip/tiny-a/tokenizer_config.json",
                                         "tests/golden/weights/expected.json" };
    static const char bytes[] = "{}[]:,\"\\0123456789.eE+-truefalsn \n\t\x80\xc3\xa9u";
    uint32_t seed = 12345;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        akin_buffer file;
        assert_int_equal(akin_file_read(files[f], "test", 1 << 20, &file, NULL), AKIN_OK);
        const size_t size = file.size < 1500 ? file.size : 1500;
        char *text = malloc(size + 1);
        compare(file.data, file.size);
        for (int round = 0; round < 5000; round++) {
            memcpy(text, file.data, size);
            size_t length = size;
            for (int change = 0; change < 1 + round % 3; change++) {
                seed = seed * 1664525 + 1013904223;
                const size_t at = (seed >> 8) % length;
                seed = seed * 1664525 + 1013904223;
                if ((seed >> 28) < 12) {
                    text[at] = bytes[(seed >> 8) % (sizeof bytes - 1)];
                } else {
                    memmove(text + at, text + at + 1, length - at - 1);
                    length--;
                }
            }
            compare(text, length);
        }
        free(text);
        akin_buffer_clear(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(large_objects_are_searched_and_checked),
        cmocka_unit_test(places_are_named),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
