/* test_train_transformer.c - the transformer towers against PyTorch's autograd (golden files of
 * tools/oracle/train_transformer.py) and against inference; the kernels of every instruction set
 * against the scalar ones. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/gradient_kernels.h"
#include "models/clip.h"
#include "train/net.h"

#define GOLDEN "tests/golden/train/transformer/"

static const char *const cases[] = { "oc-gelu", "oc-tanh",  "oc-quick",
                                     "oc-bare", "hf-quick", "hf-silu" };
enum { CASES = sizeof cases / sizeof *cases };

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

/* ---- Golden files --------------------------------------------------------------------------- */

struct golden_case {
    const char *name;
    char folder[256];
    akin_clip_config config;
    akin_checkpoint *expected;
    int32_t *ids;
    size_t *starts;
    uint32_t *keep;
    size_t texts, images, kept;
    float *pixels, *dtexts, *dimages;
};

static float *tensor(const struct golden_case *c, const char *name, size_t *count, size_t *rows)
{
    akin_error err;
    const akin_tensor *t = akin_checkpoint_find(c->expected, name);
    if (t == NULL)
        fail_msg("%s: no '%s' in the golden file", c->name, name);
    const size_t n = akin_tensor_count(t);
    float *values = malloc((n + 1) * sizeof *values);
    ok(akin_tensor_to_f32(t, values, n, &err), &err);
    if (count != NULL)
        *count = n;
    if (rows != NULL)
        *rows = (size_t)t->shape[0];
    return values;
}

static struct golden_case open_case(const char *name)
{
    struct golden_case c = { .name = name };
    akin_error err;
    char path[300];
    size_t n, rows;
    snprintf(c.folder, sizeof c.folder, GOLDEN "%s", name);
    snprintf(path, sizeof path, "%s/expected.safetensors", c.folder);
    ok(akin_checkpoint_open(&c.expected, path, &err), &err);
    ok(strncmp(name, "hf", 2) == 0 ? akin_clip_config_read(&c.config, c.folder, &err)
                                   : akin_open_clip_config_read(&c.config, c.folder, &err),
       &err);
    float *values = tensor(&c, "ids", &n, NULL);
    c.ids = malloc(n * sizeof *c.ids);
    for (size_t i = 0; i < n; i++)
        c.ids[i] = (int32_t)values[i];
    free(values);
    values = tensor(&c, "starts", &n, NULL);
    c.starts = malloc(n * sizeof *c.starts);
    for (size_t i = 0; i < n; i++)
        c.starts[i] = (size_t)values[i];
    c.texts = n - 1;
    free(values);
    values = tensor(&c, "keep", &n, &c.images);
    c.keep = malloc(n * sizeof *c.keep);
    for (size_t i = 0; i < n; i++)
        c.keep[i] = (uint32_t)values[i];
    c.kept = n / c.images;
    free(values);
    c.pixels = tensor(&c, "pixels", NULL, &rows);
    assert_int_equal(rows, c.images);
    c.dtexts = tensor(&c, "dtexts", NULL, NULL);
    c.dimages = tensor(&c, "dimages", NULL, NULL);
    return c;
}

static void close_case(struct golden_case *c)
{
    akin_checkpoint_close(c->expected);
    free(c->ids);
    free(c->starts);
    free(c->keep);
    free(c->pixels);
    free(c->dtexts);
    free(c->dimages);
}

static akin_net *open_net(const struct golden_case *c)
{
    akin_error err;
    akin_net *net;
    ok(akin_net_new(&net, &c->config, &err), &err);
    ok(akin_parameters_make(&net->parameters, &err), &err);
    ok(akin_net_read(net, c->folder, &err), &err);
    return net;
}

static void check_outputs(const struct golden_case *c, const char *isa, const char *name,
                          const float *got)
{
    size_t n;
    double largest = 0.0, difference = 0.0;
    float *want = tensor(c, name, &n, NULL);
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabsf(want[i]));
        difference = fmax(difference, fabs((double)got[i] - want[i]));
    }
    if (!(difference <= 1e-5 * largest))
        fail_msg("%s %s %s: relative error %.3g", c->name, isa, name, difference / largest);
    free(want);
}

/* The gradient of a key's bias is 0 but for rounding: softmax does not see it. It is measured by
 * the largest gradient of the tower instead. */
static void check_gradients(const struct golden_case *c, const char *isa, const char *kind,
                            const akin_net *net, bool text)
{
    double tower = 0.0;
    size_t checked = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t p = 0; p < net->parameters.count; p++) {
            const akin_parameter *parameter = &net->parameters.items[p];
            char name[200];
            snprintf(name, sizeof name, "%s.%s", kind, parameter->name);
            const bool visual = strncmp(parameter->name, "vis", 3) == 0;
            if (visual == text || strncmp(parameter->name, "logit", 5) == 0)
                continue;
            size_t n;
            float *want = tensor(c, name, &n, NULL);
            const float *got = akin_gradient(&net->parameters, p);
            assert_int_equal(n, parameter->count);
            double largest = 0.0, difference = 0.0, squares = 0.0, off = 0.0;
            for (size_t i = 0; i < n; i++) {
                const double d = (double)got[i] - want[i];
                largest = fmax(largest, fabsf(want[i]));
                difference = fmax(difference, fabs(d));
                squares += (double)want[i] * want[i];
                off += d * d;
            }
            free(want);
            tower = fmax(tower, largest);
            if (pass == 0)
                continue;
            checked++;
            if (strstr(name, "k_proj.bias") != NULL) {
                squares = (double)n * tower * tower;
                largest = tower;
            }
            if (!(difference <= 1e-4 * largest) || !(off <= 1e-8 * squares))
                fail_msg("%s %s %s: %.3g of the largest, %.3g of the length", c->name, isa, name,
                         difference / largest, sqrt(off / squares));
        }
    assert_true(checked > 15);
}

/* ---- Towers --------------------------------------------------------------------------------- */

struct results {
    float *texts, *images, *kept;
    float *text_gradients, *image_gradients, *kept_gradients; /* of all parameters */
};

static float *copy_gradients(akin_net *net)
{
    const size_t bytes = net->parameters.floats * sizeof(float);
    float *copy = malloc(bytes);
    memcpy(copy, net->parameters.gradients, bytes);
    memset(net->parameters.gradients, 0, bytes);
    return copy;
}

static akin_text_input text_input(const struct golden_case *c)
{
    return (akin_text_input){ c->ids, c->starts, c->texts };
}

static akin_image_input image_input(const struct golden_case *c, bool drop)
{
    return (akin_image_input){ .pixels = c->pixels, .count = c->images,
                               .keep = drop ? c->keep : NULL, .kept = drop ? c->kept : 0 };
}

/* Everything the golden file has; the gradients are compared on the way. */
static struct results run_case(const struct golden_case *c, akin_net *net, const akin_work *work,
                               bool compare)
{
    akin_error err;
    const size_t d = c->config.dimensions;
    const char *isa = work->kernels->name;
    struct results r = { .texts = malloc(c->texts * d * sizeof(float)),
                         .images = malloc(c->images * d * sizeof(float)),
                         .kept = malloc(c->images * d * sizeof(float)) };
    const akin_arena_mark mark = akin_arena_now(work->arena);
    akin_text_tape *text_tape;
    akin_image_tape *image_tape;
    const akin_text_input texts = text_input(c);
    ok(akin_net_texts(net, work, &texts, &text_tape, r.texts, &err), &err);
    ok(akin_net_texts_back(net, work, &texts, text_tape, c->dtexts, &err), &err);
    if (compare)
        check_gradients(c, isa, "grad", net, true);
    r.text_gradients = copy_gradients(net);
    for (int drop = 0; drop < 2; drop++) {
        const akin_image_input images = image_input(c, drop != 0);
        ok(akin_net_images(net, work, &images, &image_tape, drop ? r.kept : r.images, &err), &err);
        ok(akin_net_images_back(net, work, &images, image_tape, c->dimages, &err), &err);
        if (compare)
            check_gradients(c, isa, drop ? "kept" : "grad", net, false);
        float *gradients = copy_gradients(net);
        if (drop)
            r.kept_gradients = gradients;
        else
            r.image_gradients = gradients;
    }
    akin_arena_release(work->arena, mark);
    return r;
}

static void free_results(struct results *r)
{
    float *all[] = { r->texts, r->images, r->kept, r->text_gradients, r->image_gradients,
                     r->kept_gradients };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void same_bits(const struct golden_case *c, const akin_net *net, const struct results *a,
                      const struct results *b)
{
    const size_t d = c->config.dimensions * sizeof(float);
    const size_t all = net->parameters.floats * sizeof(float);
    assert_memory_equal(a->texts, b->texts, c->texts * d);
    assert_memory_equal(a->images, b->images, c->images * d);
    assert_memory_equal(a->kept, b->kept, c->images * d);
    assert_memory_equal(a->text_gradients, b->text_gradients, all);
    assert_memory_equal(a->image_gradients, b->image_gradients, all);
    assert_memory_equal(a->kept_gradients, b->kept_gradients, all);
}

/* Without a tape: the same bits, and nothing stays in the arena. */
static void check_without_tape(const struct golden_case *c, akin_net *net, const akin_work *work,
                               const struct results *want)
{
    akin_error err;
    const size_t d = c->config.dimensions;
    const akin_arena_mark mark = akin_arena_now(work->arena);
    float *texts = malloc(c->texts * d * sizeof(float));
    float *images = malloc(c->images * d * sizeof(float));
    const akin_text_input text = text_input(c);
    const akin_image_input image = image_input(c, true);
    ok(akin_net_texts(net, work, &text, NULL, texts, &err), &err);
    ok(akin_net_images(net, work, &image, NULL, images, &err), &err);
    assert_memory_equal(texts, want->texts, c->texts * d * sizeof(float));
    assert_memory_equal(images, want->kept, c->images * d * sizeof(float));
    const akin_arena_mark after = akin_arena_now(work->arena);
    assert_true(after.block == mark.block && after.used == mark.used);
    free(texts);
    free(images);
}

static void check_inference(const struct golden_case *c, const akin_work *work,
                            const struct results *r)
{
    akin_error err;
    const size_t d = c->config.dimensions;
    akin_clip *clip;
    const akin_nn nn = { work->kernels, NULL, work->arena };
    ok(akin_clip_open(&clip, c->folder, &c->config, work->kernels, false, true, true, NULL, &err),
       &err);
    float *texts = malloc(c->texts * d * sizeof(float));
    float *images = malloc(c->images * d * sizeof(float));
    ok(akin_clip_encode_texts(clip, &nn, c->ids, c->starts, c->texts, texts, &err), &err);
    ok(akin_clip_encode_images(clip, &nn, c->pixels, c->images, images, &err), &err);
    for (size_t i = 0; i < c->texts * d; i++)
        assert_true(fabsf(texts[i] - r->texts[i]) <= 1e-5f * fmaxf(1.0f, fabsf(texts[i])));
    for (size_t i = 0; i < c->images * d; i++)
        assert_true(fabsf(images[i] - r->images[i]) <= 1e-5f * fmaxf(1.0f, fabsf(images[i])));
    free(texts);
    free(images);
    akin_clip_close(clip);
}

static void test_golden(void **state)
{
    (void)state;
    akin_error err;
    akin_pool *pool;
    akin_arena arena;
    akin_arena_init(&arena);
    ok(akin_pool_new(&pool, 2, &err), &err);
    for (size_t i = 0; i < CASES; i++) {
        struct golden_case c = open_case(cases[i]);
        akin_net *net = open_net(&c);
        for (size_t k = 0; k < akin_isa_count(); k++) {
            const akin_isa_entry isa = akin_isa_at(k);
            if (isa.lacks != NULL)
                continue;
            akin_work work = { .kernels = isa.kernels, .arena = &arena };
            struct results one = run_case(&c, net, &work, true);
            check_outputs(&c, isa.name, "texts", one.texts);
            check_outputs(&c, isa.name, "images", one.images);
            check_outputs(&c, isa.name, "kept", one.kept);
            check_without_tape(&c, net, &work, &one);
            check_inference(&c, &work, &one);
            work.pool = pool;
            struct results two = run_case(&c, net, &work, false);
            same_bits(&c, net, &one, &two);
            free_results(&one);
            free_results(&two);
        }
        akin_net_free(net);
        close_case(&c);
    }
    akin_pool_free(pool);
    akin_arena_clear(&arena);
}

/* What learns when other things do not has the same gradient, and what is frozen has none. */
static void check_frozen(const struct golden_case *c, akin_net *net, const akin_work *work,
                         const struct results *all)
{
    struct results r = run_case(c, net, work, false);
    for (size_t p = 0; p < net->parameters.count; p++) {
        const akin_parameter *parameter = &net->parameters.items[p];
        const float *const got[] = { r.text_gradients, r.image_gradients, r.kept_gradients };
        const float *const want[] = { all->text_gradients, all->image_gradients,
                                      all->kept_gradients };
        for (size_t i = 0; i < 3; i++)
            for (size_t j = 0; j < parameter->count; j++)
                assert_true(got[i][parameter->at + j] ==
                            (parameter->frozen ? 0.0f : want[i][parameter->at + j]));
    }
    free_results(&r);
}

static void test_frozen(void **state)
{
    (void)state;
    akin_arena arena;
    akin_arena_init(&arena);
    for (size_t i = 0; i < CASES; i++) {
        struct golden_case c = open_case(cases[i]);
        akin_net *net = open_net(&c);
        const akin_work work = { .kernels = &akin_kernels_scalar, .arena = &arena };
        struct results all = run_case(&c, net, &work, false);
        akin_net_freeze(net, true);
        check_frozen(&c, net, &work, &all);
        akin_net_freeze(net, false);
        /* Everything below the last layer, then the tables alone. */
        for (size_t p = 0; p < net->parameters.count; p++) {
            const char *name = net->parameters.items[p].name;
            net->parameters.items[p].frozen = strstr(name, "layers.1.") == NULL &&
                                              strstr(name, "blocks.1.") == NULL;
        }
        check_frozen(&c, net, &work, &all);
        for (size_t p = 0; p < net->parameters.count; p++)
            net->parameters.items[p].frozen =
                strstr(net->parameters.items[p].name, "embedding") != NULL;
        check_frozen(&c, net, &work, &all);
        free_results(&all);
        akin_net_free(net);
        close_case(&c);
    }
    akin_arena_clear(&arena);
}

static void test_refusals(void **state)
{
    (void)state;
    akin_error err;
    akin_arena arena;
    akin_arena_init(&arena);
    struct golden_case c = open_case("oc-gelu");
    akin_net *net = open_net(&c);
    const akin_work work = { .kernels = &akin_kernels_scalar, .arena = &arena };
    float out[64];
    akin_text_tape *tape;
    const size_t longer[] = { 0, 13 }, empty[] = { 0, 0 }, one[] = { 0, 1 };
    const int32_t wrong[] = { 60 };
    akin_text_input input = { c.ids, longer, 1 };
    assert_int_equal(akin_net_texts(net, &work, &input, &tape, out, &err), AKIN_E_ARGUMENT);
    input.starts = empty;
    assert_int_equal(akin_net_texts(net, &work, &input, &tape, out, &err), AKIN_E_ARGUMENT);
    input = (akin_text_input){ wrong, one, 1 };
    assert_int_equal(akin_net_texts(net, &work, &input, &tape, out, &err), AKIN_E_TOKENIZER);
    input.count = 0;
    ok(akin_net_texts(net, &work, &input, &tape, out, &err), &err);
    ok(akin_net_texts_back(net, &work, &input, tape, out, &err), &err);
    const uint32_t outside[] = { 12 };
    akin_image_input images = { .pixels = c.pixels, .count = 1, .keep = outside, .kept = 1 };
    assert_int_equal(akin_net_images(net, &work, &images, NULL, out, &err), AKIN_E_ARGUMENT);
    images.kept = 0;
    assert_int_equal(akin_net_images(net, &work, &images, NULL, out, &err), AKIN_E_ARGUMENT);
    akin_net_free(net);
    close_case(&c);
    akin_arena_clear(&arena);
}

/* ---- Fresh values --------------------------------------------------------------------------- */

struct moments {
    double mean, deviation, largest;
};

static struct moments moments_of(const akin_net *net, const char *name)
{
    const size_t p = akin_parameters_find(&net->parameters, name);
    if (p == SIZE_MAX)
        fail_msg("no parameter '%s'", name);
    const float *x = akin_value(&net->parameters, p);
    const size_t n = net->parameters.items[p].count;
    double sum = 0.0, squares = 0.0, largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        squares += (double)x[i] * x[i];
        largest = fmax(largest, fabsf(x[i]));
    }
    const double mean = sum / (double)n;
    return (struct moments){ mean, sqrt(squares / (double)n - mean * mean), largest };
}

static void check_normal(const akin_net *net, const char *name, double deviation)
{
    const struct moments m = moments_of(net, name);
    if (!(fabs(m.deviation / deviation - 1.0) < 0.15 && fabs(m.mean) < 0.15 * deviation &&
          m.largest > 2.0 * deviation))
        fail_msg("%s: mean %g, deviation %g, largest %g", name, m.mean, m.deviation, m.largest);
}

static void check_uniform(const akin_net *net, const char *name, double bound)
{
    const struct moments m = moments_of(net, name);
    if (!(m.largest <= bound && m.largest > 0.9 * bound &&
          fabs(m.deviation * sqrt(3.0) / bound - 1.0) < 0.15))
        fail_msg("%s: largest %g of %g, deviation %g", name, m.largest, bound, m.deviation);
}

static void test_draw(void **state)
{
    (void)state;
    struct golden_case c = open_case("oc-gelu");
    akin_net *net = open_net(&c);
    akin_net_draw(net, 7);
    check_normal(net, "token_embedding.weight", 0.02);
    check_normal(net, "positional_embedding", 0.01);
    check_normal(net, "transformer.resblocks.1.attn.in_proj_weight", 1.0 / sqrt(18.0));
    check_normal(net, "transformer.resblocks.1.attn.out_proj.weight", 1.0 / sqrt(18.0 * 4.0));
    check_normal(net, "transformer.resblocks.0.mlp.c_fc.weight", 1.0 / 6.0);
    check_normal(net, "transformer.resblocks.1.mlp.c_proj.weight", 1.0 / sqrt(18.0 * 4.0));
    check_uniform(net, "transformer.resblocks.0.mlp.c_fc.bias", 1.0 / sqrt(18.0));
    check_normal(net, "text_projection", 1.0 / sqrt(18.0));
    check_uniform(net, "visual.conv1.weight", 1.0 / sqrt(75.0));
    check_normal(net, "visual.positional_embedding", 1.0 / sqrt(20.0));
    check_uniform(net, "visual.transformer.resblocks.0.attn.in_proj_weight", sqrt(6.0 / 80.0));
    check_uniform(net, "visual.transformer.resblocks.1.mlp.c_proj.weight", 1.0 / sqrt(66.0));
    check_normal(net, "visual.proj", 1.0 / sqrt(20.0));
    assert_true(moments_of(net, "visual.ln_pre.weight").largest == 1.0);
    assert_true(moments_of(net, "ln_final.bias").largest == 0.0);
    assert_true(moments_of(net, "transformer.resblocks.0.attn.in_proj_bias").largest == 0.0);
    const size_t bytes = net->parameters.floats * sizeof(float);
    float *values = malloc(bytes);
    memcpy(values, net->parameters.values, bytes);
    akin_net_draw(net, 8);
    assert_memory_not_equal(values, net->parameters.values, bytes);
    akin_net_draw(net, 7);
    assert_memory_equal(values, net->parameters.values, bytes);
    free(values);
    akin_net_free(net);
    close_case(&c);
}

/* ---- Kernels -------------------------------------------------------------------------------- */

enum { LONGEST = 150, GUARD = 3 };

static uint32_t seed = 2463534242u;
static float uniform(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return (float)(seed >> 8) / (float)(1 << 23) - 1.0f;
}

static float *floats(size_t n, float scale)
{
    float *x = (float *)malloc((n + 1 + GUARD) * sizeof *x) + 1; /* not aligned */
    for (size_t i = 0; i < n + GUARD; i++)
        x[i] = i < n ? uniform() * scale : -12345.0f;
    return x;
}

static float *copy_of(const float *x, size_t n)
{
    float *y = floats(n, 0.0f);
    memcpy(y, x, n * sizeof *y);
    return y;
}

static void done(float *x, size_t n)
{
    for (size_t i = 0; i < GUARD; i++)
        assert_true(x[n + i] == -12345.0f);
    free(x - 1);
}

static void close_to(const float *got, const float *want, size_t n, double bound, const char *isa,
                     const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= bound))
            fail_msg("%s %s n %zu [%zu]: %.9g, expected %.9g", isa, what, n, i, got[i], want[i]);
}

static const akin_gradient_kernels *const plain = &akin_gradient_kernels_scalar;

static void check_norms(const akin_kernels *k, size_t n)
{
    const akin_gradient_kernels *g = k->gradients;
    float *x = floats(n, 3.0f), *w = floats(n, 1.0f), *b = floats(n, 1.0f), *dy = floats(n, 1.0f);
    float *y1 = floats(n, 1.0f), *y2 = floats(n, 1.0f), *dx1 = floats(n, 1.0f);
    float *dx2 = copy_of(dx1, n), *dw1 = floats(n, 1.0f), *dw2 = copy_of(dw1, n);
    float *db1 = floats(n, 1.0f), *db2 = copy_of(db1, n);
    akin_row_norm m1, m2;
    g->norm_f32(x, w, b, 1e-3f, y1, n, &m1);
    plain->norm_f32(x, w, b, 1e-3f, y2, n, &m2);
    close_to(y1, y2, n, 1e-4, k->name, "norm");
    close_to(&m1.mean, &m2.mean, 1, 1e-5, k->name, "mean");
    close_to(&m1.scale, &m2.scale, 1, 1e-5 * m2.scale, k->name, "scale");
    for (int add = 0; add < 2; add++) {
        g->norm_back_f32(x, w, &m2, dy, n, add != 0, dx1, dw1, db1);
        plain->norm_back_f32(x, w, &m2, dy, n, add != 0, dx2, dw2, db2);
        close_to(dx1, dx2, n, 1e-5 * (1.0 + m2.scale), k->name, "norm_back");
        close_to(dw1, dw2, n, 1e-4, k->name, "norm_back dweight");
        close_to(db1, db2, n, 1e-5, k->name, "norm_back dbias");
    }
    float *dy0 = copy_of(dy, n);
    g->norm_back_f32(x, w, &m2, dy, n, false, dy, NULL, NULL);
    plain->norm_back_f32(x, w, &m2, dy0, n, false, dx2, NULL, NULL);
    close_to(dy, dx2, n, 1e-5 * (1.0 + m2.scale), k->name, "norm_back in place");
    float *const all[] = { x, w, b, dy, y1, y2, dx1, dx2, dw1, dw2, db1, db2, dy0 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        done(all[i], n);
}

static void check_rows(const akin_kernels *k, size_t n)
{
    const akin_gradient_kernels *g = k->gradients;
    float *y = floats(n, 2.0f), *d1 = floats(n, 1.0f), *d2 = copy_of(d1, n);
    k->softmax_f32(y, 1.0f, n);
    g->softmax_back_f32(y, 0.3f, d1, n);
    plain->softmax_back_f32(y, 0.3f, d2, n);
    close_to(d1, d2, n, 1e-6, k->name, "softmax_back");
    for (akin_activation a = AKIN_ACT_NONE; a <= AKIN_ACT_RELU; a++) {
        float *x = floats(n, 9.0f), *e1 = floats(n, 1.0f), *e2 = copy_of(e1, n);
        if (n > 2)
            x[0] = 90.0f, x[1] = -90.0f, x[2] = 0.0f;
        g->activate_back_f32(a, x, e1, n);
        plain->activate_back_f32(a, x, e2, n);
        close_to(e1, e2, n, 2e-6, k->name, "activate_back");
        done(x, n);
        done(e1, n);
        done(e2, n);
    }
    double want = 0.0;
    for (size_t i = 0; i < n; i++)
        want += (double)d2[i] * d2[i];
    assert_true(fabs(g->sum_squares_f32(d2, n) - want) <= 1e-6 * want);
    done(y, n);
    done(d1, n);
    done(d2, n);
}

/* torch.optim.AdamW, one step at a time, in double. */
static void check_adamw(const akin_kernels *k, size_t n)
{
    float *value = floats(n, 1.0f), *g = floats(n, 1.0f), *m = floats(n, 0.1f);
    float *v = floats(n, 0.1f), *want = copy_of(value, n);
    const double rate = 1e-2, beta1 = 0.9, beta2 = 0.98, decay = 0.2, eps = 1e-6, scale = 0.5;
    for (size_t i = 0; i < n; i++) {
        v[i] = fabsf(v[i]);
        const double gradient = scale * g[i], m1 = m[i] + (1.0 - beta1) * (gradient - m[i]);
        const double v1 = v[i] * beta2 + (1.0 - beta2) * gradient * gradient;
        const double denominator = sqrt(v1) / sqrt(1.0 - pow(beta2, 3.0)) + eps;
        want[i] = (float)(value[i] * (1.0 - rate * decay) -
                          rate / (1.0 - pow(beta1, 3.0)) * m1 / denominator);
    }
    k->gradients->adamw_f32(value, g, m, v, n, (float)(1.0 - rate * decay), (float)scale, beta1,
                            beta2, (float)(rate / (1.0 - pow(beta1, 3.0))),
                            (float)(1.0 / sqrt(1.0 - pow(beta2, 3.0))), (float)eps);
    close_to(value, want, n, 1e-6, k->name, "adamw");
    for (size_t i = 0; i < n; i++)
        assert_true(g[i] == 0.0f);
    float *const all[] = { value, g, m, v, want };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        done(all[i], n);
}

static void check_product(const akin_kernels *k, size_t m, size_t n, size_t terms, bool turned)
{
    const akin_gradient_kernels *g = k->gradients;
    const size_t lda = (turned ? m : terms) + 2, ldb = n + 1, ldc = n + 3;
    const size_t a_count = lda * (turned ? terms : m) + 1;
    float *a = floats(a_count, 1.0f), *b = floats(ldb * terms + 1, 1.0f);
    float *c1 = floats(ldc * m + 1, 1.0f), *c2 = copy_of(c1, ldc * m + 1);
    for (int add = 0; add < 2; add++) {
        g->product_f32(a, turned ? 1 : lda, turned ? lda : 1, b, ldb, m, n, terms, add != 0, c1,
                       ldc);
        plain->product_f32(a, turned ? 1 : lda, turned ? lda : 1, b, ldb, m, n, terms, add != 0,
                           c2, ldc);
        close_to(c1, c2, ldc * m, 1e-5, k->name, "product");
    }
    float *t = floats((m + 1) * n + 1, 1.0f);
    g->transpose_f32(c1, ldc, m, n, t, m + 1);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            assert_true(t[j * (m + 1) + i] == c1[i * ldc + j]);
    done(t, (m + 1) * n + 1);
    done(a, a_count);
    done(b, ldb * terms + 1);
    done(c1, ldc * m + 1);
    done(c2, ldc * m + 1);
}

static void test_kernels(void **state)
{
    (void)state;
    for (size_t i = 0; i < akin_isa_count(); i++) {
        const akin_isa_entry isa = akin_isa_at(i);
        if (isa.lacks != NULL)
            continue;
        for (size_t n = 0; n <= LONGEST; n++) {
            if (n > 0)
                check_norms(isa.kernels, n);
            check_rows(isa.kernels, n);
            check_adamw(isa.kernels, n);
        }
        for (size_t m = 1; m <= 20; m++)
            for (size_t n = 1; n <= 50; n += m % 3 + 1)
                check_product(isa.kernels, m, n, (m * n) % 19, (m + n) % 2 == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels), cmocka_unit_test(test_golden),
        cmocka_unit_test(test_frozen),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_draw),
    };
    return cmocka_run_group_tests_name("train_transformer", tests, NULL, NULL);
}
