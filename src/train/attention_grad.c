/* attention_grad.c - attention over sequences without padding, a head and a sequence at a time.
 *
 * The probabilities are computed again going back: of five small products that is one more, and
 * what is kept grows with the length of a sequence, not with its square. */
#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "train/encoder_grad.h"

struct attention_job {
    const akin_work *work;
    const akin_attention *a;
    const float *dattended;
    float *attended, *dq, *dk, *dv;
    float *scratch; /* [threads, turned + 2 scores] */
    size_t turned, scores;
};

/* The operands of one task. */
struct head {
    const akin_attention_span *span;
    size_t width, at; /* at: the head's first column */
    const float *q, *k, *v;
    float scale;
    float *turned, *p, *dp;
};

static struct head head_of(const struct attention_job *t, size_t i, int worker)
{
    const akin_attention *a = t->a;
    struct head h = { .span = &a->spans[i / a->heads], .width = a->d / a->heads };
    h.at = i % a->heads * h.width;
    h.q = a->q + h.span->row * a->ldq + h.at;
    h.k = a->k + h.span->start * a->ldkv + h.at;
    h.v = a->v + h.span->start * a->ldkv + h.at;
    h.scale = 1.0f / sqrtf((float)h.width);
    h.turned = t->scratch + (size_t)worker * (t->turned + 2 * t->scores);
    h.p = h.turned + t->turned;
    h.dp = h.p + t->scores;
    return h;
}

/* p [queries, length] = softmax(q k^T scale). */
static void probabilities(const struct attention_job *t, const struct head *h)
{
    const akin_gradient_kernels *g = t->work->kernels->gradients;
    const size_t m = h->span->queries, n = h->span->length;
    g->transpose_f32(h->k, t->a->ldkv, n, h->width, h->turned, n);
    g->product_f32(h->q, t->a->ldq, 1, h->turned, n, m, n, h->width, false, h->p, n);
    for (size_t r = 0; r < m; r++) {
        const size_t visible = t->a->causal ? h->span->first + r + 1 : n;
        t->work->kernels->softmax_f32(h->p + r * n, h->scale, visible);
        memset(h->p + r * n + visible, 0, (n - visible) * sizeof(float));
    }
}

static void forward_task(void *context, size_t i, int worker)
{
    const struct attention_job *t = context;
    const struct head h = head_of(t, i, worker);
    probabilities(t, &h);
    t->work->kernels->gradients->product_f32(
        h.p, h.span->length, 1, h.v, t->a->ldkv, h.span->queries, h.width, h.span->length, false,
        t->attended + h.span->row * t->a->d + h.at, t->a->d);
}

static void backward_task(void *context, size_t i, int worker)
{
    const struct attention_job *t = context;
    const struct head h = head_of(t, i, worker);
    const akin_gradient_kernels *g = t->work->kernels->gradients;
    const size_t m = h.span->queries, n = h.span->length, ldq = t->a->ldq, ldkv = t->a->ldkv;
    const float *d = t->dattended + h.span->row * t->a->d + h.at;
    float *dq = t->dq + h.span->row * ldq + h.at;
    const size_t keys = h.span->start * ldkv + h.at;
    probabilities(t, &h);
    g->product_f32(h.p, 1, n, d, t->a->d, n, h.width, m, false, t->dv + keys, ldkv);
    g->transpose_f32(h.v, ldkv, n, h.width, h.turned, n);
    g->product_f32(d, t->a->d, 1, h.turned, n, m, n, h.width, false, h.dp, n);
    for (size_t r = 0; r < m; r++)
        g->softmax_back_f32(h.p + r * n, h.scale, h.dp + r * n, n);
    g->product_f32(h.dp, n, 1, h.k, ldkv, m, h.width, n, false, dq, ldq);
    g->product_f32(h.dp, 1, n, h.q, ldq, n, h.width, m, false, t->dk + keys, ldkv);
}

static akin_status run(struct attention_job *job, akin_task task, akin_error *err)
{
    const akin_attention *a = job->a;
    const akin_work *work = job->work;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    size_t longest = 0, each = 0;
    for (size_t s = 0; s < a->count; s++) {
        const akin_attention_span *span = &a->spans[s];
        longest = akin_max(longest, span->length);
        job->scores = akin_max(job->scores, span->length * span->queries);
    }
    job->turned = akin_round_up(longest * (a->d / a->heads), 16);
    job->scores = akin_round_up(job->scores, 16);
    each = job->turned + 2 * job->scores;
    job->scratch =
        akin_arena_take(work->arena, (size_t)akin_pool_threads(work->pool), each * sizeof(float));
    if (job->scratch == NULL)
        return akin_fail_nomem(err, "attention", each * sizeof(float));
    akin_pool_run(work->pool, a->count * a->heads, task, job);
    akin_arena_release(work->arena, mark);
    return AKIN_OK;
}

akin_status akin_attention_forward(const akin_work *work, const akin_attention *attention,
                                   float *attended, akin_error *err)
{
    struct attention_job job = { .work = work, .a = attention, .attended = attended };
    return run(&job, forward_task, err);
}

akin_status akin_attention_backward(const akin_work *work, const akin_attention *attention,
                                    const float *dattended, float *dq, float *dk, float *dv,
                                    akin_error *err)
{
    struct attention_job job = { .work = work, .a = attention, .dattended = dattended, .dq = dq,
                                 .dk = dk, .dv = dv };
    return run(&job, backward_task, err);
}
