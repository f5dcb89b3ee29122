/* augment_pixels.c - see the header. */
#include "augment_pixels.h"

#include <string.h>

/* Four floats; of any alignment, and another view of the floats they are. */
typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));

static inline float least(float a, float b) { return a < b ? a : b; }
static inline float most(float a, float b) { return a > b ? a : b; }
static inline float clamped(float v) { return least(most(v, 0.0f), 1.0f); }

/* ---- texels */

/* One row of the picture, added to a row of texels: of every pixel, colours times alpha and alpha,
 * 0 to 255. */
static void add_row(const uint8_t *restrict in, int width, int channels, int unit, bool white,
                    float *restrict out)
{
    const float whole = 1.0f / 255;
    if (channels == 3) {
        for (int x = 0; x < width; x++) {
            float *o = out + 4 * (x / unit);
            o[0] += in[3 * x];
            o[1] += in[3 * x + 1];
            o[2] += in[3 * x + 2];
            o[3] += 255.0f;
        }
        return;
    }
    for (int x = 0; x < width; x++) {
        float *o = out + 4 * (x / unit);
        const float a = in[4 * x + 3] * whole, ground = white ? 255.0f - in[4 * x + 3] : 0.0f;
        o[0] += in[4 * x] * a + ground;
        o[1] += in[4 * x + 1] * a + ground;
        o[2] += in[4 * x + 2] * a + ground;
        o[3] += white ? 255.0f : in[4 * x + 3];
    }
}

/* The same of a texel a pixel, scaled to 0 to 1. */
static void set_row(const uint8_t *restrict in, int width, int channels, bool white,
                    float *restrict out)
{
    const float whole = 1.0f / 255;
    if (channels == 3) {
        for (int x = 0; x < width; x++) {
            out[4 * x] = in[3 * x] * whole;
            out[4 * x + 1] = in[3 * x + 1] * whole;
            out[4 * x + 2] = in[3 * x + 2] * whole;
            out[4 * x + 3] = 1.0f;
        }
    } else {
        const float ground = white ? 1.0f : 0.0f;
        for (int x = 0; x < width; x++) {
            const float a = in[4 * x + 3] * whole, rest = (1.0f - a) * ground, part = a * whole;
            out[4 * x] = in[4 * x] * part + rest;
            out[4 * x + 1] = in[4 * x + 1] * part + rest;
            out[4 * x + 2] = in[4 * x + 2] * part + rest;
            out[4 * x + 3] = a + rest;
        }
    }
}

akin_texels akin_texels_load(const akin_picture *picture, int unit_x, int unit_y,
                             akin_border border, float *at)
{
    const int channels = akin_layout_bytes(picture->layout);
    const bool opaque = border == AKIN_BORDER_OPAQUE;
    akin_texels t = { at, (picture->width + unit_x - 1) / unit_x,
                      (picture->height + unit_y - 1) / unit_y, unit_x, unit_y };
    const size_t stride = 4 * ((size_t)t.width + 2), pixels = (size_t)picture->width;
    for (int y = 0; y < t.height; y++) {
        float *row = at + ((size_t)y + 1) * stride;
        const uint8_t *in =
            picture->pixels + (size_t)y * (size_t)unit_y * pixels * (size_t)channels;
        if (unit_x == 1 && unit_y == 1) {
            set_row(in, t.width, channels, opaque, row + 4);
        } else {
            memset(row, 0, stride * sizeof *row);
            const int rows = picture->height - y * unit_y < unit_y ? picture->height - y * unit_y
                                                                   : unit_y;
            for (int j = 0; j < rows; j++)
                add_row(in + (size_t)j * pixels * (size_t)channels, picture->width, channels,
                        unit_x, opaque, row + 4);
            const int last = picture->width - (t.width - 1) * unit_x; /* pixels in the last */
            const float scale = 1.0f / (255.0f * (float)rows * (float)unit_x);
            for (int i = 4; i < 4 + 4 * t.width; i++)
                row[i] *= scale;
            for (int c = 0; c < 4; c++)
                row[4 * t.width + c] *= (float)unit_x / (float)last;
        }
        for (int c = 0; c < 4; c++) {
            row[c] = opaque ? row[4 + c] : 0.0f;
            row[stride - 4 + (size_t)c] = opaque ? row[stride - 8 + (size_t)c] : 0.0f;
        }
    }
    float *bottom = at + ((size_t)t.height + 1) * stride;
    if (opaque) {
        memcpy(at, at + stride, stride * sizeof *at);
        memcpy(bottom, bottom - stride, stride * sizeof *at);
    } else {
        memset(at, 0, stride * sizeof *at);
        memset(bottom, 0, stride * sizeof *at);
    }
    return t;
}

akin_tone akin_texels_tone(const akin_texels *t)
{
    v4 all = { 0 }, ring = { 0 };
    const size_t stride = 4 * ((size_t)t->width + 2);
    for (int y = 1; y <= t->height; y++) {
        const float *row = t->at + (size_t)y * stride;
        v4 sum = { 0 };
        for (int x = 1; x <= t->width; x++)
            sum += *(const v4 *)(row + 4 * x);
        all += sum;
        if (y == 1 || y == t->height)
            ring += sum;
        ring += *(const v4 *)(row + 4) + *(const v4 *)(row + 4 * t->width);
    }
    const float texels = (float)t->width * (float)t->height;
    return (akin_tone){ .grey = (all[0] + all[1] + all[2]) / (3 * all[3] + 1e-4f),
                        .edge = (ring[0] + ring[1] + ring[2]) / (3 * ring[3] + 1e-4f),
                        .alpha = all[3] / texels };
}

void akin_texels_row(const akin_texels *t, const akin_affine *affine, int y, int width,
                     float *scratch, float *out)
{
    const float *m = affine->m;
    const float ux = 1.0f / (float)t->unit_x, uy = 1.0f / (float)t->unit_y;
    const float x0 = (m[1] * (float)y + m[2] + 0.5f) * ux + 0.5f, dx = m[0] * ux;
    const float y0 = (m[4] * (float)y + m[5] + 0.5f) * uy + 0.5f, dy = m[3] * uy;
    const float right = (float)t->width + 0.999f, bottom = (float)t->height + 0.999f;
    const int stride = 4 * (t->width + 2);
    float *fx = scratch, *fy = scratch + width, *texels = scratch + 3 * width;
    int *places = (int *)(void *)(scratch + 2 * width);
    for (int x = 0; x < width; x++) {
        const float sx = least(most(x0 + dx * (float)x, 0.0f), right);
        const float sy = least(most(y0 + dy * (float)x, 0.0f), bottom);
        const int ix = (int)sx, iy = (int)sy;
        fx[x] = sx - (float)ix;
        fy[x] = sy - (float)iy;
        places[x] = iy * stride + 4 * ix;
    }
    for (int x = 0; x < width; x++) {
        const float *p = t->at + places[x], *q = p + stride;
        const v4 a = *(const v4 *)p, b = *(const v4 *)(p + 4);
        const v4 c = *(const v4 *)q, d = *(const v4 *)(q + 4);
        const v4 above = a + (b - a) * fx[x], below = c + (d - c) * fx[x];
        *(v4 *)(texels + 4 * x) = above + (below - above) * fy[x];
    }
    for (int x = 0; x < width; x++) {
        out[x] = texels[4 * x];
        out[width + x] = texels[4 * x + 1];
        out[2 * width + x] = texels[4 * x + 2];
        out[3 * width + x] = texels[4 * x + 3];
    }
}

/* ---- colours */

/* v [width], 0 to 1, through a table. */
static void map_row(const float *table, int width, int *restrict scratch, float *restrict v)
{
    for (int x = 0; x < width; x++)
        scratch[x] = (int)(v[x] * 255.0f + 0.5f);
    for (int x = 0; x < width; x++)
        v[x] = table[scratch[x]];
}

void akin_recolour_row(const akin_recolour *recolour, int width, float *scratch, float *rgba)
{
    float *restrict r = rgba, *restrict g = rgba + width, *restrict b = rgba + 2 * width;
    const float *restrict a = rgba + 3 * width;
    const float (*m)[4] = recolour->matrix;
    const float m00 = m[0][0], m01 = m[0][1], m02 = m[0][2], m03 = m[0][3];
    const float m10 = m[1][0], m11 = m[1][1], m12 = m[1][2], m13 = m[1][3];
    const float m20 = m[2][0], m21 = m[2][1], m22 = m[2][2], m23 = m[2][3];
    for (int x = 0; x < width; x++) {
        const float over = 1.0f / (a[x] + 1e-4f);
        const float R = r[x] * over, G = g[x] * over, B = b[x] * over;
        r[x] = clamped(m00 * R + m01 * G + m02 * B + m03);
        g[x] = clamped(m10 * R + m11 * G + m12 * B + m13);
        b[x] = clamped(m20 * R + m21 * G + m22 * B + m23);
    }
    if (recolour->gamma)
        for (int c = 0; c < 3; c++)
            map_row(recolour->table, width, (int *)(void *)scratch, rgba + c * width);
    if (recolour->grey)
        for (int x = 0; x < width; x++)
            r[x] = g[x] = b[x] = (r[x] + g[x] + b[x]) * (1.0f / 3);
    if (recolour->invert)
        for (int i = 0; i < 3 * width; i++)
            rgba[i] = 1.0f - rgba[i];
}

void akin_ink_row(const akin_inks *inks, int width, float *rgba)
{
    float *restrict r = rgba, *restrict g = rgba + width, *restrict b = rgba + 2 * width;
    float *restrict a = rgba + 3 * width;
    const float dark = inks->tone.grey, light = 1.0f / most(1.0f - dark, 0.02f);
    const float edge = inks->tone.edge, reach = 1.3f / most(edge, 1.0f - edge);
    const float *ink = inks->ink, *paper = inks->paper;
    const float dr = paper[0] - ink[0], dg = paper[1] - ink[1], db = paper[2] - ink[2];
    const float ir = ink[0], ig = ink[1], ib = ink[2];
    if (inks->opaque) {
        for (int x = 0; x < width; x++) {
            const float grey = (r[x] + g[x] + b[x]) * (1.0f / 3);
            const float far = grey - edge * a[x];
            a[x] = least(most(far, -far) * reach, 1.0f);
            r[x] = ir;
            g[x] = ig;
            b[x] = ib;
        }
        return;
    }
    for (int x = 0; x < width; x++) {
        const float grey = (r[x] + g[x] + b[x]) * (1.0f / 3) / (a[x] + 1e-4f);
        const float t = clamped((grey - dark) * light);
        r[x] = ir + dr * t;
        g[x] = ig + dg * t;
        b[x] = ib + db * t;
    }
}

/* ---- outlines */

static inline uint8_t larger(uint8_t a, uint8_t b) { return a > b ? a : b; }
static inline uint8_t smaller(uint8_t a, uint8_t b) { return a < b ? a : b; }

/* The largest and the smallest of the rows from y - radius to y + radius, with the ends repeated
 * `radius` times: [width + 2 * radius] each. */
static void column_range(const uint8_t *plane, int height, int width, int y, int radius,
                         uint8_t *restrict high, uint8_t *restrict low)
{
    const int first = y - radius < 0 ? 0 : y - radius;
    const int last = y + radius > height - 1 ? height - 1 : y + radius;
    memcpy(high + radius, plane + (size_t)first * (size_t)width, (size_t)width);
    memcpy(low + radius, plane + (size_t)first * (size_t)width, (size_t)width);
    for (int j = first + 1; j <= last; j++) {
        const uint8_t *restrict row = plane + (size_t)j * (size_t)width;
        for (int x = 0; x < width; x++) {
            high[radius + x] = larger(high[radius + x], row[x]);
            low[radius + x] = smaller(low[radius + x], row[x]);
        }
    }
    memset(high, high[radius], (size_t)radius);
    memset(low, low[radius], (size_t)radius);
    memset(high + radius + width, high[radius + width - 1], (size_t)radius);
    memset(low + radius + width, low[radius + width - 1], (size_t)radius);
}

void akin_edges(const float *rgb, const float *alpha, int height, int width, int radius,
                uint8_t *bytes, uint8_t *range)
{
    const int count = height * width;
    uint8_t *high = bytes + 4 * (size_t)count, *low = high + width + 2 * radius;
    uint8_t *restrict widest = low + width + 2 * radius, *restrict least_of = widest + width;
    for (int c = 0; c < 3; c++) {
        const float *restrict plane = rgb + (size_t)c * (size_t)count;
        uint8_t *restrict to = bytes + (size_t)c * (size_t)count;
        for (int i = 0; i < count; i++)
            to[i] = (uint8_t)(int)(plane[i] * alpha[i] * 255.0f + 0.5f);
    }
    for (int i = 0; i < count; i++)
        bytes[3 * (size_t)count + (size_t)i] = (uint8_t)(int)(alpha[i] * 255.0f + 0.5f);
    for (int y = 0; y < height; y++) {
        uint8_t *restrict to = range + (size_t)y * (size_t)width;
        memset(to, 0, (size_t)width);
        for (int c = 0; c < 4; c++) {
            column_range(bytes + (size_t)c * (size_t)count, height, width, y, radius, high, low);
            memcpy(widest, high, (size_t)width);
            memcpy(least_of, low, (size_t)width);
            for (int i = 1; i <= 2 * radius; i++) {
                const uint8_t *h = high + i, *l = low + i;
                for (int x = 0; x < width; x++) {
                    widest[x] = larger(widest[x], h[x]);
                    least_of[x] = smaller(least_of[x], l[x]);
                }
            }
            for (int x = 0; x < width; x++)
                to[x] = larger(to[x], (uint8_t)(widest[x] - least_of[x]));
        }
    }
}

void akin_outline(const uint8_t *restrict range, const float ink[3], int count,
                  float *restrict rgb, float *restrict alpha)
{
    float *restrict r = rgb, *restrict g = rgb + count, *restrict b = rgb + 2 * (size_t)count;
    const float ir = ink[0], ig = ink[1], ib = ink[2];
    for (int i = 0; i < count; i++) {
        const float edge = clamped(((float)range[i] * (1.0f / 255) - 0.25f) * 5.0f);
        r[i] += (ir - r[i]) * edge;
        g[i] += (ig - g[i]) * edge;
        b[i] += (ib - b[i]) * edge;
        alpha[i] = most(alpha[i], edge);
    }
}

void akin_posterise(int levels, int count, float *values)
{
    const float up = (float)levels, down = 1.0f / (float)levels;
    for (int i = 0; i < count; i++)
        values[i] = (float)(int)(values[i] * up + 0.5f) * down;
}

/* ---- grounds */

void akin_over_ground(const akin_ground *ground, const float *alpha, int height, int width,
                      float *rgb)
{
    for (int c = 0; c < 3; c++) {
        const float along = ground->along[c];
        for (int y = 0; y < height; y++) {
            const size_t at = (size_t)y * (size_t)width;
            float *restrict to = rgb + (size_t)c * (size_t)height * (size_t)width + at;
            const float *restrict a = alpha + at;
            const float from = ground->colour[c] + (float)y * ground->down[c];
            for (int x = 0; x < width; x++) {
                const float v = from + (float)x * along;
                to[x] = v + (to[x] - v) * a[x];
            }
        }
    }
}

void akin_over_row(const akin_ground *ground, const float *photo, float part, const float *alpha,
                   int y, int width, int plane, float *rgb)
{
    const float *restrict a = alpha + (size_t)y * (size_t)width;
    for (int c = 0; c < 3; c++) {
        float *restrict to = rgb + (size_t)c * (size_t)plane + (size_t)y * (size_t)width;
        const float *restrict in = photo + (size_t)c * (size_t)width;
        const float from = ground->colour[c] + (float)y * ground->down[c];
        const float along = ground->along[c];
        for (int x = 0; x < width; x++) {
            const float flat = from + (float)x * along, v = flat + (in[x] - flat) * part;
            to[x] = v + (to[x] - v) * a[x];
        }
    }
}

/* ---- the whole */

void akin_blur(int height, int width, float *scratch, float *plane)
{
    float *restrict sums = scratch; /* [height, width]: of three beside each other */
    for (int y = 0; y < height; y++) {
        const float *restrict in = plane + (size_t)y * (size_t)width;
        float *restrict s = sums + (size_t)y * (size_t)width;
        for (int x = 1; x < width - 1; x++)
            s[x] = in[x - 1] + in[x] + in[x + 1];
        s[0] = 2 * in[0] + in[width > 1];
        s[width - 1] = width > 1 ? in[width - 2] + 2 * in[width - 1] : 3 * in[0];
    }
    for (int y = 0; y < height; y++) {
        const float *here = sums + (size_t)y * (size_t)width;
        const float *above = y > 0 ? here - width : here;
        const float *below = y < height - 1 ? here + width : here;
        float *restrict to = plane + (size_t)y * (size_t)width;
        for (int x = 0; x < width; x++)
            to[x] = (above[x] + here[x] + below[x]) * (1.0f / 9);
    }
}

void akin_noise(akin_random *random, float deviation, int count, float *values)
{
    enum { LANES = 16 };
    uint32_t lanes[LANES]; /* xorshift32 (Marsaglia 2003) beside each other */
    for (int i = 0; i < LANES; i++)
        lanes[i] = (uint32_t)akin_random_bits(random) | 1;
    const float scale = deviation * (2.4494897f / 65536); /* sqrt 6: of a difference of two */
    float noise[LANES];
    for (int at = 0; at < count; at += LANES) {
        for (int i = 0; i < LANES; i++) {
            uint32_t x = lanes[i];
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            lanes[i] = x;
            noise[i] = (float)((int)(x & 0xffff) - (int)(x >> 16)) * scale;
        }
        const int n = count - at < LANES ? count - at : LANES;
        for (int i = 0; i < n; i++)
            values[at + i] += noise[i];
    }
}

void akin_clamp(int count, float *values)
{
    for (int i = 0; i < count; i++)
        values[i] = clamped(values[i]);
}

void akin_to_bytes(const float *rgb, int count, uint8_t *bytes)
{
    for (int c = 0; c < 3; c++) {
        const float *restrict plane = rgb + (size_t)c * (size_t)count;
        for (int i = 0; i < count; i++)
            bytes[3 * (size_t)i + (size_t)c] = (uint8_t)(int)(plane[i] * 255.0f + 0.5f);
    }
}

void akin_from_bytes(const uint8_t *bytes, int count, float *rgb)
{
    for (int c = 0; c < 3; c++) {
        float *restrict plane = rgb + (size_t)c * (size_t)count;
        for (int i = 0; i < count; i++)
            plane[i] = bytes[3 * (size_t)i + (size_t)c] * (1.0f / 255);
    }
}
