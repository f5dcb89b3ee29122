/* test_net.c - checkpoints of both forms into a net and out again: the written folder computes the
 * same bits; half precision; what gets a bias; what is refused; which parameters learn. */
#include "unit.h"

#include <stdio.h>

#include "base/half.h"
#include "folder.h"
#include "golden.h"
#include "models/clip.h"
#include "train/folder.h"
#include "train_net.h"

enum { MAX_DIMS = 128, PIXELS = 3 * 224 * 224 };

static char folder[PATH_MAX];

static int set_up(void **state)
{
    (void)state;
    return folder_make(folder, sizeof folder, "net");
}

static int tear_down(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

static akin_status read_config(akin_clip_config *config, const char *from, bool hf,
                               akin_error *err)
{
    return hf ? akin_clip_config_read(config, from, err)
              : akin_open_clip_config_read(config, from, err);
}

/* The vectors of one text and one picture: out [2, dimensions]. */
static void encode(const char *from, bool hf, float *out)
{
    static float pixels[PIXELS];
    const akin_kernels *kernels = &akin_kernels_scalar;
    akin_clip_config config;
    akin_clip *clip;
    akin_arena arena;
    akin_error err;
    int32_t ids[128] = { 1, 2, 3 };
    akin_arena_init(&arena);
    const akin_nn nn = { kernels, NULL, &arena };
    ok(read_config(&config, from, hf, &err), &err);
    ok(akin_clip_open(&clip, from, &config, kernels, false, true, true, NULL, &err), &err);
    assert_true(3 * config.image_height * config.image_width <= PIXELS);
    for (size_t i = 0; i < 3 * config.image_height * config.image_width; i++)
        pixels[i] = train_value(5, i);
    ids[2] = (int32_t)config.vocabulary - 1;
    const size_t starts[] = { 0, akin_clip_pad(&config, ids, 3, 0, false) };
    ok(akin_clip_encode_texts(clip, &nn, ids, starts, 1, out, &err), &err);
    ok(akin_clip_encode_images(clip, &nn, pixels, 1, out + config.dimensions, &err), &err);
    out[2 * config.dimensions] = clip->logit_scale;
    out[2 * config.dimensions + 1] = clip->logit_bias;
    akin_clip_close(clip);
    akin_arena_clear(&arena);
}

/* Whether the net holds it; a table of positions of another size is refused. */
static bool check_round_trip(const char *from, bool hf)
{
    float before[2 * MAX_DIMS + 2], after[2 * MAX_DIMS + 2];
    akin_clip_config config;
    akin_net *net;
    akin_error err;
    ok(read_config(&config, from, hf, &err), &err);
    ok(akin_net_new(&net, &config, &err), &err);
    ok(akin_parameters_make(&net->parameters, &err), &err);
    const akin_status status = akin_net_read(net, from, &err);
    if (status == AKIN_E_TENSOR_SHAPE && strstr(err.message, "position") != NULL) {
        akin_net_free(net);
        return false;
    }
    ok(status, &err);
    ok(akin_model_folder_write(net, from, folder, false, &err), &err);
    encode(from, hf, before);
    encode(folder, hf, after);
    if (memcmp(before, after, (2 * config.dimensions + 2) * sizeof *before) != 0)
        fail_msg("%s: not the same vectors", from);

    /* In half precision each value is the nearest one. */
    akin_net *half;
    ok(akin_model_folder_write(net, from, folder, true, &err), &err);
    ok(akin_net_new(&half, &config, &err), &err);
    ok(akin_parameters_make(&half->parameters, &err), &err);
    ok(akin_net_read(half, folder, &err), &err);
    for (size_t i = 0; i < net->parameters.floats; i++)
        assert_true(half->parameters.values[i] ==
                    akin_half_to_float(akin_float_to_half(net->parameters.values[i])));
    akin_net_free(half);
    akin_net_free(net);
    return true;
}

static void test_round_trip(void **state)
{
    char from[64];
    int held = 0;
    (void)state;
    for (char c = 'a'; c <= 'k'; c++) {
        snprintf(from, sizeof from, "tests/golden/open_clip/oc-%c", c);
        held += check_round_trip(from, false);
        assert_true(tear_down(state) == 0 && set_up(state) == 0);
    }
    assert_int_equal(held, 7); /* four have tables that would have to be resampled */
    for (char c = 'a'; c <= 'c'; c++) {
        snprintf(from, sizeof from, "tests/golden/clip/tiny-%c", c);
        assert_true(check_round_trip(from, true));
        assert_true(tear_down(state) == 0 && set_up(state) == 0);
    }
}

static akin_net *make(const char *from, bool hf, bool bias)
{
    akin_clip_config config;
    akin_net *net;
    akin_error err;
    ok(read_config(&config, from, hf, &err), &err);
    config.logit_bias = config.logit_bias || bias;
    ok(akin_net_new(&net, &config, &err), &err);
    ok(akin_parameters_make(&net->parameters, &err), &err);
    train_set_values(&net->parameters);
    return net;
}

/* A configuration without a bias gets one when the net has it, in every way it may be written. */
static void test_bias(void **state)
{
    static const char *const configs[] = {
        "{\"model_cfg\": {\"embed_dim\": 12, %s}, \"preprocess_cfg\": {}}",
        "{\"preprocess_cfg\": {\"model_cfg\": \"\\\"{\"}, \"model_cfg\"\n : {%s,\"embed_dim\":12}}",
        "{\"model_cfg\":{\"init_logit_bias\" : null,\"embed_dim\":12,%s}}",
        "{\"model_cfg\":{%s,\"embed_dim\":12,\"init_logit_bias\":-3.5}}",
        "{\"model_cfg\":{\"init_logit_scale\":1.5,%s,\"embed_dim\":12}}",
    };
    static const char rest[] =
        "\"text_cfg\": {\"context_length\": 8, \"vocab_size\": 32, \"width\": 16, \"heads\": 2, "
        "\"layers\": 2}, \"vision_cfg\": {\"image_size\": 32, \"patch_size\": 8, \"width\": 16, "
        "\"layers\": 2, \"head_width\": 8}";
    (void)state;
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char path[PATH_MAX + 32], text[1024], out[PATH_MAX + 8];
        float vectors[2 * 12 + 2];
        akin_clip_config config;
        akin_error err;
        char *filled = text;
        const char *hole = strstr(configs[i], "%s");
        snprintf(filled, sizeof text, "%.*s%s%s", (int)(hole - configs[i]), configs[i], rest,
                 hole + 2);
        snprintf(path, sizeof path, "%s/open_clip_config.json", folder);
        FILE *f = fopen(path, "w");
        assert_true(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
        akin_net *net = make("tests/golden/train/steps/vit", false, true);
        snprintf(out, sizeof out, "%s/out", folder);
        ok(akin_model_folder_write(net, folder, out, false, &err), &err);
        ok(akin_open_clip_config_read(&config, out, &err), &err);
        assert_true(config.logit_bias);
        encode(out, false, vectors);
        assert_true(vectors[24] == 2.5f && vectors[25] == -2.0f);
        akin_net_free(net);
    }
}

static void test_refused(void **state)
{
    akin_error err;
    akin_net *net = make("tests/golden/clip/tiny-a", true, true);
    (void)state;
    assert_int_equal(akin_model_folder_write(net, "tests/golden/clip/tiny-a", folder, false, &err),
                     AKIN_E_UNSUPPORTED);
    akin_net_free(net);
    net = make("tests/golden/train/steps/vit", false, false);
    net->config.bare = true;
    assert_int_equal(akin_model_folder_write(net, "x", folder, false, &err), AKIN_E_UNSUPPORTED);
    net->config.bare = false;
    assert_int_equal(akin_net_read(net, "tests/golden/open_clip/oc-k", &err), AKIN_E_TENSOR_SHAPE);
    assert_int_equal(akin_net_read(net, "tests/golden/open_clip/oc-f", &err),
                     AKIN_E_TENSOR_SHAPE);
    akin_value(&net->parameters, 3)[1] = 1e6f;
    assert_int_equal(akin_model_folder_write(net, "tests/golden/train/steps/vit", folder, true,
                                             &err),
                     AKIN_E_NONFINITE);
    assert_non_null(strstr(err.message, net->parameters.items[3].name));
    akin_net_free(net);
}

static size_t learning(const akin_net *net)
{
    size_t count = 0;
    for (size_t i = 0; i < net->parameters.count; i++)
        count += akin_gradient(&net->parameters, i) != NULL;
    return count;
}

static void test_freeze(void **state)
{
    akin_net *vit = make("tests/golden/train/steps/vit", false, true);
    akin_net *resnet = make("tests/golden/train/steps/resnet", false, false);
    (void)state;
    const size_t all = learning(vit);
    assert_int_equal(all, vit->parameters.count);
    assert_true(learning(resnet) < resnet->parameters.count);
    akin_net_freeze(vit, true);
    akin_net_freeze(resnet, true);
    assert_int_equal(learning(vit), 4); /* two projections, scale, bias */
    assert_int_equal(learning(resnet), 4); /* text projection, c_proj and its bias, scale */
    akin_net_freeze(vit, false);
    assert_int_equal(learning(vit), all);
    akin_net_free(vit);
    akin_net_free(resnet);
}

/* Values are a function of the seed, and have what CLIP begins with. */
static void test_draw(void **state)
{
    (void)state;
    for (int arch = 0; arch < 2; arch++) {
        const char *from = arch == 0 ? "tests/golden/train/steps/vit"
                                     : "tests/golden/train/steps/resnet";
        akin_net *a = make(from, false, false), *b = make(from, false, arch == 1);
        akin_net *c = make(from, false, false);
        akin_net_draw(a, 1);
        akin_net_draw(b, 2);
        akin_net_draw(c, 1);
        assert_memory_equal(a->parameters.values, c->parameters.values,
                            a->parameters.floats * sizeof(float));
        assert_true(memcmp(a->parameters.values + 2, b->parameters.values + 2,
                           (a->parameters.floats - 2) * sizeof(float)) != 0);
        assert_true(*akin_value(&a->parameters, a->logit_scale) == (float)log(1 / 0.07));
        if (arch == 1) {
            assert_true(*akin_value(&b->parameters, b->logit_scale) == (float)log(10.0));
            assert_true(*akin_value(&b->parameters, b->logit_bias) == -10.0f);
        }
        akin_net_free(a);
        akin_net_free(b);
        akin_net_free(c);
    }
}

/* With AKIN_TEST_KEEP: folders for tools/oracle/train_steps.py --check. */
static void test_keep(void **state)
{
    const char *keep = getenv("AKIN_TEST_KEEP");
    (void)state;
    for (int i = 0; i < 4; i++) {
        char out[PATH_MAX];
        akin_error err;
        const char *from = i < 2 ? "tests/golden/train/steps/vit"
                                 : "tests/golden/train/steps/resnet";
        akin_net *net = make(from, false, i % 2 == 1);
        snprintf(out, sizeof out, "%s/%d", keep, i);
        ok(akin_model_folder_write(net, from, out, i % 2 == 1, &err), &err);
        akin_net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bias, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_draw),
    };
    const struct CMUnitTest keep[] = { cmocka_unit_test(test_keep) };
    if (getenv("AKIN_TEST_KEEP") != NULL)
        return cmocka_run_group_tests(keep, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
