#pragma once

#include <vector>

#include "fovea/core/array.h"
#include "fovea/draw/colormap.h"

namespace fovea::draw {

/// Numbers, f32 [H, W], as a picture of the same size. Errors: usage for another dtype or rank, or
/// an empty map.
Image heat_image(const Array& map, const Range& range, const Colormap& colors);

/// f32 [H, W] resized by bilinear interpolation between pixel centres (PyTorch's `interpolate`
/// without `align_corners`). Errors: usage as heat_image, or when a side is below 1.
Array resized_map(const Array& map, int height, int width);

struct OverlayOptions {
  std::string_view colormap = "inferno";
  double opacity = 0.55;  ///< of the heat map: 0 to 1
};

/// A heat map, f32 of any size [H, W], enlarged to the picture's size and laid over it. Errors: as
/// heat_image and colormap.
Image overlay(const Image& picture, const Array& map, const Range& range,
              const OverlayOptions& options = {});

/// The picture with a colour bar at its right that says what the colours stand for: its ends, and
/// what lies between at nice numbers.
Image with_color_bar(const Image& picture, const Range& range, const Colormap& colors);

/// Channels of a layer or a filter bank as pictures, f32 [C, H, W]: each an [H, W] map. `range`
/// applies to all; without one each map has its own (min_max).
std::vector<Image> channel_images(const Array& maps, const Range* range, const Colormap& colors);

/// f32 [3, H, W] as an RGB picture, `range.low` black and `range.high` white. Errors: usage for
/// another shape.
Image rgb_image(const Array& values, const Range& range);

/// An input of a net, f32 [C, H, W], as an RGB picture: three channels are its colours, of any
/// other number the first is shown in gray.
Image input_image(const Array& values, const Range& range);

}  // namespace fovea::draw
