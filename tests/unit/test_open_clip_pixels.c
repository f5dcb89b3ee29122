/* test_open_clip_pixels.c - image/preprocess.c as open_clip preprocesses, against open_clip itself
 * (tests/golden/open_clip_pixels). */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "image/preprocess.h"
#include "picture_golden.h"

#define GOLDEN "tests/golden/open_clip_pixels/"

enum { CONFIGS = 13, MOST = 3 * 224 * 224 };

static akin_picture_options as_stored(void)
{
    akin_picture_options options = akin_picture_default_options();
    options.as_stored = true;
    return options;
}

/* The size of the tower, which a caller has from "model_cfg". */
static akin_status open_golden(akin_preprocess *spec, const char *name, akin_error *err)
{
    char path[256];
    akin_json *file;
    snprintf(path, sizeof path, GOLDEN "%s/open_clip_config.json", name);
    assert_int_equal(akin_json_read(path, 1 << 16, &file, err), AKIN_OK);
    const akin_json *size =
        akin_json_get(akin_json_get(akin_json_get(file, "model_cfg"), "vision_cfg"), "image_size");
    bool list = akin_json_is_array(size);
    int height = (int)akin_json_integer(list ? akin_json_at(size, 0) : size);
    int width = (int)akin_json_integer(list ? akin_json_at(size, 1) : size);
    akin_json_free(file);
    snprintf(path, sizeof path, GOLDEN "%s", name);
    return akin_preprocess_open_clip(spec, path, height, width, err);
}

static akin_layout layout_of(const char *mode)
{
    return strcmp(mode, "P") == 0 || strcmp(mode, "1") == 0     ? AKIN_RGB_NEAREST
           : strcmp(mode, "LA") == 0 || strcmp(mode, "RGBA") == 0 ? AKIN_RGBA
           : strcmp(mode, "CMYK") == 0                            ? AKIN_CMYK
                                                                  : AKIN_RGB;
}

/* Every picture through every configuration, to the last bit. */
static void every_tensor(void **state)
{
    (void)state;
    akin_json *all;
    akin_error err;
    assert_int_equal(akin_json_read(GOLDEN "tensors.json", 1 << 20, &all, &err), AKIN_OK);
    akin_preprocess specs[CONFIGS];
    const akin_json *names = akin_json_get(all, "configs"), *row;
    assert_int_equal(akin_json_count(names), CONFIGS);
    for (size_t k = 0; k < CONFIGS; k++)
        if (open_golden(&specs[k], akin_json_string(akin_json_at(names, k)), &err) != AKIN_OK)
            fail_msg("%s: %s", err.path, err.message);
    const akin_picture_options options = as_stored();
    float *out = malloc(MOST * sizeof *out);
    size_t i, tensors = 0, refused = 0, layouts[4] = { 0 }, wrong = 0;
    for (i = 0; i < akin_json_count(akin_json_get(all, "pictures")); i++) {
        row = akin_json_at(akin_json_get(all, "pictures"), i);
        char path[256], hash[17];
        const char *file = akin_json_string(akin_json_at(row, 0));
        snprintf(path, sizeof path, "tests/golden/%s", file);
        akin_picture picture;
        if (akin_picture_read(&picture, path, &options, &err) != AKIN_OK)
            fail_msg("%s: %s", file, err.message);
        assert_int_equal(picture.layout, layout_of(akin_json_string(akin_json_at(row, 1))));
        layouts[picture.layout]++;
        for (size_t k = 0; k < CONFIGS; k++) {
            const char *want = akin_json_string(akin_json_at(row, 2 + k));
            int h, w;
            akin_preprocess_shape(&specs[k], picture.height, picture.width, &h, &w);
            assert_int_equal(h, specs[k].height);
            assert_int_equal(w, specs[k].width);
            size_t n = 3 * (size_t)h * (size_t)w;
            akin_status status = akin_preprocess_run(&specs[k], &picture, NULL, out, n, &err);
            if (want == NULL) {
                /* A colour of three goes round a picture of any mode here. */
                if (status == AKIN_OK ? specs[k].fill_bands != 3 : status != AKIN_E_LIMIT)
                    fail_msg("%s: %s", file, akin_status_name(status));
                refused++;
                continue;
            }
            if (status != AKIN_OK || strcmp(golden_hash(out, n * sizeof *out, hash), want) != 0) {
                print_error("%s, %s: the tensor differs\n", file,
                            akin_json_string(akin_json_at(names, k)));
                wrong++;
            }
            tensors++;
        }
        akin_picture_clear(&picture);
    }
    free(out);
    akin_json_free(all);
    assert_int_equal(wrong, 0);
    assert_int_equal(i, 157);
    assert_int_equal(tensors + refused, 157 * CONFIGS);
    assert_true(refused < 70);
    for (int k = 0; k < 4; k++)
        assert_true(layouts[k] >= 5);
}

/* A target of 4 x 4 from pictures that are larger by 1, 2, 3, 5, 7 and smaller by 1, 3. */
static void crop_offsets(void **state)
{
    (void)state;
    akin_preprocess spec = { .open_clip = true, .do_center_crop = true, .crop_height = 1,
                             .crop_width = 4, .fill_bands = 1, .fill = { 99 } };
    static const struct {
        int width, first, at;
    } rows[] = { { 4, 0, 0 }, { 5, 0, 0 },  { 6, 1, 0 }, { 7, 2, 0 },
                 { 9, 2, 0 }, { 11, 4, 0 }, { 3, 0, 0 }, { 1, 0, 1 } };
    uint8_t pixels[11 * 3];
    for (int x = 0; x < 11; x++)
        memset(pixels + 3 * x, x, 3);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        akin_picture one = { .width = rows[i].width, .height = 1, .pixels = pixels };
        float out[12];
        assert_int_equal(akin_preprocess_run(&spec, &one, NULL, out, 12, NULL), AKIN_OK);
        for (int x = 0; x < 4; x++) {
            int from = x - rows[i].at + rows[i].first;
            bool inside = x >= rows[i].at && from < rows[i].width;
            assert_true(out[x] == (float)(inside ? from : 99) / 255.0f);
        }
    }
}

/* The colour round a picture in each layout: of a palette its entry, of inks their light. */
static void borders(void **state)
{
    (void)state;
    akin_preprocess spec = { .open_clip = true, .do_center_crop = true, .crop_height = 1,
                             .crop_width = 3, .fill_bands = 1, .fill = { 2 } };
    uint8_t pixel[4] = { 10, 20, 30, 40 };
    static const struct {
        akin_layout layout;
        int around[3], inside[3];
    } rows[] = {
        { AKIN_RGB, { 2, 2, 2 }, { 10, 20, 30 } },
        { AKIN_RGB_NEAREST, { 7, 8, 9 }, { 10, 20, 30 } },
        { AKIN_RGBA, { 2, 2, 2 }, { 10, 20, 30 } },
        { AKIN_CMYK, { 251, 251, 251 }, { 207, 198, 190 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        akin_picture one = { .width = 1, .height = 1, .layout = rows[i].layout, .pixels = pixel };
        one.palette[2][0] = 7, one.palette[2][1] = 8, one.palette[2][2] = 9;
        float out[9];
        assert_int_equal(akin_preprocess_run(&spec, &one, NULL, out, 9, NULL), AKIN_OK);
        for (int c = 0; c < 3; c++) {
            assert_true(out[3 * c] == (float)rows[i].around[c] / 255.0f);
            assert_true(out[3 * c + 1] == (float)rows[i].inside[c] / 255.0f);
        }
    }
}

/* A picture with alpha, as large as the limit, is resized without a second one beside it. */
static void alpha_in_bands(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    assert_int_equal(open_golden(&spec, "laion", &err), AKIN_OK);
    const int width = 300, height = 4000;
    akin_picture p = { .width = width, .height = height, .layout = AKIN_RGBA,
                       .pixels = malloc(4 * (size_t)width * (size_t)height) };
    for (size_t i = 0; i < 4 * (size_t)width * (size_t)height; i++)
        p.pixels[i] = golden_byte(3, i);
    float *out = malloc(MOST * sizeof *out);
    akin_picture_options limits = akin_picture_default_options();
    limits.memory_bytes = 1 << 20; /* the picture has 4.8 MB */
    assert_int_equal(akin_preprocess_run(&spec, &p, &limits, out, MOST, &err), AKIN_OK);
    limits.memory_bytes = 250000;
    assert_int_equal(akin_preprocess_run(&spec, &p, &limits, out, MOST, &err), AKIN_E_LIMIT);
    assert_non_null(strstr(err.message, "--max-memory"));
    spec.open_clip = false; /* transformers wants RGB */
    assert_int_equal(akin_preprocess_run(&spec, &p, NULL, out, MOST, &err), AKIN_E_ARGUMENT);
    free(out);
    akin_picture_clear(&p);
}

/* ---- configuration */

static char folder[] = "/tmp/akin-open-clip-XXXXXX";

static akin_status open_text(akin_preprocess *spec, const char *cfg, akin_error *err)
{
    char path[128];
    snprintf(path, sizeof path, "%s/open_clip_config.json", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "{\"preprocess_cfg\":%s}", cfg);
    fclose(f);
    return akin_preprocess_open_clip(spec, folder, 30, 40, err);
}

static void fields(void **state)
{
    (void)state;
    akin_preprocess spec;
    akin_error err;
    static const char *const defaults[] = {
        "null", "{}", "{\"mode\":null,\"mean\":null,\"fill_color\":null,\"size\":[1,2,3],\"x\":1}",
        "{\"mean\":0.0,\"std\":0,\"interpolation\":\"\",\"resize_mode\":\"\"}"
    };
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        assert_int_equal(open_text(&spec, defaults[i], &err), AKIN_OK);
        assert_true(spec.open_clip && spec.keep == AKIN_KEEP_OVER && spec.do_center_crop &&
                    spec.height == 30 && spec.width == 40 && spec.resample == AKIN_BICUBIC &&
                    spec.mean[1] == 0.4578275 && spec.std[2] == 0.27577711);
    }
    assert_int_equal(open_text(&spec, "{\"resize_mode\":\"squash\",\"mean\":[1,2,3],\"std\":[4]}",
                               &err),
                     AKIN_OK);
    assert_true(!spec.do_center_crop && spec.keep == AKIN_KEEP_NOT && spec.shortest_edge == 0 &&
                spec.mean[2] == 3 && spec.std[0] == 4 && spec.std[2] == 4);
    assert_int_equal(open_text(&spec,
                               "{\"resize_mode\":\"longest\",\"interpolation\":\"bilinear\","
                               "\"fill_color\":[255,0,7]}",
                               &err),
                     AKIN_OK);
    assert_true(spec.keep == AKIN_KEEP_INSIDE && spec.resample == AKIN_BILINEAR &&
                spec.fill_bands == 3 && spec.fill[0] == 255 && spec.fill[2] == 7);
    assert_true(akin_preprocess_as_stored(&spec));
    assert_int_equal(open_text(&spec, "{\"alpha\":\"white\"}", &err), AKIN_OK);
    assert_false(akin_preprocess_as_stored(&spec));
}

static void refused_fields(void **state)
{
    (void)state;
    static const struct {
        const char *cfg, *names;
        akin_status status;
    } rows[] = {
        { "{\"mode\":\"L\"}", "'preprocess_cfg.mode' is 'L'", AKIN_E_CONFIG },
        { "{\"interpolation\":\"lanczos\"}", "'preprocess_cfg.interpolation' is 'lanczos'",
          AKIN_E_CONFIG },
        { "{\"interpolation\":3}", "interpolation", AKIN_E_CONFIG },
        { "{\"resize_mode\":\"crop\"}", "'preprocess_cfg.resize_mode' is 'crop'", AKIN_E_CONFIG },
        { "{\"mean\":[1,2]}", "'preprocess_cfg.mean'", AKIN_E_CONFIG },
        { "{\"mean\":\"0.5\"}", "'preprocess_cfg.mean'", AKIN_E_CONFIG },
        { "{\"mean\":[1,2,null]}", "'preprocess_cfg.mean'", AKIN_E_CONFIG },
        { "{\"mean\":true}", "'preprocess_cfg.mean'", AKIN_E_CONFIG },
        { "{\"std\":[1,1e300,1]}", "'preprocess_cfg.std'", AKIN_E_CONFIG },
        { "{\"std\":[1,0,1]}", "'preprocess_cfg.std' holds a zero", AKIN_E_CONFIG },
        { "{\"std\":1e-60}", "'preprocess_cfg.std' holds a zero", AKIN_E_CONFIG },
        { "{\"fill_color\":256}", "'preprocess_cfg.fill_color'", AKIN_E_CONFIG },
        { "{\"fill_color\":-1}", "'preprocess_cfg.fill_color'", AKIN_E_CONFIG },
        { "{\"fill_color\":[]}", "'preprocess_cfg.fill_color'", AKIN_E_CONFIG },
        { "{\"fill_color\":[1,2]}", "'preprocess_cfg.fill_color'", AKIN_E_CONFIG },
        { "{\"fill_color\":[1,2,3,4]}", "'preprocess_cfg.fill_color'", AKIN_E_CONFIG },
        { "{\"fill_color\":\"white\"}", "'preprocess_cfg.fill_color'", AKIN_E_CONFIG },
        { "{\"alpha\":\"black\"}", "'preprocess_cfg.alpha' is 'black'", AKIN_E_CONFIG },
        { "[]", "preprocess_cfg", AKIN_E_CONFIG },
        { "{", "JSON", AKIN_E_FORMAT },
    };
    akin_preprocess spec;
    akin_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        akin_status status = open_text(&spec, rows[i].cfg, &err);
        if (status != rows[i].status || strstr(err.message, rows[i].names) == NULL)
            fail_msg("%s: %d %s", rows[i].cfg, (int)status, err.message);
        assert_non_null(strstr(err.path, "open_clip_config.json"));
    }
    assert_int_equal(open_text(&spec, "{}", &err), AKIN_OK);
    assert_int_equal(akin_preprocess_open_clip(&spec, folder, 0, 40, &err), AKIN_E_CONFIG);
    assert_int_equal(akin_preprocess_open_clip(&spec, folder, 30, 16385, &err), AKIN_E_CONFIG);
    assert_int_equal(akin_preprocess_open_clip(&spec, "/nowhere", 30, 40, &err), AKIN_E_NOT_FOUND);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int drop_folder(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/open_clip_config.json", folder);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tensor),
        cmocka_unit_test(crop_offsets),
        cmocka_unit_test(borders),
        cmocka_unit_test(alpha_in_bands),
        cmocka_unit_test(fields),
        cmocka_unit_test(refused_fields),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
