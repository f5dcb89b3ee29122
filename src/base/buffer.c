/* buffer.c - growable buffer with a mandatory maximum. */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
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

akin_status akin_buffer_printf(akin_buffer *b, akin_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%s: cannot format text", b->what);
    akin_status status = akin_buffer_reserve(b, (size_t)length + 1, err);
    if (status != AKIN_OK)
        return status;
    va_start(args, format);
    vsnprintf(b->data + b->size, (size_t)length + 1, format, args);
    va_end(args);
    b->size += (size_t)length;
    return AKIN_OK;
}
