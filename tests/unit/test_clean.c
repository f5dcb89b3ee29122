/* test_clean.c - text/: Python's classes and NFC of every code point, cleaning against open_clip's,
 * hostile text. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "golden.h"
#include "text/clean.h"
#include "text/unicode.h"
#include "text/unicode_python.h"

#define GOLDEN "tests/golden/text/"
#define END 0x110000u
#define SEQUENCE_MAX 40

enum { L = 1, N = 2, O = 4, S = 8, D = 16, C = 32, I = 64 };

static bool surrogate(uint32_t c) { return c >= 0xd800 && c <= 0xdfff; }

static size_t hexes(const char *at, uint32_t *out)
{
    size_t count = 0;
    for (char *end;; at = end) {
        unsigned long value = strtoul(at, &end, 16);
        if (end == at)
            return count;
        assert_true(count < SEQUENCE_MAX);
        out[count++] = (uint32_t)value;
    }
}

static akin_buffer encoded(const uint32_t *c, size_t count)
{
    akin_buffer b;
    akin_error err;
    akin_buffer_init(&b, "text", 1000);
    for (size_t i = 0; i < count; i++) {
        char bytes[4];
        assert_int_equal(akin_buffer_add(&b, bytes, akin_utf8_encode(c[i], bytes), &err), AKIN_OK);
    }
    return b;
}

/* Whether `function` makes `want` of `in`. */
static void check(akin_status (*function)(const char *, size_t, akin_buffer *, akin_error *),
                  const uint32_t *in, size_t count, const uint32_t *want, size_t want_count)
{
    akin_buffer from = encoded(in, count), to = encoded(want, want_count), got;
    akin_error err;
    akin_buffer_init(&got, "text", 1000);
    assert_int_equal(function(from.data, from.size, &got, &err), AKIN_OK);
    if (got.size != to.size || memcmp(got.data, to.data, to.size) != 0)
        fail_msg("U+%04X ...: '%s', not '%s'", in[0], got.data, to.data);
    akin_buffer_clear(&from);
    akin_buffer_clear(&to);
    akin_buffer_clear(&got);
}

static void every_code_point_as_python_has_it(void **state)
{
    (void)state;
    uint8_t *flags = calloc(END, 1), *class = calloc(END, 1);
    uint32_t(*nfc)[4] = calloc(END, sizeof *nfc), (*lower)[4] = calloc(END, sizeof *lower);
    golden g = golden_open(GOLDEN "unicode_python.txt");
    size_t strings = 0, lowered = 0;
    while (golden_next(&g)) {
        static const char letters[] = "LNOSDCI";
        const char *letter = strchr(letters, g.line[0]), *value;
        uint32_t a[SEQUENCE_MAX], b[SEQUENCE_MAX];
        if (letter != NULL && g.line[1] == ' ') {
            assert_int_equal(hexes(g.line + 2, a), 2);
            for (uint32_t c = a[0]; c <= a[1]; c++)
                flags[c] |= (uint8_t)(1u << (letter - letters));
        } else if ((value = golden_value(&g, "ccc")) != NULL) {
            char *rest;
            long k = strtol(value, &rest, 10);
            assert_int_equal(hexes(rest, a), 2);
            for (uint32_t c = a[0]; c <= a[1]; c++)
                class[c] = (uint8_t)k;
        } else if ((value = golden_value(&g, "nfc")) != NULL) {
            size_t count = hexes(value, a);
            assert_in_range(count, 2, 5);
            memcpy(nfc[a[0]], a + 1, (count - 1) * sizeof *a);
        } else if ((value = golden_value(&g, "lower")) != NULL) {
            size_t count = hexes(value, a);
            assert_in_range(count, 2, 3);
            memcpy(lower[a[0]], a + 1, (count - 1) * sizeof *a);
        } else if ((value = golden_value(&g, "string")) != NULL) {
            size_t count = hexes(strchr(value, '=') + 1, b);
            check(akin_nfc_python, a, hexes(value, a), b, count);
            strings++;
        } else if ((value = golden_value(&g, "lowered")) != NULL) {
            size_t count = hexes(strchr(value, '=') + 1, b);
            check(akin_python_lower_text, a, hexes(value, a), b, count);
            lowered++;
        } else {
            assert_int_equal(g.line[0], '#');
        }
    }
    golden_close(&g);
    assert_int_equal(strings, 800);
    assert_int_equal(lowered, 400);
    for (uint32_t c = 0; c < END; c++) {
        if (surrogate(c))
            continue;
        akin_pattern_class p = akin_python_class(c);
        unsigned got = (p == AKIN_CLASS_LETTER ? L : 0u) | (p == AKIN_CLASS_NUMBER ? N : 0u) |
                       (p == AKIN_CLASS_OTHER ? O : 0u) | (akin_python_is_space(c) ? S : 0u) |
                       (akin_python_is_digit(c) ? D : 0u) | (akin_python_is_cased(c) ? C : 0u) |
                       (akin_python_is_ignorable(c) ? I : 0u);
        if (got != flags[c] || akin_python_combining_class(c) != class[c])
            fail_msg("U+%04X: classes %x, not %x; combining %d, not %d", c, got, flags[c],
                     akin_python_combining_class(c), class[c]);
        uint32_t out[2];
        size_t count = akin_python_lower(c, out);
        uint32_t self[1] = { c };
        const uint32_t *want = lower[c][0] != 0 ? lower[c] : self;
        if (out[0] != want[0] || (count == 2) != (lower[c][1] != 0) ||
            (count == 2 && out[1] != want[1]))
            fail_msg("U+%04X: lower case U+%04X", c, out[0]);
        want = nfc[c][0] != 0 ? nfc[c] : self;
        size_t want_count = 1;
        while (nfc[c][0] != 0 && want_count < 4 && nfc[c][want_count] != 0)
            want_count++;
        if (c >= 0x300) /* nothing below changes alone: saves a million allocations */
            check(akin_nfc_python, self, 1, want, want_count);
    }
    for (uint32_t c = END; c < END + 3; c++)
        assert_int_equal(akin_python_class(c), AKIN_CLASS_NOTHING);
    free(flags);
    free(class);
    free(nfc);
    free(lower);
}

static akin_clean mode_of(char mode)
{
    return mode == 'w'   ? AKIN_CLEAN_WHITESPACE
           : mode == 'l' ? AKIN_CLEAN_LOWER
                         : AKIN_CLEAN_CANONICALIZE;
}

/* Undoes simple_tokenizer.py's escapes, up to a space or the end; returns where it stopped. */
static char *unescape(char *from, akin_buffer *out)
{
    akin_error err;
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
    return from;
}

static void expect(char mode, const akin_buffer *text, const akin_buffer *want)
{
    akin_buffer got;
    akin_error err;
    akin_buffer_init(&got, "clean", 1 << 20);
    assert_int_equal(akin_text_clean(mode_of(mode), text->data, text->size, &got, &err), AKIN_OK);
    if (got.size != want->size || (got.size != 0 && memcmp(got.data, want->data, got.size) != 0))
        fail_msg("%c '%s' became '%s', not '%s'", mode, text->data, got.data, want->data);
    akin_buffer_clear(&got);
}

static void texts_as_open_clip_cleans_them(void **state)
{
    (void)state;
    akin_buffer text, want;
    akin_buffer_init(&text, "text", 1 << 16);
    akin_buffer_init(&want, "want", 1 << 16);
    char(*listed)[24] = calloc(END, sizeof *listed); /* a code point's line, with a mark in front */
    size_t cases = 0, points = 0;
    golden g = golden_open(GOLDEN "clean.txt");
    while (golden_next(&g)) {
        if (g.line[0] == '#')
            continue;
        char *at = strchr(g.line, ':');
        if (g.line[1] == '@') {
            unsigned long c = strtoul(g.line + 3, NULL, 16);
            unescape(at + 1, &want);
            assert_true(c < END && want.size < sizeof *listed - 1);
            listed[c][0] = 1;
            memcpy(listed[c] + 1, want.data, want.size + 1);
            points++;
        } else {
            at = unescape(at + 1, &text);
            unescape(at + 2, &want);
            expect(g.line[0], &text, &want);
            cases++;
        }
    }
    golden_close(&g);
    assert_true(cases > 5800 && points > 2800);
    for (uint32_t c = 0; c < END; c++) {
        if (surrogate(c))
            continue;
        uint32_t three[3] = { 'x', c, 'y' };
        akin_buffer from = encoded(three, 3), to = from;
        if (listed[c][0] != 0) {
            to.data = listed[c] + 1;
            to.size = strlen(to.data);
        }
        expect('l', &from, &to);
        akin_buffer_clear(&from);
    }
    free(listed);
    akin_buffer_clear(&text);
    akin_buffer_clear(&want);
}

static void modes_and_errors(void **state)
{
    (void)state;
    static const struct { akin_clean how; const char *text, *want; } cases[] = {
        { AKIN_CLEAN_NONE, " A &amp; \xef\xac\x81 ", " A &amp; \xef\xac\x81 " },
        { AKIN_CLEAN_WHITESPACE, " A &amp;\t\xef\xac\x81 ", "A & fi" },
        { AKIN_CLEAN_LOWER, " A &amp;amp;\n\xef\xac\x81 ", "a & fi" },
        { AKIN_CLEAN_CANONICALIZE, "A_b, (c) - D! &lt;", "a b c d" },
        { AKIN_CLEAN_CANONICALIZE, "!?", "" },
        { AKIN_CLEAN_LOWER, "", "" },
    };
    akin_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        akin_buffer got;
        akin_buffer_init(&got, "clean", 1000);
        assert_int_equal(akin_buffer_add_text(&got, "<", &err), AKIN_OK); /* it appends */
        assert_int_equal(akin_text_clean(cases[i].how, cases[i].text, strlen(cases[i].text), &got,
                                         &err),
                         AKIN_OK);
        assert_string_equal(got.data + 1, cases[i].want);
        akin_buffer_clear(&got);
        for (int how = AKIN_CLEAN_NONE; how <= AKIN_CLEAN_CANONICALIZE; how++) {
            assert_int_equal(akin_text_clean((akin_clean)how, "ab\xed\xa0\x80", 5, &got, &err),
                             AKIN_E_UTF8);
            assert_string_equal(err.message, "text is not UTF-8 at byte 2");
        }
    }
    akin_buffer small;
    akin_buffer_init(&small, "clean", 4);
    assert_int_equal(akin_text_clean(AKIN_CLEAN_LOWER, "abcdefgh", 8, &small, &err), AKIN_E_LIMIT);
    akin_buffer_clear(&small);
}

/* Lines are cut at 1,000,000 code points: what spans the cut is not seen as one, "<" turns entities
 * off from its segment on. And a decimal number of more digits than Python reads. */
static void long_lines_are_cut(void **state)
{
    (void)state;
    const size_t size = 1000000;
    akin_buffer got;
    akin_error err;
    char *text = malloc(size + 100);
    akin_buffer_init(&got, "clean", 4 << 20);
    memset(text, 'x', size);
    memcpy(text + size - 2, "&EACUTE; &EACUTE; <&EACUTE;", 27); /* ftfy's own: only it decodes it */
    assert_int_equal(akin_text_clean(AKIN_CLEAN_WHITESPACE, text, size + 25, &got, &err), AKIN_OK);
    assert_int_equal(got.size, size + 25);
    assert_string_equal(got.data + size - 2, "&EACUTE; &EACUTE; <&EACUTE;");
    got.size = 0;
    memcpy(text + size - 2, "&EACUTE; &EACUTE; >&EACUTE;", 27);
    assert_int_equal(akin_text_clean(AKIN_CLEAN_WHITESPACE, text, size + 25, &got, &err), AKIN_OK);
    assert_string_equal(got.data + size - 2, "&EACUTE; \xc3\x89 >\xc3\x89");
    got.size = 0;
    memset(text, '9', 5000);
    memcpy(text, "&#", 2);
    assert_int_equal(akin_text_clean(AKIN_CLEAN_WHITESPACE, text, 5000, &got, &err), AKIN_OK);
    assert_string_equal(got.data, "\xef\xbf\xbd");
    akin_buffer_clear(&got);
    free(text);
}

/* Each would take from minutes to days if anything were quadratic. */
static void hostile_text_takes_no_time(void **state)
{
    (void)state;
    static const char *const units[] = {
        "amp;",  "&",         "&#38;",    "&am",     "\033[1",   "\033[",   "&semi;",
        "&#x26", "\xcc\x81",  "\xce\xa3", "\xc2\xad", "\r",      "&amp",    "&#1;",
        ";",     "a&#1111",   "#59;",     "\xcd\xbe", "&\xef\xbc\x9b",      "&amp;amp;\n",
    };
    const size_t size = 1000000; /* one segment */
    char *text = malloc(size);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t unit = strlen(units[i]), used = 0;
        text[used++] = '&'; /* "&amp;amp;amp;...": as many levels as there are units */
        for (; used + unit <= size; used += unit)
            memcpy(text + used, units[i], unit);
        for (int how = AKIN_CLEAN_WHITESPACE; how <= AKIN_CLEAN_CANONICALIZE; how++) {
            akin_buffer got;
            akin_error err;
            akin_buffer_init(&got, "clean", 8 * size);
            assert_int_equal(akin_text_clean((akin_clean)how, text, used, &got, &err), AKIN_OK);
            if (i == 0 && how != AKIN_CLEAN_CANONICALIZE)
                assert_true(got.size < 100);
            akin_buffer_clear(&got);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_as_python_has_it),
        cmocka_unit_test(texts_as_open_clip_cleans_them),
        cmocka_unit_test(modes_and_errors),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(hostile_text_takes_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
