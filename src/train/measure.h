/* measure.h - how well a net that is learning finds the pictures and texts of a held-out manifest. */
#ifndef AKIN_TRAIN_MEASURE_H
#define AKIN_TRAIN_MEASURE_H

#include "dataset/manifest.h"
#include "eval/scores.h"
#include "image/preprocess.h"
#include "text/tokenizer.h"
#include "train/net.h"

/* Everything is borrowed. */
typedef struct akin_measure {
    const akin_manifest *manifest;
    const akin_preprocess *preprocess;
    const akin_tokenizer *tokenizer;
    int32_t text_tokens;
    size_t batch; /* pictures or texts that pass through a tower together */
    akin_picture_options limits;
    void (*skipped)(void *context, const akin_error *why); /* a picture that cannot be read */
    void *context;
} akin_measure;

/* Embeds all of the manifest with BatchNorm's running statistics, and counts by concept. Pictures
 * that cannot be read are left out. */
akin_status akin_measure_run(const akin_measure *measure, akin_net *net, const akin_work *work,
                             akin_recall *text_to_picture, akin_recall *picture_to_text,
                             akin_error *err);

/* Adds to a text's `count` tokens the padding that its vector depends on; there is room for all the
 * model's positions. Returns how many tokens it has then. */
size_t akin_measure_pad(const akin_clip_config *config, const akin_tokenizer *tokenizer,
                        int32_t *ids, size_t count);

/* The texts' tokens one behind the other with the padding that their vectors depend on, as
 * akin_clip_encode_texts takes them. ids has room for count * text_tokens, starts for count + 1.
 * *cut: texts longer than that. */
akin_status akin_measure_tokens(const akin_clip_config *config, const akin_tokenizer *tokenizer,
                                int32_t text_tokens, const char *const *texts, size_t count,
                                int32_t *ids, size_t *starts, size_t *cut, akin_error *err);

/* x [count, n]: every row to length 1, as torch.nn.functional.normalize does. */
void akin_measure_unit(float *x, size_t count, size_t n);

#endif
