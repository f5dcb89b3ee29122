/* random.h - random numbers that are a function of what they are for, not of what was drawn before:
 * a run that is killed and resumed, or has other threads, draws the same.
 *
 * Source: Steele, Lea and Flood 2014 (SplitMix64).
 */
#ifndef AKIN_DATASET_RANDOM_H
#define AKIN_DATASET_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

typedef struct akin_random {
    uint64_t state;
} akin_random;

static inline uint64_t akin_random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The stream for (seed, a, b): step and place in the batch, say. */
static inline akin_random akin_random_of(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t x = akin_random_mix(seed + UINT64_C(0x9e3779b97f4a7c15));
    x = akin_random_mix(x ^ (a + UINT64_C(0x9e3779b97f4a7c15)));
    return (akin_random){ akin_random_mix(x ^ (b + UINT64_C(0xd1b54a32d192ed03))) };
}

static inline uint64_t akin_random_bits(akin_random *r)
{
    return akin_random_mix(r->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* Uniform in [0, 1), of 53 bits. */
static inline double akin_random_uniform(akin_random *r)
{
    return (double)(akin_random_bits(r) >> 11) * 0x1p-53;
}

/* Uniform in [low, high). */
static inline float akin_random_range(akin_random *r, double low, double high)
{
    return (float)(low + (high - low) * akin_random_uniform(r));
}

/* Uniform in [0, n), n > 0; the bias of n / 2^64 is nothing. */
static inline size_t akin_random_below(akin_random *r, size_t n)
{
    return (size_t)((__extension__(unsigned __int128)akin_random_bits(r) * n) >> 64);
}

/* Standard normal (Box and Muller 1958). */
static inline double akin_random_normal(akin_random *r)
{
    const double u = 1.0 - akin_random_uniform(r), v = akin_random_uniform(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

#endif
