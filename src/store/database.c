/* database.c - SQLite behind akin_error: opening, statements, what went wrong.
 *
 * The file is input like any other: it may be damaged or made to do harm. So schema and pages are
 * checked as they are read, triggers and views are off, nothing in the schema may call a function
 * that is not harmless, and the file is never mapped.
 *
 * Journals. On a local file system a write-ahead log: readers never wait for the writer. Its index
 * is memory shared between processes, which network file systems do not have (the users of more
 * than one program lost databases that way), so there a rollback journal, which needs nothing but
 * locks.
 */
#include "store_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

/* A writer's transaction is at most a checkpoint and its syncs; in a rollback journal's mode it
 * waits for every reader to end. */
enum { patience_ms = 30000 };

akin_status akin_db_fail(sqlite3 *db, const char *what, akin_error *err)
{
    const char *path = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
    const int code = db != NULL ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    const int error_number = db != NULL ? sqlite3_system_errno(db) : 0;
    const char *said = db != NULL ? sqlite3_errmsg(db) : "";
    char text[128], because[160] = "";
    if (error_number != 0)
        snprintf(because, sizeof because, " (%s)", strerror_r(error_number, text, sizeof text));
    switch (code & 0xff) {
    case SQLITE_NOMEM: return akin_fail_nomem(err, what, 0);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* somebody is at the log's index and does not go on */
        return akin_fail(err, AKIN_E_BUSY, path, "cannot %s: another process has it locked", what);
    case SQLITE_FULL:
        return akin_fail(err, AKIN_E_IO, path, "cannot %s: the disk is full", what);
    case SQLITE_IOERR:
        return akin_fail(err, AKIN_E_IO, path, "cannot %s: %s%s", what, said, because);
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return akin_fail(err, AKIN_E_PERMISSION, path, "cannot %s: %s%s", what, said, because);
    case SQLITE_CANTOPEN:
        return akin_fail(err,
                         error_number == EACCES || error_number == EPERM ? AKIN_E_PERMISSION
                                                                         : AKIN_E_IO,
                         path, "cannot %s: %s%s", what, said, because);
    case SQLITE_NOTADB:
        return akin_fail(err, AKIN_E_FORMAT, path, "is not an SQLite database");
    case SQLITE_TOOBIG:
        return akin_fail(err, AKIN_E_LIMIT, path, "cannot %s: %s", what, said);
    default:
        return akin_fail(err, AKIN_E_CORRUPT, path,
                         "cannot %s: %s; the collection is damaged: run 'akin verify'; when that "
                         "says the same, put a copy back, or index into another --db",
                         what, said);
    }
}

/* Of a database that did not open SQLite does not know the name. */
static akin_status open_failed(sqlite3 *db, const char *path, const char *what, akin_error *err)
{
    const akin_status status = akin_db_fail(db, what, err);
    if (err != NULL && err->path[0] == '\0')
        snprintf(err->path, sizeof err->path, "%.*s", (int)sizeof err->path - 1, path);
    return status;
}

akin_status akin_db_run(sqlite3 *db, const char *sql, akin_error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return AKIN_OK;
    return akin_db_fail(db, "use the collection", err);
}

akin_status akin_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, akin_error *err)
{
    if (sqlite3_prepare_v2(db, sql, -1, out, NULL) == SQLITE_OK)
        return AKIN_OK;
    *out = NULL;
    return akin_db_fail(db, "use the collection", err);
}

akin_status akin_db_statement(akin_store *store, akin_sql which, sqlite3_stmt **out,
                              akin_error *err)
{
    sqlite3_stmt **kept = &store->statements[which];
    if (*kept == NULL && sqlite3_prepare_v3(store->db, akin_sql_text[which], -1,
                                            SQLITE_PREPARE_PERSISTENT, kept, NULL) != SQLITE_OK) {
        *kept = NULL;
        *out = NULL;
        return akin_db_fail(store->db, "use the collection", err);
    }
    sqlite3_reset(*kept); /* tells again what the last step told */
    *out = *kept;
    return AKIN_OK;
}

akin_status akin_db_bind(sqlite3_stmt *statement, akin_error *err, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    int result = SQLITE_OK;
    for (int i = 1; types[i - 1] != '\0' && result == SQLITE_OK; i++) {
        switch (types[i - 1]) {
        case 'i': result = sqlite3_bind_int64(statement, i, va_arg(values, int64_t)); break;
        case 'r': result = sqlite3_bind_double(statement, i, va_arg(values, double)); break;
        case 't':
            result = sqlite3_bind_text(statement, i, va_arg(values, const char *), -1,
                                       SQLITE_STATIC);
            break;
        case 'b': {
            const void *bytes = va_arg(values, const void *);
            const size_t size = va_arg(values, size_t);
            /* A BLOB of no bytes at NULL would be bound as NULL. */
            result = size == 0 ? sqlite3_bind_zeroblob(statement, i, 0)
                               : sqlite3_bind_blob64(statement, i, bytes, size, SQLITE_STATIC);
            break;
        }
        default: result = sqlite3_bind_null(statement, i); break;
        }
    }
    va_end(values);
    if (result == SQLITE_OK)
        return AKIN_OK;
    return akin_db_fail(sqlite3_db_handle(statement), "use the collection", err);
}

akin_status akin_db_step(sqlite3_stmt *statement, bool *row, akin_error *err)
{
    const int result = sqlite3_step(statement);
    if (row != NULL)
        *row = result == SQLITE_ROW;
    if (result == SQLITE_ROW && row != NULL)
        return AKIN_OK;
    if (result == SQLITE_ROW || result == SQLITE_DONE) {
        sqlite3_reset(statement);
        return AKIN_OK;
    }
    sqlite3 *db = sqlite3_db_handle(statement);
    const akin_status status = akin_db_fail(
        db, sqlite3_stmt_readonly(statement) ? "read the collection" : "change the collection",
        err);
    sqlite3_reset(statement);
    return status;
}

const char *akin_db_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return text != NULL ? text : "";
}

const void *akin_db_blob(sqlite3_stmt *statement, int column, size_t *size)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    *size = bytes != NULL ? (size_t)sqlite3_column_bytes(statement, column) : 0;
    return bytes != NULL ? bytes : "";
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Whether a file beside the database, "-wal" or "-journal", holds anything. */
static bool beside(const akin_store *store, const char *suffix)
{
    char path[sizeof store->database + 16];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", store->database, suffix);
    return stat(path, &st) == 0 && st.st_size != 0;
}

/* Whether the file is set to a write-ahead log; its header says so in byte 18. */
static bool wants_wal(const akin_store *store)
{
    unsigned char header[20];
    const int fd = open(store->database, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    const bool wal = pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header &&
                     header[18] == 2;
    close(fd);
    return wal;
}

akin_status akin_db_configure(sqlite3 *db, akin_error *err)
{
    static const struct { int option, value; } options[] = {
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },      { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 }, { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },        { SQLITE_DBCONFIG_DQS_DDL, 0 },
        { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (sqlite3_db_config(db, options[i].option, options[i].value, NULL) != SQLITE_OK)
            return akin_db_fail(db, "set up SQLite", err);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 64 << 20);
    sqlite3_busy_timeout(db, patience_ms);
    /* None of these reads the file. cache_size: 32 MiB; with SQLite's own 2 MiB a visit of 100,000
     * items reads most pages several times. */
    return akin_db_run(db,
                       "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                       "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
                       "PRAGMA cache_size = -32768; PRAGMA journal_size_limit = 67108864",
                       err);
}

/* Whether the folder's files may be written. */
static bool folder_writable(const akin_store *store)
{
    return faccessat(AT_FDCWD, store->folder, W_OK, AT_EACCESS) == 0 &&
           faccessat(AT_FDCWD, store->database, W_OK, AT_EACCESS) == 0;
}

akin_status akin_db_create(const char *path, sqlite3 **out, akin_error *err)
{
    *out = NULL;
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return akin_fail_errno(err, errno, path, "cannot create");
    close(fd);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, out, flags, NULL) == SQLITE_OK)
        return AKIN_OK;
    return open_failed(*out, path, "create the database", err);
}

/* A file: URI of the path; what has a meaning there is written in hexadecimal. */
static void immutable_uri(const char *path, char *out, size_t capacity)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = (size_t)snprintf(out, capacity, "file:");
    for (const char *p = path; *p != '\0' && n + 16 < capacity; p++) {
        const unsigned char c = (unsigned char)*p;
        if (c == '%' || c == '?' || c == '#' || c < 0x20 || c >= 0x7f) {
            out[n++] = '%';
            out[n++] = digits[c >> 4];
            out[n++] = digits[c & 15];
        } else {
            out[n++] = *p;
        }
    }
    snprintf(out + n, capacity - n, "?immutable=1");
}

static akin_status open_file(akin_store *store, bool immutable, akin_error *err)
{
    char uri[3 * sizeof store->database + 32];
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (immutable) {
        immutable_uri(store->database, uri, sizeof uri);
        flags |= SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    } else {
        /* Also to read: a reader may have to play a journal back, and the last one to leave puts
         * the log away. SQLite falls back to reading by itself where the file may not be
         * written. */
        flags |= SQLITE_OPEN_READWRITE;
    }
    if (sqlite3_open_v2(immutable ? uri : store->database, &store->db, flags, NULL) != SQLITE_OK) {
        const akin_status status =
            open_failed(store->db, store->database, "open the collection", err);
        sqlite3_close(store->db);
        store->db = NULL;
        return status;
    }
    akin_status status = AKIN_OK;
    /* A file with a log, made on a local disk and copied here: alone with it, SQLite keeps the
     * log's index in its own memory. That has to be said before the file is first read. */
    if (store->leaving_log && !immutable)
        status = akin_db_run(store->db, "PRAGMA locking_mode = EXCLUSIVE", err);
    if (status == AKIN_OK)
        status = akin_db_configure(store->db, err);
    return status;
}

/* The journal that this file system and a writer ask for. */
static akin_status choose_journal(akin_store *store, akin_error *err)
{
    if (store->leaving_log)
        return akin_db_run(store->db,
                           "PRAGMA journal_mode = TRUNCATE; PRAGMA locking_mode = NORMAL;"
                           "SELECT count(*) FROM sqlite_schema",
                           err);
    if (!store->writing)
        return AKIN_OK;
    if (store->remote != NULL)
        return akin_db_run(store->db, "PRAGMA journal_mode = TRUNCATE", err);
    /* May be refused while somebody reads with a rollback journal: then that one serves. */
    sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    return AKIN_OK;
}

/* First read of the file. */
static akin_status first_read(akin_store *store, akin_error *err)
{
    if (sqlite3_exec(store->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) ==
        SQLITE_OK)
        return AKIN_OK;
    return akin_db_fail(store->db, "open the collection", err);
}

static void remember_file(akin_store *store)
{
    struct stat st;
    memset(&store->seen, 0, sizeof store->seen);
    if (stat(store->database, &st) != 0)
        return;
    store->seen.size = st.st_size;
    store->seen.mtime_ns = akin_nanoseconds(st.st_mtim);
    store->seen.device = st.st_dev;
    store->seen.inode = st.st_ino;
}

/* Opens the file as it can be opened. */
static akin_status open_somehow(akin_store *store, akin_error *err)
{
    akin_status status;
    store->immutable = false;
    store->leaving_log = store->remote != NULL && wants_wal(store) && folder_writable(store);
    status = open_file(store, false, err);
    if (status == AKIN_OK)
        status = choose_journal(store, err);
    if (status == AKIN_OK && !store->writing)
        status = akin_db_run(store->db, "PRAGMA query_only = ON", err);
    if (status == AKIN_OK)
        status = first_read(store, err);
    if (status == AKIN_OK || store->writing || store->db == NULL)
        return status;
    const int code = sqlite3_errcode(store->db) & 0xff;
    if ((code != SQLITE_CANTOPEN && code != SQLITE_READONLY && code != SQLITE_IOERR &&
         code != SQLITE_PERM) || folder_writable(store))
        return status;
    if (beside(store, "-wal") || beside(store, "-journal"))
        return akin_fail(err, AKIN_E_PERMISSION, store->database,
                         "the latest changes are still in the journal beside it, which can only be "
                         "read where this folder can be written to; open the collection once as "
                         "its owner ('akin info'), or copy the whole folder");
    /* Nobody writes: or there would be a log. */
    remember_file(store);
    sqlite3_close(store->db);
    store->db = NULL;
    AKIN_TRY(open_file(store, true, err));
    AKIN_TRY(first_read(store, err));
    store->immutable = true;
out:
    return status;
}

akin_status akin_db_open(akin_store *store, akin_error *err)
{
    sqlite3_stmt *s;
    const akin_status status = open_somehow(store, err);
    /* Prepared now, so that it needs no memory when that has run out. */
    return status == AKIN_OK ? akin_db_statement(store, AKIN_SQL_ROLLBACK, &s, err) : status;
}

bool akin_db_replaced(akin_store *store)
{
    const akin_store before = { .seen = store->seen };
    remember_file(store);
    return memcmp(&before.seen, &store->seen, sizeof before.seen) != 0 || beside(store, "-wal") ||
           beside(store, "-journal");
}

void akin_db_close(akin_store *store)
{
    for (size_t i = 0; i < AKIN_SQL_COUNT; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
    /* Statements of the other files are finalized where they are made: this cannot be busy. */
    sqlite3_close(store->db);
    store->db = NULL;
}
