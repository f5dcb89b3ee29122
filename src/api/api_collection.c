/* api_collection.c - akin.h: where collections are, opening one, looking after it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/file.h"

/* ---- Where they are ------------------------------------------------------------------------- */

enum { PATH_BYTES = 4096, TRIED_BYTES = 900 };

static akin_status too_long(akin_error *err)
{
    return akin_fail(err, AKIN_E_CAPACITY, NULL, "the path of the collections is too long");
}

/* Copies a path, and says whether a folder is there. */
static akin_status place(const char *path, char *out, size_t capacity, bool *there, akin_error *err)
{
    const size_t n = strlen(path);
    if (n + 1 > capacity)
        return too_long(err);
    memcpy(out, path, n + 1);
    *there = akin_path_is_dir(path);
    return AKIN_OK;
}

/* The nearest .akin/ from the working folder upwards. */
static akin_status find_above(char *out, size_t capacity, bool *there, akin_error *err)
{
    char at[PATH_BYTES];
    *there = false;
    if (getcwd(at, sizeof at - sizeof "/.akin") == NULL)
        return AKIN_OK; /* a working folder that is gone has none */
    for (size_t n = strlen(at);; n--) {
        if (n > 0 && at[n] != '/' && at[n] != '\0')
            continue;
        if (n == 1 && at[0] == '/')
            n = 0; /* at the root */
        memcpy(at + n, "/.akin", sizeof "/.akin");
        akin_status status = place(at, out, capacity, there, err);
        if (status != AKIN_OK || *there || n == 0)
            return status;
        at[n] = '\0';
    }
}

static bool data_folder(char *out, size_t capacity)
{
    const char *data = getenv("XDG_DATA_HOME"), *user = getenv("HOME");
    int n = 0;
    if (data != NULL && data[0] == '/')
        n = snprintf(out, capacity, "%s/akin", data);
    else if (user != NULL && user[0] == '/')
        n = snprintf(out, capacity, "%s/.local/share/akin", user);
    return n > 0 && (size_t)n < capacity;
}

akin_status akin_collections_find(const char *db, bool make, bool here, char *out, size_t capacity,
                                  akin_error *err)
{
    const char *said = db != NULL ? db : getenv("AKIN_DB");
    bool there = false;
    if (here)
        return place(".akin", out, capacity, &there, err);
    if (said != NULL && said[0] != '\0') {
        akin_status status = place(said, out, capacity, &there, err);
        if (status == AKIN_OK && !there && !make)
            return akin_fail(err, AKIN_E_NOT_FOUND, said,
                             "no such folder (from %s); 'akin index' makes it",
                             db != NULL ? "--db" : "AKIN_DB");
        return status;
    }
    akin_status status = find_above(out, capacity, &there, err);
    if (status != AKIN_OK || there)
        return status;
    char data[PATH_BYTES];
    if (!data_folder(data, sizeof data))
        return akin_fail(err, AKIN_E_NOT_FOUND, NULL,
                         "no place for a collection: HOME and XDG_DATA_HOME are not set; give "
                         "--db or set AKIN_DB");
    status = place(data, out, capacity, &there, err);
    if (status == AKIN_OK && !there && !make)
        return akin_fail(err, AKIN_E_NOT_FOUND, NULL,
                         "no collection yet; looked for --db and AKIN_DB (not given), .akin/ in "
                         "this folder and those above it, and %.*s. 'akin index FOLDER' makes one",
                         TRIED_BYTES, data);
    return status;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static akin_status check_name(const char *name, akin_error *err)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL || strlen(name) > 200)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "'%s' cannot name a collection: no '/', no '.' at the beginning, 1 to "
                         "200 bytes",
                         name);
    return AKIN_OK;
}

/* db/name, absolute (db need not be there). Allocated. */
static akin_status folder_of(const char *db, const char *name, char **out, akin_error *err)
{
    char at[PATH_BYTES];
    *out = NULL;
    akin_status status = check_name(name, err);
    if (status != AKIN_OK)
        return status;
    char *folder = akin_path_join(db, name);
    if (folder != NULL && folder[0] != '/') {
        if (getcwd(at, sizeof at) == NULL) {
            free(folder);
            return akin_fail_errno(err, errno, NULL, "the working folder cannot be told");
        }
        char *whole = akin_path_join(at, folder);
        free(folder);
        folder = whole;
    }
    *out = folder;
    return folder != NULL ? AKIN_OK : akin_fail_nomem(err, "path", 0);
}

/* What akin_model_open has to be told to read the same model again. */
static const char *form_name(const akin_clip_config *config)
{
    if (config->form == AKIN_FORM_HF)
        return "hf";
    if (!config->bare)
        return "open_clip";
    return config->vision.activation == AKIN_ACT_QUICK_GELU ? "open_clip:quick_gelu"
                                                            : "open_clip:gelu";
}

akin_status akin_model_stored(const akin_model *model, akin_stored stored, char identity[65],
                              akin_store_model *out, char **path, akin_error *err)
{
    *path = NULL;
    akin_status status = akin_model_identity(model, identity, err);
    if (status != AKIN_OK)
        return status;
    *path = realpath(model->path, NULL);
    if (*path == NULL)
        return akin_fail_errno(err, errno, model->path, "cannot resolve the model's path");
    *out = (akin_store_model){
        .identity = identity, .name = model->name, .path = *path,
        .form = form_name(&model->config),
        .dimensions = model->config.dimensions,
        .type = stored == AKIN_STORED_F32 ? AKIN_VECTOR_F32 : AKIN_VECTOR_F16,
    };
    return AKIN_OK;
}

/* Paths are relative to what holds a folder called .akin: they move together. */
static const char *base_for(const char *db)
{
    size_t n = strlen(db);
    while (n > 1 && db[n - 1] == '/')
        n--;
    const bool holder =
        n >= 5 && memcmp(db + n - 5, ".akin", 5) == 0 && (n == 5 || db[n - 6] == '/');
    return holder ? "" : NULL;
}

akin_status akin_collection_open(akin_collection **out, const char *db, const char *name,
                                 const akin_collection_options *given, akin_error *err)
{
    akin_collection_options options = AKIN_COLLECTION_OPTIONS_INIT;
    char identity[65], *folder = NULL, *path = NULL;
    akin_collection *c = NULL;
    *out = NULL;
    akin_status status =
        akin_take_options(&options, sizeof options, given, "akin_collection_options", err);
    if (status != AKIN_OK)
        return status;
    AKIN_TRY(folder_of(db, name, &folder, err));
    c = calloc(1, sizeof *c);
    if (c == NULL) {
        status = akin_fail_nomem(err, "collection", sizeof *c);
        goto out;
    }
    if (options.write && options.model != NULL && !akin_store_exists(folder)) {
        akin_store_model model;
        AKIN_TRY(akin_model_stored(options.model, options.stored, identity, &model, &path, err));
        status = akin_store_create(folder, &model, base_for(db), err);
        if (status != AKIN_OK && !akin_store_exists(folder)) /* else another process was faster */
            goto out;
    }
    AKIN_TRY(akin_store_open(&c->store, folder, options.write, options.wait, err));
out:
    free(folder);
    free(path);
    if (status == AKIN_OK)
        *out = c;
    else
        akin_collection_close(c);
    return status;
}

void akin_collection_close(akin_collection *collection)
{
    if (collection == NULL)
        return;
    akin_store_close(collection->store);
    free(collection);
}

akin_status akin_collection_takes(const akin_collection *collection, const akin_model *model,
                                  akin_error *err)
{
    const akin_store_model *own = akin_store_get_model(collection->store);
    char identity[65];
    akin_status status = akin_model_identity(model, identity, err);
    if (status != AKIN_OK || strcmp(identity, own->identity) == 0)
        return status;
    char *path = realpath(model->path, NULL);
    const bool changed = path != NULL && strcmp(path, own->path) == 0;
    free(path);
    if (changed)
        return akin_fail(err, AKIN_E_ARGUMENT, model->path,
                         "is not the model any more that this collection was made with: its "
                         "weights, tokenizer or preprocessing changed. Put it back, or take it "
                         "as a new model: akin reindex --model '%s'",
                         model->name);
    return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                     "this collection holds vectors of the model '%s'; '%s' is another one, whose "
                     "vectors cannot be compared with them. To change the model: akin reindex "
                     "--model '%s'",
                     own->name, model->name, model->name);
}

/* ---- Describing ----------------------------------------------------------------------------- */

static akin_status glance(akin_collection *collection, akin_collection_info *out, akin_error *err)
{
    const akin_store_model *model = akin_store_get_model(collection->store);
    *out = (akin_collection_info){
        .size = sizeof(akin_collection_info),
        .path = akin_store_folder(collection->store),
        .model_name = model->name, .model_path = model->path, .model_form = model->form,
        .model_identity = model->identity,
        .dimensions = (int)model->dimensions,
        .stored = model->type == AKIN_VECTOR_F32 ? AKIN_STORED_F32 : AKIN_STORED_F16,
        .advice = akin_store_advice(collection->store),
    };
    return akin_store_has_photographs(collection->store, &out->photographs, err);
}

static akin_status give_info(const akin_collection_info *info, akin_collection_info *out,
                             akin_error *err)
{
    const size_t size = out->size;
    if (size < sizeof size)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "akin_collection_info.size is %zu: initialise the struct with "
                         "AKIN_COLLECTION_INFO_INIT",
                         size);
    memcpy(out, info, akin_min(size, sizeof *info));
    out->size = size;
    return AKIN_OK;
}

akin_status akin_collection_glance(akin_collection *collection, akin_collection_info *out,
                                   akin_error *err)
{
    akin_collection_info info;
    akin_status status = glance(collection, &info, err);
    return status == AKIN_OK ? give_info(&info, out, err) : status;
}

akin_status akin_collection_describe(akin_collection *collection, akin_collection_info *out,
                                     akin_error *err)
{
    akin_store_summary s;
    akin_status status = akin_store_summarise(collection->store, &s, err);
    if (status != AKIN_OK)
        return status;
    akin_collection_info info;
    status = glance(collection, &info, err);
    if (status != AKIN_OK)
        return status;
    info.format = s.format;
    info.created = s.created;
    info.base = s.base;
    info.items = s.live;
    info.missing = s.missing;
    info.hidden = s.hidden;
    info.skipped = s.skipped;
    info.vectors = s.contents;
    info.dead = s.dead;
    info.segments = s.segments;
    info.vector_bytes = s.vector_bytes;
    info.database_bytes = s.database_bytes;
    info.reclaimable_bytes = s.reclaimable_bytes;
    info.building = s.building;
    info.built = s.built;
    return give_info(&info, out, err);
}

struct skip_teller {
    void (*each)(void *context, const akin_error *why, int64_t time);
    void *context;
};

static akin_status tell_skip(void *context, const akin_skip *skip, akin_error *err)
{
    (void)err;
    const struct skip_teller *t = context;
    akin_error why = { 0 };
    akin_fail(&why, skip->code, skip->path, "%s", skip->reason);
    t->each(t->context, &why, skip->time);
    return AKIN_OK;
}

akin_status akin_collection_skipped(akin_collection *collection,
                                    void (*each)(void *context, const akin_error *why,
                                                 int64_t time),
                                    void *context, akin_error *err)
{
    struct skip_teller t = { each, context };
    return akin_store_visit_skips(collection->store, NULL, tell_skip, &t, err);
}

/* ---- Looking after it ----------------------------------------------------------------------- */

akin_status akin_collection_verify(akin_collection *collection, bool repair,
                                   void (*tell)(void *context, const char *path,
                                                const char *message, bool repaired),
                                   void *context, size_t *faults, size_t *repaired,
                                   akin_error *err)
{
    return akin_store_verify(collection->store, repair, tell, context, faults, repaired, err);
}

akin_status akin_collection_compact(akin_collection *collection, bool missing, uint64_t *reclaimed,
                                    akin_error *err)
{
    return akin_store_compact(collection->store, missing, reclaimed, err);
}

akin_status akin_collection_copy(akin_collection *collection, const char *db, const char *name,
                                 akin_error *err)
{
    char *folder = NULL;
    akin_status status;
    AKIN_TRY(folder_of(db, name, &folder, err));
    AKIN_TRY(akin_store_copy(collection->store, folder, err));
out:
    free(folder);
    return status;
}

akin_status akin_collection_export(akin_collection *collection, const char *folder, akin_error *err)
{
    return akin_store_export(collection->store, folder, err);
}

akin_status akin_collection_import(const char *db, const char *name, const char *folder,
                                   size_t *added, akin_error *err)
{
    akin_store_model model;
    akin_store *store = NULL;
    char *to = NULL;
    void *memory = NULL;
    akin_status status;
    *added = 0;
    AKIN_TRY(folder_of(db, name, &to, err));
    if (!akin_store_exists(to)) {
        AKIN_TRY(akin_store_import_model(folder, &model, &memory, err));
        AKIN_TRY(akin_store_create(to, &model, base_for(db), err));
    }
    AKIN_TRY(akin_store_open(&store, to, true, 0, err));
    AKIN_TRY(akin_store_import(store, folder, added, err));
out:
    akin_store_close(store);
    free(memory);
    free(to);
    return status;
}
