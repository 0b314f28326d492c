#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "fovea/formats/model_file.h"
#include "fovea/models/registry.h"
#include "fovea/predict/inference.h"
#include "fovea/predict/weights.h"

namespace fovea {

/// One guess.
struct Guess {
  std::string name;
  double probability = 0;
};

/// A trained model ready for pictures: the net, its weights, how a picture becomes its input, and
/// its class names. What eval, predict and serving share.
class Predictor {
 public:
  /// Reads a model file that Fovea wrote. Errors: model when the file is missing or broken, names
  /// an unknown architecture, or its weights do not fit (the tensors are listed).
  explicit Predictor(const std::filesystem::path& path);
  /// What such a file would hold. `source` stands for it in messages. Errors: as above.
  Predictor(ModelFile file, const std::string& source);

  /// The classes of one picture, most probable first. Errors: as prepare, and
  /// diverged when its logits are not finite, naming where that began.
  std::vector<Guess> classify(const Image& image);
  /// Logits of many, finite or not: see Inference::logits.
  Array logits(const Array& images) { return inference_->logits(images); }

  Inference& inference() { return *inference_; }
  /// All but the weights, which are in the State.
  const ModelFile& file() const { return file_; }
  int64_t classes() const { return classes_; }
  State& state() { return state_; }
  const nn::Module& model() const { return *model_; }

 private:
  ModelFile file_;
  int64_t classes_ = 0;
  std::unique_ptr<nn::Module> model_;
  State state_;
  std::unique_ptr<Inference> inference_;
};

/// The arguments a model file keeps of an architecture, and back. Errors: model, naming the
/// argument that is missing or no number.
std::map<std::string, std::string> to_arguments(const models::Config& config);
models::Options from_arguments(const std::map<std::string, std::string>& arguments);

/// A model file out of weights (see read_weights) and the registry's model that they are for.
/// Where `options` leave the number of classes open, it is the model's own, unless the weights of
/// its head (see models::head) are for another; where they leave the input open, its channels are
/// those of the weights' first convolution. Weights
/// that are a model file bring their preprocessing and class names. Others get those of the
/// published weights whose name the file has (see pretrained.h), or the most likely ones: `say` is
/// told what was chosen and assumed. A model of which nothing is known has no class names.
/// Errors: usage for an unknown model or a bad choice; model when the weights are missing, broken,
/// for another model, or do not fit it (see fit_weights).
ModelFile assemble_model(const std::string& architecture, models::Options options,
                         const std::filesystem::path& weights,
                         const std::function<void(const std::string&)>& say = nullptr);

}  // namespace fovea
