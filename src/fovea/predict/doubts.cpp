#include "fovea/predict/doubts.h"

#include <fmt/format.h>

#include <algorithm>

namespace fovea {

std::vector<Doubt> doubtful_labels(Predictor& predictor,
                                   std::shared_ptr<const data::Dataset> samples,
                                   const std::function<void(int64_t, int64_t)>& progress,
                                   std::stop_token stop) {
  const data::Targets& targets = predictor.task().targets();
  if (targets.type != data::class_targets({}).type) {
    throw Error(ErrorKind::usage, "doubtful labels are found by models that classify")
        .with("found", fmt::format("a model of the task {}", predictor.task().name()))
        .with("try", "without --model for the other checks");
  }
  const size_t classes = targets.names.size();
  std::vector<Doubt> all;
  std::vector<double> sums(classes, 0), counts(classes, 0);  // of a class's own probability
  const auto look = [&](const EvaluatedBatch& batch) {
    const int64_t row = batch.decoded.dim(1);  // begins with the probabilities of the classes
    for (int64_t i = 0; i < batch.targets.dim(0); ++i) {
      Doubt sample{.index = batch.first + i, .label = static_cast<int64_t>(batch.targets.at(i))};
      for (int64_t c = 0; c < static_cast<int64_t>(classes); ++c) {
        const double probability = batch.decoded.at(i * row + c);
        if (c == sample.label) sample.label_probability = probability;
        if (probability <= sample.predicted_probability) continue;
        sample.predicted = c;
        sample.predicted_probability = probability;
      }
      sums[static_cast<size_t>(sample.label)] += sample.label_probability;
      ++counts[static_cast<size_t>(sample.label)];
      if (sample.predicted != sample.label) all.push_back(sample);
    }
  };
  predictor.evaluation().measure(predictor.prepared(samples), 256, progress, stop, look);
  std::erase_if(all, [&](const Doubt& d) {
    const auto c = static_cast<size_t>(d.predicted);
    return counts[c] == 0 || d.predicted_probability < sums[c] / counts[c];
  });
  std::ranges::stable_sort(all, {}, &Doubt::label_probability);
  return all;
}

}  // namespace fovea
