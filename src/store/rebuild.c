/* rebuild.c - vectors of another model, made beside those there are, then put in their place.
 *
 * The new model's vectors are a space of their own with segments of its own. Until the swap, which
 * is one transaction, no search sees them; killed before, what was committed of them stays and is
 * gone on with. */
#include "store_tools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static akin_status check_model(const akin_store *store, const akin_store_model *model,
                               akin_error *err)
{
    if (model->identity == NULL || model->identity[0] == '\0' || model->name == NULL ||
        model->path == NULL || model->form == NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a collection needs a model with its names");
    if (model->dimensions < 1 || model->dimensions > AKIN_STORE_MAX_DIMENSIONS)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "vectors of %zu numbers; 1 to %d are stored",
                         model->dimensions, AKIN_STORE_MAX_DIMENSIONS);
    if (model->type != AKIN_VECTOR_F16 && model->type != AKIN_VECTOR_F32)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "vectors are stored as f16 or f32");
    const akin_store_model *present = &store->current.model;
    if (strcmp(model->identity, present->identity) == 0 && model->type == present->type)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder,
                         "its vectors are of this model already ('%s', stored as %s)",
                         present->name, present->type == AKIN_VECTOR_F16 ? "f16" : "f32");
    return AKIN_OK;
}

/* A space with all it has; its files go after the commit. */
static akin_status drop_space(akin_store *store, int64_t id, akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_db_do(store, err, "DELETE FROM vectors WHERE space = ?1", "i", id));
    AKIN_TRY(akin_db_do(store, err, "DELETE FROM segments WHERE space = ?1", "i", id));
    AKIN_TRY(akin_db_do(store, err, "DELETE FROM spaces WHERE id = ?1", "i", id));
out:
    return status;
}

static akin_status begin(akin_store *store, const akin_store_model *model, bool goes_on,
                         akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    if (goes_on) {
        AKIN_TRY(akin_db_statement(store, AKIN_SQL_SET_MODEL, &s, err));
        AKIN_TRY(akin_db_bind(s, err, "itt", store->building.id, model->name, model->path));
        status = akin_db_step(s, NULL, err);
        sqlite3_clear_bindings(s);
        s = NULL;
        goto out;
    }
    if (store->building.id != 0) {
        akin_append_drop(&store->building);
        AKIN_TRY(drop_space(store, store->building.id, err));
    }
    AKIN_TRY(akin_db_prepare(store->db,
                             "INSERT INTO spaces (state, identity, name, path, form, dimensions,"
                             " type) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "ttttii", model->identity, model->name, model->path, model->form,
                          (int64_t)model->dimensions, (int64_t)model->type));
    AKIN_TRY(akin_db_step(s, NULL, err));
out:
    sqlite3_finalize(s);
    return status;
}

akin_status akin_store_rebuild_begin(akin_store *store, const akin_store_model *model,
                                     akin_error *err)
{
    akin_status status;
    AKIN_TRY(akin_store_usable(store, err));
    AKIN_TRY(check_model(store, model, err));
    AKIN_TRY(akin_store_writing(store, err));
    const akin_store_model *built = &store->building.model;
    const bool goes_on = store->building.id != 0 && strcmp(built->identity, model->identity) == 0 &&
                         built->type == model->type && built->dimensions == model->dimensions;
    status = begin(store, model, goes_on, err);
    if (status == AKIN_OK)
        status = akin_store_load_spaces(store, err);
    if (status != AKIN_OK)
        return akin_store_spoil(store, status, err);
    AKIN_TRY(akin_store_commit(store, err));
    if (!goes_on)
        AKIN_TRY(akin_orphans_remove(store, err));
out:
    return status;
}

static akin_status is_building(const akin_store *store, akin_error *err)
{
    const akin_status status = akin_store_usable(store, err);
    if (status != AKIN_OK)
        return status;
    if (store->building.id == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, store->folder,
                         "no other model's vectors are being made");
    return AKIN_OK;
}

void akin_store_rebuild_clear(akin_rebuild_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i].path);
        items[i].path = NULL;
    }
}

static akin_status take_item(akin_store *store, sqlite3_stmt *s, akin_rebuild_item *item,
                             akin_error *err)
{
    char path[AKIN_STORE_PATH];
    size_t stored_size, size, hash_size;
    *item = (akin_rebuild_item){ .content = sqlite3_column_int64(s, 0),
                                 .part = sqlite3_column_int64(s, 1) };
    const void *hash = akin_db_blob(s, 2, &hash_size);
    const void *stored = akin_db_blob(s, 3, &stored_size);
    const akin_status status =
        akin_path_from_stored(store, stored, stored_size, path, &size, err);
    if (status != AKIN_OK)
        return status;
    if (hash_size != AKIN_HASH_BYTES)
        return akin_fail(err, AKIN_E_CORRUPT, store->database,
                         "the hash of content %" PRId64 " cannot be; run 'akin verify'",
                         item->content);
    memcpy(item->hash, hash, AKIN_HASH_BYTES);
    item->stamp.size = sqlite3_column_int64(s, 4);
    item->stamp.mtime_ns = sqlite3_column_int64(s, 5);
    item->stamp.sidecars = sqlite3_column_int64(s, 6);
    item->path = strdup(path);
    return item->path != NULL ? AKIN_OK : akin_fail_nomem(err, "a path", size);
}

akin_status akin_store_rebuild_next(akin_store *store, int64_t *after, akin_rebuild_item *items,
                                    size_t capacity, size_t *count, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    *count = 0;
    AKIN_TRY(is_building(store, err));
    AKIN_TRY(akin_db_prepare(store->db,
                             "SELECT c.id, c.part, c.hash, i.path, i.size, i.mtime, i.sidecars"
                             " FROM contents c CROSS JOIN items i ON i.id = (SELECT min(n.id) FROM"
                             " items n WHERE n.content = c.id AND n.state = 0) WHERE c.id > ?1 AND"
                             " NOT EXISTS (SELECT 1 FROM vectors v WHERE v.space = ?2 AND"
                             " v.content = c.id) ORDER BY c.id LIMIT ?3",
                             &s, err));
    AKIN_TRY(akin_db_bind(s, err, "iii", *after, store->building.id, (int64_t)capacity));
    while (*count < capacity) {
        bool row;
        AKIN_TRY(akin_db_step(s, &row, err));
        if (!row)
            break;
        AKIN_TRY(take_item(store, s, &items[*count], err));
        ++*count;
    }
    if (*count != 0)
        *after = items[*count - 1].content;
out:
    sqlite3_finalize(s);
    if (status != AKIN_OK) {
        akin_store_rebuild_clear(items, *count);
        *count = 0;
    }
    return status;
}

static akin_status number_of(akin_store *store, const char *sql, int64_t a, int64_t b, int64_t *out,
                             akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    bool row;
    AKIN_TRY(akin_db_prepare(store->db, sql, &s, err));
    AKIN_TRY(akin_db_bind(s, err, sqlite3_bind_parameter_count(s) == 2 ? "ii" : "i", a, b));
    AKIN_TRY(akin_db_step(s, &row, err));
    *out = row ? sqlite3_column_int64(s, 0) : 0;
out:
    sqlite3_finalize(s);
    return status;
}

akin_status akin_store_rebuild_add(akin_store *store, int64_t content, const float *vector,
                                   const char *path, akin_error *err)
{
    akin_status status;
    sqlite3_stmt *s = NULL;
    char why[96];
    int64_t known, done;
    uint64_t place;
    uint32_t crc;
    AKIN_TRY(is_building(store, err));
    status = akin_unit_check(vector, store->building.model.dimensions, 1e-3, why, sizeof why);
    if (status != AKIN_OK)
        return akin_fail(err, status, path, "its vector is not stored: %s", why);
    AKIN_TRY(akin_store_writing(store, err));
    AKIN_TRY(number_of(store, "SELECT count(*) FROM contents WHERE id = ?1", content, 0, &known,
                       err));
    if (known == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, path, "content %" PRId64 " is not known", content);
    AKIN_TRY(number_of(store, "SELECT count(*) FROM vectors WHERE space = ?2 AND content = ?1",
                       content, store->building.id, &done, err));
    if (done != 0)
        return AKIN_OK;
    AKIN_TRY(akin_append(store, &store->building, vector, &place, &crc, err));
    AKIN_TRY(akin_db_statement(store, AKIN_SQL_NEW_VECTOR, &s, err));
    AKIN_TRY(akin_db_bind(s, err, "iiii", store->building.id, content, (int64_t)place,
                          (int64_t)crc));
    status = akin_db_step(s, NULL, err);
    if (status != AKIN_OK)
        return akin_store_spoil(store, status, err);
out:
    return status;
}

akin_status akin_store_rebuild_count(akin_store *store, size_t *done, size_t *total,
                                     akin_error *err)
{
    akin_status status;
    int64_t all, with;
    AKIN_TRY(is_building(store, err));
    AKIN_TRY(akin_db_number(store, "SELECT count(DISTINCT content) FROM items WHERE state = 0",
                            &all, err));
    AKIN_TRY(number_of(store,
                       "SELECT count(*) FROM vectors v WHERE v.space = ?1 AND EXISTS"
                       " (SELECT 1 FROM items i WHERE i.content = v.content AND i.state = 0)",
                       store->building.id, 0, &with, err));
    *total = (size_t)all;
    *done = (size_t)with;
out:
    return status;
}

/* Up to the commit. */
static akin_status swap(akin_store *store, akin_error *err)
{
    akin_status status;
    const int64_t old = store->current.id, new = store->building.id;
    int64_t items;
    /* Rows that wait are of a space that goes; so are places that were to be counted again. */
    akin_append_drop(&store->current);
    store->touched_count = 0;
    AKIN_TRY(akin_append_sync(store, &store->building, err));
    AKIN_TRY(drop_space(store, old, err));
    AKIN_TRY(akin_db_do(store, err, "UPDATE spaces SET state = 0 WHERE id = ?1", "i", new));
    AKIN_TRY(akin_store_load_spaces(store, err));
    AKIN_TRY(akin_db_number(store, "SELECT count(*) FROM items", &items, err));
    AKIN_TRY(akin_places_again(store, (size_t)items, err));
    AKIN_TRY(akin_db_run(store->db, "UPDATE items SET state = 1 WHERE state = 0 AND place IS NULL",
                         err));
    AKIN_TRY(akin_counts_again(store, err));
out:
    return status;
}

akin_status akin_store_rebuild_swap(akin_store *store, akin_error *err)
{
    akin_status status;
    AKIN_TRY(is_building(store, err));
    AKIN_TRY(akin_store_writing(store, err));
    status = swap(store, err);
    if (status != AKIN_OK)
        return akin_store_spoil(store, status, err);
    AKIN_TRY(akin_store_commit(store, err));
    akin_store_forget(store);
    AKIN_TRY(akin_orphans_remove(store, err));
out:
    return status;
}
