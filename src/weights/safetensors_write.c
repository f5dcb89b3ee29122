/* safetensors_write.c - the other direction of safetensors.c. Reference: safetensors 0.8.0, whose
 * reader takes every file made here. */
#include "weights/safetensors_write.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/buffer.h"
#include "base/file.h"
#include "base/half.h"
#include "weights/safetensors.h"
#include "weights/tensors.h"

enum { PIECE = 4096 }; /* elements converted at a time */

static akin_status add_string(akin_buffer *b, const char *text, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_buffer_add(b, "\"", 1, err));
    for (const char *p = text; *p != '\0'; p++) {
        char escape[8] = { *p };
        size_t size = 1;
        if (*p == '"' || *p == '\\')
            size = (size_t)snprintf(escape, sizeof escape, "\\%c", *p);
        else if ((unsigned char)*p < 0x20)
            size = (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*p);
        AKIN_TRY(akin_buffer_add(b, escape, size, err));
    }
    AKIN_TRY(akin_buffer_add(b, "\"", 1, err));
out:
    return status;
}

static akin_status add_metadata(akin_buffer *b, const char *const *metadata, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_buffer_add_text(b, "{\"__metadata__\":{\"format\":\"pt\"", err));
    for (const char *const *pair = metadata; pair != NULL && *pair != NULL; pair += 2) {
        AKIN_TRY(akin_buffer_add(b, ",", 1, err));
        AKIN_TRY(add_string(b, pair[0], err));
        AKIN_TRY(akin_buffer_add(b, ":", 1, err));
        AKIN_TRY(add_string(b, pair[1], err));
    }
    AKIN_TRY(akin_buffer_add(b, "}", 1, err));
out:
    return status;
}

/* *count: its elements; *end: where its bytes end, behind *begin. */
static akin_status measure(const akin_tensor_out *tensor, const char *path, uint64_t begin,
                           size_t *count, uint64_t *end, akin_error *err)
{
    int64_t elements;
    uint64_t bytes;
    const bool known = tensor->dtype == AKIN_F32 || tensor->dtype == AKIN_F16 ||
                       tensor->dtype == AKIN_I64;
    bool fits = tensor->dims >= 0 && tensor->dims <= AKIN_MAX_DIMS;
    for (int i = 0; fits && i < tensor->dims; i++)
        fits = tensor->shape[i] >= 0;
    if (!known || !fits || !akin_shape_count(tensor->shape, tensor->dims, &elements) ||
        __builtin_mul_overflow((uint64_t)elements, akin_dtype_size(tensor->dtype), &bytes) ||
        __builtin_add_overflow(begin, bytes, end))
        return akin_fail(err, AKIN_E_ARGUMENT, path,
                         "tensor '%s' has a type or shape that is not written", tensor->name);
    *count = (size_t)elements;
    return AKIN_OK;
}

static akin_status add_tensor(akin_buffer *b, const akin_tensor_out *tensor, uint64_t begin,
                              uint64_t end, akin_error *err)
{
    char text[64];
    akin_status status;
    AKIN_TRY(akin_buffer_add(b, ",", 1, err));
    AKIN_TRY(add_string(b, tensor->name, err));
    AKIN_TRY(akin_buffer_add_text(b, ":{\"dtype\":\"", err));
    AKIN_TRY(akin_buffer_add_text(b, akin_dtype_name(tensor->dtype), err));
    AKIN_TRY(akin_buffer_add_text(b, "\",\"shape\":[", err));
    for (int i = 0; i < tensor->dims; i++) {
        snprintf(text, sizeof text, "%s%" PRId64, i > 0 ? "," : "", tensor->shape[i]);
        AKIN_TRY(akin_buffer_add_text(b, text, err));
    }
    snprintf(text, sizeof text, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, end);
    AKIN_TRY(akin_buffer_add_text(b, text, err));
out:
    return status;
}

static int by_name(const void *a, const void *b)
{
    const akin_tensor_out *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static akin_status check_names(const akin_tensor_out *tensors, size_t count, const char *path,
                               akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_tensor_out **sorted = calloc(akin_max(count, 1), sizeof *sorted);
    if (sorted == NULL)
        return akin_fail_nomem(err, "list of tensors", count * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &tensors[i];
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count && status == AKIN_OK; i++)
        if (sorted[i]->name[0] == '\0' || strcmp(sorted[i]->name, "__metadata__") == 0 ||
            (i > 0 && strcmp(sorted[i - 1]->name, sorted[i]->name) == 0))
            status = akin_fail(err, AKIN_E_ARGUMENT, path,
                               "two tensors are called '%s', or none may be", sorted[i]->name);
    free(sorted);
    return status;
}

static akin_status bad_value(const akin_tensor_out *tensor, const char *path, size_t i,
                             akin_error *err)
{
    return akin_fail(err, AKIN_E_NONFINITE, path,
                     tensor->dtype == AKIN_F16
                         ? "tensor '%s': element %zu is %g, which half precision does not hold; "
                           "write float32"
                         : "tensor '%s': element %zu is %g",
                     tensor->name, i, (double)((const float *)tensor->data)[i]);
}

static akin_status write_tensor(akin_writer *w, const akin_tensor_out *tensor, const char *path,
                                size_t count, akin_error *err)
{
    uint16_t halves[PIECE];
    const float *values = tensor->data;
    akin_status status = AKIN_OK;
    if (tensor->dtype == AKIN_I64)
        return akin_writer_add(w, tensor->data, count * sizeof(int64_t), err);
    for (size_t at = 0; at < count && status == AKIN_OK; at += PIECE) {
        const size_t n = akin_min(PIECE, count - at);
        for (size_t i = 0; i < n; i++) {
            halves[i] = akin_float_to_half(values[at + i]);
            if (tensor->dtype == AKIN_F16 ? (halves[i] & 0x7c00u) == 0x7c00u
                                          : !(values[at + i] - values[at + i] == 0.0f))
                return bad_value(tensor, path, at + i, err);
        }
        status = tensor->dtype == AKIN_F16 ? akin_writer_add(w, halves, n * sizeof *halves, err)
                                           : akin_writer_add(w, values + at, n * sizeof *values,
                                                             err);
    }
    return status;
}

akin_status akin_safetensors_write(const char *path, const akin_tensor_out *tensors, size_t count,
                                   const char *const *metadata, akin_error *err)
{
    akin_buffer header;
    akin_writer w = { 0 };
    uint64_t at = 0, end;
    size_t elements;
    akin_status status;
    akin_buffer_init(&header, "safetensors header", AKIN_SAFETENSORS_MAX_HEADER);
    AKIN_TRY(check_names(tensors, count, path, err));
    AKIN_TRY(add_metadata(&header, metadata, err));
    for (size_t i = 0; i < count; i++, at = end) {
        AKIN_TRY(measure(&tensors[i], path, at, &elements, &end, err));
        AKIN_TRY(add_tensor(&header, &tensors[i], at, end, err));
    }
    AKIN_TRY(akin_buffer_add(&header, "}", 1, err));
    AKIN_TRY(akin_buffer_add(&header, "       ", (8 - header.size % 8) % 8, err));

    uint8_t size[8];
    for (int i = 0; i < 8; i++)
        size[i] = (uint8_t)((uint64_t)header.size >> 8 * i);
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(akin_writer_add(&w, size, sizeof size, err));
    AKIN_TRY(akin_writer_add(&w, header.data, header.size, err));
    for (size_t i = 0; i < count; i++) {
        AKIN_TRY(measure(&tensors[i], path, 0, &elements, &end, err));
        AKIN_TRY(write_tensor(&w, &tensors[i], path, elements, err));
    }
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    akin_buffer_clear(&header);
    return status;
}
