/* buffer.c - growable buffer with a mandatory maximum. */
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

#include "arith.h"

void akin_buffer_init(akin_buffer *b, const char *what, size_t max)
{
    *b = (akin_buffer){ .max = max, .what = what };
}

void akin_buffer_clear(akin_buffer *b)
{
    free(b->data);
    akin_buffer_init(b, b->what, b->max);
}

akin_status akin_buffer_reserve(akin_buffer *b, size_t extra, akin_error *err)
{
    size_t need;
    if (!akin_add(b->size, extra, &need) || need > b->max)
        return akin_fail(err, AKIN_E_LIMIT, NULL, "%s is larger than its limit of %zu bytes",
                         b->what, b->max);
    if (need < b->capacity) /* one byte is kept for the NUL */
        return AKIN_OK;
    size_t capacity = akin_max(akin_min(b->capacity * 2, b->max + 1), akin_max(need + 1, 64));
    char *data = realloc(b->data, capacity);
    if (data == NULL)
        return akin_fail_nomem(err, b->what, capacity);
    data[b->size] = '\0';
    b->data = data;
    b->capacity = capacity;
    return AKIN_OK;
}

akin_status akin_buffer_add(akin_buffer *b, const void *bytes, size_t count, akin_error *err)
{
    akin_status status = akin_buffer_reserve(b, count, err);
    if (status != AKIN_OK)
        return status;
    if (count != 0)
        memcpy(b->data + b->size, bytes, count);
    b->size += count;
    b->data[b->size] = '\0';
    return AKIN_OK;
}

akin_status akin_buffer_add_text(akin_buffer *b, const char *text, akin_error *err)
{
    return akin_buffer_add(b, text, strlen(text), err);
}
