/* fuzz_tokenizer.c - the bytes are the tokenizer files of a model folder. */
#include <string.h>

#include "fuzz_text.h"

static const char *const names[] = {
    "tokenizer.json",          "tokenizer_config.json", "vocab.json", "merges.txt",
    "special_tokens_map.json", "added_tokens.json",     "config.json"
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const texts[] = { "", "a photo of a cat", " Hello  WORLD 12 <|endoftext|>!",
                                         "\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x99\x82" };
    const char *folder = fuzz_folder(data, size, names, sizeof names / sizeof *names);
    akin_error err;
    for (int kind = 0; kind < 3; kind++) {
        akin_tokenizer *t;
        akin_status status =
            kind == 0 ? akin_tokenizer_open(&t, folder, &err)
                      : akin_tokenizer_open_json(&t, folder,
                                                 kind == 1 ? AKIN_CLEAN_NONE : AKIN_CLEAN_LOWER,
                                                 kind == 2, &err);
        if (judged(status, &err) == AKIN_OK)
            for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                check_text(t, texts[i], strlen(texts[i]));
        akin_tokenizer_close(t);
    }
    return 0;
}
