/* store_tools.c - what the functions that look after a collection share. */
#include "store_tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/file.h"
#include "base/memory.h"

akin_status akin_store_idle(const akin_store *store, bool write, akin_error *err)
{
    const akin_status status = akin_store_usable(store, err);
    if (status != AKIN_OK)
        return status;
    if (write && !store->writing)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder, "was not opened for writing");
    if (store->in_snapshot || store->in_transaction)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder,
                         store->in_snapshot ? "a snapshot is open: akin_store_end comes first"
                                            : "there are changes: akin_store_commit comes first");
    return AKIN_OK;
}

/* ---- The database --------------------------------------------------------------------------- */

akin_status akin_db_do(akin_store *store, akin_error *err, const char *sql, const char *types, ...)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    va_list values;
    AKIN_TRY(akin_db_prepare(store->db, sql, &s, err));
    va_start(values, types);
    int result = SQLITE_OK;
    for (int i = 1; types[i - 1] != '\0' && result == SQLITE_OK; i++)
        result = sqlite3_bind_int64(s, i, va_arg(values, int64_t));
    va_end(values);
    if (result != SQLITE_OK)
        AKIN_TRY(akin_db_fail(store->db, "change the collection", err));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    sqlite3_finalize(s);
    return status;
}

akin_status akin_db_number(akin_store *store, const char *sql, int64_t *out, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool row;
    AKIN_TRY(akin_db_prepare(store->db, sql, &s, err));
    AKIN_TRY(akin_db_step(s, &row, err));
    *out = row ? sqlite3_column_int64(s, 0) : 0;
out:
    sqlite3_finalize(s);
    return status;
}

static int by_place(const void *a, const void *b)
{
    const akin_vector_row *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->content < y->content ? -1 : x->content > y->content;
}

akin_status akin_vector_rows(akin_store *store, int64_t space, akin_vector_row **out, size_t *count,
                             akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    size_t capacity = 0;
    bool sorted = true;
    *out = NULL;
    *count = 0;
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT place, content, crc FROM vectors WHERE space = ?1", &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", space));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        akin_vector_row *grown = akin_grow(*out, &capacity, *count + 1, sizeof *grown);
        if (grown == NULL) {
            status = akin_fail_nomem(err, "places of vectors", 0);
            goto out;
        }
        *out = grown;
        grown[*count] = (akin_vector_row){ (uint64_t)sqlite3_column_int64(s, 0),
                                           sqlite3_column_int64(s, 1),
                                           (uint32_t)sqlite3_column_int64(s, 2) };
        sorted = sorted && (*count == 0 || by_place(&grown[*count - 1], &grown[*count]) < 0);
        ++*count;
    }
    if (!sorted)
        qsort(*out, *count, sizeof **out, by_place);
out:
    sqlite3_finalize(s);
    if (status != AKIN_OK) {
        free(*out);
        *out = NULL;
        *count = 0;
    }
    return status;
}

/* The statements of the schema that make an index which has items.place, one after another. */
static akin_status place_indexes(akin_store *store, bool make, akin_error *err)
{
    for (const char *p = akin_store_schema; *p != '\0';) {
        const size_t size = strcspn(p, ";");
        char sql[256];
        if (strncmp(p, "CREATE INDEX ", 13) == 0 && size < sizeof sql &&
            memmem(p, size, "place", 5) != NULL) {
            const int name = (int)strcspn(p + 13, " ");
            if (make)
                snprintf(sql, sizeof sql, "%.*s", (int)size, p);
            else
                snprintf(sql, sizeof sql, "DROP INDEX IF EXISTS %.*s", name, p + 13);
            const akin_status status = akin_db_run(store->db, sql, err);
            if (status != AKIN_OK)
                return status;
        }
        p += size + (p[size] == ';');
    }
    return AKIN_OK;
}

akin_status akin_places_again(akin_store *store, size_t moved, akin_error *err)
{
    enum { few = 10000 };
    akin_status status;
    int64_t items;
    AKIN_TRY(akin_db_number(store, "SELECT count(*) FROM items", &items, err));
    /* Nine indexes have the place. Making them anew takes half the time of changing all of their
     * entries (100,000 items: 0.8 s of CPU against 1.3, and 2.2 s against 3.9 on the clock). */
    const bool all = moved > few && (int64_t)moved > items / 8;
    if (all) {
        for (size_t i = 0; i < AKIN_SQL_COUNT; i++)
            sqlite3_reset(store->statements[i]); /* none may be in the way of a DROP */
        AKIN_TRY(place_indexes(store, false, err));
    }
    AKIN_TRY(akin_db_do(store, err,
                        "UPDATE items SET place = (SELECT v.place FROM vectors v WHERE"
                        " v.space = ?1 AND v.content = items.content) WHERE place IS NOT"
                        " (SELECT v.place FROM vectors v WHERE v.space = ?1 AND"
                        " v.content = items.content)",
                        "i", store->current.id));
    if (all)
        AKIN_TRY(place_indexes(store, true, err));
out:
    return status;
}

/* Gives a segment's row its bitmap, when it has another. */
static akin_status set_live(akin_store *store, int64_t number, const uint8_t *live,
                            akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_db_prepare(store->db,
                             "UPDATE segments SET live = substr(?2, 1, (rows + 7) / 8) WHERE"
                             " number = ?1 AND live IS NOT substr(?2, 1, (rows + 7) / 8)",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "ib", number, (const void *)live,
                          (size_t)AKIN_SEGMENT_ROWS / 8));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    sqlite3_finalize(s);
    return status;
}

akin_status akin_counts_again(akin_store *store, akin_error *err)
{
    static const uint8_t none[AKIN_SEGMENT_ROWS / 8];
    uint8_t live[AKIN_SEGMENT_ROWS / 8];
    akin_status status;
    sqlite3_stmt *segments = NULL, *places = NULL;
    bool row, more = true;
    int64_t place = -1;
    AKIN_TRY(akin_db_run(store->db,
                         "DELETE FROM repeats; INSERT INTO repeats (place, items) SELECT place,"
                         " count(*) FROM items WHERE state = 0 AND place IS NOT NULL"
                         " GROUP BY place HAVING count(*) > 1",
                         err));
    AKIN_TRY(akin_db_prepare(store->db, "SELECT number, space FROM segments ORDER BY number",
                             &segments, err));
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT place FROM items WHERE state = 0 AND place IS NOT NULL"
                             " ORDER BY place",
                             &places, err));
    for (;;) {
        AKIN_TRY(akin_db_step(segments, &row, err));
        if (!row)
            break;
        const int64_t number = sqlite3_column_int64(segments, 0);
        const int64_t first = number * AKIN_SEGMENT_ROWS;
        if (sqlite3_column_int64(segments, 1) != store->current.id) {
            AKIN_TRY(set_live(store, number, none, err));
            continue;
        }
        memset(live, 0, sizeof live);
        while (more && place < first + AKIN_SEGMENT_ROWS) {
            if (place >= first) {
                const size_t r = (size_t)(place - first);
                live[r / 8] |= (uint8_t)(1u << r % 8);
            }
            AKIN_TRY(akin_db_step(places, &more, err));
            place = more ? sqlite3_column_int64(places, 0) : -1;
        }
        AKIN_TRY(set_live(store, number, live, err));
    }
out:
    sqlite3_finalize(segments);
    sqlite3_finalize(places);
    return status;
}

void akin_store_give_up(akin_store *store)
{
    akin_store_roll_back(store);
    akin_append_drop(&store->current);
    akin_append_drop(&store->building);
    store->data_version = -1;
}

/* ---- Vectors -------------------------------------------------------------------------------- */

akin_status akin_segment_file(akin_store *store, const akin_space *space, int64_t number, int *fd,
                              uint64_t *size, akin_error *err)
{
    akin_segment header = { .number = number }; /* no rows: the header alone */
    char path[AKIN_STORE_PATH];
    struct stat st;
    akin_status status;
    *fd = -1;
    *size = 0;
    AKIN_TRY(akin_segment_map(store, space, &header, err));
    AKIN_TRY(akin_segment_path(store, number, path, sizeof path, err));
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, &st) != 0)
        AKIN_TRY(akin_fail_errno(err, errno, path, "cannot open"));
    *size = (uint64_t)st.st_size;
out:
    akin_segment_clear(&header);
    if (status != AKIN_OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return status;
}

akin_status akin_read_at(int fd, const char *path, void *out, size_t size, uint64_t offset,
                         akin_error *err)
{
    unsigned char *to = out;
    while (size != 0) {
        const ssize_t n = pread(fd, to, akin_min(size, 1u << 30), (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return akin_fail_errno(err, errno, path, "cannot read");
        if (n == 0)
            return akin_fail(err, AKIN_E_TRUNCATED, path, "ends %zu bytes too early", size);
        to += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return AKIN_OK;
}

akin_status akin_unit_check(const float *vector, size_t dimensions, double within, char *why,
                            size_t capacity)
{
    double sum = 0;
    for (size_t i = 0; i < dimensions; i++) {
        if (!isfinite(vector[i])) {
            snprintf(why, capacity, "its number %zu is not finite", i);
            return AKIN_E_NONFINITE;
        }
        sum += (double)vector[i] * vector[i];
    }
    if (sum == 0) {
        snprintf(why, capacity, "its length is 0");
        return AKIN_E_NONFINITE;
    }
    if (fabs(sqrt(sum) - 1) > within) {
        snprintf(why, capacity, "its length is %g, not 1", sqrt(sum));
        return AKIN_E_ARGUMENT;
    }
    return AKIN_OK;
}

/* ---- Files that no row names ---------------------------------------------------------------- */

/* The number in "00000001.vec", written exactly so; 0: it is something else. */
static int64_t segment_number(const char *name)
{
    char again[48];
    char *end;
    errno = 0;
    const long long number = strtoll(name, &end, 10);
    if (errno != 0 || number < 1 || number > AKIN_SEGMENT_NUMBER_MAX || strcmp(end, ".vec") != 0)
        return 0;
    snprintf(again, sizeof again, "%08lld.vec", number);
    return strcmp(again, name) == 0 ? (int64_t)number : 0;
}

akin_status akin_orphans(akin_store *store, akin_orphan_visitor each, void *context,
                         akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char path[AKIN_STORE_PATH];
    DIR *folder = NULL;
    /* Nor any vector: a row of table segments that is lost is no reason to lose the vectors too. */
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT 1 FROM segments WHERE number = ?1 UNION ALL SELECT 1 FROM"
                             " vectors WHERE place >= ?1 * 65536 AND place < (?1 + 1) * 65536"
                             " LIMIT 1",
                             &s, err));
    snprintf(path, sizeof path, "%s/" AKIN_STORE_SEGMENTS, store->folder);
    folder = opendir(path);
    if (folder == NULL && errno != ENOENT)
        AKIN_TRY(akin_fail_errno(err, errno, path, "cannot read the folder"));
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const int64_t number = segment_number(entry->d_name);
        struct stat st;
        bool named;
        if (number == 0)
            continue; /* not ours */
        AKIN_TRY(akin_db_bind(s, err, "i", number));
        AKIN_TRY(akin_db_step(s, &named, err));
        sqlite3_reset(s);
        if (named)
            continue;
        AKIN_TRY(akin_segment_path(store, number, path, sizeof path, err));
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
            AKIN_TRY(each(store, path, (uint64_t)st.st_size, context, err));
    }
out:
    sqlite3_finalize(s);
    if (folder != NULL)
        closedir(folder);
    return status;
}

static akin_status remove_orphan(akin_store *store, const char *path, uint64_t size, void *context,
                                 akin_error *err)
{
    (void)store, (void)size, (void)context;
    if (unlink(path) != 0 && errno != ENOENT)
        return akin_fail_errno(err, errno, path, "cannot remove");
    return AKIN_OK;
}

akin_status akin_orphans_remove(akin_store *store, akin_error *err)
{
    return akin_orphans(store, remove_orphan, NULL, err);
}

/* ---- A new folder --------------------------------------------------------------------------- */

akin_status akin_new_folder_open(akin_new_folder *f, const char *folder, akin_error *err)
{
    akin_status status;
    char plain[AKIN_STORE_PATH], parent[AKIN_STORE_PATH];
    char *real = NULL;
    struct stat st;
    *f = (akin_new_folder){ 0 };
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    if (size == 0 || size >= sizeof plain - 64)
        return akin_fail(err, size == 0 ? AKIN_E_ARGUMENT : AKIN_E_LIMIT, folder,
                         size == 0 ? "the name of the folder is empty" : "the path is too long");
    memcpy(plain, folder, size);
    plain[size] = '\0';
    if (lstat(plain, &st) == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, plain, "is there already; name a new folder");
    if (errno != ENOENT && errno != ENOTDIR)
        return akin_fail_errno(err, errno, plain, "cannot make the folder");
    const char *slash = strrchr(plain, '/');
    const char *name = slash != NULL ? slash + 1 : plain;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        status = akin_fail(err, AKIN_E_ARGUMENT, plain, "is no name for a new folder");
        goto out;
    }
    snprintf(parent, sizeof parent, "%.*s", slash == NULL ? 1 : (int)(slash - plain + 1),
             slash == NULL ? "." : plain);
    AKIN_TRY(akin_folder_make(parent, 0777, err)); /* which stays after an error */
    real = realpath(parent, NULL);
    if (real == NULL)
        AKIN_TRY(akin_fail_errno(err, errno, parent, "cannot find the folder"));
    if (asprintf(&f->path, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < 0) {
        f->path = NULL;
        AKIN_TRY(akin_fail_nomem(err, "a path", 0));
    }
    for (unsigned attempt = 0; attempt < 100 && !f->made; attempt++) {
        free(f->temporary);
        if (asprintf(&f->temporary, "%s.%ld-%u.tmp", f->path, (long)getpid(), attempt) < 0) {
            f->temporary = NULL;
            AKIN_TRY(akin_fail_nomem(err, "a path", 0));
        }
        /* Where pictures were taken is their owner's alone, as with a collection. */
        f->made = mkdir(f->temporary, 0700) == 0;
        if (!f->made && errno != EEXIST)
            break;
    }
    if (!f->made)
        status = akin_fail_errno(err, errno, f->path, "cannot make a folder beside it");
out:
    free(real);
    if (status != AKIN_OK)
        akin_new_folder_abort(f);
    return status;
}

akin_status akin_new_folder_commit(akin_new_folder *f, akin_error *err)
{
    akin_status status;
    char parent[AKIN_STORE_PATH];
    const size_t above = (size_t)(strrchr(f->path, '/') - f->path);
    snprintf(parent, sizeof parent, "%.*s", (int)akin_max(above, 1), f->path);
    AKIN_TRY(akin_folder_sync(f->temporary, err));
    /* An empty folder that appeared meanwhile would be replaced by rename alone. */
    long result = syscall(SYS_renameat2, AT_FDCWD, f->temporary, AT_FDCWD, f->path, 1);
    if (result != 0 && (errno == EINVAL || errno == ENOSYS))
        result = rename(f->temporary, f->path);
    if (result != 0) {
        status = errno == EEXIST || errno == ENOTEMPTY
                     ? akin_fail(err, AKIN_E_ARGUMENT, f->path,
                                 "is there already; name a new folder")
                     : akin_fail_errno(err, errno, f->path, "cannot put the folder in its place");
        goto out;
    }
    f->made = false;
    AKIN_TRY(akin_folder_sync(parent, err));
out:
    akin_new_folder_abort(f);
    return status;
}

/* Removes a folder that holds files, and folders that do: `depth` levels of them. */
static void remove_folder(const char *path, int depth)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inside = akin_path_join(path, entry->d_name);
        if (inside != NULL && unlink(inside) != 0 && depth > 1)
            remove_folder(inside, depth - 1);
        free(inside);
    }
    if (folder != NULL)
        closedir(folder);
    rmdir(path);
}

void akin_new_folder_abort(akin_new_folder *f)
{
    if (f->made)
        remove_folder(f->temporary, 2);
    free(f->path);
    free(f->temporary);
    *f = (akin_new_folder){ 0 };
}
