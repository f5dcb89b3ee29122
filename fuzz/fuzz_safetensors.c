/* fuzz_safetensors.c - the bytes are a safetensors file. */
#include "fuzz_weights.h"
#include "weights/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akin_error err;
    akin_tensor_list list;
    akin_tensor_list_init(&list);
    if (judged(akin_safetensors_read(data, size, "fuzz.safetensors", &list, &err), &err) == AKIN_OK)
        check_tensors(&list, data, size);
    akin_tensor_list_clear(&list);
    return 0;
}
