#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::cli {

struct TerminalSize {
  int columns = 80, rows = 24;
};
/// Of the terminal that a descriptor is open on; 80x24 where the system does not say.
TerminalSize terminal_size(int descriptor);

/// A part of a terminal that can be drawn on.
struct DrawingArea {
  TerminalSize size;
  bool colors = true;
};

/// Lines at the end of what a terminal shows that are drawn anew in place.
class RedrawnLines {
 public:
  bool empty() const { return lines_.empty(); }
  /// The codes that replace the lines by those of `text`, from the first one that differs;
  /// "" removes them. The cursor stays at the end of the last. `columns`: of the terminal now. When
  /// it became narrower, what is on it is found where it was wrapped; lines should be shorter than
  /// `columns`, so that they are not.
  std::string replace(std::string_view text, int columns);

 private:
  std::vector<std::string> lines_;
  int columns_ = 0;
};

}  // namespace fovea::cli
