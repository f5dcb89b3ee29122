/* preprocess.c - the tensor that CLIPImageProcessorPil makes of a picture.
 *
 * Owns the reading of preprocessor_config.json and the steps after decoding: resize, centre crop,
 * rescale, normalise. Refuses what CLIPImageProcessorPil can be told but CLIP never is
 * (longest_edge, padding, the configuration of another class). Matches transformers 5.23.0
 * (models/clip/image_processing_pil_clip.py, image_processing_backends.py, image_transforms.py) to
 * the last bit of every float.
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

static akin_status edge_of(const akin_json *value, const char *path, const char *field, int64_t *out,
                           akin_error *err)
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
static akin_status check_step(const akin_json *config, const char *path, bool done, const char *step,
                              const char *first, const char *second, akin_error *err)
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
static akin_status read_size(const akin_json *config, const char *path, const char *field, bool square,
                             size_field *io, akin_error *err)
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
    AKIN_TRY(
        akin_json_int_field(config, path, NULL, "resample", AKIN_NEAREST, AKIN_HAMMING, &resample, err));
    AKIN_TRY(akin_json_number_field(config, path, NULL, "rescale_factor", &out->rescale_factor, err));
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

/* ---- geometry */

/* One dimension: `size` samples after resizing; of them [from, from + count) land at out[at]. */
typedef struct span {
    int64_t size, from, count, at, out;
} span;

static void plan(const akin_preprocess *spec, int height, int width, span *down, span *across)
{
    *down = (span){ .size = height };
    *across = (span){ .size = width };
    if (spec->do_resize && spec->shortest_edge != 0) {
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
        s->from = (s->size - s->count) / 2; /* the excess, halved down */
        s->at = (crop - s->count + 1) / 2;  /* the lack, halved up */
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
            float x = spec->do_rescale ? (float)((double)v * spec->rescale_factor) : (float)v;
            table[c][v] = spec->do_normalize ? (x - mean) / std : x;
        }
    }
}

akin_status akin_preprocess_run(const akin_preprocess *spec, const akin_picture *picture,
                                const akin_picture_options *limits, float *out, size_t capacity,
                                akin_error *err)
{
    akin_picture_options bounds = limits != NULL ? *limits : akin_picture_default_options();
    akin_status status = AKIN_OK;
    uint8_t *resized = NULL;
    span down, across;
    plan(spec, picture->height, picture->width, &down, &across);
    if (down.size > INT32_MAX || across.size > INT32_MAX)
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
    const uint8_t *pixels;
    size_t pitch;
    if (down.size == picture->height && across.size == picture->width) {
        pitch = (size_t)picture->width * 3;
        pixels = picture->pixels + (size_t)down.from * pitch + (size_t)across.from * 3;
    } else {
        pitch = (size_t)across.count * 3;
        size_t bytes = pitch * (size_t)down.count; /* at most 3 bytes for each float of out */
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
        AKIN_TRY(akin_resize(picture->pixels, picture->width, picture->height, 3, (int)across.size,
                             (int)down.size, spec->resample, window, resized,
                             bounds.memory_bytes - bytes, err));
        pixels = resized;
    }

    float table[3][256];
    fill_table(spec, table);
    bool padded = across.count < across.out || down.count < down.out;
    for (size_t c = 0; c < 3; c++) {
        float *to = out + c * plane;
        /* Padding is black before rescaling and normalising. */
        for (size_t i = 0; padded && i < plane; i++)
            to[i] = table[c][0];
        for (int64_t y = 0; y < down.count; y++) {
            const uint8_t *from = pixels + (size_t)y * pitch + c;
            float *row = to + (down.at + y) * across.out + across.at;
            for (int64_t x = 0; x < across.count; x++)
                row[x] = table[c][from[3 * x]];
        }
    }
out:
    free(resized);
    return status;
}
