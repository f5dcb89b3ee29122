/* modules.h - which of the libraries that are opened on first use are here. */
#ifndef AKIN_IMAGE_MODULES_H
#define AKIN_IMAGE_MODULES_H

#include <stdbool.h>
#include <stddef.h>

/* "heif 1.19.7 hevc av1, raw 0.20.2, video -": a text that differs when a library was installed,
 * taken away or exchanged. Opens libheif and LibRaw (20 ms); FFmpeg (160 ms, it has fifty
 * libraries) only with `video`, else it is called "-". */
void akin_modules_describe(bool video, char *out, size_t capacity);

#endif
