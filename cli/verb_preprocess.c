/* verb_preprocess.c - `akin preprocess`: the pixels the model really sees of a picture. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

int cli_preprocess(const cli_args *args)
{
    if (args->files.count != 1)
        return cli_usage_error(args, "give one picture, not %zu", args->files.count);
    if (args->output == NULL)
        return cli_usage_error(args, "give the file to write: -o OUT.npy");

    akin_error err = { 0 };
    akin_status status = AKIN_OK;
    cli_engine engine;
    out_npy npy = { 0 };
    float *pixels = NULL;
    int exit_status = cli_engine_open(&engine, args, AKIN_PART_PREPROCESS);
    if (exit_status != CLI_DONE)
        goto close;
    akin_picture_input picture = { .path = args->files.items[0] };
    int height = engine.info.image_height, width = engine.info.image_width;
    for (int attempt = 0; attempt < 2; attempt++) { /* the first may only learn the size */
        const size_t capacity = 3 * (size_t)height * (size_t)width;
        free(pixels);
        pixels = calloc(capacity, sizeof *pixels);
        if (pixels == NULL) {
            status = akin_fail_nomem(&err, "pixels", capacity * sizeof *pixels);
            goto out;
        }
        status = akin_preprocess_picture(engine.session, &picture, pixels, capacity, &height,
                                         &width, &err);
        if (status != AKIN_E_CAPACITY)
            break;
    }
    if (status != AKIN_OK)
        goto out;
    size_t shape[3] = { 3, (size_t)height, (size_t)width };
    AKIN_TRY(out_npy_open(&npy, args->output, &err));
    AKIN_TRY(out_npy_add(&npy, pixels, 3 * shape[1] * shape[2], &err));
    AKIN_TRY(out_npy_commit(&npy, shape, 3, &err));
    if (args->json) {
        out_sink out;
        AKIN_TRY(out_open(&out, NULL, &err));
        putc('{', out.stream);
        out_json_name(out.stream, "path", picture.path, strlen(picture.path));
        putc(',', out.stream);
        out_json_name(out.stream, "output", args->output, strlen(args->output));
        fprintf(out.stream, ",\"shape\":[3,%d,%d]}\n", height, width);
        AKIN_TRY(out_commit(&out, &err));
    }
out:
    if (status != AKIN_OK) {
        cli_report(args, &err);
        exit_status = CLI_FAILED; /* also for AKIN_E_ARGUMENT: it is the picture that is wrong */
    }
close:
    out_npy_abort(&npy);
    free(pixels);
    cli_engine_close(&engine);
    return exit_status;
}
