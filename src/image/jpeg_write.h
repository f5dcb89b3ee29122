/* jpeg_write.h - RGB pixels to a JPEG without any metadata, and small pictures to show. */
#ifndef AKIN_IMAGE_JPEG_WRITE_H
#define AKIN_IMAGE_JPEG_WRITE_H

#include "base/buffer.h"
#include "picture.h"

/* Adds a baseline JPEG of an AKIN_RGB picture to out. quality 1 to 100. Memory that runs out is
 * AKIN_E_NOMEM; the buffer's maximum AKIN_E_LIMIT. */
akin_status akin_jpeg_write(const akin_picture *picture, int quality, akin_buffer *out,
                            akin_error *err);

/* Shrinks picture (AKIN_RGB) so that neither side is longer than `longest`, with Pillow's bicubic
 * filter; a smaller one is copied. The caller clears *out. */
akin_status akin_thumbnail(const akin_picture *picture, int longest, akin_picture *out,
                           akin_error *err);

#endif
