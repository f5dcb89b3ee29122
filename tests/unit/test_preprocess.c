/* test_preprocess.c - image/preprocess.c against CLIPImageProcessorPil (tests/golden/pictures). */
#include "unit.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "image/preprocess.h"
#include "picture_golden.h"

#define GOLDEN "tests/golden/pictures/"

/* Every picture through every specification, to the last bit. */
static void every_tensor(void **state)
{
    (void)state;
    akin_json *all;
    akin_error err;
    assert_int_equal(akin_json_read(GOLDEN "pictures.json", 4 << 20, &all, &err), AKIN_OK);
    size_t i, tensors = 0;
    const akin_json *entry;
    float *out = malloc(3 * 336 * 336 * sizeof *out);
    for (i = 0; i < akin_json_count(akin_json_get(all, "pictures")); i++) {
        entry = akin_json_at(akin_json_get(all, "pictures"), i);
        char path[256];
        const char *file = akin_json_string(akin_json_get(entry, "file"));
        snprintf(path, sizeof path, GOLDEN "%s", file);
        akin_picture picture;
        if (akin_picture_read(&picture, path, NULL, &err) != AKIN_OK)
            fail_msg("%s: %s", file, err.message);
        const char *name;
        const akin_json *want;
        for (size_t member = 0; member < akin_json_members(akin_json_get(entry, "tensors")); member++) {
            name = akin_json_key(akin_json_get(entry, "tensors"), member);
            want = akin_json_member(akin_json_get(entry, "tensors"), member);
            akin_preprocess spec;
            snprintf(path, sizeof path, GOLDEN "specs/%s", name);
            if (akin_preprocess_open(&spec, path, &err) != AKIN_OK)
                fail_msg("%s: %s", name, err.message);
            int h, w;
            akin_preprocess_shape(&spec, picture.height, picture.width, &h, &w);
            assert_int_equal(h, akin_json_integer(akin_json_at(want, 0)));
            assert_int_equal(w, akin_json_integer(akin_json_at(want, 1)));
            size_t n = 3 * (size_t)h * (size_t)w;
            assert_true(n <= 3 * 336 * 336);
            assert_int_equal(akin_preprocess_run(&spec, &picture, NULL, out, n, &err), AKIN_OK);
            const akin_json *picks = akin_json_at(want, 3);
            size_t count = akin_json_count(picks);
            for (size_t k = 0; k < count; k++) {
                float ours = out[count == n ? k : k * (n - 1) / 4];
                float theirs = (float)akin_json_double(akin_json_at(picks, k));
                if (ours != theirs)
                    fail_msg("%s, %s: value %zu is %.9g, not %.9g", file, name, k, (double)ours,
                             (double)theirs);
            }
            char hash[17];
            if (strcmp(golden_hash(out, n * sizeof *out, hash),
                       akin_json_string(akin_json_at(want, 2))) != 0)
                fail_msg("%s, %s: the tensor differs", file, name);
            tensors++;
        }
        akin_picture_clear(&picture);
    }
    free(out);
    akin_json_free(all);
    assert_int_equal(tensors, i * 10);
    assert_true(i >= 140);
}

/* 225, 227 and 229 crop at 0, 1 and 2; a lack of 3 pads 2 and 1. */
static void crop_offsets(void **state)
{
    (void)state;
    akin_preprocess spec = { .do_center_crop = true, .crop_height = 4, .crop_width = 224 };
    static const struct {
        int width, first;
    } rows[] = { { 224, 0 }, { 225, 0 }, { 226, 1 }, { 227, 1 }, { 229, 2 } };
    uint8_t pixels[229 * 3];
    for (int x = 0; x < 229; x++)
        memset(pixels + 3 * x, x, 3);
    float *out = malloc(3 * 4 * 224 * sizeof *out);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        akin_picture one = { .width = rows[i].width, .height = 1, .pixels = pixels };
        assert_int_equal(akin_preprocess_run(&spec, &one, NULL, out, 3 * 4 * 224, NULL), AKIN_OK);
        assert_true(out[2 * 224] == (float)rows[i].first); /* one row, at ceil(3 / 2) */
        assert_true(out[2 * 224 + 1] == (float)rows[i].first + 1);
        assert_true(out[1 * 224 + 1] == 0.0f && out[3 * 224 + 1] == 0.0f);
    }
    free(out);
}

static void shapes(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    int h, w;
    assert_int_equal(akin_preprocess_open(&spec, GOLDEN "specs/clip", &err), AKIN_OK);
    akin_preprocess_shape(&spec, 3000, 1, &h, &w);
    assert_int_equal(h, 224);
    assert_int_equal(w, 224);
    spec.do_center_crop = false;
    akin_preprocess_shape(&spec, 480, 640, &h, &w);
    assert_int_equal(h, 224);
    assert_int_equal(w, 298); /* 298.67, floored */
    akin_preprocess_shape(&spec, 3000, 1, &h, &w);
    assert_int_equal(h, 672000);
    assert_int_equal(w, 224);
}

/* 1 x 65,500 and 65,500 x 1 cost no more than the window. */
static void the_thinnest(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    akin_picture_options small = { .file_bytes = 1 << 20, .memory_bytes = 4 << 20 };
    uint8_t *pixels = malloc(65500 * 3);
    for (size_t i = 0; i < 65500 * 3; i++)
        pixels[i] = golden_byte(9, i);
    float *out = malloc(3 * 224 * 224 * sizeof *out);
    assert_int_equal(akin_preprocess_open(&spec, GOLDEN "specs/clip", &err), AKIN_OK);
    akin_picture high = { .width = 1, .height = 65500, .pixels = pixels };
    akin_picture wide = { .width = 65500, .height = 1, .pixels = pixels };
    assert_int_equal(akin_preprocess_run(&spec, &high, &small, out, 3 * 224 * 224, &err), AKIN_OK);
    assert_true(out[0] == out[223] && out[0] != out[223 * 224]);
    assert_int_equal(akin_preprocess_run(&spec, &wide, &small, out, 3 * 224 * 224, &err), AKIN_OK);
    assert_true(out[0] != out[223] && out[0] == out[223 * 224]);
    small.memory_bytes = 1000;
    assert_int_equal(akin_preprocess_run(&spec, &wide, &small, out, 3 * 224 * 224, &err),
                     AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "--max-memory"));
    assert_int_equal(akin_preprocess_run(&spec, &wide, NULL, out, 3 * 224 * 224 - 1, &err),
                     AKIN_E_CAPACITY);
    spec.shortest_edge = 16384;
    spec.do_center_crop = false;
    akin_picture thinner = { .width = 1, .height = 200000, .pixels = pixels };
    assert_int_equal(akin_preprocess_run(&spec, &thinner, NULL, out, 3 * 224 * 224, &err),
                     AKIN_E_LIMIT);
    free(pixels);
    free(out);
}

/* ---- configuration */

static char folder[] = "/tmp/akin-preprocess-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = text != NULL ? fopen(path, "w") : NULL;
    if (text == NULL) {
        unlink(path);
        return;
    }
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static akin_status open_text(akin_preprocess *spec, const char *text, akin_error *err)
{
    put("preprocessor_config.json", text);
    return akin_preprocess_open(spec, folder, err);
}

static void class_defaults(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    /* No file, an empty one, and one about other things all mean the class's own values. */
    static const char *const texts[] = {
        NULL, "{}", "{\"do_convert_rgb\":null,\"processor_class\":\"CLIPProcessor\"}"
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(open_text(&spec, texts[i], &err), AKIN_OK);
        assert_true(spec.do_resize && spec.do_center_crop && spec.do_rescale && spec.do_normalize);
        assert_int_equal(spec.shortest_edge, 224);
        assert_int_equal(spec.crop_height, 224);
        assert_int_equal(spec.resample, AKIN_BICUBIC);
        assert_true(spec.rescale_factor == 1.0 / 255.0 && spec.mean[0] == 0.48145466 &&
                    spec.std[2] == 0.27577711);
    }
}

/* A null switches a step off; it is no default. */
static void nulls(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    assert_int_equal(
        open_text(&spec,
                  "{\"do_resize\":null,\"do_rescale\":null,\"do_normalize\":null,\"size\":null,"
                  "\"resample\":null,\"rescale_factor\":null,\"image_mean\":null}",
                  &err),
        AKIN_OK);
    assert_true(!spec.do_resize && !spec.do_rescale && !spec.do_normalize && spec.do_center_crop);
}

static void forms_of_size(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    assert_int_equal(open_text(&spec, "{\"size\":336,\"crop_size\":300}", &err), AKIN_OK);
    assert_int_equal(spec.shortest_edge, 336);
    assert_int_equal(spec.crop_width, 300);
    assert_int_equal(open_text(&spec, "{\"size\":336,\"default_to_square\":true}", &err), AKIN_OK);
    assert_int_equal(spec.shortest_edge, 0);
    assert_int_equal(spec.height, 336);
    assert_int_equal(open_text(&spec, "{\"size\":{\"height\":10,\"width\":20}}", &err), AKIN_OK);
    assert_int_equal(spec.shortest_edge, 0);
    assert_int_equal(spec.height, 10);
    assert_int_equal(spec.width, 20);
    assert_int_equal(open_text(&spec, "{\"size\":100,\"use_square_size\":true}", &err), AKIN_OK);
    assert_int_equal(spec.width, 224);
    /* The nested form wins over the file of its own. */
    put("processor_config.json", "{\"image_processor\":{\"size\":111}}");
    assert_int_equal(akin_preprocess_open(&spec, folder, &err), AKIN_OK);
    assert_int_equal(spec.shortest_edge, 111);
    put("processor_config.json", "{\"processor_class\":\"CLIPProcessor\"}");
    assert_int_equal(open_text(&spec, "{\"size\":112}", &err), AKIN_OK);
    assert_int_equal(spec.shortest_edge, 112);
    put("processor_config.json", NULL);
}

static void refused_configurations(void **state)
{
    (void)state;
    static const struct {
        const char *text, *names;
        akin_status status;
    } rows[] = {
        { "{\"size\":0}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":16385}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":224.0}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":\"224\"}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":[224]}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":{}}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":{\"height\":224}}", "'size'", AKIN_E_CONFIG },
        { "{\"size\":{\"height\":224,\"width\":224,\"shortest_edge\":1}}", "'size'",
          AKIN_E_CONFIG },
        { "{\"size\":{\"shortest_edge\":224,\"longest_edge\":300}}", "'size.longest_edge'",
          AKIN_E_CONFIG },
        { "{\"size\":{\"max_height\":224,\"max_width\":300}}", "'size.max_", AKIN_E_CONFIG },
        { "{\"size\":null}", "'size' is null while 'do_resize'", AKIN_E_CONFIG },
        { "{\"resample\":null}", "'resample' is null", AKIN_E_CONFIG },
        { "{\"crop_size\":null}", "'crop_size' is null", AKIN_E_CONFIG },
        { "{\"rescale_factor\":null}", "'rescale_factor' is null", AKIN_E_CONFIG },
        { "{\"image_std\":null}", "'image_std' is null", AKIN_E_CONFIG },
        { "{\"crop_size\":{\"shortest_edge\":224}}", "'crop_size'", AKIN_E_CONFIG },
        { "{\"resample\":6}", "'resample'", AKIN_E_CONFIG },
        { "{\"resample\":-1}", "'resample'", AKIN_E_CONFIG },
        { "{\"resample\":\"bicubic\"}", "'resample'", AKIN_E_CONFIG },
        { "{\"do_resize\":1}", "'do_resize'", AKIN_E_CONFIG },
        { "{\"do_pad\":true}", "'do_pad'", AKIN_E_CONFIG },
        { "{\"image_mean\":[0.5,0.5]}", "'image_mean'", AKIN_E_CONFIG },
        { "{\"image_mean\":[0.5,0.5,\"x\"]}", "'image_mean'", AKIN_E_CONFIG },
        { "{\"image_std\":[0.5,0,0.5]}", "'image_std'", AKIN_E_CONFIG },
        { "{\"image_std\":[0.5,1e-60,0.5]}", "'image_std'", AKIN_E_CONFIG },
        { "{\"image_std\":[0.5,1e200,0.5]}", "'image_std'", AKIN_E_CONFIG },
        { "{\"rescale_factor\":1e38}", "'rescale_factor'", AKIN_E_CONFIG },
        { "{\"image_processor_type\":\"SiglipImageProcessor\"}", "'SiglipImageProcessor'",
          AKIN_E_CONFIG },
        { "{\"size\":224", "JSON", AKIN_E_FORMAT },
        { "[]", "object", AKIN_E_FORMAT },
    };
    akin_preprocess spec;
    akin_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        akin_status status = open_text(&spec, rows[i].text, &err);
        if (status != rows[i].status || strstr(err.message, rows[i].names) == NULL)
            fail_msg("%s: %d %s", rows[i].text, (int)status, err.message);
        assert_non_null(strstr(err.path, "preprocessor_config.json"));
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int drop_folder(void **state)
{
    (void)state;
    put("preprocessor_config.json", NULL);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor),
        cmocka_unit_test(crop_offsets),
        cmocka_unit_test(shapes),
        cmocka_unit_test(the_thinnest),
        cmocka_unit_test(class_defaults),
        cmocka_unit_test(nulls),
        cmocka_unit_test(forms_of_size),
        cmocka_unit_test(refused_configurations),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
