/* Tests for src/rag/sidecar.h: which files belong to a picture, what of them counts, and the JSON
 * of an item. */
#include "unit.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "rag/sidecar.h"

/* ---- a folder of one's own */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/akin-sidecar-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put_bytes(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void put_text(const char *name, const char *text) { put_bytes(name, text, strlen(text)); }

typedef struct answer {
    akin_metadata m;
    akin_buffer extra;
    akin_error why;
} answer;

static void read_sidecars(answer *a, const char *picture)
{
    akin_error err;
    a->m = (akin_metadata){ .taken_at = "" };
    akin_buffer_init(&a->extra, "extra", 4 << 20);
    assert_int_equal(akin_sidecar_read(in_folder(picture), &a->m, &a->extra, &a->why, &err),
                     AKIN_OK);
    assert_non_null(a->extra.data);
    assert_int_equal(strlen(a->extra.data), a->extra.size);
}

static void read_good(answer *a, const char *picture)
{
    read_sidecars(a, picture);
    if (a->why.code != AKIN_OK)
        fail_msg("%s: %s", a->why.path, a->why.message);
}

static void clear(answer *a)
{
    akin_metadata_clear(&a->m);
    akin_buffer_clear(&a->extra);
    remove_folder(NULL);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* ---- names */

static void test_names(void **state)
{
    (void)state;
    static const char *const yes[] = { "a.txt", "a.JSON", "a.b.xmp", ".a.txt", "a.tXt" };
    static const char *const no[] = { "a", "txt", ".txt", "a.txt.jpg", "a.text", "a.", "" };
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_true(akin_sidecar_name(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        assert_false(akin_sidecar_name(no[i]));
}

/* Every name belongs, exactly when it is read. */
static void test_belongs(void **state)
{
    (void)state;
    static const struct {
        const char *sidecar, *picture;
        bool belongs;
    } cases[] = {
        { "p.json", "p.jpg", true },
        { "p.jpg.json", "p.jpg", true },
        { "p.JSON", "p.jpg", true },
        { "p.Json", "p.jpg", true },
        { "p.jSON", "p.jpg", false },
        { "p.png.json", "p.jpg", false },
        { "p.jpg.jpg.json", "p.jpg", false },
        { "P.json", "p.jpg", false },
        { "pp.json", "p.jpg", false },
        { ".json", "p.jpg", false },
        { "p.json", "p", true },
        { "p.q.json", "p.q.jpg", true },
        { "p.json", "p.q.jpg", false },
        { "p.jpg.supplemental-metadata.json", "p.jpg", true },
        { "p.jpg.supplemental-meta.json", "p.jpg", false },
        { "p.jpg.supplemental-metadata.JSON", "p.jpg", true },
        { "IMG_20230615_140322123_HDR.jpg.supplemental-me.json",
          "IMG_20230615_140322123_HDR.jpg", true },
        { "IMG_20230615_140322123_HDR.jpg.supplemental-met.json",
          "IMG_20230615_140322123_HDR.jpg", false },
        { "IMG_20230615_140322123_HDR_COVER_abcdefgh.jpg.json",
          "IMG_20230615_140322123_HDR_COVER_abcdefgh.jpg", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer a;
        if (akin_sidecar_belongs(cases[i].sidecar, cases[i].picture) != cases[i].belongs)
            fail_msg("%s of %s", cases[i].sidecar, cases[i].picture);
        put_text(cases[i].sidecar, "{\"x\":1}");
        read_good(&a, cases[i].picture);
        if ((a.extra.size != 0) != cases[i].belongs)
            fail_msg("%s of %s: '%s'", cases[i].sidecar, cases[i].picture, a.extra.data);
        clear(&a);
    }
    assert_false(akin_sidecar_belongs("p.txt", "p.txt"));
    assert_true(akin_sidecar_belongs("p.xmp", "p.jpg"));
    assert_true(akin_sidecar_belongs("p.jpg.Txt", "p.jpg"));
    assert_false(akin_sidecar_belongs("p.jpg.supplemental-metadata.txt", "p.jpg"));
}

/* ---- what counts */

#define XMP(title, date)                                                                           \
    "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "           \
    "xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:xmp='http://ns.adobe.com/xap/1.0/' "        \
    "dc:title='" title "' xmp:CreateDate='" date "'><dc:subject><rdf:Bag><rdf:li>" title           \
    "</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF>"

static void test_order(void **state)
{
    (void)state;
    answer a;
    put_text("p.xmp", XMP("one", "2001-01-01T00:00:00"));
    put_text("p.jpg.xmp", XMP("two", "2002-01-01T00:00:00"));
    read_good(&a, "p.jpg");
    assert_string_equal(a.m.title, "two");
    assert_string_equal(a.m.taken_at, "2001-01-01T00:00:00"); /* filled in once */
    assert_int_equal(a.m.tag_count, 2);
    assert_string_equal(a.m.tags[0], "two");
    assert_string_equal(a.extra.data, "");
    clear(&a);

    put_text("p.xmp", XMP("xmp", "2001-01-01T00:00:00"));
    put_text("p.json", "{\"caption\":\"json 1\",\"title\":\"t\",\"n\":1,\"m\":[]}");
    put_text("p.jpg.json", "{\"caption\":\"json 2\",\"n\":2,\"o\":null}");
    read_good(&a, "p.jpg");
    assert_string_equal(a.m.caption, "json 2");
    assert_string_equal(a.m.title, "t");
    assert_string_equal(a.extra.data, "\"n\":2,\"o\":null,\"m\":[]");
    akin_metadata_clear(&a.m);
    akin_buffer_clear(&a.extra);
    put_text("p.txt", "text 1");
    put_text("p.jpg.TXT", "\xef\xbb\xbf text 2 \r\nline\n\n");
    read_good(&a, "p.jpg");
    assert_string_equal(a.m.caption, "text 2 \nline");
    clear(&a);

    read_good(&a, "p.jpg"); /* none at all */
    assert_null(a.m.caption);
    clear(&a);
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        akin_status why;
        const char *caption;
    } cases[] = {
        { "plain", 5, AKIN_OK, "plain" },
        { "", 0, AKIN_OK, NULL },
        { " \n", 2, AKIN_OK, NULL },
        { "\xff\xfeh\0i\0", 6, AKIN_E_UTF8, NULL },
        { "\xfe\xff\0h\0i", 6, AKIN_E_UTF8, NULL },
        { "h\0i\0", 4, AKIN_E_UTF8, NULL },
        { "Z\xfcrich", 6, AKIN_E_UTF8, NULL },
        { "\xef\xbb\xbf", 3, AKIN_OK, NULL },
        { "a\x1b[31mb", 7, AKIN_OK, "a[31mb" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        answer a;
        put_bytes("p.txt", cases[i].bytes, cases[i].size);
        read_sidecars(&a, "p.jpg");
        assert_int_equal(a.why.code, cases[i].why);
        if (a.why.code != AKIN_OK) {
            assert_string_equal(a.why.path, in_folder("p.txt"));
            assert_true(a.why.message[0] != '\0');
        }
        if (cases[i].caption == NULL)
            assert_null(a.m.caption);
        else
            assert_string_equal(a.m.caption, cases[i].caption);
        clear(&a);
    }
    /* Words beyond the limit: cut. A file beyond it: refused. */
    char *large = malloc(AKIN_SIDECAR_BYTES + 1);
    memset(large, 'x', AKIN_SIDECAR_BYTES + 1);
    answer a;
    put_bytes("p.txt", large, AKIN_SIDECAR_BYTES);
    read_good(&a, "p.jpg");
    assert_int_equal(strlen(a.m.caption), AKIN_METADATA_TEXT);
    clear(&a);
    put_bytes("p.txt", large, AKIN_SIDECAR_BYTES + 1);
    read_sidecars(&a, "p.jpg");
    assert_int_equal(a.why.code, AKIN_E_LIMIT);
    assert_null(a.m.caption);
    clear(&a);
    free(large);
}

static void test_json(void **state)
{
    (void)state;
    answer a;
    put_text("p.json", "{\"caption\": \"a \\\"b\\\"\\n\\u0007c\", \"tags\": [\"x\", \"y\", \"x\"], "
                       "\"rating\": 5, \"deep\": {\"a\": [1, 2.5, true, false, null, {}, []], "
                       "\"\\u00e4\\n\": \"\\ud83d\\uddfc \\\\ \\u0001\"}, \"width\": 1, "
                       "\"big\": 123456789012345678901234567890, \"small\": 1e-7, \"one\": 1e0, "
                       "\"third\": 0.3333333333333333, \"video\": 1}");
    read_good(&a, "p.jpg");
    assert_string_equal(a.m.caption, "a \"b\"\nc");
    assert_int_equal(a.m.tag_count, 2);
    assert_string_equal(a.extra.data,
                        "\"rating\":5,\"deep\":{\"a\":[1,2.5,true,false,null,{},[]],"
                        "\"\xc3\xa4\\n\":\"\xf0\x9f\x97\xbc \\\\ \\u0001\"},"
                        "\"big\":1.2345678901234568e+29,\"small\":1e-07,\"one\":1.0,"
                        "\"third\":0.3333333333333333");
    clear(&a);

    put_text("p.json", "{\"tags\": \"one, two ,,three\", \"taken_at\": \"2020-01-02T03:04:05Z\", "
                       "\"camera\": \" A B \", \"latitude\": -1.5, \"longitude\": 2}");
    read_good(&a, "p.jpg");
    assert_int_equal(a.m.tag_count, 3);
    assert_string_equal(a.m.tags[2], "three");
    assert_string_equal(a.m.taken_at, "2020-01-02T03:04:05");
    assert_string_equal(a.m.offset, "+00:00");
    assert_string_equal(a.m.camera, "A B");
    assert_true(a.m.has_position && a.m.latitude == -1.5 && a.m.longitude == 2);
    assert_string_equal(a.extra.data, "");
    clear(&a);

    static const struct {
        const char *text;
        akin_status why;
    } wrong[] = {
        { "{\"caption\": ", AKIN_E_FORMAT },
        { "[]", AKIN_E_FORMAT },
        { "{\"a\": 1, \"a\": 2}", AKIN_E_FORMAT },
        { "{\"caption\": 5, \"title\": \"kept\"}", AKIN_E_FORMAT },
        { "{\"tags\": 5, \"title\": \"kept\"}", AKIN_E_FORMAT },
        { "{\"tags\": [5, \"a\"], \"title\": \"kept\"}", AKIN_E_FORMAT },
        { "{\"latitude\": \"5\", \"title\": \"kept\"}", AKIN_E_FORMAT },
        { "{\"caption\": \"\xff\"}", AKIN_E_UTF8 },
        { "\xff\xfe{\0}\0", AKIN_E_UTF8 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        put_text("p.json", wrong[i].text);
        read_sidecars(&a, "p.jpg");
        if (a.why.code != wrong[i].why)
            fail_msg("%s: %d %s", wrong[i].text, a.why.code, a.why.message);
        assert_string_equal(a.why.path, in_folder("p.json"));
        assert_null(a.m.caption);
        if (strstr(wrong[i].text, "kept") != NULL)
            assert_string_equal(a.m.title, "kept");
        clear(&a);
    }
    put_text("p.json", "{\"caption\": null, \"tags\": null}");
    read_good(&a, "p.jpg");
    clear(&a);
}

static void test_takeout(void **state)
{
    (void)state;
    static const char text[] =
        "{\"title\": \"p.jpg\", \"description\": \"At the lake\", \"imageViews\": \"3\", "
        "\"photoTakenTime\": {\"timestamp\": \"%s\", \"formatted\": \"x\"}, "
        "\"geoData\": {\"latitude\": %s, \"longitude\": %s, \"altitude\": 0.0}}";
    static const struct {
        const char *timestamp, *taken_at;
    } times[] = {
        { "1531236131", "2018-07-10T15:22:11" }, { "0", "1970-01-01T00:00:00" },
        { "-1", "1969-12-31T23:59:59" },         { "951782400", "2000-02-29T00:00:00" },
        { "4107542399", "2100-02-28T23:59:59" }, { "4107542400", "2100-03-01T00:00:00" },
        { "-2203977600", "1900-02-28T00:00:00" }, { "253402300799", "9999-12-31T23:59:59" },
        { "-62135596800", "0001-01-01T00:00:00" }, { "253402300800", "" },
        { "-62135596801", "" },                  { "12x", "" },
        { "", "" },                              { "99999999999999999999", "" },
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char json[512];
        answer a;
        snprintf(json, sizeof json, text, times[i].timestamp, "47.25", "-8.5");
        put_text("p.jpg.supplemental-metadata.json", json);
        read_good(&a, "p.jpg");
        assert_string_equal(a.m.taken_at, times[i].taken_at);
        assert_string_equal(a.m.offset, times[i].taken_at[0] != '\0' ? "+00:00" : "");
        assert_string_equal(a.m.caption, "At the lake");
        assert_null(a.m.title); /* the file's name */
        assert_true(a.m.has_position && a.m.latitude == 47.25 && a.m.longitude == -8.5);
        assert_non_null(strstr(a.extra.data, "\"imageViews\":\"3\""));
        clear(&a);
    }
    char json[512]; /* no position is 0, 0; what the picture says of its date stays */
    answer a = { .m = { .taken_at = "" } };
    akin_error err;
    snprintf(json, sizeof json, text, "1531236131", "0.0", "0.0");
    put_text("p.jpg.json", json);
    akin_buffer_init(&a.extra, "extra", 1 << 20);
    akin_metadata_set_date(&a.m, "2018:07:10 17:22:11");
    assert_int_equal(akin_sidecar_read(in_folder("p.jpg"), &a.m, &a.extra, &a.why, &err), AKIN_OK);
    assert_string_equal(a.m.taken_at, "2018-07-10T17:22:11");
    assert_string_equal(a.m.offset, "");
    assert_false(a.m.has_position);
    clear(&a);
}

static void test_unreadable(void **state)
{
    (void)state;
    answer a;
    put_text("p.xmp", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>");
    put_text("p.txt", "still read");
    read_sidecars(&a, "p.jpg");
    assert_int_equal(a.why.code, AKIN_E_UNSAFE);
    assert_string_equal(a.why.path, in_folder("p.xmp"));
    assert_string_equal(a.m.caption, "still read");
    clear(&a);

    put_text("p.xmp", "no XML");
    put_bytes("p.txt", "\xff", 1);
    read_sidecars(&a, "p.jpg"); /* the first of two reasons */
    assert_int_equal(a.why.code, AKIN_E_FORMAT);
    clear(&a);

    /* What is no file is no sidecar. */
    assert_int_equal(mkdir(in_folder("p.txt"), 0700), 0);
    assert_int_equal(mkfifo(in_folder("p.json"), 0600), 0);
    assert_int_equal(symlink("nowhere", in_folder("p.xmp")), 0);
    read_good(&a, "p.jpg");
    clear(&a);

    if (geteuid() != 0) {
        put_text("p.txt", "secret");
        assert_int_equal(chmod(in_folder("p.txt"), 0), 0);
        read_sidecars(&a, "p.jpg");
        assert_int_equal(a.why.code, AKIN_E_PERMISSION);
        clear(&a);
    }

    char name[256]; /* no room for an ending: only the short form is tried */
    memset(name, 'n', 255);
    memcpy(name + 251, ".jpg", 5);
    put_bytes(name, "", 0);
    read_good(&a, name);
    clear(&a);

    /* Members that do not fit what the caller allows. */
    akin_error err;
    a.m = (akin_metadata){ .taken_at = "" };
    akin_buffer_init(&a.extra, "extra", 8);
    put_text("p.json", "{\"caption\": \"c\", \"long\": \"0123456789\"}");
    assert_int_equal(akin_sidecar_read(in_folder("p.jpg"), &a.m, &a.extra, &a.why, &err), AKIN_OK);
    assert_int_equal(a.why.code, AKIN_E_LIMIT);
    assert_string_equal(a.extra.data, "");
    assert_string_equal(a.m.caption, "c");
    clear(&a);
}

/* ---- the JSON of an item */

static char *json_of(const akin_metadata *m, int width, int height, const char *extra)
{
    akin_buffer out;
    akin_error err;
    akin_buffer_init(&out, "metadata", 1 << 20);
    assert_int_equal(akin_metadata_json(m, width, height, extra, &out, &err), AKIN_OK);
    json_t *root = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root))
        fail_msg("not JSON: %s", out.data);
    json_decref(root);
    return out.data;
}

static void same_json(const akin_metadata *m, int width, int height, const char *extra,
                      const char *want)
{
    char *got = json_of(m, width, height, extra);
    assert_string_equal(got, want);
    free(got);
}

static void test_metadata_json(void **state)
{
    (void)state;
    static char a[] = "a", b[] = "\"b\"\\", c[] = "\xe4\xb8\xad", lines[] = "two\nlines {";
    static char title[] = "t{", *tags[] = { a, b, c };
    akin_metadata m = { .taken_at = "" };
    same_json(&m, 0, 0, "", "{}");
    same_json(&m, 0, 0, NULL, "{}");
    same_json(&m, 0, 0, "\"a\":1", "{\"a\":1}");
    same_json(&m, 640, 480, "", "{\"width\":640,\"height\":480}");
    same_json(&m, 640, 480, "\"a\":1", "{\"width\":640,\"height\":480,\"a\":1}");
    m = (akin_metadata){ .taken_at = "2023-06-15T14:03:22", .offset = "+02:00", .camera = "C 1",
                         .has_position = true, .latitude = -47.37689, .longitude = 8,
                         .caption = lines, .title = title, .tags = tags, .tag_count = 3 };
    same_json(&m, 1, 2, "\"x\":null",
              "{\"width\":1,\"height\":2,\"taken_at\":\"2023-06-15T14:03:22\","
              "\"offset\":\"+02:00\",\"camera\":\"C 1\",\"latitude\":-47.37689,\"longitude\":8.0,"
              "\"title\":\"t{\",\"caption\":\"two\\nlines {\","
              "\"tags\":[\"a\",\"\\\"b\\\"\\\\\",\"\xe4\xb8\xad\"],\"x\":null}");
}

/* Positions read back the same, also where a locale writes a comma. */
static void test_numbers(void **state)
{
    (void)state;
    static const double values[] = { 0.1, -0.0, 1.0 / 3, 89.99999999999999, 5e-324, 1e-7,
                                     47.376890000000003, 35.68950555555556 };
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            akin_metadata m = { .has_position = true, .latitude = values[i],
                                .longitude = -values[i] };
            char *text = json_of(&m, 0, 0, "");
            json_t *root = json_loads(text, 0, NULL);
            assert_true(json_real_value(json_object_get(root, "latitude")) == values[i]);
            assert_true(json_real_value(json_object_get(root, "longitude")) == -values[i]);
            json_decref(root);
            free(text);
        }
        if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL)
            break;
    }
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_belongs),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_takeout),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_metadata_json),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
