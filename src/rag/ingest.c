/* ingest.c - makes a collection say what is in some folders.
 *
 * The plan (ingest_plan.c) says which files are to be read, threads (ingest_work.c) read them, this
 * file puts what they made into the store and commits at least every second and every 512 files, so
 * that a run that is killed has lost a second. At the end what was not found leaves, or does not
 * (ingest_leave.c). Equal content is embedded once, also when two workers meet it at once.
 */
#include "ingest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ingest_parts.h"

enum {
    commit_files = 512, /* results between two commits at most */
    claim_buckets = 4096
};

/* A content that some worker is embedding, or that could not be. */
typedef struct claimed {
    struct claimed *next;      /* of the bucket */
    uint8_t hash[AKIN_HASH_BYTES];
    akin_outcome *waiting;     /* files of the same bytes */
    akin_status failed;        /* AKIN_OK: being embedded */
    bool momentary;
    char *message;
} claimed;

typedef struct ingesting {
    akin_store *store;
    const akin_ingest_options *options;
    const akin_embedder *embedder;
    akin_plan *plan;
    akin_ingest_report *report;
    akin_ingest_report durable; /* as of the last commit */
    claimed **claims;           /* [claim_buckets] */
    double begun, committed;    /* clocks */
    size_t done;                /* files that need nothing more */
    size_t uncommitted;
    bool dirty;
} ingesting;

/* ---- Contents in flight --------------------------------------------------------------------- */

static claimed **bucket_of(const ingesting *g, const uint8_t *hash)
{
    return &g->claims[(hash[0] | (size_t)hash[1] << 8) % claim_buckets];
}

static claimed *find_claim(const ingesting *g, const uint8_t *hash)
{
    claimed *c = *bucket_of(g, hash);
    while (c != NULL && memcmp(c->hash, hash, AKIN_HASH_BYTES) != 0)
        c = c->next;
    return c;
}

static void free_claim(claimed *c)
{
    while (c->waiting != NULL) {
        akin_outcome *next = c->waiting->next;
        akin_outcome_free(c->waiting);
        c->waiting = next;
    }
    free(c->message);
    free(c);
}

static void remove_claim(ingesting *g, claimed *c)
{
    claimed **at = bucket_of(g, c->hash);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    free_claim(c);
}

typedef struct first_item {
    char *path; /* owned */
    int64_t part;
} first_item;

static akin_status take_first(void *context, const akin_item *item, akin_error *err)
{
    first_item *first = context;
    if (first->path != NULL)
        return AKIN_OK;
    first->path = strdup(item->path);
    first->part = item->part;
    return first->path != NULL ? AKIN_OK : akin_fail_nomem(err, "path", 0);
}

/* Width and height of a known content, and a video's interval, from an item that has it: then it
 * need not be decoded. */
static akin_status known_facts(ingesting *g, int64_t content, akin_outcome *o, akin_error *err)
{
    first_item first = { 0 };
    akin_item item;
    akin_status status = akin_store_paths_of(g->store, content, take_first, &first, err);
    if (status != AKIN_OK || first.path == NULL)
        goto out;
    status = akin_store_item(g->store, first.path, first.part, &item, err);
    if (status == AKIN_E_NOT_FOUND) {
        status = AKIN_OK;
    } else if (status == AKIN_OK) {
        o->width = item.facts.width;
        o->height = item.facts.height;
        if (first.part >= 0)
            o->interval = akin_video_interval(item.facts.metadata, o->interval);
    }
out:
    free(first.path);
    return status;
}

/* The contents of a file's bytes: one, or of a video one a frame. AKIN_E_NOT_FOUND when they are
 * not all known with their vectors. The caller frees both lists. */
static akin_status contents_of(ingesting *g, const uint8_t *hash, bool video, int64_t **parts,
                               int64_t **contents, size_t *count, akin_error *err)
{
    akin_status status = AKIN_OK;
    *parts = *contents = NULL;
    *count = 0;
    if (video) {
        AKIN_TRY(akin_store_parts(g->store, hash, parts, count, err));
    } else {
        *parts = malloc(sizeof **parts);
        if (*parts != NULL)
            **parts = -1;
        *count = 1;
    }
    if (*count == 0)
        return AKIN_E_NOT_FOUND;
    *contents = malloc(*count * sizeof **contents);
    if (*parts == NULL || *contents == NULL)
        return akin_fail_nomem(err, "frames", 0);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (video && (*parts)[i] < 0)
            continue; /* the same bytes were read as a picture once */
        (*parts)[kept] = (*parts)[i];
        AKIN_TRY(akin_store_content(g->store, hash, (*parts)[i], &(*contents)[kept], err));
        kept++;
    }
    *count = kept;
    if (kept == 0)
        status = AKIN_E_NOT_FOUND;
out:
    return status;
}

static akin_status claim(void *context, const akin_job *job, akin_outcome *o, akin_claim *out,
                         akin_error *err)
{
    ingesting *g = context;
    akin_status status = AKIN_OK;
    int64_t *parts = NULL, *contents = NULL;
    size_t count;
    claimed *c = find_claim(g, o->hash);
    if (c != NULL && c->failed == AKIN_OK) {
        *out = AKIN_CLAIM_WAIT;
        return AKIN_OK;
    }
    if (c != NULL) {
        akin_error why = { 0 };
        akin_fail(&why, c->failed, job->path, "%s", c->message);
        akin_outcome_fail(o, job->path, &why);
        o->momentary = c->momentary;
        *out = AKIN_CLAIM_FAILED;
        return AKIN_OK;
    }
    status = contents_of(g, o->hash, job->video, &parts, &contents, &count, err);
    if (status == AKIN_OK) {
        *out = AKIN_CLAIM_KNOWN;
        status = known_facts(g, contents[0], o, err);
    } else if (status == AKIN_E_NOT_FOUND) {
        status = AKIN_OK;
        c = calloc(1, sizeof *c);
        if (c == NULL) {
            status = akin_fail_nomem(err, "file", sizeof *c);
            goto out;
        }
        memcpy(c->hash, o->hash, AKIN_HASH_BYTES);
        c->next = *bucket_of(g, o->hash);
        *bucket_of(g, o->hash) = c;
        *out = AKIN_CLAIM_NEW;
    }
out:
    free(parts);
    free(contents);
    return status;
}

/* ---- Results -------------------------------------------------------------------------------- */

static const akin_task_file *task_of(const ingesting *g, const akin_outcome *o)
{
    return &g->plan->tasks[o->job];
}

static const akin_found *found_of(const ingesting *g, const akin_outcome *o)
{
    return &g->plan->walk.found[task_of(g, o)->found];
}

static void tell(const ingesting *g, void (*how)(void *context, const akin_error *e),
                 const akin_error *what)
{
    if (how != NULL && what != NULL)
        how(g->options->context, what);
}

static akin_status skip(ingesting *g, const akin_outcome *o, akin_error *err)
{
    const akin_task_file *task = task_of(g, o);
    const akin_found *found = found_of(g, o);
    akin_status status = AKIN_OK;
    g->report->skipped++;
    tell(g, g->options->skipped, o->failure);
    if (o->momentary)
        return AKIN_OK;
    const char *settings = akin_plan_settings(g->plan, o->failure->code);
    if (settings == NULL)
        return akin_fail_nomem(err, "skip list", 0);
    const akin_skip entry = {
        .path = found->path,
        .stamp = found->stamp, /* not of what was read: a change since then is worth a new try */
        .code = o->failure->code,
        .reason = o->failure->message,
        .settings = settings,
        .time = (int64_t)time(NULL),
    };
    AKIN_TRY(akin_store_skip(g->store, &entry, err));
    g->dirty = true;
    /* Its vector says what was there before; but of what may not be read nothing is known. */
    if (task->known != AKIN_NONE && !task->same && o->failure->code != AKIN_E_PERMISSION &&
        g->plan->known[task->known].state == AKIN_ITEM_LIVE) {
        AKIN_TRY(akin_store_set_state(g->store, found->path, AKIN_ITEM_MISSING, err));
        g->report->missing += g->plan->known[task->known].items;
    }
out:
    return status;
}

/* What the file's path is from now on: these contents. embedded: for the first time. */
static akin_status place(ingesting *g, const akin_outcome *o, bool embedded, akin_error *err)
{
    const akin_task_file *task = task_of(g, o);
    const akin_found *found = found_of(g, o);
    const bool video = found->kind == AKIN_FOUND_VIDEO;
    akin_known *known = task->known != AKIN_NONE ? &g->plan->known[task->known] : NULL;
    akin_status status = AKIN_OK;
    akin_buffer json = { 0 };
    akin_stamp stamp = o->stamp;
    int64_t *parts, *contents;
    size_t count;
    stamp.sidecars = found->stamp.sidecars;
    status = contents_of(g, o->hash, video, &parts, &contents, &count, err);
    if (status == AKIN_E_NOT_FOUND)
        status = akin_fail(err, AKIN_E_CORRUPT, found->path,
                           "the collection lost a vector it had; run akin verify");
    if (status != AKIN_OK)
        goto out;

    const bool same = known != NULL && known->content == contents[0];
    const size_t gone =
        known == NULL ? akin_plan_gone(g->plan, contents[0], found->path) : AKIN_NONE;
    if (gone != AKIN_NONE) {
        AKIN_TRY(akin_store_move(g->store, g->plan->known[gone].path, found->path, &stamp, err));
        g->plan->known[gone].fate = AKIN_FATE_MOVED;
        known = &g->plan->known[gone];
    }
    for (size_t i = 0; i < count; i++) {
        akin_item_facts facts;
        int64_t id;
        akin_buffer_clear(&json);
        AKIN_TRY(akin_outcome_facts(o, parts[i], &json, &facts, err));
        AKIN_TRY(akin_store_put(g->store, found->path, parts[i], &stamp, contents[i], &facts, &id,
                                err));
    }
    /* Frames that are no more, or the picture that was a video. */
    if (known != NULL && (known->items != count || known->part != parts[0] || video))
        AKIN_TRY(akin_store_drop(g->store, found->path, parts, count, err));
    if (task->listed)
        AKIN_TRY(akin_store_unskip(g->store, found->path, err));
    g->dirty = true;

    if (gone != AKIN_NONE)
        g->report->moved++;
    else if (same && known->state != AKIN_ITEM_LIVE && !embedded)
        g->report->returned++;
    else if (same && !embedded)
        g->report->unchanged++;
    else if (!embedded)
        g->report->duplicates++;
    tell(g, g->options->note, o->damage);
    tell(g, g->options->note, o->note);
out:
    akin_buffer_clear(&json);
    free(parts);
    free(contents);
    return status;
}

static bool all_finite(const akin_outcome *o, size_t dimensions)
{
    for (size_t i = 0; i < o->frame_count; i++)
        for (size_t d = 0; d < dimensions; d++)
            if (!isfinite(o->frames[i].vector[d]))
                return false;
    return true;
}

/* The new vectors of an outcome into the store. A vector that is refused makes it SKIPPED. */
static akin_status add_contents(ingesting *g, akin_outcome *o, akin_error *err)
{
    const char *path = found_of(g, o)->path;
    akin_status status = AKIN_OK;
    /* The store refuses these too, but half a video must not come in: it would count as known. */
    if (!all_finite(o, g->embedder->dimensions)) {
        akin_error why = { 0 };
        akin_fail(&why, AKIN_E_NONFINITE, path, "the model makes a number of it that is none");
        akin_outcome_fail(o, path, &why);
        return AKIN_OK;
    }
    for (size_t i = 0; i < o->frame_count; i++) {
        int64_t content;
        akin_error why = { 0 };
        const akin_frame *frame = &o->frames[i];
        status = akin_store_content(g->store, o->hash, frame->part, &content, err);
        if (status == AKIN_OK)
            continue; /* of a video whose other frames lost theirs */
        if (status != AKIN_E_NOT_FOUND)
            return status;
        status = akin_store_add_content(g->store, o->hash, frame->part, frame->vector, path,
                                        &content, &why);
        if (status == AKIN_E_NONFINITE) {
            akin_outcome_fail(o, path, &why);
            return AKIN_OK;
        }
        if (status != AKIN_OK) {
            if (err != NULL)
                *err = why;
            return status;
        }
        g->report->indexed++;
        g->dirty = true;
    }
    return AKIN_OK;
}

/* Takes it. */
static akin_status finish(ingesting *g, akin_outcome *o, bool embedded, akin_error *err)
{
    akin_status status = akin_outcome_check(o, err);
    if (status == AKIN_OK && o->kind == AKIN_OUTCOME_SKIPPED)
        status = skip(g, o, err);
    else if (status == AKIN_OK && o->kind != AKIN_OUTCOME_LEFT)
        status = place(g, o, embedded, err);
    g->done++;
    g->uncommitted++;
    akin_outcome_free(o);
    return status;
}

/* Those that waited for a content: it is there now, or nobody could read it. */
static akin_status settle(ingesting *g, claimed *c, const akin_outcome *o, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_outcome *list = c->waiting;
    c->waiting = NULL;
    if (o->kind == AKIN_OUTCOME_SKIPPED) {
        c->message = strdup(o->failure->message);
        if (c->message == NULL)
            status = akin_fail_nomem(err, "a reason", 0);
        else
            c->failed = o->failure->code;
        c->momentary = o->momentary;
    }
    while (list != NULL) {
        akin_outcome *waiting = list;
        list = waiting->next;
        if (status != AKIN_OK) {
            akin_outcome_free(waiting);
            continue;
        }
        if (o->kind == AKIN_OUTCOME_SKIPPED) {
            akin_error why = *o->failure;
            why.path[0] = '\0';
            akin_outcome_fail(waiting, found_of(g, waiting)->path, &why);
            waiting->momentary = o->momentary;
        } else if (o->kind == AKIN_OUTCOME_LEFT) {
            waiting->kind = AKIN_OUTCOME_LEFT;
        } else if (waiting->width == 0) {
            waiting->width = o->width;
            waiting->height = o->height;
        }
        status = finish(g, waiting, false, err);
    }
    if (o->kind != AKIN_OUTCOME_SKIPPED)
        remove_claim(g, c);
    return status;
}

static akin_status apply(void *context, akin_outcome *o, akin_error *err)
{
    ingesting *g = context;
    akin_status status = AKIN_OK;
    claimed *c = o->hashed ? find_claim(g, o->hash) : NULL;
    if (o->kind == AKIN_OUTCOME_WAITING && c != NULL && c->failed == AKIN_OK) {
        o->next = c->waiting;
        c->waiting = o;
        return AKIN_OK;
    }
    if (o->kind == AKIN_OUTCOME_WAITING && c != NULL) { /* it failed meanwhile */
        akin_error why = { 0 };
        akin_fail(&why, c->failed, found_of(g, o)->path, "%s", c->message);
        akin_outcome_fail(o, found_of(g, o)->path, &why);
        o->momentary = c->momentary;
    } else if (o->kind == AKIN_OUTCOME_WAITING) {
        int64_t *parts, *contents;
        size_t count;
        status = contents_of(g, o->hash, found_of(g, o)->kind == AKIN_FOUND_VIDEO, &parts,
                             &contents, &count, err);
        if (status == AKIN_OK && o->width == 0)
            status = known_facts(g, contents[0], o, err);
        free(parts);
        free(contents);
        if (status == AKIN_E_NOT_FOUND) { /* it was given up: the next run reads this one */
            o->kind = AKIN_OUTCOME_LEFT;
            status = AKIN_OK;
        }
    }
    if (status == AKIN_OK && o->kind == AKIN_OUTCOME_EMBEDDED)
        status = add_contents(g, o, err);
    if (status == AKIN_OK)
        status = akin_outcome_check(o, err);
    if (status != AKIN_OK) {
        akin_outcome_free(o);
        return status;
    }
    if (!o->claimed || c == NULL)
        return finish(g, o, false, err);
    /* The outcome first, for its id; but those that wait need it to last as long. */
    const akin_outcome_kind kind = o->kind;
    akin_outcome brief = { .kind = kind, .momentary = o->momentary, .width = o->width,
                           .height = o->height };
    akin_error failure = { 0 };
    if (kind == AKIN_OUTCOME_SKIPPED) {
        failure = *o->failure;
        brief.failure = &failure;
    }
    status = finish(g, o, kind == AKIN_OUTCOME_EMBEDDED, err);
    if (status == AKIN_OK)
        status = settle(g, c, &brief, err);
    return status;
}

/* ---- Commits and progress ------------------------------------------------------------------- */

static akin_status commit(ingesting *g, akin_error *err)
{
    akin_status status = AKIN_OK;
    if (g->dirty)
        status = akin_store_commit(g->store, err);
    if (status != AKIN_OK)
        return status;
    g->dirty = false;
    g->uncommitted = 0;
    g->committed = akin_clock();
    g->durable = *g->report;
    return AKIN_OK;
}

static void progress(void *context)
{
    const ingesting *g = context;
    if (g->options->progress == NULL)
        return;
    const akin_ingest_progress p = { g->done, g->plan->walk.found_count, g->report->indexed,
                                     akin_clock() - g->begun };
    g->options->progress(g->options->context, &p);
}

static akin_status tick(void *context, akin_error *err)
{
    ingesting *g = context;
    const double every = g->options->commit_seconds > 0 ? g->options->commit_seconds : 1;
    if (!g->dirty || (g->uncommitted < commit_files && akin_clock() - g->committed < every))
        return AKIN_OK;
    return commit(g, err);
}

/* ---- The run -------------------------------------------------------------------------------- */

static akin_status read_all(ingesting *g, akin_error *err)
{
    const akin_plan *plan = g->plan;
    if (plan->task_count == 0)
        return AKIN_OK;
    akin_job *jobs = calloc(plan->task_count, sizeof *jobs);
    if (jobs == NULL)
        return akin_fail_nomem(err, "list of files", plan->task_count * sizeof *jobs);
    for (size_t i = 0; i < plan->task_count; i++) {
        const akin_found *found = &plan->walk.found[plan->tasks[i].found];
        jobs[i] = (akin_job){ .path = found->path,
                              .video = found->kind == AKIN_FOUND_VIDEO,
                              .sidecars = found->stamp.sidecars != 0,
                              .interval = g->options->frame_seconds };
    }
    const akin_work work = {
        .embedder = g->embedder,
        .workers = g->options->workers,
        .patience = g->options->commit_seconds > 0 ? g->options->commit_seconds : 1,
        .metadata = true,
        .stop = g->options->stop,
        .stop_context = g->options->context,
        .context = g,
        .claim = claim,
        .apply = apply,
        .tick = tick,
        .progress = progress,
    };
    const akin_status status = akin_work_run(&work, jobs, plan->task_count, err);
    free(jobs);
    return status;
}

/* Files that are back as they were. */
static akin_status take_back(ingesting *g, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < g->plan->returned_count; i++) {
        const akin_known *known = &g->plan->known[g->plan->returned[i]];
        AKIN_TRY(akin_store_set_state(g->store, known->path, AKIN_ITEM_LIVE, err));
        g->report->returned++;
        g->dirty = true;
    }
out:
    return status;
}

/* Folders that could not be read, but for roots that are the error of the run, or gone for good. */
static void tell_unread(const ingesting *g)
{
    const akin_walk *walk = &g->plan->walk;
    for (size_t i = 0; i < walk->unread_count; i++) {
        const char *path = walk->unread[i].path;
        size_t size = AKIN_NONE;
        const size_t root = akin_plan_root(g->plan, path, &size);
        if (root != AKIN_NONE && strcmp(walk->roots[root].path, path) == 0 &&
            (g->plan->guards[root] != NULL ||
             walk->unread[i].why.code == AKIN_E_NOT_FOUND))
            continue;
        g->report->skipped++;
        tell(g, g->options->skipped, &walk->unread[i].why);
    }
}

typedef struct gone_file {
    int64_t size, mtime;
    size_t known;
} gone_file;

static int compare_gone_files(const void *a, const void *b)
{
    const gone_file *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return x->mtime < y->mtime ? -1 : x->mtime > y->mtime;
}

/* A dry run opens nothing: a new file with size and time of one that is gone counts as moved. */
static akin_status foresee(ingesting *g, akin_error *err)
{
    akin_plan *plan = g->plan;
    gone_file *gone = malloc((plan->gone_count + 1) * sizeof *gone);
    if (gone == NULL)
        return akin_fail_nomem(err, "plan", 0);
    for (size_t i = 0; i < plan->gone_count; i++) {
        const akin_stamp *stamp = &plan->known[plan->gone[i]].stamp;
        gone[i] = (gone_file){ stamp->size, stamp->mtime_ns, plan->gone[i] };
    }
    qsort(gone, plan->gone_count, sizeof *gone, compare_gone_files);
    for (size_t i = 0; i < plan->task_count; i++) {
        const akin_task_file *task = &plan->tasks[i];
        const akin_stamp *stamp = &plan->walk.found[task->found].stamp;
        const gone_file wanted = { stamp->size, stamp->mtime_ns, 0 };
        if (task->known != AKIN_NONE) {
            g->report->changed_files += !task->same;
            g->report->unchanged += task->same;
            continue;
        }
        size_t low = 0, high = plan->gone_count;
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (compare_gone_files(&gone[middle], &wanted) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        while (low < plan->gone_count && compare_gone_files(&gone[low], &wanted) == 0 &&
               plan->known[gone[low].known].fate != AKIN_FATE_GONE)
            low++;
        if (low < plan->gone_count && compare_gone_files(&gone[low], &wanted) == 0) {
            plan->known[gone[low].known].fate = AKIN_FATE_MOVED;
            g->report->moved++;
        } else {
            g->report->new_files++;
        }
    }
    free(gone);
    return AKIN_OK;
}

akin_status akin_ingest(akin_store *store, const akin_embedder *embedder, const char *const *paths,
                        size_t count, const akin_ingest_options *options,
                        akin_ingest_report *report, akin_error *err)
{
    const double begun = akin_clock();
    akin_status status = AKIN_OK;
    akin_plan plan = { 0 };
    akin_error guard = { 0 };
    *report = (akin_ingest_report){ 0 };
    ingesting g = { .store = store, .options = options, .embedder = embedder, .plan = &plan,
                    .report = report, .begun = begun, .committed = begun };
    g.claims = calloc(claim_buckets, sizeof *g.claims);
    if (g.claims == NULL) {
        status = akin_fail_nomem(err, "list of contents", 0);
        goto out;
    }
    AKIN_TRY(akin_plan_make(&plan, store, paths, count, options, err));
    report->unchanged = plan.unchanged;
    report->skipped_before = plan.skipped_before;
    tell_unread(&g);
    g.durable = *report;
    if (options->dry_run) {
        report->returned = plan.returned_count;
        AKIN_TRY(foresee(&g, err));
        AKIN_TRY(akin_leave(&plan, NULL, options, report, &g.dirty, &guard, err));
        g.durable = *report;
    } else {
        g.done = plan.walk.found_count - plan.task_count;
        AKIN_TRY(take_back(&g, err));
        g.begun = akin_clock();
        if (plan.task_count != 0)
            progress(&g);
        status = read_all(&g, err);
        if (status == AKIN_E_STOPPED) {
            akin_error why;
            const akin_status last = commit(&g, &why);
            if (last != AKIN_OK) {
                status = last;
                if (err != NULL)
                    *err = why;
            }
        }
        if (status != AKIN_OK)
            goto out;
        AKIN_TRY(akin_leave(&plan, store, options, report, &g.dirty, &guard, err));
        AKIN_TRY(akin_leave_devices(&plan, store, &g.dirty, err));
        AKIN_TRY(commit(&g, err));
    }
    if (guard.code != AKIN_OK) {
        status = guard.code;
        if (err != NULL)
            *err = guard;
    }
out:
    if (status != AKIN_OK && status != AKIN_E_STOPPED && guard.code == AKIN_OK) {
        /* What was not committed is not there; but what was told was told. */
        const size_t skipped = report->skipped;
        *report = g.durable;
        report->skipped = skipped;
    }
    for (size_t i = 0; g.claims != NULL && i < claim_buckets; i++)
        while (g.claims[i] != NULL) {
            claimed *c = g.claims[i];
            g.claims[i] = c->next;
            free_claim(c);
        }
    free(g.claims);
    akin_plan_clear(&plan);
    report->seconds = akin_clock() - begun;
    return status;
}
