/* api_eval.c - akin.h: a manifest's pictures and texts through a session, and their scores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/file.h"
#include "dataset/manifest.h"
#include "eval/scores.h"
#include "models/zeroshot.h"
#include "report/eval_page.h"

enum { BATCH = 64, BATCH_MOST = 4096, TEXTS = 1024 };

/* akin_evaluation and what its pointers lead to. */
struct evaluated {
    akin_evaluation shown; /* first: the caller holds a pointer to it */
    akin_manifest *manifest;
    akin_eval scores;
    akin_eval_row *rows;
    akin_eval_concept *classes;
    akin_eval_found *found;
};

/* One evaluation on its way. */
typedef struct evaluating {
    akin_session *session;
    const akin_manifest *manifest;
    const akin_eval_options *options;
    size_t dimensions;
    int64_t language; /* AKIN_EVAL_ALL, or the one asked for */
    float *pictures, *texts, *labels;
    uint32_t *label_concepts, *label_languages;
    size_t label_count, label_capacity;
    size_t skipped, done, total;
} evaluating;

static akin_status step(evaluating *e, size_t count, akin_error *err)
{
    const akin_eval_options *o = e->options;
    e->done += count;
    if (o->progress != NULL)
        o->progress(o->context, e->done, e->total);
    if (o->stop != NULL && o->stop(o->context))
        return akin_fail(err, AKIN_E_STOPPED, NULL, "stopped: %zu of %zu texts and pictures done",
                         e->done, e->total);
    return AKIN_OK;
}

static bool is_asked(const evaluating *e, uint32_t language)
{
    return e->language == AKIN_EVAL_ALL || e->language == (int64_t)language;
}

static akin_status find_language(evaluating *e, akin_error *err)
{
    const akin_manifest *m = e->manifest;
    char list[256] = "";
    size_t used = 0;
    e->language = AKIN_EVAL_ALL;
    if (e->options->language == NULL)
        return AKIN_OK;
    for (size_t i = 0; i < m->language_count; i++) {
        if (strcmp(m->languages[i], e->options->language) == 0) {
            e->language = (int64_t)i;
            return AKIN_OK;
        }
        const char *name = m->languages[i][0] != '\0' ? m->languages[i] : "''";
        if (used + strlen(name) + 6 < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ",
                                     name);
        else if (used + 5 < sizeof list && list[used - 1] != '.')
            used += (size_t)snprintf(list + used, sizeof list - used, ", ...");
    }
    return akin_fail(err, AKIN_E_ARGUMENT, m->path,
                     "no text is in the language '%s'; there are: %s", e->options->language, list);
}

/* ---- vectors -------------------------------------------------------------------------------- */

/* Counts instead of telling each: a manifest has a million texts. */
static void count_warning(void *context, const char *message)
{
    (void)message;
    ++*(size_t *)context;
}

static akin_status embed_all_texts(evaluating *e, akin_error *err)
{
    const akin_manifest *m = e->manifest;
    const size_t n = e->dimensions;
    const char **texts = calloc(TEXTS, sizeof *texts);
    size_t *rows = calloc(TEXTS, sizeof *rows);
    float *vectors = calloc(TEXTS * n, sizeof *vectors);
    akin_status status = AKIN_OK;
    if (texts == NULL || rows == NULL || vectors == NULL) {
        status = akin_fail_nomem(err, "texts", TEXTS * n * sizeof *vectors);
        goto out;
    }
    for (size_t i = 0; i < m->text_count;) {
        size_t count = 0;
        for (; i < m->text_count && count < TEXTS; i++)
            if (is_asked(e, m->texts[i].language)) {
                texts[count] = m->texts[i].text;
                rows[count++] = i;
            }
        AKIN_TRY(akin_embed_texts(e->session, texts, NULL, count, 0, vectors, count * n, err));
        for (size_t k = 0; k < count; k++)
            memcpy(e->texts + rows[k] * n, vectors + k * n, n * sizeof *vectors);
        AKIN_TRY(step(e, count, err));
    }
out:
    free(texts);
    free(rows);
    free(vectors);
    return status;
}

static akin_status embed_all_pictures(evaluating *e, akin_error *err)
{
    const akin_manifest *m = e->manifest;
    const size_t n = e->dimensions, batch = e->options->batch != 0 ? e->options->batch : BATCH;
    akin_picture_input *inputs = calloc(batch, sizeof *inputs);
    akin_error *errors = calloc(batch, sizeof *errors);
    akin_status status = AKIN_OK;
    if (inputs == NULL || errors == NULL) {
        status = akin_fail_nomem(err, "pictures", batch * sizeof *errors);
        goto out;
    }
    for (size_t i = 0; i < m->picture_count; i += batch) {
        const size_t count = akin_min(batch, m->picture_count - i);
        for (size_t k = 0; k < count; k++)
            inputs[k] = (akin_picture_input){ .path = m->pictures[i + k].path };
        AKIN_TRY(akin_embed_pictures(e->session, inputs, count, 0, e->pictures + i * n, count * n,
                                     errors, err));
        for (size_t k = 0; k < count; k++) {
            if (errors[k].code == AKIN_OK)
                continue;
            if (errors[k].code == AKIN_E_NOMEM) { /* numbers over fewer pictures would be wrong */
                status = errors[k].code;
                if (err != NULL)
                    *err = errors[k];
                goto out;
            }
            e->skipped++;
            if (e->options->skipped != NULL)
                e->options->skipped(e->options->context, &errors[k]);
        }
        AKIN_TRY(step(e, count, err));
    }
out:
    free(inputs);
    free(errors);
    return status;
}

/* ---- labels --------------------------------------------------------------------------------- */

/* The texts of a concept in the order of their languages: most concepts have a handful. */
typedef struct named {
    uint32_t language, text;
} named;

static int by_language(const void *a, const void *b)
{
    const named *x = a, *y = b;
    if (x->language != y->language)
        return x->language < y->language ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

/* The label of texts[0..count), which are of one concept and language: the mean over those of the
 * largest weight. rows: [count, dimensions]. */
static akin_status make_label(evaluating *e, const named *texts, size_t count, float *rows,
                              akin_error *err)
{
    const akin_manifest *m = e->manifest;
    const size_t n = e->dimensions;
    float largest = -1.0f, *out = e->labels + e->label_count * n;
    size_t used = 0;
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < count; i++)
        if (m->texts[texts[i].text].weight > largest)
            largest = m->texts[texts[i].text].weight;
    for (size_t i = 0; i < count; i++) {
        const akin_manifest_text *t = &m->texts[texts[i].text];
        if (t->weight != largest)
            continue;
        float *row = rows + used++ * n;
        if (e->options->template_count == 0) {
            memcpy(row, e->texts + texts[i].text * n, n * sizeof *row);
            continue;
        }
        AKIN_TRY(akin_embed_labels(e->session, &t->text, 1, e->options->templates,
                                   e->options->template_count, row, n, err));
        AKIN_TRY(step(e, 1, err));
    }
    akin_error none;
    if (akin_mean_direction(rows, used, n, out, &none) != AKIN_OK)
        return AKIN_OK; /* opposite texts: a label without a direction is none */
    e->label_concepts[e->label_count] = m->texts[texts[0].text].concept;
    e->label_languages[e->label_count++] = texts[0].language;
out:
    return status;
}

/* Calls make_label for each (concept, language); with e->labels NULL it only counts them and, in
 * total, the texts that are to be embedded. */
static akin_status each_label(evaluating *e, akin_error *err)
{
    const akin_manifest *m = e->manifest;
    const bool counting = e->labels == NULL;
    size_t most = 0;
    for (size_t c = 0; c < m->concept_count; c++)
        most = akin_max(most, m->text_starts[c + 1] - m->text_starts[c]);
    named *list = calloc(most + 1, sizeof *list);
    float *rows = counting ? NULL : calloc(most + 1, e->dimensions * sizeof *rows);
    akin_status status = AKIN_OK;
    if (list == NULL || (!counting && rows == NULL)) {
        status = akin_fail_nomem(err, "labels", most * e->dimensions * sizeof *rows);
        goto out;
    }
    for (size_t c = 0; c < m->concept_count; c++) {
        size_t count = 0;
        for (uint32_t i = m->text_starts[c]; i < m->text_starts[c + 1]; i++) {
            const uint32_t text = m->text_order[i];
            if (is_asked(e, m->texts[text].language))
                list[count++] = (named){ m->texts[text].language, text };
        }
        qsort(list, count, sizeof *list, by_language);
        for (size_t begin = 0, end; begin < count; begin = end) {
            float largest = -1.0f;
            size_t equal = 0;
            for (end = begin; end < count && list[end].language == list[begin].language; end++) {
                const float w = m->texts[list[end].text].weight;
                equal = w > largest ? 1 : equal + (w == largest);
                largest = w > largest ? w : largest;
            }
            if (!counting) {
                AKIN_TRY(make_label(e, list + begin, end - begin, rows, err));
                continue;
            }
            e->label_capacity++;
            e->total += e->options->template_count != 0 ? equal : 0;
        }
    }
out:
    free(list);
    free(rows);
    return status;
}

static akin_status make_labels(evaluating *e, akin_error *err)
{
    e->labels = calloc(e->label_capacity + 1, e->dimensions * sizeof *e->labels);
    e->label_concepts = calloc(e->label_capacity + 1, sizeof *e->label_concepts);
    e->label_languages = calloc(e->label_capacity + 1, sizeof *e->label_languages);
    if (e->labels == NULL || e->label_concepts == NULL || e->label_languages == NULL)
        return akin_fail_nomem(err, "labels",
                               e->label_capacity * e->dimensions * sizeof *e->labels);
    return each_label(e, err);
}

/* ---- what the caller gets ------------------------------------------------------------------- */

/* What a concept is called in the table's language. */
static const char *label_of(const struct evaluated *f, uint32_t concept)
{
    const akin_manifest *m = f->manifest;
    const akin_manifest_text *best = NULL;
    for (uint32_t i = m->text_starts[concept]; i < m->text_starts[concept + 1]; i++) {
        const akin_manifest_text *t = &m->texts[m->text_order[i]];
        if ((int64_t)t->language == f->scores.table_language &&
            (best == NULL || t->weight > best->weight))
            best = t;
    }
    return best != NULL ? best->text : m->concepts[concept];
}

static akin_eval_recall recall_shown(akin_recall r)
{
    return (akin_eval_recall){ r.queries, r.at1, r.at5, r.at10, r.median_rank };
}

static akin_status show(struct evaluated *f, const evaluating *e, akin_error *err)
{
    const akin_manifest *m = f->manifest;
    const akin_eval *s = &f->scores;
    f->rows = calloc(s->language_count + 1, sizeof *f->rows);
    f->classes = calloc(s->class_count + 1, sizeof *f->classes);
    f->found = calloc(s->picture_count + 1, sizeof *f->found);
    if (f->rows == NULL || f->classes == NULL || f->found == NULL)
        return akin_fail_nomem(err, "an evaluation", s->picture_count * sizeof *f->found);
    akin_eval_row *all = &f->rows[0];
    for (size_t i = 0; i < s->language_count; i++) {
        const akin_eval_language *l = &s->languages[i];
        f->rows[i] = (akin_eval_row){
            .language = l->language >= 0 ? m->languages[l->language] : NULL,
            .text_to_picture = recall_shown(l->text_to_picture),
            .picture_to_text = recall_shown(l->picture_to_text),
            .classified = l->classified, .top1 = l->top1, .top5 = l->top5, .chance = l->chance,
        };
    }
    for (size_t i = 0; i < m->text_count; i++)
        if (is_asked(e, m->texts[i].language))
            f->rows[1 + m->texts[i].language].texts++;
    for (size_t i = 0; i < e->label_count; i++)
        f->rows[1 + e->label_languages[i]].labels++;
    size_t rows = 1;
    for (size_t i = 1; i < s->language_count; i++) {
        all->texts += f->rows[i].texts;
        all->labels += f->rows[i].labels;
        if (f->rows[i].texts != 0)
            f->rows[rows++] = f->rows[i];
    }
    for (size_t i = 0; i < s->class_count; i++) {
        const akin_eval_class *c = &s->classes[i];
        akin_eval_concept *to = &f->classes[i];
        *to = (akin_eval_concept){ .concept = m->concepts[c->concept],
                                   .label = label_of(f, c->concept), .pictures = c->pictures,
                                   .top1 = c->top1, .top5 = c->top5 };
        for (int k = 0; k < 3 && c->taken[k] != 0; k++) {
            to->taken_for[k] = label_of(f, c->taken_for[k]);
            to->taken[k] = c->taken[k];
        }
    }
    for (size_t i = 0; i < s->picture_count; i++) {
        const akin_eval_picture *p = &s->pictures[i];
        f->found[i] = (akin_eval_found){
            .path = m->pictures[p->picture].path,
            .label = label_of(f, m->pictures[p->picture].concept), .best = label_of(f, p->best),
            .rank = p->rank, .own = p->own, .top = p->top,
        };
    }
    f->shown = (akin_evaluation){
        .size = sizeof f->shown, .pictures = m->picture_count, .skipped = e->skipped,
        .texts = all->texts, .concepts = m->concept_count, .rows = f->rows, .row_count = rows,
        .table_language = s->table_language >= 0 && s->class_count != 0
                              ? m->languages[s->table_language]
                              : NULL,
        .classes = f->classes, .class_count = s->class_count, .found = f->found,
        .found_count = s->picture_count,
    };
    return AKIN_OK;
}

akin_status akin_evaluate(akin_session *session, const char *manifest,
                          const akin_eval_options *given, akin_evaluation **out, akin_error *err)
{
    akin_eval_options options = AKIN_EVAL_OPTIONS_INIT;
    evaluating e = { .session = session, .options = &options,
                     .dimensions = session->model->config.dimensions };
    struct evaluated *f = NULL;
    size_t cut = 0;
    void (*const warn)(void *, const char *) = session->warn;
    void *const warn_context = session->warn_context;
    akin_status status;
    *out = NULL;
    AKIN_TRY(akin_take_options(&options, sizeof options, given, "akin_eval_options", err));
    if ((session->model->parts & AKIN_PART_ALL) != AKIN_PART_ALL || options.batch > BATCH_MOST) {
        status = akin_fail(err, AKIN_E_ARGUMENT, NULL,
                           options.batch > BATCH_MOST ? "a batch is of at most %d pictures"
                                                      : "an evaluation needs AKIN_PART_ALL",
                           BATCH_MOST);
        goto out;
    }
    f = calloc(1, sizeof *f);
    if (f == NULL) {
        status = akin_fail_nomem(err, "an evaluation", sizeof *f);
        goto out;
    }
    AKIN_TRY(akin_manifest_open(&f->manifest, manifest, err));
    e.manifest = f->manifest;
    AKIN_TRY(find_language(&e, err));
    e.pictures = calloc(e.manifest->picture_count + 1, e.dimensions * sizeof *e.pictures);
    e.texts = calloc(e.manifest->text_count + 1, e.dimensions * sizeof *e.texts);
    if (e.pictures == NULL || e.texts == NULL) {
        status = akin_fail_nomem(err, "vectors", (e.manifest->picture_count +
                                                  e.manifest->text_count) *
                                                     e.dimensions * sizeof *e.texts);
        goto out;
    }
    e.total = e.manifest->picture_count;
    for (size_t i = 0; i < e.manifest->text_count; i++)
        e.total += is_asked(&e, e.manifest->texts[i].language);
    if (!options.no_zero_shot)
        AKIN_TRY(each_label(&e, err)); /* counts */
    if (warn != NULL) {
        session->warn = count_warning;
        session->warn_context = &cut;
    }
    AKIN_TRY(embed_all_texts(&e, err));
    if (!options.no_zero_shot)
        AKIN_TRY(make_labels(&e, err));
    session->warn = warn;
    session->warn_context = warn_context;
    AKIN_TRY(embed_all_pictures(&e, err));
    const akin_eval_vectors vectors = {
        .dimensions = e.dimensions, .pictures = e.pictures, .texts = e.texts,
        .label_count = e.label_count, .labels = e.labels, .label_concepts = e.label_concepts,
        .label_languages = e.label_languages,
    };
    AKIN_TRY(akin_eval_run(&f->scores, e.manifest, &vectors, e.language, session->model->kernels,
                           session->pool, err));
    AKIN_TRY(show(f, &e, err));
    *out = &f->shown;
    f = NULL;
out:
    session->warn = warn;
    session->warn_context = warn_context;
    if (cut != 0) {
        char message[128];
        snprintf(message, sizeof message,
                 "%zu texts cut to the model's %d tokens, the rest was not seen", cut,
                 (int)session->model->text_tokens);
        warn(warn_context, message);
    }
    if (f != NULL)
        akin_evaluation_free(&f->shown);
    free(e.pictures);
    free(e.texts);
    free(e.labels);
    free(e.label_concepts);
    free(e.label_languages);
    return status;
}

void akin_evaluation_free(akin_evaluation *evaluation)
{
    if (evaluation == NULL)
        return;
    struct evaluated *f = (struct evaluated *)evaluation;
    akin_eval_clear(&f->scores);
    akin_manifest_close(f->manifest);
    free(f->rows);
    free(f->classes);
    free(f->found);
    free(f);
}

/* ---- the page ------------------------------------------------------------------------------- */

static akin_page_recall page_recall(akin_eval_recall r)
{
    return (akin_page_recall){ r.queries, r.at1, r.at5, r.at10, r.median_rank };
}

akin_status akin_evaluation_write_html(const akin_evaluation *evaluation, const char *title,
                                       const akin_session_options *given, const char *path,
                                       akin_error *err)
{
    enum { PAGE_BYTES = 1 << 30 };
    const akin_evaluation *v = evaluation;
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    akin_page_row *rows = calloc(v->row_count + 1, sizeof *rows);
    akin_page_class *classes = calloc(v->class_count + 1, sizeof *classes);
    akin_page_picture *pictures = calloc(v->found_count + 1, sizeof *pictures);
    akin_writer w = { 0 };
    akin_buffer page;
    akin_buffer_init(&page, "an evaluation's page", PAGE_BYTES);
    akin_status status;
    if (rows == NULL || classes == NULL || pictures == NULL) {
        status = akin_fail_nomem(err, "an evaluation's page", v->found_count * sizeof *pictures);
        goto out;
    }
    AKIN_TRY(akin_take_options(&options, sizeof options, given, "akin_session_options", err));
    for (size_t i = 0; i < v->row_count; i++) {
        const akin_eval_row *r = &v->rows[i];
        rows[i] = (akin_page_row){ r->language, r->texts, r->labels,
                                   page_recall(r->text_to_picture),
                                   page_recall(r->picture_to_text), r->classified, r->top1,
                                   r->top5, r->chance };
    }
    for (size_t i = 0; i < v->class_count; i++) {
        const akin_eval_concept *c = &v->classes[i];
        classes[i] = (akin_page_class){ .label = c->label, .pictures = c->pictures,
                                        .top1 = c->top1, .top5 = c->top5 };
        for (int k = 0; k < 3; k++) {
            classes[i].taken_for[k] = c->taken_for[k];
            classes[i].taken[k] = c->taken[k];
        }
    }
    for (size_t i = 0; i < v->found_count; i++) {
        const akin_eval_found *p = &v->found[i];
        pictures[i] = (akin_page_picture){ p->path, p->label, p->best, p->rank, p->own, p->top };
    }
    const akin_eval_page what = {
        .title = title, .pictures = v->pictures, .skipped = v->skipped, .texts = v->texts,
        .concepts = v->concepts, .rows = rows, .row_count = v->row_count,
        .table_language = v->table_language, .classes = classes, .class_count = v->class_count,
        .found = pictures, .found_count = v->found_count,
        .limits = akin_session_limits(&options),
    };
    AKIN_TRY(akin_eval_page_write(&what, &page, err));
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(akin_writer_add(&w, page.data, page.size, err));
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    akin_buffer_clear(&page);
    free(rows);
    free(classes);
    free(pictures);
    return status;
}
