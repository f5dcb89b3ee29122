/* jpeg_segments.h - the segments of a JPEG file before its first scan, walked as Pillow 13.0.0
 * walks them. */
#ifndef AKIN_IMAGE_JPEG_SEGMENTS_H
#define AKIN_IMAGE_JPEG_SEGMENTS_H

#include "base/buffer.h"
#include "base/cursor.h"

typedef struct akin_jpeg_walk {
    akin_cursor at;
    bool begun;
} akin_jpeg_walk;

/* Of a file that begins with FF D8 FF. */
akin_jpeg_walk akin_jpeg_walk_over(const uint8_t *data, size_t size);

/* The next segment that has a length, its payload borrowed; false before the first scan, and where
 * the file ends. */
bool akin_jpeg_next(akin_jpeg_walk *walk, uint8_t *marker, const uint8_t **payload, size_t *size);

/* The EXIF block (of several segments, all of them joined; with "Exif\0\0" before it) and the last
 * XMP packet; NULL: none. Borrowed from the file or from `joined`, which the caller has initialised
 * and clears. */
typedef struct akin_jpeg_metadata {
    const uint8_t *exif, *xmp;
    size_t exif_size, xmp_size;
} akin_jpeg_metadata;

/* Errors: AKIN_E_NOMEM; AKIN_E_LIMIT by the maximum of `joined`. */
akin_status akin_jpeg_metadata_find(akin_jpeg_metadata *out, const uint8_t *data, size_t size,
                                    akin_buffer *joined, akin_error *err);

#endif
