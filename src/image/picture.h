/* picture.h - bytes of a picture file to RGB pixels, equal to Pillow's.
 *
 * Reference: Pillow 13.0.0, ImageOps.exif_transpose(Image.open(path)) followed by the conversion to
 * RGB that transformers 5.23.0 does first (CLIPImageProcessorPil: alpha and tRNS composited over
 * white). Reads JPEG and PNG. Where the reference plainly damages a picture (16-bit grey saturated,
 * tRNS compared at the wrong depth) akin does the right thing; docs/pictures.md lists it.
 */
#ifndef AKIN_IMAGE_PICTURE_H
#define AKIN_IMAGE_PICTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* 8-bit RGB, row-major [height, width, 3], rows without padding, orientation already applied.
 * The owner calls akin_picture_clear. */
typedef struct akin_picture {
    int width;
    int height;
    uint8_t *pixels;
} akin_picture;

/* What a picture may cost, checked before the memory is allocated. */
typedef struct akin_picture_limits {
    size_t file_bytes;   /* largest file read */
    size_t memory_bytes; /* most memory a picture may need at once: decoded pixels, the decoder's
                            own buffers (a progressive JPEG keeps all coefficients) and the copy
                            that orientation or conversion makes */
} akin_picture_limits;

/* 256 MiB of file, 2 GiB of memory: a 500-megapixel baseline JPEG passes, a PNG that promises
 * 60,000 x 60,000 does not. */
akin_picture_limits akin_picture_default_limits(void);

/* Decodes bytes[0..size). `path` is for messages; NULL limits are the default ones. AKIN_E_FORMAT:
 * not a picture akin reads (names what it looks like); AKIN_E_TRUNCATED, AKIN_E_CORRUPT as in
 * Pillow: a premature end is an error, libjpeg's warnings are not, PNG's end chunk is not required;
 * AKIN_E_LIMIT says how much memory the picture needs and which option raises the limit. */
akin_status akin_picture_decode(akin_picture *out, const void *bytes, size_t size, const char *path,
                                const akin_picture_limits *limits, akin_error *err);
akin_status akin_picture_read(akin_picture *out, const char *path,
                              const akin_picture_limits *limits, akin_error *err);
void akin_picture_clear(akin_picture *picture);

#endif
