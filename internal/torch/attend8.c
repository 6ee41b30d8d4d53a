// Attention for every processor.
#define LANES 8
#define NAME fb_attend8
#include "loops.h"
#if defined(__x86_64__)
#define CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
#include "attend.h"
