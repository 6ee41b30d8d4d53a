// Loops over rows of scores (count.c). Rows are width long; column 0 is padding and is passed over.
#pragma once
#include <stdint.h>

// counts[i] receives how many items of row i do not score below item targets[i].
void fb_count_not_below(const float *rows, int64_t n, int64_t width, const int32_t *targets, int32_t *counts);
// The items of a row, ascending, whose score is not below the m-th highest of the maxima of
// its fb_groups(width) groups; all items if there are fewer groups. Returns their number.
// out has room for width of them, work for fb_groups(width) + m floats.
int64_t fb_groups(int64_t width);
int64_t fb_candidates(const float *row, int64_t width, int64_t m, float *work, int32_t *out);
