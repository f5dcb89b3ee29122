/* stub_until_merge.c - TO BE DELETED AT MERGE, with its line in CMakeLists.txt: stand-ins for what
 * other rooms are writing, so that this branch links. */
#include <stdlib.h>
#include <string.h>

#include "image/preprocess.h"
#include "models/resnet.h"
#include "text/tokenizer.h"

extern const int akin_stub_until_merge; /* tests look whether it is there */
const int akin_stub_until_merge = 1;

akin_status akin_tokenizer_open_simple(akin_tokenizer **out, akin_clean clean, akin_error *err)
{
    (void)clean; /* the same ids as Hugging Face's tokenizer for plain English */
    return akin_tokenizer_open(out, "tests/golden/text/clip-vocab", err);
}

akin_status akin_tokenizer_open_json(akin_tokenizer **out, const char *folder, akin_clean clean,
                                     bool strip_sep, akin_error *err)
{
    (void)clean;
    (void)strip_sep;
    return akin_tokenizer_open(out, folder, err);
}

int32_t akin_tokenizer_pad(const akin_tokenizer *tokenizer, bool *left)
{
    (void)tokenizer;
    *left = false;
    return 0;
}

akin_status akin_preprocess_open_clip(akin_preprocess *out, const char *folder, int height,
                                      int width, akin_error *err)
{
    (void)folder;
    (void)err;
    *out = (akin_preprocess){ .do_resize = true, .shortest_edge = height < width ? width : height,
                              .resample = AKIN_BICUBIC, .do_center_crop = true,
                              .crop_height = height, .crop_width = width, .do_rescale = true,
                              .rescale_factor = 1.0 / 255.0, .do_normalize = true,
                              .mean = { 0.48145466, 0.4578275, 0.40821073 },
                              .std = { 0.26862954, 0.26130258, 0.27577711 } };
    return AKIN_OK;
}

akin_status akin_resnet_bind(akin_slots *slots, bool load, akin_resnet **tower,
                             const akin_resnet_config *config, const akin_kernels *kernels,
                             bool round_bf16, const char *prefix, akin_error *err)
{
    (void)slots, (void)load, (void)tower, (void)config, (void)kernels, (void)round_bf16;
    (void)prefix;
    return akin_fail(err, AKIN_E_UNSUPPORTED, NULL, "stub: no ResNet in this branch");
}

bool akin_resnet_ignores(const char *name)
{
    (void)name;
    return false;
}

akin_status akin_resnet_finish(akin_resnet *tower, const akin_kernels *kernels, akin_pool *pool,
                               akin_error *err)
{
    (void)tower, (void)kernels, (void)pool, (void)err;
    return AKIN_OK;
}

void akin_resnet_free(akin_resnet *tower)
{
    (void)tower;
}

akin_status akin_resnet_encode(const akin_resnet *tower, const akin_nn *nn, const float *pixels,
                               size_t count, float *out, akin_error *err)
{
    (void)tower, (void)nn, (void)pixels, (void)count, (void)out, (void)err;
    return AKIN_E_UNSUPPORTED;
}
