#include "fovea/train/initialize.h"

#include <fmt/format.h>

#include <algorithm>

#include "fovea/core/error.h"
#include "fovea/runtime/program.h"

namespace fovea::train {
namespace {

/// The first input of a module's first call.
Tensor input_of(Graph& graph, const nn::Module& module) {
  const auto& calls = graph.calls();
  const auto found = std::ranges::find(calls, module.path(), &Call::path);
  if (found == calls.end() || found->inputs.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("initial values from data: the model never calls \"{}\" with an input",
                            module.path()))
        .with("at", module.where().text());
  }
  return Tensor(graph.shared_from_this(), found->inputs[0]);
}

}  // namespace

std::vector<std::string> initialize_from_data(const nn::Module& model, State& state,
                                              const Normalization& normalization,
                                              const std::function<Array(int64_t n)>& inputs) {
  std::vector<std::string> filled;
  for (const nn::Variable* parameter : model.parameters()) {
    const auto& initializer = parameter->data_initializer();
    if (!initializer) continue;
    const Array samples = inputs(initializer->samples);
    const std::shared_ptr<Graph> graph = Graph::make(Mode::eval, DType::f32, model.name());
    apply(model, graph->input("inputs", {samples.dtype(), samples.shape()}), normalization);
    graph->output("layer_inputs", input_of(*graph, parameter->owner()));
    Memory memory;
    const std::vector<Array> outputs = Program(*graph).run(memory, state, {{"inputs", samples}});
    initializer->fill(state.get(parameter->name()), outputs[0]);
    state.touch();
    filled.push_back(parameter->name());
  }
  return filled;
}

std::vector<std::string> initialize_run(Setup& setup, State& state) {
  std::vector<std::string> anew;
  if (setup.start.weights.empty()) {
    initialize_from_data(*setup.model, state, setup.normalization(), [&](int64_t n) {
      data::Loader first(setup.prepared(setup.split.train), {.batch = n});
      first.start(0);
      return first.next()->inputs;
    });
  } else {
    anew = initialize(setup.start, setup.head, *setup.model, state);
  }
  setup.start.weights.clear();
  return anew;
}

}  // namespace fovea::train
