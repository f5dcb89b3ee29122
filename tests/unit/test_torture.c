/* test_torture.c - pictures made to hurt: what becomes of each, and how much memory that takes.
 *
 * Each is written to a file, then preprocessed for a model by a process of its own, whose largest
 * resident size is held against a bound: docs/testing.md has the table. A sanitizer's memory says
 * nothing about ours, and its time is ten times as long: there pictures have a sixteenth of their
 * height and no bound. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "akin.h"
#include "base/file.h"
#include "image/webp_groups.h"
#include "torture_files.h"

#ifdef SANITIZED
enum { SHRINK = 16, TIME_LIMIT = 600 };
#else
enum { SHRINK = 1, TIME_LIMIT = 120 }; /* seconds, for the slowest of machines */
#endif
enum { MIB = 1 << 20 };

/* What the process that read a picture leaves behind. */
typedef struct outcome {
    akin_status status;
    int width, height;
    unsigned long peak; /* largest resident size, KiB */
    char message[sizeof(((akin_error *)0)->message)];
} outcome;

static const char *program;
static char folder[] = "/tmp/akin-torture-XXXXXX";
static char path[sizeof folder + 16];

static void write_file(const bytes *b, uint64_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->size, f), b->size);
    assert_int_equal(fclose(f), 0);
    if (size > b->size) /* a hole */
        assert_int_equal(truncate(path, (off_t)size), 0);
}

/* VmHWM of /proc/self/status. What getrusage and wait4 tell of a process that was forked and then
 * executed begins with the resident size of its parent. */
static unsigned long peak_of_process(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    unsigned long peak = 0;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        sscanf(line, "VmHWM: %lu", &peak);
    if (f != NULL)
        fclose(f);
    return peak;
}

/* What the process started for a picture does: the whole way from a file to a tensor. */
static int read_picture(const char *file, const char *memory)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
    akin_model *model = NULL;
    akin_session *session = NULL;
    akin_error err = { 0 };
    const akin_picture_input input = { file, NULL, 0 };
    float tensor[3 * 30 * 30];
    outcome result = { 0 };
    options.parts = AKIN_PART_PREPROCESS;
    options.threads = session_options.threads = 1;
    session_options.max_memory_bytes = strtoull(memory, NULL, 10);
    alarm(TIME_LIMIT);
    result.status = akin_model_open(&model, "tests/golden/clip/tiny-a", &options, &err);
    if (result.status == AKIN_OK)
        result.status = akin_session_new(&session, model, &session_options, &err);
    if (result.status == AKIN_OK)
        result.status = akin_preprocess_picture(session, &input, tensor, 3 * 30 * 30,
                                                &result.height, &result.width, &err);
    akin_session_free(session);
    akin_model_close(model);
    memcpy(result.message, err.message, sizeof result.message);
    result.peak = peak_of_process();
    return write(STDOUT_FILENO, &result, sizeof result) == sizeof result ? 0 : 1;
}

static outcome run(uint64_t memory)
{
    char limit[32];
    int ends[2], how;
    outcome result = { 0 };
    snprintf(limit, sizeof limit, "%llu", (unsigned long long)memory);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        execl(program, program, path, limit, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    const ssize_t got = read(ends[0], &result, sizeof result);
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    if (!WIFEXITED(how) || WEXITSTATUS(how) != 0 || got != (ssize_t)sizeof result)
        fail_msg("ended by signal %d", WIFSIGNALED(how) ? WTERMSIG(how) : 0);
    return result;
}

/* `most`: MiB. memory: 0, or a limit other than the default one. size: 0, or of the file. */
static void expect_of(const char *name, const bytes *b, uint64_t size, uint64_t memory,
                      akin_status status, unsigned most)
{
    struct timespec start, end;
    write_file(b, size);
    clock_gettime(CLOCK_MONOTONIC, &start);
    const outcome result = run(memory);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds =
        (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
    const unsigned long peak = result.peak / 1024;
    print_message("# %-44s %9zu bytes, %5lu MiB (most %u), %4.1f s: %s\n", name,
                  size > b->size ? (size_t)size : b->size, peak, most, seconds,
                  result.status == AKIN_OK ? "loads" : result.message);
    if (result.status != status)
        fail_msg("%s: status %d, expected %d: %s", name, (int)result.status, (int)status,
                 result.message);
    if (SHRINK == 1 && (peak == 0 || peak > most))
        fail_msg("%s: %lu MiB of memory, more than %u", name, peak, most);
    if (status == AKIN_E_LIMIT && strstr(result.message, "--max-") == NULL)
        fail_msg("%s: no option is named: %s", name, result.message);
    unlink(path);
}

static void expect(const char *name, bytes b, akin_status status, unsigned most)
{
    expect_of(name, &b, 0, 0, status, most);
    bytes_clear(&b);
}

/* ---- size */

/* The largest of them needs 1.6 GiB. */
static void skip_when_small(void)
{
    FILE *f = fopen("/proc/meminfo", "r");
    char line[128];
    unsigned long long kib = ~0ull;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        sscanf(line, "MemAvailable: %llu", &kib);
    if (f != NULL)
        fclose(f);
    if (kib < 5ull << 19) {
        print_message("%llu MiB of memory are free, and 2,560 are needed\n", kib / 1024);
        skip();
    }
}

/* 201 megapixels: 576 MiB as RGB. */
static void huge(void **state)
{
    (void)state;
    enum { W = 16384, H = 12288 / SHRINK };
    skip_when_small();
    expect("JPEG, 201 megapixels", torture_jpeg(W, H, 0, NULL), AKIN_OK, 640);
    expect("JPEG, progressive, 201 megapixels", torture_jpeg(W, H, 1, NULL), AKIN_OK, 1250);
    expect("PNG, 201 megapixels", torture_png(W, H, 0, NULL), AKIN_OK, 640);
    expect("PNG, interlaced, 201 megapixels", torture_png(W, H, 1, NULL), AKIN_OK, 640);
    expect("WebP, 201 megapixels", torture_webp(W - 1, H), AKIN_OK, 640);
    expect("WebP, lossless, 201 megapixels", torture_webp_lossless(W - 1, H, 1, 0), AKIN_OK, 1400);
    expect("GIF, 65535 x 3000", torture_gif(65535, 3000 / SHRINK, 1), AKIN_OK, 640);
    expect("BMP, run lengths, 201 megapixels", torture_bmp(W, H), AKIN_OK, 640);
    bytes b = torture_bmp(W, 1); /* 8 bits uncompressed, a hole for the rows */
    b.size = 14 + 40 + 1024;
    memcpy(b.data + 22, (uint8_t[]){ H & 255, H >> 8 }, 2);
    b.data[30] = 0;
    expect_of("BMP, 201 megapixels", &b, b.size + (uint64_t)W * H, 0, AKIN_OK, 840);
    bytes_clear(&b);
    expect("TIFF, strips, 201 megapixels", torture_tiff(W, H, 64, NULL, 0), AKIN_OK, 640);
    expect("TIFF, one strip, 201 megapixels", torture_tiff(W, H, H, NULL, 0), AKIN_OK, 1220);
}

/* A line: one row, one column. */
static void thin(void **state)
{
    (void)state;
    enum { LONG = 65500 };
    expect("JPEG, 65500 x 1", torture_jpeg(LONG, 1, 0, NULL), AKIN_OK, 16);
    expect("JPEG, 1 x 65500", torture_jpeg(1, LONG, 0, NULL), AKIN_OK, 16);
    expect("JPEG, progressive, 1 x 65500", torture_jpeg(1, LONG, 1, NULL), AKIN_OK, 16);
    expect("PNG, 65500 x 1", torture_png(LONG, 1, 0, NULL), AKIN_OK, 16);
    expect("PNG, 1 x 65500", torture_png(1, LONG, 0, NULL), AKIN_OK, 16);
    expect("PNG, interlaced, 1 x 65500", torture_png(1, LONG, 1, NULL), AKIN_OK, 16);
    expect("WebP, 16383 x 1", torture_webp(16383, 1), AKIN_OK, 16);
    expect("WebP, 1 x 16383", torture_webp(1, 16383), AKIN_OK, 16);
    expect("WebP, lossless, 1 x 16383", torture_webp_lossless(1, 16383, 1, 0), AKIN_OK, 16);
    expect("GIF, 65500 x 1", torture_gif(LONG, 1, 1), AKIN_OK, 16);
    expect("GIF, 1 x 65500", torture_gif(1, LONG, 1), AKIN_OK, 16);
    expect("BMP, 65500 x 1", torture_bmp(LONG, 1), AKIN_OK, 16);
    expect("BMP, 1 x 65500", torture_bmp(1, LONG), AKIN_OK, 16);
    expect("TIFF, 65500 x 1", torture_tiff(LONG, 1, 1, NULL, 0), AKIN_OK, 16);
    expect("TIFF, 1 x 65500", torture_tiff(1, LONG, LONG, NULL, 0), AKIN_OK, 16);
    expect("TIFF, 1 x 65500, a strip a row", torture_tiff(1, LONG, 1, NULL, 0), AKIN_OK, 16);
}

/* ---- promises */

static void promises(void **state)
{
    (void)state;
    enum { SIDE = 60000 };
    bytes b = torture_bmp(SIDE, 0); /* a header and no rows */
    expect_of("BMP, run lengths, promises 60000 x 0", &b, 0, 0, AKIN_E_CORRUPT, 16);
    memcpy(b.data + 22, (uint8_t[]){ SIDE & 255, SIDE >> 8 }, 2);
    expect_of("BMP, run lengths, promises 60000 x 60000", &b, 0, 0, AKIN_E_LIMIT, 16);
    memcpy(b.data + 18, (uint8_t[]){ 20000 & 255, 20000 >> 8 }, 2);
    memcpy(b.data + 22, (uint8_t[]){ 20000 & 255, 20000 >> 8 }, 2);
    expect_of("BMP, run lengths, promises 20000 x 20000", &b, 0, 0, AKIN_E_TRUNCATED, 16);
    b.data[30] = 0;
    memcpy(b.data + 18, (uint8_t[]){ SIDE & 255, SIDE >> 8 }, 2);
    memcpy(b.data + 22, (uint8_t[]){ SIDE & 255, SIDE >> 8 }, 2);
    expect_of("BMP, promises 60000 x 60000", &b, 0, 0, AKIN_E_TRUNCATED, 16);
    bytes_clear(&b);
    b = torture_gif(1, 1, 1);
    memcpy(b.data + 6, (uint8_t[]){ SIDE & 255, SIDE >> 8, SIDE & 255, SIDE >> 8 }, 4);
    expect_of("GIF of 60000 x 60000, its frame 1 x 1", &b, 0, 0, AKIN_E_LIMIT, 16);
    bytes_clear(&b);
    b = torture_gif(1, 1, 1);
    memcpy(b.data + 30, (uint8_t[]){ 20000 & 255, 20000 >> 8, 20000 & 255, 20000 >> 8 }, 4);
    expect_of("GIF, promises 20000 x 20000", &b, 0, 0, AKIN_E_TRUNCATED, 16);
    bytes_clear(&b);
    b = torture_tiff(1, 1, 1, NULL, 0);
    for (int i = 0; i < 2; i++)
        memcpy(b.data + 18 + 12 * i, (uint8_t[]){ SIDE & 255, SIDE >> 8 }, 2);
    memcpy(b.data + 10 + 12 * 7 + 8, (uint8_t[]){ SIDE & 255, SIDE >> 8 }, 2);
    expect_of("TIFF, promises 60000 x 60000", &b, 0, 0, AKIN_E_LIMIT, 16);
    b.data[10 + 12 * 3 + 8] = 1; /* not compressed */
    expect_of("TIFF, uncompressed, promises 60000 x 60000", &b, 0, 0, AKIN_E_LIMIT, 16);
    bytes_clear(&b);
    b = torture_png(1, 1, 0, NULL);
    bytes head = { 0 };
    bytes_add(&head, b.data, 8);
    bytes ihdr = { 0 };
    bytes_big(&ihdr, SIDE, 4);
    bytes_big(&ihdr, SIDE, 4);
    bytes_add(&ihdr, "\x08\x02\0\0\0", 5);
    bytes_png_chunk(&head, "IHDR", ihdr.data, ihdr.size);
    bytes_add(&head, b.data + 33, b.size - 33);
    expect_of("PNG, promises 60000 x 60000", &head, 0, 0, AKIN_E_LIMIT, 16);
    bytes_clear(&ihdr);
    bytes_clear(&head);
    bytes_clear(&b);
    b = torture_jpeg(16, 16, 0, NULL);
    uint8_t *size = memmem(b.data, b.size, "\xff\xc0", 2);
    memcpy(size + 5, (uint8_t[]){ SIDE >> 8, SIDE & 255, SIDE >> 8, SIDE & 255 }, 4);
    expect_of("JPEG, promises 60000 x 60000", &b, 0, 0, AKIN_E_LIMIT, 16);
    /* Its end marker is there: to libjpeg, and to Pillow, the missing scan is no error. */
    memcpy(size + 5, (uint8_t[]){ 8000 >> 8, 8000 & 255, 8000 >> 8, 8000 & 255 }, 4);
    expect_of("JPEG, promises 8000 x 8000", &b, 0, 0, AKIN_OK, 210);
    bytes_clear(&b);
    b = torture_webp_lossless(16383, 16383, 1, 0);
    expect_of("WebP, lossless, 16383 x 16383, 1 GiB allowed", &b, 0, 1 << 30, AKIN_E_LIMIT, 16);
    bytes_clear(&b);
}

/* ---- what inflates */

static void bombs(void **state)
{
    (void)state;
    enum { SIDE = 200 };
    bytes gigabyte = { 0 }, more = { 0 }, chunk = { 0 };
    bytes_deflated_zeros(&gigabyte, 1 << 30);
    bytes_add(&chunk, "Raw profile type exif\0", 23);
    bytes_add(&chunk, gigabyte.data, gigabyte.size);
    bytes_png_chunk(&more, "zTXt", chunk.data, chunk.size);
    expect("PNG, zTXt of EXIF that inflates to 1 GiB", torture_png(SIDE, SIDE, 0, &more), AKIN_OK,
           16);
    chunk.size = more.size = 0;
    bytes_add(&chunk, "XML:com.adobe.xmp\0\1\0\0\0", 22);
    bytes_add(&chunk, gigabyte.data, gigabyte.size);
    bytes_png_chunk(&more, "iTXt", chunk.data, chunk.size);
    expect("PNG, iTXt of XMP that inflates to 1 GiB", torture_png(SIDE, SIDE, 0, &more), AKIN_OK,
           16);
    chunk.size = more.size = 0;
    bytes_add(&chunk, "icc\0", 5);
    bytes_add(&chunk, gigabyte.data, gigabyte.size);
    bytes_png_chunk(&more, "iCCP", chunk.data, chunk.size);
    expect("PNG, iCCP that inflates to 1 GiB", torture_png(SIDE, SIDE, 0, &more), AKIN_OK, 16);
    bytes b = torture_png(SIDE, SIDE, 0, NULL), whole = { 0 };
    bytes_add(&whole, b.data, 33);
    bytes_png_chunk(&whole, "IDAT", gigabyte.data, gigabyte.size);
    expect_of("PNG, image data that inflates to 1 GiB", &whole, 0, 0, AKIN_OK, 16);
    bytes_clear(&whole);
    bytes_clear(&b);
    b = torture_tiff(SIDE, SIDE, SIDE, NULL, 0);
    /* Its one strip is the last of the file: the gigabyte takes its place. */
    const uint32_t at = (uint32_t)(8 + 2 + 12 * 9 + 4 + 8 + 6);
    b.size = at;
    bytes_add(&b, gigabyte.data, gigabyte.size);
    memcpy(b.data + 10 + 12 * 8 + 8,
           (uint8_t[]){ gigabyte.size & 255, gigabyte.size >> 8 & 255, gigabyte.size >> 16 & 255 },
           3);
    expect_of("TIFF, a strip that inflates to 1 GiB", &b, 0, 0, AKIN_OK, 16);
    bytes_clear(&b);
    bytes_clear(&more);
    bytes_clear(&chunk);
    bytes_clear(&gigabyte);
}

/* ---- many of something */

static void many(void **state)
{
    (void)state;
    expect("GIF, 10,000 frames of 1000 x 1000", torture_gif(1000, 1000, 10000), AKIN_OK, 32);
    bytes more = { 0 };
    for (int i = 0; i < 100000; i++) /* EXIF blocks are joined */
        bytes_add(&more, "\xff\xe1\0\x12" "Exif\0\0" "MM\0*\0\0\0\x8\0\0", 20);
    expect("JPEG, 100,000 APP1 segments", torture_jpeg(64, 64, 0, &more), AKIN_OK, 16);
    more.size = 0;
    static uint8_t segment[65537] = "\xff\xe1\xff\xff" "Exif\0\0MM\0*";
    for (int i = 0; i < 1000; i++)
        bytes_add(&more, segment, sizeof segment);
    expect("JPEG, 1,000 APP1 segments of 64 KiB", torture_jpeg(64, 64, 0, &more), AKIN_OK, 160);
    more.size = 0;
    for (int i = 0; i < 1000000; i++)
        bytes_png_chunk(&more, "tEXt", "a\0b", 3);
    expect("PNG, 1,000,000 chunks of text", torture_png(64, 64, 0, &more), AKIN_OK, 32);
    bytes_clear(&more);
}

/* 50 MB of XMP that says again and again almost what is looked for. (AddressSanitizer looks at all
 * of it each time that memmem does.) */
static void long_xmp(void **state)
{
    (void)state;
    bytes xmp = { 0 }, more = { 0 }, chunk = { 0 };
    while (xmp.size < 50000000 / SHRINK)
        bytes_add(&xmp, "tiff:Orientation=\"?", 19);
    bytes_add(&chunk, "XML:com.adobe.xmp\0\0\0\0\0", 22);
    bytes_add(&chunk, xmp.data, xmp.size);
    bytes_png_chunk(&more, "iTXt", chunk.data, chunk.size);
    expect("PNG, XMP of 50 MB", torture_png(64, 64, 0, &more), AKIN_OK, 64);
    bytes_clear(&more);
    bytes_clear(&chunk);
    expect("WebP, XMP of 50 MB", torture_webp_xmp(&xmp), AKIN_OK, 64);
    torture_entry entry = { 700, 1, (uint32_t)xmp.size, 0 };
    bytes b = torture_tiff(64, 64, 64, &entry, 1);
    entry.value = (uint32_t)b.size;
    bytes_clear(&b);
    b = torture_tiff(64, 64, 64, &entry, 1);
    bytes_add(&b, xmp.data, xmp.size);
    expect_of("TIFF, XMP of 50 MB", &b, 0, 0, AKIN_OK, 64);
    bytes_clear(&b);
    bytes_clear(&xmp);
}

/* ---- directories */

/* EXIF in a JPEG and in a PNG. */
static void expect_exif(const char *name, const bytes *tiff)
{
    char title[96];
    bytes more = { 0 };
    bytes_big(&more, 0xffe1, 2);
    bytes_big(&more, tiff->size + 8, 2);
    bytes_add(&more, "Exif\0", 6);
    bytes_add(&more, tiff->data, tiff->size);
    snprintf(title, sizeof title, "JPEG, EXIF: %s", name);
    expect(title, torture_jpeg(64, 64, 0, &more), AKIN_OK, 16);
    more.size = 0;
    bytes_png_chunk(&more, "eXIf", tiff->data, tiff->size);
    snprintf(title, sizeof title, "PNG, EXIF: %s", name);
    expect(title, torture_png(64, 64, 0, &more), AKIN_OK, 16);
    bytes_clear(&more);
}

static void exif_loops(void **state)
{
    (void)state;
    bytes b = { 0 };
    /* Next directory, EXIF, GPS and sub-directories: all the directory itself. */
    const torture_entry itself[] = { { 330, 4, 1, 8 }, { 34665, 4, 1, 8 }, { 34853, 4, 1, 8 } };
    torture_directory(&b, itself, 3, 8);
    expect_exif("a directory that is its own next", &b);
    b.size = 0;
    for (uint32_t i = 0; i < 3600; i++) {
        const uint32_t next = (uint32_t)(b.size == 0 ? 8 : b.size) + 18;
        torture_directory(&b, &(torture_entry){ 270, 3, 1, 1 }, 1, i == 3599 ? 8 : next);
    }
    expect_exif("3,600 directories in a ring", &b);
    b.size = 0;
    torture_entry *entries = calloc(5400, sizeof *entries);
    for (uint32_t i = 0; i < 5400; i++) /* each is all of the block */
        entries[i] = (torture_entry){ 1000 + i, 7, 8 + 2 + 12 * 5400 + 4, 0 };
    torture_directory(&b, entries, 5400, 8);
    expect_exif("5,400 values over each other", &b);
    free(entries);
    bytes_clear(&b);
}

static void tiff_loops(void **state)
{
    (void)state;
    const torture_entry below = { 330, 4, 1, 8 };
    bytes b = torture_tiff(64, 64, 64, &below, 1);
    memcpy(b.data + 10 + 12 * 10, "\x8\0\0\0", 4); /* the next directory */
    expect_of("TIFF, a directory that is its own next", &b, 0, 0, AKIN_OK, 16);
    bytes_clear(&b);
    enum { BELOW = 1000000 };
    torture_entry many_below = { 330, 4, BELOW, 0 };
    b = torture_tiff(64, 64, 64, &many_below, 1);
    many_below.value = (uint32_t)b.size;
    bytes_clear(&b);
    b = torture_tiff(64, 64, 64, &many_below, 1);
    for (int i = 0; i < BELOW; i++)
        bytes_little(&b, 8, 4);
    expect_of("TIFF, a million directories below: itself", &b, 0, 0, AKIN_OK, 16);
    bytes_clear(&b);
    torture_entry *entries = calloc(65535, sizeof *entries);
    for (uint32_t i = 0; i < 65535; i++)
        entries[i] = (torture_entry){ 700, 7, 1 << 19, 8 };
    torture_directory(&b, entries, 65535, 8);
    expect_of("TIFF, 65,535 entries", &b, 0, 0, AKIN_E_CORRUPT, 16);
    free(entries);
    bytes_clear(&b);
    bytes_add(&b, "II+\0\x8\0\0\0\x10\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\x0f", 24);
    expect_of("BigTIFF, 2^60 entries", &b, 0, 0, AKIN_E_TRUNCATED, 16);
    bytes_clear(&b);
}

/* ---- lossless WebP */

/* The count itself, exact up to 256 groups and never low, of whole streams and of cut ones. */
static void webp_counts(void **state)
{
    (void)state;
    static const unsigned groups[] = { 1, 2, 200, 256, 257, 3000, 65535, 65536 };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const unsigned n = groups[i];
        bytes b = torture_webp_lossless(1024, 1024, n, 0);
        const uint8_t *stream = b.data + 25; /* behind RIFF, VP8L, signature and size */
        const size_t size = b.size - 25;
        const uint32_t count = akin_webp_groups(stream, size, 1024, 1024);
        assert_int_equal(count, n <= 256 ? n : (n + 255) / 256 * 256);
        for (size_t cut = 0; cut < 64; cut++) {
            const uint32_t got = akin_webp_groups(stream, cut, 1024, 1024);
            assert_true(got == count || got == 65536);
        }
        bytes_clear(&b);
    }
    /* Behind transforms: what libwebp 1.2.4 allocated, seen in what it asks malloc for. */
    static const struct {
        const char *file;
        uint32_t count;
    } golden[] = { { "lossless", 1 }, { "lossless-alpha", 1 }, { "every-alpha", 2 } };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        char name[64];
        akin_buffer file;
        snprintf(name, sizeof name, "tests/golden/formats/%s.webp", golden[i].file);
        assert_int_equal(akin_file_read(name, "picture", 1 << 20, &file, NULL), AKIN_OK);
        const uint8_t *at = memmem(file.data, file.size, "VP8L", 4);
        assert_non_null(at);
        const uint32_t sides = (uint32_t)at[9] | (uint32_t)at[10] << 8 | (uint32_t)at[11] << 16 |
                               (uint32_t)at[12] << 24;
        at += 13;
        assert_int_equal(akin_webp_groups(at, file.size - (size_t)(at - (uint8_t *)file.data),
                                          (sides & 16383) + 1, (sides >> 14 & 16383) + 1),
                         golden[i].count);
        akin_buffer_clear(&file);
    }
}

/* The groups of Huffman tables are counted before libwebp allocates them. */
static void webp_groups(void **state)
{
    (void)state;
    enum { LIMIT = 1 << 30 };
    if (SHRINK == 1)
        skip_when_small();
    /* As large as a photograph's file, with more groups than an encoder makes of one. */
    bytes b = torture_webp_lossless(6000, 4000 / SHRINK, 3000, 1);
    expect_of("WebP, lossless, 24 megapixels, 1 GiB allowed", &b, 0, LIMIT, AKIN_OK, 280);
    bytes_clear(&b);
    b = torture_webp_lossless(1024, 1024, 65536, 0);
    expect_of("WebP, lossless, 65,536 groups, 1 GiB allowed", &b, 0, LIMIT, AKIN_E_LIMIT, 16);
    expect_of("WebP, lossless, 65,536 groups", &b, 0, 0, AKIN_OK, 420);
    bytes_clear(&b);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/picture", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return read_picture(argv[1], argv[2]);
    program = argv[0];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge),       cmocka_unit_test(thin),     cmocka_unit_test(promises),
        cmocka_unit_test(bombs),      cmocka_unit_test(many),     cmocka_unit_test(long_xmp),
        cmocka_unit_test(exif_loops), cmocka_unit_test(tiff_loops), cmocka_unit_test(webp_groups),
        cmocka_unit_test(webp_counts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
