/* metadata.h - what a picture file says of itself: when, where and with what it was taken, and the
 * words people put into it. EXIF (2.32), XMP by expat, from JPEG, PNG, WebP, TIFF, HEIC/AVIF and
 * raw photographs. Never fails: what cannot be read is absent. Everything here is hostile text.
 */
#ifndef AKIN_IMAGE_METADATA_H
#define AKIN_IMAGE_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Most tags; most bytes of a caption or title, and of a tag. Further tags are left out; longer text
 * is cut between characters. */
enum { AKIN_METADATA_TAGS = 256, AKIN_METADATA_TEXT = 16384, AKIN_METADATA_TAG = 256 };

/* Strings are UTF-8, without control characters but \n (in captions alone), without blanks around
 * them, never empty but where "" is unknown, and owned. */
typedef struct akin_metadata {
    char taken_at[32]; /* "2023-06-15T14:03:22", the wall clock of the place; "" when unknown:
                          DateTimeOriginal, else DateTimeDigitized, else XMP's
                          exif:DateTimeOriginal, photoshop:DateCreated, xmp:CreateDate. Never
                          DateTime, which is when the file was changed last. Dates that do not
                          exist are unknown */
    char offset[8];    /* "+02:00" when the file says, else "" */
    char camera[128];  /* "Make Model", the make not twice ("Canon EOS R5"); "" when unknown */
    bool has_position;
    double latitude, longitude; /* degrees; north and east positive */
    char *caption;     /* dc:description (x-default, else the first), else EXIF ImageDescription
                          that is not the name of a camera's program; NULL: none */
    char *title;       /* dc:title */
    char **tags;       /* dc:subject and lr:hierarchicalSubject's leaves, each once, in order */
    size_t tag_count;
} akin_metadata;

/* Reads bytes[0..size) of a picture file. *out is always initialised; the caller clears it. The
 * only error is AKIN_E_NOMEM. docs/metadata.md says which field comes from where. */
akin_status akin_metadata_read(akin_metadata *out, const void *bytes, size_t size,
                               akin_error *err);

/* Adds what an XMP document (a sidecar) says: its words win over what is there (its tags come
 * before those that are there), its date, camera and position fill in what is missing. A document
 * that is not XML adds nothing. */
akin_status akin_metadata_add_xmp(akin_metadata *m, const void *bytes, size_t size,
                                  akin_error *err);

/* The same, but says why a document adds nothing: AKIN_E_FORMAT (not well-formed XML), AKIN_E_LIMIT
 * (larger than 4 MiB, or nested deeper than 64), AKIN_E_UNSAFE (a document type). */
akin_status akin_metadata_parse_xmp(akin_metadata *m, const void *bytes, size_t size,
                                    akin_error *err);

/* Sets taken_at and offset from a date as EXIF or XMP writes it ("2023-06-15T14:03:22+02:00"; the
 * day is enough, what is left of it is midnight). False, and nothing is set, when it is none. */
bool akin_metadata_set_date(akin_metadata *m, const char *text);

/* Sets the position when it exists on earth. 0, 0 is what devices write that have none: false. */
bool akin_metadata_set_position(akin_metadata *m, double latitude, double longitude);

/* Sets a text (caption, title: one of m's) to a cleaned copy; what has no text in it leaves it. */
akin_status akin_metadata_set_text(char **text, const char *bytes, size_t size, bool lines,
                                   akin_error *err);

/* Adds a tag, cleaned, unless it is there or there are AKIN_METADATA_TAGS. */
akin_status akin_metadata_add_tag(akin_metadata *m, const char *text, size_t size,
                                  akin_error *err);

void akin_metadata_clear(akin_metadata *m);

#endif
