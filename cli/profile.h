#pragma once

#include <string>

#include "console.h"
#include "fovea/core/timeline.h"
#include "fovea/kernels/peak.h"

namespace fovea::cli {

/// The tables of a timeline: kernels, then modules forward and backward; times are per `runs`.
std::string profile_text(const Timeline& timeline, int64_t runs, const Peak& peak);
/// {"runs", "peak", "kernels": [...], "modules": [...]}, the same numbers.
Json profile_json(const Timeline& timeline, int64_t runs, const Peak& peak);

}  // namespace fovea::cli
