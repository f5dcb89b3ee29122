/* modules.c - which optional libraries are here. */
#include "modules.h"

#include <stdio.h>

#include "heif.h"
#include "raw.h"
#include "video.h"

void akin_modules_describe(char *out, size_t capacity)
{
    const char *why;
    const akin_heif_calls *heif = akin_heif_library(&why);
    const akin_raw_calls *raw = akin_raw_library(&why);
    snprintf(out, capacity, "heif %s%s%s, raw %s%s",
             heif != NULL ? heif->get_version() : "-",
             heif != NULL && heif->have_decoder_for_format(AKIN_HEIF_HEVC) ? " hevc" : "",
             heif != NULL && heif->have_decoder_for_format(AKIN_HEIF_AV1) ? " av1" : "",
             raw != NULL ? raw->version() : "-", akin_video_present() ? ", video" : "");
}
