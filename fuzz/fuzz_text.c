/* fuzz_text.c - the bytes are a text. */
#include <stdbool.h>

#include "fuzz_text.h"

/* Opened once: the corpus is run from the root of the source tree, and so is libFuzzer. */
static akin_tokenizer *open_golden(void)
{
    akin_tokenizer *t;
    akin_error err;
    if (akin_tokenizer_open(&t, "tests/golden/clip/tiny-a", &err) != AKIN_OK) {
        fprintf(stderr, "%s: %s\n", err.path, err.message);
        abort();
    }
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static akin_tokenizer *golden;
    if (golden == NULL)
        golden = open_golden();
    check_text(golden, (const char *)data, size);
    return 0;
}
