/* test_weights_broken.c - checkpoints with one thing wrong. Each starts from a good file of
 * tests/golden/weights that reads, then has one change, with the status and words expected. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "weights/checkpoint.h"
#include "weights/pickle.h"
#include "weights/safetensors.h"
#include "weights/tensors.h"
#include "weights/torchzip.h"
#include "weights/zip.h"

#define GOLDEN "tests/golden/weights/"
#define COUNT(array) (sizeof(array) / sizeof *(array))
/* A string literal as bytes that may hold NULs. */
#define BYTES(literal) { literal, sizeof(literal) - 1 }

typedef struct bytes {
    const char *data;
    size_t size;
} bytes;

typedef akin_status (*reader_fn)(const unsigned char *data, size_t size, const char *path,
                                 akin_tensor_list *out, akin_error *err);

static akin_error err;
static char folder[] = "/tmp/akin-test-XXXXXX";
static char scratch[64]; /* a file in it */
static akin_buffer safe, torch; /* small.safetensors, small.pt */

static void assert_ok(akin_status status)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err.path, err.message);
}

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(scratch, sizeof scratch, "%s/file", folder);
    return akin_file_read(GOLDEN "small.safetensors", "test file", 1 << 20, &safe, NULL) !=
               AKIN_OK ||
           akin_file_read(GOLDEN "small.pt", "test file", 1 << 20, &torch, NULL) != AKIN_OK;
}

static int tear_down(void **state)
{
    (void)state;
    akin_buffer_clear(&safe);
    akin_buffer_clear(&torch);
    unlink(scratch);
    return rmdir(folder);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Fails the test unless the call ended so, with `words` in its message. */
static void check(const char *what, akin_status status, akin_status expected, const char *words,
                  const char *path)
{
    if (status != expected)
        fail_msg("%s: %s instead of %s: %s", what, akin_status_name(status),
                 akin_status_name(expected), status != AKIN_OK ? err.message : "");
    if (status == AKIN_OK)
        return;
    assert_int_equal(err.code, status);
    if (strstr(err.message, words) == NULL)
        fail_msg("%s: '%s' is not in '%s'", what, words, err.message);
    assert_string_equal(err.path, path);
    assert_null(strstr(err.message, path));
}

/* Converts every tensor; those may be refused, but only for these reasons. */
static void convert_all(const akin_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t elements = akin_tensor_count(&tensors[i]);
        if (elements > 1000000) /* a stride of 0 makes any number of elements out of one */
            continue;
        float *out = malloc((elements + 1) * sizeof *out);
        akin_status status = akin_tensor_to_f32(&tensors[i], out, elements, &err);
        if (status != AKIN_OK && status != AKIN_E_NONFINITE && status != AKIN_E_TENSOR_DTYPE)
            fail_msg("'%s': %s", tensors[i].name, err.message);
        free(out);
    }
}

/* Reads from memory of exactly this size, where the address sanitizer sees a byte too many; a
 * mapped file goes on to the end of its page. */
static akin_status read_exactly(reader_fn read, const void *data, size_t size)
{
    unsigned char *copy = malloc(size != 0 ? size : 1);
    akin_tensor_list list;
    if (size != 0)
        memcpy(copy, data, size);
    akin_tensor_list_init(&list);
    akin_status status = read(copy, size, "memory", &list, &err);
    if (status == AKIN_OK)
        convert_all(list.items, list.count);
    akin_tensor_list_clear(&list);
    free(copy);
    return status;
}

static akin_status open_bytes(const void *data, size_t size)
{
    akin_checkpoint *c;
    write_file(scratch, data, size);
    akin_status status = akin_checkpoint_open(&c, scratch, &err);
    if (status == AKIN_OK) {
        for (size_t i = 0; i < akin_checkpoint_count(c); i++)
            convert_all(akin_checkpoint_at(c, i), 1);
    } else {
        assert_null(c);
    }
    akin_checkpoint_close(c);
    return status;
}

/* Through the reader and through a file. */
static void expect(reader_fn read, const char *what, const void *data, size_t size,
                   akin_status status, const char *words)
{
    check(what, read_exactly(read, data, size), status, words, "memory");
    check(what, open_bytes(data, size), status, words, scratch);
}

/* A copy of `from` in which the first `find` is `replace`. Empty find: put before the rest. */
static akin_buffer replaced(bytes from, bytes find, bytes replace)
{
    akin_buffer out;
    akin_buffer_init(&out, "test file", 1 << 26);
    const char *at =
        find.size == 0 ? from.data : memmem(from.data, from.size, find.data, find.size);
    if (at == NULL)
        fail_msg("'%s' is not in the good file", find.data);
    size_t before = (size_t)(at - from.data);
    assert_ok(akin_buffer_add(&out, from.data, before, &err));
    assert_ok(akin_buffer_add(&out, replace.data, replace.size, &err));
    assert_ok(akin_buffer_add(&out, at + find.size, from.size - before - find.size, &err));
    return out;
}

static void put_le(char *to, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        to[i] = (char)(value >> 8 * i);
}

/* ---- safetensors */

/* Header length, header, data. */
static akin_buffer safetensors_of(const char *header, size_t header_size, const void *data,
                                  size_t data_size)
{
    akin_buffer out;
    char length[8];
    akin_buffer_init(&out, "test file", 1 << 26);
    put_le(length, header_size, 8);
    assert_ok(akin_buffer_add(&out, length, 8, &err));
    assert_ok(akin_buffer_add(&out, header, header_size, &err));
    assert_ok(akin_buffer_add(&out, data, data_size, &err));
    return out;
}

enum { safe_header = 168, safe_data = 36 };

static void safetensors_headers(void **state)
{
    (void)state;
    static const struct {
        const char *find, *replace;
        akin_status status;
        const char *words;
    } rows[] = {
        /* Accepted, as the reference does. */
        { "", "", AKIN_OK, "" },
        { "", " \n\t ", AKIN_OK, "" },
        { "",
          "{\"__metadata__\":{\"format\":\"pt\"},\"e\":{\"dtype\":\"F32\",\"shape\":[0,9],"
          "\"data_offsets\":[28,28]},",
          AKIN_OK, "" },
        { "F16", "BF16", AKIN_OK, "" },
        { "F16", "I16", AKIN_OK, "" },
        { "[28,36]", "[28,36],\"more\":1", AKIN_OK, "" },
        /* Offsets. */
        { "[28,36]", "[28,37]", AKIN_E_TRUNCATED, "tensor 'b' ends at byte 37 of the data" },
        { "[28,36]", "[28,9223372036854775807]", AKIN_E_TRUNCATED, "tensor 'b' ends" },
        { "[28,36]", "[28,18446744073709551615]", AKIN_E_FORMAT, "is not a begin and an end" },
        { "[28,36]", "[36,28]", AKIN_E_FORMAT, "'b': 'data_offsets' is not a begin and an end" },
        { "[28,36]", "[-8,0]", AKIN_E_FORMAT, "'data_offsets'" },
        { "[28,36]", "[28.0,36]", AKIN_E_FORMAT, "'data_offsets'" },
        { "[28,36]", "[28,36,40]", AKIN_E_FORMAT, "'data_offsets'" },
        { "[28,36]", "{}", AKIN_E_FORMAT, "'data_offsets'" },
        { ",\"data_offsets\":[28,36]", "", AKIN_E_FORMAT, "'data_offsets'" },
        { "[28,36]", "[27,36]", AKIN_E_CORRUPT, "'b': F16 of shape [4] does not take the 9 bytes" },
        { "[4],\"data_offsets\":[28,36]", "[5],\"data_offsets\":[26,36]", AKIN_E_CORRUPT,
          "'b' begins at byte 26 of the data, inside 'c'" },
        { "[4],\"data_offsets\":[28,36]", "[3],\"data_offsets\":[30,36]", AKIN_E_CORRUPT,
          "bytes 28 to 30 of the data, before tensor 'b', belong to no tensor" },
        { "[4],\"data_offsets\":[28,36]", "[3],\"data_offsets\":[28,34]", AKIN_E_CORRUPT,
          "2 bytes follow the last tensor" },
        { "[4],\"data_offsets\":[28,36]", "[0],\"data_offsets\":[36,36]", AKIN_E_CORRUPT,
          "bytes 28 to 36" },
        /* Shapes. */
        { "[2,3]", "[3,3]", AKIN_E_CORRUPT, "'a': F32 of shape [3, 3] does not take the 24 bytes" },
        { "[2,3]", "[-2,-3]", AKIN_E_FORMAT, "'a': dimension 0 is not" },
        { "[2,3]", "[2,3.0]", AKIN_E_FORMAT, "'a': dimension 1 is not" },
        { "[2,3]", "[2,null]", AKIN_E_FORMAT, "'a': dimension 1 is not" },
        { "[2,3]", "6", AKIN_E_FORMAT, "'a': no 'shape' array" },
        { "\"shape\":[2,3],", "", AKIN_E_FORMAT, "'a': no 'shape' array" },
        { "[2,3]", "[1,1,1,1,1,1,1,2,3]", AKIN_E_LIMIT, "'a' has 9 dimensions; the limit is 8" },
        { "[2,3]", "[9223372036854775807]", AKIN_E_CORRUPT, "does not take the 24 bytes" },
        { "[2,3]", "[4611686018427387904,4,6]", AKIN_E_CORRUPT, "does not take the 24 bytes" },
        { "[2,3]", "[4611686018427387910]", AKIN_E_CORRUPT, "does not take the 24 bytes" },
        { "[2,3],\"data_offsets\":[0,24]", "[0,4611686018427387904,4],\"data_offsets\":[0,0]",
          AKIN_E_CORRUPT, "does not take the 0 bytes" },
        /* Dtypes. */
        { "F16", "F8_E4M3", AKIN_E_TENSOR_DTYPE, "'b' is F8_E4M3" },
        { "F16", "f16", AKIN_E_TENSOR_DTYPE, "'b' is f16" },
        { "F16", "", AKIN_E_TENSOR_DTYPE, "'b' is ," },
        { "\"F16\"", "16", AKIN_E_FORMAT, "'b': no 'dtype' string" },
        { "F16", "F64", AKIN_E_CORRUPT, "'b': F64 of shape [4]" },
        /* Names. */
        { "\"c\"", "\"a\"", AKIN_E_FORMAT, "duplicate object key" },
        { "\"c\"", "\"\"", AKIN_E_FORMAT, "empty name" },
        { "\"c\"", "\"\xff\"", AKIN_E_FORMAT, "not UTF-8" },
        { "\"c\"", "\"c\\u0000d\"", AKIN_E_FORMAT, "not valid JSON" },
        /* The header as a whole. */
        { "{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[24,28]}", "7", AKIN_E_FORMAT,
          "'c' is not described by an object" },
        { "", "{\"__metadata__\":{\"format\":1},", AKIN_E_FORMAT,
          "'__metadata__.format' is not a string" },
        { "", "{\"__metadata__\":[],", AKIN_E_FORMAT, "'__metadata__' is not an object" },
        { "}}", "}", AKIN_E_FORMAT, "not valid JSON" },
        { "}}", "}}}", AKIN_E_FORMAT, "not valid JSON" },
        { "\"shape\"", "shape", AKIN_E_FORMAT, "not valid JSON" },
        { "\"a\"", "'a'", AKIN_E_FORMAT, "not valid JSON" },
    };
    bytes header = { safe.data + 8, safe_header };
    assert_int_equal(safe.size, 8 + safe_header + safe_data);
    for (size_t i = 0; i < COUNT(rows); i++) {
        bytes find = { rows[i].find, strlen(rows[i].find) }, from = header;
        bytes replace = { rows[i].replace, strlen(rows[i].replace) };
        if (replace.size > 2 && find.size == 0 && replace.data[0] == '{')
            from =
                (bytes){ header.data + 1, header.size - 1 }; /* its brace is in the replacement */
        akin_buffer text = replaced(from, find, replace);
        akin_buffer file =
            safetensors_of(text.data, text.size, safe.data + 8 + safe_header, safe_data);
        expect(akin_safetensors_read, rows[i].replace, file.data, file.size, rows[i].status,
               rows[i].words);
        akin_buffer_clear(&file);
        akin_buffer_clear(&text);
    }
}

static void safetensors_header_length(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        akin_status status;
        const char *words;
    } rows[] = {
        { safe_header, AKIN_OK, "" },
        { UINT64_MAX, AKIN_E_LIMIT, "header of 18446744073709551615 bytes; the limit is 8388608" },
        { UINT64_C(1) << 63, AKIN_E_LIMIT, "the limit is" },
        { AKIN_SAFETENSORS_MAX_HEADER + 1, AKIN_E_LIMIT, "header of 8388609 bytes" },
        { AKIN_SAFETENSORS_MAX_HEADER, AKIN_E_TRUNCATED, "the file ends after 204" },
        { safe_header + safe_data + 1, AKIN_E_TRUNCATED, "the file ends after 204" },
        { safe_header + 1, AKIN_E_FORMAT, "not valid JSON" },
        { 100, AKIN_E_FORMAT, "not valid JSON" },
        { 0, AKIN_E_FORMAT, "not valid JSON" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char file[8 + safe_header + safe_data];
        memcpy(file, safe.data, sizeof file);
        put_le(file, rows[i].length, 8);
        expect(akin_safetensors_read, "header length", file, sizeof file, rows[i].status,
               rows[i].words);
    }
}

static void safetensors_bombs(void **state)
{
    (void)state;
    enum { deep = 1 << 20 };
    char *text = malloc(2 * deep);
    memset(text, '[', deep);
    memset(text + deep, ']', deep);
    text[0] = '{'; /* so that it is taken for a header at all */
    akin_buffer file = safetensors_of(text, 2 * deep, "", 0);
    expect(akin_safetensors_read, "deep", file.data, file.size, AKIN_E_FORMAT, "not valid JSON");
    akin_buffer_clear(&file);

    size_t size = (size_t)snprintf(text, deep, "{\"__metadata__\":{\"x\":\"y\"},\"a\":");
    memset(text + size, '[', deep);
    file = safetensors_of(text, size + deep, "", 0);
    expect(akin_safetensors_read, "deep value", file.data, file.size, AKIN_E_FORMAT, "depth");
    akin_buffer_clear(&file);
    free(text);
}

static void safetensors_unaligned_and_empty(void **state)
{
    (void)state;
    const char header[] = "{\"f\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]},"
                          "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    char data[9] = { 7 };
    float values[2] = { 1.5f, -2.25f }, out[2] = { 0 };
    memcpy(data + 1, values, sizeof values);
    akin_buffer file = safetensors_of(header, sizeof header - 1, data, sizeof data);
    expect(akin_safetensors_read, "unaligned", file.data, file.size, AKIN_OK, "");
    akin_checkpoint *c;
    assert_ok(akin_checkpoint_open(&c, scratch, &err));
    assert_ok(akin_tensor_to_f32(akin_checkpoint_find(c, "f"), out, 2, &err));
    assert_memory_equal(out, values, sizeof values);
    akin_checkpoint_close(c);
    akin_buffer_clear(&file);

    file = safetensors_of("{}", 2, "", 0);
    expect(akin_safetensors_read, "no tensor", file.data, file.size, AKIN_OK, "");
    akin_buffer_clear(&file);
    file = safetensors_of("{}", 2, "x", 1);
    expect(akin_safetensors_read, "no tensor", file.data, file.size, AKIN_E_CORRUPT,
           "1 bytes follow");
    akin_buffer_clear(&file);
    file = safetensors_of("  []", 4, "", 0);
    expect(akin_safetensors_read, "array", file.data, file.size, AKIN_E_FORMAT,
           "not a JSON object");
    akin_buffer_clear(&file);
}

static void nonfinite_weights_are_named(void **state)
{
    (void)state;
    static const char *const bad[] = { "\x00\x00\xc0\x7f", "\x00\x00\x80\x7f", "\x00\x00\x80\xff" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        akin_buffer file = replaced((bytes){ safe.data, safe.size },
                                    (bytes)BYTES("\x00\x00\x40\x40"), (bytes){ bad[i], 4 });
        akin_checkpoint *c;
        float out[6];
        write_file(scratch, file.data, file.size);
        assert_ok(akin_checkpoint_open(&c, scratch, &err));
        check("not finite", akin_tensor_to_f32(akin_checkpoint_find(c, "a"), out, 6, &err),
              AKIN_E_NONFINITE, "tensor 'a' is NaN or infinite at [1, 0]", scratch);
        akin_checkpoint_close(c);
        akin_buffer_clear(&file);
    }
}

/* ---- torch's zip */

/* Where the central directory describes an entry: 46 bytes before the last place of its name. */
static size_t entry_place(const char *name)
{
    size_t size = strlen(name);
    for (size_t at = torch.size - size; at >= 46; at--)
        if (memcmp(torch.data + at, name, size) == 0)
            return at - 46;
    fail_msg("no entry %s", name);
    return 0;
}

static void zip_directory(void **state)
{
    (void)state;
    enum { entry = 0, end = 1, locator = 2, end64 = 3 }; /* what the place is counted from */
    static const struct {
        int base;
        size_t place;
        int size;
        uint64_t value;
        akin_status status;
        const char *words;
    } rows[] = {
        { entry, 8, 2, 0x0808, AKIN_OK, "" },
        { entry, 12, 4, 0x12345678, AKIN_OK, "" }, /* a date */
        { entry, 16, 4, 0, AKIN_OK, "" },          /* checksum: torch may leave it out */
        { entry, 0, 4, 0, AKIN_E_CORRUPT, "the directory is broken" },
        { entry, 8, 2, 0x0809, AKIN_E_UNSUPPORTED, "'small/data/0' is encrypted" },
        { entry, 8, 2, 0x2808, AKIN_E_UNSUPPORTED, "'small/data/0' is encrypted" },
        { entry, 10, 2, 8, AKIN_E_UNSUPPORTED, "'small/data/0' is compressed (method 8)" },
        { entry, 20, 4, 23, AKIN_E_CORRUPT, "has 24 bytes stored as 23" },
        { entry, 24, 4, 0x7fffffff, AKIN_E_CORRUPT, "has 2147483647 bytes stored as 24" },
        { entry, 20, 8, 0x7fffffff7fffffff, AKIN_E_CORRUPT, "of 2147483647 bytes reaches past" },
        { entry, 24, 4, 0xffffffff, AKIN_E_CORRUPT, "lacks its ZIP64 sizes" },
        { entry, 28, 2, 0, AKIN_E_CORRUPT, "name is empty" },
        { entry, 28, 2, 0xffff, AKIN_E_CORRUPT, "the directory is broken" },
        { entry, 30, 2, 0xffff, AKIN_E_CORRUPT, "the directory is broken" },
        { entry, 32, 2, 0xffff, AKIN_E_CORRUPT, "the directory is broken" },
        { entry, 34, 2, 1, AKIN_E_CORRUPT, "stored as" },
        { entry, 42, 4, 0, AKIN_E_CORRUPT, "'small/data/0' is not at byte 0" },
        { entry, 42, 4, 0xfffffff0, AKIN_E_CORRUPT, "is not at byte 4294967280" },
        { entry, 42, 4, 0xffffffff, AKIN_E_CORRUPT, "lacks its ZIP64 sizes" },
        { entry, 46, 2, 0x2e2e, AKIN_E_CORRUPT, "is not at byte" },
        { entry, 48, 1, 0, AKIN_E_CORRUPT, "holds a NUL" },
        { entry, 46, 1, '/', AKIN_E_UNSAFE, "'/mall/data/0' names a place outside" },
        { entry, 50, 4, 0x2f2e2e2f, AKIN_E_UNSAFE, "'smal/../ta/0' names a place outside" },
        { entry, 46, 3, 0x2f2e2e, AKIN_E_UNSAFE, "'../ll/data/0' names a place outside" },
        { entry, 56, 2, 0x2e2e, AKIN_E_CORRUPT,
          "is not at byte" }, /* "..": not a whole component */
        { entry, 50, 1, '\\', AKIN_E_UNSAFE, "names a place outside" },
        { end, 0, 4, 0, AKIN_E_TRUNCATED, "without its end record" },
        { end, 4, 2, 1, AKIN_E_UNSUPPORTED, "in several files" },
        { end, 10, 2, 7, AKIN_E_UNSUPPORTED, "in several files" },
        { end, 8, 4, 0x00070007, AKIN_E_CORRUPT, "the two end records contradict" },
        { end, 8, 4, 0xffffffff, AKIN_OK, "" }, /* see the ZIP64 record */
        { end, 12, 4, 0x10000, AKIN_E_CORRUPT, "the two end records contradict" },
        { end, 12, 4, 0xffffffff, AKIN_OK, "" },
        { end, 16, 4, 0, AKIN_E_CORRUPT, "the two end records contradict" },
        { end, 16, 4, 0xffffffff, AKIN_OK, "" },
        { end, 20, 2, 5, AKIN_E_TRUNCATED, "without its end record" },
        { locator, 4, 4, 1, AKIN_E_UNSUPPORTED, "in several files" },
        { locator, 8, 8, UINT64_MAX, AKIN_E_CORRUPT, "is said to be at byte 18446744073709551615" },
        { locator, 8, 8, 0, AKIN_E_CORRUPT, "no ZIP64 end record at byte 0" },
        { end64, 16, 4, 1, AKIN_E_UNSUPPORTED, "in several files" },
        { end64, 32, 8, 9, AKIN_E_UNSUPPORTED, "in several files" },
        { end64, 40, 8, UINT64_MAX, AKIN_E_CORRUPT, "contradict" },
        { end64, 48, 8, UINT64_MAX, AKIN_E_CORRUPT, "contradict" },
    };
    size_t bases[] = { entry_place("small/data/0"), torch.size - 22, torch.size - 42,
                       torch.size - 98 };
    char *file = malloc(torch.size);
    for (size_t i = 0; i < COUNT(rows); i++) {
        memcpy(file, torch.data, torch.size);
        put_le(file + bases[rows[i].base] + rows[i].place, rows[i].value, rows[i].size);
        char what[40];
        snprintf(what, sizeof what, "zip row %zu", i);
        expect(akin_torchzip_read, what, file, torch.size, rows[i].status, rows[i].words);
    }
    /* What only the ZIP64 record says: absurd sizes, offsets and counts. */
    static const struct {
        size_t place, place64;
        int size;
        uint64_t value;
        akin_status status;
        const char *words;
    } large[] = {
        { 12, 40, 4, UINT64_MAX, AKIN_E_CORRUPT, "a directory of 18446744073709551615 bytes" },
        { 12, 40, 4, 0x600, AKIN_E_CORRUPT, "a directory of 1536 bytes at byte 1208" },
        { 16, 48, 4, UINT64_MAX - 5, AKIN_E_CORRUPT, "at byte 18446744073709551610" },
        { 16, 48, 4, 0, AKIN_E_CORRUPT, "the directory is broken" },
        { 12, 40, 4, 46, AKIN_E_CORRUPT, "8 entries in a directory of 46 bytes" },
    };
    for (size_t i = 0; i < COUNT(large); i++) {
        memcpy(file, torch.data, torch.size);
        put_le(file + bases[end] + large[i].place, 0xffffffff, large[i].size);
        put_le(file + bases[end64] + large[i].place64, large[i].value, 8);
        expect(akin_torchzip_read, "ZIP64", file, torch.size, large[i].status, large[i].words);
    }
    static const struct {
        uint64_t count;
        akin_status status;
        const char *words;
    } counts[] = {
        { 1 << 20, AKIN_E_LIMIT, "of 1048576 entries; the limit is 262144" },
        { UINT64_MAX, AKIN_E_LIMIT, "entries; the limit" },
        { 100, AKIN_E_CORRUPT, "100 entries in a directory" },
        { 9, AKIN_E_CORRUPT, "the directory is broken" },
        { 7, AKIN_E_CORRUPT, "holds more than its 7 entries" },
        { 0, AKIN_E_FORMAT, "without a data.pkl" },
    };
    for (size_t i = 0; i < COUNT(counts); i++) {
        memcpy(file, torch.data, torch.size);
        put_le(file + bases[end] + 8, 0xffffffff, 4);
        put_le(file + bases[end64] + 24, counts[i].count, 8);
        put_le(file + bases[end64] + 32, counts[i].count, 8);
        expect(akin_torchzip_read, "ZIP64 count", file, torch.size, counts[i].status,
               counts[i].words);
    }
    free(file);
}

/* One entry of an archive that a test writes. */
struct item {
    const char *name;
    bytes content;
};

/* A ZIP archive of `items`, in this order. With `large`, sizes and offsets are in ZIP64 fields, as
 * torch writes them past 4 GiB; there are no ZIP64 end records in any case. */
static akin_buffer zip_of(const struct item *items, size_t count, bool large)
{
    akin_buffer out, directory;
    akin_buffer_init(&out, "test file", 1 << 26);
    akin_buffer_init(&directory, "test file", 1 << 20);
    for (size_t i = 0; i < count; i++) {
        char local[30] = "PK\3\4", central[46] = "PK\1\2", extra[34] = "\x55\x55\2\0xx\1\0\x18";
        size_t name_size = strlen(items[i].name);
        put_le(local + 26, name_size, 2);
        put_le(central + 20, large ? UINT32_MAX : items[i].content.size, 4);
        put_le(central + 24, large ? UINT32_MAX : items[i].content.size, 4);
        put_le(central + 28, name_size, 2);
        put_le(central + 30, large ? sizeof extra : 0, 2);
        put_le(central + 42, large ? UINT32_MAX : out.size, 4);
        put_le(extra + 10, items[i].content.size, 8);
        put_le(extra + 18, items[i].content.size, 8);
        put_le(extra + 26, out.size, 8);
        assert_ok(akin_buffer_add(&out, local, sizeof local, &err));
        assert_ok(akin_buffer_add(&out, items[i].name, name_size, &err));
        assert_ok(akin_buffer_add(&out, items[i].content.data, items[i].content.size, &err));
        assert_ok(akin_buffer_add(&directory, central, sizeof central, &err));
        assert_ok(akin_buffer_add(&directory, items[i].name, name_size, &err));
        assert_ok(akin_buffer_add(&directory, extra, large ? sizeof extra : 0, &err));
    }
    char end[22] = "PK\5\6";
    put_le(end + 8, count, 2);
    put_le(end + 10, count, 2);
    put_le(end + 12, directory.size, 4);
    put_le(end + 16, out.size, 4);
    assert_ok(akin_buffer_add(&out, directory.data, directory.size, &err));
    assert_ok(akin_buffer_add(&out, end, sizeof end, &err));
    akin_buffer_clear(&directory);
    return out;
}

/* The entries of small.pt, borrowed from it, with room for one more. */
enum { items_of_small = 4 };

static void small_items(struct item *items)
{
    static const char *const names[items_of_small] = { "small/data.pkl", "small/byteorder",
                                                       "small/data/0", "small/data/1" };
    akin_zip zip;
    assert_ok(akin_zip_open(&zip, (const unsigned char *)torch.data, torch.size, "small.pt", &err));
    for (size_t i = 0; i < items_of_small; i++) {
        const akin_zip_entry *entry = akin_zip_find(&zip, names[i], strlen(names[i]));
        assert_non_null(entry);
        items[i] = (struct item){ names[i], { (const char *)entry->data, entry->size } };
    }
    akin_zip_clear(&zip);
}

static void expect_items(const char *what, const struct item *items, size_t count,
                         akin_status status, const char *words)
{
    akin_buffer file = zip_of(items, count, false);
    expect(akin_torchzip_read, what, file.data, file.size, status, words);
    akin_buffer_clear(&file);
}

static void archive_entries(void **state)
{
    (void)state;
    struct item good[items_of_small + 1], items[items_of_small + 1];
    small_items(good);
    expect_items("good", good, 4, AKIN_OK, "");

    /* One entry replaced. */
    static const struct {
        size_t which;
        struct item by;
        akin_status status;
        const char *words;
    } rows[] = {
        { 1, { "small/version", BYTES("3\n") }, AKIN_OK, "" }, /* older files have no byteorder */
        { 1, { "small/byteorder", BYTES("big") }, AKIN_E_UNSUPPORTED, "big-endian" },
        { 1, { "small/byteorder", BYTES("little\n") }, AKIN_E_UNSUPPORTED, "big-endian" },
        { 1, { "other/byteorder", BYTES("big") }, AKIN_OK, "" },
        { 1, { "small/data/0", BYTES("x") }, AKIN_E_CORRUPT,
          "entry 'small/data/0' is there twice" },
        { 1, { "other/data.pkl", BYTES("\x80\x02}.") }, AKIN_E_CORRUPT,
          "two pickles, 'other/data.pkl' and 'small/data.pkl'" },
        { 1, { "small/code/model.py", BYTES("x") }, AKIN_OK, "" }, /* TorchScript */
        { 1, { "small/constants.pkl", BYTES("x") }, AKIN_OK, "" },
        { 1, { "small/../x", BYTES("x") }, AKIN_E_UNSAFE, "'small/../x' names a place outside" },
        { 1, { "small/x/..", BYTES("x") }, AKIN_E_UNSAFE, "'small/x/..' names a place outside" },
        { 0, { "small/model.pkl", BYTES("\x80\x02}.") }, AKIN_E_FORMAT, "without a data.pkl" },
        { 0, { "data.pkl", BYTES("\x80\x02}.") }, AKIN_E_FORMAT, "without a data.pkl" },
        { 0, { "small/data.pkl", BYTES("") }, AKIN_E_TRUNCATED, "pickle: ends at byte 0" },
        { 2, { "small/data/2", BYTES("x") }, AKIN_E_CORRUPT,
          "'a': its storage 'data/0' is not in" },
        { 2, { "small/data/0", BYTES("12345678901234567890123") }, AKIN_E_CORRUPT,
          "'a': its storage has 23 bytes, not the 6 elements of F32" },
        { 2, { "small/data/0", BYTES("1234567890123456789012345") }, AKIN_E_CORRUPT,
          "has 25 bytes" },
        { 3, { "small/data/1", BYTES("") }, AKIN_E_CORRUPT, "'b': its storage has 0 bytes" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        memcpy(items, good, sizeof items);
        items[rows[i].which] = rows[i].by;
        expect_items(rows[i].by.name, items, 4, rows[i].status, rows[i].words);
    }

    akin_buffer large = zip_of(good, 4, true);
    expect(akin_torchzip_read, "large", large.data, large.size, AKIN_OK, "");
    /* The extra field of the first entry: its size, then its length. */
    static const struct {
        size_t place;
        uint64_t value;
        int size;
        const char *words;
    } extras[] = {
        { 10, UINT64_MAX, 8, "has 18446744073709551615 bytes stored as" },
        { 18, UINT64_MAX, 8, "stored as 18446744073709551615" },
        { 26, UINT64_MAX, 8, "is not at byte 18446744073709551615" },
        { 8, 16, 2, "lacks its ZIP64 sizes" },
        { 8, 25, 2, "lacks its ZIP64 sizes" },
        { 6, 2, 2, "lacks its ZIP64 sizes" },
    };
    char *central = memmem(large.data, large.size, "PK\1\2", 4);
    assert_non_null(central);
    for (size_t i = 0; i < COUNT(extras); i++) {
        char *place = central + 46 + strlen(good[0].name) + extras[i].place, kept[8];
        memcpy(kept, place, 8);
        put_le(place, extras[i].value, extras[i].size);
        expect(akin_torchzip_read, "ZIP64 extra", large.data, large.size, AKIN_E_CORRUPT,
               extras[i].words);
        memcpy(place, kept, 8);
    }
    akin_buffer_clear(&large);

    struct item named[items_of_small]; /* any root will do */
    memcpy(named, good, sizeof named);
    named[0].name = "a/b c/data.pkl";
    named[1].name = "a/b c/byteorder";
    named[2].name = "a/b c/data/0";
    named[3].name = "a/b c/data/1";
    expect_items("root", named, 4, AKIN_OK, "");
}

/* ---- pickles */

/* A pickle too long to be worth writing to the disk. */
static void expect_bomb(const char *what, const void *data, size_t size, const char *words)
{
    struct item item = { "x/data.pkl", { data, size } };
    akin_buffer file = zip_of(&item, 1, false);
    check(what, read_exactly(akin_torchzip_read, file.data, file.size), AKIN_E_LIMIT, words,
          "memory");
    akin_buffer_clear(&file);
}

static void expect_pickle(const char *what, const void *data, size_t size, akin_status status,
                          const char *words)
{
    struct item items[items_of_small + 1];
    small_items(items);
    items[0].content = (bytes){ data, size };
    expect_items(what, items, items_of_small, status, words);
}

#define HUGE_INT "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f" /* LONG1 of 2^63 - 1 */

/* The pickle of small.pt with one thing changed. Its tensor a has storage 0 of 6 floats, offset 0,
 * shape (2, 3), stride (3, 1); b has storage 1 of 4 halves. */
static void pickle_edits(void **state)
{
    (void)state;
    static const struct {
        bytes find, replace;
        akin_status status;
        const char *words;
    } rows[] = {
        { BYTES(""), BYTES(""), AKIN_OK, "" },
        { BYTES("X\3\0\0\0cpuq"), BYTES("X\6\0\0\0cuda:0q"), AKIN_OK, "" },
        /* Shape, stride, offset. */
        { BYTES("K\2K\3\x86q\t"), BYTES("J\xfe\xff\xff\xffK\3\x86q\t"), AKIN_E_CORRUPT,
          "'a': its shape or stride is not made of numbers of 0 or more" },
        { BYTES("K\2K\3\x86q\t"), BYTES("\x88K\3\x86q\t"), AKIN_E_CORRUPT,
          "'a': its shape or stride" },
        { BYTES("K\2K\3\x86q\t"), BYTES("K\2q\t"), AKIN_E_CORRUPT, "is not a tuple" },
        { BYTES("K\2K\3\x86q\t"), BYTES("K\3K\3\x86q\t"), AKIN_E_CORRUPT,
          "'a': F32 of shape [3, 3] from element 0 reaches past its storage of 6 elements" },
        { BYTES("K\2K\3\x86q\t"), BYTES("K\0K\3\x86q\t"), AKIN_OK, "" },
        { BYTES("K\2K\3\x86q\t"), BYTES(HUGE_INT HUGE_INT "\x86q\t"), AKIN_E_CORRUPT,
          "is too large" },
        { BYTES("K\2K\3\x86q\t"), BYTES("K\0" HUGE_INT HUGE_INT "\x87q\t"), AKIN_E_CORRUPT,
          "differ in length" },
        { BYTES("K\2K\3\x86q\t"), BYTES("K\2" HUGE_INT "\x86q\t"), AKIN_E_CORRUPT, "is too large" },
        { BYTES("K\2K\3\x86q\t"), BYTES("(K\1K\1K\1K\1K\1K\1K\1K\1K\1tq\t"), AKIN_E_LIMIT,
          "'a' has 9 dimensions; the limit is 8" },
        { BYTES("K\3K\1\x86q\n"), BYTES("K\3\x85q\n"), AKIN_E_CORRUPT,
          "'a': its shape and stride differ" },
        { BYTES("K\3K\1\x86q\n"), BYTES("K\4K\1\x86q\n"), AKIN_E_CORRUPT,
          "reaches past its storage" },
        { BYTES("K\3K\1\x86q\n"), BYTES("K\0K\0\x86q\n"), AKIN_OK, "" },
        { BYTES("K\3K\1\x86q\n"), BYTES("K\1K\2\x86q\n"), AKIN_OK, "" },
        { BYTES("K\3K\1\x86q\n"), BYTES(HUGE_INT "K\1\x86q\n"), AKIN_E_CORRUPT, "reaches past" },
        { BYTES("K\3K\1\x86q\n"), BYTES("K\3" HUGE_INT "\x86q\n"), AKIN_E_CORRUPT, "reaches past" },
        { BYTES("K\3K\1\x86q\n"), BYTES("J\xff\xff\xff\xffK\1\x86q\n"), AKIN_E_CORRUPT,
          "of 0 or more" },
        { BYTES("QK\0"), BYTES("QK\1"), AKIN_E_CORRUPT, "from element 1 reaches past" },
        { BYTES("QK\0"), BYTES("QJ\xff\xff\xff\xff"), AKIN_E_CORRUPT,
          "from element -1 reaches past" },
        { BYTES("QK\0"), BYTES("Q" HUGE_INT), AKIN_E_CORRUPT, "reaches past" },
        { BYTES("QK\0"), BYTES("QN"), AKIN_E_CORRUPT, "the arguments torch uses" },
        { BYTES("QK\0"), BYTES("QK\0K\0"), AKIN_E_CORRUPT, "is not a tuple" },
        { BYTES("\x89h\0)Rq\x0bt"), BYTES("t"), AKIN_E_CORRUPT, "the arguments torch uses" },
        /* Storage. */
        { BYTES("K\6tq\b"), BYTES("K\7tq\b"), AKIN_E_CORRUPT,
          "24 bytes, not the 7 elements of F32" },
        { BYTES("K\6tq\b"), BYTES("J\xff\xff\xff\xfftq\b"), AKIN_E_CORRUPT, "not the -1 elements" },
        { BYTES("K\6tq\b"), BYTES(HUGE_INT "tq\b"), AKIN_E_CORRUPT,
          "not the 9223372036854775807 elements" },
        { BYTES("K\6tq\b"), BYTES("Ntq\b"), AKIN_E_CORRUPT, "not described as torch does" },
        { BYTES("K\6tq\b"), BYTES("tq\b"), AKIN_E_CORRUPT, "not described as torch does" },
        { BYTES("X\7\0\0\0storage"), BYTES("X\7\0\0\0stowage"), AKIN_E_CORRUPT, "not described" },
        { BYTES("FloatStorage"), BYTES("DoubleStorage"), AKIN_E_CORRUPT, "6 elements of F64" },
        { BYTES("FloatStorage"), BYTES("IntStorage"), AKIN_OK, "" },
        { BYTES("FloatStorage"), BYTES("float32"), AKIN_E_CORRUPT, "of no storage class" },
        { BYTES("FloatStorage"), BYTES("ComplexFloatStorage"), AKIN_E_UNSAFE,
          "'torch.ComplexFloatStorage'" },
        { BYTES("ctorch\nFloatStorage"), BYTES("ctorch.storage\nUntypedStorage"), AKIN_E_CORRUPT,
          "24 bytes, not the 6" },
        { BYTES("ctorch\nFloatStorage\nq\5X\1\0\0\0\060q\6X\3\0\0\0cpuq\7K\6"),
          BYTES("ctorch.storage\nUntypedStorage\nq\5X\1\0\0\0\060q\6X\3\0\0\0cpuq\7K\x18"),
          AKIN_E_CORRUPT, "'a': its storage is of the wrong class" },
        { BYTES("X\1\0\0\0\060q\6"),
          BYTES("X\1\0\0\0\067q\6"),
          AKIN_E_CORRUPT, "'data/7' is not in" },
        { BYTES("X\1\0\0\0\060q\6"),
          BYTES("X\x0b\0\0\0../data.pklq\6"), AKIN_E_CORRUPT, "is not in the archive" },
        { BYTES("X\1\0\0\0\060q\6"),
          BYTES("XA\0\0\0\0612345678901234567890123456789012345678901234567890123456789012345q\6"),
          AKIN_E_LIMIT, "longer than 64 bytes" },
        { BYTES("_rebuild_tensor_v2"), BYTES("_rebuild_tensor_v3"), AKIN_E_CORRUPT,
          "the arguments torch uses" },
        { BYTES("_rebuild_tensor_v2"), BYTES("_rebuild_sparse_tensor"), AKIN_E_UNSAFE,
          "Python's 'torch._utils._rebuild_sparse_tensor'" },
        { BYTES("_rebuild_tensor_v2"), BYTES("_rebuild_parameter"), AKIN_E_CORRUPT,
          "a parameter of no tensor" },
        { BYTES("ctorch._utils\n_rebuild_tensor_v2"), BYTES("ctorch\nFloatStorage"), AKIN_E_UNSAFE,
          "REDUCE calls 'torch.FloatStorage', a type" },
        { BYTES("ctorch._utils\n_rebuild_tensor_v2\n"), BYTES("N"), AKIN_E_UNSAFE,
          "REDUCE calls None" },
        /* Names. */
        { BYTES("X\1\0\0\0bq"), BYTES("X\1\0\0\0aq"), AKIN_E_CORRUPT, "tensor 'a' is there twice" },
        { BYTES("X\1\0\0\0bq"), BYTES("X\0\0\0\0q"), AKIN_E_FORMAT, "empty name" },
        { BYTES("X\1\0\0\0bq"), BYTES("X\1\0\0\0\xffq"), AKIN_E_FORMAT, "is not UTF-8" },
        { BYTES("X\1\0\0\0bq"), BYTES("X\1\0\0\0\0q"), AKIN_E_FORMAT, "is not UTF-8" },
        { BYTES("X\1\0\0\0bq"), BYTES("K\1q"), AKIN_E_FORMAT, "a key is an integer, not a name" },
        /* The end. */
        { BYTES("u."), BYTES("u"), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("u."), BYTES("u.N"), AKIN_E_CORRUPT, "1 bytes follow its end" },
        { BYTES("u."), BYTES("."), AKIN_E_CORRUPT, "not one value on the stack" },
        { BYTES("u."), BYTES("uu."), AKIN_E_CORRUPT, "no mark on the stack" },
        { BYTES("u."), BYTES("Nu."), AKIN_E_CORRUPT, "a key has no value" },
        { BYTES("u."), BYTES("e."), AKIN_E_CORRUPT, "appended to what is no list" },
        { BYTES("u."), BYTES("u}b."), AKIN_OK, "" },
        { BYTES("u."), BYTES("u}X\x09\0\0\0_metadata}sb."), AKIN_OK, "" },
        { BYTES("u."), BYTES("u}X\x09\0\0\0__class__}sb."), AKIN_E_UNSAFE,
          "BUILD sets attributes" },
    };
    struct item good[items_of_small + 1];
    small_items(good);
    for (size_t i = 0; i < COUNT(rows); i++) {
        /* The last row's find is a plain "u.": take the one at the end. */
        bytes from = good[0].content, head = { from.data, 0 };
        if (rows[i].find.size == 2 && memcmp(rows[i].find.data, "u.", 2) == 0) {
            head.size = from.size - 2;
            from = (bytes){ from.data + head.size, 2 };
        }
        akin_buffer text = replaced(from, rows[i].find, rows[i].replace);
        akin_buffer whole = replaced((bytes){ text.data, text.size }, (bytes)BYTES(""), head);
        char what[60];
        snprintf(what, sizeof what, "pickle edit %zu", i);
        expect_pickle(what, whole.data, whole.size, rows[i].status, rows[i].words);
        akin_buffer_clear(&text);
        akin_buffer_clear(&whole);
    }
}

#define ORDERED "ccollections\nOrderedDict\n"

/* The pickle of a TorchScript archive: objects of its own classes and nothing else. */
static void torchscript_programs(void **state)
{
    (void)state;
#define CLASS "c__torch__.net\nNet\n"
#define OBJECT CLASS ")\x81"
    static const struct {
        bytes pickle;
        akin_status status;
        const char *words;
    } rows[] = {
        { BYTES("\x80\2" OBJECT "}(X\1\0\0\0aK\1ub."), AKIN_OK, "" },
        { BYTES("\x80\2" OBJECT "."), AKIN_OK, "" },
        { BYTES("\x80\2" OBJECT "]b."), AKIN_E_CORRUPT, "whose attributes are no dict" },
        { BYTES("\x80\2" OBJECT "}(X\1\0\0\0aK\1ub}b."), AKIN_E_CORRUPT, "are set twice" },
        { BYTES("\x80\2" CLASS ")R."), AKIN_E_UNSAFE, "REDUCE calls a class" },
        { BYTES("\x80\2" CLASS "K\1\x85\x81."), AKIN_E_CORRUPT, "NEWOBJ of something else" },
        { BYTES("\x80\2}) \x81."), AKIN_E_CORRUPT, "is no opcode" },
        { BYTES("\x80\2}]\x81."), AKIN_E_CORRUPT, "NEWOBJ of something else" },
        { BYTES("\x80\2cos\nsystem\n)\x81."), AKIN_E_UNSAFE, "'os.system'" },
        { BYTES("\x80\2]."), AKIN_E_FORMAT, "a TorchScript archive that holds a list" },
        /* An object inside itself. */
        { BYTES("\x80\2" OBJECT "q\0}(X\1\0\0\0ah\0ub."), AKIN_E_LIMIT, "inside each other" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct item items[items_of_small + 1];
        char what[20];
        small_items(items);
        items[0].content = rows[i].pickle;
        items[items_of_small] = (struct item){ "small/code/x.py", BYTES("x") };
        snprintf(what, sizeof what, "script %zu", i);
        expect_items(what, items, items_of_small + 1, rows[i].status, rows[i].words);
    }
    /* Twenty objects, each of which holds the next twice. */
    enum { LEVELS = 20 };
    char program[LEVELS * 20 + 8] = "\x80\2", *at = program + 2;
    for (int i = 0; i < LEVELS; i++, at += 8)
        memcpy(at, "}(X\1\0\0\0a", 8);
    *at++ = '}';
    for (int i = 0; i < LEVELS; i++, at += 11) {
        const char level[] = { 'q', (char)i, 'X', 1, 0, 0, 0, 'b', 'h', (char)i, 'u' };
        memcpy(at, level, 11);
    }
    *at++ = '.';
    struct item items[items_of_small + 1];
    small_items(items);
    items[0].content = (bytes){ program, (size_t)(at - program) };
    items[items_of_small] = (struct item){ "small/code/x.py", BYTES("x") };
    expect_items("doublings", items, items_of_small + 1, AKIN_E_LIMIT,
                 "of more than 65536 objects");
}

static void pickle_programs(void **state)
{
    (void)state;
    static const struct {
        bytes pickle;
        akin_status status;
        const char *words;
    } rows[] = {
        { BYTES("\x80\2}."), AKIN_OK, "" },
        { BYTES("\x80\4\x95\2\0\0\0\0\0\0\0}."), AKIN_OK, "" },
        { BYTES("\x80\5}."), AKIN_OK, "" },
        { BYTES("\x80\2" ORDERED ")R."), AKIN_OK, "" },
        { BYTES("\x80\2}X\1\0\0\0aK\1s."), AKIN_OK, "" },
        { BYTES("\x80\2}X\5\0\0\0sizesctorch\nSize\nK\1\x85\x85Rs."), AKIN_OK, "" },
        { BYTES("\x80\2}X\5\0\0\0dtypectorch\nfloat16\ns."), AKIN_OK, "" },
        /* Code. */
        { BYTES("\x80\2cposix\nsystem\nX\2\0\0\0id\x85R."), AKIN_E_UNSAFE,
          "Python's 'posix.system'" },
        { BYTES("\x80\4\x8c\5posix\x8c\6system\x93\x8c\2id\x85R."), AKIN_E_UNSAFE,
          "Python's 'posix.system'" },
        { BYTES("\x80\4\x8c\5posix\x94\x8c\6system\x94\x93\x94\x8c\2id\x85R."), AKIN_E_UNSAFE,
          "posix.system" },
        { BYTES("\x80\2c__builtin__\neval\nX\1\0\0\0\061\x85R."),
          AKIN_E_UNSAFE, "'__builtin__.eval'" },
        { BYTES("\x80\2cbuiltins\ngetattr\n."), AKIN_E_UNSAFE, "'builtins.getattr'" },
        { BYTES("\x80\2cnumpy.core.multiarray\nscalar\n."), AKIN_E_UNSAFE,
          "'numpy.core.multiarray.scalar'" },
        { BYTES("\x80\2ctorch\nfloat32\0\n."), AKIN_E_UNSAFE, "'torch.float32" },
        { BYTES("\x80\2ctorch.Size\n\n."), AKIN_E_UNSAFE, "'torch.Size.'" },
        { BYTES("\x80\2(iposix\nsystem\n."), AKIN_E_UNSAFE, "opcode INST" },
        { BYTES("\x80\2(" ORDERED "o."), AKIN_E_UNSAFE, "opcode OBJ" },
        { BYTES("\x80\2" ORDERED ")\x81."), AKIN_E_UNSAFE, "opcode NEWOBJ" },
        { BYTES("\x80\4" ORDERED ")}\x92."), AKIN_E_UNSAFE, "opcode NEWOBJ_EX" },
        { BYTES("\x80\2\x82\1."), AKIN_E_UNSAFE, "opcode EXT1" },
        { BYTES("\x80\2\x83\1\0."), AKIN_E_UNSAFE, "opcode EXT2" },
        { BYTES("\x80\2\x84\1\0\0\0."), AKIN_E_UNSAFE, "opcode EXT4" },
        { BYTES("\x80\2P0\n."), AKIN_E_UNSAFE, "opcode PERSID" },
        { BYTES("\x80\5\x97."), AKIN_E_UNSAFE, "opcode NEXT_BUFFER" },
        { BYTES("\x80\2}}b."), AKIN_E_UNSAFE, "BUILD sets attributes of a dict" },
        { BYTES("\x80\2" ORDERED ")RNb."), AKIN_E_UNSAFE, "BUILD sets attributes" },
        { BYTES("\x80\2" ORDERED "}b."), AKIN_E_UNSAFE,
          "BUILD sets attributes of a type or function" },
        { BYTES("\x80\2N)R."), AKIN_E_UNSAFE, "REDUCE calls None" },
        { BYTES("\x80\2" ORDERED "}R."), AKIN_E_UNSAFE,
          "REDUCE calls a type or function with a dict" },
        { BYTES("\x80\2ctorch\nfloat32\n)R."), AKIN_E_UNSAFE,
          "REDUCE calls 'torch.float32', a type" },
        { BYTES("\x80\2" ORDERED "]\x85R."), AKIN_E_UNSUPPORTED, "made by Python 2" },
        /* Opcodes a state dict does not need, and bytes that are none. */
        { BYTES("\x80\2}N0."), AKIN_E_UNSUPPORTED, "opcode POP" },
        { BYTES("\x80\2}2."), AKIN_E_UNSUPPORTED, "opcode DUP" },
        { BYTES("\x80\2U\1a."), AKIN_E_UNSUPPORTED, "opcode SHORT_BINSTRING" },
        { BYTES("\x80\2I1\n."), AKIN_E_UNSUPPORTED, "opcode INT" },
        { BYTES("\x80\4\x8f."), AKIN_E_UNSUPPORTED, "opcode EMPTY_SET" },
        { BYTES("\x80\2\x8b\1\0\0\0\0."), AKIN_E_UNSUPPORTED, "opcode LONG4" },
        { BYTES("\x80\2\xff."), AKIN_E_CORRUPT, "byte 0xff is no opcode" },
        { BYTES("\x80\1}."), AKIN_E_UNSUPPORTED, "not a pickle of protocol 2 to 5" },
        { BYTES("\x80\6}."), AKIN_E_UNSUPPORTED, "not a pickle of protocol 2 to 5" },
        { BYTES("}."), AKIN_E_UNSUPPORTED, "not a pickle of protocol 2 to 5" },
        /* Lengths past the end. */
        { BYTES("\x80"), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\2"), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\2X\xff\xff\xff\xff."), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\4\x8c\5abc."), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\4\x8d\1\0\0\0\0\0\0\x80."), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\4\x95\xff\xff\xff\xff\xff\xff\xff\xff}."), AKIN_E_TRUNCATED,
          "in the middle" },
        { BYTES("\x80\2\x8a\4\1\2."), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\2\x8a\x09\1\2\3\4\5\6\7\x8\x9."), AKIN_E_LIMIT, "an integer of 9 bytes" },
        { BYTES("\x80\2G\1\2."), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\2ccollections"), AKIN_E_TRUNCATED, "in the middle" },
        { BYTES("\x80\2ccollections\nOrderedDict"), AKIN_E_TRUNCATED, "in the middle" },
        /* Memo and stack. */
        { BYTES("\x80\2h\0."), AKIN_E_CORRUPT, "never put" },
        { BYTES("\x80\2}j\xff\xff\xff\xff."), AKIN_E_CORRUPT, "never put" },
        { BYTES("\x80\2}q\1h\0."), AKIN_E_CORRUPT, "never put" },
        { BYTES("\x80\2}r\xff\xff\xff\xff."), AKIN_E_LIMIT, "memo entries" },
        { BYTES("\x80\2}r\xff\xff\x1f\0."), AKIN_OK, "" },
        { BYTES("\x80\2}r\0\0\x20\0."), AKIN_E_LIMIT, "more than 2097152 memo entries" },
        { BYTES("\x80\2q\0."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\2."), AKIN_E_CORRUPT, "not one value" },
        { BYTES("\x80\2}}."), AKIN_E_CORRUPT, "not one value" },
        { BYTES("\x80\2}(."), AKIN_E_CORRUPT, "not one value" },
        { BYTES("\x80\2t."), AKIN_E_CORRUPT, "no mark" },
        { BYTES("\x80\2(N\x86."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\2N(N\x86."), AKIN_E_CORRUPT, "too few values" }, /* not across the mark */
        { BYTES("\x80\2(a."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\2(u."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\2NNa."), AKIN_E_CORRUPT, "no list" },
        { BYTES("\x80\2NNNs."), AKIN_E_CORRUPT, "no dict" },
        { BYTES("\x80\2R."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\2b."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\2Q."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\4\x93."), AKIN_E_CORRUPT, "too few values" },
        { BYTES("\x80\4NN\x93."), AKIN_E_CORRUPT, "a global whose name is no text" },
        /* No state dict. */
        { BYTES("\x80\2]."), AKIN_E_UNSUPPORTED, "holds a list, not a state dict" },
        { BYTES("\x80\2NQ."), AKIN_E_UNSUPPORTED, "holds a storage, not a state dict" },
        { BYTES("\x80\2ctorch\nSize\n)R."), AKIN_E_UNSUPPORTED, "holds a single tensor or object" },
        { BYTES("\x80\2}X\5\0\0\0model}s."), AKIN_E_UNSUPPORTED,
          "entry 'model' is a dict, not a tensor" },
        { BYTES("\x80\2}X\5\0\0\0modelNQs."), AKIN_E_UNSUPPORTED, "entry 'model' is a storage" },
        { BYTES("\x80\2}q\0X\1\0\0\0ah\0s."), AKIN_E_UNSUPPORTED, "entry 'a' is a dict" },
        { BYTES("\x80\2}q\0X\x0a\0\0\0state_dicth\0s."), AKIN_E_UNSUPPORTED,
          "entry 'state_dict' is a dict" },
        { BYTES("\x80\2}X\x0a\0\0\0state_dict]s."), AKIN_E_UNSUPPORTED,
          "entry 'state_dict' is a list" },
        { BYTES("\x80\2}X\1\0\0\0actorch._utils\n_rebuild_parameter\n)Rs."), AKIN_E_CORRUPT,
          "a parameter of nothing" },
        { BYTES("\x80\2}X\1\0\0\0actorch._utils\n_rebuild_tensor_v2\n)Rs."), AKIN_E_CORRUPT,
          "the arguments torch uses" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char what[60];
        snprintf(what, sizeof what, "pickle %zu", i);
        expect_pickle(what, rows[i].pickle.data, rows[i].pickle.size, rows[i].status,
                      rows[i].words);
    }
}

static void pickle_bombs(void **state)
{
    (void)state;
    enum { size = 12 << 20 };
    char *text = malloc(size);
    memcpy(text, "\x80\2", 2);
    memset(text + 2, 'N', size - 2);
    expect_bomb("stack", text, size, "more than 262144 values on the stack");
    memset(text + 2, '(', size - 2);
    expect_bomb("marks", text, size, "more than 4096 open marks");
    memset(text + 2, '\x85', size - 2); /* a tuple in a tuple in a tuple */
    text[2] = 'N';
    expect_bomb("nesting", text, size, "more than 4194304 values");
    for (size_t i = 3; i + 1 < size; i += 2)
        memcpy(text + i, "]a", 2);
    text[2] = ']';
    expect_bomb("lists", text, size, "more than 4194304 values");
    for (size_t i = 3; i < size; i++)
        text[i] = '\x94'; /* MEMOIZE */
    expect_bomb("memo", text, size, "more than 2097152 memo entries");
    free(text);

    text = calloc(1, AKIN_PICKLE_MAX_BYTES + 1);
    expect_bomb("size", text, AKIN_PICKLE_MAX_BYTES + 1, "pickle of 16777217 bytes");
    free(text);
}

/* ---- every prefix, every flipped bit */

/* All lengths from memory; through a file, which costs more, all short ones and some others. */
static void truncated_anywhere(void **state)
{
    (void)state;
    for (size_t size = 0; size < safe.size; size++) {
        check("prefix", read_exactly(akin_safetensors_read, safe.data, size), AKIN_E_TRUNCATED, "",
              "memory");
        check("prefix", open_bytes(safe.data, size), AKIN_E_TRUNCATED, "", scratch);
    }
    for (size_t size = 0; size < torch.size; size++) {
        check("prefix", read_exactly(akin_torchzip_read, torch.data, size), AKIN_E_TRUNCATED,
              "cut short", "memory");
        if (size < 4) /* "PK\3": not even known to be a ZIP archive */
            assert_int_not_equal(open_bytes(torch.data, size), AKIN_OK);
        else if (size < 64 || size % 13 == 0 || size + 100 > torch.size)
            check("prefix", open_bytes(torch.data, size), AKIN_E_TRUNCATED, "cut short", scratch);
    }
}

static void any_bit_flipped(void **state)
{
    (void)state;
    static const char *const torch_files[] = { GOLDEN "small.pt", GOLDEN "module.bin",
                                               GOLDEN "parameters.pt" };
    size_t opened = 0, refused = 0;
    for (size_t bit = 0; bit < safe.size * 8; bit++) {
        safe.data[bit / 8] ^= (char)(1 << bit % 8);
        if (read_exactly(akin_safetensors_read, safe.data, safe.size) == AKIN_OK)
            opened++;
        else
            refused++;
        if (bit % 5 == 0)
            open_bytes(safe.data, safe.size);
        safe.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    /* The data and the names may change unseen, the rest is tied together. */
    assert_true(opened >= safe_data * 8 && refused > 600);
    for (size_t f = 0; f < COUNT(torch_files); f++) {
        akin_buffer file;
        assert_ok(akin_file_read(torch_files[f], "test file", 1 << 20, &file, &err));
        opened = refused = 0;
        for (size_t bit = 0; bit < file.size * 8; bit += f == 0 ? 1 : 7) {
            file.data[bit / 8] ^= (char)(1 << bit % 8);
            if (read_exactly(akin_torchzip_read, file.data, file.size) == AKIN_OK)
                opened++;
            else
                refused++;
            if (bit % 101 == 0)
                open_bytes(file.data, file.size);
            file.data[bit / 8] ^= (char)(1 << bit % 8);
        }
        assert_true(opened > 200 && refused > 1000);
        akin_buffer_clear(&file);
    }
}

/* ---- shards */

static char shard_index[128], shard_1[128], shard_2[128];

static void write_shards(void)
{
    static const char *const names[] = { "model.safetensors.index.json",
                                         "model-00001-of-00002.safetensors",
                                         "model-00002-of-00002.safetensors" };
    char *const paths[] = { shard_index, shard_1, shard_2 };
    for (size_t i = 0; i < 3; i++) {
        char from[128];
        akin_buffer file;
        snprintf(from, sizeof from, GOLDEN "shards-safetensors/%s", names[i]);
        snprintf(paths[i], sizeof shard_1, "%s/%s", folder, names[i]);
        assert_ok(akin_file_read(from, "test file", 1 << 20, &file, &err));
        write_file(paths[i], file.data, file.size);
        akin_buffer_clear(&file);
    }
}

static void expect_shards(const char *what, akin_status status, const char *words, const char *path)
{
    const char *const paths[] = { folder, shard_index };
    for (size_t i = 0; i < 2; i++) {
        akin_checkpoint *c;
        check(what, akin_checkpoint_open(&c, paths[i], &err), status, words, path);
        akin_checkpoint_close(c);
    }
}

static void shards_and_index_must_agree(void **state)
{
    (void)state;
    static const struct {
        const char *find, *replace;
        akin_status status;
        const char *words;
        char *path;
    } rows[] = {
        { "", "", AKIN_OK, "", NULL },
        { "", "  \n", AKIN_OK, "", NULL },
        { "\"a\": \"model-", "\"a\": \"../model-", AKIN_E_UNSAFE, "the shard '../model-0",
          shard_index },
        { "\"a\": \"model-", "\"a\": \"/tmp/model-", AKIN_E_UNSAFE, "only files of its own folder",
          shard_index },
        { "\"a\": \"model-", "\"a\": \"x\\\\model-", AKIN_E_UNSAFE, "only files of its own",
          shard_index },
        { "\"a\": \"model-00001-of-00002.safetensors\"", "\"a\": \"..\"", AKIN_E_UNSAFE,
          "the shard '..'", shard_index },
        { "\"a\": \"model-00001-of-00002.safetensors\"", "\"a\": \"\"", AKIN_E_FORMAT, "a shard ''",
          shard_index },
        { "\"a\": \"model-00001-of-00002.safetensors\"", "\"a\": 1", AKIN_E_FORMAT,
          "the shard of 'a' is not a string", shard_index },
        { "\"a\": \"model-00001-of-00002.safetensors\"", "\"a\": \"model.safetensors.index.json\"",
          AKIN_E_CORRUPT, "tensor 'a' of this shard is not in the index", shard_1 },
        { "\"a\": \"model-00001", "\"a\": \"model-00002", AKIN_E_CORRUPT,
          "tensor 'a' of this shard is not in the index, or is said to be in another one",
          shard_1 },
        { "\"a\": \"model-", "\"e\": \"model-", AKIN_E_CORRUPT,
          "tensor 'a' of this shard is not in", shard_1 },
        { "\"a\": \"model-", "\"e\": \"model-00001-of-00002.safetensors\", \"a\": \"model-",
          AKIN_E_CORRUPT, "the index puts tensor 'e' into this shard, which does not have it",
          shard_1 },
        { "\"a\": \"model-00001-of-00002.safetensors\",", "", AKIN_E_CORRUPT,
          "tensor 'a' of this shard", shard_1 },
        { "\"a\": \"", "\"b\": \"", AKIN_E_FORMAT, "duplicate object key", shard_index },
        { "weight_map", "weights", AKIN_E_FORMAT, "without a 'weight_map'", shard_index },
        { "\"weight_map\": {", "\"weight_map\": {}, \"x\": {", AKIN_E_FORMAT, "names no tensor",
          shard_index },
        { "\"weight_map\": {", "\"weight_map\": [], \"x\": {", AKIN_E_FORMAT, "'weight_map'",
          shard_index },
        { "}", "", AKIN_E_FORMAT, "not valid JSON", shard_index },
    };
    write_shards();
    akin_buffer good;
    assert_ok(akin_file_read(shard_index, "test file", 1 << 20, &good, &err));
    for (size_t i = 0; i < COUNT(rows); i++) {
        akin_buffer text = replaced((bytes){ good.data, good.size },
                                    (bytes){ rows[i].find, strlen(rows[i].find) },
                                    (bytes){ rows[i].replace, strlen(rows[i].replace) });
        write_file(shard_index, text.data, text.size);
        expect_shards(rows[i].replace, rows[i].status, rows[i].words, rows[i].path);
        akin_buffer_clear(&text);
    }
    write_shards();
    expect_shards("good", AKIN_OK, "", NULL);
    assert_int_equal(truncate(shard_2, 100), 0);
    expect_shards("cut", AKIN_E_TRUNCATED, "", shard_2);
    write_file(shard_2, good.data, good.size);
    expect_shards("index as shard", AKIN_E_FORMAT, "an index where a shard should be", shard_2);
    write_file(shard_2, torch.data, torch.size);
    expect_shards("other tensors", AKIN_E_CORRUPT, "tensor 'a' of this shard is not in the index",
                  shard_2);
    unlink(shard_2);
    expect_shards("missing", AKIN_E_NOT_FOUND, "this shard, named by the index, is missing",
                  shard_2);
    assert_int_equal(mkdir(shard_2, 0700), 0);
    expect_shards("folder", AKIN_E_NOT_A_FILE, "", shard_2);
    rmdir(shard_2);
    unlink(shard_1);
    unlink(shard_index);
    akin_buffer_clear(&good);
}

/* ---- things that are no checkpoint */

static void lookalikes_are_named(void **state)
{
    (void)state;
    static const struct {
        bytes content;
        akin_status status;
        const char *words;
    } rows[] = {
        { BYTES(""), AKIN_E_TRUNCATED, "an empty file" },
        { BYTES("\1"), AKIN_E_TRUNCATED, "too few" },
        { BYTES("\1\0\0\0\0\0\0\0"), AKIN_E_TRUNCATED, "too few" },
        { BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 605247071\n"),
          AKIN_E_FORMAT, "a Git LFS pointer" },
        { BYTES("<!DOCTYPE html><html>"), AKIN_E_FORMAT, "an HTML page" },
        { BYTES("\n  <html lang=en>"), AKIN_E_FORMAT, "an HTML page" },
        { BYTES("<?xml version='1.0'?><Error>AccessDenied"), AKIN_E_FORMAT, "an XML text" },
        { BYTES("Entry not found"), AKIN_E_FORMAT,
          "a text, not a checkpoint: it begins with 'Entry not found'" },
        { BYTES("        "), AKIN_E_FORMAT, "a text" },
        { BYTES("{\"architectures\": [\"CLIPModel\"]}"), AKIN_E_FORMAT, "without a 'weight_map'" },
        { BYTES("{\"weight_map\""), AKIN_E_FORMAT, "not valid JSON" },
        { BYTES("\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08"), AKIN_E_FORMAT, "HDF5" },
        { BYTES("\x85\xaatext_model\x81\xaa\145mbeddings"),
          AKIN_E_FORMAT, "Flax" },
        { BYTES("\x83\xa6params\x81\xa1\141aaaaaaa"),
          AKIN_E_FORMAT, "msgpack" },
        { BYTES("GGUF\3\0\0\0\0\0\0\0"), AKIN_E_FORMAT, "GGUF" },
        { BYTES("\x1f\x8b\x08\0\0\0\0\0\0\0"), AKIN_E_FORMAT, "gzip" },
        { BYTES("\x93NUMPY\1\0v\0{'descr'"), AKIN_E_FORMAT, "NumPy" },
        { BYTES("\x80\4\x95\2\0\0\0\0\0\0\0}."), AKIN_E_FORMAT, "a bare Python pickle" },
        { BYTES("\x80\2}q\0X\1\0\0\0a."), AKIN_E_FORMAT, "a bare Python pickle" },
        { BYTES("\x7f\105LF\2\1\1\0\0\0\0\0"),
          AKIN_E_FORMAT, "begins with bytes 7f 45 4c 46" },
        { BYTES("PK\3\4 and then nothing of a ZIP"), AKIN_E_TRUNCATED, "without its end record" },
        { BYTES("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), AKIN_E_FORMAT,
          "without a data.pkl" },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check(rows[i].words, open_bytes(rows[i].content.data, rows[i].content.size), rows[i].status,
              rows[i].words, scratch);
    akin_checkpoint *c;
    check("legacy", akin_checkpoint_open(&c, GOLDEN "legacy.pt", &err), AKIN_E_FORMAT,
          "from before 1.6", GOLDEN "legacy.pt");
    check("missing", akin_checkpoint_open(&c, GOLDEN "absent", &err), AKIN_E_NOT_FOUND, "",
          GOLDEN "absent");
    check("below a file", akin_checkpoint_open(&c, GOLDEN "small.pt/x", &err), AKIN_E_NOT_FOUND, "",
          GOLDEN "small.pt/x");
    check("empty folder", akin_checkpoint_open(&c, folder, &err), AKIN_E_NOT_FOUND,
          "none of model.safetensors", folder);
    check("device", akin_checkpoint_open(&c, "/dev/null", &err), AKIN_E_NOT_A_FILE, "",
          "/dev/null");
    assert_int_equal(akin_checkpoint_open(&c, GOLDEN "absent", NULL), AKIN_E_NOT_FOUND);
}

/* In a child that is not root, which may read everything. */
static void unreadable(void **state)
{
    (void)state;
    char inside[128];
    unlink(scratch);
    snprintf(inside, sizeof inside, "%s/model.safetensors", folder);
    write_file(inside, safe.data, safe.size);
    for (int whole_folder = 0; whole_folder < 2; whole_folder++) {
        assert_int_equal(chmod(inside, whole_folder ? 0644 : 0), 0);
        assert_int_equal(chmod(folder, whole_folder ? 0 : 0755), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (geteuid() == 0 &&
                (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
                _exit(77);
            akin_checkpoint *c;
            const char *const paths[] = { inside, folder };
            for (size_t i = 0; i < 2; i++) {
                if (akin_checkpoint_open(&c, paths[i], &err) != AKIN_E_PERMISSION ||
                    strcmp(err.path, inside) != 0)
                    _exit(1 + (int)i);
            }
            _exit(0);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        chmod(folder, 0700);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            unlink(inside);
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    unlink(inside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors_headers),
        cmocka_unit_test(safetensors_header_length),
        cmocka_unit_test(safetensors_bombs),
        cmocka_unit_test(safetensors_unaligned_and_empty),
        cmocka_unit_test(nonfinite_weights_are_named),
        cmocka_unit_test(zip_directory),
        cmocka_unit_test(archive_entries),
        cmocka_unit_test(pickle_edits),
        cmocka_unit_test(pickle_programs),
        cmocka_unit_test(torchscript_programs),
        cmocka_unit_test(pickle_bombs),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(any_bit_flipped),
        cmocka_unit_test(unreadable),
        cmocka_unit_test(shards_and_index_must_agree),
        cmocka_unit_test(lookalikes_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
