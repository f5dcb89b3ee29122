/* video.h - frames of a video file, through a module of ours over FFmpeg that is loaded on first
 * use: without it everything else works, and the error says which package to install.
 */
#ifndef AKIN_IMAGE_VIDEO_H
#define AKIN_IMAGE_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picture.h"

/* By name and content: whether the file is to be read as a video (mp4, mov, m4v, mkv, webm, avi, mpg,
 * 3gp, mts). bytes: at least its first 64, or all of it. */
bool akin_is_video(const void *bytes, size_t size);
bool akin_video_name(const char *path);

/* Whether the module and its libraries are here: opens them. */
bool akin_video_present(void);

typedef struct akin_video akin_video; /* one thread at a time */

/* AKIN_E_UNSUPPORTED: no module, or none of its libraries here (names the package). */
akin_status akin_video_open(akin_video **out, const char *path, const akin_picture_options *options,
                            akin_error *err);
void akin_video_close(akin_video *video);

/* Facts of the container, as pictures have them; duration in seconds, 0 when unknown. */
typedef struct akin_video_info {
    double duration;
    int width, height;     /* turned as the stream asks */
    char taken_at[32];     /* creation_time as metadata.h has it, "" when unknown */
} akin_video_info;
akin_video_info akin_video_describe(const akin_video *video);

/* The next frame at or after each multiple of `interval` seconds (0, interval, 2 interval, ...), as
 * AKIN_RGB the right way up; near-uniform frames (black, fades) are left out. *milliseconds is its
 * time. *end is true, and *out empty, behind the last. The caller clears *out. */
akin_status akin_video_next(akin_video *video, double interval, akin_picture *out,
                            int64_t *milliseconds, bool *end, akin_error *err);

/* Whether nearly all of a picture is one colour. */
bool akin_picture_uniform(const akin_picture *picture);

#endif
