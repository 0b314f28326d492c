#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>

#include "fovea/data/dataset.h"
#include "fovea/predict/inference.h"
#include "fovea/tasks/metric.h"

namespace fovea {

/// What one batch gave. The arrays hold until the call that got them returns.
struct EvaluatedBatch {
  int64_t first = 0;  ///< the place of its first sample in the data set
  Array output, decoded, targets;
};

/// A model measured: its output and the metrics' sums are one Program for each shape of a batch.
class Evaluation {
 public:
  /// As Inference; `metrics` as tasks::metrics gives them. `decode`, as Task::decoded: what `each`
  /// of `measure` gets besides.
  Evaluation(const nn::Module& model, State& state, const Normalization& normalization,
             std::vector<tasks::Metric> metrics,
             std::function<Tensor(const Tensor& output)> decode = nullptr, TestViews views = {});

  /// Runs the whole of `dataset` through the model, in order, in batches of `batch`. Stops early,
  /// with what it has, when asked to. `progress` is called after each batch with (done, all)
  /// samples, `each` with what the batch gave. Errors: diverged when the output is not finite,
  /// naming where that began; usage when the model cannot take the inputs, or its output is not
  /// what the metrics take.
  tasks::Measures measure(std::shared_ptr<const data::Dataset> dataset, int64_t batch = 256,
                          const std::function<void(int64_t done, int64_t all)>& progress = nullptr,
                          std::stop_token stop = {},
                          const std::function<void(const EvaluatedBatch&)>& each = nullptr);

  /// The Program for these batches, compiled now if it was not met yet.
  const Program& program(const Type& inputs, const Type& targets) {
    return inference_.program(inputs, &targets);
  }
  void share(Memory& memory) { inference_.share(memory); }

 private:
  std::vector<tasks::Metric> metrics_;
  std::function<Tensor(const Tensor&)> decode_;
  Inference inference_;
};

}  // namespace fovea
