/* search.c - the pictures of a collection that fit a sentence.
 *
 *     akin index --model clip-vit-base-patch32 ~/Pictures
 *     cc search.c $(pkg-config --cflags --libs akin) -o search
 *     ./search "a red car"
 */
#include <stdio.h>

#include <akin.h>

int main(int argc, char **argv)
{
    akin_error err = { 0 };
    char db[4096];
    akin_collection *collection = NULL;
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    akin_model *model = NULL;
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_session *session = NULL;
    akin_query query = AKIN_QUERY_INIT;
    akin_hits *hits = NULL;
    int failed = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: search TEXT\n");
        return 2;
    }
    query.text = argv[1];
    options.parts = AKIN_PART_TEXT;
    /* Where `akin index` put it; the model is the one that made its vectors. */
    if (akin_collections_find(NULL, false, false, db, sizeof db, &err) != AKIN_OK ||
        akin_collection_open(&collection, db, "images", NULL, &err) != AKIN_OK ||
        akin_collection_describe(collection, &info, &err) != AKIN_OK ||
        akin_model_open(&model, info.model_path, &options, &err) != AKIN_OK ||
        akin_session_new(&session, model, NULL, &err) != AKIN_OK ||
        akin_search(collection, session, &query, &hits, &err) != AKIN_OK)
        goto out;

    for (size_t i = 0; i < hits->count; i++)
        printf("%.3f  %s\n", (double)hits->hits[i].score, hits->hits[i].path);
    if (hits->match == AKIN_MATCH_UNCLEAR)
        fprintf(stderr, "no clear match\n");
    failed = 0;
out:
    if (failed)
        fprintf(stderr, "search: %s%s%s\n", err.path, err.path[0] != '\0' ? ": " : "", err.message);
    akin_hits_free(hits);
    akin_session_free(session);
    akin_model_close(model);
    akin_collection_close(collection);
    return failed;
}
