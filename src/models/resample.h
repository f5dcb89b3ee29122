/* resample.h - position tables stretched to another size, as open_clip does when it loads them.
 *
 * Reference: open_clip 3.3.0 model.py resize_pos_embed and resize_text_pos_embed over PyTorch
 * 2.13.0 F.interpolate, in float32 as ATen computes it.
 */
#ifndef AKIN_MODELS_RESAMPLE_H
#define AKIN_MODELS_RESAMPLE_H

#include <stddef.h>

#include "base/error.h"
#include "weights/checkpoint.h"

/* A grid [side, side, d] to [height, width, d]: bicubic (a = -0.5) with antialias. */
akin_status akin_resample_grid(const float *from, size_t side, float *to, size_t height,
                               size_t width, size_t d, akin_error *err);

/* Rows [count, d] to [out, d]: linear between neighbours, without antialias. `dtype` is what the
 * rows were stored in: of f16 and bf16 ATen rounds weights and results to the same type. */
void akin_resample_rows(const float *from, size_t count, float *to, size_t out, size_t d,
                        akin_dtype dtype);

#endif
