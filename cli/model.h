#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "fovea/models/registry.h"
#include "fovea/predict/predictor.h"

namespace fovea::cli {

/// The flags of arguments of models or tasks: one for each of these choices.
class ChoiceFlags {
 public:
  void add(Command command, std::vector<Argument> choices);
  /// Overwrites in `choices` what was given. Errors: usage, naming the flag.
  void apply(Arguments& choices) const;
  /// The flags that were given: "--stem", ...
  std::vector<std::string> given() const;

 private:
  Command command_;
  std::vector<Argument> choices_;
  std::map<std::string, std::string> texts_;  ///< by the choice's name
};

/// The flags --model, --input, --classes and those of other model arguments: they choose an
/// architecture, without weights.
struct ModelFlags {
  std::string model, input;
  int64_t classes = 0;  ///< 0: not given
  ChoiceFlags choices;

  void add(Command command);
  /// Overwrites in `options` what was given. Errors: usage for an invalid value.
  void apply(models::Options& options) const;
  /// The flags besides --model that were given: "--input, --aux"; "" for none.
  std::string given() const;
};

struct ChosenModel {
  std::string name;
  models::Config config;
  std::unique_ptr<nn::Module> module;
};

/// The name of the model given by --model: a registry name itself, or the name of a net file, which
/// is read into `options`. Errors: as models::net_entry.
std::string model_name(const std::string& model, models::Options& options);

/// The registry's model of that name, the one that a net file describes, or the one in a model file
/// (a stream is recognised by its beginning); the other flags override its properties. Errors:
/// usage for an unknown name or a value the model cannot take; model for a broken file.
ChosenModel choose(const ModelFlags& flags);

/// The flags --model, --weights and --pretrained, which choose a model ready for use.
struct TrainedFlags {
  std::string model, weights, size;
  bool pretrained = false;
  ChoiceFlags choices;  ///< of the registry's model or the net file

  void add(Command command);
};

/// Loads the model file, or the registry's model or net file with the weights; `console` reports
/// assumptions. Errors: usage for a name without weights, or a model file with other weights; as
/// Predictor and assemble_model.
std::unique_ptr<Predictor> load_predictor(const TrainedFlags& flags, Console& console);

/// The data sets that --data names, as the model's task learns them. What the name leaves open of
/// how files become inputs is as it was in training, which `console` reports. Errors: as
/// data::open.
data::DataSets open_data(const std::string& spec, const Predictor& predictor, Console& console);

/// The flags of the tasks' choices: see tasks::choices.
struct TaskFlags : ChoiceFlags {
  void add(Command command) { ChoiceFlags::add(command, tasks::choices()); }
  /// Errors: usage for a choice that the model's task does not have.
  void apply(Predictor& predictor) const;
};

/// --tta, for Predictor::use; without it the model's own views.
Option add_views(Command command, std::string& views);

/// Whether the argument of --model is a model file: it contains a slash or has the suffix of
/// weights, and not that of a net file. A stream can be either: see choose and load_predictor.
bool names_file(std::string_view model);

/// Lists the published weights that models whose names match can read, and how they prepare
/// pictures. Errors: usage when no model matches.
int list_pretrained(const std::string& glob, Console& console);

/// The type of `n` samples of this shape, C, spatial..., as in data sets: images u8[N,H,W,C], other
/// ranks f32[N,C,spatial...].
Type batch_type(const Shape& input, int64_t n);

/// A loss for measuring the cost of a step, for any output of a net: cross-entropy of logits [N, K]
/// with labels, else the mean squared error.
Tensor any_loss(const Tensor& output, const Tensor& targets);

/// The sizes in "3x224x224". Errors: usage, naming the flag.
Shape parse_sizes(std::string_view flag, std::string_view text);

/// "3x224x224".
std::string sizes_text(const Shape& shape);

/// Elements of all parameters.
int64_t count_parameters(const nn::Module& model);

}  // namespace fovea::cli
