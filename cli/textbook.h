#pragma once

#include <functional>
#include <string>
#include <vector>

#include "console.h"

namespace fovea::cli {

/// A worked example from courses on CNNs: the right answer, and how the engine computes it. Answers
/// are numbers, arrays, or objects of them.
struct Example {
  std::string id, title;
  Json expected;
  std::function<Json()> compute;
  std::string note = {};  ///< where a course's own answer differs, and why
  double tolerance = 0;   ///< how far each number may be off
};

/// Sections A to C of the list: convolution; pooling; activations, losses and filters.
std::vector<Example> convolution_examples();
std::vector<Example> pooling_examples();
std::vector<Example> function_examples();
/// Sections D, G and I: blocks, receptive fields, learning rates.
std::vector<Example> block_examples();
std::vector<Example> receptive_field_examples();
std::vector<Example> schedule_examples();

/// Computes the examples, prints each one's verdict and, if it differs, both answers. The document
/// is {"examples": [{id, title, expected, got, ok, note}]}. Returns the exit code: 0 if all agree,
/// else 1.
int check_examples(const std::vector<Example>& examples, Console& console);

}  // namespace fovea::cli
