#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "fovea/data/loader.h"
#include "fovea/predict/inference.h"

namespace fovea::train {

struct ClassMetrics {
  std::string name;
  int64_t count = 0, correct = 0;
  double accuracy() const {
    return count == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(count);
  }
};

/// Sums over samples, so that a smaller last batch weighs what it should.
struct Metrics {
  int64_t count = 0, correct = 0, correct5 = 0;
  double loss_sum = 0;
  std::vector<ClassMetrics> per_class;

  double loss() const { return count == 0 ? 0 : loss_sum / static_cast<double>(count); }
  double accuracy() const {
    return count == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(count);
  }
  /// The share of samples whose class is among the five with the largest logits.
  double top5() const {
    return count == 0 ? 0 : static_cast<double>(correct5) / static_cast<double>(count);
  }

  /// Adds a batch: logits [N, classes] and labels i64[N]; the loss is the cross-entropy in float64,
  /// without smoothing.
  void add(const Array& logits, const Array& labels);
};

/// Runs the whole of `dataset` through the model, in order, in batches of `batch`. Stops early,
/// with what it has, when asked to. `progress` is called after each batch with (done, all) samples.
/// Errors: diverged when logits are not finite, naming where that began.
Metrics evaluate(Inference& inference, std::shared_ptr<const data::Dataset> dataset,
                 int64_t batch = 256,
                 const std::function<void(int64_t, int64_t)>& progress = nullptr,
                 std::stop_token stop = {});

}  // namespace fovea::train
