/* tensors.c - the list of tensors that a reader fills, and arithmetic on their shapes. */
#include "tensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "base/utf8.h"

const char *akin_dtype_name(akin_dtype dtype)
{
    switch (dtype) {
    case AKIN_F32: return "F32";
    case AKIN_F16: return "F16";
    case AKIN_BF16: return "BF16";
    case AKIN_F64: return "F64";
    case AKIN_I64: return "I64";
    case AKIN_I32: return "I32";
    case AKIN_I16: return "I16";
    case AKIN_I8: return "I8";
    case AKIN_U64: return "U64";
    case AKIN_U32: return "U32";
    case AKIN_U16: return "U16";
    case AKIN_U8: return "U8";
    case AKIN_BOOL: return "BOOL";
    }
    return "unknown";
}

size_t akin_dtype_size(akin_dtype dtype)
{
    switch (dtype) {
    case AKIN_F64:
    case AKIN_I64:
    case AKIN_U64: return 8;
    case AKIN_F32:
    case AKIN_I32:
    case AKIN_U32: return 4;
    case AKIN_F16:
    case AKIN_BF16:
    case AKIN_I16:
    case AKIN_U16: return 2;
    case AKIN_I8:
    case AKIN_U8:
    case AKIN_BOOL: return 1;
    }
    return 1;
}

bool akin_shape_count(const int64_t *shape, int dims, int64_t *out)
{
    int64_t product = 1;
    bool empty = false;
    for (int i = 0; i < dims; i++) {
        if (shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(product, shape[i], &product))
            return false;
    }
    *out = empty ? 0 : product;
    return true;
}

void akin_shape_strides(const int64_t *shape, int dims, int64_t *stride)
{
    int64_t step = 1;
    for (int i = dims - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape[i] > 1 ? shape[i] : 1;
    }
}

size_t akin_tensor_count(const akin_tensor *tensor)
{
    int64_t count = 0;
    akin_shape_count(tensor->shape, tensor->dims, &count);
    return (size_t)count;
}

char *akin_shape_text(const int64_t *shape, int dims, char *text, size_t capacity)
{
    /* 20 digits, comma and space a dimension. */
    char whole[AKIN_MAX_DIMS * 22 + 3];
    size_t used = 0;
    whole[used++] = '[';
    for (int i = 0; i < dims && i < AKIN_MAX_DIMS; i++)
        used += (size_t)snprintf(whole + used, sizeof whole - used,
                                 i == 0 ? "%" PRId64 : ", %" PRId64, shape[i]);
    whole[used++] = ']';
    whole[used] = '\0';
    if (capacity == 0)
        return text;
    size_t kept = akin_min(used, capacity - 1);
    memcpy(text, whole, kept);
    text[kept] = '\0';
    if (kept < used && capacity >= 4)
        memcpy(text + capacity - 4, "...", 4);
    return text;
}

void akin_tensor_list_init(akin_tensor_list *list)
{
    *list = (akin_tensor_list){ 0 };
    akin_arena_init(&list->names);
}

void akin_tensor_list_clear(akin_tensor_list *list)
{
    free(list->items);
    akin_arena_clear(&list->names);
    akin_tensor_list_init(list);
}

akin_status akin_tensor_list_add(akin_tensor_list *list, const akin_tensor *tensor,
                                 const char *name, size_t name_size, akin_error *err)
{
    if (name_size == 0)
        return akin_fail(err, AKIN_E_FORMAT, tensor->file, "a tensor has an empty name");
    if (memchr(name, '\0', name_size) != NULL || !akin_utf8_valid(name, name_size, NULL))
        return akin_fail(err, AKIN_E_FORMAT, tensor->file,
                         "the name of tensor number %zu is not UTF-8 text", list->count + 1);
    akin_tensor *items =
        akin_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    if (items == NULL)
        return akin_fail_nomem(err, "list of tensors", 0);
    list->items = items;
    char *copy = akin_arena_take(&list->names, name_size + 1, 1);
    if (copy == NULL)
        return akin_fail_nomem(err, "tensor name", name_size + 1);
    memcpy(copy, name, name_size);
    copy[name_size] = '\0';
    list->items[list->count] = *tensor;
    list->items[list->count++].name = copy;
    return AKIN_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const akin_tensor *)a)->name, ((const akin_tensor *)b)->name);
}

akin_status akin_tensor_list_sort(akin_tensor_list *list, size_t first, akin_error *err)
{
    if (list->count - first < 2)
        return AKIN_OK;
    qsort(list->items + first, list->count - first, sizeof *list->items, by_name);
    for (size_t i = first + 1; i < list->count; i++)
        if (strcmp(list->items[i - 1].name, list->items[i].name) == 0)
            return akin_fail(err, AKIN_E_CORRUPT, list->items[i].file, "tensor '%s' is there twice",
                             list->items[i].name);
    return AKIN_OK;
}

const akin_tensor *akin_tensor_list_find(const akin_tensor_list *list, const char *name)
{
    if (list->count == 0)
        return NULL;
    akin_tensor key = { .name = name };
    return bsearch(&key, list->items, list->count, sizeof *list->items, by_name);
}
