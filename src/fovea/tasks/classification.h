#pragma once

#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The classes of one sample, maximum probable first.
struct ClassPrediction : Prediction {
  Numbers classes;  ///< name, probability

  std::string text() const override;
  Json json() const override;    ///< {"classes": [{"name": ..., "probability": ...}, ...]}
  Cells cells() const override;  ///< prediction, probability, prediction_2, probability_2, ...
};

/// One class of several: cross-entropy of logits [N, K] with labels i64[N] or shares f32[N, K].
/// Metrics: accuracy, top5 (the label is among the five largest logits; of equal ones the lower
/// index is first), loss (without smoothing), ece (the expected calibration error of Guo et al.
/// 2017: |accuracy - mean confidence|, weighted, over 15 bins of confidence of equal width), for
/// each class accuracy, precision, recall (which is its accuracy) and F1, 0 where they would be
/// 0/0, and for up to 2,048 classes the confusion matrix: rows are true classes, columns predicted
/// ones. Takes 16 bytes of memory per sample until the end.
class Classification : public Task {
 public:
  static constexpr std::string_view id = "classify";

  /// Errors: usage when targets are not classes.
  explicit Classification(data::Targets targets);

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return std::ssize(targets_.names); }
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  /// N / (K n) for a class of n samples, N samples and K classes that have any, as scikit-learn
  /// computes them; 0 for a class without samples.
  std::vector<double> balanced_weights(const data::Dataset& samples) const override;
  std::vector<Metric> metrics() const override;
  std::string guessing(const data::Dataset& samples, double loss,
                       const Numbers& measured) const override;
  Tensor decoded(const Tensor& output) const override;
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                      int64_t maximum) const override;
  /// target, prediction, probability, correct (1 or 0: its mean is the accuracy).
  Cells scored(const Array& decoded, const Array& targets, int64_t i) const override;

 private:
  /// The `maximum` classes with the largest logits; of equal ones the lower index first.
  std::vector<int64_t> ranked(const Array& decoded, int64_t i, int64_t maximum) const;
  std::string class_name(int64_t k) const;

  data::Targets targets_;
};

}  // namespace fovea::tasks
