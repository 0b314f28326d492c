#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "fovea/models/registry.h"

namespace fovea::models {

/// The arrays of a model whose shape depends on the number of outputs: what a net with other
/// outputs replaces. "fc.weight" and "fc.bias" of a ResNet; none of a net that is always for the
/// same number. Errors: as make.
std::set<std::string, std::less<>> head(std::string_view name, const Config& config);

/// Says of an array's name whether it is frozen.
using Frozen = std::function<bool(std::string_view array)>;

/// Reads the text of --freeze: "backbone", all arrays but the head's, or a comma list of globs of
/// array names, "conv1.*,layer1.*". "" freezes nothing and gives an empty function. Errors: usage
/// when a glob meets no array of the model, with the nearest names.
Frozen frozen(std::string_view text, std::string_view name, const Config& config);

}  // namespace fovea::models
