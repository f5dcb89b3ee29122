/* test_train_nomem.c - memory that runs out at the Nth request, for every N of a short training, of
 * going on with one, of an evaluation and its page, of a plot and of a trial: AKIN_E_NOMEM is
 * returned and nothing leaks, or all is as without the failure. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "akin.h"
#include "failing_malloc.h"
#include "folder.h"

enum { MOST = 150, /* requests that are failed of a case, spread over all of them; AKIN_TEST_ALL:
                      all */
       NUMBERS = 16, STEPS = 3 };

static char folder[PATH_MAX];
static const char small[] = "tests/training";

static const char *below(const char *name)
{
    static char paths[4][PATH_MAX + 64];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

/* Four pictures of two concepts, five texts. */
static void write_manifest(void)
{
    char real[PATH_MAX];
    FILE *f = fopen(below("m.tsv"), "wb");
    assert_non_null(f);
    assert_non_null(realpath("tests/training/pictures", real));
    fprintf(f, "path\tlanguage\ttext\tconcept\n");
    fprintf(f, "%s/fluent3d-1f697.png\t\t\tcar\n%s/google-1f697.png\t\t\tcar\n", real, real);
    fprintf(f, "%s/fluent3d-1f333.png\t\t\ttree\n%s/google-1f333.png\ten\ta tree\ttree\n", real,
            real);
    fprintf(f, "\ten\tautomobile\tcar\n\ten\tcar\tcar\n\tzh\t汽车\tcar\n\ten\ttree\ttree\n");
    assert_int_equal(fclose(f), 0);
}

/* ---- What is done --------------------------------------------------------------------------- */

typedef struct watched {
    double loss;
    size_t skipped, calls, stop_behind; /* steps; 0: never */
} watched;

static void on_progress(void *context, const akin_train_progress *p)
{
    watched *w = context;
    w->loss = p->loss;
    w->calls++;
}

static void on_skipped(void *context, const akin_error *why)
{
    (void)why;
    ((watched *)context)->skipped++;
}

static bool on_stop(void *context)
{
    const watched *w = context;
    return w->stop_behind != 0 && w->calls >= w->stop_behind;
}

static akin_status train_to(const char *output, bool resume, size_t stop_behind, double *numbers,
                            akin_error *err)
{
    watched w = { .loss = NAN, .stop_behind = stop_behind };
    akin_train_options o = AKIN_TRAIN_OPTIONS_INIT;
    akin_train_report report = AKIN_TRAIN_REPORT_INIT;
    o.manifest = o.held_out = below("m.tsv");
    o.output = output;
    o.config = small;
    o.steps = STEPS;
    o.batch = 2;
    o.chunk = 1;
    o.every = 2;
    o.warmup = 1;
    o.concepts = true;
    o.resume = resume;
    o.threads = o.loaders = 1;
    o.cache_bytes = 1 << 20;
    o.context = &w;
    o.progress = on_progress;
    o.skipped = on_skipped;
    o.stop = on_stop;
    const akin_status status = akin_train(&o, &report, err);
    if (status == AKIN_OK && w.skipped != 0)
        fail_msg("a picture was left out, and no error");
    numbers[0] = w.loss;
    numbers[1] = report.best;
    numbers[2] = (double)report.steps;
    return status;
}

static void no_output(void)
{
    if (access(below("out"), F_OK) == 0)
        assert_int_equal(folder_remove(below("out")), 0);
}

static akin_status train(double *numbers, akin_error *err)
{
    return train_to(below("out"), false, 0, numbers, err);
}

/* out is a copy of the training that stopped behind its first step. */
static void stopped_output(void)
{
    char command[2 * PATH_MAX + 200];
    no_output();
    snprintf(command, sizeof command, "cp -R '%s' '%s'", below("stopped"), below("out"));
    assert_int_equal(system(command), 0);
}

static akin_status go_on(double *numbers, akin_error *err)
{
    const akin_status status = train_to(below("out"), true, 0, numbers, err);
    if (status != AKIN_OK)
        return status;
    FILE *f = fopen(below("out/metrics.jsonl"), "rb"); /* no line is lost */
    int lines = 0;
    if (f == NULL)
        return err->code = AKIN_E_NOMEM;
    for (int c; (c = fgetc(f)) != EOF;)
        lines += c == '\n';
    fclose(f);
    numbers[3] = lines;
    return AKIN_OK;
}

static akin_status evaluate(double *numbers, akin_error *err)
{
    akin_model_options model_options = AKIN_MODEL_OPTIONS_INIT;
    akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
    akin_eval_options o = AKIN_EVAL_OPTIONS_INIT;
    akin_model *model = NULL;
    akin_session *session = NULL;
    akin_evaluation *e = NULL;
    watched w = { 0 };
    akin_status status;
    model_options.threads = session_options.threads = 1;
    o.context = &w;
    o.skipped = on_skipped;
    if ((status = akin_model_open(&model, below("stopped"), &model_options, err)) != AKIN_OK ||
        (status = akin_session_new(&session, model, &session_options, err)) != AKIN_OK ||
        (status = akin_evaluate(session, below("m.tsv"), &o, &e, err)) != AKIN_OK)
        goto out;
    if (w.skipped != 0)
        fail_msg("a picture was left out, and no error");
    numbers[0] = e->rows[0].text_to_picture.at1;
    numbers[1] = e->rows[0].picture_to_text.at1;
    numbers[2] = e->rows[0].top1;
    numbers[3] = (double)e->row_count;
    status = akin_evaluation_write_html(e, "title", &session_options, below("page.html"), err);
out:
    akin_evaluation_free(e);
    akin_session_free(session);
    akin_model_close(model);
    return status;
}

static akin_status plot(double *numbers, akin_error *err)
{
    struct stat st;
    const akin_status status = akin_train_plot(below("whole.jsonl"), below("plot.svg"), err);
    if (status == AKIN_OK && stat(below("plot.svg"), &st) == 0)
        numbers[0] = (double)st.st_size;
    return status;
}

static akin_status trial(double *numbers, akin_error *err)
{
    akin_model_options model_options = AKIN_MODEL_OPTIONS_INIT;
    akin_train_trial_options o = AKIN_TRAIN_TRIAL_OPTIONS_INIT;
    akin_model *model = NULL;
    akin_train_trial *t = NULL;
    akin_status status;
    model_options.parts = AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS;
    o.batch = 2;
    o.threads = 1;
    if ((status = akin_model_open(&model, small, &model_options, err)) == AKIN_OK &&
        (status = akin_train_trial_new(&t, model, &o, err)) == AKIN_OK)
        status = akin_train_trial_run(t, &numbers[0], err);
    akin_train_trial_free(t);
    akin_model_close(model);
    return status;
}

/* ---- Every request in turn ------------------------------------------------------------------ */

typedef struct work {
    const char *name;
    akin_status (*run)(double *numbers, akin_error *err);
    void (*before)(void);
} work;

static size_t leaked_by(const work *w, size_t n, double *numbers, akin_status *status,
                        akin_error *err)
{
    if (w->before != NULL)
        w->before();
    memset(numbers, 0, NUMBERS * sizeof *numbers);
    const size_t before = failing_malloc_live();
    failing_malloc_arm(n);
    *status = w->run(numbers, err);
    return failing_malloc_live() - before;
}

static void every_request(const work *w)
{
    double want[NUMBERS], got[NUMBERS];
    akin_status status;
    akin_error err;
    size_t refused = 0, tried = 0;
    for (int i = 0; i < 2; i++) { /* twice: what libraries keep is kept then */
        leaked_by(w, 0, want, &status, &err);
        if (status != AKIN_OK)
            fail_msg("%s: %s: %s", w->name, err.path, err.message);
    }
    const size_t total = failing_malloc_requests();
    const size_t step = getenv("AKIN_TEST_ALL") == NULL ? total / MOST + 1 : 1;
    for (size_t n = 1; n <= total; n += step, tried++) {
        size_t leaked = leaked_by(w, n, got, &status, &err);
        if (leaked != 0)
            leaked = leaked_by(w, n, got, &status, &err);
        failing_malloc_arm(0);
        if (leaked != 0)
            fail_msg("%s: request %zu of %zu: a leak", w->name, n, total);
        if (status != AKIN_OK &&
            (status != AKIN_E_NOMEM || err.code != status || err.message[0] == '\0'))
            fail_msg("%s: request %zu of %zu: status %d: %s", w->name, n, total, (int)status,
                     err.message);
        if (status == AKIN_OK && memcmp(got, want, sizeof got) != 0)
            fail_msg("%s: request %zu of %zu: no error, and another result: %g %g %g %g for "
                     "%g %g %g %g",
                     w->name, n, total, got[0], got[1], got[2], got[3], want[0], want[1], want[2],
                     want[3]);
        refused += status != AKIN_OK;
    }
    print_message("# %s: %zu requests, %zu of them failed in turn, %zu without consequence\n",
                  w->name, total, tried, tried - refused);
    assert_true(total >= 20 && refused * 2 > tried);
}

static void test_training(void **state)
{
    (void)state;
    every_request(&(work){ "training", train, no_output });
    every_request(&(work){ "going on", go_on, stopped_output });
    every_request(&(work){ "trial", trial, NULL });
}

static void test_evaluation(void **state)
{
    (void)state;
    every_request(&(work){ "evaluation", evaluate, NULL });
}

static void test_plot(void **state)
{
    (void)state;
    every_request(&(work){ "plot", plot, NULL });
}

static int begin(void **state)
{
    (void)state;
    double numbers[NUMBERS];
    akin_error err;
    if (folder_make(folder, sizeof folder, "train-nomem") != 0)
        return -1;
    write_manifest();
    /* a training that was measured once, and stopped */
    if (train_to(below("stopped"), false, 2, numbers, &err) != AKIN_E_STOPPED)
        fail_msg("%s: %s", err.path, err.message);
    FILE *f = fopen(below("whole.jsonl"), "wb");
    assert_non_null(f);
    for (int i = 1; i <= 40; i++)
        fprintf(f,
                "{\"step\":%d,\"loss\":%g,\"temperature\":0.07,\"rate\":%g,\"recall_at_1\":%g}\n",
                i, 4.0 / i, 0.001 * i, i / 40.0);
    return fclose(f);
}

static int end(void **state)
{
    (void)state;
    return folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_evaluation),
        cmocka_unit_test(test_plot),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
