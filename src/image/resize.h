/* resize.h - Pillow 13.0.0's 8-bit fixed-point resampling, bit for bit, inside a window. */
#ifndef AKIN_IMAGE_RESIZE_H
#define AKIN_IMAGE_RESIZE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Pillow's numbers, as preprocessor_config.json's "resample" carries them. */
typedef enum akin_filter {
    AKIN_NEAREST = 0,
    AKIN_LANCZOS = 1,
    AKIN_BILINEAR = 2,
    AKIN_BICUBIC = 3,
    AKIN_BOX = 4,
    AKIN_HAMMING = 5
} akin_filter;

typedef struct akin_window {
    int x, y, width, height;
} akin_window;

/* Resizes in [in_height, in_width, channels] (8 bit, rows without padding) to width x height and
 * writes the samples of `window` (which lies inside the target) to out
 * [window.height, window.width, channels]. The pass order follows the full target, so the bits are
 * those of Image.resize((width, height), filter) cropped to the window. channels: 1, 3 or 4.
 * Memory: one intermediate plane of the rows or columns the window needs, refused with AKIN_E_LIMIT
 * past max_bytes. */
akin_status akin_resize(const uint8_t *in, int in_width, int in_height, int channels, int width,
                        int height, akin_filter filter, akin_window window, uint8_t *out,
                        size_t max_bytes, akin_error *err);

/* The same of RGBA (or of LA as RGBA with three equal colours), as Pillow resizes it: colours are
 * multiplied by alpha before and divided by it after. Memory: besides, the input rows that 32 rows
 * of output need. */
akin_status akin_resize_alpha(const uint8_t *in, int in_width, int in_height, int width, int height,
                              akin_filter filter, akin_window window, uint8_t *out,
                              size_t max_bytes, akin_error *err);

#endif
