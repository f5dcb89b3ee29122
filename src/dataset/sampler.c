/* sampler.c - pairs by weight: sums of weights, searched; the concepts of a batch kept apart by
 * drawing again.
 *
 * The pictures lie in the order of their stages with running sums of their weights, so that one
 * list serves every stage: those in use at stage s are its beginning. An alias table (Vose 1991)
 * would draw in constant time, but takes one table a stage; 120,000 pictures are 17 steps of a
 * search, 0.2 us. The texts of a concept lie so too.
 */
#include "sampler.h"

#include <stdlib.h>

#include "base/arith.h"

struct akin_sampler {
    const akin_manifest *manifest;
    uint64_t seed;
    bool by_concept;
    size_t count;       /* pictures that can be drawn */
    uint32_t *pictures; /* [count], by stage */
    double *sums;       /* [count]: weights up to and with this one */
    size_t *ends;       /* [manifest->stages]: pictures in use at each stage */
    uint32_t *texts;    /* [text_count]: the manifest's text_order, by stage within each concept */
    double *text_sums;  /* [text_count]: within its concept */
    bool text_stages;   /* there is more than one */
};

enum {
    /* Draws for a place before its concept may repeat. Where the rarest of the concepts left is
     * drawn once in 64, it is found with 63 %; a batch of a quarter of all concepts of equal weight
     * fails once in 10^38. */
    TRIES = 64,
    /* Bits that say which concepts a batch surely does not hold. */
    BITS = 1 << 14
};

/* The least i in [0, count) whose sum is above x; count > 0. */
static size_t find(const double *sums, size_t count, double x)
{
    size_t low = 0, high = count - 1; /* rounding may put x at the last sum: the last one then */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sums[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Whether a text of the concept can be drawn. */
static bool has_text(const akin_sampler *s, uint32_t concept)
{
    const uint32_t *starts = s->manifest->text_starts;
    return starts[concept + 1] > starts[concept] && s->text_sums[starts[concept + 1] - 1] > 0;
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The texts of each concept by stage, in the manifest's order within each, and their sums. False
 * when memory runs out. */
static bool list_texts(akin_sampler *s)
{
    const akin_manifest *m = s->manifest;
    uint64_t *keys = malloc(akin_max(m->text_count, 1) * sizeof *keys);
    if (keys == NULL)
        return false;
    for (size_t i = 0; i < m->text_count; i++) {
        const uint16_t stage = m->texts[m->text_order[i]].stage;
        keys[i] = (uint64_t)stage << 32 | m->text_order[i];
        s->text_stages |= stage > 0;
    }
    for (size_t c = 0; c < m->concept_count; c++) {
        const uint32_t first = m->text_starts[c], end = m->text_starts[c + 1];
        double sum = 0;
        if (s->text_stages)
            qsort(keys + first, end - first, sizeof *keys, compare_keys);
        for (uint32_t i = first; i < end; i++) {
            s->texts[i] = (uint32_t)keys[i];
            s->text_sums[i] = sum += (double)m->texts[s->texts[i]].weight;
        }
    }
    free(keys);
    return true;
}

/* How many of a concept's texts are in use at a stage; of one whose first stages have none that can
 * be drawn, those of its first that has one. */
static size_t texts_in_use(const akin_sampler *s, uint32_t concept, unsigned stage)
{
    const akin_manifest *m = s->manifest;
    const uint32_t first = m->text_starts[concept];
    const size_t all = m->text_starts[concept + 1] - first;
    size_t low = 0, high = all;
    if (!s->text_stages)
        return all;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (m->texts[s->texts[first + middle]].stage <= stage)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < all && (low == 0 || !(s->text_sums[first + low - 1] > 0)))
        low++;
    return low;
}

/* The pictures by stage, in the manifest's order within each: a counting sort, whose counts are
 * `ends` in the end. */
static void list_pictures(akin_sampler *s)
{
    const akin_manifest *m = s->manifest;
    for (int fill = 0; fill < 2; fill++) {
        for (size_t i = 0; i < m->picture_count; i++) {
            const akin_manifest_picture *p = &m->pictures[i];
            if (!(p->weight > 0) || !has_text(s, p->concept))
                continue;
            if (fill)
                s->pictures[s->ends[p->stage]] = (uint32_t)i;
            s->ends[p->stage]++;
        }
        size_t before = 0;
        for (size_t stage = 0; fill == 0 && stage < m->stages; stage++) {
            const size_t here = s->ends[stage];
            s->ends[stage] = before;
            before += here;
        }
        s->count = fill == 0 ? before : s->count;
    }
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        s->sums[i] = sum += (double)m->pictures[s->pictures[i]].weight;
}

akin_status akin_sampler_new(akin_sampler **out, const akin_manifest *manifest, uint64_t seed,
                             bool by_concept, akin_error *err)
{
    *out = NULL;
    akin_sampler *s = calloc(1, sizeof *s);
    if (s == NULL)
        return akin_fail_nomem(err, "a sampler", 0);
    *s = (akin_sampler){ .manifest = manifest, .seed = seed, .by_concept = by_concept };
    const size_t pictures = akin_max(manifest->picture_count, 1);
    s->pictures = malloc(pictures * sizeof *s->pictures);
    s->sums = malloc(pictures * sizeof *s->sums);
    s->ends = calloc(akin_max(manifest->stages, 1), sizeof *s->ends);
    s->texts = malloc(akin_max(manifest->text_count, 1) * sizeof *s->texts);
    s->text_sums = malloc(akin_max(manifest->text_count, 1) * sizeof *s->text_sums);
    if (s->pictures == NULL || s->sums == NULL || s->ends == NULL || s->texts == NULL ||
        s->text_sums == NULL || !list_texts(s)) {
        akin_sampler_free(s);
        return akin_fail_nomem(err, "a sampler", 0);
    }
    list_pictures(s);
    if (s->count == 0) {
        akin_sampler_free(s);
        return akin_fail(err, AKIN_E_FORMAT, manifest->path,
                         "holds no picture with a text, both of a weight above 0");
    }
    *out = s;
    return AKIN_OK;
}

void akin_sampler_free(akin_sampler *s)
{
    if (s == NULL)
        return;
    free(s->pictures);
    free(s->sums);
    free(s->ends);
    free(s->texts);
    free(s->text_sums);
    free(s);
}

size_t akin_sampler_pictures(const akin_sampler *s, unsigned stage)
{
    const unsigned stages = s->manifest->stages;
    size_t count = s->ends[stage < stages ? stage : stages - 1];
    /* A first stage without a picture: the first that has one. */
    for (unsigned next = stage + 1; count == 0 && next < stages; next++)
        count = s->ends[next];
    return count;
}

static uint32_t concept_of(const akin_sampler *s, uint32_t picture)
{
    return s->manifest->pictures[picture].concept;
}

/* Whether out[0..count) holds a picture of this concept. */
static bool is_taken(const akin_sampler *s, const uint64_t *bits, uint32_t concept,
                     const akin_pair *out, size_t count)
{
    const uint32_t bit = concept % BITS;
    if (!(bits[bit / 64] >> bit % 64 & 1))
        return false;
    for (size_t i = 0; i < count; i++)
        if (concept_of(s, out[i].picture) == concept)
            return true;
    return false;
}

void akin_sampler_batch(const akin_sampler *s, uint64_t step, unsigned stage, akin_pair *out,
                        size_t count)
{
    const akin_manifest *m = s->manifest;
    const size_t pictures = akin_sampler_pictures(s, stage);
    const double sum = s->sums[pictures - 1];
    uint64_t bits[BITS / 64] = { 0 };
    int tries = s->by_concept ? TRIES : 1;
    for (size_t i = 0; i < count; i++) {
        akin_random random = akin_random_of(s->seed, step, i);
        uint32_t picture = 0, concept = 0;
        int left = tries;
        for (; left > 0; left--) {
            picture = s->pictures[find(s->sums, pictures, akin_random_uniform(&random) * sum)];
            concept = concept_of(s, picture);
            if (!s->by_concept || !is_taken(s, bits, concept, out, i))
                break;
        }
        /* One place that found nothing: the concepts are as good as used up. */
        if (left == 0 && tries > 1)
            tries /= 2;
        const uint32_t first = m->text_starts[concept];
        const size_t texts = texts_in_use(s, concept, stage);
        const double *sums = s->text_sums + first;
        const double x = akin_random_uniform(&random) * sums[texts - 1];
        out[i] = (akin_pair){ picture, s->texts[first + find(sums, texts, x)] };
        bits[concept % BITS / 64] |= UINT64_C(1) << concept % 64;
    }
}
