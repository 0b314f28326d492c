#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "fovea/models/registry.h"

namespace fovea::models {

/// The arrays of a model whose shape depends on the number of outputs, which are replaced when that
/// changes: "fc.weight" and "fc.bias" in a ResNet; none in a net with a fixed number of outputs.
/// Errors: as make.
std::set<std::string, std::less<>> head(std::string_view name, const Config& config);

/// Whether the array of that name is frozen.
using Frozen = std::function<bool(std::string_view array)>;

/// Parses --freeze: "backbone" (all arrays but the head's) or a comma-separated list of globs of
/// array names, "conv1.*,layer1.*". "" freezes nothing and returns an empty function. Errors: usage
/// when a glob matches no array of the model, with the nearest names.
Frozen frozen(std::string_view text, std::string_view name, const Config& config);

}  // namespace fovea::models
