// Products of bfloat16 numbers, added up in float32, with AMX: Intel's processors from
// Sapphire Rapids on multiply tiles of 16 × 16 pairs with one instruction.
#include "products.h"
#if FB_AMX
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16,avx2,fma,prefer-vector-width=512")
#include "avx512.h"
typedef int element; // a pair of numbers
#define PER_ELEMENT 2
#define FORM fb_amx
#define NAME "bfloat16 in tiles"
// A thread has tiles only between these two. Otherwise each switch to another thread would
// save them.
#define START start_tiles();
#define END _tile_release();

// start_tiles makes all eight tiles 16 rows of 64 bytes.
static inline void start_tiles(void) {
  struct {
    uint8_t palette, start_row, zero[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } shape = {.palette = 1};
  for (int i = 0; i < 8; i++) shape.bytes[i] = 64, shape.rows[i] = 16;
  _tile_loadconfig(&shape);
}
#include "tile.h"

// Rows of a tile, and elements of one of its rows.
enum { SIDE = 16 };

// multiply computes nv tiles of c, [16, 16·nv], whose numbers are ldc apart from row to row.
// They begin with those of `from`, or with 0. Tile s of a is at a + s·next; b is [16·steps, …].
INLINE void multiply(const int nv, const float *from, int64_t ldfrom, const element *a, int64_t lda, int64_t next,
                     const element *b, int64_t ldb, int64_t steps, float *c, int64_t ldc) {
  if (from) {
    _tile_loadd(0, from, ldfrom * 4);
    if (nv > 1) _tile_loadd(1, from + SIDE, ldfrom * 4);
    if (nv > 2) _tile_loadd(2, from + 2 * SIDE, ldfrom * 4);
    if (nv > 3) _tile_loadd(3, from + 3 * SIDE, ldfrom * 4);
  } else {
    _tile_zero(0);
    if (nv > 1) _tile_zero(1);
    if (nv > 2) _tile_zero(2);
    if (nv > 3) _tile_zero(3);
  }
  for (int64_t s = 0; s < steps; s++, a += next, b += SIDE * ldb) {
    _tile_loadd(4, a, lda * 4);
    _tile_loadd(5, b, ldb * 4);
    _tile_dpbf16ps(0, 4, 5);
    if (nv > 1) _tile_loadd(6, b + SIDE, ldb * 4);
    if (nv > 1) _tile_dpbf16ps(1, 4, 6);
    if (nv > 2) _tile_loadd(7, b + 2 * SIDE, ldb * 4);
    if (nv > 2) _tile_dpbf16ps(2, 4, 7);
    if (nv > 3) _tile_loadd(5, b + 3 * SIDE, ldb * 4);
    if (nv > 3) _tile_dpbf16ps(3, 4, 5);
  }
  _tile_stored(0, c, ldc * 4);
  if (nv > 1) _tile_stored(1, c + SIDE, ldc * 4);
  if (nv > 2) _tile_stored(2, c + 2 * SIDE, ldc * 4);
  if (nv > 3) _tile_stored(3, c + 3 * SIDE, ldc * 4);
}

// copy writes a part of a matrix, [rows, columns], with zeros around it.
INLINE void copy(const void *from, int64_t ld, int64_t rows, int64_t columns, void *to, int64_t ldto, int64_t all) {
  for (int64_t i = 0; i < all; i++)
    for (int64_t j = 0; j < ldto; j += WIDTH) {
      int64_t some = i < rows ? columns - j : 0;
      mask m = some <= 0 ? 0 : some < WIDTH ? FIRST(some) : FIRST(WIDTH);
      STORE((float *)to + i * ldto + j, MASKED_LOAD((const float *)from + i * ld + j, m));
    }
}

// columns_of_a writes 16 rows of a, of which `rows` exist and k elements each, as tiles; the
// elements of a column of a are neighbours in memory.
INLINE void columns_of_a(const element *a, int64_t ap, int64_t rows, int64_t k, element *tiles) {
  for (int64_t s = 0; s < k; s += SIDE, tiles += SIDE * SIDE) {
    vec v[SIDE];
    for (int i = 0; i < SIDE; i++) v[i] = s + i < k ? MASKED_LOAD((const float *)a + (s + i) * ap, FIRST(rows)) : ZERO;
    TRANSPOSE(v);
    for (int i = 0; i < SIDE; i++) STORE((float *)tiles + i * SIDE, v[i]);
  }
}

// slice is column_of_tiles for k up to DEPTH. Tiles at an edge of a matrix are computed from
// copies with zeros around them: a tile is read and written whole.
INLINE void slice(const int nv, const fb_product *p) {
  element left[SIDE * DEPTH], right[DEPTH * PANEL];
  float row[PANEL], block[SIDE * PANEL];
  int64_t steps = (p->k + SIDE - 1) / SIDE;
  const element *b = p->b;
  int64_t ldb = p->ldb;
  if (p->k % SIDE || p->n < PANEL) {
    copy(b, ldb, p->k, p->n, right, PANEL, steps * SIDE);
    b = right, ldb = PANEL;
  }
  const float *bias = p->bias;
  if (bias && p->n < PANEL) {
    copy(bias, 0, 1, p->n, row, PANEL, 1);
    bias = row;
  }
  for (int64_t i = 0; i < p->m; i += SIDE) {
    int64_t rows = p->m - i < SIDE ? p->m - i : SIDE;
    const element *a = (const element *)p->a + i * p->ai;
    int64_t lda = p->ai, next = SIDE;
    if (p->ap != 1) {
      columns_of_a(a, p->ap, rows, p->k, left);
      a = left, lda = SIDE, next = SIDE * SIDE;
    } else if (rows < SIDE || p->k % SIDE) {
      copy(a, lda, rows, p->k, left, steps * SIDE, SIDE);
      a = left, lda = steps * SIDE;
    }
    float *c = p->c + i * p->ldc;
    int64_t ldc = p->ldc;
    int whole = rows == SIDE && p->n == PANEL;
    if (!whole) {
      if (p->add) copy(c, ldc, rows, p->n, block, PANEL, SIDE);
      c = block, ldc = PANEL;
    }
    const float *from = p->add ? c : bias; // each row of c begins with the bias
    multiply(nv, from, p->add ? ldc : 0, a, lda, next, b, ldb, steps, c, ldc);
    if (whole) continue;
    c = p->c + i * p->ldc;
    for (int64_t r = 0; r < rows; r++) memcpy(c + r * p->ldc, block + r * PANEL, p->n * sizeof *c);
  }
}

__attribute__((noinline)) static void column_of_tiles(const fb_product *whole) {
  for (int64_t k = 0; k < whole->k; k += DEPTH) {
    fb_product p = *whole;
    p.k = p.k - k < DEPTH ? p.k - k : DEPTH;
    p.a = (const element *)p.a + k * p.ap, p.b = (const element *)p.b + k * p.ldb;
    if (k > 0) p.add = 1, p.bias = NULL;
    if (p.n <= SIDE)
      slice(1, &p);
    else if (p.n <= 2 * SIDE)
      slice(2, &p);
    else if (p.n <= 3 * SIDE)
      slice(3, &p);
    else
      slice(4, &p);
  }
}

#include "fused.h"
#endif
