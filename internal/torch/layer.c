// Loops of the small operations of a transformer layer. Each reads and writes its
// operands once, where a composition of libtorch's operations would write every step
// to memory.
#include "lanes.h"

#include <stdlib.h>

// Φ(x), the normal distribution, is ½·erfc(-x/√2). With t = 1/(1 + .4·z), erfc(z) is
// exp(-z²)·t·R(t) for z ≥ 0, where R is a polynomial of degree 8 that interpolates at
// Chebyshev nodes; its relative error is 4e-7, rounding included. The exponential is
// also that of the density, which the derivative x·φ(x) + Φ(x) needs.
WIDEST void fb_gelu_block(const float *x, int64_t n, float *out, float *slope) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    const float v = x[i], z = (v < 0 ? -v : v) * 0.70710678118654752f;
    const float e = exp_nonpositive(-0.5f * v * v), t = 1.0f / (1.0f + 0.4f * z);
    float r = 0.0513464878f;
    r = r * t - 0.187325517f;
    r = r * t + 0.176427948f;
    r = r * t - 0.0119615938f;
    r = r * t + 0.144481348f;
    r = r * t + 0.167746282f;
    r = r * t + 0.207944659f;
    r = r * t + 0.225664628f;
    r = r * t + 0.225675901f;
    const float tail = 0.5f * e * t * r, below = v < 0 ? tail : 1.0f - tail;
    out[i] = v * below;
    slope[i] = below + v * e * 0.39894228040143268f;
  }
}

// One row of fb_norm_forward, whose groups are w wide.
INLINE void norm_row(const fb_norm *a, int64_t w, int64_t r, const float *x, const float *add, float *out) {
  const uint64_t key = a->p > 0 ? (uint64_t)a->keys[r] : 0;
  const int32_t threshold = drop_threshold(a->p);
  const float keep = (float)(1.0 / (1.0 - a->p)), *gain = a->gain, *bias = a->bias;
  float *normal = a->normal + r * a->groups * w, *scale = a->scale + r * a->groups;
  for (int64_t g = 0; g < a->groups; g++, x += w, add += w, out += w, normal += w) {
    const uint32_t column = (uint32_t)(g * w);
    if (a->p == 0 || a->index) {
#pragma omp simd
      for (int64_t i = 0; i < w; i++) normal[i] = x[i] + add[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < w; i++) normal[i] = x[i] + (dropped(column + (uint32_t)i, key, threshold) ? 0.0f : add[i] * keep);
    }
    const float mean = total(normal, w) / (float)w;
#pragma omp simd
    for (int64_t i = 0; i < w; i++) normal[i] -= mean;
    const float k = 1.0f / sqrtf(dot(normal, normal, w) / (float)w + a->eps);
    scale[g] = k;
#pragma omp simd
    for (int64_t i = 0; i < w; i++) {
      normal[i] *= k;
      out[i] = normal[i] * gain[i] + bias[i];
    }
    if (a->p > 0 && a->index) {
#pragma omp simd
      for (int64_t i = 0; i < w; i++) out[i] = dropped(column + (uint32_t)i, key, threshold) ? 0.0f : out[i] * keep;
    }
  }
}

WIDEST void fb_norm_forward(const fb_norm *a, const float *x, const float *add, float *out) {
  const int64_t width = a->groups * a->width;
  for (int64_t r = 0; r < a->rows; r++, x += width, out += width) {
    const float *added = add + (a->index ? a->index[r] : r) * width;
    switch (a->width) { // the usual ones as constants, for which the loops are unrolled
    case 64: norm_row(a, 64, r, x, added, out); break;
    case 16: norm_row(a, 16, r, x, added, out); break;
    default: norm_row(a, a->width, r, x, added, out);
    }
  }
}

// One row of fb_norm_backward.
INLINE void norm_row_backward(const fb_norm *a, int64_t w, int64_t r, const float *dout, const fb_norm_gradients *to) {
  const uint64_t key = a->p > 0 ? (uint64_t)a->keys[r] : 0;
  const int32_t threshold = drop_threshold(a->p);
  const float keep = (float)(1.0 / (1.0 - a->p)), *gain = a->gain;
  const float *normal = a->normal + r * a->groups * w, *scale = a->scale + r * a->groups;
  float *dx = to->x + r * a->groups * w, *dadd = to->add + (a->index ? a->index[r] : r) * a->groups * w;
  float *dgain = to->gain, *dbias = to->bias;
  for (int64_t g = 0; g < a->groups; g++, dout += w, dx += w, dadd += w, normal += w) {
    const uint32_t column = (uint32_t)(g * w);
    if (a->p > 0 && a->index) {
#pragma omp simd
      for (int64_t i = 0; i < w; i++) dx[i] = dropped(column + (uint32_t)i, key, threshold) ? 0.0f : dout[i] * keep;
    } else {
      memcpy(dx, dout, w * sizeof *dx);
    }
#pragma omp simd
    for (int64_t i = 0; i < w; i++) {
      dgain[i] += dx[i] * normal[i];
      dbias[i] += dx[i];
      dx[i] *= gain[i];
    }
    const float k = scale[g], mean = total(dx, w) / (float)w, slope = dot(dx, normal, w) / (float)w;
#pragma omp simd
    for (int64_t i = 0; i < w; i++) dx[i] = k * (dx[i] - mean - normal[i] * slope);
    if (a->index) { // several rows may have added the same one
#pragma omp simd
      for (int64_t i = 0; i < w; i++) dadd[i] += dx[i];
    } else if (a->p == 0) {
      memcpy(dadd, dx, w * sizeof *dx);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < w; i++) dadd[i] = dropped(column + (uint32_t)i, key, threshold) ? 0.0f : dx[i] * keep;
    }
  }
}

WIDEST void fb_norm_backward(const fb_norm *a, const float *dout, const fb_norm_gradients *to) {
  for (int64_t r = 0; r < a->rows; r++, dout += a->groups * a->width) {
    switch (a->width) {
    case 64: norm_row_backward(a, 64, r, dout, to); break;
    case 16: norm_row_backward(a, 16, r, dout, to); break;
    default: norm_row_backward(a, a->width, r, dout, to);
    }
  }
}

INLINE void add_scaled(float *to, const float *x, float k, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) to[i] += k * x[i];
}

// Expert k's output of head h begins at o + (k·heads + h)·w.
INLINE void mix(const fb_mix *a, int64_t w, const float *o, float *routing, float *mixed) {
  const int64_t N = a->experts, step = a->heads * w;
  for (int64_t r = 0; r < a->rows; r++, o += N * step)
    for (int64_t h = 0; h < a->heads; h++, routing += N, mixed += w) {
      const float *own = o + h * w, *router = a->router + h * N * N * w;
      float max = -INFINITY, sum = 0;
      for (int64_t m = 0; m < N; m++) {
        float logit = 0;
        for (int64_t k = 0; k < N; k++, router += w) logit += dot(own + k * step, router, w);
        routing[m] = logit;
        max = logit > max ? logit : max;
      }
      for (int64_t m = 0; m < N; m++) sum += routing[m] = exp_nonpositive(routing[m] - max);
      memset(mixed, 0, w * sizeof *mixed);
      for (int64_t m = 0; m < N; m++) {
        routing[m] /= sum;
        add_scaled(mixed, own + m * step, routing[m], w);
      }
    }
}

WIDEST void fb_mix_forward(const fb_mix *a, const float *o, float *routing, float *mixed) {
  if (a->width == 16)
    mix(a, 16, o, routing, mixed);
  else
    mix(a, a->width, o, routing, mixed);
}

// With D the gradient of a routing weight, that of its logit is weight·(D - Σ weight·D).
INLINE void mix_backward(const fb_mix *a, int64_t w, const float *o, const float *routing, const fb_mix_gradients *g) {
  const int64_t N = a->experts, step = a->heads * w;
  const float *dmixed = g->mixed, *drouting = g->routing;
  float *dlogits = malloc(N * sizeof *dlogits), *dout = g->o;
  for (int64_t r = 0; r < a->rows; r++, o += N * step, dout += N * step)
    for (int64_t h = 0; h < a->heads; h++, routing += N, dmixed += w) {
      const float *own = o + h * w, *router = a->router + h * N * N * w;
      float *down = dout + h * w, *drouter = g->router + h * N * N * w, mean = 0;
      for (int64_t k = 0; k < N; k++) {
        dlogits[k] = dot(dmixed, own + k * step, w) + (drouting ? *drouting++ : 0);
        mean += routing[k] * dlogits[k];
#pragma omp simd
        for (int64_t i = 0; i < w; i++) down[k * step + i] = routing[k] * dmixed[i];
      }
      for (int64_t m = 0; m < N; m++) {
        const float d = routing[m] * (dlogits[m] - mean);
        for (int64_t k = 0; k < N; k++, router += w, drouter += w) {
          add_scaled(down + k * step, router, d, w);
          add_scaled(drouter, own + k * step, d, w);
        }
      }
    }
  free(dlogits);
}

WIDEST void fb_mix_backward(const fb_mix *a, const float *o, const float *routing, const fb_mix_gradients *g) {
  if (a->width == 16)
    mix_backward(a, 16, o, routing, g);
  else
    mix_backward(a, a->width, o, routing, g);
}
