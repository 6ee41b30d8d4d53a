// The small operations of a transformer layer, fused on a CPU (layer.c). Their
// compositions, which a GPU gets, are in ops.go; tests hold the two against each
// other.
#include "native.hpp"

#include <torch/csrc/autograd/custom_function.h>

using at::Tensor;
using fb::deref;
using fb::guarded;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

struct GELU : torch::autograd::Function<GELU> {
  static Tensor forward(AutogradContext *ctx, const Tensor &in) {
    Tensor x = in.contiguous(), out = at::empty_like(x), slope = at::empty_like(x);
    fb_gelu_block(x.const_data_ptr<float>(), x.numel(), out.data_ptr<float>(), slope.data_ptr<float>());
    ctx->save_for_backward({slope});
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    return {upstream[0] * ctx->get_saved_variables()[0]};
  }
};

struct AddNorm : torch::autograd::Function<AddNorm> {
  // The operation's sizes and saved values. t is what forward saves: gain, bias, normal,
  // scale, keys, and the index or nothing.
  static fb_norm describe(AutogradContext *ctx, const variable_list &t) {
    int64_t rows = t[2].size(0), width = t[0].size(0);
    return {rows, rows ? t[2].numel() / rows / width : 0, width, t[5].defined() ? t[5].const_data_ptr<int64_t>() : nullptr,
            (float)ctx->saved_data["eps"].toDouble(), ctx->saved_data["p"].toDouble(), t[4].const_data_ptr<int64_t>(),
            t[0].const_data_ptr<float>(), t[1].const_data_ptr<float>(), t[2].data_ptr<float>(), t[3].data_ptr<float>()};
  }
  static Tensor forward(AutogradContext *ctx, const Tensor &x, const Tensor &add, const std::optional<Tensor> &index,
                        const Tensor &gain, const Tensor &bias, double eps, double p, const Tensor &keys) {
    Tensor from = x.contiguous(), added = add.contiguous(), out = at::empty_like(from), normal = at::empty_like(from);
    Tensor scale = at::empty({from.numel() / gain.size(0)}, from.options());
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["p"] = p;
    ctx->saved_data["added"] = add.sizes();
    variable_list saved{gain.contiguous(), bias.contiguous(), normal, scale, keys, index ? index->contiguous() : Tensor()};
    fb_norm a = describe(ctx, saved);
    fb_norm_forward(&a, from.const_data_ptr<float>(), added.const_data_ptr<float>(), out.data_ptr<float>());
    ctx->save_for_backward(std::move(saved));
    return out;
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    fb_norm a = describe(ctx, saved);
    Tensor g = upstream[0].contiguous(), dx = at::empty_like(g), dadd;
    auto shape = ctx->saved_data["added"].toIntVector();
    dadd = a.index ? at::zeros(shape, g.options()) : at::empty(shape, g.options());
    Tensor dgain = at::zeros_like(saved[0]), dbias = at::zeros_like(saved[1]);
    fb_norm_gradients to{dx.data_ptr<float>(), dadd.data_ptr<float>(), dgain.data_ptr<float>(), dbias.data_ptr<float>()};
    fb_norm_backward(&a, g.const_data_ptr<float>(), &to);
    return {dx, dadd, Tensor(), dgain, dbias, Tensor(), Tensor(), Tensor()};
  }
};

struct MixExperts : torch::autograd::Function<MixExperts> {
  static fb_mix sizes(const Tensor &o, const Tensor &router) {
    return {o.size(0), o.size(2), o.size(1), o.size(3), router.const_data_ptr<float>()};
  }
  static variable_list forward(AutogradContext *ctx, const Tensor &in, const Tensor &weights) {
    Tensor o = in.contiguous(), router = weights.transpose(1, 2).contiguous();
    Tensor routing = at::empty({o.size(0), o.size(2), o.size(1)}, o.options());
    Tensor mixed = at::empty({o.size(0), o.size(2), o.size(3)}, o.options());
    fb_mix a = sizes(o, router);
    fb_mix_forward(&a, o.const_data_ptr<float>(), routing.data_ptr<float>(), mixed.data_ptr<float>());
    ctx->save_for_backward({o, router, routing});
    ctx->set_materialize_grads(false);
    return {mixed, routing};
  }
  static variable_list backward(AutogradContext *ctx, variable_list upstream) {
    auto saved = ctx->get_saved_variables();
    Tensor o = saved[0], router = saved[1], d_o = at::empty_like(o), drouter = at::zeros_like(router), dmixed, drouting;
    dmixed = upstream[0].defined() ? upstream[0].contiguous() : at::zeros({o.size(0), o.size(2), o.size(3)}, o.options());
    if (upstream[1].defined()) drouting = upstream[1].contiguous();
    fb_mix a = sizes(o, router);
    fb_mix_gradients g{dmixed.const_data_ptr<float>(), drouting.defined() ? drouting.const_data_ptr<float>() : nullptr,
                       d_o.data_ptr<float>(), drouter.data_ptr<float>()};
    fb_mix_backward(&a, o.const_data_ptr<float>(), saved[2].const_data_ptr<float>(), &g);
    return {d_o, drouter.transpose(1, 2)};
  }
};

} // namespace

void *fb_gelu(void *x) {
  return guarded<void *>(nullptr, [&]() -> void * {
    TORCH_CHECK(deref(x).scalar_type() == at::kFloat, "float32 expected");
    return new Tensor(GELU::apply(deref(x)));
  });
}

void *fb_add_norm(void *from, void *added, void *index, void *g, void *b, const fb_norm_options *o) {
  return guarded<void *>(nullptr, [&]() -> void * {
    const Tensor &x = deref(from), &add = deref(added), &gain = deref(g), &bias = deref(b);
    std::optional<Tensor> at_row;
    if (index) at_row = deref(index);
    TORCH_CHECK(x.scalar_type() == at::kFloat && add.scalar_type() == at::kFloat, "float32 expected");
    TORCH_CHECK(x.dim() > 0 && gain.dim() == 1 && gain.sizes() == bias.sizes() && x.size(-1) == gain.size(0), "rows ", x.sizes(),
                ", gain ", gain.sizes(), " and bias ", bias.sizes(), " should be [.., w], [w] and [w]");
    TORCH_CHECK(o->p >= 0 && o->p < 1, "p = ", o->p, " should be at least 0 and below 1");
    int64_t n = x.size(0);
    if (index) {
      TORCH_CHECK(x.dim() == 2 && add.dim() == 2 && add.size(1) == x.size(1), "rows ", x.sizes(), " and table ", add.sizes(),
                  " should be [n, w] and [L, w]");
      TORCH_CHECK(at_row->dim() == 1 && at_row->size(0) == n && at_row->scalar_type() == at::kLong, "index ", at_row->sizes(),
                  " should be ", n, " int64");
      if (n > 0) {
        auto [low, high] = at_row->aminmax();
        TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < add.size(0), "an index lies outside the table's ",
                    add.size(0), " rows");
      }
    } else {
      TORCH_CHECK(x.sizes() == add.sizes(), "expected the same shape, got ", x.sizes(), " and ", add.sizes());
    }
    Tensor keys = o->p > 0 ? fb::row_keys(o->seed, o->names, n) : at::empty({0}, at::kLong);
    return new Tensor(AddNorm::apply(x, add, at_row, gain, bias, (double)o->eps, o->p, keys));
  });
}

int fb_mix_experts(void *experts, void *weights, void **out) {
  return guarded(1, [&] {
    const Tensor &o = deref(experts), &router = deref(weights);
    TORCH_CHECK(o.scalar_type() == at::kFloat && router.scalar_type() == at::kFloat, "float32 expected");
    TORCH_CHECK(o.dim() == 4, "expected [n, N, H, e], got ", o.sizes());
    TORCH_CHECK(router.sizes() == at::IntArrayRef({o.size(2), o.size(1) * o.size(3), o.size(1)}), "experts ", o.sizes(),
                " and router ", router.sizes(), " should be [n, N, H, e] and [H, N·e, N]");
    auto both = MixExperts::apply(o, router);
    out[0] = new Tensor(both[0]);
    out[1] = new Tensor(both[1]);
    return 0;
  });
}
