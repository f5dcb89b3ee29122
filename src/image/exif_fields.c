/* exif_fields.c - date, camera, position and words of an EXIF block.
 *
 * Owns EXIF 2.32 (CIPA DC-008) as far as akin_metadata has fields for it, and Microsoft's XP tags.
 * Three directories, each walked once: the first, the EXIF and the GPS one that it points to.
 * Of several entries of a tag the first one with values inside the block counts. Reads the magic
 * numbers of the raw photographs that are TIFF files but for it; no BigTIFF.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/utf8.h"
#include "metadata_parts.h"
#include "tiff_fields.h"

typedef enum field {
    MAKE, MODEL, DESCRIPTION, XMP, XP_TITLE, XP_COMMENT, XP_KEYWORDS, EXIF_AT, GPS_AT,
    DATE_ORIGINAL, DATE_DIGITIZED, OFFSET_ORIGINAL, OFFSET_DIGITIZED, USER_COMMENT,
    LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE,
    FIELDS
} field;

typedef enum place { IN_MAIN = 1, IN_EXIF = 2, IN_GPS = 4 } place;

static const struct {
    uint16_t tag;
    uint8_t in;
} TAGS[FIELDS] = {
    [MAKE] = { 271, IN_MAIN },
    [MODEL] = { 272, IN_MAIN },
    [DESCRIPTION] = { 270, IN_MAIN },
    [XMP] = { 700, IN_MAIN },
    [XP_TITLE] = { 0x9c9b, IN_MAIN },
    [XP_COMMENT] = { 0x9c9c, IN_MAIN },
    [XP_KEYWORDS] = { 0x9c9e, IN_MAIN },
    [EXIF_AT] = { 0x8769, IN_MAIN },
    [GPS_AT] = { 0x8825, IN_MAIN },
    [DATE_ORIGINAL] = { 0x9003, IN_EXIF },
    [DATE_DIGITIZED] = { 0x9004, IN_EXIF },
    [OFFSET_ORIGINAL] = { 0x9011, IN_EXIF },
    [OFFSET_DIGITIZED] = { 0x9012, IN_EXIF },
    [USER_COMMENT] = { 0x9286, IN_EXIF },
    [LATITUDE_REF] = { 1, IN_GPS },
    [LATITUDE] = { 2, IN_GPS },
    [LONGITUDE_REF] = { 3, IN_GPS },
    [LONGITUDE] = { 4, IN_GPS },
};

/* Where the values of a field are; tiff is NULL when there are none. */
typedef struct values {
    const akin_tiff *tiff;
    unsigned type;
    size_t at, bytes;
} values;

typedef struct job {
    values found[FIELDS];
    akin_error *err;
} job;

static bool open_block(akin_block block, akin_tiff *out)
{
    static const char magics[][2] = { { 42, 0 }, { 'U', 0 }, { 'R', 'O' }, { 'R', 'S' } };
    for (int i = 0; i < 2 && block.size >= 6 && memcmp(block.data, "Exif\0\0", 6) == 0; i++) {
        block.data += 6;
        block.size -= 6;
    }
    if (block.data == NULL || block.size < 8)
        return false;
    const uint8_t *b = block.data;
    *out = (akin_tiff){ b, block.size, b[0] == 'M' };
    if (b[0] != b[1] || (b[0] != 'M' && b[0] != 'I'))
        return false;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) /* some swap them */
        if ((b[2] == magics[i][0] && b[3] == magics[i][1]) ||
            (b[2] == magics[i][1] && b[3] == magics[i][0]))
            return true;
    return false;
}

/* Takes the fields of `in` from a directory, those that were not found before. */
static void walk(job *j, const akin_tiff *t, uint64_t at, unsigned in)
{
    akin_tiff_directory d;
    if (!akin_tiff_directory_at(t, at, &d))
        return;
    for (akin_tiff_entry e; akin_tiff_next(&d, &e);) {
        for (size_t f = 0; f < FIELDS; f++) {
            if (TAGS[f].tag != e.tag || (TAGS[f].in & in) == 0 || j->found[f].tiff != NULL)
                continue;
            values v = { t, e.type, 0, 0 };
            if (akin_tiff_values(t, &e, &v.at, &v.bytes))
                j->found[f] = v;
        }
    }
}

/* An offset that a field holds, 0 when it holds none. */
static uint64_t pointer(const job *j, field f)
{
    const values *v = &j->found[f];
    return v->tiff != NULL && (v->type == 4 || v->type == 13)
               ? akin_tiff_number(v->tiff, v->at, 4) : 0;
}

/* ---- values */

static bool is_text(const values *v)
{
    return v->tiff != NULL && (v->type == 2 || v->type == 7 || v->type == 1);
}

static akin_status text(const job *j, field f, size_t max, bool lines, char **out)
{
    const values *v = &j->found[f];
    *out = NULL;
    if (!is_text(v))
        return AKIN_OK;
    return akin_metadata_text(v->tiff->data + v->at, v->bytes, max, lines, out, j->err);
}

/* Of a short field: its text up to the first NUL, cut. */
static const char *short_text(const job *j, field f, char out[64])
{
    const values *v = &j->found[f];
    size_t n = is_text(v) ? akin_min(v->bytes, 63) : 0;
    if (n != 0)
        memcpy(out, v->tiff->data + v->at, n);
    out[n] = '\0';
    return out;
}

static bool date(const job *j, field when, field zone, akin_metadata *m)
{
    char buffer[64], other[8];
    if (!akin_metadata_date(short_text(j, when, buffer), m->taken_at, m->offset))
        return false;
    if (akin_metadata_offset(short_text(j, zone, buffer), other))
        memcpy(m->offset, other, sizeof other);
    return true;
}

/* Degrees from up to three rationals, and a hemisphere. */
static bool degrees(const job *j, field amount, field ref, char positive, char negative,
                    double *out)
{
    const values *v = &j->found[amount], *r = &j->found[ref];
    if (v->tiff == NULL || v->type != 5 || v->bytes > 24 || !is_text(r))
        return false;
    *out = 0;
    for (size_t i = 0; i < v->bytes; i += 8) {
        const uint64_t above = akin_tiff_number(v->tiff, v->at + i, 4);
        const uint64_t below = akin_tiff_number(v->tiff, v->at + i + 4, 4);
        if (below == 0)
            return false;
        /* One division, so that 30/1 minutes are half a degree and not nearly. */
        *out += (double)above / ((double)below * (i == 0 ? 1 : i == 8 ? 60 : 3600));
    }
    const char side = (char)(r->tiff->data[r->at] & ~0x20);
    if (side == negative)
        *out = -*out;
    return side == positive || side == negative;
}

/* Eight bytes that name the character code, then text. Without a code only what is plainly text. */
static akin_status user_comment(const job *j, char **out)
{
    const values *v = &j->found[USER_COMMENT];
    *out = NULL;
    if (!is_text(v) || v->bytes <= 8)
        return AKIN_OK;
    const uint8_t *code = v->tiff->data + v->at, *bytes = code + 8;
    const size_t size = v->bytes - 8;
    if (memcmp(code, "UNICODE\0", 8) == 0) {
        /* In the order of the block, says EXIF; writers differ, but most text has ASCII in it. */
        size_t zeros[2] = { 0, 0 };
        for (size_t i = 0; i < akin_min(size, 512); i++)
            zeros[i % 2] += bytes[i] == 0;
        const bool big = zeros[0] != zeros[1] ? zeros[0] > zeros[1] : v->tiff->big_endian;
        return akin_metadata_text16(bytes, size, big, AKIN_METADATA_TEXT, true, out, j->err);
    }
    static const uint8_t none[8] = { 0 };
    const uint8_t *nul = memchr(bytes, 0, size);
    const size_t text_size = nul != NULL ? (size_t)(nul - bytes) : size;
    if (memcmp(code, "ASCII\0\0\0", 8) != 0 &&
        (memcmp(code, none, 8) != 0 || !akin_utf8_valid((const char *)bytes, text_size, NULL)))
        return AKIN_OK;
    return akin_metadata_text(bytes, text_size, AKIN_METADATA_TEXT, true, out, j->err);
}

static akin_status xp_text(const job *j, field f, bool lines, char **out)
{
    const values *v = &j->found[f];
    *out = NULL;
    if (!is_text(v))
        return AKIN_OK;
    return akin_metadata_text16(v->tiff->data + v->at, v->bytes, false, AKIN_METADATA_TEXT, lines,
                                out, j->err);
}

/* The first description of three that is one. */
static akin_status caption(const job *j, char **out)
{
    akin_status status = AKIN_OK;
    for (int i = 0; i < 3; i++) {
        AKIN_TRY(i == 0   ? text(j, DESCRIPTION, AKIN_METADATA_TEXT, true, out)
                 : i == 1 ? xp_text(j, XP_COMMENT, true, out)
                          : user_comment(j, out));
        if (*out != NULL && !akin_metadata_is_junk(*out))
            return AKIN_OK;
        free(*out);
        *out = NULL;
    }
out:
    return status;
}

/* XPKeywords: tags with ';' between them. */
static akin_status keywords(const job *j, akin_metadata *m)
{
    char *all = NULL;
    akin_status status = xp_text(j, XP_KEYWORDS, false, &all);
    for (const char *p = all; status == AKIN_OK && p != NULL;) {
        const size_t n = strcspn(p, ";");
        status = akin_metadata_add_tag(m, p, n, j->err);
        p = p[n] != '\0' ? p + n + 1 : NULL;
    }
    free(all);
    return status;
}

akin_status akin_exif_fields(akin_metadata *m, const akin_metadata_blocks *blocks, akin_block *xmp,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    job j = { .err = err };
    akin_tiff main, fields, gps;
    char *make = NULL, *model = NULL;
    *xmp = (akin_block){ NULL, 0 };
    if (open_block(blocks->fields, &fields))
        walk(&j, &fields, akin_tiff_number(&fields, 4, 4), IN_EXIF);
    if (open_block(blocks->gps, &gps))
        walk(&j, &gps, akin_tiff_number(&gps, 4, 4), IN_GPS);
    if (open_block(blocks->exif, &main)) {
        const uint64_t first = akin_tiff_number(&main, 4, 4);
        walk(&j, &main, first, IN_MAIN);
        if (pointer(&j, EXIF_AT) != 0)
            walk(&j, &main, pointer(&j, EXIF_AT), IN_EXIF);
        if (pointer(&j, GPS_AT) != 0)
            walk(&j, &main, pointer(&j, GPS_AT), IN_GPS);
        walk(&j, &main, first, IN_EXIF); /* TIFF/EP has the date there */
    }
    if (!date(&j, DATE_ORIGINAL, OFFSET_ORIGINAL, m))
        date(&j, DATE_DIGITIZED, OFFSET_DIGITIZED, m);
    double latitude, longitude;
    if (degrees(&j, LATITUDE, LATITUDE_REF, 'N', 'S', &latitude) &&
        degrees(&j, LONGITUDE, LONGITUDE_REF, 'E', 'W', &longitude))
        akin_metadata_set_position(m, latitude, longitude);
    AKIN_TRY(text(&j, MAKE, 127, false, &make));
    AKIN_TRY(text(&j, MODEL, 127, false, &model));
    akin_metadata_camera(make, model, m->camera);
    AKIN_TRY(caption(&j, &m->caption));
    AKIN_TRY(xp_text(&j, XP_TITLE, false, &m->title));
    AKIN_TRY(keywords(&j, m));
    const values *packet = &j.found[XMP];
    if (packet->tiff != NULL && (packet->type == 1 || packet->type == 7))
        *xmp = (akin_block){ packet->tiff->data + packet->at, packet->bytes };
out:
    free(make);
    free(model);
    return status;
}
