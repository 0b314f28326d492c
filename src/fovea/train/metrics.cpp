#include "fovea/train/metrics.h"

#include <algorithm>
#include <cmath>

namespace fovea::train {

void Metrics::add(const Array& logits, const Array& labels) {
  const int64_t n = logits.dim(0), classes = logits.dim(1);
  for (int64_t i = 0; i < n; ++i) {
    const auto label = static_cast<int64_t>(labels.at(i));
    const auto z = [&](int64_t k) { return logits.at(i * classes + k); };
    double largest = z(0), sum = 0;
    for (int64_t k = 1; k < classes; ++k) largest = std::max(largest, z(k));
    int64_t above =
        0;  // classes before the label in descending order; among equals the lower index is first
    for (int64_t k = 0; k < classes; ++k) {
      sum += std::exp(z(k) - largest);
      above += z(k) > z(label) || (z(k) == z(label) && k < label);
    }
    const bool number = std::isfinite(z(label)), right = number && above == 0;
    loss_sum += largest + std::log(sum) - z(label);
    ++count;
    correct += right;
    correct5 += number && above < 5;
    if (per_class.empty()) continue;
    ClassMetrics& own = per_class[static_cast<size_t>(label)];
    ++own.count;
    own.correct += right;
  }
}

Metrics evaluate(Inference& inference, std::shared_ptr<const data::Dataset> dataset, int64_t batch,
                 const std::function<void(int64_t, int64_t)>& progress, std::stop_token stop) {
  Metrics metrics;
  for (const std::string& name : dataset->targets().names)
    metrics.per_class.push_back({.name = name});
  data::Loader loader(dataset, {.batch = batch, .workers = 1});
  loader.start(0);
  while (auto next = loader.next()) {
    if (stop.stop_requested()) break;
    metrics.add(inference.finite_logits(next->inputs), next->targets);
    if (progress) progress(metrics.count, dataset->size());
  }
  return metrics;
}

}  // namespace fovea::train
