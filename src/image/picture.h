/* picture.h - bytes of a picture file to RGB pixels, equal to Pillow's.
 *
 * Reference: Pillow 13.0.0, ImageOps.exif_transpose(Image.open(path)) followed by the conversion to
 * RGB that transformers 5.23.0 does first (CLIPImageProcessorPil: alpha and tRNS composited over
 * white). Reads JPEG, PNG, WebP, GIF, BMP and TIFF; HEIC, AVIF and raw photographs through
 * libraries opened on first use. Where the reference plainly damages a picture (16-bit grey
 * saturated, tRNS compared at the wrong depth) akin does the right thing; docs/pictures.md lists
 * it.
 */
#ifndef AKIN_IMAGE_PICTURE_H
#define AKIN_IMAGE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What a pixel is. The layouts beside AKIN_RGB exist for pipelines that convert to RGB after
 * resizing (open_clip's): Pillow resizes each of them in another way. */
typedef enum akin_layout {
    AKIN_RGB,         /* 3 bytes */
    AKIN_RGB_NEAREST, /* 3 bytes; was indexed or of one bit, which Pillow resizes by the nearest
                         neighbour whatever filter is asked for */
    AKIN_RGBA,        /* 4 bytes, alpha not multiplied in; resized with it multiplied in (grey with
                         alpha has three equal colours) */
    AKIN_CMYK         /* 4 bytes, 255: full ink */
} akin_layout;

/* Bytes a pixel. */
static inline int akin_layout_bytes(akin_layout layout)
{
    return layout == AKIN_RGBA || layout == AKIN_CMYK ? 4 : 3;
}

/* Every row is there, without its detail: a progressive JPEG cut between its first and last
 * scans. */
#define AKIN_DAMAGED_COARSE (-1)

/* 8 bits a sample, row-major [height, width], rows without padding, orientation already applied.
 * The owner calls akin_picture_clear. */
typedef struct akin_picture {
    int width;
    int height;
    int stored_height; /* before it was turned */
    akin_layout layout;
    int damaged_row; /* 0: whole. With `lenient`, of a file that was cut: the first stored row that
                        is made up, or AKIN_DAMAGED_COARSE */
    uint8_t palette[256][3]; /* of AKIN_RGB_NEAREST: the colours of the indices, which a border is
                                drawn in; of one bit 0 is black, the rest white */
    uint8_t *pixels;
} akin_picture;

/* How to read a picture, and what it may cost, checked before the memory is allocated. */
typedef struct akin_picture_options {
    size_t file_bytes;   /* largest file read */
    size_t memory_bytes; /* most memory a picture may need at once: decoded pixels, the decoder's
                            own buffers (a progressive JPEG keeps all coefficients) and the copy
                            that orientation or conversion makes */
    bool as_stored;      /* the layout that Pillow's mode of the file asks for, transparency kept
                            beside the pixels (tRNS, a GIF's transparent index) ignored; else always
                            AKIN_RGB, over white */
    bool lenient;        /* takes a JPEG of which at least half the rows are there, as Pillow does
                            with LOAD_TRUNCATED_IMAGES, and sets damaged_row */
} akin_picture_options;

/* 256 MiB of file, 2 GiB of memory: a 500-megapixel baseline JPEG passes, a PNG that promises
 * 60,000 x 60,000 does not. RGB over white, not lenient. */
akin_picture_options akin_picture_default_options(void);

/* Decodes bytes[0..size). `path` is for messages; NULL options are the default ones. AKIN_E_FORMAT:
 * not a picture akin reads (names what it looks like); AKIN_E_TRUNCATED, AKIN_E_CORRUPT as in
 * Pillow: a premature end is an error, libjpeg's warnings are not, PNG's end chunk is not required;
 * AKIN_E_LIMIT says how much memory the picture needs and which option raises the limit. */
akin_status akin_picture_decode(akin_picture *out, const void *bytes, size_t size, const char *path,
                                const akin_picture_options *options, akin_error *err);
akin_status akin_picture_read(akin_picture *out, const char *path,
                              const akin_picture_options *options, akin_error *err);
void akin_picture_clear(akin_picture *picture);

/* What a person should know of a picture with a damaged_row: "JPEG ends at row 300 of 400: the rest
 * is made up", in at most `capacity` bytes. */
void akin_picture_damage(const akin_picture *picture, char *out, size_t capacity);

#endif
