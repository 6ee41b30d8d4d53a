// Products in float32 with AVX-512.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#include "avx512.h"
typedef float element;
#define PER_ELEMENT 1
#define MULADD(c, b, a) FMA(b, ALL(a), c)
#define FORM fb_avx512
#define NAME "avx512"
#include "tile.h"
#include "fused.h"
#endif
