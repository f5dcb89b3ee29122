/* test_unicode.c - text/unicode: every code point against tests/golden/text/unicode.txt. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "text/unicode.h"

#define END 0x110000u
#define SEQUENCE_MAX 40

enum { LETTER = 1, NUMBER = 2, SPACE = 4, WORD = 8 };

/* What the golden file says of each code point; no sequence: itself. */
struct sequence {
    uint32_t c[4];
    size_t count;
};

static unsigned char classes[END], combining[END];
static struct sequence *lower, *nfc, *nfd;
static uint64_t hangul;
static akin_buffer golden;

static bool surrogate(uint32_t c) { return c >= 0xd800 && c <= 0xdfff; }

static size_t hexes(const char *text, uint32_t *out, size_t max)
{
    size_t count = 0;
    for (char *end; *text != '\0' && *text != '='; text = end) {
        assert_true(count < max);
        out[count++] = (uint32_t)strtoul(text, &end, 16);
        assert_ptr_not_equal(text, end);
        while (*end == ' ')
            end++;
    }
    return count;
}

static int read_golden(void **state)
{
    (void)state;
    akin_error err;
    if (akin_file_read("tests/golden/text/unicode.txt", "golden file", 1 << 20, &golden, &err) !=
        AKIN_OK)
        return -1;
    lower = calloc(END, sizeof *lower);
    nfc = calloc(END, sizeof *nfc);
    nfd = calloc(END, sizeof *nfd);
    char *copy = strdup(golden.data), *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        unsigned a, b, k;
        int at = 0;
        struct sequence *table = strncmp(line, "lower ", 6) == 0 ? lower
                                 : strncmp(line, "nfc ", 4) == 0 ? nfc
                                 : strncmp(line, "nfd ", 4) == 0 ? nfd
                                                                 : NULL;
        if (table != NULL) {
            assert_int_equal(sscanf(line, "%*s %x %n", &a, &at), 1);
            table[a].count = hexes(line + at, table[a].c, 4);
        } else if (sscanf(line, "ccc %u %x %x", &k, &a, &b) == 3) {
            for (; a <= b; a++)
                combining[a] = (unsigned char)k;
        } else if (strncmp(line, "hangul ", 7) == 0) {
            hangul = strtoull(line + 7, NULL, 16);
        } else if (line[1] == ' ' && strchr("LNSW", line[0]) != NULL) {
            assert_int_equal(sscanf(line + 2, "%x %x", &a, &b), 2);
            for (; a <= b; a++)
                classes[a] |= (unsigned char)(1u << (strchr("LNSW", line[0]) - "LNSW"));
        } else {
            assert_true(line[0] == '#' || strncmp(line, "string ", 7) == 0);
        }
    }
    free(copy);
    return 0;
}

static int drop_golden(void **state)
{
    (void)state;
    free(lower);
    free(nfc);
    free(nfd);
    akin_buffer_clear(&golden);
    return 0;
}

/* NFC of code points, as code points. */
static size_t compose(const uint32_t *in, size_t count, uint32_t *out, size_t max)
{
    akin_buffer text, composed;
    akin_error err;
    akin_buffer_init(&text, "text", 1 << 20);
    akin_buffer_init(&composed, "NFC", 1 << 20);
    for (size_t i = 0; i < count; i++) {
        char bytes[4];
        assert_int_equal(akin_buffer_add(&text, bytes, akin_utf8_encode(in[i], bytes), &err),
                         AKIN_OK);
    }
    assert_int_equal(akin_nfc(text.data, text.size, &composed, &err), AKIN_OK);
    assert_true(composed.size <= 3 * text.size);
    size_t made = 0;
    for (size_t i = 0; i < composed.size; made++) {
        assert_true(made < max);
        size_t n = akin_utf8_decode(composed.data + i, composed.size - i, &out[made]);
        assert_int_not_equal(n, 0);
        i += n;
    }
    akin_buffer_clear(&text);
    akin_buffer_clear(&composed);
    return made;
}

static void assert_sequence(const uint32_t *got, size_t count, const uint32_t *want,
                            size_t want_count, uint32_t of)
{
    if (count != want_count || memcmp(got, want, count * sizeof *got) != 0)
        fail_msg("U+%04X: %zu code points from U+%04X, not %zu from U+%04X", of, count, got[0],
                 want_count, want[0]);
}

static void classes_of_every_code_point(void **state)
{
    (void)state;
    size_t seen[4] = { 0 };
    for (uint32_t c = 0; c < END; c++) {
        bool is[4] = { akin_is_letter(c), akin_is_number(c), akin_is_space(c), akin_is_word(c) };
        for (int k = 0; k < 4; k++) {
            if (is[k] != ((classes[c] >> k & 1) != 0))
                fail_msg("U+%04X: class %d is %d", c, k, is[k]);
            seen[k] += is[k];
        }
    }
    /* The manifest's numbers: an empty golden file would prove nothing. */
    assert_int_equal(seen[0], 141028);
    assert_int_equal(seen[1], 1911);
    assert_int_equal(seen[2], 25);
    assert_int_equal(seen[3], 144667);
    assert_false(akin_is_letter(END) || akin_is_letter(UINT32_MAX));
}

static void lower_case_of_every_code_point(void **state)
{
    (void)state;
    size_t changed = 0;
    for (uint32_t c = 0; c < END; c++) {
        uint32_t got[2];
        size_t count = akin_lower(c, got);
        if (lower[c].count != 0)
            assert_sequence(got, count, lower[c].c, lower[c].count, c);
        else
            assert_sequence(got, count, &c, 1, c);
        changed += lower[c].count != 0;
    }
    assert_int_equal(changed, 1488);
}

static void combining_class_of_every_code_point(void **state)
{
    (void)state;
    size_t marks = 0;
    for (uint32_t c = 0; c < END; c++) {
        if (akin_combining_class(c) != combining[c])
            fail_msg("U+%04X: combining class %d, not %d", c, akin_combining_class(c),
                     combining[c]);
        marks += combining[c] != 0;
    }
    assert_int_equal(marks, 810);
}

static void nfc_of_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < END; c++) {
        uint32_t got[4];
        if (surrogate(c))
            continue;
        size_t count = compose(&c, 1, got, 4);
        if (nfc[c].count != 0)
            assert_sequence(got, count, nfc[c].c, nfc[c].count, c);
        else
            assert_sequence(got, count, &c, 1, c);
    }
}

/* The decomposed form of every code point that has one comes back to the NFC of that code point. */
static void nfc_of_every_decomposition(void **state)
{
    (void)state;
    size_t tried = 0;
    for (uint32_t c = 0; c < END; c++) {
        uint32_t got[4];
        if (nfd[c].count == 0)
            continue;
        size_t count = compose(nfd[c].c, nfd[c].count, got, 4);
        if (nfc[c].count != 0)
            assert_sequence(got, count, nfc[c].c, nfc[c].count, c);
        else
            assert_sequence(got, count, &c, 1, c);
        tried++;
    }
    assert_int_equal(tried, 2060);
}

static void hangul_composes_by_arithmetic(void **state)
{
    (void)state;
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t c = 0xac00; c < 0xac00 + 11172; c++) {
        uint32_t s = c - 0xac00, got[3];
        uint32_t jamo[3] = { 0x1100 + s / 588, 0x1161 + s % 588 / 28, 0x11a7 + s % 28 };
        size_t count = s % 28 == 0 ? 2 : 3;
        for (size_t i = 0; i < count; i++)
            hash = (hash ^ jamo[i]) * 0x100000001b3u;
        assert_sequence(got, compose(jamo, count, got, 3), &c, 1, c);
    }
    assert_true(hash == hangul); /* the jamo are those of the reference's NFD */
}

static void nfc_of_strings(void **state)
{
    (void)state;
    size_t tried = 0;
    for (const char *at = golden.data; (at = strstr(at, "\nstring ")) != NULL; tried++) {
        char line[1000];
        uint32_t in[SEQUENCE_MAX], want[SEQUENCE_MAX], got[SEQUENCE_MAX];
        at += 8;
        size_t length = strcspn(at, "\n");
        assert_true(length < sizeof line);
        memcpy(line, at, length);
        line[length] = '\0';
        size_t count = hexes(line, in, SEQUENCE_MAX);
        size_t want_count = hexes(strchr(line, '=') + 2, want, SEQUENCE_MAX);
        assert_sequence(got, compose(in, count, got, SEQUENCE_MAX), want, want_count, in[0]);
    }
    assert_int_equal(tried, 1500);
}

/* A million marks in the worst order. Sorting them by insertion would take many minutes. */
static void long_runs_of_marks_take_no_time(void **state)
{
    (void)state;
    const size_t count = 1000000;
    char *text = malloc(1 + 2 * count);
    text[0] = 'a';
    for (size_t i = 0; i < count; i++) /* class 230, 230, ..., then 220 */
        memcpy(text + 1 + 2 * i, i < count / 2 ? "\xcc\x81" : "\xcc\xa3", 2);
    akin_buffer out;
    akin_error err;
    akin_buffer_init(&out, "NFC", 8 * count);
    assert_int_equal(akin_nfc(text, 1 + 2 * count, &out, &err), AKIN_OK);
    /* a + dot below = U+1EA1, the other dots, then the acute accents. */
    assert_int_equal(out.size, 3 + 2 * (count - 1));
    assert_memory_equal(out.data, "\xe1\xba\xa1\xcc\xa3", 5);
    assert_memory_equal(out.data + out.size - 2, "\xcc\x81", 2);
    akin_buffer_clear(&out);
    assert_int_equal(akin_nfc(text, 1 + 2 * count, &out, &err), AKIN_OK);
    akin_buffer_clear(&out);
    akin_buffer_init(&out, "NFC", 1000);
    assert_int_equal(akin_nfc(text, 1 + 2 * count, &out, &err), AKIN_E_LIMIT);
    akin_buffer_clear(&out);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_of_every_code_point),
        cmocka_unit_test(lower_case_of_every_code_point),
        cmocka_unit_test(combining_class_of_every_code_point),
        cmocka_unit_test(nfc_of_every_code_point),
        cmocka_unit_test(nfc_of_every_decomposition),
        cmocka_unit_test(hangul_composes_by_arithmetic),
        cmocka_unit_test(nfc_of_strings),
        cmocka_unit_test(long_runs_of_marks_take_no_time),
    };
    return cmocka_run_group_tests(tests, read_golden, drop_golden);
}
