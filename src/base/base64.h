/* base64.h - bytes as base64 text (RFC 4648, with padding). */
#ifndef AKIN_BASE_BASE64_H
#define AKIN_BASE_BASE64_H

#include <stddef.h>

/* Characters that `size` bytes take; size <= SIZE_MAX / 2. */
static inline size_t akin_base64_size(size_t size) { return (size + 2) / 3 * 4; }

/* Writes akin_base64_size(size) characters to out, no NUL; returns how many. Pieces that are
 * multiples of 3 bytes can be written one behind the other. */
size_t akin_base64(const void *bytes, size_t size, char *out);

#endif
