/* resnet_grad.h - parameters of CLIP's ModifiedResNet (resnet_grad.c). */
#ifndef AKIN_TRAIN_RESNET_GRAD_H
#define AKIN_TRAIN_RESNET_GRAD_H

#include "train/towers.h"

#endif
