#pragma once

#include <filesystem>
#include <memory>

#include "fovea/formats/model_file.h"
#include "fovea/models/registry.h"
#include "fovea/predict/inference.h"

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

  /// The classes of one picture, most probable first. Errors: as prepare.
  std::vector<Guess> classify(const Image& image);
  /// Logits of many: see Inference::logits.
  Array logits(const Array& images) { return inference_->logits(images); }

  Inference& inference() { return *inference_; }
  const ModelFile& file() const { return file_; }
  State& state() { return state_; }
  const nn::Module& model() const { return *model_; }

 private:
  ModelFile file_;
  std::unique_ptr<nn::Module> model_;
  State state_;
  std::unique_ptr<Inference> inference_;
};

/// The arguments a model file keeps of an architecture, and back. Errors: model, naming the
/// argument that is missing or no number.
std::map<std::string, std::string> to_arguments(const models::Config& config);
models::Options from_arguments(const std::map<std::string, std::string>& arguments);

/// Copies the model's parameters and buffers out of a State in PyTorch's order, or into one. Errors
/// (into): model, listing what is missing, unexpected or of another shape; the State is then as it
/// was.
std::vector<std::pair<std::string, Array>> weights_of(const nn::Module& model, State& state);
void load_weights(const nn::Module& model, State& state,
                  const std::vector<std::pair<std::string, Array>>& weights);

}  // namespace fovea
