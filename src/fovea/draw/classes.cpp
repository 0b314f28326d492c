#include "fovea/draw/classes.h"

#include <algorithm>
#include <cmath>

#include "fovea/core/error.h"

namespace fovea::draw {
namespace {

/// A colour of hue h, saturation s and value v, each from 0 to 1.
PaletteColor hsv(double h, double s, double v) {
  const auto channel = [&](double n) {
    const double k = std::fmod(n + 6 * h, 6.0);
    const double share = std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * v * (1 - s * share)));
  };
  return {channel(5), channel(3), channel(1)};
}

}  // namespace

std::vector<PaletteColor> class_colors(int count) {
  constexpr double golden = 0.618033988749895;  // hues of any count are far apart
  std::vector<PaletteColor> colors{{0, 0, 0}};
  for (int i = 1; i < count; ++i) {
    const double hue = std::fmod(0.02 + golden * (i - 1), 1.0);
    colors.push_back(hsv(hue, (i / 5) % 2 == 0 ? 0.75 : 0.5, (i / 3) % 2 == 0 ? 0.95 : 0.75));
  }
  return colors;
}

Image class_overlay(const Image& picture, const Image& classes,
                    const std::vector<PaletteColor>& colors) {
  require(
      picture.height == classes.height && picture.width == classes.width && classes.channels == 1,
      "an overlay is of the size of its picture");
  constexpr int own = 45, all = 100;  // percent of the picture that stays
  Image image = to_rgb(picture);
  for (size_t p = 0; p < classes.pixels.size(); ++p) {
    const size_t k = classes.pixels[p];
    if (k == 0 || k >= colors.size()) continue;
    for (size_t c = 0; c < 3; ++c) {
      uint8_t& value = image.pixels[3 * p + c];
      value = static_cast<uint8_t>((value * own + colors[k][c] * (all - own)) / all);
    }
  }
  return image;
}

}  // namespace fovea::draw
