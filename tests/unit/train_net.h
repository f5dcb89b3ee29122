/* train_net.h - the tiny models of tools/oracle/train_steps.py, their weights and batches. */
#ifndef AKIN_TESTS_TRAIN_NET_H
#define AKIN_TESTS_TRAIN_NET_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/net.h"
#include "train_values.h"

static inline uint32_t train_seed(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

static inline bool train_ends(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* draw() of the script, for every parameter. */
static inline void train_set_values(akin_parameters *list)
{
    for (size_t p = 0; p < list->count; p++) {
        const akin_parameter *item = &list->items[p];
        const char *name = item->name;
        float *out = akin_value(list, p);
        for (size_t i = 0; i < item->count; i++) {
            double x = train_value(train_seed(name), i);
            if (strcmp(name, "logit_scale") == 0)
                x = 2.5;
            else if (strcmp(name, "logit_bias") == 0)
                x = -2.0;
            else if (train_ends(name, "running_mean"))
                x = 0.0;
            else if (train_ends(name, "running_var"))
                x = 1.0;
            else if (strstr(name, "embedding") != NULL)
                x *= 0.4;
            else if (item->dims >= 2)
                x *= sqrt(3.0 * (double)item->shape[0] / (double)item->count);
            else if (train_ends(name, "weight"))
                x = 1.0 + 0.2 * x;
            else
                x *= 0.1;
            out[i] = (float)x;
        }
    }
}

enum { TRAIN_BATCH = 8, TRAIN_BATCHES = 3, TRAIN_KEPT = 7, TRAIN_PROTOTYPES = 10 };

typedef struct train_batch {
    float *pixels;
    int32_t ids[TRAIN_BATCH * 8];
    size_t starts[TRAIN_BATCH + 1];
    uint32_t keep[TRAIN_BATCH * TRAIN_KEPT];
    uint32_t labels[TRAIN_BATCH], concepts[TRAIN_BATCH];
} train_batch;

static inline int train_compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static inline void train_make_batch(train_batch *batch, const akin_clip_config *config, uint32_t b)
{
    const size_t floats = TRAIN_BATCH * 3 * config->image_height * config->image_width;
    size_t at = 0;
    batch->pixels = malloc(floats * sizeof *batch->pixels);
    for (size_t i = 0; i < floats; i++)
        batch->pixels[i] = train_value(7100 + b, i);
    for (uint32_t i = 0; i < TRAIN_BATCH; i++) {
        batch->starts[i] = at;
        batch->ids[at++] = 30;
        for (uint32_t j = 0; j < (i * 3 + b) % 5 + 2; j++)
            batch->ids[at++] = (int32_t)(1 + (b * 11 + i * 7 + j * j * 3) % 28);
        batch->ids[at++] = 31;
        for (uint32_t j = 0; j < TRAIN_KEPT; j++)
            batch->keep[i * TRAIN_KEPT + j] = (b + i + j * (2 * i + 3)) % 16;
        qsort(batch->keep + i * TRAIN_KEPT, TRAIN_KEPT, sizeof *batch->keep, train_compare);
        batch->labels[i] = (b * 3 + i) % TRAIN_PROTOTYPES;
    }
    batch->starts[TRAIN_BATCH] = at;
    batch->labels[5] = batch->labels[1];
    batch->labels[6] = UINT32_MAX;
    memcpy(batch->concepts, batch->labels, sizeof batch->labels);
}

#endif
