/* safetensors.c - the safetensors format: 8 bytes of header length, a JSON header, the data.
 *
 * Accepts and refuses what the reference reader does (safetensors 0.8.0): every byte of the data
 * belongs to exactly one tensor, so holes, overlaps and trailing bytes are refused; blanks around
 * the header, empty tensors, scalars and unaligned offsets are fine. Stricter than it: the header
 * limit, AKIN_MAX_DIMS, duplicate names, and dtypes that no model akin knows uses.
 */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/json.h"

/* Bytes [begin, end) of the data, and whose they are. */
struct span {
    uint64_t begin, end;
    const char *name;
};

struct file {
    const char *path;
    const unsigned char *data; /* what follows the header */
    uint64_t data_size;
};

static bool dtype_of(const char *text, akin_dtype *out)
{
    for (int i = AKIN_F32; i <= AKIN_BOOL; i++) {
        if (strcmp(text, akin_dtype_name((akin_dtype)i)) == 0) {
            *out = (akin_dtype)i;
            return true;
        }
    }
    return false;
}

static akin_status read_shape(const struct file *file, const char *name, const akin_json *shape,
                              akin_tensor *tensor, akin_error *err)
{
    if (!akin_json_is_array(shape))
        return akin_fail(err, AKIN_E_FORMAT, file->path, "tensor '%s': no 'shape' array", name);
    if (akin_json_count(shape) > AKIN_MAX_DIMS)
        return akin_fail(err, AKIN_E_LIMIT, file->path,
                         "tensor '%s' has %zu dimensions; the limit is %d", name,
                         akin_json_count(shape), AKIN_MAX_DIMS);
    tensor->dims = (int)akin_json_count(shape);
    for (int i = 0; i < tensor->dims; i++) {
        const akin_json *dim = akin_json_at(shape, (size_t)i);
        if (!akin_json_is_integer(dim) || akin_json_integer(dim) < 0)
            return akin_fail(err, AKIN_E_FORMAT, file->path,
                             "tensor '%s': dimension %d is not a whole number of 0 or more", name,
                             i);
        tensor->shape[i] = akin_json_integer(dim);
    }
    return AKIN_OK;
}

/* data_offsets as [begin, end), checked against the data. */
static akin_status read_span(const struct file *file, const char *name, const akin_json *offsets,
                             struct span *out, akin_error *err)
{
    const akin_json *begin = akin_json_at(offsets, 0), *end = akin_json_at(offsets, 1);
    if (akin_json_count(offsets) != 2 || !akin_json_is_integer(begin) || !akin_json_is_integer(end) ||
        akin_json_integer(begin) < 0 || akin_json_integer(end) < akin_json_integer(begin))
        return akin_fail(err, AKIN_E_FORMAT, file->path,
                         "tensor '%s': 'data_offsets' is not a begin and an end", name);
    *out = (struct span){ (uint64_t)akin_json_integer(begin), (uint64_t)akin_json_integer(end),
                          NULL };
    if (out->end > file->data_size)
        return akin_fail(err, AKIN_E_TRUNCATED, file->path,
                         "tensor '%s' ends at byte %llu of the data, the file has only %llu: "
                         "download it again",
                         name, (unsigned long long)out->end, (unsigned long long)file->data_size);
    return AKIN_OK;
}

static akin_status read_tensor(const struct file *file, const char *name, const akin_json *entry,
                               akin_tensor_list *list, struct span *span, akin_error *err)
{
    akin_tensor tensor = { .file = file->path };
    if (!akin_json_is_object(entry))
        return akin_fail(err, AKIN_E_FORMAT, file->path,
                         "tensor '%s' is not described by an object", name);
    const char *dtype = akin_json_string(akin_json_get(entry, "dtype"));
    if (dtype == NULL)
        return akin_fail(err, AKIN_E_FORMAT, file->path, "tensor '%s': no 'dtype' string", name);
    if (!dtype_of(dtype, &tensor.dtype))
        return akin_fail(err, AKIN_E_TENSOR_DTYPE, file->path,
                         "tensor '%s' is %s, a dtype that akin does not read", name, dtype);
    akin_status status = read_shape(file, name, akin_json_get(entry, "shape"), &tensor, err);
    if (status == AKIN_OK)
        status = read_span(file, name, akin_json_get(entry, "data_offsets"), span, err);
    if (status != AKIN_OK)
        return status;

    int64_t count;
    uint64_t bytes;
    char shape[200];
    if (!akin_shape_count(tensor.shape, tensor.dims, &count) ||
        __builtin_mul_overflow((uint64_t)count, akin_dtype_size(tensor.dtype), &bytes) ||
        bytes != span->end - span->begin)
        return akin_fail(err, AKIN_E_CORRUPT, file->path,
                         "tensor '%s': %s of shape %s does not take the %llu bytes it is given",
                         name, dtype,
                         akin_shape_text(tensor.shape, tensor.dims, shape, sizeof shape),
                         (unsigned long long)(span->end - span->begin));
    akin_shape_strides(tensor.shape, tensor.dims, tensor.stride);
    tensor.data = file->data + span->begin;
    status = akin_tensor_list_add(list, &tensor, name, strlen(name), err);
    span->name = name;
    return status;
}

static int by_place(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Each byte of the data belongs to one tensor. */
static akin_status check_cover(const struct file *file, struct span *spans, size_t count,
                               akin_error *err)
{
    if (count != 0)
        qsort(spans, count, sizeof *spans, by_place);
    uint64_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin < at)
            return akin_fail(err, AKIN_E_CORRUPT, file->path,
                             "tensor '%s' begins at byte %llu of the data, inside '%s'",
                             spans[i].name, (unsigned long long)spans[i].begin, spans[i - 1].name);
        if (spans[i].begin > at)
            return akin_fail(
                err, AKIN_E_CORRUPT, file->path,
                "bytes %llu to %llu of the data, before tensor '%s', belong to no tensor",
                (unsigned long long)at, (unsigned long long)spans[i].begin, spans[i].name);
        at = spans[i].end;
    }
    if (at != file->data_size)
        return akin_fail(err, AKIN_E_CORRUPT, file->path, "%llu bytes follow the last tensor",
                         (unsigned long long)(file->data_size - at));
    return AKIN_OK;
}

static akin_status check_metadata(const struct file *file, const akin_json *metadata, akin_error *err)
{
    const char *key;
    const akin_json *value;
    if (!akin_json_is_object(metadata))
        return akin_fail(err, AKIN_E_FORMAT, file->path, "'__metadata__' is not an object");
    for (size_t member = 0; member < akin_json_members(metadata); member++) {
        key = akin_json_key(metadata, member);
        value = akin_json_member(metadata, member);
        if (!akin_json_is_string(value))
            return akin_fail(err, AKIN_E_FORMAT, file->path, "'__metadata__.%s' is not a string",
                             key);
    }
    return AKIN_OK;
}

akin_status akin_safetensors_read(const unsigned char *data, size_t size, const char *path,
                                  akin_tensor_list *out, akin_error *err)
{
    akin_cursor c = akin_cursor_over(data, size);
    uint64_t header_size;
    const uint8_t *text;
    if (!akin_cursor_u64(&c, &header_size))
        return akin_fail(err, AKIN_E_TRUNCATED, path,
                         "%zu bytes are too few for a safetensors file", size);
    if (header_size > AKIN_SAFETENSORS_MAX_HEADER)
        return akin_fail(err, AKIN_E_LIMIT, path,
                         "safetensors header of %llu bytes; the limit is %d",
                         (unsigned long long)header_size, AKIN_SAFETENSORS_MAX_HEADER);
    if (!akin_cursor_bytes(&c, header_size, &text))
        return akin_fail(
            err, AKIN_E_TRUNCATED, path,
            "safetensors header of %llu bytes, the file ends after %zu: download it again",
            (unsigned long long)header_size, akin_cursor_left(&c));

    struct file file = { path, data + c.pos, akin_cursor_left(&c) };
    struct span *spans = NULL;
    size_t count = 0, first = out->count;
    akin_json *header = NULL;
    const akin_json *entry;
    const char *name;
    akin_status status;
    AKIN_TRY(akin_json_parse(text, (size_t)header_size, path, &header, err));
    if (!akin_json_is_object(header)) {
        status = akin_fail(err, AKIN_E_FORMAT, path, "the safetensors header is not a JSON object");
        goto out;
    }
    spans = calloc(akin_json_members(header) + 1, sizeof *spans);
    if (spans == NULL) {
        status =
            akin_fail_nomem(err, "list of tensors", (akin_json_members(header) + 1) * sizeof *spans);
        goto out;
    }
    for (size_t member = 0; member < akin_json_members(header); member++) {
        name = akin_json_key(header, member);
        entry = akin_json_member(header, member);
        if (strcmp(name, "__metadata__") == 0)
            AKIN_TRY(check_metadata(&file, entry, err));
        else
            AKIN_TRY(read_tensor(&file, name, entry, out, &spans[count++], err));
    }
    AKIN_TRY(check_cover(&file, spans, count, err));
    status = akin_tensor_list_sort(out, first, err);
out:
    free(spans);
    akin_json_free(header);
    return status;
}
