/* fuzz_store.c - the bytes are a collection's database, and, behind a line "#### 00000001.vec", its
 * one segment of vectors: it is opened, searched, walked, checked and repaired. A collection of
 * which repair says that nothing is wrong any more has nothing wrong. */
#include <dirent.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cpu/kernels.h"
#include "fuzz.h"
#include "rag/retrieve.h"
#include "store/store_parts.h"

enum { HITS = 5 };

static const char *const names[] = { AKIN_STORE_DATABASE, "00000001.vec" };

static void remove_in(const char *folder, const char *name)
{
    char *path = akin_path_join(folder, name);
    HOLDS(path != NULL);
    remove(path);
    free(path);
}

/* What a run may leave in the folder, repair's new segments too, so that the next finds nothing of
 * it. */
static void clean(const char *folder)
{
    char *segments = akin_path_join(folder, AKIN_STORE_SEGMENTS);
    HOLDS(segments != NULL);
    DIR *dir = opendir(segments);
    HOLDS(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            remove_in(segments, e->d_name);
    closedir(dir);
    remove(segments);
    free(segments);
    remove_in(folder, AKIN_STORE_LOCK);
    remove_in(folder, AKIN_STORE_DATABASE "-wal");
    remove_in(folder, AKIN_STORE_DATABASE "-shm");
    remove_in(folder, AKIN_STORE_DATABASE "-journal");
}

static void make_collection(const char *folder)
{
    char *segments = akin_path_join(folder, AKIN_STORE_SEGMENTS);
    char *from = akin_path_join(folder, names[1]), *to = akin_path_join(segments, names[1]);
    HOLDS(segments != NULL && from != NULL && to != NULL);
    HOLDS(mkdir(segments, 0777) == 0);
    rename(from, to); /* some inputs have none */
    free(segments);
    free(from);
    free(to);
}

static akin_status see_item(void *context, const akin_item *item, akin_error *err)
{
    int *seen = context;
    HOLDS(item->path[0] == '/' && strlen(item->path) <= item->path_size);
    return ++*seen < 1000 ? AKIN_OK : akin_fail(err, AKIN_E_STOPPED, NULL, "enough");
}

static akin_status see_skip(void *context, const akin_skip *skip, akin_error *err)
{
    (void)context, (void)err;
    HOLDS(skip->path[0] == '/' && skip->reason != NULL);
    return AKIN_OK;
}

static akin_status see_device(void *context, const char *folder, uint64_t device, akin_error *err)
{
    (void)context, (void)device, (void)err;
    HOLDS(folder[0] == '/');
    return AKIN_OK;
}

static void search(akin_store *store, const akin_kernels *kernels)
{
    const size_t n = akin_store_get_model(store)->dimensions;
    HOLDS(n > 0 && n <= AKIN_STORE_MAX_DIMENSIONS);
    float *query = calloc(n, sizeof *query);
    HOLDS(query != NULL);
    query[0] = 1;
    const char *const exts[] = { "jpg" };
    const akin_filter_options asked[] = {
        { .after = "2000", .where = "not stars > 9 or camera prefix 'X' and width < 1000" },
        { .exts = exts, .ext_count = 1 },
    };
    for (int i = -1; i < 2; i++) {
        akin_item_filter *filter = NULL;
        akin_retrieved_list hits;
        akin_error err;
        if (i >= 0)
            HOLDS(akin_filter_new(&filter, &asked[i], akin_store_base(store), &err) == AKIN_OK);
        const akin_retrieval how = { .k = HITS, .filter = filter, .min_score = NAN, .min_z = NAN,
                                     .relative = NAN };
        judged(akin_retrieve(store, kernels, NULL, query, &how, &hits, &err), &err);
        HOLDS(hits.count <= HITS);
        for (size_t h = 0; h < hits.count; h++)
            HOLDS(hits.hits[h].path[0] == '/' && hits.hits[h].metadata != NULL);
        akin_retrieved_clear(&hits);
        akin_filter_free(filter);
    }
    free(query);
}

static void see_fault(void *context, const char *path, const char *message, bool repaired)
{
    (void)repaired;
    HOLDS(path[0] != '\0' && message[0] != '\0');
    ++*(size_t *)context;
}

/* Everything that only reads. Faults; -1 when it cannot be told. */
static int read_all(const char *folder, const akin_kernels *kernels)
{
    akin_store *store;
    akin_error err;
    akin_store_summary summary;
    size_t faults, repaired, told = 0;
    int seen = 0;
    if (judged(akin_store_open(&store, folder, false, 0, &err), &err) != AKIN_OK)
        return -1;
    search(store, kernels);
    judged(akin_store_visit(store, NULL, see_item, &seen, &err), &err);
    judged(akin_store_visit(store, "/p", see_item, &seen, &err), &err);
    judged(akin_store_visit_skips(store, NULL, see_skip, NULL, &err), &err);
    judged(akin_store_visit_devices(store, "/", see_device, NULL, &err), &err);
    judged(akin_store_summarise(store, &summary, &err), &err);
    const akin_status status =
        judged(akin_store_verify(store, false, see_fault, &told, &faults, &repaired, &err), &err);
    if (status == AKIN_OK)
        HOLDS(told == faults && repaired == 0);
    akin_store_close(store);
    return status == AKIN_OK ? (int)faults : -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const akin_kernels *kernels;
    akin_error err;
    akin_store *store;
    if (kernels == NULL)
        HOLDS(akin_kernels_choose(NULL, &kernels, &err) == AKIN_OK);
    const char *folder = fuzz_folder(data, size, names, sizeof names / sizeof *names);
    make_collection(folder);
    read_all(folder, kernels);
    if (judged(akin_store_open(&store, folder, true, 0, &err), &err) == AKIN_OK) {
        size_t faults, repaired, told = 0;
        const akin_status status = judged(
            akin_store_verify(store, true, see_fault, &told, &faults, &repaired, &err), &err);
        akin_store_close(store);
        if (status == AKIN_OK && faults == repaired)
            HOLDS(read_all(folder, kernels) == 0);
    }
    clean(folder);
    return 0;
}
