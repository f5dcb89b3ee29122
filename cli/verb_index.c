/* verb_index.c - `akin index` and `akin reindex`: pictures into a collection. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "collection.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

enum { LIST_BYTES = 1 << 30 };

/* ---- Paths ---------------------------------------------------------------------------------- */

/* What --files-from adds to the command line. */
typedef struct path_list {
    akin_buffer text;
    const char **items;
    size_t count;
} path_list;

static void paths_clear(path_list *paths)
{
    akin_buffer_clear(&paths->text);
    free(paths->items);
}

/* Not akin_file_read: a list may be a pipe, --files-from <(find ...). */
static akin_status read_list(const char *path, akin_buffer *text, akin_error *err)
{
    const bool standard = strcmp(path, "-") == 0;
    const int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    akin_status status = AKIN_OK;
    if (fd < 0)
        return akin_fail_errno(err, errno, path, "cannot open");
    for (;;) {
        AKIN_TRY(akin_buffer_reserve(text, 65536, err));
        const ssize_t got = read(fd, text->data + text->size, 65536);
        if (got == 0 || (got < 0 && errno == EINTR && cli_signal() != 0))
            break;
        if (got < 0 && errno != EINTR) {
            status = akin_fail_errno(err, errno, standard ? NULL : path,
                                     standard ? "cannot read standard input" : "cannot read");
            goto out;
        }
        text->size += got > 0 ? (size_t)got : 0;
    }
out:
    if (!standard)
        close(fd);
    return status;
}

static akin_status gather_paths(path_list *paths, const cli_args *args, akin_error *err)
{
    const char end = args->null ? '\0' : '\n';
    size_t lines = 1;
    akin_status status = AKIN_OK;
    akin_buffer_init(&paths->text, "a list of files", LIST_BYTES);
    if (args->files_from != NULL)
        AKIN_TRY(read_list(args->files_from, &paths->text, err));
    if (!args->null && paths->text.size != 0 &&
        memchr(paths->text.data, '\0', paths->text.size) != NULL) {
        status = akin_fail(err, AKIN_E_ARGUMENT, args->files_from,
                           "a list with NUL bytes: -0 reads one whose paths end so");
        goto out;
    }
    for (size_t i = 0; i < paths->text.size; i++)
        lines += paths->text.data[i] == end;
    paths->items = calloc(args->files.count + lines + 1, sizeof *paths->items);
    if (paths->items == NULL) {
        status = akin_fail_nomem(err, "paths", 0);
        goto out;
    }
    for (size_t i = 0; i < args->files.count; i++)
        paths->items[paths->count++] = args->files.items[i];
    for (size_t i = 0, start = 0; i < paths->text.size; i++) {
        const bool last = i + 1 == paths->text.size;
        if (paths->text.data[i] != end && !last)
            continue;
        const size_t stop = paths->text.data[i] == end ? i : i + 1;
        paths->text.data[stop] = '\0'; /* the buffer has a NUL behind its end */
        if (stop > start)
            paths->items[paths->count++] = paths->text.data + start;
        start = i + 1;
    }
out:
    return status;
}

/* ---- What happens --------------------------------------------------------------------------- */

/* A file that was skipped, for the JSON at the end. */
typedef struct skip_entry {
    char *path, *reason;
    akin_status code;
} skip_entry;

typedef struct listener {
    const cli_args *args;
    skip_entry *skips; /* with --json */
    size_t count, capacity;
    size_t skipped;    /* told */
} listener;

static void listener_clear(listener *l)
{
    for (size_t i = 0; i < l->count; i++) {
        free(l->skips[i].path);
        free(l->skips[i].reason);
    }
    free(l->skips);
    *l = (listener){ .args = l->args };
}

static void on_skipped(void *context, const akin_error *why)
{
    listener *l = context;
    cli_report(l->args, why);
    l->skipped++;
    if (!l->args->json)
        return;
    skip_entry *grown = akin_grow(l->skips, &l->capacity, l->count + 1, sizeof *grown);
    if (grown == NULL)
        return; /* it was told on standard error; the count is right */
    l->skips = grown;
    skip_entry entry = { strdup(why->path), strdup(why->message), why->code };
    if (entry.path == NULL || entry.reason == NULL) {
        free(entry.path);
        free(entry.reason);
        return;
    }
    l->skips[l->count++] = entry;
}

static void on_note(void *context, const akin_error *what)
{
    cli_warn_of(((listener *)context)->args, what);
}

static bool on_stop(void *context)
{
    (void)context;
    return cli_signal() != 0;
}

static void on_progress(void *context, const akin_index_progress *p)
{
    enum { BAR = 24 };
    char line[200], left[64] = "?", bar[BAR + 1];
    const double rate = p->seconds > 0 ? (double)p->indexed / p->seconds : 0;
    const size_t filled = p->total > 0 ? p->done * BAR / p->total : BAR;
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR] = '\0';
    if (rate > 0 && p->total >= p->done)
        cli_write_duration(left, sizeof left, (double)(p->total - p->done) / rate);
    snprintf(line, sizeof line, "[%s] %zu of %zu, %.1f photos/s, %s left", bar, p->done, p->total,
             rate, left);
    cli_progress_text(((listener *)context)->args, line);
}

/* ---- The summary ---------------------------------------------------------------------------- */

static void add_count(FILE *out, size_t count, const char *what)
{
    if (count > 0)
        fprintf(out, ", %zu %s", count, what);
}

static void print_plain(FILE *out, const akin_index_report *r, bool dry)
{
    if (dry) {
        fprintf(out, "would read %zu new and %zu changed files; %zu unchanged", r->new_files,
                r->changed_files, r->unchanged);
    } else if (r->indexed == 0 && r->moved + r->returned + r->missing + r->hidden + r->skipped +
                                      r->duplicates + r->kept == 0) {
        fprintf(out, "nothing to do: %zu unchanged", r->unchanged);
    } else {
        fprintf(out, "indexed %zu in %.1f s", r->indexed, r->seconds);
        if (r->indexed > 0 && r->seconds > 0)
            fprintf(out, " (%.1f a second)", (double)r->indexed / r->seconds);
        add_count(out, r->unchanged, "unchanged");
    }
    add_count(out, r->duplicates, "with known content");
    add_count(out, r->moved, "moved");
    add_count(out, r->returned, "returned");
    add_count(out, r->missing, dry ? "would be marked missing" : "marked missing");
    add_count(out, r->hidden, dry ? "would be left out by a rule" : "left out by a rule");
    add_count(out, r->kept, "gone but kept");
    add_count(out, r->skipped, "skipped");
    add_count(out, r->skipped_before, "skipped before (akin info --skipped)");
    fputc('\n', out);
}

static int compare_skips(const void *a, const void *b)
{
    return strcmp(((const skip_entry *)a)->path, ((const skip_entry *)b)->path);
}

/* Skipped files by path: the order in which workers met them is of no use. */
static void print_json(FILE *out, const akin_index_report *r, const listener *l, bool dry)
{
    if (l->count > 1)
        qsort(l->skips, l->count, sizeof *l->skips, compare_skips);
    fprintf(out,
            "{\"indexed\":%zu,\"unchanged\":%zu,\"moved\":%zu,\"returned\":%zu,\"missing\":%zu,"
            "\"skipped\":[",
            r->indexed, r->unchanged, r->moved, r->returned, r->missing);
    for (size_t i = 0; i < l->count; i++) {
        const skip_entry *s = &l->skips[i];
        const char *code = akin_status_name(s->code);
        fputs(i == 0 ? "{" : ",{", out);
        out_json_name(out, "path", s->path, strlen(s->path));
        fputs(",\"code\":", out);
        out_json_text(out, code, strlen(code));
        fputs(",\"reason\":", out);
        out_json_text(out, s->reason, strlen(s->reason));
        fputc('}', out);
    }
    fprintf(out,
            "],\"skipped_before\":%zu,\"hidden\":%zu,\"duplicates\":%zu,\"kept\":%zu",
            r->skipped_before, r->hidden, r->duplicates, r->kept);
    if (dry)
        fprintf(out, ",\"dry_run\":true,\"new_files\":%zu,\"changed_files\":%zu", r->new_files,
                r->changed_files);
    fputs(",\"seconds\":", out);
    out_json_double(out, r->seconds);
    fputs("}\n", out);
}

static int print_summary(const cli_args *args, const akin_index_report *report, const listener *l)
{
    akin_error err = { 0 };
    out_sink out;
    cli_progress_end();
    if (out_open(&out, NULL, &err) != AKIN_OK)
        return cli_report(args, &err);
    if (args->json)
        print_json(out.stream, report, l, args->dry_run);
    else if (!args->quiet)
        print_plain(out.stream, report, args->dry_run);
    return out_commit(&out, &err) == AKIN_OK ? CLI_DONE : cli_report(args, &err);
}

/* ---- Being polite --------------------------------------------------------------------------- */

/* Before any thread is begun, so that all of them are. What the system refuses costs others time,
 * not the work. */
static void be_nice(void)
{
    (void)!setpriority(PRIO_PROCESS, 0, 19);
#ifdef SYS_ioprio_set
    enum { IOPRIO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };
    (void)!syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_IDLE);
#endif
}

static akin_stored stored_of(const cli_args *args)
{
    return args->stored == NULL             ? (akin_stored)0
           : strcmp(args->stored, "f32") == 0 ? AKIN_STORED_F32
                                              : AKIN_STORED_F16;
}

static akin_index_options index_options(const cli_args *args, listener *l)
{
    akin_index_options o = AKIN_INDEX_OPTIONS_INIT;
    o.workers = (int)(args->workers != 0 ? args->workers : args->threads);
    o.max_file_bytes = args->max_file;
    o.max_memory_bytes = args->max_memory;
    o.lenient = args->lenient;
    o.exclude = args->exclude.items;
    o.exclude_count = args->exclude.count;
    o.include_hidden = args->include_hidden;
    o.prune = args->prune;
    o.dry_run = args->dry_run;
    o.frame_seconds = args->no_videos ? 0 : args->frames > 0 ? args->frames : o.frame_seconds;
    o.context = l;
    o.progress = on_progress;
    o.skipped = on_skipped;
    o.note = on_note;
    o.stop = on_stop;
    return o;
}

/* ---- Watching ------------------------------------------------------------------------------- */

static void on_mode(void *context, const char *text)
{
    const listener *l = context;
    if (!l->args->quiet && !l->args->json)
        fprintf(stderr, "akin: %s\n", text);
}

static void on_passed(void *context, const akin_index_report *report, const akin_error *err)
{
    listener *l = context;
    const bool nothing = report->indexed + report->moved + report->returned + report->missing +
                             report->hidden + report->skipped + report->duplicates == 0;
    if (!nothing || l->args->json)
        print_summary(l->args, report, l);
    if (err->code != AKIN_OK && err->code != AKIN_E_STOPPED)
        cli_report(l->args, err);
    listener_clear(l);
}

/* ---- The verbs ------------------------------------------------------------------------------ */

/* Prints the summary (report NULL: that was done); the exit status of a run that ended so. */
static int finish(const cli_args *args, const akin_index_report *report, akin_status status,
                  const akin_error *err, const listener *l)
{
    const bool begun = status != AKIN_E_ARGUMENT;
    const int printed = report != NULL && begun ? print_summary(args, report, l) : CLI_DONE;
    if (cli_signal() != 0 && (status == AKIN_E_STOPPED || status == AKIN_OK))
        return 128 + cli_signal();
    if (status != AKIN_OK)
        return cli_report(args, err);
    if (printed != CLI_DONE)
        return printed;
    return l->skipped > 0 ? CLI_SKIPPED : CLI_DONE;
}

/* A slip of the finger is no reason to make a collection. */
static bool any_is_there(const path_list *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        if (access(paths->items[i], F_OK) == 0 || akin_path_is_link(paths->items[i]))
            return true;
    return false;
}

/* The model of the collection that is there, or of the one to make. *exists says which. */
static int open_model(cli_engine *engine, const cli_place *place, const cli_args *args,
                      bool *exists)
{
    akin_collection *c = NULL;
    int exit_status = cli_collection_open(&c, place, args, false, true);
    *exists = c != NULL;
    if (exit_status != CLI_DONE)
        return exit_status;
    if (c != NULL)
        exit_status = cli_collection_engine(engine, c, args, AKIN_PART_PREPROCESS);
    else
        exit_status = cli_engine_open(engine, args, AKIN_PART_PREPROCESS);
    akin_collection_close(c);
    return exit_status;
}

static int index_dry(const cli_args *args, const cli_place *place, const path_list *paths,
                     const akin_index_options *options, listener *l)
{
    akin_index_report report = AKIN_INDEX_REPORT_INIT;
    akin_error err = { 0 };
    akin_collection *c = NULL;
    int exit_status = cli_collection_open(&c, place, args, false, true);
    if (exit_status != CLI_DONE)
        return exit_status;
    akin_status status = akin_index(c, NULL, paths->items, paths->count, options, &report, &err);
    akin_collection_close(c);
    return finish(args, &report, status, &err, l);
}

/* Whoever named no model is told once a run that the one they got is not for what they have. */
static void tell_photographs(const cli_args *args, akin_collection *c)
{
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    akin_error err = { 0 };
    if (args->model_given || c == NULL || akin_collection_glance(c, &info, &err) != AKIN_OK ||
        !cli_beyond_mini(&info))
        return;
    if (args->json) {
        cli_warn(args, "there are photographs among these, and mini, the model that comes with "
                       "akin, knows drawings, icons and emoji; for photographs: " CLI_PHOTO_ADVICE);
        return;
    }
    fputs("akin: there are photographs among these, and mini, the model that comes with akin, "
          "knows drawings, icons and emoji\n"
          "akin: for photographs: " CLI_PHOTO_ADVICE "\n",
          stderr);
}

static int index_once(const cli_args *args, const cli_place *place,
                      const akin_collection_options *how, const cli_engine *engine,
                      const path_list *paths, const akin_index_options *options, listener *l)
{
    akin_index_report report = AKIN_INDEX_REPORT_INIT;
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    akin_error err = { 0 };
    akin_collection *c = NULL;
    if (akin_collection_open(&c, place->db, place->name, how, &err) != AKIN_OK)
        return cli_report(args, &err);
    if (akin_collection_glance(c, &info, &err) == AKIN_OK) {
        if (info.advice != NULL && !args->quiet)
            cli_warn(args, "%s", info.advice);
        if (args->stored != NULL && stored_of(args) != info.stored)
            cli_warn(args, "this collection keeps its vectors as %s; to change that: akin reindex",
                     info.stored == AKIN_STORED_F32 ? "f32" : "f16");
    }
    akin_status status =
        akin_index(c, engine->model, paths->items, paths->count, options, &report, &err);
    const int exit_status = finish(args, &report, status, &err, l);
    tell_photographs(args, c);
    akin_collection_close(c);
    return exit_status;
}

int cli_index(const cli_args *args)
{
    path_list paths = { 0 };
    listener l = { .args = args };
    cli_engine engine = { 0 };
    akin_error err = { 0 };
    cli_place place;
    bool exists;
    int exit_status = cli_place_find(&place, args, true);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (gather_paths(&paths, args, &err) != AKIN_OK) {
        exit_status = cli_report(args, &err);
        goto out;
    }
    if (paths.count == 0 && (args->files_from == NULL || args->watch)) {
        exit_status = cli_usage_error(args, "index what? Name a folder: akin index ~/Pictures");
        goto out;
    }
    if (args->nice)
        be_nice();
    const akin_index_options options = index_options(args, &l);
    if (args->dry_run) {
        exit_status = index_dry(args, &place, &paths, &options, &l);
        goto out;
    }
    exit_status = open_model(&engine, &place, args, &exists);
    if (exit_status != CLI_DONE)
        goto out;
    if (!exists && paths.count > 0 && !any_is_there(&paths)) {
        exit_status = cli_error(args, AKIN_E_NOT_FOUND, paths.items[0],
                                "no such file or folder; no collection was made");
        goto out;
    }
    akin_collection_options how = AKIN_COLLECTION_OPTIONS_INIT;
    how.write = true;
    how.wait = args->wait;
    how.model = engine.model;
    how.stored = stored_of(args);
    if (!args->watch) {
        exit_status = index_once(args, &place, &how, &engine, &paths, &options, &l);
        goto out;
    }
    akin_status status = akin_watch(place.db, place.name, &how, engine.model, paths.items,
                                    paths.count, &options, on_mode, on_passed, &err);
    exit_status = finish(args, NULL, status, &err, &l);
out:
    cli_engine_close(&engine);
    listener_clear(&l);
    paths_clear(&paths);
    return exit_status;
}

int cli_reindex(const cli_args *args)
{
    akin_index_report report = AKIN_INDEX_REPORT_INIT;
    listener l = { .args = args };
    cli_engine engine = { 0 };
    akin_collection *c = NULL;
    akin_error err = { 0 };
    cli_place place;
    if (args->files.count != 0)
        return cli_usage_error(args, "reindex takes no paths: it is the whole collection");
    if (!args->model_given)
        return cli_usage_error(args, "reindex needs the new model: --model M");
    int exit_status = cli_place_find(&place, args, false);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (args->nice)
        be_nice();
    exit_status = cli_engine_open(&engine, args, AKIN_PART_PREPROCESS);
    if (exit_status == CLI_DONE)
        exit_status = cli_collection_open(&c, &place, args, true, false);
    if (exit_status != CLI_DONE)
        goto out;
    const akin_index_options options = index_options(args, &l);
    akin_status status = akin_reindex(c, engine.model, stored_of(args), &options, &report, &err);
    exit_status = finish(args, &report, status, &err, &l);
out:
    akin_collection_close(c);
    cli_engine_close(&engine);
    listener_clear(&l);
    return exit_status;
}
