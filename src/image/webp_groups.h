/* webp_groups.h - how many sets of Huffman tables a lossless WebP asks its decoder for. */
#ifndef AKIN_IMAGE_WEBP_GROUPS_H
#define AKIN_IMAGE_WEBP_GROUPS_H

#include <stddef.h>
#include <stdint.h>

/* A bound, and mostly the number itself, of the groups that libwebp allocates for a VP8L stream of
 * width x height pixels, from 1 to 65,536: for what cannot be followed, the latter. `data` begins
 * with the list of transforms, behind the five bytes of signature and size. Allocates nothing. */
uint32_t akin_webp_groups(const uint8_t *data, size_t size, uint32_t width, uint32_t height);

#endif
