/* run.h - what every verb needs: exit statuses, messages, signals, an opened model. */
#ifndef AKIN_CLI_RUN_H
#define AKIN_CLI_RUN_H

#include "options.h"

/* Exit statuses are part of the interface; cli_exit_statuses says them to people. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_SKIPPED = 3 };

/* Tells an error on standard error: "akin: PATH: message", or with --json
 * {"error":{"code":...,"message":...,"path":...}}. Returns the exit status that goes with it:
 * AKIN_E_ARGUMENT is wrong usage, everything else a failure. */
int cli_report(const cli_args *args, const akin_error *err);

/* The same from its parts; cli_usage_error is an AKIN_E_ARGUMENT without a path. */
int cli_error(const cli_args *args, akin_status code, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int cli_usage_error(const cli_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "akin: warning: ...", or with --json {"warning":{"message":...}}. */
void cli_warn(const cli_args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same about a file. */
void cli_warn_of(const cli_args *args, const akin_error *what);

/* Whether a picture that was embedded is damaged (--lenient); then it is told with a warning that
 * names it, in JSON with a "path". */
bool cli_damaged(const cli_args *args, const akin_error *picture);

/* "text 3 ("a photo of...")": names a text in messages, shortened and escaped. */
void cli_name_text(char *buffer, size_t capacity, size_t index, const char *text);

/* After the first SIGINT or SIGTERM cli_signal() is its number, else 0: look between pieces of
 * work. A second one ends the process at once with 128 + its number. */
void cli_catch_signals(void);
int cli_signal(void);

/* A counter on standard error, for a person: nothing unless that is a terminal, standard output is
 * not in its way, and neither --quiet nor --json was given. */
void cli_progress(const cli_args *args, size_t done, size_t total);
void cli_progress_text(const cli_args *args, const char *text); /* a line of one's own */
void cli_progress_end(void);

/* "3 h 20 min", "4 min 10 s", "12 s". */
void cli_write_duration(char *out, size_t capacity, double seconds);

/* Ends a verb that went through `total` inputs, of which `failed` were named and skipped: says so
 * and returns the exit status. */
int cli_finish(const cli_args *args, size_t total, size_t done, size_t failed);

/* The model that --model or AKIN_MODEL names, its description and a session over it. */
typedef struct cli_engine {
    akin_model *model;
    akin_session *session;
    akin_model_info info;
    int threads; /* that are really used */
} cli_engine;

/* Returns CLI_DONE, or the exit status of an error it has told. Close it in both cases. */
int cli_engine_open(cli_engine *engine, const cli_args *args, unsigned parts);
/* The same for another model than the command line's; form and activation as in
 * akin_model_options. */
int cli_engine_open_as(cli_engine *engine, const cli_args *args, const char *model,
                       const char *form, const char *activation, unsigned parts);
void cli_engine_close(cli_engine *engine);

/* Why a text cannot be read, or AKIN_OK: one call of the library takes many texts and fails for
 * one, so texts are looked at before. */
akin_status cli_check_text(const char *text, akin_error *err);

/* What is wrong with a --template, named by the option, before a model is loaded. */
akin_status cli_check_templates(const cli_args *args, akin_error *err);

#endif
