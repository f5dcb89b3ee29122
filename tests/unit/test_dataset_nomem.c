/* test_dataset_nomem.c - memory that runs out at the Nth request, for every N of opening manifests,
 * making a sampler and loading a batch: AKIN_E_NOMEM is returned and nothing leaks, or all is well.
 */
#include "unit.h"

#include <png.h>
#include <stdio.h>
#include <string.h>

#include "dataset/loader.h"
#include "failing_malloc.h"
#include "folder.h"

static char folder[512];
static akin_tokenizer *tokenizer;

static const char *name_of(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *f = fopen(name_of(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static int begin(void **state)
{
    (void)state;
    if (folder_make(folder, sizeof folder, "nomem") != 0)
        return -1;
    static uint8_t pixels[50 * 50 * 4];
    for (int i = 0; i < 50 * 50; i++)
        memcpy(pixels + 4 * i, (const uint8_t[4]){ 200, 100, 50, (uint8_t)i }, 4);
    png_image image = { .version = PNG_IMAGE_VERSION, .width = 50, .height = 50,
                        .format = PNG_FORMAT_RGBA };
    assert_true(png_image_write_to_file(&image, name_of("a.png"), 0, pixels, 0, NULL));
    write_text("a.txt", "one\ntwo\n");
    write_text("m.tsv", "path\ttext\tconcept\tlanguage\na.png\tone\tx\ten\n\ttwo\tx\tde\n");
    write_text("m.jsonl", "{\"path\":\"a.png\",\"text\":\"one\",\"concept\":\"x\"}\n");
    return akin_tokenizer_open_simple(&tokenizer, AKIN_CLEAN_LOWER, NULL) != AKIN_OK;
}

static int end(void **state)
{
    (void)state;
    akin_tokenizer_close(tokenizer);
    return folder_remove(folder);
}

static akin_status open_only(const char *path, akin_error *err)
{
    akin_manifest *m;
    akin_sampler *s = NULL;
    akin_status status = akin_manifest_open(&m, path, err);
    if (status == AKIN_OK)
        status = akin_sampler_new(&s, m, 1, true, err);
    akin_sampler_free(s);
    akin_manifest_close(m);
    return status;
}

static void told(void *context, const char *path, const akin_error *error)
{
    (void)context;
    fail_msg("%s: %s", path, error->message);
}

static akin_status load(const char *path, akin_error *err)
{
    enum { SIDE = 16 };
    akin_manifest *m;
    akin_sampler *s;
    akin_preprocess preprocess;
    akin_loader *l = NULL;
    akin_batch b;
    akin_status status = akin_manifest_open(&m, path, err);
    if (status != AKIN_OK)
        return status;
    status = akin_sampler_new(&s, m, 1, true, err);
    if (status == AKIN_OK)
        status = akin_preprocess_open_clip(&preprocess, NULL, SIDE, SIDE, err);
    const akin_loader_options options = {
        .manifest = m, .sampler = s, .batch = 1, .height = SIDE, .width = SIDE,
        .preprocess = &preprocess, .augment = { 1, false }, .seed = 1, .tokenizer = tokenizer,
        .text_tokens = 8, .threads = 1, .cache_bytes = 1 << 20,
        .limits = akin_picture_default_options(), .skipped = told,
    };
    if (status == AKIN_OK)
        status = akin_loader_start(&l, &options, 0, err);
    if (status == AKIN_OK)
        status = akin_loader_next(l, &b, err);
    akin_loader_stop(l);
    akin_sampler_free(s);
    akin_manifest_close(m);
    return status;
}

static void every_request(akin_status (*run)(const char *, akin_error *), const char *name)
{
    char path[1024];
    akin_error err;
    snprintf(path, sizeof path, "%s", name_of(name));
    assert_int_equal(run(path, &err), AKIN_OK);
    size_t refused = 0;
    for (size_t n = 1;; n++) {
        const size_t before = failing_malloc_live();
        failing_malloc_arm(n);
        const akin_status status = run(path, &err);
        const bool fired = failing_malloc_fired();
        failing_malloc_arm(0);
        if (status != AKIN_OK && (status != AKIN_E_NOMEM || err.code != AKIN_E_NOMEM || !fired))
            fail_msg("%s, request %zu: status %d: %s", name, n, status, err.message);
        if (failing_malloc_live() != before)
            fail_msg("%s, request %zu: a leak", name, n);
        refused += status != AKIN_OK;
        if (!fired) {
            assert_true(n > 8 && refused * 10 >= (n - 1) * 6);
            return;
        }
    }
}

static void test_open(void **state)
{
    (void)state;
    every_request(open_only, "m.tsv");
    every_request(open_only, "m.jsonl");
    every_request(open_only, ""); /* the folder */
}

static void test_load(void **state)
{
    (void)state;
    every_request(load, "m.tsv");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_open), cmocka_unit_test(test_load) };
    return cmocka_run_group_tests(tests, begin, end);
}
