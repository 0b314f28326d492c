#include "fovea/runtime/eval.h"

#include "fovea/runtime/program.h"

namespace fovea {

std::vector<Array> eval(const std::function<Tensors(const Tensors&)>& f,
                        const std::vector<Array>& arrays) {
  DType dtype = DType::f32;
  for (const Array& array : arrays) dtype = array.dtype() == DType::f64 ? DType::f64 : dtype;
  const std::shared_ptr<Graph> graph = Graph::make(Mode::eval, dtype);
  Tensors tensors;
  std::vector<std::string> names;
  for (size_t i = 0; i < arrays.size(); ++i) {
    names.push_back("input" + std::to_string(i));
    tensors.push_back(graph->input(names.back(), {arrays[i].dtype(), arrays[i].shape()}));
  }
  const Tensors results = f(tensors);
  for (size_t i = 0; i < results.size(); ++i)
    graph->output("output" + std::to_string(i), results[i]);

  Inputs inputs;
  for (size_t i = 0; i < arrays.size(); ++i) inputs.emplace_back(names[i], arrays[i]);
  State state;
  Memory memory;
  std::vector<Array> outputs = Program(*graph).run(memory, state, inputs);
  for (Array& array : outputs) array = array.clone();
  return outputs;
}

}  // namespace fovea
