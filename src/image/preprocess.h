/* preprocess.h - pixels to exactly the tensor that the reference preprocessor makes.
 *
 * References: transformers 5.23.0 CLIPImageProcessorPil, and open_clip 3.3.0 image_transform_v2
 * over torchvision 0.28, both over Pillow 13.0.0 (docs/pictures.md).
 */
#ifndef AKIN_IMAGE_PREPROCESS_H
#define AKIN_IMAGE_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/picture.h"
#include "image/resize.h"

/* How open_clip keeps the aspect of a picture that is to become height x width. */
typedef enum akin_keep {
    AKIN_KEEP_NOT,  /* shortest_edge, height and width say it all */
    AKIN_KEEP_OVER, /* neither side is shorter than asked for: "shortest" of a target that is no
                       square */
    AKIN_KEEP_INSIDE /* neither side is longer: "longest" */
} akin_keep;

/* What preprocessor_config.json says, with the class defaults of CLIPImageProcessor where it says
 * nothing; or what open_clip_config.json says. A value: copy freely. */
typedef struct akin_preprocess {
    bool open_clip;           /* rounds as open_clip does, pads with `fill` and converts to RGB
                                 last: pictures come as_stored (akin_picture_options) */
    bool over_white;          /* of open_clip: "alpha" is "white". Pictures come as AKIN_RGB, not
                                 as_stored: transparency is laid over white before anything else */
    bool do_resize;
    int shortest_edge;        /* 0: resize to height x width instead, whatever the aspect */
    int height, width;
    akin_keep keep;
    akin_filter resample;
    bool do_center_crop;
    int crop_height, crop_width;
    int fill_bands;           /* of open_clip: 1, fill[0] is every band of the picture's own mode
                                 (an index in AKIN_RGB_NEAREST, ink in AKIN_CMYK); 3, a colour */
    uint8_t fill[3];
    bool do_rescale;
    double rescale_factor;
    bool do_normalize;
    double mean[3], std[3];
} akin_preprocess;

/* Reads folder/preprocessor_config.json (absent: class defaults; a processor_config.json that
 * holds an "image_processor" object wins, as in the reference). An int size or crop_size (the
 * published openai files) means shortest edge and square. A null is no default: it switches a do_
 * field off and is an error for a value that a step needs. Unknown resample filters, sizes past
 * 16,384, a std of 0 and another class's file are AKIN_E_CONFIG naming the field. */
akin_status akin_preprocess_open(akin_preprocess *out, const char *folder, akin_error *err);

/* Reads "preprocess_cfg" of folder/open_clip_config.json, as open_clip 3.3.0 uses it: mean, std,
 * interpolation, resize_mode, fill_color; absent or null: OpenAI's values, bicubic, shortest, 0.
 * Beside these akin knows "alpha": "drop" (open_clip's own way, the default), "white".
 * folder NULL: as if absent. Its size does not count: the picture tower's does, height x width.
 * Another mode than RGB, unknown names, a std of 0 and fill_color outside 0 to 255 are
 * AKIN_E_CONFIG naming the field. */
akin_status akin_preprocess_open_clip(akin_preprocess *out, const char *folder, int height,
                                      int width, akin_error *err);

/* How pictures are to be read for it: akin_picture_options.as_stored. */
static inline bool akin_preprocess_as_stored(const akin_preprocess *spec)
{
    return spec->open_clip && !spec->over_white;
}

/* Height and width of the tensor that a picture of height x width becomes. */
void akin_preprocess_shape(const akin_preprocess *spec, int height, int width, int *out_height,
                           int *out_width);

/* Writes float32 [3, out_height, out_width] to out, which has room for `capacity` floats
 * (AKIN_E_CAPACITY otherwise). Layouts other than AKIN_RGB are for spec->open_clip alone
 * (AKIN_E_ARGUMENT). Computes only the samples that the crop needs; extra memory is
 * bounded by limits->memory_bytes (NULL: the default limits). */
akin_status akin_preprocess_run(const akin_preprocess *spec, const akin_picture *picture,
                                const akin_picture_options *limits, float *out, size_t capacity,
                                akin_error *err);

#endif
