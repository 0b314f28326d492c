#pragma once

#include <span>

#include "fovea/graph/op.h"

namespace fovea {

/// One of each op of Fovea, to be found by name: what texts of problems and tests go through.
std::span<const Op> all_ops();

}  // namespace fovea
