#include <algorithm>
#include <cmath>
#include <cstring>

#include "fovea/core/random.h"
#include "fovea/explain/builtin.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/autodiff.h"

// Means of gradients at several points: on a line, or around the input.

namespace fovea::explain {
namespace {

Array numbers(const std::vector<double>& values, int rank) {
  Shape shape{std::ssize(values)};
  for (int axis = 1; axis < rank; ++axis) shape = shape.concat({1});
  Array array(DType::f32, shape);
  for (size_t i = 0; i < values.size(); ++i) array.set(static_cast<int64_t>(i), values[i]);
  return array;
}

/// The mean of dy/dx at the points base + factor * offset, one for each of `factors`: `base` [1, C,
/// spatial...], `offsets` the same, or one row per factor.
Array mean_gradient(Explainer& explainer, const Array& base, const Array& offsets,
                    const std::vector<double>& factors, const Array& target) {
  const auto count = std::ssize(factors);
  Array total = Array::zeros(DType::f32, base.shape());
  for (int64_t first = 0; first < count; first += batch_size) {
    std::vector<double> some(batch_size, 0), weights(batch_size, 0);
    for (int64_t i = 0; i < std::min(batch_size, count - first); ++i) {
      some[static_cast<size_t>(i)] = factors[static_cast<size_t>(first + i)];
      weights[static_cast<size_t>(i)] = 1 / static_cast<double>(count);
    }
    const int rank = base.shape().rank();
    total = explainer.run(
        "mean gradient",
        {{"base", base},
         {"offsets", offsets.dim(0) == 1 ? offsets : rows(offsets, first, batch_size)},
         {"factors", numbers(some, rank)},
         {"weights", numbers(weights, rank)},
         {"target", target},
         {"total", total}},
        [&](const Explainer::Given& given) {
          const Shape shape = Shape{batch_size}.concat(base.shape().slice(1));
          const Tensor x = broadcast_to(given.at("base"), shape) +
                           broadcast_to(given.at("offsets"), shape) * given.at("factors");
          const Tensor output = explainer.apply(x);
          const Tensor y = sum(output * broadcast_to(given.at("target"), output.shape()));
          const Tensor g = gradients(y, {x})[0];
          if (!g) return Tensors{given.at("total")};
          return Tensors{given.at("total") + sum(g * given.at("weights"), {0}, true)};
        })[0];
  }
  return total;
}

/// Calls body(image, one-hot, i) for each sample, with one row each; it returns the sample's
/// values.
template <class Body>
Array per_sample(Explainer& explainer, Batch& batch, const Body& body) {
  if (batch.classes.empty()) choose_classes(batch, explainer.outputs(batch.inputs));
  Array values(DType::f32, batch.inputs.shape());
  for (int64_t i = 0; i < values.dim(0); ++i) {
    const int64_t label = batch.classes[static_cast<size_t>(i)];
    const Array one = body(rows(batch.inputs, i, 1), one_hot({label}, batch.outputs), i);
    std::memcpy(values.raw() + static_cast<size_t>(i) * one.bytes(), one.raw(), one.bytes());
  }
  return values;
}

double total_of(const Array& values) {
  double total = 0;
  for (float v : values.data<float>()) total += v;
  return total;
}

Array along_line(Explainer& explainer, const Array& image, const Array& target, int64_t steps) {
  std::vector<double> factors;
  for (int64_t i = 0; i < steps; ++i)
    factors.push_back((static_cast<double>(i) + 0.5) / static_cast<double>(steps));
  const Array zero = Array::zeros(DType::f32, image.shape());
  const Array mean = mean_gradient(explainer, zero, image, factors, target);
  return explainer.run("times", {{"a", mean}, {"b", image}}, [](const Explainer::Given& given) {
    return Tensors{given.at("a") * given.at("b")};
  })[0];
}

Array integrated_gradients(Explainer& explainer, Batch& batch, const Arguments& arguments) {
  const bool fixed = arguments.has("steps");
  return per_sample(explainer, batch, [&](const Array& image, const Array& target, int64_t i) {
    if (fixed) return along_line(explainer, image, target, arguments.integer("steps"));
    const int64_t label = batch.classes[static_cast<size_t>(i)];
    const double from = explainer.outputs(Array::zeros(DType::f32, image.shape())).at(label);
    const double wanted = explainer.outputs(image).at(label) - from;
    Array values;
    for (int64_t steps = 32; steps <= 512; steps *= 2) {
      values = along_line(explainer, image, target, steps);
      if (std::abs(total_of(values) - wanted) <= 0.005 * std::abs(wanted)) break;
    }
    return values;
  });
}

/// The largest value of an input less the smallest.
double range_of(const Array& image) {
  const auto [low, high] = std::ranges::minmax(image.data<float>());
  return static_cast<double>(high) - static_cast<double>(low);
}

Array smooth_grad(Explainer& explainer, Batch& batch, const Arguments& arguments) {
  return per_sample(explainer, batch, [&](const Array& image, const Array& target, int64_t i) {
    if (batch.draws) {
      const std::vector<double> ones(static_cast<size_t>(batch.draws->dim(0)), 1);
      return mean_gradient(explainer, image, *batch.draws, ones, target);
    }
    const int64_t samples = arguments.integer("samples");
    Array noise(DType::f32, Shape{samples}.concat(image.shape().slice(1)));
    Random random(batch.seed, "smoothgrad", static_cast<uint64_t>(batch.first + i));
    for (float& v : noise.data<float>()) v = static_cast<float>(random.normal());
    const double scale = arguments.number("noise") * range_of(image);
    return mean_gradient(explainer, image, noise,
                         std::vector<double>(static_cast<size_t>(samples), scale), target);
  });
}

}  // namespace

std::vector<Method> averaged_saliencies() {
  return {{.choice = {.name = "integrated-gradients",
                      .arguments = {{.name = "steps",
                                     .type = ArgumentType::integer,
                                     .minimum = 1,
                                     .maximum = 100'000,
                                     .follows = "as many as make the sum accurate, 32 to 512",
                                     .help = "points on the line from the mean image"}},
                      .help = "the input times its mean slope on the way from the mean image"},
           .family = Family::saliency,
           .compute = integrated_gradients,
           .channels = Channels::sum},
          {.choice = {.name = "smoothgrad",
                      .arguments = {{.name = "samples",
                                     .type = ArgumentType::integer,
                                     .default_value = int64_t{25},
                                     .minimum = 1,
                                     .maximum = 1000,
                                     .help = "noisy inputs"},
                                    {.name = "noise",
                                     .type = ArgumentType::number,
                                     .default_value = 0.15,
                                     .minimum = 0,
                                     .maximum = 10,
                                     .help = "its deviation, as a share of the input's range"}},
                      .help = "the mean slope around the input"},
           .family = Family::saliency,
           .compute = smooth_grad,
           .channels = Channels::largest}};
}

}  // namespace fovea::explain
