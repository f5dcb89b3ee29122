/* webp.c - WebP to pixels through libwebp and libwebpdemux, equal to Pillow's.
 *
 * Owns the walk from the container to the first frame, its place on the canvas and the estimate of
 * what libwebp will allocate. Refuses a file that is cut anywhere (libwebpdemux wants all of what
 * the RIFF header promises) and a frame that does not decode whole. Matches Pillow 13.0.0
 * (WebPImagePlugin.py, _webp.c): RGBA when the header announces alpha, else RGB; of an animation
 * the first frame, the canvas around it transparent black, the background colour ignored. Junk
 * after the RIFF chunk is passed over, colour profiles are not applied.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "base/arith.h"
#include "decode.h"
#include "exif.h"
#include "webp_groups.h"

/* What libwebp keeps beside rows and planes. Measured below 100 KiB. */
#define DECODER_BYTES ((size_t)256 << 10)

/* The lossless decoder keeps a set of Huffman tables for each group of blocks, all allocated at
 * once: with the largest cache of colours 20,016 bytes, and the group itself below 600. */
#define TABLES_BYTES 20800
#define MAX_TABLES 65536

/* What a VP8L stream begins with: signature, width, height, alpha and version. */
#define VP8L_HEADER 5

typedef struct job {
    const akin_encoded *from;
    akin_error *err;
    WebPDemuxer *demux;
    WebPIterator frame;
    akin_canvas canvas;
    uint8_t *plane; /* the whole canvas before it is turned */
} job;

/* libwebp has one answer for many reasons. That a request for memory failed stays in errno, which
 * is set to 0 before it is called. */
static akin_status broken(const job *j, const char *why)
{
    if (errno == ENOMEM)
        return akin_fail_nomem(j->err, "a WebP decoder", 0);
    return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken WebP: %s", why);
}

static uint32_t little32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Opens the container. libwebpdemux does not say why it refuses one; the RIFF header tells a file
 * that was cut from one that is wrong. */
static akin_status open_container(job *j)
{
    const uint8_t *data = j->from->data;
    size_t size = j->from->size;
    if (size < 16)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "WebP ends inside its header");
    if (memcmp(data + 12, "VP8 ", 4) != 0 && memcmp(data + 12, "VP8L", 4) != 0 &&
        memcmp(data + 12, "VP8X", 4) != 0)
        return akin_fail(j->err, AKIN_E_CORRUPT, j->from->path,
                         "broken WebP: it does not begin with VP8, VP8L or VP8X");
    uint32_t promised = little32(data + 4);
    if (promised > size - 8)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                         "WebP ends after %zu of %llu bytes", size, promised + 8ull);
    const WebPData file = { data, size };
    errno = 0;
    j->demux = WebPDemux(&file);
    if (j->demux == NULL)
        return broken(j, "its chunks do not fit together");
    if (WebPDemuxGetFrame(j->demux, 1, &j->frame) == 0)
        return broken(j, "no frame");
    return AKIN_OK;
}

static int read_orientation(const job *j)
{
    /* Borrowed from the file, until the demuxer goes. Pillow takes an empty chunk for none. */
    WebPChunkIterator exif = { 0 }, xmp = { 0 };
    bool has_exif = WebPDemuxGetChunk(j->demux, "EXIF", 1, &exif) != 0 && exif.chunk.size != 0;
    bool has_xmp = WebPDemuxGetChunk(j->demux, "XMP ", 1, &xmp) != 0 && xmp.chunk.size != 0;
    int orientation =
        akin_orientation_read(has_exif ? exif.chunk.bytes : NULL, exif.chunk.size,
                              has_xmp ? xmp.chunk.bytes : NULL, xmp.chunk.size);
    WebPDemuxReleaseChunkIterator(&exif);
    WebPDemuxReleaseChunkIterator(&xmp);
    return orientation;
}

/* The lossless stream of a frame, or of its alpha; size 0 when there is none. */
static WebPData lossless_stream(const job *j, const WebPBitstreamFeatures *frame)
{
    const uint8_t *data = j->frame.fragment.bytes;
    const size_t size = j->frame.fragment.size;
    size_t skip = 0, chunk = size;
    if (frame->format == 2) {
        if (size > 8 && memcmp(data, "VP8L", 4) == 0)
            skip = 8;
        skip += VP8L_HEADER;
    } else if (frame->has_alpha && size > 8 && memcmp(data, "ALPH", 4) == 0) {
        if ((data[8] & 3) == 0)
            return (WebPData){ data, 0 };
        skip = 9;
        chunk = akin_min((size_t)8 + little32(data + 4), size);
    } else {
        return (WebPData){ data, 0 };
    }
    return (WebPData){ data + akin_min(skip, chunk), chunk - akin_min(skip, chunk) };
}

/* What libwebp will allocate for a frame of width x height, at most; SIZE_MAX when it does not fit
 * a size_t. */
static size_t decoder_bytes(const job *j, const WebPBitstreamFeatures *frame)
{
    const uint64_t w = (uint64_t)frame->width, h = (uint64_t)frame->height; /* below 2^24 */
    const uint64_t blocks = (w / 4 + 1) * (h / 4 + 1);
    uint64_t total = DECODER_BYTES + 160 * w;
    /* The demuxer: 8 bytes of the file, the smallest chunk, are a node of 32. */
    total += 4 * (uint64_t)j->from->size;
    const WebPData packed = lossless_stream(j, frame);
    if (frame->format != 2 && frame->has_alpha)
        total += w * h;
    if (frame->format == 2 || packed.size != 0) {
        /* All pixels of 4 bytes, three planes of 4 bytes a block (two transforms and the groups of
         * Huffman tables), 17 rows, and the tables. */
        total += 4 * w * h + 12 * blocks + 17 * 4 * w + 4 * MAX_TABLES;
        /* Tables are touched when the stream describes them, in 20 bits or more. It is walked only
         * where the worst would not be allowed. */
        uint64_t tables = akin_min((uint64_t)packed.size / 5 * 2 + 1, MAX_TABLES);
        if (total <= j->from->memory_bytes &&
            tables * TABLES_BYTES > j->from->memory_bytes - total) {
            const uint32_t groups = akin_webp_groups(
                packed.bytes, packed.size, (uint32_t)frame->width, (uint32_t)frame->height);
            tables = akin_min(tables, groups);
        }
        total += tables * TABLES_BYTES;
    }
    return total > SIZE_MAX ? SIZE_MAX : (size_t)total;
}

static akin_status decode_frame(job *j, uint8_t *pixels, bool alpha)
{
    const size_t pixel = j->canvas.pixel;
    const size_t pitch = pixel * (size_t)j->canvas.width;
    const WebPIterator *f = &j->frame;
    if (f->width != j->canvas.width || f->height != j->canvas.height)
        memset(pixels, 0, pitch * (size_t)j->canvas.height);

    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "libwebp is older than the one akin was built with");
    config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba =
        pixels + (size_t)f->y_offset * pitch + (size_t)f->x_offset * pixel;
    config.output.u.RGBA.stride = (int)pitch;
    config.output.u.RGBA.size = pitch * (size_t)(f->height - 1) + pixel * (size_t)f->width;
    errno = 0;
    VP8StatusCode code = WebPDecode(f->fragment.bytes, f->fragment.size, &config);
    switch (code) {
    case VP8_STATUS_OK: return AKIN_OK;
    case VP8_STATUS_OUT_OF_MEMORY: return akin_fail_nomem(j->err, "a WebP decoder", 0);
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                         "a kind of WebP that this build does not read");
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED: return broken(j, "its image data ends before its last row");
    default: return broken(j, "its image data is corrupt");
    }
}

akin_status akin_webp_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    job j = { .from = from, .err = err };
    akin_status status;
    AKIN_TRY(open_container(&j));

    int width = (int)WebPDemuxGetI(j.demux, WEBP_FF_CANVAS_WIDTH);
    int height = (int)WebPDemuxGetI(j.demux, WEBP_FF_CANVAS_HEIGHT);
    WebPBitstreamFeatures whole, frame;
    bool alpha = WebPGetFeatures(from->data, from->size, &whole) != VP8_STATUS_OK ||
                 whole.has_alpha;
    if (WebPGetFeatures(j.frame.fragment.bytes, j.frame.fragment.size, &frame) != VP8_STATUS_OK ||
        frame.width != j.frame.width || frame.height != j.frame.height) {
        status = broken(&j, "its frame has no header");
        goto out;
    }
    int orientation = read_orientation(&j);
    size_t extra = decoder_bytes(&j, &frame), plane = 0;
    if (orientation != 1 &&
        (!akin_mul((size_t)width * (alpha ? 4 : 3), (size_t)height, &plane) ||
         !akin_add(extra, plane, &extra)))
        extra = SIZE_MAX;
    AKIN_TRY(akin_canvas_init(&j.canvas, width, height, alpha ? AKIN_RGBA : AKIN_RGB, orientation,
                              extra, from, err));
    if (orientation == 1) {
        AKIN_TRY(decode_frame(&j, akin_canvas_rows(&j.canvas, 0), alpha));
    } else {
        /* libwebp writes a whole frame, nothing less. */
        j.plane = malloc(plane);
        if (j.plane == NULL) {
            status = akin_fail_nomem(err, "a picture before it is turned", plane);
            goto out;
        }
        AKIN_TRY(decode_frame(&j, j.plane, alpha));
        size_t pitch = j.canvas.pixel * (size_t)width;
        for (int y = 0; y < height; y += AKIN_STRIP_ROWS) {
            int count = height - y < AKIN_STRIP_ROWS ? height - y : AKIN_STRIP_ROWS;
            memcpy(akin_canvas_rows(&j.canvas, y), j.plane + (size_t)y * pitch,
                   (size_t)count * pitch);
            akin_canvas_done(&j.canvas, y, count);
        }
    }
    akin_canvas_take(&j.canvas, from, out);
out:
    free(j.plane);
    akin_canvas_clear(&j.canvas);
    WebPDemuxReleaseIterator(&j.frame);
    WebPDemuxDelete(j.demux);
    return status;
}
