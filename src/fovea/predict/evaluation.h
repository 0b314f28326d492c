#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "fovea/data/dataset.h"
#include "fovea/predict/inference.h"
#include "fovea/tasks/task.h"

namespace fovea {

/// The results of one batch. The arrays are valid until the callback returns.
struct EvaluatedBatch {
  int64_t first = 0;  ///< index of its first sample in the data set
  Array output;       ///< of the model: f32 [N, ...]
  Array decoded;      ///< of Task::decoded: [N, ...] of any dtype; empty without `decodes`
  Array targets;      ///< of the data set: [N, ...], each as data::target_type says
};

/// Measures a model: its output and the sums of metrics are one Program per batch shape.
class Evaluation {
 public:
  /// As Inference; the metrics are those of the task, which must outlive it, as from
  /// tasks::metrics. `decodes`: whether `each` of `measure` also gets what the task decodes.
  Evaluation(const nn::Module& model, State& state, const Normalization& normalization,
             const tasks::Task& task, std::vector<tasks::Metric> metrics, bool decodes = false,
             TestViews views = {});

  /// Runs all of `dataset` through the model, in order, in batches of `batch`. A stop request ends
  /// it early with the results so far. `progress` is called after each batch with (done, total)
  /// samples, `each` with the results of the batch. Errors: diverged when the output is not finite,
  /// naming where that began; usage when the model cannot take the inputs, or the metrics its
  /// output.
  tasks::Measures measure(std::shared_ptr<const data::Dataset> dataset, int64_t batch = 256,
                          const std::function<void(int64_t done, int64_t all)>& progress = nullptr,
                          std::stop_token stop = {},
                          const std::function<void(const EvaluatedBatch&)>& each = nullptr);

  /// The Program for these batches, compiled on first use.
  const Program& program(const Type& inputs, const Type& targets) {
    return inference_.program(inputs, &targets);
  }
  void share(Memory& memory) { inference_.share(memory); }

 private:
  std::vector<tasks::Metric> metrics_;
  bool decodes_;
  Inference inference_;
};

}  // namespace fovea
