#pragma once

#include "fovea/tasks/task.h"

namespace fovea::tasks {

/// The labels of one sample.
struct LabelsPrediction : Prediction {
  Numbers labels;   ///< all of them: name, probability; maximum probable first
  size_t held = 0;  ///< how many of the first have a probability above 0.5

  std::string text() const override;  ///< those above 0.5, "none" without any
  Json json() const override;         ///< those: {"labels": [{"name": ..., "probability": ...}]}
  /// prediction (those above 0.5, joined by ";"), and the probability of each label by its name.
  Cells cells() const override;
};

/// Several labels per sample, each present or not: targets f32[K] of 0 and 1, binary cross-entropy
/// of logits [N, K], the mean over samples and labels (PyTorch's BCEWithLogitsLoss). With label
/// smoothing s a target t becomes t (1 - s) + s / 2. Metrics: mAP (the mean over labels of the
/// average precision, as scikit-learn's average_precision_score: the sum over thresholds of the
/// gain in recall times the precision; 0 for a label that is never present), f1_micro (over all
/// labels of all samples) and f1_macro (the mean over labels), where a label is predicted with a
/// probability above 0.5, loss, and for each label positives, ap, precision, recall and f1. A ratio
/// without any samples is 0. mAP takes 8 bytes of memory per sample and label until the end.
class Multilabel : public Task {
 public:
  static constexpr std::string_view id = "multilabel";

  /// Errors: usage when targets are not numbers f32[K].
  explicit Multilabel(data::Targets targets);

  std::string_view name() const override { return id; }
  const data::Targets& targets() const override { return targets_; }
  int64_t outputs() const override { return targets_.type.dim(0); }
  /// Errors: data when a target is neither 0 nor 1.
  void check(const data::Dataset& samples) const override;
  Tensor loss(const Tensor& output, const Tensor& target,
              const LossOptions& options) const override;
  /// The samples without a label divided by those with it; 1 if either is none.
  std::vector<double> balanced_weights(const data::Dataset& samples) const override;
  std::vector<Metric> metrics() const override;
  Tensor decoded(const Tensor& output) const override;
  /// `maximum` is ignored: labels above 0.5 are shown.
  std::unique_ptr<Prediction> predict(const Array& decoded, int64_t i,
                                      int64_t maximum) const override;
  Cells scored(const Array& decoded, const Array& targets, int64_t i) const override;

 private:
  data::Targets targets_;
};

}  // namespace fovea::tasks
