#include "fovea/explain/methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

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
    throw Error(ErrorKind::usage, fmt::format("explain: {} classes for {} inputs",
                                              request.classes.size(), request.inputs.dim(0)));
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
  Explanation all;
  if (method.row.family == Family::cam)
    all.layer = find_layer(traced.input, traced.output, request.layer).name;
  for (int64_t first = 0; first < count; first += batch_size) {
    const int64_t n = std::min(batch_size, count - first);
    Batch batch;
    static_cast<Request&>(batch) = request;
    batch.inputs = rows(request.inputs, first, n);
    batch.layer = all.layer;
    batch.outputs = outputs;
    batch.first = first;
    if (!request.classes.empty()) {
      const auto from = request.classes.begin() + first;
      batch.classes.assign(from, from + n);
    }
    const Array values = method.row.compute(explainer, batch, method.arguments);
    append_rows(all.values, values, first, count);
    const bool cam = method.row.family == Family::cam;
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
