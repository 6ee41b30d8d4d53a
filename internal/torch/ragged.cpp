// Operations on sequences of different lengths that lie one after the other. On
// a CPU they are loops of our own (ragged.c, attend.h), on a GPU compositions of
// libtorch's operations; a test holds the two against each other.
#include "products.hpp"

#include <torch/csrc/autograd/custom_function.h>

#include <tuple>

using at::Tensor;
using fb::deref;
using fb::guarded;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Tensors of heads [n, groups·width], each head filled up with zeros to the padded width.
Tensor pad_heads(const Tensor &x, int64_t width, int64_t padded) {
  if (width == padded) return x.contiguous();
  return at::constant_pad_nd(x.reshape({x.size(0), -1, width}), {0, padded - width}).reshape({x.size(0), -1});
}

Tensor unpad_heads(const Tensor &x, int64_t width, int64_t padded) {
  if (width == padded) return x;
  return x.view({x.size(0), -1, padded}).narrow(2, 0, width).reshape({x.size(0), -1});
}

struct Attention : torch::autograd::Function<Attention> {
  static fb_attention sizes(AutogradContext *ctx, const Tensor &q, const Tensor &kv, const Tensor &spans, const Tensor &keys) {
    int64_t heads = ctx->saved_data["heads"].toInt(), width = ctx->saved_data["width"].toInt();
    return {q.size(0), q.size(1) / (kv.size(1) / 2), heads, kv.size(1) / 2 / heads, spans.const_data_ptr<int64_t>(),
            (float)(1 / std::sqrt((double)width)), ctx->saved_data["p"].toDouble(), keys.const_data_ptr<int64_t>()};
  }
  static Tensor forward(AutogradContext *ctx, const Tensor &queries, const Tensor &keys_values, const Tensor &spans,
                        int64_t heads, double p, const Tensor &keys) {
    int64_t width = keys_values.size(1) / 2 / heads, padded = (width + FB_LANES - 1) / FB_LANES * FB_LANES;
    Tensor q = pad_heads(queries, width, padded), kv = pad_heads(keys_values, width, padded), out = at::empty_like(q);
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["width"] = width;
    ctx->saved_data["p"] = p;
    fb_attention a = sizes(ctx, q, kv, spans, keys);
    int64_t seen = 0;
    for (int64_t i = 0; i < a.rows; i++) seen += a.spans[2 * i + 1] - a.spans[2 * i];
    Tensor weights = at::empty({a.queries * heads * seen + FB_BEHIND}, q.options());
    fb::attention().forward(&a, q.const_data_ptr<float>(), kv.const_data_ptr<float>(), weights.data_ptr<float>(),
                            out.data_ptr<float>());
    ctx->save_for_backward({q, kv, spans, weights, keys});
    return unpad_heads(out, width, padded);
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    Tensor q = saved[0], kv = saved[1], dq = at::empty_like(q), dkv = at::zeros_like(kv);
    fb_attention a = sizes(ctx, q, kv, saved[2], saved[4]);
    int64_t width = ctx->saved_data["width"].toInt();
    Tensor g = pad_heads(upstream[0], width, a.width);
    fb::attention().backward(&a, q.const_data_ptr<float>(), kv.const_data_ptr<float>(), saved[3].const_data_ptr<float>(),
                             g.const_data_ptr<float>(), dq.data_ptr<float>(), dkv.data_ptr<float>());
    return {unpad_heads(dq, width, a.width), unpad_heads(dkv, width, a.width), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// The same of libtorch's operations: each query gets a copy of its keys and
// values, filled up to the longest span.
Tensor attend_composed(const Tensor &q, const Tensor &kv, const Tensor &spans, int64_t heads, double p) {
  int64_t N = q.size(0), width = q.size(1) / heads, d_values = kv.size(1) - q.size(1);
  Tensor first = spans.select(1, 0).unsqueeze(1), end = spans.select(1, 1).unsqueeze(1); // [N, 1]
  int64_t S = (end - first).max().item<int64_t>();
  Tensor at_row = first + at::arange(S, spans.options());                                  // [N, S]
  Tensor outside = at_row >= end;                                                           // [N, S]
  Tensor rows = kv.index_select(0, at::minimum(at_row, end - 1).flatten());                 // [N·S, 2d]
  Tensor k = rows.narrow(1, 0, q.size(1)).view({N, S, heads, width});                       // [N, S, H, d/H]
  Tensor v = rows.narrow(1, q.size(1), d_values).reshape({N, S, heads, d_values / heads});
  Tensor scores = (k * q.view({N, 1, heads, width})).sum(-1) / std::sqrt((double)width);    // [N, S, H]
  Tensor weights = scores.masked_fill(outside.unsqueeze(2), -INFINITY).softmax(1);
  return (at::dropout(weights, p, p > 0).unsqueeze(3) * v).sum(1).reshape({N, d_values});
}

struct PrefixMean : torch::autograd::Function<PrefixMean> {
  static Tensor forward(AutogradContext *ctx, const Tensor &values, const Tensor &logits, const Tensor &lengths) {
    Tensor x = values.contiguous(), a = logits.contiguous(), out = at::empty_like(x);
    Tensor old = at::empty_like(a), fresh = at::empty_like(a);
    fb_prefix_mean_forward(x.const_data_ptr<float>(), a.const_data_ptr<float>(), lengths.const_data_ptr<int64_t>(),
                           lengths.size(0), x.size(1), old.data_ptr<float>(), fresh.data_ptr<float>(),
                           out.data_ptr<float>());
    ctx->save_for_backward({x, lengths, old, fresh, out});
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    Tensor x = saved[0], lengths = saved[1], old = saved[2], fresh = saved[3], out = saved[4];
    Tensor g = upstream[0].contiguous(), dx = at::empty_like(x), da = at::empty_like(old);
    fb_prefix_mean_backward(x.const_data_ptr<float>(), lengths.const_data_ptr<int64_t>(), lengths.size(0), x.size(1),
                            old.const_data_ptr<float>(), fresh.const_data_ptr<float>(), out.const_data_ptr<float>(),
                            g.const_data_ptr<float>(), dx.data_ptr<float>(), da.data_ptr<float>());
    return {dx, da, Tensor()};
  }
};

// The same as an attention whose scores are the logits: the query is 1.
Tensor prefix_mean_composed(const Tensor &x, const Tensor &a, const Tensor &lengths) {
  Tensor end = at::arange(1, x.size(0) + 1, lengths.options());
  Tensor first = at::repeat_interleave(lengths.cumsum(0) - lengths, lengths, 0, x.size(0));
  return attend_composed(at::ones({x.size(0), 1}, x.options()), at::cat({a.unsqueeze(1), x}, 1),
                         at::stack({first, end}, 1), 1, 0);
}

struct Normalize : torch::autograd::Function<Normalize> {
  static Tensor forward(AutogradContext *ctx, const Tensor &x) {
    Tensor norm = at::linalg_vector_norm(x, 2, {1}, /*keepdim=*/true).clamp_min_(1e-12), y = x / norm;
    ctx->save_for_backward({y, norm});
    return y;
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    Tensor y = saved[0], g = upstream[0];
    return {(g - y * (g * y).sum(1, /*keepdim=*/true)).div_(saved[1])};
  }
};

bool is_ids(const Tensor &t, int64_t dim) { return t.dim() == dim && t.scalar_type() == at::kLong; }

bool is_matrix(const Tensor &t) { return t.dim() == 2 && t.scalar_type() == at::kFloat; }

} // namespace

void *fb_attend(void *queries, void *keys_values, void *spans, int64_t heads, double p, uint64_t seed, const int64_t *names,
                int composed) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &q = deref(queries), &kv = deref(keys_values), s = deref(spans).contiguous();
    TORCH_CHECK(is_matrix(q) && is_matrix(kv) && kv.size(1) > 0 && kv.size(1) % 2 == 0 && q.size(1) % (kv.size(1) / 2) == 0,
                "queries ", q.sizes(), " and keys with values ", kv.sizes(), " should be [n, N·d] and [M, 2d]");
    TORCH_CHECK(is_ids(s, 2) && s.size(0) == q.size(0) && s.size(1) == 2, "spans ", s.sizes(), " should be [n, 2] int64");
    int64_t n = q.size(0), d = kv.size(1) / 2, N = q.size(1) / d;
    TORCH_CHECK(heads > 0 && d % heads == 0, heads, " heads do not divide ", d);
    TORCH_CHECK(p >= 0 && p < 1, "p = ", p, " should be at least 0 and below 1");
    if (!q.is_cpu() || composed)
      return new Tensor(attend_composed(q.reshape({n * N, d}), kv, s.repeat_interleave(N, 0), heads, p).reshape({n, N * d}));
    const int64_t *span = s.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < s.size(0); i++)
      TORCH_CHECK(0 <= span[2 * i] && span[2 * i] < span[2 * i + 1] && span[2 * i + 1] <= kv.size(0), "span ", i, " is ",
                  span[2 * i], " to ", span[2 * i + 1], " of ", kv.size(0), " rows");
    return new Tensor(Attention::apply(q, kv, s, heads, p, p > 0 ? fb::row_keys(seed, names, n) : at::empty({0}, at::kLong)));
  });
}

void *fb_prefix_mean(void *values, void *logits, void *lens, int composed) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &x = deref(values), &a = deref(logits), n = deref(lens).contiguous();
    TORCH_CHECK(is_matrix(x) && a.dim() == 1 && a.scalar_type() == at::kFloat && a.size(0) == x.size(0), "values ", x.sizes(),
                " and logits ", a.sizes(), " should be [M, d] and [M]");
    TORCH_CHECK(is_ids(n, 1), "lengths ", n.sizes(), " should be [B] int64");
    if (!x.is_cpu() || composed) return new Tensor(prefix_mean_composed(x, a, n));
    TORCH_CHECK(n.min().item<int64_t>() > 0 && n.sum().item<int64_t>() == x.size(0), "lengths should be positive and add up to ",
                x.size(0));
    return new Tensor(PrefixMean::apply(x, a, n));
  });
}

void *fb_normalize(void *rows) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &x = deref(rows);
    TORCH_CHECK(is_matrix(x), "a matrix expected, not ", x.sizes());
    return new Tensor(Normalize::apply(x));
  });
}

void *fb_attend_equal(void *queries, void *keys_values, int64_t n, int64_t heads) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &q = deref(queries), &kv = deref(keys_values);
    TORCH_CHECK(is_matrix(q) && is_matrix(kv) && kv.size(0) == q.size(0) && kv.size(1) == 2 * q.size(1), "queries ",
                q.sizes(), " and keys with values ", kv.sizes(), " should be [N, d] and [N, 2d]");
    TORCH_CHECK(n > 0 && q.size(0) % n == 0, "sequences of ", n, " rows do not divide ", q.size(0));
    TORCH_CHECK(heads > 0 && q.size(1) % heads == 0, heads, " heads do not divide ", q.size(1));
    int64_t d = q.size(1);
    auto split = [&](const Tensor &x) { return x.reshape({-1, n, heads, d / heads}).transpose(1, 2); }; // [T, H, n, d/H]
    Tensor out = at::scaled_dot_product_attention(split(q), split(kv.narrow(1, 0, d)), split(kv.narrow(1, d, d)));
    return new Tensor(out.transpose(1, 2).reshape({-1, d}));
  });
}
