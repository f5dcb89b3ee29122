/* ingest_leave.c - items whose files the walk did not find: gone, left out by a rule, or on a drive
 * that is away.
 *
 * An item leaves only when its folder could be read and the file is not there. Nothing of a given
 * root leaves while the root is missing, unreadable, empty, on another device than before, or more
 * than half of its files (and more than 20) would. Two well-known programs emptied their users'
 * indexes when a drive was not mounted; this file is why akin does not.
 */
#include "ingest_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { guard_files = 20 }; /* so many may leave whatever their share */

#define GONE_FOR_GOOD "if they are gone for good, index again with --prune"

/* What the file system says about a path that the walk did not find. */
typedef enum akin_presence { presence_there, presence_gone, presence_unknown } akin_presence;

static akin_presence look_for(const char *path)
{
    struct stat st;
    int failed = lstat(path, &st);
    /* A link that leads nowhere is as gone as what it led to: it may have been on another drive. */
    if (failed == 0 && S_ISLNK(st.st_mode))
        failed = stat(path, &st);
    if (failed == 0) /* a folder of that name is not the picture that was there */
        return S_ISREG(st.st_mode) ? presence_there : presence_gone;
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? presence_gone
                                                                 : presence_unknown;
}

/* The device of the nearest folder at or above `path` that the walk knows one of; 0: none. */
static uint64_t device_of(const akin_walk *walk, const char *path)
{
    uint64_t device = 0;
    size_t longest = 0;
    for (size_t i = 0; i < walk->mounted_count; i++) {
        const size_t n = strlen(walk->mounted[i].path);
        if (n >= longest && akin_path_below(path, walk->mounted[i].path)) {
            longest = n;
            device = walk->mounted[i].device;
        }
    }
    return device;
}

/* ---- Before the work ------------------------------------------------------------------------ */

typedef struct tally {
    size_t items;     /* in any state */
    size_t live;      /* paths */
    size_t gone;      /* of these, whose file is not there */
} tally;

static void count_one(const akin_known *known, tally *t)
{
    t->items += known->items;
    if (known->state != AKIN_ITEM_LIVE)
        return;
    t->live++;
    t->gone += known->fate == AKIN_FATE_GONE;
}

static tally count_below(const akin_plan *plan, const char *folder)
{
    tally t = { 0 };
    size_t self, first, end;
    akin_plan_range(plan, folder, &self, &first, &end);
    if (self != AKIN_NONE)
        count_one(&plan->known[self], &t);
    for (size_t i = first; i < end; i++)
        count_one(&plan->known[i], &t);
    return t;
}

/* Nothing at or below a folder leaves. */
static void hold(akin_plan *plan, const char *folder)
{
    size_t self, first, end;
    akin_plan_range(plan, folder, &self, &first, &end);
    if (self != AKIN_NONE)
        plan->known[self].guarded = true;
    for (size_t i = first; i < end; i++)
        plan->known[i].guarded = true;
}

static void doubt_one(akin_known *known)
{
    if (known->fate == AKIN_FATE_STAYS && look_for(known->path) != presence_there)
        known->fate = AKIN_FATE_GONE;
}

/* Below a root that could not be read itself, what cannot be seen would be gone. */
static void doubt(akin_plan *plan, const char *folder)
{
    size_t self, first, end;
    akin_plan_range(plan, folder, &self, &first, &end);
    if (self != AKIN_NONE)
        doubt_one(&plan->known[self]);
    for (size_t i = first; i < end; i++)
        doubt_one(&plan->known[i]);
}

/* Nothing of a root leaves, and this is why. Allocated: there may be a hundred thousand roots. */
static akin_status set_guard(akin_plan *plan, size_t r, const akin_error *why, akin_error *err)
{
    if (plan->guards[r] != NULL)
        return AKIN_OK;
    plan->guards[r] = malloc(sizeof *why);
    if (plan->guards[r] == NULL)
        return akin_fail_nomem(err, "plan", sizeof *why);
    *plan->guards[r] = *why;
    return AKIN_OK;
}

static akin_status check_root(akin_plan *plan, size_t r, akin_error *err)
{
    const akin_root *root = &plan->walk.roots[r];
    const tally t = count_below(plan, root->path);
    akin_error why = { 0 };
    if (plan->prune && t.items != 0)
        return AKIN_OK;
    if (root->why != NULL && t.live == 0)
        why = *root->why;
    else if (root->why != NULL && strcmp(root->why->path, root->path) != 0)
        akin_fail(&why, root->why->code, root->why->path, /* an .akinignore */
                  "%s; its folder was not looked at, and the %zu files of that in the collection "
                  "stay there",
                  root->why->message, t.live);
    else if (root->why != NULL)
        akin_fail(&why, root->why->code, root->path,
                  "%s; %zu of its files are in the collection and stay there: is a drive away? "
                  GONE_FOR_GOOD,
                  root->why->message, t.live);
    else if (root->folder && root->entries == 0 && t.gone != 0)
        akin_fail(&why, AKIN_E_UNSAFE, root->path,
                  "is empty; %zu of its files are in the collection and stay there: is a drive "
                  "away? " GONE_FOR_GOOD,
                  t.live);
    if (why.code == AKIN_OK)
        return AKIN_OK;
    hold(plan, root->path);
    return set_guard(plan, r, &why, err);
}

static akin_status check_device(akin_plan *plan, akin_known_device *d, akin_error *err)
{
    akin_status status = AKIN_OK;
    const uint64_t now = device_of(&plan->walk, d->folder);
    if (now == 0 || now == d->device)
        return AKIN_OK;
    d->changed = true;
    const tally t = count_below(plan, d->folder);
    if (t.gone == 0 || plan->prune)
        return AKIN_OK;
    akin_error why;
    akin_fail(&why, AKIN_E_UNSAFE, d->folder,
              "is on another device than before; %zu of its files cannot be found and stay in the "
              "collection: is a drive away? " GONE_FOR_GOOD,
              t.gone);
    hold(plan, d->folder);
    for (size_t size = AKIN_NONE;;) {
        const size_t root = akin_plan_root(plan, d->folder, &size);
        if (root == AKIN_NONE)
            break;
        AKIN_TRY(set_guard(plan, root, &why, err));
    }
out:
    return status;
}

typedef struct gone_entry {
    int64_t content;
    size_t known;
} gone_entry;

static int compare_gone(const void *a, const void *b)
{
    const gone_entry *x = a, *y = b;
    if (x->content != y->content)
        return x->content < y->content ? -1 : 1;
    return x->known < y->known ? -1 : x->known > y->known;
}

/* plan->gone, for akin_plan_gone. */
static akin_status list_gone(akin_plan *plan, akin_error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->known_count; i++)
        count += plan->known[i].fate == AKIN_FATE_GONE && !plan->known[i].guarded;
    if (count == 0)
        return AKIN_OK;
    gone_entry *entries = malloc(count * sizeof *entries);
    plan->gone = malloc(count * sizeof *plan->gone);
    if (entries == NULL || plan->gone == NULL) {
        free(entries);
        return akin_fail_nomem(err, "plan", 0);
    }
    for (size_t i = 0; i < plan->known_count; i++)
        if (plan->known[i].fate == AKIN_FATE_GONE && !plan->known[i].guarded)
            entries[plan->gone_count++] = (gone_entry){ plan->known[i].content, i };
    qsort(entries, count, sizeof *entries, compare_gone);
    for (size_t i = 0; i < count; i++)
        plan->gone[i] = entries[i].known;
    free(entries);
    return AKIN_OK;
}

akin_status akin_leave_plan(akin_plan *plan, akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_walk *walk = &plan->walk;
    for (size_t i = 0; i < plan->known_count; i++) {
        akin_known *known = &plan->known[i];
        if (known->fate == AKIN_FATE_FOUND || !akin_walk_covers(walk, known->path))
            continue;
        const akin_presence presence = look_for(known->path);
        known->fate = presence == presence_gone    ? AKIN_FATE_GONE
                      : presence == presence_there ? AKIN_FATE_HIDDEN
                                                   : AKIN_FATE_STAYS;
    }
    for (size_t r = 0; r < walk->root_count; r++)
        if (walk->roots[r].why != NULL)
            doubt(plan, walk->roots[r].path);
    for (size_t r = 0; r < walk->root_count; r++)
        AKIN_TRY(check_root(plan, r, err));
    for (size_t d = 0; d < plan->device_count; d++)
        AKIN_TRY(check_device(plan, &plan->devices[d], err));
    AKIN_TRY(list_gone(plan, err));
out:
    return status;
}

/* ---- After the work ------------------------------------------------------------------------- */

/* More than half of a root's files. */
static akin_status check_share(akin_plan *plan, size_t r, akin_error *err)
{
    const akin_root *root = &plan->walk.roots[r];
    size_t self, first, end, live = 0, leaving = 0;
    if (plan->prune)
        return AKIN_OK;
    akin_plan_range(plan, root->path, &self, &first, &end);
    for (size_t i = first; i < end; i++) {
        const akin_known *known = &plan->known[i];
        if (known->state != AKIN_ITEM_LIVE)
            continue;
        live++;
        leaving += known->fate == AKIN_FATE_GONE && !known->guarded;
    }
    if (leaving <= guard_files || leaving * 2 <= live)
        return AKIN_OK;
    akin_error why;
    akin_fail(&why, AKIN_E_UNSAFE, root->path,
              "%zu of its %zu files in the collection are not there any more and stay in it: is a "
              "drive away? " GONE_FOR_GOOD,
              leaving, live);
    hold(plan, root->path);
    return set_guard(plan, r, &why, err);
}

static akin_status leave_one(akin_store *store, const akin_known *known,
                             akin_ingest_report *report, akin_error *err)
{
    akin_item_state state = known->state;
    if (known->fate == AKIN_FATE_GONE && known->guarded) {
        if (known->state == AKIN_ITEM_LIVE)
            report->kept += known->items;
        return AKIN_OK;
    }
    if (known->fate == AKIN_FATE_GONE)
        state = AKIN_ITEM_MISSING;
    else if (known->fate == AKIN_FATE_HIDDEN && known->state == AKIN_ITEM_LIVE)
        state = AKIN_ITEM_HIDDEN;
    if (state == known->state)
        return AKIN_OK;
    akin_status status =
        store != NULL ? akin_store_set_state(store, known->path, state, err) : AKIN_OK;
    if (status == AKIN_OK && state == AKIN_ITEM_MISSING)
        report->missing += known->items;
    else if (status == AKIN_OK)
        report->hidden += known->items;
    return status;
}

/* Whether a path that is not an item lies below something that is held. */
static bool held(const akin_plan *plan, const char *path)
{
    for (size_t size = AKIN_NONE;;) {
        const size_t root = akin_plan_root(plan, path, &size);
        if (root == AKIN_NONE)
            return false;
        if (plan->guards[root] != NULL)
            return true;
    }
}

akin_status akin_leave(akin_plan *plan, akin_store *store, const akin_ingest_options *options,
                       akin_ingest_report *report, bool *changed, akin_error *guard,
                       akin_error *err)
{
    akin_status status = AKIN_OK;
    const size_t before = report->missing + report->hidden;
    guard->code = AKIN_OK;
    for (size_t r = 0; r < plan->walk.root_count; r++)
        AKIN_TRY(check_share(plan, r, err));
    for (size_t i = 0; i < plan->known_count; i++)
        AKIN_TRY(leave_one(store, &plan->known[i], report, err));
    for (size_t i = 0; i < plan->skip_count && store != NULL; i++) {
        const akin_known_skip *skip = &plan->skips[i];
        if (skip->found || !akin_walk_covers(&plan->walk, skip->path) ||
            held(plan, skip->path) || look_for(skip->path) == presence_unknown)
            continue;
        AKIN_TRY(akin_store_unskip(store, skip->path, err));
        *changed = true;
    }
    *changed = *changed || report->missing + report->hidden != before;
    for (size_t r = 0; r < plan->walk.root_count; r++) {
        const akin_error *why = plan->guards[r];
        if (why == NULL)
            continue;
        if (guard->code == AKIN_OK)
            *guard = *why;
        else if (strcmp(guard->path, why->path) != 0 && options->note != NULL)
            options->note(options->context, why);
    }
out:
    return status;
}

akin_status akin_leave_devices(akin_plan *plan, akin_store *store, bool *changed, akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_walk *walk = &plan->walk;
    for (size_t i = 0; i < walk->mounted_count; i++) {
        const akin_mounted *m = &walk->mounted[i];
        bool known = false;
        for (size_t d = 0; d < plan->device_count; d++)
            known = known || (strcmp(plan->devices[d].folder, m->path) == 0 &&
                              !plan->devices[d].changed);
        if (known || held(plan, m->path))
            continue;
        AKIN_TRY(akin_store_set_device(store, m->path, m->device, err));
        *changed = true;
    }
    /* A mount that is no more, and nothing was lost with it. */
    for (size_t d = 0; d < plan->device_count; d++) {
        const akin_known_device *device = &plan->devices[d];
        bool there = false;
        for (size_t i = 0; i < walk->mounted_count; i++)
            there = there || strcmp(walk->mounted[i].path, device->folder) == 0;
        if (!device->changed || there || held(plan, device->folder))
            continue;
        AKIN_TRY(akin_store_set_device(store, device->folder, 0, err));
        *changed = true;
    }
out:
    return status;
}
