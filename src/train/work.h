/* work.h - what every forward and backward pass of training runs on.
 *
 * Sums over the batch are cut into AKIN_PARTS parts that do not depend on how many threads there
 * are, and added in order: the same bits whatever --threads.
 */
#ifndef AKIN_TRAIN_WORK_H
#define AKIN_TRAIN_WORK_H

#include "base/arena.h"
#include "base/error.h"
#include "base/thread.h"
#include "cpu/kernels.h"

enum { AKIN_PARTS = 32 };

/* Borrowed by each call; one pass at a time. */
typedef struct akin_work {
    const akin_kernels *kernels;
    akin_pool *pool;   /* NULL: this thread alone */
    akin_arena *arena; /* A forward pass takes from it what its backward pass reads; whoever called
                          the forward pass gives it back, behind the backward one. What a call needs
                          for itself alone, it gives back. */
    bool bf16;         /* products of operands rounded to bf16, sums in f32 */
} akin_work;

#endif
