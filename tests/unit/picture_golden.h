/* picture_golden.h - the hash and the pseudo-random bytes of tools/oracle/pictures.py. */
#ifndef AKIN_TESTS_PICTURE_GOLDEN_H
#define AKIN_TESTS_PICTURE_GOLDEN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FNV_START 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

/* FNV-1a over little-endian 64-bit words in four lanes (word i to lane i % 4, the rest padded with
 * zeros), then over the bytes of the lanes. As 16 hexadecimal digits. */
static inline const char *golden_hash(const void *data, size_t size, char out[17])
{
    uint64_t lanes[4] = { FNV_START, FNV_START, FNV_START, FNV_START };
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size || i % 32 != 0; i += 8) {
        uint64_t word = 0;
        for (size_t k = 0; k < 8 && i + k < size; k++)
            word |= (uint64_t)bytes[i + k] << (8 * k);
        lanes[i / 8 % 4] = (lanes[i / 8 % 4] ^ word) * FNV_PRIME;
    }
    uint64_t hash = FNV_START;
    for (int i = 0; i < 32; i++)
        hash = (hash ^ (lanes[i / 8] >> (8 * (i % 8)) & 255)) * FNV_PRIME;
    snprintf(out, 17, "%016llx", (unsigned long long)hash);
    return out;
}

/* Byte i of the stream: the top byte of output i of splitmix64. */
static inline uint8_t golden_byte(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return (uint8_t)((z ^ z >> 31) >> 56);
}

#endif
