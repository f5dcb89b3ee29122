/* matmul.c - packing and the blocked product. */
#include "nn/matmul.h"

#include <stdint.h>
#include <string.h>

#include "base/arith.h"

/* Of k at a time: 384 rows of a right panel are 24-48 KiB, which stay in L1 or its neighbourhood
 * while the row panels of a block pass by. */
enum { K_BLOCK = 384 };

size_t akin_left_floats(const akin_kernels *kernels, size_t m, size_t k)
{
    return akin_round_up(m, (size_t)kernels->tile_rows) * k;
}

size_t akin_right_floats(const akin_kernels *kernels, size_t n, size_t k)
{
    return akin_round_up(n, (size_t)kernels->tile_cols) * k;
}

static float to_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return x;
    u = (u + 0x7fffu + (u >> 16 & 1u)) & 0xffff0000u;
    memcpy(&x, &u, sizeof x);
    return x;
}

void akin_round_bf16(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = to_bf16(x[i]);
}

void akin_pack_left(const akin_nn *nn, const float *x, size_t ldx, size_t m, size_t k, size_t panel,
                    float *out)
{
    const size_t tile = (size_t)nn->kernels->tile_rows, row0 = panel * tile;
    const size_t rows = akin_min(tile, m - row0);
    for (size_t i = 0; i < rows; i++) {
        const float *row = x + (row0 + i) * ldx;
        for (size_t p = 0; p < k; p++)
            out[p * tile + i] = row[p];
    }
    for (size_t i = rows; i < tile; i++)
        for (size_t p = 0; p < k; p++)
            out[p * tile + i] = 0.0f;
    if (nn->round_bf16)
        akin_round_bf16(out, tile * k);
}

void akin_pack_right(const akin_kernels *kernels, bool round_bf16, const float *src, size_t stride_n,
                     size_t stride_k, size_t first, size_t count, size_t k, float *out)
{
    const size_t tile = (size_t)kernels->tile_cols;
    for (size_t n = first; n < first + count; n++) {
        const float *from = src + (n - first) * stride_n;
        float *column = out + n / tile * tile * k + n % tile;
        if (round_bf16)
            for (size_t p = 0; p < k; p++)
                column[p * tile] = to_bf16(from[p * stride_k]);
        else
            for (size_t p = 0; p < k; p++)
                column[p * tile] = from[p * stride_k];
    }
}

void akin_pad_right(const akin_kernels *kernels, size_t n, size_t k, float *out)
{
    const size_t tile = (size_t)kernels->tile_cols;
    if (n % tile == 0)
        return;
    for (size_t p = 0; p < k; p++)
        memset(out + n / tile * tile * k + p * tile + n % tile, 0, (tile - n % tile) * sizeof(float));
}

size_t akin_block_floats(const akin_kernels *kernels, size_t row_panels, size_t col_panels)
{
    return row_panels * (size_t)kernels->tile_rows * col_panels * (size_t)kernels->tile_cols;
}

void akin_matmul_block(const akin_kernels *kernels, const float *left, const float *right, size_t m,
                       size_t n, size_t k, size_t row0, size_t row1, size_t col0, size_t col1,
                       const akin_epilogue *epilogue, float *scratch, float *out, size_t ldo)
{
    const size_t tile_rows = (size_t)kernels->tile_rows, tile_cols = (size_t)kernels->tile_cols;
    const size_t ldc = (col1 - col0) * tile_cols;
    size_t p = 0;
    do { /* once even for k = 0: an empty sum is zero, and the epilogue still applies */
        const size_t depth = akin_min(K_BLOCK, k - p);
        const bool last = p + depth == k;
        for (size_t col = col0; col < col1; col++) {
            const float *right_panel = right + col * tile_cols * k + p * tile_cols;
            const size_t cols = akin_min(tile_cols, n - col * tile_cols);
            for (size_t row = row0; row < row1; row++) {
                const float *left_panel = left + row * tile_rows * k + p * tile_rows;
                const size_t rows = akin_min(tile_rows, m - row * tile_rows);
                float *c = scratch + (row - row0) * tile_rows * ldc + (col - col0) * tile_cols;
                kernels->matmul_tile_f32(left_panel, right_panel, depth, c, ldc, (int)rows, p != 0);
                if (!last)
                    continue;
                akin_epilogue tile = *epilogue; /* finished while it is in L1 */
                if (tile.bias != NULL)
                    tile.bias += col * tile_cols;
                if (tile.residual != NULL)
                    tile.residual += row * tile_rows * tile.ldr + col * tile_cols;
                kernels->finish_f32(c, ldc, &tile, out + row * tile_rows * ldo + col * tile_cols, ldo,
                                    (int)rows, cols);
            }
        }
        p += depth;
    } while (p < k);
}
