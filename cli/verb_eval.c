/* verb_eval.c - `akin eval`: how well a model's pictures and texts find each other. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

enum { WORST = 10, LANGUAGE_WIDTH = 16, LABEL_WIDTH = 28 };

static void on_progress(void *context, size_t done, size_t total)
{
    cli_progress(context, done, total);
}

static void on_skipped(void *context, const akin_error *why) { cli_report(context, why); }

static bool on_stop(void *context)
{
    (void)context;
    return cli_signal() != 0;
}

/* ---- for people ----------------------------------------------------------------------------- */

/* Characters that a terminal shows of UTF-8: printf counts bytes. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void print_name(FILE *out, const char *text, int width)
{
    char shown[256];
    out_shorten(shown, sizeof shown, text, strlen(text), (size_t)width);
    const int n = width_of(shown);
    fprintf(out, "%s%*s", shown, n < width ? width - n : 0, "");
}

static void print_share(FILE *out, size_t of, double share)
{
    if (of == 0)
        fputs("      -", out);
    else
        fprintf(out, " %6.1f", share * 100);
}

static void print_recall(FILE *out, akin_eval_recall r)
{
    print_share(out, r.queries, r.at1);
    print_share(out, r.queries, r.at5);
    print_share(out, r.queries, r.at10);
    if (r.queries == 0)
        fputs("      -", out);
    else
        fprintf(out, " %6.1f", r.median_rank);
}

/* Languages with most texts first; equals by name. */
static int by_texts(const void *a, const void *b)
{
    const akin_eval_row *x = *(const akin_eval_row *const *)a;
    const akin_eval_row *y = *(const akin_eval_row *const *)b;
    if (x->texts != y->texts)
        return x->texts > y->texts ? -1 : 1;
    return strcmp(x->language, y->language);
}

/* Worst first; of equals those with more pictures, then the manifest's order. */
static int by_badness(const void *a, const void *b)
{
    const akin_eval_concept *x = *(const akin_eval_concept *const *)a;
    const akin_eval_concept *y = *(const akin_eval_concept *const *)b;
    const double p = (double)x->top1 / (double)x->pictures;
    const double q = (double)y->top1 / (double)y->pictures;
    if (p != q)
        return p < q ? -1 : 1;
    if (x->pictures != y->pictures)
        return x->pictures > y->pictures ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void print_rows(FILE *out, const akin_evaluation *e, const akin_eval_row *const *rows,
                       bool zero_shot)
{
    int width = 8;
    for (size_t i = 0; i < e->row_count; i++) {
        const int n = rows[i]->language != NULL ? width_of(rows[i]->language) : 0;
        width = n > width ? n : width;
    }
    width = width > LANGUAGE_WIDTH ? LANGUAGE_WIDTH : width;
    fprintf(out, "%*s%28s  %28s  %29s\n", width + 9, "", "text to picture, %",
            "picture to text, %", zero_shot ? "zero-shot, %" : "");
    fprintf(out, "%-*s    texts", width, "language");
    for (int i = 0; i < 2; i++)
        fprintf(out, "%s    R@1    R@5   R@10 median", i == 0 ? "" : "  ");
    fputs(zero_shot ? "    labels  top-1  top-5 chance\n" : "\n", out);
    for (size_t i = 0; i < e->row_count; i++) {
        const akin_eval_row *r = rows[i];
        print_name(out, r->language == NULL ? "all" : r->language[0] != '\0' ? r->language : "-",
                   width);
        fprintf(out, " %8zu", r->texts);
        print_recall(out, r->text_to_picture);
        fputs("  ", out);
        print_recall(out, r->picture_to_text);
        if (zero_shot) {
            fprintf(out, "  %8zu", r->labels);
            print_share(out, r->classified, r->top1);
            print_share(out, r->classified, r->top5);
            print_share(out, r->classified, r->chance);
        }
        putc('\n', out);
    }
}

static void print_classes(FILE *out, const akin_evaluation *e,
                          const akin_eval_concept *const *classes)
{
    int width = 5;
    for (size_t i = 0; i < e->class_count && i < WORST; i++) {
        const int n = width_of(classes[i]->label);
        width = n > width ? n : width;
    }
    width = width > LABEL_WIDTH ? LABEL_WIDTH : width;
    fputs("\nworst classes", out);
    if (e->table_language[0] != '\0') {
        fputs(" (", out);
        out_escaped(out, e->table_language, strlen(e->table_language));
        fputs(")", out);
    }
    fprintf(out, "\n%-*s  pictures   right   in 5  taken for\n", width, "class");
    for (size_t i = 0; i < e->class_count && i < WORST; i++) {
        const akin_eval_concept *c = classes[i];
        print_name(out, c->label, width);
        fprintf(out, "  %8zu %7zu %6zu  ", c->pictures, c->top1, c->top5);
        for (int k = 0; k < 3 && c->taken_for[k] != NULL; k++) {
            char shown[256];
            out_shorten(shown, sizeof shown, c->taken_for[k], strlen(c->taken_for[k]),
                        LABEL_WIDTH);
            fprintf(out, "%s%s x%zu", k == 0 ? "" : ", ", shown, c->taken[k]);
        }
        putc('\n', out);
    }
    if (e->class_count > WORST)
        fprintf(out, "and %zu more: --json and --html have them\n", e->class_count - WORST);
}

static akin_status print_table(FILE *out, const char *manifest, const akin_evaluation *e,
                               bool zero_shot, akin_error *err)
{
    const akin_eval_row **rows = calloc(e->row_count + 1, sizeof *rows);
    const akin_eval_concept **classes = calloc(e->class_count + 1, sizeof *classes);
    akin_status status = AKIN_OK;
    if (rows == NULL || classes == NULL) {
        status = akin_fail_nomem(err, "a table", 0);
        goto out;
    }
    for (size_t i = 0; i < e->row_count; i++)
        rows[i] = &e->rows[i];
    for (size_t i = 0; i < e->class_count; i++)
        classes[i] = &e->classes[i];
    qsort(rows + 1, e->row_count - 1, sizeof *rows, by_texts);
    qsort(classes, e->class_count, sizeof *classes, by_badness);
    out_escaped(out, manifest, strlen(manifest));
    fprintf(out, ": %zu pictures, %zu texts, %zu concepts\n\n", e->pictures - e->skipped, e->texts,
            e->concepts);
    print_rows(out, e, rows, zero_shot);
    if (e->class_count != 0)
        print_classes(out, e, classes);
out:
    free(rows);
    free(classes);
    return status;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_recall(FILE *out, const char *key, akin_eval_recall r)
{
    fprintf(out, ",\"%s\":{\"queries\":%zu", key, r.queries);
    const struct {
        const char *key;
        double value;
    } fields[] = { { "recall_at_1", r.at1 }, { "recall_at_5", r.at5 }, { "recall_at_10", r.at10 },
                   { "median_rank", r.median_rank } };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        fprintf(out, ",\"%s\":", fields[i].key);
        if (r.queries == 0)
            fputs("null", out);
        else
            out_json_double(out, fields[i].value);
    }
    putc('}', out);
}

static void json_share(FILE *out, const char *key, size_t of, double share)
{
    fprintf(out, ",\"%s\":", key);
    if (of == 0)
        fputs("null", out);
    else
        out_json_double(out, share);
}

static void json_text(FILE *out, const char *before, const char *text)
{
    fputs(before, out);
    if (text == NULL)
        fputs("null", out);
    else
        out_json_text(out, text, strlen(text));
}

static void print_json(FILE *out, const char *manifest, const akin_evaluation *e)
{
    putc('{', out);
    out_json_name(out, "manifest", manifest, strlen(manifest));
    fprintf(out, ",\"pictures\":%zu,\"skipped\":%zu,\"texts\":%zu,\"concepts\":%zu,\"languages\":[",
            e->pictures, e->skipped, e->texts, e->concepts);
    for (size_t i = 0; i < e->row_count; i++) {
        const akin_eval_row *r = &e->rows[i];
        json_text(out, i == 0 ? "\n{\"language\":" : ",\n{\"language\":", r->language);
        fprintf(out, ",\"texts\":%zu", r->texts);
        json_recall(out, "text_to_picture", r->text_to_picture);
        json_recall(out, "picture_to_text", r->picture_to_text);
        fprintf(out, ",\"zero_shot\":{\"labels\":%zu,\"pictures\":%zu", r->labels, r->classified);
        json_share(out, "top1", r->classified, r->top1);
        json_share(out, "top5", r->classified, r->top5);
        json_share(out, "chance", r->classified, r->chance);
        fputs("}}", out);
    }
    json_text(out, "],\n\"table_language\":", e->table_language);
    fputs(",\"classes\":[", out);
    for (size_t i = 0; i < e->class_count; i++) {
        const akin_eval_concept *c = &e->classes[i];
        json_text(out, i == 0 ? "\n{\"concept\":" : ",\n{\"concept\":", c->concept);
        json_text(out, ",\"label\":", c->label);
        fprintf(out, ",\"pictures\":%zu,\"right\":%zu,\"right_in_5\":%zu,\"taken_for\":[",
                c->pictures, c->top1, c->top5);
        for (int k = 0; k < 3 && c->taken_for[k] != NULL; k++) {
            json_text(out, k == 0 ? "{\"label\":" : ",{\"label\":", c->taken_for[k]);
            fprintf(out, ",\"pictures\":%zu}", c->taken[k]);
        }
        fputs("]}", out);
    }
    fputs("]}\n", out);
}

/* ---- the verb ------------------------------------------------------------------------------- */

static akin_status write_page(const cli_args *args, const akin_evaluation *e, akin_error *err)
{
    akin_session_options limits = AKIN_SESSION_OPTIONS_INIT;
    char title[1024];
    limits.max_file_bytes = args->max_file;
    limits.max_memory_bytes = args->max_memory;
    limits.lenient = args->lenient;
    snprintf(title, sizeof title, "%s on %s", args->model, args->files.items[0]);
    return akin_evaluation_write_html(e, title, &limits, args->html, err);
}

static akin_status evaluate(const cli_args *args, akin_session *session, akin_evaluation **out,
                            akin_error *err)
{
    akin_eval_options options = AKIN_EVAL_OPTIONS_INIT;
    akin_status status = AKIN_OK;
    options.language = args->language;
    options.templates = args->templates_given.items;
    options.template_count = args->templates_given.count;
    if (args->template_set != NULL)
        AKIN_TRY(akin_templates(args->template_set, &options.templates, &options.template_count,
                                err));
    options.no_zero_shot = args->no_zero_shot;
    options.batch = args->batch;
    options.context = (void *)(uintptr_t)args; /* read by all of these */
    options.progress = on_progress;
    options.skipped = on_skipped;
    options.stop = on_stop;
    AKIN_TRY(akin_evaluate(session, args->files.items[0], &options, out, err));
out:
    return status;
}

int cli_eval(const cli_args *args)
{
    if (args->files.count != 1)
        return cli_usage_error(args, args->files.count == 0
                                         ? "give a manifest: a table or a folder (docs/eval.md)"
                                         : "one manifest at a time");
    if (args->template_set != NULL && args->templates_given.count != 0)
        return cli_usage_error(args, "give --template or --templates, not both");
    if (args->no_zero_shot && (args->template_set != NULL || args->templates_given.count != 0))
        return cli_usage_error(args, "templates are of labels, and --no-zero-shot has none");

    akin_error err = { 0 };
    cli_engine engine = { 0 };
    akin_evaluation *e = NULL;
    out_sink out = { 0 };
    if (cli_check_templates(args, &err) != AKIN_OK)
        return cli_report(args, &err);
    int exit_status = cli_engine_open(&engine, args, AKIN_PART_ALL);
    if (exit_status != CLI_DONE)
        goto out;
    akin_status status;
    AKIN_TRY(evaluate(args, engine.session, &e, &err));
    cli_progress_end();
    if (args->html != NULL)
        AKIN_TRY(write_page(args, e, &err));
    AKIN_TRY(out_open(&out, NULL, &err));
    if (args->json)
        print_json(out.stream, args->files.items[0], e);
    else
        AKIN_TRY(print_table(out.stream, args->files.items[0], e, !args->no_zero_shot, &err));
    AKIN_TRY(out_commit(&out, &err));
    exit_status = cli_finish(args, e->pictures, e->pictures - e->skipped, e->skipped);
out:
    cli_progress_end();
    if (err.code == AKIN_E_STOPPED && cli_signal() != 0) {
        cli_warn(args, "%s; nothing is told of what was measured", err.message);
        exit_status = 128 + cli_signal();
    } else if (err.code != AKIN_OK) {
        exit_status = cli_report(args, &err);
    }
    out_abort(&out);
    akin_evaluation_free(e);
    cli_engine_close(&engine);
    return exit_status;
}
