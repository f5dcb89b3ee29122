/* half.h - IEEE 754 half precision, one number at a time. Kernels have the processor's own. */
#ifndef AKIN_BASE_HALF_H
#define AKIN_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float akin_half_to_float(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, rest = half & 0x7fffu;
    uint32_t bits;
    float value;
    if (rest >= 0x7c00u) {
        bits = sign | 0x7f800000u | (rest & 0x3ffu) << 13;
    } else if (rest >= 0x400u) {
        bits = sign | ((rest << 13) + ((127u - 15u) << 23));
    } else {
        value = (float)rest * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest, ties to even; what is too large becomes infinity, NaN stays one. */
static inline uint16_t akin_float_to_half(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (bits >= 0x47800000u) /* 65536 and more */
        return (uint16_t)(sign | 0x7c00u);
    if (bits < 0x38800000u) { /* below 2^-14: a multiple of 2^-24, rounded by the addition */
        float shifted;
        memcpy(&shifted, &bits, sizeof shifted);
        shifted += 0.5f; /* its last mantissa bit is 2^-24 */
        memcpy(&bits, &shifted, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    bits += 0xfffu + (bits >> 13 & 1u); /* 65520 and more carry into the exponent of infinity */
    return (uint16_t)(sign | ((bits - ((127u - 15u) << 23)) >> 13));
}

#endif
