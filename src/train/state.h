/* state.h - a training that was interrupted, on disk: everything that the next step depends on.
 *
 * One safetensors file, replaced atomically: values, both moments, and in its metadata the step,
 * the seed, a hash of the options and of the manifest. Resuming gives the losses of a run that was
 * not interrupted, to the last bit. */
#ifndef AKIN_TRAIN_STATE_H
#define AKIN_TRAIN_STATE_H

#include "train/parameters.h"

typedef struct akin_state {
    uint64_t step;        /* steps done */
    uint64_t seed;
    double seconds;       /* of training so far */
    char options[65];     /* hexadecimal hash of what must not change between the two runs */
    double best;          /* of the held-out measure; NaN: none yet */
    uint64_t best_step;
} akin_state;

/* The training's own lock on `folder`, a file there that the kernel lets go when the process ends,
 * however that ends. AKIN_E_BUSY names the process that holds it. */
akin_status akin_state_lock(const char *folder, int *fd, akin_error *err);
void akin_state_unlock(int fd);

akin_status akin_state_write(const char *path, const akin_state *state,
                             const akin_parameters *list, akin_error *err);

/* On entry state->options says what it must be. AKIN_E_NOT_FOUND when there is no file;
 * AKIN_E_ARGUMENT when `options` is not the file's: its message says that the run was made with
 * other options. Tensors are checked by name and shape before any is read. */
akin_status akin_state_read(const char *path, akin_state *state, akin_parameters *list,
                            akin_error *err);

#endif
