#include "fovea/ops/roll.h"

#include "fovea/ops/rules.h"

namespace fovea {

Types Roll::infer(const Types& in) const {
  require_inputs(name, in, 1);
  require(axis >= 0 && axis < in[0].rank(), "roll along an axis that is not there");
  return {in[0]};
}

Tensors Roll::gradient(const Node&, const Tensors& dy) const { return {roll(dy[0], -shift, axis)}; }

void Roll::reference(const Views& v) const {
  const View &x = v.in[0], &y = v.out[0];
  const int64_t size = x.dim(axis), row = x.shape.slice(axis + 1).numel(), first = offset(size);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t from = i / row % size, to = (from + first) % size;
    y[i + (to - from) * row] = x[i];
  }
}

Tensor roll(const Tensor& x, int64_t shift, int axis) {
  return x.graph().add_one(Roll{checked_axis(Roll::name, axis, x.type()), shift}, {x});
}

}  // namespace fovea
