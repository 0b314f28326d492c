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

/// a' b in accumulate_dtype: a weight's gradient, summed over the rows of both; with `sums` those
/// of a's rows, too.
Tensors sum_of_products(const Tensor& a, const Tensor& b, bool sums) {
  return a.graph().add(MatMul{.transpose_a = true,
                              .wide_result = a.dtype() != accumulate_dtype(a.dtype()),
                              .sums = sums},
                       {a, b});
}

std::string features_text(const Type& x) { return to_string(x, x.rank() == 2 ? "NI" : ""); }

}  // namespace

Types Linear::infer(const Types& in) const {
  require_inputs(name, in, 2 + (bias ? 1u : 0u) + epilogue.residuals());
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
  epilogue.check(name, in, {x.dtype, out});
  require(!sums || !epilogue.empty(), "linear: its sums are its result");
  return Types(sums ? 2 : 1, {x.dtype, out});
}

Tensors Linear::gradient(const Node& node, const Tensors& dy) const {
  require(epilogue.empty() && !sums, "linear: the gradient is taken before fusion");
  const Tensor x = node.input(0), w = node.input(1);
  const int64_t rows = x.shape().slice(0, x.rank() - 1).numel();
  const Tensor x2 = reshape(x, {rows, w.dim(1)}), dy2 = reshape(dy[0], {rows, w.dim(0)});
  const Tensor dx = reshape(product(dy2, false, w, false), x.shape());
  Tensors result = sum_of_products(dy2, x2, bias);
  result.insert(result.begin(), dx);
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
  if (sums) std::copy_n(y.data, y.numel(), v.out[1].data);
  epilogue.reference(v);
}

double Linear::flops(const Types& in, const Types& out) const {
  return 2.0 * static_cast<double>(out[0].numel()) * static_cast<double>(in[1].dim(1));
}

Types MatMul::infer(const Types& in) const {
  require_inputs(name, in, slope ? 3 : 2);
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
  const Type y{wide_result ? accumulate_dtype(a.dtype) : a.dtype,
               a.shape.slice(0, a.rank() - 2).concat({rows, columns})};
  require(!slope || (in[2].shape == y.shape && in[2].dtype == y.dtype),
          "matmul: what its slope is of has another type than the result");
  require(!sums || (transpose_a && a.rank() == 2 && !slope), "matmul: sums of rows of two axes");
  if (sums) return {y, {accumulate_dtype(a.dtype), {rows}}};
  return Types(slope && value ? 2 : 1, y);
}

Tensors MatMul::gradient(const Node& node, const Tensors& dy) const {
  require(!slope, "matmul: the gradient is taken before fusion");
  const Tensor a = node.input(0), b = node.input(1);
  Tensors result(2);
  if (dy[0]) {
    const Tensor d = cast(dy[0], a.dtype());
    result[0] = transpose_a ? product(b, transpose_b, d, true) : product(d, false, b, !transpose_b);
    result[1] = transpose_b ? product(d, true, a, transpose_a) : product(a, !transpose_a, d, false);
  }
  if (sums && dy[1]) {
    const Tensor rows = broadcast_to(cast(dy[1], a.dtype()), a.shape());
    result[0] = result[0] ? result[0] + rows : rows;
  }
  return result;
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
    if (!slope) continue;
    const UnaryRule& rule = unary_rule(*slope);
    const double u = v.in[2][i];
    y[i] *= rule.df(u, alpha);
    if (value) v.out[1][i] = rule.f(u, alpha);
  }
  for (int64_t m = 0; sums && m < rows; ++m) {
    v.out[1][m] = 0;
    for (int64_t k = 0; k < inner; ++k) v.out[1][m] += a[k * rows + m];
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
