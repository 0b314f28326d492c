#include "fovea/data/transforms/cutmix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/data/transforms/builtin.h"
#include "fovea/data/transforms/mixing.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/shape_ops.h"

namespace fovea::data {
namespace {

Tensor clamped(const Tensor& x) { return minimum(maximum(x, 0), 1); }

/// [1, 1, spatial...]: 0 at the positions inside the box, 1 outside.
Tensor outside(const Tensor& box, const Tensor& inputs) {
  const Tensor corners = cast(box, inputs.dtype());
  Tensor inside;
  for (int axis = 2; axis < inputs.rank(); ++axis) {
    std::vector<float> index(static_cast<size_t>(inputs.dim(axis)));
    std::iota(index.begin(), index.end(), 0.f);
    const Tensor position = cast(inputs.graph().constant(Array::of(index)), inputs.dtype());
    const Tensor corner = slice(corners, 0, axis - 2, axis - 1);
    const Tensor begin = reshape(slice(corner, 1, 0, 1), {}),
                 end = reshape(slice(corner, 1, 1, 2), {});
    Shape along(std::vector<int64_t>(static_cast<size_t>(inputs.rank()), 1));
    along.set(axis, inputs.dim(axis));
    const Tensor covered = reshape(clamped(position - begin + 1) * clamped(end - position), along);
    inside = inside ? inside * covered : covered;
  }
  return 1 - inside;
}

}  // namespace

TransformEntry cutmix_entry() {
  return {
      .choice = {.name = "cutmix",
                 .arguments = {{.name = "alpha",
                                .default_value = 1.0,
                                .minimum = 0.01,
                                .maximum = 1,
                                .help = "both parameters of the Beta distribution of the ratio"}},
                 .help = "replaces a box in each sample of a batch by that of another"},
      .example = "cutmix",
      .make = [](const Arguments& a) -> AnyTransform {
        return std::make_shared<CutMix>(a.number("alpha"));
      }};
}

std::string CutMix::text() const { return "cutmix:" + format_number(alpha_); }

Targets CutMix::output(const Targets& targets) const { return mixable(text(), targets); }

void CutMix::check_input(const Type& input) const {
  if (input.rank() >= 2) return;
  throw Error(ErrorKind::usage, fmt::format("{} needs inputs with spatial axes", text()))
      .with("found", to_string(input));
}

/// A box with the fraction 1 - share of the volume, around a random centre, clipped at the border.
std::vector<Array> CutMix::draw(const Shape& inputs, Random& random) const {
  const int axes = inputs.rank() - 2;
  const double side_share = std::pow(1 - random_share(alpha_, random), 1.0 / axes);
  std::vector<float> corners;
  for (int axis = 2; axis < inputs.rank(); ++axis) {
    const int64_t side = inputs[axis];
    const auto center = static_cast<int64_t>(random.below(static_cast<uint64_t>(side)));
    const auto half = static_cast<int64_t>(side_share / 2 * static_cast<double>(side));
    corners.push_back(static_cast<float>(std::max<int64_t>(center - half, 0)));
    corners.push_back(static_cast<float>(std::min(center + half, side)));
  }
  return {Array::of(corners, {axes, 2})};
}

BatchTensors CutMix::trace(const BatchTensors& batch, const Targets& targets,
                           const Tensors& random) const {
  const Tensor kept = outside(random[0], batch.inputs);
  return {mixed(batch.inputs, kept), mixed(as_mixable(batch.targets, targets), mean(kept))};
}

}  // namespace fovea::data
