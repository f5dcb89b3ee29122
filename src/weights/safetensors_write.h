/* safetensors_write.h - tensors into one safetensors file, atomically. */
#ifndef AKIN_WEIGHTS_SAFETENSORS_WRITE_H
#define AKIN_WEIGHTS_SAFETENSORS_WRITE_H

#include "base/error.h"
#include "weights/checkpoint.h"

typedef struct akin_tensor_out {
    const char *name;
    akin_dtype dtype;     /* AKIN_F32, AKIN_F16 (rounded to nearest even) or AKIN_I64 */
    int dims;
    int64_t shape[AKIN_MAX_DIMS];
    const void *data;     /* float32 for F32 and F16, int64 for I64; row-major */
} akin_tensor_out;

/* metadata: pairs of key and value, NULL behind the last; {"format": "pt"} is always among them. The
 * header is padded to 8 bytes and tensors lie in the order given, as the reference writer does it. A
 * value that is not finite, or past f16's range, is AKIN_E_NONFINITE naming tensor and index; two
 * tensors of one name AKIN_E_ARGUMENT. */
akin_status akin_safetensors_write(const char *path, const akin_tensor_out *tensors, size_t count,
                                   const char *const *metadata, akin_error *err);

#endif
