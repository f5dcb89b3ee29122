/* preprocess.h - RGB pixels to exactly the tensor that the reference preprocessor makes.
 *
 * Reference: transformers 5.23.0 CLIPImageProcessorPil over Pillow 13.0.0 (docs/pictures.md).
 */
#ifndef AKIN_IMAGE_PREPROCESS_H
#define AKIN_IMAGE_PREPROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "image/picture.h"
#include "image/resize.h"

/* What preprocessor_config.json says, with the class defaults of CLIPImageProcessor where it says
 * nothing. A value: copy freely. */
typedef struct akin_preprocess {
    bool do_resize;
    int shortest_edge;        /* 0: resize to height x width instead, whatever the aspect */
    int height, width;
    akin_filter resample;
    bool do_center_crop;
    int crop_height, crop_width;
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
 * interpolation, resize_mode, fill_color; absent or null: OpenAI's values, bicubic, shortest, 0. Its
 * size does not count: the picture tower's does, height x width. */
akin_status akin_preprocess_open_clip(akin_preprocess *out, const char *folder, int height,
                                      int width, akin_error *err);

/* Height and width of the tensor that a picture of height x width becomes. */
void akin_preprocess_shape(const akin_preprocess *spec, int height, int width, int *out_height,
                           int *out_width);

/* Writes float32 [3, out_height, out_width] to out, which has room for `capacity` floats
 * (AKIN_E_CAPACITY otherwise). Computes only the samples that the crop needs; extra memory is
 * bounded by limits->memory_bytes (NULL: the default limits). */
akin_status akin_preprocess_run(const akin_preprocess *spec, const akin_picture *picture,
                                const akin_picture_options *limits, float *out, size_t capacity,
                                akin_error *err);

#endif
