#include <fmt/format.h>

#include "fovea/explain/builtin.h"
#include "fovea/explain/map_layer.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/reduce.h"
#include "fovea/passes/autodiff.h"

// Activation maps from a layer's activations and their gradients, all of a batch in one graph. The
// small constants in denominators are those of pytorch-grad-cam.

namespace fovea::explain {
namespace {

std::vector<int> spatial_axes(const Tensor& x) {
  std::vector<int> axes;
  for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

Tensor sum_of_channels(const Tensor& x) { return sum(x, {1}); }
Tensor sum_of_positions(const Tensor& x) { return sum(x, spatial_axes(x), true); }

/// A map before its relu, from activations and gradients [N, C, spatial...].
using Combine = Tensor (*)(const Tensor& a, const Tensor& g);

Tensor grad_cam(const Tensor& a, const Tensor& g) {
  return sum_of_channels(mean(g, spatial_axes(g), true) * a);
}

Tensor grad_cam_plus_plus(const Tensor& a, const Tensor& g) {
  const Tensor g2 = g * g;
  const Tensor alpha = g2 / (g2 * 2.0 + sum_of_positions(a) * (g2 * g) + 1e-6);
  return sum_of_channels(sum_of_positions(alpha * relu(g)) * a);
}

Tensor hires_cam(const Tensor& a, const Tensor& g) { return sum_of_channels(g * a); }

Tensor xgrad_cam(const Tensor& a, const Tensor& g) {
  const Tensor weights = sum_of_positions(g * a) / (sum_of_positions(a) + 1e-7);
  return sum_of_channels(weights * a);
}

Tensor layer_cam(const Tensor& a, const Tensor& g) { return sum_of_channels(relu(g) * a); }

Method gradient_cam(const std::string& name, const std::string& help, Combine combine) {
  return {.choice = {.name = name, .help = help},
          .family = Family::cam,
          .compute = [name, combine](Explainer& explainer, Batch& batch, const Arguments&) {
            const std::vector<Array> results = explainer.run(
                name + " " + batch.layer, inputs_of(batch), [&](const Explainer::Given& given) {
                  const Tensor output = explainer.apply(given.at("input"));
                  const Tensor a = find_layer(given.at("input"), output, batch.layer).value;
                  const Tensor g = gradients(sum(scores(output, given)), {a})[0];
                  // No value: the output does not depend on the layer.
                  return Tensors{relu(combine(a, g ? g : a * 0.0)), output};
                });
            choose_classes(batch, results[1]);
            return results[0];
          }};
}

}  // namespace

std::vector<Method> gradient_cams() {
  return {
      gradient_cam("gradcam", "channels weighted by their mean gradients", grad_cam),
      gradient_cam("gradcam++", "positive gradients weighted by pixel", grad_cam_plus_plus),
      gradient_cam("hirescam", "gradients times activations", hires_cam),
      gradient_cam("xgradcam", "channels weighted by their share of the output", xgrad_cam),
      gradient_cam("layercam", "positive gradients times activations", layer_cam),
  };
}

}  // namespace fovea::explain
