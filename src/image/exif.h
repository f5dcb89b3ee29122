/* exif.h - which way up a picture is, from its metadata. Allocates nothing, never fails: metadata
 * that cannot be read turns nothing. */
#ifndef AKIN_IMAGE_EXIF_H
#define AKIN_IMAGE_EXIF_H

#include <stddef.h>
#include <stdint.h>

/* The orientation, 1 to 8, that an EXIF block (a TIFF header, before it up to two "Exif\0\0") and
 * an XMP packet name together. Either may be NULL. XMP is asked only when there is no EXIF block or
 * the block is readable and has no orientation tag, as in Pillow's Image.getexif. */
int akin_orientation_read(const uint8_t *exif, size_t exif_size, const uint8_t *xmp,
                          size_t xmp_size);

#endif
