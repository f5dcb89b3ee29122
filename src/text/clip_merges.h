/* clip_merges.h - the merge list of OpenAI's CLIP, a part of the library. */
#ifndef AKIN_TEXT_CLIP_MERGES_H
#define AKIN_TEXT_CLIP_MERGES_H

#include "bpe.h"

#define AKIN_CLIP_MERGES 48894

/* CLIP's vocabulary: 256 byte symbols, the same at the end of a word, what the merges make, then
 * `specials` (at most 2; NULL is none) with the ids that follow. */
akin_status akin_clip_vocabulary(akin_bpe **out, const char *const specials[2], akin_error *err);

#endif
