// Cross-entropy over a large catalogue. A plain implementation stores the logits of all
// rows, their log-softmax and its gradient, each rows × items. Here a chunk of rows is
// kept at a time. The gradients are computed in the forward pass, since the loss is a
// scalar.
#include "products.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

using at::Tensor;
using fb::deref;
using fb::guarded;

namespace {

// Arguments of a loss, and its gradients, whose memory is there but not yet written.
struct Rows {
  Tensor hidden, table, bias, target; // [n, d], [V, d], [V] or none, [n]; the table's rows are the classes
  bool grads, bfloat16;
  Tensor dhidden, dtable, dbias; // as above
};

// Bytes of logits or exponentials that are kept at a time: on a CPU they should stay in the
// cache; on a GPU they should only be bounded.
constexpr int64_t own_chunk_bytes = 8 << 20; // of each member of a team
constexpr int64_t cpu_chunk_bytes = 6 << 20;
constexpr int64_t gpu_chunk_bytes = 512 << 20;

// own_loss is the sum of the rows' losses by our own products, and the gradients of their
// mean.
double own_loss(Rows &a, const fb_form *form) {
  bool pairs = form == fb::form(true), rounded = a.bfloat16 && !pairs;
  int64_t rows = a.hidden.size(0), classes = a.table.size(0), d = a.hidden.size(1);
  int64_t blocks = (classes + FB_BLOCK - 1) / FB_BLOCK;
  int64_t row_bytes = (pairs ? 2 : 4) * blocks * FB_STRIDE;
  int64_t most = std::max<int64_t>(own_chunk_bytes / row_bytes / FB_GROUP, 1) * FB_GROUP;
  int64_t chunks = (rows + most - 1) / most;
  int64_t chunk = std::min((rows + chunks * FB_GROUP - 1) / (chunks * FB_GROUP) * FB_GROUP, rows + rows % 2);
  auto floats = [&](int64_t n) { return at::empty({n}, a.hidden.options().requires_grad(false)); };
  auto doubles = [&](int64_t n) { return at::empty({n}, at::kDouble); };
  Tensor operand = floats(chunk * (d + 1)), weights = floats(chunk * row_bytes / 4), highest = floats(blocks * chunk);
  Tensor of_rows = floats(4 * chunk);
  Tensor sums = doubles(2 * chunk);
  float *by_row = of_rows.data_ptr<float>();
  fb_loss l = {};
  l.classes = classes, l.d = d, l.total = rows, l.grads = a.grads, l.rounded = rounded;
  l.table = a.table.const_data_ptr<float>();
  l.bias = a.bias.defined() ? a.bias.const_data_ptr<float>() : nullptr;
  l.operand = operand.data_ptr<float>(), l.weights = weights.data_ptr<float>(), l.highest = highest.data_ptr<float>();
  l.max = by_row, l.logit = by_row + chunk, l.unit = by_row + 2 * chunk, l.pull = by_row + 3 * chunk;
  l.sum = sums.data_ptr<double>(), l.loss = l.sum + chunk;
  if (a.grads) {
    l.dtable = a.dtable.data_ptr<float>();
    if (l.bias) l.dbias = a.dbias.data_ptr<float>();
  }
  double sum = 0;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    l.rows = std::min(chunk, rows - begin);
    l.hidden = a.hidden.const_data_ptr<float>() + begin * d;
    l.target = a.target.const_data_ptr<int64_t>() + begin;
    if (a.grads) l.dhidden = a.dhidden.data_ptr<float>() + begin * d;
    l.add = begin > 0;
    at::parallel_for(0, (l.rows + FB_GROUP - 1) / FB_GROUP, 1, [&](int64_t from, int64_t to) {
      Tensor scratch = floats(2 * FB_BLOCK * (d + 1));
      form->rows(&l, from, to, scratch.data_ptr<float>());
    });
    form->final(&l);
    for (int64_t r = 0; r < l.rows; r++) sum += l.loss[r];
    if (!a.grads) continue;
    at::parallel_for(0, blocks, 1, [&](int64_t from, int64_t to) {
      Tensor scratch = floats((l.rows + 1) * (d + 2));
      form->classes(&l, from, to, scratch.data_ptr<float>());
    });
    form->targets(&l);
  }
  return sum;
}

// softmax_rows turns logits [R, C] into their share of the loss's gradient,
// (softmax - onehot)·scale, and returns Σ (logsumexp - logit of the target).
// Without gradients the logits are left as they are.
double softmax_rows(Tensor logits, const Tensor &target, bool grads, double scale) {
  int64_t rows = logits.size(0), classes = logits.size(1);
  if (logits.is_cpu()) {
    float *p = logits.data_ptr<float>();
    const int64_t *t = target.const_data_ptr<int64_t>();
    std::vector<double> loss(rows);
    at::parallel_for(0, rows, 1 + (1 << 15) / classes, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) {
        float *row = p + r * classes;
        float &hit = row[t[r]];
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
  Tensor column = target.unsqueeze(1);
  Tensor lse = logits.logsumexp(1, /*keepdim=*/true);
  double sum = (lse - logits.gather(1, column)).sum(at::kDouble).item<double>();
  if (grads) {
    logits.sub_(lse).exp_().mul_(scale);
    logits.scatter_(1, column, logits.gather(1, column).sub_(scale)); // deterministic, as scatter_add_ is not
  }
  return sum;
}

// libtorch_loss is own_loss by libtorch's products: a chunk of logits is turned into its
// own gradient in place.
double libtorch_loss(Rows &a) {
  int64_t rows = a.hidden.size(0), classes = a.table.size(0);
  int64_t bytes = a.hidden.is_cpu() ? cpu_chunk_bytes : gpu_chunk_bytes;
  int64_t chunk = std::min(std::clamp<int64_t>(bytes / (4 * classes), 16, 4096), rows);
  Tensor buffer = at::empty({chunk, classes}, a.hidden.options().requires_grad(false));
  std::optional<Tensor> bias;
  if (a.bias.defined()) bias = a.bias;
  if (a.grads && bias) a.dbias.zero_();
  Tensor table = a.bfloat16 ? a.table.to(at::kBFloat16) : a.table; // once, not for each chunk
  double sum = 0;
  for (int64_t begin = 0; begin < rows; begin += chunk) {
    int64_t n = std::min(chunk, rows - begin);
    Tensor part = a.hidden.narrow(0, begin, n), logits = buffer.narrow(0, 0, n);
    fb::product_out(logits, part, table.t(), bias, /*add=*/false, a.bfloat16);
    sum += softmax_rows(logits, a.target.narrow(0, begin, n), a.grads, 1.0 / rows);
    if (!a.grads) continue;
    Tensor into = a.dhidden.narrow(0, begin, n);
    fb::product_out(into, logits, table, std::nullopt, /*add=*/false, a.bfloat16);
    fb::product_out(a.dtable, logits.t(), part, std::nullopt, /*add=*/begin > 0, a.bfloat16);
    if (bias) a.dbias.add_(logits.sum(0));
  }
  return sum;
}

// Classes are the rows lo…hi-1 of the table.
struct Settings {
  int64_t lo, hi;
  bool grads, bfloat16;
};

struct CrossEntropy : torch::autograd::Function<CrossEntropy> {
  static Tensor forward(torch::autograd::AutogradContext *ctx, const Tensor &hidden, const Tensor &table,
                        const std::optional<Tensor> &bias, const Tensor &target, Settings s) {
    int64_t rows = hidden.size(0), lo = s.lo, hi = s.hi, classes = hi - lo;
    Rows a;
    a.hidden = hidden.contiguous(), a.table = table.narrow(0, lo, classes), a.target = target;
    if (lo > 0) a.target = target - lo;
    if (bias) a.bias = bias->narrow(0, lo, classes);
    a.grads = s.grads, a.bfloat16 = s.bfloat16;
    Tensor dtable, dbias;
    if (a.grads) {
      a.dhidden = at::empty_like(a.hidden);
      dtable = at::empty_like(table, at::MemoryFormat::Contiguous);
      dtable.narrow(0, 0, lo).zero_(); // rows that are no classes
      dtable.narrow(0, hi, table.size(0) - hi).zero_();
      a.dtable = dtable.narrow(0, lo, classes);
      if (bias) {
        dbias = at::zeros_like(*bias);
        a.dbias = dbias.narrow(0, lo, classes);
      }
    }
    double sum;
    if (const fb_form *form = a.hidden.is_cpu() ? fb::form(false) : nullptr) {
      if (s.bfloat16 && fb::form(true)) form = fb::form(true);
      a.table = a.table.contiguous();
      if (bias) a.bias = a.bias.contiguous();
      sum = own_loss(a, form);
    } else {
      sum = libtorch_loss(a);
    }
    if (a.grads) {
      torch::autograd::variable_list saved{a.dhidden, dtable};
      if (bias) saved.push_back(dbias);
      ctx->save_for_backward(std::move(saved));
    }
    return at::scalar_tensor(sum / rows, hidden.options());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx,
                                                 torch::autograd::variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    Tensor g = upstream[0];
    // The usual upstream gradient is exactly 1: then nothing needs scaling.
    if (!(g.is_cpu() && g.item<float>() == 1.0f))
      for (Tensor &s : saved) s = s * g;
    return {saved[0], saved[1], saved.size() > 2 ? saved[2] : Tensor(), Tensor(), Tensor()};
  }
};

} // namespace

void *fb_cross_entropy(void *hidden, void *table, void *bias, void *target, fb_classes c) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &h = deref(hidden), &e = deref(table), &t = deref(target);
    std::optional<Tensor> b;
    if (bias) b = deref(bias);
    TORCH_CHECK(h.dim() == 2 && e.dim() == 2 && h.size(1) == e.size(1), "hidden ", h.sizes(), " and table ",
                e.sizes(), " should be [N, d] and [V, d]");
    TORCH_CHECK(h.size(0) > 0, "no rows");
    TORCH_CHECK(t.dim() == 1 && t.size(0) == h.size(0) && t.scalar_type() == at::kLong, "targets ", t.sizes(),
                " should be ", h.size(0), " int64");
    TORCH_CHECK(0 <= c.lo && c.lo < c.hi && c.hi <= e.size(0), "classes ", c.lo, " to ", c.hi, " of ", e.size(0));
    TORCH_CHECK(h.scalar_type() == at::kFloat && e.scalar_type() == at::kFloat, "float32 expected");
    if (t.is_cpu()) { // on a GPU the scatter checks
      auto [low, high] = t.aminmax();
      TORCH_CHECK(low.item<int64_t>() >= c.lo && high.item<int64_t>() < c.hi, "a target lies outside ", c.lo, "…", c.hi - 1);
    }
    bool grads = at::GradMode::is_enabled() &&
                 (h.requires_grad() || e.requires_grad() || (b && b->requires_grad()));
    return new Tensor(CrossEntropy::apply(h, e, b, t.contiguous(), Settings{c.lo, c.hi, grads, c.bfloat16 != 0}));
  });
}
