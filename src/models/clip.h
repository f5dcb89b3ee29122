/* clip.h - CLIP's two towers (Radford et al. 2021), checkpoints in Hugging Face or open_clip form.
 *
 * Reference: transformers 5.23.0 CLIPModel, get_image_features and get_text_features, and open_clip
 * 3.3.0 CLIP and CustomTextCLIP, encode_image and encode_text: the raw projections, not normalised.
 * docs/models/clip.md describes the computation.
 */
#ifndef AKIN_MODELS_CLIP_H
#define AKIN_MODELS_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/thread.h"
#include "models/clip_config.h"
#include "models/resnet.h"
#include "nn/nn.h"
#include "nn/transformer.h"

typedef struct akin_text_tower {
    float *tokens;    /* [vocabulary, width] */
    float *positions; /* [text_tokens, width] */
    akin_encoder encoder;
    akin_norm final;
    akin_linear projection; /* [dimensions, width]; unset with config.no_projection */
} akin_text_tower;

typedef struct akin_vision_tower {
    akin_resnet *resnet;    /* with config.resnet; then nothing below */
    akin_linear patch;      /* [width, 3 * patch * patch] */
    float *class_embedding; /* [width] */
    float *positions;       /* [1 + grid height * grid width, width] */
    akin_norm pre;          /* unset with config.no_pre_norm */
    akin_encoder encoder;
    akin_norm post;
    akin_linear projection; /* [dimensions, width] */
} akin_vision_tower;

/* Immutable after open: share freely. */
typedef struct akin_clip {
    akin_clip_config config;
    const akin_kernels *kernels;
    bool has_text, has_vision; /* which towers were loaded */
    akin_text_tower text;
    akin_vision_tower vision;
    float logit_scale; /* as stored: the natural logarithm of what multiplies a cosine */
    float logit_bias;  /* what is added to that product; 0 in a model that has none */
    size_t parameters; /* of the whole checkpoint */
    char *weights;     /* path of the weights file or index; owned */
} akin_clip;

/* Opens the checkpoint in `folder` (its config already read; a weights file when config->bare). All
 * tensors are checked; the towers
 * asked for are loaded on `pool`. */
akin_status akin_clip_open(akin_clip **out, const char *folder, const akin_clip_config *config,
                           const akin_kernels *kernels, bool round_bf16, bool text, bool vision,
                           akin_pool *pool, akin_error *err);
void akin_clip_close(akin_clip *clip); /* takes NULL */

/* Tensors that a file of that form may hold and no model needs: true for their names. */
typedef bool (*akin_ignorable)(const char *name);
akin_ignorable akin_clip_ignorable(const akin_clip_config *config);

/* Whether the file is from before there was a "text." in front of the names of a custom_text
 * model's text tower, which open_clip then adds. */
bool akin_clip_lacks_prefix(const akin_clip_config *config, const akin_checkpoint *checkpoint);

/* Raw image projections. pixels [count, 3, image_height, image_width]; out
 * [count, dimensions]. */
akin_status akin_clip_encode_images(const akin_clip *clip, const akin_nn *nn, const float *pixels,
                                    size_t count, float *out, akin_error *err);

/* The position of a text of `count` > 0 ids that becomes its vector. */
size_t akin_clip_pooling_position(const akin_clip_config *config, const int32_t *ids, size_t count);

/* Appends to one text's `count` ids the padding that its vector depends on, and no more: pad is the
 * id that fills a text up to config->text_tokens, which ids has room for; left: it goes before the
 * text. Returns the new count. open_clip pads every text to that length with ids that are seen like
 * any other; transformers masks them, so that the Hugging Face form never needs this. */
size_t akin_clip_pad(const akin_clip_config *config, int32_t *ids, size_t count, int32_t pad,
                     bool left);

/* Raw text projections. ids: the texts' tokens one behind the other, text i being
 * ids[starts[i] .. starts[i + 1]), start and end tokens included; out [count, dimensions]. An id
 * past the vocabulary is AKIN_E_TOKENIZER. */
akin_status akin_clip_encode_texts(const akin_clip *clip, const akin_nn *nn, const int32_t *ids,
                                   const size_t *starts, size_t count, float *out, akin_error *err);

#endif
