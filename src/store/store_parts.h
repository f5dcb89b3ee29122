/* store_parts.h - what the files of this room share: the database, segments, the lock.
 *
 *     database.c   SQLite behind akin_error: opening, statements, transactions
 *     schema.c     the tables, making them, format numbers
 *     segment.c    segment files: header, append, sync, map
 *     lock.c       the writer's lock; what kind of file system a folder is on
 *     store.c      opening, snapshots, commit: which rows are live
 *     items.c      items, contents, the skip list, devices
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
    AKIN_SEGMENT_HEADER = 4096 /* so that rows begin on a page */
};

#define AKIN_STORE_DATABASE "collection.sqlite"
#define AKIN_STORE_SEGMENTS "segments"
#define AKIN_STORE_LOCK "writer.lock"

/* ---- schema.c ------------------------------------------------------------------------------- */

/* The tables; docs/formats.md says what each column means. `space` is a model's vectors: one is
 * current, at most one is being built. items.place is the vector of the item's content in the
 * current space, kept here so that a filter is answered by one index; NULL: it has none. */
extern const char akin_store_schema[];

/* ---- database.c ----------------------------------------------------------------------------- */

/* What SQLite said last, as an akin_error that names the database file: a full disk and I/O errors are
 * AKIN_E_IO, a damaged file AKIN_E_CORRUPT with the advice to run akin verify, a lock that did not
 * come in time AKIN_E_BUSY. `what` was being done. */
akin_status akin_db_fail(sqlite3 *db, const char *what, akin_error *err);

/* Statements without parameters and results. */
akin_status akin_db_run(sqlite3 *db, const char *sql, akin_error *err);

/* Steps once; *row says whether there is a row (row NULL: there must be none), and without one the
 * statement is reset. */
akin_status akin_db_step(sqlite3_stmt *statement, bool *row, akin_error *err);

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
    bool live_changed;         /* since the last commit */
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
} akin_appender;

typedef struct akin_space {
    int64_t id;           /* 0: none */
    akin_store_model model; /* strings owned */
    akin_appender appender;
} akin_space;

/* Writes the header of a new segment file and syncs it and its folder. */
akin_status akin_segment_create(akin_store *store, const akin_space *space, int64_t number, int *fd,
                                akin_error *err);
/* Checks the header against the space and that the file holds the rows that count; maps them. */
akin_status akin_segment_map(akin_store *store, const akin_space *space, akin_segment *segment,
                             akin_error *err);
void akin_segment_clear(akin_segment *segment);
/* folder/segments/00000001.vec */
akin_status akin_segment_path(const akin_store *store, int64_t number, char *out, size_t capacity,
                              akin_error *err);
/* Takes a vector: its place is certain now, its bytes are written when enough wait and at commit. A
 * segment that is full, or that a write or sync failed on, is left and the next begun. */
akin_status akin_append(akin_store *store, akin_space *space, const float *vector, uint64_t *place,
                        uint32_t *crc, akin_error *err);
/* Writes what waits and syncs it: first half of a commit. */
akin_status akin_append_sync(akin_store *store, akin_space *space, akin_error *err);

/* ---- lock.c --------------------------------------------------------------------------------- */

/* Takes folder/writer.lock (a lock of the kernel, which ends with its process) and writes pid, host
 * and start time into it. AKIN_E_BUSY names the holder. */
akin_status akin_lock_take(const char *folder, double wait_seconds, int *fd, akin_error *err);
void akin_lock_release(int fd);

/* Whether files of the folder come over a network or from a program (NFS, SMB, FUSE, 9p, ...): name of
 * the kind, static, or NULL. */
const char *akin_remote_kind(const char *folder);

/* ---- store.c -------------------------------------------------------------------------------- */

typedef enum akin_sql { /* each prepared once, on first use */
    AKIN_SQL_ITEM, AKIN_SQL_COUNT /* the files of this room add theirs */
} akin_sql;

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
};

/* Begins a transaction for writing when none is open; refuses on a store that reads or has failed. */
akin_status akin_store_writing(akin_store *store, akin_error *err);
/* A place whose liveness or number of items is to be made out again at commit. */
akin_status akin_store_touch(akin_store *store, uint64_t place, akin_error *err);
/* Throws segments, blocks and repeats away, so that the next begin reads them again. */
void akin_store_forget(akin_store *store);
/* A path between its two forms. stored: relative to the base when below it. Into a caller's buffer of
 * at least AKIN_STORE_PATH bytes. */
enum { AKIN_STORE_PATH = 8192 };
akin_status akin_path_to_stored(const akin_store *store, const char *path, char *out, size_t *size,
                                akin_error *err);
akin_status akin_path_from_stored(const akin_store *store, const void *stored, size_t stored_size,
                                  char *out, size_t *size, akin_error *err);

#endif
