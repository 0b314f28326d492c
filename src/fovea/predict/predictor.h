#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "fovea/data/dataset.h"
#include "fovea/data/modality.h"
#include "fovea/formats/model_file.h"
#include "fovea/images/codec.h"
#include "fovea/models/registry.h"
#include "fovea/predict/evaluation.h"
#include "fovea/predict/inference.h"
#include "fovea/predict/tiles.h"
#include "fovea/tasks/task.h"

namespace fovea {

/// A trained model ready for use: the net, its weights, how a picture or another file becomes
/// its input, and its task. Shared by eval, predict and serving.
class Predictor {
 public:
  /// Reads a model file that Fovea wrote. Errors: model when the file is missing or broken, names
  /// an unknown architecture or task, or its weights do not fit (the tensors are listed).
  explicit Predictor(const std::filesystem::path& path);
  /// The same for a net that no registry knows: `net` is a module like the one that was trained,
  /// and must outlive the Predictor. Errors: model when the file is missing or broken, or its
  /// weights do not fit the net (the tensors are listed).
  Predictor(const std::filesystem::path& path, const nn::Module& net);
  /// From the contents of such a file. `source` stands for it in messages; `net`: as above, null
  /// for one that the file names. Errors: as above.
  Predictor(ModelFile file, const std::string& source, const nn::Module* net = nullptr);

  /// Writes it to a model file, which gives the same Predictor again. Errors: as save_model.
  void save(const std::filesystem::path& path);

  /// From now on pictures become inputs of this size, which the net must be able to take; they are
  /// cropped in the same proportion. Errors: usage when the model's inputs are not pictures.
  void resize(int height, int width);

  /// From now on predictions and metrics are of the mean over these views of each image; until then
  /// over those that the model was trained for (the setting `tta`). Errors, when used: usage when
  /// the model's inputs are not images.
  void use(const TestViews& views);
  const TestViews& views() const { return views_; }
  /// From now on the task's choices (see tasks::choices) have these values: {{"score", 0.5}}.
  /// Errors: usage for one that the task does not have.
  void choose(const Arguments& chosen);

  /// How files that are no pictures become inputs; null for a model of pictures or bare numbers.
  const data::Modality* modality() const { return modality_.get(); }
  /// What people call `count` of the model's inputs: that of its modality, such as "sounds", or
  /// "images", or "samples" where they are bare numbers.
  std::string noun(int64_t count = 1) const;
  /// How inputs become the net's numbers, in its graph.
  Normalization normalization() const;
  /// A data set's samples as the net takes them: pictures are resized. Errors: usage when their
  /// files become inputs in another way than those that the model was trained on.
  std::shared_ptr<const data::Dataset> prepared(std::shared_ptr<const data::Dataset> samples) const;

  /// A picture as the net takes it, u8 or u16 [H, W, C]. Errors: as prepare; usage when the model's
  /// inputs are not pictures.
  Array prepared(const AnyImage& image) const;
  /// A picture in a file as the net takes it, and which part of the picture that is, decoded as
  /// data sets decode theirs: a JPEG no larger than is needed. Errors: as decode_image and prepare;
  /// usage when the model's inputs are not pictures.
  struct Input {
    Array pixels;
    InputPlace place;
  };
  Input read(const std::filesystem::path& file, int64_t max_pixels = default_pixel_limit) const;
  /// Which part of a picture of that size becomes the net's input. Errors: usage when the model's
  /// inputs are not pictures.
  InputPlace place_of(int height, int width) const;
  /// The prediction for one picture; `maximum`: number of values to show, if there may be many.
  /// Errors: as prepare; usage when the model's inputs are not pictures or the net cannot take that
  /// size; diverged when its output is not finite, naming where that began.
  std::unique_ptr<tasks::Prediction> predict(const AnyImage& image, int64_t maximum = 5);
  /// The same for inputs as the net takes them, u8 or u16 [N, H, W, C] or f32 [N, C, spatial...];
  /// with a modality, as that makes them of files.
  std::vector<std::unique_ptr<tasks::Prediction>> predict(const Array& inputs, int64_t maximum = 5);
  /// One for each picture, in order; they may differ in size. Errors: as for one.
  std::vector<std::unique_ptr<tasks::Prediction>> predict(std::span<const Image> images,
                                                          int64_t maximum = 5);
  /// The prediction for a picture at its own size, made of tiles (see tiles.h), without further
  /// views. Errors: as tiled_output; usage when the model's inputs are not pictures.
  std::unique_ptr<tasks::Prediction> predict_tiled(const AnyImage& image, const Tiling& tiling,
                                                   int64_t maximum = 5);
  /// The task's metrics on a data set, by name, such as "accuracy" and "loss". Pictures are
  /// prepared as for `predict`. Errors: as Evaluation::measure.
  tasks::Numbers evaluate(std::shared_ptr<const data::Dataset> samples);
  /// The net's output for many inputs, finite or not, without further views: see Inference::output.
  Array output(const Array& inputs) { return inference_->output(inputs); }

  Inference& inference() { return *inference_; }
  Evaluation& evaluation() { return *evaluation_; }
  /// All but the weights, which are in the State.
  const ModelFile& file() const { return file_; }
  const tasks::Task& task() const { return *task_; }
  /// The shape of one input that the net was made for: C, spatial...
  const Shape& input() const { return input_; }
  State& state() { return state_; }
  const nn::Module& model() const { return *model_; }

 private:
  ModelFile file_;
  Shape input_;
  std::shared_ptr<const data::Modality> modality_;
  std::unique_ptr<tasks::Task> task_;
  TestViews views_;
  std::shared_ptr<const nn::Module> model_;
  State state_;
  std::unique_ptr<Inference> inference_, decoding_;
  std::unique_ptr<Evaluation> evaluation_;
};

/// Everything in a model file besides weights and training: what Predictor needs to rebuild the
/// model.
ModelFile describe_model(const nn::Module& model, const models::Config& config,
                         const tasks::Task& task,
                         const std::optional<Preprocessing>& preprocessing);

/// Writes a model of the registry (see models::add) with its weights: everything that `Predictor`,
/// `fovea predict` and `eval` need. `preprocessing`: how pictures become its inputs, none if they
/// are numbers. Errors: as save_model of a ModelFile.
///
/// A module that is in no registry is written likewise, and read with Predictor(path, net):
///
///     save_model(path, net, {.outputs = 2, .input = {1, 8, 8}, .module = true}, state, *task);
void save_model(const std::filesystem::path& path, const nn::Module& model,
                const models::Config& config, State& state, const tasks::Task& task,
                const std::optional<Preprocessing>& preprocessing = std::nullopt);

}  // namespace fovea
