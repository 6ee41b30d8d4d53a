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
#define NEAREST(v) _mm512_roundscale_ps(v, 0)
// p·2^n where t is not below −87 (or is NaN), 0 elsewhere.
#define POWER(p, n, t) _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(t, ALL(-87), _CMP_NLT_UQ), p, n)
