/* modules.h - which of the libraries that are opened on first use are here. */
#ifndef AKIN_IMAGE_MODULES_H
#define AKIN_IMAGE_MODULES_H

#include <stddef.h>

/* "heif 1.19.7 hevc av1, raw 0.20.2, video": a text that differs when a library was installed,
 * taken away or exchanged. Opens all of them: 20 ms for libheif and LibRaw, 160 ms for FFmpeg's
 * fifty. */
void akin_modules_describe(char *out, size_t capacity);

#endif
