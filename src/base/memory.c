/* memory.c - growing arrays; large, aligned blocks of memory. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arith.h"

enum { smallest_array = 16 };

void *akin_grow(void *items, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return items;
    size_t doubled, bytes;
    if (!akin_mul(*capacity, 2, &doubled))
        return NULL;
    const size_t wanted = akin_max(akin_max(doubled, need), smallest_array);
    if (!akin_mul(wanted, size, &bytes))
        return NULL;
    void *grown = realloc(items, bytes);
    if (grown != NULL)
        *capacity = wanted;
    return grown;
}

enum { line = 64, large_page = 2 << 20, large_from = 4 << 20 };

void *akin_large_alloc(size_t bytes)
{
    const size_t unit = bytes >= large_from ? large_page : line;
    if (bytes > SIZE_MAX - unit)
        return NULL;
    bytes = akin_round_up(akin_max(bytes, 1), unit);
    void *p = aligned_alloc(unit, bytes);
    if (p != NULL && unit == large_page)
        (void)madvise(p, bytes, MADV_HUGEPAGE); /* advice: a system without them says no */
    return p;
}
