/* Tests for src/image/metadata.h: EXIF and XMP in every container against exiftool
 * (tools/oracle/metadata.py), what is none of it, and hostile files. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zlib.h>

#include "base/file.h"
#include "base/utf8.h"
#include "golden.h"
#include "image/metadata.h"
#include "image/metadata_parts.h"

#define GOLDEN "tests/golden/metadata/"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Whatever was read keeps what the header promises. */
static void check_text(const char *text, size_t max, bool lines)
{
    const size_t size = strlen(text);
    assert_in_range(size, 1, max);
    assert_true(akin_utf8_valid(text, size, NULL));
    assert_true(text[0] != ' ' && text[size - 1] != ' ' && text[size - 1] != '\n');
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        assert_true((c >= 0x20 && c != 0x7f) || (lines && c == '\n'));
        assert_false(c == 0xc2 && (unsigned char)text[i + 1] < 0xa0);
    }
}

static void check_promises(const akin_metadata *m)
{
    assert_true(strlen(m->taken_at) == 0 || strlen(m->taken_at) == 19);
    assert_true(strlen(m->offset) == 0 || strlen(m->offset) == 6);
    if (m->camera[0] != '\0')
        check_text(m->camera, sizeof m->camera - 1, false);
    if (m->caption != NULL)
        check_text(m->caption, AKIN_METADATA_TEXT, true);
    if (m->title != NULL)
        check_text(m->title, AKIN_METADATA_TEXT, false);
    assert_in_range(m->tag_count, 0, AKIN_METADATA_TAGS);
    for (size_t i = 0; i < m->tag_count; i++)
        check_text(m->tags[i], AKIN_METADATA_TAG, false);
}

static void read_bytes(akin_metadata *m, const void *bytes, size_t size)
{
    akin_error err;
    /* A copy of the exact size, so that a sanitizer sees a read past its end. */
    void *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, bytes, size);
    assert_int_equal(akin_metadata_read(m, copy, size, &err), AKIN_OK);
    free(copy);
    check_promises(m);
}

static akin_buffer golden_bytes(const char *name)
{
    char path[256];
    akin_buffer file;
    akin_error err;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    assert_int_equal(akin_file_read(path, "picture", 1 << 20, &file, &err), AKIN_OK);
    return file;
}

/* ---- against exiftool */

typedef struct expected {
    char name[64];
    char taken_at[32], offset[8], camera[128];
    char *latitude, *longitude, *title, *caption, *tags[16];
    size_t tag_count;
} expected;

static void same_text(const char *name, const char *field, const char *got, const char *want)
{
    if ((got == NULL) != (want == NULL) || (got != NULL && strcmp(got, want) != 0))
        fail_msg("%s: %s is '%s', exiftool says '%s'", name, field, got != NULL ? got : "(none)",
                 want != NULL ? want : "(none)");
}

static void compare(expected *e)
{
    akin_metadata m;
    akin_buffer file = golden_bytes(e->name);
    read_bytes(&m, file.data, file.size);
    same_text(e->name, "taken_at", m.taken_at, e->taken_at);
    same_text(e->name, "offset", m.offset, e->offset);
    same_text(e->name, "camera", m.camera, e->camera);
    same_text(e->name, "title", m.title, e->title);
    same_text(e->name, "caption", m.caption, e->caption);
    if (m.has_position != (e->latitude != NULL))
        fail_msg("%s: position %d", e->name, m.has_position);
    if (m.has_position) { /* exiftool prints 15 digits */
        assert_true(fabs(m.latitude - strtod(e->latitude, NULL)) < 1e-12);
        assert_true(fabs(m.longitude - strtod(e->longitude, NULL)) < 2e-12);
    }
    for (size_t i = 0; i < e->tag_count || i < m.tag_count; i++)
        same_text(e->name, "tag", i < m.tag_count ? m.tags[i] : NULL,
                  i < e->tag_count ? e->tags[i] : NULL);
    akin_metadata_clear(&m);
    akin_buffer_clear(&file);
    free(e->latitude);
    free(e->longitude);
    free(e->title);
    free(e->caption);
    for (size_t i = 0; i < e->tag_count; i++)
        free(e->tags[i]);
    *e = (expected){ .name = "" };
}

static void test_against_exiftool(void **state)
{
    (void)state;
    golden g = golden_open(GOLDEN "expected.txt");
    expected e = { .name = "" };
    const char *v;
    size_t files = 0;
    while (golden_next(&g)) {
        if ((v = golden_value(&g, "file")) != NULL) {
            if (files++ != 0)
                compare(&e);
            snprintf(e.name, sizeof e.name, "%s", v);
        } else if ((v = golden_value(&g, "taken_at")) != NULL)
            snprintf(e.taken_at, sizeof e.taken_at, "%s", v);
        else if ((v = golden_value(&g, "offset")) != NULL)
            snprintf(e.offset, sizeof e.offset, "%s", v);
        else if ((v = golden_value(&g, "camera")) != NULL)
            snprintf(e.camera, sizeof e.camera, "%s", v);
        else if ((v = golden_value(&g, "latitude")) != NULL)
            e.latitude = strdup(v);
        else if ((v = golden_value(&g, "longitude")) != NULL)
            e.longitude = strdup(v);
        else if ((v = golden_value(&g, "title")) != NULL)
            e.title = golden_text(v);
        else if ((v = golden_value(&g, "caption")) != NULL)
            e.caption = golden_text(v);
        else if ((v = golden_value(&g, "tag")) != NULL && e.tag_count < 16)
            e.tags[e.tag_count++] = golden_text(v);
        else
            fail_msg("expected.txt: '%s'", g.line);
    }
    compare(&e);
    golden_close(&g);
    assert_in_range(files, 33, 100);
}

/* Each file cut at every length, and with each byte wrong in turn. */
static void test_cut_and_wrong(void **state)
{
    (void)state;
    static const char *const names[] = { "jpeg-full.jpg",   "jpeg-extended.jpg", "png-profile.png",
                                         "png-xmp-deflated.png", "webp-full.webp", "tiff-full.tif",
                                         "avif-full.avif", "heic-full.heic", "cr3-full.cr3",
                                         "raf-exif.raf" };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        akin_metadata m;
        akin_buffer file = golden_bytes(names[k]);
        for (size_t n = 0; n < file.size; n++) {
            read_bytes(&m, file.data, n);
            akin_metadata_clear(&m);
            file.data[n] ^= (char)(n % 3 == 0 ? 0xff : n % 3 == 1 ? 0x80 : 0x01);
            read_bytes(&m, file.data, file.size);
            akin_metadata_clear(&m);
            file.data[n] ^= (char)(n % 3 == 0 ? 0xff : n % 3 == 1 ? 0x80 : 0x01);
        }
        akin_buffer_clear(&file);
    }
}

/* ---- EXIF by hand */

typedef struct block {
    uint8_t bytes[2048];
    size_t size, entry; /* where the next entry goes */
} block;

static void put(uint8_t *at, size_t n, uint64_t v)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (uint8_t)(v >> (8 * i));
}

/* A little-endian block with room for `entries` in its first directory. */
static void begin_block(block *b, unsigned entries)
{
    memset(b, 0, sizeof *b);
    memcpy(b->bytes, "II*\0\10\0\0", 8);
    put(b->bytes + 8, 2, entries);
    b->entry = 10;
    b->size = 10 + 12 * entries + 4;
}

static void put_entry(block *b, unsigned tag, unsigned type, uint32_t count, uint32_t value)
{
    put(b->bytes + b->entry, 2, tag);
    put(b->bytes + b->entry + 2, 2, type);
    put(b->bytes + b->entry + 4, 4, count);
    put(b->bytes + b->entry + 8, 4, value);
    b->entry += 12;
}

static void put_data(block *b, unsigned tag, unsigned type, uint32_t count, const void *data,
                     size_t size)
{
    put_entry(b, tag, type, count, (uint32_t)b->size);
    memcpy(b->bytes + b->size, data, size);
    b->size += size;
}

static void put_ascii(block *b, unsigned tag, const char *text)
{
    put_data(b, tag, 2, (uint32_t)strlen(text) + 1, text, strlen(text) + 1);
}

/* The directory that goes on here, of `entries`. */
static void begin_directory(block *b, unsigned tag, unsigned entries)
{
    put_entry(b, tag, 4, 1, (uint32_t)b->size);
    put(b->bytes + b->size, 2, entries);
    b->entry = b->size + 2;
    b->size += 2 + 12 * entries + 4;
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text, *taken_at, *offset;
    } cases[] = {
        { "2023:06:15 14:03:22", "2023-06-15T14:03:22", "" },
        { "2023:06:15 14:03:22  ", "2023-06-15T14:03:22", "" },
        { "2023-06-15T14:03:22.123456789+02:00", "2023-06-15T14:03:22", "+02:00" },
        { "2023-06-15T14:03:22Z", "2023-06-15T14:03:22", "+00:00" },
        { "2023-06-15T14:03-0330", "2023-06-15T14:03:00", "-03:30" },
        { "2023-06-15", "2023-06-15T00:00:00", "" },
        { "2023/06/15 14:03:22", "2023-06-15T14:03:22", "" },
        { "2000:02:29 00:00:00", "2000-02-29T00:00:00", "" },
        { "1900:02:29 00:00:00", NULL, NULL },
        { "2023:02:30 00:00:00", NULL, NULL },
        { "2023:13:01 00:00:00", NULL, NULL },
        { "2023:00:01 00:00:00", NULL, NULL },
        { "2023:04:31 00:00:00", NULL, NULL },
        { "2023:06:15 24:00:00", NULL, NULL },
        { "2023:06:15 23:60:00", NULL, NULL },
        { "2023:06:15 23:59:60", NULL, NULL },
        { "0000:00:00 00:00:00", NULL, NULL },
        { "    :  :     :  :  ", NULL, NULL },
        { "2023:06:15 02:03:22 PM", NULL, NULL },
        { "2023:06:15 14", NULL, NULL },
        { "2023:06", NULL, NULL },
        { "2023", NULL, NULL },
        { "20230615", NULL, NULL },
        { "2023-06-15T14:03:22+99:00", NULL, NULL },
        { "2023-06-15T14:03:22+02:0", NULL, NULL },
        { "", NULL, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        akin_metadata m = { .taken_at = "" };
        const bool known = akin_metadata_set_date(&m, cases[i].text);
        if (known != (cases[i].taken_at != NULL))
            fail_msg("'%s': %s", cases[i].text, known ? m.taken_at : "unknown");
        assert_string_equal(m.taken_at, known ? cases[i].taken_at : "");
        assert_string_equal(m.offset, known ? cases[i].offset : "");
    }
}

static void test_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *text, *offset;
    } cases[] = { { "+02:00", "+02:00" }, { "-0930 ", "-09:30" }, { "Z", "+00:00" },
                  { "   :  ", "" },       { "+2:00", "" },        { "+02:99", "" },
                  { "02:00", "" },        { "", "" },             { "+02:00x", "" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char offset[8] = "x";
        assert_int_equal(akin_metadata_offset(cases[i].text, offset), cases[i].offset[0] != '\0');
        assert_string_equal(offset, cases[i].offset);
    }
}

static void test_cameras(void **state)
{
    (void)state;
    static const struct {
        const char *make, *model, *camera;
    } cases[] = {
        { "Canon", "Canon EOS R5", "Canon EOS R5" },
        { "NIKON CORPORATION", "NIKON D850", "NIKON D850" },
        { "OLYMPUS IMAGING CORP.", "E-M10", "OLYMPUS IMAGING CORP. E-M10" },
        { "Apple", "iPhone 14 Pro", "Apple iPhone 14 Pro" },
        { "samsung", "Samsung-SM", "Samsung-SM" },
        { "HP", "HPTouch", "HP HPTouch" },
        { "RICOH", "RICOH", "RICOH" },
        { NULL, "X-T3", "X-T3" },
        { "FUJIFILM", NULL, "FUJIFILM" },
        { NULL, NULL, "" },
    };
    char camera[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        akin_metadata_camera(cases[i].make, cases[i].model, camera);
        assert_string_equal(camera, cases[i].camera);
    }
    char make[200], model[200]; /* 63 times 2 bytes and a blank are 127; the next does not fit */
    memset(make, 0, sizeof make);
    memset(model, 0, sizeof model);
    for (size_t i = 0; i < 63; i++)
        memcpy(make + 2 * i, "\xc3\xa4", 2);
    memcpy(model, "\xe6\xb9\x96", 3);
    akin_metadata_camera(make, model, camera);
    assert_string_equal(camera, make);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t size, max;
        bool lines;
        const char *out;
    } cases[] = {
        { "  hello \0junk", 13, 100, false, "hello" },
        { "a\r\nb\rc\n", 7, 100, true, "a\nb\nc" },
        { "a\r\nb\tc\x1b[31m", 11, 100, false, "a b c[31m" },
        { "Z\xc3\xbcrich", 7, 100, false, "Z\xc3\xbcrich" },
        { "Z\xfcrich", 6, 100, false, "Z\xc3\xbcrich" },
        { "Caf\xe9", 4, 100, false, "Caf\xc3\xa9" },                   /* Latin-1, not cut */
        { "Z\xc3\xbcrich\xc3", 8, 100, false, "Z\xc3\xbcrich" },       /* UTF-8 that was cut */
        { "\x80\x9f\xa0x", 4, 100, false, "\xc2\xa0x" },               /* C1 of Latin-1 */
        { "\xc2\x85x\x7f", 4, 100, false, "x" },
        { "\xef\xbb\xbfx", 4, 100, false, "x" },
        { "ab\xc3\xbc", 4, 3, false, "ab" },
        { "   ", 3, 100, false, NULL },
        { "\0", 1, 100, false, NULL },
        { "\x01\x02", 2, 100, false, NULL },
        { "", 0, 100, false, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *out;
        akin_error err;
        assert_int_equal(akin_metadata_text(cases[i].in, cases[i].size, cases[i].max,
                                            cases[i].lines, &out, &err), AKIN_OK);
        if (cases[i].out == NULL)
            assert_null(out);
        else
            assert_string_equal(out, cases[i].out);
        free(out);
    }
    char *out;
    akin_error err; /* half a pair, and a whole one */
    assert_int_equal(akin_metadata_text16((const uint8_t *)"\x3d\xd8" "a\0\x3d\xd8\xd7\xdd", 8,
                                          false, 100, false, &out, &err), AKIN_OK);
    assert_string_equal(out, "\xef\xbf\xbd" "a\xf0\x9f\x97\x97");
    free(out);
    assert_int_equal(akin_metadata_text16((const uint8_t *)"\xfe\xff\0h\0i", 6, false, 100, false,
                                          &out, &err), AKIN_OK);
    assert_string_equal(out, "hi");
    free(out);
}

static void test_junk(void **state)
{
    (void)state;
    assert_true(akin_metadata_is_junk("OLYMPUS DIGITAL CAMERA"));
    assert_true(akin_metadata_is_junk("SONY DSC"));
    assert_true(akin_metadata_is_junk("ImageJ=1.53k\nimages=3"));
    assert_false(akin_metadata_is_junk("SONY DSC in the rain"));
    assert_false(akin_metadata_is_junk("hdr of a lake"));
}

/* Six rationals for a position and what becomes of it. */
static void test_positions(void **state)
{
    (void)state;
    static const struct {
        uint32_t lat[6], lon[6];
        const char *refs;
        bool known;
        double latitude, longitude;
    } cases[] = {
        { { 47, 1, 30, 1, 0, 1 }, { 8, 1, 15, 1, 0, 1 }, "NE", true, 47.5, 8.25 },
        { { 47, 1, 30, 1, 0, 1 }, { 8, 1, 15, 1, 0, 1 }, "SW", true, -47.5, -8.25 },
        { { 47, 1, 30, 1, 0, 1 }, { 8, 1, 15, 1, 0, 1 }, "sw", true, -47.5, -8.25 },
        { { 4750, 100, 0, 1, 0, 1 }, { 180, 1, 0, 1, 0, 1 }, "NW", true, 47.5, -180 },
        { { 47, 1, 30, 1, 0, 0 }, { 8, 1, 15, 1, 0, 1 }, "NE", false, 0, 0 },
        { { 0, 0, 0, 0, 0, 0 }, { 0, 0, 0, 0, 0, 0 }, "NE", false, 0, 0 },
        { { 0, 1, 0, 1, 0, 1 }, { 0, 1, 0, 1, 0, 1 }, "NE", false, 0, 0 },
        { { 90, 1, 0, 1, 1, 1 }, { 8, 1, 15, 1, 0, 1 }, "NE", false, 0, 0 },
        { { 47, 1, 0, 1, 0, 1 }, { 180, 1, 1, 1, 0, 1 }, "NE", false, 0, 0 },
        { { 4294967295, 1, 0, 1, 0, 1 }, { 8, 1, 0, 1, 0, 1 }, "NE", false, 0, 0 },
        { { 47, 1, 30, 1, 0, 1 }, { 8, 1, 15, 1, 0, 1 }, "EN", false, 0, 0 },
        { { 47, 1, 30, 1, 0, 1 }, { 8, 1, 15, 1, 0, 1 }, "?E", false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        block b;
        uint8_t lat[24], lon[24];
        for (size_t k = 0; k < 6; k++) {
            put(lat + 4 * k, 4, cases[i].lat[k]);
            put(lon + 4 * k, 4, cases[i].lon[k]);
        }
        begin_block(&b, 1);
        begin_directory(&b, 0x8825, 4);
        put_entry(&b, 1, 2, 2, (unsigned char)cases[i].refs[0]);
        put_data(&b, 2, 5, 3, lat, 24);
        put_entry(&b, 3, 2, 2, (unsigned char)cases[i].refs[1]);
        put_data(&b, 4, 5, 3, lon, 24);
        akin_metadata m;
        read_bytes(&m, b.bytes, b.size);
        assert_int_equal(m.has_position, cases[i].known);
        assert_true(m.latitude == cases[i].latitude && m.longitude == cases[i].longitude);
        akin_metadata_clear(&m);
    }
}

static void test_exif_words(void **state)
{
    (void)state;
    block b;
    akin_metadata m;
    begin_block(&b, 3);
    put_ascii(&b, 270, "SONY DSC   ");
    put_data(&b, 0x9c9c, 1, 12, "N\0o\0t\0e\0\0\0x\0", 12);
    put_ascii(&b, 306, "2001:01:01 01:01:01");
    read_bytes(&m, b.bytes, b.size);
    assert_string_equal(m.caption, "Note"); /* the next best */
    assert_string_equal(m.taken_at, "");
    akin_metadata_clear(&m);

    begin_block(&b, 2); /* of two entries of a tag the first with values */
    put_entry(&b, 270, 2, 100, 0xfffffff0);
    put_ascii(&b, 270, "second");
    read_bytes(&m, b.bytes, b.size);
    assert_string_equal(m.caption, "second");
    akin_metadata_clear(&m);

    /* The character code of a comment. */
    static const struct {
        const char *bytes;
        size_t size;
        const char *caption;
    } comments[] = {
        { "ASCII\0\0\0lake", 12, "lake" },
        { "ASCII\0\0\0      ", 14, NULL },
        { "UNICODE\0l\0a\0", 12, "la" },
        { "UNICODE\0\0l\0a", 12, "la" },
        { "\0\0\0\0\0\0\0\0lake\0\xff", 14, "lake" },
        { "\0\0\0\0\0\0\0\0la\xffke", 13, NULL },
        { "JIS\0\0\0\0\0\x30\x21", 10, NULL },
        { "ASCII\0\0\0", 8, NULL },
    };
    for (size_t i = 0; i < sizeof comments / sizeof comments[0]; i++) {
        begin_block(&b, 1);
        begin_directory(&b, 0x8769, 1);
        put_data(&b, 0x9286, 7, (uint32_t)comments[i].size, comments[i].bytes, comments[i].size);
        read_bytes(&m, b.bytes, b.size);
        if (comments[i].caption == NULL)
            assert_null(m.caption);
        else
            assert_string_equal(m.caption, comments[i].caption);
        akin_metadata_clear(&m);
    }
}

static void test_exif_hostile(void **state)
{
    (void)state;
    block b;
    akin_metadata m;
    begin_block(&b, 3); /* directories that are each other, values that are the directory */
    put_entry(&b, 0x8769, 4, 1, 8);
    put_entry(&b, 0x8825, 4, 1, 8);
    put_entry(&b, 270, 2, 0xffffffff, 8);
    read_bytes(&m, b.bytes, b.size);
    assert_null(m.caption);
    akin_metadata_clear(&m);

    static const uint32_t offsets[] = { 0, 1, 7, 2047, 2048, 2049, 0x7fffffff, 0xfffffffe,
                                        0xffffffff };
    static const unsigned types[] = { 0, 1, 2, 3, 4, 5, 7, 10, 12, 13, 16, 17, 0xffff };
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            begin_block(&b, 5);
            put_entry(&b, 270, types[t], 0xffffffff, offsets[i]);
            put_entry(&b, 271, types[t], 5, offsets[i]);
            put_entry(&b, 0x9c9e, types[t], 6, offsets[i]);
            put_entry(&b, 0x8825, types[t], 1, offsets[i]);
            put_entry(&b, 0x8769, types[t], 1, offsets[i]);
            read_bytes(&m, b.bytes, b.size);
            akin_metadata_clear(&m);
            put(b.bytes + 4, 4, offsets[i]);
            read_bytes(&m, b.bytes, b.size);
            akin_metadata_clear(&m);
        }
    }

    /* 65535 entries that all are the description, each as large as the file. */
    const size_t size = 8 + 2 + 12 * 65535 + 4;
    uint8_t *large = calloc(1, size);
    memcpy(large, "II*\0\10\0\0", 8);
    put(large + 8, 2, 65535);
    for (size_t i = 0; i < 65535; i++) {
        put(large + 10 + 12 * i, 2, 270);
        put(large + 12 + 12 * i, 2, 2);
        put(large + 14 + 12 * i, 4, size - 16);
        put(large + 18 + 12 * i, 4, 10);
    }
    const double before = seconds();
    read_bytes(&m, large, size);
    assert_true(seconds() - before < 1);
    akin_metadata_clear(&m);
    free(large);
}

/* ---- XMP by hand */

#define HEAD                                                                                       \
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF "                                                \
    "xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' "       \
    "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:exif='http://ns.adobe.com/exif/1.0/' "      \
    "xmlns:xmp='http://ns.adobe.com/xap/1.0/' "                                                    \
    "xmlns:lr='http://ns.adobe.com/lightroom/1.0/'"
#define TAIL "</rdf:Description></rdf:RDF></x:xmpmeta>"

static akin_status parse(akin_metadata *m, const char *text, size_t size, akin_error *err)
{
    char *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, text, size);
    akin_status status = akin_metadata_parse_xmp(m, copy, size, err);
    free(copy);
    check_promises(m);
    return status;
}

static void parse_good(akin_metadata *m, const char *text)
{
    akin_error err;
    *m = (akin_metadata){ .taken_at = "" };
    if (parse(m, text, strlen(text), &err) != AKIN_OK)
        fail_msg("%s", err.message);
}

static void test_xmp_forms(void **state)
{
    (void)state;
    akin_metadata m;
    parse_good(&m, HEAD "><dc:description>plain</dc:description>" TAIL);
    assert_string_equal(m.caption, "plain");
    akin_metadata_clear(&m);
    parse_good(&m, HEAD " dc:description='of an attribute' dc:title='t'>" TAIL);
    assert_string_equal(m.caption, "of an attribute");
    assert_string_equal(m.title, "t");
    akin_metadata_clear(&m);
    parse_good(&m, HEAD "><dc:description><rdf:Alt><rdf:li xml:lang='de'>eins</rdf:li>"
                        "<rdf:li xml:lang='x-default'>two</rdf:li><rdf:li>three</rdf:li></rdf:Alt>"
                        "</dc:description>" TAIL);
    assert_string_equal(m.caption, "two");
    akin_metadata_clear(&m);
    parse_good(&m, HEAD "><dc:description><rdf:Alt><rdf:li xml:lang='x-default'> </rdf:li>"
                        "<rdf:li xml:lang='de'>eins</rdf:li></rdf:Alt></dc:description>" TAIL);
    assert_string_equal(m.caption, "eins"); /* an empty default is none */
    akin_metadata_clear(&m);
    parse_good(&m, HEAD "><dc:subject><rdf:Bag><rdf:li>a&amp;b</rdf:li><rdf:li><![CDATA[<c>]]>"
                        "</rdf:li><rdf:li>&#x4e2d;</rdf:li><rdf:li/><rdf:li>a&amp;b</rdf:li>"
                        "</rdf:Bag></dc:subject>" TAIL);
    assert_int_equal(m.tag_count, 3);
    assert_string_equal(m.tags[0], "a&b");
    assert_string_equal(m.tags[1], "<c>");
    assert_string_equal(m.tags[2], "\xe4\xb8\xad");
    akin_metadata_clear(&m);
    parse_good(&m, HEAD "><lr:hierarchicalSubject><rdf:Bag><rdf:li>a|b|c</rdf:li><rdf:li>d</rdf:li>"
                        "<rdf:li>e|</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
                        "<dc:subject><rdf:Seq><rdf:li>d</rdf:li></rdf:Seq></dc:subject>" TAIL);
    assert_int_equal(m.tag_count, 2); /* subjects first */
    assert_string_equal(m.tags[0], "d");
    assert_string_equal(m.tags[1], "c");
    akin_metadata_clear(&m);
    /* Names by namespace: this dc is another, and this rdf too. */
    parse_good(&m, "<rdf:RDF xmlns:rdf='http://example.com/'><rdf:Description "
                   "xmlns:dc='http://purl.org/dc/elements/1.1/' dc:title='x'/></rdf:RDF>");
    assert_null(m.title);
    akin_metadata_clear(&m);
    /* What belongs to something else: deeper, or not in a description. */
    parse_good(&m, HEAD "><xmp:O rdf:parseType='Resource'><dc:title>inner</dc:title></xmp:O>"
                        "<dc:description><rdf:Bag><rdf:li rdf:parseType='Resource'><dc:title>y"
                        "</dc:title></rdf:li></rdf:Bag></dc:description>" TAIL);
    assert_null(m.title);
    assert_null(m.caption);
    akin_metadata_clear(&m);
    /* Padding, NULs and anything else behind the end. */
    akin_error err;
    static const char tail[] = HEAD " dc:title='x'>" TAIL "\0\0\0<&";
    m = (akin_metadata){ .taken_at = "" };
    assert_int_equal(parse(&m, tail, sizeof tail, &err), AKIN_OK);
    assert_string_equal(m.title, "x");
    akin_metadata_clear(&m);
}

static void test_xmp_positions(void **state)
{
    (void)state;
    static const struct {
        const char *lat, *lon;
        bool known;
        double latitude, longitude;
    } cases[] = {
        { "47,30N", "8,15E", true, 47.5, 8.25 },
        { "47,30.0S", "8,15.00000W", true, -47.5, -8.25 },
        { "47,29,60N", "8,14,60E", true, 47.5, 8.25 },
        { "47.5N", "8.25E", true, 47.5, 8.25 },
        { "47,30", "8,15E", false, 0, 0 },
        { "47,30N", "8,15N", false, 0, 0 },
        { "91,0N", "8,15E", false, 0, 0 },
        { "47,30,0,0N", "8,15E", false, 0, 0 },
        { ",N", "8,15E", false, 0, 0 },
        { "N", "E", false, 0, 0 },
        { "-47,30N", "8,15E", false, 0, 0 },
        { "nanN", "infE", false, 0, 0 },
        { "1e1,30N", "8,15E", false, 0, 0 },
        { "99999999999999999999N", "8,15E", false, 0, 0 },
        { "0,0.0N", "0,0.0E", false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        akin_metadata m;
        snprintf(text, sizeof text, HEAD " exif:GPSLatitude='%s' exif:GPSLongitude='%s'>" TAIL,
                 cases[i].lat, cases[i].lon);
        parse_good(&m, text);
        if (m.has_position != cases[i].known)
            fail_msg("%s %s: %d", cases[i].lat, cases[i].lon, m.has_position);
        assert_true(fabs(m.latitude - cases[i].latitude) < 1e-12);
        assert_true(fabs(m.longitude - cases[i].longitude) < 1e-12);
        akin_metadata_clear(&m);
    }
}

static void test_xmp_adds(void **state)
{
    (void)state;
    static const char text[] = HEAD " dc:title='new' exif:DateTimeOriginal='2001-02-03' "
                                    "exif:GPSLatitude='1,0N' exif:GPSLongitude='2,0E'>"
                                    "<dc:subject><rdf:Bag><rdf:li>z</rdf:li><rdf:li>a</rdf:li>"
                                    "</rdf:Bag></dc:subject>" TAIL;
    akin_metadata m = { .taken_at = "" };
    akin_error err;
    akin_metadata_set_date(&m, "1999-01-01T00:00:00+01:00");
    assert_int_equal(akin_metadata_set_text(&m.title, "old", 3, false, &err), AKIN_OK);
    assert_int_equal(akin_metadata_set_text(&m.caption, "kept", 4, true, &err), AKIN_OK);
    assert_int_equal(akin_metadata_add_tag(&m, "a", 1, &err), AKIN_OK);
    assert_int_equal(akin_metadata_add_tag(&m, "b", 1, &err), AKIN_OK);
    assert_int_equal(akin_metadata_add_xmp(&m, text, sizeof text - 1, &err), AKIN_OK);
    assert_string_equal(m.title, "new");
    assert_string_equal(m.caption, "kept");
    assert_string_equal(m.taken_at, "1999-01-01T00:00:00");
    assert_string_equal(m.offset, "+01:00");
    assert_true(m.has_position && m.latitude == 1 && m.longitude == 2);
    assert_int_equal(m.tag_count, 3);
    assert_string_equal(m.tags[0], "z");
    assert_string_equal(m.tags[1], "a");
    assert_string_equal(m.tags[2], "b");
    assert_int_equal(akin_metadata_add_xmp(&m, "no XML", 6, &err), AKIN_OK);
    assert_int_equal(akin_metadata_add_xmp(&m, NULL, 0, &err), AKIN_OK);
    assert_int_equal(m.tag_count, 3);
    akin_metadata_clear(&m);
}

static void test_xmp_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        akin_status status;
    } cases[] = {
        { "", AKIN_E_FORMAT },
        { "no XML", AKIN_E_FORMAT },
        { "<a><b></a>", AKIN_E_FORMAT },
        { HEAD " dc:title='x'></rdf:Description>", AKIN_E_FORMAT }, /* what was read is not kept */
        { "<a>&undefined;</a>", AKIN_E_FORMAT },
        { "<?xml version='1.0' encoding='x-secret'?><a/>", AKIN_E_FORMAT },
        { "<!DOCTYPE a><a/>", AKIN_E_UNSAFE },
        { "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", AKIN_E_UNSAFE },
        { "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", AKIN_E_UNSAFE },
        { "<!DOCTYPE l [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
          "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;'>"
          "<!ENTITY e '&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'>]><l>&e;</l>", AKIN_E_UNSAFE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        akin_metadata m = { .taken_at = "" };
        akin_error err;
        if (parse(&m, cases[i].text, strlen(cases[i].text), &err) != cases[i].status)
            fail_msg("'%s': %s", cases[i].text, err.message);
        assert_int_equal(err.code, cases[i].status);
        assert_null(m.title);
        akin_metadata_clear(&m);
    }
}

/* `head`, then `part` as often as fits `size` bytes, then `tail`. */
static char *repeated(const char *head, const char *part, const char *tail, size_t size,
                      size_t *out_size)
{
    const size_t h = strlen(head), p = strlen(part), t = strlen(tail);
    char *text = malloc(size + 1);
    memcpy(text, head, h);
    size_t n = h;
    for (; n + p + t <= size; n += p)
        memcpy(text + n, part, p);
    memcpy(text + n, tail, t + 1);
    *out_size = n + t;
    return text;
}

static void test_xmp_hostile(void **state)
{
    (void)state;
    static const struct {
        const char *what, *head, *part, *tail;
        akin_status status;
        size_t tags, caption;
    } cases[] = {
        { "tags", HEAD "><dc:subject><rdf:Bag>", "<rdf:li>t</rdf:li>",
          "</rdf:Bag></dc:subject>" TAIL, AKIN_OK, 1, 0 },
        { "depth", "<a>", "<a>", "", AKIN_E_LIMIT, 0, 0 },
        { "attributes", HEAD, " dc:title='x'", ">" TAIL, AKIN_E_FORMAT, 0, 0 },
        { "namespaces", HEAD ">", "<a xmlns='b'/>", TAIL, AKIN_OK, 0, 0 },
        { "text", HEAD "><dc:description>", "word ", "</dc:description>" TAIL, AKIN_OK, 0,
          AKIN_METADATA_TEXT },
        { "references", HEAD "><dc:description>", "&#228;", "</dc:description>" TAIL, AKIN_OK, 0,
          AKIN_METADATA_TEXT },
        { "blanks", HEAD "><dc:description>", " \n", "</dc:description>" TAIL, AKIN_OK, 0, 0 },
        { "one token", HEAD " dc:description='", "x", "'>" TAIL, AKIN_OK, 0, AKIN_METADATA_TEXT },
        { "comments", HEAD "><!--", " x ", "-->" TAIL, AKIN_OK, 0, 0 },
        { "open", "<a b='", "x", "", AKIN_E_FORMAT, 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size;
        akin_metadata m = { .taken_at = "" };
        akin_error err;
        char *text = repeated(cases[i].head, cases[i].part, cases[i].tail, AKIN_METADATA_BLOCK,
                              &size);
        const double before = seconds();
        akin_status status = akin_metadata_parse_xmp(&m, text, size, &err);
        const double took = seconds() - before;
        if (status != cases[i].status || took > 3)
            fail_msg("%s: status %d in %.2f s", cases[i].what, status, took);
        check_promises(&m);
        assert_int_equal(m.tag_count, cases[i].tags);
        if (cases[i].caption == 0)
            assert_null(m.caption);
        else
            assert_in_range(strlen(m.caption), cases[i].caption - 3, cases[i].caption);
        akin_metadata_clear(&m);
        free(text);
    }
    akin_metadata m = { .taken_at = "" };
    akin_error err;
    char *large = calloc(1, AKIN_METADATA_BLOCK + 1);
    memset(large, 'x', AKIN_METADATA_BLOCK + 1);
    assert_int_equal(akin_metadata_parse_xmp(&m, large, AKIN_METADATA_BLOCK + 1, &err),
                     AKIN_E_LIMIT);
    free(large);
}

static void test_many_tags(void **state)
{
    (void)state;
    akin_buffer text;
    akin_error err;
    akin_metadata m = { .taken_at = "" };
    akin_buffer_init(&text, "XMP", 4 << 20);
    akin_buffer_add_text(&text, HEAD "><dc:subject><rdf:Bag>", &err);
    for (int i = 0; i < 100000; i++) {
        char tag[64];
        snprintf(tag, sizeof tag, "<rdf:li>tag %d</rdf:li>", i);
        assert_int_equal(akin_buffer_add_text(&text, tag, &err), AKIN_OK);
    }
    akin_buffer_add_text(&text, "</rdf:Bag></dc:subject>" TAIL, &err);
    const double before = seconds();
    assert_int_equal(akin_metadata_add_xmp(&m, text.data, text.size, &err), AKIN_OK);
    assert_true(seconds() - before < 2);
    assert_int_equal(m.tag_count, AKIN_METADATA_TAGS);
    assert_string_equal(m.tags[AKIN_METADATA_TAGS - 1], "tag 255");
    akin_buffer_clear(&text);
    char tag[600]; /* 299 characters of two bytes */
    for (size_t i = 0; i < 299; i++)
        memcpy(tag + 2 * i, "\xc3\xa4", 2);
    akin_metadata_clear(&m);
    assert_int_equal(akin_metadata_add_tag(&m, tag, 598, &err), AKIN_OK);
    assert_int_equal(strlen(m.tags[0]), AKIN_METADATA_TAG);
    akin_metadata_clear(&m);
}

/* ---- containers by hand */

static void png_chunk(akin_buffer *b, const char *name, const void *data, size_t size)
{
    akin_error err;
    const uint8_t head[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8),
                              (uint8_t)size };
    akin_buffer_add(b, head, 4, &err);
    akin_buffer_add(b, name, 4, &err);
    akin_buffer_add(b, data, size, &err);
    assert_int_equal(akin_buffer_add(b, "\0\0\0", 4, &err), AKIN_OK);
}

/* Text that inflates to 64 MiB, many times over. */
static void test_png_bomb(void **state)
{
    (void)state;
    enum { LARGE = 64 << 20 };
    static const char keyword[] = "XML:com.adobe.xmp\0\1\0\0"; /* deflated; and the last NUL */
    uLong bound = compressBound(LARGE);
    uint8_t *zeros = calloc(1, LARGE), *packed = malloc(sizeof keyword + bound);
    memcpy(packed, keyword, sizeof keyword);
    assert_int_equal(compress(packed + sizeof keyword, &bound, zeros, LARGE), Z_OK);
    akin_buffer file;
    akin_error err;
    akin_buffer_init(&file, "PNG", 32 << 20);
    akin_buffer_add(&file, "\x89PNG\r\n\x1a\n", 8, &err);
    for (int i = 0; i < 100; i++)
        png_chunk(&file, "iTXt", packed, sizeof keyword + bound);
    akin_metadata m;
    const double before = seconds();
    read_bytes(&m, file.data, file.size);
    assert_true(seconds() - before < 1);
    akin_metadata_clear(&m);
    akin_buffer_clear(&file);
    free(zeros);
    free(packed);
}

/* An item of a HEIC that is the whole file, again and again. */
static void test_heif_extents(void **state)
{
    (void)state;
    static const uint8_t head[] =
        "\0\0\0\20ftypheic\0\0\0\0"
        "\0\2\2\x80meta\0\0\0\0"
        "\0\0\0\x21iinf\0\0\0\0\0\1"
        "\0\0\0\x15infe\2\0\0\0\0\1\0\0" "Exif\0"
        "\0\2\2\x4ailoc\1\0\0\0\x44\0\0\1\0\1\0\0\0\0\xff\xff";
    const size_t size = sizeof head + 8 * 65535;
    uint8_t *file = calloc(1, size);
    memcpy(file, head, sizeof head - 1);
    akin_metadata m;
    const double before = seconds();
    read_bytes(&m, file, size);
    assert_true(seconds() - before < 1);
    akin_metadata_clear(&m);
    free(file);
}

static void test_nothing(void **state)
{
    (void)state;
    akin_metadata m;
    akin_error err;
    assert_int_equal(akin_metadata_read(&m, NULL, 0, &err), AKIN_OK);
    check_promises(&m);
    akin_metadata_clear(&m);
    read_bytes(&m, "GIF89a\1\0\1\0\0\0\0;padding", 22);
    assert_string_equal(m.camera, "");
    akin_metadata_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_exiftool),
        cmocka_unit_test(test_cut_and_wrong),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_cameras),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_junk),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_exif_words),
        cmocka_unit_test(test_exif_hostile),
        cmocka_unit_test(test_xmp_forms),
        cmocka_unit_test(test_xmp_positions),
        cmocka_unit_test(test_xmp_adds),
        cmocka_unit_test(test_xmp_refused),
        cmocka_unit_test(test_xmp_hostile),
        cmocka_unit_test(test_many_tags),
        cmocka_unit_test(test_png_bomb),
        cmocka_unit_test(test_heif_extents),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
