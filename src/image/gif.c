/* gif.c - the first frame of a GIF to pixels, equal to Pillow's.
 *
 * Owns the walk over the blocks up to the first image, and its own LZW reader: giflib refuses what
 * Pillow loads (literals of more than 8 bits, junk and empty blocks between the parts, an image
 * whose end is missing; 5 of the pictures in tests/golden/formats) and loads what Pillow refuses.
 * Nothing behind the last pixel of the first frame is looked at.
 *
 * Refuses an image whose pixels are not all there. Matches Pillow 13.0.0 (GifImagePlugin.py,
 * GifDecode.c): the canvas is what screen and frame cover together; around the frame lies the
 * transparent index, else index 0; without a palette, or with one in which colour i is grey i, the
 * picture is grey.
 *
 * One exception, where the reference damages a picture: with a local palette of greys and a global
 * one of colours, Pillow decodes with the first and then looks up in the second.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/cursor.h"
#include "decode.h"

#define MAX_BITS 12
#define MAX_CODES (1 << MAX_BITS)

/* Pillow feeds its decoder blocks of this size; an end code before the last pixel is forgiven when
 * another one follows. */
#define FEED_BYTES 65536

typedef struct job {
    const akin_encoded *from;
    akin_error *err;
    akin_cursor in;
    int width, height;                /* of the canvas */
    int left, top, columns, rows;     /* of the frame */
    bool interlaced, grey;
    int clear;                        /* the transparent index, or -1 */
    unsigned bits;                    /* of a literal */
    uint8_t palette[256][4];         /* the fourth byte is not used */

    akin_canvas canvas;
    uint8_t *line;                    /* a row of indices, then the same as RGB */
    int x, y, step, pass;             /* where the next pixel goes */
    bool full;                        /* all pixels are there */

    uint8_t last[MAX_CODES];          /* of a code: its last byte, and the code before that */
    uint16_t before[MAX_CODES];
    uint8_t text[MAX_CODES + 1];      /* of one code */
} job;

static akin_status cut(const job *j, const char *where)
{
    return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "GIF ends %s", where);
}

static akin_status broken(const job *j, const char *why)
{
    return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken GIF: %s", why);
}

static int little16(const uint8_t *p) { return p[0] | p[1] << 8; }

/* The next part of an extension; false at its end, or when the file is over. A part that is cut is
 * what is left of it. */
static bool next_part(akin_cursor *c, const uint8_t **data, size_t *size)
{
    uint8_t n;
    if (!akin_cursor_u8(c, &n) || n == 0)
        return false;
    *size = n <= akin_cursor_left(c) ? n : akin_cursor_left(c);
    return akin_cursor_bytes(c, *size, data);
}

/* An extension, read as Pillow reads it: one whose first part is empty (but for comments) swallows
 * the parts of what follows. */
static akin_status read_extension(job *j)
{
    enum { GRAPHIC_CONTROL = 249, COMMENT = 254, APPLICATION = 255 };
    const uint8_t *part;
    size_t size = 0;
    uint8_t kind;
    if (!akin_cursor_u8(&j->in, &kind))
        return cut(j, "before its first image");
    bool has_part = next_part(&j->in, &part, &size);
    if (kind == COMMENT && !has_part)
        return AKIN_OK;
    if (kind == GRAPHIC_CONTROL && has_part) {
        bool clears = size != 0 && (part[0] & 1) != 0;
        if (size < (clears ? 4 : 3))
            return akin_cursor_left(&j->in) == 0 ? cut(j, "before its first image")
                                                 : broken(j, "a graphic control of few bytes");
        if (clears)
            j->clear = part[3];
    }
    if (kind == APPLICATION && has_part && size >= 11 && memcmp(part, "NETSCAPE2.0", 11) == 0)
        next_part(&j->in, &part, &size);
    while (next_part(&j->in, &part, &size) && size != 0)
        ;
    return AKIN_OK;
}

/* The palette announced by `flags`, if any. *grey: it is the ramp of all greys, or cut short. */
static akin_status read_palette(job *j, unsigned flags, bool *grey)
{
    size_t count = (size_t)2 << (flags & 7);
    const uint8_t *colours;
    if (!akin_cursor_bytes(&j->in, 3 * count, &colours))
        return cut(j, "inside a palette");
    *grey = true;
    for (size_t i = 0; i < 3 * count; i++)
        *grey = *grey && colours[i] == i / 3;
    memset(j->palette, 0, sizeof j->palette);
    for (size_t i = 0; i < count; i++)
        memcpy(j->palette[i], colours + 3 * i, 3);
    return AKIN_OK;
}

/* Everything before the image data. */
static akin_status read_headers(job *j)
{
    akin_status status;
    const uint8_t *head;
    uint8_t mark, bits;
    j->clear = -1;
    j->grey = true;
    if (!akin_cursor_bytes(&j->in, 13, &head))
        return cut(j, "inside its header");
    j->width = little16(head + 6);
    j->height = little16(head + 8);
    if ((head[10] & 128) != 0)
        AKIN_TRY(read_palette(j, head[10], &j->grey));
    for (bool first = true;; first = false) {
        if (!akin_cursor_u8(&j->in, &mark))
            return cut(j, "before its first image");
        if (mark == ';')
            return broken(j, first ? "it is empty" : "no image");
        if (mark == ',')
            break;
        if (mark == '!')
            AKIN_TRY(read_extension(j));
    }
    if (!akin_cursor_bytes(&j->in, 9, &head))
        return cut(j, "inside the header of its first image");
    j->left = little16(head);
    j->top = little16(head + 2);
    j->columns = little16(head + 4);
    j->rows = little16(head + 6);
    j->interlaced = (head[8] & 64) != 0;
    if ((head[8] & 128) != 0)
        AKIN_TRY(read_palette(j, head[8], &j->grey));
    if (!akin_cursor_u8(&j->in, &bits))
        return cut(j, "inside the header of its first image");
    if (j->left + j->columns > j->width)
        j->width = j->left + j->columns;
    if (j->top + j->rows > j->height)
        j->height = j->top + j->rows;
    if (j->columns == 0 || j->rows == 0)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken GIF: its first image has %d x %d pixels", j->columns, j->rows);
    if (bits > MAX_BITS)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken GIF: codes of %d bits",
                         bits);
    j->bits = bits;
    if (j->grey)
        for (int i = 0; i < 256; i++)
            memset(j->palette[i], i, 3);
    if (j->clear >= 0 && !j->from->as_stored)
        memset(j->palette[j->clear], 255, 3);
    return AKIN_OK;
out:
    return status;
}

/* ---- pixels */

static void fill(job *j)
{
    const uint8_t *around = j->palette[j->clear >= 0 ? j->clear : 0];
    for (int y = 0; y < j->height; y++) {
        uint8_t *row = akin_canvas_rows(&j->canvas, y);
        for (int x = 0; x < j->width; x++)
            memcpy(row + 3 * (size_t)x, around, 3);
        akin_canvas_done(&j->canvas, y, 1);
    }
}

/* A row of the frame is complete; moves on to the next. */
static void end_line(job *j)
{
    uint8_t *rgb = j->line + j->columns;
    akin_look_up(j->palette[0], j->line, (size_t)j->columns, rgb);
    akin_canvas_scatter(&j->canvas, j->left, j->top + j->y, 1, rgb, j->columns);
    j->x = 0;
    j->y += j->step;
    /* Interlaced: every 8th row, then from the 4th, the 2nd, the 1st. */
    static const int starts[] = { 0, 4, 2, 1 }, steps[] = { 8, 8, 4, 2 };
    while (j->y >= j->rows) {
        if (!j->interlaced || j->pass == 3) {
            j->full = true;
            return;
        }
        j->pass++;
        j->y = starts[j->pass];
        j->step = steps[j->pass];
    }
}

static void put(job *j, const uint8_t *text, size_t count)
{
    while (count != 0 && !j->full) {
        size_t room = (size_t)(j->columns - j->x), n = count < room ? count : room;
        for (size_t i = 0; i < n; i++) /* mostly a few */
            j->line[j->x++] = text[i];
        text += n;
        count -= n;
        if (j->x == j->columns)
            end_line(j);
    }
}

/* LZW. The stream is a run of blocks; Pillow knows no end of it, so neither the empty block nor the
 * end code stops this, only the last pixel or the end of the file. A block counts when all of it is
 * in reach. */
static akin_status decode_data(job *j)
{
    const uint8_t *data = j->from->data;
    const size_t size = j->from->size;
    size_t at = j->in.pos, reach = at, block = 0;
    const int clear = 1 << j->bits;
    unsigned width = j->bits + 1, held = 0;
    uint32_t pool = 0;
    int next = clear + 2, previous = -1; /* -1: the code after a clear code */
    uint8_t first = 0;                   /* byte of the previous code's text */

    while (!j->full) {
        while (held < width) {
            if (block != 0) {
                pool |= (uint32_t)data[at++] << held;
                held += 8;
                block--;
            } else if (at < reach && data[at] < reach - at) {
                block = data[at++];
            } else if (reach == size) {
                return cut(j, "before its last row");
            } else {
                reach += akin_min(size - reach, FEED_BYTES);
            }
        }
        const int code = (int)(pool & ((1u << width) - 1));
        pool >>= width;
        held -= width;
        if (code == clear) {
            next = clear + 2;
            width = j->bits + 1;
            previous = -1;
            continue;
        }
        if (code == clear + 1) {
            if (reach == size)
                return cut(j, "before its last row: an end code");
            reach += akin_min(size - reach, FEED_BYTES);
            continue;
        }
        if (previous < 0) {
            if (code > clear)
                return broken(j, "its image data begins with a code that is not defined yet");
            first = (uint8_t)code;
            previous = code;
            put(j, &first, 1);
            continue;
        }
        if (code > next)
            return broken(j, "a code of its image data is not defined yet");

        /* The text of a code is found from its end. */
        uint8_t *start = j->text + sizeof j->text;
        int c = code;
        if (code == next) { /* being defined: the previous text and its first byte */
            *--start = first;
            c = previous;
        }
        while (c >= clear) {
            if (start == j->text + 1 || c >= MAX_CODES)
                return broken(j, "a code of its image data has no end");
            *--start = j->last[c];
            c = j->before[c];
        }
        *--start = first = (uint8_t)c;
        if (next < MAX_CODES) {
            j->last[next] = first;
            j->before[next] = (uint16_t)previous;
            if (next == (1 << width) - 1 && width < MAX_BITS)
                width++;
            next++;
        }
        previous = code;
        put(j, start, (size_t)(j->text + sizeof j->text - start));
    }
    return AKIN_OK;
}

akin_status akin_gif_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return akin_fail_nomem(err, "a GIF decoder", sizeof *j);
    j->from = from;
    j->err = err;
    j->in = akin_cursor_over(from->data, from->size);
    akin_status status;
    AKIN_TRY(read_headers(j));
    size_t line = 4 * (size_t)j->columns;
    AKIN_TRY(akin_canvas_init(&j->canvas, j->width, j->height,
                              j->grey ? AKIN_RGB : AKIN_RGB_NEAREST, 1, sizeof *j + line, from,
                              err));
    akin_canvas_palette(&j->canvas, j->palette);
    j->line = malloc(line);
    if (j->line == NULL) {
        status = akin_fail_nomem(err, "a row", line);
        goto out;
    }
    if (j->columns != j->width || j->rows != j->height)
        fill(j);
    j->step = j->interlaced ? 8 : 1;
    AKIN_TRY(decode_data(j));
    akin_canvas_take(&j->canvas, from, out);
out:
    akin_canvas_clear(&j->canvas);
    free(j->line);
    free(j);
    return status;
}
