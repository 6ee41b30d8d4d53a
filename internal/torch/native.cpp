#include "native.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/_fused_adam.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/version.h>

#include <string>
#include <vector>

using at::Tensor;
using fb::deref;
using fb::guarded;

thread_local std::string fb::last_error;

Tensor fb::row_keys(uint64_t seed, const int64_t *names, int64_t rows) {
  Tensor keys = at::empty({rows}, at::kLong);
  fb_row_keys(names, rows, seed, keys.data_ptr<int64_t>());
  return keys;
}

namespace {

// Dropout whose mask is a function of the row's key and the column. libtorch's CPU
// form draws every element from a serial generator and keeps the mask: 10 ns per
// element, here well under 1.
struct Dropout : torch::autograd::Function<Dropout> {
  static Tensor apply_mask(const Tensor &x, double p, const Tensor &keys) {
    Tensor in = x.contiguous(), out = at::empty_like(in);
    int64_t rows = keys.size(0), width = rows ? in.numel() / rows : 0;
    const float *from = in.const_data_ptr<float>();
    float *to = out.data_ptr<float>();
    const int64_t *key = keys.const_data_ptr<int64_t>();
    at::parallel_for(0, rows, 1 + (1 << 15) / std::max<int64_t>(width, 1), [&](int64_t begin, int64_t end) {
      fb_dropout_rows(from + begin * width, to + begin * width, key + begin, end - begin, width, p);
    });
    return out;
  }
  static Tensor forward(torch::autograd::AutogradContext *ctx, const Tensor &x, double p, const Tensor &keys) {
    ctx->saved_data["p"] = p;
    ctx->save_for_backward({keys});
    return apply_mask(x, p, keys);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 torch::autograd::variable_list upstream) {
    Tensor keys = ctx->get_saved_variables()[0];
    return {apply_mask(upstream[0], ctx->saved_data["p"].toDouble(), keys), Tensor(), Tensor()};
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

void *fb_dropout(void *x, double p, uint64_t seed, const int64_t *names, int64_t rows) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &in = deref(x);
    TORCH_CHECK(p >= 0 && p < 1, "p = ", p, " should be at least 0 and below 1");
    if (!in.is_cpu()) return new Tensor(at::dropout(in, p, /*train=*/true));
    TORCH_CHECK(in.scalar_type() == at::kFloat, "float32 expected");
    TORCH_CHECK(in.dim() > 0 && in.size(0) == rows, "expected ", rows, " rows");
    return new Tensor(Dropout::apply(in, p, fb::row_keys(seed, names, rows)));
  });
}
