/* video.c - frames of videos: which files, which frames, the right way up.
 *
 * Owns what is a video, the search for the module that reads it (video_module.c over FFmpeg, loaded
 * on first use), the times at which frames are taken and what of them is left out. Refuses more
 * than AKIN_VIDEO_FRAMES of one file.
 */
#include "video.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/file.h"
#include "decode.h"
#include "library.h"
#include "video_module.h"

/* Of akin_is_video: what is read of a file to know it. */
#define HEAD_BYTES 512

#define SECOND 1000000 /* microseconds, in which times are counted */

/* ---- which files */

/* FFmpeg's name of the container, NULL: none that akin reads. Told here, and FFmpeg is not asked:
 * its guesses include lists of addresses to open. */
static const char *container(const uint8_t *b, size_t size)
{
    if (size >= 12 && memcmp(b + 4, "ftyp", 4) == 0) {
        static const char audio[][5] = { "M4A ", "M4B ", "M4P ", "F4A ", "F4B ", "crx " };
        for (size_t i = 0; i < sizeof audio / sizeof audio[0]; i++)
            if (memcmp(b + 8, audio[i], 4) == 0)
                return NULL;
        return akin_is_heif(b, size) ? NULL : "mov";
    }
    /* QuickTime before it had "ftyp". */
    if (size >= 8 && (memcmp(b + 4, "moov", 4) == 0 || memcmp(b + 4, "mdat", 4) == 0 ||
                      (b[0] == 0 && (memcmp(b + 4, "wide", 4) == 0 ||
                                     memcmp(b + 4, "pnot", 4) == 0 ||
                                     memcmp(b + 4, "free", 4) == 0 ||
                                     memcmp(b + 4, "skip", 4) == 0))))
        return "mov";
    if (size >= 4 && memcmp(b, "\x1a\x45\xdf\xa3", 4) == 0)
        return "matroska";
    if (size >= 12 && memcmp(b, "RIFF", 4) == 0 && memcmp(b + 8, "AVI ", 4) == 0)
        return "avi";
    if (size >= 4 && memcmp(b, "\0\0\1\xba", 4) == 0)
        return "mpeg";
    /* Packets of 188 bytes, or 192 with a time before each; three of them. */
    if (size > 2 * 188 && b[0] == 0x47 && b[188] == 0x47 && b[2 * 188] == 0x47)
        return "mpegts";
    if (size > 2 * 192 + 4 && b[4] == 0x47 && b[192 + 4] == 0x47 && b[2 * 192 + 4] == 0x47)
        return "mpegts";
    return NULL;
}

bool akin_is_video(const void *bytes, size_t size) { return container(bytes, size) != NULL; }

bool akin_video_name(const char *path)
{
    /* Not "ts": most such files are programs. */
    static const char endings[][6] = { "mp4", "m4v", "mov", "qt",  "mkv", "webm", "avi",
                                       "mpg", "mpeg", "3gp", "3g2", "mts", "m2ts" };
    const char *dot = strrchr(path, '.');
    if (dot == NULL)
        return false;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

/* ---- the module */

typedef struct entrance {
    const akin_video_calls *(*module)(void);
} entrance;

/* Written once, under `opened`. */
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static const akin_video_calls *calls;
static bool found;
static char reason[512];

/* The folder of `file`, with `rest` behind it. False when it does not fit. */
static bool beside(char *out, size_t capacity, const char *file, const char *rest)
{
    const char *slash = strrchr(file, '/');
    if (file[0] != '/' || slash == NULL)
        return false;
    int n = snprintf(out, capacity, "%.*s/%s", (int)(slash - file), file, rest);
    return n > 0 && (size_t)n < capacity;
}

static void open_module(void)
{
    static const akin_symbol symbols[] = {
        { AKIN_VIDEO_MODULE_NAME, offsetof(entrance, module), false },
    };
    static char self[PATH_MAX], paths[4][PATH_MAX + 64];
    const char *names[5] = { NULL };
    size_t count = 0;
    /* Where this code lies: in libakin.so, or in a program. */
    Dl_info info;
    if (dladdr((void *)&opened, &info) != 0 && info.dli_fname != NULL) {
        if (beside(paths[count], sizeof paths[0], info.dli_fname, "akin/akin_video.so"))
            names[count] = paths[count], count++;
        if (beside(paths[count], sizeof paths[0], info.dli_fname, "akin_video.so"))
            names[count] = paths[count], count++;
    }
    /* dladdr has a program's name as it was typed. */
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        if (beside(paths[count], sizeof paths[0], self, "akin_video.so"))
            names[count] = paths[count], count++;
        if (beside(paths[count], sizeof paths[0], self, AKIN_MODULES_FROM_BIN "/akin_video.so"))
            names[count] = paths[count], count++;
    }
    entrance e = { NULL };
    snprintf(reason, sizeof reason, "not found");
    if (akin_library_open(names, symbols, 1, &e, reason, sizeof reason)) {
        calls = e.module();
        if (calls->version == AKIN_VIDEO_MODULE_VERSION)
            return;
        calls = NULL;
        snprintf(reason, sizeof reason, "akin_video.so is of another version");
    }
    for (size_t i = 0; i < count; i++)
        found = found || akin_path_is_file(names[i]);
}

bool akin_video_present(void)
{
    pthread_once(&opened, open_module);
    return calls != NULL;
}

static akin_status need_module(const char *path, akin_error *err)
{
    pthread_once(&opened, open_module);
    if (calls != NULL)
        return AKIN_OK;
    if (found)
        return akin_fail(err, AKIN_E_UNSUPPORTED, path, "videos need FFmpeg: %s (%s)",
                         akin_package_here(AKIN_PACKAGE_FFMPEG), reason);
    return akin_fail(err, AKIN_E_UNSUPPORTED, path,
                     "videos need FFmpeg: %s, and build akin again (akin_video.so %s)",
                     akin_package_here(AKIN_PACKAGE_FFMPEG_BUILD), reason);
}

/* ---- one video */

struct akin_video {
    akin_video_stream *stream;
    akin_video_facts facts;
    akin_picture_options options;
    char *path;
    int64_t last;  /* time of the last frame that was looked at, -1: none */
    size_t frames; /* given */
};

static akin_status read_head(const char *path, uint8_t head[HEAD_BYTES], size_t *size,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    struct stat facts;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe does not keep us waiting */
    if (fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    if (fstat(fd, &facts) != 0)
        status = akin_fail_errno(err, errno, path, "cannot look at");
    else if (!S_ISREG(facts.st_mode))
        status = akin_fail(err, AKIN_E_NOT_A_FILE, path, "not a regular file");
    while (status == AKIN_OK && *size < HEAD_BYTES) {
        ssize_t n = read(fd, head + *size, HEAD_BYTES - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = akin_fail_errno(err, errno, path, "cannot read");
        if (n <= 0)
            break;
        *size += (size_t)n;
    }
    close(fd);
    return status;
}

akin_status akin_video_open(akin_video **out, const char *path, const akin_picture_options *options,
                            akin_error *err)
{
    *out = NULL;
    uint8_t head[HEAD_BYTES];
    size_t n;
    akin_status status = read_head(path, head, &n, err);
    if (status != AKIN_OK)
        return status;
    const char *demuxer = container(head, n);
    if (demuxer == NULL)
        return akin_fail(err, AKIN_E_FORMAT, path, "not a video that akin reads (MP4, MOV, 3GP, "
                                                   "MKV, WebM, AVI, MPEG)");
    status = need_module(path, err);
    if (status != AKIN_OK)
        return status;
    akin_video *video = calloc(1, sizeof *video);
    if (video == NULL)
        return akin_fail_nomem(err, "a video", sizeof *video);
    video->last = -1;
    video->options = options != NULL ? *options : akin_picture_default_options();
    video->path = strdup(path);
    if (video->path == NULL)
        status = akin_fail_nomem(err, "a video", strlen(path));
    else
        status = calls->open(&video->stream, path, demuxer, video->options.memory_bytes,
                             &video->facts, err);
    if (status != AKIN_OK) {
        akin_video_close(video);
        return status;
    }
    *out = video;
    return AKIN_OK;
}

void akin_video_close(akin_video *video)
{
    if (video == NULL)
        return;
    if (video->stream != NULL)
        calls->close(video->stream);
    free(video->path);
    free(video);
}

akin_video_info akin_video_describe(const akin_video *video)
{
    const akin_video_facts *facts = &video->facts;
    const bool across = facts->orientation >= 5;
    akin_video_info info = { .duration = facts->duration,
                             .width = across ? facts->height : facts->width,
                             .height = across ? facts->width : facts->height };
    memcpy(info.taken_at, facts->taken_at, sizeof info.taken_at);
    return info;
}

/* The first frame at or after `target` microseconds, turned. */
static akin_status take(akin_video *video, int64_t target, akin_picture *out, int64_t *at,
                        bool *got, akin_error *err)
{
    const akin_encoded from = { .path = video->path, .memory_bytes = video->options.memory_bytes };
    akin_canvas canvas = { 0 };
    uint8_t *rgb = NULL;
    int width, height;
    akin_status status;
    AKIN_TRY(calls->seek(video->stream, target, at, &width, &height, got, err));
    if (!*got)
        goto out;
    const size_t row = (size_t)width * 3, bytes = row * (size_t)height;
    AKIN_TRY(akin_canvas_init(&canvas, width, height, AKIN_RGB, video->facts.orientation, 2 * bytes,
                              &from, err)); /* here, and the module's */
    rgb = malloc(bytes);
    if (rgb == NULL) {
        status = akin_fail_nomem(err, "a frame", bytes);
        goto out;
    }
    AKIN_TRY(calls->read(video->stream, rgb, err));
    for (int y = 0; y < height; y += AKIN_STRIP_ROWS) {
        const int count = height - y < AKIN_STRIP_ROWS ? height - y : AKIN_STRIP_ROWS;
        memcpy(akin_canvas_rows(&canvas, y), rgb + (size_t)y * row, (size_t)count * row);
        akin_canvas_done(&canvas, y, count);
    }
    akin_canvas_take(&canvas, &from, out);
out:
    akin_canvas_clear(&canvas);
    free(rgb);
    return status;
}

static akin_status too_many(const akin_video *video, double interval, akin_error *err)
{
    return akin_fail(err, AKIN_E_LIMIT, video->path,
                     "more than %d frames, one each %g seconds: take them at a longer interval",
                     AKIN_VIDEO_FRAMES, interval);
}

akin_status akin_video_next(akin_video *video, double interval, akin_picture *out,
                            int64_t *milliseconds, bool *end, akin_error *err)
{
    *out = (akin_picture){ 0 };
    *end = false;
    *milliseconds = 0;
    if (!(interval >= 1e-3) || !(interval <= 1e9))
        return akin_fail(err, AKIN_E_ARGUMENT, video->path,
                         "an interval of %g seconds between frames", interval);
    if (video->facts.duration / interval > AKIN_VIDEO_FRAMES + 1)
        return too_many(video, interval, err);
    for (;;) {
        /* The first multiple behind the last frame; in doubles, whose 53 bits hold 285 years of
         * microseconds. */
        const double step = (video->frames == 0 ? interval / 4 : interval) * SECOND;
        int64_t target = 0;
        if (video->last >= 0) {
            /* Half a millisecond early: what rounding of times in containers may take away. */
            target = (int64_t)((floor((double)video->last / step) + 1) * step) - 500;
            target = target > video->last ? target : video->last + 1;
        }
        int64_t at = 0;
        bool got = false;
        akin_status status = take(video, target, out, &at, &got, err);
        if (status != AKIN_OK)
            return status;
        if (!got) {
            *end = true;
            return AKIN_OK;
        }
        video->last = at;
        if (akin_picture_uniform(out)) {
            akin_picture_clear(out);
            continue;
        }
        if (video->frames == AKIN_VIDEO_FRAMES) {
            akin_picture_clear(out);
            return too_many(video, interval, err);
        }
        video->frames++;
        *milliseconds = (at + 500) / 1000;
        return AKIN_OK;
    }
}

akin_status akin_video_frame(akin_video *video, int64_t milliseconds, akin_picture *out,
                             akin_error *err)
{
    *out = (akin_picture){ 0 };
    int64_t at;
    bool got = false;
    if (milliseconds < 0 || milliseconds > INT64_MAX / 2000)
        return akin_fail(err, AKIN_E_ARGUMENT, video->path, "no frame is at %lld milliseconds",
                         (long long)milliseconds);
    akin_status status = take(video, milliseconds * 1000 - 500, out, &at, &got, err);
    if (status == AKIN_OK && !got)
        status = akin_fail(err, AKIN_E_NOT_FOUND, video->path,
                           "the video ends before %lld milliseconds", (long long)milliseconds);
    return status;
}

/* ---- near-uniform frames */

bool akin_picture_uniform(const akin_picture *picture)
{
    enum { GRID = 64, NEAR = 16 };
    if (picture->pixels == NULL || akin_layout_bytes(picture->layout) != 3)
        return false;
    const size_t width = (size_t)picture->width, height = (size_t)picture->height;
    const size_t across = akin_min(width, GRID), down = akin_min(height, GRID);
    uint32_t sum[3] = { 0 };
    const uint8_t *points[GRID * GRID];
    size_t count = 0;
    for (size_t j = 0; j < down; j++) /* the middles of the cells of a grid */
        for (size_t i = 0; i < across; i++) {
            const size_t y = (2 * j + 1) * height / (2 * down);
            const size_t x = (2 * i + 1) * width / (2 * across);
            const uint8_t *p = points[count++] = picture->pixels + 3 * (y * width + x);
            for (int c = 0; c < 3; c++)
                sum[c] += p[c];
        }
    int mean[3];
    for (int c = 0; c < 3; c++)
        mean[c] = (int)((sum[c] + count / 2) / count);
    size_t far = 0;
    for (size_t i = 0; i < count; i++)
        far += abs(points[i][0] - mean[0]) > NEAR || abs(points[i][1] - mean[1]) > NEAR ||
               abs(points[i][2] - mean[2]) > NEAR;
    return far * 100 <= count;
}
