#include "fovea/explain/explainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "fovea/ops/arithmetic.h"
#include "fovea/ops/loss.h"
#include "fovea/ops/reduce.h"
#include "fovea/runtime/nonfinite.h"

namespace fovea::explain {

Explainer::Explainer(const nn::Module& model, State& state, Normalization normalization,
                     Decode decode)
    : model_(model),
      state_(state),
      normalization_(std::move(normalization)),
      decode_(decode ? std::move(decode) : [](const Tensor& output) { return softmax(output); }) {}

Explainer::Explainer(Predictor& predictor)
    : Explainer(predictor.model(), predictor.state(), predictor.normalization(),
                [&task = predictor.task()](const Tensor& numbers) {
                  return task.explained_probabilities(numbers);
                }) {
  task_ = &predictor.task();
}

Explainer::Explainer(const Explainer& like, State& state)
    : model_(like.model_),
      state_(state),
      normalization_(like.normalization_),
      decode_(like.decode_),
      task_(like.task_),
      region_(like.region_) {}

std::vector<Array> Explainer::run(const std::string& key, const Inputs& inputs,
                                  const std::function<Tensors(const Given&)>& build) {
  Key full{.name = key, .types = {}, .region = region_};
  for (const auto& [name, array] : inputs) full.types.push_back({array.dtype(), array.shape()});
  const Program& program = cache_.get(full, [&] {
    const auto graph = Graph::make(Mode::eval, DType::f32, model_.name());
    Given given;
    for (size_t i = 0; i < inputs.size(); ++i)
      given[inputs[i].first] = graph->input(std::string(inputs[i].first), full.types[i]);
    const Tensors results = build(given);
    for (size_t i = 0; i < results.size(); ++i) graph->output(fmt::format("{}", i), results[i]);
    return Program(*graph);
  });
  std::vector<Array> results = program.run(memory_, state_, inputs);
  for (Array& result : results) result = result.clone();
  if (std::ranges::any_of(results, [](const Array& a) { return !nonfinite_in(a).empty(); })) {
    throw nonfinite_error("explain: what the net computes is not finite",
                          nonfinite_origin(program, memory_, state_, inputs));
  }
  return results;
}

Tensor Explainer::apply(const Tensor& x) const {
  Tensor output = model_(x);
  if (task_ != nullptr) output = task_->explained(output, region_);
  if (output.rank() == 2 && output.dim(1) > 0) return output;
  throw Error(ErrorKind::usage,
              fmt::format("explain: {} does not give one number per class", model_.name()))
      .with("output", to_string(output.type()))
      .with("expected", "[N, classes]");
}

std::optional<tasks::ExplainedLevels> Explainer::levels(const Tensor& x) const {
  if (task_ == nullptr) return std::nullopt;
  return task_->explained_levels(model_(x), region_);
}

Array Explainer::normalized(const Array& inputs) {
  if (!is_pixel(inputs.dtype()) && !normalization_.numbers) return inputs.astype(DType::f32);
  return run("normalized", {{"images", inputs}}, [&](const Given& given) {
    return Tensors{fovea::normalized(given.at("images"), normalization_)};
  })[0];
}

Array Explainer::outputs(const Array& inputs) {
  return run("outputs", {{"input", inputs}},
             [&](const Given& given) { return Tensors{apply(given.at("input"))}; })[0];
}

Array Explainer::probabilities(const Array& inputs) {
  return run("probabilities", {{"input", inputs}},
             [&](const Given& given) { return Tensors{decode_(apply(given.at("input")))}; })[0];
}

Explainer::Traced Explainer::trace(int64_t n, const Shape& input) const {
  const auto graph = Graph::make(Mode::eval, DType::f32, model_.name());
  const Tensor x = graph->input("input", {DType::f32, Shape{n}.concat(input)});
  return {graph, x, apply(x)};
}

std::vector<double> Explainer::masked_scores(const Array& image, const Array& baseline,
                                             const Array& masks, int64_t label, bool probability) {
  std::vector<double> scores;
  for (int64_t first = 0; first < masks.dim(0); first += batch_size) {
    const Array some = rows(masks, first, batch_size);
    const Array all =
        run(probability ? "masked probabilities" : "masked outputs",
            {{"image", image}, {"baseline", baseline}, {"masks", some}}, [&](const Given& given) {
              const Tensor &m = given.at("masks"), &b = given.at("baseline");
              const Shape shape = Shape{batch_size}.concat(image.shape().slice(1));
              const Tensor from = broadcast_to(b, shape);
              const Tensor difference = broadcast_to(given.at("image") - b, shape);
              const Tensor output = apply(from + difference * m);
              return Tensors{probability ? decode_(output) : output};
            })[0];
    if (label < 0 || label >= all.dim(1)) {
      throw Error(ErrorKind::usage, fmt::format("explain: there is no output {}", label))
          .with("outputs", fmt::format("{}", all.dim(1)));
    }
    for (int64_t i = 0; i < batch_size && first + i < masks.dim(0); ++i)
      scores.push_back(all.at(i * all.dim(1) + label));
  }
  return scores;
}

Array one_hot(const std::vector<int64_t>& classes, int64_t outputs) {
  Array rows = Array::zeros(DType::f32, {std::ssize(classes), outputs});
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] < 0 || classes[i] >= outputs) {
      throw Error(ErrorKind::usage, fmt::format("explain: there is no output {}", classes[i]))
          .with("outputs", fmt::format("{}", outputs));
    }
    rows.set(static_cast<int64_t>(i) * outputs + classes[i], 1);
  }
  return rows;
}

Tensor scores(const Tensor& output, const Explainer::Given& given) {
  const auto target = given.find("target");
  return target == given.end() ? max(output, {1}) : sum(output * target->second, {1});
}

Array rows(const Array& array, int64_t first, int64_t count) {
  Array part(array.dtype(), Shape{count}.concat(array.shape().slice(1)));
  const size_t row = part.bytes() / static_cast<size_t>(std::max<int64_t>(count, 1));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t from = std::min(first + i, array.dim(0) - 1);
    std::memcpy(part.raw() + static_cast<size_t>(i) * row,
                array.raw() + static_cast<size_t>(from) * row, row);
  }
  return part;
}

std::vector<int64_t> largest(const Array& outputs) {
  std::vector<int64_t> classes;
  const auto values = outputs.data<float>();
  const auto width = static_cast<size_t>(outputs.dim(1));
  for (size_t i = 0; i < static_cast<size_t>(outputs.dim(0)); ++i) {
    const auto row = values.subspan(i * width, width);
    classes.push_back(std::ranges::max_element(row) - row.begin());
  }
  return classes;
}

}  // namespace fovea::explain
