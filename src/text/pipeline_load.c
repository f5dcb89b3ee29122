/* pipeline_load.c - normalizer, pre_tokenizer and post_processor of a tokenizer.json. */
#include "pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 8 /* Sequences in Sequences */

/* The part being read, for messages. */
struct place {
    akin_pipeline *p;
    const char *path; /* of the file */
    akin_error *err;
    const char *room; /* "normalizer" */
    char where[200];  /* "normalizer.normalizers[1]" */
    int depth;
};

static akin_status malformed(const struct place *at, const char *field, const char *what)
{
    return akin_fail(at->err, AKIN_E_TOKENIZER, at->path, "field '%s.%s' %s", at->where, field,
                     what);
}

static akin_status unsupported(const struct place *at, const char *type)
{
    return akin_fail(at->err, AKIN_E_UNSUPPORTED, at->path,
                     "%s: %s %s is not read; akin reads tokenizers of byte-level BPE", at->where,
                     at->room, type);
}

/* The "type" of a part, which must be an object that has one. */
static akin_status type_of(const struct place *at, const akin_json *part, const char **type)
{
    *type = akin_json_string(akin_json_get(part, "type"));
    if (*type == NULL)
        return malformed(at, "type", "is missing");
    return AKIN_OK;
}

static akin_status required_bool(const struct place *at, const akin_json *part, const char *field,
                                 bool *out)
{
    const akin_json *value = akin_json_get(part, field);
    if (!akin_json_is_bool(value))
        return malformed(at, field, "must be true or false");
    *out = akin_json_is_true(value);
    return AKIN_OK;
}

/* A string of at most AKIN_LITERAL_MAX bytes, copied. */
static akin_status copy_text(const struct place *at, const akin_json *part, const char *field,
                             bool empty_too, char **out)
{
    const char *text = akin_json_string(akin_json_get(part, field));
    if (text == NULL)
        return malformed(at, field, "must be a string");
    if (*text == '\0' && !empty_too)
        return malformed(at, field, "must not be empty");
    if (strlen(text) > AKIN_LITERAL_MAX)
        return malformed(at, field, "is longer than 1024 bytes");
    *out = strdup(text);
    return *out != NULL ? AKIN_OK : akin_fail_nomem(at->err, "a tokenizer", strlen(text));
}

/* Calls `read` for each part of the Sequence `list`. */
typedef akin_status part_reader(struct place *at, const akin_json *part);

static akin_status read_sequence(struct place *at, const akin_json *part, const char *field,
                                 part_reader *read)
{
    const akin_json *list = akin_json_get(part, field);
    size_t end = strlen(at->where);
    if (!akin_json_is_array(list))
        return malformed(at, field, "must be an array");
    if (at->depth == DEPTH_MAX)
        return malformed(at, field, "lies in too many Sequences; the limit is 8");
    at->depth++;
    for (size_t i = 0; i < akin_json_count(list); i++) {
        snprintf(at->where + end, sizeof at->where - end, ".%s[%zu]", field, i);
        akin_status status = read(at, akin_json_at(list, i));
        if (status != AKIN_OK)
            return status;
    }
    at->where[end] = '\0';
    at->depth--;
    return AKIN_OK;
}

/* ---- normalizers */

static akin_status next_normalize(struct place *at, akin_normalize_step **out)
{
    if (at->p->normalize_count == AKIN_STEPS_MAX)
        return akin_fail(at->err, AKIN_E_LIMIT, at->path, "%s: more than %d normalizers",
                         at->where, AKIN_STEPS_MAX);
    *out = &at->p->normalize[at->p->normalize_count++];
    return AKIN_OK;
}

static akin_status read_replace(struct place *at, const akin_json *part, akin_normalize_step *step)
{
    /* What is found in published files, and means one of two things. */
    static const struct { const char *regex; size_t least; bool blank, single; } runs[] = {
        { "\\s+", 1, false, false }, { "\\s", 1, false, true },   { "\\s{2,}", 2, false, false },
        { " +", 1, true, false },    { " {2,}", 2, true, false }, { "[ ]+", 1, true, false },
    };
    const akin_json *pattern = akin_json_get(part, "pattern");
    const char *regex = akin_json_string(akin_json_get(pattern, "Regex"));
    akin_status status = copy_text(at, part, "content", true, &step->put);
    if (status != AKIN_OK)
        return status;
    if (akin_json_get(pattern, "String") != NULL) {
        step->kind = AKIN_NORMALIZE_LITERAL;
        return copy_text(at, pattern, "String", false, &step->find);
    }
    if (regex == NULL)
        return malformed(at, "pattern", "has neither String nor Regex");
    step->kind = AKIN_NORMALIZE_SPACES;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        if (strcmp(regex, runs[i].regex) == 0) {
            step->least = runs[i].least;
            step->blank = runs[i].blank;
            step->single = runs[i].single;
            return AKIN_OK;
        }
    }
    return akin_fail(at->err, AKIN_E_UNSUPPORTED, at->path,
                     "%s.pattern: Replace of the regular expression '%.80s' is not read; \\s+ is",
                     at->where, regex);
}

static akin_status read_normalizer(struct place *at, const akin_json *part)
{
    akin_status status;
    akin_normalize_step *step = NULL;
    const char *type;
    AKIN_TRY(type_of(at, part, &type));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(at, part, "normalizers", read_normalizer);
    if (strcmp(type, "NFC") != 0 && strcmp(type, "Lowercase") != 0 &&
        strcmp(type, "Strip") != 0 && strcmp(type, "Replace") != 0 &&
        strcmp(type, "Prepend") != 0)
        return unsupported(at, type);
    AKIN_TRY(next_normalize(at, &step));
    if (strcmp(type, "NFC") == 0) {
        step->kind = AKIN_NORMALIZE_NFC;
    } else if (strcmp(type, "Lowercase") == 0) {
        step->kind = AKIN_NORMALIZE_LOWER;
    } else if (strcmp(type, "Strip") == 0) {
        step->kind = AKIN_NORMALIZE_STRIP;
        AKIN_TRY(required_bool(at, part, "strip_left", &step->left));
        AKIN_TRY(required_bool(at, part, "strip_right", &step->right));
    } else if (strcmp(type, "Replace") == 0) {
        AKIN_TRY(read_replace(at, part, step));
    } else {
        step->kind = AKIN_NORMALIZE_PREPEND;
        AKIN_TRY(copy_text(at, part, "prepend", true, &step->put));
    }
out:
    return status;
}

akin_status akin_pipeline_read_normalizer(akin_pipeline *p, const akin_json *part, const char *path,
                                          akin_error *err)
{
    struct place at = { .p = p, .path = path, .err = err, .room = "normalizer",
                        .where = "normalizer" };
    return part == NULL || akin_json_is_null(part) ? AKIN_OK : read_normalizer(&at, part);
}

/* ---- pre-tokenizers */

#define NEWLINES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define OTHERS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
#define CLIP_TAIL "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"

static const struct { const char *regex; akin_pattern pattern; } known_patterns[] = {
    { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      AKIN_PATTERN_GPT2 },
    { "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
      AKIN_PATTERN_GPT2 },
    { CLIP_TAIL, AKIN_PATTERN_CLIP },
    { "<\\|startoftext\\|>|<\\|endoftext\\|>|" CLIP_TAIL, AKIN_PATTERN_CLIP_LITERALS },
    { CONTRACTIONS LETTERS "\\p{N}{1,3}" OTHERS NEWLINES, AKIN_PATTERN_CL100K },
    { "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}"
      "| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
      AKIN_PATTERN_CL100K },
    { CONTRACTIONS LETTERS "\\p{N}" OTHERS NEWLINES, AKIN_PATTERN_QWEN2 },
    { "\\p{N}", AKIN_PATTERN_NUMBER },
    { "[\\p{N}]", AKIN_PATTERN_NUMBER },
    { "\\p{N}{1,3}", AKIN_PATTERN_NUMBER3 },
    { "\\s", AKIN_PATTERN_SPACE },
    { "\\s+", AKIN_PATTERN_SPACES },
};

static akin_status read_behavior(struct place *at, const akin_json *part, akin_split_step *step)
{
    static const char *const names[] = { "Isolated", "Removed", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    const char *name = akin_json_string(akin_json_get(part, "behavior"));
    for (int i = 0; name != NULL && i < 5; i++) {
        if (strcmp(name, names[i]) == 0) {
            step->behavior = AKIN_SPLIT_ISOLATED + i;
            return AKIN_OK;
        }
    }
    return malformed(at, "behavior", "is none that there is");
}

static akin_status read_split(struct place *at, const akin_json *part, akin_split_step *step)
{
    akin_status status;
    const akin_json *pattern = akin_json_get(part, "pattern");
    const char *regex = akin_json_string(akin_json_get(pattern, "Regex"));
    AKIN_TRY(read_behavior(at, part, step));
    AKIN_TRY(required_bool(at, part, "invert", &step->invert));
    if (akin_json_get(pattern, "String") != NULL) {
        step->pattern = AKIN_PATTERN_LITERAL;
        AKIN_TRY(copy_text(at, pattern, "String", false, &step->literal));
        step->literal_size = strlen(step->literal);
        return AKIN_OK;
    }
    if (regex == NULL)
        return malformed(at, "pattern", "has neither String nor Regex");
    for (size_t i = 0; i < sizeof known_patterns / sizeof *known_patterns; i++) {
        if (strcmp(regex, known_patterns[i].regex) == 0) {
            step->pattern = known_patterns[i].pattern;
            return AKIN_OK;
        }
    }
    return akin_fail(at->err, AKIN_E_UNSUPPORTED, at->path,
                     "%s.pattern: Split by the regular expression '%.80s' is not read; those of "
                     "GPT-2, CLIP, GPT-4 (Llama 3) and Qwen 2 are",
                     at->where, regex);
out:
    return status;
}

static akin_status read_pre_tokenizer(struct place *at, const akin_json *part)
{
    akin_status status;
    const char *type;
    akin_pipeline *p = at->p;
    AKIN_TRY(type_of(at, part, &type));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(at, part, "pretokenizers", read_pre_tokenizer);
    bool digits = strcmp(type, "Digits") == 0, words = strcmp(type, "Whitespace") == 0;
    bool spaces = strcmp(type, "WhitespaceSplit") == 0, split = strcmp(type, "Split") == 0;
    if (!digits && !words && !spaces && !split && strcmp(type, "ByteLevel") != 0)
        return unsupported(at, type);
    if (p->byte_level)
        return akin_fail(at->err, AKIN_E_UNSUPPORTED, at->path,
                         "%s: pre_tokenizer %s after ByteLevel is not read", at->where, type);
    if (p->split_count == AKIN_STEPS_MAX)
        return akin_fail(at->err, AKIN_E_LIMIT, at->path, "%s: more than %d pre-tokenizers",
                         at->where, AKIN_STEPS_MAX);
    akin_split_step *step = &p->split[p->split_count++];
    if (digits) {
        bool single = false;
        AKIN_TRY(required_bool(at, part, "individual_digits", &single));
        step->pattern = AKIN_PATTERN_NUMERIC;
        step->behavior = single ? AKIN_SPLIT_ISOLATED : AKIN_SPLIT_CONTIGUOUS;
    } else if (words || spaces) {
        step->pattern = words ? AKIN_PATTERN_WORDS : AKIN_PATTERN_SPACE;
        step->behavior = AKIN_SPLIT_REMOVED;
        step->invert = words;
    } else if (split) {
        AKIN_TRY(read_split(at, part, step));
    } else {
        bool regex = true;
        AKIN_TRY(required_bool(at, part, "add_prefix_space", &step->prefix_space));
        if (akin_json_get(part, "use_regex") != NULL)
            AKIN_TRY(required_bool(at, part, "use_regex", &regex));
        step->pattern = regex ? AKIN_PATTERN_GPT2 : AKIN_PATTERN_NONE;
        p->byte_level = true;
    }
out:
    return status;
}

akin_status akin_pipeline_read_pre_tokenizer(akin_pipeline *p, const akin_json *part,
                                             const char *path, akin_error *err)
{
    struct place at = { .p = p, .path = path, .err = err, .room = "pre_tokenizer",
                        .where = "pre_tokenizer" };
    if (part != NULL && !akin_json_is_null(part)) {
        akin_status status = read_pre_tokenizer(&at, part);
        if (status != AKIN_OK)
            return status;
    }
    if (!p->byte_level)
        return akin_fail(err, AKIN_E_UNSUPPORTED, path,
                         "pre_tokenizer: BPE without ByteLevel is not read");
    return AKIN_OK;
}

/* ---- post-processors */

static akin_status add_ids(struct place *at, int32_t *ids, size_t *count, const int32_t *more,
                           size_t more_count)
{
    if (more_count > AKIN_TEMPLATE_MAX - *count)
        return akin_fail(at->err, AKIN_E_LIMIT, at->path, "%s: more than %d ids around a text",
                         at->where, AKIN_TEMPLATE_MAX);
    memcpy(ids + *count, more, more_count * sizeof *ids);
    *count += more_count;
    return AKIN_OK;
}

/* Only one processor may add ids: of two, the reference leaves room for those of one when it cuts a
 * text, which comes out too long. */
static akin_status set_template(struct place *at, const int32_t *before, size_t before_count,
                                const int32_t *after, size_t after_count)
{
    akin_pipeline *p = at->p;
    akin_status status;
    if (p->before_count + p->after_count != 0 && before_count + after_count != 0)
        return akin_fail(at->err, AKIN_E_UNSUPPORTED, at->path,
                         "%s: two post_processors that add tokens are not read", at->where);
    AKIN_TRY(add_ids(at, p->before, &p->before_count, before, before_count));
    AKIN_TRY(add_ids(at, p->after, &p->after_count, after, after_count));
out:
    return status;
}

static bool read_id(const akin_json *value, int32_t *out)
{
    double number = akin_json_double(value);
    if (!akin_json_is_number(value) || !(number >= 0 && number <= INT32_MAX) ||
        number != (double)(int32_t)number)
        return false;
    *out = (int32_t)number;
    return true;
}

/* ["</s>", 2] */
static akin_status read_pair(struct place *at, const akin_json *part, const char *field,
                             int32_t *id)
{
    const akin_json *pair = akin_json_get(part, field);
    if (akin_json_count(pair) != 2 || !akin_json_is_string(akin_json_at(pair, 0)) ||
        !read_id(akin_json_at(pair, 1), id))
        return malformed(at, field, "must be a token and its id");
    return AKIN_OK;
}

/* {"single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}, ...],
 *  "special_tokens": {"<s>": {"ids": [0], ...}, ...}} */
static akin_status read_template(struct place *at, const akin_json *part)
{
    akin_status status;
    int32_t ids[2][AKIN_TEMPLATE_MAX];
    size_t counts[2] = { 0, 0 };
    int side = 0; /* 1: behind the text */
    const akin_json *single = akin_json_get(part, "single");
    if (!akin_json_is_array(single))
        return malformed(at, "single", "must be an array");
    for (size_t i = 0; i < akin_json_count(single); i++) {
        const akin_json *piece = akin_json_at(single, i);
        const akin_json *special = akin_json_get(piece, "SpecialToken");
        const char *sequence =
            akin_json_string(akin_json_get(akin_json_get(piece, "Sequence"), "id"));
        const char *name = akin_json_string(akin_json_get(special, "id"));
        if (sequence != NULL && strcmp(sequence, "A") == 0 && side == 0) {
            side = 1;
            continue;
        }
        if (name == NULL)
            return malformed(at, "single", "must be special tokens around one sequence A");
        const akin_json *list =
            akin_json_get(akin_json_get(akin_json_get(part, "special_tokens"), name), "ids");
        if (akin_json_count(list) == 0)
            return akin_fail(at->err, AKIN_E_TOKENIZER, at->path,
                             "field '%s.special_tokens' has no ids of '%.60s'", at->where, name);
        for (size_t k = 0; k < akin_json_count(list); k++) {
            int32_t id;
            if (!read_id(akin_json_at(list, k), &id))
                return akin_fail(at->err, AKIN_E_TOKENIZER, at->path,
                                 "field '%s.special_tokens': id %zu of '%.60s' is none", at->where,
                                 k, name);
            AKIN_TRY(add_ids(at, ids[side], &counts[side], &id, 1));
        }
    }
    if (side == 0)
        return malformed(at, "single", "must be special tokens around one sequence A");
    AKIN_TRY(set_template(at, ids[0], counts[0], ids[1], counts[1]));
out:
    return status;
}

static akin_status read_processor(struct place *at, const akin_json *part)
{
    akin_status status;
    const char *type;
    AKIN_TRY(type_of(at, part, &type));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(at, part, "processors", read_processor);
    if (strcmp(type, "ByteLevel") == 0) /* moves offsets only */
        return AKIN_OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(at, part);
    if (strcmp(type, "RobertaProcessing") != 0 && strcmp(type, "BertProcessing") != 0)
        return unsupported(at, type);
    int32_t start, end;
    AKIN_TRY(read_pair(at, part, "cls", &start));
    AKIN_TRY(read_pair(at, part, "sep", &end));
    AKIN_TRY(set_template(at, &start, 1, &end, 1));
out:
    return status;
}

akin_status akin_pipeline_read_template(akin_pipeline *p, const akin_json *part, const char *path,
                                        akin_error *err)
{
    struct place at = { .p = p, .path = path, .err = err, .room = "post_processor",
                        .where = "post_processor" };
    return part == NULL || akin_json_is_null(part) ? AKIN_OK : read_processor(&at, part);
}
