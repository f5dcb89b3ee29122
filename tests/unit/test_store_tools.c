/* test_store_tools.c - what looks after a collection: verify, compact, copy. */
#include "store_fixture.h"

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

static void break_root_of(const char *name)
{
    unsigned char garbage[64];
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
    exec_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    const int64_t page = number_of(sql);
    const int64_t size = number_of("SELECT * FROM pragma_page_size");
    memset(garbage, 0xa5, sizeof garbage);
    patch("collection.sqlite", (long)((page - 1) * size), garbage, sizeof garbage);
}

static void break_index(void) { break_root_of("items_ext"); }
static void break_unique(void) { break_root_of("sqlite_autoindex_items_1"); }

/* One thing broken; what is said; how many items keep their vectors and how many items there are
 * after repair; whether repair needs a fresh look at nothing else. */
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
    { "two at a place", NULL, "UPDATE vectors SET place = 65536, crc = (SELECT crc FROM vectors "
      "WHERE"
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
    { "path", NULL, "UPDATE items SET path = x'610062' WHERE id = 1",
      "item 1 has a path", 1, 9, 9 },
    { "path of text", NULL, "UPDATE items SET path = 'a.jpg' WHERE id = 1",
      "item 1 has a path", 1, 9, 9 },
    { "empty path", NULL, "UPDATE items SET path = x'' WHERE id = 1",
      "item 1 has a path", 1, 9, 9 },
    { "ext", NULL, "UPDATE items SET ext = 'png' WHERE id = 1", "another extension", 1, 10, 10 },
    { "metadata", NULL, "UPDATE items SET metadata = '[1]' WHERE id = 1",
      "is no JSON object", 1, 10, 10 },
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
    { "a unique index's page", break_unique, NULL, "SQLite: ", 0, 10, 10 },
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
        /* Nothing else changed: an item that kept its vector is as it was, but for what was wrong.
         */
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
    break_root_of("skips");
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
    assert_int_equal(akin_store_copy(store, in_root("file/c"), &err), AKIN_E_NOT_A_FILE);
    put(store, in_root("p/x.jpg"), 50);
    assert_int_equal(akin_store_copy(store, in_root("c"), &err), AKIN_E_ARGUMENT);
    OK(akin_store_commit(store, &err));
    assert_int_equal(remove(in_folder(FIRST)), 0);
    assert_int_equal(akin_store_copy(store, in_root("c"), &err), AKIN_E_CORRUPT);
    assert_non_null(strstr(err.message, "verify"));
    assert_int_equal(entries(root), 4); /* p, empty, link, file: nothing is left over */
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
