/* sidecar.c - the words beside a picture.
 *
 * Owns which files those are, what of them counts, and the JSON of an item's metadata. Sidecars are
 * tried by name instead of looked for: a folder of 100,000 pictures would otherwise be read 100,000
 * times. Refuses text that is not UTF-8 and files above 1 MiB, with the reason; what is refused
 * adds nothing. What a person wrote is never changed: akin only reads.
 */
#include "sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arith.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"

/* ---- names */

typedef enum kind { XMP, JSON, TEXT, KINDS } kind; /* in the order in which they are read */

/* In every form in which they are read. */
static const char *const ENDINGS[KINDS][3] = {
    { ".xmp", ".XMP", ".Xmp" },
    { ".json", ".JSON", ".Json" },
    { ".txt", ".TXT", ".Txt" },
};

/* Google Takeout writes photo.jpg.supplemental-metadata.json, cut to 46 bytes before ".json". */
static const char TAKEOUT[] = ".supplemental-metadata";
enum { TAKEOUT_BYTES = 46, NAME_BYTES = 255, FORMS = 3 };

static bool ends_with(const char *name, size_t size, const char *ending)
{
    const size_t n = strlen(ending);
    return size > n && memcmp(name + size - n, ending, n) == 0;
}

bool akin_sidecar_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (int k = 0; dot != NULL && dot != name && k < KINDS; k++)
        if (strcasecmp(dot, ENDINGS[k][0]) == 0)
            return true;
    return false;
}

/* Bytes of a name before its ending, all when it has none. */
static size_t stem_size(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name);
}

bool akin_sidecar_belongs(const char *sidecar, const char *picture)
{
    if (sidecar[0] != picture[0])
        return false;
    const size_t size = strlen(sidecar), whole = strlen(picture), stem = stem_size(picture);
    for (int k = 0; k < KINDS; k++) {
        for (int f = 0; f < FORMS; f++) {
            if (!ends_with(sidecar, size, ENDINGS[k][f]))
                continue;
            const size_t base = size - strlen(ENDINGS[k][f]);
            if (strcmp(sidecar, picture) == 0)
                return false;
            if ((base == stem || base == whole) && memcmp(sidecar, picture, base) == 0)
                return true;
            const size_t rest = base - akin_min(base, whole);
            return k == JSON && rest > 1 && memcmp(sidecar, picture, whole) == 0 &&
                   (rest == sizeof TAKEOUT - 1 ||
                    (base == TAKEOUT_BYTES && rest < sizeof TAKEOUT - 1)) &&
                   memcmp(sidecar + whole, TAKEOUT, rest) == 0;
        }
    }
    return false;
}

/* ---- reading */

/* Objects, from the one that has the last word down. */
enum { MAX_OBJECTS = 4 * FORMS };

typedef struct job {
    akin_metadata *m;
    const char *picture; /* its name */
    akin_error *why, *err;
    akin_json *objects[MAX_OBJECTS];
    size_t object_count;
} job;

/* Keeps the first reason; only a lack of memory is an error. */
static akin_status told(job *j, const akin_error *reason)
{
    if (reason->code == AKIN_E_NOMEM) {
        if (j->err != NULL)
            *j->err = *reason;
        return AKIN_E_NOMEM;
    }
    if (j->why->code == AKIN_OK)
        *j->why = *reason;
    return AKIN_OK;
}

/* Takes the byte order mark off; refuses what is not UTF-8 text. */
static akin_status as_text(const char *path, const char **bytes, size_t *size, akin_error *reason)
{
    const char *b = *bytes;
    size_t offset = 0;
    if (*size >= 2 && (memcmp(b, "\xff\xfe", 2) == 0 || memcmp(b, "\xfe\xff", 2) == 0))
        return akin_fail(reason, AKIN_E_UTF8, path, "a sidecar in UTF-16; save it as UTF-8");
    if (*size >= 3 && memcmp(b, "\xef\xbb\xbf", 3) == 0) {
        *bytes += 3;
        *size -= 3;
    }
    if (*size != 0 && (b = memchr(*bytes, 0, *size)) != NULL)
        return akin_fail(reason, AKIN_E_UTF8, path,
                         "a sidecar that is no text: byte %zu is a NUL", (size_t)(b - *bytes));
    if (!akin_utf8_valid(*bytes, *size, &offset))
        return akin_fail(reason, AKIN_E_UTF8, path,
                         "a sidecar that is not UTF-8 (byte %zu); save it as UTF-8", offset);
    return AKIN_OK;
}

/* "2018-07-10T15:22:11+00:00" of seconds since 1970; false outside of years 1 to 9999. */
static bool utc(int64_t seconds, char out[64])
{
    if (seconds < -62135596800 || seconds > 253402300799)
        return false;
    seconds += 62135596800; /* since year 1, so that nothing below is negative */
    int64_t days = seconds / 86400, year = 1;
    seconds %= 86400;
    year += days / 146097 * 400;
    days %= 146097;
    const int64_t centuries = days / 36524 < 4 ? days / 36524 : 3;
    year += centuries * 100;
    days -= centuries * 36524;
    year += days / 1461 * 4;
    days %= 1461;
    const int64_t years = days / 365 < 4 ? days / 365 : 3;
    year += years;
    days -= years * 365;
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int lengths[] = { 31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int month = 0;
    while (days >= lengths[month])
        days -= lengths[month++];
    snprintf(out, 64, "%04d-%02d-%02dT%02d:%02d:%02d+00:00", (int)year, month + 1, (int)days + 1,
             (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
    return true;
}

/* An integer, or text that is one. */
static bool whole_number(const akin_json *value, int64_t *out)
{
    const char *p = akin_json_string(value);
    *out = akin_json_integer(value);
    if (p == NULL)
        return akin_json_is_integer(value);
    const bool minus = *p == '-';
    int64_t n = 0;
    int digits = 0;
    for (p += minus; *p >= '0' && *p <= '9' && digits < 15; p++, digits++)
        n = n * 10 + (*p - '0');
    *out = minus ? -n : n;
    return digits != 0 && *p == '\0';
}

static akin_status words(char **to, const akin_json *value, bool lines, akin_error *err)
{
    const char *text = akin_json_string(value);
    return text != NULL ? akin_metadata_set_text(to, text, akin_json_string_size(value), lines, err)
                        : AKIN_OK;
}

/* What Google Photos knew of a picture. Its "title" is the file's name. */
static akin_status takeout(job *j, const akin_json *object)
{
    akin_status status = AKIN_OK;
    int64_t seconds;
    char date[64];
    const akin_json *taken = akin_json_get(akin_json_get(object, "photoTakenTime"), "timestamp");
    AKIN_TRY(words(&j->m->caption, akin_json_get(object, "description"), true, j->err));
    if (j->m->taken_at[0] == '\0' && whole_number(taken, &seconds) && utc(seconds, date))
        akin_metadata_set_date(j->m, date);
    static const char *const places[] = { "geoData", "geoDataExif" };
    for (size_t i = 0; i < 2 && !j->m->has_position; i++) {
        const akin_json *geo = akin_json_get(object, places[i]);
        const akin_json *latitude = akin_json_get(geo, "latitude");
        const akin_json *longitude = akin_json_get(geo, "longitude");
        if (akin_json_is_number(latitude) && akin_json_is_number(longitude))
            akin_metadata_set_position(j->m, akin_json_double(latitude),
                                       akin_json_double(longitude));
    }
out:
    return status;
}

/* The object's tags, then those that there are: a list of strings, or one with commas. */
static akin_status tags(job *j, const akin_json *value)
{
    akin_status status = AKIN_OK;
    akin_metadata all = { 0 };
    const char *text = akin_json_string(value);
    if (text == NULL && akin_json_count(value) == 0)
        return AKIN_OK;
    while (text != NULL) {
        const size_t n = strcspn(text, ",");
        AKIN_TRY(akin_metadata_add_tag(&all, text, n, j->err));
        text = text[n] != '\0' ? text + n + 1 : NULL;
    }
    for (size_t i = 0; i < akin_json_count(value); i++) {
        const akin_json *tag = akin_json_at(value, i);
        if (akin_json_is_string(tag))
            AKIN_TRY(akin_metadata_add_tag(&all, akin_json_string(tag), akin_json_string_size(tag),
                                           j->err));
    }
    for (size_t i = 0; i < j->m->tag_count; i++)
        AKIN_TRY(akin_metadata_add_tag(&all, j->m->tags[i], strlen(j->m->tags[i]), j->err));
    char **items = j->m->tags;
    const size_t count = j->m->tag_count;
    j->m->tags = all.tags;
    j->m->tag_count = all.tag_count;
    all.tags = items;
    all.tag_count = count;
out:
    akin_metadata_clear(&all);
    return status;
}

/* Fields of ours that are there but of another kind: told, since they are not kept either. */
static akin_status check_kinds(job *j, const akin_json *object, const char *path)
{
    static const char *const texts[] = { "caption", "title", "taken_at", "camera" };
    static const char *const numbers[] = { "latitude", "longitude" };
    const char *wrong = NULL, *should = "a string";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const akin_json *value = akin_json_get(object, texts[i]);
        if (value != NULL && !akin_json_is_string(value) && !akin_json_is_null(value))
            wrong = texts[i];
    }
    for (size_t i = 0; wrong == NULL && i < sizeof numbers / sizeof numbers[0]; i++) {
        const akin_json *value = akin_json_get(object, numbers[i]);
        if (value != NULL && !akin_json_is_number(value) && !akin_json_is_null(value)) {
            wrong = numbers[i];
            should = "a number";
        }
    }
    const akin_json *list = akin_json_get(object, "tags");
    bool strings = list == NULL || akin_json_is_null(list) || akin_json_is_string(list) ||
                   akin_json_is_array(list);
    for (size_t i = 0; i < akin_json_count(list); i++)
        strings = strings && akin_json_is_string(akin_json_at(list, i));
    if (wrong == NULL && !strings) {
        wrong = "tags";
        should = "a list of strings";
    }
    if (wrong == NULL)
        return AKIN_OK;
    akin_error reason;
    akin_fail(&reason, AKIN_E_FORMAT, path, "field '%s' must be %s; the rest was read", wrong,
              should);
    return told(j, &reason);
}

static akin_status read_object(job *j, const char *path, const char *bytes, size_t size)
{
    akin_status status = AKIN_OK;
    akin_error reason;
    akin_metadata *m = j->m;
    akin_json *object = NULL;
    if (akin_json_parse_object(bytes, size, path, &object, &reason) != AKIN_OK)
        return told(j, &reason);
    j->objects[j->object_count++] = object; /* freed with the job */
    if (akin_json_is_object(akin_json_get(object, "photoTakenTime"))) {
        AKIN_TRY(takeout(j, object));
        return AKIN_OK;
    }
    AKIN_TRY(check_kinds(j, object, path));
    AKIN_TRY(words(&m->caption, akin_json_get(object, "caption"), true, j->err));
    AKIN_TRY(words(&m->title, akin_json_get(object, "title"), false, j->err));
    AKIN_TRY(tags(j, akin_json_get(object, "tags")));
    const char *date = akin_json_string(akin_json_get(object, "taken_at"));
    if (m->taken_at[0] == '\0' && date != NULL)
        akin_metadata_set_date(m, date);
    char *camera = NULL;
    AKIN_TRY(words(&camera, akin_json_get(object, "camera"), false, j->err));
    if (m->camera[0] == '\0' && camera != NULL) {
        size_t n = akin_min(strlen(camera), sizeof m->camera - 1);
        while (n != 0 && ((unsigned char)camera[n] & 0xc0) == 0x80)
            n--;
        memcpy(m->camera, camera, n);
        m->camera[n] = '\0';
    }
    free(camera);
    const akin_json *latitude = akin_json_get(object, "latitude");
    const akin_json *longitude = akin_json_get(object, "longitude");
    if (!m->has_position && akin_json_is_number(latitude) && akin_json_is_number(longitude))
        akin_metadata_set_position(m, akin_json_double(latitude), akin_json_double(longitude));
out:
    return status;
}

/* One file, if it is there. */
static akin_status read_one(job *j, const char *path, kind k)
{
    akin_status status = AKIN_OK;
    akin_error reason;
    akin_buffer file;
    if (!akin_path_is_file(path))
        return AKIN_OK;
    akin_status got = akin_file_read(path, "sidecar", AKIN_SIDECAR_BYTES, &file, &reason);
    if (got == AKIN_E_NOT_FOUND) /* it has just gone */
        return AKIN_OK;
    if (got != AKIN_OK)
        return told(j, &reason);
    const char *bytes = file.data;
    size_t size = file.size;
    if (size == 0)
        goto out;
    if (k == XMP) {
        got = akin_metadata_parse_xmp(j->m, bytes, size, &reason);
        if (got != AKIN_OK) {
            snprintf(reason.path, sizeof reason.path, "%s", path);
            status = told(j, &reason);
        }
    } else if (as_text(path, &bytes, &size, &reason) != AKIN_OK) {
        status = told(j, &reason);
    } else if (k == JSON) {
        status = read_object(j, path, bytes, size);
    } else {
        status = akin_metadata_set_text(&j->m->caption, bytes, size, true, j->err);
    }
out:
    akin_buffer_clear(&file);
    return status;
}

/* All files of a kind whose name before the ending is name[0..base). */
static akin_status read_kind(job *j, akin_buffer *path, const char *name, size_t base, kind k)
{
    akin_status status = AKIN_OK;
    const size_t folder = path->size;
    for (int f = FORMS - 1; f >= 0 && base + strlen(ENDINGS[k][f]) <= NAME_BYTES; f--) {
        AKIN_TRY(akin_buffer_add(path, name, base, j->err));
        AKIN_TRY(akin_buffer_add_text(path, ENDINGS[k][f], j->err));
        if (strcmp(path->data + folder, j->picture) != 0)
            AKIN_TRY(read_one(j, path->data, k));
        path->size = folder;
    }
out:
    return status;
}

/* ---- JSON */

static akin_status put_text(akin_buffer *out, const char *text, size_t size, akin_error *err)
{
    akin_status status = AKIN_OK;
    size_t from = 0;
    AKIN_TRY(akin_buffer_add(out, "\"", 1, err));
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)text[i];
        char escape[8];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        if (c == '\n')
            snprintf(escape, sizeof escape, "\\n");
        else if (c < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", c);
        else
            snprintf(escape, sizeof escape, "\\%c", c);
        AKIN_TRY(akin_buffer_add(out, text + from, i - from, err));
        AKIN_TRY(akin_buffer_add_text(out, escape, err));
        from = i + 1;
    }
    AKIN_TRY(akin_buffer_add(out, text + from, size - from, err));
    AKIN_TRY(akin_buffer_add(out, "\"", 1, err));
out:
    return status;
}

/* The shortest of 15 to 17 digits that reads back the same. A locale may write another point. */
static akin_status put_real(akin_buffer *out, double value, akin_error *err)
{
    char text[64], point_free[64];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    size_t n = 0;
    bool real = false;
    for (const char *p = text; *p != '\0'; p++) {
        const bool plain = (*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == 'e';
        if (plain)
            point_free[n++] = *p;
        else if (n == 0 || point_free[n - 1] != '.')
            point_free[n++] = '.';
        real = real || !plain || *p == 'e';
    }
    point_free[n] = '\0';
    akin_status status = akin_buffer_add(out, point_free, n, err);
    return status == AKIN_OK && !real ? akin_buffer_add(out, ".0", 2, err) : status;
}

/* Recursion is bounded by the depth that akin_json_parse allows. */
static akin_status put_value(akin_buffer *out, const akin_json *value, akin_error *err)
{
    akin_status status = AKIN_OK;
    char number[32];
    switch (akin_json_kind_of(value)) {
    case AKIN_JSON_NULL: return akin_buffer_add_text(out, "null", err);
    case AKIN_JSON_FALSE: return akin_buffer_add_text(out, "false", err);
    case AKIN_JSON_TRUE: return akin_buffer_add_text(out, "true", err);
    case AKIN_JSON_INTEGER:
        snprintf(number, sizeof number, "%lld", (long long)akin_json_integer(value));
        return akin_buffer_add_text(out, number, err);
    case AKIN_JSON_REAL: return put_real(out, akin_json_double(value), err);
    case AKIN_JSON_STRING:
        return put_text(out, akin_json_string(value), akin_json_string_size(value), err);
    case AKIN_JSON_ARRAY:
        for (size_t i = 0; i < akin_json_count(value); i++) {
            AKIN_TRY(akin_buffer_add_text(out, i == 0 ? "[" : ",", err));
            AKIN_TRY(put_value(out, akin_json_at(value, i), err));
        }
        return akin_buffer_add_text(out, akin_json_count(value) == 0 ? "[]" : "]", err);
    case AKIN_JSON_OBJECT:
        for (size_t i = 0; i < akin_json_members(value); i++) {
            const char *key = akin_json_key(value, i);
            AKIN_TRY(akin_buffer_add_text(out, i == 0 ? "{" : ",", err));
            AKIN_TRY(put_text(out, key, strlen(key), err));
            AKIN_TRY(akin_buffer_add(out, ":", 1, err));
            AKIN_TRY(put_value(out, akin_json_member(value, i), err));
        }
        return akin_buffer_add_text(out, akin_json_members(value) == 0 ? "{}" : "}", err);
    }
out:
    return status;
}

/* Of several objects with a member the last one's counts. */
static akin_status put_extra(job *j, akin_buffer *extra, akin_error *err)
{
    static const char *const ours[] = { "width", "height", "taken_at", "offset", "camera",
                                        "latitude", "longitude", "title", "caption", "tags",
                                        "video" };
    akin_status status = AKIN_OK;
    for (size_t k = j->object_count; k-- != 0;) {
        for (size_t i = 0; i < akin_json_members(j->objects[k]); i++) {
            const char *key = akin_json_key(j->objects[k], i);
            bool known = false;
            for (size_t o = 0; o < sizeof ours / sizeof ours[0]; o++)
                known = known || strcmp(key, ours[o]) == 0;
            for (size_t o = k + 1; o < j->object_count; o++)
                known = known || akin_json_get(j->objects[o], key) != NULL;
            if (known)
                continue;
            if (extra->size != 0)
                AKIN_TRY(akin_buffer_add(extra, ",", 1, err));
            AKIN_TRY(put_text(extra, key, strlen(key), err));
            AKIN_TRY(akin_buffer_add(extra, ":", 1, err));
            AKIN_TRY(put_value(extra, akin_json_member(j->objects[k], i), err));
        }
    }
out:
    return status;
}

akin_status akin_sidecar_read(const char *picture, akin_metadata *m, akin_buffer *extra,
                              akin_error *why, akin_error *err)
{
    akin_status status = AKIN_OK;
    const char *slash = strrchr(picture, '/'), *name = slash != NULL ? slash + 1 : picture;
    job j = { .m = m, .picture = name, .why = why, .err = err };
    akin_buffer path, taken;
    akin_error reason;
    *why = (akin_error){ .code = AKIN_OK };
    akin_buffer_init(&path, "a sidecar's path", strlen(picture) + NAME_BYTES);
    akin_buffer_init(&taken, "a sidecar's name", 2 * NAME_BYTES);
    AKIN_TRY(akin_buffer_add(&path, picture, (size_t)(name - picture), err));
    AKIN_TRY(akin_buffer_add(extra, "", 0, err)); /* "", not NULL */
    const size_t whole = strlen(name), stem = stem_size(name);
    if (whole == 0 || whole > NAME_BYTES)
        goto out;
    AKIN_TRY(akin_buffer_add(&taken, name, whole, err));
    AKIN_TRY(akin_buffer_add_text(&taken, TAKEOUT, err));
    for (kind k = 0; k < KINDS; k++) {
        if (stem != whole)
            AKIN_TRY(read_kind(&j, &path, name, stem, k));
        AKIN_TRY(read_kind(&j, &path, name, whole, k));
        if (k != JSON)
            continue;
        AKIN_TRY(read_kind(&j, &path, taken.data, taken.size, k));
        if (taken.size > TAKEOUT_BYTES && whole < TAKEOUT_BYTES - 1)
            AKIN_TRY(read_kind(&j, &path, taken.data, TAKEOUT_BYTES, k));
    }
    if (put_extra(&j, extra, &reason) != AKIN_OK) {
        extra->size = 0;
        extra->data[0] = '\0';
        snprintf(reason.path, sizeof reason.path, "%s", picture);
        status = told(&j, &reason);
    }
out:
    for (size_t i = 0; i < j.object_count; i++)
        akin_json_free(j.objects[i]);
    akin_buffer_clear(&path);
    akin_buffer_clear(&taken);
    return status;
}

/* "key": before the value, and a comma before the key where it needs one. */
static akin_status put_key(akin_buffer *out, const char *key, akin_error *err)
{
    akin_status status = AKIN_OK;
    if (out->data[out->size - 1] != '{')
        AKIN_TRY(akin_buffer_add(out, ",", 1, err));
    AKIN_TRY(put_text(out, key, strlen(key), err));
    AKIN_TRY(akin_buffer_add(out, ":", 1, err));
out:
    return status;
}

static akin_status put_member(akin_buffer *out, const char *key, const char *text,
                              akin_error *err)
{
    akin_status status = AKIN_OK;
    if (text == NULL || text[0] == '\0')
        return AKIN_OK;
    AKIN_TRY(put_key(out, key, err));
    AKIN_TRY(put_text(out, text, strlen(text), err));
out:
    return status;
}

akin_status akin_metadata_json(const akin_metadata *m, int width, int height, const char *extra,
                               akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    char size[80];
    AKIN_TRY(akin_buffer_add(out, "{", 1, err));
    if (width > 0 && height > 0) {
        snprintf(size, sizeof size, "\"width\":%d,\"height\":%d", width, height);
        AKIN_TRY(akin_buffer_add_text(out, size, err));
    }
    AKIN_TRY(put_member(out, "taken_at", m->taken_at, err));
    AKIN_TRY(put_member(out, "offset", m->offset, err));
    AKIN_TRY(put_member(out, "camera", m->camera, err));
    if (m->has_position) {
        AKIN_TRY(put_key(out, "latitude", err));
        AKIN_TRY(put_real(out, m->latitude, err));
        AKIN_TRY(put_key(out, "longitude", err));
        AKIN_TRY(put_real(out, m->longitude, err));
    }
    AKIN_TRY(put_member(out, "title", m->title, err));
    AKIN_TRY(put_member(out, "caption", m->caption, err));
    for (size_t i = 0; i < m->tag_count; i++) {
        if (i == 0)
            AKIN_TRY(put_key(out, "tags", err));
        AKIN_TRY(akin_buffer_add(out, i == 0 ? "[" : ",", 1, err));
        AKIN_TRY(put_text(out, m->tags[i], strlen(m->tags[i]), err));
    }
    if (m->tag_count != 0)
        AKIN_TRY(akin_buffer_add(out, "]", 1, err));
    if (extra != NULL && extra[0] != '\0') {
        if (out->data[out->size - 1] != '{')
            AKIN_TRY(akin_buffer_add(out, ",", 1, err));
        AKIN_TRY(akin_buffer_add_text(out, extra, err));
    }
    AKIN_TRY(akin_buffer_add(out, "}", 1, err));
out:
    return status;
}
