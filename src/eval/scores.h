/* scores.h - how well a model's vectors of a manifest's pictures and texts find each other.
 *
 * Knows vectors, not models: the caller embeds. Retrieval and zero-shot classification are counted
 * by concept: a text finds a picture when any picture of its concept is among the first k (several
 * pictures of a concept are no mistakes of each other), as in CLIP (Radford et al. 2021), whose
 * benchmarks have one. Equal scores count as an expected place: the mean over their orders, so that
 * a model that gives everything one score gets chance, not 1.
 */
#ifndef AKIN_EVAL_SCORES_H
#define AKIN_EVAL_SCORES_H

#include "dataset/manifest.h"
#include "index/exact.h"

typedef struct akin_recall {
    size_t queries;
    double at1, at5, at10; /* shares, 0 to 1 */
    double median_rank;    /* from 1 */
} akin_recall;

/* One language, or all of them (language = AKIN_EVAL_ALL). */
enum { AKIN_EVAL_ALL = -1 };
typedef struct akin_eval_language {
    int64_t language;          /* in the manifest */
    akin_recall text_to_picture, picture_to_text;
    size_t classified;         /* pictures with a label in this language */
    double top1, top5;         /* zero-shot: the label whose vector scores highest */
    double chance;             /* of top1: 1 / labels */
} akin_eval_language;

/* A concept that was classified, in the language of the confusion table. */
typedef struct akin_eval_class {
    uint32_t concept;
    size_t pictures;
    size_t top1, top5;     /* right ones */
    uint32_t taken_for[3]; /* the concepts it was taken for most often, itself left out */
    size_t taken[3];       /* how often; 0: none */
} akin_eval_class;

/* What was found for one picture, for reports: its best label and where its own stands. */
typedef struct akin_eval_picture {
    uint32_t picture;     /* in the manifest */
    uint32_t best;        /* concept */
    double rank;          /* of its own label, from 1 */
    float own, top;       /* scores */
} akin_eval_picture;

typedef struct akin_eval {
    akin_eval_language *languages; /* [language_count]: all first, then each of the manifest's */
    size_t language_count;
    akin_eval_class *classes;      /* of `table_language`, in the manifest's order of concepts */
    size_t class_count;
    akin_eval_picture *pictures;   /* likewise */
    size_t picture_count;
    int64_t table_language;        /* the language with most labels, or the one asked for */
} akin_eval;

typedef struct akin_eval_vectors {
    size_t dimensions;
    const float *pictures; /* [picture_count, dimensions], unit rows; a row of zeros: left out */
    const float *texts;    /* [text_count, dimensions], likewise */
    /* Zero-shot labels: one row a (concept, language) that has one, unit rows; which texts made it
     * (their mean through the templates) is the caller's affair. */
    size_t label_count;
    const float *labels;             /* [label_count, dimensions] */
    const uint32_t *label_concepts;  /* [label_count] */
    const uint32_t *label_languages; /* [label_count] */
} akin_eval_vectors;

akin_status akin_eval_run(akin_eval *out, const akin_manifest *manifest,
                          const akin_eval_vectors *vectors, int64_t table_language,
                          const akin_kernels *kernels, akin_pool *pool, akin_error *err);
void akin_eval_clear(akin_eval *eval);

#endif
