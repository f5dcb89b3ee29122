/* test_sampler.c - batches: how often each picture and text comes, concepts once a batch, stages,
 * and that a batch depends on seed and step alone. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataset/sampler.h"
#include "folder.h"

static char folder[512];

static int begin(void **state)
{
    (void)state;
    return folder_make(folder, sizeof folder, "sampler");
}

static int end(void **state)
{
    (void)state;
    return folder_remove(folder);
}

static akin_manifest *opened(const char *text)
{
    char path[1024];
    akin_manifest *m;
    akin_error err;
    snprintf(path, sizeof path, "%s/m.tsv", folder);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    if (akin_manifest_open(&m, path, &err) != AKIN_OK)
        fail_msg("%s", err.message);
    return m;
}

static akin_sampler *sampler_of(const akin_manifest *m, uint64_t seed, bool by_concept)
{
    akin_sampler *s;
    akin_error err;
    if (akin_sampler_new(&s, m, seed, by_concept, &err) != AKIN_OK)
        fail_msg("%s", err.message);
    return s;
}

/* Pearson's sum over the counts, for `draws` expected by weight. */
static double misfit(const size_t *counts, const double *weights, size_t n, size_t draws)
{
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        total += weights[i];
    for (size_t i = 0; i < n; i++) {
        const double expected = (double)draws * weights[i] / total;
        if (expected == 0)
            assert_int_equal(counts[i], 0);
        else
            sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    }
    return sum;
}

/* Seven pictures, one without weight and one without text; three texts of the first concept. */
static const char weighted[] = "path\ttext\tconcept\tweight\n"
                               "a\tA\tx\t1\nb\tB\ty\t2\nc\tC\tz\t0.5\nd\tD\tu\t4\ne\tE\tv\t8\n"
                               "f\tF\tw\t0\ng\t\tnone\t9\n\tA2\tx\t3\n\tA3\tx\t0\n"
                               "h\t\tx\t2.5\n";

static void test_weights(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    akin_manifest *m = opened(weighted);
    akin_sampler *s = sampler_of(m, 1, false);
    assert_int_equal(akin_sampler_pictures(s, 0), 6);
    static const double pictures[8] = { 1, 2, 0.5, 4, 8, 0, 0, 2.5 };
    static const double texts[3] = { 1, 3, 0 };
    size_t of_picture[8] = { 0 }, of_text[3] = { 0 }, x = 0;
    akin_pair pairs[100];
    for (uint64_t step = 0; step < DRAWS / 100; step++) {
        akin_sampler_batch(s, step, 0, pairs, 100);
        for (int i = 0; i < 100; i++) {
            const akin_manifest_picture *p = &m->pictures[pairs[i].picture];
            assert_int_equal(m->texts[pairs[i].text].concept, p->concept);
            of_picture[pairs[i].picture]++;
            if (p->concept == 0) {
                const uint32_t t = pairs[i].text;
                of_text[t == 0 ? 0 : t - 5]++; /* texts 0, 6 and 7 */
                x++;
            }
        }
    }
    /* 5 and 1 degrees of freedom: above these once in ten million. */
    assert_true(misfit(of_picture, pictures, 8, DRAWS) < 42);
    assert_true(misfit(of_text, texts, 3, x) < 29);
    akin_sampler_free(s);
    akin_manifest_close(m);
}

static akin_manifest *many_concepts(int concepts, int each)
{
    char *text = malloc((size_t)concepts * (size_t)each * 40 + 64), *at = text;
    at += sprintf(at, "path\ttext\tconcept\tweight\n");
    for (int i = 0; i < concepts * each; i++)
        at += sprintf(at, "%d\tt\tc%d\t%d\n", i, i % concepts, 1 + i % 5);
    akin_manifest *m = opened(text);
    free(text);
    return m;
}

static void test_once_a_batch(void **state)
{
    (void)state;
    enum { CONCEPTS = 300, BATCH = 128 };
    akin_manifest *m = many_concepts(CONCEPTS, 4);
    akin_sampler *s = sampler_of(m, 7, true), *free_one = sampler_of(m, 7, false);
    akin_pair pairs[BATCH];
    size_t repeats = 0;
    for (uint64_t step = 0; step < 200; step++) {
        bool seen[CONCEPTS] = { false };
        akin_sampler_batch(s, step, 0, pairs, BATCH);
        for (int i = 0; i < BATCH; i++) {
            const uint32_t c = m->pictures[pairs[i].picture].concept;
            assert_false(seen[c]);
            seen[c] = true;
        }
        memset(seen, 0, sizeof seen);
        akin_sampler_batch(free_one, step, 0, pairs, BATCH);
        for (int i = 0; i < BATCH; i++) {
            const uint32_t c = m->pictures[pairs[i].picture].concept;
            repeats += seen[c];
            seen[c] = true;
        }
    }
    assert_true(repeats > 1000);
    akin_sampler_free(s);
    akin_sampler_free(free_one);
    akin_manifest_close(m);
}

/* More places than concepts: first each once, then freely; and all of it in time. (The last one of
 * them may be too rare to be found.) */
static void test_too_few_concepts(void **state)
{
    (void)state;
    enum { CONCEPTS = 10, BATCH = 4096 };
    akin_manifest *m = many_concepts(CONCEPTS, 4);
    akin_sampler *s = sampler_of(m, 3, true);
    akin_pair *pairs = malloc(BATCH * sizeof *pairs);
    for (uint64_t step = 0; step < 20; step++) {
        size_t counts[CONCEPTS] = { 0 };
        akin_sampler_batch(s, step, 0, pairs, BATCH);
        for (int i = 0; i < BATCH; i++) {
            const uint32_t c = m->pictures[pairs[i].picture].concept;
            counts[c]++;
            assert_true(i >= CONCEPTS / 2 || counts[c] == 1);
        }
        for (int c = 0; c < CONCEPTS; c++)
            assert_true(counts[c] > BATCH / CONCEPTS / 6);
    }
    free(pairs);
    akin_sampler_free(s);
    akin_manifest_close(m);
}

static void test_function_of_step(void **state)
{
    (void)state;
    akin_manifest *m = many_concepts(500, 3);
    akin_sampler *a = sampler_of(m, 11, true), *b = sampler_of(m, 11, true);
    akin_sampler *other = sampler_of(m, 12, true);
    akin_pair one[64], two[64], longer[96];
    for (uint64_t step = 0; step < 50; step++) {
        akin_sampler_batch(a, step, 0, one, 64);
        akin_sampler_batch(b, 49 - step, 0, two, 64); /* in another order */
        akin_sampler_batch(b, step, 0, two, 64);
        assert_memory_equal(one, two, sizeof one);
        akin_sampler_batch(b, step, 0, longer, 96); /* a longer batch begins with the shorter one */
        assert_memory_equal(one, longer, sizeof one);
        akin_sampler_batch(b, step + 1, 0, two, 64);
        assert_memory_not_equal(one, two, sizeof one);
        akin_sampler_batch(other, step, 0, two, 64);
        assert_memory_not_equal(one, two, sizeof one);
    }
    akin_sampler_free(a);
    akin_sampler_free(b);
    akin_sampler_free(other);
    akin_manifest_close(m);
}

static void test_stages(void **state)
{
    (void)state;
    akin_manifest *m = opened("path\ttext\tstage\n"
                              "c\tC\t3\na\tA\t1\nb\tB\t3\nd\tD\t1\ne\tE\t5\n");
    akin_sampler *s = sampler_of(m, 1, false);
    assert_int_equal(akin_sampler_pictures(s, 0), 2); /* nothing yet: the first that has some */
    assert_int_equal(akin_sampler_pictures(s, 1), 2);
    assert_int_equal(akin_sampler_pictures(s, 2), 2);
    assert_int_equal(akin_sampler_pictures(s, 3), 4);
    assert_int_equal(akin_sampler_pictures(s, 4), 4);
    assert_int_equal(akin_sampler_pictures(s, 5), 5);
    assert_int_equal(akin_sampler_pictures(s, UINT16_MAX), 5);
    akin_pair pairs[256];
    for (unsigned stage = 0; stage <= 6; stage++) {
        size_t seen[5] = { 0 };
        akin_sampler_batch(s, 0, stage, pairs, 256);
        for (int i = 0; i < 256; i++) {
            const akin_manifest_picture *p = &m->pictures[pairs[i].picture];
            assert_true(p->stage <= stage || (stage == 0 && p->stage == 1));
            seen[pairs[i].picture]++;
        }
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(seen[i] != 0, m->pictures[i].stage <= stage ||
                                               (stage == 0 && m->pictures[i].stage == 1));
    }
    akin_sampler_free(s);
    akin_manifest_close(m);
}

/* Texts wait for their stage too, in whatever order they come; where a concept has none yet, its
 * first ones do. */
static void test_text_stages(void **state)
{
    (void)state;
    akin_manifest *m = opened("path\ttext\tconcept\tstage\n"
                              "a\t\tx\t0\n\tlate\tx\t2\n\tnow\tx\t0\n\tthen\tx\t1\n"
                              "b\t\ty\t0\n\tlast\ty\t7\n\tonly\ty\t4\n");
    akin_sampler *s = sampler_of(m, 1, false);
    static const unsigned stages[] = { 0, 1, 2, 3, 4, 6, 7, UINT16_MAX };
    for (size_t k = 0; k < sizeof stages / sizeof *stages; k++) {
        akin_pair pairs[512];
        bool seen[5] = { false };
        akin_sampler_batch(s, k, stages[k], pairs, 512);
        for (int i = 0; i < 512; i++)
            seen[pairs[i].text] = true;
        for (size_t i = 0; i < m->text_count; i++) {
            const akin_manifest_text *t = &m->texts[i];
            assert_int_equal(seen[i], t->stage <= stages[k] || strcmp(t->text, "only") == 0);
        }
    }
    akin_sampler_free(s);
    akin_manifest_close(m);
}

static void test_nothing_to_draw(void **state)
{
    (void)state;
    static const char *const none[] = { "text\nonly\n", "path\nonly\n",
                                        "path\ttext\tweight\na\tb\t0\n",
                                        "path\ttext\tconcept\tweight\na\t\tx\t1\n\tb\tx\t0\n" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        akin_manifest *m = opened(none[i]);
        akin_sampler *s;
        akin_error err;
        assert_int_equal(akin_sampler_new(&s, m, 1, true, &err), AKIN_E_FORMAT);
        assert_null(s);
        assert_non_null(strstr(err.message, "no picture with a text"));
        akin_manifest_close(m);
    }
    akin_sampler_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weights),          cmocka_unit_test(test_once_a_batch),
        cmocka_unit_test(test_too_few_concepts), cmocka_unit_test(test_function_of_step),
        cmocka_unit_test(test_stages),           cmocka_unit_test(test_text_stages),
        cmocka_unit_test(test_nothing_to_draw),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
