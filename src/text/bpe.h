/* bpe.h - byte-pair encoding over byte-level symbols: a vocabulary, the last symbol of a word
 * marked with a suffix (CLIP's is "</w>"), and merges in order of rank.
 *
 * Reference: tokenizers 0.23.3, BPE, no dropout, no continuing_subword_prefix. Refuses a vocabulary
 * whose ids are not 0..n-1, each once, and merges of unknown symbols.
 */
#ifndef AKIN_TEXT_BPE_H
#define AKIN_TEXT_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define AKIN_VOCABULARY_MAX (1 << 22) /* entries; CLIP's has 49,408 */
#define AKIN_SYMBOL_MAX 4095          /* bytes of one entry */
#define AKIN_SUFFIX_MAX 32            /* bytes of the mark at the end of a word */

/* Immutable once filled: share freely. Filled in this order: every akin_bpe_add_token, one
 * akin_bpe_seal, every akin_bpe_add_merge. */
typedef struct akin_bpe akin_bpe;

/* Room for this many entries and merges; more can be added. */
akin_status akin_bpe_new(akin_bpe **out, size_t tokens, size_t merges, akin_error *err);
void akin_bpe_free(akin_bpe *bpe); /* takes NULL */

/* The options of the reference's model; a new one has { .suffix = "</w>" }, CLIP's. */
typedef struct akin_bpe_options {
    const char *suffix;  /* at most AKIN_SUFFIX_MAX bytes; "" for none. Borrowed for the call */
    bool skip_unknown;   /* no unknown token: a symbol that the vocabulary lacks disappears */
    bool fuse_unknown;   /* neighbouring unknown symbols become one unknown token */
    bool byte_fallback;  /* the tokens <0x00>.. stand in for the bytes of a lacking symbol */
    bool ignore_merges;  /* a word that is an entry becomes it, whatever the merges say */
} akin_bpe_options;

/* To be called before akin_bpe_seal, if at all. */
void akin_bpe_configure(akin_bpe *bpe, const akin_bpe_options *options);

/* `path` is for messages, in all of these. AKIN_E_TOKENIZER names the entry. */
akin_status akin_bpe_add_token(akin_bpe *bpe, const char *token, size_t size, int64_t id,
                               const char *path, akin_error *err);

/* Checks that the ids are dense and looks up the 512 byte symbols; `unknown` stands in for one that
 * is missing (NULL with skip_unknown). */
akin_status akin_bpe_seal(akin_bpe *bpe, const char *unknown, const char *path, akin_error *err);

/* The next merge. `unit` and `number` are for messages: "line" 17, "merge" 17. Of a pair that is
 * named twice the last rank counts, as in the reference. */
akin_status akin_bpe_add_merge(akin_bpe *bpe, const char *left, size_t left_size, const char *right,
                               size_t right_size, const char *unit, size_t number, const char *path,
                               akin_error *err);

/* The id of an entry, -1 when there is none. */
int32_t akin_bpe_find(const akin_bpe *bpe, const char *token, size_t size);
int32_t akin_bpe_size(const akin_bpe *bpe);

/* One word's work space, reused from word to word; one thread at a time. Zeroed to begin with. */
typedef struct akin_bpe_scratch {
    struct akin_bpe_symbol *symbols;
    uint64_t *heap;
    size_t capacity; /* of symbols; the heap has twice as many */
    int32_t *ids;    /* the answer: borrowed until the next word (it lies where the heap was) */
    size_t count;
} akin_bpe_scratch;

void akin_bpe_scratch_clear(akin_bpe_scratch *scratch);

/* Encodes one word (raw bytes, 1 <= size < 2^31): scratch->ids[0..count). At most n log n time.
 * AKIN_E_TOKENIZER when the vocabulary lacks a byte of it and the unknown token too. */
akin_status akin_bpe_encode(const akin_bpe *bpe, akin_bpe_scratch *scratch, const char *word,
                            size_t size, akin_error *err);

#endif
