/* unicode.c - code point classes, lower case and NFC, over generated two-stage tables. */
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "unicode_python.h"
#include "unicode_tables.h"

/* Hangul syllables are composed by arithmetic (The Unicode Standard, 3.12). */
enum {
    HANGUL_S = 0xac00, HANGUL_L = 0x1100, HANGUL_V = 0x1161, HANGUL_T = 0x11a7,
    HANGUL_LS = 19, HANGUL_VS = 21, HANGUL_TS = 28, HANGUL_SS = HANGUL_LS * HANGUL_VS * HANGUL_TS
};

#define LONGEST_DECOMPOSITION 4

static size_t record_of(uint32_t c)
{
    if (c > 0x10ffff)
        return 0;
    return unicode_second[unicode_first[c / UNICODE_BLOCK] * (size_t)UNICODE_BLOCK +
                          c % UNICODE_BLOCK];
}

static bool has(uint32_t c, unsigned flag)
{
    return (unicode_records[record_of(c)].flags & flag) != 0;
}

bool akin_is_letter(uint32_t c) { return has(c, UNICODE_LETTER); }
bool akin_is_number(uint32_t c) { return has(c, UNICODE_NUMBER); }
bool akin_is_space(uint32_t c) { return has(c, UNICODE_SPACE); }
bool akin_is_word(uint32_t c) { return has(c, UNICODE_WORD); }

uint8_t akin_combining_class(uint32_t c) { return unicode_records[record_of(c)].combining; }

size_t akin_lower(uint32_t c, uint32_t out[2])
{
    if (c == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)((int64_t)c + unicode_records[record_of(c)].lower);
    return 1;
}

/* The full canonical decomposition of c; returns its length, 1 when c has none. */
static size_t decompose(uint32_t c, uint32_t out[LONGEST_DECOMPOSITION])
{
    if (!has(c, UNICODE_DECOMPOSES)) {
        out[0] = c;
        return 1;
    }
    if (c - HANGUL_S < HANGUL_SS) {
        uint32_t s = c - HANGUL_S;
        out[0] = HANGUL_L + s / (HANGUL_VS * HANGUL_TS);
        out[1] = HANGUL_V + s % (HANGUL_VS * HANGUL_TS) / HANGUL_TS;
        out[2] = HANGUL_T + s % HANGUL_TS;
        return s % HANGUL_TS == 0 ? 2 : 3;
    }
    size_t low = 0, high = UNICODE_DECOMPOSITIONS - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (unicode_decomposed[middle] < c)
            low = middle + 1;
        else
            high = middle;
    }
    size_t start = unicode_decomposition_start[low];
    size_t length = unicode_decomposition_start[low + 1] - start;
    memcpy(out, unicode_decomposition + start, length * sizeof *out);
    return length;
}

/* The composite of two code points, 0 when there is none. */
static uint32_t compose(uint32_t a, uint32_t b)
{
    if (!has(b, UNICODE_SECOND))
        return 0;
    if (a - HANGUL_L < HANGUL_LS && b - HANGUL_V < HANGUL_VS)
        return HANGUL_S + ((a - HANGUL_L) * HANGUL_VS + (b - HANGUL_V)) * HANGUL_TS;
    if (a - HANGUL_S < HANGUL_SS && (a - HANGUL_S) % HANGUL_TS == 0 && b > HANGUL_T &&
        b < HANGUL_T + HANGUL_TS)
        return a + (b - HANGUL_T);
    size_t low = 0, high = UNICODE_COMPOSITIONS;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const uint32_t *row = unicode_compositions[middle];
        if (row[0] == a && row[1] == b)
            return row[2];
        if (row[0] < a || (row[0] == a && row[1] < b))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

/* A segment of the text, decomposed. */
struct segment {
    uint32_t *code_points;
    size_t count, capacity;
    bool newer; /* NFC of Unicode 14, not 9: what was added is in unicode_python.h */
};

static uint8_t class_of(const struct segment *s, uint32_t c)
{
    return s->newer ? akin_python_combining_class(c) : akin_combining_class(c);
}

/* No character before c changes, or is changed by, what c starts; and c is its own NFC. */
static bool is_boundary(const struct segment *s, uint32_t c)
{
    return c < 0x300 || (!has(c, UNICODE_LOOSE) && !(s->newer && akin_python_is_newer(c)));
}

static akin_status segment_add(struct segment *s, uint32_t c, akin_error *err)
{
    uint32_t *grown = akin_grow(s->code_points, &s->capacity, s->count + LONGEST_DECOMPOSITION,
                                sizeof *s->code_points);
    if (grown == NULL)
        return akin_fail_nomem(err, "a run of combining marks", 0);
    s->code_points = grown;
    uint32_t *to = grown + s->count;
    s->count += s->newer && akin_python_decompose(c, to) ? 2 : decompose(c, to);
    return AKIN_OK;
}

/* Sorts a run of marks by combining class, equal classes in their order. By counting: a comparison
 * sort would do as well, but this is linear and needs no more memory. */
static bool sort_long_run(const struct segment *s, uint32_t *run, size_t count)
{
    size_t start[257] = { 0 };
    uint32_t *sorted = malloc(count * sizeof *sorted);
    if (sorted == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        start[class_of(s, run[i]) + 1]++;
    for (size_t k = 1; k < 257; k++)
        start[k] += start[k - 1];
    for (size_t i = 0; i < count; i++)
        sorted[start[class_of(s, run[i])]++] = run[i];
    memcpy(run, sorted, count * sizeof *run);
    free(sorted);
    return true;
}

static void sort_short_run(const struct segment *s, uint32_t *run, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t c = run[i];
        size_t j = i;
        for (; j > 0 && class_of(s, run[j - 1]) > class_of(s, c); j--)
            run[j] = run[j - 1];
        run[j] = c;
    }
}

static bool order(struct segment *s)
{
    for (size_t i = 0; i < s->count;) {
        size_t end = i;
        while (end < s->count && class_of(s, s->code_points[end]) != 0)
            end++;
        if (end - i > 32) {
            if (!sort_long_run(s, s->code_points + i, end - i))
                return false;
        } else {
            sort_short_run(s, s->code_points + i, end - i);
        }
        i = end + 1;
    }
    return true;
}

/* Composes in place: a mark joins the last starter when nothing between them blocks it. */
static void recompose(struct segment *s)
{
    size_t kept = 0, starter = SIZE_MAX;
    uint8_t last_class = 0; /* of what was kept since the starter */
    for (size_t i = 0; i < s->count; i++) {
        uint32_t c = s->code_points[i];
        uint8_t class = class_of(s, c);
        bool adjacent = starter != SIZE_MAX && kept == starter + 1;
        if (starter != SIZE_MAX && (adjacent || last_class < class)) {
            uint32_t before = s->code_points[starter];
            uint32_t composite = compose(before, c);
            if (composite == 0 && s->newer)
                composite = akin_python_compose(before, c);
            if (composite != 0) {
                s->code_points[starter] = composite;
                continue;
            }
        }
        if (class == 0)
            starter = kept;
        last_class = class;
        s->code_points[kept++] = c;
    }
    s->count = kept;
}

static akin_status flush(struct segment *s, akin_buffer *out, akin_error *err)
{
    if (s->count == 0)
        return AKIN_OK;
    if (!order(s))
        return akin_fail_nomem(err, "a run of combining marks", s->count * sizeof *s->code_points);
    recompose(s);
    akin_status status = akin_buffer_reserve(out, s->count * 4, err);
    if (status != AKIN_OK)
        return status;
    for (size_t i = 0; i < s->count; i++)
        out->size += akin_utf8_encode(s->code_points[i], out->data + out->size);
    out->data[out->size] = '\0';
    s->count = 0;
    return AKIN_OK;
}

static akin_status nfc(bool newer, const char *text, size_t size, akin_buffer *out,
                       akin_error *err)
{
    akin_status status = AKIN_OK;
    struct segment segment = { .newer = newer };
    /* [plain, i): code points that start a segment and are their own NFC, so that all but the last
     * (at `last`: marks may follow it) can be copied as they are. */
    size_t plain = 0, last = 0;
    for (size_t i = 0; i < size;) {
        uint32_t c;
        size_t length = (unsigned char)text[i] < 0x80 ? 1
                                                      : akin_utf8_decode(text + i, size - i, &c);
        if (length == 1)
            c = (unsigned char)text[i];
        if (is_boundary(&segment, c)) {
            if (segment.count != 0) {
                AKIN_TRY(flush(&segment, out, err));
                plain = i;
            }
            last = i;
            i += length;
            continue;
        }
        if (segment.count == 0) {
            AKIN_TRY(akin_buffer_add(out, text + plain, last - plain, err));
            for (size_t k = last; k < i;) { /* none, or the one code point before */
                uint32_t before;
                k += akin_utf8_decode(text + k, i - k, &before);
                AKIN_TRY(segment_add(&segment, before, err));
            }
        }
        /* A loose character that starts a segment (its NFC is not itself) ends the one before; to
         * take both as one segment gives the same and needs no case of its own. */
        AKIN_TRY(segment_add(&segment, c, err));
        i += length;
        plain = last = i;
    }
    if (segment.count != 0)
        AKIN_TRY(flush(&segment, out, err));
    else
        AKIN_TRY(akin_buffer_add(out, text + plain, size - plain, err));
out:
    free(segment.code_points);
    return status;
}

akin_status akin_nfc(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    return nfc(false, text, size, out, err);
}

akin_status akin_nfc_python(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    return nfc(true, text, size, out, err);
}
