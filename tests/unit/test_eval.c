/* Scores of an evaluation against a brute-force oracle, and by hand. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "akin.h"
#include "eval/scores.h"
#include "golden.h"

enum { MOST = 512, MOST_DIMENSIONS = 16 };

/* A manifest and vectors that a test fills in. */
typedef struct fixture {
    akin_manifest manifest;
    akin_manifest_picture pictures[MOST];
    akin_manifest_text texts[MOST];
    float picture_rows[MOST * MOST_DIMENSIONS], text_rows[MOST * MOST_DIMENSIONS];
    float label_rows[MOST * MOST_DIMENSIONS];
    uint32_t label_concepts[MOST], label_languages[MOST];
    akin_eval_vectors vectors;
} fixture;

static fixture *fixture_new(size_t dimensions, size_t concepts, size_t languages)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->manifest.concept_count = concepts;
    f->manifest.language_count = languages;
    f->manifest.pictures = f->pictures;
    f->manifest.texts = f->texts;
    f->vectors = (akin_eval_vectors){ dimensions, f->picture_rows, f->text_rows, 0, f->label_rows,
                                      f->label_concepts, f->label_languages };
    return f;
}

static float *add_picture(fixture *f, uint32_t concept)
{
    const size_t i = f->manifest.picture_count++;
    assert_true(i < MOST);
    f->pictures[i].concept = concept;
    return f->picture_rows + i * f->vectors.dimensions;
}

static float *add_text(fixture *f, uint32_t concept, uint32_t language)
{
    const size_t i = f->manifest.text_count++;
    assert_true(i < MOST);
    f->texts[i].concept = concept;
    f->texts[i].language = language;
    return f->text_rows + i * f->vectors.dimensions;
}

static float *add_label(fixture *f, uint32_t concept, uint32_t language)
{
    const size_t i = f->vectors.label_count++;
    assert_true(i < MOST);
    f->label_concepts[i] = concept;
    f->label_languages[i] = language;
    return f->label_rows + i * f->vectors.dimensions;
}

static const akin_kernels *kernels(void)
{
    const akin_kernels *k;
    assert_int_equal(akin_kernels_choose(getenv("AKIN_CPU"), &k, NULL), AKIN_OK);
    return k;
}

static void near(double got, double wanted, const char *what)
{
    if (!(fabs(got - wanted) <= 1e-12 * fmax(1, fabs(wanted))))
        fail_msg("%s: %.17g, wanted %.17g", what, got, wanted);
}

static void is_recall(const akin_recall *r, const double *v, const char *what)
{
    near((double)r->queries, v[0], what);
    near(r->at1, v[1], what);
    near(r->at5, v[2], what);
    near(r->at10, v[3], what);
    near(r->median_rank, v[4], what);
}

/* The lines of a case behind its vectors, up to "end". */
static void compare(golden *g, const akin_eval *e, const char *name)
{
    size_t languages = 0, classes = 0, entries = 0;
    double v[32];
    const char *value;
    do {
        if ((value = golden_value(g, "language")) != NULL) {
            assert_int_equal(golden_numbers(value, v, 32), 15);
            assert_true(languages < e->language_count);
            const akin_eval_language *l = &e->languages[languages++];
            near((double)l->language, v[0], name);
            is_recall(&l->text_to_picture, v + 1, name);
            is_recall(&l->picture_to_text, v + 6, name);
            near((double)l->classified, v[11], name);
            near(l->top1, v[12], name);
            near(l->top5, v[13], name);
            near(l->chance, v[14], name);
        } else if ((value = golden_value(g, "class")) != NULL) {
            assert_int_equal(golden_numbers(value, v, 32), 10);
            assert_true(classes < e->class_count);
            const akin_eval_class *c = &e->classes[classes++];
            near(c->concept, v[0], name);
            near((double)c->pictures, v[1], name);
            near((double)c->top1, v[2], name);
            near((double)c->top5, v[3], name);
            for (int i = 0; i < 3; i++) {
                near(c->taken_for[i], v[4 + 2 * i], name);
                near((double)c->taken[i], v[5 + 2 * i], name);
            }
        } else if ((value = golden_value(g, "entry")) != NULL) {
            assert_int_equal(golden_numbers(value, v, 32), 5);
            assert_true(entries < e->picture_count);
            const akin_eval_picture *p = &e->pictures[entries++];
            near(p->picture, v[0], name);
            near(p->best, v[1], name);
            near(p->rank, v[2], name);
            near((double)p->own, v[3], name);
            near((double)p->top, v[4], name);
        } else {
            assert_string_equal(g->line, "end");
            break;
        }
    } while (golden_next(g));
    assert_int_equal(languages, e->language_count);
    assert_int_equal(classes, e->class_count);
    assert_int_equal(entries, e->picture_count);
}

static void golden_scores_with(akin_pool *pool)
{
    golden g = golden_open("tests/golden/eval/scores.txt");
    assert_true(golden_next(&g));
    assert_string_equal(g.line, "akin-golden scores 1");
    size_t cases = 0;
    while (golden_next(&g)) {
        char name[64];
        double v[32];
        const char *value = golden_value(&g, "case");
        assert_non_null(value);
        snprintf(name, sizeof name, "%s", value);
        assert_true(golden_next(&g));
        assert_int_equal(golden_numbers(golden_value(&g, "shape"), v, 32), 4);
        const size_t n = (size_t)v[0];
        const int64_t table = (int64_t)v[3];
        fixture *f = fixture_new(n, (size_t)v[1], (size_t)v[2]);
        while (golden_next(&g)) {
            float *row;
            size_t skip = 2;
            if ((value = golden_value(&g, "picture")) != NULL) {
                golden_numbers(value, v, 32);
                row = add_picture(f, (uint32_t)v[0]);
                skip = 1;
            } else if ((value = golden_value(&g, "text")) != NULL) {
                golden_numbers(value, v, 32);
                row = add_text(f, (uint32_t)v[0], (uint32_t)v[1]);
            } else if ((value = golden_value(&g, "label")) != NULL) {
                golden_numbers(value, v, 32);
                row = add_label(f, (uint32_t)v[0], (uint32_t)v[1]);
            } else {
                break;
            }
            for (size_t i = 0; i < n; i++)
                row[i] = (float)v[skip + i];
        }
        akin_eval e;
        akin_error err = { 0 };
        if (akin_eval_run(&e, &f->manifest, &f->vectors, AKIN_EVAL_ALL, kernels(), pool, &err) !=
            AKIN_OK)
            fail_msg("%s: %s", name, err.message);
        assert_int_equal(e.table_language, table);
        compare(&g, &e, name);
        akin_eval_clear(&e);
        free(f);
        cases++;
    }
    assert_int_equal(cases, 5);
    golden_close(&g);
}

static void golden_scores(void **state)
{
    (void)state;
    golden_scores_with(NULL);
    akin_pool *pool;
    assert_int_equal(akin_pool_new(&pool, 3, NULL), AKIN_OK);
    golden_scores_with(pool);
    akin_pool_free(pool);
}

/* A model that gives everything one vector gets chance. */
static void all_equal(void **state)
{
    (void)state;
    fixture *f = fixture_new(2, 20, 1);
    for (uint32_t c = 0; c < 20; c++) {
        add_picture(f, c)[0] = 1;
        add_text(f, c, 0)[0] = 1;
        add_label(f, c, 0)[0] = 1;
    }
    akin_eval e;
    assert_int_equal(akin_eval_run(&e, &f->manifest, &f->vectors, -1, kernels(), NULL, NULL),
                     AKIN_OK);
    for (int i = 0; i < 2; i++) {
        is_recall(&e.languages[i].text_to_picture, (double[]){ 20, .05, .25, .5, 10.5 }, "chance");
        is_recall(&e.languages[i].picture_to_text, (double[]){ 20, .05, .25, .5, 10.5 }, "chance");
        near(e.languages[i].top1, 0.05, "top1");
        near(e.languages[i].top5, 0.25, "top5");
        near(e.languages[i].chance, 0.05, "chance");
    }
    assert_int_equal(e.class_count, 20);
    assert_int_equal(e.classes[0].top1, 0); /* in the table equals are against the picture */
    assert_int_equal(e.classes[0].taken_for[0], 1);
    assert_int_equal(e.classes[7].taken_for[0], 0);
    akin_eval_clear(&e);
    free(f);
}

/* Several pictures of a concept are no mistakes of each other; what fails to load is left out. */
static void by_concept(void **state)
{
    (void)state;
    fixture *f = fixture_new(2, 2, 2);
    for (int i = 0; i < 6; i++)
        memcpy(add_picture(f, 0), (float[]){ 1, 0 }, 8);
    memcpy(add_picture(f, 1), (float[]){ 0, 1 }, 8);
    add_picture(f, 1); /* zeros */
    memcpy(add_text(f, 0, 0), (float[]){ 1, 0 }, 8);
    memcpy(add_text(f, 1, 0), (float[]){ .8f, .6f }, 8); /* nearer to concept 0: six before */
    memcpy(add_text(f, 1, 1), (float[]){ 0, 1 }, 8);
    add_text(f, 0, 1);
    akin_eval e;
    assert_int_equal(akin_eval_run(&e, &f->manifest, &f->vectors, -1, kernels(), NULL, NULL),
                     AKIN_OK);
    assert_int_equal(e.language_count, 3);
    is_recall(&e.languages[0].text_to_picture, (double[]){ 3, 2 / 3.0, 2 / 3.0, 1, 1 }, "all");
    is_recall(&e.languages[1].text_to_picture, (double[]){ 2, .5, .5, 1, 4 }, "first");
    is_recall(&e.languages[2].text_to_picture, (double[]){ 1, 1, 1, 1, 1 }, "second");
    is_recall(&e.languages[0].picture_to_text, (double[]){ 7, 1, 1, 1, 1 }, "all");
    is_recall(&e.languages[2].picture_to_text, (double[]){ 1, 1, 1, 1, 1 }, "second");
    assert_int_equal(e.table_language, AKIN_EVAL_ALL);
    assert_int_equal(e.class_count, 0);
    akin_eval_clear(&e);
    assert_int_equal(akin_eval_run(&e, &f->manifest, &f->vectors, 2, kernels(), NULL, NULL),
                     AKIN_E_ARGUMENT);
    free(f);
}

/* Nothing at all is an answer. */
static void empty(void **state)
{
    (void)state;
    fixture *f = fixture_new(4, 0, 0);
    akin_eval e;
    assert_int_equal(akin_eval_run(&e, &f->manifest, &f->vectors, -1, kernels(), NULL, NULL),
                     AKIN_OK);
    assert_int_equal(e.language_count, 1);
    assert_int_equal(e.languages[0].text_to_picture.queries, 0);
    akin_eval_clear(&e);
    free(f);
}

/* ---- classification of a model with a logit bias -------------------------------------------- */

#define BIASED "tests/golden/open_clip/oc-c"
enum { BIASED_DIMENSIONS = 20, BIASED_LABELS = 5, BIASED_PICTURES = 3 };

/* Unit rows of the reference's, texts and pictures, as they stand in expected.txt. */
static void read_rows(float *labels, float *pictures)
{
    golden g = golden_open(BIASED "/expected.txt");
    size_t texts = 0, images = 0;
    float *to = NULL;
    while (golden_next(&g)) {
        const char *value;
        double row[BIASED_DIMENSIONS], squares = 0;
        if (golden_value(&g, "ids") != NULL)
            to = labels + texts++ * BIASED_DIMENSIONS;
        if (golden_value(&g, "image") != NULL)
            to = pictures + images++ * BIASED_DIMENSIONS;
        assert_true(texts <= BIASED_LABELS && images <= BIASED_PICTURES);
        if ((value = golden_value(&g, "raw")) == NULL)
            continue;
        assert_int_equal(golden_numbers(value, row, BIASED_DIMENSIONS), BIASED_DIMENSIONS);
        for (int i = 0; i < BIASED_DIMENSIONS; i++)
            squares += row[i] * row[i];
        for (int i = 0; i < BIASED_DIMENSIONS; i++)
            to[i] = (float)(row[i] / sqrt(squares));
    }
    assert_int_equal(texts, BIASED_LABELS);
    assert_int_equal(images, BIASED_PICTURES);
    golden_close(&g);
}

/* Against the sigmoid of open_clip's own logits. The scale is e^3.7: a cosine's last bits times 40
 * are what a probability may be off by. */
static void sigmoid(void **state)
{
    (void)state;
    float labels[BIASED_LABELS * BIASED_DIMENSIONS], pictures[BIASED_PICTURES * BIASED_DIMENSIONS];
    float out[BIASED_LABELS];
    double wanted[BIASED_LABELS];
    akin_model *model;
    akin_error err = { 0 };
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    options.parts = AKIN_PART_IMAGE;
    options.precision = AKIN_PRECISION_F32;
    if (akin_model_open(&model, BIASED, &options, &err) != AKIN_OK)
        fail_msg("%s: %s", err.path, err.message);
    read_rows(labels, pictures);
    golden g = golden_open("tests/golden/eval/sigmoid.txt");
    assert_true(golden_next(&g));
    for (int p = 0; p < BIASED_PICTURES; p++) {
        assert_true(golden_next(&g));
        assert_int_equal(golden_numbers(golden_value(&g, "picture"), wanted, BIASED_LABELS),
                         BIASED_LABELS);
        assert_int_equal(akin_classify(model, pictures + p * BIASED_DIMENSIONS, labels,
                                       BIASED_LABELS, out, BIASED_LABELS, &err), AKIN_OK);
        for (int i = 0; i < BIASED_LABELS; i++)
            if (!(fabs((double)out[i] - wanted[i]) <= 2e-5 * wanted[i] + 1e-9))
                fail_msg("picture %d, label %d: %.9g, wanted %.9g", p, i, (double)out[i],
                         wanted[i]);
    }
    golden_close(&g);
    akin_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_scores),
        cmocka_unit_test(all_equal),
        cmocka_unit_test(by_concept),
        cmocka_unit_test(empty),
        cmocka_unit_test(sigmoid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
