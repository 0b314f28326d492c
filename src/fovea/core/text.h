#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
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

/// The number that the whole text is, "0.1", "5e-4", "3"; nothing when it is anything else, or not
/// finite.
std::optional<double> parse_number(std::string_view text);

/// The shortest text that reads back to the same number: "0.1", "3", "5e-04".
std::string format_number(double value);

/// 16 hex digits.
std::string hex(uint64_t value);

/// "11,173,962".
std::string grouped(int64_t number);

/// What a message can show of a text from a file: 80 characters at most, all printable ASCII.
std::string printable(std::string_view text);

/// The error for a name nobody knows: `unknown WHAT "NAME"`, what is printable of it, with the
/// nearest candidates when there are any.
Error unknown_name(std::string_view what, std::string_view name,
                   std::span<const std::string> candidates, ErrorKind kind = ErrorKind::usage);

}  // namespace fovea
