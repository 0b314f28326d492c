#pragma once

#include "fovea/data/augmentation.h"
#include "fovea/predict/inference.h"
#include "fovea/tasks/metric.h"

namespace fovea::train {

struct StepOptions {
  Normalization normalization = {};  ///< of images; not used for float inputs
  data::Mixing mixing = {};          ///< of normalised inputs and their targets
  bool learns_inputs = false;  ///< outputs are compared with the inputs, before these are mixed
  /// The loss of an output, a scalar; by default the cross-entropy of logits with labels or shares.
  std::function<Tensor(const Tensor& output, const Tensor& targets)> loss = {};
  std::vector<tasks::Metric> metrics = {};  ///< measured on each batch, as mixed
  bool weighted = false;    ///< the loss of a batch counts with a weight, for its gradient only
  double aux_weight = 0.3;  ///< of the loss of each auxiliary head: an output "aux..." of the model
  uint64_t seed = 0;        ///< of dropout and mixing; below 2^53
  /// Which State arrays are frozen: see Graph::freeze. Empty: none.
  std::function<bool(std::string_view name)> frozen = {};
  /// f32, f64 to verify numerics, or bf16 or f16 for mixed precision: see narrow_precision. With
  /// f16 the loss is scaled: see optim::LossScaler.
  DType dtype = DType::f32;
  /// Keep less from the forward pass and compute more of it again, with the same bits: see
  /// RecomputeOptions::segments.
  bool recompute = false;
};

/// The results of one batch. Arrays are valid until the next call.
struct StepResult {
  double loss = 0;          ///< the mean over the batch, including auxiliary heads
  Array output;             ///< of the net: [N, ...], f32 (f64 with StepOptions::dtype f64)
  std::vector<Array> sums;  ///< of the metrics, in their order
};

/// The first half of a training step: computes the gradients of the mean loss into the State as
/// "grad:" + parameter, and updates running statistics. An optimiser does the second half;
/// clipping, skipping or averaging over machines go in between. Compiled once for each batch shape.
///
/// The State's gradients are those of the latest call: parameters that are frozen, or that the loss
/// does not depend on, have none, so that an optimiser leaves them unchanged.
///
///     nn::declare(state, model, seed);
///     train::TrainStep step(model, state, {...});
///     auto optimizer = optim::sgd({.momentum = 0.9});
///     optimizer->declare(state);
///     for (int64_t i = 1; i <= 100; ++i) {
///       double loss = step.gradient(inputs, targets, i).loss;
///       optimizer->update(state, {.lr = 0.1});
///     }
class TrainStep {
 public:
  /// Errors: usage when the model's arrays are not declared in the State.
  TrainStep(const nn::Module& model, State& state, StepOptions options);

  /// inputs u8 or u16 [N, H, W, C] or float [N, C, spatial]; targets [N, ...] as the loss takes
  /// them: by default labels i64 [N] or [N, spatial], or shares of the output's dtype and shape
  /// (not used with learns_inputs). `step` numbers the batches: with the seed it determines dropout
  /// and mixing. With `accumulate` gradients are added to those of the previous call: several
  /// batches with weights (for which the options ask) of n / N give the gradient of all N samples.
  /// Errors: usage when shapes do not fit; data for a label out of range.
  StepResult gradient(const Array& inputs, const Array& targets, int64_t step,
                      bool accumulate = false, double weight = 1);

  /// Measures the running statistics of batch norms anew, for weights that no step has seen: after
  /// the calls with batches number 1 to `count` they are the mean over these.
  void measure_statistics(const Array& inputs, const Array& targets, int64_t step, int64_t count);

  /// The graph for these inputs, before any pass: outputs "loss", "output" and those of the
  /// metrics.
  std::shared_ptr<Graph> trace(const Type& inputs, const Type& targets) const;
  /// The Program for these inputs, compiled on first use; the gradients that it computes are
  /// declared in the State.
  const Program& program(const Type& inputs, const Type& targets, bool accumulate = false);

  /// For a loss or gradients that are not finite: where that began. Buffers come last, since this
  /// step may have spoilt them. The State is unchanged.
  NonFinite nonfinite_origin(const Array& inputs, const Array& targets, int64_t step);

  Memory& memory() { return memory_; }

 private:
  void forget_other_gradients(const Program& program);
  Inputs given(const Program& program, const Array& inputs, const Array& targets, int64_t step,
               double weight = 1) const;

  const nn::Module& model_;
  State& state_;
  StepOptions options_;
  /// The key of a compiled Program.
  struct Key {
    Type inputs, targets;
    enum class Purpose : uint8_t { gradient, accumulated_gradient, statistics } purpose;
    bool operator==(const Key&) const = default;
  };
  ProgramCache<Key> cache_;
  Memory memory_;
};

}  // namespace fovea::train
