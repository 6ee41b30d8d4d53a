// Products in float32 with AVX2.
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#include <string.h>
#define WIDTH 8
#define MR 6
#define NV 2
typedef __m256 vec;
typedef __m256i mask;
#define ZERO _mm256_setzero_ps()
#define ALL(x) _mm256_set1_ps(x)
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define FIRST(n) _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define MASKED_LOAD(p, m) _mm256_maskload_ps(p, m)
#define MASKED_STORE(p, m, v) _mm256_maskstore_ps(p, m, v)
#define MAX(a, b) _mm256_max_ps(a, b)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define NEAREST(v) _mm256_round_ps(v, 0)
#define HIGHEST(v) fold(v, 1)
#define TOTAL(v) fold(v, 0)
#define TRANSPOSE(v) transpose8(v)
#define POWER(p, n, t) power(p, n, t)

static inline float fold(vec v, int highest) {
  for (int half = 4; half > 0; half /= 2)
    for (int i = 0; i < half; i++) v[i] = !highest ? v[i] + v[i + half] : v[i] > v[i + half] ? v[i] : v[i + half];
  return v[0];
}

// p·2^n where t is not below −87, NaN where it is NaN, 0 elsewhere.
static inline vec power(vec p, vec n, vec t) {
  __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  vec e = _mm256_and_ps(p * _mm256_castsi256_ps(exponent), _mm256_cmp_ps(t, ALL(-87), _CMP_NLT_UQ));
  return _mm256_blendv_ps(e, t, _mm256_cmp_ps(t, t, _CMP_UNORD_Q));
}

// Each step merges pairs of vectors: of 1, 2 and 4 neighbouring numbers.
static inline void transpose8(vec *v) {
  vec t[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int j = 0; j < 2; j++) {
      __m256d a = (__m256d)t[i + j], b = (__m256d)t[i + j + 2];
      v[i + 2 * j] = (vec)_mm256_unpacklo_pd(a, b);
      v[i + 2 * j + 1] = (vec)_mm256_unpackhi_pd(a, b);
    }
  for (int j = 0; j < 4; j++) {
    t[j] = _mm256_permute2f128_ps(v[j], v[j + 4], 0x20);
    t[j + 4] = _mm256_permute2f128_ps(v[j], v[j + 4], 0x31);
  }
  memcpy(v, t, sizeof t);
}

typedef float element;
#define PER_ELEMENT 1
#define MULADD(c, b, a) FMA(b, ALL(a), c)
#define FORM fb_avx2
#define NAME "avx2"
#include "tile.h"
#include "fused.h"
#endif
