/* collection.c - finding a collection, and the model it was made with. */
#include "collection.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "output.h"

int cli_place_find(cli_place *place, const cli_args *args, bool make)
{
    akin_error err = { 0 };
    place->name = args->collection != NULL ? args->collection : "images";
    if (args->here && args->db != NULL)
        return cli_usage_error(args, "--here and --db name two places");
    if (akin_collections_find(args->db, make, args->here, place->db, sizeof place->db, &err) !=
        AKIN_OK)
        return cli_report(args, &err);
    return CLI_DONE;
}

int cli_collection_open(akin_collection **out, const cli_place *place, const cli_args *args,
                        bool write, bool optional)
{
    akin_error err = { 0 };
    akin_collection_options options = AKIN_COLLECTION_OPTIONS_INIT;
    options.write = write;
    options.wait = args->wait;
    akin_status status = akin_collection_open(out, place->db, place->name, &options, &err);
    if (status == AKIN_E_NOT_FOUND && optional)
        return CLI_DONE;
    return status == AKIN_OK ? CLI_DONE : cli_report(args, &err);
}

/* Words of the form that a collection remembers: "open_clip:gelu" is a form and an activation. */
static int open_remembered(cli_engine *engine, const cli_args *args, const char *model,
                           const char *form, unsigned parts)
{
    char kind[32];
    const char *colon = strchr(form, ':');
    snprintf(kind, sizeof kind, "%.*s", (int)(colon != NULL ? colon - form : (long)strlen(form)),
             form);
    return cli_engine_open_as(engine, args, model, colon != NULL ? NULL : kind,
                              colon != NULL ? colon + 1 : NULL, parts);
}

int cli_collection_engine(cli_engine *engine, akin_collection *collection, const cli_args *args,
                          unsigned parts)
{
    akin_error err = { 0 };
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    *engine = (cli_engine){ 0 };
    if (akin_collection_glance(collection, &info, &err) != AKIN_OK)
        return cli_report(args, &err);
    if (args->model_given && args->form == NULL && args->activation == NULL)
        return open_remembered(engine, args, args->model, info.model_form, parts);
    if (args->model_given)
        return cli_engine_open(engine, args, parts);
    if (!akin_path_is_dir(info.model_path) && !akin_path_is_file(info.model_path))
        return cli_error(args, AKIN_E_NOT_FOUND, info.model_path,
                         "the model of this collection, '%s', is not here any more; --model says "
                         "where it is now",
                         info.model_name);
    return open_remembered(engine, args, info.model_path, info.model_form, parts);
}

bool cli_beyond_mini(const akin_collection_info *info)
{
    return info->photographs && strcmp(info->model_name, "mini") == 0;
}

const char *cli_bytes(char *buffer, size_t capacity, uint64_t bytes)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    snprintf(buffer, capacity, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return buffer;
}
