#include "fovea/ops/linear.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

Tensor product(const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  return a.graph().add_one(MatMul{transpose_a, transpose_b}, {a, b});
}

/// a' b in accumulate_dtype: a weight's gradient, summed over the rows of both.
Tensor sum_of_products(const Tensor& a, const Tensor& b) {
  const MatMul op{.transpose_a = true, .wide_result = a.dtype() != accumulate_dtype(a.dtype())};
  return a.graph().add_one(op, {a, b});
}

std::string features_text(const Type& x) { return to_string(x, x.rank() == 2 ? "NI" : ""); }

}  // namespace

Types Linear::infer(const Types& in) const {
  require_inputs(name, in, bias ? 3 : 2);
  const Type &x = in[0], &w = in[1];
  require_float(name, "input", x);
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("linear: {}", what))
        .with("input", features_text(x))
        .with("weight", to_string(w, w.rank() == 2 ? "OI" : ""));
  };
  if (x.rank() < 1 || w.rank() != 2) {
    throw fail(fmt::format("the input has {}, the weight {}; at least 1 and exactly 2 are expected",
                           axis_count(x.rank()), w.rank()));
  }
  if (w.dtype != x.dtype) {
    throw fail(fmt::format("input is {}, weight is {}; both must have the same float type",
                           fovea::name(x.dtype), fovea::name(w.dtype)));
  }
  const int64_t features = x.dim(-1);
  if (features != w.dim(1)) {
    throw fail(fmt::format("input has {} features, weight expects {}", features, w.dim(1)))
        .with("try",
              fmt::format(
                  "a layer with in_features = {}, or an image size that gives {} features here",
                  features, w.dim(1)));
  }
  if (bias) require_type(name, "bias", in[2], {accumulate_dtype(x.dtype), {w.dim(0)}}, x);
  Shape out = x.shape;
  out.set(-1, w.dim(0));
  return {{x.dtype, out}};
}

Tensors Linear::gradient(const Node& node, const Tensors& dy) const {
  const Tensor x = node.input(0), w = node.input(1);
  const int64_t rows = x.shape().slice(0, x.rank() - 1).numel();
  const Tensor x2 = reshape(x, {rows, w.dim(1)}), dy2 = reshape(dy[0], {rows, w.dim(0)});
  Tensors result{reshape(product(dy2, false, w, false), x.shape()), sum_of_products(dy2, x2)};
  if (bias) result.push_back(sum_to(cast(dy[0], accumulate_dtype(dy[0].dtype())), {w.dim(0)}));
  return result;
}

void Linear::reference(const Views& v) const {
  const View &x = v.in[0], &w = v.in[1], &y = v.out[0];
  const int64_t outs = w.dim(0), ins = w.dim(1);
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t row = i / outs, o = i % outs;
    y[i] = bias ? v.in[2][o] : 0;
    for (int64_t k = 0; k < ins; ++k) y[i] += x[row * ins + k] * w[o * ins + k];
  }
}

double Linear::flops(const Types& in, const Types& out) const {
  return 2.0 * static_cast<double>(out[0].numel()) * static_cast<double>(in[1].dim(1));
}

Types MatMul::infer(const Types& in) const {
  require_inputs(name, in, 2);
  const Type &a = in[0], &b = in[1];
  const auto fail = [&](const std::string& what) {
    return Error(ErrorKind::usage, fmt::format("matmul: {}", what))
        .with("first", to_string(a) + (transpose_a ? " transposed" : ""))
        .with("second", to_string(b) + (transpose_b ? " transposed" : ""));
  };
  if (!is_float(a.dtype) || a.dtype != b.dtype) {
    throw fail(fmt::format("one operand is {}, the other {}; both must have the same float type",
                           fovea::name(a.dtype), fovea::name(b.dtype)));
  }
  if (a.rank() < 2 || a.rank() != b.rank() ||
      a.shape.slice(0, a.rank() - 2) != b.shape.slice(0, b.rank() - 2)) {
    throw fail("both operands need two axes, after identical leading axes");
  }
  const int64_t rows = a.dim(transpose_a ? -1 : -2), inner = a.dim(transpose_a ? -2 : -1);
  const int64_t inner_b = b.dim(transpose_b ? -1 : -2), columns = b.dim(transpose_b ? -2 : -1);
  if (inner != inner_b) {
    throw fail(fmt::format("the first has {} columns, the second has {} rows", inner, inner_b));
  }
  return {{wide_result ? accumulate_dtype(a.dtype) : a.dtype,
           a.shape.slice(0, a.rank() - 2).concat({rows, columns})}};
}

Tensors MatMul::gradient(const Node& node, const Tensors& dy) const {
  const Tensor a = node.input(0), b = node.input(1), d = cast(dy[0], a.dtype());
  return {transpose_a ? product(b, transpose_b, d, true) : product(d, false, b, !transpose_b),
          transpose_b ? product(d, true, a, transpose_a) : product(a, !transpose_a, d, false)};
}

void MatMul::reference(const Views& v) const {
  const View &a = v.in[0], &b = v.in[1], &y = v.out[0];
  const int64_t rows = y.dim(-2), columns = y.dim(-1), inner = a.dim(transpose_a ? -2 : -1);
  for (int64_t i = 0; i < y.numel(); ++i) {
    const int64_t batch = i / (rows * columns), r = i / columns % rows, c = i % columns;
    const double* ma = a.data + batch * rows * inner;
    const double* mb = b.data + batch * inner * columns;
    y[i] = 0;
    for (int64_t k = 0; k < inner; ++k) {
      y[i] += ma[transpose_a ? k * rows + r : r * inner + k] *
              mb[transpose_b ? c * inner + k : k * columns + c];
    }
  }
}

double MatMul::flops(const Types& in, const Types& out) const {
  return 2.0 * static_cast<double>(out[0].numel()) *
         static_cast<double>(in[0].dim(transpose_a ? -2 : -1));
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return x.graph().add_one(Linear{static_cast<bool>(bias)}, {x, weight, bias});
}

Tensor matmul(const Tensor& a, const Tensor& b) { return product(a, false, b, false); }

}  // namespace fovea
