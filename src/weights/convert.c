/* convert.c - any tensor to row-major float32 (akin_tensor_to_f32).
 *
 * Widening is exact for F16 and BF16, and rounds to nearest even for F64. A model with a NaN or an
 * infinity in it answers NaN to everything, so it is refused here, where the tensor has a
 * name. */
#include <math.h>
#include <string.h>

#include "weights/checkpoint.h"
#include "weights/tensors.h"

/* Elements between two looks at whether something was not finite; also the size of the gather
 * buffer of strided sources, which thus stays in the first-level cache. */
enum { block = 1024 };

static inline float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The four kernels: src holds n elements one after another, at any alignment; returns nonzero when
 * one is not finite. The loops have no branch, so that compilers vectorise them for the baseline
 * instruction set: reading the file costs more than they do. */

static uint32_t convert_f32(const unsigned char *src, float *out, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, src + 4 * i, 4);
        out[i] = float_of(bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return bad;
}

static uint32_t convert_bf16(const unsigned char *src, float *out, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, src + 2 * i, 2);
        uint32_t bits = (uint32_t)half << 16;
        out[i] = float_of(bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return bad;
}

/* A normal half only needs its exponent moved from bias 15 to 127. A subnormal one, m * 2^-24, is
 * made by putting m under the exponent of 2^-14 and taking 2^-14 away. Multiplying by 2^112 would
 * do both in one step, but passes through float32 subnormals: slow, and zero in a program that has
 * set "denormals are zero". */
static uint32_t convert_f16(const unsigned char *src, float *out, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, src + 2 * i, 2);
        uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
        uint32_t rest = (uint32_t)(half & 0x7fffu) << 13;
        uint32_t normal = rest + (112u << 23);
        uint32_t subnormal = bits_of(float_of(rest + (113u << 23)) - 0x1p-14f);
        uint32_t is_subnormal = 0u - (uint32_t)(rest < 1u << 23);
        out[i] = float_of(sign | (subnormal & is_subnormal) | (normal & ~is_subnormal));
        bad |= (half & 0x7c00u) == 0x7c00u;
    }
    return bad;
}

static uint32_t convert_f64(const unsigned char *src, float *out, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        double value;
        memcpy(&value, src + 8 * i, 8);
        out[i] = (float)value;
        bad |= (bits_of(out[i]) & 0x7f800000u) == 0x7f800000u;
    }
    return bad;
}

typedef uint32_t (*convert_fn)(const unsigned char *src, float *out, size_t n);

static convert_fn kernel_of(akin_dtype dtype)
{
    switch (dtype) {
    case AKIN_F32: return convert_f32;
    case AKIN_BF16: return convert_bf16;
    case AKIN_F16: return convert_f16;
    case AKIN_F64: return convert_f64;
    default: return NULL;
    }
}

/* Names the first element of a block, the one at src and `position` elements into the tensor, that
 * is not finite. */
static akin_status fail_nonfinite(const akin_tensor *tensor, convert_fn convert,
                                  const unsigned char *src, size_t position, akin_error *err)
{
    size_t item = akin_dtype_size(tensor->dtype);
    float one;
    while (!convert(src, &one, 1)) {
        src += item;
        position++;
    }
    const char *what = "NaN or infinite";
    if (tensor->dtype == AKIN_F64) {
        double value;
        memcpy(&value, src, sizeof value);
        if (isfinite(value))
            what = "past the range of float32";
    }
    int64_t index[AKIN_MAX_DIMS];
    for (int i = tensor->dims - 1; i >= 0; i--) {
        index[i] = (int64_t)(position % (size_t)tensor->shape[i]);
        position /= (size_t)tensor->shape[i];
    }
    char text[200];
    return akin_fail(err, AKIN_E_NONFINITE, tensor->file,
                     "tensor '%s' is %s at %s: the checkpoint is damaged", tensor->name, what,
                     akin_shape_text(index, tensor->dims, text, sizeof text));
}

static inline void gather(unsigned char *to, const unsigned char *from, size_t n, size_t item,
                          size_t step)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * item, from + i * step, item);
}

akin_status akin_tensor_to_f32(const akin_tensor *tensor, float *out, size_t count, akin_error *err)
{
    convert_fn convert = kernel_of(tensor->dtype);
    if (convert == NULL)
        return akin_fail(err, AKIN_E_TENSOR_DTYPE, tensor->file,
                         "tensor '%s' is %s; it must be F32, F16, BF16 or F64", tensor->name,
                         akin_dtype_name(tensor->dtype));
    if (count != akin_tensor_count(tensor))
        return akin_fail(err, AKIN_E_ARGUMENT, tensor->file,
                         "tensor '%s' has %zu elements, room was given for %zu", tensor->name,
                         akin_tensor_count(tensor), count);
    if (count == 0)
        return AKIN_OK;

    /* Dimensions of 1 say nothing, and two that follow each other in memory are one: a contiguous
     * tensor of any shape becomes a single run. */
    int64_t shape[AKIN_MAX_DIMS + 1] = { 1 }, stride[AKIN_MAX_DIMS + 1] = { 1 };
    int dims = 0;
    for (int i = 0; i < tensor->dims; i++) {
        if (tensor->shape[i] == 1)
            continue;
        if (dims > 0 && tensor->stride[i] != 0 && stride[dims - 1] % tensor->stride[i] == 0 &&
            stride[dims - 1] / tensor->stride[i] == tensor->shape[i]) {
            shape[dims - 1] *= tensor->shape[i];
            stride[dims - 1] = tensor->stride[i];
        } else {
            shape[dims] = tensor->shape[i];
            stride[dims++] = tensor->stride[i];
        }
    }
    if (dims == 0)
        dims = 1;

    size_t item = akin_dtype_size(tensor->dtype);
    size_t row = (size_t)shape[dims - 1], step = (size_t)stride[dims - 1] * item;
    const unsigned char *src = tensor->data;
    int64_t at[AKIN_MAX_DIMS] = { 0 };
    float unused[block];
    for (size_t done = 0;;) {
        for (size_t i = 0; i < row; i += block) {
            size_t n = row - i < block ? row - i : block;
            unsigned char gathered[block * 8];
            const unsigned char *run = src + i * step;
            if (step != item) {
                /* Constant sizes make each copy one load and one store. */
                if (item == 4)
                    gather(gathered, run, n, 4, step);
                else if (item == 2)
                    gather(gathered, run, n, 2, step);
                else
                    gather(gathered, run, n, 8, step);
                run = gathered;
            }
            if (convert(run, out != NULL ? out + done : unused, n))
                return fail_nonfinite(tensor, convert, run, done, err);
            done += n;
        }
        if (done == count)
            return AKIN_OK;
        int d = dims - 2; /* done < count: an outer dimension is left */
        while (++at[d] == shape[d]) {
            src -= (size_t)(shape[d] - 1) * (size_t)stride[d] * item;
            at[d--] = 0;
        }
        src += (size_t)stride[d] * item;
    }
}
