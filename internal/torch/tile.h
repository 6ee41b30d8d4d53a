// The matrix product of one form; products.h says what it computes. The file that
// includes this one defines, for its instructions:
//
//   WIDTH     floats in a vector
//   MR, NV    rows and vectors of a tile of c: as many as registers hold
//   vec, mask, LOAD, STORE, MASKED_LOAD, MASKED_STORE, FIRST(n), ZERO
//   element   float, or int32_t for a pair of bfloat16
//   MULADD(c, b, a)   c + b·(element a in every lane)
#include "products.h"
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
enum { PANEL = NV * WIDTH, DEPTH = 256 };

// Of the last vector of a tile only the first numbers are columns of the matrix, unless
// all are, which is faster where masks are slow (AVX2).
#define FETCH(p, j) (full || (j) + 1 < nv ? LOAD((p) + (j) * WIDTH) : MASKED_LOAD((p) + (j) * WIDTH, last))

// tile computes up to MR rows and nv vectors of c over the whole of k. Rows from
// `rows` on repeat the last one and are not stored. c is kept in registers.
INLINE void tile(const int nv, const int full, int rows, const fb_product *p, const element *a, const element *b, float *c) {
  vec acc[MR][NV];
  mask last = FIRST(p->n - (nv - 1) * WIDTH);
  int64_t row[MR];
  for (int i = 0; i < MR; i++) row[i] = (i < rows ? i : rows - 1) * p->ai;
#pragma GCC unroll 8
  for (int j = 0; j < nv; j++) {
    vec first = p->bias ? FETCH(p->bias, j) : ZERO;
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) acc[i][j] = first;
  }
  if (p->add)
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
      const float *from = c + (i < rows ? i : rows - 1) * p->ldc;
#pragma GCC unroll 8
      for (int j = 0; j < nv; j++) acc[i][j] = FETCH(from, j);
    }
  for (int64_t k = 0; k < p->k; k++, a += p->ap, b += p->ldb) {
    vec v[NV];
#pragma GCC unroll 8
    for (int j = 0; j < nv; j++) v[j] = FETCH((const float *)b, j);
#pragma GCC unroll 8
    for (int i = 0; i < MR; i++) {
#pragma GCC unroll 8
      for (int j = 0; j < nv; j++) acc[i][j] = MULADD(acc[i][j], v[j], a[row[i]]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; i++) {
    if (i >= rows) break;
#pragma GCC unroll 8
    for (int j = 0; j < nv; j++)
      if (full || j + 1 < nv)
        STORE(c + i * p->ldc + j * WIDTH, acc[i][j]);
      else
        MASKED_STORE(c + i * p->ldc + j * WIDTH, last, acc[i][j]);
  }
}

// column_of_tiles computes the columns of one panel, at most PANEL, for all rows.
__attribute__((noinline)) static void column_of_tiles(const fb_product *p) {
  for (int64_t i = 0; i < p->m; i += MR) {
    int rows = (int)(p->m - i < MR ? p->m - i : MR);
    const element *a = (const element *)p->a + i * p->ai, *b = p->b;
    float *c = p->c + i * p->ldc;
    if (p->n == PANEL)
      tile(NV, 1, rows, p, a, b, c);
    else if (p->n <= WIDTH)
      tile(1, 0, rows, p, a, b, c);
    else if (NV == 2 || p->n <= 2 * WIDTH)
      tile(2, 0, rows, p, a, b, c);
#if NV == 4
    else if (p->n <= 3 * WIDTH)
      tile(3, 0, rows, p, a, b, c);
    else
      tile(4, 0, rows, p, a, b, c);
#endif
  }
}

// transpose writes n rows of b, k long, as k rows of PANEL elements, zeros behind.
static void transpose(const element *b, int64_t ldb, int64_t n, int64_t k, element *out) {
  for (int64_t j = 0; j < n; j++)
    for (int64_t p = 0; p < k; p++) out[p * PANEL + j] = b[j * ldb + p];
  if (n < PANEL)
    for (int64_t p = 0; p < k; p++) memset(out + p * PANEL + n, 0, (PANEL - n) * sizeof *out);
}

static void product(const fb_product *whole) {
  element panel[DEPTH * PANEL];
  for (int64_t j = 0; j < whole->n; j += PANEL)
    for (int64_t k = 0; k < whole->k; k += DEPTH) {
      fb_product p = *whole;
      p.n = p.n - j < PANEL ? p.n - j : PANEL;
      p.k = p.k - k < DEPTH ? p.k - k : DEPTH;
      p.a = (const element *)p.a + k * p.ap;
      p.c += j;
      p.bias = p.bias && k == 0 ? p.bias + j : NULL;
      p.add = p.add || k > 0;
      if (p.transposed) {
        transpose((const element *)p.b + j * p.ldb + k, p.ldb, p.n, p.k, panel);
        p.b = panel, p.ldb = PANEL;
      } else {
        p.b = (const element *)p.b + k * p.ldb + j;
      }
      column_of_tiles(&p);
    }
}
