// Attention for every processor.
#define LANES 8
#define NAME fb_attend8
#include "loops.h"
#define CLONES WIDEST
#include "attend.h"
