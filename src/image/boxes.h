/* boxes.h - the boxes of ISO/IEC 14496-12, which HEIC, AVIF and Canon's CR3 are made of. */
#ifndef AKIN_IMAGE_BOXES_H
#define AKIN_IMAGE_BOXES_H

#include "base/cursor.h"

/* The name of a box. */
#define AKIN_BOX(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* A big-endian number of `count` bytes, 8 at most. */
static inline bool akin_get_big(akin_cursor *c, unsigned count, uint64_t *out)
{
    const uint8_t *p = NULL;
    if (!akin_cursor_bytes(c, count, &p))
        return false;
    *out = 0;
    for (unsigned i = 0; i < count; i++)
        *out = *out << 8 | p[i];
    return true;
}

/* The next box; one that is longer than what holds it ends there. */
static inline bool akin_next_box(akin_cursor *c, uint32_t *type, akin_cursor *payload)
{
    uint64_t size, name, header = 8;
    const uint8_t *data = NULL;
    if (!akin_get_big(c, 4, &size) || !akin_get_big(c, 4, &name))
        return false;
    if (size == 1) {
        header = 16;
        if (!akin_get_big(c, 8, &size))
            return false;
    } else if (size == 0) {
        size = UINT64_MAX;
    }
    if (size < header)
        return false;
    size = size - header < akin_cursor_left(c) ? size - header : akin_cursor_left(c);
    akin_cursor_bytes(c, size, &data);
    *type = (uint32_t)name;
    *payload = akin_cursor_over(data, (size_t)size);
    return true;
}

#endif
