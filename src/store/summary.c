/* summary.c - counts of a whole collection; whether compact is due. */
#include "store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static akin_status count(akin_store *store, const char *sql, int64_t parameter, int64_t *out,
                         akin_error *err)
{
    sqlite3_stmt *s = NULL;
    akin_status status;
    bool row;
    AKIN_TRY(akin_db_prepare(store->db, sql, &s, err));
    if (sqlite3_bind_parameter_count(s) != 0)
        AKIN_TRY(akin_db_bind(s, err, "i", parameter));
    AKIN_TRY(akin_db_step(s, &row, err));
    *out = row ? sqlite3_column_int64(s, 0) : 0;
out:
    sqlite3_finalize(s);
    return status;
}

/* Vectors of the current space, and how many of them no item has. */
static akin_status count_dead(akin_store *store, int64_t *rows, int64_t *dead, akin_error *err)
{
    akin_status status;
    int64_t used;
    AKIN_TRY(count(store, "SELECT total(rows) FROM segments WHERE space = ?1", store->current.id,
                   rows, err));
    AKIN_TRY(count(store, "SELECT count(DISTINCT place) FROM items", 0, &used, err));
    *dead = *rows > used ? *rows - used : 0;
out:
    return status;
}

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

/* Sizes of segment files; of those that no row names, and of what is behind the rows that count. */
static akin_status measure_segments(akin_store *store, akin_store_summary *out, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    DIR *folder = NULL;
    char path[AKIN_STORE_PATH];
    uint64_t named = 0, all = 0;
    bool row;
    AKIN_TRY(akin_db_prepare(store->db, "SELECT number, space, rows FROM segments", &s, err));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const bool current = sqlite3_column_int64(s, 1) == store->current.id;
        const akin_space *space = current ? &store->current : &store->building;
        const int64_t rows = sqlite3_column_int64(s, 2);
        AKIN_TRY(akin_segment_path(store, sqlite3_column_int64(s, 0), path, sizeof path, err));
        const uint64_t bytes = file_bytes(path);
        const uint64_t counts =
            AKIN_SEGMENT_HEADER +
            (rows > 0 && rows <= AKIN_SEGMENT_ROWS ? (uint64_t)rows : 0) *
                akin_space_row_bytes(space);
        named += bytes;
        out->segments++;
        out->vector_bytes += bytes;
        out->reclaimable_bytes += bytes > counts ? bytes - counts : 0;
    }
    snprintf(path, sizeof path, "%s/" AKIN_STORE_SEGMENTS, store->folder);
    folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const size_t size = strlen(entry->d_name);
        if (size < 5 || strcmp(entry->d_name + size - 4, ".vec") != 0)
            continue;
        if ((size_t)snprintf(path, sizeof path, "%s/" AKIN_STORE_SEGMENTS "/%s", store->folder,
                             entry->d_name) < sizeof path)
            all += file_bytes(path);
    }
    out->reclaimable_bytes += all > named ? all - named : 0;
out:
    sqlite3_finalize(s);
    if (folder != NULL)
        closedir(folder);
    return status;
}

akin_status akin_database_spare(akin_store *store, uint64_t *bytes, akin_error *err)
{
    enum { least_bytes = 1 << 20 };
    akin_status status;
    int64_t pages, free_pages, page_bytes;
    *bytes = 0;
    AKIN_TRY(count(store, "PRAGMA page_count", 0, &pages, err));
    AKIN_TRY(count(store, "PRAGMA freelist_count", 0, &free_pages, err));
    AKIN_TRY(count(store, "PRAGMA page_size", 0, &page_bytes, err));
    if (free_pages > pages / 4 && free_pages * page_bytes >= least_bytes)
        *bytes = (uint64_t)(free_pages * page_bytes);
out:
    return status;
}

static akin_status summarise(akin_store *store, akin_store_summary *out, akin_error *err)
{
    akin_status status;
    int64_t items, live, missing, skipped, contents, rows, dead, built = 0;
    uint64_t spare;
    char path[sizeof store->database + 8];
    AKIN_TRY(akin_store_load_spaces(store, err));
    *out = (akin_store_summary){
        .format = AKIN_STORE_FORMAT,
        .uuid = store->uuid_text,
        .created = store->created != NULL ? store->created : "",
        .base = store->base == NULL ? "" : store->base[0] != '\0' ? store->base : "/",
    };
    AKIN_TRY(count(store, "SELECT count(*) FROM items", 0, &items, err));
    AKIN_TRY(count(store, "SELECT count(*) FROM items WHERE state = 0", 0, &live, err));
    /* No index has it: a walk over the table, which is worth it only when there is anything. */
    missing = 0;
    if (items != live)
        AKIN_TRY(count(store, "SELECT count(*) FROM items WHERE state = 1", 0, &missing, err));
    AKIN_TRY(count(store, "SELECT count(*) FROM skips", 0, &skipped, err));
    AKIN_TRY(count(store, "SELECT count(*) FROM contents", 0, &contents, err));
    AKIN_TRY(count_dead(store, &rows, &dead, err));
    AKIN_TRY(akin_database_spare(store, &spare, err));
    AKIN_TRY(measure_segments(store, out, err));
    if (store->building.id != 0) {
        AKIN_TRY(count(store, "SELECT count(*) FROM vectors WHERE space = ?1", store->building.id,
                       &built, err));
        out->building = store->building.model.name;
    }
    snprintf(path, sizeof path, "%s-wal", store->database);
    out->database_bytes = file_bytes(store->database) + file_bytes(path);
    out->live = (size_t)live;
    out->missing = (size_t)missing;
    out->hidden = (size_t)(items - live - missing);
    out->skipped = (size_t)skipped;
    out->contents = (size_t)contents;
    out->dead = (size_t)dead;
    out->built = (size_t)built;
    out->reclaimable_bytes += (uint64_t)dead * akin_space_row_bytes(&store->current) + spare;
out:
    return status;
}

akin_status akin_store_summarise(akin_store *store, akin_store_summary *out, akin_error *err)
{
    akin_status status = akin_store_usable(store, err);
    if (status != AKIN_OK)
        return status;
    const bool own = sqlite3_get_autocommit(store->db) != 0; /* all counts of one moment */
    if (own && (status = akin_db_run(store->db, "BEGIN", err)) != AKIN_OK)
        return status;
    status = summarise(store, out, err);
    if (own)
        akin_store_roll_back(store);
    return status;
}

/* Rows of the current space, and how many of them are live. */
static akin_status count_rows(akin_store *store, size_t *rows, size_t *live, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    *rows = *live = 0;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SEGMENTS, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", store->current.id));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        size_t size;
        const unsigned char *bits = akin_db_blob(s, 2, &size);
        *rows += (size_t)sqlite3_column_int64(s, 1);
        for (size_t i = 0; i < size; i++)
            *live += (size_t)__builtin_popcount(bits[i]);
    }
out:
    return status;
}

bool akin_store_wants_compact(akin_store *store)
{
    size_t rows, live;
    int64_t all, dead;
    /* The bitmaps first: items are counted only where enough rows are not live. */
    if (akin_store_usable(store, NULL) != AKIN_OK ||
        count_rows(store, &rows, &live, NULL) != AKIN_OK || rows / 2 < live)
        return false;
    return count_dead(store, &all, &dead, NULL) == AKIN_OK && dead > all / 2;
}

akin_status akin_store_has_photographs(akin_store *store, bool *out, akin_error *err)
{
    int64_t any = 0;
    akin_status status = count(store,
                               "SELECT EXISTS (SELECT 1 FROM items WHERE state = 0 AND"
                               " camera IS NOT NULL)",
                               0, &any, err);
    *out = any != 0;
    return status;
}
