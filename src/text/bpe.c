/* bpe.c - vocabulary, merges and the merging of one word. */
#include "bpe.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/buffer.h"
#include "base/utf8.h"

#define NONE UINT32_MAX

struct entry {
    size_t start; /* in text */
    uint32_t size;
    int32_t id;
    uint32_t hash;
};

struct merge {
    int32_t left, right, result;
};

struct akin_bpe {
    akin_buffer text; /* every entry's bytes */
    struct entry *entries;
    size_t entry_count, entry_capacity;
    uint32_t *entry_slots; /* open addressing: index into entries + 1, 0 = free */
    size_t entry_slot_count;

    struct merge *merges; /* by rank */
    size_t merge_count, merge_capacity;
    uint32_t *merge_slots; /* open addressing by pair: rank + 1, 0 = free */
    size_t merge_slot_count;

    int32_t inner[256]; /* id of a byte inside a word, -1 when the vocabulary has none */
    int32_t last[256];  /* and at the end of one */
    int32_t unknown;    /* -1 when the vocabulary has none */
    int32_t fallback[256]; /* ids of <0x00>.., -1 */
    uint16_t character[256]; /* code point that stands for a byte */
    char suffix[AKIN_SUFFIX_MAX + 1];
    bool skip_unknown, fuse_unknown, byte_fallback, ignore_merges;
};

struct akin_bpe_symbol {
    int32_t id; /* -1: merged into the one before */
    uint32_t previous, next;
};

/* FNV-1a with a final mix. A hostile vocabulary can collide it on purpose: that costs its author's
 * own load time, bounded by PROBES_MAX, never an encode of honest files. */
#define PROBES_MAX 4096

static uint32_t hash_bytes(const char *bytes, size_t size)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)bytes[i]) * 16777619u;
    return h ^ h >> 15;
}

static uint32_t hash_pair(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 17);
}

/* Power of two, at most half full with `count`. */
static size_t slots_for(size_t count)
{
    size_t slots = 16;
    while (slots < count * 2)
        slots *= 2;
    return slots;
}

/* The slot that holds the entry, or the free one where it belongs; SIZE_MAX after PROBES_MAX. */
static size_t entry_slot(const akin_bpe *bpe, const char *token, size_t size, uint32_t hash)
{
    size_t mask = bpe->entry_slot_count - 1, slot = hash & mask;
    for (int probes = 0; probes < PROBES_MAX; probes++, slot = (slot + 1) & mask) {
        if (bpe->entry_slots[slot] == 0)
            return slot;
        const struct entry *e = &bpe->entries[bpe->entry_slots[slot] - 1];
        if (e->hash == hash && e->size == size &&
            memcmp(bpe->text.data + e->start, token, size) == 0)
            return slot;
    }
    return SIZE_MAX;
}

static size_t merge_slot(const akin_bpe *bpe, int32_t left, int32_t right)
{
    size_t mask = bpe->merge_slot_count - 1, slot = hash_pair(left, right) & mask;
    for (int probes = 0; probes < PROBES_MAX; probes++, slot = (slot + 1) & mask) {
        if (bpe->merge_slots[slot] == 0)
            return slot;
        const struct merge *m = &bpe->merges[bpe->merge_slots[slot] - 1];
        if (m->left == left && m->right == right)
            return slot;
    }
    return SIZE_MAX;
}

static const struct merge *find_merge(const akin_bpe *bpe, int32_t left, int32_t right,
                                      uint32_t *rank)
{
    size_t slot = merge_slot(bpe, left, right);
    if (slot == SIZE_MAX || bpe->merge_slots[slot] == 0)
        return NULL;
    *rank = bpe->merge_slots[slot] - 1;
    return &bpe->merges[*rank];
}

/* Puts the entries into a table twice as large. */
static akin_status grow_entries(akin_bpe *bpe, size_t capacity, akin_error *err)
{
    struct entry *entries = realloc(bpe->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return akin_fail_nomem(err, "the vocabulary", capacity * sizeof *entries);
    bpe->entries = entries;
    bpe->entry_capacity = capacity;
    free(bpe->entry_slots);
    bpe->entry_slot_count = slots_for(capacity);
    bpe->entry_slots = calloc(bpe->entry_slot_count, sizeof *bpe->entry_slots);
    if (bpe->entry_slots == NULL)
        return akin_fail_nomem(err, "the vocabulary",
                               bpe->entry_slot_count * sizeof *bpe->entry_slots);
    for (size_t i = 0; i < bpe->entry_count; i++) {
        const struct entry *e = &entries[i];
        size_t slot = entry_slot(bpe, bpe->text.data + e->start, e->size, e->hash);
        if (slot == SIZE_MAX)
            return akin_fail(err, AKIN_E_TOKENIZER, NULL,
                             "the vocabulary is made to collide in a hash table");
        bpe->entry_slots[slot] = (uint32_t)i + 1;
    }
    return AKIN_OK;
}

static akin_status grow_merges(akin_bpe *bpe, size_t capacity, akin_error *err)
{
    struct merge *merges = realloc(bpe->merges, capacity * sizeof *merges);
    if (merges == NULL)
        return akin_fail_nomem(err, "the merges", capacity * sizeof *merges);
    bpe->merges = merges;
    bpe->merge_capacity = capacity;
    free(bpe->merge_slots);
    bpe->merge_slot_count = slots_for(capacity);
    bpe->merge_slots = calloc(bpe->merge_slot_count, sizeof *bpe->merge_slots);
    if (bpe->merge_slots == NULL)
        return akin_fail_nomem(err, "the merges", bpe->merge_slot_count * sizeof *bpe->merge_slots);
    for (size_t i = 0; i < bpe->merge_count; i++) { /* in order: the last of equal pairs stays */
        size_t slot = merge_slot(bpe, merges[i].left, merges[i].right);
        if (slot == SIZE_MAX)
            return akin_fail(err, AKIN_E_TOKENIZER, NULL,
                             "the merges are made to collide in a hash table");
        bpe->merge_slots[slot] = (uint32_t)i + 1;
    }
    return AKIN_OK;
}

akin_status akin_bpe_new(akin_bpe **out, size_t tokens, size_t merges, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_bpe *bpe = *out = calloc(1, sizeof *bpe);
    if (bpe == NULL)
        return akin_fail_nomem(err, "the vocabulary", sizeof *bpe);
    strcpy(bpe->suffix, "</w>");
    akin_buffer_init(&bpe->text, "the vocabulary's text", 1u << 28);
    AKIN_TRY(akin_buffer_reserve(&bpe->text, tokens * 8 + 1, err));
    AKIN_TRY(grow_entries(bpe, akin_min(akin_max(tokens, 16), AKIN_VOCABULARY_MAX), err));
    AKIN_TRY(grow_merges(bpe, akin_min(akin_max(merges, 16), AKIN_VOCABULARY_MAX), err));
out:
    if (status != AKIN_OK) {
        akin_bpe_free(bpe);
        *out = NULL;
    }
    return status;
}

void akin_bpe_free(akin_bpe *bpe)
{
    if (bpe == NULL)
        return;
    akin_buffer_clear(&bpe->text);
    free(bpe->entries);
    free(bpe->entry_slots);
    free(bpe->merges);
    free(bpe->merge_slots);
    free(bpe);
}

void akin_bpe_configure(akin_bpe *bpe, const akin_bpe_options *options)
{
    snprintf(bpe->suffix, sizeof bpe->suffix, "%s", options->suffix);
    bpe->skip_unknown = options->skip_unknown;
    bpe->fuse_unknown = options->fuse_unknown;
    bpe->byte_fallback = options->byte_fallback;
    bpe->ignore_merges = options->ignore_merges;
}

akin_status akin_bpe_add_token(akin_bpe *bpe, const char *token, size_t size, int64_t id,
                               const char *path, akin_error *err)
{
    int shown = (int)akin_min(size, 60);
    if (size > AKIN_SYMBOL_MAX)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "vocabulary entry '%.*s...' has %zu bytes; at most %d", shown, token, size,
                         AKIN_SYMBOL_MAX);
    if (id < 0 || id >= AKIN_VOCABULARY_MAX)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "vocabulary entry '%.*s' has id %lld; it must lie between 0 and %d", shown,
                         token, (long long)id, AKIN_VOCABULARY_MAX - 1);
    if (bpe->entry_count == AKIN_VOCABULARY_MAX)
        return akin_fail(err, AKIN_E_LIMIT, path, "more than %d vocabulary entries",
                         AKIN_VOCABULARY_MAX);
    akin_status status = AKIN_OK;
    if (bpe->entry_count == bpe->entry_capacity)
        status = grow_entries(bpe, akin_min(bpe->entry_capacity * 2, AKIN_VOCABULARY_MAX), err);
    if (status != AKIN_OK)
        return status;
    uint32_t hash = hash_bytes(token, size);
    size_t slot = entry_slot(bpe, token, size, hash);
    if (slot == SIZE_MAX)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "the vocabulary is made to collide in a hash table");
    if (bpe->entry_slots[slot] != 0)
        return akin_fail(err, AKIN_E_TOKENIZER, path, "vocabulary entry '%.*s' is there twice",
                         shown, token);
    size_t start = bpe->text.size;
    status = akin_buffer_add(&bpe->text, token, size, err);
    if (status != AKIN_OK)
        return status;
    bpe->entries[bpe->entry_count] = (struct entry){ start, (uint32_t)size, (int32_t)id, hash };
    bpe->entry_slots[slot] = (uint32_t)++bpe->entry_count;
    return AKIN_OK;
}

int32_t akin_bpe_find(const akin_bpe *bpe, const char *token, size_t size)
{
    size_t slot = entry_slot(bpe, token, size, hash_bytes(token, size));
    if (slot == SIZE_MAX || bpe->entry_slots[slot] == 0)
        return -1;
    return bpe->entries[bpe->entry_slots[slot] - 1].id;
}

int32_t akin_bpe_size(const akin_bpe *bpe) { return (int32_t)bpe->entry_count; }

/* GPT-2's alphabet: a byte that prints in Latin-1 stands for itself, the other 68 for U+0100 on. */
static uint32_t byte_character(unsigned byte)
{
    uint32_t next = 0x100;
    for (unsigned b = 0;; b++) {
        bool prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
        if (b == byte)
            return prints ? b : next;
        next += !prints;
    }
}

#define SYMBOL_MAX (4 + AKIN_SUFFIX_MAX)

/* The symbol of a byte, marked when it ends a word; returns its size. */
static size_t byte_symbol(const akin_bpe *bpe, unsigned byte, bool last, char symbol[SYMBOL_MAX])
{
    size_t size = akin_utf8_encode(bpe->character[byte], symbol);
    size_t mark = last ? strlen(bpe->suffix) : 0;
    memcpy(symbol + size, bpe->suffix, mark);
    return size + mark;
}

akin_status akin_bpe_seal(akin_bpe *bpe, const char *unknown, const char *path, akin_error *err)
{
    size_t count = bpe->entry_count;
    if (count == 0)
        return akin_fail(err, AKIN_E_TOKENIZER, path, "the vocabulary is empty");
    uint32_t *owner = calloc(count, sizeof *owner); /* entry + 1 of an id */
    if (owner == NULL)
        return akin_fail_nomem(err, "the vocabulary", count * sizeof *owner);
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < count && status == AKIN_OK; i++) {
        const struct entry *e = &bpe->entries[i];
        int shown = (int)akin_min(e->size, 60);
        if ((size_t)e->id >= count) {
            status = akin_fail(
                err, AKIN_E_TOKENIZER, path,
                "vocabulary entry '%.*s' has id %d, but there are only %zu entries: ids must "
                "run from 0 without holes",
                shown, bpe->text.data + e->start, e->id, count);
        } else if (owner[e->id] != 0) {
            const struct entry *other = &bpe->entries[owner[e->id] - 1];
            status = akin_fail(err, AKIN_E_TOKENIZER, path,
                               "vocabulary entries '%.*s' and '%.*s' both have id %d",
                               (int)akin_min(other->size, 60), bpe->text.data + other->start, shown,
                               bpe->text.data + e->start, e->id);
        } else {
            owner[e->id] = (uint32_t)i + 1;
        }
    }
    free(owner);
    for (unsigned b = 0; b < 256; b++) {
        char symbol[SYMBOL_MAX], code[8];
        bpe->character[b] = (uint16_t)byte_character(b);
        bpe->inner[b] = akin_bpe_find(bpe, symbol, byte_symbol(bpe, b, false, symbol));
        bpe->last[b] = akin_bpe_find(bpe, symbol, byte_symbol(bpe, b, true, symbol));
        snprintf(code, sizeof code, "<0x%02X>", b);
        bpe->fallback[b] = akin_bpe_find(bpe, code, strlen(code));
    }
    bpe->unknown = unknown != NULL ? akin_bpe_find(bpe, unknown, strlen(unknown)) : -1;
    return status;
}

akin_status akin_bpe_add_merge(akin_bpe *bpe, const char *left, size_t left_size, const char *right,
                               size_t right_size, const char *unit, size_t number, const char *path,
                               akin_error *err)
{
    char joined[2 * AKIN_SYMBOL_MAX];
    struct merge m = { akin_bpe_find(bpe, left, left_size), akin_bpe_find(bpe, right, right_size),
                       -1 };
    if (m.left < 0 || m.right < 0)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "%s %zu merges '%.*s', which is not in the vocabulary", unit, number,
                         (int)akin_min(m.left < 0 ? left_size : right_size, 60),
                         m.left < 0 ? left : right);
    memcpy(joined, left, left_size);
    memcpy(joined + left_size, right, right_size);
    m.result = akin_bpe_find(bpe, joined, left_size + right_size);
    if (m.result < 0)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "%s %zu makes '%.*s', which is not in the vocabulary", unit, number,
                         (int)akin_min(left_size + right_size, 60), joined);
    if (bpe->merge_count == AKIN_VOCABULARY_MAX)
        return akin_fail(err, AKIN_E_LIMIT, path, "more than %d merges", AKIN_VOCABULARY_MAX);
    if (bpe->merge_count == bpe->merge_capacity) {
        akin_status status =
            grow_merges(bpe, akin_min(bpe->merge_capacity * 2, AKIN_VOCABULARY_MAX), err);
        if (status != AKIN_OK)
            return status;
    }
    size_t slot = merge_slot(bpe, m.left, m.right);
    if (slot == SIZE_MAX)
        return akin_fail(err, AKIN_E_TOKENIZER, path,
                         "the merges are made to collide in a hash table");
    bpe->merges[bpe->merge_count] = m;
    bpe->merge_slots[slot] = (uint32_t)++bpe->merge_count;
    return AKIN_OK;
}

void akin_bpe_scratch_clear(akin_bpe_scratch *scratch)
{
    free(scratch->symbols);
    free(scratch->heap);
    *scratch = (akin_bpe_scratch){ 0 };
}

static akin_status reserve(akin_bpe_scratch *scratch, size_t size, akin_error *err)
{
    if (size <= scratch->capacity)
        return AKIN_OK;
    size_t capacity = akin_max(size, akin_max(64, akin_min(scratch->capacity * 2, 4096)));
    akin_bpe_scratch_clear(scratch);
    scratch->symbols = malloc(capacity * sizeof *scratch->symbols);
    /* Every symbol but the first begins with at most one entry, and every merge, of which there are
     * fewer than symbols, takes one out and puts at most two in. */
    scratch->heap = malloc(2 * capacity * sizeof *scratch->heap);
    if (scratch->symbols == NULL || scratch->heap == NULL) {
        akin_bpe_scratch_clear(scratch);
        return akin_fail_nomem(err, "a word", capacity * (sizeof *scratch->symbols + 16));
    }
    scratch->capacity = capacity;
    return AKIN_OK;
}

/* A binary min-heap of rank << 32 | position: lowest rank first, then leftmost. */
static void sift_down(uint64_t *heap, size_t count, size_t i)
{
    uint64_t key = heap[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= count)
            break;
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (key <= heap[child])
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = key;
}

static void push(uint64_t *heap, size_t *count, uint64_t key)
{
    size_t i = (*count)++;
    for (; i > 0 && heap[(i - 1) / 2] > key; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = key;
}

static void push_pair(const akin_bpe *bpe, akin_bpe_scratch *scratch, size_t *count,
                      uint32_t position)
{
    const struct akin_bpe_symbol *symbols = scratch->symbols;
    uint32_t rank;
    if (find_merge(bpe, symbols[position].id, symbols[symbols[position].next].id, &rank) != NULL)
        push(scratch->heap, count, (uint64_t)rank << 32 | position);
}

/* The id of the entry that is this word as a whole, unmarked; -1 when there is none. */
static int32_t find_word(const akin_bpe *bpe, const char *word, size_t size)
{
    char entry[AKIN_SYMBOL_MAX + SYMBOL_MAX];
    size_t length = 0;
    for (size_t i = 0; i < size && length <= AKIN_SYMBOL_MAX; i++)
        length += akin_utf8_encode(bpe->character[(unsigned char)word[i]], entry + length);
    return length <= AKIN_SYMBOL_MAX ? akin_bpe_find(bpe, entry, length) : -1;
}

/* Adds the byte tokens of a symbol that the vocabulary lacks; false when it lacks one of these. */
static bool add_fallback(const akin_bpe *bpe, struct akin_bpe_symbol *symbols, size_t *length,
                         unsigned byte, bool last)
{
    char symbol[SYMBOL_MAX];
    size_t size = byte_symbol(bpe, byte, last, symbol);
    for (size_t i = 0; i < size; i++)
        if (bpe->fallback[(unsigned char)symbol[i]] < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        symbols[(*length)++].id = bpe->fallback[(unsigned char)symbol[i]];
    return true;
}

akin_status akin_bpe_encode(const akin_bpe *bpe, akin_bpe_scratch *scratch, const char *word,
                            size_t size, akin_error *err)
{
    int32_t whole = bpe->ignore_merges ? find_word(bpe, word, size) : -1;
    akin_status status = reserve(scratch, bpe->byte_fallback ? 2 * size + SYMBOL_MAX : size, err);
    if (status != AKIN_OK)
        return status;
    if (whole >= 0) {
        scratch->ids = (int32_t *)(void *)scratch->heap;
        scratch->ids[0] = whole;
        scratch->count = 1;
        return AKIN_OK;
    }
    struct akin_bpe_symbol *symbols = scratch->symbols;
    size_t length = 0;
    bool unknown = false; /* one waits to be written: before the next symbol that is known */
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (unsigned char)word[i];
        bool last = i + 1 == size;
        int32_t id = last ? bpe->last[byte] : bpe->inner[byte];
        if (id < 0 && bpe->byte_fallback && add_fallback(bpe, symbols, &length, byte, last))
            continue;
        if (id < 0 && bpe->skip_unknown)
            continue;
        if (id < 0 && bpe->unknown < 0)
            return akin_fail(err, AKIN_E_TOKENIZER, NULL,
                             "the vocabulary has no symbol for byte 0x%02x%s and no unknown token",
                             byte, last ? " at the end of a word" : "");
        if (unknown && !(id < 0 && bpe->fuse_unknown))
            symbols[length++].id = bpe->unknown;
        unknown = id < 0;
        if (id >= 0)
            symbols[length++].id = id;
    }
    if (unknown)
        symbols[length++].id = bpe->unknown;
    for (size_t i = 0; i < length; i++) {
        symbols[i].previous = i == 0 ? NONE : (uint32_t)i - 1;
        symbols[i].next = i + 1 == length ? NONE : (uint32_t)i + 1;
    }

    uint64_t *heap = scratch->heap;
    size_t count = 0;
    for (size_t i = 0; i + 1 < length; i++) {
        uint32_t rank;
        if (find_merge(bpe, symbols[i].id, symbols[i + 1].id, &rank) != NULL)
            heap[count++] = (uint64_t)rank << 32 | i;
    }
    for (size_t i = count / 2; i-- > 0;)
        sift_down(heap, count, i);

    while (count > 0) {
        uint32_t rank = (uint32_t)(heap[0] >> 32), at = (uint32_t)heap[0];
        heap[0] = heap[--count];
        if (count > 0)
            sift_down(heap, count, 0);
        struct akin_bpe_symbol *left = &symbols[at];
        if (left->id < 0 || left->next == NONE)
            continue;
        /* The pair may have changed since. The reference compares only what the merge would make,
         * so that "ab"+"c" may be merged at the rank of "a"+"bc"; so do we. */
        struct akin_bpe_symbol *right = &symbols[left->next];
        uint32_t rank_now;
        const struct merge *now = find_merge(bpe, left->id, right->id, &rank_now);
        if (now == NULL || now->result != bpe->merges[rank].result)
            continue;
        left->id = now->result;
        right->id = -1;
        left->next = right->next;
        if (left->next != NONE) {
            symbols[left->next].previous = at;
            push_pair(bpe, scratch, &count, at);
        }
        if (left->previous != NONE)
            push_pair(bpe, scratch, &count, left->previous);
    }

    scratch->ids = (int32_t *)(void *)heap; /* empty by now */
    scratch->count = 0;
    for (uint32_t i = length != 0 ? 0 : NONE; i != NONE; i = symbols[i].next)
        scratch->ids[scratch->count++] = symbols[i].id;
    return AKIN_OK;
}
