#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/nn/module.h"
#include "fovea/predict/views.h"
#include "fovea/runtime/program_cache.h"

namespace fovea {

/// How u8 images become a net's numbers: (value / 255 - mean[c]) / std[c], one number a channel.
struct Normalization {
  std::vector<double> mean, std;
};

/// The output of a model for an input of a graph: u8 [N, H, W, C] images are normalised first (the
/// first op of the graph), float [N, C, spatial] values go in as they are. Errors: usage when the
/// number of channels is not the normalisation's, or the model cannot take the shape. With several
/// `views` the output is their mean.
Tensor apply(const nn::Module& model, const Tensor& inputs, const Normalization& normalization,
             const TestViews& views = {});

/// What is computed of a model's output besides: adds outputs to its graph. `targets` is no value
/// where none are given.
using Head = std::function<void(const Tensor& output, const Tensor& targets)>;

/// A model in use: eval mode, compiled once for each input shape. It refers to the model and State,
/// which must outlive it, and sees what training does to them. For one thread at a time.
class Inference {
 public:
  Inference(const nn::Module& model, State& state, Normalization normalization,
            DType dtype = DType::f32, Head head = nullptr, TestViews views = {});

  /// u8 [N, H, W, C] or float [N, C, spatial] in, what the model gives out: [N, ...] of f32 (f64).
  /// The result holds until the next call. Errors: as apply.
  Array output(const Array& inputs);
  /// The same, with what the head adds behind it, in its order; `targets` are for the head.
  std::vector<Array> run(const Array& inputs, const Array* targets = nullptr);
  /// As `run`. Errors: diverged where the model's output is not finite, with its origin.
  std::vector<Array> finite_run(const Array& inputs, const Array* targets = nullptr);

  /// What the model and modules inside it gave.
  struct Tapped {
    Array output;
    std::vector<std::pair<std::string, Array>> taps;  ///< by their names, as Tap has them
  };
  /// The model's output and what the modules give that `patterns` name, paths or globs, each as
  /// `tap` in passes/tap.h takes it; without the head. A tapped layer is computed by itself, not
  /// fused with the next. The results hold until the next call. Errors: as apply and tap.
  Tapped tapped(const Array& inputs, const std::vector<std::string>& patterns);

  /// Where the first number comes from that is not finite when `inputs` go in: "the input holds
  /// NaN", "weight conv1.weight holds inf", or the layer, "conv1 (conv) gave a number that is not
  /// finite". Empty when there is none. Runs the model again.
  std::string nonfinite_origin(const Array& inputs, const Array* targets = nullptr);

  /// What is computed for this input, before any pass: output "output", then the head's.
  std::shared_ptr<Graph> trace(const Type& inputs, const Type* targets = nullptr) const;
  /// The Program for this input, compiled now if it was not met yet.
  const Program& program(const Type& inputs, const Type* targets = nullptr);

  /// Uses another's working memory: for inference between training steps.
  void share(Memory& memory) { memory_ = &memory; }

 private:
  /// What a Program was compiled for.
  struct Key {
    Types types;                    // of inputs and targets
    std::vector<std::string> taps;  // patterns
    bool operator==(const Key&) const = default;
  };
  Tensor trace_model(Graph& graph, const Type& inputs) const;

  const nn::Module& model_;
  State& state_;
  Normalization normalization_;
  DType dtype_;
  Head head_;
  TestViews views_;
  ProgramCache<Key> cache_;
  Memory own_;
  Memory* memory_ = &own_;
};

}  // namespace fovea
