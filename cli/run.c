/* run.c - messages, signals, progress, and opening the model. */
#include "run.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "output.h"

/* ---- Messages ------------------------------------------------------------------------------- */

static bool progress_shown; /* a counter stands on the terminal's last line */

int cli_report(const cli_args *args, const akin_error *err)
{
    cli_progress_end();
    if (args->json) {
        fputs("{\"error\":{\"code\":", stderr);
        out_json_text(stderr, akin_status_name(err->code), strlen(akin_status_name(err->code)));
        fputs(",\"message\":", stderr);
        out_json_text(stderr, err->message, strlen(err->message));
        fputc(',', stderr);
        if (err->path[0] != '\0')
            out_json_name(stderr, "path", err->path, strlen(err->path));
        else
            fputs("\"path\":null", stderr);
        fputs("}}\n", stderr);
    } else {
        fputs("akin: ", stderr);
        if (err->path[0] != '\0') {
            out_escaped(stderr, err->path, strlen(err->path));
            fputs(": ", stderr);
        }
        out_escaped(stderr, err->message, strlen(err->message));
        fputc('\n', stderr);
    }
    return err->code == AKIN_E_ARGUMENT ? CLI_USAGE : CLI_FAILED;
}

static int report_va(const cli_args *args, akin_status code, const char *path, const char *format,
                     va_list values)
{
    char message[2048]; /* longer than an akin_error takes, which marks what it cuts */
    akin_error err;
    vsnprintf(message, sizeof message, format, values);
    akin_fail(&err, code, path, "%s", message);
    return cli_report(args, &err);
}

int cli_error(const cli_args *args, akin_status code, const char *path, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int exit_status = report_va(args, code, path, format, values);
    va_end(values);
    return exit_status;
}

int cli_usage_error(const cli_args *args, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int exit_status = report_va(args, AKIN_E_ARGUMENT, NULL, format, values);
    va_end(values);
    return exit_status;
}

static void warn_about(const cli_args *args, const char *path, const char *message)
{
    cli_progress_end();
    if (args->json) {
        fputs("{\"warning\":{\"message\":", stderr);
        out_json_text(stderr, message, strlen(message));
        if (path[0] != '\0') {
            fputc(',', stderr);
            out_json_name(stderr, "path", path, strlen(path));
        }
        fputs("}}\n", stderr);
    } else {
        fputs("akin: warning: ", stderr);
        if (path[0] != '\0') {
            out_escaped(stderr, path, strlen(path));
            fputs(": ", stderr);
        }
        out_escaped(stderr, message, strlen(message));
        fputc('\n', stderr);
    }
}

void cli_warn(const cli_args *args, const char *format, ...)
{
    char message[5120]; /* a path and a message of the library fit */
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    warn_about(args, "", message);
}

void cli_warn_of(const cli_args *args, const akin_error *what)
{
    warn_about(args, what->path, what->message);
}

bool cli_damaged(const cli_args *args, const akin_error *picture)
{
    if (picture->code != AKIN_OK || picture->message[0] == '\0')
        return false;
    warn_about(args, picture->path, picture->message);
    return true;
}

void cli_name_text(char *buffer, size_t capacity, size_t index, const char *text)
{
    char shown[200];
    out_shorten(shown, sizeof shown, text, strlen(text), 40);
    snprintf(buffer, capacity, "text %zu (\"%s\")", index + 1, shown);
}

/* ---- Signals -------------------------------------------------------------------------------- */

static volatile sig_atomic_t signal_seen;

static void on_signal(int number)
{
    if (signal_seen != 0)
        _exit(128 + number);
    signal_seen = number;
}

void cli_catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM };
    /* SA_RESTART: a write that waits for a slow reader goes on waiting instead of failing. */
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL); /* ignored: whoever started us wants that */
}

int cli_signal(void) { return (int)signal_seen; }

/* ---- Progress ------------------------------------------------------------------------------- */

void cli_progress(const cli_args *args, size_t done, size_t total)
{
    if (args->quiet || args->json || !isatty(STDERR_FILENO))
        return;
    if (args->output == NULL && isatty(STDOUT_FILENO))
        return;
    fprintf(stderr, "\r%zu of %zu", done, total);
    fflush(stderr);
    progress_shown = true;
}

void cli_progress_text(const cli_args *args, const char *text)
{
    if (args->quiet || args->json || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    progress_shown = true;
}

void cli_progress_end(void)
{
    if (progress_shown)
        fputs("\r\033[K", stderr);
    progress_shown = false;
}

int cli_finish(const cli_args *args, size_t total, size_t done, size_t failed)
{
    cli_progress_end();
    int number = cli_signal();
    if (number != 0 && done + failed < total) {
        cli_warn(args, "stopped by a signal: %zu of %zu inputs done", done, total);
        return 128 + number;
    }
    if (failed == 0)
        return CLI_DONE;
    if (!args->json && total > 1)
        fprintf(stderr, "akin: %zu of %zu inputs skipped\n", failed, total);
    return done == 0 ? CLI_FAILED : CLI_SKIPPED;
}

/* ---- The model ------------------------------------------------------------------------------ */

static void on_library_warning(void *context, const char *message)
{
    cli_warn(context, "%s", message);
}

int cli_engine_open(cli_engine *engine, const cli_args *args, unsigned parts)
{
    return cli_engine_open_as(engine, args, args->model, args->form, args->activation, parts);
}

int cli_engine_open_as(cli_engine *engine, const cli_args *args, const char *model,
                       const char *form, const char *activation, unsigned parts)
{
    akin_error err = { 0 };
    *engine = (cli_engine){ .info = AKIN_MODEL_INFO_INIT };
    if (model == NULL)
        model = "mini";
    engine->threads = args->threads != 0 ? (int)args->threads : akin_cpu_count();

    akin_model_options model_options = AKIN_MODEL_OPTIONS_INIT;
    model_options.parts = parts;
    model_options.form = form;
    model_options.activation = activation;
    model_options.threads = engine->threads;
    if (args->precision != NULL && strcmp(args->precision, "f32") == 0)
        model_options.precision = AKIN_PRECISION_F32;
    else if (args->precision != NULL && strcmp(args->precision, "bf16") == 0)
        model_options.precision = AKIN_PRECISION_BF16;

    akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
    session_options.threads = engine->threads;
    session_options.max_file_bytes = args->max_file;
    session_options.max_memory_bytes = args->max_memory;
    session_options.lenient = args->lenient;
    if (args->verb->bit != VERB_BENCH) /* which says once what it would hear at every repeat */
        session_options.warn = on_library_warning;
    session_options.warn_context = (void *)(uintptr_t)args; /* on_library_warning only reads it */

    if (akin_model_open(&engine->model, model, &model_options, &err) != AKIN_OK ||
        akin_model_describe(engine->model, &engine->info, &err) != AKIN_OK ||
        akin_session_new(&engine->session, engine->model, &session_options, &err) != AKIN_OK)
        return cli_report(args, &err);
    return CLI_DONE;
}

void cli_engine_close(cli_engine *engine)
{
    akin_session_free(engine->session);
    akin_model_close(engine->model);
    *engine = (cli_engine){ 0 };
}

akin_status cli_check_text(const char *text, akin_error *err)
{
    size_t offset;
    if (akin_utf8_valid(text, strlen(text), &offset))
        return AKIN_OK;
    return akin_fail(err, AKIN_E_UTF8, NULL, "not UTF-8 at byte %zu", offset);
}

void cli_write_duration(char *out, size_t capacity, double seconds)
{
    const long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, capacity, "%ld h %ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(out, capacity, "%ld min %ld s", s / 60, s % 60);
    else
        snprintf(out, capacity, "%ld s", s);
}

akin_status cli_check_templates(const cli_args *args, akin_error *err)
{
    for (size_t i = 0; i < args->templates_given.count; i++) {
        const char *text = args->templates_given.items[i];
        const char *const *set;
        size_t count, offset;
        if (!akin_utf8_valid(text, strlen(text), &offset))
            return akin_fail(err, AKIN_E_UTF8, NULL, "--template %zu is not UTF-8 at byte %zu",
                             i + 1, offset);
        const char *hole = strstr(text, "{}");
        if (hole != NULL && strstr(hole + 2, "{}") == NULL)
            continue;
        if (akin_templates(text, &set, &count, NULL) == AKIN_OK)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                             "'%s' is a set of templates: --templates %s", text, text);
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "--template '%s' must hold {} exactly once, where the label goes", text);
    }
    return AKIN_OK;
}
