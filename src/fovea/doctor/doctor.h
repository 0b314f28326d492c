#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/train/experiment.h"

/// What is wrong with a net, its data and its settings, as measurements.
namespace fovea::doctor {

/// The result of one check.
struct Finding {
  std::string check;     ///< its name: "learning rate"
  std::string measured;  ///< in words and numbers
  /// "ok", "problem", or "skipped" where it does not apply, for which `measured` is the reason.
  std::string verdict;
  std::string remedy;  ///< what to try; "" without a problem
};

/// What checks look at. Each finds the experiment as it began.
struct Patient {
  train::Experiment& experiment;
  /// The first training samples as the net takes them, without augmentation.
  data::Batch batch;
  bool classes = false;  ///< whether targets are classes
  bool finite = true;    ///< set by the first check: others would only repeat it
  std::stop_token stop = {};

  const train::Setup& setup() const { return experiment.setup(); }
};

/// One row of the table of checks.
struct Check {
  std::string_view name;
  std::function<Finding(Patient&)> run;
};

/// All checks, in the order in which they run: what is cheap and what explains the others first.
const std::vector<Check>& checks();

/// Runs all checks; `progress` is called before each. The weights are as they were afterwards. A
/// stop request ends it after the current check.
std::vector<Finding> examine(
    train::Experiment& experiment,
    const std::function<void(int64_t done, int64_t all, std::string_view name)>& progress = nullptr,
    std::stop_token stop = {});

}  // namespace fovea::doctor
