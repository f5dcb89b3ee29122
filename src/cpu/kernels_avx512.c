/* kernels_avx512.c - AVX-512 F, BW, DQ, VL (Skylake-SP 2017, Zen 4 2022 and later), and the table
 * of avx512bf16, which differs in its products of bf16 alone (kernels_avx512bf16.c). */
#include "cpu/kernels.h"

#define ISA avx512

#include "cpu/avx512_vectors.h"
#include "cpu/vector_kernels.h"

static const akin_product_kernels with_pairs = PRODUCT_TABLE(&akin_product_pairs_avx512bf16);

const akin_kernels akin_kernels_avx512bf16 = KERNEL_TABLE("avx512bf16", true, &with_pairs);
