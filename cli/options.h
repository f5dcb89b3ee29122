/* options.h - the one table of verbs and options, and what a command line says through it.
 *
 * The table drives parsing, `--help`, the man page and shell completion (manual.c): a flag that is
 * not in it does not exist, and one that is in it is documented.
 */
#ifndef AKIN_CLI_OPTIONS_H
#define AKIN_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "akin.h"

typedef struct cli_list {
    const char **items; /* borrowed from argv */
    size_t count;
} cli_list;

enum { CLI_BATCH_MAX = 4096, CLI_TRAIN_BATCH_MAX = 1 << 20 };

typedef struct cli_verb cli_verb;

/* What was asked for; zero and NULL where nothing was said. Strings are borrowed from argv and the
 * environment. */
typedef struct cli_args {
    const cli_verb *verb;
    bool help;
    cli_list files; /* what is no option, in order */

    bool json, quiet;
    const char *model, *precision, *form, *activation;
    size_t threads, max_file, max_memory;

    cli_list text, templates_given;
    const char *output, *format;
    bool raw, skip_broken, lenient;
    const char *labels, *labels_file, *template_set;
    size_t top, batch, repeat, tokens;
    double seconds;
    const char *what;

    bool model_given; /* on the command line, not by AKIN_MODEL */
    const char *db, *collection;
    bool here, include_hidden, prune, dry_run, watch, nice, no_videos;
    cli_list exclude;
    const char *files_from, *stored;
    size_t workers;
    double frames, wait;

    const char *image, *not_text, *after, *before, *where, *html;
    cli_list in, ext;
    size_t k, offset, rows, dimensions;
    double weight, min_score, min_z, relative; /* NaN: not given */
    bool with_self, exclude_self, paths, null, jsonl;
    bool skipped, repair, missing;

    const char *config, *from, *preset, *loss, *held_out, *stages;
    bool projections, warm_start, fixed_temperature, any_batch, resume, f16;
    size_t steps, chunk, warmup, seed, every, patience, loaders, cache;
    double epochs, rate, decay, clip, hold_out, temperature, concept_floor, patches, augment, save_every;
    const char *language;
    bool no_zero_shot;

    const char *completion; /* the hidden options of `help` */
    bool man;
} cli_args;

typedef enum cli_kind {
    KIND_FLAG,    /* bool */
    KIND_VALUE,   /* const char *, any text but an empty one */
    KIND_CHOICE,  /* const char *, one of those in `value`, separated by '|' */
    KIND_LIST,    /* cli_list, any text; repeatable */
    KIND_COUNT,   /* size_t, 1 to max */
    KIND_SIZE,    /* size_t in bytes: 4096, 512M, 2G */
    KIND_SECONDS, /* double, above 0 */
    KIND_NUMBER,  /* double, any; NaN when not given */
    KIND_OFFSET   /* size_t, 0 to max */
} cli_kind;

/* Which verbs take an option. */
enum {
    VERB_EMBED = 1,
    VERB_CLASSIFY = 2,
    VERB_TOKENIZE = 4,
    VERB_PREPROCESS = 8,
    VERB_BENCH = 16,
    VERB_MODEL = 32,
    VERB_HELP = 64,
    VERB_INDEX = 128,
    VERB_SEARCH = 256,
    VERB_INFO = 512,
    VERB_VERIFY = 1024,
    VERB_COMPACT = 2048,
    VERB_REINDEX = 4096,
    VERB_COPY = 8192,
    VERB_EXPORT = 16384,
    VERB_IMPORT = 32768,
    VERB_EVAL = 65536,
    VERB_TRAIN = 131072,
    VERB_COLLECTION = VERB_INDEX | VERB_SEARCH | VERB_INFO | VERB_VERIFY | VERB_COMPACT |
        VERB_REINDEX | VERB_COPY | VERB_EXPORT | VERB_IMPORT,
    VERB_MODEL_USING = VERB_EMBED | VERB_CLASSIFY | VERB_TOKENIZE | VERB_PREPROCESS | VERB_BENCH |
        VERB_MODEL | VERB_INDEX | VERB_SEARCH | VERB_REINDEX | VERB_EVAL,
    VERB_WORKING = VERB_MODEL_USING | VERB_COLLECTION | VERB_TRAIN
};

typedef struct cli_option {
    const char *name;  /* without the dashes */
    char letter;       /* "-o"; 0: none */
    cli_kind kind;
    const char *value; /* its name in the help, or the choices; NULL for a flag */
    unsigned verbs;
    size_t offset; /* of the field in cli_args */
    size_t max;    /* of a KIND_COUNT */
    const char *help;  /* NULL: hidden */
} cli_option;

struct cli_verb {
    const char *name;
    unsigned bit;
    const char *arguments;   /* the synopsis after the name */
    const char *summary;     /* one line */
    const char *description; /* paragraphs, separated by an empty line */
    const char *examples;    /* lines */
    int (*run)(const cli_args *args);
};

typedef struct cli_topic {
    const char *name, *text;
} cli_topic;

extern const cli_option cli_options[];
extern const size_t cli_option_count;
extern const cli_verb cli_verbs[];
extern const size_t cli_verb_count;
extern const cli_topic cli_exit_statuses[];
extern const size_t cli_exit_status_count;
extern const cli_topic cli_environment[];
extern const size_t cli_environment_count;

const cli_verb *cli_verb_named(const char *name);

/* Reads argv[1..argc) into *args (cleared by cli_args_clear, also after an error). AKIN_E_ARGUMENT
 * says what is wrong and what to write instead; args->json is right even then. */
akin_status cli_args_parse(cli_args *args, int argc, char **argv, akin_error *err);
void cli_args_clear(cli_args *args);

/* manual.c: what the table says, for people and shells. Each returns false when `which` is not
 * known. */
void cli_print_usage(FILE *out);
void cli_print_help(FILE *out, const cli_verb *verb);
void cli_print_man(FILE *out);
bool cli_print_completion(FILE *out, const char *shell);

#endif
