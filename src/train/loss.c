/* loss.c - the losses over whole batches: products in float32, what is summed over a batch or read
 * off a softmax in double.
 *
 * Both directions of InfoNCE run the same code over the rows of the cosines and of their transpose.
 * Logits to the prototypes are made ROW_FLOATS at a time. Nothing depends on the threads: rows are
 * computed alone, and their terms added in order.
 *
 * Reference: PyTorch 2.13.0 autograd over F.normalize, F.cross_entropy and F.logsigmoid; open_clip
 * 3.3.0 loss.py ClipLoss and SigLipLoss. */
#include "train/loss.h"

#include <math.h>
#include <string.h>

#include "base/arith.h"
#include "train/matrix.h"

enum { ROW_FLOATS = 1 << 22 }; /* of logits to prototypes at a time: 16 MiB */

static const double least_norm = 1e-12; /* of F.normalize */

/* What a row adds to the sums. */
typedef struct term {
    double loss, d_scale, d_bias;
    bool correct;
} term;

typedef struct loss {
    akin_work work; /* in f32: a temperature of 100 multiplies every error of a cosine */
    const akin_loss_input *in;
    akin_loss_output *out;
    double scale;                    /* of cosines */
    float *images, *texts;           /* [n, d], unit length */
    double *image_norms, *text_norms; /* [n] */
    term *terms;                     /* [n] */
    akin_error *err;

    /* of the pass at hand */
    size_t rows;
    float *matrix, *turned; /* [n, n] */
    const float *raw;
    float *unit, *gradient;
    double *norms;
    size_t first, labelled;
} loss;

typedef void (*row_function)(loss *l, size_t i);

struct rows {
    loss *l;
    row_function row;
};

static void part_task(void *context, size_t part, int worker)
{
    const struct rows *r = context;
    const size_t share = akin_ceil_div(r->l->rows, AKIN_PARTS);
    (void)worker;
    for (size_t i = part * share; i < akin_min((part + 1) * share, r->l->rows); i++)
        r->row(r->l, i);
}

static void over_rows(loss *l, size_t rows, row_function row)
{
    struct rows r = { l, row };
    l->rows = rows;
    akin_pool_run(l->work.pool, AKIN_PARTS, part_task, &r);
}

/* ---- Unit length ----------------------------------------------------------------------------- */

static void normalise_row(loss *l, size_t i)
{
    const size_t d = l->in->dimensions;
    const float *x = l->raw + i * d;
    double sum = 0.0;
    for (size_t j = 0; j < d; j++)
        sum += (double)x[j] * x[j];
    l->norms[i] = sqrt(sum);
    const double norm = l->norms[i] > least_norm ? l->norms[i] : least_norm;
    for (size_t j = 0; j < d; j++)
        l->unit[i * d + j] = (float)(x[j] / norm);
}

static void normalise(loss *l, const float *raw, size_t rows, float *unit, double *norms)
{
    l->raw = raw;
    l->unit = unit;
    l->norms = norms;
    over_rows(l, rows, normalise_row);
}

/* gradient, to the unit vectors, becomes that to the raw ones. */
static void unnormalise_row(loss *l, size_t i)
{
    const size_t d = l->in->dimensions;
    const float *y = l->unit + i * d;
    float *g = l->gradient + i * d;
    const bool clamped = !(l->norms[i] > least_norm);
    double dot = 0.0;
    for (size_t j = 0; j < d && !clamped; j++)
        dot += (double)y[j] * g[j];
    const double norm = clamped ? least_norm : l->norms[i];
    for (size_t j = 0; j < d; j++)
        g[j] = (float)((g[j] - y[j] * dot) / norm);
}

static void unnormalise(loss *l, size_t rows, float *unit, double *norms, float *gradient)
{
    l->unit = unit;
    l->norms = norms;
    l->gradient = gradient;
    over_rows(l, rows, unnormalise_row);
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static bool left_out(const akin_loss_input *in, size_t i, size_t j)
{
    return i != j && in->concepts != NULL && in->concepts[i] == in->concepts[j];
}

/* Whether no other logit of the row is as high as its own. */
static bool is_correct(const loss *l, const float *row, size_t i)
{
    for (size_t j = 0; j < l->in->count; j++)
        if (j != i && row[j] >= row[i] && !left_out(l->in, i, j))
            return false;
    return true;
}

/* Row i of cosines becomes the gradient of the loss to them: softmax - 1 where i = j, times what
 * stands before it. */
static void infonce_row(loss *l, size_t i)
{
    const size_t n = l->in->count;
    const double scale = l->scale, factor = 0.5 * l->in->pair_weight / (double)n;
    float *row = l->matrix + i * n;
    double highest = row[i], sum = 0.0, weighted = 0.0;
    term *t = &l->terms[i];
    for (size_t j = 0; j < n; j++)
        if (row[j] > highest && !left_out(l->in, i, j))
            highest = row[j];
    t->correct = is_correct(l, row, i);
    for (size_t j = 0; j < n; j++) {
        if (left_out(l->in, i, j))
            continue;
        const double e = exp(scale * (row[j] - highest));
        sum += e;
        weighted += e * row[j];
    }
    t->loss = log(sum) + scale * (highest - row[i]);
    t->d_scale = factor * scale * (weighted / sum - row[i]);
    t->d_bias = 0.0;
    for (size_t j = 0; j < n; j++) {
        const double p =
            left_out(l->in, i, j) ? 0.0 : exp(scale * (row[j] - highest)) / sum - (i == j);
        row[j] = (float)(factor * scale * p);
    }
}

/* The same of -logsigmoid(+-(scale * cosine + bias)) / n. */
static void sigmoid_row(loss *l, size_t i)
{
    const size_t n = l->in->count;
    const double factor = l->in->pair_weight / (double)n;
    float *row = l->matrix + i * n;
    term *t = &l->terms[i];
    *t = (term){ .correct = is_correct(l, row, i) };
    for (size_t j = 0; j < n; j++) {
        if (left_out(l->in, i, j)) {
            row[j] = 0.0f;
            continue;
        }
        const double sign = i == j ? 1.0 : -1.0;
        const double z = sign * (l->scale * row[j] + l->in->logit_bias);
        const double e = exp(-fabs(z));
        const double d = -sign * factor * (z >= 0.0 ? e : 1.0) / (1.0 + e);
        t->loss += log1p(e) + (z < 0.0 ? -z : 0.0);
        t->d_scale += d * l->scale * row[j];
        t->d_bias += d;
        row[j] = (float)(d * l->scale);
    }
}

static void turn_row(loss *l, size_t i)
{
    const size_t n = l->in->count;
    for (size_t j = 0; j < n; j++)
        l->turned[i * n + j] = l->matrix[j * n + i];
}

static void add_turned_row(loss *l, size_t i)
{
    const size_t n = l->in->count;
    for (size_t j = 0; j < n; j++)
        l->matrix[i * n + j] += l->turned[j * n + i];
}

/* Adds the terms of a pass; share: of the loss. */
static void add_terms(loss *l, double share, bool images)
{
    akin_loss_output *out = l->out;
    double sum = 0.0, correct = 0.0;
    for (size_t i = 0; i < l->in->count; i++) {
        const term *t = &l->terms[i];
        if (!isfinite(t->loss) && i < out->first_bad)
            out->first_bad = i;
        sum += t->loss;
        correct += t->correct;
        out->d_logit_scale += t->d_scale;
        out->d_logit_bias += t->d_bias;
    }
    out->pair_loss += share * sum / (double)l->in->count;
    if (images)
        out->correct = correct / (double)l->in->count;
}

static akin_status run_pairs(loss *l)
{
    const size_t n = l->in->count, d = l->in->dimensions;
    const bool infonce = l->in->objective == AKIN_OBJECTIVE_INFONCE;
    size_t floats = 0;
    akin_status status;
    if (akin_mul(n, n, &floats)) {
        l->matrix = akin_arena_take(l->work.arena, floats, sizeof(float));
        l->turned = infonce ? akin_arena_take(l->work.arena, floats, sizeof(float)) : l->matrix;
    }
    if (l->matrix == NULL || l->turned == NULL)
        return akin_fail_nomem(l->err, "logits of the batch", 0);
    AKIN_TRY(akin_matrix_product(&l->work, l->images, d, n, d, l->texts, d, false, n, l->matrix, n,
                                 false, l->err));
    if (infonce) {
        float *const matrix = l->matrix, *const turned = l->turned;
        over_rows(l, n, turn_row);
        over_rows(l, n, infonce_row);
        add_terms(l, 0.5, true);
        l->matrix = turned;
        over_rows(l, n, infonce_row);
        add_terms(l, 0.5, false);
        l->matrix = matrix;
        over_rows(l, n, add_turned_row);
    } else {
        over_rows(l, n, sigmoid_row);
        add_terms(l, 1.0, true);
    }
    AKIN_TRY(akin_matrix_product(&l->work, l->matrix, n, n, n, l->texts, d, true, d,
                                 l->out->d_images, d, true, l->err));
    AKIN_TRY(akin_matrix_outer(&l->work, l->matrix, n, n, l->images, d, d, n, l->out->d_texts, d,
                               l->err));
out:
    return status;
}

/* ---- Concepts -------------------------------------------------------------------------------- */

/* Row i of the block's cosines to the prototypes becomes the gradient to them, as in infonce_row;
 * with label smoothing the target is 1 - smoothing and smoothing / K everywhere beside. */
static void concept_row(loss *l, size_t i)
{
    const akin_loss_input *in = l->in;
    const size_t k = in->prototype_count;
    const uint32_t label = in->labels[l->first + i];
    const float scale = in->concept_scale, smoothing = in->smoothing;
    float *row = l->matrix + i * k;
    term *t = &l->terms[l->first + i];
    *t = (term){ 0 };
    if (label == UINT32_MAX) {
        memset(row, 0, k * sizeof *row);
        return;
    }
    size_t highest = 0;
    double sum = 0.0;
    for (size_t j = 0; j < k; j++) {
        sum += row[j];
        highest = row[j] > row[highest] ? j : highest;
    }
    const double top = row[highest], own = row[label], mean = sum / (double)k;
    l->work.kernels->softmax_f32(row, scale, k);
    t->loss = scale * (top - (1.0 - smoothing) * own - smoothing * mean) -
              log((double)row[highest]);
    const float factor = scale * 0.5f * in->concept_weight / (float)l->labelled;
    const float beside = smoothing / (float)k;
    row[label] -= 1.0f - smoothing;
    for (size_t j = 0; j < k; j++)
        row[j] = factor * (row[j] - beside);
}

static akin_status run_concepts(loss *l)
{
    const akin_loss_input *in = l->in;
    const size_t n = in->count, d = in->dimensions, k = in->prototype_count;
    akin_arena *arena = l->work.arena;
    size_t all = 0, block = 0;
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < n; i++) {
        if (in->labels[i] != UINT32_MAX && in->labels[i] >= k)
            return akin_fail(l->err, AKIN_E_ARGUMENT, NULL,
                             "pair %zu has prototype %u of %zu", i, in->labels[i], k);
        l->labelled += in->labels[i] != UINT32_MAX;
    }
    if (l->labelled == 0)
        return AKIN_OK;
    const size_t most = akin_min(n, akin_max(1, ROW_FLOATS / k));
    float *unit = NULL, *gradient = NULL;
    double *norms = akin_arena_take(arena, k, sizeof *norms);
    l->matrix = NULL;
    if (norms != NULL && akin_mul(k, d, &all) && akin_mul(k, most, &block)) {
        unit = akin_arena_take(arena, all, sizeof *unit);
        gradient = akin_arena_take(arena, all, sizeof *gradient);
        l->matrix = akin_arena_take(arena, block, sizeof *l->matrix);
    }
    if (unit == NULL || gradient == NULL || l->matrix == NULL)
        return akin_fail_nomem(l->err, "logits of the concepts", block * sizeof(float));
    normalise(l, in->prototypes, k, unit, norms);
    memset(gradient, 0, all * sizeof *gradient);
    for (int tower = 0; tower < 2; tower++) {
        const float *vectors = tower == 0 ? l->images : l->texts;
        float *d_vectors = tower == 0 ? l->out->d_images : l->out->d_texts;
        double sum = 0.0;
        for (l->first = 0; l->first < n; l->first += most) {
            const size_t rows = akin_min(most, n - l->first), at = l->first * d;
            AKIN_TRY(akin_matrix_product(&l->work, vectors + at, d, rows, d, unit, d, false, k,
                                         l->matrix, k, false, l->err));
            over_rows(l, rows, concept_row);
            AKIN_TRY(akin_matrix_product(&l->work, l->matrix, k, rows, k, unit, d, true, d,
                                         d_vectors + at, d, true, l->err));
            AKIN_TRY(akin_matrix_outer(&l->work, l->matrix, k, k, vectors + at, d, d, rows,
                                       gradient, d, l->err));
        }
        for (size_t i = 0; i < n; i++) {
            if (!isfinite(l->terms[i].loss) && i < l->out->first_bad)
                l->out->first_bad = i;
            sum += l->terms[i].loss;
        }
        l->out->concept_loss += 0.5 * sum / (double)l->labelled;
    }
    if (l->out->d_prototypes == NULL || l->out->first_bad != SIZE_MAX)
        goto out;
    unnormalise(l, k, unit, norms, gradient);
    for (size_t i = 0; i < all; i++)
        l->out->d_prototypes[i] += gradient[i];
out:
    return status;
}

/* ---- Both ------------------------------------------------------------------------------------ */

akin_status akin_loss_run(const akin_work *work, const akin_loss_input *input,
                          akin_loss_output *output, akin_error *err)
{
    const size_t n = input->count, d = input->dimensions;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    loss l = { .work = *work, .in = input, .out = output, .err = err,
               .scale = exp((double)input->logit_scale) };
    size_t all = 0;
    akin_status status = AKIN_OK;
    l.work.bf16 = false;
    output->loss = output->pair_loss = output->concept_loss = output->correct = 0.0;
    output->d_logit_scale = output->d_logit_bias = 0.0;
    output->first_bad = SIZE_MAX;
    if (n == 0)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL, "a loss of no pairs");
    if (akin_mul(n, d, &all)) {
        l.images = akin_arena_take(work->arena, all, sizeof(float));
        l.texts = akin_arena_take(work->arena, all, sizeof(float));
        l.image_norms = akin_arena_take(work->arena, n, sizeof(double));
        l.text_norms = akin_arena_take(work->arena, n, sizeof(double));
        l.terms = akin_arena_take(work->arena, n, sizeof *l.terms);
    }
    if (l.images == NULL || l.texts == NULL || l.image_norms == NULL || l.text_norms == NULL ||
        l.terms == NULL) {
        status = akin_fail_nomem(err, "vectors of the batch", 0);
        goto out;
    }
    memset(output->d_images, 0, all * sizeof(float));
    memset(output->d_texts, 0, all * sizeof(float));
    normalise(&l, input->images, n, l.images, l.image_norms);
    normalise(&l, input->texts, n, l.texts, l.text_norms);
    for (size_t i = 0; i < n && output->first_bad == SIZE_MAX; i++)
        if (!isfinite(l.image_norms[i]) || !isfinite(l.text_norms[i]))
            output->first_bad = i;
    if (output->first_bad != SIZE_MAX) {
        output->loss = output->pair_loss = NAN;
        goto out;
    }
    AKIN_TRY(run_pairs(&l));
    if (input->concept_weight != 0.0f)
        AKIN_TRY(run_concepts(&l));
    unnormalise(&l, n, l.images, l.image_norms, output->d_images);
    unnormalise(&l, n, l.texts, l.text_norms, output->d_texts);
    output->loss = (double)input->pair_weight * output->pair_loss +
                   (double)input->concept_weight * output->concept_loss;
out:
    akin_arena_release(work->arena, mark);
    return status;
}
