/* verb_tokenize.c - `akin tokenize`: the ids the model really sees of a text. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

static void print_line(FILE *out, const char *text, const int32_t *ids, size_t count)
{
    fputs("{\"text\":", out);
    out_json_text(out, text, strlen(text));
    fputs(",\"ids\":[", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, i == 0 ? "%d" : ",%d", (int)ids[i]);
    fputs("]}\n", out);
}

int cli_tokenize(const cli_args *args)
{
    if (args->files.count != 0)
        return cli_usage_error(args, "texts are given with --text: --text '%s'",
                               args->files.items[0]);
    if (args->text.count == 0)
        return cli_usage_error(args, "no text given: --text TEXT");

    akin_error err = { 0 };
    akin_status status = AKIN_OK;
    cli_engine engine;
    size_t done = 0, failed = 0;
    int32_t *ids = NULL;
    out_sink out = { 0 };
    int exit_status = cli_engine_open(&engine, args, AKIN_PART_TOKENIZER);
    if (exit_status != CLI_DONE)
        goto close;
    size_t capacity = (size_t)engine.info.text_tokens;
    ids = calloc(capacity, sizeof *ids);
    if (ids == NULL) {
        exit_status = cli_error(args, AKIN_E_NOMEM, NULL, "out of memory: %zu token ids", capacity);
        goto close;
    }
    AKIN_TRY(out_open(&out, NULL, &err));
    for (size_t i = 0; i < args->text.count && cli_signal() == 0; i++) {
        const char *text = args->text.items[i];
        char name[256];
        size_t count;
        bool cut = false;
        cli_name_text(name, sizeof name, i, text);
        if (akin_tokenize(engine.model, text, strlen(text), ids, capacity, &count, &cut, &err) !=
            AKIN_OK) {
            cli_error(args, err.code, err.path, "%s: %s", name, err.message);
            failed++;
            continue;
        }
        print_line(out.stream, text, ids, count);
        done++;
        if (cut)
            cli_warn(args, "%s was cut to %zu tokens, all the model takes", name, count);
    }
    AKIN_TRY(out_commit(&out, &err));
out:
    exit_status = status != AKIN_OK ? cli_report(args, &err)
                                    : cli_finish(args, args->text.count, done, failed);
close:
    free(ids);
    cli_engine_close(&engine);
    return exit_status;
}
