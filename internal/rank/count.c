#include "count.h"
#include <math.h>

// gcc vectorises comparisons only if they raise no exceptions, which nobody looks at. Each
// function marked WIDEST is compiled three times, and the loader picks the widest that the
// processor has.
#pragma GCC optimize("O3", "no-trapping-math", "no-signed-zeros")
#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDEST
#endif

// The compiler turns the comparison into a mask and the sum into a subtraction of it.
static inline __attribute__((always_inline)) int32_t not_below(const float *row, int64_t n, float t) {
  int32_t count = 0;
#pragma omp simd reduction(+ : count)
  for (int64_t i = 0; i < n; i++) count += !(row[i] < t);
  return count;
}

WIDEST void fb_count_not_below(const float *rows, int64_t n, int64_t width, const int32_t *targets, int32_t *counts) {
  for (int64_t i = 0; i < n; i++) {
    const float *row = rows + i * width;
    counts[i] = not_below(row + 1, width - 1, row[targets[i]]);
  }
}

// Only groups whose highest score reaches the bound are looked at twice.
enum { group = 64 };

int64_t fb_groups(int64_t width) { return (width + group - 1) / group; }

// The m-th highest of n values, which are not NaN; -INFINITY if there are fewer.
static float nth_highest(const float *x, int64_t n, int64_t m, float *best) {
  if (n < m) return -INFINITY;
  int64_t held = 0; // best holds the highest so far, in descending order
  for (int64_t i = 0; i < n; i++) {
    if (held == m && x[i] <= best[m - 1]) continue;
    int64_t at = held < m ? held++ : m - 1;
    for (; at > 0 && best[at - 1] < x[i]; at--) best[at] = best[at - 1];
    best[at] = x[i];
  }
  return best[m - 1];
}

WIDEST int64_t fb_candidates(const float *row, int64_t width, int64_t m, float *work, int32_t *out) {
  int64_t groups = fb_groups(width);
  for (int64_t g = 0; g < groups; g++) {
    int64_t end = (g + 1) * group < width ? (g + 1) * group : width;
    float highest = -INFINITY;
#pragma omp simd reduction(max : highest)
    for (int64_t v = g == 0 ? 1 : g * group; v < end; v++) { // item 0 is padding
      float x = row[v] == row[v] ? row[v] : INFINITY;
      highest = x > highest ? x : highest;
    }
    work[g] = highest;
  }
  float bound = nth_highest(work, groups, m, work + groups);
  int64_t n = 0;
  for (int64_t g = 0; g < groups; g++) {
    if (work[g] < bound) continue;
    int64_t end = (g + 1) * group < width ? (g + 1) * group : width;
    for (int64_t v = g == 0 ? 1 : g * group; v < end; v++)
      if (!(row[v] < bound)) out[n++] = (int32_t)v;
  }
  return n;
}
