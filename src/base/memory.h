/* memory.h - large, aligned blocks of memory. */
#ifndef AKIN_BASE_MEMORY_H
#define AKIN_BASE_MEMORY_H

#include <stddef.h>

/* `bytes` uninitialised, aligned to 64 bytes at least; given back with free(). NULL when out of
 * memory. From a few MiB on the system is asked for large pages: the weights of ViT-B/32 are
 * otherwise 150,000 pages, each faulted in when it is first written (loading took a fifth longer)
 * and each a translation to look up again at every pass (products ran 2 % slower). */
void *akin_large_alloc(size_t bytes);

#endif
