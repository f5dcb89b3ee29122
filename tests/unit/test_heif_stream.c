/* test_heif_stream.c - image/heif_stream.c: what streams inside HEIC and AVIF promise, of the
 * goldens, of files made up here and of one that fuzzing found. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "image/heif.h"
#include "image/heif_stream.h"
#include "image/picture.h"
#include "picture_golden.h"

/* An AVIF of 585 bytes and 72 x 66 pixels whose sequence header says 39686 x 20738. */
#define HUGE_FRAME "fuzz/corpus/heif/e43bac43455912dbea0cbed2696c44329c4ddd94"

static akin_buffer load(const char *path)
{
    akin_buffer file;
    akin_error err = { 0 };
    if (akin_file_read(path, "picture", 1 << 20, &file, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return file;
}

/* In memory of its own, so that a sanitizer sees a step past its end. */
static akin_status largest(const void *data, size_t size, uint32_t *width, uint32_t *height)
{
    void *copy = malloc(size != 0 ? size : 1);
    akin_error err = { 0 };
    memcpy(copy, data, size);
    akin_status status = akin_heif_largest(copy, size, "x", width, height, &err);
    assert_true((status == AKIN_OK) == (err.message[0] == '\0'));
    free(copy);
    return status;
}

/* ---- files made up here */

typedef struct made {
    uint8_t data[1024];
    size_t bits;
} made;

static void put(made *m, unsigned count, uint64_t value)
{
    while (count-- != 0) {
        assert_true(m->bits < 8 * sizeof m->data);
        if ((value >> count & 1) != 0)
            m->data[m->bits / 8] |= (uint8_t)(0x80 >> m->bits % 8);
        m->bits++;
    }
}

static void put_exponential(made *m, uint64_t value)
{
    unsigned bits = 1;
    while ((value + 1) >> bits != 0)
        bits++;
    put(m, 2 * bits - 1, value + 1);
}

static void put_made(made *m, const made *part)
{
    for (size_t i = 0; i < (part->bits + 7) / 8; i++)
        put(m, 8, part->data[i]);
}

static size_t size_of(const made *m) { return (m->bits + 7) / 8; }

static made box(const char *type, const made *payload)
{
    made m = { .bits = 0 };
    put(&m, 32, 8 + size_of(payload));
    for (int i = 0; i < 4; i++)
        put(&m, 8, (uint8_t)type[i]);
    put_made(&m, payload);
    return m;
}

/* ftyp, meta of iprp of ipco of `record`, iloc of version 2 with `extents` of idat, which is `item`
 * from its start to its end. */
static made file_of(const char *type, const made *record, const made *item, size_t extents)
{
    made file = { .bits = 0 }, brand = { .bits = 0 }, meta = { .bits = 0 }, iloc = { .bits = 0 };
    for (int i = 0; i < 8; i++)
        put(&brand, 8, (uint8_t)"mif1\0\0\0\0"[i]);
    put(&meta, 32, 0);
    if (item != NULL) {
        size_t size = size_of(item), each = size / extents;
        put(&iloc, 32, (uint64_t)2 << 24);
        put(&iloc, 16, 0x4480);
        put(&iloc, 32, 1);
        put(&iloc, 32, 7);     /* item */
        put(&iloc, 16, 1);     /* in idat */
        put(&iloc, 16, 0);
        put(&iloc, 32, 0);     /* base, of 8 bytes */
        put(&iloc, 32, 0);
        put(&iloc, 16, extents);
        for (size_t i = 0; i < extents; i++) {
            put(&iloc, 32, i * each);
            put(&iloc, 32, i + 1 < extents ? each : size - i * each);
        }
        made b = box("iloc", &iloc);
        put_made(&meta, &b);
    }
    if (record != NULL) {
        made b = box(type, record);
        b = box("ipco", &b);
        b = box("iprp", &b);
        put_made(&meta, &b);
    }
    if (item != NULL) {
        made b = box("idat", item);
        put_made(&meta, &b);
    }
    made b = box("ftyp", &brand);
    put_made(&file, &b);
    b = box("meta", &meta);
    put_made(&file, &b);
    return file;
}

/* A parameter set with `layers` sub-layers, emulation prevention put in. */
static made sps(uint32_t width, uint32_t height, unsigned layers)
{
    made plain = { .bits = 0 }, m = { .bits = 0 };
    put(&plain, 16, 33 << 9 | 1);
    put(&plain, 4, 0);
    put(&plain, 3, layers);
    put(&plain, 1, 1);
    put(&plain, 32, 0x01600000);
    put(&plain, 64, 0x5d); /* ends in 56 bits of nothing and a level */
    for (unsigned i = 0; i < layers; i++)
        put(&plain, 2, 3);
    if (layers != 0)
        put(&plain, 2 * (8 - layers), 0);
    for (unsigned i = 0; i < layers; i++) {
        put(&plain, 64, 0);
        put(&plain, 32, 5);
    }
    put_exponential(&plain, 0);
    put_exponential(&plain, 1);
    put_exponential(&plain, width);
    put_exponential(&plain, height);
    put(&plain, 1, 1);
    int zeros = 0;
    for (size_t i = 0; i < size_of(&plain); i++) {
        if (zeros == 2 && plain.data[i] <= 3) {
            put(&m, 8, 3);
            zeros = 0;
        }
        put(&m, 8, plain.data[i]);
        zeros = plain.data[i] == 0 ? zeros + 1 : 0;
    }
    return m;
}

static made hvcc(const made *unit, unsigned length)
{
    made m = { .bits = 0 };
    put(&m, 64, (uint64_t)1 << 56);
    put(&m, 64, 0);
    put(&m, 40, 0);
    put(&m, 8, length - 1);
    put(&m, 8, unit != NULL);
    if (unit != NULL) {
        put(&m, 8, 33);
        put(&m, 16, 1);
        put(&m, 16, size_of(unit));
        put_made(&m, unit);
    }
    return m;
}

/* Units of a stream that is no still picture: 16 bits a side; `own`: its frame states its size. */
static made av1(uint32_t width, uint32_t height, bool sized, bool own)
{
    made sequence = { .bits = 0 }, frame = { .bits = 0 }, m = { .bits = 0 };
    put(&sequence, 5, 0);   /* profile, still, reduced */
    put(&sequence, 1, 1);   /* timing */
    put(&sequence, 64, 0x100000001);
    put(&sequence, 1, 0);   /* equal intervals */
    put(&sequence, 1, 1);   /* decoder model */
    put(&sequence, 5, 9);
    put(&sequence, 32, 1);
    put(&sequence, 5, 3);
    put(&sequence, 5, 6);   /* seven bits of time */
    put(&sequence, 1, 1);   /* delays */
    put(&sequence, 5, 1);   /* two points */
    for (int i = 0; i < 2; i++) {
        put(&sequence, 12, 1);
        put(&sequence, 5, 8);
        put(&sequence, 1, 0);  /* tier */
        put(&sequence, 1, 1);
        put(&sequence, 21, 0); /* 10 + 10 + 1 */
        put(&sequence, 1, 1);
        put(&sequence, 4, 2);
    }
    put(&sequence, 8, 0xff);
    put(&sequence, 16, width - 1);
    put(&sequence, 16, height - 1);
    put(&sequence, 1, 1);   /* numbers of 1 + 2 + 0 + 1 bits... */
    put(&sequence, 4, 0);
    put(&sequence, 3, 0);
    put(&sequence, 7, 0);
    put(&sequence, 1, 1);   /* order hints */
    put(&sequence, 2, 0);
    put(&sequence, 1, 1);   /* screen content: as each frame says */
    put(&sequence, 1, 1);
    put(&sequence, 16, 0x1000);
    put(&frame, 1, 0);      /* not shown again */
    put(&frame, 2, 0);      /* key */
    put(&frame, 1, 1);
    put(&frame, 7, 0);      /* time */
    put(&frame, 1, 0);
    put(&frame, 1, 1);      /* screen content */
    put(&frame, 1, 0);
    put(&frame, 3, 0);      /* number */
    put(&frame, 1, own);
    put(&frame, 8, 0);
    if (sized) {
        put(&m, 16, 0x1200);
        put(&m, 8, 1 << 3 | 4 | 2); /* with an extension */
        put(&m, 8, 0);
        put(&m, 8, 0x80 | size_of(&sequence)); /* in two bytes */
        put(&m, 8, 0);
        put_made(&m, &sequence);
        put(&m, 8, 6 << 3 | 2);
        put(&m, 8, size_of(&frame));
        put_made(&m, &frame);
    } else {
        put(&m, 8, 1 << 3);
        put_made(&m, &sequence);
    }
    return m;
}

static made prefixed(const made *unit, unsigned length)
{
    made m = { .bits = 0 };
    put(&m, 8 * length, 1); /* one before it */
    put(&m, 8, 70);
    put(&m, 8 * length, size_of(unit));
    put_made(&m, unit);
    return m;
}

static void expect(const made *file, akin_status want, uint32_t want_width, uint32_t want_height)
{
    uint32_t width, height;
    akin_status status = largest(file->data, size_of(file), &width, &height);
    if (status != want || (want == AKIN_OK && (width != want_width || height != want_height)))
        fail_msg("got %d, %u x %u; expected %d, %u x %u", (int)status, (unsigned)width,
                 (unsigned)height, (int)want, (unsigned)want_width, (unsigned)want_height);
}

/* ---- */

static void goldens(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        uint32_t width, height;
    } cases[] = { /* AVIF: as shown; HEIC: in x265's smallest blocks, not below 64; grid: a tile */
        { "heic-10bit.heic", 64, 64 }, { "heic-420.heic", 72, 72 }, { "heic-444.heic", 64, 64 },
        { "heic-alpha.heic", 64, 64 }, { "heic-grid.heic", 64, 64 }, { "heic-ios18.heic", 64, 64 },
        { "heic-odd.heic", 64, 64 }, { "heic-turn3.heic", 72, 72 }, { "heic-turn5.heic", 72, 72 },
        { "heic-turn6.heic", 72, 72 }, { "heic-turn7.heic", 72, 72 },
        { "heic-turn8.heic", 72, 72 }, { "avif-420.avif", 72, 66 }, { "avif-444.avif", 48, 36 },
        { "avif-alpha.avif", 48, 36 }, { "avif-grey.avif", 48, 36 }, { "avif-turn2.avif", 72, 66 },
        { "avif-turn6.avif", 72, 66 }, { "avif-turn7.avif", 72, 66 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[256];
        uint32_t width, height;
        snprintf(path, sizeof path, "tests/golden/modules/%s", cases[i].file);
        akin_buffer b = load(path);
        assert_int_equal(largest(b.data, b.size, &width, &height), AKIN_OK);
        if (width != cases[i].width || height != cases[i].height)
            fail_msg("%s: %u x %u", cases[i].file, (unsigned)width, (unsigned)height);
        akin_buffer_clear(&b);
    }
}

/* Took 1.7 GB and seven seconds once. */
static void huge_frame(void **state)
{
    (void)state;
    uint32_t width, height;
    akin_buffer b = load(HUGE_FRAME);
    assert_int_equal(largest(b.data, b.size, &width, &height), AKIN_OK);
    assert_true(width == 39686 && height == 20738);
    const char *why;
    const akin_heif_calls *heif = akin_heif_library(&why);
    if (heif != NULL) {
        akin_picture_options options = akin_picture_default_options();
        akin_error err = { 0 };
        akin_picture p;
        options.memory_bytes = 48 << 20;
        assert_int_equal(akin_picture_decode(&p, b.data, b.size, "x", &options, &err),
                         AKIN_E_LIMIT);
        assert_non_null(strstr(err.message, "39686 x 20738"));
        assert_non_null(strstr(err.message, "--max-memory"));
    }
    akin_buffer_clear(&b);
}

static void hevc(void **state)
{
    (void)state;
    for (unsigned layers = 0; layers < 8; layers += 3) {
        made unit = sps(60000, 60001, layers), record = hvcc(&unit, 4);
        made file = file_of("hvcC", &record, NULL, 0);
        expect(&file, AKIN_OK, 60000, 60001);
        for (unsigned length = 1; length <= 4; length++) {
            made item = prefixed(&unit, length);
            record = hvcc(NULL, length);
            file = file_of("hvcC", &record, &item, 1);
            expect(&file, AKIN_OK, 60000, 60001);
            file = file_of("hvcC", &record, &item, 3);
            expect(&file, AKIN_OK, 60000, 60001);
        }
        unit.data[1] |= 1 << 3; /* a second layer's */
        record = hvcc(&unit, 4);
        file = file_of("hvcC", &record, NULL, 0);
        expect(&file, AKIN_OK, 0, 0);
    }
}

static void av1_streams(void **state)
{
    (void)state;
    made head = { .bits = 0 }, file;
    put(&head, 32, 0x81000c00);
    for (int sized = 0; sized < 2; sized++) {
        made stream = av1(40000, 50001, sized, false), record = head;
        file = file_of("av1C", &head, &stream, 1);
        expect(&file, AKIN_OK, 40000, 50001);
        file = file_of("av1C", &head, &stream, 2);
        expect(&file, AKIN_OK, 40000, 50001);
        put_made(&record, &stream);
        file = file_of("av1C", &record, NULL, 0);
        expect(&file, AKIN_OK, 40000, 50001);
        record.bits -= 8; /* the rest may be in the item */
        file = file_of("av1C", &record, NULL, 0);
        expect(&file, sized ? AKIN_E_CORRUPT : AKIN_OK, 40000, 50001);
        record.bits -= 64;
        file = file_of("av1C", &record, NULL, 0);
        expect(&file, AKIN_E_CORRUPT, 0, 0);
    }
    /* A frame with a size of its own: whatever 16 bits hold. */
    made own = av1(40, 50, true, true);
    file = file_of("av1C", &head, &own, 1);
    expect(&file, AKIN_OK, 65536, 65536);
}

/* Items that are all the same 64 KiB are not looked at for ever. */
static void overlaps(void **state)
{
    (void)state;
    const size_t items = 60000, size = 1 << 20;
    uint8_t *data = calloc(size, 1), *p = data;
    assert_non_null(data);
    memcpy(p, "\0\0\0\0meta\0\0\0\0", 12);
    p += 12;
    uint32_t length = (uint32_t)(8 + 8 + items * 14);
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(length >> (24 - 8 * i));
    memcpy(p + 4, "iloc\0\0\0\0\x44\0", 10);
    p[14] = (uint8_t)(items >> 8);
    p[15] = (uint8_t)items;
    p += 16;
    for (size_t i = 0; i < items; i++, p += 14)
        memcpy(p, "\0\0\0\0\0\1\0\x0f\0\0\0\0\0\0", 14); /* one extent: from byte 983040 */
    uint32_t w, h;
    assert_int_equal(largest(data, size, &w, &h), AKIN_E_LIMIT);
    free(data);
}

static void broken(void **state)
{
    (void)state;
    static const char *const files[] = { "tests/golden/modules/heic-grid.heic",
                                         "tests/golden/modules/heic-ios18.heic",
                                         "tests/golden/modules/avif-alpha.avif", HUGE_FRAME };
    uint32_t w, h;
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        akin_buffer b = load(files[f]);
        for (size_t n = 0; n < b.size; n++)
            largest(b.data, n, &w, &h);
        for (size_t i = 0; i < 4000; i++) {
            size_t at = ((size_t)golden_byte(f, 2 * i) << 8 | golden_byte(f, 2 * i + 1)) % b.size;
            char was = b.data[at];
            b.data[at] = (char)golden_byte(f + 99, i);
            largest(b.data, b.size, &w, &h);
            b.data[at] = was;
        }
        akin_buffer_clear(&b);
    }
    made unit = sps(60000, 60000, 3), item = prefixed(&unit, 2), record = hvcc(&unit, 2);
    made file = file_of("hvcC", &record, &item, 3);
    for (size_t n = 0; n < size_of(&file); n++)
        largest(file.data, n, &w, &h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goldens),  cmocka_unit_test(huge_frame), cmocka_unit_test(hevc),
        cmocka_unit_test(av1_streams), cmocka_unit_test(overlaps), cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
