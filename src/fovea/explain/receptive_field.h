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

/// A box of positions in an input: along each spatial axis from the first to the last, which are
/// inside it.
struct FieldBox {
  std::vector<int64_t> first, last;

  size_t axes() const { return first.size(); }
  int64_t size(size_t axis) const { return last[axis] - first[axis] + 1; }
  int64_t count() const;  ///< of positions
  bool operator==(const FieldBox&) const = default;
};

/// What to look at: one position of a layer's output, or one output of the net.
struct FieldTarget {
  std::string layer = {};                             ///< "": the last one that has positions
  std::optional<std::vector<int64_t>> position = {};  ///< y, x of images; by default the middle
  std::optional<int64_t> output = {};                 ///< a class instead of a layer
};

/// Which positions (pixels, steps of time, bands and frames, voxels) of the input matter to the
/// target.
struct FieldMap {
  std::string layer;              ///< "output" for a class
  std::vector<int64_t> position;  ///< of the layer's output; empty for a class
  std::vector<int64_t> size;      ///< of the layer's output, likewise
  /// The positions that could matter, judging by shapes alone, inside the input: all of it for a
  /// class and for layers after global pooling.
  FieldBox box;
  /// f32 [spatial...]: the mean over random inputs of |d target / d value|, summed over channels.
  /// The target of a layer is the sum over its channels at the position.
  Array gradient;
  /// The smallest box that holds 95 % of the energy (the squared gradient).
  FieldBox effective;
  double energy = 0;  ///< the share of the energy that it holds; 0 if all gradients are
  double share = 0;   ///< its count of positions, as a share of that of `box`
};

/// Measures it for inputs of this shape (C, and 1 to 3 spatial axes), standard normal from `seed`,
/// or for `given`, f32 [1, C, spatial...], normalised as the net takes it. `masked`: the last
/// channel of random inputs is a mask of nothing padded, all 1. Errors: usage when the input has no
/// spatial axes, the layer is unknown (all are listed) or its output has no positions, the position
/// or output lies outside, or the target does not depend on the input.
FieldMap measure_field(const nn::Module& model, State& state, const Shape& input,
                       const FieldTarget& target, const Array* given = nullptr, uint64_t seed = 0,
                       bool masked = false);

/// "10x12, rows 3 to 12, columns 0 to 11"; of one axis "80, positions 3 to 82".
std::string box_text(const FieldBox& box);

struct FieldPicture {
  const Image* picture = nullptr;  ///< of the input: of images under the map, of others above it
  bool upward = false;             ///< of two axes: the first row is at the bottom, as in `picture`
};

/// The gradient map with both boxes: of two axes as colours, of one as a curve, around the box that
/// could matter, of three as the slices through the middle of the effective box.
Image field_picture(const FieldMap& field, const FieldPicture& options = {});

/// The last windowed layer (convolution or pooling) at each size of maps.
struct FieldStage {
  std::string layer;
  int64_t field = 0;  ///< positions, along the longest side where they differ
  int64_t size = 0;   ///< of its maps, likewise
};
/// Errors: usage as measure_field; usage when no layer has a window.
std::vector<FieldStage> field_stages(const nn::Module& model, const Shape& input);
/// The receptive field and map size of each stage as bars.
Image stages_picture(const std::vector<FieldStage>& stages);

}  // namespace fovea::explain
