/* kernels_avx512.c - AVX-512 F, BW, DQ, VL (Skylake-SP 2017, Zen 4 2022 and later). */
#include "cpu/kernels.h"

#define ISA avx512

#include "cpu/avx512_vectors.h"
#include "cpu/vector_kernels.h"
