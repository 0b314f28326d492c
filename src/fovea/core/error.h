#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fovea {

/// What went wrong, in the terms of whoever has to act on it. The values are the exit codes of the
/// program.
enum class ErrorKind {
  internal = 1,  ///< a bug in Fovea
  usage = 2,     ///< an unknown name, a bad value, an input the net cannot take
  data = 3,      ///< a data set or image that is missing or broken
  model = 4,     ///< a model or weight file that is missing or broken
  io = 5,        ///< cannot write: no permission, disk full
  diverged = 6,  ///< the loss is no longer finite
  memory = 7,    ///< not enough memory, or a size beyond what can be addressed
};

/// The kind's name, as `--json` prints it: "usage", "data", ...
std::string_view name(ErrorKind kind);

/// The only exception the library throws. A headline says what; details say where, both values, and
/// what to try:
///
///     throw Error(ErrorKind::usage, "conv2d: input has 4 channels, weight expects 3")
///         .with("input", "f32[N=8, C=4, H=224, W=224]")
///         .with("try", "--channels 3");
///
/// what() is the headline and one indented line per detail, with aligned values.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string headline);

  /// Adds one detail line. A key may be given twice; lines keep their order.
  Error& with(std::string_view key, std::string_view value) &;
  Error&& with(std::string_view key, std::string_view value) &&;

  /// Adds where it happened, as the detail "at": after the values and before the advice ("try").
  /// Has no effect when `place` is empty or the error says it already.
  Error& at(std::string_view place) &;
  Error&& at(std::string_view place) &&;

  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }
  const std::string& headline() const { return headline_; }
  const std::vector<std::pair<std::string, std::string>>& details() const { return details_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  void render();

  ErrorKind kind_;
  std::string headline_;
  std::vector<std::pair<std::string, std::string>> details_;
  std::string text_;
};

/// Throws Error(internal) when `condition` is false: a bug in Fovea, never a user's mistake.
void require(bool condition, std::string_view what);

}  // namespace fovea
