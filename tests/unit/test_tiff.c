/* test_tiff.c - image/tiff.c and tiff_strip.c against Pillow (tests/golden/tiff), and broken files,
 * each one change away from a good one. */
#include "unit.h"

#include <pthread.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "image/decode.h"
#include "picture_golden.h"

#define GOLDEN "tests/golden/tiff/"

/* Not every build of libtiff has every compression. */
static bool is_left_out(const akin_error *err)
{
    return strstr(err->message, "this build's libtiff does not have") != NULL;
}

static bool is_as(const char *path, const akin_json *entry, bool stored)
{
    char hash[17];
    akin_picture p;
    akin_error err;
    akin_picture_options options = akin_picture_default_options();
    options.as_stored = stored;
    if (akin_picture_read(&p, path, &options, &err) != AKIN_OK) {
        if (is_left_out(&err))
            return true;
        print_error("%s: %s\n", path, err.message);
        return false;
    }
    size_t size = (size_t)p.width * (size_t)p.height * (size_t)akin_layout_bytes(p.layout);
    bool same = p.width == akin_json_integer(akin_json_get(entry, "width")) &&
                p.height == akin_json_integer(akin_json_get(entry, "height")) &&
                (stored ? p.layout == (akin_layout)akin_json_integer(akin_json_get(entry, "layout"))
                        : p.layout == AKIN_RGB) &&
                strcmp(golden_hash(p.pixels, size, hash),
                       akin_json_string(akin_json_get(entry, stored ? "stored" : "rgb"))) == 0;
    if (!same)
        print_error("%s: differs%s\n", path, stored ? " as stored" : "");
    akin_picture_clear(&p);
    return same;
}

static void every_picture(void **state)
{
    (void)state;
    akin_json *all;
    akin_error err;
    assert_int_equal(akin_json_read(GOLDEN "pictures.json", 4 << 20, &all, &err), AKIN_OK);
    size_t i, wrong = 0;
    const akin_json *entry;
    for (i = 0; i < akin_json_count(akin_json_get(all, "pictures")); i++) {
        entry = akin_json_at(akin_json_get(all, "pictures"), i);
        char path[256];
        snprintf(path, sizeof path, GOLDEN "%s", akin_json_string(akin_json_get(entry, "file")));
        wrong += !is_as(path, entry, false);
        wrong += !is_as(path, entry, true);
    }
    akin_json_free(all);
    assert_int_equal(wrong, 0);
    assert_true(i >= 220);
}

/* ---- broken files */

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static bytes load(const char *name)
{
    char path[256];
    akin_buffer file;
    akin_error err;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (akin_file_read(path, "picture", 1 << 20, &file, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    bytes b = { malloc(file.size), file.size };
    memcpy(b.data, file.data, file.size);
    akin_buffer_clear(&file);
    return b;
}

/* Decodes a copy of exactly that many bytes, so that a sanitizer sees a read past the end. */
static akin_status decode(const void *data, size_t size, const akin_picture_options *limits,
                          akin_error *err)
{
    akin_picture p = { 0 };
    void *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, data, size);
    /* Not by way of akin_picture_decode, which asks first whether it is a raw photograph. */
    const akin_picture_options how = limits != NULL ? *limits : akin_picture_default_options();
    const akin_encoded from = { copy, size, "x", how.memory_bytes, how.as_stored, how.lenient };
    akin_status status = akin_tiff_decode(&p, &from, err);
    assert_true((status == AKIN_OK) == (p.pixels != NULL));
    akin_picture_clear(&p);
    free(copy);
    return status;
}

static void expect(bytes b, akin_status want, const char *part)
{
    akin_error err = { 0 };
    akin_status status = decode(b.data, b.size, NULL, &err);
    if (status != want || strstr(err.message, part) == NULL)
        fail_msg("expected %s with '%s', got %s: %s", akin_status_name(want), part,
                 akin_status_name(status), status != AKIN_OK ? err.message : "");
}

static void cut_anywhere(void **state)
{
    (void)state;
    static const char *const files[] = {
        "grey1-0.tif", "palette8-packbits.tif", "rgb-lzw-apart-tiles.tif",
        "g4-0.tif",    "jpeg-420-unsaid.tif",   "bigtiff.tif",
        "pages.tif",   "rgb16-big-1.tif",       "rgb-zstd-predictor.tif",
        "jpeg-tables.tif",
    };
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        bytes b = load(files[f]);
        akin_error err = { 0 };
        if (decode(b.data, b.size, NULL, &err) != AKIN_OK) {
            assert_true(is_left_out(&err));
            free(b.data);
            continue;
        }
        /* Where the next directory is need not be known; of jpeg-tables.tif and pages.tif, which
         * Pillow wrote, the directory comes first or a second page follows. */
        size_t last = strcmp(files[f], "bigtiff.tif") == 0 ? b.size - 9 : b.size - 5;
        if (strcmp(files[f], "pages.tif") == 0)
            last = 400;
        for (size_t n = 4; n <= last; n += n < 64 || n + 80 > last ? 1 : 7) {
            akin_status status = decode(b.data, n, NULL, &err);
            if (status != AKIN_E_TRUNCATED)
                fail_msg("%s cut to %zu of %zu bytes: %s: %s", files[f], n, b.size,
                         akin_status_name(status), status != AKIN_OK ? err.message : "");
        }
        free(b.data);
    }
}

/* Little-endian, as are the files that are changed below. */
static uint32_t get(const uint8_t *p, size_t n)
{
    uint32_t v = 0;
    for (size_t i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static void put(uint8_t *p, size_t n, uint32_t v)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint8_t *entry_of(bytes b, unsigned tag)
{
    size_t at = get(b.data + 4, 4);
    for (uint32_t i = 0, n = get(b.data + at, 2); i < n; i++)
        if (get(b.data + at + 2 + 12 * i, 2) == tag)
            return b.data + at + 2 + 12 * i;
    fail_msg("no tag %u", tag);
    return NULL;
}

typedef struct change {
    const char *file;
    unsigned tag, new_tag, type;
    uint32_t count, value; /* the value as the four bytes say it */
    akin_status status;
    const char *part;
} change;

static void broken_directories(void **state)
{
    (void)state;
#define RGB "rgb-none.tif"
#define BAD AKIN_E_CORRUPT
#define NOT AKIN_E_UNSUPPORTED
#define CUT AKIN_E_TRUNCATED
    static const change changes[] = {
        { RGB, 256, 256, 4, 1, 0, BAD, "a picture of 0 x 27 pixels" },
        { RGB, 257, 257, 4, 1, 0, BAD, "a picture of 41 x 0 pixels" },
        { RGB, 257, 257, 4, 1, 0xffffffff, BAD, "4294967295 pixels" },
        { RGB, 257, 257, 5, 1, 8, BAD, "a picture of 41 x 0 pixels" },
        { RGB, 257, 257, 99, 1, 5, BAD, "a picture of 41 x 0 pixels" },
        { RGB, 257, 257, 4, 0, 5, BAD, "a picture of 41 x 0 pixels" },
        { RGB, 257, 257, 4, 0xffffffff, 5, CUT, "values of its tag 257" },
        { RGB, 257, 257, 4, 1, 100000, BAD, "3 strips or tiles where 1 x 8334 x 1" },
        { RGB, 256, 256, 4, 1, 100000, CUT, "strip 0 of 3600000 bytes" },
        { RGB, 256, 256, 4, 1, 50000000, AKIN_E_LIMIT, "50000000 x 27" },
        { RGB, 278, 278, 4, 1, 0, BAD, "strips or tiles of 41 x 0 pixels" },
        { RGB, 278, 278, 4, 1, 1, BAD, "3 strips or tiles where 1 x 27 x 1" },
        { RGB, 273, 324, 4, 3, 8, BAD, "strips or tiles of 0 x 0 pixels" },
        { RGB, 273, 999, 4, 3, 8, BAD, "no image data" },
        { RGB, 273, 273, 3, 2, 8, BAD, "2 strips or tiles where 1 x 3 x 1" },
        { RGB, 273, 273, 4, 3, 0xfffffff0, CUT, "values of its tag 273" },
        { RGB, 258, 258, 3, 2, 8, BAD, "bits are not said" },
        { RGB, 258, 258, 3, 1, 16, CUT, "strip 1 of 2952 bytes" },
        { RGB, 258, 258, 3, 1, 4, NOT, "3 samples of 4 bits" },
        { RGB, 258, 258, 3, 1, 3, NOT, "3 samples of 3 bits" },
        { RGB, 258, 258, 3, 1, 32, NOT, "32-bit samples of format 1" },
        { RGB, 258, 258, 3, 1, 0, NOT, "samples of 0 bits" },
        { RGB, 277, 277, 3, 1, 0, NOT, "0 samples a pixel" },
        { RGB, 277, 277, 3, 1, 7, NOT, "7 samples a pixel" },
        { RGB, 277, 277, 3, 1, 2, NOT, "2 samples of 8 bits" },
        { RGB, 277, 277, 3, 1, 4, BAD, "bits are not said" },
        { RGB, 259, 259, 3, 1, 6, NOT, "JPEG in the old style" },
        { RGB, 259, 259, 3, 1, 32771, NOT, "aligned to words" },
        { RGB, 259, 259, 3, 1, 34712, NOT, "JPEG 2000" },
        { RGB, 259, 259, 3, 1, 12345, NOT, "compression 12345" },
        { RGB, 259, 259, 3, 1, 5, BAD, "broken TIFF: " },
        { RGB, 259, 259, 3, 1, 7, BAD, "broken TIFF: " },
        { RGB, 259, 259, 3, 1, 8, BAD, "broken TIFF: " },
        { RGB, 259, 259, 3, 1, 4, BAD, "CCITT compression of other than one bit" },
        { RGB, 262, 262, 3, 1, 3, NOT, "interpretation 3 with 3 samples" },
        { RGB, 262, 262, 3, 1, 5, NOT, "interpretation 5 with 3 samples" },
        { RGB, 262, 262, 3, 1, 4, NOT, "a transparency mask" },
        { RGB, 262, 262, 3, 1, 8, NOT, "CIELAB" },
        { RGB, 262, 262, 3, 1, 32844, NOT, "LogLuv" },
        { RGB, 262, 262, 3, 1, 77, NOT, "unknown colours" },
        { RGB, 262, 262, 3, 1, 32803, AKIN_E_FORMAT, "a raw photograph" },
        { RGB, 262, 262, 3, 1, 34892, AKIN_E_FORMAT, "a raw photograph" },
        { RGB, 279, 50706, 1, 4, 0x00000401, AKIN_E_FORMAT, "a raw photograph" },
        { RGB, 279, 0xbc01, 1, 1, 1, NOT, "Windows Media Photo" },
        { RGB, 279, 284, 3, 1, 3, BAD, "neither together nor apart" },
        { RGB, 279, 284, 3, 1, 2, BAD, "3 strips or tiles where 1 x 3 x 3" },
        { RGB, 279, 266, 3, 1, 3, BAD, "neither from the left" },
        { RGB, 279, 338, 3, 1, 2, NOT, "1 of them extra" },
        { RGB, 279, 338, 3, 2, 2, NOT, "2 of them extra" },
        { RGB, 279, 339, 3, 1, 3, NOT, "floating-point" },
        { RGB, 279, 339, 3, 1, 2, NOT, "8-bit samples of format 2" },
        { RGB, 279, 339, 3, 2, 0x00030001, NOT, "samples of different formats" },
        { "rgb-lzw-predictor.tif", 317, 317, 3, 1, 3, NOT, "a predictor" },
        { "rgb-lzw-predictor.tif", 317, 317, 3, 1, 4, NOT, "a predictor" },
        { "rgb-lzw.tif", 279, 279, 4, 3, 0xffffff00, CUT, "values of its tag 279" },
        { "rgb-lzw.tif", 279, 279, 4, 1, 30, BAD, "broken TIFF: " },
        { "g4-0.tif", 259, 259, 3, 1, 3, BAD, "" },
        { "palette8.tif", 320, 999, 3, 768, 8, BAD, "without a colour map" },
        { "ycbcr.tif", 530, 530, 3, 2, 0x00020002, NOT, "subsampled YCbCr" },
        { "ycbcr.tif", 259, 259, 3, 1, 8, NOT, "YCbCr compressed by other than JPEG" },
        { "ycbcr.tif", 530, 284, 3, 1, 2, BAD, "1 strips or tiles where 1 x 1 x 3" },
        { "jpeg-420.tif", 530, 530, 3, 2, 0x00010001, BAD, "broken TIFF: " },
        { "jpeg-420.tif", 262, 262, 3, 1, 2, BAD, "broken TIFF: " },
        { "jpeg-grey.tif", 256, 256, 4, 1, 30, BAD, "broken TIFF: " },
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const change *c = &changes[i];
        bytes b = load(c->file);
        expect(b, AKIN_OK, "");
        uint8_t *at = entry_of(b, c->tag);
        put(at, 2, c->new_tag);
        put(at + 2, 2, c->type);
        put(at + 4, 4, c->count);
        put(at + 8, 4, c->value);
        if (c->status == BAD && c->part[0] == '\0') { /* any answer will do */
            decode(b.data, b.size, NULL, NULL);
        } else {
            expect(b, c->status, c->part);
        }
        free(b.data);
    }

    bytes b = load(RGB);
    size_t at = get(b.data + 4, 4);
    put(b.data + at, 2, 0xffff);
    expect(b, CUT, "directory of 65535 entries");
    put(b.data + at, 2, 0);
    expect(b, BAD, "a picture of 0 x 0 pixels");
    put(b.data + 4, 4, 0xffffffff);
    expect(b, CUT, "before its directory, at byte 4294967295");
    put(b.data + 4, 4, 0); /* the header as a directory */
    expect(b, CUT, "directory of 18761 entries");
    free(b.data);

    /* A preview with the photograph behind it. */
    b = load(RGB);
    uint8_t *e = entry_of(b, 278);
    put(e, 2, 254);
    put(e + 8, 4, 1);
    expect(b, AKIN_OK, "");
    put(entry_of(b, 279), 2, 330);
    expect(b, AKIN_E_FORMAT, "a raw photograph");
    free(b.data);
    b = load(RGB);
    memcpy(b.data + 8, "CR\2\0", 4);
    expect(b, AKIN_E_FORMAT, "a raw photograph");
    free(b.data);
#undef RGB
#undef BAD
#undef NOT
#undef CUT
}

static void limits(void **state)
{
    (void)state;
    bytes b = load("rgb-lzw.tif");
    akin_error err;
    akin_picture_options how = akin_picture_default_options();
    how.memory_bytes = 100000;
    assert_int_equal(decode(b.data, b.size, &how, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "--max-memory"));
    how.memory_bytes = 1200000;
    assert_int_equal(decode(b.data, b.size, &how, &err), AKIN_OK);
    /* One tile of 2 GiB in a file of a few kilobytes. */
    free(b.data);
    b = load("grey8-1-lzw.tif");
    put(entry_of(b, 322) + 8, 4, 0x8000);
    put(entry_of(b, 323) + 8, 4, 0x10000);
    assert_int_equal(decode(b.data, b.size, NULL, &err), AKIN_E_LIMIT);
    put(entry_of(b, 322) + 8, 4, 0x7fffffff);
    put(entry_of(b, 323) + 8, 4, 0x7fffffff);
    assert_int_equal(decode(b.data, b.size, NULL, &err), AKIN_E_LIMIT);
    free(b.data);
}

/* ---- libtiff says nothing to anyone, whatever the file and the thread */

enum { THREADS = 4 };

static void *spoil(void *name)
{
    bytes b = load(name);
    for (uint32_t round = 0; round < 60; round++) {
        b.data[40 + 7 * round % 300] ^= (uint8_t)(1 + round);
        decode(b.data, b.size, NULL, NULL);
    }
    free(b.data);
    return NULL;
}

static void silence(void **state)
{
    (void)state;
    static const char *const files[THREADS] = { "rgb-lzw.tif", "jpeg-420.tif", "g3-2d-0.tif",
                                                "rgb-deflate.tif" };
    FILE *said = tmpfile();
    assert_non_null(said);
    int terminal = dup(2);
    dup2(fileno(said), 2);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spoil, (void *)(uintptr_t)files[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    dup2(terminal, 2);
    close(terminal);
    assert_int_equal(fseek(said, 0, SEEK_END), 0);
    assert_int_equal(ftell(said), 0);
    fclose(said);
}

static void mutations(void **state)
{
    (void)state;
    static const char *const names[] = {
        "grey1-0.tif",  "palette4-packbits.tif", "rgba16-big-8-1.tif", "rgb-lzw-apart-tiles.tif",
        "g3-2d-0.tif",  "g4-tiles.tif",          "rle-fill.tif",       "jpeg-progressive.tif",
        "jpeg-422.tif", "jpeg-tables.tif",       "bigtiff-long8.tif",  "rgb-zstd-apart-tiles.tif",
        "rgb-lzma.tif", "rgba-webp.tif",         "rgb-extra1-2.tif",   "orientation-xmp.tif",
    };
    akin_picture_options how = { .file_bytes = 1 << 20, .memory_bytes = 16 << 20 };
    size_t counts[2] = { 0 };
    for (size_t f = 0; f < sizeof names / sizeof names[0]; f++) {
        bytes b = load(names[f]);
        uint8_t *copy = malloc(b.size);
        /* Half of the changes where the directory is: most files end with it. */
        size_t tail = b.size < 300 ? b.size : 300;
        for (uint64_t round = 0; round < 150; round++) {
            memcpy(copy, b.data, b.size);
            uint64_t seed = 77 * f + 1000 * round, from = 0;
            for (int k = 0; k < 1 + (int)(round % 4); k++) {
                size_t r = 0;
                for (int i = 0; i < 3; i++)
                    r = r << 8 | golden_byte(seed, from++);
                size_t at = round % 2 == 0 ? b.size - 1 - r % tail : r % b.size;
                copy[at] = round % 3 == 0 ? golden_byte(seed, from++)
                                          : copy[at] ^ (uint8_t)(1u << r / 65536 % 8);
            }
            how.as_stored = round % 5 == 0;
            counts[decode(copy, b.size, &how, NULL) == AKIN_OK]++;
        }
        free(copy);
        free(b.data);
    }
    assert_true(counts[0] > 300 && counts[1] > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_picture), cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(broken_directories), cmocka_unit_test(limits),
        cmocka_unit_test(silence), cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
