/* test_ingest.c - what a collection says of a folder after each thing that can happen to it: new,
 * changed, moved, copied, away, back, broken, hidden; the guard; stopping; reindex. The embedder
 * is a fake that hashes pixels and counts; pictures are small BMP files whatever their names,
 * since akin goes by content.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "folder.h"
#include "rag/ingest.h"

enum { DIMS = 8, PIXELS = 12, PATH = 512, TOLD = 64 };

/* ---- A folder of pictures and a collection ------------------------------------------------- */

typedef struct place {
    char top[128], root[PATH / 2], db[PATH / 2];
    atomic_int encoded, preprocessed;   /* pictures */
    int begun;                          /* calls of begin */
    atomic_int stop_after;              /* pictures begun; 0: never */
    bool watched;                       /* live_meanwhile: most items a reader saw in the run */
    size_t live_meanwhile;
    rlim_t file_limit;                  /* from the first progress on; 0: none */
    bool fail_batches;                  /* an encode of more than one picture fails */
    float turn;                         /* added to each vector: another model */
    akin_ingest_options options;
    akin_ingest_report report;
    akin_error err;
    akin_error skipped[TOLD], noted[TOLD];
    int skips, notes, progressed;
    akin_ingest_progress first_progress, last_progress;
} place;

static void in(const place *p, const char *name, char out[PATH])
{
    snprintf(out, PATH, "%s/%s", p->root, name);
}

static void make_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0755), 0);
}

static void write_bytes(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void write_text(const place *p, const char *name, const char *text)
{
    char path[PATH];
    in(p, name, path);
    write_bytes(path, text, strlen(text));
}

/* A BMP of 4 x 4 pixels that `seed` decides; returns its size. */
static size_t picture_bytes(unsigned seed, unsigned char out[128])
{
    static const unsigned char head[54] = {
        'B', 'M', 102, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1, 0,
        24,  0,   0,   0, 0, 0, 48,
    };
    memcpy(out, head, sizeof head);
    for (unsigned i = 0; i < 48; i++) {
        seed = seed * 1664525u + 1013904223u;
        out[54 + i] = (unsigned char)(seed >> 24);
    }
    return 102;
}

enum { NOT_A_NUMBER = 0xbad }; /* a picture of which the fake model makes NaN */

static void write_picture(const place *p, const char *name, unsigned seed)
{
    unsigned char bytes[128];
    char path[PATH];
    const size_t size = picture_bytes(seed, bytes);
    in(p, name, path);
    write_bytes(path, bytes, size);
}

static void remove_file(const place *p, const char *name)
{
    char path[PATH];
    in(p, name, path);
    assert_int_equal(unlink(path), 0);
}

static void move_file(const place *p, const char *from, const char *to)
{
    char a[PATH], b[PATH];
    in(p, from, a);
    in(p, to, b);
    assert_int_equal(rename(a, b), 0);
}

static void set_time(const place *p, const char *name, long seconds)
{
    char path[PATH];
    const struct timespec times[2] = { { seconds, 0 }, { seconds, 0 } };
    in(p, name, path);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* `count` different pictures "NNN.jpg" in the folder `below` ("" or "sub/"). */
static void write_pictures(const place *p, const char *below, unsigned count, unsigned seed)
{
    for (unsigned i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%03u.jpg", below, i);
        write_picture(p, name, seed + i);
    }
}

/* ---- The fake model ------------------------------------------------------------------------ */

static akin_status preprocess(void *context, int worker, const akin_picture *picture, float *out,
                              akin_error *err)
{
    place *p = context;
    (void)worker;
    (void)err;
    uint32_t hash = 2166136261u;
    unsigned char nan[128];
    for (int i = 0; i < picture->width * picture->height * 3; i++)
        hash = (hash ^ picture->pixels[i]) * 16777619u;
    for (int i = 0; i < PIXELS; i++) {
        hash = hash * 1664525u + 1013904223u;
        out[i] = (float)(hash >> 16) / 65536.0f - 0.5f;
    }
    picture_bytes(NOT_A_NUMBER, nan);
    if (picture->pixels[2] == nan[54 + 36] && picture->pixels[1] == nan[54 + 37] &&
        picture->pixels[0] == nan[54 + 38])
        out[0] = NAN;
    atomic_fetch_add(&p->preprocessed, 1);
    return AKIN_OK;
}

static akin_status begin(void *context, akin_error *err)
{
    place *p = context;
    (void)err;
    assert_int_equal(atomic_load(&p->preprocessed), 0);
    p->begun++;
    return AKIN_OK;
}

static akin_status encode(void *context, int worker, const float *pixels, size_t count, float *out,
                          akin_error *err)
{
    place *p = context;
    (void)worker;
    if (p->fail_batches && count > 1)
        return akin_fail(err, AKIN_E_NOMEM, NULL, "a batch is too much");
    for (size_t i = 0; i < count; i++) {
        float sum = 0;
        for (int d = 0; d < DIMS; d++) {
            out[i * DIMS + (size_t)d] = pixels[i * PIXELS + (size_t)d] + p->turn;
            sum += out[i * DIMS + (size_t)d] * out[i * DIMS + (size_t)d];
        }
        for (int d = 0; d < DIMS; d++)
            out[i * DIMS + (size_t)d] /= sqrtf(sum);
    }
    atomic_fetch_add(&p->encoded, (int)count);
    return AKIN_OK;
}

static akin_embedder fake(place *p)
{
    return (akin_embedder){ .context = p, .dimensions = DIMS, .pixels = PIXELS, .batch = 4,
                            .limits = akin_picture_default_options(),
                            .begin = begin, .preprocess = preprocess, .encode = encode };
}

/* ---- Runs ---------------------------------------------------------------------------------- */

static akin_store *open_store(const place *p, bool write)
{
    akin_store *store;
    akin_error err = { 0 };
    if (akin_store_open(&store, p->db, write, 5, &err) != AKIN_OK)
        fail_msg("%s %s", err.message, err.path);
    return store;
}

static akin_store_summary summary(const place *p)
{
    akin_store_summary s;
    akin_store *store = open_store(p, false);
    assert_int_equal(akin_store_summarise(store, &s, NULL), AKIN_OK);
    akin_store_close(store);
    s.uuid = s.created = s.base = NULL; /* were the store's */
    return s;
}

static void on_skip(void *context, const akin_error *why)
{
    place *p = context;
    if (p->skips < TOLD)
        p->skipped[p->skips] = *why;
    p->skips++;
}

static void on_note(void *context, const akin_error *what)
{
    place *p = context;
    if (p->notes < TOLD)
        p->noted[p->notes] = *what;
    p->notes++;
}

/* From now on no file of this process grows beyond so many bytes; 0: no change. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes != 0 ? bytes : limit.rlim_cur;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void on_progress(void *context, const akin_ingest_progress *progress)
{
    place *p = context;
    if (p->progressed++ == 0) {
        p->first_progress = *progress;
        limit_files(p->file_limit); /* the store is open by now */
    }
    p->last_progress = *progress;
    if (p->watched) {
        const size_t live = summary(p).live;
        p->live_meanwhile = live > p->live_meanwhile ? live : p->live_meanwhile;
    }
}

static bool on_stop(void *context)
{
    place *p = context;
    const int after = atomic_load(&p->stop_after);
    return after != 0 && atomic_load(&p->preprocessed) >= after;
}

static const akin_store_model first_model = { .identity = "aa", .name = "fake", .path = "/fake",
                                              .form = "hf", .dimensions = DIMS,
                                              .type = AKIN_VECTOR_F32 };

static void forget_told(place *p)
{
    p->skips = p->notes = p->progressed = p->begun = 0;
    atomic_store(&p->encoded, 0);
    atomic_store(&p->preprocessed, 0);
    p->err = (akin_error){ 0 };
}

static akin_status index_paths(place *p, const char *const *paths, size_t count)
{
    const akin_embedder embedder = fake(p);
    forget_told(p);
    akin_store *store = open_store(p, true);
    const akin_status status =
        akin_ingest(store, &embedder, paths, count, &p->options, &p->report, &p->err);
    akin_store_close(store);
    if (status != AKIN_OK)
        assert_int_equal(p->err.code, status);
    return status;
}

static akin_status index_root(place *p)
{
    const char *paths[1] = { p->root };
    return index_paths(p, paths, 1);
}

static void index_well(place *p)
{
    if (index_root(p) != AKIN_OK)
        fail_msg("%s: %s", p->err.path, p->err.message);
}

static int start(void **state)
{
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(folder_make(p->top, sizeof p->top, "ingest"), 0);
    assert_int_equal(chmod(p->top, 0755), 0);
    snprintf(p->root, sizeof p->root, "%s/pictures", p->top);
    snprintf(p->db, sizeof p->db, "%s/db", p->top);
    make_folder(p->root);
    assert_int_equal(akin_store_create(p->db, &first_model, NULL, NULL), AKIN_OK);
    p->options = (akin_ingest_options){ .workers = 2, .settings = "1", .context = p,
                                        .progress = on_progress, .skipped = on_skip,
                                        .note = on_note, .stop = on_stop };
    *state = p;
    return 0;
}

static int finish(void **state)
{
    place *p = *state;
    folder_remove(p->top);
    free(p);
    return 0;
}

/* As somebody whom permissions bind. */
static int start_bound(void **state)
{
    if (geteuid() == 0)
        assert_int_equal(seteuid(65534), 0);
    return start(state);
}

static int finish_bound(void **state)
{
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    return finish(state);
}

/* ---- What the collection says -------------------------------------------------------------- */

typedef struct seen {
    int64_t id;
    akin_item_state state;
    int64_t content;
    bool there;
    char metadata[1024];
    char taken_at[32];
    int width;
} seen;

static seen look(const place *p, const char *name)
{
    char path[PATH];
    seen out = { 0 };
    akin_item item;
    akin_error err = { 0 };
    in(p, name, path);
    akin_store *store = open_store(p, false);
    const akin_status status = akin_store_item(store, path, -1, &item, &err);
    if (status == AKIN_OK) {
        out = (seen){ item.id, item.state, item.content, true, "", "", item.facts.width };
        snprintf(out.metadata, sizeof out.metadata, "%s", item.facts.metadata);
    } else {
        assert_int_equal(status, AKIN_E_NOT_FOUND);
    }
    akin_store_close(store);
    return out;
}

static void has(const place *p, size_t live, size_t missing, size_t hidden)
{
    const akin_store_summary s = summary(p);
    assert_int_equal(s.live, live);
    assert_int_equal(s.missing, missing);
    assert_int_equal(s.hidden, hidden);
}

static akin_status add_line(void *context, const akin_item *item, akin_error *err)
{
    akin_buffer *out = ((void **)context)[0];
    akin_store *store = ((void **)context)[1];
    const char *root = ((void **)context)[2];
    (void)store;
    char line[PATH + 64];
    snprintf(line, sizeof line, "%s %d\n", item->path + strlen(root), (int)item->state);
    return akin_buffer_add_text(out, line, err);
}

/* Paths below the root, each with its state and vector. The caller frees. */
static char *dump(const place *p)
{
    akin_buffer out, all;
    akin_store *store = open_store(p, false);
    void *context[3];
    akin_buffer_init(&out, "dump", 1 << 20);
    akin_buffer_init(&all, "dump", 1 << 20);
    context[0] = &out;
    context[1] = store;
    context[2] = (void *)(uintptr_t)p->root;
    assert_int_equal(akin_store_visit(store, p->root, add_line, context, NULL), AKIN_OK);
    for (char *line = strtok(out.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char path[PATH], text[32];
        float vector[DIMS];
        akin_item item;
        snprintf(path, sizeof path, "%s%.*s", p->root, (int)(strlen(line) - 2), line);
        assert_int_equal(akin_store_item(store, path, -1, &item, NULL), AKIN_OK);
        akin_buffer_add_text(&all, line, NULL);
        akin_buffer_add_text(&all, item.facts.metadata, NULL);
        const int64_t content = item.content;
        assert_int_equal(akin_store_vector(store, content, vector, NULL), AKIN_OK);
        for (int d = 0; d < DIMS; d++) {
            snprintf(text, sizeof text, " %a", (double)vector[d]);
            akin_buffer_add_text(&all, text, NULL);
        }
        akin_buffer_add_text(&all, "\n", NULL);
    }
    akin_buffer_clear(&out);
    akin_store_close(store);
    return all.data != NULL ? all.data : strdup("");
}

/* ---- What changes -------------------------------------------------------------------------- */

static void twice(void **state)
{
    place *p = *state;
    char sub[PATH];
    in(p, "sub", sub);
    make_folder(sub);
    write_pictures(p, "", 5, 1);
    write_pictures(p, "sub/", 4, 100);
    index_well(p);
    assert_int_equal(p->report.indexed, 9);
    assert_int_equal(atomic_load(&p->encoded), 9);
    assert_int_equal(p->begun, 1);
    assert_int_equal(p->first_progress.done, 0);
    assert_int_equal(p->last_progress.done, 9);
    assert_int_equal(p->last_progress.total, 9);
    assert_int_equal(p->last_progress.indexed, 9);
    has(p, 9, 0, 0);
    const seen before = look(p, "sub/002.jpg");
    assert_true(before.there && before.width == 4);

    index_well(p);
    assert_int_equal(p->report.indexed, 0);
    assert_int_equal(p->report.unchanged, 9);
    assert_int_equal(atomic_load(&p->preprocessed), 0);
    assert_int_equal(p->begun, 0); /* no model is loaded for it */
    assert_int_equal(p->progressed, 0);
    assert_int_equal(look(p, "sub/002.jpg").id, before.id);

    write_picture(p, "new.jpg", 77);
    index_well(p);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.unchanged, 9);
    assert_int_equal(p->first_progress.done, 9); /* the bar begins at what is done */
}

static void touched(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    index_well(p);
    const seen before = look(p, "001.jpg");
    set_time(p, "001.jpg", 1000000000);
    index_well(p);
    assert_int_equal(p->report.indexed, 0);
    assert_int_equal(p->report.unchanged, 3);
    assert_int_equal(p->report.duplicates, 0);
    assert_int_equal(atomic_load(&p->encoded), 0);
    assert_int_equal(look(p, "001.jpg").content, before.content);
    index_well(p);
    assert_int_equal(p->progressed, 0); /* its new time is known */
}

static void changed(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    index_well(p);
    const seen before = look(p, "001.jpg");
    write_picture(p, "001.jpg", 50);
    set_time(p, "001.jpg", 1000000000);
    index_well(p);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.unchanged, 2);
    const seen after = look(p, "001.jpg");
    assert_int_equal(after.id, before.id);
    assert_int_not_equal(after.content, before.content);
    has(p, 3, 0, 0);
}

static void moved(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    index_well(p);
    const seen before = look(p, "001.jpg");
    move_file(p, "001.jpg", "other name.jpg");
    index_well(p);
    assert_int_equal(p->report.moved, 1);
    assert_int_equal(p->report.unchanged, 2);
    assert_int_equal(p->report.missing, 0);
    assert_int_equal(atomic_load(&p->encoded), 0);
    assert_int_equal(look(p, "other name.jpg").id, before.id);
    assert_false(look(p, "001.jpg").there);
    has(p, 3, 0, 0);
}

/* Far more than half is gone from where it was, and found again: no guard. Equal pictures in it
 * keep their own names. */
static void folder_renamed(void **state)
{
    place *p = *state;
    char a[PATH], b[PATH];
    in(p, "a", a);
    in(p, "b", b);
    make_folder(a);
    write_pictures(p, "a/", 30, 1);
    write_picture(p, "a/copy.jpg", 1);
    index_well(p);
    assert_int_equal(p->report.indexed, 30);
    assert_int_equal(p->report.duplicates, 1);
    const seen one = look(p, "a/000.jpg"), two = look(p, "a/copy.jpg");
    const seen three = look(p, "a/007.jpg");
    assert_int_equal(rename(a, b), 0);
    index_well(p);
    assert_int_equal(p->report.moved, 31);
    assert_int_equal(p->report.missing + p->report.kept, 0);
    assert_int_equal(atomic_load(&p->encoded), 0);
    assert_int_equal(look(p, "b/000.jpg").id, one.id);
    assert_int_equal(look(p, "b/copy.jpg").id, two.id);
    assert_int_equal(look(p, "b/007.jpg").id, three.id);
    has(p, 31, 0, 0);
}

/* Of two that are gone and were equal, the one of that name has moved. */
static void moved_of_two(void **state)
{
    place *p = *state;
    char sub[PATH];
    in(p, "sub", sub);
    make_folder(sub);
    write_picture(p, "a.jpg", 1);
    write_picture(p, "b.jpg", 1);
    index_well(p);
    const seen b = look(p, "b.jpg");
    move_file(p, "b.jpg", "sub/b.jpg");
    remove_file(p, "a.jpg");
    index_well(p);
    assert_int_equal(p->report.moved, 1);
    assert_int_equal(p->report.missing, 1);
    assert_int_equal(look(p, "sub/b.jpg").id, b.id);
    assert_int_equal(look(p, "a.jpg").state, AKIN_ITEM_MISSING);
}

static void copied(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    index_well(p);
    write_picture(p, "copy.jpg", 2);
    index_well(p);
    assert_int_equal(p->report.duplicates, 1);
    assert_int_equal(p->report.indexed, 0);
    assert_int_equal(atomic_load(&p->encoded), 0);
    assert_int_equal(look(p, "copy.jpg").content, look(p, "001.jpg").content);
    assert_int_equal(look(p, "copy.jpg").width, 4); /* though it was not decoded */
    has(p, 4, 0, 0);
}

/* Equal files that several workers meet at once are embedded once. */
static void equal_at_once(void **state)
{
    place *p = *state;
    for (unsigned i = 0; i < 60; i++) {
        char name[32];
        snprintf(name, sizeof name, "%02u.jpg", i);
        write_picture(p, name, i % 3);
    }
    p->options.workers = 4;
    index_well(p);
    assert_int_equal(p->report.indexed, 3);
    assert_int_equal(p->report.duplicates, 57);
    assert_int_equal(atomic_load(&p->encoded), 3);
    assert_int_equal(look(p, "59.jpg").width, 4);
    has(p, 60, 0, 0);
    assert_int_equal(summary(p).contents, 3);
}

static void away_and_back(void **state)
{
    place *p = *state;
    char aside[PATH], path[PATH];
    write_pictures(p, "", 5, 1);
    index_well(p);
    const seen before = look(p, "001.jpg");
    snprintf(aside, sizeof aside, "%s/aside", p->top);
    in(p, "001.jpg", path);
    assert_int_equal(rename(path, aside), 0);
    index_well(p);
    assert_int_equal(p->report.missing, 1);
    has(p, 4, 1, 0);
    index_well(p);
    assert_int_equal(p->report.missing, 0); /* newly marked alone */
    assert_int_equal(rename(aside, path), 0);
    index_well(p);
    assert_int_equal(p->report.returned, 1);
    assert_int_equal(p->report.unchanged, 4);
    assert_int_equal(p->progressed, 0); /* not even opened */
    assert_int_equal(look(p, "001.jpg").id, before.id);
    has(p, 5, 0, 0);

    /* And with another time: read, not embedded. */
    remove_file(p, "001.jpg");
    index_well(p);
    write_picture(p, "001.jpg", 2);
    set_time(p, "001.jpg", 1000000000);
    index_well(p);
    assert_int_equal(p->report.returned, 1);
    assert_int_equal(p->report.unchanged, 4);
    assert_int_equal(atomic_load(&p->encoded), 0);
    has(p, 5, 0, 0);
}

/* A folder with the picture's name is not the picture. */
static void folder_in_its_place(void **state)
{
    place *p = *state;
    char path[PATH];
    write_pictures(p, "", 3, 1);
    index_well(p);
    in(p, "001.jpg", path);
    remove_file(p, "001.jpg");
    make_folder(path);
    index_well(p);
    assert_int_equal(p->report.missing, 1);
    assert_int_equal(p->report.hidden, 0);
    has(p, 2, 1, 0);
}

/* A link that leads nowhere is gone too. */
static void links(void **state)
{
    place *p = *state;
    char path[PATH], target[PATH];
    unsigned char bytes[128];
    write_pictures(p, "", 3, 1);
    snprintf(target, sizeof target, "%s/elsewhere", p->top);
    write_bytes(target, bytes, picture_bytes(50, bytes));
    in(p, "link.jpg", path);
    assert_int_equal(symlink(target, path), 0);
    index_well(p);
    assert_int_equal(p->report.indexed, 4);
    static const char *const globs[] = { "link*" };
    p->options.walk.exclude = globs;
    p->options.walk.exclude_count = 1;
    index_well(p);
    assert_int_equal(p->report.hidden, 1);
    p->options.walk.exclude_count = 0;
    index_well(p);
    assert_int_equal(p->report.returned, 1);
    assert_int_equal(unlink(target), 0);
    index_well(p);
    assert_int_equal(p->report.missing, 1);
    has(p, 3, 1, 0);
}

/* A rule of today hides what yesterday's took. */
static void hidden_by_a_rule(void **state)
{
    place *p = *state;
    static const char *const globs[] = { "x*.jpg" };
    write_pictures(p, "", 3, 1);
    for (unsigned i = 0; i < 30; i++) { /* far more than half, and no guard: they are there */
        char name[32];
        snprintf(name, sizeof name, "x%02u.jpg", i);
        write_picture(p, name, 1000 + i);
    }
    index_well(p);
    p->options.walk.exclude = globs;
    p->options.walk.exclude_count = 1;
    index_well(p);
    assert_int_equal(p->report.hidden, 30);
    assert_int_equal(p->report.missing, 0);
    has(p, 3, 0, 30);
    index_well(p);
    assert_int_equal(p->report.hidden, 0);
    p->options.walk.exclude_count = 0;
    index_well(p);
    assert_int_equal(p->report.returned, 30);
    assert_int_equal(p->progressed, 0);
    has(p, 33, 0, 0);
}

/* ---- The guard ----------------------------------------------------------------------------- */

static void root_missing(void **state)
{
    place *p = *state;
    char aside[PATH];
    write_pictures(p, "", 5, 1);
    index_well(p);
    snprintf(aside, sizeof aside, "%s/aside", p->top);
    assert_int_equal(rename(p->root, aside), 0);
    assert_int_equal(index_root(p), AKIN_E_NOT_FOUND);
    assert_string_equal(p->err.path, p->root);
    assert_non_null(strstr(p->err.message, "--prune"));
    assert_int_equal(p->report.kept, 5);
    assert_int_equal(p->report.missing, 0);
    has(p, 5, 0, 0);
    p->options.prune = true;
    index_well(p);
    assert_int_equal(p->report.missing, 5);
    assert_int_equal(p->report.kept, 0);
    has(p, 0, 5, 0);
    p->options.prune = false;
    assert_int_equal(rename(aside, p->root), 0);
    index_well(p);
    assert_int_equal(p->report.returned, 5);
    assert_int_equal(p->progressed, 0);
    has(p, 5, 0, 0);
}

static void root_empty(void **state)
{
    place *p = *state;
    char aside[PATH];
    write_pictures(p, "", 3, 1); /* few: an empty root is no matter of shares */
    index_well(p);
    snprintf(aside, sizeof aside, "%s/aside", p->top);
    assert_int_equal(rename(p->root, aside), 0);
    make_folder(p->root);
    assert_int_equal(index_root(p), AKIN_E_UNSAFE);
    assert_string_equal(p->err.path, p->root);
    assert_non_null(strstr(p->err.message, "is empty"));
    assert_int_equal(p->report.kept, 3);
    has(p, 3, 0, 0);
    p->options.prune = true;
    index_well(p);
    assert_int_equal(p->report.missing, 3);
    has(p, 0, 3, 0);
    p->options.prune = false;
    index_well(p); /* nothing is left that could leave */
}

static void root_unreadable(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    index_well(p);
    assert_int_equal(chmod(p->root, 0), 0);
    assert_int_equal(index_root(p), AKIN_E_PERMISSION);
    assert_string_equal(p->err.path, p->root);
    assert_int_equal(p->report.kept, 3);
    has(p, 3, 0, 0);
    p->options.prune = true;
    index_well(p);
    assert_int_equal(p->report.missing, 3);
    p->options.prune = false;
    assert_int_equal(chmod(p->root, 0755), 0);
    index_well(p);
    assert_int_equal(p->report.returned, 3);
    has(p, 3, 0, 0);
}

/* Nothing can be said of a folder below the root that cannot be read; the rest goes on. */
static void folder_unreadable(void **state)
{
    place *p = *state;
    char sub[PATH];
    in(p, "sub", sub);
    make_folder(sub);
    write_pictures(p, "", 3, 1);
    write_pictures(p, "sub/", 3, 100);
    index_well(p);
    assert_int_equal(chmod(sub, 0), 0);
    remove_file(p, "001.jpg");
    index_well(p);
    assert_int_equal(p->report.missing, 1);
    assert_int_equal(p->report.skipped, 1);
    assert_int_equal(p->skips, 1);
    assert_string_equal(p->skipped[0].path, sub);
    has(p, 5, 1, 0);
    assert_int_equal(chmod(sub, 0755), 0);
}

static void set_device(const place *p, const char *folder, uint64_t device)
{
    akin_store *store = open_store(p, true);
    assert_int_equal(akin_store_set_device(store, folder, device, NULL), AKIN_OK);
    assert_int_equal(akin_store_commit(store, NULL), AKIN_OK);
    akin_store_close(store);
}

static akin_status take_device(void *context, const char *folder, uint64_t device, akin_error *err)
{
    const char *wanted = ((void **)context)[0];
    uint64_t *out = ((void **)context)[1];
    (void)err;
    if (strcmp(folder, wanted) == 0)
        *out = device;
    return AKIN_OK;
}

static uint64_t get_device(const place *p, const char *folder)
{
    uint64_t device = 0;
    void *context[2] = { (void *)(uintptr_t)folder, &device };
    akin_store *store = open_store(p, false);
    assert_int_equal(akin_store_visit_devices(store, "/", take_device, context, NULL), AKIN_OK);
    akin_store_close(store);
    return device;
}

static void other_device(void **state)
{
    place *p = *state;
    write_pictures(p, "", 5, 1);
    index_well(p);
    const uint64_t device = get_device(p, p->root);
    assert_int_not_equal(device, 0);

    /* All is there: only its device is another. */
    set_device(p, p->root, 12345);
    index_well(p);
    assert_int_equal(get_device(p, p->root), device);
    index_well(p);

    /* One is not. */
    set_device(p, p->root, 12345);
    remove_file(p, "001.jpg");
    write_picture(p, "new.jpg", 99);
    assert_int_equal(index_root(p), AKIN_E_UNSAFE);
    assert_non_null(strstr(p->err.message, "another device"));
    assert_int_equal(p->report.kept, 1);
    assert_int_equal(p->report.indexed, 1); /* all other work is done */
    assert_int_equal(get_device(p, p->root), 12345);
    has(p, 6, 0, 0);
    p->options.prune = true;
    index_well(p);
    assert_int_equal(p->report.missing, 1);
    assert_int_equal(get_device(p, p->root), device);
    has(p, 5, 1, 0);
}

/* A drive that was mounted below the root is not any more: what was on it stays, the rest of the
 * root goes on. */
static void mount_below(void **state)
{
    place *p = *state;
    char drive[PATH];
    in(p, "drive", drive);
    make_folder(drive);
    write_pictures(p, "", 5, 1);
    write_pictures(p, "drive/", 5, 100);
    index_well(p);
    set_device(p, drive, 12345);
    for (unsigned i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "drive/%03u.jpg", i);
        remove_file(p, name);
    }
    remove_file(p, "001.jpg");
    write_picture(p, "backup.jpg", 102); /* a copy of what is on the drive has not moved from it */
    assert_int_equal(index_root(p), AKIN_E_UNSAFE);
    assert_string_equal(p->err.path, drive);
    assert_int_equal(p->report.kept, 5);
    assert_int_equal(p->report.missing, 1);
    assert_int_equal(p->report.duplicates, 1);
    assert_int_equal(p->report.moved, 0);
    has(p, 10, 1, 0);
    /* The place where it was mounted is gone too. */
    assert_int_equal(rmdir(drive), 0);
    assert_int_equal(index_root(p), AKIN_E_UNSAFE);
    has(p, 10, 1, 0);
    p->options.prune = true;
    index_well(p);
    assert_int_equal(p->report.missing, 5);
    assert_int_equal(get_device(p, drive), 0);
    p->options.prune = false;
    index_well(p);
}

static void two_thirds_gone(void **state)
{
    place *p = *state;
    write_pictures(p, "", 36, 1);
    index_well(p);
    for (unsigned i = 0; i < 24; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.jpg", i);
        remove_file(p, name);
    }
    write_picture(p, "new.jpg", 99);
    assert_int_equal(index_root(p), AKIN_E_UNSAFE);
    assert_non_null(strstr(p->err.message, "24 of its 36"));
    assert_int_equal(p->report.kept, 24);
    assert_int_equal(p->report.missing, 0);
    assert_int_equal(p->report.indexed, 1);
    has(p, 37, 0, 0);
    p->options.prune = true;
    index_well(p);
    assert_int_equal(p->report.missing, 24);
    has(p, 13, 24, 0);
}

/* More than half, but 20; then more than 20, but half. */
static void few_or_half_may_leave(void **state)
{
    place *p = *state;
    write_pictures(p, "", 30, 1);
    index_well(p);
    for (unsigned i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.jpg", i);
        remove_file(p, name);
    }
    index_well(p);
    assert_int_equal(p->report.missing, 20);
    write_pictures(p, "", 44, 1000);
    index_well(p);
    has(p, 44, 0, 0);
    for (unsigned i = 0; i < 22; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.jpg", i);
        remove_file(p, name);
    }
    index_well(p);
    assert_int_equal(p->report.missing, 22);
    has(p, 22, 22, 0);
}

/* A root that is away does not keep others from being indexed, and one that was not given is not
 * looked at. */
static void other_folders(void **state)
{
    place *p = *state;
    char aside[PATH], second[PATH], empty[PATH];
    write_pictures(p, "", 5, 1);
    index_well(p);
    snprintf(second, sizeof second, "%s/second", p->top);
    snprintf(empty, sizeof empty, "%s/empty", p->top);
    make_folder(second);
    make_folder(empty);
    snprintf(aside, sizeof aside, "%s/aside", p->top);
    assert_int_equal(rename(p->root, aside), 0);
    const char *one[1] = { second };
    unsigned char bytes[128];
    char path[PATH + 8];
    snprintf(path, sizeof path, "%s/a.jpg", second);
    write_bytes(path, bytes, picture_bytes(500, bytes));
    snprintf(path, sizeof path, "%s/b.jpg", second); /* known, and its old place not given */
    write_bytes(path, bytes, picture_bytes(1, bytes));
    assert_int_equal(index_paths(p, one, 1), AKIN_OK);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.duplicates, 1);
    assert_int_equal(p->report.missing, 0);
    has(p, 7, 0, 0);

    const char *three[3] = { p->root, second, empty };
    snprintf(path, sizeof path, "%s/c.jpg", second);
    write_bytes(path, bytes, picture_bytes(501, bytes));
    assert_int_equal(index_paths(p, three, 3), AKIN_E_NOT_FOUND);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.unchanged, 2);
    assert_int_equal(p->report.kept, 5);
    has(p, 8, 0, 0);
}

static void root_that_never_was(void **state)
{
    place *p = *state;
    char nowhere[PATH];
    write_pictures(p, "", 2, 1);
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", p->top);
    const char *paths[2] = { nowhere, p->root };
    assert_int_equal(index_paths(p, paths, 2), AKIN_E_NOT_FOUND);
    assert_string_equal(p->err.path, nowhere);
    assert_int_equal(p->report.indexed, 2);
    has(p, 2, 0, 0);
    p->options.prune = true; /* which is no reason to take a wrong name for a folder */
    assert_int_equal(index_paths(p, paths, 2), AKIN_E_NOT_FOUND);
}

/* A folder inside another that is given too: whoever of the two is away keeps it. */
static void roots_overlap(void **state)
{
    place *p = *state;
    char sub[PATH];
    in(p, "sub", sub);
    make_folder(sub);
    write_pictures(p, "", 5, 1);
    write_pictures(p, "sub/", 5, 100);
    const char *paths[3] = { sub, p->root, sub };
    assert_int_equal(index_paths(p, paths, 3), AKIN_OK);
    assert_int_equal(p->report.indexed, 10);
    assert_int_equal(index_paths(p, paths, 3), AKIN_OK);
    assert_int_equal(p->report.unchanged, 10);
    for (unsigned i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "sub/%03u.jpg", i);
        remove_file(p, name);
    }
    assert_int_equal(index_paths(p, paths, 3), AKIN_E_UNSAFE);
    assert_string_equal(p->err.path, sub);
    assert_int_equal(p->report.kept, 5);
    has(p, 10, 0, 0);
    index_well(p); /* the outer one alone: five files may leave it */
    assert_int_equal(p->report.missing, 5);
}

/* ---- Broken files -------------------------------------------------------------------------- */

static void skip_list(void **state)
{
    place *p = *state;
    char path[PATH];
    unsigned char bytes[128];
    picture_bytes(5, bytes);
    write_pictures(p, "", 2, 1);
    write_text(p, "text.jpg", "not a picture at all\n");
    in(p, "cut.jpg", path);
    write_bytes(path, bytes, 60);
    write_text(p, "empty.png", "");
    index_well(p);
    assert_int_equal(p->report.indexed, 2);
    assert_int_equal(p->report.skipped, 3);
    assert_int_equal(p->skips, 3);
    for (int i = 0; i < 3; i++)
        assert_true(p->skipped[i].message[0] != '\0' && p->skipped[i].path[0] == '/');
    assert_int_equal(summary(p).skipped, 3);

    index_well(p); /* silent */
    assert_int_equal(p->report.skipped, 0);
    assert_int_equal(p->report.skipped_before, 3);
    assert_int_equal(p->skips, 0);
    assert_int_equal(p->progressed, 0);

    assert_int_equal(chmod(path, 0600), 0); /* its ctime */
    index_well(p);
    assert_int_equal(p->report.skipped, 1);
    assert_int_equal(p->report.skipped_before, 2);

    p->options.settings = "2"; /* a newer akin, say */
    index_well(p);
    assert_int_equal(p->report.skipped, 3);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 3);

    write_picture(p, "cut.jpg", 5);
    remove_file(p, "text.jpg");
    index_well(p);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.skipped_before, 1);
    assert_int_equal(summary(p).skipped, 1); /* empty.png */
    has(p, 3, 0, 0);
}

/* A picture that was whole and is broken now: its vector is of what was there, so it is not shown,
 * and not thrown away. */
static void becomes_broken(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    set_time(p, "001.jpg", 1000000000);
    index_well(p);
    const seen before = look(p, "001.jpg");
    write_text(p, "001.jpg", "oh");
    index_well(p);
    assert_int_equal(p->report.skipped, 1);
    assert_int_equal(p->report.missing, 1);
    has(p, 2, 1, 0);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 1);
    assert_int_equal(p->report.missing, 0);
    has(p, 2, 1, 0);
    write_picture(p, "001.jpg", 2);
    set_time(p, "001.jpg", 1000000000); /* from a backup */
    index_well(p);
    assert_int_equal(p->report.returned, 1);
    assert_int_equal(atomic_load(&p->encoded), 0);
    assert_int_equal(look(p, "001.jpg").id, before.id);
    assert_int_equal(summary(p).skipped, 0);
    has(p, 3, 0, 0);
}

static void file_unreadable(void **state)
{
    place *p = *state;
    char path[PATH];
    write_pictures(p, "", 3, 1);
    in(p, "001.jpg", path);
    assert_int_equal(chmod(path, 0), 0);
    index_well(p);
    assert_int_equal(p->report.skipped, 1);
    assert_int_equal(p->skipped[0].code, AKIN_E_PERMISSION);
    assert_string_equal(p->skipped[0].path, path);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 1);
    assert_int_equal(chmod(path, 0644), 0);
    index_well(p);
    assert_int_equal(p->report.indexed, 1);
    has(p, 3, 0, 0);
}

static void link_to_itself(void **state)
{
    place *p = *state;
    char path[PATH];
    write_pictures(p, "", 2, 1);
    in(p, "loop.jpg", path);
    assert_int_equal(symlink("loop.jpg", path), 0);
    index_well(p);
    assert_int_equal(p->report.indexed, 2);
    assert_int_equal(p->report.skipped, 1);
    assert_string_equal(p->skipped[0].path, path);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 1);
}

static void equal_and_broken(void **state)
{
    place *p = *state;
    for (unsigned i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "%02u.jpg", i);
        write_text(p, name, "the same text");
    }
    p->options.workers = 4;
    index_well(p);
    assert_int_equal(p->report.skipped, 20);
    for (int i = 0; i < 20; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(p->skipped[i].path, p->skipped[k].path);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 20);
}

static void no_number(void **state)
{
    place *p = *state;
    char path[PATH];
    write_pictures(p, "", 6, 1);
    write_picture(p, "nan.jpg", NOT_A_NUMBER);
    in(p, "nan.jpg", path);
    p->options.workers = 1;
    index_well(p);
    assert_int_equal(p->report.indexed, 6);
    assert_int_equal(p->report.skipped, 1);
    assert_int_equal(p->skipped[0].code, AKIN_E_NONFINITE);
    assert_string_equal(p->skipped[0].path, path);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 1);
}

/* A batch that cannot be encoded is tried picture by picture. */
static void batch_fails(void **state)
{
    place *p = *state;
    write_pictures(p, "", 9, 1);
    p->fail_batches = true;
    index_well(p);
    assert_int_equal(p->report.indexed, 9);
    assert_int_equal(p->report.skipped, 0);
}

/* ---- Names --------------------------------------------------------------------------------- */

static void named_files(void **state)
{
    place *p = *state;
    char picture[PATH], text[PATH], nowhere[PATH];
    write_pictures(p, "", 3, 1);
    write_text(p, "notes.doc", "not a picture\n");
    in(p, "001.jpg", picture);
    in(p, "notes.doc", text);
    in(p, "nowhere.jpg", nowhere);
    const char *paths[2] = { picture, text };
    assert_int_equal(index_paths(p, paths, 2), AKIN_OK);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.skipped, 1);
    assert_string_equal(p->skipped[0].path, text);
    has(p, 1, 0, 0);
    index_well(p); /* in a folder it is left alone */
    assert_int_equal(p->report.indexed, 2);
    assert_int_equal(p->report.unchanged, 1);
    assert_int_equal(p->report.skipped, 0);

    paths[1] = nowhere;
    assert_int_equal(index_paths(p, paths, 2), AKIN_E_NOT_FOUND);
    assert_string_equal(p->err.path, nowhere);
    assert_int_equal(p->report.unchanged, 1);

    /* One that was there. */
    assert_int_equal(unlink(picture), 0);
    assert_int_equal(index_paths(p, paths, 1), AKIN_E_NOT_FOUND);
    assert_int_equal(p->report.kept, 1);
    has(p, 3, 0, 0);
    p->options.prune = true;
    assert_int_equal(index_paths(p, paths, 1), AKIN_OK);
    assert_int_equal(p->report.missing, 1);
    has(p, 2, 1, 0);
}

static void no_ending(void **state)
{
    place *p = *state;
    write_text(p, "README", "text without an ending is nobody's picture\n");
    write_text(p, "EMPTY", "");
    write_picture(p, "IMG_1", 7);
    index_well(p);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.skipped, 0);
    assert_int_equal(p->skips, 0);
    assert_true(look(p, "IMG_1").there);
    assert_int_equal(summary(p).skipped, 0);
}

/* Names are bytes. */
static void strange_names(void **state)
{
    place *p = *state;
    static const char *const names[] = { "with blank.jpg", "\xe7\x8c\xab.jpg", "\xff\xfe.jpg",
                                         "new\nline.jpg", "\x1b[31mred.jpg", "-x.jpg" };
    for (unsigned i = 0; i < 6; i++)
        write_picture(p, names[i], i);
    index_well(p);
    assert_int_equal(p->report.indexed, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_true(look(p, names[i]).there);
    index_well(p);
    assert_int_equal(p->report.unchanged, 6);
}

/* ---- Words beside pictures ----------------------------------------------------------------- */

static void sidecar_changes(void **state)
{
    place *p = *state;
    write_pictures(p, "", 3, 1);
    write_text(p, "001.txt", "a cat on a fence");
    index_well(p);
    const seen before = look(p, "001.jpg");
    assert_non_null(strstr(before.metadata, "a cat on a fence"));
    write_text(p, "001.txt", "a dog under a table, asleep");
    index_well(p);
    assert_int_equal(p->report.unchanged, 3);
    assert_int_equal(p->report.indexed + p->report.duplicates + p->report.returned, 0);
    assert_int_equal(atomic_load(&p->preprocessed), 0);
    const seen after = look(p, "001.jpg");
    assert_non_null(strstr(after.metadata, "a dog under"));
    assert_int_equal(after.id, before.id);
    assert_int_equal(after.width, 4);
    index_well(p);
    assert_int_equal(p->progressed, 0);
    remove_file(p, "001.txt");
    index_well(p);
    assert_null(strstr(look(p, "001.jpg").metadata, "a dog under"));

    write_text(p, "002.txt", "\xff\xfe\xfd broken");
    index_well(p);
    assert_int_equal(p->notes, 1); /* done, and a person should know */
    assert_int_equal(p->report.skipped, 0);
    index_well(p);
    assert_int_equal(p->notes, 0);
}

/* ---- Videos ------------------------------------------------------------------------------- */

static void write_video(const place *p, const char *name, const char *golden)
{
    char from[PATH], to[PATH];
    akin_buffer bytes;
    snprintf(from, sizeof from, "tests/golden/video/%s", golden);
    in(p, name, to);
    assert_int_equal(akin_file_read(from, "video", 1 << 24, &bytes, NULL), AKIN_OK);
    write_bytes(to, bytes.data, bytes.size);
    akin_buffer_clear(&bytes);
}

/* The module is built where FFmpeg is; without it each video is a skip that says so. */
static bool without_module(place *p)
{
    if (p->report.skipped == 0 || p->skipped[0].code != AKIN_E_UNSUPPORTED)
        return false;
    print_message("skipped: %s\n", p->skipped[0].message);
    assert_true(p->skipped[0].path[0] == '/');
    index_well(p);
    assert_int_equal(p->report.skipped_before, 1);
    p->options.settings = "with the module"; /* tried again */
    index_well(p);
    assert_int_equal(p->report.skipped, 1);
    return true;
}

static akin_status add_part(void *context, const akin_item *item, akin_error *err)
{
    int64_t *parts = context;
    (void)err;
    if (item->part >= 0)
        parts[++parts[0]] = item->part;
    return AKIN_OK;
}

/* parts[0]: how many, then they. */
static void video_parts(const place *p, const char *name, int64_t parts[64])
{
    char path[PATH];
    in(p, name, path);
    parts[0] = 0;
    akin_store *store = open_store(p, false);
    assert_int_equal(akin_store_visit(store, path, add_part, parts, NULL), AKIN_OK);
    akin_store_close(store);
}

static void videos(void **state)
{
    place *p = *state;
    char path[PATH];
    int64_t parts[64], again[64];
    write_pictures(p, "", 2, 1);
    write_video(p, "film.mp4", "plain.mp4");
    index_well(p); /* left alone */
    assert_int_equal(p->report.indexed, 2);
    p->options.frame_seconds = 1;
    index_well(p);
    if (without_module(p))
        return;
    video_parts(p, "film.mp4", parts);
    assert_true(parts[0] >= 2);
    assert_int_equal(p->report.indexed, parts[0]);
    assert_int_equal(p->report.unchanged, 2);
    has(p, 2 + (size_t)parts[0], 0, 0);

    akin_store *store = open_store(p, false);
    akin_item item;
    in(p, "film.mp4", path);
    assert_int_equal(akin_store_item(store, path, parts[2], &item, NULL), AKIN_OK);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"seconds\":%d.%03d", (int)(parts[2] / 1000),
             (int)(parts[2] % 1000));
    assert_non_null(strstr(item.facts.metadata, wanted));
    assert_non_null(strstr(item.facts.metadata, "\"interval\":1.000"));
    assert_true(item.facts.width > 0);
    akin_store_close(store);

    index_well(p);
    assert_int_equal(p->report.unchanged, 3);
    assert_int_equal(p->progressed, 0);

    write_video(p, "copy.mp4", "plain.mp4");
    index_well(p);
    assert_int_equal(p->report.duplicates, 1);
    assert_int_equal(atomic_load(&p->preprocessed), 0);
    video_parts(p, "copy.mp4", again);
    assert_memory_equal(parts, again, sizeof *parts * (size_t)(parts[0] + 1));

    move_file(p, "copy.mp4", "moved.mp4");
    index_well(p);
    assert_int_equal(p->report.moved, 1);
    assert_int_equal(p->report.missing, 0);
    assert_int_equal(atomic_load(&p->preprocessed), 0);
    video_parts(p, "moved.mp4", again);
    assert_memory_equal(parts, again, sizeof *parts * (size_t)(parts[0] + 1));

    remove_file(p, "moved.mp4");
    index_well(p);
    assert_int_equal(p->report.missing, parts[0]); /* items */

    /* Another film in its place: no frame of the old one is left. */
    write_video(p, "film.mp4", "short.mp4");
    set_time(p, "film.mp4", 1000000000);
    index_well(p);
    video_parts(p, "film.mp4", again);
    assert_true(again[0] > 0 && again[0] < parts[0]);
    assert_int_equal(p->report.indexed, again[0]);
    has(p, 2 + (size_t)again[0], (size_t)parts[0], 0);

    p->options.frame_seconds = 0;
    index_well(p);
    assert_int_equal(p->report.hidden, again[0]);
    p->options.frame_seconds = 1;
    index_well(p);
    assert_int_equal(p->report.returned, 1);
    assert_int_equal(p->progressed, 0);
}

static void dark_video(void **state)
{
    place *p = *state;
    char path[PATH];
    write_video(p, "dark.mp4", "black.mp4");
    in(p, "dark.mp4", path);
    p->options.frame_seconds = 1;
    index_well(p);
    if (without_module(p))
        return;
    assert_int_equal(p->report.indexed, 0);
    assert_int_equal(p->report.skipped, 1);
    assert_string_equal(p->skipped[0].path, path);
    index_well(p);
    assert_int_equal(p->report.skipped_before, 1);
}

static void equal_videos(void **state)
{
    place *p = *state;
    int64_t parts[64];
    for (unsigned i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u.mp4", i);
        write_video(p, name, "plain.mp4");
    }
    p->options.frame_seconds = 1;
    p->options.workers = 4;
    index_well(p);
    if (p->report.skipped != 0)
        return;
    video_parts(p, "5.mp4", parts);
    assert_int_equal(p->report.indexed, parts[0]);
    assert_int_equal(p->report.duplicates, 5);
    assert_int_equal(summary(p).contents, parts[0]);
    has(p, 6 * (size_t)parts[0], 0, 0);
}

/* ---- Stopping ------------------------------------------------------------------------------ */

/* What a reader sees while the run goes on. */
static void committed_meanwhile(void **state)
{
    place *p = *state;
    write_pictures(p, "", 600, 1);
    p->watched = true;
    p->options.commit_seconds = 1000;
    index_well(p);
    assert_true(p->live_meanwhile >= 512 && p->live_meanwhile < 600);
    p->live_meanwhile = 0;
    write_pictures(p, "x", 40, 1000);
    p->options.commit_seconds = 1e-6;
    index_well(p);
    assert_true(p->live_meanwhile > 600);
}

static void stopped_and_again(void **state)
{
    place *p = *state;
    write_pictures(p, "", 40, 1);
    size_t indexed = 0;
    int runs = 0;
    akin_status status;
    do {
        atomic_store(&p->stop_after, 7);
        status = index_root(p);
        indexed += p->report.indexed;
        assert_int_equal(p->report.missing, 0);
        assert_int_equal(summary(p).live, indexed);
        assert_int_equal((size_t)atomic_load(&p->encoded), p->report.indexed);
        runs++;
    } while (status == AKIN_E_STOPPED && runs < 20);
    assert_int_equal(status, AKIN_OK);
    assert_true(runs > 3);
    assert_int_equal(indexed, 40);
    has(p, 40, 0, 0);
}

/* A disk that is full ends the run; nothing of it counts, and the next one does it all. */
static void disk_full(void **state)
{
    place *p = *state;
    write_pictures(p, "", 40, 1);
    index_well(p);
    write_pictures(p, "", 80, 1000); /* the first forty changed */
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    p->file_limit = 30000;
    const akin_status status = index_root(p);
    p->file_limit = 0;
    limit_files(RLIM_INFINITY);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, AKIN_E_IO);
    assert_int_equal(p->report.indexed, 0);
    assert_int_equal(p->report.missing, 0);
    has(p, 40, 0, 0);
    index_well(p);
    assert_int_equal(p->report.indexed, 80);
    has(p, 80, 0, 0);
}

static void workers_agree(void **state)
{
    place *p = *state;
    write_pictures(p, "", 50, 1);
    write_picture(p, "copy.jpg", 3);
    p->options.workers = 1;
    index_well(p);
    char *one = dump(p);
    assert_int_equal(folder_remove(p->db), 0);
    assert_int_equal(akin_store_create(p->db, &first_model, NULL, NULL), AKIN_OK);
    p->options.workers = 4;
    index_well(p);
    char *four = dump(p);
    assert_true(strlen(one) > 51 * 20);
    assert_string_equal(one, four);
    free(one);
    free(four);
}

/* ---- Dry run ------------------------------------------------------------------------------- */

static void dry_run(void **state)
{
    place *p = *state;
    const akin_embedder embedder = fake(p);
    const char *paths[1] = { p->root };
    write_pictures(p, "", 30, 1);
    p->options.dry_run = true;
    assert_int_equal(
        akin_ingest(NULL, &embedder, paths, 1, &p->options, &p->report, &p->err), AKIN_OK);
    assert_int_equal(p->report.new_files, 30);
    index_well(p);
    assert_int_equal(p->report.new_files, 30);
    assert_int_equal(p->report.indexed, 0);
    has(p, 0, 0, 0);
    p->options.dry_run = false;
    index_well(p);

    p->options.dry_run = true;
    remove_file(p, "000.jpg");
    write_picture(p, "001.jpg", 500);
    set_time(p, "001.jpg", 1000000000);
    move_file(p, "002.jpg", "moved.jpg");
    write_picture(p, "new.jpg", 600);
    char *before = dump(p);
    index_well(p);
    assert_int_equal(p->report.missing, 1);
    assert_int_equal(p->report.changed_files, 1);
    assert_int_equal(p->report.moved, 1);
    assert_int_equal(p->report.new_files, 1);
    assert_int_equal(p->report.unchanged, 27);
    assert_int_equal(atomic_load(&p->preprocessed), 0);
    char *after = dump(p);
    assert_string_equal(before, after);
    free(before);
    free(after);
    for (unsigned i = 5; i < 29; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.jpg", i);
        remove_file(p, name);
    }
    assert_int_equal(index_root(p), AKIN_E_UNSAFE); /* as the run itself would */
    assert_int_equal(p->report.kept, 25);
    assert_int_equal(p->report.missing, 0);
}

/* ---- Another model ------------------------------------------------------------------------- */

static const akin_store_model second_model = { .identity = "bb", .name = "other",
                                               .path = "/other", .form = "hf",
                                               .dimensions = DIMS, .type = AKIN_VECTOR_F32 };

static akin_status reindex(place *p)
{
    const akin_embedder embedder = fake(p);
    forget_told(p);
    akin_store *store = open_store(p, true);
    assert_int_equal(akin_store_rebuild_begin(store, &second_model, NULL), AKIN_OK);
    const akin_status status =
        akin_reindex_run(store, &embedder, &p->options, &p->report, &p->err);
    akin_store_close(store);
    return status;
}

static const char *identity(const place *p, char out[8])
{
    akin_store *store = open_store(p, false);
    snprintf(out, 8, "%s", akin_store_get_model(store)->identity);
    akin_store_close(store);
    return out;
}

static void another_model(void **state)
{
    place *p = *state;
    char id[8];
    write_pictures(p, "", 30, 1);
    write_picture(p, "copy.jpg", 3);
    index_well(p);
    char *old = dump(p);
    p->turn = 1;
    atomic_store(&p->stop_after, 7);
    assert_int_equal(reindex(p), AKIN_E_STOPPED);
    const size_t first = p->report.indexed;
    assert_true(first >= 7 && first < 30);
    assert_string_equal(identity(p, id), "aa");
    char *meanwhile = dump(p);
    assert_string_equal(old, meanwhile);
    atomic_store(&p->stop_after, 0);
    assert_int_equal(reindex(p), AKIN_OK);
    assert_int_equal(p->report.indexed, 30 - first); /* goes on where it was */
    assert_string_equal(identity(p, id), "bb");
    has(p, 31, 0, 0);
    char *new = dump(p);
    assert_string_not_equal(old, new);
    index_well(p);
    assert_int_equal(p->report.unchanged, 31);
    free(old);
    free(meanwhile);
    free(new);
}

static void another_model_and_a_drive_away(void **state)
{
    place *p = *state;
    char aside[PATH], id[8];
    write_pictures(p, "", 5, 1);
    index_well(p);
    snprintf(aside, sizeof aside, "%s/aside", p->top);
    assert_int_equal(rename(p->root, aside), 0);
    assert_int_equal(reindex(p), AKIN_E_UNSAFE);
    assert_string_equal(identity(p, id), "aa");
    assert_int_equal(p->report.kept, 5);
    has(p, 5, 0, 0);
    assert_int_equal(rename(aside, p->root), 0);
    write_picture(p, "001.jpg", 100); /* changed since: the next index reads it */
    assert_int_equal(reindex(p), AKIN_OK);
    assert_int_equal(p->report.indexed, 4);
    assert_int_equal(p->report.skipped, 1);
    assert_string_equal(identity(p, id), "bb");
    index_well(p);
    assert_int_equal(p->report.indexed, 1);
    assert_int_equal(p->report.unchanged, 4);
    has(p, 5, 0, 0);
}

/* More contents than one page of the list holds: the model begins once. */
static void another_model_in_pages(void **state)
{
    place *p = *state;
    write_pictures(p, "", 2100, 1);
    index_well(p);
    assert_int_equal(reindex(p), AKIN_OK);
    assert_int_equal(p->report.indexed, 2100);
    assert_int_equal(p->begun, 1);
    has(p, 2100, 0, 0);
}

/* Most of the files are gone: nothing is swapped, unless they are gone for good. */
static void another_model_and_most_gone(void **state)
{
    place *p = *state;
    char id[8];
    write_pictures(p, "", 30, 1);
    index_well(p);
    for (unsigned i = 0; i < 22; i++) {
        char name[32];
        snprintf(name, sizeof name, "%03u.jpg", i);
        remove_file(p, name);
    }
    assert_int_equal(reindex(p), AKIN_E_UNSAFE);
    assert_int_equal(p->report.indexed, 8);
    assert_int_equal(p->report.skipped, 22);
    assert_int_equal(p->report.kept, 22);
    assert_string_equal(identity(p, id), "aa");
    has(p, 30, 0, 0);
    p->options.prune = true;
    assert_int_equal(reindex(p), AKIN_OK);
    assert_int_equal(p->report.indexed, 0);
    assert_int_equal(p->report.unchanged, 8);
    assert_int_equal(p->report.missing, 22);
    assert_string_equal(identity(p, id), "bb");
    p->options.prune = false;
    write_pictures(p, "", 30, 1); /* after all */
    index_well(p);
    assert_int_equal(p->report.indexed, 22);
    has(p, 30, 0, 0);
    char *all = dump(p); /* each with its vector */
    free(all);
}

/* A content is read wherever it still is. */
static void another_model_and_a_copy(void **state)
{
    place *p = *state;
    write_pictures(p, "", 5, 1);
    write_picture(p, "copy.jpg", 2);
    index_well(p);
    remove_file(p, "001.jpg");
    assert_int_equal(reindex(p), AKIN_OK);
    assert_int_equal(p->report.indexed, 5);
    assert_int_equal(p->report.skipped, 0);
}

static void another_model_and_a_video(void **state)
{
    place *p = *state;
    int64_t parts[64];
    write_pictures(p, "", 2, 1);
    write_video(p, "film.mp4", "plain.mp4");
    p->options.frame_seconds = 1;
    index_well(p);
    if (p->report.skipped != 0)
        return;
    video_parts(p, "film.mp4", parts);
    p->options.frame_seconds = 7; /* the frames it has, not those of today's interval */
    assert_int_equal(reindex(p), AKIN_OK);
    assert_int_equal(p->report.indexed, 2 + parts[0]);
    assert_int_equal(p->report.skipped, 0);
    has(p, 2 + (size_t)parts[0], 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, finish)
#define BOUND_TEST(name) cmocka_unit_test_setup_teardown(name, start_bound, finish_bound)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(twice),
        TEST(touched),
        TEST(changed),
        TEST(moved),
        TEST(folder_renamed),
        TEST(moved_of_two),
        TEST(copied),
        TEST(equal_at_once),
        TEST(away_and_back),
        TEST(folder_in_its_place),
        TEST(links),
        TEST(hidden_by_a_rule),
        TEST(root_missing),
        TEST(root_empty),
        BOUND_TEST(root_unreadable),
        BOUND_TEST(folder_unreadable),
        TEST(other_device),
        TEST(mount_below),
        TEST(two_thirds_gone),
        TEST(few_or_half_may_leave),
        TEST(other_folders),
        TEST(root_that_never_was),
        TEST(roots_overlap),
        TEST(skip_list),
        TEST(becomes_broken),
        BOUND_TEST(file_unreadable),
        TEST(link_to_itself),
        TEST(equal_and_broken),
        TEST(no_number),
        TEST(batch_fails),
        TEST(named_files),
        TEST(no_ending),
        TEST(strange_names),
        TEST(sidecar_changes),
        TEST(videos),
        TEST(dark_video),
        TEST(equal_videos),
        TEST(committed_meanwhile),
        TEST(stopped_and_again),
        TEST(disk_full),
        TEST(workers_agree),
        TEST(dry_run),
        TEST(another_model),
        TEST(another_model_and_a_drive_away),
        TEST(another_model_in_pages),
        TEST(another_model_and_most_gone),
        TEST(another_model_and_a_copy),
        TEST(another_model_and_a_video),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
