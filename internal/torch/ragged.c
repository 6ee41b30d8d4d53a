// Loops over sequences of different lengths that lie one after the other, without
// padding. The matrices are small (a few rows of 16 to 64 floats), so a product
// of libtorch's would spend its time on being called.
#include "lanes.h"

#include <stdlib.h>

INLINE void add_scaled(float *to, const float *x, float k, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) to[i] += k * x[i];
}

enum { FEW = 4 }; // lanes of a head that stay in registers

// to[j] = x · row j of a matrix whose rows are stride apart, for j < n. Up to three
// floats after to[n-1] are overwritten. Four sums at a time are added up across lanes.
INLINE void dots(const float *x, const float *rows, int64_t stride, int64_t n, int64_t w, float *to) {
  for (int64_t j = 0; j < n; j += 4) {
    const float *r0 = rows + j * stride, *r1 = j + 1 < n ? r0 + stride : r0, *r2 = j + 2 < n ? r1 + stride : r1,
                *r3 = j + 3 < n ? r2 + stride : r2;
    lanes a = all(0), b = a, c = a, d = a;
    for (int64_t i = 0; i < w; i += LANES) {
      const lanes v = load(x + i);
      a += v * load(r0 + i);
      b += v * load(r1 + i);
      c += v * load(r2 + i);
      d += v * load(r3 + i);
    }
    const lanes_int low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15};
    const lanes ab = __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high);
    const lanes cd = __builtin_shuffle(c, d, low) + __builtin_shuffle(c, d, high);
    lanes s = __builtin_shuffle(ab, cd, (lanes_int){0, 1, 8, 9, 4, 5, 12, 13}) +
              __builtin_shuffle(ab, cd, (lanes_int){2, 3, 10, 11, 6, 7, 14, 15});
    s += __builtin_shuffle(s, (lanes_int){4, 5, 6, 7, 0, 1, 2, 3});
    memcpy(to + j, &s, 4 * sizeof *to);
  }
}

// out = Σ k[j] · row j.
INLINE void combine(const float *k, const float *rows, int64_t stride, int64_t n, int64_t w, float *out) {
  if (w <= FEW * LANES) {
    lanes sum[FEW] = {all(0), all(0), all(0), all(0)};
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < w / LANES; i++) sum[i] += k[j] * load(rows + j * stride + i * LANES);
    for (int64_t i = 0; i < w / LANES; i++) store(out + i * LANES, sum[i]);
    return;
  }
  memset(out, 0, w * sizeof *out);
  for (int64_t j = 0; j < n; j++) add_scaled(out, rows + j * stride, k[j], w);
}

// What the calculation of one query needs, each [longest span, rounded up].
typedef struct {
  float *weights, *kept, *grads;
} buffers;

// The caller frees weights.
static buffers allocate(const fb_attention *a) {
  int64_t longest = 1;
  for (int64_t i = 0; i < a->rows; i++)
    if (a->spans[2 * i + 1] - a->spans[2 * i] > longest) longest = a->spans[2 * i + 1] - a->spans[2 * i];
  const int64_t size = round_up(longest);
  float *all = malloc(3 * size * sizeof *all);
  return (buffers){all, all + size, all + 2 * size};
}

// Turns n products with keys, in b.weights, into attention weights, and b.kept into the
// same after dropout. column is that of the first weight.
INLINE void soften(const fb_attention *a, int64_t n, uint32_t column, uint64_t key, buffers b) {
  const int32_t threshold = drop_threshold(a->p);
  const float keep = (float)(1.0 / (1.0 - a->p));
  const int64_t end = round_up(n);
  for (int64_t j = n; j < end; j++) b.weights[j] = -INFINITY;
  lanes high = load(b.weights), sum = all(0);
  for (int64_t j = LANES; j < end; j += LANES) {
    const lanes v = load(b.weights + j);
    high = where(v > high, v, high);
  }
  const float max = max_lanes(high);
  for (int64_t j = 0; j < end; j += LANES) {
    const lanes e = exp_lanes((load(b.weights + j) - max) * a->scale);
    store(b.weights + j, e);
    sum += e;
  }
  const float norm = 1.0f / sum_lanes(sum);
  for (int64_t j = 0; j < end; j += LANES) {
    lanes v = load(b.weights + j) * norm;
    store(b.weights + j, v);
    if (a->p > 0) v = where(dropped_lanes(column + (uint32_t)j, key, threshold), all(0), v * keep);
    store(b.kept + j, v);
  }
}

INLINE void attend(const fb_attention *a, int64_t w, const float *q, const float *kv, float *weights, float *out) {
  const int64_t d = a->heads * w, groups = a->queries * a->heads;
  const buffers b = allocate(a);
  for (int64_t i = 0; i < a->rows; i++) {
    const int64_t n = a->spans[2 * i + 1] - a->spans[2 * i];
    const uint64_t key = a->p > 0 ? (uint64_t)a->keys[i] : 0;
    for (int64_t g = 0, h = 0; g < groups; g++, weights += n, q += w, out += w) { // heads of the row's first query, then of the next
      const float *k = kv + a->spans[2 * i] * 2 * d + h * w, *v = k + d;
      dots(q, k, 2 * d, n, w, b.weights);
      soften(a, n, (uint32_t)(g * n), key, b);
      memcpy(weights, b.weights, n * sizeof *weights);
      combine(b.kept, v, 2 * d, n, w, out);
      if (++h == a->heads) h = 0;
    }
  }
  free(b.weights);
}

WIDEST void fb_attend_forward(const fb_attention *a, const float *q, const float *kv, float *weights, float *out) {
  switch (a->width) { // the usual ones as constants, for which the loops are unrolled
  case 32: attend(a, 32, q, kv, weights, out); break;
  case 16: attend(a, 16, q, kv, weights, out); break;
  default: attend(a, a->width, q, kv, weights, out);
  }
}

// Turns the gradients of n weights after dropout, in b.grads, into those of the products
// with keys, and b.kept into the weights after dropout. With D the gradient of a weight,
// that of its score is weight·(D - Σ weight·D).
INLINE void soften_backward(const fb_attention *a, int64_t n, uint32_t column, uint64_t key, buffers b) {
  const int32_t threshold = drop_threshold(a->p);
  const float keep = (float)(1.0 / (1.0 - a->p));
  const int64_t end = round_up(n);
  for (int64_t j = n; j < end; j++) b.grads[j] = b.weights[j] = 0;
  lanes sum = all(0);
  for (int64_t j = 0; j < end; j += LANES) {
    const lanes weight = load(b.weights + j);
    lanes grad = load(b.grads + j), kept = weight;
    if (a->p > 0) {
      const lanes_int drop = dropped_lanes(column + (uint32_t)j, key, threshold);
      grad = where(drop, all(0), grad * keep);
      kept = where(drop, all(0), kept * keep);
    }
    store(b.grads + j, grad);
    store(b.kept + j, kept);
    sum += weight * grad;
  }
  const float mean = sum_lanes(sum);
  for (int64_t j = 0; j < end; j += LANES)
    store(b.grads + j, a->scale * load(b.weights + j) * (load(b.grads + j) - mean));
}

// Row j of a matrix gets k[j]·x added, for j < n.
INLINE void spread(const float *k, const float *x, float *rows, int64_t stride, int64_t n, int64_t w) {
  if (w <= FEW * LANES) {
    lanes v[FEW] = {all(0), all(0), all(0), all(0)};
    for (int64_t i = 0; i < w / LANES; i++) v[i] = load(x + i * LANES);
    for (int64_t j = 0; j < n; j++)
      for (int64_t i = 0; i < w / LANES; i++) {
        float *to = rows + j * stride + i * LANES;
        store(to, load(to) + k[j] * v[i]);
      }
    return;
  }
  for (int64_t j = 0; j < n; j++) add_scaled(rows + j * stride, x, k[j], w);
}

INLINE void attend_backward(const fb_attention *a, int64_t w, const float *q, const float *kv, const float *weights,
                            const float *dout, float *dq, float *dkv) {
  const int64_t d = a->heads * w, groups = a->queries * a->heads;
  const buffers b = allocate(a);
  for (int64_t i = 0; i < a->rows; i++) {
    const int64_t n = a->spans[2 * i + 1] - a->spans[2 * i];
    const uint64_t key = a->p > 0 ? (uint64_t)a->keys[i] : 0;
    for (int64_t g = 0, h = 0; g < groups; g++, weights += n, q += w, dout += w, dq += w) {
      const int64_t at = a->spans[2 * i] * 2 * d + h * w;
      const float *k = kv + at, *v = k + d;
      memcpy(b.weights, weights, n * sizeof *weights);
      dots(dout, v, 2 * d, n, w, b.grads);
      soften_backward(a, n, (uint32_t)(g * n), key, b);
      combine(b.grads, k, 2 * d, n, w, dq);
      spread(b.grads, q, dkv + at, 2 * d, n, w);
      spread(b.kept, dout, dkv + at + d, 2 * d, n, w);
      if (++h == a->heads) h = 0;
    }
  }
  free(b.weights);
}

WIDEST void fb_attend_backward(const fb_attention *a, const float *q, const float *kv, const float *weights,
                               const float *dout, float *dq, float *dkv) {
  switch (a->width) {
  case 32: attend_backward(a, 32, q, kv, weights, dout, dq, dkv); break;
  case 16: attend_backward(a, 16, q, kv, weights, dout, dq, dkv); break;
  default: attend_backward(a, a->width, q, kv, weights, dout, dq, dkv);
  }
}

// out_t = old_t·out_{t-1} + fresh_t·x_t, where the two factors add up to 1. They
// come from a running maximum and the sum of exponentials below it, so that
// nothing overflows however the logits range.
WIDEST void fb_prefix_mean_forward(const float *x, const float *a, const int64_t *lengths, int64_t rows, int64_t d,
                                   float *old, float *fresh, float *out) {
  int64_t t = 0;
  for (int64_t r = 0; r < rows; r++) {
    float max = a[t], sum = 0;
    for (int64_t first = t, end = t + lengths[r]; t < end; t++) {
      const float higher = a[t] > max ? a[t] : max, before = sum * expf(max - higher), now = expf(a[t] - higher);
      max = higher;
      sum = before + now;
      old[t] = before / sum;
      fresh[t] = now / sum;
      const float *xt = x + t * d, *previous = t > first ? out + (t - 1) * d : xt; // old is 0 at first
      float *o = out + t * d;
#pragma omp simd
      for (int64_t i = 0; i < d; i++) o[i] = old[t] * previous[i] + fresh[t] * xt[i];
    }
  }
}

// From the last row of each sequence to its first. With the gradient of a row from
// itself and all later ones, S_t = dout_t + old_{t+1}·S_{t+1}, and the same sum K_t
// of dout_u·out_u: dx_t = fresh_t·S_t and da_t = fresh_t·(x_t·S_t - K_t). S_{t+1} is
// what dx_{t+1} holds, less its factor, which may be 0: so the factors are put in
// afterwards.
WIDEST void fb_prefix_mean_backward(const float *x, const int64_t *lengths, int64_t rows, int64_t d, const float *old,
                                    const float *fresh, const float *out, const float *dout, float *dx, float *da) {
  int64_t first = 0;
  for (int64_t r = 0; r < rows; first += lengths[r++]) {
    const int64_t end = first + lengths[r];
    float later = 0; // K of the row after
    for (int64_t t = end - 1; t >= first; t--) {
      float *s = dx + t * d;
      memcpy(s, dout + t * d, d * sizeof *s);
      float k = dot(s, out + t * d, d);
      if (t + 1 < end) {
        add_scaled(s, s + d, old[t + 1], d);
        k += old[t + 1] * later;
      }
      later = k;
      da[t] = fresh[t] * (dot(x + t * d, s, d) - k);
    }
    for (int64_t t = first; t < end; t++) {
      float *s = dx + t * d;
#pragma omp simd
      for (int64_t i = 0; i < d; i++) s[i] *= fresh[t];
    }
  }
}
