/* bf16.h - rounding to bfloat16, the upper half of a float, one number at a time. */
#ifndef AKIN_CPU_BF16_H
#define AKIN_CPU_BF16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The nearest bf16, ties to even, as a float; a NaN stays one. */
static inline float akin_round_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
    const uint32_t quiet = (bits | 0x400000u) & 0xffff0000u;
    bits = (bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
