/* augment_pixels.h - the loops of augment.c: what is done to pixels, without any chance in it.
 *
 * Written to be vectorised by the compiler for plain SSE2: rows of one channel, no calls, no
 * branches. Pictures that are made are planes of floats, 0 to 1 with room above and below until
 * they are clamped.
 */
#ifndef AKIN_DATASET_AUGMENT_PIXELS_H
#define AKIN_DATASET_AUGMENT_PIXELS_H

#include <stdint.h>

#include "image/picture.h"
#include "random.h"

/* A picture to sample: red, green, blue multiplied by alpha, and alpha, with a border of one texel
 * all around; of `unit_x` x `unit_y` of the picture's pixels each. */
typedef struct akin_texels {
    float *at; /* [height + 2, width + 2, 4] */
    int width, height;
    int unit_x, unit_y;
} akin_texels;

typedef enum akin_border {
    AKIN_BORDER_CLEAR,  /* transparent */
    AKIN_BORDER_OPAQUE  /* the picture over white, its edge going on for ever */
} akin_border;

/* Averages boxes of unit_x x unit_y pixels of an AKIN_RGB or AKIN_RGBA picture. at: room for
 * 4 * (ceil(width / unit_x) + 2) * (ceil(height / unit_y) + 2) floats. */
akin_texels akin_texels_load(const akin_picture *picture, int unit_x, int unit_y,
                             akin_border border, float *at);

/* What the texels weigh: their mean grey where they are not clear, that of their outermost ring,
 * and their mean alpha. */
typedef struct akin_tone {
    float grey, edge, alpha;
} akin_tone;

akin_tone akin_texels_tone(const akin_texels *texels);

/* From a place of the result to one of the picture, in pixels, both counted from the middle of the
 * first: x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y + m[5]. */
typedef struct akin_affine {
    float m[6];
} akin_affine;

/* Row y of the result, bilinear: [4][width], multiplied by alpha. scratch: 7 * width floats. */
void akin_texels_row(const akin_texels *texels, const akin_affine *affine, int y, int width,
                     float *scratch, float *out);

/* What happens to colours, not multiplied by alpha: rows of the matrix are sums of red, green, blue
 * and one. */
typedef struct akin_recolour {
    float matrix[3][4];
    bool gamma, grey, invert;
    float table[256]; /* of `gamma`: v -> v^gamma */
} akin_recolour;

/* rgba [4][width]: from multiplied by alpha to not, and recoloured. scratch: width floats. */
void akin_recolour_row(const akin_recolour *recolour, int width, float *scratch, float *rgba);

/* Of an icon: what is darker than `grey` becomes ink, what is white paper. opaque: it has no
 * alpha; what differs from `edge` is the icon. */
typedef struct akin_inks {
    float ink[3], paper[3];
    akin_tone tone;
    bool opaque;
} akin_inks;

void akin_ink_row(const akin_inks *inks, int width, float *rgba);

/* Where edges are: range[height, width], 0 to 255, the largest difference of red, green, blue (over
 * black) or alpha within `radius`. bytes: 4 * height * width + 4 * (width + radius) of scratch. */
void akin_edges(const float *rgb, const float *alpha, int height, int width, int radius,
                uint8_t *bytes, uint8_t *range);

/* Draws ink where edges are. */
void akin_outline(const uint8_t *range, const float ink[3], int count, float *rgb, float *alpha);

/* Rounds to `levels` + 1 values. */
void akin_posterise(int levels, int count, float *values);

/* rgb [3, height, width] = rgb * alpha + ground * (1 - alpha); the ground a colour that changes
 * linearly: colour + x * along + y * down. */
typedef struct akin_ground {
    float colour[3], along[3], down[3];
} akin_ground;

void akin_over_ground(const akin_ground *ground, const float *alpha, int height, int width,
                      float *rgb);

/* The same over a row [3][width] of a photograph, of which `part` shows through the ground. */
void akin_over_row(const akin_ground *ground, const float *photo, float part, const float *alpha,
                   int y, int width, int plane, float *rgb);

/* Each pixel the mean of 3 x 3, edges going on. plane and scratch [height, width]. */
void akin_blur(int height, int width, float *scratch, float *plane);

/* Adds noise of this standard deviation (a triangle's distribution). */
void akin_noise(akin_random *random, float deviation, int count, float *values);

void akin_clamp(int count, float *values);

/* To bytes [height, width, 3] and back. */
void akin_to_bytes(const float *rgb, int count, uint8_t *bytes);
void akin_from_bytes(const uint8_t *bytes, int count, float *rgb);

#endif
