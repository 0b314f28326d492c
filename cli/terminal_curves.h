#pragma once

#include <string>
#include <vector>

namespace fovea::cli {

/// A curve over numbers; values that are not finite interrupt it.
struct TerminalCurve {
  std::string name;
  std::vector<double> x, y;
};

/// Curves in one panel, drawn with braille dots: a line with the title and the names, `rows` lines
/// of `columns` characters with the range of the values on their left, and a line with the range of
/// x. With `colors` each curve has its own, in ANSI codes.
std::string terminal_curves(const std::string& title, const std::vector<TerminalCurve>& curves,
                            int columns, int rows, bool colors);

}  // namespace fovea::cli
