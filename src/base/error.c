/* error.c - status names and the filling in of errors. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *akin_status_name(akin_status status)
{
    switch (status) {
    case AKIN_OK: return "ok";
    case AKIN_E_ARGUMENT: return "argument";
    case AKIN_E_CAPACITY: return "capacity";
    case AKIN_E_UNSUPPORTED: return "unsupported";
    case AKIN_E_NOMEM: return "no-memory";
    case AKIN_E_IO: return "io";
    case AKIN_E_NOT_FOUND: return "not-found";
    case AKIN_E_PERMISSION: return "permission";
    case AKIN_E_NOT_A_FILE: return "not-a-file";
    case AKIN_E_BUSY: return "busy";
    case AKIN_E_STOPPED: return "stopped";
    case AKIN_E_FORMAT: return "format";
    case AKIN_E_TRUNCATED: return "truncated";
    case AKIN_E_CORRUPT: return "corrupt";
    case AKIN_E_LIMIT: return "limit";
    case AKIN_E_UNSAFE: return "unsafe";
    case AKIN_E_CONFIG: return "config";
    case AKIN_E_TENSOR_MISSING: return "tensor-missing";
    case AKIN_E_TENSOR_EXTRA: return "tensor-extra";
    case AKIN_E_TENSOR_SHAPE: return "tensor-shape";
    case AKIN_E_TENSOR_DTYPE: return "tensor-dtype";
    case AKIN_E_NONFINITE: return "non-finite";
    case AKIN_E_UTF8: return "utf8";
    case AKIN_E_TOKENIZER: return "tokenizer";
    }
    return "unknown";
}

/* Marks a text that did not fit, so that nobody takes the rest for the whole. */
static void mark_cut(char *text, size_t capacity, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= capacity)
        memcpy(text + capacity - 4, "...", 4);
}

akin_status akin_fail(akin_error *err, akin_status status, const char *path,
                      const char *format, ...)
{
    if (err == NULL)
        return status;
    err->code = status;
    mark_cut(err->path, sizeof err->path,
             snprintf(err->path, sizeof err->path, "%s", path != NULL ? path : ""));
    va_list args;
    va_start(args, format);
    mark_cut(err->message, sizeof err->message,
             vsnprintf(err->message, sizeof err->message, format, args));
    va_end(args);
    return status;
}

akin_status akin_fail_errno(akin_error *err, int error_number, const char *path, const char *what)
{
    akin_status status = AKIN_E_IO;
    switch (error_number) {
    case ENOENT:
    case ENOTDIR: status = AKIN_E_NOT_FOUND; break;
    case EACCES:
    case EPERM: status = AKIN_E_PERMISSION; break;
    case EISDIR: status = AKIN_E_NOT_A_FILE; break;
    case ENOMEM: status = AKIN_E_NOMEM; break;
    }
    char text[128];
    /* _GNU_SOURCE: the strerror_r that returns a pointer; strerror itself is not thread-safe. */
    return akin_fail(err, status, path, "%s: %s", what,
                     strerror_r(error_number, text, sizeof text));
}

akin_status akin_fail_nomem(akin_error *err, const char *what, size_t bytes)
{
    if (bytes == 0)
        return akin_fail(err, AKIN_E_NOMEM, NULL, "out of memory: %s", what);
    return akin_fail(err, AKIN_E_NOMEM, NULL, "out of memory: %s needs %zu bytes", what, bytes);
}
