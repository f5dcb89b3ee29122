/* added.c - the table of added tokens and the search for them. */
#include "added.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/utf8.h"
#include "unicode.h"

struct akin_added_entry {
    char *content; /* owned */
    size_t size;
    int32_t id;
    bool special, normalized, single_word, lstrip, rstrip;
};

struct akin_added_pattern {
    char *text; /* owned */
    size_t size;
    uint32_t entry;
    uint32_t order;
};

static struct akin_added_entry *find(const akin_added *added, const char *content, size_t size)
{
    for (size_t i = 0; i < added->count; i++) {
        struct akin_added_entry *e = &added->entries[i];
        if (e->size == size && memcmp(e->content, content, size) == 0)
            return e;
    }
    return NULL;
}

int32_t akin_added_find(const akin_added *added, const char *content, size_t size)
{
    const struct akin_added_entry *e = find(added, content, size);
    return e != NULL ? e->id : -1;
}

int32_t akin_added_end(const akin_added *added)
{
    int32_t end = 0;
    for (size_t i = 0; i < added->count; i++)
        if (added->entries[i].id >= end)
            end = added->entries[i].id + 1;
    return end;
}

static int compare_patterns(const void *a, const void *b)
{
    const struct akin_added_pattern *p = a, *q = b;
    int c = memcmp(p->text, q->text, akin_min(p->size, q->size));
    if (c != 0)
        return c;
    if (p->size != q->size)
        return p->size < q->size ? -1 : 1;
    return p->order < q->order ? -1 : p->order > q->order;
}

/* Takes over `text`. */
static void add_pattern(struct akin_added_patterns *patterns, char *text, size_t size, size_t entry)
{
    patterns->list[patterns->count] =
        (struct akin_added_pattern){ text, size, (uint32_t)entry, (uint32_t)patterns->count };
    patterns->count++;
}

static void sort_patterns(struct akin_added_patterns *patterns)
{
    struct akin_added_pattern *list = patterns->list;
    qsort(list, patterns->count, sizeof *list, compare_patterns);
    size_t kept = 0;
    for (size_t i = 0; i < patterns->count; i++) { /* of equal patterns the first listed wins */
        if (kept > 0 && list[kept - 1].size == list[i].size &&
            memcmp(list[kept - 1].text, list[i].text, list[i].size) == 0)
            free(list[i].text);
        else
            list[kept++] = list[i];
    }
    patterns->count = kept;
    size_t i = 0;
    for (size_t b = 0; b <= 256; b++) {
        while (i < kept && (unsigned char)list[i].text[0] < b)
            i++;
        patterns->first[b] = (uint32_t)i;
    }
}

/* The pattern of an entry, in the set its normalized flag chooses. */
static akin_status list_entry(akin_added *added, size_t entry, akin_normalizer *normalize,
                              const void *context, const char *path, akin_error *err)
{
    const struct akin_added_entry *e = &added->entries[entry];
    akin_buffer text;
    akin_buffer_init(&text, "an added token", 16 * AKIN_ADDED_SIZE_MAX);
    akin_status status = e->normalized ? normalize(context, e->content, e->size, &text, err)
                                       : akin_buffer_add(&text, e->content, e->size, err);
    if (status == AKIN_OK && text.size == 0)
        status = akin_fail(err, AKIN_E_TOKENIZER, path,
                           "added token '%.60s' is empty, or becomes so when it is normalised",
                           e->content);
    if (status != AKIN_OK) {
        akin_buffer_clear(&text);
        return status;
    }
    add_pattern(e->normalized ? &added->normalized : &added->raw, text.data, text.size, entry);
    return AKIN_OK;
}

akin_status akin_added_build(akin_added *added, const akin_bpe *bpe, const akin_added_token *tokens,
                             size_t count, akin_normalizer *normalize, const void *context,
                             const char *path, akin_error *err)
{
    akin_status status = AKIN_OK;
    *added = (akin_added){ 0 };
    if (count > AKIN_ADDED_MAX)
        return akin_fail(err, AKIN_E_LIMIT, path, "%zu added tokens; the limit is %d", count,
                         AKIN_ADDED_MAX);
    size_t room = akin_max(count, 1);
    added->entries = calloc(room, sizeof *added->entries);
    added->raw.list = calloc(room, sizeof *added->raw.list);
    added->normalized.list = calloc(room, sizeof *added->normalized.list);
    if (added->entries == NULL || added->raw.list == NULL || added->normalized.list == NULL) {
        status = akin_fail_nomem(err, "added tokens", room * sizeof *added->entries);
        goto out;
    }
    int32_t end = 0; /* largest id + 1 so far */
    for (size_t i = 0; i < count; i++) {
        const akin_added_token *t = &tokens[i];
        if (t->size > AKIN_ADDED_SIZE_MAX) {
            status = akin_fail(err, AKIN_E_LIMIT, path,
                               "added token '%.60s...' has %zu bytes; the limit is %d", t->content,
                               t->size, AKIN_ADDED_SIZE_MAX);
            goto out;
        }
        struct akin_added_entry *e = find(added, t->content, t->size);
        if (e == NULL) {
            e = &added->entries[added->count];
            e->content = malloc(t->size + 1);
            if (e->content == NULL) {
                status = akin_fail_nomem(err, "added tokens", t->size);
                goto out;
            }
            memcpy(e->content, t->content, t->size);
            e->content[t->size] = '\0';
            e->size = t->size;
            e->id = akin_bpe_find(bpe, t->content, t->size);
            if (e->id < 0)
                e->id = end > akin_bpe_size(bpe) ? end : akin_bpe_size(bpe);
            added->count++;
            if (e->id >= end)
                end = e->id + 1;
        }
        /* Added twice: the last flags count, but once special is always special. */
        e->special |= t->special;
        e->normalized = t->normalized;
        e->single_word = t->single_word;
        e->lstrip = t->lstrip;
        e->rstrip = t->rstrip;
    }
    /* Of two whose normalised forms are equal the first is found, special ones before others; which
     * one the reference finds changes from run to run. */
    for (int special = 1; special >= 0; special--)
        for (size_t i = 0; i < added->count; i++)
            if (added->entries[i].special == (special != 0))
                AKIN_TRY(list_entry(added, i, normalize, context, path, err));
    sort_patterns(&added->raw);
    sort_patterns(&added->normalized);
out:
    if (status != AKIN_OK)
        akin_added_clear(added);
    return status;
}

void akin_added_clear(akin_added *added)
{
    for (size_t i = 0; i < added->count; i++)
        free(added->entries[i].content);
    for (size_t i = 0; i < added->raw.count; i++)
        free(added->raw.list[i].text);
    for (size_t i = 0; i < added->normalized.count; i++)
        free(added->normalized.list[i].text);
    free(added->entries);
    free(added->raw.list);
    free(added->normalized.list);
    *added = (akin_added){ 0 };
}

/* The first of list[low..high), all longer than `depth`, whose byte there is at least `byte`. */
static size_t first_from(const struct akin_added_pattern *list, size_t low, size_t high,
                         size_t depth, unsigned byte)
{
    while (low < high) {
        size_t middle = (low + high) / 2;
        if ((unsigned char)list[middle].text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest pattern that text[0..size) begins with, NULL when none. Narrows the sorted list byte
 * by byte: a pattern that ends where the narrowing has come stands first in the range. */
static const struct akin_added_pattern *longest(const struct akin_added_patterns *patterns,
                                                const char *text, size_t size)
{
    const struct akin_added_pattern *list = patterns->list, *best = NULL;
    size_t low = patterns->first[(unsigned char)text[0]],
           high = patterns->first[(unsigned char)text[0] + 1];
    for (size_t depth = 1; low < high; depth++) {
        if (list[low].size == depth)
            best = &list[low++];
        if (depth == size)
            break;
        unsigned byte = (unsigned char)text[depth];
        low = first_from(list, low, high, depth, byte);
        high = first_from(list, low, high, depth, byte + 1);
    }
    return best;
}

static uint32_t code_point_before(const char *text, size_t end, size_t *start)
{
    uint32_t c = 0;
    size_t i = end - 1;
    while (i > 0 && ((unsigned char)text[i] & 0xc0) == 0x80)
        i--;
    akin_utf8_decode(text + i, end - i, &c);
    *start = i;
    return c;
}

bool akin_added_next(const akin_added *added, bool normalized, bool skip_special,
                     akin_added_search *search, akin_added_match *match)
{
    const struct akin_added_patterns *patterns = normalized ? &added->normalized : &added->raw;
    const char *text = search->text;
    size_t size = search->size;
    if (patterns->count == 0)
        return false;
    while (search->at < size) {
        const struct akin_added_pattern *p =
            longest(patterns, text + search->at, size - search->at);
        if (p == NULL) {
            search->at++;
            continue;
        }
        const struct akin_added_entry *e = &added->entries[p->entry];
        size_t start = search->at, stop = start + p->size, ignored;
        search->at = stop; /* a match that is refused below still hides what begins inside it */
        if (skip_special && e->special)
            continue;
        uint32_t after;
        if (e->single_word &&
            ((start > 0 && akin_is_word(code_point_before(text, start, &ignored))) ||
             (stop < size && akin_utf8_decode(text + stop, size - stop, &after) != 0 &&
              akin_is_word(after))))
            continue;
        if (e->lstrip) {
            size_t before;
            while (start > search->done && akin_is_space(code_point_before(text, start, &before)))
                start = before;
        }
        if (e->rstrip) {
            while (stop < size) {
                size_t length = akin_utf8_decode(text + stop, size - stop, &after);
                if (length == 0 || !akin_is_space(after))
                    break;
                stop += length;
            }
        }
        *match = (akin_added_match){ start, stop, e->id };
        return true;
    }
    return false;
}
