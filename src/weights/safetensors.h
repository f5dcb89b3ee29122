/* safetensors.h - the safetensors format. */
#ifndef AKIN_WEIGHTS_SAFETENSORS_H
#define AKIN_WEIGHTS_SAFETENSORS_H

#include <stddef.h>

#include "base/error.h"
#include "weights/tensors.h"

/* Longest JSON header read. The reference's limit is 100 MB, but a parsed tree may take 60 times
 * its text, and 8 MiB already name some 60,000 tensors. */
enum { AKIN_SAFETENSORS_MAX_HEADER = 8 << 20 };

/* Appends the tensors of a file's bytes, sorted by name, as views into them. `path` is kept as each
 * tensor's file. */
akin_status akin_safetensors_read(const unsigned char *data, size_t size, const char *path,
                                  akin_tensor_list *out, akin_error *err);

#endif
