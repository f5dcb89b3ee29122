/* verb_classify.c - `akin classify`: which of some labels fits a picture (zero-shot). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

enum { CHUNK = 16, LABELS_FILE_MAX = 64 << 20 };

typedef struct label_list {
    akin_buffer bytes;   /* the labels' own copy, cut at separators */
    const char **items;  /* point into bytes */
    size_t count;
} label_list;

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Cuts bytes at `separator` and trims. A blank label is refused by its position: it is nearly
 * always a slip (",," or an empty line), and would take probability from the others. */
static akin_status split_labels(label_list *l, char separator, const char *path, akin_error *err)
{
    size_t offset;
    if (l->bytes.size != 0 && !akin_utf8_valid(l->bytes.data, l->bytes.size, &offset))
        return akin_fail(err, AKIN_E_UTF8, path, "labels are not UTF-8 at byte %zu", offset);
    if (l->bytes.size != 0 && memchr(l->bytes.data, '\0', l->bytes.size) != NULL)
        return akin_fail(err, AKIN_E_FORMAT, path, "labels hold a NUL byte: not a text file");
    if (separator == '\n' && l->bytes.size != 0 && l->bytes.data[l->bytes.size - 1] == '\n')
        l->bytes.data[--l->bytes.size] = '\0'; /* ends the last line, begins no other */
    if (l->bytes.size == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, path, "no labels");
    size_t most = 1;
    for (size_t i = 0; i < l->bytes.size; i++)
        most += l->bytes.data[i] == separator;
    l->items = calloc(most, sizeof *l->items);
    if (l->items == NULL)
        return akin_fail_nomem(err, "labels", most * sizeof *l->items);
    char *p = l->bytes.data, *all_end = p + l->bytes.size;
    if (path != NULL && l->bytes.size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3; /* byte order mark */
    while (l->count < most) {
        char *end = memchr(p, separator, (size_t)(all_end - p));
        if (end == NULL)
            end = all_end;
        char *next = end + 1;
        while (p < end && is_blank(*p))
            p++;
        while (end > p && is_blank(end[-1]))
            end--;
        if (p == end)
            return akin_fail(err, AKIN_E_ARGUMENT, path, "label %zu%s is blank", l->count + 1,
                             path != NULL ? "" : " of --labels");
        *end = '\0';
        l->items[l->count++] = p;
        p = next;
    }
    return AKIN_OK;
}

static akin_status read_labels(label_list *l, const cli_args *args, akin_error *err)
{
    akin_status status;
    if (args->labels_file != NULL) {
        status = akin_file_read(args->labels_file, "labels file", LABELS_FILE_MAX, &l->bytes, err);
        return status != AKIN_OK ? status : split_labels(l, '\n', args->labels_file, err);
    }
    akin_buffer_init(&l->bytes, "labels", LABELS_FILE_MAX);
    status = akin_buffer_add_text(&l->bytes, args->labels, err);
    return status != AKIN_OK ? status : split_labels(l, ',', NULL, err);
}

static void free_labels(label_list *l)
{
    free(l->items);
    akin_buffer_clear(&l->bytes);
}

typedef struct scored {
    float probability;
    size_t label;
} scored;

/* Best first; equals in the order of the labels, so that the output does not depend on qsort. */
static int by_probability(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->probability != y->probability)
        return x->probability > y->probability ? -1 : 1;
    return x->label < y->label ? -1 : x->label > y->label;
}

typedef struct classify_run {
    const cli_args *args;
    cli_engine engine;
    label_list labels;
    size_t dimensions;
    float *label_rows;    /* [labels, dimensions] */
    float *rows;          /* [chunk, dimensions] */
    float *probabilities; /* [labels] */
    scored *order;        /* [labels] */
    akin_picture_input *pictures; /* [chunk] */
    akin_error *errors;   /* [chunk] */
    out_sink out;
    size_t done, failed;
} classify_run;

static void print_one(const classify_run *r, const char *path, bool damaged)
{
    FILE *out = r->out.stream;
    size_t shown = r->labels.count;
    if (r->args->top != 0 && r->args->top < shown)
        shown = r->args->top;
    if (r->args->json) {
        fputs(r->done == 0 ? "{" : ",\n{", out);
        out_json_name(out, "path", path, strlen(path));
        fputs(damaged ? ",\"damaged\":true,\"labels\":[" : ",\"labels\":[", out);
        for (size_t i = 0; i < shown; i++) {
            const char *label = r->labels.items[r->order[i].label];
            fputs(i == 0 ? "{\"label\":" : ",{\"label\":", out);
            out_json_text(out, label, strlen(label));
            fputs(",\"probability\":", out);
            out_json_float(out, r->order[i].probability);
            putc('}', out);
        }
        fputs("]}", out);
        return;
    }
    if (r->done != 0)
        putc('\n', out);
    out_escaped(out, path, strlen(path));
    putc('\n', out);
    for (size_t i = 0; i < shown; i++) {
        const char *label = r->labels.items[r->order[i].label];
        fprintf(out, "  %.4f  ", (double)r->order[i].probability);
        out_escaped(out, label, strlen(label));
        putc('\n', out);
    }
}

static akin_status classify_chunk(classify_run *r, size_t first, size_t count, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < count; i++)
        r->pictures[i] = (akin_picture_input){ .path = r->args->files.items[first + i] };
    AKIN_TRY(akin_embed_pictures(r->engine.session, r->pictures, count, 0, r->rows,
                                 count * r->dimensions, r->errors, err));
    for (size_t i = 0; i < count; i++) {
        if (r->errors[i].code != AKIN_OK) {
            cli_report(r->args, &r->errors[i]);
            r->failed++;
            continue;
        }
        AKIN_TRY(akin_classify(r->engine.model, r->rows + i * r->dimensions, r->label_rows,
                               r->labels.count, r->probabilities, r->labels.count, err));
        for (size_t k = 0; k < r->labels.count; k++)
            r->order[k] = (scored){ r->probabilities[k], k };
        qsort(r->order, r->labels.count, sizeof *r->order, by_probability);
        print_one(r, r->pictures[i].path, cli_damaged(r->args, &r->errors[i]));
        r->done++;
    }
    AKIN_TRY(out_flush(&r->out, err));
out:
    return status;
}

static akin_status classify_all(classify_run *r, akin_error *err)
{
    static const char *const standard[] = { "a photo of a {}" };
    const cli_args *args = r->args;
    const char *const *templates = args->templates_given.count != 0 ? args->templates_given.items
                                                                    : standard;
    size_t template_count = args->templates_given.count != 0 ? args->templates_given.count : 1;
    size_t total = args->files.count, chunk = args->batch != 0 ? args->batch : CHUNK;
    akin_status status = AKIN_OK;

    if (chunk > total)
        chunk = total;
    r->dimensions = (size_t)r->engine.info.dimensions;
    r->label_rows = calloc(r->labels.count, r->dimensions * sizeof *r->label_rows);
    r->rows = calloc(chunk, r->dimensions * sizeof *r->rows);
    r->probabilities = calloc(r->labels.count, sizeof *r->probabilities);
    r->order = calloc(r->labels.count, sizeof *r->order);
    r->errors = calloc(chunk, sizeof *r->errors);
    r->pictures = calloc(chunk, sizeof *r->pictures);
    if (r->label_rows == NULL || r->rows == NULL || r->probabilities == NULL || r->order == NULL ||
        r->errors == NULL || r->pictures == NULL)
        return akin_fail_nomem(err, "labels", 0);
    if (args->template_set != NULL)
        AKIN_TRY(akin_templates(args->template_set, &templates, &template_count, err));
    AKIN_TRY(akin_embed_labels(r->engine.session, r->labels.items, r->labels.count, templates,
                               template_count, r->label_rows, r->labels.count * r->dimensions,
                               err));
    AKIN_TRY(out_open(&r->out, NULL, err));
    if (args->json)
        putc('[', r->out.stream);
    for (size_t i = 0; i < total && cli_signal() == 0; i += chunk) {
        AKIN_TRY(classify_chunk(r, i, total - i < chunk ? total - i : chunk, err));
        if (total > chunk)
            cli_progress(args, i + chunk < total ? i + chunk : total, total);
    }
    if (args->json)
        fputs("]\n", r->out.stream);
    AKIN_TRY(out_commit(&r->out, err));
out:
    return status;
}

int cli_classify(const cli_args *args)
{
    if ((args->labels == NULL) == (args->labels_file == NULL))
        return cli_usage_error(args,
                               "give the labels with --labels A,B,C or with --labels-file FILE");
    if (args->template_set != NULL && args->templates_given.count != 0)
        return cli_usage_error(args, "give --template or --templates, not both");
    if (args->files.count == 0)
        return cli_usage_error(args, "no pictures given");

    akin_error err = { 0 };
    classify_run r = { .args = args };
    int exit_status = CLI_DONE;
    if (cli_check_templates(args, &err) != AKIN_OK ||
        read_labels(&r.labels, args, &err) != AKIN_OK) {
        exit_status = cli_report(args, &err);
        goto out;
    }
    exit_status = cli_engine_open(&r.engine, args, AKIN_PART_ALL);
    if (exit_status != CLI_DONE)
        goto out;
    if (classify_all(&r, &err) != AKIN_OK)
        exit_status = cli_report(args, &err);
    else
        exit_status = cli_finish(args, args->files.count, r.done, r.failed);
out:
    free(r.pictures);
    free(r.errors);
    free(r.order);
    free(r.probabilities);
    free(r.rows);
    free(r.label_rows);
    cli_engine_close(&r.engine);
    free_labels(&r.labels);
    return exit_status;
}
