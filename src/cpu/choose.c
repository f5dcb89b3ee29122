/* choose.c - which table of kernels runs here. Compiled without instruction-set flags, so that it
 * is safe on the oldest processor. */
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "cpu/kernels.h"

#if defined(__x86_64__)
/* Not by __builtin_cpu_supports: clang 14 does not know the name. */
static int has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
}

static const char *lacks_avx2(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        return "AVX2";
    if (!__builtin_cpu_supports("fma"))
        return "FMA";
    return has_f16c() ? NULL : "F16C";
}

/* __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the registers. */
static const char *lacks_avx512(void)
{
    __builtin_cpu_init();
    if (lacks_avx2() != NULL)
        return lacks_avx2();
    if (!__builtin_cpu_supports("avx512f"))
        return "AVX-512 F";
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl")
               ? NULL
               : "AVX-512 BW, DQ or VL";
}

/* Leaf 7, subleaf 1: asked here for the same reason as F16C. */
static const char *lacks_avx512bf16(void)
{
    unsigned a, b, c, d;
    if (lacks_avx512() != NULL)
        return lacks_avx512();
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5) != 0 ? NULL : "AVX512-BF16";
}
#else
static const char *lacks_x86_64(void)
{
    return "the x86-64 instruction set";
}
#endif

static const char *lacks_nothing(void)
{
    return NULL;
}

struct isa {
    const char *name;
    const akin_kernels *kernels;
    const char *(*lacks)(void);
};

static const struct isa sets[] = {
    { "scalar", &akin_kernels_scalar, lacks_nothing },
#if defined(__x86_64__)
    { "avx2", &akin_kernels_avx2, lacks_avx2 },
    { "avx512", &akin_kernels_avx512, lacks_avx512 },
    { "avx512bf16", &akin_kernels_avx512bf16, lacks_avx512bf16 },
#else
    { "avx2", NULL, lacks_x86_64 },
    { "avx512", NULL, lacks_x86_64 },
    { "avx512bf16", NULL, lacks_x86_64 },
#endif
};
enum { SETS = sizeof sets / sizeof *sets };

size_t akin_isa_count(void)
{
    return SETS;
}

akin_isa_entry akin_isa_at(size_t i)
{
    return (akin_isa_entry){ sets[i].name, sets[i].kernels, sets[i].lacks() };
}

akin_status akin_kernels_choose(const char *name, const akin_kernels **out, akin_error *err)
{
    char runs[128] = "";
    size_t length = 0;
    *out = NULL;
    for (size_t i = 0; i < SETS; i++) {
        if (sets[i].lacks() != NULL)
            continue;
        length += (size_t)snprintf(runs + length, sizeof runs - length, "%s%s",
                                   length != 0 ? ", " : "", sets[i].name);
        if (name == NULL || *name == '\0' || strcmp(name, sets[i].name) == 0)
            *out = sets[i].kernels; /* slowest first: the last that fits is the best */
    }
    if (*out != NULL)
        return AKIN_OK;
    for (size_t i = 0; i < SETS; i++)
        if (strcmp(name, sets[i].name) == 0)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "AKIN_CPU=%s: this processor lacks %s; it runs: %s", name,
                             sets[i].lacks(), runs);
    return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                     "AKIN_CPU=%s: unknown instruction set; this processor runs: %s", name, runs);
}
