/* checkpoint.h - a checkpoint on disk as tensors by name.
 *
 * Reads safetensors (one file, or shards with an index) and torch's zip format (.bin, .pt, .pth;
 * one file or shards). Executes nothing: the pickle inside a torch file is interpreted for the
 * handful of operations a state dict needs, everything else is refused by name. Every offset, shape
 * and stride is checked against the file before a view is handed out.
 */
#ifndef AKIN_WEIGHTS_CHECKPOINT_H
#define AKIN_WEIGHTS_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Who wrote a folder: which names its weights file may have, and whose names its tensors bear. */
typedef enum akin_form { AKIN_FORM_HF, AKIN_FORM_OPEN_CLIP } akin_form;

typedef enum akin_dtype {
    AKIN_F32, AKIN_F16, AKIN_BF16, AKIN_F64,
    AKIN_I64, AKIN_I32, AKIN_I16, AKIN_I8, AKIN_U64, AKIN_U32, AKIN_U16, AKIN_U8, AKIN_BOOL
} akin_dtype;

enum { AKIN_MAX_DIMS = 8 };

/* A view of one tensor, borrowed from the checkpoint until it is closed. */
typedef struct akin_tensor {
    const char *name;              /* never empty */
    const char *file;              /* path of the file that holds it, for messages */
    akin_dtype dtype;
    int dims;                      /* 0 for a scalar */
    int64_t shape[AKIN_MAX_DIMS];  /* each >= 0; the product fits in int64 */
    int64_t stride[AKIN_MAX_DIMS]; /* in elements, >= 0; every element lies inside the file */
    const void *data;              /* element [0,0,...]; not always aligned to its dtype */
} akin_tensor;

/* Immutable after open: share freely. */
typedef struct akin_checkpoint akin_checkpoint;

/* Opens the checkpoint at `path`: a weights file, an index file (*.index.json), or a folder, in
 * which these are looked for in this order (as transformers does): model.safetensors,
 * model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json. Files are mapped.
 * AKIN_E_NOT_FOUND lists the names tried. */
akin_status akin_checkpoint_open(akin_checkpoint **out, const char *path, akin_error *err);

/* The same as that form's own loader does it. OPEN_CLIP (open_clip 3.3.0 factory.py): in a folder
 * open_clip_model.safetensors, open_clip_pytorch_model.safetensors, .bin, .pth, model.safetensors,
 * pytorch_model.bin, .pth, model.pth, in this order; and "module." in front of every name, which
 * distributed training leaves there, is taken off. */
akin_status akin_checkpoint_open_as(akin_checkpoint **out, const char *path, akin_form form,
                                    akin_error *err);

/* Whether a folder holds a file of a name that would be looked for. */
akin_status akin_checkpoint_exists(const char *folder, akin_form form, bool *out, akin_error *err);

void akin_checkpoint_close(akin_checkpoint *checkpoint); /* takes NULL */

/* Path of the file that was opened (the index file for shards). Borrowed. */
const char *akin_checkpoint_path(const akin_checkpoint *checkpoint);

/* Tensors sorted by name (bytewise); find returns NULL when there is none. */
size_t akin_checkpoint_count(const akin_checkpoint *checkpoint);
const akin_tensor *akin_checkpoint_at(const akin_checkpoint *checkpoint, size_t i);
const akin_tensor *akin_checkpoint_find(const akin_checkpoint *checkpoint, const char *name);

const char *akin_dtype_name(akin_dtype dtype); /* "F32", as safetensors spells them */

/* Elements of the tensor. */
size_t akin_tensor_count(const akin_tensor *tensor);

/* "[768, 3, 32, 32]" into text (cut with "..." when it does not fit); returns text. */
char *akin_shape_text(const int64_t *shape, int dims, char *text, size_t capacity);

/* Converts to float32 in row-major order whatever the strides; out has room for `count` elements,
 * which must equal akin_tensor_count. F32, F16, BF16 and F64 only (else AKIN_E_TENSOR_DTYPE); a
 * NaN, an infinity or an F64 past float32's range is AKIN_E_NONFINITE naming tensor and index.
 * With out NULL the values are only looked at. */
akin_status akin_tensor_to_f32(const akin_tensor *tensor, float *out, size_t count,
                               akin_error *err);

#endif
