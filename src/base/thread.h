/* thread.h - how many processors we may use, and a pool that runs one loop over them. */
#ifndef AKIN_BASE_THREAD_H
#define AKIN_BASE_THREAD_H

#include <stddef.h>

#include "error.h"

/* Processors this process may really use: the smaller of its affinity mask and its control group's
 * quota (rounded up), at least 1. Not the machine's count: in a container of two processors on a
 * machine of 64, 64 threads are many times slower than two. */
int akin_cpu_count(void);

/* `threads` - 1 workers and the calling thread. One thread at a time may call run. */
typedef struct akin_pool akin_pool;

akin_status akin_pool_new(akin_pool **out, int threads, akin_error *err);
void akin_pool_free(akin_pool *pool);
int akin_pool_threads(const akin_pool *pool);

/* Calls task(context, i, worker) once for each i in [0, count), in no fixed order, on whichever
 * thread is free; worker is in [0, threads), and no two calls with the same worker overlap. Returns
 * when all are done. A NULL pool runs them here, in order. */
typedef void (*akin_task)(void *context, size_t i, int worker);
void akin_pool_run(akin_pool *pool, size_t count, akin_task task, void *context);

#endif
