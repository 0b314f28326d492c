#pragma once

#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The classes of one sample, most probable first.
struct ClassPrediction : Prediction {
  Numbers classes;  ///< name, probability

  std::string text() const override;
  std::string json() const override;  ///< {"classes": [{"name": ..., "probability": ...}, ...]}
};

/// One class of several: cross-entropy of logits [N, K] with labels i64[N] or shares f32[N, K].
/// Metrics: accuracy, top5 (the label is among the five largest logits; of equal ones the lower
/// index is first), loss (without smoothing), and the accuracy of each class.
class Classification : public Task {
 public:
  static constexpr std::string_view id = "classify";

  /// Errors: usage when targets are no classes.
  explicit Classification(data::Targets targets);

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return std::ssize(targets_.names); }
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  std::vector<Metric> metrics() const override;
  std::string guessing(const data::Dataset& samples, double loss,
                       const Numbers& measured) const override;
  Tensor decoded(const Tensor& output) const override;
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i, int64_t most) const override;

 private:
  data::Targets targets_;
};

}  // namespace fovea::tasks
