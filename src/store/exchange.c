/* exchange.c - a collection as plain files: vectors.npy, items.jsonl, collection.json.
 *
 * What anybody's tools can read, and what import.c reads back (docs/formats.md, "Export"). Rows of
 * vectors.npy follow the contents' ids, lines of items.jsonl the items'; both are written as they
 * are read, so that memory holds the contents' ids alone. Missing and hidden items are exported
 * too, with their vectors: this is the backup of a collection whose drive may just be away. */
#include "store_tools.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"

enum {
    npy_header = 128,      /* magic, version, length, text: a multiple of 64 */
    max_line = 64 << 20,   /* SQLite's own limit on a value is the same */
    max_model = 1 << 20,   /* of collection.json */
    vanished_tries = 8
};

/* ---- JSON text ------------------------------------------------------------------------------ */

/* A string with its quotes; U+FFFD stands for each byte that is not UTF-8. Control characters and
 * the two separators of lines that JSON lets pass are escaped, so that a line is one everywhere. */
static akin_status json_text(akin_buffer *b, const char *bytes, size_t size, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_buffer_add_text(b, "\"", err));
    for (size_t i = 0; i < size;) {
        uint32_t c;
        char escape[16];
        size_t n = akin_utf8_decode(bytes + i, size - i, &c);
        if (n == 0) {
            AKIN_TRY(akin_buffer_add_text(b, "\xef\xbf\xbd", err));
            n = 1;
        } else if (c == '"' || c == '\\' || c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
                   c == 0x2029) {
            if (c == '"' || c == '\\')
                snprintf(escape, sizeof escape, "\\%c", (char)c);
            else
                snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c);
            AKIN_TRY(akin_buffer_add_text(b, escape, err));
        } else {
            AKIN_TRY(akin_buffer_add(b, bytes + i, n, err));
        }
        i += n;
    }
    AKIN_TRY(akin_buffer_add_text(b, "\"", err));
out:
    return status;
}

/* "key":"..." and, when the bytes are not UTF-8, ,"key_base64":"...". */
static akin_status json_name(akin_buffer *b, const char *key, const char *bytes, size_t size,
                             akin_error *err)
{
    akin_status status;
    char begin[48];
    snprintf(begin, sizeof begin, "\"%s\":", key);
    AKIN_TRY(akin_buffer_add_text(b, begin, err));
    AKIN_TRY(json_text(b, bytes, size, err));
    if (akin_utf8_valid(bytes, size, NULL))
        return AKIN_OK;
    snprintf(begin, sizeof begin, ",\"%s_base64\":\"", key);
    AKIN_TRY(akin_buffer_add_text(b, begin, err));
    AKIN_TRY(akin_buffer_reserve(b, akin_base64_size(size), err));
    b->size += akin_base64(bytes, size, b->data + b->size);
    AKIN_TRY(akin_buffer_add_text(b, "\"", err));
out:
    return status;
}

/* ,"key":number */
static akin_status json_integer(akin_buffer *b, const char *key, int64_t value, akin_error *err)
{
    char text[80];
    snprintf(text, sizeof text, ",\"%s\":%" PRId64, key, value);
    return akin_buffer_add_text(b, text, err);
}

/* ,"key":number that reads back as the same, in as few digits as it takes; whatever the locale. */
static akin_status json_double(akin_buffer *b, const char *key, double value, akin_error *err)
{
    char text[48], line[96];
    size_t n = 0;
    bool point = false;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((*p >= '0' && *p <= '9') || strchr("+-eE", *p) != NULL)
            text[n++] = *p;
        else if (!point) {
            text[n++] = '.';
            point = true;
        }
    }
    text[n] = '\0';
    snprintf(line, sizeof line, ",\"%s\":%s", key, text);
    return akin_buffer_add_text(b, line, err);
}

/* ---- vectors.npy ---------------------------------------------------------------------------- */

typedef struct exporting {
    akin_store *store;
    int64_t *contents; /* of rows 0, 1, ...; ascending */
    size_t count, capacity, items;
} exporting;

static akin_status write_npy_header(akin_writer *w, const akin_space *space, size_t rows,
                                    akin_error *err)
{
    unsigned char header[npy_header + 1]; /* and snprintf's NUL */
    const int used = snprintf((char *)header + 10, npy_header - 10,
                              "{'descr': '<f%d', 'fortran_order': False, 'shape': (%zu, %zu), }",
                              space->model.type == AKIN_VECTOR_F16 ? 2 : 4, rows,
                              space->model.dimensions);
    memcpy(header, "\x93NUMPY\x01", 7);
    header[7] = 0;
    header[8] = npy_header - 10;
    header[9] = 0;
    memset(header + 10 + used, ' ', (size_t)(npy_header - 10 - used));
    header[npy_header - 1] = '\n';
    return akin_writer_add(w, header, npy_header, err);
}

static akin_segment *segment_at(akin_store *store, uint64_t place)
{
    const int64_t number = (int64_t)(place / AKIN_SEGMENT_ROWS);
    size_t low = 0, high = store->segment_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (store->segments[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < store->segment_count && store->segments[low].number == number
               ? &store->segments[low] : NULL;
}

static akin_status add_row(exporting *x, sqlite3_stmt *s, akin_writer *w, akin_error *err)
{
    akin_store *store = x->store;
    const int64_t content = sqlite3_column_int64(s, 0);
    const uint64_t place = (uint64_t)sqlite3_column_int64(s, 1);
    const size_t row_bytes = akin_space_row_bytes(&store->current);
    const akin_segment *segment = segment_at(store, place);
    const size_t r = place % AKIN_SEGMENT_ROWS;
    int64_t *grown = akin_grow(x->contents, &x->capacity, x->count + 1, sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(err, "contents", 0);
    x->contents = grown;
    grown[x->count++] = content;
    if (segment == NULL || r >= segment->rows ||
        akin_crc32(segment->rows_map + r * row_bytes, row_bytes) !=
            (uint32_t)sqlite3_column_int64(s, 2))
        return akin_fail(err, AKIN_E_CORRUPT, store->database,
                         "the vector of content %" PRId64 " is damaged; run 'akin verify --repair'",
                         content);
    return akin_writer_add(w, segment->rows_map + r * row_bytes, row_bytes, err);
}

/* The number of rows is in the header, before they are known: they are counted first, by the same
 * words. */
#define EXPORTED                                                                             \
    " FROM vectors v WHERE v.space = ?1 AND EXISTS (SELECT 1 FROM items i WHERE i.content =" \
    " v.content)"

static akin_status write_vectors(exporting *x, const char *path, akin_error *err)
{
    akin_store *store = x->store;
    akin_status status;
    akin_writer w = { 0 };
    sqlite3_stmt *s = NULL;
    bool row;
    AKIN_TRY(akin_db_prepare(store->db, "SELECT count(*)" EXPORTED, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", store->current.id));
    AKIN_TRY(akin_db_step(s, &row, err));
    const int64_t rows = row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    s = NULL;
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(write_npy_header(&w, &store->current, (size_t)rows, err));
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT v.content, v.place, v.crc" EXPORTED " ORDER BY v.content", &s,
                             err));
    AKIN_TRY(akin_db_bind(s, err, "i", store->current.id));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(add_row(x, s, &w, err));
    }
    if (x->count != (size_t)rows)
        AKIN_TRY(akin_fail(err, AKIN_E_CORRUPT, store->database,
                           "the number of vectors changed while they were read"));
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    sqlite3_finalize(s);
    return status;
}

/* ---- items.jsonl ---------------------------------------------------------------------------- */

/* -1: it has no vector. */
static int64_t row_of(const exporting *x, int64_t content)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (x->contents[middle] < content)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->count && x->contents[low] == content ? (int64_t)low : -1;
}

static akin_status add_metadata(akin_buffer *b, const char *text, const char *path,
                                akin_error *err)
{
    akin_json *json = NULL;
    akin_error why;
    akin_status status = akin_json_parse_object(text, strlen(text), path, &json, &why);
    akin_json_free(json);
    if (status != AKIN_OK)
        return akin_fail(err, status == AKIN_E_NOMEM ? status : AKIN_E_CORRUPT, path,
                         "its metadata is no JSON object; run 'akin verify --repair'");
    AKIN_TRY(akin_buffer_add_text(b, ",\"metadata\":", err));
    const size_t begin = b->size;
    AKIN_TRY(akin_buffer_add_text(b, text, err));
    /* Between values alone; in a string neither can be. */
    for (size_t i = begin; i < b->size; i++)
        if (b->data[i] == '\n' || b->data[i] == '\r')
            b->data[i] = ' ';
out:
    return status;
}

static const char *const state_names[] = { "live", "missing", "hidden" };

/* A row of: path, part, size, mtime, sidecars, state, content, hash, taken_at, camera, width,
 * height, latitude, longitude, metadata. */
static akin_status add_item(exporting *x, sqlite3_stmt *s, akin_buffer *b, akin_error *err)
{
    static const char *const texts[] = { "taken_at", "camera" };
    static const char *const counts[] = { "width", "height" };
    static const char *const degrees[] = { "latitude", "longitude" };
    akin_status status;
    char path[AKIN_STORE_PATH], hex[AKIN_HASH_HEX], text[160];
    size_t stored_size, size, hash_size;
    const void *stored = akin_db_blob(s, 0, &stored_size);
    const int64_t state = sqlite3_column_int64(s, 5), row = row_of(x, sqlite3_column_int64(s, 6));
    const void *hash = akin_db_blob(s, 7, &hash_size);
    AKIN_TRY(akin_path_from_stored(x->store, stored, stored_size, path, &size, err));
    if (state < 0 || state > 2 || hash_size != AKIN_HASH_BYTES) {
        status = akin_fail(err, AKIN_E_CORRUPT, path,
                           "its state or its content cannot be; run 'akin verify --repair'");
        goto out;
    }
    akin_hex(hash, hash_size, hex);
    b->size = 0;
    AKIN_TRY(akin_buffer_add_text(b, "{", err));
    AKIN_TRY(json_name(b, "path", path, size, err));
    if (row >= 0)
        AKIN_TRY(json_integer(b, "row", row, err));
    else
        AKIN_TRY(akin_buffer_add_text(b, ",\"row\":null", err));
    AKIN_TRY(json_integer(b, "part", sqlite3_column_int64(s, 1), err));
    snprintf(text, sizeof text, ",\"state\":\"%s\"", state_names[state]);
    AKIN_TRY(akin_buffer_add_text(b, text, err));
    AKIN_TRY(json_integer(b, "size", sqlite3_column_int64(s, 2), err));
    AKIN_TRY(json_integer(b, "mtime_ns", sqlite3_column_int64(s, 3), err));
    AKIN_TRY(json_integer(b, "sidecars", sqlite3_column_int64(s, 4), err));
    snprintf(text, sizeof text, ",\"sha256\":\"%s\"", hex);
    AKIN_TRY(akin_buffer_add_text(b, text, err));
    for (int i = 0; i < 2; i++) {
        if (sqlite3_column_type(s, 8 + i) == SQLITE_NULL)
            continue;
        const char *value = akin_db_text(s, 8 + i);
        AKIN_TRY(akin_buffer_add_text(b, ",", err));
        AKIN_TRY(json_name(b, texts[i], value, strlen(value), err));
    }
    for (int i = 0; i < 2; i++) {
        const int64_t value = sqlite3_column_int64(s, 10 + i);
        if (value > 0 && value <= INT32_MAX)
            AKIN_TRY(json_integer(b, counts[i], value, err));
    }
    for (int i = 0; i < 2; i++) {
        const double value = sqlite3_column_double(s, 12 + i);
        if (sqlite3_column_type(s, 12) != SQLITE_NULL &&
            sqlite3_column_type(s, 13) != SQLITE_NULL && isfinite(value))
            AKIN_TRY(json_double(b, degrees[i], value, err));
    }
    AKIN_TRY(add_metadata(b, akin_db_text(s, 14), path, err));
    AKIN_TRY(akin_buffer_add_text(b, "}\n", err));
out:
    return status;
}

static akin_status write_items(exporting *x, const char *path, akin_error *err)
{
    akin_status status;
    akin_writer w = { 0 };
    sqlite3_stmt *s = NULL;
    akin_buffer line;
    akin_buffer_init(&line, "an item's line", max_line);
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(akin_db_prepare(x->store->db,
                             "SELECT i.path, i.part, i.size, i.mtime, i.sidecars, i.state,"
                             " i.content, c.hash, i.taken_at, i.camera, i.width, i.height,"
                             " i.latitude, i.longitude, i.metadata FROM items i NOT INDEXED"
                             " LEFT JOIN contents c ON c.id = i.content ORDER BY i.id",
                             &s, err));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(add_item(x, s, &line, err));
        AKIN_TRY(akin_writer_add(&w, line.data, line.size, err));
        x->items++;
    }
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    sqlite3_finalize(s);
    akin_buffer_clear(&line);
    return status;
}

/* ---- collection.json ------------------------------------------------------------------------ */

static akin_status write_collection(const exporting *x, const char *path, akin_error *err)
{
    const akin_store *store = x->store;
    const akin_store_model *model = &store->current.model;
    akin_status status;
    akin_writer w = { 0 };
    akin_buffer b;
    char text[160];
    akin_buffer_init(&b, "a model's names", max_model);
    AKIN_TRY(akin_buffer_add_text(&b, "{\"akin_export\":1,\"collection\":", err));
    AKIN_TRY(json_text(&b, store->uuid_text, strlen(store->uuid_text), err));
    snprintf(text, sizeof text, ",\"items\":%zu,\"vectors\":%zu,\"model\":{", x->items, x->count);
    AKIN_TRY(akin_buffer_add_text(&b, text, err));
    AKIN_TRY(json_name(&b, "identity", model->identity, strlen(model->identity), err));
    AKIN_TRY(akin_buffer_add_text(&b, ",", err));
    AKIN_TRY(json_name(&b, "name", model->name, strlen(model->name), err));
    AKIN_TRY(akin_buffer_add_text(&b, ",", err));
    AKIN_TRY(json_name(&b, "path", model->path, strlen(model->path), err));
    AKIN_TRY(akin_buffer_add_text(&b, ",", err));
    AKIN_TRY(json_name(&b, "form", model->form, strlen(model->form), err));
    snprintf(text, sizeof text, ",\"dimensions\":%zu,\"type\":\"%s\"}}\n", model->dimensions,
             model->type == AKIN_VECTOR_F16 ? "f16" : "f32");
    AKIN_TRY(akin_buffer_add_text(&b, text, err));
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(akin_writer_add(&w, b.data, b.size, err));
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    akin_buffer_clear(&b);
    return status;
}

/* ---- Export --------------------------------------------------------------------------------- */

/* A snapshot in which every segment is mapped, those of missing items too. */
static akin_status begin_all(akin_store *store, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (int i = 0; i < vanished_tries; i++) {
        AKIN_TRY(akin_store_begin(store, err));
        for (size_t n = 0; n < store->segment_count && status == AKIN_OK; n++)
            status = akin_segment_map(store, &store->current, &store->segments[n], err);
        if (status == AKIN_OK)
            return AKIN_OK;
        akin_store_end(store);
        akin_store_forget(store);
        if (status != AKIN_E_NOT_FOUND)
            goto out;
        status = AKIN_OK; /* compact removed it a moment ago: the next look knows */
    }
    status = akin_fail(err, AKIN_E_CORRUPT, store->folder,
                       "vectors that the collection names are not there; run 'akin verify'");
out:
    return status;
}

akin_status akin_store_export(akin_store *store, const char *folder, akin_error *err)
{
    static const char *const names[] = { "vectors.npy", "items.jsonl", "collection.json" };
    exporting x = { .store = store };
    akin_new_folder f = { 0 };
    char *paths[3] = { NULL };
    akin_status status;
    bool begun = false;
    AKIN_TRY(akin_store_idle(store, false, err));
    AKIN_TRY(akin_new_folder_open(&f, folder, err));
    for (int i = 0; i < 3; i++)
        if ((paths[i] = akin_path_join(f.temporary, names[i])) == NULL)
            AKIN_TRY(akin_fail_nomem(err, "a path", 0));
    AKIN_TRY(begin_all(store, err));
    begun = true;
    AKIN_TRY(write_vectors(&x, paths[0], err));
    AKIN_TRY(write_items(&x, paths[1], err));
    AKIN_TRY(write_collection(&x, paths[2], err));
    AKIN_TRY(akin_new_folder_commit(&f, err));
out:
    if (begun)
        akin_store_end(store);
    akin_new_folder_abort(&f);
    for (int i = 0; i < 3; i++)
        free(paths[i]);
    free(x.contents);
    return status;
}
