// Vectors of AVX-512 for tile.h and fused.h.
#include <immintrin.h>
#define WIDTH 16
#define MR 6
#define NV 4
typedef __m512 vec;
typedef __mmask16 mask;
#define ZERO _mm512_setzero_ps()
#define ALL(x) _mm512_set1_ps(x)
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define FIRST(n) ((__mmask16)((1u << (n)) - 1))
#define MASKED_LOAD(p, m) _mm512_maskz_loadu_ps(m, p)
#define MASKED_STORE(p, m, v) _mm512_mask_storeu_ps(p, m, v)
#define MAX(a, b) _mm512_max_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define HIGHEST(v) _mm512_reduce_max_ps(v)
#define TOTAL(v) _mm512_reduce_add_ps(v)
#define TRANSPOSE(v) transpose16(v)
#define NEAREST(v) _mm512_roundscale_ps(v, 0)
// p·2^n where t is not below −87 (or is NaN), 0 elsewhere.
#define POWER(p, n, t) _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(t, ALL(-87), _CMP_NLT_UQ), p, n)

// Each step merges pairs of vectors: of 1, 2, 4 and 8 neighbouring numbers.
static inline __attribute__((always_inline)) void transpose16(__m512 *v) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      __m512d a = (__m512d)t[i + j], b = (__m512d)t[i + j + 2];
      v[i + 2 * j] = (__m512)_mm512_unpacklo_pd(a, b);
      v[i + 2 * j + 1] = (__m512)_mm512_unpackhi_pd(a, b);
    }
  for (int i = 0; i < 16; i += 8)
    for (int j = 0; j < 4; j++) {
      t[i + j] = _mm512_shuffle_f32x4(v[i + j], v[i + j + 4], 0x88);
      t[i + j + 4] = _mm512_shuffle_f32x4(v[i + j], v[i + j + 4], 0xdd);
    }
  for (int j = 0; j < 8; j++) {
    v[j] = _mm512_shuffle_f32x4(t[j], t[j + 8], 0x88);
    v[j + 8] = _mm512_shuffle_f32x4(t[j], t[j + 8], 0xdd);
  }
}
