/* ingest_parts.h - what the files of ingest share.
 *
 *     ingest.c        akin_ingest: the plan is carried out, results go into the store
 *     ingest_plan.c   what the walk found against what the store holds: what is to be read
 *     ingest_leave.c  what was not found: the guard, missing, hidden, devices
 *     ingest_work.c   threads that turn files into vectors, a queue of what they made
 *     ingest_read.c   one file: read while it holds still, hashed, its metadata
 *     reindex.c       akin_reindex_run over the same threads
 */
#ifndef AKIN_RAG_INGEST_PARTS_H
#define AKIN_RAG_INGEST_PARTS_H

#include "base/clock.h"
#include "image/metadata.h"
#include "ingest.h"

/* Whether `path` is `folder` or below it. */
bool akin_path_below(const char *path, const char *folder);

/* ---- ingest_plan.c -------------------------------------------------------------------------- */

#define AKIN_NONE ((size_t)-1)

/* What becomes of an item that the walk did not find. */
typedef enum akin_fate {
    AKIN_FATE_FOUND,  /* the walk found it */
    AKIN_FATE_STAYS,  /* nothing can be said about it */
    AKIN_FATE_GONE,   /* the folder could be read, the file is not there */
    AKIN_FATE_HIDDEN, /* the file is there, a rule leaves it out */
    AKIN_FATE_MOVED   /* was gone; its content was found under a new path in this run */
} akin_fate;

/* A path that the store has items of. */
typedef struct akin_known {
    const char *path;     /* in the plan's text */
    akin_stamp stamp;
    int64_t content, part; /* of its first item */
    size_t items;         /* 1; of a video its frames */
    akin_item_state state;
    bool has_vector;      /* all of them */
    bool guarded;         /* may not leave: its folder or drive seems to be away */
    akin_fate fate;
} akin_known;

/* A path of the skip list. */
typedef struct akin_known_skip {
    const char *path;
    akin_stamp stamp;
    bool same_settings;
    bool denied;          /* it could not be read, for want of permission */
    bool found;
} akin_known_skip;

typedef struct akin_known_device {
    const char *folder;
    uint64_t device;
    bool changed;         /* it lies on another one now */
} akin_known_device;

/* A file to be read. */
typedef struct akin_task_file {
    size_t found;         /* in walk.found */
    size_t known;         /* in known, or AKIN_NONE: a new path */
    bool same;            /* size and mtime are: only its sidecars differ */
    bool listed;          /* in the skip list */
} akin_task_file;

typedef struct akin_text_block akin_text_block;

typedef struct akin_plan {
    akin_walk walk;
    akin_known *known;    /* by path */
    size_t known_count, known_capacity;
    akin_known_skip *skips; /* by path */
    size_t skip_count, skip_capacity;
    akin_known_device *devices;
    size_t device_count, device_capacity;
    akin_task_file *tasks;
    size_t task_count, task_capacity;
    size_t *returned;     /* in known: back with the stamp they left with, nothing to read */
    size_t returned_count, returned_capacity;
    size_t *gone;         /* in known, fate GONE, not guarded: by content, then path */
    size_t gone_count;
    akin_error **guards;  /* one a root of walk: why nothing of it leaves; NULL: it may */
    size_t unchanged, skipped_before;
    akin_text_block *text;
    const akin_ingest_options *options;
    const char *settings;
    char *settings_modules; /* with what was found out about modules; NULL: not yet */
    bool prune;
} akin_plan;

/* Walks, loads what the store holds of these folders (store NULL: nothing) and compares. */
akin_status akin_plan_make(akin_plan *plan, akin_store *store, const char *const *paths,
                           size_t count, const akin_ingest_options *options, akin_error *err);
void akin_plan_clear(akin_plan *plan);

/* What a file that fails with `code` is remembered with: akin's settings, and of what lacks support
 * the modules. NULL when out of memory. */
const char *akin_plan_settings(akin_plan *plan, akin_status code);

/* The innermost root that `path` is or is below, or AKIN_NONE. *size: AKIN_NONE at first; then what
 * the last call left there, for the next root above. */
size_t akin_plan_root(const akin_plan *plan, const char *path, size_t *size);

/* known[*first .. *end) are those below a folder; *self the one that is the path itself, or
 * AKIN_NONE. */
void akin_plan_range(const akin_plan *plan, const char *folder, size_t *self, size_t *first,
                     size_t *end);

/* The gone item that this new path may have been: of its content, by preference with its file name.
 * AKIN_NONE: there is none. */
size_t akin_plan_gone(const akin_plan *plan, int64_t content, const char *path);

/* ---- ingest_leave.c ------------------------------------------------------------------------- */

/* Before the work: which items were not found and why; which roots and drives seem to be away. */
akin_status akin_leave_plan(akin_plan *plan, akin_error *err);

/* After it: what is gone and was not found again leaves, unless more than half would. store NULL:
 * it is only counted. *changed is set when there was something to write. *guard is the first
 * reason why something stays (code AKIN_OK: none); further ones are told as notes. */
akin_status akin_leave(akin_plan *plan, akin_store *store, const akin_ingest_options *options,
                       akin_ingest_report *report, bool *changed, akin_error *guard,
                       akin_error *err);

/* Remembers where the folders lie now. *changed is set when there was something to write. */
akin_status akin_leave_devices(akin_plan *plan, akin_store *store, bool *changed, akin_error *err);

/* ---- ingest_read.c -------------------------------------------------------------------------- */

typedef enum akin_outcome_kind {
    AKIN_OUTCOME_LEFT,     /* gone meanwhile, or stopped: nothing to do */
    AKIN_OUTCOME_EMBEDDED, /* frames have their vectors */
    AKIN_OUTCOME_KNOWN,    /* the store knows the content */
    AKIN_OUTCOME_WAITING,  /* another file of this run has the same content and is being embedded */
    AKIN_OUTCOME_SKIPPED   /* see failure */
} akin_outcome_kind;

typedef struct akin_frame {
    int64_t part;          /* milliseconds; -1: the picture */
    float *vector;         /* [dimensions]; owned */
} akin_frame;

/* What became of a file. */
typedef struct akin_outcome {
    struct akin_outcome *next;
    size_t job;
    akin_outcome_kind kind;
    bool claimed;          /* others may wait for its content, also when nothing came of it */
    bool momentary;        /* skipped, but worth another try whatever the file's stamp */
    akin_stamp stamp;      /* of what was read; sidecars are the walk's to know */
    uint8_t hash[AKIN_HASH_BYTES];
    bool hashed;
    akin_frame *frames;
    size_t frame_count, frame_capacity;
    int width, height;     /* 0: not known yet */
    double duration, interval; /* of a video */
    akin_metadata metadata;
    akin_buffer extra;     /* as akin_sidecar_read makes it */
    akin_error *failure;
    akin_error *note;      /* of a sidecar */
    akin_error *damage;
} akin_outcome;

void akin_outcome_free(akin_outcome *outcome);

/* Makes outcome->kind SKIPPED with a copy of `why` that names `path`; a momentary one is not put
 * into the skip list. A STOPPED one is LEFT. Out of memory leaves no failure: */
void akin_outcome_fail(akin_outcome *outcome, const char *path, const akin_error *why);
/* AKIN_E_NOMEM when it was skipped and there was no memory for the reason. */
akin_status akin_outcome_check(const akin_outcome *outcome, akin_error *err);

/* The whole file, and its stamp while that was read. AKIN_E_BUSY when it changed meanwhile,
 * twice. */
akin_status akin_read_still(const char *path, size_t max, akin_buffer *bytes, akin_stamp *stamp,
                            akin_error *err);
/* The same without keeping it: its hash. AKIN_E_STOPPED when stop said so. */
akin_status akin_hash_still(const char *path, bool (*stop)(void *context), void *context,
                            uint8_t hash[AKIN_HASH_BYTES], akin_stamp *stamp, akin_error *err);

/* Its own metadata (bytes NULL: none) and that of its sidecars, if there are any. */
akin_status akin_read_metadata(akin_outcome *outcome, const char *path, bool sidecars,
                               const void *bytes, size_t size, akin_error *err);

/* The item's metadata as JSON and the facts that go with it, which borrow from both. */
akin_status akin_outcome_facts(const akin_outcome *outcome, int64_t part, akin_buffer *json,
                               akin_item_facts *facts, akin_error *err);

/* "interval" of the "video" in an item's metadata; `fallback` when there is none. */
double akin_video_interval(const char *metadata, double fallback);

/* ---- ingest_work.c -------------------------------------------------------------------------- */

typedef struct akin_job {
    const char *path;      /* borrowed */
    bool video;
    bool sidecars;         /* there are some beside it */
    double interval;       /* of a video */
    const uint8_t *want;   /* reindex: nothing but these bytes will do; NULL: any */
} akin_job;

typedef enum akin_claim {
    AKIN_CLAIM_NEW,        /* it is this worker's to embed */
    AKIN_CLAIM_KNOWN,
    AKIN_CLAIM_WAIT,
    AKIN_CLAIM_FAILED      /* the same bytes could not be read before: outcome->failure says why */
} akin_claim;

typedef struct akin_work {
    const akin_embedder *embedder;
    int workers;
    double patience;       /* seconds that a batch waits at most to be full */
    bool metadata;         /* read it */
    bool (*stop)(void *context);
    void *stop_context;
    void *context;
    /* On a worker, with the store to itself: what is known of outcome->hash; of a KNOWN one it
     * fills width and height when it can. An error ends the work. */
    akin_status (*claim)(void *context, const akin_job *job, akin_outcome *outcome,
                         akin_claim *claim, akin_error *err);
    /* On a worker, with the store to itself: another path with the bytes of job number `job`, which
     * could not be read where it was; allocated, NULL: no more. May be NULL. */
    char *(*other)(void *context, size_t job, size_t attempt);
    /* On the calling thread, with the store to itself. Takes the outcome; so does the call that
     * ends the work with an error. */
    akin_status (*apply)(void *context, akin_outcome *outcome, akin_error *err);
    /* The same, often: time for a commit? */
    akin_status (*tick)(void *context, akin_error *err);
    /* On the calling thread, after something was applied; the store is free meanwhile. */
    void (*progress)(void *context);
} akin_work;

/* Runs all jobs. AKIN_E_STOPPED when stop said so: what was begun is done and applied. */
akin_status akin_work_run(const akin_work *work, const akin_job *jobs, size_t count,
                          akin_error *err);

#endif
