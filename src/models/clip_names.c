/* clip_names.c - the two tables. Reference: transformers 5.23.0 CLIPModel, open_clip 3.3.0 CLIP. */
#include "models/clip_names.h"

const akin_clip_names akin_clip_names_hf = {
    .text = "text_model.", .vision = "vision_model.",
    .tokens = "embeddings.token_embedding.weight",
    .text_positions = "embeddings.position_embedding.weight", .final = "final_layer_norm",
    .text_projection = "text_projection", .class_embedding = "embeddings.class_embedding",
    .patch = "embeddings.patch_embedding.weight",
    .positions = "embeddings.position_embedding.weight", .pre = "pre_layrnorm",
    .post = "post_layernorm", .vision_projection = "visual_projection",
    .layers = "encoder.layers.", .norm1 = "layer_norm1", .query = "self_attn.q_proj",
    .key = "self_attn.k_proj", .value = "self_attn.v_proj", .out = "self_attn.out_proj",
    .norm2 = "layer_norm2", .fc1 = "mlp.fc1", .fc2 = "mlp.fc2",
};

const akin_clip_names akin_clip_names_open_clip = {
    .text = "", .vision = "visual.", .tokens = "token_embedding.weight",
    .text_positions = "positional_embedding", .final = "ln_final",
    .text_projection = "text_projection", .class_embedding = "class_embedding",
    .patch = "conv1.weight", .positions = "positional_embedding", .pre = "ln_pre",
    .post = "ln_post", .vision_projection = "proj", .layers = "transformer.resblocks.",
    .norm1 = "ln_1", .qkv_weight = "attn.in_proj_weight", .qkv_bias = "attn.in_proj_bias",
    .out = "attn.out_proj", .scale1 = "ls_1.gamma", .norm2 = "ln_2", .fc1 = "mlp.c_fc",
    .fc2 = "mlp.c_proj", .scale2 = "ls_2.gamma",
};
