/* metadata.h - what a picture file says of itself: when, where and with what it was taken, and the
 * words people put into it. EXIF (2.32), XMP by expat, from JPEG, PNG, WebP, TIFF, HEIC/AVIF and raw
 * photographs. Never fails: what cannot be read is absent. Everything here is hostile text.
 */
#ifndef AKIN_IMAGE_METADATA_H
#define AKIN_IMAGE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { AKIN_METADATA_TAGS = 256, AKIN_METADATA_TEXT = 16384 };

/* Strings are UTF-8, without control characters but \n, and owned. */
typedef struct akin_metadata {
    char taken_at[32]; /* "2023-06-15T14:03:22", the wall clock of the place; "" when unknown:
                          DateTimeOriginal, else DateTimeDigitized, else XMP's exif:DateTimeOriginal,
                          photoshop:DateCreated, xmp:CreateDate. Never DateTime, which is when the
                          file was changed last. Dates that do not exist are unknown */
    char offset[8];    /* "+02:00" when the file says, else "" */
    char camera[128];  /* "Make Model", the make not twice ("Canon EOS R5"); "" when unknown */
    bool has_position;
    double latitude, longitude; /* degrees; north and east positive */
    char *caption;     /* dc:description (x-default, else the first), else EXIF ImageDescription that
                          is not the name of a camera's program; NULL: none */
    char *title;       /* dc:title */
    char **tags;       /* dc:subject and lr:hierarchicalSubject's leaves, each once, in order */
    size_t tag_count;
} akin_metadata;

/* Reads bytes[0..size) of a picture file. *out is always initialised; the caller clears it. The only
 * error is AKIN_E_NOMEM. */
akin_status akin_metadata_read(akin_metadata *out, const void *bytes, size_t size, akin_error *err);

/* Adds what an XMP document (a sidecar) says: its words win over what is there, its date, camera and
 * position fill in what is missing. A document that is not XML adds nothing. */
akin_status akin_metadata_add_xmp(akin_metadata *m, const void *bytes, size_t size,
                                  akin_error *err);
void akin_metadata_clear(akin_metadata *m);

#endif
