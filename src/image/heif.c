/* heif.c - HEIC and AVIF through libheif, opened on first use.
 *
 * The primary picture, as libheif 1.12 and later decodes it: rotated, mirrored and cropped as its
 * properties say (the EXIF orientation beside them repeats that and is not looked at), a grid put
 * together, 10 and 12 bits a sample rounded to 8. Refuses a stream that promises a frame for which
 * memory is not enough, whatever the container says (heif_stream.c). Refuses, with the package to
 * install, when libheif or its decoder for these pixels is not there, and names the version when it
 * is too old for the file. Pixels are exempt from equality: decoders and their colour conversions
 * differ.
 */
#include "heif.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "base/arith.h"
#include "heif_stream.h"
#include "library.h"

/* What libheif may keep of a pixel at once. Measured with 1.15.1 and 1.19.7, full colour, alpha and
 * turned, as the worst: 16 bytes of 10 bits a sample, 7 of 8 bits; subsampled colours need half. */
#define DECODER_PIXEL_DEEP 18
#define DECODER_PIXEL 9
#define DECODER_BYTES ((size_t)4 << 20)

/* The first that reads what iPhones write since iOS 18. */
#define VERSION_IOS18 ((uint32_t)1 << 24 | 18 << 16 | 2 << 8)

/* ---- the library */

#define CALL(name, optional) { "heif_" #name, offsetof(akin_heif_calls, name), optional }
static const akin_symbol SYMBOLS[] = {
    CALL(get_version, false),
    CALL(get_version_number, false),
    CALL(init, true),
    CALL(have_decoder_for_format, false),
    CALL(context_alloc, false),
    CALL(context_free, false),
    CALL(context_read_from_memory_without_copy, false),
    CALL(context_set_maximum_image_size_limit, false),
    CALL(context_set_max_decoding_threads, true),
    CALL(context_get_primary_image_handle, false),
    CALL(image_handle_release, false),
    CALL(image_handle_get_width, false),
    CALL(image_handle_get_height, false),
    CALL(image_handle_get_ispe_width, false),
    CALL(image_handle_get_ispe_height, false),
    CALL(image_handle_get_luma_bits_per_pixel, false),
    CALL(image_handle_has_alpha_channel, false),
    CALL(image_handle_is_premultiplied_alpha, true),
    CALL(decode_image, false),
    CALL(image_get_width, false),
    CALL(image_get_height, false),
    CALL(image_get_plane_readonly, false),
    CALL(image_release, false),
};

static const char *const SONAMES[] = { "libheif.so.1", NULL };

/* Written once, under `opened`. */
static pthread_once_t opened = PTHREAD_ONCE_INIT;
static akin_heif_calls library;
static bool usable;
static char reason[256];

static void open_library(void)
{
    usable = akin_library_open(SONAMES, SYMBOLS, sizeof SYMBOLS / sizeof SYMBOLS[0], &library,
                               reason, sizeof reason);
    if (usable && library.init != NULL)
        library.init(NULL); /* finds the decoders that are files of their own; never undone */
}

const akin_heif_calls *akin_heif_library(const char **why)
{
    pthread_once(&opened, open_library);
    *why = reason;
    return usable ? &library : NULL;
}

/* ---- one picture */

bool akin_is_heif(const void *bytes, size_t size)
{
    static const char brands[][5] = { "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm",
                                      "hevs", "mif1", "mif2", "msf1", "avif", "avis" };
    const uint8_t *b = bytes;
    if (size < 12 || memcmp(b + 4, "ftyp", 4) != 0 || memcmp(b + 8, "crx ", 4) == 0)
        return false;
    /* The brand, its version, the compatible brands: today's iPhones may say "tmap" first. */
    const size_t box = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    const size_t end = akin_min(akin_min(box, size), 256);
    for (size_t at = 8; at == 8 || at + 4 <= end; at += at == 8 ? 8 : 4)
        for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++)
            if (memcmp(b + at, brands[i], 4) == 0)
                return true;
    return false;
}

/* Whether libheif's complaint is the one about references between a picture and its auxiliary ones
 * that iOS 18 writes; each version before 1.18.2 words it in another way. */
static bool is_ios18(const akin_heif_calls *heif, const char *message)
{
    static const char *const complaints[] = {
        "Too many auxiliary image references",     "Metadata not correctly assigned to image",
        "Non-existing depth image referenced",     "Non-existing aux image referenced",
        "Non-existing alpha image referenced",     "Non-existing image referenced",
    };
    if (heif->get_version_number() >= VERSION_IOS18)
        return false;
    for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++)
        if (strstr(message, complaints[i]) != NULL)
            return true;
    return false;
}

/* The compression of the pixels, told by its configuration box, which stands near the start. */
static unsigned codec_of(const akin_encoded *from)
{
    const size_t n = akin_min(from->size, 1 << 16);
    return memmem(from->data, n, "av1C", 4) != NULL ? AKIN_HEIF_AV1 : AKIN_HEIF_HEVC;
}

static akin_status refuse(const akin_heif_calls *heif, struct heif_error error,
                          const akin_encoded *from, akin_error *err)
{
    const char *message = error.message != NULL ? error.message : "no reason given";
    if (is_ios18(heif, message))
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                         "libheif %s cannot read pictures of iOS 18, 1.18.2 and later can: %s",
                         heif->get_version(), akin_package_here(AKIN_PACKAGE_HEIF_NEWER));
    const unsigned codec = codec_of(from);
    if (!heif->have_decoder_for_format(codec)) {
        bool av1 = codec == AKIN_HEIF_AV1;
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path,
                         "libheif %s has no %s decoder, which %s needs: %s", heif->get_version(),
                         av1 ? "AV1" : "HEVC", av1 ? "AVIF" : "HEIC",
                         akin_package_here(av1 ? AKIN_PACKAGE_AV1 : AKIN_PACKAGE_HEVC));
    }
    akin_status status = AKIN_E_CORRUPT;
    if (error.subcode == AKIN_HEIF_SECURITY_LIMIT)
        status = AKIN_E_LIMIT; /* one of libheif's own */
    else if (error.code == AKIN_HEIF_MEMORY)
        status = AKIN_E_NOMEM;
    else if (error.subcode == AKIN_HEIF_END_OF_DATA)
        status = AKIN_E_TRUNCATED;
    else if (error.code == AKIN_HEIF_UNSUPPORTED_FILE ||
             error.code == AKIN_HEIF_UNSUPPORTED_FEATURE || error.code == AKIN_HEIF_PLUGIN_LOADING)
        status = AKIN_E_UNSUPPORTED;
    return akin_fail(err, status, from->path, "libheif %s cannot read it: %s", heif->get_version(),
                     message);
}

/* Straight alpha of colours that were stored multiplied by it. */
static void divide_alpha(uint8_t *rgba, size_t count)
{
    for (size_t i = 0; i < count; i++, rgba += 4)
        for (int c = 0; rgba[3] != 0 && rgba[3] != 255 && c < 3; c++)
            rgba[c] = (uint8_t)akin_min(255, (rgba[c] * 255u + rgba[3] / 2u) / rgba[3]);
}

akin_status akin_heif_decode_by(const akin_heif_calls *heif, akin_picture *out,
                                const akin_encoded *from, akin_error *err)
{
    akin_status status = AKIN_OK;
    struct heif_image_handle *handle = NULL;
    struct heif_image *image = NULL;
    akin_canvas canvas = { 0 };
    struct heif_context *context = heif->context_alloc();
    if (context == NULL)
        return akin_fail_nomem(err, "a HEIF decoder", 0);
    if (heif->context_set_max_decoding_threads != NULL)
        heif->context_set_max_decoding_threads(context, 0); /* how many is our caller's choice */

    struct heif_error e =
        heif->context_read_from_memory_without_copy(context, from->data, from->size, NULL);
    if (e.code == AKIN_HEIF_OK)
        e = heif->context_get_primary_image_handle(context, &handle);
    if (e.code != AKIN_HEIF_OK) {
        status = refuse(heif, e, from, err);
        goto out;
    }
    /* What is decoded may be larger than what is left of it after a crop. */
    int width = heif->image_handle_get_width(handle);
    int height = heif->image_handle_get_height(handle);
    int coded_width = heif->image_handle_get_ispe_width(handle);
    int coded_height = heif->image_handle_get_ispe_height(handle);
    if (width <= 0 || height <= 0 || coded_width < 0 || coded_height < 0) {
        status =
            akin_fail(err, AKIN_E_CORRUPT, from->path, "HEIF of %d x %d pixels", width, height);
        goto out;
    }
    size_t each = heif->image_handle_get_luma_bits_per_pixel(handle) == 8 ? DECODER_PIXEL
                                                                          : DECODER_PIXEL_DEEP;
    size_t extra, pixels = akin_max((size_t)width * (size_t)height,
                                    (size_t)coded_width * (size_t)coded_height);
    if (!akin_mul(pixels, each, &extra) || !akin_add(extra, DECODER_BYTES, &extra))
        extra = SIZE_MAX;
    uint32_t frame_width, frame_height;
    AKIN_TRY(akin_heif_largest(from->data, from->size, from->path, &frame_width, &frame_height,
                               err));
    size_t frame = SIZE_MAX;
    akin_mul((size_t)frame_width * frame_height, each, &frame); /* both are below 2^32 */
    if (frame > from->memory_bytes) {
        status = akin_fail(err, AKIN_E_LIMIT, from->path,
                           "a picture of %d x %d pixels holds a frame of %u x %u, which needs %zu "
                           "bytes of memory, the limit is %zu: raise it with --max-memory",
                           width, height, (unsigned)frame_width, (unsigned)frame_height, frame,
                           from->memory_bytes);
        goto out;
    }
    bool alpha = heif->image_handle_has_alpha_channel(handle) != 0;
    akin_layout layout = alpha ? AKIN_RGBA : AKIN_RGB;
    AKIN_TRY(akin_canvas_init(&canvas, width, height, layout, 1, extra, from, err));
    /* For pictures whose coded size is not the one that they state. As the side of a square. */
    double side = sqrt((double)(from->memory_bytes / each));
    heif->context_set_maximum_image_size_limit(context, side < 1 << 20 ? (int)side : 1 << 20);

    e = heif->decode_image(handle, &image, AKIN_HEIF_RGB,
                           alpha ? AKIN_HEIF_INTERLEAVED_RGBA : AKIN_HEIF_INTERLEAVED_RGB, NULL);
    if (e.code != AKIN_HEIF_OK) {
        status = refuse(heif, e, from, err);
        goto out;
    }
    int got_width = heif->image_get_width(image, AKIN_HEIF_INTERLEAVED);
    int got_height = heif->image_get_height(image, AKIN_HEIF_INTERLEAVED);
    int stride = 0;
    const uint8_t *plane = heif->image_get_plane_readonly(image, AKIN_HEIF_INTERLEAVED, &stride);
    if (plane == NULL || got_width <= 0 || got_height <= 0 ||
        stride <= 0 ||
        (size_t)got_width * canvas.pixel > (size_t)stride) {
        status = akin_fail(err, AKIN_E_CORRUPT, from->path, "libheif %s decoded nothing",
                           heif->get_version());
        goto out;
    }
    if (got_width != width || got_height != height) { /* a crop that rounds otherwise */
        akin_canvas_clear(&canvas);
        AKIN_TRY(akin_canvas_init(&canvas, got_width, got_height, layout, 1, extra, from, err));
    }
    const size_t row = (size_t)got_width * canvas.pixel;
    for (int y = 0; y < got_height; y++)
        memcpy(akin_canvas_rows(&canvas, y), plane + (size_t)y * (size_t)stride, row);
    if (alpha && heif->image_handle_is_premultiplied_alpha != NULL &&
        heif->image_handle_is_premultiplied_alpha(handle))
        divide_alpha(canvas.picture.pixels, (size_t)got_width * (size_t)got_height);
    akin_canvas_take(&canvas, from, out);
out:
    akin_canvas_clear(&canvas);
    if (image != NULL)
        heif->image_release(image);
    if (handle != NULL)
        heif->image_handle_release(handle);
    heif->context_free(context);
    return status;
}

akin_status akin_heif_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    const char *why;
    const akin_heif_calls *heif = akin_heif_library(&why);
    if (heif == NULL)
        return akin_fail(err, AKIN_E_UNSUPPORTED, from->path, "HEIC and AVIF need libheif: %s (%s)",
                         akin_package_here(AKIN_PACKAGE_HEIF), why);
    return akin_heif_decode_by(heif, out, from, err);
}
