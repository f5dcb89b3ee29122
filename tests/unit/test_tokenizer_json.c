/* test_tokenizer_json.c - text/: ids against AutoTokenizer for tokenizer.json of many forms, the
 * choice of class, broken files, hostile text. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "text/tokenizer.h"

#define GOLDEN "tests/golden/tokenizer_json/"
#define IDS_MAX 64
#define TEXTS_MAX 400

static char *read_text(const char *path)
{
    akin_buffer b;
    akin_error err;
    if (akin_file_read(path, "golden file", 4 << 20, &b, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return b.data;
}

/* Undoes tokenizer_json.py's escapes: ":text" or "=N:text", bytes as \HH. */
static void unescape(const char *from, akin_buffer *out)
{
    akin_error err;
    long times = *from == '=' ? strtol(from + 1, NULL, 10) : 1;
    akin_buffer_init(out, "text", 1 << 20);
    assert_int_equal(akin_buffer_reserve(out, 1, &err), AKIN_OK);
    for (from = strchr(from, ':') + 1; *from != '\0'; from++) {
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

static akin_tokenizer *open_json(const char *name, bool strip)
{
    char path[200];
    akin_tokenizer *t;
    akin_error err;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (akin_tokenizer_open_json(&t, path, AKIN_CLEAN_NONE, strip, &err) != AKIN_OK)
        fail_msg("%s: %s: %s", path, err.path, err.message);
    return t;
}

/* One line of ids.txt: "+ id id id". */
static void check_line(const akin_tokenizer *t, const char *name, const akin_buffer *text,
                       int max, const char *line)
{
    int32_t ids[IDS_MAX], count;
    bool cut = false;
    akin_error err;
    if (akin_tokenizer_encode(t, text->data, text->size, max, ids, &count, &cut, &err) != AKIN_OK)
        fail_msg("%s, '%s': %s", name, text->data, err.message);
    char *at = (char *)(uintptr_t)(line + 1);
    int32_t k = 0;
    for (; *at == ' '; k++) {
        long id = strtol(at + 1, &at, 10);
        if (k >= count || ids[k] != id)
            fail_msg("%s, %d, '%s': id %d is %d, not %ld", name, max, text->data, k,
                     k < count ? ids[k] : -1, id);
    }
    if (k != count || cut != (*line == '+'))
        fail_msg("%s, %d, '%s': %d ids, not %d; cut %d", name, max, text->data, count, k, cut);
}

static void ids_of_every_form(void **state)
{
    (void)state;
    static akin_buffer texts[TEXTS_MAX];
    char *golden = read_text(GOLDEN "texts.txt"), *rest = NULL;
    size_t count = 0, next = 0, cases = 0, folders = 0;
    for (char *line = strtok_r(golden, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < TEXTS_MAX);
        if (*line != '#')
            unescape(line, &texts[count++]);
    }
    free(golden);
    golden = read_text(GOLDEN "ids.txt");
    akin_tokenizer *t = NULL;
    char name[100] = "";
    int max = 0;
    for (char *line = golden, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        if (*line == '#')
            continue;
        if (*line == '@') {
            int size, limit, pad, left, strip;
            bool on_left;
            assert_int_equal(sscanf(line, "@ %99s %d %d %d %d %d", name, &size, &limit, &pad, &left,
                                    &strip), 6);
            akin_tokenizer_close(t);
            t = open_json(name, strip != 0);
            if (akin_tokenizer_size(t) != size || akin_tokenizer_max_length(t) != limit ||
                akin_tokenizer_pad(t, &on_left) != pad || on_left != (left != 0))
                fail_msg("%s: size %d, not %d; max_length %d, not %d; pad %d, not %d", name,
                         akin_tokenizer_size(t), size, akin_tokenizer_max_length(t), limit,
                         akin_tokenizer_pad(t, &on_left), pad);
            folders++;
        } else if (*line == '>') {
            max = (int)strtol(line + 1, NULL, 10);
            next = 0;
        } else {
            assert_true(next < count);
            if (*line != '\0') {
                check_line(t, name, &texts[next], max, line);
                cases++;
            }
            next++;
        }
    }
    assert_true(folders >= 23 && cases > 8000);
    akin_tokenizer_close(t);
    for (size_t i = 0; i < count; i++)
        akin_buffer_clear(&texts[i]);
    free(golden);
}

/* ---- folders made here */

static const char *const file_names[] = { "tokenizer.json", "tokenizer_config.json", "config.json",
                                          "special_tokens_map.json", "added_tokens.json",
                                          "vocab.json", "merges.txt" };

static void put_file(const char *folder, const char *name, const char *bytes, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void remove_folder(const char *folder)
{
    char path[300];
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, file_names[i]);
        remove(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* What AutoTokenizer makes of tokenizer_class (twice) and model_type. */
static void the_class_is_chosen_as_by_auto_tokenizer(void **state)
{
    (void)state;
    char *golden = read_text(GOLDEN "classes.txt"), *rest = NULL;
    char *file = read_text(GOLDEN "added/tokenizer.json");
    size_t cases = 0;
    for (char *line = strtok_r(golden, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char of_tokenizer[60], of_model[60], type[60], json[300];
        int used;
        if (*line == '#')
            continue;
        assert_int_equal(sscanf(line, "%59s %59s %59s%n", of_tokenizer, of_model, type, &used), 3);
        char folder[] = "/tmp/akin-test-XXXXXX";
        assert_non_null(mkdtemp(folder));
        put_file(folder, "tokenizer.json", file, strlen(file));
        bool none = *of_tokenizer == '-';
        int n = snprintf(json, sizeof json, "{%s%s%s\"pad_token\":\"<pad>\"}",
                         none ? "" : "\"tokenizer_class\":\"", none ? "" : of_tokenizer,
                         none ? "" : "\",");
        put_file(folder, "tokenizer_config.json", json, (size_t)n);
        if (*of_model != '-' || *type != '-') {
            n = snprintf(json, sizeof json, "{%s%s%s%s%s%s\"a\":1}",
                         *of_model == '-' ? "" : "\"tokenizer_class\":\"",
                         *of_model == '-' ? "" : of_model, *of_model == '-' ? "" : "\",",
                         *type == '-' ? "" : "\"model_type\":\"", *type == '-' ? "" : type,
                         *type == '-' ? "" : "\",");
            put_file(folder, "config.json", json, (size_t)n);
        }
        akin_tokenizer *t;
        akin_error err = { 0 };
        akin_status status =
            akin_tokenizer_open_json(&t, folder, AKIN_CLEAN_NONE, false, &err);
        if (strcmp(line + used, " refused") == 0) {
            if (status != AKIN_E_UNSUPPORTED)
                fail_msg("%s: %s: %s", line, akin_status_name(status), err.message);
        } else {
            if (status != AKIN_OK)
                fail_msg("%s: %s", line, err.message);
            akin_buffer text = { .data = (char[]){ "A Cat 1990  don't" }, .size = 17 };
            line[used - 1] = '-';
            check_line(t, type, &text, IDS_MAX, line + used - 1);
        }
        akin_tokenizer_close(t);
        remove_folder(folder);
        cases++;
    }
    assert_true(cases > 140);
    free(golden);
    free(file);
}

/* In `file` of the folder `good`, the first `find` becomes `put`; NULL: put is the file, or NULL to
 * remove it. */
struct breakage {
    const char *good, *file, *find, *put;
    akin_status status;
    const char *message;
};

#define J "tokenizer.json"
#define C "tokenizer_config.json"
#define UNSUPPORTED AKIN_E_UNSUPPORTED
#define WRONG AKIN_E_TOKENIZER

static const struct breakage breakages[] = {
    { "llama3", J, "\"BPE\"", "\"BPE\"", AKIN_OK, "" },
    { "llama3", J, "\"BPE\"", "\"WordPiece\"", UNSUPPORTED, "model of type WordPiece" },
    { "llama3", J, "\"BPE\"", "\"Unigram\"", UNSUPPORTED, "model of type Unigram" },
    { "llama3", J, "\"BPE\"", "\"WordLevel\"", UNSUPPORTED, "model of type WordLevel" },
    { "llama3", J, "\"dropout\":null", "\"dropout\":0.1", UNSUPPORTED, "model.dropout" },
    { "llama3", J, "\"continuing_subword_prefix\":null", "\"continuing_subword_prefix\":\"##\"",
      UNSUPPORTED, "model.continuing_subword_prefix" },
    { "llama3", J, "\"end_of_word_suffix\":null", "\"end_of_word_suffix\":7", AKIN_E_CONFIG,
      "model.end_of_word_suffix" },
    { "llama3", J, "\"end_of_word_suffix\":null",
      "\"end_of_word_suffix\":\"0123456789012345678901234567890123456789\"", AKIN_E_LIMIT,
      "model.end_of_word_suffix" },
    { "llama3", J, "\"fuse_unk\":false", "\"fuse_unk\":1", AKIN_E_CONFIG, "model.fuse_unk" },
    { "llama3", J, "\"unk_token\":null", "\"unk_token\":[]", AKIN_E_CONFIG, "model.unk_token" },
    { "llama3", J, "\"model\":{", "\"model\":7,\"other\":{", WRONG, "'model' must be an object" },
    { "llama3", J, "\"vocab\":{", "\"vocab\":[],\"other\":{", WRONG, "'model.vocab'" },
    { "llama3", J, "\"merges\":[", "\"merges\":{},\"other\":[", WRONG, "'model.merges'" },
    { "llama3", J, "\"!\":5", "\"!\":-5", WRONG, "entry '!' has id -5" },
    { "llama3", J, "\"!\":5", "\"!\":6", WRONG, "both have id 6" },
    { "llama3", J, "\"!\":5", "\"!\":641", WRONG, "without holes" },
    { "llama3", J, "\"!\":5", "\"!\":1e99", WRONG, "no integer" },
    { "llama3", J, "\"!\":5", "\"!\":5,\"!\":5", AKIN_E_FORMAT,
      "duplicate object key '!'" },
    { "llama3", J, "\"merges\":[[", "\"merges\":[[\"no\",\"way\"],[", WRONG, "merge 1 merges" },
    { "llama3", J, "\"merges\":[[", "\"merges\":[[\"!\",\"!\"],[", WRONG, "merge 1 makes '!!'" },
    { "llama3", J, "\"normalizer\":null", "\"normalizer\":{\"type\":\"NFKC\"}", UNSUPPORTED,
      "normalizer: normalizer NFKC" },
    { "llama3", J, "\"normalizer\":null", "\"normalizer\":{\"type\":\"Precompiled\"}", UNSUPPORTED,
      "normalizer Precompiled" },
    { "llama3", J, "\"normalizer\":null",
      "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},"
      "{\"type\":\"StripAccents\"}]}",
      UNSUPPORTED, "normalizer.normalizers[1]: normalizer StripAccents" },
    { "llama3", J, "\"normalizer\":null", "\"normalizer\":{\"type\":\"Sequence\"}", WRONG,
      "'normalizer.normalizers' must be an array" },
    { "llama3", J, "\"normalizer\":null", "\"normalizer\":[]", WRONG, "'normalizer.type'" },
    { "llama3", J, "\"normalizer\":null", "\"normalizer\":{\"type\":\"Strip\"}", WRONG,
      "'normalizer.strip_left'" },
    { "llama3", J, "\"normalizer\":null",
      "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a+\"},\"content\":\"\"}",
      UNSUPPORTED, "normalizer.pattern: Replace of the regular expression 'a+'" },
    { "llama3", J, "\"normalizer\":null",
      "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}",
      WRONG, "'normalizer.String' must not be empty" },
    { "llama3", J, "\"normalizer\":null",
      "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}", WRONG,
      "'normalizer.content'" },
    { "llama3", J, "{\"type\":\"Split\"", "{\"type\":\"Metaspace\"", UNSUPPORTED,
      "pre_tokenizer.pretokenizers[0]: pre_tokenizer Metaspace" },
    { "llama3", J, "{\"type\":\"Split\"", "{\"type\":\"Punctuation\"", UNSUPPORTED,
      "pre_tokenizer Punctuation" },
    { "llama3", J, "{\"type\":\"Split\"", "{\"type\":7", WRONG, "pretokenizers[0].type'" },
    { "llama3", J, "{1,3}", "{1,4}", UNSUPPORTED, "Split by the regular expression" },
    { "llama3", J, "\"Isolated\"", "\"Sideways\"", WRONG, "pretokenizers[0].behavior'" },
    { "llama3", J, "\"invert\":false", "\"invert\":null", WRONG, "pretokenizers[0].invert'" },
    { "llama3", J, "\"pattern\":{", "\"pattern\":{},\"other\":{", WRONG, ".pattern' has neither" },
    { "llama3", J, "{\"type\":\"ByteLevel\"", "{\"type\":\"WhitespaceSplit\"", UNSUPPORTED,
      "BPE without ByteLevel" },
    { "llama3", J, "\"add_prefix_space\":false", "\"add_prefix_space\":0", WRONG,
      "pretokenizers[1].add_prefix_space'" },
    { "llama3", J, "\"use_regex\":false}", "\"use_regex\":false},{\"type\":\"WhitespaceSplit\"}",
      UNSUPPORTED, "WhitespaceSplit after ByteLevel" },
    { "llama3", J, "{\"type\":\"TemplateProcessing\"", "{\"type\":\"Magic\"", UNSUPPORTED,
      "post_processor.processors[1]: post_processor Magic" },
    { "llama3", J, "\"single\":[", "\"single\":[{\"Sequence\":{\"id\":\"A\"}},", WRONG,
      "around one sequence A" },
    { "llama3", J, "\"single\":[", "\"single\":[],\"other\":[", WRONG, "around one sequence A" },
    { "llama3", J, "\"single\":[", "\"single\":[7,", WRONG, "around one sequence A" },
    { "llama3", J, "\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"",
      "\"single\":[{\"SpecialToken\":{\"id\":\"<x>\"", WRONG, "has no ids of '<x>'" },
    { "llama3", J, "\"ids\":[0]", "\"ids\":[-1]", WRONG, "id 0 of '<s>' is none" },
    { "llama3", J, "\"ids\":[0]", "\"ids\":[1e300]", WRONG, "id 0 of '<s>' is none" },
    { "llama3", J, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
      "\"use_regex\":true}",
      "{\"type\":\"BertProcessing\",\"cls\":[\"a\",1],\"sep\":[\"b\",2]}", UNSUPPORTED,
      "two post_processors" },
    { "roberta-file", J, "\"sep\":[\"</s>\",1]", "\"sep\":[\"</s>\"]", WRONG,
      "'post_processor.sep'" },
    { "llama3", J, "\"added_tokens\":[{\"id\":0", "\"added_tokens\":[{\"id\":-1", WRONG,
      "id of added token '<s>'" },
    { "llama3", J, "\"content\":\"<s>\"", "\"content\":7", AKIN_E_CONFIG, "content" },
    { "alone", J, "\"content\":\"<s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
      "\"normalized\":false",
      "\"content\":\"  \",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
      "\"normalized\":true", WRONG, "is empty" },
    { "llama3", J, NULL, "{\"model\":", AKIN_E_FORMAT, "not valid JSON" },
    { "llama3", J, NULL, NULL, AKIN_E_NOT_FOUND, "no tokenizer here" },
    { "llama3", C, "\"pad_token\":\"<pad>\"", "\"pad_token\":null", WRONG, "no pad_token" },
    { "llama3", C, "\"pad_token\":\"<pad>\"", "\"pad_token\":7", WRONG, "'pad_token' is neither" },
    { "llama3", C, "LlamaTokenizerFast", "BertTokenizer", UNSUPPORTED,
      "class BertTokenizer is not read" },
    { "llama3", C, "\"tokenizer_class\":\"LlamaTokenizerFast\"", "\"tokenizer_class\":7",
      AKIN_E_CONFIG, "'tokenizer_class'" },
    { "llama3", C, "\"tokenizer_class\":\"LlamaTokenizerFast\"",
      "\"auto_map\":{\"AutoTokenizer\":[\"a.B\",null]}", AKIN_E_UNSAFE, "'auto_map'" },
    { "llama3", C, NULL, "{\"pad_token\":\"<pad>\",\"padding_side\":\"up\"}", AKIN_E_CONFIG,
      "'padding_side' is 'up'" },
    { "llama3", C, NULL, "{\"pad_token\":\"<pad>\",\"fix_mistral_regex\":true}", UNSUPPORTED,
      "'fix_mistral_regex'" },
    { "roberta", C, "\"<unk>\"", "null", WRONG, "needs a cls_token" },
    { "roberta", "config.json", NULL, "[]", AKIN_E_FORMAT, "not an object" },
    { "roberta", "config.json", NULL, "{\"model_type\":7}", AKIN_E_CONFIG, "'model_type'" },
    { "roberta", "config.json", NULL, "{\"model_type\":\"bert\"}", UNSUPPORTED,
      "class BertTokenizer" },
    { "clip-class", J, "\"Lowercase\"", "\"NFKC\"", WRONG, "normalizer NFKC" },
};

static void try_breakage(const struct breakage *b)
{
    char folder[] = "/tmp/akin-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    akin_error err = { 0 };
    for (size_t i = 0; i < sizeof file_names / sizeof *file_names; i++) {
        char path[300];
        akin_buffer text;
        bool here = strcmp(file_names[i], b->file) == 0;
        snprintf(path, sizeof path, GOLDEN "%s/%s", b->good, file_names[i]);
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
    akin_status status = akin_tokenizer_open_json(&t, folder, AKIN_CLEAN_NONE, false, &err);
    if (status != b->status || strstr(err.message, b->message) == NULL)
        fail_msg("%s, '%s' for '%s': %s, '%s'; expected %s, '%s'", b->file, b->put, b->find,
                 akin_status_name(status), err.message, akin_status_name(b->status), b->message);
    if (status != AKIN_OK) {
        assert_null(t);
        assert_int_equal(strncmp(err.path, folder, strlen(folder)), 0);
    }
    akin_tokenizer_close(t);
    remove_folder(folder);
}

static void broken_files_are_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof breakages / sizeof *breakages; i++)
        try_breakage(&breakages[i]);
    /* Sequences in Sequences. */
    char nested[4000] = "\"normalizer\":";
    for (int i = 0; i < 60; i++)
        strcat(nested, "{\"type\":\"Sequence\",\"normalizers\":[");
    strcat(nested, "{\"type\":\"NFC\"}");
    for (int i = 0; i < 60; i++)
        strcat(nested, "]}");
    try_breakage(&(struct breakage){ "llama3", J, "\"normalizer\":null", nested, WRONG,
                                     "too many Sequences" });
    /* A tokenizer without a separator cannot strip it. */
    akin_tokenizer *t;
    akin_error err;
    assert_int_equal(akin_tokenizer_open_json(&t, GOLDEN "own", AKIN_CLEAN_NONE, true, &err),
                     AKIN_E_TOKENIZER);
    assert_non_null(strstr(err.message, "no sep_token"));
    assert_null(t);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    int32_t ids[8], count;
    bool cut;
    akin_error err;
    akin_tokenizer *t = open_json("added", false); /* a template of three ids */
    assert_int_equal(akin_tokenizer_encode(t, "a", 1, 2, ids, &count, &cut, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_tokenizer_encode(t, "a", 1, 3, ids, &count, &cut, &err), AKIN_OK);
    assert_int_equal(count, 3);
    assert_true(cut);
    assert_int_equal(akin_tokenizer_encode(t, "a\xff", 2, 8, ids, &count, &cut, &err),
                     AKIN_E_UTF8);
    akin_tokenizer_close(t);
}

/* Each would take minutes if anything were quadratic in the text. */
static void hostile_text_takes_no_time(void **state)
{
    (void)state;
    static const char *const folders[] = { "own", "llama3", "alone", "splits", "fallback",
                                           "words", "added", "digits" };
    static const char *const units[] = {
        "a", "the", "ab", " ", "\t\n", "\n", " \n ", "!", "'", "'s", "1", "''", "<s", "<s>",
        "[L]", "z", "\xf0\x9f\x99\x82", "\xc4\xb0", "\xcc\x81\xcc\xa3", "a  ", "  x",
    };
    const size_t size = 1 << 17;
    char *text = malloc(size);
    int32_t *ids = malloc((size * 4 + 8) * sizeof *ids);
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        akin_tokenizer *t = open_json(folders[f], false);
        for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
            size_t unit = strlen(units[i]), used = 0;
            for (; used + unit <= size; used += unit)
                memcpy(text + used, units[i], unit);
            int32_t count;
            bool cut;
            akin_error err;
            if (akin_tokenizer_encode(t, text, used, (int32_t)(size * 4 + 8), ids, &count, &cut,
                                      &err) != AKIN_OK)
                fail_msg("%s, %s: %s", folders[f], units[i], err.message);
            assert_false(cut);
        }
        akin_tokenizer_close(t);
    }
    free(text);
    free(ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_of_every_form),
        cmocka_unit_test(the_class_is_chosen_as_by_auto_tokenizer),
        cmocka_unit_test(broken_files_are_refused_by_name),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(hostile_text_takes_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
