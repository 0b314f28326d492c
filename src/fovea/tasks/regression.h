#pragma once

#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The numbers that a net gives for one sample.
struct NumbersPrediction : Prediction {
  Numbers numbers;

  std::string text() const override;
  Json json() const override;    ///< {"numbers": [{"name": ..., "value": ...}, ...]}
  Cells cells() const override;  ///< the numbers by name
};

/// Numbers f32[K] for each sample: mean squared error of outputs [N, K], over samples and numbers.
/// Metrics: r2 (the coefficient of determination, the mean over the numbers: 1 is perfect, 0 is as
/// good as their mean; a constant number counts 1 if predicted exactly, else 0), loss (the mean
/// squared error), mae (the mean absolute error), and both for each number.
class Regression : public Task {
 public:
  static constexpr std::string_view id = "regress";

  /// Errors: usage when targets are not numbers.
  explicit Regression(data::Targets targets);

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return targets_.type.dim(0); }
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  std::vector<Metric> metrics() const override;
  Tensor decoded(const Tensor& output) const override { return output; }
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                      int64_t maximum) const override;
  /// "target NAME" of each number, then the predictions by NAME.
  Cells scored(const Array& decoded, const Array& targets, int64_t i) const override;

 private:
  data::Targets targets_;
};

}  // namespace fovea::tasks
