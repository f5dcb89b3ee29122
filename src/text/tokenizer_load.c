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
#include "base/json.h"
#include "base/memory.h"
#include "tokenizer_parts.h"
#include "vocab_json.h"

#define FILE_MAX (16u << 20)

/* A named token: bos_token, image_token, ... */
struct named {
    const char *key; /* borrowed from its JSON or static */
    akin_added_token token;
    int64_t id;     /* of a listed one: orders them, no more */
    int normalized; /* -1: the file does not say; then special tokens are not */
    bool is_string;
    bool standard; /* one of the seven names that every tokenizer may have */
    bool from_file;
};

/* Tokens in the order in which they will be added. */
struct token_list {
    struct named *items;
    size_t count, capacity;
};

struct loader {
    akin_tokenizer *t;
    akin_error *err;
    const char *folder;
    char *config_path, *map_path, *added_path, *tokenizer_path, *vocab_path, *merges_path;
    akin_json *config, *map, *added, *tokenizer; /* NULL when the file is not there */
    akin_buffer text;                         /* of tokenizer.json or vocab.json */
    bool has_vocab;
    akin_span vocab, merges; /* in text; .data NULL: not found */
    struct token_list listed;                         /* added tokens, by id */
    struct token_list named;
    struct token_list extra;
    bool extra_is_late; /* read from where added_tokens.json does not look */
    const char *unknown;
};

/* Parses a JSON object. transformers writes "no limit" as the integer
 * 1000000000000000019884624838656, which must be read as a real. */
static akin_status parse(const char *text, size_t size, const char *path, akin_json **out,
                         akin_error *err)
{
    return akin_json_parse_object(text, size, path, out, err);
}

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
        status = parse(text.data, text.size, path, out, err);
        akin_buffer_clear(&text);
    }
    return status;
}

/* tokenizer.json without its vocabulary and merges becomes a tree; these stay in l->text. */
static akin_status read_tokenizer_json(struct loader *l)
{
    bool found;
    akin_status status = read_file(l->tokenizer_path, &l->text, &found, l->err);
    if (!found)
        return status;
    akin_buffer rest;
    akin_buffer_init(&rest, "tokenizer.json", FILE_MAX);
    const char *text = l->text.data, *end = text + l->text.size;
    if (akin_vocab_find(text, l->text.size, &l->vocab, &l->merges)) {
        bool swapped = l->merges.data < l->vocab.data;
        akin_span first = swapped ? l->merges : l->vocab, second = swapped ? l->vocab : l->merges;
        const char *between = first.data + first.size, *after = second.data + second.size;
        AKIN_TRY(akin_buffer_add(&rest, text, (size_t)(first.data - text), l->err));
        AKIN_TRY(akin_buffer_add_text(&rest, swapped ? "[]" : "{}", l->err));
        AKIN_TRY(akin_buffer_add(&rest, between, (size_t)(second.data - between), l->err));
        AKIN_TRY(akin_buffer_add_text(&rest, swapped ? "{}" : "[]", l->err));
        AKIN_TRY(akin_buffer_add(&rest, after, (size_t)(end - after), l->err));
        status = parse(rest.data, rest.size, l->tokenizer_path, &l->tokenizer, l->err);
    }
    /* Parts not found, or an error that should name the line of the whole file. */
    if (l->tokenizer == NULL)
        status = parse(text, l->text.size, l->tokenizer_path, &l->tokenizer, l->err);
out:
    akin_buffer_clear(&rest);
    return status;
}

static akin_status refuse(struct loader *l, const char *path, const char *what)
{
    return akin_fail(l->err, AKIN_E_TOKENIZER, path, "%s", what);
}

/* The "type" of a part of tokenizer.json, for messages. */
static const char *type_of(const akin_json *part)
{
    const char *type = akin_json_string(akin_json_get(part, "type"));
    return type != NULL ? type : part == NULL || akin_json_is_null(part) ? "none" : "without a type";
}

static bool is(const akin_json *part, const char *type) { return strcmp(type_of(part), type) == 0; }

static bool text_is(const akin_json *object, const char *field, const char *value)
{
    const char *text = akin_json_string(akin_json_get(object, field));
    return text != NULL && strcmp(text, value) == 0;
}

static bool absent(const akin_json *object, const char *field)
{
    const akin_json *value = akin_json_get(object, field);
    return value == NULL || akin_json_is_null(value);
}

static bool is_false_or_absent(const akin_json *object, const char *field)
{
    return absent(object, field) || akin_json_is_false(akin_json_get(object, field));
}

/* ---- tokenizer.json: is it CLIP's? */

static akin_status check_model(struct loader *l, const akin_json *model)
{
    const char *path = l->tokenizer_path;
    if (!akin_json_is_object(model))
        return refuse(l, path, "field 'model' must be an object");
    if (!absent(model, "type") && !is(model, "BPE"))
        return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                         "model of type %s; akin reads CLIP's, which is BPE", type_of(model));
    if (!text_is(model, "end_of_word_suffix", "</w>"))
        return refuse(l, path, "BPE without end_of_word_suffix \"</w>\": not CLIP's tokenizer");
    if (!absent(model, "continuing_subword_prefix") &&
        !text_is(model, "continuing_subword_prefix", ""))
        return refuse(l, path, "BPE with a continuing_subword_prefix: not CLIP's tokenizer");
    static const char *const off[] = { "dropout", "fuse_unk", "byte_fallback", "ignore_merges" };
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (!is_false_or_absent(model, off[i]))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path, "BPE with %s: not CLIP's tokenizer",
                             off[i]);
    return AKIN_OK;
}

/* NFC, \s+ to one space, lower case. */
static akin_status check_normalizer(struct loader *l, const akin_json *normalizer)
{
    const akin_json *list = akin_json_get(normalizer, "normalizers");
    const akin_json *replace = akin_json_at(list, 1);
    if (is(normalizer, "Sequence") && akin_json_count(list) == 3 &&
        is(akin_json_at(list, 0), "NFC") && is(replace, "Replace") &&
        text_is(akin_json_get(replace, "pattern"), "Regex", "\\s+") &&
        text_is(replace, "content", " ") && is(akin_json_at(list, 2), "Lowercase"))
        return AKIN_OK;
    for (size_t i = 0; i < akin_json_count(list); i++) {
        const akin_json *part = akin_json_at(list, i);
        if (!is(part, "NFC") && !is(part, "Replace") && !is(part, "Lowercase"))
            return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                             "normalizer %s; CLIP's are NFC, Replace and Lowercase", type_of(part));
    }
    return akin_fail(
        l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
        "normalizer %s; CLIP's is a Sequence of NFC, Replace (\\s+ by a space) and Lowercase",
        type_of(normalizer));
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

static akin_status check_pre_tokenizer(struct loader *l, const akin_json *pre)
{
    const akin_json *list = akin_json_get(pre, "pretokenizers");
    const akin_json *split = akin_json_at(list, 0), *bytes = akin_json_at(list, 1);
    if (!is(pre, "Sequence"))
        return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                         "pre-tokenizer %s; CLIP's is a Sequence of Split and ByteLevel",
                         type_of(pre));
    for (size_t i = 0; i < akin_json_count(list); i++) {
        const akin_json *part = akin_json_at(list, i);
        if (!is(part, "Split") && !is(part, "ByteLevel"))
            return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                             "pre-tokenizer %s; CLIP's are Split and ByteLevel", type_of(part));
    }
    if (akin_json_count(list) != 2 || !is(split, "Split") || !is(bytes, "ByteLevel"))
        return refuse(l, l->tokenizer_path,
                      "pre-tokenizers other than CLIP's Split, then ByteLevel");
    if (!is_clip_pattern(
            akin_json_string(akin_json_get(akin_json_get(split, "pattern"), "Regex"))) ||
        !text_is(split, "behavior", "Removed") || !akin_json_is_true(akin_json_get(split, "invert")))
        return refuse(l, l->tokenizer_path, "pre-tokenizer Split with another pattern than CLIP's");
    if (!is_false_or_absent(bytes, "add_prefix_space") ||
        akin_json_is_false(akin_json_get(bytes, "use_regex")))
        return refuse(l, l->tokenizer_path,
                      "pre-tokenizer ByteLevel with other options than CLIP's");
    return AKIN_OK;
}

/* ---- vocabulary and merges */

static akin_status load_vocabulary(struct loader *l, akin_span vocab, const char *path)
{
    /* CLIP's file has 17 bytes an entry. A wrong guess only costs growing. */
    size_t entries = vocab.size / 17 + 1;
    akin_status status;
    AKIN_TRY(akin_bpe_new(&l->t->bpe, entries, entries, l->err));
    AKIN_TRY(akin_vocab_read(l->t->bpe, vocab, path, l->err));
    AKIN_TRY(akin_bpe_seal(l->t->bpe, l->unknown, path, l->err));
out:
    return status;
}

static akin_status load_merges_text(struct loader *l, const akin_buffer *text)
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
        AKIN_TRY(
            akin_merge_read(l->t->bpe, (akin_span){ line, size }, "line", number, path, l->err));
        merges++;
    }
    if (merges == 0)
        status = refuse(l, path, "no merges");
out:
    return status;
}

static akin_status load_tokenizer_json(struct loader *l)
{
    akin_status status;
    const akin_json *model = akin_json_get(l->tokenizer, "model");
    AKIN_TRY(check_model(l, model));
    AKIN_TRY(check_normalizer(l, akin_json_get(l->tokenizer, "normalizer")));
    AKIN_TRY(check_pre_tokenizer(l, akin_json_get(l->tokenizer, "pre_tokenizer")));
    if (!akin_json_is_object(akin_json_get(model, "vocab")))
        return refuse(l, l->tokenizer_path,
                      "field 'model.vocab' must be an object of entries and ids");
    if (!akin_json_is_array(akin_json_get(model, "merges")))
        return refuse(l, l->tokenizer_path, "field 'model.merges' must be an array");
    if (l->vocab.data == NULL) /* "\u0076ocab" */
        return refuse(l, l->tokenizer_path, "the keys of 'model' must be written without escapes");
    AKIN_TRY(load_vocabulary(l, l->vocab, l->tokenizer_path));
    AKIN_TRY(akin_merges_read(l->t->bpe, l->merges, l->tokenizer_path, l->err));
out:
    return status;
}

static akin_status load_vocab_and_merges(struct loader *l)
{
    akin_buffer merges;
    akin_status status = akin_file_read(l->merges_path, "merges file", FILE_MAX, &merges, l->err);
    if (status == AKIN_E_NOT_FOUND)
        return akin_fail(l->err, AKIN_E_NOT_FOUND, l->merges_path,
                         "vocab.json needs merges.txt beside it");
    if (status != AKIN_OK)
        return status;
    AKIN_TRY(load_vocabulary(l, (akin_span){ l->text.data, l->text.size }, l->vocab_path));
    AKIN_TRY(load_merges_text(l, &merges));
out:
    akin_buffer_clear(&merges);
    return status;
}

/* ---- added and special tokens */

static akin_status list_add(struct token_list *list, const struct named *item, akin_error *err)
{
    struct named *items =
        akin_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    if (items == NULL)
        return akin_fail_nomem(err, "added tokens", 0);
    list->items = items;
    list->items[list->count++] = *item;
    return AKIN_OK;
}

/* A token from a string (special) or from an object {"content": ..., flags}. */
static akin_status read_token(struct loader *l, const akin_json *json, const char *path,
                              const char *where, struct named *out)
{
    akin_status status = AKIN_OK;
    *out = (struct named){ .key = where, .normalized = -1 };
    const char *content = akin_json_string(json);
    if (content != NULL) {
        out->is_string = true;
        out->token.special = true;
    } else {
        bool normalized = false;
        AKIN_TRY(akin_json_text_field(json, path, where, "content", &content, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "special", &out->token.special, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "single_word", &out->token.single_word, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "lstrip", &out->token.lstrip, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "rstrip", &out->token.rstrip, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "normalized", &normalized, l->err));
        if (!absent(json, "normalized"))
            out->normalized = normalized;
    }
    if (content == NULL)
        return akin_fail(l->err, AKIN_E_TOKENIZER, path, "%s has no content", where);
    out->token.content = content;
    out->token.size = strlen(content);
out:
    return status;
}

static bool same_content(const akin_added_token *a, const akin_added_token *b)
{
    return a->size == b->size && memcmp(a->content, b->content, a->size) == 0;
}

static bool contains(const struct token_list *list, const akin_added_token *token)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_content(&list->items[i].token, token))
            return true;
    return false;
}

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Lists a token. Ids only order the added tokens: the reference numbers what the vocabulary lacks
 * itself. A later token of the same id replaces the earlier. */
static akin_status list_with_id(struct loader *l, struct named *token, int64_t id)
{
    token->id = id;
    for (size_t i = 0; i < l->listed.count; i++) {
        if (l->listed.items[i].id == id) {
            l->listed.items[i] = *token;
            return AKIN_OK;
        }
    }
    if (l->listed.count == AKIN_ADDED_MAX)
        return akin_fail(l->err, AKIN_E_LIMIT, l->folder, "more than %d added tokens",
                         AKIN_ADDED_MAX);
    return list_add(&l->listed, token, l->err);
}

static akin_status id_value(struct loader *l, const akin_json *json, const char *path,
                            const char *content, int64_t *out)
{
    double value = akin_json_double(json);
    if (!akin_json_is_number(json) || !(value >= 0 && value < AKIN_VOCABULARY_MAX) ||
        value != (double)(int64_t)value)
        return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                         "the id of added token '%.60s' must be an integer between 0 and %d",
                         content, AKIN_VOCABULARY_MAX - 1);
    *out = (int64_t)value;
    return AKIN_OK;
}

/* added_tokens_decoder of tokenizer_config.json: {"49406": {"content": ...}, ...}. */
static akin_status list_decoder(struct loader *l, const akin_json *decoder)
{
    akin_status status = AKIN_OK;
    const char *path = l->config_path;
    if (!akin_json_is_object(decoder))
        return refuse(l, path, "field 'added_tokens_decoder' must be an object");
    const char *key;
    const akin_json *value;
    for (size_t member = 0; member < akin_json_members(decoder); member++) {
        key = akin_json_key(decoder, member);
        value = akin_json_member(decoder, member);
        char *end;
        struct named token;
        long long id = strtoll(key, &end, 10);
        if (*key < '0' || *key > '9' || *end != '\0' || id >= AKIN_VOCABULARY_MAX)
            return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                             "field 'added_tokens_decoder': '%.60s' is no id between 0 and %d", key,
                             AKIN_VOCABULARY_MAX - 1);
        if (!akin_json_is_object(value))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                             "field 'added_tokens_decoder.%s' must be an object", key);
        AKIN_TRY(read_token(l, value, path, "added_tokens_decoder", &token));
        AKIN_TRY(list_with_id(l, &token, id));
    }
out:
    return status;
}

/* added_tokens.json: {"<new>": 49408, ...}. A token is special when a file, not a default, names it
 * as such. */
static akin_status list_added_json(struct loader *l)
{
    akin_status status = AKIN_OK;
    const char *content;
    const akin_json *value;
    for (size_t member = 0; member < akin_json_members(l->added); member++) {
        content = akin_json_key(l->added, member);
        value = akin_json_member(l->added, member);
        int64_t id = 0;
        struct named token = { .key = "added_tokens.json", .normalized = -1,
                               .token = { .content = content, .size = strlen(content) } };
        AKIN_TRY(id_value(l, value, l->added_path, content, &id));
        token.token.special = !l->extra_is_late && contains(&l->extra, &token.token);
        for (size_t i = 0; i < l->named.count; i++) {
            const struct named *n = &l->named.items[i];
            token.token.special |= n->standard && n->from_file &&
                                   same_content(&n->token, &token.token);
        }
        token.normalized = !token.token.special;
        AKIN_TRY(list_with_id(l, &token, id));
    }
out:
    return status;
}

/* added_tokens of tokenizer.json: [{"id": 49406, "content": ...}, ...]. */
static akin_status list_tokenizer_json(struct loader *l)
{
    akin_status status = AKIN_OK;
    const akin_json *array = akin_json_get(l->tokenizer, "added_tokens");
    if (!akin_json_is_array(array))
        return refuse(l, l->tokenizer_path, "field 'added_tokens' must be an array");
    for (size_t i = 0; i < akin_json_count(array); i++) {
        const akin_json *item = akin_json_at(array, i);
        struct named token;
        int64_t id = 0;
        if (!akin_json_is_object(item))
            return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                             "added_tokens[%zu] must be an object", i);
        AKIN_TRY(read_token(l, item, l->tokenizer_path, "added_tokens", &token));
        AKIN_TRY(
            id_value(l, akin_json_get(item, "id"), l->tokenizer_path, token.token.content, &id));
        AKIN_TRY(list_with_id(l, &token, id));
    }
out:
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Sets (or adds) a named token. */
static akin_status set_named(struct loader *l, const char *key, const akin_json *value,
                             const char *path, bool special)
{
    struct named token;
    akin_status status = read_token(l, value, path, key, &token);
    if (status != AKIN_OK)
        return status;
    token.token.special |= special;
    token.from_file = true;
    for (size_t i = 0; i < l->named.count; i++) {
        if (strcmp(l->named.items[i].key, key) == 0) {
            token.standard = l->named.items[i].standard;
            l->named.items[i] = token;
            return AKIN_OK;
        }
    }
    return list_add(&l->named, &token, l->err);
}

/* The named tokens of one file. In tokenizer_config.json an object is a token only when it says
 * "__type": "AddedToken". */
static akin_status read_named(struct loader *l, const akin_json *file, const char *path, bool is_map)
{
    akin_status status = AKIN_OK;
    const char *key;
    const akin_json *value;
    for (size_t member = 0; member < akin_json_members(file); member++) {
        key = akin_json_key(file, member);
        value = akin_json_member(file, member);
        if (!ends_with(key, "_token") || akin_json_is_bool(value))
            continue;
        if (akin_json_is_null(value)) {
            static const char *const needed[] = { "bos_token", "eos_token", "unk_token" };
            for (size_t i = 0; i < 3; i++)
                if (strcmp(key, needed[i]) == 0)
                    return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                                     "field '%s' is null; CLIP needs this token", key);
            for (size_t i = 0; i < l->named.count; i++)
                if (strcmp(l->named.items[i].key, key) == 0)
                    l->named.items[i].token.size = 0;
            continue;
        }
        if (!akin_json_is_string(value) &&
            !(akin_json_is_object(value) && (is_map || text_is(value, "__type", "AddedToken"))))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                             "field '%s' is neither a string nor an AddedToken", key);
        AKIN_TRY(set_named(l, key, value, path, is_map));
    }
out:
    return status;
}

/* A list of further special tokens, or a dictionary of named ones. */
static akin_status read_extra(struct loader *l, const akin_json *extra, const char *path, bool is_map)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < akin_json_count(extra); i++) {
        const akin_json *item = akin_json_at(extra, i);
        struct named token;
        if (!akin_json_is_string(item) &&
            !(akin_json_is_object(item) && (is_map || text_is(item, "__type", "AddedToken"))))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                             "special token %zu of the list is neither a string nor an AddedToken",
                             i);
        AKIN_TRY(read_token(l, item, path, "a special token of the list", &token));
        token.token.special |= is_map;
        AKIN_TRY(list_add(&l->extra, &token, l->err));
    }
    const char *key;
    const akin_json *value;
    for (size_t member = 0; member < akin_json_members(extra); member++) {
        key = akin_json_key(extra, member);
        value = akin_json_member(extra, member);
        if (!akin_json_is_string(value))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                             "special token '%.60s' is not a string", key);
        AKIN_TRY(set_named(l, key, value, path, false));
    }
out:
    return status;
}

/* A field that is there and neither null nor empty. */
static const akin_json *extra_field(const akin_json *file, const char *field)
{
    const akin_json *value = akin_json_get(file, field);
    return akin_json_count(value) != 0 || akin_json_members(value) != 0 ? value : NULL;
}

static akin_status read_special_tokens(struct loader *l, bool with_map)
{
    static const char start[] = "<|startoftext|>", end[] = "<|endoftext|>";
    static const struct { const char *key, *content; } standard[] = {
        { "bos_token", start }, { "eos_token", end }, { "unk_token", end }, { "sep_token", NULL },
        { "pad_token", end },   { "cls_token", NULL }, { "mask_token", NULL },
    };
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
        struct named token = {
            .key = standard[i].key, .normalized = -1, .is_string = true, .standard = true
        };
        token.token.special = true;
        token.token.content = standard[i].content != NULL ? standard[i].content : "";
        token.token.size = strlen(token.token.content);
        AKIN_TRY(list_add(&l->named, &token, l->err));
    }
    AKIN_TRY(read_named(l, l->config, l->config_path, false));
    const akin_json *extra = extra_field(l->config, "extra_special_tokens");
    if (extra == NULL)
        extra = extra_field(l->config, "additional_special_tokens");
    if (extra != NULL)
        AKIN_TRY(read_extra(l, extra, l->config_path, false));
    if (with_map && l->map != NULL) {
        AKIN_TRY(read_named(l, l->map, l->map_path, true));
        const akin_json *more = extra_field(l->map, "extra_special_tokens");
        if (more != NULL)
            AKIN_TRY(read_extra(l, more, l->map_path, true));
        else if (extra == NULL && (more = extra_field(l->map, "additional_special_tokens")) != NULL)
            AKIN_TRY(read_extra(l, more, l->map_path, false));
        l->extra_is_late = extra == NULL && extra_field(l->map, "extra_special_tokens") == NULL;
    }
out:
    return status;
}

static const akin_added_token *named_token(const struct loader *l, const char *key)
{
    for (size_t i = 0; i < l->named.count; i++)
        if (strcmp(l->named.items[i].key, key) == 0)
            return &l->named.items[i].token;
    return NULL;
}

/* Whether the reference's `token in tokens_to_add` holds: a string never equals an AddedToken. */
static bool same_token(const struct named *a, const struct named *b)
{
    if (a->is_string != b->is_string || !same_content(&a->token, &b->token))
        return false;
    return a->is_string ||
           (a->normalized == b->normalized && a->token.special == b->token.special &&
            a->token.single_word == b->token.single_word && a->token.lstrip == b->token.lstrip &&
            a->token.rstrip == b->token.rstrip);
}

static akin_status append_missing(struct loader *l, struct token_list *all,
                                  const struct token_list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct named *token = &from->items[i];
        bool known = token->token.size == 0 || contains(&l->listed, &token->token);
        for (size_t k = l->listed.count; k < all->count && !known; k++)
            known = same_token(&all->items[k], token);
        if (known)
            continue;
        akin_status status = list_add(all, token, l->err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* The listed added tokens by id, then named and further special tokens that are not among them. */
static akin_status build_added(struct loader *l)
{
    akin_status status = AKIN_OK;
    struct token_list all = { 0 };
    akin_added_token *tokens = NULL;
    for (size_t i = 0; i < l->listed.count; i++)
        AKIN_TRY(list_add(&all, &l->listed.items[i], l->err));
    AKIN_TRY(append_missing(l, &all, &l->named));
    AKIN_TRY(append_missing(l, &all, &l->extra));
    tokens = calloc(all.count, sizeof *tokens);
    if (tokens == NULL) {
        status = akin_fail_nomem(l->err, "added tokens", all.count * sizeof *tokens);
        goto out;
    }
    size_t count = 0;
    for (size_t i = 0; i < all.count; i++) {
        struct named *item = &all.items[i];
        if (item->token.size == 0)
            continue;
        item->token.special |= contains(&l->named, &item->token);
        item->token.normalized = item->normalized < 0 ? !item->token.special : item->normalized;
        tokens[count++] = item->token;
    }
    const char *path = l->tokenizer != NULL ? l->tokenizer_path : l->vocab_path;
    AKIN_TRY(akin_added_build(&l->t->added, l->t->bpe, tokens, count, akin_tokenizer_normalize,
                              path, l->err));
    const akin_added_token *bos = named_token(l, "bos_token"), *eos = named_token(l, "eos_token");
    l->t->start = akin_added_find(&l->t->added, bos->content, bos->size);
    l->t->end = akin_added_find(&l->t->added, eos->content, eos->size);
    if (l->t->start < 0 || l->t->end < 0)
        status = refuse(l, path, "bos_token and eos_token must not be empty");
out:
    free(all.items);
    free(tokens);
    return status;
}

static akin_status list_added(struct loader *l)
{
    akin_status status = AKIN_OK;
    const akin_json *decoder = akin_json_get(l->config, "added_tokens_decoder");
    if (decoder != NULL) {
        AKIN_TRY(list_decoder(l, decoder));
    } else {
        if (l->added != NULL)
            AKIN_TRY(list_added_json(l));
        if (l->tokenizer != NULL)
            AKIN_TRY(list_tokenizer_json(l));
    }
    if (l->listed.count != 0)
        qsort(l->listed.items, l->listed.count, sizeof *l->listed.items, by_id);
out:
    return status;
}

/* ---- the rest of tokenizer_config.json */

static akin_status read_options(struct loader *l)
{
    akin_status status = AKIN_OK;
    const char *path = l->config_path, *side = NULL;
    const akin_json *truncation = akin_json_get(l->tokenizer, "truncation");
    AKIN_TRY(akin_json_text_field(l->config, path, NULL, "truncation_side", &side, l->err));
    if (side == NULL && text_is(truncation, "direction", "Left"))
        side = "left";
    if (side != NULL && strcmp(side, "left") != 0 && strcmp(side, "right") != 0)
        return akin_fail(l->err, AKIN_E_CONFIG, path,
                         "field 'truncation_side' is '%.60s'; left or right", side);
    l->t->truncate_left = side != NULL && strcmp(side, "left") == 0;
    AKIN_TRY(akin_json_bool_field(l->config, path, NULL, "split_special_tokens",
                            &l->t->split_special_tokens, l->err));
    double length = 0;
    if (!absent(l->config, "max_len"))
        AKIN_TRY(akin_json_number_field(l->config, path, NULL, "max_len", &length, l->err));
    AKIN_TRY(akin_json_number_field(l->config, path, NULL, "model_max_length", &length, l->err));
    /* "No limit" is written as 10^30. */
    l->t->max_length = length >= 1 && length <= INT32_MAX ? (int32_t)length : 0;
    const akin_json *versions = akin_json_get(l->config, "fast_tokenizer_files");
    for (size_t i = 0; i < akin_json_count(versions); i++) {
        const char *name = akin_json_string(akin_json_at(versions, i));
        if (name == NULL || strcmp(name, "tokenizer.json") != 0)
            return refuse(l, path,
                          "field 'fast_tokenizer_files' names other files than tokenizer.json");
    }
out:
    return status;
}

static void loader_clear(struct loader *l)
{
    char *paths[] = { l->config_path,    l->map_path,   l->added_path,
                      l->tokenizer_path, l->vocab_path, l->merges_path };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        free(paths[i]);
    akin_json_free(l->config);
    akin_json_free(l->map);
    akin_json_free(l->added);
    akin_json_free(l->tokenizer);
    akin_buffer_clear(&l->text);
    free(l->listed.items);
    free(l->named.items);
    free(l->extra.items);
}

akin_status akin_tokenizer_load(akin_tokenizer *t, const char *folder, akin_error *err)
{
    akin_status status = AKIN_OK;
    struct loader l = { .t = t, .err = err, .folder = folder };
    akin_buffer_init(&l.text, "tokenizer file", FILE_MAX);
    struct { const char *name; char **path; } files[] = {
        { "tokenizer_config.json", &l.config_path }, { "special_tokens_map.json", &l.map_path },
        { "added_tokens.json", &l.added_path },      { "tokenizer.json", &l.tokenizer_path },
        { "vocab.json", &l.vocab_path },             { "merges.txt", &l.merges_path },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if ((*files[i].path = akin_path_join(folder, files[i].name)) == NULL) {
            status = akin_fail_nomem(err, "path", 0);
            goto out;
        }
    }
    AKIN_TRY(read_tokenizer_json(&l));
    if (l.tokenizer == NULL)
        AKIN_TRY(read_file(l.vocab_path, &l.text, &l.has_vocab, err));
    if (l.tokenizer == NULL && !l.has_vocab) {
        status =
            akin_fail(err, AKIN_E_NOT_FOUND, folder,
                      "no tokenizer here: neither tokenizer.json nor vocab.json with merges.txt");
        goto out;
    }
    AKIN_TRY(read_json(l.config_path, &l.config, err));
    /* added_tokens_decoder is the newer form: where it is, the two older files do not count. */
    bool older = akin_json_get(l.config, "added_tokens_decoder") == NULL;
    if (older) {
        AKIN_TRY(read_json(l.map_path, &l.map, err));
        AKIN_TRY(read_json(l.added_path, &l.added, err));
    }
    AKIN_TRY(read_special_tokens(&l, older));
    l.unknown = named_token(&l, "unk_token")->content;
    AKIN_TRY(read_options(&l));
    AKIN_TRY(l.tokenizer != NULL ? load_tokenizer_json(&l) : load_vocab_and_merges(&l));
    AKIN_TRY(list_added(&l));
    AKIN_TRY(build_added(&l));
    int32_t added = akin_added_end(&t->added), vocabulary = akin_bpe_size(t->bpe);
    t->size = added > vocabulary ? added : vocabulary;
out:
    loader_clear(&l);
    return status;
}
