/* unroll.h - unrolls the loop that follows whole, so that an array of vectors stays in
 * registers. */
#ifndef AKIN_CPU_UNROLL_H
#define AKIN_CPU_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
