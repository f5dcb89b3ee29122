/* kernels_avx512.c - AVX-512 F, BW, DQ, VL (Skylake-SP 2017, Zen 4 2022 and later). */
#include <immintrin.h>

#include "cpu/kernels.h"

#define ISA avx512
#define LANES 16
#define TILE_ROWS 14 /* 28 sums + 2 right + 1 left of 32 registers */

typedef __m512 vf;

#define INLINE_OP static inline __attribute__((always_inline))

INLINE_OP __mmask16 first_lanes(int n) { return (__mmask16)((1u << n) - 1u); }

INLINE_OP vf vf_set1(float s) { return _mm512_set1_ps(s); }
INLINE_OP vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE_OP void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE_OP vf vf_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
INLINE_OP void vf_store_n(float *p, vf v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
INLINE_OP vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE_OP vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE_OP vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE_OP vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE_OP vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE_OP vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE_OP vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE_OP vf vf_abs(vf a) { return _mm512_abs_ps(a); }
INLINE_OP vf vf_copysign(vf magnitude, vf sign)
{
    return _mm512_or_ps(magnitude, _mm512_and_ps(_mm512_set1_ps(-0.0f), sign));
}
INLINE_OP vf vf_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE_OP vf vf_pow2(vf n)
{
    __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
}
INLINE_OP vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
/* Not _mm512_reduce_*: their order is the compiler's choice, and gcc and clang would differ. */
INLINE_OP float vf_sum(vf a)
{
    __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE_OP float vf_max_of(vf a) { return _mm512_reduce_max_ps(a); }

#include "cpu/vector_kernels.h"
