// The cross-entropy of one form, fused with its products; products.h lists the steps.
// Included after tile.h.
//
// A block of logits stays in the cache from its product, through the exponentials, to the
// product that gives the gradient of the hidden states. The exponentials are relative to
// the row's highest logit so far. When a later block raises it, the sums so far are scaled
// down (the online softmax of Milakov and Gimelshein 2018). The exponentials are kept for
// the gradient of the table, which needs the whole sum of each row; there the row's scale
// is multiplied into the hidden states.
//
// The target takes no part in these sums. The gradient of its logit, p − 1, is minus the
// share of the others, which has no cancellation, and its products are in float32 always.
#include <math.h>

#define ELEMENTS(n) (((n) + PER_ELEMENT - 1) / PER_ELEMENT)
#define SIZE(l) ((l)->rows + (l)->rows % 2) // rows with memory: pairs need an even number

// exponential(x − max) within 2 ulp for x ≤ max, 0 below −87 (Cephes' expf: reduction by
// ln 2 in two parts, polynomial of degree 5).
INLINE vec exponential(vec x, float max) {
  vec t = x - ALL(max);
  vec n = NEAREST(t * ALL(1.44269504088896341f));
  vec r = FMA(n, ALL(2.12194440e-4f), FMA(n, ALL(-0.693359375f), t));
  vec p = FMA(ALL(1.9875691500e-4f), r, ALL(1.3981999507e-3f));
  p = FMA(p, r, ALL(8.3334519073e-3f));
  p = FMA(p, r, ALL(4.1665795894e-2f));
  p = FMA(p, r, ALL(1.6666665459e-1f));
  p = FMA(p, r, ALL(5.0000001201e-1f));
  p = FMA(p * r, r, r + ALL(1));
  return POWER(p, n, t);
}

#if PER_ELEMENT == 2
// interleave joins 16 numbers of two rows to 16 pairs.
INLINE __m512i interleave(vec first, vec second) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5,
                                         20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

static void pair_rows(const float *x, int64_t ldx, int64_t m, int64_t n, int32_t *out) {
  for (int64_t i = 0; i < m; i += 2, out += n)
    for (int64_t j = 0; j < n; j += WIDTH) {
      mask some = n - j < WIDTH ? FIRST(n - j) : FIRST(WIDTH);
      vec first = MASKED_LOAD(x + i * ldx + j, some);
      vec second = i + 1 < m ? MASKED_LOAD(x + (i + 1) * ldx + j, some) : ZERO;
      _mm512_mask_storeu_epi32(out + j, some, interleave(first, second));
    }
}

static void pair_columns(const float *x, int64_t ldx, int64_t m, int64_t n, int32_t *out) {
  for (int64_t i = 0; i < m; i++, out += ELEMENTS(n))
    for (int64_t j = 0; j < n; j += WIDTH) {
      mask some = n - j < WIDTH ? FIRST(n - j) : FIRST(WIDTH);
      __m256i half = (__m256i)_mm512_cvtneps_pbh(MASKED_LOAD(x + i * ldx + j, some)); // zeros behind
      _mm256_mask_storeu_epi32(out + j / 2, n - j < WIDTH ? (1u << ELEMENTS(n - j)) - 1 : 0xff, half);
    }
}
#endif

// A block of classes, ready for its two products: the table's rows transposed in panels,
// and as they are.
typedef struct {
  int64_t number, first, n; // classes first…first+n-1
  element *columns;         // [n/PANEL, k, PANEL]
  const element *rows;      // [n, d], or pairs of rows
} block_of_classes;

// pack prepares a block in memory of 2·FB_BLOCK·(d + 1) floats.
static block_of_classes pack(const fb_loss *l, int64_t number, float *memory) {
  block_of_classes b = {.number = number, .first = number * FB_BLOCK};
  b.n = l->classes - b.first < FB_BLOCK ? l->classes - b.first : FB_BLOCK;
  b.columns = (element *)memory;
  const float *rows = l->table + b.first * l->d;
  int64_t k = ELEMENTS(l->d);
#if PER_ELEMENT == 2
  element *copy = (element *)memory + FB_BLOCK * k;
  pair_rows(rows, l->d, b.n, l->d, copy);
  b.rows = copy;
  for (int64_t v = 0; v < b.n; v += PANEL)
    for (int64_t p = 0; p < k; p += DEPTH / 2) {
      int32_t part[PANEL * DEPTH / 2];
      int64_t n = b.n - v < PANEL ? b.n - v : PANEL, width = l->d - 2 * p < DEPTH ? l->d - 2 * p : DEPTH;
      pair_columns(rows + v * l->d + 2 * p, l->d, n, width, part);
      transpose(part, ELEMENTS(width), n, ELEMENTS(width), b.columns + v * k + p * PANEL);
    }
#else
  if (l->rounded) {
    float *copy = memory + FB_BLOCK * k;
    for (int64_t i = 0; i < b.n * l->d; i++) copy[i] = fb_rounded(rows[i]);
    rows = copy;
  }
  b.rows = rows;
  for (int64_t v = 0; v < b.n; v += PANEL)
    transpose(rows + v * l->d, l->d, b.n - v < PANEL ? b.n - v : PANEL, k, b.columns + v * k);
#endif
  return b;
}

// prepare converts hidden states to operands and empties the sums of their rows.
static void prepare(const fb_loss *l, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; r++) l->max[r] = -INFINITY, l->sum[r] = 0;
#if PER_ELEMENT == 2
  pair_columns(l->hidden + begin * l->d, l->d, end - begin, l->d, (int32_t *)l->operand + begin * ELEMENTS(l->d));
#else
  if (l->rounded)
    for (int64_t i = begin * l->d; i < end * l->d; i++) ((float *)l->operand)[i] = fb_rounded(l->hidden[i]);
#endif
}

// logits computes a block of logits of rows begin…begin+m-1.
INLINE void logits(const fb_loss *l, const block_of_classes *b, int64_t begin, int64_t m, float *x) {
  int64_t k = ELEMENTS(l->d);
  const element *hidden = PER_ELEMENT == 2 || l->rounded ? l->operand : (const void *)l->hidden;
  for (int64_t v = 0; v < b->n; v += PANEL) {
    fb_product p = {.m = m, .n = b->n - v < PANEL ? b->n - v : PANEL, .k = k, .a = hidden + begin * k, .ai = k, .ap = 1};
    p.b = b->columns + v * k, p.ldb = PANEL;
    p.c = x + v, p.ldc = FB_STRIDE, p.bias = l->bias ? l->bias + b->first + v : NULL;
    column_of_tiles(&p);
  }
}

// raise takes the target out of a row's block of n logits, pads it with −∞ to whole
// vectors and updates the row's highest logit. It returns the logit to subtract.
INLINE float raise(const fb_loss *l, const block_of_classes *b, int64_t r, float *x) {
  int64_t n = b->n, target = l->target[r] - b->first;
  for (int64_t i = n; i % WIDTH; i++) x[i] = -INFINITY;
  if (target >= 0 && target < n) l->logit[r] = x[target], x[target] = -INFINITY;
  vec top = ALL(-INFINITY);
  for (int64_t i = 0; i < n; i += WIDTH) top = MAX(LOAD(x + i), top); // skips NaN, which comes back in the sum
  float highest = HIGHEST(top);
  if (highest > l->max[r]) {
    if (l->sum[r] != 0) {
      float down = exponential(ALL(l->max[r]), highest)[0];
      l->sum[r] *= down;
      if (l->grads)
        for (int64_t i = 0; i < l->d; i++) l->dhidden[r * l->d + i] *= down;
    }
    l->max[r] = highest;
  }
  float subtract = l->max[r] == -INFINITY ? 0 : l->max[r]; // no class but the target so far
  l->highest[b->number * SIZE(l) + r] = subtract;
  return subtract;
}

// gradient_of_hidden adds weights·table, without the row's scale.
INLINE void gradient_of_hidden(const fb_loss *l, const block_of_classes *b, int64_t begin, int64_t m,
                               const element *weights, int64_t stride) {
  for (int64_t j = 0; j < l->d; j += PANEL) {
    fb_product p = {.m = m, .n = l->d - j < PANEL ? l->d - j : PANEL, .k = ELEMENTS(b->n), .a = weights, .ai = stride, .ap = 1};
    p.b = b->rows + j, p.ldb = l->d;
    p.c = l->dhidden + begin * l->d + j, p.ldc = l->d, p.add = b->number > 0;
    column_of_tiles(&p);
  }
}

// group computes a block of exponentials of rows begin…begin+m-1, and what they add to the
// gradient of these rows.
static void group(const fb_loss *l, const block_of_classes *b, int64_t begin, int64_t m) {
  element *weights = (element *)l->weights + (b->number * SIZE(l) + begin) / PER_ELEMENT * FB_STRIDE;
#if PER_ELEMENT == 2
  enum { PAIRS = FB_BLOCK / 2 + 8 };
  float x[FB_GROUP * FB_STRIDE];
  int32_t rows[FB_GROUP * PAIRS];
  logits(l, b, begin, m, x);
  for (int64_t r = 0; r < m; r += 2) {
    float *first = x + r * FB_STRIDE, *second = first + FB_STRIDE;
    float high = raise(l, b, begin + r, first), high2 = 0;
    if (r + 1 < m)
      high2 = raise(l, b, begin + r + 1, second);
    else
      for (int64_t i = 0; i < b->n; i += WIDTH) STORE(second + i, ALL(-INFINITY));
    int32_t *out = rows + r * PAIRS, *both_out = (int32_t *)weights + r / 2 * FB_STRIDE;
    vec sum = ZERO, sum2 = ZERO;
    for (int64_t i = 0; i < b->n; i += WIDTH) {
      vec e = exponential(LOAD(first + i), high), e2 = exponential(LOAD(second + i), high2);
      sum += e, sum2 += e2;
      __m512i both = (__m512i)_mm512_cvtne2ps_pbh(e2, e);
      _mm256_storeu_si256((__m256i *)(out + i / 2), _mm512_castsi512_si256(both));
      _mm256_storeu_si256((__m256i *)(out + PAIRS + i / 2), _mm512_extracti64x4_epi64(both, 1));
      _mm512_storeu_si512(both_out + i, interleave(e, e2));
    }
    l->sum[begin + r] += TOTAL(sum);
    if (r + 1 < m) l->sum[begin + r + 1] += TOTAL(sum2);
  }
  if (l->grads) gradient_of_hidden(l, b, begin, m, rows, PAIRS);
#else
  logits(l, b, begin, m, weights);
  for (int64_t r = 0; r < m; r++) {
    float *x = weights + r * FB_STRIDE, high = raise(l, b, begin + r, x);
    vec sum = ZERO;
    for (int64_t i = 0; i < b->n; i += WIDTH) {
      vec e = exponential(LOAD(x + i), high);
      sum += e;
      STORE(x + i, e);
    }
    if (l->rounded)
      for (int64_t i = 0; i < b->n; i++) x[i] = fb_rounded(x[i]);
    l->sum[begin + r] += TOTAL(sum);
  }
  if (l->grads) gradient_of_hidden(l, b, begin, m, weights, FB_STRIDE);
#endif
}

static void rows(const fb_loss *l, int64_t begin, int64_t end, float *scratch) {
  begin *= FB_GROUP, end = end * FB_GROUP < l->rows ? end * FB_GROUP : l->rows;
  START
  prepare(l, begin, end);
  for (int64_t block = 0; block * FB_BLOCK < l->classes; block++) {
    block_of_classes b = pack(l, block, scratch);
    for (int64_t r = begin; r < end; r += FB_GROUP) group(l, &b, r, end - r < FB_GROUP ? end - r : FB_GROUP);
  }
  END
}

static void final(const fb_loss *l) {
  for (int64_t r = 0; r < l->rows; r++) {
    double max = l->max[r], logit = l->logit[r], others = l->sum[r];
    double own = exp(logit - (max == -INFINITY ? 0 : max)); // may be ∞
    double all = others + own;
    l->loss[r] = logit >= max ? log1p(others * exp(max - logit)) : max - logit + log(all);
    if (!l->grads) continue;
    l->unit[r] = (float)(1 / all / l->total);
    l->pull[r] = (float)(-others / all / l->total);
    float *dh = l->dhidden + r * l->d;
    const float *e = l->table + l->target[r] * l->d;
    for (int64_t i = 0; i < l->d; i++) dh[i] = dh[i] * l->unit[r] + l->pull[r] * e[i];
  }
}

// scaled writes row r of the hidden states, times scale, as an operand.
INLINE void scale_rows(const fb_loss *l, int64_t r, const float *scale, element *out) {
#if PER_ELEMENT == 2
  const float *first = l->hidden + r * l->d, *second = first + l->d;
  for (int64_t j = 0; j < l->d; j += WIDTH) {
    mask some = l->d - j < WIDTH ? FIRST(l->d - j) : FIRST(WIDTH);
    vec x = MASKED_LOAD(first + j, some) * ALL(scale[0]);
    vec y = ZERO;
    if (r + 1 < l->rows) y = MASKED_LOAD(second + j, some) * ALL(scale[1]);
    _mm512_mask_storeu_epi32(out + r / 2 * l->d + j, some, interleave(x, y));
  }
#else
  const float *h = l->hidden + r * l->d;
  for (int64_t j = 0; j < l->d; j++) out[r * l->d + j] = h[j] * scale[0];
  if (l->rounded)
    for (int64_t j = 0; j < l->d; j++) out[r * l->d + j] = fb_rounded(out[r * l->d + j]);
#endif
}

static void classes(const fb_loss *l, int64_t begin, int64_t end, float *scratch) {
  float *scale = scratch, *relative = scratch + SIZE(l); // of each row; and the logit that it belongs to
  element *hidden = (element *)(scratch + 2 * SIZE(l));
  START
  for (int64_t block = begin; block < end; block++) {
    const float *highest = l->highest + block * SIZE(l);
    for (int64_t r = 0; r < l->rows; r += PER_ELEMENT) {
      int changed = block == begin;
      for (int64_t i = r; i < r + PER_ELEMENT && i < l->rows; i++) {
        if (block > begin && highest[i] == relative[i]) continue;
        changed = 1, relative[i] = highest[i];
        float max = l->max[i] == -INFINITY ? 0 : l->max[i];
        scale[i] = exponential(ALL(highest[i]), max)[0] * l->unit[i];
      }
      if (changed) scale_rows(l, r, scale + r, hidden);
    }
    int64_t first = block * FB_BLOCK, n = l->classes - first < FB_BLOCK ? l->classes - first : FB_BLOCK;
    const element *weights = (element *)l->weights + block * SIZE(l) / PER_ELEMENT * FB_STRIDE;
    for (int64_t j = 0; j < l->d; j += PANEL)
      for (int64_t k = 0; k < ELEMENTS(l->rows); k += DEPTH) {
        fb_product p = {.m = n, .n = l->d - j < PANEL ? l->d - j : PANEL, .ai = 1, .ap = FB_STRIDE, .ldb = l->d, .ldc = l->d};
        p.k = ELEMENTS(l->rows) - k < DEPTH ? ELEMENTS(l->rows) - k : DEPTH;
        p.a = weights + k * FB_STRIDE, p.b = hidden + k * l->d + j;
        p.c = l->dtable + first * l->d + j, p.add = l->add || k > 0;
        column_of_tiles(&p);
      }
    if (!l->bias) continue;
    float *db = l->dbias + first;
    if (!l->add) memset(db, 0, n * sizeof *db);
    for (int64_t r = 0; r < l->rows; r++)
      for (int64_t v = 0; v < n; v++) {
#if PER_ELEMENT == 2
        union { uint32_t u; float f; } w = {((const uint32_t *)weights)[r / 2 * FB_STRIDE + v]};
        w.u = r % 2 ? w.u & 0xffff0000 : w.u << 16;
        db[v] += w.f * scale[r];
#else
        db[v] += weights[r * FB_STRIDE + v] * scale[r];
#endif
      }
  }
  END
}

static void targets(const fb_loss *l) {
  for (int64_t r = 0; r < l->rows; r++) {
    float *de = l->dtable + l->target[r] * l->d;
    for (int64_t i = 0; i < l->d; i++) de[i] += l->pull[r] * l->hidden[r * l->d + i];
    if (l->bias) l->dbias[l->target[r]] += l->pull[r];
  }
}

const fb_form FORM = {
    .name = NAME, .product = product, .rows = rows, .final = final, .classes = classes, .targets = targets,
#if PER_ELEMENT == 2
    .pair_columns = pair_columns, .pair_rows = pair_rows,
#endif
};
