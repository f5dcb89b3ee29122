/* panels.h - what the products of matrix.c and conv_grad.c share: the right operand in panels, and
 * a block of rows times it. */
#ifndef AKIN_TRAIN_PANELS_H
#define AKIN_TRAIN_PANELS_H

#include "cpu/product_kernels.h"
#include "train/work.h"

/* Rows of a block at most: a whole number of tiles of every instruction set. */
enum { AKIN_BLOCK_ROWS = 144 };

/* A right operand where it lies: the term (r, t, c) of column j is
 * w[r * run + t * tap + c * channel + j * column]; a matrix has one run and one tap. */
typedef struct akin_right {
    const float *w;
    size_t runs, taps, channels, n;
    ptrdiff_t run, tap, channel, column;
    const float *bias; /* [n], or NULL */
} akin_right;

/* Packed: panels of 2 vectors of columns, the last of up to AKIN_TILE_VECTORS. */
typedef struct akin_panels {
    const akin_product_kernels *kernels;
    const akin_product_set *set;
    const float *cells, *bias;
    size_t runs, k, n; /* k: cells of a run */
    bool stream;       /* the result, past the caches */
} akin_panels;

static inline const akin_product_set *akin_product_set_of(const akin_work *work)
{
    return work->bf16 ? work->kernels->products->bf16 : work->kernels->products->f32;
}

static inline size_t akin_work_threads(const akin_work *work)
{
    return work->pool != NULL ? (size_t)akin_pool_threads(work->pool) : 1;
}

/* Columns in panels: how many panels, and the vectors of one. */
size_t akin_panel_count(size_t n, size_t lanes);
int akin_panel_vectors(size_t n, size_t lanes, size_t panel);

/* From the arena, which the caller gives back. */
akin_status akin_panels_pack(const akin_work *work, const akin_right *right, akin_panels *out,
                             akin_error *err);

/* Of a result this large hardly anything is still in a cache when it is next read, and writing it
 * past them saves reading what it overwrites: up to 1.7 times the speed of a 1 x 1 convolution. */
enum { AKIN_STREAMED = 1 << 21 };

/* Whether c [rows, panels->n] should, and can, be streamed. */
bool akin_panels_stream(const akin_panels *panels, size_t rows, const float *c, size_t ldc);

/* c [count, n] of stride ldc = (or, with `add`, +=) rows times panels. left has count
 * <= AKIN_BLOCK_ROWS rows, run r of each at r * step, and room for AKIN_TILE_ROWS more. */
void akin_panels_multiply(const akin_panels *panels, const float **left, size_t count, size_t step,
                          float *c, size_t ldc, bool add);

/* Scratch for every worker: [threads, cells]. */
akin_status akin_work_scratch(const akin_work *work, size_t cells, float **out, akin_error *err);

/* Adds sums of parts, each [rows, cols] and `stride` apart, in order, to where row i, column j is
 * c[i * row + j * column]. */
void akin_parts_add(const akin_work *work, const float *parts, size_t count, size_t stride,
                    size_t rows, size_t cols, float *c, size_t row, size_t column);

#endif
