/* library.h - shared libraries that are opened on first use: one that is not installed costs the
 * formats it reads and nothing else. They are found by soname, where the system's linker looks, so
 * that a library installed after akin was built is used without a new build, and stay open until
 * the process ends. */
#ifndef AKIN_IMAGE_LIBRARY_H
#define AKIN_IMAGE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

/* A function of the library and its place in a struct of function pointers. */
typedef struct akin_symbol {
    const char *name;
    size_t offset;
    bool optional; /* its pointer stays NULL in a library that has not got it */
} akin_symbol;

/* Opens the first of `sonames` (NULL ends them) that is there and fills `calls`. False when none is
 * there or one lacks a function; `why` (of `size` bytes) then says so. Threads: no state here; the
 * caller calls it once for each library (pthread_once). */
bool akin_library_open(const char *const *sonames, const akin_symbol *symbols, size_t count,
                       void *calls, char *why, size_t size);

typedef enum akin_package {
    AKIN_PACKAGE_HEIF,       /* libheif */
    AKIN_PACKAGE_HEIF_NEWER, /* one that reads today's iPhone pictures, 1.18.2 */
    AKIN_PACKAGE_HEVC,       /* its decoder of HEIC's pixels */
    AKIN_PACKAGE_AV1,        /* and of AVIF's */
    AKIN_PACKAGE_RAW,        /* LibRaw */
    AKIN_PACKAGE_FFMPEG,     /* the libraries that akin_video.so was built with */
    AKIN_PACKAGE_FFMPEG_BUILD /* and what it takes to build it */
} akin_package;

/* How a package is installed on a system ("apt-get install libheif1"), from the text of its
 * /etc/os-release; words without a command for a system that is not known, or NULL. Static. */
const char *akin_package_command(akin_package package, const char *os_release);

/* The same for the system at hand. */
const char *akin_package_here(akin_package package);

#endif
