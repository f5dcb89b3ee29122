/* verify.c - reads all of a collection and says what is wrong with it; repair makes again what can
 * be derived.
 *
 * First everything is looked at as it lies there, then everything is repaired, in one transaction:
 * a fault is told once and not again as what follows from it. What is derived: indexes from tables,
 * an item's place and extension, bitmaps and counts from the items, a segment whose file is faulty
 * from those of its vectors that still match their checksums. What is not there any more is a
 * picture's vector; then its item is marked missing with no stamp, which makes the next index read
 * the file again, and keeps its id. */
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
#include "base/json.h"
#include "base/memory.h"

enum {
    vanished_tries = 8,
    held_files = 256, /* segments whose files stay open, so that a compact meanwhile takes none */
    sqlite_faults = 100
};

typedef struct id_list {
    int64_t *ids;
    size_t count, capacity;
} id_list;

/* A vector that is to be dropped, or to be moved out of a faulty file. */
typedef struct vector_ref {
    int64_t space, content;
    uint64_t place;
} vector_ref;

typedef struct ref_list {
    vector_ref *refs;
    size_t count, capacity;
} ref_list;

typedef struct segment_state {
    int64_t number, space;
    size_t rows;
    const akin_space *owner; /* NULL: of none */
    int fd;                  /* -1: not open */
    uint64_t size;           /* of the file; 0: it is not there */
    akin_status header;      /* of the file's header; NOT_FOUND: there is no file */
    char *problem;           /* with the header; owned */
    bool rows_known;         /* their number in its row can be */
    bool faulty;             /* its vectors that are right are to be moved out */
} segment_state;

typedef struct verifying {
    akin_store *store;
    bool repair;
    akin_fault_teller tell;
    void *context;
    size_t faults, repaired;
    bool doomed;             /* SQLite's own damage that stays: nothing else is repaired */
    segment_state *segments; /* ascending */
    size_t segment_count, segment_capacity;
    ref_list lost, rescued;
    id_list bad_contents, bad_items, bad_exts, bad_states, bad_metadata;
    bool changed;            /* something in the database is to be repaired */
} verifying;

/* Tells of a fault. `action`: what repair does about it, NULL: nothing can be done here. */
__attribute__((format(printf, 4, 5)))
static void fault(verifying *v, const char *path, const char *action, const char *format, ...)
{
    char message[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    static const char run[] = "; run 'akin verify'";
    char *advice = strstr(message, run);
    if (advice != NULL) /* of an error that came from elsewhere */
        memmove(advice, advice + strlen(run), strlen(advice + strlen(run)) + 1);
    const size_t used = strlen(message);
    if (v->doomed)
        action = NULL;
    const bool done = v->repair && action != NULL;
    if (action != NULL)
        snprintf(message + used, sizeof message - used, "; repair %s", action);
    v->faults++;
    v->repaired += done;
    v->changed = v->changed || done;
    if (v->tell != NULL)
        v->tell(v->context, path, message, done);
}

static akin_status add_id(id_list *list, int64_t id, akin_error *err)
{
    int64_t *grown = akin_grow(list->ids, &list->capacity, list->count + 1, sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(err, "faults", 0);
    list->ids = grown;
    grown[list->count++] = id;
    return AKIN_OK;
}

static akin_status add_ref(ref_list *list, vector_ref ref, akin_error *err)
{
    vector_ref *grown = akin_grow(list->refs, &list->capacity, list->count + 1, sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(err, "faults", 0);
    list->refs = grown;
    grown[list->count++] = ref;
    return AKIN_OK;
}

/* ---- SQLite itself -------------------------------------------------------------------------- */

typedef struct text_list {
    char *texts[sqlite_faults];
    size_t count;
} text_list;

static void clear_texts(text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->texts[i]);
    list->count = 0;
}

static akin_status add_text(text_list *list, const char *text, akin_error *err)
{
    if (list->count == sqlite_faults)
        return AKIN_OK;
    char *copy = strdup(text);
    if (copy == NULL)
        return akin_fail_nomem(err, "faults", 0);
    list->texts[list->count++] = copy;
    return AKIN_OK;
}

/* What PRAGMA integrity_check finds; a check that cannot be finished is a finding too. */
static akin_status integrity(akin_store *store, text_list *list, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char sql[64];
    akin_error why;
    snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", (int)sqlite_faults);
    clear_texts(list);
    errno = 0;
    status = akin_db_prepare(store->db, sql, &s, &why);
    for (bool row = true; status == AKIN_OK && row;) {
        status = akin_db_step(s, &row, &why);
        if (status == AKIN_OK && row && strcmp(akin_db_text(s, 0), "ok") != 0)
            status = add_text(list, akin_db_text(s, 0), &why);
    }
    if (status == AKIN_OK && errno == ENOMEM) /* SQLite makes a fault of it, or sees fewer */
        status = akin_fail_nomem(&why, "SQLite's own check", 0);
    if (status == AKIN_E_CORRUPT || status == AKIN_E_FORMAT)
        status = add_text(list, why.message, &why);
    else if (status != AKIN_OK && err != NULL)
        *err = why;
    sqlite3_finalize(s);
    return status;
}

/* For each index of the schema that the database has not, or has another in its place: tells (make
 * false) or makes it. */
static akin_status each_index(verifying *v, bool make, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND sql = ?1", &s,
                             err));
    for (const char *p = akin_store_schema; *p != '\0';) {
        const size_t size = strcspn(p, ";");
        char sql[512];
        bool row = true;
        if (strncmp(p, "CREATE INDEX ", 13) == 0) {
            const int name = (int)strcspn(p + 13, " ");
            if (sqlite3_bind_text(s, 1, p, (int)size, SQLITE_STATIC) != SQLITE_OK)
                AKIN_TRY(akin_db_fail(store->db, "read the indexes", err));
            AKIN_TRY(akin_db_step(s, &row, err));
            sqlite3_reset(s);
            if (!row && !make)
                fault(v, store->database, "makes it", "index %.*s is not there", name, p + 13);
            if (!row && make) {
                snprintf(sql, sizeof sql, "DROP INDEX IF EXISTS %.*s; %.*s", name, p + 13,
                         (int)size, p);
                AKIN_TRY(akin_db_run(store->db, sql, err));
            }
        }
        p += size + (p[size] == ';');
    }
out:
    sqlite3_finalize(s);
    return status;
}

/* All tables of the store's database into another one, without a look at any index. */
static akin_status copy_tables(akin_store *store, sqlite3 *fresh, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    int64_t page_bytes;
    char sql[256];
    AKIN_TRY(akin_db_configure(fresh, err));
    AKIN_TRY(akin_db_number(store, "PRAGMA page_size", &page_bytes, err));
    snprintf(sql, sizeof sql,
             "PRAGMA page_size = %" PRId64 "; PRAGMA application_id = %d; PRAGMA user_version = %d",
             page_bytes, AKIN_STORE_APPLICATION_ID, AKIN_STORE_FORMAT);
    AKIN_TRY(akin_db_run(fresh, sql, err));
    AKIN_TRY(akin_db_run(fresh, akin_store_schema, err));
    AKIN_TRY(akin_db_prepare(fresh, "ATTACH ?1 AS damaged", &s, err));
    AKIN_TRY(akin_db_bind(s, err, "t", store->database));
    AKIN_TRY(akin_db_step(s, NULL, err));
    AKIN_TRY(akin_db_run(fresh, "BEGIN", err));
    for (const char *p = akin_store_schema; *p != '\0';) {
        if (strncmp(p, "CREATE TABLE ", 13) == 0) {
            const int name = (int)strcspn(p + 13, " ");
            /* With WHERE: else SQLite takes over the indexes of equal tables page by page. */
            snprintf(sql, sizeof sql,
                     "INSERT OR IGNORE INTO main.%.*s SELECT * FROM damaged.%.*s NOT INDEXED"
                     " WHERE 1",
                     name, p + 13, name, p + 13);
            AKIN_TRY(akin_db_run(fresh, sql, err));
        }
        p += strcspn(p, ";");
        p += *p == ';';
    }
    /* Numbers of segments are never used twice, those of segments that are gone included. */
    AKIN_TRY(akin_db_run(fresh,
                         "DELETE FROM main.sqlite_sequence; INSERT INTO main.sqlite_sequence"
                         " SELECT * FROM damaged.sqlite_sequence; COMMIT; ",
                         err));
out:
    sqlite3_finalize(s);
    if (status == AKIN_OK)
        status = akin_db_run(fresh, "DETACH damaged", err);
    return status;
}

/* The tables written anew with all their indexes, in the place of what there is: as one change,
 * which is not begun when a table cannot be read to its end. */
static void write_anew(akin_store *store)
{
    sqlite3 *fresh = NULL; /* without a name: a file that is gone when it is closed */
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2("", &fresh, flags, NULL) == SQLITE_OK &&
        copy_tables(store, fresh, NULL) == AKIN_OK) {
        for (size_t i = 0; i < AKIN_SQL_COUNT; i++)
            sqlite3_reset(store->statements[i]); /* none may be in the way */
        sqlite3_backup *backup = sqlite3_backup_init(store->db, "main", fresh, "main");
        if (backup != NULL) {
            sqlite3_backup_step(backup, -1);
            sqlite3_backup_finish(backup);
        }
    }
    sqlite3_close(fresh);
}

/* Makes all indexes again from their tables; whether that was all is SQLite's to say, in `left`. */
static akin_status heal_sqlite(verifying *v, text_list *left, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status = akin_db_run(store->db, "REINDEX", NULL);
    const bool made = status == AKIN_OK;
    AKIN_TRY(integrity(store, left, err));
    if (made && left->count == 0)
        return AKIN_OK;
    /* An index whose pages are broken cannot even be emptied; VACUUM copies it as it is. */
    akin_store_roll_back(store);
    write_anew(store);
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(integrity(store, left, err));
out:
    return status;
}

static akin_status check_sqlite(verifying *v, akin_error *err)
{
    akin_store *store = v->store;
    text_list found = { .count = 0 }, left = { .count = 0 };
    akin_status status;
    const bool repair = v->repair;
    AKIN_TRY(integrity(store, &found, err));
    if (found.count != 0 && repair) {
        AKIN_TRY(heal_sqlite(v, &left, err));
        v->doomed = left.count != 0;
        if (v->doomed) {
            v->repair = false;
            akin_store_roll_back(store);
            AKIN_TRY(akin_db_run(store->db, "BEGIN", err));
        }
    }
    for (size_t i = 0; i < found.count; i++) {
        if (repair && v->doomed)
            fault(v, store->database, NULL,
                  "SQLite: %s; not only indexes are damaged, and repair leaves the database as it "
                  "is: save what can be read with 'akin export', or go back to a copy",
                  found.texts[i]);
        else
            fault(v, store->database,
                  "makes all indexes again; if that does not help, save what can be read with "
                  "'akin export', or go back to a copy", "SQLite: %s", found.texts[i]);
    }
    AKIN_TRY(each_index(v, false, err));
    if (v->repair)
        AKIN_TRY(each_index(v, true, err));
out:
    clear_texts(&found);
    clear_texts(&left);
    return status;
}

/* ---- Segments ------------------------------------------------------------------------------- */

static const akin_space *space_of(const verifying *v, int64_t id)
{
    const akin_store *store = v->store;
    if (id == store->current.id)
        return &store->current;
    return id != 0 && id == store->building.id ? &store->building : NULL;
}

static akin_status check_spaces(verifying *v, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_db_prepare(v->store->db, "SELECT id, state FROM spaces", &s, err));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        if (space_of(v, sqlite3_column_int64(s, 0)) == NULL)
            fault(v, v->store->database, "drops it with its vectors",
                  "model %" PRId64 " is in a state that there is not",
                  (int64_t)sqlite3_column_int64(s, 0));
    }
out:
    sqlite3_finalize(s);
    return status;
}

static akin_status count_vectors(verifying *v, int64_t number, int64_t *out, akin_error *err)
{
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM vectors WHERE place / %d = %" PRId64,
             AKIN_SEGMENT_ROWS, number);
    return akin_db_number(v->store, sql, out, err);
}

/* Opens the file of a segment and looks at its header; tells nothing. */
static akin_status open_file(verifying *v, segment_state *segment, akin_error *err)
{
    char path[AKIN_STORE_PATH];
    struct stat st;
    akin_error why;
    akin_status status;
    AKIN_TRY(akin_segment_path(v->store, segment->number, path, sizeof path, err));
    segment->header = akin_segment_file(v->store, segment->owner, segment->number, &segment->fd,
                                        &segment->size, &why);
    if (segment->header == AKIN_E_NOMEM || segment->header == AKIN_E_PERMISSION) {
        if (err != NULL)
            *err = why;
        return segment->header;
    }
    if (segment->header == AKIN_OK || segment->header == AKIN_E_NOT_FOUND)
        return AKIN_OK;
    /* Its rows may still be what they were. */
    segment->problem = strdup(why.message);
    if (segment->problem == NULL)
        return akin_fail_nomem(err, "faults", 0);
    segment->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (segment->fd >= 0 && fstat(segment->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
        segment->size = (uint64_t)st.st_size;
out:
    return status;
}

/* Tells what is wrong with a file. wrong: what is with its row, for which all that is right in the
 * file is moved; NULL: nothing. */
static akin_status check_file(verifying *v, segment_state *segment, const char *wrong,
                              akin_error *err)
{
    char path[AKIN_STORE_PATH];
    int64_t vectors;
    akin_status status;
    AKIN_TRY(akin_segment_path(v->store, segment->number, path, sizeof path, err));
    const uint64_t need =
        AKIN_SEGMENT_HEADER + segment->rows * (uint64_t)akin_space_row_bytes(segment->owner);
    segment->faulty = true;
    if (segment->header == AKIN_E_NOT_FOUND) {
        AKIN_TRY(count_vectors(v, segment->number, &vectors, err));
        fault(v, path, "drops them; the next 'akin index' embeds those pictures again",
              "the file is not there: %" PRId64 " vectors are gone", vectors);
    } else if (wrong != NULL) {
        fault(v, v->store->database, "writes its vectors that are still right into a new file",
              "segment %" PRId64 " %s", segment->number, wrong);
    } else if (segment->size < need) {
        fault(v, path, "writes those that are still there into a new file",
              "has %" PRIu64 " bytes, its %zu vectors take %" PRIu64, segment->size, segment->rows,
              need);
    } else if (segment->header != AKIN_OK) {
        AKIN_TRY(count_vectors(v, segment->number, &vectors, err));
        fault(v, path, "writes those of its vectors that are still right into a new file",
              "%s (%" PRId64 " vectors)", segment->problem, vectors);
    } else {
        segment->faulty = false;
    }
out:
    return status;
}

static segment_state *find_segment(verifying *v, int64_t number)
{
    size_t low = 0, high = v->segment_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (v->segments[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->segment_count && v->segments[low].number == number ? &v->segments[low] : NULL;
}

static int by_number(const void *a, const void *b)
{
    const segment_state *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static akin_status add_segment(verifying *v, segment_state segment, segment_state **out,
                               akin_error *err)
{
    segment_state *grown =
        akin_grow(v->segments, &v->segment_capacity, v->segment_count + 1, sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(err, "segments", 0);
    v->segments = grown;
    *out = &grown[v->segment_count++];
    **out = segment;
    return AKIN_OK;
}

/* Segments that vectors are in and that have no row, or one of no model: whose they are, the
 * vectors say, and whether they are right, their checksums. */
static akin_status check_rowless(verifying *v, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char sql[96];
    const size_t known = v->segment_count;
    snprintf(sql, sizeof sql, "SELECT DISTINCT place / %d, space FROM vectors WHERE place > 0",
             AKIN_SEGMENT_ROWS);
    AKIN_TRY(akin_db_prepare(v->store->db, sql, &s, err));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t number = sqlite3_column_int64(s, 0);
        const akin_space *space = space_of(v, sqlite3_column_int64(s, 1));
        if (space == NULL || number < 1 || number > AKIN_SEGMENT_NUMBER_MAX)
            continue;
        const size_t all = v->segment_count;
        v->segment_count = known; /* those are sorted */
        segment_state *segment = find_segment(v, number);
        v->segment_count = all;
        if (segment != NULL && segment->owner != NULL)
            continue;
        const char *wrong = segment == NULL ? "is named by no row" : "belongs to no model";
        if (segment == NULL)
            AKIN_TRY(add_segment(v, (segment_state){ .number = number, .fd = -1 }, &segment, err));
        segment->rows = AKIN_SEGMENT_ROWS;
        segment->owner = space;
        segment->space = space->id;
        AKIN_TRY(open_file(v, segment, err));
        AKIN_TRY(check_file(v, segment, wrong, err));
    }
    if (v->segment_count != 0)
        qsort(v->segments, v->segment_count, sizeof *v->segments, by_number);
    for (size_t i = 0; i < v->segment_count; i++)
        if (v->segments[i].owner == NULL && v->segments[i].number >= 1)
            fault(v, v->store->database, "drops it",
                  "segment %" PRId64 " belongs to no model and has no vectors",
                  v->segments[i].number);
out:
    sqlite3_finalize(s);
    return status;
}

static void clear_segments(verifying *v)
{
    for (size_t i = 0; i < v->segment_count; i++) {
        if (v->segments[i].fd >= 0)
            close(v->segments[i].fd);
        free(v->segments[i].problem);
    }
    v->segment_count = 0;
}

/* All rows of table segments, and their files. *gone: one is not there. */
static akin_status open_segments(verifying *v, bool *gone, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    *gone = false;
    AKIN_TRY(akin_db_prepare(v->store->db,
                             "SELECT number, space, rows FROM segments ORDER BY number", &s, err));
    for (;;) {
        bool row;
        segment_state *segment = NULL;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t rows = sqlite3_column_int64(s, 2);
        AKIN_TRY(add_segment(v,
                             (segment_state){ .number = sqlite3_column_int64(s, 0),
                                              .space = sqlite3_column_int64(s, 1), .fd = -1 },
                             &segment, err));
        segment->rows_known = rows >= 0 && rows <= AKIN_SEGMENT_ROWS;
        segment->rows = segment->rows_known ? (size_t)rows : AKIN_SEGMENT_ROWS;
        if (segment->number >= 1 && segment->number <= AKIN_SEGMENT_NUMBER_MAX)
            segment->owner = space_of(v, segment->space);
        if (segment->owner == NULL)
            continue;
        AKIN_TRY(open_file(v, segment, err));
        *gone = *gone || segment->header == AKIN_E_NOT_FOUND;
        if (segment->fd >= 0 && segment->header == AKIN_OK && v->segment_count > held_files) {
            close(segment->fd);
            segment->fd = -1;
        }
    }
out:
    sqlite3_finalize(s);
    return status;
}

static akin_status check_segments(verifying *v, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    uint8_t live[AKIN_SEGMENT_ROWS / 8];
    AKIN_TRY(akin_db_prepare(v->store->db, "SELECT live FROM segments ORDER BY number", &s, err));
    for (size_t i = 0;; i++) {
        bool row;
        size_t size;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row || i == v->segment_count)
            break;
        segment_state *segment = &v->segments[i];
        if (segment->number < 1 || segment->number > AKIN_SEGMENT_NUMBER_MAX)
            fault(v, v->store->database, "drops it",
                  "segment %" PRId64 " has a number that cannot be", segment->number);
        if (segment->owner == NULL)
            continue; /* its vectors know */
        AKIN_TRY(check_file(v, segment,
                            segment->rows_known ? NULL : "has a number of rows that cannot be",
                            err));
        const unsigned char *bytes = akin_db_blob(s, 0, &size);
        if (segment->rows_known && !akin_bitmap_copy(bytes, size, segment->rows, live))
            fault(v, v->store->database, "makes it again",
                  "the bitmap of segment %" PRId64 " is not one of %zu rows: no search is possible",
                  segment->number, segment->rows);
    }
    AKIN_TRY(check_rowless(v, err));
out:
    sqlite3_finalize(s);
    return status;
}

/* ---- Vectors -------------------------------------------------------------------------------- */

static const char drop_vector[] = "drops it; the next 'akin index' embeds the picture again";
static const char drop_built[] = "drops it; 'akin reindex' makes it again";

/* "of 'beach.jpg' and 2 more items" */
static akin_status name_items(verifying *v, int64_t content, char *out, size_t capacity,
                              akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool row;
    size_t size;
    snprintf(out, capacity, "of no item");
    AKIN_TRY(akin_db_prepare(v->store->db,
                             "SELECT path, (SELECT count(*) FROM items WHERE content = ?1)"
                             " FROM items WHERE content = ?1 ORDER BY id LIMIT 1",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", content));
    AKIN_TRY(akin_db_step(s, &row, err));
    if (!row)
        goto out;
    const char *path = akin_db_blob(s, 0, &size);
    const int64_t more = sqlite3_column_int64(s, 1) - 1;
    if (more > 0)
        snprintf(out, capacity, "of '%.*s' and %" PRId64 " more item%s",
                 (int)akin_min(size, 512), path, more, more == 1 ? "" : "s");
    else
        snprintf(out, capacity, "of '%.*s'", (int)akin_min(size, 512), path);
out:
    sqlite3_finalize(s);
    return status;
}

/* Where a row is read from; its bytes and numbers. */
typedef struct row_buffer {
    unsigned char *bytes;
    float *numbers;
} row_buffer;

/* What is wrong with a vector, "" when nothing is. *told: with all of its segment. */
static akin_status check_row(verifying *v, const akin_space *space, segment_state *segment,
                             const akin_vector_row *row, const row_buffer *buffer, char *why,
                             size_t capacity, bool *told, akin_error *err)
{
    char path[AKIN_STORE_PATH];
    const size_t row_bytes = akin_space_row_bytes(space);
    const size_t r = row->place % AKIN_SEGMENT_ROWS;
    akin_status status = AKIN_OK;
    akin_error problem;
    *told = false;
    why[0] = '\0';
    if (segment == NULL || segment->owner != space) {
        snprintf(why, capacity, "is in no segment of its model");
        return AKIN_OK;
    }
    const uint64_t at = AKIN_SEGMENT_HEADER + (uint64_t)r * row_bytes;
    if (segment->size < at + row_bytes) {
        *told = segment->faulty; /* with the file that is not there, or ends before */
        snprintf(why, capacity, "is not there");
        return AKIN_OK;
    }
    AKIN_TRY(akin_segment_path(v->store, segment->number, path, sizeof path, err));
    if (segment->fd < 0) {
        segment->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (segment->fd < 0 && errno == ENOENT)
            return akin_fail(err, AKIN_E_BUSY, path,
                             "was replaced by a compact while it was checked; verify again");
        if (segment->fd < 0)
            return akin_fail_errno(err, errno, path, "cannot open");
    }
    status = akin_read_at(segment->fd, path, buffer->bytes, row_bytes, at, &problem);
    if (status == AKIN_E_IO || status == AKIN_E_TRUNCATED) {
        snprintf(why, capacity, "cannot be read (%.160s)", problem.message);
        return AKIN_OK;
    }
    if (status != AKIN_OK) {
        if (err != NULL)
            *err = problem;
        return status;
    }
    if (akin_crc32(buffer->bytes, row_bytes) != row->crc) {
        snprintf(why, capacity, "is not what was written: its checksum is wrong");
        return AKIN_OK;
    }
    char length[96];
    akin_row_to_floats(space, buffer->bytes, buffer->numbers);
    if (akin_unit_check(buffer->numbers, space->model.dimensions, AKIN_STORED_LENGTH_WITHIN, length,
                        sizeof length) != AKIN_OK)
        snprintf(why, capacity, "is none that a model gives: %s", length);
out:
    return status;
}

static akin_status check_space(verifying *v, const akin_space *space, akin_error *err)
{
    akin_status status;
    akin_vector_row *rows = NULL;
    size_t count = 0;
    row_buffer buffer = { malloc(akin_space_row_bytes(space)),
                          malloc(space->model.dimensions * sizeof *buffer.numbers) };
    segment_state *segment = NULL;
    const char *action = space == &v->store->current ? drop_vector : drop_built;
    if (buffer.bytes == NULL || buffer.numbers == NULL)
        AKIN_TRY(akin_fail_nomem(err, "a vector", akin_space_row_bytes(space)));
    AKIN_TRY(akin_vector_rows(v->store, space->id, &rows, &count, err));
    for (size_t i = 0; i < count; i++) {
        const akin_vector_row *row = &rows[i];
        const vector_ref ref = { space->id, row->content, row->place };
        const int64_t number = (int64_t)(row->place / AKIN_SEGMENT_ROWS);
        char why[256], items[640], path[AKIN_STORE_PATH];
        bool told;
        if (segment == NULL || segment->number != number) {
            if (segment != NULL && segment->fd >= 0 && v->segment_count > held_files &&
                !segment->faulty) {
                close(segment->fd);
                segment->fd = -1;
            }
            segment = find_segment(v, number);
        }
        AKIN_TRY(check_row(v, space, segment, row, &buffer, why, sizeof why, &told, err));
        /* At most one of two is right, and nothing says which. */
        if (why[0] == '\0' && ((i > 0 && rows[i - 1].place == row->place) ||
                               (i + 1 < count && rows[i + 1].place == row->place)))
            snprintf(why, sizeof why, "is also another picture's");
        const bool right = why[0] == '\0';
        if (right && !segment->faulty && row->place % AKIN_SEGMENT_ROWS < segment->rows)
            continue;
        AKIN_TRY(add_ref(right ? &v->rescued : &v->lost, ref, err));
        if (right && segment->faulty)
            continue; /* told with all of it */
        if (right)
            snprintf(why, sizeof why, "is behind the %zu rows that count", segment->rows);
        if (told)
            continue;
        AKIN_TRY(name_items(v, row->content, items, sizeof items, err));
        status = number > 0 && number <= AKIN_SEGMENT_NUMBER_MAX
                     ? akin_segment_path(v->store, number, path, sizeof path, err)
                     : AKIN_E_LIMIT;
        fault(v, status == AKIN_OK ? path : v->store->database,
              right ? "writes it into a new file" : action,
              "row %d, the vector of content %" PRId64 " (%s), %s",
              (int)(row->place % AKIN_SEGMENT_ROWS), row->content, items, why);
        status = AKIN_OK;
    }
out:
    free(rows);
    free(buffer.bytes);
    free(buffer.numbers);
    return status;
}

static akin_status check_vectors(verifying *v, akin_error *err)
{
    akin_status status;
    int64_t strays;
    AKIN_TRY(check_space(v, &v->store->current, err));
    if (v->store->building.id != 0)
        AKIN_TRY(check_space(v, &v->store->building, err));
    AKIN_TRY(akin_db_number(v->store,
                            "SELECT count(*) FROM vectors v WHERE NOT EXISTS (SELECT 1 FROM"
                            " contents WHERE id = v.content) OR NOT EXISTS (SELECT 1 FROM spaces"
                            " WHERE id = v.space AND state IN (0, 1))",
                            &strays, err));
    if (strays != 0)
        fault(v, v->store->database, "drops them",
              "%" PRId64 " vectors belong to no content or no model", strays);
out:
    return status;
}

/* ---- Contents and items --------------------------------------------------------------------- */

static akin_status check_contents(verifying *v, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_db_prepare(v->store->db,
                             "SELECT id FROM contents WHERE typeof(hash) != 'blob' OR"
                             " length(hash) != 32 OR typeof(part) != 'integer' OR part < -1",
                             &s, err));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        const int64_t id = sqlite3_column_int64(s, 0);
        fault(v, v->store->database,
              "drops it and its items; the next 'akin index' adds them again",
              "content %" PRId64 " has no SHA-256 or a part that cannot be", id);
        AKIN_TRY(add_id(&v->bad_contents, id, err));
    }
out:
    sqlite3_finalize(s);
    return status;
}

/* One row of: id, path, part, state, content, place, ext, metadata, content's id, vector's place.
 */
static akin_status check_item(verifying *v, sqlite3_stmt *s, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status;
    char path[AKIN_STORE_PATH], ext[AKIN_EXT];
    size_t stored_size, size;
    akin_error why;
    const int64_t id = sqlite3_column_int64(s, 0), state = sqlite3_column_int64(s, 3);
    const char *stored = akin_db_blob(s, 1, &stored_size);
    if (sqlite3_column_type(s, 1) != SQLITE_BLOB || sqlite3_column_int64(s, 2) < -1 ||
        akin_path_from_stored(store, stored, stored_size, path, &size, &why) != AKIN_OK) {
        fault(v, store->database, "drops it; the next 'akin index' finds the file again",
              "item %" PRId64 " has a path or a part that cannot be", id);
        return add_id(&v->bad_items, id, err);
    }
    if (sqlite3_column_type(s, 8) == SQLITE_NULL) {
        fault(v, path, "drops the item; the next 'akin index' adds it again",
              "item %" PRId64 " has a content, %" PRId64 ", that is not there", id,
              (int64_t)sqlite3_column_int64(s, 4));
        return add_id(&v->bad_items, id, err);
    }
    if (state < AKIN_ITEM_LIVE || state > AKIN_ITEM_HIDDEN) {
        fault(v, path, "marks it missing; the next 'akin index' looks for the file",
              "item %" PRId64 " is in a state that there is not, %" PRId64, id, state);
        AKIN_TRY(add_id(&v->bad_states, id, err));
    }
    const bool has = sqlite3_column_type(s, 9) != SQLITE_NULL;
    const bool says = sqlite3_column_type(s, 5) != SQLITE_NULL;
    if (has != says || sqlite3_column_int64(s, 5) != sqlite3_column_int64(s, 9))
        fault(v, path, "corrects it",
              "item %" PRId64 " stands at another vector than its content's", id);
    else if (!has && state == AKIN_ITEM_LIVE)
        fault(v, path, "marks it missing; the next 'akin index' embeds it",
              "item %" PRId64 " is live and has no vector: no search finds it", id);
    akin_path_ext(stored, stored_size, ext);
    if (strcmp(ext, akin_db_text(s, 6)) != 0) {
        fault(v, path, "corrects it", "item %" PRId64 " has another extension in its row", id);
        AKIN_TRY(add_id(&v->bad_exts, id, err));
    }
    const char *metadata = akin_db_text(s, 7);
    akin_json *json = NULL;
    status = akin_json_parse_object(metadata, strlen(metadata), path, &json, &why);
    akin_json_free(json);
    if (status == AKIN_E_NOMEM) {
        if (err != NULL)
            *err = why;
        return status;
    }
    if (status != AKIN_OK) {
        fault(v, path, "empties it; the next 'akin index' reads the file again",
              "the metadata of item %" PRId64 " is no JSON object", id);
        AKIN_TRY(add_id(&v->bad_metadata, id, err));
    }
    status = AKIN_OK;
out:
    return status;
}

static akin_status check_items(verifying *v, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    AKIN_TRY(akin_db_prepare(v->store->db,
                             "SELECT i.id, i.path, i.part, i.state, i.content, i.place, i.ext,"
                             " i.metadata, c.id, v.place FROM items i NOT INDEXED"
                             " LEFT JOIN contents c ON c.id = i.content"
                             " LEFT JOIN vectors v ON v.space = ?1 AND v.content = i.content"
                             " ORDER BY i.id",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "i", v->store->current.id));
    for (;;) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(check_item(v, s, err));
    }
out:
    sqlite3_finalize(s);
    return status;
}

/* ---- Bitmaps and repeats -------------------------------------------------------------------- */

static size_t differing_bits(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += (size_t)__builtin_popcount(a[i] ^ b[i]);
    return n;
}

static akin_status check_counts(verifying *v, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status;
    sqlite3_stmt *segments = NULL, *places = NULL;
    uint8_t live[AKIN_SEGMENT_ROWS / 8], said[AKIN_SEGMENT_ROWS / 8];
    bool more = true;
    int64_t place = -1, wrong;
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT number, space, rows, live FROM segments ORDER BY number",
                             &segments, err));
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT place FROM items WHERE state = 0 AND place IS NOT NULL"
                             " ORDER BY place",
                             &places, err));
    for (;;) {
        bool row;
        size_t size;
        AKIN_TRY(akin_db_step(segments, &row, err));
        if (!row)
            break;
        const int64_t number = sqlite3_column_int64(segments, 0);
        const int64_t rows = sqlite3_column_int64(segments, 2);
        const unsigned char *bytes = akin_db_blob(segments, 3, &size);
        if (number < 1 || number > AKIN_SEGMENT_NUMBER_MAX || rows < 0 ||
            rows > AKIN_SEGMENT_ROWS || !akin_bitmap_copy(bytes, size, (size_t)rows, said) ||
            space_of(v, sqlite3_column_int64(segments, 1)) == NULL)
            continue; /* told before */
        const int64_t first = number * AKIN_SEGMENT_ROWS;
        memset(live, 0, sizeof live);
        while (more && place < first + AKIN_SEGMENT_ROWS) {
            if (place >= first && sqlite3_column_int64(segments, 1) == store->current.id) {
                const size_t r = (size_t)(place - first);
                live[r / 8] |= (uint8_t)(1u << r % 8);
            }
            AKIN_TRY(akin_db_step(places, &more, err));
            place = more ? sqlite3_column_int64(places, 0) : -1;
        }
        const size_t differ = differing_bits(live, said, sizeof live);
        if (differ != 0)
            fault(v, store->database, "makes it again",
                  "the bitmap of segment %" PRId64 " is wrong about %zu rows: searches leave out "
                  "what is there, or show what is not", number, differ);
    }
    AKIN_TRY(akin_db_number(store,
                            "WITH truth AS (SELECT place, count(*) AS items FROM items WHERE"
                            " state = 0 AND place IS NOT NULL GROUP BY place HAVING count(*) > 1)"
                            " SELECT (SELECT count(*) FROM (SELECT place, items FROM truth EXCEPT"
                            " SELECT place, items FROM repeats)) + (SELECT count(*) FROM"
                            " (SELECT place FROM repeats EXCEPT SELECT place FROM truth))",
                            &wrong, err));
    if (wrong != 0)
        fault(v, store->database, "makes them again",
              "%" PRId64 " counts of pictures that are there several times are wrong", wrong);
out:
    sqlite3_finalize(segments);
    sqlite3_finalize(places);
    return status;
}

/* ---- The skip list, devices ----------------------------------------------------------------- */

#define BAD_PATH(column)                                                                     \
    "typeof(" column ") != 'blob' OR length(" column ") = 0 OR instr(" column ", x'00') != 0"

static akin_status check_lists(verifying *v, akin_error *err)
{
    akin_status status;
    int64_t skips, devices;
    AKIN_TRY(akin_db_number(v->store, "SELECT count(*) FROM skips WHERE " BAD_PATH("path"), &skips,
                            err));
    if (skips != 0)
        fault(v, v->store->database, "drops them; those files are tried again",
              "%" PRId64 " skipped files have paths that cannot be", skips);
    AKIN_TRY(akin_db_number(v->store, "SELECT count(*) FROM devices WHERE " BAD_PATH("folder"),
                            &devices, err));
    if (devices != 0)
        fault(v, v->store->database, "drops them",
              "%" PRId64 " folders on devices have paths that cannot be", devices);
out:
    return status;
}

/* ---- Files that no row names ---------------------------------------------------------------- */

/* Whether somebody else is writing, whose new segment is not named yet, or whose old one is about
 * to go. Where the kernel's locks are not known: yes. */
static bool somebody_writes(const akin_store *store)
{
    char path[AKIN_STORE_PATH];
    if (store->writing)
        return false;
    snprintf(path, sizeof path, "%s/" AKIN_STORE_LOCK, store->folder);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return errno != ENOENT;
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    const bool held = fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

static akin_status tell_orphan(akin_store *store, const char *path, uint64_t size, void *context,
                               akin_error *err)
{
    verifying *v = context;
    (void)store, (void)err;
    const bool changed = v->changed;
    fault(v, path, "removes it",
          "%" PRIu64 " bytes that a writer which was killed left here; nothing refers to them",
          size);
    v->changed = changed; /* the database is as it should be */
    return AKIN_OK;
}

static akin_status check_orphans(verifying *v, akin_error *err)
{
    return somebody_writes(v->store) ? AKIN_OK : akin_orphans(v->store, tell_orphan, v, err);
}

/* ---- Repair --------------------------------------------------------------------------------- */

static akin_status do_each(akin_store *store, const id_list *list, const char *sql,
                           akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < list->count; i++)
        AKIN_TRY(akin_db_do(store, err, sql, "i", list->ids[i]));
out:
    return status;
}

static akin_status drop_lost(verifying *v, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < v->lost.count; i++)
        AKIN_TRY(akin_db_do(v->store, err, "DELETE FROM vectors WHERE space = ?1 AND content = ?2",
                            "ii", v->lost.refs[i].space, v->lost.refs[i].content));
out:
    return status;
}

/* What is right in faulty files, appended to new ones. */
static akin_status rescue(verifying *v, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status = AKIN_OK;
    sqlite3_stmt *s = NULL;
    unsigned char *bytes = NULL;
    char path[AKIN_STORE_PATH];
    /* Before anything is appended: one of them may be the segment that is appended to. */
    for (size_t i = 0; i < v->segment_count; i++)
        if (v->segments[i].faulty || v->segments[i].owner == NULL)
            AKIN_TRY(akin_db_do(store, err, "DELETE FROM segments WHERE number = ?1", "i",
                                v->segments[i].number));
    AKIN_TRY(akin_counts_again(store, err)); /* bitmaps that an append reads */
    AKIN_TRY(akin_db_prepare(store->db,
                             "UPDATE vectors SET place = ?3 WHERE space = ?1 AND content = ?2", &s,
                             err));
    for (size_t i = 0; i < v->rescued.count; i++) {
        const vector_ref *ref = &v->rescued.refs[i];
        const segment_state *segment = find_segment(v, (int64_t)(ref->place / AKIN_SEGMENT_ROWS));
        akin_space *space =
            ref->space == store->current.id ? &store->current : &store->building;
        const size_t row_bytes = akin_space_row_bytes(space);
        uint64_t place;
        uint32_t crc;
        unsigned char *room = realloc(bytes, row_bytes);
        if (room == NULL)
            AKIN_TRY(akin_fail_nomem(err, "a vector", row_bytes));
        bytes = room;
        AKIN_TRY(akin_segment_path(store, segment->number, path, sizeof path, err));
        AKIN_TRY(akin_read_at(segment->fd, path, bytes, row_bytes,
                              AKIN_SEGMENT_HEADER +
                                  ref->place % AKIN_SEGMENT_ROWS * (uint64_t)row_bytes,
                              err));
        AKIN_TRY(akin_append_row(store, space, bytes, &place, &crc, err));
        AKIN_TRY(akin_db_bind(s, err, "iii", ref->space, ref->content, (int64_t)place));
        AKIN_TRY(akin_db_step(s, NULL, err));
    }
    AKIN_TRY(akin_append_sync(store, &store->current, err));
    AKIN_TRY(akin_append_sync(store, &store->building, err));
out:
    sqlite3_finalize(s);
    free(bytes);
    return status;
}

static akin_status correct_exts(verifying *v, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status = AKIN_OK;
    sqlite3_stmt *read = NULL, *write = NULL;
    AKIN_TRY(akin_db_prepare(store->db, "SELECT path FROM items WHERE id = ?1", &read, err));
    AKIN_TRY(akin_db_prepare(store->db, "UPDATE items SET ext = ?2 WHERE id = ?1", &write, err));
    for (size_t i = 0; i < v->bad_exts.count; i++) {
        bool row;
        size_t size;
        char ext[AKIN_EXT];
        AKIN_TRY(akin_db_bind(read, err, "i", v->bad_exts.ids[i]));
        AKIN_TRY(akin_db_step(read, &row, err));
        if (!row)
            continue;
        const char *path = akin_db_blob(read, 0, &size);
        akin_path_ext(path, size, ext);
        sqlite3_reset(read);
        AKIN_TRY(akin_db_bind(write, err, "it", v->bad_exts.ids[i], (const char *)ext));
        AKIN_TRY(akin_db_step(write, NULL, err));
    }
out:
    sqlite3_finalize(read);
    sqlite3_finalize(write);
    return status;
}

static akin_status repair_all(verifying *v, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status;
    AKIN_TRY(do_each(store, &v->bad_contents, "DELETE FROM items WHERE content = ?1", err));
    AKIN_TRY(do_each(store, &v->bad_contents, "DELETE FROM contents WHERE id = ?1", err));
    AKIN_TRY(akin_db_run(store->db,
                         "DELETE FROM spaces WHERE state NOT IN (0, 1);"
                         "DELETE FROM segments WHERE space NOT IN (SELECT id FROM spaces);"
                         "DELETE FROM vectors WHERE space NOT IN (SELECT id FROM spaces) OR"
                         " NOT EXISTS (SELECT 1 FROM contents WHERE id = vectors.content);"
                         "DELETE FROM skips WHERE " BAD_PATH("path") ";"
                         "DELETE FROM devices WHERE " BAD_PATH("folder"),
                         err));
    AKIN_TRY(drop_lost(v, err));
    AKIN_TRY(rescue(v, err));
    AKIN_TRY(do_each(store, &v->bad_items, "DELETE FROM items WHERE id = ?1", err));
    AKIN_TRY(do_each(store, &v->bad_states, "UPDATE items SET state = 1 WHERE id = ?1", err));
    AKIN_TRY(do_each(store, &v->bad_metadata,
                     "UPDATE items SET metadata = '{}', size = -1, mtime = 0 WHERE id = ?1", err));
    AKIN_TRY(correct_exts(v, err));
    AKIN_TRY(akin_places_again(store, v->lost.count + v->rescued.count, err));
    AKIN_TRY(akin_db_run(store->db,
                         "UPDATE items SET size = -1, mtime = 0, state = max(state, 1)"
                         " WHERE place IS NULL AND (state = 0 OR size != -1)",
                         err));
    AKIN_TRY(akin_counts_again(store, err));
out:
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------ */

typedef akin_status (*phase)(verifying *v, akin_error *err);

static akin_status check_all(verifying *v, akin_error *err)
{
    static const phase phases[] = { check_sqlite,   check_spaces, check_segments,
                                    check_vectors,  check_contents, check_items,
                                    check_counts,   check_lists,  check_orphans };
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        akin_error why;
        const akin_status status = phases[i](v, &why);
        if (status == AKIN_OK)
            continue;
        /* SQLite told of damage before: what can still be read is looked at. */
        if (status != AKIN_E_CORRUPT || v->repair || v->faults == 0) {
            if (err != NULL)
                *err = why;
            return status;
        }
        fault(v, why.path[0] != '\0' ? why.path : v->store->database, NULL, "%s", why.message);
    }
    return AKIN_OK;
}

static void clear(verifying *v)
{
    clear_segments(v);
    free(v->segments);
    free(v->lost.refs);
    free(v->rescued.refs);
    free(v->bad_contents.ids);
    free(v->bad_items.ids);
    free(v->bad_exts.ids);
    free(v->bad_states.ids);
    free(v->bad_metadata.ids);
}

/* A transaction, and every segment's file as of it. */
static akin_status begin(verifying *v, akin_error *err)
{
    akin_store *store = v->store;
    akin_status status;
    bool gone;
    for (int i = 0;; i++) {
        if (v->repair)
            AKIN_TRY(akin_store_writing(store, err));
        else
            AKIN_TRY(akin_db_run(store->db, "BEGIN", err));
        AKIN_TRY(akin_store_load_spaces(store, err));
        AKIN_TRY(open_segments(v, &gone, err));
        /* Files that a compact removes a moment before they are opened are none that are gone: a
         * new transaction does not know them. */
        if (!gone || store->writing || i == vanished_tries)
            break;
        clear_segments(v);
        akin_store_roll_back(store);
    }
out:
    return status;
}

akin_status akin_store_verify(akin_store *store, bool repair, akin_fault_teller tell, void *context,
                              size_t *faults, size_t *repaired, akin_error *err)
{
    verifying v = { .store = store, .repair = repair, .tell = tell, .context = context };
    akin_status status;
    *faults = *repaired = 0;
    AKIN_TRY(akin_store_idle(store, repair, err));
    if (repair) {
        akin_append_drop(&store->current); /* nothing waits; the files are looked at afresh */
        akin_append_drop(&store->building);
    }
    status = begin(&v, err);
    if (status == AKIN_OK)
        status = check_all(&v, err);
    if (status == AKIN_OK && v.repair && v.changed)
        status = repair_all(&v, err);
    *faults = v.faults;
    if (status != AKIN_OK || !v.repair || !v.changed)
        akin_store_give_up(store);
    else
        AKIN_TRY(akin_store_commit(store, err));
    AKIN_TRY(status);
    if (v.repair) {
        akin_store_forget(store); /* what was mapped may be of files that go */
        AKIN_TRY(akin_orphans_remove(store, err));
    }
    *repaired = v.repaired;
out:
    clear(&v);
    return status;
}
