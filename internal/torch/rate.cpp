// How fast this machine multiplies matrices, to compare the speed of the loss with.
#include "native.hpp"

#include <ATen/Context.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <chrono>
#include <vector>

using fb::guarded;

namespace {

// oneDNN multiplies float32 in libtorch only if told that less precision will do. On
// processors with AMX it then rounds its inputs, so its rate would not be one of float32.
bool onednn_is_float32() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  return !(__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1)); // AMX-BF16
#else
  return false;
#endif
}

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

int fb_use_onednn(int on) {
  if (on && !onednn_is_float32()) return 0;
  at::globalContext().setFloat32MatmulPrecision(on ? "medium" : "highest");
  return 1;
}

double fb_product_rate(int device, int64_t m, int64_t n, int64_t k, int bfloat16, double limit) {
  return guarded<double>(-1, [&] {
    at::NoGradGuard no_grad;
    auto options = at::TensorOptions(bfloat16 ? at::kBFloat16 : at::kFloat);
    if (device >= 0) options = options.device(at::Device(at::kCUDA, (at::DeviceIndex)device));
    at::Tensor a = at::full({m, k}, 0.5, options), b = at::full({n, k}, 0.5, options), c = at::empty({m, n}, options);
    std::vector<double> rates;
    for (double begin = seconds(); seconds() - begin < limit || rates.size() < 3;) {
      double start = seconds();
      for (int i = 0; i < 4; i++) at::mm_out(c, a, b.t());
      if (device >= 0) c.sum().item(); // waits for the GPU
      rates.push_back(4 * 2e-9 * m * n * k / (seconds() - start));
    }
    std::sort(rates.begin(), rates.end());
    return rates[rates.size() / 2];
  });
}
