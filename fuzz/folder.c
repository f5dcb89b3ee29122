/* folder.c - an input that is several files in one, as a folder. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "fuzz.h"

static char folder[PATH_MAX];
static const char *const *kept; /* names, for the end: static in the target */
static size_t kept_count;

static void remove_file(const char *name)
{
    char *path = akin_path_join(folder, name);
    HOLDS(path != NULL);
    unlink(path);
    free(path);
}

static void remove_folder(void)
{
    for (size_t i = 0; i < kept_count; i++)
        remove_file(kept[i]);
    rmdir(folder);
}

static void make_folder(const char *const *names, size_t count)
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == '\0')
        base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/akin-fuzz-XXXXXX", base);
    HOLDS(mkdtemp(folder) != NULL);
    kept = names;
    kept_count = count;
    atexit(remove_folder);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    char *path = akin_path_join(folder, name);
    FILE *f = path != NULL ? fopen(path, "wb") : NULL;
    HOLDS(f != NULL);
    free(path);
    HOLDS(fwrite(data, 1, size, f) == size);
    fclose(f);
}

/* The index of the name that a header line at `line` gives, or -1; *after: where its line ends. */
static int header(const uint8_t *line, size_t size, const char *const *names, size_t count,
                  size_t *after)
{
    if (size < 5 || memcmp(line, "#### ", 5) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(names[i]);
        if (size >= 5 + n && memcmp(line + 5, names[i], n) == 0 &&
            (size == 5 + n || line[5 + n] == '\n')) {
            *after = size == 5 + n ? size : 5 + n + 1;
            return (int)i;
        }
    }
    return -1;
}

const char *fuzz_folder(const uint8_t *data, size_t size, const char *const *names, size_t count)
{
    if (folder[0] == '\0')
        make_folder(names, count);
    for (size_t i = 0; i < count; i++)
        remove_file(names[i]);
    int at = 0; /* the file we are in */
    size_t begin = 0, i = 0;
    for (;;) {
        size_t after = 0;
        int next = i < size ? header(data + i, size - i, names, count, &after) : -1;
        if (next >= 0 || i >= size) {
            if (i > begin || begin > 0)
                put(names[at], data + begin, i - begin);
            if (i >= size)
                return folder;
            at = next;
            begin = i + after;
            i = begin;
            continue;
        }
        const uint8_t *line = memchr(data + i, '\n', size - i);
        i = line == NULL ? size : (size_t)(line - data) + 1;
    }
}
