/* walk.c - which files of some folders are pictures to index.
 *
 * Folders are taken from a list that grows as they are found: each is opened once by its whole
 * path, read, sorted and closed, and its files are looked at relative to it. No descriptor is kept,
 * so that no depth is too deep; what grows past PATH_MAX, which nobody could open by name, is told
 * as unread. Links wait until all folders are done: only then is it known whether what they lead to
 * was seen. No device, socket or pipe is ever opened, and of files only those that have no ending,
 * for their first bytes.
 */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "image/video.h"
#include "ignore.h"
#include "sidecar.h"

#define NO_PARENT SIZE_MAX
enum { ask_every = 4096 }; /* names between two questions whether to stop */

typedef struct identity {
    uint64_t device, inode;
} identity;

typedef struct folder {
    char *path;
    size_t below;              /* where a path below its root goes on */
    size_t parent;             /* NO_PARENT: a root */
    const akin_ignore *ignore; /* its own rules and those of the folders above it */
    uint64_t device, inode;    /* of st_dev and st_ino; 0 and 0 until it was opened */
    bool linked;               /* its path is a link */
    bool read;                 /* to its end */
} folder;

typedef enum form {
    FORM_NONE,
    FORM_STILL,   /* JPEG, HEIC: what a raw photograph or a clip may stand beside */
    FORM_PICTURE, /* any other */
    FORM_RAW,
    FORM_CLIP,    /* MOV, MP4: may be the moving part of a live photograph */
    FORM_VIDEO,
    FORM_BARE,    /* no ending: the first bytes decide */
    FORM_SIDECAR
} form;

typedef struct entry {
    size_t name; /* offset into walker.names */
    unsigned char type; /* DT_DIR, DT_REG, DT_LNK (whose target nothing is known of) or another */
    unsigned char form;
    bool link;   /* the rest says what it leads to */
    bool known;  /* `stamp` and `id` are filled in */
    akin_stamp stamp;
    identity id;
} entry;

typedef struct file_link {
    akin_found found;
    identity target;
} file_link;

typedef struct folder_link {
    char *path;
    size_t parent;
} folder_link;

typedef struct id_set {
    identity *slots; /* of inode 0: empty */
    size_t capacity, count;
} id_set;

typedef struct walker {
    akin_walk *out;
    const akin_walk_options *options;
    size_t found_capacity, unread_capacity, mounted_capacity;
    identity *ids; /* [found_count] */
    size_t ids_capacity;
    folder *folders;
    size_t folder_count, folder_capacity;
    akin_ignore **ignores; /* all that were read, to be freed */
    size_t ignore_count, ignore_capacity;
    file_link *file_links;
    size_t file_link_count, file_link_capacity;
    folder_link *folder_links;
    size_t folder_link_count, folder_link_capacity;
    identity own;

    /* Of the folder in hand. */
    entry *entries;
    size_t entry_count, entry_capacity;
    char *names;
    size_t names_size, names_capacity;
    char path[2 * PATH_MAX]; /* of it, with a '/', and room for a name */
    size_t path_size;
} walker;

static akin_status no_memory(akin_error *err)
{
    return akin_fail_nomem(err, "a list of files", 0);
}

/* ---- names */

static form form_of_name(const char *name)
{
    static const struct ending {
        char text[5];
        unsigned char form;
    } endings[] = {
        { "jpg", FORM_STILL },   { "jpeg", FORM_STILL },  { "jpe", FORM_STILL },
        { "jfif", FORM_STILL },  { "heic", FORM_STILL },  { "heif", FORM_STILL },
        { "hif", FORM_STILL },   { "png", FORM_PICTURE }, { "webp", FORM_PICTURE },
        { "gif", FORM_PICTURE }, { "bmp", FORM_PICTURE }, { "dib", FORM_PICTURE },
        { "tif", FORM_PICTURE }, { "tiff", FORM_PICTURE }, { "avif", FORM_PICTURE },
        { "cr2", FORM_RAW },     { "cr3", FORM_RAW },     { "dng", FORM_RAW },
        { "nef", FORM_RAW },     { "nrw", FORM_RAW },     { "arw", FORM_RAW },
        { "sr2", FORM_RAW },     { "srf", FORM_RAW },     { "raf", FORM_RAW },
        { "orf", FORM_RAW },     { "rw2", FORM_RAW },     { "rwl", FORM_RAW },
        { "pef", FORM_RAW },     { "srw", FORM_RAW },     { "3fr", FORM_RAW },
        { "iiq", FORM_RAW },     { "erf", FORM_RAW },     { "mov", FORM_CLIP },
        { "mp4", FORM_CLIP },
    };
    const char *dot = strrchr(name, '.');
    if (dot == NULL || dot == name)
        return FORM_BARE;
    const size_t size = strlen(++dot);
    if (size >= 3 && size <= 4)
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
            if (strncasecmp(dot, endings[i].text, sizeof endings[i].text) == 0)
                return (form)endings[i].form;
    if (akin_sidecar_name(name))
        return FORM_SIDECAR;
    return akin_video_name(name) ? FORM_VIDEO : FORM_NONE;
}

static bool is_video(form f) { return f == FORM_CLIP || f == FORM_VIDEO; }

bool akin_walk_minds(const char *name, bool is_folder, const akin_walk_options *options)
{
    if (strcmp(name, ".nomedia") == 0 || strcmp(name, AKIN_IGNORE_FILE) == 0)
        return true;
    if (akin_name_left_out(name, options->include_hidden))
        return false;
    const form f = form_of_name(name);
    return is_folder || (f != FORM_NONE && (!is_video(f) || options->videos));
}

/* How pictures begin: what picture.c, heif.c and raw.c read. '?' is any byte. */
static bool looks_like_picture(const unsigned char *bytes, size_t size)
{
    static const struct look {
        const char *start;
        size_t size;
    } looks[] = {
#define LOOK(start) { start, sizeof(start) - 1 }
        LOOK("\xff\xd8\xff"),   LOOK("\x89PNG\r\n\x1a\n"), LOOK("RIFF????WEBP"),
        LOOK("GIF87a"),         LOOK("GIF89a"),            LOOK("II*\0"),
        LOOK("MM\0*"),          LOOK("II+\0"),             LOOK("MM\0+"),
        LOOK("FUJIFILMCCD-RAW"), LOOK("IIRO"),             LOOK("IIRS"),
        LOOK("MMOR"),           LOOK("IIU\0"),             LOOK("????ftypheic"),
        LOOK("????ftypheix"),   LOOK("????ftypheim"),      LOOK("????ftypheis"),
        LOOK("????ftyphev"),    LOOK("????ftypmif1"),      LOOK("????ftypmif2"),
        LOOK("????ftypmsf1"),   LOOK("????ftypavif"),      LOOK("????ftypavis"),
        LOOK("????ftyptmap"),   LOOK("????ftypcrx "),
        LOOK("BM????\0\0\0\0????"), /* with the two fields that are reserved: "BM" alone is text */
#undef LOOK
    };
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        size_t n = 0;
        while (n < looks[i].size && n < size &&
               (looks[i].start[n] == '?' || bytes[n] == (unsigned char)looks[i].start[n]))
            n++;
        if (n == looks[i].size)
            return true;
    }
    return false;
}

static size_t first_bytes(int dir, const char *name, unsigned char *bytes, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return 0;
    ssize_t got = read(fd, bytes, size);
    close(fd);
    return got > 0 ? (size_t)got : 0;
}

/* ---- small things */

static akin_stamp stamp_of(const struct stat *st)
{
    return (akin_stamp){ .size = st->st_size,
                         .mtime_ns = akin_nanoseconds(st->st_mtim),
                         .ctime_ns = akin_nanoseconds(st->st_ctim) };
}

static bool same(identity a, identity b) { return a.device == b.device && a.inode == b.inode; }

static size_t id_slot(const id_set *set, identity id)
{
    size_t at = (size_t)((id.inode ^ id.device << 32) * 0x9e3779b97f4a7c15u) & (set->capacity - 1);
    while (set->slots[at].inode != 0 && !same(set->slots[at], id))
        at = (at + 1) & (set->capacity - 1);
    return at;
}

static bool id_set_has(const id_set *set, identity id)
{
    return set->capacity != 0 && set->slots[id_slot(set, id)].inode != 0;
}

static akin_status id_set_add(id_set *set, identity id, akin_error *err)
{
    if (2 * (set->count + 1) > set->capacity) {
        id_set larger = { .capacity = akin_max(2 * set->capacity, 1024) };
        larger.slots = calloc(larger.capacity, sizeof larger.slots[0]);
        if (larger.slots == NULL)
            return no_memory(err);
        for (size_t i = 0; i < set->capacity; i++)
            if (set->slots[i].inode != 0)
                larger.slots[id_slot(&larger, set->slots[i])] = set->slots[i];
        larger.count = set->count;
        free(set->slots);
        *set = larger;
    }
    const size_t at = id_slot(set, id);
    set->count += set->slots[at].inode == 0;
    set->slots[at] = id;
    return AKIN_OK;
}

static int root_compare(const void *a, const void *b)
{
    return strcmp(((const akin_root *)a)->path, ((const akin_root *)b)->path);
}

static int unread_compare(const void *a, const void *b)
{
    return strcmp(((const akin_unread *)a)->path, ((const akin_unread *)b)->path);
}

static int mounted_compare(const void *a, const void *b)
{
    return strcmp(((const akin_mounted *)a)->path, ((const akin_mounted *)b)->path);
}

static int found_compare(const void *a, const void *b)
{
    return strcmp(((const akin_found *)a)->path, ((const akin_found *)b)->path);
}

static int link_compare(const void *a, const void *b)
{
    return strcmp(((const folder_link *)a)->path, ((const folder_link *)b)->path);
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The root that is exactly path[0..size), or NULL. Roots are sorted. */
static akin_root *root_at(const akin_walk *walk, const char *path, size_t size)
{
    size_t low = 0, high = walk->root_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *here = walk->roots[middle].path;
        int order = strncmp(here, path, size);
        if (order == 0)
            order = here[size] != '\0';
        if (order == 0)
            return &walk->roots[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The next shorter path that may be a folder of path[0..size): up to the slash before, "/" at last,
 * then 0. */
static size_t up(const char *path, size_t size)
{
    if (size <= 1)
        return 0;
    while (path[size - 1] != '/')
        size--;
    return size > 1 ? size - 1 : 1;
}

/* The innermost root at or above an absolute path, or NULL. */
static akin_root *root_above(const akin_walk *walk, const char *path, bool folders)
{
    for (size_t size = strlen(path); size != 0; size = up(path, size)) {
        akin_root *root = root_at(walk, path, size);
        if (root != NULL && (root->folder || !folders))
            return root;
    }
    return NULL;
}

/* ---- results */

static akin_status add_unread(walker *w, const char *path, const akin_error *why, akin_error *err)
{
    if (why->code == AKIN_E_NOMEM) /* ours, not the folder's */
        return no_memory(err);
    akin_unread *grown = akin_grow(w->out->unread, &w->unread_capacity, w->out->unread_count + 1,
                                   sizeof grown[0]);
    if (grown == NULL)
        return no_memory(err);
    w->out->unread = grown;
    grown += w->out->unread_count;
    grown->why = *why;
    grown->path = strdup(path);
    if (grown->path == NULL)
        return no_memory(err);
    w->out->unread_count++;
    return AKIN_OK;
}

static akin_status add_unread_errno(walker *w, const char *path, int error_number, const char *what,
                                    akin_error *err)
{
    akin_error why = { 0 };
    akin_fail_errno(&why, error_number, path, what);
    return add_unread(w, path, &why, err);
}

static akin_status add_mounted(walker *w, const char *path, uint64_t device, akin_error *err)
{
    akin_mounted *grown = akin_grow(w->out->mounted, &w->mounted_capacity,
                                    w->out->mounted_count + 1, sizeof grown[0]);
    if (grown == NULL)
        return no_memory(err);
    w->out->mounted = grown;
    grown += w->out->mounted_count;
    grown->device = device;
    grown->path = strdup(path);
    if (grown->path == NULL)
        return no_memory(err);
    w->out->mounted_count++;
    return AKIN_OK;
}

/* Takes found->path, also after an error. */
static akin_status add_found(walker *w, const akin_found *found, identity id, akin_error *err)
{
    akin_walk *out = w->out;
    akin_found *grown =
        akin_grow(out->found, &w->found_capacity, out->found_count + 1, sizeof grown[0]);
    if (grown != NULL)
        out->found = grown;
    identity *ids = akin_grow(w->ids, &w->ids_capacity, out->found_count + 1, sizeof ids[0]);
    if (ids != NULL)
        w->ids = ids;
    if (grown == NULL || ids == NULL || found->path == NULL) {
        free(found->path);
        return no_memory(err);
    }
    out->found[out->found_count] = *found;
    w->ids[out->found_count++] = id;
    return AKIN_OK;
}

static akin_status add_file_link(walker *w, const akin_found *found, identity target,
                                 akin_error *err)
{
    file_link *grown = akin_grow(w->file_links, &w->file_link_capacity, w->file_link_count + 1,
                                 sizeof grown[0]);
    if (grown == NULL || found->path == NULL) {
        if (grown != NULL)
            w->file_links = grown;
        free(found->path);
        return no_memory(err);
    }
    w->file_links = grown;
    w->file_links[w->file_link_count++] = (file_link){ *found, target };
    return AKIN_OK;
}

static akin_status add_folder(walker *w, const folder *f, akin_error *err)
{
    folder *grown =
        akin_grow(w->folders, &w->folder_capacity, w->folder_count + 1, sizeof grown[0]);
    if (grown == NULL || f->path == NULL) {
        if (grown != NULL)
            w->folders = grown;
        free(f->path);
        return no_memory(err);
    }
    w->folders = grown;
    w->folders[w->folder_count++] = *f;
    return AKIN_OK;
}

static akin_status add_folder_link(walker *w, const char *path, size_t parent, akin_error *err)
{
    folder_link *grown = akin_grow(w->folder_links, &w->folder_link_capacity,
                                   w->folder_link_count + 1, sizeof grown[0]);
    if (grown == NULL)
        return no_memory(err);
    w->folder_links = grown;
    grown += w->folder_link_count;
    *grown = (folder_link){ strdup(path), parent };
    if (grown->path == NULL)
        return no_memory(err);
    w->folder_link_count++;
    return AKIN_OK;
}

/* ---- one folder */

static const char *name_of(const walker *w, const entry *e) { return w->names + e->name; }

static bool asked_to_stop(const walker *w)
{
    return w->options->stop != NULL && w->options->stop(w->options->context);
}

static int entry_compare(const void *a, const void *b, void *names)
{
    return strcmp((const char *)names + ((const entry *)a)->name,
                  (const char *)names + ((const entry *)b)->name);
}

/* Reads all names of an open folder into w->entries, sorted. *failed: errno, if it ended too
 * early. */
static akin_status list_folder(walker *w, DIR *dir, int *failed, akin_error *err)
{
    w->entry_count = 0;
    w->names_size = 0;
    *failed = 0;
    for (;;) {
        errno = 0;
        const struct dirent *d = readdir(dir);
        if (d == NULL)
            break;
        const char *name = d->d_name;
        if (name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
            continue;
        if (w->entry_count % ask_every == ask_every - 1 && asked_to_stop(w))
            return akin_fail(err, AKIN_E_STOPPED, NULL, "stopped while looking for pictures");
        const size_t size = strlen(name) + 1;
        entry *entries =
            akin_grow(w->entries, &w->entry_capacity, w->entry_count + 1, sizeof entries[0]);
        if (entries != NULL)
            w->entries = entries;
        char *names = akin_grow(w->names, &w->names_capacity, w->names_size + size, 1);
        if (names != NULL)
            w->names = names;
        if (entries == NULL || names == NULL)
            return no_memory(err);
        memcpy(w->names + w->names_size, name, size);
        w->entries[w->entry_count++] = (entry){ .name = w->names_size, .type = d->d_type };
        w->names_size += size;
    }
    *failed = errno;
    if (w->entry_count != 0)
        qsort_r(w->entries, w->entry_count, sizeof w->entries[0], entry_compare, w->names);
    return AKIN_OK;
}

/* The first entry whose name is not below text[0..size) then `more`. */
static size_t first_from(const walker *w, const char *text, size_t size, const char *more)
{
    size_t low = 0, high = w->entry_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const char *name = name_of(w, &w->entries[middle]);
        int order = strncmp(name, text, size);
        if (order == 0)
            order = strcmp(name + size, more);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_entry(const walker *w, const char *name)
{
    const size_t i = first_from(w, name, strlen(name), "");
    return i < w->entry_count && strcmp(name_of(w, &w->entries[i]), name) == 0;
}

static size_t stem_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
}

/* Whether a JPEG or HEIC that is taken stands beside it, with the same name but for the ending. */
static bool has_still(const walker *w, const entry *e)
{
    const char *name = name_of(w, e);
    const size_t stem = stem_of(name);
    for (size_t i = first_from(w, name, stem, "."); i < w->entry_count; i++) {
        const entry *other = &w->entries[i];
        const char *its = name_of(w, other);
        if (strncmp(its, name, stem) != 0 || its[stem] != '.')
            break;
        if (other->form == FORM_STILL && stem_of(its) == stem)
            return true;
    }
    return false;
}

/* Sets w->path to the entry's path. */
static const char *path_to(walker *w, const char *name)
{
    strcpy(w->path + w->path_size, name); /* NAME_MAX is 255, and there is PATH_MAX of room */
    return w->path;
}

/* Sets w->path to a folder, to which path_to adds; false when it is too long to be opened. */
static bool stand_in(walker *w, const char *path)
{
    const size_t size = strlen(path);
    if (size >= PATH_MAX)
        return false;
    memcpy(w->path, path, size + 1);
    w->path_size = size;
    if (path[size - 1] != '/') {
        w->path[w->path_size++] = '/';
        w->path[w->path_size] = '\0';
    }
    return true;
}

/* What the folder's rules and the command line's say about w->path. */
static bool is_left_out(const walker *w, const folder *f, bool is_folder)
{
    for (size_t i = 0; i < w->options->exclude_count; i++)
        if (akin_glob_matches(w->options->exclude[i], w->path + f->below, is_folder))
            return true;
    return akin_ignore_hides(f->ignore, w->path, is_folder);
}

/* Fills in what fstatat says of an entry (of a link: what it leads to), and its type. *error_number
 * is 0 when it did. */
static void look_at(const walker *w, int dir, entry *e, bool follow, int *error_number)
{
    struct stat st;
    *error_number = 0;
    if (fstatat(dir, name_of(w, e), &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) {
        *error_number = errno;
        return;
    }
    e->type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR
              : S_ISLNK(st.st_mode) ? DT_LNK : DT_CHR;
    e->stamp = stamp_of(&st);
    e->id = (identity){ st.st_dev, st.st_ino };
    e->known = true;
}

static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ b[i]) * 0x100000001b3u;
    return hash;
}

/* The stamp of what belongs to a picture; 0: nothing does. */
static int64_t stamp_sidecars(walker *w, int dir, const char *picture)
{
    uint64_t hash = 0xcbf29ce484222325u;
    bool any = false;
    const size_t stem = stem_of(picture);
    for (size_t i = first_from(w, picture, stem, "."); i < w->entry_count; i++) {
        entry *e = &w->entries[i];
        const char *name = name_of(w, e);
        if (strncmp(name, picture, stem) != 0 || name[stem] != '.')
            break;
        if (!akin_sidecar_name(name) || !akin_sidecar_belongs(name, picture))
            continue;
        int error_number = 0;
        if (!e->known)
            look_at(w, dir, e, true, &error_number);
        if (error_number != 0 || e->type != DT_REG)
            continue;
        any = true;
        hash = fnv1a(hash, name, strlen(name) + 1);
        hash = fnv1a(hash, &e->stamp.size, sizeof e->stamp.size);
        hash = fnv1a(hash, &e->stamp.mtime_ns, sizeof e->stamp.mtime_ns);
    }
    return !any ? 0 : hash == 0 ? 1 : (int64_t)hash;
}

/* Whether the names decide alone. Without an ending the content must say that it is a picture; one
 * that begins with "._" is what a Mac leaves of a file on a foreign drive, if it says so. */
static bool content_fits(int dir, const char *name, form f)
{
    unsigned char bytes[16];
    if (f == FORM_BARE)
        return looks_like_picture(bytes, first_bytes(dir, name, bytes, sizeof bytes));
    if (name[0] == '.' && name[1] == '_')
        return first_bytes(dir, name, bytes, 4) != 4 || memcmp(bytes, "\0\5\x16\7", 4) != 0;
    return true;
}

static akin_status take_file(walker *w, int dir, entry *e, akin_error *err)
{
    const char *name = name_of(w, e);
    if ((e->form == FORM_RAW || e->form == FORM_CLIP) && has_still(w, e))
        return AKIN_OK;
    int error_number = 0;
    const char *path = path_to(w, name);
    if (!e->known)
        look_at(w, dir, e, e->link, &error_number);
    if (error_number == ELOOP && e->link && e->form != FORM_BARE) {
        /* Named like a picture, and nothing can read it: whoever tries will say so. */
        look_at(w, dir, e, false, &error_number);
        e->type = DT_REG;
    }
    if (error_number == ENOENT || error_number == ENOTDIR || error_number == ELOOP)
        return AKIN_OK; /* gone meanwhile; a link to nothing */
    if (error_number != 0)
        return add_unread_errno(w, path, error_number, "cannot look at it", err);
    if (e->type != DT_REG || !content_fits(dir, name, (form)e->form))
        return AKIN_OK;
    if (strlen(path) >= PATH_MAX) {
        akin_error why = { 0 };
        akin_fail(&why, AKIN_E_LIMIT, path, "a path longer than %d bytes", PATH_MAX - 1);
        return add_unread(w, path, &why, err);
    }
    akin_found found = { .stamp = e->stamp,
                         .kind = is_video((form)e->form) ? AKIN_FOUND_VIDEO : AKIN_FOUND_PICTURE };
    found.stamp.sidecars = stamp_sidecars(w, dir, name);
    found.path = strdup(path);
    return e->link ? add_file_link(w, &found, e->id, err) : add_found(w, &found, e->id, err);
}

static akin_status take_folder(walker *w, size_t at, const char *name, akin_error *err)
{
    const char *path = path_to(w, name);
    const akin_root *root = root_at(w->out, path, strlen(path));
    if (root != NULL && root->folder)
        return AKIN_OK; /* it has a walk of its own, which no rule stops */
    const folder *f = &w->folders[at];
    if (akin_name_left_out(name, w->options->include_hidden) || is_left_out(w, f, true))
        return AKIN_OK;
    const folder inner = { .path = strdup(path),
                           .below = f->below,
                           .parent = at,
                           .ignore = f->ignore };
    return add_folder(w, &inner, err);
}

/* Decides by name and rules what each entry may be, and takes folders and links to them. */
static akin_status sort_out(walker *w, size_t at, int dir, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < w->entry_count && status == AKIN_OK; i++) {
        entry *e = &w->entries[i];
        int error_number = 0;
        const char *name = name_of(w, e);
        if (e->type == DT_UNKNOWN)
            look_at(w, dir, e, false, &error_number);
        if (e->type == DT_DIR) {
            status = take_folder(w, at, name, err);
            continue;
        }
        if (error_number == 0 && e->type != DT_REG && e->type != DT_LNK)
            continue;
        if (akin_name_left_out(name, w->options->include_hidden))
            continue;
        if (e->type == DT_LNK) {
            e->link = true;
            e->known = false;
            look_at(w, dir, e, true, &error_number);
            if (error_number == 0 && e->type == DT_DIR) {
                path_to(w, name);
                if (!is_left_out(w, &w->folders[at], true))
                    status = add_folder_link(w, w->path, at, err);
                continue;
            }
            if (error_number == ENOENT || error_number == ENOTDIR ||
                (error_number == 0 && e->type != DT_REG))
                continue;
        }
        const form f = form_of_name(name);
        if (f == FORM_NONE || f == FORM_SIDECAR || (is_video(f) && !w->options->videos) ||
            w->options->folders_only)
            continue;
        path_to(w, name);
        if ((w->options->exclude_count != 0 || w->folders[at].ignore != NULL) &&
            is_left_out(w, &w->folders[at], false))
            continue;
        e->form = (unsigned char)f;
    }
    return status;
}

/* f_fsid where there is one: st_dev is counted anew at each mount for file systems without a block
 * device. */
static uint64_t device_of(int dir, const struct stat *st)
{
    struct statfs fs;
    uint64_t device = 0;
    if (fstatfs(dir, &fs) == 0) {
        uint32_t parts[2];
        _Static_assert(sizeof fs.f_fsid == sizeof parts, "two words");
        memcpy(parts, &fs.f_fsid, sizeof parts);
        device = (uint64_t)parts[1] << 32 | parts[0];
    }
    if (device == 0)
        device = st->st_dev;
    return device != 0 ? device : 1;
}

/* A folder that is itself one of those above it: file systems that mount themselves. */
static bool is_loop(const walker *w, size_t at)
{
    const folder *f = &w->folders[at];
    for (size_t i = f->parent; i != NO_PARENT; i = w->folders[i].parent)
        if (w->folders[i].device == f->device && w->folders[i].inode == f->inode)
            return true;
    return false;
}

/* The root cannot be read. */
static akin_status blame(akin_root *root, const akin_error *why, akin_error *err)
{
    if (why->code == AKIN_E_NOMEM)
        return no_memory(err);
    root->readable = false;
    if (root->why == NULL)
        root->why = malloc(sizeof *root->why);
    if (root->why == NULL)
        return no_memory(err);
    *root->why = *why;
    return AKIN_OK;
}

/* Told of the folder, and of the root when it is one. */
static akin_status cannot_read(walker *w, size_t at, const akin_error *why, akin_error *err)
{
    const folder *f = &w->folders[at];
    if (f->parent == NO_PARENT) {
        const akin_status status =
            blame(root_at(w->out, f->path, strlen(f->path)), why, err);
        if (status != AKIN_OK)
            return status;
    }
    return add_unread(w, f->path, why, err);
}

static akin_status cannot_read_errno(walker *w, size_t at, int error_number, const char *what,
                                     akin_error *err)
{
    akin_error why = { 0 };
    akin_fail_errno(&why, error_number, w->folders[at].path, what);
    return cannot_read(w, at, &why, err);
}

static akin_status read_rules(walker *w, size_t at, akin_error *err)
{
    akin_ignore *ignore = NULL;
    akin_ignore **grown =
        akin_grow(w->ignores, &w->ignore_capacity, w->ignore_count + 1, sizeof grown[0]);
    if (grown == NULL)
        return no_memory(err);
    w->ignores = grown;
    folder *f = &w->folders[at];
    const akin_status status = akin_ignore_read(&ignore, f->path, f->ignore, err);
    if (status == AKIN_OK) {
        w->ignores[w->ignore_count++] = ignore;
        f->ignore = ignore;
    }
    return status;
}

static akin_status walk_open_folder(walker *w, size_t at, DIR *dir, akin_error *err)
{
    folder *f = &w->folders[at];
    const bool is_root = f->parent == NO_PARENT;
    const int fd = dirfd(dir);
    struct stat st;
    if (fstat(fd, &st) != 0)
        return cannot_read_errno(w, at, errno, "cannot look at it", err);
    f->device = st.st_dev;
    f->inode = st.st_ino;
    const identity id = { f->device, f->inode };
    if (is_loop(w, at) || (!is_root && same(id, w->own)))
        return AKIN_OK;
    akin_status status = AKIN_OK;
    if (is_root || w->folders[f->parent].device != f->device)
        status = add_mounted(w, f->path, device_of(fd, &st), err);
    if (status != AKIN_OK)
        return status;
    int failed = 0;
    status = list_folder(w, dir, &failed, err);
    if (status != AKIN_OK)
        return status;
    if (is_root)
        root_at(w->out, f->path, strlen(f->path))->entries = w->entry_count;
    if (failed != 0)
        status = cannot_read_errno(w, at, failed, "cannot be read to its end", err);
    else
        f->read = true;
    if (status != AKIN_OK || same(id, w->own) || (!is_root && has_entry(w, ".nomedia")))
        return status;
    if (has_entry(w, AKIN_IGNORE_FILE)) {
        akin_error why = { 0 };
        status = read_rules(w, at, &why);
        if (status == AKIN_E_NOMEM)
            return no_memory(err);
        /* What it would have hidden is not known: nothing is taken rather than too much. */
        if (status != AKIN_OK && status != AKIN_E_NOT_FOUND)
            return cannot_read(w, at, &why, err);
    }
    status = sort_out(w, at, fd, err);
    for (size_t i = 0; i < w->entry_count && status == AKIN_OK; i++) {
        if (w->entries[i].form != FORM_NONE)
            status = take_file(w, fd, &w->entries[i], err);
        if (i % ask_every == ask_every - 1 && asked_to_stop(w))
            status = akin_fail(err, AKIN_E_STOPPED, NULL, "stopped while looking for pictures");
    }
    return status;
}

static akin_status walk_folder(walker *w, size_t at, akin_error *err)
{
    const folder *f = &w->folders[at];
    if (asked_to_stop(w))
        return akin_fail(err, AKIN_E_STOPPED, NULL, "stopped while looking for pictures");
    if (!stand_in(w, f->path)) {
        akin_error why = { 0 };
        akin_fail(&why, AKIN_E_LIMIT, f->path, "a path longer than %d bytes", PATH_MAX - 1);
        return cannot_read(w, at, &why, err);
    }
    const bool is_root = f->parent == NO_PARENT;
    const int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK |
                                     (f->linked ? 0 : O_NOFOLLOW));
    if (fd < 0 && !is_root && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return AKIN_OK; /* gone, or something else, since its parent was read */
    if (fd < 0)
        return cannot_read_errno(w, at, errno, "cannot open the folder", err);
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        const int error_number = errno;
        close(fd);
        return cannot_read_errno(w, at, error_number, "cannot open the folder", err);
    }
    const akin_status status = walk_open_folder(w, at, dir, err);
    closedir(dir);
    return status;
}

/* ---- roots */

/* The rules of the folders above a root hold in it as well, so that a folder has the same pictures
 * whether it is named itself or the one above it is. They never hide the root. */
static akin_status rules_above(walker *w, folder *f, akin_error *err)
{
    const akin_ignore *outer = NULL;
    for (size_t i = 0; f->path[1] != '\0' && f->path[i] != '\0'; i++) {
        if (f->path[i] != '/')
            continue;
        char above[PATH_MAX];
        const size_t size = i == 0 ? 1 : i;
        if (size >= sizeof above)
            break;
        memcpy(above, f->path, size);
        above[size] = '\0';
        akin_ignore **grown =
            akin_grow(w->ignores, &w->ignore_capacity, w->ignore_count + 1, sizeof grown[0]);
        if (grown == NULL)
            return no_memory(err);
        w->ignores = grown;
        akin_ignore *ignore = NULL;
        akin_error why = { 0 };
        const akin_status status = akin_ignore_read(&ignore, above, outer, &why);
        if (status == AKIN_E_NOMEM)
            return no_memory(err);
        if (status == AKIN_OK) {
            w->ignores[w->ignore_count++] = ignore;
            outer = ignore;
        } else if (status != AKIN_E_NOT_FOUND && status != AKIN_E_PERMISSION) {
            akin_root *root = root_at(w->out, f->path, strlen(f->path));
            const akin_status blamed = blame(root, &why, err);
            return blamed == AKIN_OK ? add_unread(w, f->path, &why, err) : blamed;
        }
    }
    f->ignore = outer;
    return AKIN_OK;
}

static akin_status make_root(akin_root *root, const char *path, akin_error *err)
{
    struct stat st;
    akin_error why = { 0 };
    const int found = stat(path, &st) == 0 ? 0 : errno;
    if (found == 0 && S_ISDIR(st.st_mode)) {
        root->folder = true;
        root->path = realpath(path, NULL);
        root->readable = root->path != NULL;
        if (root->readable)
            return AKIN_OK;
        akin_fail_errno(&why, errno, path, "cannot find where it is");
    }
    const akin_status status = akin_path_absolute(path, &root->path, err);
    if (status != AKIN_OK)
        return status;
    root->readable = found == 0 && S_ISREG(st.st_mode);
    if (root->readable)
        return AKIN_OK;
    if (found != 0)
        akin_fail_errno(&why, found, root->path,
                        found == ENOENT ? "is not there" : "cannot look at it");
    else if (!root->folder)
        akin_fail(&why, AKIN_E_NOT_A_FILE, root->path, "is neither a folder nor a regular file");
    return blame(root, &why, err);
}

/* Files of the command line; roots are sorted, so those of one folder come together, and their
 * folder is read once for the sidecars of all of them. */
static akin_status take_named(walker *w, akin_error *err)
{
    char *in = NULL;
    int fd = -1;
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < w->out->root_count && status == AKIN_OK; i++) {
        akin_root *root = &w->out->roots[i];
        struct stat st;
        if (root->folder || !root->readable || w->options->folders_only)
            continue;
        if (asked_to_stop(w)) {
            status = akin_fail(err, AKIN_E_STOPPED, NULL, "stopped while looking for pictures");
            break;
        }
        if (stat(root->path, &st) != 0) { /* gone since a moment ago */
            akin_error why = { 0 };
            akin_fail_errno(&why, errno, root->path, "cannot look at it");
            status = blame(root, &why, err);
            continue;
        }
        const char *name = strrchr(root->path, '/') + 1;
        const size_t size = akin_max((size_t)(name - root->path) - 1, 1);
        if (in == NULL || strlen(in) != size || strncmp(in, root->path, size) != 0) {
            int failed = 0;
            free(in);
            in = strndup(root->path, size);
            if (in == NULL) {
                status = no_memory(err);
                break;
            }
            if (fd >= 0)
                close(fd);
            fd = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
            DIR *dir = opendir(in);
            w->entry_count = 0;
            if (dir != NULL) {
                status = list_folder(w, dir, &failed, err);
                closedir(dir);
            } else if (errno == ENOMEM) {
                status = no_memory(err);
            }
        }
        if (status != AKIN_OK)
            break;
        akin_found found = { .path = strdup(root->path),
                             .stamp = stamp_of(&st),
                             .kind = is_video(form_of_name(name)) ? AKIN_FOUND_VIDEO
                                                                  : AKIN_FOUND_PICTURE,
                             .named = true };
        if (fd >= 0)
            found.stamp.sidecars = stamp_sidecars(w, fd, name);
        status = add_found(w, &found, (identity){ st.st_dev, st.st_ino }, err);
    }
    if (fd >= 0)
        close(fd);
    free(in);
    return status;
}

/* ---- links */

/* Follows links to folders, and those found while doing so. A link leads on only when its target is
 * in a root and was not walked: where a rule left it out at its own place. */
static akin_status follow_folders(walker *w, size_t *walked, akin_error *err)
{
    id_set seen = { 0 };
    size_t noted = 0;
    akin_status status = AKIN_OK;
    for (size_t begin = 0, end; begin < w->folder_link_count; begin = end) {
        end = w->folder_link_count;
        qsort(w->folder_links + begin, end - begin, sizeof w->folder_links[0], link_compare);
        for (size_t i = begin; i < end; i++) {
            for (; noted < w->folder_count; noted++)
                if (w->folders[noted].inode != 0)
                    AKIN_TRY(id_set_add(&seen, (identity){ w->folders[noted].device,
                                                           w->folders[noted].inode }, err));
            struct stat st;
            const folder_link *link = &w->folder_links[i];
            char *target = realpath(link->path, NULL);
            if (target == NULL) {
                if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
                    AKIN_TRY(add_unread_errno(w, link->path, errno, "cannot follow the link", err));
                continue;
            }
            const bool inside = root_above(w->out, target, true) != NULL;
            const bool there = stat(target, &st) == 0 && S_ISDIR(st.st_mode);
            free(target);
            if (!inside || !there || id_set_has(&seen, (identity){ st.st_dev, st.st_ino }))
                continue;
            const folder *parent = &w->folders[link->parent];
            const folder f = { .path = strdup(link->path),
                               .below = parent->below,
                               .parent = link->parent,
                               .ignore = parent->ignore,
                               .linked = true };
            AKIN_TRY(add_folder(w, &f, err));
            for (; *walked < w->folder_count; ++*walked)
                AKIN_TRY(walk_folder(w, *walked, err));
        }
    }
out:
    free(seen.slots);
    return status;
}

/* Takes links to files, but those to a file that was found at its own place. */
static akin_status take_file_links(walker *w, akin_error *err)
{
    id_set seen = { 0 };
    akin_status status = AKIN_OK;
    for (size_t i = 0; w->file_link_count != 0 && i < w->out->found_count; i++)
        AKIN_TRY(id_set_add(&seen, w->ids[i], err));
    for (size_t i = 0; i < w->file_link_count; i++) {
        file_link *link = &w->file_links[i];
        if (id_set_has(&seen, link->target))
            continue;
        const akin_found found = link->found;
        link->found.path = NULL;
        AKIN_TRY(add_found(w, &found, link->target, err));
    }
out:
    free(seen.slots);
    return status;
}

/* ---- the whole */

/* Sorts, and leaves one of each path; a file that was named stays named. */
static void put_in_order(akin_walk *out)
{
    bool sorted = true;
    for (size_t i = 1; i < out->found_count && sorted; i++)
        sorted = found_compare(&out->found[i - 1], &out->found[i]) < 0;
    if (!sorted) {
        size_t kept = 0;
        qsort(out->found, out->found_count, sizeof out->found[0], found_compare);
        for (size_t i = 1; i < out->found_count; i++) {
            if (strcmp(out->found[kept].path, out->found[i].path) != 0) {
                out->found[++kept] = out->found[i];
                continue;
            }
            out->found[kept].named = out->found[kept].named || out->found[i].named;
            free(out->found[i].path);
        }
        out->found_count = kept + 1;
    }
    if (out->unread_count != 0)
        qsort(out->unread, out->unread_count, sizeof out->unread[0], unread_compare);
    if (out->mounted_count != 0)
        qsort(out->mounted, out->mounted_count, sizeof out->mounted[0], mounted_compare);
}

static void clear_root(akin_root *root)
{
    free(root->path);
    free(root->why);
}

static akin_status begin_roots(walker *w, const char *const *paths, size_t count, akin_error *err)
{
    akin_walk *out = w->out;
    out->roots = calloc(akin_max(count, 1), sizeof out->roots[0]);
    if (out->roots == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        out->root_count++;
        const akin_status status = make_root(&out->roots[i], paths[i], err);
        if (status != AKIN_OK)
            return status;
    }
    if (count == 0)
        return AKIN_OK;
    qsort(out->roots, count, sizeof out->roots[0], root_compare);
    size_t kept = 0;
    for (size_t i = 1; i < count; i++)
        if (strcmp(out->roots[kept].path, out->roots[i].path) == 0)
            clear_root(&out->roots[i]);
        else
            out->roots[++kept] = out->roots[i];
    out->root_count = kept + 1;
    for (size_t i = 0; i < out->root_count; i++) {
        const akin_root *root = &out->roots[i];
        akin_status status = AKIN_OK;
        if (root->folder && root->readable) {
            folder f = { .path = strdup(root->path), .parent = NO_PARENT };
            if (f.path == NULL)
                return no_memory(err);
            f.below = strlen(f.path) + (f.path[1] != '\0');
            status = rules_above(w, &f, err);
            if (status == AKIN_OK && root->readable)
                status = add_folder(w, &f, err);
            else
                free(f.path);
        } else if (!root->readable) {
            status = add_unread(w, root->path, root->why, err);
        }
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* Hands over the paths of the folders that were read. */
static akin_status hand_folders(walker *w, akin_error *err)
{
    w->out->folders = calloc(akin_max(w->folder_count, 1), sizeof w->out->folders[0]);
    if (w->out->folders == NULL)
        return no_memory(err);
    for (size_t i = 0; i < w->folder_count; i++)
        if (w->folders[i].read) {
            w->out->folders[w->out->folder_count++] = w->folders[i].path;
            w->folders[i].path = NULL;
        }
    qsort(w->out->folders, w->out->folder_count, sizeof w->out->folders[0], text_compare);
    return AKIN_OK;
}

akin_status akin_walk_paths(akin_walk *out, const char *const *paths, size_t count,
                            const akin_walk_options *options, akin_error *err)
{
    *out = (akin_walk){ 0 };
    for (size_t i = 0; i < options->exclude_count; i++)
        if (strlen(options->exclude[i]) > AKIN_GLOB_MAX)
            return akin_fail(err, AKIN_E_ARGUMENT, NULL, "--exclude: a glob longer than %d bytes",
                             AKIN_GLOB_MAX);
    walker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return no_memory(err);
    w->out = out;
    w->options = options;
    struct stat st;
    if (options->own != NULL && stat(options->own, &st) == 0)
        w->own = (identity){ st.st_dev, st.st_ino };
    akin_status status = AKIN_OK;
    AKIN_TRY(begin_roots(w, paths, count, err));
    size_t walked = 0;
    for (; walked < w->folder_count; walked++)
        AKIN_TRY(walk_folder(w, walked, err));
    AKIN_TRY(follow_folders(w, &walked, err));
    AKIN_TRY(take_named(w, err));
    AKIN_TRY(take_file_links(w, err));
    put_in_order(out);
    AKIN_TRY(hand_folders(w, err));
out:
    for (size_t i = 0; i < w->folder_count; i++)
        free(w->folders[i].path);
    for (size_t i = 0; i < w->ignore_count; i++)
        akin_ignore_free(w->ignores[i]);
    for (size_t i = 0; i < w->file_link_count; i++)
        free(w->file_links[i].found.path);
    for (size_t i = 0; i < w->folder_link_count; i++)
        free(w->folder_links[i].path);
    free(w->folders);
    free(w->ignores);
    free(w->file_links);
    free(w->folder_links);
    free(w->ids);
    free(w->entries);
    free(w->names);
    free(w);
    return status;
}

void akin_walk_clear(akin_walk *walk)
{
    for (size_t i = 0; i < walk->root_count; i++)
        clear_root(&walk->roots[i]);
    for (size_t i = 0; i < walk->found_count; i++)
        free(walk->found[i].path);
    for (size_t i = 0; i < walk->unread_count; i++)
        free(walk->unread[i].path);
    for (size_t i = 0; i < walk->mounted_count; i++)
        free(walk->mounted[i].path);
    for (size_t i = 0; i < walk->folder_count; i++)
        free(walk->folders[i]);
    free(walk->roots);
    free(walk->found);
    free(walk->unread);
    free(walk->mounted);
    free(walk->folders);
    *walk = (akin_walk){ 0 };
}

bool akin_walk_covers(const akin_walk *walk, const char *path)
{
    const akin_root *root = root_above(walk, path, false);
    if (root == NULL || !root->folder || !root->readable)
        return false;
    for (size_t size = strlen(path); size != 0; size = up(path, size)) {
        size_t low = 0, high = walk->unread_count;
        while (low < high) {
            const size_t middle = low + (high - low) / 2;
            const char *here = walk->unread[middle].path;
            int order = strncmp(here, path, size);
            if (order == 0)
                order = here[size] != '\0';
            if (order == 0)
                return false;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
    }
    return true;
}

akin_status akin_path_absolute(const char *path, char **out, akin_error *err)
{
    *out = NULL;
    akin_status status = AKIN_OK;
    char *whole = NULL, *real = NULL;
    akin_buffer b;
    akin_buffer_init(&b, "a path", 2 * PATH_MAX);
    if (path[0] == '\0')
        return akin_fail(err, AKIN_E_NOT_FOUND, path, "the name of the file is empty");
    if (path[0] != '/') {
        char *here = getcwd(NULL, 0);
        if (here == NULL)
            return akin_fail_errno(err, errno, path, "cannot tell which folder this is");
        whole = akin_path_join(here, path);
        free(here);
        if (whole == NULL)
            return no_memory(err);
        path = whole;
    }
    AKIN_TRY(akin_buffer_reserve(&b, PATH_MAX, err));
    for (const char *at = path; *at != '\0';) {
        const size_t size = strcspn(at, "/");
        const char *next = at + size + strspn(at + size, "/");
        if (size == 2 && at[0] == '.' && at[1] == '.') {
            while (b.size != 0 && b.data[--b.size] != '/')
                continue;
            b.data[b.size] = '\0';
        } else if (size != 0 && !(size == 1 && at[0] == '.')) {
            AKIN_TRY(akin_buffer_add(&b, "/", 1, err));
            AKIN_TRY(akin_buffer_add(&b, at, size, err));
            /* What follows ".." and "." is not its own name any more. */
            if (*next != '\0' && akin_path_is_link(b.data)) {
                real = realpath(b.data, NULL);
                if (real == NULL && errno == ENOMEM) {
                    status = no_memory(err);
                    goto out;
                }
                if (real != NULL) {
                    b.size = 0;
                    if (real[1] != '\0')
                        AKIN_TRY(akin_buffer_add_text(&b, real, err));
                    else
                        b.data[0] = '\0';
                }
                free(real);
                real = NULL;
            }
        }
        at = next;
    }
    if (b.size == 0)
        AKIN_TRY(akin_buffer_add(&b, "/", 1, err));
    *out = strdup(b.data); /* not the buffer, which has room for the longest */
    if (*out == NULL)
        status = no_memory(err);
out:
    akin_buffer_clear(&b);
    free(real);
    free(whole);
    return status;
}
