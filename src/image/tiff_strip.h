/* tiff_strip.h - the compressed bytes of one TIFF strip or tile to rows of samples. */
#ifndef AKIN_IMAGE_TIFF_STRIP_H
#define AKIN_IMAGE_TIFF_STRIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* What is the same for all strips of a picture. */
typedef struct akin_tiff_coding {
    bool big_endian;
    unsigned compression, fill_order; /* 1 or 2 */
    unsigned bits, samples;           /* of a row: one plane's when planes are apart */
    bool ycc;                         /* YCbCr, to be made RGB (JPEG only) */
    bool has_subsampling;
    unsigned subsampling[2];
    unsigned predictor, fax_options; /* tags 317 and 292 */
    const uint8_t *tables;           /* tag 347, borrowed; NULL when there is none */
    size_t tables_size;
    size_t memory_bytes; /* no single allocation above this */
} akin_tiff_coding;

/* Zeroed, then akin_tiff_strip_read as often as there are strips, then _clear. One thread at a
 * time. */
typedef struct akin_tiff_strip {
    struct tiff *open; /* libtiff's; for rows of `width`, `height` of them */
    uint32_t width, height;
    akin_buffer directory; /* header and directory of our making, ahead of... */
    const uint8_t *data;   /* ...the strip's bytes: what libtiff takes for a file */
    size_t size, at;
    akin_buffer copy; /* of a strip whose bits are to be turned */
    char why[160];    /* the first error of libtiff */
} akin_tiff_strip;

/* Whether this build of libtiff has the compression. */
bool akin_tiff_strip_can(unsigned compression);

/* Expands data[0..size), a strip of `height` rows of `width` pixels, into out[0..out_size), which
 * holds exactly that. 16-bit samples come in the processor's byte order. AKIN_E_CORRUPT. */
akin_status akin_tiff_strip_read(akin_tiff_strip *s, const akin_tiff_coding *how, uint32_t width,
                                 uint32_t height, const uint8_t *data, size_t size, uint8_t *out,
                                 size_t out_size, const char *path, akin_error *err);
void akin_tiff_strip_clear(akin_tiff_strip *s);

#endif
