#include "fovea/predict/evaluation.h"

#include "fovea/data/loader.h"

namespace fovea {

Evaluation::Evaluation(const nn::Module& model, State& state, const Normalization& normalization,
                       const tasks::Task& task, std::vector<tasks::Metric> metrics, bool decodes,
                       TestViews views)
    : metrics_(std::move(metrics)),
      decodes_(decodes),
      inference_(
          model, state, normalization, DType::f32,
          [this, &task](const Traced& traced) {
            const bool of_inputs = task.learns_inputs();
            tasks::add_outputs(metrics_, traced.output, of_inputs ? traced.inputs : traced.targets);
            if (!decodes_) return;
            traced.output.graph().output("decoded",
                                         tasks::decoded(task, traced.output, traced.inputs));
          },
          views) {}

tasks::Measures Evaluation::measure(std::shared_ptr<const data::Dataset> dataset, int64_t batch,
                                    const std::function<void(int64_t, int64_t)>& progress,
                                    std::stop_token stop,
                                    const std::function<void(const EvaluatedBatch&)>& each) {
  const int64_t size = dataset->size();
  tasks::Measures measures(metrics_, size);
  const std::vector<tasks::Metric> own = tasks::with_own(metrics_);
  data::Loader loader(dataset, {.batch = batch, .workers = 1});
  loader.start(0);
  while (const auto next = loader.next()) {
    if (stop.stop_requested()) break;
    std::vector<Array> outputs = inference_.finite_run(next->inputs, &next->targets);
    if (each) {
      each({.first = measures.count(),
            .output = outputs.front(),
            .decoded = decodes_ ? outputs.back() : Array(),
            .targets = next->targets});
    }
    std::vector<Array> values(outputs.begin() + 1, outputs.begin() + 1 + std::ssize(own));
    for (size_t k = 0; k < own.size(); ++k) {
      if (own[k].complete) own[k].complete(values[k], *dataset, measures.count());
    }
    measures.add(values, next->size());
    if (progress) progress(measures.count(), size);
  }
  return measures;
}

}  // namespace fovea
