/* verb_embed.c - `akin embed`: texts and pictures to vectors, as JSON lines or one NumPy array.
 *
 * Inputs go through in chunks, so that memory does not grow with their number and a signal waits
 * for one chunk at most.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

enum { CHUNK = 16 };

typedef struct embed_run {
    const cli_args *args;
    cli_engine engine;
    size_t chunk, dimensions;
    float *rows;        /* [chunk, dimensions] */
    akin_error *errors; /* [chunk] */
    const char **texts; /* [chunk]: those that are UTF-8 */
    akin_picture_input *pictures; /* [chunk] */
    bool as_npy;
    out_sink lines;
    out_npy npy;
    bool *kept;         /* [inputs]; npy only */
    size_t total, done, failed;
} embed_run;

static bool is_text(const embed_run *r, size_t input) { return input < r->args->text.count; }

static const char *input_name(const embed_run *r, size_t input)
{
    return is_text(r, input) ? r->args->text.items[input]
                             : r->args->files.items[input - r->args->text.count];
}

/* Texts [first, first + count) to rows and errors. */
static akin_status embed_texts(embed_run *r, size_t first, size_t count, unsigned flags,
                               akin_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const char *text = r->args->text.items[first + i];
        if (cli_check_text(text, &r->errors[i]) != AKIN_OK) {
            char name[256];
            akin_error why = r->errors[i];
            cli_name_text(name, sizeof name, first + i, text);
            akin_fail(&r->errors[i], why.code, NULL, "%s: %s", name, why.message);
        } else {
            r->errors[i].code = AKIN_OK;
            r->errors[i].message[0] = '\0';
            r->texts[n++] = text;
        }
    }
    akin_status status = AKIN_OK;
    if (n != 0)
        status = akin_embed_texts(r->engine.session, r->texts, NULL, n, flags, r->rows,
                                  r->chunk * r->dimensions, err);
    /* Rows lie one behind the other; from the last on, each moves up to its own place. */
    for (size_t i = count; status == AKIN_OK && i-- > 0;)
        if (r->errors[i].code == AKIN_OK && --n != i)
            memcpy(r->rows + i * r->dimensions, r->rows + n * r->dimensions,
                   r->dimensions * sizeof *r->rows);
    return status;
}

static akin_status embed_files(embed_run *r, size_t first, size_t count, unsigned flags,
                               akin_error *err)
{
    for (size_t i = 0; i < count; i++)
        r->pictures[i] = (akin_picture_input){ .path = r->args->files.items[first + i] };
    return akin_embed_pictures(r->engine.session, r->pictures, count, flags, r->rows,
                               r->chunk * r->dimensions, r->errors, err);
}

static akin_status write_chunk(embed_run *r, size_t first, size_t count, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < count; i++) {
        const float *row = r->rows + i * r->dimensions;
        if (r->errors[i].code != AKIN_OK) {
            cli_report(r->args, &r->errors[i]);
            r->failed++;
            continue;
        }
        r->done++;
        const bool damaged = cli_damaged(r->args, &r->errors[i]);
        if (r->as_npy) {
            r->kept[first + i] = true;
            AKIN_TRY(out_npy_add(&r->npy, row, r->dimensions, err));
            continue;
        }
        FILE *out = r->lines.stream;
        const char *name = input_name(r, first + i);
        putc('{', out);
        out_json_name(out, "input", name, strlen(name));
        fprintf(out, ",\"type\":\"%s\",%s\"embedding\":", is_text(r, first + i) ? "text" : "image",
                damaged ? "\"damaged\":true," : "");
        out_json_floats(out, row, r->dimensions);
        fputs("}\n", out);
    }
    if (!r->as_npy)
        AKIN_TRY(out_flush(&r->lines, err));
out:
    return status;
}

static akin_status embed_all(embed_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    unsigned flags = r->args->raw ? AKIN_RAW : 0;
    size_t texts = r->args->text.count;
    for (size_t i = 0; i < r->total && cli_signal() == 0;) {
        size_t end = is_text(r, i) ? texts : r->total; /* no chunk has both */
        size_t count = end - i < r->chunk ? end - i : r->chunk;
        if (is_text(r, i))
            AKIN_TRY(embed_texts(r, i, count, flags, err));
        else
            AKIN_TRY(embed_files(r, i - texts, count, flags, err));
        AKIN_TRY(write_chunk(r, i, count, err));
        i += count;
        if (r->failed != 0 && r->as_npy && !r->args->skip_broken)
            break; /* nothing will be written */
        if (r->total > r->chunk)
            cli_progress(r->args, i, r->total);
    }
out:
    return status;
}

/* OUT.txt: the input of each row, one a line, escaped so that a line break in one stays in it. */
static akin_status write_kept(const embed_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    out_sink list = { 0 };
    size_t length = strlen(r->args->output) + 5;
    char *path = malloc(length);
    if (path == NULL)
        return akin_fail_nomem(err, "path", length);
    snprintf(path, length, "%s.txt", r->args->output);
    AKIN_TRY(out_open(&list, path, err));
    for (size_t i = 0; i < r->total; i++) {
        if (!r->kept[i])
            continue;
        out_escaped(list.stream, input_name(r, i), strlen(input_name(r, i)));
        putc('\n', list.stream);
    }
    AKIN_TRY(out_commit(&list, err));
out:
    out_abort(&list);
    free(path);
    return status;
}

static akin_status finish_npy(embed_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    size_t shape[2] = { r->done, r->dimensions };
    if (r->done + r->failed < r->total && cli_signal() != 0)
        cli_warn(r->args, "nothing was written: an array is whole or not at all");
    if (r->done + r->failed < r->total || r->done == 0 || (r->failed != 0 && !r->args->skip_broken))
        return AKIN_OK; /* nothing is written; cli_finish says the rest */
    AKIN_TRY(out_npy_commit(&r->npy, shape, 2, err));
    if (r->args->skip_broken)
        AKIN_TRY(write_kept(r, err));
out:
    return status;
}

static int check_usage(const cli_args *args)
{
    bool npy = args->format != NULL && strcmp(args->format, "npy") == 0;
    if (args->text.count + args->files.count == 0)
        return cli_usage_error(args, "nothing to embed: give --text TEXT or files");
    if (args->skip_broken && !npy)
        return cli_usage_error(args,
                               "--skip-broken is for --format npy; JSON lines always leave out "
                               "inputs that fail");
    if (args->skip_broken && args->output == NULL)
        return cli_usage_error(args,
                               "--skip-broken needs -o OUT: the inputs kept are listed in OUT.txt");
    if (npy && args->output == NULL && isatty(STDOUT_FILENO))
        return cli_usage_error(args, "a NumPy array is not for a terminal: give -o OUT.npy");
    return CLI_DONE;
}

int cli_embed(const cli_args *args)
{
    int exit_status = check_usage(args);
    if (exit_status != CLI_DONE)
        return exit_status;

    akin_error err = { 0 };
    embed_run r = { .args = args, .total = args->text.count + args->files.count };
    r.as_npy = args->format != NULL && strcmp(args->format, "npy") == 0;
    unsigned parts = (args->text.count != 0 ? AKIN_PART_TEXT : 0u) |
                     (args->files.count != 0 ? AKIN_PART_IMAGE : 0u);
    exit_status = cli_engine_open(&r.engine, args, parts);
    if (exit_status != CLI_DONE)
        goto out;

    akin_status status = AKIN_OK;
    r.chunk = args->batch != 0 ? args->batch : CHUNK;
    if (r.chunk > r.total)
        r.chunk = r.total;
    r.dimensions = (size_t)r.engine.info.dimensions;
    r.rows = calloc(r.chunk * r.dimensions, sizeof *r.rows);
    r.errors = calloc(r.chunk, sizeof *r.errors);
    r.kept = calloc(r.total, sizeof *r.kept);
    r.texts = calloc(r.chunk, sizeof *r.texts);
    r.pictures = calloc(r.chunk, sizeof *r.pictures);
    if (r.rows == NULL || r.errors == NULL || r.kept == NULL || r.texts == NULL ||
        r.pictures == NULL)
        status = akin_fail_nomem(&err, "vectors", 0);
    if (status == AKIN_OK)
        status = r.as_npy ? out_npy_open(&r.npy, args->output, &err)
                          : out_open(&r.lines, args->output, &err);
    if (status == AKIN_OK)
        status = embed_all(&r, &err);
    if (status == AKIN_OK && r.as_npy)
        status = finish_npy(&r, &err);
    else if (status == AKIN_OK && r.done != 0)
        status = out_commit(&r.lines, &err);
    if (status != AKIN_OK) {
        exit_status = cli_report(args, &err);
        goto out;
    }
    if (r.as_npy && r.failed != 0 && !args->skip_broken) {
        if (!args->json)
            fputs("akin: nothing was written; --skip-broken leaves out what fails\n", stderr);
        exit_status = CLI_FAILED;
        goto out;
    }
    exit_status = cli_finish(args, r.total, r.done, r.failed);
out:
    if (r.as_npy)
        out_npy_abort(&r.npy);
    else
        out_abort(&r.lines);
    free(r.pictures);
    free(r.texts);
    free(r.kept);
    free(r.errors);
    free(r.rows);
    cli_engine_close(&r.engine);
    return exit_status;
}
