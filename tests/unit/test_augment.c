/* test_augment.c - augmentation: with strength 0 the picture, else a function of the stream; what
 * each kind may and may not change; every size; nothing outside its memory. */
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataset/augment.h"
#include "dataset/augment_pixels.h"

static const double zero[3] = { 0, 0, 0 }, one[3] = { 1, 1, 1 };
static const float guard = -77.25f;

typedef struct result {
    float *scratch, *out;
    size_t floats;
    int height, width;
} result;

/* Runs it with guards behind scratch and out. */
static result augmented(float strength, uint64_t seed, akin_kind kind, bool flip,
                        const akin_picture *picture, const akin_picture *background, int height,
                        int width)
{
    result r = { .floats = akin_augment_floats(height, width), .height = height, .width = width };
    const size_t pixels = 3 * (size_t)height * (size_t)width;
    r.scratch = malloc((r.floats + 16) * sizeof(float));
    r.out = malloc((pixels + 16) * sizeof(float));
    for (int i = 0; i < 16; i++)
        r.scratch[r.floats + (size_t)i] = r.out[pixels + (size_t)i] = guard;
    const akin_augment augment = { strength, true };
    assert_int_equal(akin_augment_run(&augment, akin_random_of(seed, 1, 2), kind, flip, picture,
                                      background, height, width, zero, one, r.scratch, r.out, NULL),
                     AKIN_OK);
    for (int i = 0; i < 16; i++) {
        assert_true(r.scratch[r.floats + (size_t)i] == guard);
        assert_true(r.out[pixels + (size_t)i] == guard);
    }
    for (size_t i = 0; i < pixels; i++)
        assert_true(r.out[i] >= 0 && r.out[i] <= 1);
    return r;
}

static void release(result *r)
{
    free(r->scratch);
    free(r->out);
}

static akin_picture make(int height, int width, akin_layout layout)
{
    return (akin_picture){ .width = width, .height = height, .stored_height = height,
                           .layout = layout,
                           .pixels = calloc((size_t)height * (size_t)width,
                                            (size_t)akin_layout_bytes(layout)) };
}

/* A coloured disc on nothing, red on its left and blue on its right, and its alpha soft. */
static akin_picture disc(int side)
{
    akin_picture p = make(side, side, AKIN_RGBA);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            uint8_t *to = p.pixels + 4 * (y * side + x);
            const double r = hypot(x + 0.5 - side / 2.0, y + 0.5 - side / 2.0);
            const double a = fmin(fmax((0.4 * side - r) + 0.5, 0), 1);
            to[0] = x < side / 2 ? 220 : 20;
            to[1] = 60;
            to[2] = x < side / 2 ? 20 : 220;
            to[3] = (uint8_t)(255 * a + 0.5);
        }
    }
    return p;
}

/* Left dark, right bright, top green, bottom not. */
static akin_picture quarters(int height, int width)
{
    akin_picture p = make(height, width, AKIN_RGB);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *to = p.pixels + 3 * (y * width + x);
            to[0] = x < width / 2 ? 30 : 200;
            to[1] = y < height / 2 ? 180 : 60;
            to[2] = 100;
        }
    return p;
}

static void test_none(void **state)
{
    (void)state;
    akin_picture p = disc(40);
    for (int kind = AKIN_KIND_ART; kind <= AKIN_KIND_WORD; kind++) {
        result r = augmented(0, 5, (akin_kind)kind, true, &p, NULL, 40, 40);
        for (int i = 0; i < 1600; i++) {
            const float a = (float)p.pixels[4 * i + 3] / 255;
            for (int c = 0; c < 3; c++) {
                const float v = (float)p.pixels[4 * i + c] / 255 * a + 1 - a;
                assert_true(fabsf(r.out[1600 * c + i] - v) < 1e-3f);
            }
        }
        release(&r);
    }
    akin_picture_clear(&p);
}

static void test_function_of_stream(void **state)
{
    (void)state;
    akin_picture p = disc(50), photo = quarters(60, 80);
    for (int kind = AKIN_KIND_ART; kind <= AKIN_KIND_WORD; kind++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            result a = augmented(1, seed, (akin_kind)kind, true, &p, &photo, 48, 48);
            result b = augmented(1, seed, (akin_kind)kind, true, &p, &photo, 48, 48);
            result c = augmented(1, seed + 100, (akin_kind)kind, true, &p, &photo, 48, 48);
            assert_memory_equal(a.out, b.out, 3 * 48 * 48 * sizeof(float));
            assert_memory_not_equal(a.out, c.out, 3 * 48 * 48 * sizeof(float));
            release(&a);
            release(&b);
            release(&c);
        }
    }
    akin_picture_clear(&p);
    akin_picture_clear(&photo);
}

/* Pictures of any shape to results of any shape: within memory (guards; ASan), and numbers. */
static void test_sizes(void **state)
{
    (void)state;
    static const int sides[][2] = { { 1, 1 }, { 1, 700 }, { 700, 1 }, { 3, 5 }, { 200, 31 },
                                    { 500, 400 } };
    static const int results[][2] = { { 1, 1 }, { 2, 3 }, { 7, 64 }, { 1, 300 }, { 33, 17 },
                                      { 96, 96 } };
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        akin_picture p = make(sides[i][0], sides[i][1], i % 2 ? AKIN_RGB : AKIN_RGBA);
        memset(p.pixels, 200, (size_t)(p.width * p.height * akin_layout_bytes(p.layout)));
        akin_picture photo = quarters(sides[i][1], sides[i][0]);
        for (size_t j = 0; j < sizeof results / sizeof *results; j++) {
            for (uint64_t seed = 0; seed < 15; seed++) {
                result r = augmented(1, seed, (akin_kind)(seed % 5), true, &p, &photo,
                                     results[j][0], results[j][1]);
                release(&r);
            }
        }
        akin_picture_clear(&p);
        akin_picture_clear(&photo);
    }
}

static double mean(const result *r, int channel, int x0, int x1, int y0, int y1)
{
    double sum = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            sum += (double)r->out[(channel * r->height + y) * r->width + x];
    return sum / ((x1 - x0) * (y1 - y0));
}

/* Whether the right half is brighter in red than the left one. */
static bool is_bright_right(const result *r)
{
    return mean(r, 0, r->width / 2, r->width, 0, r->height) >
           mean(r, 0, 0, r->width / 2, 0, r->height);
}

static void test_mirror(void **state)
{
    (void)state;
    akin_picture p = quarters(64, 64);
    static const akin_kind kinds[] = { AKIN_KIND_SCENE, AKIN_KIND_PHOTO, AKIN_KIND_WORD };
    for (int k = 0; k < 3; k++) {
        int mirrored = 0;
        for (uint64_t seed = 0; seed < 200; seed++) {
            result r = augmented(1, seed, kinds[k], true, &p, NULL, 32, 32);
            mirrored += !is_bright_right(&r);
            release(&r);
            r = augmented(1, seed, kinds[k], false, &p, NULL, 32, 32);
            assert_true(is_bright_right(&r));
            release(&r);
        }
        if (kinds[k] == AKIN_KIND_WORD)
            assert_int_equal(mirrored, 0);
        else
            assert_true(mirrored > 30 && mirrored < 140);
    }
    akin_picture_clear(&p);
}

/* A scene's colours are in its text: a red one stays the reddest, and what is grey stays grey. */
static void test_scene_keeps_colours(void **state)
{
    (void)state;
    akin_picture p = make(64, 64, AKIN_RGB);
    for (int i = 0; i < 64 * 64; i++) {
        p.pixels[3 * i] = 200;
        p.pixels[3 * i + 1] = p.pixels[3 * i + 2] = 60;
    }
    akin_picture grey = make(64, 64, AKIN_RGB);
    memset(grey.pixels, 120, 3 * 64 * 64);
    for (uint64_t seed = 0; seed < 200; seed++) {
        for (int word = 0; word < 2; word++) {
            const akin_kind kind = word ? AKIN_KIND_WORD : AKIN_KIND_SCENE;
            result r = augmented(1, seed, kind, true, &p, NULL, 32, 32);
            const double red = mean(&r, 0, 0, 32, 0, 32), blue = mean(&r, 2, 0, 32, 0, 32);
            assert_true(red - blue > 0.35);
            assert_true(fabs(mean(&r, 1, 0, 32, 0, 32) - blue) < 0.03);
            release(&r);
            r = augmented(1, seed, kind, true, &grey, NULL, 32, 32);
            assert_true(fabs(mean(&r, 0, 0, 32, 0, 32) - mean(&r, 2, 0, 32, 0, 32)) < 0.02);
            assert_true(fabs(mean(&r, 0, 0, 32, 0, 32) - 120.0 / 255) < 0.12);
            release(&r);
        }
    }
    akin_picture_clear(&p);
    akin_picture_clear(&grey);
}

/* An icon can be told from its ground, whatever its own colour, with and without transparency. */
static void test_icon_contrast(void **state)
{
    (void)state;
    for (int form = 0; form < 4; form++) {
        /* Black, white or blue on nothing; black on white, opaque. A square of 32 in 64. */
        static const uint8_t inks[4][3] = { { 0, 0, 0 }, { 255, 255, 255 }, { 20, 40, 230 },
                                            { 0, 0, 0 } };
        akin_picture p = make(64, 64, form == 3 ? AKIN_RGB : AKIN_RGBA);
        const int bytes = akin_layout_bytes(p.layout);
        for (int i = 0; i < 64 * 64; i++) {
            const int x = i % 64, y = i / 64;
            const bool in = x >= 16 && x < 48 && y >= 16 && y < 48;
            for (int c = 0; c < 3; c++)
                p.pixels[bytes * i + c] = in ? inks[form][c] : form == 3 ? 255 : 0;
            if (bytes == 4)
                p.pixels[4 * i + 3] = in ? 255 : 0;
        }
        akin_picture photo = quarters(64, 64);
        int colours = 0;
        for (uint64_t seed = 0; seed < 200; seed++) {
            result r = augmented(1, seed, AKIN_KIND_ICON, true, &p, seed % 3 ? NULL : &photo, 64,
                                 64);
            float least = 1, most = 0; /* of means over 3 x 3, away from the border */
            for (int y = 8; y < 56; y += 4)
                for (int x = 8; x < 56; x += 4) {
                    double grey = 0;
                    static const double w[3] = { 0.299, 0.587, 0.114 };
                    for (int c = 0; c < 3; c++)
                        grey += w[c] * mean(&r, c, x, x + 3, y, y + 3);
                    least = fminf(least, (float)grey);
                    most = fmaxf(most, (float)grey);
                }
            assert_true(most - least > 0.15f);
            colours += fabs(mean(&r, 0, 0, 64, 0, 64) - mean(&r, 2, 0, 64, 0, 64)) > 0.05;
            release(&r);
        }
        assert_true(colours > 80);
        akin_picture_clear(&p);
        akin_picture_clear(&photo);
    }
}

/* Transparent artwork gets grounds; a third or more of them white, and a photograph where there is
 * one. */
static void test_ground(void **state)
{
    (void)state;
    akin_picture p = disc(64), photo = quarters(64, 64);
    int white = 0;
    double apart = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        result r = augmented(1, seed, AKIN_KIND_ART, true, &p, NULL, 64, 64);
        bool is_white = true;
        for (int c = 0; c < 3; c++)
            is_white &= mean(&r, c, 0, 2, 0, 64) > 0.93;
        white += is_white;
        release(&r);
        r = augmented(1, seed, AKIN_KIND_ART, true, &p, &photo, 64, 64);
        apart += fabs(mean(&r, 1, 0, 4, 0, 4) - mean(&r, 1, 0, 4, 60, 64)); /* green, not green */
        release(&r);
    }
    assert_true(white > 50 && white < 110);
    assert_true(apart / 200 > 0.2);
    akin_picture_clear(&p);
    akin_picture_clear(&photo);
}

/* Less strength is nearer to the picture; mean and std come last. */
static void test_strength(void **state)
{
    (void)state;
    akin_picture p = disc(48);
    double apart[3] = { 0, 0, 0 };
    static const float strengths[3] = { 0.1f, 0.5f, 1 };
    result plain = augmented(0, 0, AKIN_KIND_ART, true, &p, NULL, 48, 48);
    for (int s = 0; s < 3; s++) {
        for (uint64_t seed = 0; seed < 60; seed++) {
            result r = augmented(strengths[s], seed, AKIN_KIND_ART, true, &p, NULL, 48, 48);
            for (int i = 0; i < 3 * 48 * 48; i++)
                apart[s] += fabs((double)(r.out[i] - plain.out[i]));
            release(&r);
        }
    }
    release(&plain);
    assert_true(apart[0] * 2 < apart[1] && apart[1] * 1.3 < apart[2]);

    result r = augmented(1, 9, AKIN_KIND_ART, true, &p, NULL, 48, 48);
    const double means[3] = { 0.5, 0.4, 0.3 }, stds[3] = { 0.25, 0.5, 2 };
    const akin_augment augment = { 1, true };
    float *scaled = malloc(3 * 48 * 48 * sizeof *scaled);
    assert_int_equal(akin_augment_run(&augment, akin_random_of(9, 1, 2), AKIN_KIND_ART, true, &p,
                                      NULL, 48, 48, means, stds, r.scratch, scaled, NULL),
                     AKIN_OK);
    for (int i = 0; i < 3 * 48 * 48; i++) {
        const int c = i / (48 * 48);
        assert_true(fabs((double)scaled[i] - ((double)r.out[i] - means[c]) / stds[c]) < 1e-5);
    }
    free(scaled);
    release(&r);
    akin_picture_clear(&p);
}

/* The edges of a picture written plainly again. */
static void test_edges(void **state)
{
    (void)state;
    enum { H = 13, W = 21, N = H * W };
    float rgb[3 * N], alpha[N];
    uint8_t bytes[5 * N + 8 * (W + 8)], range[N];
    akin_random random = akin_random_of(1, 2, 3);
    for (int i = 0; i < 3 * N; i++)
        rgb[i] = akin_random_range(&random, 0, 1);
    for (int i = 0; i < N; i++)
        alpha[i] = akin_random_range(&random, 0, 1);
    for (int radius = 1; radius <= 3; radius++) {
        akin_edges(rgb, alpha, H, W, radius, bytes, range);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                int widest = 0;
                for (int c = 0; c < 4; c++) {
                    int high = 0, low = 255;
                    for (int j = y - radius; j <= y + radius; j++)
                        for (int i = x - radius; i <= x + radius; i++) {
                            if (i < 0 || j < 0 || i >= W || j >= H)
                                continue;
                            const int at = j * W + i;
                            const float v = c < 3 ? rgb[c * N + at] * alpha[at] : alpha[at];
                            const int q = (int)(v * 255 + 0.5f);
                            high = q > high ? q : high;
                            low = q < low ? q : low;
                        }
                    widest = high - low > widest ? high - low : widest;
                }
                assert_int_equal(range[y * W + x], widest);
            }
    }
}

/* Noise: its mean, its deviation, and neighbours that know nothing of each other. */
static void test_noise(void **state)
{
    (void)state;
    enum { N = 100003 };
    float *v = calloc(N, sizeof *v);
    akin_random random = akin_random_of(4, 5, 6);
    akin_noise(&random, 0.1f, N, v);
    double sum = 0, squares = 0, beside = 0;
    for (int i = 0; i < N; i++) {
        sum += (double)v[i];
        squares += (double)v[i] * (double)v[i];
        beside += i >= 16 ? (double)v[i] * (double)v[i - 16] + (double)v[i] * (double)v[i - 1] : 0;
    }
    assert_true(fabs(sum / N) < 0.002);
    assert_true(fabs(sqrt(squares / N) - 0.1) < 0.002);
    assert_true(fabs(beside / squares) < 0.02);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),       cmocka_unit_test(test_function_of_stream),
        cmocka_unit_test(test_sizes),      cmocka_unit_test(test_mirror),
        cmocka_unit_test(test_scene_keeps_colours), cmocka_unit_test(test_icon_contrast),
        cmocka_unit_test(test_ground),     cmocka_unit_test(test_strength),
        cmocka_unit_test(test_edges),      cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
