/* tokenizer_simple.c - open_clip's SimpleTokenizer: its vocabulary and its pattern.
 *
 * Reference: open_clip 3.3.0 tokenizer.py on CPython 3.11 with regex 2026.11.15, whose pattern is
 * matched with IGNORECASE:
 *
 *     <start_of_text>|<end_of_text>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "clip_merges.h"
#include "tokenizer_parts.h"
#include "unicode_python.h"

#define START "<start_of_text>"
#define END "<end_of_text>"

akin_status akin_tokenizer_open_simple(akin_tokenizer **out, akin_clean clean, akin_error *err)
{
    static const char *const specials[2] = { START, END };
    akin_tokenizer *t = *out = calloc(1, sizeof *t);
    if (t == NULL)
        return akin_fail_nomem(err, "a tokenizer", sizeof *t);
    akin_status status = akin_clip_vocabulary(&t->bpe, specials, err);
    if (status != AKIN_OK) {
        akin_tokenizer_close(t);
        *out = NULL;
        return status;
    }
    t->simple = true;
    t->clean = clean;
    t->start = akin_bpe_find(t->bpe, START, strlen(START));
    t->end = akin_bpe_find(t->bpe, END, strlen(END));
    t->size = akin_bpe_size(t->bpe);
    return AKIN_OK;
}

/* Bytes at text that match `literal`, which is lower case. IGNORECASE takes capitals and, for "s",
 * U+017F; no other letter of the literals has a third form. 0: no match. */
static size_t match(const char *text, size_t size, const char *literal)
{
    size_t i = 0;
    for (; *literal != '\0'; literal++) {
        if (i == size)
            return 0;
        char c = text[i++];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c + ('a' - 'A'));
        if (*literal == 's' && c == '\xc5' && i < size && text[i] == '\xbf')
            i++;
        else if (c != *literal)
            return 0;
    }
    return i;
}

static size_t match_any(const char *text, size_t size, const char *const *literals)
{
    size_t length = 0;
    for (; *literals != NULL && length == 0; literals++)
        length = match(text, size, *literals);
    return length;
}

static akin_pattern_class class_at(const char *text, size_t size, size_t *length)
{
    uint32_t c = (unsigned char)text[0];
    *length = c < 0x80 ? 1 : akin_utf8_decode(text, size, &c);
    return akin_python_class(c);
}

bool akin_simple_word(const char *text, size_t size, size_t *start, size_t *end)
{
    static const char *const specials[] = { START, END, NULL };
    static const char *const contractions[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d", NULL };
    size_t i = *end, length = 0;
    akin_pattern_class class = AKIN_CLASS_NOTHING;
    for (; i < size; i += length) {
        class = class_at(text + i, size - i, &length);
        if (class != AKIN_CLASS_NOTHING)
            break;
    }
    if (i == size)
        return false;
    *start = i;
    size_t literal = text[i] == '<'    ? match_any(text + i, size - i, specials)
                     : text[i] == '\'' ? match_any(text + i, size - i, contractions)
                                       : 0;
    i += literal != 0 ? literal : length;
    while (literal == 0 && class != AKIN_CLASS_NUMBER && i < size &&
           class_at(text + i, size - i, &length) == class)
        i += length;
    *end = i;
    return true;
}
