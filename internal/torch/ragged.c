// Loops over sequences of different lengths that lie one after the other, without
// padding. The matrices are small (a few rows of 16 to 64 floats), so a product
// of libtorch's would spend its time on being called.
#include "lanes.h"

INLINE void add_scaled(float *to, const float *x, float k, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) to[i] += k * x[i];
}

// out_t = old_t·out_{t-1} + fresh_t·x_t, where the two factors add up to 1. They
// come from a running maximum and the sum of exponentials below it, so that
// nothing overflows however the logits range.
WIDEST void fb_prefix_mean_forward(const float *x, const float *a, const int64_t *lengths, int64_t rows, int64_t d,
                                   float *old, float *fresh, float *out) {
  int64_t t = 0;
  for (int64_t r = 0; r < rows; r++) {
    float max = a[t], sum = 0;
    for (int64_t first = t, end = t + lengths[r]; t < end; t++) {
      const float higher = a[t] > max ? a[t] : max, before = sum * expf(max - higher), now = expf(a[t] - higher);
      max = higher;
      sum = before + now;
      old[t] = before / sum;
      fresh[t] = now / sum;
      const float *xt = x + t * d, *previous = t > first ? out + (t - 1) * d : xt; // old is 0 at first
      float *o = out + t * d;
#pragma omp simd
      for (int64_t i = 0; i < d; i++) o[i] = old[t] * previous[i] + fresh[t] * xt[i];
    }
  }
}

// From the last row of each sequence to its first. With the gradient of a row from
// itself and all later ones, S_t = dout_t + old_{t+1}·S_{t+1}, and the same sum K_t
// of dout_u·out_u: dx_t = fresh_t·S_t and da_t = fresh_t·(x_t·S_t - K_t). S_{t+1} is
// what dx_{t+1} holds, less its factor, which may be 0: so the factors are put in
// afterwards.
WIDEST void fb_prefix_mean_backward(const float *x, const int64_t *lengths, int64_t rows, int64_t d, const float *old,
                                    const float *fresh, const float *out, const float *dout, float *dx, float *da) {
  int64_t first = 0;
  for (int64_t r = 0; r < rows; first += lengths[r++]) {
    const int64_t end = first + lengths[r];
    float later = 0; // K of the row after
    for (int64_t t = end - 1; t >= first; t--) {
      float *s = dx + t * d;
      memcpy(s, dout + t * d, d * sizeof *s);
      float k = dot(s, out + t * d, d);
      if (t + 1 < end) {
        add_scaled(s, s + d, old[t + 1], d);
        k += old[t + 1] * later;
      }
      later = k;
      da[t] = fresh[t] * (dot(x + t * d, s, d) - k);
    }
    for (int64_t t = first; t < end; t++) {
      float *s = dx + t * d;
#pragma omp simd
      for (int64_t i = 0; i < d; i++) s[i] *= fresh[t];
    }
  }
}
