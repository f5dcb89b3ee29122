/* clock.h - seconds that only go forward; a file's times as one number. */
#ifndef AKIN_BASE_CLOCK_H
#define AKIN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Seconds of a clock that only goes forward. */
static inline double akin_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Nanoseconds since 1970. Unsigned on the way: a file system may claim any second. */
static inline int64_t akin_nanoseconds(struct timespec t)
{
    return (int64_t)((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

#endif
