/* tokenizer_parts.h - what a tokenizer consists of: tokenizer_load.c and tokenizer_json.c fill it
 * in, tokenizer.c uses it. */
#ifndef AKIN_TEXT_TOKENIZER_PARTS_H
#define AKIN_TEXT_TOKENIZER_PARTS_H

#include "added.h"
#include "bpe.h"
#include "pipeline.h"
#include "tokenizer.h"

struct akin_tokenizer {
    akin_bpe *bpe;
    akin_added added;
    akin_pipeline *pipeline;    /* of a tokenizer.json; NULL: CLIP's */
    akin_clean clean;           /* before everything */
    int32_t start, end;         /* ids of the start and end tokens; a pipeline has its template */
    int32_t pad, separator;     /* -1 when there is none */
    int32_t size, max_length;
    bool pad_left;              /* padding_side */
    bool truncate_left;         /* truncation_side: the first ids are dropped, not the last */
    bool split_special_tokens;  /* literals of special tokens are text */
    bool strip_separator;       /* its id is written as 0 */
    bool simple;                /* open_clip's SimpleTokenizer: nothing above but bpe, clean, start,
                                   end, pad and size */
};

/* Fills in a zeroed tokenizer from a folder. After an error the caller frees what is there. */
akin_status akin_tokenizer_load(akin_tokenizer *tokenizer, const char *folder, akin_error *err);
akin_status akin_tokenizer_load_json(akin_tokenizer *tokenizer, const char *folder,
                                     akin_error *err);

/* The normaliser: NFC, runs of white space to one space, lower case. Appends. An akin_normalizer
 * that needs no context. */
akin_status akin_tokenizer_normalize(const void *none, const char *text, size_t size,
                                     akin_buffer *out, akin_error *err);

/* The next word of the simple tokenizer in text[*end..size), which must be UTF-8: false when there
 * is none. *end is 0 to begin with. */
bool akin_simple_word(const char *text, size_t size, size_t *start, size_t *end);

#endif
