#include "fovea/models/anchors.h"

#include <algorithm>
#include <cmath>

namespace fovea::models {
namespace {

/// Width and height.
struct Size {
  double width, height;
};

/// Boxes of some shapes at each pixel of some maps.
class Boxes {
 public:
  void add(double x1, double y1, double x2, double y2) {
    const double values[] = {x1, y1, x2, y2};
    for (size_t row = 0; row < 4; ++row) rows_[row].push_back(static_cast<float>(values[row]));
  }
  Array array() const {
    std::vector<float> all;
    for (const std::vector<float>& row : rows_) all.insert(all.end(), row.begin(), row.end());
    return Array::of(all, {4, std::ssize(rows_[0])});
  }

 private:
  std::vector<float> rows_[4];
};

}  // namespace

Array grid_anchors(const std::vector<MapSize>& maps, int64_t height, int64_t width,
                   const std::vector<std::vector<double>>& sizes,
                   const std::vector<double>& ratios) {
  Boxes boxes;
  for (size_t level = 0; level < maps.size(); ++level) {
    const MapSize& map = maps[level];
    std::vector<Size> halves;
    for (const double ratio : ratios) {
      for (const double size : sizes[level]) {
        const double root = std::sqrt(ratio);
        halves.push_back({std::nearbyint(size / root / 2), std::nearbyint(size * root / 2)});
      }
    }
    for (int64_t i = 0; i < map.height; ++i) {
      for (int64_t j = 0; j < map.width; ++j) {
        const auto y = static_cast<double>(i * (height / map.height)),
                   x = static_cast<double>(j * (width / map.width));
        for (const Size& half : halves)
          boxes.add(x - half.width, y - half.height, x + half.width, y + half.height);
      }
    }
  }
  return boxes.array();
}

Array default_boxes(const std::vector<MapSize>& maps, int64_t height, int64_t width,
                    const std::vector<double>& scales, const std::vector<double>& ratios) {
  Boxes boxes;
  for (size_t level = 0; level < maps.size(); ++level) {
    const MapSize& map = maps[level];
    const double scale = scales[level], mean = std::sqrt(scale * scales[level + 1]);
    std::vector<Size> sizes{{scale, scale}, {mean, mean}};
    for (const double ratio : ratios) {
      const double root = std::sqrt(ratio);
      sizes.push_back({scale * root, scale / root});
      sizes.push_back({scale / root, scale * root});
    }
    for (int64_t i = 0; i < map.height; ++i) {
      for (int64_t j = 0; j < map.width; ++j) {
        const double y = (static_cast<double>(i) + 0.5) / static_cast<double>(map.height),
                     x = (static_cast<double>(j) + 0.5) / static_cast<double>(map.width);
        const auto h = static_cast<double>(height), w = static_cast<double>(width);
        for (const Size& size : sizes) {
          const double half_width = std::min(size.width, 1.0) / 2,
                       half_height = std::min(size.height, 1.0) / 2;
          boxes.add((x - half_width) * w, (y - half_height) * h, (x + half_width) * w,
                    (y + half_height) * h);
        }
      }
    }
  }
  return boxes.array();
}

}  // namespace fovea::models
