/* ingest.h - makes a collection say what is in some folders: new and changed files are read,
 * decoded and embedded, moved and returned ones found again, those that are gone marked missing -
 * unless it looks as if a drive were away (docs/index.md has the rules).
 */
#ifndef AKIN_RAG_INGEST_H
#define AKIN_RAG_INGEST_H

#include "image/picture.h"
#include "rag/walk.h"
#include "store/store.h"

/* Pictures to vectors, by whatever model: this room knows none. `worker` is in [0, workers); two
 * calls with the same worker never overlap. */
typedef struct akin_embedder {
    void *context;
    size_t dimensions;
    size_t pixels;                /* floats that one preprocessed picture takes */
    size_t batch;                 /* pictures encoded together at most */
    akin_picture_options limits;  /* how pictures are to be decoded */
    /* Once, before the first file is opened: a run with nothing to do never calls it. NULL:
     * none. */
    akin_status (*begin)(void *context, akin_error *err);
    akin_status (*preprocess)(void *context, int worker, const akin_picture *picture, float *out,
                              akin_error *err);
    /* pixels [count, pixels] to unit vectors [count, dimensions]. An error concerns them all. */
    akin_status (*encode)(void *context, int worker, const float *pixels, size_t count, float *out,
                          akin_error *err);
} akin_embedder;

typedef struct akin_ingest_report {
    size_t indexed;         /* vectors computed in this run */
    size_t unchanged, moved, returned, duplicates; /* files; duplicates: their content was known */
    size_t missing, hidden; /* items newly marked so */
    size_t kept;            /* items that would have left and did not, because of the guard */
    size_t skipped;         /* told: files, and folders that could not be read */
    size_t skipped_before;  /* files of the skip list, as they were: not told */
    size_t new_files, changed_files; /* of a dry run: what would be read */
    double seconds;
} akin_ingest_report;

typedef struct akin_ingest_progress {
    size_t done, total;  /* files: done begins at those that need nothing */
    size_t indexed;      /* in this run */
    double seconds;      /* since the first picture was begun */
} akin_ingest_progress;

typedef struct akin_ingest_options {
    akin_walk_options walk;
    int workers;               /* >= 1: each decodes, preprocesses and embeds on its own core */
    bool prune;                /* the guard does not hold */
    bool dry_run;              /* nothing is written, no file opened */
    double frame_seconds;      /* between frames of a video; 0: videos are left alone */
    const char *settings;      /* akin's version and limits: skipped files are tried again when they
                                  differ; NULL: "" */
    /* Which libraries are here: what was AKIN_E_UNSUPPORTED is tried again when that differs. Asked
     * once, and only then, as the answer loads them. NULL: "". */
    const char *(*modules)(void *context);
    double commit_seconds;     /* between commits; 0: 1 */
    void *context;
    /* Each may be NULL. */
    void (*progress)(void *context, const akin_ingest_progress *progress);
    void (*skipped)(void *context, const akin_error *why); /* a file, with its reason */
    void (*note)(void *context, const akin_error *what); /* done, but a person should know: damaged,
                                                            a sidecar that cannot be read, a second
                                                            root that is away */
    bool (*stop)(void *context); /* asked between pictures and frames, from any thread */
} akin_ingest_options;

/* Callbacks come on the calling thread, but for stop. store is open for writing (dry_run: reading
 * is enough; NULL: as if empty). AKIN_OK; AKIN_E_STOPPED after a clean stop: what was done is
 * committed; or, after everything else was done and committed, the guard's reason:
 * AKIN_E_NOT_FOUND, AKIN_E_PERMISSION or AKIN_E_UNSAFE with the folder, nothing of which has left.
 * Any other error: the store's, what was committed before stays. *report is right in all cases. */
akin_status akin_ingest(akin_store *store, const akin_embedder *embedder, const char *const *paths,
                        size_t count, const akin_ingest_options *options,
                        akin_ingest_report *report, akin_error *err);

/* Vectors of another model (begun with akin_store_rebuild_begin) for all contents, then the swap;
 * goes on where it was stopped. The guard: while the files of more than half of the contents still
 * to do, and more than 20, or of a whole device, cannot be read, nothing is swapped unless prune
 * (AKIN_E_UNSAFE, kept: how many). A file that changed since it was indexed is skipped; the next
 * akin_ingest reads it. In the report: unchanged, contents done before; missing, contents without
 * a vector after the swap; new_files, of a dry run, what is to be done. */
akin_status akin_reindex_run(akin_store *store, const akin_embedder *embedder,
                             const akin_ingest_options *options, akin_ingest_report *report,
                             akin_error *err);

#endif
