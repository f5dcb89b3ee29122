/* hash.h - SHA-256 of bytes, by libcrypto. */
#ifndef AKIN_BASE_HASH_H
#define AKIN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { AKIN_HASH_BYTES = 32, AKIN_HASH_HEX = 2 * AKIN_HASH_BYTES + 1 };

akin_status akin_sha256(const void *bytes, size_t size, uint8_t out[AKIN_HASH_BYTES],
                        akin_error *err);

/* The same in pieces. One thread at a time. end may be left out; free takes NULL. */
typedef struct akin_hasher akin_hasher;
akin_status akin_hasher_new(akin_hasher **out, akin_error *err);
akin_status akin_hasher_add(akin_hasher *hasher, const void *bytes, size_t size, akin_error *err);
akin_status akin_hasher_end(akin_hasher *hasher, uint8_t out[AKIN_HASH_BYTES], akin_error *err);
void akin_hasher_free(akin_hasher *hasher);

/* Lower-case hexadecimal digits and a NUL: out has room for 2 * size + 1. */
void akin_hex(const uint8_t *bytes, size_t size, char *out);

#endif
