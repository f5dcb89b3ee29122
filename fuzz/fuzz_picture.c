/* fuzz_picture.c - the bytes are a picture. Built once for each decoder: FORMAT names it. REPEATS: the
 * same bytes give the same answer each time. Not so where libheif and LibRaw decode: what a broken
 * stream lacks they leave as it was in memory. */
#include <string.h>

#include "fuzz.h"
#include "image/decode.h"
#include "image/preprocess.h"

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define DECODE JOIN(akin_, FORMAT, _decode)

enum { MEMORY = 48 << 20 };

/* All pixels are there and can be read; memory that was never written would show in the sum under
 * MemorySanitizer or valgrind. */
static unsigned sum(const akin_picture *p)
{
    unsigned total = 0;
    const size_t row = (size_t)p->width * (size_t)akin_layout_bytes(p->layout);
    for (size_t i = 0; i < row * (size_t)p->height; i++)
        total = total * 31 + p->pixels[i];
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akin_error err;
    akin_encoded from = { .data = data, .size = size, .path = "fuzz", .memory_bytes = MEMORY };
    akin_picture flat = { 0 }, stored = { 0 }, lenient = { 0 };
    akin_status status = judged(DECODE(&flat, &from, &err), &err);
    from.as_stored = true;
    akin_status other = judged(DECODE(&stored, &from, &err), &err);
    from.as_stored = false;
    from.lenient = true;
    akin_status third = judged(DECODE(&lenient, &from, &err), &err);
    if (status == AKIN_OK) {
        HOLDS(flat.width > 0 && flat.height > 0 && flat.layout == AKIN_RGB);
        HOLDS((size_t)flat.width * (size_t)flat.height <= MEMORY / 3);
        HOLDS(flat.damaged_row == 0);
        if (REPEATS)
            HOLDS(third == AKIN_OK && lenient.damaged_row == 0 && sum(&lenient) == sum(&flat));
    } else {
        HOLDS(flat.pixels == NULL);
    }
    /* What differs between the two is memory alone. */
    if (REPEATS && status != other)
        HOLDS(status == AKIN_E_LIMIT || other == AKIN_E_LIMIT);
    if (status == AKIN_OK && other == AKIN_OK) {
        HOLDS(stored.width == flat.width && stored.height == flat.height);
        if (stored.layout == AKIN_RGB || stored.layout == AKIN_RGB_NEAREST)
            sum(&stored);
        else
            HOLDS(akin_layout_bytes(stored.layout) == 4 && (sum(&stored), true));
    }
    akin_picture_clear(&flat);
    akin_picture_clear(&stored);
    akin_picture_clear(&lenient);
    return 0;
}
