/* model_name.c - the folder of the model that a person names. */
#include "model_name.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"

enum { NAME_MAX_BYTES = 400 }; /* of an organisation and a repository; the hub allows 96 each */

static const struct open_clip_name {
    const char *architecture, *tag, *repository;
} open_clip_names[] = {
#include "open_clip_names.h"
};
enum { OPEN_CLIP_NAMES = sizeof open_clip_names / sizeof *open_clip_names };

/* clip.available_models() of OpenAI's package; where the architecture is spelt otherwise there; and
 * the same weights in Hugging Face form. */
static const struct openai_name {
    const char *name, *architecture, *hugging_face;
} openai_names[] = {
    { "RN50", "RN50", NULL },
    { "RN101", "RN101", NULL },
    { "RN50x4", "RN50x4", NULL },
    { "RN50x16", "RN50x16", NULL },
    { "RN50x64", "RN50x64", NULL },
    { "ViT-B/32", "ViT-B-32", "openai/clip-vit-base-patch32" },
    { "ViT-B/16", "ViT-B-16", "openai/clip-vit-base-patch16" },
    { "ViT-L/14", "ViT-L-14", "openai/clip-vit-large-patch14" },
    { "ViT-L/14@336px", "ViT-L-14-336", "openai/clip-vit-large-patch14-336" },
};
enum { OPENAI_NAMES = sizeof openai_names / sizeof *openai_names };

/* One search: what was asked for, and what has been looked for in the cache so far. */
struct search {
    const char *name; /* without blanks around it */
    char *cache;
    char tried[400]; /* for the message */
    char *found;
    akin_error *err;
};

static const char *set_variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

char *akin_hub_cache(void)
{
    const char *value = set_variable("HF_HUB_CACHE");
    if (value == NULL)
        value = set_variable("HUGGINGFACE_HUB_CACHE");
    if (value != NULL)
        return strdup(value);
    if ((value = set_variable("HF_HOME")) != NULL)
        return akin_path_join(value, "hub");
    if ((value = set_variable("XDG_CACHE_HOME")) != NULL)
        return akin_path_join(value, "huggingface/hub");
    value = set_variable("HOME");
    return akin_path_join(value != NULL ? value : ".", ".cache/huggingface/hub");
}

bool akin_home_folder(char *out, size_t capacity)
{
    const char *home = getenv("AKIN_HOME"), *cache = getenv("XDG_CACHE_HOME"),
               *user = getenv("HOME");
    int n;
    if (home != NULL && home[0] != '\0')
        n = snprintf(out, capacity, "%s", home);
    else if (cache != NULL && cache[0] == '/')
        n = snprintf(out, capacity, "%s/akin", cache);
    else if (user != NULL && user[0] == '/')
        n = snprintf(out, capacity, "%s/.cache/akin", user);
    else
        return false;
    return n > 0 && (size_t)n < capacity;
}

/* ---- mini */

/* The folder of the program that runs, without a '/' behind it; false when the system does not say. */
static bool program_folder(char *out, size_t capacity)
{
    const ssize_t n = readlink("/proc/self/exe", out, capacity);
    if (n <= 0 || (size_t)n >= capacity)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
    return slash != NULL;
}

static akin_status find_mini(struct search *s)
{
    enum { PLACES = 3 };
    static const char *const below[PLACES] = { "", "/../share/akin", "/..", };
    char folder[3072], tried[3 * (sizeof folder + 32)] = "";
    for (size_t i = 0, length = 0; i < PLACES; i++) {
        char path[sizeof folder + 64];
        if (!(i == 0 ? akin_home_folder(folder, sizeof folder)
                     : program_folder(folder, sizeof folder)))
            continue;
        snprintf(path, sizeof path, "%s%s/models/" AKIN_MODEL_DEFAULT, folder, below[i]);
        if (akin_path_is_dir(path)) {
            s->found = realpath(path, NULL);
            return s->found != NULL ? AKIN_OK : akin_fail_errno(s->err, errno, path, "cannot find");
        }
        length += (size_t)snprintf(tried + length, sizeof tried - length, "%s%s",
                                   length != 0 ? ", " : "", path);
    }
    return akin_fail(s->err, AKIN_E_NOT_FOUND, NULL,
                     "mini, the model that comes with akin, is in none of its places (%s); put it "
                     "there, or name another model: --model M or AKIN_MODEL",
                     tried);
}

/* ---- the cache */

/* The commit that refs/<revision> names, or the revision itself when it is a snapshot. */
static akin_status snapshot_of(struct search *s, const char *repository, const char *revision)
{
    akin_status status = AKIN_OK;
    akin_buffer commit;
    akin_buffer_init(&commit, "revision", 0);
    char *refs = akin_path_join(repository, "refs"), *snapshots = NULL, *ref = NULL;
    char *folder = NULL;
    const char *asked = revision;
    if (refs == NULL || (ref = akin_path_join(refs, revision)) == NULL ||
        (snapshots = akin_path_join(repository, "snapshots")) == NULL) {
        status = akin_fail_nomem(s->err, "path", 0);
        goto out;
    }
    if (akin_path_is_file(ref)) {
        AKIN_TRY(akin_file_read(ref, "revision", 256, &commit, s->err));
        while (commit.size != 0 && isspace((unsigned char)commit.data[commit.size - 1]))
            commit.data[--commit.size] = '\0';
        if (commit.size == 0 || strchr(commit.data, '/') != NULL ||
            strstr(commit.data, "..") != NULL) {
            status = akin_fail(s->err, AKIN_E_CORRUPT, ref,
                               "does not name a snapshot: download the model again");
            goto out;
        }
        revision = commit.data;
    }
    folder = akin_path_join(snapshots, revision);
    if (folder == NULL) {
        status = akin_fail_nomem(s->err, "path", 0);
    } else if (akin_path_is_dir(folder)) {
        s->found = folder;
        folder = NULL;
    } else {
        status = akin_fail(s->err, AKIN_E_NOT_FOUND, repository,
                           "the cache has this repository without the files of revision '%s': "
                           "download it again",
                           asked);
    }
out:
    akin_buffer_clear(&commit);
    free(refs);
    free(ref);
    free(snapshots);
    free(folder);
    return status;
}

/* "models--org--name" for "org/name". */
static bool entry_of(const char *repository, char out[NAME_MAX_BYTES + 16])
{
    const char *slash = strchr(repository, '/');
    if (slash == NULL || strlen(repository) > NAME_MAX_BYTES)
        return false;
    snprintf(out, NAME_MAX_BYTES + 16, "models--%.*s--%s", (int)(slash - repository), repository,
             slash + 1);
    return true;
}

/* Looks for the entry in the cache, whatever its case; with `suffix`, for the only one that ends
 * so. */
static akin_status find_entry(struct search *s, const char *entry, bool suffix,
                              const char *revision)
{
    akin_status status = AKIN_OK;
    DIR *dir = opendir(s->cache);
    if (dir == NULL && errno == ENOMEM)
        return akin_fail_nomem(s->err, "a folder's names", 0);
    char match[NAME_MAX_BYTES + 16] = "", others[300] = "";
    size_t matches = 0;
    const size_t length = strlen(entry);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        const size_t n = strlen(e->d_name);
        if (n >= sizeof match || n < length || strncmp(e->d_name, "models--", 8) != 0)
            continue;
        const char *compared = suffix ? e->d_name + n - length : e->d_name;
        if (strcasecmp(compared, entry) != 0)
            continue;
        const bool exact = strcmp(compared, entry) == 0;
        if (matches == 0 || exact)
            snprintf(match, sizeof match, "%s", e->d_name);
        if (strlen(others) + n + 3 < sizeof others) {
            strcat(others, matches != 0 ? ", " : "");
            strcat(others, e->d_name + 8);
        }
        matches++;
        if (exact && !suffix)
            break;
    }
    if (dir != NULL)
        closedir(dir);
    if (matches == 0)
        return AKIN_OK;
    if (suffix && matches > 1)
        return akin_fail(s->err, AKIN_E_ARGUMENT, NULL,
                         "'%s' fits several models of the cache (organisation--name): %s; name one "
                         "as organisation/name",
                         s->name, others);
    char *folder = akin_path_join(s->cache, match);
    if (folder == NULL)
        return akin_fail_nomem(s->err, "path", 0);
    status = snapshot_of(s, folder, revision);
    free(folder);
    return status;
}

static akin_status find_repository(struct search *s, const char *repository, const char *revision)
{
    char entry[NAME_MAX_BYTES + 16];
    if (s->found != NULL || repository == NULL || !entry_of(repository, entry))
        return AKIN_OK;
    const size_t used = strlen(s->tried);
    snprintf(s->tried + used, sizeof s->tried - used, "%s%s", used != 0 ? ", " : "", repository);
    return find_entry(s, entry, false, revision);
}

/* ---- names */

/* Whether `text` is architecture + one of "/", "__", "-", ":" or blanks + tag, in any case. */
static bool is_pair(const char *text, const char *architecture, const char *tag)
{
    const size_t n = strlen(architecture);
    if (strncasecmp(text, architecture, n) != 0)
        return false;
    text += n;
    if (strncasecmp(text, "-quickgelu", 10) == 0) /* the same weights, their activation spelt out */
        text += 10;
    const size_t gap = strspn(text, " \t/_:,");
    return gap != 0 && strcasecmp(text + gap, tag) == 0;
}

static akin_status find_open_clip(struct search *s, const char *architecture, const char *tag)
{
    for (size_t i = 0; i < OPEN_CLIP_NAMES; i++) {
        const struct open_clip_name *n = &open_clip_names[i];
        if (architecture != NULL
                ? strcmp(n->architecture, architecture) == 0 && strcmp(n->tag, tag) == 0
                : is_pair(s->name, n->architecture, n->tag)) {
            akin_status status = find_repository(s, n->repository, "main");
            if (status != AKIN_OK || s->found != NULL)
                return status;
        }
    }
    return AKIN_OK;
}

static akin_status find_openai(struct search *s)
{
    for (size_t i = 0; i < OPENAI_NAMES; i++) {
        const struct openai_name *n = &openai_names[i];
        if (strcasecmp(s->name, n->name) != 0 && !is_pair(s->name, n->architecture, "openai"))
            continue;
        akin_status status = find_open_clip(s, n->architecture, "openai");
        return status == AKIN_OK ? find_repository(s, n->hugging_face, "main") : status;
    }
    return AKIN_OK;
}

/* An architecture of open_clip alone says nothing about weights. */
static akin_status refuse_bare_architecture(const struct search *s)
{
    char tags[500] = "";
    for (size_t i = 0; i < OPEN_CLIP_NAMES; i++) {
        const struct open_clip_name *n = &open_clip_names[i];
        if (strcasecmp(s->name, n->architecture) != 0 ||
            strlen(tags) + strlen(n->tag) + 3 > sizeof tags)
            continue;
        strcat(tags, tags[0] != '\0' ? ", " : "");
        strcat(tags, n->tag);
    }
    if (tags[0] == '\0')
        return AKIN_OK;
    return akin_fail(
        s->err, AKIN_E_ARGUMENT, NULL,
        "'%s' is an architecture; which weights? Name them behind it, as in '%s/%.*s': "
        "%s",
        s->name, s->name, (int)strcspn(tags, ","), tags, tags);
}

/* "org/name@revision", or a name alone. */
static akin_status find_in_cache(struct search *s, const char *name)
{
    akin_status status = AKIN_OK;
    char *repository = strdup(name), entry[NAME_MAX_BYTES + 16];
    const char *revision = "main";
    if (repository == NULL)
        return akin_fail_nomem(s->err, "name", 0);
    char *at = strchr(repository, '@');
    if (at != NULL) {
        *at = '\0';
        revision = at + 1;
    }
    const char *slash = strchr(repository, '/');
    if (strstr(repository, "..") != NULL || strstr(revision, "..") != NULL || *revision == '/' ||
        (slash != NULL && strchr(slash + 1, '/') != NULL) || strlen(repository) > NAME_MAX_BYTES) {
        free(repository);
        return AKIN_OK; /* no repository has such a name: a path that is not there */
    }
    if (slash != NULL) {
        status = find_repository(s, repository, revision);
    } else {
        snprintf(entry, sizeof entry, "--%s", repository);
        status = find_entry(s, entry, true, revision);
    }
    free(repository);
    return status;
}

/* ---- folders */

/* A folder that only leads to the model, in its place. */
static akin_status enter(struct search *s, const char *folder)
{
    static const char *const own[] = { "config.json", "open_clip_config.json" };
    char *path;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if ((path = akin_path_join(folder, own[i])) == NULL)
            return akin_fail_nomem(s->err, "path", 0);
        const bool there = akin_path_is_file(path);
        free(path);
        if (there)
            goto itself;
    }
    if ((path = akin_path_join(folder, "0_CLIPModel")) == NULL)
        return akin_fail_nomem(s->err, "path", 0);
    if (akin_path_is_dir(path)) {
        s->found = path;
        return AKIN_OK;
    }
    free(path);
    if ((path = akin_path_join(folder, "refs/main")) == NULL)
        return akin_fail_nomem(s->err, "path", 0);
    const bool repository = akin_path_is_file(path);
    free(path);
    if (repository) {
        akin_status status = snapshot_of(s, folder, "main");
        if (status != AKIN_OK)
            return status;
        char *snapshot = s->found; /* may be a sentence-transformers folder in turn */
        s->found = NULL;
        status = enter(s, snapshot);
        free(snapshot);
        return status;
    }
itself:
    s->found = strdup(folder);
    return s->found != NULL ? AKIN_OK : akin_fail_nomem(s->err, "path", 0);
}

static akin_status not_found(const struct search *s)
{
    if (s->tried[0] != '\0')
        return akin_fail(
            s->err, AKIN_E_NOT_FOUND, s->cache,
            "'%s' is not in this cache of the hub, under the name of %s; download the repository "
            "whole on a machine that reaches the hub (huggingface-cli download), or name the "
            "folder that holds the model's files",
            s->name, s->tried);
    return akin_fail(
        s->err, AKIN_E_NOT_FOUND, s->name,
        "no such folder, and no model of this name; a model is a folder with config.json or "
        "open_clip_config.json, the weights and the tokenizer's files, a repository of the hub's "
        "cache (organisation/name), or a name of open_clip's (ViT-B-32/laion2b_s34b_b79k)");
}

akin_status akin_model_find(char **out, const char *name, akin_error *err)
{
    *out = NULL;
    if (akin_path_is_file(name)) {
        *out = strdup(name);
        return *out != NULL ? AKIN_OK : akin_fail_nomem(err, "path", 0);
    }
    struct search s = { .err = err };
    if (akin_path_is_dir(name)) {
        akin_status status = enter(&s, name);
        *out = s.found;
        return status;
    }
    akin_status status = AKIN_OK;
    while (isspace((unsigned char)*name))
        name++;
    size_t size = strlen(name);
    while (size != 0 && isspace((unsigned char)name[size - 1]))
        size--;
    char *trimmed = strndup(name, size), *folder = NULL;
    s.name = trimmed;
    s.cache = akin_hub_cache();
    if (trimmed == NULL || s.cache == NULL) {
        status = akin_fail_nomem(err, "name", 0);
        goto out;
    }
    const char *rest = trimmed;
    if (strcasecmp(trimmed, AKIN_MODEL_DEFAULT) == 0) {
        status = find_mini(&s);
        goto out;
    }
    if (strncmp(trimmed, "local-dir:", 10) == 0 || akin_path_is_dir(trimmed)) {
        rest = trimmed + (akin_path_is_dir(trimmed) ? 0 : 10);
        status = akin_path_is_dir(rest) ? enter(&s, rest)
                                        : akin_fail(err, AKIN_E_NOT_FOUND, rest, "no such folder");
        goto out;
    }
    if (strncasecmp(trimmed, "hf-hub:", 7) == 0) {
        rest = trimmed + 7;
    } else {
        AKIN_TRY(find_openai(&s));
        if (s.found == NULL)
            AKIN_TRY(find_open_clip(&s, NULL, NULL));
        if (s.found == NULL && s.tried[0] == '\0')
            AKIN_TRY(refuse_bare_architecture(&s));
    }
    if (s.found == NULL && rest[0] != '\0')
        AKIN_TRY(find_in_cache(&s, rest));
    if (s.found == NULL) {
        status = not_found(&s);
        goto out;
    }
    folder = s.found;
    s.found = NULL;
    status = enter(&s, folder);
out:
    free(folder);
    free(trimmed);
    free(s.cache);
    if (status == AKIN_OK)
        *out = s.found;
    else
        free(s.found);
    return status;
}
