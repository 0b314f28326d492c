#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/predict/predictor.h"
#include "fovea/runtime/program_cache.h"

namespace fovea::explain {

/// What is to be explained: a batch, and of which of the model's outputs.
struct Request {
  Array inputs;                       ///< f32 [N, C, spatial...], as the model sees them
  std::vector<int64_t> classes = {};  ///< an output per sample; empty: the largest of each
  std::string layer = {};             ///< for activation maps; "": see Explanation
  uint64_t seed = 1;                  ///< of methods that draw noise or masks
  /// What the method would draw, for results that can be compared: see the method.
  std::optional<Array> draws = {};
};

/// A model that is being looked at, in eval mode. Everything is computed by graphs, compiled once
/// per batch size; neither the model nor its State is changed. It refers to both, which must
/// outlive it. For one thread at a time.
class Explainer {
 public:
  /// A probability or other reading of the outputs [N, K]: of the same shape.
  using Decode = std::function<Tensor(const Tensor& output)>;

  /// `normalization` is for images of bytes. `decode` is softmax by default. Any State will do,
  /// trained or not.
  Explainer(const nn::Module& model, State& state, Normalization normalization = {},
            Decode decode = nullptr);
  /// A model file's: its own normalisation and its task's reading of outputs.
  explicit Explainer(Predictor& predictor);
  /// The same with the arrays of another State.
  Explainer(const Explainer& like, State& state);

  /// From now on outputs are those for this part of the input: for tasks about places, see
  /// Task::explained.
  void look_at(const std::optional<tasks::Region>& region) { region_ = region; }

  /// Images u8 or u16 [N, H, W, C] as the model sees them, f32 [N, C, H, W]; f32 inputs as they
  /// are, or normalised where the normalisation is for numbers. Errors: as fovea::normalized.
  Array normalized(const Array& inputs);
  /// The model's outputs [N, K] for f32 inputs, and what they are decoded to. Errors: usage when
  /// the model gives anything else than K numbers per sample.
  Array outputs(const Array& inputs);
  Array probabilities(const Array& inputs);
  /// A graph of the model for `n` inputs of this shape, [C, spatial...]. Errors: as `outputs`.
  struct Traced {
    std::shared_ptr<Graph> graph;
    Tensor input, output;
  };
  Traced trace(int64_t n, const Shape& input) const;

  /// The Tensors of a graph's inputs, by name.
  using Given = std::map<std::string_view, Tensor>;
  /// Runs a graph that `build` makes from its inputs, compiled once for each `key` and each set of
  /// input types; returns copies of its results. Errors: diverged when any is not finite, saying
  /// where that began.
  std::vector<Array> run(const std::string& key, const Inputs& inputs,
                         const std::function<Tensors(const Given&)>& build);
  /// The model's output [N, K] in such a graph. Errors: as `outputs`.
  Tensor apply(const Tensor& x) const;
  Tensor decode(const Tensor& output) const { return decode_(output); }
  /// Of `apply`'s outputs in such a graph, see Task::explained_levels.
  std::optional<tasks::ExplainedLevels> levels(const Tensor& x) const;

  /// The outputs (or, with `probability`, what they are decoded to) of class `label` for one image
  /// [1, C, spatial...] that is `image * mask + baseline * (1 - mask)` for each of `masks` [M, 1,
  /// spatial...]: M numbers. A baseline of [1, C, spatial...].
  std::vector<double> masked_scores(const Array& image, const Array& baseline, const Array& masks,
                                    int64_t label, bool probability);

  const nn::Module& model() const { return model_; }
  State& state() const { return state_; }

 private:
  struct Key {
    std::string name;
    Types types;
    std::optional<tasks::Region> region;
    bool operator==(const Key&) const = default;
  };

  const nn::Module& model_;
  State& state_;
  Normalization normalization_;
  Decode decode_;
  const tasks::Task* task_ = nullptr;  ///< of a model file
  std::optional<tasks::Region> region_;
  ProgramCache<Key> cache_{16};
  Memory memory_;
};

/// How many samples, or variants of one, methods compute at once.
inline constexpr int64_t batch_size = 16;

/// Rows of f32 [N, K], 1 at each class, else 0.
Array one_hot(const std::vector<int64_t>& classes, int64_t outputs);

/// The output [N] to be explained of each sample: where "target" of the graph's inputs, a one-hot
/// [N, K], says, or the largest one if there is none.
Tensor scores(const Tensor& output, const Explainer::Given& given);

/// Rows [first, first + count) of an array of any type, copied; after its end the last is repeated.
Array rows(const Array& array, int64_t first, int64_t count);

/// The classes with the largest output of each row of f32 [N, K].
std::vector<int64_t> largest(const Array& outputs);

}  // namespace fovea::explain
