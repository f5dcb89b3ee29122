/* matmul.h - the packed matrix product that all of nn/ stands on.
 *
 * c [m, n] = left [m, k] . right [n, k]^T. Both operands are packed first, left into panels of
 * tile_rows rows and right into panels of tile_cols columns, k-major inside a panel, zero-padded at
 * the edges: the kernel then reads both as plain streams, and every shape is the same loop. Weights
 * are packed once, at load.
 */
#ifndef AKIN_NN_MATMUL_H
#define AKIN_NN_MATMUL_H

#include <stddef.h>

#include "nn/nn.h"

/* Of k at a time: 384 rows of a right panel are 24-48 KiB, which stay in L1 or its neighbourhood
 * while the row panels of a block pass by. */
enum { AKIN_DEPTH = 384 };

/* Floats that a packed left operand of m rows, or right operand of n columns, takes. */
size_t akin_left_floats(const akin_kernels *kernels, size_t m, size_t k);
size_t akin_right_floats(const akin_kernels *kernels, size_t n, size_t k);

/* Rounds each float to the nearest bf16, ties to even, in place. NaN stays NaN. */
void akin_round_bf16(float *x, size_t count);

/* Packs panel `panel` of the left operand: rows [panel * tile_rows, ...) of x [m, k], stride ldx.
 * out: the panel, [k, tile_rows]. */
void akin_pack_left(const akin_kernels *kernels, bool round_bf16, const float *x, size_t ldx,
                    size_t m, size_t k, size_t panel, float *out);

/* Packs columns [first, first + count) of the right operand: element (column first + j, p) is
 * src[j * stride_n + p * stride_k], p < k. out: all panels. Distinct columns from several threads
 * are safe. akin_pad_right zeroes what lies past column n in the last panel. */
void akin_pad_right(const akin_kernels *kernels, size_t n, size_t k, float *out);
void akin_pack_right(const akin_kernels *kernels, bool round_bf16, const float *src,
                     size_t stride_n, size_t stride_k, size_t first, size_t count, size_t k,
                     float *out);

/* One block of the product on this thread: row panels [row0, row1) of m rows, column panels
 * [col0, col1) of n columns. scratch: akin_block_floats(...) floats. out [m, n] with stride ldo;
 * epilogue->bias and ->residual are those of the whole product. */
size_t akin_block_floats(const akin_kernels *kernels, size_t row_panels, size_t col_panels);
void akin_matmul_block(const akin_kernels *kernels, const float *left, const float *right, size_t m,
                       size_t n, size_t k, size_t row0, size_t row1, size_t col0, size_t col1,
                       const akin_epilogue *epilogue, float *scratch, float *out, size_t ldo);

/* One slab of that block: `depth` of k. left: row panel row0, the next at left_stride; right:
 * column panel col0, the next at right_stride. The sums in scratch are added to with `accumulate`;
 * with an epilogue they are finished into out, without they stay. */
void akin_matmul_slab(const akin_kernels *kernels, const float *left, size_t left_stride,
                      const float *right, size_t right_stride, size_t m, size_t n, size_t depth,
                      size_t row0, size_t row1, size_t col0, size_t col1, bool accumulate,
                      const akin_epilogue *epilogue, float *scratch, float *out, size_t ldo);

#endif
