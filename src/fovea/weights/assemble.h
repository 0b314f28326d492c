#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "fovea/formats/model_file.h"
#include "fovea/models/registry.h"

namespace fovea {

/// A model file out of weights (see read_weights) and the registry's model that they are for.
/// Where `options` leave the number of outputs open, it is the model's own, unless the weights of
/// its head (see models::head) are for another; where they leave the input open, its channels are
/// those of the weights' first convolution. Weights that are a model file bring their preprocessing
/// and class names. Others get those of the published weights whose name the file has (see
/// pretrained.h), or the most likely ones: `say` is told what was chosen and assumed. A model of
/// which nothing is known has no class names. Errors: usage for an unknown model or a bad choice;
/// model when the weights are missing, broken, for another model, or do not fit it (see
/// fit_weights).
ModelFile assemble_model(const std::string& architecture, models::Options options,
                         const std::filesystem::path& weights,
                         const std::function<void(const std::string&)>& say = nullptr);

}  // namespace fovea
