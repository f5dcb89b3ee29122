/* augment.c - what chance does to a picture, by its kind.
 *
 * The ranges are those of the trial that named emoji of a style it had not seen (a third of them,
 * from four styles), with what single-coloured icons and photographs need besides. Order: place,
 * colours, outline, few colours, ground, blur, noise, JPEG.
 */
#include "augment.h"

#include <math.h>
#include <string.h>

#include "augment_pixels.h"
#include "image/jpeg_write.h"

/* What was drawn. */
typedef struct plan {
    akin_affine affine;
    int unit_x, unit_y;
    akin_border border;
    akin_recolour recolour;
    bool icon;
    akin_inks inks;
    int outline; /* radius; 0: none */
    float outline_ink[3];
    int levels;  /* 0: all */
    akin_ground ground;
    float photo; /* how much of the background shows; 0: none */
    akin_affine photo_affine;
    int photo_x, photo_y; /* its units */
    int blurs;
    float noise;
    int quality; /* of a JPEG; 0: none */
} plan;

/* Texels a picture may take at most a side, for a result of `side`. */
static int most_texels(int side) { return 2 * side + 1; }

size_t akin_augment_floats(int height, int width)
{
    const size_t pixels = (size_t)height * (size_t)width;
    return 4 * ((size_t)most_texels(height) + 2) * ((size_t)most_texels(width) + 2) + 4 * pixels +
           16 * ((size_t)width + 64);
}

static bool chance(akin_random *random, double probability)
{
    return akin_random_uniform(random) < probability;
}

/* Uniform in [-reach, reach). */
static float around(akin_random *random, double reach)
{
    return akin_random_range(random, -reach, reach);
}

static float grey_of(const float c[3])
{
    return 0.299f * c[0] + 0.587f * c[1] + 0.114f * c[2];
}

/* ---- place */

/* Pixels of the picture that become one texel, when `step` of them lie between two pixels of the
 * result: at most 1.5 texels do then. */
static int unit_of(double step, int side, int result)
{
    const int most = most_texels(result);
    const int least = (side + most - 1) / most;
    const int unit = step < 1.5 ? 1 : step > 16384 ? 16384 : (int)(step + 0.5);
    return unit > least ? unit : least;
}

typedef struct place {
    float turn, scale, aspect, shear; /* scale: of what is seen, above 1 the picture is smaller */
    float x, y;                       /* of the picture's middle, in halves of the result's sides */
    bool mirror;
    float cover;                      /* 0: all of the picture is seen, 1: all of the result is
                                         filled, when the aspects differ */
} place;

static akin_affine affine_of(const place *p, int picture_width, int picture_height, int height,
                             int width)
{
    const double across = (double)picture_width / width, down = (double)picture_height / height;
    const double ratio = pow(fmax(across, down), 1.0 - (double)p->cover) *
                         pow(fmin(across, down), (double)p->cover);
    const double c = cos((double)p->turn), s = sin((double)p->turn), scale = (double)p->scale;
    const double flip = p->mirror ? -1 : 1, aspect = (double)p->aspect;
    const double m[4] = { ratio * flip * scale * c, ratio * (-scale * s + (double)p->shear),
                          ratio * flip * scale * aspect * s, ratio * scale * aspect * c };
    const double mx = 0.5 - width / 2.0, my = 0.5 - height / 2.0;
    return (akin_affine){ {
        (float)m[0], (float)m[1],
        (float)(picture_width / 2.0 - 0.5 + m[0] * mx + m[1] * my +
                ratio * (double)p->x * width / 2),
        (float)m[2], (float)m[3],
        (float)(picture_height / 2.0 - 0.5 + m[2] * mx + m[3] * my +
                ratio * (double)p->y * height / 2),
    } };
}

/* Of artwork: anywhere, seldom very small or cut. */
static place draw_art_place(akin_random *r, float strength)
{
    const double s = (double)strength, which = akin_random_uniform(r);
    place p = { .turn = around(r, 0.25 * s), .aspect = 1 + around(r, 0.15 * s),
                .shear = around(r, 0.15 * s), .cover = 1 - akin_random_range(r, 0, s) };
    double scale = (double)akin_random_range(r, 0.75, 1.4), shift = 0.175;
    if (which < 0.12) { /* 0.7 to 0.4 of its size */
        scale = (double)akin_random_range(r, 1.4, 2.5);
        shift = 0.8 * (scale - 1);
    } else if (which < 0.18) {
        scale = (double)akin_random_range(r, 0.58, 0.75);
        shift = 0.3;
    }
    p.scale = (float)(1 + (scale - 1) * s);
    p.x = around(r, shift * s);
    p.y = around(r, shift * s);
    return p;
}

/* Of what fills its frame: a part of it. */
static place draw_crop(akin_random *r, double least, double turn, float strength)
{
    const double s = (double)strength;
    place p = { .turn = around(r, turn * s), .cover = 1 };
    p.scale = 1 - akin_random_range(r, 0, (1 - least) * s);
    p.aspect = 1 + around(r, 0.06 * s);
    p.x = around(r, fmax(1 - (double)p.scale, 0.0));
    p.y = around(r, fmax(1 - (double)p.scale, 0.0));
    return p;
}

/* Moves a crop along the side of the picture that is longer than the result's. */
static void slide(akin_random *r, place *p, int picture_width, int picture_height, int height,
                  int width, float strength)
{
    const double across = (double)picture_width / width, down = (double)picture_height / height;
    const double x = fmax(across / down - 1, 0), y = fmax(down / across - 1, 0);
    p->x += around(r, 0.6 * x * (double)strength);
    p->y += around(r, 0.6 * y * (double)strength);
}

/* ---- colours */

static void no_recolour(akin_recolour *c)
{
    memset(c, 0, sizeof *c);
    for (int i = 0; i < 3; i++)
        c->matrix[i][i] = 1;
}

static void draw_art_colours(akin_random *r, float strength, akin_recolour *c)
{
    no_recolour(c);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            c->matrix[i][j] += (float)(akin_random_normal(r) * 0.13 * (double)strength);
    const double gamma = 1 + ((double)akin_random_range(r, 0.5, 1.7) - 1) * (double)strength;
    c->gamma = fabs(gamma - 1) > 0.02;
    for (int i = 0; c->gamma && i < 256; i++)
        c->table[i] = powf((float)i / 255, (float)gamma);
    c->grey = chance(r, 0.2 * (double)strength);
    c->invert = chance(r, 0.03 * (double)strength);
}

/* Brightness and contrast; with `hue`, saturation and a little of the balance as well. */
static void draw_mild_colours(akin_random *r, float strength, bool hue, akin_recolour *c)
{
    const double s = (double)strength;
    no_recolour(c);
    const float contrast = 1 + around(r, 0.2 * s), light = around(r, 0.08 * s);
    const float colour = hue ? 1 + around(r, 0.4 * s) : 1;
    const bool grey = hue && chance(r, 0.1 * s);
    static const float weights[3] = { 0.299f, 0.587f, 0.114f };
    for (int i = 0; i < 3; i++) {
        const float balance = hue ? 1 + around(r, 0.08 * s) : 1;
        const float keep = grey ? 0 : colour;
        for (int j = 0; j < 3; j++)
            c->matrix[i][j] = contrast * balance *
                              ((i == j ? keep : 0.0f) + (1 - keep) * weights[j]);
        c->matrix[i][3] = 0.5f - 0.5f * contrast + light;
    }
}

static void draw_colour(akin_random *r, float out[3])
{
    for (int c = 0; c < 3; c++)
        out[c] = akin_random_range(r, 0, 1);
}

/* Ink and paper that differ by 0.4 of the way from black to white at least. */
static void draw_inks(akin_random *r, float strength, float ink[3], float paper[3])
{
    const double which = akin_random_uniform(r), s = (double)strength;
    for (int c = 0; c < 3; c++) {
        ink[c] = 0;
        paper[c] = 1;
    }
    if (which >= 0.9 * s) /* as icons mostly are */
        return;
    if (which < 0.6 * s)
        draw_colour(r, paper);
    for (int tries = 0; tries < 16; tries++) {
        draw_colour(r, ink);
        if (fabsf(grey_of(ink) - grey_of(paper)) >= 0.4f)
            return;
    }
    for (int c = 0; c < 3; c++)
        ink[c] = grey_of(paper) < 0.5f ? 1 : 0;
}

/* A colour, and from end to end `change` of a normal deviation more of each channel. */
static void draw_ground(akin_random *r, const float colour[3], double change, int height, int width,
                        akin_ground *g)
{
    const double angle = chance(r, 0.5) ? 0 : (double)around(r, 3.1415927);
    for (int c = 0; c < 3; c++) {
        const double by = akin_random_normal(r) * change;
        g->along[c] = (float)(by * sin(angle) / width);
        g->down[c] = (float)(by * cos(angle) / height);
        g->colour[c] = colour[c] - g->along[c] * (float)width / 2 - g->down[c] * (float)height / 2;
    }
}

/* ---- a plan */

static void draw_finish(akin_random *r, const akin_augment *augment, double blur, double noise,
                        plan *p)
{
    const double s = (double)augment->strength;
    p->blurs = chance(r, blur * s) ? 1 + (int)chance(r, 0.25) : 0;
    p->noise = (float)(noise * s * akin_random_uniform(r));
    p->quality = chance(r, 0.25 * s) ? 30 + (int)akin_random_below(r, 61) : 0;
    p->quality = augment->jpeg ? p->quality : 0;
}

static void draw_artwork(akin_random *r, float strength, bool icon, bool flip,
                         const akin_picture *picture, const akin_picture *background, int height,
                         int width, plan *p)
{
    static const float white[3] = { 1, 1, 1 };
    const double s = (double)strength;
    place where = draw_art_place(r, strength);
    where.mirror = chance(r, 0.3 * s) && flip;
    p->affine = affine_of(&where, picture->width, picture->height, height, width);
    p->border = AKIN_BORDER_CLEAR;
    float colour[3] = { 1, 1, 1 };
    if (icon) {
        draw_inks(r, strength, p->inks.ink, p->inks.paper);
        memcpy(colour, p->inks.paper, sizeof colour);
        const bool plain = memcmp(colour, white, sizeof white) == 0;
        draw_ground(r, colour, plain ? 0 : 0.1 * s, height, width, &p->ground);
        p->photo = 0.35f;
    } else {
        draw_art_colours(r, strength, &p->recolour);
        /* 1 to 3 of 96 pixels, less around something small: it would be all outline. */
        const double side = height < width ? height : width, u = akin_random_uniform(r);
        const double radius = (u < 0.5 ? 1 : u < 0.8 ? 2 : 3) * side / 96 /
                              fmax((double)(where.scale * where.scale), 1);
        p->outline = radius < 1.5 ? 1 : radius > 16 ? 16 : (int)(radius + 0.5);
        p->outline = chance(r, 0.5 * s) ? p->outline : 0;
        for (int c = 0; c < 3; c++)
            p->outline_ink[c] = akin_random_range(r, 0, 0.2);
        const int levels = 3 + (int)akin_random_below(r, 3);
        p->levels = chance(r, 0.25 * s) ? levels : 0;
        const bool plain = !chance(r, 0.6 * s);
        if (!plain)
            draw_colour(r, colour);
        draw_ground(r, colour, plain ? 0 : 0.6 * s, height, width, &p->ground);
        p->photo = 1;
    }
    if (background == NULL) {
        p->photo = 0;
        return;
    }
    place behind = draw_crop(r, 0.4, 0.1, strength);
    behind.mirror = chance(r, 0.5);
    slide(r, &behind, background->width, background->height, height, width, strength);
    p->photo_affine = affine_of(&behind, background->width, background->height, height, width);
}

static void draw_filled(akin_random *r, float strength, akin_kind kind, bool flip,
                        const akin_picture *picture, int height, int width, plan *p)
{
    const bool word = kind == AKIN_KIND_WORD, photo = kind == AKIN_KIND_PHOTO;
    place where = draw_crop(r, word ? 0.92 : 0.8, photo ? 0.06 : word ? 0.04 : 0, strength);
    where.mirror = chance(r, (photo ? 0.5 : 0.3) * (double)strength) && flip && !word;
    if (!word)
        slide(r, &where, picture->width, picture->height, height, width, strength);
    p->affine = affine_of(&where, picture->width, picture->height, height, width);
    p->border = AKIN_BORDER_OPAQUE;
    draw_mild_colours(r, strength, photo, &p->recolour);
}

static double step_of(const akin_affine *a, int axis)
{
    return hypot((double)a->m[3 * axis], (double)a->m[3 * axis + 1]);
}

/* ---- carrying it out */

/* Through a JPEG and back. */
static akin_status through_jpeg(int height, int width, int quality, uint8_t *bytes, float *rgb,
                                akin_error *err)
{
    akin_picture picture = { .width = width, .height = height, .stored_height = height,
                             .layout = AKIN_RGB, .pixels = bytes };
    akin_picture back = { 0 };
    akin_buffer file;
    akin_status status;
    akin_buffer_init(&file, "a JPEG", (size_t)height * (size_t)width * 8 + 65536);
    akin_to_bytes(rgb, height * width, bytes);
    AKIN_TRY(akin_jpeg_write(&picture, quality, &file, err));
    AKIN_TRY(akin_picture_decode(&back, file.data, file.size, NULL, NULL, err));
    akin_from_bytes(back.pixels, height * width, rgb);
out:
    akin_picture_clear(&back);
    akin_buffer_clear(&file);
    return status;
}

static akin_status carry_out(const plan *p, akin_random *random, const akin_picture *picture,
                             const akin_picture *background, int height, int width,
                             float *scratch, float *out, akin_error *err)
{
    const int count = height * width;
    float *alpha = scratch, *bytes = alpha + count, *rows = bytes + 3 * (size_t)count + 64;
    float *row = rows + 7 * (size_t)width;
    float *at = row + 8 * (size_t)width + 64; /* blur: as many floats as pixels, of the texels' */
    akin_texels texels = akin_texels_load(picture, p->unit_x, p->unit_y, p->border, at);
    akin_inks inks = p->inks;
    if (p->icon) {
        inks.tone = akin_texels_tone(&texels);
        inks.opaque = inks.tone.alpha > 0.995f;
    }
    for (int y = 0; y < height; y++) {
        akin_texels_row(&texels, &p->affine, y, width, rows, row);
        if (p->icon)
            akin_ink_row(&inks, width, row);
        else
            akin_recolour_row(&p->recolour, width, rows, row);
        const size_t to = (size_t)y * (size_t)width;
        for (int c = 0; c < 3; c++)
            memcpy(out + (size_t)c * (size_t)count + to, row + (size_t)c * (size_t)width,
                   (size_t)width * sizeof *row);
        memcpy(alpha + to, row + 3 * (size_t)width, (size_t)width * sizeof *row);
    }
    if (p->outline != 0) {
        uint8_t *range = (uint8_t *)bytes, *work = range + count;
        akin_edges(out, alpha, height, width, p->outline, work, range);
        akin_outline(range, p->outline_ink, count, out, alpha);
    }
    if (p->levels != 0)
        akin_posterise(p->levels, 3 * count, out);
    if (p->photo > 0) {
        texels = akin_texels_load(background, p->photo_x, p->photo_y, AKIN_BORDER_OPAQUE, at);
        for (int y = 0; y < height; y++) {
            akin_texels_row(&texels, &p->photo_affine, y, width, rows, row);
            akin_over_row(&p->ground, row, p->photo, alpha, y, width, count, out);
        }
    } else if (p->border == AKIN_BORDER_CLEAR) {
        akin_over_ground(&p->ground, alpha, height, width, out);
    }
    for (int i = 0; i < p->blurs; i++)
        for (int c = 0; c < 3; c++)
            akin_blur(height, width, at, out + (size_t)c * (size_t)count);
    if (p->noise > 0.002f)
        akin_noise(random, p->noise, 3 * count, out);
    akin_clamp(3 * count, out);
    return p->quality == 0 ? AKIN_OK
                           : through_jpeg(height, width, p->quality, (uint8_t *)bytes, out, err);
}

akin_status akin_augment_run(const akin_augment *augment, akin_random random, akin_kind kind,
                             bool flip, const akin_picture *picture,
                             const akin_picture *background, int height, int width,
                             const double mean[3], const double std[3], float *scratch, float *out,
                             akin_error *err)
{
    akin_augment a = *augment;
    a.strength = a.strength > 0 ? (a.strength < 1 ? a.strength : 1) : 0;
    plan p;
    memset(&p, 0, sizeof p);
    no_recolour(&p.recolour);
    p.icon = kind == AKIN_KIND_ICON && a.strength > 0;
    if (kind == AKIN_KIND_ART || kind == AKIN_KIND_ICON)
        draw_artwork(&random, a.strength, p.icon, flip, picture, background, height, width, &p);
    else
        draw_filled(&random, a.strength, kind, flip, picture, height, width, &p);
    draw_finish(&random, &a, p.border == AKIN_BORDER_CLEAR ? 0.3 : 0.2, 0.04, &p);
    p.unit_x = unit_of(step_of(&p.affine, 0), picture->width, width);
    p.unit_y = unit_of(step_of(&p.affine, 1), picture->height, height);
    if (p.photo > 0) {
        p.photo_x = unit_of(step_of(&p.photo_affine, 0), background->width, width);
        p.photo_y = unit_of(step_of(&p.photo_affine, 1), background->height, height);
    }
    const akin_status status = carry_out(&p, &random, picture, background, height, width, scratch,
                                         out, err);
    if (status != AKIN_OK)
        return status;
    for (int c = 0; c < 3; c++) {
        const float scale = (float)(1 / std[c]), offset = (float)(-mean[c] / std[c]);
        float *restrict plane = out + (size_t)c * (size_t)height * (size_t)width;
        for (int i = 0; i < height * width; i++)
            plane[i] = plane[i] * scale + offset;
    }
    return AKIN_OK;
}
