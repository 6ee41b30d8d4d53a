// C interface of what gotch's bindings lack. Tensors are torch::Tensor*, as in
// gotch; functions that can fail return NULL or non-zero and leave the reason
// in fb_error().
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

// The last failure of this thread; valid until the thread's next failure.
const char *fb_error(void);

// Process-wide settings.
int fb_tune_malloc(void);           // 0 if glibc took every setting
void fb_use_size_classes(void);     // see allocator.cpp
const char *fb_load_cuda(void);     // NULL on success, else the loader's reason
void fb_deterministic(int on);
void fb_set_threads(int n);         // of an operation
const char *fb_version(void);       // libtorch's version

// Random numbers of the device's default generator.
int fb_seed(uint64_t seed);
void *fb_rng_state(int device);     // uint8 tensor
int fb_set_rng_state(int device, void *state);

// The gradient of n parameters over a team of `members`, and Adam's step on it.
// grads[k·n + i] is member k's handle of parameter i (member 0 is the leader, whose
// handles are those of params), shares[k] the weight of its gradient in the mean
// over members 0…k.
// fb_prepare gives the leader a gradient wherever a member has one, and says in
// has[i] whether that is so; a parameter with has[i] < 0 is left out and gets 0.
int fb_prepare(int n, int members, void **grads, int *has);
// fb_update is the step of one part of all parts of every parameter, so that
// each member can do one at the same time. steps[i] is 1 for the first update.
int fb_update(int part, int parts, int n, int members, void **grads, const double *shares, const int *has,
              void **m, void **v, const double *steps, double lr, double beta1, double beta2, double eps,
              double weight_decay);
void *fb_grad(void *param);         // new handle, NULL if there is no gradient
int fb_zero_grad(int n, void **params);
void *fb_parameter(void *from);     // the same memory as a leaf that wants gradients

// Decides which matrix products are used from here on: name, or for "" what suits the
// processor. Returns NULL, or the names that this processor can use. products.cpp.
const char *fb_choose_products(const char *name);
// What was chosen, for operands in float32 or in bfloat16; NULL if nothing multiplies bfloat16.
const char *fb_products(int bfloat16);

// a·b over the last two dimensions; x·w^T (+ b) over the last dimension.
void *fb_matmul(void *a, void *b);
void *fb_linear(void *x, void *w, void *b, int bfloat16);

// Mean cross-entropy of hidden·table^T (+ bias) over the classes lo…hi-1 (loss.cpp).
typedef struct {
  int64_t lo, hi;
  int bfloat16;
} fb_classes;
void *fb_cross_entropy(void *hidden, void *table, void *bias, void *target, fb_classes classes);

// Large tables of which a step reads few rows (rows.cpp): a table [V, d] or [V], Adam's
// moments of it, and for each row the step up to which it is updated, as int32.
typedef struct {
  void *p, *m, *v, *last;
  int64_t step; // updates of the table so far; for fb_update_rows with the one to be made
  double lr, beta1, beta2, eps;
} fb_rows;
// The number of rows from which a parameter's lookups have a sparse gradient.
enum { fb_sparse_from = 1 << 16 };
int fb_has_sparse_gradient(void *table); // whether those of this one do
// table[ids]. padding: row 0 gets no gradient. lazy: the state of the table, whose rows are
// brought up to date first; NULL if they are.
void *fb_lookup(void *table, void *ids, int padding, const fb_rows *lazy);
// The products [n, k] of vectors [n, d] with the rows ids [n, k] of a table [V, d], k of them for
// each vector. lazy as above.
void *fb_row_scores(void *vectors, void *table, void *ids, const fb_rows *lazy);
void *fb_no_steps(int64_t rows);         // last, before the first step
// Bring the rows of these ids up to date, or all of one part of all parts. Several threads
// may do this at a time.
int fb_catch_up(const fb_rows *t, void *ids);
int fb_catch_up_all(const fb_rows *t, int part, int parts);
// The step of one part of the rows that have a gradient. Members and shares as above.
int fb_update_rows(const fb_rows *t, int part, int parts, int members, void **params, const double *shares);
// sparse[i] says whether all gradients of parameter i are sparse.
int fb_sparse_gradients(int n, int members, void **params, int *sparse);
// Turns the sparse gradients of one parameter, `stride` handles apart, into dense ones.
int fb_to_dense(int members, void **params, int stride);

// The rate of libtorch's product [m, k] by [k, n] on this thread, in GFLOP/s: the median over
// `limit` seconds, on a CUDA device or, if that is negative, the CPU (rate.cpp). Negative on
// failure. fb_use_onednn makes oneDNN multiply float32, where it does so without rounding.
double fb_product_rate(int device, int64_t m, int64_t n, int64_t k, int bfloat16, double limit);
int fb_use_onednn(int on);

// out[B·V] = users·table^T (+ bias), without a gradient.
int fb_scores(void *users, void *table, void *bias, float *out, int64_t n);

// Zeroes elements with probability p and scales the rest by 1/(1-p).
// x has rows rows along its first dimension. On a CPU the mask of a row is a
// function of seed and the row's name; without names (NULL) the row's number is its
// name. A GPU draws from its generator.
void *fb_dropout(void *x, double p, uint64_t seed, const int64_t *names, int64_t rows);

// Attention over rows of different lengths (ragged.cpp). q [n, N·d] holds N queries
// of d floats per row, kv [M, 2d] keys and then values; the queries of row i see the
// rows spans[i][0] … spans[i][1]-1 of kv, at least one. Heads divide d. p, seed and
// names as for fb_dropout, applied to the attention weights of a row. The result is
// [n, N·d]. composed asks a CPU for the form that a GPU has (with dropout from its
// generator).
void *fb_attend(void *q, void *kv, void *spans, int64_t heads, double p, uint64_t seed, const int64_t *names,
                int composed);

// The same of T sequences of n rows each, whose queries all see the whole sequence:
// q [T·n, d], kv [T·n, 2d]. There is no dropout.
void *fb_attend_equal(void *q, void *kv, int64_t n, int64_t heads);

// The softmax-weighted mean of every prefix of every sequence (ragged.cpp):
// x [M, d] and logits a [M] hold the sequences one after the other, lengths [B]
// says how long each is. Row t of the result [M, d] is Σ softmax(a_s)·x_s over
// the rows s of t's own sequence up to t. composed as above.
void *fb_prefix_mean(void *x, void *a, void *lengths, int composed);

// x / max(‖x‖₂, 1e-12) by rows.
void *fb_normalize(void *x);

// x·Φ(x), elementwise (layer.cpp).
void *fb_gelu(void *x);

// LayerNorm of x plus add over the last dimension (layer.cpp), whose size is that of
// gain [w] and bias [w]. x and add have the same shape, and dropout is applied to
// add. With index [n], x is [n, w] and add is a table of such rows: row index[i] is
// added to row i, and dropout is applied to the result. p, seed and names as for
// fb_dropout.
typedef struct {
  float eps;
  double p;
  uint64_t seed;
  const int64_t *names;
} fb_norm_options;
void *fb_add_norm(void *x, void *add, void *index, void *gain, void *bias, const fb_norm_options *o);

// A mixture of experts (layer.cpp). o [n, N, H, e] holds the outputs of N experts in H
// heads, router [H, N·e, N] the routers' weights: routing [n, H, N] is the softmax of
// each head's experts, concatenated, times its router, and mixed [n, H, e] the sum of
// the experts with these weights. out receives mixed and routing. 0 on success.
int fb_mix_experts(void *o, void *router, void **out);

// Pure loops (kernels.c, layer.c, ragged.c and attend.h).
// keys[r] is what dropout derives the mask of row r from: a hash of seed and names[r],
// or r where names is NULL.
void fb_row_keys(const int64_t *names, int64_t rows, uint64_t seed, int64_t *keys);
// out = x/(1-p) where the element is kept, else 0.
void fb_dropout_rows(const float *x, float *out, const int64_t *keys, int64_t rows, int64_t width, double p);
// Turns a row of logits into scale·softmax in place; returns log Σ exp.
double fb_softmax_row(float *row, int64_t n, float scale);
// log Σ exp of a row, which is left alone.
double fb_logsumexp_row(const float *row, int64_t n);
// out = x·Φ(x); slope is its derivative.
void fb_gelu_block(const float *x, int64_t n, float *out, float *slope);

// A LayerNorm over each of the groups of width floats that make a row.
typedef struct {
  int64_t rows, groups, width;
  const int64_t *index; // [rows], or NULL; see fb_add_norm
  float eps;
  double p;
  const int64_t *keys; // [rows], from fb_row_keys; not read if p is 0
  const float *gain, *bias; // [width]
  float *normal, *scale; // [rows, groups, width] and [rows, groups]: normalised sums, and 1/σ
} fb_norm;
// x and out are [rows, groups·width], and so is add without index.
void fb_norm_forward(const fb_norm *a, const float *x, const float *add, float *out);
typedef struct {
  float *x, *add;     // overwritten; with index, add is added to
  float *gain, *bias; // added to
} fb_norm_gradients;
void fb_norm_backward(const fb_norm *a, const float *dout, const fb_norm_gradients *to);

typedef struct {
  int64_t rows, heads, experts, width;
  const float *router; // [heads, experts, experts·width]: fb_mix_experts's, transposed
} fb_mix;
void fb_mix_forward(const fb_mix *a, const float *o, float *routing, float *mixed);
typedef struct {
  const float *mixed, *routing; // of the results; routing may be NULL
  float *o;                     // overwritten
  float *router;                // added to, in the form of fb_mix
} fb_mix_gradients;
void fb_mix_backward(const fb_mix *a, const float *o, const float *routing, const fb_mix_gradients *g);
// Adam on a row of d numbers (rows.c): what n steps without a gradient do, where num[j]·c1[j] /
// (den[j]·c2[j]·√v + eps) is the share of m that step j moves p by, over lr, and a step with the gradient g.
typedef struct {
  int64_t n;
  const float *num, *den, *c1, *c2;
  float decay1, decay2, lr, eps;
} fb_missed;
typedef struct {
  float share1, beta2, share2, size, root2, eps; // 1-β1, β2, 1-β2, lr/(1-β1^t), 1/√(1-β2^t)
} fb_adam_step;
void fb_adam_missed(float *p, float *m, float *v, int64_t d, const fb_missed *s);
void fb_adam_row(float *p, float *m, float *v, const float *g, int64_t d, const fb_adam_step *s);
float fb_dot(const float *x, const float *y, int64_t d);
void fb_scaled(float *out, const float *x, float k, int64_t d);
void fb_add_scaled(float *sum, const float *x, float k, int64_t d);

// Sizes of an attention: all matrices are row-major; keys start at kv, values d
// floats later, and rows of kv are 2d apart, where d = heads·width. The width is a
// multiple of FB_LANES.
enum { FB_LANES = 8 };
typedef struct {
  int64_t rows, queries, heads, width; // queries of a row: N above
  const int64_t *spans;                // [rows][2]
  float scale;                         // of the scores
  double p;                            // dropout of the weights
  const int64_t *keys;                 // [rows], from fb_row_keys; not read if p is 0
} fb_attention;
// The loops of an attention, for one length of vectors.
typedef struct {
  // weights receives the softmax before dropout; what dropout drops has a minus sign. It is
  // Σ queries·heads·(span length) long, and FB_BEHIND more, which are overwritten.
  void (*forward)(const fb_attention *a, const float *q, const float *kv, float *weights, float *out);
  // Overwrites dq and adds to dkv, which must be zeroed. Reads all of weights.
  void (*backward)(const fb_attention *a, const float *q, const float *kv, const float *weights, const float *dout, float *dq,
                   float *dkv);
} fb_attention_loops;
extern const fb_attention_loops fb_attend8, fb_attend16; // fb_attend16 needs AVX-512
enum { FB_BEHIND = 16 };
// old[t] and fresh[t] receive the shares of row t-1's mean and of x_t in row t's.
void fb_prefix_mean_forward(const float *x, const float *a, const int64_t *lengths, int64_t rows, int64_t d,
                            float *old, float *fresh, float *out);
void fb_prefix_mean_backward(const float *x, const int64_t *lengths, int64_t rows, int64_t d, const float *old,
                             const float *fresh, const float *out, const float *dout, float *dx, float *da);

#ifdef __cplusplus
}
#endif
