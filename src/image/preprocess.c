/* preprocess.c - the tensor that CLIPImageProcessorPil or open_clip makes of a picture.
 *
 * Owns the reading of preprocessor_config.json and of open_clip's preprocess_cfg, and the steps
 * after decoding: resize, centre crop, rescale, normalise. Refuses what CLIPImageProcessorPil can
 * be told but CLIP never is (longest_edge, padding, the configuration of another class). Matches
 * transformers 5.23.0 (models/clip/image_processing_pil_clip.py, image_processing_backends.py,
 * image_transforms.py) and open_clip 3.3.0 (transform.py, over torchvision 0.28) to the last bit of
 * every float.
 */
#include "preprocess.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/file.h"
#include "base/json.h"
#include "pixel.h"

#define MAX_CONFIG ((size_t)1 << 20)
#define MAX_EDGE 16384

/* ---- configuration */

static akin_preprocess defaults(void)
{
    return (akin_preprocess){
        .do_resize = true,
        .shortest_edge = 224,
        .resample = AKIN_BICUBIC,
        .do_center_crop = true,
        .crop_height = 224,
        .crop_width = 224,
        .do_rescale = true,
        .rescale_factor = 1.0 / 255.0,
        .do_normalize = true,
        .mean = { 0.48145466, 0.4578275, 0.40821073 },
        .std = { 0.26862954, 0.26130258, 0.27577711 },
    };
}

/* A size as the configuration gives it: shortest != 0, or height and width. */
typedef struct size_field {
    int64_t shortest, height, width;
} size_field;

static akin_status edge_of(const akin_json *value, const char *path, const char *field,
                           int64_t *out, akin_error *err)
{
    int64_t n = akin_json_is_integer(value) ? akin_json_integer(value) : 0;
    if (n < 1 || n > MAX_EDGE)
        return akin_fail(err, AKIN_E_CONFIG, path, "field '%s' must be an integer between 1 and %d",
                         field, MAX_EDGE);
    *out = n;
    return AKIN_OK;
}

/* A null is not an absent field: the reference keeps it, as a false for a flag and as an error for
 * a value that a step needs. */
static bool is_null(const akin_json *config, const char *field)
{
    return akin_json_is_null(akin_json_get(config, field));
}

static akin_status read_flag(const akin_json *config, const char *path, const char *field, bool *io,
                             akin_error *err)
{
    if (is_null(config, field))
        *io = false;
    return akin_json_bool_field(config, path, NULL, field, io, err);
}

/* Of a step that is done, no field may be null. */
static akin_status check_step(const akin_json *config, const char *path, bool done,
                              const char *step, const char *first, const char *second,
                              akin_error *err)
{
    const char *field = is_null(config, first)                      ? first
                        : second != NULL && is_null(config, second) ? second
                                                                    : NULL;
    if (done && field != NULL)
        return akin_fail(err, AKIN_E_CONFIG, path, "field '%s' is null while '%s' is true", field,
                         step);
    return AKIN_OK;
}

/* The forms that transformers' get_size_dict takes: an integer (`square` says whether of a square
 * or of the shortest edge), [height, width], or an object. Absent or null: *io keeps its value. */
static akin_status read_size(const akin_json *config, const char *path, const char *field,
                             bool square, size_field *io, akin_error *err)
{
    akin_status status = AKIN_OK;
    const akin_json *value = akin_json_get(config, field);
    size_field size = { 0 };
    if (value == NULL || akin_json_is_null(value))
        return AKIN_OK;
    if (akin_json_is_array(value)) {
        if (akin_json_count(value) != 2)
            return akin_fail(err, AKIN_E_CONFIG, path, "field '%s' must be [height, width]", field);
        AKIN_TRY(edge_of(akin_json_at(value, 0), path, field, &size.height, err));
        AKIN_TRY(edge_of(akin_json_at(value, 1), path, field, &size.width, err));
    } else if (akin_json_is_object(value)) {
        for (size_t i = 0; i < akin_json_members(value); i++) {
            const char *key = akin_json_key(value, i);
            const akin_json *edge = akin_json_member(value, i);
            int64_t *to = strcmp(key, "shortest_edge") == 0 ? &size.shortest
                          : strcmp(key, "height") == 0      ? &size.height
                          : strcmp(key, "width") == 0       ? &size.width
                                                            : NULL;
            if (to == NULL && akin_json_is_null(edge))
                continue; /* "longest_edge": null says nothing */
            if (to == NULL)
                return akin_fail(
                    err, AKIN_E_CONFIG, path,
                    "field '%s.%s' is not supported; use shortest_edge, or height and width", field,
                    key);
            AKIN_TRY(edge_of(edge, path, field, to, err));
        }
        bool both = size.height != 0 && size.width != 0, none = size.height == 0 && size.width == 0;
        if (size.shortest != 0 ? !none : !both)
            return akin_fail(err, AKIN_E_CONFIG, path,
                             "field '%s' must hold shortest_edge, or height and width", field);
    } else {
        int64_t n = 0;
        AKIN_TRY(edge_of(value, path, field, &n, err));
        if (square)
            size.height = size.width = n;
        else
            size.shortest = n;
    }
    *io = size;
out:
    return status;
}

/* Three numbers, or one for all three channels. */
static akin_status read_channels(const akin_json *config, const char *path, const char *field,
                                 double io[3], akin_error *err)
{
    const akin_json *value = akin_json_get(config, field);
    if (value == NULL || akin_json_is_null(value))
        return AKIN_OK;
    if (!akin_json_is_number(value) && !(akin_json_is_array(value) && akin_json_count(value) == 3))
        return akin_fail(err, AKIN_E_CONFIG, path, "field '%s' must be a list of three numbers",
                         field);
    for (size_t c = 0; c < 3; c++) {
        const akin_json *number = akin_json_is_array(value) ? akin_json_at(value, c) : value;
        if (!akin_json_is_number(number) || !(fabs(akin_json_double(number)) <= (double)FLT_MAX))
            return akin_fail(err, AKIN_E_CONFIG, path, "field '%s' must be a list of three numbers",
                             field);
        io[c] = akin_json_double(number);
    }
    return AKIN_OK;
}

/* The class decides what absent fields mean, so another class's file is refused. */
static akin_status check_class(const akin_json *config, const char *path, akin_error *err)
{
    static const char *const fields[] = { "image_processor_type", "feature_extractor_type" };
    static const char *const known[] = { "CLIPImageProcessor", "CLIPImageProcessorFast",
                                         "CLIPImageProcessorPil", "CLIPFeatureExtractor" };
    const char *name = NULL;
    for (size_t i = 0; i < 2 && name == NULL; i++) {
        akin_status status = akin_json_text_field(config, path, NULL, fields[i], &name, err);
        if (status != AKIN_OK)
            return status;
    }
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0)
            name = NULL;
    if (name != NULL)
        return akin_fail(err, AKIN_E_CONFIG, path,
                         "field 'image_processor_type' is '%s'; akin knows CLIPImageProcessor",
                         name);
    return AKIN_OK;
}

static akin_status read_config(akin_preprocess *out, const akin_json *config, const char *path,
                               akin_error *err)
{
    akin_status status;
    int64_t resample = out->resample;
    bool square = false, kosmos = false, pad = false, convert = true;
    size_field size = { .shortest = out->shortest_edge };
    size_field crop = { .height = out->crop_height, .width = out->crop_width };
    AKIN_TRY(check_class(config, path, err));
    AKIN_TRY(read_flag(config, path, "default_to_square", &square, err));
    AKIN_TRY(read_flag(config, path, "use_square_size", &kosmos, err));
    AKIN_TRY(read_flag(config, path, "do_pad", &pad, err));
    if (pad) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'do_pad' is true, which akin does not support");
        goto out;
    }
    /* Read for its type only: conversion to RGB is always done, as CLIP needs three channels. */
    AKIN_TRY(read_flag(config, path, "do_convert_rgb", &convert, err));
    AKIN_TRY(read_flag(config, path, "do_resize", &out->do_resize, err));
    AKIN_TRY(read_flag(config, path, "do_center_crop", &out->do_center_crop, err));
    AKIN_TRY(read_flag(config, path, "do_rescale", &out->do_rescale, err));
    AKIN_TRY(read_flag(config, path, "do_normalize", &out->do_normalize, err));
    AKIN_TRY(check_step(config, path, out->do_resize, "do_resize", "size", "resample", err));
    AKIN_TRY(
        check_step(config, path, out->do_center_crop, "do_center_crop", "crop_size", NULL, err));
    AKIN_TRY(check_step(config, path, out->do_rescale, "do_rescale", "rescale_factor", NULL, err));
    AKIN_TRY(check_step(config, path, out->do_normalize, "do_normalize", "image_mean", "image_std",
                        err));
    AKIN_TRY(akin_json_int_field(config, path, NULL, "resample", AKIN_NEAREST, AKIN_HAMMING,
                                 &resample, err));
    AKIN_TRY(
        akin_json_number_field(config, path, NULL, "rescale_factor", &out->rescale_factor, err));
    if (fabs(out->rescale_factor) > (double)FLT_MAX / 256) {
        status = akin_fail(err, AKIN_E_CONFIG, path, "field 'rescale_factor' is too large");
        goto out;
    }
    if (kosmos) /* in place of whatever size says */
        size = (size_field){ .height = 224, .width = 224 };
    else
        AKIN_TRY(read_size(config, path, "size", square, &size, err));
    AKIN_TRY(read_size(config, path, "crop_size", true, &crop, err));
    if (out->do_center_crop && crop.shortest != 0) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "field 'crop_size' must hold height and width");
        goto out;
    }
    AKIN_TRY(read_channels(config, path, "image_mean", out->mean, err));
    AKIN_TRY(read_channels(config, path, "image_std", out->std, err));
    for (int c = 0; c < 3; c++) {
        if ((float)out->std[c] == 0.0f) {
            status = akin_fail(err, AKIN_E_CONFIG, path, "field 'image_std' holds a zero");
            goto out;
        }
    }
    out->resample = (akin_filter)resample;
    out->shortest_edge = (int)size.shortest;
    out->height = (int)size.height;
    out->width = (int)size.width;
    out->crop_height = (int)crop.height;
    out->crop_width = (int)crop.width;
out:
    return status;
}

akin_status akin_preprocess_open(akin_preprocess *out, const char *folder, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_json *outer = NULL, *plain = NULL;
    const akin_json *config = NULL;
    *out = defaults();
    char *nested = akin_path_join(folder, "processor_config.json");
    char *path = akin_path_join(folder, "preprocessor_config.json");
    const char *used = nested;
    if (nested == NULL || path == NULL) {
        status = akin_fail_nomem(err, "path", 0);
        goto out;
    }
    /* The nested one wins, as in the reference. */
    if (akin_path_is_file(nested)) {
        AKIN_TRY(akin_json_read(nested, MAX_CONFIG, &outer, err));
        AKIN_TRY(akin_json_object_field(outer, nested, NULL, "image_processor", &config, err));
    }
    if (config == NULL && akin_path_is_file(path)) {
        AKIN_TRY(akin_json_read(path, MAX_CONFIG, &plain, err));
        config = plain;
        used = path;
    }
    if (config != NULL)
        status = read_config(out, config, used, err);
out:
    if (status != AKIN_OK)
        *out = defaults();
    akin_json_free(outer);
    akin_json_free(plain);
    free(nested);
    free(path);
    return status;
}

/* ---- open_clip's configuration */

/* A list of three, a list of one or a number for all. open_clip's `or` makes a 0 and an empty list
 * the default. */
static akin_status read_statistic(const akin_json *config, const char *path, const char *field,
                                  double io[3], akin_error *err)
{
    const akin_json *value = akin_json_get(config, field);
    const bool list = akin_json_is_array(value);
    const size_t count = akin_json_count(value); /* 0 of what is no list */
    if (value == NULL || akin_json_is_null(value) || (list && count == 0) ||
        (akin_json_is_number(value) && akin_json_double(value) == 0))
        return AKIN_OK;
    for (size_t c = 0; c < 3; c++) {
        const akin_json *number = list ? akin_json_at(value, count == 3 ? c : 0) : value;
        if ((list && count != 1 && count != 3) || !akin_json_is_number(number) ||
            !(fabs(akin_json_double(number)) <= (double)FLT_MAX))
            return akin_fail(err, AKIN_E_CONFIG, path,
                             "field 'preprocess_cfg.%s' must be a number or a list of three",
                             field);
        io[c] = akin_json_double(number);
    }
    return AKIN_OK;
}

static akin_status read_fill(const akin_json *config, const char *path, akin_preprocess *out,
                             akin_error *err)
{
    const akin_json *value = akin_json_get(config, "fill_color");
    if (value == NULL || akin_json_is_null(value))
        return AKIN_OK;
    const size_t count = akin_json_is_array(value) ? akin_json_count(value) : 1;
    bool good = count == 1 || count == 3;
    for (size_t c = 0; good && c < count; c++) {
        const akin_json *band = akin_json_is_array(value) ? akin_json_at(value, c) : value;
        good = akin_json_is_integer(band) && akin_json_integer(band) >= 0 &&
               akin_json_integer(band) <= 255;
        out->fill[c] = (uint8_t)akin_json_integer(band);
    }
    if (!good)
        return akin_fail(err, AKIN_E_CONFIG, path,
                         "field 'preprocess_cfg.fill_color' must be an integer between 0 and 255, "
                         "or a list of three");
    out->fill_bands = (int)count;
    return AKIN_OK;
}

/* Index of the field's text among `known`, which a NULL ends. Absent, null or empty: the first. */
static akin_status read_choice(const akin_json *config, const char *path, const char *field,
                               const char *const *known, int *out, akin_error *err)
{
    const char *name = NULL;
    akin_status status = akin_json_text_field(config, path, "preprocess_cfg", field, &name, err);
    *out = 0;
    if (status != AKIN_OK || name == NULL || name[0] == '\0')
        return status;
    for (; known[*out] != NULL; ++*out)
        if (strcmp(known[*out], name) == 0)
            return AKIN_OK;
    return akin_fail(err, AKIN_E_CONFIG, path,
                     "field 'preprocess_cfg.%s' is '%s', which open_clip does not know", field,
                     name);
}

static akin_status read_open_clip(akin_preprocess *out, const akin_json *config, const char *path,
                                  akin_error *err)
{
    static const char *const modes[] = { "RGB", NULL };
    static const char *const filters[] = { "bicubic", "bilinear", "random", NULL };
    static const char *const resizes[] = { "shortest", "longest", "squash", NULL };
    static const char *const alphas[] = { "drop", "white", NULL };
    enum { SHORTEST, LONGEST, SQUASH };
    akin_status status;
    const int height = out->height, width = out->width;
    int mode, filter, resize, alpha;
    AKIN_TRY(read_choice(config, path, "mode", modes, &mode, err));
    AKIN_TRY(read_choice(config, path, "interpolation", filters, &filter, err));
    AKIN_TRY(read_choice(config, path, "resize_mode", resizes, &resize, err));
    AKIN_TRY(read_choice(config, path, "alpha", alphas, &alpha, err)); /* akin's own */
    AKIN_TRY(read_statistic(config, path, "mean", out->mean, err));
    AKIN_TRY(read_statistic(config, path, "std", out->std, err));
    AKIN_TRY(read_fill(config, path, out, err));
    for (int c = 0; c < 3; c++) {
        if ((float)out->std[c] == 0.0f) {
            status = akin_fail(err, AKIN_E_CONFIG, path, "field 'preprocess_cfg.std' holds a zero");
            goto out;
        }
    }
    out->resample = filter == 1 ? AKIN_BILINEAR : AKIN_BICUBIC; /* random: for training */
    out->over_white = alpha == 1;
    out->do_center_crop = resize != SQUASH;
    if (resize == SHORTEST) {
        out->fill_bands = 1; /* fill_color is for "longest" alone */
        out->fill[0] = 0;
        if (height == width) {
            out->shortest_edge = height;
        } else {
            out->keep = AKIN_KEEP_OVER;
            out->resample = AKIN_BICUBIC; /* the class's default: the interpolation is not passed */
        }
    } else if (resize == LONGEST) {
        out->keep = AKIN_KEEP_INSIDE;
    }
out:
    return status;
}

akin_status akin_preprocess_open_clip(akin_preprocess *out, const char *folder, int height,
                                      int width, akin_error *err)
{
    akin_status status = AKIN_OK;
    akin_json *file = NULL;
    const akin_json *config = NULL;
    *out = defaults();
    out->open_clip = true;
    out->shortest_edge = 0;
    out->height = out->crop_height = height;
    out->width = out->crop_width = width;
    out->fill_bands = 1;
    char *path = folder != NULL ? akin_path_join(folder, "open_clip_config.json") : NULL;
    if (path == NULL && folder != NULL)
        return akin_fail_nomem(err, "path", 0);
    if (height < 1 || width < 1 || height > MAX_EDGE || width > MAX_EDGE) {
        status = akin_fail(err, AKIN_E_CONFIG, path,
                           "pictures of %d x %d pixels: a side must be between 1 and %d", width,
                           height, MAX_EDGE);
        goto out;
    }
    if (folder != NULL)
        AKIN_TRY(akin_json_read(path, MAX_CONFIG, &file, err));
    AKIN_TRY(akin_json_object_field(file, path, NULL, "preprocess_cfg", &config, err));
    status = read_open_clip(out, config, path, err);
out:
    akin_json_free(file);
    free(path);
    return status;
}

/* ---- geometry */

/* One dimension: `size` samples after resizing; of them [from, from + count) land at out[at]. */
typedef struct span {
    int64_t size, from, count, at, out;
} span;

static void plan(const akin_preprocess *spec, int height, int width, span *down, span *across)
{
    *down = (span){ .size = height };
    *across = (span){ .size = width };
    if (spec->do_resize && spec->keep != AKIN_KEEP_NOT) {
        double tall = (double)height / spec->height, broad = (double)width / spec->width;
        double ratio = (tall > broad) == (spec->keep == AKIN_KEEP_INSIDE) ? tall : broad;
        down->size = (int64_t)rint(height / ratio); /* Python's round: half to even */
        across->size = (int64_t)rint(width / ratio);
    } else if (spec->do_resize && spec->shortest_edge != 0) {
        int64_t narrow = height < width ? height : width, wide = height < width ? width : height;
        /* int(size * long / short): one rounding, then the floor. */
        int64_t longest = (int64_t)((double)(spec->shortest_edge * wide) / (double)narrow);
        down->size = height < width ? spec->shortest_edge : longest;
        across->size = height < width ? longest : spec->shortest_edge;
    } else if (spec->do_resize) {
        down->size = spec->height;
        across->size = spec->width;
    }
    span *both[] = { down, across };
    for (int i = 0; i < 2; i++) {
        span *s = both[i];
        int64_t crop = !spec->do_center_crop ? s->size
                       : i == 0              ? spec->crop_height
                                             : spec->crop_width;
        s->out = crop;
        s->count = crop < s->size ? crop : s->size;
        int64_t excess = s->size - s->count, lack = crop - s->count;
        /* transformers halves the excess down and the lack up; torchvision halves the excess to the
         * even and the lack down. */
        s->from = excess / 2 + (spec->open_clip && excess % 4 == 3);
        s->at = (lack + !spec->open_clip) / 2;
    }
}

void akin_preprocess_shape(const akin_preprocess *spec, int height, int width, int *out_height,
                           int *out_width)
{
    span down, across;
    plan(spec, height, width, &down, &across);
    *out_height = down.out < INT32_MAX ? (int)down.out : INT32_MAX;
    *out_width = across.out < INT32_MAX ? (int)across.out : INT32_MAX;
}

/* ---- values */

/* What becomes of each sample value in each channel: the reference's arithmetic, once a value
 * instead of once a sample. */
static void fill_table(const akin_preprocess *spec, float table[3][256])
{
    for (int c = 0; c < 3; c++) {
        float mean = (float)spec->mean[c], std = (float)spec->std[c];
        for (int v = 0; v < 256; v++) {
            float x = spec->open_clip    ? (float)v / 255.0f
                      : spec->do_rescale ? (float)((double)v * spec->rescale_factor)
                                         : (float)v;
            table[c][v] = spec->do_normalize ? (x - mean) / std : x;
        }
    }
}

/* convert("RGB") of one row. */
static void to_rgb(akin_layout layout, const uint8_t *in, int64_t count, uint8_t *rgb)
{
    if (akin_layout_bytes(layout) == 3) {
        memcpy(rgb, in, 3 * (size_t)count);
        return;
    }
    for (int64_t i = 0; i < count; i++, in += 4, rgb += 3)
        for (int c = 0; c < 3; c++) /* alpha is dropped, colours stay as stored */
            rgb[c] = layout == AKIN_CMYK ? akin_ink_to_light(in[c], in[3]) : in[c];
}

/* The colour around a picture that is too small. open_clip pads in the picture's own mode, so that
 * a 0 is the first colour of a palette, and no ink on paper: white. */
static void border(const akin_preprocess *spec, const akin_picture *picture, uint8_t rgb[3])
{
    if (spec->fill_bands == 3) {
        memcpy(rgb, spec->fill, 3);
        return;
    }
    const uint8_t v = spec->fill[0], bands[4] = { v, v, v, v };
    if (picture->layout == AKIN_RGB_NEAREST)
        memcpy(rgb, picture->palette[v], 3);
    else
        to_rgb(picture->layout, bands, 1, rgb);
}

akin_status akin_preprocess_run(const akin_preprocess *spec, const akin_picture *picture,
                                const akin_picture_options *limits, float *out, size_t capacity,
                                akin_error *err)
{
    akin_picture_options bounds = limits != NULL ? *limits : akin_picture_default_options();
    akin_status status = AKIN_OK;
    uint8_t *resized = NULL, *row = NULL;
    span down, across;
    if (picture->layout != AKIN_RGB && !spec->open_clip)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a picture that is not yet RGB");
    plan(spec, picture->height, picture->width, &down, &across);
    if (down.size > INT32_MAX || across.size > INT32_MAX || down.size < 1 || across.size < 1)
        return akin_fail(
            err, AKIN_E_LIMIT, NULL,
            "a picture of %d x %d pixels is too narrow: resized it would be %lld x %lld",
            picture->width, picture->height, (long long)across.size, (long long)down.size);
    size_t plane, samples;
    if (!akin_mul((size_t)down.out, (size_t)across.out, &plane) || !akin_mul(plane, 3, &samples) ||
        samples > capacity)
        return akin_fail(err, AKIN_E_CAPACITY, NULL,
                         "the tensor is 3 x %lld x %lld; there is room for %zu floats",
                         (long long)down.out, (long long)across.out, capacity);

    /* The window of the resized picture that the crop keeps. */
    const size_t pixel = (size_t)akin_layout_bytes(picture->layout);
    const uint8_t *pixels;
    size_t pitch;
    if (down.size == picture->height && across.size == picture->width) {
        pitch = (size_t)picture->width * pixel;
        pixels = picture->pixels + (size_t)down.from * pitch + (size_t)across.from * pixel;
    } else {
        pitch = (size_t)across.count * pixel;
        size_t bytes = pitch * (size_t)down.count; /* at most 4 bytes for each float of out */
        if (bytes > bounds.memory_bytes)
            return akin_fail(
                err, AKIN_E_LIMIT, NULL,
                "resizing to %lld x %lld pixels needs %zu bytes of memory, the limit is %zu: raise "
                "it with --max-memory",
                (long long)across.count, (long long)down.count, bytes, bounds.memory_bytes);
        resized = malloc(bytes);
        if (resized == NULL)
            return akin_fail_nomem(err, "a resized picture", bytes);
        akin_window window = { (int)across.from, (int)down.from, (int)across.count,
                               (int)down.count };
        const size_t left = bounds.memory_bytes - bytes;
        if (picture->layout == AKIN_RGBA)
            AKIN_TRY(akin_resize_alpha(picture->pixels, picture->width, picture->height,
                                       (int)across.size, (int)down.size, spec->resample, window,
                                       resized, left, err));
        else
            AKIN_TRY(akin_resize(picture->pixels, picture->width, picture->height, (int)pixel,
                                 (int)across.size, (int)down.size,
                                 picture->layout == AKIN_RGB_NEAREST ? AKIN_NEAREST
                                                                     : spec->resample,
                                 window, resized, left, err));
        pixels = resized;
    }

    float table[3][256];
    uint8_t around[3] = { 0 }; /* padding comes before rescaling and normalising */
    fill_table(spec, table);
    if (spec->open_clip)
        border(spec, picture, around);
    for (size_t c = 0; c < 3 && (across.count < across.out || down.count < down.out); c++)
        for (size_t i = 0; i < plane; i++)
            out[c * plane + i] = table[c][around[c]];
    if (pixel != 3) {
        row = malloc(3 * (size_t)across.count);
        if (row == NULL) {
            status = akin_fail_nomem(err, "a row", 3 * (size_t)across.count);
            goto out;
        }
    }
    for (int64_t y = 0; y < down.count; y++) {
        const uint8_t *from = pixels + (size_t)y * pitch;
        if (row != NULL) {
            to_rgb(picture->layout, from, across.count, row);
            from = row;
        }
        float *to = out + (down.at + y) * across.out + across.at;
        for (size_t c = 0; c < 3; c++)
            for (int64_t x = 0; x < across.count; x++)
                to[c * plane + (size_t)x] = table[c][from[3 * x + (int64_t)c]];
    }
out:
    free(row);
    free(resized);
    return status;
}
