#include "fovea/draw/colormap.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/text.h"

namespace fovea::draw {
namespace {

constexpr Color from_hex(uint32_t rgb) {
  return {static_cast<uint8_t>(rgb >> 16), static_cast<uint8_t>(rgb >> 8),
          static_cast<uint8_t>(rgb)};
}

std::vector<Color> from_hex(std::initializer_list<uint32_t> list) {
  std::vector<Color> colors;
  for (const uint32_t rgb : list) colors.push_back(from_hex(rgb));
  return colors;
}

const std::vector<Colormap>& table() {
  static const std::vector<Colormap> maps{
      {"viridis", from_hex({0x440154, 0x482878, 0x3e4a89, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779,
                            0x6ece58, 0xb5de2b, 0xfde725})},
      {"magma", from_hex({0x000004, 0x180f3d, 0x440f76, 0x721f81, 0x9e2f7f, 0xcd4071, 0xf1605d,
                          0xfd9668, 0xfeca8d, 0xfcfdbf})},
      {"inferno", from_hex({0x000004, 0x1b0c41, 0x4a0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925,
                            0xfb9b06, 0xf7d13d, 0xfcffa4})},
      {"gray", from_hex({0x000000, 0xffffff})},
      {"coolwarm",
       from_hex({0x3b4cc0, 0x6282ea, 0x8db0fe, 0xb8d0f9, 0xdddddd, 0xf5c4ad, 0xf49a7b, 0xde604d,
                 0xb40426}),
       true},
      {"jet", from_hex({0x000080, 0x0000ff, 0x0080ff, 0x00ffff, 0x80ff80, 0xffff00, 0xff8000,
                        0xff0000, 0x800000})}};
  return maps;
}

}  // namespace

Color Colormap::operator()(double value) const {
  if (std::isnan(value)) return {128, 128, 128};
  const double at = std::clamp(value, 0.0, 1.0) * static_cast<double>(anchors.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), anchors.size() - 2);
  const Color &a = anchors[i], &b = anchors[i + 1];
  const auto mixed = [t = at - static_cast<double>(i)](uint8_t from, uint8_t to) {
    return static_cast<uint8_t>(std::lround(from + (to - from) * t));
  };
  return {mixed(a.red, b.red), mixed(a.green, b.green), mixed(a.blue, b.blue)};
}

std::span<const Colormap> colormaps() { return table(); }

std::vector<std::string> colormap_names() {
  std::vector<std::string> names;
  for (const Colormap& map : table()) names.emplace_back(map.name);
  return names;
}

const Colormap& colormap(std::string_view name) {
  const auto found = std::ranges::find(table(), name, &Colormap::name);
  if (found != table().end()) return *found;
  throw unknown_name("colormap", name, colormap_names());
}

double Range::operator()(double value) const {
  if (!std::isfinite(value)) return std::nan("");
  return high > low ? (value - low) / (high - low) : 0.5;
}

Range min_max(std::span<const float> values) {
  Range range{HUGE_VAL, -HUGE_VAL};
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    range.low = std::min<double>(range.low, value);
    range.high = std::max<double>(range.high, value);
  }
  return range.low <= range.high ? range : Range{0, 0};
}

Range symmetric(std::span<const float> values) {
  const Range range = min_max(values);
  const double m = std::max(std::abs(range.low), std::abs(range.high));
  return {-m, m};
}

}  // namespace fovea::draw
