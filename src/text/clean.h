/* clean.h - open_clip's text cleaning: ftfy, HTML unescaped twice, white space, case.
 *
 * Reference: open_clip 3.3.0 tokenizer.py (get_clean_fn) over ftfy 6.3.1 and CPython 3.11's html
 * and str. Of ftfy all of fix_text's default steps but the repair of mojibake (fix_encoding and the
 * three that go with it: heuristic tables); docs/tokenizer.md lists what that leaves different.
 */
#ifndef AKIN_TEXT_CLEAN_H
#define AKIN_TEXT_CLEAN_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

typedef enum akin_clean {
    AKIN_CLEAN_NONE,        /* the text as it is */
    AKIN_CLEAN_WHITESPACE,  /* _clean_whitespace */
    AKIN_CLEAN_LOWER,       /* _clean_lower */
    AKIN_CLEAN_CANONICALIZE /* _clean_canonicalize */
} akin_clean;

/* Appends the cleaned text, UTF-8 in and out, to *out. AKIN_E_UTF8 with the byte offset. */
akin_status akin_text_clean(akin_clean how, const char *text, size_t size, akin_buffer *out,
                            akin_error *err);

#endif
