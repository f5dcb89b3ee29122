/* test_train_resnet.c - CLIP's ModifiedResNet in training against open_clip
 * (tests/golden/train/resnet), the same bits on every number of threads, and the kernels of each
 * instruction set against plain C. */
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/batchnorm_kernels.h"
#include "models/resnet.h"
#include "train/resnet_grad.h"
#include "weights/checkpoint.h"

#define GOLDEN "tests/golden/train/resnet/"

enum { KEPT = 512 };

static const struct trial {
    const char *name;
    akin_resnet_config tower;
    size_t count;
} trials[] = {
    { "plain", { { 1, 1, 1, 1 }, 4, 2, 64, 12 }, 6 },
    { "odd", { { 1, 2, 1, 1 }, 5, 2, 94, 7 }, 5 },
    { "small", { { 1, 2, 1, 1 }, 6, 2, 32, 9 }, 8 },
    { "wide", { { 1, 1, 1, 1 }, 8, 4, 64, 10 }, 4 },
};
enum { TRIALS = sizeof trials / sizeof *trials };

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

/* As tools/oracle/train_resnet.py draws: offset + scale * h. */
static void draw(const char *name, size_t count, float offset, float scale, float *out)
{
    uint32_t seed = 2166136261u;
    for (const char *p = name; *p != '\0'; p++)
        seed = (seed ^ (unsigned char)*p) * 16777619u;
    for (size_t i = 0; i < count; i++) {
        uint32_t h = (uint32_t)i + seed;
        h = (h ^ h >> 16) * 0x7feb352du;
        h = (h ^ h >> 15) * 0x846ca68bu;
        h ^= h >> 16;
        const float v = ((float)(h >> 16) - 32768.0f) / 32768.0f;
        const float scaled = scale * v;
        out[i] = offset + scaled;
    }
}

static bool ends(const char *name, const char *with)
{
    const size_t n = strlen(name), m = strlen(with);
    return n >= m && strcmp(name + n - m, with) == 0;
}

static void draw_parameter(const akin_parameter *p, float *out)
{
    float offset = 0.0f, scale = 1.0f;
    if (ends(p->name, "running_mean")) {
        scale = 0.3f;
    } else if (ends(p->name, "running_var")) {
        offset = 4.0f;
        scale = 2.0f;
    } else if (ends(p->name, "bias")) {
        scale = 0.2f;
    } else if (ends(p->name, "positional_embedding")) {
        scale = 0.4f;
    } else if (p->dims == 1) {
        offset = 1.0f;
        scale = 0.3f;
    } else {
        const double fan = (double)(p->count / (size_t)p->shape[0]);
        scale = (float)sqrt((p->dims == 4 ? 6.0 : 3.0) / fan);
    }
    draw(p->name, p->count, offset, scale, out);
}

/* A tower of its own; values as drawn. */
static akin_net *make(const akin_resnet_config *tower, bool drawn)
{
    akin_error err;
    akin_net *net = calloc(1, sizeof *net);
    net->config.resnet = true;
    net->config.tower = *tower;
    ok(akin_resnet_net_bind(net, &err), &err);
    ok(akin_parameters_make(&net->parameters, &err), &err);
    for (size_t i = 0; drawn && i < net->parameters.count; i++)
        draw_parameter(&net->parameters.items[i], akin_value(&net->parameters, i));
    return net;
}

static void drop(akin_net *net)
{
    akin_resnet_net_clear(net);
    akin_parameters_clear(&net->parameters);
    free(net);
}

static float *pixels_of(const struct trial *t, const char *name)
{
    const size_t count = t->count * 3 * t->tower.image * t->tower.image;
    float *pixels = malloc(count * sizeof *pixels);
    draw(name, count, 0.0f, 2.0f, pixels);
    return pixels;
}

static const float *golden_of(const akin_checkpoint *file, const char *prefix, const char *name,
                              size_t count)
{
    char full[200];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const akin_tensor *tensor = akin_checkpoint_find(file, full);
    if (tensor == NULL || akin_tensor_count(tensor) != count)
        fail_msg("no %s of %zu", full, count);
    assert_int_equal(tensor->dtype, AKIN_F32);
    return tensor->data;
}

/* The largest difference and that of the Euclidean lengths, over the golden tensor's. */
static void assert_near(const char *what, const char *name, const float *got, size_t step,
                        const float *want, size_t count, double largest, double bound)
{
    double off = 0.0, square = 0.0, length = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double d = got[i * step] - (double)want[i];
        if (!isfinite(got[i * step]))
            fail_msg("%s %s: [%zu] is %g", what, name, i, got[i * step]);
        off = fmax(off, fabs(d));
        square += d * d;
        length += (double)want[i] * want[i];
    }
    if (!(off <= bound * largest) || !(sqrt(square) <= bound * sqrt(length)))
        fail_msg("%s %s: off by %.2g of %.3g, %.2g of %.3g", what, name, off, largest,
                 sqrt(square), sqrt(length));
}

static double largest_of(const float *x, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs((double)x[i]));
    return largest;
}

static void check_gradients(const char *what, const akin_net *net, const akin_checkpoint *file,
                            const char *prefix)
{
    char grad[32], size[32];
    snprintf(grad, sizeof grad, "%sgrad.", prefix);
    snprintf(size, sizeof size, "%ssize.", prefix);
    for (size_t i = 0; i < net->parameters.count; i++) {
        const akin_parameter *p = &net->parameters.items[i];
        const float *got = akin_gradient(&net->parameters, i);
        if (p->kind == AKIN_PARAMETER_STATE)
            continue;
        size_t step = (p->count + KEPT - 1) / KEPT;
        step = p->count > KEPT ? step + (step + 1) % 2 : 1;
        const size_t count = (p->count + step - 1) / step;
        const float *want = golden_of(file, grad, p->name, count);
        const float *sizes = golden_of(file, size, p->name, 2);
        if (ends(p->name, "k_proj.bias")) { /* 0, and the reference's rounding */
            assert_true(largest_of(got, p->count) <= 1e-10 && sizes[0] <= 1e-10);
            continue;
        }
        double square = 0.0;
        for (size_t j = 0; j < p->count; j++)
            square += (double)got[j] * got[j];
        assert_near(what, p->name, got, step, want, count, sizes[0], 1e-4);
        if (!(fabs(sqrt(square) - sizes[1]) <= 1e-4 * sizes[1]))
            fail_msg("%s %s: length %.6g, expected %.6g", what, p->name, sqrt(square), sizes[1]);
    }
}

static void check_statistics(const char *what, const akin_net *net, const akin_checkpoint *file,
                             const char *prefix)
{
    for (size_t i = 0; i < net->parameters.count; i++) {
        const akin_parameter *p = &net->parameters.items[i];
        if (p->kind != AKIN_PARAMETER_STATE)
            continue;
        const float *want = golden_of(file, prefix, p->name, p->count);
        assert_near(what, p->name, akin_value(&net->parameters, i), 1, want, p->count,
                    largest_of(want, p->count), 1e-6);
    }
}

/* Both passes with the loss sum(out * dout); gradients begin at zero. */
static void both_passes(akin_net *net, const akin_work *work, const akin_image_input *input,
                        float *out)
{
    akin_error err;
    akin_image_tape *tape;
    const size_t n = input->count * net->config.tower.dimensions;
    float *dout = malloc(n * sizeof *dout);
    draw("dout", n, 0.0f, 1.0f, dout);
    const akin_arena_mark mark = akin_arena_now(work->arena);
    memset(net->parameters.gradients, 0, net->parameters.floats * sizeof(float));
    ok(akin_resnet_net_forward(net, work, input, &tape, out, &err), &err);
    ok(akin_resnet_net_backward(net, work, input, tape, dout, &err), &err);
    akin_arena_release(work->arena, mark);
    free(dout);
}

static void check_trial(const struct trial *t, const akin_kernels *kernels)
{
    akin_error err;
    akin_arena arena;
    akin_checkpoint *file;
    char path[100], what[64];
    akin_arena_init(&arena);
    snprintf(path, sizeof path, GOLDEN "%s.safetensors", t->name);
    snprintf(what, sizeof what, "%s %s", kernels->name, t->name);
    ok(akin_checkpoint_open(&file, path, &err), &err);
    const akin_work work = { kernels, NULL, &arena, false };
    akin_net *net = make(&t->tower, true);
    const size_t n = t->count * t->tower.dimensions;
    float *out = malloc(n * sizeof *out), *first = pixels_of(t, "pixels");
    float *second = pixels_of(t, "pixels2");
    akin_image_input input = { .pixels = first, .count = t->count, .update = true };

    both_passes(net, &work, &input, out);
    const float *want = golden_of(file, "", "out", n);
    assert_near(what, "out", out, 1, want, n, largest_of(want, n), 1e-5);
    check_gradients(what, net, file, "");
    check_statistics(what, net, file, "step1.");
    input.update = false; /* the same, and nothing moves */
    ok(akin_resnet_net_forward(net, &work, &input, NULL, out, &err), &err);
    assert_near(what, "out", out, 1, want, n, largest_of(want, n), 1e-5);
    check_statistics(what, net, file, "step1.");
    input.pixels = second;
    input.update = true;
    ok(akin_resnet_net_forward(net, &work, &input, NULL, out, &err), &err);
    check_statistics(what, net, file, "step2.");
    drop(net);

    net = make(&t->tower, true);
    input = (akin_image_input){ .pixels = first, .count = t->count, .evaluate = true };
    both_passes(net, &work, &input, out);
    want = golden_of(file, "", "locked.out", n);
    assert_near(what, "locked out", out, 1, want, n, largest_of(want, n), 1e-5);
    check_gradients(what, net, file, "locked.");
    drop(net);
    free(out);
    free(first);
    free(second);
    akin_checkpoint_close(file);
    akin_arena_clear(&arena);
}

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < akin_isa_count(); i++)
        for (size_t c = 0; c < TRIALS && akin_isa_at(i).lacks == NULL; c++)
            check_trial(&trials[c], akin_isa_at(i).kernels);
}

/* ---- Threads, frozen parts, refusals --------------------------------------------------------- */

static void test_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < akin_isa_count(); i++) {
        const struct trial *t = &trials[1];
        if (akin_isa_at(i).lacks != NULL)
            continue;
        akin_error err;
        akin_arena arena;
        akin_arena_init(&arena);
        akin_work work = { akin_isa_at(i).kernels, NULL, &arena, false };
        const size_t n = t->count * t->tower.dimensions;
        float *pixels = pixels_of(t, "pixels"), *outs[3];
        akin_net *nets[3];
        const akin_image_input input = { .pixels = pixels, .count = t->count, .update = true };
        for (int threads = 1; threads <= 3; threads++) {
            nets[threads - 1] = make(&t->tower, true);
            outs[threads - 1] = malloc(n * sizeof(float));
            if (threads > 1)
                ok(akin_pool_new(&work.pool, threads, &err), &err);
            both_passes(nets[threads - 1], &work, &input, outs[threads - 1]);
            akin_pool_free(work.pool);
            work.pool = NULL;
        }
        const size_t bytes = nets[0]->parameters.floats * sizeof(float);
        for (size_t k = 1; k < 3; k++) {
            assert_memory_equal(outs[0], outs[k], n * sizeof(float));
            assert_memory_equal(nets[0]->parameters.values, nets[k]->parameters.values, bytes);
            assert_memory_equal(nets[0]->parameters.gradients, nets[k]->parameters.gradients,
                                bytes);
        }
        for (size_t k = 0; k < 3; k++) {
            drop(nets[k]);
            free(outs[k]);
        }
        free(pixels);
        akin_arena_clear(&arena);
    }
}

/* What is frozen gets no gradient, what is not gets the one it had; frozen norms do not move. */
static void check_frozen(const char *from, bool before)
{
    const struct trial *t = &trials[2];
    akin_arena arena;
    akin_arena_init(&arena);
    const akin_work work = { &akin_kernels_scalar, NULL, &arena, false };
    akin_net *whole = make(&t->tower, true), *part = make(&t->tower, true);
    float *pixels = pixels_of(t, "pixels");
    float *out = malloc(2 * t->count * t->tower.dimensions * sizeof *out);
    /* the whole one in evaluation: frozen norms compute with their running statistics */
    akin_image_input input = { .pixels = pixels, .count = t->count, .evaluate = true };
    both_passes(whole, &work, &input, out);
    size_t border = akin_parameters_find(&part->parameters, from), kept = 0;
    assert_true(border < part->parameters.count);
    for (size_t i = 0; i < part->parameters.count; i++)
        part->parameters.items[i].frozen = before == (i < border);
    both_passes(part, &work, &input, out + t->count * t->tower.dimensions);
    assert_memory_equal(out, out + t->count * t->tower.dimensions,
                        t->count * t->tower.dimensions * sizeof *out);
    for (size_t i = 0; i < part->parameters.count; i++) {
        const akin_parameter *p = &part->parameters.items[i];
        const float *got = part->parameters.gradients + p->at;
        const float *want = whole->parameters.gradients + p->at;
        if (p->frozen)
            assert_true(largest_of(got, p->count) == 0.0);
        else if (p->kind != AKIN_PARAMETER_STATE)
            kept += memcmp(got, want, p->count * sizeof *got) == 0;
    }
    assert_true(kept > 0);
    for (size_t i = 0; i < part->parameters.count; i++)
        kept -= !part->parameters.items[i].frozen &&
                part->parameters.items[i].kind != AKIN_PARAMETER_STATE;
    assert_int_equal(kept, 0);
    if (before) { /* a locked tower that trains: frozen norms stay where they were */
        for (size_t i = 0; i < part->parameters.count; i++)
            part->parameters.items[i].frozen = true;
        const size_t bytes = part->parameters.floats * sizeof(float);
        input.evaluate = false;
        input.update = true;
        both_passes(part, &work, &input, out + t->count * t->tower.dimensions);
        assert_memory_equal(out, out + t->count * t->tower.dimensions,
                            t->count * t->tower.dimensions * sizeof *out);
        assert_memory_equal(whole->parameters.values, part->parameters.values, bytes);
    }
    drop(whole);
    drop(part);
    free(pixels);
    free(out);
    akin_arena_clear(&arena);
}

static void test_frozen(void **state)
{
    (void)state;
    check_frozen("visual.attnpool.c_proj.weight", true);
    check_frozen("visual.attnpool.v_proj.weight", true);
    check_frozen("visual.layer2.1.conv2.weight", true);
    check_frozen("visual.layer3.0.conv1.weight", true);
    check_frozen("visual.conv3.weight", true);
    check_frozen("visual.conv2.weight", false);
    check_frozen("visual.layer2.0.conv1.weight", false);
}

static void test_refused(void **state)
{
    (void)state;
    akin_error err;
    akin_arena arena;
    akin_arena_init(&arena);
    const akin_work work = { &akin_kernels_scalar, NULL, &arena, false };
    akin_net *net = make(&trials[2].tower, true);
    float *pixels = pixels_of(&trials[2], "pixels"), out[16];
    akin_image_input input = { .pixels = pixels, .count = 1 };
    akin_image_tape *tape;
    assert_int_equal(akin_resnet_net_forward(net, &work, &input, &tape, out, &err),
                     AKIN_E_ARGUMENT);
    assert_null(tape);
    assert_non_null(strstr(err.message, "two pictures"));
    input.evaluate = true;
    ok(akin_resnet_net_forward(net, &work, &input, NULL, out, &err), &err);
    input.evaluate = false;
    input.count = 0;
    ok(akin_resnet_net_forward(net, &work, &input, &tape, out, &err), &err);
    ok(akin_resnet_net_backward(net, &work, &input, tape, out, &err), &err);
    drop(net);
    free(pixels);
    akin_arena_clear(&arena);
    akin_net bad = { .config = { .resnet = true, .tower = { { 1, 1, 1, 1 }, 4, 2, 95, 7 } } };
    assert_int_equal(akin_resnet_net_bind(&bad, &err), AKIN_E_CONFIG);
    akin_resnet_net_clear(&bad);
}

/* ---- Beside the tower that only encodes ------------------------------------------------------ */

static void beside_encode(const char *name, const akin_resnet_config *config)
{
    akin_error err;
    akin_arena arena;
    akin_checkpoint *file;
    akin_slots slots = { 0 };
    akin_resnet *tower;
    char path[100];
    akin_arena_init(&arena);
    snprintf(path, sizeof path, "tests/golden/resnet/%s/model.safetensors", name);
    const akin_kernels *kernels;
    ok(akin_kernels_choose(NULL, &kernels, &err), &err);
    const akin_nn nn = { kernels, NULL, &arena };
    const akin_work work = { kernels, NULL, &arena, false };
    ok(akin_checkpoint_open(&file, path, &err), &err);
    ok(akin_resnet_bind(&slots, true, &tower, config, kernels, false, "visual.", &err), &err);
    ok(akin_bind_load(&slots, file, NULL, kernels, false, &err), &err);
    ok(akin_resnet_finish(tower, kernels, NULL, &err), &err);
    akin_slots_clear(&slots);
    akin_net *net = make(config, false);
    for (size_t i = 0; i < net->parameters.count; i++) {
        const akin_parameter *p = &net->parameters.items[i];
        akin_slot *slot = akin_slots_add(&slots, p->dims, p->shape, "%s", p->name);
        slot->values = akin_value(&net->parameters, i);
    }
    ok(akin_bind_check(&slots, file, akin_resnet_ignores, &err), &err); /* the names are those */
    ok(akin_bind_load(&slots, file, NULL, kernels, false, &err), &err);
    size_t tracked = 0, norms = 0;
    for (size_t i = 0; i < akin_checkpoint_count(file); i++)
        tracked += akin_resnet_ignores(akin_checkpoint_at(file, i)->name);
    for (size_t i = 0; i < net->parameters.count; i++) {
        char of[120];
        if (akin_resnet_tracked(&net->parameters.items[i], of)) {
            assert_non_null(akin_checkpoint_find(file, of));
            norms++;
        }
    }
    assert_int_equal(norms, tracked);
    const struct trial t = { name, *config, 3 };
    float *pixels = pixels_of(&t, "pixels"), want[3 * 40], got[3 * 40];
    const akin_image_input input = { .pixels = pixels, .count = 3, .evaluate = true };
    const size_t n = 3 * config->dimensions;
    ok(akin_resnet_encode(tower, &nn, pixels, 3, want, &err), &err);
    ok(akin_resnet_net_forward(net, &work, &input, NULL, got, &err), &err);
    assert_near(name, "encoded", got, 1, want, n, largest_of(want, n), 1e-5);
    free(pixels);
    drop(net);
    akin_slots_clear(&slots);
    akin_resnet_free(tower);
    akin_checkpoint_close(file);
    akin_arena_clear(&arena);
}

static void test_encode(void **state)
{
    (void)state;
    beside_encode("uneven", &(akin_resnet_config){ { 2, 1, 3, 1 }, 3, 4, 80, 8 });
    beside_encode("odd", &(akin_resnet_config){ { 1, 2, 1, 2 }, 5, 1, 94, 7 });
    beside_encode("small", &(akin_resnet_config){ { 1, 1, 1, 1 }, 2, 2, 32, 33 });
}

/* ---- Fresh values ---------------------------------------------------------------------------- */

static void test_draw(void **state)
{
    (void)state;
    akin_net *net = make(&trials[3].tower, false), *again = make(&trials[3].tower, false);
    akin_parameters *list = &net->parameters;
    akin_resnet_net_draw(net, 5);
    akin_resnet_net_draw(again, 5);
    assert_memory_equal(list->values, again->parameters.values, list->floats * sizeof(float));
    akin_resnet_net_draw(again, 6);
    assert_memory_not_equal(list->values, again->parameters.values, list->floats * sizeof(float));
    for (size_t i = 0; i < list->count; i++) {
        const akin_parameter *p = &list->items[i];
        const float *x = akin_value(list, i);
        double mean = 0.0, square = 0.0;
        for (size_t j = 0; j < p->count; j++) {
            mean += x[j] / (double)p->count;
            square += (double)x[j] * x[j] / (double)p->count;
        }
        const bool attention = strstr(p->name, "attnpool") != NULL;
        if (attention && p->dims == 2) { /* normal, 1 / sqrt(256) */
            assert_true(fabs(mean) < 0.01 && fabs(sqrt(square) * 16.0 - 1.0) < 0.06);
            assert_true(largest_of(x, p->count) > 2.5 / 16.0);
        } else if (p->dims == 4 || attention) { /* uniform */
            const double fan = attention ? 256.0 : (double)(p->count / (size_t)p->shape[0]);
            const double largest = largest_of(x, p->count) * sqrt(fan);
            assert_true(largest <= 1.000001 && largest > 0.6);
            assert_true(p->count < 100 || fabs(sqrt(square * 3.0 * fan) - 1.0) < 0.2);
        } else {
            const bool zero = ends(p->name, "bias") || ends(p->name, "running_mean") ||
                              (strstr(p->name, "layer") != NULL && ends(p->name, "bn3.weight"));
            assert_true(mean == (zero ? 0.0 : 1.0) || fabs(mean - 1.0) < 1e-12);
            assert_true(fabs(square - mean * mean) < 1e-12);
        }
    }
    drop(net);
    drop(again);
}

/* ---- Kernels --------------------------------------------------------------------------------- */

enum { MOST = 7 * 150, GUARD = 20 };
static const float guard = -12345.0f;

static float *filled(const char *name)
{
    float *p = malloc((2 * MOST + GUARD) * sizeof *p);
    draw(name, 2 * MOST + GUARD, 0.0f, 1.0f, p);
    return p;
}

static float *guarded(size_t count)
{
    float *p = malloc((count + GUARD) * sizeof *p);
    for (size_t i = 0; i < count + GUARD; i++)
        p[i] = guard;
    return p;
}

/* Frees both. */
static void same(const char *isa, const char *what, float *got, float *want, size_t count,
                 double bound)
{
    for (size_t i = 0; i < count + GUARD; i++)
        if (!(fabs((double)got[i] - want[i]) <= (i < count ? bound : 0.0)))
            fail_msg("%s %s [%zu] of %zu: %.9g, expected %.9g", isa, what, i, count, got[i],
                     want[i]);
    free(got);
    free(want);
}

static void check_kernels(const akin_kernels *kernels, size_t rows, size_t n)
{
    const akin_batchnorm_kernels *k = kernels->batchnorm, *s = &akin_batchnorm_kernels_scalar;
    const char *isa = kernels->name;
    float *x = filled("x"), *x2 = filled("x2"), *dy = filled("dy"), *y = filled("y");
    float *c[8];
    for (size_t i = 0; i < 8; i++)
        c[i] = filled((char[]){ (char)('a' + i), '\0' });
    const size_t count = rows * n;
    float *a = guarded(2 * n), *b = guarded(2 * n);
    k->moments(x + 1, rows, n, c[0], a, a + n);
    s->moments(x + 1, rows, n, c[0], b, b + n);
    same(isa, "moments", a, b, 2 * n, 1e-4);
    for (int terms = 1; terms <= 3; terms++) {
        const akin_batchnorm_join join = { c[0], c[1], terms == 3 ? c[2] : NULL, c[3] };
        a = guarded(count);
        b = guarded(count);
        k->join(&join, x + 1, terms > 1 ? x2 : NULL, rows, n, a);
        s->join(&join, x + 1, terms > 1 ? x2 : NULL, rows, n, b);
        same(isa, "join", a, b, count, 1e-5);
    }
    for (int kept = 0; kept < 2; kept++)
        for (int outs = 1; outs <= 3; outs++) {
            const akin_batchnorm_join join = { c[0], c[1], c[2], c[3] };
            const akin_batchnorm_slope slope = { c[2], c[3], c[4], c[5], outs == 3 ? c[6] : NULL,
                                                 c[7], c[0], c[1] };
            const float *mask = kept ? y : NULL, *second = outs == 3 ? x2 : NULL;
            a = guarded(3 * n);
            b = guarded(3 * n);
            k->back_sums(&join, &slope, dy, mask, x, second, rows, n, a, a + n, a + 2 * n);
            s->back_sums(&join, &slope, dy, mask, x, second, rows, n, b, b + n, b + 2 * n);
            same(isa, "back_sums", a, b, 3 * n, 1e-4);
            float *a2 = guarded(count), *b2 = guarded(count);
            a = guarded(count);
            b = guarded(count);
            memcpy(a2, dy, count * sizeof *dy); /* in place, as blocks have it */
            k->back(&join, &slope, a2, mask, x, second, rows, n, a, outs > 1 ? a2 : NULL);
            s->back(&join, &slope, dy, mask, x, second, rows, n, b, outs > 1 ? b2 : NULL);
            if (outs == 1)
                memcpy(b2, dy, count * sizeof *dy);
            same(isa, "back", a, b, count, 1e-5);
            same(isa, "back second", a2, b2, count, 1e-5);
        }
    for (int added = 0; added < 2; added++) {
        a = guarded(2 * count);
        b = guarded(2 * count);
        k->spread(x, added ? x2 : NULL, rows, n, a);
        s->spread(x, added ? x2 : NULL, rows, n, b);
        same(isa, "spread", a, b, 2 * count, 1e-6);
    }
    a = guarded(count);
    b = guarded(count);
    k->add(x, x2 + 1, count, a);
    s->add(x, x2 + 1, count, b);
    same(isa, "add", a, b, count, 0.0);
    free(x);
    free(x2);
    free(dy);
    free(y);
    for (size_t i = 0; i < 8; i++)
        free(c[i]);
}

static void test_kernels(void **state)
{
    (void)state;
    static const size_t rows[] = { 0, 1, 2, 7 };
    for (size_t i = 0; i < akin_isa_count(); i++)
        for (size_t r = 0; r < 4 && akin_isa_at(i).lacks == NULL; r++)
            for (size_t n = 1; n <= 150; n += n < 70 ? 1 : 13)
                check_kernels(akin_isa_at(i).kernels, rows[r], n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels), cmocka_unit_test(test_golden),
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_encode),
        cmocka_unit_test(test_draw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
