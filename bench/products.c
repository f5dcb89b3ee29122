/* products.c - how fast the products of training run: GFLOP/s of the shapes of a small CLIP.
 *
 *     products [THREADS [PRECISION [SECONDS]]]     PRECISION: f32 (default) or bf16
 *
 * The best of several runs, by processor time, which other programs disturb less; AKIN_CPU chooses
 * the instruction set.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <time.h>

#include "train/conv_grad.h"
#include "train/matrix.h"

struct shape {
    const char *name;
    size_t count, side, in, out, kernel, stride;
};

static const struct shape shapes[] = {
    { "stem 3>16 s2 96", 128, 96, 3, 16, 3, 2 },
    { "3x3 16>16 48", 128, 48, 16, 16, 3, 1 },
    { "3x3 16>32 48", 128, 48, 16, 32, 3, 1 },
    { "1x1 32>32 24", 128, 24, 32, 32, 1, 1 },
    { "3x3 32>32 24", 128, 24, 32, 32, 3, 1 },
    { "1x1 32>128 24", 128, 24, 32, 128, 1, 1 },
    { "1x1 128>64 24", 128, 24, 128, 64, 1, 1 },
    { "3x3 64>64 24", 128, 24, 64, 64, 3, 1 },
    { "1x1 64>256 12", 128, 12, 64, 256, 1, 1 },
    { "1x1 128>256 12", 128, 12, 128, 256, 1, 1 },
    { "1x1 256>128 12", 128, 12, 256, 128, 1, 1 },
    { "3x3 128>128 12", 128, 12, 128, 128, 3, 1 },
    { "1x1 128>512 6", 128, 6, 128, 512, 1, 1 },
    { "1x1 512>256 6", 128, 6, 512, 256, 1, 1 },
    { "3x3 256>256 6", 128, 6, 256, 256, 3, 1 },
    { "1x1 256>1024 3", 128, 3, 256, 1024, 1, 1 },
    { "3x3 24>24 24", 128, 24, 24, 24, 3, 1 },
    { "3x3 48>48 24", 128, 24, 48, 48, 3, 1 },
    { "linear 1024>1024", 1280, 1, 1024, 1024, 1, 1 },
    { "linear 256>768", 2560, 1, 256, 768, 1, 1 },
    { "linear 256>1024", 2560, 1, 256, 1024, 1, 1 },
    { "linear 1024>256", 2560, 1, 1024, 256, 1, 1 },
    { "linear 192>768", 2560, 1, 192, 768, 1, 1 },
    { "vit 768>3072", 400, 1, 768, 3072, 1, 1 },
};

/* Of all threads: a share of them each. */
static double processor_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static float *noise(size_t n)
{
    float *x = malloc(n * sizeof *x);
    uint32_t seed = 1;
    if (x == NULL)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)seed * 0x1p-31f;
    }
    return x;
}

int main(int argc, char **argv)
{
    akin_error err = { 0 };
    akin_arena arena;
    akin_work work = { .arena = &arena, .bf16 = argc > 2 && strcmp(argv[2], "bf16") == 0 };
    const double seconds = argc > 3 ? atof(argv[3]) : 0.3;
    int threads;
    akin_arena_init(&arena);
    if (akin_kernels_choose(getenv("AKIN_CPU"), &work.kernels, &err) != AKIN_OK ||
        akin_pool_new(&work.pool, argc > 1 ? atoi(argv[1]) : 1, &err) != AKIN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    threads = akin_pool_threads(work.pool);
    printf("%s, %s, %d threads: GFLOP/s forward, gradient of input, of weights\n",
           work.kernels->name, work.bf16 ? "bf16" : "f32", threads);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const struct shape *s = &shapes[i];
        akin_filters bank = { NULL, s->in, s->out, s->kernel, s->stride };
        const size_t result = akin_filters_size(&bank, s->side);
        const size_t n = s->count * result * result, taps = s->kernel * s->kernel;
        float *w = noise(s->in * s->out * taps), *dw = noise(s->in * s->out * taps);
        float *x = noise(s->count * s->side * s->side * s->in), *y = noise(n * s->out);
        float *dx = noise(s->count * s->side * s->side * s->in), *dy = noise(n * s->out);
        double best[3] = { 1e9, 1e9, 1e9 };
        bank.w = w;
        for (int pass = 0; pass < 3; pass++) {
            const double end = processor_seconds() + seconds;
            for (double now = 0; now < end;) {
                const double start = processor_seconds();
                if (pass == 0)
                    akin_filters_forward(&work, &bank, x, s->count, s->side, s->side, y, &err);
                else
                    akin_filters_backward(&work, &bank, x, s->count, s->side, s->side, dy,
                                          pass == 1 ? dx : NULL, pass == 2 ? dw : NULL, &err);
                now = processor_seconds();
                best[pass] = now - start < best[pass] ? now - start : best[pass];
            }
        }
        const double flop = 2e-9 * (double)(n * taps * s->in * s->out);
        printf("%-18s %7.1f %7.1f %7.1f\n", s->name, flop / best[0] * threads,
               flop / best[1] * threads, flop / best[2] * threads);
        fflush(stdout);
        float *all[] = { w, dw, x, y, dx, dy };
        for (size_t j = 0; j < sizeof all / sizeof *all; j++)
            free(all[j]);
    }
    akin_pool_free(work.pool);
    akin_arena_clear(&arena);
    return 0;
}
