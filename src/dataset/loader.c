/* loader.c - a ring of batches, filled by threads a picture at a time.
 *
 * The caller has one batch while the threads fill the others, the oldest first. What a place of a
 * batch holds depends on (seed, step, place) and the files alone: which thread fills it, and what
 * the cache holds, change nothing. The cache throws nothing out: pictures are drawn again with the
 * same chance at every step, so one that is in is worth as much as one that would replace it, and
 * readers need no lock.
 */
#include "loader.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/resize.h"

enum {
    RING = 3,
    BATCH_MOST = 1 << 20,
    SIDE_MOST = 4096,
    THREADS_MOST = 1024
};

/* Seeds of the augmentation's stream: not the sampler's, which may have the same seed. */
#define STREAM UINT64_C(0x61756d656e742e00)
/* Of artwork: before a photograph, when there is one. */
static const double behind_part = 0.25;

/* A picture made ready: its pixels, shrunk; or with strength 0 the model's floats. */
typedef struct ready_picture {
    int width, height;
    akin_layout layout;
    alignas(16) uint8_t bytes[];
} ready_picture;

typedef struct slot {
    uint64_t step;
    unsigned stage;
    akin_pair *drawn;  /* [batch + spares] */
    uint32_t *which;   /* [batch]: index in drawn */
    akin_pair *pairs;  /* [batch] */
    uint32_t *todo;    /* [batch]: places to fill in this round */
    bool *failed;      /* [batch] */
    float *pixels;     /* [batch, 3, height, width] */
    int32_t *ids;      /* [batch, text_tokens], pushed together when it is handed out */
    int32_t *lengths;  /* [batch] */
    bool *cut;         /* [batch] */
    size_t *starts;    /* [batch + 1] */
    uint32_t *concepts;
    size_t todo_count, next, open; /* of todo: how many, the next to begin, how many not done */
    size_t spares;     /* used */
    bool filling;
    akin_status status;
    akin_error error;  /* of the last picture that could not be read, or what ended the batch */
} slot;

typedef struct worker {
    akin_loader *loader;
    pthread_t thread;
    float *scratch;
    akin_error error;
} worker;

struct akin_loader {
    akin_loader_options o;
    size_t floats; /* of a picture */
    size_t spares; /* pictures that may replace others, a batch */
    slot slots[RING];
    size_t head;   /* the oldest slot that was not handed out */
    bool lent;     /* the slot before it is the caller's */
    worker *workers;
    int started;
    uint32_t *photos; /* pictures that may stand behind artwork */
    size_t photo_count;

    _Atomic(ready_picture *) *cache; /* [picture_count] */
    atomic_size_t cached;            /* bytes */
    atomic_uchar *broken;            /* [picture_count] */

    pthread_mutex_t lock; /* the slots' rounds, stop */
    pthread_cond_t work, filled;
    bool stop;
    pthread_mutex_t telling; /* told, and the callback */
    const char **told;       /* a set, open addressing; NULL: free */
    size_t told_count, told_size;
};

/* ---- pictures */

/* Keeps transparency that the file has beside its colours: of a picture read as stored and over
 * white, alpha is what makes the one the other. A white that is transparent cannot be told from one
 * that is not, and stays white. */
static akin_status join_alpha(const akin_picture *stored, akin_picture *white, akin_error *err)
{
    const size_t pixels = (size_t)stored->width * (size_t)stored->height;
    if (stored->width != white->width || stored->height != white->height ||
        white->layout != AKIN_RGB || memcmp(stored->pixels, white->pixels, 3 * pixels) == 0)
        return AKIN_OK;
    uint8_t *joined = malloc(4 * pixels);
    if (joined == NULL)
        return akin_fail_nomem(err, "a picture", 4 * pixels);
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *c = stored->pixels + 3 * i, *w = white->pixels + 3 * i;
        const int darkest = c[0] <= c[1] && c[0] <= c[2] ? 0 : c[1] <= c[2] ? 1 : 2;
        const int from = 255 - c[darkest], to = 255 - w[darkest];
        memcpy(joined + 4 * i, c, 3);
        joined[4 * i + 3] = (uint8_t)(from <= 0 || to >= from ? 255 : (to * 255 + from / 2) / from);
    }
    free(white->pixels);
    white->pixels = joined;
    white->layout = AKIN_RGBA;
    return AKIN_OK;
}

/* AKIN_RGB or AKIN_RGBA. */
static akin_status decode(const akin_loader *l, const char *path, akin_picture *out,
                          akin_error *err)
{
    akin_status status;
    akin_buffer file = { 0 };
    akin_picture stored = { 0 };
    akin_picture_options options = l->o.limits;
    options.as_stored = true;
    *out = (akin_picture){ 0 };
    AKIN_TRY(akin_file_read(path, "a picture", options.file_bytes, &file, err));
    AKIN_TRY(akin_picture_decode(&stored, file.data, file.size, path, &options, err));
    if (stored.layout == AKIN_RGB || stored.layout == AKIN_RGBA) {
        *out = stored;
        stored.pixels = NULL;
        goto out;
    }
    options.as_stored = false;
    AKIN_TRY(akin_picture_decode(out, file.data, file.size, path, &options, err));
    if (stored.layout == AKIN_RGB_NEAREST)
        status = join_alpha(&stored, out, err);
out:
    if (status != AKIN_OK)
        akin_picture_clear(out);
    akin_picture_clear(&stored);
    akin_buffer_clear(&file);
    return status;
}

/* The size a picture is kept at: its shorter side a third more than the model's, which a crop of
 * four fifths needs, its longer one at most twice that. */
static void kept_size(const akin_loader *l, const akin_picture *p, int *width, int *height)
{
    const double limit = 1.34 * (l->o.width > l->o.height ? l->o.width : l->o.height);
    const double shorter = p->width < p->height ? p->width : p->height;
    const double longer = p->width < p->height ? p->height : p->width;
    double scale = shorter > limit ? limit / shorter : 1;
    if (longer * scale > 2 * limit)
        scale = 2 * limit / longer;
    *width = p->width;
    *height = p->height;
    if (scale < 1) {
        *width = (int)(p->width * scale + 0.5);
        *height = (int)(p->height * scale + 0.5);
        *width += *width == 0;
        *height += *height == 0;
    }
}

static bool is_opaque(const akin_picture *p)
{
    const size_t pixels = (size_t)p->width * (size_t)p->height;
    if (p->layout != AKIN_RGBA)
        return true;
    uint8_t all = 255;
    for (size_t i = 0; i < pixels; i++)
        all &= p->pixels[4 * i + 3];
    return all == 255;
}

/* Reads a picture and makes of it what is kept. */
static akin_status prepare(const akin_loader *l, const char *path, ready_picture **out,
                           size_t *bytes, akin_error *err)
{
    akin_picture p;
    uint8_t *shrunk = NULL;
    akin_status status = decode(l, path, &p, err);
    if (status != AKIN_OK)
        return status;
    int width, height;
    kept_size(l, &p, &width, &height);
    const akin_layout layout = is_opaque(&p) ? AKIN_RGB : AKIN_RGBA;
    const int channels = akin_layout_bytes(p.layout), kept = akin_layout_bytes(layout);
    const size_t pixels = (size_t)width * (size_t)height;
    const uint8_t *from = p.pixels;
    if (width != p.width || height != p.height) {
        const akin_window all = { 0, 0, width, height };
        shrunk = malloc(pixels * (size_t)channels);
        if (shrunk == NULL) {
            status = akin_fail_nomem(err, "a picture", pixels * (size_t)channels);
            goto out;
        }
        if (channels == 4)
            AKIN_TRY(akin_resize_alpha(p.pixels, p.width, p.height, width, height, AKIN_BICUBIC,
                                       all, shrunk, l->o.limits.memory_bytes, err));
        else
            AKIN_TRY(akin_resize(p.pixels, p.width, p.height, 3, width, height, AKIN_BICUBIC, all,
                                 shrunk, l->o.limits.memory_bytes, err));
        from = shrunk;
    }
    *bytes = sizeof **out + pixels * (size_t)kept;
    ready_picture *r = malloc(*bytes);
    if (r == NULL) {
        status = akin_fail_nomem(err, "a picture", *bytes);
        goto out;
    }
    r->width = width;
    r->height = height;
    r->layout = layout;
    if (kept == channels)
        memcpy(r->bytes, from, pixels * (size_t)kept);
    else
        for (size_t i = 0; i < pixels; i++)
            memcpy(r->bytes + 3 * i, from + 4 * i, 3);
    *out = r;
out:
    free(shrunk);
    akin_picture_clear(&p);
    return status;
}

/* What inference sees: floats [3, height, width]. */
static akin_status prepare_exactly(const akin_loader *l, const char *path, ready_picture **out,
                                   size_t *bytes, akin_error *err)
{
    const akin_preprocess *spec = l->o.preprocess;
    akin_picture_options options = l->o.limits;
    options.as_stored = spec->open_clip;
    akin_picture p;
    akin_status status = akin_picture_read(&p, path, &options, err);
    if (status != AKIN_OK)
        return status;
    int height, width;
    akin_preprocess_shape(spec, p.height, p.width, &height, &width);
    *bytes = sizeof **out + l->floats * sizeof(float);
    ready_picture *r = NULL;
    if (height != l->o.height || width != l->o.width) {
        status = akin_fail(err, AKIN_E_ARGUMENT, path,
                           "becomes %d x %d for the model, which takes %d x %d", width, height,
                           l->o.width, l->o.height);
        goto out;
    }
    r = malloc(*bytes);
    if (r == NULL) {
        status = akin_fail_nomem(err, "a picture", *bytes);
        goto out;
    }
    *r = (ready_picture){ width, height, AKIN_RGB };
    AKIN_TRY(akin_preprocess_run(spec, &p, &options, (float *)(void *)r->bytes, l->floats, err));
    *out = r;
    r = NULL;
out:
    free(r);
    akin_picture_clear(&p);
    return status;
}

/* A picture from the cache or its file. *owned: the caller frees it. */
static akin_status fetch(akin_loader *l, uint32_t index, ready_picture **out, bool *owned,
                         akin_error *err)
{
    const char *path = l->o.manifest->pictures[index].path;
    *owned = false;
    *out = atomic_load_explicit(&l->cache[index], memory_order_acquire);
    if (*out != NULL)
        return AKIN_OK;
    size_t bytes;
    const akin_status status = l->o.augment.strength > 0 ? prepare(l, path, out, &bytes, err)
                                                         : prepare_exactly(l, path, out, &bytes,
                                                                           err);
    if (status != AKIN_OK)
        return status;
    *owned = true;
    /* Asked for before it is taken, so that the budget holds with any number of threads. */
    if (atomic_fetch_add(&l->cached, bytes) + bytes <= l->o.cache_bytes) {
        ready_picture *none = NULL;
        if (atomic_compare_exchange_strong(&l->cache[index], &none, *out)) {
            *owned = false;
            return AKIN_OK;
        }
    }
    atomic_fetch_sub(&l->cached, bytes);
    return AKIN_OK;
}

/* ---- what could not be read */

static size_t told_place(const akin_loader *l, const char *path)
{
    uint64_t h = 0;
    for (const char *p = path; *p != '\0'; p++)
        h = akin_random_mix(h ^ (unsigned char)*p);
    size_t at = (size_t)h & (l->told_size - 1);
    while (l->told[at] != NULL && strcmp(l->told[at], path) != 0)
        at = (at + 1) & (l->told_size - 1);
    return at;
}

/* Notes that a picture cannot be read and tells it, unless its path was told. Should the set not
 * grow, it is told again. */
static void tell(akin_loader *l, uint32_t index, const akin_error *error)
{
    const char *path = l->o.manifest->pictures[index].path;
    atomic_store(&l->broken[index], 1);
    pthread_mutex_lock(&l->telling);
    if (2 * l->told_count >= l->told_size) {
        const char **old = l->told;
        const size_t old_size = l->told_size;
        const char **grown = calloc(akin_max(64, 4 * old_size), sizeof *grown);
        if (grown != NULL) {
            l->told = grown;
            l->told_size = akin_max(64, 4 * old_size);
            for (size_t i = 0; i < old_size; i++)
                if (old[i] != NULL)
                    grown[told_place(l, old[i])] = old[i];
            free((void *)(uintptr_t)old);
        }
    }
    bool known = false;
    if (l->told_count + 1 < l->told_size) {
        const size_t at = told_place(l, path);
        known = l->told[at] != NULL;
        l->told[at] = path;
        l->told_count += !known;
    }
    if (!known && l->o.skipped != NULL)
        l->o.skipped(l->o.context, path, error);
    pthread_mutex_unlock(&l->telling);
}

/* fetch, but a picture that cannot be read is told once, and then AKIN_E_IO without a message.
 * AKIN_E_NOMEM passes. */
static akin_status fetch_or_tell(akin_loader *l, uint32_t index, ready_picture **out, bool *owned,
                                 akin_error *err)
{
    if (atomic_load(&l->broken[index]))
        return AKIN_E_IO;
    const akin_status status = fetch(l, index, out, owned, err);
    if (status == AKIN_OK || status == AKIN_E_NOMEM)
        return status;
    tell(l, index, err);
    return AKIN_E_IO;
}

/* ---- a place of a batch */

static akin_picture picture_of(ready_picture *r)
{
    return (akin_picture){ .width = r->width, .height = r->height, .stored_height = r->height,
                           .layout = r->layout, .pixels = r->bytes };
}

static akin_status fill_text(const akin_loader *l, slot *s, size_t place, akin_error *err)
{
    const akin_manifest *m = l->o.manifest;
    const akin_manifest_text *t = &m->texts[s->pairs[place].text];
    const size_t room = (size_t)l->o.text_tokens;
    akin_status status = akin_tokenizer_encode(l->o.tokenizer, t->text, strlen(t->text),
                                               l->o.text_tokens, s->ids + place * room,
                                               &s->lengths[place], &s->cut[place], err);
    if (status != AKIN_OK && status != AKIN_E_NOMEM) {
        char why[sizeof err->message];
        memcpy(why, err->message, sizeof why);
        status = akin_fail(err, status, m->path, "the text of line %u: %.900s", t->line, why);
    }
    return status;
}

/* AKIN_E_IO without a message: the picture cannot be read. */
static akin_status fill(akin_loader *l, slot *s, size_t place, float *scratch, akin_error *err)
{
    const akin_manifest *m = l->o.manifest;
    const akin_loader_options *o = &l->o;
    const akin_manifest_picture *picture = &m->pictures[s->pairs[place].picture];
    float *out = s->pixels + place * l->floats;
    ready_picture *front = NULL, *behind = NULL;
    bool own_front = false, own_behind = false;
    akin_status status;
    AKIN_TRY(fetch_or_tell(l, s->pairs[place].picture, &front, &own_front, err));
    if (o->augment.strength > 0) {
        akin_random random = akin_random_of(o->seed ^ STREAM, s->step, s->which[place]);
        const akin_kind kind = (akin_kind)picture->kind;
        const bool artwork = kind == AKIN_KIND_ART || kind == AKIN_KIND_ICON;
        const double u = akin_random_uniform(&random);
        const size_t which = akin_random_below(&random, akin_max(l->photo_count, 1));
        if (artwork && l->photo_count != 0 && u < behind_part * (double)o->augment.strength) {
            status = fetch_or_tell(l, l->photos[which], &behind, &own_behind, err);
            if (status == AKIN_E_NOMEM)
                goto out;
            status = AKIN_OK;
        }
        const akin_picture p = picture_of(front);
        akin_picture b = { 0 };
        if (behind != NULL)
            b = picture_of(behind);
        AKIN_TRY(akin_augment_run(&o->augment, random, kind, picture->flip, &p,
                                  behind != NULL && b.layout == AKIN_RGB ? &b : NULL, o->height,
                                  o->width, o->preprocess->mean, o->preprocess->std, scratch, out,
                                  err));
    } else {
        memcpy(out, front->bytes, l->floats * sizeof *out);
    }
    status = fill_text(l, s, place, err);
out:
    if (own_front)
        free(front);
    if (own_behind)
        free(behind);
    return status;
}

/* ---- rounds */

/* Draws a batch. No thread looks at the slot yet. */
static void begin(akin_loader *l, slot *s, uint64_t step)
{
    s->step = step;
    s->stage = l->o.stage != NULL ? l->o.stage(l->o.context, step) : UINT16_MAX;
    akin_sampler_batch(l->o.sampler, step, s->stage, s->drawn, l->o.batch);
    for (size_t i = 0; i < l->o.batch; i++) {
        s->which[i] = s->todo[i] = (uint32_t)i;
        s->pairs[i] = s->drawn[i];
        s->failed[i] = false;
    }
    s->todo_count = s->open = l->o.batch;
    s->next = s->spares = 0;
    s->status = AKIN_OK;
}

/* All places of a round are done: those that failed get the next pictures of the batch's stream,
 * which begins with the batch, in the order of the places. */
static void end_round(akin_loader *l, slot *s)
{
    size_t failed = 0;
    for (size_t i = 0; i < s->todo_count; i++)
        if (s->failed[s->todo[i]])
            s->todo[failed++] = s->todo[i];
    if (s->status == AKIN_OK && failed > l->spares - s->spares)
        s->status = akin_fail(&s->error, AKIN_E_IO, l->o.manifest->path,
                              "a batch of %zu pictures cannot be filled: %zu cannot be read",
                              l->o.batch, s->spares + failed);
    if (failed == 0 || s->status != AKIN_OK) {
        s->filling = false;
        return;
    }
    const size_t first = l->o.batch + s->spares;
    s->spares += failed;
    akin_sampler_batch(l->o.sampler, s->step, s->stage, s->drawn, l->o.batch + s->spares);
    for (size_t i = 0; i < failed; i++) {
        const uint32_t place = s->todo[i];
        s->which[place] = (uint32_t)(first + i);
        s->pairs[place] = s->drawn[first + i];
        s->failed[place] = false;
    }
    s->todo_count = s->open = failed;
    s->next = 0;
}

/* The oldest slot that has a place to begin; NULL: none. */
static slot *slot_with_work(akin_loader *l)
{
    for (size_t i = 0; i < RING; i++) {
        slot *s = &l->slots[(l->head + i) % RING];
        if (s->filling && s->next < s->todo_count)
            return s;
    }
    return NULL;
}

static void *run_worker(void *argument)
{
    worker *w = argument;
    akin_loader *l = w->loader;
    akin_error *err = &w->error;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        slot *s = NULL;
        while (!l->stop && (s = slot_with_work(l)) == NULL)
            pthread_cond_wait(&l->work, &l->lock);
        if (l->stop)
            break;
        const size_t place = s->todo[s->next++];
        const bool useless = s->status != AKIN_OK;
        pthread_mutex_unlock(&l->lock);
        const akin_status status = useless ? AKIN_OK : fill(l, s, place, w->scratch, err);
        pthread_mutex_lock(&l->lock);
        if (status == AKIN_E_IO) {
            s->failed[place] = true;
        } else if (status != AKIN_OK && s->status == AKIN_OK) {
            s->status = status;
            s->error = *err;
        }
        if (--s->open == 0) {
            end_round(l, s);
            pthread_cond_broadcast(s->filling ? &l->work : &l->filled);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- the caller's side */

static bool make_slot(akin_loader *l, slot *s)
{
    const size_t batch = l->o.batch, tokens = (size_t)l->o.text_tokens;
    size_t floats, ids, bytes;
    if (!akin_mul(batch, l->floats, &floats) || !akin_mul(floats, sizeof(float), &bytes) ||
        !akin_mul(batch, tokens, &ids) || !akin_mul(ids, sizeof(int32_t), &ids))
        return false;
    s->drawn = malloc((batch + l->spares) * sizeof *s->drawn);
    s->which = malloc(batch * sizeof *s->which);
    s->pairs = malloc(batch * sizeof *s->pairs);
    s->todo = malloc(batch * sizeof *s->todo);
    s->failed = malloc(batch * sizeof *s->failed);
    s->pixels = akin_large_alloc(bytes);
    s->ids = malloc(ids);
    s->lengths = malloc(batch * sizeof *s->lengths);
    s->cut = malloc(batch * sizeof *s->cut);
    s->starts = malloc((batch + 1) * sizeof *s->starts);
    s->concepts = malloc(batch * sizeof *s->concepts);
    return s->drawn != NULL && s->which != NULL && s->pairs != NULL && s->todo != NULL &&
           s->failed != NULL && s->pixels != NULL && s->ids != NULL && s->lengths != NULL &&
           s->cut != NULL && s->starts != NULL && s->concepts != NULL;
}

static void free_slot(slot *s)
{
    free(s->drawn);
    free(s->which);
    free(s->pairs);
    free(s->todo);
    free(s->failed);
    free(s->pixels);
    free(s->ids);
    free(s->lengths);
    free(s->cut);
    free(s->starts);
    free(s->concepts);
}

static akin_status check(const akin_loader_options *o, akin_error *err)
{
    if (o->batch < 1 || o->batch > BATCH_MOST)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a batch of %zu pictures: 1 to %d can be",
                         o->batch, BATCH_MOST);
    if (o->height < 1 || o->width < 1 || o->height > SIDE_MOST || o->width > SIDE_MOST)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "pictures of %d x %d: a side has 1 to %d pixels in training", o->width,
                         o->height, SIDE_MOST);
    if (o->threads < 1 || o->threads > THREADS_MOST)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%d threads: 1 to %d can be", o->threads,
                         THREADS_MOST);
    if (o->text_tokens < 2 || o->text_tokens > 1 << 20)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "texts of %d tokens", (int)o->text_tokens);
    if (!(o->augment.strength >= 0 && o->augment.strength <= 1))
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "an augmentation of strength %g: from 0 to 1 it can be",
                         (double)o->augment.strength);
    return AKIN_OK;
}

/* Everything that is there before the threads are. */
static bool make_loader(akin_loader *l)
{
    const akin_manifest *m = l->o.manifest;
    const size_t pictures = akin_max(m->picture_count, 1);
    l->cache = calloc(pictures, sizeof *l->cache);
    l->broken = calloc(pictures, sizeof *l->broken);
    l->photos = malloc(pictures * sizeof *l->photos);
    l->workers = calloc((size_t)l->o.threads, sizeof *l->workers);
    if (l->cache == NULL || l->broken == NULL || l->photos == NULL || l->workers == NULL)
        return false;
    for (size_t i = 0; i < m->picture_count; i++)
        if (m->pictures[i].kind == AKIN_KIND_PHOTO)
            l->photos[l->photo_count++] = (uint32_t)i;
    for (int i = 0; i < RING; i++)
        if (!make_slot(l, &l->slots[i]))
            return false;
    for (int i = 0; i < l->o.threads; i++) {
        l->workers[i].loader = l;
        l->workers[i].scratch =
            malloc(akin_augment_floats(l->o.height, l->o.width) * sizeof(float));
        if (l->workers[i].scratch == NULL)
            return false;
    }
    return true;
}

akin_status akin_loader_start(akin_loader **out, const akin_loader_options *options, uint64_t step,
                              akin_error *err)
{
    *out = NULL;
    akin_status status = check(options, err);
    if (status != AKIN_OK)
        return status;
    akin_loader *l = calloc(1, sizeof *l);
    if (l == NULL)
        return akin_fail_nomem(err, "a loader", sizeof *l);
    l->o = *options;
    l->floats = 3 * (size_t)options->height * (size_t)options->width;
    l->spares = 4 * options->batch + 64;
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->telling, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->filled, NULL);
    if (!make_loader(l)) {
        status = akin_fail_nomem(err, "a loader", 0);
        goto out;
    }
    for (uint64_t i = 0; i < RING; i++) {
        begin(l, &l->slots[i], step + i);
        l->slots[i].filling = true;
    }
    for (; l->started < options->threads; l->started++) {
        worker *w = &l->workers[l->started];
        const int error_number = pthread_create(&w->thread, NULL, run_worker, w);
        if (error_number != 0) {
            status = akin_fail_errno(err, error_number, NULL, "cannot start a thread");
            goto out;
        }
    }
    *out = l;
out:
    if (status != AKIN_OK)
        akin_loader_stop(l);
    return status;
}

void akin_loader_stop(akin_loader *l)
{
    if (l == NULL)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->started; i++)
        pthread_join(l->workers[i].thread, NULL);
    pthread_cond_destroy(&l->filled);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->telling);
    pthread_mutex_destroy(&l->lock);
    for (int i = 0; i < RING; i++)
        free_slot(&l->slots[i]);
    for (int i = 0; l->workers != NULL && i < l->o.threads; i++)
        free(l->workers[i].scratch);
    for (size_t i = 0; l->cache != NULL && i < l->o.manifest->picture_count; i++)
        free(atomic_load(&l->cache[i]));
    free(l->workers);
    free((void *)(uintptr_t)l->cache);
    free((void *)(uintptr_t)l->broken);
    free(l->photos);
    free((void *)(uintptr_t)l->told);
    free(l);
}

akin_status akin_loader_next(akin_loader *l, akin_batch *out, akin_error *err)
{
    const double before = akin_clock();
    slot *back = l->lent ? &l->slots[(l->head + RING - 1) % RING] : NULL;
    if (back != NULL)
        begin(l, back, back->step + RING);
    pthread_mutex_lock(&l->lock);
    if (back != NULL) {
        back->filling = true;
        pthread_cond_broadcast(&l->work);
    }
    slot *s = &l->slots[l->head];
    while (s->filling)
        pthread_cond_wait(&l->filled, &l->lock);
    l->lent = s->status == AKIN_OK; /* one that failed stays, and fails again */
    if (l->lent)
        l->head = (l->head + 1) % RING;
    pthread_mutex_unlock(&l->lock);
    if (s->status != AKIN_OK) {
        if (err != NULL)
            *err = s->error;
        return s->status;
    }
    const size_t room = (size_t)l->o.text_tokens;
    size_t cut = 0;
    s->starts[0] = 0;
    for (size_t i = 0; i < l->o.batch; i++) {
        const size_t length = (size_t)s->lengths[i];
        memmove(s->ids + s->starts[i], s->ids + i * room, length * sizeof *s->ids);
        s->starts[i + 1] = s->starts[i] + length;
        s->concepts[i] = l->o.manifest->pictures[s->pairs[i].picture].concept;
        cut += s->cut[i];
    }
    *out = (akin_batch){ .step = s->step, .count = l->o.batch, .pixels = s->pixels, .ids = s->ids,
                         .starts = s->starts, .concepts = s->concepts, .pairs = s->pairs,
                         .cut = cut, .waited = akin_clock() - before };
    return AKIN_OK;
}
