/* ingest_plan.c - what the walk found against what the store holds: which files are to be read.
 *
 * Both sides are sorted by path and merged, so that 100,000 unchanged files cost the walk, one
 * query and nothing else.
 */
#include "ingest_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/memory.h"

/* Paths live in blocks until the plan is cleared: one allocation each would be half the time. */
struct akin_text_block {
    akin_text_block *below;
    size_t used, size;
    char bytes[];
};

enum {
    text_block = 1 << 18,
    many_roots = 64 /* from so many on one query for all items is less than one for each root */
};

static const char *keep_text(akin_plan *plan, const char *text, size_t size)
{
    akin_text_block *b = plan->text;
    if (b == NULL || b->size - b->used < size + 1) {
        const size_t room = akin_max(size + 1, text_block);
        b = malloc(sizeof *b + room);
        if (b == NULL)
            return NULL;
        *b = (akin_text_block){ plan->text, 0, room };
        plan->text = b;
    }
    char *copy = b->bytes + b->used;
    memcpy(copy, text, size);
    copy[size] = '\0';
    b->used += size + 1;
    return copy;
}

bool akin_path_below(const char *path, const char *folder)
{
    const size_t n = strlen(folder);
    if (n == 1 && folder[0] == '/')
        return path[0] == '/';
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* The root that path[0..size) is, or AKIN_NONE. */
static size_t find_root(const akin_plan *plan, const char *path, size_t size)
{
    size_t low = 0, high = plan->walk.root_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *root = plan->walk.roots[middle].path;
        int order = strncmp(root, path, size);
        if (order == 0 && root[size] == '\0')
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return AKIN_NONE;
}

size_t akin_plan_root(const akin_plan *plan, const char *path, size_t *size)
{
    const size_t whole = strlen(path);
    for (size_t i = *size == AKIN_NONE ? whole : *size; i != 0; i--) {
        /* "/a/b", then "/a", then "/" */
        if (i != whole && path[i] != '/' && i != 1)
            continue;
        const size_t root = find_root(plan, path, i);
        if (root != AKIN_NONE) {
            *size = i - 1;
            return root;
        }
    }
    *size = 0;
    return AKIN_NONE;
}

/* Whether a path is a root (self) or below one. */
static bool below_roots(const akin_plan *plan, const char *path, bool self)
{
    size_t size = self ? AKIN_NONE : strlen(path) - 1;
    return akin_plan_root(plan, path, &size) != AKIN_NONE;
}

/* ---- Loading -------------------------------------------------------------------------------- */

typedef struct loading {
    akin_plan *plan;
    bool everything; /* the query asked for all: those below the roots are picked here */
} loading;

static akin_status load_item(void *context, const akin_item *item, akin_error *err)
{
    const loading *l = context;
    akin_plan *plan = l->plan;
    akin_known *last = plan->known_count != 0 ? &plan->known[plan->known_count - 1] : NULL;
    if (last != NULL && strcmp(last->path, item->path) == 0) {
        last->items++;
        last->has_vector = last->has_vector && item->has_vector;
        return AKIN_OK;
    }
    if (l->everything && !below_roots(plan, item->path, true))
        return AKIN_OK;
    void *grown = akin_grow(plan->known, &plan->known_capacity, plan->known_count + 1,
                            sizeof *plan->known);
    if (grown == NULL)
        return akin_fail_nomem(err, "list of items", 0);
    plan->known = grown;
    const char *path = keep_text(plan, item->path, item->path_size);
    if (path == NULL)
        return akin_fail_nomem(err, "list of items", 0);
    plan->known[plan->known_count++] = (akin_known){
        .path = path,
        .stamp = item->stamp,
        .content = item->content,
        .part = item->part,
        .items = 1,
        .state = item->state,
        .has_vector = item->has_vector,
        .fate = AKIN_FATE_STAYS,
    };
    return AKIN_OK;
}

const char *akin_plan_settings(akin_plan *plan, akin_status code)
{
    if (code != AKIN_E_UNSUPPORTED)
        return plan->settings;
    if (plan->settings_modules == NULL) {
        const char *modules =
            plan->options->modules != NULL ? plan->options->modules(plan->options->context) : "";
        const size_t n = strlen(plan->settings), m = strlen(modules);
        char *text = malloc(n + m + 3);
        if (text == NULL)
            return NULL;
        memcpy(text, plan->settings, n);
        memcpy(text + n, "; ", 2);
        memcpy(text + n + 2, modules, m + 1);
        plan->settings_modules = text;
    }
    return plan->settings_modules;
}

static akin_status load_skip(void *context, const akin_skip *skip, akin_error *err)
{
    const loading *l = context;
    akin_plan *plan = l->plan;
    if (l->everything && !below_roots(plan, skip->path, true))
        return AKIN_OK;
    void *grown =
        akin_grow(plan->skips, &plan->skip_capacity, plan->skip_count + 1, sizeof *plan->skips);
    if (grown == NULL)
        return akin_fail_nomem(err, "skip list", 0);
    plan->skips = grown;
    const char *path = keep_text(plan, skip->path, strlen(skip->path));
    if (path == NULL)
        return akin_fail_nomem(err, "skip list", 0);
    const char *settings = akin_plan_settings(plan, skip->code);
    if (settings == NULL)
        return akin_fail_nomem(err, "skip list", 0);
    plan->skips[plan->skip_count++] = (akin_known_skip){
        .path = path,
        .stamp = skip->stamp,
        .same_settings = strcmp(skip->settings, settings) == 0,
        .denied = skip->code == AKIN_E_PERMISSION,
    };
    return AKIN_OK;
}

static akin_status load_device(void *context, const char *folder, uint64_t device, akin_error *err)
{
    const loading *l = context;
    akin_plan *plan = l->plan;
    if (l->everything && !below_roots(plan, folder, true))
        return AKIN_OK;
    void *grown = akin_grow(plan->devices, &plan->device_capacity, plan->device_count + 1,
                            sizeof *plan->devices);
    if (grown == NULL)
        return akin_fail_nomem(err, "list of devices", 0);
    plan->devices = grown;
    const char *path = keep_text(plan, folder, strlen(folder));
    if (path == NULL)
        return akin_fail_nomem(err, "list of devices", 0);
    plan->devices[plan->device_count++] = (akin_known_device){ .folder = path, .device = device };
    return AKIN_OK;
}

static int compare_known(const void *a, const void *b)
{
    return strcmp(((const akin_known *)a)->path, ((const akin_known *)b)->path);
}

static int compare_skip(const void *a, const void *b)
{
    return strcmp(((const akin_known_skip *)a)->path, ((const akin_known_skip *)b)->path);
}

/* qsort of what is sorted already costs a fifth of a run with nothing to do. */
static void sort(void *items, size_t count, size_t size,
                 int (*compare)(const void *a, const void *b))
{
    const char *p = items;
    for (size_t i = 1; i < count; i++)
        if (compare(p + (i - 1) * size, p + i * size) > 0) {
            qsort(items, count, size, compare);
            return;
        }
}

static akin_status load(akin_plan *plan, akin_store *store, akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_walk *walk = &plan->walk;
    if (store == NULL)
        return AKIN_OK;
    loading l = { plan, walk->root_count > many_roots };
    for (size_t i = 0; i < (l.everything ? 1 : walk->root_count); i++) {
        const char *root = l.everything ? NULL : walk->roots[i].path;
        if (!l.everything && below_roots(plan, root, false))
            continue;
        AKIN_TRY(akin_store_visit(store, root, load_item, &l, err));
        AKIN_TRY(akin_store_visit_skips(store, root, load_skip, &l, err));
        AKIN_TRY(akin_store_visit_devices(store, l.everything ? "/" : root, load_device, &l, err));
    }
    sort(plan->known, plan->known_count, sizeof *plan->known, compare_known);
    sort(plan->skips, plan->skip_count, sizeof *plan->skips, compare_skip);
out:
    return status;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static akin_status add_index(size_t **list, size_t *count, size_t *capacity, size_t value,
                             akin_error *err)
{
    size_t *grown = akin_grow(*list, capacity, *count + 1, sizeof **list);
    if (grown == NULL)
        return akin_fail_nomem(err, "plan", 0);
    *list = grown;
    grown[(*count)++] = value;
    return AKIN_OK;
}

static akin_status add_task(akin_plan *plan, akin_task_file task, akin_error *err)
{
    akin_task_file *grown =
        akin_grow(plan->tasks, &plan->task_capacity, plan->task_count + 1, sizeof *plan->tasks);
    if (grown == NULL)
        return akin_fail_nomem(err, "plan", 0);
    plan->tasks = grown;
    grown[plan->task_count++] = task;
    return AKIN_OK;
}

static bool same_file(const akin_stamp *a, const akin_stamp *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns;
}

/* A file's own time does not tell that permission came by another way: who runs akin, how a drive
 * is mounted. */
static bool may_read(const char *path)
{
    return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0;
}

static akin_status compare(akin_plan *plan, akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_walk *walk = &plan->walk;
    size_t k = 0, s = 0;
    for (size_t f = 0; f < walk->found_count; f++) {
        const akin_found *found = &walk->found[f];
        while (k < plan->known_count && strcmp(plan->known[k].path, found->path) < 0)
            k++;
        while (s < plan->skip_count && strcmp(plan->skips[s].path, found->path) < 0)
            s++;
        akin_known *known =
            k < plan->known_count && strcmp(plan->known[k].path, found->path) == 0
                ? &plan->known[k]
                : NULL;
        akin_known_skip *skip =
            s < plan->skip_count && strcmp(plan->skips[s].path, found->path) == 0
                ? &plan->skips[s]
                : NULL;
        akin_task_file task = { f, known != NULL ? k : AKIN_NONE, false, skip != NULL };
        if (known != NULL)
            known->fate = AKIN_FATE_FOUND;
        if (skip != NULL)
            skip->found = true;
        if (skip != NULL && skip->same_settings && same_file(&skip->stamp, &found->stamp) &&
            skip->stamp.ctime_ns == found->stamp.ctime_ns &&
            !(skip->denied && may_read(found->path))) {
            plan->skipped_before++;
            continue;
        }
        if (known != NULL && known->has_vector && same_file(&known->stamp, &found->stamp)) {
            const bool words = known->stamp.sidecars == found->stamp.sidecars;
            if (words && known->state == AKIN_ITEM_LIVE && skip == NULL) {
                plan->unchanged++;
                continue;
            }
            if (words && skip == NULL) {
                AKIN_TRY(add_index(&plan->returned, &plan->returned_count,
                                   &plan->returned_capacity, k, err));
                continue;
            }
            task.same = true;
        }
        AKIN_TRY(add_task(plan, task, err));
    }
out:
    return status;
}

akin_status akin_plan_make(akin_plan *plan, akin_store *store, const char *const *paths,
                           size_t count, const akin_ingest_options *options, akin_error *err)
{
    akin_status status = AKIN_OK;
    *plan = (akin_plan){ .options = options,
                         .settings = options->settings != NULL ? options->settings : "",
                         .prune = options->prune };
    akin_walk_options walk = options->walk;
    walk.videos = options->frame_seconds > 0;
    if (walk.stop == NULL) {
        walk.stop = options->stop;
        walk.context = options->context;
    }
    AKIN_TRY(akin_walk_paths(&plan->walk, paths, count, &walk, err));
    plan->guards = calloc(plan->walk.root_count + 1, sizeof *plan->guards);
    if (plan->guards == NULL) {
        status = akin_fail_nomem(err, "plan", 0);
        goto out;
    }
    AKIN_TRY(load(plan, store, err));
    AKIN_TRY(compare(plan, err));
    AKIN_TRY(akin_leave_plan(plan, err));
out:
    return status;
}

void akin_plan_clear(akin_plan *plan)
{
    for (size_t r = 0; plan->guards != NULL && r < plan->walk.root_count; r++)
        free(plan->guards[r]);
    akin_walk_clear(&plan->walk);
    free(plan->known);
    free(plan->skips);
    free(plan->devices);
    free(plan->tasks);
    free(plan->returned);
    free(plan->gone);
    free(plan->guards);
    while (plan->text != NULL) {
        akin_text_block *below = plan->text->below;
        free(plan->text);
        plan->text = below;
    }
    free(plan->settings_modules);
    *plan = (akin_plan){ 0 };
}

/* ---- Looking up ----------------------------------------------------------------------------- */

/* The first of known that is not before text[0..size). */
static size_t lower_bound(const akin_plan *plan, const char *text, size_t size)
{
    size_t low = 0, high = plan->known_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strncmp(plan->known[middle].path, text, size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void akin_plan_range(const akin_plan *plan, const char *folder, size_t *self, size_t *first,
                     size_t *end)
{
    size_t n = strlen(folder);
    *self = AKIN_NONE;
    if (n == 1 && folder[0] == '/') {
        *first = 0;
        *end = plan->known_count;
        return;
    }
    const size_t at = lower_bound(plan, folder, n + 1); /* the NUL is compared too */
    if (at < plan->known_count && strcmp(plan->known[at].path, folder) == 0)
        *self = at;
    /* Those below are one run, but others may lie between it and the folder: "a", "a-b", "a/c". */
    size_t low = at, high = plan->known_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *path = plan->known[middle].path;
        const int order = strncmp(path, folder, n);
        if (order < 0 || (order == 0 && (unsigned char)path[n] < '/'))
            low = middle + 1;
        else
            high = middle;
    }
    *first = low;
    high = plan->known_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *path = plan->known[middle].path;
        const int order = strncmp(path, folder, n);
        if (order < 0 || (order == 0 && (unsigned char)path[n] <= '/'))
            low = middle + 1;
        else
            high = middle;
    }
    *end = low;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

size_t akin_plan_gone(const akin_plan *plan, int64_t content, const char *path)
{
    size_t low = 0, high = plan->gone_count, best = AKIN_NONE;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (plan->known[plan->gone[middle]].content < content)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < plan->gone_count; low++) {
        const akin_known *known = &plan->known[plan->gone[low]];
        if (known->content != content)
            break;
        if (known->fate != AKIN_FATE_GONE)
            continue;
        if (best == AKIN_NONE)
            best = plan->gone[low];
        if (strcmp(file_name(known->path), file_name(path)) == 0)
            return plan->gone[low];
    }
    return best;
}
