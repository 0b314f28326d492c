#pragma once

#include <string>

#include "fovea/passes/summary.h"

namespace fovea::cli {

/// A summary as text: a tree with a line for each call of a module, then the totals, in the columns
/// of torchinfo. Parameters that are not trained stand in parentheses; MB are 10^6 bytes.
std::string summary_table(const Summary& summary);

}  // namespace fovea::cli
