#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/nn/module.h"
#include "fovea/predict/views.h"
#include "fovea/runtime/nonfinite.h"
#include "fovea/runtime/program_cache.h"

namespace fovea {

/// How inputs become a net's numbers: images by (value / white - mean[c]) / std[c], one number per
/// channel, where white is 255 or, of u16, 65535.
struct Normalization {
  std::vector<double> mean, std;
  /// Whether float inputs are normalised too, by (value - mean[c]) / std[c]: those that a
  /// data::Modality makes. Others are already as the net takes them.
  bool numbers = false;
  /// Of float inputs: their last channel is a mask (see data::Modality::masks), and what it leaves
  /// out is 0 once they are normalised.
  bool masked = false;
};

/// An input of a graph as a model takes it: u8 or u16 [N, H, W, C] images and [N, T, H, W, C] clips
/// are normalised, float [N, C, spatial] values are returned as they are, unless the normalisation
/// is for numbers. Errors: usage when the number of channels is not the normalisation's.
Tensor normalized(const Tensor& inputs, const Normalization& normalization);

/// The output of a model for an input of a graph: u8 or u16 [N, H, W, C] images are normalised
/// first, float [N, C, spatial] values go in as they are. With several `views` the output is the
/// mean over them. Errors: as `normalized`; usage when the model cannot take the shape.
Tensor apply(const nn::Module& model, const Tensor& inputs, const Normalization& normalization,
             const TestViews& views = {});

/// A model in a graph: what it took, normalised, what it gives, and targets for the head, which
/// have no value if none are given.
struct Traced {
  Tensor inputs, output, targets;
};

/// Computes more from a model's output: adds outputs to its graph.
using Head = std::function<void(const Traced& traced)>;

/// A model in use: eval mode, compiled once for each input shape. It refers to the model and State,
/// which must outlive it, and sees what training does to them. For one thread at a time.
class Inference {
 public:
  /// `dtype`: f32, f64 to verify numerics, or bf16 or f16 for mixed precision (narrow_precision).
  Inference(const nn::Module& model, State& state, Normalization normalization,
            DType dtype = DType::f32, Head head = nullptr, TestViews views = {});

  /// Runs the model on u8 or u16 [N, H, W, C] or float [N, C, spatial]; returns its output [N,
  /// ...], f32 (f64). The result is valid until the next call. Errors: as apply.
  Array output(const Array& inputs);
  /// The same, followed by the outputs of the head, in its order; `targets` are for the head.
  std::vector<Array> run(const Array& inputs, const Array* targets = nullptr);
  /// As `run`. Errors: diverged when the model's output is not finite, with the origin.
  std::vector<Array> finite_run(const Array& inputs, const Array* targets = nullptr);

  /// The outputs of the model and of modules inside it.
  struct Tapped {
    Array output;
    std::vector<std::pair<std::string, Array>> taps;  ///< by name, as in Tap
  };
  /// The model's output and those of the modules that `patterns` name (paths or globs, as for `tap`
  /// in passes/tap.h), without the head. A tapped layer is not fused with the next. The results are
  /// valid until the next call. Errors: as apply and tap; diverged when any is not finite.
  Tapped tapped(const Array& inputs, const std::vector<std::string>& patterns);

  /// All outputs of the model by name, without the head: "out", and its side
  /// outputs, such as those of auxiliary heads. The results are valid until the next call. Errors:
  /// as apply.
  std::vector<std::pair<std::string, Array>> named(const Array& inputs);

  /// The origin of the first number that is not finite for these `inputs`; runs the model again.
  NonFinite nonfinite_origin(const Array& inputs, const Array* targets = nullptr);

  /// The graph for this input, before any pass: output "output", then those of the head.
  std::shared_ptr<Graph> trace(const Type& inputs, const Type* targets = nullptr) const;
  /// The Program for this input, compiled on first use.
  const Program& program(const Type& inputs, const Type* targets = nullptr);

  /// Uses the working memory of another: for inference between training steps.
  void share(Memory& memory) { memory_ = &memory; }

 private:
  /// The key of a compiled Program.
  struct Key {
    Types types;                    // of inputs and targets
    std::vector<std::string> taps;  // patterns
    bool named = false;             // all outputs of the model, but not the head's
    bool operator==(const Key&) const = default;
  };
  Traced trace_model(Graph& graph, const Type& inputs) const;
  Program compile(const Graph& graph) const;

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
