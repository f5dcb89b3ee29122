/* zeroshot.c - prompt templates, and label vectors from them. */
#include "models/zeroshot.h"

#include <math.h>
#include <string.h>

static const char *const simple[] = { "a photo of a {}" };

static const char *const openai_7[] = {
    "itap of a {}.",
    "a bad photo of the {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
};

static const char *const openai_80[] = {
    "a bad photo of a {}.",           "a bad photo of the {}.",
    "a bright photo of a {}.",        "a bright photo of the {}.",
    "a close-up photo of a {}.",      "a close-up photo of the {}.",
    "a cropped photo of a {}.",       "a cropped photo of the {}.",
    "a jpeg corrupted photo of a {}.", "a jpeg corrupted photo of the {}.",
    "a low resolution photo of a {}.", "a low resolution photo of the {}.",
    "a blurry photo of a {}.",        "a blurry photo of the {}.",
    "a pixelated photo of a {}.",     "a pixelated photo of the {}.",
    "a good photo of a {}.",          "a good photo of the {}.",
    "a black and white photo of a {}.", "a black and white photo of the {}.",
    "a dark photo of a {}.",          "a dark photo of the {}.",
    "a photo of a {}.",               "a photo of the {}.",
    "a sculpture of a {}.",           "a sculpture of the {}.",
    "a rendering of a {}.",           "a rendering of the {}.",
    "graffiti of a {}.",              "graffiti of the {}.",
    "a tattoo of a {}.",              "a tattoo of the {}.",
    "a drawing of a {}.",             "a drawing of the {}.",
    "a painting of a {}.",            "a painting of the {}.",
    "a doodle of a {}.",              "a doodle of the {}.",
    "a sketch of a {}.",              "a sketch of the {}.",
    "a rendition of a {}.",           "a rendition of the {}.",
    "art of a {}.",                   "art of the {}.",
    "itap of a {}.",                  "itap of the {}.",
    "a {} in a video game.",          "the {} in a video game.",
    "a photo of a hard to see {}.",   "a photo of the hard to see {}.",
    "a photo of a clean {}.",         "a photo of the clean {}.",
    "a photo of a dirty {}.",         "a photo of the dirty {}.",
    "a photo of a cool {}.",          "a photo of the cool {}.",
    "a photo of a large {}.",         "a photo of the large {}.",
    "a photo of a nice {}.",          "a photo of the nice {}.",
    "a photo of a weird {}.",         "a photo of the weird {}.",
    "a photo of a small {}.",         "a photo of the small {}.",
    "a embroidered {}.",              "the embroidered {}.",
    "a plastic {}.",                  "the plastic {}.",
    "a origami {}.",                  "the origami {}.",
    "a toy {}.",                      "the toy {}.",
    "a cartoon {}.",                  "the cartoon {}.",
    "a plushie {}.",                  "the plushie {}.",
    "a photo of many {}.",            "a photo of my {}.",
    "a photo of one {}.",             "itap of my {}.",
};

_Static_assert(sizeof openai_80 / sizeof *openai_80 == 80, "the ensemble has 80 templates");

static const struct {
    const char *name;
    const char *const *templates;
    size_t count;
} sets[] = {
    { "openai-80", openai_80, sizeof openai_80 / sizeof *openai_80 },
    { "openai-7", openai_7, sizeof openai_7 / sizeof *openai_7 },
    { "simple", simple, sizeof simple / sizeof *simple },
};

akin_status akin_template_set(const char *name, const char *const **templates, size_t *count,
                              akin_error *err)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(name, sets[i].name) == 0) {
            *templates = sets[i].templates;
            *count = sets[i].count;
            return AKIN_OK;
        }
    return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                     "no template set is called '%s'; there are openai-80, openai-7 and simple",
                     name);
}

akin_status akin_template_fill(const char *template, const char *label, akin_buffer *out,
                               akin_error *err)
{
    const char *hole = strstr(template, "{}");
    if (hole == NULL || strstr(hole + 2, "{}") != NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "template '%s' must hold {} exactly once",
                         template);
    akin_status status;
    AKIN_TRY(akin_buffer_add(out, template, (size_t)(hole - template), err));
    AKIN_TRY(akin_buffer_add_text(out, label, err));
    AKIN_TRY(akin_buffer_add_text(out, hole + 2, err));
out:
    return status;
}

akin_status akin_normalize(float *x, size_t n, akin_error *err)
{
    double squares = 0.0;
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * x[i];
    if (!(squares > 0.0) || !isfinite(squares))
        return akin_fail(err, AKIN_E_NONFINITE, NULL,
                         "the embedding has no direction: its length is %g", sqrt(squares));
    const double scale = 1.0 / sqrt(squares);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] * scale);
    return AKIN_OK;
}

akin_status akin_mean_direction(const float *vectors, size_t count, size_t n, float *out,
                                akin_error *err)
{
    for (size_t j = 0; j < n; j++) {
        double sum = 0.0;
        for (size_t i = 0; i < count; i++)
            sum += vectors[i * n + j];
        out[j] = (float)(sum / (double)count);
    }
    return akin_normalize(out, n, err);
}

void akin_label_probabilities(const float *picture, const float *labels, size_t count, size_t n,
                              double scale, float *out)
{
    double largest = -INFINITY, sum = 0.0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < count; i++) {
            double cosine = 0.0;
            for (size_t j = 0; j < n; j++)
                cosine += (double)picture[j] * labels[i * n + j];
            if (pass == 0) {
                largest = fmax(largest, scale * cosine);
            } else {
                const double e = exp(scale * cosine - largest);
                out[i] = (float)e;
                sum += e;
            }
        }
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(out[i] / sum);
}

void akin_label_sigmoids(const float *picture, const float *labels, size_t count, size_t n,
                         double scale, double bias, float *out)
{
    for (size_t i = 0; i < count; i++) {
        double cosine = 0.0;
        for (size_t j = 0; j < n; j++)
            cosine += (double)picture[j] * labels[i * n + j];
        out[i] = (float)(1.0 / (1.0 + exp(-(scale * cosine + bias))));
    }
}
