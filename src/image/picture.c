/* picture.c - tells what a file is by its first bytes and hands it to the decoder. */
#include "picture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/file.h"
#include "decode.h"

akin_picture_options akin_picture_default_options(void)
{
    return (akin_picture_options){ .file_bytes = (size_t)256 << 20,
                                  .memory_bytes = (size_t)2 << 30 };
}

typedef akin_status (*decoder)(akin_picture *out, const akin_encoded *from, akin_error *err);

/* How files begin; a '?' stands for any byte. The first that fits counts. */
typedef struct look {
    const char *start;
    size_t size;
    const char *name;
    decoder decode; /* NULL: akin does not read it */
} look;

#define READ(start, name, decode) { start, sizeof(start) - 1, name, decode }
static const look FORMATS[] = {
    READ("\xff\xd8\xff", "JPEG", akin_jpeg_decode),
    READ("\x89PNG\r\n\x1a\n", "PNG", akin_png_decode),
    READ("RIFF????WEBP", "WebP", akin_webp_decode),
    READ("GIF87a", "GIF", akin_gif_decode),
    READ("GIF89a", "GIF", akin_gif_decode),
    READ("BM", "BMP", akin_bmp_decode),
    READ("II*\0", "TIFF", akin_tiff_decode),
    READ("MM\0*", "TIFF", akin_tiff_decode),
    READ("II+\0", "BigTIFF", akin_tiff_decode),
    READ("MM\0+", "BigTIFF", akin_tiff_decode),
    READ("II\0*", "TIFF", akin_tiff_decode), /* wrong, the bytes of 42 swapped, and taken by */
    READ("MM*\0", "TIFF", akin_tiff_decode), /* Pillow too */
};
#define WHAT_AKIN_READS "akin reads JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF and raw photographs"

/* Other things that people keep among their pictures. */
#define LOOK(start, name) { start, sizeof(start) - 1, name, NULL }
static const look LOOKS[] = {
    LOOK("????ftyp", "a video (MP4 or QuickTime)"),
    LOOK("????moov", "a video (QuickTime)"),
    LOOK("RIFF????AVI ", "a video (AVI)"),
    LOOK("\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    LOOK("\0\0\1\0", "ICO"),
    LOOK("\0\0\0\x0cJXL ", "JPEG XL"),
    LOOK("\xff\x0a", "JPEG XL"),
    LOOK("\0\0\0\x0cjP  ", "JPEG 2000"),
    LOOK("\xff\x4f\xff\x51", "JPEG 2000"),
    LOOK("8BPS", "Photoshop"),
    LOOK("%PDF", "PDF"),
    LOOK("<svg", "SVG"),
    LOOK("<?xml", "XML or SVG"),
    LOOK("<!DOCTYPE", "HTML"),
    LOOK("<html", "HTML"),
    LOOK("PK\3\4", "a ZIP archive"),
    LOOK("\x1f\x8b", "a gzip archive"),
};

/* Whether the bytes begin so, as far as there are any. */
static bool begins(const uint8_t *bytes, size_t size, const look *l)
{
    for (size_t i = 0; i < akin_min(size, l->size); i++)
        if (l->start[i] != '?' && bytes[i] != (uint8_t)l->start[i])
            return false;
    return true;
}

static akin_status unknown(const uint8_t *bytes, size_t size, const char *path, akin_error *err)
{
    if (size == 0)
        return akin_fail(err, AKIN_E_FORMAT, path, "is empty; " WHAT_AKIN_READS);
    for (size_t i = 0; i < sizeof LOOKS / sizeof LOOKS[0]; i++)
        if (size >= LOOKS[i].size && begins(bytes, size, &LOOKS[i]))
            return akin_fail(err, AKIN_E_FORMAT, path, "looks like %s; " WHAT_AKIN_READS,
                             LOOKS[i].name);
    size_t n = akin_min(size, 512);
    bool text = true;
    for (size_t i = 0; i < n; i++)
        text = text && (bytes[i] >= 0x20 || (bytes[i] >= '\t' && bytes[i] <= '\r')) &&
               bytes[i] != 0x7f;
    return akin_fail(err, AKIN_E_FORMAT, path, "%s; " WHAT_AKIN_READS,
                     text ? "looks like text" : "is no picture that akin knows");
}

akin_status akin_picture_decode(akin_picture *out, const void *bytes, size_t size, const char *path,
                                const akin_picture_options *options, akin_error *err)
{
    *out = (akin_picture){ 0 };
    akin_picture_options how = options != NULL ? *options : akin_picture_default_options();
    if (size > how.file_bytes)
        return akin_fail(err, AKIN_E_LIMIT, path,
                         "picture of %zu bytes, the limit is %zu: raise it "
                         "with --max-file",
                         size, how.file_bytes);
    const akin_encoded from = { bytes, size, path, how.memory_bytes, how.as_stored, how.lenient };
    if (akin_is_heif(bytes, size))
        return akin_heif_decode(out, &from, err);
    if (akin_is_raw(bytes, size, path)) /* before TIFF, whose shape many of them have */
        return akin_raw_decode(out, &from, err);
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0] && size != 0; i++) {
        const look *format = &FORMATS[i];
        if (!begins(bytes, size, format))
            continue;
        if (size < format->size)
            return akin_fail(err, AKIN_E_TRUNCATED, path, "%s ends after %zu bytes", format->name,
                             size);
        return format->decode(out, &from, err);
    }
    return unknown(bytes, size, path, err);
}

akin_status akin_picture_read(akin_picture *out, const char *path,
                              const akin_picture_options *options, akin_error *err)
{
    *out = (akin_picture){ 0 };
    akin_picture_options how = options != NULL ? *options : akin_picture_default_options();
    akin_buffer file;
    akin_status status = akin_file_read(path, "picture", how.file_bytes, &file, err);
    if (status == AKIN_E_LIMIT)
        return akin_fail(err, status, path,
                         "picture too large, the limit is %zu bytes: raise it with --max-file",
                         how.file_bytes);
    if (status != AKIN_OK)
        return status;
    status = akin_picture_decode(out, file.data, file.size, path, &how, err);
    akin_buffer_clear(&file);
    return status;
}

void akin_picture_clear(akin_picture *picture)
{
    free(picture->pixels);
    *picture = (akin_picture){ 0 };
}

void akin_picture_damage(const akin_picture *picture, char *out, size_t capacity)
{
    if (picture->damaged_row == AKIN_DAMAGED_COARSE)
        snprintf(out, capacity,
                 "JPEG ends before its last scan is complete: all rows are there, less sharp");
    else
        snprintf(out, capacity, "JPEG ends at row %d of %d: the rest is made up",
                 picture->damaged_row, picture->stored_height);
}
