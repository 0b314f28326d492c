#include "fovea/ops/dropout.h"

#include <fmt/format.h>

#include "fovea/core/text.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/rules.h"

namespace fovea {

DropoutMask::DropoutMask(double p, uint64_t key, int64_t seed, int64_t step)
    : threshold_(static_cast<uint64_t>(p * 0x1p32)), scale_(p < 1 ? 1 / (1 - p) : 0) {
  // An odd factor maps every seed to a distinct key.
  const uint64_t mixed = key + static_cast<uint64_t>(seed) * 0x9E3779B97F4A7C15u;
  const auto s = static_cast<uint64_t>(step);
  key_ = {static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32)};
  step_ = {static_cast<uint32_t>(s), static_cast<uint32_t>(s >> 32)};
}

namespace {

/// Dropout of everything that shares an index of the first `axes` axes.
Tensor drop_blocks(std::string_view op, const Tensor& x, double p, int axes) {
  checked_axis(op, axes - 1, x.type());
  Shape shape = x.shape().slice(0, axes);
  while (shape.rank() < x.rank()) shape = shape.concat({1});
  const Tensor ones = x.graph().constant(Array::full(x.dtype(), shape, 1));
  const Tensor mask = dropout(ones, p);
  return mask == ones ? x : x * mask;
}

}  // namespace

Types Dropout::infer(const Types& in) const {
  require_inputs(name, in, 2);
  require_float(name, "input", in[0]);
  if (!(p >= 0 && p <= 1)) {
    throw Error(ErrorKind::usage,
                fmt::format("dropout: p is {}, must be from 0 to 1", format_number(p)))
        .with("input", to_string(in[0]))
        .with("try", "the fraction of elements to drop: 0.5 for half of them");
  }
  require_type(name, "random", in[1], {DType::i64, {2}}, in[0]);
  return like(in, 0);
}

Tensors Dropout::gradient(const Node& node, const Tensors& dy) const {
  return {node.graph->add_one(*this, {dy[0], node.input(1)}), Tensor{}};
}

void Dropout::reference(const Views& v) const {
  const View &x = v.in[0], &random = v.in[1];
  const DropoutMask mask(p, key, static_cast<int64_t>(random[0]), static_cast<int64_t>(random[1]));
  for (int64_t i = 0; i < x.numel(); ++i) v.out[0][i] = mask.keeps(i) ? x[i] * mask.scale() : 0;
}

Tensor dropout(const Tensor& x, double p) {
  Graph& graph = x.graph();
  if (p == 0 || graph.mode() == Mode::eval) return x;
  return graph.add_one(Dropout{p, graph.random_key()}, {x, graph.random()});
}

Tensor spatial_dropout(const Tensor& x, double p) {
  return drop_blocks("spatial_dropout", x, p, 2);
}

Tensor drop_path(const Tensor& x, double p) { return drop_blocks("drop_path", x, p, 1); }

}  // namespace fovea
