/* folder.h - a folder of a test's own. */
#ifndef AKIN_TESTS_FOLDER_H
#define AKIN_TESTS_FOLDER_H

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline int folder_remove_one(const char *path, const struct stat *st, int kind,
                                    struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* With all below it; links are removed, not followed. 0, or -1 and errno. */
static inline int folder_remove(const char *path)
{
    return nftw(path, folder_remove_one, 64, FTW_DEPTH | FTW_PHYS);
}

/* Makes one in TMPDIR or /tmp, without links in its path: out is what has to be removed. 0 or -1.
 */
static inline int folder_make(char *out, size_t capacity, const char *name)
{
    char path[PATH_MAX], real[PATH_MAX];
    const char *tmp = getenv("TMPDIR");
    snprintf(path, sizeof path, "%.4000s/akin-%.32s-XXXXXX",
             tmp != NULL && tmp[0] == '/' ? tmp : "/tmp", name);
    if (mkdtemp(path) == NULL || realpath(path, real) == NULL)
        return -1;
    const int n = snprintf(out, capacity, "%s", real);
    return n > 0 && (size_t)n < capacity ? 0 : -1;
}

#endif
