/* fuzz.h - what the fuzz targets share.
 *
 * A target is one file with LLVMFuzzerTestOneInput, which asserts properties of whatever the bytes
 * make the library do: a failure has a code and a message, a success keeps what the header
 * promises. libFuzzer drives it (`make fuzz`); replay.c runs it over the committed corpus under any
 * compiler (`make check`).
 */
#ifndef AKIN_FUZZ_H
#define AKIN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property; not assert(), which a release build leaves out. */
#define HOLDS(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                  \
        }                                                                             \
    } while (0)

/* Of every call: the status returned is the one in err, and a failure says why. */
static inline akin_status judged(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK) {
        HOLDS(err->code == status);
        HOLDS(err->message[0] != '\0');
    }
    return status;
}

/* Inputs that are several files in one: a line "#### NAME" begins each, NAME being one of `names`;
 * what stands before the first such line is the file names[0]. They are written into a folder of
 * their own in memory (TMPDIR, else /dev/shm, else /tmp), where files of the input before are
 * removed. `names` stays where it is. Returns the folder's path: static. */
const char *fuzz_folder(const uint8_t *data, size_t size, const char *const *names, size_t count);

#endif
