#include "fovea/ops/reduce.h"

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/pool.h"
#include "fovea/ops/rules.h"
#include "fovea/ops/shape_ops.h"

namespace fovea {
namespace {

/// The axes of x that are reduced and those that stay, and the shapes that result.
struct ReducedShape {
  std::vector<int> reduced, kept;
  Shape with_axes, without;
  int64_t count = 1;  ///< elements per result

  ReducedShape(std::string_view op, const Type& x, const std::vector<int>& axes)
      : with_axes(x.shape) {
    std::vector<bool> reduce(static_cast<size_t>(x.rank()), false);
    for (int axis : axes) reduce[static_cast<size_t>(checked_axis(op, axis, x))] = true;
    for (int i = 0; i < x.rank(); ++i) {
      if (!reduce[static_cast<size_t>(i)]) {
        kept.push_back(i);
        without = without.concat({x.dim(i)});
        continue;
      }
      reduced.push_back(i);
      with_axes.set(i, 1);
      count = checked_product(count, x.dim(i));
    }
  }
  const Shape& result(bool keep_axes) const { return keep_axes ? with_axes : without; }
};

}  // namespace

Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keep_axes) {
  const ReducedShape reduction("sum", x.type(), axes);
  require_float("sum", "input", x.type());
  return reshape(sum_to(x, reduction.with_axes), reduction.result(keep_axes));
}

Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keep_axes) {
  const ReducedShape reduction("mean", x.type(), axes);
  require_float("mean", "input", x.type());
  return sum(x, axes, keep_axes) / static_cast<double>(reduction.count);
}

Tensor max(const Tensor& x, const std::vector<int>& axes, bool keep_axes) {
  const ReducedShape reduction("max", x.type(), axes);
  require_float("max", "input", x.type());
  if (reduction.count == 0) {
    throw Error(ErrorKind::usage, "max: there are no elements to take the maximum of")
        .with("input", to_string(x.type()));
  }
  // A pool over rows: kept axes first, the reduced ones joined after them.
  std::vector<int> order = reduction.kept;
  order.insert(order.end(), reduction.reduced.begin(), reduction.reduced.end());
  const Tensor rows = reshape(permute(x, order), {1, reduction.without.numel(), reduction.count});
  return reshape(global_max_pool(rows), reduction.result(keep_axes));
}

Types SumOfSquares::infer(const Types& in) const {
  require_inputs(name, in, 1);
  require_float(name, "input", in[0]);
  return {{DType::f64, {}}};
}

Tensors SumOfSquares::gradient(const Node& node, const Tensors& dy) const {
  const Tensor x = node.input(0);
  return {x * 2.0 * cast(dy[0], x.dtype())};
}

void SumOfSquares::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  y[0] = 0;
  for (int64_t i = 0; i < x.numel(); ++i) y[0] += x[i] * x[i];
}

Tensor sum_of_squares(const Tensor& x) { return x.graph().add_one(SumOfSquares{}, {x}); }

}  // namespace fovea
