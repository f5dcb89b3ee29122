/* watchdog.h - notices what ruins a fine-tuning most often, and says it once.
 *
 * The loss sits at ln(batch): the towers tell nothing apart, as on the first day (openai/CLIP issues
 * 83 and 150, open_clip issue 17). Captions repeat inside a batch: each copy is a negative of the
 * others, which no training can satisfy (Chinese-CLIP issue 298).
 */
#ifndef AKIN_TRAIN_WATCHDOG_H
#define AKIN_TRAIN_WATCHDOG_H

#include "dataset/loader.h"
#include "train/loss.h"

enum { AKIN_WATCHED_STEPS = 100 };

/* Zero at first. */
typedef struct akin_watchdog {
    double sum;     /* of pair losses, of `seen` steps since the last look */
    unsigned seen;
    bool told_still, told_repeats;
} akin_watchdog;

/* After each step. warm: the rate has reached its peak. Whether there is something to say, which
 * then is in message. */
bool akin_watchdog_look(akin_watchdog *watchdog, const akin_manifest *manifest,
                        const akin_batch *batch, akin_objective objective, double pair_loss,
                        bool warm, char *message, size_t capacity);

#endif
