#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "fovea/models/registry.h"
#include "fovea/predict/predictor.h"

namespace fovea::cli {

/// The flags of what models leave open: one for each of models::choices().
class ChoiceFlags {
 public:
  void add(CLI::App& app);
  /// Replaces in `choices` what was given. Errors: usage, naming the flag.
  void apply(Arguments& choices) const;
  /// The flags that were given: "--stem", ...
  std::vector<std::string> given() const;

 private:
  const CLI::App* app_ = nullptr;
  std::vector<Argument> choices_;
  std::map<std::string, std::string> texts_;  ///< by the choice's name
};

/// What the flags --model, --input, --classes and those of the model's other choices choose: an
/// architecture, without weights.
struct ModelFlags {
  std::string model, input;
  int64_t classes = 0;  ///< 0: not given
  ChoiceFlags choices;

  void add(CLI::App& app);
  /// Replaces in `options` what was given. Errors: usage for a value that is not possible.
  void apply(models::Options& options) const;
  /// The flags besides --model that were given: "--input, --aux"; "" for none.
  std::string given() const;
};

struct ChosenModel {
  std::string name;
  models::Config config;
  std::unique_ptr<nn::Module> module;
};

/// The name that --model means: the registry's as it is; that of a net's text, which goes into
/// `options`. Errors: as models::net_entry.
std::string model_name(const std::string& model, models::Options& options);

/// The registry's model of that name, the one that a net's text describes, or the one a model file
/// holds (a stream is what it begins like); the other flags replace what these say. Errors: usage
/// for an unknown name or a value the model cannot take; model for a broken file.
ChosenModel choose(const ModelFlags& flags);

/// What the flags --model and --weights choose: a model ready for use.
struct TrainedFlags {
  std::string model, weights, size;
  ChoiceFlags choices;  ///< of the registry's model or the net's text

  void add(CLI::App& app);
};

/// The model file, or the registry's model or the net's text with the weights; `console` is told
/// what was assumed. Errors: usage for a name without weights, or a file with other ones; as
/// Predictor and assemble_model.
std::unique_ptr<Predictor> load_predictor(const TrainedFlags& flags, Console& console);

/// Whether the argument of --model means a model file: it has a slash or ends as files of weights
/// do, and not as the text of a net does. A stream can be either: see choose and load_predictor.
bool names_file(std::string_view model);

/// Inputs of `n` samples of this shape, C, spatial..., as data sets have them: images u8[N,H,W,C],
/// or f32[N,C,spatial...] of other ranks.
Type batch_type(const Shape& input, int64_t n);

/// A loss to measure the cost of a step with, whatever the net's output is: cross-entropy of logits
/// [N, K] with labels, else the mean square.
Tensor any_loss(const Tensor& output, const Tensor& targets);

/// The sizes in "3x224x224". Errors: usage, naming the flag.
Shape parse_sizes(std::string_view flag, std::string_view text);

/// "3x224x224".
std::string sizes_text(const Shape& shape);

/// Elements of all parameters.
int64_t count_parameters(const nn::Module& model);

/// Errors: usage when a flag that must be given was not.
void require_flag(const CLI::App& app, const std::string& flag);

}  // namespace fovea::cli
