// The matrix product of one form; products.h says what it computes. The file that
// includes this one defines, for its instructions:
//
//   WIDTH     floats in a vector
//   MR, NV    rows and vectors of a tile of c: as many as registers hold
//   vec, mask, LOAD, STORE, MASKED_LOAD, MASKED_STORE, FIRST(n), ZERO
//   element   float, or int32_t for a pair of bfloat16
//   TRANSPOSE(v)      of WIDTH vectors
//   MULADD(c, b, a)   c + b·(element a in every lane); a form without it has a
//                     column_of_tiles of its own, and START and END around calls of it
#include "products.h"
#include <string.h>
#ifndef START
#define START
#define END
#endif

#define INLINE static inline __attribute__((always_inline))
enum { PANEL = NV * WIDTH, DEPTH = 256 };
enum { FEW = 24 }; // rows of a for which reading b takes a good part of the time

static void column_of_tiles(const fb_product *);

#ifdef MULADD
// How a tile is computed. FULL: all numbers of its last vector are columns of the matrix,
// not only the first ones; that is faster where masks are slow (AVX2). AHEAD: a, which is
// transposed, is fetched ahead, because each step of k reads another line of the cache, and
// the processor does not foresee that across pages.
enum { FULL = 1, AHEAD = 2 };
#define FETCH(p, j) (how & FULL || (j) + 1 < nv ? LOAD((p) + (j) * WIDTH) : MASKED_LOAD((p) + (j) * WIDTH, last))

// tile computes nv vectors of c for mr rows, at most MR, from row `first` on, over the whole of
// k. Rows that do not exist repeat the last one and are not stored. c is kept in registers.
INLINE void tile(const int mr, const int nv, const int how, const fb_product *p, int64_t first) {
  int rows = (int)(p->m - first < mr ? p->m - first : mr);
  const element *a = (const element *)p->a + first * p->ai, *b = p->b;
  float *c = p->c + first * p->ldc;
  vec acc[MR][NV];
  mask last = FIRST(p->n - (nv - 1) * WIDTH);
  int64_t row[MR];
  for (int i = 0; i < mr; i++) row[i] = (i < rows ? i : rows - 1) * p->ai;
#pragma GCC unroll 8
  for (int j = 0; j < nv; j++) {
    vec first = p->bias ? FETCH(p->bias, j) : ZERO;
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++) acc[i][j] = first;
  }
  if (p->add)
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++) {
      const float *from = c + (i < rows ? i : rows - 1) * p->ldc;
#pragma GCC unroll 8
      for (int j = 0; j < nv; j++) acc[i][j] = FETCH(from, j);
    }
  for (int64_t k = 0; k < p->k; k++, a += p->ap, b += p->ldb) {
    vec v[NV];
    if (how & AHEAD) __builtin_prefetch(a + 16); // the next line, for the next tiles
#pragma GCC unroll 8
    for (int j = 0; j < nv; j++) v[j] = FETCH((const float *)b, j);
#pragma GCC unroll 8
    for (int i = 0; i < mr; i++) {
#pragma GCC unroll 8
      for (int j = 0; j < nv; j++) acc[i][j] = MULADD(acc[i][j], v[j], a[row[i]]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < mr; i++) {
    if (i >= rows) break;
#pragma GCC unroll 8
    for (int j = 0; j < nv; j++)
      if (how & FULL || j + 1 < nv)
        STORE(c + i * p->ldc + j * WIDTH, acc[i][j]);
      else
        MASKED_STORE(c + i * p->ldc + j * WIDTH, last, acc[i][j]);
  }
}

// column_of_tiles computes the columns of one panel, at most PANEL, for all rows.
__attribute__((noinline)) static void column_of_tiles(const fb_product *p) {
  for (int64_t i = 0; i < p->m; i += MR) {
    if (p->n == PANEL && p->m == 1)
      tile(1, NV, FULL, p, i);
    else if (p->n == PANEL && p->ai == 1)
      tile(MR, NV, FULL | AHEAD, p, i);
    else if (p->n == PANEL)
      tile(MR, NV, FULL, p, i);
    else if (p->n <= WIDTH)
      tile(MR, 1, 0, p, i);
    else if (NV == 2 || p->n <= 2 * WIDTH)
      tile(MR, 2, 0, p, i);
#if NV == 4
    else if (p->n <= 3 * WIDTH)
      tile(MR, 3, 0, p, i);
    else
      tile(MR, 4, 0, p, i);
#endif
  }
}
#endif

// stream reads a line of each 64 bytes of n rows of b, k long, in the order of memory, which the
// processor foresees. It does not foresee the order of transpose.
static void stream(const element *b, int64_t ldb, int64_t n, int64_t k) {
  int32_t seen = 0;
  for (int64_t i = 0; i < n; i++, b += ldb)
    for (int64_t p = 0; p < k; p += 64 / sizeof *b) seen |= ((const int32_t *)b)[p];
  __asm__ volatile("" : : "r"(seen)); // so that it is not left out
}

// transpose writes n rows of b, k long, as k rows of PANEL elements, zeros behind.
static void transpose(const element *b, int64_t ldb, int64_t n, int64_t k, element *out) {
  for (int64_t j = 0; j < PANEL; j += WIDTH)
    for (int64_t p = 0; p < k; p += WIDTH) {
      int64_t rows = n - j < 0 ? 0 : n - j < WIDTH ? n - j : WIDTH, columns = k - p < WIDTH ? k - p : WIDTH;
      vec v[WIDTH];
      for (int i = 0; i < WIDTH; i++)
        v[i] = i < rows ? MASKED_LOAD((const float *)b + (j + i) * ldb + p, FIRST(columns)) : ZERO;
      TRANSPOSE(v);
      for (int i = 0; i < columns; i++) STORE((float *)out + (p + i) * PANEL + j, v[i]);
    }
}

static void product(const fb_product *whole) {
  element panel[DEPTH * PANEL];
  START
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
        const element *b = (const element *)p.b + j * p.ldb + k;
        if (p.m <= FEW) stream(b, p.ldb, p.n, p.k);
        transpose(b, p.ldb, p.n, p.k, panel);
        p.b = panel, p.ldb = PANEL;
      } else {
        p.b = (const element *)p.b + k * p.ldb + j;
      }
      column_of_tiles(&p);
    }
  END
}
