/* optimizer.c - AdamW, its schedule and the norm of the gradients, over the flat blocks. */
#include "train/optimizer.h"

#include <math.h>

#include "base/arith.h"
#include "cpu/gradient_kernels.h"

double akin_schedule_rate(const akin_schedule *schedule, uint64_t step)
{
    if (step < schedule->warmup)
        return schedule->rate * (double)(step + 1) / (double)schedule->warmup;
    if (step >= schedule->steps)
        return schedule->rate * schedule->final_rate;
    const double done =
        (double)(step - schedule->warmup) / (double)(schedule->steps - schedule->warmup);
    return schedule->rate * (schedule->final_rate + (1.0 - schedule->final_rate) * 0.5 *
                                                        (1.0 + cos(3.141592653589793 * done)));
}

/* ---- Parts ----------------------------------------------------------------------------------- */

struct pass {
    const akin_parameters *list;
    const akin_gradient_kernels *kernels;
    double sums[AKIN_PARTS];
    /* of a step */
    const akin_adamw *adamw;
    float keep, scale, step, root; /* keep: of what is decayed */
};

typedef void (*akin_range)(struct pass *pass, size_t part, const akin_parameter *p, size_t begin,
                           size_t end);

/* Calls `range` for what of each learning parameter lies in the part's share of the blocks. */
static void over_part(struct pass *pass, size_t part, akin_range range)
{
    const akin_parameters *list = pass->list;
    const size_t share = akin_round_up(akin_ceil_div(list->floats, AKIN_PARTS), 16);
    const size_t first = part * share, last = first + share;
    for (size_t i = 0; i < list->count; i++) {
        const akin_parameter *p = &list->items[i];
        const size_t begin = akin_max(first, p->at), end = akin_min(last, p->at + p->count);
        if (begin < end && !p->frozen && p->kind != AKIN_PARAMETER_STATE)
            range(pass, part, p, begin, end);
    }
}

/* ---- Norm ------------------------------------------------------------------------------------ */

static void square_range(struct pass *pass, size_t part, const akin_parameter *p, size_t begin,
                         size_t end)
{
    (void)p;
    pass->sums[part] += pass->kernels->sum_squares_f32(pass->list->gradients + begin, end - begin);
}

static void square_part(void *context, size_t i, int worker)
{
    (void)worker;
    over_part(context, i, square_range);
}

double akin_gradients_norm(const akin_work *work, const akin_parameters *list)
{
    struct pass pass = { .list = list, .kernels = work->kernels->gradients };
    double sum = 0.0;
    akin_pool_run(work->pool, AKIN_PARTS, square_part, &pass);
    for (size_t i = 0; i < AKIN_PARTS; i++)
        sum += pass.sums[i];
    return sqrt(sum);
}

/* ---- Step ------------------------------------------------------------------------------------ */

static void step_range(struct pass *pass, size_t part, const akin_parameter *p, size_t begin,
                       size_t end)
{
    const akin_parameters *list = pass->list;
    const akin_adamw *a = pass->adamw;
    const float keep = p->kind == AKIN_PARAMETER_VECTOR ? 1.0f : pass->keep;
    (void)part;
    pass->kernels->adamw_f32(list->values + begin, list->gradients + begin,
                             list->moments1 + begin, list->moments2 + begin, end - begin, keep,
                             pass->scale, a->beta1, a->beta2, pass->step, pass->root,
                             (float)a->eps);
}

static void step_part(void *context, size_t i, int worker)
{
    (void)worker;
    over_part(context, i, step_range);
}

void akin_adamw_step(const akin_work *work, const akin_adamw *adamw, akin_parameters *list,
                     double rate, double scale, uint64_t step)
{
    const double correction1 = 1.0 - pow(adamw->beta1, (double)step);
    const double correction2 = 1.0 - pow(adamw->beta2, (double)step);
    struct pass pass = {
        .list = list,
        .kernels = work->kernels->gradients,
        .adamw = adamw,
        .keep = (float)(1.0 - rate * adamw->decay),
        .scale = (float)scale,
        .step = (float)(rate / correction1),
        .root = (float)(1.0 / sqrt(correction2)),
    };
    akin_pool_run(work->pool, AKIN_PARTS, step_part, &pass);
}
