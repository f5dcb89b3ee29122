/* png.c - PNG to RGB over white or to the layout of Pillow's mode, through libpng.
 *
 * Owns the walk over the chunks: it checks what Pillow checks (checksums up to the image data, the
 * length of every chunk), finds palette, transparency and orientation, and hands libpng only a
 * header of our making and the image data. So libpng never sees a chunk of text or a colour
 * profile, and one that inflates to a gigabyte costs nothing. Refuses image data that is corrupt or
 * ends before the last row; asks for neither the end chunk nor the checksum of the image data.
 * Matches Pillow 13.0.0 (PngImagePlugin.py, ZipDecode.c) followed by the conversion of
 * transformers 5.23.0 (image_transforms.convert_to_rgb). No gamma, no colour profile. Of an
 * animation, the first frame.
 *
 * Three exceptions, where the reference damages a picture: 16-bit grey keeps its high byte (Pillow
 * makes everything above 255 white); a tRNS colour of 2-, 4- and 16-bit grey and 16-bit RGB is
 * compared at the depth of the file; and a tRNS of one 0 and a last 10 keeps the 10.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

#include "base/arith.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "decode.h"
#include "exif.h"
#include "png_text.h"

/* What libpng and zlib keep beside rows. Measured below 100 KiB. */
#define DECODER_BYTES ((size_t)256 << 10)

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGB_ALPHA = 6 };

typedef struct job {
    const akin_encoded *from;
    akin_error *err;
    jmp_buf escape;
    akin_status status;
    bool no_memory; /* a request of libpng's failed */
    png_structp png;
    png_infop info;

    int width, height;
    unsigned depth, kind; /* bits a sample; colour type */
    bool interlaced;
    uint8_t palette[256][3]; /* over white, or as stored */
    bool has_key;            /* one colour is transparent: */
    unsigned key[3];
    size_t first_data;  /* offset of the first IDAT chunk */
    int frames;         /* of an animation; 0 when it is none */
    bool frame_control; /* the image data is one of them */
    akin_png_text exif, profile, xmp;

    akin_canvas canvas;
    uint8_t *row; /* one converted row of an interlaced picture */
    uint64_t rows_left;
} job;

static akin_status cut(job *j, const char *where)
{
    return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "PNG ends %s", where);
}

static akin_status broken(job *j, const char *why)
{
    return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken PNG: %s", why);
}

static uint32_t big32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static unsigned big16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

/* ---- chunks */

typedef struct chunk {
    const uint8_t *data;
    size_t size;
    char name[5];
} chunk;

typedef enum step { STEP_CHUNK, STEP_END, STEP_CUT, STEP_JUNK } step;

/* The next chunk. STEP_END: no room for a chunk header; STEP_JUNK: the name is no name; STEP_CUT:
 * the data or, where `checked`, the checksum is not all there (data and size say how much is). */
static step next_chunk(akin_cursor *c, bool checked, chunk *out)
{
    const uint8_t *head;
    if (!akin_cursor_bytes(c, 8, &head))
        return STEP_END;
    for (int i = 0; i < 4; i++) {
        char ch = (char)head[4 + i];
        bool word = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                    (ch >= '0' && ch <= '9') || ch == '_';
        if (!word)
            return STEP_JUNK;
        out->name[i] = ch;
    }
    out->name[4] = '\0';
    out->size = big32(head);
    size_t left = akin_cursor_left(c);
    if (out->size > left) {
        out->size = left;
        akin_cursor_bytes(c, left, &out->data);
        return STEP_CUT;
    }
    akin_cursor_bytes(c, out->size, &out->data);
    if (!akin_cursor_skip(c, 4)) {
        akin_cursor_skip(c, akin_cursor_left(c));
        return checked ? STEP_CUT : STEP_CHUNK;
    }
    return STEP_CHUNK;
}

static bool is(const chunk *c, const char *name) { return memcmp(c->name, name, 4) == 0; }

static bool checksum_holds(const chunk *c)
{
    uLong crc = crc32_z(crc32(0, (const Bytef *)c->name, 4), c->data, c->size);
    return crc == big32(c->data + c->size);
}

static akin_status read_header(job *j, const chunk *c)
{
    if (c->size < 13)
        return broken(j, "IHDR of less than 13 bytes");
    uint32_t width = big32(c->data), height = big32(c->data + 4);
    j->depth = c->data[8];
    j->kind = c->data[9];
    j->interlaced = c->data[12] != 0;
    /* Bit d of a colour type's set: depth d is allowed. */
    static const uint32_t depths[] = { [GREY] = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 16,
                                       [RGB] = 1u << 8 | 1u << 16,
                                       [PALETTE] = 1u << 1 | 1u << 2 | 1u << 4 | 1u << 8,
                                       [GREY_ALPHA] = 1u << 8 | 1u << 16,
                                       [RGB_ALPHA] = 1u << 8 | 1u << 16 };
    if (j->kind > RGB_ALPHA || j->depth > 16 || (depths[j->kind] >> j->depth & 1) == 0)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken PNG: colour type %u with %u bits a sample", j->kind, j->depth);
    if (c->data[11] != 0)
        return broken(j, "unknown filter method");
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken PNG: %u x %u pixels", width,
                         height);
    j->width = (int)width;
    j->height = (int)height;
    return AKIN_OK;
}

/* The palette, with transparency already applied unless it is to stay as stored; entries that the
 * file does not have are black. */
static akin_status read_palette(job *j, const chunk *colours, const chunk *alphas)
{
    if (colours->data == NULL)
        return broken(j, "a palette picture without PLTE");
    if (colours->size > 768)
        return broken(j, "PLTE of more than 256 colours");
    for (size_t i = 0; i < 256; i++) {
        unsigned a = i < alphas->size && !j->from->as_stored ? alphas->data[i] : 255;
        for (size_t k = 0; k < 3; k++) {
            unsigned v = i < colours->size / 3 ? colours->data[3 * i + k] : 0;
            j->palette[i][k] = akin_over_white(v, a);
        }
    }
    return AKIN_OK;
}

static akin_status read_key(job *j, const chunk *c)
{
    if (c->data == NULL || (j->kind != GREY && j->kind != RGB))
        return AKIN_OK;
    size_t channels = j->kind == RGB ? 3 : 1;
    if (c->size < 2 * channels)
        return broken(j, "tRNS is too short");
    unsigned mask = j->depth == 16 ? 0xffff : (1u << j->depth) - 1;
    for (size_t i = 0; i < channels; i++) {
        unsigned v = big16(c->data + 2 * i);
        j->key[i] = j->depth == 1 ? v != 0 : v & mask; /* 1 bit: as Pillow */
    }
    j->has_key = !j->from->as_stored;
    return AKIN_OK;
}

/* Keeps what may say how the picture is turned; of several the last counts. Nothing is inflated
 * here: only the last is, once. */
static void read_metadata(job *j, const chunk *c)
{
    akin_png_text t;
    if (is(c, "eXIf"))
        j->exif = (akin_png_text){ c->data, c->size, false };
    else if (is(c, "tEXt") && akin_png_text_of(c->name, c->data, c->size, "exif", &t))
        j->exif = t;
    else if (akin_png_text_of(c->name, c->data, c->size, "Raw profile type exif", &t))
        j->profile = t;
    else if (akin_png_text_of(c->name, c->data, c->size, "XML:com.adobe.xmp", &t))
        j->xmp = t;
}

/* Walks all chunks: header, palette and transparency before the image data, metadata anywhere. */
static akin_status walk(job *j)
{
    akin_status status;
    akin_cursor c = akin_cursor_over(j->from->data, j->from->size);
    chunk at, colours = { 0 }, alphas = { 0 };
    akin_cursor_skip(&c, 8);
    for (bool first = true;; first = false) {
        size_t start = c.pos;
        step s = next_chunk(&c, true, &at);
        if (s == STEP_END)
            return cut(j, "before its image data");
        if (s == STEP_JUNK)
            return broken(j, "a chunk has no name");
        if (first != is(&at, "IHDR") && (first || j->width != 0))
            return broken(j, first ? "it does not begin with IHDR" : "a second IHDR");
        if (is(&at, "IDAT")) {
            j->first_data = start;
            break;
        }
        if (is(&at, "IEND"))
            return broken(j, "no image data");
        if (s == STEP_CUT)
            return cut(j, "before its image data");
        if (!checksum_holds(&at))
            return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                             "broken PNG: the checksum of chunk %s does not hold", at.name);
        if (first) {
            status = read_header(j, &at);
            if (status != AKIN_OK)
                return status;
        } else if (is(&at, "PLTE")) {
            colours = at;
        } else if (is(&at, "tRNS")) {
            alphas = at;
        } else if (is(&at, "acTL") && at.size >= 8) {
            uint32_t n = big32(at.data);
            j->frames = j->frames != 0 || n == 0 || n > INT32_MAX ? 0 : (int)n;
        } else if (is(&at, "fcTL")) {
            j->frame_control = true;
        } else {
            read_metadata(j, &at);
        }
    }
    status = j->kind == PALETTE ? read_palette(j, &colours, &alphas) : read_key(j, &alphas);
    if (status != AKIN_OK)
        return status;

    /* The image data is looked at by decode_data; chunks after it carry metadata. The next frame of
     * an animation ends what Pillow reads. */
    bool animated = j->frames > 1 || (j->frames == 1 && !j->frame_control);
    c.pos = j->first_data;
    for (;;) {
        step s = next_chunk(&c, false, &at);
        if (s == STEP_END || s == STEP_JUNK || is(&at, "IEND") || (animated && is(&at, "fcTL")))
            return AKIN_OK;
        if (s == STEP_CUT)
            return is(&at, "IDAT") ? AKIN_OK : cut(j, "inside a chunk after its image data");
        read_metadata(j, &at);
    }
}

/* ---- orientation */

/* *orientation is 1 unless the file says otherwise. Metadata that cannot be read is no error. */
static akin_status read_orientation(const job *j, int *orientation)
{
    akin_status status = AKIN_OK;
    akin_buffer profile, xmp_text;
    akin_buffer_init(&profile, "EXIF", AKIN_PNG_MAX_TEXT);
    akin_buffer_init(&xmp_text, "XMP", AKIN_PNG_MAX_TEXT);
    akin_png_text exif = j->exif, xmp = j->xmp;
    bool got = true;
    *orientation = 1;
    if (exif.data == NULL && j->profile.data != NULL) {
        if (j->profile.deflated)
            AKIN_TRY(akin_png_text_inflate(&j->profile, &profile, &got, j->err));
        else if (j->profile.size > AKIN_PNG_MAX_TEXT)
            got = false;
        else
            AKIN_TRY(akin_buffer_add(&profile, j->profile.data, j->profile.size, j->err));
        if (!got || (profile.size != 0 &&
                     !akin_png_profile_decode((uint8_t *)profile.data, &profile.size)))
            goto out;
        exif = (akin_png_text){ (const uint8_t *)(profile.size != 0 ? profile.data : ""),
                                profile.size, false };
    }
    if (xmp.deflated) {
        AKIN_TRY(akin_png_text_inflate(&xmp, &xmp_text, &got, j->err));
        xmp = (akin_png_text){ got ? (const uint8_t *)xmp_text.data : NULL, xmp_text.size, false };
    }
    *orientation = akin_orientation_read(exif.data, exif.size, xmp.data, xmp.size);
out:
    akin_buffer_clear(&profile);
    akin_buffer_clear(&xmp_text);
    return status;
}

/* ---- pixels */

/* What the canvas holds: Pillow's mode P or 1, LA or RGBA, L or RGB. */
static akin_layout layout_of(const job *j)
{
    if (!j->from->as_stored)
        return AKIN_RGB;
    if (j->kind == PALETTE || (j->kind == GREY && j->depth == 1))
        return AKIN_RGB_NEAREST;
    return j->kind == GREY_ALPHA || j->kind == RGB_ALPHA ? AKIN_RGBA : AKIN_RGB;
}

/* A row of `count` pixels as libpng gives it (a byte a sample, or two, high first) with its alpha
 * as stored. */
static void keep_alpha(const job *j, const uint8_t *restrict in, size_t count,
                       uint8_t *restrict rgba)
{
    size_t wide = j->depth == 16 ? 2 : 1, colours = j->kind == RGB_ALPHA ? 3 : 1;
    for (size_t i = 0; i < count; i++, in += (colours + 1) * wide, rgba += 4) {
        for (size_t k = 0; k < 3; k++)
            rgba[k] = in[k % colours * wide];
        rgba[3] = in[colours * wide];
    }
}

/* The same to RGB, or where alpha stays to RGBA. */
static void convert_row(const job *j, const uint8_t *restrict in, size_t count,
                        uint8_t *restrict rgb)
{
    size_t wide = j->depth == 16 ? 2 : 1; /* bytes a sample */
    if (j->canvas.pixel == 4) {
        keep_alpha(j, in, count, rgb);
        return;
    }
    switch (j->kind) {
    case GREY: {
        /* 1, 2 and 4 bits are stretched to 8. */
        unsigned scale = j->depth < 8 ? 255 / ((1u << j->depth) - 1) : 1;
        for (size_t i = 0; i < count; i++, in += wide) {
            unsigned raw = wide == 2 ? big16(in) : in[0];
            bool clear = j->has_key && raw == j->key[0];
            memset(rgb + 3 * i, clear ? 255 : (int)(in[0] * scale), 3);
        }
        break;
    }
    case RGB:
        if (!j->has_key && wide == 1) {
            memcpy(rgb, in, 3 * count);
            break;
        }
        for (size_t i = 0; i < count; i++, in += 3 * wide, rgb += 3) {
            bool clear = j->has_key;
            for (size_t k = 0; k < 3; k++) {
                rgb[k] = in[k * wide];
                clear = clear && (wide == 2 ? big16(in + 2 * k) : in[k]) == j->key[k];
            }
            if (clear)
                memset(rgb, 255, 3);
        }
        break;
    case PALETTE:
        for (size_t i = 0; i < count; i++)
            memcpy(rgb + 3 * i, j->palette[in[i]], 3);
        break;
    case GREY_ALPHA:
        for (size_t i = 0; i < count; i++, in += 2 * wide)
            memset(rgb + 3 * i, akin_over_white(in[0], in[wide]), 3);
        break;
    default:
        for (size_t i = 0; i < count; i++, in += 4 * wide, rgb += 3) {
            unsigned a = in[3 * wide];
            for (size_t k = 0; k < 3; k++) /* most pixels are opaque */
                rgb[k] = a == 255 ? in[k * wide] : akin_over_white(in[k * wide], a);
        }
        break;
    }
}

static void on_error(png_structp png, png_const_charp why)
{
    job *j = png_get_error_ptr(png);
    j->status = j->no_memory ? akin_fail_nomem(j->err, "a PNG decoder", 0) : broken(j, why);
    longjmp(j->escape, 1);
}

/* libpng and zlib call a lack of memory by many names, broken data among them. */
static png_voidp on_alloc(png_structp png, png_alloc_size_t size)
{
    job *j = png_get_mem_ptr(png);
    void *p = malloc(size);
    j->no_memory |= p == NULL;
    return p;
}

static void on_free(png_structp png, png_voidp p)
{
    (void)png;
    free(p);
}

static void on_warning(png_structp png, png_const_charp why)
{
    (void)png;
    (void)why;
}

static void on_header(png_structp png, png_infop info)
{
    png_set_packing(png); /* a byte for each sample of less */
    png_read_update_info(png, info);
}

static void on_row(png_structp png, png_bytep row, png_uint_32 index, int pass)
{
    job *j = png_get_progressive_ptr(png);
    if (row == NULL || j->rows_left == 0)
        return;
    j->rows_left--;
    if (j->interlaced) {
        int y = (int)(PNG_PASS_START_ROW(pass) + index * PNG_PASS_ROW_OFFSET(pass));
        int count = (int)PNG_PASS_COLS((uint32_t)j->width, pass);
        convert_row(j, row, (size_t)count, j->row);
        akin_canvas_scatter(&j->canvas, PNG_PASS_START_COL(pass), y, PNG_PASS_COL_OFFSET(pass),
                            j->row, count);
        return;
    }
    int y = (int)index, inside = y % AKIN_STRIP_ROWS;
    uint8_t *rows = akin_canvas_rows(&j->canvas, y - inside);
    convert_row(j, row, (size_t)j->width,
                rows + (size_t)inside * (size_t)j->width * j->canvas.pixel);
    if (inside == AKIN_STRIP_ROWS - 1 || y == j->height - 1)
        akin_canvas_done(&j->canvas, y - inside, inside + 1);
}

static void feed(job *j, const void *bytes, size_t size)
{
    /* libpng does not write there; its interface has no const. */
    png_process_data(j->png, j->info, (png_bytep)(uintptr_t)bytes, size);
}

/* The header chunks that libpng sees. Its checksums are off, so they are 0. */
static void feed_header(job *j)
{
    uint8_t head[8 + 25 + 15] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
                                  0,    0,   0,   13,  'I',  'H',  'D',  'R' };
    put32(head + 16, (uint32_t)j->width);
    put32(head + 20, (uint32_t)j->height);
    head[24] = (uint8_t)j->depth;
    head[25] = (uint8_t)j->kind;
    head[28] = j->interlaced;
    size_t size = 8 + 25;
    if (j->kind == PALETTE) { /* one has to be there; indices are looked up in ours */
        head[36] = 3;
        memcpy(head + 37, "PLTE", 4);
        size += 15;
    }
    feed(j, head, size);
}

/* Everything that may longjmp. */
static akin_status decode_data(job *j)
{
    j->info = png_create_info_struct(j->png);
    if (j->info == NULL)
        return akin_fail_nomem(j->err, "a PNG decoder", 0);
    png_set_user_limits(j->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours is the memory */
    png_set_chunk_malloc_max(j->png, 0);
    png_set_crc_action(j->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
    png_set_benign_errors(j->png, 0);
    png_set_check_for_invalid_index(j->png, -1);
#ifdef PNG_MAXIMUM_INFLATE_WINDOW
    /* Data that understates its window loads in Pillow. */
    png_set_option(j->png, PNG_MAXIMUM_INFLATE_WINDOW, PNG_OPTION_ON);
#endif
    png_set_progressive_read_fn(j->png, j, on_header, on_row, NULL);
    feed_header(j);

    /* The run of IDAT chunks; of one that is cut, what there is. */
    akin_cursor c = akin_cursor_over(j->from->data, j->from->size);
    c.pos = j->first_data;
    chunk at;
    for (;;) {
        size_t start = c.pos;
        step s = next_chunk(&c, false, &at);
        if (s == STEP_JUNK && j->rows_left != 0)
            return broken(j, "a chunk amid the image data has no name");
        if (s == STEP_END || s == STEP_JUNK || !is(&at, "IDAT"))
            break;
        if (j->rows_left != 0) {
            uint8_t head[8];
            put32(head, (uint32_t)at.size);
            memcpy(head + 4, "IDAT", 4);
            feed(j, head, sizeof head);
            feed(j, at.data, c.pos - start - sizeof head);
        } else if (s == STEP_CUT) {
            return cut(j, "inside its image data");
        }
        if (s == STEP_CUT)
            break;
    }
    if (j->rows_left != 0)
        return cut(j, "before its last row");
    return AKIN_OK;
}

static akin_status guarded(job *j)
{
    if (setjmp(j->escape) != 0)
        return j->status;
    j->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, j, on_error, on_warning, j, on_alloc,
                                      on_free);
    if (j->png == NULL)
        return akin_fail_nomem(j->err, "a PNG decoder", 0);
    return decode_data(j);
}

akin_status akin_png_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return akin_fail_nomem(err, "a PNG decoder", sizeof *j);
    j->from = from;
    j->err = err;
    akin_status status;
    AKIN_TRY(walk(j));

    static const uint8_t channels[] = {
        [GREY] = 1, [RGB] = 3, [PALETTE] = 1, [GREY_ALPHA] = 2, [RGB_ALPHA] = 4
    };
    size_t width = (size_t)j->width;
    size_t pixel = channels[j->kind] * (j->depth == 16 ? 2u : 1u);
    akin_layout layout = layout_of(j);
    size_t row = j->interlaced ? width * (size_t)akin_layout_bytes(layout) : 0;
    int orientation;
    AKIN_TRY(read_orientation(j, &orientation));
    /* libpng: the row, the one before, the packed one. width < 2^31, so that nothing wraps. */
    AKIN_TRY(akin_canvas_init(&j->canvas, j->width, j->height, layout, orientation,
                              DECODER_BYTES + 3 * pixel * width + row, from, err));
    if (j->kind == PALETTE)
        memcpy(j->canvas.picture.palette, j->palette, sizeof j->palette);
    else if (layout == AKIN_RGB_NEAREST) /* one bit: whatever is not 0 is white */
        memset(j->canvas.picture.palette[1], 255, sizeof j->palette - sizeof j->palette[0]);
    j->rows_left = (uint64_t)j->height;
    if (j->interlaced) {
        j->row = malloc(row);
        if (j->row == NULL) {
            status = akin_fail_nomem(err, "a row", row);
            goto out;
        }
        j->rows_left = 0;
        for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
            if (PNG_PASS_COLS((uint32_t)j->width, pass) != 0)
                j->rows_left += PNG_PASS_ROWS((uint32_t)j->height, pass);
    }
    status = guarded(j);
    if (status == AKIN_OK)
        akin_canvas_take(&j->canvas, from, out);
out:
    if (j->png != NULL)
        png_destroy_read_struct(&j->png, &j->info, NULL);
    akin_canvas_clear(&j->canvas);
    free(j->row);
    free(j);
    return status;
}
