/* decode.h - what the decoders of this room share: where pixels go and what they may cost. */
#ifndef AKIN_IMAGE_DECODE_H
#define AKIN_IMAGE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "picture.h"
#include "pixel.h"

/* The bytes of a picture file, borrowed for the call. */
typedef struct akin_encoded {
    const uint8_t *data;
    size_t size;
    const char *path;    /* for messages */
    size_t memory_bytes; /* these three as in akin_picture_options */
    bool as_stored, lenient;
} akin_encoded;

/* Takes decoded rows and puts them the right way up. The decoder sees the picture as stored,
 * width x height; `picture` is turned. */
typedef struct akin_canvas {
    akin_picture picture; /* owned until it is handed over */
    int width, height;    /* as stored */
    int orientation;      /* 1 to 8, as EXIF counts */
    size_t pixel;         /* bytes of one, as akin_layout_bytes says */
    uint8_t *strip;       /* AKIN_STRIP_ROWS rows of the stored width, when something turns */
} akin_canvas;

/* Rows that travel together: a turned picture is written in runs of this many pixels. */
#define AKIN_STRIP_ROWS 16

/* Checks that the picture, this canvas and `extra` bytes of the decoder's own fit memory_bytes
 * (AKIN_E_LIMIT otherwise, with the bytes needed), then allocates the canvas. layout: what the
 * decoder writes. Without from->as_stored, akin_canvas_take makes AKIN_RGB of it: alpha over white,
 * inks to light; a decoder for which this is cheaper may write AKIN_RGB over white itself. Of
 * AKIN_RGB_NEAREST, the decoder then fills in canvas->picture.palette (all black until then). */
akin_status akin_canvas_init(akin_canvas *canvas, int width, int height, akin_layout layout,
                             int orientation, size_t extra, const akin_encoded *from,
                             akin_error *err);
void akin_canvas_clear(akin_canvas *canvas);

/* Where the decoder may write stored rows [y, y + count), count <= AKIN_STRIP_ROWS, and then says
 * so. Rows are pixel * width bytes, without padding. */
uint8_t *akin_canvas_rows(akin_canvas *canvas, int y);
void akin_canvas_done(akin_canvas *canvas, int y, int count);

/* Puts `count` pixels of one interlaced row: stored positions (x, y), (x + step, y), ... */
void akin_canvas_scatter(akin_canvas *canvas, int x, int y, int step, const uint8_t *pixels,
                         int count);

/* Hands the finished picture over, in the layout the caller of akin_picture_decode asked for. */
void akin_canvas_take(akin_canvas *canvas, const akin_encoded *from, akin_picture *out);

/* `count` indices to RGB, from a palette of 4 bytes a colour. Writes four bytes a pixel, the fourth
 * overwritten by the next pixel: a third of the time that three take. */
static inline void akin_look_up(const uint8_t *palette, const uint8_t *restrict indices,
                                size_t count, uint8_t *restrict rgb)
{
    if (count == 0)
        return;
    for (size_t i = 0; i < count - 1; i++)
        memcpy(rgb + 3 * i, palette + 4 * (size_t)indices[i], 4);
    memcpy(rgb + 3 * (count - 1), palette + 4 * (size_t)indices[count - 1], 3);
}

/* The colours of AKIN_RGB_NEAREST, from a palette of 4 bytes a colour. */
static inline void akin_canvas_palette(akin_canvas *canvas, uint8_t palette[256][4])
{
    for (int i = 0; i < 256; i++)
        memcpy(canvas->picture.palette[i], palette[i], 3);
}

/* Each fills *out, which the caller clears, or leaves it empty. */
akin_status akin_jpeg_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
akin_status akin_png_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
akin_status akin_webp_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
akin_status akin_gif_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
akin_status akin_bmp_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
akin_status akin_tiff_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
/* A picture by libheif (HEIC, AVIF), by its brands. */
bool akin_is_heif(const void *bytes, size_t size);
akin_status akin_heif_decode(akin_picture *out, const akin_encoded *from, akin_error *err);
/* A raw photograph, by its bytes; `path` (NULL: none) decides only where they leave doubt. To be
 * asked before TIFF: most are TIFF files. */
bool akin_is_raw(const void *bytes, size_t size, const char *path);
akin_status akin_raw_decode(akin_picture *out, const akin_encoded *from, akin_error *err);

#endif
