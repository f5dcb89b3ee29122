/* pipeline.c - normalizers and pre-tokenizers of a tokenizer.json, applied to text. */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/utf8.h"
#include "unicode.h"

void akin_pipeline_free(akin_pipeline *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->normalize_count; i++) {
        free(p->normalize[i].find);
        free(p->normalize[i].put);
    }
    for (size_t i = 0; i < p->split_count; i++)
        free(p->split[i].literal);
    free(p);
}

/* The code point at text[0..size), which is UTF-8 and not empty, and its bytes. */
static uint32_t code_point(const char *text, size_t size, size_t *length)
{
    uint32_t c = (unsigned char)text[0];
    *length = c < 0x80 ? 1 : akin_utf8_decode(text, size, &c);
    return c;
}

/* ---- normalizers */

static akin_status lower(const char *text, size_t size, akin_buffer *out, akin_error *err)
{
    /* Two bytes become at most three: U+023A and U+0130. */
    akin_status status = akin_buffer_reserve(out, size + size / 2 + 4, err);
    if (status != AKIN_OK)
        return status;
    char *to = out->data + out->size;
    for (size_t i = 0; i < size;) {
        size_t length;
        uint32_t lowered[2];
        size_t count = akin_lower(code_point(text + i, size - i, &length), lowered);
        for (size_t k = 0; k < count; k++)
            to += akin_utf8_encode(lowered[k], to);
        i += length;
    }
    *to = '\0';
    out->size = (size_t)(to - out->data);
    return AKIN_OK;
}

static akin_status strip(const akin_normalize_step *s, const char *text, size_t size,
                         akin_buffer *out, akin_error *err)
{
    size_t start = 0, end = size, length;
    while (s->left && start < end && akin_is_space(code_point(text + start, end - start, &length)))
        start += length;
    while (s->right && end > start) {
        size_t last = end - 1;
        while (last > start && ((unsigned char)text[last] & 0xc0) == 0x80)
            last--;
        if (!akin_is_space(code_point(text + last, end - last, &length)))
            break;
        end = last;
    }
    return akin_buffer_add(out, text + start, end - start, err);
}

static akin_status replace_literal(const akin_normalize_step *s, const char *text, size_t size,
                                   akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    const char *end = text + size;
    size_t length = strlen(s->find);
    for (;;) {
        const char *at = memmem(text, (size_t)(end - text), s->find, length);
        AKIN_TRY(akin_buffer_add(out, text, (size_t)((at != NULL ? at : end) - text), err));
        if (at == NULL)
            break;
        AKIN_TRY(akin_buffer_add_text(out, s->put, err));
        text = at + length;
    }
out:
    return status;
}

static akin_status replace_spaces(const akin_normalize_step *s, const char *text, size_t size,
                                  akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    size_t plain = 0; /* [plain, i) is not written yet */
    for (size_t i = 0; i < size;) {
        size_t length = 0, run = 0, from = i;
        while (i < size) {
            uint32_t c = code_point(text + i, size - i, &length);
            if (!(s->blank ? c == ' ' : akin_is_space(c)) || (s->single && run == 1))
                break;
            i += length;
            run++;
        }
        if (run >= s->least) {
            AKIN_TRY(akin_buffer_add(out, text + plain, from - plain, err));
            AKIN_TRY(akin_buffer_add_text(out, s->put, err));
            plain = i;
        } else if (run == 0) {
            i += length;
        }
    }
    AKIN_TRY(akin_buffer_add(out, text + plain, size - plain, err));
out:
    return status;
}

static akin_status normalize_step(const akin_normalize_step *s, const char *text, size_t size,
                                  akin_buffer *out, akin_error *err)
{
    akin_status status = AKIN_OK;
    switch (s->kind) {
    case AKIN_NORMALIZE_NFC:
        return akin_nfc(text, size, out, err);
    case AKIN_NORMALIZE_LOWER:
        return lower(text, size, out, err);
    case AKIN_NORMALIZE_STRIP:
        return strip(s, text, size, out, err);
    case AKIN_NORMALIZE_LITERAL:
        return replace_literal(s, text, size, out, err);
    case AKIN_NORMALIZE_SPACES:
        return replace_spaces(s, text, size, out, err);
    case AKIN_NORMALIZE_PREPEND:
        if (size != 0)
            status = akin_buffer_add_text(out, s->put, err);
        if (status == AKIN_OK)
            status = akin_buffer_add(out, text, size, err);
    }
    return status;
}

akin_status akin_pipeline_normalize(const void *pipeline, const char *text, size_t size,
                                    akin_buffer *out, akin_error *err)
{
    const akin_pipeline *p = pipeline;
    akin_buffer texts[2];
    size_t max = 8 * size + 4096;
    akin_status status = AKIN_OK;
    akin_buffer_init(&texts[0], "a normalised text", max);
    akin_buffer_init(&texts[1], "a normalised text", max);
    for (size_t i = 0; i < p->normalize_count; i++) {
        akin_buffer *to = &texts[i % 2];
        to->size = 0;
        AKIN_TRY(akin_buffer_reserve(to, 1, err));
        AKIN_TRY(normalize_step(&p->normalize[i], text, size, to, err));
        text = to->data;
        size = to->size;
    }
    AKIN_TRY(akin_buffer_add(out, text, size, err));
out:
    akin_buffer_clear(&texts[0]);
    akin_buffer_clear(&texts[1]);
    return status;
}

/* ---- patterns: each gives the length of its match at the beginning of a text that is not empty,
 * 0 when it does not match there */

enum kind { SPACE, LETTER, NUMBER, OTHER };

static enum kind kind_at(const char *text, size_t size, size_t *length)
{
    uint32_t c = code_point(text, size, length);
    return akin_is_letter(c)   ? LETTER
           : akin_is_number(c) ? NUMBER
           : akin_is_space(c)  ? SPACE
                               : OTHER;
}

/* The end of the run of `kind` that begins at `from`, of at most `most` characters. */
static size_t run_end(const char *text, size_t size, size_t from, enum kind kind, size_t most)
{
    size_t length;
    for (; most > 0 && from < size && kind_at(text + from, size - from, &length) == kind; most--)
        from += length;
    return from;
}

/* 's 't 're 've 'm 'll 'd. any_case: of ASCII; and U+017F, which folds to s. */
static size_t contraction(const char *text, size_t size, bool any_case)
{
    static const char *const endings[] = { "s", "t", "re", "ve", "m", "ll", "d" };
    if (text[0] != '\'')
        return 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t length = strlen(endings[i]), k = 0;
        if (size < 1 + length)
            continue;
        for (; k < length; k++) {
            char c = text[1 + k];
            if (any_case && c >= 'A' && c <= 'Z')
                c = (char)(c | 0x20);
            if (c != endings[i][k])
                break;
        }
        if (k == length)
            return 1 + length;
    }
    return any_case && size >= 3 && memcmp(text + 1, "\xc5\xbf", 2) == 0 ? 3 : 0;
}

/* \s+(?!\S)|\s+ at white space: a run that something follows leaves its last character. */
static size_t spaces(const char *text, size_t size)
{
    size_t end = 0, last = 0, length;
    while (end < size && akin_is_space(code_point(text + end, size - end, &length))) {
        last = end;
        end += length;
    }
    return end == size || last == 0 ? end : last;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static size_t match_gpt2(const char *text, size_t size)
{
    size_t length, from = contraction(text, size, false);
    if (from != 0)
        return from;
    if (text[0] == ' ' && size > 1)
        from = 1;
    enum kind kind = kind_at(text + from, size - from, &length);
    return kind == SPACE ? spaces(text, size) : run_end(text, size, from, kind, SIZE_MAX);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
 * |\s*[\r\n]+|\s+(?!\S)|\s+ with at most `digits` in the place of 3. tiktoken's spelling of
 * it ('(?i:[sdmt]|ll|ve|re), possessive ?+ and ++, \s*[\r\n]) matches the same. */
static size_t match_cl100k(const char *text, size_t size, size_t digits)
{
    size_t length, next, end = contraction(text, size, true);
    if (end != 0)
        return end;
    enum kind kind = kind_at(text, size, &length);
    bool newline = text[0] == '\r' || text[0] == '\n';
    if (kind == LETTER)
        return run_end(text, size, 0, LETTER, SIZE_MAX);
    if (kind == NUMBER)
        return run_end(text, size, 0, NUMBER, digits);
    if (!newline && length < size && kind_at(text + length, size - length, &next) == LETTER)
        return run_end(text, size, length, LETTER, SIZE_MAX);
    size_t from = text[0] == ' ' && size > 1 ? 1 : 0;
    if (kind_at(text + from, size - from, &next) == OTHER) {
        end = run_end(text, size, from, OTHER, SIZE_MAX);
        while (end < size && (text[end] == '\r' || text[end] == '\n'))
            end++;
        return end;
    }
    /* White space: through its last line break, if it has one. */
    size_t stop = run_end(text, size, 0, SPACE, SIZE_MAX);
    for (end = stop; end > 0 && text[end - 1] != '\r' && text[end - 1] != '\n';)
        end--;
    return end != 0 ? end : spaces(text, size);
}

/* 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+, after the literals if there are. */
static size_t match_clip(const char *text, size_t size, bool literals)
{
    static const char *const names[] = { "<|startoftext|>", "<|endoftext|>" };
    for (size_t i = 0; literals && text[0] == '<' && i < 2; i++)
        if (size >= strlen(names[i]) && memcmp(text, names[i], strlen(names[i])) == 0)
            return strlen(names[i]);
    size_t length = contraction(text, size, false);
    if (length != 0)
        return length;
    enum kind kind = kind_at(text, size, &length);
    return kind == SPACE    ? 0
           : kind == NUMBER ? length
                            : run_end(text, size, 0, kind, SIZE_MAX);
}

/* \w+|[^\w\s]+ of Rust's regex. */
static size_t match_words(const char *text, size_t size)
{
    size_t end, length;
    uint32_t c = code_point(text, size, &length);
    bool word = akin_is_word(c);
    if (!word && akin_is_space(c))
        return 0;
    for (end = length; end < size; end += length) {
        c = code_point(text + end, size - end, &length);
        if (akin_is_word(c) != word || (!word && akin_is_space(c)))
            break;
    }
    return end;
}

/* Rust's char::is_numeric is of Unicode 17, \p{N} of 16. */
static bool is_numeric(uint32_t c)
{
    return akin_is_number(c) || (c >= 0x11de0 && c <= 0x11de9);
}

static size_t match_at(const akin_split_step *s, const char *text, size_t size)
{
    size_t length;
    uint32_t c = code_point(text, size, &length);
    switch (s->pattern) {
    case AKIN_PATTERN_GPT2:
        return match_gpt2(text, size);
    case AKIN_PATTERN_CLIP:
        return match_clip(text, size, false);
    case AKIN_PATTERN_CLIP_LITERALS:
        return match_clip(text, size, true);
    case AKIN_PATTERN_CL100K:
        return match_cl100k(text, size, 3);
    case AKIN_PATTERN_QWEN2:
        return match_cl100k(text, size, 1);
    case AKIN_PATTERN_NUMBER:
        return akin_is_number(c) ? length : 0;
    case AKIN_PATTERN_NUMBER3:
        return run_end(text, size, 0, NUMBER, 3);
    case AKIN_PATTERN_NUMERIC:
        return is_numeric(c) ? length : 0;
    case AKIN_PATTERN_SPACE:
        return akin_is_space(c) ? length : 0;
    case AKIN_PATTERN_SPACES:
        return run_end(text, size, 0, SPACE, SIZE_MAX);
    case AKIN_PATTERN_WORDS:
        return match_words(text, size);
    case AKIN_PATTERN_LITERAL:
        return size >= s->literal_size && memcmp(text, s->literal, s->literal_size) == 0
                   ? s->literal_size
                   : 0;
    case AKIN_PATTERN_NONE:
        break;
    }
    return 0;
}

/* ---- splitting */

struct splitter {
    const akin_pipeline *p;
    akin_word_sink *word;
    void *context;
    const bool *full;
    akin_buffer spaced[AKIN_STEPS_MAX]; /* a step's piece with a space before it */
    akin_error *err;
};

/* One step's pieces on their way: what is behind them may still join [start, end). */
struct pieces {
    struct splitter *splitter;
    size_t step;
    const char *text;
    size_t start, end;
    bool waiting, was_match;
};

static akin_status split_from(struct splitter *r, size_t step, const char *text, size_t size);

static akin_status pass_on(struct pieces *p)
{
    if (!p->waiting)
        return AKIN_OK;
    p->waiting = false;
    return split_from(p->splitter, p->step + 1, p->text + p->start, p->end - p->start);
}

/* The next stretch of text, a match or what lies between two; the behavior decides. */
static akin_status add_stretch(struct pieces *p, size_t start, size_t end, bool match)
{
    const akin_split_step *s = &p->splitter->p->split[p->step];
    bool join = false, drop = false;
    if (start == end)
        return AKIN_OK;
    match ^= s->invert;
    switch (s->behavior) {
    case AKIN_SPLIT_ISOLATED:
        break;
    case AKIN_SPLIT_REMOVED:
        drop = match;
        break;
    case AKIN_SPLIT_WITH_PREVIOUS:
        join = match && !p->was_match;
        break;
    case AKIN_SPLIT_WITH_NEXT:
        join = !match && p->was_match;
        break;
    case AKIN_SPLIT_CONTIGUOUS:
        join = match == p->was_match;
        break;
    }
    p->was_match = match;
    if (join && p->waiting) {
        p->end = end;
        return AKIN_OK;
    }
    akin_status status = pass_on(p);
    p->waiting = !drop;
    p->start = start;
    p->end = end;
    return status;
}

static akin_status split_from(struct splitter *r, size_t step, const char *text, size_t size)
{
    akin_status status = AKIN_OK;
    if (step == r->p->split_count)
        return r->word(r->context, text, size);
    const akin_split_step *s = &r->p->split[step];
    if (s->prefix_space && text[0] != ' ') {
        akin_buffer *spaced = &r->spaced[step];
        spaced->size = 0;
        AKIN_TRY(akin_buffer_add(spaced, " ", 1, r->err));
        AKIN_TRY(akin_buffer_add(spaced, text, size, r->err));
        text = spaced->data;
        size = spaced->size;
    }
    if (s->pattern == AKIN_PATTERN_NONE)
        return split_from(r, step + 1, text, size);
    struct pieces pieces = { .splitter = r, .step = step, .text = text };
    size_t between = 0; /* [between, i): no match */
    for (size_t i = 0; i < size && !*r->full;) {
        size_t matched = match_at(s, text + i, size - i), length;
        if (matched == 0) {
            code_point(text + i, size - i, &length);
            i += length;
            continue;
        }
        AKIN_TRY(add_stretch(&pieces, between, i, false));
        AKIN_TRY(add_stretch(&pieces, i, i + matched, true));
        between = i += matched;
    }
    if (!*r->full) {
        AKIN_TRY(add_stretch(&pieces, between, size, false));
        AKIN_TRY(pass_on(&pieces));
    }
out:
    return status;
}

akin_status akin_pipeline_split(const akin_pipeline *p, const char *text, size_t size,
                                akin_word_sink *word, void *context, const bool *full,
                                akin_error *err)
{
    struct splitter r = { .p = p, .word = word, .context = context, .full = full, .err = err };
    for (size_t i = 0; i < p->split_count; i++)
        akin_buffer_init(&r.spaced[i], "a piece of text", size + 1);
    akin_status status = split_from(&r, 0, text, size);
    for (size_t i = 0; i < p->split_count; i++)
        akin_buffer_clear(&r.spaced[i]);
    return status;
}
