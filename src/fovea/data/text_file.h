#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

// The small texts that data sets consist of: lists, labels, names of classes.
namespace fovea::data {

/// The text of a file in UTF-8, without the mark of its byte order that some editors put first.
/// Errors: data when it is missing, a pipe or device, or longer than `limit`, or has bytes of zero,
/// as texts in UTF-16 have.
std::string read_text_file(const std::filesystem::path& file, size_t limit = size_t{64} << 20);

/// Calls body(line, number) for each line of a text, numbered from 1, without the characters that
/// end it: LF, or CR and LF.
void for_each_line(std::string_view text,
                   const std::function<void(std::string_view line, size_t number)>& body);

/// Whether a text can be a name or a path: 1 to `longest` bytes without control characters.
bool is_plain(std::string_view text, size_t longest);

/// The longest path, in bytes, that the system takes.
constexpr size_t longest_path = 4095;

}  // namespace fovea::data
