/* unicode_python.h - code point classes and lower case as CPython 3.11 (Unicode 14) and the regex
 * module 2026.11.15 have them, which is not as the tokenizers library has them (unicode.h).
 *
 * Reference: these two, by running them (tools/oracle/unicode_python.py).
 */
#ifndef AKIN_TEXT_UNICODE_PYTHON_H
#define AKIN_TEXT_UNICODE_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* How open_clip's pattern sees a code point, under IGNORECASE. Nothing is what no class takes:
 * white space, and U+0345, whose upper case is a letter while it is none itself. */
typedef enum akin_pattern_class {
    AKIN_CLASS_NOTHING,
    AKIN_CLASS_LETTER, /* [\p{L}] */
    AKIN_CLASS_NUMBER, /* [\p{N}] */
    AKIN_CLASS_OTHER   /* [^\s\p{L}\p{N}] */
} akin_pattern_class;

/* Any uint32_t may be asked for, in all of these. */
akin_pattern_class akin_python_class(uint32_t c);
bool akin_python_is_space(uint32_t c);     /* str.isspace; U+001C-001F are */
bool akin_python_is_digit(uint32_t c);     /* \d of re */
bool akin_python_is_cased(uint32_t c);     /* and not ignorable */
bool akin_python_is_ignorable(uint32_t c); /* looked through around a final sigma */
uint8_t akin_python_combining_class(uint32_t c);

/* str.lower of one character: 1 or 2 code points (U+0130 gives two). */
size_t akin_python_lower(uint32_t c, uint32_t out[2]);

/* str.lower of text[0..size), which must be UTF-8: U+03A3 at the end of a word is U+03C2. Appends;
 * at most half as much again. Linear in size. */
akin_status akin_python_lower_text(const char *text, size_t size, akin_buffer *out,
                                   akin_error *err);

/* What Unicode 10 to 14 added to NFC, for akin_nfc_python. */
bool akin_python_is_newer(uint32_t c);
bool akin_python_decompose(uint32_t c, uint32_t out[2]);
uint32_t akin_python_compose(uint32_t a, uint32_t b); /* 0: no composite */

#endif
