#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/arguments.h"
#include "fovea/explain/explainer.h"

namespace fovea::explain {

/// What a method shows: how much positions of a layer count, or values of the input.
enum class Family : uint8_t { cam, saliency };

/// How the values of an input's channels become one number per position: the largest absolute
/// value, where they are slopes, or the sum, where they are contributions.
enum class Channels : uint8_t { largest, sum };

/// A part of a request, as methods see it.
struct Batch : Request {
  int64_t outputs = 0;  ///< of the model for each sample
  int64_t first = 0;    ///< the index of its first sample in the request
};

/// One row of the table of methods.
struct Method {
  Choice choice;
  Family family = Family::cam;
  /// Computes, for f32 inputs [N, C, spatial...], a cam's maps [N, layer's spatial...] or a
  /// saliency's values [N, C or 1, spatial...]. If `classes` are empty, it sets them to the
  /// predicted ones. A cam's `layer` is the name of one that exists.
  std::function<Array(Explainer&, Batch&, const Arguments&)> compute = nullptr;
  Channels channels = Channels::sum;  ///< of saliency
};

/// The table, built-in ones first. y is the output of the class, A_k channel k of the layer, g its
/// gradient dy/dA, x the input.
///   cam
///     gradcam              relu(sum_k mean(g_k) A_k): Selvaraju et al. 2017, eq. 1 and 2
///     gradcam++            relu(sum_k w_k A_k), w_k = sum(a_k relu(g_k)), a_k = g^2 / (2 g^2 +
///                          sum(A_k) g^3): Chattopadhay et al. 2018, eq. 10 and 19
///     hirescam             relu(sum_k g_k A_k): Draelos and Carin 2020, eq. 4
///     xgradcam             relu(sum_k w_k A_k), w_k = sum(g_k A_k) / sum(A_k): Fu et al. 2020,
///                          eq. 8
///     layercam             relu(sum_k relu(g_k) A_k): Jiang et al. 2021, eq. 5 and 6
///     scorecam             relu(sum_k w_k A_k), w the softmax over k of y for the input times A_k
///                          enlarged and scaled to 0 to 1: Wang et al. 2020, algorithm 1
///     ablationcam          relu(sum_k w_k A_k), w_k = (y - y without A_k) / y: Desai and
///                          Ramaswamy 2020, eq. 2 and 3
///     eigencam             relu of A's first principal component over positions, for no class;
///                          its sign that of the mean over channels: Muhammad and Yeasin 2020
///   saliency
///     gradient             dy/dx: Simonyan et al. 2013, eq. 3 and 4
///     gradient-x-input     x dy/dx: Shrikumar et al. 2016
///     integrated-gradients[:STEPS]
///                          (x - b) times the mean of dy/dx along the line from b = 0 (the mean
///                          image) to x, at the middle of STEPS steps; without STEPS as many as
///                          bring the sum within 0.5 % of y(x) - y(b), 32 to 512: Sundararajan et
///                          al. 2017, eq. 3
///     smoothgrad[:SAMPLES[:NOISE]]
///                          the mean of dy/dx for SAMPLES (25) inputs with normal noise of NOISE
///                          (0.15) times the input's range: Smilkov et al. 2017, eq. 2. Draws: the
///                          noise, [samples, C, spatial...]
///     guided-backprop      dy/dx where each relu and relu6 passes positive gradients only:
///                          Springenberg et al. 2015, section 3.4
///     occlusion[:WINDOW[:STRIDE]]
///                          y minus y with a window set to 0 (the mean image), averaged over the
///                          windows that contain a position: Zeiler and Fergus 2014, section 4.2.
///                          WINDOW is a seventh of each side by default, STRIDE half of that
///     rise[:MASKS[:CELLS]] the mean of random masks weighted by the class's probability: Petsiuk
///                          et al. 2018, eq. 6. MASKS (1000) of CELLS (7) cells a side, each 1 with
///                          probability 1/2, enlarged and shifted. Draws: masks of 0 to 1, [masks,
///                          1, spatial...]
const std::vector<Method>& methods();

/// Adds a method of your own, which `fovea explain` can then use by name. Not thread-safe: call it
/// before methods are used. Errors: usage when the name is taken, or as check(Choice).
void add_method(Method method);

/// The method that a text such as "occlusion:8:4" stands for. Errors: usage for an unknown name or
/// bad arguments, listing those of the family.
Chosen<Method> choose_method(std::string_view text, Family family);

/// The maps of a batch.
struct Explanation {
  Array values;  ///< the method's own result: see Method::compute
  /// One number per position, larger where it speaks for the class: f32 [N, spatial...], of the
  /// layer's size (never negative) or, for saliency, of the input's.
  Array maps;
  std::vector<int64_t> classes;  ///< one per sample
  /// Of a cam, one per sample. Unless the request names it, it is that of find_layer or, of a net
  /// that predicts at several levels (see Task::explained_levels), the map of the level that the
  /// explained number comes from: the one that its head sees there. Then maps of coarser levels are
  /// enlarged to the size of the finest.
  std::vector<std::string> layers;
};

/// Explains a batch of any size, in parts. Errors: usage when the model cannot take the inputs, has
/// no such class or layer, or the method does not apply to it.
///
///     explain::Explainer explainer(predictor);
///     const auto cam = explain::explain(explainer, choose_method("gradcam", Family::cam),
///                                       {.inputs = explainer.normalized(images)});
Explanation explain(Explainer& explainer, const Chosen<Method>& method, const Request& request);

/// Each map [N, spatial...] scaled to 0 to 1; one that is the same everywhere becomes 0.
Array scaled(const Array& maps);

/// Maps [N, spatial...] enlarged to these spatial sizes by linear interpolation.
Array enlarged(const Array& maps, const Shape& size);

}  // namespace fovea::explain
