/* fuzz_text.h - what holds of the ids of any text, whatever the tokenizer. */
#ifndef AKIN_FUZZ_TEXT_H
#define AKIN_FUZZ_TEXT_H

#include "fuzz.h"
#include "text/tokenizer.h"

enum { FUZZ_IDS = 4096, FUZZ_SHORT = 9 };

static inline void check_text(const akin_tokenizer *t, const char *text, size_t size)
{
    static int32_t ids[FUZZ_IDS], again[FUZZ_IDS], few[FUZZ_SHORT + 1];
    int32_t count = 0, second = 0, short_count = 0;
    bool cut = false, short_cut = false;
    akin_error err;
    akin_status status =
        judged(akin_tokenizer_encode(t, text, size, FUZZ_IDS, ids, &count, &cut, &err), &err);
    if (status != AKIN_OK)
        return;
    HOLDS(count >= 0 && count <= FUZZ_IDS);
    for (int32_t i = 0; i < count; i++)
        HOLDS(ids[i] >= 0 && ids[i] < akin_tokenizer_size(t));
    HOLDS(akin_tokenizer_encode(t, text, size, FUZZ_IDS, again, &second, NULL, &err) == AKIN_OK);
    HOLDS(second == count);
    for (int32_t i = 0; i < count; i++)
        HOLDS(ids[i] == again[i]);
    few[FUZZ_SHORT] = -7;
    status = akin_tokenizer_encode(t, text, size, FUZZ_SHORT, few, &short_count, &short_cut, &err);
    HOLDS(status == AKIN_OK);
    HOLDS(few[FUZZ_SHORT] == -7 && short_count <= FUZZ_SHORT);
    HOLDS(short_cut == (count > FUZZ_SHORT));
    HOLDS(short_cut ? short_count == FUZZ_SHORT : short_count == count);
}

#endif
