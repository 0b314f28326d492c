#pragma once

#include <string>

#include "command.h"
#include "fovea/data/dataset.h"

namespace fovea::cli {

/// Which data set the commands of `data` are about: DATA, and --task, which decides the kind of
/// targets where there are several.
struct DataFlags {
  std::string data, task;

  void add(Command command);
  /// Errors: usage without DATA, or for a task that cannot learn its targets; as data::open.
  data::DataSets open() const;
};

}  // namespace fovea::cli
