/* pixel.h - arithmetic of one pixel, rounded as Pillow 13.0.0 rounds it. */
#ifndef AKIN_IMAGE_PIXEL_H
#define AKIN_IMAGE_PIXEL_H

#include <stdint.h>

/* a * b / 255 of two bytes, rounded: Pillow's MULDIV255. */
static inline unsigned akin_muldiv255(unsigned a, unsigned b)
{
    unsigned t = a * b + 128;
    return ((t >> 8) + t) >> 8;
}

/* v with opacity a over white, rounded as Pillow's alpha_composite rounds. */
static inline uint8_t akin_over_white(unsigned v, unsigned a)
{
    unsigned t = (v * a + 255 * (255 - a)) * 128 + (0x80 << 7);
    return (uint8_t)(((t >> 8) + t) >> 8 >> 7);
}

/* One ink (255: full) under `black` ink, as light: convert("RGB") of mode CMYK. */
static inline uint8_t akin_ink_to_light(unsigned ink, unsigned black)
{
    const unsigned light = 255 - black;
    return (uint8_t)(light - akin_muldiv255(ink, light));
}

#endif
