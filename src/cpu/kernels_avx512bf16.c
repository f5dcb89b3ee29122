/* kernels_avx512bf16.c - products of bf16 pairs (Cooper Lake 2020, Zen 4 2022, Sapphire Rapids 2023
 * and later). They serve training in bf16 alone; everything else of the set, and its table, is
 * kernels_avx512.c's. */
#define ISA avx512bf16

#include "cpu/avx512_vectors.h"
#include "cpu/isa_names.h"

#define PAIRS

INLINE_OP vf vf_pairs(vf a, vf b, vf c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}

/* The second operand fills the lower half. */
INLINE_OP vf vf_along(const float *p, int n)
{
    const vf low = vf_load_n(p, n < LANES ? n : LANES);
    const vf high = n > LANES ? vf_load_n(p + LANES, n - LANES) : vf_set1(0.0f);
    return (vf)_mm512_cvtne2ps_pbh(high, low);
}

INLINE_OP vf vf_across(vf x, vf next)
{
    const __m512i order = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
        23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(next, x);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, both));
}

#include "cpu/product_vectors.h"
