/* test_api.c - akin.h as a program uses it: what may be NULL, what is refused, and two threads with
 * a session each over one model. The numbers are in test_clip.c. */
#include "unit.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "akin.h"

#define MODEL "tests/golden/clip/tiny-a"
#define PICTURE "tests/golden/clip/pictures/photo.jpg"
enum { DIMS = 19, SIDE = 30, TOKENS = 77, PIXELS = 3 * SIDE * SIDE };

static akin_model *open_model(unsigned parts)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_model *model;
    options.parts = parts;
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_OK);
    return model;
}

static akin_session *open_session(const akin_model *model)
{
    akin_session *session;
    assert_int_equal(akin_session_new(&session, model, NULL, NULL), AKIN_OK);
    return session;
}

static void nothing_is_freed(void **state)
{
    (void)state;
    akin_model_close(NULL);
    akin_session_free(NULL);
}

static void options_are_checked(void **state)
{
    (void)state;
    akin_error err;
    akin_model *model = (akin_model *)state;
    akin_session *session = (akin_session *)state;
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;

    options.size = 0;
    assert_int_equal(akin_model_open(&model, MODEL, &options, &err), AKIN_E_ARGUMENT);
    assert_null(model);
    assert_non_null(strstr(err.message, "akin_model_options.size is 0"));
    options.size = sizeof options + 1;
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_E_ARGUMENT);
    options.size = offsetof(akin_model_options, parts); /* an older program: the rest is default */
    options.parts = 0x1000;
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_OK);
    akin_model_close(model);
    options.size = sizeof options;
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_E_ARGUMENT);
    options = (akin_model_options)AKIN_MODEL_OPTIONS_INIT;
    options.precision = (akin_precision)9;
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_E_ARGUMENT);
    options.precision = AKIN_PRECISION_AUTO;
    options.form = "gguf";
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_E_ARGUMENT);
    options.form = NULL;
    options.threads = -1;
    assert_int_equal(akin_model_open(&model, MODEL, &options, NULL), AKIN_E_ARGUMENT);
    assert_int_equal(akin_model_open(&model, "", NULL, &err), AKIN_E_NOT_FOUND);
    assert_null(model);

    model = open_model(AKIN_PART_ALL);
    akin_session_options own = AKIN_SESSION_OPTIONS_INIT;
    own.size = 1;
    assert_int_equal(akin_session_new(&session, model, &own, &err), AKIN_E_ARGUMENT);
    assert_null(session);
    own.size = sizeof own;
    own.threads = -1;
    assert_int_equal(akin_session_new(&session, model, &own, &err), AKIN_E_ARGUMENT);
    assert_null(session);
    akin_model_close(model);
}

static void info_keeps_an_older_struct(void **state)
{
    (void)state;
    akin_model *model = open_model(AKIN_PART_TOKENIZER);
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    assert_int_equal(akin_model_describe(model, &info, NULL), AKIN_OK);
    assert_int_equal(info.size, sizeof info);
    assert_int_equal(info.dimensions, DIMS);
    assert_int_equal(info.text_tokens, TOKENS);
    assert_string_equal(info.weights, "");
    assert_true(info.logit_scale == 0 && info.parameters == 0);
    info = (akin_model_info)AKIN_MODEL_INFO_INIT;
    info.size = offsetof(akin_model_info, vocabulary);
    info.vocabulary = -7;
    assert_int_equal(akin_model_describe(model, &info, NULL), AKIN_OK);
    assert_int_equal(info.text_tokens, TOKENS);
    assert_int_equal(info.vocabulary, -7);
    info.size = 0;
    assert_int_equal(akin_model_describe(model, &info, NULL), AKIN_E_ARGUMENT);
    akin_model_close(model);
}

static void parts_that_are_not_there(void **state)
{
    (void)state;
    akin_error err;
    float row[DIMS], pixels[PIXELS] = { 0 };
    int32_t ids[TOKENS];
    size_t count;
    int height, width;
    const char *texts[] = { "a cat" }, *templates[] = { "{}" };
    akin_picture_input picture = { .path = PICTURE };

    akin_model *model = open_model(AKIN_PART_TEXT);
    akin_session *session = open_session(model);
    assert_int_equal(akin_embed_texts(session, texts, NULL, 1, 0, row, DIMS, &err), AKIN_OK);
    assert_int_equal(akin_embed_pictures(session, &picture, 1, 0, row, DIMS, NULL, &err),
                     AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "AKIN_PART_IMAGE"));
    assert_int_equal(akin_embed_pixels(session, pixels, 1, 0, row, DIMS, NULL), AKIN_E_ARGUMENT);
    assert_int_equal(
        akin_preprocess_picture(session, &picture, pixels, PIXELS, &height, &width, NULL),
        AKIN_E_ARGUMENT);
    akin_session_free(session);
    akin_model_close(model);

    model = open_model(AKIN_PART_IMAGE);
    session = open_session(model);
    assert_int_equal(akin_embed_pictures(session, &picture, 1, 0, row, DIMS, NULL, NULL), AKIN_OK);
    assert_int_equal(akin_embed_texts(session, texts, NULL, 1, 0, row, DIMS, &err),
                     AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "AKIN_PART_TEXT"));
    assert_int_equal(akin_embed_labels(session, texts, 1, templates, 1, row, DIMS, NULL),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_tokenize(model, "a", 1, ids, TOKENS, &count, NULL, NULL),
                     AKIN_E_ARGUMENT);
    akin_session_free(session);
    akin_model_close(model);

    model = open_model(AKIN_PART_PREPROCESS);
    assert_int_equal(akin_classify(model, row, row, 1, row, 1, NULL), AKIN_E_ARGUMENT);
    akin_model_close(model);
}

static void nothing_to_do(void **state)
{
    (void)state;
    akin_model *model = open_model(AKIN_PART_ALL);
    akin_session *session = open_session(model);
    const char *const *templates;
    size_t count;
    assert_int_equal(akin_templates("simple", &templates, &count, NULL), AKIN_OK);
    assert_int_equal(akin_embed_texts(session, NULL, NULL, 0, 0, NULL, 0, NULL), AKIN_OK);
    assert_int_equal(akin_embed_pictures(session, NULL, 0, 0, NULL, 0, NULL, NULL), AKIN_OK);
    assert_int_equal(akin_embed_pixels(session, NULL, 0, 0, NULL, 0, NULL), AKIN_OK);
    assert_int_equal(akin_embed_labels(session, NULL, 0, templates, count, NULL, 0, NULL), AKIN_OK);
    float row[DIMS] = { 1 };
    assert_int_equal(akin_classify(model, row, NULL, 0, NULL, 0, NULL), AKIN_OK);
    akin_session_free(session);
    akin_model_close(model);
}

static void capacity_is_respected(void **state)
{
    (void)state;
    akin_error err;
    akin_model *model = open_model(AKIN_PART_ALL);
    akin_session *session = open_session(model);
    float rows[2 * DIMS], small[4] = { 5, 5, 5, 5 }, pixels[PIXELS];
    int32_t ids[TOKENS] = { -1 };
    size_t count = 9;
    bool cut;
    int height = 0, width = 0;
    const char *texts[] = { "a cat", "a dog" }, *templates[] = { "{}" },
               *unfilled[] = { "a photo" };
    akin_picture_input pictures[] = { { .path = PICTURE }, { .path = PICTURE } };

    assert_int_equal(akin_embed_texts(session, texts, NULL, 2, 0, rows, 2 * DIMS - 1, &err),
                     AKIN_E_CAPACITY);
    assert_int_equal(akin_embed_texts(session, texts, NULL, SIZE_MAX / 2, 0, rows, 2 * DIMS, &err),
                     AKIN_E_CAPACITY);
    assert_int_equal(akin_embed_pictures(session, pictures, 2, 0, rows, DIMS, NULL, &err),
                     AKIN_E_CAPACITY);
    assert_int_equal(akin_embed_labels(session, texts, 2, templates, 1, rows, DIMS, &err),
                     AKIN_E_CAPACITY);
    assert_int_equal(akin_embed_labels(session, texts, 2, templates, 0, rows, 2 * DIMS, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_embed_labels(session, texts, 2, unfilled, 1, rows, 2 * DIMS, &err),
                     AKIN_E_ARGUMENT);
    assert_int_equal(akin_embed_labels(session, texts, 2, templates, 1, rows, 2 * DIMS, &err),
                     AKIN_OK);
    assert_int_equal(akin_classify(model, rows, rows, 2, small, 1, &err), AKIN_E_CAPACITY);
    assert_int_equal(akin_classify(model, rows, rows, 2, small, 2, &err), AKIN_OK);
    assert_true(small[0] > small[1] && fabsf(small[0] + small[1] - 1) < 1e-6f && small[2] == 5);

    assert_int_equal(
        akin_preprocess_picture(session, pictures, small + 2, 1, &height, &width, &err),
        AKIN_E_CAPACITY);
    assert_true(height == SIDE && width == SIDE && small[3] == 5);
    assert_int_equal(
        akin_preprocess_picture(session, pictures, pixels, PIXELS, &height, &width, &err), AKIN_OK);
    assert_int_equal(akin_embed_pixels(session, pixels, 1, 0, rows, DIMS - 1, &err),
                     AKIN_E_CAPACITY);
    assert_int_equal(akin_embed_pixels(session, pixels, 1, 0, rows, DIMS, &err), AKIN_OK);
    assert_int_equal(akin_embed_pictures(session, pictures, 1, 0, rows + DIMS, DIMS, NULL, &err),
                     AKIN_OK);
    assert_memory_equal(rows, rows + DIMS, DIMS * sizeof *rows);

    assert_int_equal(akin_tokenize(model, "a", 1, ids, TOKENS - 1, &count, &cut, &err),
                     AKIN_E_CAPACITY);
    assert_int_equal(akin_tokenize(model, "a", 1, ids, TOKENS, &count, NULL, NULL), AKIN_OK);
    assert_int_equal(count, 3);
    akin_session_free(session);
    akin_model_close(model);
}

static void count_warning(void *context, const char *message)
{
    assert_non_null(strstr(message, "77 tokens"));
    ++*(int *)context;
}

static void sizes_and_warnings(void **state)
{
    (void)state;
    akin_model *model = open_model(AKIN_PART_TEXT);
    akin_session *session;
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    int warnings = 0;
    options.warn = count_warning;
    options.warn_context = &warnings;
    assert_int_equal(akin_session_new(&session, model, &options, NULL), AKIN_OK);
    float rows[3 * DIMS];
    enum { LONG = 1 << 20 };
    char *text = malloc(LONG); /* not terminated */
    assert_non_null(text);
    memset(text, 'x', LONG);
    const char *texts[] = { "a catalogue", "a cat", text };
    const size_t sizes[] = { 5, 5, LONG };
    assert_int_equal(akin_embed_texts(session, texts, sizes, 3, 0, rows, 3 * DIMS, NULL), AKIN_OK);
    assert_memory_equal(rows, rows + DIMS, DIMS * sizeof *rows);
    assert_int_equal(warnings, 1);
    free(text);
    akin_session_free(session);
    akin_model_close(model);
}

static void pictures_fail_alone(void **state)
{
    (void)state;
    akin_error err, errors[4];
    akin_model *model = open_model(AKIN_PART_IMAGE);
    akin_session *session = open_session(model);
    akin_picture_input pictures[] = { { .path = PICTURE },
                                      { .path = "tests/golden/none.jpg" },
                                      { .path = "memory", .bytes = "no picture", .size = 10 },
                                      { .path = PICTURE } };
    float rows[4 * DIMS];
    assert_int_equal(akin_embed_pictures(session, pictures, 4, 0, rows, 4 * DIMS, errors, &err),
                     AKIN_OK);
    assert_int_equal(errors[0].code, AKIN_OK);
    assert_int_equal(errors[1].code, AKIN_E_NOT_FOUND);
    assert_int_equal(errors[2].code, AKIN_E_FORMAT);
    assert_string_equal(errors[2].path, "memory");
    assert_int_equal(errors[3].code, AKIN_OK);
    assert_memory_equal(rows, rows + 3 * DIMS, DIMS * sizeof *rows);
    for (int i = DIMS; i < 3 * DIMS; i++)
        assert_true(rows[i] == 0);
    assert_int_equal(akin_embed_pictures(session, pictures, 4, 0, rows, 4 * DIMS, NULL, &err),
                     AKIN_E_NOT_FOUND);
    assert_string_equal(err.path, "tests/golden/none.jpg");
    assert_int_equal(akin_embed_pictures(session, pictures, 4, 0, rows, 4 * DIMS, NULL, NULL),
                     AKIN_E_NOT_FOUND);
    assert_int_equal(akin_embed_pictures(session, pictures, 4, 0, rows, 4 * DIMS, errors, NULL),
                     AKIN_OK);
    akin_session_free(session);
    akin_model_close(model);
}

static void keep_warning(void *context, const char *message)
{
    snprintf(context, 256, "%s", message);
}

/* A lenient session takes a JPEG that was cut late, and says so: in its own error, or to warn. */
static void damaged_pictures_are_told(void **state)
{
    (void)state;
    FILE *f = fopen("tests/golden/pictures/jpeg-444.jpg", "rb");
    assert_non_null(f);
    char bytes[4600], warning[256] = "";
    assert_int_equal(fread(bytes, 1, sizeof bytes, f), sizeof bytes);
    fclose(f);
    akin_error err, errors[3];
    akin_model *model = open_model(AKIN_PART_IMAGE);
    akin_session *session;
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    options.warn = keep_warning;
    options.warn_context = warning;
    akin_picture_input pictures[] = { { .path = PICTURE },
                                      { .path = "cut", .bytes = bytes, .size = sizeof bytes },
                                      { .path = "cut", .bytes = bytes, .size = 2000 } };
    float rows[3 * DIMS], pixels[PIXELS];
    int height, width;
    assert_int_equal(akin_session_new(&session, model, &options, NULL), AKIN_OK);
    assert_int_equal(akin_embed_pictures(session, pictures, 2, 0, rows, 2 * DIMS, NULL, &err),
                     AKIN_E_TRUNCATED);
    akin_session_free(session);

    options.lenient = true;
    options.size = offsetof(akin_session_options, lenient); /* from an older header: not seen */
    assert_int_equal(akin_session_new(&session, model, &options, NULL), AKIN_OK);
    assert_int_equal(akin_embed_pictures(session, pictures, 2, 0, rows, 2 * DIMS, NULL, &err),
                     AKIN_E_TRUNCATED);
    akin_session_free(session);

    options.size = sizeof options;
    assert_int_equal(akin_session_new(&session, model, &options, NULL), AKIN_OK);
    memset(errors, 'x', sizeof errors);
    assert_int_equal(akin_embed_pictures(session, pictures, 3, 0, rows, 3 * DIMS, errors, &err),
                     AKIN_OK);
    assert_int_equal(errors[0].code, AKIN_OK);
    assert_string_equal(errors[0].message, "");
    assert_int_equal(errors[1].code, AKIN_OK);
    assert_string_equal(errors[1].message, "JPEG ends at row 72 of 93: the rest is made up");
    assert_string_equal(errors[1].path, "cut");
    assert_int_equal(errors[2].code, AKIN_E_TRUNCATED);
    assert_string_equal(warning, "");
    assert_int_equal(akin_embed_pictures(session, pictures, 2, 0, rows, 2 * DIMS, NULL, &err),
                     AKIN_OK);
    assert_string_equal(warning, "cut: JPEG ends at row 72 of 93: the rest is made up");
    warning[0] = '\0';
    assert_int_equal(akin_preprocess_picture(session, &pictures[1], pixels, PIXELS, &height, &width,
                                             &err),
                     AKIN_OK);
    assert_string_equal(warning, "cut: JPEG ends at row 72 of 93: the rest is made up");
    assert_int_equal(akin_preprocess_picture(session, &pictures[2], pixels, PIXELS, &height, &width,
                                             &err),
                     AKIN_E_TRUNCATED);
    assert_string_equal(err.path, "cut");
    akin_session_free(session);
    akin_model_close(model);
}

/* ---- Two sessions over one model ------------------------------------------------------------ */

enum { ROUNDS = 10 };

typedef struct worker {
    const akin_model *model;
    float rows[3 * DIMS];
    bool good;
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    akin_session *session;
    akin_session_options options = AKIN_SESSION_OPTIONS_INIT;
    options.threads = 2;
    w->good = akin_session_new(&session, w->model, &options, NULL) == AKIN_OK;
    const char *texts[] = { "a cat", "a photo of a dog" };
    akin_picture_input picture = { .path = PICTURE };
    for (int i = 0; i < ROUNDS && w->good; i++) {
        float again[3 * DIMS], probability[2];
        int32_t ids[TOKENS];
        size_t count;
        w->good =
            akin_embed_texts(session, texts, NULL, 2, 0, again, 2 * DIMS, NULL) == AKIN_OK &&
            akin_embed_pictures(session, &picture, 1, 0, again + 2 * DIMS, DIMS, NULL, NULL) ==
                AKIN_OK &&
            akin_tokenize(w->model, "a cat", 5, ids, TOKENS, &count, NULL, NULL) == AKIN_OK &&
            akin_classify(w->model, again + 2 * DIMS, again, 2, probability, 2, NULL) == AKIN_OK &&
            (i == 0 || memcmp(again, w->rows, sizeof again) == 0);
        memcpy(w->rows, again, sizeof again);
    }
    akin_session_free(session);
    return NULL;
}

static void two_threads_share_a_model(void **state)
{
    (void)state;
    akin_model *model = open_model(AKIN_PART_ALL);
    worker workers[2] = { { .model = model }, { .model = model } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(workers[0].good && workers[1].good);
    assert_memory_equal(workers[0].rows, workers[1].rows, sizeof workers[0].rows);
    akin_model_close(model);
}

static void names_are_found(void **state)
{
    (void)state;
    akin_error err;
    const char *name = NULL;
    const char *const *templates;
    size_t count;
    assert_int_equal(akin_isa(&name, NULL), AKIN_OK);
    assert_non_null(name);
    assert_int_equal(akin_templates("openai-80", &templates, &count, NULL), AKIN_OK);
    assert_int_equal(count, 80);
    assert_int_equal(akin_templates("mine", &templates, &count, &err), AKIN_E_ARGUMENT);
    assert_non_null(strstr(err.message, "openai-7"));
    assert_string_equal(akin_status_name(AKIN_E_NOT_FOUND), "not-found");
    assert_non_null(akin_status_name((akin_status)12345));
}

static void a_search_can_be_timed(void **state)
{
    (void)state;
    static const struct {
        size_t rows;
        int dimensions;
        akin_stored stored;
    } sizes[] = { { 0, 7, AKIN_STORED_F32 },      { 1, 1, AKIN_STORED_F16 },
                  { 5, 512, AKIN_STORED_F32 },    { 3000, 33, AKIN_STORED_F16 },
                  { 3000, 33, AKIN_STORED_F32 }, { 3000, 33, (akin_stored)0 } };
    akin_search_trial_options options = AKIN_SEARCH_TRIAL_OPTIONS_INIT;
    akin_search_trial *trial;
    akin_error err;
    size_t found;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        options.rows = sizes[i].rows;
        options.dimensions = sizes[i].dimensions;
        options.stored = sizes[i].stored;
        options.threads = 1 + (int)i % 3;
        assert_int_equal(akin_search_trial_new(&trial, &options, &err), AKIN_OK);
        for (size_t k = 0; k <= 10; k += 5) {
            assert_int_equal(akin_search_trial_run(trial, k, &found, &err), AKIN_OK);
            assert_int_equal(found, k < sizes[i].rows ? k : sizes[i].rows);
        }
        akin_search_trial_free(trial);
    }
    akin_search_trial_free(NULL);
    options.dimensions = 0;
    assert_int_equal(akin_search_trial_new(&trial, &options, &err), AKIN_E_ARGUMENT);
    options.dimensions = 512;
    options.rows = SIZE_MAX / 512;
    assert_int_equal(akin_search_trial_new(&trial, &options, &err), AKIN_E_NOMEM);
    options.rows = (size_t)1 << 40; /* can be counted, but is not there */
    assert_int_equal(akin_search_trial_new(&trial, &options, &err), AKIN_E_NOMEM);
    assert_null(trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_freed),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(info_keeps_an_older_struct),
        cmocka_unit_test(parts_that_are_not_there),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(capacity_is_respected),
        cmocka_unit_test(sizes_and_warnings),
        cmocka_unit_test(pictures_fail_alone),
        cmocka_unit_test(damaged_pictures_are_told),
        cmocka_unit_test(two_threads_share_a_model),
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(a_search_can_be_timed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
