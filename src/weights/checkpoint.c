/* checkpoint.c - a checkpoint on disk as tensors by name.
 *
 * Tells what a path is from its content, never from its extension, and puts shards together as
 * transformers 5.23 does, more strictly: the index and the shards must name the same tensors.
 */
#include "checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arith.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/json.h"
#include "weights/safetensors.h"
#include "weights/tensors.h"
#include "weights/torchzip.h"

enum {
    max_index = 8 << 20, /* bytes; 100,000 tensors */
    max_shards = 4096
};

struct shard {
    char *path; /* owned; the tensors borrow it */
    akin_mapping mapping;
};

struct akin_checkpoint {
    char *path;
    struct shard *shards; /* one for a single file */
    size_t shard_count;
    akin_tensor_list list;
};

static const char *const candidates[] = { "model.safetensors", "model.safetensors.index.json",
                                          "pytorch_model.bin", "pytorch_model.bin.index.json" };

/* ---- what a file is */

enum kind { SAFETENSORS, TORCHZIP, INDEX };

static bool begins(const akin_mapping *m, const void *bytes, size_t size)
{
    return m->size >= size && memcmp(m->data, bytes, size) == 0;
}

static bool is_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* ASCII without control characters. */
static bool is_text(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((bytes[i] < 0x20 && !is_blank(bytes[i])) || bytes[i] >= 0x7f)
            return false;
    return true;
}

/* Files that people have in the place of a checkpoint, by their first bytes. */
static const struct lookalike {
    const char *bytes;
    size_t size;
    const char *message;
} lookalikes[] = {
    { "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15,
      "torch's format from before 1.6, which akin does not read; convert it: python -c \"import "
      "torch; torch.save(torch.load('OLD', map_location='cpu', weights_only=True), 'NEW')\"" },
    { "\x89HDF\r\n\x1a\n", 8,
      "an HDF5 file (TensorFlow's tf_model.h5?): use the model's safetensors or PyTorch form" },
    { "GGUF", 4, "a GGUF file: use the model's safetensors or PyTorch form" },
    { "\x93NUMPY", 6, "a NumPy array, not a checkpoint" },
    { "\x1f\x8b", 2, "compressed with gzip: unpack it first" },
    { "\xfd\x37zXZ", 5, "compressed with xz: unpack it first" },
    { "\x28\xb5\x2f\xfd", 4, "compressed with zstd: unpack it first" },
};

/* A map with a text key first, which is how flax_model.msgpack begins. */
static bool is_msgpack(const akin_mapping *m)
{
    size_t key = m->data[0] >= 0x81 && m->data[0] <= 0x8f ? 1 : m->data[0] == 0xde ? 3 : 0;
    if (key == 0 || m->size <= key + 2)
        return false;
    size_t size = (size_t)(m->data[key] & 0x1f);
    return m->data[key] >= 0xa1 && m->data[key] <= 0xbf && m->size > key + size &&
           is_text(m->data + key + 1, size);
}

static akin_status fail_text(const akin_mapping *m, const char *path, akin_error *err)
{
    size_t at = 0;
    while (at < m->size && is_blank(m->data[at]))
        at++;
    const char *text = (const char *)m->data + at;
    size_t size = m->size - at;
    if ((size >= 9 && strncasecmp(text, "<!doctype", 9) == 0) ||
        (size >= 5 && strncasecmp(text, "<html", 5) == 0))
        return akin_fail(
            err, AKIN_E_FORMAT, path,
            "an HTML page, not weights: the download got a web page (a log-in or an error) "
            "instead of the file");
    if (size >= 5 && memcmp(text, "<?xml", 5) == 0)
        return akin_fail(
            err, AKIN_E_FORMAT, path,
            "an XML text, not weights: the download got an error message instead of the file");
    size_t shown = 0;
    while (shown < size && shown < 40 && text[shown] >= 0x20 && text[shown] < 0x7f)
        shown++;
    return akin_fail(err, AKIN_E_FORMAT, path, "a text, not a checkpoint: it begins with '%.*s'",
                     (int)shown, text);
}

/* Eight bytes of header length, then a JSON object, perhaps after blanks. */
static bool is_safetensors(const akin_mapping *m)
{
    return m->size > 8 && (m->data[8] == '{' || is_blank(m->data[8]));
}

static akin_status kind_of(const akin_mapping *m, const char *path, enum kind *out, akin_error *err)
{
    if (m->size == 0)
        return akin_fail(err, AKIN_E_TRUNCATED, path, "an empty file: download it again");
    if (akin_is_lfs_pointer(m->data, m->size))
        return akin_fail(err, AKIN_E_FORMAT, path, "a Git LFS pointer, not the weights: %s",
                         AKIN_LFS_ADVICE);
    for (size_t i = 0; i < sizeof lookalikes / sizeof *lookalikes; i++)
        if (begins(m, lookalikes[i].bytes, lookalikes[i].size))
            return akin_fail(err, AKIN_E_FORMAT, path, "%s", lookalikes[i].message);
    if (begins(m, "PK\3\4", 4) || begins(m, "PK\5\6", 4)) {
        *out = TORCHZIP;
        return AKIN_OK;
    }
    /* A header length has zero bytes at its high end, which no text has; one that is all text is
     * absurd, and the file is a text. */
    if (is_text(m->data, akin_min(m->size, 8))) {
        size_t at = 0;
        while (at < m->size && is_blank(m->data[at]))
            at++;
        if (at == m->size || m->data[at] != '{')
            return fail_text(m, path, err);
        *out = INDEX;
        return AKIN_OK;
    }
    if (is_safetensors(m)) {
        *out = SAFETENSORS;
        return AKIN_OK;
    }
    if (m->size <= 8)
        return akin_fail(err, AKIN_E_TRUNCATED, path, "%zu bytes are too few for a checkpoint",
                         m->size);
    if (is_msgpack(m))
        return akin_fail(
            err, AKIN_E_FORMAT, path,
            "looks like msgpack (Flax's flax_model.msgpack?): use the model's safetensors or "
            "PyTorch form");
    if (m->data[0] == 0x80 && m->data[1] >= 2 && m->data[1] <= 5)
        return akin_fail(err, AKIN_E_FORMAT, path,
                         "a bare Python pickle, not a checkpoint saved by torch.save");
    return akin_fail(
        err, AKIN_E_FORMAT, path,
        "neither safetensors nor torch's zip format: begins with bytes %02x %02x %02x %02x",
        m->data[0], m->data[1], m->data[2], m->data[3]);
}

/* ---- shards */

/* Room for `count` shards; none is there yet. */
static akin_status make_shards(akin_checkpoint *c, size_t count, akin_error *err)
{
    c->shards = calloc(count, sizeof *c->shards);
    return c->shards != NULL ? AKIN_OK
                             : akin_fail_nomem(err, "list of shards", count * sizeof *c->shards);
}

/* Maps the file as the next shard. Takes `path`, which may be NULL (out of memory). */
static akin_status map_shard(akin_checkpoint *c, char *path, akin_error *err)
{
    struct shard *shard = &c->shards[c->shard_count];
    if (path == NULL)
        return akin_fail_nomem(err, "path", 0);
    shard->path = path;
    c->shard_count++;
    return akin_file_map(path, &shard->mapping, err);
}

/* Appends the tensors of the last shard mapped, sorted among themselves. */
static akin_status read_shard(akin_checkpoint *c, enum kind kind, akin_error *err)
{
    const struct shard *shard = &c->shards[c->shard_count - 1];
    const akin_mapping *m = &shard->mapping;
    if (kind == SAFETENSORS)
        return akin_safetensors_read(m->data, m->size, shard->path, &c->list, err);
    return akin_torchzip_read(m->data, m->size, shard->path, &c->list, err);
}

/* One line of the index. */
struct place {
    const char *tensor, *file; /* borrowed from the JSON */
};

static int by_file(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    return order != 0 ? order : strcmp(x->tensor, y->tensor);
}

/* A plain name: the index must not lead out of its folder. */
static akin_status check_shard_name(const char *index, const char *name, akin_error *err)
{
    if (strchr(name, '/') != NULL || strchr(name, '\\') != NULL || strcmp(name, "..") == 0)
        return akin_fail(err, AKIN_E_UNSAFE, index,
                         "the index names the shard '%s'; only files of its own "
                         "folder are read",
                         name);
    if (name[0] == '\0' || strcmp(name, ".") == 0)
        return akin_fail(err, AKIN_E_FORMAT, index, "the index names a shard '%s'", name);
    return AKIN_OK;
}

/* The shard places[0].file, which must hold exactly the `count` tensors of `places`, sorted. */
static akin_status open_shard(akin_checkpoint *c, const struct place *places, size_t count,
                              akin_error *err)
{
    const char *slash = strrchr(c->path, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - c->path) + 1,
           name = strlen(places[0].file);
    char *path = malloc(folder + name + 1);
    if (path != NULL) {
        memcpy(path, c->path, folder);
        memcpy(path + folder, places[0].file, name + 1);
    }
    enum kind kind;
    size_t first = c->list.count, i = 0;
    akin_status status = map_shard(c, path, err);
    if (status == AKIN_E_NOT_FOUND)
        return akin_fail(err, status, path,
                         "this shard, named by the index, is missing: download it too");
    if (status == AKIN_OK)
        status = kind_of(&c->shards[c->shard_count - 1].mapping, path, &kind, err);
    if (status == AKIN_OK && kind == INDEX)
        return akin_fail(err, AKIN_E_FORMAT, path, "an index where a shard should be");
    if (status == AKIN_OK)
        status = read_shard(c, kind, err);
    if (status != AKIN_OK)
        return status;
    for (size_t j = first; j < c->list.count || i < count; i++, j++) {
        int order = j == c->list.count ? -1 : i == count ? 1
                  : strcmp(places[i].tensor, c->list.items[j].name);
        if (order < 0)
            return akin_fail(err, AKIN_E_CORRUPT, path,
                             "the index puts tensor '%s' into this shard, which "
                             "does not have it",
                             places[i].tensor);
        if (order > 0)
            return akin_fail(err, AKIN_E_CORRUPT, path,
                             "tensor '%s' of this shard is not in the index, or is "
                             "said to be in another one",
                             c->list.items[j].name);
    }
    return AKIN_OK;
}

/* The checkpoint of an index file, whose bytes are `text`. */
static akin_status open_index(akin_checkpoint *c, const akin_mapping *text, akin_error *err)
{
    akin_json *index = NULL;
    const akin_json *map = NULL;
    struct place *places = NULL;
    size_t count = 0, shards = 0;
    akin_status status;
    if (text->size > max_index)
        return akin_fail(err, AKIN_E_LIMIT, c->path, "an index of %zu bytes; the limit is %d",
                         text->size, max_index);
    AKIN_TRY(akin_json_parse(text->data, text->size, c->path, &index, err));
    map = akin_json_get(index, "weight_map");
    if (!akin_json_is_object(map)) {
        status = akin_fail(err, AKIN_E_FORMAT, c->path,
                           "JSON without a 'weight_map' object: not the index of "
                           "a checkpoint");
        goto out;
    }
    places = calloc(akin_json_members(map) + 1, sizeof *places);
    if (places == NULL) {
        status = akin_fail_nomem(err, "index", (akin_json_members(map) + 1) * sizeof *places);
        goto out;
    }
    for (size_t i = 0; i < akin_json_members(map); i++) {
        places[count].tensor = akin_json_key(map, i);
        places[count].file = akin_json_string(akin_json_member(map, i));
        if (places[count].file == NULL) {
            status =
                akin_fail(err, AKIN_E_FORMAT, c->path,
                          "weight_map: the shard of '%s' is not a string", places[count].tensor);
            goto out;
        }
        AKIN_TRY(check_shard_name(c->path, places[count++].file, err));
    }
    if (count == 0) {
        status = akin_fail(err, AKIN_E_FORMAT, c->path, "the index names no tensor");
        goto out;
    }
    qsort(places, count, sizeof *places, by_file);
    for (size_t i = 0; i < count; i++)
        shards += i == 0 || strcmp(places[i - 1].file, places[i].file) != 0;
    if (shards > max_shards) {
        status = akin_fail(err, AKIN_E_LIMIT, c->path, "%zu shards; the limit is %d", shards,
                           max_shards);
        goto out;
    }
    AKIN_TRY(make_shards(c, shards, err));
    for (size_t begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1; end < count && strcmp(places[begin].file, places[end].file) == 0;)
            end++;
        AKIN_TRY(open_shard(c, places + begin, end - begin, err));
    }
    /* The index has each name once and the shards agree with it: this only sorts. */
    status = akin_tensor_list_sort(&c->list, 0, err);
out:
    free(places);
    akin_json_free(index);
    return status;
}

/* ---- opening */

/* Sets c->path and maps it: the path itself, or the first candidate in the folder it is. */
static akin_status find(akin_checkpoint *c, const char *path, akin_mapping *out, akin_error *err)
{
    if (!akin_path_is_dir(path)) {
        c->path = strdup(path);
        return c->path != NULL ? akin_file_map(c->path, out, err) : akin_fail_nomem(err, "path", 0);
    }
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        free(c->path);
        c->path = akin_path_join(path, candidates[i]);
        if (c->path == NULL)
            return akin_fail_nomem(err, "path", 0);
        akin_status status = akin_file_map(c->path, out, err);
        if (status != AKIN_E_NOT_FOUND)
            return status;
        if (akin_path_is_link(c->path))
            return akin_fail(err, status, c->path,
                             "a link to a file that is not there: download it again");
    }
    return akin_fail(
        err, AKIN_E_NOT_FOUND, path,
        "no weights in this folder: none of %s, %s, %s and %s; download one (TensorFlow's "
        "tf_model.h5, Flax's flax_model.msgpack and GGUF files are not read)",
        candidates[0], candidates[1], candidates[2], candidates[3]);
}

akin_status akin_checkpoint_open(akin_checkpoint **out, const char *path, akin_error *err)
{
    *out = NULL;
    akin_checkpoint *c = calloc(1, sizeof *c);
    if (c == NULL)
        return akin_fail_nomem(err, "checkpoint", sizeof *c);
    akin_tensor_list_init(&c->list);
    akin_mapping mapping = { (const unsigned char *)"", 0 };
    enum kind kind;
    akin_status status;
    AKIN_TRY(find(c, path, &mapping, err));
    AKIN_TRY(kind_of(&mapping, c->path, &kind, err));
    if (kind == INDEX) {
        status = open_index(c, &mapping, err);
        goto out;
    }
    AKIN_TRY(make_shards(c, 1, err));
    c->shards[0] = (struct shard){ strdup(c->path), mapping };
    c->shard_count = 1;
    mapping = (akin_mapping){ (const unsigned char *)"", 0 };
    status = c->shards[0].path != NULL ? read_shard(c, kind, err) : akin_fail_nomem(err, "path", 0);
out:
    akin_file_unmap(&mapping);
    if (status != AKIN_OK)
        akin_checkpoint_close(c);
    else
        *out = c;
    return status;
}

void akin_checkpoint_close(akin_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    for (size_t i = 0; i < checkpoint->shard_count; i++) {
        akin_file_unmap(&checkpoint->shards[i].mapping);
        free(checkpoint->shards[i].path);
    }
    free(checkpoint->shards);
    free(checkpoint->path);
    akin_tensor_list_clear(&checkpoint->list);
    free(checkpoint);
}

const char *akin_checkpoint_path(const akin_checkpoint *checkpoint) { return checkpoint->path; }

size_t akin_checkpoint_count(const akin_checkpoint *checkpoint) { return checkpoint->list.count; }

const akin_tensor *akin_checkpoint_at(const akin_checkpoint *checkpoint, size_t i)
{
    return &checkpoint->list.items[i];
}

const akin_tensor *akin_checkpoint_find(const akin_checkpoint *checkpoint, const char *name)
{
    return akin_tensor_list_find(&checkpoint->list, name);
}
