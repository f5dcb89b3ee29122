/* isa_names.h - names of what an instruction set's file (its ISA) defines. */
#ifndef AKIN_CPU_ISA_NAMES_H
#define AKIN_CPU_ISA_NAMES_H

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define KERNEL(name) JOIN(name, ISA)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define INLINE static inline __attribute__((always_inline))

#endif
