/* pipeline.h - what a tokenizer.json of the byte-level kind does to text before and after the
 * merges: normalizers, pre-tokenizers, template.
 *
 * Reference: tokenizers 0.23.3. Its regular expressions are not interpreted: the ones of published
 * tokenizers are known by their text and written in C. Every other component is refused by name
 * when the file is read (pipeline_load.c).
 */
#ifndef AKIN_TEXT_PIPELINE_H
#define AKIN_TEXT_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"

#define AKIN_STEPS_MAX 16     /* normalizers, or pre-tokenizers, of one tokenizer */
#define AKIN_LITERAL_MAX 1024 /* bytes of a literal in one */
#define AKIN_TEMPLATE_MAX 64  /* ids around a text */

typedef struct akin_normalize_step {
    enum {
        AKIN_NORMALIZE_NFC,
        AKIN_NORMALIZE_LOWER,
        AKIN_NORMALIZE_STRIP,   /* white space at the ends */
        AKIN_NORMALIZE_LITERAL, /* `find` becomes `put` */
        AKIN_NORMALIZE_SPACES,  /* a run of at least `least` characters of white space (`blank`: of
                                   U+0020) becomes `put` */
        AKIN_NORMALIZE_PREPEND  /* `put` before what is not empty */
    } kind;
    bool left, right, blank, single; /* single: every character of the run for itself */
    size_t least;
    char *find, *put; /* owned */
} akin_normalize_step;

typedef enum akin_pattern {
    AKIN_PATTERN_NONE, /* matches nothing and splits nothing */
    AKIN_PATTERN_GPT2,
    AKIN_PATTERN_CLIP,          /* without and with the literals of start and end */
    AKIN_PATTERN_CLIP_LITERALS,
    AKIN_PATTERN_CL100K,  /* GPT-4, Llama 3: contractions in any case, numbers by threes */
    AKIN_PATTERN_QWEN2,   /* the same with single digits */
    AKIN_PATTERN_NUMBER,  /* \p{N} */
    AKIN_PATTERN_NUMBER3, /* \p{N}{1,3} */
    AKIN_PATTERN_NUMERIC, /* Rust's char::is_numeric */
    AKIN_PATTERN_SPACE,   /* one character of white space */
    AKIN_PATTERN_SPACES,  /* \s+ */
    AKIN_PATTERN_WORDS,   /* \w+|[^\w\s]+ */
    AKIN_PATTERN_LITERAL
} akin_pattern;

typedef struct akin_split_step {
    akin_pattern pattern;
    enum {
        AKIN_SPLIT_ISOLATED, AKIN_SPLIT_REMOVED, AKIN_SPLIT_WITH_PREVIOUS, AKIN_SPLIT_WITH_NEXT,
        AKIN_SPLIT_CONTIGUOUS
    } behavior;
    bool invert;       /* what the pattern does not match is the match */
    bool prefix_space; /* first of all: a space before a piece that begins with none */
    char *literal;     /* owned */
    size_t literal_size;
} akin_split_step;

/* Immutable once built: share freely. */
typedef struct akin_pipeline {
    akin_normalize_step normalize[AKIN_STEPS_MAX];
    size_t normalize_count;
    akin_split_step split[AKIN_STEPS_MAX]; /* the last one is ByteLevel's */
    size_t split_count;
    bool byte_level; /* that one is there */
    int32_t before[AKIN_TEMPLATE_MAX], after[AKIN_TEMPLATE_MAX]; /* ids around a text */
    size_t before_count, after_count;
} akin_pipeline;

void akin_pipeline_free(akin_pipeline *p); /* takes NULL */

/* pipeline_load.c: the parts of a tokenizer.json into a zeroed pipeline. AKIN_E_UNSUPPORTED names
 * the component and its field, AKIN_E_TOKENIZER what is no such part at all; the caller frees. */
akin_status akin_pipeline_read_normalizer(akin_pipeline *p, const akin_json *part, const char *path,
                                          akin_error *err);
akin_status akin_pipeline_read_pre_tokenizer(akin_pipeline *p, const akin_json *part,
                                             const char *path, akin_error *err);
akin_status akin_pipeline_read_template(akin_pipeline *p, const akin_json *part, const char *path,
                                        akin_error *err);

/* Appends the normalised text, UTF-8 in and out: AKIN_E_LIMIT past 8 times its size and 4,096.
 * An akin_normalizer (added.h); `pipeline` is an akin_pipeline. */
akin_status akin_pipeline_normalize(const void *pipeline, const char *text, size_t size,
                                    akin_buffer *out, akin_error *err);

/* Splits normalised text, never empty, into words for the merges: calls `word` for each, until it
 * fails or *full. Linear in the size. */
typedef akin_status akin_word_sink(void *context, const char *word, size_t size);
akin_status akin_pipeline_split(const akin_pipeline *p, const char *text, size_t size,
                                akin_word_sink *word, void *context, const bool *full,
                                akin_error *err);

#endif
