/* memory.c - large, aligned blocks of memory. */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "arith.h"

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
