#include <fmt/format.h>

#include "fovea/core/process.h"
#include "fovea/doctor/check.h"
#include "fovea/train/plan.h"

namespace fovea::doctor {

/// The peak of a run's memory against what there is.
Finding check_memory(Patient& patient) {
  const train::Setup& setup = patient.setup();
  const size_t peak = train::Planner(setup).at(setup.settings.batch).peak;
  const size_t available = memory_limits().available;
  const auto mib = [](size_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  const std::string text =
      fmt::format("a run needs {:.0f} MiB of {:.0f} MiB", mib(peak), mib(available));
  if (peak <= available) return ok(text);
  return problem(text, fmt::format("a --batch below {}; fovea plan says the largest that fits",
                                   setup.settings.batch));
}

}  // namespace fovea::doctor
