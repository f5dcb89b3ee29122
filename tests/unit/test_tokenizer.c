/* test_tokenizer.c - text/: ids against transformers' CLIPTokenizer, broken files, hostile text. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "text/tokenizer.h"

#define GOLDEN "tests/golden/text/"
#define IDS_MAX 400

static akin_tokenizer *clip; /* the real vocabulary */

static int open_clip(void **state)
{
    (void)state;
    akin_error err;
    return akin_tokenizer_open(&clip, GOLDEN "clip-vocab", &err) == AKIN_OK ? 0 : -1;
}

static int close_clip(void **state)
{
    (void)state;
    akin_tokenizer_close(clip);
    return 0;
}

/* Undoes tokenizer.py's escapes: ":text" or "=N:text", bytes as \HH. */
static void unescape(const char *from, akin_buffer *out)
{
    akin_error err;
    long times = 1;
    if (*from == '=')
        times = strtol(from + 1, NULL, 10);
    from = strchr(from, ':') + 1;
    out->size = 0;
    assert_int_equal(akin_buffer_reserve(out, 1, &err), AKIN_OK);
    for (; *from != '\0' && *from != ' '; from++) {
        char byte = *from;
        if (byte == '\\') {
            char hex[3] = { from[1], from[2], '\0' };
            byte = (char)strtol(hex, NULL, 16);
            from += 2;
        }
        assert_int_equal(akin_buffer_add(out, &byte, 1, &err), AKIN_OK);
    }
    size_t unit = out->size;
    for (long i = 1; i < times; i++) {
        assert_int_equal(akin_buffer_reserve(out, unit, &err), AKIN_OK);
        assert_int_equal(akin_buffer_add(out, out->data, unit, &err), AKIN_OK);
    }
}

/* One line of a golden file: "77+ :text id id ...". */
static void check_line(const akin_tokenizer *t, const char *line, int32_t start, int32_t end,
                       akin_buffer *text)
{
    int32_t ids[IDS_MAX], count;
    bool cut = false;
    akin_error err;
    char *at;
    long max = strtol(line, &at, 10);
    bool want_cut = *at == '+';
    at = strchr(at, ' ') + 1;
    unescape(at, text);
    assert_true(max >= 2 && max <= IDS_MAX);
    if (akin_tokenizer_encode(t, text->data, text->size, (int32_t)max, ids, &count, &cut, &err) !=
        AKIN_OK)
        fail_msg("%.200s: %s", line, err.message);
    int32_t k = 1;
    for (at += strcspn(at, " "); *at == ' '; k++) {
        long id = strtol(at + 1, &at, 10);
        if (k >= count - 1 || ids[k] != id)
            fail_msg("%.200s: id %d is %d, not %ld", line, k, k < count - 1 ? ids[k] : -1, id);
    }
    if (k != count - 1 || cut != want_cut || ids[0] != start || ids[count - 1] != end)
        fail_msg("%.200s: %d ids, not %d; cut %d", line, count, k + 1, cut);
}

static char *read_text(const char *path)
{
    akin_buffer b;
    akin_error err;
    if (akin_file_read(path, "golden file", 4 << 20, &b, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return b.data;
}

static void ids_of_the_real_vocabulary(void **state)
{
    (void)state;
    assert_int_equal(akin_tokenizer_size(clip), 49408);
    assert_int_equal(akin_tokenizer_max_length(clip), 0);
    char *golden = read_text(GOLDEN "tokens.txt"), *rest = NULL;
    akin_buffer text;
    akin_buffer_init(&text, "text", 1 << 20);
    size_t cases = 0;
    for (char *line = strtok_r(golden, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (*line == '#')
            continue;
        check_line(clip, line, 49406, 49407, &text);
        cases++;
    }
    assert_true(cases > 4000);
    akin_buffer_clear(&text);
    free(golden);
}

static void ids_of_every_form_of_folder(void **state)
{
    (void)state;
    char *golden = read_text(GOLDEN "variants.txt"), *rest = NULL;
    akin_buffer text;
    akin_buffer_init(&text, "text", 1 << 20);
    akin_tokenizer *t = NULL;
    size_t folders = 0, cases = 0;
    int start = 0, end = 0;
    for (char *line = strtok_r(golden, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (*line == '#')
            continue;
        if (*line == '@') {
            char name[100], path[200];
            int size, limit;
            akin_error err;
            assert_int_equal(sscanf(line, "@ %99s %d %d %d %d", name, &start, &end, &size, &limit),
                             5);
            snprintf(path, sizeof path, GOLDEN "tokenizers/%s", name);
            akin_tokenizer_close(t);
            if (akin_tokenizer_open(&t, path, &err) != AKIN_OK)
                fail_msg("%s: %s: %s", path, err.path, err.message);
            if (akin_tokenizer_size(t) != size || akin_tokenizer_max_length(t) != limit)
                fail_msg("%s: size %d, not %d; max_length %d, not %d", name, akin_tokenizer_size(t),
                         size, akin_tokenizer_max_length(t), limit);
            print_message("  %s\n", name);
            folders++;
            continue;
        }
        check_line(t, line, start, end, &text);
        cases++;
    }
    assert_true(folders >= 25 && cases > 1000);
    akin_tokenizer_close(t);
    akin_buffer_clear(&text);
    free(golden);
}

/* ---- broken files: a good folder, one change, the answer */

/* In `file`, the first `find` becomes `put`. find NULL: put is the file, or NULL to remove it. */
struct breakage {
    const char *file, *find, *put;
    akin_status status;
    const char *message;
};

static const struct breakage broken_json[] = {
    { "tokenizer.json", "\"merges\"", "\"merges\"", AKIN_OK, "" },
    { "tokenizer.json", NULL, "", AKIN_E_FORMAT, "not valid JSON" },
    { "tokenizer.json", NULL, "[]", AKIN_E_FORMAT, "not an object" },
    { "tokenizer.json", NULL, "{}", AKIN_E_TOKENIZER, "field 'model' must be an object" },
    { "tokenizer.json", NULL, "{\"version\":\"1.0\",\"trunc", AKIN_E_FORMAT, "not valid JSON" },
    { "tokenizer.json", "1.0", "\xff", AKIN_E_FORMAT, "not valid JSON" },
    { "tokenizer.json", "\"BPE\"", "\"WordPiece\"", AKIN_E_TOKENIZER, "model of type WordPiece" },
    { "tokenizer.json", "\"BPE\"", "\"Unigram\"", AKIN_E_TOKENIZER, "model of type Unigram" },
    { "tokenizer.json", "\"end_of_word_suffix\":\"</w>\"", "\"end_of_word_suffix\":null",
      AKIN_E_TOKENIZER, "end_of_word_suffix" },
    { "tokenizer.json", "\"continuing_subword_prefix\":\"\"",
      "\"continuing_subword_prefix\":\"##\"", AKIN_E_TOKENIZER, "continuing_subword_prefix" },
    { "tokenizer.json", "\"fuse_unk\":false", "\"fuse_unk\":true", AKIN_E_TOKENIZER,
      "BPE with fuse_unk" },
    { "tokenizer.json", "\"byte_fallback\":false", "\"byte_fallback\":true", AKIN_E_TOKENIZER,
      "BPE with byte_fallback" },
    { "tokenizer.json", "\"dropout\":null", "\"dropout\":0.1", AKIN_E_TOKENIZER,
      "BPE with dropout" },
    { "tokenizer.json", "{\"type\":\"NFC\"}", "{\"type\":\"NFKC\"}", AKIN_E_TOKENIZER,
      "normalizer NFKC" },
    { "tokenizer.json", "{\"type\":\"NFC\"},", "", AKIN_E_TOKENIZER, "normalizer Sequence" },
    { "tokenizer.json", "\"normalizer\":{", "\"normalizer\":null,\"other\":{", AKIN_E_TOKENIZER,
      "normalizer none" },
    { "tokenizer.json", "\"normalizer\":{\"type\":\"Sequence\"",
      "\"normalizer\":{\"type\":\"BertNormalizer\"", AKIN_E_TOKENIZER,
      "normalizer BertNormalizer" },
    { "tokenizer.json", "\"pre_tokenizer\":{\"type\":\"Sequence\"",
      "\"pre_tokenizer\":{\"type\":\"Metaspace\"", AKIN_E_TOKENIZER, "pre-tokenizer Metaspace" },
    { "tokenizer.json", "{\"type\":\"Split\"", "{\"type\":\"Punctuation\"", AKIN_E_TOKENIZER,
      "pre-tokenizer Punctuation" },
    { "tokenizer.json", "[\\\\p{L}]+", "[\\\\p{L}\\\\p{M}]+", AKIN_E_TOKENIZER, "another pattern" },
    { "tokenizer.json", "\"invert\":true", "\"invert\":false", AKIN_E_TOKENIZER,
      "another pattern" },
    { "tokenizer.json", "\"add_prefix_space\":false", "\"add_prefix_space\":true", AKIN_E_TOKENIZER,
      "ByteLevel" },
    { "tokenizer.json", "\"!\":0", "\"!\":-1", AKIN_E_TOKENIZER, "entry '!' has id -1" },
    { "tokenizer.json", "\"!\":0", "\"!\":1", AKIN_E_TOKENIZER, "'!' and '\"' both have id 1" },
    { "tokenizer.json", "\"!\":0", "\"!\":99999", AKIN_E_TOKENIZER, "without holes" },
    { "tokenizer.json", "\"!\":0", "\"!\":4194304", AKIN_E_TOKENIZER, "between 0 and" },
    { "tokenizer.json", "\"!\":0", "\"!\":1e300", AKIN_E_TOKENIZER, "no integer" },
    { "tokenizer.json", "\"!\":0", "\"!\":123456789012345678901234567890", AKIN_E_TOKENIZER,
      "no integer" },
    { "tokenizer.json", "\"!\":0", "\"!\":0.5", AKIN_E_TOKENIZER, "no integer" },
    { "tokenizer.json", "\"!\":0", "\"!\":\"0\"", AKIN_E_TOKENIZER, "no integer" },
    { "tokenizer.json", "\"!\":0", "\"!\":0,\"!\":0", AKIN_E_FORMAT,
      "duplicate object key \'!\'" },
    { "tokenizer.json", "\"!\":0,", "", AKIN_E_TOKENIZER, "without holes" },
    { "tokenizer.json", "\"vocab\":{", "\"vocab\":[],\"other\":{", AKIN_E_TOKENIZER,
      "must be an object" },
    { "tokenizer.json", "\"vocab\":{", "\"vocab\":{},\"other\":{", AKIN_E_TOKENIZER, "is empty" },
    { "tokenizer.json", "\"merges\":[", "\"merges\":{},\"other\":[", AKIN_E_TOKENIZER,
      "'model.merges' must be an array" },
    { "tokenizer.json", "[\"i\",\"n\"]", "[\"i\",\"unknown\"]", AKIN_E_TOKENIZER,
      "merge 1 merges 'unknown', which is not in the vocabulary" },
    { "tokenizer.json", "[\"i\",\"n\"]", "[\"n\",\"!\"]", AKIN_E_TOKENIZER,
      "merge 1 makes 'n!', which is not in the vocabulary" },
    { "tokenizer.json", "[\"i\",\"n\"]", "[\"i\"]", AKIN_E_TOKENIZER, "merge 1 is neither" },
    { "tokenizer.json", "[\"i\",\"n\"]", "7", AKIN_E_TOKENIZER, "merge 1 is neither" },
    { "tokenizer.json", "[\"i\",\"n\"]", "\"in\"", AKIN_E_TOKENIZER, "merge 1 is not two symbols" },
    { "tokenizer.json", "[\"i\",\"n\"],", "[\"i\",\"n\"]", AKIN_E_FORMAT,
      "',' or ']' is expected" },
    { "tokenizer.json", "\"vocab\"", "\"\\u0076ocab\"", AKIN_OK, "" },
    { "tokenizer.json", "\"model\"", "\"model\":{},\"model\"", AKIN_E_FORMAT, "duplicate" },
    { "tokenizer.json", "[\"i\",\"n\"]", "[\"\\u0069\",\"\\u006e\"]", AKIN_OK, "" },
    { "tokenizer.json", "\"vocab\"", "\"vocab\":{},\"vocab\"", AKIN_E_FORMAT, "duplicate" },
    { "tokenizer.json", "\"added_tokens\":[", "\"added_tokens\":{},\"other\":[", AKIN_E_TOKENIZER,
      "'added_tokens' must be" },
    { "tokenizer.json", "\"added_tokens\":[", "\"added_tokens\":[7,", AKIN_E_TOKENIZER,
      "added_tokens[0]" },
    { "tokenizer.json", "\"added_tokens\":[", "\"added_tokens\":[{\"id\":1},", AKIN_E_TOKENIZER,
      "no content" },
    { "tokenizer.json", "\"added_tokens\":[", "\"added_tokens\":[{\"content\":\"x\"},",
      AKIN_E_TOKENIZER, "id of added token 'x'" },
    { "tokenizer.json", "\"added_tokens\":[", "\"added_tokens\":[{\"content\":\"x\",\"id\":-3},",
      AKIN_E_TOKENIZER, "id of added token 'x'" },
    { "tokenizer.json", "\"lstrip\":false", "\"lstrip\":\"no\"", AKIN_E_CONFIG,
      "'added_tokens.lstrip' must be true or false" },
    { "tokenizer_config.json", NULL, "{", AKIN_E_FORMAT, "not valid JSON" },
    { "tokenizer_config.json", NULL, "{\"bos_token\":null}", AKIN_E_TOKENIZER,
      "'bos_token' is null" },
    { "tokenizer_config.json", NULL, "{\"eos_token\":7}", AKIN_E_TOKENIZER,
      "'eos_token' is neither" },
    { "tokenizer_config.json", NULL, "{\"eos_token\":{\"content\":\"x\"}}", AKIN_E_TOKENIZER,
      "'eos_token' is neither" },
    { "tokenizer_config.json", NULL, "{\"eos_token\":\"\"}", AKIN_E_TOKENIZER,
      "must not be empty" },
    { "tokenizer_config.json", NULL, "{\"truncation_side\":\"middle\"}", AKIN_E_CONFIG,
      "left or right" },
    { "tokenizer_config.json", NULL, "{\"model_max_length\":\"77\"}", AKIN_E_CONFIG,
      "must be a finite number" },
    { "tokenizer_config.json", NULL, "{\"split_special_tokens\":1}", AKIN_E_CONFIG,
      "must be true or false" },
    { "tokenizer_config.json", NULL, "{\"added_tokens_decoder\":[]}", AKIN_E_TOKENIZER,
      "must be an object" },
    { "tokenizer_config.json", NULL, "{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}",
      AKIN_E_TOKENIZER, "'x' is no id" },
    { "tokenizer_config.json", NULL, "{\"added_tokens_decoder\":{\"7\":\"y\"}}", AKIN_E_TOKENIZER,
      "must be an object" },
    { "tokenizer_config.json", NULL, "{\"extra_special_tokens\":[7]}", AKIN_E_TOKENIZER,
      "special token 0" },
    { "tokenizer_config.json", NULL, "{\"fast_tokenizer_files\":[\"tokenizer.4.0.0.json\"]}",
      AKIN_E_TOKENIZER, "fast_tokenizer_files" },
    { "special_tokens_map.json", NULL, "{\"bos_token\":[]}", AKIN_E_TOKENIZER,
      "'bos_token' is neither" },
    { "added_tokens.json", NULL, "{\"<x>\":\"7\"}", AKIN_E_TOKENIZER, "id of added token '<x>'" },
    { "tokenizer.json", NULL, NULL, AKIN_E_NOT_FOUND, "neither tokenizer.json nor vocab.json" },
};

static const struct breakage broken_files[] = {
    { "merges.txt", "i n\n", "i n\n", AKIN_OK, "" },
    { "merges.txt", NULL, NULL, AKIN_E_NOT_FOUND, "vocab.json needs merges.txt" },
    { "merges.txt", NULL, "", AKIN_E_TOKENIZER, "no merges" },
    { "merges.txt", NULL, "#version: 0.2\n", AKIN_E_TOKENIZER, "no merges" },
    { "merges.txt", "i n\n", "i  n\n", AKIN_E_TOKENIZER, "line 2 is not two symbols" },
    { "merges.txt", "i n\n", "in\n", AKIN_E_TOKENIZER, "line 2 is not two symbols" },
    { "merges.txt", "i n\n", "i n \n", AKIN_E_TOKENIZER, "line 2 is not two symbols" },
    { "merges.txt", "i n\n", "\n", AKIN_E_TOKENIZER, "line 2 is not two symbols" },
    { "merges.txt", "i n\n", "i\tn\n", AKIN_E_TOKENIZER, "line 2 is not two symbols" },
    { "merges.txt", "i n\n", "i \xff\n", AKIN_E_TOKENIZER, "line 2 merges" },
    { "merges.txt", "t h\n", "t unknown\n", AKIN_E_TOKENIZER, "line 3 merges 'unknown'" },
    { "vocab.json", NULL, NULL, AKIN_E_NOT_FOUND, "neither tokenizer.json nor vocab.json" },
    { "vocab.json", NULL, "", AKIN_E_FORMAT, "not valid JSON" },
    { "vocab.json", "\"in\":", "\"In\":", AKIN_E_TOKENIZER, "line 2 makes 'in'" },
    { "vocab.json", "\"!\":0", " \"\\u0021\" : 0 ", AKIN_OK, "" },
    { "vocab.json", "\"!\":0", "\"\\ud83d\\ude42\":0", AKIN_E_TOKENIZER,
      "merges '!'" }, /* it reads */
    { "vocab.json", "\"!\":0", "\"\\ud83d\":0", AKIN_E_FORMAT, "half of a surrogate pair" },
    { "vocab.json", "\"!\":0", "\"\\ude42\\ud83d\":0", AKIN_E_FORMAT, "half of a surrogate pair" },
    { "vocab.json", "\"!\":0", "\"\\u0000\":0", AKIN_E_FORMAT, "\\u0000 in a string" },
    { "vocab.json", "\"!\":0", "\"\\x21\":0", AKIN_E_FORMAT, "escape in a string" },
    { "vocab.json", "\"!\":0", "\"\\u00g1\":0", AKIN_E_FORMAT, "escape in a string" },
    { "vocab.json", "\"!\":0", "\"\t\":0", AKIN_E_FORMAT, "control character" },
    { "vocab.json", "\"!\":0", "\"\xff\":0", AKIN_E_FORMAT, "not UTF-8" },
    { "vocab.json", "\"!\":0", "\"!\" 0", AKIN_E_FORMAT, "':' is expected at line" },
    { "vocab.json", "\"!\":0,", "\"!\":0", AKIN_E_FORMAT, "',' or '}' is expected" },
    { "vocab.json", "\"!\":0", "!:0", AKIN_E_FORMAT, "a key in quotes is expected" },
    { "vocab.json", "\"!\":0", "\"!\":00", AKIN_E_FORMAT, "leading zero" },
    { "vocab.json", "\"!\":0", "\"!\":null", AKIN_E_TOKENIZER, "no integer" },
    { "vocab.json", "}\n", "}}\n", AKIN_E_FORMAT, "something follows the end" },
    { "vocab.json", "}\n", ",}\n", AKIN_E_FORMAT, "a key in quotes is expected" },
    { "vocab.json", "}\n", "", AKIN_E_FORMAT, "',' or '}' is expected" },
    { "vocab.json", NULL, "[]", AKIN_E_FORMAT, "not an object at the top" },
    { "vocab.json", NULL, "{}", AKIN_E_TOKENIZER, "is empty" },
    { "vocab.json", "\"!\":0", "\"!\":2", AKIN_E_TOKENIZER, "both have id 2" },
};

static void put_file(const char *folder, const char *name, const char *data, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static const char *const file_names[] = { "tokenizer.json",
                                          "tokenizer_config.json",
                                          "special_tokens_map.json",
                                          "added_tokens.json",
                                          "vocab.json",
                                          "merges.txt" };

static void remove_folder(const char *folder)
{
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", folder, file_names[i]);
        remove(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void try_breakage(const char *good, const struct breakage *b)
{
    char folder[] = "/tmp/akin-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    akin_error err = { 0 };
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        char path[300];
        akin_buffer text;
        bool here = strcmp(file_names[i], b->file) == 0;
        snprintf(path, sizeof path, "%s/%s", good, file_names[i]);
        if (here && b->find == NULL) {
            if (b->put != NULL)
                put_file(folder, b->file, b->put, strlen(b->put));
            continue;
        }
        if (akin_file_read(path, "good file", 1 << 20, &text, &err) != AKIN_OK)
            continue;
        if (here) {
            const char *at = strstr(text.data, b->find);
            if (at == NULL)
                fail_msg("%s has no '%s'", path, b->find);
            akin_buffer changed;
            size_t before = (size_t)(at - text.data), skip = before + strlen(b->find);
            akin_buffer_init(&changed, "changed", 1 << 20);
            akin_buffer_add(&changed, text.data, before, &err);
            akin_buffer_add_text(&changed, b->put, &err);
            akin_buffer_add(&changed, text.data + skip, text.size - skip, &err);
            put_file(folder, b->file, changed.data, changed.size);
            akin_buffer_clear(&changed);
        } else {
            put_file(folder, file_names[i], text.data, text.size);
        }
        akin_buffer_clear(&text);
    }
    akin_tokenizer *t;
    memset(&err, 0, sizeof err);
    akin_status status = akin_tokenizer_open(&t, folder, &err);
    if (status != b->status || strstr(err.message, b->message) == NULL)
        fail_msg("%s, '%s' for '%s': %s, '%s'; expected %s, '%s'", b->file, b->put, b->find,
                 akin_status_name(status), err.message, akin_status_name(b->status), b->message);
    if (status == AKIN_OK)
        akin_tokenizer_close(t);
    else
        assert_null(t);
    if (status == AKIN_E_TOKENIZER || status == AKIN_E_FORMAT)
        assert_int_equal(strncmp(err.path, folder, strlen(folder)), 0);
    remove_folder(folder);
}

static void broken_files_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken_json / sizeof *broken_json; i++)
        try_breakage(GOLDEN "tokenizers/saved", &broken_json[i]);
    for (size_t i = 0; i < sizeof broken_files / sizeof *broken_files; i++)
        try_breakage(GOLDEN "tokenizers/files", &broken_files[i]);
}

static void odd_folders_are_refused(void **state)
{
    (void)state;
    akin_tokenizer *t;
    akin_error err;
    assert_int_equal(akin_tokenizer_open(&t, "/nonexistent", &err), AKIN_E_NOT_FOUND);
    assert_string_equal(err.path, "/nonexistent");
    char folder[] = "/tmp/akin-test-XXXXXX", path[100];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(akin_tokenizer_open(&t, folder, &err), AKIN_E_NOT_A_FILE);
    assert_string_equal(err.path, path);
    rmdir(path);
    /* Nesting as deep as the file is long. */
    size_t deep = 1 << 20;
    char *bomb = malloc(deep);
    memset(bomb, '[', deep);
    memcpy(bomb, "{\"a\":", 5);
    put_file(folder, "tokenizer.json", bomb, deep);
    assert_int_equal(akin_tokenizer_open(&t, folder, &err), AKIN_E_FORMAT);
    free(bomb);
    /* A file past the limit is not read. */
    assert_int_equal(truncate(path, (32 << 20) + 1), 0);
    assert_int_equal(akin_tokenizer_open(&t, folder, &err), AKIN_E_LIMIT);
    assert_null(t);
    remove_folder(folder);
    akin_tokenizer_close(NULL);
}

/* Every prefix of a good file, in steps: no crash, and no tokenizer out of half a file. */
static void cut_files_are_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/akin-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    akin_buffer text;
    akin_error err;
    assert_int_equal(
        akin_file_read(GOLDEN "tokenizers/alone/tokenizer.json", "good file", 1 << 20, &text, &err),
        AKIN_OK);
    for (size_t size = 0; size < text.size - 2; size += 97) {
        akin_tokenizer *t;
        put_file(folder, "tokenizer.json", text.data, size);
        assert_int_equal(akin_tokenizer_open(&t, folder, &err), AKIN_E_FORMAT);
        assert_null(t);
    }
    akin_buffer_clear(&text);
    remove_folder(folder);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    int32_t ids[8], count = 9;
    bool cut;
    akin_error err;
    assert_int_equal(akin_tokenizer_encode(clip, "a", 1, 1, ids, &count, &cut, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(count, 0);
    assert_int_equal(akin_tokenizer_encode(clip,
                                           "ab\xff"
                                           "c",
                                           4, 8, ids, &count, &cut, &err),
                     AKIN_E_UTF8);
    assert_string_equal(err.message, "text is not UTF-8 at byte 2");
    assert_int_equal(akin_tokenizer_encode(clip, "caf\xc3", 4, 8, ids, &count, NULL, &err),
                     AKIN_E_UTF8);
    /* Also after what fills max_tokens. */
    assert_int_equal(
        akin_tokenizer_encode(clip, "a a a a a a \xed\xa0\x80", 15, 4, ids, &count, &cut, &err),
        AKIN_E_UTF8);
    char *large = calloc((16 << 20) + 1, 1);
    assert_int_equal(akin_tokenizer_encode(clip, large, (16 << 20) + 1, 8, ids, &count, &cut, &err),
                     AKIN_E_LIMIT);
    free(large);
    /* NUL is a character like another; transformers gives 188 + 256 for it. */
    assert_int_equal(akin_tokenizer_encode(clip, "\0", 1, 8, ids, &count, &cut, &err), AKIN_OK);
    assert_int_equal(count, 3);
    assert_int_equal(ids[1], 444);
    assert_false(cut);
    assert_int_equal(akin_tokenizer_encode(clip, "", 0, 2, ids, &count, NULL, &err), AKIN_OK);
    assert_int_equal(count, 2);
}

/* Each would take from minutes to days if anything were quadratic in the text. */
static void hostile_text_takes_no_time(void **state)
{
    (void)state;
    static const char *const units[] = {
        "a",
        "the",
        "\xcc\x81",
        "\xcc\x81\xcc\xa3",
        "e\xcc\x81",
        " ",
        "\t\n",
        "\xc2\x85",
        "<|startoftext",
        "<",
        "<|startoftext|>",
        "<|STARTOFTEXT|>",
        "!",
        "'",
        "'s",
        "1",
        "\xe1\x85\xa1",
        "\xe1\x84\x80\xe1\x85\xa1",
        "\xf0\x9f\x99\x82",
        "\xc4\xb0",
        "\xc8\xba",
        "\xf0\x9d\x85\xa0",
        "\xe2\x84\xab",
    };
    const size_t size = 1 << 20;
    char *text = malloc(size);
    int32_t *ids = malloc((size * 4 + 2) * sizeof *ids);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t unit = strlen(units[i]), used = 0;
        for (; used + unit <= size; used += unit)
            memcpy(text + used, units[i], unit);
        int32_t count, few;
        bool cut;
        akin_error err;
        assert_int_equal(akin_tokenizer_encode(clip, text, used, (int32_t)(size * 4 + 2), ids,
                                               &count, &cut, &err),
                         AKIN_OK);
        assert_false(cut);
        int32_t head[77];
        assert_int_equal(akin_tokenizer_encode(clip, text, used, 77, head, &few, &cut, &err),
                         AKIN_OK);
        assert_int_equal(cut, count > 77);
        assert_memory_equal(head, ids, (size_t)(few - 1) * sizeof *ids);
    }
    free(text);
    free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_the_real_vocabulary),
        cmocka_unit_test(ids_of_every_form_of_folder),
        cmocka_unit_test(broken_files_are_refused_by_name),
        cmocka_unit_test(odd_folders_are_refused),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(hostile_text_takes_no_time),
    };
    return cmocka_run_group_tests(tests, open_clip, close_clip);
}
