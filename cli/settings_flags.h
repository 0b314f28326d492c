#pragma once

#include <map>
#include <string>

#include "commands.h"
#include "fovea/train/resume.h"

namespace fovea::cli {

/// The flags of a training run, one a row of the table of settings: of train, and of plan.
class SettingsFlags {
 public:
  void add(CLI::App& app);
  /// The defaults and what was given. Paths are absolute, so that a run can be resumed from any
  /// folder. Errors: usage, naming the flag.
  train::Settings read() const;
  bool given(std::string_view name) const;
  /// What was given, for a run that goes on. Errors: as read.
  train::Changes changes() const;

 private:
  const CLI::App* app_ = nullptr;
  std::map<std::string, std::string> values_;  ///< as text, since the table reads them
};

}  // namespace fovea::cli
