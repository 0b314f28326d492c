#include "fovea/predict/evaluation.h"

#include "fovea/data/loader.h"
#include "fovea/tasks/task.h"

namespace fovea {

Evaluation::Evaluation(const nn::Module& model, State& state, const Normalization& normalization,
                       std::vector<tasks::Metric> metrics,
                       std::function<Tensor(const Tensor&)> decode, TestViews views)
    : metrics_(std::move(metrics)),
      decode_(std::move(decode)),
      inference_(
          model, state, normalization, DType::f32,
          [this](const Tensor& output, const Tensor& targets) {
            tasks::add_outputs(metrics_, output, targets);
            if (decode_) output.graph().output("decoded", decode_(output));
          },
          views) {}

tasks::Measures Evaluation::measure(std::shared_ptr<const data::Dataset> dataset, int64_t batch,
                                    const std::function<void(int64_t, int64_t)>& progress,
                                    std::stop_token stop,
                                    const std::function<void(const EvaluatedBatch&)>& each) {
  const int64_t size = dataset->size();
  tasks::Measures measures(metrics_, size);
  const auto own = std::ssize(tasks::with_own(metrics_));
  data::Loader loader(std::move(dataset), {.batch = batch, .workers = 1});
  loader.start(0);
  while (const auto next = loader.next()) {
    if (stop.stop_requested()) break;
    std::vector<Array> outputs = inference_.finite_run(next->inputs, &next->targets);
    if (each) {
      each({.first = measures.count(),
            .output = outputs.front(),
            .decoded = decode_ ? outputs.back() : Array(),
            .targets = next->targets});
    }
    const auto first = outputs.begin() + 1;
    measures.add({first, first + own}, next->size());
    if (progress) progress(measures.count(), size);
  }
  return measures;
}

}  // namespace fovea
