#include "fovea/explain/overlay.h"

#include <algorithm>
#include <cmath>

#include "fovea/draw/heat.h"

namespace fovea::explain {
namespace {

/// The value that a share of the numbers exceed, 0 if it is negative.
float exceeded_by(std::vector<float> values, double share) {
  const auto place =
      static_cast<std::ptrdiff_t>(std::floor((1 - share) * static_cast<double>(values.size() - 1)));
  std::ranges::nth_element(values, values.begin() + place);
  return std::max(values[static_cast<size_t>(place)], 0.0f);
}

Image cut(const Image& picture, int top, int left, int height, int width) {
  Image part = Image::black(height, width, picture.channels);
  for (int y = 0; y < height; ++y)
    std::copy_n(picture.at(top + y, left), width * picture.channels, part.at(y, 0));
  return part;
}

Array cut(const Array& map, int64_t top, int64_t left, int64_t height, int64_t width) {
  Array part(DType::f32, {height, width});
  for (int64_t y = 0; y < height; ++y) {
    const auto row = map.data<float>().subspan(static_cast<size_t>((top + y) * map.dim(1) + left),
                                               static_cast<size_t>(width));
    std::ranges::copy(row, part.data<float>().begin() + y * width);
  }
  return part;
}

}  // namespace

Array drawn_map(const Array& map, Family family) {
  const auto values = map.data<float>();
  const auto [smallest, largest] = std::ranges::minmax(values);
  float low = smallest, high = largest;
  if (family == Family::saliency) {
    low = 0;
    high = exceeded_by({values.begin(), values.end()}, 0.01);
    if (high <= 0) high = largest;  // all but a few are 0
  }
  Array drawn = Array::zeros(DType::f32, map.shape());
  if (!(high > low)) return drawn;
  const auto to = drawn.data<float>();
  for (size_t i = 0; i < values.size(); ++i)
    to[i] = std::clamp((values[i] - low) / (high - low), 0.0f, 1.0f);
  return drawn;
}

Image overlay(const Image& picture, const Array& map,
              const std::optional<Preprocessing>& preprocessing) {
  PictureArea area{0, 0, static_cast<double>(picture.height), static_cast<double>(picture.width)};
  if (preprocessing) area = prepared_area(picture.height, picture.width, *preprocessing);
  const int top = static_cast<int>(std::lround(area.top));
  const int left = static_cast<int>(std::lround(area.left));
  const int height = std::max(1, static_cast<int>(std::lround(area.height)));
  const int width = std::max(1, static_cast<int>(std::lround(area.width)));
  // The part of the area that is inside the picture.
  const int y0 = std::clamp(top, 0, picture.height - 1),
            x0 = std::clamp(left, 0, picture.width - 1);
  const int y1 = std::clamp(top + height, y0 + 1, picture.height);
  const int x1 = std::clamp(left + width, x0 + 1, picture.width);
  const Array large = draw::resized_map(map, height, width);
  const Array seen = cut(large, y0 - top, x0 - left, y1 - y0, x1 - x0);
  const Image part = draw::overlay(cut(picture, y0, x0, y1 - y0, x1 - x0), seen, {0, 1});
  Image image = to_rgb(picture);
  for (uint8_t& sample : image.pixels) sample = static_cast<uint8_t>((sample + 255) / 2);
  for (int y = 0; y < part.height; ++y)
    std::copy_n(part.at(y, 0), part.width * part.channels, image.at(y0 + y, x0));
  return image;
}

}  // namespace fovea::explain
