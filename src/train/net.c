/* net.c - both towers as one net: what they share, and its files. */
#include "train/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "models/bind.h"
#include "models/clip.h"
#include "models/clip_names.h"
#include "train/resnet_grad.h"
#include "train/towers.h"
#include "weights/safetensors_write.h"

/* ---- Making ---------------------------------------------------------------------------------- */

akin_status akin_net_new(akin_net **out, const akin_clip_config *config, akin_error *err)
{
    akin_status status;
    akin_net *net = calloc(1, sizeof *net);
    if (net == NULL)
        return akin_fail_nomem(err, "model", sizeof *net);
    net->config = *config;
    net->logit_scale =
        akin_parameters_add(&net->parameters, AKIN_PARAMETER_VECTOR, 0, NULL, "logit_scale");
    net->logit_bias = SIZE_MAX;
    if (config->logit_bias)
        net->logit_bias =
            akin_parameters_add(&net->parameters, AKIN_PARAMETER_VECTOR, 0, NULL, "logit_bias");
    AKIN_TRY(akin_text_bind(net, err));
    AKIN_TRY(config->resnet ? akin_resnet_net_bind(net, err) : akin_vit_bind(net, err));
out:
    if (status != AKIN_OK) {
        akin_net_free(net);
        net = NULL;
    }
    *out = net;
    return status;
}

void akin_net_free(akin_net *net)
{
    if (net == NULL)
        return;
    akin_text_clear(net);
    if (net->config.resnet)
        akin_resnet_net_clear(net);
    else
        akin_vit_clear(net);
    akin_parameters_clear(&net->parameters);
    free(net);
}

/* The scale and bias of SigLIP (Zhai et al. 2023, section 3.2) where there is a bias, else CLIP's
 * temperature of 0.07. */
void akin_net_draw(akin_net *net, uint64_t seed)
{
    akin_text_draw(net, seed);
    if (net->config.resnet)
        akin_resnet_net_draw(net, seed);
    else
        akin_vit_draw(net, seed);
    *akin_value(&net->parameters, net->logit_scale) =
        (float)log(net->config.logit_bias ? 10.0 : 1.0 / 0.07);
    if (net->config.logit_bias)
        *akin_value(&net->parameters, net->logit_bias) = -10.0f;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* A bias that the file does not have keeps its value. */
akin_status akin_net_read(akin_net *net, const char *folder, akin_error *err)
{
    const akin_clip_config *config = &net->config;
    const akin_parameters *list = &net->parameters;
    akin_checkpoint *checkpoint = NULL;
    const akin_kernels *kernels;
    akin_slots slots = { .config = config->bare                          ? "the rest of the file"
                                   : config->form == AKIN_FORM_OPEN_CLIP ? "open_clip_config.json"
                                                                         : NULL };
    akin_status status;
    AKIN_TRY(akin_kernels_choose(NULL, &kernels, err));
    AKIN_TRY(akin_checkpoint_open_as(&checkpoint, folder, config->form, err));
    const bool bare_names = akin_clip_lacks_prefix(config, checkpoint);
    for (size_t i = 0; i < list->count; i++) {
        const akin_parameter *p = &list->items[i];
        const bool number = i == net->logit_scale || i == net->logit_bias;
        const bool prefixed = bare_names && strncmp(p->name, "text.", 5) == 0;
        const char *name = p->name + (prefixed ? 5 : 0);
        const akin_tensor *found = akin_checkpoint_find(checkpoint, name);
        if (p->kind == AKIN_PARAMETER_PRIVATE || (i == net->logit_bias && found == NULL))
            continue;
        /* open_clip takes a scalar for a vector of one, and the other way round. */
        const bool row = number && config->form == AKIN_FORM_OPEN_CLIP && found != NULL &&
                         found->dims == 1;
        akin_slots_add(&slots, row ? 1 : p->dims, row ? (const int64_t[]){ 1 } : p->shape, "%s",
                       name)
            ->values = akin_value(list, i);
    }
    AKIN_TRY(akin_bind_check(&slots, checkpoint, akin_clip_ignorable(config), err));
    AKIN_TRY(akin_bind_load(&slots, checkpoint, NULL, kernels, false, err));
out:
    akin_slots_clear(&slots);
    akin_checkpoint_close(checkpoint);
    return status;
}

akin_status akin_net_write(const akin_net *net, const char *path, bool f16, akin_error *err)
{
    typedef char counter[sizeof((akin_parameter *)0)->name];
    static const int64_t batches = 0; /* PyTorch reads it with momentum None alone */
    const akin_parameters *list = &net->parameters;
    akin_status status = AKIN_OK;
    akin_tensor_out *tensors = calloc(2 * list->count + 1, sizeof *tensors);
    counter *names = calloc(list->count + 1, sizeof *names);
    size_t count = 0;
    if (tensors == NULL || names == NULL) {
        status = akin_fail_nomem(err, "list of tensors", 0);
        goto out;
    }
    /* The widest first, which keeps them aligned. */
    for (size_t i = 0; i < list->count; i++)
        if (akin_resnet_tracked(&list->items[i], names[i]))
            tensors[count++] =
                (akin_tensor_out){ .name = names[i], .dtype = AKIN_I64, .data = &batches };
    for (size_t i = 0; i < list->count; i++) {
        const akin_parameter *p = &list->items[i];
        if (p->kind == AKIN_PARAMETER_PRIVATE)
            continue;
        akin_tensor_out *t = &tensors[count++];
        *t = (akin_tensor_out){ .name = p->name, .dtype = f16 ? AKIN_F16 : AKIN_F32,
                                .dims = p->dims, .data = akin_value(list, i) };
        memcpy(t->shape, p->shape, sizeof p->shape);
    }
    status = akin_safetensors_write(path, tensors, count, NULL, err);
out:
    free(names);
    free(tensors);
    return status;
}

/* ---- Learning -------------------------------------------------------------------------------- */

static void thaw(akin_net *net, size_t number)
{
    if (number < net->parameters.count)
        net->parameters.items[number].frozen = false;
}

void akin_net_freeze(akin_net *net, bool projections)
{
    akin_parameters *list = &net->parameters;
    for (size_t i = 0; i < list->count; i++)
        list->items[i].frozen = projections && list->items[i].kind != AKIN_PARAMETER_PRIVATE;
    if (!projections)
        return;
    thaw(net, net->logit_scale);
    thaw(net, net->logit_bias);
    if (!net->config.no_projection)
        thaw(net, net->text.projection_w);
    if (!net->config.no_projection && net->config.projection_bias)
        thaw(net, net->text.projection_b);
    if (net->config.resnet) {
        thaw(net, akin_parameters_find(list, "visual.attnpool.c_proj.weight"));
        thaw(net, akin_parameters_find(list, "visual.attnpool.c_proj.bias"));
    } else {
        thaw(net, net->vit.projection);
    }
}

akin_status akin_net_images(akin_net *net, const akin_work *work, const akin_image_input *input,
                            akin_image_tape **tape, float *out, akin_error *err)
{
    return net->config.resnet ? akin_resnet_net_forward(net, work, input, tape, out, err)
                              : akin_vit_forward(net, work, input, tape, out, err);
}

akin_status akin_net_images_back(akin_net *net, const akin_work *work,
                                 const akin_image_input *input, const akin_image_tape *tape,
                                 const float *dout, akin_error *err)
{
    return net->config.resnet ? akin_resnet_net_backward(net, work, input, tape, dout, err)
                              : akin_vit_backward(net, work, input, tape, dout, err);
}

akin_status akin_net_texts(akin_net *net, const akin_work *work, const akin_text_input *input,
                           akin_text_tape **tape, float *out, akin_error *err)
{
    return akin_text_forward(net, work, input, tape, out, err);
}

akin_status akin_net_texts_back(akin_net *net, const akin_work *work, const akin_text_input *input,
                                const akin_text_tape *tape, const float *dout, akin_error *err)
{
    return akin_text_backward(net, work, input, tape, dout, err);
}
