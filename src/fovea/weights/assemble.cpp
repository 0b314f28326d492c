#include "fovea/weights/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/text.h"
#include "fovea/formats/weight_file.h"
#include "fovea/models/selection.h"
#include "fovea/weights/arguments.h"
#include "fovea/weights/fit.h"
#include "fovea/weights/pretrained.h"

namespace fovea {
namespace {

/// The number of outputs in `weights`, from arrays of the head (see models::head) that differ along
/// one axis from those of `model`, built with `config`, which has as many elements for each output
/// there; none if no array differs.
std::optional<int64_t> other_outputs(const std::vector<std::pair<std::string, Array>>& weights,
                                     const nn::Module& model, const models::Config& config,
                                     std::string_view architecture) {
  const auto head = models::head(architecture, config);
  for (const nn::Variable* variable : model.variables()) {
    if (!head.contains(variable->name())) continue;
    const auto given =
        std::ranges::find(weights, variable->name(), &std::pair<std::string, Array>::first);
    const Shape& expected = variable->shape();
    if (given == weights.end() || given->second.shape().rank() != expected.rank()) continue;
    for (int axis = 0; axis < expected.rank(); ++axis) {
      Shape other = expected;
      other.set(axis, given->second.dim(axis));
      const int64_t each = expected[axis] / config.outputs;
      const bool is_outputs = each > 0 && expected[axis] == each * config.outputs &&
                              other[axis] != expected[axis] && other[axis] % each == 0;
      if (is_outputs && given->second.shape() == other) return other[axis] / each;
    }
  }
  return std::nullopt;
}

/// Whether there are counts of batches, as norms have that were not frozen.
bool has_counters(const std::vector<std::pair<std::string, Array>>& weights) {
  return std::ranges::any_of(
      weights, [](const auto& entry) { return entry.first.ends_with("num_batches_tracked"); });
}

/// The input that `options` choose, or else the model's own with the channels of the weights.
Shape input_for(const std::string& architecture, const models::Options& options,
                const std::vector<std::pair<std::string, Array>>& weights) {
  const Shape input = models::configure(architecture, options).input;
  if (options.input || input.rank() != 3) return input;
  const auto model = models::make(architecture, options);
  return {image_channels(*model, input[0], weights).value_or(input[0]), input[1], input[2]};
}

}  // namespace

ModelFile assemble_model(const std::string& architecture, models::Options options,
                         const std::filesystem::path& weights,
                         const std::function<void(const std::string&)>& say) {
  ModelFile file;
  WeightFile given = read_weights(weights);
  const bool is_model = is_model_file(given);
  if (is_model) {
    file = to_model_file(std::move(given), weights.string());
    if (file.architecture != architecture) {
      throw Error(ErrorKind::model,
                  fmt::format("{}: its weights are for another model", weights.string()))
          .with("given", file.architecture)
          .with("expected", architecture)
          .with("try", fmt::format("--model {}", weights.string()));
    }
    const models::Options chosen = options;
    options = from_arguments(file.arguments);
    if (chosen.outputs) options.outputs = chosen.outputs;
    if (chosen.input) options.input = chosen.input;
    for (const auto& [name, value] : chosen.choices.values()) options.choices.set(name, value);
    if (chosen.net) options.net = chosen.net;
  } else {
    models::Config config = models::configure(architecture, options);
    const auto model = models::make(architecture, config);
    MatchedNames matched = match_names(*model, std::move(given.tensors));
    for (const std::string& note : {given.note, matched.note}) {
      if (say && !note.empty()) say(fmt::format("{}: {}", weights.string(), note));
    }
    file.weights = std::move(matched.weights);
    if (!options.outputs) {
      options.outputs = other_outputs(file.weights, *model, config, architecture);
    }
    if (!options.choices.contains("norm") && config.choices.contains("norm") &&
        !has_counters(file.weights))
      options.choices.set("norm", std::string("frozen"));
    options.input = input_for(architecture, options, file.weights);
    config = models::configure(architecture, options);
    const auto match = match_pretrained(architecture, weights.string());
    file.preprocessing =
        match ? match->weights.preprocessing(config.input) : default_preprocessing(config.input);
    if (match && config.outputs == models::entry(architecture).outputs)
      file.class_names = match->weights.classes();
    if (say)
      say(fmt::format(
          "{}: {}", weights.string(),
          match ? match->text()
                : "images are prepared as for most ImageNet models; class names are unknown"));
  }
  if (!is_model && !options.net) file.task = models::entry(architecture).task;
  file.architecture = architecture;
  file.arguments = to_arguments(models::configure(architecture, options));
  try {
    file.weights = fit_weights(*models::make(architecture, options), file.weights);
  } catch (Error& error) {
    throw error.with("file", weights.string());
  }
  return file;
}

}  // namespace fovea
