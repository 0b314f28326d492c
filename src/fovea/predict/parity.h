#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/nn/module.h"

namespace fovea {

/// The outputs of a model's layers for one input, as recorded by another program: arrays by the
/// names of modules ("layer1.0.conv1"), the model's own "output", and the "input" [N, C, spatial].
using Trace = std::vector<std::pair<std::string, Array>>;

/// One module's values compared with the recorded ones.
struct LayerParity {
  std::string name;       ///< the module's path; "output" for the model itself
  Shape shape;            ///< of the output here
  Shape recorded;         ///< of the output in the trace
  double difference = 0;  ///< the largest, NaN where only one side is a number; shapes must agree
  double largest = 0;     ///< of the recorded values, absolute

  /// The difference relative to the largest value. Infinite if shapes differ.
  double relative() const;
};

struct Parity {
  std::vector<LayerParity> layers;  ///< in the order of execution
  /// The output of the model as compiled for inference, with layers fused. None if the trace has no
  /// "output".
  std::optional<LayerParity> compiled;
  std::vector<std::string> unmatched;  ///< arrays of the trace without a module of that name here

  /// The first whose relative difference exceeds `tolerance`, if any.
  const LayerParity* first_departure(double tolerance) const;
};

/// Runs `model` with the weights of `state` in eval mode on the trace's input and compares
/// everything that both sides have; for a module that is called twice, its last values. Errors:
/// data when the trace has no input, or nothing else that the model has; usage when the model
/// cannot take the input.
Parity compare(const nn::Module& model, State& state, const Trace& trace);

}  // namespace fovea
