/* jpeg_write.c - RGB pixels to a baseline JPEG through libjpeg(-turbo), and pictures made smaller.
 *
 * Owns the destination of bytes and the errors of one compression. Writes 4:2:0, the usual tables,
 * the JFIF header that a reader wants and nothing else: no EXIF, no colour profile, no comment.
 * Refuses what JPEG cannot hold (a side over 65,500).
 */
#include "jpeg_write.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/arith.h"
#include "resize.h"

/* What libjpeg is given to fill at a time. */
#define PIECE 16384

typedef struct job {
    struct jpeg_compress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
    const akin_picture *picture;
    int quality;
    akin_buffer *out;
    akin_error *err;
    akin_status status; /* of what made us escape */
} job;

static void on_error(j_common_ptr cinfo)
{
    job *j = cinfo->client_data;
    char why[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, why);
    if (cinfo->err->msg_code == JERR_OUT_OF_MEMORY)
        j->status = akin_fail_nomem(j->err, "a JPEG encoder", 0);
    else
        j->status = akin_fail(j->err, AKIN_E_UNSUPPORTED, NULL, "cannot write a JPEG: %s", why);
    longjmp(j->escape, 1);
}

static void on_message(j_common_ptr cinfo) { (void)cinfo; }
static void on_warning(j_common_ptr cinfo, int level)
{
    (void)cinfo;
    (void)level;
}

/* Room for the next piece, behind what the buffer holds. */
static void next_piece(job *j)
{
    j->status = akin_buffer_reserve(j->out, PIECE, j->err);
    if (j->status != AKIN_OK)
        longjmp(j->escape, 1);
    j->destination.next_output_byte = (JOCTET *)j->out->data + j->out->size;
    j->destination.free_in_buffer = PIECE;
}

static void destination_init(j_compress_ptr cinfo) { next_piece(cinfo->client_data); }

static boolean destination_full(j_compress_ptr cinfo)
{
    job *j = cinfo->client_data;
    j->out->size += PIECE; /* libjpeg's counts are not up to date here */
    next_piece(j);
    return TRUE;
}

static void destination_end(j_compress_ptr cinfo)
{
    job *j = cinfo->client_data;
    j->out->size += PIECE - cinfo->dest->free_in_buffer;
}

/* Everything that may longjmp; a function of its own, so that no variable lives across the
 * setjmp. */
static akin_status guarded(job *j)
{
    struct jpeg_compress_struct *cinfo = &j->cinfo;
    const akin_picture *picture = j->picture;
    if (setjmp(j->escape) != 0)
        return j->status;
    jpeg_create_compress(cinfo);
    cinfo->client_data = j;
    cinfo->dest = &j->destination;
    cinfo->image_width = (JDIMENSION)picture->width;
    cinfo->image_height = (JDIMENSION)picture->height;
    cinfo->input_components = 3;
    cinfo->in_color_space = JCS_RGB;
    jpeg_set_defaults(cinfo);
    jpeg_set_quality(cinfo, j->quality, TRUE);
    jpeg_start_compress(cinfo, TRUE);
    while (cinfo->next_scanline < cinfo->image_height) {
        JSAMPROW row = picture->pixels + (size_t)cinfo->next_scanline * 3 * (size_t)picture->width;
        jpeg_write_scanlines(cinfo, &row, 1);
    }
    jpeg_finish_compress(cinfo);
    return AKIN_OK;
}

akin_status akin_jpeg_write(const akin_picture *picture, int quality, akin_buffer *out,
                            akin_error *err)
{
    if (picture->pixels == NULL || picture->width < 1 || picture->height < 1 ||
        akin_layout_bytes(picture->layout) != 3)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a JPEG is written of RGB pixels");
    if (quality < 1 || quality > 100)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "JPEG quality %d is not 1 to 100", quality);
    if (picture->width > JPEG_MAX_DIMENSION || picture->height > JPEG_MAX_DIMENSION)
        return akin_fail(err, AKIN_E_UNSUPPORTED, NULL,
                         "a JPEG has at most %ld pixels a side, the picture is %d x %d",
                         (long)JPEG_MAX_DIMENSION, picture->width, picture->height);
    /* On the heap: what is changed between setjmp and longjmp must not live in registers. */
    job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return akin_fail_nomem(err, "a JPEG encoder", sizeof *j);
    j->picture = picture;
    j->quality = quality;
    j->out = out;
    j->err = err;
    j->cinfo.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.output_message = on_message;
    j->errors.emit_message = on_warning;
    j->cinfo.client_data = j; /* for an error in jpeg_create_compress, which keeps it */
    j->destination.init_destination = destination_init;
    j->destination.empty_output_buffer = destination_full;
    j->destination.term_destination = destination_end;

    const size_t before = out->size;
    akin_status status = guarded(j);
    jpeg_destroy_compress(&j->cinfo);
    free(j);
    if (out->data != NULL) {
        if (status != AKIN_OK)
            out->size = before;
        out->data[out->size] = '\0';
    }
    return status;
}

akin_status akin_thumbnail(const akin_picture *picture, int longest, akin_picture *out,
                           akin_error *err)
{
    *out = (akin_picture){ 0 };
    if (picture->pixels == NULL || picture->width < 1 || picture->height < 1 || longest < 1 ||
        akin_layout_bytes(picture->layout) != 3)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a thumbnail is made of RGB pixels");
    int width = picture->width, height = picture->height;
    const int side = width > height ? width : height;
    if (side > longest) {
        /* The shorter side rounded, and never nothing. */
        width = (int)(((int64_t)width * longest + side / 2) / side);
        height = (int)(((int64_t)height * longest + side / 2) / side);
        width += width == 0;
        height += height == 0;
    }
    const size_t bytes = (size_t)width * 3 * (size_t)height;
    out->pixels = malloc(bytes);
    if (out->pixels == NULL)
        return akin_fail_nomem(err, "a thumbnail", bytes);
    out->width = width;
    out->height = out->stored_height = height;
    out->layout = AKIN_RGB;
    if (side <= longest) {
        memcpy(out->pixels, picture->pixels, bytes);
        return AKIN_OK;
    }
    akin_status status = akin_resize(picture->pixels, picture->width, picture->height, 3, width,
                                     height, AKIN_BICUBIC,
                                     (akin_window){ 0, 0, width, height }, out->pixels, SIZE_MAX,
                                     err);
    if (status != AKIN_OK)
        akin_picture_clear(out);
    return status;
}
