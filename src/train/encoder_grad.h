/* encoder_grad.h - the pre-norm encoder of both towers, forward and backward, and what stands
 * around it: norms over rows, tables of embeddings, fresh values.
 *
 * Computes what nn/transformer.c does. Reference of gradients: PyTorch's autograd over open_clip
 * 3.3.0 ResidualAttentionBlock and transformers 5.23.0 CLIPEncoderLayer. */
#ifndef AKIN_TRAIN_ENCODER_GRAD_H
#define AKIN_TRAIN_ENCODER_GRAD_H

#include "cpu/gradient_kernels.h"
#include "train/net.h"

/* ---- Rows ----------------------------------------------------------------------------------- */

/* Numbers of a LayerNorm's parameters. */
typedef struct akin_norm_net {
    const akin_parameters *list;
    size_t w, b;
    float eps;
    size_t d;
} akin_norm_net;

/* y = norm(x), [rows, d]; norms [rows]. y may be x. */
void akin_rows_norm(const akin_work *work, const akin_norm_net *norm, const float *x, size_t rows,
                    float *y, akin_row_norm *norms);

/* dx = or, with `add`, += the gradient of x, and that of weight and bias are added to; dx may be dy
 * without `add`. */
akin_status akin_rows_norm_back(const akin_work *work, const akin_norm_net *norm, const float *x,
                                const akin_row_norm *norms, const float *dy, size_t rows, bool add,
                                float *dx, akin_error *err);

/* Row index[r] of table [.., d] += row r of x [rows, d], in the order of the rows. */
void akin_rows_scatter(const akin_work *work, const float *x, size_t rows, size_t d,
                       const uint32_t *index, float *table);

/* ---- Attention ------------------------------------------------------------------------------ */

/* One sequence: its keys and values are rows [start, start + length), its queries (and what they
 * attend to) rows [row, row + queries), which stand at the positions from `first` on. */
typedef struct akin_attention_span {
    size_t start, length, row, queries, first;
} akin_attention_span;

/* attended = softmax(q k^T / sqrt(d / heads)) v. Strides: ldq, ldkv; attended [.., d]. */
typedef struct akin_attention {
    const float *q, *k, *v;
    size_t ldq, ldkv, d, heads, count;
    const akin_attention_span *spans; /* [count] */
    bool causal;
} akin_attention;

akin_status akin_attention_forward(const akin_work *work, const akin_attention *attention,
                                   float *attended, akin_error *err);

/* dq, dk, dv, with the strides of q, k, v, are written. */
akin_status akin_attention_backward(const akin_work *work, const akin_attention *attention,
                                    const float *dattended, float *dq, float *dk, float *dv,
                                    akin_error *err);

/* ---- Encoder -------------------------------------------------------------------------------- */

typedef struct akin_layer_tape {
    float *x;        /* [rows, d]: what came in */
    float *qkv;      /* [rows, 3 d]; of a last layer that is pooled: q [count, d], then kv
                        [rows, 2 d] */
    float *attended; /* [live, d]; live: rows, or count in such a layer; so below */
    float *branch1, *branch2; /* [live, d] before their factors; NULL without layer_scale */
    float *middle;   /* [live, d]: the stream between attention and MLP */
    float *wide;     /* [live, hidden]: before the activation */
} akin_layer_tape;

/* One pass. What the caller fills in stays as it is until the backward pass. */
typedef struct akin_encoder_tape {
    const akin_parameters *list;
    const akin_encoder_net *net;
    size_t rows, count;
    const size_t *starts; /* [count + 1]: the first row of each sequence */
    const size_t *pooled; /* [count]: the row of each whose final state is wanted; NULL: all */
    /* From here on by forward. */
    size_t first;         /* the lowest layer that backward goes through */
    akin_layer_tape *layers;
} akin_encoder_tape;

/* Adds the parameters of the layers under the names of the net's form; `tower`: the prefix. */
akin_status akin_encoder_net_bind(akin_parameters *list, akin_encoder_net *net,
                                  const akin_tower_config *config, bool causal, akin_form form,
                                  const char *tower, akin_error *err);
void akin_encoder_net_clear(akin_encoder_net *net);

/* As open_clip draws those of its text towers, or, not text, of its VisionTransformer. */
void akin_encoder_net_draw(akin_parameters *list, const akin_encoder_net *net, uint64_t seed,
                           bool text);

/* x [rows, d] lies in the arena as long as the tape; out [count, d], or [rows, d] when all are
 * wanted. keep: for a backward pass, whose tape->layers then lie in the arena; below: something
 * that x was made of learns. */
akin_status akin_encoder_forward(akin_encoder_tape *tape, const akin_work *work, float *x,
                                 bool keep, bool below, float *out, akin_error *err);

/* Whether backward has anything to do. */
static inline bool akin_encoder_learns(const akin_encoder_tape *tape, bool below)
{
    return below || tape->first < tape->net->config.layers;
}

/* dout as out; dx [rows, d] is written, or NULL: nothing below learns. */
akin_status akin_encoder_backward(const akin_encoder_tape *tape, const akin_work *work,
                                  const float *dout, float *dx, akin_error *err);

/* ---- Fresh values --------------------------------------------------------------------------- */

/* A function of the seed, the parameter's number and the element. */
void akin_draw_normal(akin_parameters *list, size_t number, uint64_t seed, double deviation);
void akin_draw_uniform(akin_parameters *list, size_t number, uint64_t seed, double bound);
void akin_draw_constant(akin_parameters *list, size_t number, float value);

/* ---- For the towers ------------------------------------------------------------------------- */

static inline bool akin_learns(const akin_parameters *list, size_t number)
{
    return akin_gradient(list, number) != NULL;
}

/* Adds the weight and bias of a norm called `name` behind `prefix`. */
void akin_bind_norm_net(akin_parameters *list, size_t d, const char *prefix, const char *name,
                        size_t *w, size_t *b);


#endif
