/* tokenizer_load.c - the tokenizer files of a model folder, read as the reference reads them.
 *
 * Reference: transformers 5.23.0 CLIPTokenizer.from_pretrained. It takes vocabulary, merges, added
 * tokens and the side of truncation from the files and builds everything else itself. A
 * tokenizer.json that says something else than what it builds is refused here, by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/file.h"
#include "tokenizer_files.h"

#define FILE_MAX (32u << 20)

/* Reads a file; *found is false, and nothing else happens, when it is not there. */
static akin_status read_file(const char *path, akin_buffer *text, bool *found, akin_error *err)
{
    akin_status status = akin_file_read(path, "tokenizer file", FILE_MAX, text, err);
    *found = status == AKIN_OK;
    return status == AKIN_E_NOT_FOUND ? AKIN_OK : status;
}

/* A JSON file that need not be there: then *out stays NULL. */
static akin_status read_json(const char *path, akin_json **out, akin_error *err)
{
    akin_buffer text;
    bool found;
    akin_status status = read_file(path, &text, &found, err);
    if (found) {
        status = akin_json_parse_object(text.data, text.size, path, out, err);
        akin_buffer_clear(&text);
    }
    return status;
}

akin_status akin_loader_refuse(akin_loader *l, const char *path, const char *what)
{
    return akin_fail(l->err, AKIN_E_TOKENIZER, path, "%s", what);
}

/* The "type" of a part of tokenizer.json, for messages. */
const char *akin_type_of(const akin_json *part)
{
    const char *type = akin_json_string(akin_json_get(part, "type"));
    return type != NULL                              ? type
           : part == NULL || akin_json_is_null(part) ? "none"
                                                     : "without a type";
}

bool akin_type_is(const akin_json *part, const char *type)
{
    return strcmp(akin_type_of(part), type) == 0;
}

bool akin_text_is(const akin_json *object, const char *field, const char *value)
{
    const char *text = akin_json_string(akin_json_get(object, field));
    return text != NULL && strcmp(text, value) == 0;
}

bool akin_field_absent(const akin_json *object, const char *field)
{
    const akin_json *value = akin_json_get(object, field);
    return value == NULL || akin_json_is_null(value);
}

static bool is_false_or_absent(const akin_json *object, const char *field)
{
    return akin_field_absent(object, field) || akin_json_is_false(akin_json_get(object, field));
}

/* ---- tokenizer.json: is it CLIP's? */

static akin_status check_model(akin_loader *l, const akin_json *model)
{
    const char *path = l->tokenizer_path;
    if (!akin_json_is_object(model))
        return akin_loader_refuse(l, path, "field 'model' must be an object");
    if (!akin_field_absent(model, "type") && !akin_type_is(model, "BPE"))
        return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                         "model of type %s; akin reads CLIP's, which is BPE", akin_type_of(model));
    if (!akin_text_is(model, "end_of_word_suffix", "</w>"))
        return akin_loader_refuse(
            l, path, "BPE without end_of_word_suffix \"</w>\": not CLIP's tokenizer");
    if (!akin_field_absent(model, "continuing_subword_prefix") &&
        !akin_text_is(model, "continuing_subword_prefix", ""))
        return akin_loader_refuse(
            l, path, "BPE with a continuing_subword_prefix: not CLIP's tokenizer");
    static const char *const off[] = { "dropout", "fuse_unk", "byte_fallback", "ignore_merges" };
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (!is_false_or_absent(model, off[i]))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path, "BPE with %s: not CLIP's tokenizer",
                             off[i]);
    return AKIN_OK;
}

/* NFC, \s+ to one space, lower case. */
static akin_status check_normalizer(akin_loader *l, const akin_json *normalizer)
{
    const akin_json *list = akin_json_get(normalizer, "normalizers");
    const akin_json *replace = akin_json_at(list, 1);
    if (akin_type_is(normalizer, "Sequence") && akin_json_count(list) == 3 &&
        akin_type_is(akin_json_at(list, 0), "NFC") && akin_type_is(replace, "Replace") &&
        akin_text_is(akin_json_get(replace, "pattern"), "Regex", "\\s+") &&
        akin_text_is(replace, "content", " ") && akin_type_is(akin_json_at(list, 2), "Lowercase"))
        return AKIN_OK;
    for (size_t i = 0; i < akin_json_count(list); i++) {
        const akin_json *part = akin_json_at(list, i);
        if (!akin_type_is(part, "NFC") && !akin_type_is(part, "Replace") &&
            !akin_type_is(part, "Lowercase"))
            return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                             "normalizer %s; CLIP's are NFC, Replace and Lowercase",
                             akin_type_of(part));
    }
    return akin_fail(
        l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
        "normalizer %s; CLIP's is a Sequence of NFC, Replace (\\s+ by a space) and Lowercase",
        akin_type_of(normalizer));
}

/* CLIP's pattern without and with the literals; transformers 5 builds the second whatever the file
 * says. */
static const char pattern_tail[] = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
static const char pattern_head[] = "<\\|startoftext\\|>|<\\|endoftext\\|>|";

static bool is_clip_pattern(const char *pattern)
{
    if (pattern == NULL)
        return false;
    size_t head = strlen(pattern_head);
    if (strncmp(pattern, pattern_head, head) == 0)
        pattern += head;
    return strcmp(pattern, pattern_tail) == 0;
}

static akin_status check_pre_tokenizer(akin_loader *l, const akin_json *pre)
{
    const akin_json *list = akin_json_get(pre, "pretokenizers");
    const akin_json *split = akin_json_at(list, 0), *bytes = akin_json_at(list, 1);
    if (!akin_type_is(pre, "Sequence"))
        return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                         "pre-tokenizer %s; CLIP's is a Sequence of Split and ByteLevel",
                         akin_type_of(pre));
    for (size_t i = 0; i < akin_json_count(list); i++) {
        const akin_json *part = akin_json_at(list, i);
        if (!akin_type_is(part, "Split") && !akin_type_is(part, "ByteLevel"))
            return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                             "pre-tokenizer %s; CLIP's are Split and ByteLevel",
                             akin_type_of(part));
    }
    if (akin_json_count(list) != 2 || !akin_type_is(split, "Split") ||
        !akin_type_is(bytes, "ByteLevel"))
        return akin_loader_refuse(l, l->tokenizer_path,
                      "pre-tokenizers other than CLIP's Split, then ByteLevel");
    if (!is_clip_pattern(
            akin_json_string(akin_json_get(akin_json_get(split, "pattern"), "Regex"))) ||
        !akin_text_is(split, "behavior", "Removed") ||
        !akin_json_is_true(akin_json_get(split, "invert")))
        return akin_loader_refuse(l, l->tokenizer_path,
                                  "pre-tokenizer Split with another pattern than CLIP's");
    if (!is_false_or_absent(bytes, "add_prefix_space") ||
        akin_json_is_false(akin_json_get(bytes, "use_regex")))
        return akin_loader_refuse(l, l->tokenizer_path,
                      "pre-tokenizer ByteLevel with other options than CLIP's");
    return AKIN_OK;
}

/* ---- vocabulary and merges */

static akin_status load_vocabulary(akin_loader *l, const akin_json *vocab, const char *path,
                                   const akin_bpe_options *options, const char *unknown)
{
    akin_status status;
    const size_t entries = akin_json_members(vocab);
    AKIN_TRY(akin_bpe_new(&l->t->bpe, entries, entries, l->err));
    if (options != NULL)
        akin_bpe_configure(l->t->bpe, options);
    for (size_t i = 0; i < entries; i++) {
        const char *entry = akin_json_key(vocab, i);
        const akin_json *id = akin_json_member(vocab, i);
        if (!akin_json_is_integer(id)) {
            status = akin_fail(l->err, AKIN_E_TOKENIZER, path,
                               "vocabulary entry '%.60s' has an id that is no integer", entry);
            goto out;
        }
        AKIN_TRY(akin_bpe_add_token(l->t->bpe, entry, strlen(entry), akin_json_integer(id), path,
                                    l->err));
    }
    AKIN_TRY(akin_bpe_seal(l->t->bpe, unknown, path, l->err));
out:
    return status;
}

/* One merge written "left right". */
static akin_status add_merge(akin_loader *l, const char *merge, size_t size, const char *unit,
                             size_t number, const char *path)
{
    const char *space = memchr(merge, ' ', size);
    const size_t left = space != NULL ? (size_t)(space - merge) : 0, right = size - left - 1;
    if (space == NULL || memchr(space + 1, ' ', right) != NULL)
        return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                         "%s %zu is not two symbols with a space between", unit, number);
    return akin_bpe_add_merge(l->t->bpe, merge, left, space + 1, right, unit, number, path, l->err);
}

/* ["a b", ...] or [["a", "b"], ...]. */
static akin_status load_merges(akin_loader *l, const akin_json *merges, const char *path)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < akin_json_count(merges); i++) {
        const akin_json *merge = akin_json_at(merges, i);
        const akin_json *left = akin_json_at(merge, 0), *right = akin_json_at(merge, 1);
        if (akin_json_is_string(merge)) {
            AKIN_TRY(add_merge(l, akin_json_string(merge), akin_json_string_size(merge), "merge",
                               i + 1, path));
        } else if (akin_json_count(merge) == 2 && akin_json_is_string(left) &&
                   akin_json_is_string(right)) {
            AKIN_TRY(akin_bpe_add_merge(l->t->bpe, akin_json_string(left),
                                        akin_json_string_size(left), akin_json_string(right),
                                        akin_json_string_size(right), "merge", i + 1, path,
                                        l->err));
        } else {
            status = akin_fail(l->err, AKIN_E_TOKENIZER, path,
                               "merge %zu is neither \"a b\" nor [\"a\", \"b\"]", i + 1);
            goto out;
        }
    }
out:
    return status;
}

static akin_status load_merges_text(akin_loader *l, const akin_buffer *text)
{
    const char *path = l->merges_path;
    size_t number = 0, merges = 0;
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < text->size;) {
        const char *line = text->data + i;
        const char *newline = memchr(line, '\n', text->size - i);
        size_t size = newline != NULL ? (size_t)(newline - line) : text->size - i;
        i += size + 1;
        number++;
        if (newline != NULL && size > 0 && line[size - 1] == '\r')
            size--;
        if (size >= 8 && memcmp(line, "#version", 8) == 0)
            continue;
        AKIN_TRY(add_merge(l, line, size, "line", number, path));
        merges++;
    }
    if (merges == 0)
        status = akin_loader_refuse(l, path, "no merges");
out:
    return status;
}

akin_status akin_loader_read_model(akin_loader *l, const akin_bpe_options *options,
                                   const char *unknown)
{
    akin_status status;
    const char *path = l->tokenizer_path;
    const akin_json *model = akin_json_get(l->tokenizer, "model");
    if (!akin_json_is_object(akin_json_get(model, "vocab")))
        return akin_loader_refuse(l, path,
                                  "field 'model.vocab' must be an object of entries and ids");
    if (!akin_json_is_array(akin_json_get(model, "merges")))
        return akin_loader_refuse(l, path, "field 'model.merges' must be an array");
    AKIN_TRY(load_vocabulary(l, akin_json_get(model, "vocab"), path, options, unknown));
    AKIN_TRY(load_merges(l, akin_json_get(model, "merges"), path));
out:
    return status;
}

static akin_status load_tokenizer_json(akin_loader *l, const char *unknown)
{
    akin_status status;
    AKIN_TRY(check_model(l, akin_json_get(l->tokenizer, "model")));
    AKIN_TRY(check_normalizer(l, akin_json_get(l->tokenizer, "normalizer")));
    AKIN_TRY(check_pre_tokenizer(l, akin_json_get(l->tokenizer, "pre_tokenizer")));
    AKIN_TRY(akin_loader_read_model(l, NULL, unknown));
out:
    return status;
}

static akin_status load_vocab_and_merges(akin_loader *l, const char *unknown)
{
    akin_buffer merges;
    akin_status status = akin_file_read(l->merges_path, "merges file", FILE_MAX, &merges, l->err);
    if (status == AKIN_E_NOT_FOUND)
        return akin_fail(l->err, AKIN_E_NOT_FOUND, l->merges_path,
                         "vocab.json needs merges.txt beside it");
    if (status != AKIN_OK)
        return status;
    AKIN_TRY(load_vocabulary(l, l->vocab, l->vocab_path, NULL, unknown));
    AKIN_TRY(load_merges_text(l, &merges));
out:
    akin_buffer_clear(&merges);
    return status;
}

void akin_loader_clear(akin_loader *l)
{
    char *paths[] = { l->config_path,    l->map_path,   l->added_path,
                      l->tokenizer_path, l->vocab_path, l->merges_path };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        free(paths[i]);
    akin_json_free(l->config);
    akin_json_free(l->map);
    akin_json_free(l->added);
    akin_json_free(l->tokenizer);
    akin_json_free(l->vocab);
    akin_buffer_clear(&l->text);
    free(l->in_file.items);
    free(l->listed.items);
    free(l->named.items);
    free(l->extra.items);
}

akin_status akin_loader_open(akin_loader *l, akin_tokenizer *t, const char *folder,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    l->t = t;
    l->err = err;
    l->folder = folder;
    akin_buffer_init(&l->text, "tokenizer file", FILE_MAX);
    struct { const char *name; char **path; } files[] = {
        { "tokenizer_config.json", &l->config_path }, { "special_tokens_map.json", &l->map_path },
        { "added_tokens.json", &l->added_path },      { "tokenizer.json", &l->tokenizer_path },
        { "vocab.json", &l->vocab_path },             { "merges.txt", &l->merges_path },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if ((*files[i].path = akin_path_join(folder, files[i].name)) == NULL)
            return akin_fail_nomem(err, "path", 0);
    bool found;
    AKIN_TRY(read_file(l->tokenizer_path, &l->text, &found, err));
    if (found)
        AKIN_TRY(akin_json_parse_object(l->text.data, l->text.size, l->tokenizer_path,
                                        &l->tokenizer, err));
    else
        AKIN_TRY(read_json(l->vocab_path, &l->vocab, err));
    if (!found && l->vocab == NULL)
        return akin_fail(err, AKIN_E_NOT_FOUND, folder,
                         "no tokenizer here: neither tokenizer.json nor vocab.json with "
                         "merges.txt");
    AKIN_TRY(read_json(l->config_path, &l->config, err));
    /* added_tokens_decoder is the newer form: where it is, the two older files do not count. */
    if (akin_json_get(l->config, "added_tokens_decoder") == NULL) {
        AKIN_TRY(read_json(l->map_path, &l->map, err));
        AKIN_TRY(read_json(l->added_path, &l->added, err));
    }
out:
    return status;
}

akin_status akin_tokenizer_load(akin_tokenizer *t, const char *folder, akin_error *err)
{
    akin_status status;
    akin_loader l = { .class = AKIN_CLASS_CLIP };
    AKIN_TRY(akin_loader_open(&l, t, folder, err));
    AKIN_TRY(akin_loader_read_special(&l));
    const akin_added_token *unknown = akin_loader_named(&l, "unk_token");
    AKIN_TRY(akin_loader_read_options(&l));
    AKIN_TRY(l.tokenizer != NULL ? load_tokenizer_json(&l, unknown->content)
                                 : load_vocab_and_merges(&l, unknown->content));
    AKIN_TRY(akin_loader_build_added(&l, akin_tokenizer_normalize, NULL));
    if (t->start < 0 || t->end < 0)
        status = akin_loader_refuse(&l, l.tokenizer != NULL ? l.tokenizer_path : l.vocab_path,
                                    "bos_token and eos_token must not be empty");
out:
    akin_loader_clear(&l);
    return status;
}
