/* test_model_broken.c - a good model folder that opens, then one thing in it broken at a time: each
 * with its status and what the message must name. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "akin.h"
#include "base/buffer.h"
#include "base/file.h"

#define GOOD "tests/golden/clip/tiny-a"

static char folder[64]; /* a copy of the good one, made anew for each case */

static void ok(akin_status status, const akin_error *err)
{
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", akin_status_name(status), err->path, err->message);
}

static akin_buffer read_file(const char *dir, const char *name)
{
    akin_buffer b;
    akin_error err;
    char *path = akin_path_join(dir, name);
    ok(akin_file_read(path, "file", 1 << 24, &b, &err), &err);
    free(path);
    return b;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    char *path = akin_path_join(folder, name);
    akin_writer w;
    akin_error err;
    ok(akin_writer_open(&w, path, &err), &err);
    ok(akin_writer_add(&w, bytes, size, &err), &err);
    ok(akin_writer_commit(&w, &err), &err);
    free(path);
}

static const char *const files[] = { "config.json", "model.safetensors", "preprocessor_config.json",
                                     "tokenizer.json", "tokenizer_config.json" };

static void remove_file(const char *name)
{
    char *path = akin_path_join(folder, name);
    unlink(path);
    free(path);
}

static void copy_good(void)
{
    remove_file("open_clip_config.json");
    remove_file("model.safetensors"); /* a writer would follow the link that it may be */
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        akin_buffer b = read_file(GOOD, files[i]);
        write_file(files[i], b.data, b.size);
        akin_buffer_clear(&b);
    }
}

/* ---- The weights file as a list of tensors, rewritten without holes -------------------------- */

typedef struct entry {
    char name[128], dtype[8];
    json_t *shape;
    char *data;
    size_t size;
} entry;

enum { MAX_ENTRIES = 200 };
static entry entries[MAX_ENTRIES];
static size_t entry_count;

static void read_entries(void)
{
    akin_buffer b = read_file(GOOD, "model.safetensors");
    uint64_t length;
    memcpy(&length, b.data, sizeof length);
    json_t *header = json_loadb(b.data + 8, length, 0, NULL), *value;
    const char *name;
    entry_count = 0;
    json_object_foreach(header, name, value) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        entry *e = &entries[entry_count++];
        json_t *offsets = json_object_get(value, "data_offsets");
        const size_t begin = (size_t)json_integer_value(json_array_get(offsets, 0));
        e->size = (size_t)json_integer_value(json_array_get(offsets, 1)) - begin;
        snprintf(e->name, sizeof e->name, "%s", name);
        snprintf(e->dtype, sizeof e->dtype, "%s",
                 json_string_value(json_object_get(value, "dtype")));
        e->shape = json_incref(json_object_get(value, "shape"));
        e->data = malloc(e->size);
        memcpy(e->data, b.data + 8 + length + begin, e->size);
    }
    json_decref(header);
    akin_buffer_clear(&b);
}

static void write_entries(void)
{
    json_t *header = json_object();
    size_t offset = 0;
    for (size_t i = 0; i < entry_count; i++) {
        json_object_set_new(header, entries[i].name,
                            json_pack("{s:s, s:O, s:[I, I]}", "dtype", entries[i].dtype, "shape",
                                      entries[i].shape, "data_offsets", (json_int_t)offset,
                                      (json_int_t)(offset + entries[i].size)));
        offset += entries[i].size;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    akin_buffer b;
    akin_buffer_init(&b, "weights", 1 << 24);
    const uint64_t length = strlen(text);
    akin_buffer_add(&b, &length, sizeof length, NULL);
    akin_buffer_add(&b, text, length, NULL);
    for (size_t i = 0; i < entry_count; i++) {
        akin_buffer_add(&b, entries[i].data, entries[i].size, NULL);
        free(entries[i].data);
        json_decref(entries[i].shape);
    }
    write_file("model.safetensors", b.data, b.size);
    akin_buffer_clear(&b);
    free(text);
    json_decref(header);
}

static entry *find(const char *name)
{
    for (size_t i = 0; i < entry_count; i++)
        if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* ---- One change each ------------------------------------------------------------------------- */

#define FC1 "vision_model.encoder.layers.1.mlp.fc1.weight"

static void set_config(const char *tower, const char *field, json_t *value)
{
    char *path = akin_path_join(folder, "config.json");
    json_t *root = json_load_file(path, 0, NULL);
    json_t *object = tower != NULL ? json_object_get(root, tower) : root;
    json_object_set_new(object, field, value);
    json_dump_file(root, path, 0);
    json_decref(root);
    free(path);
}

static void nothing(void) {}
static void no_config(void) { remove_file("config.json"); }
static void no_weights(void) { remove_file("model.safetensors"); }
static void no_tokenizer(void) { remove_file("tokenizer.json"); }
static void config_cut(void) { write_file("config.json", "{\"model_type\": \"cl", 17); }
static void config_array(void) { write_file("config.json", "[]", 2); }
static void config_empty(void) { write_file("config.json", "", 0); }
#define POINTER "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"
static void config_lfs(void) { write_file("config.json", POINTER, sizeof POINTER - 1); }
static void tokenizer_lfs(void) { write_file("tokenizer.json", POINTER, sizeof POINTER - 1); }
static void config_html(void) { write_file("config.json", "<!DOCTYPE html>", 15); }
static void text_tower(void) { set_config(NULL, "model_type", json_string("clip_text_model")); }

static void open_clip(void)
{
    remove_file("config.json");
    write_file("open_clip_config.json", "{}", 2);
}

static void dangling(void)
{
    char *path = akin_path_join(folder, "model.safetensors");
    unlink(path);
    assert_int_equal(symlink("nowhere", path), 0);
    free(path);
}

static void other_model(void) { set_config(NULL, "model_type", json_string("siglip")); }
static void no_model_type(void) { set_config(NULL, "model_type", json_null()); }
static void wider(void) { set_config("vision_config", "hidden_size", json_integer(39)); }
static void huge(void) { set_config("text_config", "hidden_size", json_integer(65536)); }
static void deeper(void) { set_config("text_config", "num_hidden_layers", json_integer(3)); }
static void shallower(void) { set_config("text_config", "num_hidden_layers", json_integer(1)); }
static void negative(void) { set_config("text_config", "vocab_size", json_integer(-5)); }
static void swiglu(void) { set_config("vision_config", "hidden_act", json_string("swiglu")); }
static void other_patch(void) { set_config("vision_config", "patch_size", json_integer(5)); }
static void other_projection(void) { set_config(NULL, "projection_dim", json_integer(20)); }

static void missing(void)
{
    read_entries();
    entry *e = find(FC1), *last = &entries[entry_count - 1];
    free(e->data);
    json_decref(e->shape);
    *e = *last;
    entry_count--;
    write_entries();
}

static void extra(void)
{
    read_entries();
    entry *e = &entries[entry_count++];
    *e = (entry){ "vision_model.surprise", "F32", json_pack("[i]", 2), calloc(2, 4), 8 };
    write_entries();
}

static void transposed(void)
{
    read_entries();
    entry *e = find(FC1);
    json_t *shape = json_pack("[O, O]", json_array_get(e->shape, 1), json_array_get(e->shape, 0));
    json_decref(e->shape);
    e->shape = shape;
    write_entries();
}

static void integers(void)
{
    read_entries();
    strcpy(find(FC1)->dtype, "I32");
    write_entries();
}

static void renamed(void)
{
    read_entries();
    strcpy(find("vision_model.pre_layrnorm.weight")->name, "vision_model.pre_layernorm.weight");
    write_entries();
}

static void set_value(const char *name, size_t index, float value)
{
    read_entries();
    memcpy(find(name)->data + index * sizeof value, &value, sizeof value);
    write_entries();
}

static void nan_weight(void) { set_value(FC1, 77, NAN); }
static void infinite_bias(void)
{
    set_value("text_model.encoder.layers.0.self_attn.k_proj.bias", 3, INFINITY);
}
static void nan_token(void)
{
    set_value("text_model.embeddings.token_embedding.weight", 12345, NAN);
}
static void nan_scale(void) { set_value("logit_scale", 0, NAN); }

static const struct {
    const char *name;
    void (*change)(void);
    akin_status status;
    const char *file;    /* the error's path ends so */
    const char *message; /* and its message holds this */
} table[] = {
    { "nothing", nothing, AKIN_OK, "", "" },
    { "no config", no_config, AKIN_E_NOT_FOUND, "", "no config.json in this folder" },
    { "open_clip", open_clip, AKIN_E_CONFIG, "/open_clip_config.json",
      "field 'model_cfg' is missing" },
    { "no weights", no_weights, AKIN_E_NOT_FOUND, "", "model.safetensors" },
    { "no tokenizer", no_tokenizer, AKIN_E_NOT_FOUND, "", "tokenizer.json" },
    { "config cut", config_cut, AKIN_E_FORMAT, "/config.json", "not valid JSON" },
    { "config array", config_array, AKIN_E_FORMAT, "/config.json", "not an object" },
    { "config empty", config_empty, AKIN_E_FORMAT, "/config.json", "not valid JSON" },
    { "config LFS", config_lfs, AKIN_E_FORMAT, "/config.json", "git lfs pull" },
    { "tokenizer LFS", tokenizer_lfs, AKIN_E_FORMAT, "/tokenizer.json", "git lfs pull" },
    { "config HTML", config_html, AKIN_E_FORMAT, "/config.json", "a web page" },
    { "dangling weights", dangling, AKIN_E_NOT_FOUND, "/model.safetensors", "a link to a file" },
    { "text tower", text_tower, AKIN_E_UNSUPPORTED, "/config.json", "one tower alone" },
    { "other model", other_model, AKIN_E_UNSUPPORTED, "/config.json", "'model_type' is 'siglip'" },
    { "no model type", no_model_type, AKIN_E_UNSUPPORTED, "/config.json",
      "'model_type' is absent" },
    { "wider", wider, AKIN_E_TENSOR_SHAPE, "/model.safetensors",
      "tensor 'vision_model.embeddings.class_embedding' has shape [36]; config.json asks for "
      "[39]" },
    { "huge", huge, AKIN_E_TENSOR_SHAPE, "/model.safetensors",
      "config.json asks for [814, 65536]" },
    { "deeper", deeper, AKIN_E_TENSOR_MISSING, "/model.safetensors",
      "tensor 'text_model.encoder.layers.2.layer_norm1.weight' is missing; expected shape [20]" },
    { "shallower", shallower, AKIN_E_TENSOR_EXTRA, "/model.safetensors",
      "text_model.encoder.layers.1." },
    { "negative", negative, AKIN_E_CONFIG, "/config.json", "'text_config.vocab_size' is -5" },
    { "unknown activation", swiglu, AKIN_E_UNSUPPORTED, "/config.json",
      "'vision_config.hidden_act' is 'swiglu'" },
    { "other patch", other_patch, AKIN_E_TENSOR_SHAPE, "/model.safetensors",
      "patch_embedding.weight" },
    { "other projection", other_projection, AKIN_E_TENSOR_SHAPE, "/model.safetensors",
      "text_projection.weight" },
    { "missing", missing, AKIN_E_TENSOR_MISSING, "/model.safetensors",
      "tensor '" FC1 "' is missing; expected shape [50, 36]" },
    { "extra", extra, AKIN_E_TENSOR_EXTRA, "/model.safetensors",
      "tensor 'vision_model.surprise' of shape [2]" },
    { "transposed", transposed, AKIN_E_TENSOR_SHAPE, "/model.safetensors",
      "tensor '" FC1 "' has shape [36, 50]; config.json asks for [50, 36]" },
    { "integers", integers, AKIN_E_TENSOR_DTYPE, "/model.safetensors",
      "tensor '" FC1 "' has type I32" },
    { "renamed", renamed, AKIN_E_TENSOR_MISSING, "/model.safetensors",
      "'vision_model.pre_layrnorm.weight'" },
    { "NaN weight", nan_weight, AKIN_E_NONFINITE, "/model.safetensors", FC1 },
    { "infinite bias", infinite_bias, AKIN_E_NONFINITE, "/model.safetensors", "k_proj.bias" },
    { "NaN token", nan_token, AKIN_E_NONFINITE, "/model.safetensors", "token_embedding.weight" },
    { "NaN scale", nan_scale, AKIN_E_NONFINITE, "/model.safetensors", "logit_scale" },
};

static bool ends_with(const char *text, const char *end)
{
    const size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        akin_model *model;
        akin_error err = { 0 };
        copy_good();
        table[i].change();
        akin_status status = akin_model_open(&model, folder, NULL, &err);
        if (status != table[i].status || (status != AKIN_OK && err.code != status))
            fail_msg("%s: %s (%s: %s), expected %s", table[i].name, akin_status_name(status),
                     err.path, err.message, akin_status_name(table[i].status));
        if (status != AKIN_OK &&
            (!ends_with(err.path, table[i].file) || strstr(err.message, table[i].message) == NULL))
            fail_msg("%s: the error is %s: %s", table[i].name, err.path, err.message);
        akin_model_close(model);
        /* What describes a model sees the same, without keeping the weights. */
        akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
        options.parts = AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS | AKIN_PART_WEIGHTS;
        assert_int_equal(akin_model_open(&model, folder, &options, &err), table[i].status);
        akin_model_close(model);
    }
}

/* Faults that only an input shows. */
static void test_disagreements(void **state)
{
    (void)state;
    akin_model *model;
    akin_session *session;
    akin_error err;
    float vector[64];
    const char *text = "a photo of a cat";
    const akin_picture_input picture = { "tests/golden/clip/pictures/wide.png", NULL, 0 };

    copy_good(); /* a tokenizer whose ids the table of embeddings does not have */
    read_entries();
    entry *e = find("text_model.embeddings.token_embedding.weight");
    json_array_set_new(e->shape, 0, json_integer(800));
    e->size = 800 * 20 * sizeof(float);
    write_entries();
    set_config("text_config", "vocab_size", json_integer(800));
    ok(akin_model_open(&model, folder, NULL, &err), &err);
    ok(akin_session_new(&session, model, NULL, &err), &err);
    assert_int_equal(akin_embed_texts(session, &text, NULL, 1, 0, vector, 64, &err),
                     AKIN_E_TOKENIZER);
    assert_non_null(strstr(err.message, "token id 812 lies past the model's vocabulary of 800"));
    akin_session_free(session);
    akin_model_close(model);

    copy_good(); /* a preprocessor that makes another size than the model takes */
    const char spec[] = "{\"size\": 40, \"crop_size\": 40}";
    write_file("preprocessor_config.json", spec, sizeof spec - 1);
    ok(akin_model_open(&model, folder, NULL, &err), &err);
    ok(akin_session_new(&session, model, NULL, &err), &err);
    assert_int_equal(akin_embed_pictures(session, &picture, 1, 0, vector, 64, NULL, &err),
                     AKIN_E_CONFIG);
    assert_non_null(strstr(err.message, "40 x 40"));
    akin_session_free(session);
    akin_model_close(model);

    copy_good(); /* a projection of zeros: a vector without direction */
    read_entries();
    e = find("text_projection.weight");
    memset(e->data, 0, e->size);
    write_entries();
    ok(akin_model_open(&model, folder, NULL, &err), &err);
    ok(akin_session_new(&session, model, NULL, &err), &err);
    ok(akin_embed_texts(session, &text, NULL, 1, AKIN_RAW, vector, 64, &err), &err);
    assert_int_equal(akin_embed_texts(session, &text, NULL, 1, 0, vector, 64, &err),
                     AKIN_E_NONFINITE);
    akin_session_free(session);
    akin_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_disagreements),
    };
    strcpy(folder, "/tmp/akin-broken-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    copy_good(); /* which removes what is in no list */
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove_file(files[i]);
    rmdir(folder);
    return failed;
}
