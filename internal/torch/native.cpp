#include "native.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adam.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

using at::Tensor;
using fb::deref;
using fb::guarded;

thread_local std::string fb::last_error;

namespace {

// The logits of as many rows at a time as fit this many bytes: on a CPU they
// stay in the cache between the product, the softmax and the two products of
// the gradient; on a GPU they should only be bounded.
constexpr int64_t cpu_chunk_bytes = 6 << 20;
constexpr int64_t gpu_chunk_bytes = 512 << 20;

// softmax_rows turns logits [R, C] into their share of the loss's gradient,
// (softmax - onehot)·scale, and returns Σ (logsumexp - logit of the target).
// Without gradients the logits are left as they are.
double softmax_rows(Tensor logits, const Tensor &target, int64_t lo, bool grads, double scale) {
  int64_t rows = logits.size(0), classes = logits.size(1);
  if (logits.is_cpu()) {
    float *p = logits.data_ptr<float>();
    const int64_t *t = target.const_data_ptr<int64_t>();
    std::vector<double> loss(rows);
    at::parallel_for(0, rows, 1 + (1 << 15) / classes, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        float *row = p + r * classes;
        float &hit = row[t[r] - lo];
        double at_target = hit;
        if (grads) {
          loss[r] = fb_softmax_row(row, classes, (float)scale) - at_target;
          hit -= (float)scale;
        } else {
          loss[r] = fb_logsumexp_row(row, classes) - at_target;
        }
      }
    });
    double sum = 0; // in row order, whatever the number of threads
    for (double l : loss) sum += l;
    return sum;
  }
  Tensor column = (target - lo).unsqueeze(1);
  Tensor lse = logits.logsumexp(1, /*keepdim=*/true);
  double sum = (lse - logits.gather(1, column)).sum(at::kDouble).item<double>();
  if (grads) {
    logits.sub_(lse).exp_().mul_(scale);
    logits.scatter_(1, column, logits.gather(1, column).sub_(scale)); // deterministic, as scatter_add_ is not
  }
  return sum;
}

// Cross-entropy over a large catalogue. The reference builds the logits of all
// rows, their log-softmax and its gradient, each rows × items; this keeps one
// chunk of logits at a time and turns it into its own gradient in place, so
// memory is bounded and each logit is touched while it is in the cache. The
// gradients are computed in the forward pass, since the loss is a scalar.
struct CrossEntropy : torch::autograd::Function<CrossEntropy> {
  static Tensor forward(torch::autograd::AutogradContext *ctx, const Tensor &hidden, const Tensor &table,
                        const std::optional<Tensor> &bias, const Tensor &target, int64_t lo, int64_t hi,
                        bool grads) {
    int64_t rows = hidden.size(0), classes = hi - lo;
    Tensor h = hidden.contiguous(), e = table.narrow(0, lo, classes);
    Tensor b = bias ? bias->narrow(0, lo, classes) : Tensor();
    int64_t bytes = h.is_cpu() ? cpu_chunk_bytes : gpu_chunk_bytes;
    int64_t chunk = std::clamp<int64_t>(bytes / (4 * classes), 16, 4096);
    chunk = std::min(chunk, rows);
    Tensor buffer = at::empty({chunk, classes}, h.options());
    Tensor dh, dtable, dbias, de, db;
    if (grads) {
      dh = at::empty_like(h);
      dtable = at::empty_like(table, at::MemoryFormat::Contiguous);
      dtable.narrow(0, 0, lo).zero_(); // rows that are no classes
      dtable.narrow(0, hi, table.size(0) - hi).zero_();
      de = dtable.narrow(0, lo, classes);
      if (b.defined()) {
        dbias = at::zeros_like(*bias);
        db = dbias.narrow(0, lo, classes);
      }
    }
    double sum = 0;
    for (int64_t begin = 0; begin < rows; begin += chunk) {
      int64_t n = std::min(chunk, rows - begin);
      Tensor part = h.narrow(0, begin, n), logits = buffer.narrow(0, 0, n);
      if (b.defined())
        at::addmm_out(logits, b, part, e.t());
      else
        at::mm_out(logits, part, e.t());
      sum += softmax_rows(logits, target.narrow(0, begin, n), lo, grads, 1.0 / rows);
      if (grads) {
        Tensor into = dh.narrow(0, begin, n);
        at::mm_out(into, logits, e);
        at::addmm_out(de, de, logits.t(), part, /*beta=*/begin > 0); // 0 overwrites what is there
        if (b.defined()) db.add_(logits.sum(0));
      }
    }
    if (grads) {
      torch::autograd::variable_list saved{dh, dtable};
      if (b.defined()) saved.push_back(dbias);
      ctx->save_for_backward(std::move(saved));
    }
    return at::scalar_tensor(sum / rows, h.options());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 torch::autograd::variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    Tensor g = upstream[0];
    // The usual upstream gradient is exactly 1: then nothing needs scaling.
    if (!(g.is_cpu() && g.item<float>() == 1.0f))
      for (Tensor &s : saved) s = s * g;
    return {saved[0], saved[1], saved.size() > 2 ? saved[2] : Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// Dropout whose mask is a function of a seed and the element's index. libtorch's
// CPU form draws every element from a serial generator and keeps the mask: 10 ns
// an element, here well under 1.
struct Dropout : torch::autograd::Function<Dropout> {
  static Tensor apply_mask(const Tensor &x, double p, uint64_t seed) {
    Tensor in = x.contiguous(), out = at::empty_like(in);
    const float *from = in.const_data_ptr<float>();
    float *to = out.data_ptr<float>();
    at::parallel_for(0, in.numel(), 1 << 15, [&](int64_t begin, int64_t end) {
      fb_dropout_block(from + begin, to + begin, begin, end - begin, seed, p);
    });
    return out;
  }
  static Tensor forward(torch::autograd::AutogradContext *ctx, const Tensor &x, double p, int64_t seed) {
    ctx->saved_data["p"] = p;
    ctx->saved_data["seed"] = seed;
    return apply_mask(x, p, (uint64_t)seed);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 torch::autograd::variable_list upstream) {
    uint64_t seed = (uint64_t)ctx->saved_data["seed"].toInt();
    return {apply_mask(upstream[0], ctx->saved_data["p"].toDouble(), seed), Tensor(), Tensor()};
  }
};

at::Generator generator(int device) {
  if (device < 0) return at::globalContext().defaultGenerator(at::Device(at::kCPU));
  return at::globalContext().defaultGenerator(at::Device(at::kCUDA, (at::DeviceIndex)device));
}

} // namespace

const char *fb_error(void) { return fb::last_error.c_str(); }

// glibc hands every large block back to the kernel and each step faults it in
// anew; one arena, because cgo calls come from many threads.
int fb_tune_malloc(void) {
  int ok = mallopt(M_ARENA_MAX, 1) & mallopt(M_MMAP_THRESHOLD, 1 << 30) &
           mallopt(M_TRIM_THRESHOLD, 2147483647) & mallopt(M_TOP_PAD, 1 << 28);
  return ok ? 0 : 1;
}

const char *fb_load_cuda(void) {
  return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) ? nullptr : dlerror();
}

void fb_deterministic(int on) {
  at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

void fb_set_threads(int n) { at::set_num_threads(n); }

const char *fb_version(void) { return TORCH_VERSION; }

int fb_seed(uint64_t seed) {
  return guarded(1, [&] {
    at::manual_seed(seed);
    return 0;
  });
}

void *fb_rng_state(int device) {
  return guarded<void *>(nullptr, [&]() -> void * {
    auto g = generator(device);
    std::lock_guard<std::mutex> lock(g.mutex());
    return new Tensor(g.get_state());
  });
}

int fb_set_rng_state(int device, void *state) {
  return guarded(1, [&] {
    auto g = generator(device);
    std::lock_guard<std::mutex> lock(g.mutex());
    g.set_state(deref(state));
    return 0;
  });
}

int fb_prepare(int n, int members, void **grads, int *has) {
  return guarded(1, [&] {
    for (int i = 0; i < n; i++) {
      bool left_out = has[i] < 0;
      has[i] = 0;
      if (left_out) continue;
      for (int k = 0; k < members; k++) has[i] |= deref(grads[k * n + i]).grad().defined();
      Tensor &leader = deref(grads[i]);
      if (has[i] && !leader.grad().defined()) leader.mutable_grad() = at::zeros_like(leader);
    }
    return 0;
  });
}

int fb_update(int part, int parts, int n, int members, void **grads, const double *shares, const int *has,
              void **m, void **v, const double *steps, double lr, double beta1, double beta2, double eps,
              double weight_decay) {
  return guarded(1, [&] {
    at::NoGradGuard no_grad;
    std::vector<Tensor> ps, gs, ms, vs, ss;
    for (int i = 0; i < n; i++) {
      if (!has[i]) continue;
      int64_t size = deref(grads[i]).numel(), from = size * part / parts, to = size * (part + 1) / parts;
      if (from == to) continue;
      auto slice = [&](const Tensor &t) { return t.detach().reshape({-1}).narrow(0, from, to - from); };
      Tensor mean = slice(deref(grads[i]).grad());
      for (int k = 1; k < members; k++) {
        const Tensor &g = deref(grads[k * n + i]).grad();
        if (shares[k] == 0) continue;
        if (g.defined())
          mean.lerp_(slice(g), shares[k]);
        else
          mean.mul_(1 - shares[k]);
      }
      gs.push_back(mean);
      ps.push_back(slice(deref(grads[i])));
      ms.push_back(slice(deref(m[i])));
      vs.push_back(slice(deref(v[i])));
      ss.push_back(at::full({}, steps[i], deref(grads[i]).options().requires_grad(false)));
    }
    if (!ps.empty())
      at::_fused_adam_(ps, gs, ms, vs, {}, ss, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                       /*maximize=*/false);
    return 0;
  });
}

void *fb_grad(void *param) {
  const Tensor &g = deref(param).grad();
  return g.defined() ? new Tensor(g.is_sparse() ? g.to_dense() : g) : nullptr;
}

int fb_zero_grad(int n, void **params) {
  return guarded(1, [&] {
    for (int i = 0; i < n; i++) deref(params[i]).mutable_grad().reset();
    return 0;
  });
}

void *fb_parameter(void *from) {
  return guarded<void *>(nullptr, [&]() -> void * {
    return new Tensor(deref(from).detach().requires_grad_(true));
  });
}

void *fb_cross_entropy(void *hidden, void *table, void *bias, void *target, int64_t lo, int64_t hi) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &h = deref(hidden), &e = deref(table), &t = deref(target);
    std::optional<Tensor> b;
    if (bias) b = deref(bias);
    TORCH_CHECK(h.dim() == 2 && e.dim() == 2 && h.size(1) == e.size(1), "hidden ", h.sizes(), " and table ",
                e.sizes(), " should be [N, d] and [V, d]");
    TORCH_CHECK(h.size(0) > 0, "no rows");
    TORCH_CHECK(t.dim() == 1 && t.size(0) == h.size(0) && t.scalar_type() == at::kLong, "targets ", t.sizes(),
                " should be ", h.size(0), " int64");
    TORCH_CHECK(0 <= lo && lo < hi && hi <= e.size(0), "classes ", lo, " to ", hi, " of ", e.size(0));
    TORCH_CHECK(h.scalar_type() == at::kFloat && e.scalar_type() == at::kFloat, "float32 expected");
    if (t.is_cpu()) { // on a GPU the scatter checks
      auto [low, high] = t.aminmax();
      TORCH_CHECK(low.item<int64_t>() >= lo && high.item<int64_t>() < hi, "a target lies outside ", lo, "…", hi - 1);
    }
    bool grads = at::GradMode::is_enabled() &&
                 (h.requires_grad() || e.requires_grad() || (b && b->requires_grad()));
    return new Tensor(CrossEntropy::apply(h, e, b, t.contiguous(), lo, hi, grads));
  });
}

void *fb_dropout(void *x, double p, uint64_t seed) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &in = deref(x);
    TORCH_CHECK(p >= 0 && p < 1, "p = ", p, " should be at least 0 and below 1");
    if (!in.is_cpu()) return new Tensor(at::dropout(in, p, /*train=*/true));
    TORCH_CHECK(in.scalar_type() == at::kFloat, "float32 expected");
    return new Tensor(Dropout::apply(in, p, (int64_t)seed));
  });
}

int fb_scores(void *users, void *table, void *bias, float *out, int64_t n) {
  return guarded(1, [&] {
    at::NoGradGuard no_grad;
    const Tensor &u = deref(users), &e = deref(table);
    TORCH_CHECK(u.dim() == 2 && e.dim() == 2 && u.size(1) == e.size(1), "users ", u.sizes(), " and table ", e.sizes(),
                " should be [B, d] and [V, d]");
    TORCH_CHECK(n == u.size(0) * e.size(0), "room for ", n, " scores, not ", u.size(0) * e.size(0));
    Tensor into = at::from_blob(out, {u.size(0), e.size(0)}, at::kFloat);
    if (!u.is_cpu())
      into.copy_(bias ? at::addmm(deref(bias), u, e.t()) : at::mm(u, e.t()));
    else if (bias)
      at::addmm_out(into, deref(bias), u, e.t());
    else
      at::mm_out(into, u, e.t());
    return 0;
  });
}
