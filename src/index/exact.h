/* exact.h - exact search over rows of vectors in memory: every score, their statistics, the best.
 *
 * Knows no file, payload or model. A row is named by its place: the block's `first` plus its number
 * in the block. Scores are dot products, which of unit vectors are cosines. A row's score depends
 * on that row and the query alone, so that threads and order never change a bit.
 */
#ifndef AKIN_INDEX_EXACT_H
#define AKIN_INDEX_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/thread.h"
#include "cpu/kernels.h"

typedef enum akin_vector_type { AKIN_VECTOR_F16 = 1, AKIN_VECTOR_F32 = 2 } akin_vector_type;

static inline size_t akin_vector_bytes(akin_vector_type type)
{
    return type == AKIN_VECTOR_F16 ? 2 : 4;
}

/* Rows side by side: [count, dimensions] of one type, little-endian, any alignment of 2 or 4.
 * Everything is borrowed. */
typedef struct akin_block {
    const void *rows;
    size_t count;
    uint64_t first;       /* place of row 0; blocks of one search are in ascending order */
    const uint8_t *live;  /* bitmap, bit i % 8 of byte i / 8: row i is searched; NULL: all */
} akin_block;

typedef struct akin_vectors {
    akin_vector_type type;
    size_t dimensions;
    const akin_block *blocks;
    size_t block_count;
    size_t rows; /* of all blocks, dead ones included */
} akin_vectors;

/* scores [vectors->rows], block after block: of every live row its product with query
 * [dimensions]; of a dead row what was there before. pool may be NULL. */
void akin_exact_scores(const akin_vectors *vectors, const akin_kernels *kernels, akin_pool *pool,
                       const float *query, float *scores);

/* A row that stands for more than one item (equal content under several paths). */
typedef struct akin_repeat {
    uint64_t place;
    uint32_t items; /* >= 2 */
} akin_repeat;

/* Over all live rows, each counted as often as it has items: n, mean, and the population's standard
 * deviation (two passes in double). n = 0: mean and deviation are 0. repeats ascend by place. */
typedef struct akin_statistics {
    size_t n;
    double mean, deviation;
} akin_statistics;
akin_statistics akin_exact_statistics(const akin_vectors *vectors, const float *scores,
                                      const akin_repeat *repeats, size_t repeat_count);

typedef struct akin_candidate {
    uint64_t place;
    float score;
} akin_candidate;

/* The k best live rows, best first, equal scores by ascending place; and behind them every further
 * row that scores exactly as the last of them, because what breaks that tie (an item's id) is not
 * known here. Fewer than k is an answer. allowed: a bitmap over [0, rows) in the order of scores,
 * or NULL: all. *out is allocated (free()), NULL when *count is 0. */
akin_status akin_exact_top(const akin_vectors *vectors, const float *scores, const uint8_t *allowed,
                           size_t k, akin_candidate **out, size_t *count, akin_error *err);

#endif
