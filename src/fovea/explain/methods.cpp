#include "fovea/explain/methods.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <tuple>

#include "fovea/explain/builtin.h"
#include "fovea/explain/map_layer.h"
#include "fovea/ops/activation.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/linear.h"
#include "fovea/ops/reduce.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/ops/upsample.h"
#include "fovea/runtime/eval.h"

namespace fovea::explain {
namespace {

ChoiceTable<Method>& table() {
  static ChoiceTable<Method> all("method", [] {
    std::vector<Method> rows = gradient_cams();
    const auto append = [&](std::vector<Method> more) {
      std::ranges::move(more, std::back_inserter(rows));
    };
    append(perturbed_cams());
    append({eigencam()});
    append(gradient_saliencies());
    append(averaged_saliencies());
    append({occlusion(), rise()});
    return rows;
  }());
  return all;
}

void check_classes(const Request& request, int64_t outputs) {
  if (request.classes.empty()) return;
  if (std::ssize(request.classes) != request.inputs.dim(0)) {
    throw Error(ErrorKind::usage,
                fmt::format("explain: {} for {}", counted(std::ssize(request.classes), "class"),
                            counted(request.inputs.dim(0), "input")));
  }
  (void)one_hot(request.classes, outputs);
}

/// One number per position from a saliency's values [N, C, spatial...].
Array over_channels(Explainer& explainer, const Array& values, Channels channels) {
  const bool largest = channels == Channels::largest;
  return explainer.run(largest ? "largest channel" : "sum of channels", {{"values", values}},
                       [&](const Explainer::Given& given) {
                         const Tensor& v = given.at("values");
                         return Tensors{largest ? max(abs(v), {1}) : sum(v, {1})};
                       })[0];
}

void append_rows(Array& all, const Array& part, int64_t first, int64_t count) {
  if (first == 0) all = Array(part.dtype(), Shape{count}.concat(part.shape().slice(1)));
  const size_t row = part.bytes() / static_cast<size_t>(part.dim(0));
  std::memcpy(all.raw() + static_cast<size_t>(first) * row, part.raw(), part.bytes());
}

/// The layers of the levels at which the model predicts; fewer than two if it has no levels.
std::vector<Layer> layers_of_levels(const Explainer& explainer, const Tensor& input) {
  std::vector<Layer> layers;
  if (const auto levels = explainer.levels(input)) {
    for (const Tensors& predictions : levels->predictions)
      layers.push_back(shared_layer(input, predictions));
  }
  return layers;
}

/// The level of each sample's number; chooses the classes.
std::vector<int64_t> chosen_levels(Explainer& explainer, Request& request) {
  const int64_t count = request.inputs.dim(0);
  const bool predicted = request.classes.empty();
  std::vector<int64_t> chosen;
  for (int64_t first = 0; first < count; first += batch_size) {
    const int64_t n = std::min(batch_size, count - first);
    const Array some = rows(request.inputs, first, n);
    if (predicted) {
      const std::vector<int64_t> classes = largest(explainer.outputs(some));
      request.classes.insert(request.classes.end(), classes.begin(), classes.end());
    }
    const Array levels =
        explainer.run("levels", {{"input", some}}, [&](const Explainer::Given& given) {
          return Tensors{explainer.levels(given.at("input"))->level};
        })[0];
    for (int64_t i = 0; i < n; ++i) {
      const int64_t label = request.classes[static_cast<size_t>(first + i)];
      chosen.push_back(static_cast<int64_t>(levels.at(i * levels.dim(1) + label)));
    }
  }
  return chosen;
}

/// The layer of each sample and the size of their maps: see Explanation. May choose the classes.
std::pair<std::vector<std::string>, Shape> layers_of(Explainer& explainer,
                                                     const Explainer::Traced& traced,
                                                     Request& request) {
  const auto count = static_cast<size_t>(request.inputs.dim(0));
  const auto size_of = [](const Layer& layer) { return layer.value.shape().slice(2); };
  if (request.layer.empty()) {
    const auto graph = Graph::make(Mode::eval, DType::f32, explainer.model().name());
    const std::vector<Layer> levels =
        layers_of_levels(explainer, graph->input("input", traced.input.type()));
    if (levels.size() > 1) {
      std::vector<std::string> names;
      for (const int64_t level : chosen_levels(explainer, request))
        names.push_back(levels[static_cast<size_t>(level)].name);
      return {names, size_of(*std::ranges::max_element(
                         levels, {}, [&](const Layer& layer) { return size_of(layer).numel(); }))};
    }
  }
  const Layer only = find_layer(traced.input, traced.output, request.layer);
  return {std::vector(count, only.name), size_of(only)};
}

}  // namespace

Inputs inputs_of(const Batch& batch) {
  Inputs inputs{{"input", batch.inputs}};
  if (!batch.classes.empty()) inputs.emplace_back("target", one_hot(batch.classes, batch.outputs));
  return inputs;
}

void choose_classes(Batch& batch, const Array& outputs) {
  if (batch.classes.empty()) batch.classes = largest(outputs);
}

Array activations(Explainer& explainer, Batch& batch) {
  const std::vector<Array> results = explainer.run(
      "activations " + batch.layer, {{"input", batch.inputs}}, [&](const Explainer::Given& given) {
        const Tensor output = explainer.apply(given.at("input"));
        return Tensors{find_layer(given.at("input"), output, batch.layer).value, output};
      });
  choose_classes(batch, results[1]);
  return results[0];
}

void WeightedSum::add(const Array& masks, const std::vector<double>& weights) {
  const auto count = std::ssize(weights);
  const Shape mask = masks.shape().slice(1);
  if (total_.numel() == 0) total_ = Array::zeros(DType::f32, mask);
  Array factors(DType::f32, {1, count});
  for (int64_t i = 0; i < count; ++i) factors.set(i, weights[static_cast<size_t>(i)]);
  total_ = explainer_.run(
      "weighted sum",
      {{"masks", masks.reshaped({count, mask.numel()})}, {"weights", factors}, {"total", total_}},
      [&](const Explainer::Given& given) {
        const Tensor sum = matmul(given.at("weights"), given.at("masks"));
        return Tensors{given.at("total") + reshape(sum, given.at("total").shape())};
      })[0];
}

const std::vector<Method>& methods() { return table().rows(); }

void add_method(Method method) { table().add(std::move(method)); }

Chosen<Method> choose_method(std::string_view text, Family family) {
  const ChoiceText parsed = parse_choice(text);
  std::vector<const Choice*> known;
  for (const Method& method : methods()) {
    if (method.family == family) known.push_back(&method.choice);
    if (method.family == family && method.choice.name == parsed.name)
      return {method, read_arguments("method", method.choice, parsed.arguments)};
  }
  throw unknown_choice("method", parsed.name, known);
}

Explanation explain(Explainer& explainer, const Chosen<Method>& method, const Request& request) {
  const int64_t count = request.inputs.dim(0);
  const Explainer::Traced traced = explainer.trace(1, request.inputs.shape().slice(1));
  const int64_t outputs = traced.output.dim(1);
  check_classes(request, outputs);
  const bool cam = method.row.family == Family::cam;
  Request asked = request;
  Explanation all;
  Shape size;  // of a cam's maps
  if (cam) std::tie(all.layers, size) = layers_of(explainer, traced, asked);
  for (int64_t first = 0, n = 0; first < count; first += n) {
    n = std::min(batch_size, count - first);
    Batch batch;
    static_cast<Request&>(batch) = asked;
    if (cam) {  // those that have the same layer
      const auto from = all.layers.begin() + first;
      batch.layer = *from;
      n = std::find_if(from, from + n, [&](const auto& name) { return name != *from; }) - from;
    }
    batch.inputs = rows(request.inputs, first, n);
    batch.outputs = outputs;
    batch.first = first;
    if (!asked.classes.empty()) {
      const auto from = asked.classes.begin() + first;
      batch.classes.assign(from, from + n);
    }
    Array values = method.row.compute(explainer, batch, method.arguments);
    if (cam && values.shape().slice(1) != size) values = enlarged(values, size);
    append_rows(all.values, values, first, count);
    append_rows(all.maps, cam ? values : over_channels(explainer, values, method.row.channels),
                first, count);
    all.classes.insert(all.classes.end(), batch.classes.begin(), batch.classes.end());
  }
  return all;
}

Array scaled(const Array& maps) {
  return eval(
      [](const Tensors& t) {
        std::vector<int> axes;
        for (int axis = 1; axis < t[0].rank(); ++axis) axes.push_back(axis);
        const Tensor low = -max(-t[0], axes, true), high = max(t[0], axes, true);
        return Tensors{(t[0] - low) / maximum(high - low, 1e-30)};
      },
      {maps})[0];
}

Array enlarged(const Array& maps, const Shape& size) {
  const Array channels = maps.reshaped(Shape{maps.dim(0), 1}.concat(maps.shape().slice(1)));
  const Array large = eval(
      [&](const Tensors& t) {
        return Tensors{upsample_to(t[0], Dims(std::vector<int64_t>(size.begin(), size.end())),
                                   {.mode = UpsampleMode::linear})};
      },
      {channels})[0];
  return large.reshaped(Shape{maps.dim(0)}.concat(size));
}

}  // namespace fovea::explain
