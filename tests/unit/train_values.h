/* train_values.h - numbers that tools/oracle/train_values.py makes too. */
#ifndef AKIN_TESTS_TRAIN_VALUES_H
#define AKIN_TESTS_TRAIN_VALUES_H

#include <stddef.h>
#include <stdint.h>

/* Number i of the stream: in [-1, 1), exact in float32. */
static inline float train_value(uint32_t seed, size_t i)
{
    uint32_t x = (uint32_t)i + 1u + 1000003u * seed;
    x *= 2654435761u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    return (float)(x >> 8) / 8388608.0f - 1.0f;
}

#endif
