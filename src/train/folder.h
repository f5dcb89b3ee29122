/* folder.h - a trained model as a folder that its reference loads: the files of the model it was
 * made from, and new weights. */
#ifndef AKIN_TRAIN_FOLDER_H
#define AKIN_TRAIN_FOLDER_H

#include "train/net.h"

/* Copies configuration, tokenizer and preprocessing of `source` (a folder; its weights are left)
 * byte for byte into `folder`, which is made, and then writes the weights: as
 * open_clip_model.safetensors, or model.safetensors in the Hugging Face form. Each file is replaced
 * atomically, the weights last; the two folders may be one. Where the net has a logit_bias and the
 * configuration does not, it gets "init_logit_bias". Refused: weights without a configuration, and a
 * bias in the Hugging Face form, which has none (AKIN_E_UNSUPPORTED). */
akin_status akin_model_folder_write(const akin_net *net, const char *source, const char *folder,
                                    bool f16, akin_error *err);

#endif
