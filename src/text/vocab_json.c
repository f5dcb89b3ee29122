/* vocab_json.c - a strict JSON reader for two shapes only: strings with integers, and pairs of
 * strings. */
#include "vocab_json.h"

#include <stdint.h>
#include <string.h>

#include "base/arith.h"
#include "base/buffer.h"
#include "base/utf8.h"

struct reader {
    const char *start, *at, *end;
    const char *path;
    akin_error *err;
};

static akin_status syntax(const struct reader *r, const char *what)
{
    size_t line = 1;
    for (const char *p = r->start; p < r->at; p++)
        line += *p == '\n';
    return akin_fail(r->err, AKIN_E_FORMAT, r->path, "not valid JSON: %s (line %zu of this part)",
                     what, line);
}

static void skip_space(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

/* Whether the next character after white space is `c`; takes it if so. */
static bool take(struct reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* ---- finding the parts: only strings and brackets are understood */

static bool skip_string(struct reader *r, akin_span *out)
{
    if (!take(r, '"'))
        return false;
    out->data = r->at;
    for (; r->at < r->end; r->at++) {
        if (*r->at == '"') {
            out->size = (size_t)(r->at++ - out->data);
            return true;
        }
        if (*r->at == '\\' && ++r->at == r->end)
            break;
    }
    return false;
}

static bool skip_value(struct reader *r, akin_span *out)
{
    size_t depth = 0;
    akin_span string;
    skip_space(r);
    out->data = r->at;
    while (r->at < r->end) {
        char c = *r->at;
        if (c == '"') {
            if (!skip_string(r, &string))
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
            r->at++;
        } else if (c == '}' || c == ']') {
            if (depth-- == 0)
                break; /* the bracket of what holds this number, true, false or null */
            r->at++;
        } else if (c == ',' && depth == 0) {
            break;
        } else {
            r->at++;
            continue;
        }
        if (depth == 0)
            break;
    }
    out->size = (size_t)(r->at - out->data);
    return true;
}

static bool is_key(akin_span key, const char *name)
{
    return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}

/* Walks over the object that comes next: the file, or the model inside it. */
static bool find_in_object(struct reader *r, bool in_model, akin_span *vocab, akin_span *merges)
{
    if (!take(r, '{'))
        return false;
    do {
        akin_span key, value;
        if (!skip_string(r, &key) || !take(r, ':'))
            return false;
        if (!in_model && is_key(key, "model")) {
            if (!find_in_object(r, true, vocab, merges))
                return false;
            continue;
        }
        if (!skip_value(r, &value))
            return false;
        if (in_model && is_key(key, "vocab"))
            *vocab = value;
        else if (in_model && is_key(key, "merges"))
            *merges = value;
    } while (take(r, ','));
    return take(r, '}');
}

bool akin_vocab_find(const char *text, size_t size, akin_span *vocab, akin_span *merges)
{
    struct reader r = { .start = text, .at = text, .end = text + size };
    *vocab = *merges = (akin_span){ NULL, 0 };
    if (find_in_object(&r, false, vocab, merges) && vocab->size != 0 && *vocab->data == '{' &&
        merges->size != 0 && *merges->data == '[')
        return true;
    *vocab = *merges = (akin_span){ NULL, 0 };
    return false;
}

/* ---- reading them, strictly */

static bool read_hex4(struct reader *r, uint32_t *out)
{
    uint32_t value = 0;
    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return false;
    }
    *out = value;
    return true;
}

/* The character after a backslash, appended to `text`. */
static akin_status read_escape(struct reader *r, akin_buffer *text)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char bytes[4];
    uint32_t c, low;
    char name = r->at < r->end ? *r->at++ : '\0';
    const char *known = name != '\0' ? strchr(names, name) : NULL;
    if (known != NULL)
        return akin_buffer_add(text, values + (known - names), 1, r->err);
    if (name != 'u' || !read_hex4(r, &c) || c == 0)
        return syntax(r, "wrong escape in a string");
    if (c >= 0xd800 && c <= 0xdfff) {
        if (c > 0xdbff || r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return syntax(r, "half of a surrogate pair in a string");
        r->at += 2;
        if (!read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return syntax(r, "half of a surrogate pair in a string");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return akin_buffer_add(text, bytes, akin_utf8_encode(c, bytes), r->err);
}

/* A string: borrowed from the file when it has no escapes, else from `scratch`. */
static akin_status read_string(struct reader *r, akin_buffer *scratch, akin_span *out)
{
    akin_status status = AKIN_OK;
    bool escaped = false, ascii = true;
    if (!take(r, '"'))
        return syntax(r, "a string was expected");
    const char *from = r->at;
    scratch->size = 0;
    for (;; r->at++) {
        if (r->at == r->end)
            return syntax(r, "a string does not end");
        unsigned char c = (unsigned char)*r->at;
        if (c == '"')
            break;
        if (c < 0x20)
            return syntax(r, "control character in a string");
        if (c >= 0x80)
            ascii = false;
        if (c == '\\') {
            AKIN_TRY(akin_buffer_add(scratch, from, (size_t)(r->at - from), r->err));
            r->at++;
            AKIN_TRY(read_escape(r, scratch));
            from = r->at--;
            escaped = true;
        }
    }
    if (escaped) {
        AKIN_TRY(akin_buffer_add(scratch, from, (size_t)(r->at - from), r->err));
        *out = (akin_span){ scratch->data, scratch->size };
    } else {
        *out = (akin_span){ from, (size_t)(r->at - from) };
    }
    r->at++;
    if (!ascii && !akin_utf8_valid(out->data, out->size, NULL))
        return syntax(r, "a string is not UTF-8");
out:
    return status;
}

/* An integer of at most 15 digits; whatever else stands there is the caller's to refuse. */
static bool read_integer(struct reader *r, int64_t *out)
{
    skip_space(r);
    const char *from = r->at;
    bool negative = r->at < r->end && *r->at == '-';
    r->at += negative;
    const char *digits = r->at;
    int64_t value = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - digits < 16; r->at++)
        value = value * 10 + (*r->at - '0');
    ptrdiff_t count = r->at - digits;
    bool more = r->at < r->end && strchr("0123456789.eE", *r->at) != NULL && *r->at != '\0';
    if (count == 0 || count > 15 || more || (count > 1 && *digits == '0')) {
        r->at = from;
        return false;
    }
    *out = negative ? -value : value;
    return true;
}

static akin_status at_end(struct reader *r)
{
    skip_space(r);
    return r->at == r->end ? AKIN_OK : syntax(r, "something follows the end");
}

akin_status akin_vocab_read(akin_bpe *bpe, akin_span vocab, const char *path, akin_error *err)
{
    struct reader r = { vocab.data, vocab.data, vocab.data + vocab.size, path, err };
    akin_status status = AKIN_OK;
    akin_buffer scratch;
    akin_buffer_init(&scratch, "a vocabulary entry", vocab.size + 1);
    if (!take(&r, '{')) {
        status = syntax(&r, "an object was expected");
        goto out;
    }
    if (!take(&r, '}')) {
        do {
            akin_span entry;
            int64_t id;
            AKIN_TRY(read_string(&r, &scratch, &entry));
            if (!take(&r, ':')) {
                status = syntax(&r, "':' was expected");
                goto out;
            }
            if (!read_integer(&r, &id)) {
                status = akin_fail(err, AKIN_E_TOKENIZER, path,
                                   "vocabulary entry '%.*s' has an id that is no integer",
                                   (int)akin_min(entry.size, 60), entry.data);
                goto out;
            }
            AKIN_TRY(akin_bpe_add_token(bpe, entry.data, entry.size, id, path, err));
        } while (take(&r, ','));
        if (!take(&r, '}')) {
            status = syntax(&r, "',' or '}' was expected");
            goto out;
        }
    }
    status = at_end(&r);
out:
    akin_buffer_clear(&scratch);
    return status;
}

akin_status akin_merge_read(akin_bpe *bpe, akin_span merge, const char *unit, size_t number,
                            const char *path, akin_error *err)
{
    const char *space = memchr(merge.data, ' ', merge.size);
    size_t left = space != NULL ? (size_t)(space - merge.data) : 0;
    if (space == NULL || memchr(space + 1, ' ', merge.size - left - 1) != NULL)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "%s %zu is not two symbols with a space between", unit, number);
    return akin_bpe_add_merge(bpe, merge.data, left, space + 1, merge.size - left - 1, unit, number,
                              path, err);
}

akin_status akin_merges_read(akin_bpe *bpe, akin_span merges, const char *path, akin_error *err)
{
    struct reader r = { merges.data, merges.data, merges.data + merges.size, path, err };
    akin_status status = AKIN_OK;
    akin_buffer scratch[2];
    akin_buffer_init(&scratch[0], "a merge", merges.size + 1);
    akin_buffer_init(&scratch[1], "a merge", merges.size + 1);
    size_t number = 0;
    if (!take(&r, '[')) {
        status = syntax(&r, "an array was expected");
        goto out;
    }
    if (!take(&r, ']')) {
        do {
            akin_span left, right;
            number++;
            skip_space(&r);
            if (r.at < r.end && *r.at == '"') {
                AKIN_TRY(read_string(&r, &scratch[0], &left));
                AKIN_TRY(akin_merge_read(bpe, left, "merge", number, path, err));
                continue;
            }
            bool pair = take(&r, '[');
            if (pair) {
                AKIN_TRY(read_string(&r, &scratch[0], &left));
                pair = take(&r, ',');
            }
            if (pair) {
                AKIN_TRY(read_string(&r, &scratch[1], &right));
                pair = take(&r, ']');
            }
            if (!pair) {
                status = akin_fail(err, AKIN_E_TOKENIZER, path,
                                   "merge %zu is neither \"a b\" nor [\"a\", \"b\"]", number);
                goto out;
            }
            AKIN_TRY(akin_bpe_add_merge(bpe, left.data, left.size, right.data, right.size, "merge",
                                        number, path, err));
        } while (take(&r, ','));
        if (!take(&r, ']')) {
            status = syntax(&r, "',' or ']' was expected");
            goto out;
        }
    }
    status = at_end(&r);
out:
    akin_buffer_clear(&scratch[0]);
    akin_buffer_clear(&scratch[1]);
    return status;
}
