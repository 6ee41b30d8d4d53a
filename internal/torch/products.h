// Our own matrix products and the cross-entropy that is fused with them, for
// x86-64. Each form is one source file (avx2.c, avx512.c, avx512bf16.c), compiled for
// the instructions that it needs from the templates tile.h and fused.h, and
// described by an fb_form. Nothing here calls libtorch or starts a thread: products.cpp
// and loss.cpp split the work.
#pragma once
#include <stdint.h>
// Whether the compiler knows AMX: GCC 11 and newer.
#if defined(__x86_64__) && defined(__linux__) && __has_include(<amxbf16intrin.h>)
#define FB_AMX 1
#endif
#ifdef __cplusplus
extern "C" {
#endif

// c[m, n] = a·b (+ bias, or + c). The forms in float32 multiply floats. The form in
// bfloat16 multiplies pairs: one element of a and b is two numbers that are neighbours
// along k, and k counts pairs.
typedef struct {
  int64_t m, n, k;
  const void *a; // element (i, p) is a[i·ai + p·ap]
  int64_t ai, ap;
  const void *b; // element (p, j) is b[p·ldb + j], or b[j·ldb + p] if transposed
  int64_t ldb;
  int transposed;
  float *c;
  int64_t ldc;
  const float *bias; // [n], or NULL
  int add;           // to what c holds; not together with bias
} fb_product;

// The mean cross-entropy of rows of hidden·tableᵀ + bias, and its gradients. Classes
// come in blocks of FB_BLOCK, rows in groups of FB_GROUP. The steps are rows, final,
// classes, targets. Every number is computed by one call in a fixed order, so
// results do not depend on how the calls of a step are spread over threads.
enum { FB_BLOCK = 192, FB_GROUP = 48, FB_STRIDE = FB_BLOCK + 16 };
typedef struct {
  int64_t rows, classes, d;
  int64_t total;         // rows of which the mean is taken; those here are a part
  const float *hidden;   // [rows, d]
  const float *table;    // [classes, d]
  const float *bias;     // [classes], or NULL
  const int64_t *target; // [rows]
  int grads;             // 0: only the loss
  int add;               // to dtable and dbias, instead of overwriting them
  int rounded;           // a form in float32 rounds the products' operands to bfloat16
  float *dhidden, *dtable, *dbias;
  // Written by rows.
  void *operand;  // [rows, k]: hidden in the operand's form; not used in float32
  void *weights;  // [blocks, rows, FB_STRIDE]: exponentials, 0 at the target
  float *highest; // [blocks, rows]: the logit to which they are relative
  float *max;     // [rows]: the highest logit without the target's
  double *sum;    // [rows]: of all exponentials relative to max
  float *logit;   // [rows]: the target's
  // Written by final.
  double *loss; // [rows], not divided by total
  float *unit;  // [rows]: gradient of a logit whose exponential is 1
  float *pull;  // [rows]: gradient of the target's logit
} fb_loss;

typedef struct {
  const char *name;
  void (*product)(const fb_product *);
  void (*rows)(const fb_loss *, int64_t begin, int64_t end, float *scratch); // groups; 2·FB_BLOCK·(d + 1) floats
  void (*final)(const fb_loss *);
  void (*classes)(const fb_loss *, int64_t begin, int64_t end, float *scratch); // blocks; (rows + 1)·(d + 2) floats
  void (*targets)(const fb_loss *);
  // For products of pairs (the form in bfloat16 only): rows of x [m, n] as [m, n/2]
  // pairs, and pairs of rows as [m/2, n].
  void (*pair_columns)(const float *x, int64_t ldx, int64_t m, int64_t n, int32_t *out);
  void (*pair_rows)(const float *x, int64_t ldx, int64_t m, int64_t n, int32_t *out);
} fb_form;
extern const fb_form fb_avx2, fb_avx512, fb_avx512bf16, fb_amx;

// bfloat16 by rounding to nearest, ties to even. NaN stays NaN.
static inline uint16_t fb_bfloat16(float x) {
  union { float f; uint32_t u; } v = {x};
  if (x != x) return (uint16_t)(v.u >> 16 | 0x40);
  return (uint16_t)((v.u + 0x7fff + (v.u >> 16 & 1)) >> 16);
}
static inline float fb_rounded(float x) {
  union { uint32_t u; float f; } v = {(uint32_t)fb_bfloat16(x) << 16};
  return v.f;
}

#ifdef __cplusplus
}
#endif
