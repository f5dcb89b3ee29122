/* file.h - reading, mapping and atomically replacing files. Refuses what is not a regular file. */
#ifndef AKIN_BASE_FILE_H
#define AKIN_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "buffer.h"
#include "error.h"

/* Reads a whole regular file into `out` (initialised here, what = the kind of file for messages;
 * the caller clears it). AKIN_E_LIMIT, before anything is allocated, when it is larger than max.
 * An empty file is an answer, not an error. */
akin_status akin_file_read(const char *path, const char *what, size_t max, akin_buffer *out,
                           akin_error *err);

/* A read-only, shared mapping of a regular file. Immutable: share freely until unmapped. Only for
 * files that nobody shrinks in place (checkpoints): pictures are read instead, since a mapped file
 * that is cut under our feet kills the process with SIGBUS. An empty file maps to data "", size
 * 0. */
typedef struct akin_mapping {
    const unsigned char *data;
    size_t size;
} akin_mapping;

akin_status akin_file_map(const char *path, akin_mapping *out, akin_error *err);
void akin_file_unmap(akin_mapping *m);

/* Whether a file's bytes are a Git LFS pointer: what a repository of models holds in the place of
 * its large files when it was cloned without Git LFS; and what to do about it, for messages. */
bool akin_is_lfs_pointer(const void *bytes, size_t size);
#define AKIN_LFS_ADVICE                                                                 \
    "the repository was cloned without Git LFS; run 'git lfs pull' there, or download " \
    "the file from its web page"

/* Whether `path` is a regular file / a directory (links followed). False on any error. */
bool akin_path_is_file(const char *path);
bool akin_path_is_dir(const char *path);

/* Whether `path` itself is a symbolic link, one that leads nowhere included. */
bool akin_path_is_link(const char *path);

/* Makes a folder, and those above it that are missing (mode 0777 less the umask). One that is there
 * is left as it is. */
akin_status akin_folder_make(const char *path, unsigned mode, akin_error *err);

/* dir + "/" + name, allocated; the caller frees. NULL when out of memory. */
char *akin_path_join(const char *dir, const char *name);

/* Writes beside `path`, then replaces it: a reader sees the old file or the new one, whole, and
 * the new one is on the disk (fsync of file and folder) when commit returns. One thread at a time.
 *     akin_writer w;
 *     AKIN_TRY(akin_writer_open(&w, path, err));
 *     AKIN_TRY(akin_writer_add(&w, bytes, count, err));
 *     AKIN_TRY(akin_writer_commit(&w, err));
 * out:
 *     akin_writer_abort(&w);      nothing after a commit, else removes the unfinished file
 * A `path` that is a link stays one: what it leads to is replaced. One that exists and is no
 * regular file, or lies below /dev or /proc (/dev/stdout, a pipe), is written to directly. */
typedef struct akin_writer {
    FILE *stream;
    char *path;      /* owned */
    char *temporary; /* owned; NULL when written to directly */
} akin_writer;

akin_status akin_writer_open(akin_writer *w, const char *path, akin_error *err);
akin_status akin_writer_add(akin_writer *w, const void *bytes, size_t count, akin_error *err);
akin_status akin_writer_commit(akin_writer *w, akin_error *err);
void akin_writer_abort(akin_writer *w);

#endif
