/* folder.c - what belongs to a model beside its weights. */
#include "train/folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum { FILE_BYTES = 256 << 20, CONFIG_BYTES = 1 << 20 };

#define OPEN_CLIP_CONFIG "open_clip_config.json"

/* Copied when they are there. (config.json of a folder in both forms is left: its weights are.) */
static const char *const shared[] = {
    "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt",
    "special_tokens_map.json", "added_tokens.json", "LICENSE", NULL,
};
static const char *const hugging_face[] = {
    "config.json", "preprocessor_config.json", "processor_config.json", NULL,
};
static const char *const open_clip[] = { OPEN_CLIP_CONFIG, NULL };

/* Where in `text` the value of `key` begins, in the object whose '{' is at `at`; SIZE_MAX: it has
 * no such key. The text is JSON that was read before. */
static size_t member_at(const char *text, size_t size, size_t at, const char *key)
{
    const size_t length = strlen(key);
    size_t depth = 0;
    bool is_key = false; /* the next string, at depth 1 */
    for (size_t i = at; i < size; i++) {
        const char c = text[i];
        if (c == '"') {
            const size_t begin = ++i;
            while (i < size && text[i] != '"')
                i += text[i] == '\\' ? 2 : 1;
            if (!is_key || depth != 1 || i - begin != length ||
                memcmp(text + begin, key, length) != 0) {
                is_key = false;
                continue;
            }
            for (i++; i < size && strchr(": \t\r\n", text[i]) != NULL; i++)
                ;
            return i;
        }
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            break;
        if ((c == '{' || c == ',') && depth == 1)
            is_key = true;
    }
    return SIZE_MAX;
}

/* Gives model_cfg the bias that the net has. */
static akin_status add_bias(akin_buffer *config, const char *path, akin_error *err)
{
    static const char scale[] = "\"init_logit_scale\": 2.302585092994046, ";
    static const char bias[] = "\"init_logit_bias\": ";
    static const char value[] = "-10.0";
    akin_json *root = NULL;
    akin_buffer out;
    akin_status status;
    akin_buffer_init(&out, "configuration", CONFIG_BYTES);
    AKIN_TRY(akin_json_parse_object(config->data, config->size, path, &root, err));
    const akin_json *model = akin_json_get(root, "model_cfg");
    if (!akin_json_is_object(model) || akin_json_members(model) == 0) {
        status = akin_fail(err, AKIN_E_CONFIG, path, "no object 'model_cfg'");
        goto out;
    }
    if (akin_json_is_number(akin_json_get(model, "init_logit_bias")))
        goto out;
    size_t begin = strcspn(config->data, "{");
    begin = member_at(config->data, config->size, begin, "model_cfg");
    if (begin == SIZE_MAX) {
        status = akin_fail(err, AKIN_E_CONFIG, path, "'model_cfg' is written with escapes");
        goto out;
    }
    const size_t null = member_at(config->data, config->size, begin, "init_logit_bias");
    if (null != SIZE_MAX) {
        AKIN_TRY(akin_buffer_add(&out, config->data, null, err));
        AKIN_TRY(akin_buffer_add_text(&out, value, err));
        AKIN_TRY(akin_buffer_add(&out, config->data + null + 4, config->size - null - 4, err));
    } else {
        begin++;
        AKIN_TRY(akin_buffer_add(&out, config->data, begin, err));
        if (akin_json_get(model, "init_logit_scale") == NULL)
            AKIN_TRY(akin_buffer_add_text(&out, scale, err));
        AKIN_TRY(akin_buffer_add_text(&out, bias, err));
        AKIN_TRY(akin_buffer_add_text(&out, value, err));
        AKIN_TRY(akin_buffer_add_text(&out, ", ", err));
        AKIN_TRY(akin_buffer_add(&out, config->data + begin, config->size - begin, err));
    }
    akin_buffer_clear(config);
    *config = out;
    akin_buffer_init(&out, "configuration", 0);
out:
    akin_json_free(root);
    akin_buffer_clear(&out);
    return status;
}

static akin_status copy_file(const akin_net *net, const char *source, const char *folder,
                             const char *name, akin_error *err)
{
    char *from = akin_path_join(source, name), *to = akin_path_join(folder, name);
    akin_buffer bytes;
    akin_writer w = { 0 };
    akin_status status = AKIN_OK;
    akin_buffer_init(&bytes, name, FILE_BYTES);
    if (from == NULL || to == NULL) {
        status = akin_fail_nomem(err, "path", 0);
        goto out;
    }
    if (!akin_path_is_file(from))
        goto out;
    AKIN_TRY(akin_file_read(from, "file of a model", FILE_BYTES, &bytes, err));
    if (net->config.logit_bias && strcmp(name, OPEN_CLIP_CONFIG) == 0)
        AKIN_TRY(add_bias(&bytes, from, err));
    AKIN_TRY(akin_writer_open(&w, to, err));
    AKIN_TRY(akin_writer_add(&w, bytes.data, bytes.size, err));
    AKIN_TRY(akin_writer_commit(&w, err));
out:
    akin_writer_abort(&w);
    akin_buffer_clear(&bytes);
    free(from);
    free(to);
    return status;
}

akin_status akin_model_folder_write(const akin_net *net, const char *source, const char *folder,
                                    bool f16, akin_error *err)
{
    const bool hf = net->config.form == AKIN_FORM_HF;
    const char *const *own = hf ? hugging_face : open_clip;
    char *weights = NULL;
    akin_status status;
    if (net->config.bare)
        return akin_fail(err, AKIN_E_UNSUPPORTED, source,
                         "weights alone have no configuration to go with the new ones; begin from a "
                         "folder with open_clip_config.json");
    if (hf && net->config.logit_bias)
        return akin_fail(err, AKIN_E_UNSUPPORTED, source,
                         "CLIP's Hugging Face form has no logit_bias; use the InfoNCE loss, or a "
                         "model in open_clip form");
    AKIN_TRY(akin_folder_make(folder, 0777, err));
    for (const char *const *name = shared; *name != NULL; name++)
        AKIN_TRY(copy_file(net, source, folder, *name, err));
    for (const char *const *name = own; *name != NULL; name++)
        AKIN_TRY(copy_file(net, source, folder, *name, err));
    weights = akin_path_join(folder, hf ? "model.safetensors" : "open_clip_model.safetensors");
    if (weights == NULL) {
        status = akin_fail_nomem(err, "path", 0);
        goto out;
    }
    status = akin_net_write(net, weights, f16, err);
out:
    free(weights);
    return status;
}
