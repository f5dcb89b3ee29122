/* torture_files.h - pictures that are small on disk and large everywhere else, written on the fly.
 *
 * Image data is zeros, or a code that takes a bit for a block of pixels, so that a file of a few
 * megabytes at most, or with holes, is a valid picture of 200 megapixels. Every function ends the
 * process when it cannot write. */
#ifndef TORTURE_FILES_H
#define TORTURE_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What is written, as it grows. */
typedef struct bytes {
    uint8_t *data;
    size_t size, capacity;
} bytes;

void bytes_add(bytes *b, const void *data, size_t size);
void bytes_zeros(bytes *b, size_t count);
void bytes_clear(bytes *b);
/* A number of n bytes, low or high byte first. */
void bytes_little(bytes *b, uint64_t v, size_t n);
void bytes_big(bytes *b, uint64_t v, size_t n);
/* zlib's form of `count` zero bytes: about a thousandth of them. */
void bytes_deflated_zeros(bytes *b, uint64_t count);
void bytes_png_chunk(bytes *b, const char *name, const void *data, size_t size);

/* Whole pictures, black or grey. `more`: segments, chunks or extensions that go in behind the
 * header, or NULL. */
bytes torture_jpeg(unsigned width, unsigned height, int progressive, const bytes *more);
bytes torture_png(unsigned width, unsigned height, int interlaced, const bytes *more);
bytes torture_gif(unsigned width, unsigned height, unsigned frames);
bytes torture_webp(unsigned width, unsigned height);
/* Lossless; groups of Huffman tables: below 65,536, of which the last is used; or 65,536, all of
 * them used by 1024 x 1024 pixels. `flat`: 8 bits a sample and no tables that are
 * simpler, as in a photograph; else not a bit a pixel. */
bytes torture_webp_lossless(unsigned width, unsigned height, unsigned groups, int flat);
/* 16 x 16 pixels and XMP. */
bytes torture_webp_xmp(const bytes *xmp);
/* Run lengths. */
bytes torture_bmp(unsigned width, unsigned height);

/* An entry of a directory: type 3 is 2 bytes, 4 is 4; more than 4 bytes lie at `value`. */
typedef struct torture_entry {
    unsigned tag, type;
    uint32_t count, value;
} torture_entry;
/* A little-endian TIFF header and directory at byte 8, with the place of the next directory. */
void torture_directory(bytes *b, const torture_entry *entries, size_t count, uint32_t next);
/* RGB, Deflate, strips of `rows` rows that all are the same bytes of the file. `more`: entries with
 * tags above 284. */
bytes torture_tiff(unsigned width, unsigned height, unsigned rows, const torture_entry *more,
                   size_t more_count);

#endif
