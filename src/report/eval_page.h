/* eval_page.h - an evaluation as one HTML page: tables by language and class, and the pictures to
 * look at. Opens from the disk, loads nothing, runs nothing. */
#ifndef AKIN_REPORT_EVAL_PAGE_H
#define AKIN_REPORT_EVAL_PAGE_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "image/picture.h"

typedef struct akin_page_recall {
    size_t queries;
    double at1, at5, at10, median_rank;
} akin_page_recall;

typedef struct akin_page_row {
    const char *language; /* "" unknown; NULL: all */
    size_t texts, labels;
    akin_page_recall text_to_picture, picture_to_text;
    size_t classified;
    double top1, top5, chance;
} akin_page_row;

typedef struct akin_page_class {
    const char *label;
    size_t pictures, top1, top5;
    const char *taken_for[3]; /* NULL: no more */
    size_t taken[3];
} akin_page_class;

typedef struct akin_page_picture {
    const char *path;
    const char *label, *best; /* its own, and the one that scores highest */
    double rank;
    float own, top;
} akin_page_picture;

/* Everything is borrowed. */
typedef struct akin_eval_page {
    const char *title;
    size_t pictures, skipped, texts, concepts;
    const akin_page_row *rows; /* all languages first */
    size_t row_count;
    const char *table_language; /* of classes and found; NULL: nothing was classified */
    const akin_page_class *classes;
    size_t class_count;
    const akin_page_picture *found;
    size_t found_count;
    akin_picture_options limits;
} akin_eval_page;

/* Adds the page to out: at most 100 classes and some 150 thumbnails, whatever the evaluation's
 * size. A picture that cannot be read has a box with the reason in its place. */
akin_status akin_eval_page_write(const akin_eval_page *page, akin_buffer *out, akin_error *err);

#endif
