/* manifest_folder.c - a folder as a manifest: every picture below it is a concept of its own, the
 * lines of the .txt file of its name are its texts.
 *
 * Names decide what a picture is. Hidden files and folders and links to folders are passed over. A
 * picture without captions is one without texts.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "manifest_parts.h"

typedef struct list {
    char **items;
    size_t count, capacity;
} list;

/* Takes ownership of item, also when it fails. */
static bool push(list *l, char *item)
{
    char **grown = item != NULL ? akin_grow(l->items, &l->capacity, l->count + 1, sizeof *grown)
                                : NULL;
    if (grown == NULL) {
        free(item);
        return false;
    }
    l->items = grown;
    grown[l->count++] = item;
    return true;
}

static void clear(list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->items[i]);
    free(l->items);
}

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = { "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif",
                                           "bmp", "tif",  "tiff", "heic", "heif", "avif" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot + 1, endings[i]) == 0)
            return true;
    return false;
}

/* Puts the folders and the pictures of one folder into the lists. */
static akin_status read_one(const char *folder, list *folders, list *pictures, akin_error *err)
{
    akin_status status = AKIN_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return akin_fail_errno(err, errno, folder, "cannot open the folder");
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (e == NULL) {
            if (errno != 0)
                status = akin_fail_errno(err, errno, folder, "cannot read the folder");
            break;
        }
        if (e->d_name[0] == '.')
            continue;
        char *path = akin_path_join(folder, e->d_name);
        struct stat st;
        bool is_folder = false, kept = false, good = path != NULL;
        if (good && lstat(path, &st) == 0) {
            is_folder = S_ISDIR(st.st_mode);
            kept = is_folder || (is_picture_name(e->d_name) && akin_path_is_file(path));
        }
        if (good && kept)
            good = push(is_folder ? folders : pictures, path);
        else
            free(path);
        if (good && strlen(folder) + strlen(e->d_name) > AKIN_MANIFEST_PATH) {
            status = akin_fail(err, AKIN_E_LIMIT, folder, "holds paths of more than %d bytes",
                               AKIN_MANIFEST_PATH);
            break;
        }
        if (!good || pictures->count + folders->count > AKIN_MANIFEST_ROWS) {
            status = good ? akin_fail(err, AKIN_E_LIMIT, folder, "more than %d pictures",
                                      AKIN_MANIFEST_ROWS)
                          : akin_fail_nomem(err, "a manifest", 0);
            break;
        }
    }
    closedir(dir);
    return status;
}

/* Adds a picture: a row for each line of its captions, which all have the concept `name`. */
static akin_status add_picture(akin_manifest_build *build, const char *path, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_buffer captions = { 0 };
    const size_t stem = (size_t)(strrchr(path, '.') - path);
    size_t rows = 0;
    char *beside = malloc(stem + 5);
    const char *kept = akin_manifest_keep(build, path, strlen(path));
    akin_row row = akin_row_default(0);
    if (beside == NULL || kept == NULL) {
        status = akin_fail_nomem(err, "a manifest", 0);
        goto out;
    }
    row.path = row.concept = (akin_piece){ kept, strlen(kept) };
    memcpy(beside, path, stem);
    memcpy(beside + stem, ".txt", 5);
    if (akin_path_is_file(beside)) {
        AKIN_TRY(akin_file_read(beside, "captions", AKIN_MANIFEST_FIELD, &captions, err));
        AKIN_TRY(akin_manifest_check_text(captions.data, captions.size, beside, err));
        const char *at = captions.data, *end = at + captions.size;
        if (captions.size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
            at += 3;
        while (at < end) {
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            const char *stop = newline != NULL ? newline : end, *begin = at;
            at = newline != NULL ? newline + 1 : end;
            while (begin < stop && (*begin == ' ' || *begin == '\t' || *begin == '\r'))
                begin++;
            while (begin < stop && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
                stop--;
            if (begin == stop)
                continue;
            row.text.size = (size_t)(stop - begin);
            row.text.text = akin_manifest_keep(build, begin, row.text.size);
            if (row.text.text == NULL) {
                status = akin_fail_nomem(err, "a manifest", 0);
                goto out;
            }
            AKIN_TRY(akin_manifest_add(build, &row, beside, err));
            rows++;
        }
    }
    if (rows == 0)
        status = akin_manifest_add(build, &row, path, err);
out:
    akin_buffer_clear(&captions);
    free(beside);
    return status;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

akin_status akin_manifest_read_folder(akin_manifest_build *build, const char *folder,
                                      akin_error *err)
{
    akin_status status = AKIN_OK;
    list folders = { 0 }, pictures = { 0 };
    if (!push(&folders, strdup(folder))) {
        status = akin_fail_nomem(err, "a manifest", 0);
        goto out;
    }
    while (folders.count != 0) {
        char *next = folders.items[--folders.count];
        status = read_one(next, &folders, &pictures, err);
        free(next);
        if (status != AKIN_OK)
            goto out;
    }
    if (pictures.count != 0)
        qsort(pictures.items, pictures.count, sizeof *pictures.items, by_bytes);
    for (size_t i = 0; i < pictures.count; i++)
        AKIN_TRY(add_picture(build, pictures.items[i], err));
out:
    clear(&folders);
    clear(&pictures);
    return status;
}
