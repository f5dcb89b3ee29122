/* fuzz_text.c - the bytes are a text. */
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "fuzz_text.h"
#include "text/clean.h"

static void opened(akin_status status, const akin_error *err)
{
    if (status == AKIN_OK)
        return;
    fprintf(stderr, "%s: %s\n", err->path, err->message);
    abort();
}

/* Cleaning gives UTF-8 again, and gives it twice the same. */
static void check_clean(akin_clean how, const char *text, size_t size)
{
    akin_buffer out, again;
    akin_error err;
    akin_buffer_init(&out, "text", (size_t)1 << 26);
    akin_buffer_init(&again, "text", (size_t)1 << 26);
    if (judged(akin_text_clean(how, text, size, &out, &err), &err) == AKIN_OK) {
        HOLDS(akin_utf8_valid(out.data, out.size, NULL));
        HOLDS(akin_text_clean(how, text, size, &again, &err) == AKIN_OK);
        HOLDS(again.size == out.size);
        HOLDS(out.size == 0 || memcmp(again.data, out.data, out.size) == 0);
    }
    akin_buffer_clear(&out);
    akin_buffer_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Opened once. Run from the root of the source tree, by tests and by tools/fuzz. */
    static akin_tokenizer *tokenizers[3];
    const char *text = (const char *)data;
    akin_error err;
    if (tokenizers[0] == NULL) {
        opened(akin_tokenizer_open(&tokenizers[0], "tests/golden/clip/tiny-a", &err), &err);
        opened(akin_tokenizer_open_simple(&tokenizers[1], AKIN_CLEAN_LOWER, &err), &err);
        opened(akin_tokenizer_open_json(&tokenizers[2], "tests/golden/open_clip/oc-h",
                                        AKIN_CLEAN_WHITESPACE, false, &err),
               &err);
    }
    for (int i = 0; i < 3; i++)
        check_text(tokenizers[i], text, size);
    for (int how = AKIN_CLEAN_WHITESPACE; how <= AKIN_CLEAN_CANONICALIZE; how++)
        check_clean((akin_clean)how, text, size);
    return 0;
}
