/* batchnorm.h - BatchNorm with what surrounds it in CLIP's ResNet: ReLU, the sum of a block's two
 * branches, 2 x 2 average pools. Each direction reads every activation twice and writes it once.
 *
 * Activations are [count, side, side, channels]. Reference: torch.nn.BatchNorm2d (eps 1e-5,
 * momentum 0.1), ReLU, AvgPool2d(2) and their autograd.
 */
#ifndef AKIN_TRAIN_BATCHNORM_H
#define AKIN_TRAIN_BATCHNORM_H

#include "train/work.h"

/* One norm in one pass. All [channels]; borrowed. */
typedef struct akin_batchnorm {
    size_t channels;
    const float *gamma, *beta;
    float *running_mean, *running_var;
    bool fixed; /* computes with the running statistics, which stay */
    /* From the arena, by akin_batchnorm_measure: y = scale * x + shift. */
    float *mean, *inverse, *scale, *shift;
} akin_batchnorm;

typedef struct akin_maps {
    size_t count, side;
} akin_maps;

/* The statistics of x (unless fixed), which with `update` move the running ones. A single position
 * has no variance: AKIN_E_ARGUMENT, as the reference refuses it. */
akin_status akin_batchnorm_measure(const akin_work *work, akin_batchnorm *norm, const float *x,
                                   akin_maps maps, bool update, akin_error *err);

/* What a ReLU takes: norm(x), norm(x) + x2, or norm(x) + norm2(x2). */
typedef struct akin_joint {
    akin_maps maps;
    const akin_batchnorm *norm;
    const float *x;
    const akin_batchnorm *norm2; /* or NULL */
    const float *x2;             /* or NULL */
} akin_joint;

/* y: after the ReLU; pooled [count, side / 2, side / 2, channels]: y behind an average pool. Either
 * may be NULL. */
akin_status akin_joint_forward(const akin_work *work, const akin_joint *joint, float *y,
                               float *pooled, akin_error *err);

/* The gradient of y: a + b (NULL: nothing), each of y's shape or, half, of the pooled one's. */
typedef struct akin_upstream {
    const float *a, *b;
    bool a_half, b_half;
} akin_upstream;

/* y: as forward wrote it; needed where x2 is there, else NULL will do. dx is written; of x2, dx2 is
 * (through norm2 or not). dx or dx2 may be upstream->a where that is not half. dgamma.. of the
 * norms are added to; NULL: not wanted. */
akin_status akin_joint_backward(const akin_work *work, const akin_joint *joint,
                                const akin_upstream *upstream, const float *y, float *dx,
                                float *dx2, float *dgamma, float *dbeta, float *dgamma2,
                                float *dbeta2, akin_error *err);

#endif
