/* thread.c - processor count and the pool. */
#include "thread.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define akin_pause() _mm_pause()
#else
#define akin_pause() ((void)0)
#endif

/* Processors granted by a quota of `quota` microseconds in each `period`; 0 when there is none. */
static int quota_processors(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long n = (quota + period - 1) / period;
    return n > 4096 ? 4096 : (int)n;
}

/* The quota of this process's control group. Inside a container the group's own files are at the
 * root of the mount; outside, a quota on an outer slice is rare enough not to walk the tree for. */
static int control_group_processors(void)
{
    long long quota = 0, period = 0;
    FILE *f =
        fopen("/sys/fs/cgroup/cpu.max", "re"); /* version 2: "200000 100000" or "max 100000" */
    if (f != NULL) {
        int n = fscanf(f, "%lld %lld", &quota, &period);
        fclose(f);
        return n == 2 ? quota_processors(quota, period) : 0;
    }
    f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "re"); /* version 1: -1 means none */
    if (f == NULL)
        return 0;
    int n = fscanf(f, "%lld", &quota);
    fclose(f);
    f = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "re");
    if (f == NULL)
        return 0;
    n += fscanf(f, "%lld", &period);
    fclose(f);
    return n == 2 ? quota_processors(quota, period) : 0;
}

int akin_cpu_count(void)
{
    int count = 0;
    /* The fixed-size set holds 1,024 processors; on a larger machine the call fails with EINVAL and
     * the online count, capped, stands in. */
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    if (count < 1) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online < 1 ? 1 : online > 1024 ? 1024 : (int)online;
    }
    int quota = control_group_processors();
    return quota > 0 && quota < count ? quota : count;
}

struct akin_pool {
    int threads;
    pthread_t *workers; /* threads - 1 of them */
    int started;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t done;
    bool stop;

    /* The loop being run. `generation` is bumped under the lock when one starts; workers spin on it
     * for a moment before they sleep. */
    atomic_uint generation;
    akin_task task;
    void *context;
    size_t count;
    atomic_size_t next;
    atomic_int busy; /* workers that have not finished this generation */
};

/* A forward pass runs about a hundred loops of 0.1-1 ms with nothing between them: a worker that
 * sleeps at once pays a wake-up (20-50 us) for each. 2,000 pauses are some 20-80 us. */
enum { spins = 2000 };

static void run_share(akin_pool *pool, int worker)
{
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= pool->count)
            return;
        pool->task(pool->context, i, worker);
    }
}

struct worker_start {
    akin_pool *pool;
    int worker;
};

static void *worker_main(void *argument)
{
    struct worker_start start = *(struct worker_start *)argument;
    free(argument);
    akin_pool *pool = start.pool;
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < spins; i++) {
            if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen)
                break;
            akin_pause();
        }
        pthread_mutex_lock(&pool->lock);
        while (!pool->stop && atomic_load(&pool->generation) == seen)
            pthread_cond_wait(&pool->wake, &pool->lock);
        seen = atomic_load(&pool->generation);
        bool stop = pool->stop;
        pthread_mutex_unlock(&pool->lock);
        if (stop)
            return NULL;
        run_share(pool, start.worker);
        if (atomic_fetch_sub(&pool->busy, 1) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

akin_status akin_pool_new(akin_pool **out, int threads, akin_error *err)
{
    *out = NULL;
    if (threads < 1 || threads > 4096)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "threads must lie between 1 and 4096, not %d",
                         threads);
    akin_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return akin_fail_nomem(err, "thread pool", sizeof *pool);
    pool->threads = threads;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    akin_status status = AKIN_OK;
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    if (pool->workers == NULL) {
        status = akin_fail_nomem(err, "thread pool", 0);
        goto out;
    }
    for (int i = 1; i < threads; i++) {
        struct worker_start *start = malloc(sizeof *start);
        if (start == NULL) {
            status = akin_fail_nomem(err, "thread pool", 0);
            goto out;
        }
        *start = (struct worker_start){ pool, i };
        int error_number = pthread_create(&pool->workers[pool->started], NULL, worker_main, start);
        if (error_number != 0) {
            free(start);
            status = akin_fail_errno(err, error_number, NULL, "cannot start a thread");
            goto out;
        }
        pool->started++;
    }
    *out = pool;
out:
    if (status != AKIN_OK)
        akin_pool_free(pool);
    return status;
}

void akin_pool_free(akin_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    atomic_fetch_add(&pool->generation, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

int akin_pool_threads(const akin_pool *pool)
{
    return pool == NULL ? 1 : pool->threads;
}

void akin_pool_run(akin_pool *pool, size_t count, akin_task task, void *context)
{
    if (pool == NULL || pool->started == 0 || count < 2) {
        for (size_t i = 0; i < count; i++)
            task(context, i, 0);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->count = count;
    atomic_store(&pool->next, 0);
    atomic_store(&pool->busy, pool->started);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);

    run_share(pool, 0);

    for (int i = 0; i < spins && atomic_load_explicit(&pool->busy, memory_order_acquire) != 0; i++)
        akin_pause();
    if (atomic_load_explicit(&pool->busy, memory_order_acquire) != 0) {
        pthread_mutex_lock(&pool->lock);
        while (atomic_load(&pool->busy) != 0)
            pthread_cond_wait(&pool->done, &pool->lock);
        pthread_mutex_unlock(&pool->lock);
    }
}
