/* verb_model.c - `akin model info`: what a checkpoint is. */
#include <string.h>

#include "base/error.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

/* One list for the table and for JSON; every field of akin_model_info is in it. */
typedef enum field_kind { FIELD_TEXT, FIELD_PATH, FIELD_INT, FIELD_COUNT, FIELD_NUMBER } field_kind;

static const struct field {
    const char *key, *title;
    field_kind kind;
    size_t offset;
} fields[] = {
#define FIELD(name, title, kind) { #name, title, kind, offsetof(akin_model_info, name) }
    FIELD(family, "family", FIELD_TEXT),
    FIELD(form, "form", FIELD_TEXT),
    FIELD(path, "path", FIELD_PATH),
    FIELD(weights, "weights", FIELD_PATH),
    FIELD(parameters, "parameters", FIELD_COUNT),
    FIELD(isa, "instruction set", FIELD_TEXT),
    FIELD(precision, "precision", FIELD_TEXT),
    FIELD(dimensions, "dimensions", FIELD_INT),
    FIELD(image_height, "image height", FIELD_INT),
    FIELD(image_width, "image width", FIELD_INT),
    FIELD(patch, "patch", FIELD_INT),
    FIELD(vision, "vision", FIELD_TEXT),
    FIELD(vision_width, "vision width", FIELD_INT),
    FIELD(vision_layers, "vision layers", FIELD_INT),
    FIELD(vision_heads, "vision heads", FIELD_INT),
    FIELD(vision_hidden, "vision hidden", FIELD_INT),
    FIELD(text_tokens, "text tokens", FIELD_INT),
    FIELD(vocabulary, "vocabulary", FIELD_INT),
    FIELD(tokenizer, "tokenizer", FIELD_TEXT),
    FIELD(text_width, "text width", FIELD_INT),
    FIELD(text_layers, "text layers", FIELD_INT),
    FIELD(text_heads, "text heads", FIELD_INT),
    FIELD(text_hidden, "text hidden", FIELD_INT),
    FIELD(activation, "activation", FIELD_TEXT),
    FIELD(pooling, "pooling", FIELD_TEXT),
    FIELD(logit_scale, "logit scale", FIELD_NUMBER),
    FIELD(logit_bias, "logit bias", FIELD_NUMBER),
#undef FIELD
};

static void print_field(FILE *out, const struct field *f, const akin_model_info *info, bool json)
{
    const void *at = (const char *)info + f->offset;
    if (f->kind == FIELD_TEXT || f->kind == FIELD_PATH) {
        const char *text = *(const char *const *)at;
        if (text == NULL)
            text = "";
        if (json)
            out_json_name(out, f->key, text, strlen(text));
        else
            out_escaped(out, text, strlen(text));
        return;
    }
    if (json)
        fprintf(out, "\"%s\":", f->key);
    if (f->kind == FIELD_INT)
        fprintf(out, "%d", *(const int *)at);
    else if (f->kind == FIELD_COUNT)
        fprintf(out, "%lld", (long long)*(const int64_t *)at);
    else if (json)
        out_json_double(out, *(const double *)at);
    else
        fprintf(out, "%.6g", *(const double *)at);
}

int cli_model(const cli_args *args)
{
    if (args->files.count == 0 || strcmp(args->files.items[0], "info") != 0)
        return cli_usage_error(args, "akin model knows: info [M]");
    if (args->files.count > 2)
        return cli_usage_error(args, "akin model info takes one model");
    cli_args own = *args;
    if (args->files.count == 2)
        own.model = args->files.items[1];

    akin_error err = { 0 };
    akin_status status = AKIN_OK;
    cli_engine engine;
    out_sink out;
    int exit_status = cli_engine_open(
        &engine, &own, AKIN_PART_TOKENIZER | AKIN_PART_PREPROCESS | AKIN_PART_WEIGHTS);
    if (exit_status != CLI_DONE)
        goto close;
    AKIN_TRY(out_open(&out, NULL, &err));
    if (args->json)
        putc('{', out.stream);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (args->json && i != 0)
            putc(',', out.stream);
        if (!args->json)
            fprintf(out.stream, "%-16s ", fields[i].title);
        print_field(out.stream, &fields[i], &engine.info, args->json);
        if (!args->json)
            putc('\n', out.stream);
    }
    if (args->json)
        fputs("}\n", out.stream);
    AKIN_TRY(out_commit(&out, &err));
out:
    if (status != AKIN_OK)
        exit_status = cli_report(args, &err);
close:
    cli_engine_close(&engine);
    return exit_status;
}
