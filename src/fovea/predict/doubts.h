#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "fovea/predict/predictor.h"

namespace fovea {

/// A sample whose label a model doubts: it predicts another class, and as surely as it predicts
/// those that have that label (Northcutt, Jiang and Chuang 2021, "Confident Learning").
struct Doubt {
  int64_t index = 0;  ///< of the sample
  int64_t label = 0, predicted = 0;
  double label_probability = 0, predicted_probability = 0;
};

/// The doubtful labels among `samples`, whose classes are numbered as the model's; the least
/// probable ones first. Errors: usage when the model's task is not classification; as
/// Evaluation::measure.
std::vector<Doubt> doubtful_labels(
    Predictor& predictor, std::shared_ptr<const data::Dataset> samples,
    const std::function<void(int64_t done, int64_t all)>& progress = nullptr,
    std::stop_token stop = {});

}  // namespace fovea
