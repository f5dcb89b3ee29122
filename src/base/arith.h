/* arith.h - size arithmetic that cannot wrap. Each returns false on overflow and leaves *out
 * alone. */
#ifndef AKIN_BASE_ARITH_H
#define AKIN_BASE_ARITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool akin_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

static inline bool akin_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

static inline size_t akin_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t akin_max(size_t a, size_t b) { return a > b ? a : b; }

/* a / b rounded up; b > 0, and the caller knows that a + b cannot wrap. */
static inline size_t akin_ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

/* a rounded up to a multiple of `unit`; the caller knows that it cannot wrap. */
static inline size_t akin_round_up(size_t a, size_t unit) { return (a + unit - 1) / unit * unit; }

#endif
