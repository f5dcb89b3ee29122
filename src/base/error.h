/* error.h - filling in an akin_error, and the one macro that propagates it. */
#ifndef AKIN_BASE_ERROR_H
#define AKIN_BASE_ERROR_H

#include <stddef.h>

#include "akin_error.h"

/* Fills *err (which may be NULL) and returns `status`, so that a check reads
 *     return akin_fail(err, AKIN_E_CORRUPT, path, "tensor '%s': ...", name);
 * `path` may be NULL: the error then concerns no file. */
akin_status akin_fail(akin_error *err, akin_status status, const char *path,
                      const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same from an errno value: picks NOT_FOUND, PERMISSION, NOT_A_FILE, NOMEM or IO, and appends
 * errno's text to `what` ("cannot open"). */
akin_status akin_fail_errno(akin_error *err, int error_number, const char *path, const char *what);

/* Out of memory while making `what` (`bytes` of it, 0 when unknown). */
akin_status akin_fail_nomem(akin_error *err, const char *what, size_t bytes);

/* Needs `akin_status status` and a label `out:` in scope; one such label a function. */
#define AKIN_TRY(call)             \
    do {                           \
        status = (call);           \
        if (status != AKIN_OK)     \
            goto out;              \
    } while (0)

#endif
