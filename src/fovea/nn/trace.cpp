#include "fovea/nn/trace.h"

namespace fovea::nn {

std::shared_ptr<Graph> trace(const Module& model, const Shape& input, Mode mode, DType dtype) {
  auto graph = Graph::make(mode, dtype, model.title());
  graph->output("output", model(graph->input("input", {dtype, input})));
  return graph;
}

Shape traced_shape(const Module& model, const Shape& image,
                   const std::function<Tensor(Tensor)>& part) {
  auto graph = Graph::make(Mode::eval, DType::f32, model.title());
  const Entered entered(*graph, model);
  const Shape batch = Shape{1}.concat(image);
  return part(graph->input("input", {DType::f32, batch})).shape().slice(1);
}

}  // namespace fovea::nn
