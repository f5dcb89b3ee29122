/* step.c - one step's gradients, whole or with cached vectors. */
#include "train/step.h"

#include <string.h>

#include "base/arith.h"

struct step {
    akin_net *net;
    const akin_work *work;
    const akin_step_input *in;
    bool locked; /* the picture tower: BatchNorm computes with its running statistics */
    float *images, *texts, *d_images, *d_texts; /* [count, dimensions] */
    size_t *starts; /* [chunk + 1] */
};

/* Pairs [first, first + count) of the batch. */
static akin_image_input image_input(const struct step *s, size_t first, size_t count, bool update)
{
    const akin_step_input *in = s->in;
    const akin_clip_config *c = &s->net->config;
    return (akin_image_input){
        .pixels = in->pixels + first * 3 * c->image_height * c->image_width,
        .count = count,
        .keep = in->keep != NULL ? in->keep + first * in->kept : NULL,
        .kept = in->kept,
        .evaluate = s->locked,
        .update = update && !s->locked,
    };
}

static akin_text_input text_input(const struct step *s, size_t first, size_t count)
{
    const size_t *starts = s->in->starts + first;
    for (size_t i = 0; i <= count; i++)
        s->starts[i] = starts[i] - starts[0];
    return (akin_text_input){ s->in->ids + starts[0], s->starts, count };
}

/* A tower whose first weights do not learn is locked. */
static bool is_locked(const akin_net *net)
{
    if (!net->config.resnet)
        return false;
    const size_t first = akin_parameters_find(&net->parameters, "visual.conv1.weight");
    return first != SIZE_MAX && net->parameters.items[first].frozen;
}

static akin_status run_loss(struct step *s, akin_loss_output *out, akin_error *err)
{
    const akin_step_input *in = s->in;
    const akin_net *net = s->net;
    const akin_parameters *list = &net->parameters;
    const bool concepts = in->concept_weight != 0.0f && in->labels != NULL;
    const bool biased = net->logit_bias != SIZE_MAX;
    const akin_loss_input loss = {
        .objective = in->objective,
        .count = in->count,
        .dimensions = net->config.dimensions,
        .images = s->images,
        .texts = s->texts,
        .concepts = in->concepts,
        .pair_weight = in->pair_weight,
        .logit_scale = *akin_value(list, net->logit_scale),
        .logit_bias = biased ? *akin_value(list, net->logit_bias) : 0.0f,
        .concept_weight = concepts ? in->concept_weight : 0.0f,
        .prototypes = concepts ? akin_value(list, in->prototypes) : NULL,
        .prototype_count = concepts ? (size_t)list->items[in->prototypes].shape[0] : 0,
        .labels = concepts ? in->labels : NULL,
        .concept_scale = in->concept_scale,
        .smoothing = in->smoothing,
    };
    *out = (akin_loss_output){
        .d_images = s->d_images,
        .d_texts = s->d_texts,
        .d_prototypes = concepts ? akin_gradient(list, in->prototypes) : NULL,
    };
    akin_status status = akin_loss_run(s->work, &loss, out, err);
    out->d_images = out->d_texts = out->d_prototypes = NULL;
    if (status != AKIN_OK || out->first_bad != SIZE_MAX)
        return status;
    float *gradient = akin_gradient(list, net->logit_scale);
    if (gradient != NULL)
        *gradient += (float)out->d_logit_scale;
    gradient = biased ? akin_gradient(list, net->logit_bias) : NULL;
    if (gradient != NULL)
        *gradient += (float)out->d_logit_bias;
    return AKIN_OK;
}

/* Everything passes at once; the tapes live until the loss has spoken. */
static akin_status run_whole(struct step *s, akin_loss_output *out, akin_error *err)
{
    const size_t count = s->in->count;
    const akin_image_input pictures = image_input(s, 0, count, true);
    const akin_text_input texts = text_input(s, 0, count);
    akin_image_tape *image_tape = NULL;
    akin_text_tape *text_tape = NULL;
    akin_status status;
    AKIN_TRY(akin_net_images(s->net, s->work, &pictures, &image_tape, s->images, err));
    AKIN_TRY(akin_net_texts(s->net, s->work, &texts, &text_tape, s->texts, err));
    AKIN_TRY(run_loss(s, out, err));
    if (out->first_bad != SIZE_MAX)
        goto out;
    AKIN_TRY(akin_net_texts_back(s->net, s->work, &texts, text_tape, s->d_texts, err));
    AKIN_TRY(akin_net_images_back(s->net, s->work, &pictures, image_tape, s->d_images, err));
out:
    return status;
}

/* One chunk: with `back` the second time, else only its vectors. What the towers took from the
 * arena goes back. */
static akin_status run_chunk(struct step *s, size_t first, size_t count, bool back,
                             akin_error *err)
{
    const size_t at = first * s->net->config.dimensions;
    const akin_arena_mark mark = akin_arena_now(s->work->arena);
    const akin_image_input pictures = image_input(s, first, count, back);
    const akin_text_input texts = text_input(s, first, count);
    akin_image_tape *image_tape = NULL;
    akin_text_tape *text_tape = NULL;
    akin_status status;
    AKIN_TRY(akin_net_images(s->net, s->work, &pictures, back ? &image_tape : NULL,
                             s->images + at, err));
    if (back)
        AKIN_TRY(akin_net_images_back(s->net, s->work, &pictures, image_tape, s->d_images + at,
                                      err));
    akin_arena_release(s->work->arena, mark);
    AKIN_TRY(akin_net_texts(s->net, s->work, &texts, back ? &text_tape : NULL, s->texts + at,
                            err));
    if (back)
        AKIN_TRY(akin_net_texts_back(s->net, s->work, &texts, text_tape, s->d_texts + at, err));
out:
    akin_arena_release(s->work->arena, mark);
    return status;
}

static akin_status run_chunks(struct step *s, size_t chunk, akin_loss_output *out, akin_error *err)
{
    const size_t count = s->in->count;
    akin_status status;
    for (size_t i = 0; i < count; i += chunk)
        AKIN_TRY(run_chunk(s, i, akin_min(chunk, count - i), false, err));
    AKIN_TRY(run_loss(s, out, err));
    for (size_t i = 0; i < count && out->first_bad == SIZE_MAX; i += chunk)
        AKIN_TRY(run_chunk(s, i, akin_min(chunk, count - i), true, err));
out:
    return status;
}

akin_status akin_step_gradients(akin_net *net, const akin_work *work, const akin_step_input *in,
                                akin_loss_output *out, akin_error *err)
{
    const size_t chunk = in->chunk == 0 ? in->count : akin_min(in->chunk, in->count);
    const akin_arena_mark mark = akin_arena_now(work->arena);
    struct step s = { .net = net, .work = work, .in = in, .locked = is_locked(net) };
    float **const vectors[] = { &s.images, &s.texts, &s.d_images, &s.d_texts };
    size_t floats = 0;
    akin_status status = AKIN_OK;
    if (in->count == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a step of no pairs");
    bool taken = akin_mul(in->count, net->config.dimensions, &floats);
    for (size_t i = 0; i < 4 && taken; i++)
        taken = (*vectors[i] = akin_arena_take(work->arena, floats, sizeof(float))) != NULL;
    s.starts = taken ? akin_arena_take(work->arena, chunk + 1, sizeof *s.starts) : NULL;
    if (s.starts == NULL)
        status = akin_fail_nomem(err, "vectors of the batch", 0);
    else
        status = chunk == in->count ? run_whole(&s, out, err) : run_chunks(&s, chunk, out, err);
    akin_arena_release(work->arena, mark);
    return status;
}
