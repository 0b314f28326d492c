#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <utility>

namespace fovea {

/// The line that defines a part of a model, for the "at" of a message: in code, or in a text file
/// that describes a net. Functions that take one as their last argument have
/// `std::source_location::current()` as its default.
struct Where {
  std::string file = {};
  uint32_t line = 0;  ///< from 1; 0: not known
  bool code = true;  ///< false: in a net file, where one line stands for everything inside the part

  Where() = default;
  Where(const std::source_location& here)  // NOLINT: implicit, a source location is a Where
      : file(here.file_name()), line(here.line()) {}
  /// A line of a net file.
  Where(std::string text_file, uint32_t text_line)
      : file(std::move(text_file)), line(text_line), code(false) {}

  /// "src/net.cpp:41"; empty when unknown.
  std::string text() const { return line == 0 ? "" : file + ":" + std::to_string(line); }
};

}  // namespace fovea
