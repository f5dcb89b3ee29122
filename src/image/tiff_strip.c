/* tiff_strip.c - LZW, Deflate, PackBits, CCITT, JPEG, ZSTD, LZMA and WebP strips, through libtiff.
 *
 * libtiff never sees the file. It is given, through callbacks, a file of our making in memory: a
 * header, a directory of at most 16 entries that describes a picture of this one strip, and the
 * strip. So its reading of directories, arrays of strips and tags, in which most of its faults were
 * found, has only good input, and what is read is the same with every release. A tile is a strip
 * here: they are coded alike.
 *
 * Messages: releases from 4.5 have handlers for each open file. Before, there is one for the
 * process. Then a handler is put before it, once, that takes the messages of a thread that is
 * inside this file and hands all others on.
 */
#include "tiff_strip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "base/arith.h"

#define HAS_OPEN_OPTIONS (TIFFLIB_VERSION >= 20221213) /* 4.5.0 */

static void note(akin_tiff_strip *s, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void note(akin_tiff_strip *s, const char *format, va_list args)
{
    if (s->why[0] == '\0')
        vsnprintf(s->why, sizeof s->why, format, args);
}

#if HAS_OPEN_OPTIONS

static int on_error(TIFF *tiff, void *strip, const char *module, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));
static int on_error(TIFF *tiff, void *strip, const char *module, const char *format, va_list args)
{
    (void)tiff;
    (void)module;
    note(strip, format, args);
    return 1; /* and no other handler */
}

static int on_warning(TIFF *tiff, void *strip, const char *module, const char *format,
                      va_list args)
{
    (void)tiff;
    (void)strip;
    (void)module;
    (void)format;
    (void)args;
    return 1;
}

static void enter(akin_tiff_strip *s) { (void)s; }
static void leave(void) {}

#else

#include <pthread.h>

static _Thread_local akin_tiff_strip *inside;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static TIFFErrorHandler old_error, old_warning; /* written once, before the first use */

static void on_error(const char *module, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_error(const char *module, const char *format, va_list args)
{
    if (inside != NULL)
        note(inside, format, args);
    else if (old_error != NULL)
        old_error(module, format, args);
}

static void on_warning(const char *module, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_warning(const char *module, const char *format, va_list args)
{
    if (inside == NULL && old_warning != NULL)
        old_warning(module, format, args);
}

static void install(void)
{
    old_error = TIFFSetErrorHandler(on_error);
    old_warning = TIFFSetWarningHandler(on_warning);
}

static void enter(akin_tiff_strip *s)
{
    pthread_once(&once, install);
    inside = s;
}

static void leave(void) { inside = NULL; }

#endif

/* What libtiff refused; `missing` is said when it gave no reason. That a request for memory failed,
 * its own or one of zlib's, libjpeg's and others', stays in errno: expand() sets it to 0. */
static akin_status refused(const akin_tiff_strip *s, const char *path, const char *missing,
                           akin_error *err)
{
    if (errno == ENOMEM)
        return akin_fail_nomem(err, "a TIFF decoder", 0);
    if (strstr(s->why, "beyond the") != NULL) /* its message for MaxSingleMemAlloc */
        return akin_fail(err, AKIN_E_LIMIT, path, "%s; raise it with --max-memory", s->why);
    return akin_fail(err, AKIN_E_CORRUPT, path, "broken TIFF: %s",
                     s->why[0] != '\0' ? s->why : missing);
}

bool akin_tiff_strip_can(unsigned compression)
{
    return TIFFIsCODECConfigured((uint16_t)compression) != 0;
}

/* ---- the file that libtiff sees */

static tmsize_t on_read(thandle_t strip, void *to, tmsize_t size)
{
    akin_tiff_strip *s = strip;
    uint8_t *out = to;
    size_t want = (size_t)size, got = 0;
    if (size <= 0)
        return 0;
    if (s->at < s->directory.size) {
        got = akin_min(want, s->directory.size - s->at);
        memcpy(out, s->directory.data + s->at, got);
        s->at += got;
    }
    size_t behind = s->at - akin_min(s->at, s->directory.size);
    if (got < want && behind < s->size) {
        size_t more = akin_min(want - got, s->size - behind);
        memcpy(out + got, s->data + behind, more);
        s->at += more;
        got += more;
    }
    return (tmsize_t)got;
}

static tmsize_t on_write(thandle_t strip, void *from, tmsize_t size)
{
    (void)strip;
    (void)from;
    (void)size;
    return 0;
}

static toff_t on_seek(thandle_t strip, toff_t offset, int whence)
{
    akin_tiff_strip *s = strip;
    size_t base = whence == SEEK_CUR   ? s->at
                  : whence == SEEK_END ? s->directory.size + s->size
                                       : 0;
    size_t to;
    if (offset > SIZE_MAX || !akin_add(base, (size_t)offset, &to))
        return (toff_t)-1;
    s->at = to;
    return to;
}

static int on_close(thandle_t strip)
{
    (void)strip;
    return 0;
}

static toff_t on_size(thandle_t strip)
{
    const akin_tiff_strip *s = strip;
    return s->directory.size + s->size;
}

static int on_map(thandle_t strip, void **base, toff_t *size)
{
    (void)strip;
    (void)base;
    (void)size;
    return 0;
}

static void on_unmap(thandle_t strip, void *base, toff_t size)
{
    (void)strip;
    (void)base;
    (void)size;
}

/* ---- its directory */

enum { MAX_ENTRIES = 16, HEADER_BYTES = 8, SHORTS_AT = HEADER_BYTES + 2 + 12 * MAX_ENTRIES + 4,
       TABLES_AT = SHORTS_AT + 2 * 16 };

typedef struct writer {
    uint8_t head[TABLES_AT];
    bool big_endian;
    size_t entries, shorts; /* written */
} writer;

static void put(writer *w, size_t at, size_t n, uint32_t v)
{
    for (size_t i = 0; i < n; i++)
        w->head[at + (w->big_endian ? n - 1 - i : i)] = (uint8_t)(v >> (8 * i));
}

/* type 3: the value in two bytes, 4: in four, 7: `v` is where `count` bytes lie. */
static void entry(writer *w, unsigned tag, unsigned type, uint32_t count, uint32_t v)
{
    size_t at = HEADER_BYTES + 2 + 12 * w->entries++;
    put(w, at, 2, tag);
    put(w, at + 2, 2, type);
    put(w, at + 4, 4, count);
    put(w, at + 8, type == 3 && count == 1 ? 2 : 4, v);
}

/* `count` times the same value. */
static void shorts(writer *w, unsigned tag, unsigned count, uint32_t v)
{
    if (count <= 2) {
        entry(w, tag, 3, count, 0);
        for (unsigned i = 0; i < count; i++)
            put(w, HEADER_BYTES + 2 + 12 * (w->entries - 1) + 8 + 2 * i, 2, v);
        return;
    }
    entry(w, tag, 3, count, (uint32_t)(SHORTS_AT + 2 * w->shorts));
    for (unsigned i = 0; i < count; i++)
        put(w, SHORTS_AT + 2 * w->shorts++, 2, v);
}

/* Tags in rising order, as the format wants them. */
static akin_status describe(akin_tiff_strip *s, const akin_tiff_coding *how, uint32_t width,
                            uint32_t height, akin_error *err)
{
    writer w = { .big_endian = how->big_endian };
    unsigned colours = how->samples >= 3 ? 3 : 1;
    size_t total = TABLES_AT + how->tables_size;
    memcpy(w.head, how->big_endian ? "MM" : "II", 2);
    put(&w, 2, 2, 42);
    put(&w, 4, 4, HEADER_BYTES);
    entry(&w, TIFFTAG_IMAGEWIDTH, 4, 1, width);
    entry(&w, TIFFTAG_IMAGELENGTH, 4, 1, height);
    shorts(&w, TIFFTAG_BITSPERSAMPLE, how->samples, how->bits);
    entry(&w, TIFFTAG_COMPRESSION, 3, 1, how->compression);
    entry(&w, TIFFTAG_PHOTOMETRIC, 3, 1,
          how->ycc       ? PHOTOMETRIC_YCBCR
          : colours == 3 ? PHOTOMETRIC_RGB
                         : PHOTOMETRIC_MINISBLACK);
    entry(&w, TIFFTAG_FILLORDER, 3, 1, how->fill_order);
    entry(&w, TIFFTAG_STRIPOFFSETS, 4, 1, (uint32_t)total);
    entry(&w, TIFFTAG_SAMPLESPERPIXEL, 3, 1, how->samples);
    entry(&w, TIFFTAG_ROWSPERSTRIP, 4, 1, height);
    entry(&w, TIFFTAG_STRIPBYTECOUNTS, 4, 1, (uint32_t)s->size);
    entry(&w, TIFFTAG_PLANARCONFIG, 3, 1, PLANARCONFIG_CONTIG);
    if (how->compression == COMPRESSION_CCITTFAX3)
        entry(&w, TIFFTAG_GROUP3OPTIONS, 4, 1, how->fax_options);
    if (how->predictor != 1)
        entry(&w, TIFFTAG_PREDICTOR, 3, 1, how->predictor);
    if (how->samples > colours)
        shorts(&w, TIFFTAG_EXTRASAMPLES, how->samples - colours, EXTRASAMPLE_UNSPECIFIED);
    if (how->tables != NULL)
        entry(&w, TIFFTAG_JPEGTABLES, 7, (uint32_t)how->tables_size, TABLES_AT);
    if (how->ycc && how->has_subsampling) {
        shorts(&w, TIFFTAG_YCBCRSUBSAMPLING, 2, how->subsampling[0]);
        put(&w, HEADER_BYTES + 2 + 12 * (w.entries - 1) + 10, 2, how->subsampling[1]);
    }
    put(&w, HEADER_BYTES, 2, (uint32_t)w.entries);

    akin_status status;
    akin_buffer_clear(&s->directory);
    akin_buffer_init(&s->directory, "a TIFF directory", total);
    AKIN_TRY(akin_buffer_add(&s->directory, w.head, sizeof w.head, err));
    if (how->tables != NULL)
        AKIN_TRY(akin_buffer_add(&s->directory, how->tables, how->tables_size, err));
out:
    return status;
}

static TIFF *open_strip(akin_tiff_strip *s, size_t memory_bytes)
{
#if HAS_OPEN_OPTIONS
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (options == NULL)
        return NULL;
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, s);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, s);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options,
                                        (tmsize_t)akin_min(memory_bytes, PTRDIFF_MAX));
    TIFF *open = TIFFClientOpenExt("strip", "rm", s, on_read, on_write, on_seek, on_close, on_size,
                                   on_map, on_unmap, options);
    TIFFOpenOptionsFree(options);
    return open;
#else
    (void)memory_bytes;
    return TIFFClientOpen("strip", "rm", s, on_read, on_write, on_seek, on_close, on_size, on_map,
                          on_unmap);
#endif
}

static akin_status expand(akin_tiff_strip *s, const akin_tiff_coding *how, uint32_t width,
                          uint32_t height, uint8_t *out, size_t out_size, const char *path,
                          akin_error *err)
{
    akin_status status = AKIN_OK;
    if (s->size > INT32_MAX || how->tables_size > UINT16_MAX)
        return akin_fail(err, AKIN_E_LIMIT, path, "TIFF with a strip of %zu bytes, the limit is %d",
                         s->size, INT32_MAX);
    s->why[0] = '\0';
    errno = 0;
    if (s->open != NULL && (s->width != width || s->height != height)) {
        TIFFClose(s->open);
        s->open = NULL;
    }
    if (s->open == NULL) {
        AKIN_TRY(describe(s, how, width, height, err));
        s->at = 0;
        s->width = width;
        s->height = height;
        s->open = open_strip(s, how->memory_bytes);
        if (s->open == NULL)
            return refused(s, path, "libtiff does not open a strip", err);
        if (how->ycc)
            TIFFSetField(s->open, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        if (TIFFStripSize(s->open) != (tmsize_t)out_size)
            return akin_fail(err, AKIN_E_CORRUPT, path,
                             "broken TIFF: a strip of %zu bytes where libtiff makes %lld", out_size,
                             (long long)TIFFStripSize(s->open));
    }
    /* libtiff turns the bits of its input in place, and back. */
    const uint8_t *data = s->data;
    if (how->fill_order != 1) {
        s->copy.size = 0;
        AKIN_TRY(akin_buffer_add(&s->copy, s->data, s->size, err));
        data = (const uint8_t *)s->copy.data;
    }
    /* Fewer rows than promised are no error to the JPEG and CCITT decoders. */
    memset(out, 0, out_size);
    if (TIFFReadFromUserBuffer(s->open, 0, (void *)(uintptr_t)data, (tmsize_t)s->size, out,
                               (tmsize_t)out_size) == 0)
        return refused(s, path, "a strip that does not expand", err);
out:
    return status;
}

akin_status akin_tiff_strip_read(akin_tiff_strip *s, const akin_tiff_coding *how, uint32_t width,
                                 uint32_t height, const uint8_t *data, size_t size, uint8_t *out,
                                 size_t out_size, const char *path, akin_error *err)
{
    s->data = data;
    s->size = size;
    if (s->copy.max == 0)
        akin_buffer_init(&s->copy, "a TIFF strip", how->memory_bytes);
    enter(s);
    akin_status status = expand(s, how, width, height, out, out_size, path, err);
    leave();
    return status;
}

void akin_tiff_strip_clear(akin_tiff_strip *s)
{
    if (s->open != NULL) {
        enter(s);
        TIFFClose(s->open);
        leave();
    }
    akin_buffer_clear(&s->directory);
    akin_buffer_clear(&s->copy);
}
