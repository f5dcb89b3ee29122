/* api_session.c - akin.h: sessions, embedding, preprocessing, classification. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/file.h"
#include "models/zeroshot.h"

/* What a forward pass of this session runs on. */
static akin_nn nn_of(akin_session *session)
{
    return (akin_nn){ session->model->kernels, session->pool, &session->arena };
}

akin_picture_options akin_session_limits(const akin_session_options *options)
{
    akin_picture_options limits = akin_picture_default_options();
    if (options->max_file_bytes != 0)
        limits.file_bytes = options->max_file_bytes;
    if (options->max_memory_bytes != 0)
        limits.memory_bytes = options->max_memory_bytes;
    limits.lenient = options->lenient;
    return limits;
}

akin_status akin_session_new(akin_session **out, const akin_model *model,
                             const akin_session_options *given, akin_error *err)
{
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    *out = NULL;
    akin_status status =
        akin_take_options(&options, sizeof options, given, "akin_session_options", err);
    if (status != AKIN_OK)
        return status;
    akin_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return akin_fail_nomem(err, "session", sizeof *session);
    session->model = model;
    akin_arena_init(&session->arena);
    session->limits = akin_session_limits(&options);
    session->limits.as_stored = akin_preprocess_as_stored(&model->preprocess);
    session->warn = options.warn;
    session->warn_context = options.warn_context;
    status = akin_pool_new(&session->pool,
                           options.threads != 0 ? options.threads : akin_cpu_count(), err);
    if (status == AKIN_OK)
        *out = session;
    else
        akin_session_free(session);
    return status;
}

void akin_session_free(akin_session *session)
{
    if (session == NULL)
        return;
    akin_pool_free(session->pool);
    akin_arena_clear(&session->arena);
    free(session);
}

static akin_status need_part(const akin_session *session, unsigned part, const char *name,
                             akin_error *err)
{
    if ((session->model->parts & part) == part)
        return AKIN_OK;
    return akin_fail(err, AKIN_E_ARGUMENT, NULL, "the model was opened without %s", name);
}

static akin_status need_room(size_t capacity, size_t count, size_t each, akin_error *err)
{
    size_t need;
    if (!akin_mul(count, each, &need) || need > capacity)
        return akin_fail(err, AKIN_E_CAPACITY, NULL,
                         "room for %zu floats; %zu rows of %zu are needed", capacity, count, each);
    return AKIN_OK;
}

/* Normalises row by row unless AKIN_RAW. */
static akin_status finish_rows(float *rows, size_t count, size_t n, unsigned flags, akin_error *err)
{
    for (size_t i = 0; i < count && (flags & AKIN_RAW) == 0; i++) {
        akin_status status = akin_normalize(rows + i * n, n, err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

/* The beginning of a text for a message: at most 60 bytes, cut between characters. */
static void quote_text(const char *text, size_t size, char out[64])
{
    size_t n = akin_min(size, 60);
    while (n < size && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, text, n);
    memcpy(out + n, n < size ? "..." : "", n < size ? 4 : 1);
}

static void warn_cut(const akin_session *session, const char *text, size_t size)
{
    if (session->warn == NULL)
        return;
    char start[64], message[192];
    quote_text(text, size, start);
    snprintf(message, sizeof message,
             "text cut to the model's %d tokens, the rest was not seen: \"%s\"",
             (int)session->model->text_tokens, start);
    session->warn(session->warn_context, message);
}

/* Texts are embedded this many at a time, so that a million texts need no memory for all their
 * ids. */
enum { TEXT_CHUNK = 256 };

static akin_status embed_text_chunk(akin_session *session, const char *const *texts,
                                    const size_t *sizes, size_t count, float *out, akin_error *err)
{
    const akin_model *model = session->model;
    const size_t longest = (size_t)model->text_tokens;
    akin_status status = AKIN_OK;
    akin_arena_mark mark = akin_arena_now(&session->arena);
    int32_t *ids = akin_arena_take(&session->arena, count * longest, sizeof *ids);
    size_t *starts = akin_arena_take(&session->arena, count + 1, sizeof *starts);
    if (ids == NULL || starts == NULL) {
        status = akin_fail_nomem(err, "token ids", count * longest * sizeof *ids);
        goto out;
    }
    starts[0] = 0;
    bool left = false;
    const int32_t pad = model->config.form == AKIN_FORM_OPEN_CLIP
                            ? akin_tokenizer_pad(model->tokenizer, &left)
                            : 0;
    for (size_t i = 0; i < count; i++) {
        const size_t size = sizes != NULL ? sizes[i] : strlen(texts[i]);
        size_t written;
        bool cut;
        AKIN_TRY(
            akin_tokenize(model, texts[i], size, ids + starts[i], longest, &written, &cut, err));
        if (cut)
            warn_cut(session, texts[i], size);
        written = akin_clip_pad(&model->config, ids + starts[i], written, pad, left);
        starts[i + 1] = starts[i] + written;
    }
    akin_nn nn = nn_of(session);
    AKIN_TRY(akin_clip_encode_texts(model->clip, &nn, ids, starts, count, out, err));
out:
    akin_arena_release(&session->arena, mark);
    return status;
}

akin_status akin_embed_texts(akin_session *session, const char *const *texts, const size_t *sizes,
                             size_t count, unsigned flags, float *out, size_t capacity,
                             akin_error *err)
{
    const size_t n = session->model->config.dimensions;
    akin_status status;
    AKIN_TRY(need_part(session, AKIN_PART_TEXT, "AKIN_PART_TEXT", err));
    AKIN_TRY(need_room(capacity, count, n, err));
    for (size_t i = 0; i < count; i += TEXT_CHUNK)
        AKIN_TRY(embed_text_chunk(session, texts + i, sizes != NULL ? sizes + i : NULL,
                                  akin_min(TEXT_CHUNK, count - i), out + i * n, err));
    AKIN_TRY(finish_rows(out, count, n, flags, err));
out:
    return status;
}

/* ---- Pictures ------------------------------------------------------------------------------- */

/* Puts the picture's name into an error that has none: only this layer knows it. */
static akin_status name_picture(akin_error *err, const akin_picture_input *input,
                                akin_status status)
{
    if (err != NULL && err->path[0] == '\0' && input->path != NULL)
        snprintf(err->path, sizeof err->path, "%s", input->path);
    return status;
}

/* A picture's error as that of the whole call; AKIN_OK when it has none. */
static akin_status raise_error(const akin_error *picture, akin_error *err)
{
    if (picture->code != AKIN_OK && err != NULL)
        *err = *picture;
    return picture->code;
}

/* Tells what a picture that was taken all the same lacks. */
static void warn_damage(const akin_session *session, const akin_error *damage)
{
    char message[sizeof damage->path + sizeof damage->message + 2];
    if (session->warn == NULL || damage->message[0] == '\0')
        return;
    snprintf(message, sizeof message, "%s%s%s", damage->path, damage->path[0] != '\0' ? ": " : "",
             damage->message);
    session->warn(session->warn_context, message);
}

akin_status akin_model_takes(const akin_model *model, const akin_picture *picture, const char *path,
                             akin_error *err)
{
    const akin_clip_config *c = &model->config;
    int height, width;
    akin_preprocess_shape(&model->preprocess, picture->height, picture->width, &height, &width);
    if ((size_t)height == c->image_height && (size_t)width == c->image_width)
        return AKIN_OK;
    return akin_fail(
        err, AKIN_E_CONFIG, path,
        "preprocessing makes %d x %d pixels of it, the model takes %zu x %zu: the folder's "
        "preprocessor_config.json is missing or belongs to another model",
        width, height, c->image_width, c->image_height);
}

/* Decodes and preprocesses one picture. for_model: it must get the size that the model takes, else
 * whatever the folder's preprocessing makes will do. err (never NULL) then is AKIN_OK, and says
 * what the picture lacks. */
static akin_status preprocess_picture(const akin_session *session, const akin_picture_input *input,
                                      bool for_model, float *out, size_t capacity, int *height,
                                      int *width, akin_error *err)
{
    const akin_preprocess *spec = &session->model->preprocess;
    akin_picture picture = { 0 };
    akin_status status;
    if (input->bytes != NULL)
        AKIN_TRY(akin_picture_decode(&picture, input->bytes, input->size, input->path,
                                     &session->limits, err));
    else
        AKIN_TRY(akin_picture_read(&picture, input->path, &session->limits, err));
    akin_preprocess_shape(spec, picture.height, picture.width, height, width);
    if (for_model)
        AKIN_TRY(akin_model_takes(session->model, &picture, input->path, err));
    AKIN_TRY(akin_preprocess_run(spec, &picture, &session->limits, out, capacity, err));
    err->code = AKIN_OK;
    err->message[0] = err->path[0] = '\0';
    if (picture.damaged_row != 0) {
        akin_picture_damage(&picture, err->message, sizeof err->message);
        name_picture(err, input, AKIN_OK);
    }
out:
    akin_picture_clear(&picture);
    return status != AKIN_OK ? name_picture(err, input, status) : AKIN_OK;
}

akin_status akin_preprocess_picture(akin_session *session, const akin_picture_input *picture,
                                    float *out, size_t capacity, int *height, int *width,
                                    akin_error *err)
{
    akin_status status = need_part(session, AKIN_PART_PREPROCESS, "AKIN_PART_PREPROCESS", err);
    if (status != AKIN_OK)
        return status;
    akin_error own = { 0 };
    status = preprocess_picture(session, picture, false, out, capacity, height, width, &own);
    if (status == AKIN_OK)
        warn_damage(session, &own);
    else
        raise_error(&own, err);
    return status;
}

struct picture_chunk {
    const akin_session *session;
    const akin_picture_input *inputs;
    float *pixels;      /* [count, each] */
    size_t each;        /* floats of one: 3, image height, image width */
    akin_error *errors; /* [count] */
};

static void picture_task(void *context, size_t i, int worker)
{
    (void)worker;
    const struct picture_chunk *t = context;
    int height, width;
    preprocess_picture(t->session, &t->inputs[i], true, t->pixels + i * t->each, t->each, &height,
                       &width, &t->errors[i]);
}

/* Pictures go through in groups of this many: all threads decode and preprocess, then all
 * encode. */
enum { PICTURE_CHUNK = 16 };

akin_status akin_embed_pictures(akin_session *session, const akin_picture_input *pictures,
                                size_t count, unsigned flags, float *out, size_t capacity,
                                akin_error *errors, akin_error *err)
{
    const akin_model *model = session->model;
    const size_t n = model->config.dimensions;
    const size_t each = 3 * model->config.image_height * model->config.image_width;
    akin_arena_mark mark = akin_arena_now(&session->arena);
    akin_status status;
    AKIN_TRY(need_part(session, AKIN_PART_IMAGE, "AKIN_PART_IMAGE", err));
    AKIN_TRY(need_room(capacity, count, n, err));
    const size_t chunk = akin_min(PICTURE_CHUNK, akin_max(count, 1));
    float *pixels = akin_arena_take(&session->arena, chunk * each, sizeof *pixels);
    akin_error *own = akin_arena_take(&session->arena, chunk, sizeof *own);
    float *rows = akin_arena_take(&session->arena, chunk * n, sizeof *rows);
    if (pixels == NULL || own == NULL || rows == NULL) {
        status = akin_fail_nomem(err, "pixels", chunk * each * sizeof *pixels);
        goto out;
    }
    for (size_t start = 0; start < count; start += chunk) {
        const size_t here = akin_min(chunk, count - start);
        struct picture_chunk t = { session, pictures + start, pixels, each, own };
        akin_pool_run(session->pool, here, picture_task, &t);
        size_t good = 0; /* those that decoded move together */
        for (size_t i = 0; i < here; i++) {
            if (errors == NULL)
                AKIN_TRY(raise_error(&own[i], err));
            if (own[i].code == AKIN_OK && good++ != i)
                memcpy(pixels + (good - 1) * each, pixels + i * each, each * sizeof *pixels);
        }
        akin_nn nn = nn_of(session);
        AKIN_TRY(akin_clip_encode_images(model->clip, &nn, pixels, good, rows, err));
        for (size_t i = 0, row = 0; i < here; i++) {
            float *to = out + (start + i) * n;
            if (own[i].code == AKIN_OK) {
                memcpy(to, rows + row++ * n, n * sizeof *to);
                akin_status finished = finish_rows(to, 1, n, flags, &own[i]);
                if (finished != AKIN_OK)
                    name_picture(&own[i], &pictures[start + i], finished);
            }
            if (own[i].code != AKIN_OK)
                memset(to, 0, n * sizeof *to);
            if (errors != NULL) {
                errors[start + i] = own[i];
                continue;
            }
            AKIN_TRY(raise_error(&own[i], err));
            warn_damage(session, &own[i]);
        }
    }
out:
    akin_arena_release(&session->arena, mark);
    return status;
}

akin_status akin_embed_pixels(akin_session *session, const float *pixels, size_t count,
                              unsigned flags, float *out, size_t capacity, akin_error *err)
{
    const akin_model *model = session->model;
    akin_status status;
    AKIN_TRY(need_part(session, AKIN_PART_IMAGE, "AKIN_PART_IMAGE", err));
    AKIN_TRY(need_room(capacity, count, model->config.dimensions, err));
    akin_nn nn = nn_of(session);
    AKIN_TRY(akin_clip_encode_images(model->clip, &nn, pixels, count, out, err));
    AKIN_TRY(finish_rows(out, count, model->config.dimensions, flags, err));
out:
    return status;
}

/* ---- Zero-shot classification --------------------------------------------------------------- */

akin_status akin_templates(const char *name, const char *const **templates, size_t *count,
                           akin_error *err)
{
    return akin_template_set(name, templates, count, err);
}

akin_status akin_embed_labels(akin_session *session, const char *const *labels, size_t label_count,
                              const char *const *templates, size_t template_count, float *out,
                              size_t capacity, akin_error *err)
{
    const size_t n = session->model->config.dimensions;
    akin_buffer text;
    akin_buffer_init(&text, "a label in its templates", 64 << 20);
    const char **prompts = NULL;
    size_t *sizes = NULL;
    float *vectors = NULL;
    akin_status status;
    AKIN_TRY(need_room(capacity, label_count, n, err));
    if (template_count == 0) {
        status = akin_fail(err, AKIN_E_ARGUMENT, NULL, "at least one template is needed");
        goto out;
    }
    prompts = calloc(template_count, sizeof *prompts);
    sizes = calloc(template_count, sizeof *sizes);
    vectors = calloc(template_count * n, sizeof *vectors);
    if (prompts == NULL || sizes == NULL || vectors == NULL) {
        status = akin_fail_nomem(err, "label vectors", template_count * n * sizeof *vectors);
        goto out;
    }
    for (size_t l = 0; l < label_count; l++) {
        text.size = 0;
        for (size_t t = 0; t < template_count; t++) {
            const size_t before = text.size;
            AKIN_TRY(akin_template_fill(templates[t], labels[l], &text, err));
            sizes[t] = text.size - before;
        }
        for (size_t t = 0, at = 0; t < template_count; at += sizes[t++])
            prompts[t] = text.data + at;
        AKIN_TRY(akin_embed_texts(session, prompts, sizes, template_count, 0, vectors,
                                  template_count * n, err));
        AKIN_TRY(akin_mean_direction(vectors, template_count, n, out + l * n, err));
    }
out:
    free(prompts);
    free(sizes);
    free(vectors);
    akin_buffer_clear(&text);
    return status;
}

akin_status akin_classify(const akin_model *model, const float *picture, const float *labels,
                          size_t label_count, float *out, size_t capacity, akin_error *err)
{
    if (model->clip == NULL)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "the model was opened without a tower");
    akin_status status = need_room(capacity, label_count, 1, err);
    if (status != AKIN_OK)
        return status;
    const size_t n = model->config.dimensions;
    const double scale = exp(model->clip->logit_scale);
    if (model->config.logit_bias)
        akin_label_sigmoids(picture, labels, label_count, n, scale, model->clip->logit_bias, out);
    else
        akin_label_probabilities(picture, labels, label_count, n, scale, out);
    return status;
}
