/* towers.h - the towers of net.h, each in a file of its own: vit_grad.c, text_grad.c,
 * resnet_grad.c.
 *
 * `bind` adds a tower's parameters under the names of its form; `draw` gives them fresh values as
 * open_clip 3.3.0 does; forward and backward are those of net.h. */
#ifndef AKIN_TRAIN_TOWERS_H
#define AKIN_TRAIN_TOWERS_H

#include "dataset/random.h"
#include "train/net.h"

akin_status akin_vit_bind(akin_net *net, akin_error *err);
void akin_vit_draw(akin_net *net, uint64_t seed);
akin_status akin_vit_forward(akin_net *net, const akin_work *work, const akin_image_input *input,
                             akin_image_tape **tape, float *out, akin_error *err);
akin_status akin_vit_backward(akin_net *net, const akin_work *work, const akin_image_input *input,
                              const akin_image_tape *tape, const float *dout, akin_error *err);
void akin_vit_clear(akin_net *net); /* frees what bind allocated */

akin_status akin_text_bind(akin_net *net, akin_error *err);
void akin_text_draw(akin_net *net, uint64_t seed);
akin_status akin_text_forward(akin_net *net, const akin_work *work, const akin_text_input *input,
                              akin_text_tape **tape, float *out, akin_error *err);
akin_status akin_text_backward(akin_net *net, const akin_work *work, const akin_text_input *input,
                               const akin_text_tape *tape, const float *dout, akin_error *err);
void akin_text_clear(akin_net *net);

akin_status akin_resnet_net_bind(akin_net *net, akin_error *err);
void akin_resnet_net_draw(akin_net *net, uint64_t seed);
akin_status akin_resnet_net_forward(akin_net *net, const akin_work *work,
                                    const akin_image_input *input, akin_image_tape **tape,
                                    float *out, akin_error *err);
akin_status akin_resnet_net_backward(akin_net *net, const akin_work *work,
                                     const akin_image_input *input, const akin_image_tape *tape,
                                     const float *dout, akin_error *err);
void akin_resnet_net_clear(akin_net *net);

#endif
