#include "fovea/predict/predictor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "fovea/core/text.h"

namespace fovea {
namespace {

/// At most five of a list, and how many more.
std::string sample(const std::vector<std::string>& names) {
  constexpr size_t most = 5;
  const std::vector<std::string> first(
      names.begin(), names.begin() + static_cast<long>(std::min(most, names.size())));
  return join(first) +
         (names.size() > most ? " and " + std::to_string(names.size() - most) + " more" : "");
}

int64_t integer(const std::map<std::string, std::string>& arguments, const std::string& key) {
  const auto found = arguments.find(key);
  const std::optional<double> value =
      found == arguments.end() ? std::nullopt : parse_number(found->second);
  if (!value || *value < 1 || *value > 1e6 || *value != std::floor(*value)) {
    throw Error(ErrorKind::model,
                "model file: its argument \"" + key + "\" is " +
                    (found == arguments.end() ? "missing" : "\"" + found->second + "\"") +
                    ", a whole number from 1 to 1000000 is expected");
  }
  return static_cast<int64_t>(*value);
}

}  // namespace

std::map<std::string, std::string> to_arguments(const models::Config& config) {
  return {{"classes", std::to_string(config.classes)},
          {"in_channels", std::to_string(config.input[0])},
          {"height", std::to_string(config.input[1])},
          {"width", std::to_string(config.input[2])},
          {"dropout", format_number(config.dropout)}};
}

models::Options from_arguments(const std::map<std::string, std::string>& arguments) {
  models::Options options;
  options.classes = integer(arguments, "classes");
  options.input = Shape{integer(arguments, "in_channels"), integer(arguments, "height"),
                        integer(arguments, "width")};
  const auto dropout = arguments.find("dropout");
  const std::optional<double> p = dropout == arguments.end() ? 0.0 : parse_number(dropout->second);
  if (!p || *p < 0 || *p >= 1) {
    throw Error(ErrorKind::model, "model file: its argument \"dropout\" is \"" + dropout->second +
                                      "\", from 0 up to 1 is expected");
  }
  if (*p > 0) options.dropout = *p;
  return options;
}

std::vector<std::pair<std::string, Array>> weights_of(const nn::Module& model, State& state) {
  std::vector<std::pair<std::string, Array>> weights;
  for (const nn::Variable* variable : model.variables()) {
    weights.emplace_back(variable->name(), state.get(variable->name()));
  }
  return weights;
}

void load_weights(const nn::Module& model, State& state,
                  const std::vector<std::pair<std::string, Array>>& weights) {
  std::map<std::string, const Array*> given;
  for (const auto& [name, array] : weights) given[name] = &array;
  std::vector<std::string> missing, shapes, unexpected;
  std::vector<std::pair<std::string, const Array*>> fitting;
  for (const nn::Variable* variable : model.variables()) {
    const auto found = given.find(variable->name());
    if (found == given.end()) {
      missing.push_back(variable->name());
      continue;
    }
    const Type& type = state.type(variable->name());
    if (found->second->shape() != type.shape) {
      shapes.push_back(variable->name() + " is " + describe(*found->second) + " instead of " +
                       to_string(type));
    } else {
      fitting.emplace_back(variable->name(), found->second);
    }
    given.erase(found);
  }
  for (const auto& [name, array] : given) unexpected.push_back(name);
  if (missing.empty() && shapes.empty() && unexpected.empty()) {
    for (const auto& [name, array] : fitting)
      state.set(name, array->astype(state.type(name).dtype));
    return;
  }
  Error error(ErrorKind::model, "the weights do not fit the model " + model.name());
  if (!missing.empty()) error.with("missing", sample(missing));
  if (!shapes.empty()) error.with("shapes", sample(shapes));
  if (!unexpected.empty()) error.with("unexpected", sample(unexpected));
  throw error;
}

Predictor::Predictor(const std::filesystem::path& path) : file_(load_model(path)) {
  try {
    const models::Options options = from_arguments(file_.arguments);
    model_ = models::make(file_.architecture, options);
    if (static_cast<int64_t>(file_.class_names.size()) != options.classes) {
      throw Error(ErrorKind::model, "model file: " + std::to_string(file_.class_names.size()) +
                                        " class names for " + std::to_string(*options.classes) +
                                        " classes");
    }
    nn::declare(state_, *model_, 0);
    load_weights(*model_, state_, file_.weights);
  } catch (const Error& e) {  // an unknown architecture is a usage error elsewhere; here the file
                              // is at fault
    Error located(ErrorKind::model, e.headline());
    for (const auto& [key, text] : e.details()) located.with(key, text);
    throw located.with("file", path.string());
  }
  file_.weights.clear();  // the State has copies
  inference_ = std::make_unique<Inference>(
      *model_, state_, Normalization{file_.preprocessing.mean, file_.preprocessing.std});
}

std::vector<Guess> Predictor::classify(const Image& image) {
  const Image input = prepare(image, file_.preprocessing);
  Array batch(DType::u8, {1, input.height, input.width, input.channels});
  std::memcpy(batch.raw(), input.pixels.data(), batch.bytes());
  const std::vector<double> p = softmax(inference_->logits(batch), 0);
  std::vector<Guess> guesses;
  for (size_t k = 0; k < p.size(); ++k) guesses.push_back({file_.class_names[k], p[k]});
  std::stable_sort(guesses.begin(), guesses.end(),
                   [](const Guess& a, const Guess& b) { return a.probability > b.probability; });
  return guesses;
}

}  // namespace fovea
