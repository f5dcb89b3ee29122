/* walk.h - which files of some folders are pictures to index.
 *
 * Skipped unless named on the command line: dot-names, @eaDir, #recycle, $RECYCLE.BIN, .thumbnails,
 * .Trash*, node_modules, lost+found, "System Volume Information", folders with .nomedia, akin's own
 * folders and contact sheets; what --exclude and .akinignore match. Links to folders are followed
 * only when they lead inside the given roots, to a folder that was not walked at its own place,
 * each (device, inode) once. A link to a file is an item at the link's path, unless that file was
 * found at its own place. Names decide what may be a picture (a known ending; of those without any
 * ending, the first bytes); the reader of the content decides whether it is one.
 */
#ifndef AKIN_RAG_WALK_H
#define AKIN_RAG_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "store/store.h"

typedef enum akin_found_kind { AKIN_FOUND_PICTURE, AKIN_FOUND_VIDEO } akin_found_kind;

typedef struct akin_found {
    char *path;          /* absolute, links in the root resolved, not below it */
    akin_stamp stamp;    /* sidecars: FNV-1a over names, sizes and mtimes of those beside it */
    akin_found_kind kind;
    bool named;          /* itself on the command line */
} akin_found;

/* A folder that could not be read, whole or to its end, or whose .akinignore could not: nothing
 * below it can be said to be gone. Or a file that could not be looked at. */
typedef struct akin_unread {
    char *path;
    akin_error why;
} akin_unread;

/* A root, or a folder below one that is on another device than its parent. */
typedef struct akin_mounted {
    char *path;
    uint64_t device;     /* f_fsid where there is one (it may outlive a reboot), else st_dev; never
                            0 */
} akin_mounted;

/* A path of the command line, made absolute. */
typedef struct akin_root {
    char *path;
    bool folder;         /* a folder that is there */
    bool readable;
    size_t entries;      /* of a folder: names in it, whatever they are */
    akin_error *why;     /* not readable, or not there; NULL: it is (a list of a hundred thousand
                            files makes as many roots, and an akin_error has 5 KiB) */
} akin_root;

typedef struct akin_walk_options {
    bool include_hidden;        /* dot-names too */
    const char *const *exclude; /* globs: '*' and '?' not over '/', '**' over it, [a-z]; without a
                                   '/' they match a name at any depth, with one the path below the
                                   root; with one at the end folders alone */
    size_t exclude_count;
    bool videos;
    const char *own;            /* the collection's own folder, never walked into; NULL: none */
    bool (*stop)(void *context); /* NULL: never */
    void *context;
    bool folders_only;          /* looks at no file: only `folders`, `unread` and `mounted` count */
} akin_walk_options;

typedef struct akin_walk {
    akin_root *roots;           /* by path, each once */
    size_t root_count;
    akin_found *found;          /* by path, ascending by bytes, each once */
    size_t found_count;
    akin_unread *unread;        /* by path; roots that cannot be read or are not there, too */
    size_t unread_count;
    akin_mounted *mounted;      /* by path */
    size_t mounted_count;
    char **folders;             /* all that were gone into, by path */
    size_t folder_count;
} akin_walk;

/* Walks paths[0..count) (relative ones from the working folder). What cannot be read is listed, not
 * an error; AKIN_E_STOPPED when stop said so. .akinignore (a glob a line, # comments, ! takes back)
 * is read in every folder, those above a root too, and holds below it. A raw photograph with a JPEG
 * or HEIC of the same name beside it, and the .mov or .mp4 of a live photograph, are left out. The
 * caller clears *out, also after an error. */
akin_status akin_walk_paths(akin_walk *out, const char *const *paths, size_t count,
                            const akin_walk_options *options, akin_error *err);
void akin_walk_clear(akin_walk *walk);

/* Whether `path` (of an item that the walk did not find) is below a folder that the walk could read
 * to its end, so that it is gone or left out by a rule. */
bool akin_walk_covers(const akin_walk *walk, const char *path);

/* `path` without ".", ".." and double slashes, absolute, its folder's links resolved but not its
 * own (it need not be there). Allocated. */
akin_status akin_path_absolute(const char *path, char **out, akin_error *err);

/* Whether a change of this name in a folder that is walked may change what a walk finds: that of a
 * folder, a file that may be a picture, a sidecar, .akinignore, .nomedia. */
bool akin_walk_minds(const char *name, bool folder, const akin_walk_options *options);

/* One glob, as above, against the path below the root (of a folder or not). For tests. */
bool akin_glob_matches(const char *glob, const char *below_root, bool folder);

#endif
