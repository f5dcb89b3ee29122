/* unicode_python.c - Python's code point classes and lower case, over generated tables. */
#include "unicode_python.h"

#include "base/utf8.h"
#include "unicode_python_tables.h"

#define CAPITAL_SIGMA 0x3a3
#define SMALL_SIGMA 0x3c3
#define FINAL_SIGMA 0x3c2

static size_t record_of(uint32_t c)
{
    if (c > 0x10ffff)
        return 0;
    return python_second[python_first[c / PYTHON_BLOCK] * (size_t)PYTHON_BLOCK + c % PYTHON_BLOCK];
}

static bool has(uint32_t c, unsigned flag)
{
    return (python_records[record_of(c)].flags & flag) != 0;
}

bool akin_python_is_space(uint32_t c) { return has(c, PYTHON_SPACE); }
bool akin_python_is_digit(uint32_t c) { return has(c, PYTHON_DIGIT); }
bool akin_python_is_cased(uint32_t c) { return has(c, PYTHON_CASED); }
bool akin_python_is_ignorable(uint32_t c) { return has(c, PYTHON_IGNORABLE); }
bool akin_python_is_newer(uint32_t c) { return has(c, PYTHON_NEWER); }

uint8_t akin_python_combining_class(uint32_t c) { return python_records[record_of(c)].combining; }

akin_pattern_class akin_python_class(uint32_t c)
{
    unsigned flags = python_records[record_of(c)].flags;
    return flags & PYTHON_LETTER   ? AKIN_CLASS_LETTER
           : flags & PYTHON_NUMBER ? AKIN_CLASS_NUMBER
           : flags & PYTHON_OTHER  ? AKIN_CLASS_OTHER
                                   : AKIN_CLASS_NOTHING;
}

bool akin_python_decompose(uint32_t c, uint32_t out[2])
{
    for (size_t i = 0; i < PYTHON_PAIRS; i++) {
        if (python_pairs[i][2] == c) {
            out[0] = python_pairs[i][0];
            out[1] = python_pairs[i][1];
            return true;
        }
    }
    return false;
}

uint32_t akin_python_compose(uint32_t a, uint32_t b)
{
    for (size_t i = 0; i < PYTHON_PAIRS; i++)
        if (python_pairs[i][0] == a && python_pairs[i][1] == b)
            return python_pairs[i][2];
    return 0;
}

size_t akin_python_lower(uint32_t c, uint32_t out[2])
{
    if (c == 0x130) {
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)((int64_t)c + python_records[record_of(c)].lower);
    return 1;
}

/* Whether the sigma in text[at..next) ends a word: a cased character before it, none after it,
 * ignorable ones aside. No ignorable character is looked at more than twice in a text: sigma itself
 * is none. */
static bool is_final(const char *text, size_t size, size_t at, size_t next)
{
    uint32_t c = 0;
    bool cased = false;
    while (at > 0) {
        size_t end = at;
        while (((unsigned char)text[--at] & 0xc0) == 0x80)
            ;
        akin_utf8_decode(text + at, end - at, &c);
        if (!akin_python_is_ignorable(c)) {
            cased = akin_python_is_cased(c);
            break;
        }
    }
    while (cased && next < size) {
        next += akin_utf8_decode(text + next, size - next, &c);
        if (!akin_python_is_ignorable(c))
            return !akin_python_is_cased(c);
    }
    return cased;
}

akin_status akin_python_lower_text(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    /* Two bytes become at most three: U+023A and U+0130. */
    akin_status status = akin_buffer_reserve(out, size + size / 2 + 4, err);
    if (status != AKIN_OK)
        return status;
    char *to = out->data + out->size;
    for (size_t i = 0; i < size;) {
        unsigned char byte = (unsigned char)text[i];
        if (byte < 0x80) {
            *to++ = (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
            i++;
            continue;
        }
        uint32_t c, lower[2];
        size_t at = i, count = 1;
        i += akin_utf8_decode(text + i, size - i, &c);
        if (c == CAPITAL_SIGMA)
            lower[0] = is_final(text, size, at, i) ? FINAL_SIGMA : SMALL_SIGMA;
        else
            count = akin_python_lower(c, lower);
        for (size_t k = 0; k < count; k++)
            to += akin_utf8_encode(lower[k], to);
    }
    out->size = (size_t)(to - out->data);
    *to = '\0';
    return AKIN_OK;
}
