/* kernels_avx2.c - AVX2, FMA and F16C (Haswell 2013, Zen 2017 and later). */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cpu/kernels.h"
#include "cpu/unroll.h"

#define ISA avx2
#define LANES 8
#define TILE_ROWS 6 /* 12 sums + 2 right + 1 left of 16 registers */

typedef __m256 vf;

#define INLINE_OP static inline __attribute__((always_inline))

/* All ones in the first n lanes: a window into eight ones and eight zeros. */
INLINE_OP __m256i first_lanes(int n)
{
    static const int32_t window[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };
    return _mm256_loadu_si256((const __m256i *)(const void *)(window + 8 - n));
}

INLINE_OP vf vf_set1(float s) { return _mm256_set1_ps(s); }
INLINE_OP vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE_OP void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
INLINE_OP void vf_stream(float *p, vf v) { _mm256_stream_ps(p, v); }
INLINE_OP vf vf_load_n(const float *p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
INLINE_OP void vf_store_n(float *p, vf v, int n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
INLINE_OP vf vf_load_half(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
INLINE_OP vf vf_load_half_n(const uint16_t *p, int n) /* no masked load is as narrow */
{
    uint16_t whole[8] = { 0 };
    memcpy(whole, p, (size_t)n * sizeof *p);
    return vf_load_half(whole);
}
INLINE_OP vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE_OP vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE_OP vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE_OP vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE_OP vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
INLINE_OP vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE_OP vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
INLINE_OP vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE_OP vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
INLINE_OP vf vf_copysign(vf magnitude, vf sign)
{
    return _mm256_or_ps(magnitude, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign));
}
INLINE_OP vf vf_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE_OP vf vf_pow2(vf n)
{
    __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
INLINE_OP vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
INLINE_OP float vf_sum(vf a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
INLINE_OP float vf_max_of(vf a)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

/* Pairs, quadruples of rows within each 128 bits; then 128-bit halves change places. */
INLINE_OP void vf_transpose(vf r[8])
{
    vf t[8];
    UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        const vf low = r[i], high = r[4 + i];
        r[i] = _mm256_permute2f128_ps(low, high, 0x20);
        r[4 + i] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}

#include "cpu/vector_kernels.h"
