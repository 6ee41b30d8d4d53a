#include "products.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/version.h>

#include <cstring>
#include <string>
#include <vector>
#if FB_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

using at::Tensor;
using fb::deref;
using fb::guarded;

namespace {

// What multiplies: decided by vendor and features, never by timing, so that the same
// machine always gives the same bits.
struct Choice {
  const fb_form *float32 = nullptr, *bfloat16 = nullptr; // null: libtorch's
  const fb_attention_loops *attention = &fb_attend8;
};
Choice choice;

#if defined(__x86_64__)
bool intel() { return __builtin_cpu_is("intel"); }
#endif

#if FB_AMX
// multiplies_tiles reports whether the processor has AMX for bfloat16 and the system lets
// this process use it: Linux wants to be asked (5.16 and newer), because tiles are 8 KB more
// to save for each thread.
bool multiplies_tiles() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  constexpr long request_permission = 0x1023, tile_data = 18; // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return __builtin_cpu_supports("avx512bf16") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & amx_bf16) && (d & amx_tile) &&
         syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}
#endif

// A matrix in the form in which a product reads it: elements of 4 bytes, which are floats
// or pairs along k.
struct Operand {
  Tensor memory;
  const void *data;
  int64_t along, across; // stride of k, and of the other dimension
};

// x is [n, k], with a stride of 1 in one dimension.
Operand operand(const Tensor &x, const fb_form *pairs) {
  Tensor t = x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous();
  const float *data = t.const_data_ptr<float>();
  if (!pairs) return {t, data, t.stride(1), t.stride(0)};
  int64_t n = t.size(0), k = t.size(1), half = (k + 1) / 2;
  Tensor out = at::empty({half * n}, t.options().requires_grad(false));
  int32_t *to = reinterpret_cast<int32_t *>(out.data_ptr<float>());
  if (t.stride(1) == 1) {
    pairs->pair_columns(data, t.stride(0), n, k, to);
    return {out, to, 1, half};
  }
  pairs->pair_rows(data, t.stride(1), k, n, to);
  return {out, to, n, 1};
}

// Our own product. Its rows, or else its columns, are spread over threads; no sum is.
void own_product(Tensor &out, const Tensor &a, const Tensor &b, const Tensor *bias, bool add, const fb_form *form) {
  const fb_form *pairs = form == choice.bfloat16 ? form : nullptr;
  Operand left = operand(a, pairs), right = operand(b.t(), pairs); // b.t() is [n, k]
  fb_product p;
  p.m = out.size(0), p.n = out.size(1), p.k = pairs ? (a.size(1) + 1) / 2 : a.size(1);
  p.a = left.data, p.ai = left.across, p.ap = left.along;
  p.transposed = right.across != 1;
  p.b = right.data, p.ldb = p.transposed ? right.across : right.along;
  p.c = out.data_ptr<float>(), p.ldc = out.stride(0);
  Tensor row = bias ? bias->contiguous() : Tensor();
  p.bias = bias ? row.const_data_ptr<float>() : nullptr, p.add = add;
  bool by_rows = p.m >= p.n;
  int64_t unit = by_rows ? 48 : 64, size = by_rows ? p.m : p.n;
  int64_t grain = 1 + (1 << 18) / (1 + unit * p.k * (by_rows ? p.n : p.m));
  at::parallel_for(0, (size + unit - 1) / unit, grain, [&](int64_t begin, int64_t end) {
    fb_product part = p;
    begin *= unit, end = std::min(end * unit, size);
    if (by_rows) {
      part.m = end - begin;
      part.a = static_cast<const float *>(p.a) + begin * p.ai;
      part.c += begin * p.ldc;
    } else {
      part.n = end - begin;
      part.b = static_cast<const float *>(p.b) + begin * (p.transposed ? p.ldb : 1);
      part.c += begin;
      if (p.bias) part.bias += begin;
    }
    form->product(&part);
  });
}

// libtorch's product of float32 matrices.
void libtorch_product(Tensor &out, const Tensor &a, const Tensor &b, const Tensor *bias, bool add) {
  if (bias)
    at::addmm_out(out, *bias, a, b);
  else if (add)
    at::addmm_out(out, out, a, b);
  else
    at::mm_out(out, a, b);
}

// The product of bfloat16 matrices, added up in float32. On a CPU the rounded numbers are
// multiplied in float32: libtorch would round the sums, too.
void bfloat16_product(Tensor &out, const Tensor &a, const Tensor &b, const Tensor *bias, bool add) {
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 8
  if (a.is_cuda()) {
    Tensor c = at::mm(a.to(at::kBFloat16), b.to(at::kBFloat16), at::kFloat);
    if (bias)
      at::add_out(out, c, *bias);
    else if (add)
      out.add_(c);
    else
      out.copy_(c);
    return;
  }
#endif
  libtorch_product(out, fb::rounded(a), fb::rounded(b), bias, add);
}

// x·wᵀ + b and its gradients through product_out; x [n, in], w [out, in].
struct Dense : torch::autograd::Function<Dense> {
  static Tensor forward(torch::autograd::AutogradContext *ctx, const Tensor &x, const Tensor &w,
                        const std::optional<Tensor> &b, bool bfloat16) {
    ctx->save_for_backward({x, w});
    ctx->saved_data["bias"] = b.has_value();
    ctx->saved_data["bfloat16"] = bfloat16;
    Tensor out = at::empty({x.size(0), w.size(0)}, x.options());
    fb::product_out(out, x, w.t(), b, /*add=*/false, bfloat16);
    return out;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 torch::autograd::variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &w = saved[1], &g = upstream[0];
    bool bfloat16 = ctx->saved_data["bfloat16"].toBool();
    Tensor dx, dw, db;
    if (ctx->needs_input_grad(0)) {
      dx = at::empty(x.sizes(), x.options());
      fb::product_out(dx, g, w, std::nullopt, /*add=*/false, bfloat16);
    }
    if (ctx->needs_input_grad(1)) {
      dw = at::empty(w.sizes(), w.options());
      fb::product_out(dw, g.t(), x, std::nullopt, /*add=*/false, bfloat16);
    }
    if (ctx->saved_data["bias"].toBool()) db = g.sum(0);
    return {dx, dw, db, Tensor()};
  }
};

} // namespace

const fb_form *fb::form(bool bfloat16) { return bfloat16 ? choice.bfloat16 : choice.float32; }

const fb_attention_loops &fb::attention() { return *choice.attention; }

Tensor fb::rounded(const Tensor &x) { return x.to(at::kBFloat16).to(at::kFloat); }

void fb::product_out(Tensor &out, const Tensor &a, const Tensor &b, const std::optional<Tensor> &bias, bool add,
                     bool bfloat16) {
  TORCH_CHECK(out.size(0) == a.size(0) && out.size(1) == b.size(1) && a.size(1) == b.size(0) && out.stride(1) == 1,
              "product of ", a.sizes(), " and ", b.sizes(), " into ", out.sizes());
  const Tensor *row = bias ? &*bias : nullptr;
  if (!a.is_cpu() || !choice.float32 || out.numel() == 0 || a.size(1) == 0) {
    bfloat16 ? bfloat16_product(out, a, b, row, add) : libtorch_product(out, a, b, row, add);
  } else if (!bfloat16) {
    own_product(out, a, b, row, add, choice.float32);
  } else if (choice.bfloat16) {
    own_product(out, a, b, row, add, choice.bfloat16);
  } else {
    own_product(out, rounded(a), rounded(b), row, add, choice.float32);
  }
}

const char *fb_choose_products(const char *name) {
  struct Kind {
    const char *name;
    bool possible, suits;
    Choice choice;
  };
  std::vector<Kind> kinds; // the fastest first
#if defined(__x86_64__)
  bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  // Intel's processors multiply pairs no faster in vectors than float32.
  bool pairs = __builtin_cpu_supports("avx512bf16") && (*name || !intel());
#if FB_AMX
  kinds.push_back({"amx", avx512 && multiplies_tiles(), true, {&fb_avx512, &fb_amx, &fb_attend16}});
#endif
  kinds.push_back({"avx512", avx512, true, {&fb_avx512, pairs ? &fb_avx512bf16 : nullptr, &fb_attend16}});
  kinds.push_back({"avx2", avx2, !intel(), {&fb_avx2, nullptr}});
#endif
  kinds.push_back({"libtorch", true, true, {}});
  static thread_local std::string possible;
  possible.clear();
  for (const Kind &k : kinds) {
    if (!k.possible) continue;
    if (*name ? !strcmp(name, k.name) : k.suits) {
      choice = k.choice;
      return nullptr;
    }
    if (!possible.empty()) possible += &k == &kinds.back() ? " or " : ", ";
    possible += k.name;
  }
  return possible.c_str();
}

const char *fb_products(int bfloat16) {
  const fb_form *form = fb::form(bfloat16);
  return form ? form->name : bfloat16 ? nullptr : "libtorch";
}

void *fb_matmul(void *a, void *b) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &x = deref(a), &y = deref(b);
    bool ours = choice.float32 && x.is_cpu() && x.dim() == 2 && y.dim() == 2 && x.size(1) == y.size(0) &&
                x.scalar_type() == at::kFloat && y.scalar_type() == at::kFloat;
    return new Tensor(ours ? Dense::apply(x, y.t(), std::nullopt, false) : at::matmul(x, y));
  });
}

void *fb_linear(void *x, void *w, void *b, int bfloat16) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &in = deref(x), &weight = deref(w);
    std::optional<Tensor> bias;
    if (b) bias = deref(b);
    bool ours = (in.is_cpu() && choice.float32) || bfloat16;
    if (!ours || in.scalar_type() != at::kFloat || weight.scalar_type() != at::kFloat)
      return new Tensor(bias ? at::linear(in, weight, *bias) : at::linear(in, weight));
    TORCH_CHECK(in.dim() > 0 && weight.dim() == 2 && in.size(-1) == weight.size(1), "input ", in.sizes(), " and weight ",
                weight.sizes(), " should be [.., in] and [out, in]");
    TORCH_CHECK(!bias || (bias->dim() == 1 && bias->size(0) == weight.size(0)), "bias ", bias->sizes(), " should be [",
                weight.size(0), "]");
    std::vector<int64_t> shape = in.sizes().vec();
    shape.back() = weight.size(0);
    return new Tensor(Dense::apply(in.reshape({-1, in.size(-1)}), weight, bias, (bool)bfloat16).view(shape));
  });
}

int fb_scores(void *users, void *table, void *bias, float *out, int64_t n) {
  return guarded(1, [&] {
    at::NoGradGuard no_grad;
    const Tensor &u = deref(users), &e = deref(table);
    TORCH_CHECK(u.dim() == 2 && e.dim() == 2 && u.size(1) == e.size(1), "users ", u.sizes(), " and table ", e.sizes(),
                " should be [B, d] and [V, d]");
    TORCH_CHECK(n == u.size(0) * e.size(0), "room for ", n, " scores, not ", u.size(0) * e.size(0));
    std::optional<Tensor> b;
    if (bias) b = deref(bias);
    Tensor into = at::from_blob(out, {u.size(0), e.size(0)}, at::kFloat);
    if (u.is_cpu())
      fb::product_out(into, u, e.t(), b, /*add=*/false, /*bfloat16=*/false);
    else
      into.copy_(b ? at::addmm(*b, u, e.t()) : at::mm(u, e.t()));
    return 0;
  });
}
