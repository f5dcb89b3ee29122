/* utf8.c - strict UTF-8 (RFC 3629). */
#include "utf8.h"

#include <string.h>

size_t akin_utf8_decode(const char *text, size_t size, uint32_t *out)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *out = s[0];
        return 1;
    }
    size_t length;
    uint32_t c, smallest;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        length = 2, c = s[0] & 0x1fu, smallest = 0x80;
    else if ((s[0] & 0xf0) == 0xe0)
        length = 3, c = s[0] & 0x0fu, smallest = 0x800;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        length = 4, c = s[0] & 0x07u, smallest = 0x10000;
    else
        return 0;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < smallest || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *out = c;
    return length;
}

size_t akin_utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

bool akin_utf8_valid(const char *text, size_t size, size_t *offset)
{
    for (size_t i = 0; i < size;) {
        uint64_t eight;
        if (size - i >= sizeof eight) { /* most text is ASCII */
            memcpy(&eight, text + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        uint32_t c;
        size_t n = akin_utf8_decode(text + i, size - i, &c);
        if (n == 0) {
            if (offset != NULL)
                *offset = i;
            return false;
        }
        i += n;
    }
    return true;
}

bool akin_utf8_unseen(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}
