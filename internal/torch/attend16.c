// Attention for processors with AVX-512.
#if defined(__x86_64__)
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define LANES 16
#define NAME fb_attend16
#define CLONES
#include "attend.h"
#endif
