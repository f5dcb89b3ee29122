/* base64.c - bytes as base64 text. */
#include "base64.h"

#include <stdint.h>

size_t akin_base64(const void *bytes, size_t size, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    char *to = out;
    for (size_t i = 0; i < size; i += 3, to += 4) {
        size_t left = size - i;
        unsigned v = (unsigned)from[i] << 16;
        v |= left > 1 ? (unsigned)from[i + 1] << 8 : 0;
        v |= left > 2 ? from[i + 2] : 0;
        to[0] = digits[v >> 18];
        to[1] = digits[v >> 12 & 63];
        to[2] = left > 1 ? digits[v >> 6 & 63] : '=';
        to[3] = left > 2 ? digits[v & 63] : '=';
    }
    return (size_t)(to - out);
}
