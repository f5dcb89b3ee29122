/* transformer.h - multi-head attention and the pre-norm encoder of CLIP's two towers.
 *
 * Sequences of different lengths lie one behind the other as rows of one matrix, without padding:
 * the linear layers see one tall matrix, attention sees each sequence alone.
 */
#ifndef AKIN_NN_TRANSFORMER_H
#define AKIN_NN_TRANSFORMER_H

#include <stddef.h>

#include "nn/linear.h"
#include "nn/nn.h"

/* One sequence, and which of its positions ask. */
typedef struct akin_span {
    size_t start;       /* its first row */
    size_t length;      /* its rows */
    size_t query_first; /* positions [query_first, query_first + query_count) are computed */
    size_t query_count;
    size_t out_row;     /* where the first of them goes in the result */
} akin_span;

/* out = softmax(q k^T / sqrt(d / heads)) v, a head and a sequence at a time.
 * qkv [rows, 3 d]: queries, keys, values side by side; out [.., d]. d is a multiple of heads.
 * causal: a position sees itself and those before it. */
akin_status akin_attention_run(const akin_nn *nn, const float *qkv, size_t d, size_t heads,
                               const akin_span *spans, size_t count, bool causal, float *out,
                               akin_error *err);

/* x += out(attention(norm1(x))); x += fc2(activation(fc1(norm2(x)))). */
typedef struct akin_encoder_layer {
    akin_norm norm1;
    akin_linear qkv; /* [3 d, d]: query, key, value rows */
    akin_linear out; /* [d, d] */
    akin_norm norm2;
    akin_linear fc1; /* [hidden, d] */
    akin_linear fc2; /* [d, hidden] */
} akin_encoder_layer;

typedef struct akin_encoder {
    size_t d, heads, hidden;
    akin_activation activation;
    bool causal;
    size_t layer_count;
    akin_encoder_layer *layers;
} akin_encoder;

/* x [rows, d], changed; starts[s] is the first row of sequence s, starts[count] = rows. pooled[s]
 * is the one position of sequence s whose final state is wanted: out [count, d]. The last layer is
 * computed for those positions alone (the same bits; 1/16 less work in a tower of 12 layers).
 * pooled NULL: the final states of all positions are left in x, and out is not written. */
akin_status akin_encoder_run(const akin_nn *nn, const akin_encoder *encoder, float *x,
                             const size_t *starts, const size_t *pooled, size_t count, float *out,
                             akin_error *err);

/* y = layernorm(x), rows of n with strides ldx and ldy; y may be x. */
void akin_norm_run(const akin_nn *nn, const akin_norm *norm, const float *x, size_t ldx,
                   size_t rows, size_t n, float *y, size_t ldy);

#endif
