/* metadata_parts.h - what the files that make an akin_metadata share: where its sources lie in a
 * file, and what becomes of the text in them. */
#ifndef AKIN_IMAGE_METADATA_PARTS_H
#define AKIN_IMAGE_METADATA_PARTS_H

#include "base/buffer.h"
#include "metadata.h"

/* Largest XMP packet that is read, and largest block that has to be put together from pieces. */
#define AKIN_METADATA_BLOCK ((size_t)4 << 20)

typedef struct akin_block {
    const uint8_t *data; /* NULL: none */
    size_t size;
} akin_block;

/* Borrowed from the file, or from `own`. */
typedef struct akin_metadata_blocks {
    akin_block exif;   /* a TIFF header, before it up to two "Exif\0\0" */
    akin_block fields; /* of a CR3: the same, but the first directory is the EXIF one, */
    akin_block gps;    /* or the GPS one */
    akin_block xmp;
    akin_block xmp_extension; /* what did not fit a JPEG's XMP segment: a document of its own */
    akin_buffer own[2];       /* of exif; of xmp or its extension */
} akin_metadata_blocks;

/* Finds the blocks of a picture file, by its bytes. *out is always initialised. Errors:
 * AKIN_E_NOMEM. */
akin_status akin_metadata_find(akin_metadata_blocks *out, const uint8_t *data, size_t size,
                               akin_error *err);
void akin_metadata_blocks_clear(akin_metadata_blocks *blocks);

/* Reads the EXIF fields into m, which is empty. *xmp: the packet in the first directory (tag 700).
 * Errors: AKIN_E_NOMEM. */
akin_status akin_exif_fields(akin_metadata *m, const akin_metadata_blocks *blocks, akin_block *xmp,
                             akin_error *err);

/* ---- text */

/* Text as akin_metadata has it: up to the first NUL; UTF-8, or Latin-1 where it is not; without
 * control characters (lines: but \n) and blanks around it; of at most max bytes, cut between
 * characters. *out is NULL when nothing is left. Errors: AKIN_E_NOMEM. */
akin_status akin_metadata_text(const void *bytes, size_t size, size_t max, bool lines, char **out,
                               akin_error *err);

/* The same from UTF-16. A byte order mark decides, else big_endian. */
akin_status akin_metadata_text16(const uint8_t *bytes, size_t size, bool big_endian, size_t max,
                                 bool lines, char **out, akin_error *err);

/* Whether a description is the name of a camera's program, or a program's own data. */
bool akin_metadata_is_junk(const char *text);

/* "2023:06:15 14:03:22", "2023-06-15T14:03:22.50+02:00", with or without time, seconds, fraction
 * and zone. False when it is no date, or one that does not exist. */
bool akin_metadata_date(const char *text, char taken_at[32], char offset[8]);

/* "+02:00", "Z"; false, and "", when it is none. */
bool akin_metadata_offset(const char *text, char offset[8]);

/* "Make Model"; either may be NULL. */
void akin_metadata_camera(const char *make, const char *model, char out[128]);

#endif
