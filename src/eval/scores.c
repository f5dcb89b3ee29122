/* scores.c - places, shares and the table of confusions from vectors.
 *
 * Everything is one walk: queries go over candidates (texts over pictures, pictures over texts,
 * pictures over labels), and of each query it is counted how many candidates of other concepts
 * score above the best of its own, and how many score the same. A matrix of 1.2 million texts by
 * 8,000 pictures would be 38 GB; here a few queries go together over a block of candidates that
 * stays in the cache, and only counts are kept. Counts are integers, so that threads change
 * nothing.
 *
 * Definitions: docs/eval.md. The oracle is tools/oracle/eval.py, which makes the whole matrix.
 */
#include "scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"

enum {
    QUERIES = 16,   /* that go over a block together */
    BLOCK = 256,    /* candidates: 256 KiB of 256 dimensions */
    MANY_SLOTS = 4096, /* from so many languages on, queries go one by one: memory */
    LEVELS = 3,
    TAKEN = 3
};
static const size_t LEVEL[LEVELS] = { 1, 5, 10 };

/* Where a query's own stand among the candidates of one slot (all of them, or a language's). */
typedef struct place {
    double rank;         /* of the first of its own, from 1; the mean over the orders of equals */
    double within[LEVELS]; /* the share of those orders in which it is among the first LEVEL */
    uint32_t slot;       /* 0: all; 1 + language */
    uint32_t query;
    uint32_t relevant;   /* of its own */
} place;

/* What is searched: rows, to which concept and language each belongs, and those of a concept. */
typedef struct field {
    const float *rows;
    size_t count;
    uint32_t *concepts, *languages; /* [count]; languages NULL: only slot 0 */
    uint8_t *there;                 /* [count]: 0: left out */
    size_t *slot_count;             /* [slots]: those there */
    uint32_t *starts, *order;       /* those there, by concept */
} field;

/* For the table of confusions: the best candidate of another concept. */
typedef struct rival {
    float score, own;
    uint32_t candidate; /* UINT32_MAX: none */
} rival;

typedef struct walk {
    const field *queries, *candidates;
    size_t dimensions, slots, batch;
    size_t table;   /* slot that rivals are kept of; 0: none */
    rival *rivals;  /* [queries] */
    const size_t *first; /* [queries + 1]: of each in places */
    place *places;
    const akin_kernels *kernels;
    struct scratch *scratch; /* [workers] */
} walk;

/* One worker's: [batch, slots], and a block's scores. */
typedef struct scratch {
    float *best;       /* of its own; +inf: not asked */
    uint32_t *relevant, *equal; /* of its own: all of them; those that score `best` */
    uint64_t *above, *tied;     /* of others */
    float scores[BLOCK];
} scratch;

/* ---- places --------------------------------------------------------------------------------- */

/* The share of the orders of `tied` others and `equal` own in which one of the own is among the
 * first m: 1 - C(tied, m) / C(tied + equal, m). */
static double found_within(uint64_t tied, uint64_t equal, uint64_t m)
{
    double none = 1.0;
    for (uint64_t i = 0; i < m; i++) {
        if (i >= tied)
            return 1.0;
        none *= (double)(tied - i) / (double)(tied + equal - i);
    }
    return 1.0 - none;
}

static void set_place(place *p, uint64_t above, uint64_t tied, uint64_t equal)
{
    p->rank = (double)above + 1.0 + (double)tied / (double)(equal + 1);
    for (int i = 0; i < LEVELS; i++)
        p->within[i] = LEVEL[i] > above ? found_within(tied, equal, LEVEL[i] - above) : 0.0;
}

/* The query's own candidates: their best scores, slot by slot. */
static void look_at_own(const walk *w, size_t query, scratch *s, size_t at)
{
    const field *c = w->candidates;
    const float *vector = w->queries->rows + query * w->dimensions;
    const uint32_t concept = w->queries->concepts[query];
    float *best = s->best + at;
    for (size_t i = 0; i < w->slots; i++) {
        best[i] = INFINITY;
        s->relevant[at + i] = s->equal[at + i] = 0;
        s->above[at + i] = s->tied[at + i] = 0;
    }
    for (uint32_t i = c->starts[concept]; i < c->starts[concept + 1]; i++) {
        const size_t row = c->order[i];
        float score;
        w->kernels->dot_rows_f32(c->rows + row * w->dimensions, 1, w->dimensions, vector, &score);
        const size_t slots[2] = { 0, c->languages != NULL ? 1 + (size_t)c->languages[row] : 0 };
        for (int k = 0; k < (c->languages != NULL ? 2 : 1); k++) {
            const size_t slot = slots[k];
            uint32_t *equal = &s->equal[at + slot];
            if (s->relevant[at + slot]++ == 0 || score > best[slot]) {
                best[slot] = score;
                *equal = 1;
            } else if (score == best[slot]) {
                ++*equal;
            }
        }
    }
}

static void look_at_block(const walk *w, size_t query, scratch *s, size_t at, size_t begin,
                          size_t count)
{
    const field *c = w->candidates;
    const uint32_t concept = w->queries->concepts[query];
    w->kernels->dot_rows_f32(c->rows + begin * w->dimensions, count, w->dimensions,
                             w->queries->rows + query * w->dimensions, s->scores);
    for (size_t i = 0; i < count; i++) {
        const size_t row = begin + i;
        const float score = s->scores[i];
        if (!c->there[row] || c->concepts[row] == concept)
            continue;
        s->above[at] += score > s->best[at];
        s->tied[at] += score == s->best[at];
        if (c->languages == NULL)
            continue;
        const size_t slot = 1 + (size_t)c->languages[row];
        s->above[at + slot] += score > s->best[at + slot];
        s->tied[at + slot] += score == s->best[at + slot];
        if (slot == w->table) {
            rival *r = &w->rivals[query];
            if (r->candidate == UINT32_MAX || score > r->score)
                *r = (rival){ score, r->own, (uint32_t)row };
        }
    }
}

static void walk_task(void *context, size_t i, int worker)
{
    const walk *w = context;
    scratch *s = &w->scratch[worker];
    const size_t begin = i * w->batch;
    const size_t count = akin_min(w->batch, w->queries->count - begin);
    bool any = false;
    for (size_t q = 0; q < count; q++) {
        if (w->first[begin + q] == w->first[begin + q + 1])
            continue;
        any = true;
        look_at_own(w, begin + q, s, q * w->slots);
        if (w->table != 0)
            w->rivals[begin + q] = (rival){ 0, s->best[q * w->slots + w->table], UINT32_MAX };
    }
    for (size_t row = 0; any && row < w->candidates->count; row += BLOCK)
        for (size_t q = 0; q < count; q++)
            if (w->first[begin + q] != w->first[begin + q + 1])
                look_at_block(w, begin + q, s, q * w->slots, row,
                              akin_min(BLOCK, w->candidates->count - row));
    for (size_t q = 0; q < count; q++) {
        place *p = w->places + w->first[begin + q];
        for (size_t slot = 0; slot < w->slots; slot++) {
            const size_t at = q * w->slots + slot;
            if (w->first[begin + q] == w->first[begin + q + 1] || s->relevant[at] == 0)
                continue;
            p->slot = (uint32_t)slot;
            p->query = (uint32_t)(begin + q);
            p->relevant = s->relevant[at];
            set_place(p++, s->above[at], s->tied[at], s->equal[at]);
        }
    }
}

/* ---- fields --------------------------------------------------------------------------------- */

static void field_clear(field *f)
{
    free(f->concepts);
    free(f->languages);
    free(f->there);
    free(f->slot_count);
    free(f->starts);
    free(f->order);
}

static bool is_zero(const float *row, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (row[i] != 0.0f)
            return false;
    return true;
}

static akin_status field_new(field *f, const float *rows, size_t count, size_t dimensions,
                             size_t concepts, size_t slots, bool languages, akin_error *err)
{
    *f = (field){ .rows = rows, .count = count };
    f->concepts = calloc(count + 1, sizeof *f->concepts);
    f->languages = languages ? calloc(count + 1, sizeof *f->languages) : NULL;
    f->there = calloc(count + 1, 1);
    f->slot_count = calloc(slots, sizeof *f->slot_count);
    f->starts = calloc(concepts + 2, sizeof *f->starts);
    f->order = calloc(count + 1, sizeof *f->order);
    if (f->concepts == NULL || (languages && f->languages == NULL) || f->there == NULL ||
        f->slot_count == NULL || f->starts == NULL || f->order == NULL)
        return akin_fail_nomem(err, "an evaluation's index", count * 16);
    for (size_t i = 0; i < count; i++)
        f->there[i] = !is_zero(rows + i * dimensions, dimensions);
    return AKIN_OK;
}

/* When concepts and languages are filled in: who belongs to a concept, in order. */
static void field_group(field *f, size_t concepts)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->there[i]) {
            f->starts[f->concepts[i] + 2]++;
            f->slot_count[0]++;
            if (f->languages != NULL)
                f->slot_count[1 + f->languages[i]]++;
        }
    for (size_t c = 2; c < concepts + 2; c++)
        f->starts[c] += f->starts[c - 1];
    for (size_t i = 0; i < f->count; i++)
        if (f->there[i])
            f->order[f->starts[f->concepts[i] + 1]++] = (uint32_t)i;
}

/* ---- a walk --------------------------------------------------------------------------------- */

typedef struct places {
    place *items;
    size_t count;
    rival *rivals; /* [queries], of a walk with a table */
} places;

/* How many slots a query has places in: those of its own candidates. seen: [slots], 0 before and
 * after. */
static size_t count_slots(const field *candidates, uint32_t concept, uint8_t *seen)
{
    size_t n = 0;
    const uint32_t begin = candidates->starts[concept], end = candidates->starts[concept + 1];
    if (begin == end)
        return 0;
    if (candidates->languages == NULL)
        return 1;
    for (uint32_t i = begin; i < end; i++) {
        uint8_t *s = &seen[candidates->languages[candidates->order[i]]];
        n += *s == 0;
        *s = 1;
    }
    for (uint32_t i = begin; i < end; i++)
        seen[candidates->languages[candidates->order[i]]] = 0;
    return n + 1;
}

static void scratch_free(scratch *all, size_t workers)
{
    for (size_t i = 0; all != NULL && i < workers; i++) {
        free(all[i].best);
        free(all[i].relevant);
        free(all[i].equal);
        free(all[i].above);
        free(all[i].tied);
    }
    free(all);
}

static scratch *scratch_new(size_t workers, size_t cells)
{
    scratch *all = calloc(workers, sizeof *all);
    for (size_t i = 0; all != NULL && i < workers; i++) {
        scratch *s = &all[i];
        s->best = calloc(cells, sizeof *s->best);
        s->relevant = calloc(cells, sizeof *s->relevant);
        s->equal = calloc(cells, sizeof *s->equal);
        s->above = calloc(cells, sizeof *s->above);
        s->tied = calloc(cells, sizeof *s->tied);
        if (s->best == NULL || s->relevant == NULL || s->equal == NULL || s->above == NULL ||
            s->tied == NULL) {
            scratch_free(all, workers);
            return NULL;
        }
    }
    return all;
}

static akin_status run_walk(places *out, const field *queries, const field *candidates,
                            size_t dimensions, size_t languages, size_t table,
                            const akin_kernels *kernels, akin_pool *pool, akin_error *err)
{
    const size_t slots = candidates->languages != NULL ? 1 + languages : 1;
    const size_t workers = pool != NULL ? (size_t)akin_pool_threads(pool) : 1;
    walk w = { .queries = queries, .candidates = candidates, .dimensions = dimensions,
               .slots = slots, .batch = slots < MANY_SLOTS ? QUERIES : 1, .table = table,
               .kernels = kernels };
    akin_status status = AKIN_OK;
    size_t *first = calloc(queries->count + 1, sizeof *first);
    uint8_t *seen = calloc(languages + 1, 1);
    *out = (places){ 0 };
    if (first == NULL || seen == NULL) {
        status = akin_fail_nomem(err, "places", queries->count * sizeof *first);
        goto out;
    }
    for (size_t i = 0; i < queries->count; i++)
        first[i + 1] = first[i] + (queries->there[i]
                                       ? count_slots(candidates, queries->concepts[i], seen)
                                       : 0);
    out->count = first[queries->count];
    out->items = calloc(out->count + 1, sizeof *out->items);
    if (table != 0)
        out->rivals = calloc(queries->count + 1, sizeof *out->rivals);
    w.scratch = scratch_new(workers, w.batch * slots);
    if (out->items == NULL || (table != 0 && out->rivals == NULL) || w.scratch == NULL) {
        status = akin_fail_nomem(err, "places", out->count * sizeof *out->items);
        goto out;
    }
    w.first = first;
    w.places = out->items;
    w.rivals = out->rivals;
    akin_pool_run(pool, akin_ceil_div(queries->count, w.batch), walk_task, &w);
out:
    scratch_free(w.scratch, workers);
    free(first);
    free(seen);
    return status;
}

static void places_clear(places *p)
{
    free(p->items);
    free(p->rivals);
}

/* ---- shares --------------------------------------------------------------------------------- */

static int by_slot(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->query < y->query ? -1 : x->query > y->query;
}

static akin_recall recall_of(const place *sorted, size_t count)
{
    akin_recall r = { .queries = count };
    double sums[LEVELS] = { 0 };
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < LEVELS; k++)
            sums[k] += sorted[i].within[k];
    if (count == 0)
        return r;
    r.at1 = sums[0] / (double)count;
    r.at5 = sums[1] / (double)count;
    r.at10 = sums[2] / (double)count;
    r.median_rank = (sorted[(count - 1) / 2].rank + sorted[count / 2].rank) / 2;
    return r;
}

typedef void (*take_slot)(akin_eval_language *to, const place *sorted, size_t count,
                          const field *candidates, size_t slot);

static void take_text_to_picture(akin_eval_language *to, const place *sorted, size_t count,
                                 const field *candidates, size_t slot)
{
    (void)candidates;
    (void)slot;
    to->text_to_picture = recall_of(sorted, count);
}

static void take_picture_to_text(akin_eval_language *to, const place *sorted, size_t count,
                                 const field *candidates, size_t slot)
{
    (void)candidates;
    (void)slot;
    to->picture_to_text = recall_of(sorted, count);
}

static void take_labels(akin_eval_language *to, const place *sorted, size_t count,
                        const field *candidates, size_t slot)
{
    double own = 0.0;
    const akin_recall r = recall_of(sorted, count);
    to->classified = count;
    to->top1 = r.at1;
    to->top5 = r.at5;
    for (size_t i = 0; i < count; i++)
        own += sorted[i].relevant;
    if (count != 0)
        to->chance = own / (double)count / (double)candidates->slot_count[slot];
}

static void take_places(akin_eval *out, places *p, const field *candidates, take_slot take)
{
    qsort(p->items, p->count, sizeof *p->items, by_slot);
    for (size_t begin = 0, end; begin < p->count; begin = end) {
        const uint32_t slot = p->items[begin].slot;
        for (end = begin; end < p->count && p->items[end].slot == slot; end++)
            ;
        take(&out->languages[slot], p->items + begin, end - begin, candidates, slot);
    }
}

/* ---- the table of a language ---------------------------------------------------------------- */

typedef struct taken {
    uint32_t concept, best;
    size_t times;
} taken;

static int by_concept_then_best(const void *a, const void *b)
{
    const taken *x = a, *y = b;
    if (x->concept != y->concept)
        return x->concept < y->concept ? -1 : 1;
    return x->best < y->best ? -1 : x->best > y->best;
}

/* Puts `t` among the three that were taken most often; equals stay in the order of concepts. */
static void add_taken(akin_eval_class *c, const taken *t)
{
    int i = TAKEN;
    while (i > 0 && c->taken[i - 1] < t->times)
        i--;
    if (i == TAKEN)
        return;
    for (int k = TAKEN - 1; k > i; k--) {
        c->taken[k] = c->taken[k - 1];
        c->taken_for[k] = c->taken_for[k - 1];
    }
    c->taken[i] = t->times;
    c->taken_for[i] = t->best;
}

/* Pictures and classes from the places of `slot`, in the order of the queries. In this table equal
 * scores are against the picture: right is what is right in every order. */
static akin_status make_table(akin_eval *out, const places *p, const field *pictures,
                              const field *labels, size_t slot, size_t concepts, akin_error *err)
{
    size_t count = 0, pairs = 0;
    taken *list = NULL;
    akin_eval_class *classes = calloc(concepts + 1, sizeof *classes);
    for (size_t i = 0; i < p->count; i++)
        count += p->items[i].slot == slot;
    out->pictures = calloc(count + 1, sizeof *out->pictures);
    list = calloc(count + 1, sizeof *list);
    out->classes = classes;
    if (classes == NULL || out->pictures == NULL || list == NULL) {
        free(list);
        return akin_fail_nomem(err, "the table of classes", concepts * sizeof *classes);
    }
    for (size_t i = 0; i < p->count; i++) {
        const place *at = &p->items[i];
        if (at->slot != slot)
            continue;
        const rival *r = &p->rivals[at->query];
        const uint32_t concept = pictures->concepts[at->query];
        akin_eval_class *c = &classes[concept];
        const bool right = r->candidate == UINT32_MAX || r->own > r->score;
        c->concept = concept;
        c->pictures++;
        c->top1 += right;
        c->top5 += at->within[1] == 1.0;
        akin_eval_picture *picture = &out->pictures[out->picture_count++];
        *picture = (akin_eval_picture){
            .picture = at->query, .best = right ? concept : labels->concepts[r->candidate],
            .rank = at->rank, .own = r->own, .top = right ? r->own : r->score,
        };
        if (!right)
            list[pairs++] = (taken){ concept, picture->best, 1 };
    }
    qsort(list, pairs, sizeof *list, by_concept_then_best);
    for (size_t begin = 0, end; begin < pairs; begin = end) {
        for (end = begin; end < pairs && by_concept_then_best(&list[begin], &list[end]) == 0; end++)
            ;
        list[begin].times = end - begin;
        add_taken(&classes[list[begin].concept], &list[begin]);
    }
    for (size_t c = 0; c < concepts; c++)
        if (classes[c].pictures != 0)
            classes[out->class_count++] = classes[c];
    free(list);
    return AKIN_OK;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int64_t choose_table(int64_t asked, const field *labels, size_t languages)
{
    if (asked != AKIN_EVAL_ALL)
        return asked;
    int64_t best = AKIN_EVAL_ALL;
    for (size_t i = 0; i < languages; i++)
        if (labels->slot_count[1 + i] > (best < 0 ? 0 : labels->slot_count[1 + best]))
            best = (int64_t)i;
    return best;
}

akin_status akin_eval_run(akin_eval *out, const akin_manifest *manifest,
                          const akin_eval_vectors *vectors, int64_t table_language,
                          const akin_kernels *kernels, akin_pool *pool, akin_error *err)
{
    const size_t n = vectors->dimensions, languages = manifest->language_count;
    const size_t concepts = manifest->concept_count;
    field pictures = { 0 }, texts = { 0 }, labels = { 0 };
    places found = { 0 };
    akin_status status;
    *out = (akin_eval){ .table_language = AKIN_EVAL_ALL };
    if (n == 0 || table_language < AKIN_EVAL_ALL || table_language >= (int64_t)languages)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "an evaluation of %zu dimensions in language %lld of %zu", n,
                         (long long)table_language, languages);
    AKIN_TRY(field_new(&pictures, vectors->pictures, manifest->picture_count, n, concepts, 1,
                       false, err));
    AKIN_TRY(field_new(&texts, vectors->texts, manifest->text_count, n, concepts, 1 + languages,
                       true, err));
    AKIN_TRY(field_new(&labels, vectors->labels, vectors->label_count, n, concepts, 1 + languages,
                       true, err));
    for (size_t i = 0; i < pictures.count; i++)
        pictures.concepts[i] = manifest->pictures[i].concept;
    for (size_t i = 0; i < texts.count; i++) {
        texts.concepts[i] = manifest->texts[i].concept;
        texts.languages[i] = manifest->texts[i].language;
    }
    for (size_t i = 0; i < labels.count; i++) {
        labels.concepts[i] = vectors->label_concepts[i];
        labels.languages[i] = vectors->label_languages[i];
        if (labels.concepts[i] >= concepts || labels.languages[i] >= languages) {
            status = akin_fail(err, AKIN_E_ARGUMENT, NULL, "label %zu is of no concept", i);
            goto out;
        }
    }
    field_group(&pictures, concepts);
    field_group(&texts, concepts);
    field_group(&labels, concepts);

    out->language_count = 1 + languages;
    out->languages = calloc(out->language_count, sizeof *out->languages);
    if (out->languages == NULL) {
        status = akin_fail_nomem(err, "languages", out->language_count * sizeof *out->languages);
        goto out;
    }
    for (size_t i = 0; i < out->language_count; i++)
        out->languages[i].language = (int64_t)i - 1;

    AKIN_TRY(run_walk(&found, &texts, &pictures, n, languages, 0, kernels, pool, err));
    take_places(out, &found, &pictures, take_text_to_picture); /* slot 0 */
    for (size_t i = 0; i < found.count; i++) /* a text is of one language: again, by it */
        found.items[i].slot = 1 + texts.languages[found.items[i].query];
    take_places(out, &found, &pictures, take_text_to_picture);
    places_clear(&found);

    AKIN_TRY(run_walk(&found, &pictures, &texts, n, languages, 0, kernels, pool, err));
    take_places(out, &found, &texts, take_picture_to_text);
    places_clear(&found);

    out->table_language = choose_table(table_language, &labels, languages);
    const size_t table = (size_t)(out->table_language + 1); /* 0: no labels at all */
    AKIN_TRY(run_walk(&found, &pictures, &labels, n, languages, table, kernels, pool, err));
    if (table != 0)
        AKIN_TRY(make_table(out, &found, &pictures, &labels, table, concepts, err));
    take_places(out, &found, &labels, take_labels);
out:
    places_clear(&found);
    field_clear(&pictures);
    field_clear(&texts);
    field_clear(&labels);
    if (status != AKIN_OK)
        akin_eval_clear(out);
    return status;
}

void akin_eval_clear(akin_eval *eval)
{
    free(eval->languages);
    free(eval->classes);
    free(eval->pictures);
    *eval = (akin_eval){ 0 };
}
