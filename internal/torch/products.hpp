// What the processor decides: matrix products behind one function, our own (products.h) on
// x86-64, unless the processor is Intel's and lacks AVX-512, and libtorch's elsewhere; and the
// loops of an attention.
#pragma once
#include "native.hpp"
#include "products.h"

namespace fb {

// form is our own products for this processor, in float32 or bfloat16; null if products
// are libtorch's, or if the processor multiplies no bfloat16.
const fb_form *form(bool bfloat16);

// attention is the loops of an attention for this processor.
const fb_attention_loops &attention();

// rounded is a copy of a float32 tensor whose numbers are bfloat16 numbers.
at::Tensor rounded(const at::Tensor &x);

// product_out computes out = a·b (+ bias, or + out if add) for matrices of any strides;
// out is row-major. With bfloat16, the numbers of a and b are rounded to it and the sums
// stay in float32; a processor without such an instruction multiplies the rounded
// numbers in float32.
void product_out(at::Tensor &out, const at::Tensor &a, const at::Tensor &b, const std::optional<at::Tensor> &bias,
                 bool add, bool bfloat16);

} // namespace fb
