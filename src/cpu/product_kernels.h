/* product_kernels.h - the products of training: operands lie where they are, nothing but weights
 * is packed. An activation is read three times a step (forward, gradient of input and of weights)
 * and packing it each time costs more than it saves with a few dozen channels.
 *
 * Operands are made of cells of four bytes: a float, or two neighbours of the sum rounded to bf16.
 * How many terms a cell holds is the set's `depth`; the tiles below do not care otherwise.
 */
#ifndef AKIN_CPU_PRODUCT_KERNELS_H
#define AKIN_CPU_PRODUCT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

enum { AKIN_TILE_VECTORS = 3, AKIN_TILE_ROWS = 16 }; /* no tile is larger */

typedef struct akin_product_rows {
    const float *const *left; /* [tile rows of these vectors]; entries from `count` on repeat */
    int count;
    size_t runs, step, k; /* left[i] + r * step: the run r < runs of k cells */
    const float *right;   /* [runs * k, vectors * lanes] cells */
    int vectors;          /* 1 to AKIN_TILE_VECTORS */
    const float *bias;    /* [vectors * lanes], or NULL */
    float *c;             /* [count, cols <= vectors * lanes], stride ldc */
    size_t ldc, cols;
    bool add;             /* to what c holds */
    bool stream;          /* past the caches: without `add`; rows of c are whole, aligned vectors */
} akin_product_rows;

typedef struct akin_product_outer {
    const float *left, *right;
    size_t lda, ldb;      /* from one cell of the sum to the next */
    size_t runs, left_step, right_step, k;
    size_t sets, left_set, right_set;     /* of runs */
    int count, vectors;   /* of the tile: left cells, vectors of right cells */
    float *c;             /* [count, cols], stride ldc */
    size_t ldc, cols;     /* (vectors - 1) * lanes < cols <= vectors * lanes */
} akin_product_outer;

typedef struct akin_product_set {
    size_t depth;

    /* c[i, j] = bias[j] + sum over r, p of left[i][r * step + p] . right[r * k + p, j]. An element
     * is one chain over r and p in order, wherever its row lies in a tile. */
    void (*rows)(const akin_product_rows *tile);

    /* c[i, j] += sum over s < sets, r < runs, p < k of
     * left[s * left_set + r * left_step + p * lda + i] .
     * right[s * right_set + r * right_step + p * ldb + j]. */
    void (*outer)(const akin_product_outer *tile);

    /* Cells from floats: `count` rows, n floats of each, strides ldx and ldc.
     * along, for `rows`: neighbours are x[i, depth * j ...]; missing ones are 0.
     * across, for `outer`: neighbours are x[i, j] and next[i, j] (0 where next is NULL); of depth 1
     * next is not read. */
    void (*along)(const float *x, size_t ldx, size_t count, size_t n, float *cells, size_t ldc);
    void (*across)(const float *x, const float *next, size_t ldx, size_t count, size_t n,
                   float *cells, size_t ldc);
} akin_product_set;

typedef struct akin_product_kernels {
    size_t lanes;
    /* Rows of the largest tile, by its vectors. */
    int tile_rows[AKIN_TILE_VECTORS + 1], tile_outer[AKIN_TILE_VECTORS + 1];
    const akin_product_set *f32;
    const akin_product_set *bf16; /* operands are rounded to nearest even; sums in f32 */
} akin_product_kernels;

extern const akin_product_kernels akin_product_kernels_scalar;
extern const akin_product_set akin_product_pairs_avx512bf16; /* on avx512's tiles */

#endif
