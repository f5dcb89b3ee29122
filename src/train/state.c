/* state.c - a training that was interrupted, as one safetensors file. Tensors are called
 * "values.NAME", "moments1.NAME" and "moments2.NAME"; BatchNorm's statistics have values alone.
 * Numbers of the metadata are whole, those that are not as the 16 digits of their bits. */
#include "train/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/arith.h"
#include "base/cursor.h"
#include "base/file.h"
#include "base/json.h"
#include "weights/checkpoint.h"
#include "weights/safetensors_write.h"

#define KIND "akin-training-1"

enum { BLOCKS = 3 };

static const char *const block_names[BLOCKS] = { "values.", "moments1.", "moments2." };

/* ---- The lock -------------------------------------------------------------------------------- */

akin_status akin_state_lock(const char *folder, int *fd, akin_error *err)
{
    char *path = akin_path_join(folder, "lock"), holder[32];
    akin_status status = AKIN_OK;
    int taken = -1;
    *fd = -1;
    if (path == NULL)
        return akin_fail_nomem(err, "path", 0);
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file >= 0)
        do
            taken = flock(file, LOCK_EX | LOCK_NB);
        while (taken != 0 && errno == EINTR);
    if (taken == 0) {
        /* For people alone: what cannot be written is no reason not to train. */
        const int n = snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
        if (pwrite(file, holder, (size_t)n, 0) == n)
            (void)!ftruncate(file, n);
        *fd = file;
    } else if (file >= 0 && errno == EWOULDBLOCK) {
        const ssize_t got = pread(file, holder, sizeof holder - 1, 0);
        holder[got > 0 ? got : 0] = '\0';
        status = akin_fail(err, AKIN_E_BUSY, path,
                           "process %ld trains into this folder; wait, stop it, or give another "
                           "folder",
                           strtol(holder, NULL, 10));
    } else {
        status = akin_fail_errno(err, errno, path, "cannot take the training's lock");
    }
    if (*fd < 0 && file >= 0)
        close(file);
    free(path);
    return status;
}

void akin_state_unlock(int fd)
{
    if (fd >= 0)
        close(fd); /* the file stays: to remove it would race with the next who takes the lock */
}

/* ---- Names ----------------------------------------------------------------------------------- */

typedef char akin_state_name[16 + sizeof((akin_parameter *)0)->name];

static void name_of(const akin_parameter *p, int block, akin_state_name out)
{
    snprintf(out, sizeof(akin_state_name), "%s%s", block_names[block], p->name);
}

static int blocks_of(const akin_parameter *p)
{
    return p->kind == AKIN_PARAMETER_STATE ? 1 : BLOCKS;
}

static float *block_of(const akin_parameters *list, const akin_parameter *p, int block)
{
    float *const blocks[BLOCKS] = { list->values, list->moments1, list->moments2 };
    return blocks[block] + p->at;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_double(char out[24], double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    snprintf(out, 24, "%016" PRIx64, bits);
}

akin_status akin_state_write(const char *path, const akin_state *state,
                             const akin_parameters *list, akin_error *err)
{
    char step[24], seed[24], seconds[24], best[24], best_step[24];
    akin_status status = AKIN_OK;
    size_t count = 0;
    akin_tensor_out *tensors = calloc(BLOCKS * list->count + 1, sizeof *tensors);
    akin_state_name *names = calloc(BLOCKS * list->count + 1, sizeof *names);
    if (tensors == NULL || names == NULL) {
        status = akin_fail_nomem(err, "list of tensors", 0);
        goto out;
    }
    for (size_t i = 0; i < list->count; i++) {
        const akin_parameter *p = &list->items[i];
        for (int block = 0; block < blocks_of(p); block++, count++) {
            name_of(p, block, names[count]);
            tensors[count] = (akin_tensor_out){ .name = names[count], .dtype = AKIN_F32,
                                                .dims = p->dims,
                                                .data = block_of(list, p, block) };
            memcpy(tensors[count].shape, p->shape, sizeof p->shape);
        }
    }
    snprintf(step, sizeof step, "%" PRIu64, state->step);
    snprintf(seed, sizeof seed, "%" PRIu64, state->seed);
    snprintf(best_step, sizeof best_step, "%" PRIu64, state->best_step);
    put_double(seconds, state->seconds);
    put_double(best, state->best);
    const char *const metadata[] = { "akin", KIND, "step", step, "seed", seed, "options",
                                     state->options, "seconds", seconds, "best", best, "best_step",
                                     best_step, NULL };
    status = akin_safetensors_write(path, tensors, count, metadata, err);
out:
    free(names);
    free(tensors);
    return status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* The digits of metadata[key] in `base`. */
static akin_status get_number(const akin_json *metadata, const char *path, const char *key,
                              int base, uint64_t *out, akin_error *err)
{
    const char *text = akin_json_string(akin_json_get(metadata, key));
    *out = 0;
    bool good = text != NULL && text[0] != '\0';
    for (const char *p = text; good && *p != '\0'; p++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, *p);
        good = digit != NULL && digit - digits < base &&
               !__builtin_mul_overflow(*out, (uint64_t)base, out) &&
               !__builtin_add_overflow(*out, (uint64_t)(digit - digits), out);
    }
    if (!good)
        return akin_fail(err, AKIN_E_CORRUPT, path, "'__metadata__.%s' is not a number", key);
    return AKIN_OK;
}

static akin_status get_double(const akin_json *metadata, const char *path, const char *key,
                              double *out, akin_error *err)
{
    uint64_t bits;
    akin_status status = get_number(metadata, path, key, 16, &bits, err);
    memcpy(out, &bits, sizeof *out);
    return status;
}

/* What the header says beside the tensors, which akin_checkpoint_open has checked. */
static akin_status read_metadata(const char *path, akin_state *state, akin_error *err)
{
    akin_mapping mapping = { 0 };
    akin_json *root = NULL;
    uint64_t size = 0;
    const uint8_t *text = NULL;
    akin_status status;
    AKIN_TRY(akin_file_map(path, &mapping, err));
    akin_cursor c = akin_cursor_over(mapping.data, mapping.size);
    if (!akin_cursor_u64(&c, &size) || !akin_cursor_bytes(&c, size, &text)) {
        status = akin_fail(err, AKIN_E_TRUNCATED, path, "ends inside its header");
        goto out;
    }
    AKIN_TRY(akin_json_parse_object(text, (size_t)size, path, &root, err));
    const akin_json *metadata = akin_json_get(root, "__metadata__");
    const char *kind = akin_json_string(akin_json_get(metadata, "akin"));
    const char *options = akin_json_string(akin_json_get(metadata, "options"));
    if (kind == NULL || strcmp(kind, KIND) != 0 || options == NULL) {
        status = akin_fail(err, AKIN_E_FORMAT, path,
                           "not the state of a training that this version of akin wrote");
        goto out;
    }
    if (strcmp(options, state->options) != 0) {
        status = akin_fail(err, AKIN_E_ARGUMENT, path,
                           "the run was made with other options, or another manifest; give the "
                           "same ones, or begin anew in another folder");
        goto out;
    }
    AKIN_TRY(get_number(metadata, path, "step", 10, &state->step, err));
    AKIN_TRY(get_number(metadata, path, "seed", 10, &state->seed, err));
    AKIN_TRY(get_number(metadata, path, "best_step", 10, &state->best_step, err));
    AKIN_TRY(get_double(metadata, path, "seconds", &state->seconds, err));
    AKIN_TRY(get_double(metadata, path, "best", &state->best, err));
out:
    akin_json_free(root);
    akin_file_unmap(&mapping);
    return status;
}

static akin_status check_tensor(const akin_checkpoint *checkpoint, const akin_parameter *p,
                                int block, const char *path, akin_error *err)
{
    akin_state_name name;
    char wanted[128], found[256];
    name_of(p, block, name);
    const akin_tensor *tensor = akin_checkpoint_find(checkpoint, name);
    akin_shape_text(p->shape, p->dims, wanted, sizeof wanted);
    if (tensor == NULL)
        return akin_fail(err, AKIN_E_TENSOR_MISSING, path,
                         "tensor '%s' of shape %s is missing: the state of another model", name,
                         wanted);
    if (tensor->dims != p->dims ||
        memcmp(tensor->shape, p->shape, (size_t)p->dims * sizeof *p->shape) != 0)
        return akin_fail(err, AKIN_E_TENSOR_SHAPE, path,
                         "tensor '%s' has shape %s, the model %s: the state of another model",
                         name, akin_shape_text(tensor->shape, tensor->dims, found, sizeof found),
                         wanted);
    if (tensor->dtype != AKIN_F32)
        return akin_fail(err, AKIN_E_TENSOR_DTYPE, path, "tensor '%s' has type %s, not F32", name,
                         akin_dtype_name(tensor->dtype));
    return AKIN_OK;
}

akin_status akin_state_read(const char *path, akin_state *state, akin_parameters *list,
                            akin_error *err)
{
    akin_checkpoint *checkpoint = NULL;
    akin_state read = *state;
    size_t count = 0;
    akin_status status;
    AKIN_TRY(akin_checkpoint_open(&checkpoint, path, err));
    AKIN_TRY(read_metadata(path, &read, err));
    for (size_t i = 0; i < list->count; i++)
        for (int block = 0; block < blocks_of(&list->items[i]); block++, count++)
            AKIN_TRY(check_tensor(checkpoint, &list->items[i], block, path, err));
    if (akin_checkpoint_count(checkpoint) != count) {
        status = akin_fail(err, AKIN_E_TENSOR_EXTRA, path,
                           "%zu tensors, the model has %zu: the state of another model",
                           akin_checkpoint_count(checkpoint), count);
        goto out;
    }
    for (size_t i = 0; i < list->count; i++) {
        const akin_parameter *p = &list->items[i];
        for (int block = 0; block < blocks_of(p); block++) {
            akin_state_name name;
            name_of(p, block, name);
            AKIN_TRY(akin_tensor_to_f32(akin_checkpoint_find(checkpoint, name),
                                        block_of(list, p, block), p->count, err));
        }
    }
    *state = read;
out:
    akin_checkpoint_close(checkpoint);
    return status;
}
