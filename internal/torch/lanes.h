// Eight or sixteen floats as one value, for loops over few elements: those of a head, the
// keys of a short sequence. Compilers vectorise such loops badly, because they add up the
// lanes of a sum one after the other and leave short rests to scalar code. These are
// vector types of GNU C, which are mapped to what the processor has. A file that wants
// `lanes` of sixteen says so; where vectors are shorter, GCC makes slow code of them.
#pragma once
#include "loops.h"

#pragma GCC diagnostic ignored "-Wpsabi" // vectors are passed to inlined functions only

#define INLINE static inline __attribute__((always_inline))

typedef float eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t eight_int __attribute__((vector_size(32), aligned(4), may_alias));
#define EIGHT FB_LANES

INLINE eight load_eight(const float *p) { return *(const eight *)p; }
INLINE void store_eight(float *p, eight v) { *(eight *)p = v; }

INLINE float sum_eight(eight v) {
  const eight four = v + __builtin_shuffle(v, (eight_int){4, 5, 6, 7, 0, 1, 2, 3});
  const eight two = four + __builtin_shuffle(four, (eight_int){2, 3, 0, 1, 6, 7, 4, 5});
  return two[0] + two[1];
}

// Σ x and Σ x·y of n floats.
INLINE float total(const float *x, int64_t n) {
  eight sum = {0};
  int64_t i = 0;
  for (; i + EIGHT <= n; i += EIGHT) sum += load_eight(x + i);
  float out = sum_eight(sum);
  for (; i < n; i++) out += x[i];
  return out;
}

INLINE float dot(const float *x, const float *y, int64_t n) {
  eight sum = {0};
  int64_t i = 0;
  for (; i + EIGHT <= n; i += EIGHT) sum += load_eight(x + i) * load_eight(y + i);
  float out = sum_eight(sum);
  for (; i < n; i++) out += x[i] * y[i];
  return out;
}

#ifndef LANES
#define LANES 8
#endif
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t lanes_int __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t lanes_word __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#if LANES == 16
#define COUNTED {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#else
#define COUNTED {0, 1, 2, 3, 4, 5, 6, 7}
#endif

INLINE lanes load(const float *p) { return *(const lanes *)p; }
INLINE void store(float *p, lanes v) { *(lanes *)p = v; }
INLINE lanes all(float x) { return x - (lanes){0}; }
INLINE int64_t round_up(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

// −1 in the first n.
INLINE lanes_int first_of(int64_t n) { return (lanes_int)COUNTED < (int32_t)n; }

// a where the mask is −1, b where it is 0.
INLINE lanes where(lanes_int mask, lanes a, lanes b) { return (lanes)((mask & (lanes_int)a) | (~mask & (lanes_int)b)); }

INLINE float sum_lanes(lanes v) {
  eight part[LANES / 8];
  memcpy(part, &v, sizeof v);
  for (int i = 1; i < LANES / 8; i++) part[0] += part[i];
  return sum_eight(part[0]);
}

INLINE eight higher(eight a, eight b) {
  const eight_int mask = a > b;
  return (eight)((mask & (eight_int)a) | (~mask & (eight_int)b));
}

INLINE float max_lanes(lanes v) {
  eight part[LANES / 8];
  memcpy(part, &v, sizeof v);
  eight m = higher(part[0], part[LANES / 8 - 1]);
  m = higher(m, __builtin_shuffle(m, (eight_int){4, 5, 6, 7, 0, 1, 2, 3}));
  m = higher(m, __builtin_shuffle(m, (eight_int){2, 3, 0, 1, 6, 7, 4, 5}));
  return m[0] > m[1] ? m[0] : m[1];
}

// exp_nonpositive and dropped of loops.h, the latter for the columns from the given one.
INLINE lanes exp_lanes(lanes x) {
  const lanes low = all(-87.0f), magic = all(12582912.0f);
  const lanes clamped = where(x < low, low, x), shifted = clamped * 1.44269504088896341f + magic, n = shifted - magic;
  const lanes r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
  lanes p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const lanes_int scale = ((lanes_int)shifted << 23) + 0x3f800000;
  const lanes e = where(x < low, all(0), p * (lanes)scale);
  return where(x == x, e, x); // NaN stays NaN
}

INLINE lanes_int dropped_lanes(uint32_t column, uint64_t key, int32_t threshold) {
  lanes_word h = (lanes_word)COUNTED + column;
  h ^= (uint32_t)key;
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  h += (uint32_t)(key >> 32);
  h *= 0x846ca68bU;
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  return (lanes_int)(h ^ 0x80000000U) < threshold;
}
