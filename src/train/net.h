/* net.h - a CLIP that learns: its parameters, both towers forward with what the backward pass
 * needs, and backward. Makes one from a configuration, reads and writes checkpoints in both forms.
 *
 * Reference: open_clip 3.3.0 CLIP.init_parameters for fresh values; transformers 5.23.0 and
 * open_clip for what is computed (docs/models/clip.md), PyTorch's autograd for gradients. */
#ifndef AKIN_TRAIN_NET_H
#define AKIN_TRAIN_NET_H

#include "models/clip_config.h"
#include "train/parameters.h"
#include "train/work.h"

/* Numbers of parameters. */
typedef struct akin_layer_net {
    size_t scale1, scale2;             /* with layer_scale */
    size_t norm1_w, norm1_b, norm2_w, norm2_b;
    size_t qkv_w, qkv_b;               /* the first of three in the Hugging Face form */
    size_t out_w, out_b, fc1_w, fc1_b, fc2_w, fc2_b;
} akin_layer_net;

typedef struct akin_encoder_net {
    akin_tower_config config;
    bool causal;
    akin_layer_net *layers; /* [config.layers] */
} akin_encoder_net;

typedef struct akin_text_net {
    size_t tokens, positions;
    akin_encoder_net encoder;
    size_t final_w, final_b;
    size_t projection_w, projection_b; /* unless no_projection; _b with projection_bias */
} akin_text_net;

typedef struct akin_vit_net {
    size_t class_embedding, patch, positions;
    size_t pre_w, pre_b; /* unless no_pre_norm */
    akin_encoder_net encoder;
    size_t post_w, post_b, projection;
} akin_vit_net;

struct akin_resnet_net; /* resnet_grad.h */

/* One thread at a time. */
typedef struct akin_net {
    akin_clip_config config;
    akin_parameters parameters;
    akin_text_net text;
    akin_vit_net vit;               /* unless config.resnet */
    struct akin_resnet_net *resnet; /* with config.resnet */
    size_t logit_scale, logit_bias; /* logit_bias with config.logit_bias, else SIZE_MAX */
} akin_net;

/* Parameters laid out, not yet made: others (prototypes) may be added first. */
akin_status akin_net_new(akin_net **out, const akin_clip_config *config, akin_error *err);
void akin_net_free(akin_net *net); /* takes NULL */

/* Fresh values as the reference draws them (its distributions, our random numbers), a function of
 * the seed. After akin_parameters_make. */
void akin_net_draw(akin_net *net, uint64_t seed);

/* Values from a checkpoint of that config (folder, or weights file when config->bare): checked as
 * akin_clip_open does. */
akin_status akin_net_read(akin_net *net, const char *folder, akin_error *err);

/* Writes the model's tensors as safetensors, atomically, as f32 or rounded to f16 (a value past
 * f16's range is AKIN_E_NONFINITE naming the tensor). */
akin_status akin_net_write(const akin_net *net, const char *path, bool f16, akin_error *err);

/* Which towers learn: with `projections`, only the two projections (of a ResNet: attnpool.c_proj),
 * logit_scale and logit_bias; a locked tower's BatchNorm keeps its running statistics and computes
 * with them. */
void akin_net_freeze(akin_net *net, bool projections);

/* What a pass of pictures keeps for its backward pass lies in work->arena. */
typedef struct akin_image_tape akin_image_tape;
typedef struct akin_text_tape akin_text_tape;

typedef struct akin_image_input {
    const float *pixels; /* [count, 3, image_height, image_width] */
    size_t count;
    /* Patch dropping (ViT alone, Li et al. 2023): each picture keeps `kept` of its patches, whose
     * numbers, ascending, are keep[i * kept ..]; NULL: all. The class position is always kept. */
    const uint32_t *keep;
    size_t kept;
    bool evaluate; /* BatchNorm by its running statistics, which stay */
    bool update;   /* running statistics are moved: not in the first of two passes over a batch */
} akin_image_input;

/* out [count, dimensions], raw projections. *tape NULL on return when `tape` is NULL: nothing is
 * kept. */
akin_status akin_net_images(akin_net *net, const akin_work *work, const akin_image_input *input,
                            akin_image_tape **tape, float *out, akin_error *err);

/* Adds to the gradients. dout [count, dimensions]. input: that of the forward pass. */
akin_status akin_net_images_back(akin_net *net, const akin_work *work,
                                 const akin_image_input *input, const akin_image_tape *tape,
                                 const float *dout, akin_error *err);

/* ids, starts: as akin_clip_encode_texts takes them, padding included. */
typedef struct akin_text_input {
    const int32_t *ids;
    const size_t *starts; /* [count + 1] */
    size_t count;
} akin_text_input;

akin_status akin_net_texts(akin_net *net, const akin_work *work, const akin_text_input *input,
                           akin_text_tape **tape, float *out, akin_error *err);
akin_status akin_net_texts_back(akin_net *net, const akin_work *work, const akin_text_input *input,
                                const akin_text_tape *tape, const float *dout, akin_error *err);

#endif
