// Attention for processors with AVX-512.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#define LANES 16
#define NAME fb_attend16
#define CLONES
#include "attend.h"
#endif
