#include "fovea/draw/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"
#include "fovea/core/files.h"
#include "fovea/draw/axis.h"
#include "fovea/draw/surface.h"
#include "fovea/images/codec.h"

namespace fovea::draw {
namespace {

constexpr double margin = 12, gap = 4, line_height = letter_height + gap, title_height = 16;
constexpr double bar_height = 10;
constexpr size_t longest_name = 28, largest_named_matrix = 40;

struct Size {
  double height = 0, width = 0;
};

/// What a legend shows of a series or group.
struct Entry {
  std::string_view name;
  Color color;
  bool dashed;
};

std::vector<Entry> entries_of(const Lines& lines) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < lines.series.size(); ++i) {
    const Series& s = lines.series[i];
    if (!s.name.empty()) entries.push_back({s.name, s.color.value_or(series_color(i)), s.dashed});
  }
  return entries;
}

std::vector<Entry> entries_of(const Bars& bars) {
  std::vector<Entry> entries;
  for (size_t i = 0; i < bars.groups.size(); ++i) {
    const Bars::Group& g = bars.groups[i];
    if (!g.name.empty()) entries.push_back({g.name, g.color.value_or(series_color(i)), false});
  }
  return entries;
}

std::string shortened(std::string_view text, size_t letters) {
  return fitted(text, static_cast<int>(letters) * letter_advance);
}

/// Draws the legend's entries, as many per row as fit, or only measures them without a surface.
/// Returns its height.
double legend(Surface* surface, const std::vector<Entry>& entries, double top, double left,
              double width) {
  constexpr double swatch = 14;
  constexpr size_t most_rows = 4;
  double x = 0;
  size_t rows = entries.empty() ? 0 : 1;
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string name = shortened(entries[i].name, longest_name);
    const double needed = swatch + gap + text_width(name) + 2 * gap;
    if (x > 0 && x + needed > width) {
      x = 0;
      if (rows == most_rows) break;  // the rest has no room
      ++rows;
    }
    if (surface != nullptr) {
      const double y = top + static_cast<double>(rows - 1) * line_height;
      const Point line[] = {{y + 4, left + x}, {y + 4, left + x + swatch}};
      surface->polyline(line, entries[i].color, 2, entries[i].dashed);
      surface->text({y, left + x + swatch + gap}, name, ink, Anchor::left, false);
    }
    x += needed;
  }
  return static_cast<double>(rows) * line_height;
}

size_t longest(const std::vector<std::string>& names) {
  size_t letters = 0;
  for (const std::string& name : names) letters = std::max(letters, to_ascii(name).size());
  return std::min(letters, longest_name);
}

/// Labels of an x axis that do not touch each other.
void x_ticks(Surface& surface, const Axis& axis, const Box& plot) {
  double free_from = -HUGE_VAL;
  const Ticks ticks = axis.ticks(static_cast<int>(plot.width / 55));
  for (size_t i = 0; i < ticks.values.size(); ++i) {
    const double x = plot.left + plot.width * axis(ticks.values[i]);
    const Point mark[] = {{plot.top, x}, {plot.bottom(), x}};
    surface.polyline(mark, rule, 0.5, false);
    const double half = text_width(ticks.labels[i]) / 2.0;
    if (x - half < free_from) continue;
    surface.text({plot.bottom() + gap, x}, ticks.labels[i], faint, Anchor::middle, false);
    free_from = x + half + 2 * gap;
  }
}

void draw(Surface& surface, const Lines& lines, const Box& area) {
  const Axis xs = axis_of(lines, true), ys = axis_of(lines, false);
  const double top =
      area.top + legend(&surface, entries_of(lines), area.top, area.left, area.width);
  const double below = line_height + (lines.x_label.empty() ? 0 : line_height);
  const Ticks ticks = ys.ticks(static_cast<int>((area.bottom() - below - top) / 32));
  int widest = 0;
  for (const std::string& label : ticks.labels) widest = std::max(widest, text_width(label));
  const double left = area.left + widest + gap + (lines.y_label.empty() ? 0 : line_height);
  const Box plot{top + gap, left, area.bottom() - below - top - gap, area.right() - left};
  x_ticks(surface, xs, plot);
  for (size_t i = 0; i < ticks.values.size(); ++i) {
    const double y = plot.bottom() - plot.height * ys(ticks.values[i]);
    const Point mark[] = {{y, plot.left}, {y, plot.right()}};
    surface.polyline(mark, rule, 0.5, false);
    surface.text({y - 3.5, plot.left - gap}, ticks.labels[i], faint, Anchor::right, false);
  }
  const Point axes[] = {
      {plot.top, plot.left}, {plot.bottom(), plot.left}, {plot.bottom(), plot.right()}};
  surface.polyline(axes, faint, 0.75, false);
  surface.text({area.bottom() - letter_height, plot.left + plot.width / 2}, lines.x_label, ink,
               Anchor::middle, false);
  surface.text_upwards({plot.top + plot.height / 2, area.left + 4}, lines.y_label, ink);
  const Box inside{plot.top - 2, plot.left - 2, plot.height + 4, plot.width + 4};
  surface.clip(&inside);
  for (size_t k = 0; k < lines.series.size(); ++k) {
    const Series& s = lines.series[k];
    const Color color = s.color.value_or(series_color(k));
    std::vector<Point> points;
    for (size_t i = 0; i < s.x.size(); ++i)
      points.push_back(
          {plot.bottom() - plot.height * ys(s.y[i]), plot.left + plot.width * xs(s.x[i])});
    surface.polyline(points, color, 1.25, s.dashed);
    if (!s.points) continue;
    for (const Point& p : points) surface.disk(p, 2.25, color);
  }
  surface.clip(nullptr);
}

Size size_of(const Lines&, const Chart& chart) { return {chart.panel_height, chart.panel_width}; }

Size size_of(const Bars& bars, const Chart& chart) {
  const double bar =
      bar_height * static_cast<double>(std::max<size_t>(bars.groups.size(), 1)) + gap;
  const double legend_height = legend(nullptr, entries_of(bars), 0, 0, chart.panel_width);
  return {legend_height + bar * static_cast<double>(bars.names.size()) + line_height +
              (bars.x_label.empty() ? 0 : line_height) + gap,
          chart.panel_width};
}

void draw(Surface& surface, const Bars& bars, const Box& area) {
  double high = 0, low = 0;
  int widest = 0;
  for (const Bars::Group& group : bars.groups) {
    for (const double value : group.values) {
      if (!std::isfinite(value)) continue;
      high = std::max(high, value);
      low = std::min(low, value);
      widest = std::max(widest, text_width(tick_text(value)));
    }
  }
  for (const std::string& text : bars.texts) widest = std::max(widest, text_width(text));
  if (high == low) high = low + 1;
  const double top = area.top + legend(&surface, entries_of(bars), area.top, area.left, area.width);
  const double left = area.left + static_cast<double>(longest(bars.names)) * letter_advance + gap;
  const double below = line_height + (bars.x_label.empty() ? 0 : line_height);
  const Box plot{top, left, area.bottom() - below - top, area.right() - left - widest - gap};
  const Axis axis{.range = {low, high}};
  x_ticks(surface, axis, plot);
  const double row = plot.height / static_cast<double>(std::max<size_t>(bars.names.size(), 1));
  const double zero = plot.left + plot.width * axis(0);
  for (size_t i = 0; i < bars.names.size(); ++i) {
    const double y = plot.top + row * static_cast<double>(i);
    surface.text({y + row / 2 - 4, plot.left - gap}, shortened(bars.names[i], longest_name), ink,
                 Anchor::right, false);
    for (size_t g = 0; g < bars.groups.size(); ++g) {
      const double value = bars.groups[g].values[i];
      if (!std::isfinite(value)) continue;
      const double end = plot.left + plot.width * axis(value);
      const double bar_top = y + gap / 2 + bar_height * static_cast<double>(g);
      surface.fill(
          {bar_top, std::min(zero, end), bar_height - 1, std::max(std::abs(end - zero), 0.5)},
          bars.groups[g].color.value_or(series_color(g)));
      surface.text({bar_top + 0.5, std::max(end, zero) + gap},
                   i < bars.texts.size() && g == 0 ? bars.texts[i] : tick_text(value), faint,
                   Anchor::left, false);
    }
  }
  const Point base[] = {{plot.top, zero}, {plot.bottom(), zero}};
  surface.polyline(base, faint, 0.75, false);
  surface.text({area.bottom() - letter_height, plot.left + plot.width / 2}, bars.x_label, ink,
               Anchor::middle, false);
}

/// Where the parts of a matrix are.
struct MatrixLayout {
  double cell_height, cell_width, left, top;
  size_t letters;  ///< of a column's name
  bool named;
};

MatrixLayout layout_of(const Matrix& matrix) {
  MatrixLayout layout{};
  layout.named = std::max(matrix.rows.size(), matrix.columns.size()) <= largest_named_matrix;
  const auto largest =
      static_cast<double>(std::max<size_t>({matrix.rows.size(), matrix.columns.size(), 1}));
  layout.cell_height = layout.cell_width = std::max(320 / largest, 0.5);
  if (layout.named) {
    size_t letters = std::min<size_t>(longest(matrix.columns), 8);
    for (const auto& row : matrix.texts)
      letters = std::max(letters, std::min<size_t>(longest(row), 10));
    layout.letters = std::max<size_t>(letters, 1);
    layout.cell_height = 17;
    layout.cell_width = std::max(static_cast<double>(layout.letters * letter_advance + 4), 17.0);
  }
  layout.left =
      (matrix.row_label.empty() ? 0 : line_height) +
      (layout.named ? static_cast<double>(longest(matrix.rows)) * letter_advance + gap : 0);
  layout.top = (matrix.column_label.empty() ? 0 : line_height) + (layout.named ? line_height : 0);
  return layout;
}

Size size_of(const Matrix& matrix, const Chart&) {
  const MatrixLayout layout = layout_of(matrix);
  return {layout.top + layout.cell_height * static_cast<double>(matrix.rows.size()),
          layout.left + layout.cell_width * static_cast<double>(matrix.columns.size())};
}

void draw(Surface& surface, const Matrix& matrix, const Box& area) {
  const MatrixLayout layout = layout_of(matrix);
  Range range{0, 0};
  for (const auto& row : matrix.values) {
    for (const double value : row) {
      if (std::isfinite(value)) range.high = std::max(range.high, value);
    }
  }
  range = matrix.range.value_or(range.high > 0 ? range : Range{0, 1});
  static const Colormap blues{"blues",
                              {{255, 255, 255}, {158, 202, 225}, {33, 113, 181}, {8, 48, 107}}};
  const double top = area.top + layout.top, left = area.left + layout.left;
  surface.fill({top, left, area.bottom() - top, area.right() - left}, layout.named ? rule : white);
  for (size_t r = 0; r < matrix.rows.size(); ++r) {
    const double y = top + layout.cell_height * static_cast<double>(r);
    if (layout.named) {
      surface.text({y + layout.cell_height / 2 - 4, left - gap},
                   shortened(matrix.rows[r], longest_name), ink, Anchor::right, false);
    }
    for (size_t c = 0; c < matrix.columns.size(); ++c) {
      const double x = left + layout.cell_width * static_cast<double>(c),
                   value = matrix.values[r][c];
      const double share = range(value);
      if (!layout.named && share == 0) continue;  // as the ground
      const double line = layout.named ? 0.5 : 0;
      surface.fill({y, x, layout.cell_height - line, layout.cell_width - line}, blues(share));
      if (!layout.named || matrix.texts.empty()) continue;
      surface.text({y + layout.cell_height / 2 - 4, x + layout.cell_width / 2},
                   shortened(matrix.texts[r][c], layout.letters), share > 0.5 ? white : ink,
                   Anchor::middle, false);
    }
  }
  for (size_t c = 0; layout.named && c < matrix.columns.size(); ++c) {
    surface.text({top - line_height, left + layout.cell_width * (static_cast<double>(c) + 0.5)},
                 shortened(matrix.columns[c], layout.letters), ink, Anchor::middle, false);
  }
  surface.text({area.top, left + (area.right() - left) / 2}, matrix.column_label, faint,
               Anchor::middle, false);
  surface.text_upwards({top + (area.bottom() - top) / 2, area.left + 4}, matrix.row_label, faint);
}

void check(const Lines& lines) {
  for (const Series& s : lines.series) {
    if (s.x.size() == s.y.size()) continue;
    throw Error(ErrorKind::usage, "chart: a series needs as many x as y values")
        .with("series", s.name)
        .with("x and y", fmt::format("{} and {}", s.x.size(), s.y.size()));
  }
}

void check(const Bars& bars) {
  for (const Bars::Group& g : bars.groups) {
    if (g.values.size() == bars.names.size()) continue;
    throw Error(ErrorKind::usage, "chart: a group of bars needs a value for each name")
        .with("names and values", fmt::format("{} and {}", bars.names.size(), g.values.size()));
  }
}

void check(const Matrix& matrix) {
  const auto complete = [&](const auto& table) {
    return table.size() == matrix.rows.size() && std::ranges::all_of(table, [&](const auto& row) {
             return row.size() == matrix.columns.size();
           });
  };
  if (complete(matrix.values) && (matrix.texts.empty() || complete(matrix.texts))) return;
  throw Error(ErrorKind::usage, "chart: a matrix needs a value for each row and column")
      .with("rows and columns",
            fmt::format("{} and {}", matrix.rows.size(), matrix.columns.size()));
}

/// Where each panel's content is, and the size of all.
struct Layout {
  std::vector<Box> panels;
  Size size;
};

Layout layout_of(const Chart& chart) {
  if (chart.panels.empty()) throw Error(ErrorKind::usage, "chart: there is no panel");
  Layout layout;
  const auto count = chart.panels.size();
  const size_t columns = chart.columns > 0 ? static_cast<size_t>(chart.columns)
                         : count == 1      ? 1
                                           : 2;
  const double title = chart.title.empty() ? 0 : title_height + gap;
  double y = margin + title, x = margin, row_height = 0;
  for (size_t i = 0; i < count; ++i) {
    const Panel& panel = chart.panels[i];
    const Size size = std::visit(
        [&](const auto& content) {
          check(content);
          return size_of(content, chart);
        },
        panel.content);
    const double heading = panel.title.empty() ? 0 : title_height;
    layout.panels.push_back({y + heading, x, size.height, size.width});
    row_height = std::max(row_height, heading + size.height);
    x += size.width + 2 * margin;
    layout.size.width = std::max(layout.size.width, x - margin);
    if ((i + 1) % columns != 0 && i + 1 != count) continue;
    x = margin;
    y += row_height + 2 * margin;
    row_height = 0;
  }
  layout.size.height = y - margin;
  return layout;
}

void draw(Surface& surface, const Chart& chart, const Layout& layout) {
  surface.text({margin, layout.size.width / 2},
               shortened(chart.title, static_cast<size_t>(layout.size.width / letter_advance)), ink,
               Anchor::middle, true);
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    const Panel& panel = chart.panels[i];
    const Box& box = layout.panels[i];
    if (!panel.title.empty()) {
      surface.text({box.top - title_height, box.left + box.width / 2},
                   shortened(panel.title, static_cast<size_t>(box.width / letter_advance)), ink,
                   Anchor::middle, true);
    }
    std::visit([&](const auto& content) { draw(surface, content, box); }, panel.content);
  }
}

}  // namespace

Image chart_image(const Chart& chart, int scale) {
  const Layout layout = layout_of(chart);
  CanvasSurface surface(layout.size.height, layout.size.width, std::clamp(scale, 1, 16));
  draw(surface, chart, layout);
  return std::move(surface).image();
}

std::string chart_svg(const Chart& chart) {
  const Layout layout = layout_of(chart);
  SvgSurface surface(layout.size.height, layout.size.width,
                     chart.title.empty() ? chart.panels[0].title : chart.title);
  draw(surface, chart, layout);
  return surface.document();
}

void write_chart(const std::filesystem::path& path, const Chart& chart) {
  if (path.extension() == ".svg") return replace_file(path, chart_svg(chart), Flush::later);
  if (path.extension() == ".png") return encode_png(path, chart_image(chart));
  throw Error(ErrorKind::usage, fmt::format("chart: {} has to end in .png or .svg", path.string()));
}

}  // namespace fovea::draw
