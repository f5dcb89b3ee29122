/* store_tools.h - what looks after a collection: what verify.c, compact.c, copy.c, exchange.c,
 * import.c and rebuild.c share. */
#ifndef AKIN_STORE_STORE_TOOLS_H
#define AKIN_STORE_STORE_TOOLS_H

#include "store_parts.h"

/* ---- store_tools.c ----------------------------------------------------------------------------
 */

/* AKIN_E_ARGUMENT when the store is in a snapshot or has changes that are not committed; write:
 * also when it was not opened for writing. */
akin_status akin_store_idle(const akin_store *store, bool write, akin_error *err);

/* Runs one statement with its parameters (akin_db_bind's) that yields nothing, or one number. */
akin_status akin_db_do(akin_store *store, akin_error *err, const char *sql, const char *types, ...);
akin_status akin_db_number(akin_store *store, const char *sql, int64_t *out, akin_error *err);

/* The vectors of a space by ascending place; allocated (free()), 24 bytes each. SQLite's own sort
 * would take more, in the same memory. Places below 0 come last. */
typedef struct akin_vector_row {
    uint64_t place;
    int64_t content;
    uint32_t crc;
} akin_vector_row;
akin_status akin_vector_rows(akin_store *store, int64_t space, akin_vector_row **out, size_t *count,
                             akin_error *err);

/* A segment's file, its header checked, for reading rows one by one: a page that the disk does not
 * give is an error then, where a mapping ends the process. AKIN_E_NOT_FOUND as akin_segment_map. */
akin_status akin_segment_file(akin_store *store, const akin_space *space, int64_t number, int *fd,
                              uint64_t *size, akin_error *err);
/* Bytes at an offset, all of them; AKIN_E_TRUNCATED when the file ends before. */
akin_status akin_read_at(int fd, const char *path, void *out, size_t size, uint64_t offset,
                         akin_error *err);

/* AKIN_OK, AKIN_E_NONFINITE (a number that is not finite; length 0) or AKIN_E_ARGUMENT (not of
 * length 1 within `within`); what is wrong with it in `why`. */
akin_status akin_unit_check(const float *vector, size_t dimensions, double within, char *why,
                            size_t capacity);
/* How far from 1 the length of a stored vector may be: 1e-3 before it was rounded (items.c), and
 * half precision moves it by less than 2^-11. */
#define AKIN_STORED_LENGTH_WITHIN 2e-3

/* items.place of all items, as table vectors has it in the current space; `moved` vectors changed
 * place. In a transaction for writing. */
akin_status akin_places_again(akin_store *store, size_t moved, akin_error *err);
/* The bitmaps of all segments and table repeats, from the items. In a transaction for writing,
 * after akin_append_sync. */
akin_status akin_counts_again(akin_store *store, akin_error *err);

/* Called for each file in segments/ whose name is a segment's and that nothing in the
 * database refers to. */
typedef akin_status (*akin_orphan_visitor)(akin_store *store, const char *path, uint64_t size,
                                           void *context, akin_error *err);
akin_status akin_orphans(akin_store *store, akin_orphan_visitor each, void *context,
                         akin_error *err);
/* Removes them. Writer, nothing uncommitted. */
akin_status akin_orphans_remove(akin_store *store, akin_error *err);
/* Gives up all that was not committed; the store can be used on. */
void akin_store_give_up(akin_store *store);

/* A folder that comes into being whole or not at all: made under another name beside its own.
 *     akin_new_folder f;
 *     AKIN_TRY(akin_new_folder_open(&f, folder, err));     AKIN_E_ARGUMENT when it is there
 *     ... files in f.temporary, each synced ...
 *     AKIN_TRY(akin_new_folder_commit(&f, err));
 * out:
 *     akin_new_folder_abort(&f);       nothing after a commit, else removes it */
typedef struct akin_new_folder {
    char *path;      /* absolute; its parent is real; owned */
    char *temporary; /* owned */
    bool made;
} akin_new_folder;
akin_status akin_new_folder_open(akin_new_folder *f, const char *folder, akin_error *err);
akin_status akin_new_folder_commit(akin_new_folder *f, akin_error *err);
void akin_new_folder_abort(akin_new_folder *f);

#endif
