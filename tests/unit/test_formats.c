/* test_formats.c - image/webp.c, gif.c and bmp.c against Pillow (tests/golden/formats), every
 * beginning of some files, changed bytes, limits, and a GIF of very many frames. */
#include "unit.h"

#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "image/picture.h"
#include "picture_golden.h"

#define GOLDEN "tests/golden/formats/"

static akin_json *all;

static int open_golden(void **state)
{
    (void)state;
    akin_error err;
    return akin_json_read(GOLDEN "formats.json", 4 << 20, &all, &err) == AKIN_OK ? 0 : -1;
}

static int close_golden(void **state)
{
    (void)state;
    akin_json_free(all);
    return 0;
}

static akin_buffer load(const char *name)
{
    char path[256];
    akin_buffer file;
    akin_error err;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (akin_file_read(path, "picture", 1 << 20, &file, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return file;
}

/* Decodes a copy of exactly that many bytes, so that a sanitizer sees a read past the end. */
static akin_status decode(akin_picture *p, const void *data, size_t size,
                          const akin_picture_options *options, akin_error *err)
{
    void *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, data, size);
    akin_status status = akin_picture_decode(p, copy, size, "x", options, err);
    assert_true((status == AKIN_OK) == (p->pixels != NULL));
    free(copy);
    return status;
}

static bool equal(const akin_picture *p, const akin_json *entry, const char *hash_name)
{
    char hash[17];
    size_t size = (size_t)p->width * (size_t)p->height * (size_t)akin_layout_bytes(p->layout);
    return strcmp(golden_hash(p->pixels, size, hash),
                  akin_json_string(akin_json_get(entry, hash_name))) == 0;
}

static void every_picture(void **state)
{
    (void)state;
    static const char *const layouts[] = { "rgb", "nearest", "rgba", "cmyk" };
    akin_picture_options options = akin_picture_default_options();
    size_t i, wrong = 0;
    const akin_json *entry;
    for (i = 0; i < akin_json_count(akin_json_get(all, "pictures")); i++) {
        entry = akin_json_at(akin_json_get(all, "pictures"), i);
        const char *file = akin_json_string(akin_json_get(entry, "file"));
        const char *want = akin_json_string(akin_json_get(entry, "status"));
        akin_buffer b = load(file);
        for (int stored = 0; stored < 2; stored++) {
            akin_picture p;
            akin_error err = { 0 };
            options.as_stored = stored != 0;
            akin_status status = decode(&p, b.data, b.size, &options, &err);
            const char *layout =
                stored != 0 ? akin_json_string(akin_json_get(entry, "layout")) : "rgb";
            if (strcmp(akin_status_name(status), want != NULL ? want : "ok") != 0) {
                print_error("%s: %s %s\n", file, akin_status_name(status), err.message);
                wrong++;
            } else if (status == AKIN_OK &&
                       (p.width != akin_json_integer(akin_json_get(entry, "width")) ||
                        p.height != akin_json_integer(akin_json_get(entry, "height")) ||
                        strcmp(layouts[p.layout], layout) != 0 ||
                        !equal(&p, entry, stored != 0 ? "stored" : "rgb"))) {
                print_error("%s, stored %d: %d x %d, %s: not the same\n", file, stored, p.width,
                            p.height, layouts[p.layout]);
                wrong++;
            }
            akin_picture_clear(&p);
        }
        akin_buffer_clear(&b);
    }
    assert_int_equal(wrong, 0);
    assert_true(i >= 180);
}

/* Every beginning of a file loads when the reference loads it, to the same pixels. */
static void cut_anywhere(void **state)
{
    (void)state;
    const char *file;
    const akin_json *loads;
    size_t count = 0;
    for (size_t member = 0; member < akin_json_members(akin_json_get(all, "cuts")); member++) {
        file = akin_json_key(akin_json_get(all, "cuts"), member);
        loads = akin_json_member(akin_json_get(all, "cuts"), member);
        akin_buffer b = load(file);
        size_t next = 0;
        for (size_t n = 0; n < b.size; n++) {
            akin_picture p;
            akin_error err = { 0 };
            const akin_json *row = akin_json_at(loads, next);
            bool loadable = row != NULL && akin_json_integer(akin_json_at(row, 0)) == (int64_t)n;
            akin_status status = decode(&p, b.data, n, NULL, &err);
            char hash[17] = "";
            if (status == AKIN_OK)
                golden_hash(p.pixels, (size_t)p.width * (size_t)p.height * 3, hash);
            if ((status == AKIN_OK) != loadable ||
                (loadable && strcmp(hash, akin_json_string(akin_json_at(row, 1))) != 0) ||
                (!loadable && status != AKIN_E_TRUNCATED && n != 0))
                fail_msg("%s cut to %zu of %zu bytes: %s %s", file, n, b.size,
                         akin_status_name(status), err.message);
            next += loadable;
            akin_picture_clear(&p);
        }
        assert_int_equal(next, akin_json_count(loads));
        akin_buffer_clear(&b);
        count++;
    }
    assert_true(count >= 10);
}

/* Three changed bytes at places that differ from round to round: a picture or a status, and the
 * message says what. */
static void changed_bytes(void **state)
{
    (void)state;
    akin_picture_options options = akin_picture_default_options();
    options.memory_bytes = (size_t)8 << 20;
    size_t i, loaded = 0, refused = 0;
    const akin_json *entry;
    for (i = 0; i < akin_json_count(akin_json_get(all, "pictures")); i++) {
        entry = akin_json_at(akin_json_get(all, "pictures"), i);
        akin_buffer b = load(akin_json_string(akin_json_get(entry, "file")));
        for (uint64_t round = 0; round < 24; round++) {
            uint8_t *data = malloc(b.size);
            memcpy(data, b.data, b.size);
            for (uint64_t k = 0; k < 3; k++) {
                uint64_t seed = i * 1000 + round * 10 + k;
                uint64_t at = 0;
                for (uint64_t d = 0; d < 4; d++)
                    at = at << 8 | golden_byte(seed, d);
                /* half of them in the headers */
                at %= round % 2 == 0 && b.size > 64 ? 64 : b.size;
                data[at] = golden_byte(seed, 9);
            }
            akin_picture p;
            akin_error err = { 0 };
            options.as_stored = round % 3 == 0;
            akin_status status = decode(&p, data, b.size, &options, &err);
            if (status == AKIN_OK)
                loaded++;
            else
                refused++;
            assert_true(status == AKIN_OK || err.message[0] != '\0');
            akin_picture_clear(&p);
            free(data);
        }
        akin_buffer_clear(&b);
    }
    assert_true(loaded > 1000);
    assert_true(refused > 300);
}

/* What a picture needs is counted before it is allocated: with a byte less it is refused. */
static void limits(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t least; /* pixels alone */
    } rows[] = {
        { "lossy-64x48.webp", 64 * 48 * 3 },
        { "lossless.webp", 41 * 33 * 3 + 41 * 33 * 4 },
        { "exif-6-alpha.webp", 21 * 13 * 4 * 2 },
        { "palette.gif", 45 * 31 * 3 },
        { "bits24.bmp", 29 * 17 * 3 },
        { "rle8.bmp", 9 * 8 * 3 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        akin_buffer b = load(rows[i].file);
        akin_picture_options options = akin_picture_default_options();
        akin_picture p;
        akin_error err = { 0 };
        options.memory_bytes = 0;
        assert_int_equal(decode(&p, b.data, b.size, &options, &err), AKIN_E_LIMIT);
        const char *at = strstr(err.message, "needs ");
        assert_non_null(at);
        size_t need = strtoul(at + 6, NULL, 10);
        assert_true(need >= rows[i].least);
        options.memory_bytes = need;
        assert_int_equal(decode(&p, b.data, b.size, &options, &err), AKIN_OK);
        akin_picture_clear(&p);
        options.memory_bytes = need - 1;
        assert_int_equal(decode(&p, b.data, b.size, &options, &err), AKIN_E_LIMIT);
        akin_buffer_clear(&b);
    }
}

/* Headers that promise the largest picture there is. */
static void promises(void **state)
{
    (void)state;
    akin_picture p;
    akin_error err = { 0 };
    akin_buffer b = load("palette.gif");
    memset(b.data + 6, 0xff, 4);
    assert_int_equal(decode(&p, b.data, b.size, NULL, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "65535 x 65535 pixels needs 128"));
    akin_buffer_clear(&b);
    b = load("rle8.bmp");
    memcpy(b.data + 18, "\xff\xff\xff\x7f\xff\xff\xff\x7f", 8);
    assert_int_equal(decode(&p, b.data, b.size, NULL, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "--max-memory"));
    akin_buffer_clear(&b);
    b = load("bits24.bmp"); /* rows as they are: the file would have to hold them */
    memcpy(b.data + 18, "\xff\xff\xff\x7f\xff\xff\xff\x7f", 8);
    assert_int_equal(decode(&p, b.data, b.size, NULL, &err), AKIN_E_TRUNCATED);
    memcpy(b.data + 18, "\xff\xff\xff\xff", 4);
    assert_int_equal(decode(&p, b.data, b.size, NULL, &err), AKIN_E_CORRUPT);
    akin_buffer_clear(&b);
    b = load("animation-offset-alpha.webp"); /* a canvas of 65,536 x 49,152 */
    memcpy(b.data + 24, "\xff\xff\0\xff\xbf\0", 6);
    assert_int_equal(decode(&p, b.data, b.size, NULL, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "65536 x 49152 pixels needs 128"));
    akin_buffer_clear(&b);
}

/* One frame, the same with 10,000 behind it, the same with 39 of its size behind it: the same
 * pixels, and neither time nor memory for the others. */
static void many_frames(void **state)
{
    (void)state;
    enum { wide = 300, high = 200, frames = 10000 };
    /* A frame: image header, codes of 3 bits (a clear code before every pixel but the first two,
     * so that they stay 3 bits), all of index 1. */
    size_t codes = (size_t)wide * high * 2, packed = codes * 3 / 8;
    uint8_t *frame = calloc(1, packed + packed / 255 + 32), *at = frame;
    memcpy(at, "\x2c\0\0\0\0\x2c\1\xc8\0\0\2", 11);
    at += 11;
    static const uint8_t pattern[] = { 0x0c, 0xc3, 0x30 }; /* 4 1 4 1 4 1 4 1, low bits first */
    for (size_t i = 0; i < packed; i++) {
        if (i % 255 == 0)
            *at++ = (uint8_t)(packed - i < 255 ? packed - i : 255);
        *at++ = pattern[i % 3];
    }
    *at++ = 0;
    size_t size = (size_t)(at - frame), head = 13 + 12;
    uint8_t *file = malloc(head + 40 * size);
    memcpy(file, "GIF89a\x2c\1\xc8\0\x81\0\0" "\1\2\3" "\4\5\6" "\7\10\11" "\12\13\14", head);
    for (int i = 0; i < 40; i++)
        memcpy(file + head + (size_t)i * size, frame, size);
    static const uint8_t small[] = "\x2c\0\0\0\0\1\0\1\0\0\2\2\x4c\1";
    uint8_t *big = malloc(head + size + frames * sizeof small);
    memcpy(big, file, head + size);
    for (size_t i = 0; i < frames; i++)
        memcpy(big + head + size + i * sizeof small, small, sizeof small);

    struct rusage before, after;
    akin_picture one, many;
    getrusage(RUSAGE_SELF, &before);
    assert_int_equal(akin_picture_decode(&one, file, head + size, "x", NULL, NULL), AKIN_OK);
    assert_int_equal(akin_picture_decode(&many, big, head + size + frames * sizeof small, "x", NULL,
                                         NULL),
                     AKIN_OK);
    assert_memory_equal(one.pixels, many.pixels, (size_t)wide * high * 3);
    assert_memory_equal(one.pixels, "\4\5\6\4\5\6", 6);
    akin_picture_clear(&many);
    clock_t start = clock();
    assert_int_equal(akin_picture_decode(&many, file, head + 40 * size, "x", NULL, NULL), AKIN_OK);
    assert_true(clock() - start < CLOCKS_PER_SEC / 2);
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 16 * 1024); /* KiB */
    akin_picture_clear(&one);
    akin_picture_clear(&many);
    free(big);
    free(file);
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_picture), cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(changed_bytes), cmocka_unit_test(limits),
        cmocka_unit_test(promises),      cmocka_unit_test(many_frames),
    };
    return cmocka_run_group_tests(tests, open_golden, close_golden);
}
