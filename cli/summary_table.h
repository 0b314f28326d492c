#pragma once

#include <string>

#include "fovea/passes/summary.h"

namespace fovea::cli {

/// A summary as text: a tree with one line per module call, then the totals, in torchinfo's
/// columns. Parameters that are not trained are in parentheses; MB are 10^6 bytes.
std::string summary_table(const Summary& summary);

}  // namespace fovea::cli
