/* compact.c - gives the space back that vectors take which no item has.
 *
 * Segments are never changed, so those with dead vectors are written again without them, beside the
 * old ones; one transaction makes the new places count; then the old files go. Killed at any
 * moment, the collection is as before or as after, and what lies about is named by no row: the next
 * compact removes it. Readers keep what they have mapped until their next snapshot. */
#include "store_tools.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

typedef struct segment_use {
    int64_t number;
    size_t rows, used;   /* that count; that a vector of table `vectors` lies at */
    size_t first;        /* of its vectors */
    uint64_t file_bytes;
    bool again;          /* is written again */
} segment_use;

static uint64_t file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

static akin_status total_bytes(akin_store *store, uint64_t *out, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char path[AKIN_STORE_PATH];
    bool row;
    *out = file_bytes(store->database);
    AKIN_TRY(akin_db_prepare(store->db, "SELECT number FROM segments", &s, err));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(akin_segment_path(store, sqlite3_column_int64(s, 0), path, sizeof path, err));
        *out += file_bytes(path);
    }
out:
    sqlite3_finalize(s);
    return status;
}

static akin_status add_bytes(akin_store *store, const char *path, uint64_t size, void *context,
                             akin_error *err)
{
    (void)store, (void)path, (void)err;
    *(uint64_t *)context += size;
    return AKIN_OK;
}

/* The segments of a space by ascending number, allocated, and which of its vectors (sorted by
 * place) lie in each. */
static akin_status load_use(akin_store *store, const akin_space *space,
                            const akin_vector_row *rows, size_t count, segment_use **out,
                            size_t *out_count, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    size_t capacity = 0, next = 0;
    char path[AKIN_STORE_PATH];
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT number, rows FROM segments WHERE space = ?1 ORDER BY number",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", space->id));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        segment_use *grown = akin_grow(*out, &capacity, *out_count + 1, sizeof *grown);
        if (grown == NULL) {
            status = akin_fail_nomem(err, "segments", 0);
            goto out;
        }
        *out = grown;
        segment_use *use = &grown[(*out_count)++];
        *use = (segment_use){ .number = sqlite3_column_int64(s, 0),
                              .rows = (size_t)sqlite3_column_int64(s, 1), .first = next };
        AKIN_TRY(akin_segment_path(store, use->number, path, sizeof path, err));
        use->file_bytes = file_bytes(path);
        while (next < count && (int64_t)(rows[next].place / AKIN_SEGMENT_ROWS) == use->number)
            next++;
        use->used = next - use->first;
    }
    if (next != count)
        status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                           "the vector of content %" PRId64 " is in no segment; run 'akin verify "
                           "--repair'",
                           rows[next].content);
out:
    sqlite3_finalize(s);
    return status;
}

/* What is worth writing again: whatever has dead rows or bytes that do not count, and what is not
 * full, to be joined; but not one alone that has nothing to give. */
static bool choose(const akin_space *space, segment_use *use, size_t count)
{
    size_t chosen = 0, last = 0;
    bool gain = false;
    for (size_t i = 0; i < count; i++) {
        const uint64_t counts =
            AKIN_SEGMENT_HEADER + (uint64_t)use[i].rows * akin_space_row_bytes(space);
        const bool dead = use[i].used != use[i].rows || use[i].file_bytes > counts;
        use[i].again = dead || use[i].rows != AKIN_SEGMENT_ROWS;
        gain = gain || dead;
        if (use[i].again) {
            chosen++;
            last = i;
        }
    }
    if (!gain && chosen == 1)
        use[last].again = false;
    return gain || chosen > 1;
}

static akin_status move_segment(akin_store *store, akin_space *space, const segment_use *use,
                                const akin_vector_row *rows, sqlite3_stmt *move, akin_error *err)
{
    akin_status status = AKIN_OK;
    const size_t row_bytes = akin_space_row_bytes(space);
    unsigned char *bytes = NULL;
    char path[AKIN_STORE_PATH];
    int fd = -1;
    uint64_t size, last = UINT64_MAX;
    if (use->used == 0)
        return AKIN_OK;
    AKIN_TRY(akin_segment_path(store, use->number, path, sizeof path, err));
    AKIN_TRY(akin_segment_file(store, space, use->number, &fd, &size, err));
    bytes = malloc(row_bytes);
    if (bytes == NULL)
        AKIN_TRY(akin_fail_nomem(err, "a vector", row_bytes));
    for (size_t i = use->first; i < use->first + use->used; i++) {
        const size_t row = rows[i].place % AKIN_SEGMENT_ROWS;
        uint64_t place;
        uint32_t crc;
        AKIN_TRY(akin_read_at(fd, path, bytes, row_bytes,
                              AKIN_SEGMENT_HEADER + (uint64_t)row * row_bytes, err));
        if (rows[i].place == last || row >= use->rows ||
            akin_crc32(bytes, row_bytes) != rows[i].crc) {
            status = akin_fail(err, AKIN_E_CORRUPT, path,
                               "row %zu is not the vector that was written there; nothing was "
                               "compacted: run 'akin verify --repair' first", row);
            goto out;
        }
        last = rows[i].place;
        AKIN_TRY(akin_append_row(store, space, bytes, &place, &crc, err));
        AKIN_TRY(akin_db_bind(move, err, "iii", space->id, rows[i].content, (int64_t)place));
        AKIN_TRY(akin_db_step(move, NULL, err));
    }
out:
    if (fd >= 0)
        close(fd);
    free(bytes);
    return status;
}

/* *changed: segments went; *moved vectors have another place. */
static akin_status compact_space(akin_store *store, akin_space *space, bool *changed, size_t *moved,
                                 akin_error *err)
{
    akin_status status;
    akin_vector_row *rows = NULL;
    segment_use *use = NULL;
    sqlite3_stmt *move = NULL;
    size_t count = 0, use_count = 0;
    AKIN_TRY(akin_vector_rows(store, space->id, &rows, &count, err));
    AKIN_TRY(load_use(store, space, rows, count, &use, &use_count, err));
    if (!choose(space, use, use_count))
        goto out;
    *changed = true;
    AKIN_TRY(akin_db_prepare(store->db,
                             "UPDATE vectors SET place = ?3 WHERE space = ?1 AND content = ?2",
                             &move, err));
    /* Not behind rows that are about to go. */
    AKIN_TRY(akin_append_seal(store, space, err));
    for (size_t i = 0; i < use_count; i++) {
        if (!use[i].again)
            continue;
        AKIN_TRY(move_segment(store, space, &use[i], rows, move, err));
        *moved += use[i].used;
        AKIN_TRY(akin_db_do(store, err, "DELETE FROM segments WHERE number = ?1", "i",
                            use[i].number));
    }
    AKIN_TRY(akin_append_sync(store, space, err));
out:
    sqlite3_finalize(move);
    free(rows);
    free(use);
    return status;
}

/* Everything that is one transaction, up to its commit. */
static akin_status change(akin_store *store, bool missing, akin_error *err)
{
    akin_status status;
    bool changed = false;
    size_t moved = 0, moved_building = 0;
    AKIN_TRY(akin_store_writing(store, err));
    if (missing)
        AKIN_TRY(akin_db_run(store->db, "DELETE FROM items WHERE state != 0", err));
    AKIN_TRY(akin_db_run(store->db,
                         "DELETE FROM contents WHERE NOT EXISTS"
                         " (SELECT 1 FROM items WHERE items.content = contents.id);"
                         "DELETE FROM vectors WHERE NOT EXISTS"
                         " (SELECT 1 FROM contents WHERE contents.id = vectors.content)",
                         err));
    AKIN_TRY(compact_space(store, &store->current, &changed, &moved, err));
    if (store->building.id != 0)
        AKIN_TRY(compact_space(store, &store->building, &changed, &moved_building, err));
    if (moved != 0)
        AKIN_TRY(akin_places_again(store, moved, err));
    if (changed)
        AKIN_TRY(akin_counts_again(store, err));
out:
    return status;
}

/* Writes the database again without its empty pages, when akin_database_spare finds it worth that.
 * SQLite's incremental way would need a pointer map in every
 * database from its first day, and leaves the pages that stay in disorder. What this cannot do (no
 * room for the copy, a reader that stays) does not matter: nothing is lost, and the space stays
 * reclaimable. */
static void shrink_database(akin_store *store)
{
    uint64_t bytes;
    if (akin_database_spare(store, &bytes, NULL) != AKIN_OK || bytes == 0)
        return;
    for (size_t i = 0; i < AKIN_SQL_COUNT; i++)
        sqlite3_reset(store->statements[i]); /* none may be in its way */
    /* The copy on the disk, not in memory: of a million items it is some 500 MB. */
    sqlite3_exec(store->db, "PRAGMA temp_store = FILE", NULL, NULL, NULL);
    sqlite3_exec(store->db, "VACUUM", NULL, NULL, NULL);
    sqlite3_exec(store->db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
    sqlite3_exec(store->db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
}

akin_status akin_store_compact(akin_store *store, bool missing, uint64_t *reclaimed,
                               akin_error *err)
{
    akin_status status;
    uint64_t before = 0, after = 0;
    bool undo = false; /* what a failure leaves can be removed */
    *reclaimed = 0;
    AKIN_TRY(akin_store_idle(store, true, err));
    /* Of a compact, or any writer, that was killed. */
    AKIN_TRY(akin_orphans(store, add_bytes, &before, err));
    AKIN_TRY(akin_orphans_remove(store, err));
    AKIN_TRY(total_bytes(store, &after, err));
    before += after;
    undo = true;
    AKIN_TRY(change(store, missing, err));
    undo = false; /* of a commit that fails nobody can say whether it counts */
    AKIN_TRY(akin_store_commit(store, err));
    akin_store_forget(store); /* maps of files that go */
    AKIN_TRY(akin_orphans_remove(store, err));
    shrink_database(store);
    AKIN_TRY(total_bytes(store, &after, err));
    *reclaimed = before > after ? before - after : 0;
out:
    if (undo) { /* a disk that ran full needs the room */
        if (store->in_transaction)
            akin_store_give_up(store);
        akin_orphans_remove(store, NULL);
    }
    return status;
}
