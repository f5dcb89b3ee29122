/* bind.c - expected tensors against a checkpoint. */
#include "models/bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"

void akin_slots_clear(akin_slots *slots)
{
    const char *config = slots->config;
    free(slots->items);
    akin_arena_clear(&slots->scratch);
    *slots = (akin_slots){ .config = config };
}

akin_slot *akin_slots_add(akin_slots *slots, int dims, const int64_t *shape, const char *format,
                          ...)
{
    if (slots->status != AKIN_OK)
        return &slots->nowhere;
    akin_slot *items =
        akin_grow(slots->items, &slots->capacity, slots->count + 1, sizeof *slots->items);
    if (items == NULL) {
        slots->status = AKIN_E_NOMEM;
        return &slots->nowhere;
    }
    slots->items = items;
    akin_slot *slot = &slots->items[slots->count++];
    *slot = (akin_slot){ .dims = dims };
    memcpy(slot->shape, shape, (size_t)dims * sizeof *shape);
    va_list args;
    va_start(args, format);
    vsnprintf(slot->name, sizeof slot->name, format, args);
    va_end(args);
    return slot;
}

static bool is_float(akin_dtype dtype)
{
    return dtype == AKIN_F32 || dtype == AKIN_F16 || dtype == AKIN_BF16 || dtype == AKIN_F64;
}

static const char *config_name(const akin_slots *slots)
{
    return slots->config != NULL ? slots->config : "config.json";
}

static akin_status check_slot(const akin_slots *slots, const akin_slot *slot,
                              const akin_checkpoint *checkpoint, akin_error *err)
{
    char expected[128], found[256];
    akin_shape_text(slot->shape, slot->dims, expected, sizeof expected);
    const akin_tensor *tensor = akin_checkpoint_find(checkpoint, slot->name);
    if (tensor == NULL)
        return akin_fail(err, AKIN_E_TENSOR_MISSING, akin_checkpoint_path(checkpoint),
                         "tensor '%s' is missing; expected shape %s", slot->name, expected);
    if (tensor->dims != slot->dims ||
        memcmp(tensor->shape, slot->shape, (size_t)slot->dims * sizeof *slot->shape) != 0)
        return akin_fail(err, AKIN_E_TENSOR_SHAPE, tensor->file,
                         "tensor '%s' has shape %s; %s asks for %s", slot->name,
                         akin_shape_text(tensor->shape, tensor->dims, found, sizeof found),
                         config_name(slots), expected);
    if (!is_float(tensor->dtype))
        return akin_fail(err, AKIN_E_TENSOR_DTYPE, tensor->file,
                         "tensor '%s' has type %s; expected F32, F16, BF16 or F64", slot->name,
                         akin_dtype_name(tensor->dtype));
    return AKIN_OK;
}

static int compare_slots(const void *a, const void *b)
{
    return strcmp(((const akin_slot *)a)->name, ((const akin_slot *)b)->name);
}

akin_status akin_bind_check(const akin_slots *slots, const akin_checkpoint *checkpoint,
                            bool (*ignorable)(const char *name), akin_error *err)
{
    if (slots->status != AKIN_OK)
        return akin_fail_nomem(err, "tensor table", 0);
    for (size_t i = 0; i < slots->count; i++) {
        akin_status status = check_slot(slots, &slots->items[i], checkpoint, err);
        if (status != AKIN_OK)
            return status;
    }
    /* Both lists in name order; every slot is in the checkpoint, so whatever does not match is
     * extra. */
    akin_slot *sorted = malloc(akin_max(slots->count, 1) * sizeof *sorted);
    if (sorted == NULL)
        return akin_fail_nomem(err, "tensor table", slots->count * sizeof *sorted);
    memcpy(sorted, slots->items, slots->count * sizeof *sorted);
    qsort(sorted, slots->count, sizeof *sorted, compare_slots);
    akin_status status = AKIN_OK;
    size_t s = 0;
    for (size_t i = 0; i < akin_checkpoint_count(checkpoint) && status == AKIN_OK; i++) {
        const akin_tensor *tensor = akin_checkpoint_at(checkpoint, i);
        if (s < slots->count && strcmp(sorted[s].name, tensor->name) == 0) {
            s++;
        } else if (ignorable == NULL || !ignorable(tensor->name)) {
            char found[256];
            status = akin_fail(
                err, AKIN_E_TENSOR_EXTRA, tensor->file,
                "tensor '%s' of shape %s is not part of the model that %s describes", tensor->name,
                akin_shape_text(tensor->shape, tensor->dims, found, sizeof found),
                config_name(slots));
        }
    }
    free(sorted);
    return status;
}

struct load {
    const akin_slots *slots;
    const akin_checkpoint *checkpoint;
    const akin_kernels *kernels;
    bool whole;
    bool scaled; /* which slots are read: those without a scale first, which has the scales read */
    akin_status *statuses; /* [count] */
    float **scratch; /* [threads]: room for the largest tensor that is packed; NULL: not yet */
    size_t scratch_floats;
};

/* Multiplies row i of x [rows, n] by scale[i]. */
static void scale_rows(float *x, size_t rows, size_t n, const float *scale)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++)
            x[i * n + j] *= scale[i];
}

static akin_status load_slot(const struct load *t, const akin_slot *slot, int worker,
                             akin_error *err)
{
    if (slot->values == NULL && slot->linear == NULL && !t->whole)
        return AKIN_OK;
    akin_tensor tensor = *akin_checkpoint_find(t->checkpoint, slot->name);
    const size_t count = akin_tensor_count(&tensor);
    if (slot->transposed) { /* the conversion follows any strides */
        for (int i = 0; i < 2; i++) {
            tensor.shape[i] = slot->shape[1 - i];
            tensor.stride[i] = akin_checkpoint_find(t->checkpoint, slot->name)->stride[1 - i];
        }
    }
    const size_t rows = slot->dims > 0 ? (size_t)tensor.shape[0] : 1;
    akin_status status;
    if (slot->linear == NULL) {
        status = akin_tensor_to_f32(&tensor, slot->values, count, err);
        if (status == AKIN_OK && slot->scale != NULL && slot->values != NULL)
            scale_rows(slot->values, rows, count / rows, slot->scale);
        return status;
    }
    float **scratch = &t->scratch[worker];
    if (*scratch == NULL)
        *scratch = akin_large_alloc(t->scratch_floats * sizeof **scratch);
    if (*scratch == NULL)
        return akin_fail_nomem(err, "weights", t->scratch_floats * sizeof **scratch);
    status = akin_tensor_to_f32(&tensor, *scratch, count, err);
    if (status == AKIN_OK && slot->scale != NULL)
        scale_rows(*scratch, rows, count / rows, slot->scale);
    if (status == AKIN_OK)
        akin_linear_set(slot->linear, t->kernels, *scratch, slot->first, rows);
    return status;
}

static void load_task(void *context, size_t i, int worker)
{
    const struct load *t = context;
    if ((t->slots->items[i].scale != NULL) == t->scaled)
        t->statuses[i] = load_slot(t, &t->slots->items[i], worker, NULL);
}

akin_status akin_bind_load(const akin_slots *slots, const akin_checkpoint *checkpoint,
                           akin_pool *pool, const akin_kernels *kernels, bool whole,
                           akin_error *err)
{
    struct load t = { .slots = slots, .checkpoint = checkpoint, .kernels = kernels,
                      .whole = whole };
    const int threads = akin_pool_threads(pool);
    akin_status status = AKIN_OK;
    if (slots->status != AKIN_OK)
        return akin_fail_nomem(err, "tensor table", 0);
    for (size_t i = 0; i < slots->count; i++)
        if (slots->items[i].linear != NULL)
            t.scratch_floats = akin_max(t.scratch_floats, akin_tensor_count(akin_checkpoint_find(
                                                              checkpoint, slots->items[i].name)));
    t.statuses = calloc(akin_max(slots->count, 1), sizeof *t.statuses);
    t.scratch = calloc((size_t)threads, sizeof *t.scratch);
    if (t.statuses == NULL || t.scratch == NULL) {
        status = akin_fail_nomem(err, "tensor table", 0);
        goto out;
    }
    akin_pool_run(pool, slots->count, load_task, &t);
    t.scaled = true;
    akin_pool_run(pool, slots->count, load_task, &t);
    /* The first that failed, in table order, is done again for its message. */
    for (size_t i = 0; i < slots->count && status == AKIN_OK; i++)
        if (t.statuses[i] != AKIN_OK)
            status = load_slot(&t, &slots->items[i], 0, err);
out:
    for (int i = 0; i < threads && t.scratch != NULL; i++)
        free(t.scratch[i]);
    free(t.scratch);
    free(t.statuses);
    return status;
}
