/* test_train_steps.c - thirty steps of tiny models have PyTorch's losses (tests/golden/train/
 * steps): InfoNCE, the sigmoid loss, concepts, patch dropping and cached vectors; the same bits
 * whatever the threads, and after a state that was written and read back. */
#include "unit.h"

#include <stdio.h>

#include "folder.h"
#include "golden.h"
#include "train/optimizer.h"
#include "train/state.h"
#include "train/step.h"
#include "train_net.h"

#define GOLDEN "tests/golden/train/steps/"

enum { STEPS = 30, CHUNK = 3 };

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

typedef struct run {
    char arch[16], name[16];
    double rate, losses[STEPS], norms[STEPS], image[16], text[16];
} run;

/* The next case of the golden file. */
static bool next(golden *g, run *r)
{
    size_t steps = 0;
    const char *text;
    while (golden_next(g)) {
        if ((text = golden_value(g, "case")) != NULL) {
            assert_int_equal(sscanf(text, "%15s %15s", r->arch, r->name), 2);
        } else if ((text = golden_value(g, "rate")) != NULL) {
            r->rate = atof(text);
        } else if ((text = golden_value(g, "step")) != NULL) {
            double numbers[2];
            assert_true(steps < STEPS && golden_numbers(text, numbers, 2) == 2);
            r->losses[steps] = numbers[0];
            r->norms[steps++] = numbers[1];
        } else if ((text = golden_value(g, "image")) != NULL) {
            assert_int_equal(golden_numbers(text, r->image, 16), 12);
        } else if ((text = golden_value(g, "text")) != NULL) {
            assert_int_equal(golden_numbers(text, r->text, 16), 12);
        } else if (strcmp(g->line, "end") == 0) {
            assert_int_equal(steps, STEPS);
            return true;
        }
    }
    return false;
}

typedef struct trainer {
    akin_net *net;
    size_t prototypes;
    akin_arena arena;
    akin_work work;
    train_batch batches[TRAIN_BATCHES];
    const run *run;
} trainer;

static void open_trainer(trainer *t, const run *r, const akin_kernels *kernels, akin_pool *pool)
{
    char folder[64];
    akin_clip_config config;
    akin_error err;
    snprintf(folder, sizeof folder, GOLDEN "%s", r->arch);
    ok(akin_open_clip_config_read(&config, folder, &err), &err);
    config.logit_bias = strcmp(r->name, "sigmoid") == 0;
    *t = (trainer){ .run = r, .prototypes = SIZE_MAX };
    akin_arena_init(&t->arena);
    ok(akin_net_new(&t->net, &config, &err), &err);
    if (strcmp(r->name, "concepts") == 0)
        t->prototypes = akin_parameters_add(
            &t->net->parameters, AKIN_PARAMETER_PRIVATE, 2,
            (const int64_t[]){ TRAIN_PROTOTYPES, (int64_t)config.dimensions }, "prototypes");
    ok(akin_parameters_make(&t->net->parameters, &err), &err);
    train_set_values(&t->net->parameters);
    for (uint32_t b = 0; b < TRAIN_BATCHES; b++)
        train_make_batch(&t->batches[b], &config, b);
    t->work = (akin_work){ .kernels = kernels, .pool = pool, .arena = &t->arena };
}

static void close_trainer(trainer *t)
{
    for (size_t b = 0; b < TRAIN_BATCHES; b++)
        free(t->batches[b].pixels);
    akin_net_free(t->net);
    akin_arena_clear(&t->arena);
}

static akin_loss_output gradients(trainer *t, size_t step, size_t chunk)
{
    const train_batch *b = &t->batches[step % TRAIN_BATCHES];
    const bool concepts = t->prototypes != SIZE_MAX;
    const bool dropped = strcmp(t->run->name, "dropped") == 0;
    const akin_step_input in = {
        .count = TRAIN_BATCH,
        .chunk = chunk,
        .pixels = b->pixels,
        .keep = dropped ? b->keep : NULL,
        .kept = dropped ? TRAIN_KEPT : 0,
        .ids = b->ids,
        .starts = b->starts,
        .objective = strcmp(t->run->name, "sigmoid") == 0 ? AKIN_OBJECTIVE_SIGMOID
                                                          : AKIN_OBJECTIVE_INFONCE,
        .pair_weight = concepts ? 0.6f : 1.0f,
        .concepts = concepts ? b->concepts : NULL,
        .concept_weight = concepts ? 0.4f : 0.0f,
        .prototypes = t->prototypes,
        .labels = b->labels,
        .concept_scale = 20.0f,
        .smoothing = 0.05f,
    };
    akin_loss_output out;
    akin_error err;
    const akin_arena_mark mark = akin_arena_now(&t->arena);
    ok(akin_step_gradients(t->net, &t->work, &in, &out, &err), &err);
    assert_true(akin_arena_now(&t->arena).used == mark.used);
    assert_true(out.first_bad == SIZE_MAX);
    return out;
}

/* One step; its loss and norm. */
static double take_step(trainer *t, size_t step, size_t chunk, double *norm)
{
    const akin_schedule schedule = { .rate = t->run->rate, .final_rate = 0.01, .warmup = 5,
                                     .steps = STEPS };
    const akin_adamw adamw = { .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-6, .decay = 0.2 };
    akin_parameters *list = &t->net->parameters;
    const akin_loss_output out = gradients(t, step, chunk);
    *norm = akin_gradients_norm(&t->work, list);
    akin_adamw_step(&t->work, &adamw, list, akin_schedule_rate(&schedule, step),
                    fmin(1.0, 1.0 / (*norm + 1e-6)), step + 1);
    float *scale = akin_value(list, t->net->logit_scale);
    *scale = fminf(fmaxf(*scale, 0.0f), logf(100.0f));
    return out.loss;
}

static void check_vector(const trainer *t, const char *what, const float *got, const double *want)
{
    const size_t d = t->net->config.dimensions;
    double square = 0.0;
    for (size_t i = 0; i < d; i++)
        square += (double)got[i] * got[i];
    for (size_t i = 0; i < d; i++)
        if (!(fabs(got[i] / sqrt(square) - want[i]) <= 1e-3))
            fail_msg("%s %s: %s[%zu] is %g at the end, PyTorch's %g", t->run->arch, t->run->name,
                     what, i, got[i] / sqrt(square), want[i]);
}

/* What the towers compute at the end, BatchNorm by its running statistics. */
static void check_end(trainer *t)
{
    const akin_image_input images = { .pixels = t->batches[0].pixels, .count = 1,
                                      .evaluate = true };
    const akin_image_input dropped = { .pixels = t->batches[0].pixels, .count = 1,
                                       .keep = t->batches[0].keep, .kept = TRAIN_KEPT,
                                       .evaluate = true };
    const akin_text_input texts = { t->batches[0].ids, t->batches[0].starts, 1 };
    float out[16];
    akin_error err;
    ok(akin_net_images(t->net, &t->work,
                       strcmp(t->run->name, "dropped") == 0 ? &dropped : &images, NULL, out, &err),
       &err);
    check_vector(t, "image", out, t->run->image);
    ok(akin_net_texts(t->net, &t->work, &texts, NULL, out, &err), &err);
    check_vector(t, "text", out, t->run->text);
}

static void test_golden(void **state)
{
    golden g = golden_open(GOLDEN "expected.txt");
    const akin_kernels *best;
    akin_pool *pool;
    akin_error err;
    run r;
    size_t cases = 0;
    (void)state;
    ok(akin_kernels_choose(NULL, &best, &err), &err);
    ok(akin_pool_new(&pool, 2, &err), &err);
    for (; next(&g, &r); cases++) {
        for (size_t isa = 0; isa < akin_isa_count(); isa++) {
            const akin_isa_entry entry = akin_isa_at(isa);
            if (entry.kernels == NULL || entry.lacks != NULL)
                continue;
            /* The losses do not see the instruction set: one of them is run on every one. */
            if (entry.kernels != best && strcmp(r.name, "infonce") != 0)
                continue;
            trainer t;
            double worst = 0.0;
            open_trainer(&t, &r, entry.kernels, pool);
            for (size_t step = 0; step < STEPS; step++) {
                double norm;
                const double loss =
                    take_step(&t, step, strcmp(r.name, "chunks") == 0 ? CHUNK : 0, &norm);
                worst = fmax(worst, fabs(loss - r.losses[step]));
                if (!(fabs(loss - r.losses[step]) <= 1e-3))
                    fail_msg("%s %s, %s, step %zu: loss %.6f, PyTorch's %.6f", r.arch, r.name,
                             entry.name, step + 1, loss, r.losses[step]);
                if (step == 0 && !(fabs(norm - r.norms[0]) <= 1e-4 * r.norms[0]))
                    fail_msg("%s %s, %s: norm %.6f, PyTorch's %.6f", r.arch, r.name, entry.name,
                             norm, r.norms[0]);
            }
            check_end(&t);
            print_message("%s %s, %s: losses within %.1e\n", r.arch, r.name, entry.name, worst);
            close_trainer(&t);
        }
    }
    assert_int_equal(cases, 9);
    golden_close(&g);
    akin_pool_free(pool);
}

/* A transformer's gradients do not change when the batch is cut. */
static void test_chunks(void **state)
{
    const run r = { .arch = "vit", .name = "dropped" };
    trainer whole, cut;
    const akin_kernels *kernels;
    akin_error err;
    (void)state;
    ok(akin_kernels_choose(NULL, &kernels, &err), &err);
    open_trainer(&whole, &r, kernels, NULL);
    const akin_parameters *list = &whole.net->parameters;
    const double loss = gradients(&whole, 0, 0).loss;
    const double norm = akin_gradients_norm(&whole.work, list);
    for (size_t chunk = 1; chunk < TRAIN_BATCH; chunk += 2) {
        open_trainer(&cut, &r, kernels, NULL);
        assert_true(fabs(gradients(&cut, 0, chunk).loss - loss) <= 1e-6);
        for (size_t i = 0; i < list->floats; i++)
            assert_true(fabs(cut.net->parameters.gradients[i] - list->gradients[i]) <=
                        1e-5 * norm);
        close_trainer(&cut);
    }
    close_trainer(&whole);
}

/* A run that is killed behind step 4 and goes on from its state has the bits of one that was not;
 * so has one on three threads. */
static void test_resume(void **state)
{
    char folder[PATH_MAX], path[PATH_MAX + 8];
    const akin_kernels *kernels;
    akin_pool *pool;
    akin_error err;
    (void)state;
    assert_int_equal(folder_make(folder, sizeof folder, "resume"), 0);
    snprintf(path, sizeof path, "%s/state", folder);
    ok(akin_kernels_choose(NULL, &kernels, &err), &err);
    ok(akin_pool_new(&pool, 3, &err), &err);
    for (int arch = 0; arch < 2; arch++) {
        run r = { .name = "concepts", .rate = 1e-3 };
        snprintf(r.arch, sizeof r.arch, "%s", arch == 0 ? "vit" : "resnet");
        double losses[8], norm;
        trainer t;
        akin_state s = { .best = NAN, .options = "same" };
        open_trainer(&t, &r, kernels, NULL);
        for (s.step = 0; s.step < 8; s.step++) {
            if (s.step == 4)
                ok(akin_state_write(path, &s, &t.net->parameters, &err), &err);
            losses[s.step] = take_step(&t, s.step, 0, &norm);
        }
        trainer again;
        open_trainer(&again, &r, kernels, pool);
        memset(again.net->parameters.values, 0, again.net->parameters.floats * sizeof(float));
        ok(akin_state_read(path, &s, &again.net->parameters, &err), &err);
        assert_int_equal(s.step, 4);
        for (; s.step < 8; s.step++)
            assert_true(take_step(&again, s.step, 0, &norm) == losses[s.step]);
        assert_memory_equal(again.net->parameters.values, t.net->parameters.values,
                            t.net->parameters.floats * sizeof(float));
        close_trainer(&t);
        close_trainer(&again);
    }
    akin_pool_free(pool);
    assert_int_equal(folder_remove(folder), 0);
}

/* A picture that is not finite: the step says which, and nothing goes backward. */
static void test_first_bad(void **state)
{
    const run r = { .arch = "vit", .name = "infonce" };
    trainer t;
    const akin_kernels *kernels;
    akin_error err;
    (void)state;
    ok(akin_kernels_choose(NULL, &kernels, &err), &err);
    for (size_t chunk = 0; chunk <= CHUNK; chunk += CHUNK) {
        akin_loss_output out;
        open_trainer(&t, &r, kernels, NULL);
        const train_batch *b = &t.batches[0];
        const akin_step_input in = { .count = TRAIN_BATCH, .chunk = chunk, .pixels = b->pixels,
                                     .ids = b->ids, .starts = b->starts, .pair_weight = 1.0f };
        t.batches[0].pixels[5 * 3 * 32 * 32 + 7] = INFINITY;
        ok(akin_step_gradients(t.net, &t.work, &in, &out, &err), &err);
        assert_int_equal(out.first_bad, 5);
        assert_true(akin_gradients_norm(&t.work, &t.net->parameters) == 0.0);
        close_trainer(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_first_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
