/* exact.c - exact search. A pass over the vectors, which memory bounds, and short ones over the
 * scores.
 *
 * Rows are walked in groups of 64, whose live and allowed rows are the bits of one word: a group of
 * none costs a comparison, a group of all runs without a test a row.
 */
#include "index/exact.h"

#include <math.h>
#include <stdlib.h>

#include "base/arith.h"
#include "base/memory.h"

enum {
    GROUP = 64,
    PARTS_MAX = 1024,    /* of one search; a thread takes the next when it has done one */
    PART_BYTES = 1 << 18 /* of vectors, at least: 10 us */
};

/* Bits [first, first + count) of a bitmap, the first lowest; 0 < count <= GROUP. Reads no byte that
 * holds none of them. */
static uint64_t bits_at(const uint8_t *bitmap, size_t first, size_t count)
{
    const uint8_t *byte = bitmap + first / 8;
    const unsigned shift = first % 8;
    const size_t bytes = (shift + count + 7) / 8; /* up to 9 */
    uint64_t bits = 0;
    for (size_t i = 0; i < akin_min(bytes, 8); i++)
        bits |= (uint64_t)byte[i] << 8 * i;
    bits >>= shift;
    if (bytes == 9)
        bits |= (uint64_t)byte[8] << (64 - shift);
    return count == GROUP ? bits : bits & (((uint64_t)1 << count) - 1);
}

/* The live ones of rows [row, row + count) of a block. */
static uint64_t live_of(const akin_block *block, size_t row, size_t count)
{
    if (block->live != NULL)
        return bits_at(block->live, row, count);
    return count == GROUP ? UINT64_MAX : ((uint64_t)1 << count) - 1;
}

static unsigned lowest(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits);
}

/* ---- Scores --------------------------------------------------------------------------------- */

/* Rows that follow each other in the scores, over the ends of blocks. */
struct part {
    size_t block, row; /* of the first */
    size_t at;         /* its score */
};

struct scan {
    const akin_vectors *vectors;
    const akin_kernels *kernels;
    const float *query;
    float *scores;
    size_t rows, part_rows;
    struct part parts[PARTS_MAX];
};

static void score_run(const struct scan *s, const char *rows, size_t count, float *scores)
{
    const size_t n = s->vectors->dimensions;
    if (s->vectors->type == AKIN_VECTOR_F16)
        s->kernels->dot_rows_f16((const uint16_t *)(const void *)rows, count, n, s->query, scores);
    else
        s->kernels->dot_rows_f32((const float *)(const void *)rows, count, n, s->query, scores);
}

static void score_group(const struct scan *s, const akin_block *block, size_t row, size_t count,
                        float *scores)
{
    const size_t bytes = s->vectors->dimensions * akin_vector_bytes(s->vectors->type);
    const char *rows = (const char *)block->rows + row * bytes;
    uint64_t live = live_of(block, row, count);
    while (live != 0) {
        const unsigned first = lowest(live);
        const uint64_t after = ~(live >> first); /* its lowest bit: where the run ends */
        const unsigned run = after != 0 ? lowest(after) : GROUP;
        score_run(s, rows + first * bytes, run, scores + first);
        live = first + run < GROUP ? live & UINT64_MAX << (first + run) : 0;
    }
}

static void score_part(void *context, size_t i, int worker)
{
    (void)worker;
    const struct scan *s = context;
    struct part p = s->parts[i];
    size_t rest = akin_min(s->part_rows, s->rows - p.at);
    while (rest != 0) {
        const akin_block *block = &s->vectors->blocks[p.block];
        const size_t count = akin_min(akin_min(block->count - p.row, rest), GROUP);
        if (count == 0) {
            p.block++;
            p.row = 0;
            continue;
        }
        score_group(s, block, p.row, count, s->scores + p.at);
        p.row += count;
        p.at += count;
        rest -= count;
    }
}

void akin_exact_scores(const akin_vectors *vectors, const akin_kernels *kernels, akin_pool *pool,
                       const float *query, float *scores)
{
    struct scan s = { .vectors = vectors, .kernels = kernels, .query = query, .scores = scores };
    const size_t bytes = akin_max(vectors->dimensions, 1) * akin_vector_bytes(vectors->type);
    const size_t least = akin_max(PART_BYTES / bytes, 1);
    for (size_t b = 0; b < vectors->block_count; b++)
        s.rows += vectors->blocks[b].count;
    s.part_rows = akin_round_up(akin_max(least, akin_ceil_div(s.rows, PARTS_MAX)), GROUP);

    size_t parts = 0, at = 0;
    for (size_t b = 0; b < vectors->block_count; b++) {
        const size_t end = at + vectors->blocks[b].count;
        for (; parts * s.part_rows < end; parts++)
            s.parts[parts] = (struct part){ b, parts * s.part_rows - at, parts * s.part_rows };
        at = end;
    }
    akin_pool_run(pool, parts, score_part, &s);
}

/* ---- Statistics ----------------------------------------------------------------------------- */

/* Sums in eight places: one place would wait for each addition, four times as long. */
struct sums {
    double place[8];
    size_t n;
};

/* Adds (score - centre)^power of the live rows; power is 1 or 2, a constant at each call. */
static inline __attribute__((always_inline)) void add_block(struct sums *sums,
                                                            const akin_block *block,
                                                            const float *scores, double centre,
                                                            const int power)
{
    for (size_t row = 0; row < block->count; row += GROUP) {
        const size_t count = akin_min(block->count - row, GROUP);
        uint64_t live = live_of(block, row, count);
        if (live == UINT64_MAX) {
            for (size_t i = 0; i < GROUP; i += 8)
                for (size_t j = 0; j < 8; j++) {
                    const double d = (double)scores[row + i + j] - centre;
                    sums->place[j] += power == 1 ? d : d * d;
                }
            sums->n += GROUP;
            continue;
        }
        for (; live != 0; live &= live - 1) {
            const unsigned i = lowest(live);
            const double d = (double)scores[row + i] - centre;
            sums->place[i % 8] += power == 1 ? d : d * d;
            sums->n++;
        }
    }
}

/* The items beyond the first of rows in a block; *repeat moves on to what lies behind the block. */
static void add_repeats(struct sums *sums, const akin_block *block, const float *scores,
                        const akin_repeat *repeats, size_t repeat_count, size_t *repeat,
                        double centre, int power)
{
    for (; *repeat < repeat_count; ++*repeat) {
        const akin_repeat *r = &repeats[*repeat];
        if (r->place < block->first || r->items == 0)
            continue; /* of no row that is here */
        const uint64_t row = r->place - block->first;
        if (row >= block->count)
            break;
        if (live_of(block, (size_t)row, 1) == 0)
            continue;
        const double d = (double)scores[row] - centre;
        sums->place[0] += (power == 1 ? d : d * d) * (double)(r->items - 1);
        sums->n += r->items - 1;
    }
}

static double sum_of(const struct sums *s)
{
    return ((s->place[0] + s->place[1]) + (s->place[2] + s->place[3])) +
           ((s->place[4] + s->place[5]) + (s->place[6] + s->place[7]));
}

akin_statistics akin_exact_statistics(const akin_vectors *vectors, const float *scores,
                                      const akin_repeat *repeats, size_t repeat_count)
{
    akin_statistics found = { 0, 0, 0 };
    for (int power = 1; power <= 2; power++) {
        struct sums sums = { { 0 }, 0 };
        size_t at = 0, repeat = 0;
        for (size_t b = 0; b < vectors->block_count; b++) {
            const akin_block *block = &vectors->blocks[b];
            if (power == 1)
                add_block(&sums, block, scores + at, 0, 1);
            else
                add_block(&sums, block, scores + at, found.mean, 2);
            add_repeats(&sums, block, scores + at, repeats, repeat_count, &repeat,
                        power == 1 ? 0 : found.mean, power);
            at += block->count;
        }
        if (sums.n == 0)
            return found;
        found.n = sums.n;
        if (power == 1)
            found.mean = sum_of(&sums) / (double)sums.n;
        else
            found.deviation = sqrt(sum_of(&sums) / (double)sums.n);
    }
    return found;
}

/* ---- The best ------------------------------------------------------------------------------- */

/* The live and allowed ones of rows [row, row + count) of a block whose first score is at. */
static uint64_t wanted_of(const akin_block *block, size_t at, size_t row, size_t count,
                          const uint8_t *allowed)
{
    uint64_t wanted = live_of(block, row, count);
    if (allowed != NULL && wanted != 0)
        wanted &= bits_at(allowed, at + row, count);
    return wanted;
}

/* Whether one of GROUP scores is at least `bound`; written so that the compiler makes vectors of
 * it. */
static bool any_reaches(const float *scores, float bound)
{
    int reaches = 0;
    for (size_t i = 0; i < GROUP; i++)
        reaches |= scores[i] >= bound;
    return reaches != 0;
}

/* Moves heap[i] down to where no child is smaller: the smallest of all is heap[0]. */
static void sift_down(float *heap, size_t size, size_t i)
{
    const float value = heap[i];
    for (size_t child; (child = 2 * i + 1) < size; i = child) {
        if (child + 1 < size && heap[child + 1] < heap[child])
            child++;
        if (!(heap[child] < value))
            break;
        heap[i] = heap[child];
    }
    heap[i] = value;
}

/* The k best scores, in a heap. */
struct best {
    float *heap;
    size_t size, k;
};

static void offer(struct best *best, float score)
{
    if (best->size < best->k) {
        if (!(score >= -INFINITY)) /* NaN has no place in an order */
            return;
        best->heap[best->size++] = score;
        if (best->size == best->k)
            for (size_t i = best->k / 2; i-- > 0;)
                sift_down(best->heap, best->k, i);
    } else if (score > best->heap[0]) {
        best->heap[0] = score;
        sift_down(best->heap, best->k, 0);
    }
}

static void find_best(struct best *best, const akin_vectors *vectors, const float *scores,
                      const uint8_t *allowed)
{
    size_t at = 0;
    for (size_t b = 0; b < vectors->block_count; at += vectors->blocks[b++].count) {
        const akin_block *block = &vectors->blocks[b];
        for (size_t row = 0; row < block->count; row += GROUP) {
            const float *group = scores + at + row;
            const size_t count = akin_min(block->count - row, GROUP);
            uint64_t wanted = wanted_of(block, at, row, count, allowed);
            if (wanted == UINT64_MAX && best->size == best->k &&
                !any_reaches(group, best->heap[0]))
                continue;
            for (; wanted != 0; wanted &= wanted - 1)
                offer(best, group[lowest(wanted)]);
        }
    }
}

static int by_score(const void *a, const void *b)
{
    const akin_candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

akin_status akin_exact_top(const akin_vectors *vectors, const float *scores, const uint8_t *allowed,
                           size_t k, akin_candidate **out, size_t *count, akin_error *err)
{
    akin_candidate *found = NULL;
    size_t found_count = 0, capacity = 0, at = 0;
    akin_status status = AKIN_OK;
    *out = NULL;
    *count = 0;
    struct best best = { .k = akin_min(k, vectors->rows) };
    if (best.k == 0)
        return AKIN_OK;
    best.heap = calloc(best.k, sizeof *best.heap);
    if (best.heap == NULL)
        return akin_fail_nomem(err, "the best scores", best.k * sizeof *best.heap);
    find_best(&best, vectors, scores, allowed);

    /* All that reach the k-th best score; when there are fewer than k, all. */
    const float bound = best.size == best.k ? best.heap[0] : -INFINITY;
    for (size_t b = 0; b < vectors->block_count; at += vectors->blocks[b++].count) {
        const akin_block *block = &vectors->blocks[b];
        for (size_t row = 0; row < block->count; row += GROUP) {
            const float *group = scores + at + row;
            const size_t rows = akin_min(block->count - row, GROUP);
            uint64_t wanted = wanted_of(block, at, row, rows, allowed);
            if (wanted == UINT64_MAX && !any_reaches(group, bound))
                continue;
            for (; wanted != 0; wanted &= wanted - 1) {
                const unsigned i = lowest(wanted);
                if (!(group[i] >= bound))
                    continue;
                akin_candidate *more = akin_grow(found, &capacity, found_count + 1, sizeof *found);
                if (more == NULL) {
                    status = akin_fail_nomem(err, "hits", (found_count + 1) * sizeof *found);
                    goto out;
                }
                found = more;
                found[found_count++] = (akin_candidate){ block->first + row + i, group[i] };
            }
        }
    }
    if (found_count != 0)
        qsort(found, found_count, sizeof *found, by_score);
out:
    free(best.heap);
    if (status != AKIN_OK || found_count == 0) {
        free(found);
        return status;
    }
    *out = found;
    *count = found_count;
    return AKIN_OK;
}
