/* test_watch.c - rag/watch.c: what wakes it, what does not, and what it says of itself. */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "folder.h"
#include "rag/watch.h"

static char top[PATH_MAX];

static int begin(void **state)
{
    (void)state;
    return folder_make(top, sizeof top, "watch");
}

static int end(void **state)
{
    (void)state;
    return folder_remove(top);
}

static const char *at(const char *name)
{
    static char paths[4][2 * PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", top, name);
    return path;
}

static void put(const char *name)
{
    FILE *f = fopen(at(name), "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void put_folder(const char *name) { assert_int_equal(mkdir(at(name), 0700), 0); }

/* ---- waiting, for so many questions whether to stop (one each 0.2 s) and no longer */

static bool patience(void *context) { return --*(int *)context < 0; }

static const akin_watch_terms quick = { .quiet = 0.05, .longest = 0.5, .every = 60 };

typedef struct fixture {
    akin_watcher *watcher;
    akin_walk_options options;
    int left;
} fixture;

static void open_watcher(fixture *f, const akin_watch_terms *terms)
{
    const char *paths[] = { top };
    akin_error err = { 0 };
    f->options.stop = patience;
    f->options.context = &f->left;
    f->left = 100;
    akin_status status =
        akin_watcher_new_with(&f->watcher, paths, 1, &f->options, terms, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(status, AKIN_OK);
}

static bool wakes(fixture *f)
{
    akin_error err = { 0 };
    f->left = 100; /* 20 s, of which a watch that works takes 0.05 */
    akin_status status = akin_watcher_wait(f->watcher, 0, &err);
    if (status != AKIN_OK)
        assert_int_equal(status, AKIN_E_STOPPED);
    return status == AKIN_OK;
}

static bool sleeps_on(fixture *f)
{
    akin_error err = { 0 };
    f->left = 2;
    akin_status status = akin_watcher_wait(f->watcher, 0, &err);
    return status == AKIN_E_STOPPED;
}

static const char *mode(const fixture *f) { return akin_watcher_mode(f->watcher); }

/* ---- what it is told */

static void changes_wake(void **state)
{
    (void)state;
    fixture f = { 0 };
    put_folder("a");
    put("a/old.jpg");
    open_watcher(&f, &quick);
    assert_string_equal(mode(&f), "watching 2 folders");
    assert_true(sleeps_on(&f));
    put("a/new.jpg");
    assert_true(wakes(&f));
    assert_true(sleeps_on(&f));
    put("a/old.jpg");
    assert_true(wakes(&f));
    assert_int_equal(rename(at("a/new.jpg"), at("moved.jpg")), 0);
    assert_true(wakes(&f));
    assert_int_equal(unlink(at("moved.jpg")), 0);
    assert_true(wakes(&f));
    assert_int_equal(chmod(at("a/old.jpg"), 0400), 0);
    assert_true(wakes(&f));
    assert_int_equal(symlink("old.jpg", at("a/link.jpg")), 0);
    assert_true(wakes(&f));
    assert_int_equal(link(at("a/old.jpg"), at("a/second.jpg")), 0);
    assert_true(wakes(&f));
    put("a/old.txt");
    assert_true(wakes(&f));
    put("a/.akinignore");
    assert_true(wakes(&f));
    put("a/no_ending");
    assert_true(wakes(&f));
    assert_true(sleeps_on(&f));
    akin_watcher_free(f.watcher);
}

static void other_things_do_not(void **state)
{
    (void)state;
    fixture f = { 0 };
    char own[PATH_MAX];
    put_folder("db");
    put_folder(".git");
    put_folder("out");
    put("a.jpg");
    put("out/.nomedia");
    snprintf(own, sizeof own, "%s", at("db"));
    f.options.own = own;
    open_watcher(&f, &quick);
    put("db/a.jpg");
    put(".git/a.jpg");
    put(".a.jpg.tmp");
    put("page.html");
    put("film.mp4");
    put_folder(".cache");
    char byte;
    int fd = open(at("a.jpg"), O_RDONLY);
    assert_int_equal(read(fd, &byte, 1), 0);
    close(fd);
    assert_true(sleeps_on(&f));
    /* A file that is being written, until it is closed. */
    fd = open(at("b.jpg"), O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_true(sleeps_on(&f));
    close(fd);
    assert_true(wakes(&f));
    akin_watcher_free(f.watcher);
    fixture videos = { .options = { .videos = true } };
    open_watcher(&videos, &quick);
    put("film.mp4");
    assert_true(wakes(&videos));
    akin_watcher_free(videos.watcher);
}

static void new_folders_are_watched(void **state)
{
    (void)state;
    fixture f = { 0 };
    open_watcher(&f, &quick);
    assert_string_equal(mode(&f), "watching 1 folder");
    put_folder("a");
    put_folder("a/b");
    put_folder("a/b/c");
    assert_true(wakes(&f));
    assert_string_equal(mode(&f), "watching 4 folders");
    assert_true(sleeps_on(&f));
    put("a/b/c/x.jpg");
    assert_true(wakes(&f));
    /* What leaves is not. */
    assert_int_equal(rename(at("a/b"), at(".b")), 0);
    assert_true(wakes(&f));
    assert_string_equal(mode(&f), "watching 2 folders");
    put(".b/c/y.jpg");
    assert_true(sleeps_on(&f));
    assert_int_equal(rename(at(".b"), at("b")), 0);
    assert_true(wakes(&f));
    put("b/c/z.jpg");
    assert_true(wakes(&f));
    akin_watcher_free(f.watcher);
}

typedef struct writer {
    atomic_bool done;
    double seconds;
} writer;

static void *write_on(void *context)
{
    writer *w = context;
    for (int i = 0; !atomic_load(&w->done); i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.jpg", i % 10);
        close(open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600));
        nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
    }
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* It waits for quiet, and when there is none, not for ever. */
static void waits_for_quiet(void **state)
{
    (void)state;
    fixture f = { 0 };
    const akin_watch_terms terms = { .quiet = 0.4, .longest = 1.5, .every = 60 };
    open_watcher(&f, &terms);
    double start = now();
    put("a.jpg");
    assert_true(wakes(&f));
    assert_true(now() - start >= 0.4);
    writer w = { 0 };
    pthread_t thread;
    start = now();
    assert_int_equal(pthread_create(&thread, NULL, write_on, &w), 0);
    assert_true(wakes(&f));
    atomic_store(&w.done, true);
    pthread_join(thread, NULL);
    assert_true(now() - start >= 0.4);
    akin_watcher_free(f.watcher);
}

/* A root that goes away and comes back is another folder, of which the old watch knows nothing. */
static void roots_that_come_and_go(void **state)
{
    (void)state;
    fixture f = { 0 };
    const akin_watch_terms terms = { .quiet = 0.05, .longest = 0.5, .every = 0.3 };
    char root[PATH_MAX];
    snprintf(root, sizeof root, "%s", at("root"));
    const char *paths[] = { root };
    akin_error err = { 0 };
    f.options.stop = patience;
    f.options.context = &f.left;
    f.left = 100;
    assert_int_equal(akin_watcher_new_with(&f.watcher, paths, 1, &f.options, &terms, &err),
                     AKIN_OK);
    assert_string_equal(mode(&f), "watching 0 folders");
    assert_true(sleeps_on(&f));
    put_folder("root");
    assert_true(wakes(&f));
    assert_string_equal(mode(&f), "watching 1 folder");
    put("root/a.jpg");
    assert_true(wakes(&f));
    assert_int_equal(unlink(at("root/a.jpg")), 0);
    assert_int_equal(rmdir(at("root")), 0);
    assert_true(wakes(&f));
    put_folder("root");
    assert_true(wakes(&f));
    put("root/b.jpg");
    assert_true(wakes(&f));
    akin_watcher_free(f.watcher);
}

/* No watched folder tells of a file that was named itself. */
static void named_files(void **state)
{
    (void)state;
    fixture f = { 0 };
    const akin_watch_terms terms = { .quiet = 0.05, .longest = 0.5, .every = 0.3 };
    char file[PATH_MAX];
    put("a.jpg");
    snprintf(file, sizeof file, "%s", at("a.jpg"));
    const char *paths[] = { file };
    akin_error err = { 0 };
    f.options.stop = patience;
    f.options.context = &f.left;
    f.left = 100;
    assert_int_equal(akin_watcher_new_with(&f.watcher, paths, 1, &f.options, &terms, &err),
                     AKIN_OK);
    assert_true(sleeps_on(&f));
    FILE *again = fopen(file, "a");
    assert_non_null(again);
    assert_true(fputs("more", again) >= 0);
    assert_int_equal(fclose(again), 0);
    assert_true(wakes(&f));
    assert_true(sleeps_on(&f));
    akin_watcher_free(f.watcher);
}

static void polls_when_there_are_too_many(void **state)
{
    (void)state;
    fixture f = { 0 };
    const akin_watch_terms terms = { .quiet = 0.05, .longest = 0.5, .every = 0.4, .watches = 11 };
    put_folder("a");
    put_folder("b");
    open_watcher(&f, &terms);
    assert_string_equal(mode(&f), "looking every 0.4 s: 3 folders are more than a quarter of the "
                                  "11 that may be watched");
    double start = now();
    assert_true(wakes(&f));
    assert_true(now() - start >= 0.4);
    /* Ten times as long as the last pass took. */
    akin_error err;
    f.left = 2;
    assert_int_equal(akin_watcher_wait(f.watcher, 10, &err), AKIN_E_STOPPED);
    start = now();
    f.left = 100;
    assert_int_equal(akin_watcher_wait(f.watcher, 0.09, &err), AKIN_OK);
    assert_true(now() - start >= 0.9);
    akin_watcher_free(f.watcher);
    /* Enough for three, not for four. */
    const akin_watch_terms some = { .quiet = 0.05, .longest = 0.5, .every = 0.4, .watches = 12 };
    open_watcher(&f, &some);
    assert_string_equal(mode(&f), "watching 3 folders");
    put_folder("c");
    assert_true(wakes(&f));
    assert_memory_equal(mode(&f), "looking every 0.4 s: 4 folders", 30);
    assert_true(wakes(&f));
    akin_watcher_free(f.watcher);
}

static void stops(void **state)
{
    (void)state;
    fixture f = { 0 };
    open_watcher(&f, &quick);
    const double start = now();
    assert_true(sleeps_on(&f));
    assert_true(now() - start < 10);
    akin_watcher_free(f.watcher);
    akin_watcher_free(NULL);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(changes_wake),
        TEST(other_things_do_not),
        TEST(new_folders_are_watched),
        TEST(waits_for_quiet),
        TEST(roots_that_come_and_go),
        TEST(named_files),
        TEST(polls_when_there_are_too_many),
        TEST(stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
