#include "fovea/explain/untrained.h"

#include "fovea/weights/arguments.h"
#include "fovea/weights/fit.h"
#include "fovea/weights/pretrained.h"

namespace fovea::explain {

std::unique_ptr<Predictor> untrained(const std::string& name, const models::Options& options,
                                     uint64_t seed) {
  const models::Config config = models::configure(name, options);
  const auto model = models::make(name, config);
  State state;
  nn::declare(state, *model, seed);
  ModelFile file;
  file.architecture = name;
  if (!options.net) file.task = models::entry(name).task;
  file.arguments = to_arguments(config);
  if (config.input.rank() == 3) file.preprocessing = default_preprocessing(config.input);
  file.weights = weights_of(*model, state);
  return std::make_unique<Predictor>(std::move(file), name);
}

}  // namespace fovea::explain
