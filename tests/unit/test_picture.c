/* test_picture.c - image/picture.c, jpeg.c, png.c and exif.c against Pillow
 * (tests/golden/pictures), and broken pictures, each one change away from a good one. */
#include "unit.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zlib.h>

#include "base/file.h"
#include "base/json.h"
#include "image/exif.h"
#include "image/picture.h"
#include "picture_golden.h"

#define GOLDEN "tests/golden/pictures/"

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
        char path[256], hash[17];
        const char *file = akin_json_string(akin_json_get(entry, "file"));
        snprintf(path, sizeof path, GOLDEN "%s", file);
        akin_picture p;
        if (akin_picture_read(&p, path, NULL, &err) != AKIN_OK) {
            print_error("%s: %s\n", file, err.message);
            wrong++;
            continue;
        }
        size_t size = (size_t)p.width * (size_t)p.height * 3;
        if (p.width != akin_json_integer(akin_json_get(entry, "width")) ||
            p.height != akin_json_integer(akin_json_get(entry, "height")) ||
            strcmp(golden_hash(p.pixels, size, hash),
                   akin_json_string(akin_json_get(entry, "rgb"))) != 0) {
            print_error("%s: the pixels differ\n", file);
            wrong++;
        }
        akin_picture_clear(&p);
    }
    akin_json_free(all);
    assert_int_equal(wrong, 0);
    assert_true(i >= 140);
}

/* ---- broken pictures */

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
    akin_picture p;
    void *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, data, size);
    akin_status status = akin_picture_decode(&p, copy, size, "x", limits, err);
    assert_true((status == AKIN_OK) == (p.pixels != NULL));
    akin_picture_clear(&p);
    free(copy);
    return status;
}

static void expect(const void *data, size_t size, akin_status want, const char *part)
{
    akin_error err = { 0 };
    akin_status status = decode(data, size, NULL, &err);
    if (status != want || strstr(err.message, part) == NULL)
        fail_msg("expected %s with '%s', got %s: %s", akin_status_name(want), part,
                 akin_status_name(status), status != AKIN_OK ? err.message : "");
}

static void cut_anywhere(void **state)
{
    (void)state;
    static const char *const files[] = { "jpeg-420.jpg",        "jpeg-progressive-420.jpg",
                                         "jpeg-arithmetic.jpg", "jpeg-cmyk-adobe.jpg",
                                         "png-palette8.png",    "png-rgb16-interlaced.png",
                                         "png-split.png" };
    for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) {
        bytes b = load(files[f]);
        bool png = b.data[0] == 0x89;
        /* Of a PNG the end chunk (12 bytes) and the two checksums of the data (4 each) are not
         * needed, nor is the mark that the data is over. */
        size_t last = png ? b.size - 24 : b.size - 2;
        for (size_t n = 1; n <= last; n += n < 64 || n + 40 > last ? 1 : 37) {
            akin_error err;
            akin_status status = decode(b.data, n, NULL, &err);
            if (status != AKIN_E_TRUNCATED)
                fail_msg("%s cut to %zu of %zu bytes: %s: %s", files[f], n, b.size,
                         akin_status_name(status), status != AKIN_OK ? err.message : "");
        }
        assert_int_equal(decode(b.data, b.size, NULL, NULL), AKIN_OK);
        free(b.data);
    }
}

static void put32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Appends a chunk with its checksum; returns the new end. */
static size_t add_chunk(uint8_t *to, size_t at, const char *name, const void *data, size_t size)
{
    put32(to + at, (uint32_t)size);
    memcpy(to + at + 4, name, 4);
    if (size != 0)
        memcpy(to + at + 8, data, size);
    put32(to + at + 8 + size, (uint32_t)crc32(0, to + at + 4, (uInt)(size + 4)));
    return at + 12 + size;
}

/* b with `extra` bytes of chunks after the header (33 bytes). */
static bytes with_chunk(bytes b, const char *name, const void *data, size_t size)
{
    bytes out = { malloc(b.size + size + 12), b.size + size + 12 };
    memcpy(out.data, b.data, 33);
    size_t at = add_chunk(out.data, 33, name, data, size);
    memcpy(out.data + at, b.data + 33, b.size - 33);
    return out;
}

static bytes header_of(uint32_t width, uint32_t height, uint8_t depth, uint8_t kind)
{
    bytes out = { malloc(200), 0 };
    uint8_t head[13] = { 0 };
    memcpy(out.data, "\x89PNG\r\n\x1a\n", 8);
    put32(head, width);
    put32(head + 4, height);
    head[8] = depth;
    head[9] = kind;
    out.size = add_chunk(out.data, 8, "IHDR", head, 13);
    out.size = add_chunk(out.data, out.size, "IDAT", "x", 1);
    return out;
}

static void broken_png(void **state)
{
    (void)state;
    bytes good = load("exif-3.png");
    expect(good.data, good.size, AKIN_OK, "");
    bytes b = load("exif-3.png");

    b.data[20] ^= 1; /* the checksum of the header no longer holds */
    expect(b.data, b.size, AKIN_E_CORRUPT, "checksum of chunk IHDR");
    b.data[20] ^= 1;
    b.data[33 + 9] ^= 1; /* nor that of eXIf */
    expect(b.data, b.size, AKIN_E_CORRUPT, "checksum of chunk eXIf");
    b.data[33 + 9] ^= 1;
    b.data[12] = '-';
    expect(b.data, b.size, AKIN_E_CORRUPT, "no name");
    b.data[12] = 'J';
    expect(b.data, b.size, AKIN_E_CORRUPT, "begin with IHDR");
    b.data[12] = 'I';
    put32(b.data + 33, 0x7fffffff); /* a chunk longer than the file */
    expect(b.data, b.size, AKIN_E_TRUNCATED, "before its image data");
    memcpy(b.data, good.data, good.size);

    size_t data = 0;
    for (size_t i = 0; i + 4 < b.size && data == 0; i++)
        if (memcmp(b.data + i, "IDAT", 4) == 0)
            data = i + 4;
    b.data[data] ^= 0x0f; /* the method of the deflated data */
    expect(b.data, b.size, AKIN_E_CORRUPT, "broken PNG");
    b.data[data] ^= 0x0f;
    for (size_t i = 0; i < 40; i++)
        b.data[data + 300 + i] ^= 0x55;
    expect(b.data, b.size, AKIN_E_CORRUPT, "broken PNG");
    memcpy(b.data, good.data, good.size);
    memcpy(b.data + data - 4, "IDAX", 4); /* then there is none */
    expect(b.data, b.size, AKIN_E_CORRUPT, "");

    static const struct {
        uint32_t width, height;
        uint8_t depth, kind;
        akin_status status;
        const char *part;
    } heads[] = {
        { 0, 5, 8, 2, AKIN_E_CORRUPT, "0 x 5" },
        { 5, 0, 8, 2, AKIN_E_CORRUPT, "5 x 0" },
        { 0x80000000, 1, 8, 2, AKIN_E_CORRUPT, "2147483648 x 1" },
        { 5, 5, 3, 0, AKIN_E_CORRUPT, "colour type 0 with 3 bits" },
        { 5, 5, 4, 2, AKIN_E_CORRUPT, "colour type 2 with 4 bits" },
        { 5, 5, 16, 3, AKIN_E_CORRUPT, "colour type 3 with 16 bits" },
        { 5, 5, 8, 5, AKIN_E_CORRUPT, "colour type 5" },
        { 5, 5, 8, 200, AKIN_E_CORRUPT, "colour type 200" },
        { 5, 5, 8, 3, AKIN_E_CORRUPT, "without PLTE" },
        { 5, 5, 8, 2, AKIN_E_TRUNCATED, "before its last row" },
        { 60000, 60000, 8, 2, AKIN_E_LIMIT, "a picture of 60000 x 60000 pixels needs 108" },
        { 60000, 60000, 1, 0, AKIN_E_LIMIT, "limit is 2147483648: raise it with --max-memory" },
        { 0x7fffffff, 0x7fffffff, 16, 6, AKIN_E_LIMIT, "--max-memory" },
        { 0x7fffffff, 1, 8, 0, AKIN_E_LIMIT, "--max-memory" },
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        bytes h = header_of(heads[i].width, heads[i].height, heads[i].depth, heads[i].kind);
        expect(h.data, h.size, heads[i].status, heads[i].part);
        free(h.data);
    }

    bytes c = with_chunk(good, "IHDR", good.data + 16, 13);
    expect(c.data, c.size, AKIN_E_CORRUPT, "second IHDR");
    free(c.data);
    c = with_chunk(good, "IEND", "", 0);
    expect(c.data, c.size, AKIN_E_CORRUPT, "no image data");
    free(c.data);
    c = with_chunk(good, "tRNS", "\0\0\0\0\0", 5);
    expect(c.data, c.size, AKIN_E_CORRUPT, "tRNS");
    free(c.data);
    free(good.data);
    good = load("png-palette8.png");
    uint8_t long_palette[771] = { 0 };
    c = with_chunk(good, "abcd", "", 0); /* the palette is the last one seen: put one after it */
    memcpy(c.data, good.data, good.size);
    free(c.data);
    bytes h = { malloc(2000), 0 };
    memcpy(h.data, good.data, 33);
    h.size = add_chunk(h.data, 33, "PLTE", long_palette, sizeof long_palette);
    h.size = add_chunk(h.data, h.size, "IDAT", "x", 1);
    expect(h.data, h.size, AKIN_E_CORRUPT, "256 colours");
    free(h.data);
    free(good.data);
    free(b.data);
}

static size_t find(bytes b, const char *mark, size_t n)
{
    for (size_t i = 0; i + n <= b.size; i++)
        if (memcmp(b.data + i, mark, n) == 0)
            return i;
    fail_msg("no such marker");
    return 0;
}

static void broken_jpeg(void **state)
{
    (void)state;
    bytes b = load("jpeg-420.jpg");
    expect(b.data, b.size, AKIN_OK, "");
    size_t frame = find(b, "\xff\xc0", 2);
    uint8_t *sof = b.data + frame;

    sof[4] = 12; /* bits a sample */
    expect(b.data, b.size, AKIN_E_UNSUPPORTED, "does not read");
    sof[4] = 8;
    sof[1] = 0xc7; /* a hierarchical process */
    expect(b.data, b.size, AKIN_E_UNSUPPORTED, "does not read");
    sof[1] = 0xc0;
    memset(sof + 5, 0, 2); /* no rows */
    expect(b.data, b.size, AKIN_E_CORRUPT, "broken JPEG");
    memset(sof + 5, 0xff, 4); /* 65,535 x 65,535 */
    expect(b.data, b.size, AKIN_E_CORRUPT, "broken JPEG: Maximum supported image dimension");
    memset(sof + 5, 0xf0, 4);
    expect(b.data, b.size, AKIN_E_LIMIT, "61680 x 61680 pixels needs 114");
    free(b.data);

    b = load("jpeg-420.jpg");
    b.data[find(b, "\xff\xc0", 2) + 11] = 0x72; /* seven times as wide as high */
    expect(b.data, b.size, AKIN_E_CORRUPT, "sampling factors");
    free(b.data);
    b = load("jpeg-420.jpg");
    b.data[find(b, "\xff\xc4", 2) + 5] = 0xff; /* 255 codes of one bit */
    expect(b.data, b.size, AKIN_E_CORRUPT, "Huffman table");
    free(b.data);
    b = load("jpeg-420.jpg");
    b.data[find(b, "\xff\xda", 2) + 1] = 0xd9; /* the end before any scan */
    expect(b.data, b.size, AKIN_E_CORRUPT, "missing SOS");
    free(b.data);

    /* A progressive picture that would fit as a baseline one does not as it is: all
     * coefficients. */
    b = load("jpeg-progressive-420.jpg");
    akin_picture_options limits = { .file_bytes = 1 << 20, .memory_bytes = 150 * 101 * 3 + (1 << 20) + (64 << 10) };
    akin_error err;
    assert_int_equal(decode(b.data, b.size, &limits, &err), AKIN_E_LIMIT);
    limits.memory_bytes += 150 * 101 * 4;
    assert_int_equal(decode(b.data, b.size, &limits, &err), AKIN_OK);
    free(b.data);
    b = load("jpeg-422.jpg");
    limits.memory_bytes = 131 * 93 * 3 + (1 << 20) + (64 << 10);
    assert_int_equal(decode(b.data, b.size, &limits, &err), AKIN_OK);
    free(b.data);
}

/* A progressive file of thousands of scans, each of a few bytes. */
static void too_many_scans(void **state)
{
    (void)state;
    bytes b = load("jpeg-progressive-420.jpg");
    size_t first = find(b, "\xff\xda", 2), end = first + 2;
    while (!(b.data[end] == 0xff && b.data[end + 1] != 0 &&
             !(b.data[end + 1] >= 0xd0 && b.data[end + 1] <= 0xd7)))
        end++;
    size_t scan = end - first, count = 600;
    bytes big = { malloc(b.size + scan * count), 0 };
    memcpy(big.data, b.data, end);
    big.size = end;
    for (size_t i = 0; i < count; i++, big.size += scan)
        memcpy(big.data + big.size, b.data + first, scan);
    memcpy(big.data + big.size, b.data + end, b.size - end);
    big.size += b.size - end;
    expect(big.data, big.size, AKIN_E_LIMIT, "more than 500 scans");
    free(big.data);
    free(b.data);
}

static void not_a_picture(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t size;
        const char *part;
    } rows[] = {
        { "", 0, "is empty; akin reads JPEG and PNG" },
        { "GIF89a..", 8, "looks like GIF; akin reads JPEG and PNG" },
        { "RIFF\4\0\0\0WEBPVP8 ", 16, "looks like WebP" },
        { "\0\0\0\x18" "ftypheic\0\0\0\0", 16, "looks like HEIC" },
        { "\0\0\0\x18" "ftypmif1\0\0\0\0", 16, "looks like HEIC" },
        { "\0\0\0\x18" "ftypavif\0\0\0\0", 16, "looks like AVIF" },
        { "\0\0\0\x18" "ftypisom\0\0\0\0", 16, "looks like a video" },
        { "II*\0\10\0\0\0", 8, "looks like TIFF" },
        { "BM......", 8, "looks like BMP" },
        { "%PDF-1.7", 8, "looks like PDF" },
        { "hello\n", 6, "looks like text" },
        { "\1\2\3\4", 4, "no picture that akin knows" },
        { "\x89PNX\r\n\x1a\n", 8, "no picture that akin knows" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect(rows[i].data, rows[i].size, AKIN_E_FORMAT, rows[i].part);
}

static void files(void **state)
{
    (void)state;
    akin_picture p;
    akin_error err;
    assert_int_equal(akin_picture_read(&p, GOLDEN, NULL, &err), AKIN_E_NOT_A_FILE);
    assert_string_equal(err.path, GOLDEN);
    assert_int_equal(akin_picture_read(&p, GOLDEN "none.jpg", NULL, &err), AKIN_E_NOT_FOUND);
    assert_int_equal(akin_picture_read(&p, GOLDEN "manifest.json", NULL, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "looks like text"));
    akin_picture_options limits = akin_picture_default_options();
    limits.file_bytes = 100;
    assert_int_equal(akin_picture_read(&p, GOLDEN "exif-1.jpg", &limits, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "the limit is 100"));
    assert_null(p.pixels);
    uint8_t hundred[101] = { 0xff, 0xd8, 0xff };
    assert_int_equal(akin_picture_decode(&p, hundred, 101, "x", &limits, &err), AKIN_E_LIMIT);
    limits.file_bytes = 1 << 20;
    limits.memory_bytes = 61 * 43 * 3;
    assert_int_equal(akin_picture_read(&p, GOLDEN "exif-1.jpg", &limits, &err), AKIN_E_LIMIT);
    assert_string_equal(err.path, GOLDEN "exif-1.jpg");
    assert_non_null(strstr(err.message, "a picture of 61 x 43 pixels needs"));
    akin_picture_clear(&p);
    akin_picture_clear(&p);
}

/* Root may read everything, so a child without privileges tries. */
static void no_permission(void **state)
{
    (void)state;
    char path[] = "/tmp/akin-picture-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(chmod(path, 0), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && seteuid(65534) != 0)
            _exit(99);
        akin_picture p;
        akin_error err;
        _exit((int)akin_picture_read(&p, path, NULL, &err));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), AKIN_E_PERMISSION);
}

/* ---- metadata */

/* Text chunks that inflate to a gigabyte load like no text at all, in bounded memory and time. */
static void text_bombs(void **state)
{
    (void)state;
    size_t room = (size_t)2 << 20, zeros = (size_t)16 << 20;
    uint8_t *packed = malloc(room), *block = calloc(1, zeros);
    memcpy(packed, "Raw profile type exif\0\0", 23);
    z_stream z = { 0 };
    assert_int_equal(deflateInit(&z, 9), Z_OK);
    z.next_out = packed + 23;
    z.avail_out = (uInt)(room - 23);
    for (int i = 0; i < 64; i++) { /* 64 * 16 MiB */
        z.next_in = block;
        z.avail_in = (uInt)zeros;
        assert_int_equal(deflate(&z, i == 63 ? Z_FINISH : Z_NO_FLUSH),
                         i == 63 ? Z_STREAM_END : Z_OK);
    }
    size_t size = room - z.avail_out;
    deflateEnd(&z);
    free(block);
    bytes good = load("png-grey8.png");
    static const char *const names[] = { "zTXt", "iCCP", "iTXt" };
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < 3; i++) {
        if (i == 2) { /* a compressed iTXt of XMP: keyword, flag, method, language, keyword */
            size_t text = size - 23;
            memmove(packed + 22, packed + 23, text);
            memcpy(packed, "XML:com.adobe.xmp\0\1\0\0", 22);
            size = 22 + text;
        }
        bytes b = with_chunk(good, names[i], packed, size);
        expect(b.data, b.size, AKIN_OK, "");
        free(b.data);
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 64 * 1024); /* KiB; the files are 1 MiB each */
    free(good.data);
    free(packed);
}

static void exif_blocks(void **state)
{
    (void)state;
    /* One entry: tag, type, count, value. */
    uint8_t block[26] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6 };
    assert_int_equal(akin_orientation_read(block, sizeof block, NULL, 0), 6);
    for (size_t n = 0; n < 22; n++) { /* any part of it turns nothing and reads nothing outside */
        uint8_t *part = malloc(n != 0 ? n : 1);
        memcpy(part, block, n);
        assert_int_equal(akin_orientation_read(part, n, NULL, 0), 1);
        free(part);
    }
    static const struct {
        size_t at;
        uint8_t value;
        int want;
    } changes[] = {
        { 0, 'X', 1 },  /* no TIFF header */
        { 7, 0, 1 },    /* the directory is the header */
        { 7, 10, 1 },   /* ... lies inside itself */
        { 4, 255, 1 },  /* ... far outside */
        { 9, 255, 6 },  /* 255 entries, of which one is there */
        { 13, 0, 1 },   /* unknown types */
        { 13, 14, 1 },
        { 13, 255, 1 },
        { 13, 2, 1 },   /* text */
        { 13, 7, 1 },
        { 13, 12, 1 },  /* a double, 8 bytes, at offset 0x60000 */
        { 17, 0, 1 },   /* no value */
        { 17, 2, 6 },   /* two: the first counts */
        { 14, 255, 1 }, /* 4 billion values */
        { 19, 9, 1 },
        { 18, 1, 1 },   /* 262 */
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t copy[sizeof block];
        memcpy(copy, block, sizeof block);
        copy[changes[i].at] = changes[i].value;
        if (akin_orientation_read(copy, sizeof copy, NULL, 0) != changes[i].want)
            fail_msg("change %zu", i);
    }
    static const char packet[] =
        "<x tiff:Orientation='6' tiff:Orientation=\"x\" tiff:Orientation=\"3\"/>";
    const uint8_t *xmp = (const uint8_t *)packet;
    assert_int_equal(akin_orientation_read(NULL, 0, xmp, sizeof packet - 1), 3);
    assert_int_equal(akin_orientation_read(NULL, 0, xmp, sizeof packet - 6), 1);
    assert_int_equal(akin_orientation_read(block, sizeof block, xmp, sizeof packet - 1), 6);
    block[0] = 'X';
    assert_int_equal(akin_orientation_read(block, sizeof block, xmp, sizeof packet - 1), 1);
}

/* Thousands of small changes: any answer, no crash, nothing for a sanitizer. */
static void mutations(void **state)
{
    (void)state;
    static const char *const names[] = { "exif-twice.jpg",
                                         "jpeg-cmyk-plain.jpg",
                                         "jpeg-progressive-420.jpg",
                                         "jpeg-arithmetic.jpg",
                                         "exif-6.png",
                                         "raw-profile-ztxt.png",
                                         "png-palette4-interlaced.png",
                                         "xmp-packed.png",
                                         "animation.png" };
    akin_picture_options limits = { .file_bytes = 1 << 20, .memory_bytes = 16 << 20 };
    size_t counts[2] = { 0 };
    for (size_t f = 0; f < sizeof names / sizeof names[0]; f++) {
        bytes b = load(names[f]);
        uint8_t *copy = malloc(b.size);
        for (uint64_t round = 0; round < 400; round++) {
            memcpy(copy, b.data, b.size);
            size_t from = 0;
            uint64_t seed = 77 * f + 1000 * round;
            for (int k = 0; k < 1 + (int)(round % 4); k++) {
                size_t r = 0;
                for (int i = 0; i < 3; i++)
                    r = r << 8 | golden_byte(seed, from++);
                /* Half of them in the first 200 bytes, where the structure is. */
                size_t at = r % (round % 2 == 0 && b.size > 200 ? 200 : b.size);
                copy[at] = round % 3 == 0 ? golden_byte(seed, from++)
                                          : copy[at] ^ (uint8_t)(1u << r / 65536 % 8);
            }
            if (b.data[0] == 0x89) { /* checksums that hold, or nothing gets past them */
                for (size_t at = 8; at + 12 <= b.size;) {
                    size_t n = (size_t)copy[at] << 24 | (size_t)copy[at + 1] << 16 |
                               (size_t)copy[at + 2] << 8 | copy[at + 3];
                    if (n > b.size - at - 12)
                        break;
                    put32(copy + at + 8 + n, (uint32_t)crc32(0, copy + at + 4, (uInt)(n + 4)));
                    at += 12 + n;
                }
            }
            counts[decode(copy, b.size, &limits, NULL) == AKIN_OK]++;
        }
        free(copy);
        free(b.data);
    }
    assert_true(counts[0] > 300 && counts[1] > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_picture),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(broken_png),
        cmocka_unit_test(broken_jpeg),
        cmocka_unit_test(too_many_scans),
        cmocka_unit_test(not_a_picture),
        cmocka_unit_test(files),
        cmocka_unit_test(no_permission),
        cmocka_unit_test(text_bombs),
        cmocka_unit_test(exif_blocks),
        cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
