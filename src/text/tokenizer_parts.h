/* tokenizer_parts.h - what a tokenizer consists of: tokenizer_load.c fills it in, tokenizer.c uses
 * it. */
#ifndef AKIN_TEXT_TOKENIZER_PARTS_H
#define AKIN_TEXT_TOKENIZER_PARTS_H

#include "added.h"
#include "bpe.h"
#include "tokenizer.h"

struct akin_tokenizer {
    akin_bpe *bpe;
    akin_added added;
    int32_t start, end;         /* ids of the start and end tokens */
    int32_t size, max_length;
    bool truncate_left;         /* truncation_side: the first ids are dropped, not the last */
    bool split_special_tokens;  /* literals of special tokens are text */
};

/* Fills in a zeroed tokenizer from a folder. After an error the caller frees what is there. */
akin_status akin_tokenizer_load(akin_tokenizer *tokenizer, const char *folder, akin_error *err);

/* The normaliser: NFC, runs of white space to one space, lower case. Appends. */
akin_status akin_tokenizer_normalize(const char *text, size_t size, akin_buffer *out,
                                     akin_error *err);

#endif
