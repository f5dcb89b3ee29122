/* bind.h - the tensors a model expects, checked against a checkpoint and read into place. */
#ifndef AKIN_MODELS_BIND_H
#define AKIN_MODELS_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/thread.h"
#include "nn/linear.h"
#include "weights/checkpoint.h"

/* One expected tensor. It is read into `values` (as float32), or packed as rows [first, first + n)
 * of `linear`, n = shape[0]; with neither it is only checked. */
typedef struct akin_slot {
    char name[120];
    int dims;
    int64_t shape[4];
    float *values;
    akin_linear *linear;
    size_t first;
    bool transposed;    /* two dimensions, stored [in, out] for x @ P: n = shape[1] */
    const float *scale; /* NULL, or [n]: what each row is multiplied by, the values of another slot
                           (which has none itself) */
} akin_slot;

/* A growing list of them; `status` holds the first failure, so that a run of adds is checked
 * once. */
typedef struct akin_slots {
    akin_slot *items;
    size_t count, capacity;
    akin_status status; /* AKIN_OK or AKIN_E_NOMEM */
    const char *config; /* the file that the shapes come from, for messages; NULL: config.json */
    akin_arena scratch; /* for values that only loading needs; lives until akin_slots_clear */
    akin_slot nowhere;  /* takes the caller's writes once memory has run out */
} akin_slots;

void akin_slots_clear(akin_slots *slots);

/* Adds an expected tensor of `dims` sizes; the returned slot (valid until the next add, never NULL)
 * takes its target. The name is formatted as by printf. */
akin_slot *akin_slots_add(akin_slots *slots, int dims, const int64_t *shape, const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

/* Checks that the checkpoint holds every slot with its shape and a floating-point type, and nothing
 * else but what `ignorable` (may be NULL) accepts. Every error names the tensor, what was expected
 * and what was found. */
akin_status akin_bind_check(const akin_slots *slots, const akin_checkpoint *checkpoint,
                            bool (*ignorable)(const char *name), akin_error *err);

/* Reads the slots, checked, that have a target, several at a time on `pool`. A NaN or infinity is
 * AKIN_E_NONFINITE naming the tensor; with `whole`, one in a slot without a target too. */
akin_status akin_bind_load(const akin_slots *slots, const akin_checkpoint *checkpoint,
                           akin_pool *pool, const akin_kernels *kernels, bool whole,
                           akin_error *err);

#endif
