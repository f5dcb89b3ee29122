/* test_metadata_nomem.c - memory that runs out at the Nth request, for every N of reading a
 * picture's metadata and its sidecars and of writing them as JSON: AKIN_E_NOMEM is returned and
 * nothing leaks, or the result is the same. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "failing_malloc.h"
#include "rag/sidecar.h"

typedef struct work {
    const char *name;  /* in tests/golden/metadata */
    akin_buffer file;
    char *picture;     /* whose sidecars are read; NULL: none */
} work;

static akin_status run(const work *w, akin_buffer *json, akin_error *err)
{
    akin_metadata m;
    akin_error why = { .code = AKIN_OK };
    akin_buffer extra;
    akin_buffer_init(&extra, "extra", 1 << 20);
    akin_buffer_init(json, "metadata", 1 << 20);
    akin_status status = akin_metadata_read(&m, w->file.data, w->file.size, err);
    if (status == AKIN_OK && w->picture != NULL)
        status = akin_sidecar_read(w->picture, &m, &extra, &why, err);
    if (status == AKIN_OK)
        status = akin_metadata_json(&m, 8, 8, extra.data, json, err);
    assert_int_equal(why.code, AKIN_OK);
    akin_metadata_clear(&m);
    akin_buffer_clear(&extra);
    return status;
}

static void every_request(const work *w)
{
    akin_buffer good, got;
    akin_error err;
    assert_int_equal(run(w, &good, &err), AKIN_OK);
    size_t n = 1, refused = 0;
    for (bool fired = true; fired; n++) {
        const size_t before = failing_malloc_live();
        failing_malloc_arm(n);
        akin_status status = run(w, &got, &err);
        fired = failing_malloc_fired();
        failing_malloc_arm(0);
        if (status != AKIN_OK) {
            if (status != AKIN_E_NOMEM || err.code != AKIN_E_NOMEM || !fired)
                fail_msg("%s, request %zu: status %d: %s", w->name, n, status, err.message);
            refused++;
        } else {
            assert_string_equal(got.data, good.data);
        }
        akin_buffer_clear(&got);
        if (failing_malloc_live() != before)
            fail_msg("%s, request %zu: a leak", w->name, n);
    }
    /* expat does without some of its requests: eight of a hundred in a packet with as many
     * namespaces. */
    if (5 * refused < 4 * (n - 2))
        fail_msg("%s: only %zu of %zu failures were noticed", w->name, refused, n - 2);
    akin_buffer_clear(&good);
}

static void open_golden(work *w)
{
    char path[128];
    akin_error err;
    snprintf(path, sizeof path, "tests/golden/metadata/%s", w->name);
    assert_int_equal(akin_file_read(path, "picture", 1 << 20, &w->file, &err), AKIN_OK);
}

static void pictures(void **state)
{
    (void)state;
    static const char *const names[] = { "jpeg-full.jpg", "jpeg-extended.jpg", "jpeg-xp.jpg",
                                         "png-profile.png", "png-xmp-deflated.png",
                                         "webp-full.webp", "tiff-full.tif", "heic-full.heic",
                                         "cr3-full.cr3" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        work w = { .name = names[i] };
        open_golden(&w);
        every_request(&w);
        akin_buffer_clear(&w.file);
    }
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void sidecars(void **state)
{
    (void)state;
    char folder[] = "/tmp/akin-metadata-XXXXXX", picture[64];
    static const char *const names[] = { "p.txt", "p.json", "p.jpg.json", "p.jpg.xmp" };
    static const char *const texts[] = {
        "words",
        "{\"caption\":\"c\",\"tags\":[\"a\",\"b\"],\"camera\":\"k\",\"n\":1.5,"
        "\"o\":[{\"p\":null}]}",
        "{\"photoTakenTime\":{\"timestamp\":\"1531236131\"},\"description\":\"d\",\"n\":2}",
        "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><r:Description "
        "xmlns:d='http://purl.org/dc/elements/1.1/' d:title='t'><d:subject><r:Bag><r:li>x</r:li>"
        "</r:Bag></d:subject></r:Description></r:RDF>",
    };
    work w = { .name = "jpeg-full.jpg", .picture = picture };
    assert_non_null(mkdtemp(folder));
    snprintf(picture, sizeof picture, "%s/p.jpg", folder);
    for (size_t i = 0; i < 4; i++)
        put(folder, names[i], texts[i]);
    open_golden(&w);
    every_request(&w);
    akin_buffer_clear(&w.file);
    for (size_t i = 0; i < 4; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pictures), cmocka_unit_test(sidecars) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
