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

WIDEST void fb_row_keys(const int64_t *names, int64_t rows, uint64_t seed, int64_t *keys) {
#pragma omp simd
  for (int64_t r = 0; r < rows; r++) keys[r] = (int64_t)row_key(seed, names ? names[r] : r);
}

WIDEST void fb_dropout_rows(const float *x, float *out, const int64_t *keys, int64_t rows, int64_t width, double p) {
  const int32_t threshold = drop_threshold(p);
  const float scale = (float)(1.0 / (1.0 - p));
  for (int64_t r = 0; r < rows; r++, x += width, out += width) {
    const uint64_t key = (uint64_t)keys[r];
#pragma omp simd
    for (int64_t i = 0; i < width; i++) out[i] = dropped((uint32_t)i, key, threshold) ? 0.0f : x[i] * scale;
  }
}
