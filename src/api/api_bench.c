/* api_bench.c - akin.h: exact search over made-up vectors, to be timed without a collection. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/half.h"
#include "index/exact.h"

enum { DIMENSIONS_MAX = 65536, TASK_ROWS = 1024 };

struct akin_search_trial {
    const akin_kernels *kernels;
    akin_pool *pool;
    void *rows;
    akin_block block;
    akin_vectors vectors;
    float *query;   /* [dimensions] */
    float *scores;  /* [rows] */
    float *scratch; /* [threads, dimensions] */
    uint32_t asked;
};

/* The seed's unit vector of n dimensions: uniform in a cube, then scaled. Never 0, as a kernel
 * could be quicker on that. A hash of each place, so that it can be made of any row on its own. */
static void made_up_row(float *row, size_t n, uint32_t seed)
{
    double squares[4] = { 0 };
    for (size_t i = 0; i < n; i++) {
        uint32_t x = seed * 2654435761u + (uint32_t)i;
        x ^= x >> 16;
        x *= 0x7feb352du;
        x ^= x >> 15;
        x *= 0x846ca68bu;
        x ^= x >> 16;
        row[i] = (float)(int32_t)(x | 256u);
    }
    for (size_t i = 0; i < n; i++)
        squares[i % 4] += (double)row[i] * row[i];
    const float scale = (float)(1.0 / sqrt(squares[0] + squares[1] + squares[2] + squares[3]));
    for (size_t i = 0; i < n; i++)
        row[i] *= scale;
}

static void make_rows(void *context, size_t task, int worker)
{
    akin_search_trial *t = context;
    const size_t n = t->vectors.dimensions;
    const size_t end = akin_min((task + 1) * TASK_ROWS, t->vectors.rows);
    for (size_t r = task * TASK_ROWS; r < end; r++) {
        if (t->vectors.type == AKIN_VECTOR_F32) {
            made_up_row((float *)t->rows + r * n, n, (uint32_t)r);
            continue;
        }
        float *row = t->scratch + (size_t)worker * n;
        uint16_t *to = (uint16_t *)t->rows + r * n;
        made_up_row(row, n, (uint32_t)r);
        for (size_t i = 0; i < n; i++)
            to[i] = akin_float_to_half(row[i]);
    }
}

/* A system that promises more memory than it has kills whoever uses it. */
static bool fits_memory(size_t bytes)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages <= 0 || page <= 0 || bytes / (size_t)page < (size_t)pages;
}

akin_status akin_search_trial_new(akin_search_trial **out, const akin_search_trial_options *given,
                                  akin_error *err)
{
    akin_search_trial_options options = AKIN_SEARCH_TRIAL_OPTIONS_INIT;
    *out = NULL;
    akin_status status =
        akin_take_options(&options, sizeof options, given, "akin_search_trial_options", err);
    if (status != AKIN_OK)
        return status;
    const akin_vector_type type =
        options.stored == AKIN_STORED_F32 ? AKIN_VECTOR_F32 : AKIN_VECTOR_F16;
    const size_t n = (size_t)options.dimensions;
    size_t bytes;
    if (options.dimensions < 1 || options.dimensions > DIMENSIONS_MAX)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "dimensions must be from 1 to %d, not %d",
                         DIMENSIONS_MAX, options.dimensions);
    if (!akin_mul(options.rows, n * akin_vector_bytes(type), &bytes) || !fits_memory(bytes))
        return akin_fail_nomem(err, "made-up vectors", 0);
    akin_search_trial *t = calloc(1, sizeof *t);
    if (t == NULL)
        return akin_fail_nomem(err, "search", sizeof *t);
    AKIN_TRY(akin_kernels_choose(getenv("AKIN_CPU"), &t->kernels, err));
    AKIN_TRY(akin_pool_new(&t->pool, options.threads != 0 ? options.threads : akin_cpu_count(),
                           err));
    /* No large pages, as a mapped segment has none. */
    t->rows = malloc(akin_max(bytes, 1));
    t->query = calloc(n, sizeof *t->query);
    t->scores = calloc(akin_max(options.rows, 1), sizeof *t->scores);
    t->scratch = calloc((size_t)akin_pool_threads(t->pool) * n, sizeof *t->scratch);
    if (t->rows == NULL || t->query == NULL || t->scores == NULL || t->scratch == NULL) {
        status = akin_fail_nomem(err, "made-up vectors", bytes);
        goto out;
    }
    t->block = (akin_block){ t->rows, options.rows, 0, NULL };
    t->vectors = (akin_vectors){ type, n, &t->block, 1, options.rows };
    akin_pool_run(t->pool, akin_ceil_div(options.rows, TASK_ROWS), make_rows, t);
    *out = t;
out:
    if (status != AKIN_OK)
        akin_search_trial_free(t);
    return status;
}

akin_status akin_search_trial_run(akin_search_trial *trial, size_t k, size_t *found,
                                  akin_error *err)
{
    akin_candidate *best;
    size_t count;
    made_up_row(trial->query, trial->vectors.dimensions, ~trial->asked++);
    akin_exact_scores(&trial->vectors, trial->kernels, trial->pool, trial->query, trial->scores);
    const akin_statistics statistics =
        akin_exact_statistics(&trial->vectors, trial->scores, NULL, 0);
    akin_status status =
        akin_exact_top(&trial->vectors, trial->scores, NULL, k, &best, &count, err);
    if (status != AKIN_OK)
        return status;
    free(best);
    if (!isfinite(statistics.mean))
        return akin_fail(err, AKIN_E_NONFINITE, NULL, "a score is not finite");
    if (found != NULL)
        *found = count;
    return AKIN_OK;
}

void akin_search_trial_free(akin_search_trial *trial)
{
    if (trial == NULL)
        return;
    akin_pool_free(trial->pool);
    free(trial->rows);
    free(trial->query);
    free(trial->scores);
    free(trial->scratch);
    free(trial);
}
