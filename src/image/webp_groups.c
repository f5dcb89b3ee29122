/* webp_groups.c - how many sets of Huffman tables a lossless WebP asks its decoder for.
 *
 * A set is 20 KB, a file may ask for 65,536 of them, libwebp's encoder for 2,600 at most: with the
 * former for all, an ordinary picture of 6 megapixels would "need" 1.4 GB. The number is nowhere in
 * the file: it is one more than the largest pixel, green and red, of a small picture of groups that
 * follows the transforms. This walks over the transforms' own small pictures to the Huffman codes
 * of that one, which say what green and red it can have at most.
 *
 * The format is RFC 9649. Where a stream is not what it says, akin_webp_groups says 65,536, so that
 * what libwebp forgives is never counted low. Compared with what libwebp 1.2.4 asks malloc for:
 * docs/pictures.md.
 */
#include "webp_groups.h"

#include <stdbool.h>
#include <string.h>

enum {
    MAX_GROUPS = 65536,
    LITERALS = 256,
    LENGTHS = 24,
    DISTANCES = 40,
    MAX_CACHE_BITS = 11,
    MAX_ALPHABET = LITERALS + LENGTHS + (1 << MAX_CACHE_BITS),
    MAX_LENGTH = 15, /* bits of a code */
    LENGTH_SYMBOLS = 19
};

/* Bits from the lowest of each byte on. Past the end they are 0, and `over` is set. */
typedef struct bits {
    const uint8_t *data;
    size_t size, at;
    uint32_t pool;
    unsigned held;
    bool over;
} bits;

static uint32_t take(bits *b, unsigned count /* at most 16 */)
{
    while (b->held < count) {
        b->over |= b->at >= b->size;
        b->pool |= (uint32_t)(b->over ? 0 : b->data[b->at++]) << b->held;
        b->held += 8;
    }
    const uint32_t v = b->pool & ((1u << count) - 1);
    b->pool >>= count;
    b->held -= count;
    return v;
}

/* ---- one prefix code */

typedef struct code {
    uint16_t count[MAX_LENGTH + 1]; /* symbols of each length */
    uint16_t symbols[MAX_ALPHABET]; /* by length, then by number */
    int only;                       /* the one symbol there is, which takes no bits; else -1 */
} code;

/* False when the lengths make no complete code. */
static bool build(code *c, const uint8_t *lengths, unsigned alphabet)
{
    unsigned places[MAX_LENGTH + 2] = { 0 }, used = 0;
    memset(c->count, 0, sizeof c->count);
    c->only = -1;
    for (unsigned i = 0; i < alphabet; i++) {
        c->count[lengths[i]]++;
        if (lengths[i] != 0) {
            used++;
            c->only = (int)i;
        }
    }
    c->count[0] = 0;
    if (used == 1)
        return true;
    c->only = -1;
    int open = 1;
    for (unsigned n = 1; n <= MAX_LENGTH; n++) {
        open = 2 * open - c->count[n];
        if (open < 0)
            return false;
        places[n + 1] = places[n] + c->count[n];
    }
    for (unsigned i = 0; i < alphabet; i++)
        if (lengths[i] != 0)
            c->symbols[places[lengths[i]]++] = (uint16_t)i;
    return open == 0 && used != 0;
}

static unsigned symbol(bits *b, const code *c)
{
    if (c->only >= 0)
        return (unsigned)c->only;
    unsigned value = 0, first = 0, at = 0;
    for (unsigned n = 1; n <= MAX_LENGTH; n++) {
        value |= take(b, 1);
        if (value - first < c->count[n])
            return c->symbols[at + value - first];
        at += c->count[n];
        first = (first + c->count[n]) << 1;
        value <<= 1;
    }
    return 0; /* not reached: the code is complete */
}

/* lengths[0..MAX_ALPHABET): what the stream says of a code. A simple code may name a symbol that
 * its alphabet does not have; build() then finds too few. */
static bool read_lengths(bits *b, code *scratch, unsigned alphabet, uint8_t *lengths)
{
    static const uint8_t order[LENGTH_SYMBOLS] = { 17, 18, 0, 1, 2,  3,  4,  5,  16, 6,
                                                   7,  8,  9, 10, 11, 12, 13, 14, 15 };
    memset(lengths, 0, MAX_ALPHABET);
    if (take(b, 1) != 0) {
        const bool two = take(b, 1) != 0;
        lengths[take(b, take(b, 1) != 0 ? 8 : 1)] = 1;
        if (two)
            lengths[take(b, 8)] = 1;
        return true;
    }
    uint8_t of_lengths[LENGTH_SYMBOLS] = { 0 };
    const unsigned listed = take(b, 4) + 4;
    for (unsigned i = 0; i < listed; i++)
        of_lengths[order[i]] = (uint8_t)take(b, 3);
    if (!build(scratch, of_lengths, LENGTH_SYMBOLS))
        return false;
    unsigned left = alphabet;
    if (take(b, 1) != 0) {
        const unsigned wide = 2 + 2 * take(b, 3);
        left = 2 + take(b, wide);
        if (left > alphabet)
            return false;
    }
    uint8_t before = 8;
    for (unsigned i = 0; i < alphabet && left != 0; left--) {
        const unsigned s = symbol(b, scratch);
        if (s < 16) {
            lengths[i++] = (uint8_t)s;
            before = s != 0 ? (uint8_t)s : before;
            continue;
        }
        static const uint8_t extra[] = { 2, 3, 7 }, least[] = { 3, 3, 11 };
        const unsigned repeat = least[s - 16] + take(b, extra[s - 16]);
        if (repeat > alphabet - i)
            return false;
        memset(lengths + i, s == 16 ? before : 0, repeat);
        i += repeat;
    }
    return true;
}

/* ---- pictures inside the stream */

typedef struct walker {
    bits in;
    code green, red, blue, alpha, distance;
    uint8_t lengths[MAX_ALPHABET];
    uint32_t top_green, top_red; /* of the codes read last: the largest literals */
} walker;

static bool read_code(walker *w, code *c, unsigned alphabet, uint32_t *top)
{
    if (!read_lengths(&w->in, c, alphabet, w->lengths) || !build(c, w->lengths, alphabet))
        return false;
    *top = 0;
    for (uint32_t i = 0; i < LITERALS && i < alphabet; i++)
        if (w->lengths[i] != 0)
            *top = i;
    return !w->in.over;
}

/* The cache and the codes of a picture that has one group. */
static bool read_codes(walker *w)
{
    unsigned cached = 0, none;
    if (take(&w->in, 1) != 0) {
        const unsigned cache_bits = take(&w->in, 4);
        if (cache_bits < 1 || cache_bits > MAX_CACHE_BITS)
            return false;
        cached = 1u << cache_bits;
    }
    return read_code(w, &w->green, LITERALS + LENGTHS + cached, &w->top_green) &&
           read_code(w, &w->red, LITERALS, &w->top_red) &&
           read_code(w, &w->blue, LITERALS, &none) && read_code(w, &w->alpha, LITERALS, &none) &&
           read_code(w, &w->distance, DISTANCES, &none);
}

/* A length or distance, from its prefix symbol (below 40). */
static uint64_t number(bits *b, unsigned prefix)
{
    if (prefix < 4)
        return prefix + 1;
    const unsigned extra = (prefix - 2) >> 1;
    return ((uint64_t)(2 + (prefix & 1)) << extra) +
           (extra > 16 ? take(b, 16) + (uint64_t)take(b, extra - 16) * 65536 : take(b, extra)) + 1;
}

/* Passes over a picture of one group. Which pixels a copy copies does not matter here. */
static bool skip_picture(walker *w, uint64_t pixels)
{
    if (!read_codes(w))
        return false;
    /* Without a bit for any of them: one literal, or one from the cache. */
    if (w->green.only >= 0 && w->red.only >= 0 && w->blue.only >= 0 && w->alpha.only >= 0 &&
        (w->green.only < LITERALS || w->green.only >= LITERALS + LENGTHS))
        return true;
    for (uint64_t done = 0; done < pixels;) {
        const unsigned s = symbol(&w->in, &w->green);
        uint64_t run = 1;
        if (s < LITERALS) {
            symbol(&w->in, &w->red);
            symbol(&w->in, &w->blue);
            symbol(&w->in, &w->alpha);
        } else if (s < LITERALS + LENGTHS) {
            run = number(&w->in, s - LITERALS);
            number(&w->in, symbol(&w->in, &w->distance));
        }
        if (w->in.over || run > pixels - done)
            return false;
        done += run;
    }
    return true;
}

static uint32_t shrunk(uint32_t side, unsigned by) { return (side + (1u << by) - 1) >> by; }

/* 0: the stream cannot be followed. */
static uint32_t count_groups(walker *w, uint32_t width, uint32_t height)
{
    enum { PREDICTOR, COLOUR, GREEN, INDEX };
    bits *b = &w->in;
    unsigned seen = 0;
    while (take(b, 1) != 0) {
        const unsigned kind = take(b, 2);
        if ((seen >> kind & 1) != 0)
            return 0;
        seen |= 1u << kind;
        if (kind == PREDICTOR || kind == COLOUR) {
            const unsigned by = take(b, 3) + 2;
            if (!skip_picture(w, (uint64_t)shrunk(width, by) * shrunk(height, by)))
                return 0;
        } else if (kind == INDEX) {
            const uint32_t colours = take(b, 8) + 1;
            if (!skip_picture(w, colours))
                return 0;
            width = shrunk(width, colours > 16 ? 0 : colours > 4 ? 1 : colours > 2 ? 2 : 3);
        }
    }
    if (take(b, 1) != 0) /* a cache of colours */
        take(b, 4);
    if (take(b, 1) == 0)
        return b->over ? 0 : 1;
    take(b, 3); /* the side of a block */
    if (!read_codes(w))
        return 0;
    /* The group is red * 256 + green of a pixel that is literal, copied or cached; the cache is
     * black to begin with. */
    return w->top_red * 256 + (w->top_red != 0 ? 255 : w->top_green) + 1;
}

uint32_t akin_webp_groups(const uint8_t *data, size_t size, uint32_t width, uint32_t height)
{
    walker w; /* 25 KB, of which each picture fills in what it reads */
    w.in = (bits){ .data = data, .size = size };
    const uint32_t count = count_groups(&w, width, height);
    return count != 0 ? count : MAX_GROUPS;
}
