// Adam's arithmetic on one row of a table, vectorised by the compiler.
#include "loops.h"

enum { lanes = 16 };

WIDEST void fb_adam_missed(float *p, float *m, float *v, int64_t d, const fb_missed *s) {
  for (int64_t i = 0; i < d; i += lanes) {
    int64_t width = d - i < lanes ? d - i : lanes;
    float root[lanes], gain[lanes];
    for (int64_t l = 0; l < lanes; l++) root[l] = l < width ? sqrtf(v[i + l]) : 0, gain[l] = 0;
    for (int64_t j = 0; j < s->n; j++) {
      float num = s->num[j] * s->c1[j], den = s->den[j] * s->c2[j];
#pragma omp simd
      for (int64_t l = 0; l < lanes; l++) gain[l] += num / (den * root[l] + s->eps);
    }
    for (int64_t l = 0; l < width; l++) {
      p[i + l] -= s->lr * gain[l] * m[i + l];
      m[i + l] *= s->decay1;
      v[i + l] *= s->decay2;
    }
  }
}

WIDEST void fb_adam_row(float *p, float *m, float *v, const float *g, int64_t d, const fb_adam_step *s) {
#pragma omp simd
  for (int64_t i = 0; i < d; i++) {
    m[i] += (g[i] - m[i]) * s->share1;
    v[i] = v[i] * s->beta2 + g[i] * g[i] * s->share2;
    p[i] -= s->size * m[i] / (sqrtf(v[i]) * s->root2 + s->eps);
  }
}

WIDEST float fb_dot(const float *x, const float *y, int64_t d) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < d; i++) sum += x[i] * y[i];
  return sum;
}

WIDEST void fb_scaled(float *out, const float *x, float k, int64_t d) {
#pragma omp simd
  for (int64_t i = 0; i < d; i++) out[i] = k * x[i];
}

WIDEST void fb_add_scaled(float *sum, const float *x, float k, int64_t d) {
#pragma omp simd
  for (int64_t i = 0; i < d; i++) sum[i] += k * x[i];
}
