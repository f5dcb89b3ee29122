/* watchdog.c - a loss that sits still, captions that repeat. */
#include "train/watchdog.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"

/* A caption of one concept twice in a batch is expected (its pairs are no negatives of each other):
 * only equal captions of different concepts count. */
struct caption {
    const char *text;
    uint32_t concept;
};

static int compare_captions(const void *a, const void *b)
{
    const struct caption *x = a, *y = b;
    const int order = strcmp(x->text, y->text);
    return order != 0 ? order : (x->concept > y->concept) - (x->concept < y->concept);
}

/* The largest number of different concepts with one caption, which is *text. 1 when memory runs
 * out: it is a hint only. */
static size_t most_repeated(const akin_manifest *manifest, const akin_batch *batch,
                            const char **text)
{
    struct caption *all = malloc(akin_max(batch->count, 1) * sizeof *all);
    size_t most = 1;
    if (all == NULL)
        return most;
    for (size_t i = 0; i < batch->count; i++)
        all[i] = (struct caption){ manifest->texts[batch->pairs[i].text].text,
                                   batch->concepts[i] };
    qsort(all, batch->count, sizeof *all, compare_captions);
    for (size_t i = 1, run = 1; i < batch->count; i++) {
        if (strcmp(all[i].text, all[i - 1].text) != 0)
            run = 1;
        else if (all[i].concept != all[i - 1].concept)
            run++;
        if (run > most) {
            most = run;
            *text = all[i].text;
        }
    }
    free(all);
    return most;
}

/* Whether the mean loss of the last steps is that of guessing. */
static bool sits_still(akin_watchdog *w, size_t batch, double pair_loss)
{
    w->sum += pair_loss;
    if (++w->seen < AKIN_WATCHED_STEPS)
        return false;
    const double mean = w->sum / w->seen;
    w->sum = 0.0;
    w->seen = 0;
    return fabs(mean - log((double)batch)) < 0.01 * log((double)batch);
}

bool akin_watchdog_look(akin_watchdog *w, const akin_manifest *manifest, const akin_batch *batch,
                        akin_objective objective, double pair_loss, bool warm, char *message,
                        size_t capacity)
{
    const char *text = "";
    if (!w->told_repeats) {
        const size_t most = most_repeated(manifest, batch, &text);
        /* Two of a batch happen by chance in honest data; a twentieth of it does not. */
        if (most >= akin_max(3, batch->count / 20)) {
            w->told_repeats = true;
            snprintf(message, capacity,
                     "%zu of %zu pairs of a batch have the caption \"%.80s\": to the loss each is "
                     "a wrong answer for the others; give them one concept in the manifest, or "
                     "captions of their own",
                     most, batch->count, text);
            return true;
        }
    }
    if (objective == AKIN_OBJECTIVE_INFONCE && warm && !w->told_still &&
        sits_still(w, batch->count, pair_loss)) {
        w->told_still = true;
        snprintf(message, capacity,
                 "the loss sits at ln(%zu) = %.2f, which is guessing: nothing is learnt; a lower "
                 "--rate, a longer --warmup, or texts that belong to their pictures",
                 batch->count, log((double)batch->count));
        return true;
    }
    return false;
}
