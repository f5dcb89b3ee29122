/* store_fixture.h - collections for the tests of what looks after them: a folder for each test, ten
 * items of every kind, what a collection says as text, processes that are killed before their Nth
 * change of a file. The calls that change files are the test's own, which count. For one file of a
 * test each. */
#ifndef AKIN_TESTS_STORE_FIXTURE_H
#define AKIN_TESTS_STORE_FIXTURE_H

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/half.h"
#include "folder.h"
#include "store/store_tools.h"

enum { dims = 8, killed = 77 };
static const char identity[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char identity2[] = "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const akin_store_model model = { identity, "ViT-B/32", "/models/b32", "hf", dims,
                                        AKIN_VECTOR_F16 };
static const akin_store_model model2 = { identity2, "ViT-L/14", "/models/l14", "open_clip", 12,
                                         AKIN_VECTOR_F32 };

/* ---- Killed at the Nth change --------------------------------------------------------------- */

static long die_at; /* 0: never */
static long steps;

static inline void step(void)
{
    if (++steps == die_at)
        _exit(killed);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    step();
    return syscall(SYS_pwrite64, fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at)
{
    step();
    return syscall(SYS_pwrite64, fd, bytes, size, at);
}

/* What is killed here is a process, not the machine: nothing need reach the disk. */
int fsync(int fd)
{
    (void)fd;
    step();
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    step();
    return 0;
}

int unlink(const char *path)
{
    step();
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* What `work` does in a process that ends before its Nth step, for each N until it comes to its
 * end. */
typedef void (*torture_work)(void);
typedef void (*torture_check)(void);

static inline int run_killed(torture_work work, long at)
{
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        steps = 0;
        die_at = at;
        work();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- A folder for each test ----------------------------------------------------------------- */

static char root[256], folder[512];
static akin_error err;

static inline int setup(void **state)
{
    (void)state;
    if (folder_make(root, sizeof root, "tools") != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s/p/.akin/images", root);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    return folder_remove(root);
}

#define OK(call)                                                                   \
    do {                                                                           \
        err.message[0] = err.path[0] = '\0';                                       \
        if ((call) != AKIN_OK)                                                     \
            fail_msg("%s: %s (%s)", #call, err.message, err.path);                 \
    } while (0)

/* In a process that may be killed there is nobody to fail. */
#define MUST(call)                                                                 \
    do {                                                                           \
        if ((call) != AKIN_OK) {                                                   \
            fprintf(stderr, "%s: %s (%s)\n", #call, err.message, err.path);        \
            _exit(1);                                                              \
        }                                                                          \
    } while (0)

static inline char *in_root(const char *name)
{
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static inline char *in_folder(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static inline void shell(const char *format, ...)
{
    char command[4096];
    va_list values;
    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    assert_int_equal(system(command), 0);
}

static inline int entries(const char *path)
{
    char command[1200];
    int n = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", path);
    FILE *pipe = popen(command, "r");
    assert_int_equal(fscanf(pipe, "%d", &n), 1);
    pclose(pipe);
    return n;
}

static inline akin_store *open_at(const char *path, bool write)
{
    akin_store *store;
    OK(akin_store_open(&store, path, write, 0, &err));
    return store;
}

static inline akin_store *open_store(bool write) { return open_at(folder, write); }

static inline void exec_at(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL, database[1024];
    snprintf(database, sizeof database, "%s/collection.sqlite", path);
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static inline void exec_sql(const char *sql) { exec_at(folder, sql); }

static inline int64_t number_at(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    char database[1024];
    snprintf(database, sizeof database, "%s/collection.sqlite", path);
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}

static inline int64_t number_of(const char *sql) { return number_at(folder, sql); }

/* A unit vector that is another for each n. */
static inline void vector_of(int n, size_t size, float *out)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++) {
        out[i] = (float)sin(n * 1.7 + (double)i * (1 + n % 5)) + 0.01f;
        sum += (double)out[i] * out[i];
    }
    for (size_t i = 0; i < size; i++)
        out[i] = (float)(out[i] / sqrt(sum));
}

static inline akin_status add_content(akin_store *store, int n, int64_t part, int64_t *content,
                               akin_error *why)
{
    uint8_t hash[AKIN_HASH_BYTES] = { 0 };
    float vector[dims];
    memcpy(hash, &n, sizeof n);
    vector_of(n + (int)part + 1, dims, vector);
    return akin_store_add_content(store, hash, part, vector, "/x", content, why);
}

static inline akin_status put_part(akin_store *store, const char *path, int64_t part, int n,
                            const akin_item_facts *facts, akin_error *why)
{
    const akin_stamp stamp = { .size = n, .mtime_ns = 1000 + n, .sidecars = n % 3 };
    int64_t content;
    akin_status status = add_content(store, n, part, &content, why);
    if (status == AKIN_OK)
        status = akin_store_put(store, path, part, &stamp, content, facts, NULL, why);
    return status;
}

static inline void put(akin_store *store, const char *path, int n)
{
    OK(put_part(store, path, -1, n, NULL, &err));
}

/* Ten items of eight contents: two pairs of equal ones, one missing, one hidden, two frames of a
 * video, one name that is not UTF-8; one vector that is dead. */
enum { full_items = 10, full_live = 8 };

static inline akin_store *make_full(const char *base)
{
    const akin_item_facts facts = { .taken_at = "2023-06-15T14:03:22", .camera = "X100 \"V\"",
                                    .width = 640, .height = 480, .has_position = true,
                                    .latitude = 52.1, .longitude = -0.1,
                                    .metadata = "{\"a\": 1.50,\n \"b\":[\"}\", {\"c\":"
                                    "\"\\\"\"}]}" };
    OK(akin_store_create(folder, &model, base, &err));
    akin_store *store = open_store(true);
    OK(put_part(store, in_root("p/a.jpg"), -1, 1, &facts, &err));
    put(store, in_root("p/b.jpg"), 2);
    put(store, in_root("p/sub/b again.jpg"), 2);
    put(store, in_root("p/gone.jpg"), 3);
    put(store, in_root("p/hidden.JPG"), 4);
    put(store, "/elsewhere/\xff\n\x1b.png", 5);
    OK(put_part(store, in_root("p/film.mp4"), 0, 6, NULL, &err));
    OK(put_part(store, in_root("p/film.mp4"), 1500, 6, NULL, &err));
    put(store, in_root("p/gone b.jpg"), 2);
    put(store, in_root("p/c.jpg"), 70); /* replaced */
    OK(akin_store_set_state(store, in_root("p/gone.jpg"), AKIN_ITEM_MISSING, &err));
    OK(akin_store_set_state(store, in_root("p/hidden.JPG"), AKIN_ITEM_HIDDEN, &err));
    OK(akin_store_commit(store, &err));
    put(store, in_root("p/c.jpg"), 7);
    OK(akin_store_skip(store, &(akin_skip){ .path = in_root("p/broken.jpg"),
                                            .code = AKIN_E_TRUNCATED, .reason = "ends early" },
                       &err));
    OK(akin_store_set_device(store, in_root("p"), 42, &err));
    OK(akin_store_commit(store, &err));
    return store;
}

/* ---- What a collection says, as text -------------------------------------------------------- */

struct dump {
    akin_store *store;
    char *text;
    size_t size, capacity;
};

static inline akin_status dump_path(void *context, const akin_item *item, akin_error *why)
{
    struct dump *d = context;
    if (d->size + 16384 > d->capacity)
        assert_non_null(d->text = realloc(d->text, d->capacity = 2 * d->capacity + 32768));
    d->size += (size_t)snprintf(d->text + d->size, d->capacity - d->size, "%s\t%" PRId64 "\n",
                                item->path, item->part);
    (void)why;
    return AKIN_OK;
}

/* Everything of all items in order of their paths, vectors included, ids and places not: allocated.
 */
static inline char *dump_of(akin_store *store)
{
    struct dump paths = { .store = store }, d = { 0 };
    float vector[64];
    OK(akin_store_visit(store, NULL, dump_path, &paths, &err));
    d.text = calloc(1, d.capacity = paths.size + 65536);
    /* Names may have line ends in them; a part follows the last tab. */
    for (char *p = paths.text; p != NULL && p < paths.text + paths.size;) {
        char *tab = strchr(p, '\t');
        akin_item item;
        *tab = '\0';
        OK(akin_store_item(store, p, strtoll(tab + 1, NULL, 10), &item, &err));
        if (d.size + 32768 > d.capacity)
            assert_non_null(d.text = realloc(d.text, d.capacity = 2 * d.capacity));
        d.size += (size_t)sprintf(
            d.text + d.size,
            "%s@%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d %s %s %d %d %d %g"
            " %g %s:", item.path, item.part, item.stamp.size, item.stamp.mtime_ns,
            item.stamp.sidecars, item.state,
            item.facts.taken_at != NULL ? item.facts.taken_at : "-",
            item.facts.camera != NULL ? item.facts.camera : "-", item.facts.width,
            item.facts.height, item.facts.has_position, item.facts.latitude, item.facts.longitude,
            item.facts.metadata);
        if (item.has_vector) {
            OK(akin_store_vector(store, item.content, vector, &err));
            for (size_t i = 0; i < akin_store_get_model(store)->dimensions; i++)
                d.size += (size_t)sprintf(d.text + d.size, " %.9g", (double)vector[i]);
        } else {
            d.size += (size_t)sprintf(d.text + d.size, " none");
        }
        d.size += (size_t)sprintf(d.text + d.size, "\n");
        p = strchr(tab + 1, '\n') + 1;
    }
    free(paths.text);
    return d.text;
}

static inline char *dump_at(const char *path)
{
    akin_store *store = open_at(path, false);
    char *text = dump_of(store);
    akin_store_close(store);
    return text;
}

static inline void replace(char *text, const char *what, const char *with)
{
    assert_true(strlen(what) == strlen(with));
    for (char *p = text; (p = strstr(p, what)) != NULL;)
        memcpy(p, with, strlen(with));
}

/* Live items as a search sees them, each live vector found at its own place. */
static inline void assert_live(akin_store *store, size_t live)
{
    OK(akin_store_begin(store, &err));
    assert_int_equal(akin_store_live(store), live);
    akin_store_end(store);
}

/* ---- Damage --------------------------------------------------------------------------------- */

static inline void patch(const char *name, long at, const void *bytes, size_t size)
{
    const int fd = open(in_folder(name), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at < 0 ? lseek(fd, 0, SEEK_END) + at : at), size);
    close(fd);
}

#define FIRST "segments/00000001.vec"
#define ROW(n) (AKIN_SEGMENT_HEADER + (n) * dims * 2)

static inline void break_row(void) { patch(FIRST, ROW(0) + 3, "\x01", 1); }

/* ---- Faults that were told ------------------------------------------------------------------ */

static struct {
    char text[32768];
    size_t size, count, repaired;
} told;

static inline void hear(void *context, const char *path, const char *message, bool repaired)
{
    (void)context;
    assert_non_null(path);
    assert_true(path[0] != '\0');
    assert_true(strlen(message) > 10);
    if (told.size + strlen(path) + strlen(message) + 4 < sizeof told.text)
        told.size += (size_t)sprintf(told.text + told.size, "%s: %s\n", path, message);
    told.count++;
    told.repaired += repaired;
}

static inline size_t verify(akin_store *store, bool repair)
{
    size_t faults, repaired;
    memset(&told, 0, sizeof told);
    OK(akin_store_verify(store, repair, hear, NULL, &faults, &repaired, &err));
    assert_int_equal(faults, told.count);
    assert_int_equal(repaired, told.repaired);
    return faults;
}

static inline void assert_clean_at(const char *path)
{
    akin_store *store = open_at(path, false);
    if (verify(store, false) != 0)
        fail_msg("%s", told.text);
    akin_store_close(store);
}

static inline void assert_clean(void) { assert_clean_at(folder); }

/* Runs `work` killed before each of its steps in turn, each time from the same beginning; `check`
 * is called after each, with what it left. */
static inline void torture(void (*begin)(void), torture_work work, torture_check check)
{
    long at = 1;
    begin();
    shell("cp -r '%s/p' '%s/begin'", root, root);
    for (;; at++) {
        shell("rm -rf '%s/p' '%s/out' '%s'/out.*.tmp && cp -r '%s/begin' '%s/p'", root, root, root,
              root, root);
        const int end = run_killed(work, at);
        check();
        if (end == 0)
            break;
        assert_int_equal(end, killed);
        assert_true(at < 2000);
    }
    assert_true(at > 5); /* it did count */
}

static char *expected;

static inline void begin_full(void)
{
    akin_store *store = make_full("");
    akin_store_close(store);
    exec_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    expected = dump_at(folder);
}

#endif
