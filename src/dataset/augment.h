/* augment.h - a picture as it might also have looked: crop, scale, rotation, shear, mirror,
 * background, colour, outline, blur, noise, JPEG. Closes the gap between clean artwork and the
 * world.
 *
 * A picture of 96 x 96 from one of that size takes 0.16 ms of a Zen 4 core as artwork, 0.18 with a
 * photograph behind, 0.13 as an icon, 0.12 as a scene, photograph or word, JPEG of every fourth
 * included (SSE2 alone: this is compiled for any processor).
 */
#ifndef AKIN_DATASET_AUGMENT_H
#define AKIN_DATASET_AUGMENT_H

#include "dataset/manifest.h"
#include "dataset/random.h"
#include "image/picture.h"

/* How much of each; all 0: none (the picture over white, resized as the model does). */
typedef struct akin_augment {
    float strength; /* 0 to 1, scales all of them; 1: what mini was trained with */
    bool jpeg;      /* also through a JPEG of random quality, now and then */
} akin_augment;

/* picture: AKIN_RGB or AKIN_RGBA (alpha not multiplied in). out [3, height, width], values 0 to 1
 * before mean and std, which are applied last: (v - mean[c]) / std[c]. background: NULL, or an
 * AKIN_RGB picture of any size that may stand behind artwork. scratch: akin_augment_floats(height,
 * width) floats of the caller. AKIN_E_NOMEM, which only the JPEG can be. */
size_t akin_augment_floats(int height, int width);
akin_status akin_augment_run(const akin_augment *augment, akin_random random, akin_kind kind,
                             bool flip, const akin_picture *picture,
                             const akin_picture *background, int height, int width,
                             const double mean[3], const double std[3], float *scratch, float *out,
                             akin_error *err);

#endif
