#include "fovea/draw/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/draw/canvas.h"
#include "fovea/draw/colormap.h"

namespace fovea::draw {
namespace {

constexpr int curve_width = 480, most_channels = 8, curve_margin = 6;

/// Where column `x` of the picture begins in an axis of this size.
double begin_of(int x, int64_t size) {
  return static_cast<double>(x) * static_cast<double>(size) / curve_width;
}

/// The value of a map at a fraction of its length, interpolated between the centres of its cells.
double value_at(std::span<const float> map, double fraction) {
  const double place =
      std::clamp(fraction * static_cast<double>(map.size()) - 0.5, 0.0, double(map.size() - 1));
  const auto i = static_cast<size_t>(place);
  const size_t next = std::min(i + 1, map.size() - 1);
  return std::lerp(map[i], map[next], place - static_cast<double>(i));
}

/// One signal in the box from `top` on.
void draw_curve(Canvas& canvas, std::span<const float> signal, double top, double height) {
  const Range range = min_max(signal);
  const double bottom = top + height;
  const auto y_of = [&](float value) { return bottom - range(value) * height; };
  const auto size = std::ssize(signal);
  if (size <= curve_width) {
    std::vector<Point> points;
    for (int64_t i = 0; i < size; ++i) {
      points.push_back({y_of(signal[static_cast<size_t>(i)]),
                        (static_cast<double>(i) + 0.5) * curve_width / static_cast<double>(size)});
    }
    return canvas.polyline(points, ink, 1.5);
  }
  for (int x = 0; x < curve_width; ++x) {  // each column joins the next
    const auto first = static_cast<size_t>(begin_of(x, size));
    const auto end = std::min(static_cast<size_t>(begin_of(x + 1, size)) + 1, signal.size());
    const Range column = min_max(signal.subspan(first, end - first));
    const double high = y_of(static_cast<float>(column.high));
    const double low = y_of(static_cast<float>(column.low));
    canvas.line({high, x + 0.5}, {std::max(low, high + 0.5), x + 0.5}, ink);
  }
}

}  // namespace

Image curve_image(const Array& signals, const Array* map) {
  if (signals.dtype() != DType::f32 || signals.shape().rank() != 2 || signals.numel() == 0) {
    throw Error(ErrorKind::usage, "curves are drawn of f32 [C, T]")
        .with("found", describe(signals));
  }
  if (map != nullptr && (map->shape().rank() != 1 || map->numel() == 0)) {
    throw Error(ErrorKind::usage, "a map over curves is f32 [T]").with("found", describe(*map));
  }
  const int64_t channels = std::min<int64_t>(signals.dim(0), most_channels);
  const int row = channels == 1 ? 180 : 90;
  Canvas canvas(channels * row, curve_width);
  if (map != nullptr) {
    const Colormap& colors = colormap("inferno");
    for (int x = 0; x < curve_width; ++x) {
      const double value = value_at(map->data<float>(), (x + 0.5) / curve_width);
      canvas.fill({0, double(x), double(canvas.height()), 1}, colors(value), 0.6);
    }
  }
  const auto size = static_cast<size_t>(signals.dim(1));
  for (int64_t c = 0; c < channels; ++c) {
    if (c > 0) canvas.fill({double(c * row), 0, 1, curve_width}, rule);
    draw_curve(canvas, signals.data<float>().subspan(static_cast<size_t>(c) * size, size),
               static_cast<double>(c * row) + curve_margin, row - 2 * curve_margin);
  }
  return std::move(canvas).image();
}

}  // namespace fovea::draw
