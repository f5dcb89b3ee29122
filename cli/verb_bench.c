/* verb_bench.c - `akin bench`: the time an item takes, warm, on inputs that are the same every
 * time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/thread.h"
#include "collection.h"
#include "output.h"
#include "run.h"
#include "verbs.h"

enum { REPEATS_LEAST = 3, REPEATS_MOST = 1000000 };
enum { ROWS_DEFAULT = 1000000, DIMENSIONS_DEFAULT = 512, TOP_DEFAULT = 10,
    TRAIN_BATCH = 128,
    TRAIN_TOKENS = 16
};
#define SECONDS_DEFAULT 3.0
#define FILE_DEFAULT_MAX ((size_t)256 << 20)

typedef struct bench_run {
    const cli_args *args;
    cli_engine engine;
    size_t batch;
    size_t tokens;                /* of a text; 0: not texts */
    float *out;                   /* vectors, or the pixels of one picture */
    size_t out_capacity;
    float *pixels;                /* image: [batch, 3, height, width] */
    char *made_text;              /* of --tokens */
    const char **texts;           /* text: [batch] */
    akin_buffer *files;           /* preprocess: [file_count] */
    size_t file_count;
    akin_search_trial *trial;     /* search over made-up vectors; */
    akin_train_trial *training;
    akin_collection *collection;  /* or over a collection, */
    double seconds_open;          /* which took this long to open */
    size_t top, rows;
    int dimensions;
    akin_stored stored;
    double *seconds;              /* [repeats] of a whole batch */
    size_t repeats;
} bench_run;

/* ---- Inputs --------------------------------------------------------------------------------- */

/* What normalised pixels look like: about normal, mean 0, deviation 1, never a run of zeros that a
 * kernel could be quicker on. The sum of four uniform numbers, from a fixed xorshift. */
static void made_up_pixels(float *pixels, size_t count)
{
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < count; i++) {
        int sum = 0;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        for (int k = 0; k < 32; k += 8)
            sum += (int)(x >> k & 255);
        pixels[i] = ((float)sum - 509.5f) / 147.8f;
    }
}

static void put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static uint32_t png_crc(const unsigned char *bytes, size_t count)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static akin_status png_chunk(akin_buffer *out, const char *type, const void *data, size_t size,
                             akin_error *err)
{
    akin_status status = AKIN_OK;
    unsigned char word[4];
    put_u32(word, (uint32_t)size);
    AKIN_TRY(akin_buffer_add(out, word, 4, err));
    size_t start = out->size;
    AKIN_TRY(akin_buffer_add(out, type, 4, err));
    AKIN_TRY(akin_buffer_add(out, data, size, err));
    put_u32(word, png_crc((const unsigned char *)out->data + start, out->size - start));
    AKIN_TRY(akin_buffer_add(out, word, 4, err));
out:
    return status;
}

/* A smooth picture of 1024x768 as a PNG with stored blocks, so that no compressor is needed. */
static akin_status made_up_png(akin_buffer *out, akin_error *err)
{
    enum { WIDTH = 1024, HEIGHT = 768, LINE = 1 + 3 * WIDTH };
    akin_status status = AKIN_OK;
    akin_buffer data;
    uint32_t a = 1, b = 0; /* Adler-32 */
    akin_buffer_init(out, "picture", (size_t)16 << 20);
    akin_buffer_init(&data, "picture", (size_t)16 << 20);
    AKIN_TRY(akin_buffer_add(&data, "\x78\x01", 2, err));
    for (unsigned y = 0; y < HEIGHT; y++) {
        unsigned char head[5] = { y + 1 == HEIGHT, LINE & 255, LINE >> 8, ~LINE & 255,
                                  ~LINE >> 8 & 255 };
        unsigned char line[LINE] = { 0 }; /* filter 0 */
        for (unsigned x = 0; x < WIDTH; x++) {
            line[1 + 3 * x] = (unsigned char)(x / 4);
            line[2 + 3 * x] = (unsigned char)(y / 3);
            line[3 + 3 * x] = (unsigned char)((x ^ y) & 255);
        }
        for (size_t i = 0; i < LINE; i++) {
            a = (a + line[i]) % 65521;
            b = (b + a) % 65521;
        }
        AKIN_TRY(akin_buffer_add(&data, head, sizeof head, err));
        AKIN_TRY(akin_buffer_add(&data, line, LINE, err));
    }
    unsigned char word[4];
    put_u32(word, b << 16 | a);
    AKIN_TRY(akin_buffer_add(&data, word, 4, err));

    unsigned char header[13] = { 0, 0, WIDTH >> 8, 0, 0, 0, HEIGHT >> 8, 0, 8, 2, 0, 0, 0 };
    AKIN_TRY(akin_buffer_add(out, "\x89PNG\r\n\x1a\n", 8, err));
    AKIN_TRY(png_chunk(out, "IHDR", header, sizeof header, err));
    AKIN_TRY(png_chunk(out, "IDAT", data.data, data.size, err));
    AKIN_TRY(png_chunk(out, "IEND", "", 0, err));
out:
    akin_buffer_clear(&data);
    return status;
}

static akin_status count_tokens(bench_run *r, const char *text, size_t *count, bool *cut,
                                akin_error *err)
{
    size_t capacity = (size_t)r->engine.info.text_tokens;
    int32_t *ids = calloc(capacity, sizeof *ids);
    if (ids == NULL)
        return akin_fail_nomem(err, "token ids", 0);
    akin_status status =
        akin_tokenize(r->engine.model, text, strlen(text), ids, capacity, count, cut, err);
    free(ids);
    return status;
}

/* "a a a ...": a word that is one token in every CLIP vocabulary, between start and end. */
static akin_status text_of_tokens(bench_run *r, size_t tokens, akin_error *err)
{
    size_t most = (size_t)r->engine.info.text_tokens, count;
    if (tokens < 2 || tokens > most)
        return akin_fail(err, AKIN_E_ARGUMENT, NULL,
                         "--tokens must be from 2 (start and end) to %zu for this model, not %zu",
                         most, tokens);
    r->made_text = malloc(2 * tokens + 1);
    if (r->made_text == NULL)
        return akin_fail_nomem(err, "text", 2 * tokens);
    for (size_t i = 0; i < tokens - 2; i++)
        memcpy(r->made_text + 2 * i, "a ", 2);
    r->made_text[2 * (tokens - 2)] = '\0';
    akin_status status = count_tokens(r, r->made_text, &count, NULL, err);
    if (status == AKIN_OK && count != tokens)
        status = akin_fail(err, AKIN_E_UNSUPPORTED, NULL,
                           "this tokenizer makes %zu tokens where %zu were wanted: use --text",
                           count, tokens);
    return status;
}

static akin_status prepare_texts(bench_run *r, akin_error *err)
{
    static const char *const standard[] = {
        "a photograph of two people walking a dog on the beach"
    };
    akin_status status = AKIN_OK;
    const char *const *from = r->args->text.count != 0 ? r->args->text.items : standard;
    size_t from_count = akin_max(r->args->text.count, 1);
    if (r->args->tokens != 0)
        AKIN_TRY(text_of_tokens(r, r->args->tokens, err));
    r->texts = calloc(r->batch, sizeof *r->texts);
    if (r->texts == NULL)
        return akin_fail_nomem(err, "texts", 0);
    for (size_t i = 0; i < r->batch; i++)
        r->texts[i] = r->made_text != NULL ? r->made_text : from[i % from_count];
    bool cut = false;
    AKIN_TRY(count_tokens(r, r->texts[0], &r->tokens, &cut, err));
    if (cut)
        cli_warn(r->args, "the text is cut to %zu tokens, all the model takes", r->tokens);
out:
    return status;
}

static akin_status prepare_files(bench_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    size_t max = r->args->max_file != 0 ? r->args->max_file : FILE_DEFAULT_MAX;
    r->file_count = akin_max(r->args->files.count, 1);
    r->files = calloc(r->file_count, sizeof *r->files);
    if (r->files == NULL)
        return akin_fail_nomem(err, "pictures", 0);
    if (r->args->files.count == 0)
        return made_up_png(&r->files[0], err);
    for (size_t i = 0; i < r->file_count; i++)
        AKIN_TRY(akin_file_read(r->args->files.items[i], "picture", max, &r->files[i], err));
out:
    return status;
}

static akin_status prepare_trial(bench_run *r, akin_error *err)
{
    akin_search_trial_options options = AKIN_SEARCH_TRIAL_OPTIONS_INIT;
    options.rows = r->rows;
    options.dimensions = r->dimensions;
    options.stored = r->stored;
    options.threads = r->engine.threads;
    return akin_search_trial_new(&r->trial, &options, err);
}

static akin_status prepare_training(bench_run *r, akin_error *err)
{
    const cli_args *args = r->args;
    akin_train_trial_options options = AKIN_TRAIN_TRIAL_OPTIONS_INIT;
    options.batch = r->batch;
    options.chunk = args->chunk;
    options.tokens = r->tokens = args->tokens != 0 ? args->tokens : TRAIN_TOKENS;
    options.threads = r->engine.threads;
    options.precision = args->precision == NULL || strcmp(args->precision, "auto") == 0
                            ? AKIN_PRECISION_AUTO
                        : strcmp(args->precision, "bf16") == 0 ? AKIN_PRECISION_BF16
                                                               : AKIN_PRECISION_F32;
    akin_status status = akin_train_trial_new(&r->training, r->engine.model, &options, err);
    if (status == AKIN_OK)
        r->engine.info.precision = akin_train_trial_precision(r->training);
    return status;
}

static akin_status prepare(bench_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    if (r->collection != NULL)
        return prepare_texts(r, err);
    if (strcmp(r->args->what, "train") == 0)
        return prepare_training(r, err);
    if (strcmp(r->args->what, "search") == 0)
        return prepare_trial(r, err);
    const akin_model_info *info = &r->engine.info;
    size_t picture = 3 * (size_t)info->image_height * (size_t)info->image_width, count;
    r->out_capacity = r->batch * (size_t)info->dimensions;
    if (strcmp(r->args->what, "image") == 0) {
        if (!akin_mul(r->batch, picture, &count))
            return akin_fail(err, AKIN_E_ARGUMENT, NULL, "--batch is too large");
        r->pixels = calloc(count, sizeof *r->pixels);
        if (r->pixels == NULL)
            return akin_fail_nomem(err, "pixels", count * sizeof *r->pixels);
        made_up_pixels(r->pixels, count);
    } else if (strcmp(r->args->what, "text") == 0) {
        AKIN_TRY(prepare_texts(r, err));
    } else {
        AKIN_TRY(prepare_files(r, err));
        r->out_capacity = picture;
    }
    r->out = calloc(r->out_capacity, sizeof *r->out);
    if (r->out == NULL)
        status = akin_fail_nomem(err, "results", r->out_capacity * sizeof *r->out);
out:
    return status;
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static akin_status run_searches(bench_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    for (size_t i = 0; i < r->batch && status == AKIN_OK; i++) {
        if (r->trial != NULL) {
            status = akin_search_trial_run(r->trial, r->top, NULL, err);
            continue;
        }
        akin_query query = AKIN_QUERY_INIT;
        akin_hits *hits = NULL;
        query.text = r->texts[i];
        query.k = r->top;
        status = akin_search(r->collection, r->engine.session, &query, &hits, err);
        akin_hits_free(hits);
    }
    return status;
}

static akin_status run_batch(bench_run *r, akin_error *err)
{
    if (r->trial != NULL || r->collection != NULL)
        return run_searches(r, err);
    if (r->training != NULL)
        return akin_train_trial_run(r->training, NULL, err);
    if (r->pixels != NULL)
        return akin_embed_pixels(r->engine.session, r->pixels, r->batch, 0, r->out, r->out_capacity,
                                 err);
    if (r->texts != NULL)
        return akin_embed_texts(r->engine.session, r->texts, NULL, r->batch, 0, r->out,
                                r->out_capacity, err);
    for (size_t i = 0; i < r->batch; i++) {
        const akin_buffer *file = &r->files[i % r->file_count];
        const char *path =
            r->args->files.count != 0 ? r->args->files.items[i % r->file_count] : NULL;
        akin_picture_input picture = { path, file->data, file->size };
        int height, width;
        akin_status status = akin_preprocess_picture(r->engine.session, &picture, r->out,
                                                     r->out_capacity, &height, &width, err);
        if (status != AKIN_OK)
            return status;
    }
    return AKIN_OK;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Stops after --repeat runs, or after --seconds; with neither, after SECONDS_DEFAULT and at least
 * REPEATS_LEAST runs. */
static akin_status measure(bench_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    size_t capacity = 0, least = r->args->repeat != 0 ? 1 : REPEATS_LEAST;
    size_t most = r->args->repeat != 0 ? r->args->repeat : REPEATS_MOST;
    double limit = r->args->seconds > 0   ? r->args->seconds
                   : r->args->repeat != 0 ? 0
                                          : SECONDS_DEFAULT;
    AKIN_TRY(run_batch(r, err)); /* caches, pages and threads are warm after it */
    double start = akin_clock();
    while (r->repeats < most && cli_signal() == 0) {
        if (r->repeats >= least && limit > 0 && akin_clock() - start >= limit)
            break;
        double *more = akin_grow(r->seconds, &capacity, r->repeats + 1, sizeof *r->seconds);
        if (more == NULL)
            return akin_fail_nomem(err, "times", 0);
        r->seconds = more;
        double before = akin_clock();
        AKIN_TRY(run_batch(r, err));
        r->seconds[r->repeats++] = akin_clock() - before;
    }
    qsort(r->seconds, r->repeats, sizeof *r->seconds, by_value);
out:
    return status;
}

static const char *stored_name(const bench_run *r)
{
    return r->stored == AKIN_STORED_F32 ? "f32" : "f16";
}

static void print_searched(const bench_run *r, FILE *out)
{
    const size_t each = r->stored == AKIN_STORED_F32 ? 4 : 2;
    fprintf(out, ",\"rows\":%zu,\"dimensions\":%d,\"stored\":\"%s\",\"bytes\":%zu,\"top\":%zu",
            r->rows, r->dimensions, stored_name(r), r->rows * (size_t)r->dimensions * each, r->top);
    if (r->collection != NULL) {
        fputs(",\"seconds_open\":", out);
        out_json_double(out, r->seconds_open);
    }
}

static akin_status print_result(const bench_run *r, akin_error *err)
{
    akin_status status = AKIN_OK;
    out_sink out;
    const char *what = r->args->what;
    const akin_model_info *info = &r->engine.info;
    size_t n = r->repeats;
    double median = (r->seconds[(n - 1) / 2] + r->seconds[n / 2]) / 2 / (double)r->batch;
    double least = r->seconds[0] / (double)r->batch;
    AKIN_TRY(out_open(&out, NULL, err));
    if (r->args->json) {
        fprintf(out.stream, "{\"what\":\"%s\",\"seconds_per_item\":", what);
        out_json_double(out.stream, median);
        fputs(",\"seconds_per_item_min\":", out.stream);
        out_json_double(out.stream, least);
        fprintf(out.stream, ",\"items\":%zu,\"batch\":%zu,\"repeats\":%zu,\"threads\":%d",
                n * r->batch, r->batch, n, r->engine.threads);
        if (r->tokens != 0)
            fprintf(out.stream, ",\"tokens\":%zu", r->tokens);
        fputs(",\"isa\":", out.stream);
        out_json_text(out.stream, info->isa, strlen(info->isa));
        fputs(",\"precision\":", out.stream);
        out_json_text(out.stream, info->precision, strlen(info->precision));
        if (r->rows != 0 || r->collection != NULL)
            print_searched(r, out.stream);
        fputs("}\n", out.stream);
    } else {
        fprintf(
            out.stream,
            "%s: %.3f ms an item (least %.3f), %zu items in batches of %zu, %d thread%s, %s, %s",
            what, median * 1e3, least * 1e3, n * r->batch, r->batch, r->engine.threads,
            r->engine.threads == 1 ? "" : "s", info->isa, info->precision);
        if (r->tokens != 0)
            fprintf(out.stream, ", %zu tokens", r->tokens);
        if (r->rows != 0 || r->collection != NULL)
            fprintf(out.stream, ", %zu rows of %d %s", r->rows, r->dimensions, stored_name(r));
        putc('\n', out.stream);
    }
    AKIN_TRY(out_commit(&out, err));
out:
    return status;
}

static int check_usage(const cli_args *args)
{
    if (args->what == NULL)
        return cli_usage_error(
            args,
            "say what to measure: --what image, --what text, --what preprocess, --what search or "
            "--what train");
    bool text = strcmp(args->what, "text") == 0, search = strcmp(args->what, "search") == 0;
    bool train = strcmp(args->what, "train") == 0;
    bool collection = args->db != NULL || args->collection != NULL;
    bool made_up = args->rows != 0 || args->dimensions != 0 || args->stored != NULL;
    if (!search && (collection || made_up || args->k != 0))
        return cli_usage_error(args, "--rows, --dimensions, --stored, --top, --db and --collection "
                                     "are for --what search");
    if (collection && made_up)
        return cli_usage_error(args, "--rows, --dimensions and --stored are of made-up vectors: "
                                     "leave out --db and --collection");
    if (search && !collection && args->text.count != 0)
        return cli_usage_error(args, "made-up vectors are searched for made-up queries: --text "
                                     "goes with --db or --collection");
    if (!text && !train && args->tokens != 0)
        return cli_usage_error(args, "--tokens is for --what text and --what train");
    if (!train && args->chunk != 0)
        return cli_usage_error(args, "--chunk is for --what train");
    if (!text && !search && args->text.count != 0)
        return cli_usage_error(args, "--text is for --what text and --what search");
    if (args->text.count != 0 && args->tokens != 0)
        return cli_usage_error(args, "give --text or --tokens, not both");
    if (strcmp(args->what, "preprocess") != 0 && args->files.count != 0)
        return cli_usage_error(args, "files are for --what preprocess");
    return CLI_DONE;
}

/* Made-up vectors need no model: only what the engine would say of itself. */
static akin_status made_up_engine(bench_run *r, akin_error *err)
{
    const cli_args *args = r->args;
    r->engine.info = (akin_model_info)AKIN_MODEL_INFO_INIT;
    r->engine.info.precision = "f32";
    r->engine.threads = args->threads != 0 ? (int)args->threads : akin_cpu_count();
    r->rows = args->rows != 0 ? args->rows : ROWS_DEFAULT;
    r->dimensions = args->dimensions != 0 ? (int)args->dimensions : DIMENSIONS_DEFAULT;
    r->stored = args->stored != NULL && strcmp(args->stored, "f32") == 0 ? AKIN_STORED_F32
                                                                         : AKIN_STORED_F16;
    return akin_isa(&r->engine.info.isa, err);
}

/* Opens the collection and its model. Returns CLI_DONE, or the status of an error it has told. */
static int open_collection(bench_run *r)
{
    akin_error err = { 0 };
    akin_collection_info info = AKIN_COLLECTION_INFO_INIT;
    cli_place place;
    int exit_status = cli_place_find(&place, r->args, false);
    if (exit_status != CLI_DONE)
        return exit_status;
    double before = akin_clock();
    exit_status = cli_collection_open(&r->collection, &place, r->args, false, false);
    if (exit_status != CLI_DONE)
        return exit_status;
    r->seconds_open = akin_clock() - before;
    if (akin_collection_describe(r->collection, &info, &err) != AKIN_OK)
        return cli_report(r->args, &err);
    r->rows = info.vectors;
    r->dimensions = info.dimensions;
    r->stored = info.stored;
    return cli_collection_engine(&r->engine, r->collection, r->args, AKIN_PART_TEXT);
}

int cli_bench(const cli_args *args)
{
    int exit_status = check_usage(args);
    if (exit_status != CLI_DONE)
        return exit_status;
    akin_error err = { 0 };
    bench_run r = { .args = args,
                    .batch = args->batch != 0                     ? args->batch
                             : strcmp(args->what, "train") == 0 ? TRAIN_BATCH
                                                                : 1,
                    .top = args->k != 0 ? args->k : TOP_DEFAULT };
    unsigned parts = strcmp(args->what, "train") == 0  ? AKIN_PART_TOKENIZER
                     : strcmp(args->what, "image") == 0 ? AKIN_PART_IMAGE
                     : strcmp(args->what, "text") == 0 ? AKIN_PART_TEXT
                                                       : AKIN_PART_PREPROCESS;
    akin_status status = AKIN_OK;
    if (strcmp(args->what, "search") != 0)
        exit_status = cli_engine_open(&r.engine, args, parts);
    else if (args->db != NULL || args->collection != NULL)
        exit_status = open_collection(&r);
    else
        AKIN_TRY(made_up_engine(&r, &err));
    if (exit_status != CLI_DONE)
        goto out;
    AKIN_TRY(prepare(&r, &err));
    AKIN_TRY(measure(&r, &err));
    if (r.repeats != 0)
        AKIN_TRY(print_result(&r, &err));
    if (cli_signal() != 0)
        exit_status = 128 + cli_signal();
out:
    if (status != AKIN_OK)
        exit_status = cli_report(args, &err);
    for (size_t i = 0; r.files != NULL && i < r.file_count; i++)
        akin_buffer_clear(&r.files[i]);
    free(r.files);
    free(r.texts);
    free(r.made_text);
    free(r.pixels);
    free(r.out);
    free(r.seconds);
    akin_search_trial_free(r.trial);
    akin_train_trial_free(r.training);
    akin_collection_close(r.collection);
    cli_engine_close(&r.engine);
    return exit_status;
}
