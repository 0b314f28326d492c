#pragma once

#include "fovea/tasks/task.h"

/// The built-in tasks: one file and one line here each.
namespace fovea::tasks {

Entry classification_entry();
Entry regression_entry();
Entry multilabel_entry();
Entry segmentation_entry();
Entry detection_entry();
Entry reconstruction_entry();

}  // namespace fovea::tasks
