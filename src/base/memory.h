/* memory.h - growing arrays; large, aligned blocks of memory. */
#ifndef AKIN_BASE_MEMORY_H
#define AKIN_BASE_MEMORY_H

#include <stddef.h>

/* A growing array: `items` itself when *capacity holds `need` items of `size` bytes, else a larger
 * copy of it (at least doubled; what is new is uninitialised) and its *capacity. NULL when out of
 * memory or when the bytes cannot be counted: items is then as it was. Given back with free(). */
void *akin_grow(void *items, size_t *capacity, size_t need, size_t size);

/* `bytes` uninitialised, aligned to 64 bytes at least; given back with free(). NULL when out of
 * memory. From a few MiB on the system is asked for large pages: the weights of ViT-B/32 are
 * otherwise 150,000 pages, each faulted in when it is first written (loading took a fifth longer)
 * and each a translation to look up again at every pass (products ran 2 % slower). */
void *akin_large_alloc(size_t bytes);

#endif
