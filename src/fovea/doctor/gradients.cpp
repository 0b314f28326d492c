#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"
#include "fovea/doctor/check.h"
#include "fovea/passes/autodiff.h"

namespace fovea::doctor {
namespace {

double root_mean_square(const Array& values) {
  double squares = 0;
  for (int64_t i = 0; i < values.numel(); ++i) squares += values.at(i) * values.at(i);
  return std::sqrt(squares / static_cast<double>(std::max<int64_t>(1, values.numel())));
}

}  // namespace

/// The gradient of each weight on one batch, as a root mean square: none may be zero, and none far
/// smaller or larger than the others.
Finding check_gradients(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  State& state = patient.experiment.state();
  patient.experiment.learner().gradient(patient.batch, 1);
  std::vector<std::pair<double, std::string>> sizes;
  std::vector<std::string> none;
  for (const nn::Variable* parameter : patient.setup().model->parameters()) {
    if (patient.setup().groups.frozen(parameter->name(), 0) || parameter->shape().rank() < 2)
      continue;
    const std::string gradient = gradient_name(parameter->name());
    const double size = state.contains(gradient) ? root_mean_square(state.get(gradient)) : 0;
    if (size == 0) {
      none.push_back(parameter->name());
    } else {
      sizes.emplace_back(size, parameter->name());
    }
  }
  if (!none.empty()) {
    const size_t shown = std::min<size_t>(3, none.size());
    return problem(fmt::format("zero for {} of {} weights: {}", none.size(),
                               none.size() + sizes.size(), join(std::span(none).first(shown))),
                   "the layers after them: dead units, a detached part of the net, or one that the "
                   "loss does not use");
  }
  if (sizes.empty()) return skipped("no weight is trained");
  const auto [low, high] = std::ranges::minmax(sizes);
  const std::string text = fmt::format("from {:.2g} ({}) to {:.2g} ({})", low.first, low.second,
                                       high.first, high.second);
  constexpr double vanishing = 1e-6, exploding = 100;
  if (low.first < vanishing * high.first)
    return problem(text,
                   "norms between layers, residual connections, other initial weights: the "
                   "smallest gradients vanish");
  if (high.first > exploding)
    return problem(text, "normalised inputs, --clip 1, norms between layers: gradients explode");
  return ok(text);
}

}  // namespace fovea::doctor
