/* api_identity.c - akin.h: which model it is, whatever folder it lies in.
 *
 * SHA-256 over the form and, of every file that decides a vector, its role and the SHA-256 of its
 * bytes. Hashing the weights of ViT-B/32 takes 0.3 s with the processor's own instructions and 1.5
 * s without, more than a whole query: the hash of a large file is remembered under AKIN_HOME by
 * device, inode, size, mtime and ctime, any of which changes when the file does. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handles.h"
#include "base/file.h"
#include "base/hash.h"
#include "hub/model_name.h"

enum { REMEMBER_FROM = 1 << 20, PATH_BYTES = 4096, NOTE_BYTES = 256 };

/* What the hash is remembered under, and what must still hold of the file. */
static bool note_of(const struct stat *st, char *path, size_t capacity, char note[NOTE_BYTES])
{
    char folder[PATH_BYTES];
    if (!akin_home_folder(folder, sizeof folder))
        return false;
    int n = snprintf(path, capacity, "%s/hashes/%jx-%jx", folder, (uintmax_t)st->st_dev,
                     (uintmax_t)st->st_ino);
    snprintf(note, NOTE_BYTES, "%jd %jd.%09ld %jd.%09ld ", (intmax_t)st->st_size,
             (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
             st->st_ctim.tv_nsec);
    return n > 0 && (size_t)n < capacity;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool recall(const char *path, const char *note, uint8_t out[AKIN_HASH_BYTES])
{
    akin_buffer text;
    const size_t n = strlen(note);
    bool found = akin_file_read(path, "a remembered hash", 1024, &text, NULL) == AKIN_OK &&
                 text.size >= n + 2 * AKIN_HASH_BYTES && memcmp(text.data, note, n) == 0;
    for (size_t i = 0; found && i < AKIN_HASH_BYTES; i++) {
        const int high = digit(text.data[n + 2 * i]), low = digit(text.data[n + 2 * i + 1]);
        found = high >= 0 && low >= 0;
        out[i] = (uint8_t)(high * 16 + low);
    }
    akin_buffer_clear(&text);
    return found;
}

/* A cache that cannot be written costs time, nothing else: errors are dropped. */
static void remember(const char *path, const char *note, const uint8_t hash[AKIN_HASH_BYTES])
{
    char hex[AKIN_HASH_HEX];
    char *folder = strdup(path);
    akin_writer w = { 0 };
    if (folder != NULL)
        *strrchr(folder, '/') = '\0';
    akin_hex(hash, AKIN_HASH_BYTES, hex);
    if (folder != NULL && akin_folder_make(folder, 0777, NULL) == AKIN_OK &&
        akin_writer_open(&w, path, NULL) == AKIN_OK &&
        akin_writer_add(&w, note, strlen(note), NULL) == AKIN_OK &&
        akin_writer_add(&w, hex, strlen(hex), NULL) == AKIN_OK)
        akin_writer_commit(&w, NULL);
    akin_writer_abort(&w);
    free(folder);
}

static akin_status hash_file(const char *path, uint8_t out[AKIN_HASH_BYTES], akin_error *err)
{
    struct stat st;
    char at[PATH_BYTES + 64], note[NOTE_BYTES];
    if (stat(path, &st) != 0)
        return akin_fail_errno(err, errno, path, "cannot stat");
    const bool noted = st.st_size >= REMEMBER_FROM && note_of(&st, at, sizeof at, note);
    if (noted && recall(at, note, out))
        return AKIN_OK;
    akin_mapping file;
    akin_status status = akin_file_map(path, &file, err);
    if (status != AKIN_OK)
        return status;
    status = akin_sha256(file.data, file.size, out, err);
    akin_file_unmap(&file);
    if (status == AKIN_OK && noted)
        remember(at, note, out);
    return status;
}

/* "role\0" and the hash of the file. */
static akin_status add_file(akin_hasher *hasher, const char *role, const char *path,
                            akin_error *err)
{
    uint8_t hash[AKIN_HASH_BYTES];
    akin_status status;
    AKIN_TRY(hash_file(path, hash, err));
    AKIN_TRY(akin_hasher_add(hasher, role, strlen(role) + 1, err));
    AKIN_TRY(akin_hasher_add(hasher, hash, sizeof hash, err));
out:
    return status;
}

/* Those of `names` (NULL ends them) that the folder holds. */
static akin_status add_files(akin_hasher *hasher, const char *folder, const char *const *names,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    for (; *names != NULL && status == AKIN_OK; names++) {
        char *path = akin_path_join(folder, *names);
        if (path == NULL)
            return akin_fail_nomem(err, "path", 0);
        if (akin_path_is_file(path))
            status = add_file(hasher, *names, path, err);
        free(path);
    }
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that hold tensors, by name; their names do not count, their order does. */
static akin_status add_weights(akin_hasher *hasher, const akin_model *model, akin_error *err)
{
    akin_checkpoint *checkpoint = NULL;
    const char **files = NULL;
    akin_status status;
    AKIN_TRY(akin_checkpoint_open_as(&checkpoint, model->path, model->config.form, err));
    const size_t n = akin_checkpoint_count(checkpoint);
    files = calloc(n + 1, sizeof *files);
    if (files == NULL) {
        status = akin_fail_nomem(err, "names of files", n * sizeof *files);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        files[i] = akin_checkpoint_at(checkpoint, i)->file;
    qsort(files, n, sizeof *files, compare_paths);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(files[i], files[i - 1]) != 0)
            AKIN_TRY(add_file(hasher, "weights", files[i], err));
out:
    free(files);
    akin_checkpoint_close(checkpoint);
    return status;
}

akin_status akin_model_identity(const akin_model *model, char out[65], akin_error *err)
{
    static const char *const hf[] = {
        "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "preprocessor_config.json", "processor_config.json", NULL
    };
    static const char *const pairs[] = { "vocab.json", "merges.txt", NULL };
    static const char *const open_clip[] = { "open_clip_config.json", NULL };
    static const char *const own_tokenizer[] = {
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        NULL
    };
    const akin_clip_config *c = &model->config;
    akin_hasher *hasher = NULL;
    uint8_t hash[AKIN_HASH_BYTES];
    akin_status status;
    AKIN_TRY(akin_hasher_new(&hasher, err));
    const char *kind = c->form == AKIN_FORM_HF ? "clip hf 1" : "clip open_clip 1";
    AKIN_TRY(akin_hasher_add(hasher, kind, strlen(kind) + 1, err));
    AKIN_TRY(add_weights(hasher, model, err));
    if (c->form == AKIN_FORM_HF) {
        char *tokenizer = akin_path_join(model->path, "tokenizer.json");
        if (tokenizer == NULL) {
            status = akin_fail_nomem(err, "path", 0);
            goto out;
        }
        const bool whole = akin_path_is_file(tokenizer); /* then the pair is not read */
        free(tokenizer);
        AKIN_TRY(add_files(hasher, model->path, hf, err));
        if (!whole)
            AKIN_TRY(add_files(hasher, model->path, pairs, err));
    } else if (c->bare) {
        /* What the command line says of a file that does not. */
        const char *activation = akin_activation_name(c->vision.activation);
        AKIN_TRY(akin_hasher_add(hasher, activation, strlen(activation) + 1, err));
    } else {
        AKIN_TRY(add_files(hasher, model->path, open_clip, err));
        if (c->hf_tokenizer)
            AKIN_TRY(add_files(hasher, model->path, own_tokenizer, err));
    }
    AKIN_TRY(akin_hasher_end(hasher, hash, err));
    akin_hex(hash, sizeof hash, out);
out:
    akin_hasher_free(hasher);
    return status;
}
