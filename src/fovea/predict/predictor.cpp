#include "fovea/predict/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "fovea/core/files.h"
#include "fovea/core/text.h"
#include "fovea/data/prepared.h"
#include "fovea/images/codec.h"
#include "fovea/images/samples.h"
#include "fovea/runtime/eval.h"
#include "fovea/tasks/classification.h"
#include "fovea/weights/arguments.h"
#include "fovea/weights/fit.h"

namespace fovea {
namespace {

/// The targets that the model was trained for. A type of classes also stands for what is not known
/// of weights alone; unnamed classes are named by their numbers.
data::Targets targets_of(const ModelFile& file, int64_t outputs) {
  const data::Targets trained{
      .type = file.target, .names = file.class_names, .ids = file.class_ids};
  if (trained.type != data::class_targets({}).type) return trained;
  if (file.task == tasks::Classification::id && !trained.names.empty() &&
      std::ssize(trained.names) != outputs) {
    throw Error(ErrorKind::model, fmt::format("model file: {} for {}",
                                              counted(std::ssize(trained.names), "class name"),
                                              counted(outputs, "class")));
  }
  return tasks::targets_of_net(file.task, outputs, trained.names);
}

Error no_pictures(const nn::Module& model, const data::Modality* modality) {
  if (modality != nullptr) {
    return Error(ErrorKind::usage,
                 fmt::format("{} takes {}, not images", model.name(), modality->noun(2)))
        .with("expected", "files that end in " + join(modality->suffixes()));
  }
  return Error(ErrorKind::usage, fmt::format("{} takes numbers, not images", model.name()))
      .with("try", "--input x.npy");
}

}  // namespace

Predictor::Predictor(const std::filesystem::path& path)
    : Predictor(load_model(path), path.string()) {}

Predictor::Predictor(const std::filesystem::path& path, const nn::Module& net)
    : Predictor(load_model(path), path.string(), &net) {}

Predictor::Predictor(ModelFile file, const std::string& source, const nn::Module* net)
    : file_(std::move(file)) {
  try {
    const models::Options options = from_arguments(file_.arguments);
    model_ = models::given_or_made(net, file_.architecture, options);
    input_ = *options.input;
    if (!file_.modality.empty()) {
      modality_ = data::make_modality(file_.modality);
      if (const Type made = modality_->input(); data::net_shape(made) != input_) {
        throw Error(ErrorKind::model, "its modality makes other inputs than its net takes")
            .with("modality", fmt::format("{}: {}", file_.modality, to_string(made)))
            .with("net", to_string(input_));
      }
    }
    task_ = tasks::make(file_.task, targets_of(file_, *options.outputs));
    nn::declare(state_, *model_, 0);
    load_weights(*model_, state_, file_.weights);
    const auto trained_for = file_.training.find("setting.tta");
    if (trained_for != file_.training.end()) views_ = TestViews::parse(trained_for->second);
  } catch (const Error& e) {
    throw fault_of_file(e, source);
  }
  file_.weights.clear();  // the State has copies
  use(views_);
}

void Predictor::save(const std::filesystem::path& path) {
  ModelFile file = file_;
  file.weights = shared_weights_of(*model_, state_);
  save_model(path, file);
}

std::string Predictor::noun(int64_t count) const {
  if (modality_) return modality_->noun(count);
  const std::string one = file_.preprocessing ? "image" : "sample";
  return count == 1 ? one : one + "s";
}

Normalization Predictor::normalization() const {
  if (file_.preprocessing) return {file_.preprocessing->mean, file_.preprocessing->std};
  return {.mean = file_.mean,
          .std = file_.std,
          .numbers = !file_.mean.empty(),
          .masked = modality_ && modality_->masks()};
}

std::shared_ptr<const data::Dataset> Predictor::prepared(
    std::shared_ptr<const data::Dataset> samples) const {
  const std::shared_ptr<const data::Modality> given = samples->modality();
  if (given && (!modality_ || given->text() != modality_->text())) {
    throw Error(ErrorKind::usage, "the data's files become other inputs than the model's")
        .with("data", given->text())
        .with("model", modality_ ? modality_->text() : "does not take such files")
        .with("try", "the options after --data that the model was trained with");
  }
  return file_.preprocessing ? data::prepared(std::move(samples), *file_.preprocessing) : samples;
}

void Predictor::use(const TestViews& views) {
  views_ = views;
  const Normalization normalization = this->normalization();
  inference_ = std::make_unique<Inference>(*model_, state_, normalization);
  decoding_ = std::make_unique<Inference>(
      *model_, state_, normalization, DType::f32,
      [this](const Traced& traced) {
        traced.output.graph().output("decoded",
                                     tasks::decoded(*task_, traced.output, traced.inputs));
      },
      views);
  evaluation_ = std::make_unique<Evaluation>(*model_, state_, normalization, *task_,
                                             tasks::metrics(*task_), true, views);
}

void Predictor::choose(const Arguments& chosen) {
  task_ = tasks::make(file_.task, task_->targets(), chosen);
  use(views_);
}

void Predictor::resize(int height, int width) {
  if (!file_.preprocessing) throw no_pictures(*model_, modality());
  Preprocessing& p = *file_.preprocessing;
  if (p.resize) {
    const double scale = static_cast<double>(std::max(height, width)) / std::max(p.height, p.width);
    p.resize = std::max({static_cast<int>(std::lround(*p.resize * scale)), height, width});
  }
  p.height = height;
  p.width = width;
}

Predictor::Input Predictor::read(const std::filesystem::path& file, int64_t max_pixels) const {
  if (!file_.preprocessing) throw no_pictures(*model_, modality());
  const Type& target = task_->targets().type;
  MinimumSize minimum = minimum_size_for(*file_.preprocessing);
  std::optional<ImageSize> own;
  if (data::lies_in_image(target)) {
    if (data::is_boxes(target) && !is_stream(file)) own = image_size(file, max_pixels);
    minimum = own ? exact_minimum(*own, minimum) : MinimumSize{};
  }
  const AnyImage picture = decode_any_image(file, max_pixels, minimum);
  if (!own) {
    own = std::visit(
        [](const auto& image) {
          return ImageSize{image.height, image.width};
        },
        picture);
  }
  return {prepared(picture), place_of(own->height, own->width)};
}

Array Predictor::prepared(const AnyImage& image) const {
  if (!file_.preprocessing) throw no_pictures(*model_, modality());
  return std::visit(
      [&](const auto& given) { return to_array(prepare(given, *file_.preprocessing)); }, image);
}

std::unique_ptr<tasks::Prediction> Predictor::predict(const AnyImage& image, int64_t maximum) {
  const Array input = prepared(image);
  auto prediction = std::move(predict(input.reshaped(Shape{1}.concat(input.shape())), maximum)[0]);
  std::visit([&](const auto& given) { prediction->place(place_of(given.height, given.width)); },
             image);
  return prediction;
}

InputPlace Predictor::place_of(int height, int width) const {
  if (!file_.preprocessing) throw no_pictures(*model_, modality());
  return prepared_place(height, width, *file_.preprocessing);
}

std::vector<std::unique_ptr<tasks::Prediction>> Predictor::predict(const Array& inputs,
                                                                   int64_t maximum) {
  const Array decoded = decoding_->finite_run(inputs)[1];
  std::vector<std::unique_ptr<tasks::Prediction>> predictions;
  for (int64_t i = 0; i < decoded.dim(0); ++i)
    predictions.push_back(task_->predict(decoded, i, maximum));
  return predictions;
}

std::vector<std::unique_ptr<tasks::Prediction>> Predictor::predict(std::span<const Image> images,
                                                                   int64_t maximum) {
  std::vector<std::unique_ptr<tasks::Prediction>> predictions;
  for (const Image& image : images) predictions.push_back(predict(image, maximum));
  return predictions;
}

std::unique_ptr<tasks::Prediction> Predictor::predict_tiled(const AnyImage& image,
                                                            const Tiling& tiling, int64_t maximum) {
  if (!file_.preprocessing) throw no_pictures(*model_, modality());
  const Array pixels = std::visit(
      [&](const auto& given) {
        return to_array(file_.preprocessing->channels == 1 ? to_gray(given) : to_rgb(given));
      },
      image);
  const Array output = tiled_output(*inference_, pixels, tiling);
  const Array all = pixels.reshaped(Shape{1}.concat(pixels.shape()));
  const Normalization normalization{file_.preprocessing->mean, file_.preprocessing->std};
  const Array decoded = eval(
      [&](const Tensors& given) {
        return Tensors{tasks::decoded(*task_, given[0], normalized(given[1], normalization))};
      },
      {output, all})[0];
  return task_->predict(decoded, 0, maximum);
}

tasks::Numbers Predictor::evaluate(std::shared_ptr<const data::Dataset> samples) {
  return evaluation_->measure(prepared(std::move(samples))).numbers();
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
  file.class_ids = task.targets().ids;
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
