#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The weights that --class-weights asks for, one per class or label in the order of the task's
/// names:
///
///   ""          none: an empty list
///   balanced    as Task::balanced_weights computes them from `samples`
///   FILE        a table with the columns name and weight, and a row for each class
///
/// Errors: usage when the task has neither classes nor labels; data, naming the file and the line,
/// for a class that is unknown, missing or listed twice, and a weight that is not a number from 0
/// to 1e6, or if all are 0.
std::vector<double> class_weights(std::string_view text, const Task& task,
                                  const data::Dataset& samples);

/// "cat 0.5, dog 2".
std::string class_weights_text(const std::vector<double>& weights, const Task& task);

}  // namespace fovea::tasks
