/* html.c - character references: names by a sorted table, numbers by the rules of HTML 5. */
#include "html.h"

#include <string.h>

#include "base/arith.h"
#include "base/utf8.h"
#include "html_tables.h"

#define LEGACY_MIN 2 /* bytes of the names that need no semicolon */
#define LEGACY_MAX 6
#define NAME_MAX_SIZE 31

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static unsigned hex_digit(char c) /* 16: none */
{
    return is_digit(c)              ? (unsigned)(c - '0')
           : (c >= 'a' && c <= 'f') ? (unsigned)(c - 'a' + 10)
           : (c >= 'A' && c <= 'F') ? (unsigned)(c - 'A' + 10)
                                    : 16;
}

/* Index into entities, -1 when there is no such name. */
static int find(const char *name, size_t size)
{
    size_t low = 0, high = ENTITIES;
    if (size > NAME_MAX_SIZE)
        return -1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strncmp(entities[middle].name, name, size);
        if (order == 0)
            order = entities[middle].name[size] != '\0';
        if (order == 0)
            return (int)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

/* The number at text ("#65", "#x41"): its bytes without a semicolon, 0 when there is none. Numbers
 * past U+10FFFF are U+110000. */
static size_t number(const char *text, size_t size, uint32_t *value)
{
    if (size < 2 || text[0] != '#')
        return 0;
    bool hex = text[1] == 'x' || text[1] == 'X';
    unsigned base = hex ? 16 : 10, digit;
    size_t start = hex ? 2 : 1, end = start;
    *value = 0;
    for (; end < size && (digit = hex_digit(text[end])) < base; end++)
        *value = (uint32_t)akin_min(*value * base + digit, 0x110000);
    return end > start ? end : 0;
}

/* What the reference `c` means: UTF-8, NUL-terminated, maybe nothing. */
static void numeric_value(uint32_t c, char value[AKIN_ENTITY_VALUE_MAX])
{
    size_t size = 0;
    if (c == 0 || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
        c = 0xfffd;
    else if (c >= 0x80 && c <= 0x9f)
        c = c1_meanings[c - 0x80];
    bool invalid = (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7f ||
                   (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
    if (!invalid)
        size = akin_utf8_encode(c, value);
    value[size] = '\0';
}

bool akin_html_entity(const char *text, size_t size, char value[AKIN_ENTITY_VALUE_MAX])
{
    if (size < 3 || text[0] != '&' || text[size - 1] != ';')
        return false;
    const char *name = text + 1;
    size_t length = size - 2, sharp = name[0] == '#';
    if (length <= sharp || length - sharp > AKIN_ENTITY_MAX)
        return false;
    for (size_t i = sharp; i < length; i++)
        if (!is_alphanumeric(name[i]))
            return false;
    if (sharp) {
        uint32_t c;
        /* ftfy takes a semicolon in the result for one that was not decoded. */
        if (number(name, length, &c) != length || c == ';')
            return false;
        numeric_value(c, value);
        return true;
    }
    int entity = find(name, length);
    if (entity < 0)
        return false;
    memcpy(value, entities[entity].value, sizeof entities[entity].value);
    return true;
}

akin_status akin_html_unescape_entities(const char *text, size_t size, akin_buffer *out,
                                        akin_error *err)
{
    akin_status status = akin_buffer_reserve(out, size + size / 5 + 1, err);
    size_t done = 0;
    if (size == 0) /* then text may be NULL */
        return status;
    for (const char *at = text; status == AKIN_OK; at++) {
        char value[AKIN_ENTITY_VALUE_MAX];
        at = memchr(at, '&', size - (size_t)(at - text));
        if (at == NULL)
            break;
        size_t start = (size_t)(at - text), end = start + 1;
        end += end < size && text[end] == '#';
        while (end < size && end - start <= AKIN_ENTITY_MAX + 1 && is_alphanumeric(text[end]))
            end++;
        if (end == size || text[end] != ';' || !akin_html_entity(at, end + 1 - start, value))
            continue;
        status = akin_buffer_add(out, text + done, start - done, err);
        if (status == AKIN_OK)
            status = akin_buffer_add_text(out, value, err);
        done = end + 1;
        at = text + end;
    }
    return status == AKIN_OK ? akin_buffer_add(out, text + done, size - done, err) : status;
}

/* What html.unescape replaces at text, which follows an "&": returns its bytes, 0 for nothing. */
static size_t reference(const char *text, size_t size, char value[AKIN_ENTITY_VALUE_MAX])
{
    uint32_t c;
    size_t length = number(text, size, &c);
    if (length != 0) {
        numeric_value(c, value);
        return length + (length < size && text[length] == ';');
    }
    while (length < size && length <= NAME_MAX_SIZE && is_alphanumeric(text[length]))
        length++;
    int entity = length < size && text[length] == ';' ? find(text, length) : -1;
    if (entity >= 0 && (entities[entity].flags & HTML5) != 0) {
        memcpy(value, entities[entity].value, sizeof entities[entity].value);
        return length + 1;
    }
    for (length = akin_min(length, LEGACY_MAX); length >= LEGACY_MIN; length--) {
        entity = find(text, length);
        if (entity >= 0 && (entities[entity].flags & LEGACY) != 0) {
            memcpy(value, entities[entity].value, sizeof entities[entity].value);
            return length;
        }
    }
    return 0;
}

akin_status akin_html_unescape(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    akin_status status = akin_buffer_reserve(out, size + size / 5 + 1, err);
    size_t done = 0;
    for (const char *at = text; status == AKIN_OK; at++) {
        char value[AKIN_ENTITY_VALUE_MAX];
        at = size != 0 ? memchr(at, '&', size - (size_t)(at - text)) : NULL;
        if (at == NULL)
            break;
        size_t start = (size_t)(at - text);
        size_t length = reference(at + 1, size - start - 1, value);
        if (length == 0)
            continue;
        status = akin_buffer_add(out, text + done, start - done, err);
        if (status == AKIN_OK)
            status = akin_buffer_add_text(out, value, err);
        done = start + 1 + length;
        at = text + done - 1;
    }
    return status == AKIN_OK ? akin_buffer_add(out, text + done, size - done, err) : status;
}
