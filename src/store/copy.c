/* copy.c - a second collection with the same content, as of one moment while a writer goes on.
 *
 * The moment is a read transaction: in it all segment files are opened and the database is copied
 * by SQLite's backup, which reads that same transaction. Then it ends: rows that count never change
 * and an open file stays, so that the vectors, which take long, are copied while nobody waits. Only
 * rows that count are. The copy is a collection of its own, with its own UUID. */
#include "store_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/file.h"
#include "base/memory.h"

enum { chunk_bytes = 1 << 20, vanished_tries = 8 };

typedef struct open_segment {
    int64_t number, space;
    size_t rows;
    int fd;
} open_segment;

typedef struct copying {
    akin_store *store;
    open_segment *segments;
    size_t count, capacity;
    /* Where segments are made: no more of a store than akin_segment_create looks at. */
    akin_store target;
} copying;

static void close_segments(copying *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->segments[i].fd >= 0)
            close(c->segments[i].fd);
    c->count = 0;
}

static const akin_space *space_of(const copying *c, int64_t id)
{
    return id == c->store->current.id                              ? &c->store->current
           : id != 0 && id == c->store->building.id ? &c->store->building
                                                                   : NULL;
}

/* In a transaction. AKIN_E_NOT_FOUND when a file is not there. */
static akin_status open_segments(copying *c, akin_error *err)
{
    akin_store *store = c->store;
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_store_load_spaces(store, err));
    AKIN_TRY(akin_db_prepare(store->db, "SELECT number, space, rows FROM segments ORDER BY number",
                             &s, err));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        open_segment *grown = akin_grow(c->segments, &c->capacity, c->count + 1, sizeof *grown);
        if (grown == NULL) {
            status = akin_fail_nomem(err, "segments", 0);
            goto out;
        }
        c->segments = grown;
        const int64_t rows = sqlite3_column_int64(s, 2);
        open_segment segment = { .number = sqlite3_column_int64(s, 0),
                                 .space = sqlite3_column_int64(s, 1), .rows = (size_t)rows };
        const akin_space *space = space_of(c, segment.space);
        if (space == NULL || rows < 0 || rows > AKIN_SEGMENT_ROWS || segment.number < 1) {
            status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                               "the row of segment %" PRId64 " cannot be; run 'akin verify'",
                               segment.number);
            goto out;
        }
        uint64_t size;
        AKIN_TRY(akin_segment_file(store, space, segment.number, &segment.fd, &size, err));
        c->segments[c->count++] = segment;
    }
out:
    sqlite3_finalize(s);
    return status;
}

/* ---- The database --------------------------------------------------------------------------- */

static akin_status set_fact(sqlite3 *db, const char *name, const void *value, size_t size,
                            akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_db_prepare(db, "UPDATE facts SET value = ?2 WHERE name = ?1", &s, err));
    AKIN_TRY(akin_db_bind(s, err, "tb", name, value, size));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    sqlite3_finalize(s);
    return status;
}

/* Paths that are relative to the folder two above lead elsewhere from another place: then that
 * folder is named. */
static akin_status keep_base(const copying *c, sqlite3 *db, const char *folder, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char *holder = akin_two_above(folder);
    bool row;
    if (holder == NULL)
        return akin_fail_nomem(err, "a path", 0);
    AKIN_TRY(akin_db_prepare(db, "SELECT 1 FROM facts WHERE name = 'base' AND length(value) = 0",
                             &s, err));
    AKIN_TRY(akin_db_step(s, &row, err));
    sqlite3_reset(s);
    const char *base = c->store->base;
    if (row && base != NULL && strcmp(holder, base) != 0) {
        if (base[0] == '\0')
            base = "/";
        AKIN_TRY(set_fact(db, "base", base, strlen(base), err));
    }
out:
    free(holder);
    sqlite3_finalize(s);
    return status;
}

/* What differs in the copy. folder: where it will be. */
static akin_status change_facts(const copying *c, sqlite3 *db, const char *folder, akin_error *err)
{
    akin_status status;
    /* The pages say "write-ahead log"; a file that is to be renamed has no journal beside it. */
    AKIN_TRY(akin_db_run(db, "PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE", err));
    AKIN_TRY(set_fact(db, "uuid", c->target.uuid, sizeof c->target.uuid, err));
    AKIN_TRY(keep_base(c, db, folder, err));
    AKIN_TRY(akin_db_run(db, "COMMIT", err));
out:
    return status;
}

/* In a transaction of the store, whose state it copies. */
static akin_status copy_database(const copying *c, const char *path, sqlite3 **db, akin_error *err)
{
    if (*db == NULL) { /* a second look begins again with the file that is open */
        const akin_status status = akin_db_create(path, db, err);
        if (status != AKIN_OK)
            return status;
    }
    /* Before anything else, or defensive settings would get in the way of page 1. */
    sqlite3_backup *backup = sqlite3_backup_init(*db, "main", c->store->db, "main");
    if (backup == NULL)
        return akin_db_fail(*db, "copy the database", err);
    const int result = sqlite3_backup_step(backup, -1);
    const int finished = sqlite3_backup_finish(backup);
    if (result == SQLITE_DONE && finished == SQLITE_OK)
        return akin_db_configure(*db, err);
    /* Which of the two it was about is not said. */
    return sqlite3_errcode(*db) != SQLITE_OK && sqlite3_errcode(*db) != SQLITE_DONE
               ? akin_db_fail(*db, "copy the database", err)
               : akin_db_fail(c->store->db, "copy the database", err);
}

/* ---- Vectors -------------------------------------------------------------------------------- */

static akin_status write_at(int fd, const char *path, const unsigned char *bytes, size_t size,
                            uint64_t offset, akin_error *err)
{
    while (size != 0) {
        const ssize_t n = pwrite(fd, bytes, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return akin_fail_errno(err, n < 0 ? errno : ENOSPC, path, "cannot write");
        bytes += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return AKIN_OK;
}

static akin_status copy_segment(copying *c, const open_segment *segment, unsigned char *chunk,
                                akin_error *err)
{
    akin_status status;
    const akin_space *space = space_of(c, segment->space);
    char from[AKIN_STORE_PATH], to[AKIN_STORE_PATH];
    int fd = -1;
    AKIN_TRY(akin_segment_path(c->store, segment->number, from, sizeof from, err));
    AKIN_TRY(akin_segment_path(&c->target, segment->number, to, sizeof to, err));
    AKIN_TRY(akin_segment_create(&c->target, space, segment->number, &fd, err));
    const uint64_t end =
        AKIN_SEGMENT_HEADER + (uint64_t)segment->rows * akin_space_row_bytes(space);
    for (uint64_t at = AKIN_SEGMENT_HEADER; at < end;) {
        const size_t n = (size_t)(end - at < chunk_bytes ? end - at : chunk_bytes);
        AKIN_TRY(akin_read_at(segment->fd, from, chunk, n, at, err));
        AKIN_TRY(write_at(fd, to, chunk, n, at, err));
        at += n;
    }
    if (fsync(fd) != 0)
        status = akin_fail_errno(err, errno, to, "cannot sync");
out:
    if (fd >= 0)
        close(fd);
    return status;
}

static akin_status copy_segments(copying *c, akin_error *err)
{
    akin_status status = AKIN_OK;
    char path[AKIN_STORE_PATH];
    unsigned char *chunk = malloc(chunk_bytes);
    if (chunk == NULL)
        return akin_fail_nomem(err, "vectors to be copied", chunk_bytes);
    for (size_t i = 0; i < c->count; i++)
        AKIN_TRY(copy_segment(c, &c->segments[i], chunk, err));
    snprintf(path, sizeof path, "%s/" AKIN_STORE_SEGMENTS, c->target.folder);
    AKIN_TRY(akin_folder_sync(path, err));
out:
    free(chunk);
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------ */

/* Everything as of one moment: segments open, the database copied. */
static akin_status take_moment(copying *c, const char *database, sqlite3 **db, akin_error *err)
{
    akin_store *store = c->store;
    akin_status status = AKIN_OK;
    for (int i = 0; i < vanished_tries; i++) {
        AKIN_TRY(akin_db_run(store->db, "BEGIN", err));
        status = open_segments(c, err);
        if (status == AKIN_OK)
            status = copy_database(c, database, db, err);
        akin_store_roll_back(store);
        if (status != AKIN_E_NOT_FOUND)
            goto out;
        close_segments(c); /* compact removed it a moment ago: the next look knows */
    }
    if (err != NULL) {
        err->code = AKIN_E_CORRUPT;
        snprintf(err->message, sizeof err->message,
                 "vectors that the collection names are not there; run 'akin verify'");
    }
    status = AKIN_E_CORRUPT;
out:
    return status;
}

akin_status akin_store_copy(akin_store *store, const char *folder, akin_error *err)
{
    copying c = { .store = store };
    akin_new_folder f = { 0 };
    akin_status status;
    char *database = NULL, *segments = NULL;
    sqlite3 *db = NULL;
    AKIN_TRY(akin_store_idle(store, false, err));
    AKIN_TRY(akin_new_folder_open(&f, folder, err));
    c.target.folder = f.temporary;
    AKIN_TRY(akin_uuid_make(c.target.uuid, err));
    database = akin_path_join(f.temporary, AKIN_STORE_DATABASE);
    segments = akin_path_join(f.temporary, AKIN_STORE_SEGMENTS);
    if (database == NULL || segments == NULL)
        AKIN_TRY(akin_fail_nomem(err, "a collection's paths", 0));
    if (mkdir(segments, 0777) != 0)
        AKIN_TRY(akin_fail_errno(err, errno, segments, "cannot make the folder"));
    AKIN_TRY(take_moment(&c, database, &db, err));
    AKIN_TRY(change_facts(&c, db, f.path, err));
    const int closed = sqlite3_close(db);
    db = NULL;
    if (closed != SQLITE_OK)
        AKIN_TRY(akin_fail(err, AKIN_E_IO, database, "cannot close the database"));
    AKIN_TRY(copy_segments(&c, err));
    AKIN_TRY(akin_new_folder_commit(&f, err));
out:
    sqlite3_close(db);
    akin_new_folder_abort(&f);
    close_segments(&c);
    free(c.segments);
    free(database);
    free(segments);
    return status;
}
