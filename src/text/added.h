/* added.h - added tokens: literals that become one id before (or after) normalisation.
 *
 * Reference: tokenizers 0.23.3 AddedVocabulary: ids for what the vocabulary lacks, leftmost-longest
 * search, single_word, lstrip and rstrip, the quirks of adding one literal twice included.
 */
#ifndef AKIN_TEXT_ADDED_H
#define AKIN_TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "bpe.h"

#define AKIN_ADDED_MAX 10000      /* added tokens of a tokenizer */
#define AKIN_ADDED_SIZE_MAX 1024 /* bytes of one: a search costs at most this much a byte of text */

/* One token as a file gives it. */
typedef struct akin_added_token {
    const char *content; /* borrowed; not empty */
    size_t size;
    bool special, normalized, single_word, lstrip, rstrip;
} akin_added_token;

/* Immutable once built: share freely. */
typedef struct akin_added {
    struct akin_added_entry *entries; /* one a content */
    size_t count;
    struct akin_added_patterns {
        struct akin_added_pattern *list; /* sorted by bytes, no two equal */
        size_t count;
        uint32_t first[257]; /* patterns that begin with byte b: first[b] .. first[b + 1] */
    } raw, normalized;
} akin_added;

/* Adds `tokens` in this order, as one call of the reference's add_tokens would. `normalize` makes
 * what a normalized token is searched for; it appends to its buffer. Initialises `added`. */
typedef akin_status akin_normalizer(const void *context, const char *text, size_t size,
                                    akin_buffer *out, akin_error *err);
akin_status akin_added_build(akin_added *added, const akin_bpe *bpe, const akin_added_token *tokens,
                             size_t count, akin_normalizer *normalize, const void *context,
                             const char *path, akin_error *err);
void akin_added_clear(akin_added *added);

/* The id of a token by its content, -1 when it is none of these. */
int32_t akin_added_find(const akin_added *added, const char *content, size_t size);

/* Largest id + 1; 0 when there are none. */
int32_t akin_added_end(const akin_added *added);

/* A search, begun with { .text, .size } and the rest zero. The text between two matches is
 * [search.done, match.start). */
typedef struct akin_added_search {
    const char *text;
    size_t size;
    size_t done; /* end of the last match, stripped spaces included */
    size_t at;   /* where to look on */
} akin_added_search;

typedef struct akin_added_match {
    size_t start, stop; /* stripped spaces included */
    int32_t id;
} akin_added_match;

/* The next match among the tokens for raw text or among those for normalised text. The caller sets
 * search->done to match->stop before the next call. */
bool akin_added_next(const akin_added *added, bool normalized, bool skip_special,
                     akin_added_search *search, akin_added_match *match);

#endif
