/* special_tokens.c - the added and special tokens of a model folder, as the reference has them.
 *
 * Reference: transformers 5.23.0, PreTrainedTokenizerBase._from_pretrained and
 * TokenizersBackend.__init__.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "tokenizer_files.h"

static akin_status list_add(struct akin_token_list *list, const struct akin_named *item,
                            akin_error *err)
{
    struct akin_named *items =
        akin_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    if (items == NULL)
        return akin_fail_nomem(err, "added tokens", 0);
    list->items = items;
    list->items[list->count++] = *item;
    return AKIN_OK;
}

/* A token from a string (special) or from an object {"content": ..., flags}. */
static akin_status read_token(akin_loader *l, const akin_json *json, const char *path,
                              const char *where, struct akin_named *out)
{
    akin_status status = AKIN_OK;
    *out = (struct akin_named){ .key = where, .normalized = -1 };
    const char *content = akin_json_string(json);
    if (content != NULL) {
        out->is_string = true;
        out->token.special = true;
    } else {
        bool normalized = false;
        AKIN_TRY(akin_json_text_field(json, path, where, "content", &content, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "special", &out->token.special, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "single_word", &out->token.single_word,
                                      l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "lstrip", &out->token.lstrip, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "rstrip", &out->token.rstrip, l->err));
        AKIN_TRY(akin_json_bool_field(json, path, where, "normalized", &normalized, l->err));
        if (!akin_field_absent(json, "normalized"))
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

static bool contains(const struct akin_token_list *list, const akin_added_token *token)
{
    for (size_t i = 0; i < list->count; i++)
        if (same_content(&list->items[i].token, token))
            return true;
    return false;
}

static int by_id(const void *a, const void *b)
{
    const struct akin_named *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Lists a token. Ids only order the added tokens: the reference numbers what the vocabulary lacks
 * itself. A later token of the same id replaces the earlier. */
static akin_status list_with_id(akin_loader *l, struct akin_named *token, int64_t id)
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

static akin_status id_value(akin_loader *l, const akin_json *json, const char *path,
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
static akin_status list_decoder(akin_loader *l, const akin_json *decoder)
{
    akin_status status = AKIN_OK;
    const char *path = l->config_path;
    if (!akin_json_is_object(decoder))
        return akin_loader_refuse(l, path, "field 'added_tokens_decoder' must be an object");
    const char *key;
    const akin_json *value;
    for (size_t member = 0; member < akin_json_members(decoder); member++) {
        key = akin_json_key(decoder, member);
        value = akin_json_member(decoder, member);
        char *end;
        struct akin_named token;
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
static akin_status list_added_json(akin_loader *l)
{
    akin_status status = AKIN_OK;
    const char *content;
    const akin_json *value;
    for (size_t member = 0; member < akin_json_members(l->added); member++) {
        content = akin_json_key(l->added, member);
        value = akin_json_member(l->added, member);
        int64_t id = 0;
        struct akin_named token = { .key = "added_tokens.json", .normalized = -1,
                               .token = { .content = content, .size = strlen(content) } };
        AKIN_TRY(id_value(l, value, l->added_path, content, &id));
        token.token.special = !l->extra_is_late && contains(&l->extra, &token.token);
        for (size_t i = 0; i < l->named.count; i++) {
            const struct akin_named *n = &l->named.items[i];
            token.token.special |= n->standard && n->from_file &&
                                   same_content(&n->token, &token.token);
        }
        token.normalized = !token.token.special;
        AKIN_TRY(list_with_id(l, &token, id));
    }
out:
    return status;
}

/* Adds a token that the reference has from tokenizer.json before it looks at anything else. */
static akin_status add_in_file(akin_loader *l, struct akin_named *token)
{
    if (l->in_file.count == AKIN_ADDED_MAX)
        return akin_fail(l->err, AKIN_E_LIMIT, l->tokenizer_path, "more than %d added tokens",
                         AKIN_ADDED_MAX);
    if (token->normalized < 0)
        token->normalized = !token->token.special;
    return list_add(&l->in_file, token, l->err);
}

/* added_tokens of tokenizer.json: [{"id": 49406, "content": ...}, ...]. listed: they go by id, too;
 * else only into in_file. */
static akin_status list_tokenizer_json(akin_loader *l, bool listed)
{
    akin_status status = AKIN_OK;
    const akin_json *array = akin_json_get(l->tokenizer, "added_tokens");
    if (!akin_json_is_array(array))
        return akin_loader_refuse(l, l->tokenizer_path, "field 'added_tokens' must be an array");
    for (size_t i = 0; i < akin_json_count(array); i++) {
        const akin_json *item = akin_json_at(array, i);
        struct akin_named token;
        int64_t id = 0;
        if (!akin_json_is_object(item))
            return akin_fail(l->err, AKIN_E_TOKENIZER, l->tokenizer_path,
                             "added_tokens[%zu] must be an object", i);
        AKIN_TRY(read_token(l, item, l->tokenizer_path, "added_tokens", &token));
        AKIN_TRY(
            id_value(l, akin_json_get(item, "id"), l->tokenizer_path, token.token.content, &id));
        if (l->class == AKIN_CLASS_FILE)
            AKIN_TRY(add_in_file(l, &token));
        if (listed)
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
static akin_status set_named(akin_loader *l, const char *key, const akin_json *value,
                             const char *path, bool special)
{
    struct akin_named token;
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
static akin_status read_named(akin_loader *l, const akin_json *file, const char *path, bool is_map)
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
            for (size_t i = 0; i < 3 && l->class == AKIN_CLASS_CLIP; i++)
                if (strcmp(key, needed[i]) == 0)
                    return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                                     "field '%s' is null; CLIP needs this token", key);
            for (size_t i = 0; i < l->named.count; i++)
                if (strcmp(l->named.items[i].key, key) == 0)
                    l->named.items[i].token.size = 0;
            continue;
        }
        if (!akin_json_is_string(value) &&
            !(akin_json_is_object(value) &&
              (is_map || akin_text_is(value, "__type", "AddedToken"))))
            return akin_fail(l->err, AKIN_E_TOKENIZER, path,
                             "field '%s' is neither a string nor an AddedToken", key);
        AKIN_TRY(set_named(l, key, value, path, is_map));
    }
out:
    return status;
}

/* A list of further special tokens, or a dictionary of named ones. */
static akin_status read_extra(akin_loader *l, const akin_json *extra, const char *path, bool is_map)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < akin_json_count(extra); i++) {
        const akin_json *item = akin_json_at(extra, i);
        struct akin_named token;
        if (!akin_json_is_string(item) &&
            !(akin_json_is_object(item) && (is_map || akin_text_is(item, "__type", "AddedToken"))))
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

/* bos, eos, unk, sep, pad, cls, mask when no file names them. */
static const char *const defaults[][7] = {
    [AKIN_CLASS_FILE] = { NULL },
    [AKIN_CLASS_CLIP] = { "<|startoftext|>", "<|endoftext|>", "<|endoftext|>", NULL,
                          "<|endoftext|>", NULL, NULL },
    [AKIN_CLASS_GPT2] = { "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL, NULL, NULL,
                          NULL },
    [AKIN_CLASS_ROBERTA] = { "<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>" },
    [AKIN_CLASS_QWEN2] = { NULL, "<|endoftext|>", "<|endoftext|>", NULL, "<|endoftext|>", NULL,
                           NULL },
};

akin_status akin_loader_read_special(akin_loader *l)
{
    static const char *const standard[7] = { "bos_token", "eos_token", "unk_token", "sep_token",
                                             "pad_token", "cls_token", "mask_token" };
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < 7; i++) {
        struct akin_named token = {
            .key = standard[i], .normalized = -1, .is_string = true, .standard = true
        };
        const char *content = defaults[l->class][i];
        token.token.special = true;
        token.token.content = content != NULL ? content : "";
        token.token.size = strlen(token.token.content);
        AKIN_TRY(list_add(&l->named, &token, l->err));
    }
    const akin_json *padding = akin_json_get(l->tokenizer, "padding");
    const akin_json *pad = akin_json_get(padding, "pad_token");
    if (l->class == AKIN_CLASS_FILE && akin_json_is_string(pad))
        AKIN_TRY(set_named(l, "pad_token", pad, l->tokenizer_path, false));
    AKIN_TRY(read_named(l, l->config, l->config_path, false));
    const akin_json *extra = extra_field(l->config, "extra_special_tokens");
    if (extra == NULL)
        extra = extra_field(l->config, "additional_special_tokens");
    if (extra != NULL)
        AKIN_TRY(read_extra(l, extra, l->config_path, false));
    if (l->map != NULL) {
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

const akin_added_token *akin_loader_named(const akin_loader *l, const char *key)
{
    for (size_t i = 0; i < l->named.count; i++)
        if (strcmp(l->named.items[i].key, key) == 0 && l->named.items[i].token.size != 0)
            return &l->named.items[i].token;
    return NULL;
}

static bool same_flags(const struct akin_named *a, const struct akin_named *b)
{
    return a->normalized == b->normalized && a->token.special == b->token.special &&
           a->token.single_word == b->token.single_word && a->token.lstrip == b->token.lstrip &&
           a->token.rstrip == b->token.rstrip;
}

/* Whether the reference's `token in tokens_to_add` holds: a string never equals an AddedToken. */
static bool same_token(const struct akin_named *a, const struct akin_named *b)
{
    if (a->is_string != b->is_string || !same_content(&a->token, &b->token))
        return false;
    return a->is_string || same_flags(a, b);
}

static akin_status list_added(akin_loader *l)
{
    akin_status status = AKIN_OK;
    const akin_json *decoder = akin_json_get(l->config, "added_tokens_decoder");
    if (decoder != NULL)
        AKIN_TRY(list_decoder(l, decoder));
    else if (l->added != NULL)
        AKIN_TRY(list_added_json(l));
    if (l->tokenizer != NULL && (decoder == NULL || l->class == AKIN_CLASS_FILE))
        AKIN_TRY(list_tokenizer_json(l, decoder == NULL));
    if (l->listed.count != 0)
        qsort(l->listed.items, l->listed.count, sizeof *l->listed.items, by_id);
out:
    return status;
}

/* Whether the tokenizer as its file has it holds this very token: content and flags. Of two with
 * one content the last counts. */
static bool in_file(const akin_loader *l, struct akin_named token)
{
    if (token.normalized < 0)
        token.normalized = !token.token.special;
    for (size_t i = l->in_file.count; i-- > 0;)
        if (same_content(&l->in_file.items[i].token, &token.token))
            return same_flags(&l->in_file.items[i], &token);
    return false;
}

/* `listed`: how many of `all` are known by their text; the rest by text and flags. */
static akin_status append_missing(akin_loader *l, struct akin_token_list *all, size_t listed,
                                  const struct akin_token_list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct akin_named *token = &from->items[i];
        const struct akin_token_list by_text = { .items = all->items, .count = listed };
        bool known = token->token.size == 0 || contains(&by_text, &token->token);
        for (size_t k = listed; k < all->count && !known; k++)
            known = same_token(&all->items[k], token);
        if (known)
            continue;
        akin_status status = list_add(all, token, l->err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* Qwen2Tokenizer adds its special tokens once more at the end, with flags of its own. */
static akin_status add_again(akin_loader *l, struct akin_token_list *all)
{
    const struct akin_token_list *lists[] = { &l->named, &l->extra };
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < lists[k]->count; i++) {
            struct akin_named token = { .key = lists[k]->items[i].key };
            token.token.content = lists[k]->items[i].token.content;
            token.token.size = lists[k]->items[i].token.size;
            token.token.special = true;
            akin_status status = list_add(all, &token, l->err);
            if (status != AKIN_OK)
                return status;
        }
    }
    return AKIN_OK;
}

static int32_t id_of(const akin_loader *l, const char *key)
{
    const akin_added_token *token = akin_loader_named(l, key);
    return token != NULL ? akin_added_find(&l->t->added, token->content, token->size) : -1;
}

/* Those of the file, the listed ones by id, then named and further special tokens that are not
 * among them. */
akin_status akin_loader_build_added(akin_loader *l, akin_normalizer *normalize,
                                    const void *context)
{
    akin_status status;
    struct akin_token_list all = { 0 };
    akin_added_token *tokens = NULL;
    AKIN_TRY(list_added(l));
    for (size_t i = 0; i < l->in_file.count; i++)
        AKIN_TRY(list_add(&all, &l->in_file.items[i], l->err));
    size_t first = all.count;
    for (size_t i = 0; i < l->listed.count; i++)
        if (!in_file(l, l->listed.items[i]))
            AKIN_TRY(list_add(&all, &l->listed.items[i], l->err));
    size_t listed = all.count;
    AKIN_TRY(append_missing(l, &all, listed, &l->named));
    AKIN_TRY(append_missing(l, &all, listed, &l->extra));
    if (l->class == AKIN_CLASS_QWEN2)
        AKIN_TRY(add_again(l, &all));
    tokens = calloc(akin_max(all.count, 1), sizeof *tokens);
    if (tokens == NULL) {
        status = akin_fail_nomem(l->err, "added tokens", all.count * sizeof *tokens);
        goto out;
    }
    size_t count = 0;
    for (size_t i = 0; i < all.count; i++) {
        struct akin_named *item = &all.items[i];
        if (item->token.size == 0)
            continue;
        if (i >= first)
            item->token.special |= contains(&l->named, &item->token);
        item->token.normalized = item->normalized < 0 ? !item->token.special : item->normalized;
        tokens[count++] = item->token;
    }
    const char *path = l->tokenizer != NULL ? l->tokenizer_path : l->vocab_path;
    akin_tokenizer *t = l->t;
    AKIN_TRY(akin_added_build(&t->added, t->bpe, tokens, count, normalize, context, path, l->err));
    t->start = id_of(l, "bos_token");
    t->end = id_of(l, "eos_token");
    t->pad = id_of(l, "pad_token");
    t->separator = id_of(l, "sep_token");
    int32_t added = akin_added_end(&t->added), vocabulary = akin_bpe_size(t->bpe);
    t->size = added > vocabulary ? added : vocabulary;
out:
    free(all.items);
    free(tokens);
    return status;
}

/* ---- the rest of tokenizer_config.json */

/* A side: the config's, else the direction of a part of tokenizer.json, else right. */
static akin_status read_side(akin_loader *l, const char *field, const char *part, bool *left)
{
    const char *side = NULL;
    akin_status status =
        akin_json_text_field(l->config, l->config_path, NULL, field, &side, l->err);
    if (status != AKIN_OK)
        return status;
    if (side == NULL && akin_text_is(akin_json_get(l->tokenizer, part), "direction", "Left"))
        side = "left";
    if (side != NULL && strcmp(side, "left") != 0 && strcmp(side, "right") != 0)
        return akin_fail(l->err, AKIN_E_CONFIG, l->config_path,
                         "field '%s' is '%.60s'; left or right", field, side);
    *left = side != NULL && strcmp(side, "left") == 0;
    return AKIN_OK;
}

akin_status akin_loader_read_options(akin_loader *l)
{
    akin_status status = AKIN_OK;
    const char *path = l->config_path;
    AKIN_TRY(read_side(l, "truncation_side", "truncation", &l->t->truncate_left));
    AKIN_TRY(read_side(l, "padding_side", "padding", &l->t->pad_left));
    AKIN_TRY(akin_json_bool_field(l->config, path, NULL, "split_special_tokens",
                                  &l->t->split_special_tokens, l->err));
    double length = 0;
    if (!akin_field_absent(l->config, "max_len"))
        AKIN_TRY(akin_json_number_field(l->config, path, NULL, "max_len", &length, l->err));
    AKIN_TRY(akin_json_number_field(l->config, path, NULL, "model_max_length", &length, l->err));
    /* "No limit" is written as 10^30. */
    l->t->max_length = length >= 1 && length <= INT32_MAX ? (int32_t)length : 0;
    const akin_json *versions = akin_json_get(l->config, "fast_tokenizer_files");
    for (size_t i = 0; i < akin_json_count(versions); i++) {
        const char *name = akin_json_string(akin_json_at(versions, i));
        if (name == NULL || strcmp(name, "tokenizer.json") != 0)
            return akin_loader_refuse(l, path,
                          "field 'fast_tokenizer_files' names other files than tokenizer.json");
    }
out:
    return status;
}

