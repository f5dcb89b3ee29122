/* optimizer.h - AdamW (Loshchilov and Hutter 2019) with decoupled decay as torch.optim.AdamW
 * computes it, gradient clipping as torch.nn.utils.clip_grad_norm_, warm-up and cosine schedule. */
#ifndef AKIN_TRAIN_OPTIMIZER_H
#define AKIN_TRAIN_OPTIMIZER_H

#include "train/parameters.h"
#include "train/work.h"

typedef struct akin_schedule {
    double rate;       /* the peak */
    double final_rate; /* at the end of the cosine, as a share of rate: 0.01 */
    uint64_t warmup, steps;
} akin_schedule;

/* The rate of step 0, 1, ...: rate * (step + 1) / warmup at first, then half a cosine. */
double akin_schedule_rate(const akin_schedule *schedule, uint64_t step);

typedef struct akin_adamw {
    double beta1, beta2, eps, decay;
} akin_adamw;

/* The L2 norm of all gradients that are not frozen, in double, in parts that do not depend on the
 * threads. */
double akin_gradients_norm(const akin_work *work, const akin_parameters *list);

/* Scales gradients by `scale` and takes step `step` (from 1) at `rate`; then zeroes the gradients.
 * Frozen parameters and BatchNorm's state are left alone. */
void akin_adamw_step(const akin_work *work, const akin_adamw *adamw, akin_parameters *list,
                     double rate, double scale, uint64_t step);

#endif
