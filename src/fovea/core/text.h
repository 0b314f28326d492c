#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/error.h"

namespace fovea {

/// The candidates most like `name`, best first, at most `limit`: within a third of its letters (at
/// least two) of insertions, deletions, substitutions and swaps of neighbours, or with one holding
/// the other. Upper and lower case are the same. Empty when nothing is near.
std::vector<std::string> nearest_names(std::string_view name,
                                       std::span<const std::string> candidates, size_t limit = 3);

/// "a, b, c".
std::string join(std::span<const std::string> parts, std::string_view separator = ", ");

/// The parts of `text` between separators: "a,,b" has three, "" has one.
std::vector<std::string> split(std::string_view text, char separator);

/// The usage error for a name nobody knows: `unknown WHAT "NAME"`, with the nearest candidates when
/// there are any.
Error unknown_name(std::string_view what, std::string_view name,
                   std::span<const std::string> candidates);

}  // namespace fovea
