/* store.c - making and opening a collection; commit: which rows are live.
 *
 * What a search needs to begin is a bitmap a segment and the list of rows that stand for several
 * items. Both are kept by the commit that changes them: a place whose items changed is noted
 * (akin_store_touch) and counted again then, so that opening never looks at an item.
 */
#include "store_tools.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/file.h"
#include "base/memory.h"

enum { lock_patience_seconds = 10 };

/* ---- Failure and transactions --------------------------------------------------------------- */

akin_status akin_store_usable(const akin_store *store, akin_error *err)
{
    if (store->failure.code != AKIN_OK && err != NULL)
        *err = store->failure;
    return store->failure.code;
}

akin_status akin_store_writing(akin_store *store, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *statement;
    AKIN_TRY(akin_store_usable(store, err));
    if (!store->writing)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder, "was not opened for writing");
    if (store->in_snapshot)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder,
                         "a snapshot is open: akin_store_end comes first");
    if (store->in_transaction)
        return AKIN_OK;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_BEGIN_WRITING, &statement, err));
    status = akin_db_step(statement, NULL, err);
    if (status != AKIN_OK)
        akin_store_roll_back(store); /* begun halfway, when memory ran out */
    else
        store->in_transaction = true;
out:
    return status;
}

void akin_store_roll_back(akin_store *store)
{
    sqlite3_stmt *s;
    if (store->db != NULL && !sqlite3_get_autocommit(store->db) &&
        (akin_db_statement(store, AKIN_SQL_ROLLBACK, &s, NULL) != AKIN_OK ||
         akin_db_step(s, NULL, NULL) != AKIN_OK) && store->failure.code == AKIN_OK)
        akin_db_fail(store->db, "give up what was begun", &store->failure);
    store->in_transaction = false;
    store->touched_count = 0;
}

/* Nobody is to append to a segment whose write failed. Where this cannot be written either, the
 * next writer sees that the file is longer than what counts of it. */
static void abandon(akin_store *store, const akin_space *space)
{
    char sql[96];
    if (space->id == 0 || !space->appender.failed)
        return;
    snprintf(sql, sizeof sql, "UPDATE segments SET open = 0 WHERE number = %" PRId64,
             space->appender.number);
    sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

akin_status akin_store_spoil(akin_store *store, akin_status status, akin_error *err)
{
    if (store->failure.code != AKIN_OK)
        return status; /* the first is the cause */
    if (err != NULL && err->code == status)
        store->failure = *err;
    else
        akin_fail(&store->failure, status, store->folder, "an earlier change failed");
    akin_store_roll_back(store);
    abandon(store, &store->current);
    abandon(store, &store->building);
    akin_append_drop(&store->current);
    akin_append_drop(&store->building);
    store->data_version = -1;
    return status;
}

akin_status akin_store_settle(akin_store *store, akin_status status, akin_error *err)
{
    switch (status) {
    case AKIN_OK:
    case AKIN_E_ARGUMENT:
    case AKIN_E_NOT_FOUND:
    case AKIN_E_NONFINITE:
    case AKIN_E_LIMIT: return status;
    default: return akin_store_spoil(store, status, err);
    }
}

akin_status akin_store_touch(akin_store *store, uint64_t place, akin_error *err)
{
    if (place == 0)
        return AKIN_OK;
    uint64_t *grown = akin_grow(store->touched, &store->touched_capacity, store->touched_count + 1,
                                sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(err, "changed places", 0);
    store->touched = grown;
    store->touched[store->touched_count++] = place;
    return AKIN_OK;
}

/* ---- Paths ---------------------------------------------------------------------------------- */

/* Without a slash at the end or two together: out has AKIN_STORE_PATH bytes. */
akin_status akin_path_plain(const char *path, char *out, size_t *size, akin_error *err)
{
    if (path == NULL || path[0] != '/')
        return akin_fail(err, AKIN_E_ARGUMENT, path, "is not an absolute path");
    size_t n = 0;
    for (const char *p = path; *p != '\0'; p++) {
        if (*p == '/' && n != 0 && out[n - 1] == '/')
            continue;
        if (n + 1 == AKIN_STORE_PATH)
            return akin_fail(err, AKIN_E_LIMIT, path, "is longer than %d bytes",
                             AKIN_STORE_PATH - 1);
        out[n++] = *p;
    }
    if (n > 1 && out[n - 1] == '/')
        n--;
    out[n] = '\0';
    *size = n;
    return AKIN_OK;
}

akin_status akin_path_to_stored(const akin_store *store, const char *path, char *out, size_t *size,
                                akin_error *err)
{
    const akin_status status = akin_path_plain(path, out, size, err);
    if (status != AKIN_OK || store->base == NULL)
        return status;
    const size_t base = strlen(store->base);
    if (strcmp(out, base != 0 ? store->base : "/") == 0) {
        memcpy(out, ".", 2);
        *size = 1;
    } else if (*size > base + 1 && memcmp(out, store->base, base) == 0 && out[base] == '/') {
        *size -= base + 1;
        memmove(out, out + base + 1, *size + 1);
    }
    return AKIN_OK;
}

akin_status akin_path_from_stored(const akin_store *store, const void *stored, size_t stored_size,
                                  char *out, size_t *size, akin_error *err)
{
    const char *bytes = stored;
    size_t n = 0;
    if (stored_size == 0 || memchr(bytes, '\0', stored_size) != NULL ||
        (bytes[0] != '/' && store->base == NULL))
        return akin_fail(err, AKIN_E_CORRUPT, store->folder,
                         "has an item whose path cannot be; run 'akin verify'");
    if (bytes[0] != '/') {
        if (stored_size == 1 && bytes[0] == '.')
            return akin_path_plain(store->base[0] != '\0' ? store->base : "/", out, size, err);
        n = strlen(store->base);
        if (n + 1 >= AKIN_STORE_PATH)
            return akin_fail(err, AKIN_E_LIMIT, store->folder, "the path is too long");
        memcpy(out, store->base, n);
        out[n++] = '/';
    }
    if (stored_size >= AKIN_STORE_PATH - n)
        return akin_fail(err, AKIN_E_LIMIT, store->folder,
                         "has an item whose path is longer than %d bytes", AKIN_STORE_PATH - 1);
    memcpy(out + n, bytes, stored_size);
    out[n + stored_size] = '\0';
    *size = n + stored_size;
    return AKIN_OK;
}

char *akin_two_above(const char *folder)
{
    char *out = strdup(folder);
    for (int i = 0; i < 2 && out != NULL; i++) {
        char *slash = strrchr(out, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return out;
}

/* ---- Facts and spaces ----------------------------------------------------------------------- */

static akin_status damaged(const akin_store *store, const char *what, akin_error *err)
{
    return akin_fail(err, AKIN_E_CORRUPT, store->database, "%s; run 'akin verify'", what);
}

static void free_model(akin_store_model *model)
{
    free((char *)(uintptr_t)model->identity);
    free((char *)(uintptr_t)model->name);
    free((char *)(uintptr_t)model->path);
    free((char *)(uintptr_t)model->form);
    *model = (akin_store_model){ 0 };
}

static void free_space(akin_space *space)
{
    akin_append_drop(space);
    free_model(&space->model);
    *space = (akin_space){ .appender.fd = -1 };
}

static akin_status copy_model(const akin_store_model *model, akin_store_model *out, akin_error *err)
{
    *out = *model;
    out->identity = strdup(model->identity);
    out->name = strdup(model->name);
    out->path = strdup(model->path);
    out->form = strdup(model->form);
    if (out->identity != NULL && out->name != NULL && out->path != NULL && out->form != NULL)
        return AKIN_OK;
    free_model(out);
    return akin_fail_nomem(err, "a model's names", 0);
}

/* Takes what was read; the same space keeps its appender. */
static void keep_space(akin_space *space, akin_space *found)
{
    if (space->id != 0 && space->id == found->id) {
        found->appender = space->appender;
        space->appender = (akin_appender){ .fd = -1 };
    }
    free_space(space);
    *space = *found;
    *found = (akin_space){ .appender.fd = -1 };
}

akin_status akin_store_load_spaces(akin_store *store, akin_error *err)
{
    akin_space found[2] = { { .appender.fd = -1 }, { .appender.fd = -1 } };
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool row;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SPACES, &s, err));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t state = sqlite3_column_int64(s, 1);
        const int64_t dimensions = sqlite3_column_int64(s, 6), type = sqlite3_column_int64(s, 7);
        if (state != 0 && state != 1)
            continue;
        if (found[state].id != 0 || sqlite3_column_int64(s, 0) <= 0 || dimensions < 1 ||
            dimensions > AKIN_STORE_MAX_DIMENSIONS ||
            (type != AKIN_VECTOR_F16 && type != AKIN_VECTOR_F32)) {
            status = damaged(store, "what it says of its model cannot be", err);
            goto out;
        }
        const akin_store_model model = {
            akin_db_text(s, 2), akin_db_text(s, 3), akin_db_text(s, 4),
            akin_db_text(s, 5), (size_t)dimensions, (akin_vector_type)type
        };
        AKIN_TRY(copy_model(&model, &found[state].model, err));
        found[state].id = sqlite3_column_int64(s, 0);
    }
    if (found[0].id == 0) {
        status = damaged(store, "it does not say which model it is of", err);
        goto out;
    }
    if (store->current.id != 0 && store->current.id != found[0].id)
        akin_store_forget(store);
    /* What was being built may be current now. */
    if (store->building.id != 0 && store->building.id == found[0].id) {
        akin_space was = store->current;
        store->current = store->building;
        store->building = was;
    }
    keep_space(&store->current, &found[0]);
    keep_space(&store->building, &found[1]);
out:
    if (s != NULL)
        sqlite3_reset(s);
    free_space(&found[0]);
    free_space(&found[1]);
    return status;
}

static akin_status load_facts(akin_store *store, akin_error *err)
{
    sqlite3_stmt *s = NULL;
    akin_status status;
    bool row, has_uuid = false, has_base = false;
    AKIN_TRY(akin_db_prepare(store->db, "SELECT name, value FROM facts", &s, err));
    for (;;) {
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const char *name = akin_db_text(s, 0);
        size_t size;
        if (strcmp(name, "uuid") == 0) {
            const void *bytes = akin_db_blob(s, 1, &size);
            if ((has_uuid = size == sizeof store->uuid))
                memcpy(store->uuid, bytes, size);
        } else if (strcmp(name, "created") == 0) {
            free(store->created);
            if ((store->created = strdup(akin_db_text(s, 1))) == NULL)
                AKIN_TRY(akin_fail_nomem(err, "a collection's date", 0));
        } else if (strcmp(name, "base") == 0) {
            const char *bytes = akin_db_blob(s, 1, &size);
            char plain[AKIN_STORE_PATH], given[AKIN_STORE_PATH];
            if (size >= sizeof given || memchr(bytes, '\0', size) != NULL ||
                (size != 0 && bytes[0] != '/')) {
                status = damaged(store, "the folder that its paths begin at cannot be", err);
                goto out;
            }
            memcpy(given, bytes, size);
            given[size] = '\0';
            if (size != 0)
                AKIN_TRY(akin_path_plain(given, plain, &size, err));
            free(store->base);
            store->base = given[0] == '\0' ? akin_two_above(store->folder)
                                           : strdup(strcmp(plain, "/") == 0 ? "" : plain);
            if (store->base == NULL)
                AKIN_TRY(akin_fail_nomem(err, "a collection's folder", 0));
            has_base = true;
        }
    }
    if (!has_uuid) {
        status = damaged(store, "its UUID is not there", err);
        goto out;
    }
    if (!has_base) {
        free(store->base);
        store->base = NULL;
    }
    char hex[2 * sizeof store->uuid + 1];
    akin_hex(store->uuid, sizeof store->uuid, hex);
    snprintf(store->uuid_text, sizeof store->uuid_text, "%.8s-%.4s-%.4s-%.4s-%s", hex, hex + 8,
             hex + 12, hex + 16, hex + 20);
out:
    sqlite3_finalize(s);
    return status;
}

static akin_status pragma_integer(akin_store *store, const char *sql, int64_t *out, akin_error *err)
{
    sqlite3_stmt *s = NULL;
    akin_status status;
    bool row;
    AKIN_TRY(akin_db_prepare(store->db, sql, &s, err));
    AKIN_TRY(akin_db_step(s, &row, err));
    *out = row ? sqlite3_column_int64(s, 0) : 0;
out:
    sqlite3_finalize(s);
    return status;
}

/* That it is a collection, of a format that is known, with the tables of that format and no others
 * in their place (a view, a column that computes). Indexes may be gone: verify makes them again. */
static akin_status check_format(akin_store *store, akin_error *err)
{
    int64_t id = 0, format = 0;
    sqlite3_stmt *s = NULL;
    akin_status status;
    AKIN_TRY(pragma_integer(store, "PRAGMA application_id", &id, err));
    AKIN_TRY(pragma_integer(store, "PRAGMA user_version", &format, err));
    if (id != AKIN_STORE_APPLICATION_ID) {
        status = akin_fail(err, AKIN_E_FORMAT, store->database,
                           "is a database of another program (application_id %" PRId64
                           "), not a collection", id);
        goto out;
    }
    if (format > AKIN_STORE_FORMAT) {
        status = akin_fail(err, AKIN_E_UNSUPPORTED, store->database,
                           "the collection is of format %" PRId64 "; this akin knows formats up to "
                           "%d: use a newer one", format, AKIN_STORE_FORMAT);
        goto out;
    }
    if (format < 1) {
        status = damaged(store, "its format number cannot be", err);
        goto out;
    }
    AKIN_TRY(akin_db_prepare(store->db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND"
                                        " sql = ?1", &s, err));
    for (const char *p = akin_store_schema; *p != '\0';) {
        const size_t size = strcspn(p, ";");
        if (strncmp(p, "CREATE TABLE ", 13) == 0) {
            bool row;
            if (sqlite3_bind_text(s, 1, p, (int)size, SQLITE_STATIC) != SQLITE_OK)
                AKIN_TRY(akin_db_fail(store->db, "read the tables", err));
            AKIN_TRY(akin_db_step(s, &row, err));
            if (!row) {
                const int name = (int)strcspn(p + 13, " ");
                status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                                   "table %.*s is not there, or not that of format %" PRId64, name,
                                   p + 13, format);
                goto out;
            }
            sqlite3_reset(s);
        }
        p += size + (p[size] == ';');
    }
out:
    sqlite3_finalize(s);
    return status;
}

/* ---- Opening -------------------------------------------------------------------------------- */

bool akin_store_exists(const char *folder)
{
    char *path = akin_path_join(folder, AKIN_STORE_DATABASE);
    const bool is = path != NULL && akin_path_is_file(path);
    free(path);
    return is;
}

akin_status akin_store_reload(akin_store *store, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_db_open(store, err));
    /* One transaction, or a swap could come between. */
    AKIN_TRY(akin_db_run(store->db, "BEGIN", err));
    status = check_format(store, err);
    if (status == AKIN_OK)
        status = load_facts(store, err);
    if (status == AKIN_OK)
        status = akin_store_load_spaces(store, err);
    akin_store_roll_back(store);
out:
    return status;
}

akin_status akin_store_open(akin_store **out, const char *folder, bool write, double wait_seconds,
                            akin_error *err)
{
    *out = NULL;
    akin_status status = AKIN_OK;
    akin_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return akin_fail_nomem(err, "a collection", sizeof *store);
    store->lock = -1;
    store->data_version = -1;
    store->writing = write;
    store->current.appender.fd = store->building.appender.fd = -1;
    store->folder = realpath(folder, NULL);
    if (store->folder == NULL) {
        status = errno == ENOENT || errno == ENOTDIR
                     ? akin_fail(err, AKIN_E_NOT_FOUND, folder, "there is no collection here")
                     : akin_fail_errno(err, errno, folder, "cannot open the collection");
        goto out;
    }
    if ((size_t)snprintf(store->database, sizeof store->database, "%s/" AKIN_STORE_DATABASE,
                         store->folder) >= sizeof store->database) {
        status = akin_fail(err, AKIN_E_LIMIT, folder, "the path is too long");
        goto out;
    }
    struct stat st;
    if (stat(store->database, &st) != 0) {
        status = errno == ENOENT || errno == ENOTDIR
                     ? akin_fail(err, AKIN_E_NOT_FOUND, folder, "there is no collection here")
                     : akin_fail_errno(err, errno, store->database, "cannot open the collection");
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        status = akin_fail(err, AKIN_E_NOT_A_FILE, store->database, "is not a regular file");
        goto out;
    }
    store->remote = akin_remote_kind(store->folder);
    if (store->remote != NULL &&
        asprintf(&store->advice,
                 "%s lies on a network file system (%s): vectors are read into memory instead of "
                 "mapped, and every commit waits for its readers; a local disk is faster and safer",
                 store->folder, store->remote) < 0) {
        store->advice = NULL;
        status = akin_fail_nomem(err, "advice", 0);
        goto out;
    }
    if (write)
        AKIN_TRY(akin_lock_take(store->folder, wait_seconds, &store->lock, err));
    AKIN_TRY(akin_store_reload(store, err));
    /* What a writer that was killed left behind. When they cannot be removed they are only in the
     * way. */
    if (write)
        (void)akin_orphans_remove(store, NULL);
    *out = store;
    store = NULL;
out:
    akin_store_close(store);
    return status;
}

void akin_store_close(akin_store *store)
{
    if (store == NULL)
        return;
    akin_store_roll_back(store);
    akin_store_forget(store);
    free_space(&store->current);
    free_space(&store->building);
    akin_db_close(store);
    akin_lock_release(store->lock); /* after the database: closing it may still write */
    free(store->touched);
    free(store->line);
    free(store->advice);
    free(store->created);
    free(store->base);
    free(store->folder);
    free(store);
}

const akin_store_model *akin_store_get_model(const akin_store *store)
{
    return &store->current.model;
}

const char *akin_store_base(const akin_store *store)
{
    return store->base;
}

const char *akin_store_folder(const akin_store *store) { return store->folder; }

const char *akin_store_advice(const akin_store *store) { return store->advice; }

akin_status akin_store_set_model_path(akin_store *store, const char *name, const char *path,
                                      akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    akin_store_model *model = &store->current.model;
    char *new_name = strdup(name), *new_path = strdup(path);
    AKIN_TRY(akin_store_writing(store, err));
    if (new_name == NULL || new_path == NULL) {
        status = akin_fail_nomem(err, "a model's names", 0);
        goto out;
    }
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_MODEL, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "itt", store->current.id, new_name, new_path));
    status = akin_db_step(s, NULL, err);
    sqlite3_clear_bindings(s);
    if (status != AKIN_OK)
        goto out;
    const char *old_name = model->name, *old_path = model->path;
    model->name = new_name;
    model->path = new_path;
    new_name = (char *)(uintptr_t)old_name;
    new_path = (char *)(uintptr_t)old_path;
out:
    free(new_name);
    free(new_path);
    return akin_store_settle(store, status, err);
}

/* ---- Making --------------------------------------------------------------------------------- */

static akin_status sync_parent(const char *path, akin_error *err)
{
    const char *slash = strrchr(path, '/');
    char parent[AKIN_STORE_PATH];
    if (slash == NULL)
        return akin_folder_sync(".", err);
    snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    return akin_folder_sync(parent, err);
}

/* The folder and its parents. What is in a collection (where pictures were taken) is its owner's
 * alone; folders above it are like any other. *made: the last was not there. */
static akin_status make_folders(const char *folder, bool *made, akin_error *err)
{
    char path[AKIN_STORE_PATH];
    const size_t size = strlen(folder);
    *made = false;
    if (size == 0 || size >= sizeof path)
        return akin_fail(err, size == 0 ? AKIN_E_ARGUMENT : AKIN_E_LIMIT, folder,
                         size == 0 ? "the name of the folder is empty" : "the path is too long");
    for (size_t i = 1; i <= size; i++) {
        if (i != size && folder[i] != '/')
            continue;
        memcpy(path, folder, i);
        path[i] = '\0';
        const bool last = i == size || folder[i + strspn(folder + i, "/")] == '\0';
        if (mkdir(path, last ? 0700 : 0777) == 0) {
            const akin_status status = sync_parent(path, err);
            *made = last;
            if (status != AKIN_OK)
                return status;
        } else {
            const int refused = errno; /* EROFS and EACCES are also said of what is there */
            if (refused != EEXIST && !akin_path_is_dir(path))
                return akin_fail_errno(err, refused, path, "cannot make the folder");
        }
        if (last)
            break;
    }
    if (!akin_path_is_dir(folder))
        return akin_fail(err, AKIN_E_NOT_A_FILE, folder, "is not a folder");
    return AKIN_OK;
}

akin_status akin_uuid_make(uint8_t uuid[16], akin_error *err)
{
    size_t have = 0;
    while (have < 16) {
        const ssize_t n = getrandom(uuid + have, 16 - have, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return akin_fail_errno(err, errno, NULL, "no random numbers");
        have += (size_t)n;
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    return AKIN_OK;
}

static akin_status fill_database(sqlite3 *db, const akin_store_model *model, const char *base,
                                 akin_error *err)
{
    sqlite3_stmt *s = NULL;
    akin_status status;
    uint8_t uuid[16];
    char created[40] = "", sql[128];
    const time_t now = time(NULL);
    struct tm tm;
    AKIN_TRY(akin_uuid_make(uuid, err));
    if (gmtime_r(&now, &tm) != NULL)
        snprintf(created, sizeof created, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             AKIN_STORE_APPLICATION_ID, AKIN_STORE_FORMAT);
    AKIN_TRY(akin_db_run(db, "PRAGMA journal_mode = DELETE; BEGIN IMMEDIATE", err));
    AKIN_TRY(akin_db_run(db, sql, err));
    AKIN_TRY(akin_db_run(db, akin_store_schema, err));
    AKIN_TRY(akin_db_prepare(db, "INSERT INTO facts (name, value) VALUES (?1, ?2)", &s, err));
    AKIN_TRY(akin_db_bind(s, err, "tb", "uuid", (const void *)uuid, sizeof uuid));
    AKIN_TRY(akin_db_step(s, NULL, err));
    AKIN_TRY(akin_db_bind(s, err, "tt", "created", created));
    AKIN_TRY(akin_db_step(s, NULL, err));
    if (base != NULL) {
        AKIN_TRY(akin_db_bind(s, err, "tb", "base", (const void *)base, strlen(base)));
        AKIN_TRY(akin_db_step(s, NULL, err));
    }
    sqlite3_finalize(s);
    AKIN_TRY(akin_db_prepare(db,
                             "INSERT INTO spaces (state, identity, name, path, form, dimensions,"
                             " type) VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6)",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "ttttii", model->identity, model->name, model->path, model->form,
                          (int64_t)model->dimensions, (int64_t)model->type));
    AKIN_TRY(akin_db_step(s, NULL, err));
    AKIN_TRY(akin_db_run(db, "COMMIT", err));
out:
    sqlite3_finalize(s);
    return status;
}

/* The database under another name: whole before anybody can see it. */
static akin_status make_database(const char *path, const akin_store_model *model, const char *base,
                                 akin_error *err)
{
    sqlite3 *db = NULL;
    akin_status status = akin_db_create(path, &db, err);
    if (status == AKIN_OK)
        status = akin_db_configure(db, err);
    if (status == AKIN_OK)
        status = fill_database(db, model, base, err);
    if (sqlite3_close(db) != SQLITE_OK && status == AKIN_OK)
        status = akin_fail(err, AKIN_E_IO, path, "cannot close the database");
    return status;
}

static akin_status check_model(const akin_store_model *model, const char *base, akin_error *err)
{
    if (model->identity == NULL || model->identity[0] == '\0' || model->name == NULL ||
        model->path == NULL || model->form == NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a collection needs a model with its names");
    if (model->dimensions < 1 || model->dimensions > AKIN_STORE_MAX_DIMENSIONS)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "vectors of %zu numbers; 1 to %d are stored",
                         model->dimensions, AKIN_STORE_MAX_DIMENSIONS);
    if (model->type != AKIN_VECTOR_F16 && model->type != AKIN_VECTOR_F32)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "vectors are stored as f16 or f32");
    if (base != NULL && base[0] != '\0' && base[0] != '/')
        return akin_fail(err, AKIN_E_ARGUMENT, base, "is not an absolute path");
    return AKIN_OK;
}

akin_status akin_store_create(const char *folder, const akin_store_model *model, const char *base,
                              akin_error *err)
{
    akin_status status;
    int lock = -1;
    bool made = false, made_segments = false;
    char *real = NULL, *database = NULL, *segments = NULL, *building = NULL;
    AKIN_TRY(check_model(model, base, err));
    if (akin_store_exists(folder))
        return akin_fail(err, AKIN_E_ARGUMENT, folder, "there is a collection here already");
    AKIN_TRY(make_folders(folder, &made, err));
    real = realpath(folder, NULL);
    if (real == NULL) {
        status = akin_fail_errno(err, errno, folder, "cannot find the folder");
        goto out;
    }
    database = akin_path_join(real, AKIN_STORE_DATABASE);
    building = akin_path_join(real, AKIN_STORE_DATABASE ".new");
    segments = akin_path_join(real, AKIN_STORE_SEGMENTS);
    if (database == NULL || building == NULL || segments == NULL) {
        status = akin_fail_nomem(err, "a collection's paths", 0);
        goto out;
    }
    /* Alone here: the file under the other name is nobody else's, and no two make one. */
    AKIN_TRY(akin_lock_take(real, lock_patience_seconds, &lock, err));
    if (akin_store_exists(real)) {
        made = false;
        status = akin_fail(err, AKIN_E_ARGUMENT, folder, "there is a collection here already");
        goto out;
    }
    if (unlink(building) != 0 && errno != ENOENT) {
        status = akin_fail_errno(err, errno, building, "cannot remove what was left there");
        goto out;
    }
    made_segments = mkdir(segments, 0777) == 0;
    if (!made_segments) {
        const int refused = errno;
        if (refused != EEXIST || !akin_path_is_dir(segments)) {
            status = akin_fail_errno(err, refused, segments, "cannot make the folder");
            goto out;
        }
    }
    AKIN_TRY(make_database(building, model, base, err));
    AKIN_TRY(akin_folder_sync(real, err)); /* both names are there for good */
    if (rename(building, database) != 0) {
        status = akin_fail_errno(err, errno, database, "cannot put the database in its place");
        goto out;
    }
    made = made_segments = false; /* from here on it is whole */
    status = akin_folder_sync(real, err);
out:
    if (status != AKIN_OK && lock >= 0 && building != NULL) {
        unlink(building);
        if (made_segments)
            rmdir(segments);
        if (made) {
            char *file = akin_path_join(real, AKIN_STORE_LOCK);
            if (file != NULL)
                unlink(file);
            free(file);
        }
    }
    if (status != AKIN_OK && made)
        rmdir(folder); /* not ours to remove if anything is in it */
    akin_lock_release(lock);
    free(real);
    free(database);
    free(building);
    free(segments);
    return status;
}

/* ---- Segments' rows in the database --------------------------------------------------------- */

/* Bits of a bitmap that stand for `rows` rows: as many bytes as they take, nothing behind them. */
bool akin_bitmap_copy(const unsigned char *bytes, size_t size, size_t rows, uint8_t *out)
{
    if (size != akin_ceil_div(rows, 8) || rows > AKIN_SEGMENT_ROWS)
        return false;
    if (rows % 8 != 0 && bytes[size - 1] >> rows % 8 != 0)
        return false;
    memcpy(out, bytes, size);
    memset(out + size, 0, AKIN_SEGMENT_ROWS / 8 - size);
    return true;
}

akin_status akin_segment_load(akin_store *store, int64_t number, int64_t *space, size_t *rows,
                              bool *open, uint8_t live[AKIN_SEGMENT_ROWS / 8], akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SEGMENT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", number));
    AKIN_TRY(akin_db_step(s, &row, err));
    size_t size = 0;
    const int64_t count = row ? sqlite3_column_int64(s, 1) : -1;
    const unsigned char *bytes = row ? akin_db_blob(s, 3, &size) : NULL;
    if (row) {
        *space = sqlite3_column_int64(s, 0);
        *open = sqlite3_column_int64(s, 2) != 0;
    }
    if (count < 0 || count > AKIN_SEGMENT_ROWS ||
        !akin_bitmap_copy(bytes, size, (size_t)count, live))
        status = akin_fail(err, AKIN_E_CORRUPT, store->database,
                           "the row of segment %" PRId64 " is not there or cannot be; run 'akin "
                           "verify'", number);
    else
        *rows = (size_t)count;
    sqlite3_reset(s);
out:
    return status;
}

akin_status akin_segment_save(akin_store *store, int64_t number, size_t rows, bool open,
                              const uint8_t live[AKIN_SEGMENT_ROWS / 8], akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_SEGMENT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "iiib", number, (int64_t)rows, (int64_t)open,
                          (const void *)live, akin_ceil_div(rows, 8)));
    status = akin_db_step(s, NULL, err);
    sqlite3_clear_bindings(s);
out:
    return status;
}

/* ---- Commit --------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static akin_status items_live_at(akin_store *store, uint64_t place, int64_t *count, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    bool row;
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_LIVE_AT, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", (int64_t)place));
    AKIN_TRY(akin_db_step(s, &row, err));
    *count = row ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_reset(s);
out:
    return status;
}

static akin_status set_repeat(akin_store *store, uint64_t place, int64_t count, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    if (count > 1) {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_REPEAT, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "ii", (int64_t)place, count));
    } else {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_DROP_REPEAT, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "i", (int64_t)place));
    }
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    return status;
}

/* Bitmaps and repeats of all places that were touched. Their rows are in table segments by now. */
static akin_status settle_places(akin_store *store, akin_error *err)
{
    akin_status status = AKIN_OK;
    uint8_t live[AKIN_SEGMENT_ROWS / 8];
    const size_t n = store->touched_count;
    if (n != 0) /* NULL while nothing was ever touched */
        qsort(store->touched, n, sizeof *store->touched, by_place);
    for (size_t i = 0; i < n;) {
        const int64_t number = (int64_t)(store->touched[i] / AKIN_SEGMENT_ROWS);
        int64_t space = 0, count = 0;
        size_t rows = 0;
        bool open = false, changed = false;
        AKIN_TRY(akin_segment_load(store, number, &space, &rows, &open, live, err));
        for (; i < n && (int64_t)(store->touched[i] / AKIN_SEGMENT_ROWS) == number; i++) {
            const uint64_t place = store->touched[i];
            const size_t row = place % AKIN_SEGMENT_ROWS;
            if (i > 0 && place == store->touched[i - 1])
                continue;
            if (row >= rows || space != store->current.id) {
                status = damaged(store, "an item stands at a vector that is not there", err);
                goto out;
            }
            AKIN_TRY(items_live_at(store, place, &count, err));
            const uint8_t bit = (uint8_t)(1u << row % 8);
            if ((live[row / 8] & bit) == 0 ? count > 0 : count == 0) {
                live[row / 8] ^= bit;
                changed = true;
            }
            AKIN_TRY(set_repeat(store, place, count, err));
        }
        if (changed)
            AKIN_TRY(akin_segment_save(store, number, rows, open, live, err));
    }
out:
    return status;
}

akin_status akin_store_commit(akin_store *store, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s;
    AKIN_TRY(akin_store_usable(store, err));
    if (!store->in_transaction)
        return AKIN_OK;
    /* Vectors before the rows that name them. */
    AKIN_TRY(akin_append_sync(store, &store->current, err));
    AKIN_TRY(akin_append_sync(store, &store->building, err));
    AKIN_TRY(settle_places(store, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_COMMIT, &s, err));
    AKIN_TRY(akin_db_step(s, NULL, err));
    store->in_transaction = false;
    store->touched_count = 0;
    store->data_version = -1; /* one's own commits do not change it */
out:
    return status == AKIN_OK ? AKIN_OK : akin_store_spoil(store, status, err);
}
