/* test_simple_tokenizer.c - text/: ids against open_clip's SimpleTokenizer. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "text/tokenizer.h"

#define GOLDEN "tests/golden/text/"
#define IDS_MAX 400

/* By mode: w, l, c. */
static const char modes[] = "wlc";
static akin_tokenizer *tokenizers[3];

static int open_all(void **state)
{
    (void)state;
    static const akin_clean how[3] = { AKIN_CLEAN_WHITESPACE, AKIN_CLEAN_LOWER,
                                       AKIN_CLEAN_CANONICALIZE };
    akin_error err;
    for (int i = 0; i < 3; i++)
        if (akin_tokenizer_open_simple(&tokenizers[i], how[i], &err) != AKIN_OK)
            return -1;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        akin_tokenizer_close(tokenizers[i]);
    return 0;
}

/* Undoes simple_tokenizer.py's escapes: ":text" or "=N:text", bytes as \HH. */
static const char *unescape(const char *from, akin_buffer *out)
{
    akin_error err;
    long times = *from == '=' ? strtol(from + 1, NULL, 10) : 1;
    from = strchr(from, ':') + 1;
    out->size = 0;
    assert_int_equal(akin_buffer_add(out, "", 0, &err), AKIN_OK);
    for (; *from != '\0' && *from != ' '; from++) {
        char byte = *from;
        if (byte == '\\') {
            char hex[3] = { from[1], from[2], '\0' };
            byte = (char)strtol(hex, NULL, 16);
            from += 2;
        }
        assert_int_equal(akin_buffer_add(out, &byte, 1, &err), AKIN_OK);
    }
    size_t unit = out->size;
    for (long i = 1; i < times; i++) {
        assert_int_equal(akin_buffer_reserve(out, unit, &err), AKIN_OK);
        assert_int_equal(akin_buffer_add(out, out->data, unit, &err), AKIN_OK);
    }
    return from;
}

static void ids_of_the_reference(void **state)
{
    (void)state;
    size_t cases[3] = { 0 }, mended[3] = { 0 };
    akin_buffer text;
    akin_buffer_init(&text, "text", 1 << 20);
    golden g = golden_open(GOLDEN "simple.txt");
    while (golden_next(&g)) {
        if (g.line[0] == '#')
            continue;
        const char *mode = strchr(modes, g.line[0]);
        assert_non_null(mode);
        char *at;
        int32_t ids[IDS_MAX], count;
        bool cut;
        akin_error err;
        long max = strtol(g.line + 3, &at, 10);
        bool want_cut = *at == '+';
        assert_in_range(max, 2, IDS_MAX);
        const char *rest = unescape(at + 1 + want_cut, &text);
        if (akin_tokenizer_encode(tokenizers[mode - modes], text.data, text.size, (int32_t)max, ids,
                                  &count, &cut, &err) != AKIN_OK)
            fail_msg("%.200s: %s", g.line, err.message);
        int32_t k = 1;
        for (; *rest == ' '; k++) {
            long id = strtol(rest + 1, &at, 10);
            rest = at;
            if (k >= count - 1 || ids[k] != id)
                fail_msg("%.200s: id %d is %d, not %ld", g.line, k, k < count - 1 ? ids[k] : -1,
                         id);
        }
        if (k != count - 1 || cut != want_cut || ids[0] != 49406 || ids[count - 1] != 49407)
            fail_msg("%.200s: %d ids, not %d; cut %d", g.line, count, k + 1, cut);
        cases[mode - modes]++;
        mended[mode - modes] += g.line[1] == '~';
    }
    golden_close(&g);
    akin_buffer_clear(&text);
    print_message("  %zu texts equal, %zu of them as with fix_encoding off\n", cases[1], mended[1]);
    /* docs/tokenizer.md lists these. */
    assert_int_equal(cases[1], 3000);
    assert_int_equal(mended[1], 95);
    assert_true(cases[0] >= 375 && cases[2] >= 375);
}

static void properties(void **state)
{
    (void)state;
    bool left = true;
    assert_int_equal(akin_tokenizer_size(tokenizers[1]), 49408);
    assert_int_equal(akin_tokenizer_max_length(tokenizers[1]), 0);
    assert_int_equal(akin_tokenizer_pad(tokenizers[1], &left), 0);
    assert_false(left);
    akin_tokenizer *t;
    akin_error err;
    assert_int_equal(akin_tokenizer_open(&t, GOLDEN "tokenizers/saved", &err), AKIN_OK);
    left = true;
    int32_t pad = akin_tokenizer_pad(t, &left), ids[4], count;
    assert_int_equal(akin_tokenizer_encode(t, "", 0, 4, ids, &count, NULL, &err), AKIN_OK);
    assert_int_equal(pad, ids[1]); /* of CLIP the end token */
    assert_false(left);
    akin_tokenizer_close(t);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    int32_t ids[8], count = 9;
    bool cut;
    akin_error err;
    const akin_tokenizer *t = tokenizers[1];
    assert_int_equal(akin_tokenizer_encode(t, "a", 1, 1, ids, &count, &cut, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_tokenizer_encode(t, "ab\xff", 3, 8, ids, &count, &cut, &err),
                     AKIN_E_UTF8);
    assert_string_equal(err.message, "text is not UTF-8 at byte 2");
    char *large = calloc((16 << 20) + 1, 1);
    assert_int_equal(akin_tokenizer_encode(t, large, (16 << 20) + 1, 8, ids, &count, &cut, &err),
                     AKIN_E_LIMIT);
    free(large);
    assert_int_equal(akin_tokenizer_encode(t, "a b", 3, 2, ids, &count, &cut, &err), AKIN_OK);
    assert_int_equal(count, 2);
    assert_true(cut);
    assert_int_equal(ids[1], 49407);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_the_reference),
        cmocka_unit_test(properties),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
