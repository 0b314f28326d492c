#pragma once

#include <set>
#include <string>
#include <string_view>

#include "fovea/models/registry.h"

namespace fovea::models {

/// Names of arrays of a model: parameters and buffers.
using ArrayNames = std::set<std::string, std::less<>>;

/// The arrays of a model whose shape depends on the number of outputs, which are replaced when that
/// changes: "fc.weight" and "fc.bias" in a ResNet; none in a net with a fixed number of outputs.
/// Errors: as make.
ArrayNames head(std::string_view name, const Config& config);

/// The arrays of `model` that a text selects, a comma-separated list of
///   head       those of `head`
///   backbone   all others
///   norms      those of normalisation layers, running statistics too
///   vectors    those of fewer than two axes: biases, and all arrays of norms
///   a glob     of array names: "layer1.*", "*.bias"
/// "" selects none. Errors: usage, beginning with `flag`, when a glob or a word selects no array of
/// the model, with the nearest names.
ArrayNames select(std::string_view flag, std::string_view text, const nn::Module& model,
                  const ArrayNames& head);

}  // namespace fovea::models
