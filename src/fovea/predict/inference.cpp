#include "fovea/predict/inference.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/ops/images.h"
#include "fovea/runtime/nonfinite.h"

namespace fovea {

Tensor classify(const nn::Module& model, const Tensor& images, const Normalization& normalization) {
  if (images.dtype() != DType::u8) return model(images);
  const auto floats = [](const std::vector<double>& v) {
    return std::vector<float>(v.begin(), v.end());
  };
  return model(normalize_images(images, floats(normalization.mean), floats(normalization.std)));
}

Inference::Inference(const nn::Module& model, State& state, Normalization normalization,
                     DType dtype)
    : model_(model), state_(state), normalization_(std::move(normalization)), dtype_(dtype) {}

std::shared_ptr<Graph> Inference::trace(const Type& images) const {
  std::shared_ptr<Graph> graph = Graph::make(Mode::eval, dtype_, model_.name());
  graph->output("logits", classify(model_, graph->input("images", images), normalization_));
  return graph;
}

const Program& Inference::program(const Type& images) {
  return cache_.get(images, [&] { return Program(*trace(images)); });
}

Array Inference::logits(const Array& images) {
  return program({images.dtype(), images.shape()}).run(*memory_, state_, {{"images", images}})[0];
}

Array Inference::finite_logits(const Array& images) {
  Array result = logits(images);
  if (nonfinite_in(result).empty()) return result;
  throw Error(ErrorKind::diverged, "the logits are not finite")
      .with("first", nonfinite_origin(images))
      .with("try", "weights saved before training diverged, images prepared as the model expects");
}

std::string Inference::nonfinite_origin(const Array& images) {
  if (const std::string_view what = nonfinite_in(images); !what.empty())
    return "the input holds " + std::string(what);
  if (std::string weight = nonfinite_in(state_, {Role::parameter, Role::buffer}); !weight.empty())
    return weight;
  const std::string layer = program({images.dtype(), images.shape()})
                                .first_nonfinite(*memory_, state_, {{"images", images}});
  return layer.empty() ? layer : layer + " gave a number that is not finite";
}

std::vector<double> softmax(const Array& logits, int64_t row) {
  const int64_t classes = logits.dim(1);
  std::vector<double> p(static_cast<size_t>(classes));
  for (int64_t k = 0; k < classes; ++k) p[static_cast<size_t>(k)] = logits.at(row * classes + k);
  const double largest = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& value : p) sum += value = std::exp(value - largest);
  for (double& value : p) value /= sum;
  return p;
}

}  // namespace fovea
