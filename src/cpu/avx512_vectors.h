/* avx512_vectors.h - the vector operations of vector_kernels.h in AVX-512 F, BW, DQ and VL;
 * included by each file that has them. */
#include <immintrin.h>
#include <stdint.h>

#include "cpu/unroll.h"

#define LANES 16
#define TILE_ROWS 14 /* 28 sums + 2 right + 1 left of 32 registers */

typedef __m512 vf;

#define INLINE_OP static inline __attribute__((always_inline))

INLINE_OP __mmask16 first_lanes(int n) { return (__mmask16)((1u << n) - 1u); }

INLINE_OP vf vf_set1(float s) { return _mm512_set1_ps(s); }
INLINE_OP vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE_OP void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
INLINE_OP void vf_stream(float *p, vf v) { _mm512_stream_ps(p, v); }
INLINE_OP vf vf_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
INLINE_OP void vf_store_n(float *p, vf v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
INLINE_OP vf vf_load_half(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
INLINE_OP vf vf_load_half_n(const uint16_t *p, int n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
INLINE_OP vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE_OP vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE_OP vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE_OP vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE_OP vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
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

/* Pairs, quadruples of rows within each 128 bits; then 128-bit blocks change places, twice. */
INLINE_OP void vf_transpose(vf r[16])
{
    vf t[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        const __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 2]);
        const __m512d c = _mm512_castps_pd(t[i + 1]), d = _mm512_castps_pd(t[i + 3]);
        r[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
        r[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        r[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
        r[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0x88);
        t[4 + i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0xdd);
        t[8 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0x88);
        t[12 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0xdd);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
        r[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
        r[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xdd);
        r[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xdd);
    }
}
