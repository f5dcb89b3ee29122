/* ftfy.h - ftfy.fix_text without its repair of mojibake.
 *
 * Reference: ftfy 6.3.1, fix_text(text, fix_encoding=False) on CPython 3.11: entities, C1 controls,
 * ligatures, widths, quotes, line breaks, terminal escapes, control characters, NFC; line by line,
 * again and again until nothing changes. What a repeated pass does to a line end (a CR that an
 * entity makes before an LF) may differ in the number of line feeds.
 */
#ifndef AKIN_TEXT_FTFY_H
#define AKIN_TEXT_FTFY_H

#include <stddef.h>

#include "base/buffer.h"

/* Appends the fixed text; text must be UTF-8. Linear in size, however deeply entities are nested.
 * At most 3 times the size (NFC). */
akin_status akin_ftfy_fix(const char *text, size_t size, akin_buffer *out, akin_error *err);

#endif
