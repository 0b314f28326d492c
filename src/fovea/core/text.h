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

/// Up to `limit` candidates similar to `name`, most similar first: within an edit distance (swaps
/// of neighbours included) of a third of its letters, but at least two, or with one containing the
/// other. Ignores case. Empty when nothing is similar.
std::vector<std::string> nearest_names(std::string_view name,
                                       std::span<const std::string> candidates, size_t limit = 3);

/// `text` with its ASCII letters in lower case, whatever the locale.
std::string lower(std::string_view text);

/// "a, b, c".
std::string join(std::span<const std::string> parts, std::string_view separator = ", ");

/// The parts of `text` between separators: "a,,b" has three, "" has one.
std::vector<std::string> split(std::string_view text, char separator);

/// The number that the entire text represents, "0.1", "5e-4", "3"; nothing when it is not a finite
/// number.
std::optional<double> parse_number(std::string_view text);

/// An amount of memory in bytes: "2G", "1.5GiB", "800M", "512", by 1024; nothing for any other
/// text.
std::optional<size_t> parse_bytes(std::string_view text);

/// The shortest text that reads back as the same number: "0.1", "3", "5e-04".
std::string format_number(double value);

/// 16 hex digits.
std::string hex(uint64_t value);

/// "11,173,962".
std::string grouped(int64_t number);
/// "1 image", "2 images", "11,173 classes": the noun's plural ends in s, or es after s, sh or tch.
std::string counted(int64_t number, std::string_view noun);

/// A text from a file as a message can show it: at most 80 characters, all printable ASCII.
std::string printable(std::string_view text);

/// The error for an unknown name: `unknown WHAT "NAME"`, made printable, with the nearest
/// candidates if there are any.
Error unknown_name(std::string_view what, std::string_view name,
                   std::span<const std::string> candidates, ErrorKind kind = ErrorKind::usage);

}  // namespace fovea
