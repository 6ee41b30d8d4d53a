// Large tables of which a step reads few rows: lookups with a sparse gradient, and Adam on
// the rows that have one.
//
// A row without a gradient does not rest under Adam: its moments decay, and the first one
// still moves it. With m and v after step s, step s+j adds
//
//   -lr · m·β1^j/(1-β1^(s+j)) / (√(v·β2^j)/√(1-β2^(s+j)) + eps)
//
// Here these steps are made up for when the row is looked up next (fb_catch_up), before it
// is read. So nothing differs from Adam on the whole table but the rounding of sums, and
// that of the steps after the first `reach` the contributions, together below 1e-6·lr·m/√v,
// are left out.
#include "native.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

using at::Tensor;
using fb::deref;
using fb::guarded;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr int64_t reach = 160;
constexpr int64_t corrected = 1 << 15; // after so many steps no bias correction differs from 1
constexpr int32_t busy = -1;           // the last step of a row that a thread is at

// Factors of an update that depend on the step only.
struct Factors {
  std::vector<float> c1, c2;   // of step n: 1/(1-β1^n), 1/√(1-β2^n)
  std::vector<float> num, den; // of the j-th step without a gradient: β1^j, √(β2^j)
  std::vector<float> decay2;   // β2^j
  Factors(double beta1, double beta2) : c1(corrected), c2(corrected), num(reach), den(reach), decay2(reach) {
    for (int64_t n = 0; n < corrected; n++) {
      c1[n] = (float)(1 / (1 - std::pow(beta1, n + 1.0)));
      c2[n] = (float)(1 / std::sqrt(1 - std::pow(beta2, n + 1.0)));
    }
    for (int64_t j = 0; j < reach; j++) {
      num[j] = (float)std::pow(beta1, j + 1.0);
      decay2[j] = (float)std::pow(beta2, j + 1.0);
      den[j] = (float)std::sqrt(std::pow(beta2, j + 1.0));
    }
  }
};

const Factors &factors(const fb_rows &t) {
  static const Factors f(t.beta1, t.beta2); // constants of adam.go
  return f;
}

// A table with its state, as plain memory.
struct Rows {
  float *p, *m, *v;
  int32_t *last;    // by row: the step up to which it is updated; 0 without any gradient so far
  int64_t count, d; // rows and their width
  explicit Rows(const fb_rows &t)
      : p(deref(t.p).data_ptr<float>()), m(deref(t.m).data_ptr<float>()), v(deref(t.v).data_ptr<float>()),
        last(deref(t.last).data_ptr<int32_t>()), count(deref(t.p).size(0)), d(deref(t.p).numel() / count) {}
};

// Makes up for the steps that a row has missed, from `since` to t.step.
void make_up(const fb_rows &t, const Rows &r, const Factors &f, int64_t row, int64_t since) {
  int64_t missed = t.step - since, at = std::min(since, corrected - reach); // num[0] belongs to step since+1
  bool near = missed <= reach; // then the powers are in the tables
  fb_missed s{std::min(missed, reach), f.num.data(), f.den.data(), f.c1.data() + at, f.c2.data() + at,
              near ? f.num[missed - 1] : (float)std::pow(t.beta1, (double)missed),
              near ? f.decay2[missed - 1] : (float)std::pow(t.beta2, (double)missed), (float)t.lr, (float)t.eps};
  fb_adam_missed(r.p + row * r.d, r.m + row * r.d, r.v + row * r.d, r.d, &s);
}

// Brings a row up to date, or waits for the thread that is about it. The result does not
// depend on who does it.
void settle(const fb_rows &t, const Rows &r, const Factors &f, int64_t row) {
  int32_t *last = r.last + row, now = (int32_t)t.step;
  for (;;) {
    int32_t since = __atomic_load_n(last, __ATOMIC_ACQUIRE);
    if (since == now || since == 0) return; // without a gradient so far, the moments are 0
    if (since == busy || !__atomic_compare_exchange_n(last, &since, busy, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) continue;
    make_up(t, r, f, row, since);
    __atomic_store_n(last, now, __ATOMIC_RELEASE);
    return;
  }
}

void check_rows(const Tensor &ids, int64_t rows) {
  const int64_t *id = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); i++) TORCH_CHECK(0 <= id[i] && id[i] < rows, "row ", id[i], " of ", rows);
}

void prefetch(const float *x, int64_t d) {
  for (int64_t i = 0; i < d; i += 16) __builtin_prefetch(x + i);
}

// Brings the rows of these ids up to date, one after the other, and gives each to use(i, row)
// while it is in the cache.
template <typename F> void catch_up(const fb_rows &t, const Tensor &ids, F use) {
  const Factors &f = factors(t);
  Rows r(t);
  const int64_t *id = ids.const_data_ptr<int64_t>();
  int64_t n = ids.numel();
  check_rows(ids, r.count);
  for (int64_t i = 0; i < n; i++) {
    if (i + 32 < n) __builtin_prefetch(r.last + id[i + 32]);
    if (i + 8 < n) {
      int64_t at = id[i + 8] * r.d;
      prefetch(r.p + at, r.d);
      if (r.last[id[i + 8]] != 0) prefetch(r.m + at, r.d), prefetch(r.v + at, r.d);
    }
    settle(t, r, f, id[i]);
    use(i, r.p + id[i] * r.d);
  }
}

// A gradient of a table from one for each of the ids, [n, d].
Tensor sparse(const Tensor &ids, const Tensor &values, at::IntArrayRef sizes) {
  return at::_sparse_coo_tensor_unsafe(ids.unsqueeze(0), values, sizes);
}

struct Lookup : torch::autograd::Function<Lookup> {
  static Tensor forward(AutogradContext *ctx, const Tensor &table, const Tensor &ids, bool padding, int64_t lazy) {
    ctx->save_for_backward({ids});
    ctx->saved_data["sizes"] = table.sizes().vec();
    ctx->saved_data["padding"] = padding;
    std::vector<int64_t> shape = ids.sizes().vec();
    if (table.dim() == 2) shape.push_back(table.size(1));
    if (!lazy) return table.index_select(0, ids.flatten()).view(shape);
    Tensor out = at::empty(shape, table.options().requires_grad(false));
    float *to = out.data_ptr<float>();
    int64_t d = table.numel() / table.size(0);
    catch_up(*reinterpret_cast<const fb_rows *>(lazy), ids.contiguous(),
             [&](int64_t i, const float *row) { std::copy_n(row, d, to + i * d); });
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    std::vector<int64_t> sizes = ctx->saved_data["sizes"].toIntVector(), rows = sizes;
    rows[0] = -1;
    Tensor ids = ctx->get_saved_variables()[0].flatten(), g = upstream[0].reshape(rows);
    if (ctx->saved_data["padding"].toBool() && ids.eq(0).any().item<bool>()) {
      Tensor kept = ids.nonzero().squeeze(1);
      ids = ids.index_select(0, kept);
      g = g.index_select(0, kept);
    }
    return {sparse(ids, g.contiguous(), sizes), Tensor(), Tensor(), Tensor()};
  }
};

// The products of each vector with some rows of a table. Copies of these rows, and their
// gradients, are never in memory, but for the values of a sparse gradient.
struct RowScores : torch::autograd::Function<RowScores> {
  static Tensor forward(AutogradContext *ctx, const Tensor &vectors, const Tensor &table, const Tensor &ids, int64_t lazy, bool large) {
    Tensor out = at::empty(ids.sizes(), table.options().requires_grad(false));
    int64_t each = ids.size(1), d = table.size(1);
    const float *u = vectors.const_data_ptr<float>(), *e = table.const_data_ptr<float>();
    float *to = out.data_ptr<float>();
    auto score = [&](int64_t i, const float *row) { to[i] = fb_dot(u + i / each * d, row, d); };
    if (lazy) {
      catch_up(*reinterpret_cast<const fb_rows *>(lazy), ids, score);
    } else {
      check_rows(ids, table.size(0));
      const int64_t *id = ids.const_data_ptr<int64_t>();
      for (int64_t i = 0; i < ids.numel(); i++) {
        if (i + 8 < ids.numel()) prefetch(e + id[i + 8] * d, d);
        score(i, e + id[i] * d);
      }
    }
    ctx->save_for_backward({vectors, table, ids});
    ctx->saved_data["large"] = large;
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    variable_list saved = ctx->get_saved_variables();
    const Tensor &vectors = saved[0], &table = saved[1], &ids = saved[2];
    Tensor g = upstream[0].contiguous(), dvectors = at::zeros_like(vectors);
    bool large = ctx->saved_data["large"].toBool();
    int64_t each = ids.size(1), d = table.size(1);
    const float *u = vectors.const_data_ptr<float>(), *e = table.const_data_ptr<float>(), *by = g.const_data_ptr<float>();
    const int64_t *id = ids.const_data_ptr<int64_t>();
    Tensor into = large ? at::empty({ids.numel(), d}, g.options()) : at::zeros(table.sizes(), g.options());
    float *du = dvectors.data_ptr<float>(), *de = into.data_ptr<float>();
    for (int64_t i = 0; i < ids.numel(); i++) {
      if (i + 8 < ids.numel()) prefetch(e + id[i + 8] * d, d);
      const int64_t at = i / each * d;
      fb_add_scaled(du + at, e + id[i] * d, by[i], d);
      if (large)
        fb_scaled(de + i * d, u + at, by[i], d);
      else
        fb_add_scaled(de + id[i] * d, u + at, by[i], d);
    }
    return {dvectors, large ? sparse(ids.flatten(), into, table.sizes()) : into, Tensor(), Tensor(), Tensor()};
  }
};

// An entry of a sparse gradient: the values of one lookup.
struct Entry {
  uint32_t row; // of this part
  float weight; // of the member's gradient in the mean
  const float *values;
};

// Sorts by row and keeps the order of entries of the same row, so that sums are always the
// same: a radix sort, for which 11 bits at a time fit the first cache.
void sort_by_row(std::vector<Entry> &entries, int64_t rows) {
  std::vector<Entry> other(entries.size());
  for (int shift = 0; shift == 0 || rows >> shift > 0; shift += 11) {
    std::array<uint32_t, 2049> begin{};
    for (const Entry &e : entries) begin[((e.row >> shift) & 2047) + 1]++;
    for (int i = 0; i < 2048; i++) begin[i + 1] += begin[i];
    for (const Entry &e : entries) other[begin[(e.row >> shift) & 2047]++] = e;
    entries.swap(other);
  }
}

} // namespace

int fb_has_sparse_gradient(void *table) {
  const Tensor &t = deref(table);
  return t.is_cpu() && t.scalar_type() == at::kFloat && t.is_leaf() && t.requires_grad() && at::GradMode::is_enabled() &&
         t.size(0) >= fb_sparse_from;
}

void *fb_lookup(void *table, void *ids, int padding, const fb_rows *lazy) {
  return guarded<void *>(nullptr, [&]() -> void * {
    return new Tensor(Lookup::apply(deref(table), deref(ids), padding != 0, reinterpret_cast<int64_t>(lazy)));
  });
}

void *fb_row_scores(void *vectors, void *table, void *ids, const fb_rows *lazy) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &u = deref(vectors), &e = deref(table), &at = deref(ids);
    TORCH_CHECK(u.dim() == 2 && e.dim() == 2 && u.size(1) == e.size(1), "vectors ", u.sizes(), " and table ", e.sizes(),
                " should be [n, d] and [V, d]");
    TORCH_CHECK(at.dim() == 2 && at.size(0) == u.size(0) && at.scalar_type() == at::kLong, "ids ", at.sizes(), " should be [", u.size(0),
                ", k] int64");
    if (!u.is_cpu() || u.scalar_type() != at::kFloat || e.scalar_type() != at::kFloat) {
      Tensor rows = e.index_select(0, at.flatten()).view({at.size(0), at.size(1), e.size(1)});
      return new Tensor(rows.matmul(u.unsqueeze(2)).squeeze(2));
    }
    return new Tensor(RowScores::apply(u.contiguous(), e.contiguous(), at.contiguous(), reinterpret_cast<int64_t>(lazy),
                                       fb_has_sparse_gradient(table) != 0));
  });
}

void *fb_no_steps(int64_t rows) {
  return guarded<void *>(nullptr, [&]() -> void * { return new Tensor(at::zeros({rows}, at::kInt)); });
}

int fb_catch_up(const fb_rows *t, void *ids) {
  return guarded(1, [&] {
    catch_up(*t, deref(ids).contiguous(), [](int64_t, const float *) {});
    return 0;
  });
}

int fb_catch_up_all(const fb_rows *t, int part, int parts) {
  return guarded(1, [&] {
    const Factors &f = factors(*t);
    Rows r(*t);
    for (int64_t row = r.count * part / parts; row < r.count * (part + 1) / parts; row++) settle(*t, r, f, row);
    return 0;
  });
}

int fb_update_rows(const fb_rows *t, int part, int parts, int members, void **params, const double *shares) {
  return guarded(1, [&] {
    Rows r(*t);
    int64_t begin = r.count * part / parts, end = r.count * (part + 1) / parts;
    std::vector<Tensor> held; // whose memory the entries point into
    std::vector<Entry> entries;
    for (int k = 0; k < members; k++) {
      Tensor g = deref(params[k]).grad();
      double weight = k == 0 ? 1 : shares[k]; // the mean of the members is m0.lerp(m1, share1).lerp(m2, share2)…
      for (int later = k + 1; later < members; later++) weight *= 1 - shares[later];
      if (!g.defined() || weight == 0) continue;
      Tensor ids = g._indices().contiguous(), values = g._values().contiguous();
      const int64_t *id = ids.const_data_ptr<int64_t>();
      const float *x = values.const_data_ptr<float>();
      for (int64_t i = 0; i < ids.numel(); i++)
        if (begin <= id[i] && id[i] < end) entries.push_back({(uint32_t)(id[i] - begin), (float)weight, x + i * r.d});
      held.push_back(values);
    }
    sort_by_row(entries, end - begin);
    double c1 = 1 - std::pow(t->beta1, t->step), c2 = 1 - std::pow(t->beta2, t->step);
    fb_adam_step s{(float)(1 - t->beta1), (float)t->beta2, (float)(1 - t->beta2), (float)(t->lr / c1), (float)(1 / std::sqrt(c2)), (float)t->eps};
    std::vector<float> sum(r.d);
    for (size_t i = 0; i < entries.size();) {
      int64_t row = begin + entries[i].row, at = row * r.d;
      int32_t last = r.last[row];
      TORCH_CHECK(last == 0 || last == t->step - 1, "row ", row, " is at step ", last, ", expected ", t->step - 1);
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (size_t first = i; i < entries.size() && entries[i].row == entries[first].row; i++) {
        if (i + 8 < entries.size()) {
          int64_t next = (begin + entries[i + 8].row) * r.d;
          prefetch(r.p + next, r.d), prefetch(r.m + next, r.d), prefetch(r.v + next, r.d), prefetch(entries[i + 8].values, r.d);
        }
        fb_add_scaled(sum.data(), entries[i].values, entries[i].weight, r.d);
      }
      fb_adam_row(r.p + at, r.m + at, r.v + at, sum.data(), r.d, &s);
      r.last[row] = (int32_t)t->step;
    }
    return 0;
  });
}

int fb_sparse_gradients(int n, int members, void **params, int *sparse) {
  return guarded(1, [&] {
    for (int i = 0; i < n; i++) {
      int some = 0, all = 1;
      for (int k = 0; k < members; k++) {
        const Tensor &g = deref(params[k * n + i]).grad();
        if (!g.defined()) continue;
        some |= g.is_sparse();
        all &= g.is_sparse();
      }
      sparse[i] = some && all;
    }
    return 0;
  });
}

int fb_to_dense(int members, void **params, int stride) {
  return guarded(1, [&] {
    for (int k = 0; k < members; k++) {
      Tensor &t = deref(params[k * stride]);
      if (t.grad().defined() && t.grad().is_sparse()) t.mutable_grad() = t.grad().to_dense();
    }
    return 0;
  });
}
