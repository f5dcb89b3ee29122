/* tensors.h - the list of tensors that a reader fills, and arithmetic on their shapes. */
#ifndef AKIN_WEIGHTS_TENSORS_H
#define AKIN_WEIGHTS_TENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "weights/checkpoint.h"

/* Owns the tensors and their names, not what they point at. One thread at a time while it grows. */
typedef struct akin_tensor_list {
    akin_tensor *items;
    size_t count, capacity;
    akin_arena names;
} akin_tensor_list;

void akin_tensor_list_init(akin_tensor_list *list);
void akin_tensor_list_clear(akin_tensor_list *list);

/* Appends a copy of *tensor under a copy of the name, which must not be empty and must be UTF-8
 * without NUL (AKIN_E_FORMAT). tensor->name is not read; tensor->file is kept as it is. */
akin_status akin_tensor_list_add(akin_tensor_list *list, const akin_tensor *tensor,
                                 const char *name, size_t name_size, akin_error *err);

/* Sorts items[first..count) by name; a name that is there twice is AKIN_E_CORRUPT. */
akin_status akin_tensor_list_sort(akin_tensor_list *list, size_t first, akin_error *err);

/* The item with this name, or NULL, in a list that is sorted as a whole. */
const akin_tensor *akin_tensor_list_find(const akin_tensor_list *list, const char *name);

/* Bytes of one element. */
size_t akin_dtype_size(akin_dtype dtype);

/* Elements of a shape (each dimension >= 0). False when the product does not fit in an int64, zeros
 * taken as ones: the strides of such a shape could not be held even if it has no element. */
bool akin_shape_count(const int64_t *shape, int dims, int64_t *out);

/* Row-major strides, in elements, of a shape that akin_shape_count accepted. */
void akin_shape_strides(const int64_t *shape, int dims, int64_t *stride);

#endif
