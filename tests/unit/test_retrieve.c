/* test_retrieve.c - hits of real collections against a search by hand: ties, duplicates, filters,
 * pages, cuts, the query picture itself, and the verdict.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "rag/retrieve.h"
#include "unit.h"

#define OK(call)                                                       \
    do {                                                               \
        if ((call) != AKIN_OK)                                         \
            fail_msg("%s: %s (%s)", #call, err.message, err.path);     \
    } while (0)

enum { ITEMS_MAX = 2000, DIMENSIONS_MAX = 64 };

static akin_error err;
static char root[256];
static int collections;
static const akin_kernels *kernels;

/* What the search by hand knows of an item. */
static struct item {
    int64_t id;
    int content;
    int width;
    double score;
    bool live;
    char path[64];
} items[ITEMS_MAX];
static size_t item_count;
static float vectors[ITEMS_MAX][DIMENSIONS_MAX]; /* of contents */
static size_t dimensions;
static akin_store *store;

static int set_up(void **state)
{
    (void)state;
    const bool made = folder_make(root, sizeof root, "retrieve") == 0;
    return made && akin_kernels_choose(NULL, &kernels, &err) == AKIN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(root);
}

/* ---- Collections ---------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)(seed >> 8) * n) >> 24);
}

/* Sum of twelve: near enough to normal, mean 0, deviation 1. */
static double random_normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (random_below(1 << 20) + 0.5) / (1 << 20);
    return sum;
}

static void random_unit(float *out)
{
    double sum = 0, x[DIMENSIONS_MAX];
    for (size_t i = 0; i < dimensions; i++) {
        x[i] = random_normal();
        sum += x[i] * x[i];
    }
    for (size_t i = 0; i < dimensions; i++)
        out[i] = (float)(x[i] / sqrt(sum));
}

/* Four of the components are +-1/2: scores of two such are exact, and mostly equal to others. */
static void random_halves(float *out)
{
    memset(out, 0, dimensions * sizeof *out);
    for (int left = 4; left > 0;) {
        float *x = &out[random_below((uint32_t)dimensions)];
        if (*x != 0)
            continue;
        *x = random_below(2) != 0 ? 0.5f : -0.5f;
        left--;
    }
}

static void begin(size_t dims, akin_vector_type type)
{
    char folder[320];
    const akin_store_model model = { "00", "tiny", "/tiny", "hf", dims, type };
    dimensions = dims;
    item_count = 0;
    snprintf(folder, sizeof folder, "%s/%d", root, collections++);
    OK(akin_store_create(folder, &model, NULL, &err));
    OK(akin_store_open(&store, folder, true, 0, &err));
}

static int64_t add_content(int number)
{
    uint8_t hash[AKIN_HASH_BYTES] = { 0 };
    int64_t content;
    memcpy(hash, &number, sizeof number);
    OK(akin_store_add_content(store, hash, -1, vectors[number], "/x", &content, &err));
    return content;
}

static void add_part(int number, int64_t content, int64_t part)
{
    struct item *item = &items[item_count];
    const akin_stamp stamp = { 1, 1, 1, 0 };
    *item = (struct item){ .content = number, .width = (int)random_below(4) + 1, .live = true };
    const akin_item_facts facts = { .width = item->width, .metadata = "{\"a\":1}" };
    snprintf(item->path, sizeof item->path, "/p/%zu.jpg", part < 0 ? item_count : 0);
    OK(akin_store_put(store, item->path, part, &stamp, content, &facts, &item->id, &err));
    item_count++;
}

static void add_item(int number, int64_t content)
{
    add_part(number, content, -1);
}

/* Contents, each with an item, and behind them more items of any of them. */
static void fill(size_t contents, size_t more, void (*vector)(float *))
{
    int64_t ids[ITEMS_MAX];
    for (size_t i = 0; i < contents; i++) {
        vector(vectors[i]);
        ids[i] = add_content((int)i);
    }
    for (size_t i = contents; i-- > 0;) /* ids of items ascend against places */
        add_item((int)i, ids[i]);
    for (size_t i = 0; i < more; i++) {
        const uint32_t one = random_below((uint32_t)contents);
        add_item((int)one, ids[one]);
    }
    OK(akin_store_commit(store, &err));
}

static void end(void)
{
    akin_store_close(store);
    store = NULL;
}

/* ---- Search by hand ------------------------------------------------------------------------- */

static int best_first(const void *a, const void *b)
{
    const struct item *x = *(const struct item *const *)a, *y = *(const struct item *const *)b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static void score_all(const float *query)
{
    for (size_t i = 0; i < item_count; i++) {
        items[i].score = 0;
        for (size_t j = 0; j < dimensions; j++)
            items[i].score += (double)vectors[items[i].content][j] * (double)query[j];
    }
}

static void statistics(double *mean, double *deviation, size_t *n)
{
    *n = 0;
    *mean = *deviation = 0;
    for (size_t i = 0; i < item_count; i++)
        if (items[i].live) {
            *mean += items[i].score;
            ++*n;
        }
    *mean /= (double)*n;
    for (size_t i = 0; i < item_count; i++)
        if (items[i].live)
            *deviation += (items[i].score - *mean) * (items[i].score - *mean);
    *deviation = sqrt(*deviation / (double)*n);
}

/* All that a search with k and offset 0 and no cuts would show. max_width 0: no filter. */
static size_t by_hand(int max_width, const char *self, struct item **out)
{
    size_t count = 0;
    for (size_t i = 0; i < item_count; i++)
        if (items[i].live && (max_width == 0 || items[i].width <= max_width) &&
            (self == NULL || strcmp(items[i].path, self) != 0))
            out[count++] = &items[i];
    qsort(out, count, sizeof *out, best_first);
    return count;
}

#define NO_CUTS .min_score = (double)NAN, .min_z = (double)NAN, .relative = (double)NAN

static akin_item_filter *narrower(int max_width)
{
    char where[32];
    akin_item_filter *filter;
    snprintf(where, sizeof where, "width <= %d", max_width);
    OK(akin_filter_new(&filter, &(akin_filter_options){ .where = where }, NULL, &err));
    return filter;
}

/* Every hit and number of a search, whose scores must be exact. */
static void compare(const float *query, const akin_retrieval *how, int max_width, double least)
{
    struct item *expected[ITEMS_MAX];
    double mean, deviation;
    size_t n;
    akin_retrieved_list list;
    score_all(query);
    statistics(&mean, &deviation, &n);
    size_t count = by_hand(max_width, how->self, expected);
    const double best = count > 0 ? expected[0]->score : (double)NAN;
    while (count > 0 && expected[count - 1]->score < least)
        count--;
    OK(akin_retrieve(store, kernels, NULL, query, how, &list, &err));
    assert_int_equal(list.items, n);
    assert_true(fabs(list.mean - mean) < 1e-12 && fabs(list.deviation - deviation) < 1e-12);
    assert_true(isnan(best) ? isnan(list.best_z)
                            : fabs(list.best_z - (best - mean) / deviation) < 1e-9);
    const size_t first = how->offset < count ? how->offset : count;
    const size_t shown = count - first < how->k ? count - first : how->k;
    assert_int_equal(list.count, shown);
    for (size_t i = 0; i < shown; i++) {
        const struct item *item = expected[first + i];
        const akin_retrieved *hit = &list.hits[i];
        if (hit->id != item->id)
            fail_msg("k %zu, offset %zu, width %d: hit %zu is item %lld, not %lld", how->k,
                     how->offset, max_width, i, (long long)hit->id, (long long)item->id);
        assert_true((double)hit->score == item->score);
        assert_true(fabs(hit->z - (item->score - mean) / deviation) < 1e-9);
        assert_string_equal(hit->path, item->path);
        assert_int_equal(hit->path_size, strlen(item->path));
        assert_string_equal(hit->metadata, "{\"a\":1}");
        assert_int_equal(hit->part, -1);
        assert_int_equal(hit->state, AKIN_ITEM_LIVE);
    }
    akin_retrieved_clear(&list);
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void ties(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 2, 5, 15, 100, 699, 700, 701, 5000 };
    enum { many = sizeof sizes / sizeof *sizes };
    for (int type = AKIN_VECTOR_F16; type <= AKIN_VECTOR_F32; type++) {
        seed = 11;
        begin(16, (akin_vector_type)type);
        fill(400, 300, random_halves);
        for (int width = 0; width <= 3; width += 3) {
            akin_item_filter *filter = width != 0 ? narrower(width) : NULL;
            for (size_t i = 0; i < (size_t)many * many; i++) {
                float query[16];
                random_halves(query);
                const struct item *self = &items[random_below((uint32_t)item_count)];
                if (i % 3 == 0) /* the best are its own content's */
                    memcpy(query, vectors[self->content], sizeof query);
                const akin_retrieval how = { .k = sizes[i % many], .offset = sizes[i / many],
                                             .filter = filter, .self = i % 2 ? self->path : NULL,
                                             NO_CUTS };
                compare(query, &how, width, -2);
            }
            akin_filter_free(filter);
        }
        end();
    }
}

/* Pages of any length put together are the whole, nothing twice and nothing left out. */
static void pages(void **state)
{
    (void)state;
    seed = 12;
    begin(16, AKIN_VECTOR_F32);
    fill(300, 400, random_halves);
    akin_item_filter *filter = narrower(2);
    for (int pass = 0; pass < 4; pass++) {
        float query[16];
        akin_retrieved_list all, page;
        akin_retrieval how = { .k = SIZE_MAX, .filter = pass % 2 ? filter : NULL,
                               .self = pass / 2 ? items[7].path : NULL, NO_CUTS };
        memcpy(query, vectors[items[7].content], sizeof query);
        OK(akin_retrieve(store, kernels, NULL, query, &how, &all, &err));
        assert_true(all.count > 100);
        how.k = 17;
        for (how.offset = 0;; how.offset += how.k) {
            OK(akin_retrieve(store, kernels, NULL, query, &how, &page, &err));
            for (size_t i = 0; i < page.count; i++)
                assert_int_equal(page.hits[i].id, all.hits[how.offset + i].id);
            const size_t count = page.count;
            akin_retrieved_clear(&page);
            if (count < how.k) {
                assert_int_equal(how.offset + count, all.count);
                break;
            }
        }
        how.k = how.offset = SIZE_MAX;
        OK(akin_retrieve(store, kernels, NULL, query, &how, &page, &err));
        assert_int_equal(page.count, 0);
        assert_true(page.best_z == all.best_z);
        akin_retrieved_clear(&page);
        akin_retrieved_clear(&all);
    }
    akin_filter_free(filter);
    end();
}

static void cuts(void **state)
{
    (void)state;
    seed = 13;
    begin(16, AKIN_VECTOR_F32);
    fill(200, 50, random_halves);
    akin_item_filter *filter = narrower(2);
    for (size_t i = 0; i < 200; i++) {
        float query[16];
        double mean, deviation;
        size_t n;
        struct item *all[ITEMS_MAX];
        random_halves(query);
        score_all(query);
        statistics(&mean, &deviation, &n);
        akin_retrieval how = { .k = i % 4 ? 20 : 1000, .offset = i % 3 ? i : 0,
                               .filter = i % 2 ? filter : NULL, NO_CUTS };
        const int width = i % 2 ? 2 : 0;
        assert_true(by_hand(width, NULL, all) > 0);
        const double best = all[0]->score, level = 0.25 * ((double)(i % 9) - 4);
        how.min_score = level;
        compare(query, &how, width, level);
        how.min_score = (double)NAN;
        how.min_z = (level - mean) / deviation - 1e-9;
        compare(query, &how, width, level);
        how.min_z = (double)NAN;
        how.relative = 0.5;
        compare(query, &how, width, best > 0 ? best / 2 : best);
        how.relative = 1;
        compare(query, &how, width, best);
        how.relative = 0;
        compare(query, &how, width, best > 0 ? 0 : best);
        how.relative = 0.5;
        how.min_score = 0.5;
        how.min_z = 1;
        compare(query, &how, width, fmax(fmax(0.5, mean + deviation), best > 0 ? best / 2 : best));
    }
    akin_filter_free(filter);
    end();
}

/* Nothing scores above 0: a share of the best has no meaning, the best is still there. */
static void negative(void **state)
{
    (void)state;
    seed = 14;
    begin(16, AKIN_VECTOR_F32);
    for (int i = 0; i < 5; i++) {
        random_unit(vectors[i]);
        vectors[i][0] = -1;
        for (int j = 1; j < 16; j++)
            vectors[i][j] = 0;
        if (i > 2) {
            vectors[i][0] = -0.6f;
            vectors[i][i] = 0.8f;
        }
        add_item(i, add_content(i));
    }
    OK(akin_store_commit(store, &err));
    const float query[16] = { 1 };
    akin_retrieval how = { .k = 10, NO_CUTS };
    how.relative = 0.9;
    akin_retrieved_list list;
    OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
    assert_int_equal(list.count, 2);
    assert_true(list.hits[0].id < list.hits[1].id && list.hits[1].score == -0.6f);
    akin_retrieved_clear(&list);
    end();
}

/* Any numbers: scores within rounding, in order, and nothing better left out. */
static void random_vectors(void **state)
{
    (void)state;
    for (int type = AKIN_VECTOR_F16; type <= AKIN_VECTOR_F32; type++) {
        const double bound = type == AKIN_VECTOR_F16 ? 1e-3 : 1e-5;
        akin_pool *pool;
        seed = 15;
        OK(akin_pool_new(&pool, 2, &err));
        begin(64, (akin_vector_type)type);
        fill(1000, 200, random_unit);
        for (size_t pass = 0; pass < 20; pass++) {
            float query[64];
            struct item *expected[ITEMS_MAX];
            akin_retrieved_list list, short_list;
            random_unit(query);
            if (pass % 2)
                memcpy(query, vectors[pass], sizeof query);
            score_all(query);
            assert_int_equal(by_hand(0, NULL, expected), 1200);
            const akin_retrieval how = { .k = 15, NO_CUTS }, few = { .k = 5, NO_CUTS };
            OK(akin_retrieve(store, kernels, pool, query, &how, &list, &err));
            OK(akin_retrieve(store, kernels, NULL, query, &few, &short_list, &err));
            assert_int_equal(list.count, 15);
            assert_int_equal(short_list.count, 5);
            for (size_t i = 0; i < 15; i++) {
                const struct item *item = NULL;
                for (size_t j = 0; j < item_count; j++)
                    if (items[j].id == list.hits[i].id)
                        item = &items[j];
                assert_non_null(item);
                assert_true(fabs((double)list.hits[i].score - item->score) < bound);
                assert_true(fabs(item->score - expected[i]->score) < 2 * bound);
                if (i > 0)
                    assert_true(list.hits[i].score < list.hits[i - 1].score ||
                                (list.hits[i].score == list.hits[i - 1].score &&
                                 list.hits[i].id > list.hits[i - 1].id));
                if (i < 5) {
                    assert_int_equal(short_list.hits[i].id, list.hits[i].id);
                    assert_true(short_list.hits[i].score == list.hits[i].score);
                }
            }
            if (pass % 2)
                assert_true(list.hits[0].score >= 0.999f);
            akin_retrieved_clear(&short_list);
            akin_retrieved_clear(&list);
        }
        akin_pool_free(pool);
        end();
    }
}

static void what_left(void **state)
{
    (void)state;
    seed = 16;
    begin(16, AKIN_VECTOR_F32);
    fill(150, 100, random_halves);
    for (size_t i = 0; i < item_count; i += 3) {
        OK(akin_store_set_state(store, items[i].path,
                                i % 2 ? AKIN_ITEM_MISSING : AKIN_ITEM_HIDDEN, &err));
        items[i].live = false;
    }
    OK(akin_store_commit(store, &err));
    for (int i = 0; i < 50; i++) {
        float query[16];
        random_halves(query);
        compare(query, &(akin_retrieval){ .k = 30, NO_CUTS }, 0, -2);
    }
    end();
}

/* A content with a thousand items is one row: as many of them as are asked for, by id. */
static void one_content(void **state)
{
    (void)state;
    seed = 17;
    begin(16, AKIN_VECTOR_F32);
    fill(3, 1500, random_halves);
    for (size_t i = 0; i < 12; i++) {
        const akin_retrieval how = { .k = 10 * i, .offset = 130 * i, NO_CUTS,
                                     .self = i % 2 ? items[i].path : NULL };
        compare(vectors[1], &how, 0, -2);
    }
    end();
}

/* A video is left out with all its frames, however many of the best rows they are. */
static void frames(void **state)
{
    (void)state;
    seed = 20;
    begin(64, AKIN_VECTOR_F32);
    for (int i = 0; i < 400; i++) {
        random_unit(vectors[i]);
        if (i < 300) { /* much like the first */
            memcpy(vectors[i], vectors[0], sizeof vectors[i]);
            vectors[i][0] += 0.001f * (float)i * (vectors[i][0] < 0 ? -1 : 1);
            double sum = 0;
            for (int j = 0; j < 64; j++)
                sum += (double)vectors[i][j] * (double)vectors[i][j];
            for (int j = 0; j < 64; j++)
                vectors[i][j] = (float)((double)vectors[i][j] / sqrt(sum));
            add_part(i, add_content(i), i);
        } else {
            add_item(i, add_content(i));
        }
    }
    OK(akin_store_commit(store, &err));
    for (size_t k = 0; k < 120; k += 7) {
        akin_retrieved_list list;
        struct item *expected[ITEMS_MAX];
        const akin_retrieval how = { .k = k, .offset = k == 7 ? SIZE_MAX : k / 2, NO_CUTS,
                                     .self = items[0].path };
        OK(akin_retrieve(store, kernels, NULL, vectors[0], &how, &list, &err));
        score_all(vectors[0]);
        assert_int_equal(by_hand(0, how.self, expected), 100);
        const size_t first = how.offset < 100 ? how.offset : 100;
        assert_int_equal(list.count, 100 - first < k ? 100 - first : k);
        for (size_t i = 0; i < list.count; i++)
            assert_int_equal(list.hits[i].id, expected[first + i]->id);
        assert_true(fabs(list.best_z - (expected[0]->score - list.mean) / list.deviation) < 1e-4);
        assert_int_equal(list.verdict, AKIN_VERDICT_UNCLEAR);
        akin_retrieved_clear(&list);
    }
    end();
}

static void small(void **state)
{
    (void)state;
    akin_retrieval how = { .k = 10, NO_CUTS };
    akin_retrieved_list list;
    const float query[16] = { 1 };
    seed = 18;
    begin(16, AKIN_VECTOR_F32);
    OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
    assert_int_equal(list.count, 0);
    assert_int_equal(list.items, 0);
    assert_true(isnan(list.best_z) && isnan(list.threshold));
    assert_int_equal(list.verdict, AKIN_VERDICT_NONE);
    akin_retrieved_clear(&list);

    /* One has no z; two that score alike have none either. */
    memcpy(vectors[0], query, sizeof query);
    const int64_t content = add_content(0);
    for (size_t n = 1; n <= 120; n++) {
        add_item(0, content);
        OK(akin_store_commit(store, &err));
        if (n > 3 && n < 119)
            continue;
        OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
        assert_int_equal(list.items, n);
        assert_int_equal(list.count, n < 10 ? n : 10);
        assert_true(isnan(list.hits[0].z) && isnan(list.best_z) && isnan(list.threshold));
        assert_true(list.mean == 1 && list.deviation == 0);
        assert_int_equal(list.verdict, AKIN_VERDICT_NONE);
        akin_retrieved_clear(&list);
        how.min_z = -100;
        OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
        assert_int_equal(list.count, 0);
        akin_retrieved_clear(&list);
        how.min_z = (double)NAN;
    }
    end();

    begin(16, AKIN_VECTOR_F32);
    fill(99, 0, random_unit);
    OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
    assert_true(!isnan(list.best_z) && isnan(list.threshold));
    assert_int_equal(list.verdict, AKIN_VERDICT_NONE);
    akin_retrieved_clear(&list);
    random_unit(vectors[99]);
    add_item(99, add_content(99));
    OK(akin_store_commit(store, &err));
    OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
    assert_true(list.threshold == akin_verdict_threshold(100));
    assert_int_not_equal(list.verdict, AKIN_VERDICT_NONE);
    akin_retrieved_clear(&list);

    float broken[16] = { 1, (float)NAN };
    assert_int_equal(akin_retrieve(store, kernels, NULL, broken, &how, &list, &err),
                     AKIN_E_NONFINITE);
    assert_int_equal(list.count, 0);
    assert_null(list.hits);
    akin_retrieved_clear(&list);
    end();
}

static void verdict(void **state)
{
    (void)state;
    akin_retrieved_list list;
    float query[64];
    seed = 19;
    begin(64, AKIN_VECTOR_F16);
    fill(1000, 0, random_unit);
    akin_retrieval how = { .k = 3, NO_CUTS };
    size_t clear = 0;
    for (int i = 0; i < 100; i++) { /* noise */
        random_unit(query);
        OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
        assert_true(fabs(list.threshold - (sqrt(2 * log(1000)) + AKIN_VERDICT_MARGIN)) < 1e-12);
        assert_int_equal(list.count, 3); /* nothing is withheld */
        assert_true(list.best_z == list.hits[0].z);
        assert_int_equal(list.verdict == AKIN_VERDICT_CLEAR, list.best_z >= list.threshold);
        clear += list.verdict == AKIN_VERDICT_CLEAR;
        akin_retrieved_clear(&list);
    }
    assert_in_range(clear, 0, 8);

    /* A picture of the collection is found; without itself, or behind a filter that it does not
     * pass, there is nothing, and the statistics are the same. */
    memcpy(query, vectors[items[500].content], sizeof query);
    OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
    assert_int_equal(list.verdict, AKIN_VERDICT_CLEAR);
    assert_true(list.best_z > 6);
    const double mean = list.mean, deviation = list.deviation, threshold = list.threshold;
    akin_retrieved_clear(&list);

    akin_item_filter *filter;
    OK(akin_filter_new(&filter, &(akin_filter_options){ .where = "path < /p/500.jpg" }, NULL,
                       &err));
    for (int pass = 0; pass < 2; pass++) {
        how.self = pass == 0 ? items[500].path : NULL;
        how.filter = pass == 0 ? NULL : filter;
        OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
        assert_int_equal(list.verdict, AKIN_VERDICT_UNCLEAR);
        assert_int_equal(list.count, 3);
        assert_int_equal(list.items, 1000);
        assert_true(list.mean == mean && list.deviation == deviation);
        assert_true(list.threshold == threshold);
        akin_retrieved_clear(&list);
    }
    akin_filter_free(filter);
    OK(akin_filter_new(&filter, &(akin_filter_options){ .where = "width > 100" }, NULL, &err));
    how.filter = filter;
    OK(akin_retrieve(store, kernels, NULL, query, &how, &list, &err));
    assert_int_equal(list.count, 0);
    assert_int_equal(list.verdict, AKIN_VERDICT_NONE);
    assert_true(isnan(list.best_z) && list.items == 1000 && list.mean == mean);
    akin_retrieved_clear(&list);
    akin_filter_free(filter);
    end();
    assert_true(isnan(akin_verdict_threshold(0)) && isnan(akin_verdict_threshold(1)));
}

static void combine(void **state)
{
    (void)state;
    const float text[4] = { 0.6f, 0.8f, 0, 0 }, image[4] = { 0, 0, 1, 0 };
    const float not_text[4] = { 0, 1, 0, 0 }, broken[4] = { 0, (float)INFINITY, 0, 0 };
    float out[4];
    OK(akin_combine(text, NULL, 0.5, NULL, 4, out, &err));
    assert_memory_equal(out, text, sizeof out);
    OK(akin_combine(NULL, image, 0.5, NULL, 4, out, &err));
    assert_memory_equal(out, image, sizeof out);
    OK(akin_combine(text, image, 0, NULL, 4, out, &err));
    assert_memory_equal(out, text, sizeof out);
    OK(akin_combine(text, image, 1, NULL, 4, out, &err));
    assert_memory_equal(out, image, sizeof out);

    OK(akin_combine(text, image, 0.25, NULL, 4, out, &err));
    const double length = sqrt(0.75 * 0.75 + 0.25 * 0.25);
    const double mixed[4] = { 0.45 / length, 0.6 / length, 0.25 / length, 0 };
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)out[i] - mixed[i]) < 1e-6);
    OK(akin_combine(text, NULL, 0.5, not_text, 4, out, &err));
    const double away[4] = { 0.6 / sqrt(0.4), -0.2 / sqrt(0.4), 0, 0 };
    for (int i = 0; i < 4; i++)
        assert_true(fabs((double)out[i] - away[i]) < 1e-6);
    OK(akin_combine(NULL, NULL, 0.5, not_text, 4, out, &err));
    assert_true(out[1] == -1);
    memcpy(out, text, sizeof out); /* in place */
    OK(akin_combine(out, image, 0.5, not_text, 4, out, &err));
    assert_true(out[2] > 0.5f && out[1] < 0 && out[0] > 0);

    assert_int_equal(akin_combine(NULL, NULL, 0.5, NULL, 4, out, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_combine(text, NULL, 0.5, text, 4, out, &err), AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "cancel out"));
    assert_int_equal(akin_combine(text, image, 1.5, NULL, 4, out, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_combine(text, image, (double)NAN, NULL, 4, out, &err), AKIN_E_ARGUMENT);
    assert_int_equal(akin_combine(broken, NULL, 0.5, NULL, 4, out, &err), AKIN_E_NONFINITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combine),        cmocka_unit_test(ties),
        cmocka_unit_test(pages),          cmocka_unit_test(cuts),
        cmocka_unit_test(negative),       cmocka_unit_test(random_vectors),
        cmocka_unit_test(what_left),      cmocka_unit_test(one_content),
        cmocka_unit_test(frames),         cmocka_unit_test(small),
        cmocka_unit_test(verdict),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
