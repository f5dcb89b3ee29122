/* manifest.c - collects a manifest's rows: concepts and languages numbered, equal pictures found
 * once, texts and pictures listed by concept.
 *
 * A manifest's strings are the bytes of its file, cut up in place; only paths are copied, with
 * their folder before them. 1.6 million rows (68 MB) open in 0.46 s and take 130 MB.
 */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "manifest_parts.h"
#include "random.h"

static const char *const kind_names[] = { "art", "icon", "scene", "photo", "word" };

const char *akin_kind_name(akin_kind kind)
{
    return (size_t)kind < sizeof kind_names / sizeof *kind_names ? kind_names[kind] : "unknown";
}

/* ---- strings that stay */

enum { chunk_bytes = 1 << 20 };

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    char bytes[];
} chunk;

typedef struct memory {
    akin_buffer file;
    chunk *chunks;
} memory;

/* Room for `size` bytes and a NUL, which is written. */
static char *take(memory *m, size_t size)
{
    chunk *c = m->chunks;
    if (c == NULL || c->size - c->used <= size) {
        const size_t wanted = akin_max(size + 1, chunk_bytes);
        c = malloc(sizeof *c + wanted);
        if (c == NULL)
            return NULL;
        *c = (chunk){ m->chunks, 0, wanted };
        m->chunks = c;
    }
    char *out = c->bytes + c->used;
    c->used += size + 1;
    out[size] = '\0';
    return out;
}

static void free_memory(memory *m)
{
    if (m == NULL)
        return;
    while (m->chunks != NULL) {
        chunk *next = m->chunks->next;
        free(m->chunks);
        m->chunks = next;
    }
    akin_buffer_clear(&m->file);
    free(m);
}

/* ---- a table from (string, number) to a number */

typedef struct entry {
    const char *text;
    uint32_t size, tag, hash, value;
} entry;

typedef struct table {
    entry *entries;
    size_t count, capacity;
    uint32_t *slots; /* 0: free, else index of an entry, plus 1 */
    size_t slot_count;
} table;

/* The key differs from run to run, so that no file can be made whose strings all meet. */
static uint32_t hash_of(akin_piece piece, uint32_t tag, uint64_t key)
{
    uint64_t h = key ^ akin_random_mix(piece.size + ((uint64_t)tag << 32)), word;
    const char *p = piece.text;
    size_t left = piece.size;
    for (; left >= 8; p += 8, left -= 8) {
        memcpy(&word, p, 8);
        h = akin_random_mix(h ^ word);
    }
    word = 0;
    memcpy(&word, p, left);
    return (uint32_t)(akin_random_mix(h ^ word) >> 32);
}

static bool enlarge(table *t)
{
    const size_t wanted = akin_max(t->slot_count * 2, 1024);
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < t->count; i++) {
        size_t at = t->entries[i].hash & (wanted - 1);
        while (slots[at] != 0)
            at = (at + 1) & (wanted - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(t->slots);
    t->slots = slots;
    t->slot_count = wanted;
    return true;
}

/* The number of (piece, tag), which a new one gets from `fresh`; *is_new says so. */
static bool look_up(table *t, akin_piece piece, uint32_t tag, uint64_t key, uint32_t fresh,
                    uint32_t *value, bool *is_new)
{
    if (t->count * 2 >= t->slot_count && !enlarge(t))
        return false;
    const uint32_t hash = hash_of(piece, tag, key);
    size_t at = hash & (t->slot_count - 1);
    for (; t->slots[at] != 0; at = (at + 1) & (t->slot_count - 1)) {
        const entry *e = &t->entries[t->slots[at] - 1];
        if (e->hash == hash && e->tag == tag && e->size == piece.size &&
            memcmp(e->text, piece.text, piece.size) == 0) {
            *value = e->value;
            *is_new = false;
            return true;
        }
    }
    entry *grown = akin_grow(t->entries, &t->capacity, t->count + 1, sizeof *grown);
    if (grown == NULL)
        return false;
    t->entries = grown;
    grown[t->count] = (entry){ piece.text, (uint32_t)piece.size, tag, hash, fresh };
    t->slots[at] = (uint32_t)++t->count;
    *value = fresh;
    *is_new = true;
    return true;
}

static void free_table(table *t)
{
    free(t->entries);
    free(t->slots);
}

/* ---- rows */

struct akin_manifest_build {
    akin_manifest *manifest;
    memory *memory;
    uint64_t key;
    akin_piece folder; /* before a relative path, with its slash; size 0: none */
    size_t rows;
    size_t picture_room, text_room, concept_room, language_room;
    table concepts, languages, pictures; /* pictures by path, their tag the concept */
};

akin_row akin_row_default(uint32_t line)
{
    static const akin_piece none = { "", 0 };
    return (akin_row){ .path = none, .text = none, .language = none, .concept = none,
                       .weight = 1, .kind = AKIN_KIND_ART, .flip = true, .line = line };
}

char *akin_manifest_keep(akin_manifest_build *build, const char *bytes, size_t size)
{
    char *out = take(build->memory, size);
    if (out != NULL)
        memcpy(out, bytes, size);
    return out;
}

static akin_status no_memory(akin_error *err)
{
    return akin_fail_nomem(err, "a manifest", 0);
}

/* Appends to a list of names. */
static bool add_name(const char ***names, size_t *count, size_t *room, const char *name)
{
    const char **grown = akin_grow(*names, room, *count + 1, sizeof *grown);
    if (grown == NULL)
        return false;
    *names = grown;
    grown[(*count)++] = name;
    return true;
}

static akin_status add_picture(akin_manifest_build *b, const akin_row *row, uint32_t concept,
                               akin_error *err)
{
    akin_manifest *m = b->manifest;
    uint32_t index;
    bool is_new = true;
    if (row->concept.size != 0 && !look_up(&b->pictures, row->path, concept, b->key,
                                           (uint32_t)m->picture_count, &index, &is_new))
        return no_memory(err);
    if (!is_new)
        return AKIN_OK;
    akin_manifest_picture *grown =
        akin_grow(m->pictures, &b->picture_room, m->picture_count + 1, sizeof *grown);
    if (grown == NULL)
        return no_memory(err);
    m->pictures = grown;
    const size_t before = row->path.text[0] == '/' ? 0 : b->folder.size;
    char *path = take(b->memory, before + row->path.size);
    if (path == NULL)
        return no_memory(err);
    memcpy(path, b->folder.text, before);
    memcpy(path + before, row->path.text, row->path.size);
    grown[m->picture_count++] = (akin_manifest_picture){
        .path = path, .concept = concept, .weight = row->weight, .stage = row->stage,
        .kind = row->kind, .flip = row->flip, .line = row->line,
    };
    if (row->stage >= m->stages)
        m->stages = (uint16_t)(row->stage + 1);
    return AKIN_OK;
}

static akin_status add_text(akin_manifest_build *b, const akin_row *row, uint32_t concept,
                            akin_error *err)
{
    akin_manifest *m = b->manifest;
    uint32_t language;
    bool is_new;
    if (!look_up(&b->languages, row->language, 0, b->key, (uint32_t)m->language_count, &language,
                 &is_new) ||
        (is_new && !add_name(&m->languages, &m->language_count, &b->language_room,
                             row->language.text)))
        return no_memory(err);
    akin_manifest_text *grown =
        akin_grow(m->texts, &b->text_room, m->text_count + 1, sizeof *grown);
    if (grown == NULL)
        return no_memory(err);
    m->texts = grown;
    grown[m->text_count++] = (akin_manifest_text){
        .text = row->text.text, .concept = concept, .language = language, .weight = row->weight,
        .stage = row->stage, .line = row->line,
    };
    return AKIN_OK;
}

akin_status akin_manifest_add(akin_manifest_build *b, const akin_row *row, const char *file,
                              akin_error *err)
{
    akin_manifest *m = b->manifest;
    if (row->path.size == 0 && row->text.size == 0)
        return akin_fail(err, AKIN_E_FORMAT, file, "line %u: neither a path nor a text", row->line);
    if (row->path.size + b->folder.size > AKIN_MANIFEST_PATH)
        return akin_fail(err, AKIN_E_LIMIT, file, "line %u: a path of %zu bytes; the limit is %d",
                         row->line, row->path.size, AKIN_MANIFEST_PATH);
    if (row->text.size > AKIN_MANIFEST_FIELD || row->concept.size > AKIN_MANIFEST_FIELD ||
        row->language.size > AKIN_MANIFEST_FIELD)
        return akin_fail(err, AKIN_E_LIMIT, file,
                         "line %u: a field of %zu bytes; the limit is %d", row->line,
                         akin_max(row->text.size, akin_max(row->concept.size, row->language.size)),
                         AKIN_MANIFEST_FIELD);
    if (++b->rows > AKIN_MANIFEST_ROWS)
        return akin_fail(err, AKIN_E_LIMIT, file, "more than %d rows", AKIN_MANIFEST_ROWS);
    uint32_t concept = (uint32_t)m->concept_count;
    bool is_new = true;
    if (row->concept.size != 0 && !look_up(&b->concepts, row->concept, 0, b->key, concept,
                                           &concept, &is_new))
        return no_memory(err);
    if (is_new && !add_name(&m->concepts, &m->concept_count, &b->concept_room, row->concept.text))
        return no_memory(err);
    akin_status status = AKIN_OK;
    if (row->path.size != 0)
        status = add_picture(b, row, concept, err);
    if (status == AKIN_OK && row->text.size != 0)
        status = add_text(b, row, concept, err);
    return status;
}

akin_status akin_manifest_check_text(const char *bytes, size_t size, const char *file,
                                     akin_error *err)
{
    size_t wrong = 0, line = 1;
    const char *nul = memchr(bytes, '\0', size);
    const bool valid = akin_utf8_valid(bytes, size, &wrong);
    if (valid && nul == NULL)
        return AKIN_OK;
    if (valid || (nul != NULL && (size_t)(nul - bytes) < wrong))
        wrong = (size_t)(nul - bytes);
    for (size_t i = 0; i < wrong; i++)
        line += bytes[i] == '\n';
    if (bytes[wrong] == '\0')
        return akin_fail(err, AKIN_E_FORMAT, file, "line %zu: a NUL byte (offset %zu)", line,
                         wrong);
    return akin_fail(err, AKIN_E_UTF8, file, "line %zu: not UTF-8 (byte 0x%02x at offset %zu)",
                     line, (unsigned char)bytes[wrong], wrong);
}

/* ---- by concept */

/* Counting sort: the indices of `count` things by concept, in their order. of: where the concept of
 * the first lies, `stride` bytes from one to the next. */
static bool list_by_concept(const void *of, size_t stride, size_t count, size_t concepts,
                            uint32_t **starts, uint32_t **order)
{
    uint32_t *s = calloc(concepts + 2, sizeof *s), *o = malloc(akin_max(count, 1) * sizeof *o);
    *starts = s;
    *order = o;
    if (s == NULL || o == NULL)
        return false;
    uint32_t concept;
    /* s[c + 2] counts c's; summed, s[c + 1] is where c begins, and runs to its end as it fills. */
    for (size_t i = 0; i < count; i++) {
        memcpy(&concept, (const char *)of + i * stride, sizeof concept);
        s[concept + 2]++;
    }
    for (size_t c = 2; c < concepts + 2; c++)
        s[c] += s[c - 1];
    for (size_t i = 0; i < count; i++) {
        memcpy(&concept, (const char *)of + i * stride, sizeof concept);
        o[s[concept + 1]++] = (uint32_t)i;
    }
    return true;
}

static bool list_concepts(akin_manifest *m)
{
    static const akin_manifest_picture no_picture;
    static const akin_manifest_text no_text;
    const akin_manifest_picture *pictures = m->pictures != NULL ? m->pictures : &no_picture;
    const akin_manifest_text *texts = m->texts != NULL ? m->texts : &no_text;
    return list_by_concept(&pictures->concept, sizeof *pictures, m->picture_count,
                           m->concept_count, &m->picture_starts, &m->picture_order) &&
           list_by_concept(&texts->concept, sizeof *texts, m->text_count, m->concept_count,
                           &m->text_starts, &m->text_order);
}

/* ---- open and close */

/* The ending of a file's name, without its point; "" when there is none. */
static const char *ending_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    return dot == NULL || (slash != NULL && dot < slash) ? "" : dot + 1;
}

static akin_status read_file(akin_manifest_build *b, const char *path, akin_error *err)
{
    akin_buffer *file = &b->memory->file;
    const char *slash = strrchr(path, '/');
    akin_status status = akin_file_read(path, "a manifest", AKIN_MANIFEST_BYTES, file, err);
    if (status != AKIN_OK)
        return status;
    if (slash != NULL)
        b->folder = (akin_piece){ path, (size_t)(slash - path) + 1 };
    return akin_manifest_read_rows(b, file->data, file->size, ending_of(path), path, err);
}

akin_status akin_manifest_open(akin_manifest **out, const char *path, akin_error *err)
{
    *out = NULL;
    akin_status status = AKIN_OK;
    akin_manifest *m = calloc(1, sizeof *m);
    akin_manifest_build b = { .manifest = m, .folder = { "", 0 } };
    if (m == NULL)
        return no_memory(err);
    m->memory = b.memory = calloc(1, sizeof *b.memory);
    m->path = strdup(path);
    if (b.memory == NULL || m->path == NULL) {
        status = no_memory(err);
        goto out;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    b.key = akin_random_mix((uint64_t)akin_nanoseconds(now) ^ (uintptr_t)m);
    if (akin_path_is_dir(path))
        AKIN_TRY(akin_manifest_read_folder(&b, path, err));
    else
        AKIN_TRY(read_file(&b, path, err));
    if (b.rows == 0) {
        status = akin_fail(err, AKIN_E_FORMAT, path, "holds no pictures and no texts");
        goto out;
    }
    if (!list_concepts(m))
        status = no_memory(err);
out:
    free_table(&b.concepts);
    free_table(&b.languages);
    free_table(&b.pictures);
    if (status != AKIN_OK)
        akin_manifest_close(m);
    else
        *out = m;
    return status;
}

/* FNV-1a, mixed: in [0, 1). */
static double place_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (double)(akin_random_mix(hash) >> 11) * 0x1p-53;
}

static bool is_held(const akin_manifest *m, uint32_t concept, double share)
{
    const char *name = m->concepts[concept];
    const size_t first = m->picture_starts[concept];
    if (name[0] == '\0' && first < m->picture_starts[concept + 1])
        name = m->pictures[m->picture_order[first]].path;
    return place_of(name) < share;
}

akin_status akin_manifest_part(akin_manifest **out, const akin_manifest *whole, double share,
                               bool held, akin_error *err)
{
    *out = NULL;
    akin_status status = AKIN_OK;
    akin_manifest *m = calloc(1, sizeof *m);
    if (m == NULL)
        return no_memory(err);
    const size_t concepts = whole->concept_count, languages = whole->language_count;
    m->concept_count = concepts;
    m->language_count = languages;
    m->path = strdup(whole->path);
    m->pictures = calloc(akin_max(whole->picture_count, 1), sizeof *m->pictures);
    m->texts = calloc(akin_max(whole->text_count, 1), sizeof *m->texts);
    m->concepts = calloc(akin_max(concepts, 1), sizeof *m->concepts);
    m->languages = calloc(akin_max(languages, 1), sizeof *m->languages);
    if (m->path == NULL || m->pictures == NULL || m->texts == NULL || m->concepts == NULL ||
        m->languages == NULL) {
        status = no_memory(err);
        goto out;
    }
    for (size_t i = 0; i < concepts; i++)
        m->concepts[i] = whole->concepts[i];
    for (size_t i = 0; i < languages; i++)
        m->languages[i] = whole->languages[i];
    for (size_t i = 0; i < whole->picture_count; i++) {
        const akin_manifest_picture *p = &whole->pictures[i];
        if (is_held(whole, p->concept, share) != held)
            continue;
        m->pictures[m->picture_count++] = *p;
        if (p->stage >= m->stages)
            m->stages = (uint16_t)(p->stage + 1);
    }
    for (size_t i = 0; i < whole->text_count; i++)
        if (is_held(whole, whole->texts[i].concept, share) == held)
            m->texts[m->text_count++] = whole->texts[i];
    if (!list_concepts(m))
        status = no_memory(err);
out:
    if (status != AKIN_OK)
        akin_manifest_close(m);
    else
        *out = m;
    return status;
}

void akin_manifest_close(akin_manifest *m)
{
    if (m == NULL)
        return;
    free_memory(m->memory);
    free(m->path);
    free(m->pictures);
    free(m->texts);
    free(m->concepts);
    free(m->languages);
    free(m->text_starts);
    free(m->text_order);
    free(m->picture_starts);
    free(m->picture_order);
    free(m);
}
