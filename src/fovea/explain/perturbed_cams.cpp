#include <algorithm>
#include <cmath>

#include "fovea/explain/builtin.h"
#include "fovea/explain/map_layer.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/ops/upsample.h"

// Activation maps whose weights are found by trying: with each channel as a mask of the input, or
// without each channel. They take one run of the model, or of its end, per channel.

namespace fovea::explain {
namespace {

std::vector<int> axes_after_batch(const Tensor& x) {
  std::vector<int> axes;
  for (int axis = 1; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

/// Channels [n, 1, spatial...] enlarged to `size`, each scaled to 0 to 1.
Array masks_of(Explainer& explainer, const Array& channels, const Shape& size) {
  return explainer.run("channel masks " + to_string(size), {{"channels", channels}},
                       [&](const Explainer::Given& given) {
                         const Dims sizes(std::vector<int64_t>(size.begin(), size.end()));
                         const Tensor large =
                             upsample_to(given.at("channels"), sizes,
                                         {.mode = UpsampleMode::linear, .align_corners = true});
                         const std::vector<int> axes = axes_after_batch(large);
                         const Tensor low = -max(-large, axes, true), high = max(large, axes, true);
                         return Tensors{(large - low) / (high - low + 1e-8)};
                       })[0];
}

/// The relu of the channels of one sample, a [1, C, spatial...], weighted.
void weighted_map(Explainer& explainer, const Array& a, const std::vector<double>& weights,
                  Array& maps, int64_t sample) {
  Array factors(DType::f32, {1, std::ssize(weights)});
  for (size_t k = 0; k < weights.size(); ++k) factors.set(static_cast<int64_t>(k), weights[k]);
  const Array map = explainer.run(
      "weighted map", {{"a", a}, {"weights", factors}}, [](const Explainer::Given& given) {
        const Tensor& x = given.at("a");
        Shape shape{1, x.dim(1)};
        for (int axis = 2; axis < x.rank(); ++axis) shape = shape.concat({1});
        return Tensors{relu(sum(x * reshape(given.at("weights"), shape), {1}))};
      })[0];
  std::ranges::copy(map.data<float>(), maps.data<float>().begin() + sample * map.numel());
}

/// Calls body(image, a) for each sample, with one row each, and returns the maps of the weights
/// that it gives.
template <class Body>
Array weighted_per_sample(Explainer& explainer, Batch& batch, const Body& body) {
  const Array a = activations(explainer, batch);
  Array maps(DType::f32, Shape{a.dim(0)}.concat(a.shape().slice(2)));
  for (int64_t i = 0; i < a.dim(0); ++i) {
    const Array image = rows(batch.inputs, i, 1), channels = rows(a, i, 1);
    const std::vector<double> weights =
        body(image, channels, batch.classes[static_cast<size_t>(i)]);
    weighted_map(explainer, channels, weights, maps, i);
  }
  return maps;
}

std::vector<double> softmax_of(std::vector<double> values) {
  const double high = *std::ranges::max_element(values);
  double total = 0;
  for (double& v : values) total += v = std::exp(v - high);
  for (double& v : values) v /= total;
  return values;
}

Array score_cam(Explainer& explainer, Batch& batch, const Arguments&) {
  return weighted_per_sample(
      explainer, batch, [&](const Array& image, const Array& a, int64_t label) {
        const Shape one = Shape{a.dim(1), 1}.concat(a.shape().slice(2));
        const Array channels = a.reshaped(one), nothing = Array::zeros(DType::f32, image.shape());
        std::vector<double> scores;
        for (int64_t k = 0; k < a.dim(1); k += batch_size) {
          const Array masks =
              masks_of(explainer, rows(channels, k, batch_size), image.shape().slice(2));
          for (double score : explainer.masked_scores(image, nothing, masks, label, false))
            scores.push_back(score);
        }
        scores.resize(static_cast<size_t>(a.dim(1)));
        return softmax_of(scores);
      });
}

/// The output without each channel of `a`.
std::vector<double> ablated(Explainer& explainer, const Batch& batch, const Array& image,
                            const Array& a, int64_t label) {
  std::vector<double> scores;
  Shape gate{batch_size, a.dim(1)};
  for (int axis = 2; axis < a.shape().rank(); ++axis) gate = gate.concat({1});
  for (int64_t first = 0; first < a.dim(1); first += batch_size) {
    Array keep = Array::full(DType::f32, gate, 1);
    for (int64_t i = 0; i < std::min(batch_size, a.dim(1) - first); ++i)
      keep.set(i * a.dim(1) + first + i, 0);
    const Array all = explainer.run(
        "ablated " + batch.layer, {{"image", image}, {"a", a}, {"keep", keep}},
        [&](const Explainer::Given& given) {
          const auto repeated = [](const Tensor& x) {
            return broadcast_to(x, Shape{batch_size}.concat(x.shape().slice(1)));
          };
          const Tensor x = repeated(given.at("image")), output = explainer.apply(x);
          const Tensor layer = find_layer(x, output, batch.layer).value;
          return Tensors{with_layer(output, layer, repeated(given.at("a")) * given.at("keep"))};
        })[0];
    for (int64_t i = 0; i < batch_size; ++i) scores.push_back(all.at(i * all.dim(1) + label));
  }
  scores.resize(static_cast<size_t>(a.dim(1)));
  return scores;
}

Array ablation_cam(Explainer& explainer, Batch& batch, const Arguments&) {
  return weighted_per_sample(
      explainer, batch, [&](const Array& image, const Array& a, int64_t label) {
        const Array outputs = explainer.outputs(image);
        const double y = outputs.at(label);
        std::vector<double> weights = ablated(explainer, batch, image, a, label);
        for (double& w : weights) w = y == 0 ? 0 : (y - w) / y;
        return weights;
      });
}

}  // namespace

std::vector<Method> perturbed_cams() {
  return {{.choice = {.name = "scorecam",
                      .help = "channels weighted by the output for the input masked with each"},
           .family = Family::cam,
           .compute = score_cam},
          {.choice = {.name = "ablationcam",
                      .help = "channels weighted by what the output loses without each"},
           .family = Family::cam,
           .compute = ablation_cam}};
}

}  // namespace fovea::explain
