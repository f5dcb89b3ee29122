/* png_text.h - the text chunks of a PNG file, which is where EXIF and XMP may be. */
#ifndef AKIN_IMAGE_PNG_TEXT_H
#define AKIN_IMAGE_PNG_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

/* Most text that one chunk may inflate to; Pillow's MAX_TEXT_CHUNK. Longer text is passed over. */
#define AKIN_PNG_MAX_TEXT ((size_t)1 << 20)

/* Text of a chunk, borrowed from the file. */
typedef struct akin_png_text {
    const uint8_t *data;
    size_t size;
    bool deflated;
} akin_png_text;

/* Whether a chunk (its name, its data) is tEXt, zTXt or iTXt with this keyword; *out is its
 * text. */
bool akin_png_text_of(const char *name, const uint8_t *data, size_t size, const char *keyword,
                      akin_png_text *out);

/* Inflates into `out`, whose maximum is AKIN_PNG_MAX_TEXT at least. *got: it was readable and not
 * longer. Errors: AKIN_E_NOMEM. */
akin_status akin_png_text_inflate(const akin_png_text *t, akin_buffer *out, bool *got,
                                  akin_error *err);

/* "Raw profile type exif": three lines (an empty one, "exif", the length), then hexadecimal digits.
 * Decodes in place; false when they are none. */
bool akin_png_profile_decode(uint8_t *text, size_t *size);

#endif
