/* video_module.h - what akin_video.so, the one file that knows FFmpeg, gives to video.c.
 *
 * The module is compiled against one major version of FFmpeg, whose structs change with each, and
 * is loaded on first use; this table is all that the two have in common.
 */
#ifndef AKIN_IMAGE_VIDEO_MODULE_H
#define AKIN_IMAGE_VIDEO_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Part of the function's name: another table is another name, and an old module is not taken. */
#define AKIN_VIDEO_MODULE_VERSION 1
#define AKIN_VIDEO_MODULE_NAME "akin_video_module_1"

typedef struct akin_video_stream akin_video_stream; /* one thread at a time */

typedef struct akin_video_facts {
    double duration; /* seconds, 0: unknown */
    int width, height;
    int orientation; /* 1 to 8, as EXIF counts: how frames are to be turned */
    char taken_at[32];
} akin_video_facts;

typedef struct akin_video_calls {
    unsigned version;

    /* demuxer: FFmpeg's name of the container. The file is opened here and nothing else ever is. */
    akin_status (*open)(akin_video_stream **out, const char *path, const char *demuxer,
                        size_t memory_bytes, akin_video_facts *facts, akin_error *err);
    void (*close)(akin_video_stream *stream);

    /* Decodes up to the first frame at or after `target` microseconds, counted from the first
     * frame; *at is its time. The frame of the call before is it when its time is not before
     * `target`. *found is false behind the last. width x height: of what read writes. */
    akin_status (*seek)(akin_video_stream *stream, int64_t target, int64_t *at, int *width,
                        int *height, bool *found, akin_error *err);

    /* That frame as RGB [height, width, 3], not turned. */
    akin_status (*read)(akin_video_stream *stream, uint8_t *rgb, akin_error *err);
} akin_video_calls;

#endif
