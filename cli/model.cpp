#include "model.h"

#include "downloads.h"

#include <cctype>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/registry.h"
#include "fovea/formats/content.h"
#include "fovea/formats/model_file.h"
#include "fovea/formats/safetensors.h"
#include "fovea/formats/weight_file.h"
#include "fovea/models/net_file.h"
#include "fovea/ops/arithmetic.h"
#include "fovea/ops/loss.h"
#include "fovea/weights/arguments.h"
#include "fovea/weights/assemble.h"

#include <fmt/format.h>

namespace fovea::cli {
namespace {

/// Weights alone do not tell which network they are for.
void refuse_bare_weights(const std::string& model) {
  if (!is_weight_file(model) || model.ends_with(".safetensors")) return;
  throw Error(ErrorKind::usage, fmt::format("--model {} is a weight file, not a model file", model))
      .with("try", fmt::format("--model NAME --weights {}, or fovea convert --model NAME", model));
}

}  // namespace

void ChoiceFlags::add(Command command, std::vector<Argument> choices) {
  command_ = command;
  choices_ = std::move(choices);
  for (const Argument& choice : choices_) {
    std::string help = choice.help;
    if (!help.empty()) help[0] = static_cast<char>(std::toupper(help[0]));
    command.argument(choice.flag(), texts_[choice.name], choice.type,
                     help + "; the model's own by default");
  }
}

void ChoiceFlags::apply(Arguments& choices) const {
  for (const Argument& choice : choices_) {
    if (command_.given(choice.flag()))
      choices.set(choice.name, choice.read_flag(texts_.at(choice.name)));
  }
}

void TaskFlags::apply(Predictor& predictor) const {
  Arguments chosen;
  ChoiceFlags::apply(chosen);
  if (!chosen.values().empty()) predictor.choose(chosen);
}

std::vector<std::string> ChoiceFlags::given() const {
  std::vector<std::string> flags;
  for (const Argument& choice : choices_) {
    if (command_.given(choice.flag())) flags.push_back(choice.flag());
  }
  return flags;
}

void ModelFlags::add(Command command) {
  command.text("--model", model, "Name from `fovea models`, a net file (NET.toml), or a model file",
               "NAME|FILE");
  command.text("--input", input, "Shape of one sample; the model's own by default", "CxHxW");
  command.count("--classes", classes, "Number of outputs; the model's own by default");
  choices.add(command, models::choices());
}

void ModelFlags::apply(models::Options& options) const {
  if (!input.empty()) options.input = parse_sizes("--input", input);
  if (classes > 0) options.outputs = classes;
  choices.apply(options.choices);
}

std::string ModelFlags::given() const {
  std::vector<std::string> flags = choices.given();
  if (classes > 0) flags.insert(flags.begin(), "--classes");
  if (!input.empty()) flags.insert(flags.begin(), "--input");
  return join(flags);
}

void TrainedFlags::add(Command command) {
  command.text("--model", model,
               "Model file; or a name from `fovea models` or NET.toml, with --weights",
               "NAME|FILE");
  command.text("--weights", weights, "Its weights: .safetensors, or PyTorch's .pth and .pt",
               "FILE");
  command.flag("--pretrained", pretrained, "Its published weights, downloaded if needed");
  command.text("--size", size, "Size that pictures are resized to; the model's own by default",
               "HxW");
  choices.add(command, models::choices());
}

bool names_file(std::string_view model) {
  if (models::is_net_file(model)) return false;
  if (is_stream(model)) return true;
  return model.find('/') != std::string_view::npos || is_weight_file(model);
}

std::string model_name(const std::string& model, models::Options& options) {
  if (!models::is_net_file(model) && !is_stream(model)) return model;
  options.net = std::make_shared<const models::NetText>(models::read_net(model));
  return models::net_entry(*options.net).name;
}

ChosenModel choose(const ModelFlags& flags) {
  models::Options options;
  ChosenModel chosen{.name = flags.model, .config = {}, .module = nullptr};
  std::optional<ModelFile> file;
  if (is_stream(flags.model)) {  // read once, since it may be a pipe
    const FileBytes bytes = read_file(flags.model, ErrorKind::model);
    if (begins_like_safetensors(bytes.bytes)) {
      SafeTensors read = parse_safetensors(bytes, flags.model);
      file = to_model_file(
          {.tensors = std::move(read.tensors), .metadata = std::move(read.metadata)}, flags.model);
    } else {
      options.net = std::make_shared<const models::NetText>(models::NetText{
          .file = "net.toml",
          .text = {reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size()}});
      chosen.name = models::net_entry(*options.net).name;
    }
  } else if (names_file(flags.model)) {
    refuse_bare_weights(flags.model);
    file = load_model(flags.model);
  } else {
    chosen.name = model_name(flags.model, options);
  }
  if (file) {
    chosen.name = file->architecture;
    try {
      options = from_arguments(file->arguments);
      models::configure(chosen.name, options);
    } catch (const Error& e) {
      throw fault_of_file(e, flags.model);
    }
  }
  flags.apply(options);
  chosen.config = models::configure(chosen.name, options);
  chosen.module = models::make(chosen.name, chosen.config);
  return chosen;
}

namespace {

std::unique_ptr<Predictor> load(const TrainedFlags& flags, Console& console) {
  // A stream together with weights is a net file.
  if (names_file(flags.model) && (flags.weights.empty() || !is_stream(flags.model))) {
    refuse_bare_weights(flags.model);
    if (const std::vector<std::string> given = flags.choices.given(); !given.empty()) {
      throw Error(ErrorKind::usage,
                  fmt::format("--model {} already defines its architecture", flags.model))
          .with("try", fmt::format("{} only together with --weights", join(given)));
    }
    if (flags.weights.empty()) return std::make_unique<Predictor>(flags.model);
    throw Error(ErrorKind::usage, fmt::format("--model {} contains its own weights", flags.model))
        .with("try", "one of --model and --weights, or --model NAME --weights FILE");
  }
  models::Options options;
  flags.choices.apply(options.choices);
  const std::string name = model_name(flags.model, options);
  if (!options.net) models::entry(name);  // reports an unknown one
  if (flags.weights.empty()) {
    throw Error(ErrorKind::usage,
                fmt::format("--model {} is an architecture without weights", flags.model))
        .with("try", fmt::format("--weights FILE, or a file that `fovea train` wrote, such as "
                                 "runs/{}-fashion-mnist-001/best.safetensors",
                                 name));
  }
  const auto say = [&](const std::string& text) { console.note(text); };
  return std::make_unique<Predictor>(assemble_model(name, options, flags.weights, say),
                                     flags.weights);
}

}  // namespace

data::DataSets open_data(const std::string& spec, const Predictor& predictor, Console& console) {
  const std::string open = join(data::open_options(spec, predictor.file().modality), ",");
  if (!open.empty()) console.note(fmt::format("{}: {}, as the model was trained with", spec, open));
  return tasks::sets_for(predictor.task().name(),
                         data::open(open.empty() ? spec : fmt::format("{},{}", spec, open)));
}

std::unique_ptr<Predictor> load_predictor(const TrainedFlags& given, Console& console) {
  TrainedFlags flags = given;
  if (flags.pretrained) flags.weights = pretrained_weights(flags.model, flags.weights, console);
  std::unique_ptr<Predictor> predictor = load(flags, console);
  if (flags.size.empty()) return predictor;
  const Shape size = parse_sizes("--size", flags.size);
  if (size.rank() != 2) {
    throw Error(ErrorKind::usage, fmt::format("--size: \"{}\" is not a picture size", flags.size))
        .with("expected", "height and width, such as 224x224");
  }
  predictor->resize(static_cast<int>(size[0]), static_cast<int>(size[1]));
  return predictor;
}

Type batch_type(const Shape& input, int64_t n) {
  if (input.rank() == 3) return {DType::u8, {n, input[1], input[2], input[0]}};
  return {DType::f32, Shape{n}.concat(input)};
}

Tensor any_loss(const Tensor& output, const Tensor& targets) {
  return output.rank() == 2 ? cross_entropy(output, targets) : mean(output * output);
}

Shape parse_sizes(std::string_view flag, std::string_view text) {
  std::vector<int64_t> sizes;
  for (const std::string& part : split(text, 'x')) {
    const std::optional<double> size = parse_number(part);
    if (!size || *size < 1 || *size > 65536 || *size != static_cast<double>(int64_t(*size))) {
      throw Error(ErrorKind::usage, fmt::format("{}: \"{}\" is not a size", flag, text))
          .with("expected", "channels, height and width, each from 1 to 65536, such as 3x224x224");
    }
    sizes.push_back(static_cast<int64_t>(*size));
  }
  if (sizes.size() > 4) {
    throw Error(ErrorKind::usage, fmt::format("{}: \"{}\" has {} sizes; at most 4 are allowed",
                                              flag, text, sizes.size()))
        .with("expected", "channels, height and width, such as 3x224x224");
  }
  return Shape(sizes);
}

std::string sizes_text(const Shape& shape) {
  std::string text;
  for (int64_t size : shape) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

int64_t count_parameters(const nn::Module& model) {
  int64_t count = 0;
  for (const nn::Variable* parameter : model.parameters()) count += parameter->shape().numel();
  return count;
}

Option add_views(Command command, std::string& views) {
  return command.text(
      "--tta", views,
      "Average over views of each image: none, flip (also mirrored), shift (also moved by "
      "a pixel up left and down right), or flip,shift; those that the model was trained "
      "for by default",
      "VIEWS");
}

}  // namespace fovea::cli
