/* cursor.h - bounded reading of little-endian fields from untrusted bytes.
 *
 * A read past the end returns false, moves nothing and leaves *out alone: check every call. The
 * bytes are borrowed. Written once, here, because a bounds check that is copied gets fixed in one
 * copy only.
 */
#ifndef AKIN_BASE_CURSOR_H
#define AKIN_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct akin_cursor {
    const uint8_t *data;
    size_t size;
    size_t pos; /* pos <= size always */
} akin_cursor;

static inline akin_cursor akin_cursor_over(const void *data, size_t size)
{
    return (akin_cursor){ data, size, 0 };
}

static inline size_t akin_cursor_left(const akin_cursor *c) { return c->size - c->pos; }

static inline bool akin_cursor_seek(akin_cursor *c, uint64_t pos)
{
    if (pos > c->size)
        return false;
    c->pos = (size_t)pos;
    return true;
}

/* The next n bytes, borrowed. */
static inline bool akin_cursor_bytes(akin_cursor *c, uint64_t n, const uint8_t **out)
{
    if (n > c->size - c->pos)
        return false;
    *out = c->data + c->pos;
    c->pos += (size_t)n;
    return true;
}

static inline bool akin_cursor_skip(akin_cursor *c, uint64_t n)
{
    const uint8_t *ignored;
    return akin_cursor_bytes(c, n, &ignored);
}

static inline bool akin_cursor_u8(akin_cursor *c, uint8_t *out)
{
    const uint8_t *p;
    if (!akin_cursor_bytes(c, 1, &p))
        return false;
    *out = p[0];
    return true;
}

static inline bool akin_cursor_u16(akin_cursor *c, uint16_t *out)
{
    const uint8_t *p;
    if (!akin_cursor_bytes(c, 2, &p))
        return false;
    *out = (uint16_t)(p[0] | p[1] << 8);
    return true;
}

static inline bool akin_cursor_u32(akin_cursor *c, uint32_t *out)
{
    const uint8_t *p;
    if (!akin_cursor_bytes(c, 4, &p))
        return false;
    *out = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return true;
}

static inline bool akin_cursor_u64(akin_cursor *c, uint64_t *out)
{
    const uint8_t *p;
    if (!akin_cursor_bytes(c, 8, &p))
        return false;
    *out = 0;
    for (int i = 7; i >= 0; i--)
        *out = *out << 8 | p[i];
    return true;
}

#endif
