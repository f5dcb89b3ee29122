/* tokenizer_json.c - a folder's tokenizer.json of the byte-level BPE kind, as AutoTokenizer
 * loads it.
 *
 * Reference: transformers 5.23.0 AutoTokenizer.from_pretrained over tokenizers 0.23.3. The class
 * that a folder asks for decides what counts: TokenizersBackend (PreTrainedTokenizerFast) uses the
 * file as it is, GPT2Tokenizer, RobertaTokenizer and Qwen2Tokenizer build normalizer and
 * pre-tokenizer themselves and CLIPTokenizer all but the vocabulary (tokenizer_load.c). Every other
 * class and kind of model is refused by name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "tokenizer_files.h"

#include "tokenizer_classes.h"

#define CONFIG_MAX (4u << 20)

/* ---- which class */

/* What the folder says about itself. Borrowed from its JSON. */
struct asked {
    const char *class;  /* tokenizer_class, of tokenizer_config.json before config.json's */
    bool in_tokenizer;  /* it is the former's */
    const char *type;   /* model_type; NULL when there is none or transformers knows no such */
    const char *type_class;
    bool forced;
    bool code; /* it wants to run Python code of its own */
};

/* Whether two names are one class: "Fast" does not count. */
static size_t class_length(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, "Fast") == 0 ? n - 4 : n;
}

static bool same_class(const char *a, const char *b)
{
    size_t n = class_length(a);
    return n == class_length(b) && memcmp(a, b, n) == 0;
}

/* -1: a class that is not read here. */
static int class_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof tokenizer_classes / sizeof *tokenizer_classes; i++)
        if (same_class(tokenizer_classes[i].name, name))
            return tokenizer_classes[i].class;
    return AKIN_CLASS_FILE;
}

/* AutoTokenizer's way through its conditions; *name is the class it comes to. */
static int choose_class(const struct asked *a, const akin_buffer *file, const char **name)
{
    *name = a->class != NULL ? a->class : "TokenizersBackend";
    if (a->class != NULL && !a->code) {
        if (same_class(a->class, "LlamaTokenizer") && !a->forced && file->data != NULL &&
            memmem(file->data, file->size, "\"ByteLevel\"", 11) != NULL)
            return AKIN_CLASS_FILE;
        if (a->type_class != NULL && !same_class(a->type_class, a->class)) {
            if (same_class(a->type_class, "TokenizersBackend"))
                return AKIN_CLASS_FILE;
            if (a->forced)
                *name = a->type_class;
            return class_by_name(*name);
        }
    }
    if (a->class == NULL && a->type_class != NULL)
        *name = a->type_class;
    /* A name that only config.json gives is looked up without a way out. */
    int class = class_by_name(*name);
    bool plain = same_class(*name, "PreTrainedTokenizer") || same_class(*name, "BloomTokenizer") ||
                 same_class(*name, "TokenizersBackend");
    return class == AKIN_CLASS_FILE && a->class != NULL && !a->in_tokenizer && !plain ? -1 : class;
}

static akin_status read_asked(akin_loader *l, const akin_json *config, const char *config_path,
                              struct asked *a)
{
    akin_status status;
    const akin_json *map = akin_json_get(l->config, "auto_map");
    const char *of_tokenizer = NULL, *of_model = NULL;
    AKIN_TRY(akin_json_text_field(l->config, l->config_path, NULL, "tokenizer_class", &of_tokenizer,
                                  l->err));
    AKIN_TRY(akin_json_text_field(config, config_path, NULL, "tokenizer_class", &of_model, l->err));
    AKIN_TRY(akin_json_text_field(config, config_path, NULL, "model_type", &a->type, l->err));
    a->in_tokenizer = of_tokenizer != NULL && *of_tokenizer != '\0';
    a->class = a->in_tokenizer ? of_tokenizer : of_model;
    a->code = akin_json_is_array(map) || !akin_field_absent(map, "AutoTokenizer");
    for (size_t i = 0; a->type != NULL &&
                       i < sizeof tokenizer_model_types / sizeof *tokenizer_model_types; i++) {
        if (strcmp(tokenizer_model_types[i].type, a->type) == 0) {
            a->type_class = tokenizer_model_types[i].class;
            a->forced = tokenizer_model_types[i].forced != 0;
        }
    }
    if (a->code && a->type_class == NULL &&
        (a->class == NULL || class_by_name(a->class) == AKIN_CLASS_FILE))
        return akin_fail(l->err, AKIN_E_UNSAFE, l->config_path,
                         "field 'auto_map': the tokenizer is Python code of this folder, which "
                         "akin does not run");
out:
    return status;
}

/* ---- the parts */

static akin_status check_model(akin_loader *l, const akin_json *model)
{
    const char *path = l->tokenizer_path;
    if (!akin_json_is_object(model))
        return akin_loader_refuse(l, path, "field 'model' must be an object");
    if (!akin_field_absent(model, "type") && !akin_type_is(model, "BPE"))
        return akin_fail(l->err, AKIN_E_UNSUPPORTED, path,
                         "model of type %s; akin reads byte-level BPE", akin_type_of(model));
    if (!akin_field_absent(model, "continuing_subword_prefix") &&
        !akin_text_is(model, "continuing_subword_prefix", ""))
        return akin_fail(l->err, AKIN_E_UNSUPPORTED, path,
                         "field 'model.continuing_subword_prefix': BPE with one is not read");
    if (!akin_field_absent(model, "dropout") &&
        akin_json_double(akin_json_get(model, "dropout")) != 0)
        return akin_fail(l->err, AKIN_E_UNSUPPORTED, path,
                         "field 'model.dropout': ids that change from call to call");
    return AKIN_OK;
}

/* The vocabulary, with the options of the file or, when the class builds the model, without any. */
static akin_status read_model(akin_loader *l)
{
    akin_status status;
    const char *path = l->tokenizer_path, *unknown = NULL, *suffix = "";
    const akin_json *model = akin_json_get(l->tokenizer, "model");
    akin_bpe_options options = { .skip_unknown = true };
    AKIN_TRY(check_model(l, model));
    if (l->class == AKIN_CLASS_FILE) {
        AKIN_TRY(akin_json_text_field(model, path, "model", "unk_token", &unknown, l->err));
        AKIN_TRY(akin_json_text_field(model, path, "model", "end_of_word_suffix", &suffix, l->err));
        AKIN_TRY(
            akin_json_bool_field(model, path, "model", "fuse_unk", &options.fuse_unknown, l->err));
        AKIN_TRY(akin_json_bool_field(model, path, "model", "byte_fallback", &options.byte_fallback,
                                      l->err));
        AKIN_TRY(akin_json_bool_field(model, path, "model", "ignore_merges", &options.ignore_merges,
                                      l->err));
        options.skip_unknown = unknown == NULL;
    }
    if (strlen(suffix) > AKIN_SUFFIX_MAX)
        return akin_fail(l->err, AKIN_E_LIMIT, path,
                         "field 'model.end_of_word_suffix' has %zu bytes; the limit is %d",
                         strlen(suffix), AKIN_SUFFIX_MAX);
    options.suffix = suffix;
    AKIN_TRY(akin_loader_read_model(l, &options, unknown));
out:
    return status;
}

/* What GPT2Tokenizer, RobertaTokenizer and Qwen2Tokenizer build. */
static akin_status build_steps(akin_loader *l)
{
    akin_pipeline *p = l->t->pipeline;
    bool space = false;
    akin_status status =
        akin_json_bool_field(l->config, l->config_path, NULL, "add_prefix_space", &space, l->err);
    if (l->class == AKIN_CLASS_QWEN2) {
        p->normalize[p->normalize_count++] =
            (akin_normalize_step){ .kind = AKIN_NORMALIZE_NFC };
        p->split[p->split_count++] = (akin_split_step){ .pattern = AKIN_PATTERN_QWEN2 };
    }
    p->split[p->split_count++] = (akin_split_step){
        .pattern = l->class == AKIN_CLASS_QWEN2 ? AKIN_PATTERN_NONE : AKIN_PATTERN_GPT2,
        .prefix_space = space
    };
    return status;
}

static akin_status read_steps(akin_loader *l)
{
    akin_status status;
    akin_pipeline *p = l->t->pipeline;
    const char *path = l->tokenizer_path;
    const akin_json *file = l->tokenizer;
    if (l->class == AKIN_CLASS_FILE) {
        AKIN_TRY(akin_pipeline_read_normalizer(p, akin_json_get(file, "normalizer"), path, l->err));
        AKIN_TRY(akin_pipeline_read_pre_tokenizer(p, akin_json_get(file, "pre_tokenizer"), path,
                                                  l->err));
    } else {
        AKIN_TRY(build_steps(l));
    }
    if (l->class != AKIN_CLASS_ROBERTA)
        AKIN_TRY(
            akin_pipeline_read_template(p, akin_json_get(file, "post_processor"), path, l->err));
out:
    return status;
}

/* RobertaTokenizer's template: cls and sep, whatever the file says. */
static akin_status roberta_template(akin_loader *l)
{
    akin_pipeline *p = l->t->pipeline;
    const akin_added_token *start = akin_loader_named(l, "cls_token");
    if (start == NULL || l->t->separator < 0)
        return akin_loader_refuse(l, l->config_path,
                                  "RobertaTokenizer needs a cls_token and a sep_token");
    p->before[p->before_count++] = akin_added_find(&l->t->added, start->content, start->size);
    p->after[p->after_count++] = l->t->separator;
    return AKIN_OK;
}

akin_status akin_tokenizer_load_json(akin_tokenizer *t, const char *folder, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_loader l = { .class = AKIN_CLASS_FILE };
    struct asked asked = { 0 };
    akin_json *config = NULL;
    char *config_path = akin_path_join(folder, "config.json");
    if (config_path == NULL) {
        status = akin_fail_nomem(err, "path", 0);
        goto out;
    }
    AKIN_TRY(akin_loader_open(&l, t, folder, err));
    status = akin_json_read(config_path, CONFIG_MAX, &config, err);
    if (status != AKIN_OK && status != AKIN_E_NOT_FOUND)
        goto out;
    AKIN_TRY(read_asked(&l, config, config_path, &asked));
    const char *name;
    int class = choose_class(&asked, &l.text, &name);
    if (class < 0) {
        status = akin_fail(err, AKIN_E_UNSUPPORTED,
                           asked.class != NULL && asked.in_tokenizer ? l.config_path : config_path,
                           "tokenizer class %.60s is not read; akin reads byte-level BPE: "
                           "PreTrainedTokenizerFast, CLIP's, GPT-2's, RoBERTa's and Qwen 2's",
                           name);
        goto out;
    }
    if (class == AKIN_CLASS_CLIP) {
        status = akin_tokenizer_load(t, folder, err);
        goto out;
    }
    l.class = (akin_tokenizer_class)class;
    if (l.tokenizer == NULL) {
        status = akin_fail(err, AKIN_E_NOT_FOUND, l.tokenizer_path,
                           "the tokenizer is read from tokenizer.json, which is not here");
        goto out;
    }
    if (akin_json_is_true(akin_json_get(l.config, "fix_mistral_regex"))) {
        status = akin_fail(err, AKIN_E_UNSUPPORTED, l.config_path,
                           "field 'fix_mistral_regex': Mistral's pattern is not read");
        goto out;
    }
    t->pipeline = calloc(1, sizeof *t->pipeline);
    if (t->pipeline == NULL) {
        status = akin_fail_nomem(err, "a tokenizer", sizeof *t->pipeline);
        goto out;
    }
    AKIN_TRY(akin_loader_read_special(&l));
    AKIN_TRY(akin_loader_read_options(&l));
    AKIN_TRY(read_model(&l));
    AKIN_TRY(read_steps(&l));
    AKIN_TRY(akin_loader_build_added(&l, akin_pipeline_normalize, t->pipeline));
    if (l.class == AKIN_CLASS_ROBERTA)
        AKIN_TRY(roberta_template(&l));
    for (size_t i = 0; i < t->pipeline->before_count; i++)
        if (t->pipeline->before[i] >= t->size)
            t->size = t->pipeline->before[i] + 1;
    for (size_t i = 0; i < t->pipeline->after_count; i++)
        if (t->pipeline->after[i] >= t->size)
            t->size = t->pipeline->after[i] + 1;
out:
    akin_json_free(config);
    free(config_path);
    akin_loader_clear(&l);
    return status;
}
