// Loops over one row of scores, vectorised by the compiler.
#include "loops.h"

WIDEST double fb_softmax_row(float *row, int64_t n, float scale) {
  float max = -INFINITY;
#pragma omp simd reduction(max : max)
  for (int64_t i = 0; i < n; i++) max = row[i] > max ? row[i] : max;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) {
    float e = exp_nonpositive(row[i] - max);
    row[i] = e;
    sum += e;
  }
  float k = scale / sum;
#pragma omp simd
  for (int64_t i = 0; i < n; i++) row[i] *= k;
  return (double)max + log((double)sum);
}

WIDEST double fb_logsumexp_row(const float *row, int64_t n) {
  float max = -INFINITY;
#pragma omp simd reduction(max : max)
  for (int64_t i = 0; i < n; i++) max = row[i] > max ? row[i] : max;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) sum += exp_nonpositive(row[i] - max);
  return (double)max + log((double)sum);
}

WIDEST void fb_dropout_block(const float *x, float *out, int64_t first, int64_t n, uint64_t seed, double p) {
  const int32_t threshold = drop_threshold(p);
  const float scale = (float)(1.0 / (1.0 - p));
#pragma omp simd
  for (int64_t i = 0; i < n; i++) out[i] = dropped(first + i, seed, threshold) ? 0.0f : x[i] * scale;
}
