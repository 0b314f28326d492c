#include "fovea/optim/gradient_norm.h"

#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"

namespace fovea::optim {

GradientNorm::Result GradientNorm::measure(State& state, double max_norm) {
  Gradients gradients;
  for (const std::string& name : state.names(Role::gradient))
    gradients.emplace_back(name, state.type(name));
  const Program& program = programs_.get(gradients, [&] {
    const auto graph = Graph::make(Mode::train, DType::f32, "gradient norm");
    const Tensor limit = graph->input("max_norm", {DType::f64, {}});
    Tensor total = graph->constant(Array::zeros(DType::f64, {}));
    for (const auto& [name, type] : gradients)
      total = total + sum_of_squares(graph->read(name, type));
    const Tensor norm = sqrt(total);
    graph->output("norm", norm);
    graph->output("clip_scale", minimum(limit / (norm + 1e-6), 1.0));
    return Program(*graph);
  });
  const std::vector<Array> results =
      program.run(memory_, state, {{"max_norm", Array::full(DType::f64, {}, max_norm)}});
  return {.norm = results[0].item(), .clip_scale = results[1].item()};
}

}  // namespace fovea::optim
