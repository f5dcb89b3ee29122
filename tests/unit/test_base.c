/* test_base.c - base/: errors, arithmetic, buffers, cursors, files, JSON, UTF-8, arenas,
 * threads. */
#include "unit.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/arith.h"
#include "base/buffer.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/json.h"
#include "base/thread.h"
#include "base/utf8.h"

static void error_names_and_cuts(void **state)
{
    (void)state;
    akin_error err;
    char text[3000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(akin_fail(&err, AKIN_E_CORRUPT, "f", "%s", text), AKIN_E_CORRUPT);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_string_equal(err.message + sizeof err.message - 5, "x...");
    assert_string_equal(err.path, "f");
    assert_int_equal(akin_fail(NULL, AKIN_E_IO, NULL, "no buffer"), AKIN_E_IO);
    assert_int_equal(akin_fail_errno(&err, EACCES, "f", "cannot open"), AKIN_E_PERMISSION);
    assert_string_equal(err.message, "cannot open: Permission denied");
    assert_string_equal(akin_status_name(AKIN_E_TENSOR_MISSING), "tensor-missing");
    assert_string_equal(akin_status_name((akin_status)9999), "unknown");
}

static void arithmetic_refuses_to_wrap(void **state)
{
    (void)state;
    size_t out = 7;
    assert_false(akin_add(SIZE_MAX, 1, &out));
    assert_false(akin_mul(SIZE_MAX / 2, 3, &out));
    assert_int_equal(out, 7);
    assert_true(akin_mul(6, 7, &out));
    assert_int_equal(out, 42);
}

static void buffer_stops_at_its_maximum(void **state)
{
    (void)state;
    akin_buffer b;
    akin_error err;
    akin_buffer_init(&b, "a test", 10);
    assert_int_equal(akin_buffer_add(&b, "12345", 5, &err), AKIN_OK);
    assert_int_equal(akin_buffer_add_text(&b, "678", &err), AKIN_OK);
    assert_string_equal(b.data, "12345678");
    assert_int_equal(akin_buffer_add(&b, "abc", 3, &err), AKIN_E_LIMIT);
    assert_string_equal(err.message, "a test is larger than its limit of 10 bytes");
    assert_int_equal(b.size, 8);
    assert_int_equal(akin_buffer_reserve(&b, SIZE_MAX, &err), AKIN_E_LIMIT);
    akin_buffer_clear(&b);
    assert_null(b.data);
}

static void cursor_never_leaves_its_bytes(void **state)
{
    (void)state;
    const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    akin_cursor c = akin_cursor_over(bytes, sizeof bytes);
    uint64_t u64 = 0;
    uint32_t u32 = 0;
    assert_true(akin_cursor_u64(&c, &u64));
    assert_true(u64 == 0x0807060504030201u);
    assert_false(akin_cursor_u32(&c, &u32));
    assert_false(akin_cursor_skip(&c, UINT64_MAX));
    assert_false(akin_cursor_seek(&c, 10));
    assert_int_equal(akin_cursor_left(&c), 1);
    assert_true(akin_cursor_seek(&c, 9));
    uint8_t u8;
    assert_false(akin_cursor_u8(&c, &u8));
}

static void files_read_map_and_replace(void **state)
{
    (void)state;
    char dir[] = "/tmp/akin-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = akin_path_join(dir, "file");
    akin_error err;
    akin_writer w;
    assert_int_equal(akin_writer_open(&w, path, &err), AKIN_OK);
    assert_false(akin_path_is_file(path)); /* nothing there before the commit */
    assert_int_equal(akin_writer_add(&w, "hello", 5, &err), AKIN_OK);
    assert_int_equal(akin_writer_commit(&w, &err), AKIN_OK);
    akin_writer_abort(&w);

    assert_int_equal(akin_writer_open(&w, path, &err), AKIN_OK);
    assert_int_equal(akin_writer_add(&w, "lost", 4, &err), AKIN_OK);
    akin_writer_abort(&w);

    akin_buffer b;
    assert_int_equal(akin_file_read(path, "test file", 5, &b, &err), AKIN_OK);
    assert_string_equal(b.data, "hello");
    akin_buffer_clear(&b);
    assert_int_equal(akin_file_read(path, "test file", 4, &b, &err), AKIN_E_LIMIT);
    assert_string_equal(err.message, "test file of 5 bytes; the limit is 4");
    assert_int_equal(akin_file_read(dir, "test file", 9, &b, &err), AKIN_E_NOT_A_FILE);

    akin_mapping m;
    assert_int_equal(akin_file_map(path, &m, &err), AKIN_OK);
    assert_memory_equal(m.data, "hello", 5);
    akin_file_unmap(&m);
    char *link = akin_path_join(dir, "link"); /* stays a link; what it leads to is replaced */
    struct stat st;
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(akin_writer_open(&w, link, &err), AKIN_OK);
    assert_int_equal(akin_writer_add(&w, "through", 7, &err), AKIN_OK);
    assert_int_equal(akin_writer_commit(&w, &err), AKIN_OK);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(akin_file_read(path, "test file", 9, &b, &err), AKIN_OK);
    assert_string_equal(b.data, "through");
    akin_buffer_clear(&b);
    unlink(link);
    free(link);
    unlink(path);
    assert_int_equal(akin_file_map(path, &m, &err), AKIN_E_NOT_FOUND);
    assert_string_equal(err.path, path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(akin_file_map(path, &m, &err), AKIN_E_NOT_A_FILE); /* and does not hang */
    unlink(path);
    assert_int_equal(rmdir(dir), 0); /* no temporary file is left */
    free(path);
}

static void full_disk_is_reported(void **state)
{
    (void)state;
    akin_error err;
    akin_writer w;
    if (access("/dev/full", W_OK) != 0)
        skip();
    assert_int_equal(akin_writer_open(&w, "/dev/full", &err), AKIN_OK);
    akin_writer_add(&w, "x", 1, &err);
    assert_int_equal(akin_writer_commit(&w, &err), AKIN_E_IO);
    assert_string_equal(err.message, "cannot write: No space left on device");
}

static void json_names_the_field(void **state)
{
    (void)state;
    const char text[] = "{\"a\": 3, \"b\": \"x\", \"n\": null, \"o\": {}}";
    akin_json *json;
    akin_error err;
    assert_int_equal(akin_json_parse(text, strlen(text), "f", &json, &err), AKIN_OK);
    int64_t n = 9;
    assert_int_equal(akin_json_int_field(json, "f", NULL, "a", 0, 5, &n, &err), AKIN_OK);
    assert_int_equal(n, 3);
    n = 9;
    assert_int_equal(akin_json_int_field(json, "f", NULL, "n", 0, 5, &n, &err), AKIN_OK);
    assert_int_equal(akin_json_int_field(json, "f", NULL, "absent", 0, 5, &n, &err), AKIN_OK);
    assert_int_equal(n, 9);
    assert_int_equal(akin_json_int_field(json, "f", "w", "b", 0, 5, &n, &err), AKIN_E_CONFIG);
    assert_string_equal(err.message, "field 'w.b' must be an integer");
    assert_int_equal(akin_json_int_field(json, "f", NULL, "a", 5, 7, &n, &err), AKIN_E_CONFIG);
    assert_string_equal(err.message, "field 'a' is 3; it must lie between 5 and 7");
    akin_json_free(json);
    assert_int_equal(akin_json_parse("{\"a\":1,\"a\":2}", 13, "f", &json, &err), AKIN_E_FORMAT);
    size_t deep = 1000000;
    char *bomb = malloc(deep);
    memset(bomb, '[', deep);
    assert_int_equal(akin_json_parse(bomb, deep, "f", &json, &err), AKIN_E_FORMAT);
    free(bomb);
}

static void utf8_round_trips_and_refuses(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c <= 0xdfff)
            continue;
        char text[4];
        uint32_t back;
        size_t n = akin_utf8_encode(c, text);
        assert_int_equal(akin_utf8_decode(text, n, &back), n);
        assert_int_equal(back, c);
        assert_int_equal(n > 1 ? akin_utf8_decode(text, n - 1, &back) : 0, 0);
    }
    const char *wrong[] = { "\x80",
                            "\xc0\x80",
                            "\xc1\xbf",
                            "\xe0\x9f\xbf",
                            "\xed\xa0\x80",
                            "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80",
                            "\xf5\x80\x80\x80",
                            "\xff",
                            "\xc3(" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint32_t c;
        assert_int_equal(akin_utf8_decode(wrong[i], strlen(wrong[i]), &c), 0);
    }
    size_t offset = 0;
    assert_false(akin_utf8_valid("ab\xff", 3, &offset));
    assert_int_equal(offset, 2);
}

static void arena_reuses_what_it_has(void **state)
{
    (void)state;
    akin_arena arena;
    akin_arena_init(&arena);
    void *first[3];
    for (int pass = 0; pass < 2; pass++) {
        akin_arena_mark mark = akin_arena_now(&arena);
        for (int i = 0; i < 3; i++) {
            void *p = akin_arena_take(&arena, 700001, 1);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 64, 0);
            memset(p, i, 700001);
            if (pass == 0)
                first[i] = p;
        }
        akin_arena_release(&arena, mark);
    }
    assert_non_null(first[0]);
    assert_null(akin_arena_take(&arena, SIZE_MAX / 2, 3));
    assert_null(akin_arena_take(&arena, SIZE_MAX - 10, 1));
    akin_arena_clear(&arena);
}

static void count_up(void *context, size_t i, int worker)
{
    (void)worker;
    ((unsigned char *)context)[i]++;
}

static void pool_runs_each_once(void **state)
{
    (void)state;
    akin_error err;
    assert_true(akin_cpu_count() >= 1);
    for (int threads = 1; threads <= 5; threads++) {
        akin_pool *pool;
        assert_int_equal(akin_pool_new(&pool, threads, &err), AKIN_OK);
        for (size_t count = 0; count < 200; count++) {
            unsigned char seen[200] = { 0 };
            akin_pool_run(pool, count, count_up, seen);
            for (size_t i = 0; i < 200; i++)
                assert_int_equal(seen[i], i < count);
            if (count % 50 == 0)
                usleep(2000); /* let the workers fall asleep */
        }
        akin_pool_free(pool);
    }
    akin_pool *pool;
    assert_int_equal(akin_pool_new(&pool, 0, &err), AKIN_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_names_and_cuts),
        cmocka_unit_test(arithmetic_refuses_to_wrap),
        cmocka_unit_test(buffer_stops_at_its_maximum),
        cmocka_unit_test(cursor_never_leaves_its_bytes),
        cmocka_unit_test(files_read_map_and_replace),
        cmocka_unit_test(full_disk_is_reported),
        cmocka_unit_test(json_names_the_field),
        cmocka_unit_test(utf8_round_trips_and_refuses),
        cmocka_unit_test(arena_reuses_what_it_has),
        cmocka_unit_test(pool_runs_each_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
