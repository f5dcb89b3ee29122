/* store_parts.h - what the files of this room share: the database, segments, the lock.
 *
 *     database.c   SQLite behind akin_error: opening, statements, transactions
 *     schema.c     the tables, making them, format numbers
 *     segment.c    segment files: header, append, sync, map
 *     statements.c the SQL of statements that are kept prepared
 *     lock.c       the writer's lock; what kind of file system a folder is on
 *     store.c      making, opening, commit: which rows are live
 *     snapshot.c   what a search sees
 *     items.c      items, contents, the skip list, devices
 *     summary.c    counts of it all
 *     verify.c compact.c copy.c exchange.c rebuild.c    what looks after it
 *
 * A vector's place is segment * AKIN_SEGMENT_ROWS + row. Places are never used twice.
 */
#ifndef AKIN_STORE_STORE_PARTS_H
#define AKIN_STORE_STORE_PARTS_H

#include <sqlite3.h>

#include "store.h"

enum {
    AKIN_STORE_FORMAT = 1,
    AKIN_STORE_APPLICATION_ID = 0x616b696e, /* "akin", PRAGMA application_id */
    AKIN_SEGMENT_ROWS = 65536,
    AKIN_SEGMENT_HEADER = 4096, /* so that rows begin on a page */
    AKIN_STORE_MAX_DIMENSIONS = 65536
};
#define AKIN_SEGMENT_NUMBER_MAX ((int64_t)1 << 40)

#define AKIN_STORE_DATABASE "collection.sqlite"
#define AKIN_STORE_SEGMENTS "segments"
#define AKIN_STORE_LOCK "writer.lock"

typedef enum akin_sql { /* each prepared once, on first use; the texts are in statements.c */
    AKIN_SQL_BEGIN, AKIN_SQL_BEGIN_WRITING, AKIN_SQL_COMMIT, AKIN_SQL_ROLLBACK,
    AKIN_SQL_DATA_VERSION,
    AKIN_SQL_SPACES, AKIN_SQL_SEGMENTS, AKIN_SQL_REPEATS,
    AKIN_SQL_SEGMENT, AKIN_SQL_SET_SEGMENT, AKIN_SQL_NEW_SEGMENT, AKIN_SQL_LAST_SEGMENT,
    AKIN_SQL_OPEN_SEGMENT, AKIN_SQL_LIVE_AT, AKIN_SQL_SET_REPEAT, AKIN_SQL_DROP_REPEAT,
    AKIN_SQL_ITEM, AKIN_SQL_ITEM_ROW, AKIN_SQL_PARTS_AT, AKIN_SQL_NEW_ITEM, AKIN_SQL_SET_ITEM,
    AKIN_SQL_SET_STATE, AKIN_SQL_SET_STAMP, AKIN_SQL_MOVE, AKIN_SQL_DROP,
    AKIN_SQL_CONTENT, AKIN_SQL_CONTENT_PLACE, AKIN_SQL_NEW_CONTENT, AKIN_SQL_NEW_VECTOR,
    AKIN_SQL_ATTACH, AKIN_SQL_SKIP, AKIN_SQL_UNSKIP, AKIN_SQL_SET_DEVICE, AKIN_SQL_DROP_DEVICE,
    AKIN_SQL_SET_MODEL, AKIN_SQL_COUNT
} akin_sql;
extern const char *const akin_sql_text[AKIN_SQL_COUNT]; /* statements.c */

/* ---- schema.c ------------------------------------------------------------------------------- */

/* The tables; docs/formats.md says what each column means. `space` is a model's vectors: one is
 * current, at most one is being built. items.place is the vector of the item's content in the
 * current space, kept here so that a filter is answered by one index; NULL: it has none. */
extern const char akin_store_schema[];

/* ---- database.c ----------------------------------------------------------------------------- */

/* Opens the store's database (store->folder, writing and remote are set) with everything off that a
 * hostile file could use, and sets its journal. A folder that cannot be written to is read as it
 * is, unless a journal lies there that would have to be played back first: AKIN_E_PERMISSION. */
akin_status akin_db_open(akin_store *store, akin_error *err);
/* A new database file, empty, and opened. One that cannot be made is the file system's error:
 * SQLite tries to open it for reading then, and tells about that. */
akin_status akin_db_create(const char *path, sqlite3 **out, akin_error *err);
/* What every connection of akin is set to. */
akin_status akin_db_configure(sqlite3 *db, akin_error *err);
/* Closes it and all statements. */
void akin_db_close(akin_store *store);
/* Whether a database that is read without locks (store->immutable) is not what it was. */
bool akin_db_replaced(akin_store *store);

/* What SQLite said last, as an akin_error that names the database file: a full disk and I/O errors
 * are AKIN_E_IO, a damaged file AKIN_E_CORRUPT with the advice to run akin verify, a lock that did
 * not come in time AKIN_E_BUSY. `what` was being done ("read the items"). */
akin_status akin_db_fail(sqlite3 *db, const char *what, akin_error *err);

/* Statements without parameters and results. */
akin_status akin_db_run(sqlite3 *db, const char *sql, akin_error *err);
akin_status akin_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out, akin_error *err);
/* A prepared statement of the store, reset, parameters of the last use still bound. */
akin_status akin_db_statement(akin_store *store, akin_sql which, sqlite3_stmt **out,
                              akin_error *err);

/* Binds parameters from 1 on, one a letter: i int64_t; r double (NaN: NULL); t const char *, NUL
 * at its end (NULL: NULL); b const void * and size_t, a BLOB; n NULL. All are copied by no one:
 * they must last until the statement is reset. */
akin_status akin_db_bind(sqlite3_stmt *statement, akin_error *err, const char *types, ...);

/* Steps once; *row says whether there is a row (row NULL: there must be none), and without one the
 * statement is reset. */
akin_status akin_db_step(sqlite3_stmt *statement, bool *row, akin_error *err);

/* Columns of the row a statement is on. Text is never NULL; a BLOB of 0 bytes is "". */
const char *akin_db_text(sqlite3_stmt *statement, int column);
const void *akin_db_blob(sqlite3_stmt *statement, int column, size_t *size);

/* ---- segment.c ------------------------------------------------------------------------------ */

/* Header, little-endian, zero to AKIN_SEGMENT_HEADER:
 *      0  8  "AKINVEC\n"
 *      8  4  format, 1
 *     12  4  0x01020304 in the writer's byte order
 *     16  4  vector type (1 f16, 2 f32)
 *     20  4  dimensions
 *     24  8  segment number
 *     32 16  the collection's UUID
 *     48  4  CRC-32 of bytes 0-47
 * then rows of dimensions * 2 or 4 bytes. How many count is in table `segments`; bytes behind them
 * are what a writer that died left there. */
typedef struct akin_segment {
    int64_t number;
    size_t rows;               /* that count */
    unsigned char *live;       /* bitmap of AKIN_SEGMENT_ROWS bits; owned */
    const unsigned char *rows_map; /* row 0, [rows, row bytes], or NULL until needed */
    void *map;                 /* what to unmap, or NULL */
    size_t map_size;
    unsigned char *copy;       /* the rows where mapping fails; owned */
} akin_segment;

/* Where a writer appends: one for each space. */
typedef struct akin_appender {
    int fd;               /* -1: no segment is open */
    int64_t number;
    size_t rows;          /* written, the committed ones included */
    size_t committed;
    unsigned char *wait;  /* rows not written yet, [waiting, row bytes]; owned */
    size_t waiting;
    bool failed;          /* a write or sync did: never appended to again, by nobody */
} akin_appender;

typedef struct akin_space {
    int64_t id;           /* 0: none */
    akin_store_model model; /* strings owned */
    akin_appender appender;
} akin_space;

/* Writes the header of a new segment file and syncs it and its folder. */
akin_status akin_segment_create(akin_store *store, const akin_space *space, int64_t number, int *fd,
                                akin_error *err);
/* Checks the header against the space and that the file holds the rows that count; maps them, or
 * reads them where the file system is remote. rows may have grown since the last call. A file that
 * is not there is AKIN_E_NOT_FOUND (compact removed it, or somebody); other faults
 * AKIN_E_CORRUPT. */
akin_status akin_segment_map(akin_store *store, const akin_space *space, akin_segment *segment,
                             akin_error *err);
void akin_segment_clear(akin_segment *segment);
/* folder/segments/00000001.vec */
akin_status akin_segment_path(const akin_store *store, int64_t number, char *out, size_t capacity,
                              akin_error *err);
size_t akin_space_row_bytes(const akin_space *space);
/* Takes a vector [dimensions], rounded to the space's type: its place is certain now, its bytes are
 * written when enough wait and at commit. A segment that is full is left and the next begun. What
 * fails spoils the store (akin_store_spoil). In a transaction for writing. */
akin_status akin_append(akin_store *store, akin_space *space, const float *vector, uint64_t *place,
                        uint32_t *crc, akin_error *err);
/* The same of a row as it is stored. */
akin_status akin_append_row(akin_store *store, akin_space *space, const void *row, uint64_t *place,
                            uint32_t *crc, akin_error *err);
/* Writes what waits and syncs it, and puts the rows into table segments: first half of a commit. */
akin_status akin_append_sync(akin_store *store, akin_space *space, akin_error *err);
/* Appends no more to the segment that is open (it is written, synced and sealed): the next row
 * begins a new one. */
akin_status akin_append_seal(akin_store *store, akin_space *space, akin_error *err);
/* Forgets what was not committed. */
void akin_append_drop(akin_space *space);
/* The row at a place as it is stored, [row bytes], those that wait included. */
akin_status akin_row_read(akin_store *store, const akin_space *space, uint64_t place, void *out,
                          akin_error *err);
void akin_row_to_floats(const akin_space *space, const void *row, float *out);
uint32_t akin_crc32(const void *bytes, size_t size); /* IEEE 802.3, as zlib's and gzip's */

/* fsync of a folder; one that its file system cannot sync is an answer, not an error. */
akin_status akin_folder_sync(const char *folder, akin_error *err);

/* ---- lock.c --------------------------------------------------------------------------------- */

/* Takes folder/writer.lock (a lock of the kernel, which ends with its process) and writes pid, host
 * and start time into it. AKIN_E_BUSY names the holder. */
akin_status akin_lock_take(const char *folder, double wait_seconds, int *fd, akin_error *err);
void akin_lock_release(int fd);

/* Whether files of the folder come over a network or from a program (NFS, SMB, FUSE, 9p, ...):
 * name of the kind, static, or NULL. */
const char *akin_remote_kind(const char *folder);

/* ---- store.c -------------------------------------------------------------------------------- */

struct akin_store {
    char *folder;
    char *base;            /* absolute, without a slash at the end; NULL: paths are absolute */
    uint8_t uuid[16];
    sqlite3 *db;
    sqlite3_stmt *statements[AKIN_SQL_COUNT];
    const char *remote;    /* kind of a network file system, or NULL */
    bool writing;
    int lock;              /* -1: not held */
    akin_space current, building;
    akin_segment *segments; /* of the current space, ascending; of a snapshot, or the writer's */
    size_t segment_count, segment_capacity;
    akin_block *blocks;
    akin_vectors vectors;
    akin_repeat *repeats;
    size_t repeat_count, live;
    bool in_snapshot, in_transaction;
    int64_t data_version;  /* of the database when segments were read; -1: never */
    uint64_t *touched;     /* places whose items changed since the last commit, in no order */
    size_t touched_count, touched_capacity;
    akin_error failure;    /* .code is not AKIN_OK: of a commit that failed; nothing goes on */
    char *line;            /* what akin_store_item and others hand out; owned */
    size_t line_capacity;
    char *advice;          /* owned, or NULL */
    char *created;         /* owned; of the summary */
    char uuid_text[37];
    bool immutable;        /* read without locks: nothing here can be written */
    bool leaving_log;      /* a write-ahead log, where there must be none */
    struct { int64_t size, mtime_ns; uint64_t device, inode; } seen; /* the file, when immutable */
    char database[8192];   /* its path */
};

/* AKIN_OK, or the failure that this store has had. First in every public function. */
akin_status akin_store_usable(const akin_store *store, akin_error *err);
/* The folder that holds the folder that holds `folder`, allocated, without a slash at the end (""
 * for "/"). NULL when out of memory. */
char *akin_two_above(const char *folder);
/* A random UUID (RFC 9562, version 4). */
akin_status akin_uuid_make(uint8_t uuid[16], akin_error *err);
/* Begins a transaction for writing when none is open; refuses on a store that reads, is in a
 * snapshot or has failed. */
akin_status akin_store_writing(akin_store *store, akin_error *err);
/* A change failed halfway: rolls back, and nothing goes on. Returns status. */
akin_status akin_store_spoil(akin_store *store, akin_status status, akin_error *err);
/* The same, unless status says that nothing was begun (OK, ARGUMENT, NOT_FOUND, NONFINITE,
 * LIMIT). */
akin_status akin_store_settle(akin_store *store, akin_status status, akin_error *err);
/* Gives a transaction up, if one is open. */
void akin_store_roll_back(akin_store *store);
/* Opens the database and reads what it says of the collection. */
akin_status akin_store_reload(akin_store *store, akin_error *err);
/* A place of the current space whose liveness or number of items is to be made out again at commit.
 * 0: none. */
akin_status akin_store_touch(akin_store *store, uint64_t place, akin_error *err);
/* Reads table spaces into current and building; appenders of spaces that went away are dropped. */
akin_status akin_store_load_spaces(akin_store *store, akin_error *err);
/* A segment's row of table segments. live has AKIN_SEGMENT_ROWS bits, those past rows are 0. No
 * such row is AKIN_E_CORRUPT. */
akin_status akin_segment_load(akin_store *store, int64_t number, int64_t *space, size_t *rows,
                              bool *open, uint8_t live[AKIN_SEGMENT_ROWS / 8], akin_error *err);
akin_status akin_segment_save(akin_store *store, int64_t number, size_t rows, bool open,
                              const uint8_t live[AKIN_SEGMENT_ROWS / 8], akin_error *err);
/* A bitmap of table segments, [size] bytes, as one of AKIN_SEGMENT_ROWS bits; false when it is not
 * one of `rows` rows. */
bool akin_bitmap_copy(const unsigned char *bytes, size_t size, size_t rows, uint8_t *out);
/* Throws segments, blocks and repeats away, so that the next begin reads them again. */
void akin_store_forget(akin_store *store);
enum { AKIN_STORE_PATH = 8192 }; /* bytes of the longest path, its NUL included */
/* "//" becomes "/", one at the end is left out. A path that is not absolute is AKIN_E_ARGUMENT. */
akin_status akin_path_plain(const char *path, char *out, size_t *size, akin_error *err);
/* A path between its two forms. stored: relative to the base when below it. Into a caller's buffer
 * of at least AKIN_STORE_PATH bytes; both end in a NUL that *size does not count. The base itself
 * is stored as ".". */
akin_status akin_path_to_stored(const akin_store *store, const char *path, char *out, size_t *size,
                                akin_error *err);
akin_status akin_path_from_stored(const akin_store *store, const void *stored, size_t stored_size,
                                  char *out, size_t *size, akin_error *err);

/* ---- summary.c ------------------------------------------------------------------------------ */

/* Bytes of empty pages that compact gives back. Empty pages are used again by what comes, so they
 * are worth it, and more than 0, only from a quarter of the database and 1 MiB on. */
akin_status akin_database_spare(akin_store *store, uint64_t *bytes, akin_error *err);

/* ---- items.c -------------------------------------------------------------------------------- */

/* The stored paths at a folder and below, as ranges of BLOBs [low, high) that follow each other as
 * the absolute paths do. */
typedef struct akin_path_range {
    char *low, *high;      /* high NULL: no end */
    size_t low_size, high_size;
} akin_path_range;
enum { AKIN_PATH_RANGES = 8 };
typedef struct akin_path_ranges {
    akin_path_range range[AKIN_PATH_RANGES];
    size_t count;
    char *memory;
} akin_path_ranges;
akin_status akin_path_ranges_of(const akin_store *store, const char *folder, akin_path_ranges *out,
                                akin_error *err);
void akin_path_ranges_clear(akin_path_ranges *ranges);
/* `select` ("SELECT place FROM items") of the live items that the filter takes (NULL: all), at
 * `place` by ascending id when that is not NULL. The filter's values must last as long as the
 * statement. */
akin_status akin_filter_prepare(akin_store *store, const akin_item_filter *filter,
                                const char *select, const uint64_t *place, sqlite3_stmt **out,
                                akin_error *err);
/* Lower-case extension of a path, "" when it has none; out has room for AKIN_EXT bytes. */
enum { AKIN_EXT = 17 };
void akin_path_ext(const char *path, size_t size, char out[AKIN_EXT]);

#endif
