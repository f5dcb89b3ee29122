/* import.c - reads what exchange.c writes, or any array of vectors with lines that name them, into
 * a collection: all or nothing.
 *
 * Both files are input like any other. Every row of the array is looked at before anything is
 * written, every line is checked in full, and the first that is wrong gives the whole up with its
 * number. Nothing is made to fit: a vector that is not of length 1 is refused, not scaled. npy as
 * numpy's lib/format.py describes it, versions 1.0 to 3.0. */
#include "store_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/file.h"
#include "base/half.h"
#include "base/json.h"
#include "base/memory.h"

enum {
    max_header = 65535,   /* of an npy: what version 1.0 can have; numpy reads no more unasked */
    max_line = 64 << 20,  /* of items.jsonl, as exchange.c */
    max_model = 1 << 20,  /* of collection.json */
    line_chunk = 1 << 16
};

static akin_status open_regular(const char *path, int *fd, uint64_t *size, akin_error *err)
{
    struct stat st;
    akin_status status = AKIN_OK;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    if (fstat(*fd, &st) != 0)
        status = akin_fail_errno(err, errno, path, "cannot stat");
    else if (!S_ISREG(st.st_mode))
        status = akin_fail(err, AKIN_E_NOT_A_FILE, path, "is not a regular file");
    else
        *size = (uint64_t)st.st_size;
    if (status != AKIN_OK) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

/* ---- vectors.npy ---------------------------------------------------------------------------- */

typedef struct npy {
    char *path;
    int fd;
    uint64_t data;         /* offset of row 0 */
    size_t rows, dimensions, row_bytes;
    akin_vector_type type;
    unsigned char *bytes;  /* a row as it lies there */
    float *numbers;        /* the same as floats */
} npy;

/* What is left of the header's text: a Python literal, ASCII. */
typedef struct header_text {
    const char *p, *end;
} header_text;

static void skip_blanks(header_text *t)
{
    while (t->p < t->end && (*t->p == ' ' || *t->p == '\t' || *t->p == '\n' || *t->p == '\r'))
        t->p++;
}

static bool take_char(header_text *t, char c)
{
    skip_blanks(t);
    if (t->p == t->end || *t->p != c)
        return false;
    t->p++;
    return true;
}

/* 'word' or "word", without escapes. */
static bool take_quoted(header_text *t, char *out, size_t capacity)
{
    skip_blanks(t);
    if (t->p == t->end || (*t->p != '\'' && *t->p != '"'))
        return false;
    const char quote = *t->p++;
    size_t n = 0;
    while (t->p < t->end && *t->p != quote) {
        if (*t->p == '\\' || n + 1 == capacity)
            return false;
        out[n++] = *t->p++;
    }
    out[n] = '\0';
    if (t->p == t->end)
        return false;
    t->p++;
    return true;
}

static bool take_size(header_text *t, size_t *out)
{
    skip_blanks(t);
    const char *begin = t->p;
    size_t n = 0;
    while (t->p < t->end && *t->p >= '0' && *t->p <= '9') {
        if (!akin_mul(n, 10, &n) || !akin_add(n, (size_t)(*t->p - '0'), &n))
            return false;
        t->p++;
    }
    *out = n;
    return t->p != begin && (*begin != '0' || t->p == begin + 1);
}

static bool take_word(header_text *t, const char *word)
{
    const size_t size = strlen(word);
    skip_blanks(t);
    if ((size_t)(t->end - t->p) < size || memcmp(t->p, word, size) != 0)
        return false;
    t->p += size;
    return true;
}

/* {'descr': '<f2', 'fortran_order': False, 'shape': (3, 512), }; each key once, in any order. */
static akin_status read_header_text(npy *n, header_text t, akin_error *err)
{
    char key[16], descr[16] = "";
    bool has_descr = false, has_order = false, has_shape = false, fortran = false;
    size_t shape[2] = { 0, 0 }, dimensions = 0;
    bool good = take_char(&t, '{');
    while (good && !take_char(&t, '}')) {
        good = take_quoted(&t, key, sizeof key) && take_char(&t, ':');
        if (good && strcmp(key, "descr") == 0 && !has_descr) {
            has_descr = true;
            good = take_quoted(&t, descr, sizeof descr);
        } else if (good && strcmp(key, "fortran_order") == 0 && !has_order) {
            has_order = true;
            fortran = take_word(&t, "True");
            good = fortran || take_word(&t, "False");
        } else if (good && strcmp(key, "shape") == 0 && !has_shape) {
            has_shape = true;
            good = take_char(&t, '(');
            while (good && !take_char(&t, ')')) {
                size_t one = 0;
                good = take_size(&t, &one);
                if (dimensions < 2)
                    shape[dimensions] = one;
                dimensions++;
                if (good && !take_char(&t, ',')) {
                    /* (3) is no tuple */
                    good = dimensions > 1 && take_char(&t, ')');
                    break;
                }
            }
        } else {
            good = false;
        }
        if (good && !take_char(&t, ',')) {
            good = take_char(&t, '}');
            break;
        }
    }
    skip_blanks(&t);
    if (!good || t.p != t.end || !has_descr || !has_order || !has_shape)
        return akin_fail(err, AKIN_E_FORMAT, n->path, "its header is not one of an npy file");
    if (strcmp(descr, "<f2") == 0)
        n->type = AKIN_VECTOR_F16;
    else if (strcmp(descr, "<f4") == 0)
        n->type = AKIN_VECTOR_F32;
    else
        return akin_fail(err, AKIN_E_UNSUPPORTED, n->path,
                         "holds numbers of type '%s'; save them as little-endian float16 or "
                         "float32 (numpy: astype('<f4'))", descr);
    if (dimensions != 2)
        return akin_fail(err, AKIN_E_FORMAT, n->path,
                         "has %zu dimensions; vectors are [rows, numbers]", dimensions);
    if (fortran)
        return akin_fail(err, AKIN_E_UNSUPPORTED, n->path,
                         "is in Fortran order; save it in C order (numpy: ascontiguousarray)");
    n->rows = shape[0];
    n->dimensions = shape[1];
    return AKIN_OK;
}

static akin_status read_header(npy *n, uint64_t size, akin_error *err)
{
    unsigned char begin[12];
    char *text = NULL;
    size_t used = 10, length;
    uint64_t bytes = 0;
    akin_status status;
    if (size < sizeof begin)
        return akin_fail(err, AKIN_E_TRUNCATED, n->path, "ends within its header");
    AKIN_TRY(akin_read_at(n->fd, n->path, begin, sizeof begin, 0, err));
    if (memcmp(begin, "\x93NUMPY", 6) != 0)
        return akin_fail(err, AKIN_E_FORMAT, n->path, "is no npy file");
    if (begin[6] < 1 || begin[6] > 3 || begin[7] != 0)
        return akin_fail(err, AKIN_E_UNSUPPORTED, n->path,
                         "is an npy file of version %u.%u; 1.0 to 3.0 are read", begin[6],
                         begin[7]);
    length = (size_t)begin[8] | (size_t)begin[9] << 8;
    if (begin[6] > 1) {
        length |= (size_t)begin[10] << 16 | (size_t)begin[11] << 24;
        used = 12;
    }
    if (length > max_header)
        return akin_fail(err, AKIN_E_LIMIT, n->path, "its header has %zu bytes; the limit is %d",
                         length, (int)max_header);
    if (size < used + length)
        return akin_fail(err, AKIN_E_TRUNCATED, n->path, "ends within its header");
    text = malloc(length + 1);
    if (text == NULL)
        return akin_fail_nomem(err, "an npy header", length);
    AKIN_TRY(akin_read_at(n->fd, n->path, text, length, used, err));
    AKIN_TRY(read_header_text(n, (header_text){ text, text + length }, err));
    n->data = used + length;
    if (!akin_mul(n->dimensions, akin_vector_bytes(n->type), &n->row_bytes) ||
        __builtin_mul_overflow((uint64_t)n->rows, (uint64_t)n->row_bytes, &bytes) ||
        bytes != size - n->data)
        status = akin_fail(err, bytes > size - n->data ? AKIN_E_TRUNCATED : AKIN_E_CORRUPT, n->path,
                           "has %" PRIu64 " bytes behind its header, %zu vectors of %zu numbers "
                           "take others", size - n->data, n->rows, n->dimensions);
out:
    free(text);
    return status;
}

static void npy_close(npy *n)
{
    if (n->fd >= 0)
        close(n->fd);
    free(n->path);
    free(n->bytes);
    free(n->numbers);
    *n = (npy){ .fd = -1 };
}

static akin_status npy_open(npy *n, const char *folder, const akin_store_model *model,
                            akin_error *err)
{
    akin_status status;
    uint64_t size;
    *n = (npy){ .fd = -1, .path = akin_path_join(folder, "vectors.npy") };
    if (n->path == NULL)
        return akin_fail_nomem(err, "a path", 0);
    AKIN_TRY(open_regular(n->path, &n->fd, &size, err));
    AKIN_TRY(read_header(n, size, err));
    if (n->dimensions != model->dimensions) {
        status = akin_fail(err, AKIN_E_ARGUMENT, n->path,
                           "its vectors have %zu numbers, the collection's have %zu", n->dimensions,
                           model->dimensions);
        goto out;
    }
    n->bytes = malloc(n->row_bytes);
    n->numbers = malloc(n->dimensions * sizeof *n->numbers);
    if (n->bytes == NULL || n->numbers == NULL)
        status = akin_fail_nomem(err, "a vector", n->row_bytes);
out:
    if (status != AKIN_OK)
        npy_close(n);
    return status;
}

/* A row into n->bytes and n->numbers. */
static akin_status npy_row(npy *n, size_t row, akin_error *err)
{
    const akin_space as = { .model = { .dimensions = n->dimensions, .type = n->type } };
    const akin_status status = akin_read_at(n->fd, n->path, n->bytes, n->row_bytes,
                                            n->data + (uint64_t)row * n->row_bytes, err);
    if (status == AKIN_OK)
        akin_row_to_floats(&as, n->bytes, n->numbers);
    return status;
}

static akin_status npy_check(npy *n, akin_error *err)
{
    akin_status status = AKIN_OK;
    char why[96];
    for (size_t row = 0; row < n->rows; row++) {
        AKIN_TRY(npy_row(n, row, err));
        status = akin_unit_check(n->numbers, n->dimensions, 1e-3, why, sizeof why);
        if (status != AKIN_OK) {
            akin_fail(err, status, n->path,
                      "row %zu cannot be stored: %s%s", row, why,
                      status == AKIN_E_ARGUMENT ? "; normalise the vectors first" : "");
            goto out;
        }
    }
out:
    return status;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

typedef struct line_reader {
    char *path;
    int fd;
    akin_buffer line;      /* the line without its end, and behind it what was read after */
    size_t taken;          /* bytes of the buffer that were handed out */
    size_t number;         /* of the line handed out, from 1 on */
    bool ended;
} line_reader;

static akin_status next_line(line_reader *r, const char **line, size_t *size, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_buffer *b = &r->line;
    size_t looked = r->taken;
    *line = NULL;
    for (;;) {
        char *end = looked < b->size ? memchr(b->data + looked, '\n', b->size - looked) : NULL;
        if (end != NULL || (r->ended && b->size != r->taken)) {
            *line = b->data + r->taken;
            *size = end != NULL ? (size_t)(end - *line) : b->size - r->taken;
            r->taken += *size + (end != NULL);
            r->number++;
            if (*size != 0 && (*line)[*size - 1] == '\r')
                --*size;
            return AKIN_OK;
        }
        if (r->ended)
            return AKIN_OK;
        /* What was handed out makes room. */
        if (r->taken != 0) {
            memmove(b->data, b->data + r->taken, b->size - r->taken);
            b->size -= r->taken;
            r->taken = 0;
        }
        looked = b->size;
        AKIN_TRY(akin_buffer_reserve(b, line_chunk, err));
        ssize_t got;
        do
            got = read(r->fd, b->data + b->size, line_chunk);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            return akin_fail_errno(err, errno, r->path, "cannot read");
        b->size += (size_t)got;
        r->ended = got == 0;
    }
out:
    return akin_fail(err, status, r->path, "line %zu is longer than %d bytes", r->number + 1,
                     (int)max_line);
}

/* ---- One line ------------------------------------------------------------------------------- */

typedef struct import_line {
    char path[AKIN_STORE_PATH];
    int64_t row;           /* -1: none */
    int64_t part, state;
    akin_stamp stamp;
    bool hashed;
    uint8_t hash[AKIN_HASH_BYTES];
    akin_item_facts facts; /* point into `json` and the two below */
    char taken_at[80], camera[1032];
} import_line;

typedef struct importing {
    akin_store *store;
    npy vectors;
    line_reader lines;
    akin_buffer metadata;
    int64_t last_item, last_content; /* ids that were there before */
    size_t added;
} importing;

__attribute__((format(printf, 3, 4)))
static akin_status wrong(const importing *m, akin_error *err, const char *format, ...)
{
    char text[512];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return akin_fail(err, AKIN_E_FORMAT, m->lines.path, "line %zu: %s", m->lines.number, text);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strictly: whole groups of four, nothing between them, no bits lost. false: it is none, or too
 * long. */
static bool base64_decode(const char *text, size_t size, char *out, size_t capacity, size_t *used)
{
    *used = 0;
    if (size % 4 != 0)
        return false;
    for (size_t i = 0; i < size; i += 4) {
        const bool last = i + 4 == size;
        const int pads = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        uint32_t x = 0;
        for (int k = 0; k < 4; k++) {
            const int digit = k >= 4 - pads ? 0 : base64_digit(text[i + (size_t)k]);
            if (digit < 0)
                return false;
            x = x << 6 | (uint32_t)digit;
        }
        if ((pads == 1 && (x & 0xff) != 0) || (pads == 2 && (x & 0xffff) != 0))
            return false;
        const size_t n = 3 - (size_t)pads;
        if (*used + n > capacity)
            return false;
        for (size_t k = 0; k < n; k++)
            out[(*used)++] = (char)(x >> (16 - 8 * k));
    }
    return true;
}

/* The bytes of a text field, from KEY_base64 when it is there, into out with a NUL. *there: it is.
 */
static akin_status text_field(const importing *m, const akin_json *json, const char *key, char *out,
                              size_t capacity, bool *there, akin_error *err)
{
    char key64[32];
    size_t size = 0;
    snprintf(key64, sizeof key64, "%s_base64", key);
    const akin_json *text = akin_json_get(json, key), *coded = akin_json_get(json, key64);
    *there = (text != NULL && !akin_json_is_null(text)) || coded != NULL;
    if (!*there)
        return AKIN_OK;
    if (coded != NULL) {
        if (!akin_json_is_string(coded) ||
            !base64_decode(akin_json_string(coded), akin_json_string_size(coded), out, capacity - 1,
                           &size))
            return wrong(m, err, "'%s' is no base64, or too long", key64);
    } else {
        if (!akin_json_is_string(text) || akin_json_string_size(text) > capacity - 1)
            return wrong(m, err, "'%s' is no text, or one of more than %zu bytes", key,
                         capacity - 1);
        size = akin_json_string_size(text);
        memcpy(out, akin_json_string(text), size);
    }
    out[size] = '\0';
    if (memchr(out, '\0', size) != NULL)
        return wrong(m, err, "'%s' has a NUL in it", key);
    return AKIN_OK;
}

static akin_status integer_field(const importing *m, const akin_json *json, const char *key,
                                 int64_t min, int64_t max, int64_t *io, akin_error *err)
{
    const akin_json *value = akin_json_get(json, key);
    if (value == NULL || akin_json_is_null(value))
        return AKIN_OK;
    if (!akin_json_is_integer(value) || akin_json_integer(value) < min ||
        akin_json_integer(value) > max)
        return wrong(m, err, "'%s' is no integer from %" PRId64 " to %" PRId64, key, min, max);
    *io = akin_json_integer(value);
    return AKIN_OK;
}

static akin_status degrees_field(const importing *m, const akin_json *json, const char *key,
                                 double limit, double *out, bool *there, akin_error *err)
{
    const akin_json *value = akin_json_get(json, key);
    *there = value != NULL && !akin_json_is_null(value);
    if (!*there)
        return AKIN_OK;
    *out = akin_json_double(value);
    if (!akin_json_is_number(value) || fabs(*out) > limit)
        return wrong(m, err, "'%s' is no number from -%g to %g", key, limit, limit);
    return AKIN_OK;
}

static akin_status hash_field(const importing *m, const akin_json *json, import_line *line,
                              akin_error *err)
{
    const akin_json *value = akin_json_get(json, "sha256");
    if (value == NULL || akin_json_is_null(value))
        return AKIN_OK;
    const char *hex = akin_json_string(value);
    if (hex == NULL || akin_json_string_size(value) != 2 * AKIN_HASH_BYTES)
        return wrong(m, err, "'sha256' is not 64 hexadecimal digits");
    for (size_t i = 0; i < 2 * AKIN_HASH_BYTES; i++) {
        const char c = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] - 'A' + 'a') : hex[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return wrong(m, err, "'sha256' is not 64 hexadecimal digits");
        const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
        line->hash[i / 2] = (uint8_t)(line->hash[i / 2] << 4 | digit);
    }
    line->hashed = true;
    return AKIN_OK;
}

/* The text of the i-th member's value in an object that was parsed before: what brackets and quotes
 * say is enough. */
static void member_text(const char *text, size_t member, const char **begin, const char **end)
{
    const char *p = strchr(text, '{') + 1;
    int depth = 0;
    size_t i = 0;
    bool value = false;
    *begin = NULL;
    for (;; p++) {
        if (depth == 0 && (*p == ',' || *p == '}')) {
            if (value && i == member) {
                *end = p;
                return;
            }
            i++;
            value = false;
        } else if (depth == 0 && *p == ':' && !value) {
            value = true;
            if (i == member)
                *begin = p + 1;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        } else if (*p == '"') {
            while (*++p != '"')
                p += *p == '\\';
        }
    }
}

/* As it is written, not as it would be written again: no number loses a digit. */
static akin_status metadata_field(importing *m, const akin_json *json, const char *text,
                                  import_line *line, akin_error *err)
{
    akin_status status = AKIN_OK;
    const char *begin, *end;
    for (size_t i = 0; i < akin_json_members(json); i++) {
        if (strcmp(akin_json_key(json, i), "metadata") != 0)
            continue;
        const akin_json *value = akin_json_member(json, i);
        if (akin_json_is_null(value))
            return AKIN_OK;
        if (!akin_json_is_object(value))
            return wrong(m, err, "'metadata' is no object");
        member_text(text, i, &begin, &end);
        while (*begin == ' ' || *begin == '\t')
            begin++;
        while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        m->metadata.size = 0;
        AKIN_TRY(akin_buffer_add(&m->metadata, begin, (size_t)(end - begin), err));
        line->facts.metadata = m->metadata.data;
    }
out:
    return status;
}

static akin_status read_line(importing *m, const akin_json *json, const char *text,
                             import_line *line, akin_error *err)
{
    akin_status status;
    bool there, east, north;
    char state[16], plain[AKIN_STORE_PATH];
    size_t size;
    int64_t width = 0, height = 0;
    *line = (import_line){ .row = -1, .part = -1, .stamp = { .size = -1 } };
    AKIN_TRY(text_field(m, json, "path", line->path, sizeof line->path, &there, err));
    if (!there)
        return wrong(m, err, "'path' is not there");
    if (akin_path_plain(line->path, plain, &size, NULL) != AKIN_OK || size < 2)
        return wrong(m, err, "'path' is not absolute, or names no file");
    if (akin_json_get(json, "row") == NULL)
        return wrong(m, err, "'row' is not there");
    if (m->vectors.rows == 0 && !akin_json_is_null(akin_json_get(json, "row")))
        return wrong(m, err, "'row' names a vector, and vectors.npy has none");
    AKIN_TRY(integer_field(m, json, "row", 0, (int64_t)m->vectors.rows - 1, &line->row, err));
    AKIN_TRY(integer_field(m, json, "part", -1, INT64_MAX, &line->part, err));
    AKIN_TRY(integer_field(m, json, "size", -1, INT64_MAX, &line->stamp.size, err));
    AKIN_TRY(integer_field(m, json, "mtime_ns", INT64_MIN, INT64_MAX, &line->stamp.mtime_ns, err));
    AKIN_TRY(integer_field(m, json, "sidecars", INT64_MIN, INT64_MAX, &line->stamp.sidecars, err));
    AKIN_TRY(text_field(m, json, "state", state, sizeof state, &there, err));
    line->state = !there || strcmp(state, "live") == 0 ? AKIN_ITEM_LIVE
                  : strcmp(state, "missing") == 0      ? AKIN_ITEM_MISSING
                  : strcmp(state, "hidden") == 0       ? AKIN_ITEM_HIDDEN
                                                       : -1;
    if (line->state < 0)
        return wrong(m, err, "'state' is not \"live\", \"missing\" or \"hidden\"");
    AKIN_TRY(hash_field(m, json, line, err));
    if (line->row < 0 && !line->hashed)
        return wrong(m, err, "without a 'row' an item needs a 'sha256'");
    akin_item_facts *facts = &line->facts;
    AKIN_TRY(text_field(m, json, "taken_at", line->taken_at, sizeof line->taken_at, &there, err));
    facts->taken_at = there ? line->taken_at : NULL;
    AKIN_TRY(text_field(m, json, "camera", line->camera, sizeof line->camera, &there, err));
    facts->camera = there ? line->camera : NULL;
    AKIN_TRY(integer_field(m, json, "width", 0, INT32_MAX, &width, err));
    AKIN_TRY(integer_field(m, json, "height", 0, INT32_MAX, &height, err));
    facts->width = (int)width;
    facts->height = (int)height;
    AKIN_TRY(degrees_field(m, json, "latitude", 90, &facts->latitude, &north, err));
    AKIN_TRY(degrees_field(m, json, "longitude", 180, &facts->longitude, &east, err));
    if (north != east)
        return wrong(m, err, "'latitude' and 'longitude' belong together");
    facts->has_position = north;
    AKIN_TRY(metadata_field(m, json, text, line, err));
out:
    return status;
}

/* ---- Into the collection -------------------------------------------------------------------- */

/* The checksum that the row in n->numbers has when it is stored. */
static akin_status stored_crc(const importing *m, uint32_t *crc, uint8_t hash[AKIN_HASH_BYTES],
                              akin_error *err)
{
    const npy *n = &m->vectors;
    const bool half = m->store->current.model.type == AKIN_VECTOR_F16;
    const size_t each = half ? 2 : 4;
    akin_status status = AKIN_OK;
    unsigned char *row = malloc(n->dimensions * each);
    if (row == NULL)
        return akin_fail_nomem(err, "a vector", n->dimensions * each);
    for (size_t i = 0; i < n->dimensions; i++) {
        uint32_t bits;
        memcpy(&bits, &n->numbers[i], 4);
        if (half)
            bits = akin_float_to_half(n->numbers[i]);
        for (size_t k = 0; k < each; k++)
            row[each * i + k] = (unsigned char)(bits >> 8 * k);
    }
    if (crc != NULL)
        *crc = akin_crc32(row, n->dimensions * each);
    if (hash != NULL)
        status = akin_sha256(row, n->dimensions * each, hash, err);
    free(row);
    return status;
}

/* The content of a line's hash and part; 0: none. */
static akin_status find_content(importing *m, const import_line *line, int64_t *content,
                                bool *has_vector, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    AKIN_TRY(akin_db_statement(m->store, AKIN_SQL_CONTENT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bii", (const void *)line->hash, (size_t)AKIN_HASH_BYTES,
                          line->part, m->store->current.id));
    AKIN_TRY(akin_db_step(s, &row, err));
    *content = row ? sqlite3_column_int64(s, 0) : 0;
    *has_vector = row && sqlite3_column_type(s, 1) != SQLITE_NULL;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
out:
    return status;
}

/* Of a content that this import added: whether the row is the same vector. */
static akin_status check_same(importing *m, const import_line *line, int64_t content,
                              akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    uint32_t crc;
    AKIN_TRY(akin_db_statement(m->store, AKIN_SQL_CONTENT_PLACE, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "ii", content, m->store->current.id));
    AKIN_TRY(akin_db_step(s, &row, err));
    const uint32_t had = row ? (uint32_t)sqlite3_column_int64(s, 1) : 0;
    sqlite3_reset(s);
    AKIN_TRY(stored_crc(m, &crc, NULL, err));
    if (crc != had)
        status = wrong(m, err, "'sha256' was an earlier line's too, with another vector than that "
                               "of row %" PRId64, line->row);
out:
    return status;
}

static akin_status content_of(importing *m, import_line *line, int64_t *content, bool *has_vector,
                              akin_error *err)
{
    akin_store *store = m->store;
    akin_status status;
    sqlite3_stmt *s;
    if (line->row >= 0) {
        AKIN_TRY(npy_row(&m->vectors, (size_t)line->row, err));
        if (!line->hashed)
            AKIN_TRY(stored_crc(m, NULL, line->hash, err));
    }
    AKIN_TRY(find_content(m, line, content, has_vector, err));
    if (line->row >= 0) {
        if (*has_vector && *content > m->last_content)
            AKIN_TRY(check_same(m, line, *content, err));
        else if (!*has_vector)
            AKIN_TRY(akin_store_add_content(store, line->hash, line->part, m->vectors.numbers,
                                            line->path, content, err));
        *has_vector = true;
    } else if (*content == 0) {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_NEW_CONTENT, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)line->hash, (size_t)AKIN_HASH_BYTES,
                              line->part));
        status = akin_db_step(s, NULL, err);
        sqlite3_clear_bindings(s);
        *content = sqlite3_last_insert_rowid(store->db);
    }
out:
    return status;
}

static akin_status add_line(importing *m, import_line *line, akin_error *err)
{
    akin_store *store = m->store;
    akin_status status;
    sqlite3_stmt *s;
    char stored[AKIN_STORE_PATH];
    size_t size;
    int64_t content, id;
    bool there, has_vector;
    AKIN_TRY(akin_path_to_stored(store, line->path, stored, &size, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_ITEM_ROW, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)stored, size, line->part));
    AKIN_TRY(akin_db_step(s, &there, err));
    id = there ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    if (id > m->last_item)
        return wrong(m, err, "an earlier line has the same path and part");
    if (there)
        return AKIN_OK;
    AKIN_TRY(content_of(m, line, &content, &has_vector, err));
    AKIN_TRY(akin_store_put(store, line->path, line->part, &line->stamp, content, &line->facts, &id,
                            err));
    /* What is live has a vector. */
    const int64_t state =
        !has_vector && line->state == AKIN_ITEM_LIVE ? AKIN_ITEM_MISSING : line->state;
    if (state != AKIN_ITEM_LIVE)
        AKIN_TRY(akin_db_do(store, err, "UPDATE items SET state = ?2 WHERE id = ?1", "ii", id,
                            state));
    m->added++;
out:
    return status;
}

static akin_status add_lines(importing *m, akin_error *err)
{
    akin_status status = AKIN_OK;
    import_line *line = malloc(sizeof *line);
    akin_json *json = NULL;
    akin_buffer text;
    akin_buffer_init(&text, "a line", max_line + 1);
    if (line == NULL)
        return akin_fail_nomem(err, "a line", sizeof *line);
    for (;;) {
        const char *bytes;
        size_t size;
        akin_error why;
        AKIN_TRY(next_line(&m->lines, &bytes, &size, err));
        if (bytes == NULL)
            break;
        status = akin_json_parse_object(bytes, size, m->lines.path, &json, &why);
        if (status != AKIN_OK) {
            status = status == AKIN_E_NOMEM ? akin_fail_nomem(err, "a line", size)
                                            : wrong(m, err, "%.400s", why.message);
            goto out;
        }
        text.size = 0;
        AKIN_TRY(akin_buffer_add(&text, bytes, size, err)); /* with a NUL behind it */
        AKIN_TRY(read_line(m, json, text.data, line, err));
        AKIN_TRY(add_line(m, line, err));
        akin_json_free(json);
        json = NULL;
    }
out:
    akin_json_free(json);
    akin_buffer_clear(&text);
    free(line);
    return status;
}

/* ---- collection.json ------------------------------------------------------------------------ */

static akin_status model_text(const akin_json *model, const char *path, const char *key, char *out,
                              size_t capacity, akin_error *err)
{
    char key64[32];
    size_t size = 0;
    snprintf(key64, sizeof key64, "%s_base64", key);
    const akin_json *text = akin_json_get(model, key), *coded = akin_json_get(model, key64);
    const bool good =
        coded != NULL ? akin_json_is_string(coded) &&
                            base64_decode(akin_json_string(coded), akin_json_string_size(coded),
                                          out, capacity - 1, &size)
                      : akin_json_is_string(text) && akin_json_string_size(text) < capacity;
    if (good && coded == NULL) {
        size = akin_json_string_size(text);
        memcpy(out, akin_json_string(text), size);
    }
    if (!good || memchr(out, '\0', size) != NULL)
        return akin_fail(err, AKIN_E_FORMAT, path, "'model.%s' is not there, or no text of at most "
                         "%zu bytes", key, capacity - 1);
    out[size] = '\0';
    return AKIN_OK;
}

akin_status akin_store_import_model(const char *folder, akin_store_model *out, void **memory,
                                    akin_error *err)
{
    struct names {
        char identity[512], name[AKIN_STORE_PATH], path[AKIN_STORE_PATH], form[64];
    } *names = NULL;
    akin_status status;
    akin_json *json = NULL;
    char type[8];
    char *path = akin_path_join(folder, "collection.json");
    int64_t version = 0, dimensions = 0;
    *out = (akin_store_model){ 0 };
    *memory = NULL;
    names = calloc(1, sizeof *names);
    if (path == NULL || names == NULL)
        AKIN_TRY(akin_fail_nomem(err, "a model's names", sizeof *names));
    AKIN_TRY(akin_json_read(path, max_model, &json, err));
    const akin_json *model = akin_json_get(json, "model");
    const akin_json *number = akin_json_get(json, "akin_export");
    version = akin_json_integer(number);
    if (number != NULL && version > 1) {
        status = akin_fail(err, AKIN_E_UNSUPPORTED, path,
                           "is an export of format %" PRId64 "; this akin reads format 1: use a "
                           "newer one", version);
        goto out;
    }
    if (version != 1 || !akin_json_is_object(model)) {
        status = akin_fail(err, AKIN_E_FORMAT, path, "is not what 'akin export' writes");
        goto out;
    }
    AKIN_TRY(model_text(model, path, "identity", names->identity, sizeof names->identity, err));
    AKIN_TRY(model_text(model, path, "name", names->name, sizeof names->name, err));
    AKIN_TRY(model_text(model, path, "path", names->path, sizeof names->path, err));
    AKIN_TRY(model_text(model, path, "form", names->form, sizeof names->form, err));
    AKIN_TRY(model_text(model, path, "type", type, sizeof type, err));
    dimensions = akin_json_integer(akin_json_get(model, "dimensions"));
    if (names->identity[0] == '\0' || dimensions < 1 || dimensions > AKIN_STORE_MAX_DIMENSIONS ||
        (strcmp(type, "f16") != 0 && strcmp(type, "f32") != 0)) {
        status = akin_fail(err, AKIN_E_FORMAT, path,
                           "'model' has no identity, not 1 to %d dimensions, or another type than "
                           "f16 and f32", (int)AKIN_STORE_MAX_DIMENSIONS);
        goto out;
    }
    *out = (akin_store_model){ .identity = names->identity, .name = names->name,
                               .path = names->path, .form = names->form,
                               .dimensions = (size_t)dimensions,
                               .type = strcmp(type, "f16") == 0 ? AKIN_VECTOR_F16
                                                                : AKIN_VECTOR_F32 };
    *memory = names;
    names = NULL;
out:
    akin_json_free(json);
    free(path);
    free(names);
    return status;
}

/* An export of another model does not belong here. Vectors of one's own come without a
 * collection.json. */
static akin_status check_model(const akin_store *store, const char *folder, akin_error *err)
{
    akin_store_model model;
    void *memory = NULL;
    akin_error why;
    akin_status status = akin_store_import_model(folder, &model, &memory, &why);
    if (status == AKIN_E_NOT_FOUND)
        return akin_path_is_dir(folder) ? AKIN_OK
                                        : akin_fail(err, status, folder, "there is no such folder");
    if (status != AKIN_OK && err != NULL)
        *err = why;
    if (status == AKIN_OK && strcmp(model.identity, store->current.model.identity) != 0)
        status = akin_fail(err, AKIN_E_ARGUMENT, folder,
                           "holds vectors of model '%.200s', this collection has those of "
                           "'%.200s'; import it into a collection of its own",
                           model.name, store->current.model.name);
    free(memory);
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------ */

akin_status akin_store_import(akin_store *store, const char *folder, size_t *added,
                              akin_error *err)
{
    importing m = { .store = store, .vectors.fd = -1, .lines.fd = -1 };
    akin_status status;
    uint64_t size;
    bool undo = false;
    *added = 0;
    akin_buffer_init(&m.lines.line, "a line", (size_t)max_line + line_chunk);
    akin_buffer_init(&m.metadata, "metadata", max_line);
    AKIN_TRY(akin_store_idle(store, true, err));
    AKIN_TRY(check_model(store, folder, err));
    m.lines.path = akin_path_join(folder, "items.jsonl");
    if (m.lines.path == NULL)
        AKIN_TRY(akin_fail_nomem(err, "a path", 0));
    AKIN_TRY(open_regular(m.lines.path, &m.lines.fd, &size, err));
    AKIN_TRY(npy_open(&m.vectors, folder, &store->current.model, err));
    AKIN_TRY(npy_check(&m.vectors, err));
    AKIN_TRY(akin_store_writing(store, err));
    undo = true;
    AKIN_TRY(akin_db_number(store, "SELECT max(id) FROM items", &m.last_item, err));
    AKIN_TRY(akin_db_number(store, "SELECT max(id) FROM contents", &m.last_content, err));
    AKIN_TRY(add_lines(&m, err));
    undo = false; /* of a commit that fails nobody can say whether it counts */
    AKIN_TRY(akin_store_commit(store, err));
    *added = m.added;
out:
    if (undo) {
        if (store->in_transaction)
            akin_store_give_up(store);
        akin_orphans_remove(store, NULL);
    }
    npy_close(&m.vectors);
    if (m.lines.fd >= 0)
        close(m.lines.fd);
    free(m.lines.path);
    akin_buffer_clear(&m.lines.line);
    akin_buffer_clear(&m.metadata);
    return status;
}
