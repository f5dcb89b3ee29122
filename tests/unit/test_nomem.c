/* test_nomem.c - memory that runs out at the Nth request, for every N of finding and opening a
 * model, describing it, embedding and classifying with it, of decoding a picture in each format,
 * and of all that is done with a collection: an error is returned and nothing leaks. An N whose
 * failure changes nothing (a smaller copy that could have been made) must give the same result.
 * After each a collection is whole, and what was asked for can be done.
 *
 * Out of memory must be called that. Where a library hides it behind another complaint, the case
 * says how often that may happen: `hidden`. */
#include "unit.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>
#include <webp/decode.h>

#include "akin.h"
#include "base/file.h"
#include "failing_malloc.h"
#include "folder.h"
#include "hub/model_name.h"
#include "image/heif.h"
#include "image/picture.h"
#include "image/raw.h"
#include "picture_golden.h"
#include "store/store.h"

enum {
    EVERY = 2000, /* each N up to here is tried, */
    STEP = 97,    /* then every 97th; */
#ifdef AKIN_WRAP_MALLOC
    OF_A_COLLECTION = 1,
#else
    OF_A_COLLECTION = 11, /* with a collection, most are SQLite's: every 11th, unless AKIN_TEST_ALL
                             is set */
#endif
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
    bool threads;   /* it starts some: requests come in no fixed order, and not always as many */
    void (*before)(const struct work *work);                    /* with memory, before each run */
    void (*after)(const struct work *work, akin_status status); /* and behind it */
    const char *from, *result; /* of a collection: what it is made from, where it is to be then */
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
static size_t request; /* that was failed; 0: none */

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
    memset(got, 0, sizeof got);
    if (w->before != NULL)
        w->before(w);
    const size_t before = failing_malloc_live();
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
        memset(expected, 0, sizeof expected);
        if (w->before != NULL)
            w->before(w);
        failing_malloc_arm(0);
        const akin_status status = w->run(w, expected, &err);
        if (status == AKIN_E_UNSUPPORTED) { /* a codec that this libtiff or LibRaw has not */
            print_message("# %s: not tried: %s\n", w->name, err.message);
            return;
        }
        if (status != AKIN_OK)
            fail_msg("%s: %s: %s", w->name, err.path, err.message);
    }
    const size_t total = failing_malloc_requests();
    request = 0;
    if (w->after != NULL)
        w->after(w, AKIN_OK);
    if (total < w->least)
        fail_msg("%s: %zu requests, expected %zu at least", w->name, total, w->least);
    size_t tried = 0, harmless = 0, hidden = 0, crashes = 0, leaks = 0;
    const size_t step = w->result != NULL && getenv("AKIN_TEST_ALL") == NULL ? OF_A_COLLECTION : 1;
    for (size_t n = 1; n <= total; n += n < EVERY ? step : STEP, tried++) {
        outcome o = w->fragile ? fail_one_apart(w, n) : fail_one(w, n);
        if (o.leaked != 0 && !w->fragile)
            o = fail_one(w, n); /* what a library keeps of its first failure it keeps once */
        request = n;
        if (w->after != NULL)
            w->after(w, o.crashed ? AKIN_E_NOMEM : o.status);
        if (o.crashed) {
            crashes++;
            continue;
        }
        if (!o.fired && !w->threads)
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
#define TIFF_LEAKS 24 /* 4.5.0: 2, with fax 4.3.0: 21 */
#define FRAGILE(file, may_hide, may_crash, may_leak) \
    { .name = "tests/golden/" file, .run = decode_picture, .least = 2, .hidden = may_hide, \
      .fragile = true, .crashes = may_crash, .leaks = may_leak }
    work list[] = {
        FRAGILE("tiff/rgb-lzw-predictor.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/rgb-lzw-tiles-big.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/rgb-deflate-fill.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/rgb-packbits.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/g3-0.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/g4-tiles.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/jpeg-420.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/jpeg-progressive.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/jpeg-tables.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/rgb-zstd.tif", 0, 4, TIFF_LEAKS),
        FRAGILE("tiff/rgb-lzma.tif", 0, 4, TIFF_LEAKS),
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
        FRAGILE("modules/dng-jpeg.dng", 0, 2, 5),
        FRAGILE("modules/nikon.nef", 0, 2, 5),
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
        FRAGILE("tiff/rgb-webp.tif", 0, 4, TIFF_LEAKS),
    };
    EVERY_REQUEST_OF(list);
}

/* ---- collections */

/* Under `root`: pictures/, and collections in folders of their own. */
static struct {
    char root[64];
    akin_model *model, *bare, *other; /* bare: without towers; other: another one */
    akin_session *session;
} here;

static const char *under(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", here.root, name);
    return path;
}

static void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        fail_msg("%s cannot be written", path);
}

static void copy_file(const char *from, const char *to)
{
    akin_buffer bytes;
    akin_error err;
    akin_buffer_init(&bytes, "file", 1 << 24);
    if (akin_file_read(from, "file", 1 << 24, &bytes, &err) != AKIN_OK)
        fail_msg("%s: %s", from, err.message);
    put_file(to, bytes.data, bytes.size);
    akin_buffer_clear(&bytes);
}

static const char *copy_to;
static size_t copy_from;

static int copy_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)at;
    char to[512];
    snprintf(to, sizeof to, "%s%s", copy_to, path + copy_from);
    if (kind == FTW_D)
        return mkdir(to, 0777);
    copy_file(path, to);
    return 0;
}

static void copy_tree(const char *from, const char *to)
{
    copy_to = to;
    copy_from = strlen(from);
    assert_int_equal(nftw(from, copy_one, 16, FTW_PHYS), 0);
}

/* What a collection holds: all but times and its name, of any of the folders that are made here.
 * "" when it is not there. */
typedef struct contents {
    char text[8192];
    size_t size;
    char paths[16][512];
    int64_t parts[16];
    size_t count;
} contents;

static void note(contents *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(contents *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(c->text + c->size, sizeof c->text - c->size, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof c->text - c->size);
    c->size += (size_t)n;
}

static akin_status note_path(void *context, const akin_item *item, akin_error *err)
{
    (void)err;
    contents *c = context;
    assert_true(c->count < 16 && item->path_size < sizeof c->paths[0]);
    strcpy(c->paths[c->count], item->path);
    c->parts[c->count++] = item->part;
    return AKIN_OK;
}

static akin_status note_skip(void *context, const akin_skip *skip, akin_error *err)
{
    (void)err;
    note(context, "%s %d %s\n", skip->path, (int)skip->code, skip->reason);
    return AKIN_OK;
}

static bool interrupted; /* what failed may have left vectors behind that no row names */

static void no_fault(void *context, const char *path, const char *message, bool repaired)
{
    (void)repaired;
    const work *w = context;
    if (!interrupted || strstr(message, "nothing refers to them") == NULL)
        fail_msg("%s: after request %zu: %s: %s", w->name, request, path,
                 message);
}

static void must(const work *w, akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: after request %zu: %s: %s", w->name, request, err->path, err->message);
}

static void read_contents(const work *w, const char *db, contents *c)
{
    akin_store *store;
    akin_error err;
    float vector[64];
    char hash[17];
    size_t faults, repaired;
    char folder[512];
    snprintf(folder, sizeof folder, "%s/images", db);
    c->count = c->size = 0;
    c->text[0] = '\0';
    if (!akin_store_exists(folder))
        return;
    must(w, akin_store_open(&store, folder, false, 0, &err), &err);
    must(w, akin_store_verify(store, false, no_fault, (void *)(uintptr_t)w, &faults, &repaired,
                              &err), &err);
    const akin_store_model *model = akin_store_get_model(store);
    note(c, "%s %zu %d\n", model->identity, model->dimensions, (int)model->type);
    assert_true(model->dimensions <= 64);
    must(w, akin_store_visit(store, NULL, note_path, c, &err), &err);
    for (size_t i = 0; i < c->count; i++) {
        akin_item item;
        must(w, akin_store_item(store, c->paths[i], c->parts[i], &item, &err), &err);
        note(c, "%s %d %s %s", c->paths[i], (int)item.state,
             item.facts.taken_at != NULL ? item.facts.taken_at : "-", item.facts.metadata);
        if (item.has_vector) {
            must(w, akin_store_vector(store, item.content, vector, &err), &err);
            note(c, " %s", golden_hash(vector, model->dimensions * sizeof *vector, hash));
        }
        note(c, "\n");
    }
    must(w, akin_store_visit_skips(store, NULL, note_skip, c, &err), &err);
    akin_store_close(store);
}

/* ---- what is done with them, in the collection root/at */

/* The first that is out of memory is what the whole says. */
typedef struct told {
    size_t count;
    akin_error nomem;
} told;

static void tell(void *context, const akin_error *why)
{
    told *t = context;
    if (why->code == AKIN_E_NOMEM && t->nomem.code == AKIN_OK)
        t->nomem = *why;
    t->count++;
}

static akin_status open_at(akin_collection **out, const akin_model *model, bool write,
                           akin_error *err)
{
    akin_collection_options options = AKIN_COLLECTION_OPTIONS_INIT;
    options.write = write;
    options.model = model;
    return akin_collection_open(out, under("at"), "images", &options, err);
}

static void count_skip(void *context, const akin_error *why, int64_t time)
{
    (void)time;
    *(float *)context += (float)why->code;
}

static akin_status describe_collection(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    akin_collection *c = NULL;
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    akin_status status = open_at(&c, NULL, false, err);
    if (status == AKIN_OK)
        status = akin_collection_describe(c, &info, err);
    if (status == AKIN_OK) {
        out[0] = (float)info.items;
        out[1] = (float)info.missing;
        out[2] = (float)info.vectors;
        out[3] = (float)info.dead;
        out[4] = (float)info.skipped;
        status = akin_collection_skipped(c, count_skip, &out[5], err);
    }
    akin_collection_close(c);
    return status;
}

static akin_status make_collection(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w, (void)out;
    akin_collection *c = NULL;
    akin_status status = open_at(&c, here.model, true, err);
    akin_collection_close(c);
    return status;
}

/* other: with another model; a collection that has it already, but for what could not be read, is
 * indexed again. */
static akin_status with_index(float out[FLOATS], bool other, akin_error *err)
{
    akin_collection *c = NULL;
    akin_index_options options = AKIN_INDEX_OPTIONS_INIT;
    akin_index_report report = AKIN_INDEX_REPORT_INIT;
    told t = { 0 };
    const char *const path = under("pictures");
    options.workers = 1;
    options.context = &t;
    options.skipped = options.note = tell;
    akin_status status = open_at(&c, NULL, true, err);
    if (status == AKIN_OK && other) {
        status = akin_reindex(c, here.other, (akin_stored)0, &options, &report, err);
        if (status == AKIN_E_ARGUMENT)
            status = akin_index(c, here.other, &path, 1, &options, &report, err);
    } else if (status == AKIN_OK) {
        status = akin_index(c, here.bare, &path, 1, &options, &report, err);
    }
    akin_collection_close(c);
    if (status == AKIN_OK && t.nomem.code != AKIN_OK) {
        *err = t.nomem;
        status = t.nomem.code;
    }
    if (status == AKIN_OK) {
        out[0] = (float)report.indexed;
        out[1] = (float)report.unchanged;
        out[2] = (float)report.moved;
        out[3] = (float)report.missing;
        out[4] = (float)t.count;
    }
    return status;
}

static akin_status index_pictures(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    return with_index(out, false, err);
}

static akin_status change_model(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    return with_index(out, true, err);
}

static akin_status search(const akin_query *query, const char *html, float out[FLOATS],
                          akin_error *err)
{
    akin_collection *c = NULL;
    akin_hits *hits = NULL;
    unsigned parts;
    akin_status status = open_at(&c, NULL, false, err);
    if (status == AKIN_OK)
        status = akin_query_parts(c, query, &parts, err);
    if (status == AKIN_OK)
        status = akin_search(c, parts == 0 ? NULL : here.session, query, &hits, err);
    if (status == AKIN_OK && html != NULL)
        status = akin_hits_write_html(hits, "what was found", NULL, html, err);
    for (size_t i = 0; status == AKIN_OK && i < hits->count; i++) {
        out[2 * i] = (float)hits->hits[i].id;
        out[2 * i + 1] = hits->hits[i].score;
    }
    akin_hits_free(hits);
    akin_collection_close(c);
    return status;
}

static akin_status search_text(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    akin_query query = AKIN_QUERY_INIT;
    query.text = "a photo of a cat";
    query.not_text = "dog";
    return search(&query, NULL, out, err);
}

static akin_status search_picture(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    akin_query query = AKIN_QUERY_INIT;
    query.text = "red";
    query.image.path = "tests/golden/pictures/exif-6.jpg";
    query.k = 2;
    query.min_score = -1;
    return search(&query, NULL, out, err);
}

static akin_status search_like(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    akin_query query = AKIN_QUERY_INIT;
    query.image.path = under("pictures/grey.png");
    return search(&query, NULL, out, err);
}

static akin_status search_filtered(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    const char *const folder = under("pictures"), *const exts[] = { "jpg", ".PNG" };
    akin_query query = AKIN_QUERY_INIT;
    query.text = "x";
    query.after = "2001";
    query.where = "(width >= 1 or camera prefix 'X') and not tags = 'nothing' and caption contains "
                  "\"sea\"";
    query.folders = &folder;
    query.exts = exts;
    query.folder_count = 1;
    query.ext_count = 2;
    return search(&query, NULL, out, err);
}

static akin_status search_sheet(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    akin_query query = AKIN_QUERY_INIT;
    query.text = "x";
    return search(&query, under("to/sheet.html"), out, err);
}

static void count_fault(void *context, const char *path, const char *message, bool repaired)
{
    (void)path, (void)message;
    ((float *)context)[repaired]++;
}

static akin_status with_verify(float out[FLOATS], bool repair, akin_error *err)
{
    akin_collection *c = NULL;
    size_t faults = 0, repaired = 0;
    akin_status status = open_at(&c, NULL, repair, err);
    if (status == AKIN_OK)
        status = akin_collection_verify(c, repair, count_fault, out, &faults, &repaired, err);
    out[2] = (float)faults;
    out[3] = (float)repaired;
    akin_collection_close(c);
    return status;
}

static akin_status verify(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    return with_verify(out, false, err);
}

static akin_status repair(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    return with_verify(out, true, err);
}

static akin_status compact(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w;
    akin_collection *c = NULL;
    uint64_t reclaimed = 0;
    akin_status status = open_at(&c, NULL, true, err);
    if (status == AKIN_OK)
        status = akin_collection_compact(c, true, &reclaimed, err);
    akin_collection_close(c);
    (void)out; /* how many bytes go depends on pages of SQLite's that may be free already */
    return status;
}

static akin_status copy_collection(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w, (void)out;
    akin_collection *c = NULL;
    akin_status status = open_at(&c, NULL, false, err);
    if (status == AKIN_OK)
        status = akin_collection_copy(c, under("to"), "images", err);
    akin_collection_close(c);
    return status;
}

static akin_status export_collection(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w, (void)out;
    akin_collection *c = NULL;
    akin_status status = open_at(&c, NULL, false, err);
    if (status == AKIN_OK)
        status = akin_collection_export(c, under("to/images"), err);
    akin_collection_close(c);
    return status;
}

static akin_status import_collection(const work *w, float out[FLOATS], akin_error *err)
{
    (void)w, (void)out;
    size_t added = 0;
    return akin_collection_import(under("to"), "images", under("exported"), &added, err);
}

/* ---- what they leave behind */

static void fresh(const work *w)
{
    folder_remove(under("at"));
    folder_remove(under("to"));
    if (mkdir(under("to"), 0777) != 0)
        fail_msg("%s cannot be made", under("to"));
    if (w->from != NULL)
        copy_tree(under(w->from), under("at"));
    else if (mkdir(under("at"), 0777) != 0)
        fail_msg("%s cannot be made", under("at"));
}

/* Nothing lies in `name` but what is finished. */
static void nothing_else(const work *w, const char *name)
{
    DIR *dir = opendir(under(name));
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' ? strcmp(e->d_name, "images") != 0 &&
                                      strcmp(e->d_name, "sheet.html") != 0
                                : strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            fail_msg("%s: request %zu leaves %s/%s behind", w->name, request, name, e->d_name);
    closedir(dir);
}

static contents whole, left;

/* The collection is in order; what failed can be done then, and gives the same. */
static void in_order(const work *w, akin_status status)
{
    static float out[FLOATS];
    akin_error err;
    nothing_else(w, "at");
    nothing_else(w, "to");
    if (status != AKIN_OK) {
        interrupted = true;
        if (w->run != repair)
            read_contents(w, under("at"), &left);
        read_contents(w, under("to"), &left);
        interrupted = false;
        must(w, w->run(w, out, &err), &err);
    }
    contents *const c = request == 0 ? &whole : &left;
    read_contents(w, under(w->result), c);
    if (strcmp(c->text, whole.text) != 0)
        fail_msg("%s: after request %zu the collection holds\n%sand not\n%s", w->name, request,
                 c->text, whole.text);
}

static void exported_in_order(const work *w, akin_status status)
{
    static const char *const files[] = { "vectors.npy", "items.jsonl", "collection.json" };
    static float out[FLOATS];
    akin_error err;
    nothing_else(w, "to");
    if (status != AKIN_OK) {
        assert_int_not_equal(access(under("to/images"), F_OK), 0);
        must(w, w->run(w, out, &err), &err);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[512], good[512];
        snprintf(path, sizeof path, "%s/%s", under("to/images"), files[i]);
        snprintf(good, sizeof good, "%s/%s", under("exported"), files[i]);
        akin_buffer a, b;
        akin_buffer_init(&a, "file", 1 << 20);
        akin_buffer_init(&b, "file", 1 << 20);
        must(w, akin_file_read(path, "file", 1 << 20, &a, &err), &err);
        must(w, akin_file_read(good, "file", 1 << 20, &b, &err), &err);
        if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0)
            fail_msg("%s: after request %zu: another %s", w->name, request, files[i]);
        akin_buffer_clear(&a);
        akin_buffer_clear(&b);
    }
}

static akin_model *open_model(const char *path, unsigned parts)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_model *model;
    akin_error err;
    options.threads = 1;
    options.parts = parts;
    if (akin_model_open(&model, path, &options, &err) != AKIN_OK)
        fail_msg("%s: %s", path, err.message);
    return model;
}

static void index_now(const char *from)
{
    static float out[FLOATS];
    static const work w = { .name = "the collections to begin with" };
    akin_error err;
    fresh(&(work){ .name = w.name, .from = from });
    must(&w, with_index(out, false, &err), &err);
}

/* "empty"; "stale", whose pictures changed since; "good": one is missing, one has another vector;
 * "wrong", which SQLite finds whole and akin does not; "exported". */
static int make_collections(void **state)
{
    (void)state;
    static const work w = { .name = "the collections to begin with" };
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    akin_error err;
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == '\0')
        base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(here.root, sizeof here.root, "%s/akin-nomem-XXXXXX", base);
    if (mkdtemp(here.root) == NULL)
        return -1;
    setenv("AKIN_HOME", under("home"), 1);
    here.model = open_model("tests/golden/clip/tiny-i", 0);
    here.bare = open_model("tests/golden/clip/tiny-i", AKIN_PART_PREPROCESS);
    here.other = open_model("tests/golden/clip/tiny-f", 0);
    options.threads = 1;
    must(&w, akin_session_new(&here.session, here.model, &options, &err), &err);

    fresh(&w);
    must(&w, make_collection(&w, NULL, &err), &err);
    copy_tree(under("at"), under("empty"));

    mkdir(under("pictures"), 0777);
    copy_file("tests/golden/pictures/exif-6.jpg", under("pictures/photo.jpg"));
    static const char xmp[] =
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-"
        "syntax-ns#'><rdf:Description xmlns:dc='http://purl.org/dc/elements/1.1/'><dc:description>"
        "<rdf:Alt><rdf:li xml:lang='x-default'>By the sea</rdf:li></rdf:Alt></dc:description>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>";
    put_file(under("pictures/photo.jpg.xmp"), xmp, sizeof xmp - 1);
    copy_file("tests/golden/metadata/jpeg-full.jpg", under("pictures/full.jpg"));
    static const char json[] = "{\"caption\": \"At sea\", \"tags\": [\"a\", \"b\"], \"stars\": 5}";
    put_file(under("pictures/full.json"), json, sizeof json - 1);
    copy_file("tests/golden/pictures/png-grey1.png", under("pictures/grey.png"));
    copy_file("tests/golden/pictures/size-1x1.png", under("pictures/gone.png"));
    put_file(under("pictures/broken.jpg"), "\xff\xd8\xff\xe0 not much of a picture", 26);
    index_now("empty");
    copy_tree(under("at"), under("stale"));

    rename(under("pictures/photo.jpg"), under("pictures/moved.jpg"));
    rename(under("pictures/photo.jpg.xmp"), under("pictures/moved.jpg.xmp"));
    unlink(under("pictures/gone.png"));
    copy_file("tests/golden/pictures/png-grey2.png", under("pictures/grey.png"));
    index_now("stale");
    copy_tree(under("at"), under("good"));
    must(&w, export_collection(&w, NULL, &err), &err);
    copy_tree(under("to/images"), under("exported"));

    sqlite3 *db;
    copy_tree(under("good"), under("wrong"));
    if (sqlite3_open(under("wrong/images/collection.sqlite"), &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "UPDATE segments SET live = zeroblob(length(live));"
                     "UPDATE items SET place = NULL WHERE id = 1;"
                     "DELETE FROM contents WHERE id = 2",
                     NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    return sqlite3_close(db);
}

static int remove_collections(void **state)
{
    (void)state;
    akin_session_free(here.session);
    akin_model_close(here.model);
    akin_model_close(here.bare);
    akin_model_close(here.other);
    folder_remove(here.root);
    unsetenv("AKIN_HOME");
    return 0;
}

static void collections(void **state)
{
    (void)state;
#define DOES(text, what, has, gives, at_least) \
    .name = text, .run = what, .from = has, .result = gives, .least = at_least, .before = fresh, \
    .after = (what) == export_collection ? exported_in_order : in_order
    work list[] = {
        { DOES("describing", describe_collection, "good", "at", 5) },
        { DOES("making a collection", make_collection, NULL, "at", 5) },
        { DOES("indexing all", index_pictures, "empty", "at", 50), .threads = true },
        { DOES("indexing what changed", index_pictures, "stale", "at", 50), .threads = true },
        { DOES("indexing nothing", index_pictures, "good", "at", 5) },
        { DOES("search by a text", search_text, "good", "at", 5) },
        { DOES("search by a picture", search_picture, "good", "at", 5) },
        { DOES("search by an item", search_like, "good", "at", 5) },
        { DOES("search with filters", search_filtered, "good", "at", 5) },
        { DOES("a sheet of hits", search_sheet, "good", "at", 5) },
        { DOES("verify", verify, "good", "at", 5) },
        { DOES("verify --repair", repair, "wrong", "at", 5) },
        { DOES("compact", compact, "good", "at", 5) },
        { DOES("copy", copy_collection, "good", "to", 5) },
        { DOES("export", export_collection, "good", "to", 5) },
        { DOES("import", import_collection, "good", "to", 5) },
        { DOES("another model", change_model, "good", "at", 50), .threads = true },
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
        cmocka_unit_test_setup_teardown(collections, make_collections, remove_collections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
