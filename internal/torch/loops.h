// What the files of vectorised loops share. Each function marked WIDEST is
// compiled three times and the loader picks the widest that the processor has,
// so one binary serves every x86-64 machine. GCC 11 and older cannot do that: their
// binary needs AVX2, which set-up checks.
#pragma once
#include "native.h"
#include <math.h>
#include <string.h>

// Without these gcc refuses to vectorise the loops; none of them changes a
// result here (no traps, no errno, no signed zeros are looked at). Sums may be
// reassociated only where a pragma says so.
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno", "no-signed-zeros")

#if defined(__x86_64__) && __GNUC__ >= 12
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#elif defined(__x86_64__)
#define WIDEST __attribute__((target("avx2,fma,bmi,bmi2")))
#else
#define WIDEST
#endif

// exp(x) for x <= 0 within 2 ulp, 0 below -87 (Cephes' expf: reduction by ln 2
// in two parts, degree-5 polynomial, exponent put in by integer shift).
static inline __attribute__((always_inline)) float exp_nonpositive(float x) {
  float clamped = x < -87.0f ? -87.0f : x;
  float shifted = clamped * 1.44269504088896341f + 12582912.0f; // 1.5·2^23 rounds to an integer
  float n = shifted - 12582912.0f;
  float r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (int32_t)((uint32_t)bits << 23) + 0x3f800000;
  float scale;
  memcpy(&scale, &bits, sizeof scale);
  float e = p * scale;
  return x < -87.0f ? 0.0f : (x == x ? e : x); // NaN stays NaN
}

// The key of a row of a dropout call: a function of the call's seed and the row's
// name. It is one output of SplitMix64 (Steele, Lea and Flood 2014).
static inline __attribute__((always_inline)) uint64_t row_key(uint64_t seed, int64_t name) {
  uint64_t x = seed + (uint64_t)name * 0x9e3779b97f4a7c15U;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9U;
  x = (x ^ x >> 27) * 0x94d049bb133111ebU;
  return x ^ x >> 31;
}

// Whether dropout drops an element of the row with that key. One hash per element
// decides, so the mask depends neither on the number of threads nor on the order of
// work, and the backward pass computes it again instead of reading it. The hash is
// C. Wellons's "lowbias32" of the column, with one half of the key added before its
// rounds and the other between them. threshold is drop_threshold(p).
static inline __attribute__((always_inline)) int dropped(uint32_t column, uint64_t key, int32_t threshold) {
  uint32_t h = column ^ (uint32_t)key;
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  h += (uint32_t)(key >> 32);
  h *= 0x846ca68bU;
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  return (int32_t)(h ^ 0x80000000U) < threshold;
}

// Signed, because vector units compare signed numbers.
static inline int32_t drop_threshold(double p) { return (int32_t)(p * 4294967296.0 - 2147483648.0); }
