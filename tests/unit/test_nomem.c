/* test_nomem.c - memory that runs out at the Nth request, for every N of opening a model and
 * embedding texts and pictures with it: an error is returned and nothing leaks. An N whose failure
 * changes nothing (a smaller copy that could have been made) must give the same vectors. */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "akin.h"
#include "failing_malloc.h"

enum {
    EVERY = 2000, /* each N up to here is tried, */
    STEP = 97,    /* then every 97th */
    FLOATS = 4096
};

/* A name; and for weights alone, which are only opened, their activation. */
struct named_model {
    const char *name, *activation;
};
static const struct named_model *opened;
static const char *const pictures[] = { "tests/golden/clip/pictures/photo.jpg",
                                        "tests/golden/pictures/exif-6.png" };
enum { PICTURES = sizeof pictures / sizeof *pictures };

/* Everything a program does with a model, once. Vectors go to out. */
static akin_status whole_run(float out[FLOATS], akin_error *err)
{
    akin_model_options options = AKIN_MODEL_OPTIONS_INIT;
    akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
    akin_model_info info = AKIN_MODEL_INFO_INIT;
    akin_model *model = NULL;
    akin_session *session = NULL;
    const char *const texts[] = { "a photo of a cat", "Zwei Hunde &amp; ein Ca\xc3\xb1on" };
    akin_picture_input inputs[PICTURES] = { 0 };
    const char *const *templates;
    size_t template_count;
    akin_status status;
    if (opened->activation != NULL) {
        options.activation = opened->activation;
        options.parts = AKIN_PART_PREPROCESS | AKIN_PART_WEIGHTS;
    }
    options.threads = session_options.threads = 1; /* requests in the same order every time */
    for (size_t i = 0; i < PICTURES; i++)
        inputs[i].path = pictures[i];
    memset(out, 0, FLOATS * sizeof *out);
    if ((status = akin_model_open(&model, opened->name, &options, err)) != AKIN_OK ||
        (status = akin_model_describe(model, &info, err)) != AKIN_OK ||
        opened->activation != NULL ||
        (status = akin_session_new(&session, model, &session_options, err)) != AKIN_OK)
        goto out;
    const size_t d = (size_t)info.dimensions;
    assert_true(d * (2 + PICTURES + 2) <= FLOATS);
    if ((status = akin_embed_texts(session, texts, NULL, 2, 0, out, 2 * d, err)) != AKIN_OK ||
        (status = akin_embed_pictures(session, inputs, PICTURES, 0, out + 2 * d, PICTURES * d,
                                      NULL, err)) != AKIN_OK ||
        (status = akin_templates("simple", &templates, &template_count, err)) != AKIN_OK ||
        (status = akin_embed_labels(session, texts, 2, templates, template_count,
                                    out + (2 + PICTURES) * d, 2 * d, err)) != AKIN_OK)
        goto out;
out:
    akin_session_free(session);
    akin_model_close(model);
    return status;
}

static void every_request(void **state)
{
    static float expected[FLOATS], got[FLOATS];
    akin_error err = { 0 };
    opened = *state;
    for (int i = 0; i < 2; i++) { /* what the C library keeps for good is there after the first */
        failing_malloc_arm(0);
        const akin_status status = whole_run(expected, &err);
        if (status != AKIN_OK)
            fail_msg("%s: %s", err.path, err.message);
    }
    const size_t total = failing_malloc_requests();
    size_t tried = 0, harmless = 0;
    for (size_t n = 1; n <= total; n += n < EVERY ? 1 : STEP, tried++) {
        const size_t before = failing_malloc_live();
        memset(&err, 0, sizeof err);
        failing_malloc_arm(n);
        const akin_status status = whole_run(got, &err);
        const bool fired = failing_malloc_fired();
        failing_malloc_arm(0);
        const size_t after = failing_malloc_live();
        if (!fired)
            fail_msg("request %zu of %zu was not made", n, total);
        if (after != before)
            fail_msg("request %zu of %zu: %zd blocks leaked", n, total, (ssize_t)(after - before));
        if (status == AKIN_OK) {
            harmless++;
            if (memcmp(got, expected, sizeof got) != 0)
                fail_msg("request %zu of %zu: no error, and other vectors", n, total);
        } else if (err.code != status || err.message[0] == '\0') {
            fail_msg("request %zu of %zu: status %d without a message", n, total, (int)status);
        } else if (status != AKIN_E_NOMEM) {
            fprintf(stderr, "request %zu of %zu: \"%s\" in the place of out of memory\n", n, total,
                     err.message);
        }
    }
    print_message("# %s: %zu requests, %zu of them failed in turn, %zu without consequence\n",
                  opened->name, total, tried, harmless);
}

int main(void)
{
    static struct named_model hugging_face = { "local-dir:tests/golden/clip/tiny-a", NULL };
    static struct named_model bare = { "tests/golden/open_clip/bare-resnet/RN.pth", "quick_gelu" };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_request, &hugging_face),
        cmocka_unit_test_prestate(every_request, &bare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
