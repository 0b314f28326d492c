#pragma once

#include <span>

#include "fovea/graph/op.h"

namespace fovea {

/// One instance of each of Fovea's ops, for parsing problem texts and for tests.
std::span<const Op> all_ops();

}  // namespace fovea
