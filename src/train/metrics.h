/* metrics.h - what each step was like, as JSON lines in OUTPUT/metrics.jsonl (docs/training.md). */
#ifndef AKIN_TRAIN_METRICS_H
#define AKIN_TRAIN_METRICS_H

#include "train/trainer.h"

typedef struct akin_metrics akin_metrics;

/* Begins the file, or goes on with it behind the line of `step` (0: anew): later lines, of steps
 * that will be made again, are dropped. */
akin_status akin_metrics_open(akin_metrics **out, const char *folder, uint64_t step,
                              akin_error *err);
akin_status akin_metrics_add(akin_metrics *metrics, const akin_train_step *step, akin_error *err);
akin_status akin_metrics_sync(akin_metrics *metrics, akin_error *err); /* to the disk */
void akin_metrics_close(akin_metrics *metrics);                        /* takes NULL */

#endif
