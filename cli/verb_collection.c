/* verb_collection.c - `akin info`, verify, compact, copy, export, import: looking after a
 * collection. */
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "collection.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

static int flush(const cli_args *args)
{
    akin_error err = { 0 };
    out_sink out;
    if (out_open(&out, NULL, &err) != AKIN_OK || out_commit(&out, &err) != AKIN_OK)
        return cli_report(args, &err);
    return CLI_DONE;
}

/* The collection that is there; `arguments` is how many paths the verb takes. */
static int open_one(akin_collection **out, const cli_args *args, bool write, size_t arguments)
{
    cli_place place;
    *out = NULL;
    if (args->files.count != arguments)
        return cli_usage_error(args, arguments == 0 ? "%s takes no paths" : "%s takes one folder",
                               args->verb->name);
    int exit_status = cli_place_find(&place, args, false);
    return exit_status == CLI_DONE ? cli_collection_open(out, &place, args, write, false)
                                   : exit_status;
}

/* ---- info ----------------------------------------------------------------------------------- */

typedef struct skip_printer {
    const cli_args *args;
    size_t count;
} skip_printer;

static void print_time(int64_t seconds, char out[32])
{
    const time_t t = (time_t)seconds;
    struct tm when;
    if (gmtime_r(&t, &when) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &when) == 0)
        strcpy(out, "?");
}

static void print_skip(void *context, const akin_error *why, int64_t seconds)
{
    skip_printer *p = context;
    const char *code = akin_status_name(why->code);
    char when[32];
    print_time(seconds, when);
    if (p->args->json) {
        fputs(p->count == 0 ? "{" : ",{", stdout);
        out_json_name(stdout, "path", why->path, strlen(why->path));
        fputs(",\"code\":", stdout);
        out_json_text(stdout, code, strlen(code));
        fputs(",\"reason\":", stdout);
        out_json_text(stdout, why->message, strlen(why->message));
        printf(",\"time\":\"%s\"}", when);
    } else {
        printf("%s  ", when);
        out_escaped(stdout, why->path, strlen(why->path));
        fputs(": ", stdout);
        out_escaped(stdout, why->message, strlen(why->message));
        putchar('\n');
    }
    p->count++;
}

static void print_text(const char *title, const char *text)
{
    printf("%-16s ", title);
    out_escaped(stdout, text, strlen(text));
    putchar('\n');
}

static void print_info(const akin_collection_info *i)
{
    char bytes[32];
    print_text("collection", i->path);
    print_text("model", i->model_name);
    print_text("model path", i->model_path);
    print_text("model form", i->model_form);
    print_text("model identity", i->model_identity);
    printf("%-16s %d, %s\n", "dimensions", i->dimensions,
           i->stored == AKIN_STORED_F32 ? "f32" : "f16");
    printf("%-16s %zu\n", "pictures", i->items);
    printf("%-16s %zu\n", "missing", i->missing);
    printf("%-16s %zu\n", "left out", i->hidden);
    printf("%-16s %zu%s\n", "skipped", i->skipped,
           i->skipped > 0 ? " (akin info --skipped lists them)" : "");
    printf("%-16s %zu in %zu segment%s, %s\n", "vectors", i->vectors, i->segments,
           i->segments == 1 ? "" : "s", cli_bytes(bytes, sizeof bytes, i->vector_bytes));
    printf("%-16s %s\n", "database", cli_bytes(bytes, sizeof bytes, i->database_bytes));
    printf("%-16s %s%s\n", "reclaimable", cli_bytes(bytes, sizeof bytes, i->reclaimable_bytes),
           i->reclaimable_bytes > 0 ? " (akin compact)" : "");
    if (i->building != NULL) {
        print_text("reindexing to", i->building);
        printf("%-16s %zu\n", "done of it", i->built);
    }
    print_text("created", i->created);
    printf("%-16s %d\n", "format", i->format);
    if (i->base[0] != '\0')
        print_text("paths below", i->base);
    if (i->advice != NULL)
        print_text("advice", i->advice);
    if (cli_beyond_mini(i))
        print_text("photographs", "mini knows drawings; for photographs: " CLI_PHOTO_ADVICE);
}

static void json_text(const char *key, const char *text)
{
    printf("\"%s\":", key);
    if (text == NULL)
        fputs("null", stdout);
    else
        out_json_text(stdout, text, strlen(text));
    putchar(',');
}

static void print_info_json(const akin_collection_info *i)
{
    putchar('{');
    out_json_name(stdout, "path", i->path, strlen(i->path));
    putchar(',');
    json_text("model", i->model_name);
    out_json_name(stdout, "model_path", i->model_path, strlen(i->model_path));
    putchar(',');
    json_text("model_form", i->model_form);
    json_text("model_identity", i->model_identity);
    printf("\"dimensions\":%d,\"stored\":\"%s\",\"items\":%zu,\"missing\":%zu,\"hidden\":%zu,"
           "\"skipped\":%zu,\"vectors\":%zu,\"dead\":%zu,\"segments\":%zu,\"vector_bytes\":%llu,"
           "\"database_bytes\":%llu,\"reclaimable_bytes\":%llu,",
           i->dimensions, i->stored == AKIN_STORED_F32 ? "f32" : "f16", i->items, i->missing,
           i->hidden, i->skipped, i->vectors, i->dead, i->segments,
           (unsigned long long)i->vector_bytes, (unsigned long long)i->database_bytes,
           (unsigned long long)i->reclaimable_bytes);
    json_text("reindexing_to", i->building);
    json_text("created", i->created);
    json_text("base", i->base);
    json_text("advice", i->advice);
    printf("\"photographs\":%s,", i->photographs ? "true" : "false");
    printf("\"built\":%zu,\"format\":%d}\n", i->built, i->format);
}

int cli_info(const cli_args *args)
{
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    akin_error err = { 0 };
    akin_collection *c;
    int exit_status = open_one(&c, args, false, 0);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (args->skipped) {
        skip_printer p = { args, 0 };
        if (args->json)
            putchar('[');
        if (akin_collection_skipped(c, print_skip, &p, &err) != AKIN_OK)
            exit_status = cli_report(args, &err);
        if (args->json)
            fputs("]\n", stdout);
    } else if (akin_collection_describe(c, &info, &err) != AKIN_OK) {
        exit_status = cli_report(args, &err);
    } else if (args->json) {
        print_info_json(&info);
    } else {
        print_info(&info);
    }
    akin_collection_close(c);
    return exit_status == CLI_DONE ? flush(args) : exit_status;
}

/* ---- verify --------------------------------------------------------------------------------- */

typedef struct fault_printer {
    const cli_args *args;
    size_t count;
} fault_printer;

static void print_fault(void *context, const char *path, const char *message, bool repaired)
{
    fault_printer *p = context;
    if (p->args->json) {
        fputs(p->count == 0 ? "{" : ",{", stdout);
        if (path != NULL)
            out_json_name(stdout, "path", path, strlen(path));
        else
            fputs("\"path\":null", stdout);
        fputs(",\"message\":", stdout);
        out_json_text(stdout, message, strlen(message));
        printf(",\"repaired\":%s}", repaired ? "true" : "false");
    } else {
        if (path != NULL) {
            out_escaped(stdout, path, strlen(path));
            fputs(": ", stdout);
        }
        out_escaped(stdout, message, strlen(message));
        puts(repaired ? " (repaired)" : "");
    }
    p->count++;
}

int cli_verify(const cli_args *args)
{
    fault_printer p = { args, 0 };
    akin_error err = { 0 };
    akin_collection *c;
    size_t faults = 0, repaired = 0;
    int exit_status = open_one(&c, args, args->repair, 0);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (args->json)
        fputs("{\"faults\":[", stdout);
    akin_status status =
        akin_collection_verify(c, args->repair, print_fault, &p, &faults, &repaired, &err);
    akin_collection_close(c);
    if (args->json)
        printf("],\"count\":%zu,\"repaired\":%zu,\"clean\":%s}\n", faults, repaired,
               status == AKIN_OK && faults == repaired ? "true" : "false");
    else if (status == AKIN_OK && faults == 0)
        puts("clean");
    else if (status == AKIN_OK)
        printf("%zu faults, %zu repaired%s\n", faults, repaired,
               faults == repaired ? "; run akin index again"
               : args->repair     ? ""
                                  : "; akin verify --repair makes again what can be derived");
    if (status != AKIN_OK)
        return cli_report(args, &err);
    exit_status = flush(args);
    return exit_status == CLI_DONE && faults > repaired ? CLI_FAILED : exit_status;
}

/* ---- compact, copy, export, import ---------------------------------------------------------- */

int cli_compact(const cli_args *args)
{
    uint64_t reclaimed = 0;
    akin_error err = { 0 };
    akin_collection *c;
    char bytes[32];
    int exit_status = open_one(&c, args, true, 0);
    if (exit_status != CLI_DONE)
        return exit_status;
    akin_status status = akin_collection_compact(c, args->missing, &reclaimed, &err);
    akin_collection_close(c);
    if (status != AKIN_OK)
        return cli_report(args, &err);
    if (args->json)
        printf("{\"reclaimed_bytes\":%llu}\n", (unsigned long long)reclaimed);
    else if (!args->quiet)
        printf("%s given back\n", cli_bytes(bytes, sizeof bytes, reclaimed));
    return flush(args);
}

/* What copy and export made. */
static int tell_made(const cli_args *args)
{
    const char *path = args->files.items[0];
    if (args->json) {
        putchar('{');
        out_json_name(stdout, "path", path, strlen(path));
        puts("}");
    }
    return flush(args);
}

int cli_copy(const cli_args *args)
{
    akin_error err = { 0 };
    akin_collection *c;
    int exit_status = open_one(&c, args, false, 1);
    if (exit_status != CLI_DONE)
        return exit_status;
    const char *name = args->collection != NULL ? args->collection : "images";
    akin_status status = akin_collection_copy(c, args->files.items[0], name, &err);
    akin_collection_close(c);
    return status == AKIN_OK ? tell_made(args) : cli_report(args, &err);
}

int cli_export(const cli_args *args)
{
    akin_error err = { 0 };
    akin_collection *c;
    int exit_status = open_one(&c, args, false, 1);
    if (exit_status != CLI_DONE)
        return exit_status;
    akin_status status = akin_collection_export(c, args->files.items[0], &err);
    akin_collection_close(c);
    return status == AKIN_OK ? tell_made(args) : cli_report(args, &err);
}

int cli_import(const cli_args *args)
{
    akin_error err = { 0 };
    cli_place place;
    size_t added = 0;
    if (args->files.count != 1)
        return cli_usage_error(args, "import takes one folder, which 'akin export' wrote");
    int exit_status = cli_place_find(&place, args, true);
    if (exit_status != CLI_DONE)
        return exit_status;
    if (akin_collection_import(place.db, place.name, args->files.items[0], &added, &err) != AKIN_OK)
        return cli_report(args, &err);
    if (args->json)
        printf("{\"added\":%zu}\n", added);
    else if (!args->quiet)
        printf("%zu added\n", added);
    return flush(args);
}
