#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fovea/graph/graph.h"

namespace fovea {

/// The views of an image whose outputs are averaged (test-time augmentation). By default there is
/// only the image itself.
struct TestViews {
  bool flip = false;  ///< also flipped horizontally: twice as many
  /// Also shifted by one pixel up and left, and by one down and right, with reflected borders:
  /// three times as many. The shifted ones together count as much as those that are not.
  bool shift = false;

  bool operator==(const TestViews&) const = default;

  /// "flip", "shift", or both separated by a comma; "none" (or "") is one view. Errors: usage for
  /// any other word.
  static TestViews parse(std::string_view text);
  std::string text() const;  ///< "none" for one view
  int64_t count() const { return (flip ? 2 : 1) * (shift ? 3 : 1); }

  /// All views of images [N, C, H, W], view by view: [count N, C, H, W]. Errors: usage when there
  /// are several views and the input is not an image of at least 2x2 pixels.
  Tensor of(const Tensor& images) const;
  /// The weighted mean of a model's outputs over the views: [count N, ...] to [N, ...]. Maps,
  /// [count N, K, H, W], are flipped back. Errors: usage for maps of shifted views.
  Tensor averaged(const Tensor& outputs) const;
};

}  // namespace fovea
