#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fovea/draw/colormap.h"

namespace fovea::draw {

enum class AxisScale { linear, log };

/// One line of a chart. A value that is not finite interrupts it (on a log axis also one that is
/// not positive).
struct Series {
  std::string name = {};                ///< in the legend; "" for none
  std::vector<double> x = {}, y = {};   ///< of equal length
  std::optional<Color> color = {};      ///< by default the next of series_color
  bool dashed = false, points = false;  ///< points: also a dot at each
};

/// Curves over numbers.
struct Lines {
  std::vector<Series> series = {};
  std::string x_label = {}, y_label = {};
  AxisScale x_scale = AxisScale::linear, y_scale = AxisScale::linear;
  /// What the axes show; by default all values, and a little more on the y axis.
  std::optional<Range> x_range = {}, y_range = {};
  bool whole_x = false;  ///< the x axis counts: only whole numbers are labelled
};

/// Horizontal bars from 0, one for each name and group; values that are not finite have none.
struct Bars {
  struct Group {
    std::string name = {};  ///< in the legend; "" for none
    std::vector<double> values = {};
    std::optional<Color> color = {};
  };
  std::vector<std::string> names = {};
  std::vector<Group> groups = {};
  std::string x_label = {};
  std::vector<std::string> texts = {};  ///< at the bars' ends, of one group; by default the values
};

/// Numbers in rows and columns as coloured cells.
struct Matrix {
  std::vector<std::string> rows = {}, columns = {};
  std::vector<std::vector<double>> values = {};      ///< row by row
  std::vector<std::vector<std::string>> texts = {};  ///< in the cells, or none at all
  std::string row_label = {}, column_label = {};
  std::optional<Range> range = {};  ///< by default 0 to the largest value
};

struct Panel {
  std::string title = {};
  std::variant<Lines, Bars, Matrix> content = {};
};

/// Panels beside and below each other, described once, and drawn as PNG or SVG:
///
///     Chart chart{.title = "run", .panels = {{"loss", Lines{.series = {{"train", x, y}}}}}};
///     write_chart("curves.png", chart);
///     write_chart("curves.svg", chart);
struct Chart {
  std::string title = {};
  std::vector<Panel> panels = {};
  int columns = 0;  ///< panels beside each other; 0: one, or two if there are several
  double panel_width = 360, panel_height = 220;  ///< of Lines; others need what they need
};

/// As a picture: one unit is `scale` pixels, and so is the size of text. Errors: usage when there
/// is no panel, a series has other numbers of x and y, a matrix misses values, or the picture would
/// have more than 2^28 pixels.
Image chart_image(const Chart& chart, int scale = 2);
/// As an SVG document: valid XML whatever the texts hold. Errors: as chart_image.
std::string chart_svg(const Chart& chart);
/// Writes the chart as its suffix says: .svg or .png. Errors: usage for another one; io.
void write_chart(const std::filesystem::path& path, const Chart& chart);

/// Round numbers of an axis and their texts.
struct Ticks {
  std::vector<double> values;
  std::vector<std::string> labels;
};
/// About `count` multiples of 1, 2 or 5 times a power of ten, from low to high; with `whole` only
/// whole numbers, and low alone where there is none.
Ticks nice_ticks(double low, double high, int count = 5, bool whole = false);
/// Powers of ten from low to high, both positive; fewer than two: also 2 and 5 times them.
Ticks log_ticks(double low, double high);
/// A number in up to four significant digits: "0.05", "12000", "1e-05".
std::string tick_text(double value);

}  // namespace fovea::draw
