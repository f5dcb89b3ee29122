/* test_collections_threads.c - akin.h from several threads of one program: four search, each with a
 * handle and a session of its own over one model, while one indexes, compacts, and indexes again.
 * To be run under ThreadSanitizer (make tsan). */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "akin.h"
#include "folder.h"

#define MODEL "tests/golden/clip/tiny-a"
enum { READERS = 4, KEPT = 10, CHANGING = 6, ROUNDS = 12 };

typedef struct place {
    char folder[64], pictures[96], db[96];
    akin_model *model;
    atomic_bool stop;
} place;

typedef struct reader {
    place *place;
    int number;
    size_t searches;
    char wrong[600]; /* empty: nothing */
} reader;

static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) != 0;)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Picture `which` of tests/photos as `name`. */
static void put_picture(const place *p, int which, const char *name)
{
    char from[64], to[140];
    snprintf(from, sizeof from, "tests/photos/%03d.jpg", which);
    snprintf(to, sizeof to, "%s/%s", p->pictures, name);
    copy_file(from, to);
}

static void index_it(place *p)
{
    akin_collection_options how = AKIN_COLLECTION_OPTIONS_INIT;
    akin_index_options options = AKIN_INDEX_OPTIONS_INIT;
    akin_index_report report = AKIN_INDEX_REPORT_INIT;
    const char *paths[] = { p->pictures };
    akin_collection *c;
    akin_error err = { 0 };
    how.write = true;
    how.wait = 30;
    how.model = p->model;
    options.workers = 2;
    options.prune = true;
    akin_status status = akin_collection_open(&c, p->db, "images", &how, &err);
    if (status == AKIN_OK)
        status = akin_index(c, p->model, paths, 1, &options, &report, &err);
    if (status != AKIN_OK)
        fail_msg("index: %s: %s", err.path, err.message);
    akin_collection_close(c);
}

static void compact_it(place *p)
{
    akin_collection_options how = AKIN_COLLECTION_OPTIONS_INIT;
    akin_collection *c;
    akin_error err = { 0 };
    uint64_t reclaimed;
    how.write = true;
    akin_status status = akin_collection_open(&c, p->db, "images", &how, &err);
    if (status == AKIN_OK)
        status = akin_collection_compact(c, true, &reclaimed, &err);
    if (status != AKIN_OK)
        fail_msg("compact: %s: %s", err.path, err.message);
    akin_collection_close(c);
}

static int setup(void **state)
{
    place *p = calloc(1, sizeof *p);
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    char name[32];
    assert_int_equal(folder_make(p->folder, sizeof p->folder, "threads"), 0);
    snprintf(p->pictures, sizeof p->pictures, "%s/p", p->folder);
    snprintf(p->db, sizeof p->db, "%s/db", p->folder);
    assert_int_equal(mkdir(p->pictures, 0777), 0);
    assert_int_equal(setenv("AKIN_HOME", p->folder, 1), 0);
    assert_int_equal(akin_model_open(&p->model, MODEL, &options, NULL), AKIN_OK);
    for (int i = 1; i <= KEPT; i++) {
        snprintf(name, sizeof name, "kept%d.jpg", i);
        put_picture(p, i, name);
    }
    index_it(p);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    place *p = *state;
    akin_model_close(p->model);
    const int removed = folder_remove(p->folder);
    free(p);
    return removed;
}

/* Hits that one state of the collection explains. */
static void check_hits(reader *r, const akin_hits *hits)
{
    size_t kept = 0;
    for (size_t i = 0; i < hits->count && r->wrong[0] == '\0'; i++) {
        const akin_hit *hit = &hits->hits[i];
        kept += strstr(hit->path, "/kept") != NULL;
        if (!(hit->score >= -1.001f && hit->score <= 1.001f))
            snprintf(r->wrong, sizeof r->wrong, "score %g", (double)hit->score);
        if (i > 0 && hit->score > hits->hits[i - 1].score)
            snprintf(r->wrong, sizeof r->wrong, "hit %zu is better than the one before", i);
        for (size_t j = 0; j < i; j++)
            if (strcmp(hit->path, hits->hits[j].path) == 0)
                snprintf(r->wrong, sizeof r->wrong, "twice: %.200s", hit->path);
    }
    if (r->wrong[0] == '\0' && (kept != KEPT || hits->count > KEPT + CHANGING ||
                                hits->count != hits->items))
        snprintf(r->wrong, sizeof r->wrong, "%zu hits of %zu items, %zu of them kept",
                 hits->count, hits->items, kept);
}

static void *search_on(void *context)
{
    reader *r = context;
    akin_collection *c = NULL;
    akin_session *session = NULL;
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    akin_error err = { 0 };
    char text[64], own[200];
    options.threads = 1;
    akin_status status = akin_collection_open(&c, r->place->db, "images", NULL, &err);
    if (status == AKIN_OK)
        status = akin_session_new(&session, r->place->model, &options, &err);
    snprintf(own, sizeof own, "%s/kept%d.jpg", r->place->pictures, r->number + 1);
    while (status == AKIN_OK && r->wrong[0] == '\0' && !atomic_load(&r->place->stop)) {
        akin_query query = AKIN_QUERY_INIT;
        akin_hits *hits = NULL;
        const bool picture = r->searches % 3 == 2;
        snprintf(text, sizeof text, "picture %zu of reader %d", r->searches, r->number);
        query.text = picture ? NULL : text;
        query.image.path = picture ? own : NULL;
        query.with_self = true;
        query.k = 1000;
        status = akin_search(c, session, &query, &hits, &err);
        if (status != AKIN_OK)
            break;
        check_hits(r, hits);
        if (picture && r->wrong[0] == '\0' && strcmp(hits->hits[0].path, own) != 0)
            snprintf(r->wrong, sizeof r->wrong, "a picture does not find itself");
        akin_hits_free(hits);
        r->searches++;
        if (r->searches % 16 == 0) { /* another handle now and then */
            akin_collection_close(c);
            c = NULL;
            status = akin_collection_open(&c, r->place->db, "images", NULL, &err);
        }
    }
    if (status != AKIN_OK)
        snprintf(r->wrong, sizeof r->wrong, "%.200s: %.300s", err.path, err.message);
    akin_session_free(session);
    akin_collection_close(c);
    return NULL;
}

static void one_writes_four_search(void **state)
{
    place *p = *state;
    pthread_t threads[READERS];
    reader readers[READERS] = { 0 };
    char name[32], path[200];
    for (int i = 0; i < READERS; i++) {
        readers[i].place = p;
        readers[i].number = i;
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, &readers[i]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CHANGING; i++) {
            snprintf(path, sizeof path, "%s/changes%d.jpg", p->pictures, i);
            if ((round + i) % 3 == 0) {
                unlink(path);
            } else {
                snprintf(name, sizeof name, "changes%d.jpg", i);
                put_picture(p, 20 + (round * 7 + i) % 200, name);
            }
        }
        index_it(p);
        if (round % 4 == 3)
            compact_it(p);
    }
    atomic_store(&p->stop, true);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < READERS; i++) {
        assert_string_equal(readers[i].wrong, "");
        assert_true(readers[i].searches > 0);
    }
}

/* Two handles for writing in one program exclude each other as two programs do. */
static void two_writers(void **state)
{
    place *p = *state;
    akin_collection_options how = AKIN_COLLECTION_OPTIONS_INIT;
    akin_collection *one, *two;
    akin_error err;
    char pid[32];
    how.write = true;
    assert_int_equal(akin_collection_open(&one, p->db, "images", &how, NULL), AKIN_OK);
    assert_int_equal(akin_collection_open(&two, p->db, "images", &how, &err), AKIN_E_BUSY);
    assert_null(two);
    snprintf(pid, sizeof pid, "process %ld on host", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    /* Closing a reader gives nothing up. */
    assert_int_equal(akin_collection_open(&two, p->db, "images", NULL, NULL), AKIN_OK);
    akin_collection_close(two);
    assert_int_equal(akin_collection_open(&two, p->db, "images", &how, NULL), AKIN_E_BUSY);
    akin_collection_close(one);
    assert_int_equal(akin_collection_open(&two, p->db, "images", &how, NULL), AKIN_OK);
    akin_collection_close(two);
}

static void tell_fault(void *context, const char *path, const char *message, bool repaired)
{
    (void)context, (void)repaired;
    fprintf(stderr, "%s: %s\n", path != NULL ? path : "", message);
}

static void clean_at_the_end(void **state)
{
    place *p = *state;
    akin_collection *c;
    size_t faults, repaired;
    assert_int_equal(akin_collection_open(&c, p->db, "images", NULL, NULL), AKIN_OK);
    assert_int_equal(akin_collection_verify(c, false, tell_fault, NULL, &faults, &repaired, NULL),
                     AKIN_OK);
    assert_int_equal(faults, 0);
    akin_collection_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_writes_four_search),
        cmocka_unit_test(two_writers),
        cmocka_unit_test(clean_at_the_end),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
