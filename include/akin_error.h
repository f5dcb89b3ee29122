/* akin_error.h - the one status enum and the error a caller owns.
 *
 * Part of the public interface (akin.h includes it); a header of its own so that the rooms under
 * src/ can report errors without seeing the rest of the public interface.
 */
#ifndef AKIN_ERROR_H
#define AKIN_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers are pinned: a released one never changes and is never reused. Groups leave gaps. */
typedef enum akin_status {
    AKIN_OK = 0,

    /* 10-19: what the caller asked for */
    AKIN_E_ARGUMENT = 10,    /* an argument, flag or option is out of its range */
    AKIN_E_CAPACITY = 11,    /* the caller's buffer is too small for the answer */
    AKIN_E_UNSUPPORTED = 12, /* well-formed, but nothing in this build can do it */

    /* 20-29: what the machine said */
    AKIN_E_NOMEM = 20,
    AKIN_E_IO = 21,         /* a read or write failed; the message carries errno's text */
    AKIN_E_NOT_FOUND = 22,
    AKIN_E_PERMISSION = 23,
    AKIN_E_NOT_A_FILE = 24, /* a directory, socket, device where a regular file is needed */
    AKIN_E_BUSY = 25,       /* another process holds it; the message says which */
    AKIN_E_STOPPED = 26,    /* the caller asked to stop; what was done is kept */

    /* 30-39: what a file's bytes say, whatever its kind */
    AKIN_E_FORMAT = 30,    /* not the format it should be, or one akin does not read */
    AKIN_E_TRUNCATED = 31, /* ends before its own headers say it does */
    AKIN_E_CORRUPT = 32,   /* contradicts itself */
    AKIN_E_LIMIT = 33,     /* needs more than a named, settable limit allows */
    AKIN_E_UNSAFE = 34,    /* asks for something akin will not do: run code, leave its folder */

    /* 40-49: a checkpoint against its model */
    AKIN_E_CONFIG = 40,         /* a configuration field is missing, mistyped or impossible */
    AKIN_E_TENSOR_MISSING = 41,
    AKIN_E_TENSOR_EXTRA = 42,
    AKIN_E_TENSOR_SHAPE = 43,
    AKIN_E_TENSOR_DTYPE = 44,
    AKIN_E_NONFINITE = 45,      /* a NaN or infinity where a number must be */

    /* 50-59: text */
    AKIN_E_UTF8 = 50,      /* input is not UTF-8; the message gives the byte offset */
    AKIN_E_TOKENIZER = 51  /* a tokenizer file is inconsistent or of a kind akin does not read */
} akin_status;

/* An error, filled in by the call that failed and owned by the caller. `path` names the file
 * concerned ("" when none is); `message` names the tensor, field or flag and what to do, without
 * repeating the path. Both are NUL-terminated UTF-8 or raw file-name bytes; a message that does
 * not fit ends in "...". Every function that takes one accepts NULL. */
typedef struct akin_error {
    akin_status code;
    char message[1020];
    char path[4096];
} akin_error;

/* The symbolic name of a status, "tensor-missing" for AKIN_E_TENSOR_MISSING. Static; never NULL. */
__attribute__((visibility("default"))) const char *akin_status_name(akin_status status);

#ifdef __cplusplus
}
#endif
#endif
