/* api_search.c - akin.h: a question in words or pictures to hits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "rag/retrieve.h"
#include "rag/walk.h"
#include "report/contact_sheet.h"

/* akin_hits and what its pointers lead to. */
struct found {
    akin_hits hits; /* first: the caller holds a pointer to it */
    akin_retrieved_list list;
};

static akin_status take_query(akin_query *own, const akin_query *given, akin_error *err)
{
    akin_status status = akin_take_options(own, sizeof *own, given, "akin_query", err);
    if (status != AKIN_OK)
        return status;
    const bool image = own->image.path != NULL || own->image.bytes != NULL;
    if (own->text == NULL && !image)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a search needs a text or a picture");
    if (!(own->weight >= 0 && own->weight <= 1))
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "the picture's weight must be from 0 to 1");
    if (own->k == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "k must be at least 1");
    return AKIN_OK;
}

/* The query picture as an item of the collection: its path, absolute (allocated), and whether it is
 * one whose file did not change since. */
static akin_status find_self(akin_collection *c, const akin_query *query, char **path,
                             int64_t *content, bool *same, akin_error *err)
{
    *path = NULL;
    *same = false;
    if (query->image.path == NULL || query->image.bytes != NULL)
        return AKIN_OK;
    akin_item item;
    struct stat st;
    akin_status status;
    AKIN_TRY(akin_path_absolute(query->image.path, path, err));
    status = akin_store_item(c->store, *path, -1, &item, err);
    if (status == AKIN_E_NOT_FOUND)
        return AKIN_OK;
    AKIN_TRY(status);
    *content = item.content;
    *same = item.has_vector && stat(*path, &st) == 0 && st.st_size == item.stamp.size &&
            akin_nanoseconds(st.st_mtim) == item.stamp.mtime_ns;
out:
    return status;
}

akin_status akin_query_parts(akin_collection *collection, const akin_query *given, unsigned *parts,
                             akin_error *err)
{
    akin_query query = AKIN_QUERY_INIT;
    char *path = NULL;
    int64_t content;
    bool same;
    akin_status status;
    AKIN_TRY(take_query(&query, given, err));
    AKIN_TRY(find_self(collection, &query, &path, &content, &same, err));
    *parts = (query.text != NULL || query.not_text != NULL ? AKIN_PART_TEXT : 0u) |
             ((query.image.path != NULL || query.image.bytes != NULL) && !same ? AKIN_PART_IMAGE
                                                                                : 0u);
out:
    free(path);
    return status;
}

static akin_status embed_text(akin_session *session, const char *text, size_t n, float *out,
                              akin_error *err)
{
    return akin_embed_texts(session, &text, NULL, 1, 0, out, n, err);
}

/* The one vector that is searched for. */
static akin_status query_vector(akin_collection *c, akin_session *session, const akin_query *query,
                                int64_t content, bool same, size_t n, float *out, akin_error *err)
{
    float *parts = calloc(3 * n, sizeof *parts);
    float *text = NULL, *image = NULL, *not_text = NULL;
    akin_status status;
    if (parts == NULL)
        return akin_fail_nomem(err, "query vectors", 3 * n * sizeof *parts);
    if (session == NULL && !(same && query->text == NULL && query->not_text == NULL)) {
        status = akin_fail(err, AKIN_E_ARGUMENT, NULL, "this query needs a session");
        goto out;
    }
    if (query->text != NULL) {
        text = parts;
        AKIN_TRY(embed_text(session, query->text, n, text, err));
    }
    if (query->not_text != NULL) {
        not_text = parts + n;
        AKIN_TRY(embed_text(session, query->not_text, n, not_text, err));
    }
    if (query->image.path != NULL || query->image.bytes != NULL) {
        image = parts + 2 * n;
        if (same)
            AKIN_TRY(akin_store_vector(c->store, content, image, err));
        else
            AKIN_TRY(akin_embed_pictures(session, &query->image, 1, 0, image, n, NULL, err));
    }
    AKIN_TRY(akin_combine(text, image, query->weight, not_text, n, out, err));
out:
    free(parts);
    return status;
}

static akin_status make_filter(akin_collection *c, const akin_query *query, akin_item_filter **out,
                               akin_error *err)
{
    akin_filter_options options = {
        .after = query->after, .before = query->before, .where = query->where,
        .exts = query->exts, .ext_count = query->ext_count, .folder_count = query->folder_count,
    };
    char **folders = calloc(query->folder_count + 1, sizeof *folders);
    akin_status status = AKIN_OK;
    *out = NULL;
    if (folders == NULL)
        return akin_fail_nomem(err, "paths", 0);
    for (size_t i = 0; i < query->folder_count; i++)
        AKIN_TRY(akin_path_absolute(query->folders[i], &folders[i], err));
    options.folders = (const char *const *)folders;
    AKIN_TRY(akin_filter_new(out, &options, akin_store_base(c->store), err));
out:
    for (size_t i = 0; i < query->folder_count; i++)
        free(folders[i]);
    free(folders);
    return status;
}

static akin_status take_hits(struct found *f, akin_error *err)
{
    const akin_retrieved_list *list = &f->list;
    f->hits = (akin_hits){
        .size = sizeof f->hits, .count = list->count, .items = list->items, .mean = list->mean,
        .deviation = list->deviation, .best_z = list->best_z, .threshold = list->threshold,
        .match = list->verdict == AKIN_VERDICT_CLEAR     ? AKIN_MATCH_CLEAR
                 : list->verdict == AKIN_VERDICT_UNCLEAR ? AKIN_MATCH_UNCLEAR
                                                         : AKIN_MATCH_UNKNOWN,
    };
    f->hits.hits = calloc(list->count + 1, sizeof *f->hits.hits);
    if (f->hits.hits == NULL)
        return akin_fail_nomem(err, "hits", list->count * sizeof *f->hits.hits);
    for (size_t i = 0; i < list->count; i++) {
        const akin_retrieved *r = &list->hits[i];
        f->hits.hits[i] = (akin_hit){ r->id, r->path, r->path_size, r->score,
                                      r->z,  r->metadata, r->part };
    }
    return AKIN_OK;
}

akin_status akin_search(akin_collection *collection, akin_session *session, const akin_query *given,
                        akin_hits **out, akin_error *err)
{
    akin_query query = AKIN_QUERY_INIT;
    akin_item_filter *filter = NULL;
    akin_pool *pool = NULL;
    struct found *f = NULL;
    float *vector = NULL;
    char *self = NULL;
    int64_t content = 0;
    bool same = false;
    const akin_kernels *kernels;
    akin_status status;
    *out = NULL;
    AKIN_TRY(take_query(&query, given, err));
    /* All of it in one: compact may move the picture's vector, reindex may change the model. */
    AKIN_TRY(akin_store_begin(collection->store, err));
    const size_t n = akin_store_get_model(collection->store)->dimensions;
    if (session != NULL)
        AKIN_TRY(akin_collection_takes(collection, session->model, err));
    AKIN_TRY(make_filter(collection, &query, &filter, err));
    AKIN_TRY(find_self(collection, &query, &self, &content, &same, err));
    f = calloc(1, sizeof *f);
    vector = calloc(n, sizeof *vector);
    if (f == NULL || vector == NULL) {
        status = akin_fail_nomem(err, "a search", n * sizeof *vector);
        goto out;
    }
    AKIN_TRY(query_vector(collection, session, &query, content, same, n, vector, err));
    const akin_retrieval how = {
        .k = query.k, .offset = query.offset, .filter = filter,
        .self = query.with_self ? NULL : self, .min_score = query.min_score, .min_z = query.min_z,
        .relative = query.relative,
    };
    AKIN_TRY(akin_kernels_choose(getenv("AKIN_CPU"), &kernels, err));
    if (session == NULL)
        AKIN_TRY(akin_pool_new(&pool, akin_cpu_count(), err));
    AKIN_TRY(akin_retrieve(collection->store, kernels, session != NULL ? session->pool : pool,
                           vector, &how, &f->list, err));
    AKIN_TRY(take_hits(f, err));
    *out = &f->hits;
    f = NULL;
out:
    if (f != NULL)
        akin_hits_free(&f->hits);
    akin_store_end(collection->store);
    akin_filter_free(filter);
    akin_pool_free(pool);
    free(vector);
    free(self);
    return status;
}

void akin_hits_free(akin_hits *hits)
{
    if (hits == NULL)
        return;
    struct found *f = (struct found *)hits;
    akin_retrieved_clear(&f->list);
    free(hits->hits);
    free(f);
}

akin_status akin_hits_write_html(const akin_hits *hits, const char *title,
                                 const akin_session_options *given, const char *path,
                                 akin_error *err)
{
    enum { PAGE_BYTES = 1 << 30 };
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    akin_sheet sheet = { .title = title, .count = hits->count };
    akin_writer w = { 0 };
    akin_buffer page;
    akin_buffer_init(&page, "a contact sheet", PAGE_BYTES);
    akin_sheet_entry *entries = calloc(hits->count + 1, sizeof *entries);
    akin_json **facts = calloc(hits->count + 1, sizeof *facts);
    akin_status status;
    if (entries == NULL || facts == NULL) {
        status = akin_fail_nomem(err, "a contact sheet", hits->count * sizeof *entries);
        goto out;
    }
    AKIN_TRY(akin_take_options(&options, sizeof options, given, "akin_session_options", err));
    for (size_t i = 0; i < hits->count; i++) {
        const akin_hit *hit = &hits->hits[i];
        AKIN_TRY(akin_json_parse_object(hit->metadata, strlen(hit->metadata), hit->path, &facts[i],
                                        err));
        entries[i] = (akin_sheet_entry){
            .path = hit->path, .part = hit->part, .score = hit->score, .z = hit->z,
            .caption = akin_json_string(akin_json_get(facts[i], "caption")),
            .taken_at = akin_json_string(akin_json_get(facts[i], "taken_at")),
        };
    }
    sheet.entries = entries;
    sheet.limits = akin_session_limits(&options);
    if (hits->match == AKIN_MATCH_UNCLEAR)
        sheet.note = "no clear match: these are no nearer than chance would bring some picture";
    AKIN_TRY(akin_sheet_write(&sheet, &page, err));
    AKIN_TRY(akin_writer_open(&w, path, err));
    AKIN_TRY(akin_writer_add(&w, page.data, page.size, err));
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    akin_buffer_clear(&page);
    for (size_t i = 0; facts != NULL && i < hits->count; i++)
        akin_json_free(facts[i]);
    free(facts);
    free(entries);
    return status;
}
