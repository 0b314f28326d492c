#pragma once

#include <string>
#include <vector>

#include "fovea/nn/module.h"
#include "fovea/runtime/program_cache.h"

namespace fovea {

/// How u8 images become a net's numbers: (value / 255 - mean[c]) / std[c], one number a channel.
struct Normalization {
  std::vector<double> mean, std;
};

/// The logits of a classifier for an input of a graph: u8 [N, H, W, C] images are normalised first
/// (the first op of the graph), float [N, C, spatial] values go in as they are. Errors: usage when
/// the number of channels is not the normalisation's, or the model cannot take the shape.
Tensor classify(const nn::Module& model, const Tensor& images, const Normalization& normalization);

/// A model in use: eval mode, compiled once for each input shape. It refers to the model and State,
/// which must outlive it, and sees what training does to them. For one thread at a time.
class Inference {
 public:
  Inference(const nn::Module& model, State& state, Normalization normalization,
            DType dtype = DType::f32);

  /// u8 [N, H, W, C] or float [N, C, spatial] in, f32 (f64) [N, classes] out; the result holds
  /// until the next call. Errors: as classify.
  Array logits(const Array& images);
  /// Logits as above that are all finite. Errors: diverged where one is not, with its origin.
  Array finite_logits(const Array& images);
  /// Where the first number comes from that is not finite when `images` go in: "the input holds
  /// NaN", "weight conv1.weight holds inf", or the layer, "conv1 (conv) gave a number that is not
  /// finite". Empty when there is none. Runs the model again.
  std::string nonfinite_origin(const Array& images);
  /// What is computed for this input, before any pass: output "logits".
  std::shared_ptr<Graph> trace(const Type& images) const;
  /// The Program for this input, compiled now if it was not met yet.
  const Program& program(const Type& images);

  /// Uses another's working memory: for inference between training steps.
  void share(Memory& memory) { memory_ = &memory; }

 private:
  const nn::Module& model_;
  State& state_;
  Normalization normalization_;
  DType dtype_;
  ProgramCache<Type> cache_;  // by the type of the images
  Memory own_;
  Memory* memory_ = &own_;
};

/// Probabilities from one row of logits, in float64 (softmax). The logits must be finite.
std::vector<double> softmax(const Array& logits, int64_t row);

}  // namespace fovea
