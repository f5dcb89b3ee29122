/* failing_malloc.h - memory that runs out at the Nth request. */
#ifndef AKIN_TESTS_FAILING_MALLOC_H
#define AKIN_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From here on the nth request (1: the next) fails, and only that one; 0: none does. */
void failing_malloc_arm(size_t nth);

/* Requests since then, and whether one was failed. */
size_t failing_malloc_requests(void);
bool failing_malloc_fired(void);

/* Blocks that are in use; 0 where that is not counted. Under a sanitizer only the requests of
 * akin's own objects pass through here (the sanitizer owns malloc, and finds leaks itself);
 * elsewhere those of all libraries do. */
size_t failing_malloc_live(void);

#endif
