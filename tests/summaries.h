#pragma once

#include <string>
#include <vector>

#include "fovea/nn.h"
#include "fovea/passes/summary.h"

/// Summaries of nets, for the tests of their numbers and of their tables.
namespace fovea {

inline std::vector<std::string> parameter_names(const nn::Module& model) {
  std::vector<std::string> names;
  for (const nn::Variable* v : model.parameters()) names.push_back(v->name());
  return names;
}

inline Summary summary_of(const nn::Module& model, const Shape& image, Mode mode = Mode::eval) {
  const auto graph = nn::trace(model, Shape{1}.concat(image), mode);
  return summarize(*graph, parameter_names(model));
}

/// A convolution that is called twice.
class Twice : public nn::Module {
 public:
  explicit Twice(const nn::Scope& s) : Module(s), conv(at("conv"), 4, 4, {.kernel = 3}) {}
  Tensor forward(Tensor x) const override { return conv(relu(conv(x))); }
  nn::Conv2d conv;
};

}  // namespace fovea
