/* store.h - a durable collection: items in SQLite, vectors in append-only segment files beside it.
 *
 * A collection is a folder:
 *
 *     collection.sqlite       facts, items, contents, the skip list (docs/formats.md)
 *     segments/00000001.vec   vectors, appended and never changed, mapped by readers
 *     writer.lock             who writes: pid, host, start time
 *
 * An *item* is a path (and, of a video, the time of a frame). A *content* is the bytes of a file,
 * named by their SHA-256; it has one vector, whatever number of items has it. A row counts only
 * when its vector is durable: write, fdatasync, then commit. Paths are bytes and absolute in this
 * interface; those under the collection's base are stored relative to it.
 *
 * Any number of readers and one writer, in any processes. A handle is for one thread at a time.
 */
#ifndef AKIN_STORE_STORE_H
#define AKIN_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "index/exact.h"

typedef struct akin_store akin_store;

/* ---- Opening -------------------------------------------------------------------------------- */

/* The model whose vectors a collection holds. Strings are borrowed. */
typedef struct akin_store_model {
    const char *identity; /* hexadecimal SHA-256 */
    const char *name;     /* as it was asked for: "ViT-B/32", a folder */
    const char *path;     /* the folder it was, absolute: where search looks for it */
    const char *form;     /* "hf", "open_clip" */
    size_t dimensions;
    akin_vector_type type; /* how vectors are stored */
} akin_store_model;

/* Whether `folder` holds a collection. */
bool akin_store_exists(const char *folder);

/* Makes an empty collection in `folder` (made with its parents when it is not there), whole or not
 * at all. base: the folder that relative paths are relative to, "" for the one two above `folder`
 * (.akin/images: the index moves with its pictures), NULL: none, all paths are absolute. One that
 * is there already is AKIN_E_ARGUMENT. */
akin_status akin_store_create(const char *folder, const akin_store_model *model, const char *base,
                              akin_error *err);

/* Opens for reading (write false), in milliseconds whatever the size; a folder that may not be
 * written to is enough. Or for writing: takes the writer's lock, waiting for at most wait_seconds,
 * else AKIN_E_BUSY names the holder's pid, host and start time. No collection: AKIN_E_NOT_FOUND; a
 * newer format is AKIN_E_UNSUPPORTED and says its number. */
akin_status akin_store_open(akin_store **out, const char *folder, bool write, double wait_seconds,
                            akin_error *err);
void akin_store_close(akin_store *store); /* gives up what was not committed */

/* Borrowed until close or the next swap. */
const akin_store_model *akin_store_get_model(const akin_store *store);
const char *akin_store_folder(const akin_store *store);
const char *akin_store_base(const akin_store *store); /* NULL: paths are absolute */

/* A line of advice for people about where the collection lies (a network file system), or NULL. */
const char *akin_store_advice(const akin_store *store);

/* Where to look for the model from now on (it moved; its identity is the same). Writer; committed
 * with the next commit. */
akin_status akin_store_set_model_path(akin_store *store, const char *name, const char *path,
                                      akin_error *err);

/* ---- Items ---------------------------------------------------------------------------------- */

typedef enum akin_item_state {
    AKIN_ITEM_LIVE = 0,
    AKIN_ITEM_MISSING = 1, /* its file is gone; its vector is kept */
    AKIN_ITEM_HIDDEN = 2   /* a rule leaves it out; its vector is kept */
} akin_item_state;

/* What tells that a file changed. ctime is kept of skipped files alone: it changes when permissions
 * do. */
typedef struct akin_stamp {
    int64_t size, mtime_ns, ctime_ns;
    int64_t sidecars; /* a hash over its sidecars' names, sizes and mtimes; 0: none */
} akin_stamp;

/* An item's searchable facts. Strings are borrowed; NULL: unknown. */
typedef struct akin_item_facts {
    const char *taken_at; /* "2023-06-15T14:03:22" */
    const char *camera;
    int width, height;    /* 0: unknown */
    bool has_position;
    double latitude, longitude;
    const char *metadata; /* a JSON object, UTF-8; never NULL on reading */
} akin_item_facts;

typedef struct akin_item {
    int64_t id;
    const char *path; /* absolute, NUL-terminated bytes */
    size_t path_size;
    int64_t part;     /* -1: the whole file; else of a video, the frame's time in milliseconds */
    akin_stamp stamp;
    akin_item_state state;
    int64_t content;
    bool has_vector;  /* false only after a swap to another model that could not read the file */
    akin_item_facts facts;
} akin_item;

/* Every call marked (writer) needs a store opened for writing and takes effect with the next
 * akin_store_commit; until then only this handle sees it. */

/* All items at `folder` (the path itself, or anything below), ordered by path, then part; "/" or
 * NULL: all. facts are not read (they are empty). each returns AKIN_OK to go on. What item points
 * to lasts for that call. */
typedef akin_status (*akin_item_visitor)(void *context, const akin_item *item, akin_error *err);
akin_status akin_store_visit(akin_store *store, const char *folder, akin_item_visitor each,
                             void *context, akin_error *err);

/* The item of (path, part) with its facts. AKIN_E_NOT_FOUND without a message when there is none.
 * item is borrowed until the next call of any function of this store. */
akin_status akin_store_item(akin_store *store, const char *path, int64_t part, akin_item *item,
                            akin_error *err);

/* Items that stand for a place and are live, by ascending id, in the snapshot that is open; of
 * those only what `filter` takes (NULL: all). */
typedef struct akin_item_filter akin_item_filter;
akin_status akin_store_items_at(akin_store *store, uint64_t place, const akin_item_filter *filter,
                                akin_item_visitor each, void *context, akin_error *err);

/* One item more, or other facts and stamp for the one at (path, part). It is live then, and its id
 * does not change. The content must be known. (writer) */
akin_status akin_store_put(akin_store *store, const char *path, int64_t part,
                           const akin_stamp *stamp, int64_t content, const akin_item_facts *facts,
                           int64_t *id, akin_error *err);

/* The same for all parts of a path at once. A path without an item is AKIN_E_NOT_FOUND without a
 * message. (writer) */
akin_status akin_store_set_state(akin_store *store, const char *path, akin_item_state state,
                                 akin_error *err);
akin_status akin_store_set_stamp(akin_store *store, const char *path, const akin_stamp *stamp,
                                 akin_error *err);
/* All parts move; what was at `to` is dropped; they are live then. Nothing at `from`: as above. */
akin_status akin_store_move(akin_store *store, const char *from, const char *to,
                            const akin_stamp *stamp, akin_error *err);
/* Drops all parts of a path; those parts alone that are not in keep[0..count) when keep is not
 * NULL. A path without an item is nothing to do. */
akin_status akin_store_drop(akin_store *store, const char *path, const int64_t *keep, size_t count,
                            akin_error *err);

/* ---- Contents and vectors ------------------------------------------------------------------- */

/* The content of these bytes (and of this part of them, -1: all). AKIN_E_NOT_FOUND without a
 * message when there is none, or one without a vector of the collection's model. */
akin_status akin_store_content(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES], int64_t part,
                               int64_t *content, akin_error *err);
/* The parts of these bytes that are known, ascending: of a video its frames. *parts is allocated
 * (free()). */
akin_status akin_store_parts(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES],
                             int64_t **parts, size_t *count, akin_error *err);

/* A content and its unit vector [dimensions]. Not finite, or of length 0: AKIN_E_NONFINITE with
 * `path`, nothing is added. A vector that is not of length 1 within 1e-3 is AKIN_E_ARGUMENT. A
 * content that has a vector already is that content, and nothing is added. (writer) */
akin_status akin_store_add_content(akin_store *store, const uint8_t hash[AKIN_HASH_BYTES],
                                   int64_t part, const float *vector, const char *path,
                                   int64_t *content, akin_error *err);

/* Paths whose item has this content, any state, ordered by id. */
akin_status akin_store_paths_of(akin_store *store, int64_t content, akin_item_visitor each,
                                void *context, akin_error *err);

/* The stored vector of a content as floats [dimensions]. */
akin_status akin_store_vector(akin_store *store, int64_t content, float *out, akin_error *err);

/* Makes everything since the last commit durable and visible: writes and syncs vectors, then the
 * rows that name them, in one transaction. After an error nothing of it is: the store can only be
 * closed (any other call gives that error again). */
akin_status akin_store_commit(akin_store *store, akin_error *err);

/* ---- The skip list -------------------------------------------------------------------------- */

typedef struct akin_skip {
    const char *path;
    akin_stamp stamp;
    akin_status code;
    const char *reason;
    const char *settings; /* of akin and its command line when it failed: others are worth another
                             try */
    int64_t time;         /* seconds since 1970 */
} akin_skip;
typedef akin_status (*akin_skip_visitor)(void *context, const akin_skip *skip, akin_error *err);

akin_status akin_store_visit_skips(akin_store *store, const char *folder, akin_skip_visitor each,
                                   void *context, akin_error *err);
/* Both (writer). Of a path that is not on the list unskip does nothing. */
akin_status akin_store_skip(akin_store *store, const akin_skip *skip, akin_error *err);
akin_status akin_store_unskip(akin_store *store, const char *path, akin_error *err);

/* ---- Where folders lie ---------------------------------------------------------------------- */

/* The device of a folder that was given to index, or where another one is mounted below it.
 * device 0: forgotten. (writer) */
akin_status akin_store_set_device(akin_store *store, const char *folder, uint64_t device,
                                  akin_error *err);
typedef akin_status (*akin_device_visitor)(void *context, const char *folder, uint64_t device,
                                           akin_error *err);
/* Those at or below `folder`. */
akin_status akin_store_visit_devices(akin_store *store, const char *folder,
                                     akin_device_visitor each, void *context, akin_error *err);

/* ---- Search --------------------------------------------------------------------------------- */

/* Between begin and end the store does not change under this handle, whatever a writer does. begin
 * costs microseconds when nothing was committed since the last one. AKIN_E_ARGUMENT when a snapshot
 * is open already or this handle has changes that are not committed; nothing can be changed inside
 * of one. Snapshots are to be short: a log grows while they last, and on a network file system the
 * writer waits for their end. */
akin_status akin_store_begin(akin_store *store, akin_error *err);
void akin_store_end(akin_store *store);
bool akin_store_in_snapshot(const akin_store *store);

/* In a snapshot; borrowed until its end. The vectors of live items, ready for akin_exact_scores. */
const akin_vectors *akin_store_vectors(const akin_store *store);
const akin_repeat *akin_store_repeats(const akin_store *store, size_t *count);
size_t akin_store_live(const akin_store *store); /* items */

/* Sets in `allowed` (a bitmap over rows in the order of akin_store_vectors, cleared here) each row
 * with a live item that the filter takes. In a snapshot. */
akin_status akin_store_filter_rows(akin_store *store, const akin_item_filter *filter,
                                   uint8_t *allowed, akin_error *err);

/* ---- Looking after it ----------------------------------------------------------------------- */

/* Borrowed until the next call. */
typedef struct akin_store_summary {
    int format;
    const char *uuid, *created; /* "2026-11-23T21:04:05Z" */
    const char *base;           /* absolute; "" when all paths are */
    size_t live, missing, hidden, skipped, contents, segments;
    size_t dead;                /* vectors that no item has */
    uint64_t vector_bytes, database_bytes, reclaimable_bytes;
    const char *building;       /* name of the model being built by reindex, or NULL */
    size_t built;               /* contents it has vectors of */
} akin_store_summary;
akin_status akin_store_summarise(akin_store *store, akin_store_summary *out, akin_error *err);

/* Whether a live item was taken with a camera: one look into an index. */
akin_status akin_store_has_photographs(akin_store *store, bool *out, akin_error *err);

/* Told about each fault: what, and what repair would do about it. */
typedef void (*akin_fault_teller)(void *context, const char *path, const char *message,
                                  bool repaired);

/* Reads everything: SQLite's own check, every segment's header, size and each vector against its
 * checksum, every row's references, bitmaps and counts against the items. *faults is how many were
 * told. repair (writer): bitmaps, counts and indexes are made again; a vector that is gone or wrong
 * is dropped and its items are missing with their stamps cleared, so that the next index embeds
 * those files again; *repaired is how many. */
akin_status akin_store_verify(akin_store *store, bool repair, akin_fault_teller tell, void *context,
                              size_t *faults, size_t *repaired, akin_error *err);

/* Writes the vectors that items have into new segments, commits, then removes the old files.
 * Readers go on. missing: drops items that are missing or hidden first. *reclaimed bytes. (writer,
 * nothing uncommitted) */
akin_status akin_store_compact(akin_store *store, bool missing, uint64_t *reclaimed,
                               akin_error *err);
/* Whether compact is due: more than half of the vectors are dead. */
bool akin_store_wants_compact(akin_store *store);

/* The whole collection, as of one moment while a writer runs, as a new one in `folder`, which must
 * not be there; whole or not at all. Relative paths keep leading to the same files. */
akin_status akin_store_copy(akin_store *store, const char *folder, akin_error *err);

/* vectors.npy ([contents that items have, dimensions], in the stored type), items.jsonl (a
 * line an item: "path" and "path_base64" as in search, "row", "part", "state", "size", "mtime_ns",
 * "sha256", "metadata") and collection.json (the model) into a folder that must not be there. */
akin_status akin_store_export(akin_store *store, const char *folder, akin_error *err);
/* Adds what akin_store_export wrote, or any npy (float16 or float32, C order) with such lines
 * ("path" and "row" are enough), to an open collection; items that are there already stay as they
 * are. All or nothing: one wrong line or row refuses the whole with its number. (writer;
 * commits) */
akin_status akin_store_import(akin_store *store, const char *folder, size_t *added,
                              akin_error *err);
/* The model that an export names, to make a collection for it. Allocated strings, one free() of
 * *memory gives all back. */
akin_status akin_store_import_model(const char *folder, akin_store_model *out, void **memory,
                                    akin_error *err);

/* ---- Another model -------------------------------------------------------------------------- */

/* Begins, or goes on with, vectors of another model beside those there are. Another one that was
 * being built is given up. A model of the same identity and type as the present one is
 * AKIN_E_ARGUMENT. (writer; commits) */
akin_status akin_store_rebuild_begin(akin_store *store, const akin_store_model *model,
                                     akin_error *err);
/* Contents without a vector of the new model, by ascending id from *after on, of which a live item
 * exists: one item each, with its path. *after moves. Fewer than `capacity` is the end. Strings are
 * allocated; akin_store_rebuild_clear. */
typedef struct akin_rebuild_item {
    int64_t content, part;
    char *path;
    akin_stamp stamp;
    uint8_t hash[AKIN_HASH_BYTES];
} akin_rebuild_item;
akin_status akin_store_rebuild_next(akin_store *store, int64_t *after, akin_rebuild_item *items,
                                    size_t capacity, size_t *count, akin_error *err);
void akin_store_rebuild_clear(akin_rebuild_item *items, size_t count);
/* As akin_store_add_content, for the new model. (writer) */
akin_status akin_store_rebuild_add(akin_store *store, int64_t content, const float *vector,
                                   const char *path, akin_error *err);
/* How many contents that a live item has are done and to do. */
akin_status akin_store_rebuild_count(akin_store *store, size_t *done, size_t *total,
                                     akin_error *err);
/* From now on the collection is the new model's; items whose content has no vector of it are
 * missing until their file is read again. Removes the old segments. (writer; commits) */
akin_status akin_store_rebuild_swap(akin_store *store, akin_error *err);

#endif
