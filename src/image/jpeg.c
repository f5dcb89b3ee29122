/* jpeg.c - JPEG to RGB through libjpeg(-turbo), equal to Pillow's.
 *
 * Owns the source of bytes, the errors and the memory of one decompression. Refuses what ends
 * before its last row is complete (with `lenient`: before half of the rows), more than MAX_SCANS
 * scans, and 2 or more than 4 components.
 * Warnings of libjpeg (corrupt bits, junk between markers) are no errors. Matches Pillow 13.0.0
 * (JpegDecode.c, JpegImagePlugin.py): the accurate integer DCT, fancy upsampling, block smoothing,
 * no ICC; four components are taken as inverted, as Adobe writes them, marker or not. With
 * `lenient` as Pillow with ImageFile.LOAD_TRUNCATED_IMAGES: an end marker follows the last byte.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/arith.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "decode.h"
#include "exif.h"
#include "jpeg_segments.h"

/* A progressive file may hold any number of scans, each a pass over all coefficients: a file of a
 * few kilobytes could keep a processor busy for hours. Encoders write about ten. */
#define MAX_SCANS 500

/* What libjpeg keeps beside rows and coefficients: tables, states. Measured below 400 KiB. */
#define DECODER_BYTES ((size_t)1 << 20)

typedef struct job {
    struct jpeg_decompress_struct cinfo;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    const akin_encoded *from;
    akin_error *err;
    akin_status status; /* of what made us escape */
    int orientation;
    akin_canvas canvas;
    bool ended;     /* the end marker that `lenient` adds was read */
    bool complete;  /* all rows are there: what follows needs no end marker */
    int first_made; /* after that: the first row that the scan lacks, -1 when it lacks none */
} job;

/* libjpeg hands its structs to the callbacks; the job is found behind client_data. */
static job *job_of(void *client_data) { return client_data; }

static void on_error(j_common_ptr cinfo)
{
    job *j = job_of(cinfo->client_data);
    char why[JMSG_LENGTH_MAX];
    cinfo->err->format_message(cinfo, why);
    int code = cinfo->err->msg_code;
    if (code == JERR_CANT_SUSPEND) /* how the arithmetic decoder says that the bytes ran out */
        j->status = akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                              "JPEG ends before its last row");
    else if (j->ended) /* our end marker was taken for part of a segment */
        j->status = akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "JPEG ends inside its %s",
                              j->cinfo.output_height == 0 ? "header" : "tables");
    else if (code == JERR_OUT_OF_MEMORY)
        j->status = akin_fail_nomem(j->err, "a JPEG decoder", 0);
    else if (code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION)
        j->status = akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path,
                              "a kind of JPEG that this build does not read (%s)", why);
    else
        j->status = akin_fail(j->err, AKIN_E_CORRUPT, j->from->path, "broken JPEG: %s", why);
    longjmp(j->escape, 1);
}

/* A warning. The one that says that a scan ran into our end marker tells where. */
static void on_warning(j_common_ptr cinfo, int level)
{
    job *j = job_of(cinfo->client_data);
    if (level >= 0 || cinfo->err->msg_code != JWRN_HIT_MARKER || !j->ended || j->first_made >= 0)
        return;
    int down = j->cinfo.max_v_samp_factor, row = (int)j->cinfo.input_iMCU_row * down * DCTSIZE;
    /* Fewer rows of a component: the row above is upsampled from those below, too. */
    bool mixed = false;
    for (int i = 0; i < j->cinfo.num_components; i++)
        mixed = mixed || j->cinfo.comp_info[i].v_samp_factor < down;
    j->first_made = row != 0 && mixed ? row - 1 : row;
}

static void on_print(j_common_ptr cinfo) { (void)cinfo; }

static void on_progress(j_common_ptr cinfo)
{
    job *j = job_of(cinfo->client_data);
    if (cinfo->is_decompressor && j->cinfo.input_scan_number > MAX_SCANS) {
        j->status = akin_fail(j->err, AKIN_E_LIMIT, j->from->path, "JPEG of more than %d scans",
                              MAX_SCANS);
        longjmp(j->escape, 1);
    }
}

/* All bytes are there from the start; asking for more suspends, as Pillow's source does at the end
 * of a file. libjpeg's own memory source would invent an end marker and load a cut file grey. */
static void source_nothing(j_decompress_ptr cinfo) { (void)cinfo; }

static boolean source_fill(j_decompress_ptr cinfo)
{
    static const JOCTET end[] = { 0xff, JPEG_EOI };
    job *j = job_of(cinfo->client_data);
    /* The arithmetic decoder does not say where it ran out; Pillow cannot read such a file. */
    if (!j->from->lenient || j->ended || j->complete || j->cinfo.arith_code)
        return FALSE;
    j->ended = true;
    cinfo->src->next_input_byte = end;
    cinfo->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void source_skip(j_decompress_ptr cinfo, long count)
{
    size_t n = count < 0 ? 0 : akin_min((size_t)count, cinfo->src->bytes_in_buffer);
    cinfo->src->next_input_byte += n;
    cinfo->src->bytes_in_buffer -= n;
}

static akin_status read_orientation(job *j)
{
    akin_status status = AKIN_OK;
    akin_jpeg_metadata found;
    akin_buffer joined;
    akin_buffer_init(&joined, "EXIF", j->from->size);
    AKIN_TRY(akin_jpeg_metadata_find(&found, j->from->data, j->from->size, &joined, j->err));
    j->orientation =
        akin_orientation_read(found.exif, found.exif_size, found.xmp, found.xmp_size);
out:
    akin_buffer_clear(&joined);
    return status;
}

/* What libjpeg will allocate for this frame: some rows of each component, and every coefficient (64
 * of 2 bytes a block) when there is more than one scan. SIZE_MAX when it does not fit a size_t. */
static size_t decoder_bytes(struct jpeg_decompress_struct *cinfo)
{
    size_t total = DECODER_BYTES;
    bool all = jpeg_has_multiple_scans(cinfo);
    for (int i = 0; i < cinfo->num_components; i++) {
        const jpeg_component_info *part = &cinfo->comp_info[i];
        size_t across = (size_t)part->width_in_blocks + (size_t)part->h_samp_factor;
        size_t down = (size_t)part->height_in_blocks + (size_t)part->v_samp_factor;
        size_t bytes;
        /* Rows: those of one row of blocks, three times over for the context that upsampling needs,
         * and the upsampled rows. */
        if (!akin_add(total, across * (size_t)part->v_samp_factor * 64 * 3, &total) ||
            !akin_add(total, (size_t)cinfo->image_width * (size_t)cinfo->max_v_samp_factor * 2,
                      &total))
            return SIZE_MAX;
        if (all &&
            (!akin_mul(across * sizeof(JBLOCK), down, &bytes) || !akin_add(total, bytes, &total)))
            return SIZE_MAX;
    }
    return total;
}

static akin_status cut(job *j)
{
    if (j->cinfo.output_height == 0)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "JPEG ends inside its header");
    return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path, "JPEG ends at row %u of %u",
                     j->cinfo.output_scanline, j->cinfo.output_height);
}

/* With `lenient`, after the last row: what of the picture is from the file. Refuses less than half
 * the rows, and of a progressive file those of its first scan. */
static akin_status judge(job *j)
{
    const struct jpeg_decompress_struct *cinfo = &j->cinfo;
    const int height = (int)cinfo->image_height;
    int row = j->first_made < 0 ? height : j->first_made;
    bool coarse = false, missing = false;
    if (!j->ended)
        return AKIN_OK;
    for (int i = 0; i < cinfo->num_components; i++) {
        missing = missing || cinfo->comp_info[i].quant_table == NULL; /* no scan of it has begun */
        if (!cinfo->progressive_mode)
            continue;
        missing = missing || cinfo->coef_bits[i][0] < 0;
        for (int k = 0; k < DCTSIZE2; k++)
            coarse = coarse || cinfo->coef_bits[i][k] != 0; /* bits that are still to come */
    }
    /* Every scan but the first of the mean values refines what is there already. */
    if (cinfo->progressive_mode && (cinfo->Ss != 0 || cinfo->Ah != 0)) {
        coarse = coarse || row < height;
        row = height;
    }
    if (missing)
        row = 0;
    if (2 * (int64_t)row < height)
        return akin_fail(j->err, AKIN_E_TRUNCATED, j->from->path,
                         "JPEG ends at row %d of %d, before half of it is there", row, height);
    if (row < height)
        j->canvas.picture.damaged_row = row;
    else if (coarse)
        j->canvas.picture.damaged_row = AKIN_DAMAGED_COARSE;
    return AKIN_OK;
}

/* Everything that may longjmp. */
static akin_status decompress(job *j)
{
    struct jpeg_decompress_struct *cinfo = &j->cinfo;
    akin_status status;
    int header;
    do
        header = jpeg_read_header(cinfo, FALSE);
    while (header == JPEG_HEADER_TABLES_ONLY);
    if (header == JPEG_SUSPENDED)
        return cut(j);
    if (cinfo->num_components != 1 && cinfo->num_components != 3 && cinfo->num_components != 4)
        return akin_fail(j->err, AKIN_E_UNSUPPORTED, j->from->path, "JPEG of %d components",
                         cinfo->num_components);
    bool four = cinfo->num_components == 4;
    cinfo->out_color_space = four ? JCS_CMYK : JCS_RGB;

    status = akin_canvas_init(&j->canvas, (int)cinfo->image_width, (int)cinfo->image_height,
                              four ? AKIN_CMYK : AKIN_RGB, j->orientation, decoder_bytes(cinfo),
                              j->from, j->err);
    if (status != AKIN_OK)
        return status;

    if (!jpeg_start_decompress(cinfo))
        return cut(j);
    size_t pitch = (size_t)cinfo->output_width * j->canvas.pixel;
    while (cinfo->output_scanline < cinfo->output_height) {
        int y = (int)cinfo->output_scanline, count = 0;
        int want = (int)akin_min(AKIN_STRIP_ROWS, cinfo->output_height - cinfo->output_scanline);
        uint8_t *rows = akin_canvas_rows(&j->canvas, y);
        while (count < want) {
            JSAMPROW to = rows + (size_t)count * pitch;
            if (jpeg_read_scanlines(cinfo, &to, 1) != 1)
                return cut(j);
            for (size_t i = 0; four && i < pitch; i++)
                to[i] = (uint8_t)(255 - to[i]);
            count++;
        }
        akin_canvas_done(&j->canvas, y, count);
    }
    /* Looks for the end marker. That it is missing is no error by now; an error on the way is one
     * in Pillow, hence here. */
    status = judge(j); /* before the tables that it looks at are dropped */
    j->complete = true;
    jpeg_finish_decompress(cinfo);
    return status;
}

/* A function of its own, so that no variable lives across the setjmp. */
static akin_status guarded(job *j)
{
    if (setjmp(j->escape) != 0)
        return j->status;
    jpeg_create_decompress(&j->cinfo);
    j->cinfo.client_data = j;
    j->cinfo.src = &j->source;
    j->cinfo.progress = &j->progress;
    j->cinfo.mem->max_memory_to_use = 0; /* whatever JPEGMEM in the environment says */
    return decompress(j);
}

akin_status akin_jpeg_decode(akin_picture *out, const akin_encoded *from, akin_error *err)
{
    /* On the heap: what is changed between setjmp and longjmp must not live in registers. */
    job *j = calloc(1, sizeof *j);
    if (j == NULL)
        return akin_fail_nomem(err, "a JPEG decoder", sizeof *j);
    j->from = from;
    j->err = err;
    akin_status status;
    AKIN_TRY(read_orientation(j));

    j->cinfo.err = jpeg_std_error(&j->errors);
    j->errors.error_exit = on_error;
    j->errors.output_message = on_print;
    j->errors.emit_message = on_warning;
    j->first_made = -1;
    j->cinfo.client_data = j; /* for an error in jpeg_create_decompress, which keeps it */
    j->progress.progress_monitor = on_progress;
    j->source.next_input_byte = from->data;
    j->source.bytes_in_buffer = from->size;
    j->source.init_source = source_nothing;
    j->source.fill_input_buffer = source_fill;
    j->source.skip_input_data = source_skip;
    j->source.resync_to_restart = jpeg_resync_to_restart;
    j->source.term_source = source_nothing;

    status = guarded(j);
    if (status == AKIN_OK)
        akin_canvas_take(&j->canvas, from, out);
    jpeg_destroy_decompress(&j->cinfo);
out:
    akin_canvas_clear(&j->canvas);
    free(j);
    return status;
}
