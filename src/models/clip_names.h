/* clip_names.h - what the two forms of CLIP checkpoints call their tensors. */
#ifndef AKIN_MODELS_CLIP_NAMES_H
#define AKIN_MODELS_CLIP_NAMES_H

/* Names of a tower stand behind the tower's prefix, those of a layer behind its number. One name of
 * norm and linear layers stands for weight and bias. Those of a ResNet are in resnet.c. */
typedef struct akin_clip_names {
    const char *text, *vision; /* prefixes; of open_clip's custom_text models, text is "text." */
    const char *tokens, *text_positions, *final, *text_projection;
    const char *class_embedding, *patch, *positions, *pre, *post, *vision_projection;
    const char *layers;
    const char *norm1, *query, *key, *value; /* query NULL: all three in one, below */
    const char *qkv_weight, *qkv_bias;
    const char *out, *scale1, *norm2, *fc1, *fc2, *scale2;
} akin_clip_names;

extern const akin_clip_names akin_clip_names_hf, akin_clip_names_open_clip;

#endif
