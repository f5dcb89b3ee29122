/* test_nomem.c - memory that runs out at the Nth request, for every N of finding and opening a
 * model, describing it, embedding and classifying with it, and of decoding a picture in each
 * format: an error is returned and nothing leaks. An N whose failure changes nothing (a smaller
 * copy that could have been made) must give the same result.
 *
 * Out of memory must be called that. Where a library hides it behind another complaint, the case
 * says how often that may happen: `hidden`. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <webp/decode.h>

#include "akin.h"
#include "base/file.h"
#include "failing_malloc.h"
#include "hub/model_name.h"
#include "image/heif.h"
#include "image/picture.h"
#include "image/raw.h"
#include "picture_golden.h"

enum {
    EVERY = 2000, /* each N up to here is tried, */
    STEP = 97,    /* then every 97th */
    FLOATS = 4096
};

static const char *const pictures[] = { "tests/golden/clip/pictures/photo.jpg",
                                        "tests/golden/pictures/exif-6.png" };
enum { PICTURES = sizeof pictures / sizeof *pictures, TEXTS = 2 };

/* One thing that is done under failing memory, and its result in out. */
typedef struct work {
    const char *name; /* a model's folder, a picture's file, a model's name */
    const char *activation; /* of weights alone, which have no config */
    akin_status (*run)(const struct work *work, float out[FLOATS], akin_error *err);
    size_t hidden; /* requests at most whose failure a library calls something else */
    size_t least;  /* requests there are at least, or the case tests nothing */
    bool fragile;  /* a library crashes on some requests: each is tried in a process of its own */
    size_t crashes; /* requests at most that end that process, */
    size_t leaks;   /* or leave something of the library's behind */
    akin_buffer file;
} work;

/* Everything a program does with a model, once. Vectors go to out. */
static akin_status use_model(const work *w, float out[FLOATS], akin_error *err)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    akin_model *model = NULL;
    akin_session *session = NULL;
    const char *const texts[] = { "a photo of a cat", "Zwei Hunde &amp; ein Ca\xc3\xb1on" };
    akin_picture_input inputs[PICTURES] = { 0 };
    const char *const *templates;
    size_t template_count;
    akin_status status;
    options.threads = session_options.threads = 1; /* requests in the same order every time */
    for (size_t i = 0; i < PICTURES; i++)
        inputs[i].path = pictures[i];
    if ((status = akin_model_open(&model, w->name, &options, err)) != AKIN_OK ||
        (status = akin_model_describe(model, &info, err)) != AKIN_OK ||
        (status = akin_session_new(&session, model, &session_options, err)) != AKIN_OK)
        goto out;
    const size_t d = (size_t)info.dimensions;
    assert_true(d * (2 * TEXTS + PICTURES) + TEXTS <= FLOATS);
    float *vectors = out + TEXTS * d, *labels = vectors + PICTURES * d;
    if ((status = akin_embed_texts(session, texts, NULL, TEXTS, 0, out, TEXTS * d, err)) !=
            AKIN_OK ||
        (status = akin_embed_pictures(session, inputs, PICTURES, 0, vectors, PICTURES * d, NULL,
                                      err)) != AKIN_OK ||
        (status = akin_templates("simple", &templates, &template_count, err)) != AKIN_OK ||
        (status = akin_embed_labels(session, texts, TEXTS, templates, template_count, labels,
                                    TEXTS * d, err)) != AKIN_OK)
        goto out;
    status = akin_classify(model, vectors, labels, TEXTS, labels + TEXTS * d, TEXTS, err);
out:
    akin_session_free(session);
    akin_model_close(model);
    return status;
}

/* As `akin model info` opens one: weights checked and not kept. */
static akin_status describe_model(const work *w, float out[FLOATS], akin_error *err)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    akin_model *model = NULL;
    options.threads = 1;
    options.parts = AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS | AKIN_PART_WEIGHTS;
    akin_status status = akin_model_open(&model, w->name, &options, err);
    if (status == AKIN_OK)
        status = akin_model_describe(model, &info, err);
    if (status == AKIN_OK) {
        out[0] = (float)info.parameters;
        out[1] = (float)info.vocabulary;
    }
    akin_model_close(model);
    return status;
}

/* Weights alone: the picture tower; the only tokenizer such a file may have is OpenAI's. */
static akin_status describe_weights(const work *w, float out[FLOATS], akin_error *err)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    akin_model *model = NULL;
    options.threads = 1;
    options.activation = w->activation;
    options.parts = AKIN_PART_IMAGE;
    akin_status status = akin_model_open(&model, w->name, &options, err);
    if (status == AKIN_OK)
        status = akin_model_describe(model, &info, err);
    if (status == AKIN_OK)
        out[0] = (float)info.parameters;
    akin_model_close(model);
    return status;
}

static akin_status find_model(const work *w, float out[FLOATS], akin_error *err)
{
    char *folder = NULL;
    akin_status status = akin_model_find(&folder, w->name, err);
    if (status == AKIN_OK)
        snprintf((char *)out, FLOATS * sizeof *out, "%s", folder);
    free(folder);
    return status;
}

static akin_status decode_picture(const work *w, float out[FLOATS], akin_error *err)
{
    akin_picture p;
    akin_status status = akin_picture_decode(&p, w->file.data, w->file.size, w->name, NULL, err);
    if (status == AKIN_OK)
        golden_hash(p.pixels, (size_t)p.width * (size_t)p.height * 3, (char *)out);
    akin_picture_clear(&p);
    return status;
}

/* ---- every request in turn */

static float expected[FLOATS];

/* What became of a run in which one request failed. */
typedef struct outcome {
    bool crashed, fired, same;
    ssize_t leaked;
    akin_status status;
    akin_error err;
} outcome;

static outcome fail_one(const work *w, size_t n)
{
    static float got[FLOATS];
    outcome o = { 0 };
    const size_t before = failing_malloc_live();
    memset(got, 0, sizeof got);
    failing_malloc_arm(n);
    o.status = w->run(w, got, &o.err);
    o.fired = failing_malloc_fired();
    failing_malloc_arm(0);
    o.leaked = (ssize_t)(failing_malloc_live() - before);
    o.same = memcmp(got, expected, sizeof got) == 0;
    return o;
}

static outcome fail_one_apart(const work *w, size_t n)
{
#ifdef AKIN_WRAP_MALLOC /* no request of a library fails; and leaks are looked for at our end */
    return fail_one(w, n);
#endif
    outcome o = { 0 };
    int ends[2], how;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka's */
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        o = fail_one(w, n);
        _exit(write(ends[1], &o, sizeof o) == sizeof o ? 0 : 1);
    }
    close(ends[1]);
    const ssize_t got = read(ends[0], &o, sizeof o);
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    o.crashed = WIFSIGNALED(how);
    assert_true(o.crashed || got == (ssize_t)sizeof o);
    return o;
}

static void every_request(const work *w)
{
    akin_error err = { 0 };
    for (int i = 0; i < 2; i++) { /* what the C library keeps for good is there after the first */
        failing_malloc_arm(0);
        memset(expected, 0, sizeof expected);
        const akin_status status = w->run(w, expected, &err);
        if (status == AKIN_E_UNSUPPORTED) { /* a codec that this libtiff or LibRaw has not */
            print_message("# %s: not tried: %s\n", w->name, err.message);
            return;
        }
        if (status != AKIN_OK)
            fail_msg("%s: %s: %s", w->name, err.path, err.message);
    }
    const size_t total = failing_malloc_requests();
    if (total < w->least)
        fail_msg("%s: %zu requests, expected %zu at least", w->name, total, w->least);
    size_t tried = 0, harmless = 0, hidden = 0, crashes = 0, leaks = 0;
    for (size_t n = 1; n <= total; n += n < EVERY ? 1 : STEP, tried++) {
        const outcome o = w->fragile ? fail_one_apart(w, n) : fail_one(w, n);
        if (o.crashed) {
            crashes++;
            continue;
        }
        if (!o.fired)
            fail_msg("%s: request %zu of %zu was not made", w->name, n, total);
        if (o.leaked != 0 && w->fragile)
            leaks++;
        else if (o.leaked != 0)
            fail_msg("%s: request %zu of %zu: %zd blocks leaked", w->name, n, total, o.leaked);
        if (o.status == AKIN_OK) {
            harmless++;
            if (!o.same)
                fail_msg("%s: request %zu of %zu: no error, and another result", w->name, n, total);
        } else if (o.err.code != o.status || o.err.message[0] == '\0') {
            fail_msg("%s: request %zu of %zu: status %d without a message", w->name, n, total,
                     (int)o.status);
        } else if (o.status != AKIN_E_NOMEM) {
            hidden++;
            print_message("# %s: request %zu of %zu: \"%s\" in the place of out of memory\n",
                          w->name, n, total, o.err.message);
        }
    }
    print_message("# %s: %zu requests, %zu of them failed in turn, %zu without consequence, %zu "
                  "called something else; the library crashed %zu times and leaked %zu times\n",
                  w->name, total, tried, harmless, hidden, crashes, leaks);
    if (hidden > w->hidden)
        fail_msg("%s: %zu failures are called something else, %zu may be", w->name, hidden,
                 w->hidden);
    if (crashes > w->crashes)
        fail_msg("%s: %zu failures crash, %zu may", w->name, crashes, w->crashes);
    if (leaks > w->leaks)
        fail_msg("%s: %zu failures leak, %zu may", w->name, leaks, w->leaks);
}

static void every_request_of(work *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        work *w = &list[i];
        if (w->run == decode_picture) {
            akin_error err;
            if (akin_file_read(w->name, "picture", 1 << 20, &w->file, &err) != AKIN_OK)
                fail_msg("%s: %s", w->name, err.message);
        }
        every_request(w);
        akin_buffer_clear(&w->file);
    }
}
#define EVERY_REQUEST_OF(list) every_request_of(list, sizeof(list) / sizeof *(list))

/* The weights as safetensors, .bin and .pth, one file or shards; towers and tokenizers of every
 * kind. tiny-i and oc-i have 300 tokens. */
static void models(void **state)
{
    (void)state;
    work list[] = {
        { .name = "tests/golden/clip/tiny-i", .run = use_model, .least = 150 },
        { .name = "tests/golden/clip/tiny-b", .run = use_model, .least = 150 },
        { .name = "tests/golden/clip/tiny-c", .run = use_model, .least = 150 },
        { .name = "tests/golden/clip/tiny-d", .run = use_model, .least = 150 },
        { .name = "tests/golden/open_clip/oc-a", .run = use_model, .least = 150 },
        { .name = "tests/golden/open_clip/oc-h", .run = use_model, .least = 150 },
        { .name = "tests/golden/open_clip/oc-i", .run = use_model, .least = 150 },
        { .name = "tests/golden/clip/tiny-d", .run = describe_model, .least = 80 },
        { .name = "tests/golden/open_clip/oc-i", .run = describe_model, .least = 80 },
        { .name = "tests/golden/open_clip/bare-resnet/RN.pth", .activation = "quick_gelu",
          .run = describe_weights, .least = 40 },
    };
    EVERY_REQUEST_OF(list);
}

/* Names over a cache of one model. */
static void names(void **state)
{
    (void)state;
    static char root[] = "/tmp/akin-nomem-XXXXXX";
    char path[256];
    static const char *const parts[] = {
        "/models--timm--vit_base_patch32_clip_224.openai", "/snapshots", "/abc"
    };
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s", root);
    for (int i = 0; i < 3; i++) {
        strcat(path, parts[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    snprintf(path, sizeof path, "%s%s/refs", root, parts[0]);
    assert_int_equal(mkdir(path, 0777), 0);
    strcat(path, "/main");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("abc\n", f);
    fclose(f);
    setenv("HF_HUB_CACHE", root, 1);
    work list[] = {
        { .name = "tests/golden/clip/tiny-a", .run = find_model, .least = 1 },
        { .name = " vit-b/32 ", .run = find_model, .least = 5 },
        { .name = "ViT-B-32/openai", .run = find_model, .least = 5 },
        { .name = "timm/vit_base_patch32_clip_224.openai", .run = find_model, .least = 5 },
        { .name = "vit_base_patch32_clip_224.openai", .run = find_model, .least = 5 },
        { .name = "hf-hub:timm/vit_base_patch32_clip_224.openai@main", .run = find_model,
          .least = 5 },
    };
    EVERY_REQUEST_OF(list);
    unsetenv("HF_HUB_CACHE");
    snprintf(path, sizeof path, "rm -rf '%s'", root);
    assert_int_equal(system(path), 0);
}

static void picture_files(void **state)
{
    (void)state;
#define PICTURE(file, may_hide) \
    { .name = "tests/golden/" file, .run = decode_picture, .least = 2, .hidden = may_hide }
    work list[] = {
        PICTURE("pictures/jpeg-progressive-420.jpg", 0),
        PICTURE("pictures/jpeg-cmyk-adobe.jpg", 0),
        PICTURE("pictures/jpeg-ycck-progressive.jpg", 0),
        PICTURE("pictures/jpeg-arithmetic.jpg", 0),
        PICTURE("pictures/exif-twice.jpg", 0),
        PICTURE("pictures/exif-6.jpg", 0),
        PICTURE("pictures/png-rgba8-interlaced.png", 0),
        PICTURE("pictures/png-rgb16-interlaced.png", 0),
        PICTURE("pictures/png-palette4-interlaced.png", 0),
        PICTURE("pictures/raw-profile-ztxt.png", 0),
        PICTURE("pictures/text-exif.png", 0),
        PICTURE("formats/lossy-64x48.webp", 0),
        PICTURE("formats/exif-6.webp", 0),
        PICTURE("formats/animation-offset-opaque.webp", 0),
        PICTURE("formats/interlaced.gif", 0),
        PICTURE("formats/clear.gif", 0),
        PICTURE("formats/offset.gif", 0),
        PICTURE("formats/rle8.bmp", 0),
        PICTURE("formats/bits24.bmp", 0),
        PICTURE("formats/bits32-0-0-0-0.bmp", 0),
        PICTURE("tiff/rgb-none.tif", 0),
        PICTURE("tiff/rgb-none-fill.tif", 0),
        PICTURE("tiff/orientation-6.tif", 0),
    };
    EVERY_REQUEST_OF(list);
}

/* libtiff 4.5 does not survive every failure: reading its directory it follows a pointer that was
 * not allocated, and forgets others. */
static void compressed_tiff(void **state)
{
    (void)state;
#define FRAGILE(file, may_hide, may_crash, may_leak) \
    { .name = "tests/golden/" file, .run = decode_picture, .least = 2, .hidden = may_hide, \
      .fragile = true, .crashes = may_crash, .leaks = may_leak }
    work list[] = {
        FRAGILE("tiff/rgb-lzw-predictor.tif", 0, 4, 4),
        FRAGILE("tiff/rgb-lzw-tiles-big.tif", 0, 4, 4),
        FRAGILE("tiff/rgb-deflate-fill.tif", 0, 4, 4),
        FRAGILE("tiff/rgb-packbits.tif", 0, 4, 4),
        FRAGILE("tiff/g3-0.tif", 0, 4, 4),
        FRAGILE("tiff/g4-tiles.tif", 0, 4, 4),
        FRAGILE("tiff/jpeg-420.tif", 0, 4, 4),
        FRAGILE("tiff/jpeg-progressive.tif", 0, 4, 4),
        FRAGILE("tiff/jpeg-tables.tif", 0, 4, 4),
        FRAGILE("tiff/rgb-zstd.tif", 0, 4, 4),
        FRAGILE("tiff/rgb-lzma.tif", 0, 4, 4),
    };
    EVERY_REQUEST_OF(list);
}

/* HEIC and AVIF only where libheif's own requests do not fail: it and its decoders do not catch
 * what `new` throws, and 187 of 232 requests end the process. */
#ifdef AKIN_WRAP_MALLOC
static void heif_pictures(void **state)
{
    (void)state;
    const char *why;
    if (akin_heif_library(&why) == NULL) {
        print_message("libheif: %s\n", why);
        skip();
    }
    work list[] = {
        PICTURE("modules/avif-alpha.avif", 0),
        PICTURE("modules/heic-420.heic", 0),
    };
    EVERY_REQUEST_OF(list);
}
#endif

static void raw_photographs(void **state)
{
    (void)state;
    const char *why;
    if (akin_raw_library(&why) == NULL) {
        print_message("LibRaw: %s\n", why);
        skip();
    }
    work list[] = {
        FRAGILE("modules/dng-jpeg.dng", 0, 2, 2),
        FRAGILE("modules/nikon.nef", 0, 2, 2),
    };
    EVERY_REQUEST_OF(list);
}

/* libwebp before 1.4.0 does not survive it: where a table of Huffman codes cannot be allocated,
 * VP8LHuffmanTablesAllocate leaves a pointer unset that is freed (found by a libwebp user in 2023,
 * after the repair of CVE-2023-4863 had brought it, also to the distributions' 1.2.4). */
static void lossless_webp(void **state)
{
    (void)state;
    bool survives = WebPGetDecoderVersion() >= 0x10400;
#ifdef AKIN_WRAP_MALLOC /* its own requests do not fail */
    survives = true;
#endif
    if (!survives) {
        print_message("libwebp %x crashes when memory runs out in its lossless decoder; 1.4.0 does "
                      "not\n", (unsigned)WebPGetDecoderVersion());
        skip();
    }
    work list[] = {
        PICTURE("formats/lossless.webp", 0),
        PICTURE("formats/lossless-alpha.webp", 0),
        PICTURE("formats/lossy-alpha.webp", 0),
        FRAGILE("tiff/rgb-webp.tif", 0, 4, 4),
    };
    EVERY_REQUEST_OF(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models),
        cmocka_unit_test(names),
        cmocka_unit_test(picture_files),
        cmocka_unit_test(compressed_tiff),
#ifdef AKIN_WRAP_MALLOC
        cmocka_unit_test(heif_pictures),
#endif
        cmocka_unit_test(raw_photographs),
        cmocka_unit_test(lossless_webp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
