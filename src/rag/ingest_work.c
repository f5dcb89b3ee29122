/* ingest_work.c - threads that turn files into vectors, and the queue of what they made.
 *
 * Each worker reads, decodes and preprocesses pictures until it has a batch, and encodes that. What
 * it made goes through a queue to the thread that called, which alone changes the store; workers
 * only look contents up in it, under the same lock. Memory: a worker has one file or one decoded
 * picture and one batch of tensors at a time, and the queue is bounded.
 */
#include "ingest_parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "image/video.h"

enum {
    queue_max = 256,     /* outcomes that wait to be applied; more, and the workers wait */
    frames_max = 10000   /* of one video */
};

typedef struct shared {
    const akin_work *work;
    const akin_job *jobs;
    size_t count;
    atomic_size_t next;
    atomic_bool aborted;     /* an error that ends the run: nothing more is begun or encoded */
    atomic_bool stopped;     /* the caller said so: what was begun is done */
    pthread_mutex_t store;   /* whoever uses the store */
    pthread_mutex_t lock;    /* what follows */
    pthread_cond_t filled, room;
    akin_outcome *first, *last;
    size_t queued;
    int running;
    akin_error failure;      /* of a worker; code AKIN_OK: none */
} shared;

typedef struct worker {
    shared *all;
    int number;
    float *pixels;           /* [batch, pixels] */
    float *vectors;          /* [batch, dimensions] */
    akin_outcome **slots;    /* [batch]: whose pictures they are */
    size_t filled;
    double since;            /* when the first slot was filled */
} worker;

static void abort_with(shared *all, const akin_error *why)
{
    pthread_mutex_lock(&all->lock);
    if (all->failure.code == AKIN_OK)
        all->failure = *why;
    atomic_store(&all->aborted, true);
    pthread_cond_broadcast(&all->room);
    pthread_cond_broadcast(&all->filled);
    pthread_mutex_unlock(&all->lock);
}

static bool stopping(shared *all)
{
    const akin_work *work = all->work;
    if (atomic_load(&all->aborted) || atomic_load(&all->stopped))
        return true;
    if (work->stop == NULL || !work->stop(work->stop_context))
        return false;
    atomic_store(&all->stopped, true);
    return true;
}

static bool stopping_context(void *context)
{
    return stopping(context);
}

static void push(shared *all, akin_outcome *outcome)
{
    outcome->next = NULL;
    pthread_mutex_lock(&all->lock);
    while (all->queued >= queue_max && !atomic_load(&all->aborted))
        pthread_cond_wait(&all->room, &all->lock);
    if (all->last != NULL)
        all->last->next = outcome;
    else
        all->first = outcome;
    all->last = outcome;
    all->queued++;
    pthread_cond_signal(&all->filled);
    pthread_mutex_unlock(&all->lock);
}

/* ---- Batches -------------------------------------------------------------------------------- */

/* Encodes pixels[0..count); a batch that fails is tried one by one, so that one picture's fault is
 * not that of the others: each(context, i, vector or NULL, why). */
static void encode(worker *w, size_t count,
                   void (*each)(void *context, size_t i, const float *vector,
                                const akin_error *why),
                   void *context)
{
    const akin_embedder *e = w->all->work->embedder;
    akin_error why = { 0 };
    const akin_status status =
        e->encode(e->context, w->number, w->pixels, count, w->vectors, &why);
    if (status == AKIN_OK || count == 1) {
        why.code = status;
        for (size_t i = 0; i < count; i++)
            each(context, i, status == AKIN_OK ? w->vectors + i * e->dimensions : NULL, &why);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        why = (akin_error){ 0 };
        why.code = e->encode(e->context, w->number, w->pixels + i * e->pixels, 1, w->vectors, &why);
        each(context, i, why.code == AKIN_OK ? w->vectors : NULL, &why);
    }
}

/* A frame more, with its vector. */
static akin_status add_frame(akin_outcome *o, int64_t part, const float *vector, size_t n,
                             akin_error *err)
{
    akin_frame *grown =
        akin_grow(o->frames, &o->frame_capacity, o->frame_count + 1, sizeof *o->frames);
    if (grown == NULL)
        return akin_fail_nomem(err, "frames", 0);
    o->frames = grown;
    float *copy = malloc(n * sizeof *copy);
    if (copy == NULL)
        return akin_fail_nomem(err, "vector", n * sizeof *copy);
    memcpy(copy, vector, n * sizeof *copy);
    grown[o->frame_count++] = (akin_frame){ part, copy };
    return AKIN_OK;
}

/* What a model says about one picture is of that picture when it is about its numbers; any other
 * error may be of the moment. */
static void fail_encoded(akin_outcome *o, const char *path, const akin_error *why)
{
    akin_outcome_fail(o, path, why);
    o->momentary = why->code != AKIN_E_NONFINITE;
}

static void picture_encoded(void *context, size_t i, const float *vector, const akin_error *why)
{
    worker *w = context;
    akin_outcome *o = w->slots[i];
    const char *path = w->all->jobs[o->job].path;
    akin_error err = { 0 };
    if (vector == NULL)
        fail_encoded(o, path, why);
    else if (add_frame(o, -1, vector, w->all->work->embedder->dimensions, &err) != AKIN_OK)
        akin_outcome_fail(o, path, &err);
    else
        o->kind = AKIN_OUTCOME_EMBEDDED;
    push(w->all, o);
}

/* Encodes the pictures that wait. */
static void flush(worker *w)
{
    if (w->filled == 0)
        return;
    if (atomic_load(&w->all->aborted))
        for (size_t i = 0; i < w->filled; i++)
            akin_outcome_free(w->slots[i]);
    else
        encode(w, w->filled, picture_encoded, w);
    w->filled = 0;
}

/* ---- A picture ------------------------------------------------------------------------------ */

static akin_status claim(worker *w, akin_outcome *o, akin_claim *out, akin_error *err)
{
    shared *all = w->all;
    akin_error why = { 0 };
    pthread_mutex_lock(&all->store);
    const akin_status status =
        all->work->claim(all->work->context, &all->jobs[o->job], o, out, &why);
    pthread_mutex_unlock(&all->store);
    if (status == AKIN_OK)
        o->claimed = *out == AKIN_CLAIM_NEW;
    else
        abort_with(all, &why);
    if (err != NULL)
        *err = why;
    return status;
}

/* Reads it; for a job that wants certain bytes, from wherever they are. */
static akin_status read_bytes(worker *w, akin_outcome *o, const akin_job *job, akin_buffer *bytes,
                              akin_error *err)
{
    shared *all = w->all;
    const size_t max = all->work->embedder->limits.file_bytes;
    char *other = NULL;
    akin_error first = { 0 };
    for (size_t attempt = 0;; attempt++) {
        const char *path = other != NULL ? other : job->path;
        akin_status status = akin_read_still(path, max, bytes, &o->stamp, err);
        if (status == AKIN_OK)
            status = akin_sha256(bytes->data, bytes->size, o->hash, err);
        if (status == AKIN_OK && job->want != NULL &&
            memcmp(o->hash, job->want, AKIN_HASH_BYTES) != 0)
            status = akin_fail(err, AKIN_E_UNSAFE, path,
                               "has changed since it was indexed; index its folder again");
        free(other);
        if (status == AKIN_OK) {
            o->hashed = true;
            return AKIN_OK;
        }
        if (attempt == 0)
            first = *err;
        akin_buffer_clear(bytes);
        other = NULL;
        if (all->work->other != NULL) {
            pthread_mutex_lock(&all->store);
            other = all->work->other(all->work->context, o->job, attempt);
            pthread_mutex_unlock(&all->store);
        }
        if (other == NULL) {
            *err = first;
            return first.code;
        }
    }
}

static akin_status note_damage(akin_outcome *o, const akin_picture *picture, const char *path,
                               akin_error *err)
{
    char text[256];
    if (picture->damaged_row == 0)
        return AKIN_OK;
    o->damage = malloc(sizeof *o->damage);
    if (o->damage == NULL)
        return akin_fail_nomem(err, "note", sizeof *o->damage);
    akin_picture_damage(picture, text, sizeof text);
    akin_fail(o->damage, AKIN_E_TRUNCATED, path, "%s", text);
    return AKIN_OK;
}

/* Decodes; preprocesses into the next slot when `slot`. */
static akin_status decode(worker *w, akin_outcome *o, const akin_job *job, akin_buffer *bytes,
                          bool slot, akin_error *err)
{
    const akin_embedder *e = w->all->work->embedder;
    akin_picture picture = { 0 };
    akin_status status =
        akin_picture_decode(&picture, bytes->data, bytes->size, job->path, &e->limits, err);
    akin_buffer_clear(bytes);
    if (status != AKIN_OK)
        goto out;
    o->width = picture.width;
    o->height = picture.height;
    AKIN_TRY(note_damage(o, &picture, job->path, err));
    if (slot)
        AKIN_TRY(e->preprocess(e->context, w->number, &picture, w->pixels + w->filled * e->pixels,
                               err));
out:
    akin_picture_clear(&picture);
    return status;
}

/* *pending: the outcome waits in a slot. */
static akin_status work_picture(worker *w, akin_outcome *o, const akin_job *job, bool *pending,
                                akin_error *err)
{
    const akin_work *work = w->all->work;
    akin_status status = AKIN_OK;
    akin_claim what = AKIN_CLAIM_NEW;
    akin_buffer bytes = { 0 };
    AKIN_TRY(read_bytes(w, o, job, &bytes, err));
    AKIN_TRY(claim(w, o, &what, err));
    if (what == AKIN_CLAIM_FAILED)
        goto out;
    if (work->metadata)
        AKIN_TRY(akin_read_metadata(o, job->path, job->sidecars, bytes.data, bytes.size, err));
    if (what == AKIN_CLAIM_WAIT) {
        o->kind = AKIN_OUTCOME_WAITING;
        goto out;
    }
    if (what == AKIN_CLAIM_KNOWN) {
        if (o->width == 0)
            AKIN_TRY(decode(w, o, job, &bytes, false, err));
        o->kind = AKIN_OUTCOME_KNOWN;
        goto out;
    }
    AKIN_TRY(decode(w, o, job, &bytes, true, err));
    if (w->filled == 0)
        w->since = akin_clock();
    w->slots[w->filled++] = o;
    *pending = true;
out:
    akin_buffer_clear(&bytes);
    return status;
}

/* ---- A video -------------------------------------------------------------------------------- */

typedef struct frames {
    worker *w;
    akin_outcome *o;
    const int64_t *parts;   /* of the slots */
    akin_error why;         /* the first; code AKIN_OK: none */
} frames;

static void frame_encoded(void *context, size_t i, const float *vector, const akin_error *why)
{
    frames *f = context;
    if (f->why.code != AKIN_OK)
        return;
    if (vector == NULL)
        f->why = *why;
    else
        add_frame(f->o, f->parts[i], vector, f->w->all->work->embedder->dimensions, &f->why);
}

static void describe(akin_outcome *o, akin_video *video)
{
    const akin_video_info info = akin_video_describe(video);
    o->width = info.width;
    o->height = info.height;
    o->duration = info.duration;
    if (o->metadata.taken_at[0] == '\0')
        memcpy(o->metadata.taken_at, info.taken_at, sizeof o->metadata.taken_at);
}

/* The same for one whose frames are known; what cannot be opened any more stays undescribed. */
static void describe_known(worker *w, akin_outcome *o, const akin_job *job)
{
    akin_video *video = NULL;
    if (akin_video_open(&video, job->path, &w->all->work->embedder->limits, NULL) == AKIN_OK)
        describe(o, video);
    akin_video_close(video);
}

static akin_status read_frames(worker *w, akin_outcome *o, const akin_job *job, akin_error *err)
{
    const akin_embedder *e = w->all->work->embedder;
    akin_status status = AKIN_OK;
    akin_video *video = NULL;
    akin_picture picture = { 0 };
    size_t waiting = 0;
    int64_t *parts = malloc(e->batch * sizeof *parts);
    frames f = { .w = w, .o = o, .parts = parts };
    if (parts == NULL) {
        status = akin_fail_nomem(err, "frames", 0);
        goto out;
    }
    AKIN_TRY(akin_video_open(&video, job->path, &e->limits, err));
    describe(o, video);
    for (bool end = false; !end;) {
        if (stopping(w->all)) {
            status = akin_fail(err, AKIN_E_STOPPED, job->path, "stopped");
            goto out;
        }
        AKIN_TRY(akin_video_next(video, job->interval, &picture, &parts[waiting], &end, err));
        if (!end) {
            if (o->frame_count + waiting == frames_max) {
                status = akin_fail(err, AKIN_E_LIMIT, job->path,
                                   "has more than %d frames at one in %.3g seconds", frames_max,
                                   job->interval);
                goto out;
            }
            AKIN_TRY(e->preprocess(e->context, w->number, &picture,
                                   w->pixels + waiting * e->pixels, err));
            akin_picture_clear(&picture);
            waiting++;
        }
        if (waiting == e->batch || (end && waiting != 0)) {
            encode(w, waiting, frame_encoded, &f);
            waiting = 0;
            if (f.why.code != AKIN_OK) {
                status = f.why.code;
                o->momentary = status != AKIN_E_NONFINITE;
                if (err != NULL)
                    *err = f.why;
                goto out;
            }
        }
    }
    if (o->frame_count == 0)
        status = akin_fail(err, AKIN_E_FORMAT, job->path,
                           "video without a frame that shows anything");
out:
    akin_picture_clear(&picture);
    akin_video_close(video);
    free(parts);
    return status;
}

static akin_status work_video(worker *w, akin_outcome *o, const akin_job *job, akin_error *err)
{
    const akin_work *work = w->all->work;
    akin_status status = AKIN_OK;
    akin_claim what = AKIN_CLAIM_NEW;
    o->interval = job->interval;
    flush(w); /* its frames take the slots */
    AKIN_TRY(akin_hash_still(job->path, stopping_context, w->all, o->hash, &o->stamp, err));
    o->hashed = true;
    if (job->want != NULL && memcmp(o->hash, job->want, AKIN_HASH_BYTES) != 0) {
        status = akin_fail(err, AKIN_E_UNSAFE, job->path,
                           "has changed since it was indexed; index its folder again");
        goto out;
    }
    AKIN_TRY(claim(w, o, &what, err));
    if (what == AKIN_CLAIM_FAILED)
        goto out;
    if (work->metadata)
        AKIN_TRY(akin_read_metadata(o, job->path, job->sidecars, NULL, 0, err));
    if (what == AKIN_CLAIM_WAIT || what == AKIN_CLAIM_KNOWN) {
        describe_known(w, o, job);
        o->kind = what == AKIN_CLAIM_WAIT ? AKIN_OUTCOME_WAITING : AKIN_OUTCOME_KNOWN;
    } else {
        AKIN_TRY(read_frames(w, o, job, err));
        o->kind = AKIN_OUTCOME_EMBEDDED;
    }
out:
    return status;
}

/* ---- Workers -------------------------------------------------------------------------------- */

static void work_one(worker *w, size_t i)
{
    shared *all = w->all;
    const akin_job *job = &all->jobs[i];
    akin_error err = { 0 };
    akin_outcome *o = calloc(1, sizeof *o);
    if (o == NULL) {
        akin_fail_nomem(&err, "file", sizeof *o);
        abort_with(all, &err);
        return;
    }
    o->job = i;
    bool pending = false;
    err.code = job->video ? work_video(w, o, job, &err) : work_picture(w, o, job, &pending, &err);
    if (err.code == AKIN_E_NOT_FOUND && job->want == NULL)
        o->kind = AKIN_OUTCOME_LEFT; /* went away since the walk */
    else if (err.code != AKIN_OK)
        akin_outcome_fail(o, job->path, &err);
    else if (o->failure != NULL)
        o->kind = AKIN_OUTCOME_SKIPPED;
    if (!pending)
        push(all, o);
}

static void *worker_main(void *argument)
{
    worker *w = argument;
    shared *all = w->all;
    const akin_embedder *e = all->work->embedder;
    while (!stopping(all)) {
        const size_t i = atomic_fetch_add(&all->next, 1);
        if (i >= all->count)
            break;
        work_one(w, i);
        if (w->filled == e->batch ||
            (w->filled != 0 && akin_clock() - w->since > all->work->patience))
            flush(w);
    }
    flush(w);
    pthread_mutex_lock(&all->lock);
    all->running--;
    pthread_cond_signal(&all->filled);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

static akin_status worker_init(worker *w, shared *all, int number, akin_error *err)
{
    const akin_embedder *e = all->work->embedder;
    size_t pixels, vectors;
    *w = (worker){ .all = all, .number = number };
    if (!akin_mul(e->batch, e->pixels, &pixels) || !akin_mul(pixels, sizeof(float), &pixels) ||
        !akin_mul(e->batch, e->dimensions, &vectors) ||
        !akin_mul(vectors, sizeof(float), &vectors))
        return akin_fail_nomem(err, "batch", 0);
    w->pixels = akin_large_alloc(pixels);
    w->vectors = akin_large_alloc(vectors);
    w->slots = calloc(e->batch, sizeof *w->slots);
    if (w->pixels == NULL || w->vectors == NULL || w->slots == NULL)
        return akin_fail_nomem(err, "batch", pixels);
    return AKIN_OK;
}

static void worker_clear(worker *w)
{
    free(w->pixels);
    free(w->vectors);
    free(w->slots);
}

/* ---- The calling thread --------------------------------------------------------------------- */

static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, double seconds)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    const int64_t later = at.tv_nsec + (int64_t)(seconds * 1e9);
    at.tv_sec += (time_t)(later / 1000000000);
    at.tv_nsec = (long)(later % 1000000000);
    pthread_cond_timedwait(condition, lock, &at);
}

/* Everything that is queued; NULL with *done true when no more will come. */
static akin_outcome *take(shared *all, bool *done)
{
    pthread_mutex_lock(&all->lock);
    if (all->first == NULL && all->running != 0)
        wait_until(&all->filled, &all->lock, 0.1);
    akin_outcome *list = all->first;
    *done = list == NULL && all->running == 0;
    all->first = all->last = NULL;
    all->queued = 0;
    pthread_cond_broadcast(&all->room);
    pthread_mutex_unlock(&all->lock);
    return list;
}

static void coordinate(shared *all)
{
    const akin_work *work = all->work;
    akin_error err = { 0 };
    for (bool done = false; !done;) {
        akin_outcome *list = take(all, &done);
        const bool some = list != NULL;
        while (list != NULL) {
            akin_outcome *o = list;
            list = o->next;
            o->next = NULL;
            if (atomic_load(&all->aborted)) {
                akin_outcome_free(o);
                continue;
            }
            pthread_mutex_lock(&all->store);
            err.code = work->apply(work->context, o, &err);
            if (err.code == AKIN_OK && work->tick != NULL)
                err.code = work->tick(work->context, &err);
            pthread_mutex_unlock(&all->store);
            if (err.code != AKIN_OK)
                abort_with(all, &err);
        }
        if (some && work->progress != NULL)
            work->progress(work->context);
        if (atomic_load(&all->aborted) || work->tick == NULL)
            continue;
        pthread_mutex_lock(&all->store);
        err.code = work->tick(work->context, &err);
        pthread_mutex_unlock(&all->store);
        if (err.code != AKIN_OK)
            abort_with(all, &err);
    }
}

akin_status akin_work_run(const akin_work *work, const akin_job *jobs, size_t count,
                          akin_error *err)
{
    const akin_embedder *e = work->embedder;
    if (count == 0)
        return AKIN_OK;
    if (e->batch == 0 || e->pixels == 0 || e->dimensions == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "an embedder without batch, pixels or "
                                                     "dimensions");
    akin_status status = AKIN_OK;
    if (work->embedder->begin != NULL)
        status = work->embedder->begin(work->embedder->context, err);
    if (status != AKIN_OK)
        return status;
    const size_t threads = akin_min((size_t)(work->workers > 0 ? work->workers : 1), count);
    shared all = { .work = work, .jobs = jobs, .count = count };
    pthread_condattr_t clock;
    atomic_init(&all.next, 0);
    atomic_init(&all.aborted, false);
    atomic_init(&all.stopped, false);
    pthread_mutex_init(&all.store, NULL);
    pthread_mutex_init(&all.lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&all.filled, &clock);
    pthread_cond_init(&all.room, NULL);
    pthread_condattr_destroy(&clock);

    size_t ready = 0, started = 0;
    worker *workers = calloc(threads, sizeof *workers);
    pthread_t *ids = calloc(threads, sizeof *ids);
    if (workers == NULL || ids == NULL) {
        status = akin_fail_nomem(err, "workers", 0);
        goto out;
    }
    for (; ready < threads; ready++) {
        status = worker_init(&workers[ready], &all, (int)ready, err);
        if (status != AKIN_OK)
            worker_clear(&workers[ready]);
        if (status != AKIN_OK)
            break;
    }
    if (ready == 0)
        goto out;
    status = AKIN_OK; /* fewer will do */
    for (; started < ready; started++) {
        pthread_mutex_lock(&all.lock);
        all.running++;
        pthread_mutex_unlock(&all.lock);
        const int error_number =
            pthread_create(&ids[started], NULL, worker_main, &workers[started]);
        if (error_number == 0)
            continue;
        pthread_mutex_lock(&all.lock);
        all.running--;
        pthread_mutex_unlock(&all.lock);
        if (started == 0)
            status = akin_fail_errno(err, error_number, NULL, "cannot start a thread");
        break;
    }
    coordinate(&all);
    for (size_t i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    if (all.failure.code != AKIN_OK) {
        status = all.failure.code;
        if (err != NULL)
            *err = all.failure;
    } else if (status == AKIN_OK && atomic_load(&all.stopped)) {
        status = akin_fail(err, AKIN_E_STOPPED, NULL, "stopped; what was done is kept");
    }
out:
    for (size_t i = 0; i < ready; i++)
        worker_clear(&workers[i]);
    free(workers);
    free(ids);
    pthread_cond_destroy(&all.filled);
    pthread_cond_destroy(&all.room);
    pthread_mutex_destroy(&all.store);
    pthread_mutex_destroy(&all.lock);
    return status;
}
