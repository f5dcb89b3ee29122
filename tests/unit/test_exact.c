/* test_exact.c - exact search against a search written again in double, without groups, parts or
 * heaps: blocks of every length, dead and filtered rows, repeats, ties. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "index/exact.h"

static uint64_t seed;

static uint32_t random_bits(void) /* xorshift64* */
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)(seed * 2685821657736338717u >> 32);
}

static float uniform(void) /* in [-1, 1) */
{
    return (float)(random_bits() >> 8) / (float)(1 << 23) - 1.0f;
}

static const akin_kernels *kernels_here(void)
{
    const akin_kernels *kernels;
    akin_error err;
    assert_int_equal(akin_kernels_choose(getenv("AKIN_CPU"), &kernels, &err), AKIN_OK);
    return kernels;
}

/* ---- A made-up collection ------------------------------------------------------------------- */

enum { BLOCKS_MAX = 40 };

struct made {
    akin_vectors vectors;
    akin_block blocks[BLOCKS_MAX];
    float *wide;     /* [rows, dimensions], as the stored ones are read */
    float *query;    /* [dimensions] */
    bool *live;      /* [rows] */
    uint64_t *place; /* [rows] */
    float *scores;   /* [rows]; of dead rows: untouched */
};

static const float untouched = 12345.0f;

typedef enum made_live { ALL_LIVE, SOME_DEAD, MOST_DEAD, ALL_DEAD } made_live;

static bool is_live(made_live live)
{
    switch (live) {
    case ALL_LIVE: return true;
    case SOME_DEAD: return random_bits() % 7 != 0;
    case MOST_DEAD: return random_bits() % 50 == 0;
    case ALL_DEAD: break;
    }
    return false;
}

/* Every allocation has exactly the bytes that may be read. Freed by made_clear. */
static void made_init(struct made *m, akin_vector_type type, size_t dimensions,
                      const size_t *counts, size_t block_count, made_live live)
{
    const size_t each = akin_vector_bytes(type);
    size_t rows = 0, at = 0;
    uint64_t first = random_bits() % 100;
    for (size_t b = 0; b < block_count; b++)
        rows += counts[b];
    *m = (struct made){ .vectors = { type, dimensions, m->blocks, block_count, rows } };
    m->wide = malloc((rows * dimensions + 1) * sizeof *m->wide);
    m->query = malloc((dimensions + 1) * sizeof *m->query);
    m->live = malloc(rows + 1);
    m->place = malloc((rows + 1) * sizeof *m->place);
    m->scores = malloc((rows + 1) * sizeof *m->scores);
    for (size_t i = 0; i < dimensions; i++)
        m->query[i] = uniform();
    for (size_t b = 0; b < block_count; at += counts[b++]) {
        char *bytes = malloc(counts[b] * dimensions * each + each);
        uint8_t *bitmap = malloc((counts[b] + 7) / 8 + 1);
        const bool mapped = live != ALL_LIVE || b % 2 != 0;
        memset(bitmap, live == ALL_LIVE ? 0xff : 0, (counts[b] + 7) / 8 + 1);
        for (size_t i = 0; i < counts[b] * dimensions; i++) {
            float value = uniform();
            const uint16_t half = akin_float_to_half(value);
            if (type == AKIN_VECTOR_F16)
                value = akin_half_to_float(half);
            memcpy(bytes + i * each, type == AKIN_VECTOR_F16 ? (const void *)&half : &value, each);
            m->wide[at * dimensions + i] = value;
        }
        for (size_t i = 0; i < counts[b]; i++) {
            m->live[at + i] = is_live(live);
            m->place[at + i] = first + i;
            m->scores[at + i] = untouched;
            if (m->live[at + i])
                bitmap[i / 8] |= (uint8_t)(1u << i % 8);
        }
        m->blocks[b] = (akin_block){ bytes, counts[b], first, mapped ? bitmap : NULL };
        if (!mapped)
            free(bitmap);
        first += counts[b] + random_bits() % 3; /* places may have gaps */
    }
}

static void free_const(const void *p)
{
    void *q;
    memcpy(&q, &p, sizeof q);
    free(q);
}

static void made_clear(struct made *m)
{
    for (size_t b = 0; b < m->vectors.block_count; b++) {
        free_const(m->blocks[b].rows);
        free_const(m->blocks[b].live);
    }
    free(m->wide);
    free(m->query);
    free(m->live);
    free(m->place);
    free(m->scores);
}

/* ---- Each function against plain loops ------------------------------------------------------ */

static void check_scores(struct made *m, akin_pool *pool)
{
    akin_exact_scores(&m->vectors, kernels_here(), pool, m->query, m->scores);
    const size_t n = m->vectors.dimensions;
    for (size_t r = 0; r < m->vectors.rows; r++) {
        double want = 0.0, magnitude = 0.0;
        if (!m->live[r]) {
            assert_true(m->scores[r] == untouched);
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            want += (double)m->wide[r * n + i] * m->query[i];
            magnitude += fabs((double)m->wide[r * n + i] * m->query[i]);
        }
        if (!(fabs(m->scores[r] - want) <= FLT_EPSILON * (double)(n + 1) * magnitude))
            fail_msg("row %zu of %zu: %.9g, expected %.9g", r, m->vectors.rows, m->scores[r], want);
    }
}

static void check_statistics(const struct made *m, size_t repeat_every)
{
    const size_t rows = m->vectors.rows;
    akin_repeat *repeats = calloc(rows + 3, sizeof *repeats);
    size_t *items = malloc((rows + 1) * sizeof *items), count = 0, n = 0;
    if (rows != 0 && m->place[0] > 0)
        repeats[count++] = (akin_repeat){ m->place[0] - 1, 9 }; /* of no row */
    for (size_t r = 0; r < rows; r++) {
        items[r] = 1;
        if (repeat_every != 0 && r % repeat_every == 0) {
            items[r] = 2 + random_bits() % 5;
            repeats[count++] = (akin_repeat){ m->place[r], (uint32_t)items[r] };
        }
    }
    if (rows != 0)
        repeats[count++] = (akin_repeat){ m->place[rows - 1] + 1, 9 };
    double sum = 0.0, squares = 0.0;
    for (size_t r = 0; r < rows; r++)
        if (m->live[r]) {
            n += items[r];
            sum += (double)items[r] * m->scores[r];
        }
    const double mean = n != 0 ? sum / (double)n : 0.0;
    for (size_t r = 0; r < rows; r++)
        if (m->live[r])
            squares += (double)items[r] * (m->scores[r] - mean) * (m->scores[r] - mean);
    const akin_statistics s = akin_exact_statistics(&m->vectors, m->scores, repeats, count);
    assert_int_equal(s.n, n);
    assert_true(fabs(s.mean - mean) <= 1e-12);
    assert_true(fabs(s.deviation - (n != 0 ? sqrt(squares / (double)n) : 0.0)) <= 1e-12);
    free(repeats);
    free(items);
}

/* The k best by k passes, each for the best of what is left; then the ties of the last. */
static size_t brute_top(const struct made *m, const bool *wanted, size_t k, akin_candidate *out)
{
    const size_t rows = m->vectors.rows;
    bool *taken = calloc(rows + 1, 1);
    size_t count = 0;
    for (;;) {
        size_t best = SIZE_MAX;
        for (size_t r = 0; r < rows; r++)
            if (wanted[r] && !taken[r] && (best == SIZE_MAX || m->scores[r] > m->scores[best]))
                best = r;
        if (best == SIZE_MAX || k == 0 ||
            (count >= k && m->scores[best] != out[count - 1].score))
            break;
        taken[best] = true;
        out[count++] = (akin_candidate){ m->place[best], m->scores[best] };
    }
    free(taken);
    return count;
}

/* allow: the share of rows that a filter leaves, in percent; above 100: no filter. */
static void check_top(const struct made *m, size_t k, unsigned allow)
{
    const size_t rows = m->vectors.rows;
    uint8_t *allowed = calloc((rows + 7) / 8 + (rows == 0), 1);
    bool *wanted = calloc(rows + 1, 1);
    akin_candidate *want = malloc((rows + 1) * sizeof *want), *got;
    akin_error err;
    size_t count;
    for (size_t r = 0; r < rows; r++) {
        const bool in = allow > 100 || random_bits() % 100 < allow;
        if (in)
            allowed[r / 8] |= (uint8_t)(1u << r % 8);
        wanted[r] = in && m->live[r];
    }
    const size_t want_count = brute_top(m, wanted, k, want);
    assert_int_equal(akin_exact_top(&m->vectors, m->scores, allow > 100 ? NULL : allowed, k, &got,
                                    &count, &err),
                     AKIN_OK);
    assert_int_equal(count, want_count);
    if (count == 0)
        assert_null(got);
    for (size_t i = 0; i < count; i++)
        if (got[i].place != want[i].place || got[i].score != want[i].score)
            fail_msg("k %zu hit %zu: place %llu score %.9g, expected %llu, %.9g", k, i,
                     (unsigned long long)got[i].place, (double)got[i].score,
                     (unsigned long long)want[i].place, (double)want[i].score);
    free(got);
    free(allowed);
    free(wanted);
    free(want);
}

static void check_all(struct made *m)
{
    static const size_t ks[] = { 0, 1, 2, 5, 15, 64, 1000000 };
    check_scores(m, NULL);
    check_statistics(m, 0);
    check_statistics(m, 1);
    check_statistics(m, 11);
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) {
        check_top(m, ks[i], 101);
        check_top(m, ks[i], 50);
        check_top(m, ks[i], 3);
    }
}

/* ---- The tests ------------------------------------------------------------------------------ */

/* Block lengths on both sides of a group and a bitmap's byte, none included. */
static void test_blocks(void **state)
{
    (void)state;
    static const size_t counts[] = { 0, 1, 7, 8, 9, 0, 63, 64, 65, 127, 128, 130, 200, 3, 0 };
    enum { COUNT = sizeof counts / sizeof *counts };
    static const size_t dimensions[] = { 1, 5, 64, 67 };
    static const akin_vector_type types[] = { AKIN_VECTOR_F16, AKIN_VECTOR_F32 };
    seed = 88172645463325252u;
    for (int live = ALL_LIVE; live <= ALL_DEAD; live++)
        for (size_t t = 0; t < 2; t++)
            for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
                struct made m;
                made_init(&m, types[t], dimensions[d], counts, COUNT, (made_live)live);
                check_all(&m);
                made_clear(&m);
            }
}

static void test_one_block(void **state)
{
    (void)state;
    seed = 362436069u;
    for (size_t count = 0; count < 140; count++) {
        struct made m;
        made_init(&m, AKIN_VECTOR_F16, 3, &count, 1, count % 3 == 0 ? SOME_DEAD : ALL_LIVE);
        check_scores(&m, NULL);
        check_statistics(&m, 4);
        check_top(&m, 4, 101);
        check_top(&m, 4, 60);
        made_clear(&m);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    struct made m;
    made_init(&m, AKIN_VECTOR_F32, 8, NULL, 0, ALL_LIVE);
    check_all(&m);
    made_clear(&m);
    const size_t rows = 10;
    made_init(&m, AKIN_VECTOR_F32, 0, &rows, 1, ALL_LIVE); /* every score is 0 */
    check_all(&m);
    made_clear(&m);
}

/* Few distinct scores: what ties with the k-th comes too, in order of place. */
static void test_ties(void **state)
{
    (void)state;
    static const size_t counts[] = { 100, 33, 300, 67 };
    seed = 521288629u;
    for (uint32_t distinct = 1; distinct <= 20; distinct++) {
        struct made m;
        made_init(&m, AKIN_VECTOR_F32, 4, counts, 4, distinct % 2 ? ALL_LIVE : SOME_DEAD);
        for (size_t r = 0; r < m.vectors.rows; r++)
            m.scores[r] = (float)(random_bits() % distinct) - 3.0f;
        for (size_t k = 0; k < 60; k += 7) {
            check_top(&m, k, 101);
            check_top(&m, k, 40);
        }
        check_statistics(&m, 5);
        made_clear(&m);
    }
    /* Zero has two signs and one rank. */
    struct made m;
    made_init(&m, AKIN_VECTOR_F32, 1, counts, 1, ALL_LIVE);
    for (size_t r = 0; r < 100; r++)
        m.scores[r] = r % 2 != 0 ? 0.0f : -0.0f;
    check_top(&m, 3, 101);
    made_clear(&m);
}

/* More rows than parts of least size, on threads: the bits of one thread, whatever their number.
 * Under ThreadSanitizer, that no two write one score. */
static void test_threads(void **state)
{
    (void)state;
    size_t counts[BLOCKS_MAX];
    seed = 2463534242u;
    for (size_t b = 0; b < BLOCKS_MAX; b++)
        counts[b] = random_bits() % 1500;
    for (int live = ALL_LIVE; live <= MOST_DEAD; live++) {
        struct made m;
        akin_error err;
        made_init(&m, AKIN_VECTOR_F16, 96, counts, BLOCKS_MAX, (made_live)live);
        check_scores(&m, NULL);
        float *again = malloc(m.vectors.rows * sizeof *again);
        for (int threads = 1; threads <= 5; threads++) {
            akin_pool *pool;
            assert_int_equal(akin_pool_new(&pool, threads, &err), AKIN_OK);
            for (size_t r = 0; r < m.vectors.rows; r++)
                again[r] = untouched;
            akin_exact_scores(&m.vectors, kernels_here(), pool, m.query, again);
            assert_memory_equal(again, m.scores, m.vectors.rows * sizeof *again);
            akin_pool_free(pool);
        }
        check_statistics(&m, 3);
        check_top(&m, 20, 101);
        free(again);
        made_clear(&m);
    }
}

/* A row's score is its own: the same bits in whatever block and place it lies. */
static void test_place(void **state)
{
    (void)state;
    enum { ROWS = 300, N = 77 };
    static float rows[ROWS * N], query[N], whole[ROWS], cut[ROWS];
    seed = 123456789u;
    for (size_t i = 0; i < ROWS * N; i++)
        rows[i] = uniform();
    for (size_t i = 0; i < N; i++)
        query[i] = uniform();
    const akin_block one = { rows, ROWS, 0, NULL };
    const akin_vectors together = { AKIN_VECTOR_F32, N, &one, 1, ROWS };
    akin_exact_scores(&together, kernels_here(), NULL, query, whole);
    for (size_t at = 0; at <= ROWS; at += 13) {
        const akin_block two[2] = { { rows, at, 0, NULL }, { rows + at * N, ROWS - at, at, NULL } };
        const akin_vectors apart = { AKIN_VECTOR_F32, N, two, 2, ROWS };
        akin_exact_scores(&apart, kernels_here(), NULL, query, cut);
        assert_memory_equal(cut, whole, sizeof whole);
    }
}

/* The top 5 is the head of the top 15, under filters too. */
static void test_heads(void **state)
{
    (void)state;
    static const size_t counts[] = { 5000, 1, 3000 };
    struct made m;
    akin_error err;
    seed = 1181783497276652981u;
    made_init(&m, AKIN_VECTOR_F16, 16, counts, 3, SOME_DEAD);
    check_scores(&m, NULL);
    uint8_t *allowed = malloc((m.vectors.rows + 7) / 8);
    for (size_t i = 0; i < (m.vectors.rows + 7) / 8; i++)
        allowed[i] = (uint8_t)random_bits();
    for (int filtered = 0; filtered < 2; filtered++) {
        akin_candidate *all, *head;
        size_t all_count, head_count;
        assert_int_equal(akin_exact_top(&m.vectors, m.scores, filtered ? allowed : NULL, 100, &all,
                                        &all_count, &err),
                         AKIN_OK);
        assert_true(all_count >= 100);
        for (size_t k = 1; k < 100; k++) {
            assert_int_equal(akin_exact_top(&m.vectors, m.scores, filtered ? allowed : NULL, k,
                                            &head, &head_count, &err),
                             AKIN_OK);
            assert_true(head_count >= k && head_count <= all_count);
            for (size_t i = 0; i < head_count; i++) {
                assert_true(head[i].place == all[i].place);
                assert_true(head[i].score == all[i].score);
            }
            free(head);
        }
        free(all);
    }
    free(allowed);
    made_clear(&m);
}

/* Scores that grow from row to row replace the heap's least at each: the slowest order. */
static void test_order(void **state)
{
    (void)state;
    static const size_t counts[] = { 700, 300 };
    struct made m;
    seed = 1u;
    made_init(&m, AKIN_VECTOR_F32, 2, counts, 2, ALL_LIVE);
    for (int direction = -1; direction <= 1; direction += 2) {
        for (size_t r = 0; r < m.vectors.rows; r++)
            m.scores[r] = (float)direction * (float)r;
        for (size_t k = 1; k <= 1001; k += 100)
            check_top(&m, k, 101);
    }
    m.scores[500] = INFINITY;
    m.scores[501] = -INFINITY;
    check_top(&m, 3, 101);
    check_top(&m, 2000, 101);
    made_clear(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),  cmocka_unit_test(test_one_block),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_place),
        cmocka_unit_test(test_heads),   cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
