/* test_store_tools.c - what looks after a collection: verify, compact, copy, export and import, another
 * model's vectors. Processes are killed before their Nth change of a file: the calls that change
 * files are this program's own, which count. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

static void step(void)
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

/* What `work` does in a process that ends before its Nth step, for each N until it comes to its end. */
typedef void (*torture_work)(void);
typedef void (*torture_check)(void);

static int run_killed(torture_work work, long at)
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

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/akin-tools-XXXXXX",
             tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    if (mkdtemp(root) == NULL)
        return -1;
    char *real = realpath(root, NULL);
    snprintf(root, sizeof root, "%s", real);
    free(real);
    snprintf(folder, sizeof folder, "%s/p/.akin/images", root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
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

static char *in_root(const char *name)
{
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static char *in_folder(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void shell(const char *format, ...)
{
    char command[4096];
    va_list values;
    va_start(values, format);
    vsnprintf(command, sizeof command, format, values);
    va_end(values);
    assert_int_equal(system(command), 0);
}

static int entries(const char *path)
{
    char command[1200];
    int n = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", path);
    FILE *pipe = popen(command, "r");
    assert_int_equal(fscanf(pipe, "%d", &n), 1);
    pclose(pipe);
    return n;
}

static akin_store *open_at(const char *path, bool write)
{
    akin_store *store;
    OK(akin_store_open(&store, path, write, 0, &err));
    return store;
}

static akin_store *open_store(bool write) { return open_at(folder, write); }

static void exec_at(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL, database[1024];
    snprintf(database, sizeof database, "%s/collection.sqlite", path);
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void exec_sql(const char *sql) { exec_at(folder, sql); }

static int64_t number_at(const char *path, const char *sql)
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

static int64_t number_of(const char *sql) { return number_at(folder, sql); }

/* A unit vector that is another for each n. */
static void vector_of(int n, size_t size, float *out)
{
    double sum = 0;
    for (size_t i = 0; i < size; i++) {
        out[i] = (float)sin(n * 1.7 + (double)i * (1 + n % 5)) + 0.01f;
        sum += (double)out[i] * out[i];
    }
    for (size_t i = 0; i < size; i++)
        out[i] = (float)(out[i] / sqrt(sum));
}

static akin_status add_content(akin_store *store, int n, int64_t part, int64_t *content,
                               akin_error *why)
{
    uint8_t hash[AKIN_HASH_BYTES] = { 0 };
    float vector[dims];
    memcpy(hash, &n, sizeof n);
    vector_of(n + (int)part + 1, dims, vector);
    return akin_store_add_content(store, hash, part, vector, "/x", content, why);
}

static akin_status put_part(akin_store *store, const char *path, int64_t part, int n,
                            const akin_item_facts *facts, akin_error *why)
{
    const akin_stamp stamp = { .size = n, .mtime_ns = 1000 + n, .sidecars = n % 3 };
    int64_t content;
    akin_status status = add_content(store, n, part, &content, why);
    if (status == AKIN_OK)
        status = akin_store_put(store, path, part, &stamp, content, facts, NULL, why);
    return status;
}

static void put(akin_store *store, const char *path, int n)
{
    OK(put_part(store, path, -1, n, NULL, &err));
}

/* Ten items of eight contents: two pairs of equal ones, one missing, one hidden, two frames of a video,
 * one name that is not UTF-8; one vector that is dead. */
enum { full_items = 10, full_live = 8 };

static akin_store *make_full(const char *base)
{
    const akin_item_facts facts = { .taken_at = "2023-06-15T14:03:22", .camera = "X100 \"V\"",
                                    .width = 640, .height = 480, .has_position = true,
                                    .latitude = 52.1, .longitude = -0.1,
                                    .metadata = "{\"a\": 1.50,\n \"b\":[\"}\", {\"c\":\"\\\"\"}]}" };
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

static akin_status dump_path(void *context, const akin_item *item, akin_error *why)
{
    struct dump *d = context;
    if (d->size + 16384 > d->capacity)
        assert_non_null(d->text = realloc(d->text, d->capacity = 2 * d->capacity + 32768));
    d->size += (size_t)snprintf(d->text + d->size, d->capacity - d->size, "%s\t%" PRId64 "\n",
                                item->path, item->part);
    (void)why;
    return AKIN_OK;
}

/* Everything of all items in order of their paths, vectors included, ids and places not: allocated. */
static char *dump_of(akin_store *store)
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
            d.text + d.size, "%s@%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d %s %s %d %d %d %g"
            " %g %s:", item.path, item.part, item.stamp.size, item.stamp.mtime_ns,
            item.stamp.sidecars, item.state, item.facts.taken_at != NULL ? item.facts.taken_at : "-",
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

static char *dump_at(const char *path)
{
    akin_store *store = open_at(path, false);
    char *text = dump_of(store);
    akin_store_close(store);
    return text;
}

static void replace(char *text, const char *what, const char *with)
{
    assert_true(strlen(what) == strlen(with));
    for (char *p = text; (p = strstr(p, what)) != NULL;)
        memcpy(p, with, strlen(with));
}

/* Live items as a search sees them, each live vector found at its own place. */
static void assert_live(akin_store *store, size_t live)
{
    OK(akin_store_begin(store, &err));
    assert_int_equal(akin_store_live(store), live);
    akin_store_end(store);
}

/* ---- Faults that were told ------------------------------------------------------------------ */

static struct {
    char text[32768];
    size_t size, count, repaired;
} told;

static void hear(void *context, const char *path, const char *message, bool repaired)
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

static size_t verify(akin_store *store, bool repair)
{
    size_t faults, repaired;
    memset(&told, 0, sizeof told);
    OK(akin_store_verify(store, repair, hear, NULL, &faults, &repaired, &err));
    assert_int_equal(faults, told.count);
    assert_int_equal(repaired, told.repaired);
    return faults;
}

static void assert_clean_at(const char *path)
{
    akin_store *store = open_at(path, false);
    if (verify(store, false) != 0)
        fail_msg("%s", told.text);
    akin_store_close(store);
}

static void assert_clean(void) { assert_clean_at(folder); }

/* ---- verify --------------------------------------------------------------------------------- */

static void a_sound_collection_has_no_fault(void **state)
{
    (void)state;
    akin_store *store = make_full("");
    assert_int_equal(verify(store, false), 0);
    assert_int_equal(verify(store, true), 0);
    assert_int_equal(told.repaired, 0);
    put(store, in_root("p/later.jpg"), 100); /* repair leaves a writer that can go on */
    size_t faults, repaired;
    assert_int_equal(akin_store_verify(store, false, NULL, NULL, &faults, &repaired, &err),
                     AKIN_E_ARGUMENT); /* something is not committed */
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    store = open_store(false);
    assert_int_equal(akin_store_verify(store, true, NULL, NULL, &faults, &repaired, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(verify(store, false), 0);
    assert_live(store, full_live + 1);
    akin_store_close(store);
}

static void patch(const char *name, long at, const void *bytes, size_t size)
{
    const int fd = open(in_folder(name), O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, at < 0 ? lseek(fd, 0, SEEK_END) + at : at), size);
    close(fd);
}

#define FIRST "segments/00000001.vec"
#define ROW(n) (AKIN_SEGMENT_HEADER + (n) * dims * 2)

static void break_row(void) { patch(FIRST, ROW(0) + 3, "\x01", 1); }
static void break_shared_row(void) { patch(FIRST, ROW(1), "\x7f\x7f", 2); }
static void break_header(void) { patch(FIRST, 20, "\x09", 1); }
static void break_magic(void) { patch(FIRST, 0, "AKINVEX", 7); }
static void cut_file(void) { assert_int_equal(truncate(in_folder(FIRST), ROW(4)), 0); }
static void cut_header(void) { assert_int_equal(truncate(in_folder(FIRST), 100), 0); }
static void remove_file(void) { assert_int_equal(remove(in_folder(FIRST)), 0); }

static void other_file(void)
{
    OK(akin_store_create(in_root("other"), &model, NULL, &err));
    akin_store *store = open_at(in_root("other"), true);
    for (int i = 0; i < 20; i++)
        put(store, "/other.jpg", 500 + i);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    shell("cp '%s/other/" FIRST "' '%s/" FIRST "'", root, folder);
}

static void add_orphan(void)
{
    shell("cp '%s/" FIRST "' '%s/segments/00000005.vec'", folder, folder);
}

/* A vector whose checksum is right and whose numbers are not. */
static void store_infinity(void)
{
    unsigned char row[2 * dims] = { 0 };
    char sql[160];
    row[1] = 0x7c;
    patch(FIRST, ROW(0), row, sizeof row);
    snprintf(sql, sizeof sql, "UPDATE vectors SET crc = %" PRIu32 " WHERE place = 65536",
             akin_crc32(row, sizeof row));
    exec_sql(sql);
}

static void store_long(void)
{
    unsigned char row[2 * dims] = { 0 };
    char sql[160];
    row[1] = 0x40; /* 2.0 */
    patch(FIRST, ROW(0), row, sizeof row);
    snprintf(sql, sizeof sql, "UPDATE vectors SET crc = %" PRIu32 " WHERE place = 65536",
             akin_crc32(row, sizeof row));
    exec_sql(sql);
}

static void break_index(void)
{
    unsigned char garbage[64];
    exec_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    const int64_t page = number_of("SELECT rootpage FROM sqlite_schema WHERE name = 'items_ext'");
    const int64_t size = number_of("SELECT * FROM pragma_page_size");
    memset(garbage, 0xa5, sizeof garbage);
    patch("collection.sqlite", (long)((page - 1) * size), garbage, sizeof garbage);
}

/* One thing broken; what is said; how many items keep their vectors and how many items there are after
 * repair; whether repair needs a fresh look at nothing else. */
static const struct fault {
    const char *name;
    void (*damage)(void);
    const char *sql;
    const char *says;
    size_t faults;
    int with_vector, items;
} faults[] = {
    { "a row's bytes", break_row, NULL, "a.jpg'), is not what was written", 1, 9, 10 },
    { "a row of three", break_shared_row, NULL, "b.jpg' and 2 more items)", 1, 7, 10 },
    { "header", break_header, NULL, "header's checksum is wrong", 1, 10, 10 },
    { "magic", break_magic, NULL, "is no segment", 1, 10, 10 },
    /* Rows 0 to 3: a, b twice and once more, gone, hidden. */
    { "cut", cut_file, NULL, "its 9 vectors take", 1, 6, 10 },
    { "cut in its header", cut_header, NULL, "100 bytes, its 9 vectors take", 1, 0, 10 },
    { "removed", remove_file, NULL, "the file is not there: 9 vectors", 1, 0, 10 },
    { "of another collection", other_file, NULL, "belongs to another", 10, 0, 10 },
    { "infinity", store_infinity, NULL, "number 0 is not finite", 1, 9, 10 },
    { "length", store_long, NULL, "length is 2", 1, 9, 10 },
    { "bitmap", NULL, "UPDATE segments SET live = x'fffe'", "the bitmap of segment 1 is not", 1, 10,
      10 },
    { "bitmap's bits", NULL, "UPDATE segments SET live = x'ff00'", "wrong about", 1, 10, 10 },
    { "bitmap's size", NULL, "UPDATE segments SET live = x'ff'", "not one of 9 rows", 1, 10, 10 },
    { "rows", NULL, "UPDATE segments SET rows = -5", "segment 1 has a number of rows", 1, 10, 10 },
    { "many rows", NULL, "UPDATE segments SET rows = 99999999", "number of rows", 1, 10, 10 },
    { "few rows", NULL, "UPDATE segments SET rows = 8, live = x'f3'", "behind the 8 rows", 2, 10,
      10 },
    { "place in no segment", NULL, "UPDATE vectors SET place = 99999999 WHERE content = 1",
      "01525.vec: the file is not there: 1 vectors", 2, 9, 10 },
    { "place below all", NULL, "UPDATE vectors SET place = -7 WHERE content = 1",
      "in no segment of its model", 2, 9, 10 },
    { "segment number", NULL, "INSERT INTO segments VALUES (-1, 1, 0, 0, x'')", "has a number that",
      1, 10, 10 },
    { "empty segment", NULL, "INSERT INTO segments VALUES (9, 5, 0, 0, x'')", "has no vectors", 1,
      10, 10 },
    { "repeats", NULL, "UPDATE repeats SET items = 9", "counts of pictures", 1, 10, 10 },
    { "no repeats", NULL, "DELETE FROM repeats", "counts of pictures", 1, 10, 10 },
    { "a repeat", NULL, "INSERT INTO repeats VALUES (65536, 2)", "counts of pictures", 1, 10, 10 },
    { "segment's space", NULL, "UPDATE segments SET space = 9", "belongs to no model", 1, 10, 10 },
    { "no segment", NULL, "DELETE FROM segments", "is named by no row", 1, 10, 10 },
    { "place", NULL, "UPDATE vectors SET place = place + 100 WHERE place = 65536",
      "row 100, the vector of content 1", 2, 9, 10 },
    { "two at a place", NULL, "UPDATE vectors SET place = 65536, crc = (SELECT crc FROM vectors WHERE"
      " place = 65536) WHERE content = 2", "is also another picture's", 5, 6, 10 },
    { "no vector", NULL, "DELETE FROM vectors WHERE content = 1", "stands at another vector", 1, 9,
      10 },
    { "vector of nothing", NULL, "INSERT INTO vectors VALUES (1, 99, 65545, 0)", "row 9", 2, 10,
      10 },
    { "vector of no model", NULL, "INSERT INTO vectors VALUES (7, 1, 65536, 0)", "no model", 1, 10,
      10 },
    { "model's state", NULL, "INSERT INTO spaces VALUES (7, 5, 'x', 'x', 'x', 'x', 4, 1)",
      "model 7 is in a state", 1, 10, 10 },
    { "item's place", NULL, "UPDATE items SET place = 65537 WHERE id = 1",
      "item 1 stands at another", 3, 10, 10 },
    { "item without place", NULL, "UPDATE items SET place = NULL WHERE id = 1",
      "item 1 stands at another", 2, 10, 10 },
    { "content", NULL, "DELETE FROM contents WHERE id = 1", "content, 1, that is not there", 2, 9,
      9 },
    { "hash", NULL, "UPDATE contents SET hash = x'00' WHERE id = 2", "content 2 has no SHA-256", 1,
      7, 7 },
    { "part", NULL, "UPDATE contents SET part = -7 WHERE id = 1", "content 1 has no SHA-256", 1, 9,
      9 },
    { "state", NULL, "UPDATE items SET state = 3 WHERE id = 1", "a state that there is not, 3", 2,
      10, 10 },
    { "path", NULL, "UPDATE items SET path = x'610062' WHERE id = 1", "item 1 has a path", 1, 9, 9 },
    { "path of text", NULL, "UPDATE items SET path = 'a.jpg' WHERE id = 1", "item 1 has a path", 1, 9,
      9 },
    { "empty path", NULL, "UPDATE items SET path = x'' WHERE id = 1", "item 1 has a path", 1, 9, 9 },
    { "ext", NULL, "UPDATE items SET ext = 'png' WHERE id = 1", "another extension", 1, 10, 10 },
    { "metadata", NULL, "UPDATE items SET metadata = '[1]' WHERE id = 1", "is no JSON object", 1, 10,
      10 },
    { "skip", NULL, "UPDATE skips SET path = x''", "1 skipped files", 1, 10, 10 },
    { "device", NULL, "UPDATE devices SET folder = 'a'", "1 folders on devices", 1, 10, 10 },
    { "an index", NULL, "DROP INDEX items_place", "index items_place is not there", 1, 10, 10 },
    { "another index", NULL, "DROP INDEX items_ext; CREATE INDEX items_ext ON items (ext)",
      "index items_ext is not there", 1, 10, 10 },
    /* Two indexes with each other's tree: SQLite misses rows in them. */
    { "an index's entries", NULL,
      "CREATE TEMP TABLE r AS SELECT name AS n, rootpage AS p FROM sqlite_schema WHERE name IN"
      " ('items_width', 'items_height'); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET"
      " rootpage = (SELECT p FROM r WHERE n != name) WHERE name IN"
      " ('items_width', 'items_height'); PRAGMA writable_schema = RESET", "SQLite: ", 0, 10, 10 },
    { "an index's page", break_index, NULL, "SQLite: ", 0, 10, 10 },
};

static void each_fault_is_told_and_repaired(void **state)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const struct fault *f = &faults[i];
        if (i != 0)
            assert_int_equal(setup(state), 0);
        akin_store_close(make_full(""));
        assert_clean();
        char *before = dump_at(folder);
        if (f->damage != NULL)
            f->damage();
        if (f->sql != NULL)
            exec_sql(f->sql);
        shell("cp -r '%s' '%s/saved'", folder, root);

        /* A reader tells and changes nothing. */
        akin_store *store = open_store(false);
        const size_t found = verify(store, false);
        akin_store_close(store);
        if (found == 0 || (f->faults != 0 && found != f->faults) ||
            strstr(told.text, f->says) == NULL || told.repaired != 0)
            fail_msg("%s: %zu faults:\n%s", f->name, found, told.text);
        shell("diff -r '%s/segments' '%s/saved/segments'", folder, root);

        /* A writer repairs all of them, and then there are none. */
        store = open_store(true);
        assert_int_equal(verify(store, true), found);
        if (told.repaired != found)
            fail_msg("%s: %zu of %zu repaired:\n%s", f->name, told.repaired, found, told.text);
        akin_store_close(store);
        store = open_store(false);
        if (verify(store, false) != 0)
            fail_msg("%s, after repair:\n%s", f->name, told.text);
        akin_store_close(store);
        const int64_t items = number_of("SELECT count(*) FROM items");
        const int64_t with = number_of("SELECT count(*) FROM items WHERE place IS NOT NULL");
        if (items != f->items || with != f->with_vector)
            fail_msg("%s: %" PRId64 " items, %" PRId64 " with a vector", f->name, items, with);
        /* Nothing else changed: an item that kept its vector is as it was, but for what was wrong. */
        assert_int_equal(
            number_of("SELECT count(*) FROM items WHERE place IS NULL AND size != -1"), 0);
        if (items == full_items && with == full_items && strcmp(f->name, "state") != 0 &&
            strcmp(f->name, "metadata") != 0) {
            char *after = dump_at(folder);
            assert_string_equal(before, after);
            free(after);
        }
        /* The writer goes on from there. */
        store = open_store(true);
        put(store, in_root("p/a.jpg"), 1);
        put(store, in_root("p/new.jpg"), 1000);
        OK(akin_store_commit(store, &err));
        akin_store_close(store);
        assert_clean();
        free(before);
        assert_int_equal(teardown(state), 0);
    }
    assert_int_equal(setup(state), 0);
}

/* What is lost comes back with the next index, under the id it had. */
static void what_repair_drops_is_embedded_again(void **state)
{
    (void)state;
    akin_store_close(make_full(""));
    char *before = dump_at(folder);
    break_row();
    akin_store *store = open_store(true);
    assert_int_equal(verify(store, true), 1);
    akin_item item;
    OK(akin_store_item(store, in_root("p/a.jpg"), -1, &item, &err));
    assert_int_equal(item.id, 1);
    assert_false(item.has_vector);
    assert_int_equal(item.state, AKIN_ITEM_MISSING);
    assert_int_equal(item.stamp.size, -1);
    assert_string_equal(item.facts.camera, "X100 \"V\"");
    uint8_t hash[AKIN_HASH_BYTES] = { 1 };
    int64_t content;
    assert_int_equal(akin_store_content(store, hash, -1, &content, &err), AKIN_E_NOT_FOUND);
    assert_live(store, full_live - 1);
    /* As index does: the file is read, its content is not known, it is embedded. */
    const akin_stamp stamp = { .size = 1, .mtime_ns = 1001, .sidecars = 1 };
    OK(add_content(store, 1, -1, &content, &err));
    const akin_item_facts facts = item.facts;
    int64_t id;
    char *copy = strdup(facts.metadata);
    OK(akin_store_put(store, in_root("p/a.jpg"), -1, &stamp, content,
                      &(akin_item_facts){ .taken_at = "2023-06-15T14:03:22",
                                          .camera = "X100 \"V\"", .width = 640, .height = 480,
                                          .has_position = true, .latitude = 52.1,
                                          .longitude = -0.1, .metadata = copy },
                      &id, &err));
    free(copy);
    OK(akin_store_commit(store, &err));
    assert_int_equal(id, 1);
    assert_int_equal(verify(store, false), 0);
    akin_store_close(store);
    char *after = dump_at(folder);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* The root page of a table is written over: no index, nothing that could be derived. */
static void damage_that_stays_is_told(void **state)
{
    (void)state;
    akin_store_close(make_full(""));
    exec_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    const int64_t page = number_of("SELECT rootpage FROM sqlite_schema WHERE name = 'skips'");
    const int64_t size = number_of("SELECT * FROM pragma_page_size");
    unsigned char garbage[64];
    memset(garbage, 0xa5, sizeof garbage);
    patch("collection.sqlite", (long)((page - 1) * size), garbage, sizeof garbage);
    shell("cp '%s/collection.sqlite' '%s/saved'", folder, root);
    akin_store *store = open_store(false);
    assert_true(verify(store, false) > 0);
    assert_non_null(strstr(told.text, "SQLite:"));
    akin_store_close(store);
    store = open_store(true);
    assert_true(verify(store, true) > 0);
    assert_int_equal(told.repaired, 0);
    assert_non_null(strstr(told.text, "akin export"));
    akin_store_close(store);
    shell("cmp '%s/collection.sqlite' '%s/saved'", folder, root);
    /* As it says: what can be read can be saved. */
    store = open_store(false);
    OK(akin_store_export(store, in_root("out"), &err));
    akin_store_close(store);
    OK(akin_store_create(in_root("again"), &model, NULL, &err));
    store = open_at(in_root("again"), true);
    size_t added;
    OK(akin_store_import(store, in_root("out"), &added, &err));
    assert_int_equal(added, full_items);
    akin_store_close(store);
    char *before = dump_at(folder), *after = dump_at(in_root("again"));
    replace(before, "\n \"b\"", "  \"b\""); /* a line is one line */
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* A file that a writer is just making, or about to remove, is no fault. */
static void files_of_a_writer_are_no_fault(void **state)
{
    (void)state;
    akin_store *store = make_full(""), *reader = open_store(false);
    add_orphan();
    assert_int_equal(verify(reader, false), 0);
    assert_int_equal(verify(store, false), 1); /* who has the lock knows that it is nobody's */
    akin_store_close(store);
    assert_int_equal(verify(reader, false), 1);
    fclose(fopen(in_folder("segments/notes.txt"), "w"));
    fclose(fopen(in_folder("segments/7.vec"), "w"));
    fclose(fopen(in_folder("segments/00000008.vec.bak"), "w"));
    assert_int_equal(verify(reader, false), 1);
    store = open_store(true); /* which removes it */
    assert_int_equal(verify(store, true), 0);
    assert_int_equal(entries(in_folder("segments")), 4);
    akin_store_close(store);
    akin_store_close(reader);
}

/* ---- compact -------------------------------------------------------------------------------- */

static void compact_drops_what_no_item_has(void **state)
{
    (void)state;
    akin_store *store = make_full(""), *reader = open_store(false);
    uint64_t reclaimed;
    char *before = dump_of(store);
    OK(akin_store_begin(reader, &err));
    const akin_vectors *v = akin_store_vectors(reader);
    assert_int_equal(v->rows, 9);
    unsigned char had[9 * dims * 2];
    memcpy(had, v->blocks[0].rows, sizeof had);

    OK(akin_store_compact(store, false, &reclaimed, &err));
    assert_int_equal(reclaimed, dims * 2); /* one vector */
    assert_int_equal(entries(in_folder("segments")), 1);
    assert_int_equal(access(in_folder(FIRST), F_OK), -1);
    char *after = dump_of(store);
    assert_string_equal(before, after);
    free(after);
    assert_live(store, full_live);
    assert_int_equal(verify(store, false), 0);

    /* The reader's snapshot is what it was, its next one what is. */
    assert_memory_equal(had, v->blocks[0].rows, sizeof had);
    assert_int_equal(akin_store_live(reader), full_live);
    akin_store_end(reader);
    OK(akin_store_begin(reader, &err));
    assert_int_equal(akin_store_live(reader), full_live);
    assert_int_equal(akin_store_vectors(reader)->rows, 8);
    akin_store_end(reader);

    /* Again: nothing to do, nothing is done. */
    OK(akin_store_compact(store, false, &reclaimed, &err));
    assert_int_equal(reclaimed, 0);
    assert_int_equal(access(in_folder("segments/00000002.vec"), F_OK), 0);

    /* What is missing or hidden goes when it is asked for. */
    OK(akin_store_compact(store, true, &reclaimed, &err));
    assert_int_equal(reclaimed, 2 * dims * 2);
    assert_int_equal(verify(store, false), 0);
    assert_live(store, full_live);
    akin_store_summary s;
    OK(akin_store_summarise(store, &s, &err));
    assert_int_equal(s.missing + s.hidden + s.dead, 0);
    assert_int_equal(s.contents, 6);
    assert_int_equal(s.reclaimable_bytes, 0);
    put(store, in_root("p/next.jpg"), 900);
    OK(akin_store_commit(store, &err));
    assert_int_equal(verify(store, false), 0);
    assert_live(reader, full_live + 1);

    put(store, in_root("p/next.jpg"), 901);
    assert_int_equal(akin_store_compact(store, false, &reclaimed, &err), AKIN_E_ARGUMENT);
    OK(akin_store_commit(store, &err)); /* and what was to come was not given up */
    assert_int_equal(verify(store, false), 0);
    assert_int_equal(akin_store_compact(reader, false, &reclaimed, &err), AKIN_E_ARGUMENT);
    akin_store_close(reader);
    akin_store_close(store);
    free(before);
}

static void compact_does_not_carry_damage_on(void **state)
{
    (void)state;
    akin_store *store = make_full("");
    uint64_t reclaimed;
    akin_store_close(store);
    break_row();
    store = open_store(true);
    assert_int_equal(akin_store_compact(store, false, &reclaimed, &err), AKIN_E_CORRUPT);
    assert_non_null(strstr(err.message, "verify --repair"));
    assert_int_equal(entries(in_folder("segments")), 1); /* what was begun is gone */
    put(store, in_root("p/next.jpg"), 900); /* and the writer goes on */
    OK(akin_store_commit(store, &err));
    assert_int_equal(verify(store, true), 1);
    OK(akin_store_compact(store, false, &reclaimed, &err));
    assert_int_equal(verify(store, false), 0);
    assert_live(store, full_live); /* one less, one more */
    akin_store_close(store);
}

/* More than one segment: a full one without dead rows stays where it is. */
static void compact_leaves_full_segments_alone(void **state)
{
    (void)state;
    enum { n = AKIN_SEGMENT_ROWS + 100 };
    OK(akin_store_create(folder, &model, NULL, &err));
    akin_store *store = open_store(true), *reader = open_store(false);
    char path[64];
    uint64_t reclaimed;
    size_t repeats;
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "/photos/%d/%d.jpg", i % 100, i);
        put(store, path, i);
    }
    OK(akin_store_commit(store, &err));
    assert_int_equal(entries(in_folder("segments")), 2);
    assert_live(reader, n);
    for (int i = n - 10; i < n; i++) { /* ten of the last are replaced */
        snprintf(path, sizeof path, "/photos/%d/%d.jpg", i % 100, i);
        put(store, path, 7);
    }
    OK(akin_store_commit(store, &err));
    OK(akin_store_compact(store, false, &reclaimed, &err));
    assert_int_equal(reclaimed, 10 * dims * 2);
    assert_int_equal(access(in_folder("segments/00000001.vec"), F_OK), 0);
    assert_int_equal(access(in_folder("segments/00000002.vec"), F_OK), -1);
    assert_int_equal(access(in_folder("segments/00000003.vec"), F_OK), 0);
    if (verify(store, false) != 0)
        fail_msg("%s", told.text);
    assert_live(reader, n);
    OK(akin_store_begin(reader, &err));
    assert_int_equal(akin_store_repeats(reader, &repeats)[0].items, 11);
    assert_int_equal(repeats, 1);
    akin_store_end(reader);
    /* One of the full one's: that is written again, and joined with the other. */
    put(store, "/photos/0/0.jpg", 9);
    OK(akin_store_commit(store, &err));
    assert_false(akin_store_wants_compact(store));
    OK(akin_store_compact(store, false, &reclaimed, &err));
    assert_int_equal(entries(in_folder("segments")), 2);
    assert_int_equal(access(in_folder("segments/00000005.vec"), F_OK), 0);
    assert_int_equal(verify(store, false), 0);
    assert_live(reader, n);

    /* Almost everything goes: the database is made smaller too. */
    akin_store_close(store);
    exec_sql("UPDATE items SET state = 1 WHERE id > 50; PRAGMA wal_checkpoint(TRUNCATE)");
    struct stat big, small;
    assert_int_equal(stat(in_folder("collection.sqlite"), &big), 0);
    store = open_store(true);
    assert_int_equal(verify(store, true), 3); /* two bitmaps and the repeats */
    assert_false(akin_store_wants_compact(store)); /* missing is not dead */
    OK(akin_store_compact(store, true, &reclaimed, &err));
    assert_int_equal(entries(in_folder("segments")), 1);
    assert_int_equal(verify(store, false), 0);
    assert_live(reader, 50);
    akin_store_close(reader);
    akin_store_close(store);
    exec_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(stat(in_folder("collection.sqlite"), &small), 0);
    assert_true(small.st_size < big.st_size / 10);
    assert_int_equal(number_of("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql NOT"
                               " NULL"), 10);
}

/* Runs `work` killed before each of its steps in turn, each time from the same beginning; `check` is
 * called after each, with what it left. */
static void torture(void (*begin)(void), torture_work work, torture_check check)
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

static char *expected, *expected_too;

static void begin_full(void)
{
    akin_store *store = make_full("");
    akin_store_close(store);
    exec_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    expected = dump_at(folder);
}

static void do_compact(void)
{
    akin_store *store;
    uint64_t reclaimed;
    MUST(akin_store_open(&store, folder, true, 0, &err));
    MUST(akin_store_compact(store, false, &reclaimed, &err));
    akin_store_close(store);
}

static void check_compact(void)
{
    akin_store *store = open_store(false);
    char *now = dump_of(store);
    assert_string_equal(expected, now);
    free(now);
    assert_live(store, full_live);
    verify(store, false); /* orphans at most */
    for (const char *p = told.text; *p != '\0'; p = strchr(p, '\n') + 1)
        assert_non_null(strstr(p, "nothing refers to them"));
    akin_store_close(store);
    /* The next compact leaves one file and no fault. */
    do_compact();
    assert_int_equal(entries(in_folder("segments")), 1);
    assert_clean();
    now = dump_at(folder);
    assert_string_equal(expected, now);
    free(now);
}

static void a_killed_compact_loses_nothing(void **state)
{
    (void)state;
    torture(begin_full, do_compact, check_compact);
    free(expected);
}

/* ---- copy ----------------------------------------------------------------------------------- */

static void a_copy_is_the_same(void **state)
{
    (void)state;
    static const struct { const char *base, *to; bool relative; } ways[] = {
        { "", "p/.akin/copy", true },    /* the same folder two above */
        { "", "elsewhere/deep/copy", false },
        { NULL, "p/.akin/copy2", false },
        { "/", "p/.akin/copy3", false },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        akin_store *store = make_full(ways[i].base);
        char *before = dump_of(store), *to = strdup(in_root(ways[i].to));
        OK(akin_store_rebuild_begin(store, &model2, &err));
        float vector[12];
        vector_of(3, 12, vector);
        OK(akin_store_rebuild_add(store, 1, vector, "/x", &err));
        OK(akin_store_commit(store, &err));
        OK(akin_store_copy(store, to, &err));
        akin_store_summary s;
        OK(akin_store_summarise(store, &s, &err));
        char *uuid = strdup(s.uuid), *base = strdup(s.base);
        akin_store_close(store);
        assert_clean_at(to);
        char *after = dump_at(to);
        assert_string_equal(before, after);
        free(after);
        store = open_at(to, true);
        OK(akin_store_summarise(store, &s, &err));
        assert_string_not_equal(s.uuid, uuid);
        assert_string_equal(s.base, base);
        assert_int_equal(s.built, 1);
        assert_string_equal(s.building, "ViT-L/14");
        assert_int_equal(s.skipped, 1);
        assert_int_equal(number_at(to, "SELECT count(*) FROM facts WHERE name = 'base' AND"
                                       " length(value) = 0"), ways[i].relative);
        put(store, in_root("p/next.jpg"), 900); /* it can be written to */
        OK(akin_store_commit(store, &err));
        assert_int_equal(verify(store, false), 0);
        /* The first is as it was, and takes none of the other's files. */
        assert_int_equal(number_of("SELECT count(*) FROM items"), full_items);
        akin_store_close(store);
        if (i == 0) {
            shell("cp '%s/segments/00000001.vec' '%s/segments/'", to, folder);
            store = open_store(false);
            assert_int_equal(akin_store_begin(store, &err), AKIN_E_CORRUPT);
            akin_store_close(store);
        }
        shell("rm -rf '%s/p'", root);
        free(uuid);
        free(base);
        free(to);
        free(before);
    }
}

static void a_copy_takes_no_place_that_is_taken(void **state)
{
    (void)state;
    akin_store *store = make_full("");
    assert_int_equal(akin_store_copy(store, in_root("p"), &err), AKIN_E_ARGUMENT);
    assert_int_equal(mkdir(in_root("empty"), 0700), 0);
    assert_int_equal(akin_store_copy(store, in_root("empty"), &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_copy(store, in_root("empty/"), &err), AKIN_E_ARGUMENT);
    assert_int_equal(symlink("nowhere", in_root("link")), 0);
    assert_int_equal(akin_store_copy(store, in_root("link"), &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_copy(store, "", &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_copy(store, in_root("x/.."), &err), AKIN_E_ARGUMENT);
    fclose(fopen(in_root("file"), "w"));
    assert_int_equal(akin_store_copy(store, in_root("file/c"), &err), AKIN_E_NOT_FOUND);
    put(store, in_root("p/x.jpg"), 50);
    assert_int_equal(akin_store_copy(store, in_root("c"), &err), AKIN_E_ARGUMENT);
    OK(akin_store_commit(store, &err));
    assert_int_equal(remove(in_folder(FIRST)), 0);
    assert_int_equal(akin_store_copy(store, in_root("c"), &err), AKIN_E_CORRUPT);
    assert_non_null(strstr(err.message, "verify"));
    assert_int_equal(entries(root), 5); /* p, empty, link, x, file: nothing is left over */
    akin_store_close(store);
}

/* A writer that commits pairs of items, replaces, and compacts, as long as it is let. */
static void write_pairs(int until)
{
    akin_store *store;
    uint64_t reclaimed;
    MUST(akin_store_open(&store, folder, true, 5, &err));
    for (int i = 0;; i++) {
        char path[64];
        for (int k = 0; k < 2; k++) {
            snprintf(path, sizeof path, "/pairs/%d/%d.jpg", i % 40, k);
            MUST(put_part(store, path, -1, 1000 + 2 * i + k, NULL, &err));
        }
        MUST(akin_store_commit(store, &err));
        if (i % 8 == 7)
            MUST(akin_store_compact(store, false, &reclaimed, &err));
        char c;
        if (read(until, &c, 1) == 0)
            break;
    }
    akin_store_close(store);
}

static void a_copy_is_of_one_moment(void **state)
{
    (void)state;
    akin_store_close(make_full(""));
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        write_pairs(ends[0]);
        _exit(0);
    }
    close(ends[0]);
    akin_store *store = open_store(false);
    for (int i = 0; i < 25; i++) {
        char to[600];
        snprintf(to, sizeof to, "%s/copies/%d", root, i);
        OK(akin_store_copy(store, to, &err));
        assert_clean_at(to);
        assert_int_equal(number_at(to, "SELECT count(*) FROM items WHERE CAST(path AS TEXT) LIKE"
                                       " '/pairs/%'") % 2, 0);
        if (i % 5 == 0) { /* and so is an export, and what verify looks at */
            if (verify(store, false) != 0)
                fail_msg("%s", told.text);
            snprintf(to, sizeof to, "%s/copies/out%d", root, i);
            OK(akin_store_export(store, to, &err));
        }
    }
    akin_store_close(store);
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_clean();
}

static void do_copy(void)
{
    akin_store *store;
    MUST(akin_store_open(&store, folder, false, 0, &err));
    MUST(akin_store_copy(store, in_root("out"), &err));
    akin_store_close(store);
}

static void check_copy(void)
{
    assert_clean();
    if (akin_store_exists(in_root("out"))) {
        assert_clean_at(in_root("out"));
        char *now = dump_at(in_root("out"));
        assert_string_equal(expected, now);
        free(now);
    } else {
        assert_int_equal(access(in_root("out"), F_OK), -1);
    }
}

static void a_killed_copy_is_none(void **state)
{
    (void)state;
    torture(begin_full, do_copy, check_copy);
    assert_true(akin_store_exists(in_root("out")));
    free(expected);
}

/* ---- export and import ---------------------------------------------------------------------- */

static char *file_text(const char *path, size_t *size)
{
    akin_buffer b;
    OK(akin_file_read(path, "file", 1 << 24, &b, &err));
    if (size != NULL)
        *size = b.size;
    return b.data;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void an_export_comes_back_the_same(void **state)
{
    (void)state;
    size_t added, size;
    akin_store *store = make_full("");
    char *before = dump_of(store);
    OK(akin_store_export(store, in_root("out/one"), &err));
    assert_int_equal(entries(in_root("out")), 1);
    assert_int_equal(entries(in_root("out/one")), 3);
    assert_int_equal(akin_store_export(store, in_root("out/one"), &err), AKIN_E_ARGUMENT);

    /* The array: header and rows as numpy would write them; the dead vector is not there. */
    unsigned char *npy = (unsigned char *)file_text(in_root("out/one/vectors.npy"), &size);
    assert_int_equal(size, 128 + 8 * dims * 2);
    assert_memory_equal(npy, "\x93NUMPY\x01\x00\x76\x00{'descr': '<f2', 'fortran_order': False, "
                             "'shape': (8, 8), }   ", 10 + 62);
    assert_int_equal(npy[127], '\n');
    float vector[dims];
    vector_of(1, dims, vector);
    for (int i = 0; i < dims; i++)
        assert_int_equal(npy[128 + 2 * i] | npy[129 + 2 * i] << 8, akin_float_to_half(vector[i]));
    free(npy);
    char *lines = file_text(in_root("out/one/items.jsonl"), NULL);
    assert_non_null(strstr(lines, ",\"row\":0,\"part\":-1,\"state\":\"live\",\"size\":1,"
                                  "\"mtime_ns\":1001,\"sidecars\":1,\"sha256\":\"01000000"));
    assert_non_null(strstr(lines, "\"camera\":\"X100 \\\"V\\\"\",\"width\":640,\"height\":480,"
                                  "\"latitude\":52.1,\"longitude\":-0.1,\"metadata\":{\"a\": 1.50,"
                                  "  \"b\":"));
    assert_non_null(strstr(lines, "{\"path\":\"/elsewhere/\xef\xbf\xbd\\u000a\\u001b.png\",\"path_base64"
                                  "\":\"L2Vsc2V3aGVyZS//ChsucG5n\",\"row\":"));
    int count = 0;
    for (const char *p = lines; *p != '\0'; p = strchr(p, '\n') + 1)
        count++;
    assert_int_equal(count, full_items);
    free(lines);
    akin_store_close(store);

    /* Into a collection that its own words make, of another base. */
    akin_store_model its;
    void *memory;
    OK(akin_store_import_model(in_root("out/one"), &its, &memory, &err));
    assert_string_equal(its.identity, identity);
    assert_string_equal(its.name, model.name);
    assert_string_equal(its.path, model.path);
    assert_string_equal(its.form, model.form);
    assert_int_equal(its.dimensions, dims);
    assert_int_equal(its.type, AKIN_VECTOR_F16);
    OK(akin_store_create(in_root("two"), &its, NULL, &err));
    free(memory);
    store = open_at(in_root("two"), true);
    OK(akin_store_import(store, in_root("out/one"), &added, &err));
    assert_int_equal(added, full_items);
    char *after = dump_of(store);
    replace(before, "\n \"b\"", "  \"b\""); /* a line is one line */
    assert_string_equal(before, after);
    free(after);
    assert_live(store, full_live);
    assert_int_equal(verify(store, false), 0);

    /* Again: all is there already. And what that exports is what was read. */
    OK(akin_store_import(store, in_root("out/one"), &added, &err));
    assert_int_equal(added, 0);
    OK(akin_store_export(store, in_root("out/two"), &err));
    akin_store_close(store);
    shell("cd '%s/out' && cmp one/vectors.npy two/vectors.npy && cmp one/items.jsonl two/items.jsonl",
          root);

    /* Stored as f32: the same numbers; and from there back. */
    akin_store_model wide = model;
    wide.type = AKIN_VECTOR_F32;
    OK(akin_store_create(in_root("three"), &wide, NULL, &err));
    store = open_at(in_root("three"), true);
    OK(akin_store_import(store, in_root("out/one"), &added, &err));
    after = dump_of(store);
    assert_string_equal(before, after);
    free(after);
    OK(akin_store_export(store, in_root("out/three"), &err));
    akin_store_close(store);
    shell("rm -rf '%s/two'", root);
    OK(akin_store_create(in_root("two"), &model, NULL, &err));
    store = open_at(in_root("two"), true);
    OK(akin_store_import(store, in_root("out/three"), &added, &err));
    after = dump_of(store);
    assert_string_equal(before, after);
    free(after);
    akin_store_close(store);
    free(before);
}

/* An item without a vector, as a swap leaves it, is one afterwards too. */
static void items_without_vectors_are_exported(void **state)
{
    (void)state;
    size_t added;
    akin_store_close(make_full(""));
    break_row();
    akin_store *store = open_store(true);
    assert_int_equal(verify(store, true), 1);
    char *before = dump_of(store);
    OK(akin_store_export(store, in_root("out"), &err));
    akin_store_close(store);
    OK(akin_store_create(in_root("two"), &model, NULL, &err));
    store = open_at(in_root("two"), true);
    OK(akin_store_import(store, in_root("out"), &added, &err));
    char *after = dump_of(store);
    replace(before, "\n \"b\"", "  \"b\"");
    assert_string_equal(before, after);
    assert_int_equal(verify(store, false), 0);
    akin_store_close(store);
    free(before);
    free(after);
}

static void an_empty_collection_can_be_exported(void **state)
{
    (void)state;
    size_t added = 9;
    OK(akin_store_create(folder, &model, NULL, &err));
    akin_store *store = open_store(true);
    OK(akin_store_export(store, in_root("out"), &err));
    OK(akin_store_import(store, in_root("out"), &added, &err));
    assert_int_equal(added, 0);
    OK(akin_store_copy(store, in_root("copy"), &err));
    assert_clean_at(in_root("copy"));
    uint64_t reclaimed;
    OK(akin_store_compact(store, true, &reclaimed, &err));
    assert_int_equal(reclaimed, 0);
    assert_int_equal(verify(store, true), 0);
    akin_store_close(store);
}

/* An npy of rows of the vectors 1, 2, ...: whatever header, `cut` bytes left out at the end. */
static void write_npy(const char *path, const char *header, int rows, int cut)
{
    FILE *f = fopen(path, "wb");
    const size_t length = strlen(header) + 1;
    assert_non_null(f);
    fwrite("\x93NUMPY\x01\0", 1, 8, f);
    fputc((int)(length & 255), f);
    fputc((int)(length >> 8), f);
    fputs(header, f);
    fputc('\n', f);
    for (int r = 0; r < rows; r++) {
        float vector[dims];
        vector_of(r + 1, dims, vector);
        fwrite(vector, 4, dims, f);
    }
    assert_int_equal(fflush(f), 0);
    assert_int_equal(ftruncate(fileno(f), ftell(f) - cut), 0);
    fclose(f);
}

static const char good_header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8), }";
static const char good_lines[] = "{\"path\":\"/a.jpg\",\"row\":0}\n{\"row\":1,\"path\":\"/b.jpg\"}\n";

static akin_status import_of(const char *lines, size_t *added)
{
    akin_store *store = open_store(true);
    if (lines != NULL)
        write_text(in_root("in/items.jsonl"), lines);
    err = (akin_error){ 0 };
    const akin_status status = akin_store_import(store, in_root("in"), added, &err);
    akin_store_close(store);
    return status;
}

static void begin_import(void)
{
    size_t added;
    OK(akin_store_create(folder, &model, NULL, &err));
    assert_int_equal(mkdir(in_root("in"), 0700), 0);
    write_npy(in_root("in/vectors.npy"), good_header, 2, 0);
    /* Of lines with a path and a row alone. */
    OK(import_of(good_lines, &added));
    assert_int_equal(added, 2);
    akin_store *store = open_store(false);
    akin_item item;
    float want[dims], have[dims];
    OK(akin_store_item(store, "/b.jpg", -1, &item, &err));
    assert_int_equal(item.stamp.size, -1); /* index reads it again */
    vector_of(2, dims, want);
    OK(akin_store_vector(store, item.content, have, &err));
    for (int i = 0; i < dims; i++)
        assert_true(fabsf(want[i] - have[i]) < 1e-3f);
    assert_live(store, 2);
    akin_store_close(store);
    assert_clean();
}

static void wrong_arrays_are_refused(void **state)
{
    (void)state;
    static const struct { const char *header; int rows, cut; akin_status status; const char *says; }
    cases[] = {
        { good_header, 2, 1, AKIN_E_TRUNCATED, "63 bytes behind its header" },
        { good_header, 3, 0, AKIN_E_CORRUPT, "96 bytes behind its header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 7), }", 2, 8, AKIN_E_ARGUMENT,
          "have 7 numbers" },
        { "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 8), }", 2, 0, AKIN_E_UNSUPPORTED,
          "'>f4'" },
        { "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 8), }", 2, 0, AKIN_E_UNSUPPORTED,
          "astype" },
        { "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 8), }", 2, 0, AKIN_E_UNSUPPORTED,
          "Fortran" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8, 1), }", 2, 0, AKIN_E_FORMAT,
          "3 dimensions" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (16,), }", 2, 0, AKIN_E_FORMAT,
          "1 dimensions" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 2, 0, AKIN_E_FORMAT,
          "0 dimensions" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (16)}", 2, 0, AKIN_E_FORMAT, "header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 18446744073709551616)}", 2, 0,
          AKIN_E_FORMAT, "header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2305843009213693953, 8)}", 2, 0,
          AKIN_E_CORRUPT, "bytes behind" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (02, 8)}", 2, 0, AKIN_E_FORMAT,
          "header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 8)}", 2, 0, AKIN_E_FORMAT,
          "header" },
        { "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 8)}", 2, 0, AKIN_E_FORMAT, "header" },
        { "{'descr': '<f4', 'fortran_order': False}", 2, 0, AKIN_E_FORMAT, "header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8), 'x': 1}", 2, 0, AKIN_E_FORMAT,
          "header" },
        { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 8)}", 2, 0,
          AKIN_E_FORMAT, "header" },
        { "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 8)}", 2, 0, AKIN_E_FORMAT,
          "header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8)} x", 2, 0, AKIN_E_FORMAT,
          "header" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8)", 2, 0, AKIN_E_FORMAT,
          "header" },
        { "{'descr': '<f4", 2, 0, AKIN_E_FORMAT, "header" },
        { "", 2, 0, AKIN_E_FORMAT, "header" },
    };
    size_t added;
    begin_import();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_npy(in_root("in/vectors.npy"), cases[i].header, cases[i].rows, cases[i].cut);
        const akin_status status = import_of(NULL, &added);
        if (status != cases[i].status || strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s: %d %s", cases[i].header, status, err.message);
        assert_non_null(strstr(err.path, "vectors.npy"));
    }
    /* Any order, either quote, no comma at the end; versions 2 and 3. */
    write_npy(in_root("in/vectors.npy"),
              "{\"shape\":(2,8),'fortran_order':False,\"descr\":\"<f4\"}", 2, 0);
    OK(import_of(NULL, &added));
    size_t size;
    char *bytes = file_text(in_root("in/vectors.npy"), &size);
    for (char version = 1; version <= 4; version++) {
        FILE *f = fopen(in_root("in/vectors.npy"), "wb");
        bytes[6] = version;
        fwrite(bytes, 1, 10, f);
        if (version > 1)
            fwrite("\0", 1, 2, f);
        fwrite(bytes + 10, 1, size - 10, f);
        fclose(f);
        assert_int_equal(import_of(NULL, &added), version <= 3 ? AKIN_OK : AKIN_E_UNSUPPORTED);
    }
    /* Cut anywhere. */
    for (size_t n = 0; n < size; n++) {
        FILE *f = fopen(in_root("in/vectors.npy"), "wb");
        bytes[6] = 1;
        fwrite(bytes, 1, n, f);
        fclose(f);
        assert_int_not_equal(import_of(NULL, &added), AKIN_OK);
    }
    free(bytes);
    /* Rows that no model gives. */
    static const struct { float at0; const char *says; akin_status status; } rows[] = {
        { NAN, "row 1 cannot be stored: its number 0 is not finite", AKIN_E_NONFINITE },
        { INFINITY, "number 0 is not finite", AKIN_E_NONFINITE },
        { 1.002f, "its length is 1.002, not 1; normalise", AKIN_E_ARGUMENT },
        { 0.995f, "its length is 0.995", AKIN_E_ARGUMENT },
        { 0, "its length is 0", AKIN_E_NONFINITE },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_npy(in_root("in/vectors.npy"), good_header, 2, 4 * dims);
        FILE *f = fopen(in_root("in/vectors.npy"), "ab");
        const float row[dims] = { rows[i].at0 };
        fwrite(row, 4, dims, f);
        fclose(f);
        const akin_status status = import_of(NULL, &added);
        if (status != rows[i].status || strstr(err.message, rows[i].says) == NULL)
            fail_msg("%g: %d %s", (double)rows[i].at0, status, err.message);
    }
    remove(in_root("in/vectors.npy"));
    assert_int_equal(import_of(NULL, &added), AKIN_E_NOT_FOUND);
    assert_int_equal(mkfifo(in_root("in/vectors.npy"), 0600), 0);
    assert_int_equal(import_of(NULL, &added), AKIN_E_NOT_A_FILE);
    assert_int_equal(number_of("SELECT count(*) FROM items"), 2);
    assert_clean();
}

static void wrong_lines_are_refused(void **state)
{
    (void)state;
    static const struct { const char *line, *says; } cases[] = {
        { "", "line 2: " },
        { "x", "line 2: " },
        { "[]", "line 2: " },
        { "{\"path\":\"/n.jpg\",\"row\":0} {}", "line 2: " },
        { "{\"row\":0}", "'path' is not there" },
        { "{\"path\":\"/n.jpg\"}", "'row' is not there" },
        { "{\"path\":\"n.jpg\",\"row\":0}", "not absolute" },
        { "{\"path\":\"\",\"row\":0}", "not absolute" },
        { "{\"path\":\"/\",\"row\":0}", "names no file" },
        { "{\"path\":7,\"row\":0}", "'path' is no text" },
        { "{\"path\":\"/n\\u0000.jpg\",\"row\":0}", "line 2: " },
        { "{\"path\":\"/n.jpg\",\"row\":2}", "'row' is no integer from 0 to 1" },
        { "{\"path\":\"/n.jpg\",\"row\":-1}", "'row' is no integer" },
        { "{\"path\":\"/n.jpg\",\"row\":0.0}", "'row' is no integer" },
        { "{\"path\":\"/n.jpg\",\"row\":\"0\"}", "'row' is no integer" },
        { "{\"path\":\"/n.jpg\",\"row\":18446744073709551616}", "'row' is no integer" },
        { "{\"path\":\"/n.jpg\",\"row\":null}", "needs a 'sha256'" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"part\":-2}", "'part'" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"size\":-2}", "'size'" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"mtime_ns\":1e3}", "'mtime_ns'" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"state\":\"dead\"}", "'state' is not" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"sha256\":\"12\"}", "64 hexadecimal" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"sha256\":\"g000000000000000000000000000000000000000000000"
          "000000000000000000\"}", "64 hexadecimal" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"metadata\":[]}", "'metadata' is no object" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"width\":-1}", "'width'" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"latitude\":91,\"longitude\":0}", "'latitude'" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"latitude\":9}", "belong together" },
        { "{\"path\":\"/n.jpg\",\"path_base64\":\"L24\",\"row\":0}", "no base64" },
        { "{\"path\":\"/n.jpg\",\"path_base64\":\"L2==\",\"row\":0}", "no base64" },
        { "{\"path\":\"/n.jpg\",\"path_base64\":\"L24=L24=\",\"row\":0}", "no base64" },
        { "{\"path\":\"/n.jpg\",\"path_base64\":\"\",\"row\":0}", "not absolute" },
        { "{\"path\":\"/n.jpg\",\"path_base64\":\"L24A\",\"row\":0}", "NUL" },
        { "{\"path\":\"/new.jpg\",\"row\":1}", "same path and part" },
        { "{\"path\":\"//new.jpg/\",\"row\":0}", "same path and part" },
        { "{\"path\":\"/n.jpg\",\"row\":1,\"sha256\":\"00000000000000000000000000000000000000000000000"
          "00000000000000011\"}", "with another vector than that of row 1" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"row\":0}", "line 2: " },
    };
    char text[2048];
    size_t added;
    begin_import();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        added = 99;
        snprintf(text, sizeof text, "{\"path\":\"/new.jpg\",\"row\":0,\"sha256\":\"0000000000000000000"
                 "000000000000000000000000000000000000000000011\"}\n%s\n{\"path\":\"/m.jpg\","
                 "\"row\":1}\n", cases[i].line);
        const akin_status status = import_of(text, &added);
        if (status != AKIN_E_FORMAT || strstr(err.message, cases[i].says) == NULL ||
            strstr(err.message, "line 2: ") == NULL || strstr(err.path, "items.jsonl") == NULL)
            fail_msg("%s: %d %s", cases[i].line, status, err.message);
        assert_int_equal(added, 0);
        assert_int_equal(number_of("SELECT count(*) FROM items"), 2); /* nothing of it */
        assert_int_equal(number_of("SELECT count(*) FROM contents"), 2);
    }
    assert_clean();
    /* What is right: no line end at the end, a carriage return, things akin does not know; an item that
     * is there stays as it is; the same line's hash twice with the same vector is one content. */
    OK(import_of("{\"path\":\"/a.jpg\",\"row\":1,\"size\":5}\r\n{\"path\":\"/x.jpg\",\"row\":0,"
                 "\"caption\":\"}\",\"size\":12,\"mtime_ns\":-5,\"metadata\":{\"t\":\"a\\\"},\"},"
                 "\"state\":null}\n{\"path\":\"/y.jpg\",\"row\":0}", &added));
    assert_int_equal(added, 2);
    assert_int_equal(number_of("SELECT count(*) FROM contents"), 2); /* by their vectors' bytes */
    assert_int_equal(number_of("SELECT size FROM items WHERE path = CAST('/a.jpg' AS BLOB)"), -1);
    assert_int_equal(number_of("SELECT count(*) FROM items WHERE metadata = '{\"t\":\"a\\\"},\"}'"),
                     1);
    assert_clean();
    /* A line that does not end. */
    FILE *f = fopen(in_root("in/items.jsonl"), "w");
    assert_int_equal(ftruncate(fileno(f), 65 << 20), 0);
    fclose(f);
    assert_int_equal(import_of(NULL, &added), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "line 1 is longer"));
}

static void an_import_is_of_the_same_model(void **state)
{
    (void)state;
    size_t added;
    akin_store_model its;
    void *memory;
    begin_import();
    write_text(in_root("in/collection.json"),
               "{\"akin_export\":1,\"model\":{\"identity\":\"other\",\"name\":\"n\",\"path\":\"/p\","
               "\"path_base64\":\"L/8=\",\"form\":\"hf\",\"dimensions\":8,\"type\":\"f32\"}}");
    assert_int_equal(import_of(good_lines, &added), AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "'n'"));
    OK(akin_store_import_model(in_root("in"), &its, &memory, &err));
    assert_string_equal(its.path, "/\xff");
    free(memory);
    static const struct { const char *text; akin_status status; } cases[] = {
        { "", AKIN_E_FORMAT },
        { "[]", AKIN_E_FORMAT },
        { "{\"akin_export\":2}", AKIN_E_UNSUPPORTED },
        { "{\"akin_export\":1}", AKIN_E_FORMAT },
        { "{\"akin_export\":1,\"model\":{\"identity\":\"\",\"name\":\"n\",\"path\":\"/p\",\"form\":"
          "\"hf\",\"dimensions\":8,\"type\":\"f32\"}}", AKIN_E_FORMAT },
        { "{\"akin_export\":1,\"model\":{\"identity\":\"i\",\"name\":\"n\",\"path\":\"/p\",\"form\":"
          "\"hf\",\"dimensions\":0,\"type\":\"f32\"}}", AKIN_E_FORMAT },
        { "{\"akin_export\":1,\"model\":{\"identity\":\"i\",\"name\":\"n\",\"path\":\"/p\",\"form\":"
          "\"hf\",\"dimensions\":8,\"type\":\"f64\"}}", AKIN_E_FORMAT },
        { "{\"akin_export\":1,\"model\":{\"identity\":\"i\",\"name\":7,\"path\":\"/p\",\"form\":"
          "\"hf\",\"dimensions\":8,\"type\":\"f16\"}}", AKIN_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(in_root("in/collection.json"), cases[i].text);
        memory = &memory;
        assert_int_equal(akin_store_import_model(in_root("in"), &its, &memory, &err),
                         cases[i].status);
        assert_null(memory);
        assert_int_equal(import_of(good_lines, &added), cases[i].status);
    }
    assert_int_equal(akin_store_import_model(in_root("none"), &its, &memory, &err),
                     AKIN_E_NOT_FOUND);
    akin_store *store = open_store(true);
    assert_int_equal(akin_store_import(store, in_root("none"), &added, &err), AKIN_E_NOT_FOUND);
    akin_store_close(store);
    store = open_store(false);
    assert_int_equal(akin_store_import(store, in_root("in"), &added, &err), AKIN_E_ARGUMENT);
    akin_store_close(store);
}

static void begin_killed_import(void)
{
    begin_full();
    akin_store *store = open_store(false);
    OK(akin_store_export(store, in_root("in"), &err));
    akin_store_close(store);
    shell("rm -rf '%s'", folder);
    OK(akin_store_create(folder, &model, NULL, &err));
}

static void do_import(void)
{
    akin_store *store;
    size_t added;
    MUST(akin_store_open(&store, folder, true, 0, &err));
    MUST(akin_store_import(store, in_root("in"), &added, &err));
    akin_store_close(store);
}

static void check_import(void)
{
    const int64_t items = number_of("SELECT count(*) FROM items");
    assert_true(items == 0 || items == full_items);
    assert_int_equal(number_of("SELECT count(*) FROM contents"), items == 0 ? 0 : 8);
    do_import();
    char *now = dump_at(folder);
    replace(expected, "\n \"b\"", "  \"b\"");
    assert_string_equal(expected, now);
    free(now);
    akin_store *store = open_store(true);
    verify(store, true);
    akin_store_close(store);
    assert_clean();
}

static void a_killed_import_is_none(void **state)
{
    (void)state;
    torture(begin_killed_import, do_import, check_import);
    free(expected);
}

/* ---- Another model -------------------------------------------------------------------------- */

static akin_status rebuild_some(akin_store *store, int at_most, int *made, akin_error *why)
{
    akin_rebuild_item items[3];
    int64_t after = 0;
    size_t count = 3;
    akin_status status = AKIN_OK;
    while (status == AKIN_OK && count == 3 && at_most > 0) {
        status = akin_store_rebuild_next(store, &after, items, 3, &count, why);
        for (size_t i = 0; i < count && status == AKIN_OK && at_most > 0; i++, at_most--) {
            float vector[12];
            vector_of((int)items[i].content + 7, 12, vector);
            status = akin_store_rebuild_add(store, items[i].content, vector, items[i].path, why);
            ++*made;
        }
        akin_store_rebuild_clear(items, count);
    }
    return status;
}

static void another_model_takes_over(void **state)
{
    (void)state;
    akin_store *store = make_full(""), *reader = open_store(false);
    size_t done, total;
    int made = 0;
    akin_store_summary s;
    assert_int_equal(akin_store_rebuild_begin(store, &model, &err), AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "already"));
    assert_int_equal(akin_store_rebuild_swap(store, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_rebuild_count(store, &done, &total, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_rebuild_begin(reader, &model2, &err), AKIN_E_ARGUMENT);
    OK(akin_store_rebuild_begin(store, &model2, &err));
    OK(akin_store_rebuild_count(store, &done, &total, &err));
    assert_int_equal(done, 0);
    assert_int_equal(total, 6); /* contents with a live item */
    OK(rebuild_some(store, 2, &made, &err));
    OK(akin_store_commit(store, &err));
    assert_int_equal(entries(in_folder("segments")), 2);
    assert_int_equal(verify(store, false), 0);
    assert_live(reader, full_live);
    assert_int_equal(akin_store_get_model(reader)->dimensions, dims);

    /* What was not committed is not there; what was is gone on with by whoever comes next. */
    OK(rebuild_some(store, 1, &made, &err));
    akin_store_close(store);
    store = open_store(true);
    akin_store_model moved = model2;
    moved.path = "/moved";
    OK(akin_store_rebuild_begin(store, &moved, &err));
    OK(akin_store_rebuild_count(store, &done, &total, &err));
    assert_int_equal(done, 2);

    /* Index meanwhile: new contents have vectors of the present model, the rebuild finds them. */
    put(store, in_root("p/new.jpg"), 300);
    OK(akin_store_commit(store, &err));
    assert_live(reader, full_live + 1);
    OK(akin_store_rebuild_count(store, &done, &total, &err));
    assert_int_equal(total, 7);
    uint64_t reclaimed;
    OK(akin_store_compact(store, false, &reclaimed, &err)); /* takes nothing of it */
    assert_int_equal(verify(store, false), 0);
    made = 0;
    OK(rebuild_some(store, 4, &made, &err)); /* one is left */
    assert_int_equal(made, 4);
    OK(akin_store_commit(store, &err));
    OK(akin_store_rebuild_count(store, &done, &total, &err));
    assert_int_equal(done, 6);
    assert_int_equal(verify(store, false), 0);

    float bad[12] = { 2 };
    assert_int_equal(akin_store_rebuild_add(store, 1, bad, "/x", &err), AKIN_E_ARGUMENT);
    bad[0] = NAN;
    assert_int_equal(akin_store_rebuild_add(store, 1, bad, "/x", &err), AKIN_E_NONFINITE);
    assert_string_equal(err.path, "/x");
    bad[0] = 1;
    assert_int_equal(akin_store_rebuild_add(store, 99, bad, "/x", &err), AKIN_E_ARGUMENT);

    /* A reader in a snapshot across the swap; a swap with something that is not committed. */
    OK(akin_store_begin(reader, &err));
    const akin_vectors *v = akin_store_vectors(reader);
    unsigned char had[dims * 2];
    memcpy(had, v->blocks[0].rows, sizeof had);
    put(store, in_root("p/last.jpg"), 301);
    OK(akin_store_rebuild_swap(store, &err));
    assert_string_equal(akin_store_get_model(store)->name, "ViT-L/14");
    assert_string_equal(akin_store_get_model(store)->path, "/moved");
    assert_int_equal(akin_store_live(reader), full_live + 1);
    assert_memory_equal(had, v->blocks[0].rows, sizeof had);
    akin_store_end(reader);
    /* Seven items of the six contents, video frames among them; two without are missing now. */
    OK(akin_store_begin(reader, &err));
    assert_string_equal(akin_store_get_model(reader)->identity, identity2);
    assert_int_equal(akin_store_vectors(reader)->dimensions, 12);
    const size_t live = akin_store_live(reader);
    akin_store_end(reader);
    assert_int_equal(live, full_live);
    if (verify(store, false) != 0)
        fail_msg("%s", told.text);
    assert_int_equal(entries(in_folder("segments")), 1);
    OK(akin_store_summarise(store, &s, &err));
    assert_null(s.building);
    assert_int_equal(s.missing, 3);
    assert_int_equal(s.hidden, 1);
    akin_item item;
    OK(akin_store_item(store, in_root("p/last.jpg"), -1, &item, &err));
    assert_int_equal(item.state, AKIN_ITEM_MISSING);
    assert_false(item.has_vector);
    float want[12], have[12];
    OK(akin_store_item(store, in_root("p/b.jpg"), -1, &item, &err));
    vector_of((int)item.content + 7, 12, want);
    OK(akin_store_vector(store, item.content, have, &err));
    assert_memory_equal(want, have, sizeof want);

    /* Index reads that file: it is as any other then. */
    uint8_t hash[AKIN_HASH_BYTES] = { 301 & 255, 301 >> 8 };
    int64_t content;
    assert_int_equal(akin_store_content(store, hash, -1, &content, &err), AKIN_E_NOT_FOUND);
    OK(akin_store_add_content(store, hash, -1, want, "/x", &content, &err));
    OK(akin_store_put(store, in_root("p/last.jpg"), -1, &(akin_stamp){ 1, 2, 0, 0 }, content, NULL,
                      NULL, &err));
    OK(akin_store_commit(store, &err));
    assert_live(reader, full_live + 1);
    assert_int_equal(verify(store, false), 0);
    OK(akin_store_compact(store, true, &reclaimed, &err));
    assert_int_equal(verify(store, false), 0);
    akin_store_close(store);
    akin_store_close(reader);
}

static void a_third_model_gives_up_the_second(void **state)
{
    (void)state;
    akin_store *store = make_full("");
    int made = 0;
    size_t done, total;
    OK(akin_store_rebuild_begin(store, &model2, &err));
    OK(rebuild_some(store, 5, &made, &err));
    OK(akin_store_commit(store, &err));
    akin_store_model third = model2;
    third.type = AKIN_VECTOR_F16;
    OK(akin_store_rebuild_begin(store, &third, &err)); /* the same, stored otherwise */
    assert_int_equal(entries(in_folder("segments")), 1);
    OK(akin_store_rebuild_count(store, &done, &total, &err));
    assert_int_equal(done, 0);
    assert_int_equal(verify(store, false), 0);
    /* The present one, stored otherwise. */
    third = model;
    third.type = AKIN_VECTOR_F32;
    OK(akin_store_rebuild_begin(store, &third, &err));
    assert_int_equal(number_of("SELECT count(*) FROM spaces"), 2);
    /* A swap with nothing done: nothing is live, and nothing is lost. */
    OK(akin_store_rebuild_swap(store, &err));
    assert_int_equal(verify(store, false), 0);
    assert_live(store, 0);
    assert_int_equal(number_of("SELECT count(*) FROM items WHERE state = 1"), full_items - 1);
    put(store, in_root("p/b.jpg"), 2);
    OK(akin_store_commit(store, &err));
    assert_live(store, 1);
    assert_int_equal(number_of("SELECT count(*) FROM items WHERE place IS NOT NULL"), 3);
    assert_int_equal(verify(store, false), 0);
    akin_store_close(store);
}

/* A bad vector of the new model is made again, and takes nothing else with it. */
static void repair_of_what_is_being_built(void **state)
{
    (void)state;
    akin_store *store = make_full("");
    int made = 0;
    size_t done, total;
    OK(akin_store_rebuild_begin(store, &model2, &err));
    OK(rebuild_some(store, 5, &made, &err));
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    char *before = dump_at(folder);
    patch("segments/00000002.vec", AKIN_SEGMENT_HEADER + 5, "\x55", 1);
    store = open_store(true);
    assert_int_equal(verify(store, true), 1);
    assert_non_null(strstr(told.text, "akin reindex"));
    assert_int_equal(verify(store, false), 0);
    OK(akin_store_rebuild_count(store, &done, &total, &err));
    assert_int_equal(done, 4);
    akin_store_close(store);
    assert_int_equal(remove(in_folder("segments/00000002.vec")), 0);
    store = open_store(true);
    assert_int_equal(verify(store, true), 1);
    assert_int_equal(verify(store, false), 0);
    made = 0;
    OK(rebuild_some(store, 100, &made, &err));
    assert_int_equal(made, 6);
    OK(akin_store_commit(store, &err));
    assert_int_equal(verify(store, false), 0);
    char *after = dump_of(store);
    assert_string_equal(before, after);
    free(before);
    free(after);
    OK(akin_store_rebuild_swap(store, &err));
    assert_int_equal(verify(store, false), 0);
    assert_live(store, full_live);
    akin_store_close(store);
}

static void do_rebuild(void)
{
    akin_store *store;
    int made = 0;
    MUST(akin_store_open(&store, folder, true, 0, &err));
    if (strcmp(akin_store_get_model(store)->identity, identity2) != 0) {
        MUST(akin_store_rebuild_begin(store, &model2, &err));
        for (int before = -1; made != before;) {
            before = made;
            MUST(rebuild_some(store, 2, &made, &err));
            MUST(akin_store_commit(store, &err));
        }
        MUST(akin_store_rebuild_swap(store, &err));
    }
    akin_store_close(store);
}

static void check_rebuild(void)
{
    akin_store *store = open_store(false);
    char *now = dump_of(store);
    const bool swapped = strcmp(akin_store_get_model(store)->identity, identity2) == 0;
    assert_live(store, full_live);
    if (!swapped)
        assert_string_equal(expected, now); /* the old ones answer meanwhile */
    free(now);
    akin_store_close(store);
    do_rebuild();
    store = open_store(true);
    verify(store, true); /* files that were left; no other fault */
    for (const char *p = told.text; *p != '\0'; p = strchr(p, '\n') + 1)
        assert_non_null(strstr(p, "nothing refers to them"));
    assert_int_equal(verify(store, false), 0);
    assert_live(store, full_live);
    now = dump_of(store);
    if (expected_too == NULL)
        expected_too = strdup(now);
    assert_string_equal(expected_too, now);
    free(now);
    akin_store_close(store);
}

static void a_killed_rebuild_goes_on(void **state)
{
    (void)state;
    torture(begin_full, do_rebuild, check_rebuild);
    free(expected);
    free(expected_too);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_collection_has_no_fault),
        TEST(each_fault_is_told_and_repaired),
        TEST(what_repair_drops_is_embedded_again),
        TEST(damage_that_stays_is_told),
        TEST(files_of_a_writer_are_no_fault),
        TEST(compact_drops_what_no_item_has),
        TEST(compact_does_not_carry_damage_on),
        TEST(compact_leaves_full_segments_alone),
        TEST(a_killed_compact_loses_nothing),
        TEST(a_copy_is_the_same),
        TEST(a_copy_takes_no_place_that_is_taken),
        TEST(a_copy_is_of_one_moment),
        TEST(a_killed_copy_is_none),
        TEST(an_export_comes_back_the_same),
        TEST(items_without_vectors_are_exported),
        TEST(an_empty_collection_can_be_exported),
        TEST(wrong_arrays_are_refused),
        TEST(wrong_lines_are_refused),
        TEST(an_import_is_of_the_same_model),
        TEST(a_killed_import_is_none),
        TEST(another_model_takes_over),
        TEST(a_third_model_gives_up_the_second),
        TEST(repair_of_what_is_being_built),
        TEST(a_killed_rebuild_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
