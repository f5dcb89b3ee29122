/* test_manifest.c - manifests in every form, row by row; and what is wrong with bad ones. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataset/manifest.h"
#include "folder.h"

static char folder[512];

static int begin(void **state)
{
    (void)state;
    return folder_make(folder, sizeof folder, "manifest");
}

static int end(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static const char *write_bytes(const char *name, const void *bytes, size_t size)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
    return path;
}

static akin_manifest *opened(const char *name, const char *text)
{
    akin_manifest *m;
    akin_error err;
    const char *path = write_bytes(name, text, strlen(text));
    if (akin_manifest_open(&m, path, &err) != AKIN_OK)
        fail_msg("%s: %s", name, err.message);
    return m;
}

static void refused(const char *name, const char *text, akin_status status, const char *says)
{
    akin_manifest *m;
    akin_error err;
    const char *path = write_bytes(name, text, strlen(text));
    assert_int_equal(akin_manifest_open(&m, path, &err), status);
    assert_null(m);
    assert_string_equal(err.path, path);
    if (strstr(err.message, says) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, says);
}

/* `path` below the test's folder. */
static void assert_path(const char *path, const char *name)
{
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "%s/%s", folder, name);
    assert_string_equal(path, wanted);
}

/* The same four rows in three forms. */
static void check_four(akin_manifest *m)
{
    assert_int_equal(m->picture_count, 2);
    assert_int_equal(m->text_count, 3);
    assert_int_equal(m->concept_count, 2);
    assert_int_equal(m->language_count, 3);
    assert_int_equal(m->stages, 3);

    const akin_manifest_picture *p = m->pictures;
    assert_path(p[0].path, "a/cat.png");
    assert_int_equal(p[0].kind, AKIN_KIND_ICON);
    assert_true(p[0].weight == 0.25f);
    assert_int_equal(p[0].stage, 2);
    assert_false(p[0].flip);
    assert_string_equal(p[1].path, "/abs/word.png");
    assert_int_equal(p[1].kind, AKIN_KIND_WORD);
    assert_true(p[1].weight == 1);
    assert_int_equal(p[1].stage, 0);
    assert_false(p[1].flip); /* words are not mirrored unless the row says so */

    const akin_manifest_text *t = m->texts;
    assert_string_equal(t[0].text, "a cat");
    assert_string_equal(t[1].text, "eine \"Katze\", grau");
    assert_string_equal(t[2].text, "\xe7\x8c\xab");
    assert_true(t[1].weight == 150);
    assert_int_equal(t[0].concept, t[1].concept);
    assert_int_equal(t[0].concept, p[0].concept);
    assert_int_equal(t[2].concept, p[1].concept);
    assert_string_equal(m->concepts[t[0].concept], "cat");
    assert_string_equal(m->concepts[t[2].concept], "");
    assert_string_equal(m->languages[t[0].language], "en");
    assert_string_equal(m->languages[t[1].language], "de");
    assert_string_equal(m->languages[t[2].language], "");

    const uint32_t c = t[0].concept;
    assert_int_equal(m->text_starts[c + 1] - m->text_starts[c], 2);
    assert_int_equal(m->text_order[m->text_starts[c]], 0);
    assert_int_equal(m->text_order[m->text_starts[c] + 1], 1);
    assert_int_equal(m->picture_starts[c + 1] - m->picture_starts[c], 1);
    assert_int_equal(m->picture_order[m->picture_starts[p[1].concept]], 1);
    assert_int_equal(m->text_starts[m->concept_count], 3);
    assert_int_equal(m->picture_starts[m->concept_count], 2);
    akin_manifest_close(m);
}

static void test_tsv(void **state)
{
    (void)state;
    akin_manifest *m = opened("m.tsv",
                              "\xef\xbb\xbfpath\tlanguage\ttext\tconcept\tother\tweight\tstage\t"
                              "kind\tflip\r\n"
                              "a/cat.png\ten\ta cat\tcat\tx\t0.25\t2\ticon\t0\r\n"
                              "\tde\teine \"Katze\", grau\tcat\t\t1.5e2\t\t\t\n"
                              "\n"
                              "/abs/word.png\t\t\xe7\x8c\xab\t\t\t\t\tword\t");
    assert_int_equal(m->texts[1].line, 3);
    assert_int_equal(m->texts[2].line, 5);
    check_four(m);
}

static void test_csv(void **state)
{
    (void)state;
    check_four(opened("m.csv", "filepath,language,title,concept,weight,stage,kind,flip\n"
                               "\"a/cat.png\",en,a cat,cat,.25,2,icon,0\r\n"
                               ",de,\"eine \"\"Katze\"\", grau\",cat,150,0,,\r\n"
                               "/abs/word.png,,\"\xe7\x8c\xab\",,,,word,\r\n"));
    /* open_clip's own: tabs, quotes, line ends within quotes. */
    akin_manifest *m =
        opened("n.csv", "filepath\ttitle\nx.png\t\"two\nlines\"\ny.png\tone, more\n");
    assert_string_equal(m->texts[0].text, "two\nlines");
    assert_string_equal(m->texts[1].text, "one, more");
    assert_int_equal(m->texts[1].line, 4);
    assert_int_equal(m->concept_count, 2);
    akin_manifest_close(m);
}

static void test_json_lines(void **state)
{
    (void)state;
    check_four(opened("m.jsonl",
                      "{\"path\":\"a/cat.png\",\"language\":\"en\",\"text\":\"a\\u0020cat\","
                      "\"concept\":\"cat\",\"weight\":0.25,\"stage\":2,\"kind\":\"icon\","
                      "\"flip\":false}\n"
                      "{\"caption\":\"eine \\\"Katze\\\", grau\",\"concept\":\"cat\","
                      "\"language\":\"de\",\"weight\":\"150\",\"more\":{\"x\":[1,2]}}\r\n\n"
                      "{\"filepath\":\"/abs/word.png\",\"title\":\"\\u732b\",\"kind\":\"word\","
                      "\"concept\":null}"));
    refused("m.jsonl", "{\"text\":\"a\",\"path\":\"b\"}\n{\"text\":3}\n", AKIN_E_FORMAT,
            "line 2: field 'text' is of the wrong type");
    refused("m.jsonl", "{\"text\":\"a\"}\n{\"text\":\"a\",}\n", AKIN_E_FORMAT, "line 2");
    refused("m.jsonl", "{\"text\":\"a\",\"title\":\"b\"}\n", AKIN_E_FORMAT, "'title' says again");
    refused("m.jsonl", "{\"text\":\"a\",\"weight\":-1}\n", AKIN_E_FORMAT, "weight -1");
    refused("m.jsonl", "{\"text\":\"a\",\"stage\":65535}\n", AKIN_E_FORMAT, "stage 65535");
    refused("m.jsonl", "{\"text\":\"a\",\"flip\":2}\n", AKIN_E_FORMAT, "'flip'");
    refused("m.jsonl", "[1]\n", AKIN_E_FORMAT, "line 1");
}

static void test_same_picture(void **state)
{
    (void)state;
    akin_manifest *m = opened("m.tsv", "path\ttext\tconcept\tweight\n"
                                       "a.png\tone\tx\t3\na.png\ttwo\tx\t5\n"
                                       "a.png\tthree\ty\t7\na.png\tfour\t\t9\na.png\tfive\t\t9\n"
                                       "\tsix\tx\t1\nb.png\t\tx\t1\n");
    assert_int_equal(m->picture_count, 5); /* a of x, of y, of two concepts of their own; b */
    assert_true(m->pictures[0].weight == 3);
    assert_int_equal(m->text_count, 6);
    assert_int_equal(m->concept_count, 4);
    const uint32_t *s = m->text_starts, *o = m->text_order;
    assert_int_equal(s[1] - s[0], 3);
    assert_string_equal(m->texts[o[0]].text, "one");
    assert_string_equal(m->texts[o[1]].text, "two");
    assert_string_equal(m->texts[o[2]].text, "six");
    assert_int_equal(m->picture_starts[1], 2);
    akin_manifest_close(m);
}

static void test_refused(void **state)
{
    (void)state;
    static const char head[] = "path\ttext\tweight\tstage\tkind\tflip\n";
    static const struct {
        const char *row, *says;
        akin_status status;
    } bad[] = {
        { "a\tb\t1\t0\tart\n", "line 2 has 5 fields, the line of names 6", AKIN_E_FORMAT },
        { "a\tb\t1\t0\tart\t1\t\n", "line 2 has 7 fields", AKIN_E_FORMAT },
        { "\t\t1\t0\tart\t1\n", "line 2: neither a path nor a text", AKIN_E_FORMAT },
        { "a\tb\t-1\t0\tart\t1\n", "weight '-1'", AKIN_E_FORMAT },
        { "a\tb\tnan\t0\tart\t1\n", "weight 'nan'", AKIN_E_FORMAT },
        { "a\tb\t1,5\t0\tart\t1\n", "weight '1,5'", AKIN_E_FORMAT },
        { "a\tb\t0x1\t0\tart\t1\n", "weight '0x1'", AKIN_E_FORMAT },
        { "a\tb\t1e39\t0\tart\t1\n", "weight '1e39'", AKIN_E_FORMAT },
        { "a\tb\t1e\t0\tart\t1\n", "weight '1e'", AKIN_E_FORMAT },
        { "a\tb\t.\t0\tart\t1\n", "weight '.'", AKIN_E_FORMAT },
        { "a\tb\t 1\t0\tart\t1\n", "weight ' 1'", AKIN_E_FORMAT },
        { "a\tb\t1\t65535\tart\t1\n", "stage '65535'", AKIN_E_FORMAT },
        { "a\tb\t1\t-1\tart\t1\n", "stage '-1'", AKIN_E_FORMAT },
        { "a\tb\t1\t1e0\tart\t1\n", "stage '1e0'", AKIN_E_FORMAT },
        { "a\tb\t1\t0\tArt\t1\n", "kind 'Art'", AKIN_E_FORMAT },
        { "a\tb\t1\t0\tart\tyes\n", "flip 'yes'", AKIN_E_FORMAT },
        { "\na\t\xff\t1\t0\tart\t1\n", "line 3: not UTF-8", AKIN_E_UTF8 },
        { "a\t\xc0\x80\t1\t0\tart\t1\n", "line 2: not UTF-8", AKIN_E_UTF8 },
        { "", "holds no pictures", AKIN_E_FORMAT },
        { "\n\r\n", "holds no pictures", AKIN_E_FORMAT },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s", head, bad[i].row);
        refused("m.tsv", text, bad[i].status, bad[i].says);
    }
    refused("m.tsv", "", AKIN_E_FORMAT, "line 1 names neither");
    refused("m.tsv", "picture\tname\na\tb\n", AKIN_E_FORMAT, "separated by tabs");
    refused("m.tsv", "path\ttitle\ttext\na\tb\tc\n", AKIN_E_FORMAT, "'text' says again");
    refused("m.csv", "path,text\n\"a\",\"b\n", AKIN_E_FORMAT, "line 2: a quote");
    refused("m.csv", "path,text\n\"a\"x,b\n", AKIN_E_FORMAT, "line 2: text behind");

    akin_manifest *m;
    akin_error err;
    const char *path = write_bytes("m.tsv", "path\ttext\na\tb\0c\n", 17);
    assert_int_equal(akin_manifest_open(&m, path, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "line 2: a NUL"));

    char long_path[5000];
    memset(long_path, 'x', sizeof long_path);
    memcpy(long_path, "path\n", 5);
    long_path[sizeof long_path - 1] = '\0';
    refused("m.tsv", long_path, AKIN_E_LIMIT, "line 2: a path of 4994 bytes");

    enum { LARGE = (1 << 20) + 20 };
    char *large = malloc(LARGE);
    memset(large, 'x', LARGE);
    memcpy(large, "text\n", 5);
    large[LARGE - 1] = '\0';
    refused("m.tsv", large, AKIN_E_LIMIT, "line 2: a field of");
    memset(large, '\t', LARGE - 1);
    refused("m.tsv", large, AKIN_E_LIMIT, "columns");
    free(large);

    assert_int_equal(akin_manifest_open(&m, "/does/not/exist.tsv", &err), AKIN_E_NOT_FOUND);
    akin_manifest_close(NULL);
}

static void test_folder(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof path, "%s/pictures", folder);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/pictures/b", folder);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/pictures/.hidden", folder);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/pictures/b/loop", folder);
    assert_int_equal(symlink("..", path), 0);
    static const struct {
        const char *name, *text;
    } files[] = {
        { "pictures/photo.jpg", "" },    { "pictures/photo.txt", "\xef\xbb\xbfone\r\n\n two \n" },
        { "pictures/b/x.PNG", "" },      { "pictures/b/x.txt", "three" },
        { "pictures/silent.webp", "" },  { "pictures/.dot.jpg", "" },
        { "pictures/.hidden/y.jpg", "" }, { "pictures/notes.txt", "no picture" },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_bytes(files[i].name, files[i].text, strlen(files[i].text));
    snprintf(path, sizeof path, "%s/pictures", folder);
    akin_manifest *m;
    akin_error err;
    assert_int_equal(akin_manifest_open(&m, path, &err), AKIN_OK);
    assert_int_equal(m->picture_count, 3);
    assert_path(m->pictures[0].path, "pictures/b/x.PNG");
    assert_path(m->pictures[1].path, "pictures/photo.jpg");
    assert_path(m->pictures[2].path, "pictures/silent.webp");
    assert_int_equal(m->text_count, 3);
    assert_string_equal(m->texts[0].text, "three");
    assert_string_equal(m->texts[1].text, "one");
    assert_string_equal(m->texts[2].text, "two");
    assert_int_equal(m->texts[2].concept, m->pictures[1].concept);
    assert_int_equal(m->concept_count, 3);
    assert_int_equal(m->stages, 1);
    akin_manifest_close(m);

    write_bytes("pictures/photo.txt", "good\nb\xff", 7);
    assert_int_equal(akin_manifest_open(&m, path, &err), AKIN_E_UTF8);
    assert_path(err.path, "pictures/photo.txt");
    assert_non_null(strstr(err.message, "line 2"));
    snprintf(path, sizeof path, "%s/pictures/.hidden", folder);
    assert_int_equal(unlink(write_bytes("pictures/.hidden/y.jpg", "", 0)), 0);
    assert_int_equal(akin_manifest_open(&m, path, &err), AKIN_E_FORMAT);
    assert_non_null(strstr(err.message, "holds no pictures"));
}

/* Many concepts, in an order that is not theirs: tables grow, lists come out whole. */
static void test_many(void **state)
{
    (void)state;
    enum { ROWS = 20000, CONCEPTS = 3000 };
    char *text = malloc(ROWS * 64), *at = text;
    at += sprintf(at, "path\ttext\tconcept\tlanguage\n");
    for (int i = 0; i < ROWS; i++)
        at += sprintf(at, "%d.png\ttext %d\tconcept %d\tl%d\n", i, i, i * 7 % CONCEPTS, i % 100);
    akin_manifest *m = opened("m.tsv", text);
    free(text);
    assert_int_equal(m->picture_count, ROWS);
    assert_int_equal(m->concept_count, CONCEPTS);
    assert_int_equal(m->language_count, 100);
    size_t seen = 0;
    for (size_t c = 0; c < m->concept_count; c++) {
        uint32_t before = 0;
        for (uint32_t i = m->text_starts[c]; i < m->text_starts[c + 1]; i++, seen++) {
            const uint32_t t = m->text_order[i];
            assert_int_equal(m->texts[t].concept, c);
            assert_true(i == m->text_starts[c] || t > before);
            before = t;
        }
    }
    assert_int_equal(seen, ROWS);
    for (int i = 0; i < ROWS; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "concept %d", i * 7 % CONCEPTS);
        assert_string_equal(m->concepts[m->texts[i].concept], wanted);
    }
    akin_manifest_close(m);
}

/* Two parts are the whole; who is held out does not change when the manifest grows. */
static void test_parts(void **state)
{
    (void)state;
    enum { ROWS = 2000 };
    char *text = malloc(ROWS * 64), *at = text, *half = NULL;
    at += sprintf(at, "path\ttext\tconcept\n");
    for (int i = 0; i < ROWS; i++) {
        if (i == ROWS / 2)
            half = at;
        at += i % 2 == 0 ? sprintf(at, "%d.png\ttext %d\tconcept %d\n", i, i, i / 4)
                         : sprintf(at, "%d.png\ttext %d\t\n", i, i);
    }
    akin_manifest *whole = opened("m.tsv", text), *kept, *held, *small, *held_of_small;
    assert_int_equal(akin_manifest_part(&kept, whole, 0.1, false, NULL), AKIN_OK);
    assert_int_equal(akin_manifest_part(&held, whole, 0.1, true, NULL), AKIN_OK);
    assert_int_equal(kept->picture_count + held->picture_count, ROWS);
    assert_int_equal(kept->text_count + held->text_count, ROWS);
    assert_in_range(held->picture_count, ROWS / 20, ROWS / 6);
    for (size_t c = 0; c < whole->concept_count; c++) {
        const uint32_t a = kept->picture_starts[c + 1] - kept->picture_starts[c];
        const uint32_t b = held->picture_starts[c + 1] - held->picture_starts[c];
        assert_true(a == 0 || b == 0);
        assert_int_equal(a + b, whole->picture_starts[c + 1] - whole->picture_starts[c]);
    }
    *half = '\0';
    small = opened("m.tsv", text);
    assert_int_equal(akin_manifest_part(&held_of_small, small, 0.1, true, NULL), AKIN_OK);
    for (size_t i = 0; i < held_of_small->picture_count; i++)
        assert_string_equal(held_of_small->pictures[i].path, held->pictures[i].path);
    akin_manifest_close(held_of_small);
    akin_manifest_close(small);
    akin_manifest_close(held);
    akin_manifest_close(kept);
    akin_manifest_close(whole);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tsv),          cmocka_unit_test(test_csv),
        cmocka_unit_test(test_json_lines),   cmocka_unit_test(test_same_picture),
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_folder),
        cmocka_unit_test(test_many),         cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
