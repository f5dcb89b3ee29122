/* buffer.h - the one growable byte buffer; it has a mandatory maximum. */
#ifndef AKIN_BASE_BUFFER_H
#define AKIN_BASE_BUFFER_H

#include <stddef.h>

#include "error.h"

/* One thread at a time. `data` is always NUL-terminated once anything was added (the NUL is not
 * counted in `size`), so that it can be read as a string. */
typedef struct akin_buffer {
    char *data;
    size_t size;
    size_t capacity;
    size_t max;       /* adding past this is AKIN_E_LIMIT */
    const char *what; /* borrowed: what the buffer holds, for messages */
} akin_buffer;

void akin_buffer_init(akin_buffer *b, const char *what, size_t max);
void akin_buffer_clear(akin_buffer *b); /* frees; b may be used again */

/* Room for `extra` more bytes after `size`; the caller writes there and adds to `size`. */
akin_status akin_buffer_reserve(akin_buffer *b, size_t extra, akin_error *err);
akin_status akin_buffer_add(akin_buffer *b, const void *bytes, size_t count, akin_error *err);
akin_status akin_buffer_add_text(akin_buffer *b, const char *text, akin_error *err);

#endif
