/* fuzz_manifest.c - the bytes are a manifest as TSV, CSV or JSON lines, or captions in a folder:
 * what opens keeps its lists' promises, and batches can be drawn of it. */
#include <string.h>

#include "base/utf8.h"
#include "dataset/sampler.h"
#include "fuzz.h"

static const char *const names[] = { "m.tsv", "m.csv", "m.jsonl", "m", "a.jpg", "a.txt" };

/* order[starts[c] .. starts[c + 1]) are the things of concept c, ascending; each thing once. */
static size_t check_list(const uint32_t *starts, const uint32_t *order, size_t c)
{
    HOLDS(starts[c] <= starts[c + 1]);
    for (uint32_t i = starts[c]; i + 1 < starts[c + 1]; i++)
        HOLDS(order[i] < order[i + 1]);
    return starts[c + 1] - starts[c];
}

static void check(const akin_manifest *m)
{
    size_t pictures = 0, texts = 0;
    HOLDS(m->picture_count + m->text_count > 0 && m->concept_count > 0);
    for (size_t c = 0; c < m->concept_count; c++) {
        HOLDS(akin_utf8_valid(m->concepts[c], strlen(m->concepts[c]), NULL));
        const size_t p = check_list(m->picture_starts, m->picture_order, c);
        const size_t t = check_list(m->text_starts, m->text_order, c);
        HOLDS(p + t > 0);
        pictures += p;
        texts += t;
        for (uint32_t i = m->picture_starts[c]; i < m->picture_starts[c + 1]; i++)
            HOLDS(m->pictures[m->picture_order[i]].concept == c);
        for (uint32_t i = m->text_starts[c]; i < m->text_starts[c + 1]; i++)
            HOLDS(m->texts[m->text_order[i]].concept == c);
    }
    HOLDS(pictures == m->picture_count && texts == m->text_count);
    for (size_t i = 0; i < m->picture_count; i++) {
        const akin_manifest_picture *p = &m->pictures[i];
        HOLDS(p->path[0] != '\0' && strlen(p->path) <= 4095);
        HOLDS(p->weight >= 0 && p->stage < m->stages && p->kind <= AKIN_KIND_WORD);
    }
    for (size_t i = 0; i < m->text_count; i++) {
        const akin_manifest_text *t = &m->texts[i];
        HOLDS(t->text[0] != '\0' && akin_utf8_valid(t->text, strlen(t->text), NULL));
        HOLDS(t->weight >= 0 && t->language < m->language_count);
    }
}

static void draw(const akin_manifest *m)
{
    enum { BATCH = 40 };
    akin_sampler *s;
    akin_error err;
    if (judged(akin_sampler_new(&s, m, 1, true, &err), &err) != AKIN_OK)
        return;
    akin_pair pairs[BATCH];
    HOLDS(akin_sampler_pictures(s, 0) > 0);
    HOLDS(akin_sampler_pictures(s, UINT16_MAX) <= m->picture_count);
    for (unsigned stage = 0; stage < 3; stage++) {
        akin_sampler_batch(s, 9, stage, pairs, BATCH);
        for (int i = 0; i < BATCH; i++) {
            HOLDS(pairs[i].picture < m->picture_count && pairs[i].text < m->text_count);
            HOLDS(m->pictures[pairs[i].picture].concept == m->texts[pairs[i].text].concept);
            HOLDS(m->pictures[pairs[i].picture].weight > 0);
        }
    }
    akin_sampler_free(s);
}

static void open_one(const char *path)
{
    akin_manifest *m;
    akin_error err;
    const akin_status status = judged(akin_manifest_open(&m, path, &err), &err);
    HOLDS((m != NULL) == (status == AKIN_OK));
    if (m != NULL) {
        check(m);
        draw(m);
    }
    akin_manifest_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *folder = fuzz_folder(data, size, names, sizeof names / sizeof *names);
    char path[4200];
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        open_one(path);
    }
    open_one(folder);
    return 0;
}
