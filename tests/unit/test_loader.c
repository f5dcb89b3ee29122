/* test_loader.c - batches from files: with strength 0 what inference sees, else the same whatever
 * the threads and the cache; pictures that cannot be read, told once and replaced. */
#include "unit.h"

#include <png.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataset/loader.h"
#include "folder.h"

enum { SIDE = 24, TOKENS = 16, PICTURES = 12 };

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

/* A square on nothing; its place and colour from `which`. palette: as an indexed picture. */
static void write_png(const char *name, int which, int side, bool palette)
{
    static const uint8_t colours[4][4] = { { 0, 0, 0, 0 }, { 200, 30, 40, 255 },
                                           { 20, 90, 220, 255 }, { 10, 160, 60, 255 } };
    uint8_t *pixels = calloc((size_t)(side * side), 4), *indices = calloc((size_t)(side * side), 1);
    for (int y = side / 4 + which % 3; y < side * 3 / 4; y++)
        for (int x = side / 4 + which % 5; x < side * 3 / 4; x++) {
            indices[y * side + x] = (uint8_t)(1 + which % 3);
            memcpy(pixels + 4 * (y * side + x), colours[1 + which % 3], 4);
        }
    png_image image = { .version = PNG_IMAGE_VERSION, .width = (png_uint_32)side,
                        .height = (png_uint_32)side,
                        .format = palette ? PNG_FORMAT_RGBA_COLORMAP : PNG_FORMAT_RGBA,
                        .colormap_entries = 4 };
    assert_true(png_image_write_to_file(&image, name_of(name), 0, palette ? indices : pixels, 0,
                                        palette ? colours : NULL));
    free(pixels);
    free(indices);
}

static void copy_photo(const char *number, const char *name)
{
    char from[64];
    snprintf(from, sizeof from, "tests/photos/%s.jpg", number);
    FILE *in = fopen(from, "rb"), *out = fopen(name_of(name), "wb");
    assert_non_null(in);
    assert_non_null(out);
    char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof block, in)) > 0)
        assert_int_equal(fwrite(block, 1, got, out), got);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static int begin(void **state)
{
    (void)state;
    if (folder_make(folder, sizeof folder, "loader") != 0)
        return -1;
    char text[4096], *at = text, name[32];
    at += sprintf(at, "path\ttext\tconcept\tkind\n");
    for (int i = 0; i < PICTURES; i++) {
        snprintf(name, sizeof name, "%d.png", i);
        write_png(name, i, i % 4 == 0 ? 90 : 24, false);
        at += sprintf(at, "%s\ta thing of number %d\tc%d\t%s\n", name, i, i,
                      i % 2 ? "art" : "icon");
    }
    copy_photo("001", "photo.jpg");
    at += sprintf(at, "photo.jpg\ta fish\tfish\tphoto\n");
    write_text("all.tsv", text);
    return akin_tokenizer_open_simple(&tokenizer, AKIN_CLEAN_LOWER, NULL) != AKIN_OK;
}

static int end(void **state)
{
    (void)state;
    akin_tokenizer_close(tokenizer);
    return folder_remove(folder);
}

typedef struct fixture {
    akin_manifest *manifest;
    akin_sampler *sampler;
    akin_preprocess preprocess;
    akin_loader_options options;
    atomic_int skips, inside;
    char last[1024];
} fixture;

static void skipped(void *context, const char *path, const akin_error *error)
{
    fixture *f = context;
    assert_int_equal(atomic_fetch_add(&f->inside, 1), 0); /* one at a time */
    assert_true(error->message[0] != '\0');
    snprintf(f->last, sizeof f->last, "%s", path);
    f->skips++;
    atomic_fetch_sub(&f->inside, 1);
}

static fixture *fixture_of(const char *manifest, size_t batch, float strength)
{
    fixture *f = calloc(1, sizeof *f);
    akin_error err;
    if (akin_manifest_open(&f->manifest, name_of(manifest), &err) != AKIN_OK ||
        akin_sampler_new(&f->sampler, f->manifest, 3, true, &err) != AKIN_OK ||
        akin_preprocess_open_clip(&f->preprocess, NULL, SIDE, SIDE, &err) != AKIN_OK)
        fail_msg("%s", err.message);
    f->options = (akin_loader_options){
        .manifest = f->manifest, .sampler = f->sampler, .batch = batch, .height = SIDE,
        .width = SIDE, .preprocess = &f->preprocess, .augment = { strength, true }, .seed = 3,
        .tokenizer = tokenizer, .text_tokens = TOKENS, .threads = 2, .cache_bytes = 1 << 24,
        .limits = akin_picture_default_options(), .skipped = skipped, .context = f,
    };
    return f;
}

static void free_fixture(fixture *f)
{
    akin_sampler_free(f->sampler);
    akin_manifest_close(f->manifest);
    free(f);
}

static akin_loader *started(const fixture *f, uint64_t step)
{
    akin_loader *l;
    akin_error err;
    if (akin_loader_start(&l, &f->options, step, &err) != AKIN_OK)
        fail_msg("%s", err.message);
    return l;
}

static akin_batch next_of(akin_loader *l)
{
    akin_batch b;
    akin_error err;
    if (akin_loader_next(l, &b, &err) != AKIN_OK)
        fail_msg("%s", err.message);
    return b;
}

static void assert_same(const akin_batch *a, const akin_batch *b)
{
    const size_t n = a->count;
    assert_int_equal(n, b->count);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->cut, b->cut);
    assert_memory_equal(a->pairs, b->pairs, n * sizeof *a->pairs);
    assert_memory_equal(a->concepts, b->concepts, n * sizeof *a->concepts);
    assert_memory_equal(a->starts, b->starts, (n + 1) * sizeof *a->starts);
    assert_memory_equal(a->ids, b->ids, a->starts[n] * sizeof *a->ids);
    assert_memory_equal(a->pixels, b->pixels, n * 3 * SIDE * SIDE * sizeof *a->pixels);
}

/* Without augmentation: the floats of akin_preprocess_run, in both forms of preprocessing, kept in
 * memory or not; and the tokenizer's ids. */
static void test_exact(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        fixture *f = fixture_of("all.tsv", 8, 0);
        if (form % 2)
            assert_int_equal(akin_preprocess_open(&f->preprocess, folder, NULL), AKIN_OK);
        f->preprocess.shortest_edge = f->preprocess.crop_height = f->preprocess.crop_width = SIDE;
        f->options.cache_bytes = form < 2 ? 0 : 1 << 24;
        akin_loader *l = started(f, 5);
        float wanted[3 * SIDE * SIDE];
        for (int step = 0; step < 6; step++) {
            const akin_batch b = next_of(l);
            assert_int_equal(b.step, 5 + step);
            assert_int_equal(b.count, 8);
            assert_true(b.waited >= 0);
            assert_int_equal(b.starts[0], 0);
            for (size_t i = 0; i < b.count; i++) {
                const akin_manifest_picture *picture = &f->manifest->pictures[b.pairs[i].picture];
                const akin_manifest_text *text = &f->manifest->texts[b.pairs[i].text];
                assert_int_equal(b.concepts[i], picture->concept);
                akin_picture p;
                akin_picture_options options = f->options.limits;
                options.as_stored = f->preprocess.open_clip;
                assert_int_equal(akin_picture_read(&p, picture->path, &options, NULL), AKIN_OK);
                assert_int_equal(akin_preprocess_run(&f->preprocess, &p, &options, wanted,
                                                     3 * SIDE * SIDE, NULL), AKIN_OK);
                assert_memory_equal(b.pixels + i * 3 * SIDE * SIDE, wanted, sizeof wanted);
                akin_picture_clear(&p);
                int32_t ids[TOKENS], count;
                assert_int_equal(akin_tokenizer_encode(tokenizer, text->text, strlen(text->text),
                                                       TOKENS, ids, &count, NULL, NULL), AKIN_OK);
                assert_int_equal(b.starts[i + 1] - b.starts[i], count);
                assert_memory_equal(b.ids + b.starts[i], ids, (size_t)count * sizeof *ids);
            }
        }
        akin_loader_stop(l);
        assert_int_equal(f->skips, 0);
        free_fixture(f);
    }
}

/* One thread or four, a cache of nothing, of a few pictures, of all; begun later: one content. */
static void test_same_whatever(void **state)
{
    (void)state;
    static const struct {
        int threads;
        size_t cache;
        uint64_t step;
    } ways[] = { { 4, 1 << 24, 0 }, { 4, 0, 0 }, { 3, 4000, 0 }, { 2, 1 << 24, 4 } };
    enum { STEPS = 9 };
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        fixture *f = fixture_of("all.tsv", 9, 1), *g = fixture_of("all.tsv", 9, 1);
        f->options.threads = 1;
        g->options.threads = ways[w].threads;
        g->options.cache_bytes = ways[w].cache;
        akin_loader *one = started(f, 0), *other = started(g, ways[w].step);
        for (uint64_t step = 0; step < STEPS; step++) {
            const akin_batch a = next_of(one);
            if (step < ways[w].step)
                continue;
            const akin_batch b = next_of(other);
            assert_same(&a, &b);
        }
        akin_loader_stop(one);
        akin_loader_stop(other);
        free_fixture(f);
        free_fixture(g);
    }
}

/* Two things that share a picture that is no picture, one whose file is not there, three that are
 * good. */
static void test_unreadable(void **state)
{
    (void)state;
    write_text("broken.png", "not a picture");
    write_text("some.tsv", "path\ttext\tconcept\n"
                           "broken.png\ta\ta\nbroken.png\tb\tb\nmissing.png\tc\tc\n"
                           "1.png\td\td\n2.png\te\te\n3.png\tf\tf\n");
    fixture *f = fixture_of("some.tsv", 6, 1), *g = fixture_of("some.tsv", 6, 1);
    f->options.threads = 1;
    g->options.threads = 4;
    akin_loader *one = started(f, 0), *four = started(g, 0);
    for (int step = 0; step < 12; step++) {
        const akin_batch a = next_of(one), b = next_of(four);
        assert_same(&a, &b);
        for (size_t i = 0; i < a.count; i++)
            assert_true(a.pairs[i].picture >= 3);
    }
    akin_loader_stop(one);
    akin_loader_stop(four);
    assert_int_equal(f->skips, 2); /* by path, each once */
    assert_int_equal(g->skips, 2);
    free_fixture(f);
    free_fixture(g);
}

static void test_nothing_readable(void **state)
{
    (void)state;
    write_text("none.tsv", "path\ttext\nx.png\ta\ny.png\tb\n");
    fixture *f = fixture_of("none.tsv", 4, 1);
    akin_loader *l = started(f, 0);
    akin_batch b;
    akin_error err;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(akin_loader_next(l, &b, &err), AKIN_E_IO);
        assert_non_null(strstr(err.message, "a batch of 4 pictures cannot be filled"));
        assert_string_equal(err.path, f->manifest->path);
    }
    akin_loader_stop(l);
    assert_int_equal(f->skips, 2);
    free_fixture(f);
}

/* Transparency that an indexed picture has beside its colours is not lost. */
static void test_palette(void **state)
{
    (void)state;
    write_png("rgba.png", 1, 40, false);
    write_png("palette.png", 1, 40, true);
    write_text("rgba.tsv", "path\ttext\nrgba.png\ta\n");
    write_text("palette.tsv", "path\ttext\npalette.png\ta\n");
    fixture *f = fixture_of("rgba.tsv", 4, 1), *g = fixture_of("palette.tsv", 4, 1);
    akin_loader *a = started(f, 0), *b = started(g, 0);
    for (int step = 0; step < 10; step++) {
        const akin_batch x = next_of(a), y = next_of(b);
        assert_same(&x, &y);
    }
    akin_loader_stop(a);
    akin_loader_stop(b);
    free_fixture(f);
    free_fixture(g);
}

static unsigned stage_of(void *context, uint64_t step)
{
    (void)context;
    return step < 4 ? 0 : 1;
}

static void test_stage(void **state)
{
    (void)state;
    write_text("stages.tsv", "path\ttext\tstage\n1.png\ta\t0\n2.png\tb\t1\n3.png\tc\t1\n");
    fixture *f = fixture_of("stages.tsv", 3, 1);
    f->options.stage = stage_of;
    akin_loader *l = started(f, 0);
    size_t later = 0;
    for (uint64_t step = 0; step < 10; step++) {
        const akin_batch b = next_of(l);
        for (size_t i = 0; i < b.count; i++) {
            assert_true(step >= 4 || b.pairs[i].picture == 0);
            later += b.pairs[i].picture != 0;
        }
    }
    assert_true(later >= 6);
    akin_loader_stop(l);
    free_fixture(f);
}

static void test_long_text(void **state)
{
    (void)state;
    write_text("long.tsv", "path\ttext\tconcept\n1.png\ta\ta\n"
                           "2.png\tone two three four five six seven eight nine ten eleven "
                           "twelve thirteen fourteen fifteen sixteen seventeen\tb\n");
    fixture *f = fixture_of("long.tsv", 2, 1);
    akin_loader *l = started(f, 0);
    for (int step = 0; step < 5; step++) {
        const akin_batch b = next_of(l);
        assert_int_equal(b.cut, 1);
        const size_t at = b.pairs[0].picture == 1 ? 0 : 1;
        assert_int_equal(b.starts[at + 1] - b.starts[at], TOKENS);
        assert_int_equal(b.starts[2], TOKENS + 3);
        assert_int_equal(b.ids[b.starts[2] - 1], 49407);
    }
    akin_loader_stop(l);
    free_fixture(f);
}

static void test_stop(void **state)
{
    (void)state;
    fixture *f = fixture_of("all.tsv", 64, 1);
    for (int threads = 1; threads < 5; threads++) {
        f->options.threads = threads;
        akin_loader_stop(started(f, 9)); /* in the middle of its first batches */
        akin_loader *l = started(f, UINT64_MAX - 1); /* steps may wrap */
        next_of(l);
        akin_loader_stop(l);
    }
    akin_loader_stop(NULL);
    akin_loader *l;
    akin_error err;
    const akin_loader_options good = f->options;
    for (int i = 0; i < 8; i++) {
        akin_loader_options bad = good;
        switch (i) {
        case 0: bad.batch = 0; break;
        case 1: bad.batch = SIZE_MAX; break;
        case 2: bad.threads = 0; break;
        case 3: bad.height = 0; break;
        case 4: bad.width = 1 << 20; break;
        case 5: bad.text_tokens = 1; break;
        case 6: bad.augment.strength = 1.5f; break;
        case 7: bad.augment.strength = -0.0f / 0.0f; break;
        }
        assert_int_equal(akin_loader_start(&l, &bad, 0, &err), AKIN_E_ARGUMENT);
        assert_null(l);
    }
    free_fixture(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),      cmocka_unit_test(test_same_whatever),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_nothing_readable),
        cmocka_unit_test(test_palette),    cmocka_unit_test(test_stage),
        cmocka_unit_test(test_long_text),  cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
