/* tokenizer.c - text to ids: cleaning, added tokens, normaliser, split into words, merges,
 * template, truncation. CLIP's normaliser and pattern are here, those of a tokenizer.json in
 * pipeline.c.
 *
 * Reference: transformers 5.23.0 CLIPTokenizer over tokenizers 0.23.3; SimpleTokenizer and, over
 * AutoTokenizer, HFTokenizer of open_clip 3.3.0. docs/tokenizer.md describes every step.
 */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/utf8.h"
#include "tokenizer_parts.h"
#include "unicode.h"

#define TEXT_MAX (16u << 20)
/* NFC makes at most 3 bytes of one, lower case at most 3 of two. */
#define NORMALIZED_MAX (5 * (size_t)TEXT_MAX)

akin_status akin_tokenizer_open(akin_tokenizer **out, const char *folder, akin_error *err)
{
    akin_tokenizer *t = *out = calloc(1, sizeof *t);
    if (t == NULL)
        return akin_fail_nomem(err, "a tokenizer", sizeof *t);
    akin_status status = akin_tokenizer_load(t, folder, err);
    if (status != AKIN_OK) {
        akin_tokenizer_close(t);
        *out = NULL;
    }
    return status;
}

akin_status akin_tokenizer_open_json(akin_tokenizer **out, const char *folder, akin_clean clean,
                                     bool strip_sep, akin_error *err)
{
    akin_tokenizer *t = *out = calloc(1, sizeof *t);
    if (t == NULL)
        return akin_fail_nomem(err, "a tokenizer", sizeof *t);
    t->clean = clean;
    t->strip_separator = strip_sep;
    akin_status status = akin_tokenizer_load_json(t, folder, err);
    /* The reference fails at its first text. */
    if (status == AKIN_OK && t->pad < 0)
        status = akin_fail(err, AKIN_E_TOKENIZER, folder,
                           "the tokenizer has no pad_token, which open_clip needs");
    if (status == AKIN_OK && strip_sep && t->separator < 0)
        status = akin_fail(err, AKIN_E_TOKENIZER, folder,
                           "strip_sep_token, but the tokenizer has no sep_token");
    if (status != AKIN_OK) {
        akin_tokenizer_close(t);
        *out = NULL;
    }
    return status;
}

void akin_tokenizer_close(akin_tokenizer *t)
{
    if (t == NULL)
        return;
    akin_pipeline_free(t->pipeline);
    akin_added_clear(&t->added);
    akin_bpe_free(t->bpe);
    free(t);
}

int32_t akin_tokenizer_size(const akin_tokenizer *t) { return t->size; }
int32_t akin_tokenizer_max_length(const akin_tokenizer *t) { return t->max_length; }

int32_t akin_tokenizer_pad(const akin_tokenizer *t, bool *left)
{
    *left = t->pad_left;
    return t->strip_separator && t->pad == t->separator ? 0 : t->pad;
}

akin_status akin_tokenizer_normalize(const void *none, const char *text, size_t size,
                                     akin_buffer *out, akin_error *err)
{
    (void)none;
    akin_buffer composed;
    akin_buffer_init(&composed, "a text in NFC", NORMALIZED_MAX);
    akin_status status;
    AKIN_TRY(akin_nfc(text, size, &composed, err));
    /* Two bytes become at most three: U+023A and U+0130. */
    AKIN_TRY(akin_buffer_reserve(out, composed.size + composed.size / 2 + 4, err));
    char *to = out->data + out->size;
    bool after_space = false;
    for (size_t i = 0; i < composed.size;) {
        unsigned char byte = (unsigned char)composed.data[i];
        uint32_t c = byte;
        i += byte < 0x80 ? 1 : akin_utf8_decode(composed.data + i, composed.size - i, &c);
        bool space = akin_is_space(c);
        if (space) {
            if (!after_space)
                *to++ = ' ';
        } else {
            uint32_t lower[2];
            size_t count = akin_lower(c, lower);
            for (size_t k = 0; k < count; k++)
                to += akin_utf8_encode(lower[k], to);
        }
        after_space = space;
    }
    out->size = (size_t)(to - out->data);
    *to = '\0';
out:
    akin_buffer_clear(&composed);
    return status;
}

/* One call of encode. */
struct encoding {
    const akin_tokenizer *tokenizer;
    int32_t *ids; /* [room], between the start and end tokens; a ring when truncated on the left */
    size_t room, count; /* count: all seen so far, kept or not */
    bool full;          /* right: an id had no room, nothing further can matter */
    akin_buffer normalized;
    akin_bpe_scratch scratch;
    akin_error *err;
};

static void emit(struct encoding *e, int32_t id)
{
    if (e->count < e->room)
        e->ids[e->count] = id;
    else if (!e->tokenizer->truncate_left)
        e->full = true;
    else if (e->room != 0)
        e->ids[e->count % e->room] = id;
    e->count++;
}

static akin_status encode_word(void *context, const char *word, size_t size)
{
    struct encoding *e = context;
    akin_status status = akin_bpe_encode(e->tokenizer->bpe, &e->scratch, word, size, e->err);
    if (status != AKIN_OK)
        return status;
    for (size_t i = 0; i < e->scratch.count && !e->full; i++)
        emit(e, e->scratch.ids[i]);
    return AKIN_OK;
}

enum kind { SPACE, LETTER, NUMBER, OTHER };

/* The class of the code point at text[0] and, in *length, its bytes. */
static enum kind kind_at(const char *text, size_t size, size_t *length)
{
    uint32_t c = (unsigned char)text[0];
    *length = c < 0x80 ? 1 : akin_utf8_decode(text, size, &c);
    return akin_is_letter(c)   ? LETTER
           : akin_is_number(c) ? NUMBER
           : akin_is_space(c)  ? SPACE
                               : OTHER;
}

static bool begins(const char *text, size_t size, const char *with)
{
    size_t length = strlen(with);
    return size >= length && memcmp(text, with, length) == 0;
}

/* Bytes of the contraction that text begins with ('s 't 're 've 'm 'll 'd), 0 when none. */
static size_t contraction(const char *text, size_t size)
{
    static const char *const endings[] = { "'s", "'t", "'re", "'ve", "'m", "'ll", "'d" };
    for (size_t i = 0; text[0] == '\'' && i < sizeof endings / sizeof *endings; i++)
        if (begins(text, size, endings[i]))
            return strlen(endings[i]);
    return 0;
}

/* Normalised text without added tokens: splits it into words. The reference splits twice, with its
 * own pattern and, inside each piece, with GPT-2's. The second changes only what the first took
 * whole as "<|startoftext|>" or "<|endoftext|>": these fall into "<|", the letters and "|>". */
static akin_status encode_piece(struct encoding *e, const char *text, size_t size)
{
    if (e->tokenizer->pipeline != NULL && size != 0)
        return akin_pipeline_split(e->tokenizer->pipeline, text, size, encode_word, e, &e->full,
                                   e->err);
    static const char *const literals[] = { "<|startoftext|>", "<|endoftext|>" };
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < size && !e->full;) {
        size_t length, end;
        enum kind kind = kind_at(text + i, size - i, &length);
        if (kind == SPACE) {
            i += length;
            continue;
        }
        size_t literal = 0;
        for (size_t k = 0; text[i] == '<' && k < 2; k++)
            if (begins(text + i, size - i, literals[k]))
                literal = strlen(literals[k]);
        if (literal != 0) {
            AKIN_TRY(encode_word(e, text + i, 2));
            AKIN_TRY(encode_word(e, text + i + 2, literal - 4));
            AKIN_TRY(encode_word(e, text + i + literal - 2, 2));
            i += literal;
            continue;
        }
        end = i + contraction(text + i, size - i);
        if (end == i) {
            end = i + length;
            while (kind != NUMBER && end < size && kind_at(text + end, size - end, &length) == kind)
                end += length;
        }
        AKIN_TRY(encode_word(e, text + i, end - i));
        i = end;
    }
out:
    return status;
}

/* Text between the added tokens that are looked for before normalisation. */
static akin_status encode_raw(struct encoding *e, const char *text, size_t size)
{
    const akin_tokenizer *t = e->tokenizer;
    e->normalized.size = 0;
    akin_status status;
    AKIN_TRY(akin_buffer_reserve(&e->normalized, 1, e->err));
    AKIN_TRY((t->pipeline != NULL ? akin_pipeline_normalize : akin_tokenizer_normalize)(
        t->pipeline, text, size, &e->normalized, e->err));
    akin_added_search search = { .text = e->normalized.data, .size = e->normalized.size };
    akin_added_match match;
    while (!e->full && akin_added_next(&t->added, true, t->split_special_tokens, &search, &match)) {
        if (search.done < match.start)
            AKIN_TRY(encode_piece(e, search.text + search.done, match.start - search.done));
        emit(e, match.id);
        search.done = match.stop;
    }
    if (!e->full)
        AKIN_TRY(encode_piece(e, search.text + search.done, search.size - search.done));
out:
    return status;
}

/* open_clip's SimpleTokenizer.encode. Its cache holds the special tokens as they are, so that they
 * become ids in lower case only; in another case they are one word like others. */
static akin_status encode_simple(struct encoding *e, const char *text, size_t size)
{
    const akin_tokenizer *t = e->tokenizer;
    size_t start, end = 0;
    akin_status status = AKIN_OK;
    while (!e->full && akin_simple_word(text, size, &start, &end)) {
        const char *word = text + start;
        int32_t id = word[0] == '<' ? akin_bpe_find(t->bpe, word, end - start) : -1;
        if (id == t->start || id == t->end)
            emit(e, id);
        else
            AKIN_TRY(encode_word(e, word, end - start));
    }
out:
    return status;
}

static void reverse(int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        int32_t id = ids[i];
        ids[i] = ids[count - 1 - i];
        ids[count - 1 - i] = id;
    }
}

akin_status akin_tokenizer_encode(const akin_tokenizer *t, const char *text, size_t size,
                                  int32_t max_tokens, int32_t *ids, int32_t *count, bool *cut,
                                  akin_error *err)
{
    size_t offset;
    const akin_pipeline *p = t->pipeline;
    const int32_t *first = p != NULL ? p->before : &t->start;
    const int32_t *last = p != NULL ? p->after : &t->end;
    size_t before = p != NULL ? p->before_count : 1, after = p != NULL ? p->after_count : 1;
    *count = 0;
    if (max_tokens < 2 || (size_t)max_tokens < before + after)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "max_tokens is %d; the start and end tokens need %zu", max_tokens,
                         akin_max(before + after, 2));
    if (size > TEXT_MAX)
        return akin_fail(err, AKIN_E_LIMIT, NULL, "text of %zu bytes; the limit is %u", size,
                         TEXT_MAX);
    if (!akin_utf8_valid(text, size, &offset))
        return akin_fail(err, AKIN_E_UTF8, NULL, "text is not UTF-8 at byte %zu", offset);

    struct encoding e = {
        .tokenizer = t, .ids = ids + before, .room = (size_t)max_tokens - before - after, .err = err
    };
    akin_buffer cleaned;
    akin_buffer_init(&cleaned, "a cleaned text", NORMALIZED_MAX);
    akin_buffer_init(&e.normalized, "a normalised text", 2 * NORMALIZED_MAX);
    akin_status status = AKIN_OK;
    if (t->clean != AKIN_CLEAN_NONE) {
        AKIN_TRY(akin_buffer_reserve(&cleaned, 1, err));
        AKIN_TRY(akin_text_clean(t->clean, text, size, &cleaned, err));
        text = cleaned.data;
        size = cleaned.size;
    }
    akin_added_search search = { .text = text, .size = size };
    akin_added_match match;
    if (t->simple) {
        AKIN_TRY(encode_simple(&e, text, size));
        search.done = size;
    }
    while (!e.full && akin_added_next(&t->added, false, t->split_special_tokens, &search, &match)) {
        if (search.done < match.start)
            AKIN_TRY(encode_raw(&e, text + search.done, match.start - search.done));
        emit(&e, match.id);
        search.done = match.stop;
    }
    if (!e.full && search.done < size)
        AKIN_TRY(encode_raw(&e, text + search.done, size - search.done));

    if (t->truncate_left && e.count > e.room && e.room != 0) { /* the ring begins at count % room */
        size_t turn = e.count % e.room;
        reverse(e.ids, turn);
        reverse(e.ids + turn, e.room - turn);
        reverse(e.ids, e.room);
    }
    size_t kept = akin_min(e.count, e.room);
    memcpy(ids, first, before * sizeof *ids);
    memcpy(ids + before + kept, last, after * sizeof *ids);
    *count = (int32_t)(before + kept + after);
    for (int32_t i = 0; t->strip_separator && i < *count; i++)
        if (ids[i] == t->separator)
            ids[i] = 0;
    if (cut != NULL)
        *cut = e.count > e.room;
out:
    akin_buffer_clear(&cleaned);
    akin_buffer_clear(&e.normalized);
    akin_bpe_scratch_clear(&e.scratch);
    return status;
}
