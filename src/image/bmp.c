/* bmp.c - BMP to pixels, equal to Pillow's.
 *
 * Reads by itself, as Pillow does: the format is a header and rows. OS/2 and Windows headers of 12,
 * 40, 52, 56, 64, 108 and 124 bytes; 1, 4 and 8 bits with a palette, 16, 24 and 32 bits, the masks
 * that are in use, both kinds of run lengths. Refuses other masks, JPEG and PNG inside, and files
 * that end before their last pixel. Matches Pillow 13.0.0 (BmpImagePlugin.py): 32 bits have alpha
 * only when a mask says so, or when all masks are 0; a palette in which colour i is grey i is left
 * out, and one of black and white makes a picture of one bit.
 *
 * One exception, where the reference damages a picture: having left the palette out, Pillow reads
 * rows of 4 or 8 bits as if they had one bit, and rows of 1 or 4 bits as if they had 8. akin reads
 * the bits that the header names.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arith.h"
#include "base/cursor.h"
#include "decode.h"

enum { RAW, RLE8, RLE4, BITFIELDS };

typedef struct job {
    const akin_encoded *from;
    akin_error *err;
    int width, height;
    bool top_down;
    unsigned bits, compression;
    size_t data; /* offset of the first row in the file */
    akin_layout layout;
    uint8_t palette[256][4]; /* the fourth byte is not used */
    uint8_t order[4];        /* 24 and 32 bits: the byte that is red, green, blue, alpha */
    unsigned green_bits;     /* 16 bits: 5 or 6 */
    akin_canvas canvas;
} job;

static akin_status cut(const job *j, const char *where)
{
    return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "BMP ends %s", where);
}

static uint32_t little16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t little32(const uint8_t *p) { return little16(p) | little16(p + 2) << 16; }

/* Which bytes hold which colour, for masks as Pillow knows them. 32 bits: alpha's byte is 4 when
 * there is none. */
static akin_status read_masks(job *j, const uint32_t mask[4])
{
    static const struct {
        uint32_t mask[4];
        uint8_t order[4];
    } known[] = {
        { { 0xff0000, 0xff00, 0xff, 0 }, { 2, 1, 0, 4 } },
        { { 0xff000000, 0xff0000, 0xff00, 0 }, { 3, 2, 1, 4 } },
        { { 0xff000000, 0xff00, 0xff, 0 }, { 3, 1, 0, 4 } },
        { { 0xff000000, 0xff0000, 0xff00, 0xff }, { 3, 2, 1, 0 } },
        { { 0xff, 0xff00, 0xff0000, 0xff000000 }, { 0, 1, 2, 3 } },
        { { 0xff0000, 0xff00, 0xff, 0xff000000 }, { 2, 1, 0, 3 } },
        { { 0xff000000, 0xff00, 0xff, 0xff0000 }, { 3, 1, 0, 2 } },
        { { 0, 0, 0, 0 }, { 2, 1, 0, 3 } },
    };
    static const uint32_t rgb565[] = { 0xf800, 0x7e0, 0x1f }, rgb555[] = { 0x7c00, 0x3e0, 0x1f };
    if (j->bits == 16 && memcmp(mask, rgb565, sizeof rgb565) == 0) {
        j->green_bits = 6;
        return AKIN_OK;
    }
    if (j->bits == 16 && memcmp(mask, rgb555, sizeof rgb555) == 0)
        return AKIN_OK;
    if (j->bits == 24 && memcmp(mask, known[0].mask, 3 * sizeof *mask) == 0)
        return AKIN_OK;
    for (size_t i = 0; i < sizeof known / sizeof known[0] && j->bits == 32; i++)
        if (memcmp(mask, known[i].mask, sizeof known[i].mask) == 0) {
            memcpy(j->order, known[i].order, sizeof j->order);
            j->layout = j->order[3] < 4 ? AKIN_RGBA : AKIN_RGB;
            return AKIN_OK;
        }
    return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                     "BMP of %u bits with the masks %08x %08x %08x %08x", j->bits, mask[0], mask[1],
                     mask[2], mask[3]);
}

/* The palette of 1, 4 and 8 bits: `count` entries of `entry` bytes, of which the file may hold
 * fewer. */
static akin_status read_palette(job *j, akin_cursor *c, uint32_t count, size_t entry)
{
    if (count > 65536)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken BMP: a palette of %u colours", count);
    size_t size = akin_min(entry * count, akin_cursor_left(c)), have = size / entry;
    const uint8_t *colours;
    akin_cursor_bytes(c, size, &colours);
    bool grey = true;
    for (size_t i = 0; i < count && grey; i++) {
        uint8_t v = count == 2 && i == 1 ? 255 : (uint8_t)i;
        const uint8_t *p = colours + i * entry;
        grey = i * entry + 3 <= size && p[0] == v && p[1] == v && p[2] == v;
    }
    if (grey) {
        j->layout = count <= 2 ? AKIN_RGB_NEAREST : AKIN_RGB;
        for (int i = 0; i < 256; i++)
            memset(j->palette[i], count > 2 ? i : i != 0 ? 255 : 0, 3);
        return AKIN_OK;
    }
    if (have > 256)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken BMP: a palette of %zu colours", have);
    j->layout = AKIN_RGB_NEAREST;
    for (size_t i = 0; i < have; i++)
        for (size_t k = 0; k < 3; k++)
            j->palette[i][k] = colours[i * entry + 2 - k];
    return AKIN_OK;
}

static akin_status read_header(job *j)
{
    akin_cursor c = akin_cursor_over(j->from->data, j->from->size);
    akin_status status;
    const uint8_t *file, *h;
    uint32_t size;
    if (!akin_cursor_bytes(&c, 14, &file) || !akin_cursor_u32(&c, &size))
        return cut(j, "inside its header");
    if (size != 12 && size != 40 && size != 52 && size != 56 && size != 64 && size != 108 &&
        size != 124)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path, "BMP with a header of %u bytes",
                         size);
    if (!akin_cursor_bytes(&c, size - 4, &h))
        return cut(j, "inside its header");
    uint32_t width, height, colours = 0;
    size_t entry = 4; /* bytes of a palette entry */
    if (size == 12) {
        width = little16(h);
        height = little16(h + 2);
        j->bits = little16(h + 6);
        entry = 3;
    } else {
        j->top_down = h[7] == 0xff;
        width = little32(h);
        height = j->top_down ? 0 - little32(h + 4) : little32(h + 4);
        j->bits = little16(h + 10);
        j->compression = little32(h + 12);
        colours = little32(h + 28);
    }
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken BMP: %u x %u pixels", width,
                         height);
    j->width = (int)width;
    j->height = (int)height;
    bool indexed = j->bits == 1 || j->bits == 4 || j->bits == 8;
    if (!indexed && j->bits != 16 && j->bits != 24 && j->bits != 32)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken BMP: %u bits a pixel",
                         j->bits);
    if (j->compression > BITFIELDS)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path, "BMP of compression %u%s",
                         j->compression,
                         j->compression == 4   ? ", a JPEG inside"
                         : j->compression == 5 ? ", a PNG inside"
                                               : "");
    if (!indexed && (j->compression == RLE8 || j->compression == RLE4))
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "BMP of run lengths with %u bits a pixel", j->bits);
    j->layout = AKIN_RGB;
    j->green_bits = 5;
    memcpy(j->order, "\2\1\0\4", 4);
    if (j->compression == BITFIELDS) {
        uint32_t mask[4] = { 0 };
        for (size_t i = 0; i < 4; i++)
            if (size >= (i < 3 ? 52 : 56))
                mask[i] = little32(h + 36 + 4 * i);
            else if (i < 3 && !akin_cursor_u32(&c, &mask[i]))
                return cut(j, "inside its header");
        AKIN_TRY(read_masks(j, mask));
    }
    size_t data = little32(file + 10);
    if (indexed) {
        if (colours == 0)
            colours = 1u << j->bits;
        if (data == 14 + (size_t)size)
            data += entry * colours; /* as if there were no palette: a known slip of encoders */
        AKIN_TRY(read_palette(j, &c, colours, entry));
    }
    j->data = data != 0 ? data : c.pos;
    return AKIN_OK;
out:
    return status;
}

/* ---- pixels */

static void convert_row(const job *j, const uint8_t *restrict in, uint8_t *restrict out)
{
    const size_t width = (size_t)j->width, step = j->bits / 8;
    const uint8_t *order = j->order;
    switch (j->bits) {
    case 8: akin_look_up(j->palette[0], in, width, out); break;
    case 1:
    case 4: {
        const unsigned per_byte = 8 / j->bits, mask = (1u << j->bits) - 1;
        for (size_t x = 0; x < width; x++) {
            unsigned shift = (unsigned)(per_byte - 1 - x % per_byte) * j->bits;
            memcpy(out + 3 * x, j->palette[in[x / per_byte] >> shift & mask], 3);
        }
        break;
    }
    case 16: {
        const unsigned green = (1u << j->green_bits) - 1;
        for (size_t x = 0; x < width; x++, in += 2, out += 3) {
            unsigned v = little16(in);
            out[0] = (uint8_t)((v >> (5 + j->green_bits) & 31) * 255 / 31);
            out[1] = (uint8_t)((v >> 5 & green) * 255 / green);
            out[2] = (uint8_t)((v & 31) * 255 / 31);
        }
        break;
    }
    default:
        for (size_t x = 0; x < width; x++, in += step, out += j->canvas.pixel) {
            out[0] = in[order[0]];
            out[1] = in[order[1]];
            out[2] = in[order[2]];
            if (j->layout == AKIN_RGBA)
                out[3] = in[order[3]];
        }
        break;
    }
}

/* Rows one after the other, each padded to 4 bytes; the padding of the last one may be missing. */
static akin_status read_rows(job *j)
{
    size_t bits = (size_t)j->bits, row, pitch, last, all;
    if (!akin_mul((size_t)j->width, bits, &row) || !akin_add(row, 31, &pitch))
        return cut(j, "before its last row");
    row = (row + 7) / 8;
    pitch = pitch / 32 * 4;
    if (!akin_mul(pitch, (size_t)j->height - 1, &last) || !akin_add(last, row, &all) ||
        !akin_add(all, j->data, &all) || all > j->from->size)
        return cut(j, "before its last row");
    akin_status status = akin_canvas_init(&j->canvas, j->width, j->height, j->layout, 1, 0, j->from,
                                          j->err);
    if (status != AKIN_OK)
        return status;
    akin_canvas_palette(&j->canvas, j->palette);
    const uint8_t *data = j->from->data + j->data;
    for (int y = 0; y < j->height; y++) {
        int at = j->top_down ? y : j->height - 1 - y;
        convert_row(j, data + (size_t)at * pitch, akin_canvas_rows(&j->canvas, y));
        akin_canvas_done(&j->canvas, y, 1);
    }
    return AKIN_OK;
}

/* A run-length decoder's place: `done` of `all` pixels, in the order of the file. */
typedef struct pen {
    job *j;
    size_t done, all;
    int x, y; /* the same place */
    uint8_t *row;
} pen;

static void put(pen *p, unsigned index)
{
    const job *j = p->j;
    if (p->row == NULL)
        p->row = akin_canvas_rows(&p->j->canvas, j->top_down ? p->y : j->height - 1 - p->y);
    memcpy(p->row + 3 * (size_t)p->x, j->palette[index], 3);
    p->done++;
    if (++p->x == j->width) {
        akin_canvas_done(&p->j->canvas, j->top_down ? p->y : j->height - 1 - p->y, 1);
        p->x = 0;
        p->y++;
        p->row = NULL;
    }
}

static void put_many(pen *p, unsigned index, size_t count)
{
    for (count = akin_min(count, p->all - p->done); count != 0; count--)
        put(p, index);
}

/* Both kinds of run lengths. `column` is where the file believes to be: after literal pixels that
 * ran over the end of a row it is past it, and runs are cut to nothing until the row is ended. */
static akin_status read_runs(job *j)
{
    akin_cursor c = akin_cursor_over(j->from->data, j->from->size);
    const bool halves = j->compression == RLE4;
    const size_t width = (size_t)j->width;
    akin_status status = akin_canvas_init(&j->canvas, j->width, j->height, j->layout, 1, 0, j->from,
                                          j->err);
    if (status != AKIN_OK)
        return status;
    akin_canvas_palette(&j->canvas, j->palette);
    pen p = { .j = j, .all = width * (size_t)j->height };
    size_t column = 0;
    if (!akin_cursor_seek(&c, j->data))
        return cut(j, "before its first row");
    while (p.done < p.all) {
        uint8_t count, value, right, up;
        if (!akin_cursor_u8(&c, &count) || !akin_cursor_u8(&c, &value))
            return cut(j, "before its last row");
        if (count != 0) {
            size_t n = column + count <= width ? count : column < width ? width - column : 0;
            for (size_t i = 0; i < n && p.done < p.all; i++)
                put(&p, !halves ? value : i % 2 == 0 ? value >> 4 : value & 15);
            column += n;
        } else if (value == 0) { /* the row ends */
            put_many(&p, 0, p.x != 0 ? width - (size_t)p.x : 0);
            column = 0;
        } else if (value == 1) {
            return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                             "broken BMP: its end mark stands before its last row");
        } else if (value == 2) { /* a jump */
            if (!akin_cursor_u8(&c, &right) || !akin_cursor_u8(&c, &up))
                return cut(j, "before its last row");
            put_many(&p, 0, right + up * width);
            column = (size_t)p.x;
        } else { /* literal pixels, padded so that the place in the file is even */
            const size_t n = akin_min(p.all - p.done, value);
            const uint8_t *in;
            if (!akin_cursor_bytes(&c, halves ? (n + 1) / 2 : n, &in))
                return cut(j, "before its last row");
            for (size_t i = 0; i < n; i++)
                put(&p, !halves ? in[i] : i % 2 == 0 ? in[i / 2] >> 4 : in[i / 2] & 15);
            column += value;
            if (c.pos % 2 != 0)
                akin_cursor_skip(&c, 1);
        }
    }
    return AKIN_OK;
}

akin_status akin_bmp_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    job j = { .from = from, .err = err };
    akin_status status;
    AKIN_TRY(read_header(&j));
    if (j.compression == RLE8 || j.compression == RLE4)
        AKIN_TRY(read_runs(&j));
    else
        AKIN_TRY(read_rows(&j));
    akin_canvas_take(&j.canvas, from, out);
out:
    akin_canvas_clear(&j.canvas);
    return status;
}
