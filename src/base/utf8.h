/* utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef AKIN_BASE_UTF8_H
#define AKIN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at text[0..size), size >= 1. Returns the bytes it takes, 0 when they are
 * not UTF-8 (then *out is not written). */
size_t akin_utf8_decode(const char *text, size_t size, uint32_t *out);

/* Writes a code point (not a surrogate, at most U+10FFFF) as 1-4 bytes; returns how many. */
size_t akin_utf8_encode(uint32_t code_point, char out[4]);

/* Whether all of text is UTF-8; when not, *offset (may be NULL) is the first wrong byte's. */
bool akin_utf8_valid(const char *text, size_t size, size_t *offset);

/* Whether a code point is to be escaped where people read names and texts from anywhere: control
 * characters (C0, DEL, C1), line and paragraph separators, and the marks, embeddings, overrides and
 * isolates of the bidirectional algorithm. */
bool akin_utf8_unseen(uint32_t code_point);

#endif
