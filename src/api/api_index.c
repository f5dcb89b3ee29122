/* api_index.c - akin.h: indexing, following folders, another model for a collection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"
#include "image/modules.h"
#include "rag/ingest.h"
#include "rag/watch.h"

enum { BATCH = 8, SETTINGS_BYTES = 256 };

/* ---- A model as ingest wants it ------------------------------------------------------------- */

/* One session a worker: decoding, preprocessing and embedding stay on its core, without a word to
 * the others. */
struct embedder {
    akin_embedder calls;
    const akin_model *model; /* the caller's; after begin, the one that has the picture tower */
    akin_model *own;         /* opened here, when the caller's has no tower */
    akin_session **sessions;
    int workers;
    akin_session_options session_options;
};

static akin_status preprocess(void *context, int worker, const akin_picture *picture, float *out,
                              akin_error *err)
{
    const struct embedder *e = context;
    (void)worker;
    akin_status status = akin_model_takes(e->model, picture, NULL, err);
    if (status != AKIN_OK)
        return status;
    return akin_preprocess_run(&e->model->preprocess, picture, &e->calls.limits, out,
                               e->calls.pixels, err);
}

static akin_status encode(void *context, int worker, const float *pixels, size_t count, float *out,
                          akin_error *err)
{
    const struct embedder *e = context;
    return akin_embed_pixels(e->sessions[worker], pixels, count, 0, out,
                             count * e->calls.dimensions, err);
}

static void embedder_clear(struct embedder *e)
{
    for (int i = 0; e->sessions != NULL && i < e->workers; i++)
        akin_session_free(e->sessions[i]);
    free(e->sessions);
    akin_model_close(e->own);
    *e = (struct embedder){ 0 };
}

/* Before the first picture. A run that finds nothing to do has read no weights. */
static akin_status begin(void *context, akin_error *err)
{
    struct embedder *e = context;
    akin_status status = AKIN_OK;
    if ((e->model->parts & AKIN_PART_IMAGE) != AKIN_PART_IMAGE) {
        const akin_clip_config *c = &e->model->config;
        akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
        options.parts = AKIN_PART_IMAGE;
        options.precision = e->model->precision;
        options.form = c->bare ? NULL : c->form == AKIN_FORM_HF ? "hf" : "open_clip";
        options.activation = c->bare ? akin_activation_name(c->vision.activation) : NULL;
        AKIN_TRY(akin_model_open(&e->own, e->model->path, &options, err));
        e->model = e->own;
    }
    for (int i = 0; i < e->workers; i++)
        AKIN_TRY(akin_session_new(&e->sessions[i], e->model, &e->session_options, err));
out:
    return status;
}

static akin_status embedder_init(struct embedder *e, const akin_model *model,
                                 const akin_index_options *options, akin_error *err)
{
    const akin_clip_config *c = &model->config;
    const int workers = options->workers != 0 ? options->workers : akin_cpu_count();
    *e = (struct embedder){ .model = model, .workers = workers };
    if ((model->parts & AKIN_PART_PREPROCESS) == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "the model was opened without AKIN_PART_PREPROCESS");
    if (workers < 1 || workers > 1024)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "workers must be from 1 to 1024");
    e->sessions = calloc((size_t)workers, sizeof *e->sessions);
    if (e->sessions == NULL)
        return akin_fail_nomem(err, "sessions", 0);
    e->session_options = (akin_session_options)AKIN_SESSION_OPTIONS_INIT;
    e->session_options.threads = 1;
    e->session_options.max_file_bytes = options->max_file_bytes;
    e->session_options.max_memory_bytes = options->max_memory_bytes;
    e->session_options.lenient = options->lenient;
    e->calls = (akin_embedder){
        .context = e, .dimensions = c->dimensions, .pixels = 3 * c->image_height * c->image_width,
        .batch = BATCH, .limits = akin_session_limits(&e->session_options), .begin = begin,
        .preprocess = preprocess, .encode = encode,
    };
    e->calls.limits.as_stored = akin_preprocess_as_stored(&model->preprocess);
    return AKIN_OK;
}

/* ---- Options and reports -------------------------------------------------------------------- */

/* The caller's callbacks behind those of ingest. */
struct listener {
    const akin_index_options *options;
    char modules[SETTINGS_BYTES];
};

static void on_progress(void *context, const akin_ingest_progress *p)
{
    const struct listener *l = context;
    const akin_index_progress progress = { p->done, p->total, p->indexed, p->seconds };
    l->options->progress(l->options->context, &progress);
}

static void on_skipped(void *context, const akin_error *why)
{
    const struct listener *l = context;
    l->options->skipped(l->options->context, why);
}

static void on_note(void *context, const akin_error *what)
{
    const struct listener *l = context;
    l->options->note(l->options->context, what);
}

static bool on_stop(void *context)
{
    const struct listener *l = context;
    return l->options->stop(l->options->context);
}

/* What a file's failure may have depended on beside the file. */
static void write_settings(char out[SETTINGS_BYTES], const akin_index_options *options)
{
    snprintf(out, SETTINGS_BYTES, "akin %s; file %zu; memory %zu; lenient %d", akin_version(),
             options->max_file_bytes, options->max_memory_bytes, options->lenient ? 1 : 0);
}

static const char *on_modules(void *context)
{
    struct listener *l = context;
    akin_modules_describe(l->modules, sizeof l->modules);
    return l->modules;
}

static akin_ingest_options ingest_options(const akin_index_options *o, struct listener *listener,
                                          int workers, const char *settings, const char *own)
{
    return (akin_ingest_options){
        .walk = { .include_hidden = o->include_hidden, .exclude = o->exclude,
                  .exclude_count = o->exclude_count, .videos = o->frame_seconds > 0, .own = own,
                  .stop = o->stop != NULL ? on_stop : NULL, .context = listener },
        .workers = workers,
        .prune = o->prune,
        .dry_run = o->dry_run,
        .frame_seconds = o->frame_seconds,
        .settings = settings,
        .modules = on_modules,
        .context = listener,
        .progress = o->progress != NULL ? on_progress : NULL,
        .skipped = o->skipped != NULL ? on_skipped : NULL,
        .note = o->note != NULL ? on_note : NULL,
        .stop = o->stop != NULL ? on_stop : NULL,
    };
}

static void give_report(const akin_ingest_report *from, akin_index_report *out)
{
    const akin_index_report report = {
        .size = sizeof report, .indexed = from->indexed, .unchanged = from->unchanged,
        .moved = from->moved, .returned = from->returned, .missing = from->missing,
        .hidden = from->hidden, .skipped = from->skipped, .skipped_before = from->skipped_before,
        .duplicates = from->duplicates, .kept = from->kept, .new_files = from->new_files,
        .changed_files = from->changed_files, .seconds = from->seconds,
    };
    if (out == NULL)
        return;
    const size_t size = out->size;
    memcpy(out, &report, akin_min(size, sizeof report));
    out->size = size;
}

/* The folder that holds the collections: what is in there is never indexed. Allocated. */
static char *holder_of(const akin_store *store)
{
    char *folder = strdup(akin_store_folder(store));
    char *end = folder != NULL ? strrchr(folder, '/') : NULL;
    if (end != NULL && end != folder)
        *end = '\0';
    return folder;
}

/* Refuses another model than the collection's; of that, remembers where it is now when it is not
 * where it was. */
static akin_status take_model(akin_collection *c, const akin_model *model, akin_error *err)
{
    const akin_store_model *own = akin_store_get_model(c->store);
    akin_status status;
    char *path = NULL;
    AKIN_TRY(akin_collection_takes(c, model, err));
    if (akin_path_is_dir(own->path) || akin_path_is_file(own->path))
        goto out;
    path = realpath(model->path, NULL);
    if (path == NULL) {
        status = akin_fail_errno(err, errno, model->path, "cannot resolve the model's path");
        goto out;
    }
    AKIN_TRY(akin_store_set_model_path(c->store, model->name, path, err));
    status = akin_store_commit(c->store, err);
out:
    free(path);
    return status;
}

/* ---- Indexing ------------------------------------------------------------------------------- */

static akin_status index_with(akin_collection *c, const struct embedder *e,
                              const char *const *paths, size_t count,
                              const akin_index_options *options, akin_index_report *report,
                              akin_error *err)
{
    akin_store *store = c != NULL ? c->store : NULL;
    char settings[SETTINGS_BYTES], *own = store != NULL ? holder_of(store) : NULL;
    struct listener listener = { .options = options };
    akin_ingest_report done = { 0 };
    if (store != NULL && own == NULL)
        return akin_fail_nomem(err, "path", 0);
    write_settings(settings, options);
    const akin_ingest_options how = ingest_options(options, &listener, e->workers, settings, own);
    akin_status status = akin_ingest(store, &e->calls, paths, count, &how, &done, err);
    give_report(&done, report);
    /* Half of the file is of no use to anyone: not worth a person's thought. */
    if (status == AKIN_OK && !options->dry_run && akin_store_wants_compact(store)) {
        uint64_t reclaimed;
        status = akin_store_compact(store, false, &reclaimed, err);
    }
    free(own);
    return status;
}

akin_status akin_index(akin_collection *collection, const akin_model *model,
                       const char *const *paths, size_t count, const akin_index_options *given,
                       akin_index_report *report, akin_error *err)
{
    akin_index_options options = AKIN_INDEX_OPTIONS_INIT;
    struct embedder e = { 0 };
    akin_status status;
    AKIN_TRY(akin_take_options(&options, sizeof options, given, "akin_index_options", err));
    if (!options.dry_run) {
        AKIN_TRY(take_model(collection, model, err));
        AKIN_TRY(embedder_init(&e, model, &options, err));
    }
    AKIN_TRY(index_with(collection, &e, paths, count, &options, report, err));
out:
    embedder_clear(&e);
    return status;
}

/* ---- Following ------------------------------------------------------------------------------ */

/* One pass with the lock taken for it. */
static akin_status watch_pass(const char *db, const char *name,
                              const akin_collection_options *collection_options,
                              const struct embedder *e, const char *const *paths, size_t count,
                              const akin_index_options *options, akin_index_report *report,
                              akin_error *err)
{
    akin_collection *c = NULL;
    akin_status status;
    AKIN_TRY(akin_collection_open(&c, db, name, collection_options, err));
    AKIN_TRY(take_model(c, e->model, err));
    AKIN_TRY(index_with(c, e, paths, count, options, report, err));
out:
    akin_collection_close(c);
    return status;
}

akin_status akin_watch(const char *db, const char *name,
                       const akin_collection_options *collection_options, const akin_model *model,
                       const char *const *paths, size_t count, const akin_index_options *given,
                       void (*mode)(void *context, const char *text),
                       void (*passed)(void *context, const akin_index_report *report,
                                      const akin_error *err),
                       akin_error *err)
{
    akin_index_options options = AKIN_INDEX_OPTIONS_INIT;
    akin_watcher *watcher = NULL;
    struct embedder e = { 0 };
    char *own = NULL;
    akin_status status;
    AKIN_TRY(akin_take_options(&options, sizeof options, given, "akin_index_options", err));
    AKIN_TRY(embedder_init(&e, model, &options, err));
    AKIN_TRY(akin_path_absolute(db, &own, err));
    struct listener listener = { .options = &options };
    const akin_ingest_options how = ingest_options(&options, &listener, e.workers, "", own);
    /* Before the first pass, or a change during it would go unseen. */
    AKIN_TRY(akin_watcher_new(&watcher, paths, count, &how.walk, err));
    if (mode != NULL)
        mode(options.context, akin_watcher_mode(watcher));
    while (status == AKIN_OK) {
        akin_index_report report = AKIN_INDEX_REPORT_INIT;
        akin_error why = { 0 };
        const double start = akin_clock();
        akin_status pass =
            watch_pass(db, name, collection_options, &e, paths, count, &options, &report, &why);
        if (pass == AKIN_OK)
            why = (akin_error){ 0 }; /* what was tried in vain on the way is not its outcome */
        if (passed != NULL)
            passed(options.context, &report, &why);
        if (pass == AKIN_E_ARGUMENT) { /* another model now: no pass can succeed any more */
            status = pass;
            if (err != NULL)
                *err = why;
            break;
        }
        status = pass == AKIN_E_STOPPED
                     ? pass
                     : akin_watcher_wait(watcher, akin_clock() - start, err);
    }
out:
    akin_watcher_free(watcher);
    embedder_clear(&e);
    free(own);
    return status == AKIN_E_STOPPED ? AKIN_OK : status;
}

/* ---- Another model -------------------------------------------------------------------------- */

akin_status akin_reindex(akin_collection *collection, const akin_model *model, akin_stored stored,
                         const akin_index_options *given, akin_index_report *report,
                         akin_error *err)
{
    akin_index_options options = AKIN_INDEX_OPTIONS_INIT;
    char settings[SETTINGS_BYTES], identity[65], *path = NULL;
    akin_ingest_report done = { 0 };
    struct embedder e = { 0 };
    akin_store_model to;
    akin_status status;
    AKIN_TRY(akin_take_options(&options, sizeof options, given, "akin_index_options", err));
    if (stored == 0)
        stored = akin_store_get_model(collection->store)->type == AKIN_VECTOR_F32 ? AKIN_STORED_F32
                                                                                  : AKIN_STORED_F16;
    AKIN_TRY(akin_model_stored(model, stored, identity, &to, &path, err));
    AKIN_TRY(akin_store_rebuild_begin(collection->store, &to, err));
    AKIN_TRY(embedder_init(&e, model, &options, err));
    write_settings(settings, &options);
    struct listener listener = { .options = &options };
    const akin_ingest_options how = ingest_options(&options, &listener, e.workers, settings, NULL);
    status = akin_reindex_run(collection->store, &e.calls, &how, &done, err);
    give_report(&done, report);
out:
    embedder_clear(&e);
    free(path);
    return status;
}
