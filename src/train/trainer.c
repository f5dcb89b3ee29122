/* trainer.c - the loop of a training. What a step computes is step.c's; which pairs it computes it
 * for is the loader's; this file owns their order, the schedules, what is measured and what is kept
 * on disk. */
#include "train/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "dataset/loader.h"
#include "models/clip.h"
#include "train/folder.h"
#include "train/measure.h"
#include "train/metrics.h"
#include "train/net.h"
#include "train/state.h"
#include "train/step.h"
#include "train/watchdog.h"

enum {
    RATE_STEPS = 20,           /* pairs per second are measured over so many */
    MOST_WARMUP = 2000,
    MEASUREMENTS = 20,
    PROTOTYPE_PICTURES = 2,    /* a concept has a prototype from so many pictures on: with one, the
                                  pair loss says the same */
    DIGEST_BYTES = 2048
};

struct trainer {
    akin_train_plan own; /* the caller's, with what it left open filled in */
    akin_clip_config config; /* with a logit_bias when the loss has one */
    const akin_train_plan *plan;
    const akin_train_listener *listener;
    akin_train_result *result;
    akin_manifest *whole; /* when the two below are its parts */
    akin_manifest *manifest, *held_out;
    akin_sampler *sampler;
    akin_loader *loader;
    akin_net *net;
    akin_arena arena;
    akin_work work;
    size_t prototypes;       /* number of the parameter; SIZE_MAX: none */
    uint32_t *labels;        /* [concept_count]: a concept's prototype, UINT32_MAX: none */
    size_t prototype_count;
    akin_state state;
    char *state_path;
    int lock;                /* of the output's folder training/; -1: none */
    akin_metrics *metrics;
    akin_watchdog watchdog;
    /* of one batch */
    int32_t *ids;            /* padded */
    size_t *starts;
    uint32_t *batch_labels;
    uint32_t *keep;
    size_t kept;
    double clock0, saved_at; /* seconds of akin_clock */
    double before;           /* seconds of training before this process */
    double marks[RATE_STEPS], waits[RATE_STEPS];
    uint64_t taken;          /* steps of this process */
};

/* ---- What a training depends on ------------------------------------------------------------- */

/* The hash that a checkpoint carries: everything that decides the next step beside the parameters.
 * Not the threads, which change no bit, and not the output. */
static akin_status digest_of(const akin_train_plan *p, const akin_clip_config *c, char out[65],
                             akin_error *err)
{
    char text[DIGEST_BYTES];
    uint8_t hash[AKIN_HASH_BYTES];
    akin_mapping manifest = { 0 };
    int n = snprintf(
        text, sizeof text,
        "akin training 1; scope %d; steps %" PRIu64 "; batch %zu; chunk %zu; rate %.17g %.17g "
        "%" PRIu64 "; adamw %.17g %.17g %.17g %.17g; clip %.17g; objective %d; scale %d %.17g; "
        "concepts %d %.17g %.17g %.17g %.17g; hold out %.17g; keep %.17g; by concept %d; augment %.9g %d; seed "
        "%" PRIu64 "; bf16 %d; model %zu %zu %zu %zu %zu %zu;",
        (int)p->scope, p->steps, p->batch, p->chunk, p->schedule.rate, p->schedule.final_rate,
        p->schedule.warmup, p->adamw.beta1, p->adamw.beta2, p->adamw.eps, p->adamw.decay, p->clip,
        (int)p->objective, p->fixed_scale, p->scale, p->concepts, p->concept_floor,
        p->concept_until, p->concept_scale, p->smoothing, p->held_out == NULL ? p->hold_out : 0.0,
        p->keep, p->by_concept,
        (double)p->augment.strength, p->augment.jpeg, p->seed, p->bf16, c->dimensions,
        c->image_height, c->image_width, c->vocabulary, c->text.width, c->text.layers);
    for (size_t i = 0; i < p->stage_count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " stage %.17g", p->stages[i]);
    akin_hasher *hasher = NULL;
    akin_status status;
    AKIN_TRY(akin_hasher_new(&hasher, err));
    AKIN_TRY(akin_hasher_add(hasher, text, (size_t)n, err));
    if (akin_path_is_file(p->manifest)) { /* of a folder, the names it holds are not hashed */
        AKIN_TRY(akin_file_map(p->manifest, &manifest, err));
        AKIN_TRY(akin_hasher_add(hasher, manifest.data, manifest.size, err));
    }
    AKIN_TRY(akin_hasher_end(hasher, hash, err));
    akin_hex(hash, sizeof hash, out);
out:
    akin_file_unmap(&manifest);
    akin_hasher_free(hasher);
    return status;
}

/* ---- Beginning ------------------------------------------------------------------------------ */

static void forward_skip(void *context, const char *path, const akin_error *error)
{
    const struct trainer *t = context;
    akin_error why = *error;
    if (why.path[0] == '\0')
        akin_fail(&why, error->code, path, "%s", error->message);
    if (t->listener->skipped != NULL)
        t->listener->skipped(t->listener->context, &why);
}

static void forward_measure_skip(void *context, const akin_error *why)
{
    forward_skip(context, why->path, why);
}

static void warn(const struct trainer *t, const char *message)
{
    if (t->listener->warn != NULL)
        t->listener->warn(t->listener->context, message);
}

/* The highest stage in use at a step. */
static unsigned stage_at(void *context, uint64_t step)
{
    const akin_train_plan *p = ((const struct trainer *)context)->plan;
    unsigned stage = p->stage_count == 0 ? UINT16_MAX : 0;
    for (size_t i = 1; i < p->stage_count; i++)
        if ((double)step >= p->stages[i] * (double)p->steps)
            stage = (unsigned)i;
    return stage;
}

/* Numbers the concepts that get a prototype. */
static akin_status label_concepts(struct trainer *t, akin_error *err)
{
    const akin_manifest *m = t->manifest;
    t->labels = malloc(akin_max(m->concept_count, 1) * sizeof *t->labels);
    if (t->labels == NULL)
        return akin_fail_nomem(err, "concepts", m->concept_count * sizeof *t->labels);
    for (size_t c = 0; c < m->concept_count; c++) {
        const size_t pictures = m->picture_starts[c + 1] - m->picture_starts[c];
        t->labels[c] = pictures >= PROTOTYPE_PICTURES ? (uint32_t)t->prototype_count++
                                                      : UINT32_MAX;
    }
    return AKIN_OK;
}

static akin_status make_net(struct trainer *t, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    akin_status status;
    AKIN_TRY(akin_net_new(&t->net, p->config, err));
    akin_parameters *list = &t->net->parameters;
    t->prototypes = SIZE_MAX;
    if (p->concepts && t->prototype_count > 0) {
        const int64_t shape[] = { (int64_t)t->prototype_count, (int64_t)p->config->dimensions };
        t->prototypes = akin_parameters_add(list, AKIN_PARAMETER_PRIVATE, 2, shape, "prototypes");
    }
    AKIN_TRY(akin_parameters_make(list, err));
    if (p->scope == AKIN_TRAIN_FRESH)
        akin_net_draw(t->net, p->seed);
    else
        AKIN_TRY(akin_net_read(t->net, p->source, err));
    akin_net_freeze(t->net, p->scope == AKIN_TRAIN_PROJECTIONS);
    list->items[t->net->logit_scale].frozen = p->fixed_scale;
    if (p->scale > 0)
        *akin_value(list, t->net->logit_scale) = (float)log(p->scale);
out:
    return status;
}

/* Prototypes begin as small random vectors beside fresh towers; beside trained ones, as the mean of
 * the first texts of their concept, so that the warm start does not throw them back. */
static akin_status make_prototypes(struct trainer *t, akin_error *err)
{
    enum { TEXTS = 8, GROUP = 32 };
    const akin_manifest *m = t->manifest;
    const size_t d = t->plan->config->dimensions;
    if (t->prototypes == SIZE_MAX)
        return AKIN_OK;
    float *to = akin_value(&t->net->parameters, t->prototypes);
    if (t->plan->scope == AKIN_TRAIN_FRESH) {
        for (size_t i = 0; i < t->prototype_count; i++) {
            akin_random r = akin_random_of(t->plan->seed, UINT64_C(0x70726f746f), i);
            for (size_t j = 0; j < d; j++)
                to[i * d + j] = (float)(0.05 * akin_random_normal(&r));
        }
        return AKIN_OK;
    }
    const size_t most = (size_t)GROUP * TEXTS;
    akin_status status = AKIN_OK;
    size_t cut = 0;
    const char **texts = calloc(most, sizeof *texts);
    int32_t *ids = calloc(most * (size_t)t->plan->text_tokens, sizeof *ids);
    size_t *starts = calloc(most + 1, sizeof *starts);
    uint32_t *of = calloc(most, sizeof *of);
    float *rows = calloc(most * d, sizeof *rows);
    if (texts == NULL || ids == NULL || starts == NULL || of == NULL || rows == NULL) {
        status = akin_fail_nomem(err, "prototypes", most * d * sizeof *rows);
        goto out;
    }
    for (size_t c = 0; c < m->concept_count;) {
        size_t count = 0;
        for (; c < m->concept_count && count + TEXTS <= most; c++)
            for (size_t i = 0; t->labels[c] != UINT32_MAX && i < TEXTS &&
                               m->text_starts[c] + i < m->text_starts[c + 1];
                 i++) {
                of[count] = t->labels[c];
                texts[count++] = m->texts[m->text_order[m->text_starts[c] + i]].text;
            }
        if (count == 0)
            break;
        AKIN_TRY(akin_measure_tokens(t->plan->config, t->plan->tokenizer, t->plan->text_tokens,
                                     texts, count, ids, starts, &cut, err));
        const akin_text_input input = { ids, starts, count };
        AKIN_TRY(akin_net_texts(t->net, &t->work, &input, NULL, rows, err));
        akin_measure_unit(rows, count, d);
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < d; j++)
                to[of[i] * d + j] += rows[i * d + j];
    }
    akin_measure_unit(to, t->prototype_count, d);
out:
    free(texts);
    free(ids);
    free(starts);
    free(of);
    free(rows);
    return status;
}

/* What the caller left open, now that the pictures are counted. */
static void fill_in(akin_train_plan *p, size_t pictures)
{
    if (p->steps == 0)
        p->steps = (uint64_t)ceil(p->epochs * (double)pictures / (double)p->batch);
    if (p->schedule.warmup == UINT64_MAX)
        p->schedule.warmup = akin_min(p->steps / 20, MOST_WARMUP);
    p->schedule.steps = p->steps;
    if (p->every == 0)
        p->every = akin_max(p->steps / MEASUREMENTS, 1);
}

static akin_status check_plan(const akin_train_plan *p, akin_error *err)
{
    if (p->steps == 0 || p->batch < 2)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "a training of %" PRIu64 " steps of %zu pairs: there must be a step, and "
                         "two pairs to tell apart",
                         p->steps, p->batch);
    if (p->keep <= 0.0 || p->keep > 1.0 || (p->keep < 1.0 && p->config->resnet))
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         p->config->resnet ? "patches are dropped from vision transformers; this "
                                             "model's picture tower is a ResNet"
                                           : "the share of patches kept must be above 0, to 1");
    if (p->objective == AKIN_OBJECTIVE_SIGMOID && p->config->form == AKIN_FORM_HF)
        return akin_fail(err, AKIN_E_UNSUPPORTED, p->source,
                         "the sigmoid loss has a logit_bias, which CLIP's Hugging Face form has no "
                         "place for; train a model in open_clip form, or with the loss infonce");
    return AKIN_OK;
}

static akin_status make_room(struct trainer *t, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    const akin_clip_config *c = p->config;
    const size_t patches = c->grid_height * c->grid_width;
    if (p->keep < 1.0)
        t->kept = akin_max((size_t)((double)patches * p->keep), 1); /* open_clip's PatchDropout */
    t->ids = calloc(p->batch * c->text_tokens, sizeof *t->ids);
    t->starts = calloc(p->batch + 1, sizeof *t->starts);
    t->batch_labels = calloc(p->batch, sizeof *t->batch_labels);
    t->keep = calloc(akin_max(p->batch * t->kept, 1), sizeof *t->keep);
    if (t->ids == NULL || t->starts == NULL || t->batch_labels == NULL || t->keep == NULL)
        return akin_fail_nomem(err, "a batch", p->batch * c->text_tokens * sizeof *t->ids);
    return AKIN_OK;
}

static bool is_same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static akin_status open_state(struct trainer *t, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    akin_status status = AKIN_OK;
    if (p->scope != AKIN_TRAIN_FRESH && is_same_folder(p->source, p->output))
        return akin_fail(err, AKIN_E_ARGUMENT, p->output,
                         "is the model to begin with, which the new one would replace; give "
                         "another folder");
    char *folder = akin_path_join(p->output, "training");
    if (folder != NULL)
        t->state_path = akin_path_join(folder, "state.safetensors");
    if (t->state_path == NULL) {
        status = akin_fail_nomem(err, "path", 0);
        goto out;
    }
    t->state = (akin_state){ .seed = p->seed, .best = NAN };
    AKIN_TRY(digest_of(p, p->config, t->state.options, err));
    const bool there = akin_path_is_file(t->state_path);
    if (p->resume && !there) {
        status = akin_fail(err, AKIN_E_NOT_FOUND, t->state_path,
                           "there is no training to go on with; leave --resume out to begin one");
        goto out;
    }
    AKIN_TRY(akin_folder_make(folder, 0777, err));
    AKIN_TRY(akin_state_lock(folder, &t->lock, err));
    if (p->resume) {
        AKIN_TRY(akin_state_read(t->state_path, &t->state, &t->net->parameters, err));
        t->before = t->state.seconds;
    } else if (there) {
        status = akin_fail(err, AKIN_E_ARGUMENT, t->state_path,
                           "a training was begun here: --resume goes on with it; to begin "
                           "another, remove this file or give another folder");
    }
out:
    free(folder);
    return status;
}

static akin_status open_manifests(struct trainer *t, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    akin_status status;
    if (p->held_out != NULL || p->hold_out <= 0) {
        AKIN_TRY(akin_manifest_open(&t->manifest, p->manifest, err));
        if (p->held_out != NULL)
            status = akin_manifest_open(&t->held_out, p->held_out, err);
        goto out;
    }
    AKIN_TRY(akin_manifest_open(&t->whole, p->manifest, err));
    AKIN_TRY(akin_manifest_part(&t->manifest, t->whole, p->hold_out, false, err));
    AKIN_TRY(akin_manifest_part(&t->held_out, t->whole, p->hold_out, true, err));
    if (t->held_out->picture_count == 0 || t->held_out->text_count == 0)
        status = akin_fail(err, AKIN_E_ARGUMENT, p->manifest,
                           "too few pictures to hold out %.3g %% of them; give --held-out, or a "
                           "larger --hold-out",
                           100 * p->hold_out);
out:
    return status;
}

static akin_status begin(struct trainer *t, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    akin_status status;
    AKIN_TRY(akin_pool_new(&t->work.pool, p->threads, err));
    t->work.kernels = p->kernels;
    t->work.arena = &t->arena;
    t->work.bf16 = p->bf16;
    AKIN_TRY(open_manifests(t, err));
    AKIN_TRY(akin_sampler_new(&t->sampler, t->manifest, p->seed, p->by_concept, err));
    fill_in(&t->own, akin_sampler_pictures(t->sampler, UINT16_MAX));
    AKIN_TRY(check_plan(p, err));
    AKIN_TRY(label_concepts(t, err));
    AKIN_TRY(make_net(t, err));
    AKIN_TRY(make_room(t, err));
    AKIN_TRY(open_state(t, err));
    if (!p->resume)
        AKIN_TRY(make_prototypes(t, err));
    if (p->concepts && t->prototypes == SIZE_MAX)
        warn(t, "the warm start does nothing here: no concept has two pictures");
    AKIN_TRY(akin_metrics_open(&t->metrics, p->output, t->state.step, err));
    const akin_loader_options options = {
        .manifest = t->manifest, .sampler = t->sampler, .batch = p->batch,
        .height = (int)p->config->image_height, .width = (int)p->config->image_width,
        .preprocess = p->preprocess, .augment = p->augment, .seed = p->seed,
        .tokenizer = p->tokenizer, .text_tokens = p->text_tokens, .threads = p->loaders,
        .cache_bytes = p->cache_bytes, .limits = p->limits, .skipped = forward_skip, .context = t,
        .stage = stage_at,
    };
    AKIN_TRY(akin_loader_start(&t->loader, &options, t->state.step, err));
    for (size_t i = 0; i < t->net->parameters.count; i++) {
        const akin_parameter *q = &t->net->parameters.items[i];
        if (q->kind != AKIN_PARAMETER_PRIVATE) {
            t->result->parameters += q->count;
            t->result->trained += akin_gradient(&t->net->parameters, i) != NULL ? q->count : 0;
        }
    }
out:
    return status;
}

static void end(struct trainer *t)
{
    akin_loader_stop(t->loader);
    akin_metrics_close(t->metrics);
    akin_net_free(t->net);
    akin_sampler_free(t->sampler);
    akin_manifest_close(t->manifest);
    akin_manifest_close(t->held_out);
    akin_manifest_close(t->whole);
    akin_pool_free(t->work.pool);
    akin_arena_clear(&t->arena);
    akin_state_unlock(t->lock);
    free(t->labels);
    free(t->state_path);
    free(t->ids);
    free(t->starts);
    free(t->batch_labels);
    free(t->keep);
}

/* ---- Checkpoints ---------------------------------------------------------------------------- */

static akin_status write_model(struct trainer *t, akin_error *err)
{
    return akin_model_folder_write(t->net, t->plan->source, t->plan->output, t->plan->f16, err);
}

static akin_status save(struct trainer *t, akin_error *err)
{
    akin_status status;
    t->saved_at = akin_clock();
    t->state.seconds = t->before + t->saved_at - t->clock0;
    /* The state last: metrics and model may be ahead of it, since the steps between are taken
     * again with the same bits, but not behind: of the last step they would never be made. */
    AKIN_TRY(akin_metrics_sync(t->metrics, err));
    if (t->held_out == NULL)
        AKIN_TRY(write_model(t, err));
    AKIN_TRY(akin_state_write(t->state_path, &t->state, &t->net->parameters, err));
out:
    return status;
}

/* ---- A step --------------------------------------------------------------------------------- */

/* Which patches each picture keeps, ascending: a draw without replacement. */
static void draw_patches(struct trainer *t, uint64_t step)
{
    const akin_clip_config *c = t->plan->config;
    const size_t patches = c->grid_height * c->grid_width;
    for (size_t i = 0; t->kept != 0 && i < t->plan->batch; i++) {
        akin_random r = akin_random_of(t->plan->seed ^ UINT64_C(0x7061746368), step, i);
        uint32_t *to = t->keep + i * t->kept;
        /* Knuth 1969, algorithm S: each patch is taken with the chance that is left. */
        for (size_t p = 0, n = 0; n < t->kept; p++)
            if (akin_random_below(&r, patches - p) < t->kept - n)
                to[n++] = (uint32_t)p;
    }
}

static void pad_texts(struct trainer *t, const akin_batch *batch)
{
    t->starts[0] = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const size_t count = batch->starts[i + 1] - batch->starts[i];
        int32_t *to = t->ids + t->starts[i];
        memcpy(to, batch->ids + batch->starts[i], count * sizeof *to);
        t->starts[i + 1] =
            t->starts[i] + akin_measure_pad(t->plan->config, t->plan->tokenizer, to, count);
    }
}

static double concept_weight(const akin_train_plan *p, uint64_t step)
{
    const double end_at = p->concept_until * (double)p->steps;
    const double left = end_at > 0 ? 1.0 - (double)step / end_at : 0.0;
    return fmax(p->concept_floor, p->concept_floor + (1.0 - p->concept_floor) * left);
}

static akin_status say_bad(const struct trainer *t, const akin_batch *batch, uint64_t step,
                           const akin_loss_output *loss, double norm, akin_error *err)
{
    const bool gradient = isfinite(loss->loss) && loss->first_bad == SIZE_MAX;
    const size_t i = loss->first_bad < batch->count ? loss->first_bad : 0;
    return akin_fail(err, AKIN_E_NONFINITE, t->manifest->pictures[batch->pairs[i].picture].path,
                     "at step %" PRIu64
                     " the %s is not finite (%g), %s this picture with \"%s\"; the last "
                     "checkpoint is as it was; a lower --rate, a longer --warmup, or look at the "
                     "picture",
                     step + 1, gradient ? "gradient" : "loss", gradient ? norm : loss->loss,
                     loss->first_bad < batch->count ? "first for" : "in a batch that begins with",
                     t->manifest->texts[batch->pairs[i].text].text);
}

/* Gradients and the step they ask for. */
static akin_status train_step(struct trainer *t, const akin_batch *batch, akin_train_step *told,
                              akin_error *err)
{
    const akin_train_plan *p = t->plan;
    akin_parameters *list = &t->net->parameters;
    const uint64_t step = t->state.step;
    const float weight = t->prototypes != SIZE_MAX ? (float)concept_weight(p, step) : 0.0f;
    pad_texts(t, batch);
    draw_patches(t, step);
    for (size_t i = 0; i < batch->count; i++)
        t->batch_labels[i] = t->labels[batch->concepts[i]];
    const akin_step_input in = {
        .count = batch->count, .chunk = p->chunk, .pixels = batch->pixels,
        .keep = t->kept != 0 ? t->keep : NULL, .kept = t->kept, .ids = t->ids,
        .starts = t->starts, .objective = p->objective,
        .pair_weight = t->prototypes != SIZE_MAX ? (float)(1.0 + p->concept_floor) - weight : 1.0f,
        .concepts = batch->concepts, .concept_weight = weight, .prototypes = t->prototypes,
        .labels = t->batch_labels, .concept_scale = (float)p->concept_scale,
        .smoothing = (float)p->smoothing,
    };
    akin_loss_output loss = { 0 };
    akin_status status = akin_step_gradients(t->net, &t->work, &in, &loss, err);
    if (status != AKIN_OK)
        return status;
    const double norm = akin_gradients_norm(&t->work, list);
    if (!isfinite(loss.loss) || !isfinite(norm) || loss.first_bad != SIZE_MAX)
        return say_bad(t, batch, step, &loss, norm, err);
    const double rate = akin_schedule_rate(&p->schedule, step);
    /* as torch.nn.utils.clip_grad_norm_ */
    const double scale = p->clip > 0 ? fmin(1.0, p->clip / (norm + 1e-6)) : 1.0;
    akin_adamw_step(&t->work, &p->adamw, list, rate, scale, step + 1);
    float *logit_scale = akin_value(list, t->net->logit_scale);
    *logit_scale = fminf(fmaxf(*logit_scale, 0.0f), logf(100.0f)); /* as open_clip's trainer */
    told->loss = loss.loss;
    told->pair_loss = loss.pair_loss;
    told->concept_loss = loss.concept_loss;
    told->correct = loss.correct;
    told->norm = norm;
    told->rate = rate;
    told->scale = exp((double)*logit_scale);
    t->state.step++;
    return AKIN_OK;
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static akin_status measure(struct trainer *t, akin_train_step *told, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    const akin_measure m = {
        .manifest = t->held_out, .preprocess = p->preprocess, .tokenizer = p->tokenizer,
        .text_tokens = p->text_tokens, .batch = p->chunk != 0 ? p->chunk : p->batch,
        .limits = p->limits, .skipped = forward_measure_skip, .context = t,
    };
    akin_recall to_picture, to_text;
    akin_status status = akin_measure_run(&m, t->net, &t->work, &to_picture, &to_text, err);
    if (status != AKIN_OK)
        return status;
    told->measured = true;
    memcpy(told->text_to_picture, (double[]){ to_picture.at1, to_picture.at5, to_picture.at10 },
           sizeof told->text_to_picture);
    memcpy(told->picture_to_text, (double[]){ to_text.at1, to_text.at5, to_text.at10 },
           sizeof told->picture_to_text);
    const double mean = (to_picture.at1 + to_text.at1) / 2;
    if (!(mean <= t->state.best)) { /* NaN at first */
        t->state.best = mean;
        t->state.best_step = t->state.step;
        return write_model(t, err);
    }
    return AKIN_OK;
}

/* ---- The loop ------------------------------------------------------------------------------- */

static void take_times(struct trainer *t, const akin_batch *batch, akin_train_step *told)
{
    const akin_train_plan *p = t->plan;
    const double now = akin_clock();
    const size_t over = (size_t)akin_min(t->taken, RATE_STEPS);
    const size_t slot = (size_t)(t->taken % RATE_STEPS);
    const double from = over == 0 ? t->clock0 : t->marks[over < RATE_STEPS ? 0 : slot];
    double waited = 0.0;
    t->marks[slot] = now;
    t->waits[slot] = batch->waited;
    t->taken++;
    for (size_t i = 0; i < akin_min(t->taken, RATE_STEPS); i++)
        waited += t->waits[i];
    const double each = (now - from) / (double)akin_max(over, 1);
    told->step = t->state.step;
    told->steps = p->steps;
    told->seconds = t->before + now - t->clock0;
    told->pairs_per_second = (double)batch->count / fmax(each, 1e-9);
    told->seconds_left = each * (double)(p->steps - t->state.step);
    told->waited = fmin(1.0, waited / fmax(each * (double)akin_max(over, 1), 1e-9));
}

static akin_status run(struct trainer *t, akin_error *err)
{
    const akin_train_plan *p = t->plan;
    const akin_train_listener *l = t->listener;
    char message[512];
    akin_status status = AKIN_OK;
    t->clock0 = t->saved_at = akin_clock();
    while (t->state.step < p->steps) {
        akin_batch batch;
        akin_train_step told = { 0 };
        AKIN_TRY(akin_loader_next(t->loader, &batch, err));
        AKIN_TRY(train_step(t, &batch, &told, err));
        take_times(t, &batch, &told);
        if (akin_watchdog_look(&t->watchdog, t->manifest, &batch, p->objective, told.pair_loss,
                               t->state.step > p->schedule.warmup, message, sizeof message))
            warn(t, message);
        const bool last = t->state.step == p->steps;
        if (t->held_out != NULL && (last || (p->every != 0 && t->state.step % p->every == 0)))
            AKIN_TRY(measure(t, &told, err));
        AKIN_TRY(akin_metrics_add(t->metrics, &told, err));
        if (l->step != NULL)
            l->step(l->context, &told);
        const bool stop = l->stop != NULL && l->stop(l->context);
        const bool enough = told.measured && p->patience != 0 && p->every != 0 &&
                            t->state.step - t->state.best_step >= p->patience * p->every;
        if (stop || enough || last || akin_clock() - t->saved_at >= p->save_seconds)
            AKIN_TRY(save(t, err));
        t->result->early = enough && !last;
        if (stop && !last) {
            status = akin_fail(err, AKIN_E_STOPPED, t->state_path,
                               "stopped after step %" PRIu64 " of %" PRIu64
                               "; the same command with --resume goes on from there",
                               t->state.step, p->steps);
            goto out;
        }
        if (enough)
            break;
    }
out:
    t->result->steps = t->state.step;
    t->result->seconds = t->before + akin_clock() - t->clock0;
    t->result->best = t->state.best;
    t->result->best_step = t->state.best_step;
    return status;
}

akin_status akin_train_run(const akin_train_plan *plan, const akin_train_listener *listener,
                           akin_train_result *result, akin_error *err)
{
    struct trainer t = { .own = *plan, .listener = listener, .result = result,
                         .lock = -1 };
    *result = (akin_train_result){ .best = NAN };
    t.plan = &t.own;
    t.config = *plan->config;
    t.config.logit_bias |= plan->objective == AKIN_OBJECTIVE_SIGMOID;
    t.own.config = &t.config;
    akin_arena_init(&t.arena);
    akin_status status = begin(&t, err);
    if (status == AKIN_OK)
        status = run(&t, err);
    end(&t);
    return status;
}
