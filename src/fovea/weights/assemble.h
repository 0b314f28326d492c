#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "fovea/formats/model_file.h"
#include "fovea/models/registry.h"

namespace fovea {

/// Builds a model file from weights (see read_weights) and the model of the registry that they are
/// for. By default the number of outputs is that of the head (see models::head) in the weights or
/// else the model's own, the input has the channels of the first convolution in the weights, and
/// norms are frozen (the choice "norm") where the weights count no batches.
/// Weights in a model file keep its preprocessing and class names. Others get those of the
/// published weights of the same file name (see pretrained.h), or the most likely ones; `say`
/// receives what was chosen and assumed. Other models have no class names. Errors: usage for an
/// unknown model or a bad choice; model when the weights are missing, broken, for another model, or
/// do not fit it (see fit_weights).
ModelFile assemble_model(const std::string& architecture, models::Options options,
                         const std::filesystem::path& weights,
                         const std::function<void(const std::string&)>& say = nullptr);

}  // namespace fovea
