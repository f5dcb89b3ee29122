/* test_resnet.c - CLIP's ModifiedResNet against open_clip (tests/golden/resnet), the same bits in
 * every batch and on every number of threads, and checkpoints broken one thing at a time. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "golden.h"
#include "models/resnet.h"

#define GOLDEN "tests/golden/resnet/"

enum { MAX_PICTURES = 4, MAX_DIMS = 64 };
static const char *const cases[] = { "plain", "uneven", "odd", "small", "wide" };
enum { CASES = sizeof cases / sizeof *cases };

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

typedef struct expected {
    akin_resnet_config config;
    size_t pictures, rows;
    double raw[MAX_PICTURES][MAX_DIMS];
} expected;

static expected read_expected(const char *name)
{
    expected e = { 0 };
    char path[128];
    const char *value;
    bool ended = false;
    snprintf(path, sizeof path, GOLDEN "%s/expected.txt", name);
    golden g = golden_open(path);
    while (golden_next(&g)) {
        akin_resnet_config *c = &e.config;
        if ((value = golden_value(&g, "layers")) != NULL)
            assert_int_equal(sscanf(value, "%zu %zu %zu %zu", &c->blocks[0], &c->blocks[1],
                                    &c->blocks[2], &c->blocks[3]),
                             4);
        else if ((value = golden_value(&g, "width")) != NULL)
            c->width = strtoul(value, NULL, 10);
        else if ((value = golden_value(&g, "heads")) != NULL)
            c->heads = strtoul(value, NULL, 10);
        else if ((value = golden_value(&g, "image")) != NULL)
            c->image = strtoul(value, NULL, 10);
        else if ((value = golden_value(&g, "dimensions")) != NULL)
            c->dimensions = strtoul(value, NULL, 10);
        else if ((value = golden_value(&g, "pictures")) != NULL)
            e.pictures = strtoul(value, NULL, 10);
        else if ((value = golden_value(&g, "raw")) != NULL && e.rows < MAX_PICTURES)
            assert_int_equal(golden_numbers(value, e.raw[e.rows++], MAX_DIMS), c->dimensions);
        else
            ended = strcmp(g.line, "end") == 0;
    }
    golden_close(&g);
    assert_true(ended);
    assert_true(e.rows == e.pictures && e.rows > 0);
    return e;
}

/* As tools/oracle/resnet.py draws them. */
static float *draw_pixels(size_t count, size_t image)
{
    const size_t each = 3 * image * image;
    float *pixels = malloc(count * each * sizeof *pixels);
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < each; i++) {
            uint32_t h = (uint32_t)(i + (p << 20));
            h = (h ^ h >> 16) * 0x7feb352du;
            h = (h ^ h >> 15) * 0x846ca68bu;
            h ^= h >> 16;
            pixels[p * each + i] = ((float)(h >> 16) - 32768.0f) / 16384.0f;
        }
    return pixels;
}

/* All of it, as a model loads it. */
static akin_status load(akin_resnet **out, const char *file, const akin_resnet_config *config,
                        const akin_nn *nn, bool bf16, akin_error *err)
{
    akin_checkpoint *checkpoint = NULL;
    akin_slots slots = { 0 };
    akin_status status = AKIN_OK;
    *out = NULL;
    AKIN_TRY(akin_checkpoint_open(&checkpoint, file, err));
    AKIN_TRY(akin_resnet_bind(&slots, false, out, config, nn->kernels, bf16, "visual.", err));
    assert_null(*out);
    AKIN_TRY(akin_bind_check(&slots, checkpoint, akin_resnet_ignores, err));
    akin_slots_clear(&slots);
    AKIN_TRY(akin_resnet_bind(&slots, true, out, config, nn->kernels, bf16, "visual.", err));
    AKIN_TRY(akin_bind_load(&slots, checkpoint, nn->pool, nn->kernels, false, err));
    AKIN_TRY(akin_resnet_finish(*out, nn->kernels, nn->pool, err));
out:
    akin_slots_clear(&slots);
    akin_checkpoint_close(checkpoint);
    if (status != AKIN_OK) {
        akin_resnet_free(*out);
        *out = NULL;
    }
    return status;
}

static akin_resnet *load_case(const char *name, const akin_resnet_config *config,
                              const akin_nn *nn, bool bf16)
{
    char path[128];
    akin_error err;
    akin_resnet *tower;
    snprintf(path, sizeof path, GOLDEN "%s/model.safetensors", name);
    ok(load(&tower, path, config, nn, bf16, &err), &err);
    return tower;
}

/* The tiny towers are 2 to 6 channels wide, where each rounding weighs more than in a published
 * one: their own f32 is up to 8e-7 from f64 (manifest.json). */
static void check_case(const char *name, const akin_kernels *kernels, bool bf16)
{
    akin_error err;
    akin_arena arena;
    akin_arena_init(&arena);
    const akin_nn nn = { kernels, NULL, &arena };
    const expected e = read_expected(name);
    akin_resnet *tower = load_case(name, &e.config, &nn, bf16);
    float *pixels = draw_pixels(e.pictures, e.config.image), out[MAX_PICTURES * MAX_DIMS];
    const size_t n = e.config.dimensions;
    ok(akin_resnet_encode(tower, &nn, pixels, e.pictures, out, &err), &err);
    for (size_t r = 0; r < e.rows; r++) {
        double off = 0.0, largest = 0.0, ab = 0.0, aa = 0.0, bb = 0.0;
        for (size_t j = 0; j < n; j++) {
            const double a = out[r * n + j], b = e.raw[r][j];
            assert_true(isfinite(a));
            off = fmax(off, fabs(a - b));
            largest = fmax(largest, fabs(b));
            ab += a * b;
            aa += a * a;
            bb += b * b;
        }
        if (!bf16 && !(off <= 1e-5 * largest))
            fail_msg("%s %s picture %zu: relative error %.2g", kernels->name, name, r,
                     off / largest);
        if (bf16 && !(ab / sqrt(aa * bb) >= 0.9999))
            fail_msg("%s %s picture %zu: cosine %.7f", kernels->name, name, r, ab / sqrt(aa * bb));
    }
    free(pixels);
    akin_resnet_free(tower);
    akin_arena_clear(&arena);
}

static void each_case(bool bf16)
{
    for (size_t i = 0; i < akin_isa_count(); i++)
        for (size_t c = 0; c < CASES && akin_isa_at(i).lacks == NULL; c++)
            check_case(cases[c], akin_isa_at(i).kernels, bf16);
}

static void test_f32(void **state) { (void)state; each_case(false); }
static void test_bf16(void **state) { (void)state; each_case(true); }

/* 150 pictures of "plain" are more than one group. */
static void same_bits(const char *name, size_t count, const akin_kernels *kernels, bool bf16)
{
    akin_error err;
    akin_arena arena;
    akin_arena_init(&arena);
    akin_nn nn = { kernels, NULL, &arena };
    const expected e = read_expected(name);
    akin_resnet *tower = load_case(name, &e.config, &nn, bf16);
    const size_t n = e.config.dimensions, each = 3 * e.config.image * e.config.image;
    float *pixels = draw_pixels(count, e.config.image);
    float *all = malloc(count * n * sizeof *all), *other = malloc(count * n * sizeof *other);
    ok(akin_resnet_encode(tower, &nn, pixels, count, all, &err), &err);
    for (int threads = 1; threads <= 3; threads++) {
        ok(akin_pool_new(&nn.pool, threads, &err), &err);
        ok(akin_resnet_encode(tower, &nn, pixels, count, other, &err), &err);
        assert_memory_equal(all, other, count * n * sizeof *all);
        for (size_t i = 0; i < count; i += 1 + count / 4) {
            ok(akin_resnet_encode(tower, &nn, pixels + i * each, 1, other, &err), &err);
            assert_memory_equal(all + i * n, other, n * sizeof *all);
        }
        akin_pool_free(nn.pool);
        nn.pool = NULL;
    }
    ok(akin_resnet_encode(tower, &nn, pixels, 0, other, &err), &err);
    free(pixels);
    free(all);
    free(other);
    akin_resnet_free(tower);
    akin_arena_clear(&arena);
}

static void test_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < akin_isa_count(); i++) {
        if (akin_isa_at(i).lacks != NULL)
            continue;
        same_bits("odd", 5, akin_isa_at(i).kernels, false);
        same_bits("wide", 3, akin_isa_at(i).kernels, false);
        same_bits("uneven", 4, akin_isa_at(i).kernels, true);
    }
    same_bits("plain", 150, akin_isa_at(akin_isa_count() - 1).lacks == NULL
                                ? akin_isa_at(akin_isa_count() - 1).kernels
                                : &akin_kernels_scalar,
              false);
}

/* ---- Broken checkpoints ---------------------------------------------------------------------- */

/* The bytes of "uneven" (float32), changed in place and written beside the system's other temporary
 * files. */
static akin_buffer file;

static char *header_at(const char *text)
{
    const size_t n = strlen(text);
    for (char *p = file.data + 8; p + n < file.data + file.size; p++)
        if (memcmp(p, text, n) == 0)
            return p;
    fail_msg("no %s", text);
    return NULL;
}

static void set_value(const char *name, size_t index, float value)
{
    char quoted[100];
    uint64_t length;
    size_t begin;
    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *at = strstr(header_at(quoted), "\"data_offsets\":[");
    assert_int_equal(sscanf(at, "\"data_offsets\":[%zu", &begin), 1);
    memcpy(&length, file.data, sizeof length);
    memcpy(file.data + 8 + length + begin + index * sizeof value, &value, sizeof value);
}

static void nothing(void) {}
static void negative_variance(void)
{
    set_value("visual.layer3.1.bn2.running_var", 3, -0.25f);
}
static void nan_mean(void) { set_value("visual.layer1.0.downsample.1.running_mean", 0, NAN); }
static void infinite_weight(void) { set_value("visual.layer4.0.conv2.weight", 7, INFINITY); }
static void nan_key_bias(void) { set_value("visual.attnpool.k_proj.bias", 5, NAN); }
static void overflowing(void)
{
    set_value("visual.bn1.running_var", 0, 0.0f);
    set_value("visual.bn1.weight", 0, 3e38f);
}
static void missing(void) { *strstr(header_at("\"visual.layer2.0.bn3.bias\""), "bias") = 'B'; }
static void unknown(void)
{
    *strstr(header_at("\"visual.bn2.num_batches_tracked\""), "tracked") = 'T';
}
static void misshapen(void)
{
    /* [12, 3, 1, 1] of as many elements */
    memcpy(strstr(header_at("\"visual.layer1.0.conv3.weight\""), "[12,3,"), "[3,12,", 6);
}

static const struct {
    const char *name;
    void (*change)(void);
    akin_status status;
    const char *message; /* part of it */
} broken[] = {
    { "nothing", nothing, AKIN_OK, "" },
    { "negative variance", negative_variance, AKIN_E_NONFINITE,
      "'visual.layer3.1.bn2.running_var' is negative at [3]: -0.25" },
    { "NaN mean", nan_mean, AKIN_E_NONFINITE, "visual.layer1.0.downsample.1.running_mean" },
    { "infinite weight", infinite_weight, AKIN_E_NONFINITE, "visual.layer4.0.conv2.weight" },
    { "NaN in what is not computed", nan_key_bias, AKIN_E_NONFINITE,
      "visual.attnpool.k_proj.bias" },
    { "overflow when folding", overflowing, AKIN_E_NONFINITE, "'visual.conv1.weight'" },
    { "missing", missing, AKIN_E_TENSOR_MISSING, "visual.layer2.0.bn3.bias" },
    { "unknown", unknown, AKIN_E_TENSOR_EXTRA, "visual.bn2.num_batches_Tracked" },
    { "misshapen", misshapen, AKIN_E_TENSOR_SHAPE, "visual.layer1.0.conv3.weight" },
};

static void test_broken(void **state)
{
    (void)state;
    akin_arena arena;
    akin_arena_init(&arena);
    akin_nn nn = { &akin_kernels_scalar, NULL, &arena };
    const expected e = read_expected("uneven");
    char folder[] = "/tmp/akin-resnet-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        akin_error err = { 0 };
        akin_resnet *tower;
        akin_writer w;
        ok(akin_file_read(GOLDEN "uneven/model.safetensors", "file", 1 << 24, &file, &err), &err);
        broken[i].change();
        ok(akin_writer_open(&w, path, &err), &err);
        ok(akin_writer_add(&w, file.data, file.size, &err), &err);
        ok(akin_writer_commit(&w, &err), &err);
        akin_buffer_clear(&file);
        const akin_status status = load(&tower, path, &e.config, &nn, false, &err);
        if (status != broken[i].status)
            fail_msg("%s: %s: %s", broken[i].name, akin_status_name(status), err.message);
        if (status != AKIN_OK && strstr(err.message, broken[i].message) == NULL)
            fail_msg("%s: the message does not name it: %s", broken[i].name, err.message);
        akin_resnet_free(tower);
    }
    unlink(path);
    rmdir(folder);
    akin_arena_clear(&arena);
}

/* Configurations that the reference cannot run. */
static void test_config(void **state)
{
    (void)state;
    const struct {
        akin_resnet_config config;
        const char *message; /* NULL: accepted */
    } tries[] = {
        { { { 1, 1, 1, 1 }, 2, 2, 32, 3 }, NULL },
        { { { 1, 1, 1, 1 }, 2, 2, 33, 3 }, NULL }, /* 17 8 4 2 1 */
        { { { 1, 1, 1, 1 }, 2, 2, 95, 3 }, "pictures of 95 pixels a side have 3 x 3" },
        { { { 1, 1, 1, 1 }, 2, 2, 31, 3 }, "image_size of a ResNet is 31" },
        { { { 1, 1, 1, 1 }, 2, 2, SIZE_MAX, 3 }, "image_size of a ResNet is" },
        { { { 1, 1, 1, 1 }, SIZE_MAX / 32 + 2, 2, 32, 3 }, "width of a ResNet is" },
        { { { 1, SIZE_MAX, 1, 1 }, 2, 2, 32, 3 }, "layers[1]" },
        { { { 1, 1, 1, 1 }, 2, 5, 32, 3 }, "5 heads do not divide the 64 channels" },
        { { { 1, 1, 1, 1 }, 2, 0, 32, 3 }, "0 heads" },
        { { { 1, 1, 1, 1 }, 1, 2, 32, 3 }, "width of a ResNet is 1" },
        { { { 1, 1, 0, 1 }, 2, 2, 32, 3 }, "layers[2]" },
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        akin_error err;
        akin_slots slots = { 0 };
        akin_resnet *tower;
        const akin_status status = akin_resnet_bind(&slots, false, &tower, &tries[i].config,
                                                    &akin_kernels_scalar, false, "", &err);
        assert_int_equal(status, tries[i].message == NULL ? AKIN_OK : AKIN_E_CONFIG);
        if (tries[i].message != NULL)
            assert_non_null(strstr(err.message, tries[i].message));
        akin_slots_clear(&slots);
    }
    assert_true(akin_resnet_ignores("visual.bn1.num_batches_tracked"));
    assert_false(akin_resnet_ignores("visual.bn1.running_mean"));
    assert_false(akin_resnet_ignores("tracked"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f32),       cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
