/* test_open_clip.c - tiny checkpoints in open_clip form against what open_clip made of them
 * (tests/golden/open_clip): raw projections of fixed ids and pixels, texts and pictures from end to
 * end, resampled position tables, padding. */
#include "unit.h"

#include <math.h>

#include "akin.h"
#include "cpu/kernels.h"
#include "golden.h"
#include "models/clip.h"
#include "models/resample.h"

#define GOLDEN "tests/golden/open_clip/"
#define PICTURES "tests/golden/clip/pictures/"

/* A folder, or a weights file alone in one, with what must be said of it. */
static const struct {
    const char *name, *file, *activation;
} cases[] = {
    { "oc-a", NULL, NULL },
    { "oc-b", NULL, NULL },
    { "oc-c", NULL, NULL },
    { "oc-d", NULL, NULL },
    { "oc-e", NULL, NULL },
    { "oc-f", NULL, NULL },
    { "oc-g", NULL, NULL },
    { "oc-h", NULL, NULL },
    { "oc-i", NULL, NULL },
    { "oc-j", NULL, NULL },
    { "oc-k", NULL, NULL },
    { "bare-vit", "ViT.pt", "quick_gelu" },
    { "bare-resnet", "RN.pth", "quick_gelu" },
    { "bare-gelu", "epoch_3.safetensors", "gelu" },
};
enum { CASES = sizeof cases / sizeof *cases, MAX_DIMS = 128, MAX_IDS = 128 };

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

/* As in test_clip.c: f32 within 1e-5 relative (the promise is 1e-4), bf16 cosine at least
 * 0.9999. */
static void check_row(const float *got, const double *want, size_t n, bool bf16, const char *where,
                      const char *what)
{
    double largest = 0.0, difference = 0.0, dot = 0.0, a = 0.0, b = 0.0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(want[i]));
        difference = fmax(difference, fabs(got[i] - want[i]));
        dot += got[i] * want[i];
        a += (double)got[i] * got[i];
        b += want[i] * want[i];
    }
    if (!bf16 && !(difference <= 1e-5 * largest))
        fail_msg("%s %s: relative error %.3g", where, what, difference / largest);
    if (bf16 && !(dot / sqrt(a * b) >= 0.9999))
        fail_msg("%s %s: cosine %.6f", where, what, dot / sqrt(a * b));
}

/* The oracle's pixels(): the same integers, exact in float32. */
static float *make_pixels(const akin_clip_config *c, int seed)
{
    const size_t h = c->image_height, w = c->image_width, s = (size_t)seed;
    float *pixels = malloc(3 * h * w * sizeof *pixels);
    for (size_t i = 0; i < 3 * h * w; i++) {
        const size_t x = i % w, y = i / w % h, channel = i / w / h;
        const size_t stripes = (y * (3 * s + 1) + x * (channel + 1 + s * s)) % 64;
        const uint32_t noise = (uint32_t)((i + 1 + 97 * s) * 2654435761u) >> 16;
        pixels[i] = (float)stripes / 16.0f - 2.0f + (float)noise / 131072.0f - 0.25f;
    }
    return pixels;
}

/* ---- The towers on fixed ids and pixels ----------------------------------------------------- */

static void check_model(size_t which, const akin_kernels *kernels, bool bf16)
{
    const char *const name = cases[which].name;
    char path[256];
    akin_error err;
    akin_clip_config config;
    akin_clip *clip;
    akin_pool *pool;
    akin_arena arena;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (cases[which].file == NULL) {
        ok(akin_open_clip_config_read(&config, path, &err), &err);
    } else {
        snprintf(path, sizeof path, GOLDEN "%s/%s", name, cases[which].file);
        ok(akin_clip_config_infer(&config, path, cases[which].activation, &err), &err);
    }
    ok(akin_pool_new(&pool, 2, &err), &err);
    akin_arena_init(&arena);
    ok(akin_clip_open(&clip, path, &config, kernels, bf16, true, true, pool, &err), &err);
    akin_nn nn = { kernels, pool, &arena };

    snprintf(path, sizeof path, GOLDEN "%s/expected.txt", name);
    golden g = golden_open(path);
    double numbers[MAX_DIMS];
    float vector[MAX_DIMS];
    char what[512] = "";
    size_t rows = 0;
    bool have = false, ended = false;
    int pad = 0, left = 0;
    while (golden_next(&g)) {
        const char *value;
        if ((value = golden_value(&g, "dimensions")) != NULL) {
            assert_int_equal(config.dimensions, atoi(value));
        } else if ((value = golden_value(&g, "logit_scale")) != NULL) {
            assert_true(fabs(clip->logit_scale - atof(value)) <= 1e-6);
        } else if ((value = golden_value(&g, "logit_bias")) != NULL) {
            assert_true(fabs(clip->logit_bias - atof(value)) <= 1e-6);
        } else if ((value = golden_value(&g, "positions")) != NULL) {
            const size_t d = config.vision.width;
            const size_t count = 1 + config.grid_height * config.grid_width;
            assert_int_equal(golden_numbers(value, numbers, MAX_DIMS), d + 1);
            assert_int_equal((size_t)numbers[0], count);
            check_row(clip->vision.positions + (count - 1) * d, numbers + 1, d, false, name,
                      "positions");
        } else if ((value = golden_value(&g, "pad")) != NULL) {
            assert_int_equal(sscanf(value, "%d %d", &pad, &left), 2);
        } else if ((value = golden_value(&g, "ids")) != NULL ||
                   (value = golden_value(&g, "tokens")) != NULL) {
            double given[MAX_IDS];
            int32_t ids[MAX_IDS];
            const bool padded = g.line[0] == 'i';
            size_t count = golden_numbers(value, given, MAX_IDS);
            assert_true(count <= config.text_tokens);
            for (size_t i = 0; i < count; i++)
                ids[i] = (int32_t)given[i];
            if (config.hf_tokenizer) /* the end token, which write_tokenizer makes the last id */
                pad = (int)config.vocabulary - 1;
            count = akin_clip_pad(&config, ids, count, pad, padded && left != 0);
            const size_t starts[] = { 0, count };
            ok(akin_clip_encode_texts(clip, &nn, ids, starts, 1, vector, &err), &err);
            have = true;
            snprintf(what, sizeof what, "ids %s", value);
        } else if ((value = golden_value(&g, "image")) != NULL) {
            float *pixels = make_pixels(&config, atoi(value));
            ok(akin_clip_encode_images(clip, &nn, pixels, 1, vector, &err), &err);
            free(pixels);
            have = true;
            snprintf(what, sizeof what, "image %s", value);
        } else if ((value = golden_value(&g, "raw")) != NULL) {
            assert_int_equal(golden_numbers(value, numbers, MAX_DIMS), config.dimensions);
            if (have)
                check_row(vector, numbers, config.dimensions, bf16, name, what);
            rows += have;
            have = false;
        } else {
            ended = strcmp(g.line, "end") == 0;
        }
    }
    assert_true(ended);
    assert_true(rows >= 5);
    golden_close(&g);
    akin_clip_close(clip);
    akin_arena_clear(&arena);
    akin_pool_free(pool);
}

static void each_model(bool bf16)
{
    for (size_t i = 0; i < akin_isa_count(); i++) {
        akin_error err;
        const akin_kernels *kernels;
        if (akin_isa_at(i).lacks != NULL)
            continue;
        ok(akin_kernels_choose(akin_isa_at(i).name, &kernels, &err), &err);
        for (size_t c = 0; c < CASES; c++)
            check_model(c, kernels, bf16);
    }
}

static void test_f32(void **state) { (void)state; each_model(false); }
static void test_bf16(void **state) { (void)state; each_model(true); }

/* ---- From end to end ------------------------------------------------------------------------ */

static void check_end_to_end(const char *name, const char *file, const char *activation)
{
    char path[256];
    akin_error err;
    akin_model *model;
    akin_session *session;
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    options.activation = activation;
    snprintf(path, sizeof path, GOLDEN "%s%s%s", name, file != NULL ? "/" : "",
             file != NULL ? file : "");
    ok(akin_model_open(&model, path, &options, &err), &err);
    ok(akin_session_new(&session, model, NULL, &err), &err);
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    ok(akin_model_describe(model, &info, &err), &err);
    assert_string_equal(info.form, "open_clip");
    assert_string_equal(info.path, path);

    snprintf(path, sizeof path, GOLDEN "%s/expected.txt", name);
    golden g = golden_open(path);
    double numbers[MAX_DIMS];
    float vector[MAX_DIMS];
    char *text = NULL, picture[128] = "";
    const size_t n = (size_t)info.dimensions;
    size_t rows = 0;
    while (golden_next(&g)) {
        const char *value;
        if ((value = golden_value(&g, "text")) != NULL) {
            text = golden_text(value);
        } else if ((value = golden_value(&g, "tokens")) != NULL) {
            int32_t ids[MAX_IDS];
            double want[MAX_IDS];
            size_t count;
            ok(akin_tokenize(model, text, strlen(text), ids, MAX_IDS, &count, NULL, &err), &err);
            assert_int_equal(golden_numbers(value, want, MAX_IDS), count);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(ids[i], (int)want[i]);
        } else if ((value = golden_value(&g, "picture")) != NULL) {
            snprintf(picture, sizeof picture, PICTURES "%s", value);
        } else if ((value = golden_value(&g, "raw")) != NULL) {
            assert_int_equal(golden_numbers(value, numbers, MAX_DIMS), n);
            if (text != NULL) {
                ok(akin_embed_texts(session, (const char *const *)&text, NULL, 1, AKIN_RAW, vector,
                                    n, &err),
                   &err);
                check_row(vector, numbers, n, false, name, text);
                rows++;
            } else if (picture[0] != '\0') {
                akin_picture_input input = { picture, NULL, 0 };
                ok(akin_embed_pictures(session, &input, 1, AKIN_RAW, vector, n, NULL, &err), &err);
                check_row(vector, numbers, n, false, name, picture);
                rows++;
            }
            free(text);
            text = NULL;
            picture[0] = '\0';
        }
    }
    assert_true(rows >= 5);
    golden_close(&g);
    akin_session_free(session);
    akin_model_close(model);
}

static void test_simple_tokenizer(void **state)
{
    (void)state;
    check_end_to_end("oc-a", NULL, NULL);
}

static void test_own_tokenizer(void **state)
{
    (void)state;
    check_end_to_end("oc-h", NULL, NULL);
    check_end_to_end("oc-i", NULL, NULL);
}

static void test_weights_alone(void **state)
{
    (void)state;
    check_end_to_end("bare-vit", "ViT.pt", "quick_gelu");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_simple_tokenizer),
        cmocka_unit_test(test_own_tokenizer),
        cmocka_unit_test(test_weights_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
