#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/doctor/check.h"

namespace fovea::doctor {
namespace {

/// How far means are from those measured anew, in standard deviations: the median of a norm's
/// channels; and the same for the logarithms of variances.
double drift(const Array& mean, const Array& var, const Array& new_mean, const Array& new_var) {
  std::vector<double> distances;
  for (int64_t i = 0; i < mean.numel(); ++i) {
    const double variance = std::max(new_var.at(i), 1e-12);
    const double moved = std::abs(mean.at(i) - new_mean.at(i)) / std::sqrt(variance);
    const double stretched = std::abs(std::log(std::max(var.at(i), 1e-12) / variance)) / 2;
    distances.push_back(std::max(moved, stretched));
  }
  const auto middle = distances.begin() + std::ssize(distances) / 2;
  std::ranges::nth_element(distances, middle);
  return *middle;
}

}  // namespace

/// The running statistics of batch norms against those of some batches.
Finding check_statistics(Patient& patient) {
  if (!patient.finite) return skipped("the net is not finite");
  if (!patient.experiment.trained())
    return skipped("they are measured in training: --weights or a model file to check them");
  State& state = patient.experiment.state();
  const std::string suffix = "running_mean";
  std::vector<std::string> norms;
  for (const std::string& name : state.names(Role::buffer)) {
    if (name.ends_with(suffix)) norms.push_back(name.substr(0, name.size() - suffix.size()));
  }
  if (norms.empty()) return skipped("the net has none");
  std::vector<std::pair<Array, Array>> before;
  for (const std::string& norm : norms) {
    before.emplace_back(state.get(norm + "running_mean").clone(),
                        state.get(norm + "running_var").clone());
  }
  constexpr int64_t batches = 8;
  for (int64_t i = 1; i <= batches; ++i) {
    const data::Batch batch = patient.experiment.next();
    patient.experiment.learner().step().measure_statistics(batch.inputs, batch.targets, i, batches);
  }
  double worst = 0;
  std::string where;
  for (size_t i = 0; i < norms.size(); ++i) {
    const double moved =
        drift(before[i].first, before[i].second, state.get(norms[i] + "running_mean"),
              state.get(norms[i] + "running_var"));
    if (moved < worst) continue;
    worst = moved;
    where = norms[i].substr(0, norms[i].size() - 1);
  }
  const std::string text = fmt::format(
      "those of {} are {:.2g} standard deviations from those of the training data", where, worst);
  constexpr double far = 0.75;
  if (worst < far) return ok(text);
  return problem(text,
                 "statistics measured anew on these data: more training with the norms not "
                 "frozen, larger batches, or the preprocessing that the weights were trained "
                 "with");
}

}  // namespace fovea::doctor
