/* torchzip.h - torch's checkpoint format since 1.6: a ZIP archive around a pickle. */
#ifndef AKIN_WEIGHTS_TORCHZIP_H
#define AKIN_WEIGHTS_TORCHZIP_H

#include <stddef.h>

#include "base/error.h"
#include "weights/tensors.h"

/* Appends the tensors of the state dict in a file's bytes, sorted by name, as views into them:
 * either the top level is the state dict, or it has it under "state_dict". `path` is kept as each
 * tensor's file. */
akin_status akin_torchzip_read(const unsigned char *data, size_t size, const char *path,
                               akin_tensor_list *out, akin_error *err);

#endif
