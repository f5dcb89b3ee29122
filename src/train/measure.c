/* measure.c - a held-out manifest through the towers of a net that is learning. */
#include "train/measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/memory.h"
#include "models/clip.h"

void akin_measure_unit(float *x, size_t count, size_t n)
{
    for (size_t i = 0; i < count; i++, x += n) {
        double sum = 0.0;
        for (size_t j = 0; j < n; j++)
            sum += (double)x[j] * x[j];
        const double length = sqrt(sum) > 1e-12 ? sqrt(sum) : 1e-12;
        for (size_t j = 0; j < n; j++)
            x[j] = (float)(x[j] / length);
    }
}

size_t akin_measure_pad(const akin_clip_config *config, const akin_tokenizer *tokenizer,
                        int32_t *ids, size_t count)
{
    bool left = false;
    const int32_t pad = config->form == AKIN_FORM_OPEN_CLIP ? akin_tokenizer_pad(tokenizer, &left)
                                                            : 0;
    return akin_clip_pad(config, ids, count, pad, left);
}

akin_status akin_measure_tokens(const akin_clip_config *config, const akin_tokenizer *tokenizer,
                                int32_t text_tokens, const char *const *texts, size_t count,
                                int32_t *ids, size_t *starts, size_t *cut, akin_error *err)
{
    starts[0] = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t written = 0;
        bool long_text = false;
        akin_status status = akin_tokenizer_encode(tokenizer, texts[i], strlen(texts[i]),
                                                   text_tokens, ids + starts[i], &written,
                                                   &long_text, err);
        if (status != AKIN_OK)
            return status;
        *cut += long_text;
        starts[i + 1] = starts[i] + akin_measure_pad(config, tokenizer, ids + starts[i],
                                                     (size_t)written);
    }
    return AKIN_OK;
}

/* ---- Pictures ------------------------------------------------------------------------------- */

struct reading {
    const akin_measure *measure;
    size_t first;        /* of the manifest's pictures */
    size_t each;         /* floats of a picture */
    float *pixels;       /* [batch, each] */
    akin_error *errors;  /* [batch] */
};

static void read_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct reading *t = context;
    const akin_measure *m = t->measure;
    const char *path = m->manifest->pictures[t->first + i].path;
    akin_error *err = &t->errors[i], why;
    akin_picture picture = { 0 };
    err->code = AKIN_OK;
    if (akin_picture_read(&picture, path, &m->limits, err) == AKIN_OK &&
        akin_preprocess_run(m->preprocess, &picture, &m->limits, t->pixels + i * t->each, t->each,
                            &why) != AKIN_OK)
        akin_fail(err, why.code, path, "%s", why.message);
    akin_picture_clear(&picture);
}

/* out [picture_count, dimensions], unit rows; a row of zeros where a picture could not be read. */
static akin_status embed_pictures(const akin_measure *m, akin_net *net, const akin_work *work,
                                  float *out, akin_error *err)
{
    const akin_clip_config *c = &net->config;
    const size_t d = c->dimensions, total = m->manifest->picture_count;
    struct reading t = { .measure = m, .each = 3 * c->image_height * c->image_width };
    akin_status status = AKIN_OK;
    t.pixels = akin_large_alloc(akin_max(m->batch * t.each, 1) * sizeof *t.pixels);
    t.errors = calloc(m->batch, sizeof *t.errors);
    if (t.pixels == NULL || t.errors == NULL) {
        status = akin_fail_nomem(err, "held-out pictures", m->batch * t.each * sizeof *t.pixels);
        goto out;
    }
    for (; t.first < total; t.first += m->batch) {
        const size_t count = akin_min(m->batch, total - t.first);
        float *rows = out + t.first * d;
        memset(t.pixels, 0, count * t.each * sizeof *t.pixels);
        akin_pool_run(work->pool, count, read_task, &t);
        const akin_image_input input = { .pixels = t.pixels, .count = count, .evaluate = true };
        AKIN_TRY(akin_net_images(net, work, &input, NULL, rows, err));
        akin_measure_unit(rows, count, d);
        for (size_t i = 0; i < count; i++) {
            if (t.errors[i].code == AKIN_OK)
                continue;
            if (t.errors[i].code == AKIN_E_NOMEM) { /* no fault of the picture */
                status = t.errors[i].code;
                if (err != NULL)
                    *err = t.errors[i];
                goto out;
            }
            memset(rows + i * d, 0, d * sizeof *rows);
            if (m->skipped != NULL)
                m->skipped(m->context, &t.errors[i]);
        }
    }
out:
    free(t.pixels);
    free(t.errors);
    return status;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

static akin_status embed_texts(const akin_measure *m, akin_net *net, const akin_work *work,
                               float *out, akin_error *err)
{
    const size_t d = net->config.dimensions, total = m->manifest->text_count;
    akin_status status = AKIN_OK;
    size_t cut = 0;
    int32_t *ids = calloc(m->batch * (size_t)m->text_tokens, sizeof *ids);
    size_t *starts = calloc(m->batch + 1, sizeof *starts);
    const char **texts = calloc(m->batch, sizeof *texts);
    if (ids == NULL || starts == NULL || texts == NULL) {
        status = akin_fail_nomem(err, "held-out texts", 0);
        goto out;
    }
    for (size_t first = 0; first < total; first += m->batch) {
        const size_t count = akin_min(m->batch, total - first);
        for (size_t i = 0; i < count; i++)
            texts[i] = m->manifest->texts[first + i].text;
        AKIN_TRY(akin_measure_tokens(&net->config, m->tokenizer, m->text_tokens, texts, count, ids,
                                     starts, &cut, err));
        const akin_text_input input = { ids, starts, count };
        AKIN_TRY(akin_net_texts(net, work, &input, NULL, out + first * d, err));
        akin_measure_unit(out + first * d, count, d);
    }
out:
    free(ids);
    free(starts);
    free(texts);
    return status;
}

akin_status akin_measure_run(const akin_measure *m, akin_net *net, const akin_work *work,
                             akin_recall *text_to_picture, akin_recall *picture_to_text,
                             akin_error *err)
{
    const size_t d = net->config.dimensions;
    const size_t pictures = m->manifest->picture_count, texts = m->manifest->text_count;
    akin_eval eval = { 0 };
    akin_status status = AKIN_OK;
    float *picture_rows = akin_large_alloc(akin_max(pictures * d, 1) * sizeof *picture_rows);
    float *text_rows = akin_large_alloc(akin_max(texts * d, 1) * sizeof *text_rows);
    if (picture_rows == NULL || text_rows == NULL) {
        status = akin_fail_nomem(err, "held-out vectors", (pictures + texts) * d * sizeof(float));
        goto out;
    }
    AKIN_TRY(embed_pictures(m, net, work, picture_rows, err));
    AKIN_TRY(embed_texts(m, net, work, text_rows, err));
    const akin_eval_vectors vectors = { .dimensions = d, .pictures = picture_rows,
                                        .texts = text_rows };
    AKIN_TRY(akin_eval_run(&eval, m->manifest, &vectors, AKIN_EVAL_ALL, work->kernels, work->pool,
                           err));
    *text_to_picture = eval.languages[0].text_to_picture;
    *picture_to_text = eval.languages[0].picture_to_text;
out:
    akin_eval_clear(&eval);
    free(picture_rows);
    free(text_rows);
    return status;
}
