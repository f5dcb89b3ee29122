/* failing_malloc.c - memory that runs out at the Nth request.
 *
 * On glibc malloc and its kin are defined here, in the program, so that every library's requests
 * come by. A sanitizer has its own malloc: there the linker's --wrap brings those of akin's objects
 * alone (AKIN_WRAP_MALLOC, set with the linker's options in CMakeLists.txt).
 */
#include "failing_malloc.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t requests, failing, live;
static atomic_bool fired;

void failing_malloc_arm(size_t nth)
{
    requests = 0;
    fired = false;
    failing = nth;
}

size_t failing_malloc_requests(void) { return requests; }
bool failing_malloc_fired(void) { return fired; }
size_t failing_malloc_live(void) { return live; }

static bool fails(void)
{
    size_t n = atomic_fetch_add(&requests, 1) + 1;
    if (n != failing)
        return false;
    fired = true;
    errno = ENOMEM;
    return true;
}

#pragma GCC visibility push(default) /* or the libraries would not see ours */
#ifdef AKIN_WRAP_MALLOC
#define OWN(name) __wrap_##name
#define SYSTEM(name) __real_##name
#define SYSTEM_MEMALIGN __real_aligned_alloc
#define COUNT(p) (p)
#else
#define OWN(name) name
#define SYSTEM(name) __libc_##name
#define SYSTEM_MEMALIGN __libc_memalign
#define COUNT(p) counted(p)
static void *counted(void *p)
{
    if (p != NULL)
        live++;
    return p;
}
#endif

void *SYSTEM(malloc)(size_t size);
void *SYSTEM(calloc)(size_t count, size_t size);
void *SYSTEM(realloc)(void *p, size_t size);
void *SYSTEM_MEMALIGN(size_t alignment, size_t size);
void *OWN(malloc)(size_t size);
void *OWN(calloc)(size_t count, size_t size);
void *OWN(realloc)(void *p, size_t size);
void *OWN(aligned_alloc)(size_t alignment, size_t size);

void *OWN(malloc)(size_t size) { return fails() ? NULL : COUNT(SYSTEM(malloc)(size)); }

void *OWN(calloc)(size_t count, size_t size)
{
    return fails() ? NULL : COUNT(SYSTEM(calloc)(count, size));
}

void *OWN(realloc)(void *p, size_t size)
{
    if (fails())
        return NULL;
    return p == NULL ? COUNT(SYSTEM(realloc)(p, size)) : SYSTEM(realloc)(p, size);
}

void *OWN(aligned_alloc)(size_t alignment, size_t size)
{
    return fails() ? NULL : COUNT(SYSTEM_MEMALIGN(alignment, size));
}

#ifdef AKIN_WRAP_MALLOC
/* What else akin calls that allocates: TYPE name(TYPES), with names for the arguments. */
#define WRAP(type, name, types, arguments) \
    type __real_##name types; \
    type __wrap_##name types; \
    type __wrap_##name types { return fails() ? NULL : __real_##name arguments; }
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))
WRAP(char *, realpath, (const char *path, char *out), (path, out))
WRAP(DIR *, opendir, (const char *path), (path))
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
#else
void __libc_free(void *p);

void free(void *p)
{
    if (p != NULL)
        live--;
    __libc_free(p);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *p = aligned_alloc(alignment, size);
    if (p == NULL)
        return ENOMEM;
    *out = p;
    return 0;
}

void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
#endif
