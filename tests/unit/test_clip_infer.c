/* test_clip_infer.c - a weights file alone: what is read off its tensors, and what is refused. A
 * good file that opens, then one thing in it changed at a time. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "akin.h"
#include "base/buffer.h"
#include "base/file.h"
#include "models/clip.h"

#define GOLDEN "tests/golden/open_clip/"

enum { MOST = 1200 };

static char file[64]; /* where the changed one is written */

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

/* ---- A file of zeros with the tensors of another --------------------------------------------- */

struct tensor {
    char name[128];
    const char *dtype;
    int dims;
    int64_t shape[AKIN_MAX_DIMS];
    int64_t value; /* of an I64 */
};
struct list {
    struct tensor items[MOST];
    size_t count;
};

static void take(struct list *list, const char *from)
{
    akin_checkpoint *checkpoint;
    akin_error err;
    ok(akin_checkpoint_open_as(&checkpoint, from, AKIN_FORM_OPEN_CLIP, &err), &err);
    list->count = akin_checkpoint_count(checkpoint);
    assert_true(list->count < MOST);
    for (size_t i = 0; i < list->count; i++) {
        const akin_tensor *t = akin_checkpoint_at(checkpoint, i);
        struct tensor *item = &list->items[i];
        *item = (struct tensor){ .dtype = t->dtype == AKIN_I64 ? "I64" : "F32", .dims = t->dims };
        snprintf(item->name, sizeof item->name, "%s", t->name);
        memcpy(item->shape, t->shape, sizeof item->shape);
        if (t->dtype == AKIN_I64)
            memcpy(&item->value, t->data, sizeof item->value);
    }
    akin_checkpoint_close(checkpoint);
}

static struct tensor *named(struct list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return &list->items[i];
    fail_msg("no tensor '%s'", name);
    return NULL;
}

static struct tensor *add(struct list *list, const char *name, int dims, int64_t size)
{
    struct tensor *t = &list->items[list->count++];
    assert_true(list->count <= MOST);
    *t = (struct tensor){ .dtype = "F32", .dims = dims, .shape = { size } };
    snprintf(t->name, sizeof t->name, "%s", name);
    return t;
}

static void drop(struct list *list, const char *name)
{
    struct tensor *t = named(list, name);
    *t = list->items[--list->count];
}

static void write_list(const struct list *list)
{
    akin_buffer header;
    akin_writer w;
    akin_error err;
    static const char zeros[1 << 16];
    size_t at = 0;
    akin_buffer_init(&header, "header", 1 << 20);
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor *t = &list->items[i];
        char text[400];
        int n = snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                         i == 0 ? "{" : ",", t->name, t->dtype);
        size_t bytes = t->dtype[0] == 'I' ? 8 : 4;
        for (int d = 0; d < t->dims; d++) {
            n += snprintf(text + n, sizeof text - (size_t)n, d == 0 ? "%lld" : ",%lld",
                          (long long)t->shape[d]);
            bytes *= (size_t)t->shape[d];
        }
        n += snprintf(text + n, sizeof text - (size_t)n, "],\"data_offsets\":[%zu,%zu]}%s", at,
                      at + bytes, i + 1 == list->count ? "}" : "");
        at += bytes;
        ok(akin_buffer_add(&header, text, (size_t)n, &err), &err);
    }
    const uint64_t size = header.size;
    ok(akin_writer_open(&w, file, &err), &err);
    ok(akin_writer_add(&w, &size, 8, &err), &err);
    ok(akin_writer_add(&w, header.data, header.size, &err), &err);
    for (size_t i = 0; i < list->count; i++) {
        const struct tensor *t = &list->items[i];
        size_t left = 4;
        if (t->dtype[0] == 'I') {
            ok(akin_writer_add(&w, &t->value, 8, &err), &err);
            continue;
        }
        for (int d = 0; d < t->dims; d++)
            left *= (size_t)t->shape[d];
        for (size_t n; left != 0; left -= n) {
            n = left < sizeof zeros ? left : sizeof zeros;
            ok(akin_writer_add(&w, zeros, n, &err), &err);
        }
    }
    ok(akin_writer_commit(&w, &err), &err);
    akin_buffer_clear(&header);
}

/* ---- Changes --------------------------------------------------------------------------------- */

/* The tower's model from the file, as akin_model_open makes it but for the tokenizer. */
static akin_status open_file(akin_error *err)
{
    akin_clip_config config;
    akin_clip *clip = NULL;
    akin_pool *pool = NULL;
    const akin_kernels *kernels;
    akin_status status;
    ok(akin_kernels_choose("scalar", &kernels, err), err);
    AKIN_TRY(akin_clip_config_infer(&config, file, "gelu", err));
    AKIN_TRY(akin_pool_new(&pool, 1, err));
    status = akin_clip_open(&clip, file, &config, kernels, false, false, false, pool, err);
out:
    akin_clip_close(clip);
    akin_pool_free(pool);
    return status;
}

static void expect(const char *what, const struct list *list, akin_status wanted,
                   const char *message)
{
    akin_error err = { 0 };
    write_list(list);
    const akin_status status = open_file(&err);
    if (status != wanted || (wanted != AKIN_OK && strstr(err.message, message) == NULL))
        fail_msg("%s: %s: %s\nwanted %s: %s", what, akin_status_name(status),
                 status != AKIN_OK ? err.message : "", akin_status_name(wanted), message);
    if (wanted != AKIN_OK)
        assert_string_equal(err.path, file);
}

/* One size of one tensor, or with axis -1 the tensor taken away, with -2 its dimensions. */
struct change {
    const char *name;
    int axis;
    int64_t size;
    akin_status status;
    const char *message;
};

static void each_change(const char *from, const struct change *changes, size_t count)
{
    static struct list good, list;
    take(&good, from);
    expect("unchanged", &good, AKIN_OK, "");
    for (size_t i = 0; i < count; i++) {
        const struct change *c = &changes[i];
        char what[200];
        list = good;
        if (c->axis == -1)
            drop(&list, c->name);
        else if (c->axis == -2)
            named(&list, c->name)->dims = (int)c->size;
        else
            named(&list, c->name)->shape[c->axis] = c->size;
        snprintf(what, sizeof what, "%s, axis %d, %lld", c->name, c->axis, (long long)c->size);
        expect(what, &list, c->status, c->message);
    }
}
#define EACH(from, changes) each_change(from, changes, sizeof changes / sizeof *changes)

static void test_vit(void **state)
{
    (void)state;
    static const struct change changes[] = {
        { "text.positional_embedding", 0, 12, AKIN_OK, "" },
        { "text.positional_embedding", 0, 1, AKIN_E_TENSOR_SHAPE,
          "'text.positional_embedding' has 1 row" },
        { "text.positional_embedding", 0, 65537, AKIN_E_LIMIT, "'text.positional_embedding'" },
        { "text.positional_embedding", 1, 65, AKIN_E_TENSOR_SHAPE,
          "'text.positional_embedding' has shape [10, 65]; the rest of the file asks for" },
        { "text.positional_embedding", -1, 0, AKIN_E_TENSOR_MISSING, "'text_projection'" },
        { "text.token_embedding.weight", 0, 7, AKIN_OK, "" },
        { "text.token_embedding.weight", -1, 0, AKIN_E_TENSOR_MISSING,
          "'text.token_embedding.weight' is missing" },
        { "text.text_projection", -1, 0, AKIN_E_TENSOR_MISSING, "'text.text_projection'" },
        { "text.text_projection", 1, 19, AKIN_E_TENSOR_SHAPE, "'visual.proj' has shape [64, 18]" },
        { "text.text_projection", -2, 1, AKIN_E_TENSOR_SHAPE, "expected 2 dimensions" },
        { "text.ln_final.weight", 0, 60, AKIN_E_UNSUPPORTED, "'text.ln_final.weight': a tower of" },
        { "text.ln_final.weight", 0, 128, AKIN_E_TENSOR_SHAPE, "the rest of the file asks for" },
        { "text.ln_final.weight", -1, 0, AKIN_E_TENSOR_MISSING, "'text.ln_final.weight'" },
        { "text.transformer.resblocks.0.ln_1.bias", -1, 0, AKIN_E_TENSOR_MISSING,
          "'text.transformer.resblocks.0.ln_1.bias' is missing" },
        { "text.transformer.resblocks.0.mlp.c_fc.weight", 0, 255, AKIN_E_TENSOR_SHAPE,
          "asks for [256, 64]" },
        { "visual.proj", -1, 0, AKIN_E_TENSOR_MISSING, "'visual.proj' is missing" },
        { "visual.conv1.weight", -1, 0, AKIN_E_TENSOR_MISSING, "'visual.conv1.weight'" },
        { "visual.conv1.weight", 0, 1280, AKIN_E_UNSUPPORTED,
          "'visual.conv1.weight': a tower of width 1280" },
        { "visual.conv1.weight", 0, 0, AKIN_E_LIMIT, "dimension 0 must lie between 1 and" },
        { "visual.conv1.weight", 2, 6, AKIN_E_TENSOR_SHAPE, "asks for [64, 3, 7, 7]" },
        { "visual.conv1.weight", 3, 1400, AKIN_E_LIMIT, "pictures of 4200 pixels" },
        { "visual.positional_embedding", 0, 17, AKIN_OK, "" },
        { "visual.positional_embedding", 0, 11, AKIN_E_TENSOR_SHAPE,
          "'visual.positional_embedding' has 11 rows" },
        { "visual.positional_embedding", 0, 1, AKIN_E_TENSOR_SHAPE, "has 1 rows" },
        { "visual.positional_embedding", -1, 0, AKIN_E_TENSOR_MISSING,
          "'visual.positional_embedding'" },
        { "visual.ln_pre.weight", -1, 0, AKIN_E_TENSOR_MISSING, "'visual.ln_pre.weight'" },
        { "logit_scale", -1, 0, AKIN_E_TENSOR_MISSING, "'logit_scale'" },
    };
    EACH(GOLDEN "bare-gelu/epoch_3.safetensors", changes);
}

static void test_resnet(void **state)
{
    (void)state;
    static const struct change changes[] = {
        { "visual.layer2.1.bn2.running_var", -1, 0, AKIN_E_TENSOR_MISSING,
          "'visual.layer2.1.bn2.running_var' is missing" },
        { "visual.layer2.1.bn2.num_batches_tracked", -1, 0, AKIN_OK, "" },
        { "visual.layer1.0.conv1.weight", -1, 0, AKIN_E_TENSOR_MISSING,
          "'visual.layer1.0.conv1.weight' is missing" },
        { "visual.layer4.0.conv1.weight", -1, 0, AKIN_E_TENSOR_MISSING, "'visual.layer4.0.conv1" },
        { "visual.layer1.0.conv1.weight", 0, 3, AKIN_E_UNSUPPORTED, "a tower of width 96" },
        { "visual.layer1.0.conv1.weight", 0, 6, AKIN_E_TENSOR_SHAPE, "asks for" },
        { "visual.attnpool.positional_embedding", 0, 6, AKIN_E_TENSOR_SHAPE, "has 6 rows" },
        { "visual.attnpool.positional_embedding", 0, 10, AKIN_OK, "" },
        { "visual.attnpool.c_proj.bias", 0, 16, AKIN_E_TENSOR_SHAPE, "asks for [17]" },
        { "visual.attnpool.positional_embedding", 0, 129 * 129 + 1, AKIN_E_LIMIT,
          "pictures of 4128 pixels" },
    };
    EACH(GOLDEN "bare-resnet/RN.pth", changes);
}

static void test_more_tensors(void **state)
{
    (void)state;
    static struct list good, list;
    take(&good, GOLDEN "bare-gelu/epoch_3.safetensors");
    static const struct {
        const char *name;
        akin_status status;
        const char *message;
    } more[] = {
        { "text.attn_mask", AKIN_OK, "" },
        { "extra", AKIN_E_TENSOR_EXTRA, "'extra' of shape [3] is not part of the model that the " },
        { "positional_embedding", AKIN_E_TENSOR_MISSING, "'text_projection' is missing" },
        { "text.transformer.resblocks.2.ln_1.weight", AKIN_E_TENSOR_MISSING,
          "'text.transformer.resblocks.1." },
        { "visual.transformer.resblocks.0.ls_1.gamma", AKIN_E_TENSOR_EXTRA, "ls_1.gamma" },
        { "logit_bias", AKIN_E_TENSOR_EXTRA, "'logit_bias'" },
        { "text_model.embeddings.position_ids", AKIN_E_UNSUPPORTED, "Hugging Face form" },
        { "visual.trunk.cls_token", AKIN_E_UNSUPPORTED, "timm" },
        { "input_resolution", AKIN_E_TENSOR_DTYPE, "'input_resolution' must be one I64" },
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        list = good;
        add(&list, more[i].name, 1, 3);
        expect(more[i].name, &list, more[i].status, more[i].message);
    }
    list = good;
    for (int i = 1; i < 1001; i++) {
        char text[60];
        snprintf(text, sizeof text, "visual.transformer.resblocks.%d.x", i);
        add(&list, text, 1, 1);
    }
    expect("1001 blocks", &list, AKIN_E_LIMIT, "1001 layers 'visual.transformer.resblocks.");
}

/* OpenAI's own layout: integers beside the model, which must agree with it. */
static void test_archive(void **state)
{
    (void)state;
    static struct list good, list;
    static const char *const names[] = { "input_resolution", "context_length", "vocab_size" };
    take(&good, GOLDEN "bare-vit/ViT.pt");
    drop(&good, "token_embedding.weight"); /* 25 MB of zeros less */
    add(&good, "token_embedding.weight", 2, 100)->shape[1] = 128;
    named(&good, "vocab_size")->value = 100;
    expect("unchanged", &good, AKIN_OK, "");
    for (int i = 0; i < 3; i++) {
        char message[64];
        list = good;
        named(&list, names[i])->value++;
        snprintf(message, sizeof message, "tensor '%s' is", names[i]);
        expect(names[i], &list, AKIN_E_CORRUPT, message);
        list = good;
        drop(&list, names[i]);
        expect(names[i], &list, AKIN_OK, "");
    }
}

/* ---- Through the public interface ------------------------------------------------------------ */

static void refused(const char *path, const char *activation, const char *form, akin_status wanted,
                    const char *message)
{
    akin_model *model;
    akin_error err;
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    options.activation = activation;
    options.form = form;
    const akin_status status = akin_model_open(&model, path, &options, &err);
    assert_null(model);
    if (status != wanted || strstr(err.message, message) == NULL)
        fail_msg("%s: %s: %s\nwanted %s: %s", path, akin_status_name(status), err.message,
                 akin_status_name(wanted), message);
}

static void test_open(void **state)
{
    (void)state;
    static const char vit[] = GOLDEN "bare-vit/ViT.pt";
    akin_model *model;
    akin_error err;
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    refused(vit, NULL, NULL, AKIN_E_ARGUMENT, "--activation quick_gelu");
    refused(vit, "relu", NULL, AKIN_E_ARGUMENT, "activation is 'relu'");
    refused(vit, "QuickGELU", NULL, AKIN_E_ARGUMENT, "activation is 'QuickGELU'");
    refused(vit, "gelu", "hf", AKIN_E_ARGUMENT, "form hf is for folders");
    refused(GOLDEN "oc-a", "gelu", NULL, AKIN_E_ARGUMENT, "the config in this folder");
    refused("tests/golden/clip/tiny-a", "quick_gelu", NULL, AKIN_E_ARGUMENT, "the config in");
    refused("tests/golden/clip/tiny-a/model.safetensors", "quick_gelu", NULL, AKIN_E_UNSUPPORTED,
            "name a folder that holds it together with config.json");
    /* What the file is comes before what is missing on the command line. */
    refused("tests/golden/clip/tiny-a/model.safetensors", NULL, NULL, AKIN_E_UNSUPPORTED,
            "Hugging Face form");
    refused("tests/golden/clip/pictures/photo.jpg", NULL, NULL, AKIN_E_FORMAT, "");
    refused("tests/golden/weights/plain.pt", NULL, NULL, AKIN_E_TENSOR_MISSING,
            "'text_projection'");
    refused(GOLDEN "bare-resnet/RN.pth", "quick_gelu", NULL, AKIN_E_TOKENIZER,
            "'token_embedding.weight' has 60 rows");
    refused(GOLDEN "bare-resnet", NULL, NULL, AKIN_E_NOT_FOUND, "of weights alone, name the file");

    options.activation = "quick_gelu";
    options.form = "open_clip";
    options.parts = AKIN_PART_WEIGHTS;
    ok(akin_model_open(&model, GOLDEN "bare-resnet/RN.pth", &options, &err), &err);
    ok(akin_model_describe(model, &info, &err), &err);
    assert_string_equal(info.vision, "resnet");
    assert_string_equal(info.activation, "quick_gelu");
    assert_int_equal(info.vision_layers, 6);
    assert_int_equal(info.vision_heads, 2);
    assert_int_equal(info.image_height, 64);
    assert_int_equal(info.text_heads, 1);
    akin_model_close(model);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(file, "/tmp/akin-infer-XXXXXX");
    const int fd = mkstemp(file);
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vit),         cmocka_unit_test(test_resnet),
        cmocka_unit_test(test_more_tensors), cmocka_unit_test(test_archive),
        cmocka_unit_test(test_open),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
