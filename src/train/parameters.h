/* parameters.h - the values of a model that training changes, in the layout of its file.
 *
 * All values lie one behind the other in one block, and so do their gradients and the optimiser's
 * two moments: a step, a norm or a checkpoint is one loop. A parameter is named by its number,
 * which stays valid while the list grows; tensors added one after the other are neighbours in
 * memory without padding (query, key and value of the Hugging Face form make one [3 d, d] matrix
 * so). */
#ifndef AKIN_TRAIN_PARAMETERS_H
#define AKIN_TRAIN_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/thread.h"

typedef enum akin_parameter_kind {
    AKIN_PARAMETER_MATRIX,  /* decayed: two dimensions or more */
    AKIN_PARAMETER_VECTOR,  /* not decayed: norms, biases, scales, class embedding */
    AKIN_PARAMETER_STATE,   /* of BatchNorm: saved with the model, has no gradient */
    AKIN_PARAMETER_PRIVATE  /* decayed, not part of the model's file: prototypes */
} akin_parameter_kind;

typedef struct akin_parameter {
    char name[120]; /* as in the file */
    akin_parameter_kind kind;
    int dims;
    int64_t shape[4];
    size_t count;   /* elements */
    size_t at;      /* first element in the blocks */
    bool frozen;    /* not changed; its gradient is not asked for */
} akin_parameter;

/* One thread at a time. */
typedef struct akin_parameters {
    akin_parameter *items;
    size_t count, capacity;
    size_t floats;  /* of all */
    float *values, *gradients, *moments1, *moments2; /* [floats] each; NULL until
                                                        akin_parameters_make */
    akin_status status; /* the first failed add */
} akin_parameters;

/* Adds one; its number. The name is formatted as by printf. Failures are kept in status. */
size_t akin_parameters_add(akin_parameters *list, akin_parameter_kind kind, int dims,
                           const int64_t *shape, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Allocates the four blocks, zeroed. AKIN_E_NOMEM says how much was asked for. Nothing may be added
 * after. */
akin_status akin_parameters_make(akin_parameters *list, akin_error *err);
void akin_parameters_clear(akin_parameters *list);

/* The number of the one called `name`, or SIZE_MAX. */
size_t akin_parameters_find(const akin_parameters *list, const char *name);

static inline float *akin_value(const akin_parameters *list, size_t number)
{
    return list->values + list->items[number].at;
}

/* Its gradient, or NULL when it is frozen or has none: what a backward pass is to add to. */
static inline float *akin_gradient(const akin_parameters *list, size_t number)
{
    const akin_parameter *p = &list->items[number];
    return p->frozen || p->kind == AKIN_PARAMETER_STATE ? NULL : list->gradients + p->at;
}

#endif
