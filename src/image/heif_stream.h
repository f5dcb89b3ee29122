/* heif_stream.h - the frame sizes that the streams inside a HEIC or AVIF promise. */
#ifndef AKIN_IMAGE_HEIF_STREAM_H
#define AKIN_IMAGE_HEIF_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The largest frame, in pixels, that an AV1 sequence header or an HEVC parameter set in the file
 * allows: 0 x 0 when there is none. AKIN_E_CORRUPT: a configuration record that ends inside a
 * unit. AKIN_E_LIMIT: items that overlap so often that looking at all of them takes too long. */
akin_status akin_heif_largest(const uint8_t *data, size_t size, const char *path, uint32_t *width,
                              uint32_t *height, akin_error *err);

#endif
