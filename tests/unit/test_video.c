/* Videos: what is one, which frames come and when, compared with the program ffmpeg's
 * (tools/oracle/videos.py); broken ones. Without akin_video.so all but the first and last is
 * skipped. */
#include "unit.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "image/video.h"

#define FOLDER "tests/golden/video/"
#define ACROSS 8
#define DOWN 6
#define FIELDS (ACROSS * DOWN * 3)

static const char *const NAMES[] = {
    "plain.mp4", "short.mp4", "black-first.mp4", "black.mp4", "apple.mov", "late.mp4",
    "wide.mp4",  "full-709.mp4", "vp9.webm", "h264.mkv", "mpeg4.avi", "mpeg2.mpg",
    "h264.mts",  "motion.mov", "turn2.mp4", "turn3.mp4", "turn4.mp4", "turn5.mp4",
    "turn6.mp4", "turn7.mp4", "turn8.mp4",
};
#define COUNT (sizeof NAMES / sizeof NAMES[0])

static void need_module(void)
{
    akin_video *video;
    akin_error err = { 0 };
    akin_status status = akin_video_open(&video, FOLDER "plain.mp4", NULL, &err);
    if (status == AKIN_E_UNSUPPORTED) {
        assert_false(akin_video_present());
        print_message("skipped: %s\n", err.message);
        skip();
    }
    assert_true(akin_video_present());
    assert_int_equal(status, AKIN_OK);
    akin_video_close(video);
}

/* ---- which files */

static akin_buffer whole(const char *path)
{
    akin_buffer out;
    assert_int_equal(akin_file_read(path, "file", 1 << 24, &out, NULL), AKIN_OK);
    return out;
}

static bool known(const char *path)
{
    akin_buffer b = whole(path);
    const bool all = akin_is_video(b.data, b.size);
    assert_true(akin_is_video(b.data, b.size < 400 ? b.size : 400) == all);
    akin_buffer_clear(&b);
    return all;
}

static void kinds(void **state)
{
    (void)state;
    char path[256];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, FOLDER "%s", NAMES[i]);
        assert_true(known(path));
        assert_true(akin_video_name(path));
    }
    static const char *const others[] = {
        "tests/golden/modules/heic-420.heic", "tests/golden/modules/avif-420.avif",
        "tests/golden/modules/canon.cr2",     "tests/golden/pictures/jpeg-420.jpg",
        "tests/golden/formats/animation.webp", "tests/golden/formats/animation.gif",
        "tests/golden/tiff/pages.tif",        "README.md",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(known(others[i]));
        assert_false(akin_video_name(others[i]));
    }
#define IS(bytes) akin_is_video(bytes, sizeof(bytes) - 1)
    assert_false(IS(""));
    assert_false(IS("\0\0\0"));
    assert_true(IS("\0\0\0\x18" "ftypisom\0\0\0\0isom"));
    assert_true(IS("\0\0\0\x14" "ftypqt  \0\0\0\0qt  "));
    assert_true(IS("\0\0\0\x18" "ftyp3gp5\0\0\0\0"));
    assert_false(IS("\0\0\0\x18" "ftypM4A \0\0\0\0isom"));
    assert_false(IS("\0\0\0\x18" "ftypcrx \0\0\0\1crx isom"));
    assert_false(IS("\0\0\0\x18" "ftypmif1\0\0\0\0heic"));
    assert_true(IS("\0\0\0\x08" "wide\0\0\0\0mdat"));
    assert_false(IS("Get free beer"));
    assert_true(IS("\x1a\x45\xdf\xa3\x9f"));
    assert_true(IS("RIFF....AVI LIST"));
    assert_false(IS("RIFF....WAVEfmt "));
    assert_true(IS("\0\0\1\xba\x44"));
    assert_false(IS("GIF89a"));
    assert_true(akin_video_name("/a.b/C.MOV"));
    assert_true(akin_video_name("x.webm"));
    assert_false(akin_video_name("mov"));
    assert_false(akin_video_name("a.mov/b"));
    assert_false(akin_video_name("a.ts"));
    assert_false(akin_video_name("a.mp4.jpg"));
}

/* ---- frames */

typedef struct expected {
    long ms;
    int width, height;
    uint8_t fields[FIELDS];
    bool black;
} expected;

static size_t read_expected(const char *name, expected out[64])
{
    static char line[1024];
    char file[64], hex[2 * FIELDS + 1];
    size_t count = 0;
    FILE *in = fopen(FOLDER "frames.txt", "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL) {
        expected e = { 0 };
        assert_int_equal(sscanf(line, "%63s %ld %d %d %288s", file, &e.ms, &e.width, &e.height,
                                hex),
                         5);
        if (strcmp(file, name) != 0)
            continue;
        e.black = true;
        for (size_t i = 0; i < FIELDS; i++) {
            unsigned v;
            assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
            e.fields[i] = (uint8_t)v;
            e.black = e.black && v < 10;
        }
        assert_true(count < 64);
        out[count++] = e;
    }
    fclose(in);
    assert_true(count != 0);
    return count;
}

/* The mean difference of the fields' means. */
static double difference(const akin_picture *p, const uint8_t fields[FIELDS])
{
    double total = 0;
    for (int j = 0; j < DOWN; j++)
        for (int i = 0; i < ACROSS; i++)
            for (int c = 0; c < 3; c++) {
                double sum = 0;
                int n = 0;
                for (int y = j * p->height / DOWN; y < (j + 1) * p->height / DOWN; y++)
                    for (int x = i * p->width / ACROSS; x < (i + 1) * p->width / ACROSS; x++, n++)
                        sum += p->pixels[3 * (y * p->width + x) + c];
                total += fabs(sum / n - fields[(j * ACROSS + i) * 3 + c]);
            }
    return total / FIELDS;
}

/* Measured with FFmpeg 5.1: at most 0.4; the next frame of the films differs by 7 and more. */
#define NEAR 1.0

static void same(const akin_picture *p, int64_t ms, const expected *e)
{
    assert_int_equal(p->layout, AKIN_RGB);
    assert_int_equal(p->width, e->width);
    assert_int_equal(p->height, e->height);
    /* Matroska counts in milliseconds. */
    assert_true(llabs(ms - e->ms) <= 1);
    const double d = difference(p, e->fields);
    if (d > NEAR)
        print_error("at %ld ms: %g\n", e->ms, d);
    assert_true(d <= NEAR);
}

/* All frames at an interval; what has to come is found in the list of all. */
static void walk(const char *name, double interval)
{
    expected all[64];
    const size_t count = read_expected(name, all);
    char path[256];
    akin_video *video;
    akin_picture p;
    int64_t ms;
    bool end;
    snprintf(path, sizeof path, FOLDER "%s", name);
    assert_int_equal(akin_video_open(&video, path, NULL, NULL), AKIN_OK);
    double step = interval * 250, target = 0;
    for (size_t i = 0; i < count; i++) {
        if ((double)all[i].ms < target - 1)
            continue;
        if (!all[i].black) {
            step = interval * 1000;
            assert_int_equal(akin_video_next(video, interval, &p, &ms, &end, NULL), AKIN_OK);
            assert_false(end);
            same(&p, ms, &all[i]);
            akin_picture_clear(&p);
        }
        while (target <= (double)all[i].ms + 1)
            target += step;
        if (!all[i].black) /* quarters until here */
            target = (floor((double)(all[i].ms + 1) / step) + 1) * step;
    }
    for (int i = 0; i < 2; i++) { /* and it stays at its end */
        assert_int_equal(akin_video_next(video, interval, &p, &ms, &end, NULL), AKIN_OK);
        assert_true(end);
        assert_null(p.pixels);
    }
    akin_video_close(video);
}

static void frames(void **state)
{
    (void)state;
    need_module();
    static const double intervals[] = { 0.2, 0.5, 1, 2.5, 4, 100, 0.001 };
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizeof intervals / sizeof intervals[0]; k++)
            walk(NAMES[i], intervals[k]);
}

static void single_frames(void **state)
{
    (void)state;
    need_module();
    expected all[64];
    char path[256];
    for (size_t n = 0; n < COUNT; n++) {
        const size_t count = read_expected(NAMES[n], all);
        snprintf(path, sizeof path, FOLDER "%s", NAMES[n]);
        for (size_t i = 0; i < count; i += 3) {
            akin_video *video;
            akin_picture p;
            assert_int_equal(akin_video_open(&video, path, NULL, NULL), AKIN_OK);
            assert_int_equal(akin_video_frame(video, all[i].ms, &p, NULL), AKIN_OK);
            same(&p, all[i].ms, &all[i]);
            akin_picture_clear(&p);
            akin_video_close(video);
        }
        akin_video *video;
        akin_picture p;
        akin_error err = { 0 };
        assert_int_equal(akin_video_open(&video, path, NULL, NULL), AKIN_OK);
        assert_int_equal(akin_video_frame(video, 60000, &p, &err), AKIN_E_NOT_FOUND);
        assert_int_equal(akin_video_frame(video, -1, &p, &err), AKIN_E_ARGUMENT);
        akin_video_close(video);
    }
}

/* The matrix and range that the stream names: the colours are those of the film itself. */
static void colours(void **state)
{
    (void)state;
    need_module();
    expected all[64];
    akin_video *video;
    akin_picture p;
    int64_t ms;
    bool end;
    read_expected("plain.mp4", all);
    assert_int_equal(akin_video_open(&video, FOLDER "full-709.mp4", NULL, NULL), AKIN_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(akin_video_next(video, 1, &p, &ms, &end, NULL), AKIN_OK);
        assert_true(difference(&p, all[5 * i].fields) < 2); /* measured: 0.9; taken wrongly: 7 */
        akin_picture_clear(&p);
    }
    akin_video_close(video);
}

static akin_video_info describe(const char *name)
{
    akin_video *video;
    char path[256];
    snprintf(path, sizeof path, FOLDER "%s", name);
    assert_int_equal(akin_video_open(&video, path, NULL, NULL), AKIN_OK);
    akin_video_info info = akin_video_describe(video);
    akin_video_close(video);
    return info;
}

static void facts(void **state)
{
    (void)state;
    need_module();
    akin_video_info info = describe("plain.mp4");
    assert_true(fabs(info.duration - 6) < 0.01);
    assert_int_equal(info.width, 64);
    assert_int_equal(info.height, 48);
    assert_string_equal(info.taken_at, "2021-02-03T04:05:06");
    info = describe("apple.mov"); /* the place's clock, not Greenwich's */
    assert_string_equal(info.taken_at, "2021-02-03T04:05:06");
    info = describe("vp9.webm");
    assert_string_equal(info.taken_at, "");
    info = describe("wide.mp4");
    assert_int_equal(info.width, 85);
    assert_int_equal(info.height, 48);
    for (char turn = '2'; turn <= '8'; turn++) {
        char name[] = "turn0.mp4";
        name[4] = turn;
        info = describe(name);
        assert_int_equal(info.width, turn >= '5' ? 48 : 64);
        assert_int_equal(info.height, turn >= '5' ? 64 : 48);
    }
    assert_true(fabs(describe("mpeg4.avi").duration - 6) < 0.01);
    assert_true(fabs(describe("h264.mts").duration - 6) < 0.5);
}

/* ---- what is refused */

static void refused(void **state)
{
    (void)state;
    need_module();
    akin_video *video = NULL;
    akin_error err = { 0 };
    assert_int_equal(akin_video_open(&video, "/nowhere/x.mp4", NULL, &err), AKIN_E_NOT_FOUND);
    assert_null(video);
    assert_int_equal(akin_video_open(&video, "tests", NULL, &err), AKIN_E_NOT_A_FILE);
    assert_int_equal(akin_video_open(&video, "README.md", NULL, &err), AKIN_E_FORMAT);
    assert_int_equal(akin_video_open(&video, FOLDER "sound.mp4", NULL, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "without a stream of pictures"));

    akin_picture_options options = akin_picture_default_options();
    options.memory_bytes = 100000;
    assert_int_equal(akin_video_open(&video, FOLDER "plain.mp4", &options, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "--max-memory"));
    options.memory_bytes = 1000000;
    assert_int_equal(akin_video_open(&video, FOLDER "plain.mp4", &options, &err), AKIN_OK);
    akin_picture p;
    int64_t ms;
    bool end;
    const double intervals[] = { 0, -1, (double)NAN, (double)INFINITY };
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(akin_video_next(video, intervals[i], &p, &ms, &end, &err),
                         AKIN_E_ARGUMENT);
    akin_video_close(video);
    akin_video_close(NULL);
}

/* A file beside which others lie that its form could name, and forms that FFmpeg would guess. */
static void nothing_else_is_opened(void **state)
{
    (void)state;
    need_module();
    static const char *const texts[] = {
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nfile:///etc/passwd\n",
        "ffconcat version 1.0\nfile plain.mp4\n",
        "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"></MPD>",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 1234 RTP/AVP 96\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char path[] = "/tmp/akin-video-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        close(fd);
        akin_video *video;
        akin_error err = { 0 };
        assert_int_equal(akin_video_open(&video, path, NULL, &err), AKIN_E_FORMAT);
        unlink(path);
    }
}

static void pipes(void **state)
{
    (void)state;
    char path[] = "/tmp/akin-video-XXXXXX";
    assert_non_null(mkdtemp(path));
    char name[64];
    snprintf(name, sizeof name, "%s/a.mp4", path);
    assert_int_equal(mkfifo(name, 0600), 0);
    akin_video *video;
    akin_error err = { 0 };
    assert_int_equal(akin_video_open(&video, name, NULL, &err), AKIN_E_NOT_A_FILE);
    unlink(name);
    rmdir(path);
}

/* ---- broken files */

/* Opens and reads all; whatever comes is right as long as it ends. */
static akin_status try_all(const char *path, const akin_buffer *bytes, size_t size, size_t *given)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes->data, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    akin_video *video;
    akin_picture_options options = akin_picture_default_options();
    options.memory_bytes = 64 << 20;
    *given = 0;
    akin_error err = { 0 };
    akin_status status = akin_video_open(&video, path, &options, &err);
    if (status != AKIN_OK) {
        assert_true(err.message[0] != '\0');
        return status;
    }
    for (bool end = false; status == AKIN_OK && !end;) {
        akin_picture p;
        int64_t ms;
        status = akin_video_next(video, 0.7, &p, &ms, &end, &err);
        assert_true((status == AKIN_OK && !end) == (p.pixels != NULL));
        *given += p.pixels != NULL;
        assert_true(p.pixels == NULL || (p.width > 0 && p.height > 0));
        akin_picture_clear(&p);
    }
    akin_video_close(video);
    return status;
}

static void broken(void **state)
{
    (void)state;
    need_module();
    static const char *const names[] = { "plain.mp4", "vp9.webm", "mpeg4.avi", "mpeg2.mpg",
                                         "h264.mts", "motion.mov", "h264.mkv" };
    char path[] = "/tmp/akin-video-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    uint32_t random = 12345;
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        char from[256];
        size_t good, given;
        snprintf(from, sizeof from, FOLDER "%s", names[n]);
        akin_buffer b = whole(from);
        assert_int_equal(try_all(path, &b, b.size, &good), AKIN_OK);
        assert_true(good >= 3);
        /* Cut: fewer frames or an error. */
        for (size_t i = 0; i < 16; i++) {
            try_all(path, &b, b.size * i / 16, &given);
            assert_true(given <= good);
        }
        /* Bits turned, in the head and anywhere. */
        for (int i = 0; i < 60; i++) {
            akin_buffer copy;
            akin_buffer_init(&copy, "copy", 1 << 24);
            assert_int_equal(akin_buffer_add(&copy, b.data, b.size, NULL), AKIN_OK);
            for (int k = 0; k < 1 + i % 8; k++) {
                random = random * 1664525 + 1013904223;
                const size_t range = i % 2 == 0 ? copy.size : 1000;
                copy.data[(random >> 8) % range] ^= (char)(1 << (random & 7));
            }
            try_all(path, &copy, copy.size, &given);
            akin_buffer_clear(&copy);
        }
        akin_buffer_clear(&b);
    }
    unlink(path);
}

/* ---- near-uniform frames */

static akin_picture flat(int width, int height, int r, int g, int b)
{
    akin_picture p = { .width = width, .height = height, .stored_height = height };
    p.pixels = malloc((size_t)width * (size_t)height * 3);
    assert_non_null(p.pixels);
    for (int i = 0; i < width * height; i++) {
        p.pixels[3 * i] = (uint8_t)r;
        p.pixels[3 * i + 1] = (uint8_t)g;
        p.pixels[3 * i + 2] = (uint8_t)b;
    }
    return p;
}

static void box(akin_picture *p, int x0, int y0, int width, int height, int value)
{
    for (int y = y0; y < y0 + height; y++)
        memset(p->pixels + 3 * (y * p->width + x0), value, (size_t)width * 3);
}

static void uniform(void **state)
{
    (void)state;
    static const int sizes[][2] = { { 1, 1 }, { 5, 3 }, { 64, 64 }, { 640, 360 }, { 3, 2000 } };
    static const int colours[][3] = { { 0, 0, 0 }, { 255, 255, 255 }, { 200, 30, 90 } };
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 3; k++) {
            akin_picture p = flat(sizes[i][0], sizes[i][1], colours[k][0], colours[k][1],
                                  colours[k][2]);
            assert_true(akin_picture_uniform(&p));
            akin_picture_clear(&p);
        }
    akin_picture nothing = { 0 };
    assert_false(akin_picture_uniform(&nothing));

    akin_picture p = flat(640, 360, 0, 0, 0);
    for (int i = 0; i < 640 * 360 * 3; i++) /* grain of a dark recording */
        p.pixels[i] = (uint8_t)((unsigned)i * 2654435761u >> 28);
    assert_true(akin_picture_uniform(&p));
    akin_picture_clear(&p);

    p = flat(640, 360, 0, 0, 0); /* a dead pixel, a subtitle's dot */
    box(&p, 300, 300, 20, 10, 255);
    assert_true(akin_picture_uniform(&p));
    box(&p, 280, 150, 80, 60, 255); /* a logo: a fiftieth of the picture */
    assert_false(akin_picture_uniform(&p));
    akin_picture_clear(&p);

    p = flat(640, 360, 100, 100, 100); /* fades: of a picture of full contrast to a tenth, a half */
    for (int y = 0; y < 360; y++)
        for (int x = 0; x < 640; x++)
            memset(p.pixels + 3 * (y * 640 + x), x * 25 / 640, 3);
    assert_true(akin_picture_uniform(&p));
    for (int y = 0; y < 360; y++)
        for (int x = 0; x < 640; x++)
            memset(p.pixels + 3 * (y * 640 + x), x * 127 / 640, 3);
    assert_false(akin_picture_uniform(&p));
    akin_picture_clear(&p);

    p = flat(640, 360, 128, 128, 128); /* equal in light, not in colour */
    for (int i = 0; i < 640 * 180; i++)
        p.pixels[3 * i] = 90;
    assert_false(akin_picture_uniform(&p));
    akin_picture_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),   cmocka_unit_test(frames),  cmocka_unit_test(single_frames),
        cmocka_unit_test(colours), cmocka_unit_test(facts),   cmocka_unit_test(refused),
        cmocka_unit_test(nothing_else_is_opened),             cmocka_unit_test(pipes),
        cmocka_unit_test(broken),  cmocka_unit_test(uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
