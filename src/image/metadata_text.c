/* metadata_text.c - text, dates and places out of EXIF and XMP: what they may be is decided here,
 * once for both. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arith.h"
#include "base/utf8.h"
#include "metadata_parts.h"

/* ---- characters */

/* Where text is written. No more than max bytes; what is cut leaves whole characters. */
typedef struct writer {
    char *out;
    size_t size, max;
    bool lines, full, after_return;
} writer;

static void put(writer *w, uint32_t c)
{
    char bytes[4];
    const bool second_half = c == '\n' && w->after_return;
    w->after_return = c == '\r';
    if (second_half)
        return;
    if (c == '\r')
        c = '\n';
    if (c == '\t' || (c == '\n' && !w->lines))
        c = ' ';
    if ((c < 0x20 && c != '\n') || (c >= 0x7f && c < 0xa0) || (c == ' ' && w->size == 0) ||
        (c == '\n' && w->size == 0) || (c == 0xfeff && w->size == 0))
        return;
    const size_t n = akin_utf8_encode(c, bytes);
    if (w->full || n > w->max - w->size) {
        w->full = true;
        return;
    }
    memcpy(w->out + w->size, bytes, n);
    w->size += n;
}

/* Hands over what was written, NULL when that is nothing. */
static void finish(writer *w, char **out)
{
    while (w->size != 0 && (w->out[w->size - 1] == ' ' || w->out[w->size - 1] == '\n'))
        w->size--;
    w->out[w->size] = '\0';
    if (w->size == 0) {
        free(w->out);
        w->out = NULL;
    }
    *out = w->out;
}

/* Whether it is UTF-8, also where the last character was cut: a field of fixed size. One wrong byte
 * at the end of plain ASCII is Latin-1 ("Caf\xe9"). */
static bool is_utf8(const char *text, size_t *size)
{
    size_t offset = 0;
    if (akin_utf8_valid(text, *size, &offset))
        return true;
    if (*size - offset > 3 || (unsigned char)text[offset] < 0xc2)
        return false;
    bool before = false;
    for (size_t i = 0; i < offset; i++)
        before = before || (unsigned char)text[i] >= 0x80;
    for (size_t i = offset + 1; i < *size; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return false;
    if (before)
        *size = offset;
    return before;
}

akin_status akin_metadata_text(const void *bytes, size_t size, size_t max, bool lines, char **out,
                               akin_error *err)
{
    const char *text = bytes;
    *out = NULL;
    if (size == 0)
        return AKIN_OK;
    const char *nul = memchr(text, 0, size);
    if (nul != NULL)
        size = (size_t)(nul - text);
    while (size != 0 && (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')) {
        text++;
        size--;
    }
    if (size == 0)
        return AKIN_OK;
    writer w = { .max = max, .lines = lines };
    const size_t room = akin_min(max, 2 * size) + 1;
    w.out = malloc(room);
    if (w.out == NULL)
        return akin_fail_nomem(err, "a picture's metadata", room);
    if (is_utf8(text, &size)) {
        for (size_t i = 0; i < size && !w.full;) {
            uint32_t c = 0;
            i += akin_utf8_decode(text + i, size - i, &c);
            put(&w, c);
        }
    } else {
        for (size_t i = 0; i < size && !w.full; i++)
            put(&w, (unsigned char)text[i]);
    }
    finish(&w, out);
    return AKIN_OK;
}

akin_status akin_metadata_text16(const uint8_t *bytes, size_t size, bool big_endian, size_t max,
                                 bool lines, char **out, akin_error *err)
{
    *out = NULL;
    if (size >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) ||
                      (bytes[0] == 0xfe && bytes[1] == 0xff))) {
        big_endian = bytes[0] == 0xfe;
        bytes += 2;
        size -= 2;
    }
    if (size < 2)
        return AKIN_OK;
    writer w = { .max = max, .lines = lines };
    const size_t room = akin_min(max, 3 * (size / 2)) + 1;
    w.out = malloc(room);
    if (w.out == NULL)
        return akin_fail_nomem(err, "a picture's metadata", room);
    for (size_t i = 0; i + 2 <= size && !w.full; i += 2) {
        uint32_t c = (uint32_t)bytes[i + big_endian] | (uint32_t)bytes[i + !big_endian] << 8;
        if (c >= 0xd800 && c < 0xdc00 && i + 4 <= size) {
            const uint32_t low =
                (uint32_t)bytes[i + 2 + big_endian] | (uint32_t)bytes[i + 2 + !big_endian] << 8;
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        if (c == 0)
            break;
        put(&w, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    }
    finish(&w, out);
    return AKIN_OK;
}

/* ---- descriptions */

bool akin_metadata_is_junk(const char *text)
{
    static const char *const whole[] = {
        "OLYMPUS DIGITAL CAMERA", "SONY DSC", "MINOLTA DIGITAL CAMERA", "Minolta DSC",
        "KONICA MINOLTA DIGITAL CAMERA", "PENTAX DIGITAL CAMERA", "SAMSUNG DIGITAL CAMERA",
        "SAMSUNG CAMERA PICTURES", "CASIO DIGITAL CAMERA", "DIGITAL CAMERA", "DCIM", "DSC",
        "KODAK Digital Still Camera", "Exif_JPEG_PICTURE", "Exif JPEG", "JPEG", "AppleMark",
        "My beautiful picture", "binary comment", "default", "untitled", "null",
        "cof", "dav", "hdr", "mde", "rbt", "sdr", "rhdr", "oznor", "nor", "edf", "bty", "ptr",
    };
    static const char *const beginnings[] = {
        "<?xml", "ImageJ=", "{\"shape\"", "LEAD Technologies", "charset=", "Hisilicon"
    };
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcasecmp(text, whole[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_word(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

/* Appends as much of `text` as fits, cut between characters. */
static void append(char out[128], const char *text)
{
    const size_t at = strlen(out);
    size_t n = akin_min(strlen(text), 127 - at);
    while (n != 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(out + at, text, n);
    out[at + n] = '\0';
}

void akin_metadata_camera(const char *make, const char *model, char out[128])
{
    out[0] = '\0';
    if (make != NULL && model != NULL) {
        size_t n = 0;
        while (is_word(make[n]) && lower(make[n]) == lower(model[n]))
            n++;
        if (n != 0 && !is_word(make[n]) && !is_word(model[n]))
            make = NULL;
    }
    if (make != NULL)
        append(out, make);
    if (make != NULL && model != NULL)
        append(out, " ");
    if (model != NULL)
        append(out, model);
    for (size_t n = strlen(out); n != 0 && out[n - 1] == ' '; n--)
        out[n - 1] = '\0';
}

/* ---- dates and places */

/* Exactly n digits. */
static bool digits(const char **p, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        const char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        *out = *out * 10 + (c - '0');
    }
    *p += n;
    return true;
}

static void put_digits(char *out, int n, int value)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

static bool zone(const char **p, char offset[8])
{
    const char sign = **p;
    int hour = 0, minute = 0;
    offset[0] = '\0';
    if (sign != '+' && sign != '-' && sign != 'Z')
        return false;
    ++*p;
    if (sign != 'Z') {
        if (!digits(p, 2, &hour))
            return false;
        *p += **p == ':';
        if (!digits(p, 2, &minute) || hour > 15 || minute > 59)
            return false;
    }
    offset[0] = sign == '-' ? '-' : '+';
    put_digits(offset + 1, 2, hour);
    offset[3] = ':';
    put_digits(offset + 4, 2, minute);
    offset[6] = '\0';
    return true;
}

static bool at_end(const char *p) { return p[strspn(p, " \t\r\n")] == '\0'; }

bool akin_metadata_offset(const char *text, char offset[8])
{
    text += strspn(text, " ");
    if (zone(&text, offset) && at_end(text))
        return true;
    offset[0] = '\0';
    return false;
}

static bool is_separator(char c) { return c == ':' || c == '-' || c == '/' || c == '.'; }

bool akin_metadata_date(const char *p, char taken_at[32], char offset[8])
{
    static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year, month, day, hour = 0, minute = 0, second = 0;
    char here[8] = "";
    p += strspn(p, " \t\r\n");
    if (!digits(&p, 4, &year) || !is_separator(*p) || (p++, !digits(&p, 2, &month)) ||
        !is_separator(*p) || (p++, !digits(&p, 2, &day)))
        return false;
    if (year == 0 || month < 1 || month > 12 || day < 1)
        return false;
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    if ((*p == 'T' || *p == ' ') && !at_end(p)) {
        p++;
        if (!digits(&p, 2, &hour) || *p != ':' || (p++, !digits(&p, 2, &minute)))
            return false;
        if (*p == ':' && (p++, !digits(&p, 2, &second)))
            return false;
        if (*p == '.')
            for (p++; *p >= '0' && *p <= '9'; p++)
                ;
        if (hour > 23 || minute > 59 || second > 59)
            return false;
        if ((*p == '+' || *p == '-' || *p == 'Z') && !zone(&p, here))
            return false;
    }
    if (!at_end(p))
        return false;
    memcpy(taken_at, "0000-00-00T00:00:00", 20);
    put_digits(taken_at, 4, year);
    put_digits(taken_at + 5, 2, month);
    put_digits(taken_at + 8, 2, day);
    put_digits(taken_at + 11, 2, hour);
    put_digits(taken_at + 14, 2, minute);
    put_digits(taken_at + 17, 2, second);
    memcpy(offset, here, sizeof here);
    return true;
}

bool akin_metadata_set_date(akin_metadata *m, const char *text)
{
    return akin_metadata_date(text, m->taken_at, m->offset);
}

bool akin_metadata_set_position(akin_metadata *m, double latitude, double longitude)
{
    /* Written so that a NaN says no. */
    if (!(latitude >= -90 && latitude <= 90 && longitude >= -180 && longitude <= 180) ||
        (latitude == 0 && longitude == 0))
        return false;
    m->has_position = true;
    m->latitude = latitude;
    m->longitude = longitude;
    return true;
}

/* ---- words */

akin_status akin_metadata_set_text(char **text, const char *bytes, size_t size, bool lines,
                                   akin_error *err)
{
    char *clean;
    akin_status status = akin_metadata_text(bytes, size, AKIN_METADATA_TEXT, lines, &clean, err);
    if (clean != NULL) {
        free(*text);
        *text = clean;
    }
    return status;
}

akin_status akin_metadata_add_tag(akin_metadata *m, const char *text, size_t size,
                                  akin_error *err)
{
    char *tag;
    if (m->tag_count == AKIN_METADATA_TAGS)
        return AKIN_OK;
    akin_status status = akin_metadata_text(text, size, AKIN_METADATA_TAG, false, &tag, err);
    if (status != AKIN_OK || tag == NULL)
        return status;
    if (m->tags == NULL)
        m->tags = calloc(AKIN_METADATA_TAGS, sizeof *m->tags);
    if (m->tags == NULL) {
        free(tag);
        return akin_fail_nomem(err, "a picture's tags", AKIN_METADATA_TAGS * sizeof *m->tags);
    }
    for (size_t i = 0; i < m->tag_count; i++) {
        if (strcmp(m->tags[i], tag) == 0) {
            free(tag);
            return AKIN_OK;
        }
    }
    m->tags[m->tag_count++] = tag;
    return AKIN_OK;
}
