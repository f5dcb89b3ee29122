/* html.h - HTML character references, as Python and ftfy decode them.
 *
 * Reference: html.unescape of CPython 3.11 and ftfy 6.3.1 fixes.unescape_html, whose names
 * tools/oracle/clean_tables.py writes out. One difference: a decimal reference of more than 4,300
 * digits, at which Python gives up with a ValueError, is a number past U+10FFFF here.
 */
#ifndef AKIN_TEXT_HTML_H
#define AKIN_TEXT_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

#define AKIN_ENTITY_MAX 24      /* letters and digits of what ftfy takes for an entity */
#define AKIN_ENTITY_VALUE_MAX 7 /* bytes of a value, with a NUL */

/* ftfy's rule for one entity: "&" "#"? 1-24 letters or digits ";". Writes its value, which may be
 * empty; at most 6 bytes for 5. False when text[0..size) is not of that form or means nothing. */
bool akin_html_entity(const char *text, size_t size, char value[AKIN_ENTITY_VALUE_MAX]);

/* Replaces every such entity, once, and appends the text to *out. Linear. */
akin_status akin_html_unescape_entities(const char *text, size_t size, akin_buffer *out,
                                        akin_error *err);

/* html.unescape: names without a semicolon too, by their longest prefix. Appends. Linear. */
akin_status akin_html_unescape(const char *text, size_t size, akin_buffer *out, akin_error *err);

#endif
