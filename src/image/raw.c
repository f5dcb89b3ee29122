/* raw.c - raw photographs by the preview that the camera put into them, through LibRaw, opened on
 * first use.
 *
 * Raw data is never developed: the result would be LibRaw's taste, not the camera's, and needs a
 * hundred times as long. Of several previews the one that LibRaw chooses, its largest; a raw
 * without one is refused. A JPEG preview goes through jpeg.c with its limits and is turned by its
 * own EXIF block; where it has none LibRaw writes one with the orientation of the raw. A bitmap
 * preview is turned by the first directory of the file. So each is turned once.
 */
#include "raw.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/arith.h"
#include "exif.h"
#include "library.h"
#include "tiff_fields.h"

/* ---- the library */

#define CALL(name) { "libraw_" #name, offsetof(akin_raw_calls, name), false }
static const akin_symbol SYMBOLS[] = {
    CALL(version),      CALL(strerror),
    CALL(init),         CALL(close),
    CALL(open_buffer),  CALL(unpack_thumb),
    CALL(dcraw_make_mem_thumb), CALL(dcraw_clear_mem),
};

/* The build that any thread may call, 0.22 to 0.19. Each changes its large struct and so its
 * number; the calls above are the same in all. One that is not known yet is not tried. */
static const char *const SONAMES[] = { "libraw_r.so.25", "libraw_r.so.24", "libraw_r.so.23",
                                       "libraw_r.so.22", "libraw_r.so.21", "libraw_r.so.20",
                                       "libraw_r.so.19", NULL };

/* LIBRAW_OPTIONS_NO_MEMERR_CALLBACK and NO_DATAERR_CALLBACK of 0.20, the latter also as 0.21
 * numbers it: by default it prints. */
#define SILENT 3u

/* Written once, under `opened`. */
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static akin_raw_calls library;
static bool usable;
static char reason[256];

/* LibRaw writes the date into the EXIF block that it makes, by way of localtime, whose answer is
 * one for all threads. */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static void open_library(void)
{
    usable = akin_library_open(SONAMES, SYMBOLS, sizeof SYMBOLS / sizeof SYMBOLS[0], &library,
                               reason, sizeof reason);
}

const akin_raw_calls *akin_raw_library(const char **why)
{
    pthread_once(&opened, open_library);
    *why = reason;
    return usable ? &library : NULL;
}

/* ---- is it a raw photograph? */

enum {
    TAG_COMPRESSION = 259,
    TAG_PHOTOMETRIC = 262,
    TAG_MAKE = 271,
    TAG_SUB_DIRECTORIES = 330,
    TAG_DNG_VERSION = 50706
};

/* A file of five previews and two layers of pixels has seven. */
#define MAX_DIRECTORIES 32

/* Pixels that a camera's sensor gave (colour filter array, or linear and not yet a picture), or
 * compressed in a camera maker's own way: Nikon, Sony, Pentax, Samsung. */
static bool is_sensor_data(unsigned tag, uint64_t value)
{
    if (tag == TAG_PHOTOMETRIC)
        return value == 32803 || value == 34892;
    return tag == TAG_COMPRESSION &&
           (value == 34713 || value == 32767 || value == 65535 || value == 32770);
}

static bool has_raw_name(const char *path)
{
    static const char *const extensions[] = { "dng", "nef", "nrw", "arw", "sr2", "srf", "cr2",
                                              "orf", "rw2", "pef", "srw", "3fr", "iiq", "erf" };
    const char *dot = path != NULL ? strrchr(path, '.') : NULL;
    for (size_t i = 0; dot != NULL && i < sizeof extensions / sizeof extensions[0]; i++)
        if (strcasecmp(dot + 1, extensions[i]) == 0)
            return true;
    return false;
}

/* Walks the directories, the chained ones and the ones below them. A TIFF is a raw photograph when
 * it says so (DNGVersion), or holds sensor data anywhere; a Make alone is also a scanner's or a
 * phone's, so that such a file is one only when its name says so too. */
static bool is_raw_tiff(const akin_tiff *t, const char *path)
{
    uint64_t queue[MAX_DIRECTORIES] = { akin_tiff_number(t, 4, 4) };
    size_t count = 1;
    bool has_make = false;
    for (size_t i = 0; i < count; i++) {
        akin_tiff_directory d;
        if (queue[i] < 8 || !akin_tiff_directory_at(t, queue[i], &d))
            continue;
        for (akin_tiff_entry e; akin_tiff_next(&d, &e);) {
            if (e.tag == TAG_DNG_VERSION && i == 0)
                return true;
            if (e.count == 1 && (e.type == 3 || e.type == 4) &&
                is_sensor_data(e.tag, akin_tiff_number(t, e.field, e.type == 3 ? 2 : 4)))
                return true;
            has_make = has_make || (e.tag == TAG_MAKE && i == 0);
            if (e.tag == TAG_SUB_DIRECTORIES && (e.type == 4 || e.type == 13)) {
                uint64_t list = e.count == 1 ? e.field : akin_tiff_number(t, e.field, 4);
                for (uint32_t k = 0; k < e.count && count < MAX_DIRECTORIES; k++)
                    queue[count++] = akin_tiff_number(t, list + 4 * (uint64_t)k, 4);
            }
        }
        if (count < MAX_DIRECTORIES && akin_tiff_number(t, d.at, 4) != 0)
            queue[count++] = akin_tiff_number(t, d.at, 4);
    }
    return has_make && has_raw_name(path);
}

bool akin_is_raw(const void *bytes, size_t size, const char *path)
{
    const uint8_t *b = bytes;
    if (size < 16)
        return false;
    if (memcmp(b, "FUJIFILMCCD-RAW", 15) == 0 || memcmp(b + 4, "ftypcrx ", 8) == 0)
        return true;
    if (memcmp(b, "IIRO", 4) == 0 || memcmp(b, "IIRS", 4) == 0 || memcmp(b, "MMOR", 4) == 0 ||
        memcmp(b, "IIU\0", 4) == 0)
        return true; /* Olympus (three), Panasonic */
    const bool big = memcmp(b, "MM\0*", 4) == 0;
    if (!big && memcmp(b, "II*\0", 4) != 0)
        return false;
    const akin_tiff t = { b, size, big };
    return (!big && memcmp(b + 8, "CR", 2) == 0) || is_raw_tiff(&t, path);
}

/* ---- its preview */

static akin_status refuse(const akin_raw_calls *raw, int code, const akin_encoded *from,
                          akin_error *err)
{
    akin_status status = AKIN_E_CORRUPT;
    if (errno == ENOMEM) /* LibRaw has other words for it; akin_raw_decode_by sets it to 0 */
        code = AKIN_RAW_NO_MEMORY;
    switch (code) {
    case AKIN_RAW_NO_THUMBNAIL:
    case AKIN_RAW_NO_SUCH_THUMBNAIL:
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                         "a raw photograph without a preview in it; akin does not develop raw "
                         "data");
    case AKIN_RAW_NO_FILE:
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                         "a raw photograph that LibRaw %s does not know", raw->version());
    case AKIN_RAW_NO_MEMORY:
    case ENOMEM: /* a positive number is errno's */
        return akin_fail_nomem(err, "a raw photograph's preview", 0);
    case AKIN_RAW_UNSUPPORTED_THUMBNAIL:
        status = AKIN_E_UNSUPPORTED;
        break;
    case AKIN_RAW_TOO_BIG:
        status = AKIN_E_LIMIT;
        break;
    case AKIN_RAW_IO:
        status = AKIN_E_TRUNCATED;
        break;
    default:
        break;
    }
    return akin_fail(err, status, from->path, "LibRaw %s cannot read it: %s", raw->version(),
                     code > 0 ? strerror(code) : raw->strerror(code));
}

/* A preview of plain samples, grey or RGB. */
static akin_status take_bitmap(const libraw_processed_image_t *preview, akin_picture *out,
                               const akin_encoded *from, akin_error *err)
{
    const size_t width = preview->width, height = preview->height, colors = preview->colors;
    if (preview->bits != 8 || (colors != 1 && colors != 3))
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                         "a raw photograph with a preview of %u colours of %u bits",
                         preview->colors, preview->bits);
    if (width == 0 || height == 0 || preview->data_size / colors / width < height)
        return akin_fail(err, AKIN_E_CORRUPT, from->path,
                         "a raw photograph whose preview of %zu x %zu pixels has %u bytes", width,
                         height, preview->data_size);
    akin_canvas canvas;
    int orientation = akin_orientation_read(from->data, from->size, NULL, 0);
    akin_status status = akin_canvas_init(&canvas, preview->width, preview->height, AKIN_RGB,
                                          orientation, preview->data_size, from, err);
    if (status != AKIN_OK)
        return status;
    const unsigned char *in = preview->data;
    for (size_t y = 0; y < height; y++) {
        uint8_t *to = akin_canvas_rows(&canvas, (int)y);
        for (size_t i = 0; i < 3 * width; i++)
            to[i] = in[colors == 3 ? i : i / 3];
        akin_canvas_done(&canvas, (int)y, 1);
        in += colors * width;
    }
    akin_canvas_take(&canvas, from, out);
    akin_canvas_clear(&canvas);
    return AKIN_OK;
}

/* Whether a preview's end stands in the file. Of one that reaches past the end of its file LibRaw
 * (0.20.2) gives the bytes that happened to be in memory for the rest: another picture each time,
 * and what another part of the program had there. Its beginning may be LibRaw's own EXIF block. */
static bool is_whole(const akin_encoded *from, const unsigned char *preview, size_t size)
{
    const size_t tail = akin_min(size, 64);
    return memmem(from->data, from->size, preview + size - tail, tail) != NULL;
}

akin_status akin_raw_decode_by(const akin_raw_calls *raw, akin_picture *out,
                               const akin_encoded *from, akin_error *err)
{
    errno = 0;
    libraw_data_t *handle = raw->init(SILENT);
    if (handle == NULL)
        return akin_fail_nomem(err, "a raw decoder", 0);
    libraw_processed_image_t *preview = NULL;
    int code = raw->open_buffer(handle, from->data, from->size);
    if (code == 0)
        code = raw->unpack_thumb(handle);
    if (code == 0) {
        pthread_mutex_lock(&making);
        preview = raw->dcraw_make_mem_thumb(handle, &code);
        pthread_mutex_unlock(&making);
    }
    raw->close(handle); /* what it keeps is not needed beside the decoder's */
    if (preview == NULL)
        return refuse(raw, code != 0 ? code : AKIN_RAW_NO_THUMBNAIL, from, err);

    akin_status status;
    if (preview->type == AKIN_RAW_BITMAP) {
        status = take_bitmap(preview, out, from, err);
    } else if (preview->type == AKIN_RAW_JPEG) {
        akin_encoded jpeg = *from;
        jpeg.data = preview->data;
        jpeg.size = preview->data_size;
        if (jpeg.size > jpeg.memory_bytes)
            status = akin_fail(err, AKIN_E_LIMIT, from->path,
                               "a raw photograph with a preview of %zu bytes, the limit of memory "
                               "is %zu: raise it with --max-memory",
                               jpeg.size, jpeg.memory_bytes);
        else if (jpeg.size < 3 || memcmp(jpeg.data, "\xff\xd8\xff", 3) != 0)
            status = akin_fail(err, AKIN_E_CORRUPT, from->path,
                               "a raw photograph whose preview is not the JPEG it should be");
        else if (!is_whole(from, jpeg.data, jpeg.size))
            status = akin_fail(err, AKIN_E_TRUNCATED, from->path,
                               "a raw photograph that ends inside its preview");
        else {
            jpeg.memory_bytes -= jpeg.size;
            status = akin_jpeg_decode(out, &jpeg, err);
        }
    } else {
        status = akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                           "a raw photograph whose preview is neither JPEG nor plain pixels");
    }
    raw->dcraw_clear_mem(preview);
    return status;
}

akin_status akin_raw_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    const char *why;
    const akin_raw_calls *raw = akin_raw_library(&why);
    if (raw == NULL)
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                         "raw photographs need LibRaw: %s (%s)",
                         akin_package_here(AKIN_PACKAGE_RAW), why);
    return akin_raw_decode_by(raw, out, from, err);
}
