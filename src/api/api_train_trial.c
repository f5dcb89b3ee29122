/* api_train_trial.c - akin.h: steps of training over made-up pairs, to be timed. */
#include <stdlib.h>

#include "api/handles.h"
#include "base/arith.h"
#include "base/memory.h"
#include "dataset/random.h"
#include "train/optimizer.h"
#include "train/step.h"

enum { TOKENS = 16, MOST_BATCH = 1 << 20 };

struct akin_train_trial {
    akin_net *net;
    akin_arena arena;
    akin_work work;
    size_t batch, chunk;
    float *pixels;   /* [batch, 3, image_height, image_width] */
    int32_t *ids;    /* [batch, tokens] */
    size_t *starts;  /* [batch + 1] */
    uint64_t step;
};

/* Pixels as preprocessing might make them; texts of random ids, the largest of which, where CLIP
 * has its end token, comes last. */
static void make_pairs(akin_train_trial *t, size_t tokens)
{
    const akin_clip_config *c = &t->net->config;
    const size_t each = 3 * c->image_height * c->image_width;
    for (size_t i = 0; i < t->batch; i++) {
        akin_random r = akin_random_of(1, 0, i);
        for (size_t j = 0; j < each; j++)
            t->pixels[i * each + j] = akin_random_range(&r, -2.0, 2.0);
        for (size_t j = 0; j < tokens; j++)
            t->ids[i * tokens + j] = j + 1 == tokens
                                         ? (int32_t)c->vocabulary - 1
                                         : (int32_t)akin_random_below(&r, c->vocabulary - 1);
        t->starts[i + 1] = (i + 1) * tokens;
    }
}

akin_status akin_train_trial_new(akin_train_trial **out, const akin_model *model,
                                 const akin_train_trial_options *given, akin_error *err)
{
    akin_train_trial_options o = AKIN_TRAIN_TRIAL_OPTIONS_INIT;
    const akin_clip_config *c = &model->config;
    *out = NULL;
    akin_status status =
        akin_take_options(&o, sizeof o, given, "akin_train_trial_options", err);
    if (status != AKIN_OK)
        return status;
    const size_t tokens = o.tokens != 0 ? o.tokens : akin_min(TOKENS, c->text_tokens);
    if (o.batch < 2 || o.batch > MOST_BATCH || tokens < 2 || tokens > c->text_tokens)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "%zu pairs with texts of %zu tokens; a batch has 2 to %d, a text 2 to %zu",
                         o.batch, tokens, MOST_BATCH, c->text_tokens);
    akin_train_trial *t = calloc(1, sizeof *t);
    if (t == NULL)
        return akin_fail_nomem(err, "trial", sizeof *t);
    akin_arena_init(&t->arena);
    t->batch = o.batch;
    t->chunk = o.chunk;
    t->pixels = akin_large_alloc(o.batch * 3 * c->image_height * c->image_width * sizeof(float));
    t->ids = calloc(o.batch * tokens, sizeof *t->ids);
    t->starts = calloc(o.batch + 1, sizeof *t->starts);
    if (t->pixels == NULL || t->ids == NULL || t->starts == NULL) {
        status = akin_fail_nomem(err, "pairs", 0);
        goto out;
    }
    t->work.kernels = model->kernels;
    t->work.arena = &t->arena;
    t->work.bf16 = akin_trains_in_bf16(o.precision, model->kernels);
    AKIN_TRY(akin_pool_new(&t->work.pool, o.threads != 0 ? o.threads : akin_cpu_count(), err));
    AKIN_TRY(akin_net_new(&t->net, c, err));
    AKIN_TRY(akin_parameters_make(&t->net->parameters, err));
    akin_net_draw(t->net, 1);
    make_pairs(t, tokens);
out:
    if (status == AKIN_OK)
        *out = t;
    else
        akin_train_trial_free(t);
    return status;
}

void akin_train_trial_free(akin_train_trial *t)
{
    if (t == NULL)
        return;
    akin_net_free(t->net);
    akin_pool_free(t->work.pool);
    akin_arena_clear(&t->arena);
    free(t->pixels);
    free(t->ids);
    free(t->starts);
    free(t);
}

akin_status akin_train_trial_run(akin_train_trial *t, double *loss, akin_error *err)
{
    const akin_adamw adamw = { 0.9, 0.98, 1e-6, 0.1 };
    const akin_step_input in = {
        .count = t->batch, .chunk = t->chunk, .pixels = t->pixels, .ids = t->ids,
        .starts = t->starts, .objective = AKIN_OBJECTIVE_INFONCE, .pair_weight = 1.0f,
        .prototypes = SIZE_MAX,
    };
    akin_loss_output out = { 0 };
    akin_status status = akin_step_gradients(t->net, &t->work, &in, &out, err);
    if (status != AKIN_OK)
        return status;
    const double norm = akin_gradients_norm(&t->work, &t->net->parameters);
    akin_adamw_step(&t->work, &adamw, &t->net->parameters, 1e-4, norm > 1.0 ? 1.0 / norm : 1.0,
                    ++t->step);
    if (loss != NULL)
        *loss = out.loss;
    return AKIN_OK;
}

const char *akin_train_trial_precision(const akin_train_trial *t)
{
    return t->work.bf16 ? "bf16" : "f32";
}
