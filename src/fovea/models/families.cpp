#include "fovea/models/families.h"

namespace fovea::models {

void add_side_output(const std::string& name, const nn::Module& head, const Tensor& x) {
  if (x.graph().has_side_outputs()) x.graph().output(name, head(x));
}

void add_named_output(const std::string& name, const Tensor& value) {
  Graph& graph = value.graph();
  if (graph.has_side_outputs() && (graph.mode() == Mode::eval || is_auxiliary(name)))
    graph.output(name, value);
}

int64_t round_channels(double channels) {
  int64_t rounded = static_cast<int64_t>(channels + 4) / 8 * 8;
  if (rounded < 8) rounded = 8;
  return static_cast<double>(rounded) < 0.9 * channels ? rounded + 8 : rounded;
}

}  // namespace fovea::models
