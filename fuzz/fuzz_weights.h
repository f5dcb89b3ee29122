/* fuzz_weights.h - what holds of the tensors that either reader of weights hands out. */
#ifndef AKIN_FUZZ_WEIGHTS_H
#define AKIN_FUZZ_WEIGHTS_H

#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "weights/checkpoint.h"
#include "weights/tensors.h"

enum { FUZZ_FLOATS = 4096 };

static inline void check_tensors(const akin_tensor_list *list, const uint8_t *data, size_t size)
{
    static float values[FUZZ_FLOATS];
    for (size_t i = 0; i < list->count; i++) {
        const akin_tensor *t = &list->items[i];
        HOLDS(t->name[0] != '\0');
        HOLDS(i == 0 || strcmp(list->items[i - 1].name, t->name) < 0);
        HOLDS(akin_tensor_list_find(list, t->name) == t);
        HOLDS(t->dims >= 0 && t->dims <= AKIN_MAX_DIMS);
        size_t count = akin_tensor_count(t), last = 0;
        for (int d = 0; d < t->dims; d++) {
            HOLDS(t->shape[d] >= 0 && t->stride[d] >= 0);
            if (count != 0)
                last += (size_t)(t->shape[d] - 1) * (size_t)t->stride[d];
        }
        if (count != 0) {
            const uint8_t *first = t->data;
            HOLDS(first >= data && first <= data + size);
            HOLDS((last + 1) * akin_dtype_size(t->dtype) <= (size_t)(data + size - first));
        }
        if (count > FUZZ_FLOATS)
            continue;
        akin_error err;
        akin_status status = judged(akin_tensor_to_f32(t, values, count, &err), &err);
        for (size_t k = 0; status == AKIN_OK && k < count; k++)
            HOLDS(isfinite(values[k]));
    }
}

#endif
