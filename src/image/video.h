/* video.h - frames of a video file, through a module of ours over FFmpeg that is loaded on first
 * use: without it everything else works, and the error says which package to install.
 */
#ifndef AKIN_IMAGE_VIDEO_H
#define AKIN_IMAGE_VIDEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picture.h"

/* Whether the file is to be read as a video: by its content (MP4, QuickTime and 3GP, Matroska and
 * WebM, AVI, MPEG program and transport streams; neither HEIC, AVIF and CR3 nor audio in their
 * form) or by the ending of its name. bytes: at least its first 64, or all of it; a transport
 * stream is known by its first 400. */
bool akin_is_video(const void *bytes, size_t size);
bool akin_video_name(const char *path);

/* Whether the module and its libraries are here: opens them. */
bool akin_video_present(void);

typedef struct akin_video akin_video; /* one thread at a time */

/* AKIN_E_UNSUPPORTED: no module, or none of its libraries here (names the package); no decoder.
 * AKIN_E_FORMAT: not a video akin reads, or one without pictures. AKIN_E_LIMIT: its frames need
 * more than options->memory_bytes (file_bytes is not looked at: a video is not read whole). */
akin_status akin_video_open(akin_video **out, const char *path, const akin_picture_options *options,
                            akin_error *err);
void akin_video_close(akin_video *video); /* NULL is fine */

/* Facts of the container, as pictures have them; duration in seconds, 0 when unknown. */
typedef struct akin_video_info {
    double duration;
    int width, height; /* as shown: turned as the stream asks, its pixels made square */
    char taken_at[32]; /* when it was recorded, as metadata.h has it, "" when unknown: Apple's
                          creationdate (the wall clock of the place), else creation_time (UTC) */
} akin_video_info;
akin_video_info akin_video_describe(const akin_video *video);

/* Most frames of one file; AKIN_E_LIMIT asks for a longer interval. */
#define AKIN_VIDEO_FRAMES 10000

/* The next frame at or after each multiple of `interval` seconds (0, interval, 2 interval, ...), as
 * AKIN_RGB the right way up; near-uniform frames (black, fades) are left out, and until a first one
 * that is not was found, quarters of the interval are looked at too. A frame comes once, however
 * short the interval. Time 0 is the first frame's; *milliseconds is this one's. *end is true, and
 * *out empty, behind the last: a video with damaged parts gives the frames that there are, one
 * without a single one is AKIN_E_CORRUPT. The caller clears *out. */
akin_status akin_video_next(akin_video *video, double interval, akin_picture *out,
                            int64_t *milliseconds, bool *end, akin_error *err);

/* The frame that akin_video_next gave with these milliseconds (in general the first at or after
 * them), for a handle that is used for this alone. AKIN_E_NOT_FOUND behind the last. */
akin_status akin_video_frame(akin_video *video, int64_t milliseconds, akin_picture *out,
                             akin_error *err);

/* Whether 99 of 100 pixels differ from the mean colour by at most 16 in each channel, on a grid of
 * at most 64 x 64 of them. */
bool akin_picture_uniform(const akin_picture *picture);

#endif
