#pragma once

#include <map>
#include <string>

#include "commands.h"
#include "fovea/train/resume.h"

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
  /// threads are those of the command.
  train::Settings for_trial() const;
  /// What was given, apart from the recipe, to change a run's settings. Errors: as read.
  train::Changes changes() const;

 private:
  Command command_;
  std::string recipe_;
  std::map<std::string, std::string> values_;  ///< as text, since the table parses them
};

}  // namespace fovea::cli
