/* retrieve.c - a vector to hits: all scores, their statistics, the best rows, and the items that
 * stand for them.
 *
 * Rows come from exact search in groups of equal scores, whole groups always, because what breaks a
 * tie is the id of an item: a row may stand for several items, and rows of a group may share the
 * ids between them in any order.
 */
#include "rag/retrieve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"

/* ---- Combining ------------------------------------------------------------------------------ */

/* Less is rounding: unit vectors of float are off by 1e-7. */
static const double least_length = 1e-4;

akin_status akin_combine(const float *text, const float *image, double weight,
                         const float *not_text, size_t n, float *out, akin_error *err)
{
    if (text == NULL && image == NULL && not_text == NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a query needs a text or a picture");
    if (!(weight >= 0 && weight <= 1))
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "the weight must lie between 0 and 1");
    if (text != NULL && image != NULL) {
        if (weight == 0)
            image = NULL;
        else if (weight == 1)
            text = NULL;
    }
    const double of_text = image != NULL ? 1 - weight : 1, of_image = text != NULL ? weight : 1;
    double sum = 0;
    for (int pass = 0; pass < 2; pass++) {
        const double length = sqrt(sum); /* known in the second */
        for (size_t i = 0; i < n; i++) {
            double x = 0;
            if (text != NULL)
                x += of_text * (double)text[i];
            if (image != NULL)
                x += of_image * (double)image[i];
            if (not_text != NULL)
                x -= (double)not_text[i];
            if (pass == 0)
                sum += x * x;
            else if (not_text == NULL && (text == NULL || image == NULL))
                out[i] = (float)x; /* of unit length as it is: the same bits */
            else
                out[i] = (float)(x / length);
        }
        if (!isfinite(sum))
            return akin_fail(err, AKIN_E_NONFINITE, NULL, "the query's vector is not finite");
        if (sum < least_length * least_length)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "the parts of the query cancel out: nothing is left to search for");
    }
    return AKIN_OK;
}

double akin_verdict_threshold(size_t n)
{
    return n < 2 ? (double)NAN : sqrt(2 * log((double)n)) + AKIN_VERDICT_MARGIN;
}

/* ---- Items of rows -------------------------------------------------------------------------- */

struct search {
    akin_store *store;
    const akin_retrieval *how;
    const akin_repeat *repeats;
    size_t repeat_count;
    akin_retrieved_list *out;
    size_t capacity;         /* of out->hits */
    size_t passed;           /* items found so far, those before the offset included */
    size_t want;             /* of them */
    bool any;                /* one was found */
    float best;              /* its score, the first one's */
    akin_retrieved *group;   /* items of equal score */
    size_t group_count, group_capacity;
    size_t need;             /* items of one row that can matter */
    size_t row_count;        /* items of the row that is being read */
};

static void clear_hit(akin_retrieved *hit)
{
    free(hit->path);
    free(hit->metadata);
}

static char *copy(const char *bytes, size_t size)
{
    char *text = malloc(size + 1);
    if (text != NULL) {
        memcpy(text, bytes, size);
        text[size] = '\0';
    }
    return text;
}

/* AKIN_E_STOPPED when the row has given as many as can matter. */
static akin_status take_item(void *context, const akin_item *item, akin_error *err)
{
    struct search *s = context;
    if (s->how->self != NULL && strcmp(item->path, s->how->self) == 0)
        return AKIN_OK;
    if (s->row_count == s->need)
        return AKIN_E_STOPPED;
    akin_retrieved *grown =
        akin_grow(s->group, &s->group_capacity, s->group_count + 1, sizeof *grown);
    if (grown == NULL)
        return akin_fail_nomem(err, "hits", 0);
    s->group = grown;
    akin_retrieved *hit = &s->group[s->group_count];
    *hit = (akin_retrieved){ .id = item->id, .part = item->part, .path_size = item->path_size,
                             .state = item->state };
    hit->path = copy(item->path, item->path_size);
    hit->metadata = copy(item->facts.metadata, strlen(item->facts.metadata));
    if (hit->path == NULL || hit->metadata == NULL) {
        clear_hit(hit);
        return akin_fail_nomem(err, "hits", item->path_size);
    }
    s->group_count++;
    s->row_count++;
    return AKIN_OK;
}

static int by_id(const void *a, const void *b)
{
    const akin_retrieved *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* The group in order, and no more of it than can matter. */
static void sort_group(struct search *s)
{
    if (s->group_count > 1)
        qsort(s->group, s->group_count, sizeof *s->group, by_id);
    while (s->group_count > s->need)
        clear_hit(&s->group[--s->group_count]);
}

static akin_status take_group(struct search *s, const akin_candidate *rows, size_t count,
                              akin_error *err)
{
    akin_status status;
    s->need = akin_max(s->want, 1) - s->passed;
    for (size_t i = 0; i < count; i++) {
        s->row_count = 0;
        status = akin_store_items_at(s->store, rows[i].place, s->how->filter, take_item, s, err);
        if (status != AKIN_OK && status != AKIN_E_STOPPED)
            return status;
        if (s->group_count / 2 > s->need + 500)
            sort_group(s);
    }
    sort_group(s);
    return AKIN_OK;
}

/* Items that a group has when that is known without asking the database, else SIZE_MAX. */
static size_t known_items(const struct search *s, const akin_candidate *rows, size_t count)
{
    size_t items = 0;
    if (s->how->self != NULL)
        return SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = s->repeat_count;
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            if (s->repeats[middle].place < rows[i].place)
                low = middle + 1;
            else
                high = middle;
        }
        const bool repeated = low < s->repeat_count && s->repeats[low].place == rows[i].place;
        if (repeated && s->how->filter != NULL)
            return SIZE_MAX;
        items += repeated ? s->repeats[low].items : 1;
    }
    return items;
}

static double z_of(const akin_retrieved_list *list, float score)
{
    if (list->items < 2 || !(list->deviation > 0))
        return (double)NAN;
    return ((double)score - list->mean) / list->deviation;
}

/* Whether hits of this score are asked for. What is not asked for is NaN, and no score is less. */
static bool wanted(const struct search *s, float score)
{
    const akin_retrieval *how = s->how;
    if ((double)score < how->min_score)
        return false;
    if (!isnan(how->min_z) && !(z_of(s->out, score) >= how->min_z))
        return false;
    if (isnan(how->relative))
        return true;
    return s->best > 0 ? (double)score >= how->relative * (double)s->best : score == s->best;
}

/* Moves the group's items to the hits; false when scores from here on are not asked for. */
static akin_status keep_group(struct search *s, float score, bool *more, akin_error *err)
{
    *more = true;
    if (s->group_count == 0)
        return AKIN_OK;
    if (!s->any) {
        s->any = true;
        s->best = score;
    }
    *more = wanted(s, score);
    for (size_t i = 0; i < s->group_count && *more; i++) {
        akin_retrieved *item = &s->group[i];
        const size_t place = s->passed++;
        if (place < s->how->offset || place >= s->want)
            continue;
        akin_retrieved *grown =
            akin_grow(s->out->hits, &s->capacity, s->out->count + 1, sizeof *grown);
        if (grown == NULL)
            return akin_fail_nomem(err, "hits", 0);
        s->out->hits = grown;
        item->score = score;
        item->z = z_of(s->out, score);
        s->out->hits[s->out->count++] = *item;
        item->path = item->metadata = NULL;
    }
    while (s->group_count > 0)
        clear_hit(&s->group[--s->group_count]);
    return AKIN_OK;
}

/* Goes through rows from the best on; *done: nothing behind them is asked for. */
static akin_status take_rows(struct search *s, const akin_candidate *rows, size_t count, bool *done,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    bool more = true;
    for (size_t i = 0, end; i < count && more && s->passed < akin_max(s->want, 1); i = end) {
        for (end = i + 1; end < count && rows[end].score == rows[i].score; end++)
            ;
        const size_t known = known_items(s, rows + i, end - i);
        if (known != SIZE_MAX &&
            known <= s->how->offset - akin_min(s->passed, s->how->offset)) {
            if (!s->any) {
                s->any = true;
                s->best = rows[i].score;
            }
            s->passed += known;
            more = wanted(s, rows[i].score);
            continue;
        }
        AKIN_TRY(take_group(s, rows + i, end - i, err));
        AKIN_TRY(keep_group(s, rows[i].score, &more, err));
    }
    *done = !more || s->passed >= akin_max(s->want, 1);
out:
    return status;
}

/* Asks for as many rows as there are items wanted, and for more while rows stand for none: those of
 * the query picture itself. */
static akin_status take_best(struct search *s, const akin_vectors *vectors, const float *scores,
                             const uint8_t *allowed, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_candidate *rows = NULL;
    size_t k = akin_min(s->want, vectors->rows) + 2, count, had = 0;
    for (;;) {
        bool done = false;
        AKIN_TRY(akin_exact_top(vectors, scores, allowed, k, &rows, &count, err));
        /* Those that came before are the head of these, in whole groups. */
        if (count > had)
            AKIN_TRY(take_rows(s, rows + had, count - had, &done, err));
        if (done || count < k)
            break;
        had = count;
        free(rows);
        rows = NULL;
        k = akin_min(k, SIZE_MAX / 4) * 4;
    }
out:
    free(rows);
    return status;
}

static void judge(akin_retrieved_list *list)
{
    if (list->items < AKIN_VERDICT_ITEMS || isnan(list->best_z))
        return;
    list->threshold = akin_verdict_threshold(list->items);
    list->verdict = list->best_z < list->threshold ? AKIN_VERDICT_UNCLEAR : AKIN_VERDICT_CLEAR;
}

akin_status akin_retrieve(akin_store *store, const akin_kernels *kernels, akin_pool *pool,
                          const float *query, const akin_retrieval *how, akin_retrieved_list *out,
                          akin_error *err)
{
    akin_status status = AKIN_OK;
    bool begun = false;
    float *scores = NULL;
    uint8_t *allowed = NULL;
    struct search s = { .store = store, .how = how, .out = out };
    *out = (akin_retrieved_list){ .best_z = (double)NAN, .threshold = (double)NAN };
    if (!akin_store_in_snapshot(store)) {
        AKIN_TRY(akin_store_begin(store, err));
        begun = true;
    }
    for (size_t i = 0; i < akin_store_get_model(store)->dimensions; i++)
        if (!isfinite(query[i])) {
            status = akin_fail(err, AKIN_E_NONFINITE, NULL, "the query's vector is not finite");
            goto out;
        }
    const akin_vectors *vectors = akin_store_vectors(store);
    s.repeats = akin_store_repeats(store, &s.repeat_count);
    if (!akin_add(how->offset, how->k, &s.want))
        s.want = SIZE_MAX;
    scores = malloc(akin_max(vectors->rows, 1) * sizeof *scores);
    if (scores == NULL) {
        status = akin_fail_nomem(err, "scores", vectors->rows * sizeof *scores);
        goto out;
    }
    akin_exact_scores(vectors, kernels, pool, query, scores);
    const akin_statistics all = akin_exact_statistics(vectors, scores, s.repeats, s.repeat_count);
    out->items = all.n;
    out->mean = all.mean;
    out->deviation = all.deviation;
    if (how->filter != NULL) {
        allowed = malloc(akin_max(akin_ceil_div(vectors->rows, 8), 1));
        if (allowed == NULL) {
            status = akin_fail_nomem(err, "rows", vectors->rows / 8);
            goto out;
        }
        AKIN_TRY(akin_store_filter_rows(store, how->filter, allowed, err));
    }
    AKIN_TRY(take_best(&s, vectors, scores, allowed, err));
    if (s.any)
        out->best_z = z_of(out, s.best);
    judge(out);
out:
    if (begun)
        akin_store_end(store);
    while (s.group_count > 0)
        clear_hit(&s.group[--s.group_count]);
    free(s.group);
    free(allowed);
    free(scores);
    if (status != AKIN_OK)
        akin_retrieved_clear(out);
    return status;
}

void akin_retrieved_clear(akin_retrieved_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        clear_hit(&list->hits[i]);
    free(list->hits);
    *list = (akin_retrieved_list){ .best_z = (double)NAN, .threshold = (double)NAN };
}
