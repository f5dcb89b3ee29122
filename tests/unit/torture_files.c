/* torture_files.c - pictures that are small on disk and large everywhere else. */
#include "torture_files.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

static void *must(void *p)
{
    if (p == NULL)
        abort();
    return p;
}

static uint8_t *room(bytes *b, size_t count)
{
    if (b->capacity - b->size < count) {
        b->capacity = 2 * b->capacity + count;
        b->data = must(realloc(b->data, b->capacity));
    }
    b->size += count;
    return b->data + b->size - count;
}

void bytes_add(bytes *b, const void *data, size_t size)
{
    if (size != 0)
        memcpy(room(b, size), data, size);
}

void bytes_zeros(bytes *b, size_t count) { memset(room(b, count), 0, count); }

void bytes_clear(bytes *b)
{
    free(b->data);
    *b = (bytes){ 0 };
}

void bytes_little(bytes *b, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *room(b, 1) = (uint8_t)(v >> (8 * i));
}

void bytes_big(bytes *b, uint64_t v, size_t n)
{
    for (size_t i = n; i-- > 0;)
        *room(b, 1) = (uint8_t)(v >> (8 * i));
}

void bytes_deflated_zeros(bytes *b, uint64_t count)
{
    enum { PIECE = 1 << 20, PACKED = 8192 };
    static uint8_t zeros[PIECE], packed[PACKED];
    z_stream z = { 0 };
    if (deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    /* A piece that is flushed can be repeated: nothing in it looks back beyond its start. */
    for (int i = 0; i < 2; i++) {
        z.next_in = zeros;
        z.avail_in = PIECE;
        z.next_out = packed;
        z.avail_out = PACKED;
        if (deflate(&z, Z_FULL_FLUSH) != Z_OK || z.avail_in != 0 || z.avail_out == 0)
            abort();
    }
    const size_t piece = PACKED - z.avail_out;
    bytes_add(b, "\x78\x01", 2);
    for (uint64_t i = 0; i < count / PIECE; i++)
        bytes_add(b, packed, piece);
    z.next_in = zeros;
    z.avail_in = (uInt)(count % PIECE);
    z.next_out = packed;
    z.avail_out = PACKED;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        abort();
    bytes_add(b, packed, PACKED - z.avail_out);
    deflateEnd(&z);
    bytes_big(b, count % 65521 << 16 | 1, 4);
}

/* ---- JPEG */

static void segment(bytes *b, unsigned marker, const void *data, size_t size)
{
    bytes_big(b, 0xff00 | marker, 2);
    bytes_big(b, size + 2, 2);
    bytes_add(b, data, size);
}

/* A table of one symbol, which takes one bit: 0. */
static void one_code(bytes *b, unsigned which, unsigned symbol)
{
    uint8_t table[18] = { (uint8_t)which, 1 };
    table[17] = (uint8_t)symbol;
    segment(b, 0xc4, table, sizeof table);
}

bytes torture_jpeg(unsigned width, unsigned height, int progressive, const bytes *more)
{
    bytes b = { 0 };
    uint8_t quantizers[65];
    memset(quantizers, 1, sizeof quantizers);
    quantizers[0] = 0;
    bytes_big(&b, 0xffd8, 2);
    if (more != NULL)
        bytes_add(&b, more->data, more->size);
    segment(&b, 0xdb, quantizers, sizeof quantizers);
    const uint8_t frame[] = { 8, (uint8_t)(height >> 8), (uint8_t)height, (uint8_t)(width >> 8),
                              (uint8_t)width, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0 };
    segment(&b, progressive ? 0xc2 : 0xc0, frame, sizeof frame);
    one_code(&b, 0x00, 0);                       /* a difference of 0 */
    one_code(&b, 0x10, progressive ? 0xe0 : 0); /* the end of 16,384 blocks, or of one */
    const uint64_t units = (uint64_t)((width + 15) / 16) * ((height + 15) / 16);
    segment(&b, 0xda, progressive ? "\3\1\0\2\0\3\0\0\0\0" : "\3\1\0\2\0\3\0\0\x3f\0", 10);
    bytes_zeros(&b, (size_t)(units * (progressive ? 6 : 12) / 8 + 1));
    for (unsigned part = 1; progressive && part <= 3; part++) {
        const uint8_t scan[] = { 1, (uint8_t)part, 0, 1, 63, 0 };
        segment(&b, 0xda, scan, sizeof scan);
        bytes_zeros(&b, (size_t)((units * 4 / 16384 + 1) * 15 / 8 + 1));
    }
    bytes_big(&b, 0xffd9, 2);
    return b;
}

/* ---- PNG */

void bytes_png_chunk(bytes *b, const char *name, const void *data, size_t size)
{
    bytes_big(b, size, 4);
    const size_t at = b->size;
    bytes_add(b, name, 4);
    bytes_add(b, data, size);
    bytes_big(b, crc32_z(0, b->data + at, size + 4), 4);
}

bytes torture_png(unsigned width, unsigned height, int interlaced, const bytes *more)
{
    bytes b = { 0 }, head = { 0 }, data = { 0 };
    uint64_t count = ((uint64_t)width * 3 + 1) * height;
    if (interlaced) { /* seven passes, each with its own filter bytes */
        static const unsigned x[] = { 0, 4, 0, 2, 0, 1, 0 }, dx[] = { 8, 8, 4, 4, 2, 2, 1 };
        static const unsigned y[] = { 0, 0, 4, 0, 2, 0, 1 }, dy[] = { 8, 8, 8, 4, 4, 2, 2 };
        count = 0;
        for (int i = 0; i < 7; i++) {
            const uint64_t w = (width - x[i] + dx[i] - 1) / dx[i];
            const uint64_t h = (height - y[i] + dy[i] - 1) / dy[i];
            if (width > x[i] && height > y[i])
                count += (w * 3 + 1) * h;
        }
    }
    bytes_add(&b, "\x89PNG\r\n\x1a\n", 8);
    bytes_big(&head, width, 4);
    bytes_big(&head, height, 4);
    bytes_add(&head, "\x08\x02\0\0", 4);
    bytes_big(&head, interlaced != 0, 1);
    bytes_png_chunk(&b, "IHDR", head.data, head.size);
    if (more != NULL)
        bytes_add(&b, more->data, more->size);
    bytes_deflated_zeros(&data, count);
    bytes_png_chunk(&b, "IDAT", data.data, data.size);
    bytes_png_chunk(&b, "IEND", NULL, 0);
    bytes_clear(&head);
    bytes_clear(&data);
    return b;
}

/* ---- bits, the lowest first */

typedef struct pen {
    bytes *to;
    uint64_t pool;
    unsigned held;
} pen;

static void put(pen *p, unsigned count, uint32_t v)
{
    p->pool |= (uint64_t)v << p->held;
    for (p->held += count; p->held >= 8; p->held -= 8, p->pool >>= 8)
        bytes_little(p->to, p->pool & 0xff, 1);
}

static void put_rest(pen *p) { put(p, (8 - p->held) % 8, 0); }

/* ---- GIF */

/* A frame of one index: the run of each code is one longer than that of the code before. */
static void gif_frame(bytes *b, unsigned width, unsigned height)
{
    bytes codes = { 0 };
    pen p = { .to = &codes };
    uint64_t left = (uint64_t)width * height - 1;
    unsigned next = 6, wide = 3, run = 2; /* literals of 2 bits; `next` repeats the last code */
    put(&p, wide, 4);
    put(&p, wide, 0);
    while (left != 0) {
        if (left < run) { /* a code that is as long as what is left: 6 has 2, and so on */
            put(&p, wide, left == 1 ? 0 : (unsigned)left + 4);
            break;
        }
        put(&p, wide, next);
        left -= run;
        if (next < 4095) {
            next++;
            run++;
            wide = next > (1u << wide) - 1 && wide < 12 ? wide + 1 : wide;
        }
    }
    put(&p, 12, 0);
    put_rest(&p);
    bytes_add(b, ",\0\0\0\0", 5);
    bytes_little(b, width, 2);
    bytes_little(b, height, 2);
    bytes_add(b, "\0\2", 2);
    for (size_t at = 0; at < codes.size; at += 255) {
        const size_t n = codes.size - at < 255 ? codes.size - at : 255;
        bytes_little(b, n, 1);
        bytes_add(b, codes.data + at, n);
    }
    bytes_little(b, 0, 1);
    bytes_clear(&codes);
}

bytes torture_gif(unsigned width, unsigned height, unsigned frames)
{
    bytes b = { 0 };
    bytes_add(&b, "GIF89a", 6);
    bytes_little(&b, width, 2);
    bytes_little(&b, height, 2);
    bytes_add(&b, "\x81\0\0\1\2\3\4\5\6\7\10\11\12\13\14", 15);
    bytes frame = { 0 };
    gif_frame(&frame, width, height);
    for (unsigned i = 0; i < frames; i++)
        bytes_add(&b, frame.data, frame.size);
    bytes_clear(&frame);
    bytes_add(&b, ";", 1);
    return b;
}

/* ---- WebP */

static void riff(bytes *b, const char *name, const bytes *chunk)
{
    const size_t padded = chunk->size + chunk->size % 2;
    bytes_add(b, "RIFF", 4);
    bytes_little(b, 12 + padded, 4);
    bytes_add(b, "WEBP", 4);
    bytes_add(b, name, 4);
    bytes_little(b, chunk->size, 4);
    bytes_add(b, chunk->data, chunk->size);
    bytes_zeros(b, chunk->size % 2);
}

/* Arithmetic decoding of zeros gives zeros: every option off, every block predicted as the mean of
 * its neighbours, no coefficients. */
static void vp8(bytes *b, unsigned width, unsigned height)
{
    const size_t blocks = (size_t)((width + 15) / 16) * ((height + 15) / 16);
    const size_t modes = blocks * 9 / 16 + 64; /* 4.1 bits a block, and some that look ahead */
    if (modes >= 1 << 19)
        abort();
    bytes_little(b, modes << 5 | 1 << 4, 3);
    bytes_add(b, "\x9d\1\x2a", 3);
    bytes_little(b, width, 2);
    bytes_little(b, height, 2);
    bytes_zeros(b, modes + blocks + 64);
}

bytes torture_webp(unsigned width, unsigned height)
{
    bytes b = { 0 }, chunk = { 0 };
    vp8(&chunk, width, height);
    riff(&b, "VP8 ", &chunk);
    bytes_clear(&chunk);
    return b;
}

/* A code of one symbol (one bit or eight), which takes no bits. */
static void one_symbol(pen *p, unsigned s)
{
    put(p, 2, 1);
    put(p, 1, 1);
    put(p, 8, s);
}

/* All 256 literals with 8 bits: lengths by a code of one symbol, 256 of them. */
static void flat_code(pen *p)
{
    put(p, 1, 0);
    put(p, 4, 12 - 4); /* 17 18 0 1 2 3 4 5 16 6 7 8 */
    for (int i = 0; i < 11; i++)
        put(p, 3, 0);
    put(p, 3, 1);
    put(p, 1, 1);
    put(p, 3, 3);
    put(p, 8, 254);
}

bytes torture_webp_lossless(unsigned width, unsigned height, unsigned groups, int flat)
{
    bytes b = { 0 }, chunk = { 0 };
    pen p = { .to = &chunk };
    bytes_add(&chunk, "\x2f", 1);
    put(&p, 14, width - 1);
    put(&p, 14, height - 1);
    put(&p, 4, 0);
    put(&p, 2, 0); /* no transform, no cache */
    put(&p, 1, groups > 1);
    if (groups == 65536) { /* blocks of 4 x 4 pixels, each of a group of its own */
        if (width != 1024 || height != 1024)
            abort();
        put(&p, 3, 0);
        put(&p, 1, 0);
        flat_code(&p);
        flat_code(&p);
        for (int i = 0; i < 3; i++)
            one_symbol(&p, 0);
        for (uint32_t i = 0; i < groups; i++)
            put(&p, 16, i);
    } else if (groups > 1) {
        /* Blocks of 32 x 32 pixels, all of the last group. */
        const unsigned last = groups - 1;
        put(&p, 3, 3);
        put(&p, 1, 0);
        one_symbol(&p, last & 255);
        one_symbol(&p, last >> 8);
        for (int i = 0; i < 3; i++)
            one_symbol(&p, 0);
    }
    for (unsigned g = 0; g < groups; g++) {
        for (int i = 0; i < 3; i++) {
            if (flat)
                flat_code(&p);
            else
                one_symbol(&p, 7);
        }
        one_symbol(&p, 255);
        one_symbol(&p, 0);
    }
    put_rest(&p);
    bytes_zeros(&chunk, flat ? (size_t)width * height * 3 + 8 : 8);
    riff(&b, "VP8L", &chunk);
    bytes_clear(&chunk);
    return b;
}

bytes torture_webp_xmp(const bytes *xmp)
{
    bytes b = { 0 }, inner = { 0 }, chunk = { 0 };
    bytes_add(&inner, "\4\0\0\0\x0f\0\0\x0f\0\0", 10); /* XMP, 16 x 16 */
    vp8(&chunk, 16, 16);
    bytes_zeros(&chunk, chunk.size % 2);
    bytes_add(&inner, "VP8 ", 4);
    bytes_little(&inner, chunk.size, 4);
    bytes_add(&inner, chunk.data, chunk.size);
    bytes_add(&inner, "XMP ", 4);
    bytes_little(&inner, xmp->size, 4);
    bytes_add(&inner, xmp->data, xmp->size);
    bytes_zeros(&inner, xmp->size % 2);
    bytes_add(&b, "RIFF", 4);
    bytes_little(&b, inner.size + 12, 4);
    bytes_add(&b, "WEBPVP8X", 8);
    bytes_little(&b, 10, 4);
    bytes_add(&b, inner.data, inner.size);
    bytes_clear(&inner);
    bytes_clear(&chunk);
    return b;
}

/* ---- BMP */

bytes torture_bmp(unsigned width, unsigned height)
{
    bytes b = { 0 };
    bytes_add(&b, "BM\0\0\0\0\0\0\0\0", 10);
    bytes_little(&b, 14 + 40 + 1024, 4);
    bytes_little(&b, 40, 4);
    bytes_little(&b, width, 4);
    bytes_little(&b, height, 4);
    bytes_little(&b, 1 | 8 << 16, 4);
    bytes_little(&b, 1, 4); /* run lengths of bytes */
    bytes_zeros(&b, 20);
    for (unsigned i = 0; i < 256; i++)
        bytes_little(&b, i * 0x10203, 4);
    for (unsigned y = 0; y < height; y++) {
        for (unsigned left = width; left != 0;) {
            const unsigned n = left < 255 ? left : 255;
            bytes_little(&b, n | 9 << 8, 2);
            left -= n;
        }
        bytes_little(&b, 0, 2);
    }
    return b;
}

/* ---- TIFF */

void torture_directory(bytes *b, const torture_entry *entries, size_t count, uint32_t next)
{
    if (b->size == 0)
        bytes_add(b, "II*\0\x8\0\0\0", 8);
    bytes_little(b, count, 2);
    for (size_t i = 0; i < count; i++) {
        bytes_little(b, entries[i].tag, 2);
        bytes_little(b, entries[i].type, 2);
        bytes_little(b, entries[i].count, 4);
        bytes_little(b, entries[i].value, 4);
    }
    bytes_little(b, next, 4);
}

bytes torture_tiff(unsigned width, unsigned height, unsigned rows, const torture_entry *more,
                   size_t more_count)
{
    bytes b = { 0 }, strip = { 0 };
    torture_entry entries[32];
    const unsigned strips = (height + rows - 1) / rows;
    const size_t count = 9 + more_count;
    const uint32_t tables = (uint32_t)(8 + 2 + 12 * count + 4), bits = tables + 8 * strips;
    bytes_deflated_zeros(&strip, (uint64_t)width * rows * 3);
    const torture_entry fixed[] = {
        { 256, 4, 1, width },
        { 257, 4, 1, height },
        { 258, 3, 3, bits },
        { 259, 3, 1, 8 },
        { 262, 3, 1, 2 },
        { 273, 4, strips, strips == 1 ? bits + 6 : tables },
        { 277, 3, 1, 3 },
        { 278, 4, 1, rows },
        { 279, 4, strips, strips == 1 ? (uint32_t)strip.size : tables + 4 * strips },
    };
    memcpy(entries, fixed, sizeof fixed);
    if (more_count != 0)
        memcpy(entries + 9, more, more_count * sizeof *more);
    torture_directory(&b, entries, count, 0);
    for (unsigned i = 0; i < strips; i++)
        bytes_little(&b, bits + 6, 4);
    for (unsigned i = 0; i < strips; i++)
        bytes_little(&b, strip.size, 4);
    bytes_add(&b, "\x8\0\x8\0\x8\0", 6);
    bytes_add(&b, strip.data, strip.size);
    bytes_clear(&strip);
    return b;
}
