#pragma once

#include <memory>
#include <string>

#include "commands.h"
#include "fovea/models/registry.h"
#include "fovea/predict/predictor.h"

namespace fovea::cli {

/// What the flags --model, --input and --classes choose: an architecture, without weights.
struct ModelFlags {
  std::string model, input;
  int64_t classes = 0;  ///< 0: not given

  void add(CLI::App& app);
};

struct ChosenModel {
  std::string name;
  models::Config config;
  std::unique_ptr<nn::Module> module;
};

/// The registry's model of that name, or the one a model file holds; --input and --classes replace
/// what these say. Errors: usage for an unknown name or a value the model cannot take; model for a
/// broken file.
ChosenModel choose(const ModelFlags& flags);

/// What the flags --model and --weights choose: a model ready for use.
struct TrainedFlags {
  std::string model, weights;

  void add(CLI::App& app);
};

/// The model file, or the registry's model with the weights; `console` is told what was assumed.
/// Errors: usage for a name without weights, or a file with other ones; as Predictor and
/// assemble_model.
std::unique_ptr<Predictor> load_predictor(const TrainedFlags& flags, Console& console);

/// Whether the argument of --model means a file: it has a slash or ends as files of weights
/// do.
bool names_file(std::string_view model);

/// The sizes in "3x224x224". Errors: usage, naming the flag.
Shape parse_sizes(std::string_view flag, std::string_view text);

/// "3x224x224".
std::string sizes_text(const Shape& shape);

/// Elements of all parameters.
int64_t count_parameters(const nn::Module& model);

/// Errors: usage when a flag that must be given was not.
void require_flag(const CLI::App& app, const std::string& flag);

}  // namespace fovea::cli
