#include "fovea/predict/predictor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <optional>

#include "fovea/core/text.h"
#include "fovea/formats/weight_file.h"
#include "fovea/models/freeze.h"
#include "fovea/predict/pretrained.h"

namespace fovea {
namespace {

using FileArguments = std::map<std::string, std::string>;

/// The value of an argument; none when the file does not have it. Errors: model.
ArgumentValue read(const FileArguments& arguments, const std::string& key,
                   const Argument& argument) {
  const auto found = arguments.find(key);
  if (found == arguments.end()) return {};
  std::string text = found->second;
  if (argument.type == ArgumentType::flag && text == "1") text = "true";
  if (argument.type == ArgumentType::flag && text == "0") text = "false";
  ArgumentValue value = argument.read(text);
  if (!std::holds_alternative<std::monostate>(value)) return value;
  Argument named = argument;
  named.name = key;
  throw Error(ErrorKind::model,
              "model file: its argument " + named.mismatch('"' + found->second + '"'));
}

int64_t integer(const FileArguments& arguments, const std::string& key) {
  const Argument argument{
      .name = key, .type = ArgumentType::integer, .minimum = 1, .maximum = 1000000};
  const ArgumentValue value = read(arguments, key, argument);
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  throw Error(ErrorKind::model, "model file: its argument " + key + " is missing");
}

/// The argument that keeps a choice of the model; "width" is the input's.
std::string key_of(const std::string& choice) {
  return choice == "width" ? "width_factor" : choice;
}

/// The number of outputs by which arrays of the head (see models::head) are in `weights` of another
/// size along one axis than `model`, made for `config`, has them; nothing when there are none.
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
      const bool is_outputs = expected[axis] == config.outputs && other[axis] != config.outputs;
      if (is_outputs && given->second.shape() == other) return other[axis];
    }
  }
  return std::nullopt;
}

/// What `options` choose, or else the model's own input with the channels of the weights.
Shape input_for(const std::string& architecture, const models::Options& options,
                const std::vector<std::pair<std::string, Array>>& weights) {
  const Shape input = models::configure(architecture, options).input;
  if (options.input || input.rank() != 3) return input;
  const auto model = models::make(architecture, options);
  return {image_channels(*model, input[0], weights).value_or(input[0]), input[1], input[2]};
}

/// The targets that the model was trained for. Classes that have no names are called by their
/// numbers.
data::Targets targets_of(const ModelFile& file, int64_t outputs) {
  data::Targets targets{.type = file.target, .names = file.class_names};
  if (targets.type != data::class_targets({}).type) return targets;
  if (!targets.names.empty() && std::ssize(targets.names) != outputs) {
    throw Error(ErrorKind::model, "model file: " + std::to_string(targets.names.size()) +
                                      " class names for " + std::to_string(outputs) + " classes");
  }
  for (int64_t k = std::ssize(targets.names); k < outputs; ++k)
    targets.names.push_back(std::to_string(k));
  return targets;
}

Error no_pictures(const nn::Module& model) {
  return Error(ErrorKind::usage, model.name() + " was trained on numbers, not on pictures")
      .with("try", "--input x.npy");
}

}  // namespace

std::map<std::string, std::string> to_arguments(const models::Config& config) {
  std::map<std::string, std::string> arguments{{"classes", std::to_string(config.outputs)},
                                               {"in_channels", std::to_string(config.input[0])}};
  if (config.input.rank() == 3) {
    arguments["height"] = std::to_string(config.input[1]);
    arguments["width"] = std::to_string(config.input[2]);
  } else {
    arguments["axes"] = std::to_string(config.input.rank() - 1);
    for (int i = 1; i < config.input.rank(); ++i)
      arguments["axis" + std::to_string(i)] = std::to_string(config.input[i]);
  }
  for (const auto& [name, value] : config.choices.values()) {
    const bool* flag = std::get_if<bool>(&value);
    arguments[key_of(name)] = flag != nullptr ? (*flag ? "1" : "0") : to_string(value);
  }
  // The format has these two of every model, and so a model that is saved again is the same file.
  arguments.try_emplace("dropout", "0");
  arguments.try_emplace("drop_path", "0");
  if (config.net) {
    arguments["net"] = config.net->text;
    arguments["net_file"] = std::filesystem::path(config.net->file).filename().string();
  }
  return arguments;
}

models::Options from_arguments(const std::map<std::string, std::string>& arguments) {
  models::Options options;
  options.outputs = integer(arguments, "classes");
  Shape input{integer(arguments, "in_channels")};
  if (arguments.contains("axes")) {
    const ArgumentValue axes =
        read(arguments, "axes", {.name = "axes", .type = ArgumentType::integer, .maximum = 3});
    for (int64_t i = 1; i <= std::get<int64_t>(axes); ++i)
      input = input.concat({integer(arguments, "axis" + std::to_string(i))});
  } else {
    input = input.concat({integer(arguments, "height"), integer(arguments, "width")});
  }
  options.input = input;
  for (const Argument& choice : models::choices()) {
    const ArgumentValue value = read(arguments, key_of(choice.name), choice);
    if (!std::holds_alternative<std::monostate>(value)) options.choices.set(choice.name, value);
  }
  if (const auto text = arguments.find("net"); text != arguments.end()) {
    const auto file = arguments.find("net_file");
    options.net = std::make_shared<const models::NetText>(
        models::NetText{.file = file == arguments.end() ? "net.toml" : printable(file->second),
                        .text = text->second});
  }
  return options;
}

ModelFile assemble_model(const std::string& architecture, models::Options options,
                         const std::filesystem::path& weights,
                         const std::function<void(const std::string&)>& say) {
  ModelFile file;
  WeightFile given = read_weights(weights);
  if (is_model_file(given)) {
    file = to_model_file(std::move(given), weights.string());
    if (file.architecture != architecture) {
      throw Error(ErrorKind::model, weights.string() + ": its weights are for another model")
          .with("given", file.architecture)
          .with("expected", architecture)
          .with("try", "--model " + weights.string());
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
      if (say && !note.empty()) say(weights.string() + ": " + note);
    }
    file.weights = std::move(matched.weights);
    if (!options.outputs) {
      options.outputs = other_outputs(file.weights, *model, config, architecture);
    }
    options.input = input_for(architecture, options, file.weights);
    config = models::configure(architecture, options);
    const auto match = match_pretrained(architecture, weights.string());
    file.preprocessing =
        match ? match->weights.preprocessing(config.input) : usual_preprocessing(config.input);
    if (match && config.outputs == std::ssize(imagenet_classes()))
      file.class_names = imagenet_classes();
    if (say)
      say(weights.string() + ": " +
          (match ? match->text()
                 : "images are prepared as for most nets of ImageNet, class names are not known"));
  }
  file.architecture = architecture;
  file.arguments = to_arguments(models::configure(architecture, options));
  try {
    file.weights = fit_weights(*models::make(architecture, options), file.weights);
  } catch (Error& error) {
    throw error.with("file", weights.string());
  }
  return file;
}

Predictor::Predictor(const std::filesystem::path& path)
    : Predictor(load_model(path), path.string()) {}

Predictor::Predictor(ModelFile file, const std::string& source) : file_(std::move(file)) {
  try {
    const models::Options options = from_arguments(file_.arguments);
    const models::Config config = models::configure(file_.architecture, options);
    input_ = config.input;
    task_ = tasks::make(file_.task, targets_of(file_, config.outputs));
    model_ = models::make(file_.architecture, options);
    nn::declare(state_, *model_, 0);
    load_weights(*model_, state_, file_.weights);
  } catch (const Error& e) {  // an unknown architecture is a usage error elsewhere; here the file
                              // is at fault
    Error located(ErrorKind::model, e.headline());
    for (const auto& [key, text] : e.details()) located.with(key, text);
    throw located.with("file", source);
  }
  file_.weights.clear();  // the State has copies
  const Normalization normalization =
      file_.preprocessing ? Normalization{file_.preprocessing->mean, file_.preprocessing->std}
                          : Normalization{};
  inference_ = std::make_unique<Inference>(*model_, state_, normalization);
  decoding_ = std::make_unique<Inference>(
      *model_, state_, normalization, DType::f32, [this](const Tensor& output, const Tensor&) {
        output.graph().output("decoded", task_->decoded(output));
      });
  evaluation_ =
      std::make_unique<Evaluation>(*model_, state_, normalization, tasks::metrics(*task_));
}

void Predictor::resize(int height, int width) {
  if (!file_.preprocessing) throw no_pictures(*model_);
  Preprocessing& p = *file_.preprocessing;
  if (p.resize) {
    const double scale = static_cast<double>(std::max(height, width)) / std::max(p.height, p.width);
    p.resize = std::max({static_cast<int>(std::lround(*p.resize * scale)), height, width});
  }
  p.height = height;
  p.width = width;
}

std::unique_ptr<tasks::Prediction> Predictor::predict(const Image& image, int64_t maximum) {
  if (!file_.preprocessing) throw no_pictures(*model_);
  const Image input = prepare(image, *file_.preprocessing);
  Array batch(DType::u8, {1, input.height, input.width, input.channels});
  std::memcpy(batch.raw(), input.pixels.data(), batch.bytes());
  return std::move(predict(batch, maximum)[0]);
}

std::vector<std::unique_ptr<tasks::Prediction>> Predictor::predict(const Array& inputs,
                                                                   int64_t maximum) {
  const Array decoded = decoding_->finite_run(inputs)[1];
  std::vector<std::unique_ptr<tasks::Prediction>> predictions;
  for (int64_t i = 0; i < decoded.dim(0); ++i)
    predictions.push_back(task_->predict(decoded, i, maximum));
  return predictions;
}

ModelFile describe_model(const nn::Module& model, const models::Config& config,
                         const tasks::Task& task,
                         const std::optional<Preprocessing>& preprocessing) {
  ModelFile file;
  file.architecture = model.name();
  file.arguments = to_arguments(config);
  file.preprocessing = preprocessing;
  file.task = task.name();
  file.target = task.targets().type;
  file.class_names = task.targets().names;
  return file;
}

void save_model(const std::filesystem::path& path, const nn::Module& model,
                const models::Config& config, State& state, const tasks::Task& task,
                const std::optional<Preprocessing>& preprocessing) {
  ModelFile file = describe_model(model, config, task, preprocessing);
  file.weights = weights_of(model, state);
  save_model(path, file);
}

}  // namespace fovea
