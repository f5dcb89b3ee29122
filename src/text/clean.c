/* clean.c - get_clean_fn's functions: basic_clean, then white space, case or punctuation. */
#include "clean.h"

#include "base/utf8.h"
#include "ftfy.h"
#include "html.h"
#include "unicode_python.h"

/* The most that cleaning makes of a byte: 3 by NFC, half as much again by lower case. */
#define GROWTH 5

/* " ".join(text.split()). Appends. */
static akin_status join_words(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = akin_buffer_reserve(out, size + 1, err);
    if (status != AKIN_OK)
        return status;
    char *to = out->data + out->size;
    bool some = false, space = false;
    for (size_t i = 0; i < size;) {
        uint32_t c = (unsigned char)text[i];
        size_t length = c < 0x80 ? 1 : akin_utf8_decode(text + i, size - i, &c);
        if (akin_python_is_space(c)) {
            space = some;
            i += length;
            continue;
        }
        if (space)
            *to++ = ' ';
        some = true;
        space = false;
        for (; length > 0; length--)
            *to++ = text[i++];
    }
    out->size = (size_t)(to - out->data);
    *to = '\0';
    return AKIN_OK;
}

static bool is_punctuation(char c) /* string.punctuation */
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

/* "_" to a space, other punctuation to nothing. In place. */
static void drop_punctuation(akin_buffer *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < text->size; i++) {
        char c = text->data[i];
        if (c == '_' || !is_punctuation(c))
            text->data[kept++] = c == '_' ? ' ' : c;
    }
    text->size = kept;
}

akin_status akin_text_clean(akin_clean how, const char *text, size_t size, akin_buffer *out,
                            akin_error *err)
{
    size_t offset;
    if (size == 0) /* then text may be NULL, which no arithmetic is allowed on */
        return AKIN_OK;
    if (!akin_utf8_valid(text, size, &offset))
        return akin_fail(err, AKIN_E_UTF8, NULL, "text is not UTF-8 at byte %zu", offset);
    if (how == AKIN_CLEAN_NONE)
        return akin_buffer_add(out, text, size, err);
    akin_status status;
    akin_buffer a, b;
    akin_buffer_init(&a, "a cleaned text", GROWTH * size + 64);
    akin_buffer_init(&b, "a cleaned text", GROWTH * size + 64);
    AKIN_TRY(akin_ftfy_fix(text, size, &a, err));
    AKIN_TRY(akin_html_unescape(a.data, a.size, &b, err));
    a.size = 0;
    AKIN_TRY(akin_html_unescape(b.data, b.size, &a, err));
    b.size = 0;
    /* basic_clean ends with strip; join_words does it too. */
    switch (how) {
    case AKIN_CLEAN_NONE:
    case AKIN_CLEAN_WHITESPACE:
        AKIN_TRY(join_words(a.data, a.size, out, err));
        break;
    case AKIN_CLEAN_LOWER:
        AKIN_TRY(join_words(a.data, a.size, &b, err));
        AKIN_TRY(akin_python_lower_text(b.data, b.size, out, err));
        break;
    case AKIN_CLEAN_CANONICALIZE:
        drop_punctuation(&a);
        AKIN_TRY(akin_python_lower_text(a.data, a.size, &b, err));
        AKIN_TRY(join_words(b.data, b.size, out, err));
        break;
    }
out:
    akin_buffer_clear(&a);
    akin_buffer_clear(&b);
    return status;
}
