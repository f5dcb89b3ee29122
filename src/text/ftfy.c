/* ftfy.c - the steps of fix_text, one function each, in the reference's order.
 *
 * The reference repeats all steps on a segment until a pass changes nothing. Only entities can make
 * a second pass change anything (clean_tables.py asserts it), so that one pass of everything is
 * enough, then entities until there are none; and NFC can wait for the end. Entities are pieces of
 * text that never overlap, and decoding one leaves every other one as it is: whatever the order,
 * the result is the same. So they are decoded from left to right by a stack instead of in passes,
 * of which "&amp;amp;amp;..." takes as many as it is long.
 */
#include "ftfy.h"

#include <string.h>

#include "base/utf8.h"
#include "ftfy_tables.h"
#include "html.h"
#include "unicode.h"
#include "unicode_python.h"

#define SEGMENT_MAX 1000000 /* max_decode_length: code points */
#define ESCAPE '\033'

struct fixer {
    bool unescape;    /* until a "<" is seen */
    akin_buffer a, b; /* the segment between two steps */
    akin_buffer *out;
    akin_error *err;
};

/* What steps on single characters make of c, NULL for c itself. */
static const char *map(uint32_t c)
{
    size_t low = 0, high = MAPPED;
    if (c < 0x80 || (c > 0x3000 && c < 0xfb00) || c > 0xffff) /* most of all text */
        return NULL;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (mapped[middle].from == c)
            return mapped[middle].to;
        if (mapped[middle].from < c)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_control(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7f ||
           (c >= 0x206a && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
}

/* NFC makes these of one character wherever it stands: the two of its products that can be part of
 * an entity. */
static uint32_t compose_alone(uint32_t c) { return c == 0x37e ? ';' : c == 0x212a ? 'K' : c; }

/* fix_c1_controls, fix_latin_ligatures, fix_character_width, uncurl_quotes, fix_line_breaks. */
static akin_status map_characters(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = akin_buffer_reserve(out, size + size / 2 + 1, err);
    if (status != AKIN_OK)
        return status;
    char *to = out->data + out->size;
    for (size_t i = 0; i < size;) {
        uint32_t c = (unsigned char)text[i];
        if (c < 0x80) {
            if (c == '\r' && i + 1 < size && text[i + 1] == '\n')
                i++;
            *to++ = c == '\r' ? '\n' : text[i];
            i++;
            continue;
        }
        size_t length = akin_utf8_decode(text + i, size - i, &c);
        const char *other = map(c);
        size_t put = other != NULL ? strlen(other) : length;
        memcpy(to, other != NULL ? other : text + i, put);
        to += put;
        i += length;
    }
    out->size = (size_t)(to - out->data);
    *to = '\0';
    return AKIN_OK;
}

/* Bytes of the terminal escape at text: ESC "[" (digit or ";")* letter, digits of any script. 0:
 * none. */
static size_t terminal_escape(const char *text, size_t size)
{
    size_t i = 2;
    if (size < 3 || text[0] != ESCAPE || text[1] != '[')
        return 0;
    while (i < size) {
        uint32_t c;
        size_t length = akin_utf8_decode(text + i, size - i, &c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
            return i + 1;
        if (c != ';' && !akin_python_is_digit(c))
            return 0;
        i += length;
    }
    return 0;
}

/* remove_terminal_escapes, remove_control_chars. */
static akin_status remove_unseen(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = akin_buffer_reserve(out, size + 1, err);
    if (status != AKIN_OK)
        return status;
    char *to = out->data + out->size;
    for (size_t i = 0; i < size;) {
        uint32_t c = (unsigned char)text[i];
        size_t length = c < 0x80 ? 1 : akin_utf8_decode(text + i, size - i, &c);
        size_t escape = c == ESCAPE ? terminal_escape(text + i, size - i) : 0;
        if (escape == 0 && !is_control(c))
            to += akin_utf8_encode(compose_alone(c), to);
        i += escape != 0 ? escape : length;
    }
    out->size = (size_t)(to - out->data);
    *to = '\0';
    return AKIN_OK;
}

/* Appends the value of an entity as the other steps would leave it. */
static akin_status add_value(const char *value, akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0, size = strlen(value); i < size && status == AKIN_OK;) {
        uint32_t c;
        char bytes[4];
        i += akin_utf8_decode(value + i, size - i, &c);
        const char *other = map(c);
        if (other != NULL) {
            status = akin_buffer_add_text(out, other, err);
        } else if (!is_control(c)) {
            size_t length = akin_utf8_encode(compose_alone(c == '\r' ? '\n' : c), bytes);
            status = akin_buffer_add(out, bytes, length, err);
        }
    }
    return status;
}

/* Where the entity that ends with the last byte of text would begin, text[size - 1] being ";".
 * SIZE_MAX: nowhere. */
static size_t entity_start(const char *text, size_t size)
{
    size_t i = size - 1;
    while (i > 0 && size - i <= AKIN_ENTITY_MAX + 2 && text[i] != '&')
        i--;
    return text[i] == '&' ? i : SIZE_MAX;
}

/* Decodes entities, those that come out of entities too, until there are none. */
static akin_status rewrite(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < size;) {
        const char *semicolon = memchr(text + i, ';', size - i);
        size_t end = semicolon != NULL ? (size_t)(semicolon - text) + 1 : size;
        AKIN_TRY(akin_buffer_add(out, text + i, end - i, err));
        i = end;
        char value[AKIN_ENTITY_VALUE_MAX];
        while (out->size != 0 && out->data[out->size - 1] == ';') {
            size_t start = entity_start(out->data, out->size);
            if (start == SIZE_MAX ||
                !akin_html_entity(out->data + start, out->size - start, value))
                break;
            out->size = start;
            AKIN_TRY(add_value(value, out, err));
            /* What ends in ";" is ";" alone; else the one before it was looked at already. */
            if (out->size == start)
                break;
        }
    }
out:
    return status;
}

static akin_status fix_segment(struct fixer *f, const char *text, size_t size)
{
    akin_status status;
    bool plain = true; /* printable ASCII but "&": nothing to fix */
    for (size_t i = 0; i < size && plain; i++)
        plain = (text[i] >= ' ' && text[i] < 0x7f && text[i] != '&') || text[i] == '\n';
    if (plain)
        return akin_buffer_add(f->out, text, size, f->err);

    f->a.size = f->b.size = 0;
    if (f->unescape) {
        AKIN_TRY(akin_html_unescape_entities(text, size, &f->b, f->err));
        AKIN_TRY(map_characters(f->b.data, f->b.size, &f->a, f->err));
    } else {
        AKIN_TRY(map_characters(text, size, &f->a, f->err));
    }
    f->b.size = 0;
    AKIN_TRY(remove_unseen(f->a.data, f->a.size, &f->b, f->err));
    const akin_buffer *fixed = &f->b;
    if (f->unescape && memchr(f->b.data, '&', f->b.size) != NULL) {
        f->a.size = 0;
        AKIN_TRY(rewrite(f->b.data, f->b.size, &f->a, f->err));
        fixed = &f->a;
    }
    AKIN_TRY(akin_nfc_python(fixed->data, fixed->size, f->out, f->err));
out:
    return status;
}

/* Bytes of the next segment: a line with its line feed, or SEGMENT_MAX code points of one. */
static size_t segment_size(const char *text, size_t size)
{
    const char *newline = memchr(text, '\n', size);
    size_t line = newline != NULL ? (size_t)(newline - text) + 1 : size, code_points = 0;
    if (line <= SEGMENT_MAX)
        return line;
    for (size_t i = 0; i < line; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80 && code_points++ == SEGMENT_MAX)
            return i;
    return line;
}

akin_status akin_ftfy_fix(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    struct fixer f = { .unescape = true, .out = out, .err = err };
    akin_buffer_init(&f.a, "a line of text", 16 * (size_t)SEGMENT_MAX);
    akin_buffer_init(&f.b, "a line of text", 16 * (size_t)SEGMENT_MAX);
    for (size_t i = 0; i < size && status == AKIN_OK;) {
        size_t length = segment_size(text + i, size - i);
        f.unescape = f.unescape && memchr(text + i, '<', length) == NULL;
        status = fix_segment(&f, text + i, length);
        i += length;
    }
    akin_buffer_clear(&f.a);
    akin_buffer_clear(&f.b);
    return status;
}
