/* test_store_exchange.c - a collection as plain files and back; another model's vectors. */
#include "store_fixture.h"

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
    assert_non_null(strstr(lines, "{\"path\":\"/elsewhere/\xef\xbf\xbd\\u000a\\u001b.png\","
    "\"path_base64"
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
    shell("cd '%s/out' && cmp one/vectors.npy two/vectors.npy && cmp one/items.jsonl "
    "two/items.jsonl",
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
static const char good_lines[] = "{\"path\":\"/a.jpg\",\"row\":0}\n{\"row\":1,\"path\":"
"\"/b.jpg\"}\n";

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
        { "{'descr': '<f4', 'fortran_order': False, 'shape': "
          "(16)}", 2, 0, AKIN_E_FORMAT, "header" },
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
        { "{\"path\":\"/n.jpg\",\"row\":0,\"sha256\":"
          "\"g000000000000000000000000000000000000000000000"
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
        { "{\"path\":\"/n.jpg\",\"row\":1,\"sha256\":"
          "\"00000000000000000000000000000000000000000000000"
          "00000000000000011\"}", "with another vector than that of row 1" },
        { "{\"path\":\"/n.jpg\",\"row\":0,\"row\":0}", "line 2: " },
    };
    char text[2048];
    size_t added;
    begin_import();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        added = 99;
        snprintf(text, sizeof text, "{\"path\":\"/new.jpg\",\"row\":0,\"sha256\":"
        "\"0000000000000000000"
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
    /* What is right: no line end at the end, a carriage return, things akin does not know; an item
     * that is there stays as it is; the same line's hash twice with the same vector is one content.
     */
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
               "{\"akin_export\":1,\"model\":{\"identity\":\"other\",\"name\":\"n\",\"path\":"
               "\"/p\","
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
        { "{\"akin_export\":1,\"model\":{\"identity\":\"i\",\"name\":\"n\",\"path\":\"/p\","
          "\"form\":"
          "\"hf\",\"dimensions\":0,\"type\":\"f32\"}}", AKIN_E_FORMAT },
        { "{\"akin_export\":1,\"model\":{\"identity\":\"i\",\"name\":\"n\",\"path\":\"/p\","
          "\"form\":"
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

static char *expected_too;

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
