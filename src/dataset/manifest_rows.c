/* manifest_rows.c - the rows of a manifest that is one file: TSV, CSV, JSON lines.
 *
 * TSV: a line of names, then a line a row; no quoting, a field holds no tab and no line end. CSV
 * (.csv): the same with commas, or with tabs where the line of names has one (open_clip's
 * csv_separator is a tab unless said otherwise), fields quoted as in RFC 4180. JSON lines (.jsonl,
 * .ndjson, or a first byte '{'): an object a line. Bytes are cut up where they lie: a field's text
 * is never longer than what it was written as.
 */
#include <float.h>
#include <string.h>

#include "base/json.h"
#include "manifest_parts.h"

typedef enum field {
    FIELD_PATH,
    FIELD_TEXT,
    FIELD_LANGUAGE,
    FIELD_CONCEPT,
    FIELD_WEIGHT,
    FIELD_STAGE,
    FIELD_KIND,
    FIELD_FLIP,
    FIELDS,
    FIELD_IGNORED = FIELDS
} field;

/* The first eight are the fields' own names; then what others call them. */
static const struct {
    const char *name;
    field field;
} names[] = {
    { "path", FIELD_PATH },       { "text", FIELD_TEXT },   { "language", FIELD_LANGUAGE },
    { "concept", FIELD_CONCEPT }, { "weight", FIELD_WEIGHT }, { "stage", FIELD_STAGE },
    { "kind", FIELD_KIND },       { "flip", FIELD_FLIP },   { "filepath", FIELD_PATH },
    { "title", FIELD_TEXT },      { "caption", FIELD_TEXT },
};

static field field_of(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].field;
    return FIELD_IGNORED;
}

/* A string as an error may show it: its beginning. */
#define SHOWN(piece) (int)((piece).size < 40 ? (piece).size : 40), (piece).text

/* A decimal number, digits[.digits][e[+-]digits], to a weight. Not strtod, which reads what the
 * locale, C99 and the hexadecimal like: 1,5 and 0x1p3, and nan. */
static bool read_weight(akin_piece p, float *out)
{
    double value = 0, unit = 1;
    size_t i = 0, digits = 0;
    for (; i < p.size && p.text[i] >= '0' && p.text[i] <= '9'; i++, digits++)
        value = value * 10 + (p.text[i] - '0');
    if (i < p.size && p.text[i] == '.') {
        for (i++; i < p.size && p.text[i] >= '0' && p.text[i] <= '9'; i++, digits++)
            value += (p.text[i] - '0') * (unit /= 10);
    }
    if (digits == 0)
        return false;
    if (i < p.size && (p.text[i] == 'e' || p.text[i] == 'E')) {
        const bool negative = i + 1 < p.size && p.text[i + 1] == '-';
        i += 1 + (i + 1 < p.size && (p.text[i + 1] == '-' || p.text[i + 1] == '+'));
        int exponent = 0;
        const size_t before = i;
        for (; i < p.size && p.text[i] >= '0' && p.text[i] <= '9'; i++)
            exponent = exponent < 400 ? exponent * 10 + (p.text[i] - '0') : exponent;
        if (i == before)
            return false;
        for (; exponent > 0; exponent--)
            value = negative ? value / 10 : value * 10;
    }
    if (i != p.size || !(value <= (double)FLT_MAX))
        return false;
    *out = (float)value;
    return true;
}

static bool read_stage(akin_piece p, uint16_t *out)
{
    unsigned value = 0;
    for (size_t i = 0; i < p.size; i++) {
        if (p.text[i] < '0' || p.text[i] > '9' || i > 5)
            return false;
        value = value * 10 + (unsigned)(p.text[i] - '0');
    }
    if (value > AKIN_MANIFEST_STAGE)
        return false;
    *out = (uint16_t)value;
    return true;
}

static bool read_kind(akin_piece p, uint8_t *out)
{
    for (int kind = AKIN_KIND_ART; kind <= AKIN_KIND_WORD; kind++) {
        if (strcmp(akin_kind_name((akin_kind)kind), p.text) == 0) {
            *out = (uint8_t)kind;
            return true;
        }
    }
    return false;
}

/* Fills row from the fields as written; an empty one says nothing. */
static akin_status read_fields(akin_row *row, const akin_piece fields[FIELDS], const char *file,
                               akin_error *err)
{
    const akin_piece weight = fields[FIELD_WEIGHT], stage = fields[FIELD_STAGE];
    const akin_piece kind = fields[FIELD_KIND], flip = fields[FIELD_FLIP];
    row->path = fields[FIELD_PATH];
    row->text = fields[FIELD_TEXT];
    row->language = fields[FIELD_LANGUAGE];
    row->concept = fields[FIELD_CONCEPT];
    if (weight.size != 0 && !read_weight(weight, &row->weight))
        return akin_fail(err, AKIN_E_FORMAT, file,
                         "line %u: weight '%.*s' is not a number from 0 on", row->line,
                         SHOWN(weight));
    if (stage.size != 0 && !read_stage(stage, &row->stage))
        return akin_fail(err, AKIN_E_FORMAT, file,
                         "line %u: stage '%.*s' is not an integer between 0 and %d", row->line,
                         SHOWN(stage), AKIN_MANIFEST_STAGE);
    if (kind.size != 0 && !read_kind(kind, &row->kind))
        return akin_fail(err, AKIN_E_FORMAT, file,
                         "line %u: kind '%.*s' is none of art, icon, scene, photo, word", row->line,
                         SHOWN(kind));
    row->flip = row->kind != AKIN_KIND_WORD;
    if (flip.size != 0) {
        if (flip.size != 1 || (flip.text[0] != '0' && flip.text[0] != '1'))
            return akin_fail(err, AKIN_E_FORMAT, file, "line %u: flip '%.*s' is neither 0 nor 1",
                             row->line, SHOWN(flip));
        row->flip = flip.text[0] == '1';
    }
    return AKIN_OK;
}

/* ---- lines of fields */

typedef struct lines {
    char *at, *end; /* a NUL stands at `end` */
    uint32_t line;  /* of `at` */
    char separator;
    bool quotes;
    const char *file;
} lines;

/* Takes the next field, unquoted in place, NUL-terminated. *last: the line ended behind it. */
static akin_status next_field(lines *in, akin_piece *out, bool *last, akin_error *err)
{
    char *begin = in->at, *to = begin, *at = begin;
    if (in->quotes && at < in->end && *at == '"') {
        const uint32_t opened = in->line;
        for (at++;; at++) {
            if (at == in->end)
                return akin_fail(err, AKIN_E_FORMAT, in->file,
                                 "line %u: a quote that is not closed", opened);
            if (*at == '"' && *++at != '"')
                break;
            in->line += *at == '\n';
            *to++ = *at;
        }
        if (at + 1 < in->end && at[0] == '\r' && at[1] == '\n')
            at++;
        if (at < in->end && *at != in->separator && *at != '\n')
            return akin_fail(err, AKIN_E_FORMAT, in->file, "line %u: text behind a closed quote",
                             in->line);
    } else {
        while (at < in->end && *at != in->separator && *at != '\n')
            at++;
        to = at;
        if ((at == in->end || *at == '\n') && to > begin && to[-1] == '\r')
            to--;
    }
    *last = at == in->end || *at == '\n';
    *to = '\0';
    in->line += at < in->end && *last;
    in->at = at + (at < in->end);
    *out = (akin_piece){ begin, (size_t)(to - begin) };
    return AKIN_OK;
}

/* Which field each column is. */
static akin_status read_names(lines *in, field columns[AKIN_MANIFEST_COLUMNS], size_t *count,
                              akin_error *err)
{
    bool last = false, seen[FIELDS + 1] = { false };
    akin_piece name;
    for (*count = 0; !last; ++*count) {
        akin_status status = next_field(in, &name, &last, err);
        if (status != AKIN_OK)
            return status;
        if (*count == AKIN_MANIFEST_COLUMNS)
            return akin_fail(err, AKIN_E_LIMIT, in->file, "more than %d columns",
                             AKIN_MANIFEST_COLUMNS);
        const field f = field_of(name.text);
        if (f != FIELD_IGNORED && seen[f])
            return akin_fail(err, AKIN_E_FORMAT, in->file,
                             "line 1: column '%.*s' says again what another one does", SHOWN(name));
        seen[f] = true;
        columns[*count] = f;
    }
    if (!seen[FIELD_PATH] && !seen[FIELD_TEXT])
        return akin_fail(err, AKIN_E_FORMAT, in->file,
                         "line 1 names neither a column 'path' (or 'filepath') nor 'text' (or "
                         "'title', 'caption'): the first line holds the columns' names, separated "
                         "by %s", in->separator == '\t' ? "tabs" : "commas");
    return AKIN_OK;
}

static akin_status read_lines(akin_manifest_build *build, lines *in, akin_error *err)
{
    field columns[AKIN_MANIFEST_COLUMNS];
    size_t count;
    akin_status status;
    AKIN_TRY(read_names(in, columns, &count, err));
    while (in->at < in->end) {
        if (*in->at == '\n') { /* an empty line */
            in->at++;
            in->line++;
            continue;
        }
        akin_row row = akin_row_default(in->line);
        akin_piece fields[FIELDS + 1];
        for (int f = 0; f < FIELDS; f++)
            fields[f] = (akin_piece){ "", 0 };
        size_t n = 0;
        for (bool last = false; !last; n++) {
            akin_piece piece;
            AKIN_TRY(next_field(in, &piece, &last, err));
            if (n < count)
                fields[columns[n]] = piece;
        }
        if (n == 1 && count > 1 && fields[columns[0]].size == 0)
            continue; /* an empty line that ends in CR LF */
        if (n != count) {
            status = akin_fail(err, AKIN_E_FORMAT, in->file,
                               "line %u has %zu fields, the line of names %zu", row.line, n, count);
            goto out;
        }
        AKIN_TRY(read_fields(&row, fields, in->file, err));
        AKIN_TRY(akin_manifest_add(build, &row, in->file, err));
    }
out:
    return status;
}

/* ---- JSON lines */

/* A member's string, written where *at points, behind what was written there before. */
static bool copy_string(const akin_json *value, char **at, akin_piece *out)
{
    if (!akin_json_is_string(value))
        return value == NULL || akin_json_is_null(value);
    *out = (akin_piece){ *at, akin_json_string_size(value) };
    memcpy(*at, akin_json_string(value), out->size + 1);
    *at += out->size + 1;
    return true;
}

/* One object; its strings are written over `line`, which holds two bytes more for each of them. */
static akin_status read_object(akin_row *row, const akin_json *object, char *line,
                               const char *file, akin_error *err)
{
    akin_piece fields[FIELDS];
    bool seen[FIELDS] = { false };
    for (int f = 0; f < FIELDS; f++)
        fields[f] = (akin_piece){ "", 0 };
    double weight = -1;
    int64_t stage = -1;
    int flip = -1;
    for (size_t i = 0; i < akin_json_members(object); i++) {
        const char *key = akin_json_key(object, i);
        const akin_json *value = akin_json_member(object, i);
        const field f = field_of(key);
        if (f == FIELD_IGNORED || akin_json_is_null(value))
            continue;
        if (seen[f])
            return akin_fail(err, AKIN_E_FORMAT, file,
                             "line %u: field '%.40s' says again what another one does", row->line,
                             key);
        seen[f] = true;
        if (f == FIELD_WEIGHT && akin_json_is_number(value)) {
            weight = akin_json_double(value);
            if (!(weight >= 0 && weight <= (double)FLT_MAX))
                return akin_fail(err, AKIN_E_FORMAT, file, "line %u: weight %g is out of range",
                                 row->line, weight);
        } else if (f == FIELD_STAGE && akin_json_is_integer(value)) {
            stage = akin_json_integer(value);
            if (stage < 0 || stage > AKIN_MANIFEST_STAGE)
                return akin_fail(err, AKIN_E_FORMAT, file,
                                 "line %u: stage %lld is not between 0 and %d", row->line,
                                 (long long)stage, AKIN_MANIFEST_STAGE);
        } else if (f == FIELD_FLIP && akin_json_is_bool(value)) {
            flip = akin_json_is_true(value);
        } else if (f == FIELD_FLIP && akin_json_is_integer(value) &&
                   (uint64_t)akin_json_integer(value) <= 1) {
            flip = (int)akin_json_integer(value);
        } else if (!copy_string(value, &line, &fields[f])) {
            return akin_fail(err, AKIN_E_FORMAT, file,
                             "line %u: field '%.40s' is of the wrong type", row->line, key);
        }
    }
    akin_status status = read_fields(row, fields, file, err);
    if (weight >= 0)
        row->weight = (float)weight;
    if (stage >= 0)
        row->stage = (uint16_t)stage;
    if (flip >= 0)
        row->flip = flip != 0;
    return status;
}

static akin_status read_json_lines(akin_manifest_build *build, char *at, char *end,
                                   const char *file, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_json *object = NULL;
    for (uint32_t line = 1; at < end; line++) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *stop = newline != NULL ? newline : end, *begin = at;
        at = newline != NULL ? newline + 1 : end;
        if (stop > begin && stop[-1] == '\r')
            stop--;
        if (stop == begin)
            continue;
        akin_row row = akin_row_default(line);
        status = akin_json_parse_object(begin, (size_t)(stop - begin), file, &object, err);
        if (status != AKIN_OK) {
            if (err != NULL && status != AKIN_E_NOMEM) { /* which counts lines from this one on */
                char why[sizeof err->message];
                memcpy(why, err->message, sizeof why);
                status = akin_fail(err, status, file, "line %u of the file: %.900s", line, why);
            }
            goto out;
        }
        AKIN_TRY(read_object(&row, object, begin, file, err));
        akin_json_free(object);
        object = NULL;
        AKIN_TRY(akin_manifest_add(build, &row, file, err));
    }
out:
    akin_json_free(object);
    return status;
}

akin_status akin_manifest_read_rows(akin_manifest_build *build, char *bytes, size_t size,
                                    const char *ending, const char *file, akin_error *err)
{
    akin_status status = akin_manifest_check_text(bytes, size, file, err);
    if (status != AKIN_OK)
        return status;
    char *end = bytes + size;
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        bytes += 3;
    if (strcmp(ending, "jsonl") == 0 || strcmp(ending, "ndjson") == 0 || *bytes == '{')
        return read_json_lines(build, bytes, end, file, err);
    const size_t first = strcspn(bytes, "\n");
    const bool tabs = memchr(bytes, '\t', first) != NULL, csv = strcmp(ending, "csv") == 0;
    const bool commas = !tabs && (csv || (strcmp(ending, "tsv") != 0 &&
                                          memchr(bytes, ',', first) != NULL));
    lines in = { .at = bytes, .end = end, .line = 1, .separator = commas ? ',' : '\t',
                 .quotes = csv || commas, .file = file };
    return read_lines(build, &in, err);
}
