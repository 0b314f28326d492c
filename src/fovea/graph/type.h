#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/dtype.h"
#include "fovea/core/shape.h"

namespace fovea {

/// How the elements of an N, C, spatial value are laid out in memory. The shape stays N, C, spatial
/// in every layout.
enum class Layout : uint8_t {
  plain,          ///< row-major: N, C, spatial
  channels_last,  ///< N, spatial, C
  blocked16,      ///< N, C/16, spatial, 16; only where C is a multiple of 16
};

/// "plain", "channels_last", "blocked16".
std::string_view name(Layout layout);
std::span<const std::string_view> enum_names(Layout);

/// What is known about a value before it has data: element type, shape and layout.
struct Type {
  DType dtype = DType::f32;
  Shape shape;
  Layout layout = Layout::plain;  ///< set only by the layout pass

  int rank() const { return shape.rank(); }
  int64_t dim(int i) const { return shape[i]; }
  int64_t numel() const { return shape.numel(); }
  /// Bytes of the data. Errors: memory on overflow.
  size_t bytes() const;
  bool operator==(const Type& other) const = default;
};

using Types = std::vector<Type>;

/// Whether the value can have that layout: those other than plain need N, C and 1 to 3 spatial
/// axes, blocked16 also a multiple of 16 channels.
bool fits(const Type& type, Layout layout);

/// "f32[8, 3, 32, 32]", with axis names "f32[N=8, C=3, H=32, W=32]"; a layout other than plain is
/// appended: "...{blocked16}".
std::string to_string(const Type& type, std::string_view axes = {});

/// Axis names of an N, C, spatial value of this rank: "NC", "NCL", "NCHW", "NCDHW".
std::string_view image_axes(int rank);
/// Axis names of a convolution weight of this rank: "OIL", "OIHW", "OIDHW".
std::string_view weight_axes(int rank);

}  // namespace fovea
