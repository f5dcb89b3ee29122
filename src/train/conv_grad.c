/* conv_grad.c - the convolutions of training, as they read. */
#include <string.h>

#include "train/conv_grad.h"

/* Calls for each pair of positions that a weight joins. */
static void each(const akin_filters *f, size_t count, size_t height, size_t width, const float *x,
                 float *y, const float *dy, float *dx, float *dw)
{
    const size_t oh = akin_filters_size(f, height), ow = akin_filters_size(f, width);
    const size_t k = f->kernel, pad = k / 2;
    for (size_t n = 0; n < count * oh * ow; n++)
        for (size_t t = 0; t < k * k; t++) {
            const size_t py = n / ow % oh * f->stride + t / k, px = n % ow * f->stride + t % k;
            if (py < pad || py - pad >= height || px < pad || px - pad >= width)
                continue;
            const size_t at = ((n / (oh * ow) * height + py - pad) * width + px - pad) * f->in;
            for (size_t o = 0; o < f->out; o++)
                for (size_t i = 0; i < f->in; i++) {
                    const size_t w = (o * f->in + i) * k * k + t;
                    if (y != NULL)
                        y[n * f->out + o] += x[at + i] * f->w[w];
                    if (dx != NULL)
                        dx[at + i] += dy[n * f->out + o] * f->w[w];
                    if (dw != NULL)
                        dw[w] += dy[n * f->out + o] * x[at + i];
                }
        }
}

akin_status akin_filters_forward(const akin_work *work, const akin_filters *bank, const float *x,
                                size_t count, size_t height, size_t width, float *y,
                                akin_error *err)
{
    (void)work;
    (void)err;
    memset(y, 0, count * akin_filters_size(bank, height) * akin_filters_size(bank, width) *
                     bank->out * sizeof *y);
    each(bank, count, height, width, x, y, NULL, NULL, NULL);
    return AKIN_OK;
}

akin_status akin_filters_backward(const akin_work *work, const akin_filters *bank,
                                 const float *x, size_t count, size_t height, size_t width,
                                 const float *dy, float *dx, float *dw, akin_error *err)
{
    (void)work;
    (void)err;
    if (dx != NULL)
        memset(dx, 0, count * height * width * bank->in * sizeof *dx);
    each(bank, count, height, width, x, NULL, dy, dx, dw);
    return AKIN_OK;
}
