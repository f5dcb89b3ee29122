/* vocab_json.h - the two large parts of tokenizer.json and vocab.json, read straight into the
 * vocabulary and merges.
 *
 * As a tree of 250,000 values CLIP's tokenizer.json takes three times as long to open; the first
 * query of every process would pay that.
 */
#ifndef AKIN_TEXT_VOCAB_JSON_H
#define AKIN_TEXT_VOCAB_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "bpe.h"

/* A piece of a file's text, borrowed. */
typedef struct akin_span {
    const char *data;
    size_t size;
} akin_span;

/* Where model.vocab (an object) and model.merges (an array) stand in a tokenizer.json. False when
 * they do not, or when brackets and strings do not match; other syntax is not looked at. */
bool akin_vocab_find(const char *text, size_t size, akin_span *vocab, akin_span *merges);

/* {"entry": id, ...} into `bpe`. The span must hold just that, in strict JSON: AKIN_E_FORMAT. */
akin_status akin_vocab_read(akin_bpe *bpe, akin_span vocab, const char *path, akin_error *err);

/* ["a b", ...] or [["a", "b"], ...] into `bpe`, sealed before. */
akin_status akin_merges_read(akin_bpe *bpe, akin_span merges, const char *path, akin_error *err);

/* One merge written "left right". `unit` and `number` as for akin_bpe_add_merge. */
akin_status akin_merge_read(akin_bpe *bpe, akin_span merge, const char *unit, size_t number,
                            const char *path, akin_error *err);

#endif
