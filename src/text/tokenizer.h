/* tokenizer.h - UTF-8 to exactly the ids that the reference tokenizer of a checkpoint gives.
 *
 * Reference: transformers 5.23.0 CLIPTokenizer over tokenizers 0.23.3. Reads tokenizer.json, else
 * vocab.json + merges.txt, with tokenizer_config.json and special_tokens_map.json as the reference
 * uses them. Byte-level BPE of CLIP's kind only; another kind is refused by name.
 */
#ifndef AKIN_TEXT_TOKENIZER_H
#define AKIN_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "clean.h"

/* Immutable after open: share freely. */
typedef struct akin_tokenizer akin_tokenizer;

/* Reads the tokenizer files of a model folder in Hugging Face form. */
akin_status akin_tokenizer_open(akin_tokenizer **out, const char *folder, akin_error *err);

/* open_clip's SimpleTokenizer over the vocabulary of OpenAI's CLIP, a part of the library. */
akin_status akin_tokenizer_open_simple(akin_tokenizer **out, akin_clean clean, akin_error *err);

/* open_clip's HFTokenizer: the tokenizer.json of a folder, as transformers' AutoTokenizer loads it,
 * behind `clean`. Byte-level BPE; another kind of model is AKIN_E_UNSUPPORTED by name.
 * strip_sep: the separator token becomes id 0. */
akin_status akin_tokenizer_open_json(akin_tokenizer **out, const char *folder, akin_clean clean,
                                     bool strip_sep, akin_error *err);
void akin_tokenizer_close(akin_tokenizer *tokenizer); /* takes NULL */

/* Largest id + 1, over vocabulary and added tokens. */
int32_t akin_tokenizer_size(const akin_tokenizer *tokenizer);

/* The id that fills a text up to the model's length where a tower sees it: 0 for the simple
 * tokenizer, else the pad token's. *left: it goes before the text. */
int32_t akin_tokenizer_pad(const akin_tokenizer *tokenizer, bool *left);

/* model_max_length of tokenizer_config.json; 0 when it names none. */
int32_t akin_tokenizer_max_length(const akin_tokenizer *tokenizer);

/* Tokenises text[0..size), start and end tokens included, cut as the reference cuts: at most
 * max_tokens (>= 2) ids, the end token last. ids has room for max_tokens; *count gets how many were
 * written, *cut (may be NULL) whether something was left out. Never pads.
 * AKIN_E_UTF8 with the byte offset when text is not UTF-8; AKIN_E_LIMIT past 16 MiB;
 * AKIN_E_TOKENIZER when the vocabulary lacks a byte of the text and its unknown token. Time is at
 * most n log n in the size, for hostile text too; memory at most 64 bytes a byte of text. */
akin_status akin_tokenizer_encode(const akin_tokenizer *tokenizer, const char *text, size_t size,
                                  int32_t max_tokens, int32_t *ids, int32_t *count, bool *cut,
                                  akin_error *err);

#endif
