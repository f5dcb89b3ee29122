/* test_where.c - the language of --where: what each operator takes of eleven rows in a real
 * database, what is refused and where, that indexes answer, and that limits hold.
 *
 *     test_where million    what filters cost with a million items; no part of make check
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/store_parts.h"
#include "store/where.h"
#include "unit.h"

#define BASE "/photos"

static sqlite3 *db;

static void run(const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static const struct row {
    const char *path, *ext, *taken_at;
    int width, height; /* 0: NULL */
    const char *camera;
    double latitude, longitude; /* 0: NULL */
    const char *metadata;
    int state;
} rows[] = {
    { "2023/beach.jpg", "jpg", "2023-06-15T14:03:22", 4000, 3000, "Canon EOS R5", 48.85, 2.35,
      "{\"title\":\"At the Beach\",\"tags\":[\"beach\",\"sea\"],\"rating\":5,"
      "\"video\":{\"title\":\"x\"}}", 0 },
    { "2023/dog.PNG", "png", "2023-12-31T23:59:59", 800, 600, NULL, 0, 0,
      "{\"tags\":[\"dog\",7],\"rating\":3}", 0 },
    { "2024/\xc3\xa9t\xc3\xa9.heic", "heic", "2024-02-29T00:00:00", 4032, 3024, "Apple iPhone 15",
      -33.9, 151.2, "{\"tags\":\"beach\",\"rating\":\"5\",\"published\":true}", 0 },
    { "/other/a.jpg", "jpg", NULL, 0, 0, "canon eos 80d", 0, 0,
      "{\"a.b\":1,\"q\\\"x\":{\"y\":[\"v\",7],\"z\":{\"\xc3\xa9\":\"w\"}},\"my title\":\"T\","
      "\"deep\":{\"my title\":{\"n\":2}},\"path\":\"member\",\"b\\\\s\":\"bs\"}", 0 },
    { "/other/\xff\xfe bad.jpg", "jpg", "2022-06-01T00:00:00", 100, 100, NULL, 0, 0, "{}", 0 },
    { "noext", "", "1999-01-01T00:00:00", 5000, 10, NULL, 0, 0,
      "{\"rating\":null,\"year\":2023,\"big\":9007199254740993}", 0 },
    { "/photos2/x.jpg", "jpg", "2023-01-01T00:00:00", 1, 2, "Nikon [D]", 0, 0,
      "{\"rating\":-2.5,\"year\":\"2023\"}", 0 },
    { "2023/sub/deep.jpg", "jpg", "2023-07-01T00:00:00", 640, 480, "@home", 0, 0,
      "{\"published\":false,\"tags\":[],\"video\":{\"title\":5}}", 0 },
    { "2023/gone.jpg", "jpg", "2023-06-15T14:03:22", 4000, 3000, "Canon EOS R5", 48.85, 2.35,
      "{\"tags\":[\"beach\"]}", 1 },
    { "2023-other.jpg", "jpg", "2023-05-31T23:59:59", 640, 480, "[x]", 0, 0, "{}", 0 },
    { "20230.jpg", "jpg", "2023-06-30T23:59:59", 640, 480, "Canonet", 0, 0,
      "{\"tags\":[true,null,{\"x\":1}]}", 0 },
};

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    run(akin_store_schema);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO items VALUES (?,?,-1,0,0,0,?,?,?,?,?,"
                                            "nullif(?,0),nullif(?,0),?,nullif(?,0),nullif(?,0),?)",
                                        -1, &s, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        sqlite3_bind_int64(s, 1, (int64_t)i + 1);
        sqlite3_bind_blob(s, 2, r->path, (int)strlen(r->path), SQLITE_STATIC);
        sqlite3_bind_int(s, 3, r->state);
        sqlite3_bind_int64(s, 4, (int64_t)i + 1);
        sqlite3_bind_int64(s, 5, 65536 + (int64_t)i);
        sqlite3_bind_text(s, 6, r->ext, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 7, r->taken_at, -1, SQLITE_STATIC);
        sqlite3_bind_int(s, 8, r->width);
        sqlite3_bind_int(s, 9, r->height);
        sqlite3_bind_text(s, 10, r->camera, -1, SQLITE_STATIC);
        sqlite3_bind_double(s, 11, r->latitude);
        sqlite3_bind_double(s, 12, r->longitude);
        sqlite3_bind_text(s, 13, r->metadata, -1, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(s), SQLITE_DONE);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return sqlite3_close(db) == SQLITE_OK ? 0 : -1;
}

/* The statement of a filter, as items.c makes it, behind `before`. */
static sqlite3_stmt *prepare(const char *before, const akin_item_filter *filter)
{
    size_t count;
    const akin_value *values = akin_filter_values(filter, &count);
    char *sql = sqlite3_mprintf("%s FROM items WHERE state = 0 AND (%s)", before,
                                akin_filter_sql(filter));
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s\n%s", sqlite3_errmsg(db), sql);
    assert_int_equal(sqlite3_bind_parameter_count(s), count);
    for (size_t i = 0; i < count; i++) {
        const akin_value *v = &values[i];
        const int n = (int)i + 1;
        switch (v->type) {
        case AKIN_VALUE_INTEGER: sqlite3_bind_int64(s, n, v->integer); break;
        case AKIN_VALUE_REAL: sqlite3_bind_double(s, n, v->real); break;
        case AKIN_VALUE_TEXT:
            sqlite3_bind_text(s, n, v->bytes, (int)v->size, SQLITE_STATIC);
            break;
        case AKIN_VALUE_BYTES:
            sqlite3_bind_blob(s, n, v->bytes, (int)v->size, SQLITE_STATIC);
            break;
        }
    }
    sqlite3_free(sql);
    return s;
}

/* Ids of the rows that a filter takes, a letter each: a is row 1. */
static void taken(const akin_item_filter *filter, char *out)
{
    sqlite3_stmt *s = prepare("SELECT id", filter);
    bool has[32] = { false };
    int result;
    while ((result = sqlite3_step(s)) == SQLITE_ROW)
        has[sqlite3_column_int(s, 0)] = true;
    if (result != SQLITE_DONE)
        fail_msg("%s", sqlite3_errmsg(db));
    for (int i = 0; i < 32; i++)
        if (has[i])
            *out++ = (char)('a' + i - 1);
    *out = '\0';
    sqlite3_finalize(s);
}

static void check(const akin_filter_options *options, const char *base, const char *what,
                  const char *rows_taken)
{
    akin_item_filter *filter;
    akin_error err;
    char found[64];
    if (akin_filter_new(&filter, options, base, &err) != AKIN_OK)
        fail_msg("%s: %s", what, err.message);
    assert_non_null(filter);
    taken(filter, found);
    if (strcmp(found, rows_taken) != 0)
        fail_msg("%s: takes \"%s\", not \"%s\"\n%s", what, found, rows_taken,
                 akin_filter_sql(filter));
    akin_filter_free(filter);
}

static void accepted(void **state)
{
    (void)state;
    static const struct { const char *where, *rows; } cases[] = {
        /* numbers */
        { "width = 640", "hjk" },
        { "width=640", "hjk" },
        { "width != 640", "abcefg" }, /* d has none */
        { "not width = 640", "abcefg" },
        { "not not width = 640", "hjk" },
        { "not (width != 640)", "hjk" },
        { "width < 640", "eg" },
        { "width <= 640", "eghjk" },
        { "width > 4000", "cf" },
        { "width >= 4e3", "acf" },
        { "width > 3999.5", "acf" },
        { "width in (640, 1, 800)", "bghjk" },
        { "not width in (640, 1, 800)", "acef" },
        { "WIDTH > 4000 AND HEIGHT < 100", "f" },
        { "width = 640 or width = 1 and height = 3", "hjk" },
        { "(width = 640 or width = 1) and height = 2", "g" },
        { "latitude < 0", "c" },
        { "latitude > -90 and longitude >= 2.35", "ac" },
        { "longitude = 151.2", "c" },
        { "width < 99999999999999999999999", "abcefghjk" },
        { "width > -9223372036854775808", "abcefghjk" },
        /* ext */
        { "ext = jpg", "adeghjk" },
        { "ext = .JPG", "adeghjk" },
        { "ext = 'JPG'", "adeghjk" },
        { "ext != jpg", "bcf" },
        { "ext = ''", "f" },
        { "ext in (png, \".HEIC\")", "bc" },
        { "ext prefix H", "c" },
        { "ext contains N", "b" },
        { "ext >= 'jpg'", "abdeghjk" },
        /* camera */
        { "camera = 'canon eos r5'", "a" },
        { "camera != 'CANON EOS R5'", "cdghjk" },
        { "camera prefix canon", "adk" },
        { "camera prefix 'Canon '", "ad" },
        { "not camera prefix canon", "cghj" },
        { "camera prefix @", "h" },
        { "camera prefix '['", "j" },
        { "camera prefix ''", "acdghjk" },
        { "camera contains EOS", "ad" },
        { "camera contains '['", "gj" },
        { "camera contains ''", "acdghjk" },
        { "camera in ('[X]', '@HOME')", "hj" },
        { "camera < b", "chj" }, /* '[' is before the letters, which are small ones */
        /* dates */
        { "taken_at = 2023", "abghjk" },
        { "taken_at = 2023-06", "ak" },
        { "taken_at = 2023-06-15", "a" },
        { "taken_at = 2023-06-15T14:03", "a" },
        { "taken_at = '2023-06-15 14:03:22'", "a" },
        { "taken_at = 2023-06-15t14:03:23", "" },
        { "taken_at != 2023", "cef" },
        { "not taken_at = 2023", "cef" },
        { "taken_at < 2023", "ef" },
        { "taken_at <= 2023", "abefghjk" },
        { "taken_at > 2023", "c" },
        { "taken_at >= 2023", "abcghjk" },
        { "taken_at > 2023-06", "bch" },
        { "taken_at >= 2023-06", "abchk" },
        { "taken_at <= 2023-09 and taken_at >= 2023-01", "aghjk" },
        { "taken_at in (1999, 2024-02-29, 2023-12)", "bcf" },
        { "taken_at prefix 2023-06", "ak" },
        { "taken_at contains -06-", "aek" },
        { "taken_at = 2000-02-29", "" },
        /* paths: relative ones are below /photos */
        { "path = /photos/2023/beach.jpg", "a" },
        { "path = //photos//2023/beach.jpg/", "a" },
        { "path = /other/a.jpg", "d" },
        { "path = /2023/beach.jpg", "" },
        { "path = /photos", "" },
        { "path = /", "" },
        { "path != /other/a.jpg", "abcefghjk" },
        { "path in (/photos/noext, /photos2/x.jpg)", "fg" },
        { "path prefix /photos/2023/", "abh" },
        { "path prefix /photos/2023", "abhjk" },
        { "path prefix /photos//2023/", "abh" },
        { "path prefix /photos/", "abcfhjk" },
        { "path prefix /photos", "abcfghjk" },
        { "path prefix /photos2", "g" },
        { "path prefix /p", "abcfghjk" },
        { "path prefix /", "abcdefghjk" },
        { "path prefix /other", "de" },
        { "path prefix '/other/\xff'", "e" },
        { "path prefix /PHOTOS", "" },
        { "not path prefix /photos/", "deg" },
        { "path contains PHOTOS/2023", "abhjk" },
        { "path contains '\xfe BAD'", "e" },
        { "path contains '\xff'", "e" },
        { "path contains '\xc3\xa9t\xc3\xa9.H'", "c" },
        { "path contains '\xa9t'", "c" },
        { "path contains '2023'", "abhjk" },
        { "path contains ''", "abcdefghjk" },
        { "path < /photos", "de" },
        { "path <= /photos/2023-other.jpg", "dej" },
        { "path > /photos/2024", "cfg" },
        { "path >= /photos2/x.jpg", "g" },
        /* metadata */
        { "title = 'At the Beach'", "a" },
        { "title = 'at the beach'", "" },
        { "title prefix 'at THE'", "a" },
        { "title contains BEACH", "a" },
        { "title contains 'q'", "" },
        { "tags = beach", "ac" },
        { "tags contains EA", "ac" },
        { "tags prefix se", "a" },
        { "tags in (sea, dog)", "ab" },
        { "tags != beach", "bk" }, /* an empty array lacks */
        { "not tags = beach", "bk" },
        { "tags = 7", "b" },
        { "tags = '7'", "" },
        { "tags > 6", "b" },
        { "tags = true", "k" },
        { "rating = 5", "ac" }, /* c has "5" */
        { "rating = 5.0", "a" },
        { "rating = '5'", "c" },
        { "rating >= 3", "ab" },
        { "rating < 0", "g" },
        { "rating in (3, -2.5)", "bg" },
        { "rating in (3, '5', x)", "bc" },
        { "rating != 5", "bg" },
        { "rating = none", "" },
        { "rating >= ''", "c" },
        { "year = 2023", "fg" },
        { "year < 2024", "f" },
        { "year contains 02", "g" },
        { "year prefix 20", "g" },
        { "big = 9007199254740993", "f" },
        { "big = 9007199254740992", "" },
        { "published = true", "c" },
        { "published = false", "h" },
        { "published != true", "h" },
        { "published in (true, false)", "ch" },
        { "published > a", "" },
        { "video.title = x", "a" },
        { "video.title = 5", "h" },
        { "video.title != x", "" }, /* h's is a number, which no text is compared with */
        { "video = x", "" },
        { "video.title.x = x", "" },
        { "tags.x = 1", "" },
        { "\"a.b\" = 1", "d" },
        { "a.b = 1", "" },
        { "'q\"x'.y = v", "d" },
        { "\"q\"\"x\".y = 7", "d" },
        { "\"q\"\"x\".y != v", "" },
        { "\"q\"\"x\".z.\xc3\xa9 prefix W", "d" },
        { "'q\"x'.z.'\xc3\xa9'.n = 1", "" },
        { "'b\\s' = bs", "d" },
        { "\"my title\" = T", "d" },
        { "deep.'my title'.n >= 2", "d" },
        { "\"path\" = member", "d" },
        { "Title = 'At the Beach'", "" }, /* members are as they are spelled */
        { "nothing = 1", "" },
        { "not nothing = 1", "" },
        { "nothing != 1", "" },
        { "nothing.'at all' != 1", "" },
        { "nothing = 1 or width = 800", "b" },
        { "not (nothing = 1 and width = 800)", "acefghjk" },
        { "not (nothing = 1 or width = 800)", "" },
        { "tags=beach and(rating>=5)", "a" },
        { "\n\tin in (in)  Or contains contains x or not\twidth<4000 ", "acf" },
        { "title = '; DROP TABLE items; --'", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const akin_filter_options options = { .where = cases[i].where };
        check(&options, BASE, cases[i].where, cases[i].rows);
    }
}

static void bases(void **state)
{
    (void)state;
    static const struct { const char *base, *where, *rows; } cases[] = {
        { NULL, "path prefix /", "deg" },
        { NULL, "path contains other", "dej" },
        { NULL, "path > /other/b and path < /photos2/x.jp", "e" },
        { "/", "path = /2023/beach.jpg", "a" },
        { "/", "path prefix /2023/", "abh" },
        { "/", "path prefix /", "abcdefghjk" },
        { "/", "path contains /2023/", "abh" },
        { "/photos/", "path prefix /photos/2023/", "abh" },
        { "/a/b", "path prefix /a", "abcfhjk" },
        { "/a/b", "path prefix /a/", "abcfhjk" },
        { "/a/b", "path prefix /a/b/n", "f" },
        { "/a/b", "path prefix /a/bn", "" },
        { "/a/\xff", "path contains '\xff/n'", "f" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const akin_filter_options options = { .where = cases[i].where };
        check(&options, cases[i].base, cases[i].where, cases[i].rows);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct { const char *where; size_t byte; const char *words; } cases[] = {
        { "", 0, "expected a field (path, ext, taken_at, width, height, camera, latitude, longitude"
                 " or a member of the metadata), found the end" },
        { "  ", 2, "expected a field" },
        { "width", 5, "expected =, !=, <, <=, >, >=, prefix, contains or in, found the end" },
        { "width 640", 6, "found '640'" },
        { "width not in (1)", 6, "found 'not'" },
        { "width =", 7, "expected a value (a number, a word or a text in quotes), found the end" },
        { "width == 640", 7, "expected a value (a number, a word or a text in quotes), found '='" },
        { "width <> 640", 7, "found '>'" },
        { "width ! 640", 6, "found '!'" },
        { "width = 640 height = 3", 12, "expected 'and', 'or' or the end, found 'height'" },
        { "width = 640)", 11, "expected 'and', 'or' or the end, found ')'" },
        { "(width = 640", 12, "expected 'and', 'or' or ')', found the end" },
        { "width = 640 and", 15, "expected a field" },
        { "width = 640 or or ext = jpg", 15, "expected a field" },
        { "and = 3", 0, "expected a field" },
        { "= 3", 0, "expected a field" },
        { "not", 3, "expected a field" },
        { "not = 3", 4, "expected a field" },
        { "()", 1, "expected a field" },
        { "a. = 3", 3, "expected a field" },
        { ".a = 3", 0, "expected a field" },
        { "a..b = 3", 2, "expected a field" },
        { "a.b.c.d.e.f.g.h.i = 3", 0, "a field of more than 8 names" },
        { "title = 'open", 8, "this quote has no end" },
        { "title = \"it's", 8, "this quote has no end" },
        { "\"title = 3", 0, "this quote has no end" },
        { "title = 'a''", 8, "this quote has no end" },
        { "title = O'Brien'", 9, "expected 'and', 'or' or the end, found '''" },
        { "width in 640", 9, "expected '(' and the values behind 'in', found '640'" },
        { "width in ()", 10, "expected a value" },
        { "width in (1,)", 12, "expected a value" },
        { "width in (1 2)", 12, "expected ',' or ')', found '2'" },
        { "width in (1", 11, "expected ',' or ')', found the end" },
        { "width = wide", 8, "width is a number: expected one, without quotes, not 'wide'" },
        { "height in (1, '2')", 14, "height is a number: expected one, without quotes, not '2'" },
        { "latitude = 0x10", 11, "latitude is a number" },
        { "longitude = +5", 12, "longitude is a number" },
        { "width = 007", 8, "width is a number" },
        { "width = 1e999", 8, "expected a number of 64 bits, not '1e999'" },
        { "rating = -1e999", 9, "expected a number of 64 bits" },
        { "width prefix 6", 6, "since the field is a number, found 'prefix'" },
        { "width contains 6", 6, "since the field is a number, found 'contains'" },
        { "camera = 5", 9, "camera is text, which a number must be quoted to be, not '5'" },
        { "ext in (jpg, 264)", 13, "ext is text, which a number must be quoted to be, not '264'" },
        { "path contains 2023", 14, "path is text" },
        { "path = holiday/x.jpg", 7, "expected an absolute path, not 'holiday/x.jpg'" },
        { "path prefix ''", 12, "expected an absolute path, not ''" },
        { "path in (/a, b)", 13, "expected an absolute path, not 'b'" },
        { "path > b", 7, "expected an absolute path" },
        { "taken_at = 2023-13", 11, "taken_at is a date: expected 2023, 2023-06, 2023-06-15 or"
                                     " 2023-06-15T14:03, not '2023-13'" },
        { "taken_at = 2023-00", 11, "taken_at is a date" },
        { "taken_at = 2023-02-29", 11, "taken_at is a date" },
        { "taken_at = 1900-02-29", 11, "taken_at is a date" },
        { "taken_at = 2023-04-31", 11, "taken_at is a date" },
        { "taken_at = 2023-04-00", 11, "taken_at is a date" },
        { "taken_at = 2023-06-15T24:00", 11, "taken_at is a date" },
        { "taken_at = 2023-06-15T14", 11, "taken_at is a date" },
        { "taken_at = 2023-06-15T14:60", 11, "taken_at is a date" },
        { "taken_at = 2023-06-15X14:03", 11, "taken_at is a date" },
        { "taken_at = 2023/06", 11, "taken_at is a date" },
        { "taken_at = 20236", 11, "taken_at is a date" },
        { "taken_at = ''", 11, "taken_at is a date" },
        { "taken_at < yesterday", 11, "taken_at is a date" },
        { "taken_at in (2023, 23)", 19, "not '23'" },
        { "width = 1 and title = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' x", 66,
          "found 'x'" },
        { "camera 'x'", 7, "found '''" },
        { "width aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9", 6,
          "found 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const akin_filter_options options = { .where = cases[i].where };
        akin_item_filter *filter;
        akin_error err;
        char begin[64];
        assert_int_equal(akin_filter_new(&filter, &options, BASE, &err), AKIN_E_ARGUMENT);
        assert_null(filter);
        snprintf(begin, sizeof begin, "where: at byte %zu: ", cases[i].byte);
        if (strncmp(err.message, begin, strlen(begin)) != 0 ||
            strstr(err.message, cases[i].words) == NULL)
            fail_msg("'%s': %s", cases[i].where, err.message);
    }
}

static void shorthands(void **state)
{
    (void)state;
    static const char *const two[] = { "/photos/2023", "/other/" };
    static const char *const above[] = { "/photos" }, *const root[] = { "/" };
    static const char *const sibling[] = { "/pho" }, *const file[] = { "/photos//noext" };
    static const char *const exts[] = { "JPG", ".png" }, *const none[] = { "" };
    check(&(akin_filter_options){ .after = "2023-06" }, BASE, "after", "abchk");
    check(&(akin_filter_options){ .before = "2023-06" }, BASE, "before", "efgj");
    check(&(akin_filter_options){ .after = "2023-06-15T14:03:22", .before = "2023-06-15 14:04" },
          BASE, "after, before", "a");
    check(&(akin_filter_options){ .folders = two, .folder_count = 2 }, BASE, "two", "abdeh");
    check(&(akin_filter_options){ .folders = two, .folder_count = 2 }, NULL, "no base", "de");
    check(&(akin_filter_options){ .folders = above, .folder_count = 1 }, BASE, "base", "abcfhjk");
    check(&(akin_filter_options){ .folders = above, .folder_count = 1 }, "/photos/x", "above",
          "abcfhjk");
    check(&(akin_filter_options){ .folders = root, .folder_count = 1 }, BASE, "/", "abcdefghjk");
    check(&(akin_filter_options){ .folders = sibling, .folder_count = 1 }, BASE, "sibling", "");
    check(&(akin_filter_options){ .folders = file, .folder_count = 1 }, BASE, "file", "f");
    check(&(akin_filter_options){ .exts = exts, .ext_count = 2 }, BASE, "exts", "abdeghjk");
    check(&(akin_filter_options){ .exts = none, .ext_count = 1 }, BASE, "no ext", "f");
    check(&(akin_filter_options){ .after = "2023", .folders = two, .folder_count = 2, .exts = exts,
                                  .ext_count = 2, .where = "width = 640 or width = 4000" },
          BASE, "all", "ah");

    static const struct { akin_filter_options options; const char *message; } wrong[] = {
        { { .after = "June" }, "after: expected a date (2023, 2023-06, 2023-06-15 or "
                               "2023-06-15T14:03), not 'June'" },
        { { .before = "" }, "before: expected a date" },
        { { .folders = exts, .folder_count = 2 }, "in: expected an absolute path, not 'JPG'" },
        { { .folders = none, .folder_count = 1 }, "in: expected an absolute path, not ''" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        akin_item_filter *filter;
        akin_error err;
        assert_int_equal(akin_filter_new(&filter, &wrong[i].options, BASE, &err), AKIN_E_ARGUMENT);
        assert_null(filter);
        if (strstr(err.message, wrong[i].message) != err.message)
            fail_msg("%s", err.message);
    }
    akin_item_filter *filter = (akin_item_filter *)&db;
    assert_int_equal(akin_filter_new(&filter, &(akin_filter_options){ 0 }, BASE, NULL), AKIN_OK);
    assert_null(filter);
    akin_filter_free(NULL);
}

/* ---- Limits --------------------------------------------------------------------------------- */

static char *repeated(const char *begin, const char *piece, size_t times, const char *end)
{
    char *text = malloc(strlen(begin) + strlen(piece) * times + strlen(end) + 1);
    char *p = stpcpy(text, begin);
    for (size_t i = 0; i < times; i++)
        p = stpcpy(p, piece);
    strcpy(p, end);
    return text;
}

/* What is allowed also prepares; one more is refused. */
static void at_most(const char *begin, const char *piece, const char *middle, const char *close,
                    size_t most, const char *words)
{
    for (size_t more = 0; more < 2; more++) {
        char *ends = repeated(middle, close, most + more, "");
        char *where = repeated(begin, piece, most + more, ends);
        const akin_filter_options options = { .where = where };
        akin_item_filter *filter;
        akin_error err;
        if (akin_filter_new(&filter, &options, BASE, &err) != (more ? AKIN_E_ARGUMENT : AKIN_OK))
            fail_msg("%zu of '%s': %s", most + more, piece, err.message);
        if (more == 0) {
            char found[64];
            taken(filter, found);
        } else if (strstr(err.message, words) == NULL) {
            fail_msg("%s", err.message);
        }
        akin_filter_free(filter);
        free(where);
        free(ends);
    }
}

static void limits(void **state)
{
    (void)state;
    static const char deep[] = "'\xc3\xa9'.a.'\xc3\xa8'.b.'\xc3\xa0'.c.'\xc3\xb9'.d in (1, 'x', z)";
    char *where = repeated("(", deep, 1, "");
    at_most("", "(", "width = 1", ")", AKIN_WHERE_DEPTH, "more than 8 parentheses");
    at_most("", "w=1 or w=1 and not (", deep, ")", AKIN_WHERE_DEPTH, "at byte 179: more than 8");
    at_most("", "w=1 or w=1 and not (", "path contains x", ")", AKIN_WHERE_DEPTH, "more than 8");
    free(where);
    at_most("w=1", " or w=1", "", "", AKIN_WHERE_TESTS - 1, "more than 400 tests");
    at_most("width=1", " and width=1", "", "", AKIN_WHERE_TESTS - 1, "more than 400 tests");
    at_most("not x=1", " and not path prefix /", "", "", AKIN_WHERE_TESTS - 1, "400 tests");
    at_most("taken_at in (2023", ", 2023-06", ")", "", AKIN_WHERE_TESTS - 1, "400 tests");
    at_most("width in (1", ",1", ")", "", AKIN_WHERE_VALUES - 1, "more than 16384 values");
    /* "x" and "1" are bound as texts, 1 as a number too, and there is the path. */
    at_most("x in (x", ",1", ")", "", AKIN_WHERE_VALUES / 2 - 1, "more than 16384 values");
    at_most("not not x='", "x", "'", "", AKIN_WHERE_BYTES - 12, "longer than 65536 bytes");

    static const char *folders[AKIN_WHERE_TESTS + 1];
    for (size_t i = 0; i <= AKIN_WHERE_TESTS; i++)
        folders[i] = i % 2 == 0 ? "/photos" : "/other";
    akin_filter_options options = { .folders = folders, .folder_count = AKIN_WHERE_TESTS };
    check(&options, BASE, "folders", "abcdefhjk");
    akin_item_filter *filter;
    akin_error err;
    options.folder_count++;
    assert_int_equal(akin_filter_new(&filter, &options, BASE, &err), AKIN_E_ARGUMENT);
}

/* ---- Indexes -------------------------------------------------------------------------------- */

static void plan_of(const char *where, char *out, size_t capacity)
{
    const akin_filter_options options = { .where = where };
    akin_item_filter *filter;
    assert_int_equal(akin_filter_new(&filter, &options, BASE, NULL), AKIN_OK);
    sqlite3_stmt *s = prepare("EXPLAIN QUERY PLAN SELECT place", filter);
    size_t used = 0;
    while (sqlite3_step(s) == SQLITE_ROW)
        used += (size_t)snprintf(out + used, capacity - used, "%s;",
                                 (const char *)sqlite3_column_text(s, 3));
    sqlite3_finalize(s);
    akin_filter_free(filter);
}

static void indexes(void **state)
{
    (void)state;
    static const struct { const char *where, *plan; } cases[] = {
        { "path = /photos/a", "SEARCH items USING COVERING INDEX items_path (path=?);" },
        { "path in (/a, /b)", "SEARCH items USING COVERING INDEX items_path (path=?);" },
        { "path prefix /other",
          "SEARCH items USING COVERING INDEX items_path (path>? AND path<?);" },
        { "path prefix /photos/a",
          "SEARCH items USING COVERING INDEX items_path (path>? AND path<?);" },
        { "path prefix /photos", "SCAN items USING COVERING INDEX items_path;" },
        { "path contains x", "SCAN items USING COVERING INDEX items_path;" },
        { "ext = jpg", "SEARCH items USING COVERING INDEX items_ext (ext=?);" },
        { "ext in (jpg, png)", "SEARCH items USING COVERING INDEX items_ext (ext=?);" },
        { "taken_at = 2023", "SEARCH items USING COVERING INDEX items_taken_at (taken_at>? AND"
                             " taken_at<?);" },
        { "taken_at > 2023", "SEARCH items USING COVERING INDEX items_taken_at (taken_at>?);" },
        { "width > 3000", "SEARCH items USING COVERING INDEX items_width (width>?);" },
        { "width != 3000", "SCAN items USING COVERING INDEX items_width;" },
        { "not (height > 3000)", "SCAN items USING COVERING INDEX items_height;" },
        { "height in (1, 2)", "SEARCH items USING COVERING INDEX items_height (height=?);" },
        { "camera = x", "SEARCH items USING COVERING INDEX items_camera (camera=?);" },
        { "camera prefix x", "SEARCH items USING COVERING INDEX items_camera (camera>? AND"
                             " camera<?);" },
        { "camera contains x", "SCAN items USING COVERING INDEX items_camera;" },
        { "latitude >= 1 and latitude < 2",
          "SEARCH items USING COVERING INDEX items_latitude (latitude>? AND latitude<?);" },
        { "longitude < -1.5", "SEARCH items USING COVERING INDEX items_longitude (longitude<?);" },
        { "width < 3 or width > 9", "SCAN items USING COVERING INDEX items_width;" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char plan[1024] = "";
        plan_of(cases[i].where, plan, sizeof plan);
        if (strcmp(plan, cases[i].plan) != 0)
            fail_msg("%s: %s", cases[i].where, plan);
    }
}

/* ---- A million ------------------------------------------------------------------------------ */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int million(void)
{
    static const char *const filters[] = {
        "path = /photos/f500/img0500000.jpg", "path prefix /photos/f00", "path prefix /photos",
        "path contains img0001", "ext = png", "ext = jpg", "taken_at = 2015-06",
        "taken_at >= 2015", "camera = 'canon eos 3'", "camera prefix 'canon eos 3'",
        "camera contains 'eos 3'", "width > 5900", "width >= 3000", "width != 3000",
        "latitude > 48 and latitude < 49", "latitude > 48 and longitude < 49",
        "ext = png and width > 5900", "ext = jpg and width > 5900", "ext = png or width > 5900",
        "rating = 3", "tags = holiday7", "title contains '77'", "'\xc3\xa9' = 1",
    };
    char path[] = "/tmp/akin-where-XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0 || sqlite3_open(path, &db) != SQLITE_OK)
        return 1;
    run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384");
    run(akin_store_schema);
    run("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999)"
        " INSERT INTO items (path, part, size, mtime, sidecars, state, content, place, ext,"
        " taken_at, width, height, camera, latitude, longitude, metadata)"
        " SELECT CAST(printf('%sf%03d/img%07d.jpg', iif(i % 10 = 0, '/other/', ''), i / 1000, i)"
        " AS BLOB), -1, i * 7, i, 0, i % 50 = 49, i, 65536 + i,"
        " CASE i % 10 WHEN 0 THEN 'png' WHEN 1 THEN 'heic' ELSE 'jpg' END,"
        " iif(i % 7 = 0, NULL, strftime('%Y-%m-%dT%H:%M:%S', 1262304000 + i * 400, 'unixepoch')),"
        " 1000 + i * 37 % 5000, 1000 + i * 91 % 4000,"
        " iif(i % 5 = 0, NULL, 'Canon EOS ' || (i % 40)),"
        " iif(i % 3 = 0, i % 18000 / 100.0 - 90, NULL),"
        " iif(i % 3 = 0, i % 36000 / 100.0 - 180, NULL),"
        " json_object('width', 4000, 'height', 3000, 'title', 'Picture number ' || i, 'tags',"
        " json_array('beach', 'holiday' || (i % 100)), 'rating', i % 6) FROM n");
    printf("    rows     ms  filter (second of two runs; SQLite %s)\n", sqlite3_libversion());
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        akin_item_filter *filter;
        akin_error err;
        const akin_filter_options options = { .where = filters[i] };
        if (akin_filter_new(&filter, &options, BASE, &err) != AKIN_OK)
            return fprintf(stderr, "%s\n", err.message), 1;
        double began = 0;
        size_t count = 0;
        for (int pass = 0; pass < 2; pass++) {
            began = now();
            sqlite3_stmt *s = prepare("SELECT place", filter);
            for (count = 0; sqlite3_step(s) == SQLITE_ROW; count++)
                (void)sqlite3_column_int64(s, 0);
            sqlite3_finalize(s);
        }
        printf("%8zu %6.1f  %s\n", count, (now() - began) * 1e3, filters[i]);
        akin_filter_free(filter);
    }
    sqlite3_close(db);
    remove(path);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "million") == 0)
        return million();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted), cmocka_unit_test(bases),  cmocka_unit_test(refused),
        cmocka_unit_test(shorthands), cmocka_unit_test(limits), cmocka_unit_test(indexes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
