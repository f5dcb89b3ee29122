/* tokenizer_files.h - a model folder while its tokenizer is read: tokenizer_load.c opens the files,
 * special_tokens.c makes the table of added tokens of them, and either tokenizer_load.c (CLIP) or
 * tokenizer_json.c (the rest) the pipeline. */
#ifndef AKIN_TEXT_TOKENIZER_FILES_H
#define AKIN_TEXT_TOKENIZER_FILES_H

#include "base/json.h"
#include "tokenizer_parts.h"

/* The classes of transformers whose reading of a folder is known here. */
typedef enum akin_tokenizer_class {
    AKIN_CLASS_FILE,    /* TokenizersBackend: tokenizer.json as it is */
    AKIN_CLASS_CLIP,    /* the others take vocabulary, merges, added tokens and (but for CLIP) the
                           post-processor from the files, and build everything else themselves */
    AKIN_CLASS_GPT2,
    AKIN_CLASS_ROBERTA,
    AKIN_CLASS_QWEN2
} akin_tokenizer_class;

/* A named token: bos_token, image_token, ... */
struct akin_named {
    const char *key; /* borrowed from its JSON or static */
    akin_added_token token;
    int64_t id;     /* of a listed one: orders them, no more */
    int normalized; /* -1: the file does not say; then special tokens are not */
    bool is_string;
    bool standard; /* one of the seven names that every tokenizer may have */
    bool from_file;
};

/* Tokens in the order in which they will be added. */
struct akin_token_list {
    struct akin_named *items;
    size_t count, capacity;
};

typedef struct akin_loader {
    akin_tokenizer *t;
    akin_error *err;
    akin_tokenizer_class class;
    const char *folder;
    char *config_path, *map_path, *added_path, *tokenizer_path, *vocab_path, *merges_path;
    akin_json *config, *map, *added, *tokenizer; /* NULL when the file is not there */
    akin_json *vocab;               /* vocab.json; read when there is no tokenizer.json */
    akin_buffer text;               /* of tokenizer.json */
    struct akin_token_list in_file; /* AKIN_CLASS_FILE: tokenizer.json's, in the file's order */
    struct akin_token_list listed;  /* added tokens, by id */
    struct akin_token_list named;
    struct akin_token_list extra;
    bool extra_is_late; /* read from where added_tokens.json does not look */
} akin_loader;

/* Opens every file of the folder but the merges; `l` zeroed. The caller clears l, after an error
 * too. */
akin_status akin_loader_open(akin_loader *l, akin_tokenizer *t, const char *folder,
                             akin_error *err);
void akin_loader_clear(akin_loader *l);

/* Reads model.vocab and model.merges of tokenizer.json into l->t->bpe. `unknown` as for
 * akin_bpe_seal; `options` may be NULL. */
akin_status akin_loader_read_model(akin_loader *l, const akin_bpe_options *options,
                                   const char *unknown);

/* The named tokens, over the defaults of l->class, and further special ones. */
akin_status akin_loader_read_special(akin_loader *l);

/* Sides, model_max_length and so on. */
akin_status akin_loader_read_options(akin_loader *l);

/* Makes l->t->added of all of them, once l->t->bpe is there; and sets the ids of start, end, pad
 * and separator (-1 where there is none) and the size. */
akin_status akin_loader_build_added(akin_loader *l, akin_normalizer *normalize,
                                    const void *context);

/* A named token, NULL when it is not set. */
const akin_added_token *akin_loader_named(const akin_loader *l, const char *key);

/* Small questions to a JSON object. */
const char *akin_type_of(const akin_json *part); /* "type", for messages too */
bool akin_type_is(const akin_json *part, const char *type);
bool akin_text_is(const akin_json *object, const char *field, const char *value);
bool akin_field_absent(const akin_json *object, const char *field); /* or null */
akin_status akin_loader_refuse(akin_loader *l, const char *path, const char *what);

#endif
