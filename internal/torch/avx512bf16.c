// Products of bfloat16 numbers, added up in float32, with AVX512-BF16.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prefer-vector-width=512")
#include "avx512.h"
typedef int element; // a pair of numbers
#define PER_ELEMENT 2
#define MULADD(c, b, a) _mm512_dpbf16_ps(c, (__m512bh)(b), (__m512bh)_mm512_set1_epi32(a))
#define FORM fb_avx512bf16
#define NAME "bfloat16"
#include "tile.h"
#include "fused.h"
#endif
