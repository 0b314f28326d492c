#pragma once

#include <string>

#include "fovea/nn/module.h"

namespace fovea::nn {

/// The class of a module, as written in code: "Conv2d", "ReLU", "BasicBlock".
const std::string& type_name(const Module& module);

}  // namespace fovea::nn
