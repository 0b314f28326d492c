#include "terminal_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace fovea::cli {
namespace {

constexpr int label_width = 9;
/// Of the 256 colours of terminals: told apart on dark and on light.
constexpr int colors_of_curves[] = {32, 208, 35, 133};

/// The smallest and the largest finite number.
struct Extent {
  double low = INFINITY, high = -INFINITY;

  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  /// Where a value is, from 0 to 1; a half if there is only one.
  double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

/// Characters of 2x4 dots, each with the curve that set one last.
class Dots {
 public:
  Dots(int columns, int rows)
      : columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}

  int width() const { return 2 * columns_; }
  int height() const { return 4 * rows_; }

  void set(int x, int y, int curve) {
    constexpr std::array<std::array<uint8_t, 2>, 4> bits{
        {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    Cell& cell = cells_[static_cast<size_t>(y / 4 * columns_ + x / 2)];
    cell.bits |= bits[static_cast<size_t>(y % 4)][static_cast<size_t>(x % 2)];
    cell.curve = curve;
  }
  void line(double x0, double y0, double x1, double y1, int curve) {
    const int steps = std::max(1, static_cast<int>(std::max(std::abs(x1 - x0), std::abs(y1 - y0))));
    for (int i = 0; i <= steps; ++i) {
      const double t = static_cast<double>(i) / steps;
      set(static_cast<int>(std::lround(x0 + t * (x1 - x0))),
          static_cast<int>(std::lround(y0 + t * (y1 - y0))), curve);
    }
  }
  std::string row(int y, bool colors) const {
    std::string text;
    for (int x = 0; x < columns_; ++x) {
      const Cell& cell = cells_[static_cast<size_t>(y * columns_ + x)];
      if (cell.bits == 0) {
        text += ' ';
        continue;
      }
      // U+2800 and the bits, as UTF-8
      const std::string dots{'\xe2', static_cast<char>(0xa0 | cell.bits >> 6),
                             static_cast<char>(0x80 | (cell.bits & 0x3f))};
      text += colors
                  ? fmt::format("\x1b[38;5;{}m{}\x1b[0m",
                                colors_of_curves[cell.curve % std::ssize(colors_of_curves)], dots)
                  : dots;
    }
    return text;
  }

 private:
  struct Cell {
    uint8_t bits = 0;
    int curve = 0;
  };
  int columns_, rows_;
  std::vector<Cell> cells_;
};

void draw(const TerminalCurve& curve, int index, const Extent& xs, const Extent& ys, Dots& dots) {
  const auto column = [&](size_t i) { return xs.share(curve.x[i]) * (dots.width() - 1); };
  const auto line = [&](size_t i) { return (1 - ys.share(curve.y[i])) * (dots.height() - 1); };
  for (size_t i = 0; i < curve.x.size(); ++i) {
    if (!std::isfinite(curve.y[i])) continue;
    const size_t from = i > 0 && std::isfinite(curve.y[i - 1]) ? i - 1 : i;
    dots.line(column(from), line(from), column(i), line(i), index);
  }
}

}  // namespace

std::string terminal_curves(const std::string& title, const std::vector<TerminalCurve>& curves,
                            int columns, int rows, bool colors) {
  Extent xs, ys;
  std::string text = title;
  for (size_t i = 0; i < curves.size(); ++i) {
    for (const double x : curves[i].x) xs.include(x);
    for (const double y : curves[i].y) ys.include(y);
    const int color = colors_of_curves[i % std::size(colors_of_curves)];
    text += colors ? fmt::format("  \x1b[38;5;{}m{}\x1b[0m", color, curves[i].name)
                   : fmt::format("  {}", curves[i].name);
  }
  text += "\n";
  if (xs.empty() || ys.empty()) return text;
  Dots dots(columns, rows);
  for (size_t i = 0; i < curves.size(); ++i) draw(curves[i], static_cast<int>(i), xs, ys, dots);
  for (int y = 0; y < rows; ++y) {
    const std::string label = y == 0          ? fmt::format("{:.4g}", ys.high)
                              : y == rows - 1 ? fmt::format("{:.4g}", ys.low)
                                              : "";
    text += fmt::format("{:>{}} \u2502{}\n", label, label_width, dots.row(y, colors));
  }
  return text + fmt::format("{:>{}}  {:<{}.4g}{:>8.4g}\n", "", label_width, xs.low,
                            std::max(1, columns - 8), xs.high);
}

}  // namespace fovea::cli
