#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/array.h"
#include "fovea/images/image.h"
#include "fovea/nn/module.h"

namespace fovea::explain {

/// A rectangle of pixels: all four are inside it.
struct PixelBox {
  int64_t top = 0, left = 0, bottom = 0, right = 0;

  int64_t height() const { return bottom - top + 1; }
  int64_t width() const { return right - left + 1; }
  int64_t area() const { return height() * width(); }
  bool operator==(const PixelBox&) const = default;
};

/// What to look at: one position of a layer's output, or one output of the net.
struct FieldTarget {
  std::string layer = {};  ///< "": the last one that has positions
  std::optional<std::pair<int64_t, int64_t>> position = {};  ///< y, x; by default the middle
  std::optional<int64_t> output = {};                        ///< a class instead of a layer
};

/// Which pixels of the input matter to the target.
struct FieldMap {
  std::string layer;              ///< "output" for a class
  int64_t y = 0, x = 0;           ///< the position; 0, 0 for a class
  int64_t height = 1, width = 1;  ///< of the layer's output
  /// The pixels that could matter, judging by shapes alone, inside the image: all of it for a class
  /// and for layers after global pooling.
  PixelBox box;
  /// f32 [H, W]: the mean over random inputs of |d target / d pixel|, summed over channels. The
  /// target of a layer is the sum over its channels at the position.
  Array gradient;
  /// The smallest box that holds 95 % of the energy (the squared gradient).
  PixelBox effective;
  double energy = 0;  ///< the share of the energy that it holds; 0 if all gradients are
  double share = 0;   ///< its area, as a share of the area of `box`
};

/// Measures it for inputs of this shape (C, H, W), standard normal from `seed`, or for `given`, f32
/// [1, C, H, W], normalised as the net takes it. Errors: usage when the input is not [C, H, W], the
/// layer is unknown (all are listed) or its output no [N, C, H, W], the position or output lies
/// outside, or the target does not depend on the input.
FieldMap measure_field(const nn::Module& model, State& state, const Shape& input,
                       const FieldTarget& target, const Array* given = nullptr, uint64_t seed = 0);

/// The gradient map over the picture, or alone without one, with both boxes and a colour bar.
Image field_picture(const FieldMap& field, const Image* picture = nullptr);

/// The last windowed layer (convolution or pooling) at each size of maps.
struct FieldStage {
  std::string layer;
  int64_t field = 0;  ///< pixels, along the longer side where they differ
  int64_t size = 0;   ///< of its maps, likewise
};
/// Errors: usage as measure_field; usage when no layer has a window.
std::vector<FieldStage> field_stages(const nn::Module& model, const Shape& input);
/// The receptive field and map size of each stage as bars.
Image stages_picture(const std::vector<FieldStage>& stages);

}  // namespace fovea::explain
