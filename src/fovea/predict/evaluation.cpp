#include "fovea/predict/evaluation.h"

#include "fovea/data/loader.h"
#include "fovea/tasks/task.h"

namespace fovea {

Evaluation::Evaluation(const nn::Module& model, State& state, const Normalization& normalization,
                       std::vector<tasks::Metric> metrics)
    : metrics_(std::move(metrics)),
      inference_(model, state, normalization, DType::f32,
                 [this](const Tensor& output, const Tensor& targets) {
                   tasks::add_outputs(metrics_, output, targets);
                 }) {}

tasks::Measures Evaluation::measure(std::shared_ptr<const data::Dataset> dataset, int64_t batch,
                                    const std::function<void(int64_t, int64_t)>& progress,
                                    std::stop_token stop) {
  const int64_t size = dataset->size();
  tasks::Measures measures(metrics_, size);
  data::Loader loader(std::move(dataset), {.batch = batch, .workers = 1});
  loader.start(0);
  while (const auto next = loader.next()) {
    if (stop.stop_requested()) break;
    std::vector<Array> outputs = inference_.finite_run(next->inputs, &next->targets);
    outputs.erase(outputs.begin());
    measures.add(outputs, next->size());
    if (progress) progress(measures.count(), size);
  }
  return measures;
}

}  // namespace fovea
