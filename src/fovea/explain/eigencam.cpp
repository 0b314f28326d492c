#include <fmt/format.h>

#include <algorithm>

#include "fovea/explain/builtin.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"

// The first principal component over positions, by power iteration: u becomes X X' u, scaled to
// length 1, where X [positions, C] holds the activations less their mean over positions. It starts
// from the mean over channels, whose sign the result keeps.

namespace fovea::explain {
namespace {

constexpr int maximum_rounds = 200, steps_per_round = 10;

/// a [N, C, spatial...] as X' [N, C, positions].
Tensor centred(const Tensor& a) {
  const Tensor x = reshape(a, {a.dim(0), a.dim(1), a.shape().slice(2).numel()});
  return x - mean(x, {2}, true);
}

/// u [N, 1, positions] scaled to length 1; 0 stays 0.
Tensor unit(const Tensor& u) { return u / maximum(sqrt(sum(u * u, {2}, true)), 1e-30); }

/// X' u: [N, C, 1].
Tensor projected(const Tensor& x, const Tensor& u) {
  return matmul(x, reshape(u, {u.dim(0), u.dim(2), 1}));
}

/// X v for v [N, C, 1]: [N, 1, positions].
Tensor combined(const Tensor& x, const Tensor& v) {
  return matmul(reshape(v, {v.dim(0), 1, v.dim(1)}), x);
}

/// Some steps from u, and how far the last one moved it: [N, 1, 1].
Tensors iterated(const Tensor& x, Tensor u) {
  Tensor before;
  for (int i = 0; i < steps_per_round; ++i) {
    before = u;
    u = unit(combined(x, projected(x, u)));
  }
  return {u, max((u - before) * (u - before), {1, 2}, true)};
}

Array eigen_cam(Explainer& explainer, Batch& batch, const Arguments&) {
  const Array raw = activations(explainer, batch);
  // Scaled to at most 1 in size, so that products stay finite.
  const Array a = explainer.run("eigencam scale", {{"a", raw}}, [](const Explainer::Given& given) {
    const Tensor& x = given.at("a");
    std::vector<int> axes;
    for (int axis = 1; axis < x.rank(); ++axis) axes.push_back(axis);
    const Tensor size = maximum(max(abs(x), axes, true), 1e-30);
    return Tensors{x / size, size};
  })[0];
  Array u = explainer.run("eigencam start", {{"a", a}}, [](const Explainer::Given& given) {
    return Tensors{unit(mean(centred(given.at("a")), {1}, true))};
  })[0];
  for (int round = 0; round < maximum_rounds; ++round) {
    const std::vector<Array> next =
        explainer.run("eigencam steps", {{"a", a}, {"u", u}}, [](const Explainer::Given& given) {
          return iterated(centred(given.at("a")), given.at("u"));
        });
    u = next[0];
    double moved = 0;
    for (int64_t i = 0; i < next[1].numel(); ++i) moved = std::max(moved, next[1].at(i));
    if (moved < 1e-13) break;
  }
  return explainer.run("eigencam map", {{"a", raw}, {"u", u}}, [](const Explainer::Given& given) {
    const Tensor &activation = given.at("a"), x = centred(activation);
    const Tensor v = projected(x, given.at("u"));
    const Tensor direction = v / maximum(sqrt(sum(v * v, {1}, true)), 1e-30);
    Shape shape = Shape{activation.dim(0)}.concat(activation.shape().slice(2));
    return Tensors{relu(reshape(combined(x, direction), shape))};
  })[0];
}

}  // namespace

Method eigencam() {
  return {.choice = {.name = "eigencam", .help = "the first principal component; for no class"},
          .family = Family::cam,
          .compute = eigen_cam};
}

}  // namespace fovea::explain
