/* unicode.h - code point classes, lower case and NFC, exactly as the reference tokenizer has them.
 *
 * Reference: tokenizers 0.23.3, by running it (tools/oracle/unicode.py). It mixes Unicode versions:
 * classes are those of Unicode 16, lower case of 17, NFC of 9. No system library agrees with it on
 * every code point, so the tables are our own.
 */
#ifndef AKIN_TEXT_UNICODE_H
#define AKIN_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

/* Any uint32_t may be asked for: what is no code point is in no class and its own lower case. */
bool akin_is_letter(uint32_t c); /* \p{L} */
bool akin_is_number(uint32_t c); /* \p{N} */
bool akin_is_space(uint32_t c);  /* White_Space; U+001C-001F are not */
bool akin_is_word(uint32_t c);   /* \w of Rust's regex: what single_word looks at */

/* Canonical combining class, 0-240. */
uint8_t akin_combining_class(uint32_t c);

/* Lower case of one code point, whatever stands beside it: 1 or 2 code points (U+0130 gives
 * two). */
size_t akin_lower(uint32_t c, uint32_t out[2]);

/* Appends the NFC form of text[0..size), which must be UTF-8. Linear in size, for runs of combining
 * marks of any length too. At most 3 times the size. */
akin_status akin_nfc(const char *text, size_t size, akin_buffer *out, akin_error *err);

/* The same by Unicode 14, as CPython 3.11's unicodedata has it (see unicode_python.h). */
akin_status akin_nfc_python(const char *text, size_t size, akin_buffer *out, akin_error *err);

#endif
