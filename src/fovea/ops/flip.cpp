#include "fovea/ops/flip.h"

#include "fovea/ops/rules.h"

namespace fovea {

Types Flip::infer(const Types& in) const {
  require_inputs(name, in, 1);
  for (const int axis : axes)
    require(axis >= 0 && axis < in[0].rank(), "flip along an axis that is not there");
  return {in[0]};
}

Tensors Flip::gradient(const Node&, const Tensors& dy) const { return {flip(dy[0], axes)}; }

void Flip::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  const Shape& shape = x.shape;
  std::vector<bool> reversed(static_cast<size_t>(shape.rank()));
  for (const int axis : axes) reversed[static_cast<size_t>(axis)] = true;
  for (int64_t i = 0; i < x.numel(); ++i) {
    int64_t rest = i, stride = 1, to = 0;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const int64_t size = shape[axis], at = rest % size;
      to += stride * (reversed[static_cast<size_t>(axis)] ? size - 1 - at : at);
      rest /= size;
      stride *= size;
    }
    y[to] = x[i];
  }
}

Tensor flip(const Tensor& x, const std::vector<int>& axes) {
  Flip op;
  for (const int axis : axes) op.axes.push_back(checked_axis("flip", axis, x.type()));
  return x.graph().add_one(op, {x});
}

}  // namespace fovea
