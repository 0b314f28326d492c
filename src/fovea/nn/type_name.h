#pragma once

#include <map>
#include <string>

#include "fovea/nn/module.h"

namespace fovea::nn {

/// The class of a module, as it is written: "Conv2d", "ReLU", "BasicBlock".
std::string type_name(const Module& module);

/// The same of `root` and every module inside it, by path; the root's own path is "".
std::map<std::string, std::string> type_names(const Module& root);

}  // namespace fovea::nn
