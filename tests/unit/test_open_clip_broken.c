/* test_open_clip_broken.c - a good model folder in open_clip form that opens, then one thing in it
 * changed at a time: each with its status and what the message must name. Which form a folder is
 * read in, which weights file, and what a name may begin with. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "akin.h"
#include "base/buffer.h"
#include "base/file.h"
#include "models/clip.h"

#define GOLDEN "tests/golden/open_clip/"
#define WEIGHTS "open_clip_pytorch_model.safetensors"

static char folder[64];

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

static char *in_folder(const char *name)
{
    char *path = akin_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    char *path = in_folder(name);
    akin_writer w;
    akin_error err;
    unlink(path);
    ok(akin_writer_open(&w, path, &err), &err);
    ok(akin_writer_add(&w, bytes, size, &err), &err);
    ok(akin_writer_commit(&w, &err), &err);
    free(path);
}

static void copy_file(const char *from, const char *name)
{
    akin_buffer b;
    akin_error err;
    ok(akin_file_read(from, "file", 1 << 24, &b, &err), &err);
    write_file(name, b.data, b.size);
    akin_buffer_clear(&b);
}

static const char *const files[] = {
    "open_clip_config.json", WEIGHTS, "open_clip_model.safetensors", "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth",
    "model.pth", "config.json", "tokenizer.json", "tokenizer_config.json",
    "preprocessor_config.json",
};

static void empty_folder(void)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = in_folder(files[i]);
        unlink(path);
        free(path);
    }
}

static void copy_good(void)
{
    empty_folder();
    copy_file(GOLDEN "oc-d/open_clip_config.json", "open_clip_config.json");
    copy_file(GOLDEN "oc-d/" WEIGHTS, WEIGHTS);
}

/* ---- The config, a field at a time ---------------------------------------------------------- */

/* object: NULL is model_cfg. value: JSON, or NULL to take the field away. */
static void set_config(const char *object, const char *field, const char *value)
{
    char *path = in_folder("open_clip_config.json");
    json_t *root = json_load_file(path, 0, NULL);
    json_t *at = json_object_get(root, "model_cfg");
    if (object != NULL)
        at = json_object_get(at, object);
    if (value != NULL)
        json_object_set_new(at, field, json_loads(value, JSON_DECODE_ANY, NULL));
    else
        json_object_del(at, field);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
    free(path);
}

static const struct {
    const char *object, *field, *value;
    akin_status status;
    const char *message;
} configs[] = {
    { NULL, "quick_gelu", "true", AKIN_OK, "" },
    { NULL, "init_logit_scale", "1.5", AKIN_OK, "" },
    { NULL, "init_logit_bias", "null", AKIN_OK, "" },
    { NULL, "quick_gelu", "null", AKIN_OK, "" },
    { NULL, "custom_text", "null", AKIN_E_TENSOR_MISSING, "'token_embedding.weight'" }, /* false */
    { NULL, "nonscalar_logit_scale", "null", AKIN_OK, "" },
    { NULL, "init_logit_bias", "-10", AKIN_OK, "" }, /* and the file has none: 0 */
    { NULL, "nonscalar_logit_scale", "true", AKIN_OK, "" },
    { NULL, "embed_dim", NULL, AKIN_E_CONFIG, "'embed_dim' is missing" },
    { NULL, "vision_cfg", NULL, AKIN_E_CONFIG, "'vision_cfg' is missing" },
    { NULL, "text_cfg", NULL, AKIN_E_CONFIG, "'text_cfg' is missing" },
    { NULL, "vision_cfg", "[]", AKIN_E_CONFIG, "'vision_cfg' must be an object" },
    { NULL, "embed_dim", "\"18\"", AKIN_E_CONFIG, "'embed_dim' must be an integer" },
    { NULL, "embed_dim", "19", AKIN_E_TENSOR_SHAPE, "open_clip_config.json asks for [22, 19]" },
    { NULL, "quick_gelu", "1", AKIN_E_CONFIG, "'quick_gelu' must be true or false" },
    { NULL, "quickgelu", "true", AKIN_E_CONFIG, "'quickgelu' is none that open_clip" },
    { NULL, "multimodal_cfg", "{}", AKIN_E_UNSUPPORTED, "'multimodal_cfg'" },
    { NULL, "custom_text", "false", AKIN_E_TENSOR_MISSING, "'token_embedding.weight' is missing" },

    { "vision_cfg", "patch_dropout", "0.5", AKIN_OK, "" },
    { "vision_cfg", "output_tokens", "false", AKIN_OK, "" },
    { "vision_cfg", "timm_model_name", "null", AKIN_OK, "" },
    { "vision_cfg", "no_ln_pre", "null", AKIN_E_TENSOR_MISSING, "'visual.ln_pre.weight'" },
    { "vision_cfg", "final_ln_after_pool", "null", AKIN_OK, "" },
    { "vision_cfg", "attentional_pool", "null", AKIN_OK, "" },
    { "vision_cfg", "qk_norm", "null", AKIN_OK, "" },
    { "vision_cfg", "timm_model_name", "\"\"", AKIN_OK, "" },
    { "vision_cfg", "timm_pool", "\"\"", AKIN_OK, "" },
    { "vision_cfg", "block_type", "\"default\"", AKIN_OK, "" },
    { "vision_cfg", "pos_embed_type", "\"sin_cos_2d\"", AKIN_OK, "" },
    { "vision_cfg", "norm_kwargs", "{\"eps\": 1e-6}", AKIN_OK, "" },
    { "vision_cfg", "act_kwargs", "{}", AKIN_OK, "" },
    { "vision_cfg", "patch_sizes", "4", AKIN_E_CONFIG, "'vision_cfg.patch_sizes' is none" },
    { "vision_cfg", "timm_model_name", "\"vit_base_mci_224\"", AKIN_E_UNSUPPORTED,
      "'vision_cfg.timm_model_name'" },
    { "vision_cfg", "attentional_pool", "true", AKIN_E_UNSUPPORTED,
      "'vision_cfg.attentional_pool'" },
    { "vision_cfg", "attentional_pool", "\"parallel\"", AKIN_E_UNSUPPORTED,
      "'vision_cfg.attentional_pool'" },
    { "vision_cfg", "output_tokens", "true", AKIN_E_UNSUPPORTED, "'vision_cfg.output_tokens'" },
    { "vision_cfg", "qk_norm", "true", AKIN_E_UNSUPPORTED, "'vision_cfg.qk_norm'" },
    { "vision_cfg", "scaled_cosine_attn", "true", AKIN_E_UNSUPPORTED, "scaled_cosine_attn" },
    { "vision_cfg", "scale_fc", "true", AKIN_E_UNSUPPORTED, "'vision_cfg.scale_fc'" },
    { "vision_cfg", "block_type", "\"custom\"", AKIN_E_UNSUPPORTED, "'vision_cfg.block_type'" },
    { "vision_cfg", "pool_type", "\"none\"", AKIN_E_UNSUPPORTED, "akin knows tok and avg" },
    { "vision_cfg", "pos_embed_type", "\"rope\"", AKIN_E_UNSUPPORTED, "pos_embed_type" },
    { "vision_cfg", "norm_kwargs", "{\"elementwise_affine\": false}", AKIN_E_CONFIG,
      "'vision_cfg.norm_kwargs.elementwise_affine'" },
    { "vision_cfg", "norm_kwargs", "{\"eps\": 2}", AKIN_E_CONFIG, "between 0 and 1" },
    { "vision_cfg", "act_kwargs", "{\"approximate\": \"erf\"}", AKIN_E_UNSUPPORTED,
      "akin knows none and tanh" },
    { "vision_cfg", "width", "null", AKIN_E_CONFIG, "'vision_cfg.width' is null" },
    { "vision_cfg", "width", "28.0", AKIN_E_CONFIG, "must be an integer" },
    { "vision_cfg", "width", "32", AKIN_E_TENSOR_SHAPE, "visual.class_embedding" },
    { "vision_cfg", "head_width", "29", AKIN_E_CONFIG, "'vision_cfg.head_width' is 29" },
    { "vision_cfg", "head_width", "9", AKIN_E_CONFIG, "into 3 heads of unequal size" },
    { "vision_cfg", "mlp_ratio", "0.01", AKIN_E_CONFIG, "'vision_cfg.mlp_ratio'" },
    { "vision_cfg", "mlp_ratio", "1e300", AKIN_E_CONFIG, "'vision_cfg.mlp_ratio'" },
    { "vision_cfg", "mlp_ratio", "\"4\"", AKIN_E_CONFIG, "'vision_cfg.mlp_ratio' must be" },
    { "vision_cfg", "mlp_ratio", "4.3637", AKIN_E_TENSOR_SHAPE, "asks for [122, 28]" },
    { "vision_cfg", "layers", "3", AKIN_E_TENSOR_MISSING, "visual.transformer.resblocks.2." },
    { "vision_cfg", "layers", "1", AKIN_E_TENSOR_EXTRA, "visual.transformer.resblocks.1." },
    { "vision_cfg", "layers", "[3, 4, 6]", AKIN_E_CONFIG, "'vision_cfg.layers'" },
    { "vision_cfg", "layers", "[3, 4, 0, 3]", AKIN_E_CONFIG, "'vision_cfg.layers'" },
    { "vision_cfg", "layers", "[1, 1, 1, 1]", AKIN_E_CONFIG, "'vision_cfg.image_size' is 20" },
    { "vision_cfg", "patch_size", "null", AKIN_E_CONFIG, "'vision_cfg.patch_size' is null" },
    { "vision_cfg", "patch_size", "21", AKIN_E_CONFIG, "'vision_cfg.patch_size' is 21" },
    { "vision_cfg", "patch_size", "5", AKIN_E_TENSOR_SHAPE, "visual.conv1.weight" },
    { "vision_cfg", "patch_size", "[4, 4]", AKIN_E_CONFIG, "'vision_cfg.patch_size'" },
    { "vision_cfg", "image_size", "28", AKIN_OK, "" },
    { "vision_cfg", "image_size", "[28, 12]", AKIN_OK, "" },
    { "vision_cfg", "image_size", "[28]", AKIN_E_CONFIG, "'vision_cfg.image_size'" },
    { "vision_cfg", "image_size", "[28, 0]", AKIN_E_CONFIG, "'vision_cfg.image_size'" },
    { "vision_cfg", "image_size", "4096", AKIN_E_LIMIT, "1048577; at most 16384" },
    { "vision_cfg", "ls_init_value", "0.1", AKIN_E_TENSOR_MISSING,
      "visual.transformer.resblocks.0.ls_1.gamma" },
    { "vision_cfg", "no_ln_pre", "false", AKIN_E_TENSOR_MISSING, "visual.ln_pre.weight" },

    { "text_cfg", "hf_tokenizer_name", "null", AKIN_OK, "" },
    { "text_cfg", "no_causal_mask", "null", AKIN_OK, "" },
    { "text_cfg", "proj_bias", "null", AKIN_OK, "" },
    { "text_cfg", "embed_cls", "null", AKIN_OK, "" },
    { "text_cfg", "hf_tokenizer_name", "\"\"", AKIN_OK, "" },
    { "text_cfg", "tokenizer_kwargs", "{\"clean\": \"canonicalize\"}", AKIN_OK, "" },
    { "text_cfg", "final_ln_after_pool", "true", AKIN_OK, "" }, /* as the reference: no effect */
    { "text_cfg", "context_length", "30", AKIN_OK, "" },
    { "text_cfg", "context_length", "20000", AKIN_E_LIMIT, "20000; at most 16384" },
    { "text_cfg", "context_length", "1", AKIN_E_CONFIG, "'text_cfg.context_length' is 1" },
    { "text_cfg", "vocab_size", "61", AKIN_E_TENSOR_SHAPE, "'text.token_embedding.weight'" },
    { "text_cfg", "vocab_size", "-1", AKIN_E_CONFIG, "'text_cfg.vocab_size' is -1" },
    { "text_cfg", "heads", "3", AKIN_E_CONFIG, "not a multiple of heads 3" },
    { "text_cfg", "pool_type", "\"mean\"", AKIN_E_UNSUPPORTED, "argmax, eos, first and last" },
    { "text_cfg", "proj_type", "\"mlp\"", AKIN_E_UNSUPPORTED, "linear and none" },
    { "text_cfg", "proj_type", "\"none\"", AKIN_E_CONFIG, "texts are 22 wide and embed_dim is 18" },
    { "text_cfg", "proj_bias", "true", AKIN_E_TENSOR_MISSING, "'text.text_projection.weight'" },
    { "text_cfg", "embed_cls", "true", AKIN_E_UNSUPPORTED, "'text_cfg.embed_cls'" },
    { "text_cfg", "tokenizer_mode", "\"clips\"", AKIN_E_UNSUPPORTED, "'text_cfg.tokenizer_mode'" },
    { "text_cfg", "hf_model_name", "\"xlm-roberta-base\"", AKIN_E_UNSUPPORTED,
      "'text_cfg.hf_model_name'" },
    { "text_cfg", "tokenizer_kwargs", "{\"clean\": \"upper\"}", AKIN_E_UNSUPPORTED,
      "lower, whitespace and canonicalize" },
    { "text_cfg", "tokenizer_kwargs", "{\"strip_sep_token\": true}", AKIN_E_CONFIG,
      "'text_cfg.tokenizer_kwargs.strip_sep_token' is none" },
    { "text_cfg", "tokenizer_kwargs", "{\"reduction_mask\": \"shuffle\"}", AKIN_E_UNSUPPORTED,
      "'text_cfg.tokenizer_kwargs.reduction_mask'" },
    { "text_cfg", "use_pad_mask", "true", AKIN_E_CONFIG, "'text_cfg.use_pad_mask' is none" },
};

static void check_open(const char *what, akin_status expected, const char *message)
{
    akin_model *model;
    akin_error err = { 0 };
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    options.threads = 1;
    for (int pass = 0; pass < 2; pass++) { /* what describes a model sees the same */
        if (pass == 1)
            options.parts = AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS | AKIN_PART_WEIGHTS;
        akin_status status = akin_model_open(&model, folder, &options, &err);
        if (status != expected)
            fail_msg("%s: %s (%s: %s), expected %s", what, akin_status_name(status), err.path,
                     err.message, akin_status_name(expected));
        if (status != AKIN_OK && strstr(err.message, message) == NULL)
            fail_msg("%s: the error is %s: %s", what, err.path, err.message);
        akin_model_close(model);
    }
}

static void test_configs(void **state)
{
    (void)state;
    copy_good();
    check_open("nothing", AKIN_OK, "");
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        char what[128];
        copy_file(GOLDEN "oc-d/open_clip_config.json", "open_clip_config.json");
        set_config(configs[i].object, configs[i].field, configs[i].value);
        snprintf(what, sizeof what, "%s %s", configs[i].field,
                 configs[i].value != NULL ? configs[i].value : "taken away");
        check_open(what, configs[i].status, configs[i].message);
    }
    write_file("open_clip_config.json", "{\"model_cfg\": {}", 15);
    check_open("config cut", AKIN_E_FORMAT, "not valid JSON");
    write_file("open_clip_config.json", "{\"model_cfg\": null}", 19);
    check_open("model_cfg null", AKIN_E_CONFIG, "'embed_dim' is missing");
}

/* quick_gelu with arguments for nn.GELU, a ResNet with two sizes: errors of two fields. */
static void test_pairs(void **state)
{
    (void)state;
    copy_good();
    set_config(NULL, "quick_gelu", "true");
    set_config("text_cfg", "act_kwargs", "{\"approximate\": \"tanh\"}");
    check_open("quick_gelu and act_kwargs", AKIN_E_CONFIG, "quick_gelu is true");
    copy_good();
    set_config("vision_cfg", "layers", "[1, 1, 1, 1]");
    set_config("vision_cfg", "image_size", "[64, 64]");
    check_open("a ResNet with two sizes", AKIN_E_CONFIG, "of a ResNet must be an integer");
    set_config("vision_cfg", "image_size", "64");
    set_config("vision_cfg", "head_width", "9999");
    check_open("a ResNet without heads", AKIN_E_CONFIG, "'vision_cfg.head_width' is 9999");
}

/* ---- Which form, which file ----------------------------------------------------------------- */

static void check_form(const char *asked, const char *form, const char *weights)
{
    akin_model *model;
    akin_error err = { 0 };
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    options.form = asked;
    options.parts = AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS | AKIN_PART_WEIGHTS;
    ok(akin_model_open(&model, folder, &options, &err), &err);
    ok(akin_model_describe(model, &info, &err), &err);
    assert_string_equal(info.form, form);
    const char *name = strrchr(info.weights, '/');
    assert_non_null(name);
    assert_string_equal(name + 1, weights);
    akin_model_close(model);
}

static void copy_hf(void)
{
    static const char *const names[] = { "config.json", "model.safetensors", "tokenizer.json",
                                         "tokenizer_config.json", "preprocessor_config.json" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[128];
        snprintf(from, sizeof from, "tests/golden/clip/tiny-a/%s", names[i]);
        copy_file(from, names[i]);
    }
}

static void test_forms(void **state)
{
    (void)state;
    akin_model *model;
    akin_error err;
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    copy_good();
    check_form(NULL, "open_clip", WEIGHTS);
    options.form = "hf";
    assert_int_equal(akin_model_open(&model, folder, &options, &err), AKIN_E_NOT_FOUND);
    copy_hf(); /* both */
    check_form(NULL, "hf", "model.safetensors");
    check_form("hf", "hf", "model.safetensors");
    check_form("open_clip", "open_clip", WEIGHTS);
    write_file("config.json", "{\"model_type\": \"siglip\"}", 24);
    check_form(NULL, "open_clip", WEIGHTS);
    write_file("config.json", "", 0);
    check_form(NULL, "open_clip", WEIGHTS);
    copy_hf();
    char *path = in_folder("model.safetensors"); /* CLIP's config without its weights */
    unlink(path);
    free(path);
    check_form(NULL, "open_clip", WEIGHTS);
}

/* open_clip's order, from its end: each file is read before those that were there. */
static void test_weights_order(void **state)
{
    (void)state;
    static const char *const order[] = {
        "open_clip_model.safetensors", WEIGHTS, "open_clip_pytorch_model.bin",
        "open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin",
        "pytorch_model.pth", "model.pth",
    };
    enum { COUNT = sizeof order / sizeof *order };
    empty_folder();
    copy_file(GOLDEN "oc-d/open_clip_config.json", "open_clip_config.json");
    check_open("no weights", AKIN_E_NOT_FOUND, "open_clip_model.safetensors");
    for (size_t i = COUNT; i-- > 0;) {
        copy_file(GOLDEN "oc-d/" WEIGHTS, order[i]);
        check_form(NULL, "open_clip", order[i]);
        write_file(order[i], "other", 5);
    }
}

/* ---- The tensors' names --------------------------------------------------------------------- */

/* Rewrites the header of the good weights file with `from` replaced by `to` in names that begin so,
 * and an extra tensor of one float when `extra` is not NULL. */
static void rename_tensors(const char *from, const char *to, const char *extra, const char *dtype)
{
    akin_buffer b;
    akin_error err;
    ok(akin_file_read(GOLDEN "oc-d/" WEIGHTS, "file", 1 << 24, &b, &err), &err);
    uint64_t length;
    memcpy(&length, b.data, sizeof length);
    json_t *header = json_loadb(b.data + 8, length, 0, NULL), *renamed = json_object();
    const char *key;
    json_t *value;
    size_t end = 0;
    json_object_foreach(header, key, value) {
        char name[256];
        const bool hit = strcmp(key, "__metadata__") != 0 && strncmp(key, from, strlen(from)) == 0;
        snprintf(name, sizeof name, "%s%s", hit ? to : "", hit ? key + strlen(from) : key);
        json_object_set(renamed, name, value);
        const json_t *last = json_array_get(json_object_get(value, "data_offsets"), 1);
        if ((size_t)json_integer_value(last) > end)
            end = (size_t)json_integer_value(last);
    }
    if (extra != NULL)
        json_object_set_new(renamed, extra,
                            json_pack("{s:s, s:[i], s:[I, I]}", "dtype", dtype, "shape",
                                      strcmp(dtype, "I64") == 0 ? 1 : 2, "data_offsets",
                                      (json_int_t)end, (json_int_t)end + 8));
    char *text = json_dumps(renamed, JSON_COMPACT);
    akin_buffer out;
    akin_buffer_init(&out, "weights", 1 << 24);
    const uint64_t size = strlen(text);
    akin_buffer_add(&out, &size, sizeof size, NULL);
    akin_buffer_add(&out, text, size, NULL);
    akin_buffer_add(&out, b.data + 8 + length, end, NULL);
    akin_buffer_add(&out, "\0\0\0\0\0\0\0\0", extra != NULL ? 8 : 0, NULL);
    write_file(WEIGHTS, out.data, out.size);
    akin_buffer_clear(&out);
    akin_buffer_clear(&b);
    free(text);
    json_decref(header);
    json_decref(renamed);
}

static void test_names(void **state)
{
    (void)state;
    copy_good();
    rename_tensors("", "module.", NULL, NULL);
    check_open("module. in front of all", AKIN_OK, "");
    rename_tensors("text.", "module.text.", NULL, NULL);
    check_open("module. in front of some", AKIN_E_TENSOR_MISSING, "'text.token_embedding.weight'");
    rename_tensors("text.", "", NULL, NULL);
    check_open("from before text.", AKIN_OK, "");
    set_config(NULL, "custom_text", "false");
    check_open("a plain model", AKIN_OK, "");
    rename_tensors("", "", NULL, NULL);
    check_open("text. in a plain model", AKIN_E_TENSOR_MISSING, "'token_embedding.weight'");

    copy_good();
    rename_tensors("", "", "visual.surprise", "F32");
    check_open("extra", AKIN_E_TENSOR_EXTRA,
               "'visual.surprise' of shape [2] is not part of the model that "
               "open_clip_config.json describes");
    rename_tensors("", "", "attn_mask", "F32");
    check_open("attn_mask", AKIN_OK, "");
    rename_tensors("", "", "text.transformer.embeddings.position_ids", "I64");
    check_open("position_ids", AKIN_OK, "");
    rename_tensors("", "", "logit_bias", "F32");
    check_open("logit_bias", AKIN_E_TENSOR_EXTRA, "'logit_bias'");
    rename_tensors("visual.proj", "visual.projection", NULL, NULL);
    check_open("renamed", AKIN_E_TENSOR_MISSING,
               "'visual.proj' is missing; expected shape [28, 18]");
}

/* ---- Padding -------------------------------------------------------------------------------- */

static void check_pad(const akin_clip_config *c, int32_t pad, bool left, const char *expected)
{
    int32_t ids[8] = { 7, 3, 9 };
    char text[64] = "";
    const size_t count = akin_clip_pad(c, ids, 3, pad, left);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%d", i > 0 ? " " : "", ids[i]);
    assert_string_equal(text, expected);
}

static void test_padding(void **state)
{
    (void)state;
    akin_clip_config c = { .form = AKIN_FORM_OPEN_CLIP, .text_tokens = 5,
                           .pooling = AKIN_POOL_ARGMAX, .eos = 9 };
    check_pad(&c, 0, false, "7 3 9");
    check_pad(&c, 9, false, "7 3 9");     /* the first of the largest stays the first */
    check_pad(&c, 10, false, "7 3 9 10"); /* becomes the largest */
    check_pad(&c, 0, true, "0 0 7 3 9");  /* positions move */
    c.pooling = AKIN_POOL_EOS;
    check_pad(&c, 9, false, "7 3 9");
    check_pad(&c, 10, false, "7 3 9");
    c.eos = 2;
    check_pad(&c, 2, false, "7 3 9 2"); /* the text has none, the padding has */
    check_pad(&c, 0, false, "7 3 9");
    c.eos = 7;
    check_pad(&c, 7, false, "7 3 9");
    c.pooling = AKIN_POOL_FIRST;
    check_pad(&c, 10, false, "7 3 9");
    c.pooling = AKIN_POOL_LAST;
    check_pad(&c, 1, false, "7 3 9 1 1");
    c.pooling = AKIN_POOL_FIRST;
    c.bidirectional = true;
    check_pad(&c, 1, false, "7 3 9 1 1");
    check_pad(&c, 1, true, "1 1 7 3 9");
    c.text_tokens = 3;
    check_pad(&c, 1, true, "7 3 9");
    c.text_tokens = 5;
    c.form = AKIN_FORM_HF;
    check_pad(&c, 1, true, "7 3 9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configs),       cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_forms),         cmocka_unit_test(test_weights_order),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_padding),
    };
    strcpy(folder, "/tmp/akin-oc-broken-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    empty_folder();
    rmdir(folder);
    return failed;
}
