/* tiff.c - TIFF and BigTIFF, equal to Pillow's.
 *
 * Owns the reading of the first directory, which kinds of pixels there are, and their way into a
 * picture; tiff_strip.c expands compressed strips. Matches Pillow 13.0.0 (TiffImagePlugin.py and
 * its table OPEN_INFO, TiffDecode.c, Unpack.c). Of several pages, the first. No colour profile.
 *
 * Refuses what Pillow's table has not, and by name: 32-bit and floating-point samples, signed 16
 * bits, CIELAB, YCbCr other than JPEG's or uncompressed without subsampling, old-style JPEG, and
 * raw photographs, whose first directory is a thumbnail. Refuses strips that lie outside the file
 * and strips that are missing.
 *
 * Exceptions, where the reference damages a picture: 16- and 12-bit grey keeps its high byte
 * (Pillow makes everything above 255 white) and is inverted where white is zero; alpha of planes
 * apart; 16-bit uncompressed planes apart.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "decode.h"
#include "exif.h"
#include "tiff_strip.h"

/* What libtiff and the libraries below it keep beside strips. The window of ZSTD (128 MiB at most)
 * and of LZMA (what the strip says) is not in it: no more of that is touched than is expanded. */
#define DECODER_BYTES ((size_t)1 << 20)

/* The fields that matter, and their tags. */
typedef enum field_name {
    SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, STRIP_OFFSETS,
    ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_SIZES, PLANES, FAX_OPTIONS, PREDICTOR, COLOUR_MAP,
    TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES, SUBFILES, EXTRA_SAMPLES, SAMPLE_FORMAT,
    JPEG_TABLES, SUBSAMPLING, XMP, MEDIA_PHOTO, DNG_VERSION,
    FIELDS
} field_name;

static const uint16_t TAGS[FIELDS] = {
    [SUBFILE_TYPE] = 254, [WIDTH] = 256,          [HEIGHT] = 257,       [BITS] = 258,
    [COMPRESSION] = 259,  [PHOTOMETRIC] = 262,    [FILL_ORDER] = 266,   [STRIP_OFFSETS] = 273,
    [ORIENTATION] = 274,  [SAMPLES] = 277,        [ROWS_PER_STRIP] = 278, [STRIP_SIZES] = 279,
    [PLANES] = 284,       [FAX_OPTIONS] = 292,    [PREDICTOR] = 317,    [COLOUR_MAP] = 320,
    [TILE_WIDTH] = 322,   [TILE_HEIGHT] = 323,    [TILE_OFFSETS] = 324, [TILE_SIZES] = 325,
    [SUBFILES] = 330,     [EXTRA_SAMPLES] = 338,  [SAMPLE_FORMAT] = 339, [JPEG_TABLES] = 347,
    [SUBSAMPLING] = 530,  [XMP] = 700,            [MEDIA_PHOTO] = 0xbc01, [DNG_VERSION] = 50706,
};

/* Values of a field, inside the file; count 0 when the directory has none. */
typedef struct field {
    uint64_t count;
    size_t at;
    unsigned size; /* bytes of one */
    bool integer;  /* unsigned */
} field;

typedef enum pixels { GREY, GREY_ALPHA, RGB, RGB_ALPHA, PALETTE, PALETTE_ALPHA, CMYK, YCC } pixels;

/* Values of tags. */
enum { WHITE_IS_ZERO = 0, BLACK_IS_ZERO, IS_RGB, IS_PALETTE, IS_CMYK = 5, IS_YCC };
enum { MAX_SAMPLES = 6 };
enum { PLAIN = 1, OLD_JPEG = 6, NEW_JPEG = 7, WEBP = 50001 };

typedef struct job {
    const akin_encoded *from;
    akin_error *err;
    bool big_endian, big_tiff;
    field fields[FIELDS];

    uint32_t width, height;
    pixels kind;
    bool inverted;      /* white is zero */
    bool premultiplied; /* by alpha */
    unsigned bits, samples; /* bits of one, how many a pixel has, */
    unsigned used;          /* and how many are looked at */
    bool apart;                   /* planes */
    bool tiled;
    uint32_t across, down; /* strips or tiles */
    uint32_t strip_width, strip_height;
    size_t pitch;    /* bytes of a row of a strip, of one plane */
    unsigned filled; /* fill order */
    akin_tiff_coding coding;
    akin_tiff_strip strip;

    uint8_t palette[256][3];
    uint8_t *expanded[4]; /* a strip of each plane */
    uint8_t *line;        /* samples of less than a byte, unpacked; then a row of a tile's pixels */
    akin_canvas canvas;
} job;

static akin_status broken(job *j, const char *why)
{
    return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken TIFF: %s", why);
}

static akin_status unsupported(job *j, const char *what)
{
    return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path, "TIFF of %s, which akin does not "
                     "read", what);
}

/* ---- the directory */

/* The caller knows that n bytes follow `at`. */
static uint64_t number(const job *j, size_t at, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | j->from->data[at + (j->big_endian ? i : n - 1 - i)];
    return v;
}

static bool has(const job *j, field_name name) { return j->fields[name].count != 0; }

static uint64_t value(const job *j, field_name name, uint64_t i)
{
    const field *f = &j->fields[name];
    return number(j, f->at + (size_t)i * f->size, f->size);
}

/* The first value, or what stands for a missing field. */
static uint64_t first(const job *j, field_name name, uint64_t missing)
{
    return has(j, name) && j->fields[name].integer ? value(j, name, 0) : missing;
}

static akin_status read_directory(job *j)
{
    const size_t size = j->from->size;
    const uint8_t *bytes = j->from->data;
    if (size < 8)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "TIFF ends inside its header");
    j->big_endian = bytes[0] == 'M';
    j->big_tiff = bytes[2] == 43 || bytes[3] == 43;
    const size_t word = j->big_tiff ? 8 : 4, counts = j->big_tiff ? 8 : 2;
    const size_t entry = 4 + 2 * word;
    if (size < 2 * word)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "TIFF ends inside its header");
    uint64_t at = number(j, word, word);
    if (at > size || size - at < counts)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                         "TIFF ends before its directory, at byte %llu", (unsigned long long)at);
    uint64_t entries = number(j, (size_t)at, counts);
    at += counts;
    if (entries > (size - at) / entry)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                         "TIFF ends inside its directory of %llu entries",
                         (unsigned long long)entries);
    static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8 };
    for (uint64_t i = 0; i < entries; i++, at += entry) {
        const unsigned tag = (unsigned)number(j, (size_t)at, 2);
        const unsigned type = (unsigned)number(j, (size_t)at + 2, 2);
        const uint64_t count = number(j, (size_t)at + 4, word);
        int name = 0;
        while (name < FIELDS && TAGS[name] != tag)
            name++;
        /* Of several entries of a tag the first with a value counts. */
        if (name == FIELDS || has(j, (field_name)name) || type >= sizeof sizes ||
            sizes[type] == 0 || count == 0)
            continue;
        size_t where = (size_t)at + 4 + word;
        if (count > word / sizes[type]) {
            const uint64_t offset = number(j, where, word);
            if (offset > size || count > (size - offset) / sizes[type])
                return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                                 "TIFF ends before the values of its tag %u", tag);
            where = (size_t)offset;
        }
        j->fields[name] = (field){ count, where, sizes[type],
                                   type == 1 || type == 3 || type == 4 || type == 13 ||
                                       type == 16 };
    }
    return AKIN_OK;
}

/* ---- which pixels */

/* One line of Pillow's table, byte orders and fill orders aside: what has to be there, and what
 * comes of it. */
typedef struct form {
    uint8_t photometric;
    uint8_t bits;       /* a set: 1, 2, 4, 8, and W and T */
    int16_t extra;      /* the first extra sample; -1: there is none */
    uint8_t unused;     /* most extra samples of kind 0 after it, where samples have 8 bits */
    uint8_t kind;
} form;

enum { T = 64 /* 12 bits */, W = 16 };

static const form FORMS[] = {
    { WHITE_IS_ZERO, 1 | 2 | 4 | 8 | W, -1, 0, GREY },
    { BLACK_IS_ZERO, 1 | 2 | 4 | 8 | W | T, -1, 0, GREY },
    { BLACK_IS_ZERO, 8, 0, 0, GREY },
    { BLACK_IS_ZERO, 8, 1, 0, GREY_ALPHA },
    { BLACK_IS_ZERO, 8, 2, 0, GREY_ALPHA },
    { IS_RGB, 8 | W, -1, 0, RGB },
    { IS_RGB, 8 | W, 0, 2, RGB },
    { IS_RGB, 8 | W, 1, 2, RGB_ALPHA },
    { IS_RGB, 8 | W, 2, 2, RGB_ALPHA },
    { IS_RGB, 8, 999, 0, RGB_ALPHA }, /* Corel Draw 10 */
    { IS_PALETTE, 1 | 2 | 4 | 8, -1, 0, PALETTE },
    { IS_PALETTE, 8, 0, 0, PALETTE },
    { IS_PALETTE, 8, 2, 0, PALETTE_ALPHA },
    { IS_CMYK, 8 | W, -1, 0, CMYK },
    { IS_CMYK, 8, 0, 1, CMYK },
    { IS_YCC, 8, -1, 0, YCC },
};

/* The names of what is refused by name. */
static const char *odd_photometric(uint64_t photometric)
{
    switch (photometric) {
    case 4: return "a transparency mask";
    case 8: case 9: case 10: return "CIELAB colours";
    case 32803: case 34892: return "a camera's sensor";
    case 32844: case 32845: return "LogLuv colours";
    default: return "unknown colours";
    }
}

static const char *odd_compression(uint64_t compression)
{
    switch (compression) {
    case OLD_JPEG: return "JPEG in the old style of TIFF 6.0 (compression 6)";
    case 32771: return "CCITT compression aligned to words"; /* libtiff reads not even its own */
    case 32809: return "ThunderScan compression";
    case 34676: case 34677: return "SGI LogLuv compression";
    case 34712: return "JPEG 2000 compression";
    case 34887: return "LERC compression";
    case 50002: case 52546: return "JPEG XL compression";
    default: return NULL;
    }
}

static const char *compression_name(uint64_t compression)
{
    switch (compression) {
    case 2: case 3: case 4: return "CCITT";
    case 5: return "LZW";
    case NEW_JPEG: return "JPEG";
    case 8: case 32946: return "Deflate";
    case 32773: return "PackBits";
    case 34925: return "LZMA";
    case 50000: return "ZSTD";
    case WEBP: return "WebP";
    default: return NULL;
    }
}

/* A raw photograph in the form of a TIFF file: its first directory, if it can be read at all, is a
 * small preview, and Pillow takes it for the picture. */
static bool is_raw_photograph(const job *j)
{
    const uint64_t photometric = first(j, PHOTOMETRIC, 0);
    return (j->from->size >= 10 && memcmp(j->from->data + 8, "CR", 2) == 0 && !j->big_tiff) ||
           has(j, DNG_VERSION) || photometric == 32803 || photometric == 34892 ||
           ((first(j, SUBFILE_TYPE, 0) & 1) != 0 && has(j, SUBFILES));
}

static akin_status choose_compression(job *j)
{
    const uint64_t compression = first(j, COMPRESSION, PLAIN);
    const char *name = compression_name(compression), *odd = odd_compression(compression);
    if (odd != NULL)
        return unsupported(j, odd);
    if (compression != PLAIN && name == NULL)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "TIFF of compression %llu, which akin does not know",
                         (unsigned long long)compression);
    if (compression != PLAIN && !akin_tiff_strip_can((unsigned)compression))
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "TIFF of %s compression, which this build's libtiff does not have", name);
    j->coding.compression = (unsigned)compression;
    return AKIN_OK;
}

static akin_status choose_samples(job *j)
{
    const uint64_t photometric = first(j, PHOTOMETRIC, WHITE_IS_ZERO);
    uint64_t extras = j->fields[EXTRA_SAMPLES].integer ? j->fields[EXTRA_SAMPLES].count : 0;
    uint64_t samples = first(j, SAMPLES, 1);
    const uint64_t listed = j->fields[BITS].integer ? j->fields[BITS].count : 0;
    if (samples == 0 || samples > MAX_SAMPLES)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "TIFF of %llu samples a pixel; akin reads 1 to %d",
                         (unsigned long long)samples, MAX_SAMPLES);
    if (listed > 1 && listed < samples)
        return broken(j, "there are samples whose bits are not said");
    const uint64_t bits = first(j, BITS, 1);
    for (uint64_t i = 1; i < listed && i < samples; i++)
        if (value(j, BITS, i) != bits)
            return unsupported(j, "samples of different sizes");
    const uint64_t formats = j->fields[SAMPLE_FORMAT].integer ? j->fields[SAMPLE_FORMAT].count : 0;
    const uint64_t format = first(j, SAMPLE_FORMAT, 1);
    for (uint64_t i = 1; i < formats && i < samples; i++)
        if (value(j, SAMPLE_FORMAT, i) != format)
            return unsupported(j, "samples of different formats");
    /* Signed bytes of grey are read as if they were unsigned; so does Pillow. */
    bool signed_grey = format == 2 && bits == 8 && samples == 1 && photometric == BLACK_IS_ZERO;
    if (format == 3)
        return unsupported(j, "floating-point samples");
    if ((format != 1 && !signed_grey) || bits > 16)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "TIFF of %llu-bit samples of format %llu, which akin does not read",
                         (unsigned long long)bits, (unsigned long long)format);
    if (photometric > IS_YCC || photometric == 4)
        return unsupported(j, odd_photometric(photometric));

    const unsigned colours = photometric == IS_CMYK                            ? 4
                             : photometric == IS_RGB                           ? 3
                             : photometric == IS_YCC && samples != 1           ? 3
                                                                               : 1;
    int extra = -1;
    if (extras != 0) {
        extra = (int)akin_min(value(j, EXTRA_SAMPLES, 0), 1000);
    } else if (photometric == IS_RGB && samples == 4) { /* nobody said that it is alpha */
        extra = 2;
        extras = 1;
    }
    bool fits = samples == colours + extras;
    for (uint64_t i = 1; fits && i < extras; i++)
        fits = value(j, EXTRA_SAMPLES, i) == 0;
    if (fits && extra == 0 && first(j, PLANES, 1) == 2) { /* planes that nobody has to look at */
        samples = colours;
        extras = 0;
        extra = -1;
    }
    const form *found = NULL;
    for (size_t i = 0; fits && found == NULL && i < sizeof FORMS / sizeof FORMS[0]; i++) {
        const form *f = &FORMS[i];
        const uint8_t set = bits == 12 ? T : bits == 16 ? W : bits <= 8 ? (uint8_t)bits : 0;
        if (f->photometric == photometric && (f->bits & set) != 0 && (set & (set - 1)) == 0 &&
            f->extra == extra && (extras <= 1 || (bits == 8 && extras - 1 <= f->unused)))
            found = f;
    }
    if (found == NULL)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "TIFF of photometric interpretation %llu with %llu samples of %llu bits, "
                         "%llu of them extra, which akin does not read",
                         (unsigned long long)photometric, (unsigned long long)samples,
                         (unsigned long long)bits, (unsigned long long)extras);
    j->kind = (pixels)found->kind;
    if (j->kind == YCC && samples == 1)
        j->kind = GREY;
    j->inverted = photometric == WHITE_IS_ZERO;
    j->premultiplied = extra == 1;
    j->bits = (unsigned)bits;
    j->samples = (unsigned)samples;
    static const uint8_t used[] = {
        [GREY] = 1, [GREY_ALPHA] = 2, [RGB] = 3, [RGB_ALPHA] = 4,
        [PALETTE] = 1, [PALETTE_ALPHA] = 2, [CMYK] = 4, [YCC] = 3
    };
    j->used = used[j->kind];
    return AKIN_OK;
}

static akin_status choose_ycc(job *j)
{
    akin_tiff_coding *c = &j->coding;
    c->has_subsampling = j->fields[SUBSAMPLING].integer && j->fields[SUBSAMPLING].count >= 2;
    for (unsigned i = 0; i < 2; i++)
        c->subsampling[i] = c->has_subsampling ? (unsigned)value(j, SUBSAMPLING, i) & 0xffff : 1;
    if (j->apart)
        return unsupported(j, "YCbCr in planes apart");
    if (c->compression == NEW_JPEG) {
        c->ycc = true;
        j->kind = RGB;
    } else if (c->compression != PLAIN) {
        return unsupported(j, "YCbCr compressed by other than JPEG");
    } else if (c->subsampling[0] != 1 || c->subsampling[1] != 1) {
        return unsupported(j, "subsampled YCbCr that is not JPEG");
    }
    return AKIN_OK;
}

/* Entries that the file does not have are black. */
static akin_status read_palette(job *j)
{
    if (!has(j, COLOUR_MAP) || !j->fields[COLOUR_MAP].integer)
        return broken(j, "a palette picture without a colour map");
    const uint64_t count = j->fields[COLOUR_MAP].count / 3;
    for (unsigned i = 0; i < 256 && i < count; i++)
        for (unsigned c = 0; c < 3; c++)
            j->palette[i][c] = (uint8_t)(value(j, COLOUR_MAP, c * count + i) >> 8);
    return AKIN_OK;
}

static akin_status choose_strips(job *j)
{
    const uint64_t width = first(j, WIDTH, 0), height = first(j, HEIGHT, 0);
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken TIFF: a picture of %llu x %llu pixels", (unsigned long long)width,
                         (unsigned long long)height);
    j->width = (uint32_t)width;
    j->height = (uint32_t)height;
    j->tiled = !has(j, STRIP_OFFSETS);
    uint64_t w = width, h = first(j, ROWS_PER_STRIP, height);
    if (j->tiled) {
        w = first(j, TILE_WIDTH, 0);
        h = first(j, TILE_HEIGHT, 0);
    } else if (h > height) {
        h = height;
    }
    const field_name offsets = j->tiled ? TILE_OFFSETS : STRIP_OFFSETS;
    if (!has(j, offsets) || !j->fields[offsets].integer)
        return broken(j, "no image data");
    if (w == 0 || h == 0 || w > INT32_MAX || h > INT32_MAX)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken TIFF: strips or tiles of %llu x %llu pixels",
                         (unsigned long long)w, (unsigned long long)h);
    j->strip_width = (uint32_t)w;
    j->strip_height = (uint32_t)h;
    j->across = (uint32_t)akin_ceil_div((size_t)width, (size_t)w);
    j->down = (uint32_t)akin_ceil_div((size_t)height, (size_t)h);
    const uint64_t planes = j->apart ? j->samples : 1, count = j->fields[offsets].count;
    if (count / planes < (uint64_t)j->across * j->down) /* 2^62 at most */
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken TIFF: %llu strips or tiles where %llu x %llu x %llu are needed",
                         (unsigned long long)count, (unsigned long long)j->across,
                         (unsigned long long)j->down, (unsigned long long)planes);
    j->pitch = akin_ceil_div((size_t)w * j->bits * (j->apart ? 1 : j->samples), 8);
    return AKIN_OK;
}

static akin_status choose(job *j)
{
    akin_status status;
    akin_tiff_coding *c = &j->coding;
    if (is_raw_photograph(j))
        return akin_fail(j->err, AKIN_E_FORMAT, j->from->path,
                         "looks like a raw photograph; akin does not take the preview inside it "
                         "for the picture");
    if (has(j, MEDIA_PHOTO))
        return unsupported(j, "Windows Media Photo");
    AKIN_TRY(choose_compression(j));
    const uint64_t planes = first(j, PLANES, 1), filled = first(j, FILL_ORDER, 1);
    if (planes != 1 && planes != 2)
        return broken(j, "planes neither together nor apart");
    if (filled != 1 && filled != 2)
        return broken(j, "bits neither from the left nor from the right");
    j->filled = (unsigned)filled;
    AKIN_TRY(choose_samples(j));
    j->apart = planes == 2 && j->samples > 1;
    AKIN_TRY(choose_strips(j));
    if (j->kind == YCC)
        AKIN_TRY(choose_ycc(j));
    if (j->kind == PALETTE || j->kind == PALETTE_ALPHA)
        AKIN_TRY(read_palette(j));
    if ((c->compression == NEW_JPEG || c->compression == WEBP) && j->bits != 8)
        return broken(j, "JPEG or WebP of other than 8 bits");
    if (c->compression >= 2 && c->compression <= 4 && j->bits != 1)
        return broken(j, "CCITT compression of other than one bit");

    c->big_endian = j->big_endian;
    c->fill_order = j->filled;
    c->bits = j->bits;
    c->samples = j->apart ? 1 : j->samples;
    c->memory_bytes = j->from->memory_bytes;
    c->fax_options = (unsigned)first(j, FAX_OPTIONS, 0);
    c->predictor = 1;
    if (c->compression == 5 || c->compression == 8 || c->compression == 32946 ||
        c->compression == 34925 || c->compression == 50000)
        c->predictor = (unsigned)akin_min(first(j, PREDICTOR, 1), 9);
    if (c->predictor != 1 && c->predictor != 2)
        return unsupported(j, "a predictor other than 1 and 2");
    if (c->predictor == 2 && j->bits != 8 && j->bits != 16)
        return broken(j, "a predictor of samples of other than 8 and 16 bits");
    if (c->compression == NEW_JPEG && has(j, JPEG_TABLES) && j->fields[JPEG_TABLES].size == 1) {
        c->tables = j->from->data + j->fields[JPEG_TABLES].at;
        c->tables_size = (size_t)j->fields[JPEG_TABLES].count;
    }
out:
    return status;
}

static int read_orientation(const job *j)
{
    if (has(j, ORIENTATION)) {
        const uint64_t v = j->fields[ORIENTATION].size != 1 ? first(j, ORIENTATION, 1) : 1;
        return v >= 1 && v <= 8 ? (int)v : 1;
    }
    const field *xmp = &j->fields[XMP];
    return akin_orientation_read(NULL, 0, xmp->size == 1 ? j->from->data + xmp->at : NULL,
                                 (size_t)xmp->count);
}

/* ---- pixels */

static uint8_t turned_bits(uint8_t b)
{
    b = (uint8_t)(b >> 4 | b << 4);
    b = (uint8_t)((b & 0xcc) >> 2 | (b & 0x33) << 2);
    return (uint8_t)((b & 0xaa) >> 1 | (b & 0x55) << 1);
}

/* The rows of strip or tile `index` of a plane; `rows` of them will be looked at. */
static akin_status read_strip(job *j, unsigned plane, size_t index, uint32_t rows,
                              const uint8_t **out)
{
    const field_name offsets = j->tiled ? TILE_OFFSETS : STRIP_OFFSETS;
    const field_name sizes = j->tiled ? TILE_SIZES : STRIP_SIZES;
    const size_t file = j->from->size;
    index += (size_t)plane * j->across * j->down;
    const uint64_t offset = value(j, offsets, index);
    /* Tiles are whole even where the picture is not; the last strip is not. */
    const uint32_t height = j->tiled ? j->strip_height : rows;
    const bool plain = j->coding.compression == PLAIN;
    uint64_t size = plain ? (uint64_t)j->pitch * rows : 0;
    if (!plain && j->fields[sizes].integer && index < j->fields[sizes].count)
        size = value(j, sizes, index);
    if (size == 0 && offset < file && (!has(j, sizes) || (size_t)j->across * j->down == 1))
        size = file - offset; /* nobody said */
    if (offset > file || size > file - offset)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                         "TIFF ends before its %s %zu of %llu bytes at %llu",
                         j->tiled ? "tile" : "strip", index, (unsigned long long)size,
                         (unsigned long long)offset);
    if (size == 0 || offset == 0)
        return broken(j, "an empty strip or tile");
    const uint8_t *data = j->from->data + offset;
    *out = j->expanded[plane];
    if (!plain)
        return akin_tiff_strip_read(&j->strip, &j->coding, j->strip_width, height, data,
                                    (size_t)size, j->expanded[plane], j->pitch * height,
                                    j->from->path, j->err);
    if (j->filled == 1)
        *out = data;
    else
        for (size_t i = 0; i < size; i++)
            j->expanded[plane][i] = turned_bits(data[i]);
    return AKIN_OK;
}

/* Inlined where `bits` is a number, or the shifts cost more than the CCITT decoder. */
static inline void unpack_bits(const uint8_t *restrict in, unsigned bits, size_t count,
                               uint8_t *restrict out)
{
    const unsigned each = 8 / bits, mask = (1u << bits) - 1;
    size_t i = 0;
    for (; i + each <= count; i += each, in++)
        for (unsigned k = 0; k < each; k++)
            out[i + k] = (uint8_t)(in[0] >> (8 - bits - k * bits) & mask);
    for (unsigned k = 0; i < count; i++, k++)
        out[i] = (uint8_t)(in[0] >> (8 - bits - k * bits) & mask);
}

/* 1, 2, 4 and 12 bits to bytes; of 12 the high 8. */
static void unpack(const uint8_t *in, unsigned bits, size_t count, uint8_t *out)
{
    switch (bits) {
    case 1: unpack_bits(in, 1, count, out); break;
    case 2: unpack_bits(in, 2, count, out); break;
    case 4: unpack_bits(in, 4, count, out); break;
    default:
        for (size_t i = 0; i < count; i++) {
            const uint8_t *pair = in + i / 2 * 3;
            out[i] = i % 2 == 0 ? pair[0] : (uint8_t)(pair[1] << 4 | pair[2] >> 4);
        }
        break;
    }
}

/* ImagingConvertYCbCr2RGB of Pillow: products of 6 fraction bits, rounded towards zero after half
 * is added, so unevenly below zero. */
static int chroma(unsigned v, int factor /* times 100,000 */)
{
    return (((int)v - 128) * factor * 4 + 3125) / 6250;
}

static uint8_t clip(int v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v); }

static uint8_t divide(unsigned v, unsigned alpha)
{
    return alpha == 0 ? 0 : alpha == 255 ? (uint8_t)v : (uint8_t)akin_min(v * 255 / alpha, 255);
}

/* Channel c of pixel i is in[c][i * step]. Writes pixels of the canvas's layout. */
static void convert(const job *j, const uint8_t *const in[4], size_t step, size_t count,
                    uint8_t *restrict to)
{
    const uint8_t *a = in[0], *b = in[1], *c = in[2], *d = in[3];
    switch (j->kind) {
    case GREY: {
        const unsigned scale = j->bits < 8 ? 255 / ((1u << j->bits) - 1) : 1;
        const unsigned flip = j->inverted ? 255 : 0;
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 3)
            to[0] = to[1] = to[2] = (uint8_t)(a[at] * scale ^ flip);
        break;
    }
    case GREY_ALPHA:
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 4) {
            to[0] = to[1] = to[2] = j->premultiplied ? divide(a[at], b[at]) : a[at];
            to[3] = b[at];
        }
        break;
    case RGB:
        if (step == 3 && b == a + 1) {
            memcpy(to, a, 3 * count);
            break;
        }
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 3) {
            to[0] = a[at];
            to[1] = b[at];
            to[2] = c[at];
        }
        break;
    case RGB_ALPHA: case CMYK:
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 4) {
            to[0] = a[at];
            to[1] = b[at];
            to[2] = c[at];
            to[3] = d[at];
            for (int k = 0; j->premultiplied && k < 3; k++)
                to[k] = divide(to[k], to[3]);
        }
        break;
    case PALETTE:
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 3)
            memcpy(to, j->palette[a[at]], 3);
        break;
    case PALETTE_ALPHA:
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 4) {
            memcpy(to, j->palette[a[at]], 3);
            to[3] = b[at];
        }
        break;
    case YCC:
        for (size_t i = 0, at = 0; i < count; i++, at += step, to += 3) {
            const int y = a[at];
            /* Shifts, not divisions: they round down. */
            to[0] = clip(y + (chroma(c[at], 140200) >> 6));
            to[1] = clip(y + ((chroma(b[at], -34414) + chroma(c[at], -71414)) >> 6));
            to[2] = clip(y + (chroma(b[at], 177200) >> 6));
        }
        break;
    }
}

/* Row y of a strip whose planes begin at `planes`. */
static void convert_row(const job *j, const uint8_t *const planes[4], size_t y, size_t count,
                        uint8_t *to)
{
    static const uint16_t one = 1;
    const size_t wide = j->bits == 16 ? 2 : 1;
    const bool little = j->coding.compression == PLAIN ? !j->big_endian
                                                       : *(const uint8_t *)&one == 1;
    const size_t high = wide == 2 && little ? 1 : 0;
    const uint8_t *in[4] = { NULL, NULL, NULL, NULL };
    for (unsigned k = 0; k < j->used; k++)
        in[k] = j->apart ? planes[k] + y * j->pitch + high
                         : planes[0] + y * j->pitch + high + k * wide;
    size_t step = j->apart ? wide : wide * j->samples;
    if (j->bits < 8 || j->bits == 12) {
        unpack(in[0], j->bits, count, j->line);
        in[0] = j->line;
        step = 1;
    }
    convert(j, in, step, count, to);
}

static akin_status read_pixels(job *j)
{
    const size_t pixel = j->canvas.pixel;
    for (uint32_t row = 0; row < j->down; row++) {
        const uint32_t top = row * j->strip_height; /* < height */
        const uint32_t rows = (uint32_t)akin_min(j->strip_height, j->height - top);
        for (uint32_t column = 0; column < j->across; column++) {
            const uint32_t left = column * j->strip_width;
            const size_t count = akin_min(j->strip_width, j->width - left);
            const uint8_t *planes[4] = { NULL, NULL, NULL, NULL };
            for (unsigned p = 0; p < (j->apart ? j->used : 1); p++) {
                akin_status status = read_strip(j, p, (size_t)row * j->across + column, rows,
                                                &planes[p]);
                if (status != AKIN_OK)
                    return status;
            }
            if (j->across > 1) {
                uint8_t *line = j->line + j->strip_width;
                for (uint32_t y = 0; y < rows; y++) {
                    convert_row(j, planes, y, count, line);
                    akin_canvas_scatter(&j->canvas, (int)left, (int)(top + y), 1, line, (int)count);
                }
                continue;
            }
            for (uint32_t y = 0; y < rows; y += AKIN_STRIP_ROWS) {
                const uint32_t n = (uint32_t)akin_min(AKIN_STRIP_ROWS, rows - y);
                uint8_t *to = akin_canvas_rows(&j->canvas, (int)(top + y));
                for (uint32_t i = 0; i < n; i++)
                    convert_row(j, planes, y + i, count, to + i * count * pixel);
                akin_canvas_done(&j->canvas, (int)(top + y), (int)n);
            }
        }
    }
    return AKIN_OK;
}

/* Makes the canvas and the buffers. */
static akin_status prepare(job *j)
{
    static const uint8_t layouts[] = {
        [GREY] = AKIN_RGB, [GREY_ALPHA] = AKIN_RGBA, [RGB] = AKIN_RGB, [RGB_ALPHA] = AKIN_RGBA,
        [PALETTE] = AKIN_RGB_NEAREST, [PALETTE_ALPHA] = AKIN_RGBA, [CMYK] = AKIN_CMYK,
        [YCC] = AKIN_RGB
    };
    const bool plain = j->coding.compression == PLAIN, buffered = !plain || j->filled != 1;
    const unsigned planes = j->apart ? j->used : 1;
    const size_t line = 5 * (size_t)j->strip_width; /* < 2^31 each */
    akin_layout layout = (akin_layout)layouts[j->kind];
    if (j->kind == GREY && j->bits == 1)
        layout = AKIN_RGB_NEAREST;
    size_t bytes = 0, all = 0, extra = DECODER_BYTES + line;
    bool counts = akin_mul(j->pitch, j->strip_height, &bytes) && akin_mul(bytes, planes, &all);
    if (!buffered)
        all = 0;
    if (counts && (j->coding.compression == NEW_JPEG || j->coding.compression == WEBP))
        /* All coefficients of a progressive JPEG: two bytes a sample. WebP's own pixels. */
        counts = akin_mul(all, 3, &all);
    if (j->filled != 1 && !plain)
        counts = counts && akin_add(extra, j->from->size, &extra);
    if (!counts || !akin_add(extra, all, &extra))
        extra = SIZE_MAX;
    akin_status status = akin_canvas_init(&j->canvas, (int)j->width, (int)j->height, layout,
                                          read_orientation(j), extra, j->from, j->err);
    if (status != AKIN_OK)
        return status;
    if (j->kind == PALETTE)
        memcpy(j->canvas.picture.palette, j->palette, sizeof j->palette);
    else
        memset(j->canvas.picture.palette[1], 255, 255 * 3); /* of one bit: black and white */
    j->line = malloc(line);
    if (j->line == NULL)
        return akin_fail_nomem(j->err, "a row", line);
    for (unsigned p = 0; buffered && p < planes; p++) {
        j->expanded[p] = malloc(bytes);
        if (j->expanded[p] == NULL)
            return akin_fail_nomem(j->err, "a TIFF strip", bytes);
    }
    return AKIN_OK;
}

akin_status akin_tiff_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return akin_fail_nomem(err, "a TIFF decoder", sizeof *j);
    j->from = from;
    j->err = err;
    akin_status status;
    AKIN_TRY(read_directory(j));
    AKIN_TRY(choose(j));
    AKIN_TRY(prepare(j));
    AKIN_TRY(read_pixels(j));
    akin_canvas_take(&j->canvas, from, out);
out:
    akin_tiff_strip_clear(&j->strip);
    akin_canvas_clear(&j->canvas);
    for (int p = 0; p < 4; p++)
        free(j->expanded[p]);
    free(j->line);
    free(j);
    return status;
}
