/* items.c - items, contents, the skip list, devices; filters as statements.
 *
 * Paths are compared as BLOBs, so what is at a folder or below it is a range, whatever bytes its
 * names have, and the order of a range is that of the absolute paths.
 */
#include "store_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "where.h"

/* ---- Ranges of paths ------------------------------------------------------------------------ */

/* Adds [low + low_end, high + high_end), each end one byte or none; low NULL: "", high NULL: no
 * end. */
static void add_range(akin_path_ranges *ranges, size_t *used, const char *low, size_t low_size,
                      int low_end, const char *high, size_t high_size, int high_end)
{
    akin_path_range *r = &ranges->range[ranges->count++];
    *r = (akin_path_range){ .low = ranges->memory + *used };
    memcpy(r->low, low, low_size);
    r->low_size = low_size;
    if (low_end >= 0)
        r->low[r->low_size++] = (char)low_end;
    *used += r->low_size;
    if (high == NULL)
        return;
    r->high = ranges->memory + *used;
    memcpy(r->high, high, high_size);
    r->high_size = high_size;
    if (high_end >= 0)
        r->high[r->high_size++] = (char)high_end;
    *used += r->high_size;
}

/* '0' follows '/': [x + "/", x + "0") is all that is below x, and [x, x + NUL) is x alone. */
akin_status akin_path_ranges_of(const akin_store *store, const char *folder, akin_path_ranges *out,
                                akin_error *err)
{
    char path[AKIN_STORE_PATH];
    size_t size, used = 0;
    *out = (akin_path_ranges){ 0 };
    const akin_status status = akin_path_plain(folder != NULL ? folder : "/", path, &size, err);
    if (status != AKIN_OK)
        return status;
    if (size == 1)
        size = 0; /* what is below "/" is below "" */
    const char *base = store->base;
    const size_t base_size = base != NULL ? strlen(base) : 0;
    out->memory = malloc(2 * AKIN_PATH_RANGES * (akin_max(size, base_size) + 3));
    if (out->memory == NULL)
        return akin_fail_nomem(err, "paths", 0);
    /* Whether the base is this folder or below it. */
    const bool above = base != NULL && size <= base_size && memcmp(path, base, size) == 0 &&
                       (base_size == size || base[size] == '/');
    if (base != NULL && !above && memcmp(path, base, akin_min(base_size, size)) == 0 &&
        path[base_size] == '/') {
        size -= base_size + 1;
        memmove(path, path + base_size + 1, size);
    }
    if (size != 0 && !(above && size == base_size))
        add_range(out, &used, path, size, -1, path, size, '\0');
    if (!above) {
        add_range(out, &used, path, size, '/', path, size, '0');
        return AKIN_OK;
    }
    /* Absolute paths before the base; the base itself, which is "."; absolute ones before those
     * below it ("BASE!"); the relative ones, none of which begins with '/'; absolute paths behind.
     * */
    if (base_size != size)
        add_range(out, &used, path, size, '/', base, base_size, -1);
    add_range(out, &used, ".", 1, -1, ".", 1, '\0');
    if (base_size != size)
        add_range(out, &used, base, base_size, '\0', base, base_size, '/');
    add_range(out, &used, "", 0, -1, ".", 1, -1);
    add_range(out, &used, ".", 1, '\0', "/", 1, -1);
    add_range(out, &used, "0", 1, -1, NULL, 0, -1);
    if (base_size != size)
        add_range(out, &used, base, base_size, '0', path, size, '0');
    return AKIN_OK;
}

void akin_path_ranges_clear(akin_path_ranges *ranges)
{
    free(ranges->memory);
    *ranges = (akin_path_ranges){ 0 };
}

void akin_path_ext(const char *path, size_t size, char out[AKIN_EXT])
{
    size_t begin = size;
    out[0] = '\0';
    while (begin > 0 && path[begin - 1] != '.' && path[begin - 1] != '/')
        begin--;
    const size_t n = size - begin;
    /* ".name" has none, nor has "name."; and what is longer is part of a name. */
    if (begin < 2 || path[begin - 1] != '.' || path[begin - 2] == '/' || n == 0 || n >= AKIN_EXT ||
        !akin_utf8_valid(path + begin, n, NULL))
        return;
    for (size_t i = 0; i < n; i++) {
        const char c = path[begin + i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[n] = '\0';
}

/* A row for each of the ranges, in their order. `select` ends before WHERE. */
typedef akin_status (*row_visitor)(akin_store *store, sqlite3_stmt *row, void *context,
                                   akin_error *err);

static akin_status visit_ranges(akin_store *store, const char *select, const char *column,
                                const char *order, const char *folder, row_visitor each,
                                void *context, akin_error *err)
{
    akin_path_ranges ranges = { 0 };
    sqlite3_stmt *s = NULL;
    akin_status status;
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(akin_path_ranges_of(store, folder, &ranges, err));
    for (size_t i = 0; i < ranges.count; i++) {
        const akin_path_range *r = &ranges.range[i];
        char sql[512];
        snprintf(sql, sizeof sql, "%s WHERE %s >= ?1%s%s%s ORDER BY %s", select, column,
                 r->high != NULL ? " AND " : "", r->high != NULL ? column : "",
                 r->high != NULL ? " < ?2" : "", order);
        AKIN_TRY(akin_db_prepare(store->db, sql, &s, err));
        AKIN_TRY(akin_db_bind(s, err, r->high != NULL ? "bb" : "b", (const void *)r->low,
                              r->low_size, (const void *)r->high, r->high_size));
        for (;;) {
            bool row;
            AKIN_TRY(akin_db_step(s, &row, err));
            if (!row)
                break;
            AKIN_TRY(each(store, s, context, err));
        }
        sqlite3_finalize(s);
        s = NULL;
    }
out:
    sqlite3_finalize(s);
    akin_path_ranges_clear(&ranges);
    return status;
}

/* The same with everything in one state of the database, though it is several statements. */
static akin_status visit_at_once(akin_store *store, const char *select, const char *column,
                                 const char *order, const char *folder, row_visitor each,
                                 void *context, akin_error *err)
{
    akin_status status = akin_store_usable(store, err);
    if (status != AKIN_OK)
        return status;
    const bool own = sqlite3_get_autocommit(store->db) != 0 && !store->writing;
    if (own && (status = akin_db_run(store->db, "BEGIN", err)) != AKIN_OK)
        return status;
    status = visit_ranges(store, select, column, order, folder, each, context, err);
    if (own && !sqlite3_get_autocommit(store->db) && !store->in_snapshot)
        akin_store_roll_back(store);
    return status;
}

/* ---- Reading items -------------------------------------------------------------------------- */

#define ITEM_COLUMNS "id, path, part, size, mtime, sidecars, state, content, place"
#define FACT_COLUMNS ", taken_at, camera, width, height, latitude, longitude, metadata"

static const char *known_text(sqlite3_stmt *s, int column)
{
    return sqlite3_column_type(s, column) == SQLITE_NULL ? NULL : akin_db_text(s, column);
}

/* A count that a hostile file may have made anything. */
static int pixels(sqlite3_stmt *s, int column)
{
    const int64_t n = sqlite3_column_int64(s, column);
    return n > 0 && n <= INT32_MAX ? (int)n : 0;
}

static akin_status item_of(const akin_store *store, sqlite3_stmt *s, bool facts,
                           char path[AKIN_STORE_PATH], akin_item *item, akin_error *err)
{
    size_t stored_size;
    const void *stored = akin_db_blob(s, 1, &stored_size);
    *item = (akin_item){ .id = sqlite3_column_int64(s, 0), .path = path };
    const akin_status status =
        akin_path_from_stored(store, stored, stored_size, path, &item->path_size, err);
    if (status != AKIN_OK)
        return status;
    item->part = sqlite3_column_int64(s, 2);
    item->stamp.size = sqlite3_column_int64(s, 3);
    item->stamp.mtime_ns = sqlite3_column_int64(s, 4);
    item->stamp.sidecars = sqlite3_column_int64(s, 5);
    const int64_t state = sqlite3_column_int64(s, 6);
    if (state < AKIN_ITEM_LIVE || state > AKIN_ITEM_HIDDEN)
        return akin_fail(err, AKIN_E_CORRUPT, store->database,
                         "item %" PRId64 " is in a state that there is not; run 'akin verify'",
                         item->id);
    item->state = (akin_item_state)state;
    item->content = sqlite3_column_int64(s, 7);
    item->has_vector = sqlite3_column_type(s, 8) != SQLITE_NULL;
    item->facts.metadata = "{}";
    if (!facts)
        return AKIN_OK;
    item->facts.taken_at = known_text(s, 9);
    item->facts.camera = known_text(s, 10);
    item->facts.width = pixels(s, 11);
    item->facts.height = pixels(s, 12);
    item->facts.has_position = sqlite3_column_type(s, 13) != SQLITE_NULL &&
                               sqlite3_column_type(s, 14) != SQLITE_NULL;
    item->facts.latitude = sqlite3_column_double(s, 13);
    item->facts.longitude = sqlite3_column_double(s, 14);
    item->facts.metadata = akin_db_text(s, 15);
    return AKIN_OK;
}

struct item_visit {
    akin_item_visitor each;
    void *context;
    char path[AKIN_STORE_PATH];
};

static akin_status visit_item(akin_store *store, sqlite3_stmt *row, void *context, akin_error *err)
{
    struct item_visit *v = context;
    akin_item item;
    const akin_status status = item_of(store, row, false, v->path, &item, err);
    return status == AKIN_OK ? v->each(v->context, &item, err) : status;
}

akin_status akin_store_visit(akin_store *store, const char *folder, akin_item_visitor each,
                             void *context, akin_error *err)
{
    struct item_visit v = { .each = each, .context = context };
    return visit_at_once(store, "SELECT " ITEM_COLUMNS " FROM items", "path", "path, part", folder,
                         visit_item, &v, err);
}

/* Copies what an item points to into store->line. */
static akin_status keep_item(akin_store *store, akin_item *item, akin_error *err)
{
    const char **texts[] = { &item->path, &item->facts.taken_at, &item->facts.camera,
                             &item->facts.metadata };
    enum { count = sizeof texts / sizeof *texts };
    size_t sizes[count], total = 0;
    for (size_t i = 0; i < count; i++) {
        sizes[i] = *texts[i] != NULL ? strlen(*texts[i]) + 1 : 0;
        if (!akin_add(total, sizes[i], &total))
            return akin_fail_nomem(err, "an item", 0);
    }
    char *line = akin_grow(store->line, &store->line_capacity, total, 1);
    if (line == NULL)
        return akin_fail_nomem(err, "an item", total);
    store->line = line;
    for (size_t i = 0; i < count; i++) {
        if (*texts[i] == NULL)
            continue;
        memcpy(line, *texts[i], sizes[i]);
        *texts[i] = line;
        line += sizes[i];
    }
    return AKIN_OK;
}

static akin_status not_found(akin_error *err)
{
    if (err != NULL) {
        err->code = AKIN_E_NOT_FOUND;
        err->message[0] = err->path[0] = '\0';
    }
    return AKIN_E_NOT_FOUND;
}

akin_status akin_store_item(akin_store *store, const char *path, int64_t part, akin_item *item,
                            akin_error *err)
{
    char stored[AKIN_STORE_PATH], absolute[AKIN_STORE_PATH];
    size_t size;
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool row;
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(akin_path_to_stored(store, path, stored, &size, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_ITEM, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)stored, size, part));
    AKIN_TRY(akin_db_step(s, &row, err));
    if (!row) {
        status = not_found(err);
        goto out;
    }
    AKIN_TRY(item_of(store, s, true, absolute, item, err));
    AKIN_TRY(keep_item(store, item, err));
out:
    if (s != NULL) {
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
    }
    return status;
}

akin_status akin_filter_prepare(akin_store *store, const akin_item_filter *filter,
                                const char *select, const uint64_t *place, sqlite3_stmt **out,
                                akin_error *err)
{
    akin_buffer sql;
    akin_status status;
    size_t count = 0;
    const akin_value *values = filter != NULL ? akin_filter_values(filter, &count) : NULL;
    char end[96] = "";
    *out = NULL;
    akin_buffer_init(&sql, "a filter", 4 << 20);
    /* INDEXED BY: a filter of its own must not lead SQLite to walk all dates for one place. */
    if (place != NULL)
        snprintf(end, sizeof end, " AND place = ?%zu ORDER BY id", count + 1);
    AKIN_TRY(akin_buffer_add_text(&sql, select, err));
    AKIN_TRY(akin_buffer_add_text(&sql, place != NULL ? " INDEXED BY items_place" : "", err));
    AKIN_TRY(akin_buffer_add_text(&sql, " WHERE state = 0", err));
    if (filter != NULL) {
        AKIN_TRY(akin_buffer_add_text(&sql, " AND (", err));
        AKIN_TRY(akin_buffer_add_text(&sql, akin_filter_sql(filter), err));
        AKIN_TRY(akin_buffer_add_text(&sql, ")", err));
    }
    AKIN_TRY(akin_buffer_add_text(&sql, end, err));
    AKIN_TRY(akin_db_prepare(store->db, sql.data, out, err));
    for (size_t i = 0; i < count; i++) {
        const akin_value *v = &values[i];
        const int number = (int)i + 1;
        int result = SQLITE_OK;
        switch (v->type) {
        case AKIN_VALUE_INTEGER: result = sqlite3_bind_int64(*out, number, v->integer); break;
        case AKIN_VALUE_REAL: result = sqlite3_bind_double(*out, number, v->real); break;
        case AKIN_VALUE_TEXT:
            result = sqlite3_bind_text64(*out, number, v->bytes != NULL ? v->bytes : "", v->size,
                                         SQLITE_STATIC, SQLITE_UTF8);
            break;
        case AKIN_VALUE_BYTES:
            result = v->size == 0 ? sqlite3_bind_zeroblob(*out, number, 0)
                                  : sqlite3_bind_blob64(*out, number, v->bytes, v->size,
                                                        SQLITE_STATIC);
            break;
        }
        if (result != SQLITE_OK)
            AKIN_TRY(akin_db_fail(store->db, "filter", err));
    }
    if (place != NULL && sqlite3_bind_int64(*out, (int)count + 1, (int64_t)*place) != SQLITE_OK)
        AKIN_TRY(akin_db_fail(store->db, "filter", err));
out:
    akin_buffer_clear(&sql);
    if (status != AKIN_OK) {
        sqlite3_finalize(*out);
        *out = NULL;
    }
    return status;
}

akin_status akin_store_items_at(akin_store *store, uint64_t place, const akin_item_filter *filter,
                                akin_item_visitor each, void *context, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char path[AKIN_STORE_PATH];
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(akin_filter_prepare(store, filter, "SELECT " ITEM_COLUMNS FACT_COLUMNS " FROM items",
                                 &place, &s, err));
    for (;;) {
        akin_item item;
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(item_of(store, s, true, path, &item, err));
        AKIN_TRY(each(context, &item, err));
    }
out:
    sqlite3_finalize(s);
    return status;
}

akin_status akin_store_paths_of(akin_store *store, int64_t content, akin_item_visitor each,
                                void *context, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char path[AKIN_STORE_PATH];
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT " ITEM_COLUMNS " FROM items WHERE content = ?1 ORDER BY id",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", content));
    for (;;) {
        akin_item item;
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(item_of(store, s, false, path, &item, err));
        AKIN_TRY(each(context, &item, err));
    }
out:
    sqlite3_finalize(s);
    return status;
}

/* ---- Changing items ------------------------------------------------------------------------- */

/* Whether a content is known, and its place in the current space (0: none). */
static akin_status place_of(akin_store *store, int64_t content, bool *known, uint64_t *place,
                            uint32_t *crc, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_CONTENT_PLACE, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "ii", content, store->current.id));
    AKIN_TRY(akin_db_step(s, known, err));
    *place = *known ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
    *crc = *known ? (uint32_t)sqlite3_column_int64(s, 1) : 0;
    sqlite3_reset(s);
out:
    return status;
}

static akin_status check_facts(const akin_item_facts *facts, const char *path, akin_error *err)
{
    if (facts->metadata == NULL)
        return AKIN_OK;
    akin_json *json = NULL;
    const akin_status status = akin_json_parse_object(facts->metadata, strlen(facts->metadata),
                                                      path, &json, err);
    akin_json_free(json);
    /* The caller's, not the collection's: nothing is damaged by it. */
    return status == AKIN_OK || status == AKIN_E_NOMEM ? status : AKIN_E_ARGUMENT;
}

static akin_status put_item(akin_store *store, const char *path, int64_t part,
                            const akin_stamp *stamp, int64_t content, const akin_item_facts *facts,
                            int64_t *id, akin_error *err)
{
    char stored[AKIN_STORE_PATH], ext[AKIN_EXT];
    size_t size;
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool known, there;
    uint64_t place, old_place = 0;
    uint32_t crc;
    AKIN_TRY(akin_path_to_stored(store, path, stored, &size, err));
    AKIN_TRY(place_of(store, content, &known, &place, &crc, err));
    if (!known)
        return akin_fail(err, AKIN_E_ARGUMENT, path, "content %" PRId64 " is not known", content);
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_ITEM_ROW, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)stored, size, part));
    AKIN_TRY(akin_db_step(s, &there, err));
    bool was_live = false;
    if (there) {
        *id = sqlite3_column_int64(s, 0);
        old_place = (uint64_t)sqlite3_column_int64(s, 2);
        was_live = sqlite3_column_int64(s, 3) == AKIN_ITEM_LIVE;
        sqlite3_reset(s);
    }
    akin_path_ext(stored, size, ext);
    const double none = NAN;
    AKIN_TRY(akin_db_statement(store, there ? AKIN_SQL_SET_ITEM : AKIN_SQL_NEW_ITEM, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "biiiiiittiitrrt", (const void *)stored, size, part, stamp->size,
                          stamp->mtime_ns, stamp->sidecars, content, (int64_t)place,
                          (const char *)ext, facts->taken_at, (int64_t)facts->width,
                          (int64_t)facts->height, facts->camera,
                          facts->has_position ? facts->latitude : none,
                          facts->has_position ? facts->longitude : none,
                          facts->metadata != NULL ? facts->metadata : "{}"));
    status = akin_db_step(s, NULL, err);
    sqlite3_clear_bindings(s);
    if (status != AKIN_OK)
        goto out;
    if (!there)
        *id = sqlite3_last_insert_rowid(store->db);
    if (!was_live || old_place != place) {
        AKIN_TRY(akin_store_touch(store, old_place, err));
        AKIN_TRY(akin_store_touch(store, place, err));
    }
out:
    return status;
}

akin_status akin_store_put(akin_store *store, const char *path, int64_t part,
                           const akin_stamp *stamp, int64_t content, const akin_item_facts *facts,
                           int64_t *id, akin_error *err)
{
    static const akin_item_facts unknown = { 0 };
    int64_t ignored;
    akin_status status;
    if (facts == NULL)
        facts = &unknown;
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(check_facts(facts, path, err));
    AKIN_TRY(akin_store_writing(store, err));
    status = put_item(store, path, part, stamp, content, facts, id != NULL ? id : &ignored, err);
    return akin_store_settle(store, status, err);
out:
    return status;
}

/* Touches the places of all parts of a stored path; *count is how many parts there are. */
static akin_status touch_parts(akin_store *store, const char *stored, size_t size, size_t *count,
                               akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    *count = 0;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_PARTS_AT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "b", (const void *)stored, size));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        ++*count;
        status = akin_store_touch(store, (uint64_t)sqlite3_column_int64(s, 2), err);
        if (status != AKIN_OK) {
            sqlite3_reset(s);
            goto out;
        }
    }
out:
    return status;
}

akin_status akin_store_set_state(akin_store *store, const char *path, akin_item_state state,
                                 akin_error *err)
{
    char stored[AKIN_STORE_PATH];
    size_t size, count;
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, path, stored, &size, err));
    if (state < AKIN_ITEM_LIVE || state > AKIN_ITEM_HIDDEN) {
        status = akin_fail(err, AKIN_E_ARGUMENT, path, "there is no state %d", (int)state);
        goto out;
    }
    AKIN_TRY(touch_parts(store, stored, size, &count, err));
    if (count == 0)
        return not_found(err);
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_STATE, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)stored, size, (int64_t)state));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    return akin_store_settle(store, status, err);
}

akin_status akin_store_set_stamp(akin_store *store, const char *path, const akin_stamp *stamp,
                                 akin_error *err)
{
    char stored[AKIN_STORE_PATH];
    size_t size;
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, path, stored, &size, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_STAMP, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "biii", (const void *)stored, size, stamp->size, stamp->mtime_ns,
                          stamp->sidecars));
    AKIN_TRY(akin_db_step(s, NULL, err));
    if (sqlite3_changes(store->db) == 0)
        return not_found(err);
out:
    return akin_store_settle(store, status, err);
}

static akin_status drop_parts(akin_store *store, const char *stored, size_t size,
                              const int64_t *keep, size_t keep_count, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL, *drop;
    int64_t *ids = NULL;
    size_t count = 0, capacity = 0;
    /* Collected first: what a statement reads is not changed under it. */
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_PARTS_AT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "b", (const void *)stored, size));
    for (;;) {
        bool row, kept = false;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t part = sqlite3_column_int64(s, 1);
        for (size_t i = 0; keep != NULL && i < keep_count && !kept; i++)
            kept = keep[i] == part;
        if (kept)
            continue;
        int64_t *grown = akin_grow(ids, &capacity, count + 1, sizeof *ids);
        if (grown == NULL) {
            status = akin_fail_nomem(err, "parts of a file", 0);
            goto out;
        }
        ids = grown;
        ids[count++] = sqlite3_column_int64(s, 0);
        AKIN_TRY(akin_store_touch(store, (uint64_t)sqlite3_column_int64(s, 2), err));
    }
    for (size_t i = 0; i < count; i++) {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_DROP, &drop, err));
        AKIN_TRY(akin_db_bind(drop, err, "i", ids[i]));
        AKIN_TRY(akin_db_step(drop, NULL, err));
    }
out:
    if (s != NULL)
        sqlite3_reset(s);
    free(ids);
    return status;
}

akin_status akin_store_move(akin_store *store, const char *from, const char *to,
                            const akin_stamp *stamp, akin_error *err)
{
    char old[AKIN_STORE_PATH], new[AKIN_STORE_PATH], ext[AKIN_EXT];
    size_t old_size, new_size, count;
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, from, old, &old_size, err));
    AKIN_TRY(akin_path_to_stored(store, to, new, &new_size, err));
    AKIN_TRY(touch_parts(store, old, old_size, &count, err));
    if (count == 0)
        return not_found(err);
    if (old_size != new_size || memcmp(old, new, new_size) != 0)
        AKIN_TRY(drop_parts(store, new, new_size, NULL, 0, err));
    akin_path_ext(new, new_size, ext);
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_MOVE, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bbtiii", (const void *)old, old_size, (const void *)new,
                          new_size, (const char *)ext, stamp->size, stamp->mtime_ns,
                          stamp->sidecars));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    return akin_store_settle(store, status, err);
}

akin_status akin_store_drop(akin_store *store, const char *path, const int64_t *keep, size_t count,
                            akin_error *err)
{
    char stored[AKIN_STORE_PATH];
    size_t size;
    akin_status status;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, path, stored, &size, err));
    AKIN_TRY(drop_parts(store, stored, size, keep, count, err));
out:
    return akin_store_settle(store, status, err);
}

/* ---- Contents ------------------------------------------------------------------------------- */

/* The content of a hash and part, 0: none; its place in the current space, 0: none. */
static akin_status content_of(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES], int64_t part,
                              int64_t *content, uint64_t *place, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_CONTENT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bii", (const void *)hash, (size_t)AKIN_HASH_BYTES, part,
                          store->current.id));
    AKIN_TRY(akin_db_step(s, &row, err));
    *content = row ? sqlite3_column_int64(s, 0) : 0;
    *place = row ? (uint64_t)sqlite3_column_int64(s, 1) : 0;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
out:
    return status;
}

akin_status akin_store_content(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES], int64_t part,
                               int64_t *content, akin_error *err)
{
    uint64_t place;
    akin_status status = akin_store_usable(store, err);
    if (status == AKIN_OK)
        status = content_of(store, hash, part, content, &place, err);
    return status == AKIN_OK && (*content == 0 || place == 0) ? not_found(err) : status;
}

akin_status akin_store_parts(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES],
                             int64_t **parts, size_t *count, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    size_t capacity = 0;
    *parts = NULL;
    *count = 0;
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT c.part FROM contents c JOIN vectors v ON v.space = ?2 AND"
                             " v.content = c.id WHERE c.hash = ?1 ORDER BY c.part",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)hash, (size_t)AKIN_HASH_BYTES,
                          store->current.id));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        int64_t *grown = akin_grow(*parts, &capacity, *count + 1, sizeof *grown);
        if (grown == NULL) {
            status = akin_fail_nomem(err, "parts of a file", 0);
            goto out;
        }
        *parts = grown;
        grown[(*count)++] = sqlite3_column_int64(s, 0);
    }
out:
    sqlite3_finalize(s);
    if (status != AKIN_OK) {
        free(*parts);
        *parts = NULL;
        *count = 0;
    }
    return status;
}

static akin_status check_vector(const akin_store *store, const float *vector, const char *path,
                                akin_error *err)
{
    double sum = 0;
    for (size_t i = 0; i < store->current.model.dimensions; i++) {
        if (!isfinite(vector[i]))
            return akin_fail(err, AKIN_E_NONFINITE, path,
                             "number %zu of its vector is not finite: it is not stored", i);
        sum += (double)vector[i] * vector[i];
    }
    if (sum == 0)
        return akin_fail(err, AKIN_E_NONFINITE, path,
                         "its vector has length 0, no direction: it is not stored");
    if (fabs(sqrt(sum) - 1) > 1e-3)
        return akin_fail(err, AKIN_E_ARGUMENT, path, "its vector has length %g, not 1", sqrt(sum));
    return AKIN_OK;
}

static akin_status add_content(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES], int64_t part,
                               const float *vector, int64_t *content, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    uint64_t place;
    uint32_t crc;
    AKIN_TRY(content_of(store, hash, part, content, &place, err));
    if (*content != 0 && place != 0)
        return AKIN_OK; /* two workers read equal files */
    const bool known = *content != 0;
    AKIN_TRY(akin_append(store, &store->current, vector, &place, &crc, err));
    if (!known) {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_NEW_CONTENT, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)hash, (size_t)AKIN_HASH_BYTES, part));
        status = akin_db_step(s, NULL, err);
        sqlite3_clear_bindings(s);
        if (status != AKIN_OK)
            goto out;
        *content = sqlite3_last_insert_rowid(store->db);
    }
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_NEW_VECTOR, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "iiii", store->current.id, *content, (int64_t)place,
                          (int64_t)crc));
    AKIN_TRY(akin_db_step(s, NULL, err));
    if (known) { /* of another model till now: its items have a vector again */
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_ATTACH, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "ii", *content, (int64_t)place));
        AKIN_TRY(akin_db_step(s, NULL, err));
        AKIN_TRY(akin_store_touch(store, place, err));
    }
out:
    return status;
}

akin_status akin_store_add_content(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES],
                                   int64_t part, const float *vector, const char *path,
                                   int64_t *content, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(check_vector(store, vector, path, err));
    AKIN_TRY(akin_store_writing(store, err));
    status = add_content(store, hash, part, vector, content, err);
    /* Even "not found" is of a folder that went away: nothing goes on from there. */
    return status == AKIN_OK ? AKIN_OK : akin_store_spoil(store, status, err);
out:
    return status;
}

akin_status akin_store_vector(akin_store *store, int64_t content, float *out, akin_error *err)
{
    akin_status status;
    bool known;
    uint64_t place;
    uint32_t crc;
    unsigned char *row = NULL;
    const size_t row_bytes = akin_space_row_bytes(&store->current);
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(place_of(store, content, &known, &place, &crc, err));
    if (!known || place == 0)
        return not_found(err);
    row = malloc(row_bytes);
    if (row == NULL)
        return akin_fail_nomem(err, "a vector", row_bytes);
    AKIN_TRY(akin_row_read(store, &store->current, place, row, err));
    if (akin_crc32(row, row_bytes) != crc) {
        status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                           "the vector of content %" PRId64 " is damaged; run 'akin verify'",
                           content);
        goto out;
    }
    akin_row_to_floats(&store->current, row, out);
out:
    free(row);
    return status;
}

/* ---- The skip list -------------------------------------------------------------------------- */

struct skip_visit {
    akin_skip_visitor each;
    void *context;
    char path[AKIN_STORE_PATH];
};

static akin_status visit_skip(akin_store *store, sqlite3_stmt *row, void *context, akin_error *err)
{
    struct skip_visit *v = context;
    size_t stored_size, size;
    const void *stored = akin_db_blob(row, 0, &stored_size);
    const akin_status status =
        akin_path_from_stored(store, stored, stored_size, v->path, &size, err);
    if (status != AKIN_OK)
        return status;
    const akin_skip skip = {
        .path = v->path,
        .stamp = { .size = sqlite3_column_int64(row, 1), .mtime_ns = sqlite3_column_int64(row, 2),
                   .ctime_ns = sqlite3_column_int64(row, 3) },
        .code = (akin_status)sqlite3_column_int(row, 4),
        .reason = akin_db_text(row, 5),
        .settings = akin_db_text(row, 6),
        .time = sqlite3_column_int64(row, 7),
    };
    return v->each(v->context, &skip, err);
}

akin_status akin_store_visit_skips(akin_store *store, const char *folder, akin_skip_visitor each,
                                   void *context, akin_error *err)
{
    struct skip_visit v = { .each = each, .context = context };
    return visit_at_once(store,
                         "SELECT path, size, mtime, ctime, code, reason, settings, time FROM skips",
                         "path", "path", folder, visit_skip, &v, err);
}

akin_status akin_store_skip(akin_store *store, const akin_skip *skip, akin_error *err)
{
    char stored[AKIN_STORE_PATH];
    size_t size;
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, skip->path, stored, &size, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SKIP, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "biiiitti", (const void *)stored, size, skip->stamp.size,
                          skip->stamp.mtime_ns, skip->stamp.ctime_ns, (int64_t)skip->code,
                          skip->reason != NULL ? skip->reason : "",
                          skip->settings != NULL ? skip->settings : "", skip->time));
    status = akin_db_step(s, NULL, err);
    sqlite3_clear_bindings(s);
out:
    return akin_store_settle(store, status, err);
}

akin_status akin_store_unskip(akin_store *store, const char *path, akin_error *err)
{
    char stored[AKIN_STORE_PATH];
    size_t size;
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, path, stored, &size, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_UNSKIP, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "b", (const void *)stored, size));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    return akin_store_settle(store, status, err);
}

/* ---- Devices -------------------------------------------------------------------------------- */

akin_status akin_store_set_device(akin_store *store, const char *folder, uint64_t device,
                                  akin_error *err)
{
    char stored[AKIN_STORE_PATH];
    size_t size;
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(akin_path_to_stored(store, folder, stored, &size, err));
    if (device == 0) {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_DROP_DEVICE, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "b", (const void *)stored, size));
    } else {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_DEVICE, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "bi", (const void *)stored, size, (int64_t)device));
    }
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    return akin_store_settle(store, status, err);
}

struct device_visit {
    akin_device_visitor each;
    void *context;
    char path[AKIN_STORE_PATH];
};

static akin_status visit_device(akin_store *store, sqlite3_stmt *row, void *context,
                                akin_error *err)
{
    struct device_visit *v = context;
    size_t stored_size, size;
    const void *stored = akin_db_blob(row, 0, &stored_size);
    const akin_status status =
        akin_path_from_stored(store, stored, stored_size, v->path, &size, err);
    return status == AKIN_OK
               ? v->each(v->context, v->path, (uint64_t)sqlite3_column_int64(row, 1), err)
               : status;
}

akin_status akin_store_visit_devices(akin_store *store, const char *folder,
                                     akin_device_visitor each, void *context, akin_error *err)
{
    struct device_visit v = { .each = each, .context = context };
    return visit_at_once(store, "SELECT folder, device FROM devices", "folder", "folder", folder,
                         visit_device, &v, err);
}
