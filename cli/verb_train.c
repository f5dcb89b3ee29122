/* verb_train.c - `akin train`: a CLIP from pictures and their texts. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "run.h"
#include "verbs.h"

enum { MOST_STAGES = 8, FINETUNE_PATIENCE = 5, FINETUNE_EPOCHS = 10 };

typedef struct listener {
    const cli_args *args;
    size_t skipped;
    bool line; /* a progress line is on the screen */
} listener;

static void on_progress(void *context, const akin_train_progress *p)
{
    listener *l = context;
    char line[200], left[64];
    cli_write_duration(left, sizeof left, p->seconds_left);
    snprintf(line, sizeof line,
             "step %" PRIu64 " of %" PRIu64
             ", loss %.3f, temperature %.4f, %.0f pairs/s, %s left%s",
             p->step, p->steps, p->loss, p->temperature, p->pairs_per_second, left,
             p->waited > 0.2 ? " (waiting for pictures)" : "");
    cli_progress_text(l->args, line);
    if (!p->measured || l->args->quiet)
        return;
    cli_progress_end();
    if (l->args->json)
        return;
    fprintf(stderr,
            "step %" PRIu64 ": recall at 1, 5, 10: text to picture %.1f %.1f %.1f %%, picture to "
            "text %.1f %.1f %.1f %%; loss %.3f\n",
            p->step, 100 * p->text_to_picture[0], 100 * p->text_to_picture[1],
            100 * p->text_to_picture[2], 100 * p->picture_to_text[0], 100 * p->picture_to_text[1],
            100 * p->picture_to_text[2], p->loss);
}

static void on_skipped(void *context, const akin_error *why)
{
    listener *l = context;
    cli_report(l->args, why);
    l->skipped++;
}

static void on_warn(void *context, const char *message)
{
    cli_warn(((listener *)context)->args, "%s", message);
}

static bool on_stop(void *context)
{
    (void)context;
    return cli_signal() != 0;
}

/* "0.3,0.6": where stages 1, 2, ... begin; stage 0 begins at 0. */
static bool read_stages(const char *text, double *out, size_t *count)
{
    *count = 1;
    out[0] = 0.0;
    for (const char *p = text; *p != '\0';) {
        char *end;
        errno = 0;
        if (*count == MOST_STAGES)
            return false;
        out[(*count)++] = strtod(p, &end);
        if (end == p || errno != 0 || (*end != ',' && *end != '\0') || (*end == ',' && !end[1]))
            return false;
        p = *end == ',' ? end + 1 : end;
    }
    return true;
}

static int print_report(const cli_args *args, const akin_train_report *r)
{
    akin_error err = { 0 };
    char time[64];
    out_sink out;
    cli_progress_end();
    if (out_open(&out, NULL, &err) != AKIN_OK)
        return cli_report(args, &err);
    cli_write_duration(time, sizeof time, r->seconds);
    if (args->json) {
        fprintf(out.stream, "{\"steps\":%" PRIu64 ",\"seconds\":", r->steps);
        out_json_double(out.stream, r->seconds);
        fputs(",\"best\":", out.stream);
        out_json_double(out.stream, r->best);
        fprintf(out.stream,
                ",\"best_step\":%" PRIu64 ",\"early\":%s,\"parameters\":%" PRId64
                ",\"trained\":%" PRId64 ",\"precision\":\"%s\",\"model\":",
                r->best_step, r->early ? "true" : "false", r->parameters, r->trained,
                r->precision);
        out_json_text(out.stream, args->output, strlen(args->output));
        fputs("}\n", out.stream);
    } else if (!args->quiet) {
        fprintf(out.stream, "trained %" PRId64 " of %" PRId64 " parameters for %" PRIu64
                            " steps in %s\n",
                r->trained, r->parameters, r->steps, time);
        if (!isnan(r->best))
            fprintf(out.stream, "best recall at 1: %.1f %% at step %" PRIu64 "%s\n", 100 * r->best,
                    r->best_step, r->early ? "; it has not risen since" : "");
        fputs("model: ", out.stream);
        out_escaped(out.stream, args->output, strlen(args->output));
        fputc('\n', out.stream);
    }
    return out_commit(&out, &err) == AKIN_OK ? CLI_DONE : cli_report(args, &err);
}

static void take_numbers(akin_train_options *o, const cli_args *args)
{
    if (!isnan(args->epochs))
        o->epochs = args->epochs;
    o->steps = args->steps;
    o->batch = args->batch;
    o->chunk = args->chunk;
    if (!isnan(args->rate))
        o->rate = args->rate;
    if (args->warmup != SIZE_MAX)
        o->warmup = args->warmup;
    if (!isnan(args->decay))
        o->decay = args->decay;
    o->clip = args->clip;
    if (!isnan(args->hold_out))
        o->hold_out = args->hold_out;
    if (!isnan(args->temperature))
        o->temperature = args->temperature;
    o->concept_floor = args->concept_floor;
    if (!isnan(args->patches))
        o->patches = args->patches;
    o->augment = args->augment;
    o->seed = args->seed;
    o->every = args->every;
    if (args->patience != 0)
        o->patience = (unsigned)args->patience;
    o->save_seconds = args->save_every;
    o->threads = (int)args->threads;
    o->loaders = (int)args->loaders;
    o->cache_bytes = args->cache;
    o->max_file_bytes = args->max_file;
    o->max_memory_bytes = args->max_memory;
}

/* What people who tried to fine-tune a CLIP and failed were told in the end (docs/training.md). */
static void take_preset(akin_train_options *o, const cli_args *args)
{
    o->rate = 1e-6;
    o->decay = 1e-3;
    o->fixed_temperature = true;
    o->hold_out = 0.1;
    o->patience = FINETUNE_PATIENCE;
    if (args->steps == 0)
        o->epochs = FINETUNE_EPOCHS;
}

static int plot(const cli_args *args)
{
    akin_error err = { 0 };
    if (args->files.count != 2 || args->output == NULL)
        return cli_usage_error(args, "akin train plot DIR/metrics.jsonl -o FILE.svg");
    if (akin_train_plot(args->files.items[1], args->output, &err) != AKIN_OK)
        return cli_report(args, &err);
    return CLI_DONE;
}

int cli_train(const cli_args *args)
{
    akin_train_options options = AKIN_TRAIN_OPTIONS_INIT;
    akin_train_report report = AKIN_TRAIN_REPORT_INIT;
    akin_error err = { 0 };
    listener l = { .args = args };
    double stages[MOST_STAGES];
    if (args->files.count > 0 && strcmp(args->files.items[0], "plot") == 0)
        return plot(args);
    if (args->files.count != 1)
        return cli_usage_error(args, "train takes one manifest: a file, or a folder of pictures "
                                     "with captions");
    if (args->output == NULL)
        return cli_usage_error(args, "train needs -o DIR, the folder for the model");
    if (args->preset != NULL)
        take_preset(&options, args);
    take_numbers(&options, args);
    options.manifest = args->files.items[0];
    options.held_out = args->held_out;
    options.output = args->output;
    options.config = args->config;
    options.from = args->from;
    options.form = args->form;
    options.projections = args->projections;
    options.loss = args->loss != NULL && strcmp(args->loss, "sigmoid") == 0 ? AKIN_LOSS_SIGMOID
                                                                            : AKIN_LOSS_INFONCE;
    options.fixed_temperature |= args->fixed_temperature;
    options.concepts = args->warm_start;
    options.any_batch = args->any_batch;
    options.resume = args->resume;
    options.f16 = args->f16;
    options.precision = args->precision == NULL || strcmp(args->precision, "auto") == 0
                            ? AKIN_PRECISION_AUTO
                        : strcmp(args->precision, "bf16") == 0 ? AKIN_PRECISION_BF16
                                                               : AKIN_PRECISION_F32;
    if (args->stages != NULL) {
        options.stages = stages;
        if (!read_stages(args->stages, stages, &options.stage_count))
            return cli_usage_error(args, "--stages takes at most %d shares of the training: "
                                         "0.3,0.6",
                                   MOST_STAGES - 1);
    }
    if (options.held_out == NULL && !(options.hold_out > 0) && args->patience != 0)
        return cli_usage_error(args, "--patience needs --held-out or --hold-out, to see what "
                                     "rises");
    options.context = &l;
    options.progress = on_progress;
    options.skipped = on_skipped;
    options.warn = on_warn;
    options.stop = on_stop;
    const akin_status status = akin_train(&options, &report, &err);
    cli_progress_end();
    if (status == AKIN_E_STOPPED && cli_signal() != 0) {
        if (!args->quiet)
            cli_report(args, &err);
        return 128 + cli_signal();
    }
    if (status != AKIN_OK)
        return cli_report(args, &err);
    const int printed = print_report(args, &report);
    return printed != CLI_DONE ? printed : l.skipped > 0 ? CLI_SKIPPED : CLI_DONE;
}
