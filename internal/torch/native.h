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

// Mean cross-entropy of hidden·table^T (+ bias) over the classes lo…hi-1.
void *fb_cross_entropy(void *hidden, void *table, void *bias, void *target, int64_t lo, int64_t hi);

// The rate of libtorch's product [m, k] by [k, n] on this thread, in GFLOP/s: the median over
// `limit` seconds, on a CUDA device or, if that is negative, the CPU (rate.cpp). Negative on
// failure. fb_use_onednn makes oneDNN multiply float32, where it does so without rounding.
double fb_product_rate(int device, int64_t m, int64_t n, int64_t k, int bfloat16, double limit);
int fb_use_onednn(int on);

// out[B·V] = users·table^T (+ bias), without a gradient.
int fb_scores(void *users, void *table, void *bias, float *out, int64_t n);

// Zeroes elements with probability p and scales the rest by 1/(1-p).
// On a CPU the mask is a function of seed; a GPU draws from its generator.
void *fb_dropout(void *x, double p, uint64_t seed);

// Attention over rows of different lengths (ragged.cpp). q [N, d] holds queries,
// kv [M, 2d] keys and then values; query i sees the rows spans[i][0] …
// spans[i][1]-1 of kv, at least one. Heads divide d. p and seed as for fb_dropout,
// applied to the attention weights. The result is [N, d]. composed asks a CPU for
// the form that a GPU has (with dropout from its generator).
void *fb_attend(void *q, void *kv, void *spans, int64_t heads, double p, uint64_t seed, int composed);

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

// Pure loops (kernels.c and ragged.c).
// out = x·scale where element first+i of the stream seed is kept, else 0.
void fb_dropout_block(const float *x, float *out, int64_t first, int64_t n, uint64_t seed, double p);
// Turns a row of logits into scale·softmax in place; returns log Σ exp.
double fb_softmax_row(float *row, int64_t n, float scale);
// log Σ exp of a row, which is left alone.
double fb_logsumexp_row(const float *row, int64_t n);

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
void fb_add_scaled(float *sum, const float *x, float k, int64_t d);

// Sizes of an attention: all matrices are row-major; keys start at kv, values d
// floats later, and rows of kv are 2d apart, where d = heads·width.
typedef struct {
  int64_t queries, heads, width;
  const int64_t *spans; // [queries][2]
  float scale;          // of the scores
  double p;             // dropout of the weights
  uint64_t seed;
} fb_attention;
// weights, Σ heads·(span length) long, receives the softmax before dropout.
void fb_attend_forward(const fb_attention *a, const float *q, const float *kv, float *weights, float *out);
// Adds to dq and dkv, which must be zeroed.
void fb_attend_backward(const fb_attention *a, const float *q, const float *kv, const float *weights,
                        const float *dout, float *dq, float *dkv);
// old[t] and fresh[t] receive the shares of row t-1's mean and of x_t in row t's.
void fb_prefix_mean_forward(const float *x, const float *a, const int64_t *lengths, int64_t rows, int64_t d,
                            float *old, float *fresh, float *out);
void fb_prefix_mean_backward(const float *x, const int64_t *lengths, int64_t rows, int64_t d, const float *old,
                             const float *fresh, const float *out, const float *dout, float *dx, float *da);

#ifdef __cplusplus
}
#endif
