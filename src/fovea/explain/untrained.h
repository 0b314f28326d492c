#pragma once

#include <memory>
#include <string>

#include "fovea/models/registry.h"
#include "fovea/predict/predictor.h"

namespace fovea::explain {

/// A model of the registry, or a net file in `options`, with its initial weights: for looking at
/// what does not depend on training. Pictures are prepared as for its published weights, or as for
/// most ImageNet models; classes are named by their numbers. Errors: usage as models::configure.
std::unique_ptr<Predictor> untrained(const std::string& name, const models::Options& options,
                                     uint64_t seed = 0);

}  // namespace fovea::explain
