#pragma once

#include <cstdint>
#include <string_view>

#include "fovea/runtime/state.h"

namespace fovea::optim {

/// PyTorch's GradScaler's names and defaults, and bounds.
struct LossScalerOptions {
  double initial = 65536;
  double growth = 2;        ///< factor after `interval` finite steps
  double backoff = 0.5;     ///< factor after a step with gradients that are not finite
  int64_t interval = 2000;  ///< finite steps in a row
  double minimum = 1, maximum = 16777216;
};

/// Dynamic loss scaling for f16, whose gradients vanish below 6e-8 and overflow above 65504: the
/// backward pass starts from the loss times a scale (StepOptions::dtype f16 does that, and divides
/// the gradients of parameters by it again, in f32), and the scale is adjusted after each step. It
/// is an array of the State, so that checkpoints contain it; a TrainStep declares it with the
/// default options unless the State has it already.
///
///     train::TrainStep step(model, state, {.dtype = DType::f16});
///     optim::LossScaler scaler(state);
///     optim::GradientNorm norm;
///     for (int64_t i = 1; i <= 100; ++i) {
///       step.gradient(inputs, targets, i);
///       const auto [size, clip] = norm.measure(state, 1.0);  // of unscaled gradients
///       if (!scaler.step(std::isfinite(size))) continue;
///       optimizer->update(state, {.lr = 0.1, .gradient_scale = clip});
///     }
class LossScaler {
 public:
  /// Declares the arrays "loss_scale" f32 and "loss_scale_steps" i64, finite steps since the scale
  /// last changed, unless the State has them. Errors: usage for factors or bounds that make no
  /// sense.
  explicit LossScaler(State& state, const LossScalerOptions& options = {});

  /// After the gradients of a step: whether to apply them. If not all are finite, lowers the scale
  /// and returns false; after `interval` finite steps raises it.
  bool step(bool finite);

  double scale() const;
  /// Whether the scale cannot be lowered further: gradients that are not finite are then not due to
  /// it.
  bool at_minimum() const { return scale() <= options_.minimum; }

 private:
  State& state_;
  LossScalerOptions options_;
};

}  // namespace fovea::optim
