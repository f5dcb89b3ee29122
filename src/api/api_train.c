/* api_train.c - akin.h: training. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/file.h"
#include "train/trainer.h"

enum { BATCH = 128 };

/* ---- The caller's functions behind the trainer's -------------------------------------------- */

static void on_step(void *context, const akin_train_step *s)
{
    const akin_train_options *o = context;
    akin_train_progress p = {
        .step = s->step, .steps = s->steps, .loss = s->loss, .pair_loss = s->pair_loss,
        .concept_loss = s->concept_loss, .correct = s->correct, .temperature = 1.0 / s->scale,
        .rate = s->rate, .gradient_norm = s->norm, .pairs_per_second = s->pairs_per_second,
        .seconds = s->seconds, .seconds_left = s->seconds_left, .waited = s->waited,
        .measured = s->measured,
    };
    memcpy(p.text_to_picture, s->text_to_picture, sizeof p.text_to_picture);
    memcpy(p.picture_to_text, s->picture_to_text, sizeof p.picture_to_text);
    o->progress(o->context, &p);
}

static void on_skipped(void *context, const akin_error *why)
{
    const akin_train_options *o = context;
    o->skipped(o->context, why);
}

static void on_warn(void *context, const char *message)
{
    const akin_train_options *o = context;
    o->warn(o->context, message);
}

static bool on_stop(void *context)
{
    const akin_train_options *o = context;
    return o->stop(o->context);
}

/* ---- Options into a plan -------------------------------------------------------------------- */

static akin_status check_range(const char *name, double value, double low, double high,
                               akin_error *err)
{
    if (value >= low && value <= high)
        return AKIN_OK;
    return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%s is %g; it must lie from %g to %g", name, value,
                     low, high);
}

static double or_default(double given, double otherwise)
{
    return isnan(given) ? otherwise : given;
}

static akin_status plan_stages(akin_train_plan *plan, const akin_train_options *o, akin_error *err)
{
    if (o->stage_count > AKIN_MOST_STAGES)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "%zu stages; at most %d", o->stage_count,
                         AKIN_MOST_STAGES);
    plan->stage_count = o->stage_count;
    for (size_t i = 0; i < o->stage_count; i++) {
        plan->stages[i] = o->stages[i];
        if (!(o->stages[i] >= 0.0 && o->stages[i] < 1.0) || (i == 0 && o->stages[i] != 0.0) ||
            (i > 0 && o->stages[i] < o->stages[i - 1]))
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "stages begin at ascending shares of the training, the first at 0, "
                             "all below 1; stage %zu begins at %g",
                             i, o->stages[i]);
    }
    return AKIN_OK;
}

static akin_status make_plan(akin_train_plan *plan, const akin_train_options *o,
                             const akin_model *model, akin_error *err)
{
    const bool fresh = o->from == NULL;
    const akin_session_options limits = { .max_file_bytes = o->max_file_bytes,
                                          .max_memory_bytes = o->max_memory_bytes };
    const int processors = akin_cpu_count();
    akin_status status;
    *plan = (akin_train_plan){
        .source = model->path, .config = &model->config, .tokenizer = model->tokenizer,
        .preprocess = &model->preprocess, .text_tokens = model->text_tokens,
        .scope = fresh            ? AKIN_TRAIN_FRESH
                 : o->projections ? AKIN_TRAIN_PROJECTIONS
                                  : AKIN_TRAIN_WHOLE,
        .output = o->output, .manifest = o->manifest, .held_out = o->held_out,
        .hold_out = o->hold_out,
        .steps = o->steps, .epochs = o->epochs, .batch = o->batch != 0 ? o->batch : BATCH,
        .chunk = o->chunk,
        .schedule = { .rate = o->rate > 0 ? o->rate : fresh ? 1e-3 : 1e-5, .final_rate = 0.01,
                      .warmup = o->warmup },
        .adamw = { .beta1 = or_default(o->beta1, 0.9), .beta2 = or_default(o->beta2, 0.98),
                   .eps = 1e-6, .decay = or_default(o->decay, 0.1) },
        .clip = or_default(o->clip, 1.0),
        .objective = o->loss == AKIN_LOSS_SIGMOID ? AKIN_OBJECTIVE_SIGMOID
                                                  : AKIN_OBJECTIVE_INFONCE,
        .fixed_scale = o->fixed_temperature,
        .scale = o->temperature > 0 ? 1.0 / o->temperature : 0.0,
        .concepts = o->concepts, .concept_floor = or_default(o->concept_floor, 0.2),
        .concept_until = 2.0 / 3.0, .concept_scale = 20.0, .smoothing = 0.05,
        .keep = o->patches > 0 ? o->patches : 1.0, .by_concept = !o->any_batch,
        .augment = { .strength = (float)or_default(o->augment, fresh ? 1.0 : 0.3), .jpeg = true },
        .seed = o->seed, .f16 = o->f16,
        .every = o->every, .patience = o->patience,
        .save_seconds = o->save_seconds > 0 ? o->save_seconds : 600,
        .resume = o->resume, .kernels = model->kernels,
        .threads = o->threads != 0 ? o->threads : processors,
        .loaders = o->loaders != 0 ? o->loaders : o->threads != 0 ? o->threads : processors,
        .cache_bytes = o->cache_bytes != 0 ? o->cache_bytes : (size_t)4 << 30,
        .limits = akin_session_limits(&limits),
    };
    plan->bf16 = akin_trains_in_bf16(o->precision, model->kernels);
    plan->limits.as_stored = akin_preprocess_as_stored(&model->preprocess);
    plan->augment.jpeg = plan->augment.strength > 0;
    AKIN_TRY(check_range("rate", plan->schedule.rate, 1e-12, 10, err));
    AKIN_TRY(check_range("decay", plan->adamw.decay, 0, 10, err));
    AKIN_TRY(check_range("beta1", plan->adamw.beta1, 0, 0.999999, err));
    AKIN_TRY(check_range("beta2", plan->adamw.beta2, 0, 0.999999, err));
    AKIN_TRY(check_range("clip", plan->clip, 0, 1e6, err));
    AKIN_TRY(check_range("augment", plan->augment.strength, 0, 1, err));
    AKIN_TRY(check_range("hold_out", plan->hold_out, 0, 0.9, err));
    AKIN_TRY(check_range("concept_floor", plan->concept_floor, 0, 1, err));
    AKIN_TRY(check_range("patches", plan->keep, 1e-6, 1, err));
    if (o->temperature > 0)
        AKIN_TRY(check_range("temperature", o->temperature, 0.01, 1, err));
    AKIN_TRY(check_range("threads", plan->threads, 1, 1024, err));
    AKIN_TRY(check_range("loaders", plan->loaders, 1, 1024, err));
    status = plan_stages(plan, o, err);
out:
    return status;
}

static akin_status check_options(const akin_train_options *o, akin_error *err)
{
    if (o->manifest == NULL || o->output == NULL || (o->config == NULL) == (o->from == NULL))
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "a training needs a manifest, an output folder, and either a config (from "
                         "scratch) or a model to begin with");
    if (o->projections && o->from == NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "training the projections alone needs a model to begin with");
    if ((o->steps == 0) == !(o->epochs > 0 && o->epochs <= 1e6))
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "a training needs a number of steps, or of epochs, and not both");
    return AKIN_OK;
}

/* The folder of a model, or of the configuration when that file itself is named. */
static akin_status open_source(akin_model **out, const akin_train_options *o, akin_error *err)
{
    static const char file[] = "open_clip_config.json";
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    options.parts = AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS;
    options.form = o->config != NULL ? "open_clip" : o->form;
    if (o->config == NULL)
        return akin_model_open(out, o->from, &options, err);
    const size_t n = strlen(o->config), m = sizeof file - 1;
    char *folder = strdup(o->config);
    if (folder == NULL)
        return akin_fail_nomem(err, "path", n);
    if (n >= m && strcmp(folder + n - m, file) == 0 && (n == m || folder[n - m - 1] == '/')) {
        if (n == m)
            strcpy(folder, ".");
        else
            folder[n - m] = '\0';
    }
    akin_status status = AKIN_OK;
    if (!akin_path_is_dir(folder)) /* never a name of the hub's cache */
        status = akin_fail(err, AKIN_E_NOT_FOUND, o->config,
                           "no folder with open_clip_config.json and tokenizer.json");
    else
        status = akin_model_open(out, folder, &options, err);
    free(folder);
    return status;
}

akin_status akin_train(const akin_train_options *given, akin_train_report *report, akin_error *err)
{
    akin_train_options o = AKIN_TRAIN_OPTIONS_INIT;
    akin_model *model = NULL;
    akin_train_plan plan = { 0 };
    akin_train_result result = { .best = NAN };
    akin_status status = akin_take_options(&o, sizeof o, given, "akin_train_options", err);
    if (status != AKIN_OK)
        return status;
    AKIN_TRY(check_options(&o, err));
    AKIN_TRY(open_source(&model, &o, err));
    if (model->config.bare) {
        status = akin_fail(err, AKIN_E_UNSUPPORTED, model->path,
                           "a weights file alone cannot be trained: name a folder with its "
                           "configuration, tokenizer and weights");
        goto out;
    }
    AKIN_TRY(make_plan(&plan, &o, model, err));
    const akin_train_listener listener = {
        .context = &o,
        .step = o.progress != NULL ? on_step : NULL,
        .skipped = o.skipped != NULL ? on_skipped : NULL,
        .warn = o.warn != NULL ? on_warn : NULL,
        .stop = o.stop != NULL ? on_stop : NULL,
    };
    status = akin_train_run(&plan, &listener, &result, err);
out:
    if (report != NULL) {
        const akin_train_report own = {
            .size = sizeof own, .steps = result.steps, .seconds = result.seconds,
            .best = result.best, .best_step = result.best_step, .early = result.early,
            .parameters = (int64_t)result.parameters, .trained = (int64_t)result.trained,
            .precision = plan.bf16 ? "bf16" : "f32",
        };
        const size_t size = report->size;
        memcpy(report, &own, akin_min(size, sizeof own));
        report->size = size;
    }
    akin_model_close(model);
    return status;
}
