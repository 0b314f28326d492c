#include <fmt/format.h>

#include <cmath>

#include "fovea/doctor/check.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/predict/inference.h"
#include "fovea/runtime/eval.h"

namespace fovea::doctor {

/// Mean and deviation of what the first layer gets.
Finding check_input_scale(Patient& patient) {
  const Normalization normalization = patient.setup().normalization();
  const Array values =
      eval([&](const Tensors& t) { return Tensors{normalized(t[0], normalization)}; },
           {patient.batch.inputs})[0];
  double sum = 0, squares = 0;
  for (const float value : values.data<float>()) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto n = static_cast<double>(values.numel());
  const double mean = sum / n, deviation = std::sqrt(std::max(0.0, squares / n - mean * mean));
  const std::string text = fmt::format(
      "the net's inputs have mean {:.3g} and standard deviation {:.3g}", mean, deviation);
  constexpr double far = 2, narrow = 0.1, wide = 5;
  if (std::abs(mean) <= far && deviation >= narrow && deviation <= wide) return ok(text);
  return problem(
      text,
      "normalised inputs, with mean 0 and standard deviation 1: for data of numbers "
      "subtract the mean of the training set and divide by its deviation; for images the "
      "mean and std of the weights' preprocessing do not fit them");
}

}  // namespace fovea::doctor
