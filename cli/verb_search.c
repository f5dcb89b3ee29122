/* verb_search.c - `akin search`: pictures by a sentence or a picture. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "collection.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

enum { QUERY_BYTES = 1 << 20 };

/* ---- The query ------------------------------------------------------------------------------ */

/* What the command line asks, in memory of our own. */
typedef struct question {
    akin_buffer text; /* the words, joined by a blank */
    akin_buffer title;
    const char **exts;
    size_t ext_count;
    char *ext_memory;
    akin_query query;
} question;

static void question_clear(question *q)
{
    akin_buffer_clear(&q->text);
    akin_buffer_clear(&q->title);
    free(q->exts);
    free(q->ext_memory);
}

/* --ext jpg,png --ext gif. */
static akin_status split_exts(question *q, const cli_list *given, akin_error *err)
{
    size_t bytes = 0, parts = 0;
    for (size_t i = 0; i < given->count; i++) {
        bytes += strlen(given->items[i]) + 1;
        for (const char *c = given->items[i]; c != NULL; c = strchr(c, ','), c = c ? c + 1 : NULL)
            parts++;
    }
    q->exts = calloc(parts + 1, sizeof *q->exts);
    q->ext_memory = malloc(bytes + 1);
    if (q->exts == NULL || q->ext_memory == NULL)
        return akin_fail_nomem(err, "endings", bytes);
    char *to = q->ext_memory;
    for (size_t i = 0; i < given->count; i++) {
        strcpy(to, given->items[i]);
        for (char *part = to; part != NULL;) {
            char *comma = strchr(part, ',');
            if (comma != NULL)
                *comma = '\0';
            if (*part != '\0')
                q->exts[q->ext_count++] = part;
            part = comma != NULL ? comma + 1 : NULL;
        }
        to += strlen(given->items[i]) + 1;
    }
    return AKIN_OK;
}

static akin_status make_title(question *q, const cli_args *args, akin_error *err)
{
    akin_status status = AKIN_OK;
    if (q->query.text != NULL)
        AKIN_TRY(akin_buffer_add_text(&q->title, q->query.text, err));
    if (args->image != NULL) {
        AKIN_TRY(akin_buffer_add_text(&q->title, q->title.size > 0 ? " + " : "", err));
        AKIN_TRY(akin_buffer_add_text(&q->title, args->image, err));
    }
    if (args->not_text != NULL) {
        AKIN_TRY(akin_buffer_add_text(&q->title, " - ", err));
        AKIN_TRY(akin_buffer_add_text(&q->title, args->not_text, err));
    }
out:
    return status;
}

static akin_status make_question(question *q, const cli_args *args, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_query *query = &q->query;
    *query = (akin_query)AKIN_QUERY_INIT;
    akin_buffer_init(&q->text, "the query", QUERY_BYTES);
    akin_buffer_init(&q->title, "the query", 3 * QUERY_BYTES);
    for (size_t i = 0; i < args->files.count; i++) {
        if (i > 0)
            AKIN_TRY(akin_buffer_add_text(&q->text, " ", err));
        AKIN_TRY(akin_buffer_add_text(&q->text, args->files.items[i], err));
    }
    if (q->text.size > 0) {
        query->text = q->text.data;
        AKIN_TRY(cli_check_text(query->text, err));
    }
    if (args->not_text != NULL)
        AKIN_TRY(cli_check_text(args->not_text, err));
    AKIN_TRY(split_exts(q, &args->ext, err));
    query->not_text = args->not_text;
    query->image.path = args->image;
    query->weight = isnan(args->weight) ? 0.5 : args->weight;
    query->k = args->k != 0 ? args->k : 10;
    query->offset = args->offset;
    query->with_self = args->with_self;
    query->after = args->after;
    query->before = args->before;
    query->where = args->where;
    query->folders = args->in.items;
    query->folder_count = args->in.count;
    query->exts = q->exts;
    query->ext_count = q->ext_count;
    query->min_score = args->min_score;
    query->min_z = args->min_z;
    query->relative = args->relative;
    AKIN_TRY(make_title(q, args, err));
out:
    return status;
}

/* ---- Printing ------------------------------------------------------------------------------- */

static void print_hit_json(FILE *out, const akin_hit *hit, size_t rank)
{
    fprintf(out, "{\"rank\":%zu,\"score\":", rank);
    out_json_float(out, hit->score);
    fputs(",\"z\":", out);
    out_json_double(out, hit->z);
    fputc(',', out);
    out_json_name(out, "path", hit->path, hit->path_size);
    fprintf(out, ",\"id\":%lld", (long long)hit->id);
    if (hit->part >= 0) {
        fputs(",\"seconds\":", out);
        out_json_double(out, (double)hit->part / 1000);
    }
    fprintf(out, ",\"metadata\":%s}", hit->metadata);
}

static void print_json(FILE *out, const akin_hits *hits, size_t offset, bool lines)
{
    fputs(lines ? "" : "[", out);
    for (size_t i = 0; i < hits->count; i++) {
        fputs(i == 0 || lines ? "" : ",", out);
        print_hit_json(out, &hits->hits[i], offset + i + 1);
        fputs(lines ? "\n" : "", out);
    }
    fputs(lines ? "" : "]\n", out);
}

/* "0:02:30.5" behind a video's path. */
static void print_frame_time(FILE *out, int64_t milliseconds)
{
    const long long ms = (long long)milliseconds;
    fprintf(out, "  at %lld:%02lld:%02lld", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60);
    if (ms % 1000 != 0)
        fprintf(out, ".%03lld", ms % 1000);
}

static void print_table(FILE *out, const akin_hits *hits)
{
    if (hits->count > 0 && isatty(STDOUT_FILENO))
        fputs("score     z  path\n", out);
    for (size_t i = 0; i < hits->count; i++) {
        const akin_hit *hit = &hits->hits[i];
        if (isnan(hit->z))
            fprintf(out, "%.3f     -  ", (double)hit->score);
        else
            fprintf(out, "%.3f %5.1f  ", (double)hit->score, hit->z);
        out_escaped(out, hit->path, hit->path_size);
        if (hit->part >= 0)
            print_frame_time(out, hit->part);
        fputc('\n', out);
    }
}

static void print_paths(FILE *out, const akin_hits *hits, char end)
{
    for (size_t i = 0; i < hits->count; i++) {
        bool told = false; /* a video is one path, whatever number of its frames fits */
        for (size_t j = 0; j < i && !told; j++)
            told = hits->hits[j].path_size == hits->hits[i].path_size &&
                   memcmp(hits->hits[j].path, hits->hits[i].path, hits->hits[i].path_size) == 0;
        if (told)
            continue;
        fwrite(hits->hits[i].path, 1, hits->hits[i].path_size, out);
        fputc(end, out);
    }
}

static void tell_match(const cli_args *args, const akin_hits *hits)
{
    if (hits->match != AKIN_MATCH_UNCLEAR)
        return;
    if (args->json) {
        cli_warn(args, "no clear match: the best z is %.1f; among %zu pictures %.1f is needed",
                 hits->best_z, hits->items, hits->threshold);
        return;
    }
    fprintf(stderr, "akin: no clear match: the best z is %.1f; among %zu pictures %.1f is needed\n",
            hits->best_z, hits->items, hits->threshold);
}

static void tell_photographs(const cli_args *args, akin_collection *c)
{
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    akin_error err = { 0 };
    if (!args->quiet && !args->json && !args->jsonl &&
        akin_collection_glance(c, &info, &err) == AKIN_OK && cli_beyond_mini(&info))
        fputs("akin: mini knows drawings; for photographs: " CLI_PHOTO_ADVICE "\n", stderr);
}

static int print_hits(const cli_args *args, const akin_hits *hits, const char *title)
{
    akin_error err = { 0 };
    out_sink out;
    if (args->html != NULL) {
        akin_session_options limits = AKIN_SESSION_OPTIONS_INIT;
        limits.max_file_bytes = args->max_file;
        limits.max_memory_bytes = args->max_memory;
        limits.lenient = args->lenient;
        if (akin_hits_write_html(hits, title, &limits, args->html, &err) != AKIN_OK)
            return cli_report(args, &err);
    }
    if (out_open(&out, NULL, &err) != AKIN_OK)
        return cli_report(args, &err);
    if (args->json)
        print_json(out.stream, hits, args->offset, args->jsonl);
    else if (args->paths || args->null)
        print_paths(out.stream, hits, args->null ? '\0' : '\n');
    else if (args->html == NULL)
        print_table(out.stream, hits);
    /* An empty list says so to a program; to a person silence says nothing. */
    if (hits->count == 0 && !args->json && !args->jsonl && !args->quiet)
        fprintf(stderr, hits->items == 0 ? "akin: the collection is empty\n"
                                         : "akin: nothing fits, of %zu pictures\n", hits->items);
    tell_match(args, hits);
    return out_commit(&out, &err) == AKIN_OK ? CLI_DONE : cli_report(args, &err);
}

/* ---- The verb ------------------------------------------------------------------------------- */

/* Whether an --ext names nothing: ',' or ''. */
static bool lacks_ext(const cli_list *given)
{
    for (size_t i = 0; i < given->count; i++)
        if (given->items[i][strspn(given->items[i], ",")] == '\0')
            return true;
    return false;
}

static int check_usage(const cli_args *args)
{
    if (args->files.count == 0 && args->image == NULL)
        return cli_usage_error(args, args->not_text != NULL
                                         ? "--not needs a text or a picture to start from"
                                         : "search for what? akin search a red car");
    if (lacks_ext(&args->ext))
        return cli_usage_error(args, "--ext needs an ending: jpg");
    if (args->with_self && args->exclude_self)
        return cli_usage_error(args, "--with-self and --exclude-self contradict each other");
    if (!isnan(args->weight) && (args->image == NULL || args->files.count == 0))
        return cli_usage_error(args, "--weight is for a picture and a text together");
    if (!isnan(args->weight) && (args->weight < 0 || args->weight > 1))
        return cli_usage_error(args, "--weight must be from 0 to 1");
    return CLI_DONE;
}

int cli_search(const cli_args *args)
{
    question q = { .ext_count = 0 };
    akin_collection *c = NULL;
    cli_engine engine = { 0 };
    akin_hits *hits = NULL;
    akin_error err = { 0 };
    cli_place place;
    unsigned parts;
    int exit_status = check_usage(args);
    if (exit_status == CLI_DONE)
        exit_status = cli_place_find(&place, args, false);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (make_question(&q, args, &err) != AKIN_OK) {
        exit_status = cli_report(args, &err);
        goto out;
    }
    exit_status = cli_collection_open(&c, &place, args, false, false);
    if (exit_status != CLI_DONE)
        goto out;
    if (akin_query_parts(c, &q.query, &parts, &err) != AKIN_OK) {
        exit_status = cli_report(args, &err);
        goto out;
    }
    if (parts != 0)
        exit_status = cli_collection_engine(&engine, c, args, parts);
    if (exit_status != CLI_DONE)
        goto out;
    if (akin_search(c, engine.session, &q.query, &hits, &err) != AKIN_OK)
        exit_status = cli_report(args, &err);
    else
        exit_status = print_hits(args, hits, q.title.data);
    if (hits != NULL)
        tell_photographs(args, c);
out:
    akin_hits_free(hits);
    akin_collection_close(c);
    cli_engine_close(&engine);
    question_clear(&q);
    return exit_status;
}
