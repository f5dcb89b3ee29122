/* parameters.c - the list of what is learned, and its four blocks. */
#include "train/parameters.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"

size_t akin_parameters_add(akin_parameters *list, akin_parameter_kind kind, int dims,
                           const int64_t *shape, const char *format, ...)
{
    akin_parameter p = { .kind = kind, .dims = dims, .count = 1, .at = list->floats };
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(p.name, sizeof p.name, format, args);
    va_end(args);
    bool fits = length >= 0 && (size_t)length < sizeof p.name && list->values == NULL &&
                dims >= 0 && dims <= 4;
    for (int i = 0; i < dims && fits; i++) {
        p.shape[i] = shape[i];
        fits = shape[i] >= 0 && akin_mul(p.count, (size_t)shape[i], &p.count);
    }
    if (list->status != AKIN_OK)
        return 0;
    if (!fits || !akin_add(list->floats, p.count, &list->floats)) {
        list->status = AKIN_E_LIMIT;
        return 0;
    }
    akin_parameter *items =
        akin_grow(list->items, &list->capacity, list->count + 1, sizeof *list->items);
    if (items == NULL) {
        list->status = AKIN_E_NOMEM;
        return 0;
    }
    list->items = items;
    list->items[list->count] = p;
    return list->count++;
}

akin_status akin_parameters_make(akin_parameters *list, akin_error *err)
{
    float **const blocks[] = { &list->values, &list->gradients, &list->moments1, &list->moments2 };
    size_t bytes = 0, all = 0;
    if (list->status == AKIN_E_NOMEM)
        return akin_fail_nomem(err, "list of parameters", 0);
    if (list->status != AKIN_OK || !akin_mul(akin_max(list->floats, 1), sizeof(float), &bytes) ||
        !akin_mul(bytes, 4, &all))
        return akin_fail(err, AKIN_E_LIMIT, NULL,
                         "the model has more parameters than can be counted, or one of a name that "
                         "is too long");
    for (size_t i = 0; i < 4; i++) {
        *blocks[i] = akin_large_alloc(bytes);
        if (*blocks[i] == NULL) {
            for (size_t j = 0; j < i; j++) {
                free(*blocks[j]);
                *blocks[j] = NULL;
            }
            return akin_fail_nomem(err, "parameters, gradients and moments", all);
        }
        memset(*blocks[i], 0, bytes);
    }
    return AKIN_OK;
}

void akin_parameters_clear(akin_parameters *list)
{
    free(list->items);
    free(list->values);
    free(list->gradients);
    free(list->moments1);
    free(list->moments2);
    *list = (akin_parameters){ 0 };
}

size_t akin_parameters_find(const akin_parameters *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}
