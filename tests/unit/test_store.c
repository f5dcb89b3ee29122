/* test_store.c - store/: collections that last. Many small ones in a folder that is removed again.
 * */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/half.h"
#include "filter_stub.h"
#include "folder.h"
#include "store/store_parts.h"

enum { dims = 8 };
static const char identity[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const akin_store_model model = { identity, "ViT-B/32", "/models/b32", "hf", dims,
                                        AKIN_VECTOR_F16 };

/* ---- A folder for each test ----------------------------------------------------------------- */

static char root[256], folder[512];
static akin_error err;

static int setup(void **state)
{
    (void)state;
    if (folder_make(root, sizeof root, "store") != 0)
        return -1;
    snprintf(folder, sizeof folder, "%s/p/.akin/images", root);
    return 0;
}

static int teardown(void **state)
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

static char *in_root(const char *name)
{
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

static akin_store *create(const char *base)
{
    akin_store *store;
    OK(akin_store_create(folder, &model, base, &err));
    OK(akin_store_open(&store, folder, true, 0, &err));
    return store;
}

static akin_store *open_store(bool write)
{
    akin_store *store;
    OK(akin_store_open(&store, folder, write, 0, &err));
    return store;
}

/* A unit vector that is another for each n. */
static void vector_of(int n, float out[dims])
{
    double sum = 0;
    for (int i = 0; i < dims; i++) {
        out[i] = (float)sin(n * 1.7 + i * (1 + n % 5)) + 0.01f;
        sum += (double)out[i] * out[i];
    }
    for (int i = 0; i < dims; i++)
        out[i] = (float)(out[i] / sqrt(sum));
}

static int64_t add_content(akin_store *store, int n, int64_t part)
{
    uint8_t hash[AKIN_HASH_BYTES] = { 0 };
    float vector[dims];
    int64_t content;
    memcpy(hash, &n, sizeof n);
    vector_of(n, vector);
    OK(akin_store_add_content(store, hash, part, vector, "/x", &content, &err));
    return content;
}

static int64_t put(akin_store *store, const char *path, int n)
{
    const akin_stamp stamp = { .size = n, .mtime_ns = 1000 + n };
    int64_t id;
    OK(akin_store_put(store, path, -1, &stamp, add_content(store, n, -1), NULL, &id, &err));
    return id;
}

static void exec_sql(const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(in_root("p/.akin/images/collection.sqlite"), &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* Live items, rows and places that stand for several, as a new snapshot has them. */
static void assert_live(akin_store *store, size_t live, size_t repeats)
{
    size_t count, bits = 0;
    OK(akin_store_begin(store, &err));
    assert_int_equal(akin_store_live(store), live);
    akin_store_repeats(store, &count);
    assert_int_equal(count, repeats);
    const akin_vectors *v = akin_store_vectors(store);
    uint8_t *allowed = malloc(v->rows / 8 + 1);
    OK(akin_store_filter_rows(store, NULL, allowed, &err));
    for (size_t i = 0; i < v->rows; i++)
        bits += allowed[i / 8] >> i % 8 & 1;
    size_t extra = 0;
    const akin_repeat *r = akin_store_repeats(store, &count);
    for (size_t i = 0; i < count; i++)
        extra += r[i].items - 1;
    assert_int_equal(bits + extra, live);
    free(allowed);
    akin_store_end(store);
}

/* Paths, one a line. */
struct listing {
    char text[20000];
    size_t size;
};

static akin_status list_item(void *context, const akin_item *item, akin_error *e)
{
    (void)e;
    struct listing *l = context;
    const char *path = item->path;
    assert_int_equal(strlen(path), item->path_size);
    if (strncmp(path, root, strlen(root)) == 0)
        path += strlen(root);
    l->size += (size_t)snprintf(l->text + l->size, sizeof l->text - l->size, "%s%s%ld\n", path,
                                item->part == -1 ? "" : "@", item->part == -1 ? 0L
                                                                            : (long)item->part);
    if (item->part == -1) { /* takes the 0 away again */
        l->size -= 2;
        l->text[l->size++] = '\n';
        l->text[l->size] = '\0';
    }
    return AKIN_OK;
}

static const char *listed(akin_store *store, const char *at)
{
    static struct listing l;
    l.size = 0;
    l.text[0] = '\0';
    OK(akin_store_visit(store, at, list_item, &l, &err));
    return l.text;
}

static akin_status count_item(void *context, const akin_item *item, akin_error *e)
{
    (void)item, (void)e;
    ++*(int *)context;
    return AKIN_OK;
}

/* ---- Making and opening --------------------------------------------------------------------- */

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

static void made_whole_or_not_at_all(void **state)
{
    (void)state;
    struct stat st;
    assert_false(akin_store_exists(folder));
    OK(akin_store_create(folder, &model, "", &err));
    assert_true(akin_store_exists(folder));
    assert_int_equal(entries(folder), 3); /* database, segments, lock: nothing is left over */
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(akin_store_create(folder, &model, "", &err), AKIN_E_ARGUMENT);

    /* A folder with other things in it is one to make a collection in. */
    char *other = in_root("other");
    assert_int_equal(mkdir(other, 0755), 0);
    assert_int_equal(mkdir(in_root("other/segments"), 0755), 0);
    fclose(fopen(in_root("other/notes.txt"), "w"));
    fclose(fopen(in_root("other/collection.sqlite.new"), "w"));
    OK(akin_store_create(other, &model, NULL, &err));
    assert_int_equal(entries(other), 4);

    fclose(fopen(in_root("file"), "w"));
    assert_int_equal(akin_store_create(in_root("file"), &model, NULL, &err), AKIN_E_NOT_A_FILE);
    assert_int_equal(akin_store_create(in_root("file/c"), &model, NULL, &err), AKIN_E_NOT_FOUND);
    assert_int_equal(akin_store_create("", &model, NULL, &err), AKIN_E_ARGUMENT);

    akin_store_model wrong = model;
    wrong.dimensions = 0;
    assert_int_equal(akin_store_create(in_root("w"), &wrong, NULL, &err), AKIN_E_ARGUMENT);
    wrong = model;
    wrong.type = (akin_vector_type)3;
    assert_int_equal(akin_store_create(in_root("w"), &wrong, NULL, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_create(in_root("w"), &model, "relative", &err), AKIN_E_ARGUMENT);
    assert_int_equal(access(in_root("w"), F_OK), -1);

    /* A database that cannot be made: "collection.sqlite.new-journal" is in its way. */
    assert_int_equal(mkdir(in_root("blocked"), 0755), 0);
    assert_int_equal(mkdir(in_root("blocked/collection.sqlite.new-journal"), 0755), 0);
    assert_int_not_equal(akin_store_create(in_root("blocked"), &model, NULL, &err), AKIN_OK);
    assert_false(akin_store_exists(in_root("blocked")));
    assert_int_equal(access(in_root("blocked/collection.sqlite.new"), F_OK), -1);
    assert_int_equal(access(in_root("blocked/segments"), F_OK), -1);
}

static void what_is_no_collection_is_said(void **state)
{
    (void)state;
    akin_store *store = (akin_store *)1;
    assert_int_equal(akin_store_open(&store, in_root("none"), false, 0, &err), AKIN_E_NOT_FOUND);
    assert_null(store);
    assert_int_equal(akin_store_open(&store, root, true, 0, &err), AKIN_E_NOT_FOUND);
    assert_int_equal(access(in_root("writer.lock"), F_OK), -1); /* and nothing is left there */

    store = create("");
    put(store, in_root("p/a.jpg"), 1);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);

    exec_sql("PRAGMA user_version = 7");
    assert_int_equal(akin_store_open(&store, folder, false, 0, &err), AKIN_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "format 7"));
    assert_non_null(strstr(err.message, "up to 1"));
    exec_sql("PRAGMA user_version = 0");
    assert_int_equal(akin_store_open(&store, folder, false, 0, &err), AKIN_E_CORRUPT);
    exec_sql("PRAGMA user_version = 1; PRAGMA application_id = 252006673"); /* like GeoPackage's */
    assert_int_equal(akin_store_open(&store, folder, false, 0, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "252006673"));
    exec_sql("PRAGMA application_id = 1634429294");
    akin_store_close(open_store(false));

    /* Files that nobody knows do not stop it. */
    fclose(fopen(in_root("p/.akin/images/unknown.tmp"), "w"));
    fclose(fopen(in_root("p/.akin/images/segments/readme"), "w"));
    fclose(fopen(in_root("p/.akin/images/segments/00000002.vec"), "w")); /* left by one that died */
    store = open_store(true);
    for (int i = 2; i < 5; i++)
        put(store, in_root("p/b.jpg"), i);
    OK(akin_store_commit(store, &err));
    assert_live(store, 2, 0);
    akin_store_close(store);

    char *database = in_root("p/.akin/images/collection.sqlite");
    FILE *f = fopen(database, "w");
    fputs("PNG", f);
    fclose(f);
    assert_int_equal(akin_store_open(&store, folder, false, 0, &err), AKIN_E_FORMAT);
    assert_int_equal(truncate(database, 0), 0);
    assert_int_equal(akin_store_open(&store, folder, true, 0, &err), AKIN_E_FORMAT);
    assert_int_equal(unlink(database), 0);
    assert_int_equal(mkdir(database, 0755), 0);
    assert_int_equal(akin_store_open(&store, folder, false, 0, &err), AKIN_E_NOT_A_FILE);
}

static void the_model_is_kept(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    const akin_store_model *m = akin_store_get_model(store);
    assert_string_equal(m->identity, identity);
    assert_string_equal(m->form, "hf");
    assert_int_equal(m->dimensions, dims);
    assert_int_equal(m->type, AKIN_VECTOR_F16);
    OK(akin_store_set_model_path(store, "B/32", "/elsewhere/b32", &err));
    akin_store_close(store); /* not committed */
    store = open_store(true);
    assert_string_equal(akin_store_get_model(store)->path, "/models/b32");
    OK(akin_store_set_model_path(store, "B/32", "/elsewhere/b32", &err));
    assert_string_equal(akin_store_get_model(store)->path, "/elsewhere/b32");
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    store = open_store(false);
    assert_string_equal(akin_store_get_model(store)->path, "/elsewhere/b32");
    assert_string_equal(akin_store_get_model(store)->name, "B/32");
    assert_int_equal(akin_store_set_model_path(store, "a", "b", &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_drop(store, "/a", NULL, 0, &err), AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "not opened for writing"));
    assert_string_equal(akin_store_folder(store), folder);
    assert_true((akin_store_advice(store) == NULL) == (akin_remote_kind(root) == NULL));
    akin_store_close(store);
}

/* ---- Items ---------------------------------------------------------------------------------- */

static void items_keep_what_they_are_told(void **state)
{
    (void)state;
    akin_store *store = create("");
    char *path = in_root("p/2023/IMG_1.JPG");
    const akin_stamp stamp = { 123, -5000000000, 77, 42 };
    const akin_item_facts facts = {
        .taken_at = "2023-06-15T14:03:22", .camera = "Canon", .width = 6000, .height = 4000,
        .has_position = true, .latitude = -48.5, .longitude = 2.25, .metadata = "{\"iso\":100}"
    };
    int64_t id, again;
    akin_item item;
    OK(akin_store_put(store, path, -1, &stamp, add_content(store, 1, -1), &facts, &id, &err));
    for (int i = 0; i < 2; i++) { /* seen at once by this handle, and after a commit */
        OK(akin_store_item(store, path, -1, &item, &err));
        assert_int_equal(item.id, id);
        assert_string_equal(item.path, path);
        assert_int_equal(item.path_size, strlen(path));
        assert_int_equal(item.part, -1);
        assert_int_equal(item.stamp.size, 123);
        assert_int_equal(item.stamp.mtime_ns, -5000000000);
        assert_int_equal(item.stamp.sidecars, 42);
        assert_int_equal(item.state, AKIN_ITEM_LIVE);
        assert_true(item.has_vector);
        assert_string_equal(item.facts.taken_at, "2023-06-15T14:03:22");
        assert_string_equal(item.facts.camera, "Canon");
        assert_int_equal(item.facts.width, 6000);
        assert_int_equal(item.facts.height, 4000);
        assert_true(item.facts.has_position);
        assert_true(item.facts.latitude == -48.5 && item.facts.longitude == 2.25);
        assert_string_equal(item.facts.metadata, "{\"iso\":100}");
        OK(akin_store_commit(store, &err));
    }
    assert_int_equal(akin_store_item(store, path, 0, &item, &err), AKIN_E_NOT_FOUND);
    assert_string_equal(err.message, "");
    /* Other content and facts, the same id; what is not known is NULL. */
    OK(akin_store_put(store, path, -1, &stamp, add_content(store, 2, -1), NULL, &again, &err));
    assert_int_equal(id, again);
    OK(akin_store_item(store, path, -1, &item, &err));
    assert_null(item.facts.taken_at);
    assert_null(item.facts.camera);
    assert_int_equal(item.facts.width, 0);
    assert_false(item.facts.has_position);
    assert_string_equal(item.facts.metadata, "{}");
    OK(akin_store_commit(store, &err));
    assert_live(store, 1, 0);

    assert_int_equal(akin_store_put(store, path, -1, &stamp, 99, NULL, &id, &err),
                     AKIN_E_ARGUMENT);
    const akin_item_facts wrong = { .metadata = "{\"iso\":" };
    assert_int_equal(akin_store_put(store, path, -1, &stamp, 1, &wrong, &id, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_store_put(store, "a.jpg", -1, &stamp, 1, NULL, &id, &err),
                     AKIN_E_ARGUMENT);
    put(store, in_root("p/c.jpg"), 3); /* which did not spoil it */
    OK(akin_store_commit(store, &err));
    assert_live(store, 2, 0);
    akin_store_close(store);
}

static void rows_live_while_items_do(void **state)
{
    (void)state;
    akin_store *store = create("");
    const akin_stamp stamp = { 1, 2, 0, 0 };
    put(store, in_root("p/a"), 1);
    put(store, in_root("p/b"), 1);
    put(store, in_root("p/c"), 2);
    OK(akin_store_commit(store, &err));
    assert_live(store, 3, 1);
    akin_store *reader = open_store(false);
    assert_live(reader, 3, 1);
    put(store, in_root("p/d"), 1);
    OK(akin_store_set_state(store, in_root("p/c"), AKIN_ITEM_MISSING, &err));
    assert_int_equal(akin_store_begin(store, &err), AKIN_E_ARGUMENT); /* not committed */
    assert_live(reader, 3, 1);
    OK(akin_store_commit(store, &err));
    assert_live(reader, 3, 1);
    assert_live(store, 3, 1);
    size_t count;
    OK(akin_store_begin(reader, &err));
    assert_int_equal(akin_store_repeats(reader, &count)[0].items, 3);
    akin_store_end(reader);

    OK(akin_store_set_state(store, in_root("p/c"), AKIN_ITEM_LIVE, &err));
    OK(akin_store_set_state(store, in_root("p/a"), AKIN_ITEM_HIDDEN, &err));
    OK(akin_store_drop(store, in_root("p/b"), NULL, 0, &err));
    OK(akin_store_drop(store, in_root("p/b"), NULL, 0, &err));
    assert_int_equal(akin_store_set_state(store, in_root("p/b"), AKIN_ITEM_LIVE, &err),
                     AKIN_E_NOT_FOUND);
    OK(akin_store_commit(store, &err));
    assert_live(reader, 2, 0);

    /* Moved: same id, live again, what was there is gone. */
    akin_item item;
    OK(akin_store_item(store, in_root("p/a"), -1, &item, &err));
    const int64_t id = item.id;
    OK(akin_store_move(store, in_root("p/a"), in_root("p/c"), &stamp, &err));
    assert_int_equal(akin_store_move(store, in_root("p/a"), in_root("p/c"), &stamp, &err),
                     AKIN_E_NOT_FOUND);
    OK(akin_store_item(store, in_root("p/c"), -1, &item, &err));
    assert_int_equal(item.id, id);
    assert_int_equal(item.state, AKIN_ITEM_LIVE);
    assert_int_equal(item.stamp.mtime_ns, 2);
    OK(akin_store_move(store, in_root("p/c"), in_root("p/c"), &stamp, &err)); /* onto itself */
    OK(akin_store_commit(store, &err));
    assert_live(reader, 2, 1); /* c and d */
    assert_string_equal(listed(reader, NULL), "/p/c\n/p/d\n");

    /* Other content: its row lives, the old one dies unless others have it. */
    put(store, in_root("p/c"), 2);
    put(store, in_root("p/d"), 3);
    OK(akin_store_commit(store, &err));
    assert_live(reader, 2, 0);
    akin_store_summary s;
    OK(akin_store_summarise(store, &s, &err));
    assert_int_equal(s.live, 2);
    assert_int_equal(s.contents, 3);
    assert_int_equal(s.dead, 1);
    assert_int_equal(s.missing, 0);
    assert_int_equal(s.segments, 1);
    assert_int_equal(s.vector_bytes, AKIN_SEGMENT_HEADER + 3 * dims * 2);
    assert_true(s.reclaimable_bytes >= dims * 2);
    assert_true(s.database_bytes > 4096);
    assert_int_equal(strlen(s.uuid), 36);
    assert_int_equal(s.uuid[14], '4');
    assert_int_equal(strlen(s.created), 20);
    assert_string_equal(s.base, in_root("p"));
    assert_false(akin_store_wants_compact(store));
    akin_store_close(reader);
    akin_store_close(store);
}

static void parts_of_a_video(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    const akin_stamp stamp = { 1, 2, 0, 0 };
    uint8_t hash[AKIN_HASH_BYTES] = { 9 };
    int64_t content, id, *parts;
    size_t count;
    float vector[dims];
    for (int64_t part = 3000; part >= 0; part -= 1000) {
        vector_of((int)part, vector);
        OK(akin_store_add_content(store, hash, part, vector, "/v", &content, &err));
        OK(akin_store_put(store, "/v.mp4", part, &stamp, content, NULL, &id, &err));
    }
    OK(akin_store_parts(store, hash, &parts, &count, &err));
    assert_int_equal(count, 4);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(parts[i], (int64_t)i * 1000);
    free(parts);
    OK(akin_store_content(store, hash, 2000, &content, &err));
    assert_int_equal(akin_store_content(store, hash, 2500, &content, &err), AKIN_E_NOT_FOUND);
    assert_string_equal(err.message, "");
    hash[1] = 1;
    OK(akin_store_parts(store, hash, &parts, &count, &err));
    assert_int_equal(count, 0);
    free(parts);
    assert_string_equal(listed(store, "/"), "/v.mp4@0\n/v.mp4@1000\n/v.mp4@2000\n/v.mp4@3000\n");
    OK(akin_store_commit(store, &err));
    assert_live(store, 4, 0);
    OK(akin_store_drop(store, "/v.mp4", (const int64_t[]){ 1000, 77 }, 2, &err));
    OK(akin_store_commit(store, &err));
    assert_live(store, 1, 0);
    OK(akin_store_move(store, "/v.mp4", "/w.mp4", &stamp, &err));
    OK(akin_store_set_state(store, "/w.mp4", AKIN_ITEM_MISSING, &err));
    OK(akin_store_commit(store, &err));
    assert_live(store, 0, 0);
    assert_string_equal(listed(store, "/w.mp4"), "/w.mp4@1000\n");
    assert_string_equal(listed(store, "/v.mp4"), "");
    OK(akin_store_drop(store, "/w.mp4", NULL, 0, &err));
    OK(akin_store_commit(store, &err));
    assert_string_equal(listed(store, NULL), "");
    akin_store_close(store);
}

static void extensions(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "/a/b.JPG", "jpg" }, { "/a.b/c", "" }, { "/a/.jpg", "" }, { ".png", "" },
        { "x.png", "png" }, { "/a/b.", "" }, { "/a/b.tar.GZ", "gz" }, { "/a/b.\xff", "" },
        { "/a/b.1234567890123456", "1234567890123456" }, { "/a/b.12345678901234567", "" },
        { "", "" }, { "/a/b.J\xc3\x84", "j\xc3\x84" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char ext[AKIN_EXT];
        akin_path_ext(cases[i][0], strlen(cases[i][0]), ext);
        assert_string_equal(ext, cases[i][1]);
    }
}

/* ---- Paths ---------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_at(const char *path, const char *at)
{
    const size_t n = strcmp(at, "/") == 0 ? 0 : strlen(at);
    return strncmp(path, at, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* Whatever the base: what is at a folder is what is at it by its bytes, in the order of its bytes.
 * */
static void folders_are_ranges(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/a", "/a/b", "/a-b", "/a/b/c.jpg", "/a/b/\xff\xfe", "/a/b/\n", "/a/b0", "/a/b!",
        "/a/b/ c", "/a/b/.hidden", "/a/b/0", "/a/b/\x1b[31m", "/a/bc/d", "/a0", "/b", "/a/b/c/d",
        "/\xe4\xb8\xad", "/a/b/c", "/a/b/-x", "/a/b.jpg", "/A", "/~", "/a/b/*", "/a/b/%", "/a/b/_",
    };
    static const char *const folders[] = { "/", "/a", "/a/b", "/a/b/c", "/a/b/", "//a//b", "/a/bc",
                                           "/b", "/none", "/a/b/c.jpg", "/a/b/.x", "/a/b/\xff" };
    static const char *const bases[] = { NULL, "/a/b", "/a", "/", "/a/b/c", "/zzz" };
    enum { n = sizeof paths / sizeof *paths };
    const char *sorted[n];
    memcpy(sorted, paths, sizeof paths);
    qsort(sorted, n, sizeof *sorted, by_bytes);
    for (size_t b = 0; b < sizeof bases / sizeof *bases; b++) {
        snprintf(folder, sizeof folder, "%s/%zu", root, b);
        akin_store *store = create(bases[b]);
        for (int i = 0; i < n; i++)
            put(store, paths[i], i);
        for (int i = 0; i < n; i++) {
            akin_item item;
            OK(akin_store_item(store, paths[i], -1, &item, &err));
            assert_string_equal(item.path, paths[i]);
        }
        for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
            char want[2000] = "", plain[AKIN_STORE_PATH];
            size_t size;
            OK(akin_path_plain(folders[f], plain, &size, &err));
            for (int i = 0; i < n; i++)
                if (is_at(sorted[i], plain))
                    strcat(strcat(want, sorted[i]), "\n");
            assert_string_equal(listed(store, folders[f]), want);
        }
        OK(akin_store_commit(store, &err));
        akin_store_close(store);
    }
}

static void moves_with_its_pictures(void **state)
{
    (void)state;
    akin_store *store = create("");
    put(store, in_root("p/x/a.jpg"), 1);
    put(store, in_root("q/b.jpg"), 2);
    OK(akin_store_set_device(store, in_root("p"), 5, &err));
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    assert_int_equal(rename(in_root("p"), in_root("moved")), 0);
    snprintf(folder, sizeof folder, "%s/moved/.akin/images", root);
    store = open_store(false);
    assert_string_equal(listed(store, NULL), "/moved/x/a.jpg\n/q/b.jpg\n");
    akin_store_summary s;
    OK(akin_store_summarise(store, &s, &err));
    assert_string_equal(s.base, in_root("moved"));
    akin_store_close(store);
}

static akin_status see_skip(void *context, const akin_skip *skip, akin_error *e)
{
    (void)e;
    *(akin_skip *)context = *skip;
    assert_string_equal(skip->reason, "ends too early");
    assert_string_equal(skip->settings, "1");
    return AKIN_OK;
}

static akin_status see_device(void *context, const char *path, uint64_t device, akin_error *e)
{
    (void)e;
    assert_true(path[0] == '/');
    *(uint64_t *)context += device;
    return AKIN_OK;
}

static void skips_and_devices(void **state)
{
    (void)state;
    akin_store *store = create("");
    akin_skip skip = { in_root("p/bad.jpg"), { 1, 2, 3, 0 }, AKIN_E_TRUNCATED, "ends too early",
                       "1", 1700000000 };
    akin_skip seen = { 0 };
    OK(akin_store_skip(store, &skip, &err));
    OK(akin_store_visit_skips(store, NULL, see_skip, &seen, &err));
    assert_int_equal(seen.stamp.ctime_ns, 3);
    assert_int_equal(seen.code, AKIN_E_TRUNCATED);
    assert_int_equal(seen.time, 1700000000);
    skip.stamp.size = 9;
    OK(akin_store_skip(store, &skip, &err));
    OK(akin_store_commit(store, &err));
    OK(akin_store_visit_skips(store, in_root("p"), see_skip, &seen, &err));
    assert_int_equal(seen.stamp.size, 9);
    OK(akin_store_unskip(store, in_root("p/bad.jpg"), &err));
    OK(akin_store_unskip(store, in_root("p/bad.jpg"), &err));
    seen.stamp.size = 0;
    OK(akin_store_visit_skips(store, NULL, see_skip, &seen, &err));
    assert_int_equal(seen.stamp.size, 0);

    uint64_t sum = 0;
    OK(akin_store_set_device(store, in_root("p"), 1, &err)); /* the base itself */
    OK(akin_store_set_device(store, in_root("p/usb"), UINT64_C(1) << 63, &err));
    OK(akin_store_set_device(store, "/", 100, &err));
    OK(akin_store_commit(store, &err));
    OK(akin_store_visit_devices(store, in_root("p"), see_device, &sum, &err));
    assert_true(sum == (UINT64_C(1) << 63) + 1);
    sum = 0;
    OK(akin_store_visit_devices(store, "/", see_device, &sum, &err));
    assert_true(sum == (UINT64_C(1) << 63) + 101);
    OK(akin_store_set_device(store, in_root("p/usb"), 0, &err));
    sum = 0;
    OK(akin_store_visit_devices(store, in_root("p"), see_device, &sum, &err));
    assert_true(sum == 1);
    akin_store_close(store);
}

/* ---- Vectors -------------------------------------------------------------------------------- */

static void vectors_are_kept_exactly(void **state)
{
    (void)state;
    for (int f32 = 0; f32 < 2; f32++) {
        akin_store_model m = model;
        m.type = f32 ? AKIN_VECTOR_F32 : AKIN_VECTOR_F16;
        snprintf(folder, sizeof folder, "%s/%d", root, f32);
        OK(akin_store_create(folder, &m, NULL, &err));
        akin_store *store = open_store(true);
        int64_t contents[10];
        float vector[dims], got[dims];
        for (int n = 0; n < 10; n++) {
            char path[32];
            snprintf(path, sizeof path, "/%02d", n);
            put(store, path, n);
            contents[n] = add_content(store, n, -1); /* known: the same one */
        }
        for (int pass = 0; pass < 2; pass++) { /* while they wait to be written, and after */
            for (int n = 0; n < 10; n++) {
                vector_of(n, vector);
                OK(akin_store_vector(store, contents[n], got, &err));
                for (int i = 0; i < dims; i++)
                    assert_true(got[i] ==
                                (f32 ? vector[i]
                                     : akin_half_to_float(akin_float_to_half(vector[i]))));
            }
            OK(akin_store_commit(store, &err));
        }
        assert_int_equal(akin_store_vector(store, 77, got, &err), AKIN_E_NOT_FOUND);
        OK(akin_store_begin(store, &err));
        const akin_vectors *v = akin_store_vectors(store);
        assert_int_equal(v->rows, 10);
        assert_int_equal(v->block_count, 1);
        assert_int_equal(v->type, m.type);
        assert_int_equal(v->blocks[0].first, AKIN_SEGMENT_ROWS);
        vector_of(3, vector);
        const unsigned char *row =
            (const unsigned char *)v->blocks[0].rows + 3 * dims * akin_vector_bytes(m.type);
        if (f32) {
            assert_memory_equal(row, vector, sizeof vector);
        } else {
            const uint16_t half = akin_float_to_half(vector[1]);
            assert_int_equal(row[2], half & 255);
            assert_int_equal(row[3], half >> 8);
        }
        akin_store_end(store);
        akin_store_close(store);
    }
}

static void vectors_that_are_none(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    const uint8_t hash[AKIN_HASH_BYTES] = { 1 };
    float vector[dims];
    int64_t content;
    vector_of(1, vector);
    const float was = vector[2];
    vector[2] = NAN;
    assert_int_equal(akin_store_add_content(store, hash, -1, vector, "/x.jpg", &content, &err),
                     AKIN_E_NONFINITE);
    assert_string_equal(err.path, "/x.jpg");
    vector[2] = -INFINITY;
    assert_int_equal(akin_store_add_content(store, hash, -1, vector, "/x.jpg", &content, &err),
                     AKIN_E_NONFINITE);
    vector[2] = was + 0.3f;
    assert_int_equal(akin_store_add_content(store, hash, -1, vector, "/x.jpg", &content, &err),
                     AKIN_E_ARGUMENT);
    memset(vector, 0, sizeof vector);
    assert_int_equal(akin_store_add_content(store, hash, -1, vector, "/x.jpg", &content, &err),
                     AKIN_E_NONFINITE);
    assert_int_equal(akin_store_content(store, hash, -1, &content, &err), AKIN_E_NOT_FOUND);
    put(store, "/y", 1);
    OK(akin_store_commit(store, &err));
    assert_live(store, 1, 0);
    akin_store_close(store);
}

static void segments_follow_each_other(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    enum { n = AKIN_SEGMENT_ROWS + 100 };
    int64_t content = 0;
    for (int i = 0; i < n; i++) {
        content = add_content(store, i, -1);
        if (i == 5 || i == n - 1 || i == AKIN_SEGMENT_ROWS - 1 || i == AKIN_SEGMENT_ROWS) {
            char path[32];
            const akin_stamp stamp = { 0 };
            int64_t id;
            snprintf(path, sizeof path, "/%d", i);
            OK(akin_store_put(store, path, -1, &stamp, content, NULL, &id, &err));
        }
        if (i % 20000 == 0)
            OK(akin_store_commit(store, &err));
    }
    OK(akin_store_commit(store, &err));
    assert_live(store, 4, 0);
    OK(akin_store_begin(store, &err));
    const akin_vectors *v = akin_store_vectors(store);
    assert_int_equal(v->block_count, 2);
    assert_int_equal(v->blocks[0].count, AKIN_SEGMENT_ROWS);
    assert_int_equal(v->blocks[1].count, 100);
    assert_int_equal(v->blocks[1].first, 2 * AKIN_SEGMENT_ROWS);
    float want[dims], got[dims];
    vector_of(n - 1, want);
    OK(akin_store_vector(store, content, got, &err));
    assert_true(fabsf(want[0] - got[0]) < 1e-3f);
    akin_store_end(store);
    akin_store_summary s;
    OK(akin_store_summarise(store, &s, &err));
    assert_int_equal(s.segments, 2);
    assert_int_equal(s.dead, n - 4);
    assert_true(akin_store_wants_compact(store));
    akin_store_close(store);
}

static akin_status collect(void *context, const akin_item *item, akin_error *e)
{
    (void)e;
    struct listing *l = context;
    l->size += (size_t)snprintf(l->text + l->size, sizeof l->text - l->size, "%ld%s ",
                                (long)item->id, item->facts.metadata);
    return AKIN_OK;
}

static void filters(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    const akin_stamp stamp = { 0 };
    for (int i = 0; i < 20; i++) { /* widths 0..19; two items for each content */
        char path[32];
        int64_t id;
        const akin_item_facts facts = { .width = i, .metadata = "{\"a\":1}" };
        snprintf(path, sizeof path, "/%02d", i);
        OK(akin_store_put(store, path, -1, &stamp, add_content(store, i / 2, -1), &facts, &id,
                          &err));
    }
    OK(akin_store_commit(store, &err));
    const akin_value values[] = { { .type = AKIN_VALUE_INTEGER, .integer = 7 },
                                  { .type = AKIN_VALUE_REAL, .real = 9.5 } };
    const akin_item_filter filter = { "width >= ?1 AND width <= ?2", values, 2 };
    uint8_t allowed[4] = { 0xff, 0xff, 0xff, 0xff };
    assert_int_equal(akin_store_filter_rows(store, &filter, allowed, &err), AKIN_E_ARGUMENT);
    OK(akin_store_begin(store, &err));
    assert_int_equal(akin_store_vectors(store)->rows, 10);
    OK(akin_store_filter_rows(store, &filter, allowed, &err)); /* 7 | 8, 9 */
    assert_int_equal(allowed[0], 1 << 3 | 1 << 4);
    assert_int_equal(allowed[1], 0);
    assert_int_equal(allowed[2], 0xff); /* not ours */
    struct listing l = { .size = 0 };
    const uint64_t place = akin_store_vectors(store)->blocks[0].first + 3;
    OK(akin_store_items_at(store, place, NULL, collect, &l, &err));
    assert_string_equal(l.text, "7{\"a\":1} 8{\"a\":1} ");
    l.size = 0;
    OK(akin_store_items_at(store, place, &filter, collect, &l, &err));
    assert_string_equal(l.text, "8{\"a\":1} ");
    const akin_item_filter wrong = { "no_such_column = 1", NULL, 0 };
    assert_int_not_equal(akin_store_filter_rows(store, &wrong, allowed, &err), AKIN_OK);
    int count = 0;
    akin_store_end(store);
    OK(akin_store_paths_of(store, 1, count_item, &count, &err));
    assert_int_equal(count, 2);
    akin_store_close(store);
}

/* ---- Who sees what -------------------------------------------------------------------------- */

static void snapshots_stand_still(void **state)
{
    (void)state;
    akin_store *writer = create(NULL);
    put(writer, "/a", 1);
    OK(akin_store_commit(writer, &err));
    akin_store *reader = open_store(false);
    OK(akin_store_begin(reader, &err));
    assert_int_equal(akin_store_begin(reader, &err), AKIN_E_ARGUMENT);
    const void *rows = akin_store_vectors(reader)->blocks[0].rows;
    for (int i = 2; i < 300; i++) { /* past a page of the file */
        char path[32];
        snprintf(path, sizeof path, "/b%d", i);
        put(writer, path, i);
        if (i % 50 == 0)
            OK(akin_store_commit(writer, &err));
    }
    OK(akin_store_drop(writer, "/a", NULL, 0, &err));
    OK(akin_store_commit(writer, &err));
    assert_int_equal(akin_store_live(reader), 1);
    assert_ptr_equal(akin_store_vectors(reader)->blocks[0].rows, rows);
    assert_string_equal(listed(reader, NULL), "/a\n");
    struct listing l = { .size = 0 };
    OK(akin_store_items_at(reader, AKIN_SEGMENT_ROWS, NULL, collect, &l, &err));
    assert_string_equal(l.text, "1{} ");
    akin_store_end(reader);
    akin_store_end(reader); /* nothing */
    assert_live(reader, 298, 0);
    OK(akin_store_begin(writer, &err)); /* no writing inside of a snapshot */
    const akin_stamp stamp = { 0 };
    assert_int_equal(akin_store_set_stamp(writer, "/b2", &stamp, &err), AKIN_E_ARGUMENT);
    akin_store_end(writer);
    OK(akin_store_set_stamp(writer, "/b2", &stamp, &err));
    assert_int_equal(akin_store_set_stamp(writer, "/none", &stamp, &err), AKIN_E_NOT_FOUND);
    akin_store_close(writer);
    akin_store_close(reader);
}

static void what_was_not_committed_is_gone(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    put(store, "/a", 1);
    OK(akin_store_commit(store, &err));
    put(store, "/b", 2);
    OK(akin_store_set_state(store, "/a", AKIN_ITEM_MISSING, &err));
    akin_store_close(store);
    store = open_store(true);
    assert_string_equal(listed(store, NULL), "/a\n");
    assert_live(store, 1, 0);
    OK(akin_store_commit(store, &err)); /* nothing to do */
    akin_store_close(store);
}

/* What a child does, and that it comes to its end. */
#define IN_CHILD(...)                                    \
    do {                                                 \
        fflush(NULL);                                    \
        const pid_t pid = fork();                        \
        if (pid == 0) {                                  \
            __VA_ARGS__;                                 \
            _exit(0);                                    \
        }                                                \
        int ended;                                       \
        assert_int_equal(waitpid(pid, &ended, 0), pid);  \
        assert_true(WIFEXITED(ended));                   \
        assert_int_equal(WEXITSTATUS(ended), 0);         \
    } while (0)
#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s: %s (%s)\n", #condition, err.message, err.path); \
            _exit(1);                                                       \
        }                                                                   \
    } while (0)

static void one_writer_at_a_time(void **state)
{
    (void)state;
    akin_store *store = create(NULL), *second;
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld on host", (long)getpid());
    /* In this process as in another. */
    assert_int_equal(akin_store_open(&second, folder, true, 0, &err), AKIN_E_BUSY);
    assert_non_null(strstr(err.message, pid));
    assert_non_null(strstr(err.message, "UTC, is writing; wait, or stop it"));
    const time_t before = time(NULL);
    assert_int_equal(akin_store_open(&second, folder, true, 0.2, &err), AKIN_E_BUSY);
    assert_true(time(NULL) - before < 5);
    akin_store *reader = open_store(false);
    akin_store_close(reader);
    akin_store_close(store);

    /* A holder that is killed holds nothing; its name stays until the next one comes. */
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        akin_store *mine;
        CHECK(akin_store_open(&mine, folder, true, 0, &err) == AKIN_OK);
        CHECK(write(ready[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(akin_store_open(&store, folder, true, 0, &err), AKIN_E_BUSY);
    snprintf(pid, sizeof pid, "process %ld on host", (long)child);
    assert_non_null(strstr(err.message, pid));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    store = open_store(true);

    /* Waiting for one that ends. */
    fflush(NULL);
    const pid_t waiter = fork();
    if (waiter == 0) {
        akin_store *mine;
        close(store->lock); /* such a lock is every descriptor's: the inherited one's too */
        CHECK(akin_store_open(&mine, folder, true, 20, &err) == AKIN_OK);
        _exit(0);
    }
    usleep(100000);
    akin_store_close(store);
    int result;
    assert_int_equal(waitpid(waiter, &result, 0), waiter);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);

    /* Nonsense in the file is no lock. */
    FILE *f = fopen(in_root("p/.akin/images/writer.lock"), "w");
    fputs("no such text", f);
    fclose(f);
    store = open_store(true);
    int fd = open(in_root("p/.akin/images/writer.lock"), O_RDWR);
    assert_int_equal(ftruncate(fd, 0), 0);
    close(fd);
    assert_int_equal(akin_store_open(&second, folder, true, 0, &err), AKIN_E_BUSY);
    assert_non_null(strstr(err.message, "another process"));
    akin_store_close(store);
    close(ready[0]);
    close(ready[1]);
}

/* A writer commits, readers look: each snapshot has whole commits, which are of ten items. */
static void many_read_while_one_writes(void **state)
{
    (void)state;
    akin_store_close(create(NULL));
    enum { readers = 3, commits = 60, each = 10 };
    pid_t pids[readers];
    fflush(NULL);
    for (int r = 0; r < readers; r++) {
        if ((pids[r] = fork()) != 0)
            continue;
        akin_store *store;
        size_t live = 0;
        CHECK(akin_store_open(&store, folder, false, 0, &err) == AKIN_OK);
        while (live < commits * each) {
            int seen = 0;
            CHECK(akin_store_begin(store, &err) == AKIN_OK);
            const size_t now = akin_store_live(store);
            CHECK(now >= live && now % each == 0);
            live = now;
            CHECK(akin_store_visit(store, NULL, count_item, &seen, &err) == AKIN_OK);
            CHECK((size_t)seen == live);
            const akin_vectors *v = akin_store_vectors(store);
            for (size_t b = 0; b < v->block_count; b++)
                for (size_t i = 0; i < v->blocks[b].count; i++) {
                    const uint16_t *row = (const uint16_t *)v->blocks[b].rows + i * dims;
                    double sum = 0;
                    for (int d = 0; d < dims; d++)
                        sum += pow((double)akin_half_to_float(row[d]), 2);
                    CHECK(fabs(sum - 1) < 0.01);
                }
            akin_store_end(store);
        }
        akin_store_close(store);
        _exit(0);
    }
    akin_store *store = open_store(true);
    for (int i = 0; i < commits * each; i++) {
        char path[32];
        snprintf(path, sizeof path, "/%d", i);
        put(store, path, i);
        if (i % each == each - 1)
            OK(akin_store_commit(store, &err));
    }
    for (int r = 0; r < readers; r++) {
        int result;
        assert_int_equal(waitpid(pids[r], &result, 0), pids[r]);
        assert_true(WIFEXITED(result));
        assert_int_equal(WEXITSTATUS(result), 0);
    }
    akin_store_close(store);
}

/* ---- Dying and failing ---------------------------------------------------------------------- */

static void killed_between_write_and_commit(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    put(store, "/a", 1);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    IN_CHILD({
        CHECK(akin_store_open(&store, folder, true, 0, &err) == AKIN_OK);
        for (int i = 2; i < 20; i++)
            put(store, "/b", i);
        CHECK(akin_append_sync(store, &store->current, &err) == AKIN_OK);
        _exit(0); /* the vectors are on the disk, their rows are not */
    });
    struct stat st;
    assert_int_equal(stat(in_root("p/.akin/images/segments/00000001.vec"), &st), 0);
    assert_int_equal(st.st_size, AKIN_SEGMENT_HEADER + 19 * dims * 2);
    store = open_store(true);
    assert_string_equal(listed(store, NULL), "/a\n");
    assert_live(store, 1, 0);
    put(store, "/c", 30);
    OK(akin_store_commit(store, &err));
    assert_live(store, 2, 0);
    OK(akin_store_begin(store, &err));
    const akin_vectors *v = akin_store_vectors(store);
    assert_int_equal(v->block_count, 2); /* the first was left as it is */
    assert_int_equal(v->blocks[0].count, 1);
    assert_int_equal(v->blocks[1].first, 2 * AKIN_SEGMENT_ROWS);
    akin_store_end(store);
    put(store, "/d", 31); /* goes on in the second */
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    store = open_store(true);
    put(store, "/e", 32);
    OK(akin_store_commit(store, &err));
    akin_store_summary s;
    OK(akin_store_summarise(store, &s, &err));
    assert_int_equal(s.segments, 2);
    assert_true(s.reclaimable_bytes >= 18 * dims * 2); /* what the dead one left */
    akin_store_close(store);

    /* Before its first commit: the file that it made is in nobody's way. */
    IN_CHILD({
        CHECK(akin_store_open(&store, folder, true, 0, &err) == AKIN_OK);
        CHECK(akin_store_writing(store, &err) == AKIN_OK);
        CHECK(akin_append_seal(store, &store->current, &err) == AKIN_OK);
        put(store, "/f", 33);
        _exit(0);
    });
    assert_int_equal(access(in_root("p/.akin/images/segments/00000003.vec"), F_OK), 0);
    store = open_store(true);
    OK(akin_store_writing(store, &err));
    OK(akin_append_seal(store, &store->current, &err));
    put(store, "/f", 33);
    OK(akin_store_commit(store, &err));
    assert_int_equal(access(in_root("p/.akin/images/segments/00000003.vec"), F_OK), 0);
    assert_live(store, 5, 0);
    akin_store_close(store);
}

/* No file may grow past a limit: as on a full disk. */
static void a_write_that_fails_is_not_tried_again(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    put(store, "/a", 1);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    IN_CHILD({
        akin_error first;
        int64_t content;
        akin_status status = AKIN_OK;
        const struct rlimit limit = { 400000, 400000 };
        float vector[dims];
        uint8_t hash[AKIN_HASH_BYTES] = { 0 };
        signal(SIGXFSZ, SIG_IGN);
        CHECK(akin_store_open(&store, folder, true, 0, &err) == AKIN_OK);
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        for (int i = 2; status == AKIN_OK && i < 100000; i++) {
            memcpy(hash, &i, sizeof i);
            vector_of(i, vector);
            status = akin_store_add_content(store, hash, -1, vector, "/x", &content, &first);
        }
        CHECK(status == AKIN_E_IO);
        /* It has that error from now on, whatever it is asked for. */
        CHECK(akin_store_commit(store, &err) == AKIN_E_IO);
        CHECK(strcmp(err.message, first.message) == 0);
        CHECK(akin_store_begin(store, &err) == AKIN_E_IO);
        CHECK(akin_store_drop(store, "/a", NULL, 0, &err) == AKIN_E_IO);
        akin_store_close(store);
        _exit(0);
    });
    store = open_store(true);
    assert_live(store, 1, 0);
    assert_string_equal(listed(store, NULL), "/a\n");
    put(store, "/b", 2);
    OK(akin_store_commit(store, &err));
    assert_live(store, 2, 0);
    OK(akin_store_begin(store, &err));
    assert_int_equal(akin_store_vectors(store)->block_count, 2);
    akin_store_end(store);
    akin_store_close(store);
}

/* ---- Where it lies -------------------------------------------------------------------------- */

static char journal_of(const char *path)
{
    unsigned char header[20] = { 0 };
    const int fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, header, sizeof header, 0), sizeof header);
    close(fd);
    return (char)header[18];
}

/* No network here: a store that is told it were on one. */
static void on_a_network_no_log_and_no_mapping(void **state)
{
    (void)state;
    if (akin_remote_kind(root) != NULL) {
        print_message("skipped: %s is on %s itself; set TMPDIR\n", root, akin_remote_kind(root));
        skip();
    }
    char *database = in_root("p/.akin/images/collection.sqlite");
    akin_store *store = create(NULL);
    put(store, "/a", 1);
    OK(akin_store_commit(store, &err));
    assert_int_equal(journal_of(database), 2);
    akin_store_close(store);

    store = open_store(true);
    store->remote = "NFS";
    akin_db_close(store);
    OK(akin_store_reload(store, &err));
    assert_int_equal(journal_of(database), 1);
    assert_int_equal(access(in_root("p/.akin/images/collection.sqlite-shm"), F_OK), -1);
    assert_live(store, 1, 0);
    assert_null(store->segments[0].map);
    akin_store *reader = calloc(1, sizeof *reader);
    reader->lock = -1;
    reader->data_version = -1;
    reader->current.appender.fd = reader->building.appender.fd = -1;
    reader->folder = strdup(folder);
    reader->remote = "NFS";
    snprintf(reader->database, sizeof reader->database, "%s", database);
    OK(akin_store_reload(reader, &err));
    assert_live(reader, 1, 0);
    float vector[dims];
    for (int i = 2; i < 600; i++) { /* what was read grows with the file */
        put(store, "/b", i);
        if (i % 100 == 0) {
            OK(akin_store_commit(store, &err));
            OK(akin_store_begin(reader, &err));
            const akin_vectors *v = akin_store_vectors(reader);
            assert_int_equal(v->rows, i);
            vector_of(i, vector);
            assert_int_equal(((const uint16_t *)v->blocks[0].rows)[(i - 1) * dims],
                             akin_float_to_half(vector[0]));
            vector_of(1, vector);
            assert_int_equal(((const uint16_t *)v->blocks[0].rows)[0],
                             akin_float_to_half(vector[0]));
            akin_store_end(reader);
        }
    }
    assert_int_equal(access(in_root("p/.akin/images/collection.sqlite-wal"), F_OK), -1);
    akin_store_close(reader);
    akin_store_close(store);
    store = open_store(true); /* back on a local disk */
    assert_int_equal(journal_of(database), 2);
    akin_store_close(store);
}

static void become_nobody(void)
{
    CHECK(setresgid(65534, 65534, 65534) == 0);
    CHECK(setresuid(65534, 65534, 65534) == 0);
}

/* A folder of somebody else's, which can be read. */
static void read_where_nothing_can_be_written(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("skipped: only root can become somebody else\n");
        skip();
    }
    snprintf(folder, sizeof folder, "%s/a #%%?41 b", root); /* an URI's characters */
    akin_store *store = create(NULL);
    put(store, "/a", 1);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(chmod(folder, 0755), 0);
    IN_CHILD({
        become_nobody();
        CHECK(akin_store_open(&store, folder, true, 0, &err) == AKIN_E_PERMISSION);
        CHECK(akin_store_open(&store, folder, false, 0, &err) == AKIN_OK);
        for (int i = 0; i < 3; i++) {
            CHECK(akin_store_begin(store, &err) == AKIN_OK);
            CHECK(akin_store_live(store) == 1);
            akin_store_end(store);
        }
        akin_store_close(store);
    });
    /* A commit comes meanwhile. */
    int ready[2];
    int go[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        become_nobody();
        CHECK(akin_store_open(&store, folder, false, 0, &err) == AKIN_OK);
        CHECK(akin_store_begin(store, &err) == AKIN_OK);
        akin_store_end(store);
        CHECK(write(ready[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1);
        CHECK(akin_store_begin(store, &err) == AKIN_OK);
        CHECK(akin_store_live(store) == 2);
        akin_store_end(store);
        akin_store_close(store);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    store = open_store(true);
    put(store, "/b", 2);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    assert_int_equal(write(go[1], "x", 1), 1);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);

    /* A log that would have to be played back first. */
    IN_CHILD({
        CHECK(akin_store_open(&store, folder, true, 0, &err) == AKIN_OK);
        put(store, "/c", 3);
        CHECK(akin_store_commit(store, &err) == AKIN_OK);
        _exit(0); /* nobody puts the log away */
    });
    char *shm = in_root("a #%?41 b/collection.sqlite-shm");
    assert_int_equal(unlink(shm), 0);
    IN_CHILD({
        become_nobody();
        CHECK(akin_store_open(&store, folder, false, 0, &err) == AKIN_E_PERMISSION);
        CHECK(strstr(err.message, "journal beside it") != NULL);
    });
    store = open_store(false); /* its owner may, and puts it away */
    assert_live(store, 3, 0);
    akin_store_close(store);
    IN_CHILD({
        become_nobody();
        CHECK(akin_store_open(&store, folder, false, 0, &err) == AKIN_OK);
        CHECK(akin_store_begin(store, &err) == AKIN_OK);
        CHECK(akin_store_live(store) == 3);
        akin_store_close(store);
        CHECK(akin_store_create("/akin-no-such-folder", &model, NULL, &err) == AKIN_E_PERMISSION);
    });
    close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
}

/* ---- Hostile files -------------------------------------------------------------------------- */

static char *segment_file(void) { return in_root("p/.akin/images/segments/00000001.vec"); }

static void broken_segments(void **state)
{
    (void)state;
    akin_store *store = create(NULL);
    for (int i = 0; i < 9; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        put(store, path, i);
    }
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    static const struct { int at; unsigned char byte; bool sum; akin_status status; } cases[] = {
        { 0, 'B', true, AKIN_E_CORRUPT },      { 8, 2, true, AKIN_E_UNSUPPORTED },
        { 8, 0, true, AKIN_E_UNSUPPORTED },    { 12, 1, true, AKIN_E_UNSUPPORTED },
        { 16, 2, true, AKIN_E_CORRUPT },       { 20, 9, true, AKIN_E_CORRUPT },
        { 24, 3, true, AKIN_E_CORRUPT },       { 32, 0x77, true, AKIN_E_CORRUPT },
        { 48, 0x77, false, AKIN_E_CORRUPT },   { 40, 0x77, false, AKIN_E_CORRUPT },
    };
    unsigned char good[52], bad[52];
    int fd = open(segment_file(), O_RDWR);
    assert_int_equal(pread(fd, good, sizeof good, 0), sizeof good);
    store = open_store(false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bad, good, sizeof bad);
        bad[cases[i].at] = bad[cases[i].at] == cases[i].byte ? 0x55 : cases[i].byte;
        const uint32_t crc = akin_crc32(bad, 48);
        for (int b = 0; cases[i].sum && b < 4; b++)
            bad[48 + b] = (unsigned char)(crc >> 8 * b);
        assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
        assert_int_equal(akin_store_begin(store, &err), cases[i].status);
        assert_non_null(strstr(err.path, "00000001.vec"));
    }
    assert_int_equal(pwrite(fd, good, sizeof good, 0), sizeof good);
    assert_live(store, 9, 0);
    akin_store_close(store);
    store = open_store(false);
    assert_int_equal(ftruncate(fd, AKIN_SEGMENT_HEADER + 9 * dims * 2 - 1), 0);
    assert_int_equal(akin_store_begin(store, &err), AKIN_E_CORRUPT);
    assert_non_null(strstr(err.message, "akin verify"));
    assert_int_equal(ftruncate(fd, 20), 0);
    assert_int_equal(akin_store_begin(store, &err), AKIN_E_CORRUPT);
    close(fd);
    assert_int_equal(unlink(segment_file()), 0);
    assert_int_equal(akin_store_begin(store, &err), AKIN_E_CORRUPT);
    assert_non_null(strstr(err.message, "akin verify"));
    assert_non_null(strstr(err.path, "00000001.vec"));
    assert_int_equal(mkdir(segment_file(), 0755), 0);
    assert_int_equal(akin_store_begin(store, &err), AKIN_E_CORRUPT);
    float vector[dims];
    assert_int_equal(akin_store_vector(store, 1, vector, &err), AKIN_E_CORRUPT);
    akin_store_close(store);
    store = open_store(true); /* a writer leaves it alone and goes on */
    put(store, "/new", 100);
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
}

static void broken_rows(void **state)
{
    (void)state;
    static const struct { const char *sql; akin_status open, begin, visit; } cases[] = {
        { "UPDATE segments SET live = x'ff'", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET live = x'ffff'", 0, AKIN_E_CORRUPT, 0 }, /* a bit past the rows */
        { "UPDATE segments SET live = 'text that is long'", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET rows = 65537, live = zeroblob(8193)", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET rows = -1", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET rows = 9e99", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET number = -5", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET number = 9223372036854775807", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE segments SET number = 2", 0, AKIN_E_CORRUPT, 0 },
        { "INSERT INTO repeats VALUES (65536, 1)", 0, AKIN_E_CORRUPT, 0 },
        { "INSERT INTO repeats VALUES (65536, -3)", 0, AKIN_E_CORRUPT, 0 },
        { "INSERT INTO repeats VALUES (65545, 2)", 0, AKIN_E_CORRUPT, 0 },
        { "INSERT INTO repeats VALUES (-1, 2)", 0, AKIN_E_CORRUPT, 0 },
        { "UPDATE items SET state = 9 WHERE id = 3", 0, 0, AKIN_E_CORRUPT },
        { "UPDATE items SET path = x'' WHERE id = 3", 0, 0, 0 },
        { "UPDATE items SET path = x'2f6100' WHERE id = 3", 0, 0, AKIN_E_CORRUPT },
        { "UPDATE items SET path = x'61' WHERE id = 3", 0, 0, 0 }, /* there is no base */
        { "UPDATE items SET path = CAST('/' || hex(zeroblob(9000)) AS BLOB) WHERE id = 3", 0, 0,
          AKIN_E_LIMIT },
        { "UPDATE items SET size = 'x', mtime = x'00', content = 'y', place = 'z' WHERE id = 3", 0,
          0, 0 },
        { "UPDATE items SET place = -1 WHERE id = 3", 0, 0, 0 },
        { "DELETE FROM spaces", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE spaces SET state = 1", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE spaces SET dimensions = 0", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE spaces SET dimensions = 1099511627776", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE spaces SET type = 3", AKIN_E_CORRUPT, 0, 0 },
        { "INSERT INTO spaces SELECT 9, state, identity, name, path, form, dimensions, type FROM"
          " spaces", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE spaces SET dimensions = 16", 0, AKIN_E_CORRUPT, 0 },
        { "DELETE FROM facts", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE facts SET value = 'short' WHERE name = 'uuid'", AKIN_E_CORRUPT, 0, 0 },
        { "UPDATE facts SET value = zeroblob(16) WHERE name = 'uuid'", 0, AKIN_E_CORRUPT, 0 },
        { "INSERT INTO facts VALUES ('base', x'61')", AKIN_E_CORRUPT, 0, 0 },
        { "INSERT INTO facts VALUES ('base', x'2f0061')", AKIN_E_CORRUPT, 0, 0 },
        { "INSERT INTO facts VALUES ('base', zeroblob(9000))", AKIN_E_CORRUPT, 0, 0 },
        { "INSERT INTO facts VALUES ('unknown', 1)", 0, 0, 0 },
        { "DROP TABLE items; CREATE VIEW items AS SELECT 1 AS id", AKIN_E_CORRUPT, 0, 0 },
        { "ALTER TABLE items ADD COLUMN x AS (zeroblob(1000000000))", AKIN_E_CORRUPT, 0, 0 },
        { "DROP TABLE skips", AKIN_E_CORRUPT, 0, 0 },
        { "CREATE TABLE more (x)", 0, 0, 0 },
        { "DROP INDEX items_width", 0, 0, 0 },
        { "CREATE TRIGGER t AFTER UPDATE ON segments BEGIN DELETE FROM items; END", 0, 0, 0 },
    };
    akin_store *store = create(NULL);
    for (int i = 0; i < 9; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i);
        put(store, path, i);
    }
    OK(akin_store_set_state(store, "/8", AKIN_ITEM_MISSING, &err));
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    exec_sql("PRAGMA journal_mode = DELETE");
    char copy[1200];
    snprintf(copy, sizeof copy, "cp %s/collection.sqlite %s/good", folder, root);
    assert_int_equal(system(copy), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(copy, sizeof copy, "cp %s/good %s/collection.sqlite", root, folder);
        assert_int_equal(system(copy), 0);
        exec_sql(cases[i].sql);
        akin_status status = akin_store_open(&store, folder, false, 0, &err);
        if (status != cases[i].open)
            fail_msg("open: %s: %d %s", cases[i].sql, status, err.message);
        if (status != AKIN_OK)
            continue;
        status = akin_store_begin(store, &err);
        if (status != cases[i].begin)
            fail_msg("begin: %s: %d %s", cases[i].sql, status, err.message);
        uint8_t allowed[AKIN_SEGMENT_ROWS / 8];
        const akin_item_filter all = { "1", NULL, 0 };
        if (status == AKIN_OK)
            OK(akin_store_filter_rows(store, &all, allowed, &err));
        akin_store_end(store);
        int seen = 0;
        status = akin_store_visit(store, NULL, count_item, &seen, &err);
        if (status != cases[i].visit)
            fail_msg("visit: %s: %d %s", cases[i].sql, status, err.message);
        akin_store_close(store);
        /* A writer neither: it says what is wrong, or does its work. */
        store = open_store(true);
        const akin_stamp stamp = { 0 };
        int64_t content, id;
        float vector[2 * dims] = { 0 }; /* a case says that vectors have so many */
        const uint8_t hash[AKIN_HASH_BYTES] = { 99 };
        vector_of(99, vector);
        if (akin_store_add_content(store, hash, -1, vector, "/n", &content, &err) == AKIN_OK)
            (void)akin_store_put(store, "/n", -1, &stamp, content, NULL, &id, &err);
        (void)akin_store_set_state(store, "/2", AKIN_ITEM_MISSING, &err);
        if (akin_store_commit(store, &err) == AKIN_OK) {
            seen = 0;
            if (akin_store_visit(store, NULL, count_item, &seen, &err) == AKIN_OK)
                assert_true(seen >= 9); /* some cases hide one */
        }
        akin_store_close(store);
        unlink(in_root("p/.akin/images/segments/00000002.vec"));
        unlink(in_root("p/.akin/images/segments/00000003.vec"));
        /* What was appended to the first is cut off, for the next case. */
        assert_int_equal(truncate(segment_file(), AKIN_SEGMENT_HEADER + 9 * dims * 2), 0);
    }
}

/* Bytes of the database turned: an error or an answer, never a crash. Seeds are fixed. */
static void broken_bytes(void **state)
{
    (void)state;
    akin_store *store = create("");
    for (int i = 0; i < 200; i++) {
        char path[sizeof root + 32];
        snprintf(path, sizeof path, "%s/p/%d.jpg", root, i % 150);
        put(store, path, i % 90);
    }
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    char *database = in_root("p/.akin/images/collection.sqlite");
    exec_sql("PRAGMA journal_mode = DELETE");
    struct stat st;
    assert_int_equal(stat(database, &st), 0);
    unsigned char *good = malloc((size_t)st.st_size);
    int fd = open(database, O_RDWR);
    assert_int_equal(pread(fd, good, (size_t)st.st_size, 0), st.st_size);
    uint32_t seed = 12345;
    int opened = 0;
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 1 + round % 12; i++) {
            seed = seed * 1664525u + 1013904223u;
            off_t at = (off_t)((uint64_t)seed * (uint64_t)st.st_size >> 32);
            if (round % 3 == 0) /* headers of pages are hit seldom otherwise */
                at = at / 4096 * 4096 + at % 24;
            const unsigned char byte = (unsigned char)(seed >> 3);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        if (akin_store_open(&store, folder, round % 2 != 0, 0, &err) == AKIN_OK) {
            int seen = 0;
            akin_store_summary s;
            akin_item item;
            struct listing l = { .size = 0 };
            opened++;
            if (akin_store_begin(store, &err) == AKIN_OK) {
                (void)akin_store_items_at(store, AKIN_SEGMENT_ROWS, NULL, collect, &l, &err);
                akin_store_end(store);
            }
            (void)akin_store_visit(store, NULL, count_item, &seen, &err);
            (void)akin_store_summarise(store, &s, &err);
            (void)akin_store_item(store, in_root("p/5.jpg"), -1, &item, &err);
            if (round % 2 != 0 &&
                akin_store_set_state(store, in_root("p/7.jpg"), AKIN_ITEM_HIDDEN, &err) == AKIN_OK)
                (void)akin_store_commit(store, &err);
            akin_store_close(store);
        }
        unlink(in_root("p/.akin/images/collection.sqlite-wal"));
        unlink(in_root("p/.akin/images/collection.sqlite-shm"));
        unlink(in_root("p/.akin/images/collection.sqlite-journal"));
        assert_int_equal(pwrite(fd, good, (size_t)st.st_size, 0), st.st_size);
        assert_int_equal(ftruncate(fd, st.st_size), 0);
    }
    close(fd);
    free(good);
    assert_true(opened > 50 && opened < 300);
}

/* ---- Size ----------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A million items over a million vectors (files with holes), made by SQL: opening looks at none. */
static void a_million_opens_in_milliseconds(void **state)
{
    (void)state;
    enum { segments = 16, n = segments * AKIN_SEGMENT_ROWS };
    akin_store_model m = model;
    m.dimensions = 512;
    OK(akin_store_create(folder, &m, NULL, &err));
    akin_store *store = open_store(true);
    OK(akin_store_writing(store, &err));
    for (int i = 1; i <= segments; i++) {
        int fd;
        OK(akin_segment_create(store, &store->current, i, &fd, &err));
        assert_int_equal(ftruncate(fd, AKIN_SEGMENT_HEADER + (off_t)AKIN_SEGMENT_ROWS * 1024), 0);
        close(fd);
    }
    OK(akin_store_commit(store, &err));
    akin_store_close(store);
    char sql[2000];
    snprintf(sql, sizeof sql,
             "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
             "DROP INDEX items_content; DROP INDEX items_path; DROP INDEX items_ext;"
             "DROP INDEX items_taken_at; DROP INDEX items_camera; DROP INDEX items_height;"
             "DROP INDEX items_latitude; DROP INDEX items_longitude; DROP INDEX items_width;"
             "DROP INDEX items_place;"
             "WITH RECURSIVE c (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
             "INSERT INTO segments SELECT i, 1, 65536, 0, CAST(replace(hex(zeroblob(4096)), '0',"
             " char(127)) AS BLOB) FROM c;"
             "WITH RECURSIVE c (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM c WHERE i < %d)"
             "INSERT INTO items SELECT i + 1, CAST(printf('/pictures/%%03d/IMG_%%07d.JPG',"
             " i / 1000, i) AS BLOB), -1, i, i, 0, 0, i, 65536 + i, 'jpg', NULL, i %% 5000, NULL,"
             " NULL, NULL,"
             " NULL, '{}' FROM c;"
             "CREATE INDEX items_place ON items (place, id);"
             "CREATE INDEX items_width ON items (width, place) WHERE state = 0;"
             "COMMIT",
             segments, n - 1);
    exec_sql(sql);
    double best = 1e9, again = 1e9, filtered = 1e9;
    uint8_t *allowed = malloc(n / 8);
    for (int i = 0; i < 5; i++) {
        const double t = seconds();
        store = open_store(false);
        OK(akin_store_begin(store, &err));
        const double took = seconds() - t;
        best = took < best ? took : best;
        assert_int_equal(akin_store_vectors(store)->rows, n);
        assert_int_equal(akin_store_live(store), n / 8 * 7); /* char(127): seven of eight */
        const akin_value value = { .type = AKIN_VALUE_INTEGER, .integer = 2500 };
        const akin_item_filter filter = { "width >= ?1", &value, 1 };
        const double f = seconds();
        OK(akin_store_filter_rows(store, &filter, allowed, &err));
        const double filter_took = seconds() - f;
        filtered = filter_took < filtered ? filter_took : filtered;
        akin_store_end(store);
        const double b = seconds();
        OK(akin_store_begin(store, &err));
        const double begin_took = seconds() - b;
        again = begin_took < again ? begin_took : again;
        akin_store_end(store);
        akin_store_close(store);
    }
    free(allowed);
    print_message("open and begin at a million: %.2f ms; begin again: %.1f us; half a million of"
                  " them by a filter: %.0f ms\n", best * 1e3, again * 1e6, filtered * 1e3);
    assert_true(best < 0.05);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(made_whole_or_not_at_all),
        TEST(what_is_no_collection_is_said),
        TEST(the_model_is_kept),
        TEST(items_keep_what_they_are_told),
        TEST(rows_live_while_items_do),
        TEST(parts_of_a_video),
        TEST(extensions),
        TEST(folders_are_ranges),
        TEST(moves_with_its_pictures),
        TEST(skips_and_devices),
        TEST(vectors_are_kept_exactly),
        TEST(vectors_that_are_none),
        TEST(segments_follow_each_other),
        TEST(filters),
        TEST(snapshots_stand_still),
        TEST(what_was_not_committed_is_gone),
        TEST(one_writer_at_a_time),
        TEST(many_read_while_one_writes),
        TEST(killed_between_write_and_commit),
        TEST(a_write_that_fails_is_not_tried_again),
        TEST(on_a_network_no_log_and_no_mapping),
        TEST(read_where_nothing_can_be_written),
        TEST(broken_segments),
        TEST(broken_rows),
        TEST(broken_bytes),
        TEST(a_million_opens_in_milliseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
