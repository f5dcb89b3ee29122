/* ignore.c - rules that leave files and folders out of a walk.
 *
 * .akinignore follows gitignore(5) of git 2.39, in bytes. Differences: "**" goes over '/' wherever
 * it stands (there it is '*' inside a name), and '!' takes back only what an .akinignore left out,
 * never a name that is left out everywhere: "!*.jpg" would else bring in each "._IMG.jpg" that a
 * Mac leaves on a drive.
 */
#include "ignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "walk.h"

/* ---- globs: all places of the glob where the match may stand, moved on byte by byte, so that the
 * time is at most (bytes of the glob) x (bytes of the path) whatever the glob. Going back to the
 * last star instead takes that times the path for "**" with '*' behind it. */

enum { words = AKIN_GLOB_MAX / 64 + 1 };

/* The byte behind the set that begins at glob[at], 0 when it has no end and '[' means itself. */
static size_t set_end(const char *glob, size_t at)
{
    size_t i = at + 1;
    if (glob[i] == '!' || glob[i] == '^')
        i++;
    if (glob[i] == ']')
        i++;
    for (; glob[i] != '\0'; i++) {
        if (glob[i] == ']')
            return i + 1;
        if (glob[i] == '\\' && glob[i + 1] != '\0')
            i++;
    }
    return 0;
}

static unsigned char set_byte(const char *glob, size_t *at)
{
    if (glob[*at] == '\\')
        ++*at;
    return (unsigned char)glob[(*at)++];
}

static bool set_has(const char *glob, size_t at, size_t end, unsigned char byte)
{
    size_t i = at + 1;
    const bool not = glob[i] == '!' || glob[i] == '^';
    bool has = false;
    if (not)
        i++;
    while (i < end - 1) {
        const unsigned char low = set_byte(glob, &i);
        unsigned char high = low;
        if (glob[i] == '-' && i + 1 < end - 1) {
            i++;
            high = set_byte(glob, &i);
        }
        has = has || (low <= byte && byte <= high);
    }
    return has != not;
}

/* "**" and a '/', as a whole part of the path: any number of folders, none too. */
static bool is_any_folders(const char *glob, size_t at)
{
    return glob[at] == '*' && glob[at + 1] == '*' && glob[at + 2] == '/' &&
           (at == 0 || glob[at - 1] == '/');
}

/* Adds the place `at`, and behind stars, which may stand for nothing, the next ones. */
static void enter(uint64_t *places, const char *glob, size_t at)
{
    for (;;) {
        places[at / 64] |= (uint64_t)1 << at % 64;
        if (glob[at] != '*')
            return;
        at += is_any_folders(glob, at) ? 3 : glob[at + 1] == '*' ? 2 : 1;
    }
}

static void step(uint64_t *places, const char *glob, size_t at, char byte)
{
    size_t end;
    switch (glob[at]) {
    case '\0':
        return;
    case '*':
        if (is_any_folders(glob, at)) {
            places[at / 64] |= (uint64_t)1 << at % 64;
            if (byte == '/')
                enter(places, glob, at + 3);
        } else if (glob[at + 1] == '*' || byte != '/') {
            enter(places, glob, at);
        }
        return;
    case '?':
        if (byte != '/')
            enter(places, glob, at + 1);
        return;
    case '[':
        end = set_end(glob, at);
        if (end == 0)
            break;
        if (byte != '/' && set_has(glob, at, end, (unsigned char)byte))
            enter(places, glob, end);
        return;
    case '\\':
        if (glob[at + 1] != '\0')
            at++;
        break;
    }
    if (glob[at] == byte)
        enter(places, glob, at + 1);
}

/* glob: at most AKIN_GLOB_MAX bytes. */
static bool fits(const char *glob, const char *text)
{
    uint64_t now[words] = { 0 };
    const size_t size = strlen(glob), used = size / 64 + 1;
    enter(now, glob, 0);
    for (; *text != '\0'; text++) {
        uint64_t next[words], any = 0;
        memset(next, 0, used * sizeof next[0]);
        for (size_t w = 0; w < used; w++)
            for (uint64_t left = now[w]; left != 0; left &= left - 1)
                step(next, glob, 64 * w + (size_t)__builtin_ctzll(left), *text);
        for (size_t w = 0; w < used; w++)
            any |= now[w] = next[w];
        if (any == 0)
            return false;
    }
    return (now[size / 64] >> size % 64 & 1) != 0;
}

bool akin_glob_matches(const char *glob, const char *below_root, bool folder)
{
    char bare[AKIN_GLOB_MAX + 1];
    size_t size = strlen(glob);
    if (size == 0 || size > AKIN_GLOB_MAX)
        return false;
    /* Most globs end in a plain byte, and most names in another one. */
    const size_t length = strlen(below_root);
    const char last = glob[size - 1];
    if (strchr("*?]/\\", last) == NULL && (length == 0 || below_root[length - 1] != last))
        return false;
    if (last == '/') {
        if (!folder)
            return false;
        memcpy(bare, glob, --size);
        bare[size] = '\0';
        glob = bare;
    }
    if (strchr(glob, '/') == NULL) {
        const char *slash = strrchr(below_root, '/');
        return fits(glob, slash != NULL ? slash + 1 : below_root);
    }
    return fits(glob + (glob[0] == '/'), below_root);
}

/* ---- names */

bool akin_name_left_out(const char *name, bool include_hidden)
{
    /* Whatever the case: such folders come from file systems that know none. */
    static const char *const names[] = { "@eaDir",       "#recycle",   "$RECYCLE.BIN",
                                         ".thumbnails",  "lost+found", "System Volume Information",
                                         "node_modules", ".akin" };
    if (name[0] == '.' && (!include_hidden || strncasecmp(name, ".Trash", 6) == 0))
        return true;
    if (strchr("@#$.lLsSnN", name[0]) == NULL)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

/* ---- .akinignore */

/* Ends the line at its last byte that counts: blanks at the end do not, but after a backslash. */
static void trim(char *line)
{
    size_t size = strlen(line);
    if (size != 0 && line[size - 1] == '\r')
        size--;
    while (size != 0 && (line[size - 1] == ' ' || line[size - 1] == '\t') &&
           (size == 1 || line[size - 2] != '\\'))
        size--;
    line[size] = '\0';
}

static akin_status split(akin_ignore *ignore, const char *path, akin_error *err)
{
    char *line = ignore->text;
    size_t capacity = 0, number = 1;
    if (strncmp(line, "\xef\xbb\xbf", 3) == 0)
        line += 3;
    for (char *next; line != NULL; line = next, number++) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        trim(line);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (strlen(line) > AKIN_GLOB_MAX)
            return akin_fail(err, AKIN_E_LIMIT, path, "line %zu is longer than %d bytes", number,
                             AKIN_GLOB_MAX);
        if (ignore->count == AKIN_IGNORE_RULES)
            return akin_fail(err, AKIN_E_LIMIT, path, "more than %d rules", AKIN_IGNORE_RULES);
        char **rules =
            akin_grow(ignore->rules, &capacity, ignore->count + 1, sizeof ignore->rules[0]);
        if (rules == NULL)
            return akin_fail_nomem(err, "rules", 0);
        ignore->rules = rules;
        rules[ignore->count++] = line;
    }
    return AKIN_OK;
}

akin_status akin_ignore_read(akin_ignore **out, const char *folder, const akin_ignore *outer,
                             akin_error *err)
{
    *out = NULL;
    akin_status status = AKIN_OK;
    akin_buffer bytes = { 0 };
    akin_ignore *ignore = calloc(1, sizeof *ignore);
    char *path = akin_path_join(folder, AKIN_IGNORE_FILE);
    if (ignore == NULL || path == NULL) {
        status = akin_fail_nomem(err, "rules", 0);
        goto out;
    }
    AKIN_TRY(akin_file_read(path, "an " AKIN_IGNORE_FILE, AKIN_IGNORE_BYTES, &bytes, err));
    if (memchr(bytes.data, '\0', bytes.size) != NULL) {
        status = akin_fail(err, AKIN_E_FORMAT, path, "has a NUL byte: it is no text");
        goto out;
    }
    ignore->outer = outer;
    ignore->below = strlen(folder) + (folder[strlen(folder) - 1] != '/');
    ignore->text = bytes.data;
    bytes.data = NULL;
    AKIN_TRY(split(ignore, path, err));
    *out = ignore;
    ignore = NULL;
out:
    akin_ignore_free(ignore);
    akin_buffer_clear(&bytes);
    free(path);
    return status;
}

void akin_ignore_free(akin_ignore *ignore)
{
    if (ignore == NULL)
        return;
    free(ignore->rules);
    free(ignore->text);
    free(ignore);
}

bool akin_ignore_hides(const akin_ignore *ignore, const char *path, bool folder)
{
    for (; ignore != NULL; ignore = ignore->outer)
        for (size_t i = ignore->count; i-- > 0;) {
            const bool back = ignore->rules[i][0] == '!';
            if (akin_glob_matches(ignore->rules[i] + back, path + ignore->below, folder))
                return !back;
        }
    return false;
}
