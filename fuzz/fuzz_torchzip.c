/* fuzz_torchzip.c - the bytes are a torch checkpoint; or, behind 0x80, a bare pickle. */
#include "fuzz_weights.h"
#include "weights/pickle.h"
#include "weights/torchzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akin_error err;
    if (size != 0 && data[0] == 0x80) {
        static const akin_pickle_global globals[] = {
            { "torch._utils", "_rebuild_tensor_v2", true, 0, 0 },
            { "torch", "FloatStorage", false, 1, 0 },
        };
        akin_arena arena;
        const akin_pickle_value *value = NULL;
        akin_arena_init(&arena);
        const bool script = size > 1 && data[1] == 2; /* as TorchScript's pickles are */
        if (judged(akin_pickle_read(data, size, "fuzz.pkl", globals, 2, script, &arena, &value,
                                    &err),
                   &err) == AKIN_OK) {
            HOLDS(value != NULL && akin_pickle_kind_name(value->kind) != NULL);
            if (value->kind == AKIN_PICKLE_DICT)
                akin_pickle_get(value, "state_dict");
        }
        akin_arena_clear(&arena);
        return 0;
    }
    akin_tensor_list list;
    akin_tensor_list_init(&list);
    if (judged(akin_torchzip_read(data, size, "fuzz.bin", &list, &err), &err) == AKIN_OK)
        check_tensors(&list, data, size);
    akin_tensor_list_clear(&list);
    return 0;
}
