/* retrieve.h - a question's vector to hits, each with a score that can be read.
 *
 * Exact search sees every score, so each hit carries z = (score - mean) / deviation over the whole
 * live collection for this query, filters or not. Of n scores that are noise the best lies near
 * sqrt(2 ln n): a best z below that plus a margin is "no clear match" (docs/search.md).
 */
#ifndef AKIN_RAG_RETRIEVE_H
#define AKIN_RAG_RETRIEVE_H

#include "index/exact.h"
#include "store/store.h"
#include "store/where.h"

/* Unit vectors combined into one, all [n]: text and image weighted (1 - weight) * text + weight *
 * image when both are there, minus not_text; the result is of unit length, and a single vector
 * itself. Any but one may be NULL. AKIN_E_ARGUMENT when nothing is left of it (a length below
 * 1e-4), or weight is not in [0, 1]; AKIN_E_NONFINITE. out may be one of them. */
akin_status akin_combine(const float *text, const float *image, double weight,
                         const float *not_text, size_t n, float *out, akin_error *err);

typedef struct akin_retrieval {
    size_t k, offset;           /* k hits behind the first `offset` */
    const akin_item_filter *filter; /* NULL: all */
    const char *self;           /* absolute path of the query picture, left out; NULL: none */
    double min_score, min_z, relative; /* NaN: not asked. relative: at least this share of the best
                                   score (of the first hit before the offset); of one that is not
                                   positive, which has no shares, only what equals it. A hit whose
                                   z is NaN reaches no min_z */
} akin_retrieval;

typedef struct akin_retrieved {
    int64_t id, part;
    char *path;                 /* absolute */
    size_t path_size;
    float score;
    double z;                   /* NaN when n < 2 or the deviation is 0 */
    char *metadata;             /* JSON object */
    akin_item_state state;
} akin_retrieved;

typedef enum akin_verdict {
    AKIN_VERDICT_NONE,     /* fewer than AKIN_VERDICT_ITEMS live items, or no z */
    AKIN_VERDICT_CLEAR,
    AKIN_VERDICT_UNCLEAR   /* no clear match: the best z is below the threshold */
} akin_verdict;

enum { AKIN_VERDICT_ITEMS = 100 };
#define AKIN_VERDICT_MARGIN 0.5

typedef struct akin_retrieved_list {
    akin_retrieved *hits;
    size_t count;
    size_t items;               /* live, of the whole collection: n of the statistics */
    double mean, deviation;
    double best_z;              /* of the best item the filter lets through, `self` left out; NaN */
    double threshold;           /* NaN when there is no verdict */
    akin_verdict verdict;
} akin_retrieved_list;

/* sqrt(2 ln n) + AKIN_VERDICT_MARGIN; NaN for n < 2. */
double akin_verdict_threshold(size_t n);

/* Best first, equal scores by ascending id, so that hits do not depend on k and offset. In the
 * snapshot that is open, else in one of its own. query [dimensions] is a unit vector; one that is
 * not finite is AKIN_E_NONFINITE. The caller clears *out, which is initialised in any case. */
akin_status akin_retrieve(akin_store *store, const akin_kernels *kernels, akin_pool *pool,
                          const float *query, const akin_retrieval *how, akin_retrieved_list *out,
                          akin_error *err);
void akin_retrieved_clear(akin_retrieved_list *list);

#endif
