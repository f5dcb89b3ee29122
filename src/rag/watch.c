/* watch.c - waits until something below some folders changes.
 *
 * Folders are watched, never files: a tree of a million pictures has some thousand folders. What an
 * event says is only used to tell changes that matter from those that do not (files that nothing
 * would be made of, and files that are still being written, whose end comes as an event of its
 * own); what changed is found by the next pass, which costs less than to keep a second copy of the
 * tree right. A folder that goes away and comes back as another one (a drive) tells nothing: roots
 * and mounted folders are looked at every while besides.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"

enum { ask_every_ms = 200, most_rounds = 5 };

/* IN_ATTRIB: a file that could not be read may be readable now. Not IN_MODIFY, which comes at each
 * write, and not IN_ACCESS, which a pass itself makes. */
#define EVENTS                                                                            \
    (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB |   \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK)

typedef struct watch {
    int number; /* the kernel's */
    char *path;
} watch;

/* A root, or a folder on another device than its parent: what a drive may come and go at. */
typedef struct place {
    char *path;
    uint64_t device, inode; /* 0, 0: not there */
    int64_t size;           /* of a file that was named itself, which no watched folder tells of */
    struct timespec mtime;
} place;

struct akin_watcher {
    char **paths;
    size_t path_count;
    akin_walk_options options;
    akin_watch_terms terms;
    int fd; /* of inotify; -1: polling */
    watch *watches; /* by number */
    size_t watch_count;
    place *places;
    size_t place_count;
    char mode[PATH_MAX + 256];
};

static akin_status no_memory(akin_error *err)
{
    return akin_fail_nomem(err, "a list of folders", 0);
}

/* What file systems are called on which changes may be made by others, unseen by this kernel; NULL
 * for the rest. */
static const char *remote_name(uint32_t type)
{
    static const struct remote {
        uint32_t type;
        const char *name;
    } remotes[] = {
        { 0x6969, "nfs" },       { 0x517b, "smb" },       { 0xff534d42, "cifs" },
        { 0xfe534d42, "smb" },   { 0x65735546, "fuse" },  { 0x01021997, "9p" },
        { 0x00c36400, "ceph" },  { 0x5346414f, "afs" },   { 0x6b414653, "afs" },
        { 0x73757245, "coda" },  { 0x0bd00bd0, "lustre" }, { 0x01161970, "gfs2" },
        { 0x7461636f, "ocfs2" }, { 0x47504653, "gpfs" },  { 0x786f4256, "vboxsf" },
        { 0xbacbacbc, "vmhgfs" }, { 0x564c, "ncp" },
    };
    for (size_t i = 0; i < sizeof remotes / sizeof remotes[0]; i++)
        if (remotes[i].type == type)
            return remotes[i].name;
    return NULL;
}

/* Watches that a user may have, all programs together. */
static size_t allowed_watches(const akin_watch_terms *terms)
{
    char text[32];
    size_t count = 0;
    if (terms->watches != 0)
        return terms->watches;
    const int fd = open("/proc/sys/fs/inotify/max_user_watches", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd >= 0 ? read(fd, text, sizeof text) : 0;
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i < size && i < 18 && text[i] >= '0' && text[i] <= '9'; i++)
        count = 10 * count + (size_t)(text[i] - '0');
    return count != 0 ? count : 8192; /* the kernel's own default for long */
}

static void look_at(place *p)
{
    struct stat st;
    const bool there = stat(p->path, &st) == 0;
    p->device = there ? st.st_dev : 0;
    p->inode = there ? st.st_ino : 0;
    p->size = there && S_ISREG(st.st_mode) ? st.st_size : 0;
    p->mtime = there && S_ISREG(st.st_mode) ? st.st_mtim : (struct timespec){ 0 };
}

static void clear_places(akin_watcher *w)
{
    for (size_t i = 0; i < w->place_count; i++)
        free(w->places[i].path);
    free(w->places);
    w->places = NULL;
    w->place_count = 0;
}

static void clear_watches(akin_watcher *w)
{
    for (size_t i = 0; i < w->watch_count; i++)
        free(w->watches[i].path);
    free(w->watches);
    w->watches = NULL;
    w->watch_count = 0;
}

/* From now on by looking every while, since `why`, which says so of `path` (NULL: of nothing). */
static void poll_instead(akin_watcher *w, const char *path, const char *why)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    clear_watches(w);
    snprintf(w->mode, sizeof w->mode, "looking every %g s: %s%s%s", w->terms.every,
             path != NULL ? path : "", path != NULL ? " " : "", why);
}

static int watch_compare(const void *a, const void *b)
{
    const int x = ((const watch *)a)->number, y = ((const watch *)b)->number;
    return (x > y) - (x < y);
}

static const watch *watch_of(const akin_watcher *w, int number)
{
    const watch key = { .number = number };
    return w->watch_count == 0 ? NULL : bsearch(&key, w->watches, w->watch_count,
                                                sizeof w->watches[0], watch_compare);
}

/* Watches these folders and no others; what is watched already costs a system call. *fresh: how
 * many were not watched before. */
static akin_status watch_folders(akin_watcher *w, const akin_walk *walk, size_t *fresh,
                                 akin_error *err)
{
    *fresh = 0;
    const size_t allowed = allowed_watches(&w->terms);
    if (walk->folder_count > allowed / 4) {
        char why[128];
        snprintf(why, sizeof why, "%zu folders are more than a quarter of the %zu that may be "
                 "watched", walk->folder_count, allowed);
        poll_instead(w, NULL, why);
        return AKIN_OK;
    }
    watch *watches = calloc(akin_max(walk->folder_count, 1), sizeof watches[0]);
    size_t count = 0;
    if (watches == NULL)
        return no_memory(err);
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < walk->folder_count; i++) {
        const int number = inotify_add_watch(w->fd, walk->folders[i], EVENTS);
        if (number < 0 && (errno == ENOSPC || errno == ENOMEM)) {
            poll_instead(w, NULL, "the system has no more watches");
            goto out;
        }
        if (number < 0) /* gone meanwhile: its parent tells */
            continue;
        *fresh += watch_of(w, number) == NULL;
        watches[count].number = number;
        watches[count].path = strdup(walk->folders[i]);
        if (watches[count++].path == NULL) {
            status = no_memory(err);
            goto out;
        }
    }
    qsort(watches, count, sizeof watches[0], watch_compare);
    for (size_t i = 0; i < w->watch_count; i++)
        if (count == 0 || bsearch(&w->watches[i], watches, count, sizeof watches[0],
                                  watch_compare) == NULL)
            inotify_rm_watch(w->fd, w->watches[i].number);
    clear_watches(w);
    w->watches = watches;
    w->watch_count = count;
    snprintf(w->mode, sizeof w->mode, "watching %zu folder%s", count, count == 1 ? "" : "s");
    return AKIN_OK;
out:
    for (size_t i = 0; i < count; i++)
        free(watches[i].path);
    free(watches);
    return status;
}

static akin_status note_places(akin_watcher *w, const akin_walk *walk, akin_error *err)
{
    clear_places(w);
    w->places = calloc(walk->root_count + walk->mounted_count + 1, sizeof w->places[0]);
    if (w->places == NULL)
        return no_memory(err);
    for (size_t i = 0; i < walk->root_count + walk->mounted_count; i++) {
        place *p = &w->places[w->place_count];
        p->path = strdup(i < walk->root_count ? walk->roots[i].path
                                              : walk->mounted[i - walk->root_count].path);
        if (p->path == NULL)
            return no_memory(err);
        look_at(p);
        w->place_count++;
    }
    return AKIN_OK;
}

/* Whether a drive came or went, or a named file changed, since note_places. */
static bool places_changed(akin_watcher *w)
{
    bool changed = false;
    for (size_t i = 0; i < w->place_count; i++) {
        const place before = w->places[i];
        look_at(&w->places[i]);
        changed = changed || w->places[i].device != before.device ||
                  w->places[i].inode != before.inode || w->places[i].size != before.size ||
                  w->places[i].mtime.tv_sec != before.mtime.tv_sec ||
                  w->places[i].mtime.tv_nsec != before.mtime.tv_nsec;
    }
    return changed;
}

/* Watches what there is now. A folder that was made after the walk, in one that was not watched
 * yet, tells nobody: so until a walk finds nothing new. */
static akin_status look_around(akin_watcher *w, akin_error *err)
{
    akin_walk walk = { 0 };
    akin_status status = AKIN_OK;
    size_t fresh = 1;
    for (int round = 0; round < most_rounds && fresh != 0 && w->fd >= 0; round++) {
        AKIN_TRY(akin_walk_paths(&walk, (const char *const *)w->paths, w->path_count, &w->options,
                                 err));
        for (size_t i = 0; i < walk.mounted_count && w->fd >= 0; i++) {
            struct statfs fs;
            const char *name = NULL;
            char why[64];
            if (statfs(walk.mounted[i].path, &fs) == 0)
                name = remote_name((uint32_t)fs.f_type);
            if (name != NULL) {
                snprintf(why, sizeof why, "is on %s", name);
                poll_instead(w, walk.mounted[i].path, why);
            }
        }
        if (w->fd < 0)
            break;
        AKIN_TRY(note_places(w, &walk, err));
        AKIN_TRY(watch_folders(w, &walk, &fresh, err));
        akin_walk_clear(&walk);
    }
out:
    akin_walk_clear(&walk);
    return status;
}

akin_status akin_watcher_new_with(akin_watcher **out, const char *const *paths, size_t count,
                                  const akin_walk_options *options, const akin_watch_terms *terms,
                                  akin_error *err)
{
    *out = NULL;
    akin_status status = AKIN_OK;
    akin_watcher *w = calloc(1, sizeof *w);
    if (w == NULL)
        return no_memory(err);
    w->fd = -1;
    w->terms = *terms;
    w->options = *options;
    w->options.folders_only = true;
    w->paths = calloc(akin_max(count, 1), sizeof w->paths[0]);
    if (w->paths == NULL) {
        status = no_memory(err);
        goto out;
    }
    /* Absolute, so that another working folder later changes nothing; links are kept: they may lead
     * elsewhere tomorrow. */
    for (; w->path_count < count; w->path_count++)
        AKIN_TRY(akin_path_absolute(paths[w->path_count], &w->paths[w->path_count], err));
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0)
        poll_instead(w, NULL, "the system has no more watchers");
    AKIN_TRY(look_around(w, err));
    *out = w;
    w = NULL;
out:
    akin_watcher_free(w);
    return status;
}

akin_status akin_watcher_new(akin_watcher **out, const char *const *paths, size_t count,
                             const akin_walk_options *options, akin_error *err)
{
    const akin_watch_terms terms = { .quiet = 1, .longest = 10, .every = 30 };
    return akin_watcher_new_with(out, paths, count, options, &terms, err);
}

void akin_watcher_free(akin_watcher *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0)
        close(w->fd);
    clear_watches(w);
    clear_places(w);
    for (size_t i = 0; i < w->path_count; i++)
        free(w->paths[i]);
    free(w->paths);
    free(w);
}

const char *akin_watcher_mode(const akin_watcher *w)
{
    return w->mode;
}

/* Whether an event may change what a pass finds. *folders: also what there is to be watched. */
static bool matters(const akin_watcher *w, const struct inotify_event *e, bool *folders)
{
    if ((e->mask & (IN_Q_OVERFLOW | IN_UNMOUNT | IN_DELETE_SELF | IN_MOVE_SELF)) != 0) {
        *folders = true;
        return true;
    }
    if ((e->mask & IN_IGNORED) != 0 || e->len == 0)
        return false;
    const bool is_folder = (e->mask & IN_ISDIR) != 0;
    if (!akin_walk_minds(e->name, is_folder, &w->options))
        return false;
    /* A file that was just made is being written: it matters when it is closed. A link, or a second
     * name of a file, is whole at once. */
    if ((e->mask & IN_CREATE) != 0 && !is_folder) {
        struct stat st;
        const watch *in = watch_of(w, e->wd);
        char *path = in != NULL ? akin_path_join(in->path, e->name) : NULL;
        const bool written = path != NULL && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
                             st.st_nlink == 1;
        free(path);
        if (written)
            return false;
    }
    /* Rules decide over folders; a link may lead to one. */
    *folders = *folders || is_folder || e->name[0] == '.' ||
               (e->mask & (IN_CREATE | IN_MOVED_TO)) != 0;
    return true;
}

/* Reads all events there are. */
static akin_status read_events(akin_watcher *w, bool *changed, bool *folders, akin_error *err)
{
    _Alignas(struct inotify_event) char buffer[16384];
    for (;;) {
        const ssize_t size = read(w->fd, buffer, sizeof buffer);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return AKIN_OK;
        if (size < 0)
            return akin_fail_errno(err, errno, NULL, "cannot watch");
        if (size == 0)
            return AKIN_OK;
        for (const char *at = buffer; at < buffer + size;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            *changed |= matters(w, e, folders);
            at += sizeof *e + e->len;
        }
    }
}

akin_status akin_watcher_wait(akin_watcher *w, double busy, akin_error *err)
{
    const double start = akin_clock();
    const double pause = 10 * busy > w->terms.every ? 10 * busy : w->terms.every;
    double first = 0, last = 0, looked = start;
    bool any = false, folders = false;
    for (;;) {
        if (w->options.stop != NULL && w->options.stop(w->options.context))
            return akin_fail(err, AKIN_E_STOPPED, NULL, "stopped while waiting for changes");
        /* After the first event in even steps: a folder that is written to without end would wake
         * us at each file. */
        struct pollfd ready = { .fd = any ? -1 : w->fd, .events = POLLIN };
        double left = ask_every_ms / 1000.0;
        if (any && last + w->terms.quiet - akin_clock() < left)
            left = last + w->terms.quiet - akin_clock();
        poll(&ready, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
        const double t = akin_clock();
        if (w->fd < 0) {
            if (t - start >= pause)
                return AKIN_OK;
            continue;
        }
        bool changed = false;
        akin_status status = read_events(w, &changed, &folders, err);
        if (status != AKIN_OK)
            return status;
        if (t - looked >= w->terms.every) {
            looked = t;
            if (places_changed(w))
                changed = folders = true;
        }
        if (changed) {
            first = any ? first : t;
            last = t;
            any = true;
        }
        if (!any || (t - last < w->terms.quiet && t - first < w->terms.longest))
            continue;
        return folders ? look_around(w, err) : AKIN_OK;
    }
}
