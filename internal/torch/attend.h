// Attention over sequences of different lengths that lie one after the other. The file that
// includes this one defines LANES, the floats in a vector, CLONES, the processors for which
// its functions are compiled, and the NAME of the fb_attention_loops that it makes.
//
// Keys that several rows see are transposed first, so that a vector holds the products of a
// query with neighbouring keys.
#include "lanes.h"

#include <stdlib.h>

// transpose writes n rows of w floats, stride apart, as columns: [w, ld], with zeros behind n.
INLINE void transpose(const float *rows, int64_t stride, int64_t n, int64_t w, float *columns, int64_t ld) {
  for (int64_t j = 0; j < ld; j += EIGHT)
    for (int64_t i = 0; i < w; i += EIGHT) {
      eight v[EIGHT], t[EIGHT]; // rows, then merged pairs of 1, 2 and 4 neighbours
      for (int k = 0; k < EIGHT; k++) v[k] = j + k < n ? load_eight(rows + (j + k) * stride + i) : (eight){0};
      for (int k = 0; k < EIGHT; k += 2) {
        t[k] = __builtin_shuffle(v[k], v[k + 1], (eight_int){0, 8, 1, 9, 4, 12, 5, 13});
        t[k + 1] = __builtin_shuffle(v[k], v[k + 1], (eight_int){2, 10, 3, 11, 6, 14, 7, 15});
      }
      for (int k = 0; k < EIGHT; k += 4)
        for (int m = 0; m < 2; m++) {
          v[k + 2 * m] = __builtin_shuffle(t[k + m], t[k + m + 2], (eight_int){0, 1, 8, 9, 4, 5, 12, 13});
          v[k + 2 * m + 1] = __builtin_shuffle(t[k + m], t[k + m + 2], (eight_int){2, 3, 10, 11, 6, 7, 14, 15});
        }
      for (int k = 0; k < 4; k++) {
        store_eight(columns + (i + k) * ld + j, __builtin_shuffle(v[k], v[k + 4], (eight_int){0, 1, 2, 3, 8, 9, 10, 11}));
        store_eight(columns + (i + k + 4) * ld + j, __builtin_shuffle(v[k], v[k + 4], (eight_int){4, 5, 6, 7, 12, 13, 14, 15}));
      }
    }
}

// to[j] = x · row j for j < n. The rows are read from their columns, unless ld is 0. Up to
// a vector after to[n-1] is overwritten.
INLINE void dots(const float *x, const float *rows, int64_t stride, const float *columns, int64_t ld, int64_t n, int64_t w,
                 float *to) {
  if (ld) {
    for (int64_t j = 0; j < n; j += LANES) {
      const float *c = columns + j;
      lanes even = {0}, odd = {0}; // two sums, because one would wait for itself
      for (int64_t i = 0; i < w; i += 2, c += 2 * ld) {
        even += x[i] * load(c);
        odd += x[i + 1] * load(c + ld);
      }
      store(to + j, even + odd);
    }
    return;
  }
  for (int64_t j = 0; j < n; j += 4) { // four sums at a time are added up across lanes
    const float *r0 = rows + j * stride, *r1 = j + 1 < n ? r0 + stride : r0, *r2 = j + 2 < n ? r1 + stride : r1,
                *r3 = j + 3 < n ? r2 + stride : r2;
    eight a = {0}, b = a, c = a, d = a;
    for (int64_t i = 0; i < w; i += EIGHT) {
      const eight v = load_eight(x + i);
      a += v * load_eight(r0 + i);
      b += v * load_eight(r1 + i);
      c += v * load_eight(r2 + i);
      d += v * load_eight(r3 + i);
    }
    const eight_int low = {0, 8, 1, 9, 4, 12, 5, 13}, high = {2, 10, 3, 11, 6, 14, 7, 15};
    const eight ab = __builtin_shuffle(a, b, low) + __builtin_shuffle(a, b, high);
    const eight cd = __builtin_shuffle(c, d, low) + __builtin_shuffle(c, d, high);
    eight s = __builtin_shuffle(ab, cd, (eight_int){0, 1, 8, 9, 4, 5, 12, 13}) +
              __builtin_shuffle(ab, cd, (eight_int){2, 3, 10, 11, 6, 7, 14, 15});
    s += __builtin_shuffle(s, (eight_int){4, 5, 6, 7, 0, 1, 2, 3});
    memcpy(to + j, &s, 4 * sizeof *to);
  }
}

// out = Σ k[j] · row j.
INLINE void combine(const float *k, const float *rows, int64_t stride, int64_t n, int64_t w, float *out) {
  if (w % LANES == 0) {
    for (int64_t i = 0; i < w; i += LANES) {
      lanes even = {0}, odd = {0};
      for (int64_t j = 0; j + 1 < n; j += 2) {
        even += k[j] * load(rows + j * stride + i);
        odd += k[j + 1] * load(rows + (j + 1) * stride + i);
      }
      if (n % 2) even += k[n - 1] * load(rows + (n - 1) * stride + i);
      store(out + i, even + odd);
    }
    return;
  }
  for (int64_t i = 0; i < w; i += EIGHT) {
    eight even = {0}, odd = {0};
    for (int64_t j = 0; j + 1 < n; j += 2) {
      even += k[j] * load_eight(rows + j * stride + i);
      odd += k[j + 1] * load_eight(rows + (j + 1) * stride + i);
    }
    if (n % 2) even += k[n - 1] * load_eight(rows + (n - 1) * stride + i);
    store_eight(out + i, even + odd);
  }
}

// Row j of a matrix gets k[j]·x added, for j < n.
INLINE void spread(const float *k, const float *x, float *rows, int64_t stride, int64_t n, int64_t w) {
  if (w % LANES == 0) {
    for (int64_t i = 0; i < w; i += LANES) {
      const lanes v = load(x + i);
      for (int64_t j = 0; j < n; j++) store(rows + j * stride + i, load(rows + j * stride + i) + k[j] * v);
    }
    return;
  }
  for (int64_t i = 0; i < w; i += EIGHT) {
    const eight v = load_eight(x + i);
    for (int64_t j = 0; j < n; j++) store_eight(rows + j * stride + i, load_eight(rows + j * stride + i) + k[j] * v);
  }
}

// What the calculation of a sequence needs: two rows, as long as the longest span, rounded up;
// and columns, [d, the same].
typedef struct {
  float *scores, *kept, *columns;
} buffers;

// The caller frees scores.
static buffers allocate(const fb_attention *a) {
  int64_t longest = 1;
  for (int64_t i = 0; i < a->rows; i++)
    if (a->spans[2 * i + 1] - a->spans[2 * i] > longest) longest = a->spans[2 * i + 1] - a->spans[2 * i];
  const int64_t size = round_up(longest);
  float *scores = malloc((2 + a->heads * a->width) * size * sizeof *scores);
  return (buffers){scores, scores + size, scores + 2 * size};
}

// Rows begin…end-1 of an attention, which see the same keys from the first one on.
typedef struct {
  int64_t begin, end, first, ld; // ld: of their columns; 0 for a single row, which is not worth them
} sequence;

// sequence_at finds the rows from begin on and writes the columns of their keys or values,
// which begin at `matrix`, head after head.
INLINE sequence sequence_at(const fb_attention *a, int64_t begin, int64_t w, const float *matrix, float *columns) {
  sequence s = {begin, begin, a->spans[2 * begin], 0};
  int64_t n = 0, stride = 2 * a->heads * w;
  for (; s.end < a->rows && a->spans[2 * s.end] == s.first; s.end++) {
    const int64_t seen = a->spans[2 * s.end + 1] - s.first;
    n = seen > n ? seen : n;
  }
  if (s.end - s.begin == 1) return s;
  s.ld = round_up(n);
  for (int64_t h = 0; h < a->heads; h++) transpose(matrix + s.first * stride + h * w, stride, n, w, columns + h * w * s.ld, s.ld);
  return s;
}

// Turns n products with keys, in b.scores, into attention weights, and b.kept into the same
// after dropout. A weight that dropout drops gets a minus sign. column is that of the first
// weight. Up to a vector after weights[n-1] is overwritten.
INLINE void soften(const fb_attention *a, int64_t n, uint32_t column, uint64_t key, buffers b, float *weights) {
  const int32_t threshold = drop_threshold(a->p);
  const float keep = (float)(1.0 / (1.0 - a->p));
  lanes high = all(-INFINITY), sum = all(0);
  for (int64_t j = 0; j < n; j += LANES) {
    const lanes v = where(first_of(n - j), load(b.scores + j), all(-INFINITY));
    store(b.scores + j, v);
    high = where(v > high, v, high);
  }
  const float max = max_lanes(high);
  for (int64_t j = 0; j < n; j += LANES) {
    const lanes e = exp_lanes((load(b.scores + j) - max) * a->scale);
    store(b.scores + j, e);
    sum += e;
  }
  const float norm = 1.0f / sum_lanes(sum);
  for (int64_t j = 0; j < n; j += LANES) {
    const lanes v = load(b.scores + j) * norm;
    if (a->p > 0) {
      const lanes_int drop = dropped_lanes(column + (uint32_t)j, key, threshold);
      store(weights + j, where(drop, -v, v));
      store(b.kept + j, where(drop, all(0), v * keep));
    } else {
      store(weights + j, v);
      store(b.kept + j, v);
    }
  }
}

INLINE void attend(const fb_attention *a, int64_t w, const float *q, const float *kv, float *weights, float *out) {
  const int64_t d = a->heads * w, groups = a->queries * a->heads;
  const buffers b = allocate(a);
  for (int64_t begin = 0; begin < a->rows;) {
    const sequence s = sequence_at(a, begin, w, kv, b.columns);
    for (int64_t i = s.begin; i < s.end; i++) {
      const int64_t n = a->spans[2 * i + 1] - s.first;
      const uint64_t key = a->p > 0 ? (uint64_t)a->keys[i] : 0;
      for (int64_t g = 0, h = 0; g < groups; g++, weights += n, q += w, out += w) { // heads of the row's first query, then of the next
        const float *k = kv + s.first * 2 * d + h * w, *v = k + d;
        dots(q, k, 2 * d, b.columns + h * w * s.ld, s.ld, n, w, b.scores);
        soften(a, n, (uint32_t)(g * n), key, b, weights);
        combine(b.kept, v, 2 * d, n, w, out);
        if (++h == a->heads) h = 0;
      }
    }
    begin = s.end;
  }
  free(b.scores);
}

static CLONES void forward(const fb_attention *a, const float *q, const float *kv, float *weights, float *out) {
  switch (a->width) { // the usual ones as constants, for which the loops are unrolled
  case 32: attend(a, 32, q, kv, weights, out); break;
  case 16: attend(a, 16, q, kv, weights, out); break;
  default: attend(a, a->width, q, kv, weights, out);
  }
}

// Turns the gradients of n weights after dropout, in b.scores, into those of the products
// with keys, and writes the weights after dropout to b.kept. With D the gradient of a weight,
// that of its score is weight·(D - Σ weight·D).
INLINE void soften_backward(const fb_attention *a, int64_t n, const float *weights, buffers b) {
  const float keep = (float)(1.0 / (1.0 - a->p));
  lanes sum = all(0);
  for (int64_t j = 0; j < n; j += LANES) {
    const lanes_int inside = first_of(n - j);
    lanes grad = where(inside, load(b.scores + j), all(0)), weight = where(inside, load(weights + j), all(0));
    if (a->p > 0) {
      const lanes_int drop = (lanes_int)weight < 0;
      grad = where(drop, all(0), grad * keep);
      store(b.kept + j, where(drop, all(0), weight * keep));
      weight = where(drop, -weight, weight);
    } else {
      store(b.kept + j, weight);
    }
    store(b.scores + j, weight * grad);
    sum += weight * grad;
  }
  const float mean = sum_lanes(sum);
  for (int64_t j = 0; j < n; j += LANES) {
    const lanes weight = (lanes)((lanes_int)load(weights + j) & 0x7fffffff);
    store(b.scores + j, a->scale * (load(b.scores + j) - weight * mean));
  }
}

INLINE void attend_backward(const fb_attention *a, int64_t w, const float *q, const float *kv, const float *weights,
                            const float *dout, float *dq, float *dkv) {
  const int64_t d = a->heads * w, groups = a->queries * a->heads;
  const buffers b = allocate(a);
  for (int64_t begin = 0; begin < a->rows;) {
    const sequence s = sequence_at(a, begin, w, kv + d, b.columns);
    for (int64_t i = s.begin; i < s.end; i++) {
      const int64_t n = a->spans[2 * i + 1] - s.first;
      for (int64_t g = 0, h = 0; g < groups; g++, weights += n, q += w, dout += w, dq += w) {
        const int64_t at = s.first * 2 * d + h * w;
        const float *k = kv + at, *v = k + d;
        dots(dout, v, 2 * d, b.columns + h * w * s.ld, s.ld, n, w, b.scores);
        soften_backward(a, n, weights, b);
        combine(b.scores, k, 2 * d, n, w, dq);
        spread(b.scores, q, dkv + at, 2 * d, n, w);
        spread(b.kept, dout, dkv + at + d, 2 * d, n, w);
        if (++h == a->heads) h = 0;
      }
    }
    begin = s.end;
  }
  free(b.scores);
}

static CLONES void backward(const fb_attention *a, const float *q, const float *kv, const float *weights, const float *dout,
                            float *dq, float *dkv) {
  switch (a->width) {
  case 32: attend_backward(a, 32, q, kv, weights, dout, dq, dkv); break;
  case 16: attend_backward(a, 16, q, kv, weights, dout, dq, dkv); break;
  default: attend_backward(a, a->width, q, kv, weights, dout, dq, dkv);
  }
}

const fb_attention_loops NAME = {forward, backward};
