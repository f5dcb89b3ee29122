/* resample.c - position tables stretched to another size. */
#include "models/resample.h"

#include <math.h>
#include <stdlib.h>

#include "base/arith.h"

/* The cubic convolution kernel with a = -0.5, which ATen takes where it antialiases (and -0.75
 * where it does not). */
static float cubic(float x)
{
    const float a = -0.5f;
    x = fabsf(x);
    if (x < 1.0f)
        return ((a + 2.0f) * x - (a + 3.0f)) * x * x + 1.0f;
    if (x < 2.0f)
        return (((x - 5.0f) * x + 8.0f) * x - 4.0f) * a;
    return 0.0f;
}

/* Output i of `out` along one axis of `in`: the first input it reads, how many, their weights. */
static size_t taps_of(size_t i, size_t in, size_t out, float *weights, size_t *first)
{
    const float scale = (float)in / (float)out;
    const float support = scale >= 1.0f ? 2.0f * scale : 2.0f;
    const float inverse = scale >= 1.0f ? 1.0f / scale : 1.0f;
    const float center = scale * ((float)i + 0.5f);
    const float low = center - support + 0.5f, high = center + support + 0.5f;
    *first = low > 0.0f ? (size_t)low : 0;
    const size_t count = akin_min((size_t)high, in) - *first;
    float total = 0.0f;
    for (size_t j = 0; j < count; j++) {
        weights[j] = cubic(((float)(j + *first) - center + 0.5f) * inverse);
        total += weights[j];
    }
    for (size_t j = 0; j < count && total != 0.0f; j++)
        weights[j] /= total;
    return count;
}

/* One axis: from [outer, in, inner] to [outer, out, inner]. */
static void resample_axis(const float *from, size_t outer, size_t in, float *to, size_t out,
                          size_t inner, float *weights)
{
    for (size_t i = 0; i < out; i++) {
        size_t first;
        const size_t count = taps_of(i, in, out, weights, &first);
        for (size_t o = 0; o < outer; o++) {
            float *row = to + (o * out + i) * inner;
            for (size_t j = 0; j < inner; j++)
                row[j] = 0.0f;
            for (size_t t = 0; t < count; t++) {
                const float *source = from + (o * in + first + t) * inner;
                for (size_t j = 0; j < inner; j++)
                    row[j] += weights[t] * source[j];
            }
        }
    }
}

akin_status akin_resample_grid(const float *from, size_t side, float *to, size_t height,
                               size_t width, size_t d, akin_error *err)
{
    float *wide = calloc(side * width, d * sizeof *wide);
    float *weights = calloc(side, sizeof *weights); /* no output reads more than all */
    akin_status status = AKIN_OK;
    if (wide == NULL || weights == NULL) {
        status = akin_fail_nomem(err, "position table", side * width * d * sizeof *wide);
        goto out;
    }
    resample_axis(from, side, side, wide, width, d, weights);
    resample_axis(wide, 1, side, to, height, width * d, weights);
out:
    free(wide);
    free(weights);
    return status;
}

/* x as the stored type holds it: to nearest, ties to even. No value here is large enough to become
 * infinite, being a mean of two that the type holds. */
static float round_to(akin_dtype dtype, float x)
{
    if (dtype != AKIN_F16 && dtype != AKIN_BF16)
        return x;
    const int digits = dtype == AKIN_F16 ? 11 : 8, least = dtype == AKIN_F16 ? -24 : -133;
    int exponent;
    frexpf(x, &exponent);
    const int unit = exponent - digits > least ? exponent - digits : least;
    return (float)ldexp(nearbyint(ldexp(x, -unit)), unit);
}

void akin_resample_rows(const float *from, size_t count, float *to, size_t out, size_t d,
                        akin_dtype dtype)
{
    const float scale = (float)count / (float)out;
    for (size_t i = 0; i < out; i++) {
        const float at = fmaxf(scale * ((float)i + 0.5f) - 0.5f, 0.0f);
        const size_t low = akin_min((size_t)at, count - 1);
        const size_t high = low + (low + 1 < count);
        const float part = round_to(dtype, fminf(fmaxf(at - (float)low, 0.0f), 1.0f));
        const float rest = round_to(dtype, 1.0f - part);
        for (size_t j = 0; j < d; j++)
            to[i * d + j] =
                round_to(dtype, rest * from[low * d + j] + part * from[high * d + j]);
    }
}
