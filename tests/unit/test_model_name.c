/* test_model_name.c - names that people give to models, over a cache of the hub made here. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/model_name.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static char root[64]; /* of the test; the cache is root/hub */

static void make(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *c = full + strlen(root) + 1; (c = strchr(c, '/')) != NULL; c++) {
        *c = '\0';
        mkdir(full, 0777);
        *c = '/';
    }
    if (text == NULL) {
        mkdir(full, 0777);
        return;
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_repository(const char *entry, const char *file)
{
    char path[300];
    snprintf(path, sizeof path, "hub/models--%s/refs/main", entry);
    make(path, COMMIT);
    snprintf(path, sizeof path, "hub/models--%s/snapshots/" COMMIT "/%s", entry, file);
    make(path, "{}");
}

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/akin-names-XXXXXX");
    assert_non_null(mkdtemp(root));
    char path[100];
    snprintf(path, sizeof path, "%s/hub", root);
    setenv("HF_HUB_CACHE", path, 1);
    make_repository("openai--clip-vit-base-patch32", "config.json");
    make_repository("timm--vit_base_patch32_clip_224.openai", "open_clip_config.json");
    make_repository("openai--clip-vit-large-patch14", "config.json");
    make_repository("laion--CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip_config.json");
    make_repository("sentence-transformers--clip-ViT-L-14", "0_CLIPModel/config.json");
    make_repository("me--twin", "config.json");
    make_repository("you--twin", "config.json");
    make("hub/models--broken--ref/refs/main", "../../../etc");
    make("hub/models--half--done/refs/main", COMMIT);
    make("hub/models--old--one/refs/v1", "abc\n");
    make("hub/models--old--one/snapshots/abc/config.json", "{}");
    make("plain/config.json", "{}");
    make("st/0_CLIPModel/config.json", "{}");
    make("file.pt", "x");
    make(" blank /config.json", "{}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static void check(const char *name, const char *expected)
{
    char *folder, full[400];
    akin_error err;
    akin_status status = akin_model_find(&folder, name, &err);
    if (status != AKIN_OK)
        fail_msg("%s: %s: %s", name, err.path, err.message);
    snprintf(full, sizeof full, "%s/%s", root, expected);
    if (strcmp(folder, full) != 0)
        fail_msg("%s: %s instead of %s", name, folder, full);
    free(folder);
}

#define SNAPSHOT(entry) "hub/models--" entry "/snapshots/" COMMIT

static void names(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "openai/clip-vit-base-patch32", SNAPSHOT("openai--clip-vit-base-patch32") },
        { " OpenAI/CLIP-ViT-base-patch32\n", SNAPSHOT("openai--clip-vit-base-patch32") },
        { "hf-hub:openai/clip-vit-base-patch32", SNAPSHOT("openai--clip-vit-base-patch32") },
        { "clip-vit-base-patch32", SNAPSHOT("openai--clip-vit-base-patch32") },
        { "ViT-B/32", SNAPSHOT("timm--vit_base_patch32_clip_224.openai") },
        { " vit-b/32 ", SNAPSHOT("timm--vit_base_patch32_clip_224.openai") },
        { "ViT-B-32/openai", SNAPSHOT("timm--vit_base_patch32_clip_224.openai") },
        { "ViT-B-32__openai", SNAPSHOT("timm--vit_base_patch32_clip_224.openai") },
        { "ViT-B-32-quickgelu/openai", SNAPSHOT("timm--vit_base_patch32_clip_224.openai") },
        { "ViT-L/14",
          SNAPSHOT("openai--clip-vit-large-patch14") }, /* the other form is not there */
        { "ViT-B-32/laion2b_s34b_b79k", SNAPSHOT("laion--CLIP-ViT-B-32-laion2B-s34B-b79K") },
        { "vit-b-32 / LAION2B_s34b_b79k", SNAPSHOT("laion--CLIP-ViT-B-32-laion2B-s34B-b79K") },
        { "ViT-B-32 laion2b_s34b_b79k", SNAPSHOT("laion--CLIP-ViT-B-32-laion2B-s34B-b79K") },
        { "laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
          SNAPSHOT("laion--CLIP-ViT-B-32-laion2B-s34B-b79K") },
        { "sentence-transformers/clip-ViT-L-14",
          SNAPSHOT("sentence-transformers--clip-ViT-L-14") "/0_CLIPModel" },
        { "clip-vit-l-14", SNAPSHOT("sentence-transformers--clip-ViT-L-14") "/0_CLIPModel" },
        { "me/twin", SNAPSHOT("me--twin") },
        { "me/twin@" COMMIT, SNAPSHOT("me--twin") },
        { "old/one@v1", "hub/models--old--one/snapshots/abc" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(cases[i][0], cases[i][1]);
}

static void folders(void **state)
{
    (void)state;
    char name[200];
    static const char *const cases[][2] = {
        { "plain", "plain" },
        { "st", "st/0_CLIPModel" },
        { "st/0_CLIPModel", "st/0_CLIPModel" },
        { "file.pt", "file.pt" },
        { " blank ", " blank " },
        { "hub/models--me--twin", SNAPSHOT("me--twin") },
        { "hub/models--sentence-transformers--clip-ViT-L-14",
          SNAPSHOT("sentence-transformers--clip-ViT-L-14") "/0_CLIPModel" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(name, sizeof name, "%s/%s", root, cases[i][0]);
        check(name, cases[i][1]);
    }
    snprintf(name, sizeof name, "local-dir:%s/plain", root);
    check(name, "plain");
    snprintf(name, sizeof name, "  %s/plain ", root);
    check(name, "plain");
}

static void what_is_not_there(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        akin_status status;
        const char *words;
    } cases[] = {
        { "nobody/nothing", AKIN_E_NOT_FOUND, "nobody/nothing" },
        { "RN50", AKIN_E_NOT_FOUND, "timm/resnet50_clip.openai" },
        { "ViT-B-16/laion2b_s34b_b88k", AKIN_E_NOT_FOUND, "laion/CLIP-ViT-B-16-laion2B-s34B-b88K" },
        { "ViT-H-14", AKIN_E_ARGUMENT,
          "which weights? Name them behind it, as in "
          "'ViT-H-14/laion2b_s32b_b79k'" },
        { "twin", AKIN_E_ARGUMENT, "me--twin" },
        { "half/done", AKIN_E_NOT_FOUND, "without the files of revision 'main'" },
        { "broken/ref", AKIN_E_CORRUPT, "does not name a snapshot" },
        { "me/twin@v9", AKIN_E_NOT_FOUND, "revision 'v9'" },
        { "me/twin@../../x", AKIN_E_NOT_FOUND, "no such folder" },
        { "../me/twin", AKIN_E_NOT_FOUND, "no such folder" },
        { "", AKIN_E_NOT_FOUND, "no such folder" },
        { "local-dir:/nowhere", AKIN_E_NOT_FOUND, "no such folder" },
        { "a/b/c", AKIN_E_NOT_FOUND, "no such folder" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder;
        akin_error err;
        akin_status status = akin_model_find(&folder, cases[i].name, &err);
        if (status != cases[i].status || strstr(err.message, cases[i].words) == NULL)
            fail_msg("'%s': %s: %s", cases[i].name, akin_status_name(status), err.message);
        assert_null(folder);
    }
}

static void where_the_cache_is(void **state)
{
    (void)state;
    static const char *const steps[][3] = {
        { "HOME", "/home/me", "/home/me/.cache/huggingface/hub" },
        { "XDG_CACHE_HOME", "/xdg", "/xdg/huggingface/hub" },
        { "HF_HOME", "/hf", "/hf/hub" },
        { "HUGGINGFACE_HUB_CACHE", "/old", "/old" },
        { "HF_HUB_CACHE", "/new", "/new" },
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        unsetenv(steps[i][0]);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        setenv(steps[i][0], steps[i][1], 1);
        char *path = akin_hub_cache();
        assert_string_equal(path, steps[i][2]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(folders),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(where_the_cache_is),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
