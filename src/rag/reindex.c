/* reindex.c - vectors of another model for what is in a collection, then the swap.
 *
 * The old vectors answer until then, and what was built is kept when the run is stopped. A file is
 * read only for the content it had when it was indexed: one that changed since is left to the next
 * index. Nothing is swapped while it looks as if a drive were away.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ingest_parts.h"

enum {
    page_items = 2048,
    commit_files = 512,
    guard_files = 20
};

/* Contents to do below a folder whose device is known. */
typedef struct device_tally {
    char *folder;
    size_t tried, unread;
} device_tally;

/* A job's items: one, or the frames of a video. */
typedef struct group {
    size_t first, count;
} group;

typedef struct reindexing {
    akin_store *store;
    const akin_ingest_options *options;
    akin_ingest_report *report;
    akin_ingest_report durable;
    akin_rebuild_item *items;  /* of the page */
    group *groups;             /* [jobs] */
    device_tally *devices;
    size_t device_count, device_capacity;
    size_t done, total, tried, unread, without;
    size_t uncommitted;
    double begun, committed;
} reindexing;

static akin_status claim(void *context, const akin_job *job, akin_outcome *o, akin_claim *out,
                         akin_error *err)
{
    (void)context;
    (void)job;
    (void)o;
    (void)err;
    *out = AKIN_CLAIM_NEW;
    return AKIN_OK;
}

typedef struct finding {
    const char *not_this;
    size_t wanted, seen;
    char *path;
} finding;

static akin_status find_other(void *context, const akin_item *item, akin_error *err)
{
    finding *f = context;
    (void)err;
    if (f->path == NULL && item->state == AKIN_ITEM_LIVE &&
        strcmp(item->path, f->not_this) != 0 && f->seen++ == f->wanted)
        f->path = strdup(item->path);
    return AKIN_OK;
}

/* Another item with the same content. */
static char *other(void *context, size_t job, size_t attempt)
{
    reindexing *r = context;
    const akin_rebuild_item *item = &r->items[r->groups[job].first];
    finding f = { .not_this = item->path, .wanted = attempt };
    akin_store_paths_of(r->store, item->content, find_other, &f, NULL);
    return f.path;
}

static device_tally *device_of(reindexing *r, const char *path)
{
    device_tally *best = NULL;
    for (size_t i = 0; i < r->device_count; i++)
        if (akin_path_below(path, r->devices[i].folder) &&
            (best == NULL || strlen(r->devices[i].folder) > strlen(best->folder)))
            best = &r->devices[i];
    return best;
}

/* An item that stays without a vector. */
static void fail(reindexing *r, const akin_rebuild_item *item, const akin_error *why, bool told)
{
    device_tally *device = device_of(r, item->path);
    /* What changed and what the model makes no numbers of was read: no drive is away. */
    const bool unread = why->code != AKIN_E_UNSAFE && why->code != AKIN_E_NONFINITE;
    r->without++;
    r->unread += unread;
    if (device != NULL)
        device->unread += unread;
    if (told)
        return;
    r->report->skipped++;
    if (r->options->skipped != NULL)
        r->options->skipped(r->options->context, why);
}

static akin_status add_vectors(reindexing *r, const akin_outcome *o, akin_error *err)
{
    const group *g = &r->groups[o->job];
    for (size_t i = g->first; i < g->first + g->count; i++) {
        const akin_rebuild_item *item = &r->items[i];
        akin_error why = { 0 };
        size_t f = 0;
        while (f < o->frame_count && o->frames[f].part != item->part)
            f++;
        if (f == o->frame_count) {
            akin_fail(&why, AKIN_E_UNSAFE, item->path,
                      "the frame at %lld ms was not found again; index its folder again",
                      (long long)item->part);
            fail(r, item, &why, false);
            continue;
        }
        const akin_status status =
            akin_store_rebuild_add(r->store, item->content, o->frames[f].vector, item->path, &why);
        if (status == AKIN_E_NONFINITE) {
            fail(r, item, &why, false);
            continue;
        }
        if (status != AKIN_OK) {
            if (err != NULL)
                *err = why;
            return status;
        }
        r->report->indexed++;
    }
    return AKIN_OK;
}

static akin_status apply(void *context, akin_outcome *o, akin_error *err)
{
    reindexing *r = context;
    const group *g = &r->groups[o->job];
    akin_status status = akin_outcome_check(o, err);
    if (status != AKIN_OK) {
        akin_outcome_free(o);
        return status;
    }
    if (o->kind == AKIN_OUTCOME_EMBEDDED || o->kind == AKIN_OUTCOME_SKIPPED) {
        device_tally *device = device_of(r, r->items[g->first].path);
        r->tried += g->count;
        r->done += g->count;
        r->uncommitted += g->count;
        if (device != NULL)
            device->tried += g->count;
    }
    if (o->kind == AKIN_OUTCOME_EMBEDDED)
        status = add_vectors(r, o, err);
    else if (o->kind == AKIN_OUTCOME_SKIPPED)
        for (size_t i = g->first; i < g->first + g->count; i++)
            fail(r, &r->items[i], o->failure, i != g->first);
    akin_outcome_free(o);
    return status;
}

static akin_status commit(reindexing *r, akin_error *err)
{
    const akin_status status =
        r->uncommitted != 0 ? akin_store_commit(r->store, err) : AKIN_OK;
    if (status != AKIN_OK)
        return status;
    r->uncommitted = 0;
    r->committed = akin_clock();
    r->durable = *r->report;
    return AKIN_OK;
}

static void progress(void *context)
{
    const reindexing *r = context;
    if (r->options->progress == NULL)
        return;
    const akin_ingest_progress p = { r->done, r->total, r->report->indexed,
                                     akin_clock() - r->begun };
    r->options->progress(r->options->context, &p);
}

static akin_status tick(void *context, akin_error *err)
{
    reindexing *r = context;
    const akin_ingest_options *options = r->options;
    const double every = options->commit_seconds > 0 ? options->commit_seconds : 1;
    if (r->uncommitted == 0 ||
        (r->uncommitted < commit_files && akin_clock() - r->committed < every))
        return AKIN_OK;
    return commit(r, err);
}

static akin_status load_device(void *context, const char *folder, uint64_t device, akin_error *err)
{
    reindexing *r = context;
    (void)device;
    device_tally *grown =
        akin_grow(r->devices, &r->device_capacity, r->device_count + 1, sizeof *r->devices);
    if (grown == NULL)
        return akin_fail_nomem(err, "list of devices", 0);
    r->devices = grown;
    char *copy = strdup(folder);
    if (copy == NULL)
        return akin_fail_nomem(err, "list of devices", 0);
    grown[r->device_count++] = (device_tally){ .folder = copy };
    return AKIN_OK;
}

/* A page of items, with the frames of one video as one job. */
static akin_status run_page(reindexing *r, const akin_work *work, size_t count, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_job *jobs = calloc(count, sizeof *jobs);
    size_t job_count = 0;
    if (jobs == NULL)
        return akin_fail_nomem(err, "list of files", count * sizeof *jobs);
    for (size_t i = 0; i < count; i++) {
        const akin_rebuild_item *item = &r->items[i];
        group *last = job_count != 0 ? &r->groups[job_count - 1] : NULL;
        if (item->part >= 0 && last != NULL && r->items[last->first].part >= 0 &&
            memcmp(r->items[last->first].hash, item->hash, AKIN_HASH_BYTES) == 0) {
            last->count++;
            continue;
        }
        akin_job job = { .path = item->path, .want = item->hash };
        if (item->part >= 0) {
            akin_item full;
            job.video = true;
            job.interval = r->options->frame_seconds;
            if (akin_store_item(r->store, item->path, item->part, &full, NULL) == AKIN_OK)
                job.interval = akin_video_interval(full.facts.metadata, job.interval);
            if (!(job.interval > 0))
                job.interval = 10;
        }
        r->groups[job_count] = (group){ i, 1 };
        jobs[job_count++] = job;
    }
    status = akin_work_run(work, jobs, job_count, err);
    free(jobs);
    return status;
}

/* Whether a folder is not there, cannot be read, or holds nothing. */
static bool folder_away(const char *folder)
{
    DIR *d = opendir(folder);
    if (d == NULL)
        return true;
    size_t names = 0;
    while (names < 3 && readdir(d) != NULL)
        names++;
    closedir(d);
    return names < 3; /* "." and ".." */
}

static akin_status check_guard(const reindexing *r, akin_error *err)
{
    static const char advice[] = "the old vectors stay in use; run it again when they can be read, "
                                 "or with --prune to go on without them";
    if (r->options->prune)
        return AKIN_OK;
    for (size_t i = 0; i < r->device_count; i++) {
        const device_tally *d = &r->devices[i];
        if (d->unread != 0 && d->unread == d->tried &&
            (d->unread > guard_files || folder_away(d->folder)))
            return akin_fail(err, AKIN_E_UNSAFE, d->folder,
                             "none of its %zu pictures that are to be done can be read: is a "
                             "drive away? %s",
                             d->unread, advice);
    }
    if (r->unread > guard_files && r->unread * 2 > r->tried)
        return akin_fail(err, AKIN_E_UNSAFE, NULL,
                         "%zu of the %zu pictures that are to be done cannot be read: is a drive "
                         "away? %s",
                         r->unread, r->tried, advice);
    return AKIN_OK;
}

akin_status akin_reindex_run(akin_store *store, const akin_embedder *embedder,
                             const akin_ingest_options *options, akin_ingest_report *report,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    const double begun = akin_clock();
    *report = (akin_ingest_report){ 0 };
    reindexing r = { .store = store, .options = options, .report = report, .begun = begun,
                     .committed = begun };
    akin_embedder once = *embedder; /* begin is for the first page alone */
    const akin_work work = {
        .embedder = &once,
        .workers = options->workers,
        .patience = options->commit_seconds > 0 ? options->commit_seconds : 1,
        .stop = options->stop,
        .stop_context = options->context,
        .context = &r,
        .claim = claim,
        .other = other,
        .apply = apply,
        .tick = tick,
        .progress = progress,
    };
    r.items = calloc(page_items, sizeof *r.items);
    r.groups = calloc(page_items, sizeof *r.groups);
    if (r.items == NULL || r.groups == NULL) {
        status = akin_fail_nomem(err, "list of files", 0);
        goto out;
    }
    AKIN_TRY(akin_store_rebuild_count(store, &r.done, &r.total, err));
    report->unchanged = r.done;
    if (options->dry_run) {
        report->new_files = r.total - r.done;
        goto out;
    }
    r.durable = *report;
    AKIN_TRY(akin_store_visit_devices(store, "/", load_device, &r, err));
    int64_t after = 0;
    for (size_t count = page_items; count == page_items;) {
        AKIN_TRY(akin_store_rebuild_next(store, &after, r.items, page_items, &count, err));
        status = count != 0 ? run_page(&r, &work, count, err) : AKIN_OK;
        akin_store_rebuild_clear(r.items, count);
        once.begin = count != 0 ? NULL : once.begin;
        if (status != AKIN_OK && status != AKIN_E_STOPPED)
            goto out;
        if (status == AKIN_E_STOPPED)
            break;
    }
    akin_error why;
    const akin_status last = commit(&r, &why);
    if (last != AKIN_OK) {
        status = last;
        if (err != NULL)
            *err = why;
        goto out;
    }
    if (status == AKIN_E_STOPPED)
        goto out;
    status = check_guard(&r, err);
    if (status != AKIN_OK) {
        report->kept = r.unread;
        r.durable = *report;
        goto out;
    }
    AKIN_TRY(akin_store_rebuild_swap(store, err));
    report->missing = r.without;
    r.durable = *report;
out:
    if (status != AKIN_OK && status != AKIN_E_STOPPED) {
        const size_t skipped = report->skipped;
        *report = r.durable;
        report->skipped = skipped;
    }
    for (size_t i = 0; i < r.device_count; i++)
        free(r.devices[i].folder);
    free(r.devices);
    free(r.items);
    free(r.groups);
    report->seconds = akin_clock() - begun;
    return status;
}
