/* matmul.c - packing and the blocked product. */
#include "nn/matmul.h"

#include <stdint.h>
#include <string.h>

#include "base/arith.h"

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

/* out[p * tile + i] = src[i * stride_i + p * stride_p] for i < count, p < k: rows of the source
 * become columns of a panel. A few p at a time, so that the panel's lines written by one row are
 * still in L1 for the next: packing ViT-B/32 took 1.6 times as long a row at a time. */
static void fill_panel(const float *src, size_t stride_i, size_t stride_p, size_t count, size_t k,
                       size_t tile, bool round_bf16, float *out)
{
    enum { STEP = 64 };
    for (size_t p0 = 0; p0 < k; p0 += STEP) {
        const size_t p1 = akin_min(p0 + STEP, k);
        for (size_t i = 0; i < count; i++) {
            const float *from = src + i * stride_i;
            for (size_t p = p0; p < p1; p++)
                out[p * tile + i] = from[p * stride_p];
        }
    }
    if (round_bf16)
        for (size_t p = 0; p < k; p++)
            akin_round_bf16(out + p * tile, count);
}

/* Zeroes what lies past row n of a panel. */
static void pad_panel(size_t n, size_t k, size_t tile, float *out)
{
    for (size_t p = 0; p < k && n < tile; p++)
        memset(out + p * tile + n, 0, (tile - n) * sizeof(float));
}

void akin_pack_left(const akin_kernels *kernels, bool round_bf16, const float *x, size_t ldx,
                    size_t m, size_t k, size_t panel, float *out)
{
    const size_t tile = (size_t)kernels->tile_rows, row0 = panel * tile;
    const size_t rows = akin_min(tile, m - row0);
    fill_panel(x + row0 * ldx, ldx, 1, rows, k, tile, round_bf16, out);
    pad_panel(rows, k, tile, out);
}

void akin_pack_right(const akin_kernels *kernels, bool round_bf16, const float *src,
                     size_t stride_n, size_t stride_k, size_t first, size_t count, size_t k,
                     float *out)
{
    const size_t tile = (size_t)kernels->tile_cols, end = first + count;
    for (size_t n = first; n < end;) {
        const size_t here = akin_min(tile - n % tile, end - n); /* up to the panel's end */
        fill_panel(src + (n - first) * stride_n, stride_n, stride_k, here, k, tile, round_bf16,
                   out + n / tile * tile * k + n % tile);
        n += here;
    }
}

void akin_pad_right(const akin_kernels *kernels, size_t n, size_t k, float *out)
{
    const size_t tile = (size_t)kernels->tile_cols;
    if (n % tile != 0)
        pad_panel(n % tile, k, tile, out + n / tile * tile * k);
}

size_t akin_block_floats(const akin_kernels *kernels, size_t row_panels, size_t col_panels)
{
    return row_panels * (size_t)kernels->tile_rows * col_panels * (size_t)kernels->tile_cols;
}

void akin_matmul_slab(const akin_kernels *kernels, const float *left, size_t left_stride,
                      const float *right, size_t right_stride, size_t m, size_t n, size_t depth,
                      size_t row0, size_t row1, size_t col0, size_t col1, bool accumulate,
                      const akin_epilogue *epilogue, float *scratch, float *out, size_t ldo)
{
    const size_t tile_rows = (size_t)kernels->tile_rows, tile_cols = (size_t)kernels->tile_cols;
    const size_t ldc = (col1 - col0) * tile_cols;
    for (size_t col = col0; col < col1; col++, right += right_stride) {
        const float *left_panel = left;
        for (size_t row = row0; row < row1; row++, left_panel += left_stride) {
            const int rows = (int)akin_min(tile_rows, m - row * tile_rows);
            float *c = scratch + (row - row0) * tile_rows * ldc + (col - col0) * tile_cols;
            kernels->matmul_tile_f32(left_panel, right, depth, c, ldc, rows, accumulate);
            if (epilogue == NULL)
                continue;
            akin_epilogue tile = *epilogue; /* finished while it is in L1 */
            if (tile.bias != NULL)
                tile.bias += col * tile_cols;
            if (tile.residual != NULL)
                tile.residual += row * tile_rows * tile.ldr + col * tile_cols;
            kernels->finish_f32(c, ldc, &tile, out + row * tile_rows * ldo + col * tile_cols, ldo,
                                rows, akin_min(tile_cols, n - col * tile_cols));
        }
    }
}

void akin_matmul_block(const akin_kernels *kernels, const float *left, const float *right, size_t m,
                       size_t n, size_t k, size_t row0, size_t row1, size_t col0, size_t col1,
                       const akin_epilogue *epilogue, float *scratch, float *out, size_t ldo)
{
    const size_t tile_rows = (size_t)kernels->tile_rows, tile_cols = (size_t)kernels->tile_cols;
    size_t p = 0;
    do { /* once even for k = 0: an empty sum is zero, and the epilogue still applies */
        const size_t depth = akin_min(AKIN_DEPTH, k - p);
        akin_matmul_slab(kernels, left + (row0 * k + p) * tile_rows, tile_rows * k,
                         right + (col0 * k + p) * tile_cols, tile_cols * k, m, n, depth, row0, row1,
                         col0, col1, p != 0, p + depth == k ? epilogue : NULL, scratch, out, ldo);
        p += depth;
    } while (p < k);
}
