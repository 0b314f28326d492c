#pragma once

#include <map>
#include <string>

#include "commands.h"
#include "fovea/train/resume.h"
#include "kernel_flags.h"

namespace fovea::cli {

/// The flags of a training run, one per row of the settings table, for train and plan.
class SettingsFlags {
 public:
  void add(Command command);
  /// The defaults, overridden by the recipe, overridden by what was given. Paths are absolute, so
  /// that a run can be resumed from any folder. Errors: usage, naming the flag.
  train::Settings read() const;
  bool given(std::string_view name) const;
  /// The same for trying something without a run: a model file as --model is also its weights,
  /// threads are those of the command. Kernels are chosen as the settings say.
  train::Settings for_trial(Console& console) const;
  /// From now on kernels are chosen as these settings say; with --tune as long as this lives.
  void choose_kernels(const train::Settings& settings, Console& console) const;
  /// What was given, apart from the recipe, to change a run's settings. Errors: as read.
  train::Changes changes() const;

 private:
  Command command_;
  std::string recipe_;
  std::map<std::string, std::string> values_;      ///< as text, since the table parses them
  mutable std::unique_ptr<TuningSession> tuning_;  ///< of a trial with --tune
};

}  // namespace fovea::cli
