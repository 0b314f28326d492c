#include "fovea/draw/terminal_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "fovea/core/error.h"
#include "fovea/draw/axis.h"

namespace fovea::draw {
namespace {

constexpr int narrowest_panel = 32, widest_panel = 78, between_panels = 3;

/// The nearest of the 6x6x6 colours that nearly all terminals have.
int terminal_color(Color color) {
  constexpr std::array<int, 6> levels{0, 95, 135, 175, 215, 255};
  const auto nearest = [&](int value) {
    const auto distance = [&](int level) { return std::abs(level - value); };
    return static_cast<int>(std::ranges::min_element(levels, {}, distance) - levels.begin());
  };
  return 16 + 36 * nearest(color.red) + 6 * nearest(color.green) + nearest(color.blue);
}

/// A line of text of at most `width` characters, and how many it has.
class Line {
 public:
  Line(int width, bool colors) : width_(width), colors_(colors) {}

  /// What does not fit is cut off. `color`: -1 for the terminal's own.
  void add(std::string_view text, int color = -1) {
    for (size_t i = 0; i < text.size();) {
      size_t next = i + 1;
      while (next < text.size() && (static_cast<uint8_t>(text[next]) & 0xc0) == 0x80) ++next;
      if (used_ == width_) return;
      paint(color);
      text_ += text.substr(i, next - i);
      ++used_;
      i = next;
    }
  }
  void fill_to(int column) {
    paint(-1);
    while (used_ < std::min(column, width_)) add(" ");
  }
  int used() const { return used_; }
  /// Padded to its width.
  std::string text() && {
    fill_to(width_);
    return std::move(text_);
  }

 private:
  void paint(int color) {
    if (!colors_ || color == color_) return;
    text_ += color < 0 ? std::string("\x1b[0m") : fmt::format("\x1b[38;5;{}m", color);
    color_ = color;
  }

  int width_, used_ = 0, color_ = -1;
  bool colors_;
  std::string text_;
};

/// Characters of 2x4 dots, each with the colour of the curve that set one last.
class Dots {
 public:
  Dots(int columns, int rows)
      : columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}

  int width() const { return 2 * columns_; }
  int height() const { return 4 * rows_; }

  void line(Point from, Point to, bool dashed, int color) {
    const double length = std::max(std::abs(to.x - from.x), std::abs(to.y - from.y));
    const int steps = std::max(1, static_cast<int>(length));
    for (int i = 0; i <= steps; ++i) {
      const double t = static_cast<double>(i) / steps;
      const auto x = static_cast<int>(std::lround(from.x + t * (to.x - from.x)));
      const auto y = static_cast<int>(std::lround(from.y + t * (to.y - from.y)));
      if (!dashed || x % 4 < 2) set(x, y, color);
    }
  }
  void add_row(Line& line, int y) const {
    for (int x = 0; x < columns_; ++x) {
      const Cell& cell = cells_[static_cast<size_t>(y * columns_ + x)];
      if (cell.bits == 0) {
        line.add(" ");
        continue;
      }
      // U+2800 and the bits, as UTF-8
      const char dots[] = {'\xe2', static_cast<char>(0xa0 | cell.bits >> 6),
                           static_cast<char>(0x80 | (cell.bits & 0x3f))};
      line.add({dots, 3}, cell.color);
    }
  }

 private:
  struct Cell {
    uint8_t bits = 0;
    int color = 0;
  };

  void set(int x, int y, int color) {
    constexpr std::array<std::array<uint8_t, 2>, 4> bits{
        {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}};
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    Cell& cell = cells_[static_cast<size_t>(y / 4 * columns_ + x / 2)];
    cell.bits |= bits[static_cast<size_t>(y % 4)][static_cast<size_t>(x % 2)];
    cell.color = color;
  }

  int columns_, rows_;
  std::vector<Cell> cells_;
};

int color_of(const Lines& lines, size_t series) {
  return terminal_color(lines.series[series].color.value_or(series_color(series)));
}

void draw(const Lines& lines, const Axis& xs, const Axis& ys, Dots& dots) {
  for (size_t k = 0; k < lines.series.size(); ++k) {
    const Series& s = lines.series[k];
    const auto at = [&](size_t i) {
      return Point{(1 - ys(s.y[i])) * (dots.height() - 1), xs(s.x[i]) * (dots.width() - 1)};
    };
    const auto drawable = [&](size_t i) {
      return std::isfinite(at(i).x) && std::isfinite(at(i).y);
    };
    for (size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
      if (!drawable(i)) continue;
      dots.line(at(i > 0 && drawable(i - 1) ? i - 1 : i), at(i), s.dashed, color_of(lines, k));
    }
  }
}

/// The title, the curves and the range of x: rows + 2 lines of `width` characters.
std::vector<std::string> panel_lines(const std::string& title, const Lines& lines, int width,
                                     int rows, bool colors) {
  Line heading(width, colors);
  heading.add(title);
  for (size_t k = 0; k < lines.series.size(); ++k) {
    if (heading.used() > 0) heading.add("  ");
    heading.add(lines.series[k].name, color_of(lines, k));
  }
  std::vector<std::string> text{std::move(heading).text()};
  const Axis xs = axis_of(lines, true), ys = axis_of(lines, false);
  const bool any = std::ranges::any_of(lines.series, [](const Series& s) { return !s.x.empty(); });
  const std::string high = any ? tick_text(ys.range.high) : "",
                    low = any ? tick_text(ys.range.low) : "";
  const auto labels = static_cast<int>(std::max({high.size(), low.size(), size_t{6}}));
  Dots dots(std::max(1, width - labels - 2), rows);
  draw(lines, xs, ys, dots);
  for (int y = 0; y < rows; ++y) {
    Line line(width, colors);
    line.add(fmt::format("{:>{}} \u2502", y == 0 ? high : y == rows - 1 ? low : "", labels));
    dots.add_row(line, y);
    text.push_back(std::move(line).text());
  }
  Line range(width, colors);
  range.fill_to(labels + 2);
  range.add(tick_text(xs.range.low));
  std::string last = fmt::format("{} {}", lines.x_label, tick_text(xs.range.high));
  if (range.used() + static_cast<int>(last.size()) >= width) last = tick_text(xs.range.high);
  range.fill_to(width - static_cast<int>(last.size()));
  range.add(last);
  text.push_back(std::move(range).text());
  return text;
}

}  // namespace

std::string terminal_chart(const Chart& chart, int columns, int rows, bool colors) {
  if (columns < 1 || rows < 1)
    throw Error(ErrorKind::usage, "a chart in a terminal needs at least one column and one row");
  std::vector<const Panel*> panels;
  for (const Panel& panel : chart.panels) {
    if (std::holds_alternative<Lines>(panel.content)) panels.push_back(&panel);
  }
  const bool pairs =
      panels.size() > 1 && columns >= 2 * narrowest_panel + between_panels && chart.columns != 1;
  const int width = std::min(pairs ? (columns - between_panels) / 2 : columns, widest_panel);
  std::string text;
  for (size_t i = 0; i < panels.size(); i += pairs ? 2 : 1) {
    const auto lines = [&](size_t k) {
      return panel_lines(panels[k]->title, std::get<Lines>(panels[k]->content), width, rows,
                         colors);
    };
    const std::vector<std::string> left = lines(i);
    const bool both = pairs && i + 1 < panels.size();
    const std::vector<std::string> right = both ? lines(i + 1) : std::vector<std::string>();
    for (size_t y = 0; y < left.size(); ++y) {
      text += left[y];
      if (both) text += fmt::format("{:{}}{}", "", between_panels, right[y]);
      text.erase(text.find_last_not_of(' ') + 1);
      text += "\n";
    }
  }
  return text;
}

}  // namespace fovea::draw
