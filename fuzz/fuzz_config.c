/* fuzz_config.c - the bytes are the configuration files of a model folder. */
#include <string.h>

#include "fuzz.h"
#include "image/preprocess.h"
#include "models/clip_config.h"

static const char *const names[] = { "config.json", "preprocessor_config.json",
                                     "processor_config.json", "open_clip_config.json" };

/* Whatever a specification says, what it makes of a picture has the shape that it says. */
static void check_preprocess(const akin_preprocess *spec)
{
    static const int sizes[][2] = { { 1, 1 }, { 5, 9 }, { 40, 31 }, { 1, 3000 } };
    static uint8_t pixels[4 * 3000];
    static float out[3 * 128 * 128];
    const akin_picture_options small = { .file_bytes = 1 << 20, .memory_bytes = 1 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        akin_error err;
        int height = 0, width = 0;
        akin_picture picture = { .height = sizes[i][0], .width = sizes[i][1], .pixels = pixels };
        if (spec->open_clip)
            picture.layout = (akin_layout)(i % 4);
        akin_preprocess_shape(spec, picture.height, picture.width, &height, &width);
        HOLDS(height > 0 && width > 0);
        akin_status status = judged(akin_preprocess_run(spec, &picture, &small, out,
                                                        sizeof out / sizeof *out, &err),
                                    &err);
        if (status == AKIN_OK)
            HOLDS((size_t)height * (size_t)width * 3 <= sizeof out / sizeof *out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *folder = fuzz_folder(data, size, names, sizeof names / sizeof *names);
    akin_error err;
    akin_clip_config config;
    akin_preprocess spec;
    if (judged(akin_clip_config_read(&config, folder, &err), &err) == AKIN_OK) {
        HOLDS(config.dimensions > 0 && config.vocabulary > 0 && config.text_tokens >= 2);
        HOLDS(config.text.heads > 0 && config.text.width % config.text.heads == 0);
    }
    if (judged(akin_preprocess_open(&spec, folder, &err), &err) == AKIN_OK)
        check_preprocess(&spec);
    if (judged(akin_open_clip_config_read(&config, folder, &err), &err) == AKIN_OK) {
        HOLDS(config.dimensions > 0 && config.vocabulary > 0 && config.text_tokens >= 1);
        HOLDS(config.text.heads > 0 && config.text.width % config.text.heads == 0);
        HOLDS(config.image_height > 0 && config.image_width > 0);
    }
    if (judged(akin_preprocess_open_clip(&spec, folder, 20, 24, &err), &err) == AKIN_OK)
        check_preprocess(&spec);
    return 0;
}
