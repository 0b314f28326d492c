#pragma once

#include <map>
#include <string>

#include "fovea/models/registry.h"

namespace fovea {

/// The arguments that a model file stores for an architecture, and back. Errors: model, naming the
/// argument that is missing or not a number.
std::map<std::string, std::string> to_arguments(const models::Config& config);
models::Options from_arguments(const std::map<std::string, std::string>& arguments);

}  // namespace fovea
