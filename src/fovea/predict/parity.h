#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea {

/// What a model gives for one input, layer by layer, as another program recorded it: arrays by the
/// names of modules ("layer1.0.conv1"), the model's own "output", and the "input" [N, C, spatial].
using Trace = std::vector<std::pair<std::string, Array>>;

/// One module's values beside the recorded ones.
struct LayerParity {
  std::string name;       ///< the module's path; "output" for the model itself
  Shape shape;            ///< of what it gives here
  Shape recorded;         ///< of what the trace has
  double difference = 0;  ///< the largest, NaN where only one side is a number; shapes must agree
  double largest = 0;     ///< of the recorded values, absolute

  /// The difference as a share of the largest value. Infinite where shapes differ.
  double relative() const;
};

struct Parity {
  std::vector<LayerParity> layers;  ///< in the order of execution
  /// The output of the model as it is compiled for use, with layers fused. Nothing when the trace
  /// has no "output".
  std::optional<LayerParity> compiled;
  std::vector<std::string> unmatched;  ///< arrays of the trace that no module here is called as

  /// The first whose relative difference is above `tolerance`; nothing when there is none.
  const LayerParity* first_departure(double tolerance) const;
};

/// Runs `model` with the weights of `state` in eval mode on the trace's input and compares all that
/// both sides have. Of a module that is called twice, its last values. Errors: data when the trace
/// has no input, or nothing else that the model has; usage when the model cannot take the input.
Parity compare(const nn::Module& model, State& state, const Trace& trace);

}  // namespace fovea
