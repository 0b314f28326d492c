#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/text.h"
#include "fovea/doctor/check.h"

namespace fovea::doctor {

/// Arrays that are never trained though their values are random.
Finding check_frozen(Patient& patient) {
  const train::Setup& setup = patient.setup();
  const train::Experiment& experiment = patient.experiment;
  std::vector<std::string> names;
  int64_t frozen = 0, trained = 0;
  for (const nn::Variable* parameter : setup.model->parameters()) {
    bool always = true;
    for (size_t phase = 0; phase <= setup.groups.changes().size(); ++phase)
      always &= setup.groups.frozen(parameter->name(), setup.groups.begin(phase));
    const bool random =
        !experiment.trained() || std::ranges::count(experiment.anew(), parameter->name()) > 0;
    (always ? frozen : trained) += parameter->shape().numel();
    if (always && random) names.push_back(parameter->name());
  }
  const std::string text = fmt::format("{} parameters are trained, {} are frozen", trained, frozen);
  if (names.empty() && trained > 0) return ok(text);
  const size_t shown = std::min<size_t>(names.size(), 3);
  return problem(
      fmt::format("{}{}{}", text,
                  names.empty() ? "" : ", at random values: ", join(std::span(names).first(shown))),
      "--freeze and --group: what has random values has to be trained, or needs --weights");
}

}  // namespace fovea::doctor
