#include "fovea/predict/inference.h"
#include "fovea/core/text.h"

#include <fmt/format.h>

#include "fovea/core/error.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/images.h"
#include "fovea/ops/shape_ops.h"
#include "fovea/passes/tap.h"

namespace fovea {
namespace {

Inputs given(const Array& inputs, const Array* targets) {
  Inputs all{{"inputs", inputs}};
  if (targets != nullptr) all.emplace_back("targets", *targets);
  return all;
}

Type type_of(const Array& array) { return {array.dtype(), array.shape()}; }

}  // namespace

namespace {

Tensor normalized_numbers(const Tensor& inputs, const Normalization& normalization) {
  const auto channels = std::ssize(normalization.mean);
  if (inputs.rank() < 3 || inputs.dim(1) != channels) {
    throw Error(ErrorKind::usage,
                fmt::format("the model was trained on inputs of {}", counted(channels, "channel")))
        .with("found", to_string(inputs.type()))
        .with("expected", "[N, C, spatial...]");
  }
  if (channels == 1) return (inputs - normalization.mean[0]) / normalization.std[0];
  std::vector<int64_t> dims(static_cast<size_t>(inputs.rank()), 1);
  dims[1] = channels;
  Array scale(DType::f32, Shape(dims)), shift(DType::f32, Shape(dims));
  for (int64_t c = 0; c < channels; ++c) {
    const auto k = static_cast<size_t>(c);
    scale.set(c, 1 / normalization.std[k]);
    shift.set(c, -normalization.mean[k] / normalization.std[k]);
  }
  const Tensor result = inputs * inputs.graph().constant(scale) + inputs.graph().constant(shift);
  return normalization.masked ? result * slice(inputs, 1, channels - 1, channels) : result;
}

}  // namespace

Tensor normalized(const Tensor& inputs, const Normalization& normalization) {
  if (!is_pixel(inputs.dtype()))
    return normalization.numbers ? normalized_numbers(inputs, normalization) : inputs;
  if (inputs.rank() == 5) {  // clips: the frames of each below one another are an image
    const Shape& s = inputs.shape();
    const Tensor image = reshape(inputs, {s[0], s[1] * s[2], s[3], s[4]});
    return reshape(normalized(image, normalization), {s[0], s[4], s[1], s[2], s[3]});
  }
  const auto floats = [](const std::vector<double>& v) {
    return std::vector<float>(v.begin(), v.end());
  };
  return normalize_images(inputs, floats(normalization.mean), floats(normalization.std));
}

Tensor apply(const nn::Module& model, const Tensor& inputs, const Normalization& normalization,
             const TestViews& views) {
  return views.averaged(model(views.of(normalized(inputs, normalization))));
}

Inference::Inference(const nn::Module& model, State& state, Normalization normalization,
                     DType dtype, Head head, TestViews views)
    : model_(model),
      state_(state),
      normalization_(std::move(normalization)),
      dtype_(dtype),
      head_(std::move(head)),
      views_(views) {}

Traced Inference::trace_model(Graph& graph, const Type& inputs) const {
  const Tensor taken = normalized(graph.input("inputs", inputs), normalization_);
  const Tensor output = views_.averaged(model_(views_.of(taken)));
  graph.output("output", output);
  return {.inputs = taken, .output = output, .targets = {}};
}

std::shared_ptr<Graph> Inference::trace(const Type& inputs, const Type* targets) const {
  std::shared_ptr<Graph> graph = Graph::make(Mode::eval, accumulate_dtype(dtype_), model_.name());
  Traced traced = trace_model(*graph, inputs);
  if (targets != nullptr) traced.targets = graph->input("targets", *targets);
  if (head_) head_(traced);
  return graph;
}

Program Inference::compile(const Graph& graph) const {
  return Program(graph, {.passes = {.precision = dtype_}});
}

const Program& Inference::program(const Type& inputs, const Type* targets) {
  Key key{.types = {inputs}, .taps = {}};
  if (targets != nullptr) key.types.push_back(*targets);
  return cache_.get(key, [&] { return compile(*trace(inputs, targets)); });
}

std::vector<Array> Inference::run(const Array& inputs, const Array* targets) {
  const Type target = targets != nullptr ? type_of(*targets) : Type{};
  const Program& compiled = program(type_of(inputs), targets != nullptr ? &target : nullptr);
  return compiled.run(*memory_, state_, given(inputs, targets));
}

Inference::Tapped Inference::tapped(const Array& inputs, const std::vector<std::string>& patterns) {
  const Type type = type_of(inputs);
  const Program& compiled = cache_.get({.types = {type}, .taps = patterns}, [&] {
    const std::shared_ptr<Graph> graph =
        Graph::make(Mode::eval, accumulate_dtype(dtype_), model_.name());
    trace_model(*graph, type);
    for (const std::string& pattern : patterns) tap(*graph, pattern);
    return compile(*graph);
  });
  const std::vector<Array> outputs = compiled.run(*memory_, state_, given(inputs, nullptr));
  if (std::ranges::any_of(outputs, [](const Array& a) { return !nonfinite_in(a).empty(); })) {
    throw nonfinite_error(
        "what the net computes is not finite",
        fovea::nonfinite_origin(compiled, *memory_, state_, given(inputs, nullptr)));
  }
  Tapped result;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = compiled.graph().outputs()[i].first;
    if (name == "output") result.output = outputs[i];
    if (name.starts_with(tap_name("")))
      result.taps.emplace_back(name.substr(tap_name("").size()), outputs[i]);
  }
  return result;
}

std::vector<std::pair<std::string, Array>> Inference::named(const Array& inputs) {
  const Type type = type_of(inputs);
  const Program& compiled = cache_.get({.types = {type}, .taps = {}, .named = true}, [&] {
    const std::shared_ptr<Graph> graph =
        Graph::make(Mode::eval, accumulate_dtype(dtype_), model_.name());
    graph->add_side_outputs();
    trace_model(*graph, type);
    return compile(*graph);
  });
  const std::vector<Array> outputs = compiled.run(*memory_, state_, given(inputs, nullptr));
  std::vector<std::pair<std::string, Array>> all;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = compiled.graph().outputs()[i].first;
    const bool own = name == "output";
    all.insert(own ? all.begin() : all.end(), {own ? "out" : name, outputs[i]});
  }
  return all;
}

Array Inference::output(const Array& inputs) { return run(inputs)[0]; }

std::vector<Array> Inference::finite_run(const Array& inputs, const Array* targets) {
  std::vector<Array> outputs = run(inputs, targets);
  if (nonfinite_in(outputs[0]).empty()) return outputs;
  throw nonfinite_error("the net's output is not finite", nonfinite_origin(inputs, targets));
}

NonFinite Inference::nonfinite_origin(const Array& inputs, const Array* targets) {
  const Type target = targets != nullptr ? type_of(*targets) : Type{};
  const Program& compiled = program(type_of(inputs), targets != nullptr ? &target : nullptr);
  return fovea::nonfinite_origin(compiled, *memory_, state_, given(inputs, targets));
}

}  // namespace fovea
