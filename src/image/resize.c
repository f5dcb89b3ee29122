/* resize.c - Pillow's 8-bit resampling inside a window.
 *
 * Owns the filter weights and the two passes. Refuses what needs more than max_bytes. Matches
 * Pillow 13.0.0 (Image.resize on L, RGB, CMYK, LA and RGBA) bit for bit: double weights rounded to
 * 22 bits, 32-bit sums, a rounding to 8 bits after each pass. Rows and columns are independent of
 * each other, so only those that reach the window are computed: the reference makes 224 x 672,000
 * pixels of a 1 x 3000 picture before it crops 224 x 224 of them.
 */
#include "resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "pixel.h"

/* M_PI is no C11. */
#define PI 3.14159265358979323846

/* 32 bits less 8 of the sample less 2 for the lobes below 0 and above 1. */
#define WEIGHT_BITS 22

/* A weight is kept as two signed 16-bit halves, w = high * 2^15 + low: SSE2, which every x86-64
 * has, multiplies and adds 16-bit pairs in one instruction but has no 32-bit multiply. Sums are
 * taken modulo 2^32, so they are those of the whole weight. */
#define LOW_BITS 15
#define LANES 8 /* taps are padded with zero weights to a multiple of this */

/* Samples of a row that the vertical pass sums at a time: the sums stay in the first cache. */
#define BLOCK 1024

/* Rows of output for which input is multiplied by its alpha at a time. More overlap less, and cost
 * more memory: with 32, a tenth of the input is multiplied twice and a seventh of it kept. */
#define BAND_ROWS 32

/* The weights of one axis, for outputs [from, from + count) of the window. */
typedef struct axis {
    int count;
    int first, last;  /* input samples [first, last) that the window needs */
    size_t stride;    /* taps an output, padded */
    int *start, *taps; /* of each output: first input sample, how many */
    int16_t *high, *low; /* [count, stride] */
} axis;

typedef struct filter {
    double (*weight)(double x);
    double support;
} filter;

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    if (x >= 1.0)
        return 0.0;
    x *= PI;
    /* The reference has these two constants as floats. */
    return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x));
}

static double bicubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    if (x < 2.0)
        return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
    return 0.0;
}

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x *= PI;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

static const filter FILTERS[] = {
    [AKIN_LANCZOS] = { lanczos, 3.0 }, [AKIN_BILINEAR] = { bilinear, 1.0 },
    [AKIN_BICUBIC] = { bicubic, 2.0 }, [AKIN_BOX] = { box, 0.5 },
    [AKIN_HAMMING] = { hamming, 1.0 },
};

/* What is left of max_bytes. */
typedef struct budget {
    size_t left, max;
} budget;

static akin_status take(budget *b, size_t count, size_t size, void **out, akin_error *err)
{
    size_t bytes;
    *out = NULL;
    if (!akin_mul(count, size, &bytes) || bytes > b->left)
        return akin_fail(
            err, AKIN_E_LIMIT, NULL,
            "resizing needs more than the limit of %zu bytes: raise it with --max-memory", b->max);
    *out = malloc(bytes == 0 ? 1 : bytes);
    if (*out == NULL)
        return akin_fail_nomem(err, "a resized picture", bytes);
    b->left -= bytes;
    return AKIN_OK;
}

static void axis_clear(axis *a)
{
    free(a->start);
    free(a->taps);
    free(a->high);
    free(a->low);
}

/* The weights that turn `in` samples into `out`, for outputs [from, from + count). */
static akin_status axis_init(axis *a, int in, int out, int from, int count, const filter *f,
                             budget *b, akin_error *err)
{
    akin_status status;
    double *weights = NULL;
    void *memory;
    /* Pillow keeps the box it resizes in floats; past 2^24 samples that shows. */
    double scale = (double)(float)in / out;
    double filter_scale = scale < 1.0 ? 1.0 : scale;
    double support = f->support * filter_scale;
    double inverse = 1.0 / filter_scale;
    size_t longest = (size_t)ceil(support) * 2 + 1;

    *a = (axis){ .count = count, .first = in, .stride = akin_round_up(longest, LANES) };
    AKIN_TRY(take(b, longest, sizeof *weights, &memory, err));
    weights = memory;
    AKIN_TRY(take(b, (size_t)count, sizeof *a->start, &memory, err));
    a->start = memory;
    AKIN_TRY(take(b, (size_t)count, sizeof *a->taps, &memory, err));
    a->taps = memory;
    AKIN_TRY(take(b, (size_t)count * a->stride, sizeof *a->high, &memory, err));
    a->high = memory;
    AKIN_TRY(take(b, (size_t)count * a->stride, sizeof *a->low, &memory, err));
    a->low = memory;

    for (int i = 0; i < count; i++) {
        double center = (from + i + 0.5) * scale;
        double low_edge = center - support + 0.5, high_edge = center + support + 0.5;
        int start = low_edge < 0.0 ? 0 : (int)low_edge;
        int end = high_edge > in ? in : (int)high_edge;
        int taps = end - start;
        double sum = 0.0;
        for (int j = 0; j < taps; j++) {
            weights[j] = f->weight((j + start - center + 0.5) * inverse);
            sum += weights[j];
        }
        int16_t *high = a->high + (size_t)i * a->stride, *low = a->low + (size_t)i * a->stride;
        for (int j = 0; j < taps; j++) {
            double w = sum != 0.0 ? weights[j] / sum : weights[j];
            int32_t k = (int32_t)(w < 0.0 ? w * (1 << WEIGHT_BITS) - 0.5
                                          : w * (1 << WEIGHT_BITS) + 0.5);
            low[j] = (int16_t)(k & ((1 << LOW_BITS) - 1));
            high[j] = (int16_t)((k - low[j]) / (1 << LOW_BITS));
        }
        for (size_t j = (size_t)taps; j < a->stride; j++)
            low[j] = high[j] = 0;
        a->start[i] = start;
        a->taps[i] = taps;
        a->first = start < a->first ? start : a->first;
        a->last = end > a->last ? end : a->last;
    }
out:
    b->left += weights != NULL ? longest * sizeof *weights : 0;
    free(weights);
    if (status != AKIN_OK) {
        axis_clear(a);
        *a = (axis){ 0 };
    }
    return status;
}

/* The two half sums to a sample. The cast back to signed is the two's complement one that gcc and
 * clang define. */
static inline uint8_t round_sample(uint32_t high, uint32_t low)
{
    uint32_t sum = (high << LOW_BITS) + low + (1u << (WEIGHT_BITS - 1));
    int32_t v = (int32_t)sum >> WEIGHT_BITS;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* Splits samples [0, count) of an interleaved row into planes of 16-bit samples.
 * row: [count, channels]; planes: [channels, plane] with plane >= count. */
static void split_row(const uint8_t *restrict row, int count, int channels,
                      int16_t *restrict planes, size_t plane)
{
    if (channels == 3) {
        int16_t *restrict r = planes, *restrict g = planes + plane,
                          *restrict b = planes + 2 * plane;
        for (int i = 0; i < count; i++) {
            r[i] = row[3 * i];
            g[i] = row[3 * i + 1];
            b[i] = row[3 * i + 2];
        }
        return;
    }
    for (int c = 0; c < channels; c++)
        for (int i = 0; i < count; i++)
            planes[(size_t)c * plane + (size_t)i] = row[channels * i + c];
}

/* One row of the horizontal pass: the kernel that an instruction set may want to replace.
 * planes: [channels, plane], sample 0 is input sample a->first and at least a->stride readable
 * samples follow each start; out: [a->count, channels]. */
static void resample_row(const axis *a, const int16_t *restrict planes, size_t plane, int channels,
                         uint8_t *restrict out)
{
    for (int i = 0; i < a->count; i++) {
        const int16_t *restrict high = a->high + (size_t)i * a->stride;
        const int16_t *restrict low = a->low + (size_t)i * a->stride;
        int n = (a->taps[i] + LANES - 1) & ~(LANES - 1);
        for (int c = 0; c < channels; c++) {
            const int16_t *restrict s = planes + (size_t)c * plane + (a->start[i] - a->first);
            uint32_t high_sum = 0, low_sum = 0;
            for (int j = 0; j < n; j++) {
                high_sum += (uint32_t)(s[j] * high[j]);
                low_sum += (uint32_t)(s[j] * low[j]);
            }
            out[i * channels + c] = round_sample(high_sum, low_sum);
        }
    }
}

/* One row of the vertical pass, the other such kernel. rows: the first of `taps` input rows of
 * `count` samples, `pitch` bytes apart; out: [count]. */
static void resample_column(const int16_t *high, const int16_t *low, int taps,
                            const uint8_t *restrict rows, size_t pitch, size_t count,
                            uint8_t *restrict out)
{
    uint32_t high_sum[BLOCK], low_sum[BLOCK];
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t n = akin_min(BLOCK, count - from);
        memset(high_sum, 0, n * sizeof *high_sum);
        memset(low_sum, 0, n * sizeof *low_sum);
        for (int j = 0; j < taps; j++) {
            const uint8_t *restrict row = rows + (size_t)j * pitch + from;
            int16_t h = high[j], l = low[j];
            for (size_t x = 0; x < n; x++) {
                high_sum[x] += (uint32_t)((int16_t)row[x] * h);
                low_sum[x] += (uint32_t)((int16_t)row[x] * l);
            }
        }
        for (size_t x = 0; x < n; x++)
            out[from + x] = round_sample(high_sum[x], low_sum[x]);
    }
}

/* in: sample a->first of the first of `height` rows, `pitch` bytes apart;
 * out: [height, a->count, channels]. */
static akin_status horizontal(const axis *a, const uint8_t *in, size_t pitch, int height,
                              int channels, uint8_t *out, budget *b, akin_error *err)
{
    int count = a->last - a->first;
    size_t plane = (size_t)count + a->stride;
    void *memory;
    akin_status status = take(b, plane * (size_t)channels, sizeof(int16_t), &memory, err);
    if (status != AKIN_OK)
        return status;
    int16_t *planes = memory;
    memset(planes, 0, plane * (size_t)channels * sizeof *planes);
    for (int y = 0; y < height; y++) {
        split_row(in + (size_t)y * pitch, count, channels, planes, plane);
        resample_row(a, planes, plane, channels,
                     out + (size_t)y * (size_t)a->count * (size_t)channels);
    }
    free(planes);
    return AKIN_OK;
}

/* in: row 0 is input row a->first, `pitch` bytes a row; out: [a->count, samples]. */
static void vertical(const axis *a, const uint8_t *in, size_t pitch, size_t samples, uint8_t *out)
{
    for (int y = 0; y < a->count; y++)
        resample_column(a->high + (size_t)y * a->stride, a->low + (size_t)y * a->stride, a->taps[y],
                        in + (size_t)(a->start[y] - a->first) * pitch, pitch, samples,
                        out + (size_t)y * samples);
}

/* Input sample of each of `count` outputs from `from` on, -1 for none. The position is summed up
 * step by step as the reference does: a multiplication differs in one row of five. */
static void nearest_index(int in, int out, int from, int count, int *index)
{
    double step = (double)(float)in / out, at = step * 0.5;
    for (int i = 0; i < from + count; i++) {
        if (i >= from)
            index[i - from] = at < in ? (int)at : -1;
        at += step;
    }
}

static akin_status nearest(const uint8_t *in, int in_width, int in_height, int channels, int width,
                           int height, akin_window window, uint8_t *out, budget *b, akin_error *err)
{
    void *memory;
    akin_status status = take(b, (size_t)window.width + (size_t)window.height, sizeof(int), &memory,
                              err);
    if (status != AKIN_OK)
        return status;
    int *columns = memory, *rows = columns + window.width;
    nearest_index(in_width, width, window.x, window.width, columns);
    nearest_index(in_height, height, window.y, window.height, rows);
    for (int y = 0; y < window.height; y++) {
        for (int x = 0; x < window.width; x++, out += channels) {
            if (rows[y] < 0 || columns[x] < 0)
                memset(out, 0, (size_t)channels);
            else
                memcpy(out,
                       in + ((size_t)rows[y] * (size_t)in_width + (size_t)columns[x]) *
                                (size_t)channels,
                       (size_t)channels);
        }
    }
    free(memory);
    return AKIN_OK;
}

static void copy_window(const uint8_t *in, size_t pitch, size_t channels, akin_window w,
                        uint8_t *out)
{
    size_t row = (size_t)w.width * channels;
    for (int y = 0; y < w.height; y++)
        memcpy(out + (size_t)y * row, in + (size_t)(w.y + y) * pitch + (size_t)w.x * channels, row);
}

/* akin_resize, where `in` begins with row `skipped` of the input. */
static akin_status resample(const uint8_t *in, int skipped, int in_width, int in_height,
                            int channels, int width, int height, akin_filter filter_id,
                            akin_window window, uint8_t *out, size_t max_bytes, akin_error *err)
{
    budget b = { max_bytes, max_bytes };
    size_t pitch = (size_t)in_width * (size_t)channels;
    akin_status status = AKIN_OK;
    const filter *f = &FILTERS[filter_id];
    axis across = { 0 }, down = { 0 };
    void *middle = NULL;
    bool narrow = width != in_width, shorten = height != in_height;
    if (narrow)
        AKIN_TRY(axis_init(&across, in_width, width, window.x, window.width, f, &b, err));
    if (shorten)
        AKIN_TRY(axis_init(&down, in_height, height, window.y, window.height, f, &b, err));
    size_t left = (size_t)across.first * (size_t)channels; /* bytes before the first column used */
    const uint8_t *top = in + (size_t)((shorten ? down.first : window.y) - skipped) * pitch;

    if (!shorten) {
        AKIN_TRY(horizontal(&across, top + left, pitch, window.height, channels, out, &b, err));
    } else if (!narrow) {
        vertical(&down, top + (size_t)window.x * (size_t)channels, pitch,
                 (size_t)window.width * (size_t)channels, out);
    } else if ((int64_t)in_height - height > 0 &&
               (int64_t)in_height - height > 2 * ((int64_t)in_width - width)) {
        /* Vertical first: on pictures that lose more than twice as many rows as columns. */
        size_t samples = (size_t)(across.last - across.first) * (size_t)channels;
        AKIN_TRY(take(&b, samples, (size_t)window.height, &middle, err));
        vertical(&down, top + left, pitch, samples, middle);
        AKIN_TRY(horizontal(&across, middle, samples, window.height, channels, out, &b, err));
    } else {
        size_t samples = (size_t)window.width * (size_t)channels;
        AKIN_TRY(take(&b, samples, (size_t)(down.last - down.first), &middle, err));
        AKIN_TRY(horizontal(&across, top + left, pitch, down.last - down.first, channels, middle,
                            &b, err));
        vertical(&down, middle, samples, samples, out);
    }
out:
    free(middle);
    axis_clear(&across);
    axis_clear(&down);
    return status;
}

static akin_status check(int in_width, int in_height, int channels, int width, int height,
                         akin_filter filter_id, akin_window window, akin_error *err)
{
    if (in_width < 1 || in_height < 1 || width < 1 || height < 1 ||
        (channels != 1 && channels != 3 && channels != 4) || window.width < 1 ||
        window.height < 1 || window.x < 0 || window.y < 0 || window.width > width ||
        window.height > height || window.x > width - window.width ||
        window.y > height - window.height || (int)filter_id < AKIN_NEAREST ||
        filter_id > AKIN_HAMMING)
        return akin_fail(
            err, AKIN_E_ARGUMENT, NULL,
            "cannot resize %d x %d x %d to %d x %d with filter %d, window %d x %d at %d, %d",
            in_width, in_height, channels, width, height, (int)filter_id, window.width,
            window.height, window.x, window.y);
    return AKIN_OK;
}

akin_status akin_resize(const uint8_t *in, int in_width, int in_height, int channels, int width,
                        int height, akin_filter filter_id, akin_window window, uint8_t *out,
                        size_t max_bytes, akin_error *err)
{
    akin_status status =
        check(in_width, in_height, channels, width, height, filter_id, window, err);
    if (status != AKIN_OK)
        return status;
    budget b = { max_bytes, max_bytes };
    if (width == in_width && height == in_height) {
        copy_window(in, (size_t)in_width * (size_t)channels, (size_t)channels, window, out);
        return AKIN_OK;
    }
    if (filter_id == AKIN_NEAREST)
        return nearest(in, in_width, in_height, channels, width, height, window, out, &b, err);
    return resample(in, 0, in_width, in_height, channels, width, height, filter_id, window, out,
                    max_bytes, err);
}

/* RGBA to Pillow's RGBa, and back. */
static void multiply(const uint8_t *restrict rgba, size_t count, uint8_t *restrict out)
{
    for (size_t i = 0; i < 4 * count; i += 4) {
        for (size_t k = 0; k < 3; k++)
            out[i + k] = (uint8_t)akin_muldiv255(rgba[i + k], rgba[i + 3]);
        out[i + 3] = rgba[i + 3];
    }
}

static void divide(uint8_t *rgba, size_t count)
{
    for (size_t i = 0; i < 4 * count; i += 4) {
        const unsigned a = rgba[i + 3];
        for (size_t k = 0; k < 3 && a != 0 && a != 255; k++)
            rgba[i + k] = (uint8_t)akin_min(255 * rgba[i + k] / a, 255);
    }
}

akin_status akin_resize_alpha(const uint8_t *in, int in_width, int in_height, int width, int height,
                              akin_filter filter_id, akin_window window, uint8_t *out,
                              size_t max_bytes, akin_error *err)
{
    const size_t pitch = (size_t)in_width * 4, row = (size_t)window.width * 4;
    if ((width == in_width && height == in_height) || filter_id == AKIN_NEAREST)
        return akin_resize(in, in_width, in_height, 4, width, height, filter_id, window, out,
                           max_bytes, err);
    akin_status status = check(in_width, in_height, 4, width, height, filter_id, window, err);
    /* A band of output at a time, so that no second picture stands beside the first. */
    for (int y = 0; status == AKIN_OK && y < window.height; y += BAND_ROWS) {
        akin_window band = { window.x, window.y + y, window.width,
                             (int)akin_min(BAND_ROWS, window.height - y) };
        budget b = { max_bytes, max_bytes };
        axis down = { .first = band.y, .last = band.y + band.height };
        void *rows = NULL;
        if (height != in_height)
            AKIN_TRY(axis_init(&down, in_height, height, band.y, band.height, &FILTERS[filter_id],
                               &b, err));
        axis_clear(&down); /* only its first and last are of use here */
        b.left = max_bytes;
        const size_t count = (size_t)(down.last - down.first);
        AKIN_TRY(take(&b, count, pitch, &rows, err));
        multiply(in + (size_t)down.first * pitch, count * (size_t)in_width, rows);
        status = resample(rows, down.first, in_width, in_height, 4, width, height, filter_id, band,
                          out + (size_t)y * row, b.left, err);
        free(rows);
    }
    if (status == AKIN_OK)
        divide(out, (size_t)window.width * (size_t)window.height);
out:
    return status;
}
